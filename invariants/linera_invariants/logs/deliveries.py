"""Deliveries between a validator's own chains that its log leaves out: which could have happened before an event.

A delivery is assumed as late as possible. That loses nothing: it commutes with everything that could come before it,
except the closing of the recipient (see :meth:`Replayer.receive_before_closing`). Deliveries from different origins
commute with one another, so what is searched is one number per origin (how much of the outbox arrived) and one per
outbox (how much of it was acknowledged).
"""

from collections.abc import Iterator
from itertools import islice, product
from math import prod
from typing import Final, TypeAlias

from attrs import define, field, frozen

from linera_invariants.views import creations, next_to_receive
from linera_reference.certificate import Certificate
from linera_reference.crypto import Scheme
from linera_reference.identifiers import ChainId, parent
from linera_reference.network import CrossChain
from linera_reference.outbox import ConfirmUpdatedRecipient
from linera_reference.rejections import Reason, Rejected
from linera_reference.validator import Validator, chain_of, put_chain, target_of, update_recipient

from .memory import Steps, answer_for

MAX_TRIES: Final = 256
"""Combinations of deliveries that are tried to explain one event."""

Move: TypeAlias = tuple[bool, ChainId, ChainId, list[int]]
"""An acknowledgement (or else a delivery) between two chains, and the heights of the sender that it may go up to."""


@frozen
class Guess:
    """A state that a validator may be in, and what was delivered to get there, in order."""

    validator: Validator
    delivered: tuple[CrossChain, ...] = ()


@define
class Deliveries:
    """Knows who waits for whom at one validator. ``waiting`` has the senders to each recipient."""

    steps: Steps
    waiting: dict[ChainId, set[ChainId]] = field(factory=dict)

    # --- the index ---

    def sent(self, certificate: Certificate) -> None:
        """A block was committed: its recipients wait for it."""
        sender = certificate.executed.block.chain_id
        for message in certificate.executed.messages:
            self.waiting.setdefault(message.recipient, set()).add(sender)

    def confirmed(self, validator: Validator, answer: ConfirmUpdatedRecipient) -> None:
        """An acknowledgement arrived: perhaps nothing waits any more."""
        senders = self.waiting.get(answer.recipient, set())
        if answer.recipient not in chain_of(validator, answer.sender).localized.outboxes:
            senders.discard(answer.sender)
        if not senders:
            self.waiting.pop(answer.recipient, None)

    # --- single deliveries ---

    def take(self, guess: Guess, item: CrossChain) -> Guess | None:
        """Let a chain handle something from another one; ⊥ if it refuses."""
        chain = chain_of(guess.validator, target_of(item))
        outcome = self.steps.take(chain, item)
        if isinstance(outcome, Rejected):
            return None
        return Guess(put_chain(guess.validator, chain, outcome.state), (*guess.delivered, item))

    def deliver(self, guess: Guess | None, sender: ChainId, recipient: ChainId, height: int) -> Guess | None:
        """Deliver what waits in an outbox up to a height; a chain that is not there yet is created first."""
        if guess is None or recipient not in chain_of(guess.validator, sender).localized.outboxes:
            return None
        if sender != parent(recipient) and not chain_of(guess.validator, recipient).consistent.created:
            guess = self.create(guess, recipient)
        if guess is None:
            return None
        return self.take(guess, self.steps.batch(chain_of(guess.validator, sender), recipient, height))

    def create(self, guess: Guess, recipient: ChainId) -> Guess | None:
        """Deliver the block of the parent that creates a chain."""
        above = parent(recipient)
        if above is None or recipient not in chain_of(guess.validator, above).localized.outboxes:
            return None
        blocks = update_recipient(chain_of(guess.validator, above), recipient).certificates
        heights = [c.executed.block.height for c in blocks if recipient in creations(c)]
        return self.deliver(guess, above, recipient, heights[0]) if heights else None

    def confirm(self, guess: Guess | None, sender: ChainId, recipient: ChainId, height: int) -> Guess | None:
        """Let a sender hear that a height arrived; it is delivered if it did not."""
        if guess is not None and next_to_receive(chain_of(guess.validator, recipient), sender) <= height:
            guess = self.deliver(guess, sender, recipient, height)
        return None if guess is None else self.take(guess, answer_for(sender, recipient, height))

    # --- what explains an event ---

    def demanded(self, guess: Guess, chain_id: ChainId, rejected: Rejected) -> Guess | None:
        """Deliver exactly what a rejection says is missing."""
        found: Guess | None = guess
        match rejected:
            case Rejected(Reason.MISSING_CROSS_CHAIN_UPDATE, detail):
                for origin, height in detail:
                    found = self.deliver(found, origin, chain_id, height)
            case Rejected(Reason.INACTIVE_CHAIN):
                found = self.create(guess, chain_id)
            case Rejected(Reason.OUTBOX_NOT_EMPTY, detail):
                for recipient in detail:
                    outbox = chain_of(guess.validator, chain_id).localized.outboxes[recipient]
                    found = self.confirm(found, chain_id, recipient, outbox.queue.back)
            case _:
                return None
        return found

    def everything(self, guess: Guess, chain_id: ChainId) -> Guess:
        """Deliver all that waits for a chain and that it takes."""
        for _, sender, _, heights in self.inbound(guess.validator, chain_id):
            guess = self.deliver(guess, sender, chain_id, heights[-1]) or guess
        return guess

    def search(self, guess: Guess, chain_id: ChainId, acknowledged: bool) -> Iterator[Guess]:
        """Try combinations of deliveries to a chain, few first.

        With ``acknowledged``, there are acknowledgements to it, too, and everything comes first.
        """
        moves = list(self.inbound(guess.validator, chain_id))
        moves += self.outbound(guess.validator, chain_id) if acknowledged else ()
        for plan in _plans([len(heights) for *_, heights in moves], acknowledged):
            found: Guess | None = guess
            for number, (acknowledge, sender, recipient, heights) in zip(plan, moves, strict=True):
                if number > 0:
                    act = self.confirm if acknowledge else self.deliver
                    found = act(found, sender, recipient, heights[number - 1])
            if found is not None:
                yield found

    def inbound(self, validator: Validator, chain_id: ChainId) -> Iterator[Move]:
        """Walk what a chain may still receive."""
        chain = chain_of(validator, chain_id)
        for sender in sorted(self.waiting.get(chain_id, ())):
            outbox = chain_of(validator, sender).localized.outboxes.get(chain_id)
            start = next_to_receive(chain, sender)
            heights = [] if outbox is None else [height for height in outbox.queue if height >= start]
            if heights:
                yield False, sender, chain_id, heights

    def outbound(self, validator: Validator, chain_id: ChainId) -> Iterator[Move]:
        """Walk what a chain may still be told to have arrived."""
        outboxes = chain_of(validator, chain_id).localized.outboxes
        for recipient in sorted(outboxes):
            yield True, chain_id, recipient, list(outboxes[recipient].queue)


def _plans(most: list[int], whole_first: bool) -> list[tuple[int, ...]]:
    """List how far to go in each direction: all ways if they are few, else nothing or everything in each."""
    few = prod(n + 1 for n in most) <= MAX_TRIES
    ways = product(*(range(n + 1) if few else (0, n) for n in most))
    whole = tuple(most)
    plans = {plan for plan in islice(ways, MAX_TRIES) if any(plan)} | ({whole} if any(whole) else set())
    return sorted(plans, key=lambda plan: (whole_first and plan != whole, sum(plan), plan))


def was_sent(scheme: Scheme, validator: Validator, item: CrossChain) -> bool:
    """Whether something that changes a chain can come from the validator itself.

    It delivers what waits in the outbox, and acknowledges what was received.
    """
    start = next_to_receive(chain_of(validator, item.recipient), item.sender)
    if isinstance(item, ConfirmUpdatedRecipient):
        return start > item.height
    stored = chain_of(validator, item.sender).localized.certificates
    for certificate in item.certificates:
        height = certificate.executed.block.height
        found = stored.get(height) if height >= start else certificate
        if found is None or scheme.hash(found.executed) != scheme.hash(certificate.executed):
            return False
    return True

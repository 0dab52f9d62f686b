"""Replaying one validator: every event of its log through the shipped handlers, up to the first that differs.

Fields of the log, and what they are in the specification:

* ``request``, ``certificate``, ``update``, ``confirm``: the ``item`` of ``validator.handle``
* ``resend``, ``archive``, ``restart``: ``network.resend``, ``network.archive_at``, ``network.restart_at``
* ``accepted``: ``Accepted.outputs``, votes only
* ``rejected``: ``Rejected.reason``
* ``state``: the digest of the ``Chain`` that the item is for, afterwards
"""

from collections import deque
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias

from attrs import define, field, frozen

from linera_invariants.conform.lists import OURS
from linera_invariants.story import show_chain, show_hash, show_rejection
from linera_invariants.vectors.replay import Archive, Crash, SendAgain, take, target
from linera_invariants.vectors.snapshot import digest_of_chain
from linera_reference.audit import place_of
from linera_reference.certificate import Certificate, Kind, Vote, VotePayload, certified_payload, vote_is_authentic
from linera_reference.chain import Chain, is_closed
from linera_reference.context import Context
from linera_reference.encoding import decode
from linera_reference.identifiers import ChainId
from linera_reference.network import archive_at, resend, restart_at
from linera_reference.notation import PublicKey
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.rejections import Accepted, Outcome, Reason, Rejected, Rejection
from linera_reference.request import Request
from linera_reference.validator import (
    Validator,
    chain_of,
    handle_certificate,
    handle_confirm_updated_recipient,
    handle_request,
    handle_update_recipient,
    put_chain,
    restart,
    target_of,
)

from .deliveries import Deliveries, Guess, was_sent
from .lines import Event, Header, Item, Received, item_of
from .memory import Recent, RecentScheme, Steps

Found: TypeAlias = tuple[Guess, Outcome[Validator]]
"""What explains an event: the state before it, and its outcome."""
Errors: TypeAlias = Mapping[str, tuple[str, ...]]
"""The names of the reasons that each error name of an implementation may stand for."""

SHOWN: Final = 12
"""So many of the last steps are kept for a picture."""
HANDLERS: Final[dict[str, Any]] = {
    "request": handle_request,
    "certificate": handle_certificate,
    "update": handle_update_recipient,
    "confirm": handle_confirm_updated_recipient,
    "resend": resend,
    "archive": archive_at,
    "restart": restart_at,
}
CLAUSES: Final = {
    ("request", Kind.CONFIRMED): "WP-2.8-VOTE",
    ("request", Kind.VALIDATED): "WP-2.9-PROPOSAL",
    ("certificate", Kind.CONFIRMED): "WP-2.9-FINAL-VOTE",
}
"""By what is voted, and on what."""


@frozen
class Voted:
    """A validator voted for a block of a chain and height: what its vote signs."""

    line: int
    place: tuple[ChainId, int]
    ballot: VotePayload


@frozen
class Certified(Voted):
    """A validator accepted a certificate; who signed it. If it was confirmed, its block was executed."""

    signers: tuple[PublicKey, ...]

    @property
    def is_commit(self) -> bool:
        """Whether the block was executed."""
        return self.ballot.kind is Kind.CONFIRMED


Fact: TypeAlias = Voted | Certified


@frozen
class Taken:
    """A step that was taken, and the state before it. ``line`` is ⊥ for what the log leaves out."""

    before: Validator
    item: Received
    line: int | None


@frozen
class Difference:
    """The first event that the reference does not explain."""

    line: int
    expected: str
    found: str
    clause: str
    chain: ChainId | None


@define
class Node:
    """What the replays of all validators share: the context, and results that are remembered."""

    context: Context
    start: Validator
    trusting: bool = False
    errors: Errors = OURS
    late: int = 32
    steps: Steps = field(init=False)
    digests: Recent = field(factory=Recent)

    def __attrs_post_init__(self) -> None:
        self.steps = Steps(self.context)

    def digest(self, chain: Chain) -> str:
        """Return the state digest of a chain."""
        found = self.digests.get(id(chain))
        digest: str = found[1] if found else self.digests.put(id(chain), (chain, digest_of_chain(chain)))[1]
        return digest


@define
class Replayer:
    """One validator being replayed. ``delivered`` counts deliveries that its log leaves out."""

    node: Node
    header: Header
    validator: Validator
    deliveries: Deliveries
    events: int = 0
    delivered: int = 0
    last: deque[Taken] = field(factory=lambda: deque(maxlen=SHOWN))
    facts: list[Fact] = field(factory=list)

    # --- one event ---

    def take(self, event: Event) -> Difference | None:
        """Replay an event; say how it differs from what the specification allows, if it does."""
        item = item_of(event)
        outcome = self.handled(self.validator, item)
        if self.agrees(event, item, outcome, self.validator):
            self.adopt(event, item, Guess(self.validator), outcome)
            return None
        found = None if self.header.logged or isinstance(item, Rejected) else self.explain(event, item, outcome)
        if found is None:
            return self.difference(event, item, outcome)
        self.adopt(event, item, *found)
        return None

    def handled(self, validator: Validator, item: Item) -> Outcome[Validator]:
        """Do with an item what the validator must do; the votes are without signatures."""
        if isinstance(item, Rejected):
            return item
        if isinstance(item, Crash):
            again = restart(validator)
            return Accepted(validator if again == validator else again)  # what is the same stays shared
        if isinstance(item, SendAgain | Archive):
            return take(self.node.context, validator, item, None)
        chain = chain_of(validator, target_of(item))
        outcome = self.node.steps.take(chain, item)
        if isinstance(outcome, Rejected):
            return outcome
        if not self.can_arrive(validator, item, changes=outcome.state is not chain):
            return Rejected(Reason.ACTION_NOT_ENABLED, "the validator did not send this to itself")
        return Accepted(put_chain(validator, chain, outcome.state), outcome.outputs)

    def can_arrive(self, validator: Validator, item: Received, changes: bool) -> bool:
        """Whether the validator can have sent this to itself, if that matters."""
        if not (changes and isinstance(item, UpdateRecipient | ConfirmUpdatedRecipient)):
            return True
        return was_sent(self.node.context.scheme, validator, item)

    def explain(self, event: Event, item: Received, outcome: Outcome[Validator]) -> Found | None:
        """Look for deliveries that the log leaves out and that explain an event."""
        for guess in self.guesses(event, item, outcome):
            outcome = self.handled(guess.validator, item)
            if self.agrees(event, item, outcome, guess.validator):
                return guess, outcome
        return None

    def guesses(self, event: Event, item: Received, outcome: Outcome[Validator]) -> Iterator[Guess]:
        chain_id, guess = target(item), Guess(self.validator)
        if isinstance(item, ConfirmUpdatedRecipient):
            received = self.deliveries.deliver(guess, item.sender, item.recipient, item.height)
            yield from () if received is None else (received,)
        while isinstance(outcome, Rejected):
            demanded = self.deliveries.demanded(guess, chain_id, outcome)
            if demanded is None or demanded.validator is guess.validator:
                break
            guess = demanded
            yield guess
            outcome = self.handled(guess.validator, item)
        yield from self.deliveries.search(Guess(self.validator), chain_id, event.state is not None)

    # --- whether an answer is right ---

    def agrees(self, event: Event, item: Item, outcome: Outcome[Validator], before: Validator) -> bool:
        """Whether the log says what the reference says."""
        return self.answers(event, item, outcome) and self.same_state(event, item, _after(event, outcome, before))

    def answers(self, event: Event, item: Item, outcome: Outcome[Validator]) -> bool:
        """Whether the answer is right, whatever the state is."""
        if event.rejected is not None:
            return self.rejects(event.rejected, outcome)
        if isinstance(outcome, Rejected):
            return False
        votes = [output.payload for output in outcome.outputs if isinstance(output, Vote)]
        return len(event.votes) == len(votes) and all(map(self.is_right, event.votes, votes))

    def rejects(self, name: str, outcome: Outcome[Validator]) -> bool:
        reasons = self.node.errors.get(name, ())
        if self.node.trusting and Reason.INVALID_SIGNATURE.name in reasons:
            return True  # where signatures are not checked, the log is believed
        return isinstance(outcome, Rejected) and outcome.reason.name in reasons

    def same_state(self, event: Event, item: Item, after: Validator) -> bool:
        if event.state is None or isinstance(item, Rejected):
            return True
        return event.state == self.node.digest(chain_of(after, target(item)))

    def is_right(self, text: str, ballot: VotePayload) -> bool:
        vote = vote_of(text)
        named = vote is not None and (vote.validator, vote.payload) == (self.header.validator, ballot)
        return named and vote is not None and vote_is_authentic(self.node.context.scheme, vote)

    # --- going on ---

    def adopt(self, event: Event, item: Item, guess: Guess, outcome: Outcome[Validator]) -> None:
        """Go on from an explained event."""
        self.events += 1
        if not self.header.logged and isinstance(outcome, Accepted) and self.closes(item, outcome.state):
            guess, outcome = self.receive_before_closing(event, item, guess) or (guess, outcome)
        if guess.delivered:
            self.go(guess)
        if isinstance(item, Rejected):
            return
        self.last.append(Taken(self.validator, item, event.line))
        if event.rejected is not None or isinstance(outcome, Rejected):
            return
        changed, self.validator = outcome.state is not self.validator, outcome.state
        self.note(event, item, changed)
        if changed and not self.header.logged:
            self.follow(item)

    def note(self, event: Event, item: Received, changed: bool) -> None:
        """Tell others what a validator voted for, and the certificates that it accepted."""
        if not isinstance(item, Request | Certificate):
            return
        certificate = item if isinstance(item, Certificate) else item.justification
        votes = filter(None, map(vote_of, event.votes))
        self.facts += (Voted(event.line, place_of_item(item), vote.payload) for vote in votes)
        if changed and certificate is not None and place_of(certificate) == place_of_item(item):
            ballot = certified_payload(self.node.context.scheme, certificate)
            signers = tuple(key for key, _ in certificate.signatures)
            self.facts.append(Certified(event.line, place_of(certificate), ballot, signers))

    def follow(self, item: Received) -> None:
        """Keep up with what waits for delivery; what waits for too long is taken to have arrived."""
        if isinstance(item, ConfirmUpdatedRecipient):
            self.deliveries.confirmed(self.validator, item)
        elif isinstance(item, Certificate) and item.kind is Kind.CONFIRMED:
            self.deliveries.sent(item)
            outboxes = chain_of(self.validator, target_of(item)).localized.outboxes
            for recipient in sorted({m.recipient for m in item.executed.messages if m.recipient in outboxes}):
                heights = list(outboxes[recipient].queue) if len(outboxes[recipient].queue) > self.node.late else []
                for height in heights[len(heights) // 2 :][:1]:
                    arrived = self.deliveries.confirm(Guess(self.validator), target_of(item), recipient, height)
                    self.go(arrived or Guess(self.validator))

    def go(self, guess: Guess) -> None:
        """Take deliveries that the log leaves out to have happened."""
        for item in guess.delivered:
            self.last.append(Taken(self.validator, item, None))
        self.validator = guess.validator
        self.delivered += len(guess.delivered)
        for item in guess.delivered:
            if isinstance(item, ConfirmUpdatedRecipient):
                self.deliveries.confirmed(self.validator, item)

    def closes(self, item: Item, after: Validator) -> bool:
        if not isinstance(item, Certificate):
            return False
        old, new = (chain_of(v, target_of(item)).consistent for v in (self.validator, after))
        return is_closed(new) and not is_closed(old)

    def receive_before_closing(self, event: Event, item: Item, guess: Guess) -> Found | None:
        """A chain that closes receives what waits for it, if that explains the event, too: later it cannot."""
        if isinstance(item, Rejected):
            return None
        guess = self.deliveries.everything(guess, target(item))
        outcome = self.handled(guess.validator, item)
        return (guess, outcome) if self.agrees(event, item, outcome, guess.validator) else None

    # --- what differs ---

    def difference(self, event: Event, item: Item, outcome: Outcome[Validator]) -> Difference:
        """Say what was expected of an event and what was found."""
        chain_id = None if isinstance(item, Rejected) else target(item)
        if chain_id is not None and self.answers(event, item, outcome):
            digest = self.node.digest(chain_of(_after(event, outcome, self.validator), chain_id))
            clause = HANDLERS[event.kind].__clauses__[0]
            return Difference(event.line, f"state {digest}", f"state {event.state}", clause, chain_id)
        expected, clause = self.expectation(event, item, outcome)
        return Difference(event.line, expected, self.finding(event), clause, chain_id)

    def expectation(self, event: Event, item: Item, outcome: Outcome[Validator]) -> tuple[str, str]:
        """Say which answer is right, and by which clause."""
        if isinstance(outcome, Rejected):
            return show_rejection(outcome), outcome.reason.clause
        if event.rejected is not None:
            logged = self.node.errors.get(event.rejected, ())
            return "accepted", Reason[logged[0]].clause if logged else HANDLERS[event.kind].__clauses__[0]
        votes = [output.payload for output in outcome.outputs if isinstance(output, Vote)]
        if not votes or not isinstance(item, Request | Certificate):
            return "accepted, without a vote", "WP-2.8-VOTE"
        what = f"{show_place(place_of_item(item))}, {show_hash(votes[0].block_hash)},"
        return f"accepted, with its vote {aim_of(votes[0], what)}".rstrip(","), CLAUSES[event.kind, votes[0].kind]

    def finding(self, event: Event) -> str:
        """Say what the log says."""
        if event.rejected is not None:
            unknown = "" if event.rejected in self.node.errors else " (no reason, and no name of the mapping)"
            return f"rejected: {event.rejected}{unknown}"
        if not event.votes:
            return "accepted, without a vote" if event.kind == "request" else "accepted"
        return f"accepted, with {self.show_vote(event.votes[0])}"

    def show_vote(self, text: str) -> str:
        vote = vote_of(text)
        if vote is None:
            return "something that is no vote"
        whose = "its vote" if vote.validator == self.header.validator else f"a vote of {show_hash(vote.validator)}"
        forged = "" if vote_is_authentic(self.node.context.scheme, vote) else " with a wrong signature"
        return f"{whose}{forged} {aim_of(vote.payload, show_hash(vote.payload.block_hash))}"


def _after(event: Event, outcome: Outcome[Validator], before: Validator) -> Validator:
    """Return the state after an event, if its answer is right."""
    return before if event.rejected is not None or isinstance(outcome, Rejected) else outcome.state


@lru_cache(64)
def vote_of(text: str) -> Vote | None:
    """Decode a vote; ⊥ for bytes that are none."""
    try:
        return decode(Vote, bytes.fromhex(text))
    except Rejection:
        return None


def place_of_item(item: Request | Certificate) -> tuple[ChainId, int]:
    """Return where a block would stand."""
    return place_of(item) if isinstance(item, Certificate) else (item.block.chain_id, item.block.height)


def aim_of(ballot: VotePayload, what: str) -> str:
    """Say what a vote is for; to confirm in round 0 is what a single owner asks for."""
    if (ballot.kind, ballot.round) == (Kind.CONFIRMED, 0):
        return f"for {what}"
    return f"to {'confirm' if ballot.kind is Kind.CONFIRMED else 'validate'} {what} in round {ballot.round}"


def show_place(place: tuple[ChainId, int]) -> str:
    """Name a chain and height."""
    return f"block {place[1]} of chain {show_chain(place[0])}"


def replayer(node: Node, header: Header) -> Replayer:
    """Start to replay a validator."""
    return Replayer(node, header, node.start, Deliveries(node.steps))


def node_for(header: Header, trusting: bool = False, errors: Errors = OURS, late: int = 32) -> Node:
    """Return what the replays of a network's validators share."""
    context = _with_scheme(header.context, RecentScheme(header.context.scheme, trusting))
    return Node(context, header.start, trusting, errors, late)


def _with_scheme(context: Context, scheme: RecentScheme) -> Context:
    return Context(scheme, context.application, context.committee, context.rules)

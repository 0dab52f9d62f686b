"""What the reference would have accepted where a log and the specification part."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from linera_invariants.story import listed, show_chain, show_hash
from linera_invariants.vectors.replay import Archive, Crash, SendAgain, target
from linera_reference.certificate import Certificate, Kind
from linera_reference.crypto import hash_value
from linera_reference.identifiers import ChainId
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.ownership import Owner, Owners, keys_of
from linera_reference.rejections import Accepted, Reason, Rejected
from linera_reference.request import Request
from linera_reference.rounds import binding_lock
from linera_reference.validator import RoundInfo, chain_info, chain_of, round_info, update_recipient

from .deliveries import Deliveries
from .lines import Event, Item, Received, item_of
from .replayer import Replayer, place_of_item, show_place

MOST: Final = 5
"""Actions that are named."""


def situation(replayer: Replayer, chain_id: ChainId) -> str:
    """Say what the reference knows of a chain."""
    chain = chain_of(replayer.validator, chain_id)
    info = chain_info(chain)
    life = "not created" if not info.created else "closed" if info.owner is None else owned(info.owner)
    last = "" if info.block_hash is None else f", last block {show_hash(info.block_hash)}"
    voted = "".join(in_progress(round_info(chain)))
    return f"chain {show_chain(chain_id)}: {life}, next height {info.next_height}{last}{voted}"


def owned(owner: Owner) -> str:
    """Name whose chain it is."""
    keys = [show_hash(key) for key in sorted(keys_of(owner))]
    return f"{'owners' if isinstance(owner, Owners) else 'owner'} {listed(keys)}"


def in_progress(info: RoundInfo) -> Iterator[str]:
    """Say what a validator has voted for at the next height."""
    if info.pending is not None:
        round_ = f" in round {info.rounds.last}" if info.rounds.last else ""
        yield f", a block pending at {info.pending.block.height}{round_}"
    if info.rounds.locked is not None:
        yield f", locked on {show_hash(hash_value(info.rounds.locked.executed))} in round {info.rounds.locked.round}"


def enabled(replayer: Replayer, chain_id: ChainId, item: Item, upcoming: Iterable[Event]) -> list[str]:
    """Name actions on a chain that the reference would accept and that change something.

    They are what could be proposed instead, deliveries that wait, and what comes later in the log.
    """
    found = [text for text, item in _candidates(replayer, chain_id, upcoming) if _changes(replayer, item)]
    return [*instead(replayer, item), *found][:MOST]


def instead(replayer: Replayer, item: Item) -> Iterator[str]:
    """Say in which round, and for which block, something would have been accepted that rounds or a lock forbid."""
    match replayer.handled(replayer.validator, item), item:
        case Rejected(Reason.INSUFFICIENT_ROUND, int(last)), Request() | Certificate():
            yield f"the same in round {last + 1} or later"
        case Rejected(Reason.HAS_LOCKED_BLOCK, int(last)), Request() as request:
            rounds = chain_of(replayer.validator, request.block.chain_id).localized.rounds
            binding = binding_lock(rounds, request.justification)
            again = "" if binding is None else f" {show_hash(hash_value(binding.executed))}"
            yield f"a request for the locked block{again} in round {last + 1} or later"
            yield f"another block, justified by its validated certificate of a round after {last}"


def _candidates(replayer: Replayer, chain_id: ChainId, upcoming: Iterable[Event]) -> Iterator[tuple[str, Received]]:
    for event in upcoming:
        item = item_of(event)
        if not isinstance(item, Rejected) and chain_id in chains_of([item]):
            yield f"line {event.line}: {describe(item)}", item
    for item in _waiting(replayer, chain_id):
        yield f"waiting: {describe(item)}", item


def _waiting(replayer: Replayer, chain_id: ChainId) -> Iterator[Received]:
    validator = replayer.validator
    senders = {name for name, chain in validator.chains.items() if chain_id in chain.localized.outboxes}
    deliveries = Deliveries(replayer.node.steps, {chain_id: senders})
    for _, sender, _, _ in deliveries.inbound(validator, chain_id):
        yield update_recipient(chain_of(validator, sender), chain_id)
    for _, sender, recipient, heights in deliveries.outbound(validator, chain_id):
        yield update_recipient(chain_of(validator, sender), recipient)
        yield ConfirmUpdatedRecipient(sender, recipient, heights[-1])


def _changes(replayer: Replayer, item: Received) -> bool:
    outcome = replayer.handled(replayer.validator, item)
    return isinstance(outcome, Accepted) and outcome.state is not replayer.validator


def chains_of(items: Sequence[Received]) -> set[ChainId]:
    """Return the chains that items are about."""
    found = {target(item) for item in items}
    for item in items:
        if isinstance(item, UpdateRecipient | ConfirmUpdatedRecipient):
            found |= {item.sender, item.recipient}
    return found


def describe(item: Received) -> str:
    """Name something that a validator receives."""
    match item:
        case Request():
            why = "" if item.justification is None else f", justified in round {item.justification.round}"
            return f"request for {show_place(place_of_item(item))}{_in_round(item.round)}{why}"
        case Certificate():
            kind = "validated certificate" if item.kind is Kind.VALIDATED else "certificate"
            return f"{kind} of {show_place(place_of_item(item))}{_in_round(item.round)}"
        case UpdateRecipient():
            blocks = [str(c.executed.block.height) for c in item.certificates] or ["none"]
            ends = f"from chain {show_chain(item.sender)} to chain {show_chain(item.recipient)}"
            return f"update {ends}, blocks {listed(blocks)}"
        case ConfirmUpdatedRecipient():
            ends = f"to chain {show_chain(item.sender)} from chain {show_chain(item.recipient)}"
            return f"confirmation {ends}, up to block {item.height}"
        case SendAgain() | Archive() | Crash():
            return f"{type(item).__name__} of chain {show_chain(item.chain_id)}"


def _in_round(number: int) -> str:
    return f" in round {number}" if number else ""

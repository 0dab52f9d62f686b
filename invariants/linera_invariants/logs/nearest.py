"""What the reference would have accepted where a log and the specification part."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from linera_invariants.story import listed, show_chain, show_hash
from linera_invariants.vectors.replay import Archive, SendAgain, target
from linera_reference.audit import place_of
from linera_reference.block import Request
from linera_reference.certificate import Certificate
from linera_reference.identifiers import ChainId
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.rejections import Accepted, Rejected
from linera_reference.validator import chain_info, chain_of, update_recipient

from .deliveries import Deliveries
from .lines import Event, Received, item_of
from .replayer import Replayer, place_of_request, show_place

MOST: Final = 5
"""Actions that are named."""


def situation(replayer: Replayer, chain_id: ChainId) -> str:
    """Say what the reference knows of a chain."""
    chain = chain_of(replayer.validator, chain_id)
    info, pending = chain_info(chain), chain.localized.pending
    life = "not created" if not info.created else "closed" if info.owner is None else f"owner {show_hash(info.owner)}"
    last = "" if info.block_hash is None else f", last block {show_hash(info.block_hash)}"
    voted = "" if pending is None else f", a block pending at {pending.block.height}"
    return f"chain {show_chain(chain_id)}: {life}, next height {info.next_height}{last}{voted}"


def enabled(replayer: Replayer, chain_id: ChainId, upcoming: Iterable[Event]) -> list[str]:
    """Name actions on a chain that the reference would accept and that change something.

    They are deliveries that wait, and what comes later in the log.
    """
    found = [text for text, item in _candidates(replayer, chain_id, upcoming) if _changes(replayer, item)]
    return found[:MOST]


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
            return f"request for {show_place(place_of_request(item))}"
        case Certificate():
            return f"certificate of {show_place(place_of(item))}"
        case UpdateRecipient():
            blocks = [str(c.executed.block.height) for c in item.certificates] or ["none"]
            ends = f"from chain {show_chain(item.sender)} to chain {show_chain(item.recipient)}"
            return f"update {ends}, blocks {listed(blocks)}"
        case ConfirmUpdatedRecipient():
            ends = f"to chain {show_chain(item.sender)} from chain {show_chain(item.recipient)}"
            return f"confirmation {ends}, up to block {item.height}"
        case SendAgain() | Archive():
            return f"{type(item).__name__} of chain {show_chain(item.chain_id)}"

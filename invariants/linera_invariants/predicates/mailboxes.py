"""Inboxes: closed form (S11), no forgery (S12), consumed at most once (S13), what is anticipated (S14)."""

from collections.abc import Iterator
from itertools import pairwise

from linera_invariants.driver import Step
from linera_invariants.registry import Violation, predicate
from linera_invariants.views import (
    Cell,
    blocks_of,
    consumed_by,
    consumed_messages,
    is_archived,
    is_repeated,
    place_of,
    received_messages,
)
from linera_reference.certificate import Certificate
from linera_reference.chain import Chain, inbox_of, owed_messages
from linera_reference.identifiers import ChainId
from linera_reference.inbox import Inbox
from linera_reference.messages import Cursor, Message, successor
from linera_reference.network import Deliver, Network, World
from linera_reference.rejections import Accepted
from linera_reference.request import Request
from linera_reference.rules import AnticipationRule
from linera_reference.validator import chain_of, sent_messages


def origins_of(chain: Chain) -> list[ChainId]:
    """Return the chains that a chain received or consumed messages from, sorted."""
    return sorted({*chain.localized.mailboxes, *chain.consistent.consumed})


@predicate("S11", "cell")
def inboxes_have_the_closed_form(network: Network, world: World, cell: Cell) -> Iterator[Violation]:
    """S11 (WP-A.1-CLOSED-FORM): an inbox is a function of what was received and what was consumed."""
    for origin in origins_of(cell.chain):
        received = received_messages(network, world, cell, origin)
        consumed = consumed_messages(world, cell.chain, origin)
        inbox = inbox_of(cell.chain, origin)
        for broken in closed_form(inbox, received, consumed, archived=is_archived(cell.chain)):
            yield Violation("S11", f"{cell}, inbox of {list(origin)}: not ({broken})", inbox)


def closed_form(
    inbox: Inbox, received: tuple[Message, ...], consumed: tuple[Message, ...], *, archived: bool
) -> Iterator[str]:
    """Walk the clauses of the closed form that do not hold. Archiving gives the waiting messages up."""
    added, removed = tuple(inbox.added), tuple(inbox.removed)
    known = set(received)
    waiting = () if archived else tuple(m for m in received if m.cursor >= inbox.consumed)
    clauses = {
        "added = [x ∈ R : c(x) ≥ consumed]": added == waiting,
        "removed = [x ∈ K : x ∉ R]": removed == tuple(m for m in consumed if m not in known),
        "at most one queue is non-empty": not (added and removed),
        "added lies in [consumed, next_add)": all(inbox.consumed <= m.cursor < inbox.next_add for m in added),
        "removed lies in [next_add, consumed)": all(inbox.next_add <= m.cursor < inbox.consumed for m in removed),
        "both empty ⇒ next_add = consumed": bool(added or removed or archived) or inbox.next_add == inbox.consumed,
        "next_add follows the last of R": inbox.next_add == _after_last(received),
        "consumed follows the last of K": inbox.consumed == _after_last(consumed),
    }
    return (clause for clause, holds in clauses.items() if not holds)


def _after_last(messages: tuple[Message, ...]) -> Cursor:
    return successor(messages[-1].cursor) if messages else Cursor()


@predicate("S12", "cell")
def waiting_messages_were_sent(network: Network, world: World, cell: Cell) -> Iterator[Violation]:
    """S12 (WP-A.1-RECEIVE-BLOCK): a waiting message is one that its origin's block, committed here, sends here."""
    for origin, box in cell.chain.localized.mailboxes.items():
        blocks = blocks_of(world, chain_of(world.validators[cell.key], origin))
        for message in box.added:
            sender = blocks[message.height : message.height + 1]
            if not any(message in sent_messages(network.context, c, cell.chain.chain_id) for c in sender):
                yield Violation("S12", f"{cell} holds a message that {list(origin)} did not send", message)


@predicate("S12.consumed", "certificate")
def consumed_messages_were_sent(network: Network, world: World, certificate: Certificate) -> Iterator[Violation]:
    """S12 (WP-3.3-CLAIM-5): what a certified block consumes was waiting at its voters, so it was sent."""
    block = certificate.executed.block
    for message in consumed_by(block):
        sender = world.certificates.get(message.block_hash)
        if sender is None or message not in sent_messages(network.context, sender, block.chain_id):
            yield Violation("S12", f"{place_of(block)} consumes a message that nobody sent", message)


@predicate("S13", "cell")
def consumption_is_ordered(_: Network, world: World, cell: Cell) -> Iterator[Violation]:
    """S13 (WP-2.5-EXACTLY-ONCE): the places that a chain consumes from one origin strictly increase."""
    for origin in origins_of(cell.chain):
        cursors = [message.cursor for message in consumed_messages(world, cell.chain, origin)]
        if any(later <= earlier for earlier, later in pairwise(cursors)):
            yield Violation("S13", f"{cell} consumes from {list(origin)} twice or out of order", cursors)


@predicate("S14", "cell")
def owed_messages_were_consumed(_: Network, world: World, cell: Cell) -> Iterator[Violation]:
    """S14 (WP-2.6-ANTICIPATION): what is owed was consumed by a block, and the origins that owe are known."""
    local = cell.chain.localized
    owing = {origin for origin, box in local.mailboxes.items() if not box.removed.is_empty}
    if owing != set(local.owing):
        yield Violation("S14", f"{cell}: which origins owe messages is not recorded", (owing, local.owing))
    for origin, box in local.mailboxes.items():
        consumed = set(consumed_messages(world, cell.chain, origin))
        if not consumed.issuperset(box.removed):
            yield Violation("S14", f"{cell}: a message is owed that no block consumed", box)


@predicate("S14.vote", "step")
def votes_need_received_messages(network: Network, before: World, step: Step, _: World) -> Iterator[Violation]:
    """S14 (WP-2.7-BLOCK-IS-VALID): whoever accepts a proposal held every message of it, and (baseline) was owed none.

    A vote to confirm a validated block reads no inbox.
    """
    action = step.action
    if not (isinstance(action, Deliver) and isinstance(action.item, Request) and isinstance(step.outcome, Accepted)):
        return
    block = action.item.block
    chain = chain_of(before.validators[action.validator], block.chain_id)
    if is_repeated(chain, action.item):
        return
    held = {m for box in chain.localized.mailboxes.values() for m in box.added}
    if not held.issuperset(consumed_by(block)):
        yield Violation("S14", f"a vote for {place_of(block)}, whose messages were not received", action)
    if network.context.rules.anticipation is AnticipationRule.WHOLE_INBOX and owed_messages(chain):
        yield Violation("S14", f"a vote for {place_of(block)} while messages are owed", action)

"""The state of one chain at one validator: the unit that a handler reads and writes (section 2.6)."""

from typing import Any

from attrs import frozen
from immutables import Map

from .block import ExecutedBlock
from .certificate import Certificate
from .containers import Log, Queue, Set, fold
from .encoding import encode
from .identifiers import ChainId
from .inbox import Inbox
from .messages import START, Cursor, Message
from .notation import Hash, evolve, rule, support, u64
from .outbox import NOTHING_SENT, Outbox, confirm, count_down, count_up, schedule
from .ownership import Owner
from .rounds import FIRST_ROUND, Rounds


@frozen
class Consistent:
    """What is a function of the executed blocks: equal at all correct validators of equal height.

    ``state`` is the application's data type, ``tx_count`` the number of transactions ever executed, ``consumed`` the
    consumption cursor of each origin, ``log`` the hashes of the executed blocks, ``creation_height`` the height of
    the parent's block that created the chain (⊥ for a genesis chain).
    """

    created: bool = False
    owner: Owner | None = None
    state: Any = None
    tx_count: u64 = 0
    consumed: Map[ChainId, Cursor] = Map()
    next_height: u64 = 0
    block_hash: Hash | None = None
    log: Log[bytes] = Log()
    creation_height: u64 | None = None


@frozen
class Mailbox:
    """The localized half of the inbox of one origin; the other half is the cursor in ``Consistent.consumed``."""

    next_add: Cursor = START
    added: Queue[Message] = Queue()
    removed: Queue[Message] = Queue()


@frozen
class Localized:
    """What validators may see differently.

    ``pending`` is the executed block voted for, ``rounds`` completes it on chains with several owners, ``received``
    the (sender, height) of blocks that sent messages here, ``owing`` the origins with anticipated messages,
    ``counters`` how many recipients wait for each height, and ``certificates`` the confirmed certificate of each
    height.
    """

    pending: ExecutedBlock | None = None
    rounds: Rounds = FIRST_ROUND
    received: Log[tuple[ChainId, int]] = Log()
    mailboxes: Map[ChainId, Mailbox] = Map()
    owing: Set[ChainId] = Set()
    outboxes: Map[ChainId, Outbox] = Map()
    counters: Map[int, int] = Map()
    certificates: Log[Certificate] = Log()


CONSISTENT = Consistent()
LOCALIZED = Localized()


@frozen
class Chain:
    """The view of chain ``chain_id`` at one validator."""

    chain_id: ChainId
    consistent: Consistent = CONSISTENT
    localized: Localized = LOCALIZED


@support
def with_consistent(chain: Chain, part: Consistent) -> Chain:
    """Replace the consistent part."""
    return Chain(chain.chain_id, part, chain.localized)


@support
def with_localized(chain: Chain, local: Localized) -> Chain:
    """Replace the localized part."""
    return Chain(chain.chain_id, chain.consistent, local)


@frozen
class ChainState:
    """What the state hash covers: the consistent part without height, block hash and history (amendment A5)."""

    created: bool
    owner: Owner | None
    tx_count: u64
    state: bytes
    consumed: Map[ChainId, Cursor]


@rule("WP-2.6-STATE-HASH")
def hashed_state(part: Consistent) -> ChainState:
    """Return what is hashed after the last transaction of a block. Section 2.6."""
    return ChainState(part.created, part.owner, part.tx_count, encode(part.state), part.consumed)


@rule("WP-2.6-CONSISTENT")
def activate(part: Consistent, owner: Owner, state: Any, creation_height: u64 | None) -> Consistent:
    """Create the chain with its first owner and application state. Sections 2.4 and 2.5."""
    return evolve(
        part, created=True, owner=owner, state=state, creation_height=creation_height
    )  # ALGA-31, ALGA-32, ALGA-33, ALGA-34


@rule("WP-2.4-OWNER")
def is_closed(part: Consistent) -> bool:
    """Whether the chain was created and then deactivated. Section 2.4."""
    return part.created and part.owner is None


@rule("WP-2.6-LOCALIZED")
def inbox_of(chain: Chain, origin: ChainId) -> Inbox:
    """Join the consistent and the localized half of an inbox. Section 2.6."""
    box = chain.localized.mailboxes.get(origin)
    consumed = chain.consistent.consumed.get(origin, START)
    return Inbox(consumed=consumed) if box is None else Inbox(box.next_add, consumed, box.added, box.removed)


@rule("WP-2.6-LOCALIZED")
def put_inbox(chain: Chain, origin: ChainId, inbox: Inbox) -> Chain:
    """Store both halves of an inbox, and whether it owes messages. Section 2.6."""
    local, part = chain.localized, chain.consistent
    owing = local.owing.remove(origin) if inbox.removed.is_empty else local.owing.insert(origin)
    mailboxes = local.mailboxes.set(origin, Mailbox(inbox.next_add, inbox.added, inbox.removed))
    if inbox.consumed != part.consumed.get(origin, START):
        part = evolve(part, consumed=part.consumed.set(origin, inbox.consumed))
    return Chain(chain.chain_id, part, evolve(local, mailboxes=mailboxes, owing=owing))


@rule("WP-2.6-ANTICIPATION")
def owed_messages(chain: Chain) -> tuple[Message, ...]:
    """Return the messages that were consumed and not received yet: I₋, by origin and place. Section 2.6."""
    local = chain.localized
    return tuple(message for origin in sorted(local.owing) for message in local.mailboxes[origin].removed)


@rule("WP-A.2-SCHEDULE")
def schedule_messages(
    local: Localized, recipients: frozenset[ChainId], height: u64
) -> tuple[Map[ChainId, Outbox], Map[int, int]]:
    """Queue the block at ``height`` for each of its recipients; return outboxes and counters.

    Rejects: ARITHMETIC. Section A.2.
    """

    def step(done: tuple[Map[ChainId, Outbox], int], recipient: ChainId) -> tuple[Map[ChainId, Outbox], int]:
        outboxes, scheduled = done
        before = outboxes.get(recipient, NOTHING_SENT)
        after = schedule(before, height)
        return outboxes.set(recipient, after), scheduled + int(after is not before)

    outboxes, scheduled = fold(step, (local.outboxes, 0), recipients)
    return outboxes, count_up(local.counters, height, scheduled)


@rule("WP-A.2-CONFIRM-UPDATED-RECIPIENT")
def confirm_messages(local: Localized, recipient: ChainId, height: u64) -> Localized:
    """Drop the heights that ``recipient`` acknowledged; an empty outbox is not stored. Section A.2."""
    outbox = local.outboxes.get(recipient)
    if outbox is None:
        return local
    confirmed, rest = confirm(outbox, height)
    outboxes = local.outboxes
    outboxes = outboxes.delete(recipient) if rest.queue.is_empty else outboxes.set(recipient, rest)  # ALGA-54
    return evolve(local, outboxes=outboxes, counters=fold(count_down, local.counters, confirmed))


@rule("WP-2.9-DURABLE")
def restart_chain(chain: Chain) -> Chain:
    """Rebuild the view of a chain from what was stored before any answer left; what is derived is computed again.

    Votes and locks are among what is stored. A restart changes nothing, and nothing else may be relied on.
    Section 2.9.
    """
    local = chain.localized
    owing = fold(Set.insert, LOCALIZED.owing, (o for o, box in local.mailboxes.items() if not box.removed.is_empty))
    waiting = (height for outbox in local.outboxes.values() for height in outbox.queue)
    counters = fold(lambda found, height: count_up(found, height, 1), LOCALIZED.counters, waiting)
    local = Localized(
        pending=local.pending,
        rounds=local.rounds,
        received=local.received,
        mailboxes=local.mailboxes,
        outboxes=local.outboxes,
        certificates=local.certificates,
        owing=owing,
        counters=counters,
    )
    return with_localized(chain, local)

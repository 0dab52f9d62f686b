"""Numbers: quorums (S25), and conservation of the token (S21)."""

from collections.abc import Iterator

from linera_invariants.registry import Violation, predicate
from linera_invariants.views import (
    Cell,
    blocks_of,
    chain_before,
    consumed_messages,
    is_archived,
    next_to_receive,
    received_messages,
    short,
)
from linera_reference.application import Burn, Credit, Token, TokenOperation
from linera_reference.block import Execute, Receive
from linera_reference.chain import Chain, inbox_of
from linera_reference.client import next_block
from linera_reference.committee import max_faulty, quorum_threshold, validity_threshold
from linera_reference.encoding import decode
from linera_reference.execution import Running, execute_transaction
from linera_reference.messages import Message, User
from linera_reference.network import Network, World
from linera_reference.notation import MAX_U128, PublicKey
from linera_reference.rules import QuorumRule
from linera_reference.validator import chain_of, sent_messages


@predicate("S25")
def quorums_intersect(network: Network, _: World) -> Iterator[Violation]:
    """S25 (WP-2.2-QUORUM-INTERSECTION): two quorums share a correct validator, under either rule of quorums."""
    total = network.context.committee.total
    for broken in quorum_arithmetic(total):
        yield Violation("S25", f"N = {total}: not ({broken})", total)


def quorum_arithmetic(total: int) -> Iterator[str]:
    """Walk the laws of quorum arithmetic that do not hold for these total voting rights."""
    f, v = max_faulty(total), validity_threshold(total)
    q = quorum_threshold(total, QuorumRule.N_MINUS_F)
    h = quorum_threshold(total, QuorumRule.HALF_WAY)
    laws = {
        "3f < N and v = f + 1": 3 * f < total and v == f + 1,
        "2(N − f) − N ≥ f + 1": 2 * q - total >= f + 1,
        "N − f is a quorum": total - f >= q,
        "N − v < q": total - v < q,
        "2q ≥ N + v in the variant": 2 * h >= total + v,
        "N − (v − 1) ≥ q in the variant": total - (v - 1) >= h,
    }
    return (law for law, holds in laws.items() if not holds)


@predicate("S21", "validator")
def token_is_conserved(network: Network, world: World, key: PublicKey) -> Iterator[Violation]:
    """S21 (WP-2.7-CONSERVATION): balances, credits in flight and burned amounts add up to the genesis supply.

    In flight is what is sent and undelivered, plus what waits, minus what is anticipated; burned are also the credits
    that were skipped and what saturation lost.
    """
    if not isinstance(network.context.application, Token):
        return
    supply = sum(chain.state.amount for chain in network.genesis.chains)
    cells = [Cell(key, chain) for chain in world.validators[key].chains.values()]
    total = sum(balance_of(network, world, cell.chain) + burned(world, cell.chain) for cell in cells)
    total += sum(queued(network, world, cell) + waiting(cell.chain) + skipped(network, world, cell) for cell in cells)
    if supply > MAX_U128:  # only then can a balance be full
        total += sum(saturated(network, world, cell.chain) for cell in cells)
    if total != supply:
        yield Violation("S21", f"the token adds up to {total} instead of {supply} at {short(key)}", (total, supply))


def credit(message: Message) -> int:
    """Return the amount that a message credits."""
    return decode(Credit, message.content.payload).amount if isinstance(message.content, User) else 0


def balance_of(network: Network, world: World, chain: Chain) -> int:
    """Return the balance of a chain; that of a tombstone, which forgot it, follows from its blocks."""
    if is_archived(chain):
        chain = chain_before(network, world, next_block(chain, ()))
    state = chain.consistent.state
    return 0 if state is None else int(state.amount)


def queued(network: Network, world: World, cell: Cell) -> int:
    """Return what waits in the outboxes of a chain and was not received."""
    amount, blocks = 0, blocks_of(world, cell.chain)
    for recipient, outbox in cell.chain.localized.outboxes.items():
        first = next_to_receive(chain_of(world.validators[cell.key], recipient), cell.chain.chain_id)
        for height in (h for h in outbox.queue if first <= h < len(blocks)):
            amount += sum(map(credit, sent_messages(network.context, blocks[height], recipient)))
    return amount


def waiting(chain: Chain) -> int:
    """Return what waits in the inboxes of a chain, minus what was consumed before it arrived."""
    boxes = chain.localized.mailboxes.values()
    return sum(credit(m) for box in boxes for m in box.added) - sum(credit(m) for box in boxes for m in box.removed)


def skipped(network: Network, world: World, cell: Cell) -> int:
    """Return what a chain received and will never consume: before its cursor, or given up by archiving."""
    amount, archived = 0, is_archived(cell.chain)
    for origin in cell.chain.localized.mailboxes:
        consumed, cursor = consumed_messages(world, cell.chain, origin), inbox_of(cell.chain, origin).consumed
        left = [m for m in received_messages(network, world, cell, origin) if m not in consumed]
        amount += sum(credit(message) for message in left if archived or message.cursor < cursor)
    return amount


def burned(world: World, chain: Chain) -> int:
    """Return what the blocks of a chain destroyed."""
    transactions = (t for c in blocks_of(world, chain) for t in c.executed.block.transactions)
    actions = (decode(TokenOperation, t.operation).action for t in transactions if isinstance(t, Execute))
    return sum(action.amount for action in actions if isinstance(action, Burn))


def saturated(network: Network, world: World, chain: Chain) -> int:
    """Return what full balances could not take, by executing the blocks of a chain again."""
    lost = 0
    for certificate in blocks_of(world, chain):
        block = certificate.executed.block
        before = chain_before(network, world, block).consistent
        running = Running(before.owner, before.state)
        for index, transaction in enumerate(block.transactions, before.tx_count):
            gain = credit(transaction.message) if isinstance(transaction, Receive) else 0
            lost += max(0, running.state.amount + gain - MAX_U128)
            running = execute_transaction(network.context, block.chain_id, index, running, transaction)
    return lost

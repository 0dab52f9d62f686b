"""Algorithm 1: the execution of a block on one chain (section 2.7)."""

from typing import Any

from attrs import frozen

from .application import Effect
from .block import (
    AddOwner,
    Block,
    ChangeKey,
    CloseChain,
    Execute,
    ExecutedBlock,
    OpenChain,
    Receive,
    RemoveOwner,
    Transaction,
)
from .certificate import Certificate
from .chain import (
    Chain,
    Consistent,
    hashed_state,
    inbox_of,
    owed_messages,
    put_inbox,
    schedule_messages,
    with_consistent,
)
from .containers import fold, gather
from .context import Context
from .identifiers import ChainId, child, is_identifier
from .inbox import remove
from .messages import Create, Message, OutgoingMessage, User
from .notation import MAX_U64, Hash, evolve, rule, support, u64
from .ownership import Owner, add_owner, remove_owner
from .rejections import Reason, require
from .rounds import FIRST_ROUND
from .rules import AnticipationRule


@frozen
class Staged:
    """A chain after the transactions of a block, before the block is committed."""

    chain: Chain
    executed: ExecutedBlock


@frozen
class Running:
    """What transactions change: owner, application state, and the messages of the last transaction."""

    owner: Owner | None
    state: Any
    messages: tuple[OutgoingMessage, ...] = ()


@rule("WP-2.7-OPEN-CHAIN")
def open_chain(chain_id: ChainId, index: u64, running: Running, transaction: OpenChain) -> Running:
    """Ask for the creation of the child with this transaction's index. Rejects: INVALID_NEW_CHAIN_ID. Section 2.7."""
    expected = child(chain_id, index)
    require(transaction.chain_id == expected, Reason.INVALID_NEW_CHAIN_ID, expected)  # ALG1-20
    return Running(running.owner, running.state, (OutgoingMessage(expected, Create(transaction.owner)),))  # ALG1-21


@rule("WP-2.7-CHANGE-KEY")
def change_key(running: Running, transaction: ChangeKey) -> Running:
    """Hand the chain over. Section 2.7."""
    return Running(transaction.owner, running.state)  # ALG1-23


@rule("WP-2.7-CLOSE-CHAIN")
def close_chain(running: Running) -> Running:
    """Deactivate the chain. Section 2.7."""
    return Running(None, running.state)  # ALG1-26


@rule("WP-2.7-EXECUTE")
def execute_operation(context: Context, chain_id: ChainId, running: Running, transaction: Execute) -> Running:
    """Run a user operation. Rejects: what the application rejects. Section 2.7."""
    effect = context.application.execute_operation(chain_id, running.state, transaction.operation)  # ALG1-10
    return apply_effect(running, effect)


@rule("WP-2.7-RECEIVE")
def execute_message(context: Context, chain_id: ChainId, running: Running, transaction: Receive) -> Running:
    """Execute a picked message; ``Create`` took effect on arrival.

    Rejects: what the application rejects. Section 2.7.
    """
    content = transaction.message.content
    if isinstance(content, Create):
        return Running(running.owner, running.state)  # ALG1-16
    effect = context.application.execute_message(
        chain_id, running.state, transaction.message.origin, content.payload
    )  # ALG1-13
    return apply_effect(running, effect)


@rule("WP-2.7-APPLICATION")
def apply_effect(running: Running, effect: Effect) -> Running:
    """Take over what an application yields: user messages to well-formed recipients.

    Rejects: USER_ERROR. Section 2.7.
    """

    def check(_: None, message: OutgoingMessage) -> None:
        lawful = isinstance(message.content, User) and is_identifier(message.recipient)
        require(lawful, Reason.USER_ERROR, message)

    fold(check, None, effect.messages)
    return Running(running.owner, effect.state, effect.messages)  # ALG1-11, ALG1-14


@rule("WP-2.9-CHANGE-OWNERS")
def change_owners(running: Running, transaction: AddOwner | RemoveOwner) -> Running:
    """Add or remove one of several owners. Rejects: UNKNOWN_OWNER, EMPTY_OWNER_SET. Section 2.9."""
    change = add_owner if isinstance(transaction, AddOwner) else remove_owner
    return Running(change(running.owner, transaction.owner), running.state)  # ALG3-01


@rule("WP-2.7-EXECUTE-BLOCK")
def execute_transaction(
    context: Context, chain_id: ChainId, index: u64, running: Running, transaction: Transaction
) -> Running:
    """Execute one transaction; none may follow CloseChain.

    Rejects: CHAIN_CLOSED, then the errors of the transaction. Section 2.7.
    """
    require(running.owner is not None, Reason.CHAIN_CLOSED)  # ALG1-08
    match transaction:
        case Execute():
            return execute_operation(context, chain_id, running, transaction)
        case Receive():
            return execute_message(context, chain_id, running, transaction)
        case OpenChain():
            return open_chain(chain_id, index, running, transaction)
        case ChangeKey():
            return change_key(running, transaction)
        case CloseChain():
            return close_chain(running)
        case AddOwner() | RemoveOwner():
            return change_owners(running, transaction)


@support
def received_messages(block: Block) -> tuple[Message, ...]:
    """Return the messages that a block receives, in its order."""
    return tuple(t.message for t in block.transactions if isinstance(t, Receive))  # ALG1-02


@rule("WP-2.7-RECEIVE", "WP-2.6-ANTICIPATION")
def consume_messages(chain: Chain, block: Block) -> Chain:
    """Take every received message out of its inbox, by sorted origin and in block order inside an origin.

    A message that is not there is consumed by anticipation. Rejects: UNEXPECTED_MESSAGE, INCORRECT_MESSAGE_ORDER,
    ARITHMETIC. Section 2.7.
    """

    def step(chain: Chain, message: Message) -> Chain:
        # A block cannot consume what it is about to send.
        future = message.origin == chain.chain_id and message.height >= block.height
        require(not future, Reason.UNEXPECTED_MESSAGE, message)  # ALG1-04
        return put_inbox(chain, message.origin, remove(inbox_of(chain, message.origin), message))  # ALG1-05

    return fold(step, chain, sorted(received_messages(block), key=lambda m: m.origin))


@rule("WP-2.7-EXECUTE-BLOCK")
def execute_transactions(context: Context, chain: Chain, block: Block) -> tuple[Running, tuple[OutgoingMessage, ...]]:
    """Execute the transactions of a block in order; return what they lead to, and all that they send.

    Rejects: the errors of each transaction. Section 2.7.
    """

    def step(running: Running, item: tuple[u64, Transaction]) -> tuple[Running, tuple[OutgoingMessage, ...]]:
        index, transaction = item
        running = execute_transaction(context, chain.chain_id, index, running, transaction)  # ALG1-33
        return running, running.messages

    part = chain.consistent
    start = Running(part.owner, part.state)
    return gather(step, start, enumerate(block.transactions, part.tx_count))  # ALG1-31, ALG1-34


@rule("WP-2.7-EXECUTE-BLOCK")
def execute_block(context: Context, chain: Chain, block: Block) -> Staged:
    """Execute a block on a copy of the chain: inbox removals, then the transactions, then the hash of the state.

    Rejects: the errors of ``consume_messages``, ARITHMETIC (transaction count), then those of each transaction.
    Section 2.7.
    """
    chain = consume_messages(chain, block)  # ALG1-29
    part = chain.consistent
    count = part.tx_count + len(block.transactions)
    require(count <= MAX_U64, Reason.ARITHMETIC, count)  # ALG1-30
    running, messages = execute_transactions(context, chain, block)
    part = evolve(part, owner=running.owner, state=running.state, tx_count=count)  # ALG1-35
    executed = ExecutedBlock(block, messages, context.scheme.hash(hashed_state(part)))  # ALG1-36, ALG1-37
    return Staged(with_consistent(chain, part), executed)


@rule("WP-2.7-BLOCK-IS-VALID", "WP-2.6-ANTICIPATION")
def check_not_anticipated(context: Context, staged: Staged) -> None:
    """Accept a staged block whose messages were all received (baseline: no message of the inbox is owed at all).

    Rejects: MISSING_CROSS_CHAIN_UPDATE with the owed (origin, height) pairs, sorted. Section 2.7.
    """
    if staged.chain.localized.owing.is_empty:
        return
    owed = owed_messages(staged.chain)
    if context.rules.anticipation is AnticipationRule.THIS_PROPOSAL:
        consumed = received_messages(staged.executed.block)
        owed = tuple(message for message in owed if message in consumed)
    require(not owed, Reason.MISSING_CROSS_CHAIN_UPDATE, senders_of(owed))  # ALG1-40


@support
def senders_of(messages: tuple[Message, ...]) -> tuple[tuple[ChainId, u64], ...]:
    """Return the (origin, height) of the blocks that sent some messages, sorted."""
    return tuple(sorted({(message.origin, message.height) for message in messages}))


@rule("WP-2.4-CHAINING")
def extend_log(part: Consistent, block_hash: Hash) -> Consistent:
    """Make an executed block the last one. Section 2.4."""
    height = part.next_height + 1
    return evolve(
        part, next_height=height, block_hash=block_hash, log=part.log.append(block_hash)
    )  # ALG1-43, ALG1-44, ALG1-45


@rule("WP-2.7-EXECUTE-BLOCK", "WP-2.8-PENDING", "WP-2.9-RESET")
def commit_block(staged: Staged, block_hash: Hash, certificate: Certificate) -> Chain:
    """Make a certified block part of the chain: height, hash, log, outboxes; votes and locks end.

    Section 2.7.
    """
    chain, height = staged.chain, staged.executed.block.height
    part = extend_log(chain.consistent, block_hash)
    recipients = frozenset(message.recipient for message in staged.executed.messages)
    outboxes, counters = schedule_messages(chain.localized, recipients, height)  # ALG1-49
    certificates = chain.localized.certificates.append(certificate)  # ALG1-46
    local = evolve(
        chain.localized,
        pending=None,
        rounds=FIRST_ROUND,
        outboxes=outboxes,
        counters=counters,
        certificates=certificates,
    )  # ALG1-47, ALG3-36
    return Chain(chain.chain_id, part, local)

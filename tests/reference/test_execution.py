"""Algorithm 1: the execution of a block."""

from typing import Any

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map
from support import (
    IDEAL,
    cell,
    certify,
    context,
    digest,
    examples,
    key,
    message,
    network,
    owner_of,
    refused,
)

from linera_reference.application import Balance, Effect, transfer
from linera_reference.block import (
    AddOwner,
    Block,
    ChangeKey,
    CloseChain,
    Execute,
    OpenChain,
    Receive,
    RemoveOwner,
    Transaction,
)
from linera_reference.certificate import Kind
from linera_reference.chain import Chain, hashed_state, inbox_of, put_inbox
from linera_reference.client import next_block
from linera_reference.containers import Queue, fold
from linera_reference.context import Context
from linera_reference.execution import (
    Running,
    Staged,
    apply_effect,
    change_key,
    change_owners,
    check_not_anticipated,
    close_chain,
    commit_block,
    consume_messages,
    execute_block,
    execute_message,
    execute_operation,
    execute_transaction,
    extend_log,
    open_chain,
    senders_of,
)
from linera_reference.identifiers import ChainId
from linera_reference.inbox import add, remove
from linera_reference.messages import Create, Cursor, Message, OutgoingMessage, User
from linera_reference.notation import MAX_U64
from linera_reference.ownership import Owner
from linera_reference.rejections import Reason, require
from linera_reference.rounds import FIRST_ROUND, Rounds
from linera_reference.rules import BASELINE, REVISION_H

HERE, THERE = (0,), (1,)


@frozen
class Calls:
    """State of the application below: everything that it was asked."""

    seen: tuple[tuple[tuple[bytes, ...], bytes], ...] = ()


@frozen
class Recorder:
    """An application that records its calls, fails on ``bad`` and sends what follows ``send``."""

    def initial_state(self) -> Calls:
        return Calls()

    def proposers(self, chain_id: ChainId, state: Calls) -> None:
        pass

    def execute_operation(self, chain_id: ChainId, state: Calls, operation: bytes) -> Effect:
        return self.call(state, (b"operation", bytes(chain_id)), operation)

    def execute_message(self, chain_id: ChainId, state: Calls, origin: ChainId, payload: bytes) -> Effect:
        return self.call(state, (b"message", bytes(chain_id), bytes(origin)), payload)

    def call(self, state: Calls, who: tuple[bytes, ...], data: bytes) -> Effect:
        require(data != b"bad", Reason.USER_ERROR)
        sent = (OutgoingMessage(THERE, User(data)),) * data.count(b"send")
        return Effect(Calls((*state.seen, (who, data))), sent)


RECORDER = context(application=Recorder())
RUNNING = Running(key("alice"), Calls(), (OutgoingMessage(THERE, User(b"before")),))


def recording(**consistent: Any) -> Chain:
    return cell(state=Calls(), **consistent)


def block(chain: Chain, *transactions: Transaction) -> Block:
    return next_block(chain, transactions)


def waiting(chain: Chain, *messages: Message) -> Chain:
    return fold(lambda c, m: put_inbox(c, m.origin, add(inbox_of(c, m.origin), m)), chain, messages)


def user(height: int, index: int = 0, text: str = "hello", origin: ChainId = (7,)) -> Message:
    return message(height, index, text, origin)


# --- transactions ---------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.7-OPEN-CHAIN")
@pytest.mark.parametrize("index", [0, 1, MAX_U64])
def test_open_chain_asks_for_the_creation_of_the_child(index: int) -> None:
    after = open_chain((4, 5), index, RUNNING, OpenChain((4, 5, index), key("bob")))
    assert after == Running(RUNNING.owner, RUNNING.state, (OutgoingMessage((4, 5, index), Create(key("bob"))),))


@pytest.mark.clauses("WP-2.7-OPEN-CHAIN", "WP-2.4-CHILD")
@pytest.mark.parametrize("chain_id", [(0, 4), (0, 6), (0,), (1, 5), (0, 5, 0), (5,), ()])
def test_open_chain_takes_the_index_of_the_transaction(chain_id: ChainId) -> None:
    with refused(Reason.INVALID_NEW_CHAIN_ID) as caught:
        open_chain(HERE, 5, RUNNING, OpenChain(chain_id, key("bob")))
    assert caught.value.detail == (0, 5)


@pytest.mark.clauses("WP-2.4-CHILD")
def test_open_chain_at_the_limits() -> None:
    long = (0,) * 16
    with refused(Reason.INVALID_NEW_CHAIN_ID):
        open_chain(long, 0, RUNNING, OpenChain((*long, 0), key("bob")))
    with refused(Reason.INVALID_NEW_CHAIN_ID):
        open_chain(HERE, MAX_U64 + 1, RUNNING, OpenChain((0, MAX_U64 + 1), key("bob")))


@pytest.mark.clauses("WP-2.7-CHANGE-KEY")
@pytest.mark.parametrize("owner", ["alice", "bob"])
def test_change_key(owner: str) -> None:
    assert change_key(RUNNING, ChangeKey(key(owner))) == Running(key(owner), RUNNING.state)


@pytest.mark.clauses("WP-2.7-CHANGE-KEY")
def test_change_key_leads_back_to_one_owner() -> None:
    several = evolve(RUNNING, owner=owner_of(("alice", "bob")))
    assert change_key(several, ChangeKey(key("carol"))).owner == key("carol")


@pytest.mark.clauses("WP-2.7-CLOSE-CHAIN")
def test_close_chain() -> None:
    assert close_chain(RUNNING) == Running(None, RUNNING.state)


@pytest.mark.clauses("WP-2.9-CHANGE-OWNERS")
@pytest.mark.parametrize(
    ("owner", "transaction", "after"),
    [
        ("alice", AddOwner(key("bob")), ("alice", "bob")),
        ("alice", AddOwner(key("alice")), ("alice",)),
        (("alice",), AddOwner(key("bob")), ("alice", "bob")),
        (("alice", "bob"), RemoveOwner(key("alice")), ("bob",)),
    ],
)
def test_owners_change(owner: Any, transaction: AddOwner | RemoveOwner, after: Any) -> None:
    """Nothing is sent, and the application is not asked."""
    running = evolve(RUNNING, owner=owner_of(owner))
    assert change_owners(running, transaction) == Running(owner_of(after), RUNNING.state)
    assert execute_transaction(RECORDER, HERE, 0, running, transaction) == Running(owner_of(after), RUNNING.state)


@pytest.mark.clauses("WP-2.9-CHANGE-OWNERS")
def test_owners_change_as_the_block_lists_it() -> None:
    """Never is nobody left, not even for a moment."""
    alice, bob = key("alice"), key("bob")
    for transactions, after in (
        ((AddOwner(bob), RemoveOwner(alice)), owner_of(("bob",))),
        ((AddOwner(bob), RemoveOwner(bob)), owner_of(("alice",))),
        ((AddOwner(bob), ChangeKey(bob)), bob),
        ((ChangeKey(bob), AddOwner(alice)), owner_of(("alice", "bob"))),
        ((AddOwner(bob), CloseChain()), None),
    ):
        staged = execute_block(RECORDER, recording(), block(recording(), *transactions))
        assert staged.chain.consistent.owner == after
        assert staged.executed.messages == ()
    for refusing, reason in (
        ((RemoveOwner(alice), AddOwner(bob)), Reason.EMPTY_OWNER_SET),
        ((RemoveOwner(bob), AddOwner(bob)), Reason.UNKNOWN_OWNER),
    ):
        with refused(reason):
            execute_block(RECORDER, recording(), block(recording(), *refusing))


@pytest.mark.clauses("WP-2.9-OWNERS", "WP-2.6-STATE-HASH")
def test_the_owners_are_part_of_what_is_certified() -> None:
    hashes = set()
    for owner in ("alice", ("alice",), ("alice", "bob"), None):
        hashes.add(IDEAL.hash(hashed_state(recording(owner=owner).consistent)))
    assert len(hashes) == 4


@pytest.mark.clauses("WP-2.7-EXECUTE")
def test_execute_asks_the_application() -> None:
    after = execute_operation(RECORDER, HERE, RUNNING, Execute(b"send send"))
    sent = (OutgoingMessage(THERE, User(b"send send")),) * 2
    assert after == Running(key("alice"), Calls((((b"operation", b"\0"), b"send send"),)), sent)
    with refused(Reason.USER_ERROR):
        execute_operation(RECORDER, HERE, RUNNING, Execute(b"bad"))


@pytest.mark.clauses("WP-2.7-RECEIVE")
def test_receive_asks_the_application() -> None:
    after = execute_message(RECORDER, HERE, RUNNING, Receive(user(3, text="send")))
    sent = (OutgoingMessage(THERE, User(b"send")),)
    assert after == Running(key("alice"), Calls((((b"message", b"\0", b"\7"), b"send"),)), sent)
    with refused(Reason.USER_ERROR):
        execute_message(RECORDER, HERE, RUNNING, Receive(user(3, text="bad")))


@pytest.mark.clauses("WP-2.7-RECEIVE")
def test_receiving_a_creation_does_nothing() -> None:
    create = evolve(message(), content=Create(key("bob")))
    assert execute_message(RECORDER, HERE, RUNNING, Receive(create)) == Running(key("alice"), Calls())


@pytest.mark.clauses("WP-2.7-APPLICATION")
def test_what_an_application_may_yield() -> None:
    sent = tuple(OutgoingMessage(r, User(b"x")) for r in ((0,), (0,) * 16, (MAX_U64,)))
    assert apply_effect(RUNNING, Effect(Balance(1), sent)) == Running(key("alice"), Balance(1), sent)
    assert apply_effect(RUNNING, Effect(Balance(1))) == Running(key("alice"), Balance(1))


@pytest.mark.clauses("WP-2.7-APPLICATION")
@pytest.mark.parametrize(
    "unlawful",
    [
        OutgoingMessage(THERE, Create(key("bob"))),
        OutgoingMessage((), User(b"x")),
        OutgoingMessage((0,) * 17, User(b"x")),
        OutgoingMessage((MAX_U64 + 1,), User(b"x")),
        OutgoingMessage((), Create(key("bob"))),
    ],
)
def test_an_application_creates_no_chain_and_writes_to_identifiers_only(unlawful: OutgoingMessage) -> None:
    lawful = OutgoingMessage(THERE, User(b"x"))
    for sent in ((unlawful,), (lawful, unlawful)):
        with refused(Reason.USER_ERROR) as caught:
            apply_effect(RUNNING, Effect(Calls(), sent))
        assert caught.value.detail == unlawful


@pytest.mark.clauses("WP-2.7-APPLICATION")
def test_the_token_cannot_write_to_nowhere() -> None:
    for recipient in ((), (0,) * 17):
        with refused(Reason.USER_ERROR):
            execute_block(context(), cell(), block(cell(), Execute(transfer(recipient, 5))))


KINDS: tuple[Transaction, ...] = (
    OpenChain((0, 0), key("bob")),
    ChangeKey(key("bob")),
    CloseChain(),
    Execute(b"x"),
    Receive(user(3)),
    AddOwner(key("bob")),
)


@pytest.mark.clauses("WP-2.7-EXECUTE-BLOCK")
@pytest.mark.parametrize(
    ("transaction", "owner", "calls", "sent"),
    list(
        zip(
            KINDS,
            (*map(key, ("alice", "bob")), None, *map(key, ("alice", "alice")), owner_of(("alice", "bob"))),
            (0, 0, 0, 1, 1, 0),
            (1, 0, 0, 0, 0, 0),
            strict=True,
        )
    ),
)
def test_each_kind_is_interpreted(transaction: Transaction, owner: Owner | None, calls: int, sent: int) -> None:
    after = execute_transaction(RECORDER, HERE, 0, RUNNING, transaction)
    assert after.owner == owner
    assert (len(after.state.seen), len(after.messages)) == (calls, sent)


@pytest.mark.clauses("WP-2.7-EXECUTE-BLOCK")
@pytest.mark.parametrize("transaction", [*KINDS, Execute(b"bad"), OpenChain((), b""), RemoveOwner(key("alice"))])
def test_nothing_follows_close_chain(transaction: Transaction) -> None:
    with refused(Reason.CHAIN_CLOSED):
        execute_transaction(RECORDER, HERE, 0, Running(None, Calls()), transaction)
    with refused(Reason.CHAIN_CLOSED):
        execute_block(RECORDER, recording(), block(recording(), CloseChain(), transaction))


# --- consuming ---------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.7-RECEIVE")
def test_messages_leave_their_inboxes() -> None:
    x, y, z = user(1), user(2), user(1, origin=(8,))
    chain = waiting(recording(), x, y, z)
    after = consume_messages(chain, block(chain, Receive(z), Execute(b"x"), Receive(x)))
    assert list(inbox_of(after, (7,)).added) == [y]
    assert inbox_of(after, (8,)).added.is_empty
    assert after.consistent.consumed == Map({(7,): Cursor(1, 1), (8,): Cursor(1, 1)})


@pytest.mark.clauses("WP-2.7-RECEIVE", "WP-2.6-ANTICIPATION")
def test_what_is_not_there_is_anticipated() -> None:
    x = user(1)
    after = consume_messages(recording(), block(recording(), Receive(x)))
    assert list(inbox_of(after, (7,)).removed) == [x]
    assert set(after.localized.owing) == {(7,)}


@pytest.mark.clauses("WP-2.7-RECEIVE")
def test_block_order_inside_an_origin() -> None:
    chain = waiting(recording(), user(1), user(2))
    with refused(Reason.INCORRECT_MESSAGE_ORDER):
        consume_messages(chain, block(chain, Receive(user(2)), Receive(user(1))))
    with refused(Reason.INCORRECT_MESSAGE_ORDER):
        consume_messages(chain, block(chain, Receive(user(1)), Receive(user(1))))


@pytest.mark.clauses("WP-2.7-RECEIVE")
def test_the_least_origin_is_consumed_first() -> None:
    chain = waiting(recording(), user(1, origin=(7,)), user(1, origin=(7, 0)), user(1, origin=(8,)))
    wrong = {origin: user(1, text="wrong", origin=origin) for origin in ((7,), (7, 0), (8,))}
    for first, second in (((7,), (7, 0)), ((7,), (8,)), ((7, 0), (8,))):
        for order in ((first, second), (second, first)):
            with refused(Reason.UNEXPECTED_MESSAGE) as caught:
                consume_messages(chain, block(chain, *(Receive(wrong[origin]) for origin in order)))
            assert caught.value.detail.origin == first


@pytest.mark.clauses("WP-2.7-RECEIVE")
@pytest.mark.parametrize(("height", "allowed"), [(4, True), (5, False), (6, False), (MAX_U64, False)])
def test_a_block_consumes_only_what_earlier_blocks_sent_to_itself(height: int, allowed: bool) -> None:
    chain, own = recording(next_height=5), user(height, origin=HERE)
    if allowed:
        assert list(inbox_of(consume_messages(chain, block(chain, Receive(own))), HERE).removed) == [own]
    else:
        with refused(Reason.UNEXPECTED_MESSAGE) as caught:
            consume_messages(chain, block(chain, Receive(own)))
        assert caught.value.detail == own


@pytest.mark.clauses("WP-2.7-RECEIVE")
def test_other_chains_may_be_ahead() -> None:
    after = consume_messages(recording(), block(recording(), Receive(user(9))))
    assert list(inbox_of(after, (7,)).removed) == [user(9)]


@pytest.mark.clauses("WP-2.7-RECEIVE")
def test_the_future_is_refused_before_the_order() -> None:
    chain = put_inbox(recording(next_height=5), HERE, remove(inbox_of(recording(), HERE), user(6, origin=HERE)))
    with refused(Reason.UNEXPECTED_MESSAGE):
        consume_messages(chain, block(chain, Receive(user(5, origin=HERE))))


# --- blocks ------------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.7-EXECUTE-BLOCK")
def test_transactions_are_interpreted_in_the_order_of_the_block() -> None:
    """Receiving and executing interleave as listed, although all removals come first."""
    x, y = user(1, text="send x"), user(1, text="y", origin=(6,))
    chain = waiting(recording(tx_count=5), x, y)
    transactions = (Execute(b"a"), Receive(x), OpenChain((0, 7), key("carol")), Execute(b"send b"), Receive(y))
    staged = execute_block(RECORDER, chain, block(chain, *transactions))
    assert [data for _, data in staged.chain.consistent.state.seen] == [b"a", b"send x", b"send b", b"y"]
    assert staged.executed.messages == (
        OutgoingMessage(THERE, User(b"send x")),
        OutgoingMessage((0, 7), Create(key("carol"))),
        OutgoingMessage(THERE, User(b"send b")),
    )
    assert staged.chain.consistent.tx_count == 10


@pytest.mark.clauses("WP-2.7-EXECUTE-BLOCK")
def test_what_execution_changes_and_what_it_leaves() -> None:
    chain = waiting(recording(next_height=3, block_hash=digest("tip"), tx_count=1), user(1), user(2))
    proposed = block(chain, Receive(user(1)), ChangeKey(key("bob")))
    staged = execute_block(RECORDER, chain, proposed)
    part = staged.chain.consistent
    expected = evolve(
        chain.consistent,
        owner=key("bob"),
        state=Calls((((b"message", b"\0", b"\7"), b"hello"),)),
        tx_count=3,
        consumed=Map({(7,): Cursor(1, 1)}),
    )
    assert part == expected
    assert staged.executed.block == proposed
    # Height, hash, log, pending and outboxes wait for the commit.
    rest = evolve(staged.chain.localized, mailboxes=chain.localized.mailboxes)
    assert rest == chain.localized


@pytest.mark.clauses("WP-2.7-EXECUTE-BLOCK")
def test_the_state_hash_is_taken_after_the_last_transaction() -> None:
    staged = execute_block(RECORDER, recording(), block(recording(), Execute(b"a"), CloseChain()))
    assert staged.executed.state_hash == IDEAL.hash(hashed_state(staged.chain.consistent))
    assert staged.chain.consistent.owner is None
    assert staged.chain.consistent.tx_count == 2


@pytest.mark.clauses("WP-2.7-EXECUTE-BLOCK")
def test_an_empty_block() -> None:
    staged = execute_block(RECORDER, recording(), block(recording()))
    assert staged.chain == recording()
    assert staged.executed.messages == ()


@pytest.mark.clauses("WP-2.7-EXECUTE-BLOCK")
@examples(200)
@given(st.lists(st.booleans(), min_size=3, max_size=3))
def test_the_executed_block_depends_on_the_consistent_part_only(arrived: list[bool]) -> None:
    """Whatever has arrived at a validator, it computes the same messages and state hash."""
    messages = [user(1, text="send"), user(1, origin=(8,)), user(1, origin=(9,))]
    proposed = block(recording(), *map(Receive, messages))
    known = [m for m, here in zip(messages, arrived, strict=True) if here]
    here = execute_block(RECORDER, waiting(recording(), *known), proposed)
    everywhere = execute_block(RECORDER, recording(), proposed)
    assert here.executed == everywhere.executed
    assert here.chain.consistent == everywhere.chain.consistent


@pytest.mark.clauses("WP-2.7-EXECUTE-BLOCK", "WP-2.4-CHILD")
def test_the_index_counts_over_the_life_of_the_chain() -> None:
    chain = recording(tx_count=41)
    staged = execute_block(RECORDER, chain, block(chain, Execute(b"x"), OpenChain((0, 42), key("bob"))))
    assert staged.executed.messages == (OutgoingMessage((0, 42), Create(key("bob"))),)
    with refused(Reason.INVALID_NEW_CHAIN_ID):
        execute_block(RECORDER, chain, block(chain, Execute(b"x"), OpenChain((0, 1), key("bob"))))


@pytest.mark.clauses("WP-2.7-EXECUTE-BLOCK")
def test_the_transaction_count_has_64_bits() -> None:
    full = recording(tx_count=MAX_U64 - 2)
    staged = execute_block(RECORDER, full, block(full, Execute(b"x"), OpenChain((0, MAX_U64 - 1), key("bob"))))
    assert staged.chain.consistent.tx_count == MAX_U64
    with refused(Reason.ARITHMETIC) as caught:
        execute_block(RECORDER, full, block(full, *[Execute(b"x")] * 3))
    assert caught.value.detail == MAX_U64 + 1
    assert execute_block(RECORDER, staged.chain, block(staged.chain)).chain.consistent.tx_count == MAX_U64


WRONG_MESSAGE = Receive(user(0))
BAD = Execute(b"bad")


@pytest.mark.clauses("WP-2.7-EXECUTE-BLOCK")
def test_the_first_failing_step_decides() -> None:
    chain = waiting(recording(tx_count=MAX_U64 - 2), user(1))
    # Removals, then the transaction count, then transactions from the first to the last.
    with refused(Reason.UNEXPECTED_MESSAGE):
        execute_block(RECORDER, chain, block(chain, BAD, BAD, WRONG_MESSAGE))
    with refused(Reason.ARITHMETIC):
        execute_block(RECORDER, chain, block(chain, BAD, BAD, BAD))
    with refused(Reason.USER_ERROR):
        execute_block(RECORDER, chain, block(chain, BAD, OpenChain((), b"")))
    with refused(Reason.INVALID_NEW_CHAIN_ID):
        execute_block(RECORDER, chain, block(chain, OpenChain((), b""), BAD))


@pytest.mark.clauses("WP-2.7-EXECUTE-BLOCK")
def test_a_rejected_block_leaves_no_trace() -> None:
    chain = waiting(recording(), user(1))
    before = (hashed_state(chain.consistent), chain.localized, repr(chain))
    with refused(Reason.USER_ERROR):
        execute_block(RECORDER, chain, block(chain, Receive(user(1)), Execute(b"send"), BAD))
    assert (hashed_state(chain.consistent), chain.localized, repr(chain)) == before


# --- validity ----------------------------------------------------------------------------------------------------


def staged(ctx: Context, chain: Chain, *messages: Message) -> Staged:
    return execute_block(ctx, chain, block(chain, *map(Receive, messages)))


@pytest.mark.clauses("WP-2.6-ANTICIPATION")
@pytest.mark.parametrize("rules", [BASELINE, REVISION_H])
def test_a_block_that_consumes_what_arrived_is_valid(rules: Any) -> None:
    ctx = context(rules=rules, application=Recorder())
    chain = waiting(recording(), user(1), user(1, origin=(8,)))
    check_not_anticipated(ctx, staged(ctx, chain, user(1), user(1, origin=(8,))))
    check_not_anticipated(ctx, staged(ctx, chain))


@pytest.mark.clauses("WP-2.7-BLOCK-IS-VALID", "WP-2.6-ANTICIPATION")
@pytest.mark.parametrize("rules", [BASELINE, REVISION_H])
def test_a_block_that_anticipates_is_not_voted_for(rules: Any) -> None:
    ctx = context(rules=rules, application=Recorder())
    chain = waiting(recording(), user(1))
    messages = (user(1), user(4), user(3, 1, origin=(8,)), user(3, origin=(7, 0)), user(4, 1))
    with refused(Reason.MISSING_CROSS_CHAIN_UPDATE) as caught:
        check_not_anticipated(ctx, staged(ctx, chain, *messages))
    assert caught.value.detail == (((7,), 4), ((7, 0), 3), ((8,), 3))


@pytest.mark.clauses("WP-2.7-BLOCK-IS-VALID", "WP-2.6-ANTICIPATION")
def test_an_older_debt_counts_in_the_baseline_only() -> None:
    ctx = context(application=Recorder())
    owing = staged(ctx, recording(), user(1, origin=(8,))).chain
    owing = waiting(owing, user(1))
    with refused(Reason.MISSING_CROSS_CHAIN_UPDATE) as caught:
        check_not_anticipated(ctx, staged(ctx, owing, user(1)))
    assert caught.value.detail == (((8,), 1),)
    relaxed = context(rules=REVISION_H, application=Recorder())
    check_not_anticipated(relaxed, staged(relaxed, owing, user(1)))
    with refused(Reason.MISSING_CROSS_CHAIN_UPDATE) as caught:
        check_not_anticipated(relaxed, staged(relaxed, owing, user(5)))
    assert caught.value.detail == (((7,), 5),)


def test_senders_are_sorted_and_named_once() -> None:
    messages = [user(height, origin=(origin,)) for height in (9, 0, 300) for origin in (7, 1, 99, 3, 12)]
    found = senders_of((*messages, *messages, user(0, 5, origin=(7,))))
    assert found == tuple(((origin,), height) for origin in (1, 3, 7, 12, 99) for height in (0, 9, 300))


# --- commit ------------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.4-CHAINING")
def test_the_log_grows_by_the_hash_of_the_executed_block() -> None:
    part = recording(next_height=1, block_hash=b"old", log=cell().consistent.log.append(b"old")).consistent
    after = extend_log(part, b"new")
    assert (after.next_height, after.block_hash, after.log.since(0)) == (2, b"new", (b"old", b"new"))
    assert evolve(after, next_height=1, block_hash=b"old", log=part.log) == part


@pytest.mark.clauses("WP-2.7-EXECUTE-BLOCK", "WP-2.8-PENDING", "WP-2.9-RESET")
def test_commit() -> None:
    net = network(application=Recorder())
    transactions = (Execute(b"send send"), OpenChain((0, 1), key("bob")))
    staging = execute_block(net.context, recording(), block(recording(), *transactions))
    certificate = certify(net, staging.executed)
    # Whatever was pending or locked is forgotten.
    other = evolve(staging.executed, state_hash=digest("other"))
    rounds = Rounds(3, certify(net, other, kind=Kind.VALIDATED, round=5))
    pending = evolve(staging.chain.localized, pending=other, rounds=rounds)
    chain = commit_block(Staged(evolve(staging.chain, localized=pending), staging.executed), b"hash", certificate)
    part, local = chain.consistent, chain.localized
    assert part == extend_log(staging.chain.consistent, b"hash")
    assert (local.pending, local.rounds) == (None, FIRST_ROUND)
    assert local.certificates.since(0) == (certificate,)
    assert {r: list(box.queue) for r, box in local.outboxes.items()} == {THERE: [0], (0, 1): [0]}
    assert local.counters == Map({0: 2})
    assert local.mailboxes == staging.chain.localized.mailboxes


@pytest.mark.clauses("WP-2.7-EXECUTE-BLOCK")
def test_a_commit_without_messages_schedules_nothing() -> None:
    staging = execute_block(RECORDER, recording(), block(recording(), Execute(b"x")))
    chain = commit_block(staging, b"hash", certify(network(), staging.executed))
    assert (chain.localized.outboxes, chain.localized.counters) == (Map(), Map())


def test_the_queue_of_an_inbox_is_untouched_by_a_commit() -> None:
    chain = waiting(recording(), user(1))
    staging = execute_block(RECORDER, chain, block(chain))
    after = commit_block(staging, b"hash", certify(network(), staging.executed))
    assert inbox_of(after, (7,)).added == fold(Queue.push, Queue(), (user(1),))

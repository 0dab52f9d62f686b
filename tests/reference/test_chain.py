"""The state of one chain at one validator."""

from collections.abc import Iterable
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map
from support import cell, certify, commit, digest, examples, key, members, message, network, owner_of, refused, root

from linera_reference.application import Balance, transfer
from linera_reference.block import Block, Execute, ExecutedBlock, OpenChain
from linera_reference.certificate import Kind
from linera_reference.chain import (
    Chain,
    ChainState,
    Consistent,
    Localized,
    Mailbox,
    activate,
    confirm_messages,
    hashed_state,
    inbox_of,
    is_closed,
    owed_messages,
    put_inbox,
    restart_chain,
    schedule_messages,
    with_consistent,
    with_localized,
)
from linera_reference.containers import Log, Queue, fold
from linera_reference.crypto import hash_value
from linera_reference.encoding import encode
from linera_reference.identifiers import ChainId
from linera_reference.inbox import Inbox, add, remove
from linera_reference.messages import Cursor
from linera_reference.outbox import Outbox, delivered_up_to
from linera_reference.rejections import Reason
from linera_reference.rounds import FIRST_ROUND, Rounds

A, B, C = (1,), (2,), (3,)


def queue(*items: Any) -> Queue[Any]:
    return fold(Queue.push, Queue(), items)


@pytest.mark.clauses("WP-2.6-LOCALIZED")
def test_a_chain_starts_blank() -> None:
    chain = Chain((0,))
    assert chain.consistent == Consistent(False, None, None, 0, Map(), 0, None, chain.consistent.log, None)
    assert len(chain.consistent.log) == 0
    local = chain.localized
    assert local.rounds == FIRST_ROUND
    assert (local.pending, local.mailboxes, local.outboxes, local.counters) == (None, Map(), Map(), Map())
    assert (len(local.received), len(local.certificates), local.owing.is_empty) == (0, 0, True)
    assert inbox_of(chain, A) == Inbox()


@pytest.mark.clauses("WP-2.6-CONSISTENT")
@pytest.mark.parametrize("creation_height", [None, 0, 7])
def test_activation(creation_height: int | None) -> None:
    part = activate(Consistent(), key("alice"), Balance(3), creation_height)
    assert part == Consistent(True, key("alice"), Balance(3), creation_height=creation_height)
    # What was consumed or executed before stays; nothing was, in a lawful run.
    before = Consistent(tx_count=4, next_height=2)
    assert activate(before, key("bob"), None, 1) == Consistent(
        True, key("bob"), None, 4, next_height=2, creation_height=1
    )


@pytest.mark.clauses("WP-2.4-OWNER")
def test_closed_means_created_without_owner() -> None:
    found = [is_closed(Consistent(created, owner)) for created in (False, True) for owner in (None, key("alice"))]
    assert found == [False, False, True, False]


# --- state hash --------------------------------------------------------------------------------------------------

PART = cell(
    state=Balance(9),
    tx_count=3,
    consumed=Map({A: Cursor(1, 2)}),
    next_height=5,
    block_hash=digest("block"),
    creation_height=1,
).consistent


@pytest.mark.clauses("WP-2.6-STATE-HASH")
def test_what_the_state_hash_covers() -> None:
    expected = ChainState(True, key("alice"), 3, encode(Balance(9)), Map({A: Cursor(1, 2)}))
    assert hashed_state(PART) == expected


@pytest.mark.clauses("WP-2.6-STATE-HASH")
@pytest.mark.parametrize(
    "change",
    [
        {"created": False},
        {"owner": None},
        {"owner": key("bob")},
        {"owner": owner_of(("alice",))},
        {"owner": owner_of(("alice", "bob"))},
        {"state": Balance(8)},
        {"tx_count": 4},
        {"consumed": Map()},
        {"consumed": Map({A: Cursor(1, 3)})},
        {"consumed": Map({B: Cursor(1, 2)})},
    ],
)
def test_a_change_that_shows_in_the_state_hash(change: dict[str, Any]) -> None:
    assert hash_value(hashed_state(evolve(PART, **change))) != hash_value(hashed_state(PART))


@pytest.mark.clauses("WP-2.6-STATE-HASH")
@pytest.mark.parametrize(
    "change",
    [
        {"next_height": 6},
        {"block_hash": None},
        {"log": PART.log.append(b"x")},
        {"creation_height": None},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_change_that_does_not(change: dict[str, Any]) -> None:
    assert hashed_state(evolve(PART, **change)) == hashed_state(PART)


# --- inboxes -----------------------------------------------------------------------------------------------------

PLACES = st.builds(Cursor, st.integers(0, 2), st.integers(0, 2))
INBOXES = st.builds(
    Inbox,
    PLACES,
    PLACES,
    st.lists(st.builds(message, st.integers(0, 3)), max_size=2).map(lambda items: queue(*items)),
    st.lists(st.builds(message, st.integers(0, 3)), max_size=2).map(lambda items: queue(*items)),
)


@pytest.mark.clauses("WP-2.6-LOCALIZED")
@examples(300)
@given(st.lists(st.tuples(st.sampled_from((A, B, C)), INBOXES), max_size=6))
def test_inboxes_are_stored_in_two_halves(writes: list[tuple[Any, Inbox]]) -> None:
    chain, model = cell(), dict[Any, Inbox]()
    for origin, inbox in writes:
        chain = put_inbox(chain, origin, inbox)
        model[origin] = inbox
    for origin in (A, B, C):
        assert inbox_of(chain, origin) == model.get(origin, Inbox())
    for origin, inbox in model.items():
        assert chain.localized.mailboxes[origin] == Mailbox(inbox.next_add, inbox.added, inbox.removed)
        assert chain.consistent.consumed.get(origin, Cursor()) == inbox.consumed
    assert set(chain.localized.owing) == {origin for origin, inbox in model.items() if not inbox.removed.is_empty}
    assert set(owed_messages(chain)) == {x for inbox in model.values() for x in inbox.removed}


@pytest.mark.clauses("WP-2.6-LOCALIZED")
def test_an_arrival_does_not_touch_the_consistent_part() -> None:
    """The cursor of an origin from which nothing was consumed is not stored: it would change the state hash."""
    before = cell()
    after = put_inbox(before, A, add(inbox_of(before, A), message(3, origin=A)))
    assert after.consistent is before.consistent
    assert after.localized.mailboxes[A].next_add == Cursor(3, 1)
    rest = with_localized(after, evolve(after.localized, mailboxes=Map()))
    assert rest == before, "nothing else changes"


@pytest.mark.clauses("WP-2.6-LOCALIZED")
def test_the_cursor_of_consumption_is_consistent() -> None:
    """Two validators agree on it, though one had received the message and the other had not."""
    x = message(3, origin=A)
    early, late = cell(), put_inbox(cell(), A, add(Inbox(), x))
    early, late = (put_inbox(c, A, remove(inbox_of(c, A), x)) for c in (early, late))
    assert early.consistent == late.consistent
    assert early.consistent.consumed == Map({A: Cursor(3, 1)})
    assert early.localized != late.localized


@pytest.mark.clauses("WP-2.6-ANTICIPATION")
def test_what_is_owed() -> None:
    x, y, z = message(1, origin=A), message(2, origin=A), message(1, origin=B)
    chain = cell()
    assert owed_messages(chain) == ()
    for m in (x, y, z):
        chain = put_inbox(chain, m.origin, remove(inbox_of(chain, m.origin), m))
    assert owed_messages(chain) == (x, y, z)
    chain = put_inbox(chain, A, add(inbox_of(chain, A), x))
    assert owed_messages(chain) == (y, z)
    chain = put_inbox(chain, A, add(inbox_of(chain, A), y))
    assert owed_messages(chain) == (z,)
    assert not chain.localized.owing.contains(A)


# --- outboxes ----------------------------------------------------------------------------------------------------


def scheduled(local: Localized, recipients: Iterable[ChainId], height: int) -> Localized:
    outboxes, counters = schedule_messages(local, frozenset(recipients), height)
    return evolve(local, outboxes=outboxes, counters=counters)


@pytest.mark.clauses("WP-A.2-SCHEDULE")
def test_a_block_is_scheduled_once_per_recipient() -> None:
    local = scheduled(Localized(), (A, B), 4)
    assert local.outboxes == Map({A: Outbox(5, queue(4)), B: Outbox(5, queue(4))})
    assert local.counters == Map({4: 2})
    local = scheduled(local, (B, C), 6)
    assert {r: tuple(box.queue) for r, box in local.outboxes.items()} == {A: (4,), B: (4, 6), C: (6,)}
    assert local.counters == Map({4: 2, 6: 2})


@pytest.mark.clauses("WP-A.2-SCHEDULE")
def test_a_height_that_was_scheduled_is_not_counted_again() -> None:
    local = scheduled(Localized(), (A,), 4)
    assert scheduled(local, (A,), 4) == local
    assert scheduled(local, (A, B), 4).counters == Map({4: 2})
    assert scheduled(local, (), 9) == local


@pytest.mark.clauses("WP-A.2-SCHEDULE")
def test_scheduling_the_last_height() -> None:
    with refused(Reason.ARITHMETIC):
        scheduled(Localized(), (A,), 2**64 - 1)


@pytest.mark.clauses("WP-A.2-CONFIRM-UPDATED-RECIPIENT")
def test_a_confirmation_counts_down_and_forgets_empty_outboxes() -> None:
    local = Localized()
    for height, recipients in ((1, (A, B)), (3, (A,)), (5, (A,))):
        local = scheduled(local, recipients, height)
    after = confirm_messages(local, A, 3)
    assert tuple(after.outboxes[A].queue) == (5,)
    assert after.outboxes[B] == local.outboxes[B]
    assert after.counters == Map({1: 1, 5: 1})
    assert not delivered_up_to(after.counters, 1)
    after = confirm_messages(confirm_messages(after, B, 1), A, 9)
    assert (after.outboxes, after.counters) == (Map(), Map())


@pytest.mark.clauses("WP-A.2-CONFIRM-UPDATED-RECIPIENT")
def test_a_confirmation_of_nothing_changes_nothing() -> None:
    local = scheduled(Localized(), (A,), 4)
    assert confirm_messages(local, B, 4) is local
    assert confirm_messages(local, A, 3) == local


@pytest.mark.clauses("WP-A.2-COUNTERS", "WP-A.2-CONFIRM-UPDATED-RECIPIENT")
@examples(300)
@given(
    st.lists(st.tuples(st.sets(st.sampled_from((A, B, C))), st.sampled_from((A, B, C)), st.integers(0, 9)), max_size=9)
)
def test_counters_count_the_recipients_that_wait(steps: list[Any]) -> None:
    local = Localized()
    for height, (recipients, confirmer, confirmed) in enumerate(steps):
        local = scheduled(local, recipients, height)
        local = confirm_messages(local, confirmer, confirmed)
        queued = [h for box in local.outboxes.values() for h in box.queue]
        assert local.counters == Map({h: queued.count(h) for h in queued})
        assert not any(box.queue.is_empty for box in local.outboxes.values())


def test_replacing_a_half() -> None:
    chain, part, local = cell(), Consistent(), Localized(counters=Map({1: 1}))
    assert with_consistent(chain, part) == Chain(chain.chain_id, part, chain.localized)
    assert with_localized(chain, local) == Chain(chain.chain_id, chain.consistent, local)


# --- restart -----------------------------------------------------------------------------------------------------


def busy() -> Chain:
    """Return a chain with something in every field: votes, a lock, mailboxes in debt, outboxes of several heights."""
    net = network()
    pay = [Execute(transfer(B, 1)), Execute(transfer(C, 1))]
    chain, _ = commit(net, root(net), *pay, OpenChain((0, 2), key("carol")))
    chain, _ = commit(net, chain, pay[0])
    some = ExecutedBlock(Block((0,), 2, None, ()), (), digest("state"))
    for origin in (A, B):
        waiting = add(inbox_of(chain, origin), message(0, origin=origin))
        chain = put_inbox(chain, origin, remove(waiting, message(3, origin=origin)) if origin == A else waiting)
    rounds = Rounds(4, certify(net, some, kind=Kind.VALIDATED, round=6))
    received = Log[tuple[ChainId, int]]().append((A, 0))
    return evolve(chain, localized=evolve(chain.localized, pending=some, rounds=rounds, received=received))


@pytest.mark.clauses("WP-2.9-DURABLE")
def test_a_restart_computes_again_what_is_derived() -> None:
    chain = busy()
    local = chain.localized
    assert (local.owing, local.counters) == (members(A), Map({0: 3, 1: 1}))
    crashed = evolve(chain, localized=evolve(local, owing=members(), counters=Map()))
    for before in (chain, crashed):
        assert restart_chain(before) == chain


@pytest.mark.clauses("WP-2.9-DURABLE")
@pytest.mark.parametrize("field", ["pending", "rounds", "received", "mailboxes", "outboxes", "certificates"])
def test_what_is_stored_is_relied_on(field: str) -> None:
    """What was not stored is lost: a restart invents nothing."""
    chain = busy()
    blank = getattr(Localized(), field)
    assert getattr(chain.localized, field) != blank
    forgetful = evolve(chain, localized=evolve(chain.localized, **{field: blank}))
    assert getattr(restart_chain(forgetful).localized, field) == blank
    assert restart_chain(chain) == chain


@pytest.mark.clauses("WP-2.9-DURABLE")
def test_a_chain_that_nobody_heard_of_restarts_blank() -> None:
    assert restart_chain(Chain(A)) == Chain(A)

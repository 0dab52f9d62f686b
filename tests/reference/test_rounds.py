"""Rounds: what binds a proposal, when it is accepted, and when a validated certificate becomes the lock."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from support import IDEAL, certify, digest, examples, network, refused, signer

from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Certificate, Kind
from linera_reference.notation import MAX_U32
from linera_reference.rejections import Reason, Rejection
from linera_reference.request import Request, sign_request
from linera_reference.rounds import (
    FIRST_ROUND,
    Rounds,
    accepted_before,
    binding_lock,
    current_round,
    lock_after,
)

A, B = (ExecutedBlock(Block((0,), 1, digest("tip"), ()), (), digest(text)) for text in ("a", "b"))
B = evolve(B, block=evolve(B.block, previous_hash=digest("b")))
AGAIN = evolve(A, state_hash=digest("another result"))
"""The same block as A, executed otherwise."""
NET = network()
EDGES = (0, 1, 2, MAX_U32 - 1, MAX_U32)
ROUNDS = st.sampled_from(EDGES)


def valid(executed: ExecutedBlock, round: int, voters: tuple[int, ...] = (0, 1, 2)) -> Certificate:
    return certify(NET, executed, voters, Kind.VALIDATED, round)


def asking(executed: ExecutedBlock, round: int, justification: Certificate | None = None) -> Request:
    return sign_request(IDEAL, signer("alice"), executed.block, round, justification)


LOCKS = st.one_of(st.none(), st.builds(valid, st.sampled_from((A, B)), ROUNDS))


# --- the current round -------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.9-ROUND")
@pytest.mark.parametrize(
    ("last", "locked", "current"),
    [
        (0, None, 0),
        (3, None, 3),
        (0, 0, 0),
        (0, 3, 3),
        (3, 0, 3),
        (3, 3, 3),
        (MAX_U32, 1, MAX_U32),
        (1, MAX_U32, MAX_U32),
    ],
)
def test_the_current_round_is_the_highest_seen(last: int, locked: int | None, current: int) -> None:
    assert current_round(Rounds(last, None if locked is None else valid(A, locked))) == current


def test_a_height_begins_at_round_0() -> None:
    assert Rounds(0, None) == FIRST_ROUND


# --- what binds --------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.9-JUSTIFICATION")
def test_what_is_alone_binds() -> None:
    assert binding_lock(FIRST_ROUND, None) is None
    for some in (valid(A, 0), valid(B, MAX_U32)):
        assert binding_lock(FIRST_ROUND, some) is some
        assert binding_lock(Rounds(9, some), None) is some


@pytest.mark.clauses("WP-2.9-JUSTIFICATION")
@pytest.mark.parametrize(("lock", "justification"), [(0, 0), (1, 0), (1, 1), (MAX_U32, MAX_U32), (MAX_U32, 0)])
def test_the_lock_binds_unless_the_justification_is_later(lock: int, justification: int) -> None:
    locked, other = valid(A, lock), valid(B, justification)
    assert binding_lock(Rounds(0, locked), other) is locked
    if lock < MAX_U32:
        later = valid(B, lock + 1)
        assert binding_lock(Rounds(0, locked), later) is later


# --- proposals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("round", EDGES)
def test_a_height_may_begin_in_any_round(round: int) -> None:
    assert accepted_before(None, FIRST_ROUND, asking(A, round)) is None


@pytest.mark.clauses("WP-2.9-PROPOSAL")
@pytest.mark.parametrize("round", EDGES)
def test_the_last_proposal_may_be_repeated_whatever_was_executed_and_locked_since(round: int) -> None:
    for pending in (A, AGAIN):
        for lock in (None, valid(B, MAX_U32), valid(A, round)):
            for justification in (None, valid(B, MAX_U32)):
                request = asking(A, round, justification)
                assert accepted_before(pending, Rounds(round, lock), request) is pending


@pytest.mark.clauses("WP-2.9-PROPOSAL")
@pytest.mark.parametrize(("last", "round"), [(0, 0), (1, 0), (1, 1), (MAX_U32, MAX_U32), (MAX_U32, 0)])
def test_a_round_is_used_once(last: int, round: int) -> None:
    with refused(Reason.INSUFFICIENT_ROUND) as caught:
        accepted_before(A, Rounds(last), asking(B, round))
    assert caught.value.detail == last
    if round < last:  # also for the same block
        with refused(Reason.INSUFFICIENT_ROUND):
            accepted_before(A, Rounds(last), asking(A, round))


@pytest.mark.clauses("WP-2.9-PROPOSAL")
@pytest.mark.parametrize(("last", "round"), [(0, 1), (0, MAX_U32), (1, 2), (MAX_U32 - 1, MAX_U32)])
def test_a_higher_round_is_open_to_any_block(last: int, round: int) -> None:
    for some in (A, B):
        assert accepted_before(A, Rounds(last), asking(some, round)) is None


@pytest.mark.clauses("WP-2.9-PROPOSAL", "WP-2.9-JUSTIFICATION")
def test_a_lock_allows_its_own_block_in_later_rounds_only() -> None:
    rounds = Rounds(0, valid(A, 3))
    for pending in (None, A, B):
        assert accepted_before(pending, rounds, asking(A, 4)) is None
        for some, round in ((B, 4), (B, MAX_U32), (A, 3), (A, 2), (B, 3)):
            with refused(Reason.HAS_LOCKED_BLOCK) as caught:
                accepted_before(pending, rounds, asking(some, round))
            assert caught.value.detail == 3


@pytest.mark.clauses("WP-2.9-JUSTIFICATION")
def test_only_the_block_must_be_that_of_the_lock() -> None:
    """A re-proposed block is executed again: the lock says nothing about the result."""
    assert accepted_before(None, Rounds(0, valid(AGAIN, 0)), asking(A, 1)) is None


@pytest.mark.clauses("WP-2.9-JUSTIFICATION")
def test_a_later_justification_releases_a_lock_for_its_own_block() -> None:
    rounds = Rounds(1, valid(A, 1))
    assert accepted_before(A, rounds, asking(B, 3, valid(B, 2))) is None
    # Too old, of the same round, for another block, or not before the round of the proposal:
    for some, round, justification, detail in (
        (B, 3, valid(B, 0), 1),
        (B, 3, valid(B, 1), 1),
        (B, 3, valid(A, 2), 2),
        (A, 3, valid(B, 2), 2),
        (B, 2, valid(B, 2), 2),
        (B, 2, valid(B, MAX_U32), MAX_U32),
    ):
        with refused(Reason.HAS_LOCKED_BLOCK) as caught:
            accepted_before(A, rounds, asking(some, round, justification))
        assert caught.value.detail == detail


@pytest.mark.clauses("WP-2.9-JUSTIFICATION")
def test_a_justification_binds_without_a_lock() -> None:
    assert accepted_before(None, FIRST_ROUND, asking(A, 1, valid(A, 0))) is None
    for some, round in ((B, 1), (A, 0)):
        with refused(Reason.HAS_LOCKED_BLOCK) as caught:
            accepted_before(None, FIRST_ROUND, asking(some, round, valid(A, 0)))
        assert caught.value.detail == 0


@pytest.mark.clauses("WP-2.9-PROPOSAL")
def test_the_round_is_looked_at_before_the_lock() -> None:
    with refused(Reason.INSUFFICIENT_ROUND) as caught:
        accepted_before(A, Rounds(2, valid(A, 5)), asking(B, 2))
    assert caught.value.detail == 2


# --- locks -------------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.9-LOCK")
@pytest.mark.parametrize("round", EDGES)
def test_a_first_lock(round: int) -> None:
    some = valid(A, round)
    assert lock_after(Rounds(round), some) is some
    assert lock_after(FIRST_ROUND, some) is some


@pytest.mark.clauses("WP-2.9-LOCK")
@pytest.mark.parametrize(("before", "after"), [(0, 1), (0, MAX_U32), (MAX_U32 - 1, MAX_U32)])
def test_a_later_certificate_is_the_new_lock_whatever_its_block(before: int, after: int) -> None:
    for some in (A, B):
        later = valid(some, after)
        assert lock_after(Rounds(before, valid(A, before)), later) is later


@pytest.mark.clauses("WP-2.9-LOCK")
@pytest.mark.parametrize("round", EDGES)
def test_a_lock_stays_if_it_is_told_again_by_others(round: int) -> None:
    lock = valid(A, round)
    assert lock_after(Rounds(0, lock), valid(A, round, (1, 2, 3))) is lock


@pytest.mark.clauses("WP-2.9-LOCK")
@pytest.mark.parametrize("round", EDGES)
def test_no_second_executed_block_in_the_round_of_the_lock(round: int) -> None:
    for other in (B, AGAIN):
        with refused(Reason.HAS_LOCKED_BLOCK) as caught:
            lock_after(Rounds(0, valid(A, round)), valid(other, round))
        assert caught.value.detail == round


@pytest.mark.clauses("WP-2.9-LOCK", "WP-2.9-ROUND")
@pytest.mark.parametrize(("last", "locked", "round"), [(1, None, 0), (0, 1, 0), (3, 2, 2), (2, 3, 2), (MAX_U32, 0, 0)])
def test_a_lock_is_never_older_than_the_current_round(last: int, locked: int | None, round: int) -> None:
    rounds = Rounds(last, None if locked is None else valid(A, locked))
    with refused(Reason.INSUFFICIENT_ROUND) as caught:
        lock_after(rounds, valid(A, round))
    assert caught.value.detail == current_round(rounds) - 1


@pytest.mark.clauses("WP-2.9-LOCK", "WP-2.9-ROUND")
@examples(500)
@given(ROUNDS, LOCKS, st.builds(valid, st.sampled_from((A, B)), ROUNDS))
def test_locks_and_rounds_never_go_back(last: int, locked: Certificate | None, certificate: Certificate) -> None:
    before = Rounds(last, locked)
    try:
        after = evolve(before, locked=lock_after(before, certificate))
    except Rejection:
        return
    assert current_round(after) >= current_round(before)
    assert after.locked is not None
    assert (after.locked.executed, after.locked.round) == (certificate.executed, certificate.round)
    # Told again, nothing changes.
    assert lock_after(after, certificate) is after.locked


@pytest.mark.clauses("WP-2.9-PROPOSAL", "WP-2.9-JUSTIFICATION")
@examples(500)
@given(st.sampled_from((None, A, B)), ROUNDS, LOCKS, st.builds(asking, st.sampled_from((A, B)), ROUNDS, LOCKS))
def test_every_new_proposal_is_in_a_new_round_and_keeps_to_what_binds_it(
    pending: ExecutedBlock | None, last: int, locked: Certificate | None, request: Request
) -> None:
    rounds = Rounds(0 if pending is None else last, locked)
    try:
        repeated = accepted_before(pending, rounds, request)
    except Rejection:
        return
    if repeated is not None:
        assert repeated is pending
        assert (repeated.block, rounds.last) == (request.block, request.round)
        return
    assert pending is None or request.round > rounds.last
    known = [some for some in (locked, request.justification) if some is not None]
    assert all(some.round < request.round for some in known)
    latest = max((some.round for some in known), default=None)
    assert not known or request.block in [some.executed.block for some in known if some.round == latest]

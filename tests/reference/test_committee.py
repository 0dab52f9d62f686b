"""Committees and thresholds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map
from support import committee, digest, examples, key, refused

from linera_reference.committee import (
    TOTAL_BOUND,
    Committee,
    combined_weight,
    is_quorum,
    make_committee,
    max_faulty,
    quorum_threshold,
    validity_threshold,
    weight,
)
from linera_reference.notation import MAX_U64
from linera_reference.rejections import Reason
from linera_reference.rules import BASELINE, REVISION_H, AnticipationRule, QuorumRule

TOTALS = (*range(1, 100), 2**31, 2**62 + 1, TOTAL_BOUND - 1)
WEIGHTS = st.lists(st.one_of(st.integers(0, 5), st.integers(0, 2**60)), min_size=1, max_size=7).filter(any)


def made(*weights: int) -> Committee:
    return make_committee((digest(str(i)), w) for i, w in enumerate(weights))


@pytest.mark.clauses("WP-2.2-VOTING-RIGHTS")
@pytest.mark.parametrize("weights", [(1,), (0, 1), (1, 2, 3), (TOTAL_BOUND - 1,), (2**62, 2**62 - 1)])
def test_the_total_adds_up(weights: tuple[int, ...]) -> None:
    some = made(*weights)
    assert some.total == sum(weights)
    assert [weight(some, digest(str(i))) for i in range(len(weights))] == list(weights)
    assert weight(some, key("stranger")) == 0


@pytest.mark.clauses("WP-2.2-VOTING-RIGHTS")
@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ((), Reason.EMPTY_COMMITTEE),
        ((0,), Reason.EMPTY_COMMITTEE),
        ((0, 0, 0), Reason.EMPTY_COMMITTEE),
        ((TOTAL_BOUND,), Reason.COMMITTEE_OVERFLOW),
        ((2**62, 2**62), Reason.COMMITTEE_OVERFLOW),
        ((MAX_U64, 0), Reason.COMMITTEE_OVERFLOW),
        ((MAX_U64, 1), Reason.COMMITTEE_OVERFLOW),
        ((MAX_U64 + 1,), Reason.OUT_OF_RANGE),
        ((-1,), Reason.OUT_OF_RANGE),
        # The range of each weight is tested before the total.
        ((1, -1), Reason.OUT_OF_RANGE),
        ((MAX_U64, MAX_U64 + 1), Reason.OUT_OF_RANGE),
        ((2, -1), Reason.OUT_OF_RANGE),
    ],
)
def test_what_is_no_committee(weights: tuple[int, ...], reason: Reason) -> None:
    with refused(reason):
        made(*weights)


@pytest.mark.clauses("WP-2.2-VOTING-RIGHTS")
def test_the_total_that_is_too_large_is_named() -> None:
    with refused(Reason.COMMITTEE_OVERFLOW) as caught:
        made(2**62, 2**62, 5)
    assert caught.value.detail == 2**63 + 5


@pytest.mark.clauses("WP-2.2-VOTING-RIGHTS")
def test_keys_are_32_bytes_and_listed_once() -> None:
    one = digest("0")
    with refused(Reason.DUPLICATE_VALIDATOR):
        make_committee([(one, 1), (digest("1"), 1), (one, 1)])
    for short in (b"", one[:31], one + b"0"):
        with refused(Reason.OUT_OF_RANGE):
            make_committee([(one, 1), (short, 1)])
    # Repetition is tested before ranges.
    with refused(Reason.DUPLICATE_VALIDATOR):
        make_committee([(one, -1), (one, 1)])


@pytest.mark.clauses("WP-2.2-FAULT-BOUND")
@pytest.mark.parametrize("total", TOTALS)
def test_f_is_the_largest_with_3f_below_n(total: int) -> None:
    f = max_faulty(total)
    assert f >= 0
    assert 3 * f < total <= 3 * (f + 1)


@pytest.mark.clauses("WP-2.2-VALIDITY")
@pytest.mark.parametrize("total", TOTALS)
def test_the_validity_threshold_is_a_third_rounded_up(total: int) -> None:
    v = validity_threshold(total)
    assert 3 * (v - 1) < total <= 3 * v
    assert v == max_faulty(total) + 1
    assert total - v < quorum_threshold(total), "a set of weight v can prevent a quorum"


@pytest.mark.clauses("WP-2.2-QUORUM")
@pytest.mark.parametrize("total", TOTALS)
def test_the_quorum_is_n_minus_f(total: int) -> None:
    assert quorum_threshold(total) == quorum_threshold(total, QuorumRule.N_MINUS_F) == total - (total - 1) // 3
    assert 3 * quorum_threshold(total) > 2 * total


@pytest.mark.clauses("WP-2.2-QUORUM")
@pytest.mark.parametrize("total", TOTALS)
def test_the_variant_differs_exactly_when_3_divides_n(total: int) -> None:
    variant = quorum_threshold(total, QuorumRule.HALF_WAY)
    v = -(-total // 3)
    assert 2 * (variant - 1) < total + v <= 2 * variant, "half-way between N and v, rounded up"
    assert variant <= quorum_threshold(total)
    assert (variant == quorum_threshold(total)) == (total % 3 != 0)


@pytest.mark.clauses("WP-2.2-QUORUM", "WP-2.2-VALIDITY")
@pytest.mark.parametrize(
    ("total", "faulty", "validity", "quorum", "variant"),
    [
        (1, 0, 1, 1, 1),
        (2, 0, 1, 2, 2),
        (3, 0, 1, 3, 2),
        (4, 1, 2, 3, 3),
        (6, 1, 2, 5, 4),
        (9, 2, 3, 7, 6),
        (10, 3, 4, 7, 7),
    ],
)
def test_thresholds_of_small_committees(total: int, faulty: int, validity: int, quorum: int, variant: int) -> None:
    found = (max_faulty(total), validity_threshold(total), quorum_threshold(total))
    assert found == (faulty, validity, quorum)
    assert quorum_threshold(total, QuorumRule.HALF_WAY) == variant


@pytest.mark.clauses("WP-2.2-QUORUM")
def test_a_quorum_needs_the_threshold() -> None:
    some = committee((1,) * 9)
    assert [is_quorum(some, votes) for votes in (0, 6, 7, 9)] == [False, False, True, True]
    assert [is_quorum(some, votes, QuorumRule.HALF_WAY) for votes in (5, 6)] == [False, True]
    # Nobody is no quorum, not even of an empty committee, which cannot be made.
    empty = Committee(Map(), 0)
    assert not any(is_quorum(empty, 0, rule) for rule in QuorumRule)


@pytest.mark.clauses("WP-2.2-QUORUM-INTERSECTION", "WP-2.2-QUORUM")
@examples(300)
@given(WEIGHTS, st.sampled_from(QuorumRule), st.data())
def test_two_quorums_share_a_correct_validator(weights: list[int], rule: QuorumRule, data: st.DataObject) -> None:
    some = made(*weights)
    members = sorted(some.weights)
    one, two = (data.draw(st.sets(st.sampled_from(members))) for _ in range(2))
    common = combined_weight(some, one & two)
    if all(is_quorum(some, combined_weight(some, chosen), rule) for chosen in (one, two)):
        assert common >= max_faulty(some.total) + 1
    # All correct validators together are a quorum.
    assert is_quorum(some, some.total - max_faulty(some.total), rule)


@pytest.mark.clauses("WP-2.2-QUORUM-INTERSECTION", "WP-2.2-QUORUM")
@pytest.mark.parametrize("rule", QuorumRule)
@pytest.mark.parametrize("total", TOTALS)
def test_quorums_overlap_in_more_than_f(total: int, rule: QuorumRule) -> None:
    q = quorum_threshold(total, rule)
    assert 2 * q - total >= max_faulty(total) + 1
    assert q <= total - max_faulty(total)


@given(WEIGHTS, st.sets(st.integers(0, 9)))
def test_combined_weight(weights: list[int], places: set[int]) -> None:
    chosen = [digest(str(i)) for i in places]
    assert combined_weight(made(*weights), chosen) == sum(w for i, w in enumerate(weights) if i in places)


def test_profiles() -> None:
    assert (BASELINE.quorum, BASELINE.anticipation) == (QuorumRule.N_MINUS_F, AnticipationRule.WHOLE_INBOX)
    assert (REVISION_H.quorum, REVISION_H.anticipation) == (QuorumRule.HALF_WAY, AnticipationRule.THIS_PROPOSAL)

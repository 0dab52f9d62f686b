"""Contracts of leaf functions for CrossHair (`make crosshair`): a third opinion, outside CI.

CrossHair runs a function on symbolic arguments of its own making and looks for some that satisfy the first assertions
and break a later one. The proofs do not depend on it.
"""

from immutables import Map

from linera_reference.committee import (
    TOTAL_BOUND,
    Committee,
    is_quorum,
    max_faulty,
    quorum_threshold,
    validity_threshold,
)
from linera_reference.messages import Cursor, heights_before, successor
from linera_reference.notation import MAX_U32, MAX_U64
from linera_reference.rules import QuorumRule


def thresholds(total: int, faulty: int, halfway: bool) -> None:
    assert 0 < total < TOTAL_BOUND
    assert 0 <= 3 * faulty < total
    rule = QuorumRule.HALF_WAY if halfway else QuorumRule.N_MINUS_F
    quorum = quorum_threshold(total, rule)
    assert 2 * quorum - total > faulty
    assert total - faulty >= quorum > 0
    assert 3 * max_faulty(total) < total
    assert validity_threshold(total) == max_faulty(total) + 1 > faulty


def decision(votes: int, total: int) -> None:
    assert 0 < total < TOTAL_BOUND
    assert 0 <= votes <= total
    assert is_quorum(Committee(Map(), total), votes) == (votes >= total - max_faulty(total))


def next_place(height: int, index: int, other_height: int, other_index: int) -> None:
    assert 0 <= height <= MAX_U64
    assert 0 <= index < MAX_U32
    place, other = Cursor(height, index), Cursor(other_height, other_index)
    assert (successor(place) <= other) == (place < other)


def heights(height: int, index: int, other: int) -> None:
    assert 0 <= height < MAX_U64
    assert 0 <= index <= MAX_U32
    assert other >= 0
    place = Cursor(height, index)
    assert (other < heights_before(place)) == (Cursor(other, 0) < place)

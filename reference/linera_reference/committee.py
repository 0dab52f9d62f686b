"""Committees, voting rights and thresholds (section 2.2)."""

from collections.abc import Iterable
from typing import Final

from attrs import frozen
from immutables import Map

from .containers import fold
from .notation import MAX_U64, PublicKey, rule, support, u64
from .rejections import Reason, require
from .rules import QuorumRule

TOTAL_BOUND: Final = 2**63
"""Voting rights add up to less than this (decision D31)."""


@frozen
class Committee:
    """Validators with their voting rights (u64; zero counts for nothing) and the total N, 0 < N < 2⁶³."""

    weights: Map[PublicKey, int]
    total: u64


@rule("WP-2.2-VOTING-RIGHTS")
def make_committee(weights: Iterable[tuple[PublicKey, int]]) -> Committee:
    """Build a committee.

    Rejects: DUPLICATE_VALIDATOR, OUT_OF_RANGE (a weight, or a key that is not 32 bytes), EMPTY_COMMITTEE,
    COMMITTEE_OVERFLOW. Section 2.2.
    """
    members = tuple(weights)
    table = Map(members)
    require(len(table) == len(members), Reason.DUPLICATE_VALIDATOR)
    require(all(len(key) == 32 and 0 <= w <= MAX_U64 for key, w in members), Reason.OUT_OF_RANGE)
    total = fold(lambda n, w: n + w, 0, table.values())
    require(total > 0, Reason.EMPTY_COMMITTEE)
    require(total < TOTAL_BOUND, Reason.COMMITTEE_OVERFLOW, total)
    return Committee(table, total)


@rule("WP-2.2-VOTING-RIGHTS")
def weight(committee: Committee, validator: PublicKey) -> int:
    """Return the voting rights of a validator, zero for a stranger. Section 2.2."""
    return committee.weights.get(validator, 0)


@rule("WP-2.2-FAULT-BOUND")
def max_faulty(total: int) -> int:
    """Return f = ⌊(N − 1) / 3⌋, the largest f with 3f < N, for N > 0. Section 2.2."""
    return (total - 1) // 3


@rule("WP-2.2-QUORUM")
def quorum_threshold(total: int, quorum: QuorumRule = QuorumRule.N_MINUS_F) -> int:
    """Return the voting rights that make a quorum: N − f, or ⌈(N + ⌈N/3⌉)/2⌉ in the variant. Section 2.2."""
    if quorum is QuorumRule.HALF_WAY:
        return (total + validity_threshold(total) + 1) // 2
    return total - max_faulty(total)


@rule("WP-2.2-VALIDITY")
def validity_threshold(total: int) -> int:
    """Return ⌈N / 3⌉ = f + 1: voting rights that hold at least one correct validator. Section 2.2."""
    return (total + 2) // 3


@rule("WP-2.2-QUORUM")
def is_quorum(committee: Committee, votes: int, quorum: QuorumRule = QuorumRule.N_MINUS_F) -> bool:
    """Whether this many voting rights form a quorum; none never do. Section 2.2."""
    return votes > 0 and votes >= quorum_threshold(committee.total, quorum)


@support
def combined_weight(committee: Committee, validators: Iterable[PublicKey]) -> int:
    """Add the voting rights of distinct validators."""
    return fold(lambda n, v: n + weight(committee, v), 0, validators)

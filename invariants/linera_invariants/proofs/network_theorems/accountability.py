"""Accountability: two certificates on different blocks of one place convict their common signers, all Byzantine.

Nothing is assumed here about how many validators are Byzantine.
"""

from collections.abc import Iterator
from typing import Any, Final

import z3

from linera_invariants.proofs.contracts.certificate import EXECUTED, quorate
from linera_invariants.proofs.contracts.committee import EVERYBODY, SETS, VALIDATORS, weight_of
from linera_invariants.proofs.queries import Query, witness
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import forall

from .quorums import faulty, quorum, total, voted

correct: Final = z3.Function("correct", VALIDATORS, z3.BoolSort())
place: Final = z3.Function("place_of", EXECUTED.sort, z3.DeclareSort("ChainAndHeight"))
ONE, OTHER, COMMON = z3.Consts("signers other_signers common_signers", SETS)
BLOCK, OTHER_BLOCK = z3.Consts("block other_block", EXECUTED.sort)


def are_common(common: Any, one: Any, other: Any) -> z3.BoolRef:
    """Whether a set is the intersection of two."""
    return forall((VALIDATORS,), lambda v: common[v] == z3.And(one[v], other[v]), "v")


def _quorums(given: Given) -> tuple[z3.BoolRef, ...]:
    """Return that both sets of signers are quorums, what this means, and what common signers are."""
    weights = weight_of(ONE), weight_of(OTHER)
    meaning = (given("IS-QUORUM", quorate(w), total, faulty, quorum, w) for w in weights)
    return (
        *(quorate(w) for w in weights),
        *meaning,
        are_common(COMMON, ONE, OTHER),
        given("COMMITTEE-TOTAL", total),
        given("WEIGHT-LAW", ONE, OTHER, EVERYBODY, COMMON),
    )


@formula("COMMON-SIGNERS")
def common_signers(common: Any, largest: Any) -> z3.BoolRef:
    """For the largest f with 3f < N, the common signers of two quorums weigh more than f."""
    bound = z3.And(3 * largest < total, total <= 3 * largest + 3)
    return z3.Implies(bound, z3.And(weight_of(common) > largest, 3 * weight_of(common) >= total))


@proof("COMMON-SIGNERS")
def convicted_weight(given: Given) -> Iterator[Query]:
    """Two quorums together weigh N and what they share."""
    known = _quorums(given)
    yield Query("at least a third", known, said("COMMON-SIGNERS", COMMON, faulty))
    baseline = given("N-MINUS-F", total, faulty, quorum)
    in_baseline = z3.And(3 * faulty < total, total <= 3 * faulty + 3)
    goal = z3.Implies(in_baseline, weight_of(COMMON) >= total - 2 * faulty)
    yield Query("at least N - 2f in the baseline", (*known, baseline), goal)
    yield witness("everybody is Byzantine", (*known, baseline, forall((VALIDATORS,), lambda v: COMMON[v], "v")))


@formula("ACCOUNTABILITY")
def convicts(common: Any, correct: Any) -> z3.BoolRef:
    """No common signer is correct."""
    return forall((VALIDATORS,), lambda v: z3.Not(z3.And(common[v], correct(v))), "v")


@proof("ACCOUNTABILITY")
def nobody_correct(given: Given) -> Iterator[Query]:
    """A correct common signer would have voted for two blocks of one chain and height."""
    conflict = (place(BLOCK) == place(OTHER_BLOCK), BLOCK != OTHER_BLOCK)
    known = (
        given("CERTIFICATE-SIGNERS", ONE, BLOCK, correct, voted),
        given("CERTIFICATE-SIGNERS", OTHER, OTHER_BLOCK, correct, voted),
        given("ONE-VOTE", correct, voted, place),
        are_common(COMMON, ONE, OTHER),
    )
    yield Query("no correct validator is convicted", (*known, *conflict), said("ACCOUNTABILITY", COMMON, correct))
    weight = given("COMMON-SIGNERS", COMMON, faulty)
    bound = (3 * faulty < total, total <= 3 * faulty + 3)
    byzantine = forall((VALIDATORS,), lambda v: z3.Implies(COMMON[v], z3.Not(correct(v))), "w")
    goal = z3.And(byzantine, 3 * weight_of(COMMON) >= total)
    yield Query("a third is Byzantine", (*known, *conflict, *bound, weight), goal)
    yield witness(
        "certificates conflict", (*known, *conflict, *bound, weight, z3.Not(correct(z3.Const("v", VALIDATORS))))
    )

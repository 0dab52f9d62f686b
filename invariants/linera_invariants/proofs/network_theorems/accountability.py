"""Accountability: certificates on different blocks of one place convict signers that they share, all Byzantine.

In one round the signers voted twice. Across rounds they broke a lock: not those of any two certificates, but those of
the first one that is confirmed and the lowest one after it that validates the other block.

Nothing is assumed here about how many validators are Byzantine.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import z3

from linera_invariants.proofs.contracts.certificate import EXECUTED, quorate
from linera_invariants.proofs.contracts.committee import EVERYBODY, SETS, VALIDATORS, weight_of
from linera_invariants.proofs.lists import by_induction
from linera_invariants.proofs.queries import Query, witness
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import forall

from .quorums import confirms, faulty, quorum, total, validates, voted
from .rounds import Ballots, between, one_outcome

correct: Final = z3.Function("correct", VALIDATORS, z3.BoolSort())
place: Final = z3.Function("place_of", EXECUTED.sort, z3.DeclareSort("ChainAndHeight"))
BALLOTS: Final = Ballots(
    correct,
    voted,
    validates,
    confirms,
    z3.Function("validated", EXECUTED.sort, z3.IntSort(), z3.BoolSort()),
    place,
    z3.Function("block_of", EXECUTED.sort, z3.DeclareSort("Block")),
    VALIDATORS,
    EXECUTED.sort,
)
SIGNERS_OF: Final = z3.Function("signers_of", EXECUTED.sort, z3.IntSort(), SETS)
"""The signers of the validated certificate on an executed block in a round."""
LOW, HIGH = z3.Ints("round later_round")
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
    """A correct common signer would have cast two votes of one kind and round at one chain and height."""
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


# --- Across rounds ---------------------------------------------------------------------------------------------------


def is_answered(one: Any, low: Any, other: Any, high: Any) -> z3.BoolRef:
    """A validated certificate bound who confirmed one executed block to the block of another one, before its round."""
    itself = z3.And(BALLOTS.validated(one, low), BALLOTS.block(one) == BALLOTS.block(other))
    return z3.Or(between(BALLOTS, other, low, high), itself)


@formula("NEVER-CONVICTED")
def never_convicted(b: Ballots) -> z3.BoolRef:
    """No two votes of a correct validator are a charge that nothing answers, and no vote to confirm is one alone."""

    def once(votes: Any, v: Any, x: Any, y: Any, r: Any) -> z3.BoolRef:
        both = z3.And(b.correct(v), votes(v, x, r), votes(v, y, r), b.place(x) == b.place(y))
        return z3.Implies(both, x == y)

    def founded(v: Any, x: Any, r: Any) -> z3.BoolRef:
        return z3.Implies(z3.And(b.correct(v), b.confirms(v, x, r), r > 0), b.validated(x, r))

    def answered(v: Any, x: Any, low: Any, y: Any, high: Any) -> z3.BoolRef:
        votes = z3.And(b.correct(v), b.confirms(v, x, low), b.validates(v, y, high))
        charge = z3.And(low < high, b.place(x) == b.place(y), x != y)
        return z3.Implies(z3.And(votes, charge), is_answered(x, low, y, high))

    one, number = (b.validator, b.executed), z3.IntSort()
    return z3.And(
        *(forall((*one, b.executed, number), partial(once, votes)) for votes in (b.validates, b.confirms)),
        one_outcome(b),
        forall((*one, number), founded),
        forall((*one, number, b.executed, number), answered),
    )


@proof("NEVER-CONVICTED")
def charges_are_answered(given: Given) -> Iterator[Query]:
    """Each charge would break what a correct validator keeps to."""

    def one_vote(r: Any) -> z3.BoolRef:
        kinds = (lambda v, e: validates(v, e, r)), (lambda v, e: confirms(v, e, r))
        return z3.And(*(given("ONE-VOTE", correct, votes, place, EXECUTED.sort) for votes in kinds))

    votes = forall((z3.IntSort(),), one_vote, "r")
    known = (votes, *(given(name, BALLOTS) for name in ("ONE-OUTCOME", "FINAL-VOTES", "LOCKS")))
    yield Query("no charge stands", known, said("NEVER-CONVICTED", BALLOTS))
    v = z3.Const("v", VALIDATORS)
    changed = z3.And(confirms(v, BLOCK, LOW), validates(v, OTHER_BLOCK, HIGH), correct(v), *conflict())
    yield witness("a correct validator gave up a lock", (*known, changed))


def certificate(given: Given, signers: Any, votes: Any, block: Any, its_round: Any) -> z3.BoolRef:
    """A certificate with these signers was accepted, as one of these votes, on a block and in a round."""
    return given("CERTIFICATE-SIGNERS", signers, block, correct, lambda v, e: votes(v, e, its_round))


def conflict() -> tuple[z3.BoolRef, ...]:
    """The later executed block is another one of the same place."""
    return (LOW >= 0, LOW < HIGH, place(BLOCK) == place(OTHER_BLOCK), BLOCK != OTHER_BLOCK)


def nobody_signed(*signers: Any) -> z3.BoolRef:
    """Nobody correct is among all of these signers."""
    return forall((VALIDATORS,), lambda v: z3.Not(z3.And(correct(v), *(s[v] for s in signers))), "v")


@formula("BROKEN-LOCKS")
def broken_locks() -> z3.BoolRef:
    """Nobody correct signed both certificates, if nothing answers for it."""
    unanswered = z3.Not(is_answered(BLOCK, LOW, OTHER_BLOCK, HIGH))
    return z3.Implies(z3.And(*conflict(), unanswered), nobody_signed(ONE, OTHER))


@proof("BROKEN-LOCKS")
def nobody_answers(given: Given) -> Iterator[Query]:
    """A correct common signer could show the certificate for which its lock gave way."""
    signed = certificate(given, ONE, confirms, BLOCK, LOW), certificate(given, OTHER, validates, OTHER_BLOCK, HIGH)
    never = given("NEVER-CONVICTED", BALLOTS)
    yield Query("no correct validator is convicted", (*signed, never), said("BROKEN-LOCKS"))
    unanswered = z3.Not(is_answered(BLOCK, LOW, OTHER_BLOCK, HIGH))
    bound = (3 * faulty < total, total <= 3 * faulty + 3)
    weight = (are_common(COMMON, ONE, OTHER), given("COMMON-SIGNERS", COMMON, faulty), *bound)
    known = (said("BROKEN-LOCKS"), *signed, *conflict(), unanswered, *weight)
    yield Query("a third is Byzantine", known, z3.And(nobody_signed(COMMON), 3 * weight_of(COMMON) >= total))
    yield witness("locks are broken", (*known, COMMON[z3.Const("v", VALIDATORS)]))


def lowest(block: Any, its_round: Any) -> z3.BoolRef:
    """It is the lowest validated certificate on the later block above the earlier round."""
    same = BALLOTS.block(block) == BALLOTS.block(OTHER_BLOCK)
    first = z3.Not(between(BALLOTS, OTHER_BLOCK, LOW, its_round))
    return z3.And(BALLOTS.validated(block, its_round), same, its_round > LOW, first)


def some_lowest(*signers: Any) -> z3.BoolRef:
    """There is a lowest certificate, and nobody correct is among its signers and all of these."""
    e, r = z3.Const("lowest", EXECUTED.sort), z3.Int("lowest_round")
    nobody = (nobody_signed(*signers, SIGNERS_OF(e, r)),) if signers else ()
    return z3.Exists([e, r], z3.And(lowest(e, r), *nobody))


@formula("CONFLICTS-CONVICT")
def conflicts_convict() -> z3.BoolRef:
    """Nobody correct signed the later certificate, or both the earlier and the lowest, or two outcomes of a block."""
    r = z3.Int("other_round")
    unfounded = z3.And(z3.Not(BALLOTS.validated(OTHER_BLOCK, HIGH)), nobody_signed(OTHER))
    two = nobody_signed(SIGNERS_OF(BLOCK, r), SIGNERS_OF(OTHER_BLOCK, HIGH))
    outcomes = z3.Exists([r], z3.And(BALLOTS.validated(BLOCK, r), BALLOTS.validated(OTHER_BLOCK, HIGH), two))
    return z3.Implies(z3.And(*conflict()), z3.Or(unfounded, some_lowest(ONE), outcomes))


@proof("CONFLICTS-CONVICT")
def some_are_convicted(given: Given) -> Iterator[Query]:
    """Go down from the later certificate: below each one that validates its block there is another, or none."""

    def descends(n: Any) -> z3.BoolRef:
        return z3.Implies(z3.And(LOW >= 0, between(BALLOTS, OTHER_BLOCK, LOW, n)), some_lowest())

    def voted(e: Any, r: Any) -> z3.BoolRef:
        return z3.Implies(BALLOTS.validated(e, r), certificate(given, SIGNERS_OF(e, r), validates, e, r))

    def convicts(e: Any, r: Any) -> z3.BoolRef:
        charge = z3.And(lowest(e, r), z3.Not(is_answered(BLOCK, LOW, e, r)), e != BLOCK)
        return z3.Implies(charge, nobody_signed(ONE, SIGNERS_OF(e, r)))

    def differ(r: Any) -> z3.BoolRef:
        both = z3.And(BALLOTS.validated(BLOCK, r), BALLOTS.validated(OTHER_BLOCK, HIGH))
        one_block = BALLOTS.block(BLOCK) == BALLOTS.block(OTHER_BLOCK)
        return z3.Implies(z3.And(both, one_block), nobody_signed(SIGNERS_OF(BLOCK, r), SIGNERS_OF(OTHER_BLOCK, HIGH)))

    certificates = (EXECUTED.sort, z3.IntSort())
    yield from by_induction("there is a lowest one", descends, lambda _: ())
    signed = forall(certificates, voted, "s"), given("NEVER-CONVICTED", BALLOTS), *conflict()
    one_place = forall((EXECUTED.sort, EXECUTED.sort), has_its_place, "p")
    broken, outcomes = forall(certificates, convicts, "b"), forall((z3.IntSort(),), differ, "d")
    first = certificate(given, ONE, confirms, BLOCK, LOW)
    yield Query("it convicts", (*signed, one_place, first), broken)
    yield Query("outcomes convict", signed, outcomes)
    later = certificate(given, OTHER, confirms, OTHER_BLOCK, HIGH)
    unfounded = z3.Or(BALLOTS.validated(OTHER_BLOCK, HIGH), nobody_signed(OTHER))
    yield Query("so does a vote to confirm what was not validated", (*signed, later), unfounded)
    below = z3.Implies(HIGH + 1 >= 0, descends(HIGH + 1))
    known = (z3.Implies(z3.And(*conflict()), z3.And(broken, outcomes, unfounded)), below)
    yield Query("somebody is convicted", known, said("CONFLICTS-CONVICT"))


def has_its_place(one: Any, other: Any) -> z3.BoolRef:
    """Executions of one block have its chain and height."""
    return z3.Implies(BALLOTS.block(one) == BALLOTS.block(other), place(one) == place(other))

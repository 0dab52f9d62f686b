"""Quorums of any committee: what two of them share, and what correct validators can do alone.

A quorum is a set of validators whose weight the shipped decision accepts. Elsewhere quorums are elements of a sort of
their own, related to validators by membership: nothing about weights is needed there any more.
"""

from collections.abc import Iterator
from typing import Any, Final

import z3

from linera_invariants.proofs.contracts.certificate import EXECUTED, PAYLOADS, first, quorate, signed
from linera_invariants.proofs.contracts.committee import EVERYBODY, NOBODY, SETS, VALIDATORS, weight_of
from linera_invariants.proofs.queries import Query, witness
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import forall
from linera_reference.certificate import Kind

QUORUMS: Final = z3.DeclareSort("Quorum")
members: Final = z3.Function("members", QUORUMS, SETS)
"""The set of validators that a quorum is."""
byzantine: Final = z3.Const("byzantine", SETS)
total, faulty, quorum = z3.Ints("total faulty quorum")
validates, confirms = (
    z3.Function(name, VALIDATORS, EXECUTED.sort, z3.IntSort(), z3.BoolSort()) for name in ("validates", "confirms")
)
VOTES: Final = {Kind.VALIDATED: validates, Kind.CONFIRMED: confirms}
"""Whether a validator ever voted for an executed block in a round, by the kind of the vote."""
voted: Final = z3.Function("voted", VALIDATORS, EXECUTED.sort, z3.BoolSort())
"""Whether a validator ever voted for an executed block, in the kind and round that is meant."""


def member(q: Any, validator: Any) -> Any:
    """Whether a validator belongs to a quorum."""
    return members(q)[validator]


def correct(validator: Any) -> Any:
    """Whether a validator is not Byzantine."""
    return z3.Not(byzantine[validator])


SOME: Final = z3.Const("q", QUORUMS), z3.Const("v", VALIDATORS)


def _domain(symbol: Any, place: int, default: z3.SortRef) -> z3.SortRef:
    return symbol.domain(place) if isinstance(symbol, z3.FuncDeclRef) else default


@formula("FAULT-BOUND")
def fault_bound() -> z3.BoolRef:
    """W(Byzantine) ≤ f and 3f < N."""
    return z3.And(weight_of(byzantine) <= faulty, 3 * faulty < total)


def is_quorate(set_of: Any, given: Given) -> z3.BoolRef:
    """Return that the shipped decision accepts the weight of a set, and what this means."""
    votes = weight_of(set_of)
    return z3.And(quorate(votes), given("IS-QUORUM", quorate(votes), total, faulty, quorum, votes))


def _committee(given: Given) -> tuple[z3.BoolRef, ...]:
    return (
        given("COMMITTEE-TOTAL", total),
        given("FAULT-BOUND"),
        forall((QUORUMS,), lambda q: is_quorate(members(q), given), "q"),
    )


@formula("QUORUM-INTERSECTION")
def intersection(member: Any, correct: Any) -> z3.BoolRef:
    """Any two quorums have a common correct member."""
    quorums, validators = _domain(member, 0, QUORUMS), _domain(member, 1, VALIDATORS)
    q, r, v = z3.Const("q", quorums), z3.Const("r", quorums), z3.Const("v", validators)
    return z3.ForAll([q, r], z3.Exists([v], z3.And(member(q, v), member(r, v), correct(v))))


@proof("QUORUM-INTERSECTION")
def intersect(given: Given) -> Iterator[Query]:
    """Two quorums weigh more than everybody and the Byzantine validators together."""

    def law(q: Any, r: Any) -> z3.BoolRef:
        return given("WEIGHT-LAW", members(q), members(r), EVERYBODY, byzantine)

    known = (*_committee(given), forall((QUORUMS, QUORUMS), law, "q"))
    yield Query("any two quorums", known, said("QUORUM-INTERSECTION", member, correct))
    yield witness("two quorums", (*known, z3.Distinct(*z3.Consts("q r", QUORUMS))))


@formula("QUORUM-CORRECT")
def correct_member(member: Any, correct: Any) -> z3.BoolRef:
    """Any quorum has a correct member."""
    q, v = z3.Const("q", _domain(member, 0, QUORUMS)), z3.Const("v", _domain(member, 1, VALIDATORS))
    return z3.ForAll([q], z3.Exists([v], z3.And(member(q, v), correct(v))))


@proof("QUORUM-CORRECT")
def has_correct_member(given: Given) -> Iterator[Query]:
    """A quorum meets itself."""
    known = given("QUORUM-INTERSECTION", member, correct)
    yield Query("any quorum", (known,), said("QUORUM-CORRECT", member, correct))
    yield witness("a quorum with a Byzantine member", (known, member(*SOME), z3.Not(correct(SOME[1]))))


@formula("CORRECT-QUORUM")
def correct_quorum(set_of: Any) -> z3.BoolRef:
    """A set that has every correct validator weighs as much as a quorum."""
    return z3.Implies(
        forall((VALIDATORS,), lambda v: z3.Implies(correct(v), set_of[v]), "v"), weight_of(set_of) >= quorum
    )


@proof("CORRECT-QUORUM")
def correct_form_quorum(given: Given) -> Iterator[Query]:
    """Everybody is in the set or Byzantine; W(Byzantine) ≤ f leaves N - f."""
    some = z3.Const("A", SETS)
    known = (
        given("COMMITTEE-TOTAL", total),
        given("FAULT-BOUND"),
        given("QUORUM-ARITHMETIC", total, faulty, quorum),
        given("WEIGHT-LAW", EVERYBODY, NOBODY, some, byzantine),
        given("WEIGHT-INSERT", NOBODY, z3.Const("v", VALIDATORS)),
    )
    yield Query("correct validators", known, said("CORRECT-QUORUM", some))
    yield witness("some are Byzantine", (*known, weight_of(byzantine) > 0))


@formula("VALIDITY-THRESHOLD")
def validity(set_of: Any) -> z3.BoolRef:
    """A set that weighs more than f has a correct member."""
    v = z3.Const("v", VALIDATORS)
    return z3.Implies(weight_of(set_of) > faulty, z3.Exists([v], z3.And(set_of[v], correct(v))))


@proof("VALIDITY-THRESHOLD")
def beyond_f(given: Given) -> Iterator[Query]:
    """A set of Byzantine validators weighs at most f."""
    some = z3.Const("A", SETS)
    known = given("FAULT-BOUND"), given("WEIGHT-LAW", some, NOBODY, byzantine, NOBODY)
    yield Query("more than f", known, said("VALIDITY-THRESHOLD", some))
    yield witness("a set of weight f + 1", (*known, weight_of(some) == faulty + 1))


# --- Who signed a certificate ------------------------------------------------------------------------------------


@formula("CERTIFICATE-SIGNERS")
def certificate_signers(signers: Any, block: Any, correct: Any, voted: Any) -> z3.BoolRef:
    """The signers of an accepted certificate are a quorum, and whoever is correct among them voted for the block.

    ``voted`` is about votes of the kind and the round of the certificate.
    """

    def who_voted(v: Any) -> z3.BoolRef:
        return z3.Implies(z3.And(signers[v], correct(v)), voted(v, block))

    return z3.And(quorate(weight_of(signers)), forall((VALIDATORS,), who_voted, "v"))


@proof("CERTIFICATE-SIGNERS")
def signers_voted(given: Given) -> Iterator[Query]:
    """Every signer has a signature that verifies; whoever is correct made it, for a vote that it cast.

    By definition, ``cast`` and ``cast_in`` are block and round of the vote of a correct validator that signs a payload.
    """
    block, n, its_round = z3.Const("block", EXECUTED.sort), z3.Int("n"), z3.Int("round")
    cast = z3.Function("cast", VALIDATORS, PAYLOADS.sort, EXECUTED.sort)
    cast_in = z3.Function("cast_in", VALIDATORS, PAYLOADS.sort, z3.IntSort())

    def is_vote(v: Any, value: Any) -> z3.BoolRef:
        voted_for, its_round = cast(v, value), cast_in(v, value)
        kinds = (
            z3.And(votes(v, voted_for, its_round), given("PAYLOAD-OF", value, voted_for, kind, its_round))
            for kind, votes in VOTES.items()
        )
        same = given("HASH-INJECTIVE", voted_for, block)
        return z3.Implies(z3.And(correct(v), signed(v, value)), z3.And(z3.Or(*kinds), same))

    made = (
        forall((VALIDATORS,), lambda v: given("SIGNERS-LISTED", v, z3.IntVal(0), n), "v"),
        given("UNFORGEABLE", correct),
        forall((VALIDATORS, PAYLOADS.sort), is_vote, "w"),
    )

    def asked(kind: Kind) -> Iterator[Query]:
        checked = forall((z3.IntSort(),), lambda i: given(f"CHECK-{kind.name}", i, n, block, its_round), "i")
        goal = said("CERTIFICATE-SIGNERS", first(n), block, correct, lambda v, e: VOTES[kind](v, e, its_round))
        yield Query(f"an arbitrary {kind.name.lower()} certificate", (checked, *made), goal, {"n": n})
        yield witness(f"a {kind.name.lower()} certificate", (checked, *made))

    for kind in VOTES:
        yield from asked(kind)


@formula("CERTIFICATE-VOTES")
def certificate_votes(certified: Any, member: Any, correct: Any, voted: Any, executed: Any = None) -> z3.BoolRef:
    """For a certified block there is a quorum whose correct members voted for it: in the kind and round that is meant.

    ``executed`` is the sort of the blocks, if ``certified`` is no relation of the solver that tells.
    """
    b = z3.Const("b", executed if executed is not None else _domain(certified, 0, EXECUTED.sort))
    q, v = z3.Const("q", _domain(member, 0, QUORUMS)), z3.Const("v", _domain(member, 1, VALIDATORS))
    all_voted = z3.ForAll([v], z3.Implies(z3.And(member(q, v), correct(v)), voted(v, b)))
    return z3.ForAll([b], z3.Implies(certified(b), z3.Exists([q], all_voted)))


@proof("CERTIFICATE-VOTES")
def quorum_voted(given: Given) -> Iterator[Query]:
    """The signers of a certificate on an arbitrary block are a quorum, which has a name."""
    block, signers, q = z3.Const("block", EXECUTED.sort), z3.Const("signers", SETS), z3.Const("q", QUORUMS)
    has_name = z3.Implies(quorate(weight_of(signers)), members(q) == signers)
    known = (given("CERTIFICATE-SIGNERS", signers, block, correct, voted), has_name)
    goal = said("CERTIFICATE-VOTES", lambda b: b == block, member, correct, voted)
    yield Query("an arbitrary certified block", known, goal)
    yield witness("a correct signer", (*known, quorate(weight_of(signers)), voted(SOME[1], block)))

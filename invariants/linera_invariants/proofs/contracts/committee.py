"""Committees: thresholds for every total, the weight of a set of validators, and how a committee is made.

The weight of a set is defined along the list of the members, as the shipped folds compute it. Every law about weights
that a proof uses is proved from this definition by induction along the list.
"""

from collections.abc import Iterator
from typing import Any, Final

import z3

from linera_invariants.proofs.codecs import BYTES, INTEGERS, numbers, unknown
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.lists import Induction, SList, by_induction, every, unknown_list
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import SAtom, SInt, assume, attempt, claim, fresh, term
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import SMap, forall
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
from linera_reference.rejections import Reason, Rejected
from linera_reference.rules import QuorumRule

TOTALS: Final = numbers(1, TOTAL_BOUND - 1)
RIGHTS: Final = numbers(0, MAX_U64)


# --- Thresholds --------------------------------------------------------------------------------------------------


@formula("QUORUM-ARITHMETIC")
def quorum_arithmetic(total: Any, faulty: Any, quorum: Any) -> z3.BoolRef:
    """Any f with 3f < N: two quorums overlap in more than f, and what is left without f is a quorum."""
    overlap = z3.And(2 * quorum - total > faulty, total - faulty >= quorum, quorum > 0, quorum <= total)
    return z3.Implies(z3.And(total > 0, total < TOTAL_BOUND, 3 * faulty < total), overlap)


@proof("QUORUM-ARITHMETIC")
def thresholds(_: Given) -> Iterator[Query]:
    """Run the thresholds on an arbitrary total, under both rules."""
    for rule in QuorumRule:

        def run(rule: QuorumRule = rule) -> None:
            total = unknown(TOTALS, "total")
            faulty = unknown(numbers(0, None), "faulty")
            assume(3 * faulty < total)
            quorum = attempt(quorum_threshold, total, rule)
            claim("quorums overlap", said("QUORUM-ARITHMETIC", term(total), term(faulty), term(quorum)))
            claim("quorums overlap in a third", 2 * quorum - total >= validity_threshold(total))
            claim("f is the largest bound", max_faulty(total) >= faulty)
            claim("3f < N", 3 * max_faulty(total) < total)
            claim("v = f + 1", validity_threshold(total) == max_faulty(total) + 1)
            claim("less than a quorum without v", total - validity_threshold(total) < quorum_threshold(total))
            claim("exact", _in_range(quorum))
            claim("the formula", _formula(rule, term(total), term(quorum)))

        yield from lifted(f"{rule.name}", run)


def _formula(rule: QuorumRule, total: Any, quorum: Any) -> z3.BoolRef:
    """Return N - f, or the least q with 2q - N ≥ v for v = ⌈N / 3⌉."""
    largest, v = z3.Ints("f v")
    if rule is QuorumRule.N_MINUS_F:
        return n_minus_f(total, largest, quorum)
    least = z3.And(3 * v >= total, 3 * v < total + 3)
    return z3.Implies(least, z3.And(2 * quorum - total >= v, 2 * quorum - total < v + 2))


@formula("N-MINUS-F")
def n_minus_f(total: Any, largest: Any, quorum: Any) -> z3.BoolRef:
    """For the largest f with 3f < N, a quorum is N - f."""
    return z3.Implies(z3.And(3 * largest < total, total <= 3 * largest + 3), quorum == total - largest)


@proof("N-MINUS-F")
def baseline(_: Given) -> Iterator[Query]:
    """Run the threshold of the baseline on an arbitrary total."""

    def run() -> None:
        total = unknown(TOTALS, "total")
        quorum = attempt(quorum_threshold, total)
        claim("N - f", said("N-MINUS-F", term(total), z3.Int("largest"), term(quorum)))

    yield from lifted("the baseline", run)


def _in_range(number: SInt) -> z3.BoolRef:
    return z3.And(number.term >= 0, number.term < TOTAL_BOUND)


@formula("IS-QUORUM")
def decides_quorum(accepted: Any, total: Any, faulty: Any, quorum: Any, votes: Any) -> z3.BoolRef:
    """Votes pass if and only if they reach the threshold, which has the arithmetic of quorums."""
    decision = accepted == (votes >= quorum)
    return z3.And(z3.Implies(3 * faulty < total, decision), quorum_arithmetic(total, faulty, quorum))


@proof("IS-QUORUM")
def quorum_decision(_: Given) -> Iterator[Query]:
    """Run the decision on arbitrary votes."""
    for rule in QuorumRule:

        def run(rule: QuorumRule = rule) -> None:
            committee, faulty = the_committee(), fresh("faulty", z3.IntSort())
            number: Any = unknown(INTEGERS, "votes")
            votes = number.term
            total, quorum = term(committee.total), term(quorum_threshold(committee.total, rule))
            accepted = term(attempt(is_quorum, committee, number, rule))
            claim("votes ≥ q", said("IS-QUORUM", accepted, total, faulty, quorum, votes))
            nobody: Any = Committee(committee.weights, unknown(INTEGERS, "any total"))
            claim("none never do", z3.Not(z3.And(term(is_quorum(nobody, number, rule)), votes <= 0)))

        yield from lifted(rule.name, run)


# --- Weights -----------------------------------------------------------------------------------------------------

VALIDATORS: Final = BYTES.sort
SETS: Final = z3.ArraySort(VALIDATORS, z3.BoolSort())
EVERYBODY: Final = z3.K(VALIDATORS, z3.BoolVal(True))
NOBODY: Final = z3.K(VALIDATORS, z3.BoolVal(False))

right: Final = z3.Function("right", VALIDATORS, z3.IntSort())
"""The voting rights of a validator, zero for a stranger."""
listed: Final = z3.Function("listed", z3.IntSort(), VALIDATORS)
place: Final = z3.Function("place", VALIDATORS, z3.IntSort())
size: Final = z3.Int("size")
"""The list of the members: who stands at a place, where a member stands, how many there are."""
weight_up_to: Final = z3.Function("weight-up-to", SETS, z3.IntSort(), z3.IntSort())


def weight_of(members: Any) -> Any:
    """Return the weight of a set of validators."""
    return weight_up_to(members, size)


def insert(members: Any, validator: Any) -> Any:
    """Return the union with {validator}."""
    return z3.Store(members, validator, z3.BoolVal(True))


@formula("COMMITTEE-LISTING")
def listing(validator: Any, n: Any) -> z3.BoolRef:
    """Whoever has rights is listed; the n-th listed one stands at place n; no rights are negative."""
    at = place(validator)
    is_listed = z3.And(at >= 0, at < size, listed(at) == validator)
    return z3.And(
        z3.Implies(z3.And(n >= 0, n < size), place(listed(n)) == n),
        z3.Or(right(validator) == 0, is_listed),
        right(validator) >= 0,
        right(listed(n)) >= 0,
        size >= 0,
    )


@formula("WEIGHT-DEFINITION")
def weight_definition(members: Any, n: Any) -> z3.BoolRef:
    """The weight of the members among the first n + 1 that are listed, from that among the first n."""
    one = z3.If(members[listed(n)], right(listed(n)), 0)
    more = weight_up_to(members, n + 1) == weight_up_to(members, n) + one
    return z3.And(weight_up_to(members, 0) == 0, z3.Implies(n >= 0, more))


@formula("WEIGHT-LAW")
def weight_law(a: Any, b: Any, c: Any, d: Any) -> z3.BoolRef:
    """If everybody stands in A and B together at most as often as in C and D, then W(A) + W(B) ≤ W(C) + W(D)."""
    return z3.Implies(_covered(a, b, c, d), weight_of(a) + weight_of(b) <= weight_of(c) + weight_of(d))


def _covered(a: Any, b: Any, c: Any, d: Any) -> z3.BoolRef:
    def often_enough(v: Any) -> z3.BoolRef:
        once = z3.Implies(z3.Or(a[v], b[v]), z3.Or(c[v], d[v]))
        return z3.And(once, z3.Implies(z3.And(a[v], b[v]), z3.And(c[v], d[v])))

    return forall((VALIDATORS,), often_enough, "v")


@proof("WEIGHT-LAW")
def law_by_induction(given: Given) -> Iterator[Query]:
    """Go along the list: each member adds at most as much on the left as on the right."""
    a, b, c, d = sets = z3.Consts("A B C D", SETS)

    def holds(n: Any) -> z3.BoolRef:
        return weight_up_to(a, n) + weight_up_to(b, n) <= weight_up_to(c, n) + weight_up_to(d, n)

    def known(n: Any) -> tuple[z3.BoolRef, ...]:
        defined = (given("WEIGHT-DEFINITION", members, n) for members in sets)
        return _covered(a, b, c, d), given("COMMITTEE-LISTING", listed(n), n), *defined

    yield from by_induction("the law", holds, known)


@formula("WEIGHT-INSERT")
def weight_insert(members: Any, validator: Any) -> z3.BoolRef:
    """Nobody weighs nothing; a new member adds its rights."""
    more = weight_of(insert(members, validator)) == weight_of(members) + right(validator)
    return z3.And(weight_of(NOBODY) == 0, z3.Implies(z3.Not(members[validator]), more))


@proof("WEIGHT-INSERT")
def insert_by_induction(given: Given) -> Iterator[Query]:
    """Go along the list: the sums differ from the place of the new member on."""
    members, v = z3.Const("A", SETS), z3.Const("v", VALIDATORS)
    larger, at = insert(members, v), place(v)

    def nothing(n: Any) -> z3.BoolRef:
        return weight_up_to(NOBODY, n) == 0

    yield from by_induction("nobody", nothing, lambda n: (given("WEIGHT-DEFINITION", NOBODY, n),))

    def holds(n: Any) -> z3.BoolRef:
        passed = z3.And(at >= 0, at < n, listed(at) == v)
        added = weight_up_to(larger, n) == weight_up_to(members, n) + z3.If(passed, right(v), 0)
        return z3.Implies(n <= size, added)

    def known(n: Any) -> tuple[z3.BoolRef, ...]:
        defined = (given("WEIGHT-DEFINITION", one, n) for one in (members, larger))
        return z3.Not(members[v]), given("COMMITTEE-LISTING", v, n), *defined

    yield from by_induction("one more", holds, known)
    proved = (nothing(size), holds(size), given("COMMITTEE-LISTING", v, size))
    yield Query("the whole list", proved, said("WEIGHT-INSERT", members, v), {"v": v})


# --- The functions -----------------------------------------------------------------------------------------------


@formula("COMMITTEE-TOTAL")
def committee_total(total: Any) -> z3.BoolRef:
    """The total is the weight of everybody, positive and in range."""
    return z3.And(total == weight_of(EVERYBODY), total > 0, total < TOTAL_BOUND)


def is_table(weights: SMap, validator: Any) -> z3.BoolRef:
    """Whether the map of a committee gives a validator its rights."""
    return right(validator) == z3.If(weights.present[validator], weights.array[validator], 0)


def the_committee(*asked: Any) -> Committee:
    """Return the committee as a symbolic record; its map is known for the validators that matter."""
    weights: Any = SMap.unknown(BYTES, RIGHTS, "weights")
    for validator in asked:
        assume(is_table(weights, validator))
    return Committee(weights, unknown(TOTALS, "total"))


@formula("WEIGHT")
def weight_is_right(found: Any, validator: Any) -> z3.BoolRef:
    """The function returns the rights."""
    return z3.And(found == right(validator), found >= 0)


@proof("WEIGHT")
def weight_of_one(_: Given) -> Iterator[Query]:
    """Look up an arbitrary key."""

    def run() -> None:
        validator = fresh("validator", VALIDATORS)
        committee = the_committee(validator)
        found = attempt(weight, committee, SAtom(validator))
        claim("the rights", said("WEIGHT", term(found), validator))

    yield from lifted("weight", run)


@formula("COMBINED-WEIGHT")
def combined_is_weight(found: Any, members: Any) -> z3.BoolRef:
    """The function returns the weight of the set."""
    return z3.And(found == weight_of(members), found >= 0)


first: Final = z3.Function("first", z3.IntSort(), SETS)
"""The set of the first n items of a list of validators."""


@proof("COMBINED-WEIGHT")
def weight_of_many(given: Given) -> Iterator[Query]:
    """Fold over an arbitrary list of distinct validators."""
    item = z3.Function("item", z3.IntSort(), VALIDATORS)

    def known(votes: Any, n: Any) -> z3.BoolRef:
        return z3.And(term(votes) == weight_of(first(n)), term(votes) >= 0)

    def lemmas(_: Any, n: Any) -> tuple[z3.BoolRef, ...]:
        added = given("WEIGHT-INSERT", first(n), item(n))
        return first(0) == NOBODY, added, first(n + 1) == insert(first(n), item(n)), z3.Not(first(n)[item(n)])

    def rights(_: Committee, validator: SAtom) -> SInt:
        found = unknown(RIGHTS, "rights")
        assume(given("WEIGHT", found.term, validator.term))
        return SInt(found.term)

    def run() -> None:
        validators = unknown_list(lambda i: SAtom(item(i)), "validators")
        fold = Induction(known, lambda: unknown(INTEGERS, "votes"), lemmas=lemmas)
        found = attempt(with_callees(combined_weight, fold=fold, weight=rights), the_committee(), validators)
        claim("the weight", said("COMBINED-WEIGHT", term(found), first(validators.length)))

    yield from lifted("combined weight", run)


class Table:
    """The map that the shipped code builds from a list of pairs: one entry per key."""

    def __init__(self, pairs: SList) -> None:
        """Take the pairs; how many entries they make is not known."""
        self.length = size
        assume(z3.And(size >= 0, size <= pairs.length))

    def values(self) -> SList:
        """Return the rights along the list of the members."""
        return SList(lambda i: SInt(right(listed(i))), size, z3.IntVal(-1))


@proof("COMMITTEE-TOTAL")
def committee_from_pairs(given: Given) -> Iterator[Query]:
    """Make a committee from an arbitrary list of pairs."""
    keys, lengths = z3.Function("key", z3.IntSort(), VALIDATORS), z3.Function("length", VALIDATORS, z3.IntSort())
    rights = z3.Function("rights", z3.IntSort(), z3.IntSort())

    def length_of(value: Any) -> SInt:
        return SInt(lengths(value.term) if isinstance(value, SAtom) else value.length)

    def run() -> None:
        pairs = unknown_list(lambda i: (SAtom(keys(i)), SInt(rights(i))), "pairs")
        fold = Induction(
            lambda total, n: term(total) == weight_up_to(EVERYBODY, n),
            lambda: unknown(INTEGERS, "sum"),
            lemmas=lambda _, n: (given("WEIGHT-DEFINITION", EVERYBODY, n),),
        )
        names = {"tuple": lambda items: items, "Map": Table, "len": length_of, "all": every(pairs), "fold": fold}
        made = attempt(with_callees(make_committee, **names), pairs)
        key, weighs = keys(pairs.place), rights(pairs.place)
        lawful = z3.And(lengths(key) == 32, weighs >= 0, weighs <= MAX_U64)
        match made:
            case Committee():
                claim("the total", said("COMMITTEE-TOTAL", term(made.total)))
                claim("one entry per pair", size == pairs.length)
                claim("every pair is lawful", z3.Implies(pairs.has(pairs.place), lawful))
            case Rejected(reason=Reason.DUPLICATE_VALIDATOR):
                claim("a key is repeated", size < pairs.length)
            case Rejected(reason=Reason.OUT_OF_RANGE):
                claim("no key is repeated", size == pairs.length)
                claim("a pair is not lawful", z3.And(pairs.has(pairs.place), z3.Not(lawful)))
            case Rejected(reason=Reason.EMPTY_COMMITTEE):
                claim("nobody has rights", z3.And(weight_of(EVERYBODY) <= 0, size == pairs.length))
            case Rejected(reason=Reason.COMMITTEE_OVERFLOW, detail=total):
                claim("the detail is the sum", total.term == weight_of(EVERYBODY))
                claim("too many rights", total.term >= TOTAL_BOUND)
            case _:
                claim("another reason", z3.BoolVal(False))

    yield from lifted("make a committee", run)

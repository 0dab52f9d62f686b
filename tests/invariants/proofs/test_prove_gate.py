"""The vacuity gate notices each way in which a proof is worth nothing."""

from collections.abc import Iterator

import pytest
import z3
from attrs import evolve

from linera_invariants.proofs import gate
from linera_invariants.proofs import theorems as registry
from linera_invariants.proofs.entries import Theorem, theorems
from linera_invariants.proofs.gate import complaints, examine, happens, holds_somewhere, satisfiable
from linera_invariants.proofs.prover import Answered, Asked, ProveReport, Proving, Verdict
from linera_invariants.proofs.queries import Query, finite_model, witness
from linera_invariants.proofs.symbolic import conj
from linera_invariants.proofs.theorems import Given, said
from linera_invariants.proofs.words import entry_rows, gate_lines

X = z3.Int("x")
SEEN = witness("seen", [X > 5])
GOOD = Query("x", (X > 5,), X > 3)


def theorem(*uses: str, kind: str = "theorem", functions: tuple[str, ...] = ()) -> Theorem:
    return Theorem("T", "title", kind, "sentence", uses, functions=functions)  # type: ignore[arg-type]


def complaint(entry: Theorem, *asked: Query) -> list[str]:
    return list(complaints(entry, examine(entry, list(asked))))


def test_a_sound_proof_passes():
    assert complaint(theorem(), GOOD, SEEN) == []


def test_contradictory_hypotheses():
    assert complaint(theorem(), Query("x", (X > 5, X < 3), X == 9), SEEN) == ["x: the hypotheses contradict each other"]


def test_a_path_that_nothing_takes():
    never = Query("x", (X > 5,), z3.Implies(X < 3, X == 9), cases=((X < 3, X == 9),))
    assert holds_somewhere(never) == "no"
    both = Query("x", (X > 5,), z3.BoolVal(True), cases=((X < 3, X == 9), (X > 7, X > 6)))
    assert holds_somewhere(both) == "yes"


def test_what_is_shown_to_be_impossible_needs_no_place():
    assert not happens(Query("x", (X > 5, X < 3), z3.BoolVal(False)))
    assert not happens(Query("x", (X > 5,), X > 3, cases=((X < 3, z3.BoolVal(False)),)))
    assert not happens(SEEN)
    assert happens(GOOD)


def test_a_conclusion_that_holds_anyway():
    empty = Query("x", (X > 5,), X == X + 0)
    assert complaint(theorem(), empty, SEEN) == ["what it concludes holds without any hypothesis"]
    assert complaint(theorem(), empty, GOOD, SEEN) == []
    # Of a contract this is found out by breaking the function.
    assert complaint(theorem(kind="contract", functions=("m:f",)), empty, SEEN) == []


@pytest.mark.parametrize(("kind", "expected"), [("theorem", 1), ("contract", 1), ("lemma", 0)])
def test_a_witness_is_wanted(kind: str, expected: int):
    impossible = Query("x", (X > 5, X < 3), z3.BoolVal(False))
    bare = Query("x", (), X == X + 0)
    assert len(complaint(theorem(kind=kind), impossible, bare)) == expected
    assert complaint(theorem(kind=kind), impossible, SEEN) == []
    assert complaint(theorem(kind=kind), GOOD) == []  # a model of the hypotheses is one


def test_what_the_solver_cannot_say_is_undetermined():
    f = z3.Function("f", z3.IntSort(), z3.IntSort())
    n, m = z3.Ints("n m")
    hard = z3.ForAll([n, m], f(n) * f(m) + 3 == f(n * m + 1) * f(n + m) * f(m))
    assert satisfiable(hard) == "undetermined"
    found = examine(theorem(), [Query("hard", (hard,), X > 3), SEEN])
    assert found.undetermined == ("hard",)


def test_cvc5_is_asked_what_z3_cannot_say(monkeypatch: pytest.MonkeyPatch):
    told = {"countermodel": "yes", "proved": "no", "unknown": "undetermined"}
    z3.set_param("smt.mbqi", False)
    try:
        for number, (answer, expected) in enumerate(told.items()):
            monkeypatch.setattr(gate, "finite_model", lambda *_, answer=answer: answer)
            g = z3.Function(f"g{number}", z3.IntSort(), z3.IntSort())
            assert satisfiable(z3.ForAll([X], g(X) > X)) == expected
        monkeypatch.setattr(gate, "find_spec", lambda _: None)
        h = z3.Function("h", z3.IntSort(), z3.IntSort())
        assert satisfiable(z3.ForAll([X], h(X) > X)) == "undetermined"
    finally:
        z3.set_param("smt.mbqi", True)


def test_cvc5_finds_finite_models():
    sort = z3.DeclareSort("Thing")
    a, b, c = z3.Consts("a b c", sort)
    two = z3.And(a != b, z3.ForAll([c], z3.Or(c == a, c == b)))
    assert finite_model(two, 5) == "countermodel"
    assert finite_model(z3.And(two, z3.Distinct(a, b, z3.Const("d", sort))), 5) == "proved"


def hypotheses(monkeypatch: pytest.MonkeyPatch, needed: z3.BoolRef, idle: z3.BoolRef) -> gate.Gate:
    said = {"NEEDED": needed, "IDLE": idle}

    def queries(_: str, dropped: str | None) -> Iterator[Query]:
        yield Query("x", tuple(formula for name, formula in said.items() if name != dropped), X > 3)
        yield SEEN

    monkeypatch.setattr(gate, "queries", queries)
    return examine(theorem("NEEDED", "IDLE"), [Query("x", (conj(needed, idle),), X > 3), SEEN])


def test_hypotheses_are_needed_or_not(monkeypatch: pytest.MonkeyPatch):
    found = hypotheses(monkeypatch, X > 5, X < 900)
    assert found.hypotheses == {"NEEDED": "needed", "IDLE": "unneeded"}
    assert found.unneeded == ["IDLE"]


def test_a_hypothesis_may_stay_undetermined(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gate, "BUDGET", 0)
    satisfiable.cache_clear()
    assert set(hypotheses(monkeypatch, X > 5, X < 900).hypotheses.values()) == {"undetermined"}


def test_a_dropped_hypothesis_is_really_left_out():
    given = Given(theorem("COMMITTEE-LISTING"), dropped="COMMITTEE-LISTING")
    assert z3.is_true(given("COMMITTEE-LISTING"))
    with pytest.raises(LookupError):
        given("FAULT-BOUND")


def test_the_table_says_what_the_gate_found(monkeypatch: pytest.MonkeyPatch):
    name = "IS-QUORUM"
    found = Proving(name, gate=gate.Gate(1, hypotheses={"A": "unneeded", "B": "undetermined"}, undetermined=("q",)))
    report = ProveReport((name,), {name: found})
    assert next(entry_rows(report, verbose=False))[-1] == "1 unneeded, 2 unsure"
    assert list(gate_lines(report, verbose=False)) == [f"{name}: the proof does not need A"]
    assert len(list(gate_lines(report, verbose=True))) == 3
    vacuous = ProveReport((name,), {name: Proving(name, gate=gate.Gate(0))})
    assert next(entry_rows(vacuous, verbose=False))[-1] == "VACUOUS"


def test_a_vacuous_proof_is_no_proof():
    good = (Asked("it", False, (Answered("z3", "proved", 0.1, expected=True),)),)
    empty = Proving("IS-QUORUM", good, gate.Gate(0))
    assert ProveReport(("IS-QUORUM",), {"IS-QUORUM": empty}).verdicts()["IS-QUORUM"] is Verdict.VACUOUS


def test_a_proof_says_no_other_entry_than_its_own(monkeypatch: pytest.MonkeyPatch):
    entry = evolve(theorems()["QUORUM-CORRECT"], uses=())
    monkeypatch.setattr(registry, "theorems", lambda: {entry.name: entry})
    sort = z3.DeclareSort("Quorum")
    member = z3.Function("member", sort, sort, z3.BoolSort())
    correct = z3.Function("correct", sort, z3.BoolSort())

    def proof_that_says(name: str) -> Iterator[Query]:
        yield Query("q", (), said(name, member, correct))

    for name in (entry.name, "QUORUM-INTERSECTION"):
        monkeypatch.setattr(registry, "proofs", lambda name=name: {entry.name: lambda _: proof_that_says(name)})
        if name == entry.name:
            assert len(list(registry.queries(entry.name))) == 1
        else:
            with pytest.raises(LookupError, match=f"the proof of {entry.name} says {name}"):
                list(registry.queries(entry.name))
    assert said("QUORUM-INTERSECTION", member, correct) is not None  # outside of proofs whoever wants may look

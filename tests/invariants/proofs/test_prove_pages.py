"""The picture of the theorems, the comparison with public names, and the traceability of theorems."""

import itertools
import re
from pathlib import Path

import pytest
from attrs import evolve

from linera_invariants import verify
from linera_invariants.clauses import SpecError
from linera_invariants.explain import explain
from linera_invariants.matrix import build_matrix, check_matrix
from linera_invariants.proofs.crosswalk import PublicName, comparisons, disagreements, read_crosswalk
from linera_invariants.proofs.entries import Theorem, theorems
from linera_invariants.proofs.pictures import HEIGHT, WIDTH, dependency_graph, depths, direct_uses, layout
from linera_invariants.proofs.prover import Proving
from linera_invariants.verify import Verdict, judge_claims, judge_statements

# --- the picture -------------------------------------------------------------------------------------------------


def test_every_entry_has_a_box_and_no_two_overlap():
    places, lanes = layout(theorems())
    assert places.keys() == theorems().keys()
    boxes = sorted(places.values())
    for (x1, y1), (x2, y2) in itertools.pairwise(boxes):
        assert abs(x1 - x2) >= WIDTH or abs(y1 - y2) >= HEIGHT
    for name, (_, y) in places.items():
        assert sum(top < y < top + height - HEIGHT for _, top, height in lanes) == 1, name


def test_what_is_used_stands_to_the_left():
    places, _ = layout(theorems())
    for name, entry in theorems().items():
        assert all(places[used][0] + WIDTH < places[name][0] for used in entry.uses if used in places)


def small(**uses: tuple[str, ...]) -> dict[str, Theorem]:
    return {name: Theorem(name, name.lower(), "lemma", "s", used, file="10-x.toml") for name, used in uses.items()}


def test_lines_that_follow_from_others_are_left_out():
    entries = small(A=(), B=("A",), C=("A", "B"))
    assert direct_uses(entries, "C") == ["B"]
    assert depths(entries) == {"A": 0, "B": 1, "C": 2}
    drawn = dependency_graph(entries)
    assert re.findall(r'class="from-(\w+) to-(\w+)"', drawn) == [("A", "B"), ("B", "C")]
    assert 'href="theorems/C.html"' in drawn
    assert drawn == dependency_graph(entries)
    assert dependency_graph({}).startswith("<svg")


# --- public names ------------------------------------------------------------------------------------------------


def public(name: str, word: str = "") -> PublicName:
    return PublicName(name, "statement", "says", word, ("S1",), "", "f", 1)


def test_the_shipped_comparison_fits_the_theorems():
    names = read_crosswalk()
    assert len({found.name for found in names}) == len(names) == 121
    assert list(disagreements(names, theorems().values())) == []


def test_a_name_is_compared_once():
    entry = evolve(small(A=())["A"], public=(("X", "same"),))
    assert list(disagreements((public("X"),), [entry])) == []
    assert comparisons(public("X"), [entry]) == {"same": ("A",)}
    assert comparisons(public("Y", "weaker"), [entry]) == {"weaker": ("S1",)}
    assert len(list(disagreements((public("X", "same"),), [entry]))) == 1
    assert len(list(disagreements((public("X"), public("Y")), [entry]))) == 1
    assert len(list(disagreements((), [entry]))) == 1
    assert len(list(disagreements((public("X"),), [evolve(entry, public=(("X", "alike"),))]))) == 1


def test_a_malformed_comparison_is_refused(tmp_path: Path):
    folder = tmp_path / "spec" / "statements"
    folder.mkdir(parents=True)
    (folder / "crosswalk.toml").write_text('[[public]]\nname = "X"\nkind = "guess"\nsays = "s"\n')
    with pytest.raises(SpecError, match="expected name, kind, says"):
        read_crosswalk(tmp_path / "spec")


# --- traceability ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("clauses", "names the unknown clause NO"),
        ("proves", "names the unknown statement NO"),
        ("functions", "names the unknown function NO"),
        ("uses", "names the unknown theorem NO"),
    ],
)
def test_the_matrix_notices_what_a_theorem_names_wrongly(field: str, message: str):
    matrix = build_matrix()
    first, *rest = matrix.theorems
    broken = evolve(matrix, theorems=(evolve(first, **{field: ("NO",)}), *rest))
    assert f"{first.name}: {message}" in {problem.message for problem in check_matrix(broken)}


def test_the_matrix_notices_wrong_comparisons():
    matrix = build_matrix()
    found = check_matrix(evolve(matrix, public=(evolve(public("X", "same"), ours=("NO",)),)))
    assert "X: names the unknown NO" in {problem.message for problem in found}


def test_theorems_are_explained():
    assert "QUORUM-ARITHMETIC" in {found.name for found in explain("S25").links["theorems"]}
    assert "QUORUM-ARITHMETIC" in {found.name for found in explain("WP-2.2-QUORUM").links["theorems"]}
    found = explain("quorum-arithmetic")
    assert (found.id, found.kind) == ("QUORUM-ARITHMETIC", "contract")
    assert {"committee.quorum_threshold"} <= {reference.name for reference in found.links["code"]}


# --- verify ------------------------------------------------------------------------------------------------------


def judged(proved: frozenset[str], violated: str = "") -> dict[str, Verdict]:
    names = [name for name in verify.registry.statements() if name[0] in "SL"]
    findings = [verify.Finding("here", "it", violated)] if violated else []
    statements = list(judge_statements(dict.fromkeys(names, 1), findings, proved))
    reached = {place: 1 for places in verify.WITNESSES.values() for place in places}
    claims = judge_claims(statements, reached, findings, proved)
    return {found.name: found.verdict for found in (*statements, *claims)}


def test_a_proved_statement_is_called_proved():
    found = judged(frozenset({"S4"}))
    assert (found["S4"], found["S5"]) == (Verdict.PROVED, Verdict.TESTED)
    assert judged(frozenset({"S4"}), "S4")["S4"] is Verdict.VIOLATED


def test_a_claim_is_as_good_as_its_weakest_statement():
    uses = set(verify.registry.statements()["C4"].uses)
    assert judged(frozenset(uses | {"C4"}))["C4"] is Verdict.PROVED
    assert judged(frozenset(uses - {"S8"} | {"C4"}))["C4"] is Verdict.TESTED
    assert judged(frozenset(uses))["C4"] is Verdict.TESTED  # it has theorems of its own
    assert judged(frozenset(uses | {"C4"}), "S8")["C4"] is Verdict.VIOLATED


def test_a_theorem_that_fails_is_found_and_is_no_violation():
    proofs = verify.judge_proofs([Proving("QUORUM-ARITHMETIC", problem="broken")])
    assert "S25" not in proofs.proved
    assert ("theorem QUORUM-ARITHMETIC", "broken") in {(found.where, found.what) for found in proofs.findings}
    assert {theorem.name for theorem in proofs.theorems} == theorems().keys()


def test_without_solvers_proofs_are_not_run(monkeypatch: pytest.MonkeyPatch):
    assert "proofs" not in dict(verify.not_run())
    monkeypatch.setattr(verify, "missing_solvers", lambda: ["cvc5"])
    assert dict(verify.not_run())["proofs"] == "not run: without cvc5: install linera-reference[proofs]"
    assert verify.judge_proofs([]) == verify.Proofs()
    assert not [job for job in verify.jobs_of(full=False, seed=1) if job[0] == "proofs"]


def test_one_file_is_one_job():
    jobs = [arguments for kind, arguments in verify.jobs_of(full=False, seed=1) if kind == "proofs"]
    assert jobs == [(file,) for file in verify.theorem_files()]
    found = verify.proofs_job(theorems()["QUEUE-SPLIT"].file)
    assert [proving.name for proving in found] == ["QUEUE-SPLIT"]
    assert found[0].asked[0].holds

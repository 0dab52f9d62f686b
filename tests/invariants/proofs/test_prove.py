"""Proving: verdicts are earned, failures are shown with their values, and nothing partial passes for success."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import z3
from attrs import evolve
from commands import Command, runner

from linera_invariants import proofs as proofs_package
from linera_invariants.clauses import SpecError
from linera_invariants.errors import UsageError
from linera_invariants.inputs import schema_validator
from linera_invariants.mutation import applied, edit
from linera_invariants.proofs import entries, prover
from linera_invariants.proofs.entries import Theorem, closure, proofs_of, select, theorems
from linera_invariants.proofs.models import constants, shown
from linera_invariants.proofs.prover import Answered, ProveReport, Proving, Task, Verdict, concerns, do
from linera_invariants.proofs.queries import Query, Result
from linera_invariants.proofs.symbolic import OutsideSubsetError
from linera_invariants.proofs.timing import LateError, at_most, check_time
from linera_invariants.proofs.words import failure_lines, summary

NAME = "QUORUM-ARITHMETIC"
QUORUM = "committee:quorum_threshold"
SMALL = edit(QUORUM, "return total - max_faulty(total)", "return total - max_faulty(total) - 1")


def proved(**options: Any) -> Proving:
    return do(evolve(Task(NAME, gate=False), **options))


def report(*found: Proving, **options: Any) -> ProveReport:
    return ProveReport(tuple(one.name for one in found), {one.name: one for one in found}, **options)


# --- verdicts ----------------------------------------------------------------------------------------------------


def test_both_solvers_prove():
    found = proved(gate=True)
    assert report(found).verdicts() == {NAME: Verdict.PROVED}
    assert report(found).holds
    assert {answer.solver for asked in found.asked for answer in asked.answers} == {"z3", "cvc5"}
    assert found.memory > 0


@pytest.mark.parametrize("solver", ["z3", "cvc5"])
def test_one_solver_alone_proves_nothing(solver: Any):
    alone = report(proved(solvers=(solver,)), solvers=(solver,))
    assert alone.verdicts() == {NAME: Verdict(f"{solver} only")}
    assert alone.proved_statements() == frozenset()
    assert "not called Proved" in summary(alone)


def test_a_broken_function_has_a_countermodel_with_values():
    with applied(SMALL):
        found = report(proved(solvers=("z3",)), solvers=("z3",))
    assert found.verdicts() == {NAME: Verdict.FAILED}
    lines = list(failure_lines(found))
    assert any(line.startswith(f"{NAME}: N_MINUS_F: quorums overlap: z3 says it has a countermodel") for line in lines)
    values = dict(line.strip().split(" = ") for line in lines if line.startswith("    "))
    total, faulty = int(values["total"]), int(values["faulty"])
    assert 3 * faulty < total
    assert 2 * (total - (total - 1) // 3 - 1) - total <= faulty or faulty <= (total - 1) // 3


def answers(monkeypatch: pytest.MonkeyPatch, answer: Callable[[int], str]) -> Proving:
    monkeypatch.setattr(prover, "ask", lambda _, solver, seed: Result(solver, answer(seed), 5.0))
    monkeypatch.setattr(prover, "queries", lambda _: iter([Query("it", (), z3.BoolVal(True))]))
    return proved(seeds=3)


def test_not_to_know_is_a_failure(monkeypatch: pytest.MonkeyPatch):
    found = report(answers(monkeypatch, lambda _: "unknown"))
    assert found.verdicts() == {NAME: Verdict.UNKNOWN}
    assert not found.holds
    assert next(failure_lines(found)) == f"{NAME}: it: z3 does not know (after 5.0 s)"


def test_a_verdict_that_depends_on_the_seed_is_a_failure(monkeypatch: pytest.MonkeyPatch):
    found = report(answers(monkeypatch, lambda seed: "unknown" if seed == 2 else "proved"), seeds=3)
    assert found.verdicts() == {NAME: Verdict.UNSTABLE}
    assert "not under every seed" in next(failure_lines(found))
    assert answers(monkeypatch, lambda _: "proved").asked[0].holds


@pytest.mark.parametrize("error", [OutsideSubsetError("SInt has no length"), KeyError("x"), LookupError("uses")])
def test_a_proof_that_raises_is_a_failure_of_its_entry(monkeypatch: pytest.MonkeyPatch, error: Exception):
    def queries(_: str) -> Iterator[Query]:
        raise error
        yield

    monkeypatch.setattr(prover, "queries", queries)
    found = report(proved())
    assert found.verdicts() == {NAME: Verdict.FAILED}
    assert next(failure_lines(found)) == f"{NAME}: {type(error).__name__}: {error}"


def test_a_proof_that_asks_nothing_proves_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(prover, "queries", lambda _: iter(()))
    assert report(proved()).verdicts() == {NAME: Verdict.FAILED}


def test_a_proof_ends_in_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(prover, "PATIENCE", 0)
    assert proved().problem == "not done after 0 s"
    with pytest.raises(LateError), at_most(0):
        check_time()
    check_time()


def test_what_uses_a_failure_is_unsupported():
    user = next(name for name, entry in theorems().items() if NAME in entry.uses)
    good = Answered("z3", "proved", 0.1, expected=True)
    holds = Proving(user, (prover.Asked("it", False, (good,)),))
    failed = Proving(NAME, problem="broken")
    assert report(failed, holds).verdicts()[user] is Verdict.UNSUPPORTED
    fine = evolve(holds, name=NAME)
    assert report(fine, holds).verdicts()[NAME] is Verdict.PROVED


def test_definitions_are_counted_apart_from_assumptions():
    found = ProveReport(("WEIGHT-DEFINITION", "FAULT-BOUND", "HASH-INJECTIVE"), {})
    assert list(found.verdicts().values()) == [Verdict.DEFINED, Verdict.ASSUMED, Verdict.ASSUMED]
    assert found.holds
    assert "2 assumed, 1 defined" in summary(found)
    assert not theorems()["WEIGHT-DEFINITION"].has_proof


def test_a_statement_is_proved_by_all_its_theorems():
    good = prover.Asked("it", False, (Answered("z3", "proved", 0.1, expected=True),))
    everything = [Proving(name, (good,)) for name, entry in theorems().items() if entry.has_proof]
    known = tuple(theorems())
    all_good = ProveReport(known, {found.name: found for found in everything})
    assert "S25" in all_good.proved_statements()
    last = proofs_of("S25")[-1]
    one_bad = evolve(all_good, proved={**all_good.proved, last: Proving(last, problem="broken")})
    assert "S25" not in one_bad.proved_statements()
    assert "S25" not in report(Proving(NAME, (good,))).proved_statements()


# --- which entries -----------------------------------------------------------------------------------------------


def test_words_mean_entries():
    assert select(()) == list(theorems())
    assert select([NAME.lower()]) == [NAME]
    assert select(["S25"]) == proofs_of("S25")
    assert set(proofs_of("S4")) <= set(select(["C1"]))
    assert set(theorems()["IS-QUORUM"].uses) <= set(closure(["IS-QUORUM"]))
    assert closure(closure(["S25"])) == closure(["S25"])


@pytest.mark.parametrize(
    ("word", "message"),
    [("QUORUM-ARITHMETICS", "did you mean QUORUM-ARITHMETIC"), ("xyzzy", "expected a theorem or a statement")],
)
def test_unknown_words(word: str, message: str):
    with pytest.raises(UsageError, match=message):
        select([word])


def test_a_statement_without_theorem(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(entries, "theorems", dict)
    with pytest.raises(UsageError, match="no theorem proves this statement"):
        select(["S25"])


ENTRY = '[[theorem]]\nname = "X"\ntitle = "t"\nkind = "lemma"\nsentence = "s"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ENTRY.replace("lemma", "guess"), "the kind 'guess' is none of"),
        (ENTRY.replace('title = "t"\n', ""), "expected title"),
        (ENTRY + "uses = 3\n", "expected uses"),
        (ENTRY + 'uses = ["A", "A"]\n', "without repetition"),
        (ENTRY + 'without = "A"\n', "expected a table without"),
        (ENTRY + "colour = 1\n", "unknown keys: colour"),
        (ENTRY + ENTRY, "X is defined twice"),
        ("nonsense", "not TOML"),
    ],
)
def test_malformed_entries(tmp_path: Path, text: str, message: str):
    folder = tmp_path / "spec" / "statements" / "theorems"
    folder.mkdir(parents=True)
    (folder / "10-x.toml").write_text(text)
    with pytest.raises(SpecError, match=message):
        theorems(tmp_path / "spec")


def test_problems_that_concern_entries():
    assert concerns(f"{NAME}: uses X", [NAME])
    assert not concerns(f"{NAME}: uses X", ["IS-QUORUM"])
    assert concerns("NEW: stated as a formula, and no such entry", [NAME])


# --- countermodels -----------------------------------------------------------------------------------------------


def test_values_read_like_the_core():
    key = z3.DeclareSort("Key")
    pair = z3.Datatype("Pair_key_Key")
    pair.declare("make_Pair_key_Key", ("Pair_key_Key_key", key), ("Pair_key_Key_height", z3.IntSort()))
    sort = pair.create()
    maybe = z3.Datatype("Optional_Int")
    maybe.declare("none_Optional_Int")
    maybe.declare("some_Optional_Int", ("value_Optional_Int", z3.IntSort()))
    optional = maybe.create()
    solver, a, b = z3.Solver(), z3.Const("a", key), z3.Const("b", key)
    solver.add(a != b)
    solver.check()
    model = solver.model()
    record = sort.constructor(0)(a, z3.IntVal(7))
    assert shown(model.eval(record, model_completion=True)).startswith("Pair(key = Key#")
    assert shown(model.eval(record, model_completion=True)).endswith("height = 7)")
    assert shown(optional.constructor(0)()) == "⊥"
    assert shown(optional.constructor(1)(z3.IntVal(3))) == "3"
    empty = z3.K(z3.IntSort(), z3.BoolVal(False))
    assert shown(z3.Store(z3.Store(empty, 1, True), 2, True)) == "{2, 1}"
    assert shown(z3.Store(z3.K(z3.IntSort(), z3.BoolVal(True)), 2, False)) == "all but {2}"
    assert shown(z3.Store(z3.K(z3.IntSort(), z3.IntVal(0)), 2, 5)) == "{2: 5, else 0}"
    assert constants([z3.ForAll([z3.Int("bound")], z3.Int("bound") > z3.Int("free"))]) == {"free"}


# --- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return runner(capsys, "prove")


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the entries that a test proves, not at whether all others fit."""
    monkeypatch.setattr(prover, "concerns", lambda text, names: text.partition(":")[0] in names)


def test_prove_tells_people(command: Command):
    ended = command(NAME, "--verbose")
    assert ended.code == 0
    assert "Proved" in ended.out
    assert "every theorem holds: 1 Proved" in ended.out
    assert "3f < N" in ended.out
    assert command(NAME, "--solver", "z3", "--no-gate", "--quiet").out.startswith("every theorem holds: 1 z3 only")


def test_prove_writes_json(command: Command, tmp_path: Path):
    document = json.loads(command(NAME, "--json", "-").out)
    schema_validator("report").validate(document)
    assert document["result"]["holds"]
    (entry,) = document["result"]["entries"]
    assert (entry["name"], entry["verdict"]) == (NAME, "Proved")
    assert entry["gate"]["witnesses"] >= 2
    target = tmp_path / "proofs.json"
    assert "Proved" in command(NAME, "--no-gate", "--json", str(target)).out
    schema_validator("report").validate(json.loads(target.read_text()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["QUORUM-ARITHMETICS"], "unknown theorem"),
        ([NAME, "--solver", "yices"], "--solver: expected z3 or cvc5 or both"),
        ([NAME, "--export", "{tmp}"], "expected an empty folder, or none yet"),
    ],
)
def test_wrong_input_is_one_message(command: Command, tmp_path: Path, arguments: list[str], message: str):
    (tmp_path / "something").touch()
    ended = command(*(argument.replace("{tmp}", str(tmp_path)) for argument in arguments))
    assert ended.code == 2
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert ended.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["something"]


@pytest.mark.parametrize(("missing", "wanted"), [({"z3", "cvc5"}, "z3-solver and cvc5"), ({"cvc5"}, "cvc5")])
def test_a_missing_solver_is_one_message(
    command: Command, monkeypatch: pytest.MonkeyPatch, missing: set[str], wanted: str
):
    monkeypatch.setattr(proofs_package, "find_spec", lambda name: None if name in missing else object())
    ended = command(NAME)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"error: {wanted}: not installed: install linera-reference[proofs]\n"
    if missing == {"cvc5"}:
        assert command(NAME, "--solver", "z3", "--no-gate").code == 0


def test_a_failure_is_exit_code_1(command: Command, monkeypatch: pytest.MonkeyPatch):
    in_this_process(monkeypatch)
    with applied(SMALL):
        ended = command(NAME, "--no-gate")
    assert ended.code == 1
    assert "quorums overlap: z3 says it has a countermodel" in ended.out
    assert "total = " in ended.out
    assert "not everything is proved: 1 FAILED" in ended.out


def in_this_process(monkeypatch: pytest.MonkeyPatch, stop: bool = False) -> None:
    """Let the work be done here, up to an interrupt before the second task if wanted."""

    def imap_unordered(work: Callable[[Task], Proving], tasks: list[Task]) -> Iterator[Proving]:
        yield work(tasks[0])
        if stop:
            raise KeyboardInterrupt
        yield from map(work, tasks[1:])

    @contextmanager
    def pool() -> Iterator[Any]:
        yield SimpleNamespace(apply=lambda work: work(), imap_unordered=imap_unordered)

    monkeypatch.setattr(prover, "proof_pool", pool)


def test_an_interruption_is_partial_and_no_pass(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    in_this_process(monkeypatch, stop=True)
    document, folder = tmp_path / "partial.json", tmp_path / "queries"
    ended = command("IS-QUORUM", NAME, "--no-gate", "--json", str(document), "--export", str(folder))
    assert ended.code == 130
    assert "interrupted: partial result, not a pass" in ended.err
    assert "not run" in ended.out
    assert "PARTIAL: " in ended.out
    found = json.loads(document.read_text())
    schema_validator("report").validate(found)
    assert (found["exit_code"], found["result"]["complete"], found["result"]["holds"]) == (130, False, False)
    assert not folder.exists()


def test_export_can_be_checked_again(command: Command, tmp_path: Path):
    one, other = tmp_path / "one", tmp_path / "other"
    assert command(NAME, "--no-gate", "--export", str(one)).code == 0
    assert command(NAME, "--no-gate", "--solver", "z3", "--export", str(other)).code == 0
    files = {path.name: path.read_bytes() for path in one.iterdir()}
    assert files == {path.name: path.read_bytes() for path in other.iterdir()}
    rows = json.loads(files["index.json"])["queries"]
    assert {row["file"] for row in rows} == files.keys() - {"index.json"}
    for row in rows:
        assert sha256(files[row["file"]]).hexdigest() == row["sha256"]
        solver = z3.Solver()
        solver.from_string(files[row["file"]].decode())
        assert str(solver.check()) == row["expected"]


def test_entries_are_records_of_their_files():
    entry = theorems()[NAME]
    assert isinstance(entry, Theorem)
    assert entry.id == NAME
    assert entry.file.endswith("10-committee.toml")
    assert entry.line > 0

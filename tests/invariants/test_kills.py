"""Grading by mutation: the matrices, what makes them, and what is wrong with a bad one."""

import json
from pathlib import Path

import pytest
from attrs import evolve, frozen

from linera_invariants import kills
from linera_invariants.grading import CRASH, NO_END, Coverage, Suite, all_mutants, core_digest, cover, grades, watched
from linera_invariants.inputs import InputError
from linera_invariants.kills import GRADED, Matrix, check, document_of, judge, read_matrix
from linera_invariants.mutation import find
from linera_invariants.sources import core_root, package, repository_root
from linera_invariants.survivors import EQUIVALENT, OUT_OF_REACH, Survivor, read_survivors
from linera_reference.committee import max_faulty
from linera_reference.containers import Queue
from linera_reference.identifiers import is_ancestor, is_identifier

FAULTY = "committee:max_faulty"


@frozen
class Faulty:
    """A probe of the fault bound."""

    total: int
    expected: int

    @property
    def id(self) -> str:
        return f"faulty {self.total}"

    def failing(self) -> list[str]:
        return [] if max_faulty(self.total) == self.expected else ["answer"]


@frozen
class Splitting:
    """A probe that never ends when nothing is dropped from a queue."""

    id: str = "splitting"

    def failing(self) -> list[str]:
        queue: Queue[int] = Queue()
        return [] if queue.push(1).split_before(2, int)[0] == (1,) else ["answer"]


@frozen
class Identifying:
    id: str = "identifying"

    def failing(self) -> list[str]:
        return [] if is_identifier((1,)) and not is_ancestor((1,), (2,)) else ["answer"]


@pytest.fixture(scope="module")
def suite() -> Suite:
    return watched((Faulty(4, 1), Faulty(3, 0), Identifying(), Splitting()), enough=12, workers=2)


def test_a_mutant_is_shown_to_what_touches_it(suite: Suite) -> None:
    (mutant, *_) = (m for m in all_mutants() if m.function == FAULTY)
    assert [suite.probes[i].id for i in sorted(suite.coverage.touching(mutant))] == ["faulty 4", "faulty 3"]


def test_probes_notice_mutants(suite: Suite) -> None:
    wanted = [m.id for m in all_mutants() if m.function == FAULTY]
    found = {grade.mutant: grade for grade in grades(suite, wanted, workers=2)}
    assert list(found) == wanted
    divisor = next(m for m in wanted if find(m).text == "4")
    assert found[divisor].killers == {"faulty 4": ("answer",)}
    assert not found[divisor].killers.get("faulty 3")


def test_what_does_not_end_is_noticed(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("linera_invariants.grading.LEAST_SECONDS", 0.2)
    loops = [m.id for m in all_mutants() if m.function == "containers:Queue.split_before" and "effect" in m.kind]
    assert any(g.killers.get("splitting") == (NO_END,) for g in grades(suite, loops, workers=2))


def test_a_crash_is_noticed(suite: Suite) -> None:
    crashes = [m.id for m in all_mutants() if m.function == "containers:Queue.front"]
    assert any(g.killers.get("splitting") == (CRASH,) for g in grades(suite, crashes, workers=1))


def test_enough_is_enough() -> None:
    suite = watched([Faulty(total, (total - 1) // 3) for total in range(1, 9)], enough=2, workers=1)
    wanted = [m.id for m in all_mutants() if m.function == FAULTY]
    assert max(len(grade.killers) for grade in grades(suite, wanted, workers=1)) == 2


def test_a_probe_must_hold() -> None:
    with pytest.raises(AssertionError, match="faulty 4: does not hold"):
        watched((Faulty(4, 2),), enough=1, workers=1)


def test_few_probes_kill_as_much_as_all() -> None:
    kills = {"a": ["1", "2"], "b": ["2", "3", "4"], "c": ["1"], "d": ["5"]}
    cost = {"a": 0.01, "b": 0.01, "c": 0.005, "d": 0.01}
    assert cover(kills, cost) == ["b", "c", "d"]
    assert cover(kills, cost | {"b": 1.0}) == ["a", "d", "b"]
    assert cover({"a": ["1", "2"], "b": ["2", "3"], "c": ["3", "1"]}, dict.fromkeys("abc", 0.01)) == ["c", "b"]


def test_documentation_is_not_the_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = core_digest()
    source = next(s for s in package(core_root()) if s.name == "committee")
    changed = evolve(source, text=source.text.replace("# ", "#  ").replace('"""Return', '"""Give'))
    broken = evolve(source, text=source.text.replace("(total - 1) // 3", "(total - 1) // 4"))
    for other, same in ((changed, True), (broken, False)):
        sources = tuple(other if s.name == source.name else s for s in package(core_root()))
        monkeypatch.setattr("linera_invariants.grading.package", lambda _root, found=sources: found)
        assert (core_digest() == before) is same


# --- the matrices ---


@pytest.mark.parametrize("name", GRADED)
def test_the_committed_matrix_holds(name: str) -> None:
    graded = GRADED[name]
    report = judge(graded, read_matrix(graded))
    assert report.problems == ()
    assert {mutant.id for mutant in all_mutants()} == report.matrix.kills.keys()


def small(name: str = "vectors") -> Matrix:
    """The committed matrix of vectors, to be damaged."""
    return read_matrix(GRADED[name])


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda m: evolve(m, core="0" * 64), "made for another core"),
        (lambda m: evolve(m, digest="0" * 64), "made for other vectors"),
        (lambda m: evolve(m, smoke=m.smoke[1:]), "not killed by the smoke subset"),
        (lambda m: evolve(m, smoke=m.smoke * 261), "expected 260 at most"),
        (lambda m: evolve(m, kills={key: {} for key in m.kills}), "are killed, expected 98% at least"),
        (lambda m: evolve(m, kills={key: {} for key in m.kills}), "survives without a reviewed reason"),
        (lambda m: evolve(m, kills={key: {m.smoke[0]: ("answer",)} for key in m.kills}), "and is none"),
    ],
)
def test_a_damaged_matrix_is_noticed(change, problem: str) -> None:
    report = judge(GRADED["vectors"], change(small()))
    assert not report.holds
    assert any(problem in found for found in report.problems)


def test_a_matrix_survives_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = small()
    monkeypatch.setattr(kills, "spec_root", lambda: tmp_path)
    path = tmp_path / GRADED["vectors"].file
    path.parent.mkdir(parents=True)
    path.write_bytes(document_of("vectors", matrix))
    assert read_matrix(GRADED["vectors"]) == matrix
    document = json.loads(path.read_text())
    document["kills"]["committee:max_faulty:constant:0"] = {"999999": [0]}
    path.write_text(json.dumps(document))
    with pytest.raises(InputError, match="expected numbers of entries"):
        read_matrix(GRADED["vectors"])


def test_a_sample_is_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    graded, matrix = GRADED["vectors"], small()
    assert check(graded, sample=5, seed=1, workers=2).problems == ()
    idle = next(probe for probe in matrix.smoke if probe.startswith("identifiers/"))
    wrong = {m: {idle: ("answer",)} if m.startswith("committee:") else by for m, by in matrix.kills.items()}
    monkeypatch.setattr(kills, "read_matrix", lambda _: evolve(matrix, kills=wrong))
    monkeypatch.setattr(kills, "all_mutants", lambda: [m for m in all_mutants() if m.function == FAULTY])
    found = check(graded, sample=3, seed=1, workers=2)
    assert sum("not killed any more" in problem for problem in found.problems) == 3


def test_reviewed_reasons_are_few_and_of_two_kinds() -> None:
    reviewed = read_survivors(repository_root() / "spec" / "vectors" / "v1" / "survivors.toml")
    assert all(isinstance(found, Survivor) and found.why in {EQUIVALENT, OUT_OF_REACH} for found in reviewed.values())


def test_the_unused_part_of_a_suite_is_harmless() -> None:
    suite = Suite((Faulty(4, 1),), 1, Coverage((0.0,), {}))
    assert grades(suite, [], workers=1) == []

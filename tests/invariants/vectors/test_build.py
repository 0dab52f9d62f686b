"""Building the vectors: the committed files are what the cases give, and a wrong case fails."""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from attrs import evolve
from commands import Command, runner

from linera_invariants.clauses import load_spec
from linera_invariants.inputs import check_schema, part_validator
from linera_invariants.mutation import applied, edit
from linera_invariants.vectors import build as building
from linera_invariants.vectors import shipping
from linera_invariants.vectors.build import MAX_BYTES, build, explained_flags, vectors_of
from linera_invariants.vectors.cases import committee, identifiers
from linera_invariants.vectors.files import read_suite, vectors_root
from linera_invariants.vectors.model import AREAS, Case, CaseError, Vector, agrees, last_answer
from linera_invariants.vectors.operations import perform
from linera_invariants.vectors.schemas import schema_files
from linera_invariants.vectors.shipping import differing, shipped_files
from linera_invariants.vectors.table import OPERATIONS
from linera_reference.rejections import Reason

CHEAP = ("identifiers", "hashing", "certificates", "encoding", "round-rules")


@pytest.fixture(scope="module")
def suite() -> tuple[Vector, ...]:
    return read_suite()


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return runner(capsys)


# --- The committed files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("area", AREAS)
def test_the_committed_files_are_what_the_cases_give(area: str):
    name = f"{area}.json"
    assert build([area])[name] == (vectors_root() / name).read_bytes(), "run linera-reference vectors build"


def test_the_index_fits(suite: tuple[Vector, ...]):
    index = json.loads((vectors_root() / "index.json").read_text())
    check_schema("index.json", index, "vectors-index")
    assert [row["area"] for row in index["areas"]] == list(AREAS)
    assert sum(row["vectors"] for row in index["areas"]) == len(suite)
    assert sum(path.stat().st_size for path in vectors_root().iterdir()) <= MAX_BYTES


def test_other_processes_make_the_same_bytes():
    code = f"from linera_invariants.vectors.build import build; print(hash('x'), build({CHEAP!r}))"
    runs = [_run(code, {"PYTHONHASHSEED": seed, "TZ": zone}) for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))]
    assert len({run.split(b" ", 1)[0] for run in runs}) == 2
    assert len({run.split(b" ", 1)[1] for run in runs}) == 1


def _run(code: str, environment: dict[str, str]) -> bytes:
    whole = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment
    return subprocess.run([sys.executable, "-c", code], env=whole, check=True, capture_output=True).stdout


def test_the_schemas_are_what_the_operations_give():
    for name, data in schema_files().items():
        committed = Path(vectors_root().parents[1], "schemas", name).read_bytes()
        assert committed == data, "run linera-reference vectors build"


def test_every_file_fits_its_schema():
    for area in AREAS:
        check_schema(area, json.loads((vectors_root() / f"{area}.json").read_text()), "vectors")


def test_every_vector_fits_the_schema_of_its_operation(suite: tuple[Vector, ...]):
    for vector in suite:
        for part, form in (("arguments", vector.arguments), ("answer", vector.expect)):
            assert part_validator("operations", f"{vector.operation}.{part}").is_valid(form), vector.id


@pytest.mark.parametrize(
    ("operation", "part", "form"),
    [
        ("schedule", "arguments", {"height": "0"}),
        ("max_faulty", "arguments", {"total": 4}),
        ("max_faulty", "arguments", {"total": "04"}),
        ("max_faulty", "arguments", {"total": "4", "more": "4"}),
        ("max_faulty", "answer", {"accepted": None}),
        ("max_faulty", "answer", {"rejected": "BAD_LUCK", "detail": None}),
        ("encode", "arguments", {"type": "Cursor", "value": {"height": "0"}}),
        ("encode", "arguments", {"type": "Socket", "value": {}}),
        ("schedule", "answer", {"rejected": "ARITHMETIC", "detail": None}),
    ],
)
def test_the_schemas_are_closed(operation: str, part: str, form: Any):
    assert not part_validator("operations", f"{operation}.{part}").is_valid(form)


# --- The suite as a whole ----------------------------------------------------------------------------------------


def test_the_reference_agrees_with_every_cheap_vector(suite: tuple[Vector, ...]):
    for vector in suite:
        if vector.operation != "accumulate":
            answer = perform(OPERATIONS[vector.operation], vector.arguments)
            assert agrees(vector, answer), vector.id


def test_vectors_speak_of_clauses_there_are(suite: tuple[Vector, ...]):
    known = set(load_spec().clauses)
    assert {clause for vector in suite for clause in vector.clauses} <= known
    assert all(vector.clauses for vector in suite)


def test_sentences_are_sentences(suite: tuple[Vector, ...]):
    assert [v.id for v in suite if not (v.sentence.endswith(".") and v.sentence[0].upper() == v.sentence[0])] == []
    assert [v.id for v in suite if "  " in v.sentence or len(v.sentence) > 200] == []


def test_identifiers_are_stable_words(suite: tuple[Vector, ...]):
    assert [v.id for v in suite if not re.fullmatch("[a-z-]+/[A-Za-z0-9.^-]+", v.id)] == []
    assert all(count == 1 for count in Counter(vector.id for vector in suite).values())


def test_every_reason_and_operation_occurs(suite: tuple[Vector, ...]):
    assert {vector.operation for vector in suite} == set(OPERATIONS)
    assert {reason for vector in suite for reason in _reasons(vector)} == set(Reason.__members__)


def _reasons(vector: Vector) -> Iterator[str]:
    steps = vector.expect.get("accepted") if OPERATIONS[vector.operation].steps else None
    yield from (answer["rejected"] for answer in steps or [vector.expect] if "rejected" in answer)


def test_every_flag_is_explained_and_used(suite: tuple[Vector, ...]):
    assert set(explained_flags()) >= set(Reason.__members__)
    assert set(explained_flags()) == {flag for vector in suite for flag in vector.flags} | set(Reason.__members__)
    for flag, said in explained_flags().items():
        assert set(said) == {"bug", "effect"}, flag
        assert all(text.endswith(".") for text in said.values()), flag


def test_faults_include_the_expected_one(suite: tuple[Vector, ...]):
    for vector in suite:
        found = last_answer(OPERATIONS[vector.operation], vector.expect).get("rejected")
        if vector.faults:
            assert found in vector.faults, vector.id
            assert set(vector.allowed) <= set(vector.faults), vector.id


# --- What fails --------------------------------------------------------------------------------------------------


def one_case(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Let the area of identifiers have one changed case only."""
    case: Case = evolve(next(identifiers.cases()), **changes)
    monkeypatch.setattr(identifiers, "cases", lambda: [case])


def test_a_wrong_expectation_fails(monkeypatch: pytest.MonkeyPatch):
    one_case(monkeypatch, reason=Reason.INVALID_IDENTIFIER)
    with pytest.raises(CaseError, match="identifiers/is-identifier-empty: expected INVALID_IDENTIFIER"):
        vectors_of("identifiers")


def test_an_unexpected_rejection_fails(monkeypatch: pytest.MonkeyPatch):
    refused = next(case for case in committee.cases() if case.reason is not None)
    monkeypatch.setattr(committee, "cases", lambda: [evolve(refused, reason=None)])
    with pytest.raises(CaseError, match="expected acceptance"):
        vectors_of("committee")


def test_another_result_fails(monkeypatch: pytest.MonkeyPatch):
    one_case(monkeypatch, gives=True)
    with pytest.raises(CaseError, match="identifiers/is-identifier-empty: expected True"):
        vectors_of("identifiers")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("first.wanted == second.asset and ", ""),
        (" and second.wanted == first.asset", ""),
        (" and second.wanted", " or second.wanted"),
        ("first.wanted == second.asset", "first.wanted.token == second.asset.token"),
        ("first.wanted == second.asset", "first.wanted.amount == second.asset.amount"),
        ("second.wanted == first.asset", "second.wanted.token == first.asset.token"),
        ("second.wanted == first.asset", "second.wanted.amount == first.asset.amount"),
    ],
)
def test_a_swap_that_overlooks_a_term_fails(old: str, new: str):
    with applied(edit("swap:payments", old, new)), pytest.raises(CaseError, match="swap/execute-terms-"):
        vectors_of("swap")


def test_a_name_twice_fails(monkeypatch: pytest.MonkeyPatch):
    case = next(identifiers.cases())
    monkeypatch.setattr(identifiers, "cases", lambda: [case, case])
    with pytest.raises(CaseError, match="is-identifier-empty: expected each name once"):
        vectors_of("identifiers")


def test_an_unexplained_flag_fails(monkeypatch: pytest.MonkeyPatch):
    one_case(monkeypatch, flags=("BAD_LUCK",))
    with pytest.raises(CaseError, match="found BAD_LUCK"):
        vectors_of("identifiers")


def test_too_many_bytes_fail(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shipping, "AREAS", ["identifiers"])
    monkeypatch.setattr(shipping, "MAX_BYTES", 1000)
    with pytest.raises(CaseError, match="at most 1000 bytes"):
        shipped_files()


# --- The commands ------------------------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let the program build one area, in a folder of its own."""
    monkeypatch.setattr(shipping, "AREAS", ["identifiers"])
    monkeypatch.setattr(shipping, "vectors_root", lambda: tmp_path)
    monkeypatch.setattr(shipping, "spec_root", lambda: tmp_path)
    (tmp_path / "schemas").mkdir()
    return tmp_path


def test_check_says_which_area_differs(small: Path, command: Command):
    assert command("vectors", "build").code == 0
    assert command("vectors", "build", "--check", "--quiet").code == 0
    file = small / "identifiers.json"
    before = file.read_bytes()
    file.write_bytes(before[:-1])
    ended = command("vectors", "build", "--check", "--json")
    assert ended.code == 1
    assert ended.document["changed"] == [str(file)]
    assert "identifiers.json: differs" in ended.document["problems"][0]
    assert file.read_bytes() == before[:-1]
    assert command("vectors", "build").code == 0
    assert file.read_bytes() == before
    assert differing({file: before}) == []


def test_a_wrong_case_writes_nothing(small: Path, command: Command, monkeypatch: pytest.MonkeyPatch):
    one_case(monkeypatch, reason=Reason.INVALID_IDENTIFIER)
    ended = command("vectors", "build")
    assert ended.code == 1
    assert "is-identifier-empty: expected INVALID_IDENTIFIER" in ended.out
    assert list(small.rglob("*.json")) == []


def test_show(command: Command):
    ended = command("vectors", "show", "committee/make-key-short-and-zero")
    assert ended.code == 0
    for text in (
        "OUT_OF_RANGE comes before EMPTY_COMMITTEE",
        "WP-2.2-VOTING-RIGHTS",
        "make_committee",
        "is not the value",
    ):
        assert text in ended.out
    shown = command("vectors", "show", "committee/make-four", "--json").document
    assert shown["vectors"][0]["id"] == "committee/make-four"
    long = command("vectors", "show", "hashing/hash-long-payload").out
    assert "characters)" in long
    assert len(command("vectors", "show", "hashing/hash-long-payload", "--verbose").out) > 32_000


@pytest.mark.parametrize(
    ("name", "hint"),
    [("committee/make-fou", "did you mean committee/make-four"), ("nothing", "areas are encoding"), ("", "areas are")],
)
def test_show_what_is_not_there(command: Command, name: str, hint: str):
    ended = command("vectors", "show", name)
    assert ended.code == 2
    assert hint in " ".join(ended.err.split())


def test_progress_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(building, "vectors_of", lambda _: ())
    told: list[str] = []
    build(["identifiers", "committee"], told.append)
    assert told == ["identifiers", "committee"]


def test_modules_of_areas_explain_themselves():
    for area in ("identifiers", "committee"):
        module: Any = SimpleNamespace(**vars({"identifiers": identifiers, "committee": committee}[area]))
        assert module.ABOUT.endswith(".")

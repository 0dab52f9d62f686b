"""Harness output, mappings, lists of expected failures and files of vectors are hostile: 20,000 of each in ci."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st
from spoiling import inputs as spoiled_inputs
from support import examples

from linera_invariants import inputs
from linera_invariants.ci_reports import Status
from linera_invariants.conform import validate as validate_module
from linera_invariants.conform.judge import judge
from linera_invariants.conform.lines import ProtocolError, parse_answer
from linera_invariants.conform.lists import OURS, read_expected_failures, read_mapping
from linera_invariants.conform.suite import Choice, choose
from linera_invariants.conform.validate import validate
from linera_invariants.inputs import InputError
from linera_invariants.vectors import files
from linera_invariants.vectors.build import area_file
from linera_invariants.vectors.model import Vector

EACH = 50
"""Inputs that follow from one drawn number."""


def fuzz(total: int, check: Callable[[list[bytes]], None], *material: Any) -> None:
    """Check so many inputs in ci, a tenth of them in dev."""

    @seed(0)
    @examples(total // EACH)
    @given(st.integers(0, 2**32))
    def run(number: int) -> None:
        check(spoiled_inputs(number, EACH, *material))

    run()


def is_one_message(text: str) -> bool:
    """Whether somebody can read it: one line, no control characters, not long."""
    return 0 < len(text) < 1000 and text.isprintable()


# --- harness output ---


def vectors_named(*names: str) -> list[Vector]:
    return list(choose(Choice(names=names)).vectors)


SOME = vectors_named("identifiers/child-first", "identifiers/child-too-deep", "ordered-inbox/remove-b-remove-a")
STEPS = vectors_named("requests/invalid-owner")[0]
ANSWERS = [
    {"seq": 1, "protocol": 1, "implementation": {"name": "n", "version": "1", "language": "l"}},
    {"seq": 1, "operations": ["add", "child"], "details": True},
    {"seq": 1, "stopped": True},
    {"seq": 1, "skipped": "why"},
    {"seq": 1, "errored": "what"},
    *({"seq": 1, **vector.expect} for vector in (*SOME, STEPS)),
]
PARTS = ["start", "capabilities", "stop", *["run"] * (len(ANSWERS) - 3)]
TRIED = [*[SOME[0]] * 5, *SOME, STEPS]


def answer_or_complaint(line: bytes, part: str) -> Any:
    """Read a line, or say what is wrong with it."""
    try:
        return parse_answer(line, part)
    except ProtocolError as error:
        return str(error)


@pytest.mark.parametrize("place", range(len(ANSWERS)))
def test_harness_output(place: int) -> None:
    """An answer, or one message; and whatever is an answer is judged."""
    ends: Counter[Any] = Counter()

    def check(lines: list[bytes]) -> None:
        for line in lines:
            answer = answer_or_complaint(line, PARTS[place])
            if isinstance(answer, str):
                assert is_one_message(answer), line
                ends["refused"] += 1
                continue
            ends["read"] += 1
            answer.pop("seq")
            if PARTS[place] == "run":
                verdict = judge(TRIED[place], answer, OURS)
                assert verdict.status is not Status.TIMED_OUT
                assert all(is_one_message(text) for text in (verdict.what or "passed", *verdict.differences)), line

    fuzz(2_300, check, ANSWERS[place], json.dumps(ANSWERS[place]))
    assert ends["refused"]
    assert ends["read"]


# --- files ---


MAPPING = {
    "format": "linera-reference mapping 1",
    "errors": {
        "BadParent": "UNEXPECTED_PREVIOUS_BLOCK_HASH",
        "Bad": ["OUT_OF_RANGE", "INVALID_TAG"],
        "ARITHMETIC": "ARITHMETIC",
    },
}
MAPPING_TOML = """format = "linera-reference mapping 1"
[errors]
BadParent = "UNEXPECTED_PREVIOUS_BLOCK_HASH"
"a b" = ["OUT_OF_RANGE", "INVALID_TAG"]
"""
EXPECTED = {
    "format": "linera-reference expected failures 1",
    "vector": [{"id": "outbox/a", "reason": "issue 7"}, {"id": "outbox/b", "reason": "later"}],
}
EXPECTED_TOML = """format = "linera-reference expected failures 1"
[[vector]]
id = "outbox/a"
reason = "issue 7"
"""


Read = Callable[[Path], object]


@pytest.fixture
def outcome(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, bytes, Read], str]:
    """Read bytes as a file of some name would be; whatever is wrong is one message that begins with the file."""
    content = [b""]
    for module in (inputs, files, validate_module):
        monkeypatch.setattr(module, "read_bytes", lambda *_: content[0])

    def read_or_complain(name: str, data: bytes, read: Read) -> str:
        content[0] = data
        return reads_or_complains(Path(name), data, read)

    return read_or_complain


def reads_or_complains(file: Path, data: bytes, read: Read) -> str:
    complaint = complaint_about(file, read)
    if complaint is None:
        return "read"
    assert complaint.place, data
    assert complaint.expectation, data
    assert str(complaint).startswith(f"{file}: "), data
    assert is_one_message(str(complaint).removeprefix(str(file))), (data, str(complaint))
    return "refused"


def complaint_about(file: Path, read: Read) -> InputError | None:
    try:
        read(file)
    except InputError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("read", "document", "text", "suffix"),
    [
        (read_mapping, MAPPING, json.dumps(MAPPING), ".json"),
        (read_mapping, MAPPING, MAPPING_TOML, ".toml"),
        (read_expected_failures, EXPECTED, json.dumps(EXPECTED), ".json"),
        (read_expected_failures, EXPECTED, EXPECTED_TOML, ".toml"),
    ],
    ids=["mapping.json", "mapping.toml", "expected.json", "expected.toml"],
)
def test_lists(outcome: Any, read: Read, document: Any, text: str, suffix: str) -> None:
    """A mapping or a list, or one message with file, place and expectation."""
    ends = Counter[str]()
    write = None if suffix == ".json" else toml_of

    def check(spoiled: list[bytes]) -> None:
        ends.update(outcome(f"file{suffix}", data, read) for data in spoiled)

    fuzz(10_000, check, document, text, *([write] if write else []))
    assert ends["refused"]
    assert ends["read"]


def toml_of(document: Any) -> str:
    """Write what can be written of a document as TOML; the rest is odd text."""
    lines = []
    for key, value in document.items() if isinstance(document, dict) else []:
        if isinstance(value, dict):
            lines += [f"[{key}]", *rows(value)]
        elif isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            lines += [line for table in value for line in (f"[[{key}]]", *rows(table))]
        else:
            lines.insert(0, f"{key} = {shallow(value)}")
    return "\n".join(lines) or shallow(document)


def rows(table: dict[str, Any]) -> list[str]:
    return [f"{json.dumps(key)} = {shallow(value)}" for key, value in table.items()]


def shallow(value: Any) -> str:
    """Write a value that is not too deep for this."""
    try:
        return json.dumps(value)
    except RecursionError:
        return "[" * 100_000


def small_file() -> dict[str, Any]:
    """A file of a few vectors with shared forms in it."""
    names = ("ordered-inbox/remove-b-remove-a", "ordered-inbox/add-a", "ordered-inbox/remove-b-remove-b")
    document: dict[str, Any] = json.loads(area_file("ordered-inbox", vectors_named(*names)))
    assert document["shared"]
    return document


VECTORS = small_file()


def test_files_of_vectors(outcome: Any) -> None:
    """Vectors, or one message with file, place and expectation; the reference survives calls that make sense."""
    ends = Counter[str]()

    def check(spoiled: list[bytes]) -> None:
        ends.update(outcome("file.json", data, files.read_file) for data in spoiled)
        ends.update(f"{outcome('file.json', data, validate)} by the reference" for data in spoiled[::10])

    fuzz(20_000, check, VECTORS, json.dumps(VECTORS))
    assert all(ends[end] for end in ("refused", "read", "refused by the reference")), ends

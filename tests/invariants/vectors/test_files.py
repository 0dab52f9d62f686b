"""Reading files of vectors: what is shared is expanded, and no file is a crash, a hang or a bomb."""

import json
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha3_256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spoiling import inputs
from support import examples

from linera_invariants.inputs import InputError
from linera_invariants.vectors.build import SHARED, Sharing, area_file, vectors_of
from linera_invariants.vectors.files import MAX_DEPTH, Expansion, read_index, read_suite
from linera_invariants.vectors.model import Vector

AREA = "identifiers"
FORMAT = "linera-reference vectors 1"
Edit = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def vectors() -> tuple[Vector, ...]:
    return vectors_of(AREA)[:20]


@pytest.fixture(scope="module")
def plain(vectors: tuple[Vector, ...]) -> bytes:
    return area_file(AREA, vectors)


def written(root: Path, data: bytes, count: int | None = None, **changes: Any) -> Path:
    """Write a suite of one area whose index fits."""
    count = len(json.loads(data)["vectors"]) if count is None else count
    row = {"area": AREA, "vectors": count, "bytes": len(data), "sha3": sha3_256(data).hexdigest()} | changes
    (root / f"{AREA}.json").write_bytes(data)
    (root / "index.json").write_text(json.dumps({"format": FORMAT, "version": "1.0.0", "areas": [row]}))
    return root


def edited(plain: bytes, edit: Edit) -> bytes:
    document = json.loads(plain)
    edit(document)
    return json.dumps(document).encode()


def refusal(root: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_suite(root)
    assert len(str(caught.value)) < 700
    return caught.value


def test_what_is_written_is_read(tmp_path: Path, vectors: tuple[Vector, ...], plain: bytes):
    assert read_suite(written(tmp_path, plain)) == vectors
    assert read_suite(tmp_path, areas=["encoding"]) == ()
    assert read_suite(tmp_path, wanted=lambda name: name == vectors[3].id) == (vectors[3],)


# --- The index ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha3": "0" * 64}, "the digest that index.json gives"),
        ({"bytes": 1}, "the digest that index.json gives"),
        ({"area": "../../etc/passwd"}, "an area of encoding"),
        ({"vectors": "20"}, "vectors and bytes (numbers)"),
        ({"vectors": True}, "vectors and bytes (numbers)"),
        ({"more": 1}, "vectors and bytes (numbers)"),
        ({"vectors": 21}, "expected 21 vectors of the area identifiers"),
    ],
)
def test_an_index_that_does_not_fit(tmp_path: Path, plain: bytes, changes: dict[str, Any], message: str):
    error = refusal(written(tmp_path, plain, **changes))
    assert message in str(error)


def test_an_area_twice(tmp_path: Path, plain: bytes):
    written(tmp_path, plain)
    index = json.loads((tmp_path / "index.json").read_text())
    index["areas"] *= 2
    (tmp_path / "index.json").write_text(json.dumps(index))
    assert "each area once" in str(refusal(tmp_path))


def test_no_index(tmp_path: Path):
    assert "no such file" in str(refusal(tmp_path))


# --- The text ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "expected JSON"),
        (b"\xff", "UTF-8"),
        (b"[" * 100_000, "levels"),
        (b'{"a":' * 100_000, "levels"),
        (b"[]", "an object with the format"),
        (b'{"format": "other"}', "an object with the format"),
        (b'{"format": 1, "format": 2}', "each key once"),
        (b'{"format": 1.5}', "found '1.5'"),
        (b'{"format": NaN}', "found 'NaN'"),
        (b'{"format": ' + b"9" * 5000 + b"}", "an integer of few digits"),
        (json.dumps({"format": FORMAT}).encode(), "vectors: expected an array"),
    ],
    ids=range(11),
)
def test_texts_that_are_no_area(tmp_path: Path, data: bytes, message: str):
    error = refusal(written(tmp_path, data, count=0))
    assert message in str(error)
    assert error.file.endswith(f"{AREA}.json")


def _set(key: str, value: Any) -> Edit:
    return lambda document: document["vectors"][0].update({key: value})


def _drop(key: str) -> Edit:
    return lambda document: document["vectors"][0].pop(key)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_set("id", "encoding/other"), "starts with identifiers/"),
        (_set("id", 7), "starts with identifiers/"),
        (_set("id", "identifiers/\x1b[2J"), "starts with identifiers/"),
        (_set("id", "identifiers/is-identifier-one"), "identifiers/is-identifier-one: expected each identifier once"),
        (_set("more", 1), "'more'"),
        (_drop("sentence"), "the keys id, sentence"),
        (_set("clauses", "WP-2.4-CHILD"), "clauses: expected an array"),
        (_set("operation", "format_disk"), "a known operation, found 'format_disk'"),
        (_set("operation", "child"), "the arguments parent_id, index of child"),
        (_set("arguments", []), "arguments: expected an object"),
        (_set("arguments", {"chain_id": [1]}), "no number in a form, found 1"),
        (_set("expect", {}), "expected accepted, or rejected"),
        (_set("expect", {"accepted": True, "rejected": "ARITHMETIC"}), "expected accepted, or rejected"),
        (_set("expect", {"rejected": "BAD_LUCK", "detail": None}), "the name of a reason, found 'BAD_LUCK'"),
        (_set("expect", {"rejected": ["ARITHMETIC"], "detail": None}), "the name of a reason, found"),
        (_set("faults", ["BAD_LUCK"]), "the name of a reason, found 'BAD_LUCK'"),
        (lambda document: document.update(shared=[]), "shared: expected an object"),
        (lambda document: document.update(area="encoding"), "of the area identifiers"),
        (lambda document: document["vectors"].__setitem__(0, None), "vectors, item 1"),
    ],
    ids=range(19),
)
def test_vectors_that_are_none(tmp_path: Path, plain: bytes, edit: Edit, message: str):
    error = refusal(written(tmp_path, edited(plain, edit)))
    assert message in str(error)


# --- Expansion ---------------------------------------------------------------------------------------------------


def named(name: Any) -> dict[str, Any]:
    return {SHARED: name}


@pytest.mark.parametrize(
    ("shared", "message"),
    [
        ({}, "with a name of shared, found 'a'"),
        ({"a": named("a")}, "does not contain itself"),
        ({"a": {"x": [named("b")]}, "b": {"y": named("a")}}, "does not contain itself"),
        ({"a": {SHARED: "b", "more": None}, "b": {}}, f"{SHARED} alone"),
        ({"a": named(3)}, f"{SHARED} alone"),
        ({"a": named(["a"])}, f"{SHARED} alone"),
        ({"a": 1.5}, "no number in a form"),
        ({"a": {"x": named(f"{0}")}, **{f"{i}": {"x": named(f"{i + 1}")} for i in range(500)}, "500": {}}, "levels"),
        (
            {"a": {"x": [named("0")] * 9}, **{f"{i}": {"x": [named(f"{i + 1}")] * 9} for i in range(20)}, "20": {}},
            "at most",
        ),
    ],
    ids=["unknown", "itself", "cycle", "more", "number", "list", "fraction", "chain", "bomb"],
)
def test_expansion_is_bounded(shared: Any, message: str):
    with pytest.raises(InputError) as caught:
        Expansion(Path("f.json"), shared).expand({"value": named("a")}, "v")
    assert message in str(caught.value)


def test_depth_counts_through_names():
    deep: Any = {}
    for _ in range(MAX_DEPTH - 10):
        deep = {"x": deep}
    expansion = Expansion(Path("f.json"), {"deep": deep})
    assert expansion.expand(named("deep"), "v") == deep
    nested: Any = named("deep")
    for _ in range(20):
        nested = [nested]
    with pytest.raises(InputError, match="levels"):
        expansion.expand(nested, "v")


FORMS = st.recursive(
    st.none() | st.booleans() | st.text(max_size=90),
    lambda form: st.lists(form, max_size=4) | st.dictionaries(st.text("ab", max_size=2), form, max_size=4),
    max_leaves=12,
)


@examples(300)
@given(FORMS, FORMS)
def test_sharing_changes_nothing(one: Any, other: Any):
    forms = [{"x": [one, other]}, {"y": one}, {"z": [one, {"y": other}]}]
    sharing = Sharing(forms)
    short = [sharing.short(form) for form in forms]
    expansion = Expansion(Path("f.json"), json.loads(json.dumps(sharing.table())))
    assert [expansion.expand(form, "v") for form in json.loads(json.dumps(short))] == forms


# --- Junk: whole files are fuzzed with the other parsers ---------------------------------------------------------


@examples(1000)
@given(st.integers(0, 2**32))
def test_no_index_is_a_crash(plain: bytes, tmp_path_factory: pytest.TempPathFactory, number: int):
    root = written(tmp_path_factory.getbasetemp(), plain)
    text = (root / "index.json").read_text()
    for data in inputs(number, 5, json.loads(text), text):
        (root / "index.json").write_bytes(data)
        with suppress(InputError):
            read_index(root)

"""Trace files from outside: one message that names file, place and expectation, or the document as it is."""

import json
import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import attack, scenario
from support import examples

from linera_invariants.inputs import InputError, schema_validator, walk
from linera_invariants.traces import page_of, read_trace, story_of, svg_of, write_trace
from linera_invariants.traces.cells import FIELDS

Document = dict[str, Any]
ATTACK = attack()


def written(folder: Path, document: Any) -> Path:
    path = folder / "trace.json"
    path.write_text(json.dumps(document))
    return path


def step(document: Document, number: int) -> Document:
    return [event for event in document["events"] if event["event"] == "step"][number - 1]


def change(document: Document) -> Document:
    return step(document, 2)["changes"][0]


MISTAKES: dict[str, tuple[Callable[[Document], Any], str, str]] = {
    "format": (lambda d: d.update(format="linera-reference trace 9"), "format", '"linera-reference trace 1.0", found'),
    "unknown key": (lambda d: d.update(colour="red"), "document", "unknown key 'colour'"),
    "missing key": (lambda d: d.pop("events"), "document", "expected the key 'events'"),
    "no validators": (lambda d: d["network"].update(validators=[]), "network, validators", "at least 1"),
    "two of a name": (
        lambda d: d["network"]["validators"][1].update(name="v1"),
        "network, validators, item 2, name",
        "no other has, found 'v1' again",
    ),
    "two of a block": (lambda d: d["blocks"].append(d["blocks"][0]), "blocks, item 3, id", "no other has"),
    "unknown validator": (
        lambda d: step(d, 2).update(at="v9"),
        "events, item 3, at",
        "one of the validators of this file, found 'v9'",
    ),
    "unknown voter": (
        lambda d: step(d, 6)["voters"].append("?"),
        "voters, item 4",
        "expected one of the validators of this",
    ),
    "unknown owner": (lambda d: step(d, 1).update(by="v1"), "events, item 2, by", "expected one of the owners of this"),
    "unknown chain": (
        lambda d: step(d, 1).update(chain="7"),
        "events, item 2, chain",
        "expected one of the chains of this",
    ),
    "unknown block": (
        lambda d: step(d, 1).update(block="0:9"),
        "events, item 2, block",
        "expected one of the blocks of this",
    ),
    "unknown chain of a block": (
        lambda d: d["blocks"][0].update(chain="3"),
        "blocks, item 1, chain",
        "one of the chains of this",
    ),
    "no such action": (lambda d: step(d, 1).update(action="pray"), "events, item 2, action", "expected one of propose"),
    "no validator": (lambda d: step(d, 2).pop("at"), "events, item 3", "expected the key 'at'"),
    "no ends": (
        lambda d: step(d, 2).update(action="update", message={"kind": "update", "what": "x"}),
        "events, item 3, message",
        "expected the key 'from'",
    ),
    "unknown event": (lambda d: d["events"].append({"event": "joke"}), "events, item 15, event", "one of note, step"),
    "unknown field": (lambda d: change(d)["fields"][0].update(name="mood"), "fields, item 1, name", "one of life"),
    "text without a past": (
        lambda d: change(d)["fields"][0].update(before="block 7"),
        "events, item 3, changes, v1, 0, pending, before",
        "expected '' as after the last change, found 'block 7'",
    ),
    "control characters": (lambda d: d.update(title="a\x1b[2J"), "title", "without control characters"),
    "a huge number": (lambda d: d["network"].update(total=2**64), "network, total", "at most 18446744073709551615"),
    "too many lanes": (
        lambda d: (
            d["network"].update(chains=[{"id": str(n)} for n in range(400)]),
            d["events"].extend(step(d, 1) | {"chain": str(n)} for n in range(400)),
        ),
        "network",
        "expected at most 1024 lanes (owners, and chains at validators), found 1203",
    ),
    "a long text": (lambda d: d.update(title="x" * 2000), "title", "at most 1000"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, mistake: str):
    spoil, place, expectation = MISTAKES[mistake]
    document = deepcopy(ATTACK)
    spoil(document)
    with pytest.raises(InputError) as caught:
        read_trace(written(tmp_path, document))
    assert place in caught.value.place
    assert expectation in caught.value.expectation
    assert caught.value.file.endswith("trace.json")


def test_a_file_may_not_be_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("linera_invariants.traces.files.LIMIT", 1000)
    with pytest.raises(InputError, match="expected at most 1000 bytes"):
        read_trace(written(tmp_path, ATTACK))
    with pytest.raises(InputError, match="expected a run whose trace has at most 1000 bytes"):
        write_trace(tmp_path / "other.json", ATTACK)
    assert not (tmp_path / "other.json").exists()


def test_what_is_written_is_read_and_written_again_as_it_was(tmp_path: Path):
    for document in (ATTACK, scenario("01-tour")):
        first, second = tmp_path / "a.json", tmp_path / "b.json"
        write_trace(first, document)
        write_trace(second, read_trace(first))
        assert first.read_bytes() == second.read_bytes()


PLACES = [path for path, _ in walk(ATTACK) if path]
JUNK: list[Any] = [None, True, -1, 2**70, "", "v1", "0", "</script>", "x" * 70, [], {}, ["v1"], {"event": "step"}]


@examples(300)
@given(st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from([*JUNK, "drop"])), min_size=1, max_size=3))
def test_whatever_is_read_can_be_shown(tmp_path_factory: pytest.TempPathFactory, edits: list[Any]):
    document = deepcopy(ATTACK)
    for path, junk in edits:
        spoil(document, path, junk)
    path = written(tmp_path_factory.mktemp("junk"), document)
    try:
        found = read_trace(path)
    except InputError as error:
        message = str(error)
    else:
        message = f"{path}: fine"
        assert all(show(found) for show in (story_of, svg_of, page_of))
    assert message.startswith(f"{path}: ")


def spoil(document: Any, path: tuple[Any, ...], junk: Any) -> None:
    """Replace or drop a value, if it is still there."""
    *way, last = path
    for part in way:
        if not isinstance(document, list | dict) or (
            part not in document if isinstance(document, dict) else part >= len(document)
        ):
            return
        document = document[part]
    if isinstance(document, dict) or (isinstance(document, list) and isinstance(last, int) and last < len(document)):
        if junk == "drop":
            document.pop(last) if isinstance(document, list) else document.pop(last, None)
        else:
            document[last] = junk


def keys_of(schema: Any) -> set[str]:
    """Return every key that the schema knows, those of fields of a state included."""
    keys: set[str] = set()
    for path, value in walk(schema):
        if path and path[-1] == "properties":
            keys |= set(value)
        if path[-2:] == ("field", "enum"):
            keys |= set(value)
    return keys


def test_the_schema_and_the_documentation_know_the_same_keys():
    schema = schema_validator("trace").schema
    page = (Path(__file__).parents[3] / "docs" / "traces.md").read_text("utf-8")
    everyday = {"key", "weight", "byzantine", "equivocates", "kind", "what", "from", "to", "id", "name"}
    assert {key for key in keys_of(schema) - everyday if f"`{key}`" not in page} == set()
    table = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.MULTILINE))
    assert {name: table.get(name) for name in FIELDS} == {name: meaning for name, (meaning, _) in FIELDS.items()}
    assert schema["$defs"]["field"]["enum"] == list(FIELDS)

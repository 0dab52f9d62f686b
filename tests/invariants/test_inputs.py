"""Bad input: one clear message that names file, place and expectation, whatever is wrong with a file."""

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import examples

from linera_invariants.inputs import (
    MEBIBYTE,
    InputError,
    check_schema,
    read_bytes,
    read_document,
    schema_validator,
    write_atomically,
)
from linera_invariants.scenarios import read_scenario
from linera_invariants.specdata import spec_root

SCHEMAS = sorted((spec_root() / "schemas").glob("*.schema.json"))

GOOD = """
scenario = 1
title = "t"
[validators]
v1 = {}
[users]
alice = {}
[[chains]]
id = "0"
owner = "alice"
[[steps]]
do = "extend"
who = "alice"
chain = "0"
operations = []
"""
SMALL = {
    "scenario": 1,
    "title": "t",
    "validators": {"v1": {}},
    "users": {"alice": {}},
    "chains": [{"id": "0", "owner": "alice"}],
    "steps": [{"do": "extend", "who": "alice", "chain": "0", "operations": []}],
}


def written(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def complaint(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_scenario(path)
    error = caught.value
    assert str(error) == f"{path}: {error.place}: {error.expectation}"
    assert "expected" in error.expectation
    assert str(error).isprintable()
    assert len(str(error)) < 600
    return error


def changed(**changes) -> str:
    return json.dumps(SMALL | changes)


def step(**fields) -> str:
    return changed(steps=[fields])


# --- files -------------------------------------------------------------------------------------------------------


def test_the_good_file_is_good(tmp_path: Path):
    assert read_scenario(written(tmp_path, "good.toml", GOOD)).title == "t"
    assert read_scenario(written(tmp_path, "good.json", json.dumps(SMALL))).name == "good"


def test_a_missing_file(tmp_path: Path):
    assert "no such file" in complaint(tmp_path / "missing.toml").expectation


def test_a_directory(tmp_path: Path):
    (tmp_path / "folder.toml").mkdir()
    assert "directory" in complaint(tmp_path / "folder.toml").expectation


def test_an_unknown_suffix(tmp_path: Path):
    assert ".toml or .json" in complaint(written(tmp_path, "scenario.yaml", GOOD)).expectation


def test_a_file_that_is_too_big(tmp_path: Path):
    path = written(tmp_path, "big.json", b" " * (MEBIBYTE + 1))
    assert "at most" in complaint(path).expectation
    assert len(read_bytes(path, MEBIBYTE + 1)) == MEBIBYTE + 1


def test_an_endless_file():
    with pytest.raises(InputError, match="at most"):
        read_bytes(Path("/dev/zero"), 1000)


# --- text --------------------------------------------------------------------------------------------------------

DEEP = "[" * 5000 + "]" * 5000

SYNTAX = {
    "empty.json": ("", "line 1", "JSON"),
    "empty.toml": ("", "document", "'scenario'"),
    "truncated.json": (json.dumps(SMALL)[:-20], "line 1", "JSON"),
    "truncated.toml": (GOOD[:-2], "end of document", "TOML"),
    "latin-1.toml": (b'title = "caf\xe9"', "line 1", "UTF-8, found byte 0xe9"),
    "utf-16.json": (json.dumps(SMALL).encode("utf-16"), "line 1", "UTF-8"),
    "mark.json": (b"\xef\xbb\xbf{}", "line 1", "JSON"),
    "deep.json": (DEEP, "line 1", "32 levels"),
    "deep.toml": (f"a = {DEEP[:1000]}", "nesting", "32 levels"),
    "deep-lines.toml": ("a = " + "[\n" * 9000, "nesting", "32 levels"),
    "deep-keys.toml": (".".join("a" * 50) + " = 1", "nesting", "32 levels"),
    "deep-but-quoted.json": (changed(title="[" * 100), None, None),
    "long-line.toml": (".".join("a" * 5000) + " = 1", "line 1", "1024 characters"),
    "twice.json": ('{"scenario": 1,\n "scenario": 1}', "key 'scenario'", "once"),
    "twice.toml": ('title = "a"\ntitle = "b"\n', "line 2", "TOML: Cannot overwrite"),
    "nan.json": ('{"scenario": NaN}', "line 1", "an integer, found 'NaN'"),
    "infinity.json": ('{"scenario":\n -Infinity}', "line 2", "an integer"),
    "nan.toml": ("a = 1\nb = nan", "line 2", "an integer"),
    "float.json": ('{"scenario": 1.0}', "line 1", "an integer"),
    "huge-float.json": ('{"scenario": 1e999}', "line 1", "an integer"),
    "float.toml": ("scenario = 1.0", "line 1", "an integer"),
    "huge.json": ('{"scenario": ' + "9" * 10_000 + "}", "line 1", "40 digits"),
    "huge.toml": ("scenario = " + "9" * 900, "scenario", "40 digits"),
    "huger.toml": ("scenario = " + "9" * 5000, "line 1", "1024 characters"),
    "hexadecimal.toml": ("scenario = 0x" + "f" * 900, "scenario", "40 digits"),
    "null.json": (changed(title="a\0b"), "title", "control characters"),
    "escape.json": (changed(title="\x1b[31mred"), "title", "control characters"),
    "surrogate.json": ('{"title": "\\ud800"}', "title", "control characters"),
    "escape-key.json": ('{"a\\u001bb": 1}', "a\\x1bb", "control characters"),
    "list.json": ("[]", "document", "a table, found a list"),
    "text.json": ('"scenario"', "document", "a table"),
}


@pytest.mark.parametrize("name", SYNTAX)
def test_syntax(tmp_path: Path, name: str):
    content, place, expectation = SYNTAX[name]
    path = written(tmp_path, name, content)
    if place is None:
        read_scenario(path)
        return
    error = complaint(path)
    assert place in error.place
    assert expectation in error.expectation


# --- schema and names --------------------------------------------------------------------------------------------

SPEND = {"do": "extend", "who": "alice", "chain": "0"}

MEANING = {
    "version": (changed(scenario=2), "scenario", "format version 1, found 2"),
    "unknown key": (changed(colour="red"), "document", "unknown key 'colour'"),
    "missing key": (json.dumps({k: v for k, v in SMALL.items() if k != "users"}), "document", "the key 'users'"),
    "wrong type": (changed(title=7), "title", "a string, found 7"),
    "boolean as number": (changed(scenario=True), "scenario", "format version 1"),
    "wrong crypto": (changed(crypto="rsa"), "crypto", "one of ed25519, ideal"),
    "no steps": (changed(steps=[]), "steps", "at least 1"),
    "bad name": (changed(users={"Alice": {}}), "users", "lower-case letters"),
    "name with a newline": (changed(users={"alice\n": {}}), "users", "lower-case letters"),
    "bad secret": (changed(users={"alice": {"secret": "00"}}), "users, alice, secret", "64 hexadecimal digits"),
    "identifier with a newline": (
        changed(chains=[{"id": "0\n", "owner": "alice"}]),
        "chains, item 1, id",
        "a chain identifier",
    ),
    "identifier beyond 64 bits": (
        changed(chains=[{"id": str(2**64), "owner": "alice"}]),
        "chains, item 1, id",
        "below 2^64",
    ),
    "unknown owner": (changed(chains=[{"id": "0", "owner": "bob"}]), "chains, item 1, owner", "a user (alice)"),
    "unknown owner in a list": (
        changed(chains=[{"id": "0", "owner": ["alice", "bob"]}]),
        "chains, item 1, owner, item 2",
        "a user (alice)",
    ),
    "no owner": (changed(chains=[{"id": "0", "owner": []}]), "chains, item 1, owner", "a user, or a list of users"),
    "owner of no kind": (
        changed(chains=[{"id": "0", "owner": 3}]),
        "chains, item 1, owner",
        "a user, or a list of users",
    ),
    "unknown application": (changed(application="chess"), "application", "one of token, swap"),
    "assets of the token": (
        changed(chains=[{"id": "0", "owner": "alice", "assets": []}]),
        "chains, item 1, assets",
        "no assets where the application is the token",
    ),
    "balance of the swap": (
        changed(application="swap", chains=[{"id": "0", "owner": "alice", "balance": 1}]),
        "chains, item 1, balance",
        "no balance where the application is the swap",
    ),
    "one asset twice": (
        changed(application="swap", chains=[{"id": "0", "owner": "alice", "assets": [{"token": 1, "amount": 1}] * 2}]),
        "chains, item 1, assets",
        "each token once",
    ),
    "unknown party": (
        step(do="contend", chain="0", parties=[{"who": "bob", "operations": []}]),
        "steps, item 1, parties, item 1, who",
        "a user (alice)",
    ),
    "unknown block to finish": (
        step(do="finish", who="alice", block="b"),
        "steps, item 1, block",
        "none was proposed before",
    ),
    "two things to hand over": (
        step(do="hand-over", chain="0", height=0, block="b", at=["v1"]),
        "steps, item 1",
        "a chain and a height, or a block",
    ),
    "round too large": (
        step(do="propose", who="alice", chain="0", operations=[], block="b", round=2**32),
        "steps, item 1, round",
        "a round from 0 to 2^32 - 1",
    ),
    "no terms": (
        step(
            do="extend",
            who="alice",
            chain="0",
            operations=[{"do": "put-in", "to": "0", "owner": "alice", "token": 1, "amount": 1}],
        ),
        "steps, item 1, operations, item 1",
        "wanted",
    ),
    "unknown depositor": (
        step(do="expect", chain="0", deposits=[{"owner": "bob", "token": 1, "amount": 1}]),
        "steps, item 1, deposits, item 1, owner",
        "a user (alice)",
    ),
    "repeated chain": (changed(chains=SMALL["chains"] * 2), "chains", "GENESIS_NOT_PREFIX_FREE"),
    "descending chain": (
        changed(chains=[*SMALL["chains"], {"id": "0.3", "owner": "alice"}]),
        "chains",
        "GENESIS_NOT_PREFIX_FREE",
    ),
    "amount too large": (
        changed(chains=[{"id": "0", "owner": "alice", "balance": 2**128}]),
        "chains, item 1, balance",
        "from 0 to 2^128 - 1",
    ),
    "negative weight": (changed(validators={"v1": {"weight": -1}}), "validators, v1, weight", "voting rights"),
    "no weight": (changed(validators={"v1": {"weight": 0}}), "validators", "EMPTY_COMMITTEE"),
    "too much weight": (
        changed(validators={"v1": {"weight": 2**63 - 1}, "v2": {"weight": 1}}),
        "validators",
        "COMMITTEE_OVERFLOW",
    ),
    "one key twice": (
        changed(validators={"v1": {"secret": "00" * 32}, "v2": {"secret": "00" * 32}}),
        "validators",
        "DUPLICATE_VALIDATOR",
    ),
    "too many Byzantine": (
        changed(validators={"v1": {}, "v2": {"byzantine": "silent"}}),
        "validators",
        "at most f = 0, found 1",
    ),
    "one name twice": (changed(users={"alice": {}, "v1": {}}), "users, v1", "a name that no validator has"),
    "unknown step": (step(do="dance"), "steps, item 1, do", "one of extend, contend"),
    "no kind of step": (step(who="alice"), "steps, item 1", "the key 'do'"),
    "unknown key of a step": (step(**SPEND, operations=[], colour=1), "steps, item 1", "unknown key 'colour'"),
    "missing key of a step": (step(**SPEND), "steps, item 1", "the key 'operations'"),
    "unknown operation": (step(**SPEND, operations=[{"do": "mint"}]), "operations, item 1, do", "one of transfer"),
    "incomplete operation": (step(**SPEND, operations=[{"do": "burn"}]), "operations, item 1", "the key 'amount'"),
    "unknown user": (step(do="synchronize", who="bob", chain="0"), "steps, item 1, who", "a user (alice)"),
    "unknown validator": (step(do="offline", at=["v9"]), "steps, item 1, at, item 1", "a validator (v1)"),
    "user as validator": (step(do="offline", at=["alice"]), "steps, item 1, at, item 1", "a validator (v1)"),
    "unknown node": (step(do="expect", at=["x"], agreement=True), "steps, item 1, at, item 1", "a node (alice, v1)"),
    "unknown block": (step(do="send", block="b", at=["v1"]), "steps, item 1, block", "none was proposed before"),
    "unknown reason": (step(**SPEND, operations=[], reason="WHY"), "steps, item 1, reason", "a reason"),
    "nothing expected": (step(do="expect", chain="0"), "steps, item 1", "facts about a chain"),
    "expected nowhere": (step(do="expect", balance=1), "steps, item 1", "the key 'chain' beside 'balance'"),
    "impossible forgery": (
        step(do="forge", what="update", how="stranger", **{"from": "0", "to": "0"}, at=["v1"]),
        "steps, item 1, how",
        "one of empty",
    ),
    "repeated validator": (step(do="offline", at=["v1", "v1"]), "steps, item 1, at", "without repetition"),
}


@pytest.mark.parametrize("what", MEANING)
def test_meaning(tmp_path: Path, what: str):
    content, place, expectation = MEANING[what]
    error = complaint(written(tmp_path, "bad.json", content))
    assert place in error.place
    assert expectation in error.expectation


def test_a_block_is_named_once(tmp_path: Path):
    propose = {"do": "propose", "who": "alice", "chain": "0", "operations": [], "block": "b"}
    error = complaint(written(tmp_path, "bad.json", changed(steps=[propose, propose])))
    assert (error.place, error.expectation) == ("steps, item 2, block", "expected a new name for a new block")


SCRAPS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**130) | st.text(max_size=5) | st.sampled_from(["alice", "0"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@examples(1000)
@given(st.data())
def test_no_mutilated_scenario_is_a_crash(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject):
    """Replace any part of a good scenario by anything: it is read, or there is one complaint."""
    document = json.loads(json.dumps(SMALL))
    place = document
    while isinstance(place, dict | list) and place:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            place[key] = data.draw(SCRAPS)
            break
        place = place[key]
    path = written(tmp_path_factory.mktemp("scraps"), "scrap.json", json.dumps(document))
    with suppress(InputError):
        read_scenario(path)


@examples(1000)
@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:.=\n#\\tae019-+ ', max_size=80).map(str.encode))
def test_no_bytes_are_a_crash(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    folder = tmp_path_factory.mktemp("bytes")
    for name in ("x.json", "x.toml"):
        with suppress(InputError):
            read_document(written(folder, name, content))


# --- the rest ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_schemas_are_schemas_and_closed(path: Path):
    name = path.name.removesuffix(".schema.json")
    validator = schema_validator(name)
    validator.check_schema(validator.schema)
    assert validator.schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_a_schema_speaks_of_the_innermost_mistake():
    with pytest.raises(InputError) as caught:
        check_schema("f", SMALL | {"steps": [{"do": "extend", "who": 3}]}, "scenario")
    assert caught.value.place.startswith("steps, item 1")


def test_writing_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    target = written(tmp_path, "report.json", "old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(InputError, match="a writable place"):
            write_atomically(target, b"new")
    assert target.read_text() == "old"
    write_atomically(target, b"new")
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_writing_follows_a_link(tmp_path: Path):
    target, link = written(tmp_path, "report.json", "old"), tmp_path / "link.json"
    link.symlink_to(target)
    write_atomically(link, b"new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    target.unlink()
    write_atomically(link, b"newer")
    assert target.read_text() == "newer"
    assert sorted(tmp_path.iterdir()) == [link, target]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_only_a_regular_file_is_replaced(tmp_path: Path):
    pipe, link, loop = (tmp_path / name for name in ("pipe", "link", "loop"))
    os.mkfifo(pipe)
    link.symlink_to(pipe)
    loop.symlink_to(loop)
    for path in (pipe, link, tmp_path):
        with pytest.raises(InputError, match="a regular file or none"):
            write_atomically(path, b"new")
    with pytest.raises(InputError, match="a writable place"):
        write_atomically(loop, b"new")
    assert pipe.is_fifo()
    assert sorted(tmp_path.iterdir()) == [link, loop, pipe]


def test_writing_into_nowhere(tmp_path: Path):
    with pytest.raises(InputError, match="a writable place"):
        write_atomically(tmp_path / "nowhere" / "x.json", b"")

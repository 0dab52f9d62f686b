"""Reading logs: bounded, strict, one message for whatever is wrong; both ways to read a line agree."""

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from logbook import LEAST, checked, played, recorded
from support import examples

from linera_invariants.errors import UsageError
from linera_invariants.inputs import InputError
from linera_invariants.logs import lines
from linera_invariants.logs.check import Options
from linera_invariants.logs.lines import Event, open_log, read_event
from linera_invariants.logs.record import logs_of

HERE = Path("log")
HEX64 = "0" * 64


def events_of(path: Path) -> list[Event]:
    """Read a whole log."""
    return list(open_log(path).events)


def written(tmp_path: Path, *found: bytes) -> Path:
    """Write a log from its lines."""
    path = tmp_path / "log"
    path.write_bytes(b"".join(line + b"\n" for line in found))
    return path


@pytest.fixture(scope="module")
def genuine() -> list[bytes]:
    """Return the lines of a genuine log."""
    return next(iter(logs_of(played("05-closing")).values())).splitlines()[:12]


# --- Lines --------------------------------------------------------------------------------------------------------

WRONG = {
    b"": "expected JSON",
    b"[]": "expected a",
    b"{": "line 2, column 2: expected JSON",
    b"{}": "expected exactly one of the keys request",
    b'{"request":"","certificate":"","accepted":[]}': "expected exactly one of the keys request",
    b'{"request":""}': "expected exactly one of the keys accepted and rejected",
    b'{"request":"","accepted":[],"rejected":"X"}': "expected exactly one of the keys accepted and rejected",
    b'{"request":"0","accepted":[]}': "line 2, request: expected bytes in lower-case hexadecimal",
    b'{"request":"AA","accepted":[]}': "line 2, request: expected bytes in lower-case hexadecimal",
    b'{"request":5,"accepted":[]}': "line 2, request: expected bytes in lower-case hexadecimal, found 5",
    b'{"request":"","accepted":["",""]}': "line 2, accepted: expected at most 1",
    b'{"request":"","accepted":[0]}': "line 2, accepted, item 1: expected bytes",
    b'{"request":"","request":"","accepted":[]}': "line 2, key 'request': expected once",
    b'{"request":"","accepted":[],"state":"00"}': "line 2, state: expected 64 hexadecimal digits",
    b'{"request":"","accepted":[],"extra":0}': "unknown key 'extra'",
    b'{"resend":"00","accepted":[]}': "line 2, resend: expected a chain identifier",
    b'{"restart":"","accepted":[]}': "line 2, restart: expected a chain identifier",
    b'{"request":"","rejected":""}': "line 2, rejected: expected the name of a reason",
    b'{"request":"","rejected":"\\u0000"}': "control characters",
    b'{"request":"","accepted":[],"note":"\xff"}': "line 2, byte 37: expected UTF-8",
    b'{"request":"","accepted":[],"time":1.5}': "line 2: expected an integer",
    b"[" * 1_000: "line 2: expected at most 32 levels of nesting",
    b"[" * 100_000: "line 2: expected at most 2048 values",
    b'{"request":[' + b"{}," * 1_000_000 + b"{}]}": "line 2: expected at most 2048 values",
}


@pytest.mark.parametrize("raw", WRONG)
def test_a_wrong_line_is_named(tmp_path: Path, genuine: list[bytes], raw: bytes) -> None:
    path = written(tmp_path, genuine[0], raw, genuine[1])
    with pytest.raises(InputError) as caught:
        events_of(path)
    assert str(caught.value).startswith(f"{path}: line 2")
    assert WRONG[raw] in str(caught.value)


def test_genuine_lines_are_read_the_quick_way(genuine: list[bytes]) -> None:
    assert all(lines._quick(raw) for raw in genuine[1:])
    assert any(b"archive" in raw for raw in genuine)


def test_optional_parts_and_other_spellings(tmp_path: Path, genuine: list[bytes]) -> None:
    document = json.loads(genuine[1])
    document |= {"time": "2026-01-01T00:00:00Z", "note": "größer {[\\"}
    spelled = json.dumps(document, indent=None, separators=(" , ", " : "), ensure_ascii=False).encode()
    (event,) = events_of(written(tmp_path, genuine[0], spelled))
    assert event == read_event(HERE, 2, genuine[1])


HEADERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "unknown key 'extra'": lambda h: h | {"extra": 1},
    "line 1, log: expected format version 2": lambda h: h | {"log": 1},
    "line 1: expected the key 'crypto'": lambda h: {k: v for k, v in h.items() if k != "crypto"},
    "line 1, validator: expected a member of the committee": lambda h: h | {"validator": HEX64},
    "line 1, committee: expected a possible committee": lambda h: h | {"committee": h["committee"] * 2},
    "line 1, genesis: expected each chain once": lambda h: h | {"genesis": h["genesis"] * 2},
    "line 1, genesis, item 1, owner": lambda h: h | {"genesis": [h["genesis"][0] | {"owner": []}]},
    "line 1, genesis, item 1, owner: expected": lambda h: h | {"genesis": [h["genesis"][0] | {"owner": [HEX64] * 2}]},
    "line 1, genesis, chain 0: expected assets": lambda h: h | {"application": "swap"},
    "line 1, genesis, chain 0: expected each token once": lambda h: (
        h | {"application": "swap", "genesis": [assets(h["genesis"][0], 1, 1)]}
    ),
    "line 1, genesis: expected a possible genesis": lambda h: (
        h | {"genesis": [*h["genesis"], {**h["genesis"][0], "id": "0.5"}]}
    ),
    "line 1, rules, quorum: expected one of": lambda h: h | {"rules": {"quorum": "ALL", "anticipation": "WHOLE_INBOX"}},
}


def assets(chain: dict[str, Any], *tokens: int) -> dict[str, Any]:
    """Return a chain of the swap."""
    return {"id": chain["id"], "owner": chain["owner"], "assets": [{"token": t, "amount": 5} for t in tokens]}


@pytest.mark.parametrize("message", HEADERS)
def test_a_wrong_header_is_named(tmp_path: Path, genuine: list[bytes], message: str) -> None:
    header = HEADERS[message](json.loads(genuine[0]))
    with pytest.raises(InputError) as caught:
        open_log(written(tmp_path, json.dumps(header).encode()))
    assert message in str(caught.value)


def test_a_log_starts_with_a_header(tmp_path: Path, genuine: list[bytes]) -> None:
    with pytest.raises(InputError, match="line 1: expected a header, found the end of the file"):
        open_log(written(tmp_path))
    with pytest.raises(InputError, match="line 1"):
        open_log(written(tmp_path, genuine[1]))
    with pytest.raises(InputError, match="file: expected a readable file"):
        open_log(tmp_path / "nothing")
    with pytest.raises(InputError, match="file: expected a regular file"):
        open_log(tmp_path)
    with pytest.raises(InputError, match=r"unknown key 'log'|exactly one"):
        events_of(written(tmp_path, genuine[0], genuine[0]))


# --- Files --------------------------------------------------------------------------------------------------------


def test_an_incomplete_last_line_is_reported(tmp_path: Path) -> None:
    (path, *_) = recorded(tmp_path, "05-closing")
    data = path.read_bytes()
    path.write_bytes(data[:-10])
    (file,) = checked([path]).files
    assert file.difference is None
    assert file.truncated == len(data.splitlines())
    packed = gzip.compress(data)
    path.write_bytes(packed[: len(packed) * 2 // 3])
    (file,) = checked([path]).files
    assert file.difference is None
    assert file.truncated is not None


def test_damaged_compression_is_named(tmp_path: Path) -> None:
    (path, *_) = recorded(tmp_path, "05-closing")
    packed = bytearray(gzip.compress(path.read_bytes()))
    packed[len(packed) // 2] ^= 0xFF
    path.write_bytes(packed)
    with pytest.raises(InputError, match="expected"):
        checked([path])


def test_bombs_are_refused(tmp_path: Path, genuine: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_EVENT", 1 << 16)
    monkeypatch.setattr(lines, "FREE", 1 << 10)
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(genuine[0] + b"\n" + b"0" * (1 << 20)))
    with pytest.raises(InputError, match="line 2: expected at most 65536 bytes"):
        events_of(path)
    path.write_bytes(gzip.compress(b"\n".join([genuine[0], *[b'{"confirm":"","accepted":[]}'] * 20_000])))
    with pytest.raises(InputError, match="expected data that expands at most 200 times"):
        events_of(path)


# --- Hostile lines ------------------------------------------------------------------------------------------------

KEYS = st.sampled_from([*lines.ITEMS, *lines.SERVICES, "accepted", "rejected"])
OTHER_KEYS = st.sampled_from(["state", "time", "note", "log", "x", ""])
HEX = st.binary(max_size=40).map(bytes.hex)
VALUES = st.one_of(
    HEX,
    st.lists(HEX, max_size=2),
    st.sampled_from(["", "0", "0.1", "INVALID_OWNER", HEX64, "A", "0" * 63, "é", "\x7f", "\n", '"', "{"]),
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=8)),
    st.recursive(st.none(), lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=2)),
)
DOCUMENTS = st.dictionaries(st.one_of(KEYS, KEYS, OTHER_KEYS), VALUES, max_size=4)
SPELLING = st.sampled_from([(",", ":"), (", ", ": "), (" ,", " :")])


def outcome(raw: bytes, read: Callable[[Path, int, bytes], object]) -> object:
    """Return what reading a line leads to."""
    try:
        return read(HERE, 7, raw)
    except InputError as error:
        return str(error)


def strictly(path: Path, number: int, raw: bytes) -> object:
    """Read a line by the parser and the schema alone."""
    with patch.object(lines, "_quick", return_value=None):
        return read_event(path, number, raw)


@examples(4000)
@given(DOCUMENTS, SPELLING, st.booleans())
def test_both_ways_to_read_a_line_agree(document: dict[str, Any], spelling: tuple[str, str], plain: bool) -> None:
    raw = json.dumps(document, separators=spelling, ensure_ascii=plain).encode("utf-8", "surrogatepass")
    found = outcome(raw, read_event)
    assert found == outcome(raw, strictly)
    if isinstance(found, str):
        assert found.startswith("log: line 7")
        assert found.isascii()
        assert len(found) < 600


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a place for files that are written again and again."""
    return tmp_path_factory.mktemp("hostile")


def spoiled(draw: random.Random, found: list[bytes]) -> list[bytes]:
    """Damage lines at random: their bytes, their values, their order."""
    found = list(found)
    for _ in range(draw.randint(1, 3)):
        place = draw.randrange(len(found))
        match draw.randrange(7):
            case 0:
                found[place] = _flip(draw, found[place])
            case 1:
                del found[place : place + draw.randint(1, 3)]
            case 2:
                found.insert(place, draw.choice(found))
            case 3:
                found[place] = found[place][: draw.randrange(len(found[place]) + 1)]
            case 4:
                found[place] = _other_value(draw, found[place], draw.choice(found))
            case 5:
                found[place] = draw.choice(list(WRONG))
            case _:
                found[place] = _other_hex(draw, found[place])
        if not found:
            return found
    return found


def _flip(draw: random.Random, raw: bytes) -> bytes:
    place = draw.randrange(len(raw)) if raw else 0
    return raw[:place] + bytes((draw.randrange(256),)) + raw[place + 1 :]


def _other_value(draw: random.Random, raw: bytes, other: bytes) -> bytes:
    try:
        one, two = json.loads(raw), json.loads(other)
        one[draw.choice(list(one))] = draw.choice(list(two.values()))
        return json.dumps(one).encode()
    except (ValueError, IndexError, TypeError, AttributeError, RecursionError):
        return other


def _other_hex(draw: random.Random, raw: bytes) -> bytes:
    """Change digits in the middle: most of what comes out is still hexadecimal, and no longer what it was."""
    place = draw.randrange(len(raw)) if raw else 0
    return raw[:place] + b"".join(b"%x" % draw.randrange(16) for _ in raw[place : place + 2]) + raw[place + 2 :]


@examples(400)
@given(st.integers(0, 2**32))
def test_no_log_breaks_the_checker(folder: Path, genuine: list[bytes], seed: int) -> None:
    """Fifty damaged logs an example."""
    draw = random.Random(seed)
    names = ("01-tour", "22-restarts")
    logs = [genuine, *(next(iter(logs_of(played(name), LEAST).values())).splitlines()[:12] for name in names)]
    for _ in range(50):
        path = folder / "log"
        path.write_bytes(b"\n".join(spoiled(draw, draw.choice(logs))) + draw.choice([b"", b"\n"]))
        said = ""
        try:
            assert checked([path], Options(picture=draw.randrange(20) == 0)).files
        except UsageError as error:
            said = str(error)
        assert not said or said.startswith(f"{path}: ")

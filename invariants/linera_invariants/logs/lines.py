"""The format: a header, then an event a line (``spec/schemas/log.schema.json``), read as a bounded stream.

A line in the usual spelling is checked by :func:`_quick`, everything else by the strict parser and the schema, which
also say what is wrong. Both accept the same lines.
"""

import gzip
import json
import re
import stat
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Final, NoReturn, TypeAlias

from attrs import field, frozen

from linera_invariants.audit_files import context_of, genesis_of
from linera_invariants.inputs import InputError, check_schema, parse_json
from linera_invariants.scenarios import chain_id_of
from linera_invariants.story import show_rejection
from linera_invariants.vectors.replay import Archive, Crash, SendAgain
from linera_reference.certificate import Certificate
from linera_reference.context import Context
from linera_reference.encoding import decode
from linera_reference.notation import PublicKey, evolve
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.rejections import Rejected, Rejection
from linera_reference.request import Request
from linera_reference.rules import AnticipationRule, QuorumRule, Rules
from linera_reference.validator import Genesis, Validator, genesis_validator

VERSION: Final = 2
MAX_HEADER: Final = 16 << 20
MAX_EVENT: Final = 4 << 20
MAX_RATIO: Final = 200
FREE: Final = 16 << 20
"""A compressed file may expand MAX_RATIO times, beyond the first FREE bytes."""

MAX_PARTS: Final = {"header": 1 << 20, "event": 1 << 11}
"""Values of a line, which take much more memory than its bytes."""

ITEMS: Final[dict[str, Any]] = {
    "request": Request,
    "certificate": Certificate,
    "update": UpdateRecipient,
    "confirm": ConfirmUpdatedRecipient,
}
SERVICES: Final[dict[str, Any]] = {"resend": SendAgain, "archive": Archive, "restart": Crash}


@frozen
class Header:
    """What a log takes as given, and whose it is. ``logged``: deliveries between its chains are events, too."""

    crypto: str
    context: Context
    genesis: Genesis
    logged: bool
    validator: PublicKey
    start: Validator = field(eq=False)


@frozen
class Event:
    """A line: what a validator received, as written, and what it answered (``rejected`` is a name, or ⊥)."""

    line: int
    kind: str
    item: str
    votes: tuple[str, ...]
    rejected: str | None
    state: str | None


@frozen
class Log:
    """A log being read. ``events`` is a stream; of a file that was cut off, it ends before the incomplete line."""

    path: Path
    header: Header
    events: Iterator[Event]
    truncated: list[int] = field(factory=list)


# --- Files -------------------------------------------------------------------------------------------------------


def open_log(path: Path) -> Log:
    """Open a log, plain or compressed by gzip, and read its header. Raises: InputError."""
    truncated: list[int] = []
    lines = raw_lines(path, truncated)
    for _, raw in lines:
        return Log(path, read_header(path, raw), (read_event(path, *line) for line in lines), truncated)
    raise InputError(path, "line 1", "expected a header, found the end of the file")


def raw_lines(path: Path, truncated: list[int]) -> Iterator[tuple[int, bytes]]:
    """Number the lines of a file; an incomplete last one is noted, not returned."""
    number = 0
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # it is read more than once
            raise InputError(path, "file", "expected a regular file, found something else")
        with path.open("rb") as file:
            for number, raw in enumerate(_bounded(path, file), 1):
                if not raw.endswith(b"\n"):
                    truncated.append(number)
                    return
                yield number, raw[:-1]
    except EOFError:  # compressed data that ends too early
        truncated.append(number + 1)
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError(path, f"after line {number}", f"expected gzip data: {str(error).lower()}") from None
    except OSError as error:
        found = (error.strerror or "an error").lower()
        raise InputError(path, "file", f"expected a readable file, found: {found}") from None


def _bounded(path: Path, file: IO[bytes]) -> Iterator[bytes]:
    compressed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    source: Any = gzip.GzipFile(fileobj=file) if compressed else file
    limit = FREE + MAX_RATIO * path.stat().st_size
    number, total, longest = 0, 0, MAX_HEADER
    while raw := source.readline(longest + 1):
        number, total = number + 1, total + len(raw)
        if len(raw) > longest:
            raise InputError(path, f"line {number}", f"expected at most {longest} bytes")
        if compressed and total > limit:
            raise InputError(path, f"line {number}", f"expected data that expands at most {MAX_RATIO} times")
        yield raw
        longest = MAX_EVENT


# --- Lines -------------------------------------------------------------------------------------------------------


@lru_cache(8)
def read_header(path: Path, raw: bytes) -> Header:
    """Read the first line. Raises: InputError."""
    document = _strict(path, 1, raw, "header")
    with _At(path, 1):
        genesis, context = genesis_of(path, document), context_of(path, document)
    names = document["rules"]
    rules = Rules(QuorumRule[names["quorum"]], AnticipationRule[names["anticipation"]])
    validator = bytes.fromhex(document["validator"])
    if validator not in context.committee.weights:
        raise InputError(path, "line 1, validator", "expected a member of the committee")
    start = Genesis(context.committee, tuple(genesis))
    context = evolve(context, rules=rules)
    logged = document["deliveries"] == "logged"
    return Header(document["crypto"], context, start, logged, validator, _first_state(path, start))


def _first_state(path: Path, genesis: Genesis) -> Validator:
    try:
        return genesis_validator(genesis)
    except Rejection as rejection:
        found = show_rejection(Rejected(rejection.reason, rejection.detail))
        raise InputError(path, "line 1, genesis", f"expected a possible genesis, found {found}") from None


def read_event(path: Path, number: int, raw: bytes) -> Event:
    """Read a line after the first. Raises: InputError."""
    document = _quick(raw) or _strict(path, number, raw, "event")
    (kind,) = document.keys() & _ACTIONS
    votes, rejected = document.get("accepted", ()), document.get("rejected")
    return Event(number, kind, document[kind], tuple(votes), rejected, document.get("state"))


@frozen
class _At:
    """Names the line in what is wrong with a part of it."""

    path: Path
    number: int

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, InputError):
            self.fail(error)

    def fail(self, error: InputError) -> NoReturn:
        rest = error.place.removeprefix("line 1").removeprefix(", ").removeprefix("document")
        place = ", ".join(filter(None, (f"line {self.number}", rest)))
        raise InputError(self.path, place, error.expectation) from None


def _strict(path: Path, number: int, raw: bytes, part: str) -> dict[str, Any]:
    if sum(map(raw.count, (b"{", b"[", b","))) > MAX_PARTS[part]:
        raise InputError(path, f"line {number}", f"expected at most {MAX_PARTS[part]} values")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        place = f"line {number}, byte {error.start + 1}"
        raise InputError(path, place, f"expected UTF-8, found byte 0x{raw[error.start]:02x}") from None
    with _At(path, number):
        document: dict[str, Any] = parse_json(path, text)
        check_schema(path, document, "log", part)
    return document


def _quick(raw: bytes) -> dict[str, Any] | None:
    """Read a line of the usual spelling: no escapes, nothing repeated, only what is expected. ⊥: ask the schema."""
    if not raw.isascii() or b"\\" in raw or b"\x7f" in raw or raw.count(b"{") != 1 or raw.count(b"[") > 1:
        return None
    try:
        document = json.loads(raw.decode("ascii"))
    except ValueError:
        return None
    if type(document) is not dict or raw.count(b'":') != len(document):
        return None
    if len(document.keys() & _ACTIONS) != 1 or ("accepted" in document) is ("rejected" in document):
        return None
    for key, value in document.items():
        check = _CHECKS.get(key)
        if check is None or not check(value):
            return None
    return document


_DIGITS: Final = b"0123456789abcdef"
_ACTIONS: Final = frozenset((*ITEMS, *SERVICES))


def _is_hex(value: Any) -> bool:
    return type(value) is str and len(value) % 2 == 0 and not value.encode().translate(None, _DIGITS)


def _is_id(value: Any) -> bool:
    return type(value) is str and _ID.fullmatch(value) is not None


_ID: Final = re.compile(r"(0|[1-9][0-9]{0,19})(\.(0|[1-9][0-9]{0,19})){0,15}")


def _is_votes(value: Any) -> bool:
    return type(value) is list and len(value) < 2 and all(map(_is_hex, value))


def _is_name(value: Any) -> bool:
    return type(value) is str and 1 <= len(value) <= 256


def _is_note(value: Any) -> bool:
    return type(value) is str and len(value) <= 64


_CHECKS: Final[dict[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(ITEMS, _is_hex),
    **dict.fromkeys(SERVICES, _is_id),
    "accepted": _is_votes,
    "rejected": _is_name,
    "state": lambda value: _is_hex(value) and len(value) == 64,
    "time": _is_note,
    "note": _is_note,
}


# --- Items -------------------------------------------------------------------------------------------------------

Sent: TypeAlias = Request | Certificate | UpdateRecipient | ConfirmUpdatedRecipient
Received: TypeAlias = Sent | SendAgain | Archive | Crash
Item: TypeAlias = Received | Rejected
"""What was received; bytes that are no such thing stand for the rejection by the decoder."""
MANY: Final = 2048
"""Items that are remembered."""
SMALL: Final = 1 << 15
"""Digits of an item that is remembered, at most."""


def item_of(event: Event) -> Item:
    """Return what an event received. The same bytes give the same object as long as they are remembered."""
    if event.kind in SERVICES:
        service: Received = SERVICES[event.kind](chain_id_of(event.item))
        return service
    return (_recent if len(event.item) <= SMALL else _decoded)(event.kind, event.item)


def _decoded(kind: str, text: str) -> Item:
    try:
        item: Received = decode(ITEMS[kind], bytes.fromhex(text))
    except Rejection as rejection:
        return Rejected(rejection.reason, rejection.detail)
    return item


_recent = lru_cache(MANY)(_decoded)


def forget_items() -> None:
    """Remember nothing, as a fresh process does."""
    _recent.cache_clear()

"""The lines of the harness protocol: requests as bytes, and answers from bytes that anything may have written."""

import json
import zlib
from typing import Any, Final, NoReturn

from linera_invariants.inputs import InputError, check_schema, part_validator, shown

PROTOCOL: Final = 1
MAX_ANSWER: Final = 4 << 20
ENDS: Final = ("accepted", "rejected", "skipped", "errored")
"""The keys of an answer to ``run``, one of which it has."""


class ProtocolError(Exception):
    """A line that the protocol does not allow: what is wrong with it."""


def request(seq: int, cmd: str, **content: Any) -> bytes:
    """Return the line of a request."""
    return json.dumps({"seq": seq, "cmd": cmd, **content}, separators=(",", ":")).encode() + b"\n"


def next_seq(seq: int, name: str) -> int:
    """Return a number for the next request that a harness cannot guess: an answer to no question gives itself away."""
    return seq + 1 + zlib.crc32(name.encode()) % 1000


def prepare() -> None:
    """Load what checks answers, which takes a while the first time."""
    part_validator("harness", "start")


def parse_answer(line: bytes, part: str) -> dict[str, Any]:
    """Read an answer to start, capabilities, run or stop. Raises: ProtocolError."""
    answer = _parse(line, numbers=2 if part == "start" else 1)
    if not isinstance(answer, dict):
        raise ProtocolError(f"expected a JSON object, found {shown(answer)}")
    try:
        check_schema("answer", _outline(answer), "harness", _end_of(answer) if part == "run" else part)
    except InputError as error:
        raise ProtocolError(f"{error.place}: {error.expectation}") from None
    return answer


def _outline(answer: dict[str, Any]) -> dict[str, Any]:
    """Leave out the inside of forms: parsing has seen that there is nothing but forms in them."""
    return {key: value if key in _SMALL else _empty(value) for key, value in answer.items()}


_SMALL: Final = {"operations", "implementation"}


def _empty(value: Any) -> Any:
    return type(value)() if isinstance(value, dict | list) else value


def _end_of(answer: dict[str, Any]) -> str:
    ends = [end for end in ENDS if end in answer]
    if len(ends) != 1:
        raise ProtocolError(f"expected one of the keys {', '.join(ENDS)}, found {' and '.join(ends) or 'none'}")
    return ends[0]


def _parse(line: bytes, numbers: int) -> Any:
    hooks = _Hooks(numbers)
    try:
        return json.loads(
            line.decode("utf-8"),
            object_pairs_hook=hooks.unique_keys,
            parse_int=hooks.integer,
            parse_float=hooks.refuse,
            parse_constant=hooks.refuse,
        )
    except UnicodeDecodeError as error:
        raise ProtocolError(f"byte {error.start + 1}: expected UTF-8") from None
    except json.JSONDecodeError as error:
        raise ProtocolError(
            f"character {error.pos + 1}: expected JSON: {error.msg}, found {shown(error.doc[:80])}"
        ) from None
    except RecursionError:
        raise ProtocolError("expected JSON of a reasonable depth") from None


class _Hooks:
    """Allows as many numbers as the envelope of an answer has, since forms have none, and each key once."""

    def __init__(self, numbers: int) -> None:
        self.left = numbers

    def integer(self, digits: str) -> int:
        self.left -= 1
        if self.left < 0 or len(digits) > 16:
            self.refuse(digits)
        return int(digits)

    def refuse(self, literal: str) -> NoReturn:
        raise ProtocolError(f"expected forms without numbers, found {shown(literal)}")

    def unique_keys(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table: dict[str, Any] = {}
        for key, value in pairs if len(dict(pairs)) < len(pairs) else ():
            if key in table:
                raise ProtocolError(f"expected each key of an object once, found {shown(key)} again")
            table[key] = value
        return dict(pairs)

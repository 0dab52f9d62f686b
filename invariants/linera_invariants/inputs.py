"""Reading files from outside: strict, bounded, and with one clear message for whatever is wrong.

Every file goes through :func:`read_document`: size, encoding, syntax, depth, duplicate keys, numbers and text are
checked before a schema is, and a schema before any value is used.
"""

import json
import os
import re
import stat
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from attrs import frozen

from .errors import UsageError
from .specdata import spec_root

if TYPE_CHECKING:  # loaded where a schema is checked: it takes as long as the rest of a small command
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError
    from referencing import Registry, Resource

MEBIBYTE = 1 << 20
MAX_DEPTH = 32
MAX_DIGITS = 40
"""u128 has 39 digits."""
MAX_LINE = 1024
"""Length of a TOML line: a key of very many parts takes time that is quadratic in them."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_BRACKETS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)


class InputError(UsageError):
    """A file that cannot be used: which one, where in it, and what was expected."""

    def __init__(self, file: str | Path, place: str, expectation: str) -> None:
        super().__init__(f"{file}: {place}: {expectation}")
        self.file = str(file)
        self.place = place
        self.expectation = expectation


@frozen
class _Source:
    """A text being read; hooks of parsers use it to name a place."""

    file: Path
    text: str

    def fail(self, place: str, expectation: str) -> NoReturn:
        raise InputError(self.file, place, expectation)

    def line_of(self, literal: str) -> str:
        return f"line {self.text[: max(0, self.text.find(literal))].count(chr(10)) + 1}"

    def integer(self, digits: str) -> int:
        if len(digits) > MAX_DIGITS:
            self.fail(self.line_of(digits), f"expected an integer of at most {MAX_DIGITS} digits")
        return int(digits)

    def no_float(self, literal: str) -> NoReturn:
        self.fail(self.line_of(literal), f"expected an integer, found {shown(literal)}")

    def unique_keys(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            keys = [key for key, _ in pairs]
            repeated = next(key for i, key in enumerate(keys) if key in keys[:i])
            self.fail(f"key {shown(repeated)}", "expected once in its object, found twice")
        return table


# --- Files ---


def read_bytes(path: Path, limit: int = MEBIBYTE) -> bytes:
    """Read a file of at most ``limit`` bytes."""
    with _system_errors(path, "a readable file"), path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise InputError(path, "file", f"expected at most {limit} bytes")
    return data


def read_document(path: Path, limit: int = MEBIBYTE) -> Any:
    """Read a TOML or JSON file (its suffix says which) into dictionaries, lists, strings, integers and booleans."""
    parsers: dict[str, Callable[[_Source], Any]] = {".json": _parse_json, ".toml": _parse_toml}
    parse = parsers.get(path.suffix.lower())
    if parse is None:
        raise InputError(path, "file name", "expected the suffix .toml or .json")
    data = read_bytes(path, limit)
    try:
        source = _Source(path, data.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(path, f"line {line}", f"expected UTF-8, found byte 0x{data[error.start]:02x}") from None
    document = parse(source)
    _check_values(source, document)
    return document


def read_with_schema(path: Path, schema: str, limit: int = MEBIBYTE) -> dict[str, Any]:
    """Read a document and check it against a schema of ``spec/schemas``."""
    document = read_document(path, limit)
    check_schema(path, document, schema)
    table: dict[str, Any] = document
    return table


def write_atomically(path: Path, data: bytes) -> None:
    """Write a whole regular file or nothing; a symbolic link stays, and the file it leads to is written."""
    with _system_errors(path, "a writable place"):
        target = _regular_target(path)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            temporary.chmod(0o644)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


def _regular_target(path: Path) -> Path:
    """Return where a path leads: to a regular file, or to nothing yet. Raises: InputError, OSError."""
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        regular = True
    if not regular:
        raise InputError(path, "file", "expected a regular file or none, found something else")
    return path.resolve()


@contextmanager
def _system_errors(path: Path, expected: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        found = (error.strerror or "an error").lower()
        raise InputError(path, "file", f"expected {expected}, found: {found}") from None


# --- Syntax ---


def parse_json(file: Path, text: str) -> Any:
    """Parse a JSON text as strictly as a file."""
    source = _Source(file, text)
    document = _parse_json(source)
    _check_values(source, document)
    return document


def _parse_json(source: _Source) -> Any:
    _check_depth(source)
    try:
        return json.loads(
            source.text,
            object_pairs_hook=source.unique_keys,
            parse_int=source.integer,
            parse_float=source.no_float,
            parse_constant=source.no_float,
        )
    except json.JSONDecodeError as error:
        return source.fail(f"line {error.lineno}, column {error.colno}", f"expected JSON: {error.msg}")


def _parse_toml(source: _Source) -> Any:
    for number, line in enumerate(source.text.split("\n"), 1):
        if len(line) > MAX_LINE:
            source.fail(f"line {number}", f"expected at most {MAX_LINE} characters")
    try:
        return tomllib.loads(source.text, parse_float=source.no_float)
    except RecursionError:
        return source.fail("nesting", f"expected at most {MAX_DEPTH} levels")
    except ValueError as error:  # also an integer of thousands of digits, which is no TOMLDecodeError
        where = re.search(r" \(at (.*)\)$", str(error))
        what = str(error)[: where.start()] if where else str(error).split(";")[0]
        return source.fail(where.group(1) if where else "a value", f"expected TOML: {what}")


def _check_depth(source: _Source) -> None:
    """Bound the nesting before the parser sees it; brackets in strings do not count."""
    depth = 0
    for match in _BRACKETS.finditer(source.text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(match.group(), 0)
        if depth > MAX_DEPTH:
            line = source.text[: match.start()].count("\n") + 1
            source.fail(f"line {line}", f"expected at most {MAX_DEPTH} levels of nesting")


def walk(document: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Visit every value with its path, in the order of the document, without recursion."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
    while waiting:
        path, value = waiting.pop()
        yield path, value
        items: list[tuple[str | int, Any]] = []
        if isinstance(value, dict):
            items = list(value.items())
        elif isinstance(value, list):
            items = list(enumerate(value))
        waiting += [((*path, key), item) for key, item in reversed(items)]


def _check_values(source: _Source, document: Any) -> None:
    for path, value in walk(document):
        if len(path) > MAX_DEPTH:
            source.fail("nesting", f"expected at most {MAX_DEPTH} levels")
        texts = [value, *map(str, path[-1:])] if isinstance(value, str) else map(str, path[-1:])
        if any(_CONTROL.search(text) for text in texts):
            source.fail(place_of(path), "expected text without control characters")
        if isinstance(value, int) and abs(value) >= 10**MAX_DIGITS:
            source.fail(place_of(path), f"expected an integer of at most {MAX_DIGITS} digits")


# --- Schemas ---


def _pattern(_: Any, pattern: str, instance: Any, __: Any) -> "Iterator[ValidationError]":
    """Check a pattern as ECMA 262 means it: there ``$`` does not match before a final newline."""
    from jsonschema.exceptions import ValidationError  # noqa: PLC0415

    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield ValidationError("pattern")


@cache
def schema_validator(name: str) -> "Draft202012Validator":
    """Return the validator of ``spec/schemas/<name>.schema.json``."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415
    from jsonschema.validators import extend  # noqa: PLC0415

    kind: Any = extend(Draft202012Validator, {"pattern": _pattern})  # type: ignore[no-untyped-call]
    validator: Draft202012Validator = kind(_schemas()[name].contents, registry=_registry())
    return validator


@cache
def _schemas() -> "dict[str, Resource[Any]]":
    """Read every schema: one may refer to another by its ``$id``."""
    from referencing import Resource  # noqa: PLC0415

    files = sorted((spec_root() / "schemas").glob("*.schema.json"))
    return {
        f.name.removesuffix(".schema.json"): Resource.from_contents(json.loads(f.read_text("utf-8"))) for f in files
    }


@cache
def _registry() -> "Registry[Any]":
    from referencing import Registry  # noqa: PLC0415

    return Registry().with_resources((schema.id() or "", schema) for schema in _schemas().values())


@cache
def part_validator(name: str, part: str) -> "Draft202012Validator":
    """Return the validator of a definition of a schema; without a name, of the schema itself."""
    whole: Any = schema_validator(name)
    found: Draft202012Validator = (
        whole.evolve(schema={"$ref": f"{whole.schema['$id']}#/$defs/{part}"}) if part else whole
    )
    return found


def check_schema(file: str | Path, document: Any, schema: str, part: str = "") -> None:
    """Accept a document that a schema (or a part of it) accepts; complain about the first mistake, in its order."""
    error = next(part_validator(schema, part).iter_errors(document), None)
    if error is not None:
        raise InputError(file, place_of(tuple(error.absolute_path)), _expectation(error))


def place_of(path: tuple[str | int, ...]) -> str:
    """Return a path in words; items count from 1."""
    words = [f"item {part + 1}" if isinstance(part, int) else _short(part) for part in path]
    return ", ".join(words) or "document"


def shown(value: Any) -> str:
    """Return a value for a message: on one line, short, ASCII."""
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    return _short(ascii(value))


def _short(text: str) -> str:
    text = ascii(text)[1:-1] if not text.isascii() or _CONTROL.search(text) else text
    return text if len(text) <= 60 else f"{text[:57]}..."


def _expectation(error: "ValidationError") -> str:
    """Say what a schema expects. A ``description`` beside a keyword takes precedence over the keyword."""
    rule, value, instance = str(error.validator), _known(error.validator_value), _known(error.instance)
    if rule == "additionalProperties":
        return _unknown_key(error)
    if rule == "required":
        return f"expected the key {shown(next(key for key in value if key not in instance))}"
    if rule == "dependentRequired":
        key = next(k for k in value if k in instance and not set(value[k]) <= set(instance))
        return f"expected the key {shown(value[key][0])} beside {shown(key)}"
    if rule in {"minProperties", "minItems", "minLength"}:
        return f"expected at least {value}"
    if rule in {"maxProperties", "maxItems", "maxLength"}:
        return f"expected at most {value}"
    if rule == "uniqueItems":
        return "expected items without repetition"
    expected = error.schema.get("description") if isinstance(error.schema, dict) else None
    return f"expected {expected or _keyword(rule, value)}, found {shown(instance)}"


def _known(value: Any) -> Any:
    """Return a field of an error of a validator, where every field is set."""
    return value


def _unknown_key(error: "ValidationError") -> str:
    schema, instance = _known(error.schema), _known(error.instance)
    known = sorted(schema.get("properties", {}))
    pattern = re.compile("|".join(schema.get("patternProperties", ())) or r"(?!)")
    key = next(k for k in instance if k not in known and not pattern.search(k))
    hint = f"one of {', '.join(known)}" if known else schema.get("description", "no such key")
    return f"unknown key {shown(key)}, expected {hint}"


def _keyword(rule: str, value: Any) -> str:
    names = {"integer": "an integer", "object": "a table", "array": "a list", "boolean": "true or false"}
    match rule:
        case "type":
            return names.get(value, f"a {value}")
        case "enum":
            return f"one of {', '.join(map(str, value))}"
        case "minimum" | "maximum":
            return f"a number of at {'least' if rule == 'minimum' else 'most'} {value}"
        case "const":
            return shown(value)
    return f"what the schema's rule {rule} allows"

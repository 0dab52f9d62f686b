"""Reading the files of vectors: bounded, strict, with forms expanded. The files may come from anywhere.

What a vector may hold follows from the annotations of :class:`Vector`. Expansion shares what the file shares, so it
takes no more memory than the file; what a vector would be when written out is bounded, too.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from hashlib import sha3_256
from pathlib import Path
from typing import Any, Final, NoReturn

from attrs import fields, frozen

from linera_invariants.inputs import InputError, read_bytes, shown
from linera_invariants.specdata import spec_root
from linera_reference.rejections import Reason

from .build import FORMAT, MAX_BYTES, SHARED
from .forms import Form, FormError, value_of
from .model import AREAS, Vector
from .table import OPERATIONS

MAX_INDEX: Final = 1 << 20
MAX_DEPTH: Final = 64
MAX_EXPANDED: Final = 4 << 20
"""Characters of the forms of one vector when written out, at least."""
INDEX: Final = "index.json"


@frozen
class AreaRow:
    """What the index says of an area."""

    area: str
    vectors: int
    bytes: int
    sha3: str


def vectors_root() -> Path:
    """Return the folder of the shipped vectors."""
    return spec_root() / "vectors" / "v1"


def read_suite(
    root: Path | None = None, areas: Iterable[str] = AREAS, wanted: Callable[[str], bool] = lambda _: True
) -> tuple[Vector, ...]:
    """Return the vectors of some areas whose identifier is wanted, expanded. Raises: InputError."""
    root, chosen = root or vectors_root(), set(areas)
    rows = [row for row in read_index(root) if row.area in chosen]
    return tuple(vector for row in rows for vector in read_area(root, row, wanted))


def read_index(root: Path) -> tuple[AreaRow, ...]:
    """Return what the index says of each area. Raises: InputError."""
    file = root / INDEX
    document = parse_document(file, read_bytes(file, MAX_INDEX))
    rows = [_row(file, place, row) for place, row in _numbered(file, document, "areas")]
    for at, row in enumerate(rows, 1):
        if row.area in {earlier.area for earlier in rows[: at - 1]}:
            raise InputError(file, f"areas, item {at}", f"expected each area once, found {row.area} again")
    return tuple(rows)


def _row(file: Path, place: str, row: Any) -> AreaRow:
    kinds: dict[str, Any] = {"area": str, "vectors": int, "bytes": int, "sha3": str}
    if not (isinstance(row, dict) and set(row) == set(kinds) and all(type(row[key]) is kinds[key] for key in kinds)):
        raise InputError(file, place, f"expected area and sha3 (text), vectors and bytes (numbers), found {shown(row)}")
    if row["area"] not in AREAS:
        raise InputError(file, place, f"expected an area of {', '.join(AREAS)}, found {shown(row['area'])}")
    return AreaRow(**row)


def read_area(root: Path, row: AreaRow, wanted: Callable[[str], bool] = lambda _: True) -> tuple[Vector, ...]:
    """Return the wanted vectors of one area. Raises: InputError, also where the file is not what the index says."""
    file = root / f"{row.area}.json"
    data = read_bytes(file, MAX_BYTES)
    if (len(data), sha3_256(data).hexdigest()) != (row.bytes, row.sha3):
        raise InputError(file, "file", f"expected the {row.bytes} bytes with the digest that {INDEX} gives")
    document = parse_document(file, data)
    if (document.get("area"), len(_numbered(file, document, "vectors"))) != (row.area, row.vectors):
        raise InputError(file, "document", f"expected {row.vectors} vectors of the area {row.area}")
    return _vectors_in(file, document, wanted)


def read_file(file: Path) -> tuple[Vector, ...]:
    """Return the vectors of a file by itself: no index speaks of it. Raises: InputError."""
    document = parse_document(file, read_bytes(file, MAX_BYTES))
    if document.get("area") not in AREAS:
        raise InputError(file, "area", f"expected an area of {', '.join(AREAS)}, found {shown(document.get('area'))}")
    return _vectors_in(file, document)


def _vectors_in(
    file: Path, document: dict[str, Any], wanted: Callable[[str], bool] = lambda _: True
) -> tuple[Vector, ...]:
    rows, expansion = _numbered(file, document, "vectors"), Expansion(file, document.get("shared"))
    names = [_named(file, place, vector, document["area"]) for place, vector in rows]
    ((name, count),) = Counter(names).most_common(1) or [("", 0)]
    if count > 1:
        raise InputError(file, name, "expected each identifier once")
    chosen = [vector for name, (_, vector) in zip(names, rows, strict=True) if wanted(name)]
    return tuple(read_vector(file, vector, expansion) for vector in chosen)


def _named(file: Path, place: str, vector: Any, area: str) -> str:
    name = vector.get("id") if isinstance(vector, dict) else None
    if isinstance(name, str) and name.startswith(f"{area}/") and len(name) <= 200 and name.isprintable():
        return name
    raise InputError(file, place, f"expected an object with an id that starts with {area}/, found {shown(name)}")


# --- The text ----------------------------------------------------------------------------------------------------


def parse_document(file: Path, data: bytes, expected: str = FORMAT) -> dict[str, Any]:
    """Parse JSON without fractions and repeated keys, of an expected format. Raises: InputError."""

    def refuse(literal: str) -> NoReturn:
        raise InputError(file, "a number", f"expected an integer of few digits, found {shown(literal)}")

    def integer(digits: str) -> int:
        return int(digits) if len(digits) < 12 else refuse(digits)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            raise InputError(
                file, "an object", f"expected each key once, found {', '.join(shown(k) for k, _ in pairs)}"
            )
        return table

    try:
        document = json.loads(
            data.decode(), object_pairs_hook=unique, parse_int=integer, parse_float=refuse, parse_constant=refuse
        )
    except UnicodeDecodeError as error:
        raise InputError(file, f"byte {error.start}", "expected UTF-8") from None
    except json.JSONDecodeError as error:
        raise InputError(file, f"line {error.lineno}, column {error.colno}", f"expected JSON: {error.msg}") from None
    except RecursionError:
        raise InputError(file, "nesting", f"expected at most {MAX_DEPTH} levels") from None
    if not isinstance(document, dict) or document.get("format") != expected:
        raise InputError(file, "document", f"expected an object with the format {expected}")
    return document


def _numbered(file: Path, document: dict[str, Any], key: str) -> list[tuple[str, Any]]:
    items = document.get(key)
    if not isinstance(items, list):
        raise InputError(file, key, f"expected an array, found {shown(items)}")
    return [(f"{key}, item {at}", item) for at, item in enumerate(items, 1)]


# --- Expansion ---------------------------------------------------------------------------------------------------


@frozen
class _Grown:
    """A form without references, at least how many characters it has when written out, and how deep it is."""

    form: Form
    size: int
    depth: int


class Expansion:
    """Puts shared forms in place of their names; refuses cycles, unknown names, and what grows too large."""

    def __init__(self, file: Path, shared: Any) -> None:
        if not isinstance(shared, dict):
            raise InputError(file, "shared", f"expected an object, found {shown(shared)}")
        self.file = file
        self.shared = shared
        self.known: dict[str, _Grown | None] = {}

    def expand(self, form: Form, place: str) -> Form:
        """Return a form with every reference replaced. Raises: InputError."""
        return self._grown(form, place, 0).form

    def _grown(self, form: Form, place: str, level: int) -> _Grown:
        if isinstance(form, str):
            return _Grown(form, len(form) + 2, 0)
        if form is None or isinstance(form, bool):
            return _Grown(form, 4, 0)
        if isinstance(form, dict | list):
            if level > MAX_DEPTH:
                raise InputError(self.file, place, f"expected at most {MAX_DEPTH} levels of nesting")
            return (
                self._named(form, place, level)
                if isinstance(form, dict) and SHARED in form
                else self._inside(form, place, level)
            )
        raise InputError(self.file, place, f"expected no number in a form, found {shown(form)}")

    def _inside(self, form: dict[str, Form] | list[Form], place: str, level: int) -> _Grown:
        items = list(form.values()) if isinstance(form, dict) else form
        parts = [self._grown(item, place, level + 1) for item in items]
        size = 2 + sum(part.size + 1 for part in parts) + (sum(map(len, form)) if isinstance(form, dict) else 0)
        depth = 1 + max((part.depth for part in parts), default=0)
        if size > MAX_EXPANDED or depth > MAX_DEPTH:
            raise InputError(self.file, place, f"expected at most {MAX_EXPANDED} characters and {MAX_DEPTH} levels")
        whole = [part.form for part in parts]
        return _Grown(dict(zip(form, whole, strict=True)) if isinstance(form, dict) else whole, size, depth)

    def _named(self, form: dict[str, Form], place: str, level: int) -> _Grown:
        name = form[SHARED]
        if len(form) > 1 or not isinstance(name, str) or name not in self.shared:
            raise InputError(self.file, place, f"expected {SHARED} alone, with a name of shared, found {shown(name)}")
        if name not in self.known:
            self.known[name] = None  # in progress
            self.known[name] = self._grown(self.shared[name], f"shared, {name}", level + 1)
        grown = self.known[name]
        if grown is None:
            raise InputError(self.file, f"shared, {name}", "expected a form that does not contain itself")
        return grown


# --- Vectors -----------------------------------------------------------------------------------------------------

OPTIONAL: Final = {field.name: list(field.default) for field in fields(Vector) if isinstance(field.default, tuple)}
"""Keys that a vector may leave out: what is not there is empty."""


def read_vector(file: Path, row: dict[str, Any], expansion: Expansion) -> Vector:
    """Return one vector, expanded. Raises: InputError."""
    name = row["id"]
    whole = OPTIONAL | {
        key: expansion.expand(value, name) if key in {"arguments", "expect"} else value for key, value in row.items()
    }
    try:
        vector: Vector = value_of(Vector, whole)
    except FormError as error:
        raise InputError(file, name, str(error)) from None
    problem = _problem(vector)
    if problem:
        raise InputError(file, name, problem)
    return vector


def _problem(vector: Vector) -> str:
    """Say what is wrong with a vector as a whole."""
    called = OPERATIONS.get(vector.operation)
    if called is None:
        return f"expected a known operation, found {shown(vector.operation)}"
    if set(vector.arguments) != set(called.parameters):
        return f"expected the arguments {', '.join(called.parameters)} of {called.name}"
    keys = set(vector.expect)
    if keys != {"accepted"} and not ({"rejected", "detail"} <= keys <= {"rejected", "detail", "state"}):
        return f"expected accepted, or rejected with detail (and state), found {', '.join(map(shown, sorted(keys)))}"
    named = [*vector.allowed, *vector.faults, *([] if "accepted" in keys else [vector.expect["rejected"]])]
    unknown = next((name for name in named if not isinstance(name, str) or name not in Reason.__members__), None)
    return "" if unknown is None else f"expected the name of a reason, found {shown(unknown)}"

"""Building the files of ``spec/vectors/v1`` from the cases: the same bytes on every machine."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from hashlib import sha3_256
from importlib import import_module
from typing import Any, Final

from attrs import asdict

from linera_invariants.inputs import read_document
from linera_invariants.specdata import spec_root

from .forms import Form, text_of
from .model import AREAS, CaseError, Vector, vector_of

FORMAT: Final = "linera-reference vectors 1"
VERSION: Final = "1.1.0"
"""MAJOR: the format; MINOR: what is covered; PATCH: mended vectors."""
MAX_BYTES: Final = 10 << 20
SHARED: Final = "$shared"
WORTH_SHARING: Final = 160
"""Characters of a form from which on it is written once per file, if it occurs more often."""

Progress = Callable[[str], None]
"""Told of each area that is done."""


def vectors_of(area: str) -> tuple[Vector, ...]:
    """Run the cases of an area. Raises: CaseError (an unexpected answer, or a name that is taken)."""
    module = import_module(f"{__package__}.cases.{area.replace('-', '_')}")
    vectors = tuple(vector_of(area, case) for case in module.cases())
    for name, count in Counter(vector.id for vector in vectors).items():
        if count > 1:
            raise CaseError(f"{name}: expected each name once")
    for vector in vectors:
        for flag in vector.flags:
            if flag not in explained_flags():
                raise CaseError(f"{vector.id}: expected a flag that flags.toml explains, found {flag}")
    return vectors


@cache
def explained_flags() -> dict[str, dict[str, str]]:
    """Return what accepting an input would mean, by flag: the bug and its effect."""
    flags: dict[str, dict[str, str]] = read_document(spec_root() / "vectors" / "v1" / "flags.toml")
    return flags


def build(areas: Iterable[str] = AREAS, progress: Progress = lambda _: None) -> dict[str, bytes]:
    """Return the files by name: one per area, and the index."""
    files: dict[str, bytes] = {}
    rows = []
    for area in areas:
        vectors = vectors_of(area)
        files[f"{area}.json"] = data = area_file(area, vectors)
        rows.append({"area": area, "vectors": len(vectors), "bytes": len(data), "sha3": sha3_256(data).hexdigest()})
        progress(area)
    head = {"format": FORMAT, "version": VERSION}
    files["index.json"] = _json({**head, "areas": rows})
    return files


def area_file(area: str, vectors: Iterable[Vector]) -> bytes:
    """Return the file of an area; forms that occur more than once are written once."""
    module = import_module(f"{__package__}.cases.{area.replace('-', '_')}")
    rows = [_row(vector) for vector in vectors]
    shared = Sharing(row[part] for row in rows for part in ("arguments", "expect"))
    for row in rows:
        row |= {part: shared.short(row[part]) for part in ("arguments", "expect")}
    used = {flag for row in rows for flag in row.get("flags", ())}
    flags = {flag: explained_flags()[flag] for flag in sorted(used)}
    head = {"format": FORMAT, "version": VERSION, "area": area, "about": module.ABOUT, "flags": flags}
    return _json({**head, "shared": shared.table(), "vectors": rows})


def _row(vector: Vector) -> dict[str, Any]:
    optional = {"allowed", "faults", "flags"}
    return {key: value for key, value in asdict(vector).items() if value or key not in optional}


def _json(document: Any) -> bytes:
    """One vector a line: differences stay readable."""
    if "vectors" not in document:
        return (json.dumps(document, indent=1) + "\n").encode()
    lines = {key: json.dumps(value) for key, value in document.items() if key not in {"shared", "vectors"}}
    shared = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in document["shared"].items())
    vectors = ",\n".join(f"  {json.dumps(row)}" for row in document["vectors"])
    head = ",\n".join(f" {json.dumps(key)}: {line}" for key, line in lines.items())
    return f'{{\n{head},\n "shared": {{\n{shared}\n }},\n "vectors": [\n{vectors}\n ]\n}}\n'.encode()


class Sharing:
    """Finds the forms that repeat in a file, largest first, and replaces them by {"$shared": name}."""

    def __init__(self, forms: Iterable[Form]) -> None:
        counts: Counter[str] = Counter()
        for form in forms:
            for part in _objects(form):
                text = text_of(part)
                if len(text) >= WORTH_SHARING:
                    counts[text] += 1
        self.names: dict[str, str] = {}
        self.bodies: dict[str, Form] = {}
        for text in (text for text, count in counts.items() if count > 1):
            self.names[text] = f"{len(self.names) + 1}"

    def short(self, form: Form) -> Form:
        """Return a form with names in place of what is shared."""
        if isinstance(form, list | tuple):
            return [self.short(item) for item in form]
        if not isinstance(form, dict):
            return form
        name = self.names.get(text_of(form))
        if name is None:
            return self._inside(form)
        if name not in self.bodies:
            self.bodies[name] = self._inside(form)
        return {SHARED: name}

    def _inside(self, form: dict[str, Form]) -> Form:
        return {key: self.short(value) for key, value in form.items()}

    def table(self) -> dict[str, Form]:
        """Return what is shared, by name: what an entry refers to comes before it."""
        return self.bodies


def _objects(form: Form) -> Iterator[Form]:
    if isinstance(form, dict):
        yield form
    for part in form.values() if isinstance(form, dict) else form if isinstance(form, list | tuple) else ():
        yield from _objects(part)

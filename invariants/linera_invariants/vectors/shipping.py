"""The files that ship: vectors and their schemas, made anew, compared with those on disk, written."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from linera_invariants.errors import UsageError
from linera_invariants.inputs import write_atomically
from linera_invariants.specdata import spec_root

from .build import MAX_BYTES, Progress, build, explained_flags
from .files import read_suite, vectors_root
from .forms import text_of
from .model import AREAS, CaseError, Vector
from .schemas import schema_files

SHORT = 400
"""Characters of an argument that are shown."""


def shipped_files(progress: Progress = lambda _: None) -> dict[Path, bytes]:
    """Make every generated file. Raises: CaseError (a case went wrong, or the files are too large)."""
    made = {vectors_root() / name: data for name, data in build(AREAS, progress).items()}
    if sum(map(len, made.values())) > MAX_BYTES:
        raise CaseError(f"the vectors: expected at most {MAX_BYTES} bytes in all")
    return made | {spec_root() / "schemas" / name: data for name, data in schema_files().items()}


def differing(files: dict[Path, bytes]) -> list[Path]:
    """Return which files on disk are not as they were made."""
    return [path for path, data in files.items() if not path.is_file() or path.read_bytes() != data]


def write_files(files: dict[Path, bytes]) -> None:
    """Write every file whole. Raises: InputError."""
    for path, data in files.items():
        write_atomically(path, data)


def find_vectors(names: list[str]) -> tuple[Vector, ...]:
    """Return shipped vectors by their identifiers. Raises: UsageError, InputError."""
    areas = {name.partition("/")[0] for name in names}
    known = read_suite(areas=areas)
    found = {vector.id: vector for vector in known if vector.id in names}
    for name in names:
        if name not in found:
            near = get_close_matches(name, [vector.id for vector in known])
            hint = f": did you mean {', '.join(near)}?" if near else f": areas are {', '.join(AREAS)}"
            raise UsageError(f"{name}: no such vector{hint}")
    return tuple(found[name] for name in names)


def description(vector: Vector, whole: bool = False) -> list[str]:
    """Return a vector in lines for people; long forms are cut, unless the ``whole`` is wanted."""
    lines = [vector.sentence, f"clauses: {', '.join(vector.clauses)} · {vector.source}", f"call: {vector.operation}"]
    lines += [f"  {name} = {_text(form, whole)}" for name, form in vector.arguments.items()]
    lines += ["expected:", *(f"  {key}: {_text(form, whole)}" for key, form in vector.expect.items())]
    lines += [f"  also allowed: {', '.join(vector.allowed)}"] if vector.allowed else []
    lines += [f"faults: {', '.join(vector.faults)}"] if vector.faults else []
    for flag in vector.flags:
        lines.append(f"{flag}: {' '.join(explained_flags()[flag].values())}")
    return lines


def _text(form: Any, whole: bool) -> str:
    text = text_of(form)
    return text if whole or len(text) <= SHORT else f"{text[:SHORT]}… ({len(text)} characters)"

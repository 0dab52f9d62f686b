"""Which vectors are run: all of them, some areas, some by name, or the smoke list."""

import json
from collections.abc import Collection, Iterable
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from linera_invariants.errors import UsageError
from linera_invariants.inputs import read_bytes, shown
from linera_invariants.vectors.files import read_suite, vectors_root
from linera_invariants.vectors.model import AREAS, Vector

KILLS: Final = "kills.json"
MAX_KILLS: Final = 64 << 20


@frozen
class Choice:
    """What to run: the vectors that are in every choice that is made."""

    areas: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    smoke: bool = False


@frozen
class Suite:
    """The chosen vectors, in order, and the identifiers of all that were looked at."""

    vectors: tuple[Vector, ...]
    known: frozenset[str]


def choose(choice: Choice, everything: bool = False, root: Path | None = None) -> Suite:
    """Read the chosen vectors; look at ``everything`` if other identifiers matter, too. Raises: UsageError."""
    check_known("--area", choice.areas, AREAS)
    folder = root or vectors_root()
    limits = [set(names) for names in (choice.names, smoke_list(folder) if choice.smoke else ()) if names]
    known: set[str] = set()

    def wanted(name: str) -> bool:
        known.add(name)
        return (not choice.areas or area_of(name) in choice.areas) and all(name in limit for limit in limits)

    vectors = read_suite(folder, AREAS if everything else _areas(choice), wanted)
    check_known("--vector", choice.names, known)
    if not vectors:
        raise UsageError("--area, --vector and --smoke: expected a vector that is in every choice, found none")
    return Suite(vectors, frozenset(known))


def _areas(choice: Choice) -> Collection[str]:
    """Return the areas to look at; to say what an unknown vector might be, all of them."""
    named = {*choice.areas, *map(area_of, choice.names)}
    return named if named and named <= set(AREAS) else AREAS


def area_of(name: str) -> str:
    """Return the area of a vector."""
    return name.partition("/")[0]


def smoke_list(folder: Path) -> list[str]:
    """Return the few vectors that notice what all of them notice. Raises: UsageError."""
    path = folder / KILLS
    document: Any = None
    with suppress(ValueError, RecursionError):
        document = json.loads(read_bytes(path, MAX_KILLS)) if path.exists() else None
    found = document.get("smoke") if isinstance(document, dict) else None
    if not isinstance(found, list) or not found or not all(isinstance(name, str) for name in found):
        raise UsageError(f"--smoke: expected the smoke list in {path.name} beside the vectors, found none")
    return found


def check_known(option: str, given: Iterable[str], known: Collection[str]) -> None:
    """Accept known names. Raises: UsageError."""
    for name in given:
        if name not in known:
            close = get_close_matches(name, known, n=3, cutoff=0.5)
            hint = f"did you mean {' or '.join(close)}?" if close else f"there is {', '.join(sorted(known)[:20])}"
            raise UsageError(f"{option}: expected a known name, found {shown(name)}: {hint}")

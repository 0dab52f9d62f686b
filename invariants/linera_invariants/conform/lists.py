"""What implementers keep: the mapping of their error names to our reasons, and the list of expected failures."""

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from linera_invariants.inputs import InputError, place_of, read_with_schema, shown
from linera_reference.rejections import Reason

OURS: Final = {reason.name: (reason.name,) for reason in Reason}


def read_mapping(path: Path) -> Mapping[str, tuple[str, ...]]:
    """Read which reasons an error name may stand for; our own names stand for themselves. Raises: InputError."""
    errors = read_with_schema(path, "mapping")["errors"]
    found = {name: (meant,) if isinstance(meant, str) else tuple(meant) for name, meant in errors.items()}
    for name, reasons in found.items():
        for reason in reasons:
            if reason not in OURS:
                raise InputError(
                    path, place_of(("errors", name)), f"expected a reason, found {shown(reason)}{_hint(reason)}"
                )
        if name in OURS and reasons != OURS[name]:
            raise InputError(path, place_of(("errors", name)), "expected our own name to stand for itself")
    return {**OURS, **found}


def read_expected_failures(path: Path, known: Collection[str] | None = None) -> dict[str, str]:
    """Read the vectors that are known to fail, and why. ``known``: all vectors there are. Raises: InputError."""
    found: dict[str, str] = {}
    for number, entry in enumerate(read_with_schema(path, "expected-failures")["vector"]):
        place, name = place_of(("vector", number, "id")), entry["id"]
        if known is not None and name not in known:
            raise InputError(path, place, f"expected a vector, found {shown(name)}{_hint(name, known)}")
        if name in found:
            raise InputError(path, place, f"expected each vector once, found {shown(name)} again")
        found[name] = entry["reason"]
    return found


def _hint(name: str, known: Collection[str] = OURS.keys()) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    return f": did you mean {close[0]}?" if close else ""

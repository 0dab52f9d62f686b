"""Reviewed reasons why nothing notices a mutant: tables `[[survivor]]` with mutant, why and sentence."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from .clauses import SpecError, read_tables
from .sources import shown

EQUIVALENT, OUT_OF_REACH = "equivalent", "out of reach"
WHYS: Final = (EQUIVALENT, OUT_OF_REACH)


@frozen
class Survivor:
    """A reviewed mutant that nothing notices: the same program, or a difference that the checks do not speak of."""

    mutant: str
    why: str
    sentence: str


def read_survivors(path: Path) -> dict[str, Survivor]:
    """Read the reviewed reasons, by mutant.

    Raises:
        SpecError: the list is malformed, or names a mutant twice.
    """
    file, found = shown(path), dict[str, Survivor]()
    for line, table in read_tables(file, path.read_text(encoding="utf-8"), "survivor"):
        survivor = _survivor(file, line, table)
        if survivor.mutant in found:
            raise SpecError(file, line, f"{survivor.mutant} is listed twice")
        found[survivor.mutant] = survivor
    return found


def _survivor(file: str, line: int, table: Mapping[str, Any]) -> Survivor:
    match table:
        case {"mutant": str(mutant), "why": str(why), "sentence": str(sentence), **rest} if why in WHYS and not rest:
            return Survivor(mutant, why, sentence)
    raise SpecError(file, line, f'expected mutant = "…", why = "{WHYS[0]}" or "{WHYS[1]}", and sentence = "…"')

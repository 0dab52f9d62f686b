"""Reads peer vectors and the expectations about them: strictly, so that nothing a file says is silently ignored."""

import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from linera_invariants.inputs import MAX_DIGITS, InputError, check_schema, read_bytes, read_with_schema, shown
from linera_invariants.specdata import spec_root
from linera_reference.rejections import Reason
from linera_reference.rules import BASELINE, REVISION_H, Rules

from .model import Step, Vector

REVISIONS: Final[Mapping[str, Rules]] = {
    "d43e2e572ccdab9c8ca50d19ed48aa13a0c0fea8": BASELINE,
    "6c226ddcb332ef55118dc8d0aafbd093d5420899": REVISION_H,
}
"""Commits of the public implementation, and the profile of each."""


@frozen
class Later:
    """A vector of which steps need a feature of a later roadmap step.

    Either everything from step ``start`` on needs it, or only the steps that ``instead`` names, and what the reference
    does in them is known.
    """

    vector: str
    roadmap: int
    why: str
    start: int | None
    instead: Mapping[int, Mapping[str, Any]]


@frozen
class Difference:
    """A vector of which steps differ by a decision; ``instead`` says what the reference does in each of them."""

    vector: str
    decision: str
    why: str
    instead: Mapping[int, Mapping[str, Any]]


@frozen
class Expectations:
    """Vectors that do not simply agree, by identifier."""

    later: Mapping[str, Later]
    differences: Mapping[str, Difference]


def peer_folder() -> Path:
    """Return where the shipped vectors and expectations lie."""
    return spec_root() / "vectors" / "peer"


# --- vectors -----------------------------------------------------------------------------------------------------


def read_folder(folder: Path) -> tuple[Vector, ...]:
    """Read all files of vectors, by file name and order in the file."""
    found: dict[str, Vector] = {}
    for path in sorted(folder.glob("*.json")):
        for vector in read_vectors(path):
            if vector.id in found:
                raise InputError(path, called(vector.id), "expected an identifier that is not taken")
            found[vector.id] = vector
    return tuple(found.values())


def read_vectors(path: Path) -> tuple[Vector, ...]:
    """Read one file of vectors."""
    document = parse_json(path)
    check_vectors(path, document)
    if document["file"] != path.name:
        raise InputError(path, "file", f"expected this file's name, found {shown(document['file'])}")
    return tuple(make_vector(item, path.name) for item in document["vectors"])


def check_vectors(path: Path, document: Any) -> None:
    """Compare with the schema; an error names vector and step by identifier and number."""
    try:
        check_schema(path, document, "peer-vectors")
    except InputError as error:
        found = re.match(r"vectors, item (\d+)(?:, steps, item (\d+))?(?:, )?", error.place)
        if found is None:
            raise
        item = document["vectors"][int(found[1]) - 1]
        name = called(item["id"]) if isinstance(item, dict) and "id" in item else f"vector number {found[1]}"
        words = [name, f"step {found[2]}" if found[2] else "", error.place[found.end() :]]
        raise InputError(path, ", ".join(filter(None, words)), error.expectation) from None


def called(name: Any) -> str:
    """Name a vector in a message."""
    text = shown(name).strip("'")
    return f"vector {text}"


def make_vector(item: Mapping[str, Any], file: str) -> Vector:
    """Build a vector from checked data."""
    steps = tuple(make_step(step, number) for number, step in enumerate(item["steps"], 1))
    setup, rules = item["setup"], REVISIONS[item["source"]["commit"]]
    return Vector(file, item["id"], item["name"], setup["kind"], setup, rules, steps)


def make_step(item: Mapping[str, Any], number: int) -> Step:
    """Build a step from checked data."""
    asserts = {key: item[key] for key in ("returns", "state_after") if key in item}
    return Step(number, item["op"], item["args"], item.get("by"), item["expect"], asserts)


def parse_json(path: Path) -> Any:
    """Read JSON whose fractions stay exact: without duplicate keys, NaN, or numbers of many digits."""
    try:
        return json.loads(
            read_bytes(path).decode("utf-8"),
            object_pairs_hook=distinct_keys,
            parse_int=lambda digits: int(short(digits)),
            parse_float=lambda digits: Fraction(short(digits)),
            parse_constant=no_constant,
        )
    except RecursionError:
        raise InputError(path, "document", "expected less nesting") from None
    except ValueError as error:
        raise InputError(path, "document", f"expected JSON: {error}") from None


class Fraction(Decimal):
    """An exact number that messages show as it is written."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object, refusing a key that stands there twice."""
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for number, key in enumerate(keys) if key in keys[:number])
        raise ValueError(f"key {shown(twice)} stands twice in its object")
    return table


def short(digits: str) -> str:
    """Refuse numbers that nobody writes."""
    if len(digits) > MAX_DIGITS or "e" in digits.lower():
        raise ValueError(f"{shown(digits)} is not a plain number of at most {MAX_DIGITS} digits")
    return digits


def no_constant(name: str) -> Any:
    """Refuse NaN and the infinities."""
    raise ValueError(f"{name} is not a number")


# --- expectations ------------------------------------------------------------------------------------------------


def read_expectations(path: Path, vectors: Iterable[Vector]) -> Expectations:
    """Read the expectations about some vectors."""
    document = read_with_schema(path, "peer-expected")
    lengths = {vector.id: len(vector.steps) for vector in vectors}
    seen: set[str] = set()
    for kind in ("later", "difference"):
        for item in document[kind]:
            check_entry(path, item, lengths, seen)
            seen.add(item["vector"])
    later = {item["vector"]: make_later(item) for item in document["later"]}
    return Expectations(later, {item["vector"]: make_difference(item) for item in document["difference"]})


def check_entry(path: Path, item: Mapping[str, Any], lengths: Mapping[str, int], seen: set[str]) -> None:
    """Refuse a second entry for one vector, and vectors, steps and reasons that do not exist."""
    vector, place = item["vector"], called(item["vector"])
    if vector not in lengths:
        raise InputError(path, place, "expected the identifier of a vector")
    if vector in seen:
        raise InputError(path, place, "expected one entry for it, found two")
    instead = item.get("instead", {})
    numbers = [*map(int, instead), item.get("from", 1)]
    if not all(1 <= number <= lengths[vector] for number in numbers):
        raise InputError(path, place, f"expected steps from 1 to {lengths[vector]}")
    for expect in (step.get("expect", "ok") for step in instead.values()):
        if expect != "ok" and expect["reason"] not in Reason.__members__:
            raise InputError(path, place, f"expected a reason, found {shown(expect['reason'])}")


def make_later(item: Mapping[str, Any]) -> Later:
    """Build an entry from checked data."""
    return Later(item["vector"], item["roadmap"], item["why"], item.get("from"), by_step(item.get("instead", {})))


def make_difference(item: Mapping[str, Any]) -> Difference:
    """Build an entry from checked data."""
    return Difference(item["vector"], item["decision"], item["why"], by_step(item["instead"]))


def by_step(instead: Mapping[str, Any]) -> dict[int, Any]:
    """Key what happens instead by the number of the step."""
    return {int(number): value for number, value in instead.items()}

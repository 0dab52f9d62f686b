"""Trace files: strict reading, and writing of the same bytes for the same run."""

import json
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from linera_invariants.inputs import (
    MEBIBYTE,
    InputError,
    check_schema,
    place_of,
    read_document,
    shown,
    walk,
    write_atomically,
)

from .build import Document
from .lanes import lanes_of

LIMIT = 16 * MEBIBYTE
LANES = 1024


def write_trace(path: Path, document: Document) -> None:
    """Write a trace file. Raises: InputError (too large a run, or the place cannot be written)."""
    data = (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()
    if len(data) > LIMIT:
        raise InputError(path, "file", f"expected a run whose trace has at most {LIMIT} bytes, found {len(data)}")
    check_document(path, document)
    write_atomically(path, data)


def read_trace(path: Path) -> Document:
    """Read a trace file. Raises: InputError."""
    document: Document = read_document(path, LIMIT)
    check_document(path, document)
    return document


def check_document(path: Path, document: Document) -> None:
    """Accept a document that can be drawn and whose every name refers to something. Raises: InputError."""
    check_schema(path, document, "trace")
    problems = (_repeated(document), _wrong_names(document), _wrong_texts(document), _too_many_lanes(document))
    for place, expectation in chain.from_iterable(problems):
        raise InputError(path, place, expectation)


def _repeated(document: Document) -> Iterator[tuple[str, str]]:
    """Find names that are given twice."""
    network = document["network"]
    lists = {("network", key): network[key] for key in ("validators", "owners", "chains")}
    for path, items in (lists | {("blocks",): document["blocks"]}).items():
        key = "name" if path[-1] in {"validators", "owners"} else "id"
        names = [item[key] for item in items]
        for number, name in enumerate(names):
            if name in names[:number]:
                yield place_of((*path, number, key)), f"expected a name that no other has, found {shown(name)} again"


def _wrong_names(document: Document) -> Iterator[tuple[str, str]]:
    """Find references to nothing: every key says what it names."""
    network = document["network"]
    validators, owners, chains = (network["validators"], network["owners"], network["chains"])
    known = {
        **dict.fromkeys(("at", "voters"), ("validators", _all(validators, "name"))),
        "by": ("owners", _all(owners, "name")),
        **dict.fromkeys(("chain", "from", "to"), ("chains", _all(chains, "id"))),
        "block": ("blocks", _all(document["blocks"], "id")),
    }
    for path, value in walk({key: document[key] for key in ("blocks", "initial", "events")}):
        key = next((part for part in reversed(path) if isinstance(part, str)), "")
        if key in known and isinstance(value, str) and value not in known[key][1]:
            yield place_of(path), f"expected one of the {known[key][0]} of this file, found {shown(value)}"


def _all(items: Iterable[Document], key: str) -> set[str]:
    return {item[key] for item in items}


def _wrong_texts(document: Document) -> Iterator[tuple[str, str]]:
    """Find changes that do not start from what was there."""
    known = {(cell["at"], cell["chain"], n): text for cell in document["initial"] for n, text in cell["fields"].items()}
    numbered = enumerate(document["events"])
    changes = ((number, change) for number, event in numbered for change in event.get("changes", ()))
    for number, change in changes:
        for field in change["fields"]:
            place = (change["at"], change["chain"], field["name"])
            expected, found = known.get(place, ""), field["before"]
            if found != expected:
                where = place_of(("events", number, "changes", *place, "before"))
                yield where, f"expected {shown(expected)} as after the last change, found {shown(found)}"
            known[place] = field["after"]


def _too_many_lanes(document: Document) -> Iterator[tuple[str, str]]:
    found = len(lanes_of(document).items)
    if found > LANES:
        yield "network", f"expected at most {LANES} lanes (owners, and chains at validators), found {found}"

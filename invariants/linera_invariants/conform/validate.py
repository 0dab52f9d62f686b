"""``vectors validate``: files of vectors, mappings and lists of expected failures, each by itself."""

import json
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from linera_invariants.inputs import InputError, read_bytes, shown
from linera_invariants.reports import counted
from linera_invariants.vectors.build import FORMAT, MAX_BYTES
from linera_invariants.vectors.files import read_file
from linera_invariants.vectors.model import agrees
from linera_invariants.vectors.operations import perform
from linera_invariants.vectors.table import OPERATIONS

from .lists import OURS, read_expected_failures, read_mapping
from .suite import Choice, choose

MAPPING: Final = "linera-reference mapping 1"
EXPECTED: Final = "linera-reference expected failures 1"


def validate(file: Path) -> str:
    """Say what a file holds. Raises: InputError (it is not well-formed, or the reference answers otherwise)."""
    form = _format(file)
    if form == FORMAT:
        return f"{counted(_vectors(file), 'vector')}, and the reference answers so"
    if form == MAPPING:
        return f"mapping of {counted(len(read_mapping(file)) - len(OURS), 'error name')}"
    if form == EXPECTED:
        known = choose(Choice(), everything=True).known
        return f"{counted(len(read_expected_failures(file, known)), 'expected failure')}"
    raise InputError(file, "format", f"expected {FORMAT}, {MAPPING} or {EXPECTED}, found {shown(form)}")


def _format(file: Path) -> Any:
    """Return what a file says that it is; whoever reads it then complains about the rest."""
    data, document = read_bytes(file, MAX_BYTES), None
    with suppress(ValueError, RecursionError):
        text = data.decode()
        document = json.loads(text) if file.suffix.lower() == ".json" else tomllib.loads(text)
    return document.get("format") if isinstance(document, dict) else None


def _vectors(file: Path) -> int:
    vectors = read_file(file)
    for vector in vectors:
        try:
            answer = perform(OPERATIONS[vector.operation], vector.arguments)
        except ValueError as error:
            raise InputError(file, vector.id, f"expected arguments of {vector.operation}: {error}") from None
        if not agrees(vector, answer):
            raise InputError(file, vector.id, "expected what the reference answers")
    return len(vectors)

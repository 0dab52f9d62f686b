"""The queries as SMT-LIB files, so that others can check them again with any solver."""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from linera_invariants.errors import UsageError
from linera_invariants.inputs import write_atomically

from .prover import Proving

INDEX: Final = "index.json"


def check_folder(folder: Path) -> None:
    """Accept a folder that is empty or does not exist yet. Raises: UsageError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder}: expected an empty folder, or none yet")


def export(folder: Path, proved: Mapping[str, Proving]) -> int:
    """Write a file for each query and the index of their digests; return how many. The same queries, the same bytes."""
    rows, files = list[dict[str, str]](), dict[str, bytes]()
    for name, found in proved.items():
        pairs = zip(found.asked, found.texts, strict=True)
        for number, (asked, text) in enumerate(pairs, 1):
            file, data = f"{name}-{number:02}.smt2", text.encode()
            files[file] = data
            expected = "sat" if asked.is_witness else "unsat"
            digest = sha256(data).hexdigest()
            rows.append({"file": file, "entry": name, "query": asked.name, "expected": expected, "sha256": digest})
    _write(folder, files | {INDEX: (json.dumps({"format": 1, "queries": rows}, indent=1) + "\n").encode()})
    return len(rows)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files; the index comes last, so that a folder without one is known to be incomplete."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder}: expected a place for a folder, found: {error.strerror}") from None
    for name, data in files.items():
        write_atomically(folder / name, data)

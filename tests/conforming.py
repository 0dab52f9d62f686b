"""Harnesses for the tests of the conformance runner, and short ways to run them."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from attrs import asdict

from linera_invariants.ci_reports import Status
from linera_invariants.conform.check import check_harness
from linera_invariants.conform.command import ConformReport, Wish, conform
from linera_invariants.conform.copies import Options
from linera_invariants.conform.suite import Choice
from linera_invariants.vectors.build import FORMAT
from linera_invariants.vectors.files import INDEX, read_index, vectors_root

HARNESSES = Path(__file__).parent / "harnesses"
EXAMPLE = HARNESSES / "example"
MAPPING = EXAMPLE / "mapping.toml"
TARGET = "identifiers/child-deep"
"""Where the wrong harnesses go wrong."""
PATIENT = Options(timeout=30)
HASTY = Options(timeout=2, start=30)


def python(*words: object) -> str:
    """Return the command of a Python harness."""
    return " ".join(map(str, (sys.executable, *words)))


RIGHT = python(EXAMPLE / "harness.py")
REFERENCE = python(HARNESSES / "reference.py")


def wrong(fault: str) -> str:
    """Return the command of a harness with a fault."""
    return python(HARNESSES / "wrong.py", fault)


def quiet(_: int) -> Any:
    """Show no progress."""
    return lambda _: None


def ran(harness: str, *names: str, options: Options = PATIENT, area: str = "identifiers", **more: Any) -> ConformReport:
    """Run some vectors, or an area, with the mapping of the example."""
    choice = Choice(names=names) if names else Choice(areas=(area,))
    return conform(Wish(harness=harness, choice=choice, mapping=MAPPING, options=options, **more), quiet)


def bad(report: ConformReport) -> dict[str, tuple[Status, str]]:
    """Return what failed, and why."""
    return {v.id: (verdict.status, verdict.what) for v, verdict in report.verdicts if verdict.status.is_bad}


def suite_of(folder: Path, *areas: str) -> Path:
    """Write a folder of vectors that has some of the shipped areas only."""
    rows = [row for row in read_index(vectors_root()) if row.area in areas]
    for area in areas:
        shutil.copy(vectors_root() / f"{area}.json", folder)
    index = {"format": FORMAT, "version": "1", "areas": [asdict(row) for row in rows]}
    (folder / INDEX).write_text(json.dumps(index))
    return folder


def broken_promises(harness: str, root: Path | None = None) -> dict[str, tuple[str, ...]]:
    """Return what ``--check-harness`` finds."""
    return {finding.check: finding.found for finding in check_harness(harness, HASTY, quiet, root) if finding.found}

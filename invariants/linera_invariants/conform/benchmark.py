"""``bench conform``: the vectors against the reference's own harness, whole commands from start to end."""

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final

from linera_invariants.bench import BenchResult, Figure
from linera_invariants.vectors.files import read_suite
from linera_invariants.vectors.operations import perform
from linera_invariants.vectors.table import OPERATIONS

Progress = Callable[[str], None]
HARNESS: Final = f"{sys.executable} -m linera_invariants.conform.reference"
COMMAND: Final = (sys.executable, "-c", "from linera_invariants.cli import main; main()", "conform", "--quiet")
TIMES: Final = 3


def measure(*arguments: str) -> float:
    """Run the command to its end; return the seconds of the fastest of some times. Raises: CalledProcessError."""
    times = []
    for _ in range(TIMES):
        begin = time.perf_counter()
        subprocess.run([*COMMAND, "--harness", HARNESS, *arguments], check=True, capture_output=True)  # noqa: S603 - our own
        times.append(time.perf_counter() - begin)
    return min(times)


def bench_conform(progress: Progress = lambda _: None) -> BenchResult:
    """Time the whole suite and the smoke list, and the bare calls of the same operations."""
    progress("the whole suite")
    whole = measure()
    progress("the whole suite, two copies of the harness")
    two = measure("--jobs", "2")
    progress("the smoke list")
    smoke = measure("--smoke")
    vectors = read_suite()
    begin = time.perf_counter()
    for vector in vectors:
        perform(OPERATIONS[vector.operation], vector.arguments)
    bare = time.perf_counter() - begin
    return BenchResult(
        "conform",
        (
            Figure("whole suite", whole, "s", "≤", 10),
            Figure("smoke list", smoke, "s", "≤", 1),
            Figure("whole suite, two copies", two, "s"),
            Figure("whole suite : bare calls", whole / bare, "times"),
            Figure("vectors", len(vectors), "vectors"),
            Figure("through the harness", len(vectors) / whole, "vectors/s"),
        ),
    )

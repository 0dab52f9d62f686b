"""Grading by mutation: which probe notices which small wrong change of the core.

A probe is a vector, a scenario or a machine. Each is run once with its lines watched; a mutant is shown only to the
probes that pass through the statement it changes, the quickest first, until enough noticed it: which probe is the only
one stays exact. A probe notices a mutant when one of its checks fails, when it crashes, or when it does not end.
"""

import ast
import io
import resource
import signal
import sys
import time
import tokenize
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import sha3_256
from multiprocessing import get_context
from multiprocessing.pool import Pool
from pathlib import Path
from types import FrameType
from typing import IO, Any, Final, Protocol, TypeAlias

from attrs import frozen

from .mutation import Mutant, applied, find, forget_memoised, functions, mutants
from .processes import in_child, interrupts_blocked, report
from .sources import core_root, module_source, package

SLOWER: Final = 20
LEAST_SECONDS: Final = 5.0
HANGS: Final = 2
"""After so many probes that do not end, a mutant is not run further."""
MEMORY: Final = 4 << 30
CHEAP: Final = 0.02
"""Seconds of a probe that a quick subset may have."""

Line: TypeAlias = tuple[str, int]
Progress: TypeAlias = Callable[[str, int], None]
"""Called with what was done and how many mutants that is."""


def silent(_text: str, _steps: int) -> None:
    """Show no progress."""


class Probe(Protocol):
    """Something that holds for the core, and may fail under a mutant."""

    @property
    def id(self) -> str:
        """Which one it is."""
        ...

    def failing(self) -> list[str]:
        """Run it; return the names of its checks that fail. Under a mutant anything may be raised."""
        ...


@frozen
class Grade:
    """A mutant, and the probes that noticed it with their failing checks; ``ran`` is how many were tried."""

    mutant: str
    killers: Mapping[str, tuple[str, ...]]
    ran: int


@frozen
class Coverage:
    """What running each probe touches: its time, and per line of the core the set of probes, as bits."""

    seconds: tuple[float, ...]
    lines: Mapping[Line, int]

    def touching(self, mutant: Mutant) -> list[int]:
        """Return the probes that pass through what a mutant changes, the quickest first."""
        found = 0
        for line in lines_of(mutant):
            found |= self.lines.get(line, 0)
        return sorted((i for i in range(len(self.seconds)) if found >> i & 1), key=self.seconds.__getitem__)


# --- The core and its mutants ------------------------------------------------------------------------------------


def core_digest() -> str:
    """Return the digest of the core as a program, alike on every Python: without comments, docstrings, blank lines."""
    lines = (line for source in package(core_root()) for line in _program(source.text))
    return sha3_256("\n".join(lines).encode()).hexdigest()


def _program(text: str) -> Iterator[str]:
    """Yield the lines of a module without comments, docstrings and blank lines."""
    rows = ["", *text.splitlines()]
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            line, column = token.start
            rows[line] = rows[line][:column]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            first, last = node.body[0].lineno, node.body[0].end_lineno or 0
            rows[first : last + 1] = [""] * (last + 1 - first)
    return (row.rstrip() for row in rows if row.strip())


def all_mutants() -> tuple[Mutant, ...]:
    """Return every mutant of the core, in the order of its sources."""
    return tuple(mutant for function in functions() for mutant in mutants(function))


def lines_of(mutant: Mutant) -> Iterator[Line]:
    """Yield the lines of the innermost statement that holds what a mutant changes."""
    source = module_source(mutant.function.partition(":")[0])
    last = mutant.line + source.text.count("\n", mutant.start, mutant.end)
    statements = (node for node in ast.walk(source.tree) if isinstance(node, ast.stmt))
    around = [(node.lineno, node.end_lineno or node.lineno) for node in statements]
    first, end = min((span for span in around if span[0] <= mutant.line and last <= span[1]), key=lambda s: s[1] - s[0])
    return ((source.path.name, line) for line in range(first, end + 1))


# --- Running probes ----------------------------------------------------------------------------------------------


@frozen
class Suite:
    """Probes, and what they touch. Workers are copies of the process that has it: nothing is sent to them."""

    probes: tuple[Probe, ...]
    enough: int
    coverage: Coverage = Coverage((), {})

    def watch(self, index: int) -> tuple[float, list[Line]]:
        """Run one probe without a mutant; return its time and the lines of the core that it passes through.

        Raises:
            AssertionError: the probe does not hold.
        """
        probe = self.probes[index]
        forget_memoised()
        start = time.perf_counter()
        failing = probe.failing()
        seconds = time.perf_counter() - start
        if failing:
            raise AssertionError(f"{probe.id}: does not hold without a mutant")
        forget_memoised()
        return seconds, touched_by(probe)

    def grade(self, mutant_id: str, candidates: Sequence[int] | None = None) -> Grade:
        """Show a mutant to the probes that touch it, in a child of its own.

        Raises:
            RuntimeError: the mutant cannot be applied.
        """
        mutant = find(mutant_id)
        tried = self.coverage.touching(mutant) if candidates is None else list(candidates)
        limit = sum(LEAST_SECONDS + SLOWER * self.coverage.seconds[i] for i in tried)
        reported = in_child(partial(self.attack, mutant, tried), limit)
        if not reported:
            raise RuntimeError(f"{mutant_id}: cannot be applied: see above")
        verdicts = reported[1:]
        killers = {name: tuple(checks) for name, checks in verdicts if checks}
        if not killers and len(verdicts) < len(tried):
            killers = {self.probes[tried[len(verdicts)]].id: ("end of process",)}
        return Grade(mutant_id, killers, len(verdicts))

    def attack(self, mutant: Mutant, tried: Sequence[int], out: IO[str]) -> None:
        """In the child: apply the mutant, and run probes until enough noticed it."""
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        signal.signal(signal.SIGALRM, _out_of_time)
        killed = hung = 0
        with applied(mutant):
            report(out, mutant.id, [])
            for index in tried:
                checks = failing_in_time(self.probes[index], LEAST_SECONDS + SLOWER * self.coverage.seconds[index])
                report(out, self.probes[index].id, checks)
                killed, hung = killed + bool(checks), hung + (checks == [NO_END])
                if killed == self.enough or hung == HANGS:
                    return


NO_END, CRASH = "no end", "crash"


class _OutOfTimeError(BaseException):
    """A probe takes too long."""


def _out_of_time(_number: int, _frame: FrameType | None) -> None:
    raise _OutOfTimeError


def failing_in_time(probe: Probe, seconds: float) -> list[str]:
    """Return the failing checks of a probe; not to end in time, or to raise something, is a failing check."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return probe.failing()
    except _OutOfTimeError:
        return [NO_END]
    except Exception:  # noqa: BLE001 - a mutant may raise anything
        return [CRASH]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def touched_by(probe: Probe) -> list[Line]:
    """Run a probe and return the lines of the core that it passes through."""
    root, found = str(core_root()), set[Line]()

    def trace(frame: FrameType, _event: str, _argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(root):
            return None
        found.add((Path(frame.f_code.co_filename).name, frame.f_lineno))
        return trace

    sys.settrace(trace)
    try:
        probe.failing()
    finally:
        sys.settrace(None)
    return sorted(found)


# --- All of them -------------------------------------------------------------------------------------------------

_SUITE: list[Suite] = []
"""The suite of this process, for the workers that are copied from it."""


@contextmanager
def copies(suite: Suite, workers: int) -> Iterator[Pool]:
    """Start copies of this process that have the suite."""
    _SUITE[:] = [suite]
    with interrupts_blocked():
        pool = get_context("fork").Pool(workers)
    try:
        with pool:
            yield pool
    finally:
        _SUITE.clear()


def _watch(index: int) -> tuple[int, float, list[Line]]:
    return (index, *_SUITE[0].watch(index))


def _grade(task: tuple[str, Sequence[int] | None]) -> Grade:
    return _SUITE[0].grade(*task)


def watched(probes: Iterable[Probe], enough: int, workers: int, progress: Progress = silent) -> Suite:
    """Run every probe once, watching it; so many killers are ``enough``. Raises: AssertionError (one does not hold)."""
    suite = Suite(tuple(probes), enough)
    seconds, lines = [0.0] * len(suite.probes), dict[Line, int]()
    with copies(suite, workers) as pool:
        for index, spent, touched in pool.imap_unordered(_watch, range(len(seconds)), chunksize=4):
            seconds[index] = spent
            for line in touched:
                lines[line] = lines.get(line, 0) | 1 << index
            progress(suite.probes[index].id, 0)
    return Suite(suite.probes, enough, Coverage(tuple(seconds), lines))


def grades(
    suite: Suite,
    wanted: Iterable[str],
    workers: int,
    progress: Progress = silent,
    candidates: Mapping[str, Sequence[int]] | None = None,
) -> list[Grade]:
    """Grade mutants, in order; ``candidates`` says which probes to try instead of all that touch a mutant."""
    tasks = [(mutant, None if candidates is None else candidates[mutant]) for mutant in wanted]
    found: dict[str, Grade] = {}
    with copies(suite, workers) as pool:
        for grade in pool.imap_unordered(_grade, tasks):
            found[grade.mutant] = grade
            progress(grade.mutant, 1)
    return [found[name] for name, _ in tasks]


def cover(kills: Mapping[str, Iterable[str]], cost: Mapping[str, float]) -> list[str]:
    """Return few probes that together kill what all kill: always the one that adds most, the cheaper of equals.

    Dear ones are taken only where cheap ones add nothing. In the end, those go that the others made superfluous.
    """
    sets = {probe: set(killed) for probe, killed in kills.items()}
    left, chosen = set[str]().union(*sets.values()), list[str]()
    while left:
        gain = {name: len(killed & left) for name, killed in sets.items() if killed & left}
        best = max(gain, key=lambda name: (cost[name] <= CHEAP, gain[name], -cost[name], name))
        chosen.append(best)
        left -= sets[best]
    times = Counter(mutant for probe in chosen for mutant in sets[probe])
    for probe in sorted(chosen, key=lambda name: (len(sets[name]), name)):
        if all(times[mutant] > 1 for mutant in sets[probe]):
            chosen.remove(probe)
            times.subtract(sets[probe])
    return chosen

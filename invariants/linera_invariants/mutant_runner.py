"""Run tests under mutants, fast: one process collects the tests once, then forks a child per mutant.

A process of its own, started by :mod:`linera_invariants.matrix_mutants`: it reads a plan from standard input and writes
one JSON object per line to standard output. A worker takes one function after the other and forks a child per mutant;
the child applies it, runs the tests that no mutant of the function has failed yet, and ends.
"""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import IO, Any, Final

import pytest
from _pytest.runner import runtestprotocol
from attrs import define, field, frozen
from hypothesis import HealthCheck, Phase, settings

from linera_reference.rejections import Rejection

from .links import helpers
from .mutation import Mutant, applied, function_object, inner_codes, mutants
from .mutators import KINDS
from .sources import core_module, core_root

LEAST_SECONDS: Final = 5
SLOWER: Final = 10
"""A mutant gets this many times the time that its tests take without one."""


@frozen
class Plan:
    """What to run: for each function the tests that share a clause with it, by pytest node ID."""

    jobs: dict[str, list[str]]
    workers: int
    examples: int
    steps: int

    @property
    def tests(self) -> list[str]:
        """Every test of the plan, once."""
        return sorted({test for tests in self.jobs.values() for test in tests})


@frozen
class Baseline:
    """How a test runs without a mutant: whether it passes, its time, and the functions of the plan that it calls."""

    verdict: str
    seconds: float
    functions: list[str]


@define
class Runner:
    """The pytest plug-in that takes over once the tests are collected."""

    plan: Plan
    events: int
    items: dict[tuple[Path, str], list[pytest.Item]] = field(factory=dict)
    failures: list[BaseException] = field(factory=list)

    def emit(self, **event: Any) -> None:
        """Report to the parent. A line as short as this is written whole, whichever process writes."""
        os.write(self.events, (json.dumps(event) + "\n").encode())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> Iterator[None]:
        """Remember what a test failed with."""
        if call.excinfo is not None:
            self.failures.append(call.excinfo.value)
        return (yield)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the plan instead of the tests."""
        if session.testsfailed:
            return False
        set_profile(self.plan)
        for item in session.items:
            cap_settings(item, self.plan)
            self.items.setdefault(place_of(item.nodeid, session.config.rootpath), []).append(item)
        known = [test for test in self.plan.tests if place_of(test, Path.cwd()) in self.items]
        baseline = {name: Baseline(**data) for name, data in in_child(partial(self.measure, known), 0)}
        for name, run in baseline.items():
            self.emit(event="baseline", test=name, verdict=run.verdict, functions=run.functions)
        in_workers(self.plan.jobs, self.plan.workers, lambda function: self.attack(function, baseline))
        return True

    # --- Without mutants -----------------------------------------------------------------------------------------

    def measure(self, tests: list[str], out: IO[str]) -> None:
        """Run every test once, watching which functions it calls."""
        codes = {id(code): name for name in self.plan.jobs for code in codes_of(name)}
        for test in tests:
            called: set[str] = set()
            start = time.perf_counter()
            verdict = self.run_watched(test, codes, called)
            seconds = time.perf_counter() - start
            report(out, test, {"verdict": verdict, "seconds": seconds, "functions": sorted(called)})

    def run_watched(self, test: str, codes: dict[int, str], called: set[str]) -> str:
        """Run one test and collect the watched functions that it enters."""

        def watch(frame: FrameType, event: str, _argument: object) -> None:
            if event == "call" and id(frame.f_code) in codes:
                called.add(codes[id(frame.f_code)])

        sys.setprofile(watch)
        try:
            return self.run(test)
        finally:
            sys.setprofile(None)

    # --- With mutants --------------------------------------------------------------------------------------------

    def attack(self, function: str, baseline: dict[str, Baseline]) -> None:
        """Try the mutants of a function until each linked test that calls it has failed under one."""
        linked = {test: baseline[test] for test in self.plan.jobs[function] if test in baseline}
        alive = [test for test, run in linked.items() if run.verdict == "passed" and function in run.functions]
        alive.sort(key=lambda test: linked[test].seconds)
        for mutant in promising(function):
            if not alive:
                break
            limit = LEAST_SECONDS + SLOWER * sum(linked[test].seconds for test in alive)
            verdicts = dict(in_child(partial(self.run_mutant, mutant, alive), limit))
            for test in alive:
                verdict = verdicts.get(test, "stopped")
                self.emit(event="run", function=function, mutant=mutant.id, test=test, verdict=verdict)
            alive = [test for test in alive if verdicts.get(test) != "killed"]
        self.emit(event="done", function=function)

    def run_mutant(self, mutant: Mutant, tests: list[str], out: IO[str]) -> None:
        """In the child: run the tests under a mutant."""
        with applied(mutant):
            for test in tests:
                report(out, test, self.run(test))

    def run(self, test: str) -> str:
        """Run all cases of a test: `passed`, `killed` by a failing check, or `crashed` inside the reference."""
        self.failures.clear()
        for item in self.items[place_of(test, Path.cwd())]:
            reports = runtestprotocol(item, log=False, nextitem=None)
            if any(found.failed for found in reports):
                return verdict_of(self.failures)
        return "passed"


def place_of(test: str, base: Path) -> tuple[Path, str]:
    """Return the file and the name of a test, without the values of its parameters."""
    file, _, name = test.partition("::")
    return (base / file).resolve(), name.partition("[")[0]


def verdict_of(failures: list[BaseException]) -> str:
    """Tell a failed check from a crash: a mutant that raises where the reference never does shows only that it ran."""
    return "crashed" if failures and all(is_crash(failure) for failure in failures) else "killed"


def is_crash(failure: BaseException) -> bool:
    """Whether an exception other than a rejection came out of the reference."""
    if isinstance(failure, BaseExceptionGroup):
        return all(is_crash(part) for part in failure.exceptions)
    core = str(core_root())
    frames = traceback.extract_tb(failure.__traceback__)
    return not isinstance(failure, Rejection) and any(frame.filename.startswith(core) for frame in frames)


def codes_of(function: str) -> Iterator[CodeType]:
    """Yield the code of a function, and of what is defined inside it (a decorator is called before any test)."""
    code = function_object(function).__code__
    yield code
    yield from inner_codes(code)


def promising(function: str) -> list[Mutant]:
    """Return the mutants of a function and of its helpers, one of each kind first."""
    module, _, name = function.partition(":")
    names = (name, *helpers(core_module(module), name))
    order = list(KINDS)
    found = ((mutant, place) for place, own in enumerate(names) for mutant in mutants(f"{module}:{own}"))
    ranked = sorted(found, key=lambda pair: (pair[1] > 0, pair[0].index, order.index(pair[0].kind), pair[1]))
    return [mutant for mutant, _ in ranked]


# --- Hypothesis --------------------------------------------------------------------------------------------------


def set_profile(plan: Plan) -> None:
    """Few examples, always the same, and no time spent on making a failure small."""
    settings.register_profile(
        "mutants",
        max_examples=plan.examples,
        stateful_step_count=plan.steps,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.explicit, Phase.generate),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    settings.load_profile("mutants")


def cap_settings(item: pytest.Item, plan: Plan) -> None:
    """Let settings of a test's own ask for no more than the profile."""
    function = getattr(item, "obj", None)
    for owner, name in ((getattr(function, "__func__", function), SETTINGS), (getattr(item, "cls", None), "settings")):
        own = getattr(owner, name, None)
        if isinstance(own, settings):
            examples, steps = min(own.max_examples, plan.examples), min(own.stateful_step_count, plan.steps)
            setattr(owner, name, settings(max_examples=examples, stateful_step_count=steps))


SETTINGS: Final = "_hypothesis_internal_use_settings"


# --- Processes ---------------------------------------------------------------------------------------------------


def report(out: IO[str], name: str, data: Any) -> None:
    """Send a result from a child at once: what follows may be stopped."""
    out.write(json.dumps([name, data]) + "\n")
    out.flush()


def in_child(work: Callable[[IO[str]], None], seconds: float) -> list[tuple[str, Any]]:
    """Fork a child, stop it after some seconds (0: never), and return what it reported until then."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        signal.alarm(int(seconds) + 1 if seconds else 0)
        with os.fdopen(writer, "w") as out:
            end_process(partial(work, out))
    os.close(writer)
    with os.fdopen(reader) as lines:
        found = [(name, data) for name, data in map(json.loads, lines)]
    os.waitpid(child, 0)
    return found


def end_process(work: Callable[[], None]) -> None:
    """Do the work of a child and end it, whatever happens: it must never return into its parent's code."""
    try:
        work()
        code = 0
    except BaseException:  # noqa: BLE001 - the trace goes to the log of the parent
        traceback.print_exc()
        code = 1
    os._exit(code)


def in_workers(names: Iterable[str], workers: int, work: Callable[[str], None]) -> None:
    """Fork a worker per name, so many at a time."""
    running = 0
    for name in names:
        if running == workers:
            os.wait()
            running -= 1
        if os.fork() == 0:
            end_process(partial(work, name))
        running += 1
    for _ in range(running):
        os.wait()


def main() -> int:
    """Read the plan, collect, run. Standard output is for events: what pytest prints goes to standard error."""
    plan = Plan(**json.load(sys.stdin))
    events = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    # The plug-in of Hypothesis is imported above, before pytest could rewrite its assertions: no matter.
    quiet = ["-q", "--no-header", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return int(pytest.main([*quiet, *plan.tests], plugins=[Runner(plan, events)]))


if __name__ == "__main__":
    sys.exit(main())

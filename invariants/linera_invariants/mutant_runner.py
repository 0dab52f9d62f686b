"""Run tests under mutants, fast: one process collects the tests once, then forks a child per mutant.

A process of its own, started by :mod:`linera_invariants.matrix_mutants`: it reads a plan from standard input and writes
one JSON object per line to standard output. A worker takes one function after the other and forks a child per mutant;
the child applies it, runs the tests that are still wanted, and ends.
"""

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from mmap import mmap
from pathlib import Path
from types import CodeType, FrameType
from typing import IO, Any, Final, TypeAlias

import pytest
from _pytest.runner import runtestprotocol
from attrs import define, field, frozen
from hypothesis import HealthCheck, Phase, settings

from linera_reference.rejections import Rejection

from .links import helpers
from .mutation import Mutant, applied, function_object, inner_codes, mutants
from .mutators import KINDS
from .processes import in_child, in_workers, report
from .sources import core_root, module_source, repository_root

LEAST_SECONDS: Final = 5
SLOWER: Final = 10
"""A mutant gets this many times the time that its tests take without one."""
FRESH_SECONDS: Final = 60

Place: TypeAlias = tuple[Path, str]
"""The file and the name of a test, without the values of its parameters."""


@frozen
class Job:
    """The tests linked to a function, and the groups of them that each need a test which notices a mutant."""

    tests: list[str]
    groups: list[list[str]]


@frozen
class Plan:
    """What to run. ``wanted`` are the tests that must notice a mutant of some function.

    ``fresh`` collects the tests anew under each mutant: slow, for functions that are called when tests are imported.
    """

    jobs: dict[str, Job]
    wanted: list[str]
    workers: int
    examples: int
    steps: int
    fresh: bool = False

    @property
    def tests(self) -> list[str]:
        """Every test of the plan, once."""
        return sorted({test for job in self.jobs.values() for test in job.tests})


@frozen
class Baseline:
    """How a test runs without a mutant: whether it passes, its time, and the functions of the plan that it calls."""

    verdict: str
    seconds: float
    functions: list[str]


@define
class Session:
    """A pytest plug-in: few examples, and what each test fails with."""

    plan: Plan
    failures: dict[Place, list[BaseException]] = field(factory=dict)
    lost: list[BaseException] = field(factory=list)
    items: dict[Place, list[pytest.Item]] = field(factory=dict)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Limit Hypothesis, after the configuration of the tests chose a profile."""
        set_profile(self.plan)
        for item in items:
            cap_settings(item, self.plan)
            self.items.setdefault(place_of_item(item), []).append(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
        """Remember what a test failed with."""
        report: Any = yield
        if report.failed and call.excinfo is not None:
            self.failures.setdefault(place_of_item(item), []).append(call.excinfo.value)
        return report  # type: ignore[no-any-return]

    def pytest_exception_interact(self, node: pytest.Item | pytest.Collector, call: pytest.CallInfo[Any]) -> None:
        """Remember why a module of tests could not be imported."""
        if isinstance(node, pytest.Collector) and call.excinfo is not None:
            self.lost.append(call.excinfo.value)

    def verdict(self, test: str) -> str:
        """Return `passed`, `killed` by a failed check, or `crashed` inside what is tested."""
        place = place_of(test)
        failures = self.failures.get(place, []) if place in self.items else self.lost
        return verdict_of(failures) if failures or place not in self.items else "passed"


@define
class Runner(Session):
    """Takes over once the tests are collected, and runs the plan instead."""

    attack: "Attack | None" = None

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Measure the tests without mutants, then run them under mutants."""
        if session.testsfailed or self.attack is None:
            return False
        known = [test for test in self.plan.tests if place_of(test) in self.items]
        runs = {name: Baseline(**data) for name, data in in_child(partial(self.measure, known), 0)}
        for name, run in runs.items():
            self.attack.emit(event="baseline", test=name, verdict=run.verdict, functions=run.functions)
        self.attack.run(runs, self.run_mutant)
        return True

    def measure(self, tests: list[str], out: IO[str]) -> None:
        """Run every test once, watching which functions it calls. Nothing is remembered from one to the next."""
        codes = {id(code): name for name in self.plan.jobs for code in codes_of(name)}
        for test in tests:
            forget_memoised()
            called: set[str] = set()
            start = time.perf_counter()
            with_watch(partial(self.run_test, test), codes, called)
            seconds = time.perf_counter() - start
            report(out, test, {"verdict": self.verdict(test), "seconds": seconds, "functions": sorted(called)})

    def run_mutant(self, mutant: Mutant, tests: list[str], out: IO[str]) -> None:
        """In the child: run the tests under a mutant."""
        with applied(mutant):
            forget_memoised()
            for test in tests:
                self.run_test(test)
                report(out, test, self.verdict(test))

    def run_test(self, test: str) -> None:
        """Run all cases of a test, up to the first that fails."""
        place = place_of(test)
        for item in self.items[place]:
            runtestprotocol(item, log=False, nextitem=None)
            if place in self.failures:
                return


@frozen
class Attack:
    """Runs the mutants of the functions of a plan, several functions at a time; tests that noticed one are marked."""

    plan: Plan
    events: int
    places: dict[str, int]
    noticed: mmap

    def emit(self, **event: Any) -> None:
        """Report to the parent. A line as short as this is written whole, whichever process writes."""
        os.write(self.events, (json.dumps(event) + "\n").encode())

    def run(self, runs: dict[str, Baseline] | None, work: Callable[[Mutant, list[str], IO[str]], None]) -> None:
        """Take one function after the other; ``runs`` is ⊥ where nothing is known of the tests."""
        in_workers(self.plan.jobs, self.plan.workers, lambda function: self.function(function, runs, work))

    def function(
        self,
        function: str,
        runs: dict[str, Baseline] | None,
        work: Callable[[Mutant, list[str], IO[str]], None],
    ) -> None:
        """Try the mutants of a function while a linked test is wanted."""
        job = self.plan.jobs[function]
        tests, groups = self.candidates(function, job, runs), job.groups
        for mutant in promising(function):
            alive = [test for test in tests if self.is_wanted(test, groups)]
            if not alive:
                break
            limit = LEAST_SECONDS + SLOWER * sum(runs[test].seconds for test in alive) if runs else FRESH_SECONDS
            verdicts = dict(in_child(partial(work, mutant, alive), limit))
            killers = self.judge(function, mutant, alive, verdicts)
            groups = [group for group in groups if not killers & set(group)]
        self.emit(event="done", function=function)

    def candidates(self, function: str, job: Job, runs: dict[str, Baseline] | None) -> list[str]:
        """Return the linked tests that pass and call the function, fastest first."""
        if runs is None:
            return job.tests
        passing = [test for test in job.tests if test in runs and runs[test].verdict == "passed"]
        return sorted((t for t in passing if function in runs[t].functions), key=lambda t: runs[t].seconds)

    def is_wanted(self, test: str, groups: list[list[str]]) -> bool:
        """Whether it matters if a test notices a mutant."""
        must = test in self.plan.wanted and not self.noticed[self.places[test]]
        return must or any(test in group for group in groups)

    def judge(self, function: str, mutant: Mutant, tests: list[str], verdicts: dict[str, str]) -> set[str]:
        """Report the verdicts on a mutant; return the tests that noticed it.

        A crash is no failed check, unless a guard was dropped: then only an input that it stops can crash.
        """
        killers = set()
        for test in tests:
            verdict = verdicts.get(test, "stopped")
            if verdict == "crashed" and mutant.kind == "guard":
                verdict = "killed"
            self.emit(event="run", function=function, mutant=mutant.id, test=test, verdict=verdict)
            if verdict == "killed":
                killers.add(test)
                self.noticed[self.places[test]] = 1
        return killers


def run_fresh(plan: Plan, mutant: Mutant, tests: list[str], out: IO[str]) -> None:
    """In the child: collect and run the tests under a mutant."""
    session = Session(plan)
    with applied(mutant):
        pytest.main([*QUIET, *tests], plugins=[session])
    for test in tests:
        report(out, test, session.verdict(test))


# --- Tests -------------------------------------------------------------------------------------------------------


def place_of(test: str) -> Place:
    """Return the place of a test that the plan names."""
    file, _, name = test.partition("::")
    return Path(file).resolve(), name.partition("[")[0]


def place_of_item(item: pytest.Item) -> Place:
    """Return the place of a test that pytest collected."""
    return item.path.resolve(), item.nodeid.partition("::")[2].partition("[")[0]


def verdict_of(failures: list[BaseException]) -> str:
    """Tell a failed check from a crash: a mutant that raises where the reference never does shows only that it ran."""
    return "crashed" if all(is_crash(failure) for failure in failures) else "killed"


def is_crash(failure: BaseException) -> bool:
    """Whether an exception other than a rejection came out of the reference or of a predicate."""
    if isinstance(failure, BaseExceptionGroup):
        return all(is_crash(part) for part in failure.exceptions)
    tested = (str(core_root()), str(Path(__file__).parent / "predicates"))
    ours = (*tested, str(repository_root() / "tests"), str(Path(__file__).parent), str(Path.cwd()))
    files = [frame.filename for frame in traceback.extract_tb(failure.__traceback__)]
    innermost = next((file for file in reversed(files) if file.startswith(ours) and "site-packages" not in file), "")
    return not isinstance(failure, Rejection) and innermost.startswith(tested)


def with_watch(work: Callable[[], None], codes: dict[int, str], called: set[str]) -> None:
    """Do some work and collect the watched functions that it enters."""

    def watch(frame: FrameType, event: str, _argument: object) -> None:
        if event == "call" and id(frame.f_code) in codes:
            called.add(codes[id(frame.f_code)])

    sys.setprofile(watch)
    try:
        work()
    finally:
        sys.setprofile(None)


def forget_memoised() -> None:
    """Empty the caches of the tests and their helpers: a test that uses a remembered value calls what makes it."""
    for module in tuple(sys.modules.values()):
        file = getattr(module, "__file__", None) or ""
        if file.startswith(str(Path.cwd())) and "site-packages" not in file:
            for value in tuple(vars(module).values()):
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


# --- Functions ---------------------------------------------------------------------------------------------------


def codes_of(function: str) -> Iterator[CodeType]:
    """Yield the code of a function, and of what is defined inside it (a decorator is called before any test)."""
    code = function_object(function).__code__
    yield code
    yield from inner_codes(code)


def promising(function: str) -> list[Mutant]:
    """Return the mutants of a function and of its helpers, one of each kind first."""
    module, _, name = function.partition(":")
    names = (name, *helpers(module_source(module), name))
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


SETTINGS: Final = "_hypothesis_internal_use_settings"


def cap_settings(item: pytest.Item, plan: Plan) -> None:
    """Let settings of a test's own ask for no more than the profile."""
    function = getattr(item, "obj", None)
    for owner, name in ((getattr(function, "__func__", function), SETTINGS), (getattr(item, "cls", None), "settings")):
        own = getattr(owner, name, None)
        if isinstance(own, settings):
            examples, steps = min(own.max_examples, plan.examples), min(own.stateful_step_count, plan.steps)
            setattr(owner, name, settings(max_examples=examples, stateful_step_count=steps))


# The plug-in of Hypothesis is imported above, before pytest could rewrite its assertions: no matter.
QUIET: Final = ("-q", "--no-header", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")


def read_plan(text: str) -> Plan:
    """Read a plan from JSON."""
    data = json.loads(text)
    return Plan(**data | {"jobs": {name: Job(**job) for name, job in data["jobs"].items()}})


def main() -> int:
    """Read the plan, collect, run. Standard output is for events: what pytest prints goes to standard error."""
    plan = read_plan(sys.stdin.read())
    places = {test: place for place, test in enumerate(plan.tests)}
    attack = Attack(plan, os.dup(sys.stdout.fileno()), places, mmap(-1, len(places)))
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    if plan.fresh:
        attack.run(None, partial(run_fresh, plan))
        return 0
    return int(pytest.main([*QUIET, *plan.tests], plugins=[Runner(plan, attack=attack)]))


if __name__ == "__main__":
    sys.exit(main())

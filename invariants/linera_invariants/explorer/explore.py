"""Exploring a model: every choice of Byzantine validators searched, and what came out compared with what should."""

import time
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from attrs import asdict, define, evolve, field, fields, filters, frozen

from linera_invariants.reports import counted
from linera_invariants.story import Names, tell
from linera_invariants.traces import broken_rule, trace_of
from linera_invariants.views import short
from linera_reference.network import Action, Network

from .bounds import Bounds, OutOfBounds, TooWide, memory
from .judge import Judge
from .model import Model, Setting, settings_of
from .objects import ObjectSearch
from .packing import WORD
from .runs import Played
from .search import Search
from .system import System, TooManyStates
from .tables import Tables
from .whole import Whole
from .witnesses import TableWatch, Watch, WayOut

AnySearch: TypeAlias = Search | ObjectSearch
Progress: TypeAlias = Callable[[Any], None]
PARTIAL: Final = "interrupted: partial result, not a pass"


@frozen
class Options:
    """How to search."""

    symmetry: bool = True
    quick: bool = False
    """Send only what is used at once: the same verdict from fewer states, which are then not counted in full."""
    bounds: Bounds = Bounds()
    word: int = WORD
    """Bits of a word to use."""


@frozen
class Attack:
    """The shortest run to a violation."""

    statement: str
    detail: str
    length: int
    story: tuple[str, ...]
    trace: dict[str, Any] = field(repr=False)
    network: Network = field(repr=False)
    names: Names = field(repr=False)
    actions: tuple[Action, ...] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return what a report says."""
        left_out = {"trace", "network", "names", "actions"}
        return asdict(self, filter=lambda part, _: part.name not in left_out)


@define
class Report:
    """What came out of a model."""

    model: Model
    quick: bool = False
    verdict: str = "holds"
    """holds, violated, incomplete or interrupted."""
    reason: str = ""
    """Why it is incomplete."""
    note: str = ""
    """What the reader should know of how it was searched."""
    choices: int = 0
    states: int = 0
    kept: int = 0
    transitions: int = 0
    dead_ends: int = 0
    stuck: int = 0
    """States kept from which a persistent proposer cannot finish."""
    depth: int = 0
    locals: int = 0
    calls: int = 0
    words: int = 0
    memory: int = 0
    seconds: float = 0.0
    reached: dict[str, bool] = field(factory=dict)
    checked: dict[str, int] = field(factory=dict)
    attack: Attack | None = None

    @property
    def problems(self) -> list[str]:
        """Compare with the expectation; return what does not fit."""
        expect, found = self.model.expect, []
        if self.verdict != expect.verdict:
            why = f" ({self.reason})" if self.reason else ""
            return [f"expected {expect.verdict}, found {self.verdict}{why}"]
        if self.attack is not None and self.attack.statement != expect.violates:
            found.append(f"expected a violation of {expect.violates}, found one of {self.attack.statement}")
        if self.verdict == "holds":
            found += [f"not reached: {name}" for name, reached in self.reached.items() if not reached]
            if self.stuck:
                found.append(f"a persistent proposer cannot finish from {counted(self.stuck, 'state')}")
            if not self.quick and expect.states not in (None, self.states):
                found.append(f"expected {expect.states:,} states, found {self.states:,}")
        depth = self.depth if self.attack is None else self.attack.length
        complete = self.attack is not None or not self.quick
        if complete and expect.depth not in (None, depth):
            found.append(f"expected depth {expect.depth}, found {depth}")
        return found

    @property
    def holds(self) -> bool:
        """Whether everything came out as expected."""
        return not self.problems

    @property
    def exhausted(self) -> tuple[str, ...]:
        """The statements that the shipped rules keep in every state, sorted: none unless all of them were visited."""
        complete = self.holds and self.verdict == "holds" and self.model.mutant is None and not self.quick
        return tuple(sorted(name for name, count in self.checked.items() if count)) if complete else ()

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        facts = asdict(self, filter=filters.exclude(fields(Report).model, fields(Report).attack))
        attack = self.attack and self.attack.to_json()
        head = {"name": self.model.name, "title": self.model.title, "expected": asdict(self.model.expect)}
        return {**head, **facts, "seconds": round(self.seconds, 3), "attack": attack, "problems": self.problems}


def explore(model: Model, options: Options, progress: Progress = lambda _: None) -> Report:
    """Search a model to its end, its first violation, or a bound."""
    report, begin = Report(model), time.monotonic()
    try:
        with model.in_force():
            for setting in settings_of(model):
                explore_setting(report, setting, options, progress)
                if report.attack is not None:
                    break
    except OutOfBounds as bound:
        report.verdict, report.reason = "incomplete", str(bound)
    except KeyboardInterrupt:
        report.verdict, report.reason = "interrupted", PARTIAL
    report.seconds = time.monotonic() - begin
    return report


def explore_setting(report: Report, setting: Setting, options: Options, progress: Progress) -> None:
    """Search one choice of Byzantine validators and add what was found to a report."""
    report.choices += 1
    system = System(setting)
    try:
        system.close(options.bounds.locals)
    except TooManyStates as reason:
        report.note = f"{reason}: searched without tables or reductions"
        names = setting.model.predicates
        watches = [Watch(witness, system) for witness in setting.model.witnesses]
        search = run(ObjectSearch(system, names, watches, options.bounds, progress), report)
        if setting.model.persistent is not None:
            raise OutOfBounds(f"{reason}: whether a persistent proposer finishes takes tables") from None
    else:
        search = search_tables(report, system, options, progress)
    if search.wrong is not None:
        report.verdict = "violated"
        report.attack = attack_of(setting, search.attack())


def search_tables(report: Report, system: System, options: Options, progress: Progress) -> AnySearch:
    """Search closed tables; quickly, if asked to, where the questions of the quick search fit."""
    if options.quick:
        try:
            search = run(table_search(system, options, progress), report)
        except TooWide as reason:
            report.note = f"{reason}: not searched quickly"
        else:
            if search.wrong is None:
                return search
            report = Report(report.model)  # the shortest way to what is wrong needs every step of its own
    return run(table_search(system, evolve(options, quick=False), progress), report)


def table_search(system: System, options: Options, progress: Progress) -> Search:
    """Prepare a search of closed tables. Goals are asked from every state there is: no reduction then."""
    model = system.setting.model
    whole = Whole(system, model.predicates)
    tables = Tables(system, options.symmetry and not whole.judges, options.word)
    quick = options.quick and not whole.judges and not model.at_once
    judge = Judge(tables, model.predicates, quick)
    watches = [TableWatch(witness, system, tables=tables) for witness in model.witnesses]
    way_out = None if model.persistent is None else WayOut(tables)
    return Search(tables, judge, whole, watches, options.bounds, progress, way_out, quick)


def run(search: AnySearch, report: Report) -> AnySearch:
    """Run a search and add what it found to a report, however it ends."""
    try:
        search.run()
    finally:
        add_up(report, search)
    return search


def add_up(report: Report, search: AnySearch) -> None:
    """Add what a search found to a report."""
    report.states += search.states
    report.kept += search.kept
    report.transitions += search.transitions
    report.dead_ends += search.dead_ends
    report.depth = max(report.depth, search.depth)
    report.locals = max(report.locals, len(search.system.locals))
    report.calls += sum(memo.calls for memo in search.system.memos.values())
    report.memory = max(report.memory, memory())
    for watch in search.watches:
        report.reached[watch.witness.name] = report.reached.get(watch.witness.name, False) or watch.reached
    if isinstance(search, Search):
        report.quick = report.quick or search.lazy
        report.stuck += 0 if search.way_out is None else search.way_out.stuck
        for goal, cases in search.whole.cases.items():
            name = f"a case for {goal}"
            report.reached[name] = report.reached.get(name, False) or cases > 0
        report.words = max(report.words, search.tables.words)
        for statement, count in (*search.judge.counts.items(), *search.whole.cases.items()):
            report.checked[statement] = report.checked.get(statement, 0) + count


def attack_of(setting: Setting, played: Played) -> Attack:
    """Tell a run that ends in a violation, and make its trace."""
    model, found = setting.model, played.violations
    worst = next((v for v in found if v.statement == model.expect.violates), found[0])
    broken = None if model.mutant is None else broken_rule(model.sentence, model.mutant)
    trace = trace_of(setting.network, [*played.steps, worst], model.title, setting.names, f"model {model.name}", broken)
    detail = worst.detail
    for key, name in setting.names.items():
        detail = detail.replace(short(key), name)
    story, actions = tuple(tell(setting.names, played.steps)), tuple(taken.action for taken in played.steps)
    run = (setting.network, setting.names, actions)
    return Attack(worst.statement, detail, len(played.steps), story, trace, *run)

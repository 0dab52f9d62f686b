"""Proving entries: the work in worker processes, the verdict on each, and the report.

Terms of solvers stay in the process that made them: a worker gets the name of an entry, builds its queries anew, asks
the solvers, and returns plain data.
"""

import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from enum import Enum
from multiprocessing.pool import Pool
from typing import Any, Final

from attrs import asdict, evolve, field, frozen

from linera_invariants.clauses import load_spec
from linera_invariants.processes import worker_pool

from .entries import Theorem, closure, proofs_of, theorems
from .gate import Gate, complaints, examine
from .queries import SOLVERS, Query, Result, Solver, ask
from .theorems import disagreements, queries
from .timing import LateError, at_most

PROCESSES: Final = 2
"""Solvers are memory-bound: more processes than this gain little."""

PATIENCE: Final = 60
"""Seconds for one entry."""
MOST_TEXT: Final = 240


@frozen
class Task:
    """What to do with one entry. Without solvers its queries are only built."""

    name: str = ""
    solvers: tuple[Solver, ...] = SOLVERS
    seeds: int = 1
    gate: bool = True
    texts: bool = False


@frozen
class Answered:
    """What one solver said to one query under every seed: the word that matters, and the longest time."""

    solver: Solver
    answer: str
    seconds: float
    expected: bool
    stable: bool = True
    model: Mapping[str, str] = field(factory=dict)
    remark: str = ""


@frozen
class Asked:
    """A query and the answers to it."""

    name: str
    is_witness: bool
    answers: tuple[Answered, ...]

    @property
    def holds(self) -> bool:
        """Whether every solver gave the answer that the proof needs."""
        return all(answer.expected for answer in self.answers)


@frozen
class Proving:
    """What came of one entry in a worker. ``problem`` says why there are no answers."""

    name: str
    asked: tuple[Asked, ...] = ()
    gate: Gate | None = None
    problem: str | None = None
    texts: tuple[str, ...] = ()
    memory: int = 0

    def seconds(self, solver: Solver) -> float:
        """Return how long a solver took."""
        return sum(answer.seconds for asked in self.asked for answer in asked.answers if answer.solver == solver)


# --- In a worker -------------------------------------------------------------------------------------------------


def do(task: Task) -> Proving:
    """Prove one entry. Whatever its code raises is a failure of the entry, not of the run."""
    try:
        with at_most(PATIENCE * task.seeds):
            asked = list(queries(task.name))
            answers = tuple(answered(query, task) for query in asked)
            gate = examine(theorems()[task.name], asked) if task.gate else None
    except LateError:
        return Proving(task.name, problem=f"not done after {PATIENCE * task.seeds} s", memory=_peak())
    except Exception as error:  # noqa: BLE001 - see above
        return Proving(task.name, problem=sentence_of(error), memory=_peak())
    texts = tuple(query.text for query in asked) if task.texts else ()
    return Proving(task.name, answers, gate, None, texts, _peak())


def sentence_of(error: Exception) -> str:
    """Say what was raised, in the same words in every process, and not at any length."""
    text = re.sub(r" at 0x[0-9a-f]+", "", f"{type(error).__name__}: {error}")
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}…"


def answered(query: Query, task: Task) -> Asked:
    """Ask the solvers; for a model only Z3, which is good at finding one."""
    solvers = task.solvers and ("z3",) if query.expect_model else task.solvers
    return Asked(query.name, query.expect_model, tuple(_under_seeds(query, solver, task.seeds) for solver in solvers))


def _under_seeds(query: Query, solver: Solver, seeds: int) -> Answered:
    results = [ask(query, solver, seed) for seed in range(seeds)]
    worst: Result = min(results, key=lambda result: result.is_expected(query))
    stable, longest = len({result.answer for result in results}) == 1, max(result.seconds for result in results)
    return Answered(solver, worst.answer, longest, worst.is_expected(query), stable, worst.model, worst.remark)


def _peak() -> int:
    """Return the most memory that this process ever held, in bytes, where the system says so."""
    if sys.platform == "win32":
        return 0
    import resource  # noqa: PLC0415 - not on every system

    # Counted in kilobytes, except on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


# --- The report --------------------------------------------------------------------------------------------------


class Verdict(Enum):
    """The verdict on an entry. ``Proved`` takes both solvers; unsupported is what uses something that failed."""

    PROVED = "Proved"
    ASSUMED = "assumed"
    DEFINED = "defined"
    Z3_ONLY = "z3 only"
    CVC5_ONLY = "cvc5 only"
    FAILED = "FAILED"
    UNKNOWN = "UNKNOWN"
    UNSTABLE = "UNSTABLE"
    VACUOUS = "VACUOUS"
    UNSUPPORTED = "unsupported"
    NOT_RUN = "not run"


GOOD: Final = {Verdict.PROVED, Verdict.ASSUMED, Verdict.DEFINED, Verdict.Z3_ONLY, Verdict.CVC5_ONLY}


@frozen
class ProveReport:
    """What was proved of some entries. Of a run that was interrupted, some are missing."""

    names: tuple[str, ...]
    proved: Mapping[str, Proving]
    problems: Sequence[str] = ()
    solvers: tuple[Solver, ...] = SOLVERS
    seeds: int = 1
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether every entry was tried."""
        return all(name in self.proved for name in self.names if theorems()[name].has_proof)

    @property
    def holds(self) -> bool:
        """Whether nothing failed."""
        return self.complete and not self.problems and set(self.verdicts().values()) <= GOOD

    @property
    def sound(self) -> list[str]:
        """The entries whose own proofs hold: only of these it means something that a mutant makes them fail."""
        return [name for name, verdict in self.verdicts().items() if verdict in {*GOOD, Verdict.UNSUPPORTED}]

    @property
    def memory(self) -> int:
        """The most memory that the workers held together, if each was at its peak at once."""
        peaks = sorted((found.memory for found in self.proved.values()), reverse=True)
        return sum(peaks[:PROCESSES])

    def verdicts(self) -> dict[str, Verdict]:
        """Judge the entries, each after those that it uses."""
        found: dict[str, Verdict] = {}
        for name in self.names:
            own = self._own(theorems()[name])
            unsupported = own in GOOD and any(found.get(used) not in GOOD for used in theorems()[name].uses)
            found[name] = Verdict.UNSUPPORTED if unsupported else own
        return found

    def _own(self, entry: Theorem) -> Verdict:
        if not entry.has_proof:
            return Verdict.DEFINED if entry.kind == "definition" else Verdict.ASSUMED
        found = self.proved.get(entry.name)
        if found is None:
            return Verdict.NOT_RUN
        if not found.asked or found.problem or not all(asked.holds for asked in found.asked):
            return _failure(found)
        if found.gate is not None and any(complaints(entry, found.gate)):
            return Verdict.VACUOUS
        return Verdict.PROVED if self.solvers == SOLVERS else Verdict(f"{self.solvers[0]} only")

    def proved_statements(self) -> frozenset[str]:
        """Return the statements of the registry that have proofs which are all Proved and leave nothing out."""
        verdicts = self.verdicts()
        named = {statement for name in self.names for statement in theorems()[name].proves}
        proofs = {statement: [verdicts.get(name) for name in proofs_of(statement)] for statement in named}
        whole = {name for name, statement in load_spec().statements.items() if not statement.unproved}
        return frozenset(name for name, found in proofs.items() if name in whole and set(found) == {Verdict.PROVED})

    def failures(self) -> Iterator[tuple[str, str, Answered | None]]:
        """Say what failed: the entry, a sentence, and the answer if one is to blame."""
        for name, found in self.proved.items():
            if found.problem:
                yield name, found.problem, None
            if not found.asked and not found.problem:
                yield name, "its proof asks nothing", None
            for asked in found.asked:
                yield from ((name, _sentence(asked, answer), answer) for answer in asked.answers if not answer.expected)
            if found.gate is not None:
                yield from ((name, text, None) for text in complaints(theorems()[name], found.gate))

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        verdicts = self.verdicts()
        return {
            "holds": self.holds,
            "complete": self.complete,
            "solvers": list(self.solvers),
            "seeds": self.seeds,
            "seconds": round(self.seconds, 3),
            "entries": [_row(theorems()[name], verdicts[name], self.proved.get(name)) for name in self.names],
            "failures": [{"entry": name, "what": what} for name, what, _ in self.failures()],
            "problems": list(self.problems),
        }


def _failure(found: Proving) -> Verdict:
    wrong = [answer for asked in found.asked for answer in asked.answers if not answer.expected]
    if any(not answer.stable for answer in wrong):
        return Verdict.UNSTABLE
    return Verdict.UNKNOWN if wrong and {answer.answer for answer in wrong} == {"unknown"} else Verdict.FAILED


def _sentence(asked: Asked, answer: Answered) -> str:
    words = {"countermodel": "has a countermodel", "proved": "is impossible", "unknown": "does not know"}
    who = f"{answer.solver} says it" if answer.answer != "unknown" else answer.solver
    seeds = "" if answer.stable else ", and not under every seed"
    kind = "witness " if asked.is_witness else ""
    remark = f": {answer.remark}" if answer.remark else ""
    return f"{kind}{asked.name}: {who} {words[answer.answer]} (after {answer.seconds:.1f} s){seeds}{remark}"


def _row(entry: Theorem, verdict: Verdict, found: Proving | None) -> dict[str, Any]:
    row: dict[str, Any] = {"name": entry.name, "title": entry.title, "kind": entry.kind, "verdict": verdict.value}
    if found is None:
        return row
    row["queries"] = [asdict(asked) for asked in found.asked]
    row["seconds"] = {solver: round(found.seconds(solver), 3) for solver in SOLVERS}
    row |= {"gate": None if found.gate is None else asdict(found.gate), "problem": found.problem}
    return row


# --- Running -----------------------------------------------------------------------------------------------------


def prove(names: Iterable[str], task: Task, progress: Callable[[str], None]) -> ProveReport:
    """Prove some entries and what they use, each as the task says. What is missing in the report was interrupted."""
    chosen, began, proved = tuple(closure(names)), time.monotonic(), dict[str, Proving]()
    tasks = [evolve(task, name=name) for name in chosen if theorems()[name].has_proof]
    problems: list[str] = []
    with suppress(KeyboardInterrupt), proof_pool() as pool:
        problems += (text for text in pool.apply(loading_problems) if concerns(text, chosen))
        for found in pool.imap_unordered(do, tasks):
            proved[found.name] = found
            progress(found.name)
    in_order = {name: proved[name] for name in chosen if name in proved}
    return ProveReport(chosen, in_order, problems, task.solvers, task.seeds, time.monotonic() - began)


def proof_pool() -> AbstractContextManager[Pool]:
    """Start workers, each for one task: what one does to its solvers or functions, no other sees."""
    return worker_pool(PROCESSES, 1, f"{__package__}.prepared")


def loading_problems() -> list[str]:
    """Import every proof; return what does not fit together."""
    try:
        return disagreements()
    except Exception as error:  # noqa: BLE001 - a module of proofs that cannot be imported is a finding
        return [f"proofs: {sentence_of(error)}"]


def concerns(problem: str, names: Iterable[str]) -> bool:
    """Whether a problem of the registry speaks of one of some entries, or of all."""
    about = problem.partition(":")[0]
    return about not in theorems() or about in names

"""The vacuity gate: what a proof would be worth nothing without. A short time for each question.

Z3 is asked, and cvc5, where it is installed, about what Z3 cannot say.

Of every entry: its hypotheses hold together somewhere; what it concludes does not hold anyway; a witness shows that
what it speaks of happens; and for each hypothesis that it lists, whether the proof fails without it. That a contract
does not hold anyway is seen by breaking the function that it speaks of (:mod:`.code_mutants`).
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from typing import Any, Final, Literal, TypeAlias

import z3
from attrs import Factory, frozen

from .entries import Theorem
from .queries import Answer, Query, finite_model
from .symbolic import conj
from .theorems import queries
from .timing import LateError, at_most, check_time

PATIENCE: Final = 0.3
"""Seconds for one question."""
BUDGET: Final = 2.0
"""Seconds for one query, or for one hypothesis."""
WHOLE: Final = 6.0
"""Seconds for one entry; what is left then stays undetermined."""

Told: TypeAlias = Literal["yes", "no", "undetermined"]
Need: TypeAlias = Literal["needed", "unneeded", "undetermined"]
NEEDS: Final[dict[Told, Need]] = {"yes": "needed", "no": "unneeded", "undetermined": "undetermined"}


@frozen
class Gate:
    """What the gate found about one entry. A witness is a model that was asked for, or one of the hypotheses."""

    witnesses: int
    contradictory: tuple[str, ...] = ()
    trivial: tuple[str, ...] = ()
    undetermined: tuple[str, ...] = ()
    hypotheses: dict[str, Need] = Factory(dict)

    @property
    def unneeded(self) -> list[str]:
        """The hypotheses that the proof could do without."""
        return [name for name, need in self.hypotheses.items() if need == "unneeded"]


def examine(entry: Theorem, asked: list[Query]) -> Gate:
    """Judge an entry by the queries of its proof."""
    with at_most(WHOLE):
        held = {query.name: in_time(holds_somewhere, query) for query in asked if happens(query)}
        supported = [query for query in asked if query.name in held and query.given and not entry.functions]
        open_goals = {query.name: in_time(satisfiable, z3.Not(query.goal)) for query in supported}
        needs = {name: NEEDS[in_time(fails_without, entry.name, name)] for name in entry.uses}
    trivial = tuple(name for name, told in open_goals.items() if told == "no")
    return Gate(
        sum(query.expect_model or held.get(query.name) == "yes" for query in asked),
        tuple(name for name, told in held.items() if told == "no"),
        trivial if len(trivial) == len(open_goals) else (),
        tuple(name for name in held if "undetermined" in (held[name], open_goals.get(name))),
        needs,
    )


def in_time(question: Callable[..., Told], *about: Any) -> Told:
    """Ask a question; what takes too long stays undetermined."""
    try:
        with at_most(BUDGET):
            return question(*about)
    except LateError:
        return "undetermined"


def complaints(entry: Theorem, gate: Gate) -> Iterator[str]:
    """Say what makes a proof worth nothing."""
    for name in gate.contradictory:
        yield f"{name}: the hypotheses contradict each other"
    if gate.trivial:
        yield "what it concludes holds without any hypothesis"
    if entry.kind in {"contract", "theorem"} and not gate.witnesses:
        yield "no witness shows that what it speaks of happens"


def happens(query: Query) -> bool:
    """Whether a query has hypotheses and concludes something. What is shown to be impossible needs no place to hold."""
    conclusions = [conclusion for _, conclusion in query.cases] or [query.goal]
    settled = z3.is_true(query.goal) or all(z3.is_false(conclusion) for conclusion in conclusions)
    return bool(query.given or query.cases) and not (query.expect_model or settled)


def holds_somewhere(query: Query) -> Told:
    """Whether the hypotheses hold together, on some path."""
    paths = sorted((condition for condition, _ in query.cases), key=lambda path: path.num_args())
    return _any(satisfiable(conj(*query.given, path)) for path in paths or [z3.BoolVal(True)])


@cache
def satisfiable(formula: z3.BoolRef) -> Told:
    """Ask whether a formula has a model. The claims of one path ask the same again and again."""
    check_time()
    solver = z3.Solver()
    solver.set("timeout", int(PATIENCE * 1000))
    solver.add(formula)
    answers: dict[str, Told] = {"sat": "yes", "unsat": "no"}
    return answers.get(str(solver.check())) or _second_opinion(formula)


def _second_opinion(formula: z3.BoolRef) -> Told:
    if find_spec("cvc5") is None:
        return "undetermined"
    answers: dict[Answer, Told] = {"countermodel": "yes", "proved": "no", "unknown": "undetermined"}
    return answers[finite_model(formula, PATIENCE)]


def fails_without(entry: str, hypothesis: str) -> Told:
    """Whether the proof of an entry has a countermodel without one of its hypotheses."""
    asked = (query for query in queries(entry, hypothesis) if not query.expect_model)
    return _any(satisfiable(conj(*query.formulas)) for query in asked)


def _any(answers: Iterable[Told]) -> Told:
    """Return yes at the first yes, no if all say no."""
    unsure = False
    for told in answers:
        if told == "yes":
            return told
        unsure = unsure or told == "undetermined"
    return "undetermined" if unsure else "no"

"""Queries to the solvers: what is given, what must follow; and how Z3 and cvc5 answer the same text."""

import re
import time
from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from typing import IO, Any, Final, Literal, TypeAlias

import z3
from attrs import Factory, frozen

from linera_invariants.processes import in_child, report

from .models import constants, values, violated
from .symbolic import conj
from .timing import check_time

Solver: TypeAlias = Literal["z3", "cvc5"]
SOLVERS: Final[tuple[Solver, ...]] = ("z3", "cvc5")
LIMITS: Final[dict[Solver, float]] = {"z3": 5.0, "cvc5": 30.0}
"""Seconds that a query may take."""

Answer: TypeAlias = Literal["proved", "countermodel", "unknown"]

WITNESS_SEEDS: Final = 6
"""How many seeds may look for a model."""

FINITE: Final = "finite-model-find"
STRATEGIES: Final[tuple[tuple[str, ...], ...]] = ((), ("enum-inst",), ("mbqi",), (FINITE,))
"""Options of cvc5, tried in this order while it does not know."""


@frozen(eq=False)
class Query:
    """Whether ``goal`` follows from ``given``. ``terms`` are what a countermodel is shown by.

    ``expect_model`` turns it round: a model of all of them must exist (a witness, so that no proof is vacuous).
    ``cases`` are the parts of a goal that speaks of several paths: the condition and the conclusion of each.
    """

    name: str
    given: tuple[z3.BoolRef, ...]
    goal: z3.BoolRef
    terms: dict[str, z3.ExprRef] = Factory(dict)
    expect_model: bool = False
    cases: tuple[tuple[z3.BoolRef, z3.BoolRef], ...] = ()

    @property
    def formulas(self) -> tuple[z3.BoolRef, ...]:
        """What must be unsatisfiable; for a witness, satisfiable."""
        return (*self.given, self.goal if self.expect_model else z3.Not(self.goal))

    @property
    def text(self) -> str:
        """The query in SMT-LIB, for any solver: `unsat` proves it (a witness: `sat`)."""
        solver = z3.Solver()
        solver.add(*self.formulas)
        expected = "sat" if self.expect_model else "unsat"
        return f"; expected: {expected}\n(set-logic ALL)\n" + _canonical(solver.to_smt2())

    @property
    def digest(self) -> str:
        """SHA-256 of the text."""
        return sha256(self.text.encode()).hexdigest()


_SHARED: Final = re.compile(r"[$?]x[0-9]+")


def _canonical(text: str) -> str:
    """Drop remarks; number the names of shared terms by place, as Z3 does by the history of its process."""
    numbers: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        return numbers.setdefault(found[0], f"{found[0][:2]}{len(numbers)}")

    lines = (line for line in text.splitlines() if not line.startswith(("; ", "(set-info")))
    return _SHARED.sub(name, "\n".join(lines)) + "\n"


def witness(name: str, formulas: Iterable[z3.BoolRef]) -> Query:
    """Ask for a model of some formulas."""
    return Query(name, (), conj(*formulas), expect_model=True)


@frozen(eq=False)
class Result:
    """What one solver answered, after how long; a countermodel as values of the query's terms.

    ``remark`` is what a solver that does not know has to say for itself.
    """

    solver: Solver
    answer: Answer
    seconds: float
    model: dict[str, str] = Factory(dict)
    remark: str = ""

    def is_expected(self, query: Query) -> bool:
        """Whether this is the answer that the query needs."""
        return self.answer == ("countermodel" if query.expect_model else "proved")


def ask(query: Query, solver: Solver, seed: int = 0, seconds: float | None = None) -> Result:
    """Send a query to a solver, for its limit if no other time is given.

    For a witness any model will do, so other seeds are tried when one does not know.
    """
    check_time()
    patience = LIMITS[solver] if seconds is None else seconds
    if solver == "cvc5":
        return _ask_cvc5(query, seed, patience)
    found = _ask_z3(query, seed, patience)
    for other in range(seed + 1, seed + WITNESS_SEEDS if query.expect_model else 0):
        if found.answer == "unknown":
            found = _ask_z3(query, other, patience)
    return found


_ANSWERS: Final[dict[str, Answer]] = {"unsat": "proved", "sat": "countermodel"}


def _ask_z3(query: Query, seed: int, patience: float) -> Result:
    solver = z3.Solver()
    solver.set("timeout", int(patience * 1000))
    solver.set("random_seed", seed)
    solver.add(*query.formulas)
    start = time.perf_counter()
    answer = _ANSWERS.get(str(solver.check()), "unknown")
    seconds = time.perf_counter() - start
    found = answer == "countermodel" and not query.expect_model
    return Result("z3", answer, seconds, _countermodel(solver.model(), query) if found else {})


def _countermodel(model: z3.ModelRef, query: Query) -> dict[str, str]:
    """Return the values of the terms; where a path is to blame, of those that it speaks of."""
    blamed = constants(violated(model, query.cases))
    relevant = {name: term for name, term in query.terms.items() if not blamed or constants([term]) & blamed}
    return values(model, relevant)


def _ask_cvc5(query: Query, seed: int, patience: float) -> Result:
    text, start, remark = query.text, time.perf_counter(), ""
    answer: Answer = "unknown"
    for options in STRATEGIES:
        left = patience - (time.perf_counter() - start)
        if answer != "unknown" or left <= 0:
            break
        try:
            answer = _bounded_cvc5(text, options, min(left, patience / 3), seed)
        except RuntimeError as error:  # a strategy that does not fit the query
            remark = str(error)
    return Result("cvc5", answer, time.perf_counter() - start, remark=remark if answer == "unknown" else "")


def finite_model(formula: z3.BoolRef, seconds: float) -> Answer:
    """Ask cvc5 for a model with finitely many nameless values: sometimes it finds one where Z3 does not."""
    try:
        return _bounded_cvc5(witness("a model", (formula,)).text, (FINITE,), seconds, 0)
    except RuntimeError:
        return "unknown"


def _bounded_cvc5(text: str, options: tuple[str, ...], seconds: float, seed: int) -> Answer:
    """Run cvc5 where its own limit of time can be trusted; the search for finite models sometimes ignores it."""
    if FINITE not in options:
        return _run_cvc5(text, options, seconds, seed)

    def work(out: IO[str]) -> None:
        with suppress(RuntimeError):
            report(out, "answer", _run_cvc5(text, options, seconds, seed))

    answers: dict[str, Answer] = dict(in_child(work, seconds))
    return answers.get("answer", "unknown")


def _run_cvc5(text: str, options: tuple[str, ...], seconds: float, seed: int) -> Answer:
    import cvc5  # noqa: PLC0415 - a second opinion; Z3 alone needs none

    engine: Any = cvc5.Solver(cvc5.TermManager())
    engine.setOption("tlimit-per", str(int(seconds * 1000)))
    engine.setOption("seed", str(seed))
    for option in ("arrays-exp", *options):  # constant arrays count as experimental
        engine.setOption(option, "true")
    parser = cvc5.InputParser(engine)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text.replace("(check-sat)", ""), "query")
    symbols = parser.getSymbolManager()
    while not (command := parser.nextCommand()).isNull():
        command.invoke(engine, symbols)
    return _ANSWERS.get(str(engine.checkSat()), "unknown")

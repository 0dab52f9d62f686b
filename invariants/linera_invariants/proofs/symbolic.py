"""Symbolic values: the shipped functions run on them unmodified, and each truth test of one forks the path.

``SInt``, ``SBool`` and ``SAtom`` wrap solver terms. They have no hash, are no index and no integer, so whatever leaves
the provable subset fails loudly. :func:`explore` runs a function once per feasible path; :func:`assume` and
:func:`claim` say what is given and what must follow on the current path.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NoReturn

import z3
from attrs import define, field, frozen

from linera_reference.rejections import Rejected, Rejection

from .timing import check_time


class OutsideSubsetError(TypeError):
    """A symbolic value was used in a way that a proof cannot follow."""


class InfeasibleError(Exception):
    """The path ends here: what is assumed on it contradicts itself, or nothing more is to be learnt from it."""


COVERAGE: Final = "no path was forgotten"
"""The claim behind each decision that seemed to have one side only: a solver pruned, so both must prove it."""


# --- Paths -------------------------------------------------------------------------------------------------------


@frozen
class Claim:
    """What must hold at one place of one path: the conditions that lead there, and the formula."""

    label: str
    conditions: tuple[z3.BoolRef, ...]
    formula: z3.BoolRef


@frozen
class Event:
    """A decision taken on a path, or a fact assumed on it."""

    formula: z3.BoolRef
    assumed: bool


@define
class Path:
    """One run: the decisions to replay, then those found; ``later`` are the alternatives left for other runs.

    ``taken`` tells which side of a condition, by its identity as a term, was taken: it is not asked for again.
    ``told`` counts the events that the solver knows: it learns the others when it is asked, and many paths never ask.
    """

    prefix: tuple[bool, ...]
    solver: z3.Solver
    decisions: list[bool] = field(factory=list)
    taken: dict[int, bool] = field(factory=dict)
    events: list[Event] = field(factory=list)
    claims: list[Claim] = field(factory=list)
    reached: list[tuple[str, tuple[z3.BoolRef, ...]]] = field(factory=list)
    hints: list[z3.BoolRef] = field(factory=list)
    later: list[tuple[bool, ...]] = field(factory=list)
    names: dict[str, int] = field(factory=dict)
    inputs: dict[str, z3.ExprRef] = field(factory=dict)
    told: int = 0

    @property
    def conditions(self) -> tuple[z3.BoolRef, ...]:
        """Everything decided and assumed so far."""
        return tuple(event.formula for event in self.events)

    def add(self, formula: z3.BoolRef, assumed: bool) -> None:
        """Go on under a condition."""
        self.events.append(Event(formula, assumed))

    def tell(self) -> None:
        """Tell the solver the news. What speaks of all values prunes no path: looking for models of it takes long."""
        for formula in self.conditions[self.told :]:
            parts = [p for p in conjuncts(formula) if not has_quantifier(p)] if has_quantifier(formula) else [formula]
            self.solver.add(*parts)
        self.told = len(self.events)


_STACK: list[Path] = []


def here() -> Path:
    """Return the path that runs now."""
    if not _STACK:
        raise OutsideSubsetError("a symbolic value was decided outside a proof")
    return _STACK[-1]


def fresh_name(name: str) -> str:
    """Return a name that is new on this path, and the same whenever the path is replayed."""
    path = here()
    count = path.names.get(name, 0)
    path.names[name] = count + 1
    return name if count == 0 else f"{name}_{count}"


def fresh(name: str, sort: z3.SortRef) -> Any:
    """Return a new constant."""
    unique = fresh_name(name)
    term = z3.Const(unique, sort)
    here().inputs[unique] = term
    return term


def decide(condition: z3.BoolRef) -> bool:
    """Take one side of a condition; if both are feasible, leave the other for a later run."""
    check_time()
    simple = z3.simplify(condition)
    if z3.is_true(simple) or z3.is_false(simple):
        return bool(z3.is_true(simple))
    path, place = here(), len(here().decisions)
    if simple.get_id() in path.taken:
        again = path.taken[simple.get_id()]
        claim(COVERAGE, _side(simple, again))
        return again
    if place < len(path.prefix):
        taken = path.prefix[place]
    else:
        possible = [side for side in (True, False) if _feasible(path, _side(simple, side))]
        if not possible:
            claim(COVERAGE, False)
            raise InfeasibleError
        taken = possible[0]
        if len(possible) == 2:
            path.later.append((*path.decisions, not taken))
        else:
            claim(COVERAGE, _side(simple, taken))
    path.decisions.append(taken)
    path.taken[simple.get_id()] = taken
    path.add(_side(simple, taken), assumed=False)
    return taken


def _side(condition: z3.BoolRef, taken: bool) -> z3.BoolRef:
    return condition if taken else z3.Not(condition)


def _feasible(path: Path, condition: z3.BoolRef) -> bool:
    path.tell()
    return bool(str(path.solver.check(condition)) != "unsat")


def assume(condition: Any) -> None:
    """Go on only where a condition holds."""
    formula = term(condition)
    if not z3.is_true(formula):
        here().add(formula, assumed=True)


def claim(label: str, condition: Any) -> None:
    """State what must hold here."""
    path = here()
    path.claims.append(Claim(label, path.conditions, term(condition)))


def claim_parts(label: str, formula: z3.BoolRef) -> None:
    """State the parts of a conjunction one by one: solvers like small goals."""
    for number, part in enumerate(conjuncts(formula), 1):
        claim(f"{label} ({number})", part)


def reach(label: str) -> None:
    """State that this place must be reachable: a proof about nothing is none."""
    path = here()
    path.reached.append((label, (*path.conditions, *path.hints)))


def hint(condition: Any) -> None:
    """Look for witnesses only where a condition holds: a small model is found sooner. Proofs do not see it."""
    here().hints.append(term(condition))


def attempt(function: Callable[..., Any], *args: Any) -> Any:
    """Call a rule; a rejection becomes a value. Acceptance must be possible on some path."""
    try:
        result = function(*args)
    except Rejection as rejection:
        return Rejected(rejection.reason, rejection.detail)
    if not isinstance(result, Rejected):
        reach(f"{getattr(function, '__name__', 'the rule')} accepts")
    return result


def explore(run: Callable[[], None], limit: int = 20_000) -> Iterator[Path]:
    """Run a function on every feasible path. What it raises beyond rejections is a claim that does not hold."""
    todo: list[tuple[bool, ...]] = [()]
    count = 0
    while todo:
        path = Path(todo.pop(), z3.Solver())
        path.solver.set("timeout", 2000)
        with _running(path):
            try:
                run()
            except InfeasibleError:
                pass
            except OutsideSubsetError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever a rule raises beside a rejection is a defect of it
                path.claims.append(Claim(f"raises {type(error).__name__}: {error}", path.conditions, z3.BoolVal(False)))
        todo += path.later
        count += 1
        if count > limit:
            raise OutsideSubsetError(f"more than {limit} paths")
        yield path


@contextmanager
def _running(path: Path) -> Iterator[None]:
    _STACK.append(path)
    try:
        yield
    finally:
        _STACK.pop()


# --- Values ------------------------------------------------------------------------------------------------------


def _refuse(what: str) -> Callable[..., NoReturn]:
    def use(self: Any, *_: Any) -> NoReturn:
        raise OutsideSubsetError(f"{type(self).__name__} {what}")

    return use


class Symbolic:
    """What all symbolic values share: a term, and no way out of the subset."""

    __slots__ = ("term",)
    __hash__ = None  # type: ignore[assignment]
    __index__ = _refuse("is no index")
    __int__ = _refuse("is no integer")
    __iter__ = _refuse("has no items")
    __len__ = _refuse("has no length")
    __getitem__ = _refuse("has no items")

    def __init__(self, value: Any) -> None:
        self.term = value

    def __repr__(self) -> str:
        """Show the term."""
        return f"{type(self).__name__}({self.term})"


class SBool(Symbolic):
    """A truth value. Testing it forks the path."""

    __slots__ = ()
    __hash__ = None

    def __bool__(self) -> bool:
        """Decide."""
        return decide(self.term)

    def __eq__(self, other: object) -> Any:
        """Compare truth values."""
        return SBool(self.term == term(other))

    def __ne__(self, other: object) -> Any:
        """Compare truth values."""
        return SBool(self.term != term(other))


class SAtom(Symbolic):
    """A value that only compares for equality: a key, a hash, an identifier."""

    __slots__ = ()
    __hash__ = None

    def __eq__(self, other: object) -> Any:
        """Compare; ⊥ is no atom."""
        return SBool(self.term == self._peer(other)) if other is not None else False

    def __ne__(self, other: object) -> Any:
        """Compare; ⊥ is no atom."""
        return SBool(self.term != self._peer(other)) if other is not None else True

    def _peer(self, other: object) -> z3.ExprRef:
        if not isinstance(other, SAtom) or other.term.sort() != self.term.sort():
            raise OutsideSubsetError(f"an atom of sort {self.term.sort()} was compared with {other!r}")
        return other.term

    def __bool__(self) -> bool:
        """Refuse: whether a value is empty is not known."""
        raise OutsideSubsetError(f"{self!r} has no truth value")


class SInt(Symbolic):
    """An exact integer."""

    __slots__ = ()
    __hash__ = None

    def __eq__(self, other: object) -> Any:
        """Compare; ⊥ is no number."""
        return SBool(self.term == _number(other)) if other is not None else False

    def __ne__(self, other: object) -> Any:
        """Compare; ⊥ is no number."""
        return SBool(self.term != _number(other)) if other is not None else True

    def __lt__(self, other: Any) -> SBool:
        """Compare."""
        return SBool(self.term < _number(other))

    def __le__(self, other: Any) -> SBool:
        """Compare."""
        return SBool(self.term <= _number(other))

    def __gt__(self, other: Any) -> SBool:
        """Compare."""
        return SBool(self.term > _number(other))

    def __ge__(self, other: Any) -> SBool:
        """Compare."""
        return SBool(self.term >= _number(other))

    def __add__(self, other: Any) -> "SInt":
        """Add."""
        return SInt(self.term + _number(other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> "SInt":
        """Subtract."""
        return SInt(self.term - _number(other))

    def __rsub__(self, other: Any) -> "SInt":
        """Subtract from a plain number."""
        return SInt(_number(other) - self.term)

    def __mul__(self, other: Any) -> "SInt":
        """Multiply."""
        return SInt(self.term * _number(other))

    __rmul__ = __mul__

    def __floordiv__(self, other: int) -> "SInt":
        """Divide by a positive plain number, rounding down."""
        if type(other) is not int or other <= 0:
            raise OutsideSubsetError("a divisor must be a positive plain number")
        return SInt(self.term / _number(other))

    def __bool__(self) -> bool:
        """Decide whether the number is not zero."""
        return decide(self.term != 0)


def _number(value: object) -> z3.ArithRef:
    if isinstance(value, SInt):
        return value.term
    if type(value) is not int:
        raise OutsideSubsetError(f"a symbolic integer met {value!r}")
    return z3.IntVal(value)


def term(value: Any) -> Any:
    """Return the solver term of a truth value, number or atom; anything else is no answer of a decision."""
    if isinstance(value, Symbolic):
        return value.term
    if isinstance(value, z3.ExprRef):
        return value
    if isinstance(value, bool):
        return z3.BoolVal(value)
    if isinstance(value, int):
        return z3.IntVal(value)
    raise OutsideSubsetError(f"{value!r} is neither a truth value nor a number nor an atom")


def conj(*formulas: z3.BoolRef) -> z3.BoolRef:
    """Join formulas; none gives true. Printed conjunctions of fewer than two formulas are not portable."""
    return z3.BoolVal(True) if not formulas else formulas[0] if len(formulas) == 1 else z3.And(*formulas)


def conjuncts(formula: z3.BoolRef) -> Iterator[z3.BoolRef]:
    """Walk the parts of a conjunction."""
    if not z3.is_and(formula):
        yield formula
        return
    for part in formula.children():
        yield from conjuncts(part)


def has_quantifier(formula: z3.BoolRef) -> bool:
    """Whether a formula speaks of all or some values somewhere inside."""
    goal = z3.Goal()
    goal.add(formula)
    return bool(_HAS_QUANTIFIERS(goal))


_HAS_QUANTIFIERS: Final = z3.Probe("has-quantifiers")


def disj(*formulas: z3.BoolRef) -> z3.BoolRef:
    """Join alternatives; none gives false."""
    return z3.BoolVal(False) if not formulas else formulas[0] if len(formulas) == 1 else z3.Or(*formulas)

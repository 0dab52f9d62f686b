"""Transition systems over relations: what no step of a network of any size can break.

A :class:`State` maps names to functions over solver terms; an action is a guard over the state before it (mostly what
the contract of a shipped function says) and the state after it. :meth:`TransitionSystem.queries` asks whether every
invariant holds at the start and is kept by every action, and what follows from them.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import z3
from attrs import define, field, frozen

from .queries import Query, witness
from .symbolic import conj

Symbol: TypeAlias = Callable[..., Any]


@frozen(eq=False, slots=False)
class State:
    """The relations and functions of one moment, as attributes: ``state.pending(validator, chain)``."""

    symbols: Mapping[str, Symbol]

    def __getattr__(self, name: str) -> Symbol:
        """Return a relation or function."""
        if name == "symbols" or name not in self.symbols:
            raise AttributeError(f"the state has no {name}")
        return self.symbols[name]

    def update(self, name: str, place: tuple[Any, ...], value: Any) -> "State":
        """Return the state with one value replaced; everything else stays as it is."""
        old = self.symbols[name]

        def new(*args: Any) -> Any:
            if not place:
                return value
            return z3.If(conj(*(a == b for a, b in zip(args, place, strict=True))), value, old(*args))

        return self.replace(**{name: new})

    def set_true(self, name: str, *place: Any) -> "State":
        """Return the state with one more tuple in a relation."""
        return self.update(name, place, z3.BoolVal(True))

    def replace(self, **symbols: Symbol) -> "State":
        """Return the state with whole relations replaced."""
        if unknown := sorted(set(symbols) - set(self.symbols)):
            raise AttributeError(f"the state has no {', '.join(unknown)}")
        return State({**self.symbols, **symbols})


def state(**signatures: tuple[z3.SortRef, ...]) -> State:
    """Return an arbitrary state; a signature is the sorts of the arguments, then the sort of the value."""
    return State({name: z3.Function(name, *sorts) for name, sorts in signatures.items()})


@frozen(eq=False)
class Action:
    """When a step can be taken, and the state after it. ``hints`` are used by the search for a witness only."""

    guard: z3.BoolRef
    after: State
    hints: tuple[z3.BoolRef, ...] = ()


@define(eq=False)
class TransitionSystem:
    """Invariants of a state and the actions that must keep them; ``safety`` follows from the invariants in one state,
    ``laws`` from the invariants and any one action, in the states before and after it.
    """  # noqa: D205 - one sentence

    before: State
    start: Callable[[State], z3.BoolRef]
    axioms: tuple[z3.BoolRef, ...] = ()
    invariants: dict[str, Callable[[State], z3.BoolRef]] = field(factory=dict)
    actions: dict[str, Action] = field(factory=dict)
    safety: dict[str, Callable[[State], z3.BoolRef]] = field(factory=dict)
    laws: dict[str, Callable[[State, State], z3.BoolRef]] = field(factory=dict)

    @property
    def known(self) -> tuple[z3.BoolRef, ...]:
        """What holds of the state before an action."""
        return (*self.axioms, *(holds(self.before) for holds in self.invariants.values()))

    def queries(self) -> Iterator[Query]:
        """Yield what must be proved, and for each action a witness that it can be taken."""
        for name, holds in self.invariants.items():
            yield Query(f"start: {name}", (*self.axioms, self.start(self.before)), holds(self.before))
        yield witness("there is a start", (*self.axioms, self.start(self.before)))
        for name, action in self.actions.items():
            yield from self._steps(name, action)
        for name, holds in self.safety.items():
            yield Query(f"always: {name}", self.known, holds(self.before))

    def _steps(self, step: str, action: Action) -> Iterator[Query]:
        given = (*self.known, action.guard)
        for name, holds in self.invariants.items():
            yield Query(f"{step}: {name}", given, holds(action.after))
        for name, law in self.laws.items():
            yield Query(f"{step}: {name}", given, law(self.before, action.after))
        yield witness(f"{step} can be taken", (*given, *action.hints))

"""Lists of any length, and induction along them: how a loop over a tuple or a map of the core is proved.

A list is a function from places to items. ``Induction`` stands for ``fold`` at one call: its invariant, which may speak
of how many items were folded, is proved to hold at the start and to survive one arbitrary step.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import z3
from attrs import frozen

from .queries import Query
from .symbolic import (
    InfeasibleError,
    OutsideSubsetError,
    Symbolic,
    assume,
    claim,
    conj,
    decide,
    fresh,
    fresh_name,
    here,
)
from .twins import TurnProvedError, Twin


@frozen(eq=False)
class SList(Twin):
    """A tuple of any length. In a comprehension it gives the item at ``place``, which stands for every place."""

    item: Callable[[z3.ArithRef], Any]
    length: z3.ArithRef
    place: z3.ArithRef

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Give the one item that stands for all; a loop that asks for another one is outside the subset."""
        yield self.item(self.place)
        raise OutsideSubsetError("a loop over a list of unknown length: fold it")

    def __bool__(self) -> bool:
        """Whether there is any item."""
        return decide(self.length > 0)

    def has(self, place: z3.ArithRef) -> z3.BoolRef:
        """Whether there is an item at a place."""
        return conj(place >= 0, place < self.length)


def unknown_list(item: Callable[[z3.ArithRef], Any], name: str) -> SList:
    """Return a list of any length."""
    length = fresh(f"{name}.length", z3.IntSort())
    assume(length >= 0)
    return SList(item, length, fresh(f"{name}.place", z3.IntSort()))


@frozen(eq=False)
class Mapped:
    """Stand for ``tuple`` around a comprehension over one list: the same places, other items."""

    over: SList

    def __call__(self, items: Iterable[Any]) -> SList:
        """Return the list of what the comprehension makes of each item."""
        decided = len(here().decisions)
        image = next(iter(items))
        if len(here().decisions) > decided or not isinstance(image, Symbolic):
            raise OutsideSubsetError("a comprehension that decides, or makes no symbolic value")
        kind, place = type(image), self.over.place
        return SList(lambda i: kind(z3.substitute(image.term, (place, i))), self.over.length, place)


def every(over: SList) -> Callable[[Iterable[Any]], bool]:
    """Stand for ``all`` over a list. If every item passes, ``place`` stands for any of them, if not, for a bad one.

    Asked once: two tests may fail at two places.
    """

    def hold(tests: Iterable[Any]) -> bool:
        asked = f"all items at {over.place}"
        if fresh_name(asked) != asked:
            raise OutsideSubsetError("a second test of all items of one list")
        if decide(over.length == 0):
            return True
        assume(over.has(over.place))
        passes = decide(fresh("every item passes", z3.BoolSort()))
        if bool(next(iter(tests))) is not passes:
            raise InfeasibleError
        return passes

    return hold


@frozen(eq=False)
class Induction:
    """Stand for :func:`linera_reference.containers.fold` along a list.

    ``known(value, n)`` is what holds after ``n`` items, ``unknown`` returns an arbitrary value, ``start`` turns the
    plain first value into a symbolic one, and ``lemmas(value, n)`` are facts from elsewhere that a step needs.
    """

    known: Callable[[Any, Any], z3.BoolRef]
    unknown: Callable[[], Any]
    start: Callable[[Any], Any] = lambda value: value
    lemmas: Callable[[Any, Any], tuple[z3.BoolRef, ...]] = lambda *_: ()

    def __call__(self, step: Callable[[Any, Any], Any], init: Any, items: SList) -> Any:
        """Return an arbitrary value that the invariant holds of; prove the invariant on other paths.

        A path on which the step rejects goes on as the rejection.
        """
        none, turn = z3.IntVal(0), fresh("turn", z3.IntSort())
        assume(conj(*self.lemmas(self.start(init), none)))
        claim("the invariant of the fold holds at the start", self.known(self.start(init), none))
        if decide(fresh("one more item", z3.BoolSort())):
            before = self.unknown()
            assume(conj(items.has(turn), self.known(before, turn), *self.lemmas(before, turn)))
            after = step(before, items.item(turn))
            claim("the step of the fold keeps the invariant", self.known(after, turn + 1))
            raise TurnProvedError
        result = self.unknown()
        assume(self.known(result, items.length))
        return result


def by_induction(
    name: str, holds: Callable[[Any], z3.BoolRef], given: Callable[[Any], tuple[z3.BoolRef, ...]]
) -> Iterator[Query]:
    """Prove for every n ≥ 0 what holds of n; ``given(n)`` may be used in the step from n to n + 1."""
    n, zero = z3.Int("n"), z3.IntVal(0)
    yield Query(f"{name}: at 0", given(zero), holds(zero))
    yield Query(f"{name}: from n to n + 1", (n >= 0, *given(n), holds(n)), holds(n + 1), {"n": n})

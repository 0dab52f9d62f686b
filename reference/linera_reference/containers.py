"""Small closed containers: the only way to data without a bound (so that proofs can give them symbolic twins).

Each container is immutable; an operation returns a new one and costs O(log n).
"""

from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from typing import Any, Generic, TypeVar

from attrs import field, frozen
from immutables import Map

from .notation import support

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")

EMPTY: Map[Any, Any] = Map()


@support
@frozen(eq=False, repr=False)
class Queue(Generic[T]):
    """First in, first out. Equality compares the items in order."""

    _items: Map[int, T] = field(default=EMPTY, alias="items")
    _head: int = field(default=0, alias="head")
    _tail: int = field(default=0, alias="tail")

    @property
    def is_empty(self) -> bool:
        """Whether no item waits."""
        return self._head == self._tail

    @property
    def front(self) -> T:
        """The oldest item; the queue must not be empty."""
        return self._items[self._head]

    @property
    def back(self) -> T:
        """The newest item; the queue must not be empty."""
        return self._items[self._tail - 1]

    def push(self, item: T) -> "Queue[T]":
        """Append one item."""
        return Queue(self._items.set(self._tail, item), self._head, self._tail + 1)

    def pop(self) -> "Queue[T]":
        """Drop the front; the queue must not be empty."""
        rest = self._items.delete(self._head)
        return Queue(rest, self._head + 1, self._tail) if rest else Queue()

    def split_before(self, bound: Any, key: Callable[[T], Any]) -> tuple[tuple[T, ...], "Queue[T]"]:
        """Drop every leading item whose key is below ``bound``; return the dropped items and the rest."""
        dropped: list[T] = []
        rest = self
        while not rest.is_empty and key(rest.front) < bound:
            dropped.append(rest.front)
            rest = rest.pop()
        return tuple(dropped), rest

    def __len__(self) -> int:
        """Count the items."""
        return self._tail - self._head

    def __iter__(self) -> Iterator[T]:
        """Walk from front to back."""
        return (self._items[i] for i in range(self._head, self._tail))

    def __eq__(self, other: object) -> bool:
        """Compare as sequences."""
        if not isinstance(other, Queue):
            return NotImplemented
        return self is other or (len(self) == len(other) and tuple(self) == tuple(other))

    def __hash__(self) -> int:
        """Hash as a sequence."""
        return hash(tuple(self))

    def __repr__(self) -> str:
        """Show the items in order."""
        return f"Queue{list(self)!r}"


@support
@frozen(repr=False)
class Log(Generic[T]):
    """Append-only history of items that are not ⊥, never copied. A forgotten log keeps its length only.

    The last item stands beside the map of the earlier ones, so that the log of a young chain costs little.
    """

    _earlier: Map[int, T] = field(default=EMPTY, alias="earlier")
    _last: T | None = field(default=None, alias="last")
    length: int = 0

    def append(self, item: T) -> "Log[T]":
        """Add one item at the end."""
        earlier = self._earlier if self._last is None else self._earlier.set(self.length - 1, self._last)
        return Log(earlier, item, self.length + 1)

    def get(self, index: int) -> T | None:
        """Return the item at ``index``, ⊥ beyond the end or when it was forgotten."""
        return self._last if index == self.length - 1 else self._earlier.get(index)

    def at(self, index: int) -> T:
        """Return the item at ``index``, which must be here."""
        item = self.get(index)
        if item is None:
            raise IndexError(index)
        return item

    def since(self, start: int) -> tuple[T, ...]:
        """Return the items from ``start`` on that are still here."""
        found = (self.get(index) for index in range(start, self.length))
        return tuple(item for item in found if item is not None)

    def forget(self) -> "Log[T]":
        """Drop the items and keep the length."""
        return Log(EMPTY, None, self.length)

    def __len__(self) -> int:
        """Count the appended items, forgotten ones included."""
        return self.length

    def __repr__(self) -> str:
        """Show the items in order."""
        return f"Log{list(self.since(0))!r}"


@support
@frozen(repr=False)
class Set(Generic[T]):
    """A finite set."""

    _items: Map[T, bool] = field(default=EMPTY, alias="items")

    @property
    def is_empty(self) -> bool:
        """Whether the set has no member."""
        return len(self._items) == 0

    def contains(self, item: T) -> bool:
        """Whether ``item`` is a member."""
        return item in self._items

    def insert(self, item: T) -> "Set[T]":
        """Return the union with {item}."""
        return self if item in self._items else Set(self._items.set(item, True))

    def remove(self, item: T) -> "Set[T]":
        """Return the difference with {item}."""
        return Set(self._items.delete(item)) if item in self._items else self

    def is_disjoint(self, other: "Set[T]") -> bool:
        """Whether the sets have no member in common."""
        return not any(other.contains(item) for item in self)

    def __len__(self) -> int:
        """Count the members."""
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        """Walk the members in no particular order: sort before anything is shown or encoded."""
        return iter(self._items)

    def __repr__(self) -> str:
        """Show the members, sorted by their text."""
        return f"Set{{{', '.join(sorted(map(repr, self)))}}}"


@support
def fold(step: Callable[[A, T], A], init: A, items: Iterable[T]) -> A:
    """Return ``step(…step(step(init, x₁), x₂)…, xₙ)``."""
    return reduce(step, items, init)


@support
def gather(step: Callable[[A, T], tuple[A, tuple[B, ...]]], init: A, items: Iterable[T]) -> tuple[A, tuple[B, ...]]:
    """Fold, and gather in order what each step puts out beside its value."""
    value = init
    outputs: list[B] = []
    for item in items:
        value, made = step(value, item)
        outputs += made
    return value, tuple(outputs)

"""Asking a function about a state, and remembering the answer by exactly those parts of the state that it read.

A state is a function from *slots* to values (integers and booleans). :func:`world_of` dresses it as a ``World`` whose
maps look values up when they are asked for. :class:`Memo` notes what is read on the way to an answer; another state
that agrees there gets the same answer at once. So nothing has to be known about what a handler or predicate reads.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, Generic, TypeAlias, TypeVar

from attrs import define, field, frozen
from immutables import Map

Slot: TypeAlias = Hashable
Read: TypeAlias = Callable[[Any], Any]
"""The value of a state at a slot."""
R = TypeVar("R")

ABSENT = object()


class View:
    """A map that reads a state: what ``immutables.Map`` offers, as far as handlers and predicates use it.

    ``load`` gives the value of a key, or ``ABSENT``; ``keys`` gives every key that may be there.
    """

    __slots__ = ("_changed", "_keys", "_load")

    def __init__(
        self, load: Callable[[Any], Any], keys: Callable[[], Iterable[Any]], changed: dict[Any, Any] | None = None
    ) -> None:
        self._load = load
        self._keys = keys
        self._changed = changed or {}

    @property
    def changes(self) -> dict[Any, Any]:
        """What was set and deleted since the state was read."""
        return self._changed

    def _at(self, key: Any) -> Any:
        return self._changed[key] if key in self._changed else self._load(key)

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the value of a key, or a default."""
        found = self._at(key)
        return default if found is ABSENT else found

    def set(self, key: Any, value: Any) -> "View":
        """Return the map with another value."""
        return View(self._load, self._keys, {**self._changed, key: value})

    def delete(self, key: Any) -> "View":
        """Return the map without a key."""
        return self.set(key, ABSENT)

    def __getitem__(self, key: Any) -> Any:
        found = self._at(key)
        if found is ABSENT:
            raise KeyError(key)
        return found

    def __contains__(self, key: Any) -> bool:
        return self._at(key) is not ABSENT

    def __iter__(self) -> Iterator[Any]:
        return (key for key in dict.fromkeys([*self._keys(), *self._changed]) if key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def keys(self) -> list[Any]:
        """Return the keys."""
        return list(self)

    def values(self) -> list[Any]:
        """Return the values."""
        return [self[key] for key in self]

    def items(self) -> list[tuple[Any, Any]]:
        """Return the keys with their values."""
        return [(key, self[key]) for key in self]

    def __eq__(self, other: object) -> bool:
        """Compare what two maps that read the same part of the same state have become; or all of it, with a map."""
        if isinstance(other, Map):
            return dict(self.items()) == dict(other.items())
        if not isinstance(other, View):
            return NotImplemented
        changed = {**self._changed, **other._changed}
        return self._load is other._load and all(self.get(key, ABSENT) == other.get(key, ABSENT) for key in changed)

    def __hash__(self) -> int:
        """Hash the state that is read."""
        return hash(self._load)


@frozen
class Answer(Generic[R]):
    """What a function returned."""

    value: R


@define
class Branch(Generic[R]):
    """A slot that is read next, and what follows from its values."""

    slot: Slot
    next: "dict[Any, Branch[R] | Answer[R]]" = field(factory=dict)


@define
class Memo(Generic[R]):
    """Answers of a function of a state, as a tree of what it reads."""

    function: Callable[[Read], R]
    calls: int = 0
    root: "Branch[R] | Answer[R] | None" = None

    def __call__(self, read: Read) -> R:
        """Return the answer for a state, asking the function only if no state that agrees was asked about."""
        node = self.root
        while isinstance(node, Branch):
            node = node.next.get(read(node.slot))
        if node is None:
            node = self.ask(read)
        return node.value

    def ask(self, read: Read) -> "Answer[R]":
        """Ask the function and remember what it read."""
        self.calls += 1
        known: dict[Slot, Any] = {}

        def noting(slot: Slot) -> Any:
            if slot not in known:
                known[slot] = read(slot)
            return known[slot]

        answer = Answer(self.function(noting))
        self.root = self._insert(self.root, list(known.items()), 0, answer)
        return answer

    def _insert(
        self, node: "Branch[R] | Answer[R] | None", path: list[tuple[Slot, Any]], depth: int, answer: "Answer[R]"
    ) -> "Branch[R] | Answer[R]":
        if depth == len(path):
            return answer
        slot, value = path[depth]
        branch = node if isinstance(node, Branch) else Branch(slot)
        branch.next[value] = self._insert(branch.next.get(value), path, depth + 1, answer)
        return branch

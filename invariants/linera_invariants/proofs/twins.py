"""Symbolic twins of the containers: data without a bound, behind the interface of :mod:`linera_reference.containers`.

A queue is an array with a head and a tail, a set an array of truth values, a map two arrays. A loop over unbounded data
happens in two places only, and both are summarised by a contract that is proved by induction: ``split_before`` of a
queue (proved about the shipped loop in :mod:`.contracts.containers`) and ``fold`` over a sequence (proved on the spot:
the first value satisfies the invariant, and the step keeps it for an arbitrary item).
"""

from collections.abc import Callable
from typing import Any, NoReturn

import z3
from attrs import evolve, frozen

from .codecs import Codec, unpacked
from .symbolic import (
    InfeasibleError,
    OutsideSubsetError,
    Path,
    SBool,
    SInt,
    assume,
    claim,
    claim_parts,
    conj,
    decide,
    disj,
    explore,
    fresh,
    here,
    term,
)


def forall(sorts: tuple[z3.SortRef, ...], body: Callable[..., z3.BoolRef], name: str = "x") -> z3.BoolRef:
    """Quantify over fresh variables."""
    variables = [z3.Const(f"{name}{i}!", sort) for i, sort in enumerate(sorts)]
    return z3.ForAll(variables, body(*variables))


def _closed(self: Any, *_: Any) -> NoReturn:
    raise OutsideSubsetError(f"a symbolic {type(self).__name__} was walked or counted")


def stored(codec: Codec, item: Any) -> z3.ExprRef:
    """Pack what a container takes: its numbers must lie in their ranges, as whoever reads them there may rely on."""
    packed = codec.pack(item)
    if not z3.is_true(z3.simplify(codec.valid(packed))):
        claim("what is stored lies in its range", codec.valid(packed))
    return packed


class Twin:
    """What all twins share: nothing leads out of their interface."""

    __slots__ = ()
    __iter__ = _closed
    __len__ = _closed


def split_contract(queue: "SQueue", split: z3.ArithRef, bound: Any, key: Callable[[Any], Any]) -> z3.BoolRef:
    """Say what ``split_before`` does: what lies before ``split`` is below the bound, what lies there is not."""
    i = z3.Int("i!")
    is_below = below(queue.array[i], queue.codec, bound, key)
    dropped = z3.ForAll([i], z3.Implies(z3.And(queue.head <= i, i < split), is_below))
    first = z3.substitute(is_below, (i, split))
    return conj(queue.head <= split, split <= queue.tail, dropped, z3.Or(split == queue.tail, z3.Not(first)))


@frozen(eq=False)
class SQueue(Twin):
    """A queue of any length: items ``array[head]`` to ``array[tail - 1]``. ``splits`` is what is known of its loop."""

    codec: Codec
    array: z3.ArrayRef
    head: z3.ArithRef
    tail: z3.ArithRef
    splits: Callable[..., z3.BoolRef] = split_contract

    @classmethod
    def unknown(cls, codec: Codec, name: str, splits: Callable[..., z3.BoolRef] = split_contract) -> "SQueue":
        """Return an arbitrary queue."""
        array = fresh(name, z3.ArraySort(z3.IntSort(), codec.sort))
        head, tail = fresh(f"{name}.head", z3.IntSort()), fresh(f"{name}.tail", z3.IntSort())
        assume(head <= tail)
        return cls(codec, array, head, tail, splits)

    @classmethod
    def empty(cls, codec: Codec) -> "SQueue":
        """Return a queue without items."""
        return cls(codec, z3.Const("no items", z3.ArraySort(z3.IntSort(), codec.sort)), z3.IntVal(0), z3.IntVal(0))

    @property
    def is_empty(self) -> SBool:
        """Whether no item waits."""
        return SBool(self.head == self.tail)

    @property
    def front(self) -> Any:
        """The oldest item; an empty queue has none, as in the container."""
        self._need_item()
        return self.item(self.head)

    @property
    def back(self) -> Any:
        """The newest item; an empty queue has none, as in the container."""
        self._need_item()
        return self.item(self.tail - 1)

    def item(self, index: Any) -> Any:
        """Return the item at a place between head and tail."""
        return unpacked(self.codec, z3.simplify(self.array[index]))

    def push(self, item: Any) -> "SQueue":
        """Append one item."""
        return evolve(self, array=z3.Store(self.array, self.tail, stored(self.codec, item)), tail=self.tail + 1)

    def pop(self) -> "SQueue":
        """Drop the front; an empty queue has none, as in the container."""
        self._need_item()
        return evolve(self, head=self.head + 1)

    def split_before(self, bound: Any, key: Callable[[Any], Any]) -> "tuple[Dropped, SQueue]":
        """Drop every leading item whose key is below ``bound``, by the contract of the loop."""
        split = fresh("split", z3.IntSort())
        assume(self.splits(self, split, bound, key))
        return Dropped(self, split), evolve(self, head=split)

    def _need_item(self) -> None:
        if decide(self.head == self.tail):
            raise KeyError("the queue is empty")


@frozen(eq=False)
class Dropped(Twin):
    """The items that ``split_before`` dropped: from the old head up to ``end``."""

    queue: SQueue
    end: z3.ArithRef


def below(item: z3.ExprRef, codec: Codec, bound: Any, key: Callable[[Any], Any]) -> z3.BoolRef:
    """Return, as one formula, whether the key of an item is below a bound: the shipped comparison on every path."""
    return formula_of(lambda: key(codec.unpack(item)) < bound)


def formula_of(decision: Callable[[], Any]) -> z3.BoolRef:
    """Return what a decision computes as one formula: the disjunction of the paths on which it holds.

    What the paths claim of themselves (that none was forgotten, that none raises) is claimed of the path that asks.
    """
    found: list[z3.BoolRef] = []

    def run() -> None:
        value = term(decision())
        if here().names:
            raise OutsideSubsetError("a decision that becomes a formula makes up no values")
        found.append(conj(*here().conditions, value))

    for path in explore(run):
        _pass_on(path)
    return disj(*found)


def value_of(compute: Callable[[], z3.ExprRef]) -> z3.ExprRef:
    """Return what a function computes as one term: its value path by path. Claims go to the path that asks."""
    found: list[tuple[z3.BoolRef, z3.ExprRef]] = []

    def run() -> None:
        value = compute()
        found.append((conj(*(event.formula for event in here().events if not event.assumed)), value))

    for path in explore(run):
        _pass_on(path)
    *cases, (_, value) = found
    for condition, other in reversed(cases):
        value = z3.If(condition, other, value)
    return value


def _pass_on(path: Path) -> None:
    """Claim what a path of its own claimed."""
    for claimed in path.claims:
        claim(claimed.label, z3.Implies(conj(*claimed.conditions), claimed.formula))


@frozen(eq=False)
class SSet(Twin):
    """A set of values of any size."""

    codec: Codec
    array: z3.ArrayRef

    @classmethod
    def unknown(cls, codec: Codec, name: str) -> "SSet":
        """Return an arbitrary set."""
        return cls(codec, fresh(name, z3.ArraySort(codec.sort, z3.BoolSort())))

    @classmethod
    def empty(cls, codec: Codec) -> "SSet":
        """Return the empty set."""
        return cls(codec, z3.K(codec.sort, z3.BoolVal(False)))

    @property
    def is_empty(self) -> SBool:
        """Whether the set has no member."""
        return SBool(self.array == SSet.empty(self.codec).array)

    def contains(self, item: Any) -> SBool:
        """Whether ``item`` is a member."""
        return SBool(self.array[self.codec.pack(item)])

    def insert(self, item: Any) -> "SSet":
        """Return the union with {item}."""
        return evolve(self, array=z3.Store(self.array, self.codec.pack(item), z3.BoolVal(True)))

    def remove(self, item: Any) -> "SSet":
        """Return the difference with {item}."""
        return evolve(self, array=z3.Store(self.array, self.codec.pack(item), z3.BoolVal(False)))

    def is_disjoint(self, other: "SSet") -> SBool:
        """Whether the sets have no member in common."""
        apart = forall((self.codec.sort,), lambda item: z3.Not(conj(self.array[item], other.array[item])), "member")
        return SBool(apart)


@frozen(eq=False)
class NewSet:
    """Stands for the name ``Set`` where a function starts with an empty set of its own: the twin."""

    items: Codec

    def __call__(self) -> SSet:
        """Return the empty set."""
        return SSet.empty(self.items)

    def __getitem__(self, _: Any) -> "NewSet":
        """Take part in annotations."""
        return self


@frozen(eq=False)
class SMap(Twin):
    """A map of any size; its interface is that of ``immutables.Map``."""

    keys: Codec
    values: Codec
    present: z3.ArrayRef
    array: z3.ArrayRef

    @classmethod
    def unknown(cls, keys: Codec, values: Codec, name: str) -> "SMap":
        """Return an arbitrary map."""
        present = fresh(f"{name}.keys", z3.ArraySort(keys.sort, z3.BoolSort()))
        return cls(keys, values, present, fresh(name, z3.ArraySort(keys.sort, values.sort)))

    def __contains__(self, key: Any) -> bool:
        """Whether the map has a key."""
        return decide(self.present[self.keys.pack(key)])

    def __bool__(self) -> bool:
        """Whether the map has any key."""
        return decide(self.present != z3.K(self.keys.sort, z3.BoolVal(False)))

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the value of a key, ``default`` without one."""
        return self._value(key) if key in self else default

    def __getitem__(self, key: Any) -> Any:
        """Return the value of a key; a missing one is an error, as in the container."""
        if key not in self:
            raise KeyError(key)
        return self._value(key)

    def set(self, key: Any, value: Any) -> "SMap":
        """Return the map with one entry replaced."""
        place = self.keys.pack(key)
        array = z3.Store(self.array, place, stored(self.values, value))
        return evolve(self, present=z3.Store(self.present, place, z3.BoolVal(True)), array=array)

    def delete(self, key: Any) -> "SMap":
        """Return the map without one entry; a missing one is an error, as in the container."""
        if key not in self:
            raise KeyError(key)
        return evolve(self, present=z3.Store(self.present, self.keys.pack(key), z3.BoolVal(False)))

    def _value(self, key: Any) -> Any:
        return unpacked(self.values, self.array[self.keys.pack(key)])


@frozen(eq=False)
class SLog(Twin):
    """An append-only history of any length, all of it here."""

    codec: Codec
    array: z3.ArrayRef
    length: SInt

    @classmethod
    def unknown(cls, codec: Codec, name: str) -> "SLog":
        """Return an arbitrary history."""
        length = fresh(f"{name}.length", z3.IntSort())
        assume(length >= 0)
        return cls(codec, fresh(name, z3.ArraySort(z3.IntSort(), codec.sort)), SInt(length))

    def append(self, item: Any) -> "SLog":
        """Add one item at the end."""
        length = self.length.term
        return evolve(self, array=z3.Store(self.array, length, stored(self.codec, item)), length=SInt(length + 1))

    def get(self, index: Any) -> Any:
        """Return the item at ``index``, ⊥ beyond the end."""
        place = term(index)
        inside = decide(conj(place >= 0, place < self.length.term))
        return unpacked(self.codec, self.array[place]) if inside else None


@frozen(eq=False)
class Walk(Twin):
    """The items of a queue, to be folded over in order; ``known`` says what holds of the value before an index."""

    queue: SQueue
    known: Callable[[Any, Any], z3.BoolRef]
    unknown: Callable[[], Any]

    def fold(self, step: Callable[[Any, Any], Any], init: Any) -> Any:
        """Return a value that satisfies the invariant at the end, which is proved here to hold by induction."""
        claim_parts("the invariant of the fold holds at the start", self.known(self.queue.head, init))
        if decide(fresh("one more item", z3.BoolSort())):
            self._turn(step)
        result = self.unknown()
        assume(self.known(self.queue.tail, result))
        return result

    def _turn(self, step: Callable[[Any, Any], Any]) -> NoReturn:
        """Take one arbitrary step. A path that rejects goes on as the rejection; one that does not, proves and ends."""
        index, before = fresh("index", z3.IntSort()), self.unknown()
        assume(conj(self.queue.head <= index, index < self.queue.tail, self.known(index, before)))
        after = step(before, self.queue.item(index))
        claim_parts("the step of the fold keeps the invariant", self.known(index + 1, after))
        raise TurnProvedError


class TurnProvedError(InfeasibleError):
    """The path proved one turn of a fold and ends; what the function does next is proved on the other path."""


def symbolic_fold(step: Callable[[Any, Any], Any], init: Any, items: Walk) -> Any:
    """Stand for :func:`linera_reference.containers.fold`: the walk folds itself."""
    return items.fold(step, init)

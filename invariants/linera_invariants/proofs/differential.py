"""Whether symbolic runs tell the truth: one shipped function on values, and the same function on symbols.

All paths of a function are explored once. For concrete arguments, the constants of the symbolic run are replaced by
them: exactly the paths whose conditions then hold are open, and each open path must end as the plain run does. The
shape of an argument follows its annotation, so that every function over the core's records and containers can be
compared. Values of an uninterpreted sort stand for the concrete values that were met, one each.
"""

from collections.abc import Callable, Hashable, Iterator
from functools import cache
from importlib import import_module
from inspect import signature
from typing import Any, Final, get_args, get_origin, get_type_hints

import attrs
import z3
from attrs import define, evolve, field, frozen
from immutables import Map

from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Certificate
from linera_reference.containers import Log, Queue, Set
from linera_reference.identifiers import ChainId
from linera_reference.messages import Message
from linera_reference.notation import PublicKey
from linera_reference.ownership import Owner
from linera_reference.rejections import Rejected, Rejection
from linera_reference.request import Request
from linera_reference.rounds import Rounds

from .codecs import Codec, atoms, codec_of, optional, unknown
from .contracts.chain import BLOCKS, CERTIFICATES, EXECUTED, KEY_SETS, MESSAGES, OWNER, REQUESTS, ROUNDS, opened
from .contracts.identifiers import IDENTIFIERS, SSequence, any_identifier, length, sequence
from .contracts.identifiers import Rest as Unpacked
from .contracts.owners import all_keys
from .lifted import with_callees
from .symbolic import InfeasibleError, OutsideSubsetError, Symbolic, conj, explore
from .twins import Dropped, NewSet, SLog, SMap, SQueue, SSet

SUMMARIES: Final[dict[str, dict[str, Any]]] = {
    "certificate:check_signers": {"Set": NewSet(codec_of(bytes))},
    "identifiers:child": {"len": length},
    "ownership:add_owner": {"keys_of": all_keys},
    "ownership:keys_of": {"Set": NewSet(codec_of(bytes))},
    "ownership:remove_owner": {"keys_of": all_keys},
    "identifiers:is_ancestor": {"len": length},
}
"""What a symbolic run takes in place of names that the shipped function uses."""


# --- Concrete values as terms ------------------------------------------------------------------------------------


class MismatchError(Exception):
    """A concrete value does not belong to the sort of a symbolic one."""


@cache
def universe(sort: z3.SortRef) -> list[z3.ExprRef]:
    """Return values of an uninterpreted sort that Z3 knows to be distinct."""
    names = [z3.Const(f"{sort.name()}{i}", sort) for i in range(100)]
    solver = z3.Solver()
    solver.add(z3.Distinct(*names))
    solver.check()
    return [solver.model().eval(name) for name in names]


@cache
def constructors(sort: Any) -> list[tuple[Any, str, list[z3.SortRef]]]:
    """Return the constructors of a datatype, their names, and the sorts of their arguments."""
    made = ((i, sort.constructor(i)) for i in range(sort.num_constructors()))
    return [(c, c.name(), [sort.accessor(i, j).range() for j in range(c.arity())]) for i, c in made]


@define
class Encoder:
    """Turns concrete values into terms; equal values of an uninterpreted sort give the same one."""

    met: dict[tuple[str, Hashable], z3.ExprRef] = field(factory=dict)

    def term(self, sort: z3.SortRef, value: Any) -> z3.ExprRef:
        """Return the term of a value in a sort."""
        match sort.kind():
            case z3.Z3_INT_SORT if type(value) is int:
                return z3.IntVal(value)
            case z3.Z3_BOOL_SORT if type(value) is bool:
                return z3.BoolVal(value)
            case z3.Z3_UNINTERPRETED_SORT if value is not None:
                return self.atom(sort, value)
            case z3.Z3_ARRAY_SORT if type(value) is Set:
                return self.array(sort.domain(), z3.BoolVal(False), ((item, z3.BoolVal(True)) for item in value))
            case z3.Z3_DATATYPE_SORT:
                return self.constructed(sort, value)
        raise MismatchError(f"{value!r} is no {sort}")

    def atom(self, sort: z3.SortRef, value: Hashable) -> z3.ExprRef:
        """Return the value of an uninterpreted sort that stands for a concrete one."""
        place = (sort.name(), value)
        if place not in self.met:
            used = sum(name == sort.name() for name, _ in self.met)
            self.met[place] = universe(sort)[used]
        return self.met[place]

    def constructed(self, sort: Any, value: Any) -> z3.ExprRef:
        """Return a term of a datatype: ⊥, a member of an enumeration, a record, or what an option or variant holds."""
        kind = type(value).__name__
        for make, name, parts in constructors(sort):
            if name in {f"none_{sort.name()}" if value is None else "", f"{kind}_{getattr(value, 'name', '')}"}:
                return make()
            if name.startswith(f"make_{kind}"):
                values = attrs.astuple(value, recurse=False)
                return make(*(self.term(part, v) for part, v in zip(parts, values, strict=True)))
            if value is not None and (name.startswith("some_") or name == f"{sort.name()}_{kind}"):
                return make(self.term(parts[0], value))
        raise MismatchError(f"{value!r} is no {sort}")

    def items(self, sort: z3.SortRef, queue: Queue[Any]) -> list[z3.ExprRef]:
        """Return array, head and tail of a queue."""
        items = enumerate(self.term(sort, item) for item in queue)
        return [self.array(z3.IntSort(), _any(sort), items), z3.IntVal(0), z3.IntVal(len(queue))]

    def entries(self, keys: z3.SortRef, values: z3.SortRef, items: Map[Any, Any]) -> list[z3.ExprRef]:
        """Return the keys and the values of a map, as arrays."""
        present = self.array(keys, z3.BoolVal(False), ((key, z3.BoolVal(True)) for key in items))
        return [present, self.array(keys, _any(values), ((k, self.term(values, v)) for k, v in items.items()))]

    def array(self, keys: z3.SortRef, default: Any, entries: Any) -> z3.ExprRef:
        """Return an array with these entries."""
        found = z3.K(keys, default)
        for key, value in entries:
            found = z3.Store(found, self.term(keys, key), value)
        return found


# --- Shapes of arguments -----------------------------------------------------------------------------------------


@frozen(eq=False)
class Shape:
    """How an argument of some name is made unknown, and the terms that its constants have for a concrete value."""

    unknown: Callable[[str], Any]
    constants: Callable[[Encoder, str, Any], Iterator[tuple[str, z3.ExprRef]]]


def shape_of(annotation: Any, value: Any) -> Shape:
    """Return the shape of an annotated argument. A tuple has as many items as the concrete one."""
    origin, args = get_origin(annotation), get_args(annotation)
    if annotation is Any:
        return _plain(optional(atoms("Any")))
    if origin in _CONTAINERS:
        return _CONTAINERS[origin](*map(codec, args))
    if origin is tuple and annotation != ChainId:
        return _parts(tuple, {f"{i}": (shape_of(args[0], item), item) for i, item in enumerate(value)})
    try:
        return _plain(codec(annotation))
    except OutsideSubsetError:
        if not attrs.has(annotation):
            raise
    hints = get_type_hints(annotation, include_extras=True)
    parts = ((a.name, getattr(value, a.name)) for a in attrs.fields(annotation))
    return _parts(annotation, {name: (shape_of(hints[name], part), part) for name, part in parts})


OPAQUE: Final[dict[Any, Codec]] = {
    Block: BLOCKS,
    Certificate: CERTIFICATES,
    Certificate | None: optional(CERTIFICATES),
    ExecutedBlock: EXECUTED,
    ExecutedBlock | None: optional(EXECUTED),
    Message: MESSAGES,
    Owner: OWNER,
    Owner | None: optional(OWNER),
    Request: evolve(REQUESTS, unpack=lambda x: _opened(REQUESTS.unpack(x), "justification")),
    Rounds: evolve(ROUNDS, unpack=lambda x: _opened(ROUNDS.unpack(x), "locked")),
    Set[PublicKey] | None: optional(KEY_SETS),
}
"""Records of which the contracts see some fields as a whole."""


def _opened(record: Any, name: str) -> Any:
    """Open a certificate in a record."""
    return evolve(record, **{name: opened(CERTIFICATES, getattr(record, name))})


def codec(annotation: Any) -> Codec:
    """Return the codec of an annotation, as the contracts use it."""
    return OPAQUE.get(annotation) or codec_of(annotation)


def _plain(inner: Codec) -> Shape:
    return Shape(lambda name: unknown(inner, name), lambda e, name, x: iter([(name, e.term(inner.sort, x))]))


def _parts(kind: Callable[..., Any], parts: dict[str, tuple[Shape, Any]]) -> Shape:
    def build(name: str) -> Any:
        made = [shape.unknown(f"{name}.{part}") for part, (shape, _) in parts.items()]
        return tuple(made) if kind is tuple else kind(*made)

    def constants(encoder: Encoder, name: str, value: Any) -> Iterator[tuple[str, z3.ExprRef]]:
        for part, (shape, _) in parts.items():
            inner = value[int(part)] if kind is tuple else getattr(value, part)
            yield from shape.constants(encoder, f"{name}.{part}", inner)

    return Shape(build, constants)


def _queue(inner: Codec) -> Shape:
    def constants(encoder: Encoder, name: str, queue: Queue[Any]) -> Iterator[tuple[str, z3.ExprRef]]:
        return zip((name, f"{name}.head", f"{name}.tail"), encoder.items(inner.sort, queue), strict=True)

    return Shape(lambda name: SQueue.unknown(inner, name), constants)


def _map(keys: Codec, values: Codec) -> Shape:
    def constants(encoder: Encoder, name: str, items: Map[Any, Any]) -> Iterator[tuple[str, z3.ExprRef]]:
        return zip((f"{name}.keys", name), encoder.entries(keys.sort, values.sort, items), strict=True)

    return Shape(lambda name: SMap.unknown(keys, values, name), constants)


def _set(inner: Codec) -> Shape:
    def constants(encoder: Encoder, name: str, items: Set[Any]) -> Iterator[tuple[str, z3.ExprRef]]:
        yield name, encoder.array(inner.sort, z3.BoolVal(False), ((item, z3.BoolVal(True)) for item in items))

    return Shape(lambda name: SSet.unknown(inner, name), constants)


def _log(inner: Codec) -> Shape:
    def constants(encoder: Encoder, name: str, log: Log[Any]) -> Iterator[tuple[str, z3.ExprRef]]:
        items = (encoder.term(inner.sort, item) for item in log.since(0))
        yield name, encoder.array(z3.IntSort(), _any(inner.sort), enumerate(items))
        yield f"{name}.length", z3.IntVal(len(log))

    return Shape(lambda name: SLog.unknown(inner, name), constants)


def numbers_of(chain_id: ChainId) -> z3.SeqRef:
    """Return an identifier as a sequence."""
    units = [z3.Unit(z3.IntVal(number)) for number in chain_id]
    return z3.Concat(z3.Empty(IDENTIFIERS), z3.Empty(IDENTIFIERS), *units)


SEQUENCES: Final = Shape(any_identifier, lambda _, name, chain_id: iter([(name, numbers_of(chain_id))]))
"""Identifiers as sequences of numbers: how the rules about identifiers themselves are proved."""

_CONTAINERS: Final[dict[Any, Callable[..., Shape]]] = {Queue: _queue, Set: _set, Map: _map, Log: _log}


@cache
def _any(sort: z3.SortRef) -> z3.ExprRef:
    """Return some value of a sort, for places of an array where nothing is."""
    solver = z3.Solver()
    solver.check()
    return solver.model().eval(z3.Const("any", sort), model_completion=True)


# --- Runs --------------------------------------------------------------------------------------------------------


@frozen
class Raised:
    """A run ended with an exception that is no rejection."""

    kind: str


def outcome_of(function: Callable[..., Any], *args: Any) -> Any:
    """Return what a function returns, its rejection, or the kind of exception that it raises."""
    try:
        return function(*args)
    except Rejection as rejection:
        return Rejected(rejection.reason, rejection.detail)
    except (InfeasibleError, OutsideSubsetError, MismatchError):
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, both runs must agree on it
        return Raised(type(error).__name__)


@frozen(eq=False)
class Branch:
    """One path of the symbolic run: the places of its conditions, and how it ends (⊥: in a contradiction)."""

    conditions: tuple[int, ...]
    outcome: Any


@frozen(eq=False)
class Tree:
    """All paths of a symbolic run. Their conditions, each once, stand in one term: evaluating it evaluates them all."""

    conditions: z3.ExprRef
    branches: tuple[Branch, ...]


@define(eq=False)
class Comparison:
    """A shipped function, by the name that contracts give it or by itself, and its symbolic paths so far."""

    name: str
    function: Callable[..., Any]
    trees: dict[tuple[str, ...], Tree] = field(factory=dict)

    @classmethod
    def of(cls, name: str) -> "Comparison":
        """Find the function `module:qualified_name` of the core."""
        return cls(name, shipped(name))

    @classmethod
    def by_itself(cls, function: Callable[..., Any]) -> "Comparison":
        """Compare a function that is not of the core."""
        return cls(function.__name__, function)

    @property
    def annotations(self) -> dict[str, Any]:
        """The arguments and their types."""
        hints = get_type_hints(self.function, include_extras=True)
        return {name: hints[name] for name in signature(self.function).parameters}

    def disagreement(self, *args: Any) -> str | None:
        """Compare the plain run with every open path of the symbolic one; say where they differ."""
        concrete, encoder, shapes = outcome_of(self.function, *args), Encoder(), self.shapes(args)
        named = zip(shapes.items(), args, strict=True)
        values = [pair for (name, shape), arg in named for pair in shape.constants(encoder, name, arg)]
        known = [(z3.Const(name, value.sort()), value) for name, value in values]
        paths = self.paths(shapes, tuple(name for name, _ in values))
        found = Judge(encoder, known).disagreement(paths, concrete)
        return None if found is None else f"{self.name}{args!r} is {concrete!r}, {found}"

    def shapes(self, args: tuple[Any, ...]) -> dict[str, Shape]:
        """Return the shapes of the arguments, by name."""
        own = {ChainId: SEQUENCES} if self.name.startswith("identifiers:") else {}
        named = zip(self.annotations.items(), args, strict=True)
        return {name: own.get(annotation) or shape_of(annotation, value) for (name, annotation), value in named}

    def paths(self, shapes: dict[str, Shape], constants: tuple[str, ...]) -> Tree:
        """Return the paths of the symbolic run, explored once per list of constants (tuples differ in length)."""
        if constants not in self.trees:
            summaries = SUMMARIES.get(self.name)
            function = with_callees(self.function, **summaries) if summaries else self.function
            self.trees[constants] = tree(function, shapes)
        return self.trees[constants]


def shipped(name: str) -> Any:
    """Return a function of the core by `module:qualified_name`."""
    module, _, path = name.partition(":")
    found: Any = import_module(f"linera_reference.{module}")
    for part in path.split("."):
        found = getattr(found, part)
    return found


def tree(function: Callable[..., Any], shapes: dict[str, Shape]) -> Tree:
    """Run a function on unknown arguments, on every path."""
    ends: list[Any] = []
    places: dict[z3.BoolRef, int] = {}

    def run() -> None:
        ends.append(None)
        args = [shape.unknown(name) for name, shape in shapes.items()]
        ends[-1] = (outcome_of(function, *args),)

    found = tuple(
        Branch(tuple(places.setdefault(condition, len(places)) for condition in path.conditions), ends[-1])
        for path in explore(run)
    )
    join = z3.Function("conditions", *[z3.BoolSort()] * len(places), z3.BoolSort())
    return Tree(join(*places), found)


@frozen(eq=False)
class Judge:
    """Evaluates terms of a symbolic run for given values of its constants."""

    encoder: Encoder
    known: list[tuple[z3.ExprRef, z3.ExprRef]]

    def value(self, formula: z3.ExprRef) -> Any:
        """Return a formula with the values put in: true, false, or what is left about further constants."""
        return z3.simplify(z3.substitute(formula, *self.known))

    def disagreement(self, paths: Tree, concrete: Any) -> str | None:
        """Demand that some path is open, and that every open path ends as the plain run."""
        conditions, count = self.value(paths.conditions).children(), 0
        wrong = {place for place, condition in enumerate(conditions) if z3.is_false(condition)}
        for path in paths.branches:
            left = [conditions[place] for place in path.conditions]
            if not wrong.isdisjoint(path.conditions) or not self.possible(*left):
                continue
            count += 1
            if path.outcome is None:
                return "and the symbolic run ends in a contradiction"
            if self.possible(*left, z3.Not(self.value(self.same(path.outcome[0], concrete)))):
                return f"and a symbolic path ends with {path.outcome[0]!r}"
        return None if count else "and the symbolic run has no path for it"

    def possible(self, *formulas: z3.BoolRef) -> bool:
        """Whether formulas can hold together; what the solver does not know counts as possible."""
        simple = z3.simplify(conj(*formulas))
        if z3.is_true(simple) or z3.is_false(simple):
            return bool(z3.is_true(simple))
        answer = _answer(_simple_solver(), simple)
        return (_answer(z3.Solver(), simple) if answer == "unknown" else answer) != "unsat"

    def same(self, found: Any, wanted: Any) -> z3.BoolRef:
        """Say that the end of a symbolic path is a concrete value."""
        try:
            return conj(*self.equations(found, wanted))
        except MismatchError:
            return z3.BoolVal(False)

    def equations(self, found: Any, wanted: Any) -> Iterator[z3.BoolRef]:
        """Walk what must be equal, leaf by leaf."""
        match found:
            case Symbolic():
                yield found.term == self.encoder.term(found.term.sort(), wanted)
            case SSequence() | (Unpacked(), *_) if isinstance(wanted, tuple):
                yield sequence(found) == numbers_of(wanted)
            case SQueue() | Dropped() if isinstance(wanted, Queue | tuple):
                yield from self.items(found, tuple(wanted))
            case SSet() | SMap() | SLog() if isinstance(wanted, Set | Map | Log):
                [*constants] = _shape_of_twin(found).constants(self.encoder, "", wanted)
                yield from self.entries(found, dict(constants), wanted)
            case tuple() if type(wanted) is tuple and len(wanted) == len(found):
                for one, other in zip(found, wanted, strict=True):
                    yield from self.equations(one, other)
            case _ if attrs.has(type(found)) and type(found) is type(wanted):
                yield from self.equations(*(attrs.astuple(x, recurse=False) for x in (found, wanted)))
            case _:
                yield z3.BoolVal(type(found) is type(wanted) and found == wanted)

    def items(self, found: SQueue | Dropped, wanted: tuple[Any, ...]) -> Iterator[z3.BoolRef]:
        """Compare a queue, or what was dropped from one, item by item."""
        queue, end = (found, found.tail) if isinstance(found, SQueue) else (found.queue, found.end)
        yield end - queue.head == len(wanted)
        for place, item in enumerate(wanted):
            yield queue.array[queue.head + place] == self.encoder.term(queue.codec.sort, item)

    def entries(self, found: Any, constants: dict[str, Any], wanted: Any) -> Iterator[z3.BoolRef]:
        """Compare a set, a map or a history as arrays; of a map and a history only where something is."""
        match found:
            case SSet():
                yield found.array == constants[""]
            case SMap():
                yield found.present == constants[".keys"]
                keys = [self.encoder.term(found.keys.sort, key) for key in wanted]
                yield from (found.array[key] == constants[""][key] for key in keys)
            case SLog():
                yield found.length.term == len(wanted)
                yield from (found.array[i] == constants[""][i] for i in range(len(wanted)))


@cache
def _simple_solver() -> z3.Solver:
    """Return a solver that is quick for the small formulas that are left; a new one for each takes twice the time."""
    return z3.SimpleSolver()


def _answer(solver: z3.Solver, formula: z3.BoolRef) -> str:
    solver.push()
    solver.add(formula)
    answer = str(solver.check())
    solver.pop()
    return answer


def _shape_of_twin(twin: SSet | SMap | SLog) -> Shape:
    return _map(twin.keys, twin.values) if isinstance(twin, SMap) else _CONTAINERS[_KINDS[type(twin)]](twin.codec)


_KINDS: Final[dict[type, Any]] = {SSet: Set, SLog: Log}

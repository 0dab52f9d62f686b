"""Junk of every data type: drawn from the types alone, or something genuine with a few parts spoiled."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs
import strategies
from attrs import evolve
from hypothesis import strategies as st

from linera_reference.application import TokenOperation
from linera_reference.encoding import encode
from linera_reference.identifiers import K_MAX, ChainId
from linera_reference.notation import MAX_U64

HOW = st.sampled_from(["spoil", "spoil", "drop", "repeat", "move"])
DEEP = st.lists(st.sampled_from([0, 1, MAX_U64]), min_size=K_MAX - 1, max_size=K_MAX + 4).map(tuple)
OPERATION = strategies.of(TokenOperation).map(encode)


@cache
def hints(kind: Any) -> dict[str, Any]:
    """Return the annotations of a record's fields."""
    found = get_type_hints(kind, include_extras=True)
    return {field.name: found[field.name] for field in attrs.fields(kind)}


def is_union(kind: Any) -> bool:
    """Whether an annotation is an option or a choice."""
    return get_origin(kind) in (Union, UnionType)


def parts(value: Any, kind: Any) -> Iterator[tuple[Any, Any]]:
    """Walk a value and all that it holds, each with its annotation."""
    yield kind, value
    if is_union(kind):
        if value is not None:
            yield from parts(value, variant(value, kind))
    elif get_origin(kind) is tuple:
        for item, item_kind in zip(value, item_kinds(value, kind), strict=True):
            yield from parts(item, item_kind)
    elif attrs.has(kind):
        for name, field_kind in hints(kind).items():
            yield from parts(getattr(value, name), field_kind)


def variant(value: Any, kind: Any) -> Any:
    """Return the annotation, among those of an option or a choice, that a value has."""
    kinds = [arg for arg in get_args(kind) if arg is not NoneType]
    return next((arg for arg in kinds if isinstance(arg, type) and isinstance(value, arg)), kinds[0])


def item_kinds(value: tuple[Any, ...], kind: Any) -> tuple[Any, ...]:
    """Return the annotation of each item of a tuple."""
    args = get_args(kind)
    return args[:1] * len(value) if args[-1] is ... else args


@cache
def field_of(kind: Any) -> st.SearchStrategy[str]:
    """Sample the fields of a record."""
    return st.sampled_from(sorted(hints(kind)))


def one_of_these(items: Sequence[Any]) -> st.SearchStrategy[Any]:
    """Sample from items whose text is too long to show."""
    return st.integers(0, len(items) - 1).map(lambda place: items[place])


class Spoiler:
    """Spoils genuine values with parts of other genuine values, and with junk."""

    def __init__(self, genuine: Iterable[Any]) -> None:
        found: dict[Any, dict[Any, None]] = {}
        for value in genuine:
            for kind, part in parts(value, type(value)):
                found.setdefault(kind, {})[part] = None
        self.pool = {kind: list(values) for kind, values in found.items()}
        """The distinct genuine values of each annotation."""
        # Strategies are costly to make, and are needed at every part that is spoiled.
        self.junk = cache(self.make_junk)
        self.spoiled = cache(self.make_spoiled)

    def make_junk(self, kind: Any) -> st.SearchStrategy[Any]:
        """Return a strategy for values of an annotation: genuine ones out of place, and arbitrary ones."""
        choices = [strategies.of(kind)]
        if kind == ChainId:
            choices.append(DEEP)
        if kind is bytes:
            choices.append(OPERATION)
        if self.pool.get(kind):
            choices.append(one_of_these(self.pool[kind]))
        return st.one_of(choices)

    def make_spoiled(self, kind: Any) -> st.SearchStrategy[Any]:
        """Return a strategy for genuine values with one to three parts spoiled."""

        @st.composite
        def spoil(draw: st.DrawFn) -> Any:
            value = draw(one_of_these(self.pool[kind]))
            for _ in range(draw(st.integers(1, 3))):
                value = self.spoil_part(draw, value, kind)
            return value

        return spoil()

    def spoil_part(self, draw: st.DrawFn, value: Any, kind: Any) -> Any:
        """Replace a value, or go into it and spoil a part."""
        composite = is_union(kind) or get_origin(kind) is tuple or (attrs.has(kind) and hints(kind))
        if not composite or value in (None, ()) or draw(st.integers(0, 5)) == 0:
            return draw(self.junk(kind))
        if is_union(kind):
            return self.spoil_part(draw, value, variant(value, kind))
        if get_origin(kind) is tuple:
            return self.spoil_items(draw, value, kind)
        name = draw(field_of(kind))
        return evolve(value, **{name: self.spoil_part(draw, getattr(value, name), hints(kind)[name])})

    def spoil_items(self, draw: st.DrawFn, value: tuple[Any, ...], kind: Any) -> tuple[Any, ...]:
        """Spoil, drop, repeat or move an item."""
        place = draw(st.integers(0, len(value) - 1))
        item, how = value[place], "spoil"
        if get_args(kind)[-1] is ...:
            how = draw(HOW)
        match how:
            case "drop":
                return value[:place] + value[place + 1 :]
            case "repeat":
                return (*value, item)
            case "move":
                return (item, *value[:place], *value[place + 1 :])
        item = self.spoil_part(draw, item, item_kinds(value, kind)[place])
        return (*value[:place], item, *value[place + 1 :])

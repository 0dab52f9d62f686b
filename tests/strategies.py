"""Hypothesis strategies of data types, made from their field annotations."""

from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import attrs
from hypothesis import strategies as st
from immutables import Map
from support import members

from linera_reference.containers import Set
from linera_reference.notation import Bits


@cache
def of(kind: Any) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one return per construct
    """Return a strategy for an annotation; integers lean towards the edges of their range."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        bound = args[1]
        return (
            integers(bound.width)
            if isinstance(bound, Bits)
            else st.binary(min_size=bound.length, max_size=bound.length)
        )
    if kind in (bool, NoneType):
        return st.booleans() if kind is bool else st.none()
    if kind is bytes:
        return st.binary(max_size=20)
    if origin in (Union, UnionType):
        return st.one_of([of(arg) for arg in args])
    if origin is tuple:
        return st.lists(of(args[0]), max_size=3).map(tuple) if args[-1] is ... else st.tuples(*map(of, args))
    if origin is Map:
        return st.dictionaries(of(args[0]), of(args[1]), max_size=3).map(Map)
    if origin is Set:
        return st.lists(of(args[0]), max_size=3).map(lambda items: members(*items))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    return record(kind)


def record(kind: Any, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for a record; keywords replace the strategies of fields."""
    hints = get_type_hints(kind, include_extras=True)
    return st.builds(kind, **{f.name: fields.get(f.name, of(hints[f.name])) for f in attrs.fields(kind)})


def integers(width: int) -> st.SearchStrategy[int]:
    """Return a strategy for unsigned integers of this width."""
    top = 2**width - 1
    return st.one_of(st.sampled_from((0, 1, 2, top - 1, top)), st.integers(0, top))

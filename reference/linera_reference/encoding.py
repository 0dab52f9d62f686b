"""Canonical encoding: BCS, driven by the field annotations of data types (section 2.3).

Integers are little-endian of fixed width; lengths and variant numbers are shortest ULEB128 below 2³²; an option is a
0/1 byte; a union is its variant number, then the variant; a map is sorted by encoded key, a set by encoded member. The
decoder accepts exactly the bytes that the encoder makes: equal bytes if and only if equal values.

Each annotation is compiled once to two plain functions (a pure function of the type): ``_write`` gives the expression
that encodes a variable, ``_read`` the statements that decode one from ``data`` at ``at``. Reading past the end is
noticed by an index error or at the very end, since a slice never goes beyond the data.
"""

from collections.abc import Callable, Iterator
from enum import Enum
from functools import cache, reduce
from operator import or_
from types import NoneType, UnionType
from typing import Annotated, Any, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs
from immutables import Map

from .containers import Set
from .notation import MAX_U32, Bits, rule
from .rejections import Reason, Rejection, require

T = TypeVar("T")
Encoder: TypeAlias = Callable[[Any], bytes]
Decoder: TypeAlias = Callable[[bytes, int], tuple[Any, int]]


@rule("WP-2.3-DATA-TYPE")
def encode(value: Any) -> bytes:
    """Encode a data type (an instance of a frozen record) canonically.

    Rejects: OUT_OF_RANGE. Section 2.3.
    """
    kind: Any = type(value)
    try:
        return _writer(kind)(value)
    except (OverflowError, KeyError):  # a number beyond its width, a value that is no variant of a union
        raise Rejection(Reason.OUT_OF_RANGE, kind.__name__) from None


@rule("WP-2.3-STRICT-DECODING")
def decode(kind: type[T], data: bytes) -> T:
    """Decode bytes that hold exactly one value of ``kind``.

    Rejects: UNEXPECTED_END, NON_CANONICAL_LENGTH, OUT_OF_RANGE (a length), INVALID_TAG, UNSORTED_MAP (where met), then
    TRAILING_BYTES. Section 2.3.
    """
    record: Any = kind
    value: T
    try:
        value, end = _reader(record)(data, 0)
    except IndexError:
        raise Rejection(Reason.UNEXPECTED_END, len(data)) from None
    if end > len(data):
        raise Rejection(Reason.UNEXPECTED_END, len(data))
    if end < len(data):
        raise Rejection(Reason.TRAILING_BYTES, end)
    return value


# --- What compiled codecs call -----------------------------------------------------------------------------------


def _uleb(value: int) -> bytes:
    if value < 128:
        return _SMALL[value]
    require(value <= MAX_U32, Reason.OUT_OF_RANGE, value)
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


_SMALL = [bytes((i,)) for i in range(128)]


def _read_uleb(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            require(byte > 0 or shift == 0, Reason.NON_CANONICAL_LENGTH, at - 1)
            require(value <= MAX_U32, Reason.OUT_OF_RANGE, at - 1)
            return value, at
        shift += 7
        require(shift < 35, Reason.OUT_OF_RANGE, at - 1)


def _misfit(value: bytes) -> bytes:
    raise Rejection(Reason.OUT_OF_RANGE, value)


def _write_map(values: Map[Any, Any], write_key: Encoder, write_item: Encoder) -> bytes:
    pairs = sorted((write_key(k), write_item(v)) for k, v in values.items())
    return _uleb(len(pairs)) + b"".join(k + v for k, v in pairs)


def _read_map(data: bytes, at: int, read_key: Decoder, read_item: Decoder) -> tuple[Map[Any, Any], int]:
    size, at = _read_uleb(data, at)
    require(size <= len(data) - at, Reason.UNEXPECTED_END, len(data))
    values, last = {}, None
    for _ in range(size):
        start = at
        key, at = read_key(data, start)
        require(at <= len(data), Reason.UNEXPECTED_END, len(data))
        require(last is None or last < data[start:at], Reason.UNSORTED_MAP, start)
        last = data[start:at]
        values[key], at = read_item(data, at)
    return Map(values), at


def _write_set(values: Set[Any], write_item: Encoder) -> bytes:
    return _uleb(len(values)) + b"".join(sorted(map(write_item, values)))


def _read_set(data: bytes, at: int, read_item: Decoder) -> tuple[Set[Any], int]:
    def nothing(_: bytes, at: int) -> tuple[bool, int]:
        return True, at

    members, at = _read_map(data, at, read_item, nothing)
    return Set(members), at


def _bad_tag(at: int) -> None:
    raise Rejection(Reason.INVALID_TAG, at)


def _cut_off(data: bytes) -> None:
    raise Rejection(Reason.UNEXPECTED_END, len(data))


# --- The compiler ------------------------------------------------------------------------------------------------

Names: TypeAlias = dict[str, Any]


def _name(names: Names, value: Any) -> str:
    """Bind a value under a new name."""
    name = f"_{len(names)}"
    names[name] = value
    return name


def _fields(kind: Any) -> list[tuple[str, Any]]:
    if not attrs.has(kind):
        raise TypeError(f"{kind!r} is not a data type")
    hints = get_type_hints(kind, include_extras=True)
    return [(field.name, hints[field.name]) for field in attrs.fields(kind)]


def _variants(args: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(arg for arg in args if arg is not NoneType)


def _runtime(kind: Any) -> Any:
    """Return the class of the values of an annotation."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _write_length(var: str) -> str:
    return f"(_SMALL[size] if (size := len({var})) < 128 else _uleb(size))"


def _write(kind: Any, var: str, names: Names) -> str:  # noqa: C901, PLR0911 - one case per kind of type
    """Return the expression that encodes ``var``."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        if isinstance(args[1], Bits):
            return f"{var}.to_bytes({args[1].width // 8}, 'little')"
        return f"({var} if len({var}) == {args[1].length} else _misfit({var}))"
    if kind is bool:
        return f"(b'\\1' if {var} else b'\\0')"
    if kind is bytes:
        return f"{_write_length(var)} + {var}"
    if origin in (Union, UnionType):
        variants = _variants(args)
        if NoneType in args:
            return f"(b'\\0' if {var} is None else b'\\1' + {_write(reduce(or_, variants), var, names)})"
        table = {_runtime(v): _writer(v, _uleb(i)) for i, v in enumerate(variants)}
        return f"{_name(names, table)}[type({var})]({var})"
    if origin is tuple:
        if args[-1] is ...:
            item = _name(names, None)
            _least_of_item(args[0])
            return f"{_write_length(var)} + b''.join([{_write(args[0], item, names)} for {item} in {var}])"
        return " + ".join(_write(arg, f"{var}[{i}]", names) for i, arg in enumerate(args))
    if origin is Map:
        return f"_write_map({var}, {_name(names, _writer(args[0]))}, {_name(names, _writer(args[1]))})"
    if origin is Set:
        return f"_write_set({var}, {_name(names, _writer(args[0]))})"
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"{_name(names, {m: _uleb(m.value) for m in kind})}[{var}]"
    return " + ".join(_write(k, f"{var}.{name}", names) for name, k in _fields(kind)) or "b''"


def _read(kind: Any, var: str, names: Names) -> Iterator[str]:
    """Yield the statements that decode ``var``."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        integer = isinstance(args[1], Bits)
        width = args[1].width // 8 if integer else args[1].length
        chunk = f"data[at:at + {width}]"
        yield f"{var} = from_bytes({chunk}, 'little')" if integer else f"{var} = {chunk}"
        yield f"at += {width}"
    elif kind is bool:
        yield from _read_flag(var)
        yield f"{var} = {var} == 1"
    elif kind is bytes:
        yield from _read_length(var)
        yield f"at, {var} = at + {var}, data[at:at + {var}]"
    elif origin in (Union, UnionType):
        yield from _read_union(_variants(args), NoneType in args, var, names)
    elif origin is tuple:
        yield from _read_tuple(args, var, names)
    elif origin is Map:
        readers = ", ".join(_name(names, _reader(arg)) for arg in args)
        yield f"{var}, at = _read_map(data, at, {readers})"
    elif origin is Set:
        yield f"{var}, at = _read_set(data, at, {_name(names, _reader(args[0]))})"
    elif isinstance(kind, type) and issubclass(kind, Enum):
        members = _name(names, {m.value: m for m in kind})
        yield from _read_length(var)
        yield f"if {var} not in {members}: _bad_tag(at - 1)"
        yield f"{var} = {members}[{var}]"
    else:
        parts = [(_name(names, None), k) for _, k in _fields(kind)]
        for part, k in parts:
            yield from _read(k, part, names)
        yield f"{var} = {_name(names, kind)}({', '.join(part for part, _ in parts)})"


def _read_length(var: str) -> Iterator[str]:
    yield f"{var} = data[at]"
    yield "at += 1"
    yield f"if {var} > 127: {var}, at = _read_uleb(data, at - 1)"


def _read_flag(var: str) -> Iterator[str]:
    yield f"{var} = data[at]"
    yield f"if {var} > 1: _bad_tag(at)"
    yield "at += 1"


def _read_union(variants: tuple[Any, ...], option: bool, var: str, names: Names) -> Iterator[str]:
    if option:
        yield from _read_flag(var)
        yield f"if {var} == 0: {var} = None"
        yield "else:"
        yield from _indented(_read(reduce(or_, variants), var, names))
        return
    yield from _read_length(var)
    for tag, variant in enumerate(variants):
        yield f"{'elif' if tag else 'if'} {var} == {tag}:"
        yield from _indented(_read(variant, var, names))
    yield "else: _bad_tag(at - 1)"


def _read_tuple(args: tuple[Any, ...], var: str, names: Names) -> Iterator[str]:
    if args[-1] is ...:
        item, items = _name(names, None), _name(names, None)
        yield from _read_length(var)
        # A hostile length fails before anything is allocated.
        yield f"if {var} * {_least_of_item(args[0])} > len(data) - at: _cut_off(data)"
        yield f"{items} = []"
        yield f"for _ in range({var}):"
        yield from _indented(_read(args[0], item, names))
        yield f"    {items}.append({item})"
        yield f"{var} = tuple({items})"
    else:
        parts = [(_name(names, None), arg) for arg in args]
        for part, arg in parts:
            yield from _read(arg, part, names)
        yield f"{var} = ({', '.join(part for part, _ in parts)},)"


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return ("    " + line for line in lines)


def _build(names: Names, head: str, body: list[str]) -> Any:
    source = "\n".join([f"def made({head}):", *_indented(iter(body))])
    scope = {**globals(), "from_bytes": int.from_bytes, **names}
    exec(source, scope)  # noqa: S102 - the source is made above, of annotations only
    return scope["made"]


def _check_cacheable(kind: Any) -> None:
    """Unions that differ in the order of their variants are equal, so the cache cannot tell them apart."""
    if get_origin(kind) in (Union, UnionType):
        raise TypeError(f"{kind} must be a field of a record")


def _least(kind: Any) -> int:
    """Return the number of bytes that every value takes at least."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return args[1].width // 8 if isinstance(args[1], Bits) else int(args[1].length)
    if origin is tuple and args[-1] is not ...:
        return sum(map(_least, args))
    if origin in (Union, UnionType):
        return 1 if NoneType in args else 1 + min(map(_least, args))
    return sum(_least(part) for _, part in _fields(kind)) if attrs.has(kind) else 1


def _least_of_item(kind: Any) -> int:
    if _least(kind) == 0:
        raise TypeError(f"{kind.__name__} takes no bytes and cannot be an item")
    return _least(kind)


@cache
def _writer(kind: Any, tag: bytes = b"") -> Encoder:
    """Compile the encoder of an annotation; ``tag`` goes first."""
    _check_cacheable(kind)
    names: Names = {}
    expression = _write(kind, "value", names)
    writer: Encoder = _build(names, "value", [f"return {tag!r} + {expression}" if tag else f"return {expression}"])
    return writer


@cache
def _reader(kind: Any) -> Decoder:
    """Compile the decoder of an annotation."""
    _check_cacheable(kind)
    names: Names = {}
    reader: Decoder = _build(names, "data, at", [*_read(kind, "value", names), "return value, at"])
    return reader

"""Canonical encoding: BCS, driven by the field annotations of data types (section 2.3).

Integers are little-endian of fixed width; lengths and variant numbers are shortest ULEB128 below 2³²; an option is a
0/1 byte; a union is its variant number, then the variant; a map is sorted by encoded key. The decoder accepts exactly
the bytes that the encoder makes: equal bytes if and only if equal values.
"""

from collections.abc import Callable
from enum import Enum
from functools import cache, reduce
from operator import attrgetter, or_
from types import NoneType, UnionType
from typing import Annotated, Any, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs
from immutables import Map

from .notation import MAX_U32, Bits, rule
from .rejections import Reason, Rejection, require

T = TypeVar("T")
Encoder: TypeAlias = Callable[[Any], bytes]
Decoder: TypeAlias = Callable[[bytes, int], tuple[Any, int]]
Codec: TypeAlias = tuple[Encoder, Decoder]


@rule("WP-2.3-DATA-TYPE")
def encode(value: Any) -> bytes:
    """Encode a data type (an instance of a frozen record) canonically.

    Rejects: OUT_OF_RANGE. Section 2.3.
    """
    kind: Any = type(value)
    return _codec(kind)[0](value)


@rule("WP-2.3-STRICT-DECODING")
def decode(kind: type[T], data: bytes) -> T:
    """Decode bytes that hold exactly one value of ``kind``.

    Rejects: UNEXPECTED_END, NON_CANONICAL_LENGTH, OUT_OF_RANGE, INVALID_TAG, UNSORTED_MAP (where met), then
    TRAILING_BYTES. Section 2.3.
    """
    record: Any = kind
    value: T
    value, end = _codec(record)[1](data, 0)
    require(end == len(data), Reason.TRAILING_BYTES, end)
    return value


def _take(data: bytes, start: int, length: int) -> bytes:
    chunk = data[start : start + length]
    if len(chunk) != length:
        raise Rejection(Reason.UNEXPECTED_END, len(data))
    return chunk


def _encode_length(value: int) -> bytes:
    if 0 <= value < 128:
        return _SMALL[value]
    require(0 <= value <= MAX_U32, Reason.OUT_OF_RANGE)
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


_SMALL = [bytes((i,)) for i in range(128)]


def _decode_length(data: bytes, start: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        require(start < len(data), Reason.UNEXPECTED_END, start)
        byte = data[start]
        start += 1
        value |= (byte & 127) << shift
        if byte < 128:
            require(byte > 0 or shift == 0, Reason.NON_CANONICAL_LENGTH, start - 1)
            require(value <= MAX_U32, Reason.OUT_OF_RANGE, start - 1)
            return value, start
        shift += 7
        require(shift < 35, Reason.OUT_OF_RANGE, start - 1)


def _integer(width: int) -> Codec:
    size = width // 8

    def enc(value: int) -> bytes:
        try:
            return value.to_bytes(size, "little")
        except OverflowError:
            raise Rejection(Reason.OUT_OF_RANGE, value) from None

    def dec(data: bytes, start: int) -> tuple[int, int]:
        end = start + size
        if end > len(data):
            raise Rejection(Reason.UNEXPECTED_END, len(data))
        return int.from_bytes(data[start:end], "little"), end

    return enc, dec


def _fixed(size: int) -> Codec:
    def enc(value: bytes) -> bytes:
        require(len(value) == size, Reason.OUT_OF_RANGE, value)
        return value

    return enc, lambda data, start: (_take(data, start, size), start + size)


def _enc_bytes(value: bytes) -> bytes:
    return _encode_length(len(value)) + value


def _dec_bytes(data: bytes, start: int) -> tuple[bytes, int]:
    length, start = _decode_length(data, start)
    return _take(data, start, length), start + length


def _dec_bool(data: bytes, start: int) -> tuple[bool, int]:
    tag = _take(data, start, 1)[0]
    require(tag < 2, Reason.INVALID_TAG, start)
    return tag == 1, start + 1


def _option(inner: Any) -> Codec:
    enc_some, dec_some = _codec(inner)

    def dec(data: bytes, start: int) -> tuple[Any, int]:
        some, after = _dec_bool(data, start)
        return dec_some(data, after) if some else (None, after)

    return lambda value: b"\0" if value is None else b"\1" + enc_some(value), dec


def _union(variants: tuple[type, ...]) -> Codec:
    codecs = [_codec(variant) for variant in variants]
    encoders = {v: (_encode_length(i), codecs[i][0]) for i, v in enumerate(variants)}

    def enc(value: Any) -> bytes:
        tag, enc_variant = encoders[type(value)]
        return tag + enc_variant(value)

    def dec(data: bytes, start: int) -> tuple[Any, int]:
        tag, after = _decode_length(data, start)
        require(tag < len(codecs), Reason.INVALID_TAG, start)
        return codecs[tag][1](data, after)

    return enc, dec


def _enumeration(kind: type[Enum]) -> Codec:
    members = {member.value: member for member in kind}

    def dec(data: bytes, start: int) -> tuple[Enum, int]:
        tag, after = _decode_length(data, start)
        require(tag in members, Reason.INVALID_TAG, start)
        return members[tag], after

    return lambda member: _encode_length(member.value), dec


def _sequence(item: Any) -> Codec:
    enc_item, dec_item = _codec(item)

    def enc(values: tuple[Any, ...]) -> bytes:
        return _encode_length(len(values)) + b"".join([enc_item(v) for v in values])

    def dec(data: bytes, start: int) -> tuple[tuple[Any, ...], int]:
        length, start = _decode_length(data, start)
        # Every item takes a byte or more, so a hostile length fails before anything is allocated.
        require(length <= len(data) - start, Reason.UNEXPECTED_END, len(data))
        values = []
        for _ in range(length):
            value, start = dec_item(data, start)
            values.append(value)
        return tuple(values), start

    return enc, dec


def _map(key: Any, item: Any) -> Codec:
    enc_key, dec_key = _codec(key)
    enc_item, dec_item = _codec(item)

    def enc(values: Map[Any, Any]) -> bytes:
        pairs = sorted((enc_key(k), enc_item(v)) for k, v in values.items())
        return _encode_length(len(pairs)) + b"".join(k + v for k, v in pairs)

    def dec(data: bytes, start: int) -> tuple[Map[Any, Any], int]:
        length, start = _decode_length(data, start)
        require(length <= len(data) - start, Reason.UNEXPECTED_END, len(data))
        values, last = {}, None
        for _ in range(length):
            k, middle = dec_key(data, start)
            require(last is None or last < data[start:middle], Reason.UNSORTED_MAP, start)
            last = data[start:middle]
            values[k], start = dec_item(data, middle)
        return Map(values), start

    return enc, dec


def _fields(kinds: list[Any], parts: Callable[[Any], tuple[Any, ...]], make: Callable[..., Any]) -> Codec:
    """Fields one after the other; ``parts`` takes a value apart and ``make`` builds it."""
    encoders = [_codec(kind)[0] for kind in kinds]
    decoders = [_codec(kind)[1] for kind in kinds]

    def enc(value: Any) -> bytes:
        return b"".join([e(v) for e, v in zip(encoders, parts(value), strict=True)])

    def dec(data: bytes, start: int) -> tuple[Any, int]:
        values = []
        for d in decoders:
            value, start = d(data, start)
            values.append(value)
        return make(*values), start

    return enc, dec


def _record(kind: type) -> Codec:
    hints = get_type_hints(kind, include_extras=True)
    names = [f.name for f in attrs.fields(kind)]
    kinds = [hints[name] for name in names]
    if not names:
        return _fields([], lambda _: (), kind)
    if len(names) == 1:
        get = attrgetter(names[0])
        return _fields(kinds, lambda value: (get(value),), kind)
    return _fields(kinds, attrgetter(*names), kind)


@cache
def _codec(kind: Any) -> Codec:
    """Build the encoder and decoder of an annotation, once (a pure function of the type)."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        bound = args[1]
        return _integer(bound.width) if isinstance(bound, Bits) else _fixed(bound.length)
    if kind is bool:
        return (lambda value: b"\1" if value else b"\0"), _dec_bool
    if kind is bytes:
        return _enc_bytes, _dec_bytes
    if origin in (Union, UnionType):
        inner = tuple(a for a in args if a is not NoneType)
        some = inner[0] if len(inner) == 1 else reduce(or_, inner)
        return _option(some) if NoneType in args else _union(inner)
    if origin is tuple:
        return _sequence(args[0]) if args[-1] is ... else _fields(list(args), lambda v: v, lambda *v: v)
    if origin is Map:
        return _map(*args)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _enumeration(kind)
    if attrs.has(kind):
        return _record(kind)
    raise TypeError(f"{kind!r} is not a data type")

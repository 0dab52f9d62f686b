"""From annotations to solver sorts: how a record of the core is packed into one term, and taken apart again.

A codec knows its sort, packs a value, unpacks a term (forking on optionals and variants), and says in which range its
numbers lie. Codecs follow the annotations of the core's records; ``opaque`` replaces a type by an uninterpreted sort.
"""

from collections.abc import Callable, Iterator
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

import attrs
import z3
from attrs import frozen

from linera_reference.notation import Bits, Size

from .symbolic import OutsideSubsetError, SAtom, SBool, SInt, assume, conj, decide, fresh, term


@frozen(eq=False)
class Codec:
    """How values of one type become terms of one sort.

    ``valid`` says of a term that its numbers lie in their ranges.
    """

    sort: z3.SortRef
    pack: Callable[[Any], z3.ExprRef]
    unpack: Callable[[Any], Any]
    valid: Callable[[Any], z3.BoolRef]


def _anything(_: Any) -> z3.BoolRef:
    return z3.BoolVal(True)


@cache
def atoms(name: str) -> Codec:
    """Values of an uninterpreted sort, compared for equality only."""
    return Codec(z3.DeclareSort(name), term, SAtom, _anything)


@cache
def numbers(low: int | None, high: int | None) -> Codec:
    """Integers in a range; ⊥ leaves an end open."""

    def valid(x: Any) -> z3.BoolRef:
        ends = [] if low is None else [x >= low]
        return conj(*ends, *([] if high is None else [x <= high]))

    return Codec(z3.IntSort(), term, SInt, valid)


BOOLEANS: Final = Codec(z3.BoolSort(), term, SBool, _anything)
INTEGERS: Final = numbers(None, None)
BYTES: Final = atoms("Bytes")
CHAIN_IDS: Final = atoms("ChainId")


@cache
def optional(inner: Codec) -> Codec:
    """⊥ or a value."""
    name = f"Optional_{inner.sort.name()}"
    declared = z3.Datatype(name)
    declared.declare(f"none_{name}")
    declared.declare(f"some_{name}", (f"value_{name}", inner.sort))
    sort = declared.create()
    none, some, value, is_some = sort.constructor(0)(), sort.constructor(1), sort.accessor(1, 0), sort.recognizer(1)

    def valid(x: Any) -> z3.BoolRef:
        return z3.Implies(is_some(x), inner.valid(value(x)))

    return Codec(
        sort,
        lambda x: none if x is None else some(inner.pack(x)),
        lambda x: inner.unpack(value(x)) if decide(is_some(x)) else None,
        valid,
    )


@cache
def members(kind: type[Enum]) -> Codec:
    """The members of an enumeration."""
    sort, constants = z3.EnumSort(kind.__name__, [f"{kind.__name__}_{member.name}" for member in kind])
    table = dict(zip(kind, constants, strict=True))

    def unpack(x: Any) -> Enum:
        *rest, last = kind
        return next((member for member in rest if decide(x == table[member])), last)

    return Codec(sort, lambda member: member.term if isinstance(member, SAtom) else table[member], unpack, _anything)


@cache
def apart(sort: z3.DatatypeSortRef, whole: z3.ExprRef) -> tuple[z3.ExprRef, ...]:
    """Take a record apart; once, as the paths of a run meet the same terms."""
    return tuple(sort.accessor(0, i)(whole) for i in range(sort.constructor(0).arity()))


def joined(sort: z3.DatatypeSortRef, *parts: z3.ExprRef) -> z3.ExprRef:
    """Put the parts of a record together; if they are all parts of one, it is that one."""
    whole = parts[0].arg(0) if parts and z3.is_app(parts[0]) and parts[0].num_args() == 1 else None
    if whole is None or whole.sort() != sort:
        return sort.constructor(0)(*parts)
    same = all(part.eq(own) for part, own in zip(parts, apart(sort, whole), strict=True))
    return whole if same else sort.constructor(0)(*parts)


@cache
def records(kind: type, *opaque: tuple[str, Codec]) -> Codec:
    """Records of the core, field by field; ``opaque`` gives codecs for fields whose inside does not matter."""
    chosen = dict(opaque)
    hints = get_type_hints(kind, include_extras=True)
    names = [a.name for a in attrs.fields(kind)]
    codecs = [chosen.get(name) or codec_of(hints[name]) for name in names]
    label = "_".join([kind.__name__, *(f"{name}_{codec.sort.name()}" for name, codec in sorted(chosen.items()))])
    declared = z3.Datatype(label)
    sorts = zip(names, codecs, strict=True)
    declared.declare(f"make_{label}", *((f"{label}_{name}", codec.sort) for name, codec in sorts))
    sort = declared.create()

    def parts(x: z3.ExprRef) -> Iterator[tuple[z3.ExprRef, Codec]]:
        return zip(apart(sort, x), codecs, strict=True)

    def pack(value: Any) -> z3.ExprRef:
        if isinstance(value, SAtom) and value.term.sort() == sort:
            return value.term  # It was passed on as a whole.
        if type(value) is not kind:
            raise OutsideSubsetError(f"{value!r} is no {kind.__name__}")
        return joined(sort, *(codec.pack(getattr(value, name)) for name, codec in zip(names, codecs, strict=True)))

    return Codec(
        sort,
        pack,
        lambda x: kind(*(codec.unpack(part) for part, codec in parts(x))),
        lambda x: conj(*(valid for part, codec in parts(x) if not z3.is_true(valid := codec.valid(part)))),
    )


@cache
def variants(*kinds: type) -> Codec:
    """One of several record types."""
    label = "_or_".join(kind.__name__ for kind in kinds)
    return alternatives(label, *((kind.__name__, kind, records(kind)) for kind in kinds))


def alternatives(label: str, *cases: tuple[str, type, Codec]) -> Codec:
    """One of several types: each with its name, the type of its symbolic values, and its codec."""
    declared = z3.Datatype(label)
    for name, _, codec in cases:
        declared.declare(f"{label}_{name}", (f"{label}_as_{name}", codec.sort))
    sort = declared.create()
    kinds, inner = [kind for _, kind, _ in cases], [codec for *_, codec in cases]
    table = [(sort.constructor(i), sort.accessor(i, 0), sort.recognizer(i), c) for i, c in enumerate(inner)]

    def unpack(x: Any) -> Any:
        for _, part, holds, codec in table[:-1]:
            if decide(holds(x)):
                return codec.unpack(part(x))
        return table[-1][3].unpack(table[-1][1](x))

    return Codec(
        sort,
        lambda value: table[kinds.index(type(value))][0](inner[kinds.index(type(value))].pack(value)),
        unpack,
        lambda x: conj(*(z3.Implies(holds(x), codec.valid(part(x))) for _, part, holds, codec in table)),
    )


def codec_of(annotation: Any) -> Codec:
    """Return the codec of an annotated type of the core."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _annotated(*get_args(annotation))
    if origin in {Union, UnionType}:
        return _union(*get_args(annotation))
    if origin is tuple:
        return CHAIN_IDS
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return members(annotation)
    if isinstance(annotation, type) and attrs.has(annotation):
        return records(annotation)
    raise OutsideSubsetError(f"no symbolic values of type {annotation}")


_PLAIN: Final[dict[Any, Codec]] = {int: INTEGERS, bool: BOOLEANS, bytes: BYTES}


def _annotated(base: Any, size: Any) -> Codec:
    if isinstance(size, Bits):
        return numbers(0, 2**size.width - 1)
    return BYTES if isinstance(size, Size) else codec_of(base)


def _union(*kinds: Any) -> Codec:
    rest = tuple(kind for kind in kinds if kind is not NoneType)
    if len(rest) > 1 and not all(isinstance(kind, type) and attrs.has(kind) for kind in rest):
        raise OutsideSubsetError(f"no symbolic values of the union of {kinds}")
    inner = codec_of(rest[0]) if len(rest) == 1 else variants(*rest)
    return inner if len(rest) == len(kinds) else optional(inner)


def unknown(codec: Codec, name: str) -> Any:
    """Return an arbitrary value of a type, with its numbers in their ranges."""
    return unpacked(codec, fresh(name, codec.sort))


def unpacked(codec: Codec, value: Any) -> Any:
    """Return the value of a term, whose numbers are taken to lie in their ranges."""
    assume(_in_range(codec, value))
    return codec.unpack(value)


@cache
def _in_range(codec: Codec, value: z3.ExprRef) -> z3.BoolRef:
    """Say in which ranges the numbers of a term lie; once, as the paths of a run meet the same terms."""
    return codec.valid(value)

"""The JSON form of values, mechanical from the annotations that drive the encoding too.

An integer is a decimal string, bytes are lower-case hexadecimal, ⊥ is null, a member of an enumeration is its name. A
record is an object of its fields; where several kinds are possible, it is wrapped as {"Tag": fields}, beside which
bytes stay as they are. Sequences and queues are arrays; sets are arrays of members, maps arrays of [key, value], both
in the order of their members' or keys' JSON text. A log is {"length", "items"} with [index, item] of the items that are
still there.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from functools import cache
from hashlib import sha3_256
from types import NoneType, UnionType
from typing import Annotated, Any, Final, TypeAlias, Union, get_args, get_origin, get_type_hints

import attrs
from attrs import frozen
from immutables import Map

from linera_invariants.inputs import shown
from linera_invariants.schemes import SCHEMES
from linera_reference.application import Application, Balance, Token
from linera_reference.containers import Log, Queue, Set
from linera_reference.crypto import Scheme
from linera_reference.notation import Bits
from linera_reference.swap import Holdings, Swap

Form: TypeAlias = Any
"""What JSON can say without numbers: objects, arrays, strings, booleans, null."""
Path: TypeAlias = tuple[str, ...]

RAW: Final = "the form itself"
Raw: TypeAlias = Annotated[Any, RAW]
"""The annotation of what stays a form."""

MAX_DIGITS: Final = 40
MAX_LOG: Final = 1 << 16
HEX: Final = "^([0-9a-f]{2})*$"


class FormError(ValueError):
    """A form that stands for no value: where, and what was expected."""

    def __init__(self, path: Path, expectation: str) -> None:
        super().__init__(f"{'.'.join(path) or 'the value'}: {expectation}")
        self.path = path
        self.expectation = expectation


def text_of(form: Form) -> str:
    """Return the canonical JSON text of a form: sorted keys, no space, ASCII only."""
    return json.dumps(form, sort_keys=True, separators=(",", ":"))


def digest_of(form: Form) -> str:
    """Return the SHA3-256 of the canonical text, in hexadecimal."""
    return sha3_256(text_of(form).encode()).hexdigest()


def form_of(kind: Any, value: Any) -> Form:
    """Return the form of a value of an annotated kind."""
    return _codec(_Kind(kind)).write(value)


def value_of(kind: Any, form: Form, path: Path = ()) -> Any:
    """Return the value that a form stands for. Raises: FormError.

    The range of an integer is not checked here: whether it fits is for the operation to say.
    """
    return _codec(_Kind(kind)).read(form, path)


def schema_of(kind: Any) -> dict[str, Any]:
    """Return the JSON Schema of the forms of a kind; records are references to ``$defs`` (:func:`records_in`)."""
    return dict(_codec(_Kind(kind)).schema)


def records_in(kinds: Iterable[Any]) -> dict[str, dict[str, Any]]:
    """Return the schema of each record that some kinds mention, by name.

    Raises:
        TypeError: two records have one name.
    """
    found: dict[str, Any] = {}
    waiting, seen = list(kinds), set()
    while waiting:
        kind = waiting.pop()
        if repr(kind) in seen:
            continue
        seen.add(repr(kind))
        if get_origin(kind) is not None:
            waiting += [arg for arg in get_args(kind) if arg is not ...]
        elif kind is Any:
            waiting.append(APPLICATION_STATE)
        elif isinstance(kind, type) and attrs.has(kind) and kind not in NAMED:
            if found.setdefault(kind.__name__, kind) is not kind:
                raise TypeError(f"two records are named {kind.__name__}")
            waiting += fields_of(kind).values()
    return {name: _fields_schema(fields_of(kind)) for name, kind in sorted(found.items())}


def plain(value: Any) -> Form:
    """Return the form of a value whose annotation is not known, such as the detail of a rejection."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return {type(value).__name__: form_of(type(value), value)}


# --- Codecs: one per kind of annotation --------------------------------------------------------------------------

NAMED: Final[dict[Any, dict[str, Any]]] = {Scheme: dict(SCHEMES), Application: {"token": Token(), "swap": Swap()}}
"""Parameters that are code: the form is a name."""
APPLICATION_STATE: Final = Balance | Holdings | None
"""What the state of a chain can be under these applications."""


@frozen
class Codec:
    """How a kind is written, read and described."""

    write: Callable[[Any], Form]
    read: Callable[[Form, Path], Any]
    schema: Mapping[str, Any]


@frozen(eq=False)
class _Kind:
    """An annotation as a key of a cache: unions that differ in the order of their variants are equal otherwise."""

    kind: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kind) and self.kind == other.kind and repr(self.kind) == repr(other.kind)

    def __hash__(self) -> int:
        return hash(repr(self.kind))


@cache
def _codec(key: _Kind) -> Codec:  # noqa: C901, PLR0911 - one case per kind of annotation
    kind, origin, args = key.kind, get_origin(key.kind), get_args(key.kind)
    if kind in NAMED:
        return _names({name: type(value) for name, value in NAMED[kind].items()}, NAMED[kind], type)
    if origin is Annotated:
        return _annotated(args[1])
    if kind in SIMPLE:
        return SIMPLE[kind]
    if kind is Any:
        return _codec(_Kind(APPLICATION_STATE))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _names(dict(kind.__members__), dict(kind.__members__), lambda member: member)
    if origin in {Union, UnionType}:
        return _union(tuple(arg for arg in args if arg is not NoneType), NoneType in args)
    if origin is tuple and args[-1] is not ...:
        return _tuple([_codec(_Kind(arg)) for arg in args])
    if origin is dict:  # of forms, such as the arguments of a call
        return Codec(_same, _read_simple(dict, "an object"), {"type": "object"})
    if origin in _SEQUENCES:
        return _sequence(origin, _codec(_Kind(args[0])))
    if origin is Map:
        return _map(_tuple([_codec(_Kind(arg)) for arg in args]))
    if origin is Log:
        return _log(_sequence(tuple, _tuple([INTEGER, _codec(_Kind(args[0]))])))
    if attrs.has(kind):
        return _record(kind)
    raise TypeError(f"{kind!r} has no form")


def _expected(wanted: str, form: Form, path: Path) -> FormError:
    return FormError(path, f"expected {wanted}, found {shown(form)}")


_DIGITS = re.compile(r"-?(0|[1-9][0-9]*)")
_HEX = re.compile(r"([0-9a-f]{2})*")


def _read_integer(form: Form, path: Path) -> int:
    if isinstance(form, str) and len(form) <= MAX_DIGITS and _DIGITS.fullmatch(form) and form != "-0":
        return int(form)
    raise _expected("an integer as a decimal string", form, path)


def _read_bytes(form: Form, path: Path) -> bytes:
    if isinstance(form, str) and _HEX.fullmatch(form):
        return bytes.fromhex(form)
    raise _expected("bytes in lower-case hexadecimal", form, path)


def _read_simple(kind: type, wanted: str) -> Callable[[Form, Path], Any]:
    def read(form: Form, path: Path) -> Any:
        if isinstance(form, kind):
            return form
        raise _expected(wanted, form, path)

    return read


def _same(value: Any) -> Any:
    return value


INTEGER: Final = Codec(str, _read_integer, {"type": "string", "pattern": "^(0|-?[1-9][0-9]{0,39})$"})
SIMPLE: Final[dict[Any, Codec]] = {
    int: INTEGER,
    bytes: Codec(bytes.hex, _read_bytes, {"type": "string", "pattern": HEX}),
    bool: Codec(_same, _read_simple(bool, "true or false"), {"type": "boolean"}),
    str: Codec(_same, _read_simple(str, "a string"), {"type": "string"}),
    NoneType: Codec(_same, _read_simple(NoneType, "null"), {"type": "null"}),
}


def _annotated(extra: Any) -> Codec:
    """An integer, a form, or bytes of a fixed length; another length can be written down, for operations to refuse."""
    if isinstance(extra, Bits):
        return INTEGER
    if extra is RAW:
        return Codec(_same, lambda form, _: form, {})
    note = {"type": "string", "pattern": HEX, "$comment": f"{extra.length} bytes, if it is to be accepted"}
    return Codec(bytes.hex, _read_bytes, note)


def _names(keys: Mapping[str, Any], members: Mapping[str, Any], key_of: Callable[[Any], Any]) -> Codec:
    names = {key: name for name, key in keys.items()}

    def read(form: Form, path: Path) -> Any:
        if isinstance(form, str) and form in members:
            return members[form]
        raise _expected(" or ".join(members), form, path)

    return Codec(lambda value: names[key_of(value)], read, {"enum": list(members)})


def _items(form: Form, path: Path) -> list[Form]:
    if isinstance(form, list):
        return form
    raise _expected("an array", form, path)


def _tuple(parts: list[Codec]) -> Codec:
    def read(form: Form, path: Path) -> Any:
        items = _items(form, path)
        if len(items) != len(parts):
            raise FormError(path, f"expected {len(parts)} items, found {len(items)}")
        return tuple(part.read(item, (*path, str(i))) for i, (part, item) in enumerate(zip(parts, items, strict=True)))

    count = {"minItems": len(parts), "items": False}
    schema = {"type": "array", "prefixItems": [dict(part.schema) for part in parts], **count}
    return Codec(lambda value: [part.write(x) for part, x in zip(parts, value, strict=True)], read, schema)


_SEQUENCES: Final[dict[Any, Callable[[list[Any]], Any]]] = {
    tuple: tuple,
    Iterable: tuple,
    frozenset: frozenset,
    Queue: lambda items: Queue(Map(enumerate(items)), 0, len(items)) if items else Queue(),
    Set: lambda items: Set(Map((x, True) for x in items)),
}


def _sequence(origin: Any, item: Codec) -> Codec:
    make, ordered = _SEQUENCES[origin], origin not in {Set, frozenset}

    def write(value: Any) -> Form:
        items = [item.write(x) for x in value]
        return items if ordered else sorted(items, key=text_of)

    def read(form: Form, path: Path) -> Any:
        return make([item.read(x, (*path, str(i))) for i, x in enumerate(_items(form, path))])

    unique = {} if ordered else {"uniqueItems": True}
    return Codec(write, read, {"type": "array", "items": dict(item.schema), **unique})


def _map(pair: Codec) -> Codec:
    pairs = _sequence(tuple, pair)

    def read(form: Form, path: Path) -> Any:
        items = pairs.read(form, path)
        if len({key for key, _ in items}) < len(items):
            raise FormError(path, "expected each key once")
        return Map(items)

    return Codec(lambda value: sorted(pairs.write(value.items()), key=_key_text), read, pairs.schema)


def _key_text(pair: list[Form]) -> str:
    return text_of(pair[0])


def _log(items: Codec) -> Codec:
    def write(log: Any) -> Form:
        kept = [(i, log.at(i)) for i in range(len(log)) if log.get(i) is not None]
        return {"length": str(len(log)), "items": items.write(kept)}

    def read(form: Form, path: Path) -> Any:
        parts = _object(form, ("length", "items"), path)
        length, kept = _read_integer(parts["length"], (*path, "length")), dict(items.read(parts["items"], path))
        if not (0 <= length <= MAX_LOG and all(0 <= index < length for index in kept)):
            raise FormError(path, f"expected a length of at most {MAX_LOG}, and indices below it")
        last = kept.pop(length - 1, None)
        return Log(Map(kept), last, length)

    fields = {"length": dict(INTEGER.schema), "items": dict(items.schema)}
    return Codec(write, read, _object_schema(fields))


def _object_schema(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(fields), "required": list(fields), "additionalProperties": False}


def _object(form: Form, keys: Iterable[str], path: Path) -> dict[str, Form]:
    wanted = list(keys)
    if isinstance(form, dict) and set(form) == set(wanted):
        return form
    found = ", ".join(map(shown, form)) or "none" if isinstance(form, dict) else shown(form)
    raise FormError(path, f"expected an object with the keys {', '.join(wanted) or '(none)'}, found {found}")


def fields_of(kind: Any) -> dict[str, Any]:
    """Return the fields of a record and their annotations."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in attrs.fields(kind)}


def _fields_schema(fields: Mapping[str, Any]) -> dict[str, Any]:
    return _object_schema({name: schema_of(hint) for name, hint in fields.items()})


def _record(kind: Any) -> Codec:
    @cache
    def parts() -> list[tuple[str, Codec]]:
        return [(name, _codec(_Kind(hint))) for name, hint in fields_of(kind).items()]

    def write(value: Any) -> Form:
        return {name: part.write(getattr(value, name)) for name, part in parts()}

    def read(form: Form, path: Path) -> Any:
        fields = _object(form, (name for name, _ in parts()), path)
        return kind(**{name: part.read(fields[name], (*path, name)) for name, part in parts()})

    return Codec(write, read, {"$ref": f"#/$defs/{kind.__name__}"})


def _union(variants: tuple[Any, ...], optional: bool) -> Codec:
    """⊥ or one kind: null or its form. Several kinds: each record is wrapped in its tag, bytes stay as they are."""
    if len(variants) == 1:
        only = _codec(_Kind(variants[0]))
        return Codec(
            lambda value: None if value is None else only.write(value),
            lambda form, path: None if form is None else only.read(form, path),
            {"anyOf": [dict(only.schema), {"type": "null"}]},
        )
    table = {variant.__name__: _record(variant) for variant in variants if attrs.has(variant)}
    bare = [_codec(_Kind(variant)) for variant in variants if not attrs.has(variant)]
    words = f"{'bytes in lower-case hexadecimal or ' if bare else ''}an object with one key of {', '.join(table)}"

    def write(value: Any) -> Form:
        if value is None:
            return None
        name = type(value).__name__
        return {name: table[name].write(value)} if name in table else bare[0].write(value)

    def read(form: Form, path: Path) -> Any:
        if form is None and optional:
            return None
        if bare and isinstance(form, str):
            return bare[0].read(form, path)
        if not (isinstance(form, dict) and len(form) == 1 and set(form) <= set(table)):
            raise _expected(words, form, path)
        ((name, inner),) = form.items()
        return table[name].read(inner, (*path, name))

    others = [*(dict(codec.schema) for codec in bare), *([{"type": "null"}] if optional else [])]
    return Codec(write, read, {"oneOf": [*_tagged_schemas(table), *others]})


def _tagged_schemas(table: Mapping[str, Codec]) -> Iterator[dict[str, Any]]:
    return (_object_schema({name: dict(codec.schema)}) for name, codec in table.items())

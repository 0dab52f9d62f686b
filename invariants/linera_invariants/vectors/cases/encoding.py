"""Canonical encoding of every data type, and bytes that are none (section 2.3)."""

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import attrs
from attrs import evolve
from immutables import Map

from linera_invariants.vectors.forms import fields_of, form_of
from linera_invariants.vectors.model import Case
from linera_invariants.vectors.types import TYPES
from linera_reference.containers import Set
from linera_reference.encoding import encode
from linera_reference.notation import Bits
from linera_reference.rejections import Reason

from .samples import SAMPLES
from .support import accumulated, caller, digest, set_of

ABOUT = "Canonical bytes of every data type: both directions, values out of range, and every kind of malformed bytes."

END, TRAILING = Reason.UNEXPECTED_END, Reason.TRAILING_BYTES
LENGTH, RANGE = Reason.NON_CANONICAL_LENGTH, Reason.OUT_OF_RANGE
TAG, UNSORTED = Reason.INVALID_TAG, Reason.UNSORTED_MAP

written = caller("encode", "WP-2.3-DATA-TYPE")
read = caller("decode", "WP-2.3-STRICT-DECODING")


def cases() -> Iterator[Case]:
    """Yield the cases: values, values out of range, then bytes by kind of fault."""
    yield from both_ways()
    yield from misfitting()
    yield from cut_off()
    yield from trailing()
    yield from bad_lengths()
    yield from bad_tags()
    yield from bad_flags()
    yield from bad_maps()
    yield from bad_sets()
    yield from twice_malformed()
    yield from accumulated("encoding", 20_000, "WP-2.3-DATA-TYPE", "WP-2.3-STRICT-DECODING")


def both_ways() -> Iterator[Case]:
    """Each sample, encoded and decoded."""
    for kind, values in SAMPLES.items():
        for name, value in values.items():
            form, where = form_of(TYPES[kind], value), f"{kind}-{name}"
            yield written(f"encode-{where}", f"The canonical bytes of a {kind}.", type=kind, value=form)
            yield read(
                f"decode-{where}",
                f"The value of canonical bytes of a {kind}.",
                type=kind,
                data=encode(value),
                gives_=form,
            )


# --- Values out of range -----------------------------------------------------------------------------------------


def misfitting() -> Iterator[Case]:
    """Every number and every fixed byte string of the samples of each data type, out of range."""
    for kind, values in SAMPLES.items():
        found = {place: bad for value in values.values() for place, bad in misfits(TYPES[kind], value)}
        for place, bad in found.items():
            sentence = f"A {kind} with something that is too large, below zero, too short or too long: {place}."
            form = form_of(TYPES[kind], bad)
            yield written(
                f"encode-{kind}-{place}".replace("_", "-"),
                sentence,
                RANGE,
                type=kind,
                value=form,
                source_="enumeration",
            )


def misfits(kind: Any, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield variants of a value with one thing out of range, by place; data types inside have cases of their own."""
    for place, part, item, put in _parts(kind, value):
        if get_origin(part) is Annotated:
            yield from ((f"{place}-{how}".strip("-"), put(bad)) for how, bad in _beyond(get_args(part)[1], item))
        elif part not in TYPES.values():
            yield from ((f"{place}-{inner}".strip("-"), put(bad)) for inner, bad in misfits(part, item))


def _beyond(extra: Any, value: Any) -> tuple[tuple[str, Any], tuple[str, Any]]:
    if isinstance(extra, Bits):
        return ("beyond", 1 << extra.width), ("negative", -1)
    return ("short", value[:-1]), ("long", value + b"\0")


def _parts(kind: Any, value: Any) -> Iterator[tuple[str, Any, Any, Any]]:
    """Yield the parts of a composite value: place, annotation, part, and how to put another in its place."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        only = next((arg for arg in args if arg is not NoneType and value is not None and _is(arg, value)), None)
        if only is not None:
            yield type(value).__name__.lower() if attrs.has(only) else "", only, value, lambda bad: bad
    elif origin is tuple and value:
        kinds = args[:1] * len(value) if args[-1] is ... else args
        edges = {0, len(value) - 1} if get_origin(kinds[0]) is Annotated else range(len(value))
        for i, (part, item) in enumerate(zip(kinds, value, strict=True)):
            if i in edges:
                yield f"{i}", part, item, lambda bad, i=i: (*value[:i], bad, *value[i + 1 :])
    elif origin in {Map, Set}:
        yield from _entries(origin, args, value)
    elif attrs.has(kind):
        for name, part in fields_of(kind).items():
            yield name, part, getattr(value, name), lambda bad, name=name: evolve(value, **{name: bad})


def _entries(origin: Any, args: tuple[Any, ...], value: Any) -> Iterator[tuple[str, Any, Any, Any]]:
    """Yield one member of a set, or the key and the item of each entry of a map."""
    if origin is Set:
        yield from (("member", args[0], item, set_of) for item in sorted(value)[:1])
        return
    for key, item in sorted(value.items()):
        yield "key", args[0], key, lambda bad, item=item: Map({bad: item})
        yield "item", args[1], item, lambda bad, key=key: Map({key: bad})


def _is(kind: Any, value: Any) -> bool:
    return isinstance(value, get_args(kind)[0] if get_origin(kind) is Annotated else kind)


# --- Malformed bytes ---------------------------------------------------------------------------------------------

MANY = 16
"""So many cuts of a long value."""

LENGTHS = {
    "identifier": ("Block", "empty", 0),
    "transactions": ("Block", "empty", 18),
    "messages": ("ExecutedBlock", "empty", 19),
    "payload": ("OutgoingMessage", "empty", 10),
    "state": ("ChainState", "new", 10),
    "map": ("ChainState", "new", 11),
    "signatures": ("Certificate", "plain", 57),
    "certificates": ("UpdateRecipient", "none", 18),
    "owners": ("ChainState", "no-owners", 3),
    "balances": ("Holdings", "empty", 0),
}
"""Where lengths are: data type, sample, place."""
TAGS = {
    "transaction": ("Block", "127-transactions", 19, 7),
    "content": ("OutgoingMessage", "empty", 9, 2),
    "message-content": ("Message", "user", 61, 2),
    "description": ("ChainDescription", "root-0", 0, 2),
    "action": ("TokenOperation", "burn", 0, 2),
    "swap-action": ("SwapOperation", "confirm", 0, 2),
    "swap-event": ("SwapMessage", "paid", 0, 2),
    "owner": ("ChainState", "no-owners", 2, 2),
    "kind": ("VotePayload", "confirmed", 0, 2),
    "certificate-kind": ("Certificate", "plain", 52, 2),
}
"""Where variant numbers are: data type, sample, place, number of variants."""
FLAGS = {
    "previous-hash": ("Block", "empty", 17),
    "created": ("ChainState", "new", 0),
    "owner": ("ChainState", "new", 1),
    "confirm": ("SwapOperation", "confirm", 1),
    "justification": ("Request", "largest", -1),
}
"""Where options and booleans are: data type, sample, place."""
NUMBERS = {
    "padded": ("8000", LENGTH, "with a useless byte"),
    "padded-twice": ("818000", LENGTH, "with two useless bytes"),
    "padded-to-five": ("8180808000", LENGTH, "with useless bytes up to the longest form"),
    "2^32": ("8080808010", RANGE, "that is 2^32"),
    "five-full-bytes": ("ffffffff7f", RANGE, "of 35 bits"),
    "six-bytes": ("808080808001", RANGE, "that does not end in five bytes"),
    "endless": ("ff" * 12, RANGE, "that never ends"),
}
"""Numbers in ULEB128 that are never well formed."""


def _sample(kind: str, name: str) -> bytes:
    return encode(SAMPLES[kind][name])


def _put(data: bytes, at: int, new: str) -> bytes:
    """Replace the byte at a place."""
    at %= len(data)
    return data[:at] + bytes.fromhex(new) + data[at + 1 :]


def _uleb(length: int) -> str:
    """Write a length of at most two bytes."""
    return f"{length:02x}" if length < 128 else f"{length % 128 + 128:02x}{length // 128:02x}"


def cut_off() -> Iterator[Case]:
    """Bytes that end too early: at every byte of short values, at many of long ones."""
    for kind, values in SAMPLES.items():
        for name, value in tuple(values.items())[:2]:
            data = encode(value)
            for size in sorted({*range(0, len(data), len(data) // MANY or 1), len(data) - 1}):
                why = f"{size} of the {len(data)} bytes of a {kind}."
                case = f"cut-{kind}-{name}-{size}"
                yield read(case, why, END, type=kind, data=data[:size], source_="enumeration")


def trailing() -> Iterator[Case]:
    """Bytes after the value."""
    for kind, values in SAMPLES.items():
        data = encode(next(iter(values.values())))
        yield read(f"trailing-{kind}", f"A byte after a {kind}.", TRAILING, type=kind, data=data + b"\0")
        yield read(f"twice-{kind}", f"Two values where one {kind} is expected.", TRAILING, type=kind, data=data * 2)


def bad_lengths() -> Iterator[Case]:
    """Lengths that are not in their shortest form, or too large."""
    beyond = {
        "one-more": (None, END, "that is one more than there is"),
        "2^32-1": ("ffffffff0f", END, "that is as large as can be, and much too large"),
        "128-of-few": ("8001", END, "of two bytes that is too large"),
        "16256-of-few": ("807f00", END, "of two bytes, the second of which is 127"),
    }
    for place, (kind, sample, at) in LENGTHS.items():
        data = _sample(kind, sample)
        for name, (number, reason, how) in (NUMBERS | beyond).items():
            bad = _put(data, at, number or _uleb(len(data) - at))
            yield read(f"length-{place}-{name}", f"A length {how}.", reason, type=kind, data=bad)


def bad_tags() -> Iterator[Case]:
    """Variant numbers that name nothing, are not in their shortest form, or too large."""
    for place, (kind, sample, at, count) in TAGS.items():
        data = _sample(kind, sample)
        unknown = {
            "next": (f"{count:02x}", TAG, "of no variant, one after the last"),
            "127": ("7f", TAG, "of no variant, the largest of one byte"),
            "128": ("8001", TAG, "of no variant, of two bytes"),
            "2^32-1": ("ffffffff0f", TAG, "of no variant, the largest of all"),
        }
        for name, (number, reason, how) in (NUMBERS | unknown).items():
            bad = _put(data, at, number)
            yield read(f"tag-{place}-{name}", f"A variant number {how}.", reason, type=kind, data=bad)


def bad_flags() -> Iterator[Case]:
    """Options and booleans other than 0 and 1."""
    for place, (kind, sample, at) in FLAGS.items():
        for flag in ("02", "7f", "80", "81", "ff"):
            bad = _put(_sample(kind, sample), at, flag)
            yield read(f"flag-{place}-{flag}", f"An option or boolean of byte {flag}.", TAG, type=kind, data=bad)


def _entry(*chain_id: int, place: bytes = bytes(12)) -> bytes:
    """An entry of a map from identifiers to cursors."""
    return bytes([len(chain_id)]) + b"".join(n.to_bytes(8, "little") for n in chain_id) + place


def _state(*entries: bytes, count: int | None = None) -> bytes:
    return bytes(11) + bytes([len(entries) if count is None else count]) + b"".join(entries)


def bad_maps() -> Iterator[Case]:
    """Keys that repeat or do not increase: what counts are their encoded bytes."""
    one, two, large = _entry(1), _entry(2), _entry(256)
    for name, entries, reason, why in (
        ("sorted", (large, one, two), None, "Keys increase as bytes: 256 comes before 1."),
        ("swapped", (two, one), UNSORTED, "Two keys in the wrong order."),
        ("sorted-as-numbers", (one, large), UNSORTED, "Keys do not increase as numbers."),
        ("repeated", (one, one), UNSORTED, "A key with the same value twice."),
        ("repeated-other-item", (one, _entry(1, place=b"\1" * 12)), UNSORTED, "A key with two values."),
        ("last-repeated", (one, two, two), UNSORTED, "Every key counts, not only the first two."),
        ("back-to-first", (large, two, one), UNSORTED, "A key after a larger one, not after the first."),
        ("longer-first", (_entry(0, 0), one), UNSORTED, "Longer identifiers come after shorter ones."),
        ("shorter-first", (one, _entry(0, 0)), None, "Shorter identifiers come first."),
    ):
        yield read(f"map-{name}", why, reason, type="ChainState", data=_state(*entries))
    for size in range(len(_state(one, two))):
        why = f"A map of two entries, cut after {size} bytes."
        yield read(f"map-cut-{size}", why, END, type="ChainState", data=_state(one, two)[:size], source_="enumeration")


def bad_sets() -> Iterator[Case]:
    """Members that repeat or do not increase."""
    one, two, three = sorted(digest(name) for name in ("a", "b", "c"))
    for name, members, reason, why in (
        ("none", (), None, "The empty set has an encoding; owners are never empty all the same."),
        ("one", (two,), None, "One member."),
        ("sorted", (one, two, three), None, "Members increase."),
        ("swapped", (two, one), UNSORTED, "Two members in the wrong order."),
        ("repeated", (one, one), UNSORTED, "A member twice."),
        ("last-repeated", (one, two, two), UNSORTED, "Every member counts, not only the first two."),
        ("back-to-first", (one, three, two), UNSORTED, "A member after a larger one, not after the first."),
    ):
        yield read(f"set-{name}", why, reason, type="ChainState", data=_owned(*members))
    for size in range(2, len(_owned(one, two)), 7):
        why = f"A set of two members, cut after {size} bytes."
        yield read(f"set-cut-{size}", why, END, type="ChainState", data=_owned(one, two)[:size], source_="enumeration")
    for name, data, faults in (
        ("unsorted-and-trailing", _owned(two, one) + b"\0", (UNSORTED, TRAILING)),
        ("unsorted-and-end", _owned(two, one)[:-10], (UNSORTED, END)),
        ("end-in-a-repeated-member", _owned(one, one)[: 4 + 32 + 9], (END, UNSORTED)),
        ("tag-and-unsorted", _put(_owned(two, one), 2, "02"), (TAG, UNSORTED)),
    ):
        why = f"Two faults: the one on the left, {faults[0].name}, comes first."
        yield read(f"double-set-{name}", why, faults[0], type="ChainState", data=data, faults_=faults)


def _owned(*members: bytes) -> bytes:
    """The state of a chain with several owners."""
    return b"\0\1\1" + bytes([len(members)]) + b"".join(members) + bytes(10)


def twice_malformed() -> Iterator[Case]:
    """Two faults: the one that is met first when reading from left to right."""
    block, state, message = _sample("Block", "empty"), _sample("ChainState", "new"), _sample("OutgoingMessage", "empty")
    swapped, executed = _state(_entry(2), _entry(1)), _sample("ExecutedBlock", "empty")
    for name, kind, data, faults in (
        ("option-and-trailing", "Block", _put(block, 17, "02") + b"\0", (TAG, TRAILING)),
        ("length-and-option", "Block", _put(_put(block, 17, "02"), 0, "8000"), (LENGTH, TAG)),
        ("boolean-and-end", "ChainState", b"\2", (TAG, END)),
        ("boolean-and-option", "ChainState", b"\2\2" + state[2:], (TAG,)),
        ("padded-length-and-end", "Block", bytes.fromhex("8000"), (LENGTH, END)),
        ("large-length-and-end", "Block", bytes.fromhex("8080808010"), (RANGE, END)),
        ("end-in-a-padded-length", "Block", b"\x80", (END, LENGTH)),
        ("endless-length-and-end", "Block", b"\x80" * 5, (RANGE, END)),
        ("tag-and-end", "OutgoingMessage", message[:9] + b"\2", (TAG, END)),
        ("padded-unknown-tag", "OutgoingMessage", _put(message, 9, "8200"), (LENGTH, TAG)),
        ("unsorted-and-trailing", "ChainState", swapped + b"\0", (UNSORTED, TRAILING)),
        ("unsorted-and-end", "ChainState", swapped[:-12], (UNSORTED, END)),
        ("unsorted-and-count", "ChainState", _state(_entry(2), _entry(1), count=3), (UNSORTED, END)),
        ("end-in-a-repeated-key", "ChainState", _state(_entry(1), _entry(1)[:5]), (END, UNSORTED)),
        ("count-and-trailing", "ChainState", _state(_entry(1), count=2), (END, TRAILING)),
        ("many-entries-and-unsorted", "ChainState", _state(_entry(2), _entry(1), count=50), (END, UNSORTED)),
        ("many-items-and-tag", "Block", _put(block, 18, "02") + b"\5", (END, TAG)),
        (
            "many-messages-and-tag",
            "ExecutedBlock",
            executed[:19] + b"\x40\1" + bytes(8) + b"\2" + bytes(40),
            (END, TAG),
        ),
    ):
        first, *second = (fault.name for fault in faults)
        why = f"Two faults: the one on the left, {first}, comes before {(second or [first])[0]}."
        yield read(f"double-{name}", why, faults[0], type=kind, data=data, faults_=faults)
    few = _put(_sample("ExecutedBlock", "plain"), len(encode(SAMPLES["ExecutedBlock"]["plain"].block)), "30")
    late = bytes.fromhex("30") + b"\1" + bytes(8) + b"\2"
    short = few[: len(encode(SAMPLES["ExecutedBlock"]["plain"].block))] + late + bytes(64)
    yield read(
        "double-too-many-items-and-tag",
        "More items than can fit, and the first is malformed: a decoder may notice either first.",
        END,
        type="ExecutedBlock",
        data=short,
        faults_=(END, TAG),
        free_=True,
    )

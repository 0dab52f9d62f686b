"""The canonical encoding: fixed bytes for every construct, round trips, and a strict decoder."""

import tracemalloc
from enum import Enum
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map
from strategies import of
from support import examples, members, refused

from linera_reference.application import Balance, Credit, TokenOperation
from linera_reference.block import (
    AddOwner,
    Block,
    ChangeKey,
    CloseChain,
    Execute,
    ExecutedBlock,
    OpenChain,
    Receive,
    RemoveOwner,
)
from linera_reference.certificate import Certificate, Kind, Vote, VotePayload
from linera_reference.chain import ChainState
from linera_reference.containers import Set
from linera_reference.encoding import decode, encode
from linera_reference.identifiers import ChainDescription, Child, Root
from linera_reference.messages import Create, Cursor, Message, OutgoingMessage, User
from linera_reference.notation import MAX_U32, MAX_U64, MAX_U128, Hash, PublicKey, Signature, u8, u32, u64, u128
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.ownership import Owners
from linera_reference.rejections import Reason, Rejection
from linera_reference.request import BlockAndRound, Request
from linera_reference.swap import Holdings, SwapMessage, SwapOperation

DATA_TYPES = (
    Block,
    OpenChain,
    ChangeKey,
    CloseChain,
    Execute,
    Receive,
    AddOwner,
    RemoveOwner,
    Message,
    Create,
    User,
    OutgoingMessage,
    ExecutedBlock,
    BlockAndRound,
    Request,
    VotePayload,
    Vote,
    Certificate,
    ChainState,
    Cursor,
    UpdateRecipient,
    ConfirmUpdatedRecipient,
    ChainDescription,
    TokenOperation,
    Credit,
    Balance,
    Owners,
    SwapOperation,
    SwapMessage,
    Holdings,
)


class Colour(Enum):
    RED = 0
    BLUE = 300


@frozen
class Empty:
    """No arguments."""


@frozen
class Numbers:
    a: u8
    b: u32
    c: u64
    d: u128


@frozen
class Flag:
    value: bool


@frozen
class Text:
    value: bytes


@frozen
class Fixed:
    value: Hash
    longer: Signature


@frozen
class Items:
    value: tuple[u32, ...]


@frozen
class Bytes:
    value: tuple[u8, ...]


@frozen
class Pair:
    value: tuple[u8, bytes]


@frozen
class Maybe:
    value: u32 | None


@frozen
class MaybeEither:
    value: Empty | Flag | None


@frozen
class Either:
    value: Text | Flag | Empty


@frozen
class Painted:
    value: Colour


@frozen
class Table:
    value: Map[bytes, u8]


@frozen
class Wide:
    """A map whose keys are encoded in another order than they compare in."""

    value: Map[u32, u8]


@frozen
class Group:
    value: Set[u32]


@frozen
class Names:
    value: Set[bytes]


@frozen
class Who:
    """A key stands in a union by its Python class, however long it must be."""

    value: PublicKey | Owners | None


ULEB_MAX = b"\xff\xff\xff\xff\x0f"
"""2³² − 1, the greatest length."""
KEY, OTHER, MARK = bytes(range(32)), b"\x55" * 32, b"\xaa" * 64
CUSTOM = (
    Empty,
    Numbers,
    Flag,
    Text,
    Fixed,
    Items,
    Bytes,
    Pair,
    Maybe,
    MaybeEither,
    Either,
    Painted,
    Table,
    Wide,
    Group,
    Names,
    Who,
)

EXAMPLES: tuple[tuple[Any, bytes], ...] = (
    (Empty(), b""),
    (Numbers(0, 0, 0, 0), bytes(29)),
    (Numbers(1, 2, 3, 4), b"\1" + b"\2\0\0\0" + b"\3" + bytes(7) + b"\4" + bytes(15)),
    (Numbers(255, MAX_U32, MAX_U64, MAX_U128), b"\xff" * 29),
    (Numbers(0, 0x01020304, 0, 0), b"\0\4\3\2\1" + bytes(24)),
    (Flag(False), b"\0"),
    (Flag(True), b"\1"),
    (Text(b""), b"\0"),
    (Text(b"abc"), b"\3abc"),
    (Text(bytes(127)), b"\x7f" + bytes(127)),
    (Text(bytes(128)), b"\x80\x01" + bytes(128)),
    (Text(bytes(129)), b"\x81\x01" + bytes(129)),
    (Text(bytes(16383)), b"\xff\x7f" + bytes(16383)),
    (Text(bytes(16384)), b"\x80\x80\x01" + bytes(16384)),
    (Fixed(KEY, MARK), KEY + MARK),
    (Items(()), b"\0"),
    (Items((1, 256)), b"\2\1\0\0\0\0\1\0\0"),
    (Pair((7, b"x")), b"\7\1x"),
    (Maybe(None), b"\0"),
    (Maybe(5), b"\1\5\0\0\0"),
    (MaybeEither(None), b"\0"),
    (MaybeEither(Empty()), b"\1\0"),
    (MaybeEither(Flag(True)), b"\1\1\1"),
    (Either(Text(b"a")), b"\0\1a"),
    (Either(Flag(False)), b"\1\0"),
    (Either(Empty()), b"\2"),
    (Painted(Colour.RED), b"\0"),
    (Painted(Colour.BLUE), b"\xac\x02"),
    (Table(Map()), b"\0"),
    (Table(Map({b"b": 2, b"a": 1})), b"\2\1a\1\1b\2"),
    # Sorted by encoded key: the shorter one first, although b"aa" < b"b".
    (Table(Map({b"aa": 2, b"b": 1})), b"\2\1b\1\2aa\2"),
    # Little-endian keys: 256 comes before 1.
    (Wide(Map({1: 1, 256: 2})), b"\2" + b"\0\1\0\0\2" + b"\1\0\0\0\1"),
    # Members, too, are sorted as they are encoded.
    (Group(members()), b"\0"),
    (Group(members(0)), b"\1" + bytes(4)),
    (Group(members(1, 256, MAX_U32)), b"\3" + b"\0\1\0\0" + b"\1\0\0\0" + b"\xff" * 4),
    (Names(members(b"aa", b"b", b"")), b"\3" + b"\0" + b"\1b" + b"\2aa"),
    (Who(None), b"\0"),
    (Who(KEY), b"\1\0" + KEY),
    (Who(Owners(members(OTHER, KEY))), b"\1\1\2" + KEY + OTHER),
)


@pytest.mark.clauses("WP-2.3-DATA-TYPE")
@pytest.mark.parametrize(("value", "data"), EXAMPLES)
def test_encoding_of_each_construct(value: Any, data: bytes) -> None:
    assert encode(value) == data


@pytest.mark.clauses("WP-2.3-STRICT-DECODING")
@pytest.mark.parametrize(("value", "data"), EXAMPLES)
def test_decoding_of_each_construct(value: Any, data: bytes) -> None:
    assert decode(type(value), data) == value


MESSAGE = Message((1,), 2, 3, KEY, User(b"hi"))
MESSAGE_BYTES = b"\1\1" + bytes(7) + b"\2" + bytes(7) + b"\3\0\0\0" + KEY + b"\1\2hi"
TRANSACTIONS = (OpenChain((9,), KEY), ChangeKey(OTHER), CloseChain(), Execute(b"!"), Receive(MESSAGE), AddOwner(KEY))
BLOCK = Block((1, 2), 5, KEY, (*TRANSACTIONS, RemoveOwner(OTHER)))
BLOCK_BYTES = (
    b"\2\1" + bytes(7) + b"\2" + bytes(7) + b"\5" + bytes(7) + b"\1" + KEY
    + b"\7" + b"\0\1\x09" + bytes(7) + KEY + b"\1" + OTHER + b"\2" + b"\3\1!" + b"\4" + MESSAGE_BYTES
    + b"\5" + KEY + b"\6" + OTHER
)  # fmt: skip
EXECUTED = ExecutedBlock(BLOCK, (OutgoingMessage((3,), Create(OTHER)),), KEY)
EXECUTED_BYTES = BLOCK_BYTES + b"\1" + b"\1\3" + bytes(7) + b"\0" + OTHER + KEY
PAYLOAD = VotePayload(Kind.CONFIRMED, KEY, 7)
PAYLOAD_BYTES = b"\1" + KEY + b"\7\0\0\0"
CERTIFICATE = Certificate(EXECUTED, Kind.VALIDATED, 2, ((KEY, MARK),))
CERTIFICATE_BYTES = EXECUTED_BYTES + b"\0" + b"\2\0\0\0" + b"\1" + KEY + MARK


@pytest.mark.clauses("WP-2.3-DATA-TYPE", "WP-2.3-STRICT-DECODING")
@pytest.mark.parametrize(
    ("value", "data"),
    [
        (Block((0,), 0, None, ()), b"\1" + bytes(8) + bytes(8) + b"\0\0"),
        (BLOCK, BLOCK_BYTES),
        (EXECUTED, EXECUTED_BYTES),
        (BlockAndRound(BLOCK, 1), BLOCK_BYTES + b"\1\0\0\0"),
        (Request(BLOCK, 1, OTHER, MARK), BLOCK_BYTES + b"\1\0\0\0" + OTHER + MARK + b"\0"),
        (
            Request(BLOCK, 3, OTHER, MARK, CERTIFICATE),
            BLOCK_BYTES + b"\3\0\0\0" + OTHER + MARK + b"\1" + CERTIFICATE_BYTES,
        ),
        (CERTIFICATE, CERTIFICATE_BYTES),
        (PAYLOAD, PAYLOAD_BYTES),
        (VotePayload(Kind.VALIDATED, KEY, 0), b"\0" + KEY + bytes(4)),
        (Vote(PAYLOAD, OTHER, MARK), PAYLOAD_BYTES + OTHER + MARK),
        (
            Certificate(EXECUTED, Kind.CONFIRMED, 2, ((KEY, MARK),)),
            EXECUTED_BYTES + b"\1" + b"\2\0\0\0" + b"\1" + KEY + MARK,
        ),
        (
            ChainState(True, None, 3, b"s", Map({(1,): Cursor(4, 5)})),
            b"\1\0\3" + bytes(7) + b"\1s" + b"\1\1\1" + bytes(7) + b"\4" + bytes(7) + b"\5\0\0\0",
        ),
        (
            ChainState(True, KEY, 0, b"", Map()),
            b"\1" + b"\1\0" + KEY + bytes(8) + b"\0" + b"\0",
        ),
        (
            ChainState(True, Owners(members(KEY)), 0, b"", Map()),
            b"\1" + b"\1\1\1" + KEY + bytes(8) + b"\0" + b"\0",
        ),
        (ChainDescription(Root(9)), b"\0\x09\0\0\0"),
        (ChainDescription(Child(KEY, 1, 2)), b"\1" + KEY + b"\1" + bytes(7) + b"\2\0\0\0"),
    ],
)
def test_bytes_of_the_protocol(value: Any, data: bytes) -> None:
    assert encode(value) == data
    assert decode(type(value), data) == value


@pytest.mark.clauses("WP-2.3-DATA-TYPE", "WP-2.3-STRICT-DECODING")
@pytest.mark.parametrize("kind", DATA_TYPES + CUSTOM)
def test_round_trip(kind: type) -> None:
    @examples(100)
    @given(of(kind))
    def check(value: Any) -> None:
        data = encode(value)
        assert decode(kind, data) == value
        assert encode(decode(kind, data)) == data

    check()


@pytest.mark.clauses("WP-2.3-DATA-TYPE")
@examples(300)
@given(st.data(), st.sampled_from(DATA_TYPES))
def test_equal_bytes_mean_equal_values(data: Any, kind: type) -> None:
    one, two = data.draw(of(kind)), data.draw(of(kind))
    assert (encode(one) == encode(two)) == (one == two)


@pytest.mark.clauses("WP-2.3-DATA-TYPE")
@pytest.mark.parametrize(
    "value",
    [
        Numbers(256, 0, 0, 0),
        Numbers(0, 2**32, 0, 0),
        Numbers(0, 0, 2**64, 0),
        Numbers(0, 0, 0, 2**128),
        Numbers(-1, 0, 0, 0),
        Fixed(bytes(31), MARK),
        Fixed(bytes(33), MARK),
        Fixed(KEY, bytes(63)),
        Group(members(0, MAX_U32 + 1)),
        Who(bytes(31)),
        Who(Owners(members(KEY, b"short"))),
    ],
)
def test_a_value_outside_its_range_has_no_encoding(value: Any) -> None:
    with refused(Reason.OUT_OF_RANGE):
        encode(value)


class Endless(tuple[int, ...]):
    """A sequence that claims many items without storing any."""

    __slots__ = ()
    claimed = 2**32

    def __len__(self) -> int:
        return self.claimed


class Longest(Endless):
    """The longest one that is allowed."""

    __slots__ = ()
    claimed = 2**32 - 1


@pytest.mark.clauses("WP-2.3-DATA-TYPE")
def test_a_sequence_is_shorter_than_2_to_the_32() -> None:
    assert encode(Items(Longest())) == ULEB_MAX
    with refused(Reason.OUT_OF_RANGE):
        encode(Items(Endless()))


@pytest.mark.clauses("WP-2.3-STRICT-DECODING")
@pytest.mark.parametrize(
    ("kind", "data", "reason"),
    [
        # The bytes end inside a value
        (Numbers, bytes(28), Reason.UNEXPECTED_END),
        (Fixed, KEY + bytes(63), Reason.UNEXPECTED_END),
        (Text, b"", Reason.UNEXPECTED_END),
        (Text, b"\x80", Reason.UNEXPECTED_END),
        (Text, b"\3ab", Reason.UNEXPECTED_END),
        (Text, ULEB_MAX + b"ab", Reason.UNEXPECTED_END),
        (Items, b"\2\1\0\0\0\0\1\0", Reason.UNEXPECTED_END),
        (Items, ULEB_MAX, Reason.UNEXPECTED_END),
        (Table, b"\1", Reason.UNEXPECTED_END),
        (Table, b"\2\1a\1\1b", Reason.UNEXPECTED_END),
        (Wide, b"\2" + b"\1\0\0\0\1" + b"\0\0", Reason.UNEXPECTED_END),
        (Table, ULEB_MAX, Reason.UNEXPECTED_END),
        (Group, ULEB_MAX, Reason.UNEXPECTED_END),
        (Group, b"\1\0\0\0", Reason.UNEXPECTED_END),
        (Who, b"\1\0" + KEY[1:], Reason.UNEXPECTED_END),
        (Maybe, b"", Reason.UNEXPECTED_END),
        (Maybe, b"\1\0\0\0", Reason.UNEXPECTED_END),
        (Either, b"\1", Reason.UNEXPECTED_END),
        (Painted, b"", Reason.UNEXPECTED_END),
        # A length or a variant number in a longer form
        (Text, b"\x80\x00", Reason.NON_CANONICAL_LENGTH),
        (Text, b"\x81\x00a", Reason.NON_CANONICAL_LENGTH),
        (Text, b"\xff\xff\xff\xff\x00", Reason.NON_CANONICAL_LENGTH),
        (Items, b"\x80\x00", Reason.NON_CANONICAL_LENGTH),
        (Table, b"\x80\x00", Reason.NON_CANONICAL_LENGTH),
        (Group, b"\x80\x00", Reason.NON_CANONICAL_LENGTH),
        (Either, b"\x81\x00\x00", Reason.NON_CANONICAL_LENGTH),
        (Painted, b"\xac\x82\x00", Reason.NON_CANONICAL_LENGTH),
        # Beyond 32 bits
        (Text, b"\x80\x80\x80\x80\x10", Reason.OUT_OF_RANGE),
        (Text, b"\xff\xff\xff\xff\x7f", Reason.OUT_OF_RANGE),
        (Text, b"\xff\xff\xff\xff\xff\x01", Reason.OUT_OF_RANGE),
        (Text, b"\x80\x80\x80\x80\x80\x00", Reason.OUT_OF_RANGE),
        (Either, b"\x80\x80\x80\x80\x10", Reason.OUT_OF_RANGE),
        # Tags that name nothing
        (Flag, b"\2", Reason.INVALID_TAG),
        (Flag, b"\xff", Reason.INVALID_TAG),
        (Maybe, b"\2\0\0\0\0", Reason.INVALID_TAG),
        (Either, b"\3", Reason.INVALID_TAG),
        (Either, ULEB_MAX, Reason.INVALID_TAG),
        (Painted, b"\1", Reason.INVALID_TAG),
        (Who, b"\1\2" + KEY, Reason.INVALID_TAG),
        # Keys and members
        (Group, b"\2" + b"\1\0\0\0" + b"\0\1\0\0", Reason.UNSORTED_MAP),
        (Group, b"\2" + bytes(8), Reason.UNSORTED_MAP),
        (Names, b"\2" + b"\2aa" + b"\1b", Reason.UNSORTED_MAP),
        (Who, b"\1\1\2" + OTHER + KEY, Reason.UNSORTED_MAP),
        (Group, b"\3" + b"\1\0\0\0" + bytes(4), Reason.UNSORTED_MAP),  # the first fault counts
        (Table, b"\2\1b\1\1a\2", Reason.UNSORTED_MAP),
        (Table, b"\2\1a\1\1a\2", Reason.UNSORTED_MAP),
        (Table, b"\2\2aa\2\1b\1", Reason.UNSORTED_MAP),
        (Wide, b"\2" + b"\1\0\0\0\1" + b"\0\1\0\0\2", Reason.UNSORTED_MAP),
        (Wide, b"\2" + b"\1\0\0\0\1" + b"\0\0\0\0", Reason.UNSORTED_MAP),  # the first fault counts: the item is cut off
        # Too much
        (Empty, b"\0", Reason.TRAILING_BYTES),
        (Flag, b"\1\0", Reason.TRAILING_BYTES),
        (Items, b"\0\0", Reason.TRAILING_BYTES),
    ],
)
def test_broken_bytes(kind: type, data: bytes, reason: Reason) -> None:
    with refused(reason):
        decode(kind, data)


@pytest.mark.clauses("WP-2.3-STRICT-DECODING")
@pytest.mark.parametrize(
    ("kind", "data", "place"),
    [
        (Numbers, bytes(28), 28),
        (Text, b"", 0),
        (Text, b"\3ab", 3),
        (Items, b"\2\1\0\0\0\0\1\0", 8),
        (Table, ULEB_MAX, 5),
        (Text, b"\x81\x00a", 1),
        (Text, b"\xff\xff\xff\xff\x7f", 4),
        (Text, b"\xff\xff\xff\xff\xff\x01", 4),
        (Flag, b"\2", 0),
        (Maybe, b"\2\0\0\0\0", 0),
        (Pair, b"\7\x80\x00", 2),
        (Either, b"\3", 0),
        (Painted, b"\1", 0),
        (Table, b"\2\1b\1\1a\2", 4),
        (Group, b"\2" + b"\1\0\0\0" + bytes(4), 5),
        (Items, b"\0\0", 1),
    ],
)
def test_the_place_of_a_fault(kind: type, data: bytes, place: int) -> None:
    with pytest.raises(Rejection) as caught:
        decode(kind, data)
    assert caught.value.detail == place


@pytest.mark.clauses("WP-2.3-DATA-TYPE")
def test_what_is_out_of_range() -> None:
    for value, named in ((Numbers(256, 0, 0, 0), "Numbers"), (Fixed(b"short", MARK), b"short")):
        with refused(Reason.OUT_OF_RANGE) as caught:
            encode(value)
        assert caught.value.detail == named
    with refused(Reason.OUT_OF_RANGE) as caught:
        encode(Items(Endless()))
    assert caught.value.detail == 2**32


@pytest.mark.clauses("WP-2.3-STRICT-DECODING")
def test_the_greatest_length_is_read_in_full() -> None:
    """2³² − 1 is a length like any other: only the missing bytes are wrong."""
    with refused(Reason.UNEXPECTED_END):
        decode(Bytes, ULEB_MAX + bytes(1000))


@pytest.mark.clauses("WP-2.3-STRICT-DECODING")
@pytest.mark.parametrize("kind", [Text, Items, Bytes, Table, Wide, Group])
def test_a_hostile_length_allocates_nothing(kind: type) -> None:
    data = ULEB_MAX + bytes(100)
    with refused(Reason.UNEXPECTED_END):
        decode(kind, data)
    tracemalloc.start()
    with pytest.raises(Rejection):
        decode(kind, data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000


def strict(kind: type, data: bytes) -> None:
    """Either the bytes are refused, or they are the encoding of what they decode to."""
    try:
        value = decode(kind, data)
    except Rejection:
        return
    assert encode(value) == data


@pytest.mark.clauses("WP-2.3-STRICT-DECODING")
@examples(3000)
@given(st.sampled_from(DATA_TYPES + CUSTOM), st.binary(max_size=200))
def test_arbitrary_bytes(kind: type, data: bytes) -> None:
    strict(kind, data)


@pytest.mark.clauses("WP-2.3-STRICT-DECODING")
@examples(2000)
@given(st.data())
def test_damaged_encodings(data: Any) -> None:
    kind = data.draw(st.sampled_from(DATA_TYPES + CUSTOM))
    whole = encode(data.draw(of(kind)))
    place = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, 2))
    strict(kind, whole[:place] + data.draw(st.binary(max_size=2)) + whole[place + length :])


@pytest.mark.clauses("WP-2.3-STRICT-DECODING")
@pytest.mark.parametrize("data", [BLOCK_BYTES, EXECUTED_BYTES, PAYLOAD_BYTES])
def test_every_truncation_is_refused(data: bytes) -> None:
    kind = {BLOCK_BYTES: Block, EXECUTED_BYTES: ExecutedBlock, PAYLOAD_BYTES: VotePayload}[data]
    for end in range(len(data)):
        with refused(Reason.UNEXPECTED_END):
            decode(kind, data[:end])


def test_the_first_fault_counts() -> None:
    with refused(Reason.INVALID_TAG):
        decode(Flag, b"\2\0\0")
    with refused(Reason.UNSORTED_MAP):
        decode(Table, b"\2\1b\1\1a\2" + b"rest")


@frozen
class Nothings:
    value: tuple[Empty, ...]


@frozen
class Choices:
    value: Map[u8, Text | Flag]


@frozen
class Keys:
    value: Map[u8, Empty]


@pytest.mark.clauses("WP-2.3-STRICT-DECODING")
def test_a_map_may_hold_keys_only() -> None:
    keys = Keys(Map({1: Empty(), 2: Empty()}))
    assert encode(keys) == b"\2\1\2"
    assert decode(Keys, b"\2\1\2") == keys


@pytest.mark.clauses("WP-2.3-STRICT-DECODING")
def test_a_hostile_count_allocates_nothing() -> None:
    """As many items as bytes remain would fit only if each took one byte."""
    data = b"\x80\x80\x40" + bytes(2**20)
    tracemalloc.start()
    try:
        with refused(Reason.UNEXPECTED_END):
            decode(Items, data)
        assert tracemalloc.get_traced_memory()[1] < 2**16
    finally:
        tracemalloc.stop()


def test_types_whose_codec_would_be_ambiguous() -> None:
    """Items of no bytes would make any length plausible; equal unions may list their variants in another order."""
    with pytest.raises(TypeError, match="cannot be an item"):
        encode(Nothings((Empty(),)))
    with pytest.raises(TypeError, match="must be a field of a record"):
        encode(Choices(Map()))


def test_the_order_of_the_variants_is_that_of_each_record() -> None:
    @frozen
    class Here:
        value: Text | Flag

    @frozen
    class There:
        value: Flag | Text

    assert encode(Here(Flag(True))) == b"\1\1"
    assert encode(There(Flag(True))) == b"\0\1"
    assert decode(There, b"\1\0") == There(Text(b""))


@pytest.mark.clauses("WP-2.3-DATA-TYPE")
def test_a_value_that_is_no_variant_has_no_encoding() -> None:
    with refused(Reason.OUT_OF_RANGE):
        encode(Either(Create(KEY)))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [int, str, list[int], dict])
def test_what_is_no_data_type(kind: Any) -> None:
    with pytest.raises(TypeError, match="not a data type"):
        decode(kind, b"")

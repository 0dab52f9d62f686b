"""Values of every data type, small and extreme: what is encoded, decoded, hashed and signed."""

from typing import Any, Final

from immutables import Map

from linera_reference.application import Balance, Burn, Credit, TokenOperation, Transfer
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
from linera_reference.identifiers import K_MAX, ChainDescription, Child, Root
from linera_reference.messages import Create, Cursor, Message, OutgoingMessage, User
from linera_reference.notation import MAX_U32, MAX_U64, MAX_U128
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.ownership import Owners
from linera_reference.request import BlockAndRound, Request
from linera_reference.swap import Asset, Conclude, Deposit, Deposited, Holdings, Paid, PutIn, SwapMessage, SwapOperation

from .support import digest, key, set_of

OWNER: Final = key("owner")
SIGNATURE: Final = bytes(range(64))
LONGEST: Final = (MAX_U64,) * K_MAX

MESSAGE: Final = Message((0, 1), 2, 3, digest("block"), User(b"\x04\x05"))
CREATION: Final = Message((0,), MAX_U64, MAX_U32, digest("block"), Create(OWNER))
EMPTY: Final = Block((0,), 0, None, ())
EVERYTHING: Final = Block(
    (0, 1),
    1,
    digest("previous"),
    (OpenChain((0, 1, 4), OWNER), ChangeKey(OWNER), CloseChain(), Execute(b"\0\xff"), Receive(MESSAGE)),
)
EXECUTED: Final = ExecutedBlock(
    Block((0,), 1, digest("previous"), (Execute(b"\1"),)),
    (OutgoingMessage((0, 1), User(b"")), OutgoingMessage((2,), Create(OWNER))),
    digest("state"),
)
PAYLOAD: Final = VotePayload(Kind.CONFIRMED, digest("block"), 0)
CERTIFICATE: Final = Certificate(
    ExecutedBlock(EMPTY, (), digest("state")), Kind.CONFIRMED, 0, ((key("v1"), SIGNATURE), (key("v2"), SIGNATURE[::-1]))
)

VALIDATED: Final = Certificate(EXECUTED, Kind.VALIDATED, 7, ((key("v1"), SIGNATURE),))
ASSET: Final = Asset(7, 1 << 64)
WANTED: Final = Asset(1 << 31, 3)

SMALLEST: Final = Certificate(ExecutedBlock(Block((), 0, None, ()), (), bytes(32)), Kind.VALIDATED, 0, ())
"""No certificate takes fewer bytes: a decoder that expects more in advance is wrong."""


def _user(size: int) -> OutgoingMessage:
    return OutgoingMessage((0,), User(bytes(i % 251 for i in range(size))))


SAMPLES: Final[dict[str, dict[str, Any]]] = {
    "Balance": {
        "zero": Balance(0),
        "one": Balance(1),
        "high-byte": Balance(1 << 120),
        "largest": Balance(MAX_U128),
    },
    "Block": {
        "empty": EMPTY,
        "everything": EVERYTHING,
        "largest": Block(LONGEST, MAX_U64, digest("previous"), (CloseChain(),)),
        "127-transactions": Block((0,), 0, None, (CloseChain(),) * 127),
        "128-transactions": Block((0,), 0, None, (CloseChain(),) * 128),
        "no-identifier": Block((), 0, None, ()),
        "owners": Block((0,), 1, digest("previous"), (AddOwner(OWNER), RemoveOwner(key("other")))),
        "receive-creation": Block((0,), 7, digest("previous"), (Receive(CREATION),)),
    },
    "BlockAndRound": {"empty": BlockAndRound(EMPTY, 0), "largest": BlockAndRound(EVERYTHING, MAX_U32)},
    "Certificate": {
        "plain": CERTIFICATE,
        "unsigned": Certificate(EXECUTED, Kind.VALIDATED, MAX_U32, ()),
    },
    "ChainDescription": {
        "root-0": ChainDescription(Root(0)),
        "root-9": ChainDescription(Root(9)),
        "root-999": ChainDescription(Root(999)),
        "child": ChainDescription(Child(digest("parent"), MAX_U64, MAX_U32)),
    },
    "ChainState": {
        "new": ChainState(False, None, 0, b"", Map()),
        "plain": ChainState(True, OWNER, 3, b"\1\2", Map({(0, 1): Cursor(2, 3)})),
        "one-of-several": ChainState(True, Owners(set_of(OWNER)), 0, b"", Map()),
        "three-owners": ChainState(True, Owners(set_of(*map(key, ("a", "b", "c")))), 0, b"", Map()),
        "nine-owners": ChainState(True, Owners(set_of(*map(key, "abcdefghi"))), 0, b"", Map()),
        "no-owners": ChainState(True, Owners(set_of()), 0, b"", Map()),
        "three-origins": ChainState(
            True,
            None,
            MAX_U64,
            b"\0",
            Map({(256,): Cursor(0, 1), (0, 1): Cursor(2, 0), (1,): Cursor(MAX_U64, MAX_U32)}),
        ),
    },
    "ConfirmUpdatedRecipient": {
        "first": ConfirmUpdatedRecipient((0,), (1,), 0),
        "largest": ConfirmUpdatedRecipient((0, 1), LONGEST, MAX_U64),
    },
    "Credit": {"zero": Credit(0), "largest": Credit(MAX_U128)},
    "Cursor": {"start": Cursor(), "plain": Cursor(1, 2), "largest": Cursor(MAX_U64, MAX_U32)},
    "ExecutedBlock": {
        "plain": EXECUTED,
        "empty": ExecutedBlock(EMPTY, (), digest("state")),
        "smallest-messages": ExecutedBlock(EMPTY, (OutgoingMessage((), User(b"")),) * 40, digest("state")),
    },
    "Holdings": {
        "empty": Holdings(),
        "plain": Holdings(Map({256: 1, 7: MAX_U128}), Map({OWNER: Deposit((0, 1), ASSET, WANTED)})),
        "largest": Holdings(
            Map({MAX_U32: 1, 0: 5}), Map({key(name): Deposit(LONGEST, ASSET, WANTED) for name in ("a", "b")})
        ),
    },
    "Message": {"user": MESSAGE, "create": CREATION},
    "OutgoingMessage": {
        "empty": _user(0),
        "create": OutgoingMessage((0, 1), Create(OWNER)),
        **{f"{size}-bytes": _user(size) for size in (1, 127, 128, 129, 255, 256)},
    },
    "Request": {
        "plain": Request(EVERYTHING, 0, OWNER, SIGNATURE),
        "largest": Request(EMPTY, MAX_U32, OWNER, SIGNATURE),
        "justified": Request(EMPTY, 8, OWNER, SIGNATURE, VALIDATED),
    },
    "SwapMessage": {
        "deposited": SwapMessage(Deposited(OWNER, ASSET, WANTED)),
        "paid": SwapMessage(Paid(Asset(MAX_U32, MAX_U128))),
    },
    "SwapOperation": {
        "put-in": SwapOperation(PutIn((0, 1), OWNER, ASSET, WANTED)),
        "confirm": SwapOperation(Conclude(True)),
        "cancel": SwapOperation(Conclude(False)),
    },
    "TokenOperation": {
        "transfer": TokenOperation(Transfer((0, 1), 5)),
        "largest": TokenOperation(Transfer(LONGEST, MAX_U128)),
        "burn": TokenOperation(Burn(1)),
    },
    "UpdateRecipient": {
        "none": UpdateRecipient((0,), (1,), ()),
        "two": UpdateRecipient((0,), (1,), (CERTIFICATE, CERTIFICATE)),
        "smallest": UpdateRecipient((), (), (SMALLEST,) * 2),
    },
    "Vote": {"plain": Vote(PAYLOAD, key("v1"), SIGNATURE)},
    "VotePayload": {"confirmed": PAYLOAD, "validated": VotePayload(Kind.VALIDATED, digest("block"), MAX_U32)},
}
"""By data type, then by name."""

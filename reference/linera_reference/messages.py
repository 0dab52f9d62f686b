"""Messages between chains (sections 2.5 and A.1)."""

from typing import Final

from attrs import frozen

from .identifiers import ChainId
from .notation import MAX_U32, MAX_U64, Hash, PublicKey, rule, u32, u64
from .rejections import Reason, require


@frozen(order=True)
class Cursor:
    """A place in a sender's history: block height, then index in the block's messages. Ordered lexicographically."""

    height: u64 = 0
    index: u32 = 0


START: Final = Cursor()
"""The first place of a history."""


@rule("WP-A.1-CURSOR")
def successor(cursor: Cursor) -> Cursor:
    """Return the place after ``cursor`` in the same block. Rejects: ARITHMETIC. Section A.1."""
    require(cursor.index < MAX_U32, Reason.ARITHMETIC, cursor)  # ALGA-09, ALGA-21
    return Cursor(cursor.height, cursor.index + 1)


@rule("WP-A.1-CURSOR")
def heights_before(cursor: Cursor) -> int:
    """Return the first height with no message before ``cursor``: blocks are delivered whole.

    Rejects: ARITHMETIC. Section A.1.
    """
    require(cursor.index == 0 or cursor.height < MAX_U64, Reason.ARITHMETIC, cursor)  # ALGA-27
    return cursor.height if cursor.index == 0 else cursor.height + 1  # ALGA-26, ALGA-28


@frozen
class Create:
    """Content of the message that creates its recipient with this owner (decision D25)."""

    owner: PublicKey


@frozen
class User:
    """Content that only the application reads."""

    payload: bytes


@frozen
class OutgoingMessage:
    """A message as the sender's block lists it."""

    recipient: ChainId
    content: Create | User


@frozen
class Message:
    """A message m as an inbox holds it; its place in the sender's chain makes it unlike any other."""

    origin: ChainId
    height: u64
    index: u32
    block_hash: Hash
    content: Create | User

    @property
    def cursor(self) -> Cursor:
        """The place of the message in the sender's history."""
        return Cursor(self.height, self.index)

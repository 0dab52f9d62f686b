"""Blocks and transactions (sections 2.4, 2.7 and 2.9)."""

from typing import TypeAlias

from attrs import frozen

from .identifiers import ChainId
from .messages import Message, OutgoingMessage
from .notation import Hash, PublicKey, u64


@frozen
class OpenChain:
    """Create a chain with a fresh identifier for the owner of a key."""

    chain_id: ChainId
    owner: PublicKey


@frozen
class ChangeKey:
    """Hand the chain over to the owner of another key, who is then its single owner."""

    owner: PublicKey


@frozen
class CloseChain:
    """Deactivate the chain for ever."""


@frozen
class Execute:
    """Run a user operation."""

    operation: bytes


@frozen
class Receive:
    """Pick a message from the inbox and execute it."""

    message: Message


@frozen
class AddOwner:
    """Let the owner of a key join: the chain has several owners from the next block on (its own key chooses rounds)."""

    owner: PublicKey


@frozen
class RemoveOwner:
    """Take the owner of a key out of several."""

    owner: PublicKey


Transaction: TypeAlias = OpenChain | ChangeKey | CloseChain | Execute | Receive | AddOwner | RemoveOwner


@frozen
class Block:
    """Block(id, n, h, T̃)."""

    chain_id: ChainId
    height: u64
    previous_hash: Hash | None
    transactions: tuple[Transaction, ...]


@frozen
class ExecutedBlock:
    """A block with what its execution yields: outgoing messages and the hash of the state. This is what is voted."""

    block: Block
    messages: tuple[OutgoingMessage, ...]
    state_hash: Hash

"""Blocks, transactions and requests (sections 2.4, 2.7 and 2.8)."""

from typing import TypeAlias

from attrs import frozen

from .crypto import Scheme, Signer, verify
from .identifiers import ChainId
from .messages import Message, OutgoingMessage
from .notation import Hash, PublicKey, Signature, rule, u32, u64


@frozen
class OpenChain:
    """Create a chain with a fresh identifier for the owner of a key."""

    chain_id: ChainId
    owner: PublicKey


@frozen
class ChangeKey:
    """Hand the chain over to the owner of another key."""

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


Transaction: TypeAlias = OpenChain | ChangeKey | CloseChain | Execute | Receive


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


@frozen
class BlockAndRound:
    """What an owner signs."""

    block: Block
    round: u32


@frozen
class Request:
    """R = auth[B]: a block with the signature of its proposer."""

    block: Block
    round: u32
    owner: PublicKey
    signature: Signature


@rule("WP-2.4-BLOCK")
def sign_request(scheme: Scheme, owner: Signer, block: Block, round: u32 = 0) -> Request:
    """Authenticate a block as its proposer. Rejects: OUT_OF_RANGE. Section 2.8."""
    return Request(block, round, owner.public_key, scheme.sign(owner, BlockAndRound(block, round)))


@rule("WP-2.4-BLOCK")
def request_is_authentic(scheme: Scheme, request: Request) -> bool:
    """Whether the named owner signed the block and the round. Section 2.8."""
    signed = BlockAndRound(request.block, request.round)
    return verify(scheme, request.owner, signed, request.signature)

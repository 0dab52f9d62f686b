"""Requests: what the owners of a chain send to extend it (sections 2.3, 2.4 and 2.9)."""

from attrs import frozen

from .block import Block
from .certificate import Certificate
from .crypto import Scheme, Signer, verify
from .notation import PublicKey, Signature, rule, u32


@frozen
class BlockAndRound:
    """What an owner signs."""

    block: Block
    round: u32


@frozen
class Request:
    """R = auth[B]: a block with the signature of its proposer.

    In the protocol with rounds, ``justification`` is a validated certificate that releases older locks. It speaks for
    itself, so the proposer does not sign it.
    """

    block: Block
    round: u32
    owner: PublicKey
    signature: Signature
    justification: Certificate | None = None


@rule("WP-2.4-BLOCK")
def sign_request(
    scheme: Scheme, owner: Signer, block: Block, round: u32 = 0, justification: Certificate | None = None
) -> Request:
    """Authenticate a block as its proposer. Rejects: OUT_OF_RANGE. Section 2.8."""
    signature = scheme.sign(owner, BlockAndRound(block, round))
    return Request(block, round, owner.public_key, signature, justification)


@rule("WP-2.4-BLOCK")
def request_is_authentic(scheme: Scheme, request: Request) -> bool:
    """Whether the named owner signed the block and the round. Section 2.8."""
    signed = BlockAndRound(request.block, request.round)
    return verify(scheme, request.owner, signed, request.signature)

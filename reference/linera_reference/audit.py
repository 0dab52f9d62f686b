"""The audit of one chain from public evidence (Claim 5): certificates alone determine states and messages."""

from attrs import frozen

from .certificate import Certificate, check_certificate
from .chain import Chain, hashed_state, inbox_of, owed_messages, put_inbox
from .containers import fold
from .context import Context
from .execution import senders_of
from .identifiers import ChainId
from .inbox import add, next_height_to_receive
from .messages import Create, Message
from .notation import Hash, PublicKey, rule, support, u64
from .rejections import Accepted, Reason, Rejection, require, transition
from .validator import GenesisChain, apply_certificate, check_creation_proof, create_chain, genesis_chain, sent_messages


@frozen
class Audited:
    """What an audit establishes about a chain: height, last block, hash of the state, owner (⊥ when closed)."""

    chain_id: ChainId
    next_height: u64
    block_hash: Hash | None
    state_hash: Hash
    owner: PublicKey | None


@transition
@rule("WP-3.3-CLAIM-5")
def audit_chain(
    context: Context,
    chain_id: ChainId,
    origin: GenesisChain | Certificate,
    blocks: tuple[Certificate, ...],
    evidence: tuple[Certificate, ...],
) -> Accepted[Chain]:
    """Audit a chain: ``origin`` creates it, ``blocks`` are its certificates in order, ``evidence`` the senders' blocks.

    Outputs: what was established. Rejects, in order: the errors of ``audit_start``, of ``audit_block`` for each block,
    of ``audit_sender_block`` for each piece of evidence (by sender and height), then MISSING_CROSS_CHAIN_UPDATE with
    the (origin, height) of consumed messages for which there is no evidence. Section 3.3.
    """
    chain = audit_start(context, origin, chain_id)
    chain = fold(lambda c, block: audit_block(context, c, block), chain, blocks)
    chain = fold(lambda c, block: audit_sender_block(context, c, block), chain, sorted(evidence, key=place_of))
    owed = owed_messages(chain)
    require(not owed, Reason.MISSING_CROSS_CHAIN_UPDATE, senders_of(owed))
    part = chain.consistent
    state_hash = context.scheme.hash(hashed_state(part))
    return Accepted(chain, (Audited(chain_id, part.next_height, part.block_hash, state_hash, part.owner),))


@support
def place_of(certificate: Certificate) -> tuple[ChainId, u64]:
    """Return the chain and the height of a certified block."""
    block = certificate.executed.block
    return block.chain_id, block.height


@rule("WP-3.3-CLAIM-5", "WP-2.4-CREATION-PROOF")
def audit_start(context: Context, origin: GenesisChain | Certificate, chain_id: ChainId) -> Chain:
    """Return the chain before its first block, from the genesis configuration or from a proof of creation.

    Rejects: NOT_A_PROOF_OF_CREATION, and the errors of ``check_creation_proof``. Section 3.3.
    """
    if isinstance(origin, GenesisChain):
        require(origin.chain_id == chain_id, Reason.NOT_A_PROOF_OF_CREATION, chain_id)
        return genesis_chain(origin)
    owner = check_creation_proof(context, origin, chain_id)
    return create_chain(context, Chain(chain_id), Create(owner), origin.executed.block.height)


@rule("WP-3.3-CLAIM-5")
def audit_block(context: Context, chain: Chain, certificate: Certificate) -> Chain:
    """Verify and re-execute the next block; the messages that it consumed stay owed until the senders' blocks are seen.

    Rejects: MISSING_EARLIER_BLOCKS (detail: the expected chain and height), CHAIN_CLOSED, and those of
    ``apply_certificate``. Section 3.3.
    """
    expected = (chain.chain_id, chain.consistent.next_height)
    require(place_of(certificate) == expected, Reason.MISSING_EARLIER_BLOCKS, expected)
    require(chain.consistent.owner is not None, Reason.CHAIN_CLOSED)
    return apply_certificate(context, chain, certificate)


@rule("WP-3.3-CLAIM-5")
def audit_sender_block(context: Context, chain: Chain, certificate: Certificate) -> Chain:
    """Compare what a sender's certified block sent with what the chain consumed; a repeated block changes nothing.

    Rejects: the errors of ``check_certificate``; UNSENT_MESSAGE when a consumed message is not the one that was sent;
    ARITHMETIC. Section 3.3.
    """
    check_certificate(context.scheme, context.committee, certificate, context.rules.quorum)
    origin, height = place_of(certificate)
    if height < next_height_to_receive(inbox_of(chain, origin)):
        return chain
    return fold(audit_message, chain, sent_messages(context, certificate, chain.chain_id))


@rule("WP-3.3-CLAIM-5")
def audit_message(chain: Chain, message: Message) -> Chain:
    """Put a sent message into the inbox, where it must meet its consumption. Rejects: UNSENT_MESSAGE, ARITHMETIC."""
    try:
        inbox = add(inbox_of(chain, message.origin), message)
    except Rejection as rejection:
        require(rejection.reason is not Reason.UNEXPECTED_MESSAGE, Reason.UNSENT_MESSAGE, rejection.detail)
        raise
    return put_inbox(chain, message.origin, inbox)

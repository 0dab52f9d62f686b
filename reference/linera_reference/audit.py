"""The audit of one chain from public evidence (Claim 5): certificates alone determine states and messages."""

from attrs import frozen

from .certificate import Certificate, check_certificate
from .certification import check_kind
from .chain import Chain, hashed_state, inbox_of, owed_messages, put_inbox, with_consistent
from .containers import fold
from .context import Context
from .execution import extend_log, senders_of
from .identifiers import ChainId
from .inbox import add, next_height_to_receive
from .messages import Create, Message
from .notation import Hash, PublicKey, rule, support, u64
from .rejections import Accepted, Reason, require, transition
from .validator import GenesisChain, check_creation_proof, create_chain, execute_certified, genesis_chain, sent_messages


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
    of ``audit_sender_block`` for each piece of evidence (by sender and height), then those of ``check_settled``.
    Section 3.3.
    """
    chain = audit_start(context, origin, chain_id)
    chain = fold(lambda c, block: audit_block(context, c, block), chain, blocks)
    chain = fold(lambda c, block: audit_sender_block(context, c, block), chain, sorted(evidence, key=place_of))
    check_settled(chain)
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
    ``execute_certified``. Section 3.3.
    """
    expected = (chain.chain_id, chain.consistent.next_height)
    require(place_of(certificate) == expected, Reason.MISSING_EARLIER_BLOCKS, expected)
    require(chain.consistent.owner is not None, Reason.CHAIN_CLOSED)
    staged, block_hash = execute_certified(context, chain, certificate)
    return with_consistent(staged.chain, extend_log(staged.chain.consistent, block_hash))


@rule("WP-3.3-CLAIM-5")
def audit_sender_block(context: Context, chain: Chain, certificate: Certificate) -> Chain:
    """Compare what a sender's certified block sent with what the chain consumed; a repeated block changes nothing.

    Rejects: UNEXPECTED_CERTIFICATE_KIND, the errors of ``check_certificate``, those of ``audit_message``. Section 3.3.
    """
    check_kind(certificate.kind)
    check_certificate(context.scheme, context.committee, certificate, context.rules.quorum)
    origin, height = place_of(certificate)
    if height < next_height_to_receive(inbox_of(chain, origin)):
        return chain
    return fold(audit_message, chain, sent_messages(context, certificate, chain.chain_id))


@rule("WP-3.3-CLAIM-5")
def audit_message(chain: Chain, message: Message) -> Chain:
    """Put a sent message into the inbox, where it must meet its consumption if the chain consumed it.

    Rejects: MISSING_CROSS_CHAIN_UPDATE (an earlier block of the sender is missing from the evidence), UNSENT_MESSAGE
    (the chain consumed something else), ARITHMETIC. Section 3.3.
    """
    inbox = inbox_of(chain, message.origin)
    if not inbox.removed.is_empty:
        owed = inbox.removed.front
        place = (owed.origin, owed.height)
        require(message.height <= owed.height, Reason.MISSING_CROSS_CHAIN_UPDATE, (place,))
        require(message.cursor < owed.cursor or message == owed, Reason.UNSENT_MESSAGE, owed)
    return put_inbox(chain, message.origin, add(inbox, message))


@rule("WP-3.3-CLAIM-5")
def check_settled(chain: Chain) -> None:
    """Accept a chain all of whose consumed messages were met by evidence.

    Rejects: UNSENT_MESSAGE (the sender's block is there and does not send it), MISSING_CROSS_CHAIN_UPDATE with the
    (origin, height) of the blocks for which there is no evidence. Section 3.3.
    """
    owed = owed_messages(chain)
    unsent = frozenset(m for m in owed if m.height < next_height_to_receive(inbox_of(chain, m.origin)))
    require(not unsent, Reason.UNSENT_MESSAGE, senders_of(unsent))
    require(not owed, Reason.MISSING_CROSS_CHAIN_UPDATE, senders_of(owed))

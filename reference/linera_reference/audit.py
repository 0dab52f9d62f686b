"""The audit of one chain from public evidence (Claim 5): certificates alone determine states and messages."""

from typing import TypeAlias

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

Places: TypeAlias = frozenset[tuple[ChainId, u64]]
"""Chains and heights of some blocks."""


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
    of ``audit_sender_block`` for each piece of evidence (by sender and height), then those of ``check_sent``.
    Section 3.3.
    """
    chain = audit_start(context, origin, chain_id)
    chain = fold(lambda c, block: audit_block(context, c, block), chain, blocks)
    seen = frozenset(place_of(certificate) for certificate in evidence)
    chain = fold(lambda c, block: audit_sender_block(context, c, block, seen), chain, sorted(evidence, key=place_of))
    check_sent(owed_messages(chain), seen)
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
def audit_sender_block(context: Context, chain: Chain, certificate: Certificate, seen: Places) -> Chain:
    """Compare what a sender's certified block sent with what the chain consumed; a repeated block changes nothing.

    Rejects: UNEXPECTED_CERTIFICATE_KIND, the errors of ``check_certificate``, those of ``audit_message``. Section 3.3.
    """
    check_kind(certificate.kind)
    check_certificate(context.scheme, context.committee, certificate, context.rules.quorum)
    origin, height = place_of(certificate)
    if height < next_height_to_receive(inbox_of(chain, origin)):
        return chain
    messages = sent_messages(context, certificate, chain.chain_id)
    return fold(lambda c, message: audit_message(c, message, seen), chain, messages)


@rule("WP-3.3-CLAIM-5")
def audit_message(chain: Chain, message: Message, seen: Places) -> Chain:
    """Put a sent message into the inbox, where it must meet its consumption if the chain consumed it.

    Rejects: those of ``check_sent`` for a consumed message that was passed over, ARITHMETIC. Section 3.3.
    """
    inbox = inbox_of(chain, message.origin)
    if not inbox.removed.is_empty:
        owed = inbox.removed.front
        if message.cursor >= owed.cursor and message != owed:
            check_sent(frozenset((owed,)), seen)
    return put_inbox(chain, message.origin, add(inbox, message))


@rule("WP-3.3-CLAIM-5")
def check_sent(owed: frozenset[Message], seen: Places) -> None:
    """Accept if no consumed message is still owed; ``seen`` are the blocks in the evidence.

    Rejects: UNSENT_MESSAGE with the first message whose sender's block is in the evidence and does not send it, then
    MISSING_CROSS_CHAIN_UPDATE with the (origin, height) of the blocks that are not there. Section 3.3.
    """
    unsent = frozenset(message for message in owed if (message.origin, message.height) in seen)
    require(not unsent, Reason.UNSENT_MESSAGE, min(unsent, key=lambda m: (m.origin, m.cursor), default=None))
    require(not owed, Reason.MISSING_CROSS_CHAIN_UPDATE, senders_of(owed))

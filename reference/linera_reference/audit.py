"""The audit of one chain from public evidence (Claim 5): certificates alone determine states and messages."""

from typing import TypeAlias

from attrs import frozen
from immutables import Map

from .certificate import Certificate
from .chain import Chain, hashed_state, inbox_of, owed_messages, put_inbox, with_consistent
from .containers import fold
from .context import Context
from .execution import extend_log, senders_of
from .identifiers import ChainId
from .inbox import add, next_height_to_receive
from .messages import Create, Message
from .notation import Hash, rule, support, u64
from .ownership import Owner
from .rejections import Accepted, Reason, require, transition
from .validator import (
    GenesisChain,
    check_confirmed,
    check_creation_proof,
    create_chain,
    execute_certified,
    genesis_chain,
    sent_messages,
)

Places: TypeAlias = Map[tuple[ChainId, u64], Hash]
"""The hashes of some blocks, by chain and height."""


@frozen
class Audited:
    """What an audit establishes about a chain: height, last block, hash of the state, owner (⊥ when closed)."""

    chain_id: ChainId
    next_height: u64
    block_hash: Hash | None
    state_hash: Hash
    owner: Owner | None


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

    The chain's own blocks are evidence too. Outputs: what was established. Rejects, in order: the errors of
    ``audit_start``, of ``audit_block`` for each block, then for each piece of evidence by sender and height those of
    ``audit_evidence``, then those of ``audit_sender_block``, then those of ``check_sent``. Section 3.3.
    """
    chain = audit_start(context, origin, chain_id)
    chain = fold(lambda c, block: audit_block(context, c, block), chain, blocks)
    to_itself = tuple(c for c in blocks if any(m.recipient == chain_id for m in c.executed.messages))
    senders = sorted((*evidence, *to_itself), key=place_of)
    known = fold(lambda known, block: audit_evidence(context, known, block), own_places(chain), senders)
    chain = fold(lambda c, block: audit_sender_block(context, c, block, known), chain, senders)
    check_sent(owed_messages(chain), known)
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


@support
def own_places(chain: Chain) -> Places:
    """Return the blocks of an audited chain."""
    log = chain.consistent.log
    return Map(((chain.chain_id, height), log.at(height)) for height in range(len(log)))


@rule("WP-3.3-CLAIM-5", "WP-2.2-ACCOUNTABILITY")
def audit_evidence(context: Context, known: Places, certificate: Certificate) -> Places:
    """Verify a sender's certificate and note its place, where no other block may be.

    Rejects: those of ``check_confirmed``, CONFLICTING_CERTIFICATES (the fault bound was broken). Section 3.3.
    """
    block_hash, place = check_confirmed(context, certificate), place_of(certificate)
    require(known.get(place, block_hash) == block_hash, Reason.CONFLICTING_CERTIFICATES, place)
    return known.set(place, block_hash)


@rule("WP-3.3-CLAIM-5")
def audit_sender_block(context: Context, chain: Chain, certificate: Certificate, known: Places) -> Chain:
    """Compare what a sender's certified block sent with what the chain consumed; a repeated block changes nothing.

    Rejects: those of ``audit_message``. Section 3.3.
    """
    origin, height = place_of(certificate)
    if height < next_height_to_receive(inbox_of(chain, origin)):
        return chain
    messages = sent_messages(context, certificate, chain.chain_id)
    return fold(lambda c, message: audit_message(c, message, known), chain, messages)


@rule("WP-3.3-CLAIM-5")
def audit_message(chain: Chain, message: Message, known: Places) -> Chain:
    """Put a sent message into the inbox, where it must meet its consumption if the chain consumed it.

    Rejects: those of ``check_sent`` for a consumed message that was passed over, ARITHMETIC. Section 3.3.
    """
    inbox = inbox_of(chain, message.origin)
    if not inbox.removed.is_empty:
        owed = inbox.removed.front
        if message.cursor >= owed.cursor and message != owed:
            check_sent((owed,), known)
    return put_inbox(chain, message.origin, add(inbox, message))


@rule("WP-3.3-CLAIM-5")
def check_sent(owed: tuple[Message, ...], known: Places) -> None:
    """Accept if no consumed message is still owed; ``known`` are the blocks in the evidence.

    Rejects: UNSENT_MESSAGE with the first message whose sender's block is in the evidence and does not send it, then
    MISSING_CROSS_CHAIN_UPDATE with the (origin, height) of the blocks that are not there. Section 3.3.
    """

    def step(_: None, message: Message) -> None:
        require((message.origin, message.height) not in known, Reason.UNSENT_MESSAGE, message)

    fold(step, None, owed)
    require(not owed, Reason.MISSING_CROSS_CHAIN_UPDATE, senders_of(owed))

"""Algorithms 2 and 3, cross-chain requests, services: what a validator does with each input (2.5, 2.8, 2.9, A.2).

A handler reads and writes the view of one chain, and its input must be for this chain (:func:`handle` sees to it).
Inputs are data types as decoded: a number outside its range is OUT_OF_RANGE where a value is first hashed. Repeating
an accepted input at once changes nothing, and the answer is a function of the state.
"""

from itertools import pairwise
from typing import Any, TypeAlias

from attrs import frozen
from immutables import Map

from .block import ExecutedBlock
from .certificate import Certificate, Kind, Vote, VotePayload, check_certificate, sign_vote
from .certification import check_active, check_kind, check_proposal, check_proposer, check_validated_kind, proposal_kind
from .chain import (
    Chain,
    Consistent,
    activate,
    confirm_messages,
    inbox_of,
    is_closed,
    put_inbox,
    restart_chain,
    with_consistent,
    with_localized,
)
from .committee import Committee
from .containers import Queue, fold
from .context import Context
from .crypto import Signer
from .execution import Staged, check_not_anticipated, commit_block, execute_block
from .identifiers import ChainId, is_ancestor, is_identifier, parent
from .inbox import add, next_height_to_receive
from .messages import Create, Message
from .notation import MAX_U64, Hash, PublicKey, evolve, rule, support, u32, u64
from .outbox import ConfirmUpdatedRecipient, UpdateRecipient, delivered_up_to
from .ownership import Owner, check_owner
from .rejections import Accepted, Outcome, Reason, Rejected, require, transition
from .request import Request, request_is_authentic
from .rounds import Rounds, lock_after

Input: TypeAlias = Request | Certificate | UpdateRecipient | ConfirmUpdatedRecipient


@frozen
class ChainInfo:
    """What a node says about a chain: nothing in it is evidence."""

    chain_id: ChainId
    created: bool
    owner: Owner | None
    next_height: u64
    block_hash: Hash | None
    creation_height: u64 | None
    received: u64


@frozen
class RoundInfo:
    """What a node says about the height in progress: only the lock, a certificate, is evidence."""

    chain_id: ChainId
    next_height: u64
    pending: ExecutedBlock | None
    rounds: Rounds


# --- Algorithm 2 -------------------------------------------------------------------------------------------------


@transition
@rule("WP-2.8-HANDLE-REQUEST")
def handle_request(context: Context, chain: Chain, request: Request, signer: Signer | None) -> Accepted[Chain]:
    """Validate a proposed block and vote for it; a node without a key (``signer`` ⊥) only remembers it.

    Outputs: the vote, then all pending cross-chain requests. Rejects, in order: INACTIVE_CHAIN, CHAIN_CLOSED,
    INVALID_OWNER, OUT_OF_TURN, INVALID_SIGNATURE, UNEXPECTED_BLOCK_HEIGHT, UNEXPECTED_PREVIOUS_BLOCK_HASH,
    INVALID_BLOCK_HEIGHT, the errors of ``check_justification``, those of ``check_proposal``, then the errors of
    execution, then MISSING_CROSS_CHAIN_UPDATE. Sections 2.8 and 2.9, Algorithms 2 and 3.
    """
    block, part, local = request.block, chain.consistent, chain.localized
    check_active(part.created, part.owner)
    check_proposer(part.owner, context.application.proposers(chain.chain_id, part.state), request.owner)
    require(request_is_authentic(context.scheme, request), Reason.INVALID_SIGNATURE)  # ALG2-05
    check_chaining(part.next_height, part.block_hash, block.height, block.previous_hash)
    check_justification(context, request.justification)
    executed = check_proposal(part.owner, local.pending, local.rounds, request)
    if executed is None:
        staged = execute_block(context, chain, block)  # ALG1-39
        check_not_anticipated(context, staged)
        executed = staged.executed
        rounds = Rounds(request.round, local.rounds.locked)
        chain = with_localized(chain, evolve(local, pending=executed, rounds=rounds))  # ALG2-12, ALG3-16
    payload = payload_of(context, executed, proposal_kind(part.owner), request.round)
    return Accepted(chain, (*votes_of(context, signer, payload), *cross_chain_requests(chain)))  # ALG2-14, ALG3-18


@rule("WP-2.4-CHAINING")
def check_chaining(next_height: u64, last: Hash | None, height: u64, previous: Hash | None) -> None:
    """Accept a proposal on top of the last block.

    Rejects: UNEXPECTED_BLOCK_HEIGHT, UNEXPECTED_PREVIOUS_BLOCK_HASH, INVALID_BLOCK_HEIGHT. Section 2.4.
    """
    require(height == next_height, Reason.UNEXPECTED_BLOCK_HEIGHT, next_height)  # ALG2-06
    require(previous == last, Reason.UNEXPECTED_PREVIOUS_BLOCK_HASH, last)  # ALG2-07
    require(height < MAX_U64, Reason.INVALID_BLOCK_HEIGHT, height)  # ALG2-08


@rule("WP-2.8-VOTE")
def payload_of(context: Context, executed: ExecutedBlock, kind: Kind = Kind.CONFIRMED, round: u32 = 0) -> VotePayload:
    """Return what a vote signs: to confirm in round 0 is what single-owner chains need. Section 2.8."""
    return VotePayload(kind, context.scheme.hash(executed), round)  # ALG2-13, ALG3-17


@support
def votes_of(context: Context, signer: Signer | None, payload: VotePayload) -> tuple[Vote, ...]:
    """Vote, unless the node has no key."""
    return () if signer is None else (sign_vote(context.scheme, signer, payload),)


@rule("WP-2.9-JUSTIFICATION")
def check_justification(context: Context, justification: Certificate | None) -> None:
    """Accept no justification, or a validated certificate that verifies by itself.

    Rejects: those of ``check_validated``. Section 2.9.
    """
    if justification is not None:
        check_validated(context, justification)  # ALG3-08


@transition
@rule("WP-2.8-HANDLE-CERTIFICATE")
def handle_certificate(context: Context, chain: Chain, certificate: Certificate) -> Accepted[Chain]:
    """Extend the chain with a certified block; below the next height nothing is checked and nothing changes.

    Outputs: the chain's info, then all pending cross-chain requests. Rejects, in order: INACTIVE_CHAIN, CHAIN_CLOSED,
    MISSING_EARLIER_BLOCKS (detail: the next height), then those of ``execute_certified``. Section 2.8, Algorithm 2.
    """
    if is_next(chain.consistent, certificate.executed.block.height):
        chain = commit_block(*execute_certified(context, chain, certificate), certificate)  # ALG2-28
    return Accepted(chain, (chain_info(chain), *cross_chain_requests(chain)))  # ALG2-18, ALG2-29


@rule("WP-2.8-HANDLE-CERTIFICATE", "WP-2.9-VALIDATED")
def is_next(part: Consistent, height: u64) -> bool:
    """Whether a certified block belongs at the next height; below, it is old and nothing about it matters.

    Rejects: INACTIVE_CHAIN, CHAIN_CLOSED, MISSING_EARLIER_BLOCKS (detail: the next height). Sections 2.8 and 2.9.
    """
    require(part.created, Reason.INACTIVE_CHAIN)  # ALG2-16, ALG3-20
    if height < part.next_height:
        return False  # ALG2-17, ALG3-21
    require(part.owner is not None, Reason.CHAIN_CLOSED)  # ALG2-19, ALG3-22
    require(height == part.next_height, Reason.MISSING_EARLIER_BLOCKS, part.next_height)  # ALG2-20, ALG3-23
    return True


@rule("WP-2.8-HANDLE-CERTIFICATE", "WP-2.2-CERTIFICATE")
def check_confirmed(context: Context, certificate: Certificate) -> Hash:
    """Verify a confirmed certificate by itself and return the hash of its executed block.

    Rejects: UNEXPECTED_CERTIFICATE_KIND, CERTIFICATE_VALIDATOR_REUSE, INVALID_CERTIFICATE_SIGNER,
    CERTIFICATE_REQUIRES_QUORUM, INVALID_SIGNATURE. Section 2.8.
    """
    check_kind(certificate.kind)
    return check_certificate(context.scheme, context.committee, certificate, context.rules.quorum)


@rule("WP-2.8-HANDLE-CERTIFICATE", "WP-2.4-EXECUTED-BLOCK")
def execute_certified(context: Context, chain: Chain, certificate: Certificate) -> tuple[Staged, Hash]:
    """Verify a certificate of the next height and re-execute its block; return that, and the hash of the block.

    Rejects, in order: UNEXPECTED_CERTIFICATE_KIND, CERTIFICATE_VALIDATOR_REUSE, INVALID_CERTIFICATE_SIGNER,
    CERTIFICATE_REQUIRES_QUORUM, INVALID_SIGNATURE, INVALID_BLOCK_HEIGHT, INVALID_BLOCK_CHAINING, the errors of
    execution, INCORRECT_MESSAGES, INCORRECT_STATE_HASH. Section 2.8.
    """
    executed, last = certificate.executed, chain.consistent.block_hash
    block_hash = check_confirmed(context, certificate)  # ALG2-22
    require(executed.block.height < MAX_U64, Reason.INVALID_BLOCK_HEIGHT)  # ALG2-23
    require(executed.block.previous_hash == last, Reason.INVALID_BLOCK_CHAINING, last)  # ALG2-24
    staged = execute_block(context, chain, executed.block)  # ALG2-25
    again = staged.executed
    require(again.messages == executed.messages, Reason.INCORRECT_MESSAGES, again.messages)  # ALG2-26
    require(again.state_hash == executed.state_hash, Reason.INCORRECT_STATE_HASH, again.state_hash)  # ALG2-27
    return staged, block_hash


# --- Algorithm 3: several owners ---------------------------------------------------------------------------------


@transition
@rule("WP-2.9-VALIDATED", "WP-2.9-FINAL-VOTE")
def handle_validated(
    context: Context, chain: Chain, certificate: Certificate, signer: Signer | None
) -> Accepted[Chain]:
    """Lock on a validated block and vote to confirm it; below the next height nothing is checked, nothing changes.

    Outputs: the final vote, or the chain's info below the next height, then all pending cross-chain requests. Rejects,
    in order: those of ``is_next``, UNEXPECTED_CERTIFICATE_KIND, CERTIFICATE_VALIDATOR_REUSE,
    INVALID_CERTIFICATE_SIGNER, CERTIFICATE_REQUIRES_QUORUM, INVALID_SIGNATURE, INVALID_BLOCK_CHAINING, those of
    ``lock_after``. Section 2.9, Algorithm 3.
    """
    part, local, block = chain.consistent, chain.localized, certificate.executed.block
    if not is_next(part, block.height):
        return Accepted(chain, (chain_info(chain), *cross_chain_requests(chain)))
    check_validated_kind(part.owner)
    check_validated(context, certificate)  # ALG3-25
    require(block.previous_hash == part.block_hash, Reason.INVALID_BLOCK_CHAINING, part.block_hash)  # ALG3-26
    rounds = Rounds(local.rounds.last, lock_after(local.rounds, certificate))
    chain = with_localized(chain, evolve(local, rounds=rounds))  # ALG3-30
    payload = payload_of(context, certificate.executed, Kind.CONFIRMED, certificate.round)  # ALG3-31
    return Accepted(chain, (*votes_of(context, signer, payload), *cross_chain_requests(chain)))  # ALG3-32


@rule("WP-2.9-VALIDATED", "WP-2.2-CERTIFICATE")
def check_validated(context: Context, certificate: Certificate) -> None:
    """Verify a validated certificate by itself.

    Rejects: UNEXPECTED_CERTIFICATE_KIND, CERTIFICATE_VALIDATOR_REUSE, INVALID_CERTIFICATE_SIGNER,
    CERTIFICATE_REQUIRES_QUORUM, INVALID_SIGNATURE. Section 2.9.
    """
    require(certificate.kind is Kind.VALIDATED, Reason.UNEXPECTED_CERTIFICATE_KIND, certificate.kind)  # ALG3-34
    check_certificate(context.scheme, context.committee, certificate, context.rules.quorum)  # ALG3-35


# --- Cross-chain requests ----------------------------------------------------------------------------------------


@rule("WP-2.5-REQUEST")
def cross_chain_requests(chain: Chain) -> tuple[UpdateRecipient, ...]:
    """Return one request per non-empty outbox, carrying all of it, by sorted recipient. Section A.2."""
    outboxes = chain.localized.outboxes
    return tuple(update_recipient(chain, recipient) for recipient in sorted(outboxes)) if outboxes else ()  # ALGA-58


@rule("WP-2.5-REQUEST")
def update_recipient(chain: Chain, recipient: ChainId) -> UpdateRecipient:
    """Return the request that carries the whole outbox of one recipient. Section A.2."""
    local = chain.localized
    blocks = tuple(map(local.certificates.at, local.outboxes[recipient].queue))
    return UpdateRecipient(chain.chain_id, recipient, blocks)


@rule("WP-A.2-SELECT")
def check_batch(request: UpdateRecipient) -> None:
    """Accept a non-empty batch of confirmed blocks of the sender, of increasing height, each with a message for us.

    Rejects: INVALID_CROSS_CHAIN_REQUEST. Section A.2.
    """
    require(len(request.certificates) > 0, Reason.INVALID_CROSS_CHAIN_REQUEST)  # ALGA-62

    def step(last: int, certificate: Certificate) -> int:
        block = certificate.executed.block
        genuine = (
            certificate.kind is Kind.CONFIRMED and block.chain_id == request.sender and block.height > last
        )  # ALGA-63, ALGA-64, ALGA-65
        useful = any(m.recipient == request.recipient for m in certificate.executed.messages)  # ALGA-66
        require(genuine and useful, Reason.INVALID_CROSS_CHAIN_REQUEST, block.height)
        return block.height

    fold(step, -1, request.certificates)


@rule("WP-A.2-SELECT")
def select(request: UpdateRecipient, next_height: u64) -> tuple[Certificate, ...]:
    """Return the blocks of a batch that were not received yet. Section A.2."""
    return tuple(c for c in request.certificates if c.executed.block.height >= next_height)  # ALGA-60


@rule("WP-2.5-CREATE")
def create_chain(context: Context, chain: Chain, content: Create, height: u64) -> Chain:
    """Activate the recipient as its parent's block demands. Rejects: CHAIN_ALREADY_EXISTS. Section 2.5."""
    require(not chain.consistent.created, Reason.CHAIN_ALREADY_EXISTS)  # ALGA-30
    state = context.application.initial_state()
    return with_consistent(chain, activate(chain.consistent, content.owner, state, height))


@rule("WP-A.1-RECEIVE-BLOCK", "WP-2.6-RECEIVED")
def receive_block(context: Context, chain: Chain, certificate: Certificate) -> Chain:
    """Deliver the messages of one certified block, in order, and log the block as received.

    Rejects: CHAIN_ALREADY_EXISTS, INCORRECT_MESSAGE_ORDER, UNEXPECTED_MESSAGE, ARITHMETIC. Section A.1.
    """
    block = certificate.executed.block

    def step(chain: Chain, message: Message) -> Chain:
        if isinstance(message.content, Create):
            chain = create_chain(context, chain, message.content, block.height)  # ALGA-39
        return put_inbox(chain, block.chain_id, add(inbox_of(chain, block.chain_id), message))  # ALGA-41

    chain = fold(step, chain, sent_messages(context, certificate, chain.chain_id))
    received = chain.localized.received.append((block.chain_id, block.height))  # ALGA-42
    return with_localized(chain, evolve(chain.localized, received=received))


@rule("WP-A.1-RECEIVE-BLOCK")
def sent_messages(context: Context, certificate: Certificate, recipient: ChainId) -> tuple[Message, ...]:
    """Return the messages that a certified block sends to one recipient, as its inbox holds them. Section A.1."""
    block, block_hash = certificate.executed.block, context.scheme.hash(certificate.executed)
    return tuple(
        Message(block.chain_id, block.height, index, block_hash, message.content)  # ALGA-40
        for index, message in enumerate(certificate.executed.messages)
        if message.recipient == recipient
    )


@transition
@rule("WP-A.2-UPDATE-RECIPIENT", "WP-A.2-REPEAT-ACK")
def handle_update_recipient(context: Context, chain: Chain, request: UpdateRecipient) -> Accepted[Chain]:
    """Deliver a batch; a batch that was fully received is acknowledged again.

    Outputs: the acknowledgement. Rejects, in order: INVALID_CROSS_CHAIN_REQUEST, the errors of ``receive_block``,
    then, with nothing saved, INACTIVE_CHAIN, CHAIN_CLOSED. Section A.2.
    """
    check_batch(request)
    inbox = inbox_of(chain, request.sender)
    selected = select(request, next_height_to_receive(inbox))  # ALGA-67
    if selected:
        chain = fold(lambda c, certificate: receive_block(context, c, certificate), chain, selected)  # ALGA-71
        part = chain.consistent
        if part.created or not context.tracks_inactive:
            check_active(part.created, part.owner)
        inbox = inbox_of(chain, request.sender)
    last = next_height_to_receive(inbox) - 1
    return Accepted(chain, (ConfirmUpdatedRecipient(request.sender, request.recipient, last),))  # ALGA-69, ALGA-74


@transition
@rule("WP-A.2-CONFIRM-UPDATED-RECIPIENT")
def handle_confirm_updated_recipient(chain: Chain, answer: ConfirmUpdatedRecipient) -> Accepted[Chain]:
    """Drop acknowledged heights from an outbox; nothing happens where none is queued. Never rejects. Section A.2."""
    local = confirm_messages(chain.localized, answer.recipient, answer.height)  # ALGA-76
    return Accepted(chain if local is chain.localized else with_localized(chain, local))  # ALGA-77


# --- Services for clients ----------------------------------------------------------------------------------------


@rule("WP-2.8-QUERY")
def chain_info(chain: Chain) -> ChainInfo:
    """Say what is known of a chain. Section 2.8."""
    part = chain.consistent
    heights = (part.next_height, part.block_hash, part.creation_height)
    return ChainInfo(chain.chain_id, part.created, part.owner, *heights, len(chain.localized.received))


@rule("WP-2.8-QUERY", "WP-2.9-LEARN-LOCK")
def round_info(chain: Chain) -> RoundInfo:
    """Say what is known of the height in progress. Section 2.9."""
    local = chain.localized
    return RoundInfo(chain.chain_id, chain.consistent.next_height, local.pending, local.rounds)


@rule("WP-2.8-QUERY")
def download(chain: Chain, start: u64, end: u64) -> tuple[Certificate, ...]:
    """Return the certificates of heights ``start`` ≤ n < ``end`` that are stored here. Section 2.8."""
    found = (chain.localized.certificates.get(n) for n in range(start, min(end, chain.consistent.next_height)))
    return tuple(certificate for certificate in found if certificate is not None)


@rule("WP-2.8-QUERY", "WP-2.6-RECEIVED")
def received_since(chain: Chain, start: u64) -> tuple[tuple[ChainId, u64], ...]:
    """Return the log of received blocks from ``start`` on. Section 2.8."""
    return chain.localized.received.since(start)


@rule("WP-2.8-QUERY", "WP-A.2-COUNTERS")
def is_delivered(chain: Chain, height: u64) -> bool:
    """Whether every message of the chain's blocks up to ``height`` reached its recipient here. Section A.2."""
    return delivered_up_to(chain.localized.counters, height)


# --- Life of a chain ---------------------------------------------------------------------------------------------


@transition
@rule("WP-2.4-ARCHIVE")
def archive_chain(chain: Chain) -> Accepted[Chain]:
    """Turn a closed chain into a tombstone: the same record without histories and waiting messages.

    The tombstone answers every handler as the chain would, so the blocks cannot be replayed. Outputs: the chain as it
    was, for cold storage, from which ``download`` and ``received_since`` go on to answer; nothing for a tombstone.
    Rejects: CHAIN_NOT_CLOSED, OUTBOX_NOT_EMPTY. Section 2.4.
    """
    part, local = chain.consistent, chain.localized
    require(is_closed(part), Reason.CHAIN_NOT_CLOSED)  # ALGA-79
    require(len(local.outboxes) == 0, Reason.OUTBOX_NOT_EMPTY, tuple(sorted(local.outboxes)))  # ALGA-80
    if part.state is None:
        return Accepted(chain)
    part = evolve(part, state=None, log=part.log.forget())  # ALGA-81, ALGA-84
    boxes = Map((origin, evolve(box, added=Queue())) for origin, box in local.mailboxes.items())  # ALGA-85
    received, certificates = local.received.forget(), local.certificates.forget()  # ALGA-82, ALGA-83
    local = evolve(local, received=received, certificates=certificates, mailboxes=boxes)
    return Accepted(Chain(chain.chain_id, part, local), (chain,))


@rule("WP-2.4-CREATION-PROOF")
def check_creation_proof(context: Context, certificate: Certificate, chain_id: ChainId) -> PublicKey:
    """Verify, without any other state, that a certificate creates a chain; return the chain's first owner.

    Rejects: those of ``check_confirmed``, then NOT_A_PROOF_OF_CREATION. Section 2.4.
    """
    check_confirmed(context, certificate)
    require(certificate.executed.block.chain_id == parent(chain_id), Reason.NOT_A_PROOF_OF_CREATION, chain_id)
    messages = certificate.executed.messages
    owners = [m.content.owner for m in messages if m.recipient == chain_id and isinstance(m.content, Create)]
    require(len(owners) == 1, Reason.NOT_A_PROOF_OF_CREATION, chain_id)
    return owners[0]


# --- A whole validator -------------------------------------------------------------------------------------------


@frozen
class Validator:
    """A map of chains. Handlers touch one entry."""

    chains: Map[ChainId, Chain] = Map()


@frozen
class GenesisChain:
    """A chain that exists from the start."""

    chain_id: ChainId
    owner: Owner
    state: Any


@frozen
class Genesis:
    """The genesis configuration: the committee and the first chains."""

    committee: Committee
    chains: tuple[GenesisChain, ...]


@rule("WP-2.4-GENESIS", "WP-2.1-ONE-COMMITTEE")
def genesis_validator(genesis: Genesis) -> Validator:
    """Build the first state of a node.

    Rejects: INVALID_IDENTIFIER, GENESIS_NOT_PREFIX_FREE, EMPTY_OWNER_SET. Section 2.4.
    """
    ids = sorted(chain.chain_id for chain in genesis.chains)
    for chain_id in ids:
        require(is_identifier(chain_id), Reason.INVALID_IDENTIFIER, chain_id)
    for before, after in pairwise(ids):
        free = before != after and not is_ancestor(before, after)
        require(free, Reason.GENESIS_NOT_PREFIX_FREE, after)
    fold(lambda _, chain: check_owner(chain.owner), None, genesis.chains)
    return Validator(Map((chain.chain_id, genesis_chain(chain)) for chain in genesis.chains))


@rule("WP-2.4-GENESIS")
def genesis_chain(chain: GenesisChain) -> Chain:
    """Build the first state of a genesis chain. Section 2.4."""
    blank = Chain(chain.chain_id)
    return with_consistent(blank, activate(blank.consistent, chain.owner, chain.state, None))


@support
def chain_of(validator: Validator, chain_id: ChainId) -> Chain:
    """Return the view of a chain, a blank one if nothing is known of it."""
    found = validator.chains.get(chain_id)
    return Chain(chain_id) if found is None else found


@rule("WP-2.5-REQUEST", "WP-2.8-IDEMPOTENT")
def handle(context: Context, validator: Validator, item: Input, signer: Signer | None) -> Outcome[Validator]:
    """Route an input to the view of its chain and store the result. Rejects: what the handler rejects. Section 2.8."""
    chain = chain_of(validator, target_of(item))
    outcome = handle_at(context, chain, item, signer)
    if isinstance(outcome, Rejected):
        return outcome
    return Accepted(put_chain(validator, chain, outcome.state), outcome.outputs)


@support
def handle_at(context: Context, chain: Chain, item: Input, signer: Signer | None) -> Outcome[Chain]:
    """Give an input to the handler of its type."""
    match item:
        case Request():
            return handle_request(context, chain, item, signer)
        case Certificate(kind=Kind.VALIDATED):
            return handle_validated(context, chain, item, signer)
        case Certificate():
            return handle_certificate(context, chain, item)
        case UpdateRecipient():
            return handle_update_recipient(context, chain, item)
        case ConfirmUpdatedRecipient():
            return handle_confirm_updated_recipient(chain, item)


@support
def put_chain(validator: Validator, before: Chain, after: Chain) -> Validator:
    """Store the view of a chain if it changed."""
    return validator if after is before else Validator(validator.chains.set(after.chain_id, after))


@rule("WP-2.9-DURABLE")
def restart(validator: Validator) -> Validator:
    """Go on after a crash, with what was stored. Section 2.9."""
    return Validator(Map((chain_id, restart_chain(chain)) for chain_id, chain in validator.chains.items()))


@support
def target_of(item: Input) -> ChainId:
    """Return the chain whose view an input reads and writes."""
    match item:
        case Request():
            return item.block.chain_id
        case Certificate():
            return item.executed.block.chain_id
        case UpdateRecipient():
            return item.recipient
        case ConfirmUpdatedRecipient():
            return item.sender

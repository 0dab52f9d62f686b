"""Which operations there are. A name is the shipped function's; an operation of ours wraps one and repeats no rule."""

from typing import Any, Final

from linera_invariants.convictions import Charge, by_place, charges, convicted, open_case
from linera_reference import (
    application,
    audit,
    certificate,
    certification,
    committee,
    crypto,
    encoding,
    execution,
    identifiers,
    inbox,
    messages,
    outbox,
    ownership,
    permissioned,
    request,
    rounds,
    swap,
    validator,
)
from linera_reference.application import Application
from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Certificate
from linera_reference.chain import Chain, restart_chain
from linera_reference.containers import Set
from linera_reference.context import Context
from linera_reference.crypto import Scheme, Signer
from linera_reference.identifiers import ChainId
from linera_reference.notation import Hash, PublicKey, Signature, u64
from linera_reference.rejections import Reason, Rejected

from . import clients
from .accumulate import accumulate
from .forms import Raw, form_of, value_of
from .networks import run
from .operations import Operation, operation
from .replay import replay
from .snapshot import digest_of_chain
from .types import TYPES

# --- Encoding, hashing, signatures ---


def encode(type: str, value: Raw) -> bytes:  # noqa: A002
    """Encode a value of a data type."""
    return encoding.encode(value_of(TYPES[type], value, ("value",)))


def decode(type: str, data: bytes) -> Raw:  # noqa: A002
    """Decode exactly one value of a data type."""
    return form_of(TYPES[type], encoding.decode(TYPES[type], data))


def hash_value(type: str, value: Raw) -> Hash:  # noqa: A002
    """Hash a value of a data type."""
    return crypto.hash_value(value_of(TYPES[type], value, ("value",)))


def public_key(scheme: Scheme, secret: bytes) -> PublicKey:
    """Return the verification key of a secret."""
    return scheme.public_key(secret)


def sign(scheme: Scheme, signer: Signer, type: str, value: Raw) -> Signature:  # noqa: A002
    """Sign a value of a data type."""
    return scheme.sign(signer, value_of(TYPES[type], value, ("value",)))


def verify(scheme: Scheme, public_key: PublicKey, type: str, value: Raw, signature: Signature) -> bool:  # noqa: A002
    """Whether a signature of a value is genuine."""
    return crypto.verify(scheme, public_key, value_of(TYPES[type], value, ("value",)), signature)


# --- Accountability ---


def charge(context: Context, certificates: tuple[Certificate, ...]) -> tuple[Charge, ...]:
    """Return what some votes charge validators with, place by place; a vote is a certificate of one signature."""
    cases = (open_case(context, found) for found in by_place(certificates).values())
    return tuple(found for case in cases for found in charges(case))


# --- Execution ---


def execute_block(context: Context, chain: Chain, block: Block) -> Raw:
    """Execute a block: what is voted for, and the digest of the chain after its transactions."""
    staged = execution.execute_block(context, chain, block)
    executed = form_of(ExecutedBlock, staged.executed)
    return {"executed": executed, "state": digest_of_chain(staged.chain)}


def proposers(application: Application, chain_id: ChainId, state: Any) -> Set[PublicKey] | None:
    """Return whom the application lets propose next, ⊥ for all owners."""
    return application.proposers(chain_id, state)


# --- Rounds ---


def first_free_after(reason: Reason, round: u64 | None) -> u64 | None:
    """Return the first free round of a validator that refused a proposal; its detail is a round, or nothing."""
    return permissioned.first_free_after(Rejected(reason, round))


ALL: Final = (
    operation(encode),
    operation(decode),
    operation(hash_value),
    operation(public_key),
    operation(crypto.make_signer),
    operation(sign),
    operation(verify),
    operation(identifiers.is_identifier),
    operation(identifiers.child),
    operation(identifiers.parent),
    operation(identifiers.is_ancestor),
    operation(committee.make_committee),
    operation(committee.weight),
    operation(committee.max_faulty),
    operation(committee.quorum_threshold),
    operation(committee.validity_threshold),
    operation(committee.is_quorum),
    operation(committee.combined_weight),
    operation(certificate.sign_vote),
    operation(certificate.vote_is_authentic),
    operation(certificate.certified_payload),
    operation(certificate.check_signers),
    operation(certificate.check_certificate),
    operation(certificate.add_vote, state="aggregate"),
    operation(certificate.form_certificate),
    operation(request.sign_request),
    operation(request.request_is_authentic),
    operation(messages.successor),
    operation(messages.heights_before),
    operation(inbox.add_to_sets, state="inbox"),
    operation(inbox.remove_from_sets, state="inbox"),
    operation(inbox.add, state="inbox"),
    operation(inbox.remove, state="inbox"),
    operation(inbox.next_height_to_receive),
    operation(inbox.two_sets),
    operation(outbox.schedule, state="outbox"),
    operation(outbox.confirm, state="outbox"),
    operation(outbox.count_up, state="counters"),
    operation(outbox.count_down, state="counters"),
    operation(outbox.delivered_up_to),
    operation(certification.check_active),
    operation(certification.check_proposer),
    operation(certification.already_voted),
    operation(certification.check_kind),
    operation(certification.check_validated_kind),
    operation(certification.check_proposal),
    operation(certification.proposal_kind),
    operation(certification.standing_ballot),
    operation(validator.check_chaining),
    operation(ownership.keys_of),
    operation(ownership.owns),
    operation(ownership.check_owner),
    operation(ownership.add_owner),
    operation(ownership.remove_owner),
    operation(ownership.may_propose),
    operation(rounds.current_round),
    operation(rounds.binding_lock),
    operation(rounds.accepted_before),
    operation(rounds.lock_after),
    operation(validator.check_validated),
    operation(permissioned.first_free),
    operation(first_free_after),
    operation(proposers),
    operation(application.transfer),
    operation(application.burn),
    operation(swap.put_in),
    operation(swap.conclude),
    operation(execute_block, state="chain"),
    operation(validator.handle_request, state="chain"),
    operation(validator.handle_certificate, state="chain"),
    operation(validator.handle_validated, state="chain"),
    operation(restart_chain),
    operation(validator.handle_update_recipient, state="chain"),
    operation(validator.handle_confirm_updated_recipient, state="chain"),
    operation(validator.check_creation_proof),
    operation(convicted, "convict"),
    operation(charge),
    operation(replay, steps=True),
    operation(accumulate),
    operation(clients.is_reached),
    operation(clients.next_transfer),
    operation(clients.next_transfer_for_messages),
    operation(clients.measure),
    operation(clients.goals_after),
    operation(clients.follow, steps=True),
    operation(audit.audit_chain),
    operation(run, steps=True),
)
OPERATIONS: Final[dict[str, Operation]] = {called.name: called for called in ALL}

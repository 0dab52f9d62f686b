"""Which operations there are. A name is the shipped function's; an operation of ours wraps one and repeats no rule."""

from typing import Final

from linera_invariants.convictions import convicted
from linera_reference import (
    application,
    audit,
    block,
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
    validator,
)
from linera_reference.block import Block, ExecutedBlock
from linera_reference.chain import Chain
from linera_reference.context import Context
from linera_reference.crypto import Scheme, Signer
from linera_reference.notation import Hash, PublicKey, Signature

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


# --- Execution ---


def execute_block(context: Context, chain: Chain, block: Block) -> Raw:
    """Execute a block: what is voted for, and the digest of the chain after its transactions."""
    staged = execution.execute_block(context, chain, block)
    executed = form_of(ExecutedBlock, staged.executed)
    return {"executed": executed, "state": digest_of_chain(staged.chain)}


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
    operation(block.sign_request),
    operation(block.request_is_authentic),
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
    operation(validator.check_chaining),
    operation(application.transfer),
    operation(application.burn),
    operation(execute_block, state="chain"),
    operation(validator.handle_request, state="chain"),
    operation(validator.handle_certificate, state="chain"),
    operation(validator.handle_update_recipient, state="chain"),
    operation(validator.handle_confirm_updated_recipient, state="chain"),
    operation(validator.check_creation_proof),
    operation(convicted, "convict"),
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

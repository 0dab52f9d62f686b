"""Votes and certificates (sections 2.2, 2.3 and 2.8)."""

from enum import Enum

from attrs import frozen
from immutables import Map

from .block import ExecutedBlock
from .committee import Committee, combined_weight, is_quorum, weight
from .containers import Set, fold
from .crypto import Scheme, Signer, verify
from .notation import Hash, PublicKey, Signature, evolve, rule, u32
from .rejections import Reason, require
from .rules import QuorumRule


class Kind(Enum):
    """What a vote says about the executed block. Single-owner chains use CONFIRMED in round 0 only."""

    VALIDATED = 0
    CONFIRMED = 1


@frozen
class VotePayload:
    """What a validator signs: kind, hash of the executed block, round."""

    kind: Kind
    block_hash: Hash
    round: u32


@frozen
class Vote:
    """A signed vote."""

    payload: VotePayload
    validator: PublicKey
    signature: Signature


@frozen
class Certificate:
    """cert[B]: an executed block with votes of a quorum, in any order (decision D34)."""

    executed: ExecutedBlock
    kind: Kind
    round: u32
    signatures: tuple[tuple[PublicKey, Signature], ...]


@rule("WP-2.8-VOTE")
def sign_vote(scheme: Scheme, signer: Signer, payload: VotePayload) -> Vote:
    """Vote, deterministically: the same payload gives the same bytes. Section 2.8."""
    return Vote(payload, signer.public_key, scheme.sign(signer, payload))


@rule("WP-2.8-VOTE")
def vote_is_authentic(scheme: Scheme, vote: Vote) -> bool:
    """Whether the named validator signed the payload. Section 2.8."""
    return verify(scheme, vote.validator, vote.payload, vote.signature)


@rule("WP-2.3-CERT-IDENTITY")
def certified_payload(scheme: Scheme, certificate: Certificate) -> VotePayload:
    """Return what its votes sign; certificates of one kind on one executed block are identified. Section 2.3."""
    return VotePayload(certificate.kind, scheme.hash(certificate.executed), certificate.round)


@rule("WP-2.2-CERTIFICATE")
def check_signers(committee: Committee, signers: tuple[PublicKey, ...], quorum: QuorumRule) -> None:
    """Accept distinct members that form a quorum.

    Rejects: CERTIFICATE_VALIDATOR_REUSE or INVALID_CERTIFICATE_SIGNER at the first bad signer, then
    CERTIFICATE_REQUIRES_QUORUM. Section 2.2.
    """

    def step(tally: tuple[Set[PublicKey], int], signer: PublicKey) -> tuple[Set[PublicKey], int]:
        seen, votes = tally
        require(not seen.contains(signer), Reason.CERTIFICATE_VALIDATOR_REUSE, signer)  # ALG2-32
        rights = weight(committee, signer)
        require(rights > 0, Reason.INVALID_CERTIFICATE_SIGNER, signer)  # ALG2-33
        return seen.insert(signer), votes + rights

    none: Set[PublicKey] = Set()
    _, votes = fold(step, (none, 0), signers)
    require(is_quorum(committee, votes, quorum), Reason.CERTIFICATE_REQUIRES_QUORUM, votes)  # ALG2-34


@rule("WP-2.2-CERTIFICATE")
def check_certificate(scheme: Scheme, committee: Committee, certificate: Certificate, quorum: QuorumRule) -> Hash:
    """Verify a certificate by itself and return the hash of its executed block.

    Rejects: CERTIFICATE_VALIDATOR_REUSE, INVALID_CERTIFICATE_SIGNER, CERTIFICATE_REQUIRES_QUORUM, INVALID_SIGNATURE.
    Section 2.2.
    """
    check_signers(committee, tuple(signer for signer, _ in certificate.signatures), quorum)
    payload = certified_payload(scheme, certificate)
    genuine = scheme.verifier(payload)
    votes = certificate.signatures
    fold(lambda _, vote: require(genuine(*vote), Reason.INVALID_SIGNATURE, vote[0]), None, votes)  # ALG2-36
    return payload.block_hash


@frozen
class Aggregate:
    """Votes on one payload, gathered until they form a quorum."""

    payload: VotePayload
    signatures: Map[PublicKey, Signature] = Map()


@rule("WP-2.8-STOP-AT-QUORUM")
def add_vote(scheme: Scheme, committee: Committee, aggregate: Aggregate, vote: Vote) -> Aggregate:
    """Add one vote on the aggregate's payload.

    Rejects: INVALID_SIGNATURE (also a vote on another payload), CERTIFICATE_VALIDATOR_REUSE,
    INVALID_CERTIFICATE_SIGNER. Section 2.8.
    """
    genuine = vote.payload == aggregate.payload and vote_is_authentic(scheme, vote)
    require(genuine, Reason.INVALID_SIGNATURE, vote.validator)
    require(vote.validator not in aggregate.signatures, Reason.CERTIFICATE_VALIDATOR_REUSE, vote.validator)
    require(weight(committee, vote.validator) > 0, Reason.INVALID_CERTIFICATE_SIGNER, vote.validator)
    return evolve(aggregate, signatures=aggregate.signatures.set(vote.validator, vote.signature))


@rule("WP-2.8-STOP-AT-QUORUM")
def form_certificate(
    committee: Committee, aggregate: Aggregate, executed: ExecutedBlock, quorum: QuorumRule
) -> Certificate | None:
    """Return the certificate once the votes form a quorum, ⊥ before. Signers are sorted. Section 2.8."""
    if not is_quorum(committee, combined_weight(committee, aggregate.signatures), quorum):
        return None
    signatures = tuple(sorted(aggregate.signatures.items()))
    return Certificate(executed, aggregate.payload.kind, aggregate.payload.round, signatures)

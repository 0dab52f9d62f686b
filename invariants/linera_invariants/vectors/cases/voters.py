"""Certificates with chosen faults; what they say is signed genuinely, if the fault is not the signature."""

from attrs import evolve

from linera_invariants.forgeries import flipped
from linera_reference.block import ExecutedBlock
from linera_reference.certificate import Certificate, Kind
from linera_reference.rejections import Reason

from .stories import Story


def voters_with(faults: tuple[Reason, ...]) -> tuple[str, ...]:
    """Return who signs a certificate with such faults."""
    voters: tuple[str, ...] = ("v1", "v2") if Reason.CERTIFICATE_REQUIRES_QUORUM in faults else ("v1", "v2", "v3")
    voters += ("v1",) if Reason.CERTIFICATE_VALIDATOR_REUSE in faults else ()
    return (*voters, "stranger") if Reason.INVALID_CERTIFICATE_SIGNER in faults else voters


def certificate_with(
    told: Story, executed: ExecutedBlock, faults: tuple[Reason, ...], kind: Kind = Kind.CONFIRMED, round: int = 0
) -> Certificate:
    """Return a certificate with such faults, of the other kind than wanted if that is one."""
    other = Kind.VALIDATED if kind is Kind.CONFIRMED else Kind.CONFIRMED
    said = other if Reason.UNEXPECTED_CERTIFICATE_KIND in faults else kind
    certificate = told.certificate(executed, voters_with(faults), kind=said, round=round)
    if Reason.INVALID_SIGNATURE not in faults:
        return certificate
    (signer, signature), *rest = certificate.signatures
    return evolve(certificate, signatures=((signer, flipped(signature)), *rest))

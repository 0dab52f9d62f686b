"""The protocol with rounds (section 2.9): proposals, justifications, validated certificates, locks.

A validator votes to validate at most one block per round. A quorum of such votes is a validated certificate; who sees
one is locked on its block and votes to confirm it. A locked validator votes for another block only if a validated
certificate of a later round justifies it. A quorum of votes to confirm, in one round, decides.
"""

from typing import Final

from attrs import frozen

from .block import ExecutedBlock
from .certificate import Certificate
from .notation import rule, u32
from .rejections import Reason, require
from .request import Request


@frozen
class Rounds:
    """What a node remembers beside ``pending``, until the next commit: the round of ``pending``, and the lock.

    ``last`` is 0 as long as nothing is pending. ``locked`` is the validated certificate that the node voted to confirm
    last.
    """

    last: u32 = 0
    locked: Certificate | None = None


FIRST_ROUND: Final = Rounds()


@rule("WP-2.9-ROUND")
def current_round(rounds: Rounds) -> u32:
    """Return the highest round in which something was accepted, 0 before. Section 2.9."""
    return rounds.last if rounds.locked is None else max(rounds.last, rounds.locked.round)


@rule("WP-2.9-JUSTIFICATION")
def binding_lock(rounds: Rounds, justification: Certificate | None) -> Certificate | None:
    """Return the validated certificate that binds a proposal: the later of lock and justification, the lock on ties.

    Section 2.9.
    """
    if rounds.locked is None or (justification is not None and justification.round > rounds.locked.round):
        return justification  # ALG3-13
    return rounds.locked  # ALG3-14


@rule("WP-2.9-PROPOSAL", "WP-2.9-JUSTIFICATION")
def accepted_before(pending: ExecutedBlock | None, rounds: Rounds, request: Request) -> ExecutedBlock | None:
    """Apply the rules of rounds to a proposal; return the executed block if it is the last proposal, repeated.

    Rejects: INSUFFICIENT_ROUND (detail: the round of the last proposal), HAS_LOCKED_BLOCK (detail: the round of the
    lock or justification that speaks against it). Section 2.9.
    """
    if pending is not None:
        if pending.block == request.block and rounds.last == request.round:
            return pending  # ALG3-10
        require(request.round > rounds.last, Reason.INSUFFICIENT_ROUND, rounds.last)  # ALG3-11
    binding = binding_lock(rounds, request.justification)
    if binding is not None:
        bound = binding.round < request.round and binding.executed.block == request.block
        require(bound, Reason.HAS_LOCKED_BLOCK, binding.round)  # ALG3-15
    return None


@rule("WP-2.9-LOCK")
def lock_after(rounds: Rounds, certificate: Certificate) -> Certificate:
    """Return the lock after a validated certificate: the certificate, or the present lock if it says the same.

    Rejects: INSUFFICIENT_ROUND (detail: the last round that is too low), HAS_LOCKED_BLOCK (detail: the lock's round).
    Section 2.9.
    """
    current, locked = current_round(rounds), rounds.locked  # ALG3-27
    require(certificate.round >= current, Reason.INSUFFICIENT_ROUND, current - 1)  # ALG3-28
    if locked is None or locked.round < certificate.round:
        return certificate
    require(locked.executed == certificate.executed, Reason.HAS_LOCKED_BLOCK, locked.round)  # ALG3-29
    return locked

"""One interface to the family of chain types: who may propose, and how votes lead to a certificate.

Nobody (⊥), a single owner (sections 2.1 and 2.8) or several owners (section 2.9, :mod:`linera_reference.rounds`). Only
this module and :mod:`linera_reference.ownership` ask of which type a chain is.
"""

from typing import TypeAlias

from .block import ExecutedBlock
from .certificate import Kind
from .containers import Set
from .notation import PublicKey, rule, u32
from .ownership import Owner, Owners, may_propose, owns
from .rejections import Reason, require
from .request import Request
from .rounds import Rounds, accepted_before, current_round

Ballot: TypeAlias = tuple[Kind, ExecutedBlock, u32]
"""What a vote says, before it is hashed: kind, executed block, round."""


@rule("WP-2.4-OWNER")
def check_active(created: bool, owner: Owner | None) -> None:
    """Accept a chain that was created and not closed. Rejects: INACTIVE_CHAIN, CHAIN_CLOSED. Section 2.4."""
    require(created, Reason.INACTIVE_CHAIN)  # ALG2-02, ALGA-72
    require(owner is not None, Reason.CHAIN_CLOSED)  # ALG2-03, ALGA-73


@rule("WP-2.1-OWNER-PROPOSES", "WP-4.6-PROPOSERS")
def check_proposer(owner: Owner | None, chosen: Set[PublicKey] | None, proposer: PublicKey) -> None:
    """Accept an owner of the chain whom the application lets propose next (``chosen``, ⊥: all of them).

    Rejects: INVALID_OWNER, OUT_OF_TURN. Sections 2.1 and 4.6.
    """
    require(owns(owner, proposer), Reason.INVALID_OWNER, proposer)  # ALG2-04
    require(may_propose(owner, chosen, proposer), Reason.OUT_OF_TURN, proposer)  # ALG3-07


@rule("WP-2.8-PENDING")
def already_voted(pending: ExecutedBlock | None, request: Request) -> ExecutedBlock | None:
    """Apply the voting rule of a single owner: one block per height, in round 0. Return the vote cast for it before.

    Rejects: INVALID_BLOCK_PROPOSAL, PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST. Section 2.8.
    """
    first = request.round == 0 and request.justification is None
    require(first, Reason.INVALID_BLOCK_PROPOSAL, request.round)  # ALG2-09
    if pending is not None:
        require(pending.block == request.block, Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST, pending.block)  # ALG2-10
    return pending


@rule("WP-2.9-PROPOSAL", "WP-2.8-PENDING")
def check_proposal(
    owner: Owner | None, pending: ExecutedBlock | None, rounds: Rounds, request: Request
) -> ExecutedBlock | None:
    """Apply the voting rule of the chain's type; return the executed block if this proposal was accepted before.

    Rejects: those of ``accepted_before`` with several owners, those of ``already_voted`` with one. Section 2.9.
    """
    if isinstance(owner, Owners):
        return accepted_before(pending, rounds, request)
    return already_voted(pending, request)


@rule("WP-2.9-PROPOSAL", "WP-2.8-VOTE")
def proposal_kind(owner: Owner | None) -> Kind:
    """Return what a vote for a proposal says: with one owner it confirms at once. Section 2.9."""
    return Kind.VALIDATED if isinstance(owner, Owners) else Kind.CONFIRMED


@rule("WP-2.9-VALIDATED")
def check_validated_kind(owner: Owner | None) -> None:
    """Accept validated certificates on chains with several owners only.

    Rejects: UNEXPECTED_CERTIFICATE_KIND. Section 2.9.
    """
    require(isinstance(owner, Owners), Reason.UNEXPECTED_CERTIFICATE_KIND, Kind.VALIDATED)  # ALG3-24


@rule("WP-2.8-HANDLE-CERTIFICATE")
def check_kind(kind: Kind) -> None:
    """Accept a confirmed certificate. Rejects: UNEXPECTED_CERTIFICATE_KIND. Section 2.8."""
    require(kind is Kind.CONFIRMED, Reason.UNEXPECTED_CERTIFICATE_KIND, kind)  # ALG2-21


@rule("WP-2.9-FINAL-VOTE")
def standing_ballot(owner: Owner | None, pending: ExecutedBlock | None, rounds: Rounds) -> Ballot | None:
    """Return what a node that accepted these votes for now, ⊥ before the first proposal of a height. Section 2.9."""
    locked = rounds.locked
    if locked is not None and locked.round == current_round(rounds):
        return Kind.CONFIRMED, locked.executed, locked.round
    if pending is None or owner is None:
        return None
    return proposal_kind(owner), pending, rounds.last

"""Who may propose, and when a validator votes: the single-owner rule (sections 2.1, 2.8). Rounds come behind it."""

from .block import Block, ExecutedBlock
from .certificate import Kind
from .notation import PublicKey, rule, u32
from .rejections import Reason, require


@rule("WP-2.4-OWNER")
def check_active(created: bool, owner: PublicKey | None) -> None:
    """Accept a chain that was created and not closed. Rejects: INACTIVE_CHAIN, CHAIN_CLOSED. Section 2.4."""
    require(created, Reason.INACTIVE_CHAIN)  # ALG2-02, ALGA-72
    require(owner is not None, Reason.CHAIN_CLOSED)  # ALG2-03, ALGA-73


@rule("WP-2.1-OWNER-PROPOSES")
def check_proposer(owner: PublicKey | None, proposer: PublicKey) -> None:
    """Accept the owner of the chain. Rejects: INVALID_OWNER. Section 2.1."""
    require(owner == proposer, Reason.INVALID_OWNER, proposer)  # ALG2-04


@rule("WP-2.8-PENDING")
def already_voted(pending: ExecutedBlock | None, block: Block, round: u32) -> ExecutedBlock | None:
    """Apply the voting rule: one block per height, in round 0. Return the vote cast for ``block`` before, if any.

    Rejects: INVALID_BLOCK_PROPOSAL, PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST. Section 2.8.
    """
    require(round == 0, Reason.INVALID_BLOCK_PROPOSAL, round)  # ALG2-09
    if pending is not None:
        require(pending.block == block, Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST, pending.block)  # ALG2-10
    return pending


@rule("WP-2.8-HANDLE-CERTIFICATE")
def check_kind(kind: Kind) -> None:
    """Accept a confirmed certificate. Rejects: UNEXPECTED_CERTIFICATE_KIND. Section 2.8."""
    require(kind is Kind.CONFIRMED, Reason.UNEXPECTED_CERTIFICATE_KIND, kind)  # ALG2-21

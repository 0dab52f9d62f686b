"""Profiles: the baseline is the whitepaper with revision A; a legitimate other rule is a named variant, as data."""

from enum import Enum
from typing import Final

from attrs import frozen


class QuorumRule(Enum):
    """How many voting rights make a quorum out of N (decision D11)."""

    N_MINUS_F = "N - f"
    HALF_WAY = "⌈(N + ⌈N/3⌉) / 2⌉"


class AnticipationRule(Enum):
    """Which anticipated messages forbid a vote (decision D5)."""

    WHOLE_INBOX = "no message of the inbox is owed"
    THIS_PROPOSAL = "no message consumed by this block is owed"


@frozen
class Rules:
    """The rules that a deployment may choose."""

    quorum: QuorumRule = QuorumRule.N_MINUS_F
    anticipation: AnticipationRule = AnticipationRule.WHOLE_INBOX


BASELINE: Final = Rules()
REVISION_H: Final = Rules(QuorumRule.HALF_WAY, AnticipationRule.THIS_PROPOSAL)

"""A chain that alice and carol own, for stories of several owners."""

from typing import Any

from linera_reference.block import Block
from linera_reference.rejections import Reason

from .stories import ALICE, BOB, Story, pay, story

PROPOSAL = ("WP-2.9-PROPOSAL", "WP-2.8-HANDLE-REQUEST")
VALIDATED = ("WP-2.9-VALIDATED",)
LOW, LOCKED = Reason.INSUFFICIENT_ROUND, Reason.HAS_LOCKED_BLOCK
KIND = Reason.UNEXPECTED_CERTIFICATE_KIND
SHARED: dict[str, tuple[tuple[int, ...], Any]] = {"alice+carol": (ALICE, 100), "bob": (BOB, 10)}


def shared(scheme: str = "ed25519", **more: Any) -> Story:
    """Begin where alice and carol own chain 0, after its first block."""
    told = story(scheme, chains=SHARED, **more)
    return told.given(told.certificate(told.block(ALICE)))


def pair(told: Story) -> tuple[Block, Block]:
    """Return two blocks for one height."""
    return told.block(ALICE, pay(BOB, 1)), told.block(ALICE, pay(BOB, 2))

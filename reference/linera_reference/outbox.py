"""Outboxes and cross-chain requests (section A.2): heights of blocks whose messages a recipient did not acknowledge."""

from typing import Final

from attrs import frozen
from immutables import Map

from .certificate import Certificate
from .containers import Queue
from .identifiers import ChainId
from .notation import MAX_U64, rule, u64
from .rejections import Reason, require


@frozen
class Outbox:
    """Heights of blocks with messages for one recipient, strictly increasing, all below ``next_schedule``."""

    next_schedule: u64 = 0
    queue: Queue[int] = Queue()


NOTHING_SENT: Final = Outbox()


@frozen
class UpdateRecipient:
    """Cross-chain request: the whole outbox of ``recipient`` at ``sender``, in order, as certified blocks."""

    sender: ChainId
    recipient: ChainId
    certificates: tuple[Certificate, ...]


@frozen
class ConfirmUpdatedRecipient:
    """Cross-chain answer: ``recipient`` received all messages of ``sender`` up to ``height``."""

    sender: ChainId
    recipient: ChainId
    height: u64


@rule("WP-A.2-SCHEDULE")
def schedule(outbox: Outbox, height: u64) -> Outbox:
    """Queue a height; nothing happens below ``next_schedule``. Rejects: ARITHMETIC at 2⁶⁴ − 1. Section A.2."""
    if height < outbox.next_schedule:  # ALGA-45
        return outbox
    require(height < MAX_U64, Reason.ARITHMETIC, height)  # ALGA-46
    return Outbox(height + 1, outbox.queue.push(height))  # ALGA-47, ALGA-48


@rule("WP-A.2-CONFIRM")
def confirm(outbox: Outbox, height: u64) -> tuple[tuple[int, ...], Outbox]:
    """Drop every queued height up to ``height``; return the dropped heights and the rest. Section A.2."""
    confirmed, queue = outbox.queue.split_before(height + 1, _height)  # ALGA-51, ALGA-52
    return confirmed, Outbox(outbox.next_schedule, queue)


def _height(height: int) -> int:
    return height


@rule("WP-A.2-COUNTERS")
def count_up(counters: Map[int, int], height: u64, recipients: int) -> Map[int, int]:
    """So many more recipients wait for the block at ``height``; zero is not stored. Section A.2."""
    count = counters.get(height, 0) + recipients  # ALGA-49
    return counters.set(height, count) if count > 0 else counters


@rule("WP-A.2-COUNTERS")
def count_down(counters: Map[int, int], height: u64) -> Map[int, int]:
    """One recipient less waits for the block at ``height``; zero is not stored. Section A.2."""
    count = counters[height]
    return counters.set(height, count - 1) if count > 1 else counters.delete(height)  # ALGA-53


@rule("WP-A.2-COUNTERS")
def delivered_up_to(counters: Map[int, int], height: u64) -> bool:
    """Whether every message of every block up to ``height`` was acknowledged. Section A.2."""
    return min(counters, default=height + 1) > height  # ALGA-56

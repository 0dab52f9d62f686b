"""Outboxes and counters of undelivered messages (A.2)."""

from collections.abc import Iterator

from immutables import Map

from linera_invariants.vectors.model import Case
from linera_reference.containers import Queue
from linera_reference.notation import MAX_U64
from linera_reference.outbox import Outbox, schedule
from linera_reference.rejections import Reason

from .support import accumulated, caller

ABOUT = "Outboxes: scheduling and confirming heights, counters of waiting recipients, delivery up to a height."

HEIGHTS = range(4)


def cases() -> Iterator[Case]:
    """Yield the cases, simplest first."""
    reached = states()
    yield from schedules(reached)
    yield from confirmations(reached)
    yield from counters()
    yield from deliveries()
    yield from accumulated("outbox", 100_000, "WP-A.2-SCHEDULE", "WP-A.2-CONFIRM", "WP-A.2-COUNTERS")


def states() -> list[tuple[str, Outbox]]:
    """Return the outboxes of all increasing sequences of few heights."""
    found = [("nothing", Outbox())]
    for path, outbox in found:
        for height in HEIGHTS[outbox.next_schedule : -1]:
            name = f"{height}" if path == "nothing" else f"{path}-{height}"
            found.append((name, schedule(outbox, height)))
    return found


def schedules(reached: list[tuple[str, Outbox]]) -> Iterator[Case]:
    """Each height in each outbox, and the last heights."""
    for path, outbox in reached:
        call = caller("schedule", "WP-A.2-SCHEDULE", outbox=outbox, source_="enumeration")
        for height in HEIGHTS:
            yield call(f"schedule-{height}-after-{path}", f"After scheduling {path}: schedule {height}.", height=height)
    emptied = Outbox(3, Queue())
    call = caller("schedule", "WP-A.2-SCHEDULE")
    for name, outbox, height, reason, why in (
        ("below-emptied", emptied, 2, None, "What was confirmed is not scheduled again."),
        ("at-emptied", emptied, 3, None, "The next height, after everything was confirmed."),
        ("last-but-one", Outbox(), MAX_U64 - 1, None, "The largest height that has a successor."),
        ("last", Outbox(), MAX_U64, Reason.ARITHMETIC, "The last height has no successor."),
        ("last-after-last-but-one", schedule(Outbox(), MAX_U64 - 1), MAX_U64, Reason.ARITHMETIC, "Nor has it later."),
        (
            "last-but-one-again",
            schedule(Outbox(), MAX_U64 - 1),
            MAX_U64 - 1,
            None,
            "Scheduled before: nothing happens.",
        ),
    ):
        yield call(f"schedule-{name}", why, reason, outbox=outbox, height=height)


def confirmations(reached: list[tuple[str, Outbox]]) -> Iterator[Case]:
    """Each height in each outbox, and the last heights."""
    for path, outbox in reached:
        call = caller("confirm", "WP-A.2-CONFIRM", outbox=outbox, source_="enumeration")
        for height in HEIGHTS:
            yield call(
                f"confirm-{height}-after-{path}", f"After scheduling {path}: confirm up to {height}.", height=height
            )
    extreme = schedule(schedule(Outbox(), 0), MAX_U64 - 1)
    call = caller("confirm", "WP-A.2-CONFIRM", outbox=extreme)
    for height in (MAX_U64 - 2, MAX_U64 - 1, MAX_U64):
        yield call(f"confirm-{height}", "Confirming at the end of the range: nothing wraps.", height=height)


def counters() -> Iterator[Case]:
    """Counting waiting recipients up and down."""
    for name, before, height, recipients, why in (
        ("first", {}, 0, 1, "The first recipient of a block."),
        ("several", {}, 5, 3, "Three recipients of one block."),
        ("more", {5: 3}, 5, 2, "More recipients wait for the same block."),
        ("other-height", {5: 3}, 6, 1, "Another block has a counter of its own."),
        ("none", {}, 5, 0, "A block without recipients is not stored."),
        ("none-more", {5: 3}, 5, 0, "No more recipients: nothing changes."),
        ("last-height", {}, MAX_U64, 1, "The last height."),
    ):
        call = caller("count_up", "WP-A.2-COUNTERS")
        yield call(f"count-up-{name}", why, counters=Map(before), height=height, recipients=recipients)
    for name, before, height, why in (
        ("last", {5: 1}, 5, "At zero, a counter is not stored."),
        ("one-of-two", {5: 2}, 5, "One recipient less."),
        ("one-of-three", {5: 3, 6: 1}, 5, "Other blocks keep their counters."),
        ("other-stays", {5: 1, 6: 1}, 6, "Only the counter of this block goes."),
    ):
        call = caller("count_down", "WP-A.2-COUNTERS")
        yield call(f"count-down-{name}", why, counters=Map(before), height=height)


def deliveries() -> Iterator[Case]:
    """Whether everything up to a height was acknowledged."""
    delivered = caller("delivered_up_to", "WP-A.2-COUNTERS")
    for name, before, height, all_delivered, why in (
        ("nothing-waits", {}, 0, True, "Nothing waits at height 0."),
        ("nothing-waits-last", {}, MAX_U64, True, "Nothing waits anywhere."),
        ("waits-at", {3: 1}, 3, False, "A recipient waits for this block."),
        ("waits-before", {2: 1}, 3, False, "A recipient waits for an earlier block."),
        ("waits-after", {4: 1}, 3, True, "A later block does not matter."),
        ("waits-before-and-after", {9: 1, 2: 2, 5: 1}, 3, False, "The earliest waiting block decides."),
        ("waits-after-twice", {9: 1, 5: 1}, 3, True, "Later blocks do not matter."),
        ("waits-at-zero", {0: 1}, 0, False, "A recipient waits for the first block."),
        ("waits-at-last", {MAX_U64: 1}, MAX_U64, False, "A recipient waits for the last block."),
        ("waits-at-last-only", {MAX_U64: 1}, MAX_U64 - 1, True, "Everything before the last block was acknowledged."),
    ):
        yield delivered(f"delivered-{name}", why, counters=Map(before), height=height, gives_=all_delivered)

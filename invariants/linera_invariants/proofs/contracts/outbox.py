"""Outboxes and their counters: what is queued for whom, and how many wait for each height."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import z3
from attrs import evolve, frozen

from linera_invariants.proofs.codecs import INTEGERS, numbers, unknown
from linera_invariants.proofs.lifted import lifted
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import (
    SInt,
    assume,
    attempt,
    claim,
    claim_parts,
    conj,
    conjuncts,
    disj,
    fresh,
    term,
)
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import Dropped, SMap, SQueue, forall, split_contract
from linera_reference.notation import MAX_U64
from linera_reference.outbox import NOTHING_SENT, Outbox, confirm, count_down, count_up, schedule
from linera_reference.rejections import Reason, Rejected

from .chain import HEIGHTS, OUTBOXES, queues

QUEUES = queues(HEIGHTS)
NUMBERS = (z3.IntSort(),)


# --- One outbox --------------------------------------------------------------------------------------------------


@frozen(eq=False)
class Words:
    """What the contracts say of an outbox: whether a height is queued, and whether the outbox has its shape."""

    holds: Callable[[Any, Any], z3.BoolRef]
    has_shape: Callable[[Any], z3.BoolRef]


def holds(queue: SQueue, height: Any) -> z3.BoolRef:
    """Say that a height is queued."""
    i = z3.Int("i!")
    return z3.Exists([i], conj(queue.head <= i, i < queue.tail, queue.array[i] == height))


def has_shape(outbox: Outbox) -> z3.BoolRef:
    """Say that the heights in an outbox increase and lie below ``next_schedule``."""
    queue: Any = outbox.queue

    def pair(i: Any, j: Any) -> z3.BoolRef:
        return z3.Implies(conj(queue.head <= i, i < j, j < queue.tail), queue.array[i] < queue.array[j])

    def item(i: Any) -> z3.BoolRef:
        height = queue.array[i]
        return z3.Implies(conj(queue.head <= i, i < queue.tail), conj(height >= 0, height < term(outbox.next_schedule)))

    ordered = conj(forall(NUMBERS * 2, pair, "i"), forall(NUMBERS, item, "i"))
    return conj(queue.head <= queue.tail, HEIGHTS.valid(term(outbox.next_schedule)), ordered)


MEANING = Words(holds, has_shape)
"""What the words mean; the proofs about single outboxes need to know."""

_HELD = z3.Function("held", QUEUES.sort, z3.IntSort(), z3.BoolSort())
_SHAPED = z3.Function("shaped", OUTBOXES.sort, z3.BoolSort())
WORDS = Words(lambda queue, height: _HELD(QUEUES.pack(queue), height), lambda outbox: _SHAPED(OUTBOXES.pack(outbox)))
"""The words alone: the proofs about all outboxes of a chain use what was proved about single ones."""


def unknown_outbox(splits: Callable[..., z3.BoolRef] = split_contract) -> Outbox:
    """Return an arbitrary outbox; ``splits`` tells what the loop of its queue does."""
    queue: Any = SQueue.unknown(HEIGHTS, "queue", splits)
    return Outbox(unknown(HEIGHTS, "next_schedule"), queue)


@formula("OUTBOX-START")
def starts_empty(w: Words, outbox: Outbox) -> z3.BoolRef:
    """Say that an outbox has its shape and holds nothing."""
    queue: Any = outbox.queue
    return conj(w.has_shape(outbox), forall(NUMBERS, lambda x: z3.Not(w.holds(queue, x))))


EMPTY = Outbox(NOTHING_SENT.next_schedule, SQueue.empty(HEIGHTS))  # type: ignore[arg-type]


@proof("OUTBOX-START")
def the_empty_outbox(_: Given) -> Iterator[Query]:
    """Look at the outbox of a chain to which nothing was sent."""
    yield from lifted("NOTHING_SENT", partial(claim, "nothing is queued", NOTHING_SENT.queue.is_empty))
    yield Query("the empty outbox", (), starts_empty(MEANING, EMPTY))


@formula("OUTBOX-SCHEDULE")
def scheduled(w: Words, before: Outbox, height: Any, after: Outbox) -> z3.BoolRef:
    """Say that exactly a height was queued, if it was at or after ``next_schedule``."""
    old: Any = before.queue
    new: Any = after.queue
    is_new = height >= term(before.next_schedule)
    queued = forall(NUMBERS, lambda x: w.holds(new, x) == disj(w.holds(old, x), conj(is_new, x == height)))
    follows = term(after.next_schedule) == z3.If(is_new, height + 1, term(before.next_schedule))
    was_not = z3.Implies(is_new, z3.Not(w.holds(old, height)))
    return conj(w.has_shape(after), queued, follows, was_not, z3.Implies(is_new, new.head < new.tail))


@proof("OUTBOX-SCHEDULE")
def scheduling(_: Given) -> Iterator[Query]:
    """Run ``schedule`` on an arbitrary outbox and height."""

    def run() -> None:
        outbox, height = unknown_outbox(), unknown(HEIGHTS, "height")
        assume(MEANING.has_shape(outbox))
        after = attempt(schedule, outbox, height)
        if isinstance(after, Rejected):
            claim("only the last height is rejected", height == MAX_U64)
            claim("as ARITHMETIC", after.reason is Reason.ARITHMETIC)
            return
        claim_parts("queues the height", said("OUTBOX-SCHEDULE", MEANING, outbox, height.term, after))
        claim("the same outbox if nothing is queued", (height.term < term(outbox.next_schedule)) == (after is outbox))

    yield from lifted("schedule", run)


def known_schedule(given: Given, outbox: Outbox, height: Any) -> Outbox:
    """Run ``schedule``, and add what is proved of it."""
    after = schedule(outbox, height)
    proved = given("OUTBOX-SCHEDULE", WORDS, outbox, term(height), after)
    assume(z3.Implies(WORDS.has_shape(outbox), proved))
    return after


@formula("OUTBOX-CONFIRM")
def confirmed(w: Words, before: Outbox, height: Any, dropped: Dropped, after: Outbox) -> z3.BoolRef:
    """Say that exactly the heights up to a given one left, and that they are what was returned."""
    old: Any = before.queue
    new: Any = after.queue
    left = SQueue(HEIGHTS, old.array, old.head, dropped.end)

    def at(x: Any) -> z3.BoolRef:
        stays = w.holds(new, x) == conj(w.holds(old, x), x > height)
        return conj(stays, w.holds(left, x) == conj(w.holds(old, x), x <= height))

    follows = term(after.next_schedule) == term(before.next_schedule)
    return conj(w.has_shape(after), forall(NUMBERS, at), follows)


@proof("OUTBOX-CONFIRM")
def confirming(given: Given) -> Iterator[Query]:
    """Run ``confirm`` on an arbitrary outbox and height."""

    def run() -> None:
        outbox, height = unknown_outbox(partial(given, "QUEUE-SPLIT")), unknown(HEIGHTS, "height")
        assume(MEANING.has_shape(outbox))
        dropped, after = attempt(confirm, outbox, height)
        claim_parts("drops what was acknowledged", said("OUTBOX-CONFIRM", MEANING, outbox, height.term, dropped, after))

    yield from lifted("confirm", run)


def known_confirm(given: Given, outbox: Outbox, height: Any) -> tuple[Dropped, Outbox]:
    """Run ``confirm``, and add what is proved of it."""
    queue: Any = outbox.queue
    dropped: Any
    dropped, after = confirm(evolve(outbox, queue=evolve(queue, splits=split_contract)), height)
    proved = given("OUTBOX-CONFIRM", WORDS, outbox, term(height), dropped, after)
    assume(z3.Implies(WORDS.has_shape(outbox), proved))
    return dropped, after


@formula("QUEUE-PREFIX")
def prefixes(w: Words, outbox: Outbox, end: Any, index: Any) -> z3.BoolRef:
    """Say what the heights before an index are: none at the front, and one more at each index up to an end."""
    whole: Any = outbox.queue
    start, part, longer, queue = (evolve(whole, tail=tail) for tail in (whole.head, index, index + 1, end))
    item = whole.array[index]
    grows = forall(NUMBERS, lambda x: w.holds(longer, x) == disj(w.holds(part, x), x == item))
    turn = conj(w.has_shape(outbox), whole.head <= index, index < end, end <= whole.tail)
    one_more = conj(z3.Not(w.holds(part, item)), w.holds(queue, item), grows)
    return conj(forall(NUMBERS, lambda x: z3.Not(w.holds(start, x))), z3.Implies(turn, one_more))


@proof("QUEUE-PREFIX")
def the_prefixes_of_a_queue(_: Given) -> Iterator[Query]:
    """Unfold what the words mean."""
    array = z3.Const("queue", z3.ArraySort(z3.IntSort(), z3.IntSort()))
    queue: Any = SQueue(HEIGHTS, array, *z3.Ints("head tail"))
    outbox = Outbox(SInt(z3.Int("next_schedule")), queue)  # type: ignore[arg-type]
    said_parts = conjuncts(said("QUEUE-PREFIX", MEANING, outbox, *z3.Ints("end index")))
    yield from (Query(f"prefixes ({number})", (), part) for number, part in enumerate(said_parts, 1))


# --- Counters ----------------------------------------------------------------------------------------------------


@formula("COUNTERS")
def counts(counters: SMap, height: Any, number: Any) -> z3.BoolRef:
    """Say how many wait for a height; zero is not stored."""
    return conj(
        counters.present[height] == (number > 0), z3.Implies(number > 0, counters.array[height] == number), number >= 0
    )


def unknown_counters(name: str = "counters") -> SMap:
    """Return arbitrary counters."""
    return SMap.unknown(HEIGHTS, INTEGERS, name)


@proof("COUNTERS")
def counting(_: Given) -> Iterator[Query]:
    """Run ``count_up`` and ``count_down`` on arbitrary counters; look at the height and at another one."""

    def run(rule: Callable[[Any, SInt], tuple[Any, Any]]) -> None:
        counters, height, other = unknown_counters(), unknown(HEIGHTS, "height"), unknown(HEIGHTS, "other")
        number, others = fresh("number", z3.IntSort()), fresh("others", z3.IntSort())
        assume(said("COUNTERS", counters, height.term, number))
        assume(said("COUNTERS", counters, other.term, others))
        after, change = rule(counters, height)
        expected = z3.If(other.term == height.term, others + change, others)
        assume(z3.Implies(other.term == height.term, others == number))
        assume(number + change >= 0)
        claim("one height changes", said("COUNTERS", after, other.term, expected))

    def up(counters: Any, height: Any) -> tuple[Any, Any]:
        recipients = unknown(numbers(0, None), "recipients")
        return attempt(count_up, counters, height, recipients), recipients.term

    def down(counters: Any, height: Any) -> tuple[Any, Any]:
        assume(counters.present[height.term])
        return attempt(count_down, counters, height), z3.IntVal(-1)

    yield from lifted("count_up", lambda: run(up))
    yield from lifted("count_down", lambda: run(down))

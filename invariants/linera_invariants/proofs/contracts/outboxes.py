"""All outboxes of a chain: what a block and an acknowledgement do to them, and that the counters count them.

The loops run over any number of recipients and heights. They use what was proved of single outboxes, in words.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import z3
from attrs import evolve, frozen

from linera_invariants.proofs.codecs import CHAIN_IDS, INTEGERS, unknown
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import SInt, assume, attempt, claim, claim_parts, conj, disj, fresh, hint, term
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import Dropped, SMap, SQueue, Walk, forall
from linera_reference.chain import Localized, confirm_messages, schedule_messages
from linera_reference.notation import MAX_U64
from linera_reference.outbox import NOTHING_SENT, Outbox, delivered_up_to
from linera_reference.rejections import Reason, Rejected

from .chain import HEIGHTS, OUTBOXES
from .mailboxes import opaque
from .outbox import EMPTY, NUMBERS, WORDS, counts, known_confirm, known_schedule, unknown_counters

RECIPIENTS = z3.ArraySort(CHAIN_IDS.sort, z3.BoolSort())
SIZE = z3.Function("size", RECIPIENTS, z3.IntSort())
"""How many chains a finite set has."""

NOTHING = z3.K(z3.IntSort(), z3.BoolVal(False))
NOBODY = z3.K(CHAIN_IDS.sort, z3.BoolVal(False))


@formula("FINITE-SETS")
def has_size(members: Any, chain: Any) -> z3.BoolRef:
    """Say how the size of a finite set changes with one chain."""
    joined, left = (z3.Store(members, chain, z3.BoolVal(side)) for side in (True, False))
    is_member = z3.Select(members, chain)
    grows = SIZE(joined) == SIZE(members) + z3.If(is_member, 0, 1)
    shrinks = SIZE(left) == SIZE(members) - z3.If(is_member, 1, 0)
    r = z3.Const("r!", CHAIN_IDS.sort)
    has_member = z3.Implies(SIZE(members) > 0, z3.Exists([r], z3.Select(members, r)))
    return conj(grows, shrinks, SIZE(members) >= 0, SIZE(left) >= 0, SIZE(NOBODY) == 0, has_member)


def counted(outboxes: SMap, counters: SMap, waiting: Any) -> dict[str, z3.BoolRef]:
    """Say that every outbox has its shape and is not empty, and that the counters count who waits for each height."""

    def outbox(chain: Any) -> z3.BoolRef:
        box = OUTBOXES.unpack(outboxes.array[chain])
        queue: Any = box.queue
        return z3.Implies(outboxes.present[chain], conj(WORDS.has_shape(box), queue.head < queue.tail))

    def waits(height: Any, chain: Any) -> z3.BoolRef:
        return z3.Select(waiting[height], chain) == is_queued(outboxes, chain, height)

    return {
        "outboxes have their shape, and none is empty": forall((CHAIN_IDS.sort,), outbox, "r"),
        "who waits for a height has it queued": forall((*NUMBERS, CHAIN_IDS.sort), waits, "h"),
        "the counters count who waits": forall(NUMBERS, lambda x: counts(counters, x, SIZE(waiting[x]))),
    }


def is_queued(outboxes: SMap, chain: Any, height: Any) -> z3.BoolRef:
    """Say that a height is queued for a recipient."""
    queue: Any = OUTBOXES.unpack(outboxes.array[chain]).queue
    return conj(outboxes.present[chain], WORDS.holds(queue, height))


@frozen(eq=False)
class Sent:
    """What a chain sent: which heights wait for which recipient, and the next one that can be queued for it."""

    queued: Callable[[Any, Any], z3.BoolRef]
    next_schedule: Callable[[Any], z3.ArithRef]
    is_counted: z3.BoolRef


def sent(outboxes: SMap, counters: SMap, waiting: Any) -> Sent:
    """Return what outboxes say; ``waiting`` gives the set of recipients that wait for each height."""

    def next_schedule(chain: Any) -> Any:
        stored = term(OUTBOXES.unpack(outboxes.array[chain]).next_schedule)
        return z3.If(outboxes.present[chain], stored, NOTHING_SENT.next_schedule)

    return Sent(partial(is_queued, outboxes), next_schedule, conj(*counted(outboxes, counters, waiting).values()))


@frozen(eq=False)
class Outboxes:
    """All outboxes of a chain with their counters, and who waits for each height."""

    outboxes: Any
    counters: Any
    waiting: Any

    @classmethod
    def arbitrary(cls) -> "Outboxes":
        """Return arbitrary ones."""
        waiting = fresh("waiting", z3.ArraySort(z3.IntSort(), RECIPIENTS))
        return cls(SMap.unknown(CHAIN_IDS, OUTBOXES, "outboxes"), unknown_counters(), waiting)

    @classmethod
    def counted(cls) -> "Outboxes":
        """Return arbitrary ones that are counted; witnesses may take the empty ones."""
        found = cls.arbitrary()
        hint(conj(found.outboxes.present == NOBODY, found.waiting == z3.K(z3.IntSort(), NOBODY)))
        hint(found.counters.present == NOTHING)
        assume(found.sent.is_counted)
        return found

    @property
    def sent(self) -> Sent:
        """In the words of the contracts."""
        return sent(self.outboxes, self.counters, self.waiting)

    @property
    def local(self) -> Localized:
        """As part of a chain; whatever looks at anything else fails loudly."""
        return Localized(**opaque(Localized) | {"outboxes": self.outboxes, "counters": self.counters})


@formula("OUTBOXES-START")
def is_counted(chain: Sent) -> z3.BoolRef:
    """Say that the counters of a chain count who waits."""
    return chain.is_counted


@proof("OUTBOXES-START")
def no_outboxes(given: Given) -> Iterator[Query]:
    """Look at a chain without outboxes and counters."""
    arrays = (z3.ArraySort(s, t) for s, t in ((CHAIN_IDS.sort, OUTBOXES.sort), (z3.IntSort(), z3.IntSort())))
    boxes, numbers = (z3.Const(name, sort) for name, sort in zip(("outboxes", "counters"), arrays, strict=True))
    outboxes, counters = SMap(CHAIN_IDS, OUTBOXES, NOBODY, boxes), SMap(HEIGHTS, INTEGERS, NOTHING, numbers)
    size = given("FINITE-SETS", NOBODY, z3.Const("r", CHAIN_IDS.sort))
    for label, clause in counted(outboxes, counters, z3.K(z3.IntSort(), NOBODY)).items():
        yield Query(label, (size,), clause)


# --- Scheduling a block ------------------------------------------------------------------------------------------


@frozen(eq=False)
class Recipients:
    """A finite set of chains, as a loop over it walks it: each member once, at its position."""

    members: Any
    position: Any
    queue: SQueue

    @classmethod
    def arbitrary(cls) -> "Recipients":
        """Return an arbitrary set."""
        position = fresh("position", z3.ArraySort(CHAIN_IDS.sort, z3.IntSort()))
        found = cls(fresh("recipients", RECIPIENTS), position, SQueue.unknown(CHAIN_IDS, "walked"))
        hint(found.members == NOBODY)
        assume(forall((CHAIN_IDS.sort,), found._has_position))
        assume(forall(NUMBERS, found._is_member))
        return found

    def before(self, chain: Any, index: Any) -> z3.BoolRef:
        """Say that a chain was walked before an index."""
        return conj(self.members[chain], self.position[chain] < index)

    def _has_position(self, chain: Any) -> z3.BoolRef:
        place = self.position[chain]
        inside = conj(self.queue.head <= place, place < self.queue.tail, self.queue.array[place] == chain)
        return z3.Implies(self.members[chain], inside)

    def _is_member(self, index: Any) -> z3.BoolRef:
        chain, inside = self.queue.array[index], conj(self.queue.head <= index, index < self.queue.tail)
        return z3.Implies(inside, conj(self.members[chain], self.position[chain] == index))


@frozen(eq=False)
class Scheduling:
    """The loop over the recipients of one block: ``waiting`` is who waits for its height after each turn."""

    given: Given
    start: Outboxes
    recipients: Recipients
    height: Any
    waiting: Any
    joining: Any

    @classmethod
    def of(cls, given: Given, start: Outboxes, recipients: Recipients, height: Any) -> "Scheduling":
        """Define who waits after each turn, and for whom the height can be queued."""
        waiting, joining = fresh("turns", z3.ArraySort(z3.IntSort(), RECIPIENTS)), fresh("joining", RECIPIENTS)
        assume(waiting[recipients.queue.head] == start.waiting[height])
        next_schedule = start.sent.next_schedule
        assume(forall((CHAIN_IDS.sort,), lambda r: z3.Select(joining, r) == (next_schedule(r) <= height), "r"))
        return cls(given, start, recipients, height, waiting, joining)

    @property
    def before(self) -> Any:
        """The outboxes before the loop."""
        return self.start.outboxes

    def fold(self, step: Callable[..., Any], init: Any, items: Recipients) -> Any:
        """Stand for ``fold`` over the recipients."""
        claim("over the recipients", items is self.recipients)
        return Walk(items.queue, self.known, self.unknown).fold(step, init)

    def known(self, index: Any, value: tuple[Any, Any]) -> z3.BoolRef:
        """Say what the loop did up to an index."""
        outboxes, number = value
        self._define(index)
        first, now = (SIZE(self.waiting[i]) for i in (self.recipients.queue.head, index))
        clauses = (self._waits, partial(self._stays, outboxes), partial(self._is_shaped, outboxes))
        chains = (forall((CHAIN_IDS.sort,), lambda r, c=clause: c(r, index), "r") for clause in clauses)
        heights = forall((CHAIN_IDS.sort, *NUMBERS), lambda r, x: self._holds(outboxes, r, x, index), "r")
        return conj(term(number) == now - first, now >= first, *chains, heights)

    def unknown(self) -> tuple[Any, Any]:
        """Return arbitrary outboxes, and any number of new entries."""
        return SMap.unknown(CHAIN_IDS, OUTBOXES, "scheduled"), SInt(fresh("new", z3.IntSort()))

    def _define(self, index: Any) -> None:
        """Add whom the turn at an index adds."""
        chain, now = self.recipients.queue.array[index], self.waiting[index]
        joined = z3.Store(now, chain, z3.BoolVal(True))
        assume(self.waiting[index + 1] == z3.If(self._joins(chain), joined, now))
        assume(self.given("FINITE-SETS", now, chain))

    def _joins(self, chain: Any) -> z3.BoolRef:
        return z3.Select(self.joining, chain)

    def _is_done(self, chain: Any, index: Any) -> z3.BoolRef:
        return conj(self.recipients.before(chain, index), self._joins(chain))

    def _waits(self, chain: Any, index: Any) -> z3.BoolRef:
        first = z3.Select(self.waiting[self.recipients.queue.head], chain)
        return z3.Select(self.waiting[index], chain) == disj(first, self._is_done(chain, index))

    def _stays(self, outboxes: SMap, chain: Any, index: Any) -> z3.BoolRef:
        same_presence = outboxes.present[chain] == self.before.present[chain]
        same = z3.Implies(outboxes.present[chain], outboxes.array[chain] == self.before.array[chain])
        return disj(self._is_done(chain, index), conj(same_presence, same))

    def _is_shaped(self, outboxes: SMap, chain: Any, index: Any) -> z3.BoolRef:
        box = OUTBOXES.unpack(outboxes.array[chain])
        queue: Any = box.queue
        shaped = conj(outboxes.present[chain], WORDS.has_shape(box), queue.head < queue.tail)
        follows = term(box.next_schedule) == self.height + 1
        return z3.Implies(self._is_done(chain, index), conj(shaped, follows))

    def _holds(self, outboxes: SMap, chain: Any, height: Any, index: Any) -> z3.BoolRef:
        queue: Any = OUTBOXES.unpack(outboxes.array[chain]).queue
        expected = disj(is_queued(self.before, chain, height), height == self.height)
        return z3.Implies(self._is_done(chain, index), WORDS.holds(queue, height) == expected)


@formula("SCHEDULE-MESSAGES")
def queued_for_all(before: Sent, members: Callable[[Any], z3.BoolRef], height: Any, after: Sent) -> z3.BoolRef:
    """Say that a height was queued for all recipients for whom it can be."""

    def joins(chain: Any) -> z3.BoolRef:
        return conj(members(chain), before.next_schedule(chain) <= height)

    def queued(chain: Any, x: Any) -> z3.BoolRef:
        return after.queued(chain, x) == disj(before.queued(chain, x), conj(x == height, joins(chain)))

    def follows(chain: Any) -> z3.BoolRef:
        return after.next_schedule(chain) == z3.If(joins(chain), height + 1, before.next_schedule(chain))

    changes = conj(forall((CHAIN_IDS.sort, *NUMBERS), queued, "r"), forall((CHAIN_IDS.sort,), follows, "r"))
    return z3.Implies(before.is_counted, conj(changes, after.is_counted))


@proof("SCHEDULE-MESSAGES")
def scheduling_a_block(given: Given) -> Iterator[Query]:
    """Run the loop over any number of recipients."""

    def run() -> None:
        before, height, recipients = Outboxes.counted(), unknown(HEIGHTS, "height"), Recipients.arbitrary()
        assume(given("OUTBOX-START", WORDS, EMPTY))
        loop = Scheduling.of(given, before, recipients, height.term)
        shipped = with_callees(
            schedule_messages,
            schedule=partial(known_schedule, given),
            NOTHING_SENT=EMPTY,
            fold=loop.fold,
        )
        found = attempt(shipped, before.local, recipients, height)
        if isinstance(found, Rejected):
            claim("only the last height is rejected", height == MAX_U64)
            claim("as ARITHMETIC", found.reason is Reason.ARITHMETIC)
            return
        now = z3.Store(before.waiting, height.term, loop.waiting[recipients.queue.tail])
        after = Outboxes(found[0], found[1], now)
        contract = said("SCHEDULE-MESSAGES", before.sent, recipients.members.__getitem__, height.term, after.sent)
        claim_parts("queued for all, and counted", contract.arg(1))

    yield from lifted("schedule_messages", run)


# --- Confirming a block ------------------------------------------------------------------------------------------


@formula("CONFIRM-MESSAGES")
def left_the_outbox(before: Sent, recipient: Any, height: Any, after: Sent) -> z3.BoolRef:
    """Say that exactly the heights up to an acknowledged one left, of one recipient."""

    def queued(chain: Any, x: Any) -> z3.BoolRef:
        left = conj(chain == recipient, x <= height)
        return after.queued(chain, x) == conj(before.queued(chain, x), z3.Not(left))

    def follows(chain: Any) -> z3.BoolRef:
        return after.next_schedule(chain) <= before.next_schedule(chain)

    changes = conj(forall((CHAIN_IDS.sort, *NUMBERS), queued, "r"), forall((CHAIN_IDS.sort,), follows, "r"))
    return z3.Implies(before.is_counted, conj(changes, after.is_counted))


@frozen(eq=False)
class Confirming:
    """The loop over the heights that left an outbox."""

    given: Given
    outbox: Outbox
    dropped: Dropped
    waiting: Any

    @property
    def queue(self) -> SQueue:
        """The heights that left."""
        return evolve(self.dropped.queue, tail=self.dropped.end)

    def known(self, index: Any, counters: SMap) -> z3.BoolRef:
        """Say that one less waits for each height before an index."""
        part = evolve(self.queue, tail=index)
        assume(self.given("QUEUE-PREFIX", WORDS, self.outbox, self.dropped.end, index))

        def at(x: Any) -> z3.BoolRef:
            return counts(counters, x, SIZE(self.waiting[x]) - z3.If(WORDS.holds(part, x), 1, 0))

        return forall(NUMBERS, at)


@proof("CONFIRM-MESSAGES")
def confirming_a_block(given: Given) -> Iterator[Query]:
    """Run the loop over any number of heights."""

    def run() -> None:
        before, height, recipient = Outboxes.counted(), unknown(HEIGHTS, "height"), unknown(CHAIN_IDS, "recipient")
        assume(forall(NUMBERS, lambda x: given("FINITE-SETS", before.waiting[x], term(recipient))))

        def walk(step: Any, init: Any, dropped: Dropped) -> Any:
            outbox = OUTBOXES.unpack(before.outboxes.array[recipient.term])
            loop = Confirming(given, outbox, dropped, before.waiting)
            return Walk(loop.queue, loop.known, partial(unknown_counters, "counted")).fold(step, init)

        shipped = with_callees(confirm_messages, confirm=partial(known_confirm, given), fold=walk)
        local = attempt(shipped, before.local, recipient, height)
        after = Outboxes(local.outboxes, local.counters, without(before.waiting, recipient.term, height.term))
        contract = said("CONFIRM-MESSAGES", before.sent, recipient.term, height.term, after.sent)
        claim_parts("what left, and counted", contract.arg(1))

    yield from lifted("confirm_messages", run)


def without(waiting: Any, recipient: Any, height: Any) -> Any:
    """Return who waits for each height without a recipient, up to a height."""
    now = fresh("now", waiting.sort())

    def at(x: Any) -> z3.BoolRef:
        return now[x] == z3.If(x <= height, z3.Store(waiting[x], recipient, z3.BoolVal(False)), waiting[x])

    assume(forall(NUMBERS, at))
    return now


def smallest(counters: SMap, default: Any) -> Any:
    """Stand for ``min``: the smallest key, or the default without one."""
    if not counters:
        return default
    least = fresh("least", z3.IntSort())
    below = forall(NUMBERS, lambda x: z3.Implies(counters.present[x], least <= x))
    assume(conj(counters.present[least], below))
    return SInt(least)


# --- Reporting ---------------------------------------------------------------------------------------------------


@formula("DELIVERED-UP-TO")
def nobody_waits(chain: Sent, height: Any, says: z3.BoolRef) -> z3.BoolRef:
    """Say that a height is reported as delivered exactly if nobody waits for it or a lower one."""

    def at(recipient: Any, x: Any) -> z3.BoolRef:
        return z3.Implies(chain.queued(recipient, x), x > height)

    return z3.Implies(chain.is_counted, says == forall((CHAIN_IDS.sort, *NUMBERS), at))


@proof("DELIVERED-UP-TO")
def reporting(given: Given) -> Iterator[Query]:
    """Run ``delivered_up_to`` on arbitrary counters."""

    def run() -> None:
        chain, height = Outboxes.counted(), unknown(HEIGHTS, "height")
        assume(forall((*NUMBERS, CHAIN_IDS.sort), lambda x, r: given("FINITE-SETS", chain.waiting[x], r)))
        says = attempt(with_callees(delivered_up_to, min=smallest), chain.counters, height)
        claim("nobody waits", said("DELIVERED-UP-TO", chain.sent, height.term, term(says)))

    yield from lifted("delivered_up_to", run)

"""Delivery at one validator: no message is lost, none is forged, and what is acknowledged was received.

One correct validator, any number of chains and blocks. Its requests and acknowledgements are its own
(OWN-REQUESTS), so nothing here speaks of quorums.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import z3

from linera_invariants.proofs.codecs import CHAIN_IDS
from linera_invariants.proofs.contracts.delivery import Delivery, sent_at
from linera_invariants.proofs.contracts.messages import MESSAGES
from linera_invariants.proofs.contracts.outboxes import Sent
from linera_invariants.proofs.queries import Query, witness
from linera_invariants.proofs.relational import Action, State, TransitionSystem, state
from linera_invariants.proofs.symbolic import conj, disj
from linera_invariants.proofs.theorems import Given, formula, proof
from linera_invariants.proofs.twins import forall

CHAIN, NUMBER, TRUTH, MESSAGE = CHAIN_IDS.sort, z3.IntSort(), z3.BoolSort(), MESSAGES.sort
BATCH, BLOCK = z3.DeclareSort("Batch"), z3.DeclareSort("ExecutedBlock")
CARRIES = z3.Function("carries", BATCH, NUMBER, TRUTH)
"""Whether a batch has a block of this height: of its sender, to its recipient."""
CARRIED = z3.Function("carried", BATCH, NUMBER, BLOCK)
"""The block of this height in a batch."""
HEIGHT_OF, SENDS = z3.Function("height_of", BLOCK, NUMBER), z3.Function("sends", BLOCK, CHAIN, TRUTH)
IS_SENT = z3.Function("is_sent", BLOCK, CHAIN, MESSAGE, TRUTH)
"""The height of a block, for whom it has messages, and which ones."""

MOMENT = state(
    next_height=(CHAIN, NUMBER),
    block=(CHAIN, NUMBER, BLOCK),
    kept=(CHAIN, BLOCK, TRUTH),
    queued=(CHAIN, CHAIN, NUMBER, TRUTH),
    next_schedule=(CHAIN, CHAIN, NUMBER),
    is_counted=(CHAIN, TRUTH),
    next_receive=(CHAIN, CHAIN, NUMBER),
    received=(CHAIN, CHAIN, MESSAGE, TRUTH),
    requested=(CHAIN, CHAIN, BATCH, TRUTH),
    acknowledged=(CHAIN, CHAIN, NUMBER, TRUTH),
)
"""One validator, by sender and recipient: ``block`` is what was committed at a height, ``kept`` its certificates."""

SENDER, RECIPIENT = z3.Consts("sender recipient", CHAIN)


def outbox_of(s: State, sender: Any) -> Sent:
    """Return what a chain sent."""
    return Sent(partial(s.queued, sender), partial(s.next_schedule, sender), s.is_counted(sender))


def with_outbox(s: State, sender: Any, outbox: Sent) -> State:
    """Replace what a chain sent."""
    return s.replace(
        queued=lambda c, r, x: z3.If(c == sender, outbox.queued(r, x), s.queued(c, r, x)),
        next_schedule=lambda c, r: z3.If(c == sender, outbox.next_schedule(r), s.next_schedule(c, r)),
        is_counted=lambda c: z3.If(c == sender, outbox.is_counted, s.is_counted(c)),
    )


def some_outbox() -> Sent:
    """Return any outbox."""
    queued = z3.Function("queued_after", CHAIN, NUMBER, TRUTH)
    return Sent(queued, z3.Function("next_schedule_after", CHAIN, NUMBER), z3.Bool("is_counted_after"))


# --- Invariants --------------------------------------------------------------------------------------------------


def committed(s: State, sender: Any, recipient: Any, height: Any) -> z3.BoolRef:
    """Say that a committed block of a chain has messages for a recipient."""
    return conj(height >= 0, height < s.next_height(sender), SENDS(s.block(sender, height), recipient))


def is_kept(s: State, sender: Any, recipient: Any, height: Any) -> z3.BoolRef:
    """Say that a block with messages is queued, or lies below what the recipient receives next."""
    kept = disj(s.queued(sender, recipient, height), height < s.next_receive(sender, recipient))
    return z3.Implies(committed(s, sender, recipient, height), kept)


def is_message(s: State, sender: Any, recipient: Any, message: Any) -> z3.BoolRef:
    """Say that a message is one of the block that was committed at its height."""
    block = s.block(sender, sent_at(message))
    return conj(committed(s, sender, recipient, sent_at(message)), IS_SENT(block, recipient, message))


def has_arrived(s: State, sender: Any, recipient: Any, message: Any) -> z3.BoolRef:
    """Say that every message below what the recipient receives next was received."""
    passed = sent_at(message) < s.next_receive(sender, recipient)
    return z3.Implies(conj(is_message(s, sender, recipient, message), passed), s.received(sender, recipient, message))


def was_sent(s: State, sender: Any, recipient: Any, message: Any) -> z3.BoolRef:
    """Say that what was received was sent."""
    return z3.Implies(s.received(sender, recipient, message), is_message(s, sender, recipient, message))


def is_useful(s: State, sender: Any, recipient: Any, height: Any) -> z3.BoolRef:
    """Say that only committed blocks with a message for the recipient are queued."""
    return z3.Implies(s.queued(sender, recipient, height), committed(s, sender, recipient, height))


def is_received(s: State, sender: Any, recipient: Any, height: Any) -> z3.BoolRef:
    """Say that only what was received is acknowledged."""
    acknowledged = s.acknowledged(sender, recipient, height)
    return z3.Implies(acknowledged, height < s.next_receive(sender, recipient))


def is_whole(s: State, sender: Any, recipient: Any, batch: Any, last: Any, height: Any) -> z3.BoolRef:
    """Say that a batch has every block with messages below one of its own that was not received."""
    earlier = conj(committed(s, sender, recipient, height), height <= last)
    there = disj(CARRIES(batch, height), height < s.next_receive(sender, recipient))
    sends_it = committed(s, sender, recipient, last)
    requested = conj(s.requested(sender, recipient, batch), CARRIES(batch, last))
    return z3.Implies(requested, conj(sends_it, z3.Implies(earlier, there)))


def is_own(s: State, sender: Any, block: Any) -> z3.BoolRef:
    """Say that a certificate that a chain keeps is that of the block which was committed at its height."""
    height = HEIGHT_OF(block)
    own = conj(height >= 0, height < s.next_height(sender), block == s.block(sender, height))
    return z3.Implies(s.kept(sender, block), own)


def is_carried(s: State, sender: Any, recipient: Any, batch: Any, height: Any) -> z3.BoolRef:
    """Say that a batch has the blocks that were committed."""
    carried = conj(s.requested(sender, recipient, batch), CARRIES(batch, height))
    own = conj(height >= 0, height < s.next_height(sender), CARRIED(batch, height) == s.block(sender, height))
    return z3.Implies(carried, own)


def is_bounded(s: State, sender: Any, recipient: Any) -> z3.BoolRef:
    """Say that nothing is ahead of the chain."""
    height = s.next_height(sender)
    ahead = conj(s.next_schedule(sender, recipient) <= height, s.next_receive(sender, recipient) <= height)
    return conj(ahead, s.next_receive(sender, recipient) >= 0, height >= 0)


PAIR, PLACE = (CHAIN, CHAIN), (CHAIN, CHAIN, NUMBER)
INVARIANTS: Final[dict[str, Callable[[State], z3.BoolRef]]] = {
    "a block is queued or received": lambda s: forall(PLACE, partial(is_kept, s)),
    "received with all its messages": lambda s: forall((*PAIR, MESSAGE), partial(has_arrived, s)),
    "what is received was sent": lambda s: forall((*PAIR, MESSAGE), partial(was_sent, s)),
    "what is queued was committed": lambda s: forall(PLACE, partial(is_useful, s)),
    "what is acknowledged was received": lambda s: forall(PLACE, partial(is_received, s)),
    "a batch is whole": lambda s: forall((*PAIR, BATCH, NUMBER, NUMBER), partial(is_whole, s)),
    "what is kept was committed": lambda s: forall((CHAIN, BLOCK), partial(is_own, s)),
    "what is carried was committed": lambda s: forall((*PAIR, BATCH, NUMBER), partial(is_carried, s)),
    "who waits is counted": lambda s: forall((CHAIN,), s.is_counted),
    "nothing is ahead": lambda s: forall(PAIR, partial(is_bounded, s)),
}


def start(s: State, given: Given) -> z3.BoolRef:
    """Say that no block is committed, and nothing is queued, under way or received."""

    def nothing(a: Any, b: Any, n: Any, batch: Any, m: Any, e: Any) -> z3.BoolRef:
        sent = (s.queued(a, b, n), s.requested(a, b, batch), s.acknowledged(a, b, n))
        nowhere = (*sent, s.received(a, b, m), s.kept(a, e))
        numbers = (s.next_height(a), s.next_schedule(a, b), s.next_receive(a, b))
        counted = given("OUTBOXES-START", outbox_of(s, a))
        return conj(counted, *(z3.Not(part) for part in nowhere), *(number == 0 for number in numbers))

    return forall((*PLACE, BATCH, MESSAGE, BLOCK), nothing)


# --- Steps -------------------------------------------------------------------------------------------------------


def keeping(s: State, t: State, given: Given, chain: Any, accepted: Any = None) -> Action:
    """Return what a step may do to the certificates that a chain keeps, and the state after it."""
    kept = z3.Function("kept_after", BLOCK, TRUTH)

    def just(e: Any) -> z3.BoolRef:
        return z3.BoolVal(False) if accepted is None else e == accepted

    def now(c: Any, e: Any) -> Any:
        return z3.If(c == chain, kept(e), s.kept(c, e))

    contract = given("KEPT-CERTIFICATES", BLOCK, partial(s.kept, chain), kept, just)
    return Action(contract, t.replace(kept=now))


def commit(s: State, given: Given) -> Action:
    """A block is committed: its height is queued for its recipients."""
    recipients, after, height = z3.Function("is_recipient", CHAIN, TRUTH), some_outbox(), s.next_height(SENDER)
    block = z3.Const("committed", BLOCK)
    queued = given("SCHEDULE-MESSAGES", outbox_of(s, SENDER), recipients, height, after)
    sends = given("COMMIT-SENDS", recipients, lambda r: SENDS(block, r))
    grown = with_outbox(s, SENDER, after).update("next_height", (SENDER,), height + 1)
    kept = keeping(s, grown.update("block", (SENDER, height), block), given, SENDER, block)
    return Action(conj(HEIGHT_OF(block) == height, sends, queued, kept.guard), kept.after)


def request(s: State, given: Given) -> Action:
    """A request is sent for a recipient: it has the certificates that are kept of what is queued."""
    batch = z3.Const("batch", BATCH)

    def own(n: Any) -> z3.BoolRef:
        block = CARRIED(batch, n)
        kept = given("CARRIED-CERTIFICATES", s.kept(SENDER, block))
        return z3.Implies(CARRIES(batch, n), conj(HEIGHT_OF(block) == n, kept))

    guard = given("UPDATE-RECIPIENT", outbox_of(s, SENDER), RECIPIENT, lambda x: CARRIES(batch, x))
    return Action(conj(guard, forall((NUMBER,), own)), s.set_true("requested", SENDER, RECIPIENT, batch))


def deliver(s: State, given: Given) -> Action:
    """A request is handled at the recipient."""
    batch, after, answer = z3.Const("batch", BATCH), z3.Int("after"), z3.Int("answer")
    received, before = z3.Function("received_after", MESSAGE, TRUTH), s.next_receive(SENDER, RECIPIENT)

    def brings(m: Any) -> z3.BoolRef:
        return conj(CARRIES(batch, sent_at(m)), IS_SENT(CARRIED(batch, sent_at(m)), RECIPIENT, m))

    told = Delivery(before, after, lambda m: s.received(SENDER, RECIPIENT, m), received)
    guard = conj(
        given("OWN-REQUESTS", s.requested(SENDER, RECIPIENT, batch)),
        given("DELIVERY", told, lambda n: CARRIES(batch, n), brings, answer),
    )
    moved = s.update("next_receive", (SENDER, RECIPIENT), after).set_true("acknowledged", SENDER, RECIPIENT, answer)

    def arrived(a: Any, b: Any, m: Any) -> Any:
        return z3.If(conj(a == SENDER, b == RECIPIENT), received(m), s.received(a, b, m))

    kept = keeping(s, moved.replace(received=arrived), given, RECIPIENT)
    return Action(conj(guard, kept.guard), kept.after)


def confirm(s: State, given: Given) -> Action:
    """An acknowledgement is handled at the sender."""
    height, after = z3.Int("height"), some_outbox()
    contract = given("CONFIRM-MESSAGES", outbox_of(s, SENDER), RECIPIENT, height, after)
    acknowledged = given("OWN-REQUESTS", s.acknowledged(SENDER, RECIPIENT, height))
    kept = keeping(s, with_outbox(s, SENDER, after), given, SENDER)
    return Action(conj(contract, acknowledged, kept.guard), kept.after)


def leaves_received(s: State, t: State) -> z3.BoolRef:
    """Say that what leaves an outbox was received."""

    def at(a: Any, b: Any, n: Any) -> z3.BoolRef:
        return z3.Implies(conj(s.queued(a, b, n), z3.Not(t.queued(a, b, n))), n < t.next_receive(a, b))

    return forall(PLACE, at)


@proof("NO-LOSS")
def nothing_is_lost(given: Given) -> Iterator[Query]:
    """Show that committing, sending, delivering and confirming keep the invariants."""
    steps = {"commit": commit, "request": request, "deliver": deliver, "confirm": confirm}
    yield from TransitionSystem(
        MOMENT,
        partial(start, given=given),
        invariants=INVARIANTS,
        actions={name: step(MOMENT, given) for name, step in steps.items()},
        laws={"what leaves an outbox was received": leaves_received},
    ).queries()


@formula("NO-LOSS")
def is_delivering(s: State) -> z3.BoolRef:
    """Say that all invariants hold."""
    return conj(*(holds(s) for holds in INVARIANTS.values()))


@proof("DELIVERED-MEANS-RECEIVED")
def what_is_reported_was_received(given: Given) -> Iterator[Query]:
    """Whoever has nothing queued up to a height received what was committed."""
    s, says, height, n = MOMENT, z3.Bool("says"), z3.Int("height"), z3.Int("n")
    report = given("DELIVERED-UP-TO", outbox_of(s, SENDER), height, says)
    known = (given("NO-LOSS", s), report, says, committed(s, SENDER, RECIPIENT, n), n <= height)
    yield Query("received", known, n < s.next_receive(SENDER, RECIPIENT))
    yield witness("a report", known)

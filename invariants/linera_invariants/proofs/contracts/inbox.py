"""Inboxes: what an arrival and a consumption do, told by what was received and consumed before.

The closed form says what the two queues hold as a function of the two histories, so the contracts of ``add`` and
``remove`` speak of histories and places only, and whoever uses them needs no queues.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias

import z3
from attrs import frozen

from linera_invariants.proofs.codecs import unknown
from linera_invariants.proofs.lifted import lifted
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import assume, attempt, claim, conj, disj, hint
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import SQueue, SSet, forall, split_contract
from linera_reference.inbox import Inbox, add, remove
from linera_reference.messages import START, Message
from linera_reference.notation import MAX_U32
from linera_reference.rejections import Reason, Rejected

from .messages import CURSORS, MESSAGES, is_next, place, precedes

Predicate: TypeAlias = Callable[[Any], z3.BoolRef]


def messages(body: Callable[..., z3.BoolRef], count: int = 1) -> z3.BoolRef:
    """Say something about all messages."""
    return forall((MESSAGES.sort,) * count, body, "m")


def within(queue: SQueue, holds: Predicate) -> z3.BoolRef:
    """Say something about all items of a queue."""

    def at(i: Any) -> z3.BoolRef:
        return z3.Implies(conj(queue.head <= i, i < queue.tail), holds(queue.array[i]))

    return forall((z3.IntSort(),), at, "i")


def is_listed(queue: SQueue, message: Any) -> z3.BoolRef:
    """Say that a message stands in a queue."""
    i = z3.Int("i!")
    return z3.Exists([i], conj(queue.head <= i, i < queue.tail, queue.array[i] == message))


def ascends(queue: SQueue) -> z3.BoolRef:
    """Say that the places in a queue increase."""

    def pair(i: Any, j: Any) -> z3.BoolRef:
        inside = conj(queue.head <= i, i < j, j < queue.tail)
        return z3.Implies(inside, precedes(place(queue.array[i]), place(queue.array[j])))

    return forall((z3.IntSort(), z3.IntSort()), pair, "i")


# --- The closed form ---------------------------------------------------------------------------------------------


@frozen(eq=False)
class History:
    """What an inbox was told: the sets R of received and K of consumed messages, as arrays of truth values."""

    received: z3.ArrayRef
    consumed: z3.ArrayRef

    @classmethod
    def arbitrary(cls) -> "History":
        """Return an arbitrary history; witnesses may take the empty one."""
        received, consumed = SSet.unknown(MESSAGES, "R"), SSet.unknown(MESSAGES, "K")
        hint(conj(received.is_empty.term, consumed.is_empty.term))
        return cls(received.array, consumed.array)

    def receive(self, message: Message) -> "History":
        """Return R ∪ {m}, K."""
        return History(z3.Store(self.received, MESSAGES.pack(message), z3.BoolVal(True)), self.consumed)

    def consume(self, message: Message) -> "History":
        """Return R, K ∪ {m}."""
        return History(self.received, z3.Store(self.consumed, MESSAGES.pack(message), z3.BoolVal(True)))

    def is_waiting(self, consumed: Any, message: Any) -> z3.BoolRef:
        """Say that a message was received, at or after the consumption cursor."""
        return conj(self.received[message], z3.Not(precedes(place(message), consumed)))

    def is_owed(self, message: Any) -> z3.BoolRef:
        """Say that a message was consumed and not received."""
        return conj(self.consumed[message], z3.Not(self.received[message]))


def follows(cursor: Any, history: z3.ArrayRef) -> z3.BoolRef:
    """Say that a cursor comes right after the last message of a history."""
    last = z3.Const("last!", MESSAGES.sort)
    ends = z3.Exists([last], conj(history[last], is_next(place(last), cursor)))
    before = messages(lambda m: z3.Implies(history[m], precedes(place(m), cursor)))
    return conj(before, disj(cursor == CURSORS.pack(START), ends))


def one_per_place(history: z3.ArrayRef) -> z3.BoolRef:
    """Say that no two messages of a history have the same place."""
    return messages(lambda m, n: z3.Implies(conj(history[m], history[n], place(m) == place(n)), m == n), 2)


def closed_form(inbox: Inbox, history: History) -> dict[str, z3.BoolRef]:
    """Return the clauses of the closed form."""
    arrives, consumes = CURSORS.pack(inbox.next_add), CURSORS.pack(inbox.consumed)
    added, removed = queues_of(inbox)
    waiting, owed = partial(history.is_waiting, consumes), history.is_owed
    return {
        "what is added was received and not passed": within(added, waiting),
        "what was received and not passed is added": messages(lambda m: z3.Implies(waiting(m), is_listed(added, m))),
        "what is removed was consumed and not received": within(removed, owed),
        "what was consumed and not received is removed": messages(lambda m: z3.Implies(owed(m), is_listed(removed, m))),
        "added is in order": ascends(added),
        "removed is in order": ascends(removed),
        "one queue is empty": disj(added.head == added.tail, removed.head == removed.tail),
        "what is removed did not arrive yet": within(removed, lambda m: z3.Not(precedes(place(m), arrives))),
        "next_add follows the last received": follows(arrives, history.received),
        "consumed follows the last consumed": follows(consumes, history.consumed),
        "one message per place was received": one_per_place(history.received),
        "one message per place was consumed": one_per_place(history.consumed),
        "the cursors are in range": conj(CURSORS.valid(arrives), CURSORS.valid(consumes)),
    }


def queues_of(inbox: Inbox) -> tuple[SQueue, SQueue]:
    """Return the two queues of an inbox, as the twins that they are."""
    queues: tuple[Any, Any] = (inbox.added, inbox.removed)
    return queues


Clauses: TypeAlias = Callable[[Inbox, History], Mapping[str, z3.BoolRef]]


@formula("INBOX-CLOSED-FORM")
def has_closed_form(inbox: Inbox, history: History, clauses: Clauses = closed_form) -> z3.BoolRef:
    """Say that an inbox has the closed form for a history; who only passes this on may have another word for it."""
    return conj(*clauses(inbox, history).values())


def unknown_inbox(splits: Callable[..., z3.BoolRef] = split_contract) -> Inbox:
    """Return an arbitrary inbox; ``splits`` tells what the loop of its queues does."""

    def queue(name: str) -> Any:
        return SQueue.unknown(MESSAGES, name, splits)

    return Inbox(unknown(CURSORS, "next_add"), unknown(CURSORS, "consumed"), queue("added"), queue("removed"))


@proof("INBOX-CLOSED-FORM")
def the_closed_form_is_kept(given: Given) -> Iterator[Query]:
    """Start with an empty inbox, then run ``add`` and ``remove`` on an arbitrary one and any message."""

    def begin() -> None:
        nothing: Any = SQueue.empty(MESSAGES)
        empty = SSet.empty(MESSAGES).array
        claim_closed_form(Inbox(added=nothing, removed=nothing), History(empty, empty))

    def run(rule: Callable[[Inbox, Message], Inbox], told: Callable[[History, Message], History]) -> None:
        inbox, message, history = (
            unknown_inbox(partial(given, "QUEUE-SPLIT")),
            unknown(MESSAGES, "message"),
            History.arbitrary(),
        )
        assume(said("INBOX-CLOSED-FORM", inbox, history))
        after = attempt(rule, inbox, message)
        if not isinstance(after, Rejected):
            claim_closed_form(after, told(history, message))

    yield from lifted("start", begin)
    yield from lifted("add", lambda: run(add, History.receive))
    yield from lifted("remove", lambda: run(remove, History.consume))


def claim_closed_form(inbox: Inbox, history: History) -> None:
    """Claim each clause by itself, and what follows for the cursors of an empty inbox."""
    for label, clause in closed_form(inbox, history).items():
        claim(label, clause)
    added, removed = queues_of(inbox)
    both_empty = conj(added.head == added.tail, removed.head == removed.tail)
    arrives, consumes = CURSORS.pack(inbox.next_add), CURSORS.pack(inbox.consumed)
    assume(has_closed_form(inbox, history))
    claim("both empty ⇒ equal cursors", z3.Implies(both_empty, arrives == consumes))


# --- Arrival and consumption -------------------------------------------------------------------------------------


def may_arrive(history: History, message: Any) -> z3.BoolRef:
    """Say that nothing before a message is owed, and nothing else in its place."""
    here = place(message)
    return messages(lambda m: z3.Implies(history.is_owed(m), disj(precedes(here, place(m)), m == message)))


def may_be_consumed(history: History, message: Any) -> z3.BoolRef:
    """Say that a message was received, or that nothing in its place or later was."""
    here = place(message)
    nothing = messages(lambda m: z3.Implies(history.received[m], precedes(place(m), here)))
    return disj(history.received[message], nothing)


@formula("INBOX-ADD")
def arrival(next_add: Any, history: History, message: Any, after: Any) -> z3.BoolRef:
    """Say when a message is accepted, and where the next one may stand."""
    here = place(message)
    return conj(z3.Not(precedes(here, next_add)), may_arrive(history, message), is_next(here, after))


@formula("INBOX-REMOVE")
def consumption(consumed: Any, history: History, message: Any, after: Any) -> z3.BoolRef:
    """Say when a consumption is accepted, and where the next one may stand."""
    here = place(message)
    return conj(z3.Not(precedes(here, consumed)), may_be_consumed(history, message), is_next(here, after))


def reasons(early: z3.BoolRef, fits: z3.BoolRef, message: Message) -> dict[Reason, z3.BoolRef]:
    """Return exactly when each rejection comes: the guards in order."""
    in_order = z3.Not(early)
    return {
        Reason.INCORRECT_MESSAGE_ORDER: early,
        Reason.UNEXPECTED_MESSAGE: conj(in_order, z3.Not(fits)),
        Reason.ARITHMETIC: conj(in_order, fits, MESSAGES.unpack(MESSAGES.pack(message)).index.term == MAX_U32),
    }


def claim_reason(outcome: Rejected, expected: dict[Reason, z3.BoolRef], next_place: Any) -> None:
    """Claim that a rejection comes with the right reason, and one for the order with the place that comes next."""
    if outcome.reason is Reason.INCORRECT_MESSAGE_ORDER:
        claim("it tells the next place", CURSORS.pack(outcome.detail) == next_place)
    claim(f"rejects as {outcome.reason.name} exactly then", expected.get(outcome.reason, z3.BoolVal(False)))


@proof("INBOX-ADD")
def an_arrival(given: Given) -> Iterator[Query]:
    """Run ``add`` on an arbitrary inbox of closed form."""

    def run() -> None:
        inbox, message, history = unknown_inbox(), unknown(MESSAGES, "message"), History.arbitrary()
        assume(given("INBOX-CLOSED-FORM", inbox, history))
        arrives, m = CURSORS.pack(inbox.next_add), MESSAGES.pack(message)
        after = attempt(add, inbox, message)
        if isinstance(after, Rejected):
            claim_reason(after, reasons(precedes(place(m), arrives), may_arrive(history, m), message), arrives)
            return
        claim("in order", z3.Not(precedes(place(m), arrives)))
        claim("nothing else is owed first", may_arrive(history, m))
        claim("the next place", is_next(place(m), CURSORS.pack(after.next_add)))
        claim("nothing is consumed", CURSORS.pack(after.consumed) == CURSORS.pack(inbox.consumed))

    yield from lifted("add", run)


@proof("INBOX-REMOVE")
def a_consumption(given: Given) -> Iterator[Query]:
    """Run ``remove`` on an arbitrary inbox of closed form."""

    def run() -> None:
        inbox, message, history = (
            unknown_inbox(partial(given, "QUEUE-SPLIT")),
            unknown(MESSAGES, "message"),
            History.arbitrary(),
        )
        assume(given("INBOX-CLOSED-FORM", inbox, history))
        consumes, m = CURSORS.pack(inbox.consumed), MESSAGES.pack(message)
        after = attempt(remove, inbox, message)
        if isinstance(after, Rejected):
            claim_reason(after, reasons(precedes(place(m), consumes), may_be_consumed(history, m), message), consumes)
            return
        claim("in order", z3.Not(precedes(place(m), consumes)))
        claim("received, or by anticipation", may_be_consumed(history, m))
        claim("the next place", is_next(place(m), CURSORS.pack(after.consumed)))
        claim("nothing arrives", CURSORS.pack(after.next_add) == CURSORS.pack(inbox.next_add))

    yield from lifted("remove", run)

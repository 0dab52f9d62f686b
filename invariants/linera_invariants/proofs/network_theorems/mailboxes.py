"""Inboxes: a function of their history, so that arrivals and consumptions commute; each message is consumed once."""

from collections.abc import Iterator
from typing import Any

import z3

from linera_invariants.proofs.contracts.inbox import (
    Clauses,
    History,
    closed_form,
    follows,
    has_closed_form,
    is_listed,
    messages,
    queues_of,
)
from linera_invariants.proofs.contracts.messages import CURSORS, MESSAGES, place, precedes
from linera_invariants.proofs.queries import Query, witness
from linera_invariants.proofs.relational import Action, State, TransitionSystem, state
from linera_invariants.proofs.symbolic import conj, disj
from linera_invariants.proofs.theorems import Given, formula, proof
from linera_invariants.proofs.twins import SQueue, SSet, forall
from linera_reference.inbox import Inbox
from linera_reference.messages import START


def same_items(first: SQueue, second: SQueue) -> z3.BoolRef:
    """Say that two queues hold the same items in the same order."""
    count = first.tail - first.head

    def at(i: Any) -> z3.BoolRef:
        return z3.Implies(conj(i >= 0, i < count), first.array[first.head + i] == second.array[second.head + i])

    return conj(count == second.tail - second.head, forall((z3.IntSort(),), at, "i"))


@formula("INBOX-DETERMINED")
def is_determined(first: Inbox, second: Inbox, history: History, clauses: Clauses = closed_form) -> z3.BoolRef:
    """Say that two inboxes of closed form for one history are equal."""
    known = conj(*(has_closed_form(inbox, history, clauses) for inbox in (first, second)))
    return z3.Implies(known, same_inbox(first, second))


def same_inbox(first: Inbox, second: Inbox) -> z3.BoolRef:
    """Say that two inboxes are equal."""
    cursors = ((CURSORS.pack(a), CURSORS.pack(b)) for a, b in _cursors(first, second))
    queues = zip(queues_of(first), queues_of(second), strict=True)
    return conj(*(a == b for a, b in cursors), *(same_items(a, b) for a, b in queues))


def _cursors(first: Inbox, second: Inbox) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    return (first.next_add, second.next_add), (first.consumed, second.consumed)


@proof("INBOX-DETERMINED")
def an_inbox_is_a_function_of_its_history(given: Given) -> Iterator[Query]:
    """Compare two inboxes of one history: cursors at once, queues item by item."""
    first, second = (constant_inbox(name) for name in ("a", "b"))
    history = History(*z3.Consts("R K", z3.ArraySort(MESSAGES.sort, z3.BoolSort())))
    known = (given("INBOX-CLOSED-FORM", first, history), given("INBOX-CLOSED-FORM", second, history))
    (arrives, consumes) = _cursors(first, second)
    same_consumed = CURSORS.pack(consumes[0]) == CURSORS.pack(consumes[1])
    yield Query("next_add", known, CURSORS.pack(arrives[0]) == CURSORS.pack(arrives[1]))
    yield Query("consumed", known, same_consumed)
    for name, a, b in zip(("added", "removed"), queues_of(first), queues_of(second), strict=True):
        yield from _item_by_item(name, (*known, same_consumed), a, b)
    yield witness("two inboxes", (*known, *_pinned(history)))


def _item_by_item(name: str, known: tuple[z3.BoolRef, ...], a: SQueue, b: SQueue) -> Iterator[Query]:
    """Go on where the first i items agree: the next item of one queue stands in the other, and not before.

    Neither queue is special, so neither ends first.
    """
    i, j, k = z3.Ints("i j k")
    turn = (*known, i >= 0, i < a.tail - a.head)
    item, other = a.array[a.head + i], b.array[b.head + i]
    stands = conj(b.head <= k, k < b.tail, b.array[k] == item)
    yield Query(f"{name}: the item is there", turn, is_listed(b, item))
    yield Query(f"{name}: not before", (*turn, _same_before(b, a, i), stands), b.head + i <= k)
    turn = (*turn, stands, b.head + i <= k)
    yield Query(f"{name}: the other one too", turn, is_listed(a, other))
    turn = (*turn, conj(a.head <= j, j < a.tail, a.array[j] == other))
    yield Query(f"{name}: not before either", (*turn, _same_before(a, b, i)), a.head + i <= j)
    yield Query(f"{name}: they are the same", (*turn, a.head + i <= j), item == other)


def _same_before(a: SQueue, b: SQueue, count: Any) -> z3.BoolRef:
    i = z3.Int("i!")
    same = a.array[i] == b.array[b.head + (i - a.head)]
    return z3.ForAll([i], z3.Implies(conj(a.head <= i, i < a.head + count), same), patterns=[a.array[i]])


def _pinned(history: History) -> tuple[z3.BoolRef, ...]:
    empty = SSet.empty(MESSAGES).array
    return history.received == empty, history.consumed == empty


def constant_inbox(name: str) -> Inbox:
    """Return an inbox made of constants, outside any run."""

    def queue(part: str) -> Any:
        array = z3.Const(f"{name}.{part}", z3.ArraySort(z3.IntSort(), MESSAGES.sort))
        return SQueue(MESSAGES, array, *z3.Ints(f"{name}.{part}.head {name}.{part}.tail"))

    def cursor(part: str) -> Any:
        return CURSORS.unpack(z3.Const(f"{name}.{part}", CURSORS.sort))

    return Inbox(cursor("next_add"), cursor("consumed"), queue("added"), queue("removed"))


@proof("INBOX-COMMUTES")
def arrivals_and_consumptions_commute(given: Given) -> Iterator[Query]:
    """Whichever comes first, the history is the same, so the inbox is."""
    first, second = (constant_inbox(name) for name in ("a", "b"))
    history = History(*z3.Consts("R K", z3.ArraySort(MESSAGES.sort, z3.BoolSort())))
    m, n = (MESSAGES.unpack(z3.Const(name, MESSAGES.sort)) for name in "mn")
    one, two = history.receive(m).consume(n), history.consume(n).receive(m)
    known = (given("INBOX-CLOSED-FORM", first, one), given("INBOX-CLOSED-FORM", second, two))
    yield Query(
        "an arrival and a consumption",
        (*known, given("INBOX-DETERMINED", first, second, one)),
        same_inbox(first, second),
    )
    same_first = (MESSAGES.pack(m) == MESSAGES.pack(n), place(MESSAGES.pack(m)) == CURSORS.pack(START))
    yield witness("one message", (*known, *_pinned(history), *same_first))


# --- Exactly once, in order --------------------------------------------------------------------------------------

MESSAGE, CURSOR, NUMBER = MESSAGES.sort, CURSORS.sort, z3.IntSort()
SET = z3.ArraySort(MESSAGE, z3.BoolSort())
MOMENT = state(
    next_add=(CURSOR,),
    consumed=(CURSOR,),
    received=(SET,),
    taken=(SET,),
    log=(NUMBER, MESSAGE),
    length=(NUMBER,),
    index=(MESSAGE, NUMBER),
)
"""One inbox: its cursors, the sets R and K, and what was consumed, in the order of the chain, with its index."""


def is_genuine(s: State) -> z3.BoolRef:
    """Say that what was consumed by anticipation and is due now was received."""

    def at(m: Any) -> z3.BoolRef:
        return z3.Implies(conj(s.taken()[m], precedes(place(m), s.next_add())), s.received()[m])

    return messages(at)


def is_logged(s: State) -> z3.BoolRef:
    """Say that the log holds exactly what was consumed."""

    def listed(i: Any) -> z3.BoolRef:
        return z3.Implies(conj(i >= 0, i < s.length()), s.taken()[s.log(i)])

    def has_index(m: Any) -> z3.BoolRef:
        i = s.index(m)
        return z3.Implies(s.taken()[m], conj(i >= 0, i < s.length(), s.log(i) == m))

    return conj(s.length() >= 0, forall((NUMBER,), listed), messages(has_index))


def is_ordered(s: State) -> z3.BoolRef:
    """Say that the places in the log strictly increase."""

    def pair(i: Any, j: Any) -> z3.BoolRef:
        return z3.Implies(conj(i >= 0, i < j, j < s.length()), precedes(place(s.log(i)), place(s.log(j))))

    return forall((NUMBER, NUMBER), pair)


def is_once(s: State) -> z3.BoolRef:
    """Say that no message stands twice in the log."""

    def pair(i: Any, j: Any) -> z3.BoolRef:
        return z3.Implies(conj(i >= 0, i < j, j < s.length()), s.log(i) != s.log(j))

    return forall((NUMBER, NUMBER), pair)


def goes_on(s: State, t: State) -> z3.BoolRef:
    """Say that no cursor goes back, and that nothing is received twice."""
    back = disj(precedes(t.next_add(), s.next_add()), precedes(t.consumed(), s.consumed()))
    new = messages(lambda m: z3.Implies(conj(t.received()[m], precedes(place(m), s.next_add())), s.received()[m]))
    return conj(z3.Not(back), new)


def start(s: State) -> z3.BoolRef:
    """Say that nothing was received or consumed."""
    nothing = z3.K(MESSAGE, z3.BoolVal(False))
    first = CURSORS.pack(START)
    return conj(
        s.next_add() == first, s.consumed() == first, s.received() == nothing, s.taken() == nothing, s.length() == 0
    )


def arrive(s: State, given: Given) -> Action:
    """A message arrives."""
    m, after = z3.Const("m", MESSAGE), z3.Const("after", CURSOR)
    guard = given("INBOX-ADD", s.next_add(), History(s.received(), s.taken()), m, after)
    joined = z3.Store(s.received(), m, z3.BoolVal(True))
    return Action(conj(guard, MESSAGES.valid(m)), s.update("next_add", (), after).update("received", (), joined))


def consume(s: State, given: Given) -> Action:
    """A block consumes a message."""
    m, after = z3.Const("m", MESSAGE), z3.Const("after", CURSOR)
    guard = given("INBOX-REMOVE", s.consumed(), History(s.received(), s.taken()), m, after)
    joined = z3.Store(s.taken(), m, z3.BoolVal(True))
    logged = s.update("log", (s.length(),), m).update("index", (m,), s.length()).update("length", (), s.length() + 1)
    return Action(conj(guard, MESSAGES.valid(m)), logged.update("consumed", (), after).update("taken", (), joined))


@proof("EXACTLY-ONCE")
def each_message_once(given: Given) -> Iterator[Query]:
    """Let messages arrive and be consumed, in any order that the inbox accepts."""
    yield from TransitionSystem(
        MOMENT,
        start,
        invariants={
            "next_add follows the last received": lambda s: follows(s.next_add(), s.received()),
            "consumed follows the last consumed": lambda s: follows(s.consumed(), s.taken()),
            "what was anticipated was received": is_genuine,
            "the log is what was consumed": is_logged,
            "the log is in order": is_ordered,
        },
        actions={"arrive": arrive(MOMENT, given), "consume": consume(MOMENT, given)},
        safety={"once": is_once},
        laws={"cursors never go back, and nothing is received twice": goes_on},
    ).queries()

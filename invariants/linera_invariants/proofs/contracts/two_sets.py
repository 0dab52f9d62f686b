"""The two sets of section 2.6: they commute, and the ordered inbox refines them."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import z3

from linera_invariants.proofs.codecs import unknown
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import assume, attempt, claim, conj, disj
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import SQueue, SSet, Walk, symbolic_fold
from linera_reference.inbox import Inbox, TwoSetInbox, add_to_sets, remove_from_sets, two_sets
from linera_reference.messages import Message

from .inbox import History, is_listed, messages, unknown_inbox
from .messages import CURSORS, MESSAGES, place, precedes


class MessageSets:
    """Stands for the container ``Set``, of messages."""

    insert = staticmethod(SSet.insert)

    def __call__(self) -> SSet:
        """Return the empty set."""
        return SSet.empty(MESSAGES)


def holds_before(queue: SQueue) -> Callable[[Any, SSet], z3.BoolRef]:
    """Return the invariant of the fold: the set holds exactly the items before an index."""

    def known(index: Any, members: SSet) -> z3.BoolRef:
        part = SQueue(MESSAGES, queue.array, queue.head, index)
        return messages(lambda m: members.array[m] == is_listed(part, m))

    return known


@formula("TWO-SETS")
def stands_for(sets: TwoSetInbox, consumed: Any, history: History) -> z3.BoolRef:
    """Say that two sets hold what waits and what is owed."""
    plus: Any = sets.plus
    minus: Any = sets.minus

    def at(m: Any) -> z3.BoolRef:
        return conj(plus.array[m] == history.is_waiting(consumed, m), minus.array[m] == history.is_owed(m))

    return messages(at)


@proof("TWO-SETS")
def the_refinement_map(given: Given) -> Iterator[Query]:
    """Run ``two_sets`` on an arbitrary inbox of closed form."""

    def set_of(step: Any, init: SSet, queue: SQueue) -> Any:
        return symbolic_fold(step, init, Walk(queue, holds_before(queue), lambda: SSet.unknown(MESSAGES, "items")))

    lifted_map = with_callees(two_sets, fold=set_of, Set=MessageSets())

    def run() -> None:
        inbox, history = unknown_inbox(), History.arbitrary()
        assume(given("INBOX-CLOSED-FORM", inbox, history))
        sets = attempt(lifted_map, inbox)
        claim("the two sets", said("TWO-SETS", sets, CURSORS.pack(inbox.consumed), history))

    yield from lifted("two_sets", run)


def unknown_sets() -> TwoSetInbox:
    """Return two arbitrary sets."""
    plus: Any = SSet.unknown(MESSAGES, "plus")
    minus: Any = SSet.unknown(MESSAGES, "minus")
    return TwoSetInbox(plus, minus)


@proof("INBOX-REFINES-SETS")
def the_ordered_inbox_refines_the_sets(given: Given) -> Iterator[Query]:
    """Run both rules of the two sets where the ordered inbox accepts."""

    def arrive() -> None:
        inbox, sets, history, message = unknown_refinement(given)
        consumes, m = CURSORS.pack(inbox.consumed), MESSAGES.pack(message)
        after = CURSORS.pack(unknown(CURSORS, "after"))
        assume(given("INBOX-ADD", CURSORS.pack(inbox.next_add), history, m, after))
        skipped = conj(precedes(place(m), consumes), z3.Not(history.consumed[m]))
        told, now = attempt(add_to_sets, sets, message), history.receive(message)
        claim("I + m", z3.Or(skipped, stands_for(told, consumes, now)))
        claim("what was skipped changes nothing", z3.Implies(skipped, stands_for(sets, consumes, now)))

    def consume() -> None:
        inbox, sets, history, message = unknown_refinement(given)
        consumes, m = CURSORS.pack(inbox.consumed), MESSAGES.pack(message)
        after = CURSORS.pack(unknown(CURSORS, "after"))
        assume(given("INBOX-REMOVE", consumes, history, m, after))
        told, now = attempt(remove_from_sets, sets, message), history.consume(message)
        claim("I - m, without what is skipped", stands_for(without_skipped(told, m), after, now))

    yield from lifted("add", arrive)
    yield from lifted("remove", consume)


def unknown_refinement(given: Given) -> tuple[Inbox, TwoSetInbox, History, Message]:
    """Return an inbox of closed form, the two sets that it stands for, its history, and a message."""
    inbox, sets, history = unknown_inbox(), unknown_sets(), History.arbitrary()
    assume(given("INBOX-CLOSED-FORM", inbox, history))
    assume(given("TWO-SETS", sets, CURSORS.pack(inbox.consumed), history))
    return inbox, sets, history, unknown(MESSAGES, "message")


def without_skipped(sets: TwoSetInbox, message: Any) -> TwoSetInbox:
    """Return the sets without what waits before a message."""
    plus: Any = sets.plus
    rest = SSet.unknown(MESSAGES, "rest")
    assume(messages(lambda m: rest.array[m] == conj(plus.array[m], z3.Not(precedes(place(m), place(message))))))
    left: Any = rest
    return TwoSetInbox(left, sets.minus)


@proof("SETS-COMMUTE")
def the_two_sets_commute(_: Given) -> Iterator[Query]:
    """Run every pair of rules on two different messages, and a rule and its inverse on a fresh one."""
    rules = {"add": add_to_sets, "remove": remove_from_sets}
    for one, first in rules.items():
        for two, second in rules.items():
            yield from lifted(f"{one} and {two}", partial(commute, first, second))
    yield from lifted("add, then remove", partial(cancel, add_to_sets, remove_from_sets))
    yield from lifted("remove, then add", partial(cancel, remove_from_sets, add_to_sets))


def commute(first: Callable[..., TwoSetInbox], second: Callable[..., TwoSetInbox]) -> None:
    """Claim that two rules give the same sets in both orders, for different messages."""
    sets, m, n = unknown_sets(), unknown(MESSAGES, "m"), unknown(MESSAGES, "n")
    assume(MESSAGES.pack(m) != MESSAGES.pack(n))
    claim("they commute", same_sets(second(first(sets, m), n), first(second(sets, n), m)))


def cancel(first: Callable[..., TwoSetInbox], second: Callable[..., TwoSetInbox]) -> None:
    """Claim that two rules cancel for a fresh message."""
    sets, m = unknown_sets(), unknown(MESSAGES, "m")
    plus: Any = sets.plus
    minus: Any = sets.minus
    assume(z3.Not(disj(plus.contains(m).term, minus.contains(m).term)))
    claim("they cancel", same_sets(second(first(sets, m), m), sets))


def same_sets(one: TwoSetInbox, two: TwoSetInbox) -> z3.BoolRef:
    """Say that two pairs of sets are equal."""
    a: Any = one
    b: Any = two
    return conj(a.plus.array == b.plus.array, a.minus.array == b.minus.array)

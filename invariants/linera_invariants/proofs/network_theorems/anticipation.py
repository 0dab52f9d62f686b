"""Anticipation at one validator: what is anticipated was consumed by a committed block, and nobody votes on credit."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import z3

from linera_invariants.proofs.codecs import CHAIN_IDS
from linera_invariants.proofs.contracts.anticipation import Told
from linera_invariants.proofs.contracts.delivery import Delivery
from linera_invariants.proofs.contracts.messages import MESSAGES
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.relational import Action, State, TransitionSystem, state
from linera_invariants.proofs.symbolic import conj, disj
from linera_invariants.proofs.theorems import Given, proof
from linera_invariants.proofs.twins import forall

CHAIN, MESSAGE, TRUTH = CHAIN_IDS.sort, MESSAGES.sort, z3.BoolSort()
BLOCK = z3.DeclareSort("Block")
CONSUMES = z3.Function("consumes", BLOCK, CHAIN, MESSAGE, TRUTH)
"""Whether a block receives a message from an origin."""
WHOLE = z3.Bool("the whole inbox is looked at")
"""Which of the two rules of anticipation is in force."""

MOMENT = state(
    received=(CHAIN, CHAIN, MESSAGE, TRUTH),
    consumed=(CHAIN, CHAIN, MESSAGE, TRUTH),
    consumer=(CHAIN, CHAIN, MESSAGE, BLOCK),
    committed=(CHAIN, BLOCK, TRUTH),
    pending=(CHAIN, BLOCK, TRUTH),
    voted=(CHAIN, BLOCK, TRUTH),
)
"""One validator, by chain and origin; ``consumer`` is the committed block that consumed a message first."""

HERE, ORIGIN, VOTED = z3.Const("here", CHAIN), z3.Const("origin", CHAIN), z3.Const("block", BLOCK)
PLACE = (CHAIN, CHAIN, MESSAGE)


def told(s: State, chain: Any, origin: Any, message: Any) -> Told:
    """Return what a chain was told; how it keeps this is a matter of its inboxes."""
    kept = z3.BoolVal(True)
    return Told(s.received(chain, origin, message), s.consumed(chain, origin, message), kept, kept, kept)


def was_committed(s: State, c: Any, o: Any, m: Any) -> z3.BoolRef:
    """Say that a consumed message was consumed by a committed block of the chain."""
    block = s.consumer(c, o, m)
    return z3.Implies(s.consumed(c, o, m), conj(s.committed(c, block), CONSUMES(block, o, m)))


def has_received(s: State, c: Any, o: Any, m: Any, b: Any) -> z3.BoolRef:
    """Say that every message that a voted block consumes was received."""
    return z3.Implies(conj(s.voted(c, b), CONSUMES(b, o, m)), s.received(c, o, m))


def owes_nothing(s: State, c: Any, o: Any, m: Any, b: Any) -> z3.BoolRef:
    """Say that of a pending block nothing is owed, and in the baseline nothing else either."""
    needed = disj(CONSUMES(b, o, m), conj(WHOLE, s.consumed(c, o, m)))
    return z3.Implies(conj(s.pending(c, b), needed), s.received(c, o, m))


INVARIANTS = {
    "consumed by a committed block": lambda s: forall(PLACE, partial(was_committed, s)),
    "received at the vote": lambda s: forall((*PLACE, BLOCK), partial(has_received, s)),
    "nothing is owed while a vote is pending": lambda s: forall((*PLACE, BLOCK), partial(owes_nothing, s)),
}


def start(s: State) -> z3.BoolRef:
    """Say that nothing was consumed, and nobody voted."""
    nothing = forall(PLACE, lambda c, o, m: z3.Not(s.consumed(c, o, m)))
    return conj(nothing, forall((CHAIN, BLOCK), lambda c, b: z3.Not(disj(s.voted(c, b), s.pending(c, b)))))


def vote(s: State, given: Given) -> Action:
    """A request is accepted: the block is voted for, and pending."""

    def checked(o: Any, m: Any) -> z3.BoolRef:
        again = s.pending(HERE, VOTED)
        return given("VOTES-OWE-NOTHING", WHOLE, again, told(s, HERE, o, m), CONSUMES(VOTED, o, m))

    after = s.set_true("pending", HERE, VOTED).set_true("voted", HERE, VOTED)
    return Action(forall((CHAIN, MESSAGE), checked), after)


def commit(s: State, given: Given) -> Action:
    """A certified block is committed: it consumes its messages, and nothing is pending."""
    consumed, still = z3.Function("consumed_after", CHAIN, MESSAGE, TRUTH), z3.Function("still", BLOCK, TRUTH)
    received = z3.Function("received_then", CHAIN, MESSAGE, TRUTH)

    def at(table: Any, old: Any) -> Any:
        return lambda c, o, m: z3.If(c == HERE, table(o, m), old(c, o, m))

    def first(c: Any, o: Any, m: Any) -> Any:
        return z3.If(conj(c == HERE, z3.Not(s.consumed(c, o, m))), VOTED, s.consumer(c, o, m))

    after = s.set_true("committed", HERE, VOTED).replace(
        received=at(received, s.received),
        consumed=at(consumed, s.consumed),
        consumer=first,
        pending=lambda c, b: z3.If(c == HERE, still(b), s.pending(c, b)),
    )

    def consumes(o: Any, m: Any, b: Any) -> z3.BoolRef:
        before, now = told(s, HERE, o, m), told(after, HERE, o, m)
        return given("COMMIT-CONSUMES", before, now, CONSUMES(VOTED, o, m), still(b))

    return Action(forall((CHAIN, MESSAGE, BLOCK), consumes), after)


def deliver(s: State, given: Given) -> Action:
    """A batch is delivered: it is received, and nothing consumed."""
    received, (before, after, answer) = z3.Function("received_after", MESSAGE, TRUTH), z3.Ints("before after answer")
    carried = z3.Function("carried", z3.IntSort(), TRUTH)
    brings = z3.Function("brings", MESSAGE, TRUTH)
    batch = Delivery(before, after, lambda m: s.received(HERE, ORIGIN, m), received)

    def now(c: Any, o: Any, m: Any) -> Any:
        return z3.If(conj(c == HERE, o == ORIGIN), received(m), s.received(c, o, m))

    return Action(given("DELIVERY", batch, carried, brings, answer), s.replace(received=now))


@proof("ANTICIPATION-OWED")
def anticipation(given: Given) -> Iterator[Query]:
    """Show that voting, committing and delivering keep the invariants."""
    steps = {"vote": vote, "commit": commit, "deliver": deliver}
    actions = {name: step(MOMENT, given) for name, step in steps.items()}
    yield from TransitionSystem(MOMENT, start, invariants=INVARIANTS, actions=actions).queries()

"""The history of a chain: which rest each block was executed on, and what a vote attests."""

from collections.abc import Iterator
from typing import Any

import z3

from linera_invariants.proofs.lists import by_induction
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.relational import State
from linera_invariants.proofs.symbolic import conj
from linera_invariants.proofs.theorems import Given, formula, proof
from linera_invariants.proofs.twins import forall

from .agreement import (
    BLOCK,
    CHAIN,
    CREATION,
    EXECUTED,
    KEY,
    NUMBER,
    REST,
    VALIDATOR,
    WORDS,
    born,
    cell,
    chain_of,
    correct,
    genesis,
    is_closed,
    is_created,
    network,
    system,
)
from .logs import AT, every_height


def kept_is_certified(s: State) -> z3.BoolRef:
    """A chain keeps certificates that were verified."""
    return forall((VALIDATOR, CHAIN, EXECUTED), lambda v, c, e: z3.Implies(s.kept(v, c, e), s.certified(e)))


@formula("SENT-CERTIFIED")
def sent_is_certified(s: State) -> z3.BoolRef:
    """What a validator sends between its chains is certified."""
    return forall((VALIDATOR, EXECUTED), lambda v, e: z3.Implies(s.sent(v, e), s.certified(e)))


@proof("SENT-CERTIFIED")
def what_is_sent_is_certified(given: Given) -> Iterator[Query]:
    """Induct over the steps: what is sent was kept, and what is kept was verified."""
    invariants = {"what is kept is certified": kept_is_certified, "what is sent is certified": sent_is_certified}
    yield from system(given, invariants=invariants).queries()


def is_reached(s: State, v: Any, c: Any, n: Any) -> z3.BoolRef:
    """A validator executed so many blocks of a created chain."""
    return conj(is_created(s, v, c), n >= 0, n <= s.next_height(v, c))


def present_is_last(s: State) -> z3.BoolRef:
    """The rest is what the last block left; archiving drops parts of it, of a closed chain only."""

    def last(v: Any, c: Any) -> z3.BoolRef:
        present = s.rest(v, c) == s.past(v, c, s.next_height(v, c))
        return z3.If(s.archived(v, c), is_closed(s, v, c), present)

    return forall((VALIDATOR, CHAIN), last)


def executed_on(rest: Any, executed: Any) -> z3.BoolRef:
    """A block executes on a rest of an active chain, and this is its executed form."""
    block = WORDS.block_of(executed)
    active = conj(WORDS.is_created(rest), WORDS.owner_of(rest).present)
    return conj(active, WORDS.executes(rest, block), executed == WORDS.executed(rest, block))


def history_is_executed(s: State) -> z3.BoolRef:
    """Each block was executed on what the one before left."""

    def step(v: Any, c: Any, n: Any) -> z3.BoolRef:
        rest, executed = s.past(v, c, n), s.done(v, c, n)
        after = WORDS.rest_after(rest, WORDS.block_of(executed))
        return conj(executed_on(rest, executed), s.past(v, c, n + 1) == after)

    return every_height(s, step)


def creation_is_first(s: State) -> z3.BoolRef:
    """A chain that is not created has its first rest; a created one was there at the start or made by a message."""

    def first(v: Any, c: Any) -> z3.BoolRef:
        here, e, begin = cell(s, v, c), s.source(v, c), genesis(c)
        empty = conj(here.next_height == 0, here.rest == begin, z3.Not(s.archived(v, c)))
        made = conj(s.certified(e), CREATION.creates(e, c), s.past(v, c, 0) == born(begin, e, c))
        origin = z3.If(WORDS.is_created(begin), s.past(v, c, 0) == begin, made)
        return conj(here.next_height >= 0, z3.If(is_created(s, v, c), origin, empty))

    return forall((VALIDATOR, CHAIN), first)


HISTORY = {
    "the present is what the last block left": present_is_last,
    "each block was executed on what the one before left": history_is_executed,
    "creation comes first": creation_is_first,
}


@formula("HISTORY")
def history(s: State) -> z3.BoolRef:
    """The rest of a chain is what its blocks, one after the other, made of its creation."""
    return conj(*(holds(s) for holds in HISTORY.values()))


def keeps(given: Given) -> z3.BoolRef:
    """Every execution keeps a chain created, and counts its transactions."""
    return forall((REST, BLOCK), lambda rest, block: given("EXECUTION-KEEPS", WORDS, CREATION, rest, block))


@proof("HISTORY")
def rests_have_a_history(given: Given) -> Iterator[Query]:
    """Induct over the steps: only a certified block and a creation change the rest."""
    yield from system(given, invariants=HISTORY, axioms=(keeps(given), given("SENT-CERTIFIED", network()))).queries()


def counted_up_to(s: State, n: Any) -> z3.BoolRef:
    """There were never more transactions than after n blocks."""

    def fewer(v: Any, c: Any, m: Any) -> z3.BoolRef:
        counted = CREATION.tx_count(s.past(v, c, m)) <= CREATION.tx_count(s.past(v, c, n))
        return z3.Implies(conj(m >= 0, m <= n, n <= s.next_height(v, c)), counted)

    return forall(AT, fewer)


@formula("TRANSACTIONS-COUNTED")
def transactions_counted(s: State) -> z3.BoolRef:
    """The number of transactions never decreases."""
    return forall((NUMBER,), lambda n: z3.Implies(n >= 0, counted_up_to(s, n)), "n")


@proof("TRANSACTIONS-COUNTED")
def transactions_are_counted(given: Given) -> Iterator[Query]:
    """Go along the blocks: none has fewer transactions than none."""
    s = network()
    known = (keeps(given), given("HISTORY", s))
    yield from by_induction("transactions are counted up", lambda n: counted_up_to(s, n), lambda _: known)


def attested(s: State, v: Any, e: Any) -> z3.BoolRef:
    """A block executes where a validator reached its height, and an owner in this state signed it."""
    block = WORDS.block_of(e)
    c, n = chain_of(block), WORDS.height_of(block)
    rest = s.past(v, c, n)
    return conj(is_reached(s, v, c, n), executed_on(rest, e), is_signed(s, rest, block))


def is_signed(s: State, rest: Any, block: Any) -> z3.BoolRef:
    """A key that owns the chain in this state signed a block."""
    key = z3.Const("key!", KEY)
    return z3.Exists([key], conj(WORDS.owns(WORDS.owner_of(rest).value, key), s.signed(key, block)))


@formula("VOTE-VALIDITY")
def vote_validity(s: State) -> z3.BoolRef:
    """A vote of a correct validator attests that an owner of the time signed the block, and that it executes."""

    def valid(v: Any, e: Any) -> z3.BoolRef:
        return z3.Implies(conj(correct(v), s.voted(v, e)), attested(s, v, e))

    return forall((VALIDATOR, EXECUTED), valid)


@proof("VOTE-VALIDITY")
def votes_are_valid(given: Given) -> Iterator[Query]:
    """Induct over the steps: the past of a height that was reached never changes."""
    s = network()
    axioms = (keeps(given), given("PENDING-HYGIENE", s), given("HISTORY", s))
    yield from system(given, invariants={"votes are valid": vote_validity}, axioms=axioms).queries()

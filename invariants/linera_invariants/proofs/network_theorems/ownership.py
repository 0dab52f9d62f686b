"""Who signed the blocks of a chain, who may change its owner, and that blocks are valid."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import z3

from linera_invariants.proofs.queries import Query, witness
from linera_invariants.proofs.relational import State
from linera_invariants.proofs.symbolic import conj
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import forall

from .agreement import (
    CHAIN,
    EXECUTED,
    NUMBER,
    VALIDATOR,
    WORDS,
    C,
    V,
    chain_of,
    correct,
    is_created,
    network,
    system,
)
from .example import FIRST, SECOND, example, family
from .histories import attested, executed_on, is_reached, is_signed
from .logs import every_height
from .rounds import in_round


@formula("VALIDITY")
def validity(s: State) -> z3.BoolRef:
    """A block that is certified or validated is valid wherever its height was reached, and was so at a voter."""

    def valid(e: Any, r: Any) -> z3.BoolRef:
        block, v = WORDS.block_of(e), z3.Const("voter!", VALIDATOR)
        place = (chain_of(block), WORDS.height_of(block))
        seen = z3.Exists([v], conj(correct(v), s.voted(v, e), attested(s, v, e)))
        there = forall((VALIDATOR,), lambda w: z3.Implies(is_reached(s, w, *place), attested(s, w, e)), "w")
        return z3.Implies(z3.Or(s.certified(e), s.validated(e, r)), conj(seen, there))

    return forall((EXECUTED, NUMBER), valid)


@proof("VALIDITY")
def certified_blocks_are_valid(given: Given) -> Iterator[Query]:
    """A correct voter saw it, and every validator at this height has the same rest."""

    def hypotheses(s: State) -> tuple[z3.BoolRef, ...]:
        voters = given("CORRECT-VOTER", correct, s.certified, s.voted)
        validated = forall((NUMBER,), lambda r: given("CORRECT-VOTER", correct, in_round(s, r), s.voted), "r")
        return (voters, validated, given("VOTE-VALIDITY", s), given("STATE-AGREEMENT", s))

    s = network()
    yield Query("certified blocks are valid", hypotheses(s), said("VALIDITY", s))
    yield witness("two blocks are certified", (*hypotheses(example()), family(), FIRST != SECOND))


@formula("AUTHENTICITY")
def authenticity(s: State) -> z3.BoolRef:
    """Every executed block was signed by an owner in the state before it."""

    def signed(v: Any, c: Any, n: Any) -> z3.BoolRef:
        rest = s.past(v, c, n)
        return conj(WORDS.owner_of(rest).present, is_signed(s, rest, WORDS.block_of(s.done(v, c, n))))

    return every_height(s, signed)


def is_placed(s: State, v: Any, c: Any, n: Any) -> z3.BoolRef:
    """The block of a height is a certified one of this chain and height."""
    executed = s.done(v, c, n)
    block = WORDS.block_of(executed)
    return conj(chain_of(block) == c, WORDS.height_of(block) == n, s.certified(executed))


def is_valid(s: State, v: Any, c: Any, n: Any) -> z3.BoolRef:
    """The block of a height executed on the rest before, and an owner signed it."""
    rest, executed = s.past(v, c, n), s.done(v, c, n)
    return conj(executed_on(rest, executed), is_signed(s, rest, WORDS.block_of(executed)))


def is_good(s: State, v: Any, executed: Any) -> z3.BoolRef:
    """A block, if it is certified, is valid at a validator that reached its height."""
    block = WORDS.block_of(executed)
    reached = is_reached(s, v, chain_of(block), WORDS.height_of(block))
    return z3.Implies(conj(s.certified(executed), reached), attested(s, v, executed))


@proof("AUTHENTICITY")
def blocks_are_signed(given: Given) -> Iterator[Query]:
    """What is in a log is certified, hence valid in the state before it."""
    s, t = network(), example()
    placed = every_height(s, partial(is_placed, s))
    yield Query("a log holds certified blocks of its heights", (given("LOG-CHAINING", s),), placed)
    created = every_height(s, lambda v, c, _: is_created(s, v, c))
    yield Query("of created chains", (given("HISTORY", s),), created)
    seen = every_height(s, lambda v, c, n: attested(s, v, s.done(v, c, n)))
    valid = forall((VALIDATOR, EXECUTED), partial(is_good, s))
    yield Query("certified blocks are valid wherever their height was reached", (given("VALIDITY", s),), valid)
    yield Query("they are valid where they are", (placed, created, valid), seen)
    valid = every_height(s, partial(is_valid, s))
    yield Query("in the state before", (placed, seen), valid)
    yield Query("blocks are signed by an owner", (valid,), said("AUTHENTICITY", s))
    everything = (given(name, t) for name in ("LOG-CHAINING", "HISTORY", "VALIDITY"))
    first, second = (WORDS.owner_of(t.past(V, C, n)).value for n in (0, 1))
    yield witness("a chain was handed over", (*everything, family(), first != second))


def owner_changes(s: State, t: State) -> z3.BoolRef:
    """A created chain gets another owner only with a certified block more."""

    def changes(v: Any, c: Any) -> z3.BoolRef:
        same = WORDS.owner_of(t.rest(v, c)).equals(WORDS.owner_of(s.rest(v, c)))
        n = s.next_height(v, c)
        extended = conj(t.next_height(v, c) == n + 1, t.certified(t.done(v, c, n)))
        return z3.Implies(is_created(s, v, c), z3.Or(same, extended))

    return forall((VALIDATOR, CHAIN), changes)


@proof("OWNER-CHANGES")
def owners_change_by_blocks(given: Given) -> Iterator[Query]:
    """Compare the owner before and after each step."""
    yield from system(given, laws={"the owner changes only by a block": owner_changes}).queries()

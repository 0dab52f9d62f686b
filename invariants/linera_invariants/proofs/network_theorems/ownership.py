"""Who signed the blocks of a chain, who may change its owner, and that blocks are valid."""

from collections.abc import Iterator
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
from .histories import attested, is_reached
from .logs import entries, every_height


@formula("VALIDITY")
def validity(s: State) -> z3.BoolRef:
    """A certified block is valid wherever its height was reached, and it was so at a correct voter."""

    def valid(e: Any) -> z3.BoolRef:
        block, v = WORDS.block_of(e), z3.Const("voter!", VALIDATOR)
        place = (chain_of(block), WORDS.height_of(block))
        seen = z3.Exists([v], conj(correct(v), s.voted(v, e), attested(s, v, e)))
        there = forall((VALIDATOR,), lambda w: z3.Implies(is_reached(s, w, *place), attested(s, w, e)), "w")
        return z3.Implies(s.certified(e), conj(seen, there))

    return forall((EXECUTED,), valid)


@proof("VALIDITY")
def certified_blocks_are_valid(given: Given) -> Iterator[Query]:
    """A correct voter saw it, and every validator at this height has the same rest."""

    def hypotheses(s: State) -> tuple[z3.BoolRef, ...]:
        voters = given("CORRECT-VOTER", correct, s.certified, s.voted)
        return (voters, given("VOTE-VALIDITY", s), given("STATE-AGREEMENT", s))

    s = network()
    yield Query("certified blocks are valid", hypotheses(s), said("VALIDITY", s))
    yield witness("two blocks are certified", (*hypotheses(example()), family(), FIRST != SECOND))


@formula("AUTHENTICITY")
def authenticity(s: State) -> z3.BoolRef:
    """Every executed block was signed by the owner of the state before it."""

    def signed(v: Any, c: Any, n: Any) -> z3.BoolRef:
        owner = WORDS.owner_of(s.past(v, c, n))
        return conj(owner.present, s.signed(owner.value, WORDS.block_of(s.done(v, c, n))))

    return every_height(s, signed)


@proof("AUTHENTICITY")
def blocks_are_signed(given: Given) -> Iterator[Query]:
    """What is in a log is certified, hence valid in the state before it."""
    s, t = network(), example()
    yield Query("a log holds certified blocks", (given("LOG-CHAINING", s),), entries(s))
    created = every_height(s, lambda v, c, _: is_created(s, v, c))
    yield Query("of created chains", (given("HISTORY", s),), created)
    known = (entries(s), created, given("VALIDITY", s))
    yield Query("blocks are signed by their owner", known, said("AUTHENTICITY", s))
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

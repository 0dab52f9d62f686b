"""The log of a chain: what its entries are, and that correct validators agree on them."""

from collections.abc import Iterator
from typing import Any

import z3

from linera_invariants.proofs.queries import Query, witness
from linera_invariants.proofs.relational import State
from linera_invariants.proofs.symbolic import conj
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import forall

from .agreement import CHAIN, EXECUTED, NUMBER, VALIDATOR, WORDS, cell, chain_of, network, place_of, system

AT = (VALIDATOR, CHAIN, NUMBER)


def is_done(s: State, v: Any, c: Any, n: Any) -> z3.BoolRef:
    """A validator executed a block of a chain at a height."""
    return conj(n >= 0, n < s.next_height(v, c))


def every_height(s: State, body: Any) -> z3.BoolRef:
    """Something holds wherever a block was executed."""
    return forall(AT, lambda v, c, n: z3.Implies(is_done(s, v, c, n), body(v, c, n)))


def heights_count(s: State) -> z3.BoolRef:
    """The next height is the length of the log, and there is a last hash unless the log is empty."""

    def counted(v: Any, c: Any) -> z3.BoolRef:
        here = cell(s, v, c)
        return conj(here.next_height >= 0, here.tip.present == (here.next_height > 0))

    return forall((VALIDATOR, CHAIN), counted)


def last_hash(s: State) -> z3.BoolRef:
    """The last hash is that of the last block."""

    def last(v: Any, c: Any) -> z3.BoolRef:
        n = s.next_height(v, c)
        return z3.Implies(n > 0, s.tip(v, c) == WORDS.hash_of(s.done(v, c, n - 1)))

    return forall((VALIDATOR, CHAIN), last)


def entries(s: State) -> z3.BoolRef:
    """An entry is the hash of a certified block of this chain and height; archiving forgets only the entry."""

    def entry(v: Any, c: Any, n: Any) -> z3.BoolRef:
        executed = s.done(v, c, n)
        block = WORDS.block_of(executed)
        logged = z3.Or(s.archived(v, c), s.log(v, c, n) == WORDS.hash_of(executed))
        return conj(chain_of(block) == c, WORDS.height_of(block) == n, s.certified(executed), logged)

    return every_height(s, entry)


def chained(s: State) -> z3.BoolRef:
    """A block names the hash of the block before it, ⊥ at height 0."""

    def names(v: Any, c: Any, n: Any) -> z3.BoolRef:
        previous = WORDS.previous_of(WORDS.block_of(s.done(v, c, n)))
        before = WORDS.hash_of(s.done(v, c, n - 1))
        return conj(previous.present == (n > 0), z3.Implies(n > 0, previous.value == before))

    return every_height(s, names)


CHAINING = {
    "heights count blocks": heights_count,
    "the last hash is that of the last block": last_hash,
    "entries are certified blocks": entries,
    "blocks are chained": chained,
}


@formula("LOG-CHAINING")
def log_chaining(s: State) -> z3.BoolRef:
    """The log of a chain consists of certified blocks, each naming the one before."""
    return conj(*(holds(s) for holds in CHAINING.values()))


@proof("LOG-CHAINING")
def logs_are_chained(given: Given) -> Iterator[Query]:
    """Induct over the steps: only a certified block on top of the last one extends a log."""
    yield from system(given, invariants=CHAINING).queries()


@formula("ONE-CHAIN")
def one_chain(s: State) -> z3.BoolRef:
    """Where a block is certified, nothing else was executed."""

    def only(v: Any, e: Any) -> z3.BoolRef:
        block = WORDS.block_of(e)
        place = (v, chain_of(block), WORDS.height_of(block))
        return z3.Implies(conj(s.certified(e), is_done(s, *place)), s.done(*place) == e)

    return forall((VALIDATOR, EXECUTED), only)


@proof("ONE-CHAIN")
def one_chain_is_certified(given: Given) -> Iterator[Query]:
    """What was executed is certified too."""
    s = network()
    hypotheses = (given("LOG-CHAINING", s), given("UNIQUE-CERTIFICATES", s.certified, place_of))
    yield Query("only the certified block is executed", hypotheses, said("ONE-CHAIN", s))


@formula("LOG-PREFIX")
def log_prefix(s: State) -> z3.BoolRef:
    """At a height that two validators passed they executed the same block, and their logs agree if kept."""

    def agree(v: Any, c: Any, n: Any, w: Any) -> z3.BoolRef:
        kept = z3.Not(z3.Or(s.archived(v, c), s.archived(w, c)))
        same = conj(s.done(v, c, n) == s.done(w, c, n), z3.Implies(kept, s.log(v, c, n) == s.log(w, c, n)))
        return z3.Implies(conj(is_done(s, v, c, n), is_done(s, w, c, n)), same)

    return forall((*AT, VALIDATOR), agree)


@proof("LOG-PREFIX")
def logs_agree(given: Given) -> Iterator[Query]:
    """What one of them executed is certified, so the other one executed it too."""
    s = network()
    hypotheses = (given("LOG-CHAINING", s), given("ONE-CHAIN", s))
    yield Query("one log is a prefix of the other", hypotheses, said("LOG-PREFIX", s))
    v, w = z3.Consts("one other", VALIDATOR)
    c = z3.Const("chain", CHAIN)
    apart = conj(s.next_height(v, c) == 2, s.next_height(w, c) == 1)
    yield witness("one validator is behind another", (*hypotheses, apart))

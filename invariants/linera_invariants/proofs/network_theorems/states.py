"""Correct validators agree on the states of a chain."""

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
    NUMBER,
    VALIDATOR,
    WORDS,
    C,
    V,
    cell,
    is_created,
    network,
    system,
)
from .example import example, family
from .histories import is_reached
from .logs import AT, is_done, one_chain


def agree(s: State) -> z3.BoolRef:
    """Two validators at which a chain is created had the same rest at every height that both reached."""

    def same(v: Any, c: Any, n: Any, w: Any) -> z3.BoolRef:
        both = conj(is_reached(s, v, c, n), is_reached(s, w, c, n))
        return z3.Implies(both, s.past(v, c, n) == s.past(w, c, n))

    return forall((*AT, VALIDATOR), same)


@formula("STATE-AGREEMENT")
def state_agreement(s: State) -> z3.BoolRef:
    """Two validators at which a chain is created had the same rest at every height that both reached."""
    return agree(s)


@proof("STATE-AGREEMENT")
def states_agree(given: Given) -> Iterator[Query]:
    """Induct over the steps: the same creation, then the same blocks, give the same rest."""
    s = network()
    known = (agree(s), given("LOG-CHAINING", s), given("SAME-EXECUTION", s))
    yield Query("where a block is certified, nothing else was executed", known, one_chain(s))
    axioms = one_chain(s), *(given(name, s) for name in ("SENT-CERTIFIED", "HISTORY", "CREATION-UNIQUE"))
    invariants = {"histories agree": agree}
    yield from system(given, invariants=invariants, axioms=axioms).queries()


@formula("AGREEMENT")
def agreement(s: State) -> z3.BoolRef:
    """Two validators at which a chain has the same height have the same state of it, made by the same blocks."""

    def same(v: Any, c: Any, w: Any) -> z3.BoolRef:
        level = conj(is_created(s, v, c), is_created(s, w, c), s.next_height(v, c) == s.next_height(w, c))
        kept = z3.Not(z3.Or(s.archived(v, c), s.archived(w, c)))
        one, other = cell(s, v, c), cell(s, w, c)
        rests = z3.Implies(kept, one.rest == other.rest)
        blocks = forall((NUMBER,), lambda n: z3.Implies(is_done(s, v, c, n), s.done(v, c, n) == s.done(w, c, n)), "n")
        return z3.Implies(level, conj(rests, one.tip.equals(other.tip), blocks))

    return forall((VALIDATOR, CHAIN, VALIDATOR), same)


@proof("AGREEMENT")
def validators_agree(given: Given) -> Iterator[Query]:
    """The present is the last state of the history."""

    def hypotheses(s: State) -> tuple[z3.BoolRef, ...]:
        return tuple(given(name, s) for name in ("LOG-CHAINING", "LOG-PREFIX", "HISTORY", "STATE-AGREEMENT"))

    s, t = network(), example()
    yield Query("equal heights, equal states", hypotheses(s), said("AGREEMENT", s))
    is_active = WORDS.owner_of(t.rest(V, C)).present
    yield witness("an active chain of two blocks", (*hypotheses(t), family(), is_active))

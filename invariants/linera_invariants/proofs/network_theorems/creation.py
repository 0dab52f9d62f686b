"""The life of a chain: it is created once, by a block of its parent, and closed for ever."""

from collections.abc import Iterator
from typing import Any, TypeAlias

import z3

from linera_invariants.proofs.queries import Query, witness
from linera_invariants.proofs.relational import State
from linera_invariants.proofs.symbolic import conj
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import forall

from .agreement import (
    BLOCK,
    CHAIN,
    CREATION,
    EXECUTED,
    REST,
    VALIDATOR,
    WORDS,
    V,
    cell,
    chain_of,
    correct,
    genesis,
    is_closed,
    is_created,
    network,
    system,
)
from .example import CHILD, example, family
from .histories import is_reached, keeps
from .logs import is_done, one_chain
from .states import agree


@formula("CREATION-UNIQUE")
def creation_unique(s: State) -> z3.BoolRef:
    """While the histories agree, at most one certified block creates a chain, and it is a block of the parent."""

    def unique(d: Any, e: Any, c: Any) -> z3.BoolRef:
        both = conj(s.certified(d), s.certified(e), CREATION.creates(d, c), CREATION.creates(e, c))
        return z3.Implies(both, conj(d == e, chain_of(WORDS.block_of(e)) == CREATION.parent_of(c)))

    return z3.Implies(agree(s), forall((EXECUTED, EXECUTED, CHAIN), unique))


Case: TypeAlias = tuple[Any, Any, Any, Any, Any]
"""Two blocks, a chain that both might create, and a validator that voted for each of the blocks."""

SORTS = (EXECUTED, EXECUTED, CHAIN, VALIDATOR, VALIDATOR)


def is_earlier(s: State, case: Case) -> z3.BoolRef:
    """The first block is certified and below the second one, in the same chain."""
    d, e, _, v, w = case
    voted = conj(correct(v), s.voted(v, d), correct(w), s.voted(w, e))
    one, other = WORDS.block_of(d), WORDS.block_of(e)
    below = conj(chain_of(one) == chain_of(other), WORDS.height_of(one) < WORDS.height_of(other))
    return conj(voted, s.certified(d), below)


def not_both(case: Case) -> z3.BoolRef:
    """Not both blocks create the chain."""
    d, e, c, _, _ = case
    return z3.Not(conj(CREATION.creates(d, c), CREATION.creates(e, c)))


def way(s: State, case: Case) -> dict[str, tuple[z3.BoolRef, tuple[str, ...]]]:
    """Return what follows for an earlier and a later block, step by step, each with the entries that it needs."""
    d, e, _, v, w = case
    block = WORDS.block_of(d)
    c, m, n = chain_of(block), WORDS.height_of(block), WORDS.height_of(WORDS.block_of(e))
    after = WORDS.rest_after(s.past(v, c, m), block)
    reached = conj(is_reached(s, v, c, m), is_reached(s, w, c, n), is_done(s, w, c, m))
    counted = CREATION.tx_count(after) <= CREATION.tx_count(s.past(w, c, n))
    return {
        "the later voter had passed the earlier height": (reached, ("VOTE-VALIDITY",)),
        "it had executed the earlier block": (s.done(w, c, m) == d, ("ONE-CHAIN",)),
        "on the same rest": (s.past(w, c, m) == s.past(v, c, m), ("agreement",)),
        "which left the same": (s.past(w, c, m + 1) == after, ("HISTORY",)),
        "its transactions were counted before": (counted, ("TRANSACTIONS-COUNTED",)),
        "so the indices differ": (not_both(case), ("VOTE-VALIDITY", "CREATION-INDEX")),
    }


@proof("CREATION-UNIQUE")
def creations_are_unique(given: Given) -> Iterator[Query]:
    """The later of two blocks was voted for where the earlier one had used up the index."""

    def indexed(rest: Any, block: Any, c: Any) -> z3.BoolRef:
        return given("CREATION-INDEX", WORDS, CREATION, rest, block, chain_of(block), c)

    s = network()
    facts = {name: given(name, s) for name in ("HISTORY", "TRANSACTIONS-COUNTED", "VOTE-VALIDITY", "SAME-EXECUTION")}
    only = (agree(s), given("LOG-CHAINING", s), facts["SAME-EXECUTION"])
    yield Query("where a block is certified, nothing else was executed", only, one_chain(s))
    facts["ONE-CHAIN"] = one_chain(s)
    facts["CREATION-INDEX"] = forall((REST, BLOCK, CHAIN), indexed)
    facts["agreement"] = agree(s)
    case = tuple(z3.Const(f"case_{i}", sort) for i, sort in enumerate(SORTS))
    known: tuple[z3.BoolRef, ...] = (is_earlier(s, case),)
    for name, (goal, needs) in way(s, case).items():
        yield Query(name, (*known, *(facts[need] for need in needs)), goal)
        known = (*known, goal)
    never = forall(SORTS, lambda *case: z3.Implies(is_earlier(s, case), not_both(case)))
    facts["agreement"] = z3.Implies(agree(s), never)
    facts["CORRECT-VOTER"] = given("CORRECT-VOTER", correct, s.certified, s.voted)
    del facts["ONE-CHAIN"], facts["HISTORY"], facts["TRANSACTIONS-COUNTED"]
    yield Query("one block creates a chain", tuple(facts.values()), said("CREATION-UNIQUE", s))


def stays_closed(s: State, t: State) -> z3.BoolRef:
    """A closed chain stays closed, at its height and on its last block, with its state unless archived."""

    def closed(v: Any, c: Any) -> z3.BoolRef:
        before, after = cell(s, v, c), cell(t, v, c)
        still = conj(is_closed(t, v, c), after.next_height == before.next_height, after.tip.equals(before.tip))
        kept = z3.Or(t.archived(v, c), after.rest == before.rest)
        return z3.Implies(is_closed(s, v, c), conj(still, kept))

    return forall((VALIDATOR, CHAIN), closed)


def stays_created(s: State, t: State) -> z3.BoolRef:
    """A created chain stays created, with the same beginning."""

    def stays(v: Any, c: Any) -> z3.BoolRef:
        same = conj(t.source(v, c) == s.source(v, c), t.past(v, c, 0) == s.past(v, c, 0))
        return z3.Implies(is_created(s, v, c), conj(is_created(t, v, c), same))

    return forall((VALIDATOR, CHAIN), stays)


@proof("CLOSED-FOREVER")
def closed_chains_stay_closed(given: Given) -> Iterator[Query]:
    """Compare a chain before and after each step."""
    laws = {"a created chain stays created": stays_created, "a closed chain stays closed": stays_closed}
    axioms = (keeps(given), given("LOG-CHAINING", network()))
    yield from system(given, axioms=axioms, laws=laws).queries()


@formula("NON-REPLAY")
def non_replay(s: State) -> z3.BoolRef:
    """What created a chain is one certified block of its parent, the same for every validator, or the genesis."""

    def once(v: Any, c: Any, w: Any) -> z3.BoolRef:
        e = s.source(v, c)
        parent = chain_of(WORDS.block_of(e)) == CREATION.parent_of(c)
        made = conj(s.certified(e), CREATION.creates(e, c), parent, s.source(w, c) == e)
        known = conj(is_created(s, v, c), is_created(s, w, c), z3.Not(WORDS.is_created(genesis(c))))
        return z3.Implies(known, made)

    return forall((VALIDATOR, CHAIN, VALIDATOR), once)


@proof("NON-REPLAY")
def chains_are_created_once(given: Given) -> Iterator[Query]:
    """Whatever created the chain is certified, and so the same."""

    def hypotheses(s: State) -> tuple[z3.BoolRef, ...]:
        return tuple(given(name, s) for name in ("HISTORY", "CREATION-UNIQUE", "STATE-AGREEMENT"))

    s, t = network(), example()
    yield Query("one block of the parent created it", hypotheses(s), said("NON-REPLAY", s))
    created = conj(is_created(t, V, CHILD), z3.Not(WORDS.is_created(genesis(CHILD))))
    yield witness("a chain was created", (*hypotheses(t), family(), created))

"""What votes of correct validators stand for: one per chain, height, kind and round, as long as the height lasts."""

from collections.abc import Callable, Iterator
from typing import Any

import z3

from linera_invariants.proofs.cells import CellTerms
from linera_invariants.proofs.queries import Query
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
    cell,
    chain_of,
    correct,
    is_created,
    is_shared,
    network,
    place_of,
    system,
)


@formula("ONE-VOTE")
def one_vote(
    correct: z3.FuncDeclRef, voted: Callable[..., Any], place: Callable[[Any], Any], executed: z3.SortRef = EXECUTED
) -> z3.BoolRef:
    """A correct validator votes for at most one block at a place; ``place`` is chain and height."""

    def same(v: Any, d: Any, e: Any) -> z3.BoolRef:
        both = conj(correct(v), voted(v, d), voted(v, e), place(d) == place(e))
        return z3.Implies(both, d == e)

    return forall((correct.domain(0), executed, executed), same)


@proof("ONE-VOTE")
def one_vote_per_round(given: Given) -> Iterator[Query]:
    """Induct over the steps: what was voted for in the last round of the height still stands."""

    def once(kind: str) -> Callable[[State], z3.BoolRef]:
        def one(s: State) -> z3.BoolRef:
            votes = s.symbols[kind]
            return forall((NUMBER,), lambda r: said("ONE-VOTE", correct, lambda v, e: votes(v, e, r), place_of), "r")

        return one

    invariants = {f"one block {kind} in a round": once(kind) for kind in ("validates", "confirms")}
    yield from system(given, invariants=invariants, axioms=(given("VOTES-STAND", network()),)).queries()


def in_progress(s: State, v: Any, e: Any, stands: Any) -> z3.BoolRef:
    """Either the height of a block is passed, or it is the next one, and something holds of the cell."""
    block = WORDS.block_of(e)
    c, height = chain_of(block), WORDS.height_of(block)
    here = cell(s, v, c)
    return z3.Or(height < here.next_height, conj(height == here.next_height, stands(c, here)))


def validation_stands(s: State) -> z3.BoolRef:
    """A vote to validate was for a proposal; the last one of the height in progress is pending."""

    def stands(v: Any, e: Any, r: Any) -> z3.BoolRef:
        def last(c: Any, here: CellTerms) -> z3.BoolRef:
            pending = z3.Implies(r == here.last, here.pending.value == e)
            return conj(is_shared(s, v, c), here.pending.present, r <= here.last, pending)

        known = conj(s.voted(v, e), in_progress(s, v, e, last))
        return z3.Implies(conj(correct(v), s.validates(v, e, r)), known)

    return forall((VALIDATOR, EXECUTED, NUMBER), stands)


def confirmation_stands(s: State) -> z3.BoolRef:
    """The last vote to confirm of the height in progress is the lock, or what is pending with a single owner."""

    def stands(v: Any, e: Any, r: Any) -> z3.BoolRef:
        def last(_: Any, here: CellTerms) -> z3.BoolRef:
            lock, owner = here.locked, WORDS.owner_of(here.rest)
            locked = conj(lock.present, r <= lock.round, z3.Implies(r == lock.round, lock.executed == e))
            voted = conj(r == 0, here.pending.holds(e))
            active = conj(WORDS.is_created(here.rest), owner.present)
            return conj(active, z3.If(WORDS.several(owner.value), locked, voted))

        return z3.Implies(conj(correct(v), s.confirms(v, e, r)), conj(r >= 0, in_progress(s, v, e, last)))

    return forall((VALIDATOR, EXECUTED, NUMBER), stands)


STANDING = {"votes to validate stand": validation_stands, "votes to confirm stand": confirmation_stands}


@formula("VOTES-STAND")
def votes_stand(s: State) -> z3.BoolRef:
    """The last votes of each kind stand until the height is passed."""
    return conj(*(holds(s) for holds in STANDING.values()))


@proof("VOTES-STAND")
def votes_keep_standing(given: Given) -> Iterator[Query]:
    """Induct over the steps: rounds only grow, until the height is passed."""
    yield from system(given, invariants=STANDING).queries()


def pending_stands(s: State) -> z3.BoolRef:
    """What is pending was voted for, and stands on top of an active chain."""

    def stands(v: Any, c: Any) -> z3.BoolRef:
        here = cell(s, v, c)
        block = WORDS.block_of(here.pending.value)
        place = conj(chain_of(block) == c, WORDS.height_of(block) == here.next_height)
        active = conj(is_created(s, v, c), WORDS.owner_of(here.rest).present)
        on_top = conj(place, WORDS.previous_of(block).equals(here.tip), active)
        pending = conj(on_top, s.voted(v, here.pending.value), is_voted(s, v, c), correct(v))
        return z3.If(here.pending.present, pending, here.last == 0)

    return forall((VALIDATOR, CHAIN), stands)


def is_voted(s: State, v: Any, c: Any) -> z3.BoolRef:
    """What is pending was voted for: in its round to validate, or to confirm with a single owner."""
    here = cell(s, v, c)
    votes = s.validates(v, here.pending.value, here.last), s.confirms(v, here.pending.value, 0)
    kind: z3.BoolRef = z3.If(is_shared(s, v, c), *votes)
    return kind


def lock_stands(s: State) -> z3.BoolRef:
    """A lock is a validated certificate, and stands on top of an active chain with several owners."""

    def stands(v: Any, c: Any) -> z3.BoolRef:
        here = cell(s, v, c)
        lock, block = here.locked, WORDS.block_of(here.locked.executed)
        place = conj(chain_of(block) == c, WORDS.height_of(block) == here.next_height)
        on_top = conj(place, WORDS.previous_of(block).equals(here.tip), is_shared(s, v, c))
        return z3.Implies(lock.present, conj(on_top, s.validated(lock.executed, lock.round)))

    return forall((VALIDATOR, CHAIN), stands)


@formula("PENDING-HYGIENE")
def pending_hygiene(s: State) -> z3.BoolRef:
    """What is pending, and what is locked, was voted for or validated, and stands on top of an active chain."""
    return conj(pending_stands(s), lock_stands(s))


@proof("PENDING-HYGIENE")
def pending_stays_on_top(given: Given) -> Iterator[Query]:
    """Induct over the steps: whatever moves the chain resets what is pending."""

    def resets(s: State, t: State) -> z3.BoolRef:
        def moved(v: Any, c: Any) -> z3.BoolRef:
            nothing = conj(z3.Not(t.has_pending(v, c)), t.last(v, c) == 0, z3.Not(t.has_locked(v, c)))
            return z3.Implies(t.next_height(v, c) != s.next_height(v, c), nothing)

        return forall((VALIDATOR, CHAIN), moved)

    invariants = {"pending stands on top of the chain": pending_stands, "so does the lock": lock_stands}
    laws = {
        "a commit resets what was accepted": resets,
        "rounds and locks only grow": rounds_grow,
        "new votes are of no lower round": votes_grow,
    }
    yield from system(given, invariants=invariants, laws=laws).queries()


def rounds_grow(s: State, t: State) -> z3.BoolRef:
    """While the height lasts, nothing that was accepted is forgotten but for a later round."""

    def grow(v: Any, c: Any) -> z3.BoolRef:
        one, other = cell(s, v, c), cell(t, v, c)
        later = conj(other.locked.present, one.locked.round <= other.locked.round)
        same = z3.Or(other.locked.round > one.locked.round, other.locked.executed == one.locked.executed)
        stays = z3.Or(other.last > one.last, other.pending.value == one.pending.value)
        pending = z3.Implies(one.pending.present, conj(other.pending.present, stays))
        grown = conj(one.last <= other.last, pending, z3.Implies(one.locked.present, conj(later, same)))
        return z3.Implies(other.next_height == one.next_height, grown)

    return forall((VALIDATOR, CHAIN), grow)


def votes_grow(s: State, t: State) -> z3.BoolRef:
    """With several owners, no new vote of a correct validator is of a lower round than what it accepted before."""

    def grow(v: Any, e: Any, r: Any) -> z3.BoolRef:
        c = chain_of(WORDS.block_of(e))
        here = cell(s, v, c)
        validates = conj(t.validates(v, e, r), z3.Not(s.validates(v, e, r)))
        confirms = conj(t.confirms(v, e, r), z3.Not(s.confirms(v, e, r)))
        new = conj(correct(v), is_shared(s, v, c), z3.Or(validates, confirms))
        return z3.Implies(new, conj(r >= here.last, z3.Implies(here.locked.present, r >= here.locked.round)))

    return forall((VALIDATOR, EXECUTED, NUMBER), grow)

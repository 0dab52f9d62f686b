"""A correct validator votes once per chain and height, so certificates are unique."""

from collections.abc import Callable, Iterator
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
    cell,
    chain_of,
    correct,
    is_created,
    member,
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


def vote_stands(s: State) -> z3.BoolRef:
    """A vote is for a block below the next height, or at it and still pending."""

    def stands(v: Any, e: Any) -> z3.BoolRef:
        block = WORDS.block_of(e)
        here = cell(s, v, chain_of(block))
        height = WORDS.height_of(block)
        pending = conj(height == here.next_height, here.pending.holds(e))
        return z3.Implies(conj(correct(v), s.voted(v, e)), z3.Or(height < here.next_height, pending))

    return forall((VALIDATOR, EXECUTED), stands)


@proof("ONE-VOTE")
def one_vote_per_height(given: Given) -> Iterator[Query]:
    """Induct over the steps: a vote stays pending until the height is passed."""
    invariants = {
        "a vote is pending or past": vote_stands,
        "one vote per height": lambda s: said("ONE-VOTE", correct, s.voted, place_of),
    }
    yield from system(given, invariants=invariants).queries()


@formula("UNIQUE-CERTIFICATES")
def unique_certificates(certified: Callable[..., Any], place: Callable[[Any], Any]) -> z3.BoolRef:
    """Two certified blocks at a place are the same."""

    def same(d: Any, e: Any) -> z3.BoolRef:
        return z3.Implies(conj(certified(d), certified(e), place(d) == place(e)), d == e)

    return forall((EXECUTED, EXECUTED), same)


@proof("UNIQUE-CERTIFICATES")
def one_certificate_per_height(given: Given) -> Iterator[Query]:
    """Two quorums share a correct validator, and it voted for both."""
    s = network()
    hypotheses = (
        given("QUORUM-INTERSECTION", member, correct),
        given("CERTIFICATE-VOTES", s.certified, member, correct, s.voted),
        given("ONE-VOTE", correct, s.voted, place_of),
    )
    yield Query("one certified block per height", hypotheses, said("UNIQUE-CERTIFICATES", s.certified, place_of))
    d, e = z3.Consts("first second", EXECUTED)
    one_chain = chain_of(WORDS.block_of(d)) == chain_of(WORDS.block_of(e))
    yield witness(
        "two heights of a chain are certified", (*hypotheses, s.certified(d), s.certified(e), one_chain, d != e)
    )


@formula("CORRECT-VOTER")
def correct_voter(correct: z3.FuncDeclRef, certified: Callable[..., Any], voted: Callable[..., Any]) -> z3.BoolRef:
    """Every certified block was voted for by a correct validator."""
    v = z3.Const("voter!", correct.domain(0))

    def some(e: Any) -> z3.BoolRef:
        return z3.Implies(certified(e), z3.Exists([v], conj(correct(v), voted(v, e))))

    return forall((EXECUTED,), some)


@proof("CORRECT-VOTER")
def certified_blocks_have_a_correct_voter(given: Given) -> Iterator[Query]:
    """A quorum has a correct member."""
    s = network()
    quorums = given("QUORUM-CORRECT", member, correct)
    votes = given("CERTIFICATE-VOTES", s.certified, member, correct, s.voted)
    yield Query("a correct validator voted", (quorums, votes), said("CORRECT-VOTER", correct, s.certified, s.voted))


def pending_stands(s: State) -> z3.BoolRef:
    """What is pending was voted for, and stands on top of an active chain."""

    def stands(v: Any, c: Any) -> z3.BoolRef:
        here = cell(s, v, c)
        block = WORDS.block_of(here.pending.value)
        place = conj(chain_of(block) == c, WORDS.height_of(block) == here.next_height)
        active = conj(is_created(s, v, c), WORDS.owner_of(here.rest).present)
        on_top = conj(place, WORDS.previous_of(block).equals(here.tip), active)
        return z3.Implies(here.pending.present, conj(on_top, s.voted(v, here.pending.value), correct(v)))

    return forall((VALIDATOR, CHAIN), stands)


@formula("PENDING-HYGIENE")
def pending_hygiene(s: State) -> z3.BoolRef:
    """What is pending was voted for, and stands on top of an active chain."""
    return pending_stands(s)


@proof("PENDING-HYGIENE")
def pending_stays_on_top(given: Given) -> Iterator[Query]:
    """Induct over the steps: whatever moves the chain resets what is pending."""

    def resets(s: State, t: State) -> z3.BoolRef:
        moved = lambda v, c: z3.Implies(t.next_height(v, c) != s.next_height(v, c), z3.Not(t.has_pending(v, c)))  # noqa: E731
        return forall((VALIDATOR, CHAIN), moved)

    invariants = {"pending stands on top of the chain": pending_stands}
    yield from system(given, invariants=invariants, laws={"a commit resets pending": resets}).queries()

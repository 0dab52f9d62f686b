"""A height with several owners is never stuck: a proposal that knows the highest lock is accepted, then confirmed."""

from collections.abc import Iterator
from typing import Final

import z3
from attrs import frozen

from linera_invariants.proofs.cells import CellTerms, CertificateTerms, RequestTerms, VoteTerms
from linera_invariants.proofs.contracts.client import may_validate
from linera_invariants.proofs.queries import Query, witness
from linera_invariants.proofs.relational import State
from linera_invariants.proofs.symbolic import conj
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_reference.notation import MAX_U32, MAX_U64

from .agreement import BLOCK, EXECUTED, KEY, WORDS, C, V, any_cell, cell, chain_of, correct, is_shared, network
from .histories import is_reached
from .liveness import W, runs
from .rounds import ballots

PROPOSED, PROPOSER, ROUND = z3.Const("proposed", BLOCK), z3.Const("proposer", KEY), z3.Int("new_round")
IN_TURN: Final = z3.Bool("in_turn")
"""The application lets the owner propose."""


@frozen(eq=False)
class Way:
    """Two correct validators at one height of a chain with several owners, and a proposal that knows their locks.

    ``best`` has the highest lock of the two, ``other`` is any of them.
    """

    s: State
    best: CellTerms
    other: CellTerms

    @property
    def request(self) -> RequestTerms:
        """The proposal, justified by the highest lock."""
        signed = self.s.signed(PROPOSER, PROPOSED)
        return RequestTerms(PROPOSED, PROPOSER, signed, ROUND, self.best.locked)

    @property
    def outcome(self) -> z3.ExprRef:
        """What the block leads to."""
        executed: z3.ExprRef = WORDS.executed(self.best.rest, PROPOSED)
        return executed

    def is_open(self) -> z3.BoolRef:
        """Both are at the height, and one of them has the highest lock, if there is any."""
        best, other = self.best, self.other
        level = conj(best.next_height == other.next_height, best.next_height < MAX_U64, is_shared(self.s, V, C))
        reached = conj(is_reached(self.s, V, C, best.next_height), is_reached(self.s, W, C, best.next_height))
        higher = z3.Implies(other.locked.present, conj(best.locked.present, other.locked.round <= best.locked.round))
        return conj(correct(V), correct(W), level, reached, higher)

    def is_proposed(self) -> z3.BoolRef:
        """An owner signed the block of the lock, or else any on top, for a round above all; it is valid here."""
        best, other, r = self.best, self.other, ROUND
        owner, height = WORDS.owner_of(best.rest).value, WORDS.height_of(PROPOSED)
        own = conj(chain_of(PROPOSED) == C, height == best.next_height, WORDS.previous_of(PROPOSED).equals(best.tip))
        block = z3.If(best.locked.present, WORDS.block_of(best.locked.executed) == PROPOSED, own)
        above = conj(r >= 0, r <= MAX_U32, r > best.last, r > other.last)
        free = conj(above, z3.Implies(best.locked.present, r > best.locked.round))
        signed = conj(WORDS.owns(owner, PROPOSER), self.s.signed(PROPOSER, PROPOSED))
        return conj(block, free, signed, IN_TURN, runs(W, PROPOSED))


@formula("NEVER-STUCK")
def never_stuck(s: State) -> z3.BoolRef:
    """The proposal is acceptable to any of the two."""
    way = Way(s, cell(s, V, C), cell(s, W, C))
    acceptable = may_validate(WORDS, way.other, way.request, IN_TURN, runs(W, PROPOSED))
    return z3.Implies(conj(way.is_open(), way.is_proposed()), acceptable)


def steps(way: Way) -> dict[str, tuple[z3.BoolRef, tuple[str, ...]]]:
    """Return what follows, step by step, each with the entries that it needs."""
    s, best, other = way.s, way.best, way.other
    n = best.next_height
    on_top = conj(WORDS.height_of(PROPOSED) == n, WORDS.previous_of(PROPOSED).equals(best.tip))
    same = WORDS.block_of(other.locked.executed) == PROPOSED
    tie = conj(other.locked.present, other.locked.round == best.locked.round)
    return {
        "the block is on top": (on_top, ("PENDING-HYGIENE",)),
        "a lock of the same round is on it": (z3.Implies(tie, same), ("PENDING-HYGIENE", "UNIQUE-VALIDATED")),
        "the chain is not archived": (z3.Not(s.archived(V, C)), ("HISTORY",)),
        "both had one state": (s.past(W, C, n) == s.past(V, C, n), ("STATE-AGREEMENT",)),
        "nor at the other one": (z3.Not(s.archived(W, C)), ("HISTORY", "ARCHIVED-WAS-CLOSED")),
        "both have the same state": (conj(other.rest == best.rest, other.tip.equals(best.tip)), ("AGREEMENT",)),
    }


@proof("NEVER-STUCK")
def heights_are_never_stuck(given: Given) -> Iterator[Query]:
    """Locks are no obstacle to their own block; what was accepted is none to a later round."""
    s = network()
    way = Way(s, cell(s, V, C), cell(s, W, C))
    names = ("PENDING-HYGIENE", "HISTORY", "STATE-AGREEMENT", "ARCHIVED-WAS-CLOSED", "AGREEMENT")
    facts = {name: given(name, s) for name in names}
    facts["UNIQUE-VALIDATED"] = given("UNIQUE-VALIDATED", ballots(s))
    known: tuple[z3.BoolRef, ...] = (way.is_open(), way.is_proposed())
    yield witness("both are locked", (*known, V != W, way.other.locked.present, way.other.pending.present))
    for name, (goal, needs) in steps(way).items():
        yield Query(name, (*known, *(facts[need] for need in needs)), goal)
        known = (*known, goal)
    yield Query("the proposal is acceptable", known, said("NEVER-STUCK", s))
    yield from accepted(given, way, (*known, said("NEVER-STUCK", s)))


def accepted(given: Given, way: Way, known: tuple[z3.BoolRef, ...]) -> Iterator[Query]:
    """Hand the proposal to the validator, then its validated certificate."""
    accepts, locks, is_accepted = z3.Bool("accepts"), z3.Bool("locks"), z3.Bool("certificate_accepted")
    proposed, after = any_cell(), other_cell()
    vote = VoteTerms(z3.Const("vote", EXECUTED), z3.Int("vote_round"), z3.Bool("is_validated"))
    handler = given("PROPOSAL-ACCEPTED", accepts, WORDS, way.other, way.request, IN_TURN, runs(W, PROPOSED))
    yield Query("it is accepted", (*known, handler), accepts)
    handled = given("HANDLE-REQUEST", WORDS, way.other, proposed, way.request, vote, way.s.validated)
    outcome = conj(vote.executed == way.outcome, vote.round == ROUND, vote.validates)
    yield Query("the vote is to validate the one outcome", (*known, handled), outcome)
    final, verified = VoteTerms(way.outcome, ROUND, z3.BoolVal(False)), z3.Bool("verified")
    handler = given("VALIDATED-ACCEPTED", is_accepted, WORDS, proposed, final, verified)
    now = (*known, handled, outcome)
    yield Query("its certificate is accepted", (*now, handler, verified), is_accepted)
    done = given("HANDLE-VALIDATED", WORDS, proposed, after, final, way.s.validated, locks)
    locked = conj(after.locked.present, after.locked.says(way.outcome, ROUND))
    yield Query("the one outcome is confirmed", (*now, done), locked)
    yield witness("somebody confirms", (*now, handler, verified, done, locks))


def other_cell() -> CellTerms:
    """Return one more arbitrary cell."""
    after = any_cell()
    lock = CertificateTerms(z3.Bool("has_final"), z3.Const("final", EXECUTED), z3.Int("final_round_after"))
    return CellTerms(after.rest, after.next_height, after.tip, after.pending, after.log, after.last, lock)

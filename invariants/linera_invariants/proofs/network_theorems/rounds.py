"""The protocol with rounds: locks, and why no quorum confirms two blocks of a height, in whatever rounds.

Both types of chain are spoken of at once. Which one a chain has at a height is told by the votes: with a single owner
nobody correct ever votes to validate.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import z3
from attrs import frozen

from linera_invariants.proofs.lists import by_induction
from linera_invariants.proofs.queries import Query, witness
from linera_invariants.proofs.relational import State
from linera_invariants.proofs.symbolic import conj
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import forall

from .agreement import (
    EXECUTED,
    NUMBER,
    QUORUM,
    VALIDATOR,
    WORDS,
    chain_of,
    correct,
    is_shared,
    member,
    network,
    place_of,
    system,
)
from .states import agree


@frozen(eq=False)
class Ballots:
    """The votes and validated certificates that there are. Sorts are those of validators and executed blocks."""

    correct: Callable[[Any], Any]
    voted: Callable[[Any, Any], Any]
    validates: Callable[[Any, Any, Any], Any]
    confirms: Callable[[Any, Any, Any], Any]
    validated: Callable[[Any, Any], Any]
    place: Callable[[Any], Any]
    block: Callable[[Any], Any]
    validator: z3.SortRef = VALIDATOR
    executed: z3.SortRef = EXECUTED


def ballots(s: State) -> Ballots:
    """Return the votes and validated certificates of a state."""
    return Ballots(correct, s.voted, s.validates, s.confirms, s.validated, place_of, WORDS.block_of)


# --- What a correct validator can answer ------------------------------------------------------------------------------


@formula("FINAL-VOTES")
def final_votes(b: Ballots) -> z3.BoolRef:
    """A vote to confirm has a validated certificate, or is that for the proposal of a single owner, in round 0."""

    def founded(v: Any, x: Any, r: Any) -> z3.BoolRef:
        proposed = conj(r == 0, b.voted(v, x))
        return z3.Implies(conj(b.correct(v), b.confirms(v, x, r)), conj(r >= 0, z3.Or(b.validated(x, r), proposed)))

    def of_one_type(v: Any, x: Any, r: Any, y: Any, its_round: Any) -> z3.BoolRef:
        both = conj(b.correct(v), b.confirms(v, x, r), b.validates(v, y, its_round), b.place(x) == b.place(y))
        return z3.Implies(both, b.validated(x, r))

    return conj(
        forall((b.validator, b.executed, NUMBER), founded),
        forall((b.validator, b.executed, NUMBER, b.executed, NUMBER), of_one_type),
    )


def is_founded(s: State) -> z3.BoolRef:
    """A vote to confirm has a validated certificate, unless nobody can vote to validate at its place."""

    def founded(v: Any, x: Any, r: Any) -> z3.BoolRef:
        block = WORDS.block_of(x)
        c = chain_of(block)
        now = conj(WORDS.height_of(block) == s.next_height(v, c), is_shared(s, v, c))
        never = forall(
            (EXECUTED, NUMBER), lambda y, q: z3.Implies(s.validates(v, y, q), place_of(y) != place_of(x)), "y"
        )
        alone = conj(r == 0, s.voted(v, x), z3.Not(now), never)
        return z3.Implies(conj(correct(v), s.confirms(v, x, r)), z3.Or(s.validated(x, r), alone))

    return forall((VALIDATOR, EXECUTED, NUMBER), founded)


@proof("FINAL-VOTES")
def final_votes_are_founded(given: Given) -> Iterator[Query]:
    """Induct over the steps: who votes to confirm has seen the certificate, or has a single owner."""
    s = network()
    standing = given("VOTES-STAND", s)
    yield from system(given, invariants={"votes to confirm are founded": is_founded}, axioms=(standing,)).queries()
    yield Query("final votes", (is_founded(s), standing), said("FINAL-VOTES", ballots(s)))


def between(b: Ballots, x: Any, low: Any, high: Any) -> z3.BoolRef:
    """A validated certificate on the block of this executed block has a round in between."""
    e, r = z3.Const("e!", b.executed), z3.Int("r!")
    return z3.Exists([e, r], conj(b.validated(e, r), b.block(e) == b.block(x), low < r, r < high))


@formula("LOCKS")
def locks(b: Ballots) -> z3.BoolRef:
    """Who confirmed X and later votes to validate Y, another block, can show a certificate of Y from in between."""

    def answers(v: Any, x: Any, low: Any, y: Any, high: Any) -> z3.BoolRef:
        votes = conj(b.correct(v), b.confirms(v, x, low), b.validates(v, y, high), low < high)
        conflict = conj(b.place(x) == b.place(y), b.block(x) != b.block(y))
        return z3.Implies(conj(votes, conflict), between(b, y, low, high))

    return forall((b.validator, b.executed, NUMBER, b.executed, NUMBER), answers)


@proof("LOCKS")
def locks_can_be_answered(given: Given) -> Iterator[Query]:
    """Induct over the steps: lock or justification, whichever is later, is the certificate."""
    s = network()
    invariants = {"locks can be answered": lambda s: said("LOCKS", ballots(s))}
    axioms = given("VOTES-STAND", s), given("PENDING-HYGIENE", s)
    yield from system(given, invariants=invariants, axioms=axioms).queries()


# --- One block per height ------------------------------------------------------------------------------------------


def hypotheses(given: Given, s: State, *names: str) -> tuple[z3.BoolRef, ...]:
    """Return what is known of votes and quorums."""
    facts = {
        "QUORUM-INTERSECTION": lambda: given("QUORUM-INTERSECTION", member, correct),
        "CERTIFICATE-VOTES": lambda: forall((NUMBER,), lambda r: validation_quorums(given, s, r), "r"),
        "ONE-VOTE": lambda: forall((NUMBER,), lambda r: conj(*one_vote_in(given, s, r)), "r"),
    }
    return tuple(facts[name]() if name in facts else given(name, ballots(s)) for name in names)


def validation_quorums(given: Given, s: State, r: Any) -> z3.BoolRef:
    """A quorum voted for every validated block, in its round."""
    return given(
        "CERTIFICATE-VOTES", lambda e: s.validated(e, r), member, correct, lambda v, e: s.validates(v, e, r), EXECUTED
    )


def confirmation_quorums(given: Given, s: State) -> z3.BoolRef:
    """A quorum voted to confirm every certified block, in a round that depends on the block."""
    return given(
        "CERTIFICATE-VOTES", s.certified, member, correct, lambda v, e: s.confirms(v, e, FINAL_ROUND(e)), EXECUTED
    )


FINAL_ROUND: Final = z3.Function("final_round", EXECUTED, NUMBER)
"""The round of a confirmed certificate on a block that is certified: of any, for good."""


def one_vote_in(given: Given, s: State, r: Any) -> Iterator[z3.BoolRef]:
    """A correct validator votes once of each kind in a round."""
    for votes in (s.validates, s.confirms):
        yield given("ONE-VOTE", correct, lambda v, e, votes=votes: votes(v, e, r), place_of)


@formula("UNIQUE-VALIDATED")
def unique_validated(b: Ballots) -> z3.BoolRef:
    """Two validated certificates of one place and round are on the same executed block."""

    def same(x: Any, y: Any, r: Any) -> z3.BoolRef:
        return z3.Implies(conj(b.validated(x, r), b.validated(y, r), b.place(x) == b.place(y)), x == y)

    return forall((b.executed, b.executed, NUMBER), same)


@proof("UNIQUE-VALIDATED")
def one_validated_block_per_round(given: Given) -> Iterator[Query]:
    """Two quorums share a correct validator, and it voted for both."""
    s = network()
    known = hypotheses(given, s, "QUORUM-INTERSECTION", "CERTIFICATE-VOTES", "ONE-VOTE")
    yield Query("one validated block per round", known, said("UNIQUE-VALIDATED", ballots(s)))
    x, y = z3.Consts("x y", EXECUTED)
    rounds = conj(s.validated(x, 0), s.validated(y, 1), place_of(x) == place_of(y), x != y)
    yield witness("two rounds validate two blocks", (*known, rounds))


def is_confirmed(s: State, q: Any, x: Any, r: Any) -> z3.BoolRef:
    """Whoever is correct in a quorum voted to confirm in a round."""
    return forall((VALIDATOR,), lambda v: z3.Implies(conj(member(q, v), correct(v)), s.confirms(v, x, r)), "w")


Rounds = Callable[[Any], z3.BoolRef]


def preserved(s: State, x: Any, low: Any, rounds: Rounds) -> z3.BoolRef:
    """No other block than this is validated at its place from a round on, in the rounds that are meant."""

    def same(y: Any, r: Any) -> z3.BoolRef:
        later = conj(s.validated(y, r), low <= r, rounds(r), place_of(x) == place_of(y))
        return z3.Implies(later, WORDS.block_of(x) == WORDS.block_of(y))

    return forall((EXECUTED, NUMBER), same)


@formula("LOCK-PRESERVATION")
def lock_preservation(s: State, q: Any, x: Any, low: Any, high: Any) -> z3.BoolRef:
    """Where a quorum confirmed a block, no other block is validated in the same or a later round."""
    confirmed = conj(low >= 0, is_confirmed(s, q, x, low))
    return z3.Implies(confirmed, preserved(s, x, low, lambda r: r == high))


@proof("LOCK-PRESERVATION")
def locks_are_preserved(given: Given) -> Iterator[Query]:
    """Induct over rounds: the first other block to be validated would need a vote that nobody can answer for."""
    s, q, x = network(), z3.Const("q", QUORUM), z3.Const("x", EXECUTED)
    low, high = z3.Ints("low high")
    confirmed = conj(low >= 0, is_confirmed(s, q, x, low))

    def voted(y: Any, r: Any) -> z3.BoolRef:
        v = z3.Const("voter!", VALIDATOR)
        both = conj(correct(v), s.confirms(v, x, low), s.validates(v, y, r))
        return z3.Implies(s.validated(y, r), z3.Exists([v], both))

    def below(n: Any) -> z3.BoolRef:
        return preserved(s, x, low, lambda r: r < n)

    shared = forall((EXECUTED, NUMBER), voted)
    quorums = hypotheses(given, s, "QUORUM-INTERSECTION", "CERTIFICATE-VOTES")
    yield Query("somebody correct voted for both", (*quorums, confirmed), shared)
    known = (shared, low >= 0, *hypotheses(given, s, "FINAL-VOTES", "UNIQUE-VALIDATED", "LOCKS"))
    yield from by_induction("no other block is validated", below, lambda _: known)
    everywhere = z3.Implies(confirmed, z3.Implies(high + 1 >= 0, below(high + 1)))
    yield Query("in any round", (everywhere,), said("LOCK-PRESERVATION", s, q, x, low, high))
    y = z3.Const("y", EXECUTED)
    other = conj(s.validated(y, low - 1), place_of(x) == place_of(y), WORDS.block_of(x) != WORDS.block_of(y))
    yield witness("another block was validated before", (*known, confirmed, other))


@formula("ONE-BLOCK")
def one_block(s: State) -> z3.BoolRef:
    """Two certified executed blocks of one place are executions of the same block."""

    def same(x: Any, y: Any) -> z3.BoolRef:
        both = conj(s.certified(x), s.certified(y), place_of(x) == place_of(y))
        return z3.Implies(both, WORDS.block_of(x) == WORDS.block_of(y))

    return forall((EXECUTED, EXECUTED), same)


@proof("ONE-BLOCK")
def one_block_per_height(given: Given) -> Iterator[Query]:
    """In one round, two quorums share a correct voter; in two, the later block was validated after the earlier one."""
    s = network()
    quorums = (*hypotheses(given, s, "QUORUM-INTERSECTION"), confirmation_quorums(given, s))

    def founded(x: Any) -> z3.BoolRef:
        r = FINAL_ROUND(x)
        return z3.Implies(s.certified(x), conj(r >= 0, z3.Or(r == 0, s.validated(x, r))))

    def once(x: Any, y: Any) -> z3.BoolRef:
        both = conj(s.certified(x), s.certified(y), place_of(x) == place_of(y))
        return z3.Implies(conj(both, FINAL_ROUND(x) == FINAL_ROUND(y)), x == y)

    def preserves(q: Any, x: Any, y: Any) -> z3.BoolRef:
        return given("LOCK-PRESERVATION", s, q, x, FINAL_ROUND(x), FINAL_ROUND(y))

    final, one = forall((EXECUTED,), founded), forall((EXECUTED, EXECUTED), once)
    yield Query("a later block was validated", (*quorums, *hypotheses(given, s, "FINAL-VOTES")), final)
    yield Query("one block in a round", (*quorums, *hypotheses(given, s, "ONE-VOTE")), one)
    preservation = forall((QUORUM, EXECUTED, EXECUTED), preserves, "p")
    known = (confirmation_quorums(given, s), final, one, preservation)
    yield Query("one block per height", known, said("ONE-BLOCK", s))
    x, y = z3.Consts("x y", EXECUTED)
    both = conj(s.certified(x), s.certified(y), place_of(x) == place_of(y), x != y)
    yield witness("two executions of one block are certified", (*known, both))


# --- One executed block per height ---------------------------------------------------------------------------------


@formula("CORRECT-VOTER")
def correct_voter(correct: z3.FuncDeclRef, certified: Callable[..., Any], voted: Callable[..., Any]) -> z3.BoolRef:
    """Every certified block was voted for, as a proposal, by a correct validator.

    ``certified`` may also be what is validated in a round.
    """
    v = z3.Const("voter!", correct.domain(0))

    def some(e: Any) -> z3.BoolRef:
        return z3.Implies(certified(e), z3.Exists([v], conj(correct(v), voted(v, e))))

    return forall((EXECUTED,), some)


@proof("CORRECT-VOTER")
def certified_blocks_have_a_correct_voter(given: Given) -> Iterator[Query]:
    """A quorum has a correct member; what it confirms was proposed to it, or validated by another quorum."""
    s = network()
    votes = hypotheses(given, s, "CERTIFICATE-VOTES", "FINAL-VOTES")
    known = (given("QUORUM-CORRECT", member, correct), confirmation_quorums(given, s), *votes, given("VOTES-STAND", s))
    yield Query("for what is certified", known, said("CORRECT-VOTER", correct, s.certified, s.voted))
    yield Query("for what is validated", known, said("CORRECT-VOTER", correct, in_round(s, z3.Int("r")), s.voted))


def in_round(s: State, r: Any) -> Callable[[Any], z3.BoolRef]:
    """Return what is validated in a round."""
    return lambda e: s.validated(e, r)


@formula("SAME-EXECUTION")
def same_execution(s: State) -> z3.BoolRef:
    """While the histories agree, two certified blocks of a place are the same."""
    return z3.Implies(agree(s), unique(s))


def unique(s: State) -> z3.BoolRef:
    """Two certified blocks of a place are the same."""
    return unique_certificates(s.certified, place_of)


@proof("SAME-EXECUTION")
def one_execution_per_block(given: Given) -> Iterator[Query]:
    """A correct validator executed each of them, on the same state."""
    s = network()
    voters = given("CORRECT-VOTER", correct, s.certified, s.voted)
    known = (given("ONE-BLOCK", s), voters, given("VOTE-VALIDITY", s))
    yield Query("one certified block per height", known, said("SAME-EXECUTION", s))


@formula("UNIQUE-CERTIFICATES")
def unique_certificates(certified: Callable[..., Any], place: Callable[[Any], Any]) -> z3.BoolRef:
    """Two certified blocks at a place are the same."""

    def same(d: Any, e: Any) -> z3.BoolRef:
        return z3.Implies(conj(certified(d), certified(e), place(d) == place(e)), d == e)

    return forall((EXECUTED, EXECUTED), same)


@proof("UNIQUE-CERTIFICATES")
def one_certificate_per_height(given: Given) -> Iterator[Query]:
    """The histories agree."""
    s = network()
    known = (given("SAME-EXECUTION", s), given("STATE-AGREEMENT", s))
    yield Query("one certified block per height", known, said("UNIQUE-CERTIFICATES", s.certified, place_of))
    d, e = z3.Consts("first second", EXECUTED)
    one_chain = chain_of(WORDS.block_of(d)) == chain_of(WORDS.block_of(e))
    yield witness("two heights of a chain are certified", (*known, s.certified(d), s.certified(e), one_chain, d != e))


@formula("CONFIRMED-FOR-GOOD")
def confirmed_for_good(s: State, q: Any, x: Any, low: Any, y: Any, high: Any) -> z3.BoolRef:
    """Where a quorum confirmed an executed block, nothing else is validated in this or a later round."""
    confirmed = conj(low >= 0, is_confirmed(s, q, x, low))
    later = conj(s.validated(y, high), low <= high, place_of(x) == place_of(y))
    return z3.Implies(conj(confirmed, later), x == y)


@proof("CONFIRMED-FOR-GOOD")
def nothing_else_is_validated(given: Given) -> Iterator[Query]:
    """It is the same block, and a correct validator executed each of them, on the same state."""
    s, v = network(), z3.Const("voter", VALIDATOR)
    q, x, y = z3.Const("q", QUORUM), z3.Const("x", EXECUTED), z3.Const("y", EXECUTED)
    low, high = z3.Ints("low high")
    voters = forall((NUMBER,), lambda r: given("CORRECT-VOTER", correct, in_round(s, r), s.voted), "r")
    some = z3.Exists([v], conj(correct(v), s.voted(v, x)))
    known = (given("QUORUM-CORRECT", member, correct), voters, *hypotheses(given, s, "FINAL-VOTES"))
    yield Query("somebody correct executed it", (*known, is_confirmed(s, q, x, low)), some)
    voted = z3.Implies(is_confirmed(s, q, x, low), some)
    states = given("VOTE-VALIDITY", s), given("STATE-AGREEMENT", s)
    same = given("LOCK-PRESERVATION", s, q, x, low, high)
    yield Query("nothing else", (voted, voters, *states, same), said("CONFIRMED-FOR-GOOD", s, q, x, low, y, high))


@formula("ONE-OUTCOME")
def one_outcome(b: Ballots) -> z3.BoolRef:
    """A correct validator finds one outcome of each block, in whatever rounds it votes to validate it."""

    def same(v: Any, x: Any, r: Any, y: Any, its_round: Any) -> z3.BoolRef:
        votes = conj(b.correct(v), b.validates(v, x, r), b.validates(v, y, its_round))
        return z3.Implies(conj(votes, b.block(x) == b.block(y)), x == y)

    return forall((b.validator, b.executed, NUMBER, b.executed, NUMBER), same)


@proof("ONE-OUTCOME")
def one_outcome_per_block(given: Given) -> Iterator[Query]:
    """It executed both on the one state that it had at this height."""
    s = network()
    known = given("VOTES-STAND", s), given("VOTE-VALIDITY", s)
    yield Query("the same execution", known, said("ONE-OUTCOME", ballots(s)))

"""Rounds: which proposals and which validated certificates a node accepts, and what it then stands for.

Votes and locks are any. A lock is a certificate of which the executed block and the round are looked at.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import z3
from attrs import evolve

from linera_invariants.proofs.cells import CellTerms, CertificateTerms, RequestTerms, Words, allows
from linera_invariants.proofs.codecs import unknown
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import SInt, assume, attempt, claim, conj, decide, disj, fresh, reach, term
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_reference.certificate import Certificate, Kind
from linera_reference.certification import (
    already_voted,
    check_proposal,
    check_validated_kind,
    proposal_kind,
    standing_ballot,
)
from linera_reference.context import Context
from linera_reference.ownership import Owners
from linera_reference.rejections import Reason, Rejected, Rejection
from linera_reference.request import Request
from linera_reference.rounds import Rounds, accepted_before, binding_lock, current_round, lock_after
from linera_reference.validator import check_justification

from .certification import Guard, column, same
from .chain import (
    CERTIFICATES,
    EXECUTED,
    LOCK,
    LOCKS,
    OWNER,
    OWNERS,
    PENDING,
    REQUESTS,
    ROUNDS,
    VOTED,
    WORDS,
    SOptional,
    any_context,
    as_a_whole,
    certificate_terms,
    opened,
    option,
    terms_of_request,
)
from .execution import used

NOTHING: Final[Any] = None


def votes_terms(pending: Any, rounds: Rounds) -> CellTerms:
    """Return votes and lock as the cell that they are part of; nothing else is there."""
    voted = option(PENDING.pack(pending))
    return CellTerms(*(NOTHING,) * 3, voted, NOTHING, term(rounds.last), certificate_terms(rounds.locked))


def any_votes() -> tuple[Any, Rounds]:
    """Return any vote, or none, and any rounds, all of it sealed."""
    return unknown(PENDING, "pending"), unknown(ROUNDS, "rounds")


def with_lock(rounds: Rounds) -> Rounds:
    """Fork on whether there is a lock: for rules that ask."""
    return evolve(rounds, locked=opened(LOCK, rounds.locked))


def with_reason(request: Request) -> Request:
    """Fork on whether a request has a justification: for rules that ask; its block is only compared."""
    return evolve(as_a_whole(request), justification=opened(LOCK, request.justification))


# --- Justifications ----------------------------------------------------------------------------------------------

VALIDATED: Final = z3.Function("validated", EXECUTED.sort, z3.IntSort(), z3.BoolSort())
"""Whether ``check_validated`` ever accepted a certificate of an executed block and a round."""
VERIFIES: Final = z3.Function("verifies as validated", CERTIFICATES.sort, z3.BoolSort())
"""Whether ``check_validated``, which is a function, accepts a certificate at the node that is looked at."""


def check_validated(_: Context, certificate: Certificate) -> None:
    """Reject, or accept (CHECK-VALIDATED) a block, which is validated in the round: the word means this."""
    if not decide(VERIFIES(CERTIFICATES.pack(certificate))):
        raise Rejection(Reason.CERTIFICATE_REQUIRES_QUORUM)
    assume(VALIDATED(EXECUTED.pack(certificate.executed), term(certificate.round)))


@formula("CHECK-JUSTIFICATION")
def justifies(justification: Any, accepts: z3.BoolRef) -> z3.BoolRef:
    """Say that no justification is accepted, and one if it verifies; it is validated then."""
    offered, terms = option(justification), certificate_terms(SOptional(justification))
    verifies = accepts == z3.Implies(offered.present, VERIFIES(offered.value))
    return conj(verifies, z3.Implies(conj(accepts, terms.present), VALIDATED(terms.executed, terms.round)))


@proof("CHECK-JUSTIFICATION")
def justifications(_: Given) -> Iterator[Query]:
    """Run the rule on any justification, or none."""

    def run() -> None:
        justification = unknown(LOCKS, "justification")
        check = with_callees(check_justification, check_validated=check_validated)
        outcome = attempt(check, any_context(), opened(LOCK, justification))
        accepts = z3.BoolVal(not isinstance(outcome, Rejected))
        claim("the contract", said("CHECK-JUSTIFICATION", justification.term, accepts))

    yield from lifted("check_justification", run)


def summary_of_justification(given: Given) -> Callable[[Context, Any], None]:
    """Return what CHECK-JUSTIFICATION says of ``check_justification``."""
    known = used(given)

    def check_justification(_: Context, justification: Any) -> None:
        accepts = fresh("justified", z3.BoolSort())
        assume(known("CHECK-JUSTIFICATION", LOCKS.pack(justification), accepts))
        if not decide(accepts):
            raise Rejection(Reason.CERTIFICATE_REQUIRES_QUORUM)

    return check_justification


@proof("BINDING-LOCK")
def what_binds(_: Given) -> Iterator[Query]:
    """Run the rule on any lock and justification."""

    def run() -> None:
        (_, rounds), justification = any_votes(), unknown(LOCKS, "justification")
        lock, reason = certificate_terms(rounds.locked), certificate_terms(justification)
        locked, offered = with_lock(rounds), opened(LOCK, justification)
        binding = attempt(binding_lock, locked, offered)
        if binding is None:
            claim("nothing binds only if there is nothing", z3.Not(disj(lock.present, reason.present)))
            return
        claim("one of the two binds", binding is locked.locked or binding is offered)
        no_lower = [z3.Implies(c.present, term(binding.round) >= c.round) for c in (lock, reason)]
        claim("the later one", conj(*no_lower))
        tie = conj(lock.present, reason.present, lock.round == reason.round)
        claim("the lock on ties", z3.Implies(tie, z3.BoolVal(binding is locked.locked)))

    yield from lifted("binding_lock", run)


# --- Proposals ---------------------------------------------------------------------------------------------------


def is_repeated(w: Words, cell: CellTerms, request: RequestTerms) -> z3.BoolRef:
    """Say that a request is the last proposal again."""
    same_block = w.block_of(cell.pending.value) == request.block
    return conj(cell.pending.present, same_block, request.round == cell.last)


def is_low(cell: CellTerms, request: RequestTerms) -> z3.BoolRef:
    """Say that a request is not above the last proposal."""
    return conj(cell.pending.present, request.round <= cell.last)


@formula("PROPOSAL-IN-ROUND")
def accepts_in_round(
    w: Words, cell: CellTerms, request: RequestTerms, repeats: z3.BoolRef, low: z3.BoolRef, bound: z3.BoolRef
) -> z3.BoolRef:
    """Say which proposals repeat the last one, which are too low, and which a lock or justification speaks against."""
    again, below, free = is_repeated(w, cell, request), is_low(cell, request), allows(w, cell, request)
    is_bound = bound == conj(z3.Not(again), z3.Not(below), z3.Not(free))
    return conj(repeats == again, low == conj(z3.Not(again), below), is_bound)


def binding_round(cell: CellTerms, request: RequestTerms) -> SInt:
    """Return the round of what binds a proposal."""
    lock, reason = cell.locked, request.justification
    later = conj(reason.present, z3.Or(z3.Not(lock.present), reason.round > lock.round))
    return SInt(z3.If(later, reason.round, lock.round))


@proof("PROPOSAL-IN-ROUND")
def proposals_in_rounds(_: Given) -> Iterator[Query]:
    """Run the rule on any votes, lock and request."""

    def run() -> None:
        (pending, rounds), request = any_votes(), unknown(REQUESTS, "request")
        cell, terms = votes_terms(pending, rounds), terms_of_request(request)
        voted = opened(VOTED, pending)
        found = attempt(accepted_before, voted, with_lock(rounds), with_reason(request))
        reason = found.reason if isinstance(found, Rejected) else None
        ends = found is not None and found is voted, *(reason is why for why in LOW_AND_BOUND)
        claim("the contract", said("PROPOSAL-IN-ROUND", WORDS, cell, terms, *map(z3.BoolVal, ends)))
        claim("it ends in one of four ways", any(ends) or found is None)
        details = dict(zip(LOW_AND_BOUND, (rounds.last, binding_round(cell, terms)), strict=True))
        if isinstance(found, Rejected):
            reach(found.reason.name)
            claim("with the round that speaks against it", same(found.detail, details.get(found.reason)))
        else:
            reach("a repetition" if found is voted and found is not None else "a new proposal")

    yield from lifted("accepted_before", run)


LOW_AND_BOUND: Final = (Reason.INSUFFICIENT_ROUND, Reason.HAS_LOCKED_BLOCK)


def summary_of_rounds(given: Given) -> Callable[[Any, Rounds, Request], Any]:
    """Return what PROPOSAL-IN-ROUND says of ``accepted_before``."""
    known = used(given)

    def accepted_before(pending: Any, rounds: Rounds, request: Request) -> Any:
        cell, terms = votes_terms(pending, rounds), terms_of_request(request)
        repeats, low, bound = (fresh(name, z3.BoolSort()) for name in ("repeats", "is low", "is bound"))
        assume(known("PROPOSAL-IN-ROUND", WORDS, cell, terms, repeats, low, bound))
        if decide(repeats):
            return opened(VOTED, pending)
        if decide(low):
            raise Rejection(Reason.INSUFFICIENT_ROUND, rounds.last)
        if decide(bound):
            raise Rejection(Reason.HAS_LOCKED_BLOCK, binding_round(cell, terms))
        return None

    return accepted_before


def voting_rules(given: Given) -> Callable[..., Any]:
    """Return the shipped ``check_proposal`` on sealed votes and certificates, opened where they are asked for."""

    def voted(pending: Any, request: Request) -> Any:
        return already_voted(opened(VOTED, pending), with_reason(request))

    return with_callees(check_proposal, accepted_before=summary_of_rounds(given), already_voted=voted)


@proof("CHAIN-TYPES")
def chain_types(_: Given) -> Iterator[Query]:
    """Run the rules that ask for the type of a chain, on any owner."""

    def run() -> None:
        owner, asked = opened(OWNER, unknown(OWNERS, "owner")), list[str]()
        given_on = object(), object(), object()

        def noted(name: str) -> Callable[..., str]:
            def rule(*arguments: Any) -> str:
                expected = given_on if name == "accepted_before" else (given_on[0], given_on[2])
                claim("with what belongs to it", arguments == expected)
                asked.append(name)
                return name

            return rule

        rules = {name: noted(name) for name in ("accepted_before", "already_voted")}
        found = attempt(with_callees(check_proposal, **rules), owner, *given_on)
        several = isinstance(owner, Owners)
        reach("several owners" if several else "a single owner or none")
        claim(
            "several owners vote in rounds, others once", asked == ["accepted_before" if several else "already_voted"]
        )
        claim("as this rule says", found == asked[0])
        kind = attempt(proposal_kind, owner)
        claim("the vote validates with several owners", kind is (Kind.VALIDATED if several else Kind.CONFIRMED))
        expected = Guard(Reason.UNEXPECTED_CERTIFICATE_KIND, several, Kind.VALIDATED)
        column(attempt(check_validated_kind, owner), expected)

    yield from lifted("check_proposal", run)


# --- Locks -------------------------------------------------------------------------------------------------------


def current(cell: CellTerms) -> z3.ArithRef:
    """Return the highest round in which something was accepted."""
    lock = cell.locked
    return z3.If(conj(lock.present, lock.round > cell.last), lock.round, cell.last)


@formula("LOCK-AFTER")
def locks(cell: CellTerms, certificate: CertificateTerms, lock: CertificateTerms) -> z3.BoolRef:
    """Say what the lock is after a validated certificate: this, in a round that nothing accepted is above."""
    before = cell.locked
    above = conj(certificate.round >= cell.last, z3.Implies(before.present, certificate.round >= before.round))
    tie = conj(before.present, before.round == certificate.round)
    agrees = z3.Implies(tie, before.executed == certificate.executed)
    return conj(lock.present, lock.says(certificate.executed, certificate.round), above, agrees)


@proof("LOCK-AFTER")
def locking(_: Given) -> Iterator[Query]:
    """Run the rules on any votes and lock, and any certificate."""

    def run() -> None:
        (pending, rounds), certificate = any_votes(), unknown(LOCK, "certificate")
        cell, new = votes_terms(pending, rounds), certificate_terms(certificate)
        known = with_lock(rounds)
        highest = term(attempt(current_round, known))
        claim("the current round is the highest one", highest == current(cell))
        lock, low = attempt(lock_after, known, certificate), SInt(current(cell) - 1)
        tie = conj(cell.locked.present, cell.locked.round == new.round)
        agrees = z3.Implies(tie, cell.locked.executed == new.executed)
        column(
            lock,
            Guard(Reason.INSUFFICIENT_ROUND, new.round >= current(cell), low),
            Guard(Reason.HAS_LOCKED_BLOCK, agrees, SInt(cell.locked.round)),
        )
        if not isinstance(lock, Rejected):
            claim("the contract", said("LOCK-AFTER", cell, new, certificate_terms(lock)))
            claim("the same lock if it says the same", z3.Implies(tie, z3.BoolVal(lock is known.locked)))

    yield from lifted("lock_after", run)


# --- What a node stands for --------------------------------------------------------------------------------------


@proof("STANDING-BALLOT")
def ballots(_: Given) -> Iterator[Query]:
    """Run the rule on any owner, votes and lock."""

    def run() -> None:
        (pending, rounds), owner = any_votes(), opened(OWNER, unknown(OWNERS, "owner"))
        cell = votes_terms(pending, rounds)
        voted, lock = opened(VOTED, pending), with_lock(rounds).locked
        ballot = attempt(standing_ballot, owner, voted, evolve(rounds, locked=lock))
        final = conj(cell.locked.present, cell.locked.round >= cell.last)
        if ballot is None:
            claim(
                "nothing stands before the first vote", conj(z3.Not(final), z3.BoolVal(voted is None or owner is None))
            )
            return
        kind, executed, round = ballot
        validates = kind is Kind.VALIDATED
        confirms_lock = lock is not None and executed is lock.executed and round is lock.round and not validates
        votes = executed is voted and round is rounds.last and validates == isinstance(owner, Owners)
        votes = votes and voted is not None and owner is not None
        reach("the lock" if confirms_lock else "the vote")
        claim("the lock stands, unless a vote is above it", z3.If(final, z3.BoolVal(confirms_lock), z3.BoolVal(votes)))

    yield from lifted("standing_ballot", run)

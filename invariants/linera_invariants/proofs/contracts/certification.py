"""Leaf rules: who may propose, on top of what, when a validator votes, and what it then signs."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs
import z3
from attrs import evolve, frozen

from linera_invariants.proofs.codecs import BOOLEANS, optional, unknown
from linera_invariants.proofs.lifted import lifted
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import Symbolic, attempt, claim, conj, reach, term
from linera_invariants.proofs.theorems import Given, proof
from linera_reference.certification import already_voted, check_active
from linera_reference.notation import MAX_U64
from linera_reference.rejections import Reason, Rejected
from linera_reference.validator import check_chaining

from .chain import (
    BLOCKS,
    EXECUTED,
    HASHES,
    HEIGHTS,
    LOCK,
    OWNERS,
    PENDING,
    REQUESTS,
    SOME_OWNER,
    VOTED,
    as_a_whole,
    opened,
)

TERMS: Final = (Symbolic, z3.ExprRef, int)


def same(one: Any, other: Any) -> z3.BoolRef:
    """Say that two values are equal, field by field."""
    if one is other:
        return z3.BoolVal(True)
    if isinstance(one, Symbolic) or isinstance(other, Symbolic):
        comparable = all(isinstance(value, TERMS) for value in (one, other))
        same_sort = comparable and term(one).sort() == term(other).sort()
        return term(one) == term(other) if same_sort else z3.BoolVal(False)
    if type(one) is not type(other):
        return z3.BoolVal(False)
    if isinstance(one, tuple):
        parts = [same(a, b) for a, b in zip(one, other, strict=True)] if len(one) == len(other) else [z3.BoolVal(False)]
        return conj(*parts)
    if isinstance(one, z3.ExprRef):
        return one == other
    if attrs.has(type(one)):
        return conj(*(same(getattr(one, f.name), getattr(other, f.name)) for f in attrs.fields(type(one))))
    return z3.BoolVal(bool(one == other))


@frozen
class Guard:
    """One guard of a column: what must hold, else the reason, and the data that comes with it."""

    reason: Reason
    holds: Any
    detail: Any = None


def column(outcome: Any, *guards: Guard) -> None:
    """Claim that a rule went through a column of guards: all hold, or all before the one that it rejects for."""
    reasons, conditions = [guard.reason for guard in guards], [term(guard.holds) for guard in guards]
    if not isinstance(outcome, Rejected):
        claim("accepts only if every guard holds", conj(*conditions))
    elif outcome.reason not in reasons:
        claim("rejects for a reason of the column", False)
    else:
        place = reasons.index(outcome.reason)
        reach(f"rejects with {outcome.reason.name}")
        claim("rejects for the first guard that fails", conj(*conditions[:place], z3.Not(conditions[place])))
        claim("with its detail", same(outcome.detail, guards[place].detail))


def _lifted(rule: Callable[..., Any], run: Callable[[], None]) -> Iterator[Query]:
    return lifted(rule.__name__, run)


@proof("ACTIVE-CHAIN")
def the_chain_is_active(_: Given) -> Iterator[Query]:
    """Run ``check_active`` on an arbitrary owner."""

    def run() -> None:
        created, owner = unknown(BOOLEANS, "created"), opened(SOME_OWNER, unknown(OWNERS, "owner"))
        outcome = attempt(check_active, created, owner)
        column(outcome, Guard(Reason.INACTIVE_CHAIN, created), Guard(Reason.CHAIN_CLOSED, owner is not None))

    yield from _lifted(check_active, run)


@proof("CHAINING")
def the_block_is_the_next(_: Given) -> Iterator[Query]:
    """Run ``check_chaining`` on arbitrary heights and hashes."""

    def run() -> None:
        next_height, height = unknown(HEIGHTS, "next_height"), unknown(HEIGHTS, "height")
        last, previous = unknown(HASHES, "last"), unknown(HASHES, "previous")
        column(
            attempt(check_chaining, next_height, last, height, previous),
            Guard(Reason.UNEXPECTED_BLOCK_HEIGHT, height.term == next_height.term, next_height),
            Guard(Reason.UNEXPECTED_PREVIOUS_BLOCK_HASH, previous.term == last.term, last),
            Guard(Reason.INVALID_BLOCK_HEIGHT, height.term + 1 <= MAX_U64, height),
        )

    yield from _lifted(check_chaining, run)


@proof("VOTING-RULE")
def one_block_per_height(_: Given) -> Iterator[Query]:
    """Run ``already_voted`` on an arbitrary pending block and proposal."""

    def run() -> None:
        pending, request = opened(VOTED, unknown(PENDING, "pending")), as_a_whole(unknown(REQUESTS, "request"))
        request = evolve(request, justification=opened(LOCK, request.justification))
        voted = attempt(already_voted, pending, request)
        same = True if pending is None else BLOCKS.pack(pending.block) == BLOCKS.pack(request.block)
        first = conj(term(request.round) == 0, z3.BoolVal(request.justification is None))
        column(
            voted,
            Guard(Reason.INVALID_BLOCK_PROPOSAL, first, request.round),
            Guard(Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST, same, None if pending is None else pending.block),
        )
        if not isinstance(voted, Rejected):
            claim("returns the vote cast before", _same_vote(voted, pending))

    yield from _lifted(already_voted, run)


def _same_vote(voted: Any, pending: Any) -> z3.BoolRef:
    packed = optional(EXECUTED)
    return packed.pack(voted) == packed.pack(pending)

"""The words in which contracts and network theorems speak of one chain at one validator.

A contract is a formula over terms before and after a step. Its own proof gives it the terms of a symbolic run of the
shipped handler; a network theorem gives it relations at a validator and a chain. So both mean the same by construction.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import z3
from attrs import frozen

from .symbolic import conj
from .theorems import formula


@frozen(eq=False)
class Option:
    """⊥ or a value."""

    present: z3.BoolRef
    value: z3.ExprRef

    def equals(self, other: "Option") -> z3.BoolRef:
        """Both are ⊥, or both are the same value."""
        same = z3.Implies(self.present, self.value == other.value)
        return conj(self.present == other.present, same)

    def holds(self, value: z3.ExprRef) -> z3.BoolRef:
        """It is this value."""
        return conj(self.present, self.value == value)


@frozen(eq=False)
class CertificateTerms:
    """⊥ or a validated certificate: its executed block and its round."""

    present: z3.BoolRef
    executed: z3.ExprRef
    round: z3.ArithRef

    def equals(self, other: "CertificateTerms") -> z3.BoolRef:
        """Both are ⊥, or both say the same."""
        return conj(self.present == other.present, z3.Implies(self.present, other.says(self.executed, self.round)))

    def says(self, executed: z3.ExprRef, its_round: z3.ArithRef) -> z3.BoolRef:
        """It is on this executed block and of this round."""
        return conj(self.executed == executed, self.round == its_round)


@frozen(eq=False)
class CellTerms:
    """One chain at one validator.

    ``rest`` is the consistent part without height, last hash and log: owner, application state, transaction count,
    consumption cursors, creation. ``log`` maps a height to the hash of the block executed there. ``last`` is the round
    of what is pending, ``locked`` the validated certificate that the validator is locked on.
    """

    rest: z3.ExprRef
    next_height: z3.ArithRef
    tip: Option
    pending: Option
    log: Callable[[Any], z3.ExprRef]
    last: z3.ArithRef
    locked: CertificateTerms


@frozen(eq=False)
class Words:
    """The functions that the formulas speak with: accessors in a symbolic run, uninterpreted ones in the network.

    ``executes`` says that a block executes on a rest, ``executed`` is its executed form and ``rest_after`` what it
    leaves; they depend on nothing else (EXECUTION-IS-A-FUNCTION). ``owns`` says that a key owns a chain with this
    owner, and ``several`` that the owner chose the protocol with rounds.
    """

    is_created: Callable[[Any], z3.BoolRef]
    owner_of: Callable[[Any], Option]
    owns: Callable[[Any, Any], z3.BoolRef]
    several: Callable[[Any], z3.BoolRef]
    block_of: Callable[[Any], z3.ExprRef]
    height_of: Callable[[Any], z3.ArithRef]
    previous_of: Callable[[Any], Option]
    hash_of: Callable[[Any], z3.ExprRef]
    executes: Callable[[Any, Any], z3.BoolRef]
    executed: Callable[[Any, Any], z3.ExprRef]
    rest_after: Callable[[Any, Any], z3.ExprRef]


@frozen(eq=False)
class CreationWords:
    """How blocks create chains.

    ``tx_count`` of a rest is the index of the chain's next transaction, ``parent_of`` and ``index_of`` are an
    identifier without its last number and that number, and ``creates`` says that an executed block sends the message
    that creates a chain.
    """

    tx_count: Callable[[Any], z3.ArithRef]
    parent_of: Callable[[Any], z3.ExprRef]
    index_of: Callable[[Any], z3.ArithRef]
    creates: Callable[[Any, Any], z3.BoolRef]


@frozen(eq=False)
class RequestTerms:
    """A request: block, named owner, whether the owner's signature verifies, round, justification."""

    block: z3.ExprRef
    owner: z3.ExprRef
    authentic: z3.BoolRef
    round: z3.ArithRef
    justification: CertificateTerms


@frozen(eq=False)
class VoteTerms:
    """A vote: executed block, round, and whether its kind is Validated (else Confirmed)."""

    executed: z3.ExprRef
    round: z3.ArithRef
    validates: z3.BoolRef


Validated: TypeAlias = Callable[[Any, Any], z3.BoolRef]
"""Whether ``check_validated`` accepts a certificate on an executed block in a round."""


def same_height(before: CellTerms, after: CellTerms) -> z3.BoolRef:
    """The step executed no block."""
    n = z3.Int("n!")
    unchanged = z3.ForAll([n], after.log(n) == before.log(n))
    return conj(after.next_height == before.next_height, after.tip.equals(before.tip), unchanged)


def same_rounds(before: CellTerms, after: CellTerms) -> z3.BoolRef:
    """The step accepted nothing in any round."""
    votes = conj(after.pending.equals(before.pending), after.last == before.last)
    return conj(votes, after.locked.equals(before.locked))


def same_cell(before: CellTerms, after: CellTerms) -> z3.BoolRef:
    """The step changed nothing that agreement speaks of."""
    return conj(same_height(before, after), after.rest == before.rest, same_rounds(before, after))


@formula("ROUTING")
def is_routed(target: z3.ExprRef, chain: z3.ExprRef) -> z3.BoolRef:
    """Say that the chain whose view a handler gets is the one that the input is for."""
    routed: z3.BoolRef = target == chain
    return routed


@formula("HANDLE-REQUEST")
def accepts_request(
    w: Words, before: CellTerms, after: CellTerms, request: RequestTerms, vote: VoteTerms, is_validated: Validated
) -> z3.BoolRef:
    """Say what an accepted request means: who proposed it, where it stands, and for what was voted, in which round."""
    block, owner, reason = request.block, w.owner_of(before.rest), request.justification
    by_owner = conj(owner.present, w.owns(owner.value, request.owner), request.authentic)
    on_top = conj(w.height_of(block) == before.next_height, w.previous_of(block).equals(before.tip))
    again = conj(before.pending.holds(vote.executed), after.last == before.last)
    first = conj(w.executes(before.rest, block), vote.executed == w.executed(before.rest, block))
    first = conj(first, after.last == request.round)
    in_round = z3.Or(
        conj(again, request.round == before.last), conj(first, allows(w, before, request), request.round >= 0)
    )
    once = conj(request.round == 0, z3.Not(reason.present), z3.If(before.pending.present, again, first))
    return conj(
        w.is_created(before.rest),
        by_owner,
        on_top,
        z3.Implies(reason.present, is_validated(reason.executed, reason.round)),
        z3.If(w.several(owner.value), in_round, once),
        conj(vote.round == request.round, vote.validates == w.several(owner.value)),
        w.block_of(vote.executed) == block,
        after.pending.holds(vote.executed),
        same_height(before, after),
        after.rest == before.rest,
        after.locked.equals(before.locked),
    )


def allows(w: Words, before: CellTerms, request: RequestTerms) -> z3.BoolRef:
    """Say that a round is above the last one, and above that of lock and justification, the later of which binds."""
    lock, reason = before.locked, request.justification
    later = conj(reason.present, z3.Or(z3.Not(lock.present), reason.round > lock.round))

    def binds(certificate: CertificateTerms) -> z3.BoolRef:
        return conj(certificate.round < request.round, w.block_of(certificate.executed) == request.block)

    bound = z3.If(later, binds(reason), z3.Implies(lock.present, binds(lock)))
    return conj(z3.Implies(before.pending.present, request.round > before.last), bound)


@formula("HANDLE-VALIDATED")
def accepts_validated(
    w: Words, before: CellTerms, after: CellTerms, vote: VoteTerms, is_validated: Validated, votes: z3.BoolRef
) -> z3.BoolRef:
    """Say what an accepted validated certificate means: nothing below the next height, a lock and a vote at it.

    ``vote`` has the executed block and the round of the certificate, ``votes`` says whether the vote is cast.
    """
    block, owner, lock = w.block_of(vote.executed), w.owner_of(before.rest), before.locked
    height = w.height_of(block)
    old = conj(height < before.next_height, same_cell(before, after), z3.Not(votes))
    by_owners = conj(owner.present, w.several(owner.value))
    on_top = conj(height == before.next_height, w.previous_of(block).equals(before.tip))
    above = conj(vote.round >= before.last, z3.Implies(lock.present, vote.round >= lock.round))
    same = z3.Implies(conj(lock.present, lock.round == vote.round), lock.executed == vote.executed)
    locks = conj(after.locked.present, after.locked.says(vote.executed, vote.round))
    rest = conj(same_height(before, after), after.rest == before.rest)
    stays = conj(rest, after.pending.equals(before.pending), after.last == before.last)
    new = conj(by_owners, on_top, is_validated(vote.executed, vote.round), above, same, locks, stays)
    return conj(w.is_created(before.rest), z3.Not(vote.validates), z3.Or(old, conj(new, vote.round >= 0)))


@formula("HANDLE-CERTIFICATE")
def accepts_certificate(
    w: Words, before: CellTerms, after: CellTerms, executed: Any, is_certified: z3.BoolRef
) -> z3.BoolRef:
    """Say what an accepted certificate means: nothing below the next height, one block more at it."""
    height = w.height_of(w.block_of(executed))
    old = conj(height < before.next_height, same_cell(before, after))
    new = conj(height == before.next_height, commits(w, before, after, executed), is_certified)
    return conj(w.is_created(before.rest), z3.Or(old, new))


def commits(w: Words, before: CellTerms, after: CellTerms, executed: Any) -> z3.BoolRef:
    """Say what the execution of a certified block does to the cell."""
    block, n = w.block_of(executed), z3.Int("n!")
    extended = z3.If(n == before.next_height, w.hash_of(executed), before.log(n))
    return conj(
        w.owner_of(before.rest).present,
        w.previous_of(block).equals(before.tip),
        w.executes(before.rest, block),
        executed == w.executed(before.rest, block),
        after.rest == w.rest_after(before.rest, block),
        after.next_height == before.next_height + 1,
        after.tip.holds(w.hash_of(executed)),
        conj(z3.Not(after.pending.present), after.last == 0, z3.Not(after.locked.present)),
        z3.ForAll([n], after.log(n) == extended),
    )


@formula("HANDLE-UPDATE-RECIPIENT")
def accepts_messages(w: Words, before: CellTerms, after: CellTerms, created: Callable[[Any], z3.BoolRef]) -> z3.BoolRef:
    """Say what an accepted delivery does: it creates the chain once, if at all; ``created`` says as what."""
    activates = conj(z3.Not(w.is_created(before.rest)), w.is_created(after.rest), created(after.rest))
    localized = conj(same_height(before, after), same_rounds(before, after))
    return conj(localized, z3.Or(after.rest == before.rest, activates))


@formula("HANDLE-CONFIRM")
def accepts_answer(before: CellTerms, after: CellTerms) -> z3.BoolRef:
    """Say what an acknowledgement does: nothing that agreement speaks of."""
    return same_cell(before, after)


@formula("ARCHIVE-CHAIN")
def archives(w: Words, before: CellTerms, after: CellTerms) -> z3.BoolRef:
    """Say what archiving does: only to a closed chain, which stays created and closed at its height."""
    closed = conj(w.is_created(before.rest), z3.Not(w.owner_of(before.rest).present))
    still = conj(w.is_created(after.rest), z3.Not(w.owner_of(after.rest).present))
    heights = conj(after.next_height == before.next_height, after.tip.equals(before.tip))
    return conj(closed, still, heights, same_rounds(before, after))


@formula("RESTART-CHAIN")
def restarts(before: CellTerms, after: CellTerms) -> z3.BoolRef:
    """Say what a restart does: nothing that agreement speaks of, so votes and locks are not forgotten."""
    return same_cell(before, after)


@formula("EXECUTION-IS-A-FUNCTION")
def execution_is_a_function(w: Words, rest: Any, block: Any, executed: Any, after: Any) -> z3.BoolRef:
    """Say that an execution that succeeded yields what rest and block determine: an executed form of this block."""
    yields = conj(executed == w.executed(rest, block), after == w.rest_after(rest, block))
    return conj(w.executes(rest, block), w.block_of(executed) == block, yields)


@formula("EXECUTION-KEEPS")
def execution_keeps(w: Words, k: CreationWords, rest: z3.ExprRef, block: z3.ExprRef) -> z3.BoolRef:
    """Say what every execution leaves as it was: a chain stays created, and its transactions stay counted."""
    after = w.rest_after(rest, block)
    kept = conj(w.is_created(after) == w.is_created(rest), k.tx_count(after) >= k.tx_count(rest))
    return z3.Implies(w.executes(rest, block), kept)


@formula("CREATION-INDEX")
def creation_index(
    w: Words, k: CreationWords, rest: z3.ExprRef, block: z3.ExprRef, origin: z3.ExprRef, chain: z3.ExprRef
) -> z3.BoolRef:
    """Say which chains a block of ``origin`` creates: children, each with the index of a transaction of the block."""
    index, after = k.index_of(chain), w.rest_after(rest, block)
    counted = conj(k.tx_count(rest) <= index, index < k.tx_count(after), k.parent_of(chain) == origin)
    return z3.Implies(conj(w.executes(rest, block), k.creates(w.executed(rest, block), chain)), counted)

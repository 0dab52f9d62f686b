"""The words in which contracts and network theorems speak of one chain at one validator.

A contract is a formula over terms before and after a step. Its own proof gives it the terms of a symbolic run of the
shipped handler; a network theorem gives it relations at a validator and a chain. So both mean the same by construction.
"""

from collections.abc import Callable
from typing import Any

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
class CellTerms:
    """One chain at one validator.

    ``rest`` is the consistent part without height, last hash and log: owner, application state, transaction count,
    consumption cursors, creation. ``log`` maps a height to the hash of the block executed there.
    """

    rest: z3.ExprRef
    next_height: z3.ArithRef
    tip: Option
    pending: Option
    log: Callable[[Any], z3.ExprRef]


@frozen(eq=False)
class Words:
    """The functions that the formulas speak with: accessors in a symbolic run, uninterpreted ones in the network.

    ``executes`` says that a block executes on a rest, ``executed`` is its executed form and ``rest_after`` what it
    leaves; they depend on nothing else (EXECUTION-IS-A-FUNCTION).
    """

    is_created: Callable[[Any], z3.BoolRef]
    owner_of: Callable[[Any], Option]
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
    """A request: the block, the named owner, and whether the owner's signature verifies."""

    block: z3.ExprRef
    owner: z3.ExprRef
    authentic: z3.BoolRef


def same_height(before: CellTerms, after: CellTerms) -> z3.BoolRef:
    """The step executed no block."""
    n = z3.Int("n!")
    unchanged = z3.ForAll([n], after.log(n) == before.log(n))
    return conj(after.next_height == before.next_height, after.tip.equals(before.tip), unchanged)


def same_cell(before: CellTerms, after: CellTerms) -> z3.BoolRef:
    """The step changed nothing that agreement speaks of."""
    return conj(same_height(before, after), after.rest == before.rest, after.pending.equals(before.pending))


@formula("ROUTING")
def is_routed(target: z3.ExprRef, chain: z3.ExprRef) -> z3.BoolRef:
    """Say that the chain whose view a handler gets is the one that the input is for."""
    routed: z3.BoolRef = target == chain
    return routed


@formula("HANDLE-REQUEST")
def accepts_request(w: Words, before: CellTerms, after: CellTerms, request: RequestTerms, vote: Any) -> z3.BoolRef:
    """Say what an accepted request means: who proposed it, where it stands, and for what was voted."""
    block, pending = request.block, before.pending
    fresh = conj(w.executes(before.rest, block), vote == w.executed(before.rest, block))
    return conj(
        w.is_created(before.rest),
        w.owner_of(before.rest).holds(request.owner),
        request.authentic,
        w.height_of(block) == before.next_height,
        w.previous_of(block).equals(before.tip),
        z3.Implies(pending.present, vote == pending.value),
        z3.Implies(z3.Not(pending.present), fresh),
        w.block_of(vote) == block,
        after.pending.holds(vote),
        same_height(before, after),
        after.rest == before.rest,
    )


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
        z3.Not(after.pending.present),
        z3.ForAll([n], after.log(n) == extended),
    )


@formula("HANDLE-UPDATE-RECIPIENT")
def accepts_messages(w: Words, before: CellTerms, after: CellTerms, created: Callable[[Any], z3.BoolRef]) -> z3.BoolRef:
    """Say what an accepted delivery does: it creates the chain once, if at all; ``created`` says as what."""
    activates = conj(z3.Not(w.is_created(before.rest)), w.is_created(after.rest), created(after.rest))
    localized = conj(same_height(before, after), after.pending.equals(before.pending))
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
    return conj(closed, still, heights, after.pending.equals(before.pending))


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

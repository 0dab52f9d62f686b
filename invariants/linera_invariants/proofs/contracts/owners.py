"""Who owns a chain: nobody, one key, or any set of keys, and how transactions change it."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import z3

from linera_invariants.proofs.codecs import BYTES, optional, unknown
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import SBool, assume, attempt, claim, conj, decide, disj, fresh, reach, term
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import NewSet, SSet
from linera_reference.block import AddOwner, RemoveOwner
from linera_reference.certification import check_proposer
from linera_reference.execution import Running, change_owners
from linera_reference.ownership import (
    add_owner,
    check_owner,
    keys_of,
    may_propose,
    owns,
    remove_owner,
)
from linera_reference.rejections import Reason, Rejected

from .certification import Guard, column
from .chain import CHOICES, KEY_SETS, NO_KEYS, OWNER, STATES, has_key, is_several, keys_in, opened


def all_keys(owner: Any) -> Any:
    """Run the shipped ``keys_of``; the set that it starts from is the twin."""
    return with_callees(keys_of, Set=NewSet(BYTES))(owner)


def owner_changes() -> Callable[..., Any]:
    """Return the shipped rule for both transactions."""
    rules = (with_callees(rule, keys_of=all_keys) for rule in (add_owner, remove_owner))
    return with_callees(change_owners, add_owner=next(rules), remove_owner=next(rules))


# --- Rules -------------------------------------------------------------------------------------------------------


def keys_or_none(owner: Any) -> z3.ArrayRef:
    """Return the keys of an owner of a run, none for ⊥."""
    return NO_KEYS if owner is None else keys_in(OWNER.pack(owner))


def any_owner(name: str = "owner") -> Any:
    """Return any owner: ⊥, one key, or any set of keys."""
    return unknown(optional(OWNER), name)


@proof("OWNERS")
def who_owns(_: Given) -> Iterator[Query]:
    """Run the rules that read an owner, on any owner and key."""

    def run() -> None:
        owner, key = any_owner(), unknown(BYTES, "key")
        reach("nobody" if owner is None else type(owner).__name__)
        found: Any = attempt(all_keys, owner)
        claim("the keys are those of the owner", found.array == keys_or_none(owner))
        claim(
            "a key owns a chain if it is one of them", term(attempt(owns, owner, key)) == keys_or_none(owner)[key.term]
        )
        if owner is not None:
            empty = all_keys(owner).array == NO_KEYS
            column(attempt(check_owner, owner), Guard(Reason.EMPTY_OWNER_SET, z3.Not(empty)))

    yield from lifted("owns", run)


@formula("CHANGE-OWNERS")
def changes_owners(before: Any, joins: z3.BoolRef, key: Any, after: Any, other: Any) -> z3.BoolRef:
    """Say what a change does to a key: the one that joins or leaves, and any other one, which stays what it was."""
    kept = z3.If(other == key, joins, before[other])
    return conj(is_several(after), has_key(after, other) == kept, keys_in(after) != NO_KEYS)


@proof("CHANGE-OWNERS")
def owners_change(_: Given) -> Iterator[Query]:
    """Run both transactions on any owner, and look at any key."""

    def run() -> None:
        owner, key, other = any_owner(), unknown(BYTES, "key"), fresh("any key", BYTES.sort)
        joins = decide(fresh("joins", z3.BoolSort()))
        running = Running(owner, unknown(STATES, "state"))
        transaction = AddOwner(key) if joins else RemoveOwner(key)
        before, after = keys_or_none(owner), attempt(owner_changes(), running, transaction)
        others = z3.Store(before, key.term, z3.BoolVal(False)) != NO_KEYS
        known, remains = disj(z3.BoolVal(joins), before[key.term]), disj(z3.BoolVal(joins), others)
        column(after, Guard(Reason.UNKNOWN_OWNER, known, key), Guard(Reason.EMPTY_OWNER_SET, remains))
        if isinstance(after, Rejected):
            return
        reach(type(transaction).__name__)
        packed = OWNER.pack(after.owner)
        claim("the contract", said("CHANGE-OWNERS", before, z3.BoolVal(joins), key.term, packed, other))
        claim("nothing else changes", after.state is running.state and after.messages == ())

    yield from lifted("change_owners", run)


# --- Who proposes next -------------------------------------------------------------------------------------------


@formula("MAY-PROPOSE")
def lets_propose(allowed: z3.BoolRef, owner: Any, chosen: Any, key: Any) -> z3.BoolRef:
    """Say when an application lets a key propose: it restricts nobody, or names no owner, or this key."""
    restricts, named = CHOICES.sort.recognizer(1)(chosen), CHOICES.sort.accessor(1, 0)(chosen)
    void = SSet(BYTES, named).is_disjoint(SSet(BYTES, keys_in(owner))).term
    free = disj(z3.Not(restricts), z3.Not(is_several(owner)), void, z3.Select(named, key))
    return z3.And(allowed == free)


@proof("MAY-PROPOSE")
def choices(_: Given) -> Iterator[Query]:
    """Run the rule on any owner, choice and key."""

    def run() -> None:
        owner, key, choice = unknown(OWNER, "owner"), unknown(BYTES, "key"), unknown(CHOICES, "chosen")
        allowed = term(attempt(may_propose, owner, opened(KEY_SETS, choice), key))
        packed = OWNER.pack(owner), choice.term, key.term
        claim("the contract", said("MAY-PROPOSE", allowed, *packed))

    yield from lifted("may_propose", run)
    yield somebody_may()


def somebody_may() -> Query:
    """Return the query whether an application can keep all of several owners, of whom there is one, from proposing."""
    owner, chosen = z3.Const("owner", OWNER.sort), z3.Const("chosen", CHOICES.sort)
    key, allowed = z3.Const("key", BYTES.sort), z3.Function("allowed", BYTES.sort, z3.BoolSort())
    law = z3.ForAll([key], said("MAY-PROPOSE", allowed(key), owner, chosen, key))
    nobody = z3.ForAll([key], z3.Implies(has_key(owner, key), z3.Not(allowed(key))))
    some = has_key(owner, z3.Const("an owner", BYTES.sort))
    return Query("an application cannot stop a chain", (law, some), z3.Not(nobody))


ALLOWED: Final = z3.Function("may_propose", OWNER.sort, CHOICES.sort, BYTES.sort, z3.BoolSort())
"""What ``may_propose`` decides (MAY-PROPOSE)."""


def allows(owner: Any, chosen: Any, key: Any) -> SBool:
    """Stand for ``may_propose``."""
    return SBool(ALLOWED(OWNER.pack(owner), CHOICES.pack(chosen), key.term))


def summary_of_choice(given: Given) -> Callable[[Any, Any, Any], SBool]:
    """Return what MAY-PROPOSE says of ``may_propose``, if it is listed."""
    listed = "MAY-PROPOSE" in given.theorem.uses

    def may_propose(owner: Any, chosen: Any, key: Any) -> SBool:
        allowed = allows(owner, chosen, key)
        if listed:
            assume(given("MAY-PROPOSE", allowed.term, OWNER.pack(owner), CHOICES.pack(chosen), key.term))
        return allowed

    return may_propose


@proof("PROPOSER")
def an_owner_proposes(_: Given) -> Iterator[Query]:
    """Run ``check_proposer`` on any owner, choice and proposer."""

    def run() -> None:
        owner, proposer, chosen = any_owner(), unknown(BYTES, "proposer"), unknown(CHOICES, "chosen")
        is_owner, in_turn = z3.BoolVal(False), z3.BoolVal(False)
        if owner is not None:
            packed = OWNER.pack(owner)
            is_owner, in_turn = has_key(packed, proposer.term), ALLOWED(packed, chosen.term, proposer.term)
        outcome = attempt(with_callees(check_proposer, may_propose=allows), owner, chosen, proposer)
        column(outcome, Guard(Reason.INVALID_OWNER, is_owner, proposer), Guard(Reason.OUT_OF_TURN, in_turn, proposer))

    yield from lifted("check_proposer", run)

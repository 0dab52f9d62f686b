"""Claim 5: an audit that passes recomputes what every correct validator has, from certified blocks alone."""

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import z3
from attrs import evolve

from linera_invariants.proofs.cells import CellTerms, CertificateTerms, Option
from linera_invariants.proofs.codecs import BYTES
from linera_invariants.proofs.contracts.audit import PLACES, is_marked_rightly, told_of
from linera_invariants.proofs.contracts.audits import AT, MET, PASSED, Parts
from linera_invariants.proofs.lists import by_induction
from linera_invariants.proofs.queries import Query, witness
from linera_invariants.proofs.relational import State
from linera_invariants.proofs.symbolic import conj
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import SMap

from .agreement import (
    CHAIN,
    CREATION,
    EXECUTED,
    HASH,
    NUMBER,
    REST,
    VALIDATOR,
    WORDS,
    born,
    chain_of,
    genesis,
    is_created,
    network,
    place_of,
)

# The auditor's chain after n blocks, the n-th block, the numbers of blocks and of senders' blocks, and what proves the
# creation.
audited_rest: Final = z3.Function("audited_rest", NUMBER, REST)
audited_tip: Final = z3.Function("audited_tip", NUMBER, HASH)
audited_log: Final = z3.Function("audited_log", NUMBER, NUMBER, HASH)
audited: Final = z3.Function("audited_block", NUMBER, EXECUTED)
LENGTH, SENDERS = z3.Ints("audited_length senders_length")
ORIGIN: Final = z3.Const("origin", EXECUTED)
V, C = z3.Const("validator", VALIDATOR), z3.Const("chain", CHAIN)


def auditor(n: Any) -> CellTerms:
    """Return the auditor's chain after n blocks."""
    nothing, zero = z3.BoolVal(False), z3.IntVal(0)
    pending, locked = Option(nothing, audited(n)), CertificateTerms(nothing, audited(n), zero)
    tip = Option(n > 0, audited_tip(n))
    return CellTerms(audited_rest(n), n, tip, pending, lambda i: audited_log(n, i), zero, locked)


def block_passes(given: Given, s: State, n: Any) -> z3.BoolRef:
    """Return what it means that the n-th block passed."""
    executed = audited(n)
    on_chain = chain_of(WORDS.block_of(executed)) == C
    return given("AUDIT-BLOCK", WORDS, auditor(n), auditor(n + 1), executed, s.certified(executed), on_chain)


def begins(given: Given, s: State, state: Any) -> z3.BoolRef:
    """Return what the audit began with: the genesis configuration has the chain, or a proof of creation was given."""
    in_genesis, evidence = WORDS.is_created(genesis(C)), (s.certified(ORIGIN), CREATION.creates(ORIGIN, C))
    born_then, first = born(genesis(C), ORIGIN, C), auditor(z3.IntVal(0))
    return given("AUDIT-START", first, told_of(state), in_genesis, genesis(C), conj(*evidence), born_then)


def passes(given: Given, s: State, n: Any) -> z3.BoolRef:
    """Return that the audit passed: how it began, and its block at place n."""
    parts = evolve(PASSED, begins=partial(begins, given, s), audits=lambda _, i, __: block_passes(given, s, i))
    return given("AUDIT-CHAIN", parts, LENGTH, SENDERS, n)


def is_common(s: State, n: Any) -> z3.BoolRef:
    """Both the auditor and a validator at which the chain is created came so far."""
    return conj(is_created(s, V, C), n >= 0, n <= LENGTH, n <= s.next_height(V, C))


def same_rest(s: State, n: Any) -> z3.BoolRef:
    """If both came so far, they have the same rest."""
    return z3.Implies(is_common(s, n), audited_rest(n) == s.past(V, C, n))


@formula("AUDIT-AGREES")
def audit_agrees(s: State, n: Any) -> z3.BoolRef:
    """The audited state after n blocks is the validator's, and the n-th audited block is the one that it executed."""
    both = conj(is_common(s, n), n < LENGTH, n < s.next_height(V, C))
    return conj(same_rest(s, n), z3.Implies(both, audited(n) == s.done(V, C, n)))


@proof("AUDIT-AGREES")
def audits_agree(given: Given) -> Iterator[Query]:
    """Go along the blocks: the first state is the same, and so is the one certified block at each height."""
    s, n = network(), z3.Int("n")
    logs, unique = given("LOG-CHAINING", s), given("UNIQUE-CERTIFICATES", s.certified, place_of)
    first = (given("HISTORY", s), given("CREATION-UNIQUE", s), given("STATE-AGREEMENT", s))

    def known(n: Any) -> tuple[z3.BoolRef, ...]:
        return (*first, logs, unique, passes(given, s, n))

    yield from by_induction("states", lambda n: same_rest(s, n), known)
    yield Query("blocks", (logs, unique, passes(given, s, n), same_rest(s, n)), said("AUDIT-AGREES", s, n))
    present = conj(is_common(s, n), n == s.next_height(V, C), z3.Not(s.archived(V, C)))
    goal = z3.Implies(present, audited_rest(n) == s.rest(V, C))
    yield Query("the present state", (same_rest(s, n), given("HISTORY", s)), goal)
    yield witness("two blocks pass", (*(passes(given, s, z3.IntVal(i)) for i in (0, 1)), LENGTH == 2))


# --- What was consumed -------------------------------------------------------------------------------------------

CONSUMES, SENDS, CERTIFIED = (z3.Function(n, NUMBER, z3.BoolSort()) for n in ("consumes", "sends", "certified"))
"""Whether the block at a place receives the message, the sender's block at a place sends it, and is certified."""
PLACE: Final = z3.Int("place")
"""An arbitrary block."""


@formula("AUDIT-MESSAGES")
def was_sent(before: Any) -> z3.BoolRef:
    """Say that a certified block at some place before another one sends the message."""
    place = z3.Int("sender!")
    return z3.Exists([place], conj(place >= 0, place < before, CERTIFIED(place), SENDS(place)))


def settles(given: Given, state: Any) -> z3.BoolRef:
    """Return what the end of an audit means."""
    told, count = told_of(state), z3.Int("owed")
    listed = given("OWED-MESSAGES", count, told.marked, told.settled)
    return conj(listed, given("CHECK-SENT", count), given("INBOX-OWES", told))


def notes(given: Given, place: Any) -> z3.BoolRef:
    """Return what it means that a sender's block is noted."""
    at, block_hash = z3.Const("at", PLACES.sort), z3.Const("hash", BYTES.sort)
    return given("AUDIT-EVIDENCE", places("known"), places("noted"), at, block_hash, CERTIFIED(place))


def whole(given: Given, place: Any) -> z3.BoolRef:
    """Return that the audit passed: its beginning, its end, and the block and the sender's block at a place."""
    parts = Parts(
        partial(begins, given, network()),
        lambda before, i, after: given("AUDIT-CONSUMES", told_of(before), told_of(after), CONSUMES(i)),
        partial(notes, given),
        lambda before, i, after: given("AUDIT-SENDER-BLOCK", told_of(before), told_of(after), SENDS(i)),
        partial(settles, given),
    )
    return given("AUDIT-CHAIN", parts, LENGTH, SENDERS, place)


def remembers(state: Any, n: Any) -> z3.BoolRef:
    """Say that a message that the block at an arbitrary place before n consumes counts as consumed."""
    told = told_of(state)
    consumed = z3.Implies(conj(PLACE >= 0, n > PLACE, CONSUMES(PLACE)), told.consumed)
    return conj(consumed, is_marked_rightly(told))


def after_blocks(n: Any) -> z3.BoolRef:
    """Say what holds after n blocks: nothing is received yet."""
    return z3.Implies(n <= LENGTH, conj(remembers(AT(n), n), z3.Not(told_of(AT(n)).received)))


def after_senders(n: Any) -> z3.BoolRef:
    """Say what holds after n senders' blocks: what is received was sent by one of them."""
    received = z3.Implies(told_of(MET(n)).received, was_sent(n))
    return z3.Implies(n <= SENDERS, conj(remembers(MET(n), LENGTH), received))


@proof("AUDIT-MESSAGES")
def messages_were_sent(given: Given) -> Iterator[Query]:
    """Follow an arbitrary message: along the blocks, which consume it, and the senders' blocks, which send it."""
    counts = (LENGTH >= 0, SENDERS >= 0)
    yield from by_induction("blocks", after_blocks, lambda n: (*counts, whole(given, n)))
    yield from by_induction("senders", after_senders, lambda n: (*counts, whole(given, n), after_blocks(LENGTH)))
    due, passed = conj(PLACE >= 0, PLACE < LENGTH, CONSUMES(PLACE)), whole(given, PLACE)
    known = (*counts, passed, after_senders(SENDERS), due)
    yield Query("what was consumed was sent", known, said("AUDIT-MESSAGES", SENDERS))
    yield witness("an audit passes", (passed, due, after_senders(SENDERS), SENDERS == 1, LENGTH == 1))


def places(name: str) -> SMap:
    """Return the places of some blocks."""
    present = z3.Const(f"{name}.keys", z3.ArraySort(PLACES.sort, z3.BoolSort()))
    return SMap(PLACES, BYTES, present, z3.Const(name, z3.ArraySort(PLACES.sort, BYTES.sort)))

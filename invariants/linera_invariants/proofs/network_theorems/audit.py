"""Claim 5: an audit that passes recomputes what every correct validator has, from certified blocks alone."""

from collections.abc import Iterator
from typing import Any, Final

import z3

from linera_invariants.proofs.cells import CellTerms, Option
from linera_invariants.proofs.codecs import BYTES
from linera_invariants.proofs.contracts.audit import PLACES
from linera_invariants.proofs.contracts.inbox import History
from linera_invariants.proofs.contracts.messages import CURSORS, MESSAGES
from linera_invariants.proofs.lists import by_induction
from linera_invariants.proofs.queries import Query, witness
from linera_invariants.proofs.relational import State
from linera_invariants.proofs.symbolic import conj
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import SMap, SQueue, forall
from linera_reference.inbox import Inbox

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

# The auditor's chain after n blocks, the n-th block, how many there are, and the block that proves the creation.
audited_rest: Final = z3.Function("audited_rest", NUMBER, REST)
audited_tip: Final = z3.Function("audited_tip", NUMBER, HASH)
audited_log: Final = z3.Function("audited_log", NUMBER, NUMBER, HASH)
audited: Final = z3.Function("audited_block", NUMBER, EXECUTED)
LENGTH: Final = z3.Int("audited_length")
ORIGIN: Final = z3.Const("origin", EXECUTED)
V, C = z3.Const("validator", VALIDATOR), z3.Const("chain", CHAIN)


def auditor(n: Any) -> CellTerms:
    """Return the auditor's chain after n blocks."""
    nothing = Option(z3.BoolVal(False), audited(n))
    return CellTerms(audited_rest(n), n, Option(n > 0, audited_tip(n)), nothing, lambda i: audited_log(n, i))


def passes(given: Given, s: State, n: Any) -> z3.BoolRef:
    """Return that the n-th block passed the audit."""
    executed = audited(n)
    on_chain = chain_of(WORDS.block_of(executed)) == C
    passed = given("AUDIT-BLOCK", WORDS, auditor(n), auditor(n + 1), executed, s.certified(executed), on_chain)
    return z3.Implies(conj(n >= 0, n < LENGTH), passed)


def begins(given: Given, s: State) -> z3.BoolRef:
    """Return what the audit began with: the genesis configuration has the chain, or a proof of creation was given."""
    in_genesis, evidence = WORDS.is_created(genesis(C)), (s.certified(ORIGIN), CREATION.creates(ORIGIN, C))
    return given(
        "AUDIT-START", auditor(z3.IntVal(0)), in_genesis, genesis(C), conj(*evidence), born(genesis(C), ORIGIN, C)
    )


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
    first = (begins(given, s), given("HISTORY", s), given("CREATION-UNIQUE", s), given("STATE-AGREEMENT", s))

    def known(n: Any) -> tuple[z3.BoolRef, ...]:
        return (*first, logs, unique, passes(given, s, n))

    yield from by_induction("states", lambda n: same_rest(s, n), known)
    yield Query("blocks", (logs, unique, passes(given, s, n), same_rest(s, n)), said("AUDIT-AGREES", s, n))
    present = conj(is_common(s, n), n == s.next_height(V, C), z3.Not(s.archived(V, C)))
    goal = z3.Implies(present, audited_rest(n) == s.rest(V, C))
    yield Query("the present state", (same_rest(s, n), given("HISTORY", s)), goal)
    yield witness("two blocks pass", (begins(given, s), *(passes(given, s, z3.IntVal(i)) for i in (0, 1)), LENGTH == 2))


# --- What was consumed -------------------------------------------------------------------------------------------


@formula("AUDIT-MESSAGES")
def consumed_were_sent(history: History, sent: Any) -> z3.BoolRef:
    """Every consumed message was sent."""
    return forall((MESSAGES.sort,), lambda m: z3.Implies(history.consumed[m], sent[m]), "m")


@proof("AUDIT-MESSAGES")
def messages_were_sent(given: Given) -> Iterator[Query]:
    """What arrives is sent by certified evidence; what was consumed and did not arrive is owed.

    By definition, ``sent`` holds of the messages of certified blocks.
    """
    sent, received, consumed = z3.Consts("sent R K", z3.ArraySort(MESSAGES.sort, z3.BoolSort()))
    arrived_were_sent = forall((MESSAGES.sort,), lambda m: z3.Implies(received[m], sent[m]), "m")
    message, is_certified = z3.Const("message", MESSAGES.sort), z3.Bool("certified")
    later = History(z3.Store(received, message, z3.BoolVal(True)), consumed)
    at, block_hash = z3.Const("place", PLACES.sort), z3.Const("hash", BYTES.sort)
    evidence = given("AUDIT-EVIDENCE", places("known"), places("noted"), at, block_hash, is_certified)
    arrives = (arrived_were_sent, evidence, z3.Implies(is_certified, sent[message]))
    still = forall((MESSAGES.sort,), lambda m: z3.Implies(later.received[m], sent[m]), "m")
    yield Query("what arrives was sent", arrives, still)
    count, history = z3.Int("owed"), History(received, consumed)
    box = inbox()
    is_marked = z3.Bool("marked")
    settled = (
        given("INBOX-OF-ORIGIN", is_marked, box.removed),
        given("OWED-MESSAGES", count, is_marked, box.removed),
        given("CHECK-SENT", count),
    )
    passed = (arrived_were_sent, given("INBOX-CLOSED-FORM", box, history), *settled)
    yield Query("what was consumed was sent", passed, said("AUDIT-MESSAGES", history, sent))
    yield witness("an audit passes", passed)


def places(name: str) -> SMap:
    """Return the places of some blocks."""
    present = z3.Const(f"{name}.keys", z3.ArraySort(PLACES.sort, z3.BoolSort()))
    return SMap(PLACES, BYTES, present, z3.Const(name, z3.ArraySort(PLACES.sort, BYTES.sort)))


def inbox() -> Any:
    """Return the auditor's inbox of one origin."""
    items = z3.ArraySort(z3.IntSort(), MESSAGES.sort)
    queues = (SQueue(MESSAGES, z3.Const(f"{n}", items), *z3.Ints(f"{n}.head {n}.tail")) for n in ("added", "removed"))
    cursors = (CURSORS.unpack(z3.Const(name, CURSORS.sort)) for name in ("next_add", "consumed"))
    return Inbox(*cursors, *queues)

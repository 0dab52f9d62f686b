"""The network of the agreement theorems: any number of validators, chains, blocks and owners, all uninterpreted.

The state has one cell per validator and chain, the votes and signatures ever made, and the certified blocks. A step
changes one cell as the contract of a handler allows, or adds a signature, a vote of a Byzantine validator or a
certificate. ``validates`` and ``confirms`` are the votes by executed block and round; ``voted`` are those for proposals
among them, of either kind, which a validator casts after it executed the block. ``done``, ``past`` and ``source`` are
history that no handler reads: the block executed at a height, the rest after so many blocks, and the block whose
message created the chain.
"""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import z3

from linera_invariants.proofs.cells import (
    CellTerms,
    CertificateTerms,
    CreationWords,
    Option,
    RequestTerms,
    VoteTerms,
    Words,
)
from linera_invariants.proofs.relational import Action, State, TransitionSystem, state
from linera_invariants.proofs.symbolic import conj
from linera_invariants.proofs.theorems import Given, formula
from linera_invariants.proofs.twins import forall

VALIDATOR, CHAIN, BLOCK, EXECUTED, REST, KEY, OWNER, HASH, QUORUM = map(
    z3.DeclareSort, ("Validator", "ChainId", "Block", "ExecutedBlock", "Rest", "Key", "Owner", "Hash", "Quorum")
)
NUMBER, TRUTH = z3.IntSort(), z3.BoolSort()

V, C = z3.Const("validator", VALIDATOR), z3.Const("chain", CHAIN)
BLOCK_IN, EXECUTED_IN, KEY_IN = z3.Const("block", BLOCK), z3.Const("executed_block", EXECUTED), z3.Const("key", KEY)
"""What a step is about: the acting validator and the chain of the cell, and what it handles."""

ROUND_IN, VOTE = z3.Int("request_round"), VoteTerms(EXECUTED_IN, z3.Int("round"), z3.Bool("is_validated"))
REASON = CertificateTerms(z3.Bool("is_justified"), z3.Const("justification", EXECUTED), z3.Int("justification_round"))

KEPT_AFTER = z3.Function("kept_after", EXECUTED, TRUTH)

Contracts: TypeAlias = Callable[..., z3.BoolRef]
Step: TypeAlias = tuple[z3.BoolRef, State]

correct = z3.Function("correct", VALIDATOR, TRUTH)
member = z3.Function("member", QUORUM, VALIDATOR, TRUTH)
chain_of = z3.Function("chain_of", BLOCK, CHAIN)


def option(name: str, *sorts: z3.SortRef) -> Callable[..., Option]:
    """Return a function to options; the last sort is that of the value."""
    present, value = z3.Function(f"has_{name}", *sorts[:-1], TRUTH), z3.Function(name, *sorts)
    return lambda *args: Option(present(*args), value(*args))


WORDS: Final = Words(
    is_created=z3.Function("is_created", REST, TRUTH),
    owner_of=option("owner_of", REST, OWNER),
    owns=z3.Function("owns", OWNER, KEY, TRUTH),
    several=z3.Function("several", OWNER, TRUTH),
    block_of=z3.Function("block_of", EXECUTED, BLOCK),
    height_of=z3.Function("height_of", BLOCK, NUMBER),
    previous_of=option("previous_of", BLOCK, HASH),
    hash_of=z3.Function("hash_of", EXECUTED, HASH),
    executes=z3.Function("executes", REST, BLOCK, TRUTH),
    executed=z3.Function("executed", REST, BLOCK, EXECUTED),
    rest_after=z3.Function("rest_after", REST, BLOCK, REST),
)

CREATION: Final = CreationWords(
    tx_count=z3.Function("tx_count", REST, NUMBER),
    parent_of=z3.Function("parent_of", CHAIN, CHAIN),
    index_of=z3.Function("index_of", CHAIN, NUMBER),
    creates=z3.Function("creates", EXECUTED, CHAIN, TRUTH),
)
first_owner = z3.Function("first_owner", EXECUTED, CHAIN, KEY)
activated = z3.Function("activated", REST, KEY, NUMBER, REST)
genesis = z3.Function("genesis", CHAIN, REST)


def born(rest: z3.ExprRef, executed: z3.ExprRef, chain: z3.ExprRef) -> z3.ExprRef:
    """Return what a blank rest becomes when the message of a block creates the chain."""
    return activated(rest, first_owner(executed, chain), WORDS.height_of(WORDS.block_of(executed)))


@formula("START")
def start(s: State) -> z3.BoolRef:
    """Nobody signed, sent or archived anything, and each history begins with what there is."""

    def begins(v: z3.ExprRef, c: z3.ExprRef) -> z3.BoolRef:
        return conj(s.past(v, c, 0) == s.rest(v, c), z3.Not(s.archived(v, c)))

    return conj(
        forall((VALIDATOR, CHAIN), begins),
        forall((VALIDATOR, EXECUTED), lambda v, e: z3.Not(s.voted(v, e))),
        forall((VALIDATOR, EXECUTED, NUMBER), lambda v, e, r: z3.Not(z3.Or(s.validates(v, e, r), s.confirms(v, e, r)))),
        forall((EXECUTED,), lambda e: z3.Not(s.certified(e))),
        forall((EXECUTED, NUMBER), lambda e, r: z3.Not(s.validated(e, r))),
        forall((VALIDATOR, EXECUTED), lambda v, e: z3.Not(s.sent(v, e))),
        forall((KEY, BLOCK), lambda k, b: z3.Not(s.signed(k, b))),
    )


@formula("OWNERS-SIGN")
def owners_sign(authentic: z3.BoolRef, signed: z3.BoolRef) -> z3.BoolRef:
    """A request that is authentic was signed."""
    return z3.Implies(authentic, signed)


@formula("OWN-REQUESTS")
def own_requests(sent: z3.BoolRef) -> z3.BoolRef:
    """What is delivered was sent."""
    return sent


def network() -> State:
    """Return an arbitrary state of the network."""
    at = (VALIDATOR, CHAIN)
    return state(
        next_height=(*at, NUMBER),
        has_tip=(*at, TRUTH),
        tip=(*at, HASH),
        has_pending=(*at, TRUTH),
        pending=(*at, EXECUTED),
        last=(*at, NUMBER),
        has_locked=(*at, TRUTH),
        locked=(*at, EXECUTED),
        locked_round=(*at, NUMBER),
        rest=(*at, REST),
        log=(*at, NUMBER, HASH),
        archived=(*at, TRUTH),
        done=(*at, NUMBER, EXECUTED),
        past=(*at, NUMBER, REST),
        source=(*at, EXECUTED),
        voted=(VALIDATOR, EXECUTED, TRUTH),
        validates=(VALIDATOR, EXECUTED, NUMBER, TRUTH),
        confirms=(VALIDATOR, EXECUTED, NUMBER, TRUTH),
        kept=(*at, EXECUTED, TRUTH),
        sent=(VALIDATOR, EXECUTED, TRUTH),
        certified=(EXECUTED, TRUTH),
        validated=(EXECUTED, NUMBER, TRUTH),
        signed=(KEY, BLOCK, TRUTH),
    )


def cell(s: State, v: z3.ExprRef, c: z3.ExprRef) -> CellTerms:
    """Return the view of a chain at a validator."""
    tip, pending = Option(s.has_tip(v, c), s.tip(v, c)), Option(s.has_pending(v, c), s.pending(v, c))
    locked = CertificateTerms(s.has_locked(v, c), s.locked(v, c), s.locked_round(v, c))
    return CellTerms(s.rest(v, c), s.next_height(v, c), tip, pending, lambda n: s.log(v, c, n), s.last(v, c), locked)


def is_created(s: State, v: z3.ExprRef, c: z3.ExprRef) -> z3.BoolRef:
    """A chain is created at a validator."""
    created: z3.BoolRef = WORDS.is_created(s.rest(v, c))
    return created


def is_closed(s: State, v: z3.ExprRef, c: z3.ExprRef) -> z3.BoolRef:
    """A chain was created and has no owner any more."""
    return conj(is_created(s, v, c), z3.Not(WORDS.owner_of(s.rest(v, c)).present))


def any_cell() -> CellTerms:
    """Return the arbitrary cell after a step."""
    tip = Option(z3.Bool("has_tip_after"), z3.Const("tip_after", HASH))
    pending = Option(z3.Bool("has_pending_after"), z3.Const("pending_after", EXECUTED))
    log, last = z3.Function("log_after", NUMBER, HASH), z3.Int("last_after")
    lock = z3.Bool("has_locked_after"), z3.Const("locked_after", EXECUTED), z3.Int("locked_round_after")
    rest, height = z3.Const("rest_after_step", REST), z3.Int("next_height_after")
    return CellTerms(rest, height, tip, pending, log, last, CertificateTerms(*lock))


def put(s: State, after: CellTerms) -> State:
    """Return the state with the cell of the step replaced."""
    values = {
        "next_height": after.next_height,
        "has_tip": after.tip.present,
        "tip": after.tip.value,
        "has_pending": after.pending.present,
        "pending": after.pending.value,
        "last": after.last,
        "has_locked": after.locked.present,
        "locked": after.locked.executed,
        "locked_round": after.locked.round,
        "rest": after.rest,
    }
    for name, value in values.items():
        s = s.update(name, (V, C), value)
    log, kept = s.log, s.kept
    return s.replace(
        log=lambda v, c, n: z3.If(conj(v == V, c == C), after.log(n), log(v, c, n)),
        kept=lambda v, c, e: z3.If(conj(v == V, c == C), KEPT_AFTER(e), kept(v, c, e)),
    )


def is_shared(s: State, v: z3.ExprRef, c: z3.ExprRef) -> z3.BoolRef:
    """A chain is active and has several owners."""
    owner = WORDS.owner_of(s.rest(v, c))
    return conj(is_created(s, v, c), owner.present, WORDS.several(owner.value))


def keeps(
    given: Contracts, s: State, accepted: Callable[[Any], z3.BoolRef] = lambda _: z3.BoolVal(False)
) -> z3.BoolRef:
    """Return what is known of the certificates that the chain keeps after the step."""
    return given("KEPT-CERTIFICATES", EXECUTED, lambda e: s.kept(V, C, e), KEPT_AFTER, accepted)


def place_of(executed: z3.ExprRef) -> z3.ExprRef:
    """Return chain and height of a block."""
    block = WORDS.block_of(executed)
    return _PLACE(chain_of(block), WORDS.height_of(block))


_, _PLACE, _ = z3.TupleSort("Place", [CHAIN, NUMBER])


def actions(given: Contracts, s: State) -> dict[str, Action]:
    """Return every step of the network, each as its contract has it."""
    steps = {
        "handle a request": _request,
        "handle a certificate": _certificate,
        "handle a validated certificate": _validated,
        "handle messages": _messages,
        "handle an answer": _answer,
        "archive": _archive,
        "restart": _restart,
        "send messages": _send,
        "a Byzantine vote": _byzantine_vote,
        "a signature": _signature,
        "certificates": _certificates,
    }
    taken = {name: step(given, s) for name, step in steps.items()}
    return {name: Action(guard, after, (alone(),)) for name, (guard, after) in taken.items()}


def alone() -> z3.BoolRef:
    """There is one validator with one chain: enough for the witness of a step."""
    return conj(forall((VALIDATOR,), lambda v: v == V), forall((CHAIN,), lambda c: c == C))


def _request(given: Contracts, s: State) -> Step:
    request = RequestTerms(BLOCK_IN, KEY_IN, z3.Bool("authentic"), ROUND_IN, REASON)
    signed = given("OWNERS-SIGN", request.authentic, s.signed(KEY_IN, BLOCK_IN))
    after = any_cell()
    accepted = given("HANDLE-REQUEST", WORDS, cell(s, V, C), after, request, VOTE, s.validated)
    routed = given("ROUTING", chain_of(BLOCK_IN), C)
    guard = conj(correct(V), routed, signed, accepted, keeps(given, s))
    return guard, cast(put(s, after)).set_true("voted", V, EXECUTED_IN)


def cast(s: State) -> State:
    """Return the state with the vote of the step: to validate, or to confirm."""
    place = (V, EXECUTED_IN, VOTE.round)
    validates = s.update("validates", place, z3.Or(VOTE.validates, s.validates(*place)))
    return validates.update("confirms", place, z3.Or(z3.Not(VOTE.validates), s.confirms(*place)))


def _validated(given: Contracts, s: State) -> Step:
    after, votes, place = any_cell(), z3.Bool("votes"), (V, EXECUTED_IN, VOTE.round)
    final = VoteTerms(EXECUTED_IN, VOTE.round, z3.BoolVal(False))
    accepted = given("HANDLE-VALIDATED", WORDS, cell(s, V, C), after, final, s.validated, votes)
    routed = given("ROUTING", chain_of(WORDS.block_of(EXECUTED_IN)), C)
    guard = conj(correct(V), routed, accepted, keeps(given, s))
    return guard, put(s, after).update("confirms", place, z3.Or(votes, s.confirms(*place)))


def _certificate(given: Contracts, s: State) -> Step:
    before, after = cell(s, V, C), any_cell()
    accepted = given("HANDLE-CERTIFICATE", WORDS, before, after, EXECUTED_IN, s.certified(EXECUTED_IN))
    kept = keeps(given, s, lambda e: conj(e == EXECUTED_IN, s.certified(e)))
    routed = given("ROUTING", chain_of(WORDS.block_of(EXECUTED_IN)), C)
    guard = conj(correct(V), routed, accepted, kept)
    moved = put(s, after).update("done", (V, C, before.next_height), EXECUTED_IN)
    return guard, moved.update("past", (V, C, before.next_height + 1), after.rest)


def _messages(given: Contracts, s: State) -> Step:
    before, after = cell(s, V, C), any_cell()
    sent = given("OWN-REQUESTS", s.sent(V, EXECUTED_IN))

    def created(rest: z3.ExprRef) -> z3.BoolRef:
        return conj(sent, CREATION.creates(EXECUTED_IN, C), rest == born(before.rest, EXECUTED_IN, C))

    delivered = given("HANDLE-UPDATE-RECIPIENT", WORDS, before, after, created)
    known = WORDS.is_created(before.rest)
    moved = put(s, after).update("source", (V, C), z3.If(known, s.source(V, C), EXECUTED_IN))
    guard = conj(correct(V), delivered, keeps(given, s))
    return guard, moved.update("past", (V, C, 0), z3.If(known, s.past(V, C, 0), after.rest))


def _answer(given: Contracts, s: State) -> Step:
    after = any_cell()
    accepted = given("HANDLE-CONFIRM", cell(s, V, C), after)
    return conj(correct(V), accepted, keeps(given, s)), put(s, after)


def _archive(given: Contracts, s: State) -> Step:
    after = any_cell()
    archived = given("ARCHIVE-CHAIN", WORDS, cell(s, V, C), after)
    return conj(correct(V), archived, keeps(given, s)), put(s, after).set_true("archived", V, C)


def _restart(given: Contracts, s: State) -> Step:
    after = any_cell()
    restarted = given("RESTART-CHAIN", cell(s, V, C), after)
    return conj(correct(V), restarted, keeps(given, s)), put(s, after)


def _send(given: Contracts, s: State) -> Step:
    carried = given("CARRIED-CERTIFICATES", s.kept(V, C, EXECUTED_IN))
    return conj(correct(V), carried), s.set_true("sent", V, EXECUTED_IN)


def _byzantine_vote(_: Contracts, s: State) -> Step:
    return z3.Not(correct(V)), cast(s).set_true("voted", V, EXECUTED_IN)


def _signature(_: Contracts, s: State) -> Step:
    return z3.BoolVal(True), s.set_true("signed", KEY_IN, BLOCK_IN)


def _certificates(_: Contracts, s: State) -> Step:
    certified = z3.Function("certified_after", EXECUTED, TRUTH)
    validated = z3.Function("validated_after", EXECUTED, NUMBER, TRUTH)
    grown = forall((EXECUTED,), lambda e: z3.Implies(s.certified(e), certified(e)))
    more = forall((EXECUTED, NUMBER), lambda e, r: z3.Implies(s.validated(e, r), validated(e, r)))
    return conj(grown, more), s.replace(certified=certified, validated=validated)


def system(given: Given, **parts: Any) -> TransitionSystem:
    """Return the network with what is to be proved of it.

    A theorem that does not list a contract is proved for whatever the step may do.
    """

    def listed(name: str, *terms: Any) -> z3.BoolRef:
        return given(name, *terms) if name in given.theorem.uses else z3.BoolVal(True)

    def begins(s: State) -> z3.BoolRef:
        def built(v: Any, c: Any, e: Any) -> z3.BoolRef:
            return listed("GENESIS-CELL", cell(s, v, c), genesis(c), s.kept(v, c, e))

        return conj(listed("START", s), forall((VALIDATOR, CHAIN, EXECUTED), built))

    s = network()
    return TransitionSystem(before=s, start=begins, actions=actions(listed, s), **parts)

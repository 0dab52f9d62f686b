"""What clients can bring about: uploads that are accepted, and a proposal that no correct validator ever refuses."""

from collections.abc import Iterator
from typing import Any

import z3

from linera_invariants.proofs.cells import CertificateTerms, RequestTerms, VoteTerms
from linera_invariants.proofs.contracts import client
from linera_invariants.proofs.contracts.client import may_commit, may_vote
from linera_invariants.proofs.contracts.committee import NOBODY, SETS, VALIDATORS, weight_of
from linera_invariants.proofs.contracts.identifiers import IDENTIFIERS
from linera_invariants.proofs.queries import Query, witness
from linera_invariants.proofs.relational import Action, State, TransitionSystem, state
from linera_invariants.proofs.symbolic import conj
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import forall
from linera_reference.committee import TOTAL_BOUND
from linera_reference.notation import MAX_U64

from . import quorums
from .agreement import (
    BLOCK,
    CHAIN,
    CREATION,
    EXECUTED,
    KEY,
    NUMBER,
    TRUTH,
    VALIDATOR,
    WORDS,
    C,
    V,
    any_cell,
    cell,
    chain_of,
    correct,
    genesis,
    is_created,
    network,
    system,
)
from .histories import attested, is_reached, keeps

runs = z3.Function("runs", VALIDATOR, BLOCK, TRUTH)
"""Whether a block executes at a validator as it is now, inboxes included, and consumes nothing that is owed."""

W = z3.Const("other", VALIDATOR)


@formula("ARCHIVED-WAS-CLOSED")
def archived_was_closed(s: State) -> z3.BoolRef:
    """Where a chain is archived, its last block had closed it."""

    def closed(v: Any, c: Any) -> z3.BoolRef:
        last = WORDS.owner_of(s.past(v, c, s.next_height(v, c)))
        return z3.Implies(s.archived(v, c), z3.Not(last.present))

    return forall((VALIDATOR, CHAIN), closed)


@proof("ARCHIVED-WAS-CLOSED")
def archived_chains_were_closed(given: Given) -> Iterator[Query]:
    """Induct over the steps: only a closed chain is archived, and it does not move any more."""
    s = network()
    invariants = {"an archived chain was closed": lambda s: said("ARCHIVED-WAS-CLOSED", s)}
    yield from system(given, invariants=invariants, axioms=(given("HISTORY", s),)).queries()


def is_behind(s: State, v: Any, w: Any, c: Any) -> z3.BoolRef:
    """A chain is created at two validators, and one of them has executed more of its blocks."""
    both = conj(is_created(s, v, c), is_created(s, w, c), s.next_height(w, c) <= MAX_U64)
    return conj(both, s.next_height(v, c) < s.next_height(w, c))


@formula("UPLOAD-ACCEPTED")
def upload_accepted(s: State, v: Any, w: Any, c: Any) -> z3.BoolRef:
    """The next block that a validator lacks and another one has executed is acceptable, if it runs there."""
    executed = s.done(w, c, s.next_height(v, c))
    block = WORDS.block_of(executed)
    acceptable = may_commit(WORDS, cell(s, v, c), executed, s.certified(executed), runs(v, block))
    return z3.Implies(conj(is_behind(s, v, w, c), runs(v, block)), acceptable)


@proof("UPLOAD-ACCEPTED")
def uploads_are_accepted(given: Given) -> Iterator[Query]:
    """Both validators have the same past, and the other one has executed the block on it."""
    s = network()
    names = ("LOG-CHAINING", "ONE-CHAIN", "HISTORY", "STATE-AGREEMENT", "ARCHIVED-WAS-CLOSED")
    hypotheses = tuple(given(name, s) for name in names)
    yield Query("it is acceptable", hypotheses, said("UPLOAD-ACCEPTED", s, V, W, C))
    executed, accepted = s.done(W, C, s.next_height(V, C)), z3.Bool("accepted")
    runs_there = runs(V, WORDS.block_of(executed))
    behind = (said("UPLOAD-ACCEPTED", s, V, W, C), is_behind(s, V, W, C), runs_there)
    handler = given("CERTIFICATE-ACCEPTED", accepted, WORDS, cell(s, V, C), executed, s.certified(executed), runs_there)
    yield Query("it is accepted", (*behind, handler), accepted)
    after = any_cell()
    done = z3.Implies(accepted, given("HANDLE-CERTIFICATE", WORDS, cell(s, V, C), after, executed, z3.BoolVal(True)))
    entry = given("LOG-CHAINING", s)
    yield Query("it has an effect", (*behind, entry, accepted, done), after.next_height == s.next_height(V, C) + 1)
    yield witness("one validator is behind", (*behind, handler, done))


# --- Creation ----------------------------------------------------------------------------------------------------


def is_passed(s: State, v: Any, executed: Any) -> z3.BoolRef:
    """A validator has passed the height of a block of a created chain."""
    c, n = place(executed)
    return conj(is_created(s, v, c), n < s.next_height(v, c))


def kept_was_passed(s: State) -> z3.BoolRef:
    """A chain keeps certificates of blocks of its own that it passed."""

    def passed(v: Any, c: Any, e: Any) -> z3.BoolRef:
        return z3.Implies(s.kept(v, c, e), conj(place(e)[0] == c, is_passed(s, v, e)))

    return forall((VALIDATOR, CHAIN, EXECUTED), passed)


def sent_was_passed(s: State) -> z3.BoolRef:
    """A validator sends blocks between its chains that it passed."""
    return forall((VALIDATOR, EXECUTED), lambda v, e: z3.Implies(s.sent(v, e), is_passed(s, v, e)))


@formula("CREATED-BY-PARENT")
def created_by_parent(s: State) -> z3.BoolRef:
    """A created chain is of the genesis, which is everywhere, or its validator has passed the block that created it."""

    def made(v: Any, c: Any) -> z3.BoolRef:
        born_here = conj(CREATION.creates(s.source(v, c), c), is_passed(s, v, s.source(v, c)))
        return z3.If(WORDS.is_created(genesis(c)), is_created(s, v, c), z3.Implies(is_created(s, v, c), born_here))

    return forall((VALIDATOR, CHAIN), made)


@proof("CREATED-BY-PARENT")
def chains_have_parents(given: Given) -> Iterator[Query]:
    """Induct over the steps: what creates a chain was sent, so kept, so passed."""
    invariants = {
        "what is kept was passed": kept_was_passed,
        "what is sent was passed": sent_was_passed,
        "what creates was passed": created_by_parent,
    }
    yield from system(given, invariants=invariants, axioms=(keeps(given),)).queries()


@formula("HEIGHTS-GROW")
def heights_grow(s: State, t: State) -> z3.BoolRef:
    """A created chain stays created, and no height falls."""

    def grows(v: Any, c: Any) -> z3.BoolRef:
        stays = z3.Implies(is_created(s, v, c), is_created(t, v, c))
        return conj(stays, t.next_height(v, c) >= s.next_height(v, c))

    return forall((VALIDATOR, CHAIN), grows)


@proof("HEIGHTS-GROW")
def nothing_is_taken_back(given: Given) -> Iterator[Query]:
    """Compare the chains before and after each step."""
    laws = {"chains stay created, and heights do not fall": heights_grow}
    yield from system(given, laws=laws, axioms=(keeps(given),)).queries()


# --- Validation that is never lost -------------------------------------------------------------------------------

OPEN = z3.Const("pending_block", EXECUTED)
OWNER = z3.Const("owner", KEY)
VOTER, RIVAL = z3.Const("voter", VALIDATOR), z3.Const("rival", EXECUTED)
"""Any correct validator, and any block of the same place that it voted for."""


def only_signed(s: State, owner: Any, block: Any) -> z3.BoolRef:
    """An owner signed one block only at its place."""

    def only(other: Any) -> z3.BoolRef:
        same = conj(chain_of(other) == chain_of(block), WORDS.height_of(other) == WORDS.height_of(block))
        return z3.Implies(conj(s.signed(owner, other), same), other == block)

    return forall((BLOCK,), only)


def is_open_proposal(s: State, v: Any, owner: Any, executed: Any) -> z3.BoolRef:
    """A block is pending at a correct validator, and it is the only one that the owner signed at its height."""
    block = WORDS.block_of(executed)
    c = chain_of(block)
    pending = cell(s, v, c).pending.holds(executed)
    low = s.next_height(v, c) < MAX_U64
    return conj(correct(v), pending, is_single_owner(s.rest(v, c), owner), low, only_signed(s, owner, block))


def is_single_owner(rest: Any, key: Any) -> z3.BoolRef:
    """A chain has one owner, and this is its key."""
    owner = WORDS.owner_of(rest)
    only = forall((KEY,), lambda other: WORDS.owns(owner.value, other) == (other == key), "k")
    return conj(owner.present, z3.Not(WORDS.several(owner.value)), only)


def request_of(s: State, owner: Any, block: Any) -> RequestTerms:
    """Return the request in round 0 that an owner may have signed."""
    nothing = CertificateTerms(z3.BoolVal(False), OPEN, z3.IntVal(0))
    return RequestTerms(block, owner, s.signed(owner, block), z3.IntVal(0), nothing)


@formula("MONOTONE-VALIDATION")
def never_refused(s: State, v: Any, owner: Any, executed: Any, w: Any) -> z3.BoolRef:
    """At any correct validator that has reached the height, the block is acceptable for the same vote, or executed."""
    c, n = place(executed)
    open_here = conj(is_open_proposal(s, v, owner, executed), correct(w), is_reached(s, w, c, n))
    ready = conj(is_free(s, owner, executed, w), vote_on(s, w, WORDS.block_of(executed)) == executed)
    return z3.Implies(open_here, z3.If(s.next_height(w, c) == n, ready, s.done(w, c, n) == executed))


def place(executed: Any) -> tuple[Any, Any]:
    """Return chain and height of a block."""
    block = WORDS.block_of(executed)
    return chain_of(block), WORDS.height_of(block)


def is_free(s: State, owner: Any, executed: Any, w: Any) -> z3.BoolRef:
    """The owner's request is acceptable, if the block is pending already or runs."""
    block = WORDS.block_of(executed)
    here = cell(s, w, chain_of(block))
    acceptable = may_vote(WORDS, here, request_of(s, owner, block), z3.BoolVal(True), runs(w, block))
    return z3.Implies(z3.Or(here.pending.present, runs(w, block)), acceptable)


def vote_on(s: State, w: Any, block: Any) -> Any:
    """Return what a validator then votes for: what is pending, or what the block leads to."""
    here = cell(s, w, chain_of(block))
    return z3.If(here.pending.present, here.pending.value, WORDS.executed(here.rest, block))


def way(s: State) -> dict[str, tuple[z3.BoolRef, tuple[str, ...]]]:
    """Return what follows from an open proposal, step by step, each with the entries that it needs."""
    block = WORDS.block_of(OPEN)
    c, n = place(OPEN)
    rest, here = s.past(V, c, n), cell(s, W, c)
    rival = conj(correct(VOTER), s.voted(VOTER, RIVAL), place(RIVAL)[0] == c, place(RIVAL)[1] == n)
    now = here.next_height == n
    stands = conj(n == s.next_height(V, c), s.voted(V, OPEN), is_created(s, V, c))
    on_top = WORDS.previous_of(block).equals(here.tip)
    return {
        "it stands at the next height": (stands, ("PENDING-HYGIENE",)),
        "on the same last block": (z3.Implies(now, on_top), ("PENDING-HYGIENE", "LOG-CHAINING", "ONE-CHAIN")),
        "it was valid": (attested(s, V, OPEN), ("VOTE-VALIDITY",)),
        "before the present state": (rest == s.rest(V, c), ("HISTORY", "ARCHIVED-WAS-CLOSED")),
        "which the other one had too": (s.past(W, c, n) == rest, ("STATE-AGREEMENT",)),
        "whatever was voted for was valid": (z3.Implies(rival, attested(s, VOTER, RIVAL)), ("VOTE-VALIDITY",)),
        "before the same state": (z3.Implies(rival, s.past(VOTER, c, n) == rest), ("STATE-AGREEMENT",)),
        "so it is the same": (z3.Implies(rival, RIVAL == OPEN), ()),
        "the other one has this state": (z3.Implies(now, here.rest == rest), ("HISTORY", "ARCHIVED-WAS-CLOSED")),
    }


@proof("MONOTONE-VALIDATION")
def validation_is_never_lost(given: Given) -> Iterator[Query]:
    """Whatever was ever voted for at this height was signed by the same owner, so it is the same block."""
    s = network()
    names = ("LOG-CHAINING", "ONE-CHAIN", "HISTORY", "PENDING-HYGIENE", "VOTE-VALIDITY", "STATE-AGREEMENT")
    facts = {name: given(name, s) for name in (*names, "ARCHIVED-WAS-CLOSED")}
    voters = given("CORRECT-VOTER", correct, s.certified, s.voted)
    c, n = place(OPEN)
    known: tuple[z3.BoolRef, ...] = (conj(is_open_proposal(s, V, OWNER, OPEN), correct(W), is_reached(s, W, c, n)),)
    yield witness("a proposal is open", (*known, V != W))
    for name, (goal, needs) in way(s).items():
        yield Query(name, (*known, *(facts[need] for need in needs)), goal)
        known = (*known, goal)
    same = way(s)["so it is the same"][0]
    known = (*known, z3.ForAll([VOTER, RIVAL], same, patterns=[s.voted(VOTER, RIVAL)]))
    now = s.next_height(W, c) == n
    hygiene = (*known, facts["PENDING-HYGIENE"])
    ends = (
        z3.Implies(now, vote_on(s, W, WORDS.block_of(OPEN)) == OPEN),
        z3.Implies(now, is_free(s, OWNER, OPEN, W)),
        z3.Implies(z3.Not(now), s.done(W, c, n) == OPEN),
    )
    yield Query("the vote is the same", hygiene, ends[0])
    yield Query("it is not refused", hygiene, ends[1])
    yield Query("nothing else was executed", (*known, facts["LOG-CHAINING"], voters), ends[2])
    yield Query("never refused", (*known, *ends), said("MONOTONE-VALIDATION", s, V, OWNER, OPEN, W))


@formula("PROPOSAL-COMPLETES")
def completes(voters: Any) -> z3.BoolRef:
    """The voters weigh enough for a certificate."""
    enough: z3.BoolRef = weight_of(voters) >= quorums.quorum
    return enough


@proof("PROPOSAL-COMPLETES")
def open_proposals_complete(given: Given) -> Iterator[Query]:
    """Every correct validator at the height accepts the request, and its vote is for the one executed block."""
    s, after = network(), any_cell()
    block = WORDS.block_of(OPEN)
    c, n = place(OPEN)
    vote = VoteTerms(z3.Const("vote", EXECUTED), z3.Int("round"), z3.Bool("is_validated"))
    here = cell(s, W, c)
    known = (
        is_open_proposal(s, V, OWNER, OPEN),
        conj(correct(W), is_reached(s, W, c, n), here.next_height == n, runs(W, block), s.signed(OWNER, block)),
        given("MONOTONE-VALIDATION", s, V, OWNER, OPEN, W),
    )
    request, accepted = request_of(s, OWNER, block), z3.Bool("accepted")
    accepts = given("REQUEST-ACCEPTED", accepted, WORDS, here, request, z3.BoolVal(True), runs(W, block))
    yield Query("it is accepted", (*known, accepts), accepted)
    handled = given("HANDLE-REQUEST", WORDS, here, after, request, vote, s.validated)
    confirms = conj(vote.executed == OPEN, vote.round == 0, z3.Not(vote.validates))
    yield Query("the vote is to confirm the one block", (*known, handled), confirms)
    yield witness("somebody votes", (*known, accepts, handled, V != W))
    voters = z3.Const("voters", SETS)
    everybody = forall((VALIDATORS,), lambda v: z3.Implies(quorums.correct(v), voters[v]))
    yield Query("enough votes", (everybody, given("CORRECT-QUORUM", voters)), said("PROPOSAL-COMPLETES", voters))


# --- Synchronisation ends ----------------------------------------------------------------------------------------


@formula("UPLOADS-BOUNDED")
def uploads_bounded(s: State) -> z3.BoolRef:
    """No more uploads had an effect than what was missing at the start; what is left of it bounds the rest."""
    return conj(s.left() >= 0, s.uploads() >= 0, s.uploads() + s.left() <= s.bound())


@proof("UPLOADS-BOUNDED")
def synchronisation_ends(given: Given) -> Iterator[Query]:
    """Each upload with an effect takes at least one off the measure, and nothing that happens adds to it."""
    views = client.Views(client.BEHIND.terms, client.LATER.terms, client.AHEAD.terms)
    chain, height = z3.Const("goal", IDENTIFIERS), z3.Int("height")
    work = client.constant_work()
    strategy = (given("SYNCHRONISATION", views, chain, height, work), client.is_there(views.ahead, chain, height))
    yield from rounds(strategy, views, work).queries()
    left = sum(work.left)
    reached = client.is_there(views.behind, chain, height)
    yield Query("with nothing left the goal is reached", (*strategy, left == 0), reached)
    yield Query("before that there is something to hand over", (*strategy, z3.Not(reached)), work.transfer.present)


def rounds(strategy: tuple[z3.BoolRef, ...], views: client.Views, work: client.Work) -> TransitionSystem:
    """Return the rounds of a synchronisation: an upload with an effect, or anything else that happens meanwhile."""
    s = state(left=(NUMBER,), uploads=(NUMBER,), bound=(NUMBER,))
    now = conj(*strategy, s.left() == sum(work.left))
    uploaded = conj(now, work.transfer.present, client.has_effect(views, work))
    later = s.update("left", (), sum(work.later))
    return TransitionSystem(
        before=s,
        start=lambda s: conj(s.uploads() == 0, s.left() >= 0, s.bound() == s.left()),
        invariants={"uploads are bounded": uploads_bounded},
        actions={
            "an upload has an effect": Action(uploaded, later.update("uploads", (), s.uploads() + 1)),
            "something else happens": Action(now, later),
        },
    )


# --- The worst case ----------------------------------------------------------------------------------------------


@formula("ANSWERS-ALIKE")
def answer_alike(s: State, v: Any, w: Any, owner: Any, block: Any) -> z3.BoolRef:
    """What one correct validator may vote for, another one at this height may too, and the votes are the same."""
    one, other = (cell(s, u, chain_of(block)) for u in (v, w))
    request = request_of(s, owner, block)
    here, there = (may_vote(WORDS, x, request, z3.BoolVal(True), runs(u, block)) for x, u in ((one, v), (other, w)))
    free = z3.If(other.pending.present, WORDS.block_of(other.pending.value) == block, runs(w, block))
    ready = conj(correct(v), correct(w), is_reached(s, w, chain_of(block), one.next_height), free)
    same = conj(there, vote_on(s, v, block) == vote_on(s, w, block))
    return z3.Implies(conj(ready, here, other.next_height == one.next_height), same)


def up_to_date(s: State, block: Any) -> dict[str, tuple[z3.BoolRef, tuple[str, ...]]]:
    """Return what follows of two validators at one height, step by step, each with the entries that it needs."""
    c, n = chain_of(block), WORDS.height_of(block)
    one, other, rest = cell(s, V, c), cell(s, W, c), s.past(V, c, n)
    last = ("LOG-CHAINING", "ONE-CHAIN")
    present = ("HISTORY", "ARCHIVED-WAS-CLOSED")
    voted = ("PENDING-HYGIENE", "VOTE-VALIDITY")
    return {
        "both had the same state": (s.past(W, c, n) == rest, ("STATE-AGREEMENT", "LOG-CHAINING")),
        "one has it still": (one.rest == rest, present),
        "the other one too": (other.rest == rest, present),
        "both have the same last block": (one.tip.equals(other.tip), last),
        "the vote of one": (vote_on(s, V, block) == WORDS.executed(rest, block), voted),
        "the vote of the other one": (vote_on(s, W, block) == WORDS.executed(rest, block), voted),
    }


@proof("ANSWERS-ALIKE")
def validators_answer_alike(given: Given) -> Iterator[Query]:
    """Both have the same state and the same last block, so the block leads to the same."""
    s, block = network(), z3.Const("proposed", BLOCK)
    names = ("LOG-CHAINING", "ONE-CHAIN", "HISTORY", "PENDING-HYGIENE", "VOTE-VALIDITY", "STATE-AGREEMENT")
    facts = {name: given(name, s) for name in (*names, "ARCHIVED-WAS-CLOSED")}
    goal = said("ANSWERS-ALIKE", s, V, W, OWNER, block)
    known: tuple[z3.BoolRef, ...] = (goal.arg(0),)
    yield witness("two validators may vote", (*known, V != W))
    for name, (fact, needs) in up_to_date(s, block).items():
        yield Query(name, (*known, *(facts[need] for need in needs)), fact)
        known = (*known, fact)
    yield Query("they answer alike", known, goal)


@formula("QUORUM-SUFFICES")
def quorum_suffices(answered: Any, heard: Any, total: Any, faulty: Any, has_ended: Any) -> z3.BoolRef:
    """When everybody of a set that weighs N - f has answered, there is a certificate, whatever others did."""
    everybody = forall((VALIDATORS,), lambda v: z3.Implies(answered[v], heard[v]))
    lawful = conj(total > 0, total < TOTAL_BOUND, 3 * faulty < total)
    return z3.Implies(conj(lawful, everybody, weight_of(answered) >= total - faulty), has_ended)


@proof("QUORUM-SUFFICES")
def answers_of_a_quorum_suffice(given: Given) -> Iterator[Query]:
    """Those who answered soundly weigh at least as much, and N - f is a quorum."""
    answered, heard = z3.Consts("answered heard", SETS)
    total, faulty, threshold = z3.Ints("total faulty threshold")
    ended = z3.Bool("has_ended")
    known = (
        given("QUORUM-ARITHMETIC", total, faulty, threshold),
        given("COLLECT", heard, threshold, ended),
        given("WEIGHT-LAW", answered, NOBODY, heard, NOBODY),
    )
    yield Query("a certificate is formed", known, said("QUORUM-SUFFICES", answered, heard, total, faulty, ended))
    yield witness("somebody answers", (*known, total > 0, 3 * faulty < total, weight_of(answered) >= total - faulty))

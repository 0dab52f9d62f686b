"""The network model: what the adversary can do, and what nobody can."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map
from support import (
    ED25519,
    IDEAL,
    NO_HASH,
    accepted,
    certify,
    committee,
    digest,
    examples,
    executed,
    key,
    network,
    proposal,
    refused,
    rejected,
    request,
    root,
    run,
    signer,
    validators,
    vote,
)

from linera_reference.application import burn, transfer
from linera_reference.block import AddOwner, CloseChain, Execute, OpenChain
from linera_reference.certificate import Certificate, Kind, Vote, VotePayload, certified_payload, sign_vote
from linera_reference.client import next_block
from linera_reference.containers import Set, fold
from linera_reference.execution import execute_block
from linera_reference.network import (
    Action,
    ArchiveChain,
    CastVote,
    Certify,
    Deliver,
    Network,
    Propose,
    Resend,
    Restart,
    World,
    can_arrive,
    correct_validator,
    emit,
    initial_world,
    step,
    votes_were_cast,
)
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.rejections import Accepted, Reason, Rejected
from linera_reference.request import Request
from linera_reference.rounds import Rounds
from linera_reference.validator import Genesis, GenesisChain, Validator, chain_of, genesis_validator, payload_of

NET = network(byzantine=(3,))
CTX = NET.context
V0, V1, V2, EVIL = (s.public_key for s in validators(NET))
ALICE, BOB = (0,), (1,)
PAY = Execute(transfer(BOB, 5))
REQUEST = proposal(NET, "alice", root(NET), PAY)
EXECUTED = executed(NET, root(NET), PAY)
PAYLOAD = payload_of(CTX, EXECUTED)
START = initial_world(NET)
VOTED = run(NET, START, Propose(REQUEST), *(Deliver(v, REQUEST) for v in (V0, V1, V2)))
"""The correct validators voted for the payment."""
CERTIFIED = run(NET, VOTED, Certify(EXECUTED, (V0, V1, V2)))
CERTIFICATE = CERTIFIED.certificates[PAYLOAD.block_hash]
DELIVERED = run(NET, CERTIFIED, *(Deliver(v, CERTIFICATE) for v in (V0, V1)))
"""Two of them know the certificate; the third does not."""
(UPDATE,) = DELIVERED.internal[V0]


def forbidden(world: World, action: Action, net: Network = NET) -> Any:
    """Return the detail of an action that the model must refuse."""
    return rejected(step(net, world, action), Reason.ACTION_NOT_ENABLED).detail


@pytest.mark.clauses("WP-2.2-ADVERSARY", "WP-2.4-GENESIS", "WP-2.1-ONE-COMMITTEE")
def test_at_the_start_the_correct_validators_know_genesis_and_nothing_can_arrive() -> None:
    start = genesis_validator(NET.genesis)
    assert initial_world(NET) == World(Map(dict.fromkeys((V0, V1, V2), start)))
    assert sorted(start.chains) == [ALICE, BOB]


@pytest.mark.clauses("WP-2.4-GENESIS")
def test_a_wrong_genesis_starts_nothing() -> None:
    twice = GenesisChain(ALICE, key("bob"), None)
    wrong = evolve(NET, genesis=Genesis(committee(), (*NET.genesis.chains, twice)))
    with refused(Reason.GENESIS_NOT_PREFIX_FREE):
        initial_world(wrong)


# --- requests and votes ------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.2-ADVERSARY")
@pytest.mark.parametrize("scheme", [IDEAL, ED25519])
def test_anybody_sends_what_an_owner_signed_and_nothing_else(scheme: Any) -> None:
    net = network(scheme=scheme)
    world = initial_world(net)
    one, two = (proposal(net, "alice", root(net), Execute(burn(n))) for n in (1, 2))
    # Owners may equivocate, and strangers may sign what they like.
    for some in (one, two, proposal(net, "mallory", root(net))):
        world = accepted(step(net, world, Propose(some))).state
        assert world.requests.contains(some)
    assert len(world.requests) == 3
    assert evolve(world, requests=Set()) == initial_world(net)
    for forged in (
        evolve(one, signature=two.signature),
        evolve(one, owner=signer("mallory", scheme).public_key),
        evolve(one, round=1),
    ):
        forbidden(world, Propose(forged), net)


@pytest.mark.clauses("WP-2.2-ADVERSARY")
def test_byzantine_validators_sign_anything() -> None:
    world = START
    payloads = [VotePayload(k, digest("anything"), r) for k in Kind for r in (0, 7)]
    for payload in payloads:
        outcome = accepted(step(NET, world, CastVote(EVIL, payload)))
        assert outcome.outputs == (sign_vote(IDEAL, validators(NET)[3], payload),)
        world = outcome.state
    assert {v.payload for v in world.votes} == set(payloads)
    assert evolve(world, votes=Set()) == START


@pytest.mark.clauses("WP-2.2-ADVERSARY")
@pytest.mark.parametrize("validator", [V0, key("stranger"), b""])
def test_nobody_else_does(validator: bytes) -> None:
    forbidden(START, CastVote(validator, PAYLOAD))


# --- certificates ------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.2-CERTIFICATE", "WP-2.3-CERT-IDENTITY")
def test_a_quorum_of_cast_votes_makes_a_certificate() -> None:
    outcome = accepted(step(NET, VOTED, Certify(EXECUTED, (V2, V0, V1))))
    assert outcome.outputs == (CERTIFICATE,)
    assert outcome.state.certificates == Map({PAYLOAD.block_hash: CERTIFICATE})
    assert sorted(CERTIFICATE.signatures) == sorted(certify(NET, EXECUTED, (0, 1, 2)).signatures)
    assert evolve(outcome.state, certificates=Map()) == VOTED


@pytest.mark.clauses("WP-2.3-CERT-IDENTITY")
def test_there_is_one_certificate_per_executed_block() -> None:
    world = run(NET, CERTIFIED, CastVote(EVIL, PAYLOAD))
    outcome = accepted(step(NET, world, Certify(EXECUTED, (V0, V1, EVIL))))
    assert outcome.state == world
    assert outcome.outputs == (CERTIFICATE,)


SHARED = network(owners=(("alice", "bob"), "carol"), byzantine=(3,))
BLOCK = executed(SHARED, root(SHARED), PAY)
ASKED = request(SHARED, "bob", BLOCK.block, 1)
ACCEPTED = run(SHARED, initial_world(SHARED), Propose(ASKED), *(Deliver(v, ASKED) for v in (V0, V1, V2)))
"""On the chain of Alice and Bob, the correct validators accepted a proposal of round 1."""
LOCKING = Certify(BLOCK, (V0, V1, V2), Kind.VALIDATED, 1)
VALIDATED = run(SHARED, ACCEPTED, LOCKING)
(LOCK,) = VALIDATED.validated.values()
LOCKED = run(SHARED, VALIDATED, *(Deliver(v, LOCK) for v in (V0, V1, V2)))


@pytest.mark.clauses("WP-2.2-CERTIFICATE", "WP-2.3-CERT-IDENTITY")
def test_validated_certificates_are_kept_by_round() -> None:
    outcome = accepted(step(SHARED, ACCEPTED, LOCKING))
    payload = payload_of(CTX, BLOCK, Kind.VALIDATED, 1)
    assert outcome.outputs == (LOCK,)
    assert outcome.state.validated == Map({payload: LOCK})
    assert (LOCK.executed, LOCK.kind, LOCK.round) == (BLOCK, Kind.VALIDATED, 1)
    assert evolve(outcome.state, validated=Map()) == ACCEPTED
    # Other signers make no other certificate, another round does.
    world = run(SHARED, VALIDATED, CastVote(EVIL, payload))
    assert accepted(step(SHARED, world, Certify(BLOCK, (V1, V2, EVIL), Kind.VALIDATED, 1))).state == world
    later = request(SHARED, "alice", BLOCK.block, 4, LOCK)
    world = run(SHARED, LOCKED, Propose(later), *(Deliver(v, later) for v in (V0, V1, V2)))
    world = run(SHARED, world, Certify(BLOCK, (V0, V1, V2), Kind.VALIDATED, 4))
    assert sorted(c.round for c in world.validated.values()) == [1, 4]
    assert world.certificates == Map()


@pytest.mark.clauses("WP-2.3-CERT-IDENTITY", "WP-2.2-CERTIFICATE")
def test_confirmed_certificates_are_identified_across_rounds() -> None:
    world = run(SHARED, LOCKED, Certify(BLOCK, (V0, V1, V2), round=1))
    (confirmed,) = world.certificates.values()
    assert (confirmed.kind, confirmed.round) == (Kind.CONFIRMED, 1)
    later = request(SHARED, "alice", BLOCK.block, 2, LOCK)
    world = run(SHARED, world, Propose(later), *(Deliver(v, later) for v in (V0, V1, V2)))
    world = run(SHARED, world, Certify(BLOCK, (V0, V1, V2), Kind.VALIDATED, 2))
    again = world.validated[payload_of(CTX, BLOCK, Kind.VALIDATED, 2)]
    world = run(SHARED, world, *(Deliver(v, again) for v in (V0, V1, V2)))
    outcome = accepted(step(SHARED, world, Certify(BLOCK, (V0, V1, V2), round=2)))
    assert outcome.outputs == (confirmed,)
    assert outcome.state == world


@pytest.mark.clauses("WP-2.2-CERTIFICATE")
@pytest.mark.parametrize(("kind", "round"), [(Kind.VALIDATED, 0), (Kind.VALIDATED, 2), (Kind.CONFIRMED, 1)])
def test_votes_of_another_kind_or_round_do_not_count(kind: Kind, round: int) -> None:
    forbidden(ACCEPTED, Certify(BLOCK, (V0, V1, V2), kind, round), SHARED)
    forbidden(LOCKED, Certify(BLOCK, (V0, V1, V2), kind, round + 5), SHARED)


@pytest.mark.clauses("WP-2.2-CERTIFICATE")
def test_only_votes_that_were_cast_count() -> None:
    forbidden(VOTED, Certify(EXECUTED, (V0, V1, EVIL)))
    forbidden(VOTED, Certify(evolve(EXECUTED, state_hash=NO_HASH), (V0, V1, V2)))
    forbidden(START, Certify(EXECUTED, (V0, V1, V2)))
    # Another kind of vote on the same block is another vote.
    other = run(
        NET, VOTED, CastVote(EVIL, evolve(PAYLOAD, kind=Kind.VALIDATED)), CastVote(EVIL, evolve(PAYLOAD, round=1))
    )
    forbidden(other, Certify(EXECUTED, (V0, V1, EVIL)))
    accepted(step(NET, run(NET, other, CastVote(EVIL, PAYLOAD)), Certify(EXECUTED, (V0, V1, EVIL))))


@pytest.mark.clauses("WP-2.2-CERTIFICATE")
@pytest.mark.parametrize("voters", [(), (V0,), (V0, V1), (V0, V1, key("stranger"))])
def test_too_few_voters(voters: tuple[bytes, ...]) -> None:
    forbidden(VOTED, Certify(EXECUTED, voters))


@pytest.mark.clauses("WP-2.2-CERTIFICATE")
def test_no_voter_counts_twice() -> None:
    found = rejected(step(NET, VOTED, Certify(EXECUTED, (V0, V1, V0))), Reason.CERTIFICATE_VALIDATOR_REUSE)
    assert found.detail == V0


@pytest.mark.clauses("WP-2.2-CERTIFICATE")
def test_a_weightless_voter_does_not_count() -> None:
    net = network((0, 1, 1, 1, 1), byzantine=(0, 1, 2, 3))
    result = executed(net, root(net), PAY)
    keys = [s.public_key for s in validators(net)]
    world = run(net, initial_world(net), *(CastVote(k, payload_of(net.context, result)) for k in keys[:4]))
    found = rejected(step(net, world, Certify(result, tuple(keys[:4]))), Reason.INVALID_CERTIFICATE_SIGNER)
    assert found.detail == keys[0]
    accepted(step(net, world, Certify(result, tuple(keys[1:4]))))


# --- delivery ----------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.2-ADVERSARY")
def test_a_correct_validator_answers_what_reaches_it() -> None:
    world = run(NET, START, Propose(REQUEST))
    outcome = accepted(step(NET, world, Deliver(V0, REQUEST)))
    assert outcome.outputs == (vote(NET, 0, EXECUTED),)
    assert set(outcome.state.votes) == {vote(NET, 0, EXECUTED)}
    assert chain_of(outcome.state.validators[V0], ALICE).localized.pending == EXECUTED
    assert outcome.state.validators[V1] == world.validators[V1]
    assert outcome.state.requests == world.requests


@pytest.mark.clauses("WP-2.2-ADVERSARY")
def test_what_was_not_sent_cannot_be_delivered() -> None:
    forbidden(START, Deliver(V0, REQUEST))
    forbidden(START, Deliver(V0, CERTIFICATE))
    forbidden(CERTIFIED, Deliver(V0, UPDATE))
    forbidden(DELIVERED, Deliver(V0, ConfirmUpdatedRecipient(ALICE, BOB, 0)))


@pytest.mark.clauses("WP-2.2-ADVERSARY")
def test_handlers_face_what_nobody_signed() -> None:
    """The model does not verify in the place of a handler: a forgery arrives, and is refused there."""
    forged = evolve(REQUEST, signature=bytes(64))
    rejected(step(NET, START, Deliver(V0, forged)), Reason.INVALID_SIGNATURE)
    altered = evolve(CERTIFICATE, executed=evolve(EXECUTED, state_hash=NO_HASH))
    rejected(step(NET, VOTED, Deliver(V0, altered)), Reason.INVALID_SIGNATURE)
    rejected(
        step(NET, VOTED, Deliver(V0, evolve(CERTIFICATE, kind=Kind.VALIDATED))), Reason.UNEXPECTED_CERTIFICATE_KIND
    )
    rejected(step(NET, VOTED, Deliver(V0, evolve(CERTIFICATE, signatures=()))), Reason.CERTIFICATE_REQUIRES_QUORUM)


@pytest.mark.clauses("WP-2.2-ADVERSARY")
def test_cross_chain_requests_stay_inside_a_validator_and_whole() -> None:
    assert DELIVERED.internal[V1] == DELIVERED.internal[V0]
    forbidden(DELIVERED, Deliver(V2, UPDATE))
    more = evolve(UPDATE, certificates=UPDATE.certificates * 2)
    for altered in (evolve(UPDATE, certificates=()), evolve(UPDATE, recipient=(9,)), more):
        forbidden(DELIVERED, Deliver(V0, altered))
    outcome = accepted(step(NET, DELIVERED, Deliver(V0, UPDATE)))
    (answer,) = outcome.outputs
    assert set(outcome.state.internal[V0]) == {UPDATE, answer}
    forbidden(outcome.state, Deliver(V1, answer))
    accepted(step(NET, outcome.state, Deliver(V0, answer)))


@pytest.mark.clauses("WP-2.2-ADVERSARY")
@pytest.mark.parametrize("validator", [EVIL, key("stranger")])
def test_only_correct_validators_have_a_state(validator: bytes) -> None:
    for action in (
        Deliver(validator, REQUEST),
        Deliver(validator, CERTIFICATE),
        Deliver(validator, UPDATE),
        Resend(validator, ALICE),
        ArchiveChain(validator, ALICE),
    ):
        forbidden(DELIVERED, action)
    with refused(Reason.ACTION_NOT_ENABLED):
        correct_validator(START, validator)
    assert correct_validator(START, V0) is START.validators[V0]


@pytest.mark.clauses("WP-2.2-ADVERSARY")
def test_a_rejection_of_the_handler_is_passed_on() -> None:
    other = proposal(NET, "alice", root(NET), Execute(burn(1)))
    world = run(NET, VOTED, Propose(other))
    rejected(step(NET, world, Deliver(V0, other)), Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST)
    stranger = proposal(NET, "mallory", root(NET))
    world = run(NET, START, Propose(stranger))
    rejected(step(NET, world, Deliver(V0, stranger)), Reason.INVALID_OWNER)


@pytest.mark.clauses("WP-2.2-ADVERSARY")
@pytest.mark.parametrize(
    "item",
    [
        evolve(CERTIFICATE, executed=evolve(EXECUTED, block=evolve(EXECUTED.block, height=2**64))),
        evolve(CERTIFICATE, executed=evolve(EXECUTED, state_hash=b"")),
        evolve(REQUEST, block=evolve(REQUEST.block, height=2**64)),
        evolve(REQUEST, round=-1),
    ],
)
def test_what_has_no_encoding_is_refused_and_no_crash(item: Any) -> None:
    assert isinstance(step(NET, DELIVERED, Deliver(V0, item)), Rejected)
    if isinstance(item, Request):
        assert isinstance(step(NET, DELIVERED, Propose(item)), Rejected)
    else:
        assert isinstance(step(NET, DELIVERED, Certify(item.executed, (V0,))), Rejected)


@pytest.mark.clauses("WP-2.2-ADVERSARY")
def test_delivering_removes_nothing_and_may_be_repeated() -> None:
    for world, item in ((VOTED, REQUEST), (DELIVERED, CERTIFICATE), (DELIVERED, UPDATE)):
        once = run(NET, world, Deliver(V0, item))
        assert can_arrive(NET, once, V0, item)
        assert run(NET, once, Deliver(V0, item)) == once
        assert run(NET, once, Deliver(V0, item), Deliver(V0, item)) == once


@pytest.mark.clauses("WP-2.2-ADVERSARY")
def test_what_can_arrive() -> None:
    assert [can_arrive(NET, w, V2, REQUEST) for w in (START, VOTED)] == [False, True]
    assert [can_arrive(NET, w, V2, CERTIFICATE) for w in (START, VOTED)] == [False, True]
    assert [can_arrive(NET, DELIVERED, v, UPDATE) for v in (V0, V1, V2, EVIL)] == [True, True, False, False]
    # What nobody signed may be made up and sent; a genuine signature must have been made.
    assert can_arrive(NET, START, V2, evolve(REQUEST, signature=bytes(64)))
    assert can_arrive(NET, START, V2, evolve(CERTIFICATE, signatures=()))
    assert can_arrive(NET, START, V2, evolve(CERTIFICATE, signatures=((V2, bytes(64)),)))
    assert not can_arrive(NET, VOTED, V2, evolve(certify(NET, EXECUTED, (0, 1, 2), Kind.VALIDATED)))


@pytest.mark.clauses("WP-2.2-ADVERSARY")
def test_what_justifies_a_request_was_signed_too() -> None:
    unheard = certify(SHARED, BLOCK, (0, 1, 2), Kind.VALIDATED, 7)
    forged = evolve(unheard, signatures=((V0, bytes(64)),))
    assert [votes_were_cast(SHARED, LOCKED, c) for c in (None, LOCK, forged, unheard)] == [True, True, True, False]
    made = request(SHARED, "alice", BLOCK.block, 9)
    for justification, possible in ((None, True), (LOCK, True), (forged, True), (unheard, False)):
        some = evolve(made, justification=justification)
        assert isinstance(step(SHARED, LOCKED, Propose(some)), Accepted) == possible
        # Without the signature of an owner anybody makes it up.
        assert can_arrive(SHARED, LOCKED, V0, evolve(some, signature=bytes(64))) == possible
        # A genuine request is sent before it arrives, with each of its justifications.
        assert not can_arrive(SHARED, LOCKED, V0, some)
    assert can_arrive(SHARED, run(SHARED, LOCKED, Propose(made)), V0, made)
    assert not can_arrive(SHARED, run(SHARED, LOCKED, Propose(made)), V0, evolve(made, justification=LOCK))


@pytest.mark.clauses("WP-2.2-ADVERSARY")
def test_what_is_emitted() -> None:
    answer = ConfirmUpdatedRecipient(ALICE, BOB, 0)
    world = emit(START, V1, ("noise", vote(NET, 1, EXECUTED), UPDATE, answer))
    assert set(world.votes) == {vote(NET, 1, EXECUTED)}
    assert world.internal == Map({V1: fold(Set.insert, Set(), (UPDATE, answer))})
    assert evolve(world, votes=Set(), internal=Map()) == START


@pytest.mark.clauses("WP-2.5-REQUEST")
def test_pending_requests_are_sent_again() -> None:
    lost = evolve(DELIVERED, internal=Map())
    outcome = accepted(step(NET, lost, Resend(V0, ALICE)))
    assert outcome.outputs == (UPDATE,)
    assert set(outcome.state.internal[V0]) == {UPDATE}
    assert outcome.state.validators == lost.validators
    for chain_id in (BOB, (9,)):
        assert accepted(step(NET, lost, Resend(V0, chain_id))).outputs == ()


# --- equivocation ------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.8-BLOCKED-CHAIN", "WP-2.8-PENDING")
def test_an_owner_that_signs_two_blocks_may_block_its_chain() -> None:
    """Two correct validators vote for each block: whatever is tried, neither gets a quorum, and others go on."""
    net = network()
    keys = [s.public_key for s in validators(net)]
    requests = [proposal(net, "alice", root(net), Execute(burn(n))) for n in (1, 2)]
    results = [executed(net, root(net), *r.block.transactions) for r in requests]
    halves = (keys[:2], keys[2:])
    world = run(net, initial_world(net), *map(Propose, requests))
    for chosen, half in zip(requests, halves, strict=True):
        world = run(net, world, *(Deliver(k, chosen) for k in half))
    for chosen, result, others in zip(requests, results, halves[::-1], strict=True):
        for k in others:
            reason = Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST
            rejected(step(net, world, Deliver(k, chosen)), reason)
        forbidden(world, Certify(result, tuple(keys)), net)
        forbidden(world, Certify(result, tuple(k for k in keys if k not in others)), net)
    bobs = proposal(net, "bob", root(net, 1), Execute(burn(1)))
    run(net, world, Propose(bobs), *(Deliver(k, bobs) for k in keys))


@pytest.mark.clauses("WP-2.8-BLOCKED-CHAIN", "WP-2.8-HANDLE-CERTIFICATE", "WP-2.2-ADVERSARY")
def test_a_byzantine_vote_may_decide_between_two_blocks() -> None:
    """Who voted for the other block commits the certified one all the same."""
    other = proposal(NET, "alice", root(NET), Execute(burn(1)))
    result = executed(NET, root(NET), *other.block.transactions)
    world = run(
        NET, START, Propose(REQUEST), Propose(other), Deliver(V0, REQUEST), Deliver(V1, REQUEST), Deliver(V2, other)
    )
    world = run(NET, world, *(CastVote(EVIL, payload_of(CTX, some)) for some in (EXECUTED, result)))
    forbidden(world, Certify(result, (V2, EVIL)))
    world = run(NET, world, Certify(EXECUTED, (V0, V1, EVIL)))
    (certificate,) = world.certificates.values()
    world = run(NET, world, Deliver(V2, certificate))
    assert chain_of(world.validators[V2], ALICE).consistent.next_height == 1
    assert chain_of(world.validators[V2], ALICE).localized.pending is None


# --- archiving ---------------------------------------------------------------------------------------------------


def through(net: Network, world: World, owner: str, *transactions: Any) -> tuple[World, Certificate]:
    """Extend the chain of an owner at every correct validator."""
    chain_id = ALICE if owner == "alice" else BOB
    chain = chain_of(world.validators[V0], chain_id)
    made = request(net, owner, next_block(chain, transactions))
    result = execute_block(net.context, chain, made.block).executed
    keys = sorted(world.validators)
    world = run(net, world, Propose(made), *(Deliver(k, made) for k in keys), Certify(result, tuple(keys)))
    certificate = world.certificates[net.context.scheme.hash(result)]
    return run(net, world, *(Deliver(k, certificate) for k in keys)), certificate


@pytest.mark.clauses("WP-2.4-ARCHIVE")
def test_a_closed_chain_is_archived_at_one_validator() -> None:
    rejected(step(NET, START, ArchiveChain(V0, ALICE)), Reason.CHAIN_NOT_CLOSED)
    rejected(step(NET, START, ArchiveChain(V0, (9,))), Reason.CHAIN_NOT_CLOSED)
    busy, _ = through(NET, START, "alice", PAY, CloseChain())
    assert rejected(step(NET, busy, ArchiveChain(V0, ALICE)), Reason.OUTBOX_NOT_EMPTY).detail == (BOB,)
    world, closing = through(NET, START, "alice", CloseChain())
    outcome = accepted(step(NET, world, ArchiveChain(V0, ALICE)))
    (cold,) = outcome.outputs
    assert cold == chain_of(world.validators[V0], ALICE)
    assert chain_of(outcome.state.validators[V0], ALICE).localized.certificates.since(0) == ()
    assert evolve(outcome.state, validators=world.validators) == world
    assert outcome.state.validators.delete(V0) == world.validators.delete(V0)
    # It answers as before.
    assert (
        accepted(step(NET, outcome.state, Deliver(V0, closing))).outputs
        == accepted(step(NET, world, Deliver(V0, closing))).outputs
    )


# --- restarts ----------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.9-DURABLE")
@pytest.mark.parametrize(
    ("net", "world"), [(NET, START), (NET, VOTED), (NET, DELIVERED), (SHARED, ACCEPTED), (SHARED, LOCKED)]
)
def test_a_restart_forgets_nothing(net: Network, world: World) -> None:
    outcome = accepted(step(net, world, Restart(V1)))
    assert outcome.outputs == ()
    assert outcome.state == world


@pytest.mark.clauses("WP-2.9-DURABLE")
def test_a_restart_repairs_what_is_derived_at_one_validator() -> None:
    chain = chain_of(DELIVERED.validators[V0], ALICE)
    lost = evolve(chain, localized=evolve(chain.localized, counters=Map()))
    validator = Validator(DELIVERED.validators[V0].chains.set(ALICE, lost))
    crashed = evolve(DELIVERED, validators=DELIVERED.validators.set(V0, validator))
    assert crashed != DELIVERED
    assert run(NET, crashed, Restart(V0)) == DELIVERED
    assert run(NET, crashed, Restart(V1)) == crashed


@pytest.mark.clauses("WP-2.9-DURABLE")
@pytest.mark.parametrize("validator", [EVIL, key("stranger")])
def test_only_correct_validators_restart(validator: bytes) -> None:
    forbidden(START, Restart(validator))


@pytest.mark.clauses("WP-2.9-DURABLE", "WP-2.9-LOCK")
def test_a_lock_survives() -> None:
    world = run(SHARED, LOCKED, Restart(V0))
    assert chain_of(world.validators[V0], ALICE).localized.rounds == Rounds(1, LOCK)
    other = request(SHARED, "bob", executed(SHARED, root(SHARED)).block, 2)
    rejected(step(SHARED, run(SHARED, world, Propose(other)), Deliver(V0, other)), Reason.HAS_LOCKED_BLOCK)


# --- random runs -------------------------------------------------------------------------------------------------

TRANSACTIONS = st.lists(
    st.sampled_from((PAY, Execute(burn(1)), OpenChain((0, 0), key("carol")), AddOwner(key("bob")), CloseChain())),
    max_size=2,
).map(tuple)


ROUNDS = st.sampled_from((0, 0, 1))


def enabled(net: Network, world: World) -> st.SearchStrategy[Action]:
    """Draw actions, most of which are possible."""
    keys = sorted(net.signers)
    chains = [chain_of(v, c) for v in world.validators.values() for c in (ALICE, BOB)]
    items: list[Any] = [*sorted(world.requests, key=repr), *world.certificates.values(), *world.validated.values()]
    items += sorted((i for box in world.internal.values() for i in box), key=repr)
    blocks = [r.block for r in world.requests]
    results = [chain.localized.pending for chain in chains if chain.localized.pending]
    everybody = st.sampled_from(keys)
    payloads = [v.payload for v in world.votes] + [PAYLOAD]
    choices: list[st.SearchStrategy[Any]] = [
        st.builds(
            lambda chain, name, txs, round, lock: Propose(request(net, name, next_block(chain, txs), round, lock)),
            st.sampled_from(chains),
            st.sampled_from(("alice", "bob")),
            TRANSACTIONS,
            ROUNDS,
            st.sampled_from((None, *world.validated.values())),
        ),
        st.builds(Restart, everybody),
        st.builds(CastVote, everybody, st.sampled_from(sorted(payloads, key=repr))),
    ]
    if items:
        choices += [st.builds(Deliver, everybody, st.sampled_from(items))] * 3
    if results and blocks:
        voters = st.lists(everybody, unique=True).map(tuple)
        some = st.sampled_from(sorted(results, key=repr))
        choices += [st.builds(Certify, some, voters, st.sampled_from(Kind), ROUNDS)] * 2
    return st.one_of(choices)


@pytest.mark.clauses("WP-2.2-ADVERSARY", "WP-2.2-CERTIFICATE")
@examples(300)
@given(st.sampled_from((NET, SHARED)), st.data())
def test_what_was_sent_only_grows_and_nobody_signs_for_another(net: Network, data: st.DataObject) -> None:
    world = initial_world(net)
    voted: set[Vote] = set()
    for _ in range(12):
        action = data.draw(enabled(net, world))
        outcome = step(net, world, action)
        if not isinstance(outcome, Accepted):
            continue
        after = outcome.state
        assert set(world.requests) <= set(after.requests)
        assert set(world.votes) <= set(after.votes)
        assert set(world.certificates.items()) <= set(after.certificates.items())
        assert set(world.validated.items()) <= set(after.validated.items())
        assert not isinstance(action, Restart) or after == world
        assert all(set(box) <= set(after.internal[key]) for key, box in world.internal.items())
        assert set(after.validators) == {V0, V1, V2}
        # A correct validator votes when it answers, and then only.
        new = {v for v in after.votes if v.validator != EVIL} - voted
        assert new <= {o for o in outcome.outputs if isinstance(o, Vote)}
        assert not new or isinstance(action, Deliver)
        voted |= new
        world = after
    for certificate in (*world.certificates.values(), *world.validated.values()):
        payload = certified_payload(IDEAL, certificate)
        for who, signature in certificate.signatures:
            assert world.votes.contains(Vote(payload, who, signature))
    assert all(isinstance(i, UpdateRecipient | ConfirmUpdatedRecipient) for box in world.internal.values() for i in box)

"""Several owners: R1 to R4, S6, S7 and L8, and what S4, S5, S8 to S10, S14 and S27 say of them."""

from functools import cache

import pytest
from attrs import evolve
from immutables import Map
from support import certify, executed, network, request, root, validators, vote
from worlds import goal_fires, holds_on, spoil, step_fires

from linera_invariants.driver import Step
from linera_invariants.mutation import applied, edit
from linera_invariants.predicates import accountability, liveness
from linera_invariants.predicates.accountability import charged_at
from linera_invariants.registry import check_goals, check_state, check_step
from linera_invariants.views import owner_before, rivals
from linera_reference.application import burn
from linera_reference.block import Execute, Receive
from linera_reference.certificate import Kind
from linera_reference.containers import Set
from linera_reference.messages import Message, User
from linera_reference.network import CastVote, Certify, Deliver, Propose, Restart, initial_world, step
from linera_reference.notation import MAX_U32
from linera_reference.ownership import Owners
from linera_reference.rejections import Accepted, Reason, Rejected
from linera_reference.rounds import Rounds
from linera_reference.validator import chain_of, payload_of

HERE = (0,)
JOINT = network(owners=(("alice", "bob"), "carol"), byzantine=(3,))
FIRST, SECOND, SLOW, LIAR = (s.public_key for s in validators(JOINT))
CORRECT = (FIRST, SECOND, SLOW)
EMPTY = root(JOINT)
ONE, TWO = (executed(JOINT, EMPTY, Execute(burn(amount))) for amount in (1, 2))


def validated(what, round, voters=(1, 2, 3)):
    return certify(JOINT, what, voters, Kind.VALIDATED, round)


def confirmed(what, round, voters=(1, 2, 3)):
    return certify(JOINT, what, voters, Kind.CONFIRMED, round)


def publish(what, round, kind, *voters):
    """Let the liar vote and somebody form a certificate."""
    payload = payload_of(JOINT.context, what, kind, round)
    return CastVote(LIAR, payload), Certify(what, (*voters, LIAR), kind, round)


def contest():
    """Walk the actions of two owners that contend.

    Alice's block is validated in round 0, and only the first validator is locked on it. Bob's block is validated by the
    others in round 1; the first one refuses it until Alice proposes it again in round 2, with the justification. The
    others confirm it in round 1. The slow validator restarts before it learns so. Then Bob owns the chain alone.
    """
    alice, bob = request(JOINT, "alice", ONE.block), request(JOINT, "bob", TWO.block, 1)
    yield Propose(alice)
    yield from (Deliver(validator, alice) for validator in CORRECT)
    yield from publish(ONE, 0, Kind.VALIDATED, *CORRECT)
    yield Deliver(FIRST, validated(ONE, 0, (0, 1, 2, 3)))
    yield Propose(bob)
    yield from (Deliver(validator, bob) for validator in CORRECT)
    yield from publish(TWO, 1, Kind.VALIDATED, SECOND, SLOW)
    again = request(JOINT, "alice", TWO.block, 2, validated(TWO, 1))
    yield Propose(again)
    yield Deliver(FIRST, again)
    yield from (Deliver(validator, validated(TWO, 1)) for validator in CORRECT)
    yield from publish(TWO, 1, Kind.CONFIRMED, SECOND, SLOW)
    yield Restart(SLOW)
    yield from (Deliver(validator, confirmed(TWO, 1)) for validator in CORRECT)


@cache
def story():
    """Play the contest: every step with the worlds around it."""
    steps, world = [], initial_world(JOINT)
    for action in contest():
        outcome = step(JOINT, world, action)
        after = outcome.state if isinstance(outcome, Accepted) else world
        steps.append((world, Step(action, outcome), after))
        world = after
    return tuple(steps)


END = story()[-1][2]
"""The block is committed everywhere."""
OPEN = next(before for before, taken, _ in story() if isinstance(taken.action, Restart))
"""The block is confirmed, and nobody knows: the first validator is locked on another one."""


def delivery(item, validator=FIRST):
    """Return the step that delivers something."""
    return next(moment for moment in story() if moment[1].action == Deliver(validator, item))


RELEASE = delivery(request(JOINT, "alice", TWO.block, 2, validated(TWO, 1)))
"""The step in which a justification frees the first validator from its lock."""


def violated(name, world):
    """Assert that a predicate of states is violated, and return what is said."""
    found = check_state(JOINT, world, {name})
    assert {violation.statement for violation in found} == {name.partition(".")[0]}
    return " ".join(violation.detail for violation in found)


def with_validated(world, *certificates):
    formed = {payload_of(JOINT.context, c.executed, c.kind, c.round): c for c in certificates}
    return evolve(world, validated=world.validated.update(formed))


def with_confirmed(world, *certificates):
    formed = {JOINT.context.scheme.hash(c.executed): c for c in certificates}
    return evolve(world, certificates=world.certificates.update(formed))


def with_vote(world, place, what, kind, round):
    return evolve(world, votes=world.votes.insert(vote(JOINT, place, what, kind, round)))


# --- the run -----------------------------------------------------------------------------------------------------

NAMES = ("S1", "S4", "S5", "S6", "S7", "S8", "S9", "S10", "S14", "S27", "R1", "R2", "R3", "R4")


@pytest.mark.clauses("WP-2.9-PROPOSAL", "WP-2.9-JUSTIFICATION", "WP-2.9-LOCK", "WP-2.9-FINAL-VOTE", "WP-2.9-RESET")
@pytest.mark.parametrize("name", NAMES)
def test_statements_hold_though_owners_contend(name):
    holds_on(JOINT, story(), name)


def test_the_run_has_something_to_say():
    refusals = [taken.outcome.reason for _, taken, _ in story() if isinstance(taken.outcome, Rejected)]
    assert refusals == [Reason.HAS_LOCKED_BLOCK, Reason.INSUFFICIENT_ROUND]
    locks = [chain_of(OPEN.validators[validator], HERE).localized.rounds.locked for validator in CORRECT]
    assert [lock.executed for lock in locks] == [ONE, TWO, TWO]
    assert {c.executed.block for c in END.certificates.values()} == {TWO.block}
    assert len(END.validated) == 2
    assert check_goals(JOINT, OPEN) == check_goals(JOINT, END) == []


# --- certificates ------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.9-PROPOSAL", "WP-2.9-VALIDATED")
def test_r1_fires_on_two_validated_blocks_in_one_round():
    assert "in round 1" in violated("R1", with_validated(END, validated(ONE, 1)))
    assert check_state(JOINT, with_validated(END, validated(ONE, 2)), {"R1"}) == []


@pytest.mark.clauses("WP-2.9-LOCK", "WP-2.9-FINAL-VOTE")
@pytest.mark.parametrize("round", [1, 2])
def test_s6_fires_on_a_block_validated_after_another_was_confirmed(round):
    assert "round 1" in violated("S6", with_validated(END, validated(ONE, round)))
    fork = with_confirmed(END, confirmed(ONE, round))
    assert ("S6" in {v.statement for v in check_state(JOINT, fork, {"S6"})}) == (round == 1)


@pytest.mark.clauses("WP-2.9-LOCK", "WP-2.2-QUORUM-INTERSECTION")
def test_s4_fires_on_confirmations_of_different_rounds():
    violated("S4", with_confirmed(END, confirmed(ONE, 7)))
    assert check_state(JOINT, with_validated(END, validated(ONE, 7)), {"S4"}) == []


@pytest.mark.clauses("WP-2.9-OWNERS", "WP-3.3-CLAIM-4")
def test_s8_fires_unless_one_of_the_owners_signed():
    strangers = Set().insert(request(JOINT, "carol", TWO.block))
    assert len(check_state(JOINT, evolve(END, requests=strangers), {"S8"})) == 3
    signed = strangers.insert(request(JOINT, "bob", TWO.block, 5)).insert(request(JOINT, "alice", ONE.block))
    assert check_state(JOINT, evolve(END, requests=signed), {"S8"}) == []
    assert isinstance(owner_before(JOINT, END, TWO.block), Owners)


@pytest.mark.clauses("WP-2.9-PROPOSAL", "WP-2.4-EXECUTED-BLOCK")
def test_s9_fires_on_a_false_outcome_that_is_validated():
    false = evolve(TWO, state_hash=bytes(32))
    assert "re-execution" in violated("S9", with_validated(END, validated(false, 3)))
    assert list(rivals(END.validated, validated(false, 3)))


# --- votes -------------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.9-PROPOSAL", "WP-2.9-FINAL-VOTE", "WP-2.8-VOTE")
def test_s5_fires_on_two_votes_of_a_kind_in_a_round():
    rival = request(JOINT, "alice", ONE.block, 1)
    both = with_vote(evolve(END, requests=END.requests.insert(rival)), 1, ONE, Kind.VALIDATED, 1)
    assert "twice" in violated("S5", both)
    final = with_vote(with_validated(END, validated(ONE, 1)), 1, ONE, Kind.CONFIRMED, 1)
    assert "twice" in violated("S5", final)


@pytest.mark.clauses("WP-2.9-PROPOSAL", "WP-2.9-FINAL-VOTE", "WP-2.8-VOTE")
@pytest.mark.parametrize(
    ("what", "kind", "round"),
    [(TWO, Kind.VALIDATED, 7), (TWO, Kind.CONFIRMED, 2), (ONE, Kind.CONFIRMED, 1), (ONE, Kind.VALIDATED, 1)],
    ids=["a round without a proposal", "not validated", "validated in another round", "proposed in another round"],
)
def test_s5_fires_on_a_vote_that_nothing_asks_for(what, kind, round):
    assert "nobody proposed" in violated("S5", with_vote(END, 0, what, kind, round))


@pytest.mark.clauses("WP-2.8-VOTE", "WP-2.1-OWNER-PROPOSES")
def test_s5_fires_on_what_a_stranger_proposes_and_on_rounds_of_a_single_owner():
    stranger = request(JOINT, "carol", ONE.block, 3)
    asked = evolve(END, requests=END.requests.insert(stranger))
    assert "nobody proposed" in violated("S5", with_vote(asked, 0, ONE, Kind.VALIDATED, 3))
    alone = root(JOINT, 1)
    block = executed(JOINT, alone, Execute(burn(1)))
    asked = evolve(END, requests=END.requests.insert(request(JOINT, "carol", block.block, 1)))
    for kind, round in ((Kind.VALIDATED, 1), (Kind.CONFIRMED, 1), (Kind.VALIDATED, 0)):
        assert "nobody proposed" in violated("S5", with_vote(asked, 0, block, kind, round))


# --- one validator -----------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.9-ROUND", "WP-2.9-LOCK", "WP-2.9-PROPOSAL")
@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"rounds": Rounds(0, validated(ONE, 0))}, "the last proposal gives way"),
        ({"pending": None, "rounds": Rounds(0, validated(ONE, 0))}, "the last proposal gives way"),
        ({"rounds": Rounds(2, None)}, "the lock gives way"),
        ({"rounds": Rounds(2, validated(TWO, 0))}, "the lock gives way"),
    ],
)
def test_s7_fires_when_something_falls(fields, detail):
    before, taken, after = RELEASE
    found = step_fires("S7", before, taken, spoil(after, FIRST, HERE, **fields), JOINT)
    assert detail in found[0].detail


@pytest.mark.clauses("WP-2.9-ROUND", "WP-2.9-VALIDATED")
def test_s7_fires_on_a_vote_of_an_older_round():
    before, taken, after = RELEASE
    late = evolve(taken, outcome=evolve(taken.outcome, outputs=(vote(JOINT, 0, ONE, Kind.CONFIRMED, 0),)))
    assert check_step(JOINT, before, late, after, {"S7"}) == []
    ahead = spoil(before, FIRST, HERE, rounds=Rounds(1, validated(ONE, 0)))
    assert "later round" in step_fires("S7", ahead, late, after, JOINT)[0].detail


@pytest.mark.clauses("WP-2.8-PENDING", "WP-2.9-RESET", "WP-2.9-ROUND")
def test_s10_fires_on_rounds_that_do_not_belong_to_the_height():
    for rounds_ in (Rounds(0, validated(TWO, 1)), Rounds(3)):
        violated("S10", spoil(END, FIRST, HERE, rounds=rounds_))
    pending = executed(JOINT, root(JOINT, 1), Execute(burn(1)))
    assert "without several owners" in violated("S10", spoil(END, FIRST, (1,), pending=pending, rounds=Rounds(1)))


@pytest.mark.clauses("WP-2.9-JUSTIFICATION", "WP-2.9-PROPOSAL", "WP-2.9-LOCK")
@pytest.mark.parametrize(
    ("block", "round", "justification", "detail"),
    [
        (TWO.block, 2, None, "forbids"),
        (TWO.block, 1, validated(TWO, 1), "forbids"),
        (TWO.block, 2, validated(TWO, 0), "forbids"),
        (ONE.block, 2, validated(TWO, 1), "forbids"),
        (TWO.block, 2, validated(TWO, 1, (3,)), "does not count"),
        (TWO.block, 2, confirmed(TWO, 1), "does not count"),
    ],
    ids=["none", "of the same round", "no later than the lock", "for another block", "hollow", "not of its kind"],
)
def test_r2_fires_on_a_vote_that_is_not_bound(block, round, justification, detail):
    before, taken, after = RELEASE
    other = request(JOINT, "bob", block, round, justification)
    before = spoil(before, FIRST, HERE, pending=None, rounds=Rounds(0, validated(ONE, 0)))
    found = step_fires("R2", before, evolve(taken, action=Deliver(FIRST, other)), after, JOINT)
    assert any(detail in violation.detail for violation in found)


@pytest.mark.clauses("WP-2.9-LOCK", "WP-2.9-VALIDATED")
def test_r2_fires_on_a_lock_that_was_never_validated():
    violated("R2.lock", spoil(OPEN, FIRST, HERE, rounds=Rounds(2, validated(ONE, 2))))


@pytest.mark.clauses("WP-2.7-BLOCK-IS-VALID", "WP-2.9-PROPOSAL")
def test_s14_fires_on_a_message_that_was_not_received_in_a_later_round():
    before, taken, after = RELEASE
    message = Message((1,), 0, 0, bytes(32), User(b""))
    block = evolve(TWO.block, transactions=(Receive(message),))
    other = evolve(taken, action=Deliver(FIRST, request(JOINT, "bob", block, 2)))
    step_fires("S14", before, other, after, JOINT)


@pytest.mark.clauses("WP-2.9-DURABLE")
def test_r3_fires_when_something_would_be_computed_otherwise():
    violated("R3", spoil(OPEN, FIRST, HERE, counters=Map({0: 1})))
    violated("R3", spoil(OPEN, FIRST, HERE, owing=Set().insert((1,))))


@pytest.mark.clauses("WP-2.9-DURABLE")
@pytest.mark.parametrize("lost", ["pending=local.pending", "rounds=local.rounds", "certificates=local.certificates"])
def test_r3_fires_when_a_restart_forgets(lost):
    with applied(edit("chain:restart_chain", f"{lost},\n", "\n")):
        violated("R3", OPEN if "certificates" not in lost else END)


# --- the way out -------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.9-CHOOSE-ROUND", "WP-2.9-REPROPOSE", "WP-2.9-JUSTIFICATION")
@pytest.mark.parametrize(
    ("place", "old", "new"),
    [
        ("rounds:binding_lock", "justification is not None and justification.round > rounds.locked.round", "False"),
        ("rounds:accepted_before", "request.round > rounds.last", "request.round > MAX_U32"),
        ("rounds:lock_after", "locked is None or locked.round < certificate.round", "locked is None"),
    ],
    ids=["no justification releases", "no second proposal", "no second lock"],
)
def test_r4_fires_where_nothing_can_be_decided_any_more(place, old, new, monkeypatch):
    monkeypatch.setattr("linera_reference.rounds.MAX_U32", MAX_U32, raising=False)
    with applied(edit(place, old, new)):
        assert "cannot decide" in violated("R4", OPEN)


@pytest.mark.clauses("WP-2.9-CHOOSE-ROUND", "WP-2.9-REPROPOSE")
def test_r4_fires_on_two_locks_of_one_round():
    assert "cannot decide" in violated("R4", spoil(OPEN, FIRST, HERE, rounds=Rounds(2, validated(ONE, 1))))


@pytest.mark.clauses("WP-2.9-ROUND")
def test_r4_says_nothing_of_the_last_round_and_of_other_heights():
    split = spoil(OPEN, FIRST, HERE, rounds=Rounds(2, validated(ONE, 1)))
    assert check_state(JOINT, spoil(split, FIRST, HERE, next_height=9), {"R4"}) == []
    for place, what in ((FIRST, ONE), (SECOND, TWO), (SLOW, TWO)):
        split = spoil(split, place, HERE, pending=what, rounds=Rounds(MAX_U32, validated(what, 1)))
    assert check_state(JOINT, split, {"R4"}) == []


@pytest.mark.clauses("WP-2.9-LEARN-LOCK", "WP-2.9-REPROPOSE", "WP-2.9-FINISH", "WP-2.9-LATENCY", "WP-2.9-DELEGATE")
def test_l8_holds_wherever_owners_stop():
    for before, _, _ in story():
        assert liveness.subjects(before)["L8"] == 1
        assert check_goals(JOINT, before, {"L8"}) == []


@pytest.mark.clauses("WP-2.9-LEARN-LOCK")
def test_l8_fires_where_a_lock_cannot_be_learned():
    hidden = spoil(OPEN, FIRST, HERE, rounds=Rounds(2, validated(ONE, 1, (0,))))
    goal_fires("L8", hidden, JOINT)


@pytest.mark.clauses("WP-2.9-REPROPOSE")
def test_l8_fires_when_the_owner_forgets_the_lock(monkeypatch):
    monkeypatch.setattr("linera_invariants.driver.learn_locks", lambda _, node, __: node)
    goal_fires("L8", OPEN, JOINT)


def test_l8_says_nothing_when_the_last_round_is_spent():
    assert check_goals(JOINT, spoil(OPEN, FIRST, HERE, rounds=Rounds(MAX_U32, validated(ONE, 0))), {"L8"}) == []


# --- accountability ----------------------------------------------------------------------------------------------


def forked():
    """Fork the chain across two rounds, with too many liars: one correct validator confirms each block."""
    beyond = network(owners=(("alice", "bob"),), byzantine=(2, 3))
    one, two, *liars = (s.public_key for s in validators(beyond))
    world = initial_world(beyond)
    for correct, what, round in ((one, ONE, 0), (two, TWO, 1)):
        asked = request(beyond, "alice", what.block, round)
        actions = [Propose(asked), Deliver(correct, asked)]
        for kind in (Kind.VALIDATED, Kind.CONFIRMED):
            payload = payload_of(beyond.context, what, kind, round)
            actions += [CastVote(liar, payload) for liar in liars]
            actions.append(Certify(what, (correct, *liars), kind, round))
            if kind is Kind.VALIDATED:
                places = [0, 2, 3] if correct == one else [1, 2, 3]
                actions.append(Deliver(correct, certify(beyond, what, places, kind, round)))
        for action in actions:
            outcome = step(beyond, world, action)
            assert isinstance(outcome, Accepted), (action, outcome)
            world = outcome.state
    return beyond, world


@pytest.mark.clauses("WP-2.9-ACCOUNTABILITY", "WP-2.2-ACCOUNTABILITY")
def test_s27_convicts_across_rounds():
    beyond, world = forked()
    assert {v.statement for v in check_state(beyond, world, {"S4", "S27", "R1", "S5"})} == {"S4"}
    fork = next(iter(world.certificates.values()))
    assert charged_at(beyond, world, fork) == beyond.byzantine


@pytest.mark.clauses("WP-2.9-ACCOUNTABILITY")
def test_s27_fires_when_answers_are_withheld():
    beyond, world = forked()
    found = check_state(beyond, evolve(world, validated=Map()), {"S27"})
    assert found
    assert all("which is correct" in violation.detail for violation in found)


@pytest.mark.clauses("WP-2.9-ACCOUNTABILITY")
def test_s27_fires_when_nobody_is_charged(monkeypatch):
    beyond, world = forked()
    monkeypatch.setattr(accountability, "charges", lambda _: ())
    assert all("too few" in violation.detail for violation in check_state(beyond, world, {"S27"}))
    assert check_state(beyond, world, {"S27"})


@pytest.mark.clauses("WP-2.9-ACCOUNTABILITY")
def test_s27_fires_on_two_validations_of_one_round():
    twice = with_validated(END, validated(ONE, 1))
    assert "which is correct" in violated("S27", twice)
    assert "too few" in violated("S27", with_validated(END, validated(ONE, 1, (3,))))

"""L1 to L6, L9, L10: goals that are reached from the worlds of the run, and goals out of reach."""

import pytest
from attrs import evolve
from immutables import Map
from support import request, run, signer, update
from worlds import (
    ALICE,
    BOB,
    CAROL,
    CORRECT,
    FIRST,
    NETWORK,
    SECOND,
    SLOW,
    cell,
    done,
    forged,
    goal_fires,
    inbox_of,
    log,
    owes,
    pay,
    put_inbox,
    spoil,
    story,
)

from linera_invariants import driver as driving
from linera_invariants.driver import Driver
from linera_invariants.predicates import liveness
from linera_invariants.registry import check_goals
from linera_invariants.views import next_to_receive
from linera_reference.application import Balance
from linera_reference.block import ChangeKey, CloseChain
from linera_reference.client import Goal, next_block
from linera_reference.containers import Set
from linera_reference.network import Deliver, Propose, initial_world
from linera_reference.outbox import ConfirmUpdatedRecipient
from linera_reference.rejections import Rejected
from linera_reference.rules import REVISION_H

WORLDS = story().worlds[::6]


def reached(name):
    """Assert that a goal is reached from many worlds of the run."""
    for world in WORLDS:
        assert check_goals(NETWORK, world, {name}) == []


def lagging(world):
    """Whether the slow validator lacks a chain that the first one has blocks of."""
    return not cell(world, SLOW, CAROL).consistent.created and cell(world, FIRST, CAROL).consistent.next_height > 0


# --- chains ------------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-3.3-CLAIM-2", "WP-2.8-UPLOAD", "WP-2.8-SYNC-ANCESTORS")
@pytest.mark.parametrize("name", ["L1", "L4"])
def test_l1_and_l4_hold_with_a_validator_that_lacks_chains(name):
    reached(name)
    assert any(lagging(world) for world in WORLDS)
    world = story().first(lagging)
    driver, client = liveness.at_work(NETWORK, world, SLOW)
    blocks, uncreated = liveness.work(driver, client, SLOW, Goal(CAROL, 1))
    assert (blocks, uncreated) == (2, 1)


@pytest.mark.clauses("WP-2.4-ARCHIVE", "WP-2.8-UPLOAD")
def test_l1_and_l4_hold_when_all_who_have_a_chain_archived_it():
    world = initial_world(NETWORK)
    behind = evolve(story().end, validators=story().end.validators.set(SLOW, world.validators[SLOW]))
    assert check_goals(NETWORK, behind, {"L1", "L4"}) == []


@pytest.mark.clauses("WP-3.3-CLAIM-2")
def test_l1_and_l4_fire_when_a_block_is_nowhere_to_be_had():
    world = story().first(lagging)
    for validator in (FIRST, SECOND):
        world = spoil(world, validator, CAROL, certificates=log())
    goal_fires("L1", world)
    goal_fires("L4", world)


@pytest.mark.clauses("WP-2.8-SYNC-ANCESTORS", "WP-2.5-CREATE")
def test_l1_and_l4_fire_when_a_creation_is_lost():
    world = story().first(lagging)
    for validator in (FIRST, SECOND):
        rest = cell(world, validator, ALICE).localized.certificates.since(1)
        world = spoil(world, validator, ALICE, certificates=log(forged(ALICE), *rest))

    goal_fires("L1", world)
    found = goal_fires("L4", world)
    assert any("cannot be brought" in violation.detail for violation in found)


@pytest.mark.clauses("WP-2.8-SYNC-ANCESTORS")
def test_l4_fires_when_an_upload_has_no_effect():
    world = spoil(story().first(lagging), SLOW, ALICE, state=Balance(0))
    found = goal_fires("L4", world)
    assert any("no effect" in violation.detail for violation in found)


@pytest.mark.clauses("WP-2.8-UPLOAD")
def test_l1_fires_when_uploads_exceed_the_bound(monkeypatch):
    monkeypatch.setattr(liveness, "measure", lambda *_: (0, 0))
    found = goal_fires("L1", story().first(lagging))
    assert any("uploads for" in violation.detail for violation in found)


# --- messages ----------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-3.3-CLAIM-3", "WP-2.8-SYNC-MESSAGES")
def test_l2_holds_with_a_validator_that_received_nothing():
    reached("L2")
    assert any(
        len(cell(world, FIRST, BOB).localized.received) > 1 and len(cell(world, SLOW, BOB).localized.received) == 0
        for world in WORLDS
    )


@pytest.mark.clauses("WP-3.3-CLAIM-3")
def test_l2_fires_when_a_validator_lost_a_message():
    blank = initial_world(NETWORK).validators[SLOW].chains[BOB]
    world = story().first(lambda world: len(cell(world, SLOW, BOB).localized.received) == 2)
    lost = spoil(world, SLOW, BOB, mailboxes=blank.localized.mailboxes, received=log())
    goal_fires("L2", spoil(lost, SLOW, ALICE, outboxes=Map(), counters=Map()))


def test_l2_says_nothing_of_closed_recipients():
    recipients = {recipient for recipient, _, _ in liveness._received(story().end)}
    assert recipients == {ALICE, BOB}
    assert len(cell(story().end, SLOW, CAROL).localized.received) > 0


@pytest.mark.clauses("WP-A.2-UPDATE-RECIPIENT", "WP-A.2-REPEAT-ACK", "WP-2.5-EXACTLY-ONCE")
def test_l5_holds_on_waiting_outboxes():
    reached("L5")
    assert any(len(cell(world, FIRST, ALICE).localized.outboxes) == 2 for world in story().worlds)


@pytest.mark.clauses("WP-A.2-REPEAT-ACK")
def test_l5_holds_where_only_the_acknowledgement_was_lost():
    def acknowledged(_, step, __):
        return isinstance(step.action, Deliver) and isinstance(step.action.item, ConfirmUpdatedRecipient)

    before, step, _ = next(story().when(acknowledged))
    assert cell(before, step.action.validator, ALICE).localized.outboxes
    assert check_goals(NETWORK, evolve(before, internal=Map()), {"L5"}) == []


@pytest.mark.clauses("WP-A.2-UPDATE-RECIPIENT", "WP-2.5-EXACTLY-ONCE")
def test_l5_cannot_be_judged_when_a_queued_block_is_missing():
    world = story().first(lambda world: BOB in cell(world, FIRST, ALICE).localized.outboxes)
    with pytest.raises(IndexError):
        goal_fires("L5", spoil(world, FIRST, ALICE, certificates=log()))


@pytest.mark.clauses("WP-A.2-REPEAT-ACK")
def test_l5_fires_without_acknowledging_repeated_batches(monkeypatch):
    def forgetful(network, world, action):
        repeated = isinstance(action, Deliver) and isinstance(action.item, ConfirmUpdatedRecipient)
        return Rejected(driving.Rejected) if repeated else step(network, world, action)

    step = driving.step
    world = story().first(lambda world: BOB in cell(world, FIRST, ALICE).localized.outboxes)
    monkeypatch.setattr(driving, "step", forgetful)
    goal_fires("L5", world)


@pytest.mark.clauses("WP-A.2-REPEAT-ACK", "WP-2.4-CLOSED-FOREVER")
def test_l5_says_nothing_of_a_closed_recipient_with_more_to_come():
    """What it received stays queued with what it can never receive, since a batch is acknowledged as a whole."""
    driver = Driver(NETWORK, initial_world(NETWORK), complicit=True, settling=False)
    alice, bob = driver.client("alice", signer("alice"), ALICE), driver.client("bob", signer("bob"), BOB)
    done(driver.extend(alice, ALICE, (pay(BOB, 1),)))
    driver.deliver(FIRST, update(cell(driver.world, FIRST, ALICE), BOB))  # the answer is lost
    done(driver.extend(bob, BOB, (CloseChain(),)))
    done(driver.extend(alice, ALICE, (pay(BOB, 2),)))
    assert next_to_receive(cell(driver.world, FIRST, BOB), ALICE) == 1
    assert check_goals(NETWORK, driver.world, {"L5"}) == []
    driver.settling = True
    driver.resend(FIRST, ALICE)
    assert tuple(cell(driver.world, FIRST, ALICE).localized.outboxes[BOB].queue) == (0, 1)


@pytest.mark.clauses("WP-2.6-ANTICIPATION", "WP-2.8-SYNC-MESSAGES")
def test_l6_holds_while_messages_are_owed():
    owing = [world for world in story().worlds if owes(world)]
    assert len(owing) > 2
    for world in owing:
        assert check_goals(NETWORK, world, {"L6"}) == []


@pytest.mark.clauses("WP-2.6-ANTICIPATION")
def test_l6_fires_on_a_message_that_was_never_sent():
    world = story().first(owes)
    owed = inbox_of(cell(world, SLOW, BOB), ALICE).removed
    never = evolve(owed.front, height=9)
    goal_fires("L6", put_inbox(world, SLOW, BOB, ALICE, removed=owed.push(never)))


@pytest.mark.clauses("WP-2.6-ANTICIPATION")
def test_l6_fires_when_uploads_exceed_the_bound(monkeypatch):
    monkeypatch.setattr(liveness, "measure", lambda *_: (0, -1))
    found = goal_fires("L6", story().first(owes))
    assert any("uploads" in violation.detail for violation in found)


# --- proposals ---------------------------------------------------------------------------------------------------

OPEN = tuple(world for world in story().worlds if liveness._open_requests(world))


@pytest.mark.clauses("WP-3.3-CLAIM-7", "WP-2.8-EXTEND", "WP-2.8-SYNC-MESSAGES")
def test_l3_holds_on_open_proposals():
    assert len({r for world in OPEN for r in liveness._open_requests(world)}) >= 5
    for world in OPEN:
        assert check_goals(NETWORK, world, {"L3"}) == []


def test_l3_brings_a_lagging_validator_to_vote_when_its_vote_is_needed():
    world = next(world for world in OPEN if lagging(world))
    driver, _ = liveness.at_work(NETWORK, world)
    assert len(liveness._first_quorum(NETWORK, driver.online())) == len(CORRECT)


@pytest.mark.clauses("WP-3.3-CLAIM-7", "WP-2.8-SYNC-ANCESTORS", "WP-2.7-CHANGE-KEY")
def test_l3_holds_where_a_lagging_validator_knows_another_owner():
    driver = Driver(NETWORK, initial_world(NETWORK), complicit=True, offline={SLOW})
    alice, dave = driver.client("alice", signer("alice"), ALICE), driver.client("dave", signer("dave"), ALICE)
    done(driver.extend(alice, ALICE, (ChangeKey(dave.signer.public_key),)))
    driver.synchronize(dave, ALICE)
    proposal = driver.propose(dave, ALICE, (pay(BOB, 1),))
    driver.deliver(FIRST, proposal.outputs[0])
    assert check_goals(NETWORK, driver.world, {"L3"}) == []


@pytest.mark.clauses("WP-3.3-CLAIM-7", "WP-2.8-BLOCKED-CHAIN")
def test_l3_fires_when_a_correct_validator_cannot_accept_the_block():
    world = OPEN[0]
    other = forged(BOB).executed
    pending = cell(world, FIRST, ALICE).localized.pending
    assert pending is not None
    blocked = evolve(other, block=evolve(pending.block, transactions=()))
    goal_fires("L3", spoil(world, SECOND, ALICE, pending=blocked))
    goal_fires("L3", spoil(world, SLOW, ALICE, created=False, owner=None))
    goal_fires("L9", spoil(world, SECOND, ALICE, pending=blocked))


@pytest.mark.clauses("WP-3.3-CLAIM-7", "WP-2.8-LOCAL-NODE")
def test_l3_fires_when_the_local_node_refuses_the_block():
    world = OPEN[0]
    unsigned = next(iter(liveness._open_requests(world)))
    spoiled = evolve(world, requests=Set().insert(evolve(unsigned, signature=bytes(64))))
    goal_fires("L3", spoiled)


def test_l3_says_nothing_when_the_owner_signed_two_blocks():
    world = OPEN[0]
    rival = request(NETWORK, "alice", next_block(initial_world(NETWORK).validators[FIRST].chains[ALICE], ()))
    assert liveness._open_requests(run(NETWORK, world, Propose(rival))) == {}
    later = evolve(rival, round=1)
    assert len(liveness._open_requests(evolve(world, requests=world.requests.insert(later)))) == 1


@pytest.mark.clauses("WP-3.3-CLAIM-6", "WP-2.8-STOP-AT-QUORUM")
def test_l9_holds_on_open_proposals():
    for world in OPEN:
        assert check_goals(NETWORK, world, {"L9"}) == []


@pytest.mark.clauses("WP-3.3-CLAIM-6", "WP-2.8-STOP-AT-QUORUM")
def test_l9_fires_when_the_client_asks_more_than_a_quorum(monkeypatch):
    quorum = liveness._first_quorum
    monkeypatch.setattr(liveness, "_first_quorum", lambda network, keys: quorum(network, keys)[:-1])
    goal_fires("L9", OPEN[0])


@pytest.mark.clauses("WP-2.8-EXTEND", "WP-2.8-SYNC-ANCESTORS")
def test_l10_holds_on_every_request_of_the_run():
    reached("L10")
    assert len(story().end.requests) > 8


@pytest.mark.clauses("WP-2.8-EXTEND")
def test_l10_holds_when_the_bound_ends_it():
    world = story().first(lagging)
    stuck = spoil(world, SLOW, ALICE, certificates=log(), outboxes=Map(), counters=Map(), next_height=3)
    assert check_goals(NETWORK, stuck, {"L10"}) == []


@pytest.mark.clauses("WP-2.8-EXTEND")
def test_l10_fires_when_the_client_does_not_stop(monkeypatch):
    def stubborn(self, client, key, request):
        for _ in range(4):
            outcome = self.deliver(key, request)
        return outcome

    monkeypatch.setattr(Driver, "submit", stubborn)
    goal_fires("L10", OPEN[0])


@pytest.mark.clauses("WP-2.8-EXTEND")
def test_l10_fires_when_the_client_gives_up_early(monkeypatch):
    monkeypatch.setattr(driving, "ATTEMPTS", 1)
    goal_fires("L10", next(world for world in OPEN if lagging(world)))


@pytest.mark.clauses("WP-3.3-CLAIM-7", "WP-2.7-BLOCK-IS-VALID")
def test_the_goals_hold_with_the_other_rules():
    other = evolve(NETWORK, context=evolve(NETWORK.context, rules=REVISION_H))
    driver = Driver(other, initial_world(other))
    alice = driver.client("alice", signer("alice"), ALICE)
    driver.offline = {SLOW}
    driver.complicit = True
    done(driver.extend(alice, ALICE, (pay(BOB, 1),)))
    assert check_goals(other, driver.world) == []

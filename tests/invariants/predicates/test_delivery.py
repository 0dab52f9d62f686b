"""S15 to S17: outboxes and delivery."""

import pytest
from attrs import evolve
from immutables import Map
from worlds import (
    ALICE,
    BOB,
    CAROL,
    CORRECT,
    FIRST,
    SLOW,
    cell,
    fires,
    holds,
    put_inbox,
    queue,
    spoil,
    step_fires,
    story,
)

from linera_reference.messages import Cursor
from linera_reference.network import Deliver
from linera_reference.outbox import ConfirmUpdatedRecipient, Outbox
from linera_reference.validator import is_delivered


def outboxes(world, validator=FIRST, chain_id=ALICE):
    """Return the outboxes of a chain."""
    return cell(world, validator, chain_id).localized.outboxes


@pytest.mark.clauses("WP-A.2-SCHEDULE", "WP-A.2-COUNTERS", "WP-A.2-CONFIRM")
def test_s15_holds_on_queues_of_several_recipients():
    holds("S15")
    assert any(len(outboxes(world)) == 2 for world in story().worlds)
    assert tuple(outboxes(story().end)[CAROL].queue) == (2,)


@pytest.mark.clauses("WP-A.2-SCHEDULE", "WP-A.2-COUNTERS")
@pytest.mark.parametrize(
    ("outbox", "counters"),
    [
        (Outbox(3, queue(2)), {}),
        (Outbox(3, queue(2)), {2: 2}),
        (Outbox(3, queue(2)), {2: 1, 0: 0}),
        (Outbox(2, queue(2)), {2: 1}),
        (Outbox(3, queue(2, 0)), {2: 1, 0: 1}),
        (Outbox(3, queue(0, 0)), {0: 2}),
        (Outbox(3, queue(1)), {1: 1}),
        (Outbox(8, queue(7)), {7: 1}),
        (Outbox(3, queue()), {}),
    ],
    ids=[
        "not counted",
        "counted twice",
        "a zero is stored",
        "beyond next_schedule",
        "decreasing",
        "repeated",
        "a block without message",
        "a block to come",
        "an empty queue is stored",
    ],
)
def test_s15_fires_on_a_malformed_outbox(outbox, counters):
    fires("S15", spoil(story().end, FIRST, ALICE, outboxes=Map({CAROL: outbox}), counters=Map(counters)))


@pytest.mark.clauses("WP-2.5-EXACTLY-ONCE", "WP-A.2-SELECT")
def test_s16_holds_on_queued_and_received_blocks():
    holds("S16")
    assert any(len(outboxes(world)) == 2 for world in story().worlds)
    assert any(len(outboxes(world)) == 0 for world in story().worlds[20:])


@pytest.mark.clauses("WP-2.5-EXACTLY-ONCE", "WP-2.5-REQUEST")
def test_s16_fires_when_an_outbox_forgets_a_block():
    fires("S16", spoil(story().end, FIRST, ALICE, outboxes=Map(), counters=Map()))


@pytest.mark.clauses("WP-2.5-EXACTLY-ONCE", "WP-A.1-RECEIVE-BLOCK")
def test_s16_fires_when_a_recipient_forgets_a_block():
    fires("S16", put_inbox(story().end, SLOW, BOB, ALICE, next_add=Cursor(1, 0)))
    fires("S16", spoil(story().end, SLOW, BOB, mailboxes=Map()))


@pytest.mark.clauses("WP-A.2-CONFIRM-UPDATED-RECIPIENT", "WP-A.2-REPEAT-ACK")
def test_s17_holds_on_acknowledgements_that_were_sent():
    holds("S17")
    sent = story().end.internal[SLOW]
    assert any(isinstance(item, ConfirmUpdatedRecipient) for item in sent)
    assert [is_delivered(cell(story().end, FIRST, ALICE), height) for height in (0, 1, 2)] == [True, True, False]


@pytest.mark.clauses("WP-A.2-REPEAT-ACK", "WP-A.2-UPDATE-RECIPIENT")
@pytest.mark.parametrize(("recipient", "height"), [(BOB, 2), (CAROL, 1), ((9,), 0)])
def test_s17_fires_on_an_acknowledgement_of_what_was_not_received(recipient, height):
    world = story().end
    answer = ConfirmUpdatedRecipient(ALICE, recipient, height)
    internal = world.internal.set(FIRST, world.internal[FIRST].insert(answer))
    fires("S17", evolve(world, internal=internal))


@pytest.mark.clauses("WP-A.2-COUNTERS", "WP-2.8-QUERY")
def test_s17_fires_when_a_block_is_reported_as_delivered_too_early():
    fires("S17", spoil(story().end, FIRST, ALICE, counters=Map()))


@pytest.mark.clauses("WP-A.2-CONFIRM", "WP-A.2-CONFIRM-UPDATED-RECIPIENT")
def test_s17_fires_when_a_height_leaves_an_outbox_too_early():
    before, step, after = next(story().when(lambda before, *_: len(outboxes(before)) == 2))
    step_fires("S17.confirm", before, step, spoil(after, FIRST, ALICE, outboxes=Map(), counters=Map()))


@pytest.mark.clauses("WP-A.2-CONFIRM-UPDATED-RECIPIENT")
def test_acknowledgements_empty_outboxes_in_the_run():
    confirming = story().when(
        lambda before, step, after: (
            isinstance(step.action, Deliver)
            and isinstance(step.action.item, ConfirmUpdatedRecipient)
            and before.validators is not after.validators
        )
    )
    assert {step.action.validator for _, step, _ in confirming} == set(CORRECT)

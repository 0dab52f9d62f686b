"""S11 to S14: inboxes."""

import pytest
from attrs import evolve
from immutables import Map
from support import BASELINE, certify, network
from worlds import (
    ALICE,
    BOB,
    CAROL,
    CORRECT,
    FIRST,
    NETWORK,
    SLOW,
    add_certificate,
    boxes,
    cell,
    fires,
    holds,
    log,
    owes,
    put_inbox,
    queue,
    spoil,
    step_fires,
    story,
    waits,
)

from linera_invariants.predicates.mailboxes import closed_form
from linera_invariants.registry import check_step
from linera_invariants.views import consumed_messages
from linera_reference.block import Receive
from linera_reference.chain import Mailbox, inbox_of
from linera_reference.containers import Queue, Set
from linera_reference.inbox import Inbox, remove
from linera_reference.messages import Cursor
from linera_reference.network import Deliver
from linera_reference.rejections import Accepted
from linera_reference.request import Request
from linera_reference.rules import AnticipationRule


def inbox(world, validator=FIRST):
    """Return Bob's inbox of Alice."""
    return inbox_of(cell(world, validator, BOB), ALICE)


@pytest.mark.clauses("WP-A.1-CLOSED-FORM", "WP-A.1-REFINEMENT")
def test_s11_holds_on_waiting_owed_and_skipped_messages():
    holds("S11")
    assert any(waits(world) for world in story().worlds)
    assert any(owes(world) for world in story().worlds)
    consumed = consumed_messages(story().end, cell(story().end, FIRST, BOB), ALICE)
    assert [message.cursor for message in consumed] == [Cursor(0, 1), Cursor(1, 0), Cursor(1, 2)]  # (1, 1) is skipped


@pytest.mark.clauses("WP-A.1-CLOSED-FORM", "WP-A.1-ADD")
@pytest.mark.parametrize(
    "fields",
    [{"added": queue()}, {"next_add": Cursor(0, 1)}, {"next_add": Cursor(9, 0)}, {"next_add": Cursor()}],
    ids=str,
)
def test_s11_fires_on_a_spoiled_inbox_with_waiting_messages(fields):
    fires("S11", put_inbox(story().first(waits), FIRST, BOB, ALICE, **fields))


@pytest.mark.clauses("WP-A.1-CLOSED-FORM", "WP-A.1-REMOVE")
def test_s11_fires_on_a_spoiled_inbox_that_owes():
    world = story().first(owes)
    owed = inbox(world, SLOW).removed
    fires("S11", put_inbox(world, SLOW, BOB, ALICE, removed=Queue()))
    fires("S11", put_inbox(world, SLOW, BOB, ALICE, added=owed))
    fires("S11", spoil(world, SLOW, BOB, consumed=Map()))
    fires("S11", spoil(world, SLOW, BOB, mailboxes=Map()))


@pytest.mark.clauses("WP-2.6-RECEIVED", "WP-A.1-CLOSED-FORM")
def test_s11_fires_when_the_received_log_is_wrong():
    world = story().first(waits)
    fires("S11", spoil(world, FIRST, BOB, received=log()))


MESSAGES = tuple(inbox_of(cell(story().first(waits), FIRST, BOB), ALICE).added)
EARLIER, LATER = MESSAGES[0], evolve(MESSAGES[0], height=7)


@pytest.mark.parametrize(
    ("clause", "spoiled", "received", "consumed"),
    [
        ("added =", Inbox(next_add=Cursor(0, 2), added=queue()), (EARLIER,), ()),
        ("removed =", Inbox(consumed=Cursor(0, 2)), (), (EARLIER,)),
        ("at most one", Inbox(Cursor(0, 2), Cursor(0, 2), queue(EARLIER), queue(EARLIER)), (), ()),
        ("added lies", Inbox(next_add=Cursor(0, 1), added=queue(EARLIER)), (EARLIER,), ()),
        ("removed lies", Inbox(consumed=Cursor(0, 1), removed=queue(EARLIER)), (), (EARLIER,)),
        ("both empty", Inbox(next_add=Cursor(0, 2)), (), ()),
        ("next_add follows", Inbox(next_add=Cursor(0, 3), added=queue(EARLIER)), (EARLIER,), ()),
        ("consumed follows", Inbox(consumed=Cursor(0, 3), removed=queue(EARLIER)), (), (EARLIER,)),
    ],
)
def test_each_clause_of_the_closed_form_can_fail(clause, spoiled, received, consumed):
    assert any(broken.startswith(clause) for broken in closed_form(spoiled, received, consumed, archived=False))


def test_the_closed_form_lets_an_archive_give_waiting_messages_up():
    given_up = Inbox(next_add=Cursor(EARLIER.height, EARLIER.index + 1))
    assert list(closed_form(given_up, (EARLIER,), (), archived=True)) == []
    assert list(closed_form(given_up, (EARLIER,), (), archived=False)) != []


@pytest.mark.clauses("WP-A.1-RECEIVE-BLOCK", "WP-2.5-REQUEST")
def test_s12_holds_on_waiting_messages_of_several_origins():
    holds("S12")
    assert {origin for world in story().worlds for _, _, origin, box in boxes(world) if not box.added.is_empty} >= {
        ALICE,
        BOB,
        CAROL,
    }


@pytest.mark.clauses("WP-A.1-RECEIVE-BLOCK", "WP-A.1-ADD")
@pytest.mark.parametrize(
    "fields", [{"index": 0}, {"height": 9}, {"block_hash": bytes(32)}, {"content": LATER.content}], ids=str
)
def test_s12_fires_on_a_message_that_was_not_sent(fields):
    world = story().first(lambda world: waits(world) and inbox(world).added.front.height == 1)
    message = inbox(world).added.front
    fields = {"index": 2} if fields == {"index": 0} else fields
    fires("S12", put_inbox(world, FIRST, BOB, ALICE, added=queue(evolve(message, **fields))))


@pytest.mark.clauses("WP-A.1-RECEIVE-BLOCK")
def test_s12_fires_where_the_sender_did_not_commit_the_block():
    world = story().first(waits)
    fires("S12", spoil(world, FIRST, ALICE, certificates=log()))


@pytest.mark.clauses("WP-3.3-CLAIM-5", "WP-2.7-RECEIVE")
def test_s12_fires_on_a_block_that_consumes_what_nobody_sent():
    found = cell(story().end, FIRST, BOB).localized.certificates.since(0)[0]
    forgery = Receive(evolve(EARLIER, block_hash=bytes(32)))
    executed = evolve(found.executed, block=evolve(found.executed.block, transactions=(forgery,)))
    fires("S12.consumed", add_certificate(story().end, certify(NETWORK, executed)))


@pytest.mark.clauses("WP-2.5-EXACTLY-ONCE", "WP-A.1-CURSOR")
def test_s13_holds_on_blocks_that_consume_several_times():
    holds("S13")
    assert len(consumed_messages(story().end, cell(story().end, SLOW, BOB), ALICE)) == 3


@pytest.mark.clauses("WP-2.5-EXACTLY-ONCE", "WP-A.1-REMOVE")
def test_s13_fires_when_a_message_is_consumed_twice_or_out_of_order():
    one, two, three = cell(story().end, SLOW, BOB).localized.certificates.since(0)
    fires("S13", spoil(story().end, SLOW, BOB, certificates=log(one, one, three)))
    fires("S13", spoil(story().end, SLOW, BOB, certificates=log(two, one, three)))


@pytest.mark.clauses("WP-2.6-ANTICIPATION", "WP-2.6-INBOX-REMOVE")
def test_s14_holds_while_messages_are_owed():
    holds("S14")
    assert any(owes(world) for world in story().worlds)


@pytest.mark.clauses("WP-2.6-ANTICIPATION")
def test_s14_fires_on_owed_messages_that_no_block_consumed():
    world = story().first(owes)
    owed = inbox(world, SLOW).removed.push(LATER)
    fires("S14", put_inbox(world, SLOW, BOB, ALICE, removed=owed))


@pytest.mark.clauses("WP-2.6-ANTICIPATION")
def test_s14_fires_when_who_owes_is_not_recorded():
    world = story().first(owes)
    fires("S14", spoil(world, SLOW, BOB, owing=Set()))
    fires("S14", spoil(world, SLOW, BOB, owing=Set().insert(ALICE).insert(CAROL)))


def first_vote_of_bob():
    """Return the step in which Bob's first block, which consumes a message, gets its first vote."""
    return next(
        story().when(
            lambda _, step, __: (
                isinstance(step.action, Deliver)
                and isinstance(step.action.item, Request)
                and step.action.item.block.chain_id == BOB
            )
        )
    )


@pytest.mark.clauses("WP-2.7-BLOCK-IS-VALID", "WP-2.6-ANTICIPATION")
def test_s14_fires_on_a_vote_without_the_messages():
    before, step, after = first_vote_of_bob()
    assert isinstance(step.outcome, Accepted)
    assert isinstance(step.action, Deliver)
    spoiled = put_inbox(before, step.action.validator, BOB, ALICE, added=Queue())
    step_fires("S14.vote", spoiled, step, after)


def test_s14_lets_a_vote_be_repeated():
    before, step, after = first_vote_of_bob()
    pending = cell(after, step.action.validator, BOB).localized.pending
    assert pending is not None
    spoiled = put_inbox(before, step.action.validator, BOB, ALICE, added=Queue())
    repeated = spoil(spoiled, step.action.validator, BOB, pending=pending)
    assert check_step(NETWORK, repeated, step, after, {"S14.vote"}) == []


@pytest.mark.clauses("WP-2.7-BLOCK-IS-VALID")
def test_s14_forbids_an_owing_inbox_to_vote_in_the_baseline_only():
    before, step, after = first_vote_of_bob()
    validator = step.action.validator
    owed = evolve(EARLIER, origin=CAROL)
    local = cell(before, validator, BOB).localized
    owing = remove(Inbox(), owed)
    box = Mailbox(owing.next_add, owing.added, owing.removed)
    spoiled = spoil(before, validator, BOB, mailboxes=local.mailboxes.set(CAROL, box), owing=local.owing.insert(CAROL))
    step_fires("S14.vote", spoiled, step, after)
    variant = evolve(BASELINE, anticipation=AnticipationRule.THIS_PROPOSAL)
    assert check_step(network(byzantine=(3,), rules=variant), spoiled, step, after, {"S14.vote"}) == []


def test_every_validator_ends_with_the_same_inboxes():
    ends = [
        {(chain_id, origin): box for v, chain_id, origin, box in boxes(story().end) if v == validator}
        for validator in CORRECT
    ]
    assert ends[0] == ends[1]
    assert ends[0] == ends[2]

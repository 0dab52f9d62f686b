"""Mailboxes and delivery: the proofs hold, and a broken function or a missing hypothesis breaks them."""

import pytest
from proving import sees, unproved

from linera_invariants.mutation import edit

QUEUES = ["QUEUE-SPLIT", "QUEUE-PREFIX"]
PLACES = ["CURSOR-ORDER", "CURSOR-SUCCESSOR", "HEIGHTS-BEFORE"]
INBOXES = ["INBOX-CLOSED-FORM", "INBOX-ADD", "INBOX-REMOVE", "INBOX-DETERMINED", "EXACTLY-ONCE"]
LAWS = ["INBOX-COMMUTES", "TWO-SETS", "INBOX-REFINES-SETS", "SETS-COMMUTE", "INBOX-OF-ORIGIN", "ORIGINS-COMMUTE"]
OUTBOXES = ["OUTBOX-START", "OUTBOX-SCHEDULE", "OUTBOX-CONFIRM", "COUNTERS", "OUTBOXES-START"]
LOOPS = ["SCHEDULE-MESSAGES", "CONFIRM-MESSAGES", "DELIVERED-UP-TO"]
BLOCKS = ["COMMIT-SENDS", "UPDATE-RECIPIENT", "SENT-MESSAGES", "CHECK-BATCH", "SELECT", "RECEIVE-BLOCK", "DELIVERY"]
NETWORK = ["NO-LOSS", "DELIVERED-MEANS-RECEIVED"]


@pytest.mark.parametrize("entry", [*QUEUES, *PLACES, *INBOXES, *LAWS, *OUTBOXES, *LOOPS, *BLOCKS, *NETWORK])
def test_holds(entry: str) -> None:
    assert not list(unproved(entry))


MUTANTS = [
    ("QUEUE-SPLIT", "containers:Queue.split_before", "not rest.is_empty and ", ""),
    ("QUEUE-SPLIT", "containers:Queue.split_before", "rest = rest.pop()", "pass"),
    ("CURSOR-SUCCESSOR", "messages:successor", "cursor.index + 1", "cursor.index + 2"),
    ("CURSOR-SUCCESSOR", "messages:successor", "cursor.index < MAX_U32", "cursor.index <= MAX_U32"),
    ("HEIGHTS-BEFORE", "messages:heights_before", "cursor.index == 0 or ", ""),
    ("HEIGHTS-BEFORE", "messages:heights_before", "else cursor.height + 1", "else cursor.height"),
    ("INBOX-CLOSED-FORM", "inbox:add", "added.push(message)", "added"),
    ("INBOX-CLOSED-FORM", "inbox:remove", "added = added.pop()", "pass"),
    ("INBOX-ADD", "inbox:add", "cursor >= inbox.next_add", "cursor > inbox.next_add"),
    ("INBOX-REMOVE", "inbox:remove", "cursor >= inbox.consumed", "cursor > inbox.consumed"),
    ("TWO-SETS", "inbox:two_sets", "Set(), inbox.removed", "Set(), inbox.added"),
    ("INBOX-REFINES-SETS", "inbox:remove_from_sets", "inbox.plus.remove(message)", "inbox.plus"),
    ("SETS-COMMUTE", "inbox:add_to_sets", "inbox.minus.remove(message)", "inbox.minus"),
    ("INBOX-OF-ORIGIN", "chain:put_inbox", "inbox.added, inbox.removed", "inbox.removed, inbox.added"),
    ("INBOX-OF-ORIGIN", "chain:inbox_of", "box.next_add, consumed", "consumed, box.next_add"),
    ("OUTBOX-SCHEDULE", "outbox:schedule", "height < outbox.next_schedule", "height <= outbox.next_schedule"),
    ("OUTBOX-CONFIRM", "outbox:confirm", "height + 1", "height"),
    ("COUNTERS", "outbox:count_down", "count > 1", "count > 0"),
    ("COUNTERS", "outbox:count_up", "count > 0", "count >= 0"),
    ("SCHEDULE-MESSAGES", "chain:schedule_messages", "is not before", "is before"),
    ("CONFIRM-MESSAGES", "chain:confirm_messages", "rest.queue.is_empty", "not rest.queue.is_empty"),
    ("DELIVERED-UP-TO", "outbox:delivered_up_to", "> height", ">= height"),
    ("COMMIT-SENDS", "execution:commit_block", "outboxes=outboxes,", ""),
    ("UPDATE-RECIPIENT", "validator:update_recipient", "chain.chain_id, recipient", "recipient, chain.chain_id"),
    ("SENT-MESSAGES", "validator:sent_messages", "message.recipient == recipient", "True"),
    ("CHECK-BATCH", "validator:check_batch", "block.height > last", "block.height >= last"),
    ("CHECK-BATCH", "validator:check_batch", "genuine and useful", "genuine"),
    ("SELECT", "validator:select", ">= next_height", "> next_height"),
    ("RECEIVE-BLOCK", "validator:receive_block", "certificate, chain.chain_id", "certificate, block.chain_id"),
    (
        "DELIVERY",
        "validator:handle_update_recipient",
        "next_height_to_receive(inbox) - 1",
        "next_height_to_receive(inbox)",
    ),
]


@pytest.mark.parametrize(("entry", "function", "old", "new"), MUTANTS)
def test_sees_a_broken_function(entry: str, function: str, old: str, new: str) -> None:
    assert sees(entry, edit(function, old, new))


NEEDED = [
    ("INBOX-CLOSED-FORM", "QUEUE-SPLIT"),
    ("EXACTLY-ONCE", "INBOX-ADD"),
    ("EXACTLY-ONCE", "INBOX-REMOVE"),
    ("OUTBOX-CONFIRM", "QUEUE-SPLIT"),
    ("RECEIVE-BLOCK", "INBOX-ADD"),
    ("DELIVERY", "CHECK-BATCH"),
    ("NO-LOSS", "SCHEDULE-MESSAGES"),
    ("NO-LOSS", "DELIVERY"),
    ("NO-LOSS", "OWN-REQUESTS"),
    ("NO-LOSS", "KEPT-CERTIFICATES"),
    ("NO-LOSS", "CARRIED-CERTIFICATES"),
    ("DELIVERED-MEANS-RECEIVED", "NO-LOSS"),
]


@pytest.mark.parametrize(("entry", "hypothesis"), NEEDED)
def test_needs_its_hypotheses(entry: str, hypothesis: str) -> None:
    assert any(unproved(entry, dropped=hypothesis))

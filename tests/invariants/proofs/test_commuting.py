"""Commutation: the proofs hold, and an effect on the wrong inbox or a missing fact breaks them."""

import pytest
from proving import sees, unproved

from linera_invariants.mutation import edit
from linera_invariants.proofs.entries import theorems

ENTRIES = {name: e for name, e in theorems().items() if e.file.endswith("66-commuting.toml") and e.has_proof}


@pytest.mark.parametrize("entry", ENTRIES)
def test_holds(entry: str) -> None:
    assert not list(unproved(entry))


SCHEDULE = "chain:schedule_messages"
RECEIVE, DELIVER, CONSUME = "validator:receive_block", "validator:handle_update_recipient", "execution:consume_messages"
BLOCK, COMMIT = "execution:execute_block", "execution:commit_block"
MUTANTS = [
    ("MAILBOX-TELLS", "chain:put_inbox", "inbox.added, inbox.removed", "inbox.removed, inbox.added"),
    ("MAILBOX-TELLS", "chain:inbox_of", "box.next_add, consumed", "consumed, consumed"),
    ("RECEIVED-BLOCK-TELLS", RECEIVE, "put_inbox(chain, block.chain_id,", "put_inbox(chain, chain.chain_id,"),
    (
        "RECEIVED-BLOCK-TELLS",
        RECEIVE,
        "add(inbox_of(chain, block.chain_id), message)",
        "inbox_of(chain, block.chain_id)",
    ),
    ("RECEIVED-BLOCK-TELLS", RECEIVE, "(block.chain_id, block.height)", "(chain.chain_id, block.height)"),
    ("DELIVERY-TELLS", DELIVER, "receive_block(context, c, certificate)", "receive_block(context, chain, certificate)"),
    ("DELIVERY-TELLS", DELIVER, "check_batch(request)", "pass"),
    ("DELIVERY-TELLS", DELIVER, "next_height_to_receive(inbox))", "next_height_to_receive(inbox) + 1)"),
    ("CONSUMPTION-ADDS-NOTHING", "inbox:remove", "Inbox(inbox.next_add,", "Inbox(successor(cursor),"),
    ("CONSUMPTION-TELLS", CONSUME, "put_inbox(chain, message.origin,", "put_inbox(chain, chain.chain_id,"),
    ("SCHEDULE-IS-A-FUNCTION", SCHEDULE, "outboxes.set(recipient,", "local.outboxes.set(recipient,"),
    (
        "SCHEDULE-IS-A-FUNCTION",
        "chain:schedule_messages",
        "(local.outboxes, 0)",
        "(local.outboxes, len(local.received))",
    ),
    ("DELIVERY-AND-BLOCK-COMMUTE", BLOCK, "chain = consume_messages(chain, block)", "consume_messages(chain, block)"),
    ("DELIVERY-AND-BLOCK-COMMUTE", COMMIT, "pending=None,", "pending=None, owing=type(chain.localized.owing)(),"),
    ("DELIVERY-AND-BLOCK-COMMUTE", COMMIT, "(chain.localized, recipients,", "(chain, recipients,"),
]


@pytest.mark.parametrize(("entry", "function", "old", "new"), MUTANTS)
def test_sees_a_broken_function(entry: str, function: str, old: str, new: str) -> None:
    assert sees(entry, edit(function, old, new))


NEEDED = [
    ("MAILBOX-TELLS", "INBOX-CLOSED-FORM"),
    ("RECEIVED-BLOCK-TELLS", "INBOX-CLOSED-FORM"),
    ("DELIVERY-TELLS", "CHECK-BATCH"),
    ("CONSUMPTION-TELLS", "CONSUMPTION-ADDS-NOTHING"),
    ("DELIVERIES-COMMUTE", "INBOX-DETERMINED"),
    ("DELIVERIES-COMMUTE", "DELIVERY-TELLS"),
    ("DELIVERY-AND-BLOCK-COMMUTE", "CONSUMPTION-TELLS"),
    ("DELIVERY-AND-BLOCK-COMMUTE", "SCHEDULE-IS-A-FUNCTION"),
]


@pytest.mark.parametrize(("entry", "hypothesis"), NEEDED)
def test_needs_its_hypotheses(entry: str, hypothesis: str) -> None:
    assert any(unproved(entry, dropped=hypothesis))

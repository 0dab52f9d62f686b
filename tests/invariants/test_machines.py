"""The machines pass on the reference without being vacuous, and catch broken variants of it."""

import os

import pytest

from linera_invariants.machines import run_machine
from linera_invariants.mutation import applied, edit

FULL = os.environ.get("HYPOTHESIS_PROFILE", "dev") == "ci"
ENOUGH = 400
"""A broken variant is caught within so many examples."""

BROKEN: dict[str, dict[str, tuple[str, str, str]]] = {
    "ordered-inbox": {
        "an arrival need not be what is owed": (
            "inbox:add",
            "require(message == owed, Reason.UNEXPECTED_MESSAGE, owed)",
            "pass",
        ),
        "an arrival may come before the cursor": (
            "inbox:add",
            "require(cursor >= inbox.next_add, Reason.INCORRECT_MESSAGE_ORDER, inbox.next_add)",
            "pass",
        ),
        "the consumption cursor stays": ("inbox:remove", "successor(cursor)", "inbox.consumed"),
        "what is owed stays owed": ("inbox:add", "removed = removed.pop()", "pass"),
        "nothing is skipped": ("inbox:remove", "split_before(cursor,", "split_before(inbox.consumed,"),
        "the last index has a successor": ("messages:successor", "cursor.index < MAX_U32", "cursor.index <= MAX_U32"),
    },
    "outbox-delivery": {
        "the acknowledgement runs ahead": (
            "validator:handle_update_recipient",
            "next_height_to_receive(inbox) - 1",
            "next_height_to_receive(inbox)",
        ),
        "closed and inactive chains receive": (
            "validator:handle_update_recipient",
            "check_active(part.created, part.owner)",
            "pass",
        ),
        "the counter stays": ("outbox:count_down", "count - 1", "count"),
        "an acknowledgement covers the next block too": ("outbox:confirm", "height + 1", "height + 2"),
        "a batch is received again": ("validator:select", ">= next_height", ">= 0"),
        "a request carries the newest block only": (
            "validator:update_recipient",
            "local.outboxes[recipient].queue",
            "[local.outboxes[recipient].queue.back]",
        ),
        "a message is not logged as received": (
            "validator:receive_block",
            "chain.localized.received.append((block.chain_id, block.height))",
            "chain.localized.received",
        ),
    },
    "single-chain": {
        "a validator votes for another block": (
            "certification:already_voted",
            "require(pending.block == block, Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST, pending.block)",
            "return pending if pending.block == block else None",
        ),
        "one vote less is a quorum": ("committee:quorum_threshold", "- max_faulty(total)", "- max_faulty(total) - 1"),
        "a signer counts twice": (
            "certificate:check_signers",
            "require(not seen.contains(signer), Reason.CERTIFICATE_VALIDATOR_REUSE, signer)",
            "pass",
        ),
        "signatures are not verified": (
            "certificate:check_certificate",
            "genuine(signer, signature)",
            "True",
        ),
        "the vote stays pending": ("execution:commit_block", "pending=None", "pending=chain.localized.pending"),
        "anybody proposes": (
            "certification:check_proposer",
            "require(owner == proposer, Reason.INVALID_OWNER, proposer)",
            "pass",
        ),
    },
    "whole-network": {
        "validators vote on anticipation": (
            "execution:check_not_anticipated",
            "require(not owed, Reason.MISSING_CROSS_CHAIN_UPDATE, senders_of(owed))",
            "pass",
        ),
        "the consumption cursor stays": ("inbox:remove", "successor(cursor)", "inbox.consumed"),
        "child identifiers repeat": ("execution:execute_block", "tx_count=count", "tx_count=part.tx_count"),
        "a closed chain lives on": ("execution:close_chain", "Running(None,", "Running(running.owner,"),
        "undelivered messages are archived": (
            "validator:archive_chain",
            "require(len(local.outboxes) == 0, Reason.OUTBOX_NOT_EMPTY, tuple(sorted(local.outboxes)))",
            "pass",
        ),
        "a transfer keeps the money": (
            "application:Token.execute_operation",
            "state.amount - action.amount",
            "state.amount",
        ),
        "messages stay in the inbox": (
            "execution:consume_messages",
            "remove(inbox_of(chain, message.origin), message)",
            "inbox_of(chain, message.origin)",
        ),
    },
}


def variants() -> list[tuple[str, str]]:
    return [(machine, name) for machine, broken in BROKEN.items() for name in broken]


@pytest.mark.parametrize(("machine", "name"), variants())
def test_broken_variant_is_caught(machine: str, name: str) -> None:
    with applied(edit(*BROKEN[machine][name])):
        result = run_machine(machine, ENOUGH, shrink=False)
    assert result.failure is not None
    assert result.failure.story

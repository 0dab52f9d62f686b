"""Handlers: the proofs hold, and a lost guard, a wrong comparison or a wrong effect breaks them."""

import pytest
from proving import sees, unproved

from linera_invariants.mutation import edit
from linera_invariants.proofs.entries import theorems

ENTRIES = [name for name, entry in theorems().items() if entry.file.endswith("45-handlers.toml") and entry.has_proof]


@pytest.mark.parametrize("entry", ENTRIES)
def test_holds(entry: str) -> None:
    assert not list(unproved(entry))


MUTANTS = [
    ("ACTIVE-CHAIN", "certification:check_active", "owner is not None", "True"),
    ("PROPOSER", "certification:check_proposer", "owner == proposer", "owner is not None"),
    ("CHAINING", "validator:check_chaining", "height < MAX_U64", "height <= MAX_U64"),
    ("CHAINING", "validator:check_chaining", "previous == last", "True"),
    ("VOTING-RULE", "certification:already_voted", "pending.block == block", "True"),
    ("VOTING-RULE", "certification:already_voted", "return pending", "return None"),
    ("CHECK-CONFIRMED", "certification:check_kind", "kind is Kind.CONFIRMED", "kind is not Kind.CONFIRMED"),
    ("HANDLE-REQUEST", "validator:handle_request", "check_proposer(part.owner, request.owner)", "pass"),
    ("HANDLE-REQUEST", "validator:handle_request", "check_not_anticipated(context, staged)", "pass"),
    ("HANDLE-REQUEST", "validator:handle_request", "(context, staged)", "(context, Staged(chain, staged.executed))"),
    ("HANDLE-REQUEST", "validator:handle_request", "with_localized(chain,", "with_localized(staged.chain,"),
    ("HANDLE-REQUEST", "validator:handle_request", "() if signer is None else", "() if executed else"),
    ("HANDLE-CERTIFICATE", "validator:handle_certificate", "height >= part.next_height", "True"),
    ("HANDLE-CERTIFICATE", "validator:handle_certificate", "height == part.next_height", "True"),
    (
        "HANDLE-CERTIFICATE",
        "validator:execute_certified",
        "check_confirmed(context, certificate)",
        "context.scheme.hash(executed)",
    ),
    ("HANDLE-CERTIFICATE", "validator:execute_certified", "again.messages == executed.messages", "True"),
    ("HANDLE-CERTIFICATE", "execution:commit_block", "pending=None", "pending=chain.localized.pending"),
    ("HANDLE-CERTIFICATE", "execution:commit_block", "part, local)", "part, evolve(local, owing=None))"),
    ("HANDLE-CERTIFICATE", "execution:extend_log", "part.next_height + 1", "part.next_height"),
    ("CELL-SHAPE", "execution:extend_log", "part.log.append(block_hash)", "part.log"),
    # The ranges of heights and counts, which every run on symbols relies on.
    ("CELL-SHAPE", "validator:execute_certified", "executed.block.height < MAX_U64", "True"),
    ("EXECUTION-KEEPS", "execution:execute_block", "count <= MAX_U64", "True"),
    ("ARRIVAL-CONSUMES-NOTHING", "inbox:add", "inbox.consumed, added", "successor(cursor), added"),
    ("ARRIVAL-CREATES", "validator:create_chain", "not chain.consistent.created", "True"),
    ("ARRIVAL-CREATES", "chain:activate", "owner=owner", "owner=part.owner"),
    ("ARRIVAL-CREATES", "validator:receive_block", "received=received)", "received=received, owing=None)"),
    ("ARRIVAL-CREATES", "validator:receive_block", "isinstance(message.content, Create)", "False"),
    ("HANDLE-UPDATE-RECIPIENT", "validator:handle_update_recipient", "check_batch(request)", "pass"),
    ("HANDLE-UPDATE-RECIPIENT", "validator:handle_update_recipient", "check_active(part.created, part.owner)", "pass"),
    ("HANDLE-CONFIRM", "validator:handle_confirm_updated_recipient", "answer.recipient", "answer.sender"),
    ("ARCHIVE-CHAIN", "chain:is_closed", "part.owner is None", "True"),
    ("ARCHIVE-CHAIN", "validator:archive_chain", "(box, added=Queue())", "(box, added=Queue(), removed=Queue())"),
    ("ARCHIVE-CHAIN", "validator:archive_chain", "local.certificates.forget()", "local.certificates"),
    ("ATOMIC", "rejections:transition", "rejection.detail", "None"),
    ("REPEATED-INPUTS", "validator:handle_certificate", "height >= part.next_height", "True"),
    ("REPEATED-INPUTS", "chain:confirm_messages", "outboxes.delete(recipient)", "outboxes"),
    ("ROUTING", "validator:target_of", "item.recipient", "item.sender"),
    ("ROUTING", "validator:put_chain", "after.chain_id, after", "before.chain_id, before"),
    ("OWING", "chain:put_inbox", "local.owing.insert(origin)", "local.owing"),
    ("NOTHING-OWED", "execution:check_not_anticipated", "not owed", "True"),
    ("GENESIS-CELL", "validator:genesis_chain", "chain.state, None", "chain.state, 0"),
    ("GENESIS-CELL", "validator:genesis_validator", "before != after and", ""),
    ("GENESIS-CELL", "validator:genesis_validator", "is_identifier(chain_id)", "True"),
    ("GENESIS-CELL", "validator:chain_of", "found is None", "True"),
    ("GENESIS-CELL", "network:initial_world", "key not in network.byzantine", "True"),
]


@pytest.mark.parametrize(("entry", "function", "old", "new"), MUTANTS)
def test_sees_a_broken_function(entry: str, function: str, old: str, new: str) -> None:
    assert sees(entry, edit(function, old, new))


@pytest.mark.parametrize(
    ("entry", "hypothesis"),
    [
        ("HANDLE-REQUEST", "EXECUTION-IS-A-FUNCTION"),
        ("HANDLE-CERTIFICATE", "CELL-SHAPE"),
        ("HANDLE-UPDATE-RECIPIENT", "ARRIVAL-CREATES"),
        ("ARRIVAL-CREATES", "MESSAGES-TO"),
        ("REPEATED-INPUTS", "EXECUTION-KEEPS"),
        ("NOTHING-OWED", "OWING"),
    ],
)
def test_a_hypothesis_is_needed(entry: str, hypothesis: str) -> None:
    assert any(unproved(entry, dropped=hypothesis))

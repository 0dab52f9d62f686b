"""Handlers: the proofs hold, and a lost guard, a wrong comparison or a wrong effect breaks them."""

import pytest
from proving import sees, unproved

from linera_invariants.mutation import edit
from linera_invariants.proofs.entries import theorems

FILES = ("35-owners.toml", "36-rounds.toml", "45-handlers.toml")
ENTRIES = [name for name, entry in theorems().items() if entry.file.endswith(FILES) and entry.has_proof]


@pytest.mark.parametrize("entry", ENTRIES)
def test_holds(entry: str) -> None:
    assert not list(unproved(entry))


MUTANTS = [
    ("ACTIVE-CHAIN", "certification:check_active", "owner is not None", "True"),
    ("OWNERS", "ownership:owns", "owner.keys.contains(key)", "True"),
    ("OWNERS", "ownership:owns", "owner == key", "owner is not None"),
    ("OWNERS", "ownership:keys_of", "nobody.insert(owner)", "nobody"),
    ("OWNERS", "ownership:check_owner", "owner.keys.is_empty", "False"),
    ("CHANGE-OWNERS", "ownership:add_owner", "keys_of(owner).insert(key)", "keys_of(owner)"),
    ("CHANGE-OWNERS", "ownership:add_owner", "keys_of(owner)", "keys_of(None)"),
    ("CHANGE-OWNERS", "ownership:remove_owner", "check_owner(rest)", "pass"),
    ("CHANGE-OWNERS", "ownership:remove_owner", "owns(owner, key)", "True"),
    ("CHANGE-OWNERS", "execution:change_owners", "isinstance(transaction, AddOwner)", "True"),
    ("MAY-PROPOSE", "ownership:may_propose", "chosen.is_disjoint(owner.keys) or ", ""),
    ("MAY-PROPOSE", "ownership:may_propose", " or chosen.contains(key)", ""),
    ("MAY-PROPOSE", "ownership:may_propose", " or not isinstance(owner, Owners)", ""),
    ("PROPOSER", "certification:check_proposer", "owns(owner, proposer)", "owner is not None"),
    ("PROPOSER", "certification:check_proposer", "may_propose(owner, chosen, proposer)", "True"),
    ("CHECK-JUSTIFICATION", "validator:check_justification", "check_validated(context, justification)", "pass"),
    ("BINDING-LOCK", "rounds:binding_lock", "justification.round > rounds.locked.round", "True"),
    ("BINDING-LOCK", "rounds:binding_lock", "justification.round > ", "justification.round >= "),
    ("PROPOSAL-IN-ROUND", "rounds:accepted_before", "request.round > rounds.last", "request.round >= rounds.last"),
    ("PROPOSAL-IN-ROUND", "rounds:accepted_before", " and rounds.last == request.round", ""),
    ("PROPOSAL-IN-ROUND", "rounds:accepted_before", "pending.block == request.block and ", ""),
    ("PROPOSAL-IN-ROUND", "rounds:accepted_before", "binding.round < request.round and ", ""),
    ("PROPOSAL-IN-ROUND", "rounds:accepted_before", " and binding.executed.block == request.block", ""),
    ("PROPOSAL-IN-ROUND", "rounds:accepted_before", "request.justification", "None"),
    ("PROPOSAL-IN-ROUND", "rounds:accepted_before", "binding_lock(rounds, request.justification)", "rounds.locked"),
    ("CHAIN-TYPES", "certification:check_proposal", "isinstance(owner, Owners)", "owner is not None"),
    ("CHAIN-TYPES", "certification:proposal_kind", "isinstance(owner, Owners)", "False"),
    ("CHAIN-TYPES", "certification:check_validated_kind", "isinstance(owner, Owners)", "True"),
    ("LOCK-AFTER", "rounds:lock_after", "certificate.round >= current", "True"),
    ("LOCK-AFTER", "rounds:lock_after", "locked.executed == certificate.executed", "True"),
    ("LOCK-AFTER", "rounds:lock_after", "locked.round < certificate.round", "True"),
    ("LOCK-AFTER", "rounds:lock_after", "return locked", "return certificate"),
    ("LOCK-AFTER", "rounds:current_round", "max(rounds.last, rounds.locked.round)", "rounds.locked.round"),
    ("STANDING-BALLOT", "certification:standing_ballot", "locked.round == current_round(rounds)", "True"),
    ("STANDING-BALLOT", "certification:standing_ballot", "rounds.last", "0"),
    ("CHAINING", "validator:check_chaining", "height < MAX_U64", "height <= MAX_U64"),
    ("CHAINING", "validator:check_chaining", "previous == last", "True"),
    ("VOTING-RULE", "certification:already_voted", "pending.block == request.block", "True"),
    ("VOTING-RULE", "certification:already_voted", "return pending", "return None"),
    ("VOTING-RULE", "certification:already_voted", " and request.justification is None", ""),
    ("CHECK-CONFIRMED", "certification:check_kind", "kind is Kind.CONFIRMED", "kind is not Kind.CONFIRMED"),
    ("HANDLE-REQUEST", "validator:handle_request", "context.application.proposers(chain.chain_id, part.state)", "None"),
    ("HANDLE-REQUEST", "validator:handle_request", "check_justification(context, request.justification)", "pass"),
    ("HANDLE-REQUEST", "validator:handle_request", "Rounds(request.round,", "Rounds(local.rounds.last,"),
    ("HANDLE-REQUEST", "validator:handle_request", "local.rounds.locked)", "None)"),
    ("HANDLE-REQUEST", "validator:handle_request", "proposal_kind(part.owner)", "proposal_kind(None)"),
    ("HANDLE-REQUEST", "validator:handle_request", "request.round)\n", "0)\n"),
    ("HANDLE-VALIDATED", "validator:handle_validated", "check_validated_kind(part.owner)", "pass"),
    ("HANDLE-VALIDATED", "validator:handle_validated", "check_validated(context, certificate)", "pass"),
    ("HANDLE-VALIDATED", "validator:handle_validated", "block.previous_hash == part.block_hash", "True"),
    ("HANDLE-VALIDATED", "validator:handle_validated", "lock_after(local.rounds, certificate)", "certificate"),
    ("HANDLE-VALIDATED", "validator:handle_validated", "evolve(local, rounds=rounds)", "evolve(local, pending=None)"),
    ("HANDLE-VALIDATED", "validator:handle_validated", "Kind.CONFIRMED", "Kind.VALIDATED"),
    ("HANDLE-VALIDATED", "validator:handle_validated", "certificate.round)", "0)"),
    ("HANDLE-VALIDATED", "validator:is_next", "height < part.next_height", "False"),
    ("HANDLE-REQUEST", "validator:handle_request", "check_not_anticipated(context, staged)", "pass"),
    ("HANDLE-REQUEST", "validator:handle_request", "(context, staged)", "(context, Staged(chain, staged.executed))"),
    ("HANDLE-REQUEST", "validator:handle_request", "with_localized(chain,", "with_localized(staged.chain,"),
    ("HANDLE-REQUEST", "validator:handle_request", "*votes_of(context, signer, payload)", "*()"),
    ("HANDLE-REQUEST", "validator:votes_of", "() if signer is None else", "() if signer is not None else"),
    ("HANDLE-CERTIFICATE", "validator:is_next", "height < part.next_height", "False"),
    ("HANDLE-CERTIFICATE", "validator:is_next", "height == part.next_height", "True"),
    (
        "HANDLE-CERTIFICATE",
        "validator:execute_certified",
        "check_confirmed(context, certificate)",
        "context.scheme.hash(executed)",
    ),
    ("HANDLE-CERTIFICATE", "validator:execute_certified", "again.messages == executed.messages", "True"),
    ("HANDLE-CERTIFICATE", "execution:commit_block", "pending=None", "pending=chain.localized.pending"),
    ("HANDLE-CERTIFICATE", "execution:commit_block", "rounds=FIRST_ROUND", "rounds=chain.localized.rounds"),
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
    ("REPEATED-INPUTS", "validator:is_next", "height < part.next_height", "False"),
    ("REPEATED-INPUTS", "rounds:lock_after", "certificate.round >= current", "certificate.round > current"),
    ("REPEATED-INPUTS", "chain:confirm_messages", "outboxes.delete(recipient)", "outboxes"),
    ("ROUTING", "validator:handle_at", "kind=Kind.VALIDATED", "kind=Kind.CONFIRMED"),
    ("ROUTING", "validator:target_of", "item.recipient", "item.sender"),
    ("ROUTING", "validator:put_chain", "after.chain_id, after", "before.chain_id, before"),
    ("OWING", "chain:put_inbox", "local.owing.insert(origin)", "local.owing"),
    ("NOTHING-OWED", "execution:check_not_anticipated", "not owed", "True"),
    ("RESTART-CHAIN", "chain:restart_chain", "pending=local.pending", "pending=None"),
    ("RESTART-CHAIN", "chain:restart_chain", "rounds=local.rounds", "rounds=FIRST_ROUND"),
    ("RESTART-CHAIN", "chain:restart_chain", "not box.removed.is_empty", "box.removed.is_empty"),
    ("RESTART-CHAIN", "validator:restart", "restart_chain(chain)", "chain"),
    ("RESTART-COUNTS", "chain:restart_chain", "count_up(found, height, 1)", "count_up(found, height, 2)"),
    ("GENESIS-CELL", "validator:genesis_validator", "check_owner(chain.owner)", "None"),
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
        ("HANDLE-REQUEST", "PROPOSAL-IN-ROUND"),
        ("HANDLE-REQUEST", "CHECK-JUSTIFICATION"),
        ("HANDLE-REQUEST", "APPLICATION-IS-A-FUNCTION"),
        ("HANDLE-CERTIFICATE", "CELL-SHAPE"),
        ("HANDLE-UPDATE-RECIPIENT", "ARRIVAL-CREATES"),
        ("ARRIVAL-CREATES", "MESSAGES-TO"),
        ("REPEATED-INPUTS", "EXECUTION-KEEPS"),
        ("REPEATED-INPUTS", "PROPOSAL-IN-ROUND"),
        ("RESTART-CHAIN", "OWING"),
        ("RESTART-COUNTS", "FINITE-SETS"),
        ("NOTHING-OWED", "OWING"),
    ],
)
def test_a_hypothesis_is_needed(entry: str, hypothesis: str) -> None:
    assert any(unproved(entry, dropped=hypothesis))

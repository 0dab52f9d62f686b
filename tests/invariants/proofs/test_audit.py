"""Claim 5: the proofs of the audit hold, and an audit that checks less breaks them."""

import pytest
from proving import sees, unproved

from linera_invariants.mutation import edit
from linera_invariants.proofs.entries import theorems

ENTRIES = [
    "AUDIT-BLOCK",
    "AUDIT-CONSUMES",
    "CREATION-PROOF",
    "AUDIT-START",
    "AUDIT-EVIDENCE",
    "CHECK-SENT",
    "AUDIT-MESSAGE",
    "AUDIT-SENDER-BLOCK",
    "OWED-MESSAGES",
    "AUDIT-CHAIN",
    "AUDIT-AGREES",
    "AUDIT-MESSAGES",
]


@pytest.mark.parametrize("entry", ENTRIES)
def test_holds(entry: str) -> None:
    assert not list(unproved(entry))


MUTANTS = [
    ("AUDIT-BLOCK", "audit:audit_block", "place_of(certificate) == expected", "True"),
    ("AUDIT-BLOCK", "audit:audit_block", "chain.consistent.owner is not None", "True"),
    ("AUDIT-BLOCK", "audit:audit_block", "with_consistent(staged.chain,", "with_consistent(chain,"),
    ("AUDIT-BLOCK", "validator:execute_certified", "executed.block.previous_hash == last", "True"),
    ("AUDIT-BLOCK", "validator:execute_certified", "again.messages == executed.messages", "True"),
    ("AUDIT-BLOCK", "validator:execute_certified", "again.state_hash == executed.state_hash", "True"),
    ("AUDIT-BLOCK", "execution:extend_log", "part.next_height + 1", "part.next_height"),
    ("AUDIT-CONSUMES", "audit:audit_block", "with_consistent(staged.chain,", "with_consistent(chain,"),
    ("CREATION-PROOF", "validator:check_creation_proof", "check_confirmed(context, certificate)", "pass"),
    ("CREATION-PROOF", "validator:check_creation_proof", "len(owners) == 1", "len(owners) >= 1"),
    ("CREATION-PROOF", "validator:check_creation_proof", "m.recipient == chain_id and ", ""),
    ("AUDIT-START", "audit:audit_start", "origin.chain_id == chain_id", "True"),
    ("AUDIT-START", "audit:audit_start", "origin.executed.block.height", "0"),
    ("AUDIT-EVIDENCE", "audit:audit_evidence", "known.get(place, block_hash) == block_hash", "True"),
    ("AUDIT-EVIDENCE", "audit:audit_evidence", "known.set(place, block_hash)", "known"),
    ("AUDIT-EVIDENCE", "audit:own_places", "log.at(height)", "log.at(0)"),
    ("CHECK-SENT", "audit:check_sent", "not owed", "True"),
    ("CHECK-SENT", "audit:check_sent", "(message.origin, message.height) not in known", "True"),
    ("AUDIT-MESSAGE", "audit:audit_message", "message != owed", "False"),
    ("AUDIT-MESSAGE", "audit:audit_message", "message.cursor >= owed.cursor", "message.cursor > owed.cursor"),
    ("AUDIT-MESSAGE", "audit:audit_message", "add(inbox, message)", "inbox"),
    ("AUDIT-SENDER-BLOCK", "audit:audit_sender_block", "height < next_height", "height <= next_height"),
    ("AUDIT-SENDER-BLOCK", "audit:audit_sender_block", "chain, messages)", "chain, ())"),
    ("OWED-MESSAGES", "chain:owed_messages", ".removed", ".added"),
    ("AUDIT-CHAIN", "audit:audit_chain", "check_sent(owed_messages(chain), known)", "pass"),
    ("AUDIT-CHAIN", "audit:audit_chain", "(*evidence, *to_itself)", "evidence"),
    ("AUDIT-CHAIN", "audit:audit_chain", "origin, chain_id)", "origin, origin.chain_id)"),
    ("AUDIT-CHAIN", "audit:audit_chain", "audit_sender_block(context, c, block, known)", "c"),
    ("AUDIT-CHAIN", "audit:audit_chain", "audit_evidence(context, known, block)", "known"),
]


@pytest.mark.parametrize(("entry", "function", "old", "new"), MUTANTS)
def test_sees_a_broken_audit(entry: str, function: str, old: str, new: str) -> None:
    assert sees(entry, edit(function, old, new))


@pytest.mark.parametrize(
    ("entry", "hypothesis"),
    [
        ("AUDIT-AGREES", "UNIQUE-CERTIFICATES"),
        ("AUDIT-AGREES", "AUDIT-BLOCK"),
        ("AUDIT-AGREES", "AUDIT-START"),
        *(("AUDIT-MESSAGES", name) for name in theorems()["AUDIT-MESSAGES"].uses),
    ],
)
def test_a_hypothesis_is_needed(entry: str, hypothesis: str) -> None:
    assert any(unproved(entry, dropped=hypothesis))

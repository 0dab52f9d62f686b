"""Rules and handlers as functions: the proofs hold, and a rule with a memory breaks them."""

import pytest
from proving import sees, unproved

from linera_invariants.mutation import edit
from linera_invariants.proofs.entries import theorems

RULES, HANDLERS = "RULES-ARE-FUNCTIONS", "HANDLERS-ARE-FUNCTIONS"


@pytest.mark.parametrize("entry", [RULES, HANDLERS])
def test_holds(entry: str) -> None:
    assert not list(unproved(entry))


ONCE = "seen = globals().setdefault('seen', []); seen.append(0); require(len(list(seen)) < 2, Reason.ARITHMETIC)"
"""Go on the first time, and reject ever after."""
FORGETFUL = [
    (RULES, "validator:receive_block", "block = certificate.executed.block"),
    (RULES, "validator:check_batch", "block = certificate.executed.block"),
    (RULES, "execution:execute_block", "part = chain.consistent"),
    (HANDLERS, "validator:handle_request", "block, part, local = request.block, chain.consistent, chain.localized"),
    (
        HANDLERS,
        "validator:handle_certificate",
        "chain = commit_block(*execute_certified(context, chain, certificate), certificate)",
    ),
    (HANDLERS, "validator:handle_validated", "check_validated_kind(part.owner)"),
    (RULES, "rounds:lock_after", "current, locked = current_round(rounds), rounds.locked"),
    (HANDLERS, "validator:handle_update_recipient", "check_batch(request)"),
    (HANDLERS, "validator:archive_chain", "part, local = chain.consistent, chain.localized"),
    (HANDLERS, "validator:handle", "chain = chain_of(validator, target_of(item))"),
]


@pytest.mark.parametrize(("entry", "function", "line"), FORGETFUL)
def test_sees_a_rule_with_a_memory(entry: str, function: str, line: str) -> None:
    assert sees(entry, edit(function, line, f"{line}; {ONCE}"))


@pytest.mark.parametrize("entry", [RULES, HANDLERS])
def test_every_hypothesis_is_needed(entry: str) -> None:
    for hypothesis in theorems()[entry].uses:
        assert any(unproved(entry, dropped=hypothesis)), hypothesis

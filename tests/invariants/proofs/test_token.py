"""The token: the proofs hold, and an amount that is created or lost breaks them."""

import pytest
from proving import sees, unproved

from linera_invariants.mutation import edit
from linera_invariants.proofs.entries import theorems

ENTRIES = {name: e for name, e in theorems().items() if e.file.endswith("68-token.toml") and e.has_proof}


@pytest.mark.parametrize("entry", ENTRIES)
def test_holds(entry: str) -> None:
    assert not list(unproved(entry))


OPERATE, RECEIVE = "application:Token.execute_operation", "application:Token.execute_message"
MUTANTS = [
    ("TOKEN-STEP", OPERATE, "state.amount - action.amount", "state.amount"),
    ("TOKEN-STEP", OPERATE, "action.amount <= state.amount", "True"),
    ("TOKEN-STEP", OPERATE, "Credit(action.amount)", "Credit(state.amount)"),
    ("TOKEN-STEP", OPERATE, "isinstance(action, Burn)", "not isinstance(action, Burn)"),
    ("TOKEN-STEP", RECEIVE, "state.amount + credit.amount", "credit.amount"),
    ("TOKEN-STEP", RECEIVE, "MAX_U128)", "MAX_U128 - 1)"),
    ("TOKEN-STEP", "application:Token.initial_state", "Balance()", "Balance(1)"),
    ("TOKEN-TRANSACTION", "execution:apply_effect", "effect.state, effect.messages", "effect.state"),
    ("TOKEN-TRANSACTION", "execution:apply_effect", "running.owner, effect.state", "running.owner, running.state"),
    ("TOKEN-TRANSACTION", "execution:execute_message", "isinstance(content, Create)", "True"),
    ("TOKEN-BLOCK", "execution:execute_transactions", "running, running.messages", "running, ()"),
]


@pytest.mark.parametrize(("entry", "function", "old", "new"), MUTANTS)
def test_sees_a_broken_function(entry: str, function: str, old: str, new: str) -> None:
    assert sees(entry, edit(function, old, new))


NEEDED = [(name, hypothesis) for name, entry in ENTRIES.items() for hypothesis in entry.uses]


@pytest.mark.parametrize(("entry", "hypothesis"), NEEDED)
def test_needs_its_hypotheses(entry: str, hypothesis: str) -> None:
    assert any(unproved(entry, dropped=hypothesis))

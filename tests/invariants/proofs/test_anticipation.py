"""Anticipation: the proofs hold, and a vote on credit, or a consumption lost or stored elsewhere, breaks them."""

import pytest
from proving import sees, unproved

from linera_invariants.mutation import edit
from linera_invariants.proofs.entries import theorems

ENTRIES = {name: e for name, e in theorems().items() if e.file.endswith("65-anticipation.toml") and e.has_proof}


@pytest.mark.parametrize("entry", ENTRIES)
def test_holds(entry: str) -> None:
    assert not list(unproved(entry))


MUTANTS = [
    (
        "CONSUMED-MESSAGES",
        "execution:consume_messages",
        "put_inbox(chain, message.origin,",
        "(lambda *_: chain)(chain,",
    ),
    ("CONSUMED-MESSAGES", "chain:put_inbox", "local.owing.insert(origin)", "local.owing"),
    ("CONSUMED-MESSAGES", "chain:put_inbox", "inbox.added, inbox.removed", "inbox.added, Queue()"),
    ("VOTES-OWE-NOTHING", "validator:handle_request", "check_not_anticipated(context, staged)", "pass"),
    (
        "VOTES-OWE-NOTHING",
        "validator:handle_request",
        "evolve(local, pending=",
        "evolve(staged.chain.localized, pending=",
    ),
    ("VOTES-OWE-NOTHING", "execution:execute_block", "chain = consume_messages(chain, block)", "pass"),
    ("COMMIT-CONSUMES", "execution:execute_block", "chain = consume_messages(chain, block)", "pass"),
    ("COMMIT-CONSUMES", "execution:commit_block", "pending=None", "pending=chain.localized.pending"),
    ("NOTHING-OWED", "execution:check_not_anticipated", "staged.chain.localized.owing.is_empty", "True"),
]


@pytest.mark.parametrize(("entry", "function", "old", "new"), MUTANTS)
def test_sees_a_broken_function(entry: str, function: str, old: str, new: str) -> None:
    assert sees(entry, edit(function, old, new))


@pytest.mark.parametrize(
    ("entry", "hypothesis"), [(name, used) for name, entry in ENTRIES.items() for used in entry.uses]
)
def test_every_hypothesis_is_needed(entry: str, hypothesis: str) -> None:
    assert any(unproved(entry, dropped=hypothesis))

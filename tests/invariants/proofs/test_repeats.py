"""Repeated deliveries and pending requests: the proofs hold, and a broken function or a missing fact breaks them."""

import pytest
from proving import sees, unproved

from linera_invariants.mutation import edit
from linera_invariants.proofs.entries import theorems

ENTRIES = {name: e for name, e in theorems().items() if e.file.endswith("65-laws.toml")}


@pytest.mark.parametrize("entry", ENTRIES)
def test_holds(entry: str) -> None:
    assert not list(unproved(entry))


DELIVER, REQUESTS = "validator:handle_update_recipient", "validator:cross_chain_requests"
MUTANTS = [
    ("REPEATED-DELIVERY", DELIVER, "if selected:", "if not selected:"),
    ("REPEATED-DELIVERY", DELIVER, "if selected:", "if True:"),
    ("REPEATED-DELIVERY", DELIVER, "check_batch(request)", "check_batch(context)"),
    ("PENDING-REQUESTS", REQUESTS, "if outboxes", "if not outboxes"),
    ("PENDING-REQUESTS", REQUESTS, "update_recipient(chain, recipient)", "update_recipient(chain, chain.chain_id)"),
    ("PENDING-REQUESTS", "validator:update_recipient", "chain.chain_id, recipient", "recipient, chain.chain_id"),
]


@pytest.mark.parametrize(("entry", "function", "old", "new"), MUTANTS)
def test_sees_a_broken_function(entry: str, function: str, old: str, new: str) -> None:
    assert sees(entry, edit(function, old, new))


@pytest.mark.parametrize("hypothesis", ENTRIES["REPEATED-DELIVERY"].uses)
def test_every_hypothesis_is_needed(hypothesis: str) -> None:
    assert any(unproved("REPEATED-DELIVERY", dropped=hypothesis))

"""Thresholds and weights: the proofs hold, and a wrong threshold, sum or check breaks them."""

from itertools import compress, product

import pytest
import z3
from proving import sees, unproved
from support import committee, signers

from linera_invariants.mutation import edit
from linera_invariants.proofs.contracts.committee import (
    NOBODY,
    VALIDATORS,
    insert,
    listed,
    right,
    size,
    weight_definition,
    weight_of,
)
from linera_reference.committee import combined_weight

ENTRIES = [
    "QUORUM-ARITHMETIC",
    "N-MINUS-F",
    "IS-QUORUM",
    "WEIGHT-LAW",
    "WEIGHT-INSERT",
    "WEIGHT",
    "COMBINED-WEIGHT",
    "COMMITTEE-TOTAL",
    "QUORUM-INTERSECTION",
    "QUORUM-CORRECT",
    "CORRECT-QUORUM",
    "VALIDITY-THRESHOLD",
]


@pytest.mark.parametrize("entry", ENTRIES)
def test_holds(entry: str) -> None:
    assert not list(unproved(entry))


MUTANTS = [
    ("QUORUM-ARITHMETIC", "max_faulty", "(total - 1) // 3", "total // 3"),
    ("QUORUM-ARITHMETIC", "quorum_threshold", "total - max_faulty(total)", "total - max_faulty(total) - 1"),
    ("QUORUM-ARITHMETIC", "quorum_threshold", "validity_threshold(total) + 1", "validity_threshold(total)"),
    ("QUORUM-ARITHMETIC", "validity_threshold", "total + 2", "total + 3"),
    ("IS-QUORUM", "is_quorum", "votes >= quorum_threshold", "votes > quorum_threshold"),
    ("IS-QUORUM", "is_quorum", "votes > 0 and ", ""),
    ("WEIGHT", "weight", "get(validator, 0)", "get(validator, 1)"),
    ("COMBINED-WEIGHT", "combined_weight", "n + weight(committee, v), 0", "n + weight(committee, v), 1"),
    ("COMMITTEE-TOTAL", "make_committee", "n + w, 0", "n + 1, 0"),
    ("COMMITTEE-TOTAL", "make_committee", "len(table) == len(members)", "True"),
    ("COMMITTEE-TOTAL", "make_committee", "0 <= w <= MAX_U64", "w <= MAX_U64"),
    ("COMMITTEE-TOTAL", "make_committee", "total < TOTAL_BOUND", "total <= TOTAL_BOUND"),
]


@pytest.mark.parametrize(("entry", "function", "old", "new"), MUTANTS)
def test_sees_a_broken_function(entry: str, function: str, old: str, new: str) -> None:
    assert sees(entry, edit(f"committee:{function}", old, new))


@pytest.mark.parametrize("hypothesis", ["IS-QUORUM", "COMMITTEE-TOTAL", "WEIGHT-LAW", "FAULT-BOUND"])
def test_quorum_intersection_needs_each_hypothesis(hypothesis: str) -> None:
    assert any(unproved("QUORUM-INTERSECTION", dropped=hypothesis))


@pytest.mark.parametrize("weights", [(1, 0, 5), (2, 2)])
def test_the_definition_of_weight_is_what_the_function_computes(weights: tuple[int, ...]) -> None:
    keys = [signer.public_key for signer in signers(len(weights))]
    names = z3.Consts(" ".join(f"v{i}" for i in range(len(weights))), VALIDATORS)
    for chosen in product((False, True), repeat=len(weights)):
        members = NOBODY
        for name in compress(names, chosen):
            members = insert(members, name)
        solver = z3.Solver()
        solver.add(size == len(weights), z3.Distinct(*names))
        for i, name in enumerate(names):
            solver.add(listed(i) == name, right(name) == weights[i], weight_definition(members, z3.IntVal(i)))
        solver.add(weight_of(members) != combined_weight(committee(weights), compress(keys, chosen)))
        assert solver.check() == z3.unsat

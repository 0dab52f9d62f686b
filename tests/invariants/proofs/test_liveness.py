"""What is proved of clients: it holds, and a broken strategy, a broken handler or a missing hypothesis is noticed."""

import pytest
import z3
from proving import sees

from linera_invariants.mutation import edit
from linera_invariants.proofs.queries import ask
from linera_invariants.proofs.theorems import queries

ENTRIES = [
    "SYNCHRONISATION",
    "MESSAGES-AGAIN",
    "UPLOADS-BOUNDED",
    "SCHEDULE-ACCEPTS",
    "CERTIFICATE-ACCEPTED",
    "REQUEST-ACCEPTED",
    "PROPOSAL-ACCEPTED",
    "CREATED-BY-PARENT",
    "ARCHIVED-WAS-CLOSED",
    "UPLOAD-ACCEPTED",
    "MONOTONE-VALIDATION",
    "PROPOSAL-COMPLETES",
    "VALIDATED-ACCEPTED",
    "NEVER-STUCK",
    "ANSWERS-ALIKE",
    "COLLECT",
    "QUORUM-SUFFICES",
]


def failing(name: str, dropped: str | None = None) -> list[str]:
    return [query.name for query in queries(name, dropped) if not ask(query, "z3").is_expected(query)]


@pytest.mark.parametrize("name", ENTRIES)
def test_the_theorems_hold(name: str) -> None:
    assert failing(name) == []


def test_what_nodes_say_must_be_true() -> None:
    assert failing("SYNCHRONISATION", "TRUE-VIEWS") != []


BROKEN = [
    ("SYNCHRONISATION", "client:is_reached", "info.created and ", ""),
    ("SYNCHRONISATION", "client:is_reached", ">=", ">"),
    (
        "SYNCHRONISATION",
        "client:next_transfer",
        "min(goal.height, ahead(goal.chain_id).next_height)",
        "goal.height + 1",
    ),
    ("SYNCHRONISATION", "client:next_transfer", "if is_reached(behind, before) else", "if True else"),
    ("SYNCHRONISATION", "client:next_transfer", "height + 1", "height"),
    ("SYNCHRONISATION", "client:measure", "max(0, goal.height - info.next_height)", "goal.height - info.next_height"),
    ("SYNCHRONISATION", "client:measure", "uncreated + 1", "uncreated"),
    ("SYNCHRONISATION", "client:measure", "blocks + above", "above"),
    ("MESSAGES-AGAIN", "client:next_transfer_for_messages", "goal.height - 1", "goal.height"),
    ("SCHEDULE-ACCEPTS", "outbox:schedule", "height < MAX_U64", "height < MAX_U64 - 1"),
    ("CERTIFICATE-ACCEPTED", "validator:is_next", "height == part.next_height", "height == part.next_height + 1"),
    ("CERTIFICATE-ACCEPTED", "validator:execute_certified", "height < MAX_U64", "height < MAX_U64 - 1"),
    ("COLLECT", "client:collect", "certificate is not None", "certificate is None"),
    ("COLLECT", "client:collect", "aggregate = outcome.state", "pass"),
    ("COLLECT", "certificate:add_vote", "> 0", "> 1"),
    ("REQUEST-ACCEPTED", "certification:already_voted", ".block == request.block", ".block != request.block"),
    ("REQUEST-ACCEPTED", "validator:check_chaining", "previous == last", "previous is None"),
    ("PROPOSAL-ACCEPTED", "validator:check_chaining", "height < MAX_U64", "height < MAX_U64 - 1"),
    ("VALIDATED-ACCEPTED", "rounds:lock_after", "certificate.round >= current", "certificate.round > current"),
    ("VALIDATED-ACCEPTED", "rounds:lock_after", "locked.executed == certificate.executed", "False"),
]


@pytest.mark.parametrize(("name", "function", "old", "new"), BROKEN)
def test_broken_functions_fail(name: str, function: str, old: str, new: str) -> None:
    assert sees(name, edit(function, old, new))


def test_the_way_to_a_goal_can_be_long() -> None:
    """The strategies are about identifiers of any length: a witness with a grandchild exists."""
    found = [query for query in queries("SYNCHRONISATION") if query.expect_model]
    assert found
    long = z3.Length(z3.Const("goal", z3.SeqSort(z3.IntSort()))) > 2
    solver = z3.Solver()
    solver.add(*found[0].formulas, long)
    assert str(solver.check()) == "sat"

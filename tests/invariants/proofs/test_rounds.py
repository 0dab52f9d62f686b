"""The protocol with rounds: what is proved of it rests on every rule of the shipped code, and on each hypothesis."""

import pytest
import z3
from proving import sees, unproved

from linera_invariants.convictions import Offence, is_answer, offence
from linera_invariants.mutation import edit
from linera_invariants.proofs.entries import theorems as entries
from linera_invariants.proofs.network_theorems.accountability import BALLOTS, is_answered
from linera_invariants.proofs.queries import ask, witness
from linera_invariants.proofs.theorems import queries
from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Certificate, Kind

ACCOUNTABLE = ["ACCOUNTABILITY", "NEVER-CONVICTED", "BROKEN-LOCKS", "CONFLICTS-CONVICT"]
NEEDED = ["NEVER-CONVICTED", "BROKEN-LOCKS", "CONFLICTS-CONVICT", "CONFIRMED-FOR-GOOD", "ONE-OUTCOME", "NEVER-STUCK"]


@pytest.mark.parametrize("entry", ACCOUNTABLE)
def test_conflicts_convict_and_nobody_correct_is_convicted(entry: str) -> None:
    assert not list(unproved(entry))


@pytest.mark.parametrize(("entry", "hypothesis"), [(name, used) for name in NEEDED for used in entries()[name].uses])
def test_a_hypothesis_is_needed(entry: str, hypothesis: str) -> None:
    assert any(unproved(entry, dropped=hypothesis))


@pytest.mark.parametrize("entry", ["UNIQUE-VALIDATED", "LOCK-PRESERVATION", "ONE-BLOCK"])
def test_quorums_that_share_only_byzantine_validators_are_too_small(entry: str) -> None:
    asked = [query for query in queries(entry, dropped="QUORUM-INTERSECTION") if not query.expect_model]
    assert any(ask(query, "z3", seconds=1).answer != "proved" for query in asked)


RULES = [
    ("PROPOSAL-IN-ROUND", "rounds:accepted_before", "request.round > rounds.last", "True", "two votes in a round"),
    ("PROPOSAL-IN-ROUND", "rounds:accepted_before", "binding.round < request.round and ", "", "the lock's own round"),
    ("PROPOSAL-IN-ROUND", "rounds:accepted_before", " and binding.executed.block == request.block", "", "the lock"),
    ("BINDING-LOCK", "rounds:binding_lock", "justification.round > rounds.locked.round", "True", "stale"),
    (
        "CHECK-JUSTIFICATION",
        "validator:check_justification",
        "check_validated(context, justification)",
        "pass",
        "unchecked",
    ),
    ("HANDLE-VALIDATED", "rounds:lock_after", "certificate.round >= current", "True", "a final vote in an old round"),
    ("HANDLE-VALIDATED", "rounds:lock_after", "locked.executed == certificate.executed", "True", "two final votes"),
    ("HANDLE-VALIDATED", "validator:handle_validated", "check_validated(context, certificate)", "pass", "unfounded"),
    ("CHECK-VALIDATED", "validator:check_validated", "certificate.kind is Kind.VALIDATED", "True", "of any kind"),
    ("RESTART-CHAIN", "chain:restart_chain", "rounds=local.rounds,", "", "the lock is lost in a crash"),
    ("RESTART-CHAIN", "chain:restart_chain", "pending=local.pending,", "", "the vote is lost in a crash"),
]


@pytest.mark.parametrize(("entry", "function", "old", "new", "what"), RULES, ids=[rule[-1] for rule in RULES])
def test_a_rule_that_is_lost_is_missed(entry: str, function: str, old: str, new: str, what: str) -> None:
    assert what
    assert sees(entry, edit(function, old, new))


# --- what is proved of charges is what the shipped charges are --------------------------------------------------------

OUTCOMES = [ExecutedBlock(Block((0,), 0, None, transactions), (), bytes(32)) for transactions in ((), (1,))]
OUTCOMES += [ExecutedBlock(OUTCOMES[0].block, (), bytes([1] * 32))]


def vote(executed: ExecutedBlock, kind: Kind, its_round: int) -> Certificate:
    return Certificate(executed, kind, its_round, ())


@pytest.mark.parametrize("other", [1, 2])
@pytest.mark.parametrize("answer", [None, *((i, r) for i in range(3) for r in range(5))])
def test_what_answers_a_broken_lock(other: int, answer: tuple[int, int] | None) -> None:
    one, two = vote(OUTCOMES[0], Kind.CONFIRMED, 1), vote(OUTCOMES[other], Kind.VALIDATED, 3)
    assert offence(one, two) is Offence.BROKEN_LOCK
    answers = answer is not None and is_answer(vote(OUTCOMES[answer[0]], Kind.VALIDATED, answer[1]), one, two)
    assert ask(witness("answered", (*told(answer), is_answered(NAMES[0], 1, NAMES[other], 3))), "z3").answer == (
        "countermodel" if answers else "proved"
    )


NAMES = z3.Consts("zero one two", BALLOTS.executed)


def told(answer: tuple[int, int] | None) -> tuple[z3.BoolRef, ...]:
    """Say which blocks are the same, and that there is one validated certificate, or none."""
    e, r = z3.Const("e", BALLOTS.executed), z3.Int("r")
    only = z3.BoolVal(False) if answer is None else z3.And(e == NAMES[answer[0]], r == answer[1])
    zero, one, two = (BALLOTS.block(name) for name in NAMES)
    return z3.Distinct(*NAMES), zero != one, zero == two, z3.ForAll([e, r], BALLOTS.validated(e, r) == only)

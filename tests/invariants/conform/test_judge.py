"""Answers against vectors: what passes, what does not, and what is said about the difference."""

from copy import deepcopy
from functools import cache
from typing import Any

import pytest
from attrs import evolve

from linera_invariants.ci_reports import Status
from linera_invariants.conform.copies import Fault
from linera_invariants.conform.judge import MOST_DIFFERENCES, Verdict, expected_or_not, judge, known_states
from linera_invariants.conform.lists import OURS
from linera_invariants.conform.suite import Choice, choose
from linera_invariants.vectors.forms import digest_of
from linera_invariants.vectors.model import Vector
from linera_invariants.vectors.operations import perform
from linera_invariants.vectors.table import OPERATIONS


@cache
def area(name: str) -> dict[str, Vector]:
    return {vector.id: vector for vector in choose(Choice(areas=(name,))).vectors}


ACCEPTS = area("identifiers")["identifiers/child-first"]
REJECTS = area("identifiers")["identifiers/child-too-deep"]
REORDERED = evolve(REJECTS, allowed=("OUT_OF_RANGE",))


def transition(ending: str) -> Vector:
    """A vector about an inbox that is accepted or rejected."""
    return next(v for v in area("ordered-inbox").values() if v.operation == "add" and ending in v.expect)


def replayed() -> Vector:
    """A vector of several steps."""
    return next(v for v in area("requests").values() if v.operation == "replay" and len(v.expect["accepted"]) > 1)


def refused() -> Vector:
    """A vector of several steps whose last one is rejected."""
    replays = (v for v in area("requests").values() if v.operation == "replay")
    return next(vector for vector in replays if "rejected" in vector.expect["accepted"][-1])


def own(vector: Vector) -> Any:
    """The reference's own answer."""
    return perform(OPERATIONS[vector.operation], vector.arguments)


@pytest.mark.parametrize("vector", [ACCEPTS, REJECTS, transition("accepted"), transition("rejected"), replayed()])
def test_the_references_own_answer_passes(vector: Vector):
    assert judge(vector, own(vector), OURS) == Verdict(Status.PASSED)


@pytest.mark.parametrize(
    ("vector", "answer", "what"),
    [
        (ACCEPTS, {"accepted": ["0", "1"]}, "accepted.1: expected '0', found '1'"),
        (ACCEPTS, {"accepted": ["0"]}, "accepted: expected a list of 2, found a list of 1"),
        (ACCEPTS, {"accepted": None}, "expected acceptance, found acceptance of None"),
        (ACCEPTS, {"rejected": "ARITHMETIC", "detail": None}, "expected acceptance, found ARITHMETIC"),
        (REJECTS, {"accepted": ["7"] * 17}, "expected INVALID_NEW_CHAIN_ID, found acceptance"),
        (REJECTS, {"rejected": "OUT_OF_RANGE"}, "expected INVALID_NEW_CHAIN_ID, found OUT_OF_RANGE"),
        (REJECTS, {"rejected": "INVALID_NEW_CHAIN_ID", "detail": "1"}, "detail: expected a list of 16, found '1'"),
        (REJECTS, {"rejected": "INVALID_NEW_CHAIN_ID", "state": "0" * 64}, "state: expected nothing, found"),
        (REORDERED, {"rejected": "ARITHMETIC"}, "expected INVALID_NEW_CHAIN_ID, found ARITHMETIC"),
    ],
)
def test_another_answer_fails(vector: Vector, answer: Any, what: str):
    verdict = judge(vector, answer, OURS)
    assert verdict.status is Status.FAILED
    assert what in verdict.what


def test_a_detail_may_be_left_out_and_an_allowed_reason_has_its_own():
    assert judge(REJECTS, {"rejected": "INVALID_NEW_CHAIN_ID"}, OURS).status is Status.PASSED
    assert judge(REORDERED, {"rejected": "OUT_OF_RANGE", "detail": "16"}, OURS).status is Status.PASSED


def test_what_accepting_would_mean_is_said():
    verdict = judge(REJECTS, {"accepted": ["7"] * 17}, OURS)
    assert verdict.differences[-1].endswith(".")
    assert len(verdict.differences[-1]) > 40


# --- names of errors ---


def test_an_unmapped_rejection_is_no_pass_and_is_said_so():
    verdict = judge(REJECTS, {"rejected": "TooDeep"}, OURS)
    assert verdict.status is Status.FAILED
    assert "unmapped rejection: 'TooDeep'" in verdict.what
    assert judge(REJECTS, {"rejected": "TooDeep"}, {**OURS, "TooDeep": ("INVALID_NEW_CHAIN_ID",)}).what == ""


def test_a_name_for_several_reasons_passes_and_is_reported():
    mapping = {**OURS, "Bad": ("ARITHMETIC", "INVALID_NEW_CHAIN_ID")}
    assert judge(REJECTS, {"rejected": "Bad", "detail": "any"}, mapping) == Verdict(Status.PASSED, coarse=("Bad",))
    mapping["Bad"] = ("ARITHMETIC", "OUT_OF_RANGE")
    assert judge(REJECTS, {"rejected": "Bad"}, mapping).status is Status.FAILED
    assert judge(REORDERED, {"rejected": "Bad"}, mapping).status is Status.PASSED


def renamed(answer: Any, name: str) -> Any:
    """The same answer with another name in the rejections of its steps."""
    steps = [{**step, "rejected": name} if "rejected" in step else step for step in answer["accepted"]]
    return {"accepted": steps}


def test_names_are_translated_in_steps_too():
    vector = refused()
    reason = vector.expect["accepted"][-1]["rejected"]
    theirs = renamed(own(vector), "Theirs")
    assert "unmapped" in judge(vector, theirs, OURS).what
    assert judge(vector, theirs, {**OURS, "Theirs": (reason,)}).status is Status.PASSED
    other = next(name for name in OURS if name != reason)
    number = len(vector.expect["accepted"])
    assert judge(vector, theirs, {**OURS, "Theirs": (other,)}).what.startswith(f"step {number}: expected {reason}")


# --- states ---


def with_states(vector: Vector) -> Any:
    """The reference's answer with the states themselves in place of their digests."""
    known = known_states(vector)

    def shown(form: Any) -> Any:
        if isinstance(form, str):
            return known.get(form, form)
        if isinstance(form, dict):
            return {key: shown(value) for key, value in form.items()}
        return [shown(item) for item in form] if isinstance(form, list) else form

    return deepcopy(shown(own(vector)))


@pytest.mark.parametrize("vector", [transition("rejected"), refused()])
def test_a_state_may_come_as_a_form_and_is_then_compared_field_by_field(vector: Vector):
    answer = with_states(vector)
    assert answer != own(vector)
    assert judge(vector, answer, OURS).status is Status.PASSED
    state = answer["state"] if "state" in answer else answer["accepted"][-1]["state"]
    state[next(iter(state))] = "12345"
    verdict = judge(vector, answer, OURS)
    assert verdict.status is Status.FAILED
    line = verdict.differences[0]
    assert f"state.{next(iter(state))}: expected" in line
    assert line.endswith("found '12345'")


def test_a_wrong_digest_asks_for_the_state():
    vector = refused()
    answer = own(vector)
    answer["accepted"][-1]["state"] = digest_of("another")
    (line,) = judge(vector, answer, OURS).differences
    assert " state: expected" in line
    assert line.endswith("(answer with the state itself to see where)")


def test_a_state_that_changed_on_a_rejection_fails():
    vector = transition("rejected")
    verdict = judge(vector, {**own(vector), "state": digest_of({})}, OURS)
    assert verdict.status is Status.FAILED
    assert verdict.what.startswith("state: expected")
    assert judge(vector, {"rejected": vector.expect["rejected"]}, OURS).status is Status.FAILED


# --- what is no answer ---


def test_faults_skips_and_errors_are_kept_apart():
    assert judge(ACCEPTS, Fault("gone", stderr=("why",)), OURS) == Verdict(Status.ERRORED, "gone", stderr=("why",))
    assert judge(ACCEPTS, Fault("slow", timed_out=True), OURS).status is Status.TIMED_OUT
    assert judge(ACCEPTS, {"skipped": "later\x1b[31m\nmore"}, OURS) == Verdict(Status.SKIPPED, "later\\x1b[31m; more")
    assert judge(ACCEPTS, {"errored": "oh"}, OURS) == Verdict(Status.ERRORED, "oh")


def nested(depth: int) -> Any:
    form: Any = "x"
    for _ in range(depth):
        form = [form]
    return form


@pytest.mark.parametrize("answer", [{"accepted": nested(5000)}, {"rejected": "ARITHMETIC", "state": nested(5000)}])
def test_depth_and_breadth_do_no_harm(answer: Any):
    assert judge(transition("rejected"), answer, OURS).status is Status.FAILED
    assert judge(replayed(), answer, OURS).status is Status.FAILED


def test_the_list_of_differences_is_bounded():
    vector = transition("accepted")
    inbox = {**vector.expect["accepted"], **{f"extra{i}": "x" * 1000 for i in range(1000)}}
    verdict = judge(vector, {"accepted": inbox}, OURS)
    assert len(verdict.differences) == MOST_DIFFERENCES + 1
    assert verdict.differences[-1] == "and more"


def test_expected_failures_are_strict():
    passed, failed, skipped = (Verdict(status) for status in (Status.PASSED, Status.FAILED, Status.SKIPPED))
    assert expected_or_not(failed, "issue 7").status is Status.EXPECTED
    assert expected_or_not(Verdict(Status.TIMED_OUT, "slow"), "issue 7").what == "issue 7: slow"
    assert expected_or_not(passed, "issue 7").status is Status.UNEXPECTED
    assert expected_or_not(skipped, "issue 7") == skipped
    assert expected_or_not(failed, None) == failed

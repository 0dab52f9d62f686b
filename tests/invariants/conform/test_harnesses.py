"""Harnesses that are right pass; those with one broken rule or promise are caught, each for the right reason."""

from pathlib import Path

import pytest
from conforming import REFERENCE, RIGHT, bad, broken_promises, ran, suite_of, wrong

from linera_invariants.ci_reports import Status

RULES = {
    "quorum-too-small": (
        "certificates/signers-equal-n-minus-f-v1-v2",
        "expected CERTIFICATE_REQUIRES_QUORUM, found acceptance of None",
        "certificates/list-v1-v1",
    ),
    "duplicate-signer": (
        "certificates/list-v1-v2-v1",
        "expected CERTIFICATE_VALIDATOR_REUSE, found acceptance of None",
        "certificates/signers-equal-n-minus-f-v1-v2",
    ),
    "long-lengths": (
        "encoding/length-identifier-padded-twice",
        "expected NON_CANONICAL_LENGTH, found acceptance",
        "encoding/map-swapped",
    ),
    "unsorted-map": (
        "encoding/map-swapped",
        "expected UNSORTED_MAP, found acceptance",
        "encoding/length-identifier-padded-twice",
    ),
    "cursor-off-by-one": (
        "ordered-inbox/add-a",
        "accepted.next_add.index: expected '1', found '2'",
        "certificates/list-v1-v1",
    ),
    "order-not-checked": (
        "ordered-inbox/remove-b-remove-a",
        "expected INCORRECT_MESSAGE_ORDER, found acceptance",
        "ordered-inbox/add-a",
    ),
    "anybody-proposes": ("requests/invalid-owner", "expected INVALID_OWNER, found acceptance", "ordered-inbox/add-a"),
    "round-repeated": (
        "rounds/rival-same-round",
        "expected INSUFFICIENT_ROUND, found acceptance",
        "rounds/rival-later",
    ),
    "lock-ignored": (
        "rounds/locked-rival-later",
        "expected HAS_LOCKED_BLOCK, found acceptance",
        "rounds/locked-same-later",
    ),
    "justification-ignored": (
        "rounds/locked-rival-released",
        "expected acceptance, found HAS_LOCKED_BLOCK",
        "rounds/locked-rival-later",
    ),
    "justification-unverified": (
        "rounds/request-certificate-requires-quorum",
        "expected CERTIFICATE_REQUIRES_QUORUM, found acceptance",
        "rounds/locked-rival-released",
    ),
    "two-final-votes": (
        "rounds/relock-same-rival",
        "expected HAS_LOCKED_BLOCK, found acceptance",
        "rounds/relock-higher-rival",
    ),
    "lock-not-released": ("rounds/reset", "state: expected", "rounds/lock-again"),
    "turns-ignored": (
        "swap/turn-one-bob",
        "expected OUT_OF_TURN, found acceptance",
        "swap/turn-one-alice",
    ),
    "wrong-reason-order": (
        "requests/invalid-owner-before-invalid-signature",
        "expected INVALID_OWNER, found INVALID_SIGNATURE",
        "requests/invalid-owner",
    ),
    "changed-state": ("ordered-inbox/remove-b-remove-a", "state: expected", "ordered-inbox/add-a"),
}
"""Which rule is broken: a vector that notices, what it notices, and one that is about something else."""


@pytest.mark.parametrize("rule", RULES)
def test_one_broken_rule_is_noticed_by_the_vectors_about_it(rule: str):
    notices, what, passes = RULES[rule]
    report = ran(wrong(rule), notices, passes)
    assert list(bad(report)) == [notices]
    status, found = bad(report)[notices]
    assert status is Status.FAILED
    assert what in found
    assert not report.holds


def test_the_reference_passes():
    names = [name for notices, _, passes in RULES.values() for name in (notices, passes)]
    report = ran(REFERENCE, *names)
    assert report.holds
    assert report.counts == {Status.PASSED: len(set(names))}


def test_the_example_passes_its_area_and_skips_the_rest():
    assert ran(RIGHT).holds
    report = ran(RIGHT, area="outbox")
    assert set(report.counts) == {Status.SKIPPED}
    assert not report.holds
    assert "nothing was established" in report.summary()


# --- check-harness ---


@pytest.fixture(scope="module")
def two_areas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of vectors with two areas."""
    return suite_of(tmp_path_factory.mktemp("vectors"), "identifiers", "ordered-inbox")


@pytest.mark.parametrize("harness", [RIGHT, REFERENCE])
def test_right_harnesses_keep_their_promises(harness: str, two_areas: Path):
    assert broken_promises(harness, two_areas) == {}


HONEST = "capabilities are what it answers"
ANSWERS = "every request is answered in order, in the form of the protocol"
ENDS = "it starts, says what it can, and stops with exit code 0"


@pytest.mark.parametrize(
    ("fault", "check", "what"),
    [
        ("lists-more", HONEST, "add is listed, and every request for it is skipped"),
        ("lists-less", HONEST, "is_ancestor is not listed: expected every request for it to be skipped"),
        ("lists-nonsense", "capabilities name operations", "expected names of operations, found fly"),
        ("promises-details", "rejections have a detail if it says so", "expected a detail, since details is true"),
        ("remembers", "nothing is remembered from one request to the next", "expected the same answer whenever"),
        ("malformed", ANSWERS, "expected JSON"),
        ("unasked", ANSWERS, "nobody asked"),
        ("old-protocol", ENDS, "expected protocol version 1"),
        ("wrong-exit-code", ENDS, "expected exit code 0 after stop"),
        ("stateless-rejections", "rejections of transitions carry the state", "expected a state"),
    ],
)
def test_a_broken_promise_is_found(fault: str, check: str, what: str, two_areas: Path):
    found = broken_promises(wrong(fault), two_areas)
    assert what in " ".join(found[check])

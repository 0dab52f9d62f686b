"""Accumulated vectors: every subject meets every outcome, depends on all its inputs, and notices a broken rule."""

from hashlib import sha3_256

import pytest

from linera_invariants.mutation import applied, edit
from linera_invariants.vectors import accumulate as module
from linera_invariants.vectors.accumulate import MAX_STEPS, SUBJECTS, accumulate
from linera_invariants.vectors.forms import FormError
from linera_reference.committee import max_faulty, quorum_threshold, validity_threshold
from linera_reference.rules import QuorumRule

STEPS = 2000


def pieces(subject: str, steps: int = STEPS) -> list[bytes]:
    return list(SUBJECTS[subject](module._draws(subject, b"seed", steps)))


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_digest_depends_on_everything(subject: str):
    found = [accumulate(subject, seed, steps) for seed in (b"", b"\0") for steps in (9, 10, 11)]
    assert len(set(found)) == 6
    assert accumulate(subject, b"seed", STEPS) == sha3_256(b"".join(pieces(subject))).digest()


def test_draws_are_what_the_text_says():
    (draw,) = module._draws("outbox", b"seed", 1)
    assert draw == sha3_256(b"accumulate::outbox::seed" + bytes(8)).digest()


def test_the_first_line_of_thresholds():
    r = sha3_256(b"accumulate::thresholds::seed" + bytes(8)).digest()
    total = 1 + (int.from_bytes(r[:8], "little") % (2**63 - 1)) // 2 ** (r[8] % 63)
    least, half_way = quorum_threshold(total), quorum_threshold(total, QuorumRule.HALF_WAY)
    votes = least - 1 + r[9] % 3
    words = max_faulty(total), validity_threshold(total), least, half_way, int(votes >= least), int(votes >= half_way)
    assert pieces("thresholds", 1) == [" ".join(map(str, words)).encode() + b"\n"]


@pytest.mark.parametrize(
    ("subject", "outcomes"),
    [
        ("ordered-inbox", {b"UNEXPECTED_MESSAGE\n", b"INCORRECT_MESSAGE_ORDER\n"}),
        ("encoding", {b"UNEXPECTED_END\n", b"TRAILING_BYTES\n", b"INVALID_TAG\n", b"NON_CANONICAL_LENGTH\n"}),
    ],
)
def test_subjects_meet_rejections_and_successes(subject: str, outcomes: set[bytes]):
    found = pieces(subject)
    assert outcomes <= set(found)
    assert sum(piece not in outcomes for piece in found) > STEPS // 10


def test_inboxes_anticipate_and_wait():
    lines = [line.split() for line in pieces("ordered-inbox")[:-1]]
    assert {line[4] != b"0" for line in lines if len(line) == 6} == {True, False}
    assert {line[5] != b"0" for line in lines if len(line) == 6} == {True, False}


def test_some_payloads_have_lengths_of_three_bytes():
    assert any(len(piece) > module.LONG for piece in pieces("encoding", 20_000))


@pytest.mark.parametrize(
    ("subject", "function", "old", "new"),
    [
        ("thresholds", "committee:max_faulty", "total - 1", "total"),
        ("thresholds", "committee:is_quorum", ">= quorum", "> quorum"),
        ("two-set-inbox", "inbox:add_to_sets", "inbox.minus.remove(message)", "inbox.minus"),
        ("ordered-inbox", "inbox:add", "cursor >= inbox.next_add", "cursor > inbox.next_add"),
        ("ordered-inbox", "inbox:remove", "message, Reason.UNEXPECTED", "message or True, Reason.UNEXPECTED"),
        ("outbox", "outbox:confirm", "height + 1", "height"),
        ("outbox", "outbox:count_down", "count > 1", "count > 2"),
        ("encoding", "encoding:_read_uleb", "byte > 0 or shift == 0", "True"),
    ],
)
def test_a_broken_rule_is_noticed(subject: str, function: str, old: str, new: str):
    before = accumulate(subject, b"seed", STEPS)
    with applied(edit(function, old, new)):
        try:
            after = accumulate(subject, b"seed", STEPS)
        except KeyError:  # a counter that is not there
            after = b""
    assert after != before


@pytest.mark.parametrize(("subject", "steps"), [("nothing", 1), ("outbox", MAX_STEPS + 1)])
def test_what_cannot_be_run_is_refused(subject: str, steps: int):
    with pytest.raises(FormError, match="at most"):
        accumulate(subject, b"", steps)

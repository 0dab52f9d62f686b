"""The protocol: its schema describes what is sent and what is answered, and nothing else."""

import json
import subprocess
import sys
from itertools import pairwise
from typing import Any

import pytest
from conforming import HARNESSES

from linera_invariants.conform.lines import ProtocolError, next_seq, parse_answer, request
from linera_invariants.conform.suite import Choice, choose
from linera_invariants.inputs import part_validator
from linera_invariants.vectors.model import AREAS


def fits(message: Any, part: str) -> bool:
    return next(part_validator("harness", part).iter_errors(message), None) is None


def some_vectors() -> list[Any]:
    """The first and the last vector of each area."""
    found = [choose(Choice(areas=(area,))).vectors for area in AREAS]
    return [vector for vectors in found for vector in (vectors[0], vectors[-1]) if vector.operation != "accumulate"]


def test_every_message_fits_the_schema():
    vectors = some_vectors()
    asked = [
        ("start", {"protocol": 1}),
        ("capabilities", {}),
        *(("run", {"vector": v.id, "operation": v.operation, "arguments": v.arguments}) for v in vectors),
        ("stop", {}),
    ]
    lines = [request(seq, cmd, **content) for seq, (cmd, content) in enumerate(asked, 1)]
    done = subprocess.run(
        [sys.executable, HARNESSES / "reference.py"], input=b"".join(lines), capture_output=True, check=True
    )
    answers = done.stdout.splitlines()
    assert len(answers) == len(lines)
    for line, answer, (cmd, _) in zip(lines, answers, asked, strict=True):
        assert fits(json.loads(line), f"ask_{cmd}")
        assert fits(json.loads(line), "request")
        assert fits(json.loads(answer), cmd)
        assert fits(json.loads(answer), "answer")
        assert parse_answer(answer, cmd)["seq"] == json.loads(line)["seq"]


@pytest.mark.parametrize(
    "message",
    [
        {"seq": 0, "accepted": None},
        {"accepted": None},
        {"seq": 1, "accepted": 7},
        {"seq": 1, "accepted": {"a": [1]}},
        {"seq": 1, "accepted": None, "rejected": "X"},
        {"seq": 1, "rejected": ""},
        {"seq": 1, "rejected": None},
        {"seq": 1, "rejected": "X", "state": "short"},
        {"seq": 1, "skipped": ""},
        {"seq": 1, "errored": []},
        {"seq": 1, "stopped": False},
        {"seq": True, "accepted": None},
        {"seq": 1},
        [],
        None,
    ],
)
def test_what_the_schema_refuses_the_reader_refuses(message: Any):
    assert not fits(message, "answer")
    with pytest.raises(ProtocolError):
        parse_answer(json.dumps(message).encode(), "run")


def test_a_very_wide_answer_is_read_in_no_time():
    wide = b'{"seq": 1, "accepted": [' + b"[]," * 300_000 + b"[]]}"
    assert len(parse_answer(wide, "run")["accepted"]) == 300_001


def test_numbers_of_requests_grow_and_cannot_be_guessed():
    seqs = [0]
    for name in ("a", "b", "c", "a"):
        seqs.append(next_seq(seqs[-1], name))
    steps = [after - before for before, after in pairwise(seqs)]
    assert all(step > 0 for step in steps)
    assert len(set(steps)) == 3

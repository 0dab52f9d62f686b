"""The contracts that CrossHair attacks (`make crosshair`) hold of plain values too, and one of them is seen to fail."""

from pathlib import Path
from runpy import run_path

import pytest

from linera_invariants.mutation import applied, edit

LEAVES = run_path(str(Path(__file__).with_name("leaves.py")))


def test_they_hold() -> None:
    for total in (1, 4, 7, 100):
        LEAVES["thresholds"](total, (total - 1) // 3, halfway=False)
        LEAVES["thresholds"](total, 0, halfway=True)
        for votes in range(total + 1):
            LEAVES["decision"](votes, total)
    LEAVES["next_place"](2, 3, 2, 4)
    LEAVES["heights"](2, 3, 2)


def test_a_broken_decision_is_seen() -> None:
    with applied(edit("committee:is_quorum", "votes >=", "votes >")), pytest.raises(AssertionError):
        LEAVES["decision"](3, 4)

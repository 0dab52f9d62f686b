"""The pytest plug-in, as another project uses it: in a process of its own."""

import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from conforming import EXAMPLE

from linera_invariants.conform import pytest_plugin
from linera_invariants.conform.worlds import SmallNetwork, complaints
from linera_invariants.mutation import applied, edit

PLUGIN = "linera_invariants.conform.pytest_plugin"
IS_INSTALLED = any(found.value == PLUGIN for found in entry_points(group="pytest11"))


def ran(folder: Path, text: str) -> tuple[dict[str, int], str]:
    """Run a file of tests in a project of its own; return how many ended how."""
    (folder / "test_theirs.py").write_text(text)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\n")
    load = [] if IS_INSTALLED else ["-p", PLUGIN]
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *load, "--junitxml=out.xml"]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    last = done.stdout.splitlines()[-1]
    counts = {word: int(number) for number, word in (part.split()[:2] for part in last.split(" in ")[0].split(", "))}
    return counts, done.stdout + done.stderr


def test_the_entry_point_is_declared():
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"linera-reference": PLUGIN}


def test_it_imports_nothing_of_ours_until_it_is_used():
    script = (
        f"import sys, {PLUGIN}; print([m for m in sys.modules if m.startswith(('linera_reference.', 'hypothesis'))])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


USE = f"""
import sys
sys.path.insert(0, {str(EXAMPLE)!r})
import chain_names, harness, pytest

MAPPING = {{"too_deep": "INVALID_NEW_CHAIN_ID", "bad_number": ["INVALID_NEW_CHAIN_ID", "ARITHMETIC"]}}

@pytest.mark.linera_vectors("identifiers")
def test_names(linera_vector, linera_check):
    answer = harness.run(linera_vector.operation, linera_vector.arguments)
    linera_check(linera_vector, answer, MAPPING)

@pytest.mark.linera_vectors("identifiers/child-too-deep", "identifiers/child-first")
def test_broken(linera_vector, linera_check):
    linera_check(linera_vector, {{"accepted": ["0", "0"]}})

def test_network(linera_world, linera_check):
    linera_world.transfer("alice", to=(1,), amount=5)
    linera_world.receive("bob")
    linera_check(linera_world)

def test_wrong_use(linera_check):
    linera_check(7)
"""


def test_fixtures_and_vectors(tmp_path: Path):
    counts, output = ran(tmp_path, USE)
    assert counts == {"failed": 2, "passed": 70}
    assert "identifiers/child-too-deep: failed: expected INVALID_NEW_CHAIN_ID, found acceptance" in output
    assert "test_broken[identifiers/child-too-deep]" in output
    assert "TypeError: linera_check: expected a linera_world" in output


def test_an_unknown_area_is_one_message():
    with pytest.raises(pytest.UsageError, match="linera_vectors: --area: expected a known name, found 'inboxes'"):
        pytest_plugin._chosen(["inboxes"])


@pytest.mark.parametrize("answer", [None, {}, ["0"], {"accepted": None, "rejected": "X"}])
def test_what_is_no_answer_is_said_so(answer: object):
    (vector,) = pytest_plugin._chosen(["identifiers/child-first"])
    (complaint,) = complaints(vector, answer)
    assert "expected an answer with one of the keys accepted, rejected, skipped, errored" in complaint


def test_a_world_that_breaks_the_specification_is_judged():
    small = SmallNetwork()
    assert complaints(small) == []
    with applied(edit("committee:quorum_threshold", "total - max_faulty(total)", "1")):
        small.transfer("alice", (1,), 5)
        small.receive("bob")
        assert complaints(small)


@pytest.mark.parametrize("amount", [0, 2000])
def test_a_refused_transfer_is_no_violation(amount: int):
    small = SmallNetwork()
    small.transfer("alice", (1,), amount)
    assert complaints(small) == []

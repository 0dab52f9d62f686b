"""From failed proofs to attacks: a broken rule leads to one that can be replayed, the shipped rules to none."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import linera_reference
from linera_invariants.cli import main
from linera_invariants.mutation import applied, edit
from linera_invariants.proofs.attacks import reachable_attack

CORE = Path(linera_reference.__file__).parent
BROKEN = [
    ("committee:quorum_threshold", "total - max_faulty(total)", "total - max_faulty(total) - 1", "S1"),
    ("outbox:confirm", "height + 1", "height + 2", "S17"),
]


@pytest.mark.parametrize(("function", "old", "new", "statement"), BROKEN)
def test_a_broken_rule_leads_to_an_attack(function: str, old: str, new: str, statement: str) -> None:
    with applied(edit(function, old, new)):
        attack = reachable_attack()
    assert attack is not None
    assert attack.statement == statement


def test_the_shipped_rules_lead_to_none() -> None:
    assert reachable_attack() is None


def prove(tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command with the packages of a folder before the installed ones."""
    command = [
        sys.executable,
        "-c",
        "from linera_invariants.cli import main; main()",
        "prove",
        "QUORUM-ARITHMETIC",
        *options,
    ]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_the_attack_is_told_and_written(tmp_path: Path) -> None:
    core, trace = tmp_path / "linera_reference", tmp_path / "attack.json"
    shutil.copytree(CORE, core)
    module = core / "committee.py"
    whole, old = module.read_text(), "    return total - max_faulty(total)\n"
    assert whole.count(old) == 1
    module.write_text(whole.replace(old, old.rstrip() + " - 1\n"))
    found = prove(tmp_path, "--solver", "z3", "--no-gate", "--trace", str(trace))
    assert found.returncode == 1, found.stderr
    assert "quorums overlap: z3 says it has a countermodel" in found.stdout
    assert "S1 is violated after 10 steps:" in found.stdout
    assert json.loads(trace.read_text())["title"] == "An attack with the rules as they are"


def run(*options: str) -> int:
    with pytest.raises(SystemExit) as stopped:
        main(["prove", "QUORUM-ARITHMETIC", "--solver", "z3", "--no-gate", *options])
    return int(str(stopped.value.code))


def test_nothing_is_written_where_every_proof_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = tmp_path / "attack.json"
    assert run("--trace", str(trace)) == 0
    assert "no proof failed, so nothing was written" in capsys.readouterr().err
    assert not trace.exists()


def test_what_is_missing_is_said_first(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("linera_invariants.verify.has_numpy", lambda: False)
    assert run("--trace", "attack.json") == 2
    assert "numpy" in capsys.readouterr().err

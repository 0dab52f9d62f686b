"""The command line: exit codes, one JSON document, one message for bad input, nothing half written."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from commands import Command, Ended, runner
from typer.testing import CliRunner

from linera_invariants import __version__, bench, matrix, matrix_mutants, peer, registry
from linera_invariants import verify as verify_module
from linera_invariants.cli import app
from linera_invariants.inputs import schema_validator
from linera_invariants.peer import PeerReport, Status, VectorResult
from linera_invariants.specdata import spec_root

TOUR = str(spec_root() / "scenarios" / "01-tour.toml")


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return runner(capsys)


@pytest.fixture
def alarm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a predicate find something in every step."""
    monkeypatch.setattr(registry, "check_step", lambda *_: [registry.Violation("S4", "two certificates")])


# --- run ---------------------------------------------------------------------------------------------------------


def test_run_tells_and_judges(command: Command):
    ended = command("run", TOUR)
    assert ended.code == 0
    assert "   1. alice proposes block 0 of chain 0" in ended.out
    assert "at v1, chain 1 receives" not in ended.out
    assert ended.out.rstrip().endswith("01-tour (ed25519): holds, 80 actions judged, 10 expectations")


def test_run_verbose_and_quiet(command: Command):
    assert "at v1, chain 1 receives" in command("run", TOUR, "--verbose").out
    assert command("run", TOUR, "--quiet").out.count("\n") == 1


def test_run_finds_shipped_scenarios_by_name(command: Command):
    document = command("run", "08-equivocation", "09-double-spending", "--crypto", "ideal", "--json").document
    assert [(s["name"], s["crypto"], s["holds"]) for s in document["scenarios"]] == [
        ("08-equivocation", "ideal", True),
        ("09-double-spending", "ideal", True),
    ]


@pytest.mark.usefixtures("alarm")
def test_run_reports_a_violation(command: Command):
    ended = command("run", TOUR)
    assert ended.code == 1
    assert "step 1: S4: two certificates" in ended.out
    assert "VIOLATED" in ended.out
    assert command("run", TOUR, "--json").document["scenarios"][0]["holds"] is False


def test_run_reports_what_was_not_met(command: Command, tmp_path: Path):
    path = tmp_path / "wrong.toml"
    path.write_text(Path(TOUR).read_text().replace("balance = 55", "balance = 56"))
    ended = command("run", str(path))
    assert ended.code == 1
    assert "step 23: balance of chain 0 at v1: expected 56, found 55" in ended.out


def test_run_exports_an_audit(command: Command, tmp_path: Path):
    target = tmp_path / "audit.json"
    assert command("run", TOUR, "--quiet", "--export-audit", "0.0", str(target)).code == 0
    schema_validator("audit").validate(json.loads(target.read_text()))
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.usefixtures("alarm")
def test_run_exports_nothing_from_a_failing_run(command: Command, tmp_path: Path):
    assert command("run", TOUR, "--export-audit", "0", str(tmp_path / "x.json")).code == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "missing.toml"], "missing.toml: file: expected a readable file"),
        (["run", TOUR, "missing.toml"], "missing.toml: file: expected a readable file"),
        (["run", "99-none"], "no such file, and no shipped scenario of that name"),
        (["run", "01-tuor"], "did you mean 01-tour"),
        (["explain", "S1", "S99"], "unknown ID 'S99'"),
        (["run", TOUR, "--crypto", "rsa"], "--crypto: expected ed25519 or ideal"),
        (["run", TOUR, "--export-audit", "9", "{tmp}/x.json"], "chain 9: expected a chain that was created"),
        (["run", TOUR, "--export-audit", "zero", "{tmp}/x.json"], "chain: expected an identifier"),
        (["run", TOUR, "--export-audit", "0", "{tmp}/no/x.json"], "expected a writable place"),
        (["run", TOUR, TOUR, "--export-audit", "0", "{tmp}/x.json"], "expected one scenario"),
        (["audit", "missing.json"], "missing.json: file: expected a readable file"),
        (["audit", TOUR], "01-tour.toml: document: expected the key"),
        (["explain", "WP-9.9-NOTHING"], "WP-9.9-NOTHING"),
        (["matrix", "--changed"], "beside --mutants"),
        (["bench", "speed"], "expected audit or conform or "),
    ],
)
def test_wrong_input_is_one_message_and_no_file(command: Command, tmp_path: Path, arguments: list[str], message: str):
    arguments = [argument.replace("{tmp}", str(tmp_path)) for argument in arguments]
    ended = command(*arguments)
    assert ended.code == 2
    assert message in ended.err
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1
    assert ended.out == ""
    assert message in command(*arguments, "--json").document["error"]["message"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [["run"], ["run", "--colour", TOUR], ["dance"], ["verify", "--seed", "many"], ["audit", "--jobs", "0", "x.json"]],
)
def test_wrong_usage(command: Command, arguments: list[str]):
    ended = command(*arguments)
    assert ended.code == 2
    assert "Usage: linera-reference" in ended.err
    assert "standard error" in command(*arguments, "--json").document["error"]["message"]


# --- audit -------------------------------------------------------------------------------------------------------


def test_audit_establishes_or_refuses(command: Command, tmp_path: Path):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    command("run", TOUR, "--quiet", "--export-audit", "0.0", str(good))
    content = json.loads(good.read_text())
    bad.write_text(json.dumps(content | {"evidence": []}))
    ended = command("audit", str(good))
    assert ended.code == 0
    assert "chain 0.0: established from 2 blocks, 2 sender blocks" in ended.out
    assert "balance     68" in ended.out
    assert "under the committee of 4 validators, N = 4, quorum 3, digest " in ended.out
    ended = command("audit", str(good), str(bad), "--jobs", "2")
    assert ended.code == 1
    assert "bad.json: chain 0.0: evidence: MISSING_CROSS_CHAIN_UPDATE" in ended.out
    audits = command("audit", str(good), str(bad), "--json").document["audits"]
    assert [found["holds"] for found in audits] == [True, False]
    assert audits[0]["height"] == 2


def test_a_chain_without_blocks_has_no_block_hash(command: Command, tmp_path: Path):
    path = tmp_path / "audit.json"
    command("run", TOUR, "--quiet", "--export-audit", "0", str(path))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"blocks": [], "evidence": []}))
    ended = command("audit", str(path))
    assert "block hash  none" in ended.out
    assert "closed" not in ended.out


# --- verify ------------------------------------------------------------------------------------------------------

SHORT = [("scenarios", ("ideal",)), ("peer", ()), ("machine", ("ordered-inbox", 1, "ideal", 300))]


def test_verify_prints_a_verdict_for_each_claim(command: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(verify_module, "jobs_of", lambda *_: SHORT)
    ended = command("verify", "--jobs", "1", "--json", "--seed", "7")
    assert ended.code == 0
    result = ended.document["result"]
    assert [claim["name"] for claim in result["claims"]] == [f"C{n}" for n in range(1, 8)]
    assert result["seed"] == 7
    assert result["not_run"] == []
    assert "Proved" not in {theorem["verdict"] for theorem in result["theorems"]}
    assert all(scenario["holds"] and scenario["audits"] for scenario in result["scenarios"])


def test_verify_tells_people(command: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(verify_module, "jobs_of", lambda *_: SHORT)
    ended = command("verify", "--jobs", "1", "--verbose")
    assert ended.code == 0
    for words in ("The seven claims", "C7", "Statements", "theorems: ", "scenarios: 24 of 24 runs hold"):
        assert words in ended.out


def test_an_interruption_is_no_pass(command: Command, monkeypatch: pytest.MonkeyPatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(verify_module, "run_jobs", interrupted)
    ended = command("verify")
    assert ended.code == 130
    assert ended.err.startswith("error: interrupted: partial result, not a pass")
    assert command("verify", "--json").document["error"]["message"] == "interrupted: partial result, not a pass"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs process groups")
def test_interrupting_the_real_program():
    # A shell may start background jobs with interrupts ignored, and children inherit that.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = [sys.executable, "-c", f"{heed}; from linera_invariants.cli import main; main(['verify', '--json'])"]
    with subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        time.sleep(4)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert "Traceback" not in err
    assert Ended(process.returncode, out, err).document["exit_code"] == 130


# --- explain, matrix, bench, vectors -----------------------------------------------------------------------------


def test_explain(command: Command):
    assert "WP-2.6-INBOX-ADD" in command("explain", "wp-2.6-inbox-add").out
    assert command("explain", "claim", "5", "--quiet").out.startswith("WP-3.3-CLAIM-5: ")
    assert command("explain", "S1", "--json").document["results"][0]["id"] == "S1"
    several = command("explain", "s1", "claim", "5", "C5", "--json").document["results"]
    assert [found["id"] for found in several] == ["S1", "WP-3.3-CLAIM-5", "C5"]


def test_matrix(command: Command, monkeypatch: pytest.MonkeyPatch):
    problem = matrix.Problem("made up", "WP-2.1-OWNER-PROPOSES", "a gap", "file", 1)
    assert "result" in command("matrix", "--json").document
    assert command("matrix", "--quiet").out.endswith("clauses: --check looks for gaps\n")
    monkeypatch.setattr(matrix, "check_matrix", lambda _: [])
    assert "no gap found" in command("matrix", "--check").out
    monkeypatch.setattr(matrix, "check_matrix", lambda _: [problem])
    ended = command("matrix", "--check")
    assert ended.code == 1
    assert "a gap" in ended.out
    assert len(command("matrix", "--check", "--json").document["problems"]) == 1


def test_matrix_mutants(command: Command, monkeypatch: pytest.MonkeyPatch):
    problem = matrix.Problem("made up", "WP-2.1-OWNER-PROPOSES", "a survivor", "file", 1)
    asked = []

    def run(changed: bool, base: str | None, progress: Callable[[int, int, str], None]) -> Any:
        asked.append((changed, base))
        progress(1, 2, "half")
        return SimpleNamespace(problems=(problem,), to_json=lambda: {"runs": 3}, render=lambda _: None)

    monkeypatch.setattr(matrix_mutants, "run_matrix_mutants", run)
    ended = command("matrix", "--mutants", "--changed", "--base", "main", "--json")
    assert ended.code == 1
    assert "mutants" in ended.document
    assert asked == [(True, "main")]
    assert command("matrix", "--mutants").code == 1


def test_bench(command: Command, monkeypatch: pytest.MonkeyPatch):
    def measure(value: float) -> Callable[..., bench.BenchResult]:
        return lambda _: bench.BenchResult("step", (bench.Figure("speed", value, "times", "≥", 4.0),))

    monkeypatch.setitem(bench.BENCHES, "step", measure(9.0))
    assert command("bench", "step").code == 0
    monkeypatch.setitem(bench.BENCHES, "step", measure(1.0))
    assert command("bench", "step").code == 1
    assert command("bench", "step", "--json").document["benches"] == [bench.BENCHES["step"](None).to_json()]


def test_peer_vectors(command: Command, monkeypatch: pytest.MonkeyPatch):
    ended = command("vectors", "peer")
    assert ended.code == 0
    assert "peer vectors: hold" in ended.out
    failing = PeerReport((VectorResult("f", "x-1", "a name", Status.FAILS, None, "something else"),))
    monkeypatch.setattr(peer, "replay_all", lambda: failing)
    ended = command("vectors", "peer")
    assert ended.code == 1
    assert "x-1: fails: a name: something else" in ended.out
    assert command("vectors", "peer", "--json").document["vectors"][0]["status"] == "fails"


# --- the program -------------------------------------------------------------------------------------------------


def test_version(command: Command):
    assert command("--version").out == f"linera-reference {__version__}\n"


def test_the_help_documents_every_command_and_the_exit_codes(command: Command):
    ended = command("--help")
    for word in ("run", "verify", "prove", "audit", "explain", "matrix", "bench", "vectors", "130"):
        assert word in ended.out
    for name in ("run", "verify", "prove", "audit", "explain", "matrix", "bench"):
        assert "--json" in command(name, "--help").out


def test_the_application_works_under_a_runner():
    assert CliRunner().invoke(app, ["run", TOUR, "-q"]).exit_code == 0
    assert CliRunner().invoke(app, ["run", "missing.toml"]).exit_code == 2


def test_the_installed_program():
    program = [sys.executable, "-c", "from linera_invariants.cli import main; main()", "run", "missing.toml"]
    ended = subprocess.run(program, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "error: missing.toml: file: expected a readable file, found: no such file or directory\n"


MAIN = [sys.executable, "-c", "from linera_invariants.cli import main; main()"]


@pytest.mark.parametrize("arguments", [["explain", "S1"], ["run", TOUR], ["run", TOUR, "--json"], ["--help"]])
def test_a_reader_that_leaves_is_no_violation(arguments: list[str]):
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run([*MAIN, *arguments], stdout=writer, stderr=subprocess.PIPE, check=False, timeout=60)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
@pytest.mark.parametrize("arguments", [["run", TOUR, "--json"], ["run", TOUR, "-q"], ["--help"]])
def test_a_full_disk_is_one_message(arguments: list[str]):
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run([*MAIN, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert "No space left on device" in ended.stderr

"""The command line of the explorer: exit codes, the table, the story of an attack, and what is written."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from models import BROKEN, MODELS, write_model

from linera_invariants.cli import main
from linera_invariants.inputs import schema_validator
from linera_invariants.traces import read_trace

Command = Callable[..., tuple[Any, str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `explore` and return its exit code, results, and messages."""

    def run(*arguments: object) -> tuple[Any, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(["explore", *map(str, arguments)])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        return stop.value.code, captured.out, captured.err

    return run


def attacked(folder: Path, violates: str = "S5") -> Path:
    """Write a model that expects to be attacked."""
    text = BROKEN["vote-twice"][0]
    return write_model(folder, text.replace('"holds"', f'"violated"\nviolates = "{violates}"'))


def test_a_model_that_comes_out_as_expected_passes(command: Command, tmp_path: Path) -> None:
    code, out, _ = command(write_model(tmp_path, MODELS["rivals"]))
    assert code == 0
    assert out.startswith("model: holds; 592 states, depth 11, 1 choice of faults, 212 rows kept, 9 local")


def test_an_attack_is_told_and_written(command: Command, tmp_path: Path) -> None:
    trace, report = tmp_path / "attack.json", tmp_path / "report.json"
    code, out, _ = command(attacked(tmp_path), "--trace", trace, "--json", report)
    assert code == 0
    assert "without the rule: A validator votes for any block of the next height" in out
    assert "   4. v1 votes for block 0 (b) of chain 0" in out
    assert "!! S5: v1 votes twice for block 0 of chain [0]" in out
    assert read_trace(trace)["events"][-1]["statement"] == "S5"
    document = json.loads(report.read_text())
    schema_validator("report").validate(document)
    assert document["exit_code"] == 0
    assert document["models"][0]["attack"]["length"] == 4


def test_an_unexpected_verdict_fails(command: Command, tmp_path: Path) -> None:
    code, out, _ = command(attacked(tmp_path, "S4"))
    assert code == 1
    assert "expected a violation of S4, found one of S5" in out


def test_several_models_make_a_table(command: Command, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("good", "bad")]
    for folder in folders:
        folder.mkdir()
    good, bad = write_model(folders[0], MODELS["transfer"]), write_model(folders[1], BROKEN["vote-twice"][0])
    code, out, _ = command(good, bad, "--quiet")
    assert code == 1
    rows = [line.split() for line in out.splitlines()[-4:] if line.strip().startswith("model ")]
    assert [row[1:-2] for row in rows] == [["holds", "holds", "(16)", "78"], ["holds", "S5", "(4)"]]
    assert [row[-1] for row in rows] == ["yes", "NO"]


def test_any_number_of_workers_finds_the_same(command: Command, tmp_path: Path) -> None:
    for name, text in {"good": MODELS["transfer"], "bad": BROKEN["vote-twice"][0], "last": MODELS["rivals"]}.items():
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    paths = [tmp_path / f"{name}.toml" for name in ("good", "bad", "last")]
    found = []
    for workers in (1, 2):
        code, out, _ = command(*paths, "--workers", workers, "--json", "-")
        models = json.loads(out)["models"]
        for model in models:
            model["seconds"] = model["memory"] = 0
        found.append((code, models))
    assert found[0] == found[1]
    assert [model["verdict"] for model in found[0][1]] == ["holds", "violated", "holds"]


def test_bounds_make_it_incomplete(command: Command, tmp_path: Path) -> None:
    code, out, _ = command(write_model(tmp_path, MODELS["rivals"]), "--max-states", 50)
    assert code == 2
    assert "INCOMPLETE" in out
    assert "expected holds, found incomplete (more than 50 states)" in out


def test_reductions_can_be_chosen(command: Command, tmp_path: Path) -> None:
    path = write_model(tmp_path, MODELS["rivals"])
    assert "592 rows kept" in command(path, "--no-reduction")[1]
    assert "42 rows kept" in command(path, "--quick")[1]


def test_a_wrong_usage_has_one_message(command: Command, tmp_path: Path) -> None:
    path, target = write_model(tmp_path, MODELS["rivals"]), tmp_path / "trace.json"
    for arguments, message in (
        ((), "expected a model, or --all"),
        (("agreement-n4f",), "'agreement-n4f': no such file, and no shipped model of that name: did you mean"),
        ((tmp_path / "none.toml",), "none.toml: file: expected a readable file"),
        ((path, path, "--trace", target), "--trace: expected one model"),
    ):
        code, out, err = command(*arguments)
        assert (code, out) == (2, "")
        assert message in err
        assert err.count("\n") == 1
    assert command(path, "--trace", target)[0] == 0
    assert not target.exists()


def test_an_interrupt_leaves_a_partial_result(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    arguments = ["explore", "agreement-three-chains", "--no-reduction", "--json", str(report)]
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = [sys.executable, "-c", f"{heed}; from linera_invariants.cli import main; main()", *arguments]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "agreement-three-chains: " in process.stderr.readline()  # a line of progress: it is under way
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "INTERRUPTED" in out
    assert "Traceback" not in err
    document = json.loads(report.read_text())
    assert document["models"][0]["verdict"] == "interrupted"
    assert 1 < document["models"][0]["states"] < 207_474_688


def test_the_same_model_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    texts = []
    for seed in ("1", "2"):
        target = tmp_path / f"trace-{seed}.json"
        program = [sys.executable, "-c", "from linera_invariants.cli import main; main()"]
        subprocess.run(
            [*program, "explore", str(attacked(tmp_path)), "--quiet", "--trace", str(target)],
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
        )
        texts.append(target.read_bytes())
    assert texts[0] == texts[1]


def test_the_document_can_go_to_standard_output(command: Command, tmp_path: Path) -> None:
    code, out, _ = command(write_model(tmp_path, MODELS["transfer"]), "--json", "-")
    document = json.loads(out)
    schema_validator("report").validate(document)
    assert (code, document["models"][0]["states"]) == (0, 78)
    code, out, _ = command(tmp_path / "none.toml", "--json", "-")
    assert (code, json.loads(out)["exit_code"]) == (2, 2)

"""`trace record`, `trace mutate`, `trace check` and `bench trace`: exit codes, reports, nothing half done."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from commands import runner
from logbook import LEAST, SETUP, certified, first_block, log_of, recorded, voted

from linera_invariants.bench import BENCHES
from linera_invariants.logs import benchmark
from linera_invariants.logs.faults import FAULTS, damaged
from linera_invariants.traces import read_trace
from linera_reference.crypto import Ed25519Scheme

Said = tuple[Any, str, str]


@pytest.fixture
def trace(capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Return a function that runs `trace`: exit code, standard output, standard error."""
    run = runner(capsys, "trace")

    def said(*arguments: object) -> Said:
        ended = run(*map(str, arguments))
        if "--json" in arguments:
            assert ended.document
        return ended.code, ended.out, ended.err

    return said


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """Return a log that is damaged in line 9."""
    (path, *_) = recorded(tmp_path, "05-closing")
    found = (damaged(path, "wrong-reason", seed) for seed in range(100))
    path.write_bytes(next(damage for damage in found if damage.line == 9).data)
    return path


def test_record_then_check(tmp_path: Path, trace: Any) -> None:
    code, out, _ = trace("record", "01-tour", "-o", tmp_path / "new", "--crypto", "ideal", "--json")
    written = json.loads(out)["written"]
    assert (code, len(written)) == (0, 3)
    code, out, _ = trace("check", *written, "--json", "--quiet")
    found = json.loads(out)
    assert (code, found["result"]["holds"], len(found["result"]["files"])) == (0, True, 3)
    code, out, _ = trace("check", *written, "--no-signatures", "--jobs", 2, "--quiet")
    assert (code, out) == (0, f"3 files, {found['result']['events']} events: the reference explains every event\n")


def test_recording_can_leave_things_out(tmp_path: Path, trace: Any) -> None:
    options = ("--no-deliveries", "--no-states", "--crypto", "ideal", "--quiet")
    assert trace("record", "05-closing", "-o", tmp_path / "1", *options)[0] == 0
    expected = {path.name: path.read_bytes() for path in recorded(tmp_path / "2", "05-closing", LEAST)}
    assert {path.name: path.read_bytes() for path in (tmp_path / "1").iterdir()} == expected


def test_a_divergence_is_told_and_drawn(tmp_path: Path, trace: Any, broken: Path) -> None:
    picture, page = tmp_path / "p.json", tmp_path / "p.html"
    code, out, _ = trace("check", broken, "--picture", picture, "--html", page)
    assert code == 1
    assert "line 9: expected OUTBOX_NOT_EMPTY" in out
    for word in ("found     rejected", "clause    WP-2.4-ARCHIVE", "possible  line"):
        assert word in out
    assert "line 9" in read_trace(picture)["events"][-1]["text"]
    assert trace("show", picture, "--quiet")[0] == 0
    assert page.read_text("utf-8").startswith("<!")


def test_reports_for_ci(tmp_path: Path, trace: Any, broken: Path) -> None:
    junit, sarif, page = tmp_path / "j.xml", tmp_path / "s.sarif", tmp_path / "m.md"
    code, out, _ = trace("check", broken, "--junit", junit, "--sarif", sarif, "--markdown", page, "--json")
    found = json.loads(out)
    assert (code, found["result"]["files"][0]["divergence"]["line"]) == (1, 9)
    assert found["written"] == [str(junit), str(sarif), str(page)]
    assert ET.parse(junit).getroot().get("failures") == "1"
    (result,) = json.loads(sarif.read_text())["runs"][0]["results"]
    assert result["ruleId"] == "WP-2.4-ARCHIVE"
    assert "line 9" in page.read_text("utf-8")


def test_conflicts_are_told(tmp_path: Path, trace: Any) -> None:
    one, other = first_block((1,)), first_block((2,))
    a = log_of(tmp_path / "a", 0, voted(one, 0), certified(one, 0, 2, 3))
    b = log_of(tmp_path / "b", 1, voted(other, 1), certified(other, 1, 2, 3))
    code, out, _ = trace("check", a, b, "--junit", tmp_path / "j.xml")
    assert code == 1
    assert "S4 is violated" in out
    assert f"convicts {SETUP.validators[2].public_key.hex()}" in out
    code, out, _ = trace("check", a, b, "--json")
    assert len(json.loads(out)["result"]["conflicts"][0]["convicted"]) == 2


def test_every_fault_has_a_name(trace: Any, tmp_path: Path) -> None:
    (path, *_) = recorded(tmp_path, "05-closing")
    code, _, err = trace("mutate", path, "--fault", "all", "-o", tmp_path / "x")
    assert code == 2
    assert all(name in err.replace("\n", " ") for name in FAULTS)
    code, out, _ = trace("mutate", path, "--fault", "dropped", "-o", tmp_path / "x", "--json")
    assert (code, json.loads(out)["fault"]) == (0, "dropped")


def test_what_cannot_be_done_is_one_message(trace: Any, tmp_path: Path, broken: Path) -> None:
    (path, *_) = recorded(tmp_path / "other", "05-closing", crypto="ed25519")
    tasks = {
        "expected a log that the reference explains": ("mutate", broken, "--fault", "dropped", "-o", tmp_path / "x"),
        "expected a log with an event to hit": ("mutate", path, "--fault", "double-vote", "-o", tmp_path / "x"),
        "expected files of their own": ("check", path, "--junit", path),
        "file: expected a readable file": ("check", tmp_path / "nothing"),
        "line 1": ("check", Path(__file__)),
        "expected a place for a folder": ("record", "01-tour", "-o", path),
    }
    for message, arguments in tasks.items():
        code, _, err = trace(*arguments)
        assert code == 2, arguments
        assert message in " ".join(err.split())
    assert not (tmp_path / "x").exists()


def test_the_benchmark_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "ROUNDS", 1)
    said: list[str] = []
    figures = [
        *benchmark._signatures(said.append, 4),
        *benchmark._events(said.append, 4),
        *benchmark._chains(said.append, 10, 20, 4),
        *benchmark._memory(said.append, 80, 40),
    ]
    assert all(figure.value > 0 for figure in figures)
    assert {figure.relation for figure in figures} == {"", "≥", "≤"}
    assert {"trace", "trace-long"} <= set(BENCHES)


def test_the_benchmark_s_own_log_is_judged() -> None:
    source = benchmark.traffic(Ed25519Scheme(), 3)
    lines = list(source.lines(benchmark.ring(3, 2)))
    with pytest.raises(RuntimeError, match="is refused"):
        benchmark.check(benchmark.started(source, signatures=True), lines[2:])

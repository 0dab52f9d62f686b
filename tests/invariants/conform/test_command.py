"""`linera-reference conform` and `vectors validate`: exit codes, choices, reports, one message for wrong input."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from attrs import frozen
from conforming import EXAMPLE, MAPPING, RIGHT, TARGET, python, suite_of, wrong

from linera_invariants.ci_reports import Check, Status, junit, markdown, sarif
from linera_invariants.clauses import load_spec
from linera_invariants.cli import main
from linera_invariants.conform import benchmark, suite
from linera_invariants.conform.suite import Choice, choose
from linera_invariants.errors import UsageError
from linera_invariants.inputs import schema_validator

EXPECTED = 'format = "linera-reference expected failures 1"\n'
ALIKE = ("--mapping", str(MAPPING), "--area", "identifiers")


@frozen
class Ended:
    code: Any
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        schema_validator("report").validate(found)
        assert found["exit_code"] == self.code
        return found


Command = Callable[..., Ended]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    def run(*arguments: object) -> Ended:
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        return Ended(stop.value.code, captured.out, captured.err)

    return run


def test_a_run_that_holds(command: Command):
    ended = command("conform", "--harness", RIGHT, *ALIKE)
    assert ended.code == 0
    assert ended.out.splitlines()[-1] == "chain-names 0.1 (Python): conforms as far as asked: 68 passed"


def test_a_run_as_a_document(command: Command):
    result = command("conform", "--harness", wrong("crash"), *ALIKE, "--json").document["result"]
    assert result["holds"] is False
    assert result["restarts"] == 1
    (area,) = result["areas"]
    assert (area["area"], area["passed"], area["errored"], area["failed"]) == ("identifiers", 67, 1, 0)
    (failed,) = [vector for vector in result["vectors"] if vector["status"] != "passed"]
    assert failed["id"] == TARGET
    assert failed["stderr"] == ["assertion failed: the stack is upside down"]


def test_one_vector_of_several(command: Command):
    ended = command("conform", "--harness", RIGHT, "--vector", TARGET, "--vector", "identifiers/child-first")
    assert "2 passed" in ended.out


def test_unmapped_names_fail_and_coarse_ones_are_reported(command: Command, tmp_path: Path):
    ended = command("conform", "--harness", RIGHT, "--area", "identifiers", "--quiet")
    assert ended.code == 1
    assert "unmapped rejection: 'too_deep'" in ended.out
    mapping = tmp_path / "mapping.toml"
    mapping.write_text(MAPPING.read_text().replace('"INVALID_NEW_CHAIN_ID"', '["INVALID_NEW_CHAIN_ID", "ARITHMETIC"]'))
    found = ("conform", "--harness", RIGHT, "--area", "identifiers", "--mapping", mapping)
    assert "2 error names for several reasons: bad_number, too_deep" in command(*found).out
    assert command(*found, "--json").document["result"]["coarse"] == ["bad_number", "too_deep"]


def listed(folder: Path, *names: str) -> Path:
    """Write a list of expected failures."""
    path = folder / "expected.toml"
    path.write_text(EXPECTED + "".join(f'[[vector]]\nid = "{name}"\nreason = "issue 7"\n' for name in names))
    return path


def test_expected_failures_are_strict(command: Command, tmp_path: Path):
    given = ("conform", *ALIKE, "--expected-failures")
    ended = command(*given, listed(tmp_path, TARGET), "--harness", wrong("errored"))
    assert ended.code == 0
    assert "67 passed, 1 expected failure" in ended.out
    ended = command(*given, listed(tmp_path, TARGET), "--harness", RIGHT)
    assert ended.code == 1
    assert f"{TARGET}: unexpected pass: it is listed as an expected failure (issue 7)" in ended.out


def test_skips_alone_establish_nothing(command: Command):
    ended = command("conform", "--harness", RIGHT, "--area", "outbox")
    assert ended.code == 1
    assert "nothing was established" in ended.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--area", "identifier"], "--area: expected a known name, found 'identifier': did you mean identifiers"),
        (["--vector", "identifiers/child-frist"], "did you mean identifiers/child-first"),
        (["--vector", "nothing"], "--vector: expected a known name, found 'nothing'"),
        (["--area", "outbox", "--vector", TARGET], "expected a vector that is in every choice, found none"),
        (["--mapping", "missing.toml"], "missing.toml: file: expected a readable file"),
        (["--expected-failures", "{listed}"], "vector, item 1, id: expected a vector, found 'identifiers/chidl-first'"),
        (["--check-harness", "--area", "outbox"], "--check-harness: expected none of the options that choose"),
        (["--junit", "{tmp}/x", "--sarif", "{tmp}/x"], "expected files of their own"),
        (["--area", "identifiers", "--junit", "{tmp}/no/x"], "expected a writable place"),
    ],
)
def test_wrong_input_is_one_message(command: Command, tmp_path: Path, arguments: list[str], message: str):
    places = {"{tmp}": str(tmp_path), "{listed}": str(listed(tmp_path, "identifiers/chidl-first"))}
    for word, place in places.items():
        arguments = [argument.replace(word, place) for argument in arguments]
    ended = command("conform", "--harness", RIGHT, "--quiet", *arguments)
    assert ended.code == 2
    assert message in ended.err
    assert ended.err.startswith("error: ")
    assert ended.err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == [tmp_path / "expected.toml"]


def test_no_such_harness(command: Command):
    ended = command("conform", "--harness", "no-such-program", "--vector", TARGET)
    assert ended.code == 2
    assert "--harness: expected a command, found 'no-such-program'" in ended.err


def test_check_harness(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = suite_of(tmp_path, "identifiers")
    monkeypatch.setattr(suite, "vectors_root", lambda: folder)
    ended = command("conform", "--check-harness", "--harness", RIGHT)
    assert ended.code == 0
    assert ended.out.endswith("the harness keeps to the protocol\n")
    document = command("conform", "--check-harness", "--harness", wrong("promises-details"), "--json").document
    assert document["exit_code"] == 1
    assert [found["holds"] for found in document["checks"]].count(False) == 1


# --- the smoke list ---


def test_the_smoke_list(tmp_path: Path):
    folder = suite_of(tmp_path, "identifiers", "outbox")
    with pytest.raises(UsageError, match="--smoke: expected the smoke list in kills"):
        choose(Choice(smoke=True), root=folder)
    (folder / "kills.json").write_text("{" * 100_000)
    with pytest.raises(UsageError, match="--smoke: expected the smoke list"):
        choose(Choice(smoke=True), root=folder)
    (folder / "kills.json").write_text(json.dumps({"smoke": [TARGET, "identifiers/child-first"]}))
    assert [v.id for v in choose(Choice(smoke=True), root=folder).vectors] == ["identifiers/child-first", TARGET]
    assert [v.id for v in choose(Choice(names=(TARGET,), smoke=True), root=folder).vectors] == [TARGET]


# --- interrupts ---


def test_an_interrupt_ends_the_harness_too(tmp_path: Path):
    seen = tmp_path / "pid"
    script = f"import os,time;open({str(seen)!r},'w').write(str(os.getpid()));time.sleep(600)"
    harness = python("-c", f'"{script}"')
    # A shell may start background jobs with interrupts ignored, and children inherit that.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{heed}; from linera_invariants.cli import main; main()"
    words = [sys.executable, "-c", program, "conform", "--harness", harness]
    running = subprocess.Popen([*words, "--vector", TARGET], stderr=subprocess.PIPE, start_new_session=True)
    until = time.monotonic() + 60
    while not (seen.exists() and seen.read_text()) and time.monotonic() < until:
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, errors = running.communicate(timeout=60)
    assert running.returncode == 130
    assert b"interrupted: partial result, not a pass" in errors
    with pytest.raises(ProcessLookupError):
        os.kill(int(seen.read_text()), 0)


# --- reports for CI systems ---


def test_reports_say_the_same(command: Command, tmp_path: Path):
    files = {kind: tmp_path / kind for kind in ("junit", "sarif", "markdown")}
    options = [word for kind, file in files.items() for word in (f"--{kind}", file)]
    assert command("conform", "--harness", wrong("crash"), *ALIKE, *options).code == 1
    suites = ET.fromstring(files["junit"].read_text())
    assert suites.attrib == {"name": "linera-reference", "tests": "68", "failures": "0", "errors": "1", "skipped": "0"}
    (error,) = suites.iter("error")
    assert "exit code 3" in error.attrib["message"]
    assert "upside down" in (error.text or "")
    (result,) = json.loads(files["sarif"].read_text())["runs"][0]["results"]
    clause = load_spec().clauses["WP-2.4-CHILD"]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == clause.file == "spec/chapters/2.4-microchains.md"
    assert place["region"]["startLine"] == clause.line
    page = files["markdown"].read_text()
    assert "| identifiers | 67 | 1 |" in page
    assert f"- **{TARGET}**: errored: it ended with exit code 3" in page


def check(status: Status, **more: Any) -> Check:
    return Check(group="area", name="area/a", status=status, message="why\nmore", clauses=("WP-2.4-CHILD",), **more)


def test_every_status_in_every_report():
    checks = [check(status) for status in Status]
    cases = list(ET.fromstring(junit(checks)).iter("testcase"))
    tags = {status: [child.tag for child in case] for status, case in zip(Status, cases, strict=True)}
    assert tags == {
        Status.PASSED: [],
        Status.FAILED: ["failure"],
        Status.ERRORED: ["error"],
        Status.TIMED_OUT: ["error"],
        Status.SKIPPED: ["skipped"],
        Status.EXPECTED: ["skipped"],
        Status.UNEXPECTED: ["failure"],
    }
    run = json.loads(sarif(checks))["runs"][0]
    assert len(run["results"]) == sum(status.is_bad for status in Status) == 4
    (rule,) = run["tool"]["driver"]["rules"]
    assert rule["id"] == "WP-2.4-CHILD"
    assert rule["help"]["text"] == load_spec().clauses["WP-2.4-CHILD"].text
    assert "| **all** | **1** |" in markdown("title", checks)


def test_reports_hold_any_text():
    hostile = "\x00\x1b[31m]]>&amp;<b>|`\ud800\n|"
    checks = [Check(group=hostile, name=hostile, status=Status.FAILED, message=hostile, sentence=hostile)]
    (case,) = ET.fromstring(junit(checks)).iter("testcase")
    assert case.attrib["name"].startswith("\\x00\\x1b[31m]]>&amp;<b>|`\\ud800")
    assert json.loads(sarif(checks))["runs"][0]["results"][0]["locations"] == []
    (row,) = [line for line in markdown(hostile, checks).splitlines() if line.startswith("| ") and "b\\>" in line]
    assert row.isprintable()
    assert row.replace("\\|", "").count("|") == 4


def test_a_long_list_of_failures_is_cut_on_the_page():
    assert "- and 10 more" in markdown("title", [check(Status.FAILED)] * 60)


# --- vectors validate ---


def test_validate_files(command: Command, tmp_path: Path):
    shipped = suite_of(tmp_path, "identifiers") / "identifiers.json"
    ended = command("vectors", "validate", shipped, MAPPING, listed(tmp_path, TARGET))
    assert ended.code == 0
    assert f"{shipped}: 68 vectors, and the reference answers so" in ended.out
    assert f"{MAPPING}: mapping of 2 error names" in ended.out
    assert "expected.toml: 1 expected failure" in ended.out
    assert command("vectors", "validate", MAPPING, "--json").document["files"] == {
        str(MAPPING): "mapping of 2 error names"
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda text: text.replace('"accepted": ["0", "0"]', '"accepted": ["0", "1"]', 1),
            "what the reference answers",
        ),
        (lambda text: text.replace('"index": "0"', '"index": "zero"', 1), "expected arguments of child: index"),
        (lambda text: text.replace("vectors 1", "vectors 9"), "format: expected linera-reference vectors 1"),
        (lambda text: text[:-20], "format: expected linera-reference vectors 1"),
        (lambda text: text.replace('"operation": "child"', '"operation": "chidl"', 1), "expected a known operation"),
    ],
)
def test_a_bad_file_of_vectors(command: Command, tmp_path: Path, change: Callable[[str], str], message: str):
    file = suite_of(tmp_path, "identifiers") / "identifiers.json"
    text = file.read_text()
    file.write_text(change(text))
    assert file.read_text() != text
    ended = command("vectors", "validate", file)
    assert ended.code == 2
    assert message in ended.err
    assert str(file) in ended.err


def test_what_is_shipped_for_others_is_valid(command: Command):
    assert command("vectors", "validate", EXAMPLE / "mapping.toml").code == 0


# --- bench conform ---


@pytest.mark.parametrize(("seconds", "holds"), [(0.9, True), (1.1, False)])
def test_the_figures_have_bounds(monkeypatch: pytest.MonkeyPatch, seconds: float, holds: bool):
    few = choose(Choice(names=(TARGET,))).vectors
    monkeypatch.setattr(benchmark, "read_suite", lambda: few)
    monkeypatch.setattr(benchmark, "measure", lambda *arguments: seconds if "--smoke" in arguments else 9 * seconds)
    result = benchmark.bench_conform()
    assert result.holds is holds
    assert {figure.label: figure.bound for figure in result.figures if figure.bound} == {
        "whole suite": 10,
        "smoke list": 1,
    }


def test_what_is_measured_is_the_command(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(benchmark, "TIMES", 1)
    assert 0 < benchmark.measure("--vector", TARGET) < 120
    with pytest.raises(subprocess.CalledProcessError):
        benchmark.measure("--vector", "identifiers/nothing")

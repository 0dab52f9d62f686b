"""`run --trace` and `trace show`: what they write and say, and nothing half done on bad input."""

import json
from pathlib import Path
from typing import Any

import pytest
from runs import attack

from linera_invariants import registry
from linera_invariants.cli import main
from linera_invariants.inputs import schema_validator
from linera_invariants.traces import page_of, read_trace, story_of, svg_of, write_trace


@pytest.fixture
def ended(capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: object) -> tuple[Any, str, str]:
        with pytest.raises(SystemExit) as stop:
            main(list(map(str, arguments)))
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        return stop.value.code, captured.out, captured.err

    return run


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    write_trace(tmp_path / "trace.json", attack())
    return tmp_path / "trace.json"


def test_a_scenario_s_trace_can_be_shown_in_every_way(ended: Any, tmp_path: Path):
    file, page, picture = tmp_path / "t.json", tmp_path / "t.html", tmp_path / "t.svg"
    assert ended("run", "08-equivocation", "--trace", file, "--quiet")[0] == 0
    code, out, err = ended("trace", "show", file, "--html", page, "--svg", picture, "--verbose")
    document = read_trace(file)
    assert (code, err) == (0, "")
    assert page.read_text("utf-8") == page_of(document)
    assert picture.read_text("utf-8") == svg_of(document)
    assert all(line.strip() in out for line in story_of(document))
    assert out.endswith("34 steps: no violation\n")


def test_a_violation_is_told_and_is_the_exit_code(ended: Any, trace: Path):
    code, out, _ = ended("trace", "show", trace)
    assert code == 1
    assert "Broken rule: A validator votes for any block of the next height" in out
    assert "!! S4 is violated: two blocks are certified as block 0 of chain [0]" in out
    assert "It rests on WP-2.1-ONE-COMMITTEE" in out
    assert out.endswith("12 steps: S4 VIOLATED\n")
    assert ended("trace", "show", trace, "--quiet")[1] == "12 steps: S4 VIOLATED\n"


def test_one_json_document(ended: Any, trace: Path, tmp_path: Path):
    code, out, _ = ended("trace", "show", trace, "--json", "--svg", tmp_path / "a.svg")
    document = json.loads(out)
    schema_validator("report").validate(document)
    assert (code, document["exit_code"], document["violated"]) == (1, 1, ["S4"])
    assert document["written"] == [str(tmp_path / "a.svg")]


def test_a_violated_scenario_leaves_its_trace(ended: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "check_step", lambda *_, **__: [registry.Violation("S5", "for the test")])
    assert ended("run", "08-equivocation", "--trace", tmp_path / "t.json")[0] == 1
    assert ended("trace", "show", tmp_path / "t.json", "--quiet")[0] == 1
    events = read_trace(tmp_path / "t.json")["events"]
    assert [event["event"] for event in events[:3]] == ["note", "step", "violation"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{}", "expected the key 'format'"),
        ("[1", "expected JSON"),
        (json.dumps(attack() | {"events": [{"event": "step"}]}), "events, item 1: expected the key"),
    ],
)
def test_bad_input_is_one_message_and_writes_nothing(ended: Any, tmp_path: Path, content: str, message: str):
    (tmp_path / "bad.json").write_text(content)
    code, out, err = ended("trace", "show", tmp_path / "bad.json", "--html", tmp_path / "out.html")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert "bad.json" in err
    assert not (tmp_path / "out.html").exists()


def test_outputs_must_not_overwrite_the_trace_or_each_other(ended: Any, trace: Path, tmp_path: Path):
    before = trace.read_bytes()
    for outputs in (("--svg", trace), ("--html", tmp_path / "x", "--svg", tmp_path / "x")):
        code, _, err = ended("trace", "show", trace, *outputs)
        assert (code, err) == (2, "error: --html and --svg: expected files of their own\n")
    assert trace.read_bytes() == before
    assert not (tmp_path / "x").exists()


def test_what_cannot_be_read_or_written_is_named(ended: Any, trace: Path, tmp_path: Path):
    assert "expected a readable file" in ended("trace", "show", tmp_path / "none.json")[2]
    assert "expected the suffix .toml or .json" in ended("trace", "show", tmp_path)[2]
    code, _, err = ended("trace", "show", trace, "--html", tmp_path / "none" / "x.html")
    assert code == 2
    assert "expected a writable place" in err
    assert (
        ended("run", "01-tour", "02-ancestors", "--trace", tmp_path / "t")[2]
        == "error: --trace: expected one scenario\n"
    )

"""The example of the guide is real: the wrong program is caught as quoted, the fixed one passes."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from conforming import EXAMPLE

from linera_invariants.cli import main
from linera_invariants.conform.lists import read_expected_failures, read_mapping

GUIDE = (Path(__file__).parents[3] / "docs" / "conformance.md").read_text()
COMMAND = '$ linera-reference conform --harness "python harness.py" --area identifiers --mapping mapping.toml\n'


def blocks(language: str) -> list[str]:
    """Return the blocks of code of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def tried(folder: Path, program: str, capsys: pytest.CaptureFixture[str]) -> tuple[object, str]:
    """Run the command of the guide on a program."""
    (folder / "chain_names.py").write_text(program)
    words = ["--harness", f"{sys.executable} harness.py", "--area", "identifiers", "--mapping", "mapping.toml"]
    with pytest.raises(SystemExit) as stop:
        main(["conform", *words])
    return stop.value.code, capsys.readouterr().out


def test_the_mistake_is_caught_and_the_fix_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for name in ("harness.py", "mapping.toml"):
        shutil.copy(EXAMPLE / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    mistake, fix = (block for block in blocks("python") if "too_deep" in block and "raise" in block)
    caught, passed = (block.removeprefix(COMMAND) for block in blocks("console") if COMMAND in block)
    right = (EXAMPLE / "chain_names.py").read_text()
    assert right.count(fix) == 1
    code, output = tried(tmp_path, right.replace(fix, mistake), capsys)
    assert code == 1
    assert output.endswith(caught)
    code, output = tried(tmp_path, right, capsys)
    assert code == 0
    assert output.endswith(passed)


def test_the_files_of_the_guide_are_valid(tmp_path: Path):
    mapping, expected = blocks("toml")
    (tmp_path / "file.toml").write_text(mapping)
    assert read_mapping(tmp_path / "file.toml")["BadParent"] == ("UNEXPECTED_PREVIOUS_BLOCK_HASH",)
    (tmp_path / "file.toml").write_text(expected)
    assert len(read_expected_failures(tmp_path / "file.toml")) == 1

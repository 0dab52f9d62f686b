"""The workflow and the hooks for other repositories fit the command line, and do what they say."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from conforming import MAPPING, RIGHT, wrong

from linera_invariants.cli import app

ROOT = Path(__file__).parents[3]
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github/workflows/conform.yml").read_text())
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
STEPS = {step.get("name", step.get("uses")): step for step in WORKFLOW["jobs"]["conform"]["steps"]}
INPUTS = WORKFLOW[True]["workflow_call"]["inputs"]  # YAML reads the word "on" so


def options_of(words: list[str]) -> set[str]:
    """Return the options of a command of ours."""
    command: Any = typer.main.get_command(app)
    for word in words:
        command = command.commands[word]
    return {option for parameter in command.params for option in parameter.opts}


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_hooks_call_commands_that_exist(hook: dict[str, Any]):
    program, *words = shlex.split(hook["entry"])
    assert program == "linera-reference"
    commands = [word for word in words if not word.startswith("--")]
    assert {word for word in words if word.startswith("--")} <= options_of(commands)
    re.compile(hook["files"])


def test_the_hook_for_lists_matches_what_the_guide_calls_them():
    (hook,) = [hook for hook in HOOKS if hook["id"] == "linera-vectors"]
    for name in ("linera-mapping.toml", "ci/linera-expected-failures.toml"):
        assert re.search(hook["files"], name)
    assert not re.search(hook["files"], "pyproject.toml")


def test_the_workflow_uses_options_that_exist():
    used = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", "\n".join(step.get("run", "") for step in STEPS.values())))
    assert used <= options_of(["conform"])
    assert used >= {"--harness", "--junit", "--sarif", "--markdown", "--mapping", "--expected-failures", "--smoke"}


def test_inputs_reach_commands_through_the_environment_only():
    """A value with shell syntax in it is a value, not a command."""
    assert all("${{" not in step.get("run", "") for step in STEPS.values())
    used = set(re.findall(r"inputs\.([a-z-]+)", (ROOT / ".github/workflows/conform.yml").read_text()))
    assert used == set(INPUTS)


def run_step(folder: Path, name: str, **inputs: str) -> subprocess.CompletedProcess[str]:
    """Run a step as the workflow would."""
    step = STEPS[name]
    given = {key: str(row.get("default", "")) for key, row in INPUTS.items()} | inputs
    variables = {
        key: given[value[len("${{ inputs.") : -len(" }}")]].strip() for key, value in step.get("env", {}).items()
    }
    variables = {key: {"False": "false"}.get(value, value) for key, value in variables.items()}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    words = ["bash", "-eo", "pipefail", "-c", step["run"]]
    environment = {**os.environ, **variables, "PATH": path, "GITHUB_STEP_SUMMARY": str(folder / "page.md")}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_steps_run(tmp_path: Path):
    given = {"areas": "identifiers", "mapping": str(MAPPING)}
    done = run_step(tmp_path, "Run the vectors", harness=RIGHT, **given)
    assert done.returncode == 0, done.stderr
    failed = run_step(tmp_path, "Run the vectors", harness=wrong("errored"), **given)
    assert failed.returncode == 1, failed.stderr
    assert {path.name for path in (tmp_path / "conformance").iterdir()} == {"junit.xml", "conform.sarif", "summary.md"}
    assert run_step(tmp_path, "Summary").returncode == 0
    assert "| identifiers | 67 | 1 |" in (tmp_path / "page.md").read_text()

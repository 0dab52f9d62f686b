"""Running the program inside a test: how a command ended."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from attrs import frozen

from linera_invariants import __version__
from linera_invariants.cli import main
from linera_invariants.inputs import schema_validator


@frozen
class Ended:
    """How a command ended."""

    code: Any
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on standard output, which fits the schema."""
        found: dict[str, Any] = json.loads(self.out)
        schema_validator("report").validate(found)
        assert found["exit_code"] == self.code
        assert found["version"] == __version__
        return found


Command = Callable[..., Ended]


def runner(capsys: pytest.CaptureFixture[str], *first: str) -> Command:
    """Return a function that runs the program, with ``first`` before its arguments."""

    def run(*arguments: str) -> Ended:
        with pytest.raises(SystemExit) as stop:
            main((*first, *arguments))
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        return Ended(stop.value.code, captured.out, captured.err)

    return run

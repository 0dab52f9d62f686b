"""The page about logs: its example is what the commands say, its sketch makes logs that pass, its tables are whole."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from logbook import GENESIS, NETWORK, SETUP, checked, extended, first_block, voted

from linera_invariants.cli import main
from linera_invariants.logs.faults import FAULTS
from linera_invariants.logs.lines import ITEMS
from linera_invariants.logs.record import header_line
from linera_invariants.specdata import spec_root
from linera_reference.certificate import Vote
from linera_reference.encoding import decode, encode
from linera_reference.rejections import Rejected, Rejection
from linera_reference.validator import genesis_validator, handle

PAGE = (Path(__file__).parents[3] / "docs" / "logs.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_example_is_what_the_commands_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for part in "".join(blocks("console")).split("$ ")[1:]:
        command, _, expected = part.partition("\n")
        words = shlex.split(command)[1:]
        given = [str(path) for word in words for path in (sorted(Path().glob(word)) if "*" in word else [word])]
        with pytest.raises(SystemExit):
            main(given)
        said = capsys.readouterr().out
        assert expected in said or (expected == "" and "written: " in said)


def test_the_sketch_makes_logs_that_pass(tmp_path: Path) -> None:
    (sketch,) = blocks("python")
    scope: dict[str, Any] = {}
    exec(sketch, scope)
    path, signer = tmp_path / "log", SETUP.validators[3]
    node = [genesis_validator(GENESIS)]

    def answer(kind: str, data: bytes) -> tuple[str | None, list[bytes]]:
        try:
            outcome = handle(SETUP.context, node[0], decode(ITEMS[kind], data), signer)
        except Rejection as rejection:
            return rejection.reason.name, []
        if isinstance(outcome, Rejected):
            return outcome.reason.name, []
        node[0] = outcome.state
        return None, [encode(output) for output in outcome.outputs if isinstance(output, Vote)]

    with path.open("w") as file:
        file.write(header_line(NETWORK, "ideal", signer.public_key, deliveries=False).decode())
        entry = scope["logged"](answer, file.write)
        request, *certificates = (json.loads(line) for line in (voted(first_block((1,)), 3), *extended(0, (), ())))
        entry("request", bytes.fromhex(request["request"]))
        for document in certificates:
            entry("certificate", bytes.fromhex(document["certificate"]))
        entry("confirm", b"junk")
    report = checked([path])
    assert report.holds
    assert report.events == 4
    assert '"rejected": "UNEXPECTED_END"' in path.read_text()


def test_every_key_is_in_a_table() -> None:
    schema = json.loads((spec_root() / "schemas" / "log.schema.json").read_text("utf-8"))["$defs"]
    rows = set(
        re.findall(r"`(\w+)`", " ".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")))
    )
    assert {*schema["header"]["properties"], *schema["event"]["properties"]} <= rows


def test_faults_that_are_mentioned_exist() -> None:
    assert set(re.findall(r"--fault ([a-z-]+)", PAGE)) <= set(FAULTS)

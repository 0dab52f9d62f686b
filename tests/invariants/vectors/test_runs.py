"""Recorded runs: files that read back byte for byte, refuse what is malformed, and show that attacks are noticed."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from commands import Command, runner
from hypothesis import given
from hypothesis import strategies as st
from support import examples

from linera_invariants.errors import UsageError
from linera_invariants.explorer.command import find_model
from linera_invariants.explorer.model import read_model
from linera_invariants.inputs import InputError, schema_validator
from linera_invariants.machines.network import NetworkMachine
from linera_invariants.scenarios import find_scenario
from linera_invariants.traces import read_trace
from linera_invariants.vectors import runs
from linera_invariants.vectors.cases.scenarios import of_run
from linera_invariants.vectors.model import Vector, agrees, vector_of
from linera_invariants.vectors.operations import perform
from linera_invariants.vectors.record import RECORDABLE, record, record_machine
from linera_invariants.vectors.runs import (
    RecordedRun,
    inputs_of,
    read_run,
    run_bytes,
    run_of_scenario,
    runs_root,
    shipped_runs,
    trace_of_run,
    write_run,
)
from linera_invariants.vectors.table import OPERATIONS

FILES = sorted(runs_root().glob("*.json"))
SMALL = runs_root() / "attack-vote-twice.json"
ATTACKS = [path for path in FILES if path.name.startswith("attack-")]

Edit = Callable[[dict[str, Any]], Any]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return runner(capsys)


def vectors_of_run(run: RecordedRun) -> list[Vector]:
    return [vector_of("scenarios", case) for case in of_run("some", run)]


def answers(vector: Vector) -> Any:
    return perform(OPERATIONS[vector.operation], vector.arguments)


# --- files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_shipped_run_is_what_would_be_written(path: Path):
    data = path.read_bytes()
    assert run_bytes(read_run(path)) == data
    assert not list(schema_validator("vector-run").iter_errors(json.loads(data)))


def test_there_are_runs_of_every_kind():
    sources = {run.source.split(" ")[0].rstrip(":") for _, run in shipped_runs()}
    assert sources == {"explorer", "machine"}
    assert len(FILES) > 20


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d.pop("names"), "expected the keys actions"),
        (lambda d: d.update(more=1), "expected the keys actions"),
        (lambda d: d.update(format="linera-reference run 2"), "expected an object with the format"),
        (lambda d: d["actions"].append({"Dance": {}}), "actions.10: expected an object with one key of Propose"),
        (lambda d: d["actions"].append({"$shared": "none"}), "expected $shared alone, with a name of shared"),
        (
            lambda d: d["shared"].update({"1": {"again": {"$shared": "1"}}}),
            "expected a form that does not contain itself",
        ),
        (lambda d: d["actions"].append(3), "expected no number in a form"),
        (lambda d: d["network"].update(signers=[]), "expected a key pair for every validator"),
        (lambda d: d["names"].pop(), "expected a name of its own for every validator"),
        (lambda d: d["names"][0].__setitem__(1, d["names"][1][1]), "expected a name of its own"),
        (lambda d: d["network"].pop("byzantine"), "network: expected an object with the keys"),
        (lambda d: d.update(title=None), "expected a string"),
    ],
)
def test_a_malformed_run_is_refused(tmp_path: Path, edit: Edit, message: str):
    document = json.loads(SMALL.read_text())
    edit(document)
    path = tmp_path / "run.json"
    path.write_text(json.dumps(document))
    with pytest.raises(InputError) as caught:
        read_run(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_long_run_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = read_run(SMALL)
    monkeypatch.setattr(runs, "MAX_BYTES", 100)
    with pytest.raises(InputError, match="at most 100 bytes"):
        write_run(tmp_path / "run.json", run)
    with pytest.raises(InputError, match="at most 100 bytes"):
        read_run(SMALL)
    assert not list(tmp_path.iterdir())


@given(st.integers(0, 4000), st.binary(max_size=4))
@examples(60)
def test_damage_is_refused_or_read(tmp_path_factory: pytest.TempPathFactory, place: int, junk: bytes):
    data = SMALL.read_bytes()
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    path.write_bytes(data[:place] + junk + data[place + len(junk) :])
    with suppress(InputError):
        assert isinstance(read_run(path), RecordedRun)


# --- runs as vectors ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ATTACKS, ids=lambda path: path.stem)
def test_the_attack_on_a_broken_variant_is_noticed(path: Path):
    run = read_run(path)
    found = vectors_of_run(run)
    assert all(agrees(vector, answers(vector)) for vector in found)
    with read_model(find_model(run.source.removeprefix("explorer: "))).in_force():
        assert not all(agrees(vector, answers(vector)) for vector in found)


def test_every_correct_validator_is_given_what_it_received():
    run = run_of_scenario(find_scenario("01-tour"))
    given_to = dict(inputs_of(run))
    assert len(given_to) == 3
    assert not set(given_to) & run.network.byzantine
    twice = evolve(run, actions=(*run.actions, *run.actions))
    assert [len(inputs) for _, inputs in inputs_of(twice)] == [2 * len(inputs) for inputs in given_to.values()]


def test_inputs_that_are_the_same_are_given_once():
    run = read_run(SMALL)
    assert len(list(inputs_of(run))) == 1
    assert len(vectors_of_run(run)) == 2


def test_a_step_that_is_answered_otherwise_is_noticed():
    (_, vector) = vectors_of_run(read_run(SMALL))
    answer = answers(vector)
    steps = answer["accepted"]
    assert "rejected" in steps[-1]
    assert agrees(vector, {"accepted": [*steps[:-1], {k: v for k, v in steps[-1].items() if k != "detail"}]})
    for wrong in (
        {"accepted": steps[:-1]},
        {"accepted": [*steps, steps[-1]]},
        {"accepted": None},
        {"rejected": "USER_ERROR", "detail": None},
        {"accepted": [*steps[:-1], steps[-1] | {"state": "00"}]},
        {"accepted": [*steps[:-1], steps[-1] | {"detail": "7"}]},
        {"accepted": [*steps[:-1], steps[-1] | {"rejected": "USER_ERROR"}]},
        {"accepted": [*steps[:-1], steps[-1] | {"rejected": {"accepted": None}}]},
        {"accepted": [steps[0] | {"accepted": None}, *steps[1:]]},
    ):
        assert not agrees(vector, wrong)
    free = evolve(vector, allowed=("USER_ERROR",))
    assert agrees(free, {"accepted": [*steps[:-1], steps[-1] | {"rejected": "USER_ERROR"}]})


# --- recording ---------------------------------------------------------------------------------------------------


def test_the_run_of_a_machine_ends_at_the_goal_and_is_small():
    found = record_machine("single-chain", "block committed", seed=0, crypto="ideal", examples=30)
    assert found == record_machine("single-chain", "block committed", seed=0, crypto="ideal", examples=30)
    assert found.source == "machine single-chain, seed 0"
    assert len(found.actions) < 15
    steps = answers(vectors_of_run(found)[0])["accepted"]
    assert "accepted" in steps[-1]
    assert trace_of_run(found)["title"] == "A run of a machine: block committed"


def test_only_machines_over_the_network_are_recorded():
    assert set(RECORDABLE) == {"outbox-delivery", "several-owners", "single-chain", "whole-network"}
    assert not hasattr(NetworkMachine.session, "goal")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("machine", "ordered-inbox", "x"),
            "machine ordered-inbox: expected one of outbox-delivery, single-chain, several-owners, whole-network",
        ),
        (("machine", "single-chain", None), "--goal: expected a place that the machine counts"),
        (("machine", "single-chain", "block comitted"), "such as 'block committed'"),
        (("model", "wedge"), "expected a model with an attack, found none"),
        (("model", "broken-vote-twice", "x"), "--goal and --seed: expected with a machine only"),
        (("scenario", "01-tour", None, 3), "--goal and --seed: expected with a machine only"),
        (("dance", "01-tour"), "WHAT: expected machine, model or scenario, found 'dance'"),
    ],
)
def test_what_cannot_be_recorded(arguments: tuple[Any, ...], message: str):
    with pytest.raises(UsageError) as caught:
        record(*arguments)
    assert message in str(caught.value)


def test_a_goal_that_is_not_reached():
    with pytest.raises(UsageError, match="was not reached within 1 examples"):
        record_machine("single-chain", "chain wedged by its owner", seed=0, crypto="ideal", examples=1)


def test_the_attack_is_recorded_as_it_is_shipped():
    assert run_bytes(record("model", "broken-vote-twice")) == SMALL.read_bytes()


def test_the_command_records_draws_and_traces(command: Command, tmp_path: Path):
    out, trace, svg = (tmp_path / name for name in ("run.json", "trace.json", "run.svg"))
    arguments = ("vectors", "record", "scenario", "08-equivocation", "-o", str(out))
    document = command(*arguments, "--trace", str(trace), "--svg", str(svg), "--json").document
    assert document["written"] == [str(out), str(trace), str(svg)]
    assert document["actions"] == len(read_run(out).actions) == len(read_trace(trace)["events"])
    assert svg.read_text().startswith("<svg")
    assert "written: " in command(*arguments).out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("scenario", "no-such"), "no such file, and no shipped scenario"),
        (("model", "no-such"), "no such file, and no shipped model"),
        (("machine", "single-chain", "--goal", "nothing"), "--goal: expected a place"),
    ],
)
def test_the_command_writes_nothing_after_a_mistake(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], message: str
):
    ended = command("vectors", "record", *arguments, "-o", str(tmp_path / "run.json"))
    assert ended.code == 2
    assert message in ended.err
    assert not list(tmp_path.iterdir())

"""The shipped models: each comes out as it says, under every reduction, and says nothing that could not fail."""

from pathlib import Path

import pytest
from attrs import evolve

from linera_invariants.explorer import naive
from linera_invariants.explorer.explore import Options, Report, explore
from linera_invariants.explorer.model import (
    Model,
    Witness,
    long_models,
    read_model,
    settings_of,
    shipped_models,
)
from linera_invariants.explorer.system import System
from linera_invariants.specdata import spec_root
from linera_invariants.traces import read_trace, write_trace

PATHS = {path.stem: path for path in shipped_models()}
BROKEN = [name for name in PATHS if name.startswith("broken-")]
HOLDING = [name for name in PATHS if name not in BROKEN]
LIMIT = 10**5
"""States of a small model."""
TRACES = spec_root() / "traces"


def states_of(name: str) -> int:
    """Return how many states a model says it has; a search for an attack stops early."""
    return read_model(PATHS[name]).expect.states or 0


SMALL = [name for name in PATHS if states_of(name) <= LIMIT]
SMALLEST = [name for name in HOLDING if states_of(name) < 550]
"""Few enough for the plain search."""
SIZED = [pytest.param(name, marks=() if name in SMALL else pytest.mark.slow) for name in PATHS]


def goals_of(name: str) -> list[str]:
    """Return the goals that a model asks; with any, nothing is reduced."""
    return [name for name in read_model(PATHS[name]).predicates or () if name.startswith("L")]


def outcome(report: Report) -> tuple[str, str, int | None]:
    """Return what no reduction may change."""
    attack = report.attack
    return (report.verdict, "" if attack is None else attack.statement, None if attack is None else attack.length)


# --- What they say ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SIZED)
def test_a_shipped_model_comes_out_as_it_says(name: str) -> None:
    report = explore(read_model(PATHS[name]), Options())
    assert report.problems == []


@pytest.mark.parametrize("name", HOLDING)
def test_a_model_that_holds_says_how_much_it_covers(name: str) -> None:
    model = read_model(PATHS[name])
    assert model.expect.states is not None
    assert model.expect.depth is not None
    assert model.witnesses


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_variant_says_what_goes_wrong(name: str) -> None:
    model = read_model(PATHS[name])
    assert model.expect.violates is not None
    assert model.expect.depth is not None
    assert model.sentence or model.beyond


def test_there_are_enough_of_them() -> None:
    assert len(BROKEN) >= 14
    assert len(SMALLEST) >= 2
    assert any((read_model(path).expect.states or 0) >= 10**8 for path in long_models())


def test_the_documentation_counts_what_the_models_expect() -> None:
    page = (Path(__file__).parents[3] / "docs" / "explorer.md").read_text("utf-8")
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in page.splitlines() if row.startswith("| `")]
    named = {row[0].strip("`"): row[-1] for row in rows}
    for name in (name for name in PATHS if name in named):
        expect = read_model(PATHS[name]).expect
        assert named[name] == (f"{expect.violates}, {expect.depth}" if expect.violates else f"{expect.states:,}")
    assert {name for name in HOLDING if name.startswith("permissioned-")} <= set(named)


# --- Reductions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in SMALL if not goals_of(name)])
def test_no_reduction_changes_what_comes_out(name: str) -> None:
    model = read_model(PATHS[name])
    plain = explore(model, Options(symmetry=False))
    assert plain.problems == []
    for symmetry in (False, True):
        quick = explore(model, Options(symmetry=symmetry, quick=True))
        assert quick.problems == []
        assert outcome(quick) == outcome(plain)


@pytest.mark.parametrize("name", SMALLEST)
def test_the_plain_search_counts_the_same_states(name: str) -> None:
    model = read_model(PATHS[name])
    states = depth = 0
    for setting in settings_of(model):
        system = System(setting)
        system.close(LIMIT)
        levels = naive.search(setting, system.ballots.values).levels
        states += sum(map(len, levels))
        depth = max(depth, len(levels) - 1)
    assert (states, depth) == (model.expect.states, model.expect.depth)


# --- An expectation can fail --------------------------------------------------------------------------------------


def problems(model: Model) -> list[str]:
    """Explore a model and return what does not fit."""
    return explore(model, Options()).problems


def test_a_wrong_number_of_states_or_steps_fails() -> None:
    model = read_model(PATHS["wedge"])
    wrong = evolve(model, expect=evolve(model.expect, states=2, depth=3))
    assert problems(wrong) == ["expected 2 states, found 1,154", "expected depth 3, found 11"]


def test_a_wrong_verdict_fails() -> None:
    holding, broken = read_model(PATHS["wedge"]), read_model(PATHS["broken-quorum-too-small"])
    assert problems(evolve(holding, expect=broken.expect)) == ["expected violated, found holds"]
    assert problems(evolve(broken, expect=holding.expect)) == ["expected holds, found violated"]


def test_another_violation_or_a_longer_attack_fails() -> None:
    model = read_model(PATHS["broken-quorum-too-small"])
    wrong = evolve(model, expect=evolve(model.expect, violates="S1", depth=9))
    assert problems(wrong) == ["expected a violation of S1, found one of S4", "expected depth 9, found 8"]


def test_a_witness_that_is_not_reached_fails() -> None:
    model = read_model(PATHS["agreement-n4f1"])
    never = Witness("a fork", certified=("a", "b"))
    assert problems(evolve(model, witnesses=(*model.witnesses, never))) == ["not reached: a fork"]


def test_the_rule_that_a_variant_breaks_is_what_protects() -> None:
    for name in BROKEN:
        model = read_model(PATHS[name])
        if model.mutant is not None:
            assert explore(evolve(model, mutant=None), Options()).verdict == "holds", name


# --- Traces -------------------------------------------------------------------------------------------------------


def test_every_broken_variant_has_a_trace() -> None:
    assert sorted(path.stem for path in TRACES.glob("*.json")) == BROKEN


@pytest.mark.parametrize("name", BROKEN)
def test_the_trace_of_an_attack_is_up_to_date(tmp_path: Path, name: str) -> None:
    report = explore(read_model(PATHS[name]), Options())
    assert report.attack is not None
    written, shipped = tmp_path / f"{name}.json", TRACES / f"{name}.json"
    write_trace(written, report.attack.trace)
    assert written.read_bytes() == shipped.read_bytes()
    assert shipped.stat().st_size < 100_000
    last = read_trace(shipped)["events"][-1]
    assert (last["event"], last["statement"]) == ("violation", report.attack.statement)

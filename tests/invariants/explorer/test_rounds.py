"""Several owners in the explorer: sending at once leaves nothing out, and a way out is found or missed."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from attrs import evolve
from models import AT_ONCE, MODELS, PROPOSALS, RIVALS, UNCHECKED, edited, made, several, text_of

from linera_invariants.explorer import naive
from linera_invariants.explorer.bounds import Bounds
from linera_invariants.explorer.explore import Options, explore
from linera_invariants.explorer.judge import Judge
from linera_invariants.explorer.model import Model, read_model, settings_of, shipped_models
from linera_invariants.explorer.search import Search
from linera_invariants.explorer.system import Local, System
from linera_invariants.explorer.tables import Tables
from linera_invariants.explorer.whole import Whole
from linera_reference.containers import Set
from linera_reference.network import World

PATHS = {path.stem: path for path in shipped_models()}


def searched(model: Model) -> Search:
    """Visit every state without asking anything."""
    (setting,) = settings_of(model)
    system = System(setting)
    system.close(10**5)
    tables = Tables(system)
    found = Search(tables, Judge(tables, ()), Whole(system, ()), [], Bounds())
    found.run()
    return found


def validators_of(found: Search) -> set[tuple[Local, ...]]:
    """Return what the correct validators are in the states of a search."""
    values = found.system.locals.values
    states = (state for level in found.levels for state in found.tables.unpacked(level))
    return {tuple(values[number] for number in state.locals) for state in states}


# --- Sending at once ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", AT_ONCE)
def test_sending_at_once_loses_no_state_of_the_validators(tmp_path: Path, name: str) -> None:
    model = made(tmp_path, AT_ONCE[name])
    at_once, step_by_step = searched(model), searched(evolve(model, at_once=False))
    assert validators_of(at_once) == validators_of(step_by_step)
    assert at_once.states == len(validators_of(at_once)) < step_by_step.states


@pytest.mark.parametrize("name", AT_ONCE)
def test_the_plain_search_sends_at_once_too(tmp_path: Path, name: str) -> None:
    found = searched(made(tmp_path, AT_ONCE[name]))
    levels = naive.search(found.system.setting, found.system.ballots.values).levels
    assert [len(level) for level in levels] == [len(level[0]) for level in found.levels]

    def validators(world: World) -> World:
        return evolve(world, requests=Set(), votes=Set())

    whole, standard = Whole(found.system, ()), found.system.standards()
    for level, worlds in zip(found.levels, levels, strict=True):
        states = (whole.world(state, whole.reader(state)) for state in found.tables.unpacked(level))
        mine = {validators(naive.identified(world, standard)) for world in states}
        assert mine == {validators(world) for world in worlds}


def test_an_attack_at_once_is_written_out_with_what_it_needs(tmp_path: Path) -> None:
    text = several(text_of(RIVALS + PROPOSALS, (1, 1, 1, 1), '["v4"]', f'predicates = ["S4"]\nrounds = 2\n{UNCHECKED}'))
    model = made(tmp_path, text)
    step_by_step, at_once = explore(model, Options()), explore(evolve(model, at_once=True), Options(quick=True))
    assert step_by_step.attack is not None
    assert at_once.attack is not None
    assert at_once.attack.statement == step_by_step.attack.statement == "S4"
    assert at_once.attack.length >= step_by_step.attack.length  # fewest deliveries may take more to be sent
    assert at_once.states < step_by_step.states


def test_what_was_forged_is_written_out_too(tmp_path: Path) -> None:
    model = evolve(read_model(PATHS["broken-validated-below-quorum"]), at_once=True)
    report = explore(model, Options())
    assert report.attack is not None
    assert report.attack.statement == "S4"


# --- A way out ----------------------------------------------------------------------------------------------------

NEVER_RELEASED = edited(
    "rounds:lock_after", "locked.round < certificate.round", "(locked.round < certificate.round and locked.round > 9)"
)


def test_a_persistent_proposer_finishes_from_every_state(tmp_path: Path) -> None:
    text = several(text_of(RIVALS + PROPOSALS, (1, 1, 1, 1), '["v4"]', "at_once = true\nrounds = 2\npersistent = 2"))
    report = explore(made(tmp_path, text), Options())
    assert (report.problems, report.stuck) == ([], 0)
    assert report.states == explore(evolve(made(tmp_path, text), persistent=None), Options()).states


def test_a_wedged_height_is_found(tmp_path: Path) -> None:
    more = f'predicates = ["S4"]\nat_once = true\nrounds = 2\npersistent = 2\n{NEVER_RELEASED}'
    report = explore(made(tmp_path, several(text_of(RIVALS + PROPOSALS, (1, 1, 1, 1), '["v4"]', more))), Options())
    assert report.stuck > 0
    assert report.problems == [f"a persistent proposer cannot finish from {report.stuck:,} states"]


def test_nothing_is_said_of_a_way_out_without_tables(tmp_path: Path) -> None:
    text = several(text_of(RIVALS, (1, 1), "[]", "at_once = true\npersistent = 1"))
    report = explore(made(tmp_path, text), Options(bounds=Bounds(locals=3)))
    assert report.verdict == "incomplete"
    assert "takes tables" in report.reason


# --- Counted by hand ----------------------------------------------------------------------------------------------

View = tuple[frozenset[tuple[str, int, int]], tuple[int, int] | None, tuple[int, int] | None]
"""Votes (kind, round, block); round and block of the last proposal and of the lock."""
THREE, NOTHING = range(3), (frozenset(), None, None)


def votes_after(view: View, rounds: int, validated: set[tuple[int, int]]) -> Iterator[View]:
    """Walk the next views of a validator, by the rules of rounds as a few tests of numbers."""
    votes, last, lock = view
    for round_, block, since in product(range(rounds), range(2), (None, *validated)):
        binding = max(filter(None, (lock, since)), default=None, key=lambda found: found[0])
        later = last is None or round_ > last[0]
        if later and (binding is None or (binding[0] < round_ and binding[1] == block)):
            yield votes | {("validate", round_, block)}, (round_, block), lock
    for certificate in validated:
        if certificate[0] >= max((found[0] for found in (last, lock) if found), default=0):
            yield votes | {("confirm", *certificate)}, last, certificate


def states_by_hand(rounds: int) -> int:
    """Count the states of three validators beside a Byzantine one that no two of them committed in yet."""
    start = (NOTHING,) * len(THREE)
    seen, waiting = {start}, [start]
    for state in waiting:
        ballots = product(range(rounds), range(2))
        validated = {b for b in ballots if sum(("validate", *b) in votes for votes, _, _ in state) >= 2}
        for place in THREE:
            for view in votes_after(state[place], rounds, validated):
                after = (*state[:place], view, *state[place + 1 :])
                if after not in seen:
                    seen.add(after)
                    waiting.append(after)
    return len(seen)


@pytest.mark.parametrize(("name", "rounds"), [("permissioned-n4f1", 1), ("permissioned-n4f1", 2)])
def test_an_abstraction_by_hand_counts_the_same_states_before_a_commit(name: str, rounds: int) -> None:
    found = searched(evolve(read_model(PATHS[name]), rounds=rounds, witnesses=()))
    system = found.system
    fresh = {n for n, local in enumerate(system.locals.values) if not is_committed(system, local)}
    states = (state for level in found.levels for state in found.tables.unpacked(level))
    assert sum(fresh.issuperset(state.locals) for state in states) == states_by_hand(rounds)


def is_committed(system: System, local: Local) -> bool:
    """Whether a validator committed anything."""
    return any(chain.consistent.next_height for chain in system.validator(local).chains.values())


def test_a_restart_is_an_input_that_changes_nothing(tmp_path: Path) -> None:
    plain, restarted = (explore(made(tmp_path, MODELS[name]), Options()) for name in ("rounds", "restarted"))
    assert (restarted.states, restarted.depth) == (plain.states, plain.depth)
    assert restarted.checked["S23"] > plain.checked["S23"]

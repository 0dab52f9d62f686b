"""The fast search: the same states as the plain one, the same verdicts under every reduction, the same bytes again."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
from models import BROKEN, MODELS, made, text_of

from linera_invariants.driver import Step
from linera_invariants.explorer import naive, search
from linera_invariants.explorer.bounds import Bounds
from linera_invariants.explorer.explore import Options, Report, explore
from linera_invariants.explorer.judge import Judge
from linera_invariants.explorer.model import Setting, settings_of
from linera_invariants.explorer.search import Search
from linera_invariants.explorer.system import State, System
from linera_invariants.explorer.tables import Tables
from linera_invariants.explorer.whole import Whole
from linera_invariants.registry import check_state, chosen
from linera_reference.containers import Set, fold
from linera_reference.network import Action, World, step
from linera_reference.notation import evolve
from linera_reference.rejections import Accepted


def searched(setting: Setting, word: int = 64) -> Search:
    """Visit every state without asking anything."""
    system = System(setting)
    system.close(10**5)
    tables = Tables(system, word=word)
    found = Search(tables, Judge(tables, ()), Whole(system, ()), [], Bounds())
    found.run()
    return found


def world_of(whole: Whole, state: State) -> World:
    """Build the real world of a state."""
    world = whole.world(state, whole.reader(state))
    requests, votes = (fold(Set.insert, Set(), items) for items in (world.requests, world.votes))
    return evolve(world, requests=requests, votes=votes)


def worlds_of(found: Search) -> list[frozenset[World]]:
    """Return the states of every level as identified worlds."""
    system = found.tables.system
    whole = Whole(system, ())
    standard = system.standards()
    return [
        frozenset(naive.identified(world_of(whole, state), standard) for state in found.tables.unpacked(level))
        for level in found.levels
    ]


@pytest.mark.parametrize("name", [*MODELS, *BROKEN])
def test_the_plain_search_visits_the_same_states(tmp_path: Path, name: str) -> None:
    model = made(tmp_path, MODELS[name] if name in MODELS else BROKEN[name][0])
    with model.in_force():
        for setting in settings_of(model):
            found = searched(setting)
            if found.states < 600:
                plain = naive.search(setting, found.tables.system.ballots.values)
                assert worlds_of(found) == list(plain.levels)


def test_states_of_many_words_are_the_same_states(tmp_path: Path) -> None:
    for name in ("rivals", "life"):
        (setting,) = settings_of(made(tmp_path, MODELS[name]))
        whole_words = searched(setting)
        short_words = searched(setting, word=8)
        assert short_words.tables.words > whole_words.tables.words == 1
        assert worlds_of(short_words) == worlds_of(whole_words)
        assert short_words.transitions == whole_words.transitions


def comparable(report: Report) -> dict[str, Any]:
    """Return what no reduction may change."""
    attack = report.attack and (report.attack.statement, report.attack.length)
    return {"verdict": report.verdict, "reached": report.reached, "attack": attack, "reason": report.reason}


WITNESSES = """
[[witnesses]]
name = "a is committed"
committed = ["a"]

[[witnesses]]
name = "a and b, both certified"
certified = ["a", "b"]

[[witnesses]]
name = "a and b, both pending"
pending = ["a", "b"]

[[witnesses]]
name = "neither can be certified"
blocked = ["a", "b"]
"""


@pytest.mark.parametrize("name", [*MODELS, *BROKEN])
def test_no_reduction_changes_a_verdict(tmp_path: Path, name: str) -> None:
    text = MODELS[name] if name in MODELS else BROKEN[name][0]
    model = made(tmp_path, text.replace("[expect]", WITNESSES + "\n[expect]") if 'name = "b"' in text else text)
    plain = explore(model, Options(symmetry=False))
    symmetric = explore(model, Options())
    assert comparable(symmetric) == comparable(plain)
    assert (symmetric.states, symmetric.depth) == (plain.states, plain.depth)
    assert symmetric.kept <= plain.kept
    for symmetry in (False, True):
        quick = explore(model, Options(symmetry=symmetry, quick=True))
        if plain.verdict == "holds":
            assert comparable(quick) == comparable(plain)
            assert quick.kept < plain.kept
        else:  # the plain search stops at the first violation, the quick one may have seen more until then
            assert comparable(quick) == comparable(plain) | {"reached": quick.reached}


@pytest.mark.parametrize("name", BROKEN)
def test_the_shortest_attack_is_found(tmp_path: Path, name: str) -> None:
    text, length = BROKEN[name]
    model = made(tmp_path, text)
    report = explore(model, Options())
    assert report.attack is not None
    assert report.attack.length == length == len(report.attack.story)
    with model.in_force():
        (setting,) = settings_of(model)
        assert plain_length(setting) == length


def plain_length(setting: Setting) -> int:
    """Return the length of the shortest attack that the plain search finds, judging whole worlds."""
    tails = set()

    def wrong(world: World) -> bool:
        if check_state(setting.network, world):
            tails.add(0)
        elif any(map(partial(breaks, setting, world), naive.delivering(setting, world))):
            tails.add(1)
        return bool(tails)

    levels = naive.search(setting, System(setting).ballots.values, wrong).levels
    return len(levels) - 1 + min(tails)


def breaks(setting: Setting, world: World, action: Action) -> bool:
    """Whether a predicate of steps finds something wrong with an action."""
    outcome = step(setting.network, world, action)
    if not isinstance(outcome, Accepted):
        return False
    taken = (setting.network, world, Step(action, outcome), outcome.state)
    return any(list(judge.function(*taken)) for judge in chosen(None, "step"))


def test_the_same_search_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = made(tmp_path, BROKEN["too-many-faults"][0])
    reports = [explore(model, Options())]
    monkeypatch.setattr(search, "CHUNK", 7)
    reports.append(explore(model, Options()))
    texts = [{**report.to_json(), "seconds": 0, "memory": 0} for report in reports]
    assert texts[0] == texts[1]
    assert reports[0].attack is not None
    assert reports[1].attack is not None
    assert reports[0].attack.trace == reports[1].attack.trace


def test_a_bound_makes_the_search_incomplete(tmp_path: Path) -> None:
    model = made(tmp_path, MODELS["rivals"])
    for bounds, reason in (
        (Bounds(states=50), "more than 50 states"),
        (Bounds(memory=1), "more than 1 MiB of memory"),
    ):
        report = explore(model, Options(bounds=bounds))
        assert (report.verdict, report.reason) == ("incomplete", reason)
        assert not report.holds


@pytest.mark.parametrize("name", ["rivals", "forged", "resent", "life", *BROKEN])
def test_without_tables_the_search_goes_on_and_says_so(tmp_path: Path, name: str) -> None:
    text = MODELS[name] if name in MODELS else BROKEN[name][0]
    model = made(tmp_path, text.replace("[expect]", ONE + "\n[expect]"))
    tabled, plain = explore(model, Options(symmetry=False)), explore(model, Options(bounds=Bounds(locals=3)))
    assert plain.note == "more than 3 local states: searched without tables or reductions"
    assert (plain.states, plain.depth, plain.transitions) == (tabled.states, tabled.depth, tabled.transitions)
    assert comparable(plain) == comparable(tabled)


ONE = """
[[witnesses]]
name = "a is committed by all"
committed = ["a"]
voted = ["a"]
count = 2
"""


def test_what_does_not_fit_is_not_searched_quickly(tmp_path: Path) -> None:
    block = '\n[[blocks]]\nname = "b{0}"\nchain = "0"\noperations = [{{ do = "burn", amount = {0} }}]\n'
    model = made(tmp_path, text_of("".join(map(block.format, range(1, 5))), (1,) * 6))
    report = explore(model, Options(quick=True, bounds=Bounds(states=100)))
    assert report.note == "a question about a state takes 65 bits, at most 63 fit: not searched quickly"
    assert (report.quick, report.verdict) == (False, "incomplete")


def test_an_interrupted_search_is_partial(tmp_path: Path) -> None:
    def interrupt(found: Search) -> None:
        if found.depth == 3:
            raise KeyboardInterrupt

    report = explore(made(tmp_path, MODELS["rivals"]), Options(), interrupt)
    assert report.verdict == "interrupted"
    assert 1 < report.states < 592
    assert not report.holds

"""Predicates asked of parts of states: the verdicts are those on whole worlds, and nothing is asked twice."""

from pathlib import Path

import pytest
from models import BROKEN, MODELS, made

from linera_invariants.driver import Step
from linera_invariants.explorer.bounds import Bounds
from linera_invariants.explorer.judge import Judge
from linera_invariants.explorer.model import settings_of
from linera_invariants.explorer.packing import Batch, take
from linera_invariants.explorer.parts import ABSENT, Memo, View
from linera_invariants.explorer.runs import action_of, inputs
from linera_invariants.explorer.search import Search
from linera_invariants.explorer.system import State, System
from linera_invariants.explorer.tables import Tables
from linera_invariants.explorer.whole import Whole
from linera_invariants.registry import check_state, chosen
from linera_reference.network import World, step
from linera_reference.rejections import unwrap

SAMPLE = 60
"""States of each model that are judged in full."""


def verdicts(judge: Judge, row: Batch) -> tuple[set[str], set[str]]:
    """Return the statements broken in a state, and by the next step, as its parts are judged."""
    judge.ask(row)
    found = [
        verdict
        for questions, subjects, context, _ in judge.questions(row)
        for _, verdict in questions.find(subjects, context)
    ]
    return tuple({name.partition(".")[0] for v in found for name in getattr(v, when)} for when in ("now", "next"))


def broken_by_steps(whole: Whole, tables: Tables, state: State, world: World) -> set[str]:
    """Return the statements that some step from a state breaks, judged on whole worlds."""
    network, found = tables.system.setting.network, set()
    for move in inputs(tables.system, state):
        action = action_of(tables.system, world, move)
        outcome = unwrap(step(network, world, action))
        for judge in chosen(None, "step"):
            found |= {v.statement for v in judge.function(network, world, Step(action, outcome), outcome.state)}
    return found


@pytest.mark.parametrize("name", [*MODELS, *BROKEN])
def test_parts_are_judged_as_whole_worlds_are(tmp_path: Path, name: str) -> None:
    model = made(tmp_path, MODELS[name] if name in MODELS else BROKEN[name][0])
    broken = set()
    with model.in_force():
        system = System(settings_of(model)[0])
        system.close(10**5)
        tables, whole = Tables(system), Whole(system)
        search = Search(tables, Judge(tables, ()), Whole(system, ()), [], Bounds())
        search.run()
        judge, constant = Judge(tables), {name.partition(".")[0] for name in whole.constant()}
        rows = [take(level, slice(i, i + 1)) for level in search.levels for i in range(len(level[0]))]
        for row in rows[:: max(1, len(rows) // SAMPLE)]:
            (state,) = tables.unpacked(row)
            world = whole.world(state, whole.reader(state))
            now, after = verdicts(judge, row)
            assert now | constant == {v.statement for v in check_state(system.setting.network, world)}
            assert after == broken_by_steps(whole, tables, state, world)
            broken |= now | after
    assert bool(broken) is (name in BROKEN)


def test_the_parts_of_all_states_are_few(tmp_path: Path) -> None:
    (setting,) = settings_of(made(tmp_path, MODELS["rivals"]))
    system = System(setting)
    system.close(10**5)
    judge = Judge(Tables(system))
    search = Search(judge.tables, judge, Whole(system), [], Bounds())
    search.run()
    assert len(system.locals) == 9
    assert sum(memo.calls for memo in system.memos.values()) < 40
    assert sum(judge.counts.values()) < 3 * search.states


def test_a_memo_asks_again_only_where_something_read_differs() -> None:
    asked = []

    def either(read):
        asked.append(1)
        return "short" if read("a") else f"long {read('b')}"

    memo = Memo(either)
    states = [{"a": a, "b": b} for a in (1, 0) for b in (1, 2, 3)]
    answers = [memo(state.__getitem__) for state in states]
    assert answers == ["short"] * 3 + ["long 1", "long 2", "long 3"]
    assert len(asked) == memo.calls == 4
    assert [memo(state.__getitem__) for state in states] == answers
    assert len(asked) == 4


def test_a_view_is_the_map_that_it_reads() -> None:
    known = {"a": 1, "b": 2}
    view = View(lambda key: known.get(key, ABSENT), lambda: known)
    other = view.set("c", 3).delete("a")
    assert dict(view.items()) == known
    assert dict(other.items()) == {"b": 2, "c": 3}
    assert other.changes == {"c": 3, "a": ABSENT}
    assert (other.get("a"), other["c"], "a" in other, len(other), list(other.keys())) == (None, 3, False, 2, ["b", "c"])
    assert view != other
    assert view == view.set("a", 1)
    assert view != View(lambda key: known.get(key, ABSENT), lambda: known)
    with pytest.raises(KeyError):
        other["a"]

"""The fast search: level by level over packed states, every level judged as it is reached."""

from collections.abc import Callable
from typing import Any

import numpy as np
from attrs import define, field

from .bounds import Bounds
from .judge import Judge, Verdict
from .packing import Batch, in_order, joined, sorted_unique, take, without
from .runs import Move, Played, Unplayable, inputs, moves, play, start, with_sendings
from .system import State, System
from .tables import Tables
from .whole import Whole
from .witnesses import TableWatch, WayOut

CHUNK = 1 << 17
"""States that are expanded at once."""


@define(eq=False)
class Search:
    """A search under way: what was visited, and the first thing wrong."""

    tables: Tables
    judge: Judge
    whole: Whole
    watches: list[TableWatch]
    bounds: Bounds
    progress: Callable[["Search"], None] = lambda _: None
    way_out: WayOut | None = None
    lazy: bool = False
    """Send only what is used at once; whatever else could have been sent is then part of every question."""
    levels: list[Batch] = field(factory=list)
    states: int = 0
    """Distinct states; under symmetry, those that the representatives stand for."""
    kept: int = 0
    """States in memory."""
    transitions: int = 0
    dead_ends: int = 0
    wrong: tuple[int, int, Verdict] | None = None
    """The level, the row in it, and what is wrong there."""

    @property
    def system(self) -> System:
        """The system that is searched."""
        return self.tables.system

    @property
    def waiting(self) -> int:
        """States that are expanded next."""
        return len(self.levels[-1][0])

    @property
    def depth(self) -> int:
        """The distance of the farthest state found."""
        return len(self.levels) - 1

    def run(self) -> None:
        """Visit every state, up to the first level with something wrong. Raises: OutOfBounds."""
        self.reach(self.tables.start())
        if names := self.whole.constant():
            self.blame(0, Verdict(names))
        graded, visited = self.tables.is_graded(), self.levels[0]
        while self.wrong is None:
            level = self.expand(self.levels[-1])
            if not graded:  # else nothing is reached twice
                level = without(level, visited)
                visited = in_order(joined([visited, level], self.tables.words))
            if not len(level[0]):
                break
            self.reach(level)

    def reach(self, level: Batch) -> None:
        """Count, watch and judge a new level."""
        self.levels.append(level)
        self.kept += len(level[0])
        self.states += self.tables.orbits(level)
        for begin in range(0, len(level[0]), CHUNK):
            self.look(take(level, slice(begin, begin + CHUNK)), begin)
        self.check()

    def look(self, batch: Batch, begin: int) -> None:
        """Ask the predicates and witnesses about some states."""
        ids = [place.get(batch) for place in self.tables.local]
        sent = self.tables.sent(batch)
        possible = self.tables.everything(sent).formed if self.lazy else sent.formed
        for watch in self.watches:
            watch.look(batch, ids, sent.formed, possible)
        if self.way_out is not None:
            self.way_out.look(ids, sent.formed)
        if self.judge.ask(batch):
            found = self.judge.first(batch)
            if found is not None:
                self.blame(begin + found[0], found[1])
        for row, state in enumerate(self.tables.unpacked(batch) if self.whole.judges else ()):
            if names := self.whole.wrong(state):
                self.blame(begin + row, Verdict(names))
                break

    def blame(self, row: int, verdict: Verdict) -> None:
        """Remember the first state with something wrong, preferring what is wrong now to what a step breaks."""
        known = self.wrong
        if known is None or (bool(verdict.now), -row) > (bool(known[2].now), -known[1]):
            self.wrong = (self.depth, row, verdict)

    def expand(self, level: Batch) -> Batch:
        """Return the successors of a level, sorted."""
        parts = []
        for begin in range(0, len(level[0]), CHUNK):
            batch = take(level, slice(begin, begin + CHUNK))
            alive = np.zeros(len(batch[0]), bool)
            found = []
            for rows, after in self.tables.deliveries(batch) if self.lazy else self.tables.successors(batch):
                alive[rows] = True
                self.transitions += len(rows)
                found.append(after)
            self.dead_ends += int(len(alive) - alive.sum())
            if found:
                parts.append(sorted_unique(self.tables.canonical(joined(found, self.tables.words))))
            self.check()
        return parts[0] if len(parts) == 1 else sorted_unique(joined(parts, self.tables.words))

    def check(self) -> None:
        """Report, and give up past a bound."""
        self.progress(self)
        self.bounds.check(self.kept)

    # --- the way back ---

    def attack(self) -> Played:
        """Return the shortest run to what is wrong, judged by the network itself. Raises: Unplayable."""
        path, system = self.path(), self.system
        state = self.end(path)
        tails = [[]] if self.wrong and self.wrong[2].now else [[move] for move in inputs(system, state)]
        if self.tables.at_once:
            return self.written_out(path, tails)
        choices = max((len(system.quorums(number)) for number in range(len(system.ballots))), default=1)
        for tail in tails:
            for choice in range(choices):
                played = play(system, [*path, *tail], self.judge.names, choice)
                if played.violations:
                    return played
        raise Unplayable("the network finds nothing wrong")

    def written_out(self, path: list[Move], tails: list[list[Move]]) -> Played:
        """Return a run to what is wrong where only what is needed was sent. Raises: Unplayable."""
        for tail in tails:
            for run in with_sendings(self.system, [*path, *tail]):
                played = play(self.system, run, self.judge.names)
                if played.violations:
                    return played
        raise Unplayable("the network finds nothing wrong")

    def path(self) -> list[Move]:
        """Return the shortest way to the first state with something wrong."""
        depth, row, _ = self.wrong or (0, 0, None)
        wanted = [take(self.levels[depth], slice(row, row + 1))]
        for level in reversed(self.levels[:depth]):
            wanted.append(self.parent(level, wanted[-1]))
        state, path = start(self.system), []
        for target in wanted[-2::-1]:
            move, state = self.find(state, target)
            path.append(move)
        return path

    def end(self, path: list[Move]) -> State:
        """Return the state at the end of a path."""
        state = start(self.system)
        for move in path:
            state = dict(moves(self.system, state))[move]
        return state

    def parent(self, level: Batch, target: Batch) -> Batch:
        """Return the first state of a level that leads to a state."""
        for begin in range(0, len(level[0]), CHUNK):
            batch = take(level, slice(begin, begin + CHUNK))
            rows = [
                int(found[same].min())
                for found, after in self.tables.successors(batch)
                if (same := _equal(self.tables.canonical(after), target)).any()
            ]
            if rows:
                return take(batch, slice(min(rows), min(rows) + 1))
        raise LookupError("a state without a parent")

    def find(self, state: State, wanted: Batch) -> tuple[Move, State]:
        """Return the first move that leads to a state, or to one that it stands for."""
        for move, after in moves(self.system, state):
            if _equal(self.tables.canonical(self.tables.packed(after)), wanted).all():
                return move, after
        raise LookupError("a step that is no move")


def _equal(batch: Batch, one: Batch) -> Any:
    same = np.ones(len(batch[0]), bool)
    for column, value in zip(batch, one, strict=True):
        same &= column == value[0]
    return same

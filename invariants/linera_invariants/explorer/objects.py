"""The search without tables, for a system whose local states do not close within the bound.

Local states are numbered as they turn up, and each new state is judged as a whole world: slow, but nothing has to fit.
"""

from collections.abc import Callable
from itertools import product

from attrs import define, field

from linera_invariants.driver import Step
from linera_invariants.registry import Names, check_goals, check_state, chosen
from linera_reference.network import World, step
from linera_reference.rejections import unwrap

from .bounds import Bounds
from .runs import Move, Played, action_of, inputs, moves, play, start
from .system import State, System
from .whole import Whole
from .witnesses import Watch


@define(eq=False)
class ObjectSearch:
    """A search under way: how each state was reached, level by level."""

    system: System
    names: Names
    watches: list[Watch]
    bounds: Bounds
    progress: Callable[["ObjectSearch"], None] = lambda _: None
    came: dict[State, tuple[State, Move] | None] = field(factory=dict)
    frontier: list[State] = field(factory=list)
    depth: int = 0
    transitions: int = 0
    dead_ends: int = 0
    wrong: list[Move] | None = None
    """The shortest way to something wrong."""

    @property
    def states(self) -> int:
        """Count the states."""
        return len(self.came)

    @property
    def kept(self) -> int:
        """States in memory."""
        return len(self.came)

    @property
    def waiting(self) -> int:
        """States that are expanded next."""
        return len(self.frontier)

    def run(self) -> None:
        """Visit every state, up to the first with something wrong. Raises: OutOfBounds."""
        first = start(self.system)
        self.came[first] = None
        self.frontier = [first]
        self.judge()
        while self.wrong is None and (reached := self.expand()):
            self.frontier, self.depth = reached, self.depth + 1
            self.judge()

    def expand(self) -> list[State]:
        """Return the new states that one action leads to."""
        reached: list[State] = []
        for state in self.frontier:
            alive = False
            for move, after in moves(self.system, state):
                alive, self.transitions = True, self.transitions + 1
                if after not in self.came:
                    self.came[after] = (state, move)
                    reached.append(after)
            self.dead_ends += not alive
            self.check()
        return reached

    def judge(self) -> None:
        """Judge the frontier: what is wrong now goes before what the next step breaks."""
        whole, network = Whole(self.system), self.system.setting.network
        tail = None
        for watch, state in product(self.watches, self.frontier):
            watch.look_at(state)
        for state in self.frontier:
            self.check()
            world = whole.world(state, whole.reader(state))
            if check_state(network, world, self.names) or check_goals(network, world, self.names or ()):
                self.wrong = self.path(state)
                return
            tail = tail or self.breaking(state, world)
        self.wrong = tail

    def breaking(self, state: State, world: World) -> list[Move] | None:
        """Return the way to the first step from a state that a predicate finds wrong."""
        for move in inputs(self.system, state):
            action = action_of(self.system, world, move)
            outcome = unwrap(step(self.system.setting.network, world, action))
            taken = (self.system.setting.network, world, Step(action, outcome), outcome.state)
            if any(list(judge.function(*taken)) for judge in chosen(self.names, "step")):
                return [*self.path(state), move]
        return None

    def path(self, state: State) -> list[Move]:
        """Return the way to a state."""
        found: list[Move] = []
        while (before := self.came[state]) is not None:
            state, move = before
            found.append(move)
        return found[::-1]

    def attack(self) -> Played:
        """Return the shortest run to what is wrong, judged by the network itself."""
        return play(self.system, self.wrong or [], self.names)

    def check(self) -> None:
        """Report, and give up past a bound."""
        self.progress(self)
        self.bounds.check(self.kept)

"""Recording runs: a machine's run up to a goal, an attack on a broken variant, or a scenario.

Hypothesis shrinks a machine's run to the smallest that still reaches the goal. What is recorded is only what was done:
replaying it needs neither the machine nor the model again.
"""

from difflib import get_close_matches
from pathlib import Path
from typing import ClassVar, Final

from attrs import define
from immutables import Map

from linera_invariants.driver import Step
from linera_invariants.errors import UsageError
from linera_invariants.explorer.command import find_model
from linera_invariants.explorer.explore import Options
from linera_invariants.explorer.explore import explore as search
from linera_invariants.explorer.model import read_model
from linera_invariants.machines import MACHINES, explore
from linera_invariants.machines.base import Session
from linera_invariants.machines.network import NetworkMachine
from linera_invariants.mutation import function_object
from linera_invariants.scenarios import find_scenario
from linera_invariants.schemes import SCHEMES
from linera_reference.network import World

from .runs import ADVERSARY, RecordedRun, run_of_scenario

RECORDABLE: Final = tuple(name for name, spec in MACHINES.items() if issubclass(spec.machine, NetworkMachine))
"""The machines whose runs are runs of the network."""
EXAMPLES: Final = 300


class Reached(Exception):
    """A machine has reached the goal: the run so far is what is wanted."""


@define
class Recording(Session):
    """A session that keeps the run of the smallest example that reaches the goal."""

    goal: str = ""
    run: RecordedRun | None = None


class Recorder(NetworkMachine):
    """A machine whose example ends where it reaches the goal; Hypothesis takes that for a failure and shrinks it."""

    session: ClassVar[Recording]

    def count(self, name: str, times: int = 1) -> None:
        """Stop at the goal."""
        super().count(name, times)
        if times > 0 and name == self.session.goal:
            raise Reached(name)

    def judge(self, before: World, step: Step, after: World) -> None:
        """Leave it to those who look for violations."""

    def confess(self, error: Exception) -> None:
        """Keep the run of this example."""
        super().confess(error)
        session = self.session
        if isinstance(error, Reached):
            actions = tuple(step.action for step in self.driver.trace)
            title = f"A run of a machine: {session.goal}"
            session.run = RecordedRun(title, ADVERSARY, session.source, Map(self.names), self.network, actions)


def record_machine(
    name: str, goal: str | None, seed: int = 0, crypto: str = "ed25519", examples: int = EXAMPLES
) -> RecordedRun:
    """Run a machine until it reaches a goal, and shrink the run. Raises: UsageError."""
    if name not in RECORDABLE:
        raise UsageError(f"machine {name}: expected one of {', '.join(RECORDABLE)}")
    spec = MACHINES[name]
    if goal not in spec.coverage:
        close = get_close_matches(goal or "", sorted(spec.coverage), n=3, cutoff=0.3) or sorted(spec.coverage)
        raise UsageError(f"--goal: expected a place that the machine counts, such as {', '.join(map(repr, close))}")
    session = Recording(SCHEMES[crypto], source=f"machine {name}, seed {seed}", goal=goal or "")
    explore(type("Recorded", (Recorder, spec.machine), {"session": session}), examples, spec.steps, seed, True)
    if session.run is None:
        raise UsageError(f"--goal: {goal!r} was not reached within {examples} examples; it may be with another --seed")
    return session.run


def record_model(path: Path) -> RecordedRun:
    """Explore a model and return the shortest attack. Raises: UsageError."""
    model = read_model(path)
    attack = search(model, Options()).attack
    if attack is None:
        raise UsageError(f"{path}: expected a model with an attack, found none")
    broken = None if model.mutant is None else function_object(model.mutant.function)
    clauses: tuple[str, ...] = getattr(broken, "__clauses__", ()) or ADVERSARY
    title = f"An attack on a broken variant: {model.sentence or model.title}"
    return RecordedRun(title, clauses, f"explorer: {model.name}", Map(attack.names), attack.network, attack.actions)


def record(what: str, name: str, goal: str | None = None, seed: int | None = None) -> RecordedRun:
    """Record a run of a machine, a model or a scenario (a file, or one that is shipped). Raises: UsageError."""
    if what == "machine":
        return record_machine(name, goal, seed or 0)
    if goal is not None or seed is not None:
        raise UsageError("--goal and --seed: expected with a machine only")
    if what == "model":
        return record_model(find_model(name))
    if what == "scenario":
        return run_of_scenario(find_scenario(name))
    raise UsageError(f"WHAT: expected machine, model or scenario, found {what!r}")

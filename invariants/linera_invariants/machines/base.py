"""What the machines share: coverage counters, a story of every failure, and the run that they serve."""

import sys
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from attrs import define, field, frozen
from hypothesis import event, note
from hypothesis import strategies as st
from hypothesis.errors import UnsatisfiedAssumption
from hypothesis.stateful import RuleBasedStateMachine

from linera_reference.crypto import IdealScheme, Scheme
from linera_reference.rejections import Reason, Rejection

T = TypeVar("T")


class Violated(AssertionError):
    """A machine found behaviour that a statement or an independent model forbids."""


@frozen
class Failure:
    """A failing example: what went wrong, and the run that leads there, line by line.

    ``trace`` is the document of a run of the network.
    """

    error: str
    story: tuple[str, ...]
    trace: dict[str, Any] | None = None


@define
class Session:
    """What one run of a machine gathers over all its examples."""

    scheme: Scheme = field(factory=IdealScheme)
    progress: Callable[[int], None] | None = None
    source: str = ""
    examples: int = 0
    steps: int = 0
    coverage: Counter[str] = field(factory=Counter)
    checked: Counter[str] = field(factory=Counter)
    failure: Failure | None = None

    def start(self) -> None:
        """One more example begins."""
        self.examples += 1
        if self.progress is not None:
            self.progress(self.examples)


class Machine(RuleBasedStateMachine):
    """A state machine that counts where it has been and tells how it failed.

    Hypothesis replays the smallest failing example last, so the failure that the session keeps is that one.
    """

    session: ClassVar[Session] = Session()

    def __init__(self) -> None:
        super().__init__()
        self.session.start()
        self.seen: set[str] = set()

    def count(self, name: str, times: int = 1) -> None:
        """Remember that the run has been in an interesting place."""
        if times > 0:
            self.session.coverage[name] += times
            if name not in self.seen:
                self.seen.add(name)
                event(name)

    def check(self, holds: bool, statement: str, *details: object) -> None:
        """Demand a statement of the machine's own model."""
        self.session.checked[statement] += 1
        if not holds:
            raise Violated(f"{statement}: {', '.join(map(repr, details))}" if details else statement)

    def story(self) -> list[str]:
        """Tell what happened in this example so far."""
        raise NotImplementedError

    def trace(self, error: str) -> dict[str, Any] | None:
        """Describe what happened in this example so far, where it is a run of the network."""
        return None

    def goodbye(self) -> None:
        """Check what must hold when an example ends well."""

    def teardown(self) -> None:
        """Finish the example; if it fails, attach its story."""
        error = sys.exc_info()[1]
        if error is None:
            try:
                self.goodbye()
            except Exception as late:
                self.confess(late)
                raise
        elif isinstance(error, Exception) and not isinstance(error, UnsatisfiedAssumption):
            self.confess(error)

    def confess(self, error: Exception) -> None:
        """Keep and show the story of a failing example."""
        lines = self.story()
        what = f"{type(error).__name__} {where(error)}: {error}"
        self.session.failure = Failure(what, tuple(lines), self.trace(str(error)))
        for line in lines:
            note(line)


def where(error: Exception) -> str:
    """Say where an exception was raised: in the reference, if it went through it."""
    frames = traceback.extract_tb(error.__traceback__)
    core = [frame for frame in frames if "linera_reference" in frame.filename]
    last = (core or frames)[-1]
    return f"in {Path(last.filename).stem}.{last.name}, line {last.lineno}"


def attempt(function: Callable[..., T], *args: Any) -> T | Reason:
    """Call an inner rule; return the reason when it rejects."""
    try:
        return function(*args)
    except Rejection as rejection:
        return rejection.reason


NEWEST = st.integers(0, 5) | st.integers(0, 63)
"""How far back to reach into what was sent: mostly to the newest."""


def back(items: list[T], distance: int) -> T:
    """Return the item that many places before the newest, round and round."""
    return items[-1 - distance % len(items)]

"""Looking at a harness alone: whether it keeps to the protocol. What it answers is not judged."""

import random
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from attrs import asdict, evolve, frozen

from linera_invariants.vectors.model import Vector
from linera_invariants.vectors.table import OPERATIONS

from .command import Progress, task_of
from .copies import Fault, Options, Reply, Session, Task, run_harness
from .suite import Choice, choose

OF_EACH: Final = 6
"""Vectors per operation and kind of answer."""
MOST_FOUND: Final = 10
NO_OPERATION: Final = "no_such_operation"


@frozen
class Finding:
    """A demand of the protocol, and where the harness falls short of it."""

    check: str
    found: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.found

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "found": list(self.found), "holds": self.holds}


@frozen
class _Asked:
    """What a harness was asked in some runs, and what it answered: per task one reply of each time."""

    sessions: tuple[Session, ...]
    replies: tuple[tuple[Task, tuple[Reply, ...]], ...]


def check_harness(
    command: str, options: Options, progress: Callable[[int], Progress], root: Path | None = None
) -> list[Finding]:
    """Ask a harness some vectors three times over, and compare with the protocol. Raises: UsageError."""
    tasks = [*map(task_of, sample(choose(Choice(), root=root).vectors)), Task("none/none", NO_OPERATION, dict)]
    asked = _ask(command, tasks, options, progress(3 * len(tasks)))
    return [Finding(check, tuple(_first(look(asked)))) for check, look in CHECKS.items()]


def sample(vectors: Iterable[Vector]) -> list[Vector]:
    """Return a few vectors of each operation, accepted and rejected ones."""
    groups: dict[Any, list[Vector]] = {}
    for vector in vectors:
        groups.setdefault((vector.operation, "accepted" in vector.expect), []).append(vector)
    return [vector for group in groups.values() for vector in group[:: max(1, len(group) // OF_EACH)][:OF_EACH]]


def _ask(command: str, tasks: list[Task], options: Options, done: Progress) -> _Asked:
    """Ask one by one, in the order given and then in another; then many at a time, of a new process."""
    replies: list[list[Reply]] = [[] for _ in tasks]
    draw = random.Random(0)  # noqa: S311 - some other order
    orders = [draw.sample(range(len(tasks)), len(tasks)) for _ in range(2)]

    def run(order: list[int], ahead: int) -> Session:
        def reply(place: int, answer: Reply) -> None:
            replies[order[place]].append(answer)
            done(tasks[order[place]].name)

        how = evolve(options, jobs=1, ahead=ahead, beyond=True)
        return run_harness(command, [tasks[place] for place in order], how, reply)

    sessions = run([*range(len(tasks)), *orders[0]], 1), run(orders[1], options.ahead)
    return _Asked(sessions, tuple((task, tuple(found)) for task, found in zip(tasks, replies, strict=True)))


def _first(found: Iterable[str]) -> Iterator[str]:
    lines = list(islice(dict.fromkeys(found), MOST_FOUND + 1))
    yield from lines[:MOST_FOUND]
    if len(lines) > MOST_FOUND:
        yield "and more"


# --- The checks --------------------------------------------------------------------------------------------------


def _sessions(asked: _Asked) -> Iterator[str]:
    for session in asked.sessions:
        for fault in session.problems:
            yield from (fault.what, *(f"stderr: {line}" for line in fault.stderr))


def _answers(asked: _Asked) -> Iterator[str]:
    for task, replies in asked.replies:
        for fault in replies:
            if isinstance(fault, Fault):
                yield "; ".join((f"{task.name}: {fault.what}", *(f"stderr: {line}" for line in fault.stderr)))


def _known(asked: _Asked) -> Iterator[str]:
    listed = asked.sessions[0].operations
    yield from (f"expected names of operations, found {name}" for name in listed if name not in OPERATIONS)
    if not listed:
        yield "expected at least one operation, found none"


def _honest(asked: _Asked) -> Iterator[str]:
    listed = asked.sessions[0].operations
    groups: dict[str, list[Reply]] = {}
    for task, replies in asked.replies:
        groups.setdefault(task.operation, []).extend(replies)
    for name, given in groups.items():
        skipped = ["skipped" in reply for reply in given if isinstance(reply, dict)]
        if name in listed and skipped and all(skipped):
            yield f"{name} is listed, and every request for it is skipped"
        if name not in listed and not all(skipped):
            yield f"{name} is not listed: expected every request for it to be skipped"


def _rejections(asked: _Asked) -> Iterator[tuple[Task, dict[str, Any]]]:
    for task, replies in asked.replies:
        yield from ((task, reply) for reply in replies if isinstance(reply, dict) and "rejected" in reply)


def _details(asked: _Asked) -> Iterator[str]:
    promised = asked.sessions[0].details
    for task, reply in _rejections(asked):
        if ("detail" in reply) is not promised:
            yield f"{task.name}: expected {'a' if promised else 'no'} detail, since details is {str(promised).lower()}"


def _states(asked: _Asked) -> Iterator[str]:
    for task, reply in _rejections(asked):
        called = OPERATIONS.get(task.operation)
        if called is not None and ("state" in reply) is not (called.state is not None):
            yield f"{task.name}: expected {'a' if called.state else 'no'} state, rejected by {task.operation}"


def _memory(asked: _Asked) -> Iterator[str]:
    for task, replies in asked.replies:
        said = [_comparable(reply) for reply in replies if isinstance(reply, dict)]
        if any(answer != said[0] for answer in said):
            yield f"{task.name}: expected the same answer whenever it is asked, found another"


def _comparable(reply: dict[str, Any]) -> Any:
    """Leave out words for people."""
    return next((key for key in ("skipped", "errored") if key in reply), reply)


CHECKS: Final[dict[str, Callable[[_Asked], Iterator[str]]]] = {
    "it starts, says what it can, and stops with exit code 0": _sessions,
    "every request is answered in order, in the form of the protocol": _answers,
    "capabilities name operations": _known,
    "capabilities are what it answers": _honest,
    "rejections have a detail if it says so": _details,
    "rejections of transitions carry the state": _states,
    "nothing is remembered from one request to the next": _memory,
}

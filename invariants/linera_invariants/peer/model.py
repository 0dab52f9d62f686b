"""What a peer vector is, and what the reference shows when one of its steps is played."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias, TypeVar

from attrs import field, frozen

from linera_reference.rejections import Accepted, Outcome, Reason, Rejected, transition
from linera_reference.rules import Rules

T = TypeVar("T")


class MalformedStepError(Exception):
    """A step says something that its vector gives no meaning to: what was expected. The replay adds the place."""


class NotYetError(Exception):
    """A step needs a feature that the reference does not have yet."""


@frozen
class Step:
    """One step: an operation, and everything that the vector asserts about it.

    ``asserts`` holds what is there of ``returns`` and ``state_after``.
    """

    number: int
    op: str
    args: Mapping[str, Any]
    by: str | None
    expect: Any
    asserts: Mapping[str, Any]


@frozen
class Vector:
    """Steps in order on one object; ``rules`` is the profile of the revision that the vector comes from."""

    file: str
    id: str
    name: str
    kind: str
    setup: Mapping[str, Any]
    rules: Rules
    steps: tuple[Step, ...]


@frozen
class Seen:
    """What the reference did in one step, in the words of the vectors.

    ``round`` is the one that a rejection names. ``state`` says only what the step asserts. ``problem`` is a fact of the
    step that does not hold although no key asserts it.
    """

    reason: Reason | None = None
    returns: Any = None
    state: Mapping[str, Any] = field(factory=dict)
    problem: str | None = None
    round: int | None = None


Interpreter: TypeAlias = Callable[[Vector], Iterator[Seen]]
"""Plays the steps of a vector of one kind, lazily and in order."""


@transition
def attempt(function: Callable[..., T], *args: Any) -> Accepted[T]:
    """Call a rule of the reference; a rejection becomes a value."""
    return Accepted(function(*args))


def reason_of(outcome: Outcome[Any]) -> Reason | None:
    """Return why something was rejected, ⊥ if it was not."""
    return outcome.reason if isinstance(outcome, Rejected) else None


def look_up(table: Mapping[str, T], name: str) -> T:
    """Return what a vector calls ``name``."""
    if name not in table:
        raise MalformedStepError(f"expected a name that this vector defines, found {name!r}")
    return table[name]


def parts_of(pattern: str, text: str) -> re.Match[str]:
    """Take prose of a vector apart; prose that nobody checks is an error."""
    found = re.fullmatch(pattern, text)
    if found is None:
        raise MalformedStepError(f"expected text of a known form, found {text!r}")
    return found


def asserted_state(step: Step, facts: Mapping[str, Callable[[], Any]]) -> dict[str, Any]:
    """Evaluate the facts that ``state_after`` asserts, and no others."""
    return {key: look_up(facts, key)() for key in step.asserts.get("state_after", {})}

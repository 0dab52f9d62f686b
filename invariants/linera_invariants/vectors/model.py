"""What a vector is, and how a case of the reference becomes one."""

from typing import Any, Final

from attrs import frozen

from linera_reference.rejections import Reason

from .forms import Form, form_of
from .operations import Answer, Operation, perform, result_form
from .table import OPERATIONS

AREAS: Final = (
    "encoding",
    "hashing",
    "identifiers",
    "committee",
    "certificates",
    "two-set-inbox",
    "ordered-inbox",
    "outbox",
    "round-rules",
    "cross-chain",
    "execution",
    "requests",
    "certificate-handling",
    "rounds",
    "swap",
    "lifecycle",
    "client",
    "audit",
    "accountability",
    "scenarios",
)
"""The areas, in the order of their dependence; each has a module of cases and a file of vectors."""


UNSAID: Final = object()


@frozen(kw_only=True)
class Case:
    """A call of an operation and what its author expects of it.

    ``gives`` is the expected result where the author says it, ``reason`` the expected rejection (⊥: accepted).
    ``faults`` are all reasons that a wrong order of guards could give, where the input has several faults; ``free``
    says that the specification leaves their order open. ``flags`` name what accepting would mean, beside the flag of
    the reason itself; ``source`` says where the case comes from.
    """

    name: str
    sentence: str
    clauses: tuple[str, ...]
    operation: str
    arguments: dict[str, Any]
    reason: Reason | None = None
    gives: Any = UNSAID
    faults: tuple[Reason, ...] = ()
    free: bool = False
    flags: tuple[str, ...] = ()
    source: str = "hand-written"


@frozen
class Vector:
    """A vector as its file states it. ``expect`` is an answer; beside a rejection, ``allowed`` lists other reasons."""

    id: str
    sentence: str
    clauses: tuple[str, ...]
    operation: str
    arguments: dict[str, Form]
    expect: Answer
    allowed: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    source: str = "hand-written"


class CaseError(AssertionError):
    """The reference does not answer a case as its author expects."""


def vector_of(area: str, case: Case) -> Vector:
    """Run a case. Raises: CaseError."""
    called = OPERATIONS[case.operation]
    arguments = forms_of(called, case.arguments)
    answer = perform(called, arguments)
    found, expected = last_answer(called, answer).get("rejected"), None if case.reason is None else case.reason.name
    if found != expected:
        raise CaseError(f"{area}/{case.name}: expected {expected or 'acceptance'}, the reference says {answer}")
    if case.gives is not UNSAID and answer != {"accepted": result_form(called.result, case.gives)}:
        raise CaseError(f"{area}/{case.name}: expected {case.gives}, the reference says {answer}")
    faults = tuple(reason.name for reason in case.faults)
    return Vector(
        id=f"{area}/{case.name}",
        sentence=case.sentence,
        clauses=case.clauses,
        operation=case.operation,
        arguments=arguments,
        expect=answer,
        allowed=tuple(fault for fault in faults if fault != found) if case.free else (),
        faults=faults,
        flags=(*((found,) if isinstance(found, str) else ()), *case.flags),
        source=case.source,
    )


def forms_of(called: Operation, arguments: dict[str, Any]) -> dict[str, Form]:
    """Return the forms of the arguments of a call."""
    return {name: form_of(kind, arguments[name]) for name, kind in called.parameters.items()}


def last_answer(called: Operation, answer: Answer) -> Answer:
    """Return the answer that a vector is about: of an operation of steps, the answer to the last step."""
    last: Answer = answer["accepted"][-1] if called.steps and answer.get("accepted") else answer
    return last


def agrees(vector: Vector, answer: Answer) -> bool:
    """Whether an answer is what a vector expects. A detail counts where both give one."""
    expected = vector.expect
    if not OPERATIONS[vector.operation].steps or "accepted" not in expected:
        return _fits(expected, answer, vector.allowed)
    steps, found = expected["accepted"], answer.get("accepted")
    if not isinstance(found, list) or len(found) != len(steps):
        return False
    allowed = [()] * (len(steps) - 1) + [vector.allowed]
    return all(map(_fits, steps, found, allowed))


def _fits(expected: Answer, found: Any, allowed: tuple[str, ...]) -> bool:
    if not isinstance(found, dict) or "accepted" in expected:
        return bool(found == expected)
    if found.get("rejected") not in (expected["rejected"], *allowed):
        return False
    same_detail = found.get("detail", expected["detail"]) == expected["detail"]
    return (same_detail or found["rejected"] != expected["rejected"]) and _rest(found) == _rest(expected)


def _rest(answer: Answer) -> Answer:
    return {key: value for key, value in answer.items() if key not in {"rejected", "detail"}}

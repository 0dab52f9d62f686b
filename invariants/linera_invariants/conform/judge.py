"""Comparing what a harness answered with what a vector demands."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import evolve, frozen

from linera_invariants.ci_reports import Status
from linera_invariants.inputs import shown
from linera_invariants.vectors.build import explained_flags
from linera_invariants.vectors.forms import Form, digest_of
from linera_invariants.vectors.model import Vector, agrees
from linera_invariants.vectors.operations import perform
from linera_invariants.vectors.snapshot import snapshots_kept
from linera_invariants.vectors.table import OPERATIONS

from .copies import Fault, Reply

Mapped = Mapping[str, tuple[str, ...]]
MOST_DIFFERENCES: Final = 12


@frozen
class Verdict:
    """How a vector ended for an implementation, and why. ``coarse`` are error names that stand for several reasons."""

    status: Status
    what: str = ""
    differences: tuple[str, ...] = ()
    coarse: tuple[str, ...] = ()
    stderr: tuple[str, ...] = ()


def judge(vector: Vector, reply: Reply, mapping: Mapped) -> Verdict:
    """Judge the reply to a vector."""
    if isinstance(reply, Fault):
        status = Status.TIMED_OUT if reply.timed_out else Status.ERRORED
        return Verdict(status, reply.what, stderr=reply.stderr)
    if "skipped" in reply:
        return Verdict(Status.SKIPPED, _line(reply["skipped"]))
    if "errored" in reply:
        return Verdict(Status.ERRORED, _line(reply["errored"]))
    try:
        return _compare(vector, reply, mapping)
    except RecursionError:
        return Verdict(Status.FAILED, "expected an answer of a reasonable depth")


def _compare(vector: Vector, reply: Form, mapping: Mapped) -> Verdict:
    names = _Names(vector, mapping)
    answer = names.translated(reply)
    if not names.unknown and agrees(vector, digested(vector.expect, answer)):
        return Verdict(Status.PASSED, coarse=tuple(names.coarse))
    if names.unknown:
        unknown = ", ".join(map(shown, names.unknown))
        what = f"unmapped rejection: {unknown} is no reason of ours, and the mapping does not say which it means"
        return Verdict(Status.FAILED, what, (f"expected {_said(vector.expect)}",))
    differences = tuple(_bounded(differences_of(vector, answer)))
    return Verdict(Status.FAILED, _headline(vector, answer, differences), (*differences, *_effects(vector, answer)))


def _headline(vector: Vector, answer: Form, differences: tuple[str, ...]) -> str:
    """Say in a line what differs first: how a call ends, or else a place in its result."""
    for place, expected, found in _calls(vector, answer):
        if _said(expected) != _said(found):
            return f"{place}expected {_said(expected)}, found {_said(found)}"
    return differences[0] if differences else "expected another answer"


def _effects(vector: Vector, answer: Form) -> Iterator[str]:
    """Say what it would mean to accept what must be rejected."""
    if any("rejected" in expected and "accepted" in found for _, expected, found in _calls(vector, answer)):
        explained = explained_flags()
        yield from (" ".join(explained[flag].values()) for flag in vector.flags if flag in explained)


def _calls(vector: Vector, answer: Form) -> list[tuple[str, Any, Any]]:
    """Return what was expected and found of each call: of each step where an operation is a sequence of them."""
    expected, found = vector.expect.get("accepted"), answer.get("accepted")
    if OPERATIONS[vector.operation].steps and isinstance(expected, list) and _as_long(expected, found):
        steps = enumerate(zip(expected, found, strict=True), 1)
        return [(f"step {place}: ", e, f if isinstance(f, dict) else {}) for place, (e, f) in steps]
    return [("", vector.expect, answer)]


def _as_long(expected: list[Form], found: Form) -> bool:
    return isinstance(found, list) and len(found) == len(expected)


def _line(text: str) -> str:
    return "; ".join(ascii(line)[1:-1] for line in text.splitlines()[:5])[:500]


# --- Names of errors ---------------------------------------------------------------------------------------------


class _Names:
    """Translates the error names in an answer, and notes those that nobody explained, or that mean several reasons."""

    def __init__(self, vector: Vector, mapping: Mapped) -> None:
        self.vector, self.mapping = vector, mapping
        self.unknown: dict[str, None] = {}
        self.coarse: dict[str, None] = {}

    def translated(self, answer: Form) -> Form:
        """Return an answer with our reasons; of an operation of steps, the answers to the steps are meant."""
        calls = _calls(self.vector, answer)
        last = len(calls) - 1
        found = [self._translate(f, e, self.vector.allowed if i == last else ()) for i, (_, e, f) in enumerate(calls)]
        return {"accepted": found} if calls and calls[0][0] else (found or [answer])[0]

    def _translate(self, answer: Form, expected: Form, allowed: tuple[str, ...]) -> Form:
        if not isinstance(answer, dict) or not isinstance(answer.get("rejected"), str):
            return answer
        name = answer["rejected"]
        reasons = self.mapping.get(name)
        if reasons is None:
            self.unknown[name] = None
            return answer
        if len(reasons) == 1:
            return {**answer, "rejected": reasons[0]}
        self.coarse[name] = None
        wanted = [expected.get("rejected"), *allowed] if isinstance(expected, dict) else []
        meant = next((reason for reason in wanted if reason in reasons), reasons[0])
        return {key: value for key, value in answer.items() if key != "detail"} | {"rejected": meant}


# --- Digests and what they stand for -----------------------------------------------------------------------------


def digested(expected: Form, found: Form) -> Form:
    """Return an answer with digests in place of the states that stand where a digest is expected."""
    if isinstance(expected, str) and isinstance(found, dict | list):
        return digest_of(found) if len(expected) == 64 else found
    if isinstance(expected, dict) and isinstance(found, dict):
        return {key: digested(expected.get(key), value) for key, value in found.items()}
    if isinstance(expected, list) and isinstance(found, list):
        return [digested(e, f) for e, f in zip(expected, found, strict=False)] + found[len(expected) :]
    return found


def differences_of(vector: Vector, answer: Form) -> Iterator[str]:
    """Say where answers differ that end alike, inside states too, against the reference's own."""
    known = known_states(vector)
    for place, expected, found in _calls(vector, answer):
        if _said(expected) == _said(found):
            yield from (f"{place}{line}" for line in _differences(expected, found, known, ()))


def known_states(vector: Vector) -> dict[str, Form]:
    """Return the states whose digests occur when the reference answers: the vector itself has only digests."""
    called = OPERATIONS[vector.operation]
    with snapshots_kept() as kept:
        perform(called, vector.arguments)
    if called.state is not None:
        given = vector.arguments[called.state]
        kept.setdefault(digest_of(given), given)
    return kept


def _differences(expected: Form, found: Form, known: Mapping[str, Form], path: tuple[str, ...]) -> Iterator[str]:
    if isinstance(expected, str) and expected in known and isinstance(found, dict | list):
        expected = known[expected]
    if isinstance(expected, dict) and isinstance(found, dict):
        for key in sorted({*expected, *found} - ({"detail"} - {*found})):
            inside = expected.get(key, _ABSENT), found.get(key, _ABSENT)
            yield from _differences(*inside, known, (*path, ascii(key)[1:-1][:60]))
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for place, (e, f) in enumerate(zip(expected, found, strict=True)):
            yield from _differences(e, f, known, (*path, str(place)))
    elif expected != found:
        hint = " (answer with the state itself to see where)" if _is_digest(expected, known, found) else ""
        yield f"{'.'.join(path) or 'the answer'}: expected {_form(expected)}, found {_form(found)}{hint}"


_ABSENT: Final = object()


def _is_digest(expected: Form, known: Mapping[str, Form], found: Form) -> bool:
    return isinstance(expected, str) and expected in known and isinstance(found, str)


def _form(form: Form) -> str:
    if form is _ABSENT:
        return "nothing"
    if isinstance(form, list):
        return f"a list of {len(form)}"
    return (
        f"an object with {', '.join(map(shown, sorted(form))) or 'no keys'}"[:100]
        if isinstance(form, dict)
        else shown(form)
    )


def _bounded(lines: Iterator[str]) -> Iterator[str]:
    for count, line in enumerate(lines):
        if count == MOST_DIFFERENCES:
            yield "and more"
            return
        yield line[:300]


def _said(answer: Form) -> str:
    """Return an answer in a word or two."""
    if isinstance(answer, dict) and isinstance(answer.get("rejected"), str):
        return shown(answer["rejected"]).strip("'")
    accepted = answer.get("accepted") if isinstance(answer, dict) else None
    return f"acceptance of {_form(accepted)}" if isinstance(accepted, str | bool | None) else "acceptance"


def expected_or_not(verdict: Verdict, reason: str | None) -> Verdict:
    """Take the list of expected failures into account: ⊥ where the vector is not listed."""
    if reason is None or verdict.status is Status.SKIPPED:
        return verdict
    if verdict.status is Status.PASSED:
        return evolve(verdict, status=Status.UNEXPECTED, what=f"it is listed as an expected failure ({_line(reason)})")
    return evolve(verdict, status=Status.EXPECTED, what=f"{_line(reason)}: {verdict.what}")

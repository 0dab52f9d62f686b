"""Plays vectors against the reference and judges them: agreement, difference by decision, later feature, or failure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any, Final

from attrs import frozen

from linera_invariants.inputs import InputError
from linera_reference.rejections import Reason, Rejection

from .clients import play_client
from .committees import play_block, play_certificate, play_committee, play_vote
from .loader import Difference, Expectations, Later, peer_folder, read_expectations, read_folder
from .mailboxes import play_inbox, play_outbox
from .managers import play_many_owners, play_single_owner
from .model import Interpreter, MalformedStepError, NotYetError, Seen, Step, Vector
from .workers import play_execution, play_selection, play_worker

INTERPRETERS: Final[Mapping[str, Interpreter]] = {
    "inbox": play_inbox,
    "outbox": play_outbox,
    "committee": play_committee,
    "certificate": play_certificate,
    "vote": play_vote,
    "block": play_block,
    "manager-single": play_single_owner,
    "manager-multi": play_many_owners,
    "execution": play_execution,
    "worker": play_worker,
    "delivery-selection": play_selection,
    "client": play_client,
}
"""How to play each kind of vector."""

REASONS: Final[Mapping[str, frozenset[Reason]]] = {
    # Neutral classes. Those that are missing belong to features to come and match no reason.
    "out_of_order": frozenset({Reason.INCORRECT_MESSAGE_ORDER}),
    "mismatch": frozenset({Reason.UNEXPECTED_MESSAGE}),
    "overflow": frozenset({Reason.ARITHMETIC, Reason.COMMITTEE_OVERFLOW}),
    "already_voted": frozenset({Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST}),
    "round_too_low": frozenset({Reason.INSUFFICIENT_ROUND}),
    "locked": frozenset({Reason.HAS_LOCKED_BLOCK}),
    "malformed": frozenset({Reason.INVALID_BLOCK_PROPOSAL}),
    "bad_signature": frozenset({Reason.INVALID_SIGNATURE}),
    "duplicate_signer": frozenset({Reason.CERTIFICATE_VALIDATOR_REUSE}),
    "not_a_member": frozenset({Reason.INVALID_CERTIFICATE_SIGNER}),
    "no_quorum": frozenset({Reason.CERTIFICATE_REQUIRES_QUORUM}),
    # Public names.
    "IncorrectOrder": frozenset({Reason.INCORRECT_MESSAGE_ORDER}),
    "UnexpectedEvent": frozenset({Reason.UNEXPECTED_MESSAGE}),
    "ArithmeticOverflow": frozenset({Reason.ARITHMETIC}),
    "ArithmeticError::Overflow": frozenset({Reason.COMMITTEE_OVERFLOW}),
    "PreviousBlockMustBeConfirmedFirst": frozenset({Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST}),
    "InsufficientRound": frozenset({Reason.INSUFFICIENT_ROUND}),
    "HasLockedBlock": frozenset({Reason.HAS_LOCKED_BLOCK}),
    "InvalidBlockProposal": frozenset({Reason.INVALID_BLOCK_PROPOSAL}),
    "CryptoError": frozenset({Reason.INVALID_SIGNATURE}),
    "CertificateValidatorReuse": frozenset({Reason.CERTIFICATE_VALIDATOR_REUSE}),
    "InvalidSigner": frozenset({Reason.INVALID_CERTIFICATE_SIGNER}),
    "CertificateRequiresQuorum": frozenset({Reason.CERTIFICATE_REQUIRES_QUORUM}),
    "InvalidCrossChainRequest": frozenset({Reason.INVALID_CROSS_CHAIN_REQUEST}),
}
"""Which reasons an error of the public implementation stands for."""


ROADMAP: Final[Mapping[str, int]] = {
    "justification chains": 2,
    "timestamps": 2,
    "epochs": 3,
    "applications": 4,
}
"""The roadmap step that brings each missing feature."""


class Status(Enum):
    """What the replay of a vector establishes."""

    AGREES = "agrees"
    DIFFERENCE = "difference"
    LATER = "later"
    FAILS = "fails"


@frozen
class VectorResult:
    """The verdict on one vector; ``link`` is a decision or a roadmap step."""

    file: str
    vector: str
    name: str
    status: Status
    link: str | None
    reason: str

    @property
    def label(self) -> str:
        """The status with its link."""
        return self.status.value if self.link is None else f"{self.status.value} ({self.link})"


@frozen
class PeerReport:
    """The verdicts on all vectors, in the order of the files."""

    results: tuple[VectorResult, ...]

    @property
    def holds(self) -> bool:
        """Whether no vector fails."""
        return all(result.status is not Status.FAILS for result in self.results)

    def counts(self) -> dict[str, Counter[Status]]:
        """Count the verdicts of each file."""
        table: dict[str, Counter[Status]] = {}
        for result in self.results:
            table.setdefault(result.file, Counter())[result.status] += 1
        return table


@frozen
class Played:
    """One step: what the reference did, how it differs from the vector (⊥: not at all), and which feature it lacks."""

    step: Step
    seen: Seen | None
    trouble: str | None
    lacks: str | None = None


def replay_all() -> PeerReport:
    """Replay every shipped vector and compare with the shipped expectations.

    Raises:
        InputError: a file of vectors or expectations is malformed.
    """
    vectors = read_folder(peer_folder())
    return replay(vectors, read_expectations(peer_folder() / "expected.toml", vectors))


def replay(vectors: Iterable[Vector], expectations: Expectations) -> PeerReport:
    """Replay vectors and compare with expectations."""
    return PeerReport(tuple(judge(vector, expectations) for vector in vectors))


def judge(vector: Vector, expectations: Expectations) -> VectorResult:
    """Replay one vector and compare with what is expected of it."""
    entry = expectations.later.get(vector.id) or expectations.differences.get(vector.id)
    status, link = Status.AGREES, None
    if isinstance(entry, Later):
        status, link = Status.LATER, f"step {entry.roadmap}"
    elif isinstance(entry, Difference):
        status, link = Status.DIFFERENCE, entry.decision
    trouble = surprise(vector, entry)
    if trouble is not None:
        status, link = Status.FAILS, None
    reason = trouble or (entry.why if entry is not None else "every assertion holds")
    return VectorResult(vector.file, vector.id, vector.name, status, link, reason)


def surprise(vector: Vector, entry: Later | Difference | None) -> str | None:
    """Return the first thing that is not as expected."""
    for played in play(vector):
        trouble = check_entry(played, entry)
        if trouble is not None:
            return f"step {played.step.number} ({played.step.op}): {trouble}"
        if isinstance(entry, Later) and played.step.number == entry.start:
            return None
    return None


def play(vector: Vector) -> Iterator[Played]:
    """Play the steps of a vector, up to the first that cannot be played."""
    seen = INTERPRETERS[vector.kind](vector)
    for step in vector.steps:
        try:
            now = next(seen)
        except NotYetError as error:
            yield Played(step, None, f"needs {error}", str(error))
            return
        except Rejection as rejection:
            yield Played(step, None, f"what the vector describes is refused: {rejection.reason.name}")
            return
        except MalformedStepError as error:
            raise InputError(vector.file, f"vector {vector.id}, step {step.number}", str(error)) from None
        yield Played(step, now, disagreement(step.expect, step.asserts, now))


def check_entry(played: Played, entry: Later | Difference | None) -> str | None:
    """Return how a step surprises somebody who knows the entry of its vector."""
    number = played.step.number
    start = entry.roadmap if isinstance(entry, Later) and number == entry.start else None
    instead = entry.instead.get(number) if entry is not None else None
    if start is None and instead is None:
        return played.trouble
    if played.trouble is None:
        return "agrees now, so the entry that says otherwise must go"
    return check_lacking(played, start) if instead is None else check_instead(played, instead)


def check_lacking(played: Played, roadmap: int | None) -> str | None:
    """What is missing must be a feature of the roadmap step that is named."""
    if played.lacks is None:
        return played.trouble
    needed = ROADMAP[played.lacks]
    return None if needed == roadmap else f"needs {played.lacks}, which come in step {needed}"


def check_instead(played: Played, instead: Mapping[str, Any]) -> str | None:
    """What the reference does otherwise must be what is recorded."""
    if played.seen is None:
        return played.trouble
    asserts = {**played.step.asserts, **{key: value for key, value in instead.items() if key != "expect"}}
    trouble = disagreement(instead.get("expect", played.step.expect), asserts, played.seen)
    return None if trouble is None else f"differs otherwise than recorded: {trouble}"


# --- comparing ---------------------------------------------------------------------------------------------------


def disagreement(expect: Any, asserts: Mapping[str, Any], seen: Seen) -> str | None:
    """Return the first assertion that does not hold."""
    if not ends_as(expect, seen.reason):
        return f"expected {expect}, got {'ok' if seen.reason is None else seen.reason.name}"
    if seen.reason is not None and expect.get("round", seen.round) != seen.round:
        return f"expected {expect}, got {seen.reason.name} of round {seen.round}"
    if "returns" in asserts and seen.reason is None and not same(asserts["returns"], seen.returns):
        return f"expected to return {asserts['returns']}, got {seen.returns}"
    if "state_after" in asserts and not same(asserts["state_after"], seen.state):
        return f"expected the state {asserts['state_after']}, got {seen.state}"
    return seen.problem


def ends_as(expect: Any, reason: Reason | None) -> bool:
    """Whether a step ended as expected: ``ok``, a reason of ours, or an error that stands for it."""
    if expect == "ok" or reason is None:
        return expect == "ok" and reason is None
    if "reason" in expect:
        return bool(reason.name == expect["reason"])
    names = {expect["error"], expect.get("class")} - {None, "any"}
    return all(reason in REASONS.get(name, ()) for name in names)


def same(left: Any, right: Any) -> bool:
    """Compare data as JSON does: true is not 1."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, int | Decimal) and isinstance(right, int | Decimal):
        return isinstance(left, bool) == isinstance(right, bool) and left == right
    return type(left) is type(right) and bool(left == right)

"""The provable subset: the functions that decide run on values that only compare and calculate.

A proof runs these very functions on symbolic numbers. Here the numbers are concrete inside, but they have no hash, are
no index and no integer, and every comparison is a decision that is recorded: what leaves the subset fails.
"""

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from support import committee, message, refused

from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Certificate, Kind
from linera_reference.certification import already_voted, check_active, check_kind, check_proposer
from linera_reference.committee import is_quorum, max_faulty, quorum_threshold, validity_threshold
from linera_reference.containers import Queue, fold
from linera_reference.inbox import Inbox, add, next_height_to_receive, remove
from linera_reference.messages import Cursor, Message, User, heights_before, successor
from linera_reference.notation import MAX_U32, MAX_U64
from linera_reference.outbox import Outbox, confirm, schedule
from linera_reference.rejections import Reason
from linera_reference.request import Request
from linera_reference.rounds import Rounds, accepted_before, current_round, lock_after
from linera_reference.rules import QuorumRule
from linera_reference.validator import check_chaining


class Decision:
    """The outcome of a comparison: nothing but a branch can be made of it."""

    taken: ClassVar[list[bool]] = []
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: bool) -> None:
        self.value = value

    def __bool__(self) -> bool:
        Decision.taken.append(self.value)
        return self.value


class Number:
    """A number that a proof would leave open."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: int) -> None:
        self.value = value

    def __eq__(self, other: object) -> Any:
        return Decision(self.value == plain(other))

    def __ne__(self, other: object) -> Any:
        return Decision(self.value != plain(other))

    def __lt__(self, other: Any) -> Any:
        return Decision(self.value < plain(other))

    def __le__(self, other: Any) -> Any:
        return Decision(self.value <= plain(other))

    def __gt__(self, other: Any) -> Any:
        return Decision(self.value > plain(other))

    def __ge__(self, other: Any) -> Any:
        return Decision(self.value >= plain(other))

    def __add__(self, other: Any) -> "Number":
        return Number(self.value + plain(other))

    def __sub__(self, other: Any) -> "Number":
        return Number(self.value - plain(other))

    def __floordiv__(self, other: Any) -> "Number":
        return Number(self.value // plain(other))

    __radd__ = __add__

    def __repr__(self) -> str:
        return f"Number({self.value})"


def plain(value: Any) -> Any:
    """Return the number inside."""
    return value.value if isinstance(value, Number) else value


@pytest.fixture(autouse=True)
def decisions() -> Iterator[list[bool]]:
    """Forget earlier decisions."""
    Decision.taken.clear()
    yield Decision.taken
    Decision.taken.clear()


def open_message(height: int, index: int = 0, text: str = "") -> Any:
    """Return a message all of whose numbers and bytes are open."""
    known = message(height, index, text)
    return Message((7,), Number(height), Number(index), Number(hash(known.block_hash)), Number(hash(text)))  # type: ignore[arg-type]


def test_the_proxies_are_no_integers() -> None:
    one = Number(1)
    for use in (lambda: hash(one), lambda: [0, 1][one], lambda: range(one), lambda: int(one), lambda: {one: 1}):
        with pytest.raises(TypeError):
            use()
    with pytest.raises(TypeError):
        hash(one == Number(1))
    assert bool(one == Number(1))
    assert Decision.taken == [True]


@pytest.mark.parametrize("rule", QuorumRule)
def test_thresholds(rule: QuorumRule, decisions: list[bool]) -> None:
    for total in (1, 3, 4, 9, 2**63 - 1):
        n: Any = Number(total)
        assert plain(max_faulty(n)) == max_faulty(total)
        assert plain(validity_threshold(n)) == validity_threshold(total)
        assert plain(quorum_threshold(n, rule)) == quorum_threshold(total, rule)
    votes: Any = Number(2)
    assert not decisions
    assert not is_quorum(committee(), votes)
    assert decisions == [True, False]  # some votes, but too few


def test_owner_and_voting_rule() -> None:
    owner: Any = Number(5)
    check_active(True, owner)
    check_proposer(owner, None, Number(5))  # type: ignore[arg-type]
    with refused(Reason.INVALID_OWNER):
        check_proposer(owner, None, Number(6))  # type: ignore[arg-type]
    check_kind(Kind.CONFIRMED)
    block = Block(Number(0), Number(3), Number(4), Number(5))  # type: ignore[arg-type]
    same = Block(Number(0), Number(3), Number(4), Number(5))  # type: ignore[arg-type]
    other = Block(Number(0), Number(3), Number(4), Number(6))  # type: ignore[arg-type]
    pending = ExecutedBlock(block, Number(1), Number(2))  # type: ignore[arg-type]
    assert already_voted(None, asking(block, 0)) is None
    assert already_voted(pending, asking(same, 0)) is pending
    with refused(Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST):
        already_voted(pending, asking(other, 0))
    with refused(Reason.INVALID_BLOCK_PROPOSAL):
        already_voted(pending, asking(same, 1))


def asking(block: Block, round: int, justification: Certificate | None = None) -> Request:
    """Return a request whose numbers are open."""
    return Request(block, Number(round), Number(7), Number(8), justification)  # type: ignore[arg-type]


def validated(executed: ExecutedBlock, round: int) -> Certificate:
    """Return a certificate whose round is open."""
    return Certificate(executed, Kind.VALIDATED, Number(round), ())  # type: ignore[arg-type]


def test_rounds() -> None:
    one, two = (
        ExecutedBlock(Block(Number(0), Number(3), Number(n), ()), (), Number(n))  # type: ignore[arg-type]
        for n in (4, 5)
    )
    rounds = Rounds(Number(2), validated(one, 1))  # type: ignore[arg-type]
    assert plain(current_round(rounds)) == 2
    assert accepted_before(one, rounds, asking(one.block, 2)) is one
    assert accepted_before(one, rounds, asking(one.block, 3)) is None
    assert accepted_before(one, rounds, asking(two.block, 3, validated(two, 2))) is None
    with refused(Reason.INSUFFICIENT_ROUND):
        accepted_before(one, rounds, asking(two.block, 2))
    with refused(Reason.HAS_LOCKED_BLOCK):
        accepted_before(one, rounds, asking(two.block, 3))
    later = validated(two, 2)
    assert lock_after(rounds, later) is later
    with refused(Reason.INSUFFICIENT_ROUND):
        lock_after(rounds, validated(one, 1))
    with refused(Reason.HAS_LOCKED_BLOCK):
        lock_after(Rounds(Number(1), later), validated(one, 2))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("height", "previous", "reason"),
    [
        (3, 9, None),
        (4, 9, Reason.UNEXPECTED_BLOCK_HEIGHT),
        (3, 8, Reason.UNEXPECTED_PREVIOUS_BLOCK_HASH),
    ],
)
def test_chaining(height: int, previous: int, reason: Reason | None) -> None:
    arguments: Any = [Number(x) for x in (3, 9, height, previous)]
    if reason is None:
        check_chaining(*arguments)
    else:
        with refused(reason):
            check_chaining(*arguments)
    last: Any = [Number(x) for x in (MAX_U64, 9, MAX_U64, 9)]
    with refused(Reason.INVALID_BLOCK_HEIGHT):
        check_chaining(*last)


def test_cursors() -> None:
    cursor = Cursor(Number(3), Number(MAX_U32 - 1))  # type: ignore[arg-type]
    after = successor(cursor)
    assert (plain(after.height), plain(after.index)) == (3, MAX_U32)
    assert plain(heights_before(cursor)) == 4
    with refused(Reason.ARITHMETIC):
        successor(after)
    with refused(Reason.ARITHMETIC):
        heights_before(Cursor(Number(MAX_U64), Number(1)))  # type: ignore[arg-type]


def test_the_ordered_inbox(decisions: list[bool]) -> None:
    """Arrivals, skips, anticipation and settlement, all on open numbers."""
    box = Inbox()
    for m in (open_message(1), open_message(1, 1), open_message(3)):
        box = add(box, m)
    box = remove(box, open_message(1, 1))
    assert len(box.added) == 1
    assert plain(next_height_to_receive(box)) == 4
    box = remove(box, open_message(5))
    box = remove(box, open_message(6))
    assert [plain(m.height) for m in box.removed] == [5, 6]
    box = add(box, open_message(4))
    box = add(box, open_message(5))
    assert [plain(m.height) for m in box.removed] == [6]
    assert decisions


@pytest.mark.parametrize(
    ("step", "wrong", "reason"),
    [
        (add, (0, 0), Reason.INCORRECT_MESSAGE_ORDER),
        (add, (5, 1), Reason.UNEXPECTED_MESSAGE),
        (add, (5, 0, "other"), Reason.UNEXPECTED_MESSAGE),
        (add, (4, MAX_U32), Reason.ARITHMETIC),
        (remove, (5, 0), Reason.INCORRECT_MESSAGE_ORDER),
        (remove, (5, MAX_U32), Reason.ARITHMETIC),
    ],
)
def test_guards_of_the_ordered_inbox(step: Any, wrong: Any, reason: Reason) -> None:
    box = remove(add(Inbox(), open_message(1)), open_message(5))
    with refused(reason):
        step(box, open_message(*wrong))


def test_the_outbox() -> None:
    heights: Any = [Number(h) for h in (1, 3, 3, 2, 7)]
    box: Outbox = fold(schedule, Outbox(), heights)
    assert [plain(h) for h in box.queue] == [1, 3, 7]
    assert plain(box.next_schedule) == 8
    confirmed, rest = confirm(box, Number(3))  # type: ignore[arg-type]
    assert [plain(h) for h in confirmed] == [1, 3]
    assert [plain(h) for h in rest.queue] == [7]
    with refused(Reason.ARITHMETIC):
        schedule(box, Number(MAX_U64))  # type: ignore[arg-type]


def test_what_leaves_the_subset_fails() -> None:
    """A queue of heights is open, the counters of a chain are a map: proofs use their symbolic twin."""
    assert Queue().push(Number(1)).front is not None
    with pytest.raises(TypeError):
        {Number(1): 1}
    assert User(b"") == User(b"")

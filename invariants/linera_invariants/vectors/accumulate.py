"""The operation `accumulate`: very many steps from a seed, one digest of all that they answer.

``spec/vectors/v1/accumulate.md`` states, for implementers, what each subject does in a step.
"""

from collections.abc import Callable, Iterator
from hashlib import sha3_256
from typing import Any, Final, TypeAlias

from immutables import Map

from linera_reference.committee import Committee, is_quorum, max_faulty, quorum_threshold, validity_threshold
from linera_reference.crypto import hash_value
from linera_reference.encoding import decode, encode
from linera_reference.inbox import Inbox, TwoSetInbox, add, add_to_sets, remove, remove_from_sets
from linera_reference.messages import Create, Cursor, Message, User
from linera_reference.notation import Hash, u64
from linera_reference.outbox import Outbox, confirm, count_down, count_up, delivered_up_to, schedule
from linera_reference.rejections import Rejection
from linera_reference.rules import QuorumRule

from .forms import FormError, digest_of, form_of

Draws: TypeAlias = Iterator[bytes]
Subject: TypeAlias = Callable[[Draws], Iterator[bytes]]

MAX_STEPS: Final = 1_000_000
LONG: Final = 16384
"""Added to the length of a payload now and then: its length takes three bytes."""


def accumulate(subject: str, seed: bytes, steps: u64) -> Hash:
    """Run a subject for some steps from a seed and hash what it writes."""
    if subject not in SUBJECTS or steps > MAX_STEPS:
        raise FormError(("subject",), f"expected one of {', '.join(SUBJECTS)}, and at most {MAX_STEPS} steps")
    written = sha3_256()
    for piece in SUBJECTS[subject](_draws(subject, seed, steps)):
        written.update(piece)
    return written.digest()


def _draws(subject: str, seed: bytes, steps: int) -> Draws:
    start = sha3_256(f"accumulate::{subject}::".encode() + seed)
    for step in range(steps):
        draw = start.copy()
        draw.update(step.to_bytes(8, "little"))
        yield draw.digest()


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


def _line(*words: object) -> bytes:
    return (" ".join(map(str, words)) + "\n").encode()


# --- Subjects ----------------------------------------------------------------------------------------------------


def thresholds(draws: Draws) -> Iterator[bytes]:
    """Committee arithmetic for totals of every magnitude."""
    nobody: Map[bytes, int] = Map()
    for r in draws:
        total = 1 + ((_number(r[:8]) % (2**63 - 1)) >> (r[8] % 63))
        least, half_way = (quorum_threshold(total, rule) for rule in QuorumRule)
        votes = least - 1 + r[9] % 3
        committee = Committee(nobody, total)
        enough = (int(is_quorum(committee, votes, rule)) for rule in QuorumRule)
        yield _line(max_faulty(total), validity_threshold(total), least, half_way, *enough)


def two_set_inbox(draws: Draws) -> Iterator[bytes]:
    """Additions and removals of 64 messages in any order."""
    inbox = TwoSetInbox()
    for r in draws:
        which = r[0] % 64
        message = Message((which // 16,), which // 4 % 4, which % 4, bytes(32), User(b""))
        inbox = (add_to_sets if r[1] % 2 == 0 else remove_from_sets)(inbox, message)
        yield _line(len(inbox.plus), len(inbox.minus))
    yield _state(TwoSetInbox, inbox)


def ordered_inbox(draws: Draws) -> Iterator[bytes]:
    """Arrivals and consumption around the cursors and the fronts of the queues."""
    inbox = Inbox()
    for r in draws:
        step = add if r[0] % 2 == 0 else remove
        message = _nearby(inbox, r)
        try:
            inbox = step(inbox, message)
        except Rejection as rejection:
            yield _line(rejection.reason.name)
            continue
        places = (number for at in (inbox.next_add, inbox.consumed) for number in (at.height, at.index))
        yield _line(*places, len(inbox.added), len(inbox.removed))
    yield _state(Inbox, inbox)


def _nearby(inbox: Inbox, r: bytes) -> Message:
    """A message at the front of a queue, or in a place close to a cursor."""
    queue, cursor = (inbox.added, inbox.consumed) if r[1] % 2 == 0 else (inbox.removed, inbox.next_add)
    if r[1] % 4 < 2 and not queue.is_empty:
        at = queue.front.cursor
    elif r[2] % 4 == 0:
        at = Cursor(cursor.height + 1, r[3] % 2)
    else:
        at = Cursor(cursor.height, max(cursor.index + r[3] % 3 - r[4] % 2, 0))
    return Message((0,), at.height, at.index, bytes(32), User(bytes([r[5] % 8 // 7])))


def outbox(draws: Draws) -> Iterator[bytes]:
    """Two outboxes with common counters: scheduling, confirming, asking what was delivered."""
    boxes, counters = [Outbox(), Outbox()], Map[int, int]()
    for r in draws:
        which = r[0] % 2
        box = boxes[which]
        height = max(box.next_schedule + r[1] % 4 - r[2] % 8, 0)
        if r[3] % 4 > 0:
            boxes[which] = schedule(box, height)
            counters = count_up(counters, height, int(boxes[which].next_schedule > box.next_schedule))
        else:
            confirmed, boxes[which] = confirm(box, height)
            for done in confirmed:
                counters = count_down(counters, done)
        yield _line(boxes[which].next_schedule, len(boxes[which].queue), len(counters), _delivered(counters, height))
    for box in boxes:
        yield _state(Outbox, box)


def _delivered(counters: Map[int, int], height: int) -> int:
    return int(delivered_up_to(counters, height))


def encoding(draws: Draws) -> Iterator[bytes]:
    """Messages: their bytes, and what is read from damaged bytes."""
    for r in draws:
        size = r[21] + (LONG if r[22] == 0 and r[23] < 16 else 0)
        content = Create(r) if r[20] % 2 == 0 else User((r * (size // 32 + 1))[:size])
        message = Message(tuple(r[1 : 2 + r[0] % 3]), _number(r[8:16]), _number(r[16:20]), r, content)
        data = encode(message)
        yield data
        try:
            yield hash_value(decode(Message, _damaged(data, r)))
        except Rejection as rejection:
            yield _line(rejection.reason.name)


def _damaged(data: bytes, r: bytes) -> bytes:
    """Bytes as they were, cut, with one byte replaced, or with one inserted."""
    at, byte = _number(r[25:27]) % len(data), r[27:28]
    return (data, data[:at], data[:at] + byte + data[at + 1 :], data[:at] + byte + data[at:])[r[24] % 4]


def _state(kind: Any, state: Any) -> bytes:
    return _line(digest_of(form_of(kind, state)))


SUBJECTS: Final[dict[str, Subject]] = {
    "thresholds": thresholds,
    "two-set-inbox": two_set_inbox,
    "ordered-inbox": ordered_inbox,
    "outbox": outbox,
    "encoding": encoding,
}
"""What is run, by name."""

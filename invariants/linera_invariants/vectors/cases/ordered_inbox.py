"""The ordered inbox of one origin: every step from every state that few messages reach, and the edges (A.1)."""

from collections.abc import Callable, Iterator

from linera_invariants.vectors.model import Case
from linera_reference.inbox import Inbox, add, remove
from linera_reference.messages import Create, Cursor, Message, User
from linera_reference.notation import MAX_U32, MAX_U64, evolve
from linera_reference.rejections import Reason, Rejection

from .support import accumulated, caller, digest, expected, key

ABOUT = (
    "The ordered inbox of one origin: arrivals, consumption, anticipation, skipping, cursors, and the two sets it is."
)

ORIGIN = (0,)
BLOCK = digest("block")


def _message(height: int, index: int, payload: bytes = b"") -> Message:
    return Message(ORIGIN, height, index, BLOCK, User(payload))


MESSAGES = {
    "a": _message(0, 0),
    "b": Message(ORIGIN, 0, 1, BLOCK, Create(key("owner"))),
    "c": _message(1, 0),
    "d": _message(1, 0, b"\1"),
}
"""Messages of one origin in the order of their places; c and d contend for one."""
Step = Callable[[Inbox, Message], Inbox]
STEPS: dict[str, tuple[str, Step]] = {"add": ("WP-A.1-ADD", add), "remove": ("WP-A.1-REMOVE", remove)}


def cases() -> Iterator[Case]:
    """Yield the cases: steps from reachable states, what differs in one field, edges, and what is read of an inbox."""
    reached = states()
    yield from steps(reached)
    yield from alike()
    yield from edges()
    yield from double_faults()
    yield from cursors()
    yield from readings(reached)
    yield from accumulated("ordered-inbox", 20_000, "WP-A.1-ADD", "WP-A.1-REMOVE", "WP-A.1-CURSOR")


def _after(function: Step, inbox: Inbox, message: Message) -> Inbox | Reason:
    try:
        return function(inbox, message)
    except Rejection as rejection:
        return rejection.reason


def states() -> list[tuple[str, Inbox]]:
    """Return the reachable states, each with a shortest way to it, nearest first."""
    found: list[tuple[str, Inbox]] = [("", Inbox())]
    for path, inbox in found:
        for step, (_, function) in STEPS.items():
            for name, message in MESSAGES.items():
                after = _after(function, inbox, message)
                if isinstance(after, Inbox) and all(after != known for _, known in found):
                    found.append((f"{path}-{step}-{name}".strip("-"), after))
    return found


def steps(reached: list[tuple[str, Inbox]]) -> Iterator[Case]:
    """Each step from each state."""
    for path, inbox in reached:
        for step, (clause, function) in STEPS.items():
            call = caller(step, clause, inbox=inbox, source_="enumeration")
            for name, message in MESSAGES.items():
                after = _after(function, inbox, message)
                reason = after if isinstance(after, Reason) else None
                sentence = f"After {path.replace('-', ' ') or 'nothing'}: {step} {name}."
                yield call(f"{path}-{step}-{name}".strip("-"), sentence, reason, message=message)


def alike() -> Iterator[Case]:
    """A message is the whole record: in its place, one that differs in any field is refused."""
    message = _message(2, 3)
    arrived, anticipated = add(Inbox(), message), remove(Inbox(), message)
    for name, other in (
        ("origin", evolve(message, origin=(0, 0))),
        ("block-hash", evolve(message, block_hash=digest("other block"))),
        ("content", evolve(message, content=User(b"\1"))),
        ("kind-of-content", evolve(message, content=Create(key("owner")))),
    ):
        for step, clause, inbox in (("add", "WP-A.1-ADD", anticipated), ("remove", "WP-A.1-REMOVE", arrived)):
            call = caller(step, clause, inbox=inbox)
            sentence = f"In the place of the expected message, one with another {name.replace('-', ' ')}."
            yield call(f"{step}-other-{name}", sentence, Reason.UNEXPECTED_MESSAGE, message=other)


def edges() -> Iterator[Case]:
    """The last places of a block and of a history, and long queues."""
    last = MAX_U32
    for step, (clause, _) in STEPS.items():
        call = caller(step, clause, "WP-A.1-CURSOR", inbox=Inbox())
        for name, height, index, reason, why in (
            ("last-but-one-index", 0, last - 1, None, "The last index that has a successor."),
            ("last-index", 0, last, Reason.ARITHMETIC, "The last index has no successor."),
            ("last-height", MAX_U64, 0, None, "The last height."),
            ("last-place", MAX_U64, last, Reason.ARITHMETIC, "The last place of all has no successor."),
        ):
            yield call(f"{step}-{name}", why, reason, message=_message(height, index))
    three = [_message(height, 0) for height in (1, 2, 5)]
    arrived, owed = Inbox(), Inbox()
    for message in three:
        arrived, owed = add(arrived, message), remove(owed, message)
    for height in range(7):
        message = _message(height, 0)
        late = None if height in {1, 2, 5} else Reason.UNEXPECTED_MESSAGE
        reason = None if height > 5 else late
        call = caller("remove", "WP-A.1-REMOVE", inbox=arrived)
        yield call(
            f"remove-{height}-of-three",
            "Consuming skips what waits before; nothing else can be there.",
            reason,
            message=message,
        )
        reason = None if height <= 1 else Reason.UNEXPECTED_MESSAGE
        call = caller("add", "WP-A.1-ADD", inbox=owed)
        yield call(
            f"add-{height}-of-three",
            "An arrival is the first owed message, or was skipped before it.",
            reason,
            message=message,
        )


def double_faults() -> Iterator[Case]:
    """The place is checked before the message, and the message before the arithmetic."""
    order, unexpected, arithmetic = Reason.INCORRECT_MESSAGE_ORDER, Reason.UNEXPECTED_MESSAGE, Reason.ARITHMETIC
    last = _message(0, MAX_U32)
    other, before = evolve(last, content=User(b"\1")), Cursor(1, 0)
    for step, clause, inbox, faults in (
        ("add", "WP-A.1-ADD", Inbox(next_add=before, consumed=before), (order, arithmetic)),
        ("remove", "WP-A.1-REMOVE", Inbox(next_add=before, consumed=before), (order, arithmetic)),
        ("add", "WP-A.1-ADD", Inbox(removed=Inbox().removed.push(last)), (unexpected, arithmetic)),
        ("remove", "WP-A.1-REMOVE", Inbox(added=Inbox().added.push(last)), (unexpected, arithmetic)),
        ("add", "WP-A.1-ADD", Inbox(next_add=before, removed=Inbox().removed.push(last)), (order, unexpected)),
        ("remove", "WP-A.1-REMOVE", Inbox(consumed=before, added=Inbox().added.push(last)), (order, unexpected)),
    ):
        first, second = (fault.name for fault in faults)
        name = f"{step}-{first}-before-{second}".lower().replace("_", "-")
        call = caller(step, clause, inbox=inbox)
        yield call(name, f"Two faults: {first} comes before {second}.", faults[0], message=other, faults_=faults)


def cursors() -> Iterator[Case]:
    """Places and their successors."""
    successor = caller("successor", "WP-A.1-CURSOR")
    for name, cursor, gives, why in (
        ("first", Cursor(), Cursor(0, 1), "The place after the first one."),
        ("later", Cursor(7, 41), Cursor(7, 42), "The height stays."),
        ("last-but-one", Cursor(0, MAX_U32 - 1), Cursor(0, MAX_U32), "The last place that has a successor."),
        ("last", Cursor(0, MAX_U32), Reason.ARITHMETIC, "The last place of a block has no successor."),
        ("last-height", Cursor(MAX_U64, 0), Cursor(MAX_U64, 1), "The last height has places, too."),
    ):
        yield successor(f"successor-{name}", why, cursor=cursor, **expected(gives))
    before = caller("heights_before", "WP-A.1-CURSOR")
    for name, cursor, height, why in (
        ("first", Cursor(), 0, "Nothing arrived: height 0 may."),
        ("start-of-block", Cursor(4, 0), 4, "At the start of a block, it has not arrived."),
        ("inside-block", Cursor(4, 1), 5, "After a message of a block, all of it has arrived."),
        ("last-height", Cursor(MAX_U64, 0), MAX_U64, "The last height may arrive."),
        ("after-last-height", Cursor(MAX_U64, 1), Reason.ARITHMETIC, "No height comes after the last one."),
        ("before-last-height", Cursor(MAX_U64 - 1, 1), MAX_U64, "The last height comes next."),
    ):
        yield before(f"heights-before-{name}", why, cursor=cursor, **expected(height))


def readings(reached: list[tuple[str, Inbox]]) -> Iterator[Case]:
    """The next height to receive, and the two sets that an inbox stands for."""
    height = caller("next_height_to_receive", "WP-A.1-CURSOR", source_="enumeration")
    sets = caller("two_sets", "WP-A.1-REFINEMENT", source_="enumeration")
    for path, inbox in reached:
        after = f"After {path.replace('-', ' ') or 'nothing'}"
        yield height(f"next-height-{path or 'start'}", f"{after}: the next height to receive.", inbox=inbox)
        yield sets(f"two-sets-{path or 'start'}", f"{after}: the two sets.", inbox=inbox)
    beyond = Inbox(next_add=Cursor(MAX_U64, 1))
    yield height(
        "next-height-beyond", "No height comes after the last.", Reason.ARITHMETIC, inbox=beyond, source_="hand-written"
    )

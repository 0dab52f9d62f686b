"""The ordered inbox of appendix A.1 against two independent models, with well-behaved and misbehaving neighbours.

The first model is the closed form: the inbox is determined by what arrived and what was consumed, whatever the order.
The second is the two-set inbox of section 2.6, fed with the same steps.
"""

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from linera_reference.inbox import (
    Inbox,
    TwoSetInbox,
    add,
    add_to_sets,
    next_height_to_receive,
    remove,
    remove_from_sets,
    two_sets,
)
from linera_reference.messages import Cursor, Message, User
from linera_reference.notation import MAX_U32, MAX_U64
from linera_reference.rejections import Reason

from .base import Machine, attempt

ORIGIN = (0,)
LENGTH = 12
"""How many messages the sender has."""

START = st.sampled_from([(0, 0), (0, 0), (3, 0), (0, MAX_U32 - 3), (MAX_U64 - 2, 0), (MAX_U64 - 1, MAX_U32 - 2)])
GAP = st.sampled_from([(0, 1), (0, 1), (0, 2), (1, 0), (1, 1), (2, 0)])
EDGE = st.sampled_from([0, 1, MAX_U32 - 1, MAX_U32, MAX_U64 - 1, MAX_U64])

CLOSED_FORM = "the queues and cursors are what arrivals and consumptions determine"
OUTCOME = "a step is accepted or rejected as the closed form says"
ONE_QUEUE = "at most one queue is non-empty"
REFINES = "the two sets of section 2.6 agree, skipped messages aside"
COMMUTES = "an arrival and a consumption commute"
HEIGHTS = "heights before the next one to receive have no room for another message"

COVERAGE = frozenset(
    {
        "arrival",
        "consumption",
        "anticipation",
        "reconciliation",
        "skipped by a consumption",
        "discarded on arrival",
        "owed message replaced by another one",
        "arrival and consumption commuted",
        "height without successor",
        "arrival rejected: INCORRECT_MESSAGE_ORDER",
        "arrival rejected: UNEXPECTED_MESSAGE",
        "arrival rejected: ARITHMETIC",
        "consumption rejected: INCORRECT_MESSAGE_ORDER",
        "consumption rejected: UNEXPECTED_MESSAGE",
        "consumption rejected: ARITHMETIC",
    }
)


def after(messages: list[Message]) -> Cursor:
    """Return the place after the last of some accepted messages."""
    return Cursor(messages[-1].height, messages[-1].index + 1) if messages else Cursor()


def placed(cursor: Cursor, content: int = 0) -> Message:
    """Return the message with this place and content."""
    return Message(ORIGIN, cursor.height, cursor.index, bytes([content]) * 32, User(bytes([content])))


class OrderedInboxMachine(Machine):
    """One inbox, its sender and its owner."""

    @initialize(start=START, gaps=st.lists(GAP, min_size=LENGTH, max_size=LENGTH))
    def begin(self, start: tuple[int, int], gaps: list[tuple[int, int]]) -> None:
        """Fix the sender's history: strictly increasing places, near an edge of the range or not."""
        self.inbox = Inbox()
        self.sets = TwoSetInbox()
        self.arrived: list[Message] = []
        self.consumed: list[Message] = []
        self.lines: list[str] = []
        height, index = start
        self.sent = [placed(Cursor(height, index))]
        for up, right in gaps:
            height, index = (height + up, right) if up else (height, index + right)
            if height <= MAX_U64 and index <= MAX_U32:
                self.sent.append(placed(Cursor(height, index)))

    # --- what the neighbours do ---

    @rule()
    def arrive_next(self) -> None:
        """The sender's next message arrives."""
        fresh = [m for m in self.sent if m.cursor >= after(self.arrived)]
        if fresh:
            self.arrive(fresh[0])

    @rule(choice=st.integers(0, LENGTH - 1))
    def arrive_sent(self, choice: int) -> None:
        """Any message that was sent arrives, early, late or again."""
        self.arrive(self.sent[choice % len(self.sent)])

    @rule(choice=st.integers(0, 2))
    def consume_next(self, choice: int) -> None:
        """A block consumes the next message or one shortly after it, received or not."""
        fresh = [m for m in self.sent if m.cursor >= after(self.consumed)]
        if fresh:
            self.consume(fresh[min(choice, len(fresh) - 1)])

    @rule(choice=st.integers(0, LENGTH - 1))
    def consume_sent(self, choice: int) -> None:
        """A block consumes any message that was sent."""
        self.consume(self.sent[choice % len(self.sent)])

    @rule(choice=st.integers(0, LENGTH - 1), content=st.integers(1, 2), arrives=st.booleans())
    def forge_content(self, choice: int, content: int, arrives: bool) -> None:
        """Another message takes the place of one that was sent."""
        forged = placed(self.sent[choice % len(self.sent)].cursor, content)
        self.arrive(forged) if arrives else self.consume(forged)

    @precondition(lambda self: self.owed())
    @rule(content=st.integers(0, 1), further=st.integers(0, 2))
    def betray_owed(self, content: int, further: int) -> None:
        """Something arrives at or after the place of the first owed message."""
        owed = self.owed()[0]
        if owed.index + further <= MAX_U32:
            self.arrive(placed(Cursor(owed.height, owed.index + further), content))

    @rule(height=EDGE, index=EDGE.filter(lambda n: n <= MAX_U32), arrives=st.booleans())
    def go_to_the_edge(self, height: int, index: int, arrives: bool) -> None:
        """A message with a place at the edge of the range."""
        message = placed(Cursor(height, index))
        self.arrive(message) if arrives else self.consume(message)

    # --- the closed form ---

    def owed(self) -> list[Message]:
        """Return what was consumed and did not arrive."""
        return [m for m in self.consumed if m not in self.arrived]

    def waiting(self) -> list[Message]:
        """Return what arrived and may still be consumed."""
        return [m for m in self.arrived if m.cursor >= after(self.consumed)]

    def skipped(self) -> set[Message]:
        """Return what arrived and will never be consumed."""
        return {m for m in self.arrived if m.cursor < after(self.consumed) and m not in self.consumed}

    def expect_arrival(self, message: Message) -> Reason | None:
        """Say how an arrival must end: a reason, or ⊥ when it is accepted."""
        owed = self.owed()
        if message.cursor < after(self.arrived):
            return Reason.INCORRECT_MESSAGE_ORDER
        if owed and message != owed[0] and message.cursor >= owed[0].cursor:
            return Reason.UNEXPECTED_MESSAGE
        return Reason.ARITHMETIC if message.index == MAX_U32 else None

    def expect_consumption(self, message: Message) -> Reason | None:
        """Say how a consumption must end: a reason, or ⊥ when it is accepted."""
        reachable = [m for m in self.arrived if m.cursor >= message.cursor]
        if message.cursor < after(self.consumed):
            return Reason.INCORRECT_MESSAGE_ORDER
        if reachable and reachable[0] != message:
            return Reason.UNEXPECTED_MESSAGE
        return Reason.ARITHMETIC if message.index == MAX_U32 else None

    # --- one step of the inbox ---

    def arrive(self, message: Message) -> None:
        """Add a message, and compare with both models."""
        expected, outcome = self.expect_arrival(message), attempt(add, self.inbox, message)
        self.compare("arrival", message, expected, outcome)
        if not isinstance(outcome, Inbox):
            return
        owed = self.owed()
        self.count("reconciliation", message in owed)
        self.count("discarded on arrival", bool(owed) and message not in owed)
        self.sets, self.inbox = add_to_sets(self.sets, message), outcome
        self.arrived.append(message)
        self.compare_states()

    def consume(self, message: Message) -> None:
        """Remove a message, and compare with both models."""
        expected, outcome = self.expect_consumption(message), attempt(remove, self.inbox, message)
        self.compare("consumption", message, expected, outcome)
        if not isinstance(outcome, Inbox):
            return
        self.count("anticipation", message not in self.arrived)
        before = len(self.skipped())
        self.sets, self.inbox = remove_from_sets(self.sets, message), outcome
        self.consumed.append(message)
        self.count("skipped by a consumption", len(self.skipped()) - before)
        self.compare_states()

    def compare(self, what: str, message: Message, expected: Reason | None, outcome: Inbox | Reason) -> None:
        """Compare how a step ended with what the closed form says."""
        reason = outcome if isinstance(outcome, Reason) else None
        ending = "accepted" if reason is None else f"rejected: {reason.name}"
        self.session.steps += 1
        self.lines.append(
            f"{what} of message {message.height}:{message.index}, content {message.block_hash[0]}: {ending}"
        )
        self.count(what if reason is None else f"{what} {ending}")
        if what == "arrival" and reason is Reason.UNEXPECTED_MESSAGE:
            self.count("owed message replaced by another one", message.cursor == self.owed()[0].cursor)
        self.check(reason is expected, OUTCOME, what, message, expected, reason)

    def compare_states(self) -> None:
        """Compare the inbox with both models."""
        form = (after(self.arrived), after(self.consumed), tuple(self.waiting()), tuple(self.owed()))
        inbox = self.inbox
        queues = (inbox.next_add, inbox.consumed, tuple(inbox.added), tuple(inbox.removed))
        self.check(queues == form, CLOSED_FORM, queues, form)
        self.check(inbox.added.is_empty or inbox.removed.is_empty, ONE_QUEUE, inbox)
        sets, skipped = two_sets(inbox), self.skipped()
        agree = set(sets.plus) | skipped == set(self.sets.plus) and set(sets.minus) == set(self.sets.minus)
        self.check(agree and not skipped & set(sets.plus), REFINES, sets, self.sets, skipped)
        self.compare_heights()

    def compare_heights(self) -> None:
        """Compare the first height that may still arrive with what arrived."""
        height = attempt(next_height_to_receive, self.inbox)
        last = self.arrived[-1].height if self.arrived else -1
        self.count("height without successor", height is Reason.ARITHMETIC)
        expected = Reason.ARITHMETIC if last == MAX_U64 else last + 1
        self.check(height == expected, HEIGHTS, height, expected)

    @rule(first=st.integers(0, LENGTH - 1), second=st.integers(0, LENGTH - 1))
    def commute(self, first: int, second: int) -> None:
        """Where an arrival and a consumption are possible in both orders, the order does not matter."""
        arriving, consumed = self.sent[first % len(self.sent)], self.sent[second % len(self.sent)]
        one, other = attempt(add, self.inbox, arriving), attempt(remove, self.inbox, consumed)
        if isinstance(one, Inbox) and isinstance(other, Inbox):
            ways = attempt(remove, one, consumed), attempt(add, other, arriving)
            if isinstance(ways[0], Inbox) and isinstance(ways[1], Inbox):
                self.count("arrival and consumption commuted")
                self.check(ways[0] == ways[1], COMMUTES, arriving, consumed, *ways)

    def story(self) -> list[str]:
        """Tell the steps so far."""
        return list(self.lines)

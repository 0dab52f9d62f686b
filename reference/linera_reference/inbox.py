"""Inboxes: the two sets of section 2.6, the ordered queues of appendix A.1, and the map between them."""

from attrs import frozen

from .containers import Queue, Set, fold
from .messages import START, Cursor, Message, heights_before, successor
from .notation import rule, u64
from .rejections import Reason, require


@frozen
class TwoSetInbox:
    """I = (I₊, I₋): messages received and not consumed; messages consumed and not received. Disjoint."""

    plus: Set[Message] = Set()
    minus: Set[Message] = Set()


@rule("WP-2.6-INBOX-ADD")
def add_to_sets(inbox: TwoSetInbox, message: Message) -> TwoSetInbox:
    """Return I + m. Section 2.6."""
    if inbox.minus.contains(message):
        return TwoSetInbox(inbox.plus, inbox.minus.remove(message))
    return TwoSetInbox(inbox.plus.insert(message), inbox.minus)


@rule("WP-2.6-INBOX-REMOVE")
def remove_from_sets(inbox: TwoSetInbox, message: Message) -> TwoSetInbox:
    """Return I − m. Section 2.6."""
    if inbox.plus.contains(message):
        return TwoSetInbox(inbox.plus.remove(message), inbox.minus)
    return TwoSetInbox(inbox.plus, inbox.minus.insert(message))


@frozen
class Inbox:
    """The ordered inbox of one origin.

    ``next_add`` and ``consumed`` are the first places that may still arrive and still be consumed; ``added`` waits to
    be consumed, ``removed`` was consumed by anticipation. At most one queue is non-empty.
    """

    next_add: Cursor = START
    consumed: Cursor = START
    added: Queue[Message] = Queue()
    removed: Queue[Message] = Queue()


@rule("WP-A.1-ADD")
def add(inbox: Inbox, message: Message) -> Inbox:
    """A message arrives.

    Rejects: INCORRECT_MESSAGE_ORDER, UNEXPECTED_MESSAGE, ARITHMETIC. Section A.1.
    """
    cursor = message.cursor
    require(cursor >= inbox.next_add, Reason.INCORRECT_MESSAGE_ORDER, inbox.next_add)  # ALGA-13
    added, removed = inbox.added, inbox.removed
    if removed.is_empty:
        added = added.push(message)  # ALGA-15
    else:
        owed = removed.front
        require(cursor <= owed.cursor, Reason.UNEXPECTED_MESSAGE, owed)  # ALGA-17
        if cursor == owed.cursor:
            require(message == owed, Reason.UNEXPECTED_MESSAGE, owed)  # ALGA-19
            removed = removed.pop()  # ALGA-20
        # A message before the first owed one was skipped by the block that consumed the latter.
    return Inbox(successor(cursor), inbox.consumed, added, removed)  # ALGA-22


@rule("WP-A.1-REMOVE")
def remove(inbox: Inbox, message: Message) -> Inbox:
    """A block consumes a message; waiting messages before it are skipped for ever.

    Rejects: INCORRECT_MESSAGE_ORDER, UNEXPECTED_MESSAGE, ARITHMETIC. Section A.1.
    """
    cursor = message.cursor
    require(cursor >= inbox.consumed, Reason.INCORRECT_MESSAGE_ORDER, inbox.consumed)  # ALGA-02
    _, added = inbox.added.split_before(cursor, _cursor_of)  # ALGA-03
    removed = inbox.removed
    if added.is_empty:
        removed = removed.push(message)  # ALGA-05
    else:
        require(added.front == message, Reason.UNEXPECTED_MESSAGE, added.front)  # ALGA-07
        added = added.pop()  # ALGA-08
    return Inbox(inbox.next_add, successor(cursor), added, removed)  # ALGA-10


def _cursor_of(message: Message) -> Cursor:
    return message.cursor


@rule("WP-A.1-CURSOR")
def next_height_to_receive(inbox: Inbox) -> u64:
    """Return the first height of the origin that may still arrive. Rejects: ARITHMETIC. Section A.1."""
    return heights_before(inbox.next_add)


@rule("WP-A.1-REFINEMENT")
def two_sets(inbox: Inbox) -> TwoSetInbox:
    """Map an ordered inbox to the two sets that it stands for: I₊ = added, I₋ = removed. Section A.1."""
    plus: Set[Message] = fold(Set.insert, Set(), inbox.added)
    minus: Set[Message] = fold(Set.insert, Set(), inbox.removed)
    return TwoSetInbox(plus, minus)

"""Vectors of kinds ``inbox`` and ``outbox``: one inbox of one origin, one outbox for one recipient."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from linera_reference.containers import fold
from linera_reference.inbox import Inbox, add, next_height_to_receive, remove
from linera_reference.messages import Cursor, Message, User
from linera_reference.outbox import Outbox, confirm, schedule
from linera_reference.rejections import Accepted

from .model import Seen, Step, Vector, attempt, reason_of

ORIGIN: Final = (0,)
INBOX_RULES: Final = {"inbox.add": add, "inbox.remove": remove}


def play_inbox(vector: Vector) -> Iterator[Seen]:
    """Apply ``add`` and ``remove``. Every message may be skipped, as at revision A."""
    inbox = Inbox()
    for step in vector.steps:
        outcome = attempt(INBOX_RULES[step.op], inbox, message_from(step.args))
        if isinstance(outcome, Accepted):
            inbox = outcome.state
        yield Seen(reason_of(outcome), state=inbox_state(inbox))


def message_from(item: Mapping[str, Any]) -> Message:
    """Build a message; payload and block hash are small numbers that stand for opaque bytes."""
    content, block_hash = User(item["payload"].to_bytes(4)), item["block_hash"].to_bytes(32)
    return Message(ORIGIN, item["height"], item["index"], block_hash, content)


def item_from(message: Message) -> dict[str, Any]:
    """Say a message in the words of the vectors."""
    payload = int.from_bytes(message.content.payload) if isinstance(message.content, User) else None
    block_hash = int.from_bytes(message.block_hash)
    return {"height": message.height, "index": message.index, "payload": payload, "block_hash": block_hash}


def inbox_state(inbox: Inbox) -> dict[str, Any]:
    """Say the whole state of an inbox."""
    return {
        "next_to_add": place_of(inbox.next_add),
        "next_to_remove": place_of(inbox.consumed),
        "waiting": items_of(inbox.added),
        "anticipated": items_of(inbox.removed),
        "next_height_to_receive": next_height_to_receive(inbox),
    }


def place_of(cursor: Cursor) -> list[int]:
    """Say a cursor."""
    return [cursor.height, cursor.index]


def items_of(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Say a queue of messages."""
    return [item_from(message) for message in messages]


def play_outbox(vector: Vector) -> Iterator[Seen]:
    """Apply ``schedule`` and ``confirm``."""
    outbox = Outbox()
    for step in vector.steps:
        outcome = attempt(apply_to_outbox, outbox, step)
        returns = None
        if isinstance(outcome, Accepted):
            outbox, returns = outcome.state
        state = {"next_height_to_schedule": outbox.next_schedule, "queue": list(outbox.queue)}
        yield Seen(reason_of(outcome), returns, state)


def apply_to_outbox(outbox: Outbox, step: Step) -> tuple[Outbox, Any]:
    """Return the outbox after a step, and what the step returns.

    There is no way back into a queue but ``schedule``, so that is what reverting heights means here.
    """
    if step.op == "outbox.mark_received_up_to":
        confirmed, after = confirm(outbox, step.args["height"])
        return after, list(confirmed)
    if step.op == "outbox.schedule":
        after = schedule(outbox, step.args["height"])
        return after, after != outbox
    after = fold(schedule, outbox, step.args["heights"])
    return after, [height for height in after.queue if height not in set(outbox.queue)]

"""The two-set inbox, the ordered inbox, and the map between them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import examples, message, refused

from linera_reference.containers import Queue, Set, fold
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
from linera_reference.messages import Cursor, Message
from linera_reference.notation import MAX_U32, MAX_U64
from linera_reference.rejections import Reason


def m(height: int, index: int = 0, text: str = "") -> Message:
    return message(height, index, text)


def inbox(*steps: tuple[Any, Message]) -> Inbox:
    return fold(lambda box, step: step[0](box, step[1]), Inbox(), steps)


def added(*messages: Message) -> Inbox:
    return inbox(*((add, x) for x in messages))


def owing(*messages: Message) -> Inbox:
    return inbox(*((remove, x) for x in messages))


# --- two sets ----------------------------------------------------------------------------------------------------

ITEMS = [m(i) for i in range(4)]
STEPS = (add_to_sets, remove_from_sets)


def sets(plus: Any = (), minus: Any = ()) -> TwoSetInbox:
    return TwoSetInbox(fold(Set.insert, Set(), plus), fold(Set.insert, Set(), minus))


@pytest.mark.clauses("WP-2.6-INBOX-ADD")
def test_adding_to_the_two_sets() -> None:
    assert add_to_sets(sets(), m(0)) == sets(plus=[m(0)])
    assert add_to_sets(sets(plus=[m(1)], minus=[m(2)]), m(0)) == sets(plus=[m(0), m(1)], minus=[m(2)])
    assert add_to_sets(sets(plus=[m(1)], minus=[m(0), m(2)]), m(0)) == sets(plus=[m(1)], minus=[m(2)])
    assert add_to_sets(sets(minus=[m(0, text="other")]), m(0)) == sets(plus=[m(0)], minus=[m(0, text="other")])


@pytest.mark.clauses("WP-2.6-INBOX-REMOVE")
def test_removing_from_the_two_sets() -> None:
    assert remove_from_sets(sets(), m(0)) == sets(minus=[m(0)])
    assert remove_from_sets(sets(plus=[m(1)], minus=[m(2)]), m(0)) == sets(plus=[m(1)], minus=[m(0), m(2)])
    assert remove_from_sets(sets(plus=[m(0), m(1)], minus=[m(2)]), m(0)) == sets(plus=[m(1)], minus=[m(2)])
    assert remove_from_sets(sets(plus=[m(0, text="other")]), m(0)) == sets(plus=[m(0, text="other")], minus=[m(0)])


@st.composite
def two_set_inboxes(draw: Any) -> TwoSetInbox:
    signs = [draw(st.sampled_from((None, "plus", "minus"))) for _ in ITEMS]
    return sets(*([x for x, sign in zip(ITEMS, signs, strict=True) if sign == which] for which in ("plus", "minus")))


@pytest.mark.clauses("WP-2.6-INBOX-COMMUTES", "WP-2.6-INBOX-ADD", "WP-2.6-INBOX-REMOVE")
@examples(500)
@given(two_set_inboxes(), st.sampled_from(STEPS), st.sampled_from(STEPS), st.permutations(ITEMS))
def test_steps_on_different_messages_commute(start: TwoSetInbox, one: Any, two: Any, items: list[Message]) -> None:
    x, y = items[:2]
    assert two(one(start, x), y) == one(two(start, y), x)
    for step in STEPS:
        after = step(start, x)
        assert not set(after.plus) & set(after.minus)


@pytest.mark.clauses("WP-2.6-INBOX-COMMUTES", "WP-2.6-INBOX-ADD", "WP-2.6-INBOX-REMOVE")
@given(two_set_inboxes())
def test_a_new_message_comes_and_goes(start: TwoSetInbox) -> None:
    new = m(9)
    assert remove_from_sets(add_to_sets(start, new), new) == start
    assert add_to_sets(remove_from_sets(start, new), new) == start


# --- add ---------------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-A.1-ADD")
def test_an_arriving_message_waits() -> None:
    assert added(m(2, 1), m(2, 2), m(5)) == Inbox(
        Cursor(5, 1), Cursor(), fold(Queue.push, Queue(), [m(2, 1), m(2, 2), m(5)])
    )


@pytest.mark.clauses("WP-A.1-ADD")
@pytest.mark.parametrize("late", [m(2, 1), m(2, 0), m(1, 9), m(0)])
def test_messages_arrive_in_order_and_once(late: Message) -> None:
    with refused(Reason.INCORRECT_MESSAGE_ORDER) as caught:
        add(added(m(2, 1)), late)
    assert caught.value.detail == Cursor(2, 2)
    # Whether the message is owed makes no difference.
    with refused(Reason.INCORRECT_MESSAGE_ORDER):
        add(inbox((remove, m(2, 1)), (add, m(2, 1)), (remove, m(7))), late)


@pytest.mark.clauses("WP-A.1-ADD")
def test_an_owed_message_settles_the_debt() -> None:
    box = add(owing(m(1), m(3)), m(1))
    assert box == Inbox(Cursor(1, 1), Cursor(3, 1), Queue(), fold(Queue.push, Queue(), [m(3)]))
    assert add(box, m(3)) == Inbox(Cursor(3, 1), Cursor(3, 1))


@pytest.mark.clauses("WP-A.1-ADD")
@pytest.mark.parametrize("skipped", [m(0), m(2, 9), m(3, 0)])
def test_a_skipped_message_is_dropped_on_arrival(skipped: Message) -> None:
    before = owing(m(3, 1))
    box = add(before, skipped)
    assert (box.added, box.removed, box.consumed) == (Queue(), before.removed, before.consumed)
    assert box.next_add == Cursor(skipped.height, skipped.index + 1)


@pytest.mark.clauses("WP-A.1-ADD")
@pytest.mark.parametrize("wrong", [m(3, 2), m(4), m(3, 1, "other"), message(3, 1, origin=(8,))])
def test_what_differs_from_the_owed_message(wrong: Message) -> None:
    with refused(Reason.UNEXPECTED_MESSAGE) as caught:
        add(owing(m(3, 1), m(5)), wrong)
    assert caught.value.detail == m(3, 1)


@pytest.mark.clauses("WP-A.1-ADD", "WP-A.1-CURSOR")
def test_the_last_index_cannot_arrive() -> None:
    assert added(m(0, MAX_U32 - 1)).next_add == Cursor(0, MAX_U32)
    for start in (Inbox(), owing(m(1))):
        with refused(Reason.ARITHMETIC):
            add(start, m(0, MAX_U32))
    # An unexpected message is one first.
    with refused(Reason.UNEXPECTED_MESSAGE):
        add(owing(m(0)), m(0, MAX_U32))


# --- remove ------------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-A.1-REMOVE")
def test_a_waiting_message_is_consumed() -> None:
    box = remove(added(m(0), m(1), m(2)), m(0))
    assert box == Inbox(Cursor(2, 1), Cursor(0, 1), fold(Queue.push, Queue(), [m(1), m(2)]))


@pytest.mark.clauses("WP-A.1-REMOVE")
def test_earlier_messages_are_skipped_for_ever() -> None:
    box = remove(added(m(0), m(1), m(2)), m(1))
    assert box == Inbox(Cursor(2, 1), Cursor(1, 1), fold(Queue.push, Queue(), [m(2)]))
    with refused(Reason.INCORRECT_MESSAGE_ORDER):
        remove(box, m(0))


@pytest.mark.clauses("WP-A.1-REMOVE")
def test_what_did_not_arrive_is_anticipated() -> None:
    box = remove(added(m(0)), m(4))
    assert box == Inbox(Cursor(0, 1), Cursor(4, 1), Queue(), fold(Queue.push, Queue(), [m(4)]))
    assert list(remove(box, m(5)).removed) == [m(4), m(5)]


@pytest.mark.clauses("WP-A.1-REMOVE")
@pytest.mark.parametrize("late", [m(2, 1), m(2, 0), m(1, 9), m(0)])
def test_messages_are_consumed_in_order_and_once(late: Message) -> None:
    for box in (owing(m(2, 1)), remove(added(m(2, 1), m(3)), m(2, 1))):
        with refused(Reason.INCORRECT_MESSAGE_ORDER) as caught:
            remove(box, late)
        assert caught.value.detail == Cursor(2, 2)


@pytest.mark.clauses("WP-A.1-REMOVE")
@pytest.mark.parametrize("wrong", [m(0), m(1, 0, "other"), m(0, 5), message(1, origin=(8,))])
def test_what_differs_from_the_waiting_message(wrong: Message) -> None:
    with refused(Reason.UNEXPECTED_MESSAGE) as caught:
        remove(added(m(1), m(2)), wrong)
    assert caught.value.detail == m(1)


@pytest.mark.clauses("WP-A.1-REMOVE")
def test_the_front_after_skipping_counts() -> None:
    with refused(Reason.UNEXPECTED_MESSAGE) as caught:
        remove(added(m(0), m(2)), m(1))
    assert caught.value.detail == m(2)


@pytest.mark.clauses("WP-A.1-REMOVE", "WP-A.1-CURSOR")
def test_the_last_index_cannot_be_consumed() -> None:
    assert owing(m(0, MAX_U32 - 1)).consumed == Cursor(0, MAX_U32)
    with refused(Reason.ARITHMETIC):
        remove(Inbox(), m(0, MAX_U32))
    with refused(Reason.UNEXPECTED_MESSAGE):
        remove(added(m(1)), m(0, MAX_U32))


# --- both --------------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-A.1-CURSOR")
def test_next_height_to_receive() -> None:
    assert next_height_to_receive(Inbox()) == 0
    assert next_height_to_receive(added(m(3))) == 4
    assert next_height_to_receive(owing(m(3))) == 0
    assert next_height_to_receive(Inbox(Cursor(3, 0))) == 3
    assert next_height_to_receive(added(m(MAX_U64 - 1, 5))) == MAX_U64
    with refused(Reason.ARITHMETIC):
        next_height_to_receive(added(m(MAX_U64)))


@pytest.mark.clauses("WP-A.1-REFINEMENT")
def test_the_two_sets_of_an_ordered_inbox() -> None:
    assert two_sets(Inbox()) == sets()
    assert two_sets(added(m(0), m(1))) == sets(plus=[m(0), m(1)])
    assert two_sets(owing(m(0), m(1))) == sets(minus=[m(0), m(1)])


@st.composite
def histories(draw: Any) -> tuple[list[Message], list[tuple[Any, Message]]]:
    """Draw what a sender sent, and an order of arrivals and consumptions of it."""
    places = draw(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 2)), max_size=8))
    sent = [m(*place) for place in sorted(places)]
    consumed = [x for x in sent if draw(st.booleans())]
    steps: list[tuple[Any, Message]] = []
    arriving, leaving = list(sent[: draw(st.integers(0, len(sent)))]), list(consumed)
    while arriving or leaving:
        if leaving and (not arriving or draw(st.booleans())):
            steps.append((remove, leaving.pop(0)))
        else:
            steps.append((add, arriving.pop(0)))
    return sent, steps


@pytest.mark.clauses("WP-A.1-CLOSED-FORM", "WP-A.1-ADD", "WP-A.1-REMOVE")
@examples(1000)
@given(histories())
def test_closed_form(history: tuple[list[Message], list[tuple[Any, Message]]]) -> None:
    """An honest history is accepted in every interleaving, and the inbox is a function of what came and went."""
    box = Inbox()
    came: list[Message] = []
    gone: list[Message] = []
    for step, x in history[1]:
        box = step(box, x)
        (came if step is add else gone).append(x)
        assert list(box.added) == [y for y in came if y.cursor >= box.consumed]
        assert list(box.removed) == [y for y in gone if y not in came]
        assert box.added.is_empty or box.removed.is_empty
        assert all(box.consumed <= y.cursor < box.next_add for y in box.added)
        assert all(box.next_add <= y.cursor < box.consumed for y in box.removed)
        if box.added.is_empty and box.removed.is_empty:
            assert box.next_add == box.consumed


@pytest.mark.clauses("WP-A.1-REFINEMENT", "WP-A.1-ADD", "WP-A.1-REMOVE")
@examples(1000)
@given(histories())
def test_the_ordered_inbox_refines_the_two_sets(history: tuple[list[Message], list[tuple[Any, Message]]]) -> None:
    box = Inbox()
    for step, x in history[1]:
        before, box = box, step(box, x)
        abstract = two_sets(before)
        if step is add:
            skipped = x.cursor < before.consumed and not abstract.minus.contains(x)
            expected = abstract if skipped else add_to_sets(abstract, x)
        else:
            passed = [y for y in before.added if y.cursor < x.cursor]
            rest = TwoSetInbox(fold(Set.remove, abstract.plus, passed), abstract.minus)
            expected = remove_from_sets(rest, x)
        assert two_sets(box) == expected

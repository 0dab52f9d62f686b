"""Outboxes and counters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map
from support import examples, refused

from linera_reference.containers import Queue, fold
from linera_reference.notation import MAX_U64
from linera_reference.outbox import Outbox, confirm, count_down, count_up, delivered_up_to, schedule
from linera_reference.rejections import Reason


def outbox(*heights: int) -> Outbox:
    return fold(schedule, Outbox(), heights)


@pytest.mark.clauses("WP-A.2-SCHEDULE")
def test_heights_are_queued_in_order() -> None:
    assert outbox(0, 1, 5) == Outbox(6, fold(Queue.push, Queue(), (0, 1, 5)))


@pytest.mark.clauses("WP-A.2-SCHEDULE")
@pytest.mark.parametrize("height", [0, 1, 4, 5])
def test_an_old_height_changes_nothing(height: int) -> None:
    before = outbox(1, 5)
    assert schedule(before, height) is before


@pytest.mark.clauses("WP-A.2-SCHEDULE")
def test_the_last_height_has_no_successor() -> None:
    assert outbox(MAX_U64 - 1).next_schedule == MAX_U64
    with refused(Reason.ARITHMETIC) as caught:
        outbox(MAX_U64)
    assert caught.value.detail == MAX_U64


@pytest.mark.clauses("WP-A.2-CONFIRM")
@pytest.mark.parametrize(
    ("height", "gone"),
    [(0, ()), (1, (1,)), (2, (1,)), (3, (1, 3)), (6, (1, 3)), (7, (1, 3, 7)), (MAX_U64, (1, 3, 7))],
)
def test_a_confirmation_drops_everything_up_to_its_height(height: int, gone: tuple[int, ...]) -> None:
    confirmed, rest = confirm(outbox(1, 3, 7), height)
    assert confirmed == gone
    assert tuple(rest.queue) == tuple(x for x in (1, 3, 7) if x not in gone)
    assert rest.next_schedule == 8


@pytest.mark.clauses("WP-A.2-COUNTERS")
def test_counters() -> None:
    counters = count_up(count_up(Map(), 4, 2), 5, 1)
    assert counters == Map({4: 2, 5: 1})
    assert count_up(counters, 4, 3) == Map({4: 5, 5: 1})
    assert count_up(Map(), 4, 0) == Map()
    assert count_down(counters, 4) == Map({4: 1, 5: 1})
    assert count_down(counters, 5) == Map({4: 2})


@pytest.mark.clauses("WP-A.2-COUNTERS")
def test_what_is_delivered() -> None:
    assert delivered_up_to(Map(), MAX_U64)
    waiting = Map({4: 2, 9: 1})
    assert [delivered_up_to(waiting, height) for height in (0, 3, 4, 5, 9, 10)] == [True, True] + [False] * 4


@pytest.mark.clauses("WP-A.2-SCHEDULE", "WP-A.2-CONFIRM")
@examples(300)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 12)), max_size=20))
def test_an_outbox_against_a_list(steps: list[tuple[bool, int]]) -> None:
    box, model, top = Outbox(), list[int](), -1
    for put, height in steps:
        if put:
            box = schedule(box, height)
            model += [height] * (height > top)
            top = max(top, height)
        else:
            confirmed, box = confirm(box, height)
            assert list(confirmed) == [x for x in model if x <= height]
            model = [x for x in model if x > height]
        assert list(box.queue) == model
        assert box.next_schedule == top + 1

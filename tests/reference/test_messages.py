"""Cursors and messages."""

import pytest
from hypothesis import given
from strategies import of
from support import message, refused

from linera_reference.messages import Cursor, heights_before, successor
from linera_reference.notation import MAX_U32, MAX_U64
from linera_reference.rejections import Reason


@given(of(Cursor), of(Cursor))
def test_cursors_are_ordered_by_height_then_index(one: Cursor, two: Cursor) -> None:
    assert (one < two) == ((one.height, one.index) < (two.height, two.index))


@pytest.mark.clauses("WP-A.1-CURSOR")
@pytest.mark.parametrize(
    ("cursor", "after"),
    [
        (Cursor(), Cursor(0, 1)),
        (Cursor(3, 1), Cursor(3, 2)),
        (Cursor(MAX_U64, MAX_U32 - 1), Cursor(MAX_U64, MAX_U32)),
    ],
)
def test_successor(cursor: Cursor, after: Cursor) -> None:
    assert successor(cursor) == after


@pytest.mark.clauses("WP-A.1-CURSOR")
def test_the_last_index_has_no_successor() -> None:
    with refused(Reason.ARITHMETIC) as caught:
        successor(Cursor(0, MAX_U32))
    assert caught.value.detail == Cursor(0, MAX_U32)


@pytest.mark.clauses("WP-A.1-CURSOR")
@pytest.mark.parametrize(
    ("cursor", "height"),
    [
        (Cursor(0, 0), 0),
        (Cursor(0, 1), 1),
        (Cursor(5, 0), 5),
        (Cursor(5, MAX_U32), 6),
        (Cursor(MAX_U64, 0), MAX_U64),
        (Cursor(MAX_U64 - 1, 1), MAX_U64),
    ],
)
def test_blocks_are_delivered_whole(cursor: Cursor, height: int) -> None:
    assert heights_before(cursor) == height


@pytest.mark.clauses("WP-A.1-CURSOR")
def test_no_height_follows_the_last_one() -> None:
    with refused(Reason.ARITHMETIC) as caught:
        heights_before(Cursor(MAX_U64, 1))
    assert caught.value.detail == Cursor(MAX_U64, 1)


def test_the_cursor_of_a_message_is_its_place() -> None:
    assert message(4, 2).cursor == Cursor(4, 2)

"""The closed containers against Python's own."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import examples

from linera_reference.containers import Log, Queue, Set, fold, gather

STEPS = st.lists(st.one_of(st.integers(0, 9), st.sampled_from(("pop", "split"))), max_size=30)


def queue_of(*items: Any) -> Queue[Any]:
    return fold(Queue.push, Queue(), items)


@examples(300)
@given(STEPS, st.integers(0, 9))
def test_a_queue_is_first_in_first_out(steps: list[Any], bound: int) -> None:
    queue: Queue[int] = Queue()
    model: list[int] = []
    for step in steps:
        before, copy = queue, list(model)
        if step == "pop":
            if not model:
                continue
            queue, model = queue.pop(), model[1:]
        elif step == "split":
            dropped, queue = queue.split_before(bound, lambda x: x)
            count = next((i for i, x in enumerate(model) if x >= bound), len(model))
            assert list(dropped) == model[:count]
            model = model[count:]
        else:
            queue, model = queue.push(step), [*model, step]
        assert list(before) == copy, "operations return a new queue"
        assert list(queue) == model
        assert len(queue) == len(model)
        assert queue.is_empty == (not model)
        assert queue == queue_of(*model)
        assert hash(queue) == hash(queue_of(*model))
        if model:
            assert (queue.front, queue.back) == (model[0], model[-1])


def test_queues_compare_as_sequences() -> None:
    assert queue_of(1, 2).pop() == queue_of(2)
    assert queue_of(1).pop() == Queue()
    assert queue_of(1, 2) != queue_of(2, 1)
    assert queue_of(1) != queue_of(1, 1)
    assert queue_of(1) != (1,)
    assert repr(queue_of(1, 2).pop()) == "Queue[2]"


def test_split_before_uses_the_key_and_stops_at_the_first_that_stays() -> None:
    dropped, rest = queue_of((1, "a"), (5, "b"), (2, "c")).split_before(3, lambda pair: pair[0])
    assert dropped == ((1, "a"),)
    assert rest == queue_of((5, "b"), (2, "c"))
    assert queue_of(3).split_before(3, lambda x: x) == ((), queue_of(3))


@given(st.lists(st.integers()), st.integers(0, 5))
def test_a_log_is_append_only(items: list[int], start: int) -> None:
    log: Log[int] = fold(Log.append, Log(), items)
    assert len(log) == log.length == len(items)
    assert log.since(0) == tuple(items)
    assert log.since(start) == tuple(items[start:])
    assert [log.get(i) for i in range(len(items) + 1)] == [*items, None]
    assert log == fold(Log.append, Log(), items)


def test_an_item_that_must_be_there() -> None:
    log = Log().append("a").forget().append("b")
    assert log.at(1) == "b"
    for index in (0, 2):
        with pytest.raises(IndexError):
            log.at(index)


def test_a_forgotten_log_keeps_its_length() -> None:
    log = Log().append("a").append("b").forget()
    assert (len(log), log.since(0), log.get(1)) == (2, (), None)
    later = log.append("c")
    assert (len(later), later.since(0), later.since(3), later.get(2)) == (3, ("c",), (), "c")
    assert log != Log()
    assert repr(later) == "Log['c']"


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=20))
def test_a_set(steps: list[tuple[bool, int]]) -> None:
    items: Set[int] = Set()
    model: set[int] = set()
    for put, item in steps:
        before, changes = items, put != (item in model)
        items, model = (items.insert(item), model | {item}) if put else (items.remove(item), model - {item})
        assert (items is not before) == changes
        assert set(items) == model
        assert len(items) == len(model)
        assert items.is_empty == (not model)
        assert all(items.contains(x) == (x in model) for x in range(6))
        assert items == fold(Set.insert, Set(), sorted(model))


def test_a_set_shows_its_members_in_order() -> None:
    assert repr(fold(Set.insert, Set(), (3, 1, 2))) == "Set{1, 2, 3}"


@pytest.mark.parametrize(("items", "result"), [((), "0"), ((1, 2, 3), "(((0+1)+2)+3)")])
def test_fold_goes_from_the_left(items: tuple[int, ...], result: str) -> None:
    assert fold(lambda text, item: f"({text}+{item})", "0", items) == result


@given(st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=9))
def test_gather_is_a_fold_beside_its_outputs(items: list[list[int]]) -> None:
    total, outputs = gather(lambda n, item: (n + len(item), tuple(item)), 0, items)
    assert total == fold(lambda n, item: n + len(item), 0, items)
    assert outputs == tuple(number for item in items for number in item)

"""Symbolic and plain runs of the shipped functions end alike, on generated arguments that often collide."""

from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import attrs
import pytest
import z3
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map
from support import examples

from linera_invariants.proofs import symbolic, twins
from linera_invariants.proofs.codecs import codec_of
from linera_invariants.proofs.differential import Comparison, Encoder, MismatchError, Raised, outcome_of
from linera_invariants.proofs.symbolic import SBool, SInt
from linera_reference.certificate import Kind
from linera_reference.containers import Log, Queue, Set, fold
from linera_reference.identifiers import ChainId
from linera_reference.inbox import Inbox
from linera_reference.messages import START, Create, Cursor, Message, OutgoingMessage, User
from linera_reference.notation import Bits
from linera_reference.rejections import Rejected

CHAINS = [(0,), (1,), (0, 0), (0,) * 16]


@cache
def values(kind: Any) -> st.SearchStrategy[Any]:
    """Values of an annotated type, from so few that equal ones are common."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return numbers(2 ** args[1].width - 1) if isinstance(args[1], Bits) else texts(args[1].length)
    if kind == ChainId:
        return st.sampled_from(CHAINS)
    if origin in (Union, UnionType):
        return st.one_of([values(arg) for arg in args])
    if origin in CONTAINERS:
        return CONTAINERS[origin](*(values(arg) for arg in args if arg is not ...))
    if kind in SIMPLE:
        return SIMPLE[kind]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(kind)
    hints = get_type_hints(kind, include_extras=True)
    return st.builds(kind, **{field.alias: values(hints[field.name]) for field in attrs.fields(kind)})


def numbers(top: int) -> st.SearchStrategy[int]:
    return st.integers(0, 3) | st.sampled_from((top - 1, top))


def texts(length: int) -> st.SearchStrategy[bytes]:
    return st.sampled_from((bytes(length), b"x".ljust(length)))


def items(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(strategy, max_size=3)


CONTAINERS: dict[Any, Any] = {
    Queue: lambda item: items(item).map(lambda found: fold(Queue.push, Queue(), found)),
    Log: lambda item: items(item).map(lambda found: fold(Log.append, Log(), found)),
    Set: lambda item: items(item).map(lambda found: fold(Set.insert, Set(), found)),
    Map: lambda key, value: st.dictionaries(key, value, max_size=3).map(Map),
    tuple: lambda item: items(item).map(tuple),
}
SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    int: st.integers(-2, 4) | st.integers(),
    bool: st.booleans(),
    bytes: texts(1),
    NoneType: st.none(),
    Any: texts(3),
}


def arguments(comparison: Comparison) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.tuples(*map(values, comparison.annotations.values()))


LEAVES = [
    f"{module}:{function}"
    for module, functions in {
        "certificate": ("check_signers",),
        "certification": ("already_voted", "check_active", "check_kind", "check_proposer"),
        "chain": ("activate", "is_closed"),
        "committee": ("is_quorum", "max_faulty", "quorum_threshold", "validity_threshold", "weight"),
        "execution": ("change_key", "close_chain", "extend_log"),
        "identifiers": ("child", "is_ancestor", "parent"),
        "inbox": ("add", "add_to_sets", "next_height_to_receive", "remove", "remove_from_sets"),
        "messages": ("heights_before", "successor"),
        "outbox": ("confirm", "count_down", "count_up", "schedule"),
        "validator": ("check_chaining",),
    }.items()
    for function in functions
]


def compare(comparison: Comparison, count: int = 500) -> None:
    accepted = []

    @examples(count)
    @given(arguments(comparison))
    def run(args: tuple[Any, ...]) -> None:
        assert comparison.disagreement(*args) is None
        accepted.append(not isinstance(outcome_of(comparison.function, *args), Rejected | Raised))

    run()
    assert any(accepted), "nothing was ever accepted"


@pytest.mark.parametrize("name", LEAVES)
def test_leaf_functions_run_alike(name: str) -> None:
    compare(Comparison.of(name), 2000)


# --- containers and their twins ----------------------------------------------------------------------------------


def queue_ends(queue: Queue[Message]) -> Any:
    return queue.is_empty, queue.front, queue.back


def queue_steps(queue: Queue[Message], item: Message) -> Any:
    return queue.push(item), queue.pop(), queue.push(item).pop().push(item)


def queue_split(queue: Queue[Message], bound: Cursor) -> Any:
    return queue.split_before(bound, lambda message: message.cursor)


def set_steps(found: Set[ChainId], item: ChainId, other: ChainId) -> Any:
    return found.is_empty, found.contains(item), found.insert(item).remove(other), found.remove(item).insert(other)


def map_steps(found: Map[ChainId, Cursor], key: ChainId, other: ChainId, value: Cursor) -> Any:
    return key in found, found.get(key), found.get(other, value), bool(found), found.set(key, value).delete(other)


def map_entry(found: Map[ChainId, Cursor], key: ChainId) -> Any:
    return found[key], found.delete(key)


def log_steps(found: Log[bytes], item: bytes, place: int) -> Any:
    return found.length, found.get(place), found.append(item), found.append(item).get(place)


@pytest.mark.parametrize(
    "steps",
    [queue_ends, queue_steps, queue_split, set_steps, map_steps, map_entry, log_steps],
    ids=lambda steps: steps.__name__,
)
def test_twins_do_what_containers_do(steps: Any) -> None:
    compare(Comparison.by_itself(steps))


# --- numbers, truth values, atoms, variants ----------------------------------------------------------------------


def arithmetic(x: int, y: int) -> Any:
    return x + y, x - y, 3 - x, 2 + y, x * y, y * 5, x // 3, (x + 1) // 2, x == y, x != y, x < y, x <= y, x > y, x >= y


def choices(x: int, y: int, flag: bool, key: bytes | None, other: bytes | None) -> Any:
    found = (x if flag else 0 - x, key == other, key != other, flag == (x < y), flag != (key is None))
    return found if x and not flag else (min(x, y), max(x, y))


def variants(content: Create | User, kind: Kind, message: OutgoingMessage) -> Any:
    if isinstance(content, Create):
        return content.owner, kind is Kind.CONFIRMED, message.recipient
    return content, message.content == content, type(message.content) is User


@pytest.mark.parametrize("steps", [arithmetic, choices, variants], ids=lambda steps: steps.__name__)
def test_symbolic_values_do_what_values_do(steps: Any) -> None:
    compare(Comparison.by_itself(steps))


# --- the comparison can fail -------------------------------------------------------------------------------------

WAITING = Message((0,), 0, 0, bytes(32), User(b""))
NEXT = Message((0,), 0, 1, bytes(32), User(b""))
OWING = Inbox(consumed=Cursor(0, 1), removed=Queue().push(WAITING))


def disagreement(name: str, *args: Any) -> str:
    """A fresh comparison, so that nothing explored before is used."""
    return Comparison.of(name).disagreement(*args) or ""


def test_a_wrong_comparison_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    args = (Cursor(0, 2**32 - 1),)
    assert disagreement("messages:successor", *args) == ""
    monkeypatch.setattr(SInt, "__lt__", lambda x, y: SBool(x.term <= y))
    assert "a symbolic path ends with Cursor" in disagreement("messages:successor", *args)


def test_a_wrong_sum_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SInt, "__add__", lambda x, y: SInt(x.term + y + 1))
    assert "a symbolic path ends with" in disagreement("messages:successor", Cursor(0, 1))


def test_a_wrong_twin_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    assert disagreement("inbox:add", Inbox(), WAITING) == disagreement("inbox:add", OWING, WAITING) == ""
    monkeypatch.setattr(twins.SQueue, "push", lambda queue, _: queue)
    assert "a symbolic path ends with Inbox" in disagreement("inbox:add", Inbox(), WAITING)
    monkeypatch.setattr(twins.SQueue, "pop", lambda queue: queue)
    assert "a symbolic path ends with Inbox" in disagreement("inbox:add", OWING, WAITING)


def test_a_wrong_contract_of_the_loop_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twins.SQueue, "split_before", lambda queue, *_: (twins.Dropped(queue, queue.head), queue))
    inbox = Inbox(Cursor(0, 2), START, Queue().push(WAITING).push(NEXT))
    assert "a symbolic path ends with" in disagreement("inbox:remove", inbox, NEXT)


def test_a_forgotten_path_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(symbolic, "_feasible", lambda _, condition: not z3.is_not(z3.simplify(condition)))
    assert "has no path for it" in disagreement("messages:successor", Cursor(0, 1))


def test_a_forgotten_exception_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    counters = Map({1: 2})
    assert disagreement("outbox:count_down", counters, 0) == ""
    monkeypatch.setattr(twins.SMap, "__contains__", lambda *_: True)
    assert "is Raised(kind='KeyError')" in disagreement("outbox:count_down", counters, 0)


def test_a_contradiction_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any) -> Any:
        raise symbolic.InfeasibleError

    monkeypatch.setattr(SInt, "__floordiv__", stop)
    assert "a contradiction" in disagreement("committee:max_faulty", 4)


# --- concrete values as terms ------------------------------------------------------------------------------------


def test_values_of_another_type_have_no_term() -> None:
    encoder = Encoder()
    for kind, value in ((int, True), (int, b""), (bool, 1), (Cursor, WAITING), (Kind, None), (Message, None)):
        with pytest.raises(MismatchError):
            encoder.term(codec_of(kind).sort, value)


def test_equal_values_have_one_term_and_others_have_others() -> None:
    encoder, sort = Encoder(), codec_of(Message).sort
    one, same, other = (encoder.term(sort, message) for message in (WAITING, attrs.evolve(WAITING), NEXT))
    assert one.eq(same)
    assert z3.is_false(z3.simplify(one == other))

"""Symbolic and plain runs of the shipped functions end alike, on generated arguments that often collide."""

from collections.abc import Callable, Sequence
from enum import Enum
from functools import cache
from random import Random
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import attrs
import pytest
import z3
from immutables import Map
from support import examples

from linera_invariants.mutation import functions
from linera_invariants.proofs import symbolic, twins
from linera_invariants.proofs.codecs import codec_of
from linera_invariants.proofs.differential import Comparison, Encoder, MismatchError, Raised, outcome_of
from linera_invariants.proofs.entries import theorems
from linera_invariants.proofs.symbolic import SBool, SInt
from linera_reference.certificate import Kind
from linera_reference.containers import Log, Queue, Set, fold
from linera_reference.identifiers import ChainId
from linera_reference.inbox import Inbox
from linera_reference.messages import START, Create, Cursor, Message, OutgoingMessage, User
from linera_reference.notation import Bits
from linera_reference.rejections import Rejected

CHAINS = [(0,), (1,), (0, 0), (0,) * 16]


Draw = Callable[[Random], Any]


@cache
def values(kind: Any) -> Draw:
    """Draw values of an annotated type, from so few that equal ones are common."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return numbers(2 ** args[1].width - 1) if isinstance(args[1], Bits) else texts(args[1].length)
    if kind == ChainId:
        return one_of(CHAINS)
    if origin in (Union, UnionType):
        variants = [values(arg) for arg in args]
        return lambda random: random.choice(variants)(random)
    if origin is tuple and args[-1] is not ...:
        parts = [values(arg) for arg in args]
        return lambda random: tuple(draw(random) for draw in parts)
    if origin in CONTAINERS:
        return CONTAINERS[origin](*(values(arg) for arg in args if arg is not ...))
    if kind in SIMPLE:
        return SIMPLE[kind]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return one_of(list(kind))
    hints = get_type_hints(kind, include_extras=True)
    fields = {field.alias: values(hints[field.name]) for field in attrs.fields(kind)}
    return lambda random: kind(**{name: draw(random) for name, draw in fields.items()})


def one_of(choices: Sequence[Any]) -> Draw:
    return lambda random: random.choice(choices)


def numbers(top: int) -> Draw:
    return one_of((0, 1, 2, 3, 0, 1, top - 1, top))


def integers(random: Random) -> int:
    """Small ones, or up to the size of a random number of bits."""
    return (
        random.randint(-2, 4)
        if random.random() < 0.5
        else random.choice((1, -1)) * random.getrandbits(random.randint(1, 130))
    )


def texts(length: int) -> Draw:
    return one_of((bytes(length), b"x".ljust(length)))


def items(draw: Draw) -> Callable[[Random], list[Any]]:
    return lambda random: [draw(random) for _ in range(random.randint(0, 3))]


def folded(step: Any, start: Callable[[], Any]) -> Callable[[Draw], Draw]:
    return lambda draw: lambda random: fold(step, start(), items(draw)(random))


def entries(key: Draw, value: Draw) -> Draw:
    return lambda random: Map({key(random): value(random) for _ in range(random.randint(0, 3))})


CONTAINERS: dict[Any, Any] = {
    Queue: folded(Queue.push, Queue),
    Log: folded(Log.append, Log),
    Set: folded(Set.insert, Set),
    Map: entries,
    tuple: lambda draw: lambda random: tuple(items(draw)(random)),
}
SIMPLE: dict[Any, Draw] = {
    int: integers,
    bool: one_of((False, True)),
    bytes: texts(1),
    NoneType: one_of((None,)),
    Any: texts(3),
}


def named(functions: dict[str, tuple[str, ...]]) -> list[str]:
    return [f"{module}:{function}" for module, names in functions.items() for function in names]


LEAVES = named(
    {
        "certificate": ("check_signers",),
        "certification": (
            "already_voted",
            "check_active",
            "check_kind",
            "check_proposal",
            "check_proposer",
            "check_validated_kind",
            "proposal_kind",
            "standing_ballot",
        ),
        "chain": ("activate", "is_closed"),
        "committee": ("is_quorum", "max_faulty", "quorum_threshold", "validity_threshold", "weight"),
        "execution": ("change_key", "close_chain", "extend_log"),
        "identifiers": ("child", "is_ancestor", "parent"),
        "inbox": ("add", "add_to_sets", "next_height_to_receive", "remove", "remove_from_sets"),
        "messages": ("heights_before", "successor"),
        "outbox": ("confirm", "count_down", "count_up", "schedule"),
        "ownership": ("add_owner", "check_owner", "keys_of", "may_propose", "owns", "remove_owner"),
        "rounds": ("accepted_before", "binding_lock", "current_round", "lock_after"),
        "validator": ("check_chaining", "genesis_chain"),
    }
)

SUMMARISED = named(
    {
        "application": ("Token.execute_message", "Token.execute_operation", "Token.initial_state", "read"),
        "audit": (
            "audit_block",
            "audit_chain",
            "audit_evidence",
            "audit_message",
            "audit_sender_block",
            "audit_start",
            "check_sent",
            "own_places",
            "place_of",
        ),
        "certificate": (
            "add_vote",
            "certified_payload",
            "check_certificate",
            "form_certificate",
            "sign_vote",
            "vote_is_authentic",
        ),
        "chain": (
            "confirm_messages",
            "hashed_state",
            "inbox_of",
            "owed_messages",
            "put_inbox",
            "restart_chain",
            "schedule_messages",
        ),
        "client": ("collect", "is_reached", "measure", "next_transfer", "next_transfer_for_messages", "try_vote"),
        "committee": ("combined_weight", "make_committee"),
        "containers": ("Queue.split_before",),
        "crypto": ("verify",),
        "execution": (
            "apply_effect",
            "change_owners",
            "check_not_anticipated",
            "commit_block",
            "consume_messages",
            "execute_block",
            "execute_message",
            "execute_operation",
            "execute_transaction",
            "execute_transactions",
            "open_chain",
            "received_messages",
            "senders_of",
        ),
        "identifiers": ("is_identifier",),
        "inbox": ("two_sets",),
        "network": ("initial_world",),
        "outbox": ("delivered_up_to",),
        "rejections": ("transition", "unwrap"),
        "request": ("request_is_authentic",),
        "validator": (
            "archive_chain",
            "chain_of",
            "check_batch",
            "check_confirmed",
            "check_creation_proof",
            "check_justification",
            "check_validated",
            "create_chain",
            "cross_chain_requests",
            "execute_certified",
            "genesis_validator",
            "handle",
            "handle_at",
            "handle_certificate",
            "handle_confirm_updated_recipient",
            "handle_request",
            "handle_update_recipient",
            "handle_validated",
            "is_next",
            "payload_of",
            "put_chain",
            "receive_block",
            "restart",
            "select",
            "sent_messages",
            "target_of",
            "update_recipient",
            "votes_of",
        ),
    }
)
"""They take a node or a scheme, loop, or run only with contracts in place of what they call: never on symbols alone."""


def compare(comparison: Comparison, count: int = 500) -> None:
    random, accepted = Random(comparison.name), 0
    draws = [values(annotation) for annotation in comparison.annotations.values()]
    for _ in range(examples(count).max_examples):
        args = [draw(random) for draw in draws]
        assert comparison.disagreement(*args) is None
        accepted += not isinstance(outcome_of(comparison.function, *args), Rejected | Raised)
    assert accepted, "nothing was ever accepted"


def test_every_function_of_a_contract_is_compared_or_excused() -> None:
    listed = {name for entry in theorems().values() for name in entry.functions} & set(functions())
    assert not set(LEAVES) & set(SUMMARISED)
    assert not listed - {*LEAVES, *SUMMARISED}, "compare them, or list them with those that cannot be"
    assert not set(SUMMARISED) - listed, "no contract speaks of them"


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

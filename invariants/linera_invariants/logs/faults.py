"""Damaging logs: labelled faults, each of which a check must notice, or must be seen to be harmless."""

import json
import random
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeAlias

from attrs import evolve, frozen

from linera_invariants.errors import UsageError
from linera_invariants.vectors.replay import target
from linera_reference.block import Execute, Request, sign_request
from linera_reference.certificate import Certificate, Vote, sign_vote
from linera_reference.crypto import IdealScheme, Signer
from linera_reference.encoding import decode, encode
from linera_reference.rejections import Reason, Rejected
from linera_reference.validator import Validator, chain_of

from .lines import ITEMS, Header, Item, item_of, open_log, raw_lines, read_event
from .nearest import describe
from .record import line_of
from .replayer import Replayer, node_for, replayer

MAX_LINES: Final = 100_000
Document: TypeAlias = dict[str, Any]


@frozen
class Entry:
    """An event of a genuine log, with the digests of its chain before and after (empty: it is about no chain)."""

    kind: str
    document: Document
    item: Item
    before: str
    after: str


@frozen
class Source:
    """A genuine log in memory."""

    header: Header
    head: bytes
    entries: tuple[Entry, ...]


@frozen
class Damage:
    """A damaged log: its bytes, the line that was changed, and how."""

    data: bytes
    line: int
    what: str


@frozen
class Fault:
    """A kind of damage: what it is, which events it can hit, and what it makes of so many of them."""

    sentence: str
    hits: Callable[[Source, int], bool]
    change: Callable[[Source, int], list[Document]]
    span: int = 1


def damaged(path: Path, name: str, seed: int) -> Damage:
    """Damage a log in one place that the seed chooses. Raises: UsageError (nothing to hit, or no genuine log)."""
    source, fault = read_source(path), FAULTS[name]
    places = [place for place in range(len(source.entries) - fault.span + 1) if fault.hits(source, place)]
    if not places:
        raise UsageError(f"--fault: {name}: expected a log with an event to hit: {fault.sentence}")
    place = random.Random(seed).choice(places)  # noqa: S311 - a reproducible choice
    before, after = source.entries[:place], source.entries[place + fault.span :]
    documents = [*(e.document for e in before), *fault.change(source, place), *(e.document for e in after)]
    data = source.head + b"".join(map(line_of, documents))
    item = source.entries[place].item
    what = f"{fault.sentence}: {'bytes' if isinstance(item, Rejected) else describe(item)}"
    return Damage(data[: -len(line_of(documents[-1])) // 2] if name == TRUNCATED else data, place + 2, what)


def read_source(path: Path) -> Source:
    """Read a log that the reference explains. Raises: InputError, UsageError."""
    header = open_log(path).header
    raw = [line for _, line in islice(raw_lines(path, []), MAX_LINES + 1)]
    if len(raw) > MAX_LINES:
        raise UsageError(f"{path}: expected at most {MAX_LINES} lines, to damage one of them")
    running = replayer(node_for(header), header)
    entries = []
    for number, line in enumerate(raw[1:], 2):
        event = read_event(path, number, line)
        item, before = item_of(event), running.validator
        difference = running.take(event)
        if difference is not None:
            raise UsageError(f"{path}: line {number}: expected a log that the reference explains")
        digests = (_digest(running, state, item) for state in (before, running.validator))
        entries.append(Entry(event.kind, json.loads(line), item, *digests))
    return Source(header, raw[0] + b"\n", tuple(entries))


def _digest(running: Replayer, validator: Validator, item: Item) -> str:
    return "" if isinstance(item, Rejected) else running.node.digest(chain_of(validator, target(item)))


# --- Which events ------------------------------------------------------------------------------------------------


def _any(_: Source, __: int) -> bool:
    return True


def _accepted(source: Source, place: int) -> bool:
    return "accepted" in source.entries[place].document


def _rejected(source: Source, place: int) -> bool:
    return "rejected" in source.entries[place].document


def _voted(source: Source, place: int) -> bool:
    return _accepted(source, place) and isinstance(source.entries[place].item, Request)


def _signed(source: Source, place: int) -> bool:
    return _changes(source, place) and isinstance(source.entries[place].item, Request | Certificate)


def _changes(source: Source, place: int) -> bool:
    entry = source.entries[place]
    return _accepted(source, place) and entry.before != entry.after


def _digested(source: Source, place: int) -> bool:
    return _changes(source, place) and "state" in source.entries[place].document


def _forgeable(source: Source, place: int) -> bool:
    return _voted(source, place) and source.header.crypto == "ideal"


def _proposed_then_certified(source: Source, place: int) -> bool:
    first, second = source.entries[place].item, source.entries[place + 1].item
    if not (isinstance(first, Request) and isinstance(second, Certificate)):
        return False
    return _accepted(source, place) and first.block == second.executed.block


# --- What happens to them ----------------------------------------------------------------------------------------


def _with(source: Source, place: int, **changes: Any) -> Document:
    return source.entries[place].document | changes


def _flip_answer(source: Source, place: int) -> list[Document]:
    document = dict(source.entries[place].document)
    if "rejected" in document:
        del document["rejected"]
        return [document | {"accepted": []}]
    del document["accepted"]
    return [document | {"rejected": Reason.CHAIN_ALREADY_EXISTS.name}]


def _other_reason(source: Source, place: int) -> list[Document]:
    names = list(Reason.__members__)
    number = names.index(source.entries[place].document["rejected"])
    return [_with(source, place, rejected=names[number - 1])]


def _item(source: Source, place: int, item: Any) -> Document:
    return _with(source, place, **{source.entries[place].kind: encode(item).hex()})


def _vote(source: Source, place: int) -> Vote:
    return decode(Vote, bytes.fromhex(source.entries[place].document["accepted"][0]))


def _votes(source: Source, place: int, vote: Vote) -> list[Document]:
    return [_with(source, place, accepted=[encode(vote).hex()])]


def _resigned(source: Source, vote: Vote) -> Vote:
    """Sign a vote again, where anyone can."""
    if source.header.crypto != "ideal":
        return vote
    return sign_vote(IdealScheme(), Signer(vote.validator, b""), vote.payload)


def _vote_for_another(source: Source, place: int) -> list[Document]:
    vote = _vote(source, place)
    payload = evolve(vote.payload, block_hash=_spoiled(vote.payload.block_hash))
    return _votes(source, place, _resigned(source, evolve(vote, payload=payload)))


def _vote_in_another_name(source: Source, place: int) -> list[Document]:
    vote = _vote(source, place)
    other = next(key for key in sorted(source.header.genesis.committee.weights) if key != vote.validator)
    return _votes(source, place, _resigned(source, evolve(vote, validator=other)))


def _forge_vote(source: Source, place: int) -> list[Document]:
    vote = _vote(source, place)
    return _votes(source, place, evolve(vote, signature=_spoiled(vote.signature)))


def _forge_item(source: Source, place: int) -> list[Document]:
    item: Any = source.entries[place].item
    if isinstance(item, Request):
        return [_item(source, place, evolve(item, signature=_spoiled(item.signature)))]
    (key, signature), *others = item.signatures
    return [_item(source, place, evolve(item, signatures=((key, _spoiled(signature)), *others)))]


def _spoiled(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 1,))


def _vote_twice(source: Source, place: int) -> list[Document]:
    """Let the validator vote for a rival block, too, which its owner signed."""
    genuine: Any = source.entries[place].item
    block = evolve(genuine.block, transactions=(*genuine.block.transactions, Execute(b"rival")))
    rival = sign_request(IdealScheme(), Signer(genuine.owner, b""), block)
    vote = _vote(source, place)
    payload = evolve(vote.payload, block_hash=_spoiled(vote.payload.block_hash))
    (second,) = _votes(source, place, _resigned(source, evolve(vote, payload=payload)))
    return [source.entries[place].document, second | {"request": encode(rival).hex()}]


def _other_height(source: Source, place: int) -> list[Document]:
    genuine: Any = source.entries[place].item
    block = evolve(genuine.block, height=genuine.block.height + 1)
    return [_item(source, place, sign_request(IdealScheme(), Signer(genuine.owner, b""), block))]


def _cut_item(source: Source, place: int) -> list[Document]:
    entry = source.entries[place]
    return [_with(source, place, **{entry.kind: entry.document[entry.kind][:-2]})]


def _decodable(source: Source, place: int) -> bool:
    entry = source.entries[place]
    return _accepted(source, place) and entry.kind in ITEMS


def _last(source: Source, place: int) -> bool:
    return place == len(source.entries) - 1


TRUNCATED: Final = "truncated-line"
FAULTS: Final[dict[str, Fault]] = {
    "answer-flipped": Fault("an answer is the opposite", _any, _flip_answer),
    "wrong-reason": Fault("a rejection has another reason", _rejected, _other_reason),
    "vote-for-another": Fault("a vote is for another block", _voted, _vote_for_another),
    "vote-in-another-name": Fault("a vote is another validator's", _voted, _vote_in_another_name),
    "vote-lost": Fault("a request is accepted without a vote", _voted, lambda s, p: [_with(s, p, accepted=[])]),
    "vote-forged": Fault("the signature of a vote is wrong", _voted, _forge_vote),
    "double-vote": Fault("a rival block gets a vote, too (ideal signatures)", _forgeable, _vote_twice),
    "wrong-height": Fault("a block of another height gets a vote (ideal signatures)", _forgeable, _other_height),
    "forged-signature": Fault("a signature of what arrives is wrong, and it is accepted", _signed, _forge_item),
    "damaged-bytes": Fault("what arrives lacks its last byte, and it is accepted", _decodable, _cut_item),
    "lost-effect": Fault(
        "the state is what it was before", _digested, lambda s, p: [_with(s, p, state=s.entries[p].before)]
    ),
    "wrong-state": Fault(
        "the state digest is of nothing", _digested, lambda s, p: [_with(s, p, state=bytes(32).hex())]
    ),
    "dropped": Fault("an event is missing", _changes, lambda _, __: []),
    "duplicated": Fault("an event is there twice", _any, lambda s, p: [s.entries[p].document] * 2),
    "reordered": Fault(
        "a certificate comes before the request for its block",
        _proposed_then_certified,
        lambda s, p: [s.entries[p + 1].document, s.entries[p].document],
        span=2,
    ),
    TRUNCATED: Fault("the last line is cut off", _last, lambda s, p: [s.entries[p].document]),
}
"""Every kind of damage."""

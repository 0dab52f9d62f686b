"""Damaging logs: labelled faults, each of which a check must notice, or must be seen to be harmless."""

import json
import random
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeAlias

from attrs import evolve, frozen

from linera_invariants.errors import UsageError
from linera_invariants.forgeries import flipped
from linera_invariants.story import show_chain
from linera_invariants.vectors.replay import target
from linera_reference.block import Block, Execute, ExecutedBlock
from linera_reference.certificate import Certificate, Kind, Vote, VotePayload, sign_vote
from linera_reference.crypto import IdealScheme, Signer
from linera_reference.encoding import decode, encode
from linera_reference.identifiers import ChainId
from linera_reference.notation import PublicKey
from linera_reference.rejections import Reason, Rejected
from linera_reference.request import Request, sign_request
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
    """A genuine log in memory. ``owners`` are those who last proposed on each chain."""

    header: Header
    head: bytes
    entries: tuple[Entry, ...]
    owners: dict[ChainId, PublicKey]


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
    requests = (entry.item for entry in entries if isinstance(entry.item, Request) and "accepted" in entry.document)
    owners = {request.block.chain_id: request.owner for request in requests}
    return Source(header, raw[0] + b"\n", tuple(entries), owners)


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
    return bool(source.entries[place].document.get("accepted"))


def _proposed(source: Source, place: int) -> bool:
    return _voted(source, place) and isinstance(source.entries[place].item, Request)


def _locked(source: Source, place: int) -> bool:
    return _voted(source, place) and _changes(source, place) and isinstance(source.entries[place].item, Certificate)


def _validates(source: Source, place: int) -> bool:
    return _proposed(source, place) and _vote(source, place).payload.kind is Kind.VALIDATED


def _signed(source: Source, place: int) -> bool:
    return _changes(source, place) and isinstance(source.entries[place].item, Request | Certificate)


def _changes(source: Source, place: int) -> bool:
    entry = source.entries[place]
    return _accepted(source, place) and entry.before != entry.after


def _digested(source: Source, place: int) -> bool:
    return _changes(source, place) and "state" in source.entries[place].document


def _forgeable(source: Source, place: int) -> bool:
    return _proposed(source, place) and source.header.crypto == "ideal"


def _forgeable_lock(source: Source, place: int) -> bool:
    proposed = _locked(source, place) and _block(source, place).chain_id in source.owners
    return proposed and source.header.crypto == "ideal"


def _proposed_then_certified(source: Source, place: int) -> bool:
    first, second = source.entries[place].item, source.entries[place + 1].item
    if not (isinstance(first, Request) and isinstance(second, Certificate)):
        return False
    return _accepted(source, place) and second.kind is Kind.CONFIRMED and first.block == second.executed.block


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
    payload = evolve(vote.payload, block_hash=flipped(vote.payload.block_hash))
    return _votes(source, place, _resigned(source, evolve(vote, payload=payload)))


def _vote_in_another_name(source: Source, place: int) -> list[Document]:
    vote = _vote(source, place)
    other = next(key for key in sorted(source.header.genesis.committee.weights) if key != vote.validator)
    return _votes(source, place, _resigned(source, evolve(vote, validator=other)))


def _forge_vote(source: Source, place: int) -> list[Document]:
    vote = _vote(source, place)
    return _votes(source, place, evolve(vote, signature=flipped(vote.signature)))


def _forge_item(source: Source, place: int) -> list[Document]:
    item: Any = source.entries[place].item
    if isinstance(item, Request):
        return [_item(source, place, evolve(item, signature=flipped(item.signature)))]
    (key, signature), *others = item.signatures
    return [_item(source, place, evolve(item, signatures=((key, flipped(signature)), *others)))]


def _vote_twice(source: Source, place: int) -> list[Document]:
    """Let the validator vote for a rival block, too, which its owner signed."""
    genuine: Any = source.entries[place].item
    return [source.entries[place].document, _rival(source, place, genuine.owner, genuine.round)]


def _rival(
    source: Source, place: int, owner: PublicKey, round_: int, justification: Certificate | None = None
) -> Document:
    """Let the validator vote for another block than the one of an event, on behalf of an owner."""
    vote, rival = _vote(source, place), _rival_block(_block(source, place))
    request = sign_request(IdealScheme(), Signer(owner, b""), rival, round_, justification)
    kind = Kind.VALIDATED if isinstance(source.entries[place].item, Certificate) else vote.payload.kind
    payload = VotePayload(kind, flipped(vote.payload.block_hash), round_)
    return {
        "request": encode(request).hex(),
        "accepted": [encode(_resigned(source, evolve(vote, payload=payload))).hex()],
    }


def _block(source: Source, place: int) -> Block:
    item: Any = source.entries[place].item
    block: Block = item.block if isinstance(item, Request) else item.executed.block
    return block


def _rival_block(block: Block) -> Block:
    return evolve(block, transactions=(*block.transactions, Execute(b"rival")))


def _restarted(source: Source, place: int, state: str) -> Document:
    return {"restart": show_chain(_block(source, place).chain_id), "accepted": [], "state": state}


def _rival_after_restart(source: Source, place: int) -> list[Document]:
    """Let the validator forget its vote when it restarts."""
    first, second = _vote_twice(source, place)
    return [first, _restarted(source, place, source.entries[place].after), second]


def _lock_lost(source: Source, place: int) -> list[Document]:
    return [source.entries[place].document, _restarted(source, place, source.entries[place].before)]


def _rival_of_lock(change: int, justified: bool = False) -> Callable[[Source, int], list[Document]]:
    """Let the validator vote for another block than the one that it is locked on, so many rounds later."""

    def altered(source: Source, place: int) -> list[Document]:
        lock: Any = source.entries[place].item
        rival = evolve(lock.executed, block=_rival_block(lock.executed.block))
        old = _certified(source, rival, lock.round) if justified else None
        owner = source.owners[rival.block.chain_id]
        return [source.entries[place].document, _rival(source, place, owner, lock.round + change, old)]

    return altered


def _certified(source: Source, executed: ExecutedBlock, round_: int) -> Certificate:
    """Return a validated certificate that everybody signed, where anyone can."""
    scheme, keys = IdealScheme(), sorted(source.header.genesis.committee.weights)
    payload = VotePayload(Kind.VALIDATED, scheme.hash(executed), round_)
    votes = (sign_vote(scheme, Signer(key, b""), payload) for key in keys)
    return Certificate(executed, Kind.VALIDATED, round_, tuple((vote.validator, vote.signature) for vote in votes))


def _without_quorum(source: Source, place: int) -> list[Document]:
    item: Any = source.entries[place].item
    return [_item(source, place, evolve(item, signatures=item.signatures[:1]))]


def _vote_says(**changes: Any) -> Callable[[Source, int], list[Document]]:
    """Let a vote have another kind or round."""

    def altered(source: Source, place: int) -> list[Document]:
        vote = _vote(source, place)
        return _votes(source, place, _resigned(source, evolve(vote, payload=evolve(vote.payload, **changes))))

    return altered


def _other_height(source: Source, place: int) -> list[Document]:
    genuine: Any = source.entries[place].item
    block = evolve(genuine.block, height=genuine.block.height + 1)
    signed = sign_request(IdealScheme(), Signer(genuine.owner, b""), block, genuine.round, genuine.justification)
    return [_item(source, place, signed)]


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
    "vote-lost": Fault("what asks for a vote is accepted without one", _voted, lambda s, p: [_with(s, p, accepted=[])]),
    "vote-forged": Fault("the signature of a vote is wrong", _voted, _forge_vote),
    "double-vote": Fault("a rival block gets a vote, too (ideal signatures)", _forgeable, _vote_twice),
    "vote-of-another-round": Fault("a vote is of another round", _voted, _vote_says(round=7)),
    "final-vote-at-once": Fault(
        "a vote to validate is one to confirm, without a certificate", _validates, _vote_says(kind=Kind.CONFIRMED)
    ),
    "final-vote-without-quorum": Fault(
        "a validated certificate with one signature is accepted", _locked, _without_quorum
    ),
    "vote-below-lock": Fault(
        "another block gets a vote in the round of the lock (ideal signatures)", _forgeable_lock, _rival_of_lock(0)
    ),
    "lock-ignored": Fault(
        "another block gets a vote in a later round than the lock's (ideal signatures)",
        _forgeable_lock,
        _rival_of_lock(1),
    ),
    "justified-too-low": Fault(
        "the same, justified in the round of the lock (ideal signatures)", _forgeable_lock, _rival_of_lock(1, True)
    ),
    "lock-lost": Fault("the lock is lost at a restart", _locked, _lock_lost),
    "vote-forgotten": Fault(
        "a rival block gets a vote after a restart, too (ideal signatures)", _forgeable, _rival_after_restart
    ),
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

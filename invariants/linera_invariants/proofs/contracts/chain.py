"""One chain at one validator, as symbolic values: the cell that handlers read and write, and the words about it.

What a handler only passes on (application state, transactions, messages, signatures) is uninterpreted. Hashing,
signing and verifying are functions of what they are given, and nothing else is known of them.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from inspect import currentframe
from typing import Any, Final

import attrs
import z3
from attrs import evolve, frozen

from linera_invariants.proofs.cells import CellTerms, CertificateTerms, CreationWords, Option, RequestTerms, Words
from linera_invariants.proofs.codecs import (
    BOOLEANS,
    BYTES,
    CHAIN_IDS,
    INTEGERS,
    Codec,
    alternatives,
    atoms,
    joined,
    members,
    numbers,
    optional,
    records,
    unknown,
    unpacked,
)
from linera_invariants.proofs.symbolic import (
    OutsideSubsetError,
    SAtom,
    SBool,
    SInt,
    Symbolic,
    assume,
    conj,
    decide,
    fresh,
    term,
)
from linera_invariants.proofs.twins import SLog, SMap, SQueue, SSet
from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Certificate, Kind, VotePayload
from linera_reference.chain import Chain, ChainState, Consistent, Localized, Mailbox
from linera_reference.containers import Queue
from linera_reference.context import Context
from linera_reference.crypto import Signer
from linera_reference.messages import Cursor, Message, OutgoingMessage
from linera_reference.notation import MAX_U64, u64
from linera_reference.outbox import Outbox
from linera_reference.ownership import Owner, Owners
from linera_reference.request import BlockAndRound, Request
from linera_reference.rounds import Rounds
from linera_reference.rules import BASELINE, Rules

# --- Codecs ------------------------------------------------------------------------------------------------------


def _joined(name: str, *parts: z3.SortRef) -> tuple[z3.SortRef, Any, list[Any]]:
    declared = z3.Datatype(name)
    declared.declare(f"make_{name}", *((f"{name}_{i}", part) for i, part in enumerate(parts)))
    sort = declared.create()
    return sort, partial(joined, sort), [sort.accessor(0, i) for i in range(len(parts))]


@cache
def maps(keys: Codec, values: Codec) -> Codec:
    """Maps of any size, each as one term."""
    arrays = (z3.ArraySort(keys.sort, z3.BoolSort()), z3.ArraySort(keys.sort, values.sort))
    sort, make, (present, array) = _joined(f"Map_{keys.sort}_{values.sort}", *arrays)
    anything = z3.BoolVal(True)
    return Codec(
        sort, lambda m: make(m.present, m.array), lambda x: SMap(keys, values, present(x), array(x)), lambda _: anything
    )


@cache
def pairs(first: Codec, second: Codec) -> Codec:
    """Two values as one term."""
    sort, make, parts = _joined(f"Pair_{first.sort}_{second.sort}", first.sort, second.sort)
    return Codec(
        sort,
        lambda pair: make(first.pack(pair[0]), second.pack(pair[1])),
        lambda x: (first.unpack(parts[0](x)), second.unpack(parts[1](x))),
        lambda x: conj(first.valid(parts[0](x)), second.valid(parts[1](x))),
    )


class SItems(SQueue):
    """A queue that can be asked by a loop for one item, which stands for all."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Give the item at an arbitrary place, if there is any."""
        if decide(self.head < self.tail):
            place = fresh("place", z3.IntSort())
            assume(conj(place >= self.head, place < self.tail))
            yield self.item(place)
            raise OutsideSubsetError("a loop over a queue of unknown length: fold it")


def _nothing_known(*_: Any) -> z3.BoolRef:
    return z3.BoolVal(True)


@cache
def queues(items: Codec) -> Codec:
    """Queues of any length, each as one term; nothing is known of what their loop drops."""
    array = z3.ArraySort(z3.IntSort(), items.sort)
    sort, make, (held, head, tail) = _joined(f"Queue_{items.sort}", array, z3.IntSort(), z3.IntSort())

    def pack(queue: SQueue | Queue[Any]) -> z3.ExprRef:
        if isinstance(queue, SQueue):
            return make(queue.array, queue.head, queue.tail)
        kept = z3.Const(f"nothing in Queue_{items.sort}", array)
        for place, item in enumerate(queue):
            kept = z3.Store(kept, place, items.pack(item))
        return make(kept, z3.IntVal(0), z3.IntVal(len(queue)))

    return Codec(
        sort,
        pack,
        lambda x: SItems(items, held(x), head(x), tail(x), _nothing_known),
        lambda x: head(x) <= tail(x),
    )


def unseen() -> Any:
    """Return a class that no rule of the core may ask for: it does not say what a sealed value is inside."""

    def ask(value: Any) -> type:
        caller: Any = currentframe().f_back  # type: ignore[union-attr]
        if caller.f_globals.get("__name__", "").startswith("linera_reference."):
            raise OutsideSubsetError("the type of a sealed value was asked for: open it")
        return type(value)

    return property(ask)


class SOptional(Symbolic):
    """⊥ or a value that is compared and passed on as a whole, so that no path forks on which of the two it is.

    Python cannot see ``is None`` asked of it: a test keeps the functions from asking.
    """

    __slots__ = ()
    __hash__ = None
    __class__ = unseen()

    def __eq__(self, other: object) -> Any:
        """Compare with ⊥, a value, or another optional."""
        return SBool(self.term == self._packed(other))

    def __ne__(self, other: object) -> Any:
        """Compare with ⊥, a value, or another optional."""
        return SBool(self.term != self._packed(other))

    def __bool__(self) -> bool:
        """Refuse."""
        raise OutsideSubsetError(f"{self!r} has no truth value")

    def _packed(self, other: object) -> z3.ExprRef:
        sort = self.term.sort()
        if other is None:
            return sort.constructor(0)()
        packed = term(other)
        return packed if packed.sort() == sort else sort.constructor(1)(packed)


@cache
def sealed(inner: Codec) -> Codec:
    """Optionals that are passed on as they are."""
    whole = optional(inner)
    return evolve(
        whole, unpack=SOptional, pack=lambda value: value.term if type(value) is SOptional else whole.pack(value)
    )


@cache
def sets(items: Codec) -> Codec:
    """Sets of any size, each as one term."""
    sort = z3.ArraySort(items.sort, z3.BoolSort())
    return Codec(sort, lambda found: found.array, partial(SSet, items), lambda _: z3.BoolVal(True))


class SOwner(SAtom):
    """An owner of which only is known that there is one: neither its key nor its keys."""

    __slots__ = ()
    __hash__ = None
    __class__ = unseen()


def _owner() -> Codec:
    """Return the codec of an owner: a key, or any set of keys."""
    opened = alternatives("Owner", ("bytes", SAtom, BYTES), ("Owners", Owners, records(Owners, ("keys", KEY_SETS))))
    return evolve(opened, pack=lambda owner: owner.term if type(owner) is SOwner else opened.pack(owner))


HEIGHTS: Final = numbers(0, MAX_U64)
HASHES: Final = sealed(BYTES)
KEY_SETS: Final = sets(BYTES)
OWNER: Final = _owner()
SOME_OWNER: Final = evolve(OWNER, unpack=SOwner)
OWNERS: Final = sealed(OWNER)
CHOICES: Final = sealed(KEY_SETS)
STATES: Final = sealed(atoms("State"))
CURSORS: Final = records(Cursor)
MESSAGES: Final = records(Message, ("content", atoms("Content")))
BLOCKS: Final = records(Block, ("previous_hash", HASHES), ("transactions", atoms("Transactions")))
OUTGOING: Final = records(OutgoingMessage)


class SMessages(SAtom):
    """The messages of an executed block, any number of them. In a comprehension one stands for all."""

    __slots__ = ()
    __hash__ = None

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Give the message at an arbitrary place; a loop that asks for another one is outside the subset."""
        yield self.item(fresh("place", z3.IntSort()))
        raise OutsideSubsetError("a loop over the messages of a block: fold it")

    @property
    def length(self) -> z3.ArithRef:
        """How many there are."""
        return MESSAGES_IN(self.term)

    def item(self, place: z3.ArithRef) -> OutgoingMessage:
        """Return the message at a place."""
        message: OutgoingMessage = unpacked(OUTGOING, MESSAGE_AT(self.term, place))
        return message

    def has(self, place: z3.ArithRef) -> z3.BoolRef:
        """Whether there is a message at a place."""
        return conj(place >= 0, place < self.length)


def _pack_messages(messages: Any) -> z3.ExprRef:
    if isinstance(messages, SMessages):
        return messages.term
    if len(messages) > 1:
        raise OutsideSubsetError("more than one message, and not a symbolic list")
    return ONE_MESSAGE(OUTGOING.pack(messages[0])) if messages else NO_MESSAGES


_MESSAGES: Final = atoms("Messages")
MESSAGE_LISTS: Final = evolve(_MESSAGES, pack=_pack_messages, unpack=SMessages)
MESSAGE_AT: Final = z3.Function("message_at", _MESSAGES.sort, z3.IntSort(), OUTGOING.sort)
MESSAGES_IN: Final = z3.Function("messages_in", _MESSAGES.sort, z3.IntSort())
ONE_MESSAGE: Final = z3.Function("one_message", OUTGOING.sort, _MESSAGES.sort)
NO_MESSAGES: Final = z3.Const("no_messages", _MESSAGES.sort)
EXECUTED: Final = records(ExecutedBlock, ("block", BLOCKS), ("messages", MESSAGE_LISTS))
KINDS: Final = evolve(members(Kind), unpack=SAtom)
"""Kinds that are only passed on."""
CERTIFICATES: Final = records(Certificate, ("executed", EXECUTED), ("signatures", atoms("Signatures")), ("kind", KINDS))
LOCKS: Final = sealed(CERTIFICATES)
REQUESTS: Final = records(Request, ("block", BLOCKS), ("justification", LOCKS))
ROUNDS: Final = records(Rounds, ("locked", LOCKS))
SIGNED: Final = records(BlockAndRound, ("block", BLOCKS))
PAYLOADS: Final = records(VotePayload)
PLACES: Final = pairs(CHAIN_IDS, HEIGHTS)
CONSUMED: Final = maps(CHAIN_IDS, CURSORS)
MAILBOXES: Final = records(Mailbox, ("added", queues(MESSAGES)), ("removed", queues(MESSAGES)))
OUTBOXES: Final = records(Outbox, ("queue", queues(HEIGHTS)))
HASHED: Final = records(ChainState, ("owner", OWNERS), ("consumed", CONSUMED))
PENDING: Final = sealed(EXECUTED)


# --- The cell ----------------------------------------------------------------------------------------------------


@frozen
class Rest:
    """The consistent part without height, last hash and log: what execution reads and writes."""

    created: bool
    owner: Owner | None
    state: Any
    tx_count: u64
    consumed: Any
    creation_height: u64 | None


REST: Final = records(
    Rest,
    ("owner", OWNERS),
    ("state", STATES),
    ("consumed", CONSUMED),
    ("creation_height", sealed(HEIGHTS)),
)


def rest_of(part: Consistent) -> Rest:
    """Return the rest of a consistent part."""
    return Rest(*(getattr(part, field.name) for field in attrs.fields(Rest)))


def with_rest(part: Consistent, rest: Rest) -> Consistent:
    """Replace the rest of a consistent part."""
    return evolve(part, **{field.name: getattr(rest, field.name) for field in attrs.fields(Rest)})


class SHistory(SLog):
    """A history that can be forgotten."""

    def forget(self) -> "SForgotten":
        """Keep the length only."""
        return SForgotten(self.codec, fresh("forgotten", self.array.sort()), self.length)


class SForgotten(SLog):
    """A forgotten history: nothing is known of its items."""


class SMailboxes(SMap):
    """Mailboxes; in a comprehension one stands for all."""

    def items(self) -> Iterator[tuple[Any, Any]]:
        """Give an arbitrary entry; a loop that asks for another one is outside the subset."""
        origin = unknown(self.keys, "any origin")
        yield origin, unpacked(self.values, self.array[origin.term])
        raise OutsideSubsetError("a loop over the mailboxes: it is no comprehension")


def any_chain(name: str = "chain") -> Chain:
    """Return an arbitrary view of an arbitrary chain."""
    consistent = Consistent(
        next_height=unknown(HEIGHTS, f"{name}.next_height"),
        block_hash=unknown(HASHES, f"{name}.block_hash"),
        log=SHistory.unknown(BYTES, f"{name}.log"),  # type: ignore[arg-type]
    )
    rest: Rest = unknown(REST, f"{name}.rest")
    return Chain(unknown(CHAIN_IDS, f"{name}.chain_id"), with_rest(consistent, rest), any_localized(name))


def opened(inner: Codec, value: Any) -> Any:
    """Open a sealed value: fork on whether it is ⊥."""
    if type(value) is not SOptional:
        return None if value is None else inner.unpack(inner.pack(value))
    found = option(term(value))
    return inner.unpack(found.value) if decide(found.present) else None


def owned(chain: Chain, inner: Codec = SOME_OWNER) -> Chain:
    """Fork on whether a chain has an owner; ``OWNER`` also forks on whether there are several."""
    owner = opened(inner, chain.consistent.owner)
    return evolve(chain, consistent=evolve(chain.consistent, owner=owner))


def any_localized(name: str) -> Localized:
    """Return an arbitrary localized part."""
    parts: dict[str, Any] = {
        "pending": unknown(PENDING, f"{name}.pending"),
        "rounds": unknown(ROUNDS, f"{name}.rounds"),
        "received": SHistory.unknown(PLACES, f"{name}.received"),
        **any_mailboxes(name),
        "outboxes": SMap.unknown(CHAIN_IDS, OUTBOXES, f"{name}.outboxes"),
        "counters": SMap.unknown(HEIGHTS, INTEGERS, f"{name}.counters"),
        "certificates": SHistory.unknown(CERTIFICATES, f"{name}.certificates"),
    }
    return Localized(**parts)


def any_mailboxes(name: str) -> dict[str, Any]:
    """Return arbitrary mailboxes, and which of them owe messages."""
    mailboxes = SMailboxes.unknown(CHAIN_IDS, MAILBOXES, f"{name}.mailboxes")
    return {"mailboxes": mailboxes, "owing": SSet.unknown(CHAIN_IDS, f"{name}.owing")}


# --- Votes and locks ---------------------------------------------------------------------------------------------


def _voted(packed: Any) -> ExecutedBlock:
    """Return an executed block whose block is only compared, as a whole."""
    parts = (part_of(EXECUTED, ExecutedBlock, name)(packed) for name in ("block", "messages", "state_hash"))
    return ExecutedBlock(SAtom(next(parts)), SMessages(next(parts)), SAtom(next(parts)))  # type: ignore[arg-type]


def _lock(packed: Any) -> Certificate:
    """Return a certificate of which the block is only compared, as a whole."""
    executed, *rest = (part_of(CERTIFICATES, Certificate, f.name)(packed) for f in attrs.fields(Certificate))
    kind, number, signatures = rest
    return Certificate(_voted(executed), SAtom(kind), SInt(number), SAtom(signatures))  # type: ignore[arg-type]


VOTED: Final = evolve(EXECUTED, unpack=_voted)
LOCK: Final = evolve(CERTIFICATES, unpack=_lock)


def as_a_whole(request: Request) -> Request:
    """Return a request whose block is only compared."""
    whole: Any = SAtom(BLOCKS.pack(request.block))
    return evolve(request, block=whole)


# --- Words -------------------------------------------------------------------------------------------------------


def part_of(codec: Codec, kind: type, name: str) -> Callable[[Any], Any]:
    """Return the accessor of one field of a record."""
    names = [field.name for field in attrs.fields(kind)]
    accessor: Callable[[Any], Any] = codec.sort.accessor(0, names.index(name))
    return accessor


def option(packed: z3.ExprRef) -> Option:
    """Return what an optional term holds."""
    sort = packed.sort()
    return Option(z3.simplify(sort.recognizer(1)(packed)), z3.simplify(sort.accessor(1, 0)(packed)))


HASH_OF: Final = z3.Function("hash", EXECUTED.sort, BYTES.sort)
STATE_HASH: Final = z3.Function("state_hash", HASHED.sort, BYTES.sort)
GENUINE: Final = z3.Function("genuine", BYTES.sort, SIGNED.sort, BYTES.sort, z3.BoolSort())
SIGNATURE: Final = z3.Function("signature", BYTES.sort, PAYLOADS.sort, BYTES.sort)

NO_KEYS: Final = SSet.empty(BYTES).array


def is_several(owner: Any) -> z3.BoolRef:
    """Say that an owner is a set of keys."""
    several: z3.BoolRef = OWNER.sort.recognizer(1)(owner)
    return several


def keys_in(owner: Any) -> z3.ArrayRef:
    """Return the keys of an owner."""
    several, one = OWNER.sort.accessor(1, 0)(owner), OWNER.sort.accessor(0, 0)(owner)
    keys = several.sort().accessor(0, 0)(several)
    return z3.If(is_several(owner), keys, z3.Store(NO_KEYS, one, z3.BoolVal(True)))


def has_key(owner: Any, key: Any) -> z3.BoolRef:
    """Say that a key is one of an owner's."""
    found: z3.BoolRef = z3.Select(keys_in(owner), key)
    return found


WORDS: Final = Words(
    is_created=part_of(REST, Rest, "created"),
    owner_of=lambda rest: option(part_of(REST, Rest, "owner")(rest)),
    owns=has_key,
    several=is_several,
    block_of=part_of(EXECUTED, ExecutedBlock, "block"),
    height_of=part_of(BLOCKS, Block, "height"),
    previous_of=lambda block: option(part_of(BLOCKS, Block, "previous_hash")(block)),
    hash_of=HASH_OF,
    executes=z3.Function("executes", REST.sort, BLOCKS.sort, z3.BoolSort()),
    executed=z3.Function("executed", REST.sort, BLOCKS.sort, EXECUTED.sort),
    rest_after=z3.Function("rest_after", REST.sort, BLOCKS.sort, REST.sort),
)


CREATES_IN: Final = z3.Function("creates_in", MESSAGE_LISTS.sort, CHAIN_IDS.sort, z3.BoolSort())
"""Whether a list has a message that creates a chain."""

CREATION: Final = CreationWords(
    tx_count=part_of(REST, Rest, "tx_count"),
    parent_of=z3.Function("parent_of", CHAIN_IDS.sort, CHAIN_IDS.sort),
    index_of=z3.Function("index_of", CHAIN_IDS.sort, z3.IntSort()),
    creates=lambda executed, chain: CREATES_IN(part_of(EXECUTED, ExecutedBlock, "messages")(executed), chain),
)


def certificate_terms(certificate: Any) -> CertificateTerms:
    """Return an optional certificate in the words of the contracts."""
    packed = option(LOCKS.pack(certificate))
    parts = (z3.simplify(part_of(CERTIFICATES, Certificate, name)(packed.value)) for name in ("executed", "round"))
    return CertificateTerms(packed.present, *parts)


def terms_of(chain: Chain) -> CellTerms:
    """Return the cell that a symbolic chain is."""
    part, log, rounds = chain.consistent, chain.consistent.log, chain.localized.rounds
    return CellTerms(
        REST.pack(rest_of(part)),
        term(part.next_height),
        option(HASHES.pack(part.block_hash)),
        option(PENDING.pack(chain.localized.pending)),
        lambda n: z3.Select(log.array, n),  # type: ignore[attr-defined]
        term(rounds.last),
        certificate_terms(rounds.locked),
    )


def terms_of_request(request: Request) -> RequestTerms:
    """Return a request in the words of the contract."""
    block, owner = BLOCKS.pack(request.block), term(request.owner)
    signed = SIGNED.pack(BlockAndRound(request.block, request.round))
    authentic = GENUINE(owner, signed, term(request.signature))
    return RequestTerms(block, owner, authentic, term(request.round), certificate_terms(request.justification))


# --- What a handler is given -------------------------------------------------------------------------------------


@frozen
class Scheme:
    """Hashes and signatures as functions of which nothing is known."""

    def hash(self, value: ExecutedBlock | ChainState) -> Any:
        """Hash an executed block, or the state after one."""
        if isinstance(value, ExecutedBlock):
            return SAtom(HASH_OF(EXECUTED.pack(value)))
        return SAtom(STATE_HASH(HASHED.pack(value)))

    def public_key(self, secret: bytes) -> Any:
        """Refuse: no handler makes keys."""
        raise NotImplementedError

    def sign(self, signer: Signer, payload: VotePayload) -> Any:
        """Sign a vote."""
        return SAtom(SIGNATURE(term(signer.secret), PAYLOADS.pack(payload)))

    def verifier(self, signed: BlockAndRound) -> Callable[[Any, Any], Any]:
        """Verify the signature of a request."""
        value = SIGNED.pack(signed)
        return lambda key, signature: SBool(GENUINE(term(key), value, term(signature)))


def any_context(application: Any = None, rules: Rules = BASELINE) -> Context:
    """Return the context of an arbitrary node; no handler looks at its committee but for certificates."""
    committee: Any = None
    return Context(Scheme(), application, committee, rules, unknown(BOOLEANS, "tracks_inactive"))


def any_signer() -> Signer:
    """Return an arbitrary key pair."""
    return Signer(unknown(BYTES, "public_key"), unknown(BYTES, "secret"))

"""What deliveries and blocks do to the inbox of one origin, told by its history.

An inbox is a function of its history (INBOX-DETERMINED). So that two inputs commute follows from what each adds to the
histories: a delivery to what was received from its sender, a block to what was consumed. One arbitrary origin stands
for all, and of the log of received blocks only is told how often one arbitrary block stands in it.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from inspect import unwrap
from types import CodeType, SimpleNamespace
from typing import Any, Final

import z3
from attrs import evolve, field, fields, frozen

from linera_invariants.proofs.codecs import BYTES, CHAIN_IDS, optional, records, unknown, unpacked
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.lists import Induction, SList
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import (
    SAtom,
    SInt,
    assume,
    attempt,
    claim,
    conj,
    decide,
    disj,
    fresh,
    reach,
    term,
)
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import SMap, SSet, Twin, value_of
from linera_reference.block import Block, ExecutedBlock
from linera_reference.chain import Chain, Consistent, Localized, inbox_of, put_inbox
from linera_reference.execution import consume_messages
from linera_reference.inbox import Inbox, next_height_to_receive, remove
from linera_reference.messages import Message
from linera_reference.rejections import Rejected
from linera_reference.validator import handle_update_recipient, receive_block

from .certification import same
from .chain import (
    BLOCKS,
    CONSUMED,
    CURSORS,
    MAILBOXES,
    MESSAGES,
    PLACES,
    any_chain,
    any_context,
    any_mailboxes,
    part_of,
    queues,
)
from .delivery import BLOCK_WORDS, CERTIFICATES, EXECUTED, EXECUTED_OF, Batch, Items, height_of, sender_of
from .execution import RECEIVED, RECEIVED_AT, any_inbox, received_messages, sort_by_origin, with_cursors
from .inbox import History
from .mailboxes import opaque

INBOXES: Final = records(Inbox, ("added", queues(MESSAGES)), ("removed", queues(MESSAGES)))
CHAIN, NUMBER, CERTIFICATE = CHAIN_IDS.sort, z3.IntSort(), CERTIFICATES.sort
SET: Final = z3.ArraySort(MESSAGES.sort, z3.BoolSort())
NOTHING: Final = SSet.empty(MESSAGES).array

# --- The inbox of an origin --------------------------------------------------------------------------------------

TOLD: Final = z3.Function("has_closed_form", INBOXES.sort, SET, SET, z3.BoolSort())
"""The closed form as a word: here it is only passed on."""


def in_words(inbox: Any, history: History) -> dict[str, z3.BoolRef]:
    """Return the word for the closed form."""
    packed = inbox if isinstance(inbox, z3.ExprRef) else INBOXES.pack(inbox)
    return {"has the closed form": TOLD(packed, history.received, history.consumed)}


def inbox_at(chain: Chain, origin: Any) -> Any:
    """Return what the shipped ``inbox_of`` returns, as one term."""
    maps: Any = chain.localized.mailboxes, chain.consistent.consumed
    terms = (maps[0].present, maps[0].array, maps[1].present, maps[1].array, origin)
    names, value = _inbox_at(unwrap(inbox_of).__code__)
    return z3.substitute(value, *zip(names, terms, strict=True))


@cache
def _inbox_at(_: CodeType) -> tuple[tuple[z3.ExprRef, ...], z3.ExprRef]:
    """Run it, once for all."""
    origin = z3.Const("origin!", CHAIN)
    boxes, cursors = (constant_map(codec, name) for codec, name in ((MAILBOXES, "boxes!"), (CURSORS, "cursors!")))
    chain: Any = Chain((), Consistent(consumed=cursors), Localized(mailboxes=boxes))
    value = value_of(lambda: INBOXES.pack(inbox_of(chain, SAtom(origin))))  # type: ignore[arg-type]
    return (boxes.present, boxes.array, cursors.present, cursors.array, origin), value


def constant_map(values: Any, name: str) -> Any:
    """Return a map made of constants, outside any run."""
    present = z3.Const(f"{name}.keys", z3.ArraySort(CHAIN, z3.BoolSort()))
    return SMap(CHAIN_IDS, values, present, z3.Const(name, z3.ArraySort(CHAIN, values.sort)))


def read_inbox(chain: Chain, origin: Any) -> Inbox:
    """Stand for ``inbox_of``: the same without a fork."""
    inbox: Inbox = unpacked(INBOXES, inbox_at(chain, term(origin)))
    return inbox


next_add_of: Final = part_of(INBOXES, Inbox, "next_add")
NEXT_HEIGHT: Final = z3.Function("next_height_to_receive", CURSORS.sort, NUMBER)
"""The next height to receive, as the place of the next message tells it."""


def next_height_at(chain: Chain, origin: Any) -> Any:
    """Return the next height to receive from an origin, where it has one."""
    return NEXT_HEIGHT(next_add_of(inbox_at(chain, origin)))


def next_height_of(inbox: Inbox) -> SInt:
    """Stand for ``next_height_to_receive``. That it rejects is no matter here."""
    return SInt(NEXT_HEIGHT(CURSORS.pack(inbox.next_add)))


@formula("MAILBOX-TELLS")
def tells(chain: Chain, origin: Any, history: History) -> z3.BoolRef:
    """Say that the inbox of an origin has the closed form for a history, and is stored if that is not empty."""
    stored = chain.localized.mailboxes.present[origin]  # type: ignore[attr-defined]
    something = disj(history.received != NOTHING, history.consumed != NOTHING)
    return conj(*in_words(inbox_at(chain, origin), history).values(), stored == something)


def keeps_telling(before: Chain, after: Chain, origin: Any, history: History, more: History) -> z3.BoolRef:
    """Say that where the mailbox of an origin told one history, it tells another one now."""
    return z3.Implies(tells(before, origin, history), tells(after, origin, more))


def any_history() -> History:
    """Return an arbitrary history."""
    return History(fresh("R", SET), fresh("K", SET))


@proof("MAILBOX-TELLS")
def mailboxes_tell(given: Given) -> Iterator[Query]:
    """Start with a blank chain; then store an arbitrary inbox, and look at an arbitrary origin."""

    def begin() -> None:
        boxes = evolve(constant_map(MAILBOXES, "no boxes"), present=z3.K(CHAIN, z3.BoolVal(False)))
        cursors = evolve(constant_map(CURSORS, "no cursors"), present=z3.K(CHAIN, z3.BoolVal(False)))
        chain: Any = Chain((), Consistent(consumed=cursors), Localized(mailboxes=boxes))
        empty = History(NOTHING, NOTHING)
        assume(given("INBOX-CLOSED-FORM", Inbox(), empty, in_words))
        claim("nothing was received or consumed", said("MAILBOX-TELLS", chain, fresh("origin", CHAIN), empty))

    def run() -> None:
        chain, origin, inbox = any_chain(), unknown(CHAIN_IDS, "origin"), any_inbox("inbox")
        looked_at, history = fresh("any origin", CHAIN), any_history()
        after = attempt(put_inbox, chain, origin, inbox)
        if decide(looked_at == origin.term):
            assume(given("INBOX-CLOSED-FORM", inbox, history, in_words))
            assume(disj(history.received != NOTHING, history.consumed != NOTHING))
            claim("what is stored is found", inbox_at(after, looked_at) == INBOXES.pack(inbox))
        else:
            assume(said("MAILBOX-TELLS", chain, looked_at, history))
            claim("other inboxes stay", same_entry(chain, after, looked_at))
        claim("it is told there", said("MAILBOX-TELLS", after, looked_at, history))

    yield from lifted("a blank chain", begin)
    yield from lifted("put_inbox", run)


def same_entry(before: Chain, after: Chain, origin: Any) -> z3.BoolRef:
    """Say that the inbox of an origin is what it was, stored or not, owing or not."""
    local: Any = [chain.localized for chain in (before, after)]
    stored, owing = ([part(box) for box in local] for part in (_stored, _owing))
    inboxes = [inbox_at(chain, origin) for chain in (before, after)]
    return conj(inboxes[0] == inboxes[1], stored[0][origin] == stored[1][origin], owing[0][origin] == owing[1][origin])


def _stored(local: Any) -> Any:
    return local.mailboxes.present


def _owing(local: Any) -> Any:
    return local.owing.array


@frozen(eq=False)
class Tally(Twin):
    """Of a log, how often one place stands in it: what is left of a log up to its order."""

    place: z3.ExprRef
    count: Any

    def append(self, item: Any) -> "Tally":
        """Add one item."""
        return evolve(self, count=self.count + z3.If(PLACES.pack(item) == self.place, 1, 0))


def any_view(**part: Any) -> Chain:
    """Return a view of a chain with arbitrary mailboxes and cursors; everything else is only passed on."""
    consistent = Consistent(**opaque(Consistent) | {"consumed": unknown(CONSUMED, "consumed")} | part)
    return Chain(
        unknown(CHAIN_IDS, "chain.chain_id"), consistent, Localized(**opaque(Localized) | any_mailboxes("chain"))
    )


def created_chain() -> Chain:
    """Return a view of a created chain, with or without an owner, and with its log of received blocks as a tally."""
    chain = any_view(created=True, owner=unknown(optional(BYTES), "owner"))
    log: Any = Tally(fresh("a place", PLACES.sort), fresh("count", NUMBER))
    return evolve(chain, localized=evolve(chain.localized, received=log))


def with_received(chain: Chain) -> Chain:
    """Return a chain with other mailboxes, and another log of received blocks."""
    log: Any = chain.localized.received
    log = evolve(log, count=fresh("count", NUMBER))
    return evolve(chain, localized=evolve(chain.localized, received=log, **any_mailboxes("received")))


def claim_received_only(before: Chain, after: Chain) -> None:
    """Claim that nothing changes but mailboxes and the log of received blocks."""
    changing = {"mailboxes", "owing", "received"}
    kept = [f.name for f in fields(Localized) if f.name not in changing]
    local = all(getattr(before.localized, name) is getattr(after.localized, name) for name in kept)
    whole = after.consistent is before.consistent and after.chain_id is before.chain_id
    claim("nothing changes but mailboxes and the log of received blocks", local and whole)


def counted(before: Chain, after: Chain, more: Any) -> z3.BoolRef:
    """Say that a place stands so many times more in the log of received blocks."""
    logs: Any = before.localized.received, after.localized.received
    more_often: z3.BoolRef = logs[1].count == logs[0].count + more
    return more_often


# --- One block arrives -------------------------------------------------------------------------------------------


@frozen(eq=False)
class Arrived:
    """A certificate of which only the block is looked at; the rest is passed on."""

    packed: z3.ExprRef
    executed: Any

    @classmethod
    def of(cls, packed: z3.ExprRef) -> "Arrived":
        """Return the certificate that a term is."""
        block = part_of(EXECUTED, ExecutedBlock, "block")(EXECUTED_OF(packed))
        return cls(packed, SimpleNamespace(block=unpacked(BLOCKS, block)))


SENT_TO: Final = z3.Function("sent_to", CERTIFICATE, CHAIN, NUMBER)
SENT_AT: Final = z3.Function("sent_at", CERTIFICATE, CHAIN, NUMBER, MESSAGES.sort)
RECEIVED_AFTER: Final = z3.Function("received_after", SET, CERTIFICATE, CHAIN, NUMBER, SET)
CREATES: Final = z3.Function("is_create", MESSAGES.sort.accessor(0, 4).range(), z3.BoolSort())
"""The messages of a block to a chain; what was received after so many of them; whether a content is a Create."""


@formula("RECEIVED-SO-FAR")
def received_so_far(received: Any, certificate: Any, chain: Any, n: Any) -> z3.BoolRef:
    """Define what was received after n messages of a block."""
    now, after = (RECEIVED_AFTER(received, certificate, chain, i) for i in (n, n + 1))
    step = after == z3.Store(now, SENT_AT(certificate, chain, n), z3.BoolVal(True))
    start = RECEIVED_AFTER(received, certificate, chain, z3.IntVal(0)) == received
    return conj(SENT_TO(certificate, chain) >= 0, start, z3.Implies(n >= 0, step))


def with_block(received: Any, certificate: Any, chain: Any) -> Any:
    """Return what was received after all messages of a block."""
    return RECEIVED_AFTER(received, certificate, chain, SENT_TO(certificate, chain))


@formula("RECEIVED-BLOCK-TELLS")
def block_tells(before: Chain, after: Chain, certificate: Any, origin: Any, history: History) -> z3.BoolRef:
    """Say that the messages of a block are received from its chain, nothing from others, and that it is logged."""
    received = with_block(history.received, certificate, term(before.chain_id))
    told = keeps_telling(before, after, origin, history, History(received, history.consumed))
    entry = z3.If(origin == sender_of(certificate), told, same_entry(before, after, origin))
    return conj(entry, counted(before, after, is_place(before, certificate)))


def is_place(chain: Chain, certificate: Any) -> Any:
    """Return 1 for a block at the place that is counted, else 0."""
    log: Any = chain.localized.received
    place = PLACES.sort.constructor(0)(sender_of(certificate), height_of(certificate))
    return z3.If(place == log.place, 1, 0)


@frozen(eq=False)
class Arriving:
    """The loop over the messages of a block to a chain, seen from one origin."""

    given: Given
    before: Chain
    certificate: z3.ExprRef
    origin: Any
    history: History
    turns: list[History] = field(factory=list)

    def at(self, n: Any) -> History:
        """Return the history after n messages."""
        arguments = (self.history.received, self.certificate, term(self.before.chain_id), n)
        return History(RECEIVED_AFTER(*arguments), self.history.consumed)

    def sent_messages(self, _: Any, certificate: Any, recipient: Any) -> SList:
        """Stand for the messages: those of this block to this chain, numbered."""
        names = certificate.packed, term(recipient)
        claim("the messages of the block to the chain", conj(names[0] == self.certificate, names[1] == self.chain))
        return SList(lambda n: (n, unpacked(MESSAGES, SENT_AT(*names, n))), SENT_TO(*names), fresh("place", NUMBER))

    @property
    def chain(self) -> Any:
        """The recipient."""
        return term(self.before.chain_id)

    def add(self, inbox: Inbox, message: Message) -> Inbox:
        """Stand for ``add``: what is proved of it. That it rejects is no matter here."""
        after, history = any_inbox("after"), self.turns[-1]
        assume(self.given("ARRIVAL-CONSUMES-NOTHING", *(CURSORS.pack(box.consumed) for box in (inbox, after))))
        known = in_words(inbox, history)
        assume(z3.Implies(*known.values(), self.given("INBOX-CLOSED-FORM", after, history.receive(message), in_words)))
        return after

    def fold(self, step: Callable[[Any, Any], Any], init: Chain, items: SList) -> Any:
        """Stand for ``fold``."""

        def turn(chain: Chain, item: Any) -> Chain:
            n, message = item
            self.turns.append(self.at(n))
            after: Chain = step(chain, message)
            claim_received_only(self.before, after)
            claim("the log is for later", after.localized.received is self.before.localized.received)
            return after

        arguments = (self.history.received, self.certificate, self.chain)
        defined = lambda _, n: (self.given("RECEIVED-SO-FAR", *arguments, n),)  # noqa: E731
        return Induction(self.known, self.unknown, lemmas=defined)(turn, init, items)

    def known(self, chain: Chain, n: Any) -> z3.BoolRef:
        """Say what n messages did."""
        if decide(self.origin == sender_of(self.certificate)):
            return keeps_telling(self.before, chain, self.origin, self.history, self.at(n))
        return same_entry(self.before, chain, self.origin)

    def unknown(self) -> Chain:
        """Return the chain with other mailboxes."""
        return evolve(self.before, localized=evolve(self.before.localized, **any_mailboxes("arriving")))


@proof("RECEIVED-BLOCK-TELLS")
def a_block_arrives(given: Given) -> Iterator[Query]:
    """Run the rule on an arbitrary created chain and block, and look at an arbitrary origin."""

    def run() -> None:
        chain, packed, origin = created_chain(), fresh("certificate", CERTIFICATE), fresh("any origin", CHAIN)
        certificate, history = Arrived.of(packed), any_history()
        loop = Arriving(given, chain, packed, origin, history)
        receive = with_callees(
            receive_block,
            add=loop.add,
            fold=loop.fold,
            inbox_of=read_inbox,
            isinstance=lambda content, _: decide(CREATES(term(content))),
            sent_messages=loop.sent_messages,
        )
        after = attempt(receive, any_context(), chain, certificate)
        if not isinstance(after, Rejected):
            claim_received_only(chain, after)
            claim("the contract", said("RECEIVED-BLOCK-TELLS", chain, after, packed, origin, history))

    yield from lifted("receive_block", run)


# --- A batch arrives ---------------------------------------------------------------------------------------------

BATCHES: Final = queues(CERTIFICATES)
BATCH: Final = BATCHES.sort
SELECTED: Final = z3.Function("selected_in", BATCH, NUMBER, NUMBER)
PLACE_OF: Final = z3.Function("place_of_selected", BATCH, NUMBER, NUMBER, NUMBER)
DELIVERED: Final = z3.Function("delivered_after", SET, BATCH, NUMBER, CHAIN, NUMBER, SET)
LOGGED: Final = z3.Function("logged_after", PLACES.sort, BATCH, NUMBER, NUMBER, NUMBER)
"""How many blocks of a batch are selected from a height on, and where each stands in the batch; what was received after
so many of them, and how often a place was logged."""


@frozen(eq=False)
class Selected:
    """What is selected of a batch from a height on."""

    batch: Batch
    next_height: Any

    @property
    def terms(self) -> tuple[Any, Any]:
        """The batch and the height."""
        return BATCHES.pack(self.batch.certificates), self.next_height

    @property
    def length(self) -> Any:
        """How many blocks are selected."""
        return SELECTED(*self.terms)

    def at(self, n: Any) -> Any:
        """Return the certificate at a place."""
        return self.batch.certificates.array[PLACE_OF(*self.terms, n)]

    def delivered(self, received: Any, n: Any) -> Any:
        """Return what was received after n blocks."""
        return DELIVERED(received, *self.terms, self.batch.recipient.term, n)

    def logged(self, place: Any, n: Any) -> Any:
        """Return how often a place was logged after n blocks."""
        return LOGGED(place, *self.terms, n)

    def history(self, history: History, n: Any) -> History:
        """Return the history of the sender after n blocks."""
        return History(self.delivered(history.received, n), history.consumed)


@formula("DELIVERED-SO-FAR")
def delivered_so_far(selected: Selected, received: Any, place: Any, n: Any) -> z3.BoolRef:
    """Define what was received, and how often a place was logged, after n of the selected blocks."""
    none, certificate = z3.IntVal(0), selected.at(n)
    here = PLACES.sort.constructor(0)(sender_of(certificate), height_of(certificate)) == place
    inside = conj(n >= 0, n < selected.length)
    batch: Items = selected.batch.certificates
    more = with_block(selected.delivered(received, n), certificate, selected.batch.recipient.term)
    step = conj(
        selected.delivered(received, n + 1) == more,
        selected.logged(place, n + 1) == selected.logged(place, n) + z3.If(here, 1, 0),
        batch.has(PLACE_OF(*selected.terms, n)),
    )
    start = conj(selected.delivered(received, none) == received, selected.logged(place, none) == 0)
    return conj(selected.length >= 0, start, z3.Implies(inside, step))


@formula("DELIVERY-TELLS")
def delivery_tells(before: Chain, after: Chain, batch: Batch, origin: Any, history: History) -> z3.BoolRef:
    """Say that a delivery adds what its batch brings to the history of its sender, and what it logs."""
    sender, log = batch.sender.term, before.localized.received
    selected = Selected(batch, next_height_at(before, sender))
    told = keeps_telling(before, after, origin, history, selected.history(history, selected.length))
    logged = selected.logged(log.place, selected.length)  # type: ignore[attr-defined]
    entry = z3.If(origin == sender, told, same_entry(before, after, origin))
    return conj(entry, counted(before, after, logged))


@frozen(eq=False)
class Delivering:
    """The loop over what is selected of a batch, seen from one origin."""

    given: Given
    before: Chain
    batch: Batch
    origin: Any
    history: History
    turns: list[History] = field(factory=list)

    @property
    def selected(self) -> Selected:
        """What is selected."""
        return Selected(self.batch, next_height_at(self.before, self.batch.sender.term))

    def check_batch(self, request: Any) -> None:
        """Stand for ``check_batch``: what an accepted batch is."""
        claim("the batch is checked", request.certificates is self.batch.certificates)
        names = self.batch.certificates, self.batch.sender.term, self.batch.recipient.term
        assume(self.given("CHECK-BATCH", BLOCK_WORDS, *names))

    def select(self, request: Any, next_height: Any) -> SList:
        """Stand for ``select``: blocks of the batch, numbered, as the words say."""
        selected = self.selected
        claim("of this batch", request.certificates is self.batch.certificates)
        claim("from the next height of its sender on", term(next_height) == selected.next_height)
        items = lambda n: (n, Arrived.of(selected.at(n)))  # noqa: E731
        return SList(items, selected.length, fresh("place", NUMBER))

    def receive_block(self, _: Any, before: Chain, certificate: "Arrived") -> Chain:
        """Stand for ``receive_block``: what is proved of it. That it rejects is no matter here."""
        after, told = with_received(before), (certificate.packed, self.origin, self.turns[-1])
        assume(self.given("RECEIVED-BLOCK-TELLS", before, after, *told))
        return after

    def fold(self, step: Callable[[Any, Any], Any], init: Chain, items: SList) -> Any:
        """Stand for ``fold``."""
        selected, log = self.selected, self.before.localized.received

        def turn(chain: Chain, item: Any) -> Chain:
            n, certificate = item
            self.turns.append(selected.history(self.history, n))
            after: Chain = step(chain, certificate)
            claim_received_only(self.before, after)
            return after

        def defined(_: Any, n: Any) -> tuple[z3.BoolRef, ...]:
            return (self.given("DELIVERED-SO-FAR", selected, self.history.received, log.place, n),)  # type: ignore[attr-defined]

        return Induction(self.known, partial(with_received, self.before), lemmas=defined)(turn, init, items)

    def known(self, chain: Chain, n: Any) -> z3.BoolRef:
        """Say what n blocks did."""
        selected, log = self.selected, self.before.localized.received
        logged = counted(self.before, chain, selected.logged(log.place, n))  # type: ignore[attr-defined]
        if decide(self.origin == self.batch.sender.term):
            now = selected.history(self.history, n)
            return conj(logged, keeps_telling(self.before, chain, self.origin, self.history, now))
        return conj(logged, same_entry(self.before, chain, self.origin))


@proof("DELIVERY-TELLS")
def a_batch_arrives(given: Given) -> Iterator[Query]:
    """Run the handler on an arbitrary created chain and batch, and look at an arbitrary origin."""

    def run() -> None:
        chain, origin, history = created_chain(), fresh("any origin", CHAIN), any_history()
        batch = any_batch(chain)
        loop = Delivering(given, chain, batch, origin, history)
        handler = with_callees(
            handle_update_recipient,
            check_batch=loop.check_batch,
            fold=loop.fold,
            inbox_of=read_inbox,
            next_height_to_receive=next_height_of,
            receive_block=loop.receive_block,
            select=loop.select,
        )
        outcome = attempt(handler, any_context(), chain, batch.request)
        if isinstance(outcome, Rejected):
            return
        after, log = outcome.state, chain.localized.received
        assume(given("DELIVERED-SO-FAR", loop.selected, history.received, log.place, z3.IntVal(0)))  # type: ignore[attr-defined]
        if after is chain:
            claim("nothing is selected", loop.selected.length == 0)
        else:
            claim("without an owner nothing changes", chain.consistent.owner is not None)
        claim_received_only(chain, after)
        claim("the contract", said("DELIVERY-TELLS", chain, after, batch, origin, history))

    yield from lifted("next_height_to_receive", next_heights)
    yield from lifted("handle_update_recipient", run)


def next_heights() -> None:
    """Claim that two inboxes with the same next place have the same next height."""
    inbox = any_inbox("inbox")
    other = evolve(any_inbox("other"), next_add=inbox.next_add)
    claim("a function of the next place", same(*(attempt(next_height_to_receive, box) for box in (inbox, other))))


def any_batch(chain: Chain, name: str = "batch") -> Batch:
    """Return an arbitrary batch for a chain."""
    certificates: Any = Items.unknown(CERTIFICATES, name)
    return Batch(unknown(CHAIN_IDS, f"{name}.sender"), chain.chain_id, certificates)


def deliver(given: Given, chain: Chain, batch: Batch, looked_at: Iterable[tuple[Any, History]]) -> Chain:
    """Stand for an accepted delivery to a created chain: what DELIVERY-TELLS says of some origins."""
    if chain.consistent.owner is None:
        return chain
    after = with_received(chain)
    for origin, history in looked_at:
        assume(given("DELIVERY-TELLS", chain, after, batch, origin, history))
    return after


# --- A block consumes --------------------------------------------------------------------------------------------

CONSUMED_AFTER: Final = z3.Function("consumed_after", SET, BLOCKS.sort, CHAIN, NUMBER, SET)
"""What was consumed from an origin after so many of the messages that a block receives."""

origin_in = MESSAGES.sort.accessor(0, 0)


@formula("CONSUMPTION-ADDS-NOTHING")
def adds_nothing(before: Any, after: Any) -> z3.BoolRef:
    """Say that the place of the next message is what it was."""
    return after == before


@proof("CONSUMPTION-ADDS-NOTHING")
def consumptions(_: Given) -> Iterator[Query]:
    """Run ``remove`` on any inbox, of whatever shape."""

    def run() -> None:
        inbox = any_inbox("inbox")
        after = attempt(remove, inbox, unknown(MESSAGES, "message"))
        if not isinstance(after, Rejected):
            places = (CURSORS.pack(box.next_add) for box in (inbox, after))
            claim("the next place stays", said("CONSUMPTION-ADDS-NOTHING", *places))

    yield from lifted("remove", run)


@formula("CONSUMED-SO-FAR")
def consumed_so_far(consumed: Any, block: Any, origin: Any, n: Any) -> z3.BoolRef:
    """Define what was consumed from an origin after n messages that a block receives."""
    now, after = (CONSUMED_AFTER(consumed, block, origin, i) for i in (n, n + 1))
    message = RECEIVED_AT(block, n)
    more = z3.If(origin_in(message) == origin, z3.Store(now, message, z3.BoolVal(True)), now)
    start = CONSUMED_AFTER(consumed, block, origin, z3.IntVal(0)) == consumed
    return conj(start, z3.Implies(n >= 0, after == more))


@formula("CONSUMPTION-TELLS")
def consumption_tells(before: Chain, after: Chain, block: Any, origin: Any, history: History) -> z3.BoolRef:
    """Say that the messages of a block are consumed from their origins, and that nothing arrives."""
    return consumed_before(before, after, block, origin, history, RECEIVED(block))


def consumed_before(before: Chain, after: Chain, block: Any, origin: Any, history: History, n: Any) -> z3.BoolRef:
    """Say so of n messages."""
    now = History(history.received, CONSUMED_AFTER(history.consumed, block, origin, n))
    told = keeps_telling(before, after, origin, history, now)
    places = [next_add_of(inbox_at(chain, origin)) for chain in (before, after)]
    return conj(told, places[0] == places[1])


@frozen(eq=False)
class Consuming:
    """The loop over the messages that a block receives, seen from one origin."""

    given: Given
    before: Chain
    block: Block
    origin: Any
    history: History
    turns: list[History] = field(factory=list)

    def remove(self, inbox: Inbox, message: Message) -> Inbox:
        """Stand for ``remove``: what is proved of it. That it rejects is no matter here."""
        after, history = any_inbox("after"), self.turns[-1]
        assume(self.given("CONSUMPTION-ADDS-NOTHING", *(CURSORS.pack(box.next_add) for box in (inbox, after))))
        known = in_words(inbox, history)
        assume(z3.Implies(*known.values(), self.given("INBOX-CLOSED-FORM", after, history.consume(message), in_words)))
        return after

    def fold(self, step: Callable[[Any, Any], Any], init: Chain, items: SList) -> Any:
        """Stand for ``fold``."""
        block = BLOCKS.pack(self.block)

        def turn(chain: Chain, item: Message) -> Chain:
            reach("the origin's" if decide(term(item.origin) == self.origin) else "another one's")
            after: Chain = step(chain, item)
            return after

        def defined(_: Any, n: Any) -> tuple[z3.BoolRef, ...]:
            self.turns.append(
                History(self.history.received, CONSUMED_AFTER(self.history.consumed, block, self.origin, n))
            )
            return (self.given("CONSUMED-SO-FAR", self.history.consumed, block, self.origin, n),)

        known = lambda chain, n: consumed_before(self.before, chain, block, self.origin, self.history, n)  # noqa: E731
        return Induction(known, partial(with_cursors, self.before), lemmas=defined)(turn, init, items)


@proof("CONSUMPTION-TELLS")
def a_block_consumes(given: Given) -> Iterator[Query]:
    """Run the loop on an arbitrary chain and block, and look at an arbitrary origin."""

    def run() -> None:
        chain, block = any_view(), unknown(BLOCKS, "block")
        block = evolve(block, chain_id=chain.chain_id)
        origin, history = fresh("any origin", CHAIN), any_history()
        loop = Consuming(given, chain, block, origin, history)
        consume = with_callees(
            consume_messages,
            fold=loop.fold,
            inbox_of=read_inbox,
            received_messages=received_messages,
            remove=loop.remove,
            sorted=sort_by_origin,
        )
        after = attempt(consume, chain, block)
        if not isinstance(after, Rejected):
            claim("the contract", said("CONSUMPTION-TELLS", chain, after, BLOCKS.pack(block), origin, history))

    yield from lifted("consume_messages", run)

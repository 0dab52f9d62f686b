"""Delivery: what a request carries, what a block sends to one recipient, and what receiving both does."""

from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, Final

import z3
from attrs import evolve, frozen

from linera_invariants.proofs.codecs import BYTES, CHAIN_IDS, atoms, members, records, unknown
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import (
    SAtom,
    SBool,
    SInt,
    assume,
    attempt,
    claim,
    claim_parts,
    conj,
    decide,
    disj,
    fresh,
    hint,
    reach,
    term,
)
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import SQueue, Walk, forall, formula_of
from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Certificate, Kind
from linera_reference.chain import Chain, Localized
from linera_reference.execution import Staged, commit_block
from linera_reference.inbox import next_height_to_receive
from linera_reference.messages import START, Message, OutgoingMessage
from linera_reference.outbox import UpdateRecipient
from linera_reference.rejections import Reason, Rejected
from linera_reference.validator import (
    check_batch,
    handle_update_recipient,
    receive_block,
    select,
    sent_messages,
    update_recipient,
)

from .chain import BLOCKS, HEIGHTS, part_of, queues
from .execution import may_reject
from .inbox import History, Predicate, messages
from .messages import CURSORS, MESSAGES
from .outbox import NUMBERS, WORDS
from .outboxes import Outboxes, Sent

# --- Blocks and batches ------------------------------------------------------------------------------------------


class Items(SQueue):
    """The items of a tuple, any number of them. In a comprehension an arbitrary one stands for all."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Give the item at :data:`SOME`."""
        assume(self.has(SOME))
        yield self.item(SOME)

    def has(self, index: Any) -> z3.BoolRef:
        """Whether there is an item at an index."""
        return conj(self.head <= index, index < self.tail)


SOME: Final = z3.Int("some index")
OUTGOING: Final = records(OutgoingMessage, ("content", atoms("Content")))


def _items(codec: Any, packed: Any) -> Items:
    queue = queues(codec).unpack(packed)
    return Items(codec, queue.array, queue.head, queue.tail)


LISTS: Final = evolve(queues(OUTGOING), unpack=partial(_items, OUTGOING))
EXECUTED: Final = records(ExecutedBlock, ("block", BLOCKS), ("messages", LISTS))
CERTIFICATES: Final = records(Certificate, ("executed", EXECUTED), ("signatures", atoms("Signatures")))
HASH: Final = z3.Function("hash_of_executed", EXECUTED.sort, BYTES.sort)
CONTEXT: Final[Any] = SimpleNamespace(
    scheme=SimpleNamespace(hash=lambda executed: SAtom(HASH(EXECUTED.pack(executed)))), tracks_inactive=None
)


EXECUTED_OF: Final = part_of(CERTIFICATES, Certificate, "executed")
KIND_OF: Final = part_of(CERTIFICATES, Certificate, "kind")


def block_part(name: str, certificate: Any) -> Any:
    """Return a field of the block of a certificate."""
    return part_of(BLOCKS, Block, name)(part_of(EXECUTED, ExecutedBlock, "block")(EXECUTED_OF(certificate)))


height_of = partial(block_part, "height")
sender_of = partial(block_part, "chain_id")


def sends_at(certificate: Any, recipient: Any, index: Any) -> z3.BoolRef:
    """Say that the message at an index of a block is for a recipient."""
    messages = LISTS.unpack(part_of(EXECUTED, ExecutedBlock, "messages")(EXECUTED_OF(certificate)))
    return conj(
        messages.has(index), part_of(OUTGOING, OutgoingMessage, "recipient")(messages.array[index]) == recipient
    )


def sends(certificate: Any, recipient: Any) -> z3.BoolRef:
    """Say that a block has a message for a recipient."""
    i = z3.Int("p!")
    return z3.Exists([i], sends_at(certificate, recipient, i))


@formula("SENT-MESSAGES")
def is_sent(certificate: Any, recipient: Any, message: Any) -> z3.BoolRef:
    """Say that a message, with all its fields, is one that a block sends to a recipient."""
    m, messages = MESSAGES.unpack(message), part_of(EXECUTED, ExecutedBlock, "messages")(EXECUTED_OF(certificate))
    index = term(m.index)
    content = part_of(OUTGOING, OutgoingMessage, "content")(LISTS.unpack(messages).array[index])
    return conj(
        term(m.origin) == sender_of(certificate),
        term(m.height) == height_of(certificate),
        term(m.block_hash) == HASH(EXECUTED_OF(certificate)),
        term(m.content) == content,
        sends_at(certificate, recipient, index),
    )


@frozen(eq=False)
class BlockWords:
    """What the contracts say of a block: whether it has a message for a chain, and which messages these are."""

    sends: Callable[[Any, Any], z3.BoolRef]
    is_sent: Callable[[Any, Any, Any], z3.BoolRef]


MEANING: Final = BlockWords(sends, is_sent)
"""What the words mean; the proofs about single blocks need to know."""

BLOCK_WORDS: Final = BlockWords(
    z3.Function("sends", CERTIFICATES.sort, CHAIN_IDS.sort, z3.BoolSort()),
    z3.Function("is_sent", CERTIFICATES.sort, CHAIN_IDS.sort, MESSAGES.sort, z3.BoolSort()),
)
"""The words alone: the proof about a batch uses what was proved about single blocks."""


def any_certificate() -> Certificate:
    """Return an arbitrary certificate."""
    certificate: Certificate = unknown(CERTIFICATES, "certificate")
    return certificate


def numbered(items: Items) -> Iterator[tuple[SInt, Any]]:
    """Stand for ``enumerate``."""
    yield from ((SInt(SOME), item) for item in items)


@proof("SENT-MESSAGES")
def the_messages_of_a_block(_: Given) -> Iterator[Query]:
    """Run the comprehension for the message at an arbitrary index."""

    def run() -> None:
        certificate, recipient = any_certificate(), unknown(CHAIN_IDS, "recipient")
        packed = CERTIFICATES.pack(certificate)
        found = attempt(with_callees(sent_messages, enumerate=numbered, tuple=list), CONTEXT, certificate, recipient)
        claim("exactly the messages for the recipient", bool(found) == sends_at(packed, recipient.term, SOME))
        for message in found:
            claim("with all their fields", said("SENT-MESSAGES", packed, recipient.term, MESSAGES.pack(message)))
            claim("at their index", message.index == SInt(SOME))

    yield from lifted("sent_messages", run)


# --- Batches -----------------------------------------------------------------------------------------------------


@formula("CHECK-BATCH")
def is_batch(w: BlockWords, batch: Items, sender: Any, recipient: Any) -> z3.BoolRef:
    """Say that a batch has confirmed blocks of the sender, of increasing height, each with a message for us."""
    fits = fits_before(w, batch, sender, recipient, batch.tail)
    return conj(batch.head < batch.tail, fits, ascends(batch, batch.tail))


def fits_before(w: BlockWords, batch: Items, sender: Any, recipient: Any, end: Any) -> z3.BoolRef:
    """Say that the blocks before an index are confirmed, of the sender, and useful to us."""

    def at(i: Any) -> z3.BoolRef:
        certificate = batch.array[i]
        confirmed = KIND_OF(certificate) == members(Kind).pack(Kind.CONFIRMED)
        fits = conj(confirmed, sender_of(certificate) == sender, w.sends(certificate, recipient))
        return z3.Implies(conj(batch.head <= i, i < end), fits)

    return forall(NUMBERS, at, "i")


def ascends(batch: Items, end: Any) -> z3.BoolRef:
    """Say that the heights before an index increase from 0 or more."""

    def pair(i: Any, j: Any) -> z3.BoolRef:
        return z3.Implies(conj(batch.head <= i, i < j, j < end), height_at(batch, i) < height_at(batch, j))

    def at(i: Any) -> z3.BoolRef:
        return z3.Implies(conj(batch.head <= i, i < end), height_at(batch, i) >= 0)

    return conj(forall(NUMBERS, at, "i"), forall(NUMBERS * 2, pair, "i"))


def height_at(batch: Items, index: Any) -> Any:
    """Return the height of a block of a batch."""
    return height_of(batch.array[index])


@frozen(eq=False)
class Batch:
    """An arbitrary request."""

    sender: Any
    recipient: Any
    certificates: Items

    @classmethod
    def arbitrary(cls) -> "Batch":
        """Return one, with heights in their range."""
        batch: Any = Items.unknown(CERTIFICATES, "batch")
        in_range = forall(NUMBERS, lambda i: CERTIFICATES.valid(batch.array[i]))
        assume(in_range)
        return cls(unknown(CHAIN_IDS, "sender"), unknown(CHAIN_IDS, "recipient"), batch)

    @property
    def request(self) -> UpdateRecipient:
        """The request as a handler sees it."""
        certificates: Any = self.certificates
        return UpdateRecipient(self.sender, self.recipient, certificates)

    @property
    def is_lawful(self) -> z3.BoolRef:
        """What ``check_batch`` asks for."""
        return said("CHECK-BATCH", MEANING, self.certificates, self.sender.term, self.recipient.term)

    def checked(self, index: Any, last: Any) -> z3.BoolRef:
        """Say what is known before an index, and that ``last`` is the height before it."""
        batch, first = self.certificates, index == self.certificates.head
        is_last = term(last) == z3.If(first, -1, height_at(batch, index - 1))
        fits = fits_before(MEANING, batch, self.sender.term, self.recipient.term, index)
        below = forall(
            NUMBERS, lambda i: z3.Implies(conj(batch.head <= i, i < index), height_at(batch, i) <= term(last))
        )
        return conj(is_last, term(last) >= -1, below, fits, ascends(batch, index))


@proof("CHECK-BATCH")
def the_check_of_a_batch(_: Given) -> Iterator[Query]:
    """Run the loop over any number of certificates."""

    def run() -> None:
        batch = Batch.arbitrary()
        shipped = with_callees(
            check_batch,
            len=lambda items: SInt(items.tail - items.head),
            any=any_of,
            fold=lambda step, init, items: Walk(items, batch.checked, lambda: SInt(fresh("last", z3.IntSort()))).fold(
                step, init
            ),
        )
        found = attempt(shipped, batch.request)
        if isinstance(found, Rejected):
            claim("only what is not lawful is rejected", z3.Not(batch.is_lawful))
            claim("as INVALID_CROSS_CHAIN_REQUEST", found.reason is Reason.INVALID_CROSS_CHAIN_REQUEST)
        else:
            claim_parts("what is accepted is lawful", batch.is_lawful)

    yield from lifted("check_batch", run)


def any_of(answers: Iterator[Any]) -> SBool:
    """Stand for ``any``: there is an index, where :data:`SOME` stands for every one, and its answer holds."""
    index = z3.Int("p!")
    return SBool(z3.Exists([index], z3.substitute(formula_of(lambda: next(answers)), (SOME, index))))


@formula("SELECT")
def is_selected(height: Any, next_height: Any, selected: z3.BoolRef) -> z3.BoolRef:
    """Say that a block is selected exactly if it was not received yet."""
    return selected == (height >= next_height)


@proof("SELECT")
def what_is_selected(_: Given) -> Iterator[Query]:
    """Run the comprehension for an arbitrary certificate of a batch."""

    def run() -> None:
        batch, next_height = Batch.arbitrary(), unknown(HEIGHTS, "next_height")
        found = attempt(with_callees(select, tuple=list), batch.request, next_height)
        packed, selected = batch.certificates.array[SOME], z3.BoolVal(bool(found))
        claim("what was not received yet", said("SELECT", height_of(packed), next_height.term, selected))
        for certificate in found:
            claim("as it is", CERTIFICATES.pack(certificate) == packed)

    yield from lifted("select", run)


# --- Receiving one block -----------------------------------------------------------------------------------------


@frozen(eq=False)
class Receiver:
    """The recipient of a block, as far as the sender's inbox goes; ``localized`` is for the log of blocks."""

    chain_id: Any
    next_add: Any
    history: History
    localized: Localized = Localized()
    consistent: Any = SimpleNamespace(created=None, owner=None)

    @property
    def cursor(self) -> Any:
        """The place of the next message, as a term."""
        return CURSORS.pack(self.next_add)


def any_receiver(chain_id: Any, name: str) -> Receiver:
    """Return an arbitrary recipient."""
    return Receiver(chain_id, unknown(CURSORS, f"{name}.next_add"), History.arbitrary())


def known_add(given: Given, receiver: Receiver, message: Message) -> Receiver:
    """Stand for ``add``: reject, or do what is proved of it."""
    may_reject(Reason.UNEXPECTED_MESSAGE)
    after, packed = unknown(CURSORS, "after"), MESSAGES.pack(message)
    assume(given("INBOX-ADD", receiver.cursor, receiver.history, packed, CURSORS.pack(after)))
    return evolve(receiver, next_add=after, history=receiver.history.receive(message))


def no_creation(_: Any, receiver: Receiver, __: Any, ___: Any) -> Receiver:
    """Stand for ``create_chain``: it touches no inbox."""
    may_reject(Reason.CHAIN_ALREADY_EXISTS)
    return receiver


@formula("RECEIVE-BLOCK")
def block_received(w: BlockWords, certificate: Any, before: Receiver, after: Receiver) -> z3.BoolRef:
    """Say that exactly the messages to us were received, and that later ones come from later blocks."""
    recipient, cursor = term(before.chain_id), after.next_add
    moved = conj(term(cursor.height) == height_of(certificate), term(cursor.index) > 0)

    def received(m: Any) -> z3.BoolRef:
        is_new = w.is_sent(certificate, recipient, m)
        at_its_height = z3.Implies(is_new, sent_at(m) == height_of(certificate))
        return conj(after.history.received[m] == disj(before.history.received[m], is_new), at_its_height)

    return conj(
        z3.If(w.sends(certificate, recipient), moved, after.cursor == before.cursor),
        messages(received),
        after.history.consumed == before.history.consumed,
    )


def block_messages(certificate: Any) -> Items:
    """Return the outgoing messages of a block."""
    found: Items = LISTS.unpack(part_of(EXECUTED, ExecutedBlock, "messages")(EXECUTED_OF(certificate)))
    return found


def received_before(certificate: Any, before: Receiver, after: Receiver, end: Any) -> z3.BoolRef:
    """Say so of the messages before an index."""
    i, at_most = z3.Int("p!"), term(after.next_add.index) <= end
    partly = BlockWords(
        lambda c, r: z3.Exists([i], conj(sends_at(c, r, i), i < end)),
        lambda c, r, m: conj(is_sent(c, r, m), term(MESSAGES.unpack(m).index) < end),
    )
    some = partly.sends(certificate, term(before.chain_id))
    return conj(block_received(partly, certificate, before, after), z3.Implies(some, at_most))


@proof("RECEIVE-BLOCK")
def receiving_a_block(given: Given) -> Iterator[Query]:
    """Run the loop over any number of messages."""

    def run() -> None:
        before, certificate = any_receiver(unknown(CHAIN_IDS, "recipient"), "before"), any_certificate()
        block, packed = certificate.executed.block, CERTIFICATES.pack(certificate)

        def walk(step: Callable[..., Receiver], init: Receiver, sent: Any) -> Any:
            claim("over what the block sends to us", sent == (CONTEXT, certificate, before.chain_id))
            return walk_messages(given, packed, before, step, init)

        shipped = with_callees(
            receive_block,
            add=partial(known_add, given),
            create_chain=no_creation,
            fold=walk,
            inbox_of=lambda chain, origin: of_sender(block.chain_id, origin, chain),
            isinstance=lambda _, __: decide(fresh("creates", z3.BoolSort())),
            put_inbox=lambda _, origin, inbox: of_sender(block.chain_id, origin, inbox),
            sent_messages=lambda *args: args,
            with_localized=lambda chain, local: evolve(chain, localized=local),
        )
        after = attempt(shipped, CONTEXT, before, certificate)
        if not isinstance(after, Rejected):
            claim_parts("what was received", said("RECEIVE-BLOCK", MEANING, packed, before, after))
            claim("the block is logged", after.localized.received.since(0) == ((block.chain_id, block.height),))

    yield from lifted("receive_block", run)


def of_sender(sender: Any, origin: Any, inbox: Receiver) -> Receiver:
    """Stand for ``inbox_of`` and ``put_inbox``, of the sender only."""
    claim("the inbox is the sender's", origin is sender)
    return inbox


def walk_messages(given: Given, certificate: Any, before: Receiver, step: Callable[..., Receiver], init: Any) -> Any:
    """Stand for ``fold`` over what ``sent_messages`` returns: the messages of a block that are for the recipient."""

    def turn(receiver: Receiver, item: tuple[SInt, OutgoingMessage]) -> Receiver:
        index, outgoing = item
        if outgoing.recipient != before.chain_id:
            return receiver
        message = unknown(MESSAGES, "message")
        assume(given("SENT-MESSAGES", certificate, term(before.chain_id), MESSAGES.pack(message)))
        assume(message.index == index)
        reach("a message is for the recipient")
        return step(receiver, message)

    def known(index: Any, receiver: Receiver) -> z3.BoolRef:
        return received_before(certificate, before, receiver, index)

    walk = Walk(Numbered.of(block_messages(certificate)), known, lambda: any_receiver(before.chain_id, "receiver"))
    return walk.fold(turn, init)


class Numbered(Items):
    """Items with their index."""

    @classmethod
    def of(cls, items: Items) -> "Numbered":
        """Number some items."""
        return cls(items.codec, items.array, items.head, items.tail)

    def item(self, index: Any) -> Any:
        """Return an item with its index."""
        return SInt(index), super().item(index)


# --- Receiving a batch -------------------------------------------------------------------------------------------


@frozen(eq=False)
class Delivery:
    """What is asked of the recipient: its next height to receive and what it received, before and after a batch."""

    before: Any
    after: Any
    received: Predicate
    now_received: Predicate


@formula("DELIVERY")
def delivered(d: Delivery, carried: Predicate, brings: Predicate, answer: Any) -> z3.BoolRef:
    """Say how far a batch is received: all of it, exactly the messages that were not received yet; and the answer."""
    below = forall(NUMBERS, lambda x: z3.Implies(carried(x), x < d.after))
    moves = disj(d.after == d.before, carried(d.after - 1))

    def expected(m: Any) -> z3.BoolRef:
        return disj(d.received(m), conj(sent_at(m) >= d.before, brings(m)))

    nothing_else = messages(lambda m: z3.Implies(d.now_received(m), expected(m)))
    all_of_them = messages(lambda m: z3.Implies(expected(m), d.now_received(m)))
    return conj(d.after >= d.before, below, moves, answer == d.after - 1, nothing_else, all_of_them)


sent_at = part_of(MESSAGES, Message, "height")


@frozen(eq=False)
class Delivering:
    """The loop over what is selected of a batch: ``start`` is the recipient before it."""

    batch: Batch
    start: Receiver
    next_height: Any
    selected: Any

    @classmethod
    def of(cls, given: Given, batch: Batch, start: Receiver) -> "Delivering":
        """Return the loop for any next height."""
        selected = fresh("selected", z3.ArraySort(z3.IntSort(), z3.BoolSort()))
        loop = cls(batch, start, term(unknown(HEIGHTS, "next_height")), selected)
        height = partial(height_at, batch.certificates)
        assume(forall(NUMBERS, lambda i: given("SELECT", height(i), loop.next_height, selected[i])))
        return loop

    def is_selected(self, index: Any) -> z3.BoolRef:
        """Say that the block at an index is selected."""
        return z3.Select(self.selected, index)

    def known(self, index: Any, receiver: Receiver) -> z3.BoolRef:
        """Say what was received of the blocks before an index: heights increase, so the last one tells."""
        batch, cursor = self.batch.certificates, receiver.next_add
        moved = conj(term(cursor.height) == height_at(batch, index - 1), term(cursor.index) > 0)
        some = conj(batch.head < index, self.is_selected(index - 1))
        position = conj(z3.Implies(some, moved), disj(some, receiver.cursor == self.start.cursor))
        return conj(position, self.received(index, receiver))

    def received(self, end: Any, receiver: Receiver) -> z3.BoolRef:
        """Say that exactly the messages of the selected blocks before an index were received."""
        old, new, i = self.start.history, receiver.history, z3.Int("b!")

        def nothing_else(m: Any) -> z3.BoolRef:
            return z3.Implies(new.received[m], disj(old.received[m], z3.Exists([i], self.brings(end, i, m))))

        def all_of_them(i: Any, m: Any) -> z3.BoolRef:
            return z3.Implies(self.brings(end, i, m), new.received[m])

        return conj(
            messages(nothing_else),
            messages(lambda m: z3.Implies(old.received[m], new.received[m])),
            forall((*NUMBERS, MESSAGES.sort), all_of_them),
            new.consumed == old.consumed,
        )

    def brings(self, end: Any, index: Any, m: Any) -> z3.BoolRef:
        """Say that the block at an index, before another one, is selected and has a message for us."""
        batch = self.batch.certificates
        is_sent_there = BLOCK_WORDS.is_sent(batch.array[index], term(self.start.chain_id), m)
        at_its_height = height_at(batch, index) == sent_at(m)
        return conj(batch.head <= index, index < end, self.is_selected(index), is_sent_there, at_its_height)

    def brought(self, m: Any) -> z3.BoolRef:
        """Say that a message is one to us of the block at its height in the batch."""
        i, batch = z3.Int("b!"), self.batch.certificates
        is_sent_there = BLOCK_WORDS.is_sent(batch.array[i], term(self.start.chain_id), m)
        return z3.Exists([i], conj(batch.has(i), height_at(batch, i) == sent_at(m), is_sent_there))

    def fold(self, step: Callable[[Receiver, Certificate], Receiver], init: Receiver, selected: Any) -> Any:
        """Stand for ``fold`` over what ``select`` returns."""
        claim("over what was selected", selected is self)
        items = self.batch.certificates

        def turn(receiver: Receiver, item: tuple[SInt, Certificate]) -> Receiver:
            index, certificate = item
            if not decide(self.is_selected(index.term)):
                return receiver
            reach("a block is received")
            return step(receiver, certificate)

        return Walk(Numbered.of(items), self.known, lambda: any_receiver(self.start.chain_id, "receiver")).fold(
            turn, init
        )

    def says(self, heights: Any, after: Receiver, answer: Any) -> z3.BoolRef:
        """Return the contract of the handler."""
        sets = (self.start.history.received.__getitem__, after.history.received.__getitem__)
        told = Delivery(self.next_height, term(heights), *sets)
        return said("DELIVERY", told, partial(carries, self.batch.certificates), self.brought, answer)

    def __bool__(self) -> bool:
        """Whether anything was selected."""
        i, items = z3.Int("b!"), self.batch.certificates
        return decide(z3.Exists([i], conj(items.has(i), self.is_selected(i))))


def known_receive(given: Given, _: Any, receiver: Receiver, certificate: Certificate) -> Receiver:
    """Stand for ``receive_block``: reject, or do what is proved of it."""
    may_reject(Reason.INCORRECT_MESSAGE_ORDER)
    after = any_receiver(receiver.chain_id, "after")
    assume(given("RECEIVE-BLOCK", BLOCK_WORDS, CERTIFICATES.pack(certificate), receiver, after))
    return after


@proof("DELIVERY")
def delivery(given: Given) -> Iterator[Query]:
    """Run the handler on an arbitrary batch."""

    def run() -> None:
        batch = Batch.arbitrary()
        before = any_receiver(batch.recipient, "before")
        loop = Delivering.of(given, batch, before)
        one = fresh("certificate", CERTIFICATES.sort)
        hint(conj(batch.certificates.array == z3.K(z3.IntSort(), one), before.cursor == CURSORS.pack(START)))
        hint(conj(batch.certificates.head == 0, batch.certificates.tail == 1, loop.next_height == 0))
        hint(messages(lambda m: z3.Not(BLOCK_WORDS.is_sent(one, batch.recipient.term, m))))

        def known_check(_: Any) -> None:
            may_reject(Reason.INVALID_CROSS_CHAIN_REQUEST)
            assume(given("CHECK-BATCH", BLOCK_WORDS, batch.certificates, batch.sender.term, batch.recipient.term))

        def known_select(request: UpdateRecipient, next_height: Any) -> Delivering:
            claim("of this request", request is asked)
            assume(loop.next_height == term(next_height))
            return loop

        asked = batch.request
        shipped = with_callees(
            handle_update_recipient,
            check_batch=known_check,
            select=known_select,
            inbox_of=lambda chain, origin: of_sender(batch.sender, origin, chain),
            fold=lambda step, init, selected: selected.fold(step, init, selected),
            receive_block=partial(known_receive, given),
            check_active=lambda *_: may_reject(Reason.INACTIVE_CHAIN),
        )
        outcome = attempt(shipped, CONTEXT, before, asked)
        if isinstance(outcome, Rejected):
            return
        after, (answer,) = outcome.state, outcome.outputs
        claim("the answer is for the request", (answer.sender, answer.recipient) == (batch.sender, batch.recipient))
        claim("nothing is consumed", after.history.consumed == before.history.consumed)
        claim_parts("delivers the batch", loop.says(next_height_to_receive(after), after, term(answer.height)))

    yield from lifted("handle_update_recipient", run)


def carries(batch: Items, height: Any) -> z3.BoolRef:
    """Say that a batch has a block of a height."""
    i = z3.Int("b!")
    return z3.Exists([i], conj(batch.has(i), height_at(batch, i) == height))


# --- Sending -----------------------------------------------------------------------------------------------------


@formula("UPDATE-RECIPIENT")
def carries_all(sent: Sent, recipient: Any, carried: Predicate) -> z3.BoolRef:
    """Say that a batch has the blocks at exactly the heights that wait for its recipient."""
    return forall(NUMBERS, lambda x: carried(x) == sent.queued(recipient, x))


@frozen(eq=False)
class Sender:
    """A chain with arbitrary outboxes, whose certificates are only taken from their heights."""

    chain_id: Any
    outboxes: Any

    @property
    def localized(self) -> Any:
        """The part that sending reads."""
        return SimpleNamespace(outboxes=self.outboxes, certificates=SimpleNamespace(at=self.at))

    def at(self, height: Any) -> Any:
        """Return the certificate stored at a height."""
        return STORED(term(height))


STORED: Final = z3.Function("stored", z3.IntSort(), CERTIFICATES.sort)


def mapped(function: Callable[[Any], Any], queue: SQueue) -> SQueue:
    """Stand for ``map`` over a queue: what the certificate of an arbitrary height is, then all of the queue."""
    height = fresh("height", z3.IntSort())
    claim("the certificate of each height", function(SInt(height)) == STORED(height))
    return queue


@proof("UPDATE-RECIPIENT")
def a_request(_: Given) -> Iterator[Query]:
    """Run ``update_recipient`` for an arbitrary recipient with an outbox."""

    def run() -> None:
        recipient = unknown(CHAIN_IDS, "recipient")
        boxes = Outboxes.arbitrary()
        sender = Sender(unknown(CHAIN_IDS, "sender"), boxes.outboxes)
        assume(boxes.outboxes.present[recipient.term])
        request: Any = attempt(with_callees(update_recipient, map=mapped, tuple=lambda q: q), sender, recipient)
        carried = partial(WORDS.holds, request.certificates)
        claim("the whole outbox", said("UPDATE-RECIPIENT", boxes.sent, recipient.term, carried))
        claim("from the sender to the recipient", (request.sender, request.recipient) == (sender.chain_id, recipient))

    yield from lifted("update_recipient", run)


@formula("COMMIT-SENDS")
def queued_for_recipients(recipients: Predicate, has_message: Predicate) -> z3.BoolRef:
    """Say that a block is queued for exactly the chains that it has a message for."""
    return forall((CHAIN_IDS.sort,), lambda chain: recipients(chain) == has_message(chain))


def set_of(members: Iterator[SAtom]) -> Predicate:
    """Stand for ``frozenset``: a chain is a member if some item is."""
    return lambda chain: any_of(SBool(member.term == chain) for member in members).term


@proof("COMMIT-SENDS")
def committing_a_block(_: Given) -> Iterator[Query]:
    """Run ``commit_block`` on a block with any number of messages."""

    def run() -> None:
        certificate, after = any_certificate(), (object(), object())
        marked: dict[str, Any] = {"outboxes": object(), "pending": object()}
        chain, block_hash = Chain(object(), object(), evolve(Localized(), **marked)), object()  # type: ignore[arg-type]
        height = certificate.executed.block.height

        def known_schedule(local: Any, recipients: Any, at: Any) -> Any:
            claim("of the chain, at the height of the block", (local, at) == (chain.localized, height))
            has_message = partial(sends, CERTIFICATES.pack(certificate))
            claim("for whom the block has a message", said("COMMIT-SENDS", recipients, has_message))
            return after

        shipped = with_callees(
            commit_block, extend_log=lambda *args: args, frozenset=set_of, schedule_messages=known_schedule
        )
        committed: Any = attempt(shipped, Staged(chain, certificate.executed), block_hash, certificate)
        local = committed.localized
        claim("nothing stays pending", local.pending is None)
        log = (chain.consistent, block_hash)
        claim("the log of the chain is extended", (committed.chain_id, committed.consistent) == (chain.chain_id, log))
        claim("what was queued is stored", (local.outboxes, local.counters) == after)
        claim("the certificate is stored next", local.certificates.since(0) == (certificate,))

    yield from lifted("commit_block", run)

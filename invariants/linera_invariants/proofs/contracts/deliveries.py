"""Deliveries: what the arrival of certified blocks does to a chain, for any number of blocks and messages."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs
import z3
from attrs import evolve, field, frozen

from linera_invariants.proofs.codecs import CHAIN_IDS, numbers, unknown, unpacked, variants
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.lists import Induction, SList
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import SAtom, SInt, assume, attempt, claim, conj, fresh, term
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_reference.block import ExecutedBlock
from linera_reference.certificate import Certificate
from linera_reference.chain import Chain
from linera_reference.context import Context
from linera_reference.inbox import Inbox, add
from linera_reference.messages import Create, Message, User
from linera_reference.notation import MAX_U32
from linera_reference.rejections import Reason, Rejected, Rejection
from linera_reference.validator import receive_block

from .chain import (
    CERTIFICATES,
    CREATES_IN,
    CURSORS,
    EXECUTED,
    MESSAGE_LISTS,
    MESSAGES,
    PLACES,
    REST,
    WORDS,
    Rest,
    SHistory,
    SOptional,
    any_chain,
    any_context,
    any_mailboxes,
    owned,
    part_of,
    rest_of,
    with_rest,
)
from .execution import INITIAL, Application, any_inbox, may_reject, used

LISTS, CHAIN, NUMBER = MESSAGE_LISTS.sort, CHAIN_IDS.sort, z3.IntSort()
INDICES: Final = numbers(0, MAX_U32)
CONTENTS: Final = variants(Create, User)
messages_of = part_of(EXECUTED, ExecutedBlock, "messages")

# --- One message -------------------------------------------------------------------------------------------------


@formula("ARRIVAL-CONSUMES-NOTHING")
def consumes_nothing(before: Any, after: Any) -> z3.BoolRef:
    """Say that the consumption cursor is what it was."""
    return after == before


@proof("ARRIVAL-CONSUMES-NOTHING")
def arrivals(_: Given) -> Iterator[Query]:
    """Run ``add`` on any inbox, of whatever shape."""

    def run() -> None:
        inbox = any_inbox("inbox")
        after = attempt(add, inbox, unknown(MESSAGES, "message"))
        if not isinstance(after, Rejected):
            cursors = (CURSORS.pack(box.consumed) for box in (inbox, after))
            claim("the cursor stays", said("ARRIVAL-CONSUMES-NOTHING", *cursors))

    yield from lifted("add", run)


# --- One block ---------------------------------------------------------------------------------------------------

CONTENT_AT: Final = z3.Function("content_at", LISTS, CHAIN, NUMBER, CONTENTS.sort)
SENT_TO: Final = z3.Function("sent_to", LISTS, CHAIN, NUMBER)
FIRST: Final = z3.Function("first_creation", LISTS, CHAIN, NUMBER)
"""The n-th message of a list to a chain: its content; how many there are; which is the first Create."""


def is_creation(messages: Any, chain: Any, n: Any) -> z3.BoolRef:
    """Say that the n-th message to a chain creates it."""
    creates: z3.BoolRef = CONTENTS.sort.recognizer(0)(CONTENT_AT(messages, chain, n))
    return conj(n >= 0, n < SENT_TO(messages, chain), creates)


@formula("MESSAGES-TO")
def messages_to(messages: Any, chain: Any, n: Any) -> z3.BoolRef:
    """Say which message to a chain is the first that creates it."""
    first, creation = FIRST(messages, chain), is_creation(messages, chain, n)
    found = z3.Implies(creation, conj(CREATES_IN(messages, chain), first <= n))
    named = z3.Implies(conj(first == n, n < SENT_TO(messages, chain)), creation)
    return conj(SENT_TO(messages, chain) >= 0, first >= 0, found, named)


def first_owner(messages: Any, chain: Any) -> Any:
    """Return the owner that the first Create message to a chain names."""
    creation = CONTENTS.sort.accessor(0, 0)(CONTENT_AT(messages, chain, FIRST(messages, chain)))
    return creation.sort().accessor(0, 0)(creation)


def activated(rest: Any, owner: Any, height: Any) -> z3.ExprRef:
    """Return a rest after its creation."""
    before: Rest = REST.unpack(rest)
    made: dict[str, Any] = {"owner": SAtom(owner), "state": SOptional(INITIAL), "creation_height": SInt(height)}
    return REST.pack(evolve(before, created=True, **made))


def created_by(executed: Any, chain: Any, before: Any, after: Any) -> z3.BoolRef:
    """Say that a block created a chain: with the owner of its first Create message to it, and its height."""
    messages, height = messages_of(executed), WORDS.height_of(WORDS.block_of(executed))
    made = after == activated(before, first_owner(messages, chain), height)
    return conj(z3.Not(WORDS.is_created(before)), CREATES_IN(messages, chain), made)


@formula("ARRIVAL-CREATES")
def receives(executed: Any, chain: Any, before: Any, after: Any) -> z3.BoolRef:
    """Say what the arrival of a block does to the rest: nothing, or it creates the chain."""
    return z3.Or(after == before, created_by(executed, chain, before, after))


@frozen(eq=False)
class Arriving:
    """Stand for ``fold`` along the messages of a block to a chain."""

    before: Chain
    executed: z3.ExprRef
    given: Given
    ended: list[Chain] = field(factory=list)

    @property
    def names(self) -> tuple[z3.ExprRef, z3.ExprRef]:
        """The list of messages, and the chain."""
        return messages_of(self.executed), term(self.before.chain_id)

    def __call__(self, step: Callable[[Any, Any], Any], init: Chain, items: SList) -> Chain:
        """Fold."""

        def watched(chain: Chain, message: Message) -> Chain:
            try:
                after: Chain = step(chain, message)
            except Rejection as rejection:
                again = conj(z3.BoolVal(type(message.content) is Create), term(chain.consistent.created))
                known = rejection.reason in {Reason.CHAIN_ALREADY_EXISTS, Reason.UNEXPECTED_MESSAGE}
                claim("rejects what an inbox refuses", known)
                claim("or a second creation", (rejection.reason is Reason.CHAIN_ALREADY_EXISTS) == again)
                raise
            claim_only_mailboxes(self.before, after)
            return after

        chain: Chain = Induction(self.known, self.unknown, lemmas=self.laws)(watched, init, items)
        self.ended.append(chain)
        return chain

    def known(self, chain: Chain, n: Any) -> z3.BoolRef:
        """Say what n messages did: before the first Create nothing, and there is no second one."""
        start, now = (REST.pack(rest_of(c.consistent)) for c in (self.before, chain))
        outcome = said("ARRIVAL-CREATES", self.executed, self.names[1], start, now)
        return conj(outcome, z3.Or(WORDS.is_created(now), FIRST(*self.names) >= n))

    def unknown(self) -> Chain:
        """Return the chain with another rest and other mailboxes."""
        return with_arrivals(self.before)

    def laws(self, _: Chain, n: Any) -> tuple[z3.BoolRef, ...]:
        """Unfold the definition at n."""
        return (self.given("MESSAGES-TO", *self.names, n),)


def with_arrivals(chain: Chain) -> Chain:
    """Return a chain with another rest, and other mailboxes."""
    part = with_rest(chain.consistent, unknown(REST, "rest"))
    return Chain(chain.chain_id, part, evolve(chain.localized, **any_mailboxes("arriving")))


def claim_only_mailboxes(before: Chain, after: Chain, *more: str) -> None:
    """Claim that heights and hashes, and whatever is localized but for mailboxes, are what they were."""
    same = [getattr(before.consistent, n) is getattr(after.consistent, n) for n in ("next_height", "block_hash", "log")]
    changing = {"mailboxes", "owing", *more}
    kept = [field.name for field in attrs.fields(type(before.localized)) if field.name not in changing]
    same += [getattr(before.localized, name) is getattr(after.localized, name) for name in kept]
    claim("heights, log and outboxes stay", all(same) and before.chain_id is after.chain_id)


@proof("ARRIVAL-CREATES")
def one_block(given: Given) -> Iterator[Query]:
    """Run the rule on an arbitrary chain and block, with any number of messages to it."""

    def run() -> None:
        chain, certificate = any_chain(), unknown(CERTIFICATES, "certificate")
        executed = EXECUTED.pack(certificate.executed)
        arriving = Arriving(chain, executed, given)
        receive = with_callees(receive_block, fold=arriving, sent_messages=sent_messages, add=summary_of_add(given))
        after = attempt(receive, any_context(Application(given)), chain, certificate)
        if isinstance(after, Rejected):
            return
        claim_only_mailboxes(chain, after, "received")
        (ended,) = arriving.ended
        same = [getattr(ended.localized, name) is getattr(after.localized, name) for name in ("mailboxes", "owing")]
        claim("the mailboxes are as the messages left them", all(same))
        block = certificate.executed.block
        received: Any = chain.localized.received.append((block.chain_id, block.height))
        found: Any = after.localized.received
        lengths = term(found.length) == term(received.length)
        claim("the block is logged as received", conj(found.array == received.array, lengths))
        before, now = (REST.pack(rest_of(c.consistent)) for c in (chain, after))
        claim("the contract", said("ARRIVAL-CREATES", executed, term(chain.chain_id), before, now))

    yield from lifted("receive_block", run)


def sent_messages(_: Context, certificate: Certificate, recipient: Any) -> SList:
    """Stand for the messages of a block to a chain."""
    executed, block = EXECUTED.pack(certificate.executed), certificate.executed.block
    names = messages_of(executed), term(recipient)

    def item(n: Any) -> Message:
        content = unpacked(CONTENTS, CONTENT_AT(*names, n))
        index = unknown(INDICES, "index")
        return Message(block.chain_id, block.height, index, SAtom(WORDS.hash_of(executed)), content)  # type: ignore[arg-type]

    return SList(item, SENT_TO(*names), fresh("place", NUMBER))


def summary_of_add(given: Given) -> Callable[[Inbox, Message], Inbox]:
    """Return what is needed of ``add``: it rejects, or leaves the consumption cursor."""

    def add(inbox: Inbox, _: Message) -> Inbox:
        may_reject(Reason.UNEXPECTED_MESSAGE)
        after = any_inbox("after")
        assume(given("ARRIVAL-CONSUMES-NOTHING", CURSORS.pack(inbox.consumed), CURSORS.pack(after.consumed)))
        return after

    return add


# --- A batch -----------------------------------------------------------------------------------------------------

BY_DELIVERY: Final = z3.Function("by_delivery", CHAIN, REST.sort, REST.sort, z3.BoolSort())
"""Whether some block of a batch created a chain: from which rest to which."""


@formula("BY-DELIVERY")
def by_delivery(executed: Any, chain: Any, before: Any, after: Any) -> z3.BoolRef:
    """Say so of a block of the batch."""
    return z3.Implies(created_by(executed, chain, before, after), BY_DELIVERY(chain, before, after))


@frozen(eq=False)
class Receiving:
    """Stand for ``fold`` along the certified blocks of a batch."""

    before: Chain
    given: Given

    def __call__(self, step: Callable[[Any, Any], Any], init: Chain, items: SList) -> Chain:
        """Fold."""

        def watched(chain: Chain, certificate: Certificate) -> Chain:
            after: Chain = step(chain, certificate)
            names = (EXECUTED.pack(certificate.executed), term(chain.chain_id))
            rests = (REST.pack(rest_of(c.consistent)) for c in (self.before, after))
            assume(used(self.given)("BY-DELIVERY", *names, *rests))
            claim_only_mailboxes(self.before, after, "received")
            return after

        chain: Chain = Induction(self.known, self.unknown)(watched, init, items)
        return owned(chain)

    def known(self, chain: Chain, _: Any) -> z3.BoolRef:
        """Say what the blocks so far did: nothing to the rest, or one of them created the chain."""
        before, after = (REST.pack(rest_of(c.consistent)) for c in (self.before, chain))
        created = conj(z3.Not(WORDS.is_created(before)), WORDS.is_created(after))
        return z3.Or(after == before, conj(created, BY_DELIVERY(term(chain.chain_id), before, after)))

    def unknown(self) -> Chain:
        """Return an arbitrary value."""
        return with_deliveries(self.before)


def with_deliveries(chain: Chain) -> Chain:
    """Return a chain with another rest, other mailboxes, and more blocks received."""
    arrived = with_arrivals(chain)
    received: Any = SHistory.unknown(PLACES, "received")
    return evolve(arrived, localized=evolve(arrived.localized, received=received))


def summary_of_receiving(given: Given) -> Callable[[Context, Chain, Certificate], Chain]:
    """Return what ARRIVAL-CREATES says of ``receive_block``."""
    known = used(given)

    def receive_block(_: Context, chain: Chain, certificate: Certificate) -> Chain:
        may_reject(Reason.UNEXPECTED_MESSAGE)
        after, executed = with_deliveries(chain), EXECUTED.pack(certificate.executed)
        rests = (REST.pack(rest_of(c.consistent)) for c in (chain, after))
        assume(known("ARRIVAL-CREATES", executed, term(chain.chain_id), *rests))
        return after

    return receive_block

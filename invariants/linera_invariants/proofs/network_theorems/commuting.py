"""Deliveries from different origins commute, and so do a delivery and a certified block (S24)."""

from collections.abc import Iterable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, Final

import z3
from attrs import evolve, fields, frozen

from linera_invariants.proofs.codecs import unknown
from linera_invariants.proofs.contracts.certification import same
from linera_invariants.proofs.contracts.chain import (
    BLOCKS,
    EXECUTED,
    HASH_OF,
    HASHES,
    HEIGHTS,
    REST,
    WORDS,
    SMessages,
    any_context,
    owned,
    rest_of,
    with_rest,
)
from linera_invariants.proofs.contracts.commuting import (
    CHAIN,
    CONSUMED_AFTER,
    INBOXES,
    Selected,
    any_batch,
    any_history,
    created_chain,
    deliver,
    in_words,
    inbox_at,
    next_height_at,
)
from linera_invariants.proofs.contracts.delivery import Batch
from linera_invariants.proofs.contracts.execution import (
    ENCODED,
    RECEIVED,
    RUNNING,
    length_of,
    with_cursors,
)
from linera_invariants.proofs.contracts.inbox import History
from linera_invariants.proofs.contracts.purity import RECIPIENTS, Function
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import SAtom, assume, attempt, claim, conj, decide, fresh, reach, term
from linera_invariants.proofs.theorems import Given, proof
from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Certificate
from linera_reference.chain import Chain, Localized, hashed_state
from linera_reference.context import Context
from linera_reference.execution import Running, Staged, commit_block, execute_block
from linera_reference.rejections import Rejected
from linera_reference.validator import execute_certified, handle_certificate

from .mailboxes import same_inbox

# --- What is the same --------------------------------------------------------------------------------------------


def claim_same_views(given: Given, one: Chain, two: Chain, origin: Any, history: History) -> None:
    """Claim that two views are the same: the inbox of an arbitrary origin, which has one history, and all else."""
    views, local = (one, two), [view.localized for view in (one, two)]
    inboxes = [INBOXES.unpack(inbox_at(view, origin)) for view in views]
    assume(given("INBOX-DETERMINED", *inboxes, history, in_words))
    for view in views:
        assume(given("OWING", view, origin))
    stored, owing, log = ([part(box) for box in local] for part in (_stored, _owing, _log))
    claim("the same inbox", same_inbox(*inboxes))
    claim("stored at both or at none", stored[0][origin] == stored[1][origin])
    claim("owing at both or at none", owing[0][origin] == owing[1][origin])
    claim("the same log of received blocks up to its order", log[0].count == log[1].count)
    claim_same_rest(one, two)


def _stored(local: Any) -> Any:
    return local.mailboxes.present


def _owing(local: Any) -> Any:
    return local.owing.array


def _log(local: Any) -> Any:
    return local.received


LAST_BLOCK: Final = ("next_height", "block_hash", "log")
TOLD_BY_ORIGIN: Final = {"mailboxes", "owing", "received"}


def claim_same_rest(one: Chain, two: Chain) -> None:
    """Claim that the consistent parts are the same, and what is localized beside the mailboxes."""
    if one.consistent is not two.consistent:
        rests = [REST.pack(rest_of(view.consistent)) for view in (one, two)]
        heights = [same(getattr(one.consistent, name), getattr(two.consistent, name)) for name in LAST_BLOCK]
        claim("the same consistent part", conj(rests[0] == rests[1], *heights))
    names = [f.name for f in fields(Localized) if f.name not in TOLD_BY_ORIGIN]
    local = [same(getattr(one.localized, name), getattr(two.localized, name)) for name in names]
    claim("the same pending block, outboxes, counters and certificates", conj(*local))
    claim("of the same chain", one.chain_id is two.chain_id)


# --- Two deliveries ----------------------------------------------------------------------------------------------


@proof("DELIVERIES-COMMUTE")
def two_deliveries(given: Given) -> Iterator[Query]:
    """Deliver two batches of different senders, in both orders, and look at an arbitrary origin."""

    def run() -> None:
        chain = created_chain()
        origin, history = fresh("any origin", CHAIN), any_history()
        batches = any_batch(chain, "a"), any_batch(chain, "b")
        assume(batches[0].sender.term != batches[1].sender.term)
        after = history
        if chain.consistent.owner is not None:
            assume(given("MAILBOX-TELLS", chain, origin, history))
            after = with_brought(chain, origin, history, *batches)
        one, two = (delivered(given, chain, order, origin, history) for order in (batches, batches[::-1]))
        reach("both orders succeed")
        claim_same_views(given, one, two, origin, after)

    yield from lifted("two deliveries", run)


def with_brought(chain: Chain, origin: Any, history: History, *batches: Batch) -> History:
    """Return a history with what the batch of this sender brings, if any is of it."""
    for batch in batches:
        if decide(origin == batch.sender.term):
            selected = Selected(batch, next_height_at(chain, batch.sender.term))
            return selected.history(history, selected.length)
    return history


def delivered(given: Given, chain: Chain, batches: tuple[Batch, ...], origin: Any, history: History) -> Chain:
    """Deliver batches, looking at an origin and all their senders."""
    senders = [(batch.sender.term, any_history()) for batch in batches]
    for batch in batches:
        chain = deliver(given, chain, batch, [(origin, history), *senders])
    return chain


# --- A delivery and a block --------------------------------------------------------------------------------------

RECIPIENTS_IN: Final = z3.Function("recipients_in", EXECUTED.sort.accessor(0, 1).range(), RECIPIENTS.sort)


class Sent(SMessages):
    """The messages of an executed block; in a comprehension about recipients one stands for the set of them."""

    __slots__ = ()
    __hash__ = None

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Give a message whose recipient is the whole set, a function of the messages."""
        yield SimpleNamespace(recipient=SAtom(RECIPIENTS_IN(self.term)))


@frozen(eq=False)
class Committing:
    """A certified block, and the handler that commits it to several views of its chain."""

    given: Given
    certificate: Certificate
    schedule: Function

    @classmethod
    def arbitrary(cls, given: Given, chain: Chain) -> "Committing":
        """Return one for a chain."""
        executed: ExecutedBlock = unknown(EXECUTED, "certified")
        executed = evolve(executed, block=evolve(executed.block, chain_id=chain.chain_id))
        certificate = Certificate(executed, *(object() for _ in range(3)))  # type: ignore[arg-type]
        known, left = partial(given, "SCHEDULE-IS-A-FUNCTION"), partial(unknown, RECIPIENTS, "scheduled")
        return cls(given, certificate, Function(known, lambda: (left(), left())))

    @property
    def block(self) -> Any:
        """The block, as a term."""
        return BLOCKS.pack(self.certificate.executed.block)

    def commit(self, chain: Chain, looked_at: Iterable[tuple[Any, History]]) -> Chain | None:
        """Run the shipped handler, looking at some origins; ⊥ if it rejects."""
        handler = with_callees(
            handle_certificate,
            chain_info=lambda _: "info",
            commit_block=with_callees(commit_block, schedule_messages=self.schedule_messages, frozenset=next),
            cross_chain_requests=lambda _: (),
            execute_certified=with_callees(
                execute_certified,
                check_confirmed=lambda _, certificate: SAtom(HASH_OF(EXECUTED.pack(certificate.executed))),
                execute_block=partial(self.execute_block, looked_at=looked_at),
            ),
        )
        outcome = attempt(handler, any_context(), chain, self.certificate)
        return None if isinstance(outcome, Rejected) else outcome.state

    def execute_block(self, context: Context, chain: Chain, block: Block, looked_at: Any) -> Staged:
        """Run the shipped function on what is proved of its two loops, and of the whole."""

        def consume(before: Chain, received: Block) -> Chain:
            after = with_cursors(before)
            for origin, history in looked_at:
                assume(self.given("CONSUMPTION-TELLS", before, after, BLOCKS.pack(received), origin, history))
            return after

        def transact(*_: Any) -> tuple[Running, Sent]:
            ran: Running = unknown(RUNNING, "ran")
            return ran, Sent(term(ran.messages))

        run = with_callees(
            execute_block,
            consume_messages=consume,
            execute_transactions=transact,
            hashed_state=with_callees(hashed_state, encode=lambda state: SAtom(ENCODED(term(state)))),
            len=length_of,
        )
        staged: Staged = run(context, chain, block)
        rests = (REST.pack(rest_of(view.consistent)) for view in (chain, staged.chain))
        executed = EXECUTED.pack(staged.executed)
        assume(self.given("EXECUTION-IS-A-FUNCTION", WORDS, next(rests), BLOCKS.pack(block), executed, next(rests)))
        return staged

    def schedule_messages(self, local: Localized, recipients: Any, height: Any) -> Any:
        """Stand for the scheduling: a function of what it reads."""
        return self.schedule(local.outboxes, local.counters, recipients, height)

    def consumed(self, history: History, origin: Any) -> History:
        """Return a history with what the block consumes."""
        return History(history.received, CONSUMED_AFTER(history.consumed, self.block, origin, RECEIVED(self.block)))


@frozen
class Longer:
    """A log, and what was added to it."""

    log: Any
    added: tuple[Any, ...] = ()

    def append(self, item: Any) -> "Longer":
        """Add one item at the end."""
        return evolve(self, added=(*self.added, item))


def executing_chain() -> Chain:
    """Return a view of a created chain that can execute a block."""
    chain = created_chain()
    kept = {name: getattr(chain.consistent, name) for name in ("created", "owner", "consumed")}
    part = with_rest(chain.consistent, evolve(unknown(REST, "chain.rest"), **kept))
    logs: list[Any] = [Longer(object()), Longer(object())]
    heights = {"next_height": unknown(HEIGHTS, "chain.next_height"), "block_hash": unknown(HASHES, "chain.block_hash")}
    part = evolve(part, log=logs[0], **heights)
    return Chain(chain.chain_id, part, evolve(chain.localized, certificates=logs[1]))


@proof("DELIVERY-AND-BLOCK-COMMUTE")
def a_delivery_and_a_block(given: Given) -> Iterator[Query]:
    """Deliver a batch and commit a certified block, in both orders, and look at an arbitrary origin."""

    def run() -> None:
        chain = executing_chain()
        origin, history, other = fresh("any origin", CHAIN), any_history(), any_history()
        batch, committing = any_batch(chain), Committing.arbitrary(given, chain)
        looked_at = ((origin, history), (batch.sender.term, other))
        if chain.consistent.owner is not None:
            assume(given("MAILBOX-TELLS", chain, origin, history))
        after = with_brought(chain, origin, history, batch)
        first, second = deliver(given, chain, batch, looked_at), committing.commit(chain, looked_at)
        if second is None:
            return
        one, two = committing.commit(first, ((origin, after),)), second
        if second is not chain:
            two, history, after = owned(second), *(committing.consumed(h, origin) for h in (history, after))
        closes = second is not chain and two.consistent.owner is None
        if one is None or closes:
            return
        two = deliver(given, two, batch, ((origin, history), (batch.sender.term, other)))
        reach("an old block" if second is chain else "a new block")
        claim_same_views(given, one, two, origin, after)

    yield from lifted("a delivery and a block", run)

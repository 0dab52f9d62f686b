"""Repeated deliveries: a batch that was accepted is accepted again, changes nothing, and gets the same answer."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Final

import z3
from attrs import frozen

from linera_invariants.proofs.codecs import BOOLEANS, CHAIN_IDS, unknown
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import SInt, assume, attempt, claim, conj, decide, disj, fresh, term
from linera_invariants.proofs.theorems import Given, proof
from linera_reference.outbox import UpdateRecipient
from linera_reference.rejections import Accepted, Reason, Rejected, Rejection
from linera_reference.validator import cross_chain_requests, handle_update_recipient, update_recipient

from .chain import HEIGHTS
from .delivery import Delivery, Sender, mapped, sent_at
from .execution import may_reject
from .messages import MESSAGES
from .outboxes import Outboxes

CARRIED: Final = z3.Function("carried", z3.IntSort(), z3.BoolSort())
RECEIVED: Final = z3.Function("received", MESSAGES.sort, z3.BoolSort())
BROUGHT: Final = z3.Function("brought", MESSAGES.sort, z3.BoolSort())
"""Whether the batch has a block of a height; whether a message was received before, and whether the batch has it."""


@frozen(eq=False)
class View:
    """A view of a chain, as far as the handler asks; whatever looks at anything else fails loudly."""

    consistent: Any
    has_next: z3.BoolRef
    next_height: SInt

    @classmethod
    def arbitrary(cls) -> "View":
        """Return an arbitrary one."""
        part = SimpleNamespace(created=unknown(BOOLEANS, "created"), owner=None)
        return cls(part, fresh("has a next height", z3.BoolSort()), unknown(HEIGHTS, "next height"))


@frozen(eq=False)
class Postman:
    """Stand for what ``handle_update_recipient`` calls: what is proved of each callee, and no more."""

    given: Given
    request: UpdateRecipient
    is_lawful: z3.BoolRef

    def check_batch(self, request: UpdateRecipient) -> None:
        """Accept or reject: a function of the request, whatever the state."""
        claim("the batch is checked", request is self.request)
        if not decide(self.is_lawful):
            raise Rejection(Reason.INVALID_CROSS_CHAIN_REQUEST)

    def inbox_of(self, view: View, origin: Any) -> View:
        """Return the inbox of the sender: a function of the state."""
        claim("the inbox is the sender's", origin is self.request.sender)
        return view

    def next_height_to_receive(self, inbox: View) -> SInt:
        """Return it, or reject: a function of the inbox."""
        if not decide(inbox.has_next):
            raise Rejection(Reason.ARITHMETIC)
        return inbox.next_height

    def select(self, request: UpdateRecipient, next_height: SInt) -> bool:
        """Return whether any block of the batch is selected: nothing else is asked here."""
        claim("of this batch", request is self.request)
        selects = decide(fresh("something is selected", z3.BoolSort()))
        if selects:
            height = term(unknown(HEIGHTS, "selected height"))
            assume(conj(CARRIED(height), self.given("SELECT", height, term(next_height), z3.BoolVal(True))))
        return selects

    def fold(self, _: Callable[..., Any], __: View, ___: bool) -> View:
        """Reject, or receive what was selected: any state, of which DELIVERY tells more."""
        may_reject(Reason.UNEXPECTED_MESSAGE)
        return View.arbitrary()

    def is_delivered(self, before: View, outcome: Accepted[View]) -> z3.BoolRef:
        """Return what is proved of an accepted delivery: what was received then is all that it may be."""
        (answer,), start = outcome.outputs, before.next_height.term

        def now_received(message: Any) -> z3.BoolRef:
            return disj(RECEIVED(message), conj(sent_at(message) >= start, BROUGHT(message)))

        told = Delivery(start, outcome.state.next_height.term, RECEIVED, now_received)
        return self.given("DELIVERY", told, CARRIED, BROUGHT, term(answer.height))


@proof("REPEATED-DELIVERY")
def a_repeated_delivery(given: Given) -> Iterator[Query]:
    """Give the handler an accepted batch again, at once."""

    def run() -> None:
        request = UpdateRecipient(unknown(CHAIN_IDS, "sender"), unknown(CHAIN_IDS, "recipient"), ())
        post, before = Postman(given, request, fresh("is lawful", z3.BoolSort())), View.arbitrary()
        handler = with_callees(
            handle_update_recipient,
            check_batch=post.check_batch,
            inbox_of=post.inbox_of,
            next_height_to_receive=post.next_height_to_receive,
            select=post.select,
            fold=post.fold,
            check_active=lambda *_: may_reject(Reason.CHAIN_CLOSED),
        )
        context = SimpleNamespace(tracks_inactive=unknown(BOOLEANS, "tracks_inactive"))
        first = attempt(handler, context, before, request)
        if isinstance(first, Rejected):
            return
        assume(post.is_delivered(before, first))
        second = attempt(handler, context, first.state, request)
        claim("it is accepted again", isinstance(second, Accepted))
        if not isinstance(second, Accepted):
            return
        stays = second.state is first.state
        claim("the state stays", stays)
        if stays:
            (answer,), (again,) = first.outputs, second.outputs
            claim("to the same chain", answer.sender is again.sender and answer.recipient is again.recipient)
            claim("the acknowledged height is the same", answer.height == again.height)

    yield from lifted("handle_update_recipient", run)


@proof("PENDING-REQUESTS")
def pending_requests(_: Given) -> Iterator[Query]:
    """Ask a chain of which only identifier, outboxes and certificates are there; one recipient stands for all."""

    def run() -> None:
        chain: Any = Sender(unknown(CHAIN_IDS, "sender"), Outboxes.arbitrary().outboxes)
        recipient = unknown(CHAIN_IDS, "recipient")

        def one_of(outboxes: Any) -> tuple[Any, ...]:
            claim("of the outboxes", outboxes is chain.outboxes)
            assume(chain.outboxes.present[recipient.term])
            return (recipient,)

        carrying = with_callees(update_recipient, map=mapped, tuple=lambda queue: queue)
        requests = attempt(
            with_callees(cross_chain_requests, sorted=one_of, tuple=list, update_recipient=carrying), chain
        )
        waits = chain.outboxes.present[recipient.term]
        claim("one request where something waits", z3.BoolVal(bool(requests)) == waits)
        for request in requests:
            names = request.sender is chain.chain_id and request.recipient is recipient
            claim("from the chain to the recipient", names)
            queue, held = request.certificates, chain.outboxes[recipient].queue
            same = conj(queue.array == held.array, queue.head == held.head, queue.tail == held.tail)
            claim("with what its outbox holds", same)

    yield from lifted("cross_chain_requests", run)

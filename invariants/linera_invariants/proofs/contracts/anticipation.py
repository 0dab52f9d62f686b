"""Anticipation: what a chain owes after a block consumed its messages, and for which blocks a validator votes.

An inbox is told here by its history alone, what it received and what it consumed: INBOX-CLOSED-FORM says what its
queues hold then. What is said of one origin and one message holds of all, as both are arbitrary.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import z3
from attrs import evolve, frozen

from linera_invariants.proofs.codecs import CHAIN_IDS, Codec, atoms, records, unknown
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.lists import Induction, SList
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import SBool, assume, attempt, claim, conj, decide, disj, fresh, term
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import SMap, SSet, Twin
from linera_reference.block import Block
from linera_reference.certificate import Certificate
from linera_reference.chain import Chain, Mailbox
from linera_reference.containers import Queue
from linera_reference.context import Context
from linera_reference.execution import Staged, commit_block, consume_messages
from linera_reference.inbox import Inbox
from linera_reference.messages import Message
from linera_reference.rejections import Reason, Rejected
from linera_reference.rules import AnticipationRule, Rules
from linera_reference.validator import execute_certified, handle_certificate, handle_request

from .chain import (
    BLOCKS,
    CERTIFICATES,
    CURSORS,
    MESSAGES,
    OWNER,
    REQUESTS,
    SOME_OWNER,
    WORDS,
    any_chain,
    any_context,
    owned,
    part_of,
    terms_of,
)
from .execution import RECEIVED, RECEIVED_AT, executor, may_reject, received_messages, sort_by_origin
from .handlers import Key, Restricting, check_confirmed, proposal_checks, requests_of, schedule_messages
from .inbox import History, is_listed, queues_of, unknown_inbox

# --- Inboxes told by their history -------------------------------------------------------------------------------

SETS: Final = z3.ArraySort(MESSAGES.sort, z3.BoolSort())
_HISTORY: Final = z3.Datatype("History")
_HISTORY.declare("make_history", ("received_in", SETS), ("consumed_in", SETS))
HISTORY: Final = _HISTORY.create()
SETTLED: Final = z3.Function("nothing_removed", HISTORY, z3.BoolSort())
LISTED: Final = z3.Function("removed_lists", HISTORY, MESSAGES.sort, z3.BoolSort())
"""What an inbox with a history holds: whether its queue ``removed`` is empty, and which messages it lists."""


@frozen(eq=False)
class Removed(Twin):
    """Stand for the queue ``removed`` of an inbox with a history."""

    history: History

    @property
    def is_empty(self) -> SBool:
        """Whether nothing is owed."""
        return SBool(SETTLED(packed(self)))

    @property
    def front(self) -> Any:
        """The first message that is owed: any one."""
        return unknown(MESSAGES, "owed")


def packed(removed: Any) -> z3.ExprRef:
    """Return a history as one term; the empty queue is that of an inbox that was told nothing."""
    if isinstance(removed, Queue) and removed.is_empty:
        nothing = z3.K(MESSAGES.sort, z3.BoolVal(False))
        return HISTORY.constructor(0)(nothing, nothing)
    return HISTORY.constructor(0)(removed.history.received, removed.history.consumed)


def history_of(packed_history: Any) -> History:
    """Return the two sets of a history."""
    return History(*(HISTORY.accessor(0, i)(packed_history) for i in range(2)))


HISTORIES: Final = Codec(HISTORY, packed, lambda x: Removed(history_of(x)), lambda _: z3.BoolVal(True))
ADDED: Final = atoms("Added")
BOXES: Final = records(Mailbox, ("added", ADDED), ("removed", HISTORIES))


@formula("INBOX-OWES")
def owes(told: "Told") -> z3.BoolRef:
    """Say that the queue ``removed`` lists a message exactly if it was consumed and not received."""
    owed = conj(told.consumed, z3.Not(told.received))
    return conj(told.listed == owed, z3.Implies(told.settled, z3.Not(owed)))


@proof("INBOX-OWES")
def removed_is_what_is_owed(given: Given) -> Iterator[Query]:
    """Look at an arbitrary inbox of closed form."""

    def run() -> None:
        inbox, history, message = unknown_inbox(), History.arbitrary(), fresh("message", MESSAGES.sort)
        assume(given("INBOX-CLOSED-FORM", inbox, history))
        _, removed = queues_of(inbox)
        settled, listed = term(removed.is_empty), is_listed(removed, message)
        claim("removed lists what is owed", z3.Implies(listed, history.is_owed(message)))
        claim("and all of it", z3.Implies(history.is_owed(message), listed))
        claim("nothing, if it is empty", z3.Implies(settled, z3.Not(history.is_owed(message))))

    yield from lifted("removed", run)


# --- What one origin and one message are at a chain --------------------------------------------------------------


@frozen(eq=False)
class Told:
    """What a chain was told of one message by one origin, whether the origin is marked as owing, and what it holds."""

    received: Any
    consumed: Any
    marked: Any
    settled: Any
    listed: Any


@frozen(eq=False)
class Looked:
    """An arbitrary origin and an arbitrary message."""

    origin: Any
    message: Any

    @classmethod
    def anywhere(cls) -> "Looked":
        """Return them."""
        return cls(fresh("looked origin", CHAIN_IDS.sort), fresh("looked message", MESSAGES.sort))

    def history(self, chain: Chain) -> Any:
        """Return the history of the inbox of the origin."""
        boxes: Any = chain.localized.mailboxes
        stored = part_of(BOXES, Mailbox, "removed")(boxes.array[self.origin])
        return z3.If(boxes.present[self.origin], stored, packed(Queue()))

    def at(self, chain: Chain) -> Told:
        """Return what the chain was told."""
        history, owing = self.history(chain), chain.localized.owing
        sets, marked = history_of(history), owing.array[self.origin]  # type: ignore[attr-defined]
        holds = SETTLED(history), LISTED(history, self.message)
        return Told(sets.received[self.message], sets.consumed[self.message], marked, *holds)

    def is_consumed(self, block: Any, count: Any) -> z3.BoolRef:
        """Say that the message is one of the first messages that a block receives, and comes from the origin."""
        comes_from = part_of(MESSAGES, Message, "origin")(self.message)
        return conj(comes_from == self.origin, AMONG(block, count, self.message))


def any_told_chain(owner: Codec = SOME_OWNER) -> Chain:
    """Return an arbitrary chain whose inboxes have histories."""
    return retold(owned(any_chain(), owner))


def retold(chain: Chain) -> Chain:
    """Return a chain with other inboxes."""
    parts: dict[str, Any] = {
        "mailboxes": SMap.unknown(CHAIN_IDS, BOXES, "boxes"),
        "owing": SSet.unknown(CHAIN_IDS, "owing"),
    }
    return evolve(chain, localized=evolve(chain.localized, **parts))


AMONG: Final = z3.Function("among_first", BLOCKS.sort, z3.IntSort(), MESSAGES.sort, z3.BoolSort())
"""Whether a message is one of the first messages that a block receives."""


@formula("AMONG-RECEIVED")
def among_received(block: Any, n: Any, message: Any) -> z3.BoolRef:
    """Define it: none is among the first 0, and the next one is the message at place n."""
    more = disj(AMONG(block, n, message), RECEIVED_AT(block, n) == message)
    none = z3.Not(AMONG(block, z3.IntVal(0), message))
    return conj(none, z3.Implies(n >= 0, AMONG(block, n + 1, message) == more))


# --- What a block consumes ---------------------------------------------------------------------------------------


def remove(inbox: Inbox, message: Message) -> Inbox:
    """Reject, or return the inbox whose history has one more consumption: by the meaning of its history."""
    may_reject(Reason.UNEXPECTED_MESSAGE)
    return told_inbox(inbox, history_of(packed(inbox.removed)).consume(message), "consumed")


def add(inbox: Inbox, message: Message) -> Inbox:
    """Reject, or return the inbox whose history has one more arrival: by the meaning of its history."""
    may_reject(Reason.UNEXPECTED_MESSAGE)
    return told_inbox(inbox, history_of(packed(inbox.removed)).receive(message), "next_add")


def told_inbox(inbox: Inbox, history: History, cursor: str) -> Inbox:
    """Return an inbox with another history, of which one cursor moved."""
    parts: dict[str, Any] = {"added": unknown(ADDED, "added"), "removed": Removed(history)}
    return evolve(inbox, **parts, **{cursor: unknown(CURSORS, cursor)})


@formula("CONSUMED-MESSAGES")
def gains(before: Told, after: Told, consumes: Any) -> z3.BoolRef:
    """Say that what was consumed grows by what a block consumes, nothing is received, and whoever owes is marked."""
    consumed = after.consumed == disj(before.consumed, consumes)
    return conj(after.received == before.received, consumed, after.marked == z3.Not(after.settled))


@frozen(eq=False)
class ConsumingTold:
    """Stand for ``fold`` along the messages that a block receives."""

    before: Chain
    block: Block
    looked: Looked
    given: Given

    def __call__(self, step: Callable[[Any, Any], Any], init: Chain, items: SList) -> Chain:
        """Fold."""
        claim("from the chain as it was", init is self.before)
        chain: Chain = Induction(self.known, self.unknown, lemmas=self.laws)(step, init, items)
        return chain

    def known(self, chain: Chain, n: Any) -> z3.BoolRef:
        """Say what was consumed after n messages."""
        consumes = self.looked.is_consumed(BLOCKS.pack(self.block), n)
        return said("CONSUMED-MESSAGES", self.looked.at(self.before), self.looked.at(chain), consumes)

    def laws(self, _: Chain, n: Any) -> tuple[z3.BoolRef, ...]:
        """Unfold the definition at n."""
        return (self.given("AMONG-RECEIVED", BLOCKS.pack(self.block), n, self.looked.message),)

    def unknown(self) -> Chain:
        """Return the chain with other histories."""
        return retold(self.before)


@proof("CONSUMED-MESSAGES")
def block_consumes(given: Given) -> Iterator[Query]:
    """Run the loop on an arbitrary chain and block."""

    def run() -> None:
        looked, chain = Looked.anywhere(), retold(any_chain())
        removed = Removed(history_of(looked.history(chain)))
        assume(given("INBOX-OF-ORIGIN", looked.at(chain).marked, removed))
        block = evolve(unknown(BLOCKS, "block"), chain_id=chain.chain_id)
        consume = with_callees(
            consume_messages,
            received_messages=received_messages,
            sorted=sort_by_origin,
            remove=remove,
            fold=ConsumingTold(chain, block, looked, given),
        )
        after = attempt(consume, chain, block)
        if not isinstance(after, Rejected):
            value = BLOCKS.pack(block)
            consumes = looked.is_consumed(value, RECEIVED(value))
            claim("the contract", said("CONSUMED-MESSAGES", looked.at(chain), looked.at(after), consumes))

    yield from lifted("consume_messages", run)


# --- Votes and commits -------------------------------------------------------------------------------------------


def consumer(given: Given, looked: Looked) -> Callable[[Chain, Block], Chain]:
    """Return what CONSUMED-MESSAGES and INBOX-OWES say of ``consume_messages``."""

    def consume(chain: Chain, block: Block) -> Chain:
        may_reject(Reason.UNEXPECTED_MESSAGE)
        after, value = retold(chain), BLOCKS.pack(block)
        told, consumes = looked.at(after), looked.is_consumed(value, RECEIVED(value))
        assume(given("CONSUMED-MESSAGES", looked.at(chain), told, consumes))
        return after

    return consume


def executing(given: Given, looked: Looked) -> Callable[..., Any]:
    """Return the shipped ``execute_block`` with what is known of its first loop."""
    return with_callees(executor(given, fresh("created", CHAIN_IDS.sort), []), consume_messages=consumer(given, looked))


@formula("VOTES-OWE-NOTHING")
def nothing_owed(whole: Any, again: Any, told: Told, consumes: Any) -> z3.BoolRef:
    """Say that a new vote is for a block whose messages were received; under the whole rule nothing else is owed."""
    needed = disj(consumes, conj(whole, told.consumed))
    return disj(again, z3.Implies(needed, told.received))


@proof("VOTES-OWE-NOTHING")
def votes(given: Given) -> Iterator[Query]:
    """Give an arbitrary request to ``handle_request``, under each rule."""
    for rule in AnticipationRule:

        def run(rule: AnticipationRule = rule) -> None:
            looked, chain = Looked.anywhere(), any_told_chain(OWNER)
            whole = z3.BoolVal(rule is AnticipationRule.WHOLE_INBOX)
            request = unknown(REQUESTS, "request")
            request = evolve(request, block=evolve(request.block, chain_id=chain.chain_id))
            value = BLOCKS.pack(request.block)
            consumes = looked.is_consumed(value, RECEIVED(value))

            def check(_: Context, staged: Staged) -> None:
                may_reject(Reason.MISSING_CROSS_CHAIN_UPDATE)
                told, of_block = looked.at(staged.chain), BLOCKS.pack(staged.executed.block)
                received = looked.is_consumed(of_block, RECEIVED(of_block))
                assume(given("INBOX-OWES", told))
                assume(given("NOTHING-OWED", whole, told.marked, told.listed, received))

            handler = with_callees(
                handle_request,
                **proposal_checks(given),
                execute_block=executing(given, looked),
                check_not_anticipated=check,
                cross_chain_requests=requests_of,
            )
            context = any_context(Restricting(given), rules=Rules(anticipation=rule))
            outcome = attempt(handler, context, chain, request, Key.perhaps())
            if isinstance(outcome, Rejected):
                return
            after = outcome.state.localized
            again = z3.BoolVal(outcome.state is chain)
            claim("the contract", said("VOTES-OWE-NOTHING", whole, again, looked.at(chain), consumes))
            claim("the inboxes stay", after.mailboxes is chain.localized.mailboxes)
            claim("the vote is for the block", WORDS.block_of(terms_of(outcome.state).pending.value) == value)

        yield from lifted(rule.name, run)


@formula("COMMIT-CONSUMES")
def commit_consumes(before: Told, after: Told, consumes: Any, is_pending: Any) -> z3.BoolRef:
    """Say that a commit consumes the messages of its block, receives nothing, and leaves nothing pending."""
    consumed = after.consumed == disj(before.consumed, consumes)
    return conj(after.received == before.received, consumed, z3.Not(is_pending))


@proof("COMMIT-CONSUMES")
def commits(given: Given) -> Iterator[Query]:
    """Give an arbitrary certificate to ``handle_certificate``."""

    def run() -> None:
        looked, chain = Looked.anywhere(), any_told_chain()
        certificate: Certificate = unknown(CERTIFICATES, "certificate")
        block = evolve(certificate.executed.block, chain_id=chain.chain_id)
        certificate = evolve(certificate, executed=evolve(certificate.executed, block=block))
        execute = with_callees(
            execute_certified, check_confirmed=check_confirmed, execute_block=executing(given, looked)
        )
        handler = with_callees(
            handle_certificate,
            execute_certified=execute,
            commit_block=with_callees(commit_block, schedule_messages=schedule_messages, frozenset=next),
            chain_info=lambda _: None,
            cross_chain_requests=requests_of,
        )
        outcome = attempt(handler, any_context(), chain, certificate)
        if isinstance(outcome, Rejected):
            return
        after, value = outcome.state, BLOCKS.pack(block)
        if decide(term(block.height) < term(chain.consistent.next_height)):
            claim("a block below the next height changes nothing", after is chain)
            return
        consumes = looked.is_consumed(value, RECEIVED(value))
        pending = z3.BoolVal(after.localized.pending is not None)
        claim("the contract", said("COMMIT-CONSUMES", looked.at(chain), looked.at(after), consumes, pending))

    yield from lifted("handle_certificate", run)

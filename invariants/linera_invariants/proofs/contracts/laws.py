"""Laws of all handlers: rejections change nothing, repeated inputs change nothing, an input touches one chain."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Final

import z3
from attrs import evolve, field, frozen

from linera_invariants.proofs.codecs import CHAIN_IDS, INTEGERS, atoms, members, records, unknown
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import (
    SAtom,
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
from linera_invariants.proofs.twins import Dropped, SMap, SSet
from linera_reference.certificate import Kind
from linera_reference.chain import Chain, confirm_messages, owed_messages, put_inbox
from linera_reference.context import Context
from linera_reference.crypto import Signer
from linera_reference.execution import Staged, check_not_anticipated
from linera_reference.messages import Message
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.rejections import Accepted, Reason, Rejected, Rejection, transition, unwrap
from linera_reference.rules import AnticipationRule, Rules
from linera_reference.validator import (
    Validator,
    handle,
    handle_at,
    handle_confirm_updated_recipient,
)

from .certification import same
from .chain import (
    CERTIFICATES,
    EXECUTED,
    HEIGHTS,
    MAILBOXES,
    MESSAGES,
    REQUESTS,
    any_chain,
    any_context,
    any_signer,
    part_of,
)
from .execution import any_inbox
from .handlers import Call, call_certificate, call_request, call_validated

# --- Rejections --------------------------------------------------------------------------------------------------


@proof("ATOMIC")
def rejections(_: Given) -> Iterator[Query]:
    """Wrap a rule of which nothing is known: it rejects for any reason, or accepts with anything."""
    reasons, details = members(Reason), atoms("Detail")

    def run() -> None:
        reason, detail, accepted = unknown(reasons, "reason"), unknown(details, "detail"), Accepted("anything", ())
        rejects = decide(fresh("rejects", z3.BoolSort()))

        def rule(argument: str, *, named: str) -> Accepted[str]:
            claim("the arguments are passed on", (argument, named) == ("argument", "named"))
            if rejects:
                raise Rejection(reason, detail)
            return accepted

        outcome = transition(rule)("argument", named="named")
        reach("a rule rejects" if rejects else "a rule accepts")
        if rejects:
            expected = Rejected(reason, detail)
            claim("a rejection is its reason and detail, and no state", same(outcome, expected))
        else:
            claim("an acceptance is passed on", outcome is accepted)
        try:
            claim("an acceptance goes on inside another transition", unwrap(outcome) is accepted)
        except Rejection as again:
            claim("and a rejection ends that one too", rejects and again.reason is reason and again.detail is detail)

    yield from lifted("transition", run)


# --- Repeated inputs ---------------------------------------------------------------------------------------------


def call_answer(given: Given) -> Call:
    """Give an arbitrary answer to ``handle_confirm_updated_recipient``; its queue is looked at."""
    chain = any_chain()
    local: Any = chain.localized
    outboxes = evolve(local.outboxes, values=evolve(local.outboxes.values, unpack=splitting(local, given)))
    chain = evolve(chain, localized=evolve(local, outboxes=outboxes))
    confirm = with_callees(confirm_messages, fold=counted)
    handler = with_callees(handle_confirm_updated_recipient, confirm_messages=confirm)
    answer = unknown(records(ConfirmUpdatedRecipient), "answer")
    return Call(lambda c: attempt(handler, c, answer), chain, answer)


def splitting(local: Any, given: Given) -> Callable[[Any], Any]:
    """Return how an outbox is unpacked: as a queue of which QUEUE-SPLIT is known."""
    unpack = local.outboxes.values.unpack

    def outbox(packed: Any) -> Any:
        found = unpack(packed)
        return evolve(found, queue=evolve(found.queue, splits=lambda *terms: given("QUEUE-SPLIT", *terms)))

    return outbox


def counted(_: Any, counters: SMap, dropped: Dropped) -> SMap:
    """Stand for the fold over the heights that left an outbox: none leaves the counters."""
    return counters if decide(dropped.end == dropped.queue.head) else SMap.unknown(HEIGHTS, INTEGERS, "counted")


REPEATED: Final = {
    "handle_request": call_request,
    "handle_certificate": call_certificate,
    "handle_validated": call_validated,
    "handle_confirm_updated_recipient": call_answer,
}


@proof("REPEATED-INPUTS")
def repetitions(given: Given) -> Iterator[Query]:
    """Give every handler an accepted input again, at once."""
    for name, prepare in REPEATED.items():

        def run(prepare: Callable[[Given], Call] = prepare) -> None:
            call = prepare(given)
            first = call.handle(call.chain)
            if isinstance(first, Rejected):
                return
            second = call.handle(first.state)
            claim("it is accepted again", isinstance(second, Accepted))
            if isinstance(second, Accepted):
                claim("the state stays", same(second.state, first.state))
                claim("the answer is the same", same(second.outputs, first.outputs))

        yield from lifted(name, run)


# --- One input, one chain ----------------------------------------------------------------------------------------


@frozen(eq=False)
class Chains:
    """The chains of a validator: what is stored under the one key that may be asked for, and what was stored since."""

    key: Any
    stored: Chain | None
    replaced: tuple[tuple[Any, Chain], ...] = ()

    def get(self, key: Any) -> Chain | None:
        """Return the view of the chain that an input is for."""
        claim("the chain looked up is the one that the input is for", key is self.key)
        return self.stored

    def set(self, key: Any, chain: Chain) -> "Chains":
        """Store a view."""
        return evolve(self, replaced=(*self.replaced, (key, chain)))


@frozen
class Routed:
    """An input, the chain that it is for, its handler, and what the handler is given beside the chain."""

    item: Any
    target: Any
    handler: str
    arguments: Callable[[Any], tuple[Any, ...]]


def any_input(context: Context, signer: Signer) -> Routed:
    """Return an arbitrary input."""
    if decide(fresh("a request", z3.BoolSort())):
        item = unknown(REQUESTS, "request")
        return Routed(item, item.block.chain_id, "handle_request", lambda c: (context, c, item, signer))
    if decide(fresh("a certificate", z3.BoolSort())):
        item = unknown(CERTIFICATES, "certificate")
        target = item.executed.block.chain_id
        if decide(fresh("validates", z3.BoolSort())):
            validated = evolve(item, kind=Kind.VALIDATED)
            return Routed(validated, target, "handle_validated", lambda c: (context, c, validated, signer))
        confirmed = evolve(item, kind=Kind.CONFIRMED)
        return Routed(confirmed, target, "handle_certificate", lambda c: (context, c, confirmed))
    sender, recipient = unknown(CHAIN_IDS, "sender"), unknown(CHAIN_IDS, "recipient")
    if decide(fresh("a batch", z3.BoolSort())):
        batch = UpdateRecipient(sender, recipient, ())
        return Routed(batch, recipient, "handle_update_recipient", lambda c: (context, c, batch))
    answer = ConfirmUpdatedRecipient(sender, recipient, unknown(HEIGHTS, "height"))
    return Routed(answer, sender, "handle_confirm_updated_recipient", lambda c: (c, answer))


@frozen(eq=False)
class Handled:
    """Stand for the handlers: each notes what it was given, and rejects, leaves the chain, or changes it."""

    calls: list[tuple[str, Chain, tuple[Any, ...], Any]] = field(factory=list)

    def named(self, name: str) -> Callable[..., Any]:
        """Return the stand-in for one handler."""

        def handler(*arguments: Any) -> Any:
            (before,) = (argument for argument in arguments if isinstance(argument, Chain))
            outcome: Any = Rejected(Reason.INACTIVE_CHAIN)
            if not decide(fresh("rejects", z3.BoolSort())):
                same_chain = decide(fresh("changes nothing", z3.BoolSort()))
                outcome = Accepted(before if same_chain else evolve(before), ("output",))
            self.calls.append((name, before, arguments, outcome))
            return outcome

        return handler


HANDLERS: Final = (
    "handle_request",
    "handle_certificate",
    "handle_validated",
    "handle_update_recipient",
    "handle_confirm_updated_recipient",
)


@proof("ROUTING")
def routes(_: Given) -> Iterator[Query]:
    """Give an arbitrary input to a whole validator."""

    def run() -> None:
        context, signer = any_context(), any_signer()
        given = any_input(context, signer)
        stored = evolve(any_chain(), chain_id=given.target) if decide(fresh("is stored", z3.BoolSort())) else None
        handled, validator = Handled(), Validator(Chains(given.target, stored))  # type: ignore[arg-type]
        route = with_callees(handle_at, **{name: handled.named(name) for name in HANDLERS})
        outcome = attempt(with_callees(handle, handle_at=route), context, validator, given.item, signer)
        ((name, before, arguments, handlers_outcome),) = handled.calls
        claim("the handler is that of the input", name == given.handler)
        claim("it sees the chain that the input is for", same(before, stored or Chain(given.target)))
        claim("the contract", said("ROUTING", term(given.target), term(before.chain_id)))
        expected = given.arguments(before)
        exact = len(arguments) == len(expected) and all(a is b for a, b in zip(arguments, expected, strict=True))
        claim("and what belongs to it", exact)
        if isinstance(handlers_outcome, Rejected):
            claim("a rejection stays one, without a state", outcome is handlers_outcome)
            return
        after = handlers_outcome.state
        keys, views = zip(*outcome.state.chains.replaced, strict=True) if outcome.state is not validator else ((), ())
        expected_views = () if after is before else (after,)
        claim("stored under the one chain", all(key is given.target for key in keys))
        claim("what changed is stored", [id(view) for view in views] == [id(view) for view in expected_views])
        claim("the outputs are passed on", outcome.outputs == ("output",))

    yield from lifted("handle", run)


# --- Anticipation ------------------------------------------------------------------------------------------------


@formula("OWING")
def owes(chain: Chain, origin: Any) -> z3.BoolRef:
    """Say that an origin is listed as owing exactly if its mailbox holds messages consumed by anticipation."""
    local: Any = chain.localized
    listed: z3.BoolRef = local.owing.array[origin] == is_owed(local, origin)
    return listed


def is_owed(local: Any, origin: Any) -> z3.BoolRef:
    """Say that the mailbox of an origin holds messages consumed by anticipation."""
    box = local.mailboxes.array[origin]
    queue = part_of(MAILBOXES, type(MAILBOXES.unpack(box)), "removed")(box)
    head, tail = queue.sort().accessor(0, 1)(queue), queue.sort().accessor(0, 2)(queue)
    return conj(local.mailboxes.present[origin], head < tail)


@proof("OWING")
def owing(_: Given) -> Iterator[Query]:
    """Store an arbitrary inbox, and look at an arbitrary origin."""

    def run() -> None:
        chain, origin, looked_at = any_chain(), unknown(CHAIN_IDS, "origin"), fresh("any origin", CHAIN_IDS.sort)
        assume(said("OWING", chain, looked_at))
        after = attempt(put_inbox, chain, origin, any_inbox("inbox"))
        claim("still listed exactly then", said("OWING", after, looked_at))

    yield from lifted("put_inbox", run)


@formula("NOTHING-OWED")
def passes_check(whole: Any, is_marked: Any, is_owed: Any, consumes: Any) -> z3.BoolRef:
    """Say what a check that passed means for an origin and a message: not marked, or not owed or not consumed."""
    return z3.If(whole, z3.Not(is_marked), z3.Not(conj(is_marked, is_owed, consumes)))


@proof("NOTHING-OWED")
def nothing_is_owed(given: Given) -> Iterator[Query]:
    """Run the check on an arbitrary staged block, under each rule."""
    for rule in AnticipationRule:

        def run(rule: AnticipationRule = rule) -> None:
            chain, origin = any_chain(), fresh("an owing origin", CHAIN_IDS.sort)
            assume(given("OWING", chain, origin))
            seen: list[Message] = []

            def one_of(owing: SSet) -> tuple[SAtom, ...]:
                assume(z3.Or(owing.array == SSet.empty(CHAIN_IDS).array, owing.array[origin]))
                return (SAtom(origin),)

            def some(items: Iterator[Message]) -> tuple[Message, ...]:
                seen.extend(islice(items, 1))
                return tuple(seen)

            def senders_of(owed: tuple[Message, ...]) -> str:
                claim("the detail is about what is owed", not owed or owed == tuple(seen))
                return "senders"

            messages = with_callees(owed_messages, sorted=one_of, tuple=some)
            check = with_callees(
                check_not_anticipated, owed_messages=messages, received_messages=Consumed, senders_of=senders_of
            )
            block: Any = unknown(EXECUTED, "executed")
            context = any_context(rules=Rules(anticipation=rule))
            outcome, owing = attempt(check, context, Staged(chain, block)), chain.localized.owing
            is_marked = owing.array[origin]  # type: ignore[attr-defined]
            claim_nothing_owed(rule, chain, outcome, seen, is_marked)

        yield from lifted(rule.name, run)


def claim_nothing_owed(rule: AnticipationRule, chain: Chain, outcome: Any, seen: list[Message], is_marked: Any) -> None:
    """Claim that a block passes exactly if what the rule looks at is empty; the one message seen stands for all."""
    owed = z3.Not(chain.localized.owing.is_empty.term)  # type: ignore[attr-defined]
    consumed = disj(*(CONSUMES(MESSAGES.pack(message)) for message in seen))
    forbidden = owed if rule is AnticipationRule.WHOLE_INBOX else conj(owed, consumed)
    if isinstance(outcome, Rejected):
        claim("rejects only if something is owed", forbidden)
        claim("as MISSING_CROSS_CHAIN_UPDATE", same(outcome, Rejected(Reason.MISSING_CROSS_CHAIN_UPDATE, "senders")))
    else:
        claim("accepts only if nothing is owed", z3.Not(forbidden))
        whole = z3.BoolVal(rule is AnticipationRule.WHOLE_INBOX)
        claim("the contract", said("NOTHING-OWED", whole, is_marked, z3.BoolVal(True), consumed))


CONSUMES: Final = z3.Function("consumes", MESSAGES.sort, z3.BoolSort())


@frozen(eq=False)
class Consumed:
    """Stand for the messages that a block receives: whether a message is among them."""

    block: Any

    def __contains__(self, message: Message) -> bool:
        """Whether the block receives it."""
        return decide(CONSUMES(MESSAGES.pack(message)))

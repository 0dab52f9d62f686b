"""Every handler is a function, rejections included (S23): run twice on the same arguments, it ends the same way.

A rule is run with stand-ins for the rules that it calls, of which is known that they are functions; no rule calls
itself, so this is an induction along the calls. A loop is run once for an arbitrary value and item, and where a
comprehension goes over a list, an arbitrary item stands for all.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any, Final, TypeAlias

import z3
from attrs import evolve

from linera_invariants.proofs.codecs import (
    BOOLEANS,
    BYTES,
    CHAIN_IDS,
    atoms,
    members,
    optional,
    records,
    unknown,
)
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import SAtom, assume, claim, decide, fresh, term
from linera_invariants.proofs.theorems import Given, formula, proof
from linera_invariants.proofs.twins import SMap, SQueue, SSet
from linera_reference.application import Effect
from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Certificate, Kind, check_certificate, check_signers
from linera_reference.certification import check_proposal, check_proposer, check_validated_kind, proposal_kind
from linera_reference.chain import (
    Chain,
    Consistent,
    Localized,
    confirm_messages,
    hashed_state,
    inbox_of,
    owed_messages,
    put_inbox,
    restart_chain,
)
from linera_reference.committee import Committee
from linera_reference.context import Context
from linera_reference.execution import (
    Running,
    Staged,
    apply_effect,
    check_not_anticipated,
    commit_block,
    consume_messages,
    execute_block,
    execute_message,
    execute_operation,
    execute_transaction,
    execute_transactions,
    open_chain,
    received_messages,
    senders_of,
)
from linera_reference.inbox import add, next_height_to_receive, remove
from linera_reference.messages import Cursor, Message, OutgoingMessage
from linera_reference.outbox import ConfirmUpdatedRecipient, Outbox, UpdateRecipient, confirm
from linera_reference.rejections import Accepted, Rejected
from linera_reference.rounds import lock_after
from linera_reference.rules import BASELINE, AnticipationRule, QuorumRule, Rules
from linera_reference.validator import (
    Validator,
    archive_chain,
    chain_info,
    check_batch,
    check_confirmed,
    check_justification,
    check_validated,
    cross_chain_requests,
    execute_certified,
    handle,
    handle_at,
    handle_certificate,
    handle_confirm_updated_recipient,
    handle_request,
    handle_update_recipient,
    handle_validated,
    receive_block,
    select,
    sent_messages,
    update_recipient,
    votes_of,
)

from .certification import same
from .chain import (
    CURSORS,
    HASHES,
    HEIGHTS,
    KEY_SETS,
    LOCK,
    MAILBOXES,
    MESSAGE_LISTS,
    MESSAGES,
    OUTBOXES,
    OWNER,
    OWNERS,
    REQUESTS,
    ROUNDS,
    SOME_OWNER,
    STATES,
    VOTED,
    any_chain,
    any_signer,
    opened,
)
from .execution import RUNNING, TRANSACTIONS, any_inbox
from .inbox import unknown_inbox
from .laws import HANDLERS, any_input
from .mailboxes import opaque
from .owners import owner_changes
from .purity import (
    REASONS,
    Called,
    Function,
    Lockstep,
    any_counters,
    any_outboxes,
    claim_function,
    is_function,
)
from .rounds import with_lock, with_reason

Case: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...]]
"""A rule with stand-ins for what it calls, and arbitrary arguments."""

ANYTHING: Final = atoms("Anything")


def anything() -> Any:
    """Return a value that is only passed on."""
    return SAtom(fresh("anything", ANYTHING.sort))


def plain_chain(local: Mapping[str, Any] | None = None, **part: Any) -> Chain:
    """Return a view of a chain of which nothing is there but some fields; the rest is only passed on."""
    halves: Any = (Consistent, part), (Localized, local or {})
    consistent, localized = (kind(**opaque(kind) | dict(given)) for kind, given in halves)
    return Chain(unknown(CHAIN_IDS, "chain"), consistent, localized)


def growing() -> Any:
    """Return a log that is only added to."""
    return SimpleNamespace(append=sure(), length=anything())


def any_owner() -> Any:
    """Return an owner, or none."""
    return opened(SOME_OWNER, unknown(OWNERS, "owner"))


def plain_context(application: Any = None, rules: Rules = BASELINE) -> Context:
    """Return the context of an arbitrary node."""
    committee: Any = anything()
    return Context(PureScheme(), application, committee, rules, unknown(BOOLEANS, "tracks_inactive"))  # type: ignore[arg-type]


class PureScheme:
    """Hashes and signatures of which nothing is known but that they are functions."""

    def __init__(self) -> None:
        self.hash = sure(partial(unknown, BYTES, "hash"))
        self.sign = sure()
        self.verifies = sure(partial(unknown, BOOLEANS, "genuine"))

    def verifier(self, payload: Any) -> Callable[..., Any]:
        """Return the check of signatures on a payload."""
        return partial(self.verifies, payload)


def builtin(make: Callable[[], Any] = anything) -> Callable[..., Any]:
    """Stand for a builtin over a list."""
    return sure(make).of_items


def inner(make: Callable[[], Any] = lambda: None) -> Function:
    """Stand for a rule that is called."""
    return Function(is_function, make)


def sure(make: Callable[[], Any] = anything) -> Function:
    """Stand for one that never rejects."""
    return Function(is_function, make, rejects=False)


def message() -> Any:
    """Return an arbitrary message."""
    return unknown(records(Message), "message")


class Shown(SAtom):
    """The messages of a block; in a comprehension the one at an arbitrary place stands for all."""

    __slots__ = ()
    __hash__ = None

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Give it."""
        parts = (("recipient", CHAIN_IDS), ("content", ANYTHING))
        sort = self.term.sort()
        yield SimpleNamespace(**{n: SAtom(z3.Function(f"{n}_of_one", sort, c.sort)(self.term)) for n, c in parts})


def any_certificate(kind: Any = None) -> Certificate:
    """Return an arbitrary certificate, whose kind is looked at if it is given."""
    kind, number = kind or anything(), unknown(HEIGHTS, "round")
    return Certificate(any_executed(), kind, number, anything())


def any_executed() -> ExecutedBlock:
    """Return an arbitrary executed block."""
    messages: Any = Shown(fresh("messages", z3.DeclareSort("Shown")))
    return ExecutedBlock(any_block_of(anything()), messages, unknown(BYTES, "state_hash"))


def any_block_of(transactions: Any) -> Block:
    """Return an arbitrary block with some transactions."""
    return Block(unknown(CHAIN_IDS, "chain"), unknown(HEIGHTS, "height"), unknown(HASHES, "previous"), transactions)


def any_mark(name: str) -> Callable[[], Any]:
    """Return what only is asked whether there is any of it."""
    return lambda: Some(fresh(name, z3.DeclareSort("Some")))


class Some(SAtom):
    """A list of which only is asked whether it is empty."""

    __slots__ = ()
    __hash__ = None

    def __bool__(self) -> bool:
        """Decide."""
        return decide(z3.Function("is_not_empty", self.term.sort(), z3.BoolSort())(self.term))


# --- Inboxes and messages ----------------------------------------------------------------------------------------


def arriving(_: Given) -> Case:
    """One message arrives."""
    return add, (unknown_inbox(splits_as_ever), unknown(MESSAGES, "message"))


def removing(_: Given) -> Case:
    """One message is consumed."""
    return remove, (unknown_inbox(splits_as_ever), unknown(MESSAGES, "message"))


def splits_as_ever(queue: SQueue, split: Any, bound: Any, _: Any) -> z3.BoolRef:
    """Say that the loop of a queue ends where it always ends: it ends at one place only."""
    packed = queue.array, queue.head, queue.tail, CURSORS.pack(bound) if isinstance(bound, Cursor) else term(bound)
    same_split: z3.BoolRef = split == z3.Function("end of loop", *(x.sort() for x in packed), z3.IntSort())(*packed)
    return same_split


def storing(_: Given) -> Case:
    """An inbox is stored."""
    return put_inbox, (any_chain(), unknown(CHAIN_IDS, "origin"), any_inbox("inbox"))


def reading(_: Given) -> Case:
    """An inbox is read."""
    return inbox_of, (any_chain(), unknown(CHAIN_IDS, "origin"))


def counting_heights(_: Given) -> Case:
    """The next height to receive."""
    return next_height_to_receive, (any_inbox("inbox"),)


def sending(_: Given) -> Case:
    """The messages of a block to one chain."""
    index = unknown(HEIGHTS, "index")
    rule = with_callees(sent_messages, enumerate=lambda items: ((index, item) for item in items), tuple=builtin())
    return rule, (plain_context(), any_certificate(), unknown(CHAIN_IDS, "recipient"))


def receiving(_: Given) -> Case:
    """One block arrives."""
    turn = lambda: (plain_chain(created=unknown(BOOLEANS, "created")), message())  # noqa: E731
    loop = Lockstep(turn, lambda: plain_chain(growing_logs()))
    rule = with_callees(
        receive_block,
        add=inner(anything),
        fold=loop.fold,
        inbox_of=sure(),
        put_inbox=sure(),
        sent_messages=sure(),
    )
    application: Any = SimpleNamespace(initial_state=builtin(partial(unknown, STATES, "initial")))
    return rule, (plain_context(application), plain_chain(), any_certificate())


def checking_batch(_: Given) -> Case:
    """The check of a batch."""
    loop = Lockstep(lambda: (unknown(HEIGHTS, "last"), any_certificate(unknown(members(Kind), "kind"))), anything)
    rule = with_callees(
        check_batch,
        any=builtin(partial(unknown, BOOLEANS, "some")),
        fold=loop.fold,
        len=sure(partial(unknown, HEIGHTS, "length")),
    )
    return rule, (any_request(anything()),)


def any_request(certificates: Any) -> UpdateRecipient:
    """Return an arbitrary batch of some certificates."""
    return UpdateRecipient(unknown(CHAIN_IDS, "sender"), unknown(CHAIN_IDS, "recipient"), certificates)


def selecting(_: Given) -> Case:
    """The selection of a batch."""
    request = any_request((any_certificate(),))
    return with_callees(select, tuple=builtin()), (request, unknown(HEIGHTS, "next_height"))


def requesting(_: Given) -> Case:
    """All pending requests."""
    recipients = sure(lambda: (unknown(CHAIN_IDS, "recipient"),))
    callees = {"sorted": recipients, "tuple": builtin(), "update_recipient": sure()}
    return with_callees(cross_chain_requests, **callees), (plain_chain({"outboxes": any_outboxes("outboxes")}),)


def requesting_one(_: Given) -> Case:
    """The request for one recipient."""
    at, outboxes = sure(), any_outboxes("outboxes")
    chain: Any = SimpleNamespace(
        chain_id=unknown(CHAIN_IDS, "sender"),
        localized=SimpleNamespace(certificates=SimpleNamespace(at=at), outboxes=outboxes),
    )
    recipient = unknown(CHAIN_IDS, "recipient")
    assume(outboxes.present[recipient.term])
    height = unknown(HEIGHTS, "height")
    rule = with_callees(update_recipient, map=lambda function, _: (function(height),), tuple=builtin())
    return rule, (chain, recipient)


def confirming(_: Given) -> Case:
    """The heights that leave an outbox."""
    queue: Any = SQueue.unknown(HEIGHTS, "queue", splits_as_ever)
    return confirm, (Outbox(unknown(HEIGHTS, "next_schedule"), queue), unknown(HEIGHTS, "height"))


# --- Certificates ------------------------------------------------------------------------------------------------


def checking_signers(_: Given) -> Case:
    """The check of the signers."""

    def turn() -> tuple[Any, Any]:
        return (SSet.unknown(BYTES, "seen"), unknown(HEIGHTS, "votes")), unknown(BYTES, "signer")

    loop = Lockstep(turn, lambda: turn()[0])
    weights: Any = SMap.unknown(BYTES, HEIGHTS, "weights")
    committee = Committee(weights, unknown(HEIGHTS, "total"))
    quorum = QuorumRule.N_MINUS_F if decide(fresh("N - f", z3.BoolSort())) else QuorumRule.HALF_WAY
    return with_callees(check_signers, fold=loop.fold), (committee, anything(), quorum)


def checking_certificate(_: Given) -> Case:
    """The check of a certificate."""
    vote = unknown(BYTES, "signer"), unknown(BYTES, "signature")
    loop = Lockstep(lambda: (None, vote), lambda: None)
    rule = with_callees(check_certificate, check_signers=inner(), fold=loop.fold, tuple=builtin())
    certificate = evolve(any_certificate(), signatures=(vote,))
    return rule, (PureScheme(), anything(), certificate, QuorumRule.N_MINUS_F)


def checking_confirmed(_: Given) -> Case:
    """The check of a confirmed certificate."""
    rule = with_callees(check_confirmed, check_certificate=inner(partial(unknown, BYTES, "hash")))
    return rule, (plain_context(), any_certificate(unknown(members(Kind), "kind")))


def checking_validated(_: Given) -> Case:
    """The check of a validated certificate."""
    rule = with_callees(check_validated, check_certificate=inner(partial(unknown, BYTES, "hash")))
    return rule, (plain_context(), any_certificate(unknown(members(Kind), "kind")))


# --- Owners and rounds -------------------------------------------------------------------------------------------


def checking_justification(_: Given) -> Case:
    """The check of a justification."""
    rule = with_callees(check_justification, check_validated=inner())
    return rule, (plain_context(), maybe(any_certificate)())


def checking_proposer(_: Given) -> Case:
    """Who may propose."""
    chosen = unknown(KEY_SETS, "chosen") if decide(fresh("restricts", z3.BoolSort())) else None
    return check_proposer, (unknown(optional(OWNER), "owner"), chosen, unknown(BYTES, "proposer"))


def checking_proposal(_: Given) -> Case:
    """What is voted for."""
    owner, request = unknown(optional(OWNER), "owner"), with_reason(unknown(REQUESTS, "request"))
    return check_proposal, (owner, unknown(optional(VOTED), "pending"), with_lock(any_rounds()), request)


def choosing_kind(_: Given) -> Case:
    """The kind of a vote."""
    return proposal_kind, (unknown(optional(OWNER), "owner"),)


def checking_kind(_: Given) -> Case:
    """Where validated certificates belong."""
    return check_validated_kind, (unknown(optional(OWNER), "owner"),)


def locking(_: Given) -> Case:
    """The lock after a certificate."""
    return lock_after, (with_lock(any_rounds()), unknown(LOCK, "certificate"))


def voting(_: Given) -> Case:
    """A vote."""
    return votes_of, (plain_context(), maybe(any_signer)(), anything())


# --- Execution ---------------------------------------------------------------------------------------------------


def consuming(_: Given) -> Case:
    """The messages that a block consumes."""
    loop = Lockstep(lambda: (plain_chain(), unknown(MESSAGES, "message")), plain_chain)
    rule = with_callees(
        consume_messages,
        fold=loop.fold,
        inbox_of=sure(),
        put_inbox=sure(),
        received_messages=sure(lambda: (unknown(MESSAGES, "one"),)),
        remove=inner(anything),
        sorted=builtin(),
    )
    return rule, (plain_chain(), any_block_of((anything(),)))


def reading_received(_: Given) -> Case:
    """The messages that a block receives."""
    block = any_block_of((unknown(TRANSACTIONS, "transaction"),))
    return with_callees(received_messages, tuple=builtin()), (block,)


def transacting(_: Given) -> Case:
    """The transactions of a block."""
    loop = Lockstep(
        lambda: (unknown(RUNNING, "before"), (unknown(HEIGHTS, "index"), anything())),
        lambda: (unknown(RUNNING, "after"), anything()),
    )
    rule = with_callees(
        execute_transactions,
        enumerate=builtin(),
        execute_transaction=inner(partial(unknown, RUNNING, "ran")),
        gather=loop.fold,
    )
    chain = plain_chain(owner=any_owner(), tx_count=unknown(HEIGHTS, "count"))
    return rule, (plain_context(), chain, any_block_of((anything(),)))


def transacting_once(given: Given) -> Case:
    """One transaction."""
    loop = Lockstep(lambda: (None, unknown(records(OutgoingMessage), "outgoing")), lambda: None)
    effects = Function(partial(yields_the_same, given), any_effect)
    application: Any = SimpleNamespace(execute_operation=effects, execute_message=effects)
    identifies = sure(partial(unknown, BOOLEANS, "an identifier"))
    apply = with_callees(apply_effect, fold=loop.fold, is_identifier=identifies)
    rule = with_callees(
        execute_transaction,
        execute_operation=with_callees(execute_operation, apply_effect=apply),
        execute_message=with_callees(execute_message, apply_effect=apply),
        open_chain=with_callees(open_chain, child=inner(partial(unknown, CHAIN_IDS, "child"))),
        change_owners=owner_changes(),
    )
    running = Running(unknown(optional(OWNER), "owner"), unknown(STATES, "state"))
    item = unknown(TRANSACTIONS, "transaction")
    return rule, (plain_context(application), unknown(CHAIN_IDS, "chain"), unknown(HEIGHTS, "index"), running, item)


def any_effect() -> Effect:
    """Return an arbitrary effect."""
    return Effect(unknown(STATES, "state after"), unknown(MESSAGE_LISTS, "sent"))


def yields_the_same(given: Given, first: Called, second: Called) -> z3.BoolRef:
    """Say what is assumed of an application: the same for the same arguments."""
    ends = z3.BoolVal(True), same(first.answer, second.answer)
    return z3.Implies(same(first.arguments, second.arguments), given("APPLICATION-IS-A-FUNCTION", *ends))


def executing(_: Given) -> Case:
    """A block."""
    rule = with_callees(
        execute_block,
        consume_messages=inner(lambda: plain_chain(tx_count=unknown(HEIGHTS, "count"))),
        execute_transactions=inner(lambda: (unknown(RUNNING, "ran"), unknown(MESSAGE_LISTS, "sent"))),
        hashed_state=with_callees(hashed_state, encode=sure(partial(unknown, BYTES, "encoded"))),
        len=sure(partial(unknown, HEIGHTS, "count")),
    )
    return rule, (plain_context(), plain_chain(), any_block_of((anything(),)))


def checking_owed(_: Given) -> Case:
    """What a block may not have anticipated."""
    rule = AnticipationRule.WHOLE_INBOX if decide(fresh("baseline", z3.BoolSort())) else AnticipationRule.THIS_PROPOSAL
    check = with_callees(
        check_not_anticipated,
        owed_messages=sure(lambda: Owed(fresh("owed", z3.DeclareSort("Some")))),
        received_messages=sure(partial(Consumed, sure(partial(unknown, BOOLEANS, "is there")))),
        senders_of=sure(),
        tuple=builtin(any_mark("owed by this block")),
    )
    staged: Any = SimpleNamespace(
        chain=SimpleNamespace(localized=SimpleNamespace(owing=SSet.unknown(CHAIN_IDS, "owing"))),
        executed=SimpleNamespace(block=anything()),
    )
    return check, (plain_context(rules=Rules(anticipation=rule)), staged)


class Owed(Some):
    """Messages of which an arbitrary one stands for all."""

    __slots__ = ()
    __hash__ = None

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Give it."""
        yield SAtom(z3.Function("owed_message", self.term.sort(), ANYTHING.sort)(self.term))


class Consumed:
    """Messages of which only is asked whether one is among them."""

    def __init__(self, holds: Function) -> None:
        self.holds = holds

    def __contains__(self, item: Any) -> bool:
        """Whether it is."""
        return bool(self.holds(item))


def owing(_: Given) -> Case:
    """All messages that a chain is owed."""
    origins, boxes = sure(lambda: (anything(),)), sure(lambda: SimpleNamespace(removed=(anything(),)))
    local = SimpleNamespace(mailboxes=Looked(boxes), owing=anything())
    rule = with_callees(owed_messages, sorted=origins, tuple=builtin())
    return rule, (SimpleNamespace(localized=local),)


class Looked:
    """A map that is only looked up."""

    def __init__(self, find: Function) -> None:
        self.find = find

    def __getitem__(self, key: Any) -> Any:
        """Look a key up."""
        return self.find(key)


def naming_senders(_: Given) -> Case:
    """The blocks that sent some messages; places are only put together and sorted."""
    sent = SimpleNamespace(origin=object(), height=object())
    return with_callees(senders_of, sorted=builtin(lambda: (anything(),)), tuple=builtin()), ((sent,),)


RULES: Final[Mapping[str, Callable[[Given], Case]]] = {
    "add": arriving,
    "remove": removing,
    "put_inbox": storing,
    "inbox_of": reading,
    "next_height_to_receive": counting_heights,
    "sent_messages": sending,
    "receive_block": receiving,
    "check_batch": checking_batch,
    "select": selecting,
    "cross_chain_requests": requesting,
    "update_recipient": requesting_one,
    "confirm": confirming,
    "check_signers": checking_signers,
    "check_certificate": checking_certificate,
    "check_confirmed": checking_confirmed,
    "check_validated": checking_validated,
    "check_justification": checking_justification,
    "check_proposer": checking_proposer,
    "check_proposal": checking_proposal,
    "proposal_kind": choosing_kind,
    "check_validated_kind": checking_kind,
    "lock_after": locking,
    "votes_of": voting,
    "consume_messages": consuming,
    "received_messages": reading_received,
    "execute_transactions": transacting,
    "execute_transaction": transacting_once,
    "execute_block": executing,
    "check_not_anticipated": checking_owed,
    "owed_messages": owing,
    "senders_of": naming_senders,
}

formula("RULES-ARE-FUNCTIONS")(is_function)


@proof("RULES-ARE-FUNCTIONS")
def inner_rules(given: Given) -> Iterator[Query]:
    """Run each rule that handlers call twice; the loop of a queue may end at one place only."""
    yield from lifted("split_before", partial(one_split, given))
    yield from run_twice(given, RULES)


def one_split(given: Given) -> None:
    """Claim that two ends of the loop of a queue, under one bound, are the same."""
    queue, bound = SQueue.unknown(HEIGHTS, "queue"), unknown(HEIGHTS, "bound")
    first, second = (fresh("split", z3.IntSort()) for _ in range(2))
    for split in (first, second):
        assume(given("QUEUE-SPLIT", queue, split, bound, lambda height: height))
    claim("one end", first == second)


def run_twice(given: Given, cases: Mapping[str, Callable[[Given], Case]]) -> Iterator[Query]:
    """Run each rule twice on the same arguments."""
    for name, prepare in cases.items():

        def run(prepare: Callable[[Given], Case] = prepare) -> None:
            rule, arguments = prepare(given)
            claim_function(rule, *arguments)

        yield from lifted(name, run)


# --- Handlers ----------------------------------------------------------------------------------------------------


def called(given: Given, make: Callable[[], Any] = lambda: None) -> Function:
    """Stand for a rule that is proved to be a function."""
    return Function(partial(given, "RULES-ARE-FUNCTIONS"), make)


def requested(given: Given) -> Case:
    """A request."""
    rule = with_callees(
        handle_request,
        check_justification=called(given),
        check_not_anticipated=called(given),
        check_proposal=called(given, maybe(anything)),
        check_proposer=called(given),
        cross_chain_requests=called(given, lambda: (anything(),)),
        execute_block=called(given, lambda: SimpleNamespace(executed=anything())),
        proposal_kind=called(given, anything),
        votes_of=called(given, lambda: (anything(),)),
    )
    application: Any = SimpleNamespace(proposers=Function(partial(yields_the_same, given), anything))
    chain = plain_chain({"rounds": any_rounds()}, owner=any_owner(), **any_heights())
    return rule, (plain_context(application), chain, unknown(REQUESTS, "request"), anything())


def maybe(make: Callable[[], Any]) -> Callable[[], Any]:
    """Return what makes ⊥ or a value."""
    return lambda: make() if decide(fresh("is there", z3.BoolSort())) else None


def any_rounds() -> Any:
    """Return arbitrary rounds."""
    return unknown(ROUNDS, "rounds")


def validated(given: Given) -> Case:
    """A validated certificate."""
    rule = with_callees(
        handle_validated,
        chain_info=with_callees(chain_info, len=lambda log: log.length),
        check_validated=called(given),
        check_validated_kind=called(given),
        cross_chain_requests=called(given, lambda: (anything(),)),
        lock_after=called(given, anything),
        votes_of=called(given, lambda: (anything(),)),
    )
    chain = plain_chain({"rounds": any_rounds(), **growing_logs()}, owner=any_owner(), **any_heights())
    return rule, (plain_context(), chain, any_certificate(), anything())


def restarted(_: Given) -> Case:
    """A restart; of mailboxes and outboxes arbitrary ones stand for all."""
    entry, outbox = (anything(), unknown(MAILBOXES, "mailbox")), SimpleNamespace(queue=(unknown(HEIGHTS, "queued"),))
    boxes = {
        "mailboxes": SimpleNamespace(items=lambda: (entry,)),
        "outboxes": SimpleNamespace(values=lambda: (outbox,)),
    }
    chain = plain_chain(boxes)
    folds = sure()
    return with_callees(restart_chain, fold=lambda _, init, items: folds(init, tuple(items))), (chain,)


def any_heights() -> dict[str, Any]:
    """Return arbitrary values of what handlers look at beside the owner."""
    codecs = {"created": BOOLEANS, "next_height": HEIGHTS, "block_hash": HASHES}
    return {name: unknown(codec, name) for name, codec in codecs.items()}


def certified(given: Given) -> Case:
    """A certificate."""
    scheduled = Function(partial(given, "SCHEDULE-IS-A-FUNCTION"), lambda: (anything(), anything()))

    def schedule(local: Any, recipients: Any, height: Any) -> Any:
        return scheduled(local.outboxes, local.counters, recipients, height)

    rule = with_callees(
        handle_certificate,
        chain_info=with_callees(chain_info, len=lambda log: log.length),
        commit_block=with_callees(commit_block, frozenset=builtin(), schedule_messages=schedule),
        cross_chain_requests=called(given, lambda: (anything(),)),
        execute_certified=with_callees(
            execute_certified,
            check_confirmed=called(given, partial(unknown, BYTES, "hash")),
            execute_block=called(given, any_staged),
        ),
    )
    chain = plain_chain(growing_logs(), owner=any_owner(), **any_heights())
    return rule, (plain_context(), chain, any_certificate())


def growing_logs() -> dict[str, Any]:
    """Return the logs of the localized part."""
    return {name: growing() for name in ("received", "certificates")}


def any_staged() -> Staged:
    """Return an arbitrary staged block."""
    chain = plain_chain(growing_logs(), owner=anything(), log=growing(), **any_heights())
    return Staged(chain, any_executed())


def delivered(given: Given) -> Case:
    """A batch."""
    view = lambda: plain_chain(created=unknown(BOOLEANS, "created"), owner=any_owner())  # noqa: E731
    loop = Lockstep(lambda: (plain_chain(), any_certificate()), view)
    rule = with_callees(
        handle_update_recipient,
        check_batch=called(given),
        fold=loop.fold,
        inbox_of=called(given),
        next_height_to_receive=called(given, partial(unknown, HEIGHTS, "next height")),
        receive_block=called(given, plain_chain),
        select=called(given, any_mark("selected")),
    )
    return rule, (plain_context(), plain_chain(), any_request(anything()))


def answered(given: Given) -> Case:
    """An acknowledgement."""

    def turn() -> tuple[Any, Any]:
        counters, height = any_counters("counters"), unknown(HEIGHTS, "height")
        assume(counters.present[height.term])
        return counters, height

    loop = Lockstep(turn, partial(any_counters, "counted"))
    confirmed = called(given, lambda: (anything(), unknown(OUTBOXES, "confirmed")))
    confirm_all = with_callees(confirm_messages, confirm=confirmed, fold=loop.fold)
    rule = with_callees(handle_confirm_updated_recipient, confirm_messages=confirm_all)
    chain = plain_chain({"outboxes": any_outboxes("outboxes")})
    return rule, (chain, unknown(records(ConfirmUpdatedRecipient), "answer"))


def archived(_: Given) -> Case:
    """A closed chain; of its mailboxes an arbitrary one stands for all."""
    entry, state = (anything(), unknown(MAILBOXES, "mailbox")), anything()
    logs = {name: SimpleNamespace(forget=sure()) for name in ("received", "certificates")}
    chain = plain_chain(
        {"mailboxes": SimpleNamespace(items=lambda: (entry,)), **logs},
        created=unknown(BOOLEANS, "created"),
        owner=any_owner(),
        state=state if decide(fresh("is no tombstone", z3.BoolSort())) else None,
        log=SimpleNamespace(forget=sure()),
    )
    size = sure(partial(unknown, HEIGHTS, "size"))
    return with_callees(archive_chain, Map=builtin(), len=size, sorted=sure(), tuple=sure()), (chain,)


def routed(given: Given) -> Case:
    """Any input to a whole validator."""
    known = partial(given, "RULES-ARE-FUNCTIONS")
    handlers = {name: Function(known, any_outcome, rejects=False) for name in HANDLERS}
    chains: Any = SimpleNamespace(get=sure(any_view), set=sure())
    rule = with_callees(handle, handle_at=with_callees(handle_at, **handlers))
    context, signer = plain_context(), any_signer()
    return rule, (context, Validator(chains), any_input(context, signer).item, signer)


def any_view() -> Any:
    """Return an arbitrary view of a chain, or none."""
    return plain_chain() if decide(fresh("is stored", z3.BoolSort())) else None


def any_outcome() -> Any:
    """Return an arbitrary outcome of a handler."""
    if decide(fresh("is rejected", z3.BoolSort())):
        return Rejected(unknown(REASONS, "reason"), anything())
    return Accepted(plain_chain(), (anything(),))


CASES: Final[Mapping[str, Callable[[Given], Case]]] = {
    "handle_request": requested,
    "handle_certificate": certified,
    "handle_validated": validated,
    "restart_chain": restarted,
    "handle_update_recipient": delivered,
    "handle_confirm_updated_recipient": answered,
    "archive_chain": archived,
    "handle": routed,
}


@proof("HANDLERS-ARE-FUNCTIONS")
def handlers(given: Given) -> Iterator[Query]:
    """Run each handler twice."""
    yield from run_twice(given, CASES)

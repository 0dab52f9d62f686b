"""Handlers: what each of them does to the cell that it is given, and what it answers."""

from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, Final

import attrs
import z3
from attrs import evolve, field, frozen

from linera_invariants.proofs.cells import CellTerms, RequestTerms, VoteTerms
from linera_invariants.proofs.cells import allows as allows_in_round
from linera_invariants.proofs.codecs import CHAIN_IDS, INTEGERS, atoms, optional, records, unknown
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.lists import SList
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import SAtom, SInt, assume, attempt, claim, conj, decide, disj, fresh, term
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import SMap, SSet
from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Certificate, Kind, Vote, VotePayload
from linera_reference.certification import check_proposer
from linera_reference.chain import LOCALIZED, Chain, Localized, restart_chain
from linera_reference.containers import Queue
from linera_reference.context import Context
from linera_reference.crypto import Signer
from linera_reference.execution import Staged, commit_block
from linera_reference.inbox import Inbox, next_height_to_receive
from linera_reference.notation import MAX_U64
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.ownership import Owners
from linera_reference.rejections import Accepted, Reason, Rejected
from linera_reference.request import Request
from linera_reference.rounds import lock_after
from linera_reference.validator import (
    archive_chain,
    chain_info,
    execute_certified,
    handle_certificate,
    handle_confirm_updated_recipient,
    handle_request,
    handle_update_recipient,
    handle_validated,
    votes_of,
)

from .certification import Guard, column
from .chain import (
    BLOCKS,
    CERTIFICATES,
    CHOICES,
    CREATION,
    EXECUTED,
    HASH_OF,
    HEIGHTS,
    LOCK,
    MAILBOXES,
    OUTBOXES,
    OWNER,
    PAYLOADS,
    REQUESTS,
    REST,
    SIGNATURE,
    STATES,
    WORDS,
    SForgotten,
    any_chain,
    any_context,
    any_mailboxes,
    any_signer,
    certificate_terms,
    has_key,
    is_several,
    opened,
    option,
    owned,
    part_of,
    rest_of,
    terms_of,
    terms_of_request,
    with_rest,
)
from .deliveries import BY_DELIVERY, Receiving, claim_only_mailboxes, summary_of_receiving
from .execution import Application, any_inbox, may_reject, used
from .owners import ALLOWED, summary_of_choice
from .rounds import (
    VALIDATED,
    VERIFIES,
    binding_round,
    check_validated,
    current,
    is_low,
    is_repeated,
    summary_of_justification,
    voting_rules,
    with_lock,
)

# --- Frames ------------------------------------------------------------------------------------------------------


def claim_frame(before: Chain, after: Chain, *changed: str) -> None:
    """Claim that a handler left everything localized as it was, but for some fields."""
    kept = [f.name for f in attrs.fields(Localized) if f.name not in changed]
    same = [getattr(before.localized, name) is getattr(after.localized, name) for name in kept]
    claim(f"nothing localized changes but {', '.join(changed)}", all(same) and before.chain_id is after.chain_id)


# --- Summaries of callees ----------------------------------------------------------------------------------------


def summary_of_execution(given: Given) -> Callable[[Context, Chain, Block], Staged]:
    """Return what is proved of ``execute_block``: it rejects, or stages what the rest and the block lead to."""
    known = used(given)

    def execute_block(_: Context, chain: Chain, block: Block) -> Staged:
        may_reject(Reason.USER_ERROR)
        executed, rest = unknown(EXECUTED, "staged"), unknown(REST, "staged.rest")
        before = REST.pack(rest_of(chain.consistent))
        yields = (EXECUTED.pack(executed), REST.pack(rest))
        assume(known("EXECUTION-IS-A-FUNCTION", WORDS, before, BLOCKS.pack(block), *yields))
        assume(known("EXECUTION-KEEPS", WORDS, CREATION, before, BLOCKS.pack(block)))
        local = evolve(chain.localized, **any_mailboxes("staged"))
        return Staged(Chain(chain.chain_id, with_rest(chain.consistent, rest), local), executed)

    return execute_block


@frozen(eq=False)
class Staging:
    """Stand for the execution of a proposed block and the check of what it owes; note what was staged."""

    execute: Callable[[Context, Chain, Block], Staged]
    staged: list[Staged] = field(factory=list)

    def execute_block(self, context: Context, chain: Chain, block: Block) -> Staged:
        """Reject, or stage the block."""
        self.staged.append(self.execute(context, chain, block))
        return self.staged[-1]

    def check_not_anticipated(self, context: Context, staged: Staged) -> None:
        """Reject or accept: what it means is NOTHING-OWED, which no handler needs."""
        claim("the staged block is checked", type(context) is Context and staged is self.staged[-1])
        may_reject(Reason.MISSING_CROSS_CHAIN_UPDATE)

    def commit_block(self, commit: Callable[..., Chain], staged: Staged, *certified: Any) -> Chain:
        """Commit the block; what it consumed and what was received before stays."""
        claim("what was staged is committed", staged is self.staged[-1])
        chain = commit(staged, *certified)
        claim_frame(staged.chain, chain, "pending", "rounds", "outboxes", "counters", "certificates")
        return chain


def requests_of(chain: Chain) -> tuple[Any, ...]:
    """Stand for the pending cross-chain requests: what they are made of."""
    local = chain.localized
    return ((chain.chain_id, local.outboxes, local.certificates),)


def check_confirmed(_: Context, certificate: Certificate) -> Any:
    """Reject, or return the hash of the executed block (CHECK-CONFIRMED), which is certified: the word means this."""
    may_reject(Reason.CERTIFICATE_REQUIRES_QUORUM)
    executed = EXECUTED.pack(certificate.executed)
    assume(CERTIFIED(executed))
    return SAtom(HASH_OF(executed))


CERTIFIED: Final = z3.Function("certified", EXECUTED.sort, z3.BoolSort())
"""Whether ``check_confirmed`` ever accepted a certificate of an executed block."""


def schedule_messages(_: Localized, __: Any, ___: Any) -> tuple[Any, Any]:
    """Reject, or return other outboxes and counters: what they hold is a matter of the outboxes."""
    may_reject(Reason.ARITHMETIC)
    return SMap.unknown(CHAIN_IDS, OUTBOXES, "scheduled"), SMap.unknown(HEIGHTS, INTEGERS, "counted")


# --- Handlers ----------------------------------------------------------------------------------------------------


@frozen(eq=False)
class Call:
    """A handler with everything but the cell, an arbitrary cell, and what it was given."""

    handle: Callable[[Chain], Any]
    chain: Chain
    item: Any
    key: Any = None
    context: Context | None = None


def call_request(given: Given) -> Call:
    """Give an arbitrary request to ``handle_request``, with and without a key."""
    staging = Staging(summary_of_execution(given))
    handler = with_callees(
        handle_request,
        **proposal_checks(given),
        execute_block=staging.execute_block,
        check_not_anticipated=staging.check_not_anticipated,
        cross_chain_requests=requests_of,
    )
    context, chain = any_context(Restricting(given)), owned(any_chain(), OWNER)
    request: Request = unknown(REQUESTS, "request")
    request = evolve(request, block=evolve(request.block, chain_id=chain.chain_id))
    key = Key.perhaps()
    return Call(lambda c: attempt(handler, context, c, request, key), chain, request, key)


def proposal_checks(given: Given) -> dict[str, Any]:
    """Return what ``handle_request`` asks before it executes a block: the shipped rules, or what is proved of them."""
    return {
        "check_proposer": with_callees(check_proposer, may_propose=summary_of_choice(given)),
        "check_justification": summary_of_justification(given),
        "check_proposal": voting_rules(given),
        "votes_of": Key.votes_of,
    }


@frozen(eq=False)
class Key:
    """The key of a node, if it has one: it is asked for where it votes."""

    signer: Signer
    is_there: z3.BoolRef

    @classmethod
    def perhaps(cls) -> "Key":
        """Return any key, or none."""
        return cls(any_signer(), fresh("has a key", z3.BoolSort()))

    @property
    def opened(self) -> Signer | None:
        """Fork on whether there is a key."""
        return self.signer if decide(self.is_there) else None

    @staticmethod
    def votes_of(context: Context, key: "Key", payload: VotePayload) -> tuple[Vote, ...]:
        """Run the shipped rule."""
        return votes_of(context, key.opened, payload)


@frozen
class Restricting:
    """An application that may restrict who proposes."""

    given: Given

    def proposers(self, chain_id: Any, state: Any) -> Any:
        """Return a choice, or ⊥."""
        choice = unknown(CHOICES, "choice")
        expected = CHOSEN(term(chain_id), term(state))
        assume(used(self.given)("APPLICATION-IS-A-FUNCTION", choice.term, expected))
        return choice


CHOSEN: Final = z3.Function("proposers", CHAIN_IDS.sort, STATES.sort, CHOICES.sort)


def call_certificate(given: Given) -> Call:
    """Give an arbitrary certificate to ``handle_certificate``."""
    staging = Staging(summary_of_execution(given))
    execute = with_callees(execute_certified, check_confirmed=check_confirmed, execute_block=staging.execute_block)
    commit = with_callees(commit_block, schedule_messages=schedule_messages, frozenset=next)
    handler = with_callees(
        handle_certificate,
        execute_certified=execute,
        commit_block=partial(staging.commit_block, commit),
        chain_info=with_callees(chain_info, len=length_of),
        cross_chain_requests=requests_of,
    )
    context, chain = any_context(), owned(any_chain())
    certificate: Certificate = unknown(CERTIFICATES, "certificate")
    block = evolve(certificate.executed.block, chain_id=chain.chain_id)
    certificate = evolve(certificate, executed=evolve(certificate.executed, block=block))
    return Call(lambda c: attempt(handler, context, c, certificate), chain, certificate)


def call_validated(_: Given) -> Call:
    """Give an arbitrary validated certificate to ``handle_validated``, with and without a key."""
    handler = with_callees(
        handle_validated,
        chain_info=with_callees(chain_info, len=length_of),
        check_validated=check_validated,
        cross_chain_requests=requests_of,
        lock_after=lambda rounds, certificate: lock_after(with_lock(rounds), opened(LOCK, certificate)),
        votes_of=Key.votes_of,
    )
    context, chain = any_context(), owned(any_chain(), OWNER)
    certificate: Certificate = unknown(CERTIFICATES, "certificate")
    block = evolve(certificate.executed.block, chain_id=chain.chain_id)
    certificate = evolve(certificate, executed=evolve(certificate.executed, block=block))
    key = Key.perhaps()
    return Call(lambda c: attempt(handler, context, c, certificate, key), chain, certificate, key)


def length_of(log: Any) -> Any:
    """Stand for ``len``."""
    return log.length


@frozen(eq=False)
class Mailroom:
    """Stand for what ``handle_update_recipient`` asks about the batch and the inbox, and note it."""

    request: UpdateRecipient
    asked: list[tuple[Chain, Inbox]] = field(factory=list)
    checked: list[UpdateRecipient] = field(factory=list)

    def check_batch(self, request: UpdateRecipient) -> None:
        """Reject, or accept the batch."""
        claim("the batch is checked first", request is self.request and not self.asked)
        may_reject(Reason.INVALID_CROSS_CHAIN_REQUEST)
        self.checked.append(request)

    def inbox_of(self, chain: Chain, origin: Any) -> Inbox:
        """Return the inbox of the sender."""
        claim("the inbox of the sender", type(chain) is Chain and origin is self.request.sender)
        inbox = any_inbox("inbox")
        self.asked.append((chain, inbox))
        return inbox

    def select(self, request: UpdateRecipient, next_height: Any) -> SList | tuple[()]:
        """Return blocks of the batch, or none."""
        expected = term(next_height_to_receive(self.asked[0][1]))
        claim("what was not received yet is selected", request is self.request)
        claim("from the next height of the inbox on", term(next_height) == expected)
        return batch() if decide(fresh("not received yet", z3.BoolSort())) else ()


def call_delivery(given: Given) -> Call:
    """Give an arbitrary batch to ``handle_update_recipient``."""
    context, chain = any_context(Application(given)), any_chain()
    room = Mailroom(UpdateRecipient(unknown(CHAIN_IDS, "sender"), chain.chain_id, ()))
    handler = with_callees(
        handle_update_recipient,
        check_batch=room.check_batch,
        select=room.select,
        inbox_of=room.inbox_of,
        receive_block=summary_of_receiving(given),
        fold=Receiving(chain, given),
    )
    return Call(lambda c: attempt(handler, context, c, room.request), chain, room, context=context)


def batch() -> SList:
    """Return certified blocks that were not received yet, at least one."""
    length = fresh("selected", z3.IntSort())
    assume(length > 0)
    return Selected(lambda _: unknown(CERTIFICATES, "certificate"), length, fresh("place", z3.IntSort()))


class Selected(SList):
    """A list that is not empty."""

    def __bool__(self) -> bool:
        """Say so."""
        return True


def call_answer(_: Given) -> Call:
    """Give an arbitrary answer to ``handle_confirm_updated_recipient``."""
    chain, answer = any_chain(), unknown(records(ConfirmUpdatedRecipient), "answer")
    left: list[Localized] = []

    def confirm_messages(local: Localized, recipient: Any, height: Any) -> Localized:
        known = local is chain.localized and recipient is answer.recipient and height is answer.height
        claim("the acknowledged heights of the recipient leave", known)
        if not decide(fresh("nothing is queued", z3.BoolSort())):
            outboxes: Any = SMap.unknown(CHAIN_IDS, OUTBOXES, "confirmed")
            counters: Any = SMap.unknown(HEIGHTS, INTEGERS, "counted")
            local = evolve(local, outboxes=outboxes, counters=counters)
        left.append(local)
        return local

    handler = with_callees(handle_confirm_updated_recipient, confirm_messages=confirm_messages)
    return Call(lambda c: attempt(handler, c, answer), chain, left)


def call_archive(_: Given) -> Call:
    """Archive an arbitrary chain."""
    chain = owned(any_chain())
    state = optional(atoms("State")).unpack(term(chain.consistent.state))
    chain = evolve(chain, consistent=evolve(chain.consistent, state=state))
    boxes: Any = chain.localized.mailboxes
    handler = with_callees(archive_chain, len=size_of, sorted=no_matter, tuple=no_matter, Map=partial(emptied, boxes))
    return Call(lambda c: attempt(handler, c), chain, None)


def call_restart(_: Given) -> Call:
    """Restart an arbitrary chain."""
    handler, chain = with_callees(restart_chain, fold=rebuilt), any_chain()
    outboxes: Any = SimpleNamespace(values=tuple)
    local = evolve(chain.localized, outboxes=outboxes)
    return Call(lambda c: Accepted(attempt(handler, c)), evolve(chain, localized=local), None)


def rebuilt(_: Any, init: Any, __: Any) -> Any:
    """Stand for a loop of a restart: who owes and how many wait are any."""
    if init is LOCALIZED.owing:
        return SSet.unknown(CHAIN_IDS, "owing again")
    return SMap.unknown(HEIGHTS, INTEGERS, "counted again")


def size_of(outboxes: SMap) -> SInt:
    """Stand for ``len`` of a map: zero exactly if it has no key."""
    size = fresh("size", z3.IntSort())
    assume(conj(size >= 0, (size == 0) == (outboxes.present == z3.K(CHAIN_IDS.sort, z3.BoolVal(False)))))
    return SInt(size)


def no_matter(_: Any) -> tuple[()]:
    """Stand for what only the detail of a rejection is made of."""
    return NO_DETAIL


NO_DETAIL: Final = ()


def emptied(before: SMap, pairs: Any) -> SMap:
    """Stand for the map of mailboxes that archiving leaves, entry by entry: nothing waits in it, the rest stays."""
    origin, box = next(iter(pairs))
    claim("nothing waits in an archived mailbox", isinstance(box.added, Queue) and len(box.added) == 0)
    old = before.array[term(origin)]
    kept = MAILBOXES.pack(evolve(box, added=MAILBOXES.unpack(old).added))
    claim("what is owed and what comes next stay", kept == old)
    return Emptied.unknown(CHAIN_IDS, MAILBOXES, "archived")


class Emptied(SMap):
    """Mailboxes in which nothing waits."""


# --- Shape -------------------------------------------------------------------------------------------------------

CALLS: Final = {
    "handle_request": call_request,
    "handle_certificate": call_certificate,
    "handle_validated": call_validated,
    "handle_update_recipient": call_delivery,
    "handle_confirm_updated_recipient": call_answer,
    "archive_chain": call_archive,
    "restart_chain": call_restart,
}


@formula("CELL-SHAPE")
def has_shape(chain: Chain) -> z3.BoolRef:
    """Say that the histories of blocks have one entry per executed block, and that the last block is known."""
    part = chain.consistent
    height = term(part.next_height)
    lengths = [term(log.length) == height for log in (part.log, chain.localized.certificates)]
    in_range = conj(HEIGHTS.valid(height), REST.valid(REST.pack(rest_of(part))))
    return conj(*lengths, terms_of(chain).tip.present == (height > 0), in_range)


@proof("CELL-SHAPE")
def shape(given: Given) -> Iterator[Query]:
    """Run every handler on an arbitrary cell of this shape."""
    for name, prepare in CALLS.items():

        def run(prepare: Callable[[Given], Call] = prepare) -> None:
            call = prepare(given)
            assume(said("CELL-SHAPE", call.chain))
            outcome = call.handle(call.chain)
            if not isinstance(outcome, Rejected):
                claim("keeps the shape", said("CELL-SHAPE", outcome.state))

        yield from lifted(name, run)


# --- What they do ------------------------------------------------------------------------------------------------


@proof("HANDLE-REQUEST")
def requests(given: Given) -> Iterator[Query]:
    """Run the handler on an arbitrary cell and request."""

    def run() -> None:
        call = call_request(given)
        outcome = call.handle(call.chain)
        column(outcome, *guards_of_request(call))
        if isinstance(outcome, Rejected):
            return
        before, after = terms_of(call.chain), terms_of(outcome.state)
        validates = is_several(OWNER.pack(call.chain.consistent.owner))
        vote = VoteTerms(after.pending.value, term(call.item.round), validates)
        terms = (WORDS, before, after, terms_of_request(call.item), vote, VALIDATED)
        claim("the contract", said("HANDLE-REQUEST", *terms))
        claim("the consistent part stays the same", outcome.state.consistent is call.chain.consistent)
        claim_frame(call.chain, outcome.state, "pending", "rounds")
        locks = [chain.localized.rounds.locked for chain in (call.chain, outcome.state)]
        claim("the lock stays the same", locks[0] is locks[1])
        claim_votes(outcome, call.key.opened, vote)

    yield from lifted("handle_request", run)


def guards_of_request(call: Call) -> Iterator[Guard]:
    """Yield the guards in their order; what comes from callees without being a guard of the handler holds or not."""
    part, request = call.chain.consistent, call.item
    block, owner, terms = request.block, part.owner, terms_of_request(request)
    is_owner, in_turn = z3.BoolVal(False), z3.BoolVal(False)
    if owner is not None:
        packed, chosen = OWNER.pack(owner), CHOSEN(term(call.chain.chain_id), term(part.state))
        is_owner, in_turn = has_key(packed, terms.owner), ALLOWED(packed, chosen, terms.owner)
    yield Guard(Reason.INACTIVE_CHAIN, part.created)
    yield Guard(Reason.CHAIN_CLOSED, owner is not None)
    yield Guard(Reason.INVALID_OWNER, is_owner, request.owner)
    yield Guard(Reason.OUT_OF_TURN, in_turn, request.owner)
    yield Guard(Reason.INVALID_SIGNATURE, terms.authentic)
    yield Guard(Reason.UNEXPECTED_BLOCK_HEIGHT, term(block.height) == term(part.next_height), part.next_height)
    yield Guard(
        Reason.UNEXPECTED_PREVIOUS_BLOCK_HASH, term(block.previous_hash) == term(part.block_hash), part.block_hash
    )
    yield Guard(Reason.INVALID_BLOCK_HEIGHT, term(block.height) < MAX_U64, block.height)
    verifies = VERIFIES(option(request.justification.term).value)
    yield Guard(Reason.CERTIFICATE_REQUIRES_QUORUM, z3.Implies(terms.justification.present, verifies))
    cell = terms_of(call.chain)
    yield from guards_of_rounds(cell, terms) if isinstance(owner, Owners) else guards_of_vote(cell, terms)
    for guard in callee_guards(Reason.USER_ERROR, Reason.MISSING_CROSS_CHAIN_UPDATE):
        again = conj(
            cell.pending.present, z3.Or(z3.BoolVal(not isinstance(owner, Owners)), is_repeated(WORDS, cell, terms))
        )
        yield Guard(guard.reason, z3.Or(again, guard.holds))


def guards_of_vote(cell: CellTerms, request: RequestTerms) -> Iterator[Guard]:
    """Yield the guards of a single owner."""
    pending = WORDS.block_of(cell.pending.value)
    first = conj(request.round == 0, z3.Not(request.justification.present))
    same = z3.Implies(cell.pending.present, pending == request.block)
    yield Guard(Reason.INVALID_BLOCK_PROPOSAL, first, SInt(request.round))
    yield Guard(Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST, same, SAtom(pending))


def guards_of_rounds(cell: CellTerms, request: RequestTerms) -> Iterator[Guard]:
    """Yield the guards of several owners: they stand for proposals that are not the last one again."""
    again = is_repeated(WORDS, cell, request)
    yield Guard(Reason.INSUFFICIENT_ROUND, z3.Or(again, z3.Not(is_low(cell, request))), SInt(cell.last))
    bound = z3.Or(again, allows_in_round(WORDS, cell, request))
    yield Guard(Reason.HAS_LOCKED_BLOCK, bound, binding_round(cell, request))


def callee_guards(*reasons: Reason) -> Iterator[Guard]:
    """Yield what callees reject for: as their summaries decide, each on a path of its own."""
    for reason in reasons:
        yield Guard(reason, z3.Not(z3.Bool(f"rejects with {reason.name}")))


def claim_votes(outcome: Accepted[Chain], signer: Any, expected: VoteTerms) -> None:
    """Claim that the outputs are one vote, none without a key, and then the requests."""
    *votes, requests = outcome.outputs
    claim("one vote, with a key", len(votes) == (0 if signer is None else 1))
    claim("then the pending requests", requests == requests_of(outcome.state)[0])
    for vote in votes:
        validates = z3.BoolVal(vote.payload.kind is Kind.VALIDATED)
        claim("the vote is of the kind", validates == expected.validates)
        claim("and of the round", term(vote.payload.round) == expected.round)
        claim("the vote is for the executed block", term(vote.payload.block_hash) == HASH_OF(expected.executed))
        claim("the vote is the signer's", vote.validator is signer.public_key)
        claim("and signed by it", term(vote.signature) == SIGNATURE(term(signer.secret), PAYLOADS.pack(vote.payload)))


@proof("HANDLE-CERTIFICATE")
def certificates(given: Given) -> Iterator[Query]:
    """Run the handler on an arbitrary cell and certificate."""

    def run() -> None:
        call = call_certificate(given)
        assume(given("CELL-SHAPE", call.chain))
        outcome = call.handle(call.chain)
        column(outcome, *guards_of_certificate(call))
        if isinstance(outcome, Rejected):
            return
        before, after = terms_of(call.chain), terms_of(outcome.state)
        executed = EXECUTED.pack(call.item.executed)
        claim("the contract", said("HANDLE-CERTIFICATE", WORDS, before, after, executed, CERTIFIED(executed)))

        claim_info(outcome)

    yield from lifted("handle_certificate", run)


@proof("HANDLE-VALIDATED")
def validated_certificates(given: Given) -> Iterator[Query]:
    """Run the handler on an arbitrary cell and certificate."""

    def run() -> None:
        call = call_validated(given)
        outcome = call.handle(call.chain)
        column(outcome, *guards_of_validated(call))
        if isinstance(outcome, Rejected):
            return
        before, after = terms_of(call.chain), terms_of(outcome.state)
        new = certificate_terms(call.item)
        vote = VoteTerms(new.executed, new.round, z3.BoolVal(False))
        votes = z3.BoolVal(any(isinstance(output, Vote) for output in outcome.outputs))
        claim("the contract", said("HANDLE-VALIDATED", WORDS, before, after, vote, VALIDATED, votes))
        if outcome.state is call.chain:
            claim("what changes nothing is old", term(call.item.executed.block.height) < before.next_height)
            claim_info(outcome)
            return
        claim("the consistent part stays the same", outcome.state.consistent is call.chain.consistent)
        claim_frame(call.chain, outcome.state, "rounds")
        claim_votes(outcome, call.key.opened, vote)

    yield from lifted("handle_validated", run)


def guards_of_validated(call: Call) -> Iterator[Guard]:
    """Yield the guards in their order; below the next height only the first one stands."""
    part, executed, cell = call.chain.consistent, call.item.executed, terms_of(call.chain)
    height, next_height = term(executed.block.height), term(part.next_height)
    new, lock = partial(_at_next, height < next_height), cell.locked
    yield Guard(Reason.INACTIVE_CHAIN, part.created)
    yield new(Reason.CHAIN_CLOSED, part.owner is not None)
    yield new(Reason.MISSING_EARLIER_BLOCKS, height == next_height, part.next_height)
    yield new(Reason.UNEXPECTED_CERTIFICATE_KIND, isinstance(part.owner, Owners), Kind.VALIDATED)
    yield new(Reason.CERTIFICATE_REQUIRES_QUORUM, VERIFIES(CERTIFICATES.pack(call.item)))
    yield new(
        Reason.INVALID_BLOCK_CHAINING, term(executed.block.previous_hash) == term(part.block_hash), part.block_hash
    )
    highest, round = current(cell), term(call.item.round)
    yield new(Reason.INSUFFICIENT_ROUND, round >= highest, SInt(highest - 1))
    agrees = z3.Implies(conj(lock.present, lock.round == round), lock.executed == EXECUTED.pack(executed))
    yield new(Reason.HAS_LOCKED_BLOCK, agrees, SInt(lock.round))


def _at_next(old: z3.BoolRef, reason: Reason, holds: Any, detail: Any = None) -> Guard:
    """Return a guard that does not stand for old blocks."""
    return Guard(reason, z3.Or(old, term(holds)), detail)


def guards_of_certificate(call: Call) -> Iterator[Guard]:
    """Yield the guards in their order; below the next height only the first one stands."""
    part, executed = call.chain.consistent, call.item.executed
    height, next_height = term(executed.block.height), term(part.next_height)
    new = partial(_at_next, height < next_height)
    yield Guard(Reason.INACTIVE_CHAIN, part.created)
    yield new(Reason.CHAIN_CLOSED, part.owner is not None)
    yield new(Reason.MISSING_EARLIER_BLOCKS, height == next_height, part.next_height)
    yield from (new(guard.reason, guard.holds) for guard in callee_guards(Reason.CERTIFICATE_REQUIRES_QUORUM))
    yield new(Reason.INVALID_BLOCK_HEIGHT, height < MAX_U64)
    yield new(
        Reason.INVALID_BLOCK_CHAINING, term(executed.block.previous_hash) == term(part.block_hash), part.block_hash
    )
    yield from (new(guard.reason, guard.holds) for guard in callee_guards(Reason.USER_ERROR))
    again = WORDS.executed(REST.pack(rest_of(part)), BLOCKS.pack(executed.block))
    messages, state_hash = (part_of(EXECUTED, ExecutedBlock, name)(again) for name in ("messages", "state_hash"))
    yield new(Reason.INCORRECT_MESSAGES, messages == term(executed.messages), SAtom(messages))
    yield new(Reason.INCORRECT_STATE_HASH, state_hash == term(executed.state_hash), SAtom(state_hash))
    yield from (new(guard.reason, guard.holds) for guard in callee_guards(Reason.ARITHMETIC))


def claim_info(outcome: Accepted[Chain]) -> None:
    """Claim that the outputs are what is known of the chain now, and then the pending requests."""
    info, *requests = outcome.outputs
    part = outcome.state.consistent
    same = [getattr(info, name) is getattr(part, name) for name in INFO]
    claim("the info is about the chain as it is now", all(same) and info.chain_id is outcome.state.chain_id)
    claim("with the number of received blocks", term(info.received) == term(outcome.state.localized.received.length))
    claim("then the pending requests", tuple(requests) == requests_of(outcome.state))


INFO: Final = ("created", "owner", "next_height", "block_hash", "creation_height")


@proof("HANDLE-UPDATE-RECIPIENT")
def deliveries(given: Given) -> Iterator[Query]:
    """Run the handler on an arbitrary cell and batch."""

    def run() -> None:
        call = call_delivery(given)
        outcome = call.handle(call.chain)
        if isinstance(outcome, Rejected):
            return
        chain = term(call.chain.chain_id)
        before, after = terms_of(call.chain), terms_of(outcome.state)
        created = partial(BY_DELIVERY, chain, before.rest)
        claim("the contract", said("HANDLE-UPDATE-RECIPIENT", WORDS, before, after, created))
        claim_only_mailboxes(call.chain, outcome.state, "received")
        claim_acknowledgement(call, outcome)

    yield from lifted("handle_update_recipient", run)


def claim_acknowledgement(call: Call, outcome: Accepted[Chain]) -> None:
    """Claim that the batch was checked, that only an active chain keeps it, and what is acknowledged."""
    room, part = call.item, outcome.state.consistent
    (answer,), (last_asked, inbox) = outcome.outputs, room.asked[-1]
    claim("the batch was checked", len(room.checked) == 1)
    claim("one acknowledgement, to the sender", type(answer) is ConfirmUpdatedRecipient)
    claim("named as in the batch", (answer.sender, answer.recipient) == (room.request.sender, room.request.recipient))
    claim("the inbox is that of the new state", last_asked is outcome.state)
    claim("of all that was received", term(answer.height) == term(next_height_to_receive(inbox)) - 1)
    active = conj(term(part.created), z3.BoolVal(part.owner is not None))
    tracked = conj(term(call.context.tracks_inactive), z3.Not(term(part.created)))  # type: ignore[union-attr]
    unsaved = z3.BoolVal(outcome.state is call.chain)
    claim("only an active chain keeps a delivery, but for nodes that follow others", disj(unsaved, active, tracked))


@proof("HANDLE-CONFIRM")
def answers(given: Given) -> Iterator[Query]:
    """Run the handler on an arbitrary cell and answer."""

    def run() -> None:
        call = call_answer(given)
        outcome = call.handle(call.chain)
        claim("never rejects", not isinstance(outcome, Rejected))
        claim("the contract", said("HANDLE-CONFIRM", terms_of(call.chain), terms_of(outcome.state)))
        claim_frame(call.chain, outcome.state, "outboxes", "counters")
        claim("the consistent part stays the same", outcome.state.consistent is call.chain.consistent)
        claim("nothing is answered", outcome.outputs == ())
        (local,) = call.item
        claim("what CONFIRM-MESSAGES says is saved", outcome.state.localized is local)
        claim("nothing new is the same chain", local is not call.chain.localized or outcome.state is call.chain)

    yield from lifted("handle_confirm_updated_recipient", run)


@proof("ARCHIVE-CHAIN")
def archives(given: Given) -> Iterator[Query]:
    """Archive an arbitrary chain."""

    def run() -> None:
        call = call_archive(given)
        outcome = call.handle(call.chain)
        part, outboxes = call.chain.consistent, call.chain.localized.outboxes
        closed = conj(term(part.created), z3.BoolVal(part.owner is None))
        sent = outboxes.present == z3.K(CHAIN_IDS.sort, z3.BoolVal(False))  # type: ignore[attr-defined]
        column(outcome, Guard(Reason.CHAIN_NOT_CLOSED, closed), Guard(Reason.OUTBOX_NOT_EMPTY, sent, NO_DETAIL))
        if isinstance(outcome, Rejected):
            return
        claim("the contract", said("ARCHIVE-CHAIN", WORDS, terms_of(call.chain), terms_of(outcome.state)))
        claim("histories are as long as they were", same_lengths(call.chain, outcome.state))
        claim("no state is left", outcome.state.consistent.state is None)
        if part.state is None:
            claim("a tombstone stays as it is", outcome.state is call.chain and outcome.outputs == ())
        else:
            claim_archived(call.chain, outcome)

    yield from lifted("archive_chain", run)


KEPT: Final = ("created", "owner", "tx_count", "consumed", "creation_height")


def claim_archived(before: Chain, outcome: Accepted[Chain]) -> None:
    """Claim that histories and waiting messages are dropped, and that the chain as it was goes to cold storage."""
    local = outcome.state.localized
    logs = (outcome.state.consistent.log, local.received, local.certificates)
    claim("histories are forgotten", all(isinstance(log, SForgotten) for log in logs))
    claim("mailboxes are emptied", isinstance(local.mailboxes, Emptied))
    same = [getattr(before.consistent, name) is getattr(outcome.state.consistent, name) for name in KEPT]
    claim("everything but state and histories stays", all(same))
    claim_frame(before, outcome.state, "received", "certificates", "mailboxes")
    claim("the chain as it was is the output", len(outcome.outputs) == 1 and outcome.outputs[0] is before)


def same_lengths(before: Chain, after: Chain) -> z3.BoolRef:
    """Say that histories are as long as they were."""
    logs = [(c.consistent.log, c.localized.received, c.localized.certificates) for c in (before, after)]
    return conj(*(term(old.length) == term(new.length) for old, new in zip(*logs, strict=True)))

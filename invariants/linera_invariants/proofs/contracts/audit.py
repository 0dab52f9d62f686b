"""The audit of a chain: what each of its steps accepts, and that a mismatch never passes.

Execution is a function of which nothing else is known; a certificate that was verified is certified, by definition.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn

import z3
from attrs import evolve, fields, frozen

from linera_invariants.proofs.cells import CellTerms, Words, commits
from linera_invariants.proofs.codecs import BYTES, CHAIN_IDS, Codec, atoms, unknown, unpacked
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.lists import Induction, SList, unknown_list
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import (
    InfeasibleError,
    OutsideSubsetError,
    SAtom,
    SInt,
    assume,
    attempt,
    claim,
    conj,
    decide,
    disj,
    fresh,
    term,
)
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import SLog, SMap, SQueue, SSet
from linera_reference.audit import (
    audit_block,
    audit_evidence,
    audit_message,
    audit_sender_block,
    audit_start,
    check_sent,
    own_places,
)
from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Certificate, Kind
from linera_reference.chain import CONSISTENT, LOCALIZED, Chain, Mailbox, inbox_of, owed_messages
from linera_reference.inbox import Inbox
from linera_reference.messages import Cursor, Message, OutgoingMessage
from linera_reference.notation import MAX_U64
from linera_reference.rejections import Reason, Rejected
from linera_reference.rounds import FIRST_ROUND
from linera_reference.validator import GenesisChain, check_creation_proof, execute_certified

from .anticipation import BOXES, Looked, Told, add, any_told_chain, executing, gains, retold
from .chain import (
    BLOCKS,
    CERTIFICATES,
    CREATION,
    CURSORS,
    EXECUTED,
    HASH_OF,
    HEIGHTS,
    MESSAGE_AT,
    MESSAGES,
    OUTGOING,
    REST,
    SOME_OWNER,
    STATES,
    WORDS,
    Rest,
    SMessages,
    any_chain,
    any_context,
    owned,
    part_of,
    terms_of,
)
from .custody import Kept
from .delivery import CERTIFICATES as SENDERS
from .delivery import any_certificate, is_sent
from .execution import RECEIVED, Application, any_inbox, creates, may_reject
from .handlers import CERTIFIED, Staging, check_confirmed, summary_of_execution
from .messages import precedes

NOTHING_CONSUMED: Final = SMap(
    CHAIN_IDS,
    CURSORS,
    z3.K(CHAIN_IDS.sort, z3.BoolVal(False)),
    z3.Const("no_cursor", z3.ArraySort(CHAIN_IDS.sort, CURSORS.sort)),
)

# --- The chain's own blocks --------------------------------------------------------------------------------------


def is_counted(chain: Chain) -> z3.BoolRef:
    """Whether the log has next_height entries, and a last block is known exactly if there is one."""
    part: Any = chain.consistent
    height = term(part.next_height)
    return conj(term(part.log.length) == height, terms_of(chain).tip.present == (height > 0))


@formula("AUDIT-BLOCK")
def audits_block(
    w: Words, before: CellTerms, after: CellTerms, executed: Any, is_certified: z3.BoolRef, on_chain: z3.BoolRef
) -> z3.BoolRef:
    """Say what an accepted block is: the certified next block of the chain, which executes to what was certified."""
    height = w.height_of(w.block_of(executed))
    return conj(on_chain, height == before.next_height, is_certified, commits(w, before, after, executed))


def auditor_chain(name: str = "chain") -> Chain:
    """Return an arbitrary chain of an auditor, who never votes."""
    chain = owned(any_chain(name))
    chain = evolve(chain, localized=evolve(chain.localized, pending=None, rounds=FIRST_ROUND))
    assume(is_counted(chain))
    return chain


@proof("AUDIT-BLOCK")
def blocks(given: Given) -> Iterator[Query]:
    """Run the audit of one block on an arbitrary chain and certificate."""

    def run() -> None:
        chain, certificate = auditor_chain(), unknown(CERTIFICATES, "certificate")
        staging = Staging(summary_of_execution(given))
        execute = with_callees(execute_certified, check_confirmed=check_confirmed, execute_block=staging.execute_block)
        outcome = attempt(with_callees(audit_block, execute_certified=execute), any_context(), chain, certificate)
        if isinstance(outcome, Rejected):
            _claim_block_refused(outcome, chain, certificate)
        else:
            executed = EXECUTED.pack(certificate.executed)
            on_chain = term(certificate.executed.block.chain_id) == term(chain.chain_id)
            words = (WORDS, terms_of(chain), terms_of(outcome), executed, CERTIFIED(executed), on_chain)
            claim("the height has a successor", term(certificate.executed.block.height) < MAX_U64)
            claim("the certified next block, as executed again", said("AUDIT-BLOCK", *words))
            claim("the log grows with the height", is_counted(outcome))
            claim("of the same chain", term(outcome.chain_id) == term(chain.chain_id))
            claim("what it consumed stays owed", outcome.localized is staging.staged[-1].chain.localized)

    yield from lifted("audit a block", run)


def _claim_block_refused(refused: Rejected, chain: Chain, certificate: Certificate) -> None:
    """Claim that a block is refused for a mismatch only where there is one."""
    before, block = terms_of(chain), BLOCKS.pack(certificate.executed.block)
    on_chain = term(certificate.executed.block.chain_id) == term(chain.chain_id)
    is_next = conj(on_chain, WORDS.height_of(block) == before.next_height)
    executed, again = EXECUTED.pack(certificate.executed), WORDS.executed(before.rest, block)
    due = {
        Reason.MISSING_EARLIER_BLOCKS: z3.Not(is_next),
        Reason.CHAIN_CLOSED: conj(is_next, z3.Not(WORDS.owner_of(before.rest).present)),
        Reason.INVALID_BLOCK_HEIGHT: WORDS.height_of(block) == MAX_U64,
        Reason.INVALID_BLOCK_CHAINING: z3.Not(WORDS.previous_of(block).equals(before.tip)),
        Reason.INCORRECT_MESSAGES: messages_of(executed) != messages_of(again),
        Reason.INCORRECT_STATE_HASH: state_hash_of(executed) != state_hash_of(again),
        Reason.CERTIFICATE_REQUIRES_QUORUM: is_next,
        Reason.USER_ERROR: conj(CERTIFIED(executed), is_next),
    }
    claim(f"{refused.reason.name} where it is due", due.get(refused.reason, z3.BoolVal(False)))
    claim(f"{refused.reason.name}: what was expected is shown", _shows(refused, chain, again))


def _shows(refused: Rejected, chain: Chain, again: Any) -> Any:
    part, detail = chain.consistent, refused.detail
    match refused.reason:
        case Reason.MISSING_EARLIER_BLOCKS:
            return detail == (chain.chain_id, part.next_height)
        case Reason.INVALID_BLOCK_CHAINING:
            return detail is part.block_hash
        case Reason.INCORRECT_MESSAGES:
            return term(detail) == messages_of(again)
        case Reason.INCORRECT_STATE_HASH:
            return term(detail) == state_hash_of(again)
    return detail is None


messages_of, state_hash_of = (part_of(EXECUTED, ExecutedBlock, name) for name in ("messages", "state_hash"))

formula("AUDIT-CONSUMES")(gains)


@proof("AUDIT-CONSUMES")
def consumptions(given: Given) -> Iterator[Query]:
    """Run the audit of one block on a chain that was told an arbitrary history."""

    def run() -> None:
        looked, chain, certificate = Looked.anywhere(), any_told_chain(), unknown(CERTIFICATES, "certificate")
        names = {"check_confirmed": check_confirmed, "execute_block": executing(given, looked)}
        execute = with_callees(execute_certified, **names)
        outcome = attempt(with_callees(audit_block, execute_certified=execute), any_context(), chain, certificate)
        if not isinstance(outcome, Rejected):
            block = BLOCKS.pack(certificate.executed.block)
            consumes = looked.is_consumed(block, RECEIVED(block))
            claim("the contract", said("AUDIT-CONSUMES", looked.at(chain), looked.at(outcome), consumes))

    yield from lifted("audit a block", run)


# --- The beginning -----------------------------------------------------------------------------------------------

HIT, SECOND_HIT, ANY = z3.Ints("hit second_hit any_place")


class Filtered(SMessages):
    """The messages of a block in a comprehension that keeps some: none, the one at HIT, or these two and more.

    In the first two cases any other message is given too. :meth:`count` drops the paths on which others are kept than
    meant.
    """

    __slots__ = ("meant", "seen")
    __hash__ = None

    def __init__(self, value: Any) -> None:
        """Nothing was looked at yet."""
        super().__init__(value)
        self.meant: tuple[z3.ArithRef, ...] = ()
        self.seen: list[Any] = []

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Choose how many are meant to be kept; give these, in order, and one that is not."""
        if decide(fresh("a message is kept", z3.BoolSort())):
            self.meant = (HIT, SECOND_HIT) if decide(fresh("another one is", z3.BoolSort())) else (HIT,)
        assume(conj(*(conj(a >= 0, a < self.length) for a in self.meant), z3.Distinct(HIT, SECOND_HIT, ANY)))
        has_other = len(self.meant) < 2 and decide(conj(ANY >= 0, self.length > ANY))
        self.seen += map(self.item, (*self.meant, *((ANY,) if has_other else ())))
        yield from self.seen

    def count(self, kept: list[Any]) -> int:
        """Stand for ``len`` of what was kept: two stand for two or more."""
        if [id(owner) for owner in kept] != [id(getattr(m.content, "owner", m)) for m in self.seen[: len(self.meant)]]:
            raise InfeasibleError
        return len(kept)


@formula("CREATION-PROOF")
def proves_creation(is_certified: Any, from_parent: Any, is_only_one: Any, owner: Any, first_owner: Any) -> z3.BoolRef:
    """Say what a proof of creation is: a certified block of the parent, whose one creating message names the owner."""
    return conj(is_certified, from_parent, is_only_one, owner == first_owner)


def creates_at(messages: SMessages, place: Any, chain: Any) -> z3.BoolRef:
    """Say that the message at a place creates a chain."""
    return conj(place >= 0, place < messages.length, creates(MESSAGE_AT(messages.term, place), chain))


@proof("CREATION-PROOF")
def proofs_of_creation(_: Given) -> Iterator[Query]:
    """Run the check on an arbitrary certificate, with any number of messages."""

    def run() -> None:
        executed, chain_id = unknown(EXECUTED, "executed"), unknown(CHAIN_IDS, "chain_id")
        messages = Filtered(term(executed.messages))
        certificate = Certificate(evolve(executed, messages=messages), Kind.CONFIRMED, 0, ())
        names = {"check_confirmed": check_confirmed, "parent": any_parent, "len": messages.count}
        outcome = attempt(with_callees(check_creation_proof, **names), any_context(), certificate, chain_id)
        chain, block = term(chain_id), certificate.executed.block
        from_parent = CREATION.parent_of(chain) == term(block.chain_id)
        others = z3.Not(creates_at(messages, ANY, chain))
        if not isinstance(outcome, Rejected):
            only_one = conj(creates_at(messages, HIT, chain), others)
            owner = owner_in(MESSAGE_AT(messages.term, HIT))
            is_certified = CERTIFIED(EXECUTED.pack(certificate.executed))
            claim("of one message", messages.meant == (HIT,))
            claim("a proof", said("CREATION-PROOF", is_certified, from_parent, only_one, term(outcome), owner))
            return
        rejected = z3.BoolVal(outcome.reason is Reason.NOT_A_PROOF_OF_CREATION and outcome.detail is chain_id)
        claim("the reason and the chain", outcome.reason is Reason.CERTIFICATE_REQUIRES_QUORUM or rejected)
        if messages.seen:
            two = conj(creates_at(messages, HIT, chain), creates_at(messages, SECOND_HIT, chain))
            none = z3.Not(creates_at(messages, ANY, chain))
            claim("no message, or more than one", two if messages.meant else none)
            claim("of the parent", from_parent)

    yield from lifted("proof of creation", run)


def any_parent(chain_id: Any) -> Any:
    """Stand for ``parent``."""
    return SAtom(CREATION.parent_of(term(chain_id))) if decide(fresh("has a parent", z3.BoolSort())) else None


def owner_in(message: Any) -> Any:
    """Return the owner that a creating message names."""
    content = part_of(OUTGOING, OutgoingMessage, "content")(message)
    created = content.sort().accessor(0, 0)(content)
    return created.sort().accessor(0, 0)(created)


@formula("AUDIT-START")
def audit_begins(
    first: CellTerms, told: Told, in_genesis: z3.BoolRef, configured: Any, is_proved: z3.BoolRef, born: Any
) -> z3.BoolRef:
    """Say what an audit begins with: no block, told nothing, on the configured state or on what a proof gives."""
    empty = conj(first.next_height == 0, z3.Not(first.tip.present))
    silent = conj(z3.Not(told.received), z3.Not(told.consumed), is_marked_rightly(told))
    return conj(empty, silent, z3.If(in_genesis, first.rest == configured, conj(is_proved, first.rest == born)))


def is_marked_rightly(told: Told) -> z3.BoolRef:
    """Say that the origin is marked exactly if its inbox owes messages."""
    return told.marked == z3.Not(told.settled)


def begun(owner: Any, state: Any, height: Any) -> z3.ExprRef:
    """Return the rest of a chain that was just created: nothing was executed or consumed."""
    return REST.pack(Rest(True, owner, state, 0, NOTHING_CONSUMED, height))


def symbolic(chain: Chain) -> Chain:
    """Return a blank chain with symbolic containers in place of empty ones."""
    part: Any = chain.consistent
    if len(part.consumed) + len(part.log) > 0:
        raise OutsideSubsetError("the chain is not blank")
    blank: Any = SLog(BYTES, z3.K(z3.IntSort(), z3.Const("no_hash", BYTES.sort)), SInt(z3.IntVal(0)))
    boxes = evolve(SMap.unknown(CHAIN_IDS, BOXES, "boxes"), present=NOTHING_CONSUMED.present)
    local: dict[str, Any] = {"mailboxes": boxes, "owing": SSet.empty(CHAIN_IDS)}
    return Chain(chain.chain_id, evolve(part, consumed=NOTHING_CONSUMED, log=blank), evolve(chain.localized, **local))


def told_nothing(chain: Chain) -> Told:
    """Return what a blank chain was told by an arbitrary origin; its inbox is the empty one."""
    origin, nothing = unknown(CHAIN_IDS, "origin"), z3.BoolVal(False)
    inbox, owing = inbox_of(chain, origin), chain.localized.owing
    claim("the inbox of any origin is empty", inbox == Inbox())
    return Told(nothing, nothing, term(owing.contains(origin)), term(inbox.removed.is_empty), nothing)


@proof("AUDIT-START")
def beginnings(given: Given) -> Iterator[Query]:
    """Run the beginning on an arbitrary genesis chain, and on an arbitrary proof of creation."""

    def run() -> None:
        context, chain_id = any_context(Application(given)), unknown(CHAIN_IDS, "chain_id")
        genesis = GenesisChain(unknown(CHAIN_IDS, "configured"), unknown(SOME_OWNER, "owner"), unknown(STATES, "state"))
        certificate, in_genesis = unknown(CERTIFICATES, "certificate"), decide(z3.Bool("in_genesis"))
        proved, first_owner = z3.Bool("proved"), z3.Const("first_owner", BYTES.sort)

        def check(_: Any, checked: Any, of: Any) -> SAtom:
            may_reject(Reason.NOT_A_PROOF_OF_CREATION)
            claim("the proof is of this chain", checked is certificate and of is chain_id)
            owner = fresh("proved owner", BYTES.sort)
            assume(given("CREATION-PROOF", proved, proved, proved, owner, first_owner))
            return SAtom(owner)

        start = with_callees(audit_start, check_creation_proof=check)
        outcome = attempt(start, context, genesis if in_genesis else certificate, chain_id)
        if isinstance(outcome, Rejected):
            shown = outcome.detail is (chain_id if in_genesis else None)
            claim("the reason", shown and outcome.reason is Reason.NOT_A_PROOF_OF_CREATION)
            claim("another chain", z3.Implies(in_genesis, term(genesis.chain_id) != term(chain_id)))
            return
        configured = begun(genesis.owner, genesis.state, None)
        born = begun(SAtom(first_owner), context.application.initial_state(), certificate.executed.block.height)
        claim("nothing is pending, received or owed", outcome.localized == LOCALIZED)
        first = symbolic(outcome)
        words = (terms_of(first), told_nothing(first), z3.BoolVal(in_genesis), configured, proved, born)
        claim("the first state", said("AUDIT-START", *words))
        claim("of this chain", term(outcome.chain_id) == term(chain_id))

    yield from lifted("begin", run)


# --- Evidence of what was sent -----------------------------------------------------------------------------------


def _places() -> Codec:
    declared = z3.Datatype("ChainAndHeight")
    declared.declare("make_ChainAndHeight", ("chain_of_place", CHAIN_IDS.sort), ("height_of_place", z3.IntSort()))
    sort = declared.create()

    def refuse(_: Any) -> NoReturn:
        raise OutsideSubsetError("a place is never taken apart")

    return Codec(sort, lambda at: sort.constructor(0)(*map(term, at)), refuse, lambda _: z3.BoolVal(True))


PLACES: Final = _places()
"""Chain and height, as one term."""


def noted(name: str) -> SMap:
    """Return arbitrary places with the hashes of their blocks."""
    return SMap.unknown(PLACES, BYTES, name)


def place_in(item: Any) -> z3.ExprRef:
    """Return the place of a block or a message."""
    chain = item.chain_id if isinstance(item, Block) else item.origin
    return PLACES.pack((chain, item.height))


@formula("AUDIT-EVIDENCE")
def notes(before: SMap, after: SMap, at: Any, block_hash: Any, is_certified: Any) -> z3.BoolRef:
    """Say what accepted evidence adds: a certified block at its place, where no other block was."""
    present = z3.Store(before.present, at, z3.BoolVal(True))
    fresh_place = z3.Implies(before.present[at], before.array[at] == block_hash)
    added = conj(after.present == present, after.array == z3.Store(before.array, at, block_hash))
    return conj(is_certified, fresh_place, added)


@proof("AUDIT-EVIDENCE")
def evidence(_: Given) -> Iterator[Query]:
    """Note an arbitrary certificate beside arbitrary places."""

    def run() -> None:
        known, certificate = noted("known"), unknown(CERTIFICATES, "certificate")
        outcome = attempt(
            with_callees(audit_evidence, check_confirmed=check_confirmed), any_context(), known, certificate
        )
        at, executed = place_in(certificate.executed.block), EXECUTED.pack(certificate.executed)
        if not isinstance(outcome, Rejected):
            claim("it is noted", said("AUDIT-EVIDENCE", known, outcome, at, HASH_OF(executed), CERTIFIED(executed)))
        elif outcome.reason is Reason.CONFLICTING_CERTIFICATES:
            conflict = conj(CERTIFIED(executed), known.present[at], known.array[at] != HASH_OF(executed))
            claim("two certified blocks at one place", conflict)
            claim("the place is shown", PLACES.pack(outcome.detail) == at)
        else:
            claim("the certificate is bad", outcome.reason is Reason.CERTIFICATE_REQUIRES_QUORUM)

    yield from lifted("evidence", run)
    yield from lifted("own blocks", own_blocks)


def own_blocks() -> None:
    """Claim that each own block is noted at its place; one stands for all."""
    log, height = Kept.unknown(BYTES, "log"), fresh("height", z3.IntSort())
    chain = Chain(unknown(CHAIN_IDS, "chain"), evolve(CONSISTENT, log=log))  # type: ignore[arg-type]

    def heights(count: SInt) -> tuple[SInt]:
        claim("every height", count.term == log.length.term)
        assume(conj(height >= 0, height < count.term))
        return (SInt(height),)

    names = {"Map": list, "range": heights, "len": lambda of: of.length}
    ((at, block_hash),) = attempt(with_callees(own_places, **names), chain)
    claim("the chain and the height", PLACES.pack(at) == PLACES.pack((chain.chain_id, SInt(height))))
    claim("the block there", term(block_hash) == log.array[height])


owed_at: Final = z3.Function("owed_at", z3.IntSort(), MESSAGES.sort)


@formula("CHECK-SENT")
def nothing_owed(count: Any) -> z3.BoolRef:
    """Say that no consumed message is still owed."""
    return count == 0


def place_of_message(message: Any) -> z3.ExprRef:
    """Return the place of the block that sent a message."""
    origin, height = (part_of(MESSAGES, Message, name)(message) for name in ("origin", "height"))
    return PLACES.sort.constructor(0)(origin, height)


@proof("CHECK-SENT")
def sent(_: Given) -> Iterator[Query]:
    """Run the check on any number of owed messages."""

    def run() -> None:
        known, owed = noted("known"), unknown_list(lambda i: unpacked(MESSAGES, owed_at(i)), "owed")

        def in_evidence(i: Any) -> z3.BoolRef:
            return known.present[place_of_message(owed_at(i))]

        def unseen(n: Any) -> z3.BoolRef:
            return z3.Implies(conj(ANY >= 0, n > ANY), z3.Not(in_evidence(ANY)))

        fold = Induction(lambda _, n: unseen(n), lambda: None)
        outcome = attempt(with_callees(check_sent, fold=fold, senders_of=lambda messages: messages), owed, known)
        if not isinstance(outcome, Rejected):
            claim("nothing is owed", said("CHECK-SENT", owed.length))
        elif outcome.reason is Reason.UNSENT_MESSAGE:
            at, message = z3.Int("at!"), MESSAGES.pack(outcome.detail)
            here = conj(at >= 0, at < owed.length, owed_at(at) == message, in_evidence(at), unseen(at))
            claim("the first one whose sender's block is in the evidence", z3.Exists([at], here))
        else:
            claim("the reason", outcome.reason is Reason.MISSING_CROSS_CHAIN_UPDATE and outcome.detail is owed)
            claim("no sender's block is in the evidence", conj(owed.length > 0, unseen(owed.length)))

    yield from lifted("check sent", run)


class Walked(SQueue):
    """A queue that is walked: its front stands for all that it holds."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Give the front, if there is one."""
        if decide(self.head < self.tail):
            yield self.front


ORIGIN: Final = z3.Const("any_origin", CHAIN_IDS.sort)


@frozen(eq=False)
class Marked:
    """The marked origins, of which an arbitrary one stands for all, if it is marked."""

    owing: SSet

    def __iter__(self) -> Iterator[SAtom]:
        """Give the origin, if it is marked."""
        if decide(self.owing.array[ORIGIN]):
            yield SAtom(ORIGIN)


@frozen(eq=False)
class Boxes:
    """The mailboxes: that of the arbitrary origin."""

    box: Mailbox

    def __getitem__(self, origin: SAtom) -> Mailbox:
        """Return it."""
        claim("the mailbox of the origin", origin.term == ORIGIN)
        return self.box


@formula("OWED-MESSAGES")
def owed_are_listed(count: Any, is_marked: Any, is_settled: Any) -> z3.BoolRef:
    """Say that a marked origin that owes a message makes the list of owed messages not empty."""
    return z3.Implies(conj(count == 0, is_marked), is_settled)


@proof("OWED-MESSAGES")
def owed(_: Given) -> Iterator[Query]:
    """Run the list of owed messages on arbitrary marks and an arbitrary mailbox of an arbitrary origin."""

    def run() -> None:
        owing, removed = SSet.unknown(CHAIN_IDS, "owing"), Walked.unknown(MESSAGES, "removed")
        queues: tuple[Any, Any] = Walked.unknown(MESSAGES, "added"), removed
        mailboxes: Any = Boxes(Mailbox(unknown(CURSORS, "next_add"), *queues))
        marks: Any = owing
        chain = Chain(unknown(CHAIN_IDS, "chain"), localized=evolve(LOCALIZED, owing=marks, mailboxes=mailboxes))

        def listed(found: Iterator[Any]) -> SList:
            messages = unknown_list(lambda i: unpacked(MESSAGES, owed_at(i)), "owed")
            assume(messages.length >= len(list(found)))
            return messages

        outcome: Any = attempt(with_callees(owed_messages, sorted=Marked, tuple=listed), chain)
        claim("none is left out", said("OWED-MESSAGES", outcome.length, owing.array[ORIGIN], term(removed.is_empty)))

    yield from lifted("owed messages", run)


def called(what: str, answer: Any, *expected: Any) -> Callable[..., Any]:
    """Stand for a callee that must be called with exactly these values."""

    def callee(*args: Any) -> Any:
        claim(what, len(args) == len(expected) and all(a is b for a, b in zip(args, expected, strict=True)))
        return answer

    return callee


@formula("AUDIT-MESSAGE")
def hears(before: Told, after: Told, is_this: z3.BoolRef) -> z3.BoolRef:
    """Say that exactly this message was received, and an origin stays marked exactly if its inbox owes."""
    marks = z3.Implies(is_marked_rightly(before), is_marked_rightly(after))
    return conj(after.received == disj(before.received, is_this), after.consumed == before.consumed, marks)


def meets_consumption(removed: SQueue, message: Any) -> z3.BoolRef:
    """Say of a message that passed: a consumed message in its place or before is this message."""
    owed = removed.array[removed.head]
    passed_over = conj(removed.head < removed.tail, z3.Not(precedes(cursor_of(message), cursor_of(owed))))
    return z3.Implies(passed_over, message == owed)


def cursor_of(message: Any) -> z3.ExprRef:
    """Return the place of a message in its sender's history."""
    height, index = (SInt(part_of(MESSAGES, Message, name)(message)) for name in ("height", "index"))
    return CURSORS.pack(Cursor(height, index))  # type: ignore[arg-type]


@proof("AUDIT-MESSAGE")
def audited_messages(given: Given) -> Iterator[Query]:
    """Run the audit of an arbitrary message on an arbitrary inbox; what the inbox makes of it is INBOX-ADD."""

    def run() -> None:
        message, known, chain, after, received = unknown(MESSAGES, "message"), noted("known"), *map(str, range(3))
        inbox: Any = any_inbox("inbox")

        def receive(*args: Any) -> Any:
            may_reject(Reason.UNEXPECTED_MESSAGE)
            return called("the message is received", received, inbox, message)(*args)

        def check(owed: Any, places: Any) -> None:
            claim("the message passed over is asked for", len(owed) == 1 and places is known)
            may_reject(Reason.UNSENT_MESSAGE, owed[0])
            assume(given("CHECK-SENT", z3.IntVal(len(owed))))

        names: dict[str, Any] = {
            "inbox_of": called("the inbox of its origin", inbox, chain, message.origin),
            "put_inbox": called("into the inbox of its origin", after, chain, message.origin, received),
            "add": receive,
            "check_sent": check,
        }
        outcome: Any = attempt(with_callees(audit_message, **names), chain, message, known)
        met = meets_consumption(inbox.removed, MESSAGES.pack(message))
        if not isinstance(outcome, Rejected):
            claim("what is owed in this place is this", met)
            claim("the chain with the message", outcome is after)
        elif outcome.reason is Reason.UNSENT_MESSAGE:
            claim("the first owed message", MESSAGES.pack(outcome.detail) == MESSAGES.pack(inbox.removed.front))
            claim("it was passed over", z3.Not(met))
        else:
            claim("as the inbox refuses", outcome.reason is Reason.UNEXPECTED_MESSAGE)

    def hear() -> None:
        looked, chain, message = Looked.anywhere(), retold(any_chain()), unknown(MESSAGES, "message")
        audit = with_callees(audit_message, add=add, check_sent=lambda *_: may_reject(Reason.UNSENT_MESSAGE))
        outcome = attempt(audit, chain, message, noted("known"))
        if not isinstance(outcome, Rejected):
            is_this = conj(looked.message == MESSAGES.pack(message), looked.origin == term(message.origin))
            claim("it is received", said("AUDIT-MESSAGE", looked.at(chain), looked.at(outcome), is_this))

    yield from lifted("audit a message", run)
    yield from lifted("hear a message", hear)


AUDITS: Final = atoms("Audit")
TOLD: Final = tuple(z3.Function(f"{part.name}_in_audit", AUDITS.sort, z3.BoolSort()) for part in fields(Told))
MESSAGE: Final = z3.Const("any_message", MESSAGES.sort)


def told_of(state: Any) -> Told:
    """Return what a chain under audit was told of one message, which stands for all, by its origin."""
    return Told(*(part(state) for part in TOLD))


@frozen(eq=False)
class Audited:
    """A chain under audit, as one value, and how many messages of a block it heard."""

    term: Any
    chain_id: Any = None
    heard: Any = 0
    consistent: Any = None


@formula("AUDIT-SENDER-BLOCK")
def takes(before: Told, after: Told, sends: z3.BoolRef) -> z3.BoolRef:
    """Say that whatever a sender's block makes the chain receive is a message that the block sends to it."""
    genuine = z3.Implies(after.received, disj(before.received, sends))
    marks = z3.Implies(is_marked_rightly(before), is_marked_rightly(after))
    return conj(genuine, after.consumed == before.consumed, marks)


sent_at: Final = z3.Function("sent_at", z3.IntSort(), MESSAGES.sort)
"""The messages of a block to the chain, by place."""


@proof("AUDIT-SENDER-BLOCK")
def sender_blocks(given: Given) -> Iterator[Query]:
    """Run the audit of a sender's block with any number of messages."""

    def run() -> None:
        certificate, known, context = any_certificate(), noted("known"), any_context()
        chain = Audited(fresh("chain", AUDITS.sort), unknown(CHAIN_IDS, "chain_id"), z3.IntVal(0))
        block, recipient, up_to = SENDERS.pack(certificate), term(chain.chain_id), unknown(HEIGHTS, "received up to")
        sent = unknown_list(lambda i: unpacked(MESSAGES, sent_at(i)), "sent")
        sends = is_sent(block, recipient, MESSAGE)

        def inbox_of(c: Any, origin: Any) -> Any:
            claim("the inbox of the sender", c is chain and origin is certificate.executed.block.chain_id)
            return up_to

        def messages(_: Any, of: Any, to: Any) -> SList:
            claim("of this block, to this chain", of is certificate and to is chain.chain_id)
            return sent

        def step(c: Audited, message: Any, places: Any) -> Audited:
            claim("beside all evidence", places is known)
            claim("one after the other", MESSAGES.pack(message) == sent_at(c.heard))
            after = Audited(fresh("audited", AUDITS.sort), chain.chain_id, c.heard + 1)
            is_this = MESSAGES.pack(message) == MESSAGE
            assume(given("AUDIT-MESSAGE", told_of(c.term), told_of(after.term), is_this))
            return after

        def heard(c: Audited, n: Any) -> z3.BoolRef:
            return conj(c.heard == n, said("AUDIT-SENDER-BLOCK", told_of(chain.term), told_of(c.term), sends))

        fold = Induction(
            heard,
            lambda: Audited(fresh("audited", AUDITS.sort), chain.chain_id, fresh("heard", z3.IntSort())),
            lemmas=lambda _, n: (z3.Implies(sent.has(n), given("SENT-MESSAGES", block, recipient, sent_at(n))),),
        )
        names = {
            "inbox_of": inbox_of,
            "next_height_to_receive": lambda height: height,
            "sent_messages": messages,
            "audit_message": step,
            "fold": fold,
        }
        outcome: Any = attempt(with_callees(audit_sender_block, **names), context, chain, certificate, known)
        repeated = certificate.executed.block.height.term < up_to.term  # type: ignore[attr-defined]
        claim("a repeated block changes nothing", z3.Implies(repeated, z3.BoolVal(outcome is chain)))
        claim("all of another goes through", z3.Or(repeated, outcome.heard == sent.length))
        claim("the contract", said("AUDIT-SENDER-BLOCK", told_of(chain.term), told_of(outcome.term), sends))

    yield from lifted("a sender's block", run)

"""Algorithm 1: what the execution of a block reads, changes and yields.

Blocks of any number of transactions and messages. The loops run step by step: what a block consumed after so many
messages, and what it led to and sent after so many transactions, are functions by definition, and each step of the
shipped loops is shown to go from one value to the next.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import z3
from attrs import evolve, fields, frozen

from linera_invariants.proofs.codecs import (
    BYTES,
    CHAIN_IDS,
    numbers,
    records,
    unknown,
    unpacked,
    variants,
)
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.lists import Induction, SList
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import (
    InfeasibleError,
    SAtom,
    SBool,
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
from linera_invariants.proofs.twins import SQueue, SSet
from linera_reference.application import Effect
from linera_reference.block import AddOwner, Block, ChangeKey, CloseChain, Execute, OpenChain, Receive, RemoveOwner
from linera_reference.chain import Chain, ChainState, Mailbox, hashed_state, inbox_of, put_inbox
from linera_reference.context import Context
from linera_reference.execution import (
    Running,
    Staged,
    apply_effect,
    consume_messages,
    execute_block,
    execute_message,
    execute_operation,
    execute_transaction,
    execute_transactions,
    open_chain,
)
from linera_reference.inbox import Inbox, remove
from linera_reference.messages import START, Create, Message, OutgoingMessage, User
from linera_reference.notation import MAX_U64
from linera_reference.ownership import Owners
from linera_reference.rejections import Reason, Rejected, Rejection

from .chain import (
    BLOCKS,
    CONSUMED,
    CREATES_IN,
    CREATION,
    CURSORS,
    EXECUTED,
    HASHED,
    MAILBOXES,
    MESSAGE_AT,
    MESSAGE_LISTS,
    MESSAGES,
    MESSAGES_IN,
    NO_MESSAGES,
    ONE_MESSAGE,
    OUTGOING,
    OWNER,
    OWNERS,
    REST,
    STATE_HASH,
    STATES,
    WORDS,
    Rest,
    SMessages,
    SOptional,
    any_chain,
    any_context,
    any_mailboxes,
    opened,
    part_of,
    rest_of,
    with_rest,
)
from .messages import precedes
from .owners import keys_or_none, owner_changes

TRANSACTIONS: Final = variants(Execute, Receive, OpenChain, ChangeKey, CloseChain, AddOwner, RemoveOwner)
RUNNING: Final = records(Running, ("owner", OWNERS), ("state", STATES), ("messages", MESSAGE_LISTS))
EFFECTS: Final = records(Effect, ("state", STATES), ("messages", MESSAGE_LISTS))
INDICES: Final = numbers(0, MAX_U64)
LISTS: Final = MESSAGE_LISTS.sort
CHAIN, NUMBER, TRUTH = CHAIN_IDS.sort, z3.IntSort(), z3.BoolSort()
owner_in, state_in, sent_in = (part_of(RUNNING, Running, name) for name in ("owner", "state", "messages"))


def used(given: Given) -> Callable[..., z3.BoolRef]:
    """Ask for what a proof lists. A callee of which it lists nothing may do anything."""
    listed = given.theorem.uses
    return lambda name, *terms: given(name, *terms) if name in listed else z3.BoolVal(True)


def may_reject(reason: Reason, detail: Any = None) -> None:
    """Reject, on a path of its own."""
    if decide(fresh(f"rejects with {reason.name}", TRUTH)):
        raise Rejection(reason, detail)


# --- Identifiers of children -------------------------------------------------------------------------------------


@frozen(eq=False)
class Family:
    """The functions that speak of a child: how its identifier is made, and what is read from it."""

    child_of: Callable[[Any, Any], Any]
    parent_of: Callable[[Any], Any]
    index_of: Callable[[Any], Any]


FAMILY: Final = Family(z3.Function("child", CHAIN, NUMBER, CHAIN), CREATION.parent_of, CREATION.index_of)


@formula("CHILD")
def is_child(f: Family, parent: Any, index: Any, chain: Any) -> z3.BoolRef:
    """Say that an identifier is that of a child: parent and index are what is read from it."""
    return conj(chain == f.child_of(parent, index), f.parent_of(chain) == parent, f.index_of(chain) == index)


@proof("CHILD")
def children(given: Given) -> Iterator[Query]:
    """Read the last number of a sequence, and what stands before it."""
    sequences = Family(
        lambda parent, index: z3.Concat(parent, z3.Unit(index)),
        lambda chain: z3.SubSeq(chain, 0, z3.Length(chain) - 1),
        lambda chain: chain[z3.Length(chain) - 1],
    )
    made, parent = z3.Consts("made parent", z3.SeqSort(NUMBER))
    index = z3.Int("index")
    appended = given("CHILD-APPENDS", made, parent, index)
    yield Query("what is appended is read", (appended,), said("CHILD", sequences, parent, index, made))


# --- Messages of a block -----------------------------------------------------------------------------------------

JOINED: Final = z3.Function("joined", LISTS, LISTS, LISTS)
PLACE_OF: Final = z3.Function("place_of", LISTS, CHAIN, NUMBER)


def creates(message: Any, chain: Any) -> z3.BoolRef:
    """Say that an outgoing message creates a chain."""
    content = part_of(OUTGOING, OutgoingMessage, "content")(message)
    recipient = part_of(OUTGOING, OutgoingMessage, "recipient")(message)
    return conj(content.sort().recognizer(0)(content), recipient == chain)


@formula("CREATING-MESSAGES")
def lists_of_messages(first: Any, second: Any, message: Any, chain: Any) -> z3.BoolRef:
    """Say when a list holds a message that creates a chain; ``place_of`` is where."""
    either = disj(CREATES_IN(first, chain), CREATES_IN(second, chain))
    place = PLACE_OF(first, chain)
    found = conj(place >= 0, place < MESSAGES_IN(first), creates(MESSAGE_AT(first, place), chain))
    return conj(
        z3.Not(CREATES_IN(NO_MESSAGES, chain)),
        CREATES_IN(ONE_MESSAGE(message), chain) == creates(message, chain),
        CREATES_IN(JOINED(first, second), chain) == either,
        z3.Implies(CREATES_IN(first, chain), found),
    )


# --- Transactions ------------------------------------------------------------------------------------------------

STEP: Final = z3.Function("step", CHAIN, NUMBER, RUNNING.sort, TRANSACTIONS.sort, RUNNING.sort)
OPERATION: Final = z3.Function("operation", CHAIN, STATES.sort, BYTES.sort, EFFECTS.sort)
MESSAGE: Final = z3.Function("message", CHAIN, STATES.sort, CHAIN, BYTES.sort, EFFECTS.sort)
IDENTIFIES: Final = z3.Function("is_identifier", CHAIN, TRUTH)


@formula("APPLICATION-IS-A-FUNCTION")
def application_is_a_function(yields: Any, expected: Any) -> z3.BoolRef:
    """Say that what an application yields is what it always yields for the same arguments."""
    return yields == expected


@frozen
class Application:
    """An application of which nothing is known but what is assumed."""

    given: Given

    def initial_state(self) -> Any:
        """Return the state of a created chain."""
        return SOptional(INITIAL)

    def execute_operation(self, chain_id: Any, state: Any, operation: Any) -> Effect:
        """Reject, or yield what an operation yields."""
        return self._effect(OPERATION(*map(term, (chain_id, state, operation))))

    def execute_message(self, chain_id: Any, state: Any, origin: Any, payload: Any) -> Effect:
        """Reject, or yield what a message yields."""
        return self._effect(MESSAGE(*map(term, (chain_id, state, origin, payload))))

    def _effect(self, expected: z3.ExprRef) -> Effect:
        may_reject(Reason.INSUFFICIENT_FUNDING)
        effect: Effect = unknown(EFFECTS, "effect")
        assume(self.given("APPLICATION-IS-A-FUNCTION", EFFECTS.pack(effect), expected))
        return effect


@formula("EXECUTE-TRANSACTION")
def transaction_step(chain: Any, index: Any, before: Any, transaction: Any, after: Any, created: Any) -> z3.BoolRef:
    """Say that a transaction leads where it always leads, and creates the child with its index if any chain."""
    is_child = conj(CREATION.parent_of(created) == chain, CREATION.index_of(created) == index)
    only_child = z3.Implies(CREATES_IN(sent_in(after), created), is_child)
    return conj(after == STEP(chain, index, before, transaction), only_child)


def summary_of_child(given: Given) -> Callable[[Any, Any], SAtom]:
    """Return what CHILD says of ``child``."""

    def child(parent: Any, index: Any) -> SAtom:
        may_reject(Reason.INVALID_NEW_CHAIN_ID)
        made = FAMILY.child_of(term(parent), term(index))
        assume(given("CHILD", FAMILY, term(parent), term(index), made))
        return SAtom(made)

    return child


def lawful_effects(created: Any, given: Given) -> Callable[..., Any]:
    """Return the shipped ``apply_effect``; its loop leaves no message that creates a chain."""

    def walk(step: Any, init: None, messages: SMessages) -> None:
        place = PLACE_OF(messages.term, created)

        def known(_: None, n: Any) -> z3.BoolRef:
            passed = conj(place >= 0, place < n)
            return z3.Implies(passed, z3.Not(creates(MESSAGE_AT(messages.term, place), created)))

        def watched(_: None, message: OutgoingMessage) -> None:
            lawful = conj(z3.BoolVal(type(message.content) is User), IDENTIFIES(term(message.recipient)))
            try:
                step(None, message)
            except Rejection as rejection:
                claim("only an unlawful message is refused", z3.Not(lawful))
                claim("as USER_ERROR", rejection.reason is Reason.USER_ERROR and rejection.detail is message)
                raise
            claim("only lawful messages are sent", lawful)

        assume(given("CREATING-MESSAGES", messages.term, messages.term, OUTGOING_MESSAGE, created))
        Induction(known, lambda: None)(watched, init, SList(messages.item, messages.length, place))

    return with_callees(apply_effect, fold=walk, is_identifier=lambda chain: SBool(IDENTIFIES(term(chain))))


OUTGOING_MESSAGE: Final = z3.Const("a message", OUTGOING.sort)
INITIAL: Final = z3.Const("initial_state", STATES.sort)


def transaction_executor(created: Any, given: Given) -> Callable[..., Any]:
    """Return the shipped ``execute_transaction``."""
    apply = lawful_effects(created, given)
    return with_callees(
        execute_transaction,
        execute_operation=with_callees(execute_operation, apply_effect=apply),
        execute_message=with_callees(execute_message, apply_effect=apply),
        open_chain=with_callees(open_chain, child=summary_of_child(given)),
        change_owners=owner_changes(),
    )


def expected_step(chain: Any, index: Any, before: Running, transaction: Any) -> z3.ExprRef:
    """Return what a transaction leads to, kind by kind."""
    effect = None
    match transaction:
        case Execute():
            effect = OPERATION(chain, term(before.state), term(transaction.operation))
        case Receive() if isinstance(transaction.message.content, User):
            message = transaction.message
            effect = MESSAGE(chain, term(before.state), term(message.origin), term(message.content.payload))  # type: ignore[union-attr]
        case OpenChain():
            sent = OutgoingMessage(SAtom(FAMILY.child_of(chain, index)), Create(transaction.owner))  # type: ignore[arg-type]
            return RUNNING.pack(Running(before.owner, before.state, (sent,)))
        case ChangeKey():
            return RUNNING.pack(Running(transaction.owner, before.state))
        case CloseChain():
            return RUNNING.pack(Running(None, before.state))
        case AddOwner() | RemoveOwner():
            keys = z3.Store(keys_or_none(before.owner), term(transaction.owner), isinstance(transaction, AddOwner))
            return RUNNING.pack(Running(Owners(SSet(BYTES, keys)), before.state))  # type: ignore[arg-type]
    if effect is None:
        return RUNNING.pack(Running(before.owner, before.state))
    made = EFFECTS.unpack(effect)
    return RUNNING.pack(Running(before.owner, made.state, made.messages))


@proof("EXECUTE-TRANSACTION")
def transactions(given: Given) -> Iterator[Query]:
    """Run one transaction of every kind twice; that both runs agree makes ``step`` a function."""

    def run() -> None:
        chain, index, created = unknown(CHAIN_IDS, "chain"), unknown(INDICES, "index"), fresh("created", CHAIN)
        before, transaction = unknown(RUNNING, "before"), unknown(TRANSACTIONS, "transaction")
        before = evolve(before, owner=opened(OWNER, before.owner))
        execute = transaction_executor(created, given)
        context = any_context(Application(given))
        after = attempt(execute, context, chain, index, before, transaction)
        if isinstance(after, Rejected):
            claim(
                "CHAIN_CLOSED exactly without an owner", (after.reason is Reason.CHAIN_CLOSED) == (before.owner is None)
            )
            return
        reach(type(transaction).__name__)
        claim("an owner", before.owner is not None)
        packed = RUNNING.pack(after)
        claim("each kind does what it says", packed == expected_step(term(chain), term(index), before, transaction))
        again = attempt(execute, context, chain, index, before, transaction)
        if not isinstance(again, Rejected):
            claim("the same again", RUNNING.pack(again) == packed)
        if isinstance(transaction, OpenChain):
            claim("the child is the one named", transaction.chain_id.term == FAMILY.child_of(term(chain), term(index)))  # type: ignore[attr-defined]
            assume(given("CREATING-MESSAGES", NO_MESSAGES, NO_MESSAGES, OUTGOING.pack(after.messages[0]), created))
        else:
            assume(given("CREATING-MESSAGES", NO_MESSAGES, NO_MESSAGES, OUTGOING_MESSAGE, created))
        arguments = (
            term(chain),
            term(index),
            RUNNING.pack(evolve(before, messages=())),
            TRANSACTIONS.pack(transaction),
        )
        assume(STEP(*arguments) == packed)
        claim("the contract", said("EXECUTE-TRANSACTION", *arguments, packed, created))

    yield from lifted("execute_transaction", run)


# --- All transactions of a block ---------------------------------------------------------------------------------

TRANSACTION_AT: Final = z3.Function("transaction_at", BLOCKS.sort, NUMBER, TRANSACTIONS.sort)
COUNT: Final = z3.Function("transactions_in", BLOCKS.sort.accessor(0, 3).range(), NUMBER)
PROGRESS: Final = z3.Function("progress", REST.sort, BLOCKS.sort, NUMBER, RUNNING.sort)
chain_in, list_in = part_of(BLOCKS, Block, "chain_id"), part_of(BLOCKS, Block, "transactions")
make_running = RUNNING.sort.constructor(0)


@formula("PROGRESS")
def progress(rest: Any, block: Any, n: Any) -> z3.BoolRef:
    """Define owner, state and messages after n transactions."""
    start = make_running(field_of("owner")(rest), field_of("state")(rest), NO_MESSAGES)
    now, after = PROGRESS(rest, block, n), PROGRESS(rest, block, n + 1)
    index, silent = field_of("tx_count")(rest) + n, make_running(owner_in(now), state_in(now), NO_MESSAGES)
    step = STEP(chain_in(block), index, silent, TRANSACTION_AT(block, n))
    joined = make_running(owner_in(step), state_in(step), JOINED(sent_in(now), sent_in(step)))
    return conj(PROGRESS(rest, block, z3.IntVal(0)) == start, z3.Implies(n >= 0, after == joined))


def field_of(name: str) -> Callable[[Any], Any]:
    """Return the accessor of a field of the rest."""
    return part_of(REST, Rest, name)


def summary_of_transactions(created: Any, given: Given) -> Callable[..., Running]:
    """Return what EXECUTE-TRANSACTION says of ``execute_transaction``."""

    def execute_transaction(_: Context, chain: Any, index: Any, before: Running, transaction: SAtom) -> Running:
        may_reject(Reason.USER_ERROR)
        after: Running = unknown(RUNNING, "ran")
        silent = RUNNING.pack(evolve(before, messages=()))
        step = (term(chain), term(index), silent, transaction.term, RUNNING.pack(after))
        assume(given("EXECUTE-TRANSACTION", *step, created))
        return after

    return execute_transaction


@formula("EXECUTE-TRANSACTIONS")
def all_transactions(rest: Any, block: Any, after: Any, created: Any) -> z3.BoolRef:
    """Say where the transactions of a block lead, and that a created chain has the index of one of them."""
    return reached(rest, block, after, created, COUNT(list_in(block)))


def reached(rest: Any, block: Any, after: Any, created: Any, n: Any) -> z3.BoolRef:
    """Say so of n transactions."""
    index, first = CREATION.index_of(created), field_of("tx_count")(rest)
    counted = conj(first <= index, index < first + n, CREATION.parent_of(created) == chain_in(block))
    return conj(after == PROGRESS(rest, block, n), z3.Implies(CREATES_IN(sent_in(after), created), counted))


@frozen(eq=False)
class Gathering:
    """Stand for ``gather`` along the transactions of a block: a fold, whose value has the messages beside it."""

    rest: z3.ExprRef
    block: z3.ExprRef
    created: z3.ExprRef
    given: Given

    def __call__(self, step: Callable[[Any, Any], Any], init: Running, items: SList) -> tuple[Running, SMessages]:
        """Fold."""

        def join(done: Running, item: Any) -> Running:
            running, sent = step(evolve(done, messages=()), item)
            both = MESSAGE_LISTS.pack(done.messages), MESSAGE_LISTS.pack(sent)
            assume(self.given("CREATING-MESSAGES", *both, OUTGOING_MESSAGE, self.created))
            after: Running = evolve(running, messages=SMessages(JOINED(*both)))
            return after

        done: Running = Induction(self.known, self.unknown, lemmas=self.laws)(join, init, items)
        return done, done.messages  # type: ignore[return-value]

    def known(self, done: Running, n: Any) -> z3.BoolRef:
        """Say what was reached after n transactions."""
        return reached(self.rest, self.block, RUNNING.pack(done), self.created, n)

    def unknown(self) -> Running:
        """Return an arbitrary value."""
        running: Running = unknown(RUNNING, "running")
        return running

    def laws(self, _: Running, n: Any) -> tuple[z3.BoolRef, ...]:
        """Unfold the definition at n, and what is known of the empty list."""
        laws = self.given("CREATING-MESSAGES", NO_MESSAGES, NO_MESSAGES, OUTGOING_MESSAGE, self.created)
        return self.given("PROGRESS", self.rest, self.block, n), laws


@proof("EXECUTE-TRANSACTIONS")
def transactions_in_order(given: Given) -> Iterator[Query]:
    """Run the loop on an arbitrary chain and block."""

    def run() -> None:
        (chain, block), created = any_block(), fresh("created", CHAIN)
        rest, packed = REST.pack(rest_of(chain.consistent)), BLOCKS.pack(block)
        assume(COUNT(list_in(packed)) >= 0)
        execute = with_callees(
            execute_transactions,
            execute_transaction=summary_of_transactions(created, given),
            gather=Gathering(rest, packed, created, given),
            enumerate=enumerated(packed),
        )
        outcome = attempt(execute, any_context(), chain, block)
        if not isinstance(outcome, Rejected):
            running, messages = outcome
            after = RUNNING.pack(evolve(running, messages=messages))
            claim("the contract", said("EXECUTE-TRANSACTIONS", rest, packed, after, created))

    yield from lifted("execute_transactions", run)


def enumerated(block: z3.ExprRef) -> Callable[[Any, Any], SList]:
    """Stand for ``enumerate``: the transactions of a block with their indices."""

    def enumeration(transactions: Any, start: Any) -> SList:
        claim("the transactions of the block", term(transactions) == list_in(block))
        count = COUNT(term(transactions))
        return SList(lambda n: (SInt(term(start) + n), SAtom(TRANSACTION_AT(block, n))), count, fresh("place", NUMBER))

    return enumeration


# --- Received messages -------------------------------------------------------------------------------------------

RECEIVED_AT: Final = z3.Function("received_at", BLOCKS.sort, NUMBER, MESSAGES.sort)
RECEIVED: Final = z3.Function("received_in", BLOCKS.sort, NUMBER)
CURSORS_AFTER: Final = z3.Function("cursors_after", CONSUMED.sort, BLOCKS.sort, NUMBER, CONSUMED.sort)
"""The messages that a block receives, sorted by origin; the consumption cursors after so many of them."""


@formula("CONSUMED-CURSORS")
def consumed_cursors(start: Any, block: Any, n: Any) -> z3.BoolRef:
    """Define the consumption cursors after n messages: that of the origin passes the message."""
    now, after, message = (
        CURSORS_AFTER(start, block, n),
        CURSORS_AFTER(start, block, n + 1),
        RECEIVED_AT(block, n),
    )
    height, index, origin = (part_of(MESSAGES, Message, name)(message) for name in ("height", "index", "origin"))
    cursors, behind = CONSUMED.unpack(now), CURSORS.sort.constructor(0)(height, index + 1)
    present, array = z3.Store(cursors.present, origin, z3.BoolVal(True)), z3.Store(cursors.array, origin, behind)
    passed = evolve(cursors, present=present, array=array)
    first = CURSORS_AFTER(start, block, z3.IntVal(0)) == start
    return conj(first, z3.Implies(n >= 0, after == CONSUMED.pack(passed)))


def cursor_of(consumed: Any, origin: Any) -> z3.ExprRef:
    """Return the consumption cursor of an origin."""
    cursors = CONSUMED.unpack(consumed)
    return z3.If(cursors.present[origin], cursors.array[origin], CURSORS.pack(START))


@formula("CONSUMPTION-PASSES")
def passes(before: Any, message: Any, after: Any) -> z3.BoolRef:
    """Say that a message at or after a cursor was consumed, and the cursor stands right behind it."""
    height, index = (part_of(MESSAGES, Message, name)(message) for name in ("height", "index"))
    place = CURSORS.sort.constructor(0)(height, index)
    return conj(z3.Not(precedes(place, before)), after == CURSORS.sort.constructor(0)(height, index + 1))


def any_inbox(name: str) -> Inbox:
    """Return an arbitrary inbox."""
    cursors = (unknown(CURSORS, f"{name}.{part}") for part in ("next_add", "consumed"))
    queues: Any = (SQueue.unknown(MESSAGES, f"{name}.{part}", anything) for part in ("added", "removed"))
    return Inbox(*cursors, *queues)


def anything(*_: Any) -> z3.BoolRef:
    """Say nothing."""
    return z3.BoolVal(True)


@proof("CONSUMPTION-PASSES")
def one_consumption(_: Given) -> Iterator[Query]:
    """Run ``remove`` on any inbox, of whatever shape."""

    def run() -> None:
        inbox, message = any_inbox("inbox"), unknown(MESSAGES, "message")
        after = attempt(remove, inbox, message)
        if not isinstance(after, Rejected):
            before, now = (CURSORS.pack(box.consumed) for box in (inbox, after))
            claim("the cursor passes the message", said("CONSUMPTION-PASSES", before, MESSAGES.pack(message), now))

    yield from lifted("remove", run)


@frozen
class Taken:
    """A message that was taken out of an inbox, and what that left."""

    inbox: Inbox
    message: Message
    left: Inbox


def summary_of_remove(given: Given, taken: list[Taken]) -> Callable[[Inbox, Message], Inbox]:
    """Return what is needed of ``remove``: it rejects, or the cursor passes the message; ``taken`` notes it."""

    def remove(inbox: Inbox, message: Message) -> Inbox:
        may_reject(Reason.INCORRECT_MESSAGE_ORDER)
        after = any_inbox("after")
        cursors = (CURSORS.pack(box.consumed) for box in (inbox, after))
        assume(given("CONSUMPTION-PASSES", next(cursors), MESSAGES.pack(message), next(cursors)))
        taken.append(Taken(inbox, message, after))
        return after

    return remove


def claim_taken(before: Chain, message: Message, after: Chain, taken: list[Taken]) -> None:
    """Claim that a message was taken out of the inbox of its origin, and that what this left is stored."""
    (once,) = taken
    claim("the message is taken out once", once.message is message)
    found = inbox_of(before, message.origin)
    halves = [MAILBOXES.pack(Mailbox(box.next_add, box.added, box.removed)) for box in (found, once.inbox)]
    claim("of the inbox of its origin", halves[0] == halves[1])
    stored = put_inbox(before, message.origin, once.left)
    one, other = ((c.localized.mailboxes, c.localized.owing) for c in (stored, after))
    same = [a.array == b.array for a, b in zip(one, other, strict=True)]  # type: ignore[attr-defined]
    claim("and what this leaves is stored", conj(*same, one[0].present == other[0].present))  # type: ignore[attr-defined]


@formula("CONSUME-MESSAGES")
def consumption(before: Any, block: Any, after: Any, origin: Any) -> z3.BoolRef:
    """Say that the cursors pass the messages of a block, and that of no origin goes back."""
    back = precedes(cursor_of(after, origin), cursor_of(before, origin))
    return conj(after == CURSORS_AFTER(before, block, RECEIVED(block)), z3.Not(back))


@frozen(eq=False)
class Consuming:
    """Stand for ``fold`` along the messages that a block receives."""

    before: Chain
    block: Block
    origin: z3.ExprRef
    given: Given
    taken: list[Taken]

    def __call__(self, step: Callable[[Any, Any], Any], init: Chain, items: SList) -> Chain:
        """Fold."""

        def watched(chain: Chain, message: Message) -> Chain:
            own = term(message.origin) == term(chain.chain_id)
            future = conj(own, z3.Not(term(message.height) < term(self.block.height)))
            try:
                after: Chain = step(chain, message)
            except Rejection as rejection:
                early = rejection.reason is Reason.INCORRECT_MESSAGE_ORDER
                claim("a message that is to be sent yet is UNEXPECTED_MESSAGE", future if not early else z3.Not(future))
                known = rejection.reason is Reason.UNEXPECTED_MESSAGE and rejection.detail is message
                claim("with the message", early or known)
                raise
            claim("a block consumes no message that it or a later block sends", z3.Not(future))
            claim("nothing changes but cursors and mailboxes", self.keeps(after))
            claim_taken(chain, message, after, self.taken)
            return after

        claim("from the chain as it was", init is self.before)
        chain: Chain = Induction(self.known, self.unknown, lemmas=self.laws)(watched, init, items)
        return chain

    def known(self, chain: Chain, n: Any) -> z3.BoolRef:
        """Say which cursors were reached after n messages, and that none went back."""
        start, now = CONSUMED.pack(self.before.consistent.consumed), CONSUMED.pack(chain.consistent.consumed)
        back = precedes(cursor_of(now, self.origin), cursor_of(start, self.origin))
        return conj(now == CURSORS_AFTER(start, BLOCKS.pack(self.block), n), z3.Not(back))

    def laws(self, _: Chain, n: Any) -> tuple[z3.BoolRef, ...]:
        """Unfold the definition at n."""
        start = CONSUMED.pack(self.before.consistent.consumed)
        return (self.given("CONSUMED-CURSORS", start, BLOCKS.pack(self.block), n),)

    def unknown(self) -> Chain:
        """Return the chain with other cursors and mailboxes."""
        return with_cursors(self.before)

    def keeps(self, after: Chain) -> bool:
        """Whether the rest of a chain is what it was."""
        parts = ((self.before.consistent, after.consistent), (self.before.localized, after.localized))
        names = [(a, b, field.name) for a, b in parts for field in fields(type(a))]
        changing = {"consumed", "mailboxes", "owing"}
        same = [getattr(a, name) is getattr(b, name) for a, b, name in names if name not in changing]
        return all(same) and after.chain_id is self.before.chain_id


def with_cursors(chain: Chain) -> Chain:
    """Return a chain with other consumption cursors and mailboxes."""
    part = evolve(chain.consistent, consumed=unknown(CONSUMED, "consumed"))
    return Chain(chain.chain_id, part, evolve(chain.localized, **any_mailboxes("consuming")))


@proof("CONSUME-MESSAGES")
def messages_consumed(given: Given) -> Iterator[Query]:
    """Run the loop on an arbitrary chain and block."""

    def run() -> None:
        chain, block = any_block()
        origin, taken = fresh("origin", CHAIN), list[Taken]()
        consume = with_callees(
            consume_messages,
            received_messages=received_messages,
            sorted=sort_by_origin,
            remove=summary_of_remove(given, taken),
            fold=Consuming(chain, block, origin, given, taken),
        )
        after = attempt(consume, chain, block)
        if isinstance(after, Rejected):
            return
        start, end = (CONSUMED.pack(c.consistent.consumed) for c in (chain, after))
        claim("the contract", said("CONSUME-MESSAGES", start, BLOCKS.pack(block), end, origin))

    yield from lifted("consume_messages", run)


def received_messages(block: Block) -> SList:
    """Stand for the messages that a block receives."""
    packed = BLOCKS.pack(block)
    assume(RECEIVED(packed) >= 0)
    return SList(lambda n: unpacked(MESSAGES, RECEIVED_AT(packed, n)), RECEIVED(packed), fresh("place", NUMBER))


def sort_by_origin(messages: SList, key: Callable[[Message], Any]) -> SList:
    """Stand for ``sorted``: the list that the words speak of."""
    message = unknown(MESSAGES, "any message")
    claim("the messages are sorted by origin", key(message) is message.origin)
    return messages


def any_block() -> tuple[Chain, Block]:
    """Return an arbitrary chain and block of it."""
    chain, block = any_chain(), unknown(BLOCKS, "block")
    return chain, evolve(block, chain_id=chain.chain_id)


# --- Execution ---------------------------------------------------------------------------------------------------

ENCODED: Final = z3.Function("encoded", STATES.sort, BYTES.sort)


def executor(given: Given, created: z3.ExprRef, ran: list[Any]) -> Callable[..., Any]:
    """Return the shipped ``execute_block`` on what is proved of its two loops; ``ran`` notes where each led."""
    known = used(given)

    def consume(chain: Chain, block: Block) -> Chain:
        may_reject(Reason.UNEXPECTED_MESSAGE)
        after, origin = with_cursors(chain), fresh("any origin", CHAIN)
        start, end = (CONSUMED.pack(c.consistent.consumed) for c in (chain, after))
        assume(known("CONSUME-MESSAGES", start, BLOCKS.pack(block), end, origin))
        ran.append(after)
        return after

    def transact(_: Context, chain: Chain, block: Block) -> tuple[Running, Any]:
        may_reject(Reason.USER_ERROR)
        after: Running = unknown(RUNNING, "ran")
        arguments = (REST.pack(rest_of(chain.consistent)), BLOCKS.pack(block), RUNNING.pack(after))
        assume(known("EXECUTE-TRANSACTIONS", *arguments, created))
        ran.append(after)
        return after, after.messages

    return with_callees(
        execute_block,
        consume_messages=consume,
        execute_transactions=transact,
        len=length_of,
        hashed_state=with_callees(hashed_state, encode=lambda state: SAtom(ENCODED(term(state)))),
    )


def length_of(transactions: Any) -> SInt:
    """Stand for ``len``."""
    count = COUNT(term(transactions))
    assume(count >= 0)
    return SInt(count)


@proof("EXECUTION-IS-A-FUNCTION")
def execution_determined(given: Given) -> Iterator[Query]:
    """Execute a block at two nodes whose chains have the rest in common: no height, hash, log or localized part."""

    def run() -> None:
        chain, block = any_block()
        execute = executor(given, fresh("created", CHAIN), [])
        other = evolve(any_chain("other"), chain_id=chain.chain_id)
        other = evolve(other, consistent=with_rest(other.consistent, rest_of(chain.consistent)))
        first, second = (attempt(execute, any_context(), c, block) for c in (chain, other))
        if isinstance(first, Rejected) or isinstance(second, Rejected):
            return
        claim("the same executed block", EXECUTED.pack(first.executed) == EXECUTED.pack(second.executed))
        claim("of this block", first.executed.block is block)
        rests = [REST.pack(rest_of(staged.chain.consistent)) for staged in (first, second)]
        claim("the same state", rests[0] == rests[1])

    yield from lifted("two executions", run)


def executed_once(given: Given) -> tuple[Chain, Block, Staged, z3.ExprRef]:
    """Execute a block; what it yields is what the words say, as execution is a function."""
    (chain, block), created = any_block(), fresh("created", CHAIN)
    ran: list[Any] = []
    staged = attempt(executor(given, created, ran), any_context(), chain, block)
    if isinstance(staged, Rejected):
        claim_count_rejected(chain, block, staged)
        raise InfeasibleError
    claim_led(staged, *ran)
    before, after = (REST.pack(rest_of(c.consistent)) for c in (chain, staged.chain))
    yields = EXECUTED.pack(staged.executed), after
    assume(given("EXECUTION-IS-A-FUNCTION", WORDS, before, BLOCKS.pack(block), *yields))
    return chain, block, staged, created


def claim_count_rejected(chain: Chain, block: Block, rejected: Rejected) -> None:
    """Claim that beside the two loops only a transaction count beyond its range rejects."""
    if rejected.reason is Reason.ARITHMETIC:
        count = term(chain.consistent.tx_count) + COUNT(term(block.transactions))
        claim("ARITHMETIC only for a count beyond its range", count > MAX_U64)
        claim("with the count", rejected.detail is not None and term(rejected.detail) == count)
    else:
        known = (Reason.UNEXPECTED_MESSAGE, Reason.USER_ERROR)
        claim("else only what a loop rejects", rejected.reason in known)


def claim_led(staged: Staged, consumed: Chain, ran: Running) -> None:
    """Claim that inboxes are where the consumptions lead, and owner, state and messages where the transactions do."""
    part, cursors = staged.chain.consistent, consumed.consistent.consumed
    kept = staged.chain.localized is consumed.localized and part.consumed is cursors
    claim("inboxes are where the consumptions lead", kept)
    led = part.owner is ran.owner and part.state is ran.state and staged.executed.messages is ran.messages
    claim("owner, state and messages are where the transactions lead", led)
    encoded: Any = SAtom(ENCODED(term(part.state)))
    hashed = HASHED.pack(ChainState(part.created, part.owner, part.tx_count, encoded, part.consumed))
    claim("the hash is that of the state after all of them", term(staged.executed.state_hash) == STATE_HASH(hashed))


@proof("EXECUTION-KEEPS")
def execution_kept(given: Given) -> Iterator[Query]:
    """Execute a block and compare."""

    def run() -> None:
        chain, block, staged, _ = executed_once(given)
        before, after = (REST.pack(rest_of(c.consistent)) for c in (chain, staged.chain))
        claim("the contract", said("EXECUTION-KEEPS", WORDS, CREATION, before, BLOCKS.pack(block)))
        counted = field_of("tx_count")(after) == field_of("tx_count")(before) + COUNT(term(block.transactions))
        claim("every transaction is counted", counted)
        claim("the count stays in its range", field_of("tx_count")(after) <= MAX_U64)
        claim_execution_frame(chain, staged.chain)

    yield from lifted("execute_block", run)


@proof("CREATION-INDEX")
def creations(given: Given) -> Iterator[Query]:
    """Execute a block and ask for a chain that it creates."""

    def run() -> None:
        chain, block, _, created = executed_once(given)
        before, packed = REST.pack(rest_of(chain.consistent)), BLOCKS.pack(block)
        claim("the contract", said("CREATION-INDEX", WORDS, CREATION, before, packed, chain_in(packed), created))

    yield from lifted("execute_block", run)


def claim_execution_frame(before: Chain, after: Chain) -> None:
    """Claim that an execution leaves everything but state, cursors and mailboxes."""
    parts = ("next_height", "block_hash", "log", "created", "creation_height")
    local = ("pending", "received", "outboxes", "counters", "certificates")
    same = [getattr(before.consistent, name) is getattr(after.consistent, name) for name in parts]
    same += [getattr(before.localized, name) is getattr(after.localized, name) for name in local]
    claim("nothing changes but owner, state, count, cursors and mailboxes", all(same))

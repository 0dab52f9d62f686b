"""The token: no step creates or loses an amount, and so no transaction and no block does (S21)."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import z3
from attrs import evolve, frozen

from linera_invariants.proofs.codecs import BYTES, CHAIN_IDS, records, unknown
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.lists import Induction, SList
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import SAtom, SInt, assume, attempt, claim, conj, reach, term
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_reference import application
from linera_reference.application import Balance, Burn, Credit, Effect, Token, TokenOperation
from linera_reference.block import OpenChain
from linera_reference.execution import (
    Running,
    apply_effect,
    execute_message,
    execute_operation,
    execute_transaction,
    execute_transactions,
    open_chain,
)
from linera_reference.messages import User
from linera_reference.notation import MAX_U128
from linera_reference.rejections import Reason, Rejected

from .chain import (
    BLOCKS,
    MESSAGE_LISTS,
    NO_MESSAGES,
    ONE_MESSAGE,
    OUTGOING,
    OWNER,
    REST,
    STATES,
    SMessages,
    any_context,
    opened,
    rest_of,
)
from .execution import (
    COUNT,
    EFFECTS,
    INDICES,
    JOINED,
    LISTS,
    PROGRESS,
    RUNNING,
    TRANSACTION_AT,
    TRANSACTIONS,
    any_block,
    enumerated,
    field_of,
    list_in,
    may_reject,
    sent_in,
    state_in,
)
from .owners import owner_changes

NUMBER: Final = z3.IntSort()
CREDITED: Final = z3.Function("credited", BYTES.sort, NUMBER)
BURNED: Final = z3.Function("burned", BYTES.sort, NUMBER)
ASKED: Final = z3.Function("asked", BYTES.sort, NUMBER)
AS_CREDIT: Final = z3.Function("as_credit", NUMBER, BYTES.sort)
"""What a payload credits, what an operation burns, what it moves or burns, and the payload that credits an amount."""

AMOUNT: Final = z3.Function("balance", STATES.sort, NUMBER)
SUM: Final = z3.Function("sum_of_credits", LISTS, NUMBER)
A_MESSAGE: Final = z3.Const("a message", OUTGOING.sort)
"""The balance that a state is; what a list of messages credits; any message."""


@formula("CREDITS")
def credits_of(first: Any, second: Any, message: Any) -> z3.BoolRef:
    """Define what a list of messages credits."""
    content = OUTGOING.sort.accessor(0, 1)(message)
    payload = content.sort().accessor(1, 0)(content)
    one = z3.If(content.sort().recognizer(0)(content), z3.IntVal(0), CREDITED(payload.sort().accessor(0, 0)(payload)))
    joined = SUM(JOINED(first, second)) == SUM(first) + SUM(second)
    return conj(SUM(NO_MESSAGES) == 0, SUM(ONE_MESSAGE(message)) == one, joined)


# --- One step of the token ---------------------------------------------------------------------------------------


@formula("CREDIT-ENCODING")
def is_read_back(payload: Any, amount: Any) -> z3.BoolRef:
    """Say that what is encoded as a credit is read back."""
    same: z3.BoolRef = CREDITED(payload) == amount
    return same


@formula("TOKEN-STEP")
def is_conserved(before: Any, gained: Any, after: Any, sent: Any, burned: Any) -> z3.BoolRef:
    """Say that what a balance had and gained is what it has, sent, burned, and could not take."""
    return conj(after + sent + burned + lost(before, gained) == before + gained, after >= 0, after <= MAX_U128)


def lost(before: Any, gained: Any) -> Any:
    """Return what a full balance cannot take."""
    return z3.If(before + gained > MAX_U128, before + gained - MAX_U128, z3.IntVal(0))


def token(rule: Callable[..., Any], given: Given) -> Callable[..., Any]:
    """Return a method of the token, on what is known of the encoding."""

    def decode(kind: type, data: SAtom) -> Any:
        may_reject(Reason.TRAILING_BYTES)
        if kind is Credit:
            return Credit(SInt(CREDITED(data.term)))  # type: ignore[arg-type]
        operation = unknown(records(TokenOperation), "operation")
        burned = term(operation.action.amount) if isinstance(operation.action, Burn) else z3.IntVal(0)
        assume(conj(BURNED(data.term) == burned, ASKED(data.term) == term(operation.action.amount)))
        return operation

    def encode(credit: Credit) -> SAtom:
        payload, amount = AS_CREDIT(term(credit.amount)), term(credit.amount)
        assume(given("CREDIT-ENCODING", payload, amount))
        return SAtom(payload)

    read = with_callees(application.read, decode=decode)
    return with_callees(rule, read=read, encode=encode, min=least)


def least(one: Any, other: Any) -> Any:
    """Stand for ``min``."""
    return one if one <= other else other  # noqa: FURB136 - the builtin cannot be asked for itself


@proof("TOKEN-STEP")
def token_steps(given: Given) -> Iterator[Query]:
    """Run an arbitrary operation and an arbitrary message on an arbitrary balance."""

    def begin() -> None:
        claim("a new chain has nothing", attempt(Token().initial_state) == Balance(0))

    def operate() -> None:
        chain, balance = unknown(CHAIN_IDS, "chain"), unknown(records(Balance), "balance")
        operation = unknown(BYTES, "operation")
        assume(given("CREDITS", NO_MESSAGES, NO_MESSAGES, A_MESSAGE))
        effect = attempt(token(Token.execute_operation, given), Token(), chain, balance, operation)
        asked, has = ASKED(operation.term), term(balance.amount)
        if isinstance(effect, Rejected):
            due = {
                Reason.USER_ERROR: z3.BoolVal(True),
                Reason.INCORRECT_TRANSFER_AMOUNT: asked == 0,
                Reason.INSUFFICIENT_FUNDING: asked > has,
            }
            claim("rejects where it is due", due.get(effect.reason, z3.BoolVal(False)))
            return
        claim("spends what there is, and something", conj(asked > 0, asked <= has))
        reach("a transfer" if effect.messages else "a burn")
        claim("sends credits only", all(isinstance(message.content, User) for message in effect.messages))
        for message in effect.messages:
            assume(given("CREDITS", NO_MESSAGES, NO_MESSAGES, OUTGOING.pack(message)))
        claim_step(balance, z3.IntVal(0), effect, BURNED(operation.term))

    def receive() -> None:
        chain, origin = (unknown(CHAIN_IDS, name) for name in ("chain", "origin"))
        balance, payload = unknown(records(Balance), "balance"), unknown(BYTES, "payload")
        assume(conj(CREDITED(payload.term) >= 0, CREDITED(payload.term) <= MAX_U128))
        effect = attempt(token(Token.execute_message, given), Token(), chain, balance, origin, payload)
        if isinstance(effect, Rejected):
            claim("rejects what it cannot read", effect.reason is Reason.USER_ERROR)
            return
        claim("sends nothing", effect.messages == ())
        claim_step(balance, CREDITED(payload.term), effect, z3.IntVal(0))

    yield from lifted("initial_state", begin)
    yield from lifted("execute_operation", operate)
    yield from lifted("execute_message", receive)


def claim_step(before: Balance, gained: Any, effect: Effect, burned: Any) -> None:
    """Claim the contract."""
    sent = SUM(MESSAGE_LISTS.pack(effect.messages)) if effect.messages else z3.IntVal(0)
    amounts = term(before.amount), gained, term(effect.state.amount), sent, burned
    claim("nothing is created or lost", said("TOKEN-STEP", *amounts))


# --- One transaction ---------------------------------------------------------------------------------------------


def gains(transaction: Any) -> Any:
    """Return what a transaction credits."""
    receive = TRANSACTIONS.sort.accessor(1, 0)(transaction)
    content = _last(_last(receive))
    payload = content.sort().accessor(1, 0)(content)
    is_user = conj(TRANSACTIONS.sort.recognizer(1)(transaction), content.sort().recognizer(1)(content))
    return z3.If(is_user, CREDITED(_last(payload)), z3.IntVal(0))


def burns(transaction: Any) -> Any:
    """Return what a transaction burns."""
    execute = TRANSACTIONS.sort.accessor(0, 0)(transaction)
    return z3.If(TRANSACTIONS.sort.recognizer(0)(transaction), BURNED(_last(execute)), z3.IntVal(0))


def _last(record: Any) -> Any:
    """Return the last field of a record."""
    sort = record.sort()
    return sort.accessor(0, sort.constructor(0).arity() - 1)(record)


@formula("TOKEN-TRANSACTION")
def transaction_conserves(before: Any, transaction: Any, after: Any) -> z3.BoolRef:
    """Say that a transaction conserves what a chain has."""
    step = AMOUNT(before), gains(transaction), AMOUNT(state_in(after)), SUM(sent_in(after)), burns(transaction)
    return is_conserved(*step)


class TokenInUse:
    """Stand for the token: what TOKEN-STEP says of its methods."""

    def __init__(self, given: Given) -> None:
        self.given = given

    def execute_operation(self, _: Any, state: Any, operation: Any) -> Effect:
        """Reject, or spend."""
        return self._effect(state, z3.IntVal(0), BURNED(term(operation)))

    def execute_message(self, _: Any, state: Any, __: Any, payload: Any) -> Effect:
        """Reject, or gain."""
        return self._effect(state, CREDITED(term(payload)), z3.IntVal(0))

    def _effect(self, state: Any, gained: Any, burned: Any) -> Effect:
        may_reject(Reason.USER_ERROR)
        effect: Effect = unknown(EFFECTS, "effect")
        sent = SUM(term(effect.messages))
        assume(self.given("TOKEN-STEP", AMOUNT(term(state)), gained, AMOUNT(term(effect.state)), sent, burned))
        return effect


@proof("TOKEN-TRANSACTION")
def one_transaction(given: Given) -> Iterator[Query]:
    """Run one transaction of every kind with the token."""

    def run() -> None:
        before, transaction = unknown(RUNNING, "before"), unknown(TRANSACTIONS, "transaction")
        before = evolve(before, owner=opened(OWNER, before.owner), messages=())
        assume(conj(AMOUNT(term(before.state)) >= 0, AMOUNT(term(before.state)) <= MAX_U128))
        lawful = with_callees(apply_effect, fold=lambda *_: may_reject(Reason.USER_ERROR))
        execute = with_callees(
            execute_transaction,
            execute_operation=with_callees(execute_operation, apply_effect=lawful),
            execute_message=with_callees(execute_message, apply_effect=lawful),
            open_chain=with_callees(open_chain, child=lambda *_: unknown(CHAIN_IDS, "child")),
            change_owners=owner_changes(),
        )
        chain, index = unknown(CHAIN_IDS, "chain"), unknown(INDICES, "index")
        context = any_context(TokenInUse(given))
        after = attempt(execute, context, chain, index, before, transaction)
        if isinstance(after, Rejected):
            return
        reach(type(transaction).__name__)
        message = OUTGOING.pack(after.messages[0]) if isinstance(transaction, OpenChain) else A_MESSAGE
        assume(given("CREDITS", NO_MESSAGES, NO_MESSAGES, message))
        packed = term(before.state), TRANSACTIONS.pack(transaction), RUNNING.pack(after)
        claim("nothing is created or lost", said("TOKEN-TRANSACTION", *packed))

    yield from lifted("execute_transaction", run)


# --- All transactions of a block ---------------------------------------------------------------------------------

GAINED: Final = z3.Function("gained_after", BLOCKS.sort, NUMBER, NUMBER)
SPENT: Final = z3.Function("burned_or_lost_after", REST.sort, BLOCKS.sort, NUMBER, NUMBER)
"""What the first so many transactions of a block credit, and what they burn or a full balance cannot take."""


@formula("TOKEN-SO-FAR")
def so_far(rest: Any, block: Any, n: Any) -> z3.BoolRef:
    """Define both, step by step."""
    transaction, none = TRANSACTION_AT(block, n), z3.IntVal(0)
    gone = burns(transaction) + lost(AMOUNT(state_in(PROGRESS(rest, block, n))), gains(transaction))
    step = conj(
        GAINED(block, n + 1) == GAINED(block, n) + gains(transaction),
        SPENT(rest, block, n + 1) == SPENT(rest, block, n) + gone,
    )
    return conj(GAINED(block, none) == 0, SPENT(rest, block, none) == 0, z3.Implies(n >= 0, step))


@formula("TOKEN-BLOCK")
def block_conserves(rest: Any, block: Any, after: Any) -> z3.BoolRef:
    """Say that what a chain had and gained is what it has, sent, burned and could not take."""
    return conserved_after(rest, block, after, COUNT(list_in(block)))


def conserved_after(rest: Any, block: Any, after: Any, n: Any) -> z3.BoolRef:
    """Say so of n transactions."""
    now, start = AMOUNT(state_in(after)), AMOUNT(field_of("state")(rest))
    kept = now + SUM(sent_in(after)) + SPENT(rest, block, n) == start + GAINED(block, n)
    return conj(kept, now >= 0, now <= MAX_U128)


@frozen(eq=False)
class Adding:
    """Stand for ``gather`` along the transactions of a block, and count."""

    rest: z3.ExprRef
    block: z3.ExprRef
    given: Given

    def __call__(self, step: Callable[[Any, Any], Any], init: Running, items: SList) -> Any:
        """Fold."""

        def join(done: Running, item: Any) -> Running:
            running, sent = step(evolve(done, messages=()), item)
            both = MESSAGE_LISTS.pack(done.messages), MESSAGE_LISTS.pack(sent)
            assume(self.given("CREDITS", *both, A_MESSAGE))
            joined: Running = evolve(running, messages=SMessages(JOINED(*both)))
            return joined

        def laws(_: Running, n: Any) -> tuple[z3.BoolRef, ...]:
            names = self.rest, self.block, n
            nothing = self.given("CREDITS", NO_MESSAGES, NO_MESSAGES, A_MESSAGE)
            return self.given("PROGRESS", *names), self.given("TOKEN-SO-FAR", *names), nothing

        done = Induction(self.known, lambda: unknown(RUNNING, "running"), lemmas=laws)(join, init, items)
        return done, done.messages

    def known(self, done: Running, n: Any) -> z3.BoolRef:
        """Say where n transactions lead, and that nothing was created or lost."""
        now = RUNNING.pack(done)
        return conj(now == PROGRESS(self.rest, self.block, n), conserved_after(self.rest, self.block, now, n))

    def execute_transaction(self, _: Any, chain: Any, index: Any, before: Running, transaction: SAtom) -> Running:
        """Stand for one transaction."""
        may_reject(Reason.USER_ERROR)
        after: Running = unknown(RUNNING, "ran")
        silent, packed = RUNNING.pack(evolve(before, messages=())), RUNNING.pack(after)
        step = term(chain), term(index), silent, transaction.term, packed, z3.Const("a chain", CHAIN_IDS.sort)
        assume(self.given("EXECUTE-TRANSACTION", *step))
        assume(self.given("TOKEN-TRANSACTION", term(before.state), transaction.term, packed))
        return after


@proof("TOKEN-BLOCK")
def all_transactions(given: Given) -> Iterator[Query]:
    """Run the loop on an arbitrary chain and block."""

    def run() -> None:
        chain, block = any_block()
        rest, packed = REST.pack(rest_of(chain.consistent)), BLOCKS.pack(block)
        balance = AMOUNT(term(chain.consistent.state))
        assume(conj(COUNT(list_in(packed)) >= 0, balance >= 0, balance <= MAX_U128))
        adding = Adding(rest, packed, given)
        execute = with_callees(
            execute_transactions,
            enumerate=enumerated(packed),
            execute_transaction=adding.execute_transaction,
            gather=adding,
        )
        outcome = attempt(execute, any_context(), chain, block)
        if not isinstance(outcome, Rejected):
            running, messages = outcome
            after = RUNNING.pack(evolve(running, messages=messages))
            claim("nothing is created or lost", said("TOKEN-BLOCK", rest, packed, after))

    yield from lifted("execute_transactions", run)

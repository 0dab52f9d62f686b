"""Execution: what each transaction does, what it refuses, and what the state hash covers (section 2.7, Algorithm 1)."""

from collections.abc import Iterator
from typing import Any

from attrs import evolve

from linera_invariants.vectors.model import Case
from linera_reference.application import Balance, Credit, burn, transfer
from linera_reference.block import (
    AddOwner,
    ChangeKey,
    CloseChain,
    Execute,
    OpenChain,
    Receive,
    RemoveOwner,
    Transaction,
)
from linera_reference.chain import Chain
from linera_reference.encoding import encode
from linera_reference.identifiers import K_MAX
from linera_reference.messages import Create, Cursor, Message, User
from linera_reference.notation import MAX_U32, MAX_U64, MAX_U128
from linera_reference.rejections import Reason

from .stories import ALICE, BOB, NOWHERE, Story, credit, owner_of, pay, story

ABOUT = "Execution of blocks: transactions, the token, messages, the state hash, and what is refused."

BLOCK = ("WP-2.7-EXECUTE-BLOCK",)
TOKEN = ("WP-2.7-TOKEN",)
CAROL = story().key("carol")
ELSEWHERE = Message(BOB, 0, 0, NOWHERE, credit(5))
CREATION = Message(BOB, 0, 0, NOWHERE, Create(CAROL))


def cases() -> Iterator[Case]:
    """Yield the cases, simplest first."""
    for row in (*kinds(), *token_edges(), *identifiers(), *received(), *ends(), *orders(), *owners()):
        yield from executed(*row)
    yield from out_of_range()
    yield from refused_by_token()
    yield from state_hashes()
    yield from counts()
    yield from inboxes()
    yield from encoded()


Row = tuple[str, str, tuple[str, ...], Story, tuple[Transaction, ...], Reason | None]


def executed(
    name: str,
    why: str,
    clauses: tuple[str, ...],
    told: Story,
    transactions: tuple[Transaction, ...],
    reason: Reason | None,
) -> Iterator[Case]:
    """Yield one block twice: executed by itself, and proposed to a validator."""
    block = told.block(ALICE, *transactions)
    arguments = {"context": told.context, "chain": told.chain(ALICE), "block": block}
    clauses = (*clauses, *(("WP-2.7-EXECUTE",) if any(isinstance(t, Execute) for t in transactions) else ()), *BLOCK)
    yield Case(
        name=f"execute-{name}",
        sentence=why,
        clauses=clauses,
        operation="execute_block",
        arguments=arguments,
        reason=reason,
    )
    owed = Reason.MISSING_CROSS_CHAIN_UPDATE if reason is None and consumes_unsent(told, transactions) else reason
    yield told.case(f"propose-{name}", why, clauses, told.request(block), reason=owed)


def consumes_unsent(told: Story, transactions: tuple[Transaction, ...]) -> bool:
    """Whether a block receives what did not come."""
    return any(isinstance(t, Receive) and t not in told.waiting(ALICE) for t in transactions)


def rich(balance: int) -> Story:
    """Begin with such a balance of alice's chain."""
    return story(chains={"alice": (ALICE, balance), "bob": (BOB, 10)})


def kinds() -> Iterator[Row]:
    """Yield each transaction alone."""
    told = story()
    yield "nothing", "A block without transactions.", (), told, (), None
    yield "open", "A child for carol.", ("WP-2.7-OPEN-CHAIN",), told, (OpenChain((0, 0), CAROL),), None
    yield "change-key", "Carol owns the chain.", ("WP-2.7-CHANGE-KEY",), told, (ChangeKey(CAROL),), None
    yield "close", "The chain is closed.", ("WP-2.7-CLOSE-CHAIN",), told, (CloseChain(),), None
    yield "transfer", "Tokens leave by a message.", TOKEN, told, (pay(BOB, 7),), None
    yield "transfer-to-itself", "Also to the chain itself.", TOKEN, told, (pay(ALICE, 7),), None
    yield "transfer-anywhere", "Also to a chain that is not there.", TOKEN, told, (pay((5, 6), 7),), None
    yield "burn", "Tokens are gone.", TOKEN, told, (Execute(burn(7)),), None
    receives = ("WP-2.7-RECEIVE",)
    yield "receive-credit", "A message adds tokens.", receives, told, (Receive(ELSEWHERE),), None
    yield "receive-creation", "A creation message is only consumed.", receives, told, (Receive(CREATION),), None
    all_kinds = (pay(BOB, 1), OpenChain((0, 1), CAROL), ChangeKey(CAROL), Execute(burn(2)), pay((0, 1), 3))
    yield "all-kinds", "Messages are listed in the order of the transactions.", (), told, all_kinds, None
    silent = (pay(BOB, 1), Receive(CREATION), ChangeKey(CAROL), Execute(burn(1)), Receive(evolve(ELSEWHERE, index=1)))
    yield "silent-after-transfer", "Each transaction sends its own messages only.", (), told, silent, None
    ideal = story("ideal")
    yield "ideal", "With ideal signatures.", (), ideal, (pay(BOB, 1), ChangeKey(ideal.key("carol"))), None


def token_edges() -> Iterator[Row]:
    """Yield the edges of amounts."""
    for balance, amount, reason in (
        (0, 0, Reason.INCORRECT_TRANSFER_AMOUNT),
        (0, 1, Reason.INSUFFICIENT_FUNDING),
        (1, 0, Reason.INCORRECT_TRANSFER_AMOUNT),
        (1, 1, None),
        (1, 2, Reason.INSUFFICIENT_FUNDING),
        (MAX_U128, 1, None),
        (MAX_U128, MAX_U128, None),
        (MAX_U128 - 1, MAX_U128, Reason.INSUFFICIENT_FUNDING),
    ):
        told, label = rich(balance), f"{amount}-of-{balance}"
        yield f"transfer-{label}", "What a transfer may take.", TOKEN, told, (pay(BOB, amount),), reason
        yield f"burn-{label}", "What a burn may take.", TOKEN, told, (Execute(burn(amount)),), reason
    for balance, amount in ((0, 0), (0, MAX_U128), (MAX_U128, 1), (MAX_U128 - 1, 1), (MAX_U128 - 1, 2), (5, MAX_U128)):
        received = Receive(evolve(ELSEWHERE, content=credit(amount)))
        told = rich(balance)
        yield f"credit-{amount}-to-{balance}", "Credits stop at the largest balance.", TOKEN, told, (received,), None
    told, funds = rich(3), Reason.INSUFFICIENT_FUNDING
    yield "spend-in-steps", "Each transaction sees the one before.", TOKEN, told, (pay(BOB, 1), pay(BOB, 2)), None
    yield "overspend-in-steps", "And what it left.", TOKEN, told, (pay(BOB, 2), pay(BOB, 2)), funds
    yield "spend-received", "What is received can be spent.", TOKEN, told, (Receive(ELSEWHERE), pay(BOB, 8)), None
    yield "spend-before-received", "Not before.", TOKEN, told, (pay(BOB, 8), Receive(ELSEWHERE)), funds


def identifiers() -> Iterator[Row]:
    """Yield which children may be opened, and where messages may go."""
    told, clauses, wrong = story(), ("WP-2.7-OPEN-CHAIN", "WP-2.4-CHILD"), Reason.INVALID_NEW_CHAIN_ID
    for chain_id in ((0, 1), (1, 0), (0,), (0, 0, 0), ()):
        name = f"open-wrong-{'-'.join(map(str, chain_id)) or 'empty'}"
        yield name, "The identifier follows from the transaction.", clauses, told, (OpenChain(chain_id, CAROL),), wrong
    second = (pay(BOB, 1), OpenChain((0, 1), CAROL))
    yield "open-second", "The index counts the transactions of the chain.", clauses, told, second, None
    yield "open-second-wrong", "Not those that open.", clauses, told, (pay(BOB, 1), OpenChain((0, 0), CAROL)), wrong
    twice = (OpenChain((0, 0), CAROL), OpenChain((0, 0), CAROL))
    yield "open-twice", "No identifier is given twice.", clauses, told, twice, wrong
    two = (OpenChain((0, 0), CAROL), OpenChain((0, 1), told.key("bob")))
    yield "open-two", "Two children.", clauses, told, two, None
    later = told.extended(ALICE, pay(BOB, 1), pay(BOB, 1))
    yield "open-later", "Counting goes on over blocks.", clauses, later, (OpenChain((0, 2), CAROL),), None
    yield "open-later-wrong", "It does not start again.", clauses, later, (OpenChain((0, 0), CAROL),), wrong
    deep = story(chains={"alice": ((0,), 5), "bob": ((7,) * K_MAX, 5)})
    badly = Reason.USER_ERROR
    for name, recipient, reason in (
        ("longest", (7,) * K_MAX, None),
        ("too-long", (7,) * (K_MAX + 1), badly),
        ("empty", (), badly),
        ("largest", (MAX_U64,), None),
    ):
        yield (
            f"transfer-to-{name}",
            "The recipient is an identifier.",
            ("WP-2.7-APPLICATION",),
            deep,
            (pay(recipient, 1),),
            reason,
        )


def received() -> Iterator[Row]:
    """Yield what is received, and in which order."""
    clauses, junk = ("WP-2.7-RECEIVE",), Reason.USER_ERROR
    for name, payload in (("empty", b""), ("short", encode(Credit(1))[:-1]), ("long", encode(Credit(1)) + b"\0")):
        item = Receive(evolve(ELSEWHERE, content=User(payload)))
        yield f"payload-{name}", "The application reads the payload strictly.", clauses, story(), (item,), junk
    mail = story().extended(BOB, pay(ALICE, 1), pay(ALICE, 2)).extended(BOB, pay(ALICE, 3)).settled()
    one, two, three = mail.waiting(ALICE)
    for name, chosen, reason in (
        ("all", (one, two, three), None),
        ("first", (one,), None),
        ("skipping", (three,), None),
        ("two-of-three", (one, three), None),
        ("backwards", (two, one), Reason.INCORRECT_MESSAGE_ORDER),
        ("twice", (one, one), Reason.INCORRECT_MESSAGE_ORDER),
        ("between", (one, pay(BOB, 1), two), None),
    ):
        yield f"mail-{name}", "Messages of one origin are consumed in order.", clauses, mail, chosen, reason
    other = Receive(evolve(two.message, content=credit(9)))
    yield (
        "mail-other",
        "What waits in this place is another message.",
        clauses,
        mail,
        (other,),
        Reason.UNEXPECTED_MESSAGE,
    )
    also = Receive(evolve(ELSEWHERE, origin=(0, 7)))
    yield "two-origins", "Origins do not hinder each other.", clauses, mail, (two, also, three), None
    yield (
        "two-origins-wrong",
        "But within each there is an order.",
        clauses,
        mail,
        (three, also, one),
        Reason.INCORRECT_MESSAGE_ORDER,
    )
    consumed = mail.extended(ALICE, one)
    yield "mail-rest", "The next block goes on.", clauses, consumed, (two, three), None
    yield "mail-consumed", "What was consumed is gone.", clauses, consumed, (one,), Reason.INCORRECT_MESSAGE_ORDER
    own = Message(ALICE, 0, 0, NOWHERE, credit(1))
    future = Reason.UNEXPECTED_MESSAGE
    yield "own-now", "A block cannot receive what it sends.", clauses, story(), (Receive(own),), future
    yield "own-later", "Nor what comes later.", clauses, story(), (Receive(evolve(own, height=1)),), future
    itself = story().extended(ALICE, pay(ALICE, 4)).settled()
    yield "own-before", "What an earlier block sent to its own chain.", clauses, itself, itself.waiting(ALICE), None


def ends() -> Iterator[Row]:
    """Yield transactions after the end of a chain."""
    told, clauses = story(), ("WP-2.7-CLOSE-CHAIN",)
    for name, transaction in (
        ("pay", pay(BOB, 1)),
        ("receive", Receive(ELSEWHERE)),
        ("open", OpenChain((0, 1), CAROL)),
        ("change-key", ChangeKey(CAROL)),
        ("close", CloseChain()),
        ("junk", Execute(b"")),
    ):
        yield (
            f"closed-then-{name}",
            "Nothing follows the closing.",
            clauses,
            told,
            (CloseChain(), transaction),
            Reason.CHAIN_CLOSED,
        )
    yield "pay-then-close", "The closing is last.", clauses, told, (pay(BOB, 1), CloseChain()), None
    yield "change-key-then-close", "Whoever owns the chain.", clauses, told, (ChangeKey(CAROL), CloseChain()), None


def orders() -> Iterator[Row]:
    """Yield blocks with two faults: inboxes come first, then the transactions in order."""
    told = story()
    again = (Receive(ELSEWHERE), Execute(b"junk"), Receive(ELSEWHERE))
    yield "inbox-before-error", "Inboxes come first.", (), told, again, Reason.INCORRECT_MESSAGE_ORDER
    yield (
        "first-error",
        "Then the first bad transaction.",
        (),
        told,
        (Execute(burn(0)), Execute(burn(101))),
        Reason.INCORRECT_TRANSFER_AMOUNT,
    )
    yield (
        "second-error",
        "In the order of the block.",
        (),
        told,
        (Execute(burn(101)), Execute(burn(0))),
        Reason.INSUFFICIENT_FUNDING,
    )
    nobody = Execute(transfer((), 0))
    yield (
        "amount-before-recipient",
        "The application looks before its messages are.",
        (),
        told,
        (nobody,),
        Reason.INCORRECT_TRANSFER_AMOUNT,
    )
    yield (
        "funds-before-recipient",
        "Also at the funds.",
        (),
        told,
        (Execute(transfer((), 101)),),
        Reason.INSUFFICIENT_FUNDING,
    )


def owners() -> Iterator[Row]:
    """Yield changes of owners: of one, and of several."""
    clauses = ("WP-2.9-CHANGE-OWNERS", "WP-2.9-OWNERS")
    single, alone, both = (story(chains={names: (ALICE, 100)}) for names in ("alice", "alice+", "alice+carol"))
    alice, dora = single.key("alice"), single.key("dora")
    unknown, empty, closed = Reason.UNKNOWN_OWNER, Reason.EMPTY_OWNER_SET, Reason.CHAIN_CLOSED
    join, leave = AddOwner(CAROL), RemoveOwner(CAROL)
    for name, told, transactions, reason in (
        ("one-joined", single, (join,), None),
        ("one-joined-by-itself", single, (AddOwner(alice),), None),
        ("one-left", single, (RemoveOwner(alice),), empty),
        ("one-left-by-stranger", single, (leave,), unknown),
        ("alone-joined", alone, (join,), None),
        ("alone-left", alone, (RemoveOwner(alice),), empty),
        ("two-joined", both, (AddOwner(dora),), None),
        ("two-joined-again", both, (join,), None),
        ("two-left", both, (leave,), None),
        ("two-left-by-stranger", both, (RemoveOwner(dora),), unknown),
        ("two-left-twice", both, (leave, leave), unknown),
        ("two-left-both", both, (leave, RemoveOwner(alice)), empty),
        ("two-replaced", both, (AddOwner(dora), leave), None),
        ("two-single", both, (ChangeKey(dora),), None),
        ("two-single-then-joined", both, (ChangeKey(dora), join), None),
        ("two-closed", both, (CloseChain(),), None),
        ("joined-and-left", single, (join, leave), None),
        ("joined-and-single", single, (join, ChangeKey(alice)), None),
        ("closed-then-join", single, (CloseChain(), join), closed),
        ("closed-then-leave", single, (CloseChain(), RemoveOwner(alice)), closed),
        ("join-between-payments", single, (pay(BOB, 1), join, pay(BOB, 2)), None),
        ("open-and-join", single, (OpenChain((0, 0), CAROL), join), None),
    ):
        yield f"owners-{name}", "Owners join and leave; one at least remains.", clauses, told, transactions, reason


def out_of_range() -> Iterator[Case]:
    """Yield transactions that no encoding holds: the block is never hashed, but the state may be."""
    told = story()
    for name, transaction, reason in (
        ("key", ChangeKey(bytes(31)), Reason.OUT_OF_RANGE),
        ("owner", AddOwner(bytes(31)), Reason.OUT_OF_RANGE),
        ("no-owner", RemoveOwner(bytes(31)), Reason.UNKNOWN_OWNER),
        ("index", Receive(evolve(ELSEWHERE, index=MAX_U32)), Reason.ARITHMETIC),
    ):
        yield Case(
            name=f"execute-out-of-range-{name}",
            sentence="A number leaves its range.",
            clauses=("WP-2.3-DATA-TYPE", *BLOCK),
            operation="execute_block",
            arguments={"context": told.context, "chain": told.chain(ALICE), "block": told.block(ALICE, transaction)},
            reason=reason,
        )


def refused_by_token() -> Iterator[Case]:
    """Yield bytes that are no operation of the token."""
    told, good = story(), burn(1)
    for name, data in (("empty", b""), ("short", good[:-1]), ("long", good + b"\0"), ("tag", b"\2" + good[1:])):
        yield from executed(
            f"operation-{name}",
            "The application reads operations strictly.",
            TOKEN,
            told,
            (Execute(data),),
            Reason.USER_ERROR,
        )


def loaded(chain: Chain, name: str, why: str, transactions: tuple[Transaction, ...] = (), **more: Any) -> Case:
    """Return a case of a block on a state that is given."""
    told = story()
    part = chain.consistent
    block = evolve(told.block(ALICE, *transactions), height=part.next_height, previous_hash=part.block_hash)
    arguments = {"context": told.context, "chain": chain, "block": block}
    return Case(name=name, sentence=why, clauses=BLOCK, operation="execute_block", arguments=arguments, **more)


def state_hashes() -> Iterator[Case]:
    """Yield states that differ in one field: some count for the state hash, some do not."""
    chain = story().chain(ALICE)
    part = chain.consistent
    for name, changes in (
        ("owner", {"owner": CAROL}),
        ("owners", {"owner": owner_of("alice+carol")}),
        ("one-of-owners", {"owner": owner_of("alice+")}),
        ("balance", {"state": Balance(99)}),
        ("transactions", {"tx_count": 1}),
        ("not-created", {"created": False}),
        ("consumed", {"consumed": part.consumed.set(BOB, Cursor(2, 1))}),
        ("height", {"next_height": 5}),
        ("previous", {"block_hash": NOWHERE}),
        ("creation", {"creation_height": 3}),
    ):
        other: Chain = evolve(chain, consistent=evolve(part, **changes))
        case = loaded(other, f"state-hash-{name}", "What the state hash covers, and what not.")
        yield evolve(case, clauses=("WP-2.6-STATE-HASH", *BLOCK))


def counts() -> Iterator[Case]:
    """Yield the end of the transaction count."""
    chain = story().chain(ALICE)
    near: Chain = evolve(chain, consistent=evolve(chain.consistent, tx_count=MAX_U64 - 1))
    one, two = (pay(BOB, 1),), (pay(BOB, 1), pay(BOB, 1))
    yield loaded(near, "count-last", "The last transaction.", one)
    yield loaded(near, "count-beyond", "One more than can be counted.", two, reason=Reason.ARITHMETIC)
    bad = (Execute(burn(0)), *one)
    faults = (Reason.ARITHMETIC, Reason.INCORRECT_TRANSFER_AMOUNT)
    yield loaded(
        near,
        "count-before-error",
        "The count comes before the transactions.",
        bad,
        reason=Reason.ARITHMETIC,
        faults=faults,
    )
    future = (Receive(Message(ALICE, 0, 0, NOWHERE, credit(1))), *one)
    faults = (Reason.UNEXPECTED_MESSAGE, Reason.ARITHMETIC)
    yield loaded(
        near,
        "inbox-before-count",
        "The inboxes come before the count.",
        future,
        reason=Reason.UNEXPECTED_MESSAGE,
        faults=faults,
    )
    yield loaded(near, "open-last-index", "The child of the last index.", (OpenChain((0, MAX_U64 - 1), CAROL),))


def inboxes() -> Iterator[Case]:
    """Yield cursors near their end."""
    chain = story().chain(ALICE)
    for name, cursor, index, reason in (
        ("last-index", Cursor(0, MAX_U32 - 1), MAX_U32 - 1, None),
        ("beyond-index", Cursor(0, MAX_U32 - 1), MAX_U32, Reason.ARITHMETIC),
        ("before-cursor", Cursor(0, 5), 4, Reason.INCORRECT_MESSAGE_ORDER),
        ("at-cursor", Cursor(0, 5), 5, None),
    ):
        part = evolve(chain.consistent, consumed=chain.consistent.consumed.set(BOB, cursor))
        item = Receive(evolve(ELSEWHERE, index=index))
        yield loaded(
            evolve(chain, consistent=part), f"cursor-{name}", "Where the next message may lie.", (item,), reason=reason
        )


def encoded() -> Iterator[Case]:
    """Yield the operations of the token as bytes."""
    for amount, reason in ((0, None), (1, None), (MAX_U128, None), (MAX_U128 + 1, Reason.OUT_OF_RANGE)):
        parts: dict[str, Any] = {"clauses": TOKEN, "sentence": "The bytes of an operation.", "reason": reason}
        yield Case(name=f"burn-{amount}", operation="burn", arguments={"amount": amount}, **parts)
        for chain_id in (BOB, (1, MAX_U64)):
            name = f"transfer-{amount}-to-{'-'.join(map(str, chain_id))}"
            yield Case(name=name, operation="transfer", arguments={"recipient": chain_id, "amount": amount}, **parts)

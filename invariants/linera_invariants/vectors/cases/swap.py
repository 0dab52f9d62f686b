"""The swap (section 4.6): an application for a chain that two users own for a short time."""

from collections.abc import Iterator
from typing import Any

from attrs import evolve
from immutables import Map

from linera_invariants.vectors.model import Case
from linera_invariants.vectors.replay import Info
from linera_reference.application import burn
from linera_reference.block import AddOwner, CloseChain, Execute, OpenChain, Receive, Transaction
from linera_reference.encoding import encode
from linera_reference.identifiers import ChainId
from linera_reference.messages import Message, User
from linera_reference.notation import MAX_U32, MAX_U64, MAX_U128
from linera_reference.rejections import Reason
from linera_reference.swap import (
    Asset,
    Conclude,
    Deposit,
    Deposited,
    Holdings,
    Paid,
    Swap,
    SwapMessage,
    SwapOperation,
    conclude,
    put_in,
)

from .stories import ALICE, BOB, NOWHERE, TOKEN, Story, story
from .support import key

ABOUT = "The swap: deposits, who may propose on its chain, exchange and refund, and what the application refuses."

SWAP: ChainId = (2,)
CLAUSES = ("WP-4.6-SWAP",)
TURNS = ("WP-4.6-PROPOSERS", "WP-4.6-SWAP")
GOLD, SILVER = Asset(1, 30), Asset(2, 50)
KEYS = {name: key(name, "ed25519") for name in ("alice", "bob", "carol")}
Row = tuple[str, str, Story, ChainId, tuple[Transaction, ...], Reason | None]


def cases() -> Iterator[Case]:
    """Yield the cases, simplest first."""
    yield from encoded()
    yield from proposers()
    for row in (*deposits(), *mail(), *conclusions(), *terms(), *junk()):
        yield from executed(*row)
    yield from turns()
    yield from runs()


def swap_story(holdings: Holdings | None = None, owners: str = "alice+bob") -> Story:
    """Begin with alice's gold, bob's silver, and the chain of a swap that both own."""
    chains: dict[str, tuple[ChainId, Any]] = {
        "alice": (ALICE, Holdings(Map({1: 100}))),
        "bob": (BOB, Holdings(Map({2: 100}))),
        owners: (SWAP, holdings or Holdings()),
    }
    return story(chains=chains, application=Swap())


def executed(
    name: str, why: str, told: Story, chain_id: ChainId, transactions: tuple[Transaction, ...], reason: Reason | None
) -> Iterator[Case]:
    """Yield one block twice: executed by itself, and given to a validator as certified or proposed."""
    block = told.block(chain_id, *transactions)
    arguments = {"context": told.context, "chain": told.chain(chain_id), "block": block}
    yield Case(
        name=f"execute-{name}",
        sentence=why,
        clauses=CLAUSES,
        operation="execute_block",
        arguments=arguments,
        reason=reason,
    )
    if reason is None:
        yield told.case(f"commit-{name}", why, CLAUSES, told.certificate(block))


def put(depositor: str, asset: Asset, wanted: Asset = SILVER) -> Execute:
    """Return a transaction that deposits."""
    return Execute(put_in(SWAP, KEYS[depositor], asset, wanted))


def arrives(origin: ChainId, content: Deposited | Paid, height: int = 0, index: int = 0) -> Receive:
    """Return a transaction that receives a message of the application."""
    return Receive(Message(origin, height, index, NOWHERE, User(encode(SwapMessage(content)))))


def holding(**deposits: Deposit) -> Holdings:
    """Return the state of a swap into which some paid."""
    return Holdings(deposits=Map({KEYS[name]: deposit for name, deposit in deposits.items()}))


FOR_SILVER, FOR_GOLD = Deposit(ALICE, GOLD, SILVER), Deposit(BOB, SILVER, GOLD)
BOTH = holding(alice=FOR_SILVER, bob=FOR_GOLD)
ONE = holding(alice=FOR_SILVER)


def encoded() -> Iterator[Case]:
    """Yield the operations as bytes."""
    why, what = "The bytes of an operation.", "put_in"
    for amount, reason in ((0, None), (1, None), (MAX_U128, None), (MAX_U128 + 1, Reason.OUT_OF_RANGE)):
        for name, asset, wanted in (("", Asset(MAX_U32, amount), SILVER), ("wanted-", GOLD, Asset(MAX_U32, amount))):
            arguments = {"swap": (1, MAX_U64), "depositor": KEYS["alice"], "asset": asset, "wanted": wanted}
            yield Case(
                name=f"put-in-{name}{amount}",
                sentence=why,
                clauses=CLAUSES,
                operation=what,
                arguments=arguments,
                reason=reason,
            )
    for confirm in (True, False):
        name = f"conclude-{'confirm' if confirm else 'cancel'}"
        yield Case(name=name, sentence=why, clauses=CLAUSES, operation="conclude", arguments={"confirm": confirm})


def proposers() -> Iterator[Case]:
    """Yield whom the application lets propose."""
    application: Any
    for name, application, state in (
        ("token", TOKEN, story().genesis.chains[0].state),
        ("nobody-paid", Swap(), Holdings(Map({1: 1}))),
        ("one-paid", Swap(), ONE),
        ("both-paid", Swap(), BOTH),
    ):
        yield Case(
            name=f"proposers-{name}",
            sentence="Those who paid, or nobody is restricted.",
            clauses=TURNS,
            operation="proposers",
            arguments={"application": application, "chain_id": SWAP, "state": state},
        )


def deposits() -> Iterator[Row]:
    """Yield what leaves a chain for a swap."""
    told, why = swap_story(), "What a deposit may take."
    short, wrong = Reason.INSUFFICIENT_FUNDING, Reason.INCORRECT_TRANSFER_AMOUNT
    for name, asset, reason in (
        ("some", GOLD, None),
        ("all", Asset(1, 100), None),
        ("too-much", Asset(1, 101), short),
        ("nothing", Asset(1, 0), wrong),
        ("other-token", Asset(2, 1), short),
        ("nothing-of-other-token", Asset(2, 0), wrong),
    ):
        yield f"deposit-{name}", why, told, ALICE, (put("alice", asset),), reason
    nothing = put("alice", GOLD, Asset(2, 0))
    yield "deposit-for-nothing", "What is wanted is not tested yet.", told, ALICE, (nothing,), None
    yield "deposit-for-another", "In whose name, the depositor says.", told, ALICE, (put("carol", GOLD),), None
    yield (
        "deposit-twice",
        "Each spends what is left.",
        told,
        ALICE,
        (put("alice", GOLD), put("alice", Asset(1, 70))),
        None,
    )
    yield "deposit-beyond", "And not more.", told, ALICE, (put("alice", GOLD), put("alice", Asset(1, 71))), short
    rich = swap_story(Holdings(Map({1: MAX_U128, 2: 5})), "carol")
    yield "deposit-one-of-two-tokens", "The other token stays.", rich, SWAP, (put("alice", Asset(2, 5)),), None
    yield "deposit-own-chain", "Also from the chain of the swap itself.", rich, SWAP, (put("alice", Asset(1, 5)),), None
    nowhere = Execute(put_in((), KEYS["alice"], GOLD, SILVER))
    yield "deposit-nowhere", "The swap is a chain.", told, ALICE, (nowhere,), Reason.USER_ERROR


def mail() -> Iterator[Row]:
    """Yield what arrives."""
    first = arrives(ALICE, Deposited(KEYS["alice"], GOLD, SILVER))
    second = arrives(BOB, Deposited(KEYS["bob"], SILVER, GOLD))
    third = arrives((7,), Deposited(KEYS["carol"], GOLD, SILVER))
    again = arrives(BOB, Deposited(KEYS["alice"], SILVER, GOLD))
    for name, state, received in (
        ("first", None, (first,)),
        ("second", ONE, (second,)),
        ("both", None, (first, second)),
        ("both-other-order", None, (second, first)),
        ("third", BOTH, (third,)),
        ("again", ONE, (again,)),
        ("again-of-two", BOTH, (again,)),
        ("three", None, (first, second, third)),
        ("paid", None, (arrives(ALICE, Paid(GOLD)),)),
        ("paid-again", Holdings(Map({1: 5, 2: 7})), (arrives(ALICE, Paid(GOLD)),)),
        ("paid-to-the-edge", Holdings(Map({1: MAX_U128 - 30})), (arrives(ALICE, Paid(GOLD)),)),
        ("paid-beyond", Holdings(Map({1: MAX_U128 - 29})), (arrives(ALICE, Paid(GOLD)),)),
        ("paid-nothing", None, (arrives(ALICE, Paid(Asset(1, 0))),)),
        ("deposit-of-nothing", None, (arrives(ALICE, Deposited(KEYS["alice"], Asset(1, 0), SILVER)),)),
        ("paid-beside-deposits", BOTH, (arrives(ALICE, Paid(GOLD)),)),
    ):
        why = "Deposits are kept, one per key and two in all; what is too much goes back."
        yield f"mail-{name}", why, swap_story(state), SWAP, received, None


def conclusions() -> Iterator[Row]:
    """Yield how a swap ends."""
    confirm, cancel = Execute(conclude(True)), Execute(conclude(False))
    error = Reason.USER_ERROR
    same = holding(alice=FOR_SILVER, bob=evolve(FOR_GOLD, home=ALICE))
    apart = holding(bob=evolve(FOR_SILVER, home=BOB), carol=evolve(FOR_GOLD, home=(7,)))
    alike = holding(alice=evolve(FOR_SILVER, wanted=GOLD), bob=Deposit(BOB, GOLD, GOLD))
    for name, state, transactions, reason in (
        ("confirm", BOTH, (confirm,), None),
        ("confirm-other", apart, (confirm,), None),
        ("confirm-one-home", same, (confirm,), None),
        ("confirm-alike", alike, (confirm,), None),
        ("confirm-one", ONE, (confirm,), error),
        ("confirm-none", None, (confirm,), error),
        ("confirm-twice", BOTH, (confirm, confirm), error),
        ("cancel", BOTH, (cancel,), None),
        ("cancel-one", ONE, (cancel,), None),
        ("cancel-none", None, (cancel,), None),
        ("cancel-twice", BOTH, (cancel, cancel), None),
        ("confirm-then-cancel", BOTH, (confirm, cancel), None),
        ("cancel-then-confirm", BOTH, (cancel, confirm), error),
        ("confirm-and-close", BOTH, (confirm, CloseChain()), None),
        ("cancel-keeps-balances", evolve(BOTH, balances=Map({1: 4})), (cancel,), None),
        ("confirm-keeps-balances", evolve(BOTH, balances=Map({1: 4})), (confirm,), None),
    ):
        yield (
            f"conclude-{name}",
            "Each gets the other's asset, or its own.",
            swap_story(state),
            SWAP,
            transactions,
            reason,
        )


def terms() -> Iterator[Row]:
    """Yield conclusions where somebody wants something else than the other's asset."""
    for name, alice, bob in (
        ("one-wants-more", Asset(2, 51), GOLD),
        ("one-wants-less", Asset(2, 49), GOLD),
        ("one-wants-other-token", Asset(3, 50), GOLD),
        ("one-wants-own", GOLD, GOLD),
        ("other-wants-more", SILVER, Asset(1, 31)),
        ("other-wants-less", SILVER, Asset(1, 29)),
        ("other-wants-other-token", SILVER, Asset(3, 30)),
        ("other-wants-own", SILVER, SILVER),
        ("both-want-own", GOLD, SILVER),
    ):
        told = swap_story(holding(alice=evolve(FOR_SILVER, wanted=alice), bob=evolve(FOR_GOLD, wanted=bob)))
        for confirm, reason in ((True, Reason.USER_ERROR), (False, None)):
            why = "A swap is what both want, or each gets its own back."
            how = f"terms-{name}-{'confirm' if confirm else 'cancel'}"
            yield how, why, told, SWAP, (Execute(conclude(confirm)),), reason


def junk() -> Iterator[Row]:
    """Yield bytes that are no operation, and no message, of the swap."""
    told, error, good = swap_story(BOTH), Reason.USER_ERROR, conclude(True)
    for name, data in (("empty", b""), ("tag", b"\2\1"), ("flag", b"\1\2"), ("long", good + b"\0"), ("token", burn(1))):
        yield f"operation-{name}", "Operations are read strictly.", told, SWAP, (Execute(data),), error
        item = Receive(Message(ALICE, 0, 0, NOWHERE, User(data)))
        yield f"message-{name}", "Messages are read strictly.", told, SWAP, (item,), error
    wide = encode(SwapOperation(Conclude(False)))[:1]
    yield "operation-cut", "Operations are read strictly.", told, SWAP, (Execute(wide),), error


def turns() -> Iterator[Case]:
    """Yield who may propose on the chain of a swap."""
    turn, stranger = Reason.OUT_OF_TURN, Reason.INVALID_OWNER
    for state_name, state, allowed in (
        ("none", Holdings(), {"alice", "bob"}),
        ("one", ONE, {"alice"}),
        ("both", BOTH, {"alice", "bob"}),
    ):
        told = swap_story(state)
        block = told.block(SWAP, Execute(conclude(False)))
        for who in ("alice", "bob", "carol"):
            reason = None if who in allowed else stranger if who == "carol" else turn
            why = "Owners who paid propose, or any owner before."
            yield told.case(f"turn-{state_name}-{who}", why, TURNS, told.request(block, who), reason=reason)
    void = swap_story(holding(carol=FOR_SILVER))
    why = "A choice without an owner is void: an application stops no chain."
    yield void.case("turn-void", why, TURNS, void.request(void.block(SWAP, Execute(conclude(False)))))
    single = swap_story(holding(bob=FOR_GOLD), "carol")
    why = "A single owner is not restricted."
    yield single.case("turn-single", why, TURNS, single.request(single.block(SWAP), "carol"))
    told = swap_story(ONE)
    faults = (turn, Reason.INVALID_SIGNATURE)
    forged = evolve(told.request(told.block(SWAP), "bob"), signature=bytes(64))
    yield told.case("turn-before-signature", "Whose turn it is comes first.", TURNS, forged, reason=turn, faults=faults)
    next_block = told.validated(told.block(SWAP))
    why = "A certificate counts, whoever proposed."
    yield told.case("turn-validated", why, TURNS, next_block)


def runs() -> Iterator[Case]:
    """Yield whole swaps at one validator."""
    told = swap_story()
    paid = told.extended(ALICE, put("alice", GOLD)).extended(BOB, put("bob", SILVER, GOLD)).settled()
    received = paid.extended(SWAP, *paid.waiting(SWAP))
    for name, confirm in (("swapped", True), ("refunded", False)):
        end = received.extended(SWAP, Execute(conclude(confirm)), CloseChain()).settled()
        for who, chain_id in (("alice", ALICE), ("bob", BOB)):
            why = "What arrives is the outcome of the swap."
            done = end.certificate(end.block(chain_id, *end.waiting(chain_id)))
            yield end.case(f"run-{name}-{who}", why, CLAUSES, done, Info(SWAP))
    opened = story(chains={"alice": (ALICE, Holdings(Map({1: 9})))}, application=Swap())
    child = opened.extended(ALICE, OpenChain((0, 0), KEYS["alice"])).settled()
    made = child.extended((0, 0), AddOwner(KEYS["bob"]))
    why = "A chain for a swap is opened, and the other user joins."
    request = made.request(made.block((0, 0)), "bob")
    yield made.case("run-opened", why, ("WP-2.9-CHANGE-OWNERS", *CLAUSES), request, Info((0, 0)))

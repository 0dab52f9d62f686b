"""The order of the guards of requests and validated certificates where a chain has several owners."""

from collections.abc import Iterator
from itertools import combinations

from attrs import evolve
from immutables import Map

from linera_invariants.vectors.model import Case
from linera_invariants.vectors.replay import AskRounds, Info
from linera_reference.block import Block, CloseChain, Execute, ExecutedBlock, Receive, Transaction
from linera_reference.certificate import Certificate, Kind
from linera_reference.encoding import encode
from linera_reference.messages import Message, User
from linera_reference.notation import MAX_U32
from linera_reference.rejections import Reason
from linera_reference.request import Request
from linera_reference.rules import REVISION_H
from linera_reference.swap import Asset, Deposit, Holdings, Paid, Swap, SwapMessage, put_in

from .shared_chains import KIND, LOCKED, LOW, PROPOSAL, VALIDATED, pair, shared
from .stories import ALICE, BOB, NOWHERE, STRANGE, Story, credit, pay, spoiled, story, word
from .support import key
from .voters import certificate_with


def guards() -> Iterator[Case]:
    """Yield every fault, and every two."""
    yield from one_and_two_faults()
    yield from validated_faults()


# --- The order of the guards -------------------------------------------------------------------------------------

GUARDS = (
    "INACTIVE_CHAIN",
    "CHAIN_CLOSED",
    "INVALID_OWNER",
    "OUT_OF_TURN",
    "INVALID_SIGNATURE",
    "UNEXPECTED_BLOCK_HEIGHT",
    "UNEXPECTED_PREVIOUS_BLOCK_HASH",
    "UNEXPECTED_CERTIFICATE_KIND",
    "CERTIFICATE_VALIDATOR_REUSE",
    "INVALID_CERTIFICATE_SIGNER",
    "CERTIFICATE_REQUIRES_QUORUM",
    "justification: INVALID_SIGNATURE",
    "INSUFFICIENT_ROUND",
    "HAS_LOCKED_BLOCK",
    "INSUFFICIENT_FUNDING",
    "MISSING_CROSS_CHAIN_UPDATE",
)
"""The guards of a request to a chain with several owners, in order."""
OF_JUSTIFICATION = {*GUARDS[7:12], "HAS_LOCKED_BLOCK"}
STATES = {"INACTIVE_CHAIN", "CHAIN_CLOSED", "INSUFFICIENT_ROUND"}
"""Of these a chain can have one."""
UNRESTRICTED = {"INACTIVE_CHAIN", "CHAIN_CLOSED"}
"""A chain without owners lets nobody propose, and restricts nobody."""


def reason_of(guard: str) -> Reason:
    """Return the reason that a guard gives."""
    return Reason[guard.removeprefix("justification: ")]


def turns() -> Story:
    """Begin a swap that alice and carol own and into which carol has paid: it is her turn."""
    deposits = Map({key("carol", "ed25519"): Deposit(BOB, Asset(1, 5), Asset(2, 1))})
    chains = {"alice+carol": (ALICE, Holdings(Map({1: 100}), deposits)), "bob": (BOB, Holdings())}
    told = story(chains=chains, application=Swap())
    return told.given(told.certificate(told.block(ALICE)))


def put(amount: int) -> Execute:
    """Return a transaction that moves tokens into bob's chain."""
    return Execute(put_in(BOB, key("carol", "ed25519"), Asset(1, amount), Asset(2, 1)))


UNSENT = Receive(Message(BOB, 0, 0, NOWHERE, User(encode(SwapMessage(Paid(Asset(1, 1)))))))
"""A payment that nobody sent."""


def faulty(*faults: str) -> tuple[Story, Request]:
    """Return a story and a request, in round 3, with exactly these faults."""
    told, chain_id = turns(), STRANGE if "INACTIVE_CHAIN" in faults else ALICE
    if "CHAIN_CLOSED" in faults:
        told = told.extended(ALICE, CloseChain())
    if "INSUFFICIENT_ROUND" in faults:
        told = told.given(told.request(told.block(ALICE, put(7)), "carol", 3))
    transactions: tuple[Transaction, ...] = (put(101),) if "INSUFFICIENT_FUNDING" in faults else ()
    transactions += (UNSENT,) if "MISSING_CROSS_CHAIN_UPDATE" in faults else ()
    block = told.block(chain_id, *transactions)
    if "UNEXPECTED_BLOCK_HEIGHT" in faults:
        block = evolve(block, height=block.height + 1)
    if "UNEXPECTED_PREVIOUS_BLOCK_HASH" in faults:
        block = evolve(block, previous_hash=NOWHERE)
    owner = "bob" if "INVALID_OWNER" in faults else "alice" if "OUT_OF_TURN" in faults else "carol"
    justification = justified(told, block, faults) if OF_JUSTIFICATION & set(faults) else None
    request = told.request(block, owner, 3, justification)
    return told, spoiled(request) if "INVALID_SIGNATURE" in faults else request


def justified(told: Story, block: Block, faults: tuple[str, ...]) -> Certificate:
    """Return a justification with its faults: on another block, if the lock is wrong."""
    about = evolve(block, height=9) if "HAS_LOCKED_BLOCK" in faults else block
    reasons = tuple(reason_of(fault) for fault in faults if fault in OF_JUSTIFICATION)
    return certificate_with(told, ExecutedBlock(about, (), NOWHERE), reasons, Kind.VALIDATED, 2)


def one_and_two_faults() -> Iterator[Case]:
    """Yield each guard alone, and every two: the first speaks."""
    for guard in GUARDS:
        told, request = faulty(guard)
        yield told.case(
            f"request-{label_of(guard)}",
            f"Refused: {reason_of(guard).sentence}",
            PROPOSAL,
            request,
            reason=reason_of(guard),
        )
    for first, second in combinations(GUARDS, 2):
        if {first, second} <= STATES or (second == "OUT_OF_TURN" and first in UNRESTRICTED):
            continue
        told, request = faulty(first, second)
        faults = (reason_of(first), reason_of(second))
        yield told.case(
            f"request-{label_of(first)}-before-{label_of(second)}",
            f"Two faults, one answer: {faults[0].sentence}",
            PROPOSAL,
            request,
            reason=faults[0],
            faults=faults if faults[0] is not faults[1] else (),
        )
    yield from anticipating()


def label_of(guard: str) -> str:
    """Return the part of a name that stands for a guard."""
    return guard.lower().replace("_", "-").replace(": ", "-")


def anticipating() -> Iterator[Case]:
    """Yield proposals that consume what did not come, under both rules, and what comes before that guard."""
    missing = Reason.MISSING_CROSS_CHAIN_UPDATE
    for rules_, name in ((None, ""), (REVISION_H, "-this-proposal")):
        told = shared() if rules_ is None else shared(rules=rules_)
        block = told.block(ALICE, Receive(Message(BOB, 0, 0, NOWHERE, credit(1))))
        request = told.request(block, round=2)
        clauses = ("WP-2.6-ANTICIPATION", *PROPOSAL)
        yield told.case(f"owed{name}", "No vote before the message came.", clauses, request, reason=missing)
        executed = told.executed(block)
        yield told.case(f"owed-validated{name}", "A quorum vouches for it.", VALIDATED, told.validated(executed, 2))
        low = told.given(told.request(told.block(ALICE), round=2))
        both = (LOW, missing)
        yield low.case(f"low-before-owed{name}", "Rounds come first.", PROPOSAL, request, reason=LOW, faults=both)


VALIDATED_GUARDS = (
    Reason.INACTIVE_CHAIN,
    Reason.CHAIN_CLOSED,
    Reason.MISSING_EARLIER_BLOCKS,
    Reason.UNEXPECTED_CERTIFICATE_KIND,
    Reason.CERTIFICATE_VALIDATOR_REUSE,
    Reason.INVALID_CERTIFICATE_SIGNER,
    Reason.CERTIFICATE_REQUIRES_QUORUM,
    Reason.INVALID_SIGNATURE,
    Reason.INVALID_BLOCK_CHAINING,
    Reason.INSUFFICIENT_ROUND,
    Reason.HAS_LOCKED_BLOCK,
)
"""The guards of a validated certificate, in order."""
EXCLUSIVE = {Reason.INACTIVE_CHAIN, Reason.CHAIN_CLOSED, KIND}
OF_ROUNDS = {LOW, LOCKED}


def faulty_validated(*faults: Reason) -> tuple[Story, Certificate]:
    """Return a story and a validated certificate, in round 2, with exactly these faults."""
    told = shared()
    chain_id = STRANGE if Reason.INACTIVE_CHAIN in faults else BOB if KIND in faults else ALICE
    if Reason.CHAIN_CLOSED in faults:
        told, chain_id = told.extended(ALICE, CloseChain()), ALICE
    if LOCKED in faults:
        told = told.given(told.validated(pair(told)[1], 2))
    if LOW in faults:
        told = told.given(told.request(pair(told)[1], round=3))
    block = told.block(chain_id, pay(ALICE, 1))
    if Reason.MISSING_EARLIER_BLOCKS in faults:
        block = evolve(block, height=block.height + 1)
    if Reason.INVALID_BLOCK_CHAINING in faults:
        block = evolve(block, previous_hash=NOWHERE)
    signed = tuple(fault for fault in faults if fault is not KIND)
    return told, certificate_with(told, ExecutedBlock(block, (), NOWHERE), signed, Kind.VALIDATED, 2)


def validated_faults() -> Iterator[Case]:
    """Yield each guard of a validated certificate alone, and every two."""
    for reason in VALIDATED_GUARDS:
        told, certificate = faulty_validated(reason)
        yield told.case(
            f"validated-{word(reason)}", f"Refused: {reason.sentence}", VALIDATED, certificate, reason=reason
        )
    for first, second in combinations(VALIDATED_GUARDS, 2):
        if {first, second} <= EXCLUSIVE or (first in EXCLUSIVE and second in OF_ROUNDS):
            continue
        told, certificate = faulty_validated(first, second)
        yield told.case(
            f"validated-{word(first)}-before-{word(second)}",
            f"Two faults, one answer: {first.sentence}",
            VALIDATED,
            certificate,
            reason=first,
            faults=(first, second),
        )
    yield from of_one_owner()


def of_one_owner() -> Iterator[Case]:
    """Yield validated certificates where there are no rounds, and confirmed ones where there are."""
    told = story()
    block = told.block(ALICE, pay(BOB, 1))
    lock = told.validated(block)
    yield told.case("single-validated", "A single owner has no rounds.", VALIDATED, lock, reason=KIND)
    again = told.given(told.certificate(block))
    why = "Below the next height, nothing about a certificate matters."
    yield again.case("single-validated-known", why, ("WP-2.8-IDEMPOTENT", *VALIDATED), lock)
    end = told.extended(ALICE, CloseChain())
    faults = (Reason.CHAIN_CLOSED, KIND)
    closed = end.validated(evolve(told.executed(block), block=end.block(ALICE)))
    yield end.case("closed-validated", "Closed, for ever.", VALIDATED, closed, reason=faults[0], faults=faults)
    nobody = end.validated(evolve(told.executed(block), block=evolve(block, chain_id=STRANGE)))
    faults = (Reason.INACTIVE_CHAIN, KIND)
    yield end.case("unknown-validated", "Not there.", VALIDATED, nobody, reason=faults[0], faults=faults)
    confirmed = shared()
    mine, rival = pair(confirmed)
    for round_ in (0, 4, MAX_U32):
        certificate = confirmed.certificate(mine, round=round_)
        why = "A confirmed certificate commits, in any round and whatever is locked."
        clauses = ("WP-2.8-HANDLE-CERTIFICATE", "WP-2.9-FINISH")
        yield confirmed.case(f"commit-in-{round_}", why, clauses, certificate, Info(ALICE))
        held = confirmed.given(confirmed.validated(rival, MAX_U32))
        yield held.case(f"commit-in-{round_}-locked", why, clauses, certificate, AskRounds(ALICE), Info(ALICE))

"""Certificate handling: what extends a chain, what is known already, and the order of the guards (section 2.8)."""

from collections.abc import Iterator
from itertools import chain, combinations

from attrs import evolve

from linera_invariants.forgeries import flipped
from linera_invariants.vectors.model import Case
from linera_invariants.vectors.replay import Download, Info, IsDelivered
from linera_reference.application import Balance, burn
from linera_reference.block import ChangeKey, CloseChain, Execute, Receive
from linera_reference.certificate import Certificate, Kind
from linera_reference.messages import Message, OutgoingMessage
from linera_reference.notation import MAX_U64
from linera_reference.outbox import Outbox
from linera_reference.rejections import Reason
from linera_reference.rules import REVISION_H, QuorumRule, Rules

from .stories import ALICE, BOB, NOWHERE, STRANGE, Story, credit, message, pay, story, word
from .voters import certificate_with

ABOUT = "Certificates given to a validator: what extends a chain, what is known already, the order of the guards."

HANDLER = ("WP-2.8-HANDLE-CERTIFICATE",)
GUARDS = (
    Reason.INACTIVE_CHAIN,
    Reason.CHAIN_CLOSED,
    Reason.MISSING_EARLIER_BLOCKS,
    Reason.UNEXPECTED_CERTIFICATE_KIND,
    Reason.CERTIFICATE_VALIDATOR_REUSE,
    Reason.INVALID_CERTIFICATE_SIGNER,
    Reason.CERTIFICATE_REQUIRES_QUORUM,
    Reason.INVALID_SIGNATURE,
    Reason.INVALID_BLOCK_CHAINING,
    Reason.INSUFFICIENT_FUNDING,
    Reason.INCORRECT_MESSAGES,
    Reason.INCORRECT_STATE_HASH,
)
"""The guards that a run can reach, in order; a failing transaction stands for all errors of execution."""
STATES = {Reason.INACTIVE_CHAIN, Reason.CHAIN_CLOSED}
"""Of these a chain can have one."""


def cases() -> Iterator[Case]:
    """Yield the cases, simplest first."""
    yield from accepted()
    yield from one_fault()
    yield from two_faults()
    yield from known_already()
    yield from quorums()
    yield from anticipation()
    yield from details()
    yield from last_heights()


def faulty(*faults: Reason) -> tuple[Story, Certificate]:
    """Return a story and a certificate with exactly these faults; signatures are genuine on what it says."""
    told, chain_id = story().extended(ALICE), STRANGE if Reason.INACTIVE_CHAIN in faults else ALICE
    block = told.block(chain_id, pay(BOB, 1))
    if Reason.INSUFFICIENT_FUNDING in faults:
        block = told.block(chain_id, Execute(burn(101)))
    good = told.executed(told.block(ALICE, pay(BOB, 1)))
    executed = evolve(good, block=block)
    if Reason.CHAIN_CLOSED in faults:
        told = told.extended(ALICE, CloseChain())
        executed = evolve(executed, block=evolve(block, height=2, previous_hash=told.block(ALICE).previous_hash))
    if Reason.MISSING_EARLIER_BLOCKS in faults:
        executed = evolve(executed, block=evolve(executed.block, height=executed.block.height + 1))
    if Reason.INVALID_BLOCK_CHAINING in faults:
        executed = evolve(executed, block=evolve(executed.block, previous_hash=NOWHERE))
    if Reason.INCORRECT_MESSAGES in faults:
        executed = evolve(executed, messages=())
    if Reason.INCORRECT_STATE_HASH in faults:
        executed = evolve(executed, state_hash=NOWHERE)
    return told, certificate_with(told, executed, faults)


def one_fault() -> Iterator[Case]:
    """Yield each guard alone."""
    for reason in GUARDS:
        told, certificate = faulty(reason)
        yield told.case(word(reason), f"Refused: {reason.sentence}", HANDLER, certificate, reason=reason)


def two_faults() -> Iterator[Case]:
    """Yield every two faults that a certificate can have: the first guard speaks."""
    for first, second in combinations(GUARDS, 2):
        if {first, second} <= STATES:
            continue
        told, certificate = faulty(first, second)
        yield told.case(
            f"{word(first)}-before-{word(second)}",
            f"Two faults, one answer: {first.sentence}",
            HANDLER,
            certificate,
            reason=first,
            faults=(first, second),
        )
    told = story()
    certificate = told.certificate(told.block(ALICE), ("v1", "v2", "v3", "stranger", "v1"))
    yield told.case(
        "invalid-signer-before-reuse",
        "The first bad signer speaks, here the stranger.",
        HANDLER,
        certificate,
        reason=Reason.INVALID_CERTIFICATE_SIGNER,
        faults=(Reason.INVALID_CERTIFICATE_SIGNER, Reason.CERTIFICATE_VALIDATOR_REUSE),
    )


def accepted() -> Iterator[Case]:
    """Yield what a committed block does."""
    told = story()
    first = told.certificate(told.block(ALICE, pay(BOB, 1), pay((2,), 2), pay(BOB, 3)))
    yield told.case("commit", "The chain grows; one request per recipient is pending.", HANDLER, first)
    empty = told.certificate(told.block(ALICE))
    yield told.case("commit-empty", "A block without transactions or messages.", HANDLER, empty)
    grown = told.given(first)
    second = grown.certificate(grown.block(ALICE, pay((2,), 1), pay(ALICE, 1)))
    yield grown.case("commit-second", "The next block; outboxes queue it behind the first.", HANDLER, second)
    for label, voters in (("four", ("v1", "v2", "v3", "v4")), ("unsorted", ("v4", "v1", "v2"))):
        certificate = told.certificate(told.block(ALICE, pay(BOB, 1)), voters)
        yield told.case(f"signers-{label}", "Signers may be more, in any order.", HANDLER, certificate)
    other = told.certificate(told.block(ALICE, pay(BOB, 1)), round=7)
    yield told.case("round", "The round is only what was signed.", HANDLER, other)
    ideal = story("ideal")
    yield ideal.case("ideal", "With ideal signatures.", HANDLER, ideal.certificate(ideal.block(ALICE, pay(BOB, 1))))
    full = story(name=None)
    yield full.case("no-key", "A node without a key follows, too.", HANDLER, first, second)
    voted = told.given(told.request(told.block(ALICE, pay(BOB, 9))))
    yield voted.case("ends-pending", "Nothing stays pending after a commit.", ("WP-2.8-PENDING", *HANDLER), first)
    yield grown.given(second).case("info", "What is known of the chain.", ("WP-2.8-QUERY",), Info(ALICE))
    for start, end in ((0, 2), (0, 1), (1, 2), (1, 9), (2, 9), (1, 1), (0, MAX_U64)):
        yield grown.given(second).case(
            f"download-{start}-{end}",
            "The certificates of some heights.",
            ("WP-2.8-QUERY",),
            Download(ALICE, start, end),
        )
    quiet = story().extended(ALICE).extended(ALICE)
    yield quiet.case("download-empty", "Blocks without transactions, too.", ("WP-2.8-QUERY",), Download(ALICE, 0, 2))
    for height in (0, 1, 5):
        yield grown.given(second).case(
            f"undelivered-{height}", "Mail of the first block waits.", ("WP-2.8-QUERY",), IsDelivered(ALICE, height)
        )


def known_already() -> Iterator[Case]:
    """Yield certificates below the next height: nothing is checked, nothing changes, mail is sent again."""
    told = story()
    first = told.certificate(told.block(ALICE, pay(BOB, 1)))
    told = told.given(first)
    clauses = ("WP-2.8-IDEMPOTENT", *HANDLER)
    yield told.case("again", "The same certificate: the same answer.", clauses, first)
    for name, bad in (
        ("no-signatures", evolve(first, signatures=())),
        ("validated", evolve(first, kind=Kind.VALIDATED)),
        ("other-state", evolve(first, executed=evolve(first.executed, state_hash=NOWHERE))),
    ):
        yield told.case(f"known-{name}", "Below the next height nothing is looked at.", clauses, bad)
    closed = told.extended(ALICE, CloseChain())
    yield closed.case("known-closed", "A closed chain still answers for its blocks.", clauses, first)
    yield closed.case("known-last", "Also for the block that closed it.", clauses, closed.sent(ALICE, 1))
    rival = story()
    rival_certificate = rival.certificate(rival.block(ALICE, pay(BOB, 2)))
    yield told.case("known-rival", "A conflicting certificate comes too late.", clauses, rival_certificate, Info(ALICE))


COMMITTEES = (((1,), 1, 1), ((1, 1, 1, 1), 3, 3), ((3, 2, 1), 5, 4), ((4, 3, 2), 7, 6), ((5, 4, 4, 0), 9, 9))
"""Weights, and the voting rights that make a quorum under N - f and in the variant."""


def quorums() -> Iterator[Case]:
    """Yield every set of signers of some committees, under both quorum rules."""
    half_way = Rules(quorum=QuorumRule.HALF_WAY)
    for weights, least, half in COMMITTEES:
        rights = {f"v{number}": weight for number, weight in enumerate(weights, 1)}
        for rules, label, threshold in ((Rules(), "", least), (half_way, "-half-way", half)):
            told = story("ideal", rules, weights=weights)
            block = told.block(ALICE, pay(BOB, 1))
            for voters in chain.from_iterable(combinations(rights, count) for count in range(len(rights) + 1)):
                yield told.case(
                    f"weights-{'-'.join(map(str, weights))}{label}-{''.join(voters) or 'nobody'}",
                    f"Whether these signers are a quorum: {threshold} voting rights are needed.",
                    ("WP-2.2-QUORUM", *HANDLER),
                    told.certificate(block, voters),
                    reason=why_no_quorum([rights[voter] for voter in voters], threshold),
                    source="enumeration",
                )


def why_no_quorum(rights: list[int], threshold: int) -> Reason | None:
    """Return what is wrong with signers of such rights."""
    if 0 in rights:
        return Reason.INVALID_CERTIFICATE_SIGNER
    return None if sum(rights) >= threshold else Reason.CERTIFICATE_REQUIRES_QUORUM


def anticipation() -> Iterator[Case]:
    """Yield certified blocks whose messages are still under way."""
    clauses = ("WP-2.6-ANTICIPATION", *HANDLER)
    for rules, label in ((Rules(), ""), (REVISION_H, "-this-proposal")):
        told = story(rules=rules)
        sent = told.certificate(told.block(BOB, pay(ALICE, 3), pay(ALICE, 4)))
        early = told.certificate(told.block(ALICE, Receive(message(sent)), pay(BOB, 1)))
        yield told.case(f"anticipated{label}", "A quorum vouches for messages not seen here.", clauses, early)
        owing = told.given(early)
        yield owing.case(
            f"more-anticipated{label}",
            "And again, while the first is owed.",
            clauses,
            owing.certificate(owing.block(ALICE, Receive(message(sent, 1)))),
        )
        yield (
            owing.given(sent)
            .settled(BOB)
            .case(f"anticipated-came{label}", "The owed message comes and waits no more.", clauses, Info(ALICE))
        )
    told = story()
    sent = told.certificate(told.block(BOB, pay(ALICE, 3)))
    own = told.block(ALICE, pay(ALICE, 1))
    for height in (0, 1):
        future = Message(ALICE, height, 0, NOWHERE, credit(1))
        block = told.block(ALICE, Receive(future))
        yield told.case(
            f"own-future-{height}",
            "A block cannot consume what its chain sends in it or later.",
            clauses,
            told.certificate(evolve(told.executed(own), block=block)),
            reason=Reason.UNEXPECTED_MESSAGE,
        )


def details() -> Iterator[Case]:
    """Yield differences between what was certified and what execution yields, one at a time."""
    told, clauses = story().extended(ALICE, ChangeKey(story().key("carol"))), ("WP-2.4-EXECUTED-BLOCK", *HANDLER)
    executed = told.executed(told.block(ALICE, pay(BOB, 1), pay((2,), 2)))
    one, two = executed.messages
    for name, messages in (
        ("none", ()),
        ("fewer", (one,)),
        ("more", (one, two, two)),
        ("swapped", (two, one)),
        ("amount", (evolve(one, content=credit(2)), two)),
        ("recipient", (OutgoingMessage(ALICE, one.content), two)),
    ):
        certificate = told.certificate(evolve(executed, messages=messages))
        yield told.case(
            f"messages-{name}", "The messages are others.", clauses, certificate, reason=Reason.INCORRECT_MESSAGES
        )
    flip = evolve(executed, state_hash=flipped(executed.state_hash))
    yield told.case(
        "state-hash-one-bit",
        "One bit of the state hash is wrong.",
        clauses,
        told.certificate(flip),
        reason=Reason.INCORRECT_STATE_HASH,
    )
    again = evolve(executed, block=told.block(ALICE, pay(BOB, 1), pay((2,), 3)))
    yield told.case(
        "other-block-same-results",
        "The results of another block.",
        clauses,
        told.certificate(again),
        reason=Reason.INCORRECT_MESSAGES,
    )
    certificate = told.certificate(executed)
    for name, changes in (
        ("round", {"round": 1}),
        ("kind", {"kind": Kind.CONFIRMED, "executed": flip}),
    ):
        yield told.case(
            f"signatures-of-other-{name}",
            "The signatures are genuine, but on something else.",
            HANDLER,
            evolve(certificate, **changes),
            reason=Reason.INVALID_SIGNATURE,
        )
    shuffled = tuple(
        zip((k for k, _ in certificate.signatures), reversed([s for _, s in certificate.signatures]), strict=True)
    )
    yield told.case(
        "signatures-exchanged",
        "Each signature is that of another signer.",
        HANDLER,
        evolve(certificate, signatures=shuffled),
        reason=Reason.INVALID_SIGNATURE,
    )
    last = certificate.signatures[-1]
    yield told.case(
        "last-signature",
        "Every signature is checked, also beyond a quorum.",
        HANDLER,
        evolve(
            told.certificate(executed, ("v1", "v2", "v3", "v4")),
            signatures=(*certificate.signatures, (told.key("v4"), last[1])),
        ),
        reason=Reason.INVALID_SIGNATURE,
    )


def last_heights() -> Iterator[Case]:
    """Yield certified blocks near the last height, and a full transaction count."""
    told, clauses = story(), ("WP-2.4-BLOCK", *HANDLER)
    for height in (MAX_U64 - 1, MAX_U64):
        view = told.chain(ALICE)
        view = evolve(view, consistent=evolve(view.consistent, next_height=height, block_hash=NOWHERE))
        block = evolve(told.block(ALICE), height=height, previous_hash=NOWHERE)
        executed = evolve(told.executed(told.block(ALICE)), block=block)
        bound = Reason.INVALID_BLOCK_HEIGHT if height == MAX_U64 else None
        yield told.handler_case(
            "handle_certificate",
            f"height-{height}",
            "The last height is 2^64 - 2.",
            clauses,
            view,
            certificate=told.certificate(executed),
            reason=bound,
        )
        other = evolve(executed, block=evolve(block, previous_hash=None))
        chaining = Reason.INVALID_BLOCK_CHAINING
        yield told.handler_case(
            "handle_certificate",
            f"height-{height}-other-previous",
            "The height is looked at first.",
            clauses,
            view,
            certificate=told.certificate(other),
            reason=bound or chaining,
            faults=(bound, chaining) if bound else (),
        )
        weak = told.certificate(executed, ("v1", "v2"))
        quorum = Reason.CERTIFICATE_REQUIRES_QUORUM
        yield told.handler_case(
            "handle_certificate",
            f"height-{height}-no-quorum",
            "The signers come before the height.",
            clauses,
            view,
            certificate=weak,
            reason=quorum,
            faults=(quorum, bound) if bound else (),
        )
    yield from full_outbox(told)


def full_outbox(told: Story) -> Iterator[Case]:
    """Yield a block whose recipient's outbox was scheduled further than the chain's height: nothing is queued."""
    view = told.chain(ALICE)
    ahead = evolve(view.localized, outboxes=view.localized.outboxes.set(BOB, Outbox(1)))
    certificate = told.certificate(told.block(ALICE, pay(BOB, 1), pay((2,), 1)))
    yield told.handler_case(
        "handle_certificate",
        "scheduled-already",
        "An outbox takes each height once.",
        ("WP-A.2-SCHEDULE", *HANDLER),
        evolve(view, localized=ahead),
        certificate=certificate,
    )
    rich = evolve(view, consistent=evolve(view.consistent, state=Balance(0)))
    yield told.handler_case(
        "handle_certificate",
        "other-state-before",
        "The same certificate on another state.",
        HANDLER,
        rich,
        certificate=certificate,
        reason=Reason.INSUFFICIENT_FUNDING,
    )

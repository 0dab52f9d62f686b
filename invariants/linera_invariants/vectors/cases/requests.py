"""Request handling: when a validator votes for a proposed block, and in which order it looks (section 2.8)."""

from collections.abc import Iterator
from itertools import combinations

from attrs import evolve

from linera_invariants.vectors.model import Case
from linera_invariants.vectors.replay import Info
from linera_reference.application import burn
from linera_reference.block import ChangeKey, CloseChain, Execute, Receive, Transaction
from linera_reference.messages import Message
from linera_reference.notation import MAX_U32, MAX_U64
from linera_reference.rejections import Reason
from linera_reference.request import Request
from linera_reference.rules import REVISION_H

from .checks import checks
from .stories import ALICE, BOB, NOWHERE, STRANGE, Story, credit, message, pay, spoiled, story, word

ABOUT = "Requests: what a validator votes for, what it answers twice, and the order of its guards."

HANDLER = ("WP-2.8-HANDLE-REQUEST",)
GUARDS = (
    Reason.INACTIVE_CHAIN,
    Reason.CHAIN_CLOSED,
    Reason.INVALID_OWNER,
    Reason.INVALID_SIGNATURE,
    Reason.UNEXPECTED_BLOCK_HEIGHT,
    Reason.UNEXPECTED_PREVIOUS_BLOCK_HASH,
    Reason.INVALID_BLOCK_PROPOSAL,
    Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST,
    Reason.INSUFFICIENT_FUNDING,
    Reason.MISSING_CROSS_CHAIN_UPDATE,
)
"""The guards that a run can reach, in order; a failing transaction stands for all errors of execution."""
STATES = {Reason.INACTIVE_CHAIN, Reason.CHAIN_CLOSED, Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST}
"""Of these a chain can have one."""
UNSENT = Receive(Message(BOB, 0, 0, NOWHERE, credit(1)))


def cases() -> Iterator[Case]:
    """Yield the cases, simplest first."""
    yield from checks()
    yield from votes()
    yield from one_fault()
    yield from two_faults()
    yield from pending()
    yield from voted_otherwise()
    yield from owners()
    yield from justified()
    yield from owed()
    yield from out_of_range()
    yield from last_heights()


def begun() -> Story:
    """Begin with one block of alice's chain."""
    return story().extended(ALICE)


def faulty(*faults: Reason) -> tuple[Story, Request]:
    """Return a story and a request with exactly these faults."""
    told, chain_id = begun(), STRANGE if Reason.INACTIVE_CHAIN in faults else ALICE
    if Reason.CHAIN_CLOSED in faults:
        told = told.extended(ALICE, CloseChain())
    if Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST in faults:
        told = told.given(told.request(told.block(ALICE, pay(BOB, 1))))
    transactions: tuple[Transaction, ...] = (Execute(burn(101)),) if Reason.INSUFFICIENT_FUNDING in faults else ()
    transactions += (UNSENT,) if Reason.MISSING_CROSS_CHAIN_UPDATE in faults else ()
    block = told.block(chain_id, *transactions)
    if Reason.UNEXPECTED_BLOCK_HEIGHT in faults:
        block = evolve(block, height=block.height + 1)
    if Reason.UNEXPECTED_PREVIOUS_BLOCK_HASH in faults:
        block = evolve(block, previous_hash=NOWHERE)
    owner = "bob" if Reason.INVALID_OWNER in faults else "alice"
    request = told.request(block, owner, 1 if Reason.INVALID_BLOCK_PROPOSAL in faults else 0)
    if Reason.INVALID_SIGNATURE in faults:
        request = spoiled(request)
    return told, request


def one_fault() -> Iterator[Case]:
    """Yield each guard alone."""
    for reason in GUARDS:
        told, request = faulty(reason)
        yield told.case(word(reason), f"Refused: {reason.sentence}", HANDLER, request, reason=reason)


def two_faults() -> Iterator[Case]:
    """Yield every two faults that a request can have: the first guard speaks."""
    for first, second in combinations(GUARDS, 2):
        if {first, second} <= STATES:
            continue
        told, request = faulty(first, second)
        yield told.case(
            f"{word(first)}-before-{word(second)}",
            f"Two faults, one answer: {first.sentence}",
            HANDLER,
            request,
            reason=first,
            faults=(first, second),
        )


def votes() -> Iterator[Case]:
    """Yield what is voted for, and what is answered twice."""
    told = story()
    first = told.request(told.block(ALICE, pay(BOB, 1)))
    yield told.case("vote", "A valid block of the owner gets a vote.", ("WP-2.8-VOTE", *HANDLER), first)
    yield told.case("vote-again", "The same request gets the same vote.", ("WP-2.8-IDEMPOTENT", *HANDLER), first, first)
    empty = told.request(told.block(ALICE))
    yield told.case("vote-empty", "A block may have no transactions.", HANDLER, empty)
    other = told.request(told.block(BOB), "bob")
    yield told.case("vote-two-chains", "Votes on different chains do not meet.", HANDLER, first, other)
    silent = story(name=None)
    yield silent.case("no-key", "A node without a key remembers the block and does not vote.", HANDLER, first)
    rival = told.request(told.block(ALICE, pay(BOB, 2)))
    yield silent.case(
        "no-key-rival",
        "A node without a key also holds to the first block.",
        ("WP-2.8-PENDING", *HANDLER),
        first,
        rival,
        reason=Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST,
    )
    ideal = story("ideal")
    yield ideal.case("vote-ideal", "With ideal signatures.", HANDLER, ideal.request(ideal.block(ALICE, pay(BOB, 1))))
    wrong = spoiled(ideal.request(ideal.block(ALICE)))
    yield ideal.case(
        "invalid-signature-ideal", "A damaged ideal signature.", HANDLER, wrong, reason=Reason.INVALID_SIGNATURE
    )
    sent = story().extended(ALICE, pay(BOB, 1)).extended(ALICE, pay((2,), 3))
    again = sent.request(sent.block(ALICE))
    yield sent.case(
        "vote-and-requests", "The vote, then every pending cross-chain request.", ("WP-2.5-REQUEST", *HANDLER), again
    )
    yield evolve(sent, name=None).case(
        "requests-without-vote", "Without a key, the pending requests alone.", ("WP-2.5-REQUEST", *HANDLER), again
    )
    told = begun()
    voted = told.request(told.block(ALICE, pay(BOB, 1)))
    yield told.case("info-after", "A vote changes nothing that a client sees.", HANDLER, voted, Info(ALICE))


def pending() -> Iterator[Case]:
    """Yield what becomes of the pending block."""
    told, clauses = begun(), ("WP-2.8-PENDING", *HANDLER)
    mine = told.request(told.block(ALICE, pay(BOB, 1)))
    rival = told.request(told.block(ALICE, pay(BOB, 2)))
    first = Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST
    yield told.case("rival", "No second vote at a height.", clauses, mine, rival, reason=first)
    yield told.case("after-rival", "The first block still gets its vote.", clauses, mine, rival, mine)
    certified = told.certificate(told.block(ALICE, pay(BOB, 2)))
    yield told.case(
        "rival-certified",
        "A certificate of another block ends the wait; the old request is too low now.",
        clauses,
        mine,
        certified,
        mine,
        reason=Reason.UNEXPECTED_BLOCK_HEIGHT,
    )
    later = told.given(mine, certified)
    following = later.request(later.block(ALICE))
    yield later.case("next-height", "After the certificate, the next height is voted on.", clauses, following)
    yield told.case(
        "own-round",
        "The pending block in another round is another proposal.",
        clauses,
        mine,
        told.request(mine.block, round=MAX_U32),
        reason=Reason.INVALID_BLOCK_PROPOSAL,
    )
    arrived = told.extended(BOB, pay(ALICE, 1)).given(mine).settled(BOB)
    yield arrived.case("mail-while-pending", "Mail that comes meanwhile does not change the vote.", clauses, mine)
    owes = told.given(mine)
    yield owes.case(
        "too-low",
        "A block of a committed height.",
        clauses,
        owes.request(evolve(mine.block, height=0)),
        reason=Reason.UNEXPECTED_BLOCK_HEIGHT,
    )
    first_block = story()
    yield first_block.case(
        "previous-of-first",
        "The first block names no block before it.",
        ("WP-2.4-CHAINING", *HANDLER),
        first_block.request(evolve(first_block.block(ALICE), previous_hash=NOWHERE)),
        reason=Reason.UNEXPECTED_PREVIOUS_BLOCK_HASH,
    )
    yield told.case(
        "no-previous",
        "A later block names the block before it.",
        ("WP-2.4-CHAINING", *HANDLER),
        told.request(evolve(told.block(ALICE), previous_hash=None)),
        reason=Reason.UNEXPECTED_PREVIOUS_BLOCK_HASH,
    )


def voted_otherwise() -> Iterator[Case]:
    """Yield a pending block whose results nobody would find again: the vote that was cast stays as it is."""
    told = story()
    block = told.block(ALICE, pay(BOB, 1))
    cast = evolve(told.executed(block), state_hash=NOWHERE)
    view = told.chain(ALICE)
    yield told.handler_case(
        "handle_request",
        "vote-not-computed-again",
        "The vote is for the executed block that is pending, not for a new execution.",
        ("WP-2.8-PENDING", *HANDLER),
        evolve(view, localized=evolve(view.localized, pending=cast)),
        request=told.request(block),
    )


def owners() -> Iterator[Case]:
    """Yield who may propose after a change of key, and what may be claimed."""
    told, clauses = story().extended(ALICE, ChangeKey(story().key("carol"))), ("WP-2.1-OWNER-PROPOSES", *HANDLER)
    block = told.block(ALICE, pay(BOB, 1))
    yield told.case("new-owner", "The new owner proposes.", clauses, told.request(block, "carol"))
    yield told.case(
        "old-owner", "The old owner does not any more.", clauses, told.request(block), reason=Reason.INVALID_OWNER
    )
    stolen = evolve(told.request(block), owner=told.key("carol"))
    yield told.case(
        "claimed-owner", "To name the owner is not to sign.", clauses, stolen, reason=Reason.INVALID_SIGNATURE
    )
    other = evolve(told.request(block, "carol"), block=told.block(ALICE, pay(BOB, 2)))
    yield told.case("other-block", "A signature is for one block.", clauses, other, reason=Reason.INVALID_SIGNATURE)
    other = evolve(told.request(block, "carol", round=1), round=0)
    yield told.case("other-round", "A signature is for one round.", clauses, other, reason=Reason.INVALID_SIGNATURE)
    short = evolve(told.request(block, "carol"), signature=bytes(63))
    yield told.case(
        "short-signature", "A malformed signature verifies nothing.", clauses, short, reason=Reason.INVALID_SIGNATURE
    )


def justified() -> Iterator[Case]:
    """Yield justifications where one owner needs none: they are verified, and refused."""
    told, clauses = begun(), ("WP-2.9-JUSTIFICATION", *HANDLER)
    mine, rival = told.block(ALICE, pay(BOB, 1)), told.block(ALICE, pay(BOB, 2))
    proposal, pending_ = Reason.INVALID_BLOCK_PROPOSAL, Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST
    genuine, weak = told.validated(mine), told.validated(mine, 0, ("v1", "v2"))
    quorum, height = Reason.CERTIFICATE_REQUIRES_QUORUM, Reason.UNEXPECTED_BLOCK_HEIGHT
    high = evolve(mine, height=5)
    for name, before, block, justification, faults in (
        ("", (), mine, genuine, (proposal,)),
        ("-weak", (), mine, weak, (quorum, proposal)),
        ("-confirmed", (), mine, told.certificate(mine), (Reason.UNEXPECTED_CERTIFICATE_KIND, proposal)),
        ("-at-another-height", (), high, weak, (height, quorum)),
        ("-again", (told.request(mine),), mine, genuine, (proposal,)),
        ("-rival", (told.request(rival),), mine, genuine, (proposal, pending_)),
    ):
        why = "One owner justifies nothing; what it adds all the same is verified first."
        request = told.request(block, justification=justification)
        more = faults if len(faults) > 1 else ()
        yield told.case(f"justified{name}", why, clauses, *before, request, reason=faults[0], faults=more)


def owed() -> Iterator[Case]:
    """Yield the two rules of anticipation, with messages owed from before and messages of the block itself."""
    clauses = ("WP-2.6-ANTICIPATION", "WP-2.7-BLOCK-IS-VALID", *HANDLER)
    missing = Reason.MISSING_CROSS_CHAIN_UPDATE
    for rules, label in ((None, ""), (REVISION_H, "-this-proposal")):
        told = story() if rules is None else story(rules=rules)
        far = told.extended(BOB, pay(ALICE, 1), pay(ALICE, 2)).extended(BOB, pay(ALICE, 3))
        first, third = (message(far.chain(BOB).localized.certificates.at(n)) for n in (0, 1))
        second = message(far.chain(BOB).localized.certificates.at(0), 1)
        anticipating = told.extended(ALICE, Receive(first))
        plain = anticipating.request(anticipating.block(ALICE, pay(BOB, 1)))
        whole = rules is None
        yield anticipating.case(
            f"owed-from-before{label}",
            "A message is owed since an earlier block: "
            + ("no vote before it came." if whole else "this block may go on."),
            clauses,
            plain,
            reason=missing if whole else None,
        )
        more = anticipating.request(anticipating.block(ALICE, Receive(second), Receive(third)))
        yield anticipating.case(
            f"owed-from-before-and-now{label}",
            "All missing senders are named, sorted, once each.",
            clauses,
            more,
            reason=missing,
        )
        arrived = anticipating.given(*far.inputs).settled(BOB)
        yield arrived.case(
            f"owed-came{label}",
            "After the mail came, the block gets its vote.",
            clauses,
            arrived.request(arrived.block(ALICE, pay(BOB, 1))),
        )
        yield told.case(
            f"owed-two-origins{label}",
            "Owed messages of two chains.",
            clauses,
            told.request(told.block(ALICE, Receive(evolve(first, origin=(7,))), Receive(first))),
            reason=missing,
        )
        ready = told.given(*far.inputs).settled(BOB)
        unsent = evolve(first, origin=(7,))
        mixed = ready.request(ready.block(ALICE, Receive(first), Receive(unsent)))
        yield ready.case(f"owed-one-of-two{label}", "Only what is missing is named.", clauses, mixed, reason=missing)


def out_of_range() -> Iterator[Case]:
    """Yield requests whose numbers no encoding holds."""
    told = story()
    good = told.request(told.block(ALICE))
    for name, bad in (
        ("round", evolve(good, round=MAX_U32 + 1)),
        ("previous-hash", evolve(good, block=evolve(good.block, previous_hash=bytes(31)))),
        ("key", evolve(good, block=evolve(good.block, transactions=(ChangeKey(bytes(33)),)))),
        ("height", evolve(good, block=evolve(good.block, height=-1))),
    ):
        yield told.case(
            f"out-of-range-{name}",
            "What cannot be encoded was not signed.",
            ("WP-2.3-DATA-TYPE", *HANDLER),
            bad,
            reason=Reason.OUT_OF_RANGE,
        )


def last_heights() -> Iterator[Case]:
    """Yield blocks near the last height."""
    told = story()
    for height, reason in ((MAX_U64 - 1, None), (MAX_U64, Reason.INVALID_BLOCK_HEIGHT)):
        chain = told.chain(ALICE)
        chain = evolve(chain, consistent=evolve(chain.consistent, next_height=height, block_hash=NOWHERE))
        block = evolve(told.block(ALICE), height=height, previous_hash=NOWHERE)
        for name, request, why, faults in (
            ("", told.request(block), reason, ()),
            (
                "-other-previous",
                told.request(evolve(block, previous_hash=None)),
                Reason.UNEXPECTED_PREVIOUS_BLOCK_HASH,
                (Reason.UNEXPECTED_PREVIOUS_BLOCK_HASH, *([reason] if reason else [])),
            ),
            (
                "-round",
                told.request(block, round=1),
                reason or Reason.INVALID_BLOCK_PROPOSAL,
                (*([reason] if reason else []), Reason.INVALID_BLOCK_PROPOSAL),
            ),
        ):
            yield told.handler_case(
                "handle_request",
                f"height-{height}{name}",
                "The last height is 2^64 - 2: it needs a successor.",
                ("WP-2.4-BLOCK", *HANDLER),
                chain,
                request=request,
                reason=why,
                faults=faults if len(faults) > 1 else (),
            )

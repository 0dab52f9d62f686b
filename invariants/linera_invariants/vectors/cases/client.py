"""Client synchronisation: given what a client knows, what it sends (section 2.8)."""

from collections.abc import Iterator
from typing import Any

from attrs import evolve

from linera_invariants.vectors.clients import (
    ClientStep,
    CollectVotes,
    FindSenders,
    Learn,
    Look,
    ProposeBlock,
    ReceiveWaiting,
    Track,
)
from linera_invariants.vectors.model import Case
from linera_invariants.vectors.replay import ReceivedSince
from linera_reference.application import burn
from linera_reference.block import ChangeKey, CloseChain, Execute, OpenChain, Receive
from linera_reference.certificate import Kind, Vote, VotePayload, sign_vote
from linera_reference.client import Goal
from linera_reference.identifiers import K_MAX, ChainId
from linera_reference.notation import MAX_U64
from linera_reference.rejections import Reason
from linera_reference.rules import QuorumRule, Rules
from linera_reference.validator import ChainInfo

from .stories import ALICE, BOB, NOWHERE, STRANGE, Story, message, pay, spoiled, story
from .support import signer

ABOUT = "Clients: what to hand over next, how far it is, what a refusal asks for, and a client's own node."

UPLOAD = ("WP-2.8-UPLOAD", "WP-2.8-SYNC-ANCESTORS")
LOCAL = ("WP-2.8-LOCAL-NODE",)
CHILD, GRANDCHILD = (0, 0), (0, 0, 2)
Infos = tuple[ChainInfo, ...]


def cases() -> Iterator[Case]:
    """Yield the cases, simplest first."""
    yield from transfers()
    yield from after_refusal()
    yield from learned()
    yield from tracked()
    yield from proposed()
    yield from collected()
    yield from waiting()
    yield from senders()


# --- What a node behind needs ------------------------------------------------------------------------------------


def info(chain_id: ChainId, next_height: int, creation_height: int | None = None, created: bool = True) -> ChainInfo:
    """Return what a node says about a chain."""
    return ChainInfo(
        chain_id, created, story().key("alice") if created else None, next_height, None, creation_height, 0
    )


FAMILY = (info(ALICE, 9), info(CHILD, 5, 4), info(GRANDCHILD, 3, 2))
"""What a node ahead says of a chain, its child and its grandchild."""
VIEWS: tuple[tuple[str, Infos, Infos, Goal], ...] = (
    ("nothing-to-do", (info(ALICE, 3),), FAMILY, Goal(ALICE, 3)),
    ("further-than-asked", (info(ALICE, 4),), FAMILY, Goal(ALICE, 3)),
    ("one-block", (info(ALICE, 2),), FAMILY, Goal(ALICE, 3)),
    ("first-block", (info(ALICE, 0),), FAMILY, Goal(ALICE, 9)),
    ("up-to-the-end", (info(ALICE, 8),), FAMILY, Goal(ALICE, 20)),
    ("nobody-has-more", (info(ALICE, 9),), FAMILY, Goal(ALICE, 20)),
    ("behind-is-ahead", (info(ALICE, 9),), (info(ALICE, 4),), Goal(ALICE, 20)),
    ("height-zero", (info(ALICE, 0),), FAMILY, Goal(ALICE, 0)),
    ("last-height", (info(ALICE, MAX_U64 - 1),), (info(ALICE, MAX_U64),), Goal(ALICE, MAX_U64)),
    ("child-there", (info(ALICE, 9), info(CHILD, 1, 4)), FAMILY, Goal(CHILD, 5)),
    ("child-there-parent-behind", (info(ALICE, 0), info(CHILD, 1, 4)), FAMILY, Goal(CHILD, 5)),
    ("parent-first", (info(ALICE, 2),), FAMILY, Goal(CHILD, 1)),
    ("creating-block", (info(ALICE, 4),), FAMILY, Goal(CHILD, 1)),
    ("creation-under-way", (info(ALICE, 5),), FAMILY, Goal(CHILD, 1)),
    ("creation-under-way-later", (info(ALICE, 7),), FAMILY, Goal(CHILD, 0)),
    ("grandparent-first", (info(ALICE, 1),), FAMILY, Goal(GRANDCHILD, 3)),
    ("grandparent-done", (info(ALICE, 5),), FAMILY, Goal(GRANDCHILD, 3)),
    ("parent-of-grandchild", (info(ALICE, 5), info(CHILD, 1, 4)), FAMILY, Goal(GRANDCHILD, 3)),
    ("grandchild-under-way", (info(ALICE, 5), info(CHILD, 3, 4)), FAMILY, Goal(GRANDCHILD, 3)),
    ("nobody-knows-the-child", (info(ALICE, 9),), (info(ALICE, 9),), Goal(CHILD, 1)),
    ("root-claimed-created", (), (info(STRANGE, 4, 3),), Goal(STRANGE, 2)),
    ("creating-block-missing-ahead", (info(ALICE, 4),), (info(ALICE, 4), info(CHILD, 0, 4)), Goal(CHILD, 1)),
    ("nobody-knows-the-root", (), (), Goal(STRANGE, 1)),
    ("root-unknown-behind", (), (info(STRANGE, 4),), Goal(STRANGE, 2)),
    ("creation-known-not-created", (info(ALICE, 4),), (info(ALICE, 9), info(CHILD, 0, 4, False)), Goal(CHILD, 1)),
    ("parent-unknown-behind", (), FAMILY, Goal(CHILD, 1)),
    ("not-created-with-height", (info(ALICE, 5), info(CHILD, 3, None, False)), FAMILY, Goal(CHILD, 3)),
)
"""What a node behind says, what a node ahead says, and where the first one shall get."""


def transfers() -> Iterator[Case]:
    """Yield what to hand over next, how far it is, and whether it is done, for many views."""
    for name, behind, ahead, goal in VIEWS:
        for operation, clauses in (
            ("is_reached", ("WP-2.8-QUERY",)),
            ("next_transfer", UPLOAD),
            ("next_transfer_for_messages", ("WP-2.8-SYNC-MESSAGES",)),
            ("measure", ("WP-2.8-SYNC-ANCESTORS",)),
        ):
            arguments: dict[str, Any] = {"behind": behind, "ahead": ahead, "goal": goal}
            sentence = f"{operation.replace('_', ' ').capitalize()}: {name.replace('-', ' ')}."
            yield Case(
                name=f"{operation.replace('_', '-')}-{name}",
                sentence=sentence,
                clauses=clauses,
                operation=operation,
                arguments=arguments,
            )


# --- What a refusal asks for -------------------------------------------------------------------------------------


def after_refusal() -> Iterator[Case]:
    """Yield what a client does about each reason, and about details that a node may make up."""
    told = story().extended(ALICE, pay(BOB, 1)).extended(ALICE, pay(BOB, 1))
    request, certificate = told.request(told.block(ALICE)), told.sent(ALICE, 1)
    places = ((ALICE, 4), (CHILD, 0))
    for reason in Reason:
        for height, senders in ((None, None), (1, None), (None, places)):
            detail = "places" if senders else "height" if height else "nothing"
            yield refusal(f"{reason.name.lower().replace('_', '-')}-{detail}", request, reason, height, senders)
    for reason in (Reason.MISSING_EARLIER_BLOCKS, Reason.INACTIVE_CHAIN, Reason.MISSING_CROSS_CHAIN_UPDATE):
        yield refusal(f"certificate-{reason.name.lower().replace('_', '-')}", certificate, reason, 0, None)
    for height in (-1, 0, 1, 2, 3, MAX_U64):
        name = f"behind-at-{height}".replace("--", "-minus-")
        yield refusal(name, request, Reason.UNEXPECTED_BLOCK_HEIGHT, height, None)
    missing = Reason.MISSING_CROSS_CHAIN_UPDATE
    for name, place in (
        ("empty-identifier", ((), 1)),
        ("long-identifier", ((7,) * (K_MAX + 1), 1)),
        ("wide-number", ((MAX_U64 + 1,), 1)),
        ("no-identifier", (None, 1)),
        ("no-number", ((0, None), 1)),
        ("negative-height", (ALICE, -1)),
        ("height-zero", (ALICE, 0)),
        ("last-height", (ALICE, MAX_U64 - 1)),
        ("height-without-successor", (ALICE, MAX_U64)),
        ("wide-height", (ALICE, MAX_U64 + 1)),
    ):
        yield refusal(f"sender-{name}", request, missing, None, (place, (BOB, 0)))
    yield refusal("sender-none", request, missing, None, ())


def refusal(name: str, item: Any, reason: Reason, height: int | None, senders: Any) -> Case:
    """Return a case of what a client does about a refusal."""
    arguments = {"item": item, "reason": reason, "height": height, "senders": senders}
    return Case(
        name=f"after-{name}",
        sentence="What a node must reach before it can accept what it refused.",
        clauses=("WP-2.8-EXTEND", "WP-2.8-SYNC-MESSAGES"),
        operation="goals_after",
        arguments=arguments,
    )


# --- A client's own node -----------------------------------------------------------------------------------------


def client(
    told: Story, name: str, why: str, clauses: tuple[str, ...], *steps: ClientStep, reason: Reason | None = None
) -> Case:
    """Return a case of a client's node that takes steps from genesis; the last is what the case is about."""
    arguments = {"context": told.context, "genesis": told.genesis, "steps": steps}
    return Case(name=name, sentence=why, clauses=clauses, operation="follow", arguments=arguments, reason=reason)


def opening() -> Story:
    """Tell of a child of alice's chain, and of its child; the last has a block."""
    told = story()
    told = told.extended(ALICE, OpenChain(CHILD, told.key("carol")), pay(CHILD, 5)).settled()
    told = told.extended(CHILD, *told.waiting(CHILD)[1:], pay(BOB, 1), OpenChain(GRANDCHILD, told.key("bob")))
    told = told.settled()
    return told.extended(GRANDCHILD, *told.waiting(GRANDCHILD)).extended(ALICE, pay(CHILD, 1), pay(BOB, 2))


def learned() -> Iterator[Case]:
    """Yield what a node learns, and for whom it delivers."""
    told = opening()
    first, second = told.sent(ALICE), told.sent(ALICE, 1)
    yield client(told, "learn", "A certificate extends the chain.", LOCAL, Learn(first))
    yield client(told, "learn-again", "Once.", LOCAL, Learn(first), Learn(first))
    yield client(
        told, "learn-untracked", "Mail for chains that are not followed waits.", LOCAL, Learn(first), Look(CHILD)
    )
    yield client(
        told,
        "learn-tracked",
        "Mail for a chain that is followed arrives.",
        LOCAL,
        Track(CHILD),
        Learn(first),
        Look(CHILD),
    )
    yield client(
        told, "learn-gap", "Earlier blocks are missing.", LOCAL, Learn(second), reason=Reason.MISSING_EARLIER_BLOCKS
    )
    yield client(
        told,
        "learn-child",
        "A child's block needs the child.",
        LOCAL,
        Learn(told.sent(CHILD)),
        reason=Reason.INACTIVE_CHAIN,
    )
    everything = (first, told.sent(CHILD), told.sent(GRANDCHILD), second)
    yield client(told, "learn-family", "A whole family.", LOCAL, Track(GRANDCHILD), *map(Learn, everything))
    yield client(
        told,
        "learn-refused-mail",
        "Mail that is refused stays in the outbox.",
        LOCAL,
        Track(BOB),
        Learn(told.certificate(story().block(BOB, CloseChain()))),
        Learn(story().certificate(story().block(ALICE, pay(BOB, 1)))),
    )
    request = told.request(story().block(ALICE, pay(BOB, 1)))
    yield client(told, "learn-request", "A request is remembered without a vote.", LOCAL, Learn(request))
    yield client(
        told, "learn-bad-request", "Or refused.", LOCAL, Learn(spoiled(request)), reason=Reason.INVALID_SIGNATURE
    )
    before = story().extended(ALICE, pay(STRANGE, 1))
    yield client(
        told,
        "learn-before-creation",
        "Mail for a followed chain that is not there yet is kept.",
        ("WP-2.8-LOCAL-NODE", "WP-2.6-ANTICIPATION"),
        Track(STRANGE),
        Learn(before.sent(ALICE)),
        Look(STRANGE),
    )
    ideal = story("ideal").extended(ALICE, pay(BOB, 1))
    yield client(ideal, "learn-ideal", "With ideal signatures.", LOCAL, Track(BOB), Learn(ideal.sent(ALICE)))


def tracked() -> Iterator[Case]:
    """Yield what following a chain brings, before and after its mail is known."""
    told = opening()
    first = Learn(told.sent(ALICE))
    for name, chains in (
        ("root", (ALICE,)),
        ("child", (CHILD,)),
        ("grandchild", (GRANDCHILD,)),
        ("twice", (CHILD, CHILD)),
        ("root-then-child", (ALICE, CHILD)),
        ("two", (BOB, GRANDCHILD)),
        ("unknown", (STRANGE,)),
    ):
        steps = tuple(map(Track, chains))
        yield client(told, f"track-{name}", "A chain is followed with its ancestors.", LOCAL, *steps)
        yield client(told, f"track-{name}-late", "What is known already arrives.", LOCAL, first, *steps)
        yield client(told, f"track-{name}-early", "What comes later arrives, too.", LOCAL, *steps, first)
    back = story().extended(ALICE, pay(ALICE, 1), pay(BOB, 1)).settled(ALICE)
    back = back.extended(BOB, *back.waiting(BOB), pay(ALICE, 1))
    yield client(
        told,
        "track-several-senders",
        "From every sender that is known.",
        LOCAL,
        Learn(back.sent(ALICE)),
        Track(BOB),
        Learn(back.sent(BOB)),
        Track(ALICE),
    )
    many, learn = crowd()
    yield client(
        many, "track-order", "Known mail arrives by sorted sender.", LOCAL, *learn, Track(BOB), ReceivedSince(BOB, 0)
    )


def crowd() -> tuple[Story, tuple[Learn, ...]]:
    """Tell of many chains that pay bob's, in an order that is not theirs, and what a client learns of them."""
    names = ("alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi")
    chains: dict[str, tuple[ChainId, int]] = {name: ((number * number,), 5) for number, name in enumerate(names)}
    told = story("ideal", chains=chains)
    for number, _ in chains.values():
        told = told.extended(number, pay(BOB, 1))
    return told, tuple(Learn(told.sent(chain_id)) for chain_id, _ in sorted(chains.values(), reverse=True))


def proposed() -> Iterator[Case]:
    """Yield what an owner signs: one block at a height, remembered before it is sent."""
    told, clauses = story(), ("WP-2.8-EXTEND", "WP-2.8-PENDING")
    alice, pays = signer("alice", "ed25519"), (pay(BOB, 1),)
    sign = ProposeBlock(alice, ALICE, pays)
    yield client(told, "propose", "A block and its request.", clauses, sign)
    yield client(told, "propose-again", "The same request.", clauses, sign, sign)
    other = ProposeBlock(alice, ALICE, (pay(BOB, 2),))
    yield client(told, "propose-other", "A pending block is proposed again, whatever is asked.", clauses, sign, other)
    bad = ProposeBlock(alice, ALICE, (Execute(burn(0)),))
    yield client(told, "propose-after-bad", "An invalid block leaves nothing pending.", clauses, bad, sign)
    first = told.extended(ALICE, pay(BOB, 1), ChangeKey(told.key("carol")))
    learn = Learn(first.sent(ALICE))
    yield client(
        told,
        "propose-next",
        "On top of what is known.",
        clauses,
        learn,
        ProposeBlock(signer("carol", "ed25519"), ALICE, pays),
    )
    unsent = Receive(message(first.extended(BOB, pay(ALICE, 1)).sent(BOB)))
    for name, item, steps, reason in (
        ("bad", bad, (), Reason.INCORRECT_TRANSFER_AMOUNT),
        ("stranger", ProposeBlock(signer("carol", "ed25519"), ALICE, pays), (), Reason.INVALID_OWNER),
        ("old-owner", sign, (learn,), Reason.INVALID_OWNER),
        ("unknown-chain", ProposeBlock(alice, STRANGE, ()), (), Reason.INACTIVE_CHAIN),
        ("unsent", ProposeBlock(alice, ALICE, (unsent,)), (), Reason.MISSING_CROSS_CHAIN_UPDATE),
        ("out-of-range", ProposeBlock(alice, ALICE, (ChangeKey(bytes(31)),)), (), Reason.OUT_OF_RANGE),
    ):
        yield client(
            told, f"propose-{name}", f"Refused at home: {reason.sentence}", clauses, *steps, item, reason=reason
        )


def collected() -> Iterator[Case]:
    """Yield votes and the certificate that they make, or not."""
    told, clauses = story(), ("WP-2.8-STOP-AT-QUORUM", "WP-2.2-CERTIFICATE")
    sign = ProposeBlock(signer("alice", "ed25519"), ALICE, (pay(BOB, 1),))
    payload = VotePayload(Kind.CONFIRMED, told.context.scheme.hash(told.executed(told.block(ALICE, pay(BOB, 1)))), 0)
    other = evolve(payload, block_hash=NOWHERE)

    def vote(name: str, what: VotePayload = payload) -> Vote:
        return sign_vote(told.context.scheme, signer(name, "ed25519"), what)

    three = tuple(map(vote, ("v1", "v2", "v3")))
    bad = (vote("v1", other), spoiled(vote("v2")), vote("stranger"), evolve(vote("v3"), validator=told.key("v4")))
    for name, votes in (
        ("quorum", three),
        ("none", ()),
        ("too-few", three[:2]),
        ("no-more-than-needed", (*three, vote("v4"))),
        ("first-that-are-enough", (vote("v4"), *three)),
        ("unsorted", three[::-1]),
        ("repeated", (three[0], *three[:2])),
        ("repeated-then-enough", (three[0], *three)),
        ("wrong-ones-between", (bad[0], three[0], bad[1], three[1], bad[2], three[2], bad[3])),
        ("wrong-ones-only", bad),
        ("wrong-kind", tuple(vote(n, evolve(payload, kind=Kind.VALIDATED)) for n in ("v1", "v2", "v3"))),
        ("wrong-round", tuple(vote(n, evolve(payload, round=1)) for n in ("v1", "v2", "v3"))),
    ):
        yield client(
            told,
            f"collect-{name}",
            "Votes make a certificate as soon as they are a quorum.",
            clauses,
            sign,
            CollectVotes(ALICE, votes),
        )
    yield client(
        told,
        "collect-nothing-pending",
        "Without a pending block there is nothing to certify.",
        clauses,
        CollectVotes(ALICE, three),
    )
    for rules, label in ((Rules(), "n-minus-f"), (Rules(QuorumRule.HALF_WAY), "half-way")):
        weighted = story("ed25519", rules, weights=(3, 2, 1))
        for names in (("v1", "v2"), ("v1", "v3"), ("v2", "v3"), ("v3", "v2", "v1")):
            yield client(
                weighted,
                f"collect-{label}-{''.join(names)}",
                "Voting rights 3, 2, 1.",
                clauses,
                sign,
                CollectVotes(ALICE, tuple(map(vote, names))),
            )


def waiting() -> Iterator[Case]:
    """Yield what a client receives next."""
    told, clauses = story(), ("WP-2.8-EXTEND", "WP-2.7-RECEIVE")
    told = told.extended(BOB, pay(ALICE, 1), pay(ALICE, 2)).extended(ALICE, pay(ALICE, 3))
    steps = (Track(ALICE), Learn(told.sent(BOB)), Learn(told.sent(ALICE)))
    for limit in (None, 0, 1, 2, 3, 9):
        yield client(
            told,
            f"waiting-{'all' if limit is None else limit}",
            "Waiting messages, by origin and place.",
            clauses,
            *steps,
            ReceiveWaiting(ALICE, limit),
        )
    many, learn = crowd()
    yield client(
        many,
        "waiting-order",
        "Waiting messages of many origins.",
        clauses,
        Track(BOB),
        *learn,
        ReceiveWaiting(BOB, None),
    )
    yield client(told, "waiting-nothing", "None wait.", clauses, *steps, ReceiveWaiting(BOB, None))
    settled = told.settled()
    block = settled.block(ALICE, *settled.waiting(ALICE)[:2])
    yield client(
        told,
        "waiting-rest",
        "What a block received waits no more.",
        clauses,
        *steps,
        Learn(settled.certificate(block)),
        ReceiveWaiting(ALICE, None),
    )


def senders() -> Iterator[Case]:
    """Yield what to download, from the received logs of several validators."""
    told, clauses = story().extended(ALICE).extended(ALICE), ("WP-2.8-SYNC-MESSAGES", "WP-2.6-RECEIVED")
    known = tuple(Learn(told.sent(ALICE, height)) for height in (0, 1))
    for name, logs in (
        ("nothing", ()),
        ("empty-logs", ((), ())),
        ("one", (((BOB, 0),),)),
        ("highest", (((BOB, 0), (BOB, 3)), ((BOB, 2),))),
        ("highest-first", (((BOB, 3),), ((BOB, 1), (BOB, 2)))),
        ("sorted", (((BOB, 0), (CHILD, 1)), ((ALICE, 4),))),
        ("known", (((ALICE, 0), (ALICE, 1)),)),
        ("just-unknown", (((ALICE, 2),),)),
        ("unknown-chain", (((STRANGE, 0),),)),
        ("empty-identifier", ((((), 0), (BOB, 0)),)),
        ("no-identifier", (((None, 0), (BOB, 0)),)),
        ("no-number", ((((None, 1), 0), (BOB, 0)),)),
        ("wide-number", ((((MAX_U64 + 1,), 0), (BOB, 0)),)),
        ("negative", (((BOB, -1),),)),
        ("last", (((BOB, MAX_U64 - 1),),)),
        ("beyond", (((BOB, MAX_U64), (BOB, 1)),)),
    ):
        yield client(
            told, f"senders-{name}", "One goal per sender that is not reached yet.", clauses, *known, FindSenders(logs)
        )

"""Owners as clients: locks that they learn, rounds that they choose, blocks that they finish for each other."""

from collections.abc import Iterator
from typing import Any

from attrs import evolve
from immutables import Map

from linera_invariants.vectors.clients import (
    ChooseRound,
    ClientStep,
    CollectVotes,
    Learn,
    LearnLocks,
    LookAtRounds,
    ProposeInRound,
    Track,
)
from linera_invariants.vectors.model import Case
from linera_reference.block import CloseChain, Execute, ExecutedBlock
from linera_reference.certificate import Certificate, Kind, Vote, VotePayload, sign_vote
from linera_reference.notation import MAX_U32
from linera_reference.rejections import Reason
from linera_reference.rounds import Rounds
from linera_reference.validator import RoundInfo

from .stories import ALICE, BOB, NOWHERE, STRANGE, Story, pay, story
from .support import signer

CHAINS: dict[str, tuple[tuple[int, ...], Any]] = {"alice+carol": (ALICE, 100), "bob": (BOB, 10)}


def clients() -> Iterator[Case]:
    """Yield the cases of clients."""
    told = story(chains=CHAINS)
    yield from learned(told)
    yield from rounds_chosen(told)
    yield from proposed(told)
    yield from gathered(told)


def follow(
    told: Story, name: str, why: str, clauses: tuple[str, ...], *steps: ClientStep, reason: Reason | None = None
) -> Case:
    """Return a case of an owner's node that follows the chain."""
    arguments = {"context": told.context, "genesis": told.genesis, "steps": (Track(ALICE), *steps)}
    return Case(
        name=f"client-{name}", sentence=why, clauses=clauses, operation="follow", arguments=arguments, reason=reason
    )


def pay_one(told: Story) -> tuple[Any, Any]:
    """Return two blocks for the first height."""
    return told.block(ALICE, pay(BOB, 1)), told.block(ALICE, pay(BOB, 2))


def info(lock: Certificate | None, last: int = 0, pending: ExecutedBlock | None = None) -> RoundInfo:
    """Return what a validator shows of the first height."""
    return RoundInfo(ALICE, 0, pending, Rounds(last, lock))


def learned(told: Story) -> Iterator[Case]:
    """Yield locks that an owner takes over, and those that it does not believe."""
    clauses = ("WP-2.9-LEARN-LOCK",)
    mine, rival = pay_one(told)
    first, second = told.validated(mine, 1), told.validated(rival, 2)
    weak = told.validated(rival, 5, ("v1", "v2"))
    elsewhere = told.validated(ExecutedBlock(told.block(STRANGE), (), NOWHERE), 7)
    later = told.validated(ExecutedBlock(evolve(mine, height=1), (), NOWHERE), 7)
    confirmed = told.certificate(mine, kind=Kind.CONFIRMED, round=9)
    for name, locks in (
        ("none", ()),
        ("nothing-shown", (None, None)),
        ("one", (first,)),
        ("highest", (first, second)),
        ("highest-first", (second, first)),
        ("same", (first, first)),
        ("weak", (weak, first)),
        ("only-weak", (weak,)),
        ("elsewhere", (elsewhere, first)),
        ("later-height", (later, first)),
        ("one-of-many", (None, first, None)),
        ("confirmed", (confirmed, first)),
    ):
        why = "The highest genuine lock for the next height is taken over; the others count for nothing."
        infos = tuple(info(lock) for lock in locks)
        yield follow(told, f"learn-{name}", why, clauses, LearnLocks(infos), LookAtRounds(ALICE))

    held, own = Learn(second), ProposeInRound(signer("alice", told.scheme), ALICE, (pay(BOB, 3),), 5)
    finish = evolve(own, round=6)
    why = "Who proposed and did not vote still learns of earlier locks, and finishes their blocks."
    for name, before, lock in (
        ("after-own-proposal", own, first),
        ("of-round-0-after-own-proposal", own, told.validated(mine, 0)),
        ("lower-than-own", held, first),
        ("same-round-as-own", held, told.validated(mine, 2)),
        ("higher-than-own", held, told.validated(mine, 3)),
    ):
        steps = (before, LearnLocks((info(lock),)), LookAtRounds(ALICE), finish)
        yield follow(told, f"learn-{name}", why, (*clauses, "WP-2.9-REPROPOSE"), *steps)


def rounds_chosen(told: Story) -> Iterator[Case]:
    """Yield the round that an owner chooses."""
    clauses = ("WP-2.9-CHOOSE-ROUND",)
    mine, _ = pay_one(told)
    keys = {name: told.key(name) for name in ("v1", "v2", "v3", "v4", "stranger")}
    for name, free in (
        ("nobody", {}),
        ("all-free", dict.fromkeys(("v1", "v2", "v3", "v4"), 0)),
        ("one-ahead", {"v1": 0, "v2": 0, "v3": 0, "v4": 5}),
        ("two-ahead", {"v1": 0, "v2": 0, "v3": 4, "v4": 5}),
        ("liar", {"v1": 0, "v2": 0, "v3": 0, "v4": MAX_U32}),
        ("no-quorum", {"v1": 3, "v2": 1}),
        ("one-heard", {"v2": 7}),
        ("all-different", {"v1": 1, "v2": 2, "v3": 3, "v4": 4}),
        ("stranger", {"v1": 1, "v2": 1, "stranger": 6}),
        ("quorum-exactly", {"v1": 2, "v2": 2, "v3": 3}),
    ):
        why = "The lowest round that a quorum of those heard from accepts."
        heard = Map({keys[who]: first for who, first in free.items()})
        yield follow(told, f"round-{name}", why, clauses, ChooseRound(ALICE, heard))
        if name in {"nobody", "one-ahead", "two-ahead"}:
            why = "And above everything that the owner's own node accepted."
            for label, item in (("voted", told.request(mine, round=4)), ("locked", told.validated(mine, 4))):
                yield follow(told, f"round-{name}-{label}", why, clauses, Learn(item), ChooseRound(ALICE, heard))
    none, beyond = Map[bytes, int](), Map(dict.fromkeys(keys.values(), MAX_U32 + 1))
    why = "After the last round there is none."
    for label, item in (("voted", told.request(mine, round=MAX_U32)), ("locked", told.validated(mine, MAX_U32))):
        steps = (Learn(item), ChooseRound(ALICE, none))
        yield follow(told, f"round-beyond-{label}", why, clauses, *steps, reason=Reason.ARITHMETIC)
    last = Map(dict.fromkeys(keys.values(), MAX_U32))
    yield follow(told, "round-last", why, clauses, ChooseRound(ALICE, last))
    yield follow(told, "round-beyond", why, clauses, ChooseRound(ALICE, beyond), reason=Reason.ARITHMETIC)
    names = ("v1", "v2", "v3", "v4")
    for ahead in names:
        why = "In whatever order validators are heard."
        heard = Map({keys[who]: 5 if who == ahead else 1 for who in names})
        yield follow(told, f"round-{ahead}-ahead", why, clauses, ChooseRound(ALICE, heard))
    weighted = story(chains=CHAINS, weights=(5, 1, 1, 1))
    heard = Map({weighted.key("v1"): 2, weighted.key("v2"): 1, weighted.key("v3"): 3, weighted.key("v4"): 4})
    yield follow(weighted, "round-weights", "Voting rights count, not heads.", clauses, ChooseRound(ALICE, heard))


def proposed(told: Story) -> Iterator[Case]:
    """Yield what an owner proposes in a round."""
    _, rival = pay_one(told)
    alice, carol, bob = (signer(name, told.scheme) for name in ("alice", "carol", "bob"))
    paid = (pay(BOB, 1),)
    fresh, again = ("WP-2.9-INTERRUPT",), ("WP-2.9-REPROPOSE", "WP-2.9-FINISH")
    lock = Learn(told.validated(rival, 1))
    for name, clauses, before, owner, transactions, round_, reason in (
        ("new", fresh, (), alice, paid, 0, None),
        ("new-later", fresh, (), carol, paid, 3, None),
        ("interrupting", fresh, (Learn(told.request(rival, "carol")),), alice, paid, 1, None),
        ("too-low", fresh, (Learn(told.request(rival, "carol", 2)),), alice, paid, 2, Reason.INSUFFICIENT_ROUND),
        ("locked", again, (lock,), alice, paid, 2, None),
        ("locked-nothing-to-say", again, (lock,), carol, (), 7, None),
        ("locked-too-low", again, (lock,), alice, paid, 1, Reason.HAS_LOCKED_BLOCK),
        ("interrupting-itself", fresh, (ProposeInRound(alice, ALICE, paid, 0),), alice, (pay(BOB, 2),), 1, None),
        ("again", fresh, (ProposeInRound(alice, ALICE, paid, 0),), alice, paid, 0, None),
        ("stranger", fresh, (), bob, paid, 0, Reason.INVALID_OWNER),
        ("invalid", fresh, (), alice, (pay(BOB, 101),), 0, Reason.INSUFFICIENT_FUNDING),
        ("last-round", fresh, (), alice, paid, MAX_U32, None),
        ("beyond", fresh, (), alice, paid, MAX_U32 + 1, Reason.OUT_OF_RANGE),
        ("junk", fresh, (), alice, (Execute(b""),), 0, Reason.USER_ERROR),
        (
            "closed",
            fresh,
            (Learn(told.certificate(told.block(ALICE, CloseChain()))),),
            alice,
            (),
            0,
            Reason.CHAIN_CLOSED,
        ),
    ):
        why = "The block of the highest lock, with it as justification, or else a new one."
        step = ProposeInRound(owner, ALICE, transactions, round_)
        yield follow(told, f"propose-{name}", why, clauses, *before, step, LookAtRounds(ALICE), step, reason=reason)
    learned_first = (LearnLocks((info(told.validated(rival, 1)),)), ProposeInRound(carol, ALICE, paid, 2))
    yield follow(told, "propose-learned", "A lock that was learned is finished.", again, *learned_first)


def vote(told: Story, name: str, executed: ExecutedBlock, kind: Kind, round_: int) -> Vote:
    """Return a genuine vote."""
    payload = VotePayload(kind, told.context.scheme.hash(executed), round_)
    return sign_vote(told.context.scheme, signer(name, told.scheme), payload)


def gathered(told: Story) -> Iterator[Case]:
    """Yield votes that make a validated certificate, then the certificate of the block."""
    mine, rival = pay_one(told)
    executed, other = told.executed(mine), told.executed(rival)
    names = ("v1", "v2", "v3")
    request, lock = Learn(told.request(mine, round=2)), Learn(told.validated(mine, 2))
    to_validate, to_confirm = (tuple(vote(told, n, executed, kind, 2) for n in names) for kind in Kind)
    for name, before, votes in (
        ("validated", (request,), to_validate),
        ("confirmed", (request, lock), to_confirm),
        ("confirmed-unseen", (lock,), to_confirm),
        ("too-early", (request,), to_confirm),
        ("too-late", (request, lock), to_validate),
        ("other-round", (request,), tuple(vote(told, n, executed, Kind.VALIDATED, 1) for n in names)),
        ("other-block", (request,), tuple(vote(told, n, other, Kind.VALIDATED, 2) for n in names)),
        ("too-few", (request,), to_validate[:2]),
        ("nothing-proposed", (), to_validate),
        ("later-proposal", (lock, Learn(told.request(mine, round=3))), to_confirm),
        (
            "later-proposal-validated",
            (lock, Learn(told.request(mine, round=3))),
            tuple(vote(told, n, executed, Kind.VALIDATED, 3) for n in names),
        ),
        ("mixed", (request,), (*to_confirm[:2], *to_validate)),
    ):
        why = "Votes like the one that the owner's node stands for count, up to a quorum."
        yield follow(told, f"collect-{name}", why, ("WP-2.9-FINALISE",), *before, CollectVotes(ALICE, votes))

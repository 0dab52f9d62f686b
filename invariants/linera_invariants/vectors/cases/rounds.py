"""Chains with several owners: proposals, locks and final votes in rounds, restarts, and their clients (section 2.9)."""

from collections.abc import Iterator
from itertools import product
from typing import Any

from attrs import evolve

from linera_invariants.vectors.model import Case
from linera_invariants.vectors.replay import AskRounds, Info, Input
from linera_reference.block import AddOwner, ExecutedBlock, RemoveOwner, Transaction
from linera_reference.notation import MAX_U32, MAX_U64
from linera_reference.rejections import Reason
from linera_reference.request import Request

from .round_clients import clients
from .round_guards import guards
from .round_lives import lives
from .shared_chains import KIND, LOCKED, LOW, PROPOSAL, VALIDATED, pair, shared
from .stories import ALICE, BOB, NOWHERE, Story, pay, story
from .support import enumerated

ABOUT = "Chains with several owners: who proposes, rounds, locks, final votes, restarts, changes of owners, clients."


def cases() -> Iterator[Case]:
    """Yield the cases, simplest first."""
    yield from votes()
    yield from final_votes()
    yield from locked()
    yield from guards()
    yield from every_pair_of_steps()
    yield from without_key()
    yield from edges()
    yield from lives()
    yield from clients()


# --- Proposals ---------------------------------------------------------------------------------------------------


def votes() -> Iterator[Case]:
    """Yield what is voted for in which round."""
    told = shared()
    mine, rival = pair(told)
    first = told.request(mine)
    yield told.case("vote", "A proposal gets a vote to validate.", ("WP-2.8-VOTE", *PROPOSAL), first)
    yield told.case("vote-carol", "Of any owner.", ("WP-2.9-OWNERS", *PROPOSAL), told.request(mine, "carol"))
    yield told.case("vote-again", "The same request, the same vote.", ("WP-2.8-IDEMPOTENT", *PROPOSAL), first, first)
    by_carol = told.request(mine, "carol")
    yield told.case("vote-again-carol", "Whoever proposes it.", ("WP-2.8-IDEMPOTENT", *PROPOSAL), first, by_carol)
    for round_ in (0, 1, 7, MAX_U32):
        request = told.request(mine, round=round_)
        why = "The vote is for the round of the proposal."
        yield told.case(f"vote-in-{round_}", why, ("WP-2.9-ROUND", *PROPOSAL), request, AskRounds(ALICE))
    rounds = ("WP-2.9-ROUND", "WP-2.9-INTERRUPT", *PROPOSAL)
    for name, second, reason in (
        ("rival-same-round", told.request(rival, "carol"), LOW),
        ("rival-later", told.request(rival, "carol", 1), None),
        ("same-later", told.request(mine, round=3), None),
    ):
        yield told.case(
            name, "One proposal per round, each round above the last.", rounds, first, second, reason=reason
        )
    late = told.given(told.request(mine, round=5))
    for name, round_, reason in (("lower", 4, LOW), ("much-lower", 0, LOW), ("again", 5, None), ("higher", 6, None)):
        request = told.request(mine, round=round_)
        yield late.case(f"round-{name}", "Rounds only grow.", rounds, request, AskRounds(ALICE), request, reason=reason)
    other = late.request(rival, round=6)
    why = "The earlier proposal is interrupted: it gets no vote any more."
    yield late.case("interrupted", why, rounds, other, told.request(mine, round=5), reason=LOW)
    ideal = shared("ideal")
    yield ideal.case("vote-ideal", "With ideal signatures.", PROPOSAL, ideal.request(pair(ideal)[0]))
    view = told.chain(ALICE)
    cast = evolve(told.executed(mine), state_hash=NOWHERE)
    yield told.handler_case(
        "handle_request",
        "vote-not-computed-again",
        "The vote is for the executed block that is pending, not for a new execution.",
        ("WP-2.8-PENDING", *PROPOSAL),
        evolve(view, localized=evolve(view.localized, pending=cast)),
        request=first,
    )
    sent = told.extended(ALICE, pay(BOB, 1))
    why = "The vote, then every pending cross-chain request."
    yield sent.case("vote-and-requests", why, ("WP-2.5-REQUEST", *PROPOSAL), sent.request(sent.block(ALICE)))
    alone = story(chains={"alice+": (ALICE, 100)})
    why = "One owner may choose rounds, too."
    yield alone.case("vote-alone", why, ("WP-2.9-OWNERS", *PROPOSAL), alone.request(alone.block(ALICE), round=2))


# --- Validated certificates --------------------------------------------------------------------------------------


def final_votes() -> Iterator[Case]:
    """Yield what follows from a validated block."""
    told, clauses = shared(), ("WP-2.9-FINAL-VOTE", *VALIDATED)
    mine, rival = pair(told)
    proposed = told.given(told.request(mine))
    lock = told.validated(mine)
    yield proposed.case("lock", "A validated block locks and gets a final vote.", clauses, lock)
    yield proposed.case("lock-info", "A lock is shown.", ("WP-2.9-LEARN-LOCK", *clauses), lock, AskRounds(ALICE))
    yield proposed.case("no-lock-info", "So is a vote without one.", ("WP-2.9-LEARN-LOCK",), AskRounds(ALICE))
    yield told.case("nothing-info", "And nothing, before.", ("WP-2.9-LEARN-LOCK",), AskRounds(ALICE))
    yield proposed.case("lock-again", "Again, the same vote.", ("WP-2.8-IDEMPOTENT", *clauses), lock, lock)
    yield told.case("lock-unseen", "Also where the proposal never came.", clauses, lock, AskRounds(ALICE), lock)
    whole = told.validated(mine, 0, ("v1", "v2", "v3", "v4"))
    why = "More signatures say the same; the first certificate stays."
    yield proposed.case("lock-other-signers", why, clauses, lock, whole, AskRounds(ALICE))
    for round_ in (0, 1, 6, MAX_U32):
        later = told.validated(mine, round_)
        why = "The final vote is for the round of the certificate."
        yield proposed.case(f"lock-in-{round_}", why, ("WP-2.9-ROUND", *clauses), later, AskRounds(ALICE))
    held = proposed.given(told.validated(mine, 3))
    for name, certificate, reason in (
        ("lower", told.validated(mine, 2), LOW),
        ("lower-rival", told.validated(rival, 2), LOW),
        ("same-rival", told.validated(rival, 3), LOCKED),
        ("higher", told.validated(mine, 4), None),
        ("higher-rival", told.validated(rival, 4), None),
    ):
        why = "One executed block per round, and no way back."
        yield held.case(f"relock-{name}", why, ("WP-2.9-LOCK", *clauses), certificate, reason=reason)
    moved = told.given(told.request(rival, round=5))
    for round_, reason in ((4, LOW), (5, None), (6, None)):
        why = "A vote in a later round refuses the certificates of earlier ones."
        yield moved.case(f"lock-{round_}-after-5", why, clauses, told.validated(mine, round_), reason=reason)
    made_up = evolve(told.executed(mine), state_hash=NOWHERE)
    why = "A quorum vouches for the results: nothing is executed again."
    yield told.case("lock-not-executed", why, clauses, told.validated(made_up))
    sent = told.extended(ALICE, pay(BOB, 1))
    why = "The vote, then every pending cross-chain request."
    yield sent.case("lock-and-requests", why, ("WP-2.5-REQUEST", *clauses), sent.validated(sent.block(ALICE)))
    ideal = shared("ideal")
    yield ideal.case("lock-ideal", "With ideal signatures.", clauses, ideal.validated(pair(ideal)[0]))
    decided = proposed.given(lock).certificate(mine)
    run, why = ("WP-2.9-LATENCY", "WP-2.9-FINALISE", *clauses), "Proposal, lock, certificate: two votes and a block."
    yield told.case("decided", why, run, told.request(mine), lock, decided, Info(ALICE))


def locked() -> Iterator[Case]:
    """Yield what a locked validator votes for."""
    told, clauses = shared(), ("WP-2.9-LOCK", "WP-2.9-JUSTIFICATION", *PROPOSAL)
    mine, rival = pair(told)
    held = told.given(told.request(mine, round=1), told.validated(mine, 1))
    for name, block, round_, justification, reason in (
        ("same-later", mine, 2, None, None),
        ("same-later-justified", mine, 2, told.validated(mine, 1), None),
        ("same-this-round", mine, 1, None, None),
        ("rival-later", rival, 2, None, LOCKED),
        ("rival-much-later", rival, MAX_U32, None, LOCKED),
        ("rival-tie", rival, 2, told.validated(rival, 1), LOCKED),
        ("rival-old", rival, 2, told.validated(rival, 0), LOCKED),
        ("rival-released", rival, 3, told.validated(rival, 2), None),
        ("rival-released-too-early", rival, 2, told.validated(rival, 2), LOCKED),
        ("rival-justified-by-mine", rival, 3, told.validated(mine, 2), LOCKED),
        ("mine-justified-by-rival", mine, 3, told.validated(rival, 2), LOCKED),
    ):
        request = told.request(block, "carol", round_, justification)
        why = "Only a later validated certificate releases a lock."
        yield held.case(
            f"locked-{name}", why, ("WP-2.9-REPROPOSE", *clauses), request, AskRounds(ALICE), request, reason=reason
        )
    request = told.request(rival, "carol", 3, told.validated(rival, 2))
    released = held.given(request)
    why = "A justified proposal moves no lock: only the next validated certificate does."
    yield released.case("locked-stays", why, clauses, AskRounds(ALICE))
    yield released.case("locked-then-rival", why, clauses, told.validated(rival, 3), AskRounds(ALICE))
    back = told.request(mine, "alice", 4)
    yield released.case("locked-back", "The lock still speaks for its block.", clauses, back)
    why = "Without its lock, a validator takes any block in a later round."
    yield told.given(told.request(mine, round=1)).case("unlocked", why, clauses, told.request(rival, round=2))
    why = "A lock without a proposal binds all the same."
    unseen = told.given(told.validated(mine, 1))
    for name, block, round_, reason in (
        ("mine", mine, 2, None),
        ("rival", rival, 2, LOCKED),
        ("round", mine, 1, LOCKED),
    ):
        yield unseen.case(f"unseen-{name}", why, clauses, told.request(block, round=round_), reason=reason)
    other = told.validated(evolve(told.executed(mine), state_hash=NOWHERE), 2)
    why = "A justification speaks for a block, whatever its results."
    yield held.case("locked-other-results", why, clauses, told.request(mine, "carol", 3, other))
    elsewhere = told.validated(told.block(BOB), 2)
    why = "A justification from another chain is for another block."
    yield told.case("justified-elsewhere", why, clauses, told.request(mine, "carol", 3, elsewhere), reason=LOCKED)
    forged = evolve(told.request(rival, round=3), justification=told.validated(rival, 2))
    why = "Anybody may add a justification: it is not signed."
    yield held.case("justified-by-stranger", why, ("WP-2.9-DELEGATE", *clauses), forged)


# --- Enumerations ------------------------------------------------------------------------------------------------


def every_pair_of_steps() -> Iterator[Case]:
    """Yield every proposal and validated certificate after every two others, in rounds 0 and 1."""
    told = shared("ideal")
    blocks = dict(zip(("mine", "rival"), pair(told), strict=True))
    steps: dict[str, Input] = {}
    for (name, block), round_ in product(blocks.items(), (0, 1)):
        steps[f"{name}{round_}"] = told.request(block, "carol", round_)
        steps[f"lock-{name}{round_}"] = told.validated(block, round_)
    steps["justified1"] = told.request(blocks["rival"], "carol", 1, told.validated(blocks["rival"], 0))
    for first, second, third in product(steps, repeat=3):
        if first == second or "mine" not in first:
            continue
        why = "Proposals and validated certificates in turn."
        clauses = ("WP-2.9-PROPOSAL", "WP-2.9-VALIDATED", "WP-2.9-LOCK")
        name = f"steps-{first}-{second}-{third}"
        yield enumerated(told.case(name, why, clauses, steps[first], steps[second], steps[third]))


def without_key() -> Iterator[Case]:
    """Yield a node without a key: it holds to the same rules and does not vote."""
    told = shared(name=None)
    mine, rival = pair(told)
    first, lock = told.request(mine, round=1), told.validated(mine, 1)
    for name, items, reason in (
        ("proposal", (first,), None),
        ("lock", (lock,), None),
        ("lock-again", (first, lock, lock), None),
        ("rival", (first, told.request(rival, round=1)), LOW),
        ("locked-rival", (lock, told.request(rival, round=2)), LOCKED),
        ("relock", (lock, told.validated(rival, 1)), LOCKED),
        ("rounds", (first, lock, AskRounds(ALICE)), None),
        ("commit", (first, lock, told.certificate(mine, round=1)), None),
    ):
        yield told.case(
            f"no-key-{name}", "Without a key, the same without votes.", (*PROPOSAL, *VALIDATED), *items, reason=reason
        )


def edges() -> Iterator[Case]:
    """Yield the last rounds, the last heights, and numbers that no encoding holds."""
    told, clauses = shared(), ("WP-2.9-ROUND", *PROPOSAL)
    mine, rival = pair(told)
    last = told.given(told.request(mine, round=MAX_U32))
    held = last.given(told.validated(mine, MAX_U32))
    for name, at, item, reason in (
        ("again", last, told.request(mine, round=MAX_U32), None),
        ("rival", last, told.request(rival, round=MAX_U32), LOW),
        ("lock", last, told.validated(mine, MAX_U32), None),
        ("lock-before", last, told.validated(mine, MAX_U32 - 1), LOW),
        ("relock", held, told.validated(rival, MAX_U32), LOCKED),
        ("decided", held, told.certificate(mine, round=MAX_U32), None),
    ):
        yield at.case(f"last-round-{name}", "No round follows the last.", clauses, item, reason=reason)
    good = told.request(mine, round=1, justification=told.validated(mine))
    lock = told.validated(mine, 1)
    for name, item in (
        ("round", evolve(good, round=MAX_U32 + 1)),
        ("justification-round", evolve(good, justification=evolve(told.validated(mine), round=MAX_U32 + 1))),
        ("validated-round", evolve(lock, round=MAX_U32 + 1)),
        ("validated-negative", evolve(lock, round=-1)),
        ("owner-key", told_request(told, AddOwner(bytes(31)))),
        ("removed-key", told_request(told, RemoveOwner(bytes(33)))),
    ):
        why = "What cannot be encoded was not signed."
        yield told.case(f"out-of-range-{name}", why, ("WP-2.3-DATA-TYPE", *clauses), item, reason=Reason.OUT_OF_RANGE)
    for height, reason in ((MAX_U64 - 1, None), (MAX_U64, Reason.INVALID_BLOCK_HEIGHT)):
        view = told.chain(ALICE)
        view = evolve(view, consistent=evolve(view.consistent, next_height=height, block_hash=NOWHERE))
        block = evolve(mine, height=height, previous_hash=NOWHERE)
        bad = told.certificate(ExecutedBlock(block, (), NOWHERE), round=1)
        request = told.request(block, round=2, justification=bad)
        faults = (reason, KIND) if reason else ()
        where = f"height-{height}"
        why = "The last height is 2^64 - 2; it comes before the justification."
        given: dict[str, Any] = {"request": request, "reason": reason or KIND, "faults": faults}
        yield told.handler_case("handle_request", f"{where}-justified", why, clauses, view, **given)
        certificate = told.validated(ExecutedBlock(block, (), NOWHERE), 2)
        why = "A validated certificate has the height of its chain; nobody could have proposed it at the last."
        yield told.handler_case("handle_validated", f"{where}-validated", why, VALIDATED, view, certificate=certificate)


def told_request(told: Story, transaction: Transaction) -> Request:
    """Return a request whose block cannot be encoded: the signature is some other one."""
    good = told.request(told.block(ALICE))
    return evolve(good, block=evolve(good.block, transactions=(transaction,)))

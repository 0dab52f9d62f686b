"""What ends and what stays: commits, changes of owners, restarts, and runs in which owners meet."""

from collections.abc import Iterator
from itertools import product

from attrs import evolve
from immutables import Map

from linera_invariants.vectors.model import Case
from linera_invariants.vectors.replay import AskRounds, Crash, Download, Info
from linera_reference.block import AddOwner, ChangeKey, Receive, RemoveOwner
from linera_reference.messages import Message
from linera_reference.ownership import Owners
from linera_reference.rejections import Reason
from linera_reference.validator import Genesis, GenesisChain

from .shared_chains import LOCKED, LOW, pair, shared
from .stories import ALICE, BOB, NOWHERE, STRANGE, credit, pay, story
from .support import set_of


def lives() -> Iterator[Case]:
    """Yield the cases."""
    yield from resets()
    yield from owners_changed()
    yield from restarts()
    yield from interrupted_runs()


# --- Commits, owners, restarts -----------------------------------------------------------------------------------


def resets() -> Iterator[Case]:
    """Yield what remains of the rounds of a height after a commit: nothing."""
    told, clauses = shared(), ("WP-2.9-RESET",)
    mine, rival = pair(told)
    held = told.given(told.request(mine, round=4), told.validated(mine, 4))
    yield held.case(
        "reset",
        "After a commit, nothing is pending or locked.",
        clauses,
        told.certificate(mine, round=4),
        AskRounds(ALICE),
    )
    yield held.case(
        "reset-rival", "Whatever was committed.", clauses, told.certificate(rival, round=5), AskRounds(ALICE)
    )
    after = held.given(told.certificate(mine, round=4))
    fresh = after.request(after.block(ALICE, pay(BOB, 3)), "carol")
    yield after.case("reset-round-0", "The next height begins in round 0.", clauses, fresh, AskRounds(ALICE))
    for name, item, reason in (
        ("request", told.request(rival, round=5), Reason.UNEXPECTED_BLOCK_HEIGHT),
        ("validated", told.validated(rival, 5), None),
        ("validated-same", told.validated(mine, 4), None),
        ("validated-unsigned", evolve(told.validated(mine, 4), signatures=()), None),
        ("confirmed", told.certificate(mine, round=9), None),
    ):
        yield after.case(
            f"late-{name}", "What comes late changes nothing.", ("WP-2.8-IDEMPOTENT", *clauses), item, reason=reason
        )
    old = after.request(after.block(ALICE), "carol", 1, told.validated(mine, 0))
    why = "A lock of the height before speaks for another block."
    yield after.case("late-justification", why, ("WP-2.9-JUSTIFICATION", *clauses), old, reason=LOCKED)
    yield after.case("download", "What was decided is stored.", ("WP-2.8-QUERY",), Download(ALICE, 0, 9))
    single = story()
    voted = single.given(single.request(single.block(ALICE, pay(BOB, 1))))
    handed = voted.given(voted.certificate(voted.block(ALICE, AddOwner(voted.key("carol")))))
    yield handed.case("reset-by-change", "Also with one owner.", clauses, AskRounds(ALICE))


def owners_changed() -> Iterator[Case]:
    """Yield what a change of owners means for the next block: it is there from then on."""
    clauses = ("WP-2.9-CHANGE-OWNERS", "WP-2.9-OWNERS")
    single = story()
    joined = single.extended(ALICE, AddOwner(single.key("carol")))
    block = joined.block(ALICE, pay(BOB, 1))
    for who, reason in (("alice", None), ("carol", None), ("bob", Reason.INVALID_OWNER)):
        request = joined.request(block, who, 2)
        yield joined.case(
            f"joined-{who}", "From the next block on, owners propose in rounds.", clauses, request, reason=reason
        )
    yield joined.case("joined-info", "Both own the chain.", clauses, Info(ALICE))
    yield joined.case("joined-lock", "And validated certificates count.", clauses, joined.validated(block, 2))
    own = single.extended(ALICE, AddOwner(single.key("alice")))
    again = own.block(ALICE, pay(BOB, 2))
    why = "An owner who joins alone can interrupt safely."
    alone = (own.request(own.block(ALICE, pay(BOB, 1))), own.request(again, round=1))
    yield own.case("joined-alone", why, ("WP-2.9-INTERRUPT", *clauses), *alone)
    both = shared()
    for name, change, allowed in (
        ("removed", RemoveOwner(both.key("carol")), {"alice": 1}),
        ("single-again", ChangeKey(both.key("carol")), {"carol": 0}),
        ("third", AddOwner(both.key("bob")), {"alice": 1, "carol": 1, "bob": 1}),
    ):
        after = both.extended(ALICE, change)
        block = after.block(ALICE, pay(BOB, 1))
        for who, round_ in product(("alice", "carol", "bob"), (0, 1)):
            kind = None if round_ <= allowed.get(who, -1) else Reason.INVALID_BLOCK_PROPOSAL
            reason = kind if who in allowed else Reason.INVALID_OWNER
            request = after.request(block, who, round_)
            yield after.case(
                f"{name}-{who}-{round_}", "Who may propose, and in which round.", clauses, request, reason=reason
            )
        yield after.case(f"{name}-info", "Who owns the chain.", clauses, Info(ALICE))
    stale = both.given(both.request(both.block(ALICE, pay(BOB, 1)), "carol"))
    stale = stale.given(stale.certificate(stale.block(ALICE, RemoveOwner(both.key("carol")))))
    request = stale.request(stale.block(ALICE), "carol", 3)
    yield stale.case("removed-late", "Who left proposes nothing more.", clauses, request, reason=Reason.INVALID_OWNER)
    yield from genesis_owners()


def genesis_owners() -> Iterator[Case]:
    """Yield owners from the start."""
    told, clauses = story(), ("WP-2.9-OWNERS", "WP-2.4-GENESIS")
    empty = Owners(set_of())
    for name, owner, chain_id, reason in (
        ("two", Owners(set_of(told.key("alice"), told.key("carol"))), ALICE, None),
        ("one", Owners(set_of(told.key("alice"))), ALICE, None),
        ("none", empty, ALICE, Reason.EMPTY_OWNER_SET),
        ("none-below-another", empty, (1, 1), Reason.GENESIS_NOT_PREFIX_FREE),
        ("none-of-no-identifier", empty, (), Reason.INVALID_IDENTIFIER),
    ):
        chains = (GenesisChain(chain_id, owner, told.genesis.chains[0].state), told.genesis.chains[1])
        made = evolve(told, genesis=Genesis(told.context.committee, chains))
        faults = (reason, Reason.EMPTY_OWNER_SET) if reason and reason is not Reason.EMPTY_OWNER_SET else ()
        why = "Owners from the start are not nobody."
        yield made.case(f"genesis-owners-{name}", why, clauses, Info(ALICE), reason=reason, faults=faults)


def restarts() -> Iterator[Case]:
    """Yield what a validator does after a crash: what it would have done."""
    told, clauses = shared(), ("WP-2.9-DURABLE",)
    mine, rival = pair(told)
    voted = told.given(told.request(mine, round=1))
    held = voted.given(told.validated(mine, 1))
    mail = told.extended(BOB, pay(ALICE, 1)).extended(
        ALICE, pay(BOB, 1), Receive(Message(STRANGE, 0, 0, NOWHERE, credit(1)))
    )
    for name, at in (("new", told), ("voted", voted), ("locked", held), ("mail", mail), ("settled", mail.settled())):
        yield at.case(f"restart-{name}", "A crash changes nothing.", clauses, Crash(ALICE))
        yield at.case(f"restart-{name}-rounds", "Nor what is shown.", clauses, Crash(ALICE), AskRounds(ALICE))
        chain = at.chain(ALICE)
        arguments = {"chain": chain}
        what, why = "restart_chain", "What is derived is derived again."
        yield Case(
            name=f"restart-chain-{name}",
            sentence=why,
            clauses=clauses,
            operation=what,
            arguments=arguments,
            gives=chain,
        )
    for name, at, item, reason in (
        ("voted-again", voted, told.request(mine, round=1), None),
        ("voted-rival", voted, told.request(rival, round=1), LOW),
        ("locked-rival", held, told.request(rival, round=2), LOCKED),
        ("locked-again", held, told.validated(mine, 1), None),
        ("locked-relock", held, told.validated(rival, 1), LOCKED),
        (
            "mail-next",
            mail.settled(),
            mail.settled().request(mail.settled().block(ALICE)),
            Reason.MISSING_CROSS_CHAIN_UPDATE,
        ),
    ):
        yield at.case(f"after-restart-{name}", "Votes and locks are kept.", clauses, Crash(ALICE), item, reason=reason)
    view = mail.chain(ALICE)
    lost = evolve(view, localized=evolve(view.localized, owing=set_of((7,)), counters=Map({9: 3})))
    arguments = {"chain": lost}
    why = "Owed messages and counters are found again, whatever was kept of them."
    yield Case(
        name="restart-chain-derived",
        sentence=why,
        clauses=clauses,
        operation="restart_chain",
        arguments=arguments,
        gives=view,
    )
    sent = mail.extended(ALICE, pay(BOB, 2), pay((2,), 1)).extended(ALICE, pay(BOB, 2)).chain(ALICE)
    why = "A height is counted once for each recipient that waits for it."
    arguments = {"chain": evolve(sent, localized=evolve(sent.localized, counters=Map()))}
    yield Case(
        name="restart-chain-counters",
        sentence=why,
        clauses=clauses,
        operation="restart_chain",
        arguments=arguments,
        gives=sent,
    )
    single = story()
    single = single.given(single.request(single.block(ALICE, pay(BOB, 1))))
    other = single.request(single.block(ALICE, pay(BOB, 2)))
    first = Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST
    yield single.case("after-restart-single", "With one owner, too.", clauses, Crash(BOB), other, reason=first)


def interrupted_runs() -> Iterator[Case]:
    """Yield runs of one validator in which owners interrupt and finish each other's blocks."""
    told = shared()
    mine, rival = pair(told)
    clauses = ("WP-2.9-INTERRUPT", "WP-2.9-REPROPOSE", "WP-2.9-FINISH", "WP-2.9-DELEGATE")
    begun = (told.request(mine), told.request(rival, "carol", 1), told.validated(rival, 1))
    finished = told.certificate(rival, round=1)
    why = "Carol's block overtakes alice's, which was not validated."
    yield told.case("run-overtaken", why, clauses, *begun, finished, AskRounds(ALICE), Info(ALICE))
    taken = (told.request(mine), told.validated(mine), told.request(mine, "carol", 1, told.validated(mine)))
    again = (told.validated(mine, 1), told.certificate(mine, round=1))
    yield told.case(
        "run-finished", "Carol finishes alice's block.", clauses, *taken, *again, AskRounds(ALICE), Info(ALICE)
    )
    late = (told.validated(mine), told.request(mine, round=1), told.request(rival, "carol", 2))
    yield told.case("run-too-late", "Alice's block is locked: carol must finish it.", clauses, *late, reason=LOCKED)
    why = "Alice releases carol's lock with a later one."
    rows = (told.validated(rival, 1), told.request(mine, "alice", 3, told.validated(mine, 2)), told.validated(mine, 3))
    yield told.case("run-released", why, clauses, *rows, told.certificate(mine, round=3), Info(ALICE))
    charges = ("WP-2.9-ACCOUNTABILITY", "WP-2.9-FINAL-VOTE")
    why = "What a validator signed in each round can be told from its answers: one value to validate, one to confirm."
    signed = (told.request(mine), told.validated(mine), told.request(rival, "carol", 2, told.validated(rival, 1)))
    yield told.case("run-signed", why, charges, *signed, told.validated(rival, 2), AskRounds(ALICE))

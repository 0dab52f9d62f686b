"""The rules of owners and rounds one by one, as functions of what a node remembers (sections 2.9 and 4.6)."""

from collections.abc import Iterator
from itertools import chain, combinations, product
from typing import Any

from attrs import evolve

from linera_invariants.vectors.model import Case
from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Certificate, Kind
from linera_reference.notation import MAX_U32
from linera_reference.ownership import Owner, Owners
from linera_reference.rejections import Reason
from linera_reference.request import Request
from linera_reference.rounds import Rounds
from linera_reference.validator import RoundInfo

from .stories import Story, owner_of, story, word
from .support import CLOSING, EXECUTED, caller, digest, enumerated, key, set_of
from .voters import certificate_with

ABOUT = "The rules of chains with several owners one by one: owners, turns, rounds, locks, votes, free rounds."

OWNERS = ("WP-2.9-OWNERS",)
NAMES = ("alice", "carol", "dora")
MEMBERS = {"nobody": (), "alice": NAMES[:1], "alice-alone": NAMES[:1], "two": NAMES[:2], "three": NAMES}
"""Kinds of owners by name, and who they are."""
OWNER: dict[str, Owner | None] = {
    name: None if name == "nobody" else owner_of("+".join(keys) + ("" if name == "alice" else "+"), "ideal")
    for name, keys in MEMBERS.items()
}
LOW, LOCKED = Reason.INSUFFICIENT_ROUND, Reason.HAS_LOCKED_BLOCK
OTHER = evolve(CLOSING, transactions=())
BLOCKS = {"mine": CLOSING, "rival": OTHER}
EXECUTIONS = {name: evolve(EXECUTED, block=block) for name, block in BLOCKS.items()}
State = tuple[str, int] | None
"""The block and the round of a vote or of a lock, if there is one."""
WHO = Owners(set_of(key("alice"), key("carol")))


def cases() -> Iterator[Case]:
    """Yield the cases of each rule."""
    yield from owners()
    yield from changed_owners()
    yield from chosen()
    yield from current()
    yield from proposals()
    yield from every_proposal()
    yield from locks()
    yield from every_lock()
    yield from ballots()
    yield from kinds()
    yield from free_rounds()
    yield from check_validated()


# --- Owners ------------------------------------------------------------------------------------------------------


def owners() -> Iterator[Case]:
    """Yield who owns a chain."""
    keys_of, owns, check = (caller(name, *OWNERS) for name in ("keys_of", "owns", "check_owner"))
    for name, owner in OWNER.items():
        yield enumerated(keys_of(f"keys-of-{name}", "The keys that own a chain.", owner=owner))
        for who in (*NAMES, "stranger"):
            yield enumerated(owns(f"owns-{name}-{who}", "Whether a key is an owner's.", owner=owner, key=key(who)))
        if owner is not None:
            yield check(f"check-owner-{name}", "One key, or a set that is not empty.", owner=owner)
    empty = Owners(set_of())
    yield check("check-owner-empty", "Somebody owns the chain.", Reason.EMPTY_OWNER_SET, owner=empty)


def changed_owners() -> Iterator[Case]:
    """Yield who owns a chain after one joined or left."""
    clauses = ("WP-2.9-CHANGE-OWNERS",)
    join, leave = caller("add_owner", *clauses), caller("remove_owner", *clauses)
    for name, owner in OWNER.items():
        keys = [
            who for who in NAMES if owner == key(who) or (isinstance(owner, Owners) and owner.keys.contains(key(who)))
        ]
        for who in NAMES:
            after = owner_of("+".join({*keys, who}) + "+", "ideal")
            why = "Joining twice changes nothing more."
            yield join(f"add-{who}-to-{name}", why, owner=owner, key=key(who), gives_=after)
            rest = [other for other in keys if other != who]
            reason = Reason.UNKNOWN_OWNER if who not in keys else None if rest else Reason.EMPTY_OWNER_SET
            gives = {} if reason else {"gives_": owner_of("+".join(rest) + "+", "ideal")}
            why = "Who does not own the chain cannot leave, nor the last one."
            yield leave(f"remove-{who}-from-{name}", why, reason, owner=owner, key=key(who), **gives)


def chosen() -> Iterator[Case]:
    """Yield whom the application lets propose, for every small choice, and what a validator checks."""
    clauses = ("WP-4.6-PROPOSERS",)
    people = ("alice", "carol", "stranger")
    subsets = chain.from_iterable(combinations(people, count) for count in range(len(people) + 1))
    choices = {"all": None} | {"-".join(some) or "none": set_of(*map(key, some)) for some in subsets}
    ask, check = caller("may_propose", *clauses), caller("check_proposer", "WP-2.1-OWNER-PROPOSES", *clauses)
    for name, (choice, some), who in product(("nobody", "alice", "alice-alone", "two"), choices.items(), people):
        given = {"owner": OWNER[name], "chosen": some}
        label, why = (
            f"{name}-{choice}-{who}",
            "A choice without an owner is void, and a single owner is not restricted.",
        )
        yield enumerated(ask(f"may-propose-{label}", why, **given, key=key(who)))
        why = "The proposer owns the chain, and the application does not let others propose."
        yield enumerated(check(f"check-proposer-{label}", why, **given, proposer=key(who)))


# --- Proposals in rounds -----------------------------------------------------------------------------------------


def validated(name: str, round_: int, **changes: Any) -> Certificate:
    """Return a validated certificate that nobody verifies here."""
    return Certificate(evolve(EXECUTIONS[name], **changes), Kind.VALIDATED, round_, ((key("v1"), bytes(64)),))


def proposal(block: Block, round_: int, justification: Certificate | None = None) -> Request:
    """Return a request that nobody verifies here."""
    return Request(block, round_, key("alice"), bytes(64), justification)


def rounds_of(last: int = 0, locked: Certificate | None = None) -> Rounds:
    """Return what a node remembers."""
    return Rounds(last, locked)


def current() -> Iterator[Case]:
    """Yield the round in which a node is."""
    call, bind = caller("current_round", "WP-2.9-ROUND"), caller("binding_lock", "WP-2.9-JUSTIFICATION")
    for last, lock in product((0, 1, 2, MAX_U32), (None, 0, 1, 2, MAX_U32)):
        rounds = rounds_of(last, None if lock is None else validated("mine", lock))
        gives = max(last, lock or 0)
        name = f"current-round-{last}-{'no-lock' if lock is None else lock}"
        yield call(name, "The later of the last proposal and the lock.", rounds=rounds, gives_=gives)
    for lock, other in product((None, 0, 1, 2), (None, 0, 1, 2)):
        locked = None if lock is None else validated("mine", lock)
        justification = None if other is None else validated("rival", other)
        later = locked is None or (other is not None and lock is not None and other > lock)
        yield bind(
            f"binding-lock-{'none' if lock is None else lock}-{'none' if other is None else other}",
            "The later of lock and justification binds, the lock on ties.",
            rounds=rounds_of(0, locked),
            justification=justification,
            gives_=justification if later else locked,
        )


def proposals() -> Iterator[Case]:
    """Yield proposals and what speaks against them."""
    call = caller("accepted_before", "WP-2.9-PROPOSAL", "WP-2.9-ROUND")
    mine, none = EXECUTIONS["mine"], rounds_of()
    for name, pending, rounds, block, round_, reason in (
        ("first", None, none, CLOSING, 0, None),
        ("first-late", None, none, CLOSING, MAX_U32, None),
        ("again", mine, none, CLOSING, 0, None),
        ("again-last-round", mine, rounds_of(MAX_U32), CLOSING, MAX_U32, None),
        ("rival-same-round", mine, none, OTHER, 0, LOW),
        ("rival-next-round", mine, none, OTHER, 1, None),
        ("same-next-round", mine, none, CLOSING, 1, None),
        ("same-earlier-round", mine, rounds_of(2), CLOSING, 1, LOW),
        ("rival-last-round", mine, rounds_of(MAX_U32), OTHER, MAX_U32, LOW),
        ("rival-before-last-round", mine, rounds_of(MAX_U32 - 1), OTHER, MAX_U32, None),
    ):
        why = "Each round takes one proposal, later ones only, and the last again."
        yield call(f"accepted-{name}", why, reason, pending=pending, rounds=rounds, request=proposal(block, round_))
    call = caller("accepted_before", "WP-2.9-LOCK", "WP-2.9-JUSTIFICATION", "WP-2.9-REPROPOSE")
    lock: State
    just: State
    for name, lock, block, round_, just, reason in (
        ("locked-same", ("mine", 1), CLOSING, 2, None, None),
        ("locked-rival", ("mine", 1), OTHER, 2, None, LOCKED),
        ("locked-this-round", ("mine", 1), CLOSING, 1, None, LOCKED),
        ("locked-last-round", ("mine", MAX_U32), CLOSING, MAX_U32, None, LOCKED),
        ("released", ("mine", 1), OTHER, 3, ("rival", 2), None),
        ("released-in-the-round", ("mine", 1), OTHER, 2, ("rival", 2), LOCKED),
        ("tie", ("mine", 1), OTHER, 2, ("rival", 1), LOCKED),
        ("tie-same", ("mine", 1), CLOSING, 2, ("rival", 1), None),
        ("older-justification", ("mine", 1), OTHER, 2, ("rival", 0), LOCKED),
        ("justified-other-way", ("mine", 1), CLOSING, 3, ("rival", 2), LOCKED),
        ("justified-unlocked", None, CLOSING, 2, ("mine", 1), None),
        ("justification-binds", None, CLOSING, 2, ("rival", 1), LOCKED),
        ("justification-of-the-round", None, CLOSING, 2, ("mine", 2), LOCKED),
        ("justification-of-round-0", None, CLOSING, 0, ("mine", 0), LOCKED),
    ):
        locked, justification = (None if made is None else validated(*made) for made in (lock, just))
        request = proposal(block, round_, justification)
        why = "The lock holds until a later validated certificate speaks for the block."
        yield call(f"bound-{name}", why, reason, pending=None, rounds=rounds_of(0, locked), request=request)
    both = {"pending": mine, "rounds": rounds_of(2, validated("mine", 1))}
    why, faults = "The round of the last proposal comes first.", (LOW, LOCKED)
    yield call("bound-round-before-lock", why, LOW, **both, request=proposal(OTHER, 1), faults_=faults)
    same = evolve(mine, state_hash=digest("other state"))
    why = "A lock on another execution of the block speaks for the block."
    locked = evolve(validated("mine", 1), executed=same)
    yield call("bound-other-execution", why, pending=None, rounds=rounds_of(0, locked), request=proposal(CLOSING, 2))
    why = "The last proposal repeated is answered whatever the lock."
    again = {"pending": mine, "rounds": rounds_of(2, validated("rival", 2)), "gives_": mine}
    yield call("bound-again", why, **again, request=proposal(CLOSING, 2))
    yield call("bound-again-justified", why, **again, request=proposal(CLOSING, 2, validated("rival", 1)))


def every_proposal() -> Iterator[Case]:
    """Yield each proposal of a block in every small state of votes, locks and justifications."""
    call = caller("accepted_before", "WP-2.9-PROPOSAL", "WP-2.9-LOCK", "WP-2.9-JUSTIFICATION")
    places: list[State] = [None, *product(("mine", "rival"), (0, 1))]
    for pending, lock, just, round_ in product([*places, ("mine", 2), ("rival", 2)], places, places, (0, 1, 2)):
        locked, justification = (None if made is None else validated(*made) for made in (lock, just))
        yield enumerated(
            call(
                f"proposal-{_label(pending)}-{_label(lock)}-{_label(just)}-{round_}",
                "Last proposal, lock, justification, round of the request.",
                pending=None if pending is None else EXECUTIONS[pending[0]],
                rounds=rounds_of(0 if pending is None else pending[1], locked),
                request=proposal(CLOSING, round_, justification),
            )
        )


def _label(place: State) -> str:
    return "none" if place is None else f"{place[0]}{place[1]}"


# --- Locks and votes ---------------------------------------------------------------------------------------------


def locks() -> Iterator[Case]:
    """Yield validated certificates and the lock after them."""
    call = caller("lock_after", "WP-2.9-LOCK", "WP-2.9-VALIDATED")
    for name, rounds, certificate, reason in (
        ("first", rounds_of(), validated("mine", 0), None),
        ("last-round", rounds_of(MAX_U32), validated("mine", MAX_U32), None),
        ("below-last-round", rounds_of(MAX_U32), validated("mine", MAX_U32 - 1), LOW),
        ("again", rounds_of(1, validated("mine", 1)), validated("mine", 1), None),
        ("rival-same-round", rounds_of(1, validated("mine", 1)), validated("rival", 1), LOCKED),
        ("rival-later", rounds_of(1, validated("mine", 1)), validated("rival", 2), None),
        ("rival-earlier", rounds_of(0, validated("mine", 1)), validated("rival", 0), LOW),
        ("later-proposal", rounds_of(2, validated("mine", 1)), validated("mine", 1), LOW),
    ):
        why = "A lock of this round or later, on one executed block per round."
        yield call(f"lock-after-{name}", why, reason, rounds=rounds, certificate=certificate)
    genuine = validated("mine", 1)
    others = evolve(genuine, signatures=((key("v2"), bytes(64)),))
    why = "Other signatures say the same: the present lock stays."
    yield call("lock-after-same-other-signers", why, rounds=rounds_of(0, genuine), certificate=others, gives_=genuine)
    state = evolve(genuine, executed=evolve(genuine.executed, state_hash=digest("other state")))
    why = "Another execution of the same block is another executed block."
    yield call("lock-after-other-execution", why, LOCKED, rounds=rounds_of(0, genuine), certificate=state)
    why = "Both faults: the round comes first."
    both = {"rounds": rounds_of(3, validated("rival", 1)), "certificate": genuine}
    yield call("lock-after-round-before-rival", why, LOW, **both, faults_=(LOW, LOCKED))


def every_lock() -> Iterator[Case]:
    """Yield each validated certificate in every small state."""
    call = caller("lock_after", "WP-2.9-LOCK")
    places: list[State] = [None, *product(("mine", "rival"), (0, 1, 2))]
    for last, lock, round_ in product((0, 1, 2), places, (0, 1, 2)):
        rounds = rounds_of(last, None if lock is None else validated(*lock))
        name, why = f"locking-{last}-{_label(lock)}-{round_}", "Last round, lock, round of the certificate."
        yield enumerated(call(name, why, rounds=rounds, certificate=validated("mine", round_)))


def ballots() -> Iterator[Case]:
    """Yield what a node stands for."""
    call = caller("standing_ballot", "WP-2.9-FINAL-VOTE")
    for (name, owner), pending, last, lock in product(
        (("nobody", None), ("one", key("alice")), ("several", WHO)), (None, "mine"), (0, 1, 2), (None, 0, 1, 2)
    ):
        if pending is None and last > 0:
            continue
        executed = None if pending is None else EXECUTIONS[pending]
        rounds = rounds_of(last, None if lock is None else validated("rival", lock))
        label = f"{name}-{pending or 'nothing'}-{last}-{'none' if lock is None else lock}"
        why = "The lock of the current round, or else the last proposal."
        yield enumerated(call(f"standing-{label}", why, owner=owner, pending=executed, rounds=rounds))


def kinds() -> Iterator[Case]:
    """Yield which rule and which kind of vote belong to which owners."""
    ask, check = caller("proposal_kind", "WP-2.9-PROPOSAL"), caller("check_validated_kind", "WP-2.9-VALIDATED")
    for name, owner in OWNER.items():
        several = isinstance(owner, Owners)
        kind = Kind.VALIDATED if several else Kind.CONFIRMED
        yield ask(f"kind-{name}", "With one owner, a vote confirms at once.", owner=owner, gives_=kind)
        why, reason = "Only chains with several owners have validated blocks.", Reason.UNEXPECTED_CERTIFICATE_KIND
        yield check(f"check-kind-{name}", why, None if several else reason, owner=owner)
    call = caller("check_proposal", "WP-2.9-PROPOSAL", "WP-2.8-PENDING")
    single, pending = Reason.INVALID_BLOCK_PROPOSAL, Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST
    mine, justified = EXECUTIONS["mine"], proposal(CLOSING, 2, validated("mine", 1))
    for label, executed, request, one, several_ in (
        ("first", None, proposal(CLOSING, 0), None, None),
        ("again", mine, proposal(CLOSING, 0), None, None),
        ("rival", mine, proposal(OTHER, 0), pending, LOW),
        ("next-round", mine, proposal(OTHER, 1), single, None),
        ("justified", None, justified, single, None),
        ("justified-round-0", None, evolve(justified, round=0), single, LOCKED),
    ):
        for name, owner, wrong in (("one", key("alice"), one), ("several", WHO, several_), ("nobody", None, one)):
            why = "One owner has round 0 only; several have rounds."
            given = {"owner": owner, "pending": executed, "rounds": rounds_of(), "request": request}
            yield call(f"check-proposal-{label}-{name}", why, wrong, **given)


def free_rounds() -> Iterator[Case]:
    """Yield the first round that is free, as a node says or as its refusal tells."""
    ask, after = caller("first_free", "WP-2.9-CHOOSE-ROUND"), caller("first_free_after", "WP-2.9-CHOOSE-ROUND")
    for pending, last, lock in product((None, "mine"), (0, 2, MAX_U32), (None, 0, 2, 3, MAX_U32)):
        if pending is None and last > 0:
            continue
        rounds = rounds_of(last, None if lock is None else validated("rival", lock))
        executed: ExecutedBlock | None = None if pending is None else EXECUTIONS[pending]
        info = RoundInfo((0,), 3, executed, rounds)
        gives = 0 if pending is None and lock is None else max(last, lock or 0) + 1
        name = f"first-free-{pending or 'nothing'}-{last}-{'none' if lock is None else lock}"
        yield ask(name, "The round after all that a node accepted.", info=info, gives_=gives)
    for reason in Reason:
        for round_ in (None, 2):
            free = 3 if round_ is not None and reason in {LOW, LOCKED} else None
            name = f"free-after-{word(reason)}-{'nothing' if round_ is None else round_}"
            yield after(name, "What a refusal says of rounds.", reason=reason, round=round_, gives_=free)
    for round_, free in ((-1, None), (0, 1), (MAX_U32, MAX_U32 + 1), (MAX_U32 + 1, None)):
        name = f"free-after-detail-{round_}".replace("--", "-minus-")
        yield after(name, "A detail that is no round says nothing.", reason=LOW, round=round_, gives_=free)


# --- Validated certificates by themselves ------------------------------------------------------------------------

GUARDS = (
    Reason.UNEXPECTED_CERTIFICATE_KIND,
    Reason.CERTIFICATE_VALIDATOR_REUSE,
    Reason.INVALID_CERTIFICATE_SIGNER,
    Reason.CERTIFICATE_REQUIRES_QUORUM,
    Reason.INVALID_SIGNATURE,
)


def check_validated() -> Iterator[Case]:
    """Yield every fault and every two faults of a validated certificate."""
    told = story()
    good = told.executed(told.block((0,)))
    call = caller("check_validated", "WP-2.9-VALIDATED", "WP-2.2-CERTIFICATE", context=told.context)
    yield call("check-validated", "A quorum of votes to validate.", certificate=told.validated(good, 4))
    ideal: Story = story("ideal")
    of_ideal = ideal.validated(ideal.executed(ideal.block((0,))), 4)
    yield call("check-validated-ideal", "With ideal signatures.", context=ideal.context, certificate=of_ideal)
    for faults in (*((guard,) for guard in GUARDS), *combinations(GUARDS, 2)):
        name = f"check-validated-{'-before-'.join(map(word, faults))}"
        certificate = certificate_with(told, good, faults, Kind.VALIDATED, 4)
        more = faults if len(faults) > 1 else ()
        yield call(name, faults[0].sentence, faults[0], certificate=certificate, faults_=more)

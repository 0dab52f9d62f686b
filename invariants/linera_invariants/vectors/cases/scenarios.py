"""Runs of several steps: what the adversary can do, scenarios, runs of machines, attacks on broken variants.

A run is given to the network as a whole, and to each of its correct validators what it received.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from attrs import evolve
from immutables import Map

from linera_invariants.forgeries import flipped
from linera_invariants.scenarios import shipped_scenarios
from linera_invariants.vectors.model import Case
from linera_invariants.vectors.runs import ADVERSARY, RecordedRun, inputs_of, run_of_scenario, shipped_runs
from linera_reference.block import Block, CloseChain, OpenChain, Receive
from linera_reference.certificate import Certificate, Kind, VotePayload
from linera_reference.crypto import Signer
from linera_reference.network import Action, ArchiveChain, CastVote, Certify, Deliver, Network, Propose, Resend, Restart
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.rejections import Reason
from linera_reference.rules import QuorumRule, Rules

from .shared_chains import SHARED, pair
from .stories import ALICE, BOB, NOWHERE, Story, message, pay, spoiled, story
from .support import ended, signer

ABOUT = "Runs of several steps: scenarios, machines, attacks that must be refused, and what the adversary cannot do."

VALIDATORS = ("v1", "v2", "v3", "v4")


def cases() -> Iterator[Case]:
    """Yield the cases, simplest first."""
    yield from adversary()
    for path in shipped_scenarios():
        yield from of_run(path.stem, run_of_scenario(path))
    for name, run in shipped_runs():
        yield from of_run(name, run)


# --- Runs that are given -----------------------------------------------------------------------------------------


def of_run(name: str, run: RecordedRun) -> Iterator[Case]:
    """Yield a run as the network sees it, and as each of its correct validators does."""
    told: dict[str, Any] = {"sentence": f"{run.title.rstrip('.')}.", "clauses": run.clauses, "source": run.source}
    whole = {"network": run.network, "actions": run.actions}
    yield ended(Case(name=name, operation="run", arguments=whole, **told))
    for key, inputs in inputs_of(run):
        given = run.network
        arguments = {"context": given.context, "genesis": given.genesis, "signer": given.signers[key], "inputs": inputs}
        yield ended(Case(name=f"{name}-{run.names[key].lower()}", operation="replay", arguments=arguments, **told))


# --- What the adversary can do -----------------------------------------------------------------------------------


def network_of(told: Story, byzantine: tuple[str, ...] = ("v4",)) -> Network:
    """Return the network whose validators begin as a story does."""
    members = [name for name in VALIDATORS if told.key(name) in told.genesis.committee.weights]
    signers: dict[bytes, Signer] = {told.key(name): signer(name, told.scheme) for name in members}
    return Network(told.context, told.genesis, Map(signers), frozenset(map(told.key, byzantine)))


def acted(told: Story, name: str, why: str, *actions: Action, reason: Reason | None = None, **more: Any) -> Case:
    """Return a case of the network: actions in turn, the last of which is what the case is about."""
    arguments = {"network": network_of(told, **more), "actions": actions}
    return Case(
        name=f"adversary-{name}", sentence=why, clauses=ADVERSARY, operation="run", arguments=arguments, reason=reason
    )


def adversary() -> Iterator[Case]:
    """Yield what the network allows, and what it does not."""
    yield from proposals()
    yield from votes()
    yield from certificates()
    yield from arrivals()
    yield from internal()
    yield from archives()
    yield from in_rounds()


def everywhere(told: Story, item: Any, names: Iterable[str] = ("v1", "v2", "v3")) -> tuple[Action, ...]:
    """Return the deliveries of something to validators."""
    return tuple(Deliver(told.key(name), item) for name in names)


def keys(told: Story, *names: str) -> tuple[bytes, ...]:
    """Return the keys of some names."""
    return tuple(map(told.key, names))


NOT_ENABLED = Reason.ACTION_NOT_ENABLED


def proposals() -> Iterator[Case]:
    """Yield requests."""
    told = story()
    request = told.request(told.block(ALICE, pay(BOB, 1)))
    rival = told.request(told.block(ALICE, pay(BOB, 2)))
    other = told.request(told.block(ALICE), "bob")
    yield acted(told, "propose", "Anybody sends what its owner signed.", Propose(request))
    yield acted(told, "propose-again", "Once.", Propose(request), Propose(request))
    yield acted(told, "propose-rival", "An owner may sign two blocks.", Propose(request), Propose(rival))
    yield acted(told, "propose-stranger", "Or a block that is not its to sign.", Propose(other))
    yield acted(told, "propose-forged", "Nobody signs for another.", Propose(spoiled(request)), reason=NOT_ENABLED)
    yield acted(told, "deliver-request", "A validator votes.", Propose(request), *everywhere(told, request, ["v1"]))
    yield acted(
        told,
        "deliver-unsent",
        "What was not sent does not arrive.",
        *everywhere(told, request, ["v1"]),
        reason=NOT_ENABLED,
    )
    yield acted(
        told,
        "deliver-forged",
        "A forgery does, and is refused.",
        *everywhere(told, spoiled(request), ["v1"]),
        reason=Reason.INVALID_SIGNATURE,
    )
    yield acted(
        told,
        "deliver-rival",
        "Not two votes at a height.",
        Propose(request),
        Propose(rival),
        *everywhere(told, request, ["v1"]),
        *everywhere(told, rival, ["v1"]),
        reason=Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST,
    )
    for name in ("v4", "stranger"):
        yield acted(
            told,
            f"deliver-to-{name}",
            "Only correct validators handle inputs.",
            Propose(request),
            *everywhere(told, request, [name]),
            reason=NOT_ENABLED,
        )


def votes() -> Iterator[Case]:
    """Yield votes of Byzantine validators."""
    told = story()
    payload = VotePayload(Kind.CONFIRMED, NOWHERE, 0)
    cast = CastVote(told.key("v4"), payload)
    yield acted(told, "vote", "A Byzantine validator signs anything.", cast)
    yield acted(told, "vote-again", "Once.", cast, cast)
    yield acted(
        told,
        "vote-two",
        "Or twice at a height.",
        cast,
        evolve(cast, payload=evolve(payload, block_hash=bytes(31) + b"1")),
    )
    for name in ("v1", "stranger"):
        yield acted(
            told,
            f"vote-of-{name}",
            "Others do not sign at will.",
            evolve(cast, validator=told.key(name)),
            reason=NOT_ENABLED,
        )
    ideal = story("ideal")
    yield acted(ideal, "vote-ideal", "With ideal signatures.", CastVote(ideal.key("v4"), payload))


def certificates() -> Iterator[Case]:
    """Yield certificates: gathered from votes that were cast."""
    told = story()
    block = told.block(ALICE, pay(BOB, 1))
    executed, request = told.executed(block), told.request(block)
    payload = VotePayload(Kind.CONFIRMED, told.context.scheme.hash(executed), 0)
    voted = (Propose(request), *everywhere(told, request))
    byzantine = (*voted, CastVote(told.key("v4"), payload))
    reuse, signer_ = Reason.CERTIFICATE_VALIDATOR_REUSE, Reason.INVALID_CERTIFICATE_SIGNER
    for name, before, voters, reason in (
        ("quorum", voted, ("v1", "v2", "v3"), None),
        ("unsorted", voted, ("v3", "v1", "v2"), None),
        ("all", byzantine, VALIDATORS, None),
        ("with-byzantine", byzantine, ("v1", "v2", "v4"), None),
        ("too-few", voted, ("v1", "v2"), NOT_ENABLED),
        ("nobody", voted, (), NOT_ENABLED),
        ("not-cast", voted, ("v1", "v2", "v3", "v4"), NOT_ENABLED),
        ("stranger", voted, ("v1", "v2", "v3", "stranger"), NOT_ENABLED),
        ("repeated", voted, ("v1", "v2", "v3", "v1"), reuse),
        ("before-votes", (Propose(request),), ("v1", "v2", "v3"), NOT_ENABLED),
    ):
        yield acted(
            told,
            f"certify-{name}",
            "Votes that were cast make a certificate if they are a quorum.",
            *before,
            Certify(executed, keys(told, *voters)),
            reason=reason,
        )
    first, second = keys(told, "v1", "v2", "v3"), keys(told, *VALIDATORS)
    yield acted(
        told,
        "certify-again",
        "Certificates on one block are identified: the first stays.",
        *byzantine,
        Certify(executed, first),
        Certify(executed, second),
    )
    yield from thresholds()
    weightless = story(weights=(1, 1, 1, 0))
    vote = CastVote(weightless.key("v4"), payload)
    yield acted(
        weightless,
        "certify-weightless",
        "A signer without voting rights.",
        *voted,
        vote,
        Certify(executed, second),
        reason=signer_,
    )


def thresholds() -> Iterator[Case]:
    """Yield a certificate that only one of the quorum rules allows."""
    for rules, reason in ((Rules(), NOT_ENABLED), (Rules(QuorumRule.HALF_WAY), None)):
        told = story("ed25519", rules, weights=(3, 2, 1))
        block = told.block(ALICE)
        actions = (Propose(told.request(block)), *everywhere(told, told.request(block), ["v1", "v3"]))
        certify = Certify(told.executed(block), keys(told, "v1", "v3"))
        yield acted(
            told,
            f"certify-{rules.quorum.name.lower().replace('_', '-')}",
            "Voting rights 3, 2, 1.",
            *actions,
            certify,
            reason=reason,
            byzantine=(),
        )


def certified(told: Story, block: Any, owner: str = "alice") -> tuple[tuple[Action, ...], Certificate]:
    """Return the actions that certify a block, and the certificate."""
    request, certificate = told.request(block, owner), told.certificate(block)
    certificate = evolve(certificate, signatures=tuple(sorted(certificate.signatures)))
    voters = keys(told, "v1", "v2", "v3")
    return (Propose(request), *everywhere(told, request), Certify(certificate.executed, voters)), certificate


def arrivals() -> Iterator[Case]:
    """Yield certificates on their way to a validator."""
    told = story()
    actions, certificate = certified(told, told.block(ALICE, pay(BOB, 1)))
    genuine = told.certificate(certificate.executed, VALIDATORS)
    fake = (*certificate.signatures, (told.key("v4"), flipped(genuine.signatures[-1][1])))
    for name, item, reason in (
        ("formed", certificate, None),
        ("reordered", evolve(certificate, signatures=certificate.signatures[::-1]), None),
        ("too-few", evolve(certificate, signatures=certificate.signatures[:2]), Reason.CERTIFICATE_REQUIRES_QUORUM),
        ("unsigned", evolve(certificate, signatures=()), Reason.CERTIFICATE_REQUIRES_QUORUM),
        ("vote-not-cast", genuine, NOT_ENABLED),
        ("fake-vote", evolve(certificate, signatures=fake), Reason.INVALID_SIGNATURE),
        ("other-round", evolve(certificate, round=1), Reason.INVALID_SIGNATURE),
    ):
        yield acted(
            told,
            f"arrive-{name}",
            "What holds only signatures that were made, or fakes, can arrive.",
            *actions,
            *everywhere(told, item, ["v1"]),
            reason=reason,
        )
    yield acted(
        told,
        "arrive-unformed",
        "Nobody formed it, but its votes were cast.",
        *actions[:-1],
        *everywhere(told, certificate, ["v2"]),
    )
    yield acted(told, "arrive-everywhere", "At every correct validator.", *actions, *everywhere(told, certificate))


def internal() -> Iterator[Case]:
    """Yield cross-chain requests: they stay inside a validator."""
    told = story()
    actions, certificate = certified(told, told.block(ALICE, pay(BOB, 1), OpenChain((0, 1), told.key("carol"))))
    at = [told.key(name) for name in ("v1", "v2")]
    base = (*actions, Deliver(at[0], certificate))
    update = UpdateRecipient(ALICE, BOB, (certificate,))
    answer = ConfirmUpdatedRecipient(ALICE, BOB, 0)
    for name, more, reason in (
        ("update", (Deliver(at[0], update),), None),
        ("update-again", (Deliver(at[0], update), Deliver(at[0], update)), None),
        ("update-unsent", (Deliver(at[0], evolve(update, recipient=(0, 1), sender=BOB)),), NOT_ENABLED),
        ("update-elsewhere", (Deliver(at[1], update),), NOT_ENABLED),
        ("answer", (Deliver(at[0], update), Deliver(at[0], answer)), None),
        ("answer-unsent", (Deliver(at[0], answer),), NOT_ENABLED),
        ("answer-elsewhere", (Deliver(at[0], update), Deliver(at[1], answer)), NOT_ENABLED),
        ("creation", (Deliver(at[0], evolve(update, recipient=(0, 1))),), None),
        ("resend", (Resend(at[0], ALICE),), None),
        ("resend-rest", (Deliver(at[0], update), Deliver(at[0], answer), Resend(at[0], ALICE)), None),
        ("resend-nothing", (Resend(at[0], BOB),), None),
        ("resend-elsewhere", (Resend(at[1], ALICE),), None),
        ("resend-byzantine", (Resend(told.key("v4"), ALICE),), NOT_ENABLED),
    ):
        yield acted(told, f"internal-{name}", "A validator delivers what it sent itself.", *base, *more, reason=reason)
    told_more = told.given(certificate)
    again, second = certified(told_more, told_more.block(ALICE, pay(BOB, 2)))
    yield acted(
        told,
        "internal-resend-second",
        "What is left of an outbox is sent for the first time.",
        *base,
        *everywhere(told, certificate, ["v2", "v3"]),
        *again,
        Deliver(at[0], update),
        Deliver(at[0], second),
        Deliver(at[0], answer),
        Resend(at[0], ALICE),
    )
    spent = told.given(certificate).settled()
    block = spent.block(BOB, Receive(message(certificate)))
    request = spent.request(block, "bob")
    yield acted(
        told,
        "internal-missing",
        "A validator without the mail does not vote.",
        *base,
        Deliver(at[0], update),
        Propose(request),
        Deliver(at[0], request),
        Deliver(at[1], request),
        reason=Reason.MISSING_CROSS_CHAIN_UPDATE,
    )


def archives() -> Iterator[Case]:
    """Yield tombstones at one validator."""
    told = story()
    actions, certificate = certified(told, told.block(ALICE, CloseChain()))
    done = (*actions, Deliver(told.key("v1"), certificate))
    for name, more, reason in (
        ("closed", (ArchiveChain(told.key("v1"), ALICE),), None),
        ("twice", (ArchiveChain(told.key("v1"), ALICE), ArchiveChain(told.key("v1"), ALICE)), None),
        ("open", (ArchiveChain(told.key("v1"), BOB),), Reason.CHAIN_NOT_CLOSED),
        ("elsewhere", (ArchiveChain(told.key("v2"), ALICE),), Reason.CHAIN_NOT_CLOSED),
        ("byzantine", (ArchiveChain(told.key("v4"), ALICE),), NOT_ENABLED),
        ("then-old", (ArchiveChain(told.key("v1"), ALICE), Deliver(told.key("v1"), certificate)), None),
    ):
        yield acted(
            told, f"archive-{name}", "A closed chain is archived where it is closed.", *done, *more, reason=reason
        )


def in_rounds() -> Iterator[Case]:
    """Yield runs on a chain with several owners: two certificates per block, crashes, votes in several rounds."""
    told = story(chains=SHARED)
    mine, rival = pair(told)
    executed, voters = told.executed(mine), keys(told, "v1", "v2", "v3")
    request, later = told.request(mine), told.request(rival, "carol", 1)
    lock = Certify(executed, voters, Kind.VALIDATED)
    formed = evolve(told.validated(executed), signatures=tuple(sorted(told.validated(executed).signatures)))
    proposed = (Propose(request), *everywhere(told, request))
    locked = (*proposed, lock, *everywhere(told, formed))
    confirm = Certify(executed, voters)
    other = Certify(told.executed(rival), voters, Kind.VALIDATED, 1)
    crash = Restart(told.key("v1"))
    byzantine = VotePayload(Kind.VALIDATED, told.context.scheme.hash(executed), 0)
    for name, actions, reason in (
        ("validated", (*proposed, lock), None),
        ("validated-again", (*proposed, lock, lock), None),
        (
            "validated-other-voters",
            (*proposed, CastVote(told.key("v4"), byzantine), lock, evolve(lock, voters=keys(told, *VALIDATORS))),
            None,
        ),
        ("validated-wrong-round", (*proposed, evolve(lock, round=1)), NOT_ENABLED),
        ("confirmed-too-early", (*proposed, confirm), NOT_ENABLED),
        ("locked", locked, None),
        ("decided", (*locked, confirm), None),
        ("decided-wrong-round", (*locked, evolve(confirm, round=1)), NOT_ENABLED),
        ("overtaken", (*proposed, Propose(later), *everywhere(told, later), other), None),
        ("too-late", (*locked, Propose(later), *everywhere(told, later)), Reason.HAS_LOCKED_BLOCK),
        ("arrive-validated", (*proposed, *everywhere(told, formed, ["v1"])), None),
        ("arrive-not-voted", (Propose(request), *everywhere(told, formed, ["v1"])), NOT_ENABLED),
        ("crash", (*locked, crash), None),
        (
            "crash-then-rival",
            (*locked, crash, Propose(later), *everywhere(told, later, ["v1"])),
            Reason.HAS_LOCKED_BLOCK,
        ),
        ("crash-byzantine", (Restart(told.key("v4")),), NOT_ENABLED),
        ("crash-stranger", (Restart(told.key("stranger")),), NOT_ENABLED),
        *justifications(told, mine, proposed, formed),
    ):
        clauses = ("WP-2.9-FINALISE", "WP-2.9-LATENCY", "WP-2.9-DURABLE", "WP-2.9-ACCOUNTABILITY")
        case = acted(
            told,
            f"rounds-{name}",
            "Votes to validate, then votes to confirm, each in its round.",
            *actions,
            reason=reason,
        )
        yield evolve(case, clauses=(*clauses, *case.clauses))


Row = tuple[str, tuple[Action, ...], Reason | None]


def justifications(told: Story, mine: Block, proposed: tuple[Action, ...], formed: Certificate) -> Iterator[Row]:
    """Yield requests with justifications: their votes were cast, or are fakes."""
    fake = evolve(formed, signatures=tuple((signer_, flipped(signature)) for signer_, signature in formed.signatures))
    for name, before, justification, proposable, answer in (
        ("cast", proposed, formed, None, None),
        ("not-cast", (), formed, NOT_ENABLED, NOT_ENABLED),
        ("fake", (), fake, None, Reason.INVALID_SIGNATURE),
    ):
        request = told.request(mine, "carol", 1, justification)
        yield f"justified-{name}", (*before, Propose(request)), proposable
        yield f"justified-{name}-arrives", (*before, Propose(request), *everywhere(told, request, ["v1"])), answer
        forged, refused = spoiled(request), Reason.INVALID_SIGNATURE if name != "not-cast" else NOT_ENABLED
        yield f"justified-{name}-forged", (*before, *everywhere(told, forged, ["v1"])), refused

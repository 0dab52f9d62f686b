"""The audit of one chain from public evidence (Claim 5)."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from attrs import evolve

from linera_invariants.forgeries import flipped
from linera_invariants.vectors.model import Case
from linera_reference.application import burn
from linera_reference.block import AddOwner, ChangeKey, CloseChain, Execute, OpenChain, Receive, RemoveOwner
from linera_reference.certificate import Certificate, Kind
from linera_reference.identifiers import ChainId
from linera_reference.messages import Create, Message, OutgoingMessage
from linera_reference.notation import MAX_U64
from linera_reference.rejections import Reason
from linera_reference.rules import QuorumRule, Rules

from .shared_chains import shared
from .stories import ALICE, BOB, NOWHERE, Story, credit, message, pay, story, word

ABOUT = "The audit of one chain: from certificates alone to its state, and what the evidence does not support."

CLAIM = ("WP-3.3-CLAIM-5",)
CHILD = (0, 0)


def cases() -> Iterator[Case]:
    """Yield the cases, simplest first."""
    yield from sound()
    yield from several_owners()
    yield from start_faults()
    yield from block_faults()
    yield from two_block_faults()
    yield from evidence_faults()
    yield from mail()
    yield from stages()


def audited(
    told: Story,
    name: str,
    why: str,
    *blocks: Certificate,
    evidence: tuple[Certificate, ...] = (),
    chain_id: ChainId = ALICE,
    origin: Any = None,
    **more: Any,
) -> Case:
    """Return a case of an audit; a chain of genesis starts as the configuration says."""
    found = [chain for chain in told.genesis.chains if chain.chain_id == chain_id]
    arguments = {
        "context": told.context,
        "chain_id": chain_id,
        "origin": origin or found[0],
        "blocks": blocks,
        "evidence": evidence,
    }
    return Case(name=name, sentence=why, clauses=CLAIM, operation="audit_chain", arguments=arguments, **more)


def blocks_of(told: Story, chain_id: ChainId = ALICE) -> tuple[Certificate, ...]:
    """Return the certificates of a chain."""
    return told.chain(chain_id).localized.certificates.since(0)


def family() -> Story:
    """Tell of a chain and its child, each with mail for the other and for itself."""
    told = story()
    told = told.extended(ALICE, OpenChain(CHILD, told.key("carol")), pay(CHILD, 5), pay(ALICE, 1)).settled()
    told = told.extended(CHILD, *told.waiting(CHILD), pay(ALICE, 2)).settled()
    told = (
        told.extended(ALICE, *told.waiting(ALICE)).extended(ALICE, pay(CHILD, 1), ChangeKey(told.key("bob"))).settled()
    )
    return told.extended(CHILD, *told.waiting(CHILD), CloseChain())


def sound() -> Iterator[Case]:
    """Yield chains whose evidence supports them."""
    told = family()
    alice, child = blocks_of(told), blocks_of(told, CHILD)
    yield audited(told, "no-blocks", "A chain before its first block.")
    yield audited(
        told, "genesis-chain", "A chain of genesis with mail from its child and itself.", *alice, evidence=child
    )
    yield audited(
        told,
        "created-chain",
        "A created chain, closed in the end.",
        *child,
        evidence=alice,
        chain_id=CHILD,
        origin=alice[0],
    )
    yield audited(told, "backwards-evidence", "Evidence in any order.", *alice, evidence=child[::-1])
    yield audited(told, "repeated-evidence", "Evidence twice.", *alice, evidence=(*child, *child, *alice))
    yield audited(told, "part-of-a-chain", "Its first blocks.", alice[0])
    yield audited(told, "more-evidence", "Mail that is not consumed waits.", alice[0], evidence=child)
    yield audited(told, "created-no-blocks", "A created chain before its first block.", chain_id=CHILD, origin=alice[0])
    full = evolve(told, context=evolve(told.context, tracks_inactive=True))
    yield audited(full, "by-a-client", "An audit does not depend on the node.", *alice, evidence=child)
    ideal = story("ideal").extended(ALICE, pay(ALICE, 1)).settled()
    ideal = ideal.extended(ALICE, *ideal.waiting(ALICE))
    yield audited(ideal, "ideal", "With ideal signatures.", *blocks_of(ideal))
    half = story("ed25519", Rules(QuorumRule.HALF_WAY), weights=(3, 2, 1))
    weak = half.certificate(half.block(ALICE), ("v1", "v3"))
    yield audited(half, "half-way", "The other quorum rule.", weak)
    strict = story(weights=(3, 2, 1))
    yield audited(strict, "not-half-way", "Not a quorum of N - f.", weak, reason=Reason.CERTIFICATE_REQUIRES_QUORUM)


def several_owners() -> Iterator[Case]:
    """Yield chains with several owners: rounds do not matter once a block is confirmed."""
    told = shared()
    told = told.given(told.certificate(told.block(ALICE, pay(ALICE, 1)), round=4))
    told = told.extended(ALICE, AddOwner(told.key("dora")), RemoveOwner(told.key("alice")))
    told = told.given(told.certificate(told.block(ALICE, ChangeKey(told.key("bob"))), round=1))
    first, *rest = blocks_of(told)
    why = "Confirmed in whatever round, under whatever owners."
    for count in range(len(rest) + 1):
        yield audited(told, f"several-owners-{count + 1}", why, first, *rest[:count])
    validated, kind = told.validated(rest[0].executed, 4), Reason.UNEXPECTED_CERTIFICATE_KIND
    why = "A validated block may never be decided."
    yield audited(told, "several-owners-validated", why, first, validated, reason=kind)
    yield audited(told, "several-owners-validated-evidence", why, first, evidence=(validated,), reason=kind)


def start_faults() -> Iterator[Case]:
    """Yield chains that the origin does not create."""
    told, wrong = family(), Reason.NOT_A_PROOF_OF_CREATION
    alice, child = blocks_of(told), blocks_of(told, CHILD)
    bob = told.genesis.chains[1]
    yield audited(told, "other-genesis", "The configuration of another chain.", *alice, origin=bob, reason=wrong)
    yield audited(
        told,
        "genesis-of-parent",
        "A child is not its parent.",
        chain_id=CHILD,
        origin=told.genesis.chains[0],
        reason=wrong,
    )
    yield audited(
        told, "other-proof", "A block that creates nothing.", *child, chain_id=CHILD, origin=alice[1], reason=wrong
    )
    yield audited(
        told, "proof-of-genesis", "A chain of one number has no parent.", *alice, origin=alice[0], reason=wrong
    )
    for reason, bad in faulty(told, alice[0]):
        yield audited(
            told,
            f"origin-{word(reason)}",
            f"The proof of creation: {reason.sentence}",
            *child,
            chain_id=CHILD,
            origin=bad,
            reason=reason,
        )
    create = evolve(alice[0].executed, block=evolve(alice[0].executed.block, height=7))
    yield audited(
        told,
        "created-later",
        "The height of the creating block is part of the chain.",
        chain_id=CHILD,
        origin=told.certificate(create),
    )


def faulty(told: Story, good: Certificate) -> Iterator[tuple[Reason, Certificate]]:
    """Yield a certificate with each fault that shows without any state."""
    executed = good.executed
    (signer, signature), *rest = good.signatures
    yield Reason.UNEXPECTED_CERTIFICATE_KIND, told.certificate(executed, kind=Kind.VALIDATED)
    yield Reason.CERTIFICATE_VALIDATOR_REUSE, told.certificate(executed, ("v1", "v2", "v3", "v1"))
    yield Reason.INVALID_CERTIFICATE_SIGNER, told.certificate(executed, ("v1", "v2", "v3", "stranger"))
    yield Reason.CERTIFICATE_REQUIRES_QUORUM, told.certificate(executed, ("v1", "v2"))
    yield Reason.INVALID_SIGNATURE, evolve(good, signatures=((signer, flipped(signature)), *rest))


def block_faults() -> Iterator[Case]:
    """Yield blocks that do not extend the chain."""
    told = story().extended(ALICE, pay(BOB, 1)).extended(ALICE, pay(BOB, 1)).extended(BOB)
    first, second = blocks_of(told)
    missing = Reason.MISSING_EARLIER_BLOCKS
    for name, blocks in (
        ("second-only", (second,)),
        ("swapped", (second, first)),
        ("repeated", (first, first)),
        ("other-chain", (told.sent(BOB),)),
        ("other-chain-second", (first, told.sent(BOB))),
    ):
        yield audited(told, f"blocks-{name}", "The next block of the chain is expected.", *blocks, reason=missing)
    end = told.extended(ALICE, CloseChain())
    after = end.certificate(evolve(second.executed, block=end.block(ALICE)))
    yield audited(
        told, "after-closing", "Nothing follows the closing.", *blocks_of(end), after, reason=Reason.CHAIN_CLOSED
    )
    for reason, bad in (*faulty(told, second), *wrong_blocks(told, second)):
        yield audited(told, f"block-{word(reason)}", f"A block: {reason.sentence}", first, bad, reason=reason)


def wrong_blocks(told: Story, good: Certificate) -> Iterator[tuple[Reason, Certificate]]:
    """Yield a certified block of the second height with each fault that shows in the execution."""
    executed = good.executed
    changed = evolve(executed.block, previous_hash=NOWHERE)
    yield Reason.INVALID_BLOCK_CHAINING, told.certificate(evolve(executed, block=changed))
    costly = evolve(executed.block, transactions=(Execute(burn(100)),))
    yield Reason.INSUFFICIENT_FUNDING, told.certificate(evolve(executed, block=costly))
    yield Reason.INCORRECT_MESSAGES, told.certificate(evolve(executed, messages=()))
    yield Reason.INCORRECT_STATE_HASH, told.certificate(evolve(executed, state_hash=NOWHERE))


def two_block_faults() -> Iterator[Case]:
    """Yield two faults: those of the start come first, then those of the blocks in order, then of the evidence."""
    told = story().extended(ALICE, pay(BOB, 1)).extended(ALICE, pay(BOB, 1))
    first, second = blocks_of(told)
    found = [*faulty(told, second), *wrong_blocks(told, second)]
    for (one, bad), (other, worse) in combinations(found, 2):
        yield audited(
            told,
            f"{word(one)}-before-{word(other)}",
            "The first bad block speaks.",
            first,
            bad,
            worse,
            reason=one,
            faults=(one, Reason.MISSING_EARLIER_BLOCKS, other),
        )
    for reason, bad in faulty(told, first):
        yield audited(
            told,
            f"block-before-evidence-{word(reason)}",
            "The blocks come before the evidence.",
            second,
            evidence=(bad,),
            reason=Reason.MISSING_EARLIER_BLOCKS,
            faults=(Reason.MISSING_EARLIER_BLOCKS, reason),
        )


def evidence_faults() -> Iterator[Case]:
    """Yield certificates of senders that are no evidence."""
    told = story().extended(BOB, pay(ALICE, 1)).settled()
    told = told.extended(ALICE, *told.waiting(ALICE))
    (block,), (sent,) = blocks_of(told), blocks_of(told, BOB)
    for reason, bad in faulty(told, sent):
        yield audited(
            told, f"evidence-{word(reason)}", f"Evidence: {reason.sentence}", block, evidence=(bad,), reason=reason
        )
        yield audited(
            told,
            f"evidence-second-{word(reason)}",
            f"Evidence: {reason.sentence}",
            block,
            evidence=(sent, bad),
            reason=reason,
        )
    rival = told.certificate(evolve(sent.executed, state_hash=NOWHERE))
    own = told.certificate(evolve(block.executed, state_hash=NOWHERE))
    conflict = Reason.CONFLICTING_CERTIFICATES
    yield audited(
        told,
        "conflict",
        "Two certified blocks of a sender in one place.",
        block,
        evidence=(sent, rival),
        reason=conflict,
    )
    yield audited(
        told,
        "conflict-own",
        "A certified block of the chain itself in a place that is taken.",
        block,
        evidence=(sent, own),
        reason=conflict,
    )
    twin = told.certificate(sent.executed, ("v2", "v3", "v4"))
    yield audited(told, "twin", "Other signatures on the same block are no conflict.", block, evidence=(sent, twin))
    ahead = told.certificate(evolve(block.executed, block=evolve(block.executed.block, height=1)))
    yield audited(
        told, "own-future", "A later block of the chain itself is evidence, too.", block, evidence=(sent, ahead)
    )


def mail() -> Iterator[Case]:
    """Yield consumed messages that the evidence does not show, or shows otherwise."""
    told = story().extended(BOB, pay(ALICE, 1), pay(ALICE, 2)).extended(BOB, pay(ALICE, 3))
    sent, later = blocks_of(told, BOB)
    one, two, three = message(sent), message(sent, 1), message(later)
    missing, unsent = Reason.MISSING_CROSS_CHAIN_UPDATE, Reason.UNSENT_MESSAGE
    elsewhere = evolve(one, origin=(7,))
    for name, consumed, evidence, reason in (
        ("no-evidence", (one,), (), missing),
        ("no-evidence-two", (one, three, elsewhere), (), missing),
        ("half-the-evidence", (one, three), (sent,), missing),
        ("other-half", (one, three), (later,), missing),
        ("all-the-evidence", (one, two, three), (sent, later), None),
        ("skipping", (two, three), (sent, later), None),
        ("last-only", (three,), (sent, later), None),
        ("last-only-without-the-first", (three,), (later,), None),
        ("amount", (evolve(one, content=credit(9)),), (sent,), unsent),
        ("hash", (evolve(one, block_hash=NOWHERE),), (sent,), unsent),
        ("index", (evolve(one, index=5),), (sent,), unsent),
        ("index-later-block", (evolve(one, index=5),), (sent, later), unsent),
        ("second-amount", (one, evolve(two, content=credit(9))), (sent,), unsent),
        ("made-up-height", (evolve(one, height=5),), (sent, later), missing),
        ("made-up-between", (one, evolve(two, index=4), three), (sent, later), unsent),
        ("missing-and-unsent", (elsewhere, evolve(two, index=4)), (sent,), unsent),
        ("missing-then-later", (evolve(three, height=5), elsewhere), (sent, later), missing),
        ("first-block-passed-over", (one, three), (later, sent), None),
        ("unknown-passed-over", (one,), (later,), missing),
        ("unknown-passed-over-index", (two,), (later,), missing),
    ):
        block = told.certificate(told.block(ALICE, *map(Receive, consumed)))
        faults = (unsent, missing) if name == "missing-and-unsent" else ()
        why = "Every consumed message is in the evidence." if reason is None else reason.sentence
        yield audited(told, f"mail-{name}", why, block, evidence=evidence, reason=reason, faults=faults)
    own = story().extended(ALICE, pay(ALICE, 4)).settled()
    forged = evolve(own.waiting(ALICE)[0].message, content=credit(5))
    start = story().extended(ALICE, pay(ALICE, 4))
    wrong = start.extended(ALICE, Receive(forged))
    yield audited(
        wrong, "mail-to-itself-other", "The chain's own blocks are evidence.", *blocks_of(wrong), reason=unsent
    )
    never = start.extended(ALICE, Receive(evolve(forged, index=3)))
    yield audited(never, "mail-to-itself-never", "Its own block did not send it.", *blocks_of(never), reason=unsent)
    quiet = story().extended(ALICE)
    silent = quiet.extended(ALICE, Receive(evolve(forged, block_hash=NOWHERE)))
    yield audited(
        silent, "mail-to-itself-silent", "A block without mail is known, too.", *blocks_of(silent), reason=unsent
    )
    yield crowd_unsent()
    last = evolve(sent.executed, block=evolve(sent.executed.block, height=MAX_U64))
    two_last = (told.certificate(last), told.certificate(last))
    yield audited(
        told, "last-height", "Evidence of the last height has no next one.", evidence=two_last, reason=Reason.ARITHMETIC
    )


def crowd_unsent() -> Case:
    """Return an audit of a block that received from many chains what they did not send: the first origin is named."""
    origins = [(number * number,) for number in range(1, 9)]
    told = story("ideal", chains={"alice": (ALICE, 5)})
    made_up = [Message(origin, 0, 0, NOWHERE, credit(1)) for origin in reversed(origins)]
    blank = told.executed(told.block(ALICE))
    silent = [told.certificate(evolve(blank, block=evolve(blank.block, chain_id=origin))) for origin in origins]
    block = told.certificate(told.block(ALICE, *map(Receive, made_up)))
    why = "Of several messages that were never sent, that of the first origin is named."
    return audited(told, "mail-unsent-order", why, block, evidence=tuple(silent), reason=Reason.UNSENT_MESSAGE)


def stages() -> Iterator[Case]:
    """Yield what creation and other mail do to the chain that is audited."""
    told = family()
    alice, child = blocks_of(told), blocks_of(told, CHILD)
    again = (OutgoingMessage(CHILD, Create(told.key("bob"))),)
    recreating = told.certificate(
        evolve(alice[0].executed, block=evolve(alice[0].executed.block, height=9), messages=again)
    )
    yield audited(
        told,
        "created-again",
        "A second creation is mail like any other here.",
        *child,
        evidence=(*alice, recreating),
        chain_id=CHILD,
        origin=alice[0],
    )
    yield audited(
        told,
        "without-the-creation",
        "The proof of creation is not evidence by itself.",
        *child,
        evidence=alice[1:],
        chain_id=CHILD,
        origin=alice[0],
        reason=Reason.MISSING_CROSS_CHAIN_UPDATE,
    )

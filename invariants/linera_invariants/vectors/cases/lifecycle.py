"""The life of a chain: genesis, creation and its proof, key change, closing, archiving (section 2.4)."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from attrs import evolve

from linera_invariants.vectors.model import Case
from linera_invariants.vectors.replay import Archive, Download, Info, IsDelivered, ReceivedSince, SendAgain
from linera_reference.application import Balance
from linera_reference.block import ChangeKey, CloseChain, OpenChain
from linera_reference.certificate import Certificate
from linera_reference.identifiers import K_MAX, ChainId
from linera_reference.messages import Create, OutgoingMessage
from linera_reference.notation import MAX_U64
from linera_reference.outbox import ConfirmUpdatedRecipient
from linera_reference.rejections import Reason
from linera_reference.validator import Genesis, GenesisChain

from .stories import ALICE, BOB, STRANGE, Story, credit, pay, story, word
from .voters import certificate_with

ABOUT = "The life of a chain: genesis, creation and its proof, another owner, closing, the tombstone."

CHILD = (0, 0)
PROOF = ("WP-2.4-CREATION-PROOF",)


def cases() -> Iterator[Case]:
    """Yield the cases, simplest first."""
    yield from genesis()
    yield from created()
    yield from proofs()
    yield from proof_faults()
    yield from handed_over()
    yield from closed()
    yield from archived()


def genesis() -> Iterator[Case]:
    """Yield what can be a genesis configuration."""
    told = story()
    for name, ids, reason in (
        ("none", (), None),
        ("siblings", ((0,), (1,)), None),
        ("deep", ((0, 1), (0, 2), (1, 0, 5)), None),
        ("longest", ((7,) * K_MAX,), None),
        ("largest", ((MAX_U64,),), None),
        ("twice", ((0,), (0,)), Reason.GENESIS_NOT_PREFIX_FREE),
        ("parent", ((0,), (0, 1)), Reason.GENESIS_NOT_PREFIX_FREE),
        ("ancestor", ((0, 1, 2), (3,), (0,)), Reason.GENESIS_NOT_PREFIX_FREE),
        ("ancestor-behind", ((3,), (0, 9), (0,), (0, 1, 2)), Reason.GENESIS_NOT_PREFIX_FREE),
        ("empty-identifier", ((), (0,)), Reason.INVALID_IDENTIFIER),
        ("too-long", ((7,) * (K_MAX + 1),), Reason.INVALID_IDENTIFIER),
        ("too-large", ((0,), (MAX_U64 + 1,)), Reason.INVALID_IDENTIFIER),
    ):
        yield genesis_case(told, name, ids, reason)
    both = ((0,), (0,), (1, MAX_U64 + 1))
    faults = (Reason.INVALID_IDENTIFIER, Reason.GENESIS_NOT_PREFIX_FREE)
    yield genesis_case(told, "identifier-before-prefix", both, Reason.INVALID_IDENTIFIER, faults=faults)


def genesis_case(told: Story, name: str, ids: tuple[ChainId, ...], reason: Reason | None, **more: Any) -> Case:
    """Return a case of a genesis configuration: what is known of its last chain, or why it is refused."""
    chains = tuple(GenesisChain(i, told.key("alice"), Balance(3)) for i in ids)
    told = evolve(told, genesis=Genesis(told.context.committee, chains))
    sentence = "These chains can exist from the start." if reason is None else reason.sentence
    items = [Info(ids[-1])] if ids else [Info(STRANGE)]
    return told.case(
        f"genesis-{name}", sentence, ("WP-2.4-GENESIS", "WP-2.1-ONE-COMMITTEE"), *items, reason=reason, **more
    )


def opening(height: int = 0) -> Story:
    """Tell of a block of alice at some height that opens a chain for carol, with a payment before and one after."""
    told = story()
    for _ in range(height):
        told = told.extended(ALICE)
    return told.extended(ALICE, OpenChain(CHILD, told.key("carol")), pay(CHILD, 5), pay(BOB, 1))


def created() -> Iterator[Case]:
    """Yield a chain's first steps."""
    told, clauses = opening(2), ("WP-2.4-FRESH", "WP-2.5-CREATE")
    request = told.request(told.block(CHILD), "carol")
    yield told.case(
        "before-creation",
        "The chain is not there before its message came.",
        clauses,
        request,
        reason=Reason.INACTIVE_CHAIN,
    )
    made = told.settled()
    yield made.case("after-creation", "Then it is.", clauses, request)
    yield made.case("creation-info", "It knows the height of the block that created it.", clauses, Info(CHILD))
    yield told.case("no-creation-info", "Of a chain not created, nothing is known.", clauses, Info(CHILD))
    own = made.extended(CHILD, *made.waiting(CHILD), OpenChain((0, 0, 2), told.key("bob"))).settled()
    yield own.case("grandchild", "The new chain creates another.", clauses, Info((0, 0, 2)))
    yield own.case("genesis-unlike-created", "A chain of genesis has no creation height.", clauses, Info(ALICE))
    old = made.certificate(made.block(CHILD))
    yield told.case(
        "certificate-before-creation",
        "Its certificates need it to be there.",
        clauses,
        old,
        reason=Reason.INACTIVE_CHAIN,
    )


def proof_case(
    told: Story,
    name: str,
    why: str,
    certificate: Certificate,
    chain_id: ChainId = CHILD,
    reason: Reason | None = None,
    **more: Any,
) -> Case:
    """Return a case of a proof of creation."""
    arguments = {"context": told.context, "certificate": certificate, "chain_id": chain_id}
    return Case(
        name=f"proof-{name}",
        sentence=why,
        clauses=PROOF,
        operation="check_creation_proof",
        arguments=arguments,
        reason=reason,
        **more,
    )


def proofs() -> Iterator[Case]:
    """Yield certificates and what they prove."""
    told = opening()
    genuine, wrong = told.sent(ALICE), Reason.NOT_A_PROOF_OF_CREATION
    yield proof_case(told, "genuine", "The parent's block names the first owner.", genuine)
    ideal = story("ideal")
    ideal = ideal.extended(ALICE, OpenChain(CHILD, ideal.key("carol")))
    yield proof_case(ideal, "ideal", "With ideal signatures.", ideal.sent(ALICE))
    yield proof_case(told, "other-child", "Another child.", genuine, (0, 1), reason=wrong)
    yield proof_case(told, "other-parent", "Another parent's child.", genuine, (1, 0), reason=wrong)
    yield proof_case(told, "of-root", "A chain of one number has no parent.", genuine, ALICE, reason=wrong)
    yield proof_case(told, "of-paid", "Mail alone creates nothing.", genuine, BOB, reason=wrong)
    create = OutgoingMessage(CHILD, Create(told.key("carol")))
    for name, messages in (
        ("nothing", ()),
        ("mail-only", (OutgoingMessage(CHILD, credit(1)),)),
        ("twice", (create, create)),
        ("elsewhere", (OutgoingMessage((0, 1), create.content),)),
    ):
        bad = told.certificate(evolve(genuine.executed, messages=messages))
        yield proof_case(told, name, "The block does not create the chain once.", bad, reason=wrong)
    grand = evolve(genuine.executed, messages=(OutgoingMessage((0, 0, 0), create.content),))
    yield proof_case(told, "grandparent", "Only the parent creates.", told.certificate(grand), (0, 0, 0), reason=wrong)


def proof_faults() -> Iterator[Case]:
    """Yield every fault, and every two faults, of a proof of creation."""
    guards = (
        Reason.UNEXPECTED_CERTIFICATE_KIND,
        Reason.CERTIFICATE_VALIDATOR_REUSE,
        Reason.INVALID_CERTIFICATE_SIGNER,
        Reason.CERTIFICATE_REQUIRES_QUORUM,
        Reason.INVALID_SIGNATURE,
        Reason.NOT_A_PROOF_OF_CREATION,
    )
    told = opening()
    for faults in (*((guard,) for guard in guards), *combinations(guards, 2)):
        reason = faults[0]
        bad = certificate_with(told, told.sent(ALICE).executed, faults)
        chain_id = (0, 1) if Reason.NOT_A_PROOF_OF_CREATION in faults else CHILD
        more = {"faults": faults} if len(faults) > 1 else {}
        yield proof_case(told, "-before-".join(map(word, faults)), reason.sentence, bad, chain_id, reason, **more)


def handed_over() -> Iterator[Case]:
    """Yield a change of key, and what it leaves as it was."""
    told, clauses = story(), ("WP-2.7-CHANGE-KEY",)
    change = ChangeKey(told.key("carol"))
    block = told.certificate(told.block(ALICE, change))
    yield told.case("hand-over", "Another owner.", clauses, block, Info(ALICE))
    after = told.given(block)
    back = after.extended(ALICE, ChangeKey(told.key("alice")))
    yield back.case("hand-back", "And back again.", clauses, Info(ALICE))
    yield told.case(
        "hand-over-to-self",
        "To the same owner.",
        clauses,
        told.certificate(told.block(ALICE, ChangeKey(told.key("alice")))),
    )
    yield after.case("after-hand-over", "The new owner proposes.", clauses, after.request(after.block(ALICE), "carol"))
    yield after.case(
        "stale-owner", "The old one does not.", clauses, after.request(after.block(ALICE)), reason=Reason.INVALID_OWNER
    )
    both = told.block(ALICE, change, pay(BOB, 1), ChangeKey(told.key("bob")))
    yield told.case(
        "hand-over-twice", "The last new owner of a block stays.", clauses, told.certificate(both), Info(ALICE)
    )


def closed() -> Iterator[Case]:
    """Yield the end of a chain."""
    told, clauses = story(), ("WP-2.7-CLOSE-CHAIN", "WP-2.4-CLOSED-FOREVER")
    last = told.certificate(told.block(ALICE, pay(BOB, 1), CloseChain()))
    yield told.case("close", "The chain is closed; its mail is still sent.", clauses, last, Info(ALICE))
    end = told.given(last)
    block = end.block(ALICE)
    yield end.case("closed-request", "No block after it.", clauses, end.request(block), reason=Reason.CHAIN_CLOSED)
    made_up = end.certificate(evolve(last.executed, block=block))
    yield end.case("closed-certificate", "No certificate either.", clauses, made_up, reason=Reason.CHAIN_CLOSED)
    yield end.case("closed-again", "The last block is known.", clauses, last)
    higher = end.certificate(evolve(last.executed, block=evolve(block, height=5)))
    yield end.case("closed-far", "However high.", clauses, higher, reason=Reason.CHAIN_CLOSED)
    yield end.case("closed-sends", "Mail under way is sent again.", clauses, SendAgain(ALICE))
    yield end.settled().case("closed-delivered", "And acknowledged.", clauses, IsDelivered(ALICE, 0))
    same = told.block(ALICE, OpenChain(CHILD, told.key("bob")))
    yield end.case(
        "closed-parent", "A closed chain creates nothing.", clauses, end.request(same), reason=Reason.CHAIN_CLOSED
    )


def archived() -> Iterator[Case]:
    """Yield the tombstone: it answers as the chain would, without the histories."""
    clauses = ("WP-2.4-ARCHIVE",)
    told = story().extended(BOB, pay(ALICE, 3)).settled()
    told = told.extended(ALICE, *told.waiting(ALICE), pay(BOB, 1)).extended(BOB, pay(ALICE, 4)).settled(BOB)
    yield told.case(
        "archive-open",
        "Only a closed chain is archived.",
        clauses,
        Archive(ALICE),
        reason=Reason.CHAIN_NOT_CLOSED,
        faults=(Reason.CHAIN_NOT_CLOSED, Reason.OUTBOX_NOT_EMPTY),
    )
    yield told.case("archive-open-idle", "Whatever its mail.", clauses, Archive(BOB), reason=Reason.CHAIN_NOT_CLOSED)
    yield told.case(
        "archive-unknown",
        "A chain never created was not closed.",
        clauses,
        Archive(STRANGE),
        reason=Reason.CHAIN_NOT_CLOSED,
    )
    end = told.extended(ALICE, pay((2,), 1), CloseChain())
    yield end.case(
        "archive-undelivered", "Its mail is delivered first.", clauses, Archive(ALICE), reason=Reason.OUTBOX_NOT_EMPTY
    )
    done = end.given(ConfirmUpdatedRecipient(ALICE, BOB, 5), ConfirmUpdatedRecipient(ALICE, (2,), 5))
    yield done.case("archive", "The chain as it was goes to cold storage.", clauses, Archive(ALICE))
    stone = done.given(Archive(ALICE))
    yield stone.case("archive-again", "A tombstone has nothing left to give.", clauses, Archive(ALICE))
    first, last = told.sent(ALICE), end.sent(ALICE, 1)
    for name, item, reason in (
        ("info", Info(ALICE), None),
        ("known", first, None),
        ("last", last, None),
        ("download", Download(ALICE, 0, 9), None),
        ("received", ReceivedSince(ALICE, 0), None),
        ("delivered", IsDelivered(ALICE, 1), None),
        ("sends", SendAgain(ALICE), None),
        ("confirmed", ConfirmUpdatedRecipient(ALICE, BOB, 0), None),
        ("request", stone.request(stone.block(ALICE)), Reason.CHAIN_CLOSED),
        ("old-request", told.request(first.executed.block), Reason.CHAIN_CLOSED),
        ("next", stone.certificate(evolve(last.executed, block=stone.block(ALICE))), Reason.CHAIN_CLOSED),
        ("mail-again", told.inputs[1], None),
    ):
        yield stone.case(f"tombstone-{name}", "A tombstone answers as the chain would.", clauses, item, reason=reason)
        yield done.case(f"archivable-{name}", "As before it was archived.", clauses, item, reason=reason)

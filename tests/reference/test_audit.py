"""Claim 5: one chain is audited from certificates alone, and every mismatch is found."""

from itertools import combinations
from typing import Any

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st
from support import (
    ED25519,
    IDEAL,
    NO_HASH,
    TOKENS,
    accepted,
    certify,
    commit,
    digest,
    examples,
    executed,
    key,
    network,
    refused,
    rejected,
    root,
    update,
)

from linera_reference.application import Balance, transfer
from linera_reference.audit import Audited, audit_chain, audit_start, place_of
from linera_reference.block import Block, CloseChain, Execute, ExecutedBlock, OpenChain, Receive
from linera_reference.certificate import Certificate, Kind
from linera_reference.chain import Chain, hashed_state
from linera_reference.client import receive_waiting
from linera_reference.messages import Message, OutgoingMessage
from linera_reference.network import Network
from linera_reference.notation import MAX_U64
from linera_reference.rejections import Accepted, Outcome, Reason
from linera_reference.validator import GenesisChain, handle_update_recipient, sent_messages

NET = network()
CTX = NET.context
ALICE, BOB, CHILD = (0,), (1,), (0, 3)


@frozen
class Story:
    """Alice paid bob and opened a chain for carol, whom she paid too; bob and carol took the money."""

    network: Network
    alice: Chain
    bob: Chain
    carol: Chain
    sent: tuple[Certificate, ...]
    taken: tuple[Certificate, ...]
    child: tuple[Certificate, ...]


def deliver(net: Network, sender: Chain, recipient: Chain) -> Chain:
    return accepted(handle_update_recipient(net.context, recipient, update(sender, recipient.chain_id))).state


def tell(net: Network) -> Story:
    pay = Execute(transfer(BOB, 7))
    alice, bob, carol = root(net), root(net, 1), Chain(CHILD)
    alice, first = commit(net, alice, pay, pay)
    alice, second = commit(net, alice, Execute(transfer((9,), 1)), OpenChain(CHILD, key("carol")))
    alice, third = commit(net, alice, pay, Execute(transfer(CHILD, 5)))
    bob = deliver(net, alice, bob)
    # Bob skips the first of three messages.
    bob, one = commit(net, bob, *receive_waiting(bob)[1:2])
    bob, two = commit(net, bob, *receive_waiting(bob), Execute(transfer(ALICE, 1)))
    bob, three = commit(net, bob, CloseChain())
    carol = deliver(net, alice, carol)
    carol, only = commit(net, carol, *receive_waiting(carol), Execute(transfer(BOB, 2)))
    return Story(net, alice, bob, carol, (first, second, third), (one, two, three), (only,))


STORY = tell(NET)
ORIGIN = NET.genesis.chains[1]


def audit_bob(
    blocks: tuple[Certificate, ...] = STORY.taken,
    evidence: tuple[Certificate, ...] = STORY.sent,
    origin: GenesisChain | Certificate = ORIGIN,
) -> Outcome[Chain]:
    return audit_chain(CTX, BOB, origin, blocks, evidence)


def established(chain: Chain) -> Audited:
    part = chain.consistent
    return Audited(chain.chain_id, part.next_height, part.block_hash, IDEAL.hash(hashed_state(part)), part.owner)


# --- what passes -------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-3.3-CLAIM-5")
@pytest.mark.parametrize("scheme", [IDEAL, ED25519])
def test_an_honest_chain_passes(scheme: Any) -> None:
    story = tell(network(scheme=scheme))
    net = story.network
    for chain, blocks, evidence, place in (
        (story.alice, story.sent, (), 0),
        (story.bob, story.taken, story.sent, 1),
    ):
        outcome = accepted(audit_chain(net.context, chain.chain_id, net.genesis.chains[place], blocks, evidence))
        assert outcome.outputs == (established(chain),)
        assert outcome.state.consistent == chain.consistent


@pytest.mark.clauses("WP-3.3-CLAIM-5", "WP-2.4-CREATION-PROOF")
def test_a_child_is_audited_from_its_proof_of_creation() -> None:
    outcome = accepted(audit_chain(CTX, CHILD, STORY.sent[1], STORY.child, STORY.sent))
    assert outcome.outputs == (established(STORY.carol),)
    assert outcome.state.consistent == STORY.carol.consistent


@pytest.mark.clauses("WP-3.3-CLAIM-5")
def test_a_prefix_is_audited_like_the_whole() -> None:
    for end in range(3):
        outcome = accepted(audit_bob(STORY.taken[:end]))
        assert outcome.outputs[0].next_height == end
        assert outcome.outputs[0].owner == key("bob")
    assert accepted(audit_bob()).outputs[0].owner is None, "closed"


@pytest.mark.clauses("WP-3.3-CLAIM-5")
@examples(50)
@given(st.permutations(STORY.sent), st.lists(st.sampled_from(STORY.sent + STORY.child), max_size=3))
def test_the_order_of_evidence_and_repetitions_do_not_matter(
    evidence: list[Certificate], more: list[Certificate]
) -> None:
    assert accepted(audit_bob(evidence=(*evidence, *more))).outputs == (established(STORY.bob),)


@pytest.mark.clauses("WP-3.3-CLAIM-5")
def test_blocks_that_nobody_consumed_from_are_not_needed() -> None:
    first, _, third = STORY.sent
    assert accepted(audit_bob(evidence=(first, third))).outputs == (established(STORY.bob),)


@pytest.mark.clauses("WP-3.3-CLAIM-5")
def test_signers_do_not_matter() -> None:
    others = tuple(certify(NET, c.executed, (3, 1, 2)) for c in STORY.taken)
    assert accepted(audit_bob(others)).outputs == (established(STORY.bob),)


def test_the_place_of_a_block() -> None:
    assert [place_of(c) for c in STORY.sent] == [(ALICE, 0), (ALICE, 1), (ALICE, 2)]


# --- where it starts ---------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-3.3-CLAIM-5", "WP-2.4-CREATION-PROOF")
def test_the_origin_must_be_that_of_the_chain() -> None:
    found = rejected(audit_bob(origin=NET.genesis.chains[0]), Reason.NOT_A_PROOF_OF_CREATION)
    assert found.detail == BOB
    for origin in STORY.sent:
        rejected(audit_bob(origin=origin), Reason.NOT_A_PROOF_OF_CREATION)
    for origin, reason in (
        (certify(NET, STORY.sent[1].executed, (0, 1)), Reason.CERTIFICATE_REQUIRES_QUORUM),
        (certify(NET, STORY.sent[1].executed, kind=Kind.VALIDATED), Reason.UNEXPECTED_CERTIFICATE_KIND),
    ):
        rejected(audit_chain(CTX, CHILD, origin, STORY.child, STORY.sent), reason)


@pytest.mark.clauses("WP-3.3-CLAIM-5", "WP-2.4-CREATION-PROOF")
def test_what_an_audit_starts_from() -> None:
    assert audit_start(CTX, ORIGIN, BOB) == root(NET, 1)
    start = audit_start(CTX, STORY.sent[1], CHILD)
    assert start.consistent.creation_height == 1
    assert start.consistent.owner == key("carol")
    assert start.consistent.state == Balance(0)
    with refused(Reason.NOT_A_PROOF_OF_CREATION):
        audit_start(CTX, evolve(ORIGIN, chain_id=CHILD), BOB)


@pytest.mark.clauses("WP-3.3-CLAIM-5")
def test_a_wrong_genesis_is_found() -> None:
    richer = evolve(ORIGIN, state=Balance(TOKENS + 1))
    rejected(audit_bob(origin=richer), Reason.INCORRECT_STATE_HASH)
    rejected(audit_bob(origin=evolve(ORIGIN, owner=key("mallory"))), Reason.INCORRECT_STATE_HASH)


# --- blocks ------------------------------------------------------------------------------------------------------

ONE, TWO, THREE = STORY.taken


@pytest.mark.clauses("WP-3.3-CLAIM-5")
@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ((TWO, THREE), 0),
        ((ONE, THREE), 1),
        ((ONE, ONE), 1),
        ((ONE, TWO, ONE), 2),
        ((TWO, ONE, THREE), 0),
        (STORY.sent, 0),
        ((ONE, STORY.sent[1]), 1),
    ],
)
def test_a_gap_is_found(blocks: tuple[Certificate, ...], expected: int) -> None:
    assert rejected(audit_bob(blocks), Reason.MISSING_EARLIER_BLOCKS).detail == (BOB, expected)


@pytest.mark.clauses("WP-3.3-CLAIM-5")
def test_nothing_follows_the_closing_block() -> None:
    last = STORY.bob.consistent
    block = Block(BOB, 3, last.block_hash, ())
    after = certify(NET, ExecutedBlock(block, (), IDEAL.hash(hashed_state(last))))
    rejected(audit_bob((*STORY.taken, after)), Reason.CHAIN_CLOSED)
    # A gap is noticed first.
    far = certify(NET, evolve(after.executed, block=evolve(block, height=4)))
    rejected(audit_bob((*STORY.taken, far)), Reason.MISSING_EARLIER_BLOCKS)


def altered(certificate: Certificate, **changes: Any) -> Certificate:
    """Let the whole committee certify something else."""
    return certify(NET, evolve(certificate.executed, **changes))


EXTRA = OutgoingMessage(ALICE, STORY.sent[0].executed.messages[0].content)


@pytest.mark.clauses("WP-3.3-CLAIM-5")
@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"state_hash": digest("other")}, Reason.INCORRECT_STATE_HASH),
        ({"messages": (EXTRA, EXTRA)}, Reason.INCORRECT_MESSAGES),
        ({"messages": (EXTRA, EXTRA), "state_hash": digest("other")}, Reason.INCORRECT_MESSAGES),
    ],
)
def test_a_block_that_was_certified_wrongly_is_found(place: int, changes: dict[str, Any], reason: Reason) -> None:
    blocks = list(STORY.taken)
    blocks[place] = altered(blocks[place], **changes)
    rejected(audit_bob(tuple(blocks)), reason)


@pytest.mark.clauses("WP-3.3-CLAIM-5")
@pytest.mark.parametrize("place", range(3))
def test_a_broken_certificate_is_found(place: int) -> None:
    certificate = STORY.taken[place]
    (signer, _), *rest = certificate.signatures
    for broken, reason in (
        (evolve(certificate, signatures=((signer, bytes(64)), *rest)), Reason.INVALID_SIGNATURE),
        (evolve(certificate, signatures=certificate.signatures[:2]), Reason.CERTIFICATE_REQUIRES_QUORUM),
        (evolve(certificate, executed=evolve(certificate.executed, state_hash=NO_HASH)), Reason.INVALID_SIGNATURE),
        (certify(NET, certificate.executed, kind=Kind.VALIDATED), Reason.UNEXPECTED_CERTIFICATE_KIND),
    ):
        blocks = (*STORY.taken[:place], broken, *STORY.taken[place + 1 :])
        rejected(audit_bob(blocks), reason)


@pytest.mark.clauses("WP-3.3-CLAIM-5")
def test_a_fork_is_found() -> None:
    """The second block of another first block does not fit."""
    chain, _ = commit(NET, root(NET, 1))
    second = certify(NET, executed(NET, chain))
    rejected(audit_bob((ONE, second)), Reason.INVALID_BLOCK_CHAINING)


# --- evidence ----------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-3.3-CLAIM-5")
def test_consumed_messages_need_the_blocks_of_their_senders() -> None:
    found = rejected(audit_bob(evidence=()), Reason.MISSING_CROSS_CHAIN_UPDATE)
    assert found.detail == ((ALICE, 0), (ALICE, 2))
    assert rejected(audit_bob(evidence=STORY.sent[:2]), Reason.MISSING_CROSS_CHAIN_UPDATE).detail == ((ALICE, 2),)
    assert rejected(audit_bob(evidence=STORY.sent[1:]), Reason.MISSING_CROSS_CHAIN_UPDATE).detail == ((ALICE, 0),)
    accepted(audit_bob((), ()))


FIRST_SENT, SECOND_SENT = sent_messages(CTX, STORY.sent[0], BOB)
INVENTED = [
    evolve(SECOND_SENT, content=STORY.sent[2].executed.messages[1].content),
    evolve(SECOND_SENT, block_hash=digest("other")),
    evolve(SECOND_SENT, index=5),
    evolve(FIRST_SENT, index=7),
    evolve(FIRST_SENT, content=EXTRA.content, block_hash=NO_HASH),
    # Alice's second block is there and sends bob nothing.
    evolve(SECOND_SENT, height=1),
    evolve(SECOND_SENT, height=1, index=9),
]


@pytest.mark.clauses("WP-3.3-CLAIM-5")
@pytest.mark.parametrize("message", INVENTED)
def test_a_message_that_was_never_sent_is_found(message: Message) -> None:
    """A faulty committee certified a block that consumes what the sender's block does not send."""
    chain = root(NET, 1)
    forged = certify(NET, executed(NET, chain, Receive(message)))
    rejected(audit_bob((forged,)), Reason.UNSENT_MESSAGE)


@pytest.mark.clauses("WP-3.3-CLAIM-5")
def test_a_message_sent_to_somebody_else_is_found() -> None:
    """Alice's second block pays chain (9,), at place 0."""
    stolen = sent_messages(CTX, STORY.sent[1], (9,))[0]
    forged = certify(NET, executed(NET, root(NET, 1), Receive(stolen)))
    rejected(audit_bob((forged,)), Reason.UNSENT_MESSAGE)


@pytest.mark.clauses("WP-3.3-CLAIM-5")
def test_blame_falls_on_what_is_known() -> None:
    """Without the block, it is missing; with it, the message was not sent. Other blocks of the sender do not excuse."""
    forged = certify(NET, executed(NET, root(NET, 1), Receive(INVENTED[0])))
    for evidence in ((), STORY.sent[1:], STORY.sent[2:]):
        rejected(audit_bob((forged,), evidence), Reason.MISSING_CROSS_CHAIN_UPDATE)
    for evidence in (STORY.sent, STORY.sent[:1]):
        rejected(audit_bob((forged,), evidence), Reason.UNSENT_MESSAGE)


@pytest.mark.clauses("WP-3.3-CLAIM-5")
def test_the_first_message_that_was_not_sent_is_named() -> None:
    forged = certify(NET, executed(NET, root(NET, 1), Receive(INVENTED[0])))
    assert rejected(audit_bob((forged,)), Reason.UNSENT_MESSAGE).detail == INVENTED[0]
    later = evolve(INVENTED[5], index=3)
    forged = certify(NET, executed(NET, root(NET, 1), Receive(INVENTED[5]), Receive(later)))
    assert rejected(audit_bob((forged,), STORY.sent[:2]), Reason.UNSENT_MESSAGE).detail == INVENTED[5]


@pytest.mark.clauses("WP-3.3-CLAIM-5")
@pytest.mark.parametrize("place", range(3))
def test_evidence_is_verified(place: int) -> None:
    certificate = STORY.sent[place]
    for broken, reason in (
        (evolve(certificate, signatures=certificate.signatures[:2]), Reason.CERTIFICATE_REQUIRES_QUORUM),
        (evolve(certificate, executed=evolve(certificate.executed, state_hash=NO_HASH)), Reason.INVALID_SIGNATURE),
        (certify(NET, certificate.executed, kind=Kind.VALIDATED), Reason.UNEXPECTED_CERTIFICATE_KIND),
    ):
        evidence = (*STORY.sent[:place], broken, *STORY.sent[place + 1 :])
        rejected(audit_bob(evidence=evidence), reason)
        # Also when it repeats a block that was seen.
        rejected(audit_bob(evidence=(*STORY.sent, broken)), reason)


@pytest.mark.clauses("WP-3.3-CLAIM-5")
def test_a_block_of_the_last_height_is_no_evidence() -> None:
    last = certify(NET, ExecutedBlock(Block(ALICE, MAX_U64, None, ()), (EXTRA_FOR_BOB,), NO_HASH))
    outcome = audit_bob((), (last,))
    assert isinstance(outcome, Accepted) or outcome.reason is Reason.ARITHMETIC


EXTRA_FOR_BOB = evolve(EXTRA, recipient=BOB)


@pytest.mark.clauses("WP-3.3-CLAIM-5")
@pytest.mark.parametrize("count", [1, 2])
def test_faults_are_reported_in_order(count: int) -> None:
    """Origin, blocks, evidence, then what is owed."""
    wrong_origin = NET.genesis.chains[0]
    wrong_blocks = (altered(ONE, state_hash=NO_HASH),)
    wrong_evidence = (certify(NET, STORY.sent[1].executed, ()),)
    faults: list[tuple[Reason, dict[str, Any]]] = [
        (Reason.NOT_A_PROOF_OF_CREATION, {"origin": wrong_origin}),
        (Reason.INCORRECT_STATE_HASH, {"blocks": wrong_blocks}),
        (Reason.CERTIFICATE_REQUIRES_QUORUM, {"evidence": wrong_evidence}),
    ]
    for chosen in combinations(faults, count):
        arguments = {name: value for _, change in chosen for name, value in change.items()}
        rejected(audit_bob(**arguments), chosen[0][0])


@pytest.mark.clauses("WP-3.3-CLAIM-5")
def test_the_chain_may_be_its_own_sender() -> None:
    chain, first = commit(NET, root(NET), Execute(transfer(ALICE, 5)))
    chain = deliver(NET, chain, chain)
    chain, second = commit(NET, chain, *receive_waiting(chain))
    origin = NET.genesis.chains[0]
    outcome = audit_chain(CTX, ALICE, origin, (first, second), (first,))
    assert accepted(outcome).outputs == (established(chain),)
    # Its own blocks are evidence.
    assert accepted(audit_chain(CTX, ALICE, origin, (first, second), ())).outputs == (established(chain),)


@pytest.mark.clauses("WP-3.3-CLAIM-5", "WP-2.2-ACCOUNTABILITY")
def test_two_blocks_at_one_place_are_no_evidence_for_anything() -> None:
    """A committee that certifies two blocks of a sender at one height is found out, in whatever order they come."""
    other = certify(NET, executed(NET, root(NET), Execute(transfer(BOB, 1))))
    for evidence in ((*STORY.sent, other), (other, *STORY.sent)):
        found = rejected(audit_bob(evidence=evidence), Reason.CONFLICTING_CERTIFICATES)
        assert found.detail == (ALICE, 0)


@pytest.mark.clauses("WP-3.3-CLAIM-5")
def test_a_second_block_of_the_audited_chain_is_found() -> None:
    other = certify(NET, executed(NET, root(NET, 1), Execute(transfer(ALICE, 1))))
    found = rejected(audit_bob(evidence=(*STORY.sent, other)), Reason.CONFLICTING_CERTIFICATES)
    assert found.detail == (BOB, 0)

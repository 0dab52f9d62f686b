"""One interface to all types of chains: who may propose, when a validator votes, what a vote says."""

import pytest
from attrs import evolve
from support import IDEAL, certify, digest, key, members, network, owner_of, refused, signer

from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Certificate, Kind
from linera_reference.certification import (
    already_voted,
    check_active,
    check_kind,
    check_proposal,
    check_proposer,
    check_validated_kind,
    proposal_kind,
    standing_ballot,
)
from linera_reference.notation import MAX_U32, PublicKey
from linera_reference.ownership import Owner
from linera_reference.rejections import Reason
from linera_reference.request import Request, sign_request
from linera_reference.rounds import FIRST_ROUND, Rounds

BLOCK = Block((0,), 1, digest("tip"), ())
PENDING = ExecutedBlock(BLOCK, (), digest("state"))
OTHER = evolve(PENDING, block=evolve(BLOCK, previous_hash=None))
ALICE, BOB = key("alice"), key("bob")
ONE, TWO = owner_of(("alice",)), owner_of(("alice", "bob"))


def asking(block: Block = BLOCK, round: int = 0, justification: Certificate | None = None) -> Request:
    return sign_request(IDEAL, signer("alice"), block, round, justification)


def validated(executed: ExecutedBlock, round: int) -> Certificate:
    return certify(network(), executed, kind=Kind.VALIDATED, round=round)


@pytest.mark.clauses("WP-2.4-OWNER")
def test_the_three_stages_of_a_chain() -> None:
    for owner in (ALICE, ONE):
        check_active(True, owner)
    with refused(Reason.CHAIN_CLOSED):
        check_active(True, None)
    # Whether it was created is tested first.
    for some in (None, ALICE):
        with refused(Reason.INACTIVE_CHAIN):
            check_active(False, some)


@pytest.mark.clauses("WP-2.1-OWNER-PROPOSES")
def test_only_an_owner_proposes() -> None:
    for owner in (ALICE, ONE, TWO):
        check_proposer(owner, None, ALICE)
    for other in (BOB, owner_of(("bob",)), None):
        with refused(Reason.INVALID_OWNER) as caught:
            check_proposer(other, None, ALICE)
        assert caught.value.detail == ALICE


@pytest.mark.clauses("WP-4.6-PROPOSERS")
def test_an_owner_may_have_to_wait_for_its_turn() -> None:
    check_proposer(TWO, members(ALICE), ALICE)
    check_proposer(ALICE, members(BOB), ALICE)
    with refused(Reason.OUT_OF_TURN) as caught:
        check_proposer(TWO, members(BOB), ALICE)
    assert caught.value.detail == ALICE
    # Being chosen makes nobody an owner.
    with refused(Reason.INVALID_OWNER):
        check_proposer(TWO, members(key("carol")), key("carol"))


# --- one owner ---------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.8-PENDING")
def test_a_first_vote() -> None:
    assert already_voted(None, asking()) is None


@pytest.mark.clauses("WP-2.8-PENDING")
def test_a_vote_is_repeated_for_the_same_block_whatever_was_executed() -> None:
    for pending in (PENDING, evolve(PENDING, state_hash=digest("other"))):
        assert already_voted(pending, asking(evolve(BLOCK))) is pending


@pytest.mark.clauses("WP-2.8-PENDING")
@pytest.mark.parametrize(
    "change", [{"transactions": (None,)}, {"height": 2}, {"previous_hash": None}, {"chain_id": (1,)}]
)
def test_no_vote_for_another_block(change: dict[str, object]) -> None:
    other = Request(evolve(BLOCK, **change), 0, ALICE, b"")
    with refused(Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST) as caught:
        already_voted(PENDING, other)
    assert caught.value.detail == BLOCK


@pytest.mark.clauses("WP-2.8-PENDING")
@pytest.mark.parametrize("round", [1, MAX_U32])
@pytest.mark.parametrize("pending", [None, PENDING, evolve(PENDING, block=evolve(BLOCK, height=9))])
def test_there_is_round_0_only(pending: ExecutedBlock | None, round: int) -> None:
    with refused(Reason.INVALID_BLOCK_PROPOSAL) as caught:
        already_voted(pending, asking(round=round))
    assert caught.value.detail == round


@pytest.mark.clauses("WP-2.8-PENDING")
@pytest.mark.parametrize("pending", [None, PENDING])
def test_a_single_owner_justifies_nothing(pending: ExecutedBlock | None) -> None:
    with refused(Reason.INVALID_BLOCK_PROPOSAL) as caught:
        already_voted(pending, asking(justification=validated(PENDING, 0)))
    assert caught.value.detail == 0


# --- the type of a chain decides ---------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.9-PROPOSAL", "WP-2.8-PENDING")
def test_the_type_of_the_chain_decides_about_a_proposal() -> None:
    """The same proposal in a second round: a single owner has no such thing."""
    for owner in (ONE, TWO):
        assert check_proposal(owner, PENDING, FIRST_ROUND, asking(OTHER.block, 1)) is None
        assert check_proposal(owner, PENDING, FIRST_ROUND, asking()) is PENDING
        with refused(Reason.INSUFFICIENT_ROUND):
            check_proposal(owner, PENDING, FIRST_ROUND, asking(OTHER.block))
    assert check_proposal(ALICE, PENDING, FIRST_ROUND, asking()) is PENDING
    with refused(Reason.INVALID_BLOCK_PROPOSAL):
        check_proposal(ALICE, PENDING, FIRST_ROUND, asking(OTHER.block, 1))
    with refused(Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST):
        check_proposal(ALICE, PENDING, FIRST_ROUND, asking(OTHER.block))


@pytest.mark.clauses("WP-2.9-PROPOSAL", "WP-2.8-VOTE")
@pytest.mark.parametrize(
    ("owner", "kind"), [(ALICE, Kind.CONFIRMED), (None, Kind.CONFIRMED), (ONE, Kind.VALIDATED), (TWO, Kind.VALIDATED)]
)
def test_what_a_vote_for_a_proposal_says(owner: Owner | None, kind: Kind) -> None:
    assert proposal_kind(owner) is kind


@pytest.mark.clauses("WP-2.9-VALIDATED")
@pytest.mark.parametrize("owner", [None, ALICE, BOB])
def test_validated_certificates_need_several_owners(owner: PublicKey | None) -> None:
    for several in (ONE, TWO):
        check_validated_kind(several)
    with refused(Reason.UNEXPECTED_CERTIFICATE_KIND) as caught:
        check_validated_kind(owner)
    assert caught.value.detail is Kind.VALIDATED


@pytest.mark.clauses("WP-2.8-HANDLE-CERTIFICATE")
def test_only_confirmed_certificates_extend_a_chain() -> None:
    check_kind(Kind.CONFIRMED)
    with refused(Reason.UNEXPECTED_CERTIFICATE_KIND) as caught:
        check_kind(Kind.VALIDATED)
    assert caught.value.detail is Kind.VALIDATED


# --- what a node stands for --------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.9-FINAL-VOTE")
@pytest.mark.parametrize("owner", [None, ALICE, TWO])
def test_before_the_first_proposal_a_node_stands_for_nothing(owner: Owner | None) -> None:
    assert standing_ballot(owner, None, FIRST_ROUND) is None
    assert standing_ballot(None, PENDING, FIRST_ROUND) is None


@pytest.mark.clauses("WP-2.9-FINAL-VOTE")
@pytest.mark.parametrize("last", [0, 1, MAX_U32])
def test_a_node_stands_for_the_last_proposal(last: int) -> None:
    assert standing_ballot(TWO, PENDING, Rounds(last)) == (Kind.VALIDATED, PENDING, last)
    assert standing_ballot(ALICE, PENDING, FIRST_ROUND) == (Kind.CONFIRMED, PENDING, 0)


@pytest.mark.clauses("WP-2.9-FINAL-VOTE")
@pytest.mark.parametrize(("last", "locked"), [(0, 0), (0, 3), (3, 3), (MAX_U32, MAX_U32)])
def test_a_node_stands_for_the_lock_of_the_current_round(last: int, locked: int) -> None:
    rounds = Rounds(last, validated(OTHER, locked))
    for pending in (None, PENDING):
        assert standing_ballot(TWO, pending, rounds) == (Kind.CONFIRMED, OTHER, locked)


@pytest.mark.clauses("WP-2.9-FINAL-VOTE")
@pytest.mark.parametrize(("last", "locked"), [(1, 0), (MAX_U32, 0), (MAX_U32, MAX_U32 - 1)])
def test_a_later_proposal_comes_before_an_older_lock(last: int, locked: int) -> None:
    rounds = Rounds(last, validated(PENDING, locked))
    assert standing_ballot(TWO, PENDING, rounds) == (Kind.VALIDATED, PENDING, last)

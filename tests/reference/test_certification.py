"""The single-owner rule: who may propose, and when a validator votes."""

import pytest
from attrs import evolve
from support import digest, key, refused

from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Kind
from linera_reference.certification import already_voted, check_active, check_kind, check_proposer
from linera_reference.notation import MAX_U32
from linera_reference.rejections import Reason

BLOCK = Block((0,), 1, digest("tip"), ())
PENDING = ExecutedBlock(BLOCK, (), digest("state"))


@pytest.mark.clauses("WP-2.4-OWNER")
def test_the_three_stages_of_a_chain() -> None:
    check_active(True, key("alice"))
    with refused(Reason.CHAIN_CLOSED):
        check_active(True, None)
    # Whether it was created is tested first.
    for owner in (None, key("alice")):
        with refused(Reason.INACTIVE_CHAIN):
            check_active(False, owner)


@pytest.mark.clauses("WP-2.1-OWNER-PROPOSES")
def test_only_the_owner_proposes() -> None:
    check_proposer(key("alice"), key("alice"))
    for owner in (key("bob"), None):
        with refused(Reason.INVALID_OWNER) as caught:
            check_proposer(owner, key("alice"))
        assert caught.value.detail == key("alice")


@pytest.mark.clauses("WP-2.8-PENDING")
def test_a_first_vote() -> None:
    assert already_voted(None, BLOCK, 0) is None


@pytest.mark.clauses("WP-2.8-PENDING")
def test_a_vote_is_repeated_for_the_same_block_whatever_was_executed() -> None:
    for pending in (PENDING, evolve(PENDING, state_hash=digest("other"))):
        assert already_voted(pending, evolve(BLOCK), 0) is pending


@pytest.mark.clauses("WP-2.8-PENDING")
@pytest.mark.parametrize(
    "change", [{"transactions": (None,)}, {"height": 2}, {"previous_hash": None}, {"chain_id": (1,)}]
)
def test_no_vote_for_another_block(change: dict[str, object]) -> None:
    with refused(Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST) as caught:
        already_voted(PENDING, evolve(BLOCK, **change), 0)
    assert caught.value.detail == BLOCK


@pytest.mark.clauses("WP-2.8-PENDING")
@pytest.mark.parametrize("round", [1, MAX_U32])
@pytest.mark.parametrize("pending", [None, PENDING, evolve(PENDING, block=evolve(BLOCK, height=9))])
def test_there_is_round_0_only(pending: ExecutedBlock | None, round: int) -> None:
    with refused(Reason.INVALID_BLOCK_PROPOSAL) as caught:
        already_voted(pending, BLOCK, round)
    assert caught.value.detail == round


@pytest.mark.clauses("WP-2.8-HANDLE-CERTIFICATE")
def test_only_confirmed_certificates_extend_a_chain() -> None:
    check_kind(Kind.CONFIRMED)
    with refused(Reason.UNEXPECTED_CERTIFICATE_KIND) as caught:
        check_kind(Kind.VALIDATED)
    assert caught.value.detail is Kind.VALIDATED

"""Requests: a block and its round, signed by the proposer, and what justifies it."""

import pytest
from attrs import evolve
from support import BOTH, IDEAL, certify, digest, key, network, refused, signer

from linera_reference.block import Block, CloseChain, ExecutedBlock
from linera_reference.certificate import Certificate, Kind
from linera_reference.crypto import Scheme
from linera_reference.notation import MAX_U32, MAX_U64
from linera_reference.rejections import Reason
from linera_reference.request import BlockAndRound, Request, request_is_authentic, sign_request

BLOCK = Block((0,), 3, digest("tip"), (CloseChain(),))


@pytest.mark.clauses("WP-2.4-BLOCK")
@pytest.mark.parametrize("scheme", BOTH)
@pytest.mark.parametrize("round", [0, 1, MAX_U32])
def test_a_request_is_signed_over_block_and_round(scheme: Scheme, round: int) -> None:
    alice = signer("alice", scheme)
    request = sign_request(scheme, alice, BLOCK, round)
    assert request == Request(BLOCK, round, alice.public_key, scheme.sign(alice, BlockAndRound(BLOCK, round)))
    assert request_is_authentic(scheme, request)


@pytest.mark.clauses("WP-2.4-BLOCK")
def test_the_round_is_zero_unless_said_otherwise() -> None:
    assert sign_request(IDEAL, signer("alice"), BLOCK).round == 0


@pytest.mark.clauses("WP-2.4-BLOCK")
@pytest.mark.parametrize("scheme", BOTH)
def test_a_justification_goes_with_it_and_is_not_signed(scheme: Scheme) -> None:
    """Whoever passes a request on may add, drop or replace it."""
    alice = signer("alice", scheme)
    lock = certify(network(scheme=scheme), ExecutedBlock(BLOCK, (), bytes(32)), kind=Kind.VALIDATED, round=2)
    request = sign_request(scheme, alice, BLOCK, 3, lock)
    assert request.justification is lock
    assert sign_request(scheme, alice, BLOCK, 3).justification is None
    others: tuple[Certificate | None, ...] = (None, evolve(lock, round=1), evolve(lock, signatures=()))
    for other in others:
        changed = evolve(request, justification=other)
        assert request_is_authentic(scheme, changed)
        assert changed == sign_request(scheme, alice, BLOCK, 3, other)


@pytest.mark.clauses("WP-2.4-BLOCK")
@pytest.mark.parametrize("scheme", BOTH)
@pytest.mark.parametrize(
    "change",
    [
        {"block": evolve(BLOCK, chain_id=(1,))},
        {"block": evolve(BLOCK, height=4)},
        {"block": evolve(BLOCK, previous_hash=None)},
        {"block": evolve(BLOCK, transactions=())},
        {"round": 1},
        {"owner": key("bob")},
        {"signature": bytes(64)},
        {"signature": b""},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_change_breaks_the_signature(scheme: Scheme, change: dict[str, object]) -> None:
    request = sign_request(scheme, signer("alice", scheme), BLOCK)
    assert not request_is_authentic(scheme, evolve(request, **change))


@pytest.mark.clauses("WP-2.3-DATA-TYPE")
@pytest.mark.parametrize(
    ("block", "round"),
    [(BLOCK, MAX_U32 + 1), (BLOCK, -1), (evolve(BLOCK, height=MAX_U64 + 1), 0), (evolve(BLOCK, chain_id=(-1,)), 0)],
)
def test_a_block_out_of_range_cannot_be_signed(block: Block, round: int) -> None:
    with refused(Reason.OUT_OF_RANGE):
        sign_request(IDEAL, signer("alice"), block, round)

"""Votes and certificates: every verification error, in its order."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from support import BOTH, ED25519, IDEAL, certify, digest, examples, key, network, refused, signer, validators, vote

from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import (
    Aggregate,
    Certificate,
    Kind,
    VotePayload,
    add_vote,
    certified_payload,
    check_certificate,
    check_signers,
    form_certificate,
    sign_vote,
    vote_is_authentic,
)
from linera_reference.committee import combined_weight, is_quorum, validity_threshold
from linera_reference.crypto import Scheme
from linera_reference.notation import MAX_U32
from linera_reference.rejections import Reason, Rejection
from linera_reference.rules import QuorumRule

EXECUTED = ExecutedBlock(Block((0,), 0, None, ()), (), digest("state"))
OTHER = evolve(EXECUTED, state_hash=digest("other state"))
NET = network()
"""Validators 0 to 3 of weight 1: any three are a quorum."""
COMMITTEE = NET.context.committee
QUORUM = QuorumRule.N_MINUS_F
KEYS = tuple(s.public_key for s in validators(NET))
STRANGER = key("stranger")


def check(certificate: Certificate, scheme: Scheme = IDEAL) -> bytes:
    return check_certificate(scheme, network(scheme=scheme).context.committee, certificate, QUORUM)


def with_signature(certificate: Certificate, place: int, signature: bytes) -> Certificate:
    pairs = list(certificate.signatures)
    pairs[place] = (pairs[place][0], signature)
    return evolve(certificate, signatures=tuple(pairs))


# --- votes -------------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.8-VOTE")
@pytest.mark.parametrize("scheme", BOTH)
@pytest.mark.parametrize("payload", [VotePayload(k, digest("x"), r) for k in Kind for r in (0, MAX_U32)])
def test_a_vote_is_signed_over_its_payload(scheme: Scheme, payload: VotePayload) -> None:
    alice = signer("alice", scheme)
    cast = sign_vote(scheme, alice, payload)
    assert (cast.payload, cast.validator) == (payload, alice.public_key)
    assert cast.signature == scheme.sign(alice, payload)
    assert cast == sign_vote(scheme, alice, payload)
    assert vote_is_authentic(scheme, cast)


@pytest.mark.clauses("WP-2.8-VOTE")
@pytest.mark.parametrize("scheme", BOTH)
@pytest.mark.parametrize(
    "change",
    [
        {"payload": VotePayload(Kind.VALIDATED, digest("x"), 0)},
        {"payload": VotePayload(Kind.CONFIRMED, digest("y"), 0)},
        {"payload": VotePayload(Kind.CONFIRMED, digest("x"), 1)},
        {"validator": key("bob")},
        {"signature": bytes(64)},
    ],
)
def test_any_change_breaks_a_vote(scheme: Scheme, change: dict[str, Any]) -> None:
    cast = sign_vote(scheme, signer("alice", scheme), VotePayload(Kind.CONFIRMED, digest("x"), 0))
    assert not vote_is_authentic(scheme, evolve(cast, **change))


# --- certificates ------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.3-CERT-IDENTITY")
def test_what_a_certificate_certifies_does_not_depend_on_its_signers() -> None:
    one, two = certify(NET, EXECUTED, (0, 1, 2)), certify(NET, EXECUTED, (3, 1, 2))
    assert certified_payload(IDEAL, one) == certified_payload(IDEAL, two)
    assert certified_payload(IDEAL, one) == VotePayload(Kind.CONFIRMED, IDEAL.hash(EXECUTED), 0)
    assert certified_payload(IDEAL, certify(NET, EXECUTED, kind=Kind.VALIDATED, round=7)) == VotePayload(
        Kind.VALIDATED, IDEAL.hash(EXECUTED), 7
    )


@pytest.mark.clauses("WP-2.2-CERTIFICATE")
@pytest.mark.parametrize("scheme", BOTH)
@pytest.mark.parametrize("voters", [(0, 1, 2), (3, 2, 1), (0, 1, 2, 3), (3, 0, 2)])
@pytest.mark.parametrize(("kind", "round"), [(Kind.CONFIRMED, 0), (Kind.VALIDATED, MAX_U32)])
def test_a_certificate_of_a_quorum(scheme: Scheme, voters: tuple[int, ...], kind: Kind, round: int) -> None:
    certificate = certify(network(scheme=scheme), EXECUTED, voters, kind, round)
    assert check(certificate, scheme) == scheme.hash(EXECUTED)


@pytest.mark.clauses("WP-2.2-CERTIFICATE")
@pytest.mark.parametrize("scheme", BOTH)
@pytest.mark.parametrize(
    "change", [{"executed": OTHER}, {"kind": Kind.VALIDATED}, {"round": 1}], ids=lambda change: next(iter(change))
)
def test_a_certificate_of_something_else(scheme: Scheme, change: dict[str, Any]) -> None:
    certificate = evolve(certify(network(scheme=scheme), EXECUTED), **change)
    with refused(Reason.INVALID_SIGNATURE):
        check(certificate, scheme)


SIGNERS = [
    # signers (4 is a stranger), reason, who is blamed
    ((0, 1, 0, 2, 3), Reason.CERTIFICATE_VALIDATOR_REUSE, 0),
    ((0, 0), Reason.CERTIFICATE_VALIDATOR_REUSE, 0),
    ((0, 1, 2, 3, 3), Reason.CERTIFICATE_VALIDATOR_REUSE, 3),
    ((0, 1, 2, 3, 4), Reason.INVALID_CERTIFICATE_SIGNER, 4),
    ((4,), Reason.INVALID_CERTIFICATE_SIGNER, 4),
    # The first bad signer counts, whatever is wrong with it.
    ((4, 4), Reason.INVALID_CERTIFICATE_SIGNER, 4),
    ((0, 4, 0), Reason.INVALID_CERTIFICATE_SIGNER, 4),
    ((0, 0, 4), Reason.CERTIFICATE_VALIDATOR_REUSE, 0),
]


@pytest.mark.clauses("WP-2.2-CERTIFICATE")
@pytest.mark.parametrize(("places", "reason", "blamed"), SIGNERS)
def test_bad_signers(places: tuple[int, ...], reason: Reason, blamed: int) -> None:
    everybody = (*KEYS, STRANGER)
    signers = tuple(everybody[i] for i in places)
    with refused(reason) as caught:
        check_signers(COMMITTEE, signers, QUORUM)
    assert caught.value.detail == everybody[blamed]
    # Signers come before signatures.
    with refused(reason):
        check(Certificate(EXECUTED, Kind.CONFIRMED, 0, tuple((s, bytes(64)) for s in signers)))


@pytest.mark.clauses("WP-2.2-CERTIFICATE")
def test_a_weightless_member_never_signs() -> None:
    some = network((0, 1, 1, 1, 1)).context.committee
    signers = tuple(s.public_key for s in validators(network((0, 1, 1, 1, 1))))
    check_signers(some, signers[1:], QUORUM)
    with refused(Reason.INVALID_CERTIFICATE_SIGNER) as caught:
        check_signers(some, signers, QUORUM)
    assert caught.value.detail == signers[0]


@pytest.mark.clauses("WP-2.2-CERTIFICATE")
@pytest.mark.parametrize("places", [(), (0,), (0, 1), (2, 3)])
def test_too_few_signers(places: tuple[int, ...]) -> None:
    with refused(Reason.CERTIFICATE_REQUIRES_QUORUM) as caught:
        check(certify(NET, EXECUTED, places))
    assert caught.value.detail == len(places)
    # The quorum comes before signatures.
    with refused(Reason.CERTIFICATE_REQUIRES_QUORUM):
        check(evolve(certify(NET, EXECUTED, places), executed=OTHER))


@pytest.mark.clauses("WP-2.2-CERTIFICATE")
def test_the_quorum_counts_weights() -> None:
    heavy = network((5, 1, 1, 1)).context
    first, *rest = (s.public_key for s in validators(NET))
    check_signers(heavy.committee, (first, rest[0]), QUORUM)
    with refused(Reason.CERTIFICATE_REQUIRES_QUORUM):
        check_signers(heavy.committee, (first,), QUORUM)
    with refused(Reason.CERTIFICATE_REQUIRES_QUORUM):
        check_signers(heavy.committee, tuple(rest), QUORUM)


@pytest.mark.clauses("WP-2.2-CERTIFICATE")
def test_the_profile_decides_the_quorum() -> None:
    three = network((1, 1, 1)).context.committee
    check_signers(three, KEYS[:2], QuorumRule.HALF_WAY)
    with refused(Reason.CERTIFICATE_REQUIRES_QUORUM):
        check_signers(three, KEYS[:2], QuorumRule.N_MINUS_F)


@pytest.mark.clauses("WP-2.2-CERTIFICATE")
@pytest.mark.parametrize("scheme", BOTH)
@pytest.mark.parametrize("place", range(4))
def test_one_bad_signature_spoils_a_quorum(scheme: Scheme, place: int) -> None:
    net = network(scheme=scheme)
    with refused(Reason.INVALID_SIGNATURE) as caught:
        check(with_signature(certify(net, EXECUTED), place, vote(net, place, OTHER).signature), scheme)
    assert caught.value.detail == validators(net)[place].public_key


@pytest.mark.clauses("WP-2.2-CERTIFICATE")
def test_the_first_bad_signature_is_blamed() -> None:
    broken = with_signature(with_signature(certify(NET, EXECUTED), 1, b""), 3, b"")
    with refused(Reason.INVALID_SIGNATURE) as caught:
        check(broken)
    assert caught.value.detail == KEYS[1]


# --- gathering votes ---------------------------------------------------------------------------------------------

PAYLOAD = certified_payload(IDEAL, certify(NET, EXECUTED))


def gather(*places: int) -> Aggregate:
    aggregate = Aggregate(PAYLOAD)
    for place in places:
        aggregate = add_vote(IDEAL, COMMITTEE, aggregate, vote(NET, place, EXECUTED))
    return aggregate


@pytest.mark.clauses("WP-2.8-STOP-AT-QUORUM")
def test_votes_are_gathered_until_they_form_a_quorum() -> None:
    assert form_certificate(COMMITTEE, gather(), EXECUTED, QUORUM) is None
    assert form_certificate(COMMITTEE, gather(0, 3), EXECUTED, QUORUM) is None
    formed = form_certificate(COMMITTEE, gather(3, 0, 1), EXECUTED, QUORUM)
    assert formed is not None
    assert (formed.executed, formed.kind, formed.round) == (EXECUTED, Kind.CONFIRMED, 0)
    assert [s for s, _ in formed.signatures] == sorted((KEYS[3], KEYS[0], KEYS[1]))
    assert check(formed) == PAYLOAD.block_hash
    # Who voted first makes no difference.
    assert formed == form_certificate(COMMITTEE, gather(1, 3, 0), EXECUTED, QUORUM)


@pytest.mark.clauses("WP-2.8-STOP-AT-QUORUM")
def test_the_certificate_keeps_kind_and_round() -> None:
    payload = VotePayload(Kind.VALIDATED, IDEAL.hash(EXECUTED), 3)
    aggregate = Aggregate(payload)
    for place in range(3):
        cast = vote(NET, place, EXECUTED, Kind.VALIDATED, 3)
        aggregate = add_vote(IDEAL, COMMITTEE, aggregate, cast)
    formed = form_certificate(COMMITTEE, aggregate, EXECUTED, QUORUM)
    assert formed is not None
    assert certified_payload(IDEAL, formed) == payload


FORGED = evolve(vote(NET, 1, EXECUTED), signature=bytes(64))


@pytest.mark.clauses("WP-2.8-STOP-AT-QUORUM")
@pytest.mark.parametrize(
    ("cast", "reason"),
    [
        (vote(NET, 1, OTHER), Reason.INVALID_SIGNATURE),
        (vote(NET, 1, EXECUTED, Kind.VALIDATED), Reason.INVALID_SIGNATURE),
        (vote(NET, 1, EXECUTED, round=1), Reason.INVALID_SIGNATURE),
        (FORGED, Reason.INVALID_SIGNATURE),
        # The signature on another payload does not count for this one.
        (evolve(vote(NET, 1, OTHER), payload=PAYLOAD), Reason.INVALID_SIGNATURE),
        (vote(NET, 0, EXECUTED), Reason.CERTIFICATE_VALIDATOR_REUSE),
        (sign_vote(IDEAL, signer("stranger"), PAYLOAD), Reason.INVALID_CERTIFICATE_SIGNER),
        # In this order
        (evolve(vote(NET, 0, EXECUTED), signature=bytes(64)), Reason.INVALID_SIGNATURE),
        (evolve(FORGED, validator=STRANGER), Reason.INVALID_SIGNATURE),
    ],
)
def test_votes_that_do_not_count(cast: Any, reason: Reason) -> None:
    with refused(reason) as caught:
        add_vote(IDEAL, COMMITTEE, gather(0), cast)
    assert caught.value.detail == cast.validator


@pytest.mark.clauses("WP-2.8-STOP-AT-QUORUM")
def test_a_stranger_counted_before_is_a_repetition() -> None:
    """Reuse is tested before voting rights."""
    cast = sign_vote(IDEAL, signer("stranger"), PAYLOAD)
    aggregate = evolve(Aggregate(PAYLOAD), signatures=Aggregate(PAYLOAD).signatures.set(cast.validator, cast.signature))
    with refused(Reason.CERTIFICATE_VALIDATOR_REUSE):
        add_vote(IDEAL, COMMITTEE, aggregate, cast)


@pytest.mark.clauses("WP-2.2-CERTIFICATE", "WP-2.8-STOP-AT-QUORUM")
@examples(100)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=5).filter(any), st.data())
def test_a_certificate_is_formed_exactly_when_it_verifies(weights: list[int], data: st.DataObject) -> None:
    net = network(weights, scheme=data.draw(st.sampled_from((IDEAL, ED25519))))
    voters = data.draw(st.permutations([i for i, w in enumerate(weights) if w > 0]))
    voters = voters[: data.draw(st.integers(0, len(voters)))]
    context = net.context
    aggregate = Aggregate(VotePayload(Kind.CONFIRMED, context.scheme.hash(EXECUTED), 0))
    for place in voters:
        aggregate = add_vote(context.scheme, context.committee, aggregate, vote(net, place, EXECUTED))
    formed = form_certificate(context.committee, aggregate, EXECUTED, QUORUM)
    signers = [validators(net)[i].public_key for i in voters]
    assert (formed is not None) == is_quorum(context.committee, combined_weight(context.committee, signers))
    if formed is not None:
        assert check_certificate(context.scheme, context.committee, formed, QUORUM) == aggregate.payload.block_hash


@pytest.mark.clauses("WP-2.2-ACCOUNTABILITY", "WP-2.2-CERTIFICATE")
@examples(200)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.sampled_from(QuorumRule), st.data())
def test_conflicting_certificates_name_the_guilty(weights: list[int], rule: QuorumRule, data: st.DataObject) -> None:
    """Who signed both weighs a third or more; a validator that votes once is never among them."""
    net = network(weights)
    places = st.sets(st.sampled_from(range(len(weights))))
    honest = data.draw(st.sampled_from(range(len(weights))))
    voters = [data.draw(places), data.draw(places) - {honest}]
    pair = [certify(net, some, sorted(who)) for some, who in zip((EXECUTED, OTHER), voters, strict=True)]
    committee = net.context.committee
    try:
        hashes = {check_certificate(IDEAL, committee, certificate, rule) for certificate in pair}
    except Rejection:
        assert not all(is_quorum(committee, sum(weights[i] for i in who), rule) for who in voters)
        return
    assert len(hashes) == 2
    guilty = set.intersection(*({signer for signer, _ in certificate.signatures} for certificate in pair))
    assert combined_weight(committee, guilty) >= validity_threshold(committee.total)
    assert validators(net)[honest].public_key not in guilty

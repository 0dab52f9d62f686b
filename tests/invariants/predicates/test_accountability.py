"""S27: a fork convicts the guilty and nobody else."""

import pytest
from attrs import evolve
from support import certify, network, proposal, root, run, validators
from worlds import ALICE, NETWORK, SLOW, add_certificate, cell, fires, forged, holds, pay, story

from linera_invariants.convictions import convicted
from linera_invariants.predicates.accountability import charged_at
from linera_invariants.registry import check_state
from linera_reference.certificate import Kind
from linera_reference.execution import execute_block
from linera_reference.network import CastVote, Certify, Deliver, Propose, initial_world
from linera_reference.validator import payload_of


def guilty(network, one, two):
    return convicted(network.context.scheme, network.context.committee, one, two)


def forked(weights=(1, 1, 1, 1), byzantine=(2, 3)):
    """Fork Alice's chain with too many Byzantine validators: each of the others votes for another block."""
    faulty = network(weights, byzantine=byzantine)
    keys = [signer.public_key for signer in validators(faulty)]
    start, world, certificates = root(faulty), initial_world(faulty), []
    for correct, amount in ((0, 1), (1, 2)):
        request = proposal(faulty, "alice", start, pay((1,), amount))
        executed = execute_block(faulty.context, start, request.block).executed
        votes = (CastVote(keys[liar], payload_of(faulty.context, executed)) for liar in byzantine)
        voters = tuple(keys[place] for place in (correct, *byzantine))
        world = run(faulty, world, Propose(request), Deliver(keys[correct], request), *votes, Certify(executed, voters))
        certificates.append(world.certificates[faulty.context.scheme.hash(executed)])
    return faulty, world, certificates


@pytest.mark.clauses("WP-2.2-ACCOUNTABILITY")
@pytest.mark.parametrize("weights", [(1, 1, 1, 1), (2, 2, 3, 1), (1, 2, 3, 4)])
def test_s27_holds_beyond_the_fault_bound(weights):
    faulty, world, (one, two) = forked(weights)
    fires("S4", world, faulty)
    assert check_state(faulty, world, {"S27", "S5", "S8", "S9"}) == []
    assert guilty(faulty, one, two) == faulty.byzantine


@pytest.mark.clauses("WP-2.2-ACCOUNTABILITY")
def test_s27_holds_on_the_run():
    holds("S27")


@pytest.mark.clauses("WP-2.2-ACCOUNTABILITY", "WP-2.2-CERTIFICATE")
def test_s27_fires_when_a_fork_convicts_too_few():
    world = add_certificate(story().end, forged(ALICE, voters=(3,)))
    found = fires("S27", world)
    assert all("too few" in violation.detail for violation in found)


@pytest.mark.clauses("WP-2.2-ACCOUNTABILITY", "WP-2.8-PENDING")
def test_s27_fires_when_a_fork_convicts_a_correct_validator():
    found = fires("S27", add_certificate(story().end, forged(ALICE)))
    assert all("which is correct" in violation.detail for violation in found)


@pytest.mark.clauses("WP-2.2-ACCOUNTABILITY", "WP-2.3-CERT-IDENTITY")
def test_nobody_is_convicted_without_a_conflict():
    one, two = cell(story().end, SLOW, ALICE).localized.certificates.since(0)[:2]
    again = certify(NETWORK, one.executed)
    assert guilty(NETWORK, one, again) == frozenset()
    assert guilty(NETWORK, one, two) == frozenset()
    assert guilty(NETWORK, one, certify(NETWORK, one.executed, round=1)) == frozenset()
    assert guilty(NETWORK, one, certify(NETWORK, forged(ALICE).executed, kind=Kind.VALIDATED)) == frozenset()
    assert guilty(NETWORK, one, forged(ALICE)) != frozenset()


@pytest.mark.clauses("WP-2.2-ACCOUNTABILITY", "WP-2.3-SIGN")
def test_a_forged_signature_convicts_nobody():
    one = cell(story().end, SLOW, ALICE).localized.certificates.since(0)[0]
    false = forged(ALICE)
    blamed = tuple((key, bytes(64)) for key, _ in false.signatures)
    assert guilty(NETWORK, one, evolve(false, signatures=blamed)) == frozenset()


def test_another_round_is_no_excuse_unless_the_block_was_validated():
    one = cell(story().end, SLOW, ALICE).localized.certificates.since(0)[0]
    later = certify(NETWORK, forged(ALICE).executed, round=7)
    assert guilty(NETWORK, one, later) == frozenset()
    world = add_certificate(story().end, later)
    assert charged_at(NETWORK, world, one) == {key for key, _ in later.signatures}
    validated = certify(NETWORK, later.executed, kind=Kind.VALIDATED, round=7)
    answered = evolve(world, validated=world.validated.set(payload_of(NETWORK.context, later.executed), validated))
    assert charged_at(NETWORK, answered, one) == {key for key, _ in one.signatures}


def test_only_members_with_voting_rights_are_convicted():
    faulty, _, (one, two) = forked()
    scheme, committee = faulty.context.scheme, faulty.context.committee
    _, _, last, other = (signer.public_key for signer in validators(faulty))
    without = evolve(committee, weights=committee.weights.delete(last))
    assert convicted(scheme, without, one, two) == {other}
    assert convicted(scheme, evolve(committee, weights=committee.weights.set(last, 0)), one, two) == {other}

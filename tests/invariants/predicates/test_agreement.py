"""S1, S2, S4, S5: each holds on the run, where it has something to say, and fires when it should."""

import pytest
from attrs import evolve
from support import vote
from worlds import (
    ALICE,
    BOB,
    CAROL,
    FIRST,
    NETWORK,
    SECOND,
    SLOW,
    add_certificate,
    cell,
    fires,
    forged,
    holds,
    log,
    spoil,
    story,
)

from linera_invariants.views import is_archived
from linera_reference.application import Balance


@pytest.mark.clauses("WP-3.3-CLAIM-1", "WP-2.4-CHAINING")
def test_s1_holds_between_validators_of_different_heights():
    holds("S1")
    heights = {cell(world, FIRST, BOB).consistent.next_height for world in story().worlds}
    assert heights == {0, 1, 2, 3}
    assert any(
        cell(world, FIRST, BOB).consistent.next_height > cell(world, SLOW, BOB).consistent.next_height > 0
        for world in story().worlds
    )


@pytest.mark.clauses("WP-3.3-CLAIM-1")
@pytest.mark.parametrize("chain_id", [ALICE, CAROL], ids=["live", "archived elsewhere"])
def test_s1_fires_on_a_fork(chain_id):
    first, *rest = cell(story().end, SLOW, chain_id).consistent.log.since(0)
    fires("S1", spoil(story().end, SLOW, chain_id, log=log(bytes(32), *rest)))
    fires("S1", spoil(story().end, SLOW, chain_id, log=log(first, *rest[:-1], bytes(32))))


@pytest.mark.clauses("WP-2.6-CONSISTENT", "WP-2.6-LOCALIZED")
def test_s2_holds_where_the_localized_parts_differ():
    holds("S2")
    equal = [
        (cell(world, FIRST, BOB), cell(world, SLOW, BOB))
        for world in story().worlds
        if cell(world, FIRST, BOB).consistent == cell(world, SLOW, BOB).consistent
    ]
    assert any(one.localized != two.localized for one, two in equal)


@pytest.mark.clauses("WP-2.6-CONSISTENT", "WP-2.6-STATE-HASH")
@pytest.mark.parametrize(
    "fields",
    [
        {"state": Balance(1)},
        {"owner": bytes(32)},
        {"tx_count": 99},
        {"creation_height": 3},
        {"block_hash": bytes(32)},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_s2_fires_on_another_consistent_part(fields):
    fires("S2", spoil(story().end, SLOW, ALICE, **fields))


@pytest.mark.clauses("WP-2.6-CONSISTENT", "WP-2.4-ARCHIVE")
def test_s2_compares_a_tombstone_without_what_it_forgot():
    end = story().end
    assert is_archived(cell(end, FIRST, CAROL))
    assert not is_archived(cell(end, SLOW, CAROL))
    fires("S2", spoil(end, FIRST, CAROL, tx_count=99))


@pytest.mark.clauses("WP-2.2-QUORUM-INTERSECTION", "WP-2.3-CERT-IDENTITY")
def test_s4_holds_though_bob_signs_two_blocks():
    holds("S4")
    requests = {request.block for request in story().end.requests if request.block.chain_id == BOB}
    assert len(requests) == len({block.height for block in requests}) + 1


@pytest.mark.clauses("WP-2.2-QUORUM-INTERSECTION", "WP-2.2-CERTIFICATE")
def test_s4_fires_on_two_certified_blocks_at_one_height():
    fires("S4", add_certificate(story().end, forged(ALICE)))


@pytest.mark.clauses("WP-2.8-VOTE", "WP-2.8-PENDING")
def test_s5_holds_for_the_loser_of_an_equivocation():
    holds("S5")
    votes = [v for v in story().end.votes if v.validator == SLOW]
    certified = set(story().end.certificates)
    assert {v.payload.block_hash in certified for v in votes} == {False}


@pytest.mark.clauses("WP-2.8-VOTE", "WP-2.8-PENDING")
def test_s5_fires_on_two_votes_at_one_height():
    world = story().end
    executed = cell(world, FIRST, BOB).localized.certificates.since(0)[-1].executed
    found = fires("S5", evolve(world, votes=world.votes.insert(vote(NETWORK, 2, executed))))
    assert any("twice" in violation.detail for violation in found)


@pytest.mark.clauses("WP-2.8-VOTE")
def test_s5_fires_on_a_vote_that_no_request_asks_for():
    world = story().end
    found = fires("S5", evolve(world, votes=world.votes.insert(vote(NETWORK, 1, forged(ALICE).executed))))
    assert any("nobody proposed" in violation.detail for violation in found)


def test_the_prompt_validators_agree():
    assert cell(story().end, FIRST, ALICE) == cell(story().end, SECOND, ALICE)

"""S3, S8, S9, S10, S18: the life of a chain."""

import pytest
from attrs import evolve
from support import certify, executed, key, request
from worlds import (
    ALICE,
    BOB,
    CAROL,
    CORRECT,
    FIRST,
    LIAR,
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
    step_fires,
    story,
)

from linera_invariants.registry import check_step
from linera_invariants.views import is_archived
from linera_reference.block import OpenChain
from linera_reference.containers import Set
from linera_reference.network import ArchiveChain
from linera_reference.rejections import Accepted
from linera_reference.validator import download


@pytest.mark.clauses("WP-2.4-CHAINING", "WP-2.3-HASH", "WP-2.4-ARCHIVE")
def test_s3_holds_on_live_chains_and_tombstones():
    holds("S3")
    assert [is_archived(cell(story().end, validator, CAROL)) for validator in CORRECT] == [True, True, False]
    assert cell(story().end, FIRST, CAROL).consistent.next_height == 3


@pytest.mark.clauses("WP-2.4-CHAINING")
@pytest.mark.parametrize(
    "fields",
    [
        {"next_height": 4},
        {"block_hash": None},
        {"log": log()},
        {"log": log(bytes(32), bytes(32), bytes(32))},
        {"certificates": log()},
        {"certificates": log(*[forged(ALICE, 1)] * 3)},
        {"certificates": log(forged(ALICE), forged(ALICE, 1), forged(ALICE, 2))},
    ],
    ids=str,
)
def test_s3_fires_on_a_broken_chain(fields):
    fires("S3", spoil(story().end, SLOW, ALICE, **fields))


@pytest.mark.clauses("WP-2.4-CHAINING", "WP-2.4-ARCHIVE")
def test_s3_fires_on_a_tombstone_of_unknown_blocks():
    fires("S3", spoil(story().end, FIRST, CAROL, block_hash=bytes(32)))
    fires("S3", spoil(story().end, FIRST, CAROL, next_height=4))


@pytest.mark.clauses("WP-3.3-CLAIM-4", "WP-2.1-OWNER-PROPOSES", "WP-2.7-CHANGE-KEY")
def test_s8_holds_though_a_chain_changes_hands():
    holds("S8")
    owners = {r.owner for r in story().end.requests if r.block.chain_id == CAROL}
    assert owners == {key("carol"), key("dave")}


@pytest.mark.clauses("WP-3.3-CLAIM-4", "WP-2.1-OWNER-PROPOSES")
def test_s8_fires_without_the_signature_of_the_owner():
    world = story().end
    fires("S8", evolve(world, requests=Set()))
    block = cell(world, FIRST, ALICE).localized.certificates.since(0)[1].executed.block
    fires("S8", evolve(world, requests=Set().insert(request(NETWORK, "bob", block))))
    unsigned = evolve(request(NETWORK, "alice", block), signature=bytes(64))
    assert len(fires("S8", evolve(world, requests=Set().insert(unsigned)))) == len(world.certificates)


@pytest.mark.clauses("WP-3.3-CLAIM-4", "WP-2.7-CHANGE-KEY")
def test_s8_fires_on_the_signature_of_an_earlier_owner():
    world = story().end
    last = cell(world, SLOW, CAROL).localized.certificates.since(0)[2].executed.block
    requests = (r for r in world.requests if r.block != last)
    stale = Set()
    for found in (*requests, request(NETWORK, "carol", last)):
        stale = stale.insert(found)
    assert len(fires("S8", evolve(world, requests=stale))) == 1


@pytest.mark.clauses("WP-3.3-CLAIM-4")
def test_s8_fires_on_a_chain_that_nobody_created():
    found = fires("S8", add_certificate(story().end, forged(ALICE, chain_id=(7, 7))))
    assert "rebuilt" in found[0].detail


@pytest.mark.clauses("WP-2.4-EXECUTED-BLOCK", "WP-2.2-VALIDITY", "WP-2.7-EXECUTE-BLOCK")
def test_s9_holds_with_a_byzantine_vote_in_each_certificate():
    holds("S9")
    signers = [{key for key, _ in c.signatures} for c in story().end.certificates.values()]
    assert signers
    assert all(LIAR in some for some in signers)


@pytest.mark.clauses("WP-2.4-EXECUTED-BLOCK", "WP-2.2-CERTIFICATE", "WP-2.2-VALIDITY")
@pytest.mark.parametrize(
    ("certificate", "detail"),
    [
        (lambda: forged(ALICE), "re-execution"),
        (lambda: forged(ALICE, voters=(3,)), "not valid"),
        (lambda: forged(ALICE, height=1, previous_hash=bytes(32)), "not valid"),
        (lambda: forged(ALICE), "no correct validator voted"),
    ],
)
def test_s9_fires_on_an_invalid_certificate(certificate, detail):
    found = fires("S9", add_certificate(story().end, certificate()))
    assert any(detail in violation.detail for violation in found)


@pytest.mark.clauses("WP-2.2-VALIDITY")
def test_s9_fires_when_no_correct_validator_voted():
    assert len(fires("S9", evolve(story().end, votes=Set()))) == len(story().end.certificates)


@pytest.mark.clauses("WP-2.8-PENDING")
def test_s10_holds_while_votes_are_pending():
    holds("S10")
    assert any(cell(world, SLOW, BOB).localized.pending is not None for world in story().worlds)
    assert cell(story().end, SLOW, BOB).localized.pending is None


@pytest.mark.clauses("WP-2.8-PENDING")
@pytest.mark.parametrize(("chain_id", "height"), [(ALICE, 1), (BOB, 2), (CAROL, 2)])
def test_s10_fires_on_a_stale_pending_block(chain_id, height):
    stale = forged(chain_id, height).executed
    fires("S10", spoil(story().end, SLOW, chain_id, pending=stale))


@pytest.mark.clauses("WP-2.8-PENDING", "WP-2.4-CLOSED-FOREVER")
def test_s10_fires_on_a_pending_block_of_a_closed_chain():
    part = cell(story().end, SLOW, CAROL).consistent
    block = evolve(forged(CAROL, 2).executed.block, height=part.next_height, previous_hash=part.block_hash)
    fires("S10", spoil(story().end, SLOW, CAROL, pending=evolve(forged(CAROL).executed, block=block)))


@pytest.mark.clauses("WP-2.4-FRESH", "WP-2.4-CLOSED-FOREVER", "WP-2.5-CREATE")
def test_s18_holds_while_a_chain_is_created_closed_and_archived():
    holds("S18")
    created = [cell(world, FIRST, CAROL).consistent.created for world in story().worlds]
    assert sorted(created) == created
    assert not created[0]
    assert created[-1]
    assert any(isinstance(step.action, ArchiveChain) for _, step, _ in story().steps)


def opening(chain_id):
    """Certify a block of Alice, on top of the run, that claims to open a chain."""
    chain = cell(story().end, FIRST, ALICE)
    index = chain.consistent.tx_count
    honest = executed(NETWORK, chain, OpenChain((*ALICE, index), key("bob")))
    messages = tuple(evolve(message, recipient=chain_id) for message in honest.messages)
    return certify(NETWORK, evolve(honest, messages=messages))


@pytest.mark.clauses("WP-2.4-FRESH", "WP-2.4-CHILD")
@pytest.mark.parametrize("chain_id", [CAROL, BOB, (*BOB, 9), (*CAROL, 1)])
def test_s18_fires_on_an_identifier_that_is_not_fresh(chain_id):
    fires("S18", add_certificate(story().end, opening(chain_id)))


@pytest.mark.clauses("WP-2.5-CREATE", "WP-2.4-CREATION-PROOF")
def test_s18_fires_on_a_chain_without_its_creating_block():
    world = story().end
    fires("S18.parent", spoil(world, SLOW, CAROL, creation_height=1))
    fires("S18.parent", spoil(world, SLOW, ALICE, certificates=log()))
    fires("S18.parent", spoil(world, SLOW, ALICE, creation_height=0))
    fires("S18.parent", spoil(world, SLOW, (9,), created=True))


@pytest.mark.clauses("WP-2.5-CREATE")
def test_s18_fires_on_a_second_creation():
    before, step, after = next(story().when(lambda before, _, __: cell(before, SLOW, CAROL).consistent.created))
    step_fires("S18.life", before, step, spoil(after, SLOW, CAROL, creation_height=7))
    step_fires("S18.life", before, step, spoil(after, SLOW, CAROL, created=False))


@pytest.mark.clauses("WP-2.4-CLOSED-FOREVER", "WP-2.4-ARCHIVE")
@pytest.mark.parametrize(
    "fields", [{"owner": key("eve")}, {"next_height": 4}, {"tx_count": 0}, {"log": log()}], ids=str
)
@pytest.mark.parametrize("validator", [FIRST, SLOW], ids=["archived", "kept"])
def test_s18_fires_when_a_closed_chain_changes(validator, fields):
    before, step, after = story().steps[-1]
    step_fires("S18.life", before, step, spoil(after, validator, CAROL, **fields))


@pytest.mark.clauses("WP-2.4-ARCHIVE")
def test_s18_accepts_that_an_archive_is_made():
    for before, step, after in story().when(lambda _, step, __: isinstance(step.action, ArchiveChain)):
        assert isinstance(step.outcome, Accepted)
        assert check_step(NETWORK, before, step, after, {"S18"}) == []


@pytest.mark.clauses("WP-2.4-ARCHIVE", "WP-2.8-QUERY")
def test_a_tombstone_serves_no_blocks():
    assert download(cell(story().end, SECOND, CAROL), 0, 9) == ()
    assert len(download(cell(story().end, SLOW, CAROL), 0, 9)) == 3

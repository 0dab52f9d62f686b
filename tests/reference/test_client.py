"""The strategies of a client."""

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map
from support import (
    NO_HASH,
    TOKENS,
    accepted,
    cell,
    certified,
    certify,
    commit,
    executed,
    key,
    message,
    network,
    node,
    proposal,
    rejected,
    request,
    root,
    signer,
    update,
    validators,
    vote,
)

from linera_reference.application import Balance, burn, transfer
from linera_reference.block import Block, ChangeKey, CloseChain, Execute, OpenChain, Receive
from linera_reference.certificate import Aggregate, Certificate, Kind, Vote, check_certificate
from linera_reference.chain import Chain, inbox_of
from linera_reference.client import (
    Goal,
    LocalNode,
    collect,
    deliver,
    goals_after,
    goals_from_received,
    is_place,
    is_reached,
    learn,
    local_context,
    measure,
    next_block,
    next_transfer,
    next_transfer_for_messages,
    propose,
    receive_waiting,
    track,
    try_vote,
    view_of,
)
from linera_reference.identifiers import ChainId
from linera_reference.messages import Cursor, User
from linera_reference.network import Network
from linera_reference.notation import MAX_U64
from linera_reference.outbox import ConfirmUpdatedRecipient
from linera_reference.rejections import Accepted, Reason, Rejected
from linera_reference.request import Request
from linera_reference.rules import QuorumRule
from linera_reference.validator import (
    Validator,
    chain_info,
    chain_of,
    cross_chain_requests,
    download,
    genesis_validator,
    handle,
    received_since,
)

NET = network()
CTX = NET.context
ALICE, BOB = (0,), (1,)
PAY = Execute(transfer(BOB, 5))
SIGNER = signer("alice")


def chain(some: LocalNode, chain_id: ChainId = ALICE) -> Chain:
    return chain_of(some.validator, chain_id)


# --- the local node ----------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.8-LOCAL-NODE")
def test_a_local_node_tracks_what_it_has_not_seen_created() -> None:
    assert local_context(CTX) == evolve(CTX, tracks_inactive=True)


@pytest.mark.clauses("WP-2.8-LOCAL-NODE")
def test_learning_delivers_to_tracked_chains_only() -> None:
    certificate = certified(NET, root(NET), PAY, Execute(transfer((9,), 1)))
    for tracked, arrived in (((), []), ((BOB,), [BOB]), (((9,), BOB), [BOB, (9,)])):
        outcome = accepted(learn(CTX, node(NET, *tracked), certificate))
        assert chain(outcome.state).consistent.next_height == 1
        for recipient in (BOB, (9,)):
            received = chain(outcome.state, recipient).localized.received.since(0)
            assert received == (((ALICE, 0),) if recipient in arrived else ())
        # What was delivered was acknowledged, too. The answer is that of the handler.
        assert outcome.outputs[1:] == cross_chain_requests(commit(NET, root(NET), PAY, Execute(transfer((9,), 1)))[0])
        assert sorted(chain(outcome.state).localized.outboxes) == [r for r in (BOB, (9,)) if r not in arrived]
        assert set(outcome.state.tracked) == set(tracked)


@pytest.mark.clauses("WP-2.8-LOCAL-NODE")
def test_learning_a_request_sets_pending_and_casts_no_vote() -> None:
    made = proposal(NET, "alice", root(NET), PAY)
    outcome = accepted(learn(CTX, node(NET), made))
    assert outcome.outputs == ()
    assert chain(outcome.state).localized.pending == executed(NET, root(NET), PAY)


def test_a_rejected_input_teaches_nothing() -> None:
    start = node(NET)
    found = rejected(learn(CTX, start, proposal(NET, "mallory", root(NET), PAY)), Reason.INVALID_OWNER)
    assert found.detail == key("mallory")


@pytest.mark.clauses("WP-2.8-LOCAL-NODE")
def test_tracking_a_chain_delivers_what_is_known_already() -> None:
    certificate = certified(NET, root(NET), PAY, Execute(transfer((9,), 1)))
    start = accepted(learn(CTX, node(NET), certificate)).state
    after = track(CTX, start, BOB)
    assert after.tracked.contains(BOB)
    assert len(inbox_of(chain(after, BOB), ALICE).added) == 1
    assert chain(after, (9,)) == Chain((9,))
    later = track(CTX, after, (9,))
    assert not chain(later, (9,)).consistent.created
    assert len(inbox_of(chain(later, (9,)), ALICE).added) == 1
    assert chain(later).localized.outboxes == Map()
    assert track(CTX, later, BOB) == later


@pytest.mark.clauses("WP-2.8-LOCAL-NODE")
def test_tracking_a_chain_tracks_its_ancestors() -> None:
    after = track(CTX, node(NET), (0, 1, 5))
    assert set(after.tracked) == {(0,), (0, 1), (0, 1, 5)}
    certificate = certified(NET, root(NET), PAY, OpenChain((0, 1), key("carol")))
    after = accepted(learn(CTX, after, certificate)).state
    assert chain(after, (0, 1)).consistent.owner == key("carol")
    # What they know when they start to be tracked is delivered down the line.
    late = accepted(learn(CTX, node(NET), certificate)).state
    assert chain(track(CTX, late, (0, 1, 5)), (0, 1)).consistent.owner == key("carol")


@pytest.mark.clauses("WP-2.8-LOCAL-NODE", "WP-2.5-REQUEST")
def test_delivery_carries_requests_and_their_answers() -> None:
    sender, _ = commit(NET, root(NET), PAY, OpenChain((0, 1), key("carol")))
    start = Validator(Map({ALICE: sender, BOB: root(NET, 1)}))
    requests = cross_chain_requests(sender)
    everywhere = deliver(CTX, start, requests, lambda _: True)
    assert chain_of(everywhere, (0, 1)).consistent.owner == key("carol")
    assert chain_of(everywhere, ALICE).localized.outboxes == Map()
    only_bob = deliver(CTX, start, requests, lambda chain_id: chain_id == BOB)
    assert sorted(chain_of(only_bob, ALICE).localized.outboxes) == [(0, 1)]
    assert (0, 1) not in only_bob.chains
    # Everything else among the outputs of a handler is passed over, and so is what is rejected.
    noise = (chain_info(sender), vote(NET, 0, executed(NET, root(NET), PAY)), update(sender, BOB), "noise")
    assert deliver(CTX, Validator(), noise, lambda _: True) == Validator()
    answer = ConfirmUpdatedRecipient(ALICE, BOB, 0)
    assert sorted(chain_of(deliver(CTX, start, (answer,), lambda _: False), ALICE).localized.outboxes) == [(0, 1)]


def test_a_view_is_what_a_node_says() -> None:
    view = view_of(node(NET).validator)
    assert view(ALICE) == chain_info(root(NET))
    assert view((9,)) == chain_info(Chain((9,)))


# --- extending a chain -------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.8-EXTEND")
def test_the_next_block() -> None:
    assert next_block(root(NET), (PAY,)) == Block(ALICE, 0, None, (PAY,))
    later, certificate = commit(NET, root(NET), PAY)
    assert next_block(later, ()) == Block(ALICE, 1, CTX.scheme.hash(certificate.executed), ())


@pytest.mark.clauses("WP-2.8-EXTEND")
def test_waiting_messages_are_picked_by_sorted_origin() -> None:
    start = Chain(BOB)
    local = evolve(CTX, tracks_inactive=True)
    for origin in ((3,), (2, 9), (2,)):
        sender = cell(origin)
        for _ in range(2):
            sender, _ = commit(NET, sender, PAY)
        outcome = handle(local, Validator(Map({BOB: start})), update(sender, BOB), None)
        start = accepted(outcome).state.chains[BOB]
    picked = [(r.message.origin, r.message.height) for r in receive_waiting(start)]
    assert picked == [(origin, height) for origin in ((2,), (2, 9), (3,)) for height in (0, 1)]
    for limit in (0, 1, 3, 6, 99):
        assert [(r.message.origin, r.message.height) for r in receive_waiting(start, limit)] == picked[:limit]
    assert receive_waiting(root(NET)) == ()


@pytest.mark.clauses("WP-2.8-EXTEND", "WP-2.8-PENDING")
def test_a_proposal_is_remembered_before_it_is_sent() -> None:
    outcome = accepted(propose(CTX, node(NET), SIGNER, ALICE, (PAY,)))
    assert outcome.outputs == (proposal(NET, "alice", root(NET), PAY),)
    assert chain(outcome.state).localized.pending == executed(NET, root(NET), PAY)


@pytest.mark.clauses("WP-2.8-PENDING")
def test_a_pending_block_is_proposed_again_whatever_else_is_wanted() -> None:
    once = accepted(propose(CTX, node(NET), SIGNER, ALICE, (PAY,)))
    twice = accepted(propose(CTX, once.state, SIGNER, ALICE, (Execute(burn(1)),)))
    assert twice == once


def test_a_proposal_can_be_refused_locally() -> None:
    start = node(NET)
    rejected(propose(CTX, start, SIGNER, BOB, (PAY,)), Reason.INVALID_OWNER)
    rejected(propose(CTX, start, SIGNER, (9,), ()), Reason.INACTIVE_CHAIN)
    rejected(propose(CTX, start, SIGNER, ALICE, (Execute(burn(TOKENS + 1)),)), Reason.INSUFFICIENT_FUNDING)
    unknown = Receive(message(3))
    rejected(propose(CTX, start, SIGNER, ALICE, (unknown,)), Reason.USER_ERROR)


@pytest.mark.parametrize(
    "transaction", [OpenChain((0, MAX_U64 + 1), key("bob")), ChangeKey(b"short"), OpenChain((-1,), key("bob"))]
)
def test_what_cannot_be_signed_is_refused_too(transaction: Any) -> None:
    rejected(propose(CTX, node(NET), SIGNER, ALICE, (transaction,)), Reason.OUT_OF_RANGE)


# --- votes -------------------------------------------------------------------------------------------------------

PENDING = accepted(propose(CTX, node(NET), SIGNER, ALICE, (PAY,))).state
EXECUTED = executed(NET, root(NET), PAY)


def votes(*places: int, **changes: Any) -> list[Vote]:
    return [vote(NET, place, evolve(EXECUTED, **changes)) for place in places]


@pytest.mark.clauses("WP-2.8-STOP-AT-QUORUM", "WP-2.2-CERTIFICATE")
def test_a_quorum_of_votes_makes_a_certificate() -> None:
    formed = collect(CTX, PENDING, ALICE, votes(3, 0, 2))
    assert formed is not None
    assert (formed.executed, formed.kind, formed.round, len(formed.signatures)) == (EXECUTED, Kind.CONFIRMED, 0, 3)
    check_certificate(CTX.scheme, CTX.committee, formed, QuorumRule.N_MINUS_F)
    accepted(learn(CTX, PENDING, formed))


@pytest.mark.clauses("WP-2.8-STOP-AT-QUORUM")
@pytest.mark.parametrize("places", [(), (0,), (1, 3), (0, 0, 0, 0), (0, 1, 0, 1)])
def test_fewer_make_none(places: tuple[int, ...]) -> None:
    assert collect(CTX, PENDING, ALICE, votes(*places)) is None


@pytest.mark.clauses("WP-2.8-STOP-AT-QUORUM")
def test_wrong_votes_count_for_nothing_and_hinder_nothing() -> None:
    forged = evolve(vote(NET, 1, EXECUTED), signature=bytes(64))
    other = vote(NET, 1, evolve(EXECUTED, state_hash=NO_HASH))
    stranger = vote(network((1,) * 9), 8, EXECUTED)
    wrong = [forged, other, stranger, vote(NET, 1, EXECUTED, Kind.VALIDATED), vote(NET, 1, EXECUTED, round=1)]
    assert collect(CTX, PENDING, ALICE, [*wrong, *votes(0, 2)]) is None
    formed = collect(CTX, PENDING, ALICE, [*wrong, *votes(0, 2), *wrong, *votes(1)])
    assert formed is not None
    assert sorted(s for s, _ in formed.signatures) == sorted(v.validator for v in votes(0, 1, 2))


@pytest.mark.clauses("WP-2.8-STOP-AT-QUORUM")
def test_no_vote_is_read_beyond_a_quorum() -> None:
    read: list[int] = []

    def arriving() -> Iterator[Vote]:
        for place, cast in enumerate(votes(0, 1, 2, 3)):
            read.append(place)
            yield cast

    assert collect(CTX, PENDING, ALICE, arriving()) is not None
    assert read == [0, 1, 2]


@pytest.mark.clauses("WP-2.9-FINALISE", "WP-2.8-STOP-AT-QUORUM", "WP-2.9-FINAL-VOTE")
def test_with_several_owners_votes_are_gathered_twice() -> None:
    """First to validate the proposal, then to confirm the lock, and never mixed."""
    net = network(owners=(("alice", "bob"), "carol"))
    some = executed(net, root(net), PAY)
    proposed = accepted(learn(net.context, node(net), request(net, "bob", some.block, 2))).state
    validating = [vote(net, place, some, Kind.VALIDATED, 2) for place in range(4)]
    confirming = [vote(net, place, some, Kind.CONFIRMED, 2) for place in range(4)]
    others = [vote(net, 0, some, Kind.VALIDATED, 1), vote(net, 0, some), vote(net, 3, some, Kind.CONFIRMED, 3)]
    validated = collect(net.context, proposed, ALICE, [*others, *confirming, *validating[1:]])
    assert validated is not None
    assert validated == certify(net, some, _in_order(net, 1, 2, 3), Kind.VALIDATED, 2)
    assert collect(net.context, proposed, ALICE, [*confirming, *validating[2:]]) is None
    locked = accepted(learn(net.context, proposed, validated)).state
    confirmed = collect(net.context, locked, ALICE, [*validating, *others, *confirming[:3]])
    assert confirmed is not None
    assert confirmed == certify(net, some, _in_order(net, 0, 1, 2), round=2)
    assert chain(accepted(learn(net.context, locked, confirmed)).state).consistent.next_height == 1


def _in_order(net: Network, *places: int) -> list[int]:
    """Sort places by key, as a certificate lists its signers."""
    return sorted(places, key=lambda place: validators(net)[place].public_key)


def test_there_is_nothing_to_gather_without_a_pending_block() -> None:
    assert collect(CTX, node(NET), ALICE, votes(0, 1, 2)) is None
    assert collect(CTX, PENDING, BOB, votes(0, 1, 2)) is None


@pytest.mark.clauses("WP-2.8-STOP-AT-QUORUM")
def test_trying_a_vote() -> None:
    cast = vote(NET, 0, EXECUTED)
    start = Aggregate(cast.payload)
    once = accepted(try_vote(CTX, start, cast)).state
    assert dict(once.signatures) == {cast.validator: cast.signature}
    rejected(try_vote(CTX, once, cast), Reason.CERTIFICATE_VALIDATOR_REUSE)
    rejected(try_vote(CTX, start, evolve(cast, signature=b"")), Reason.INVALID_SIGNATURE)


# --- bringing a node up to date ----------------------------------------------------------------------------------

CHILD, GRANDCHILD = (0, 1), (0, 1, 0)


def everything(_: ChainId) -> bool:
    return True


def family() -> Validator:
    """Return a node that has everything: alice's chain of 4 blocks, a child of 3 and a grandchild of 2."""
    full = genesis_validator(NET.genesis)
    full = extend(full, ALICE, PAY)
    full = extend(full, ALICE, OpenChain(CHILD, key("carol")))
    full = extend(full, CHILD, OpenChain(GRANDCHILD, key("dave")))
    full = extend(full, ALICE, PAY)
    for chain_id in (CHILD, GRANDCHILD, CHILD, ALICE, GRANDCHILD):
        full = extend(full, chain_id)
    return full


def extend(validator: Validator, chain_id: ChainId, *transactions: Any) -> Validator:
    return upload(validator, certified(NET, chain_of(validator, chain_id), *transactions))


def upload(validator: Validator, certificate: Certificate, settle: Any = everything) -> Validator:
    outcome = accepted(handle(CTX, validator, certificate, validators(NET)[0]))
    return deliver(CTX, outcome.state, outcome.outputs, settle)


FULL = family()
AHEAD = view_of(FULL)
START = genesis_validator(NET.genesis)


def fetch(place: tuple[ChainId, int]) -> Certificate:
    chain_id, height = place
    (certificate,) = download(chain_of(FULL, chain_id), height, height + 1)
    return certificate


def partly(counts: dict[ChainId, int], settle: Any = everything) -> Validator:
    """Return a node that has only so many blocks of each chain, as far as it can take them."""
    some = START
    for chain_id, count in sorted(counts.items()):
        for height in range(count):
            if chain_of(some, chain_id).consistent.created:
                some = upload(some, fetch((chain_id, height)), settle)
    return some


def test_the_family() -> None:
    assert [AHEAD(c).next_height for c in (ALICE, CHILD, GRANDCHILD)] == [4, 3, 2]
    assert [AHEAD(c).creation_height for c in (ALICE, CHILD, GRANDCHILD)] == [None, 1, 0]


@pytest.mark.clauses("WP-2.8-QUERY")
def test_a_goal_is_a_created_chain_of_some_height() -> None:
    some = view_of(partly({ALICE: 2}))
    assert [is_reached(some, Goal(ALICE, height)) for height in (0, 1, 2, 3)] == [True, True, True, False]
    assert is_reached(some, Goal(CHILD, 0))
    assert not is_reached(some, Goal(CHILD, 1))
    assert not is_reached(some, Goal(GRANDCHILD, 0)), "not created"


@pytest.mark.clauses("WP-2.8-UPLOAD", "WP-2.8-SYNC-ANCESTORS")
def test_blocks_are_uploaded_in_order_and_ancestors_first() -> None:
    some, places = START, []
    while (place := next_transfer(view_of(some), AHEAD, Goal(GRANDCHILD, 2))) is not None:
        places.append(place)
        some = upload(some, fetch(place))
    assert places == [(ALICE, 0), (ALICE, 1), (CHILD, 0), (GRANDCHILD, 0), (GRANDCHILD, 1)]
    assert is_reached(view_of(some), Goal(GRANDCHILD, 2))


@pytest.mark.clauses("WP-2.8-UPLOAD")
def test_nothing_is_uploaded_that_is_not_needed() -> None:
    for goal in (Goal(ALICE, 0), Goal(ALICE, 4), Goal(CHILD, 3), Goal(GRANDCHILD, 0)):
        assert next_transfer(AHEAD, AHEAD, goal) is None
    assert next_transfer(view_of(START), AHEAD, Goal(ALICE, 0)) is None
    assert next_transfer(view_of(partly({ALICE: 3})), AHEAD, Goal(ALICE, 2)) is None


@pytest.mark.clauses("WP-2.8-UPLOAD")
def test_nobody_uploads_what_he_does_not_have() -> None:
    behind = view_of(partly({ALICE: 2}))
    assert next_transfer(behind, behind, Goal(ALICE, 3)) is None
    assert next_transfer(view_of(START), behind, Goal(ALICE, 9)) == (ALICE, 0)
    assert next_transfer(AHEAD, AHEAD, Goal(ALICE, 9)) is None


def test_a_chain_that_nobody_knows_is_out_of_reach() -> None:
    for chain_id in ((7,), (0, 9), (7, 7, 7)):
        assert next_transfer(view_of(START), AHEAD, Goal(chain_id, 1)) is None
        assert next_transfer(view_of(START), view_of(START), Goal(chain_id, 1)) is None


@pytest.mark.clauses("WP-2.8-SYNC-ANCESTORS")
def test_a_creation_on_its_way_is_sent_again() -> None:
    some = partly({ALICE: 2}, lambda _: False)
    place = next_transfer(view_of(some), AHEAD, Goal(CHILD, 1))
    assert place == (ALICE, 1)
    assert next_transfer(view_of(some), AHEAD, Goal(GRANDCHILD, 1)) == (ALICE, 1)
    before = measure(view_of(some), AHEAD, Goal(CHILD, 1))
    some = upload(some, fetch(place))
    assert measure(view_of(some), AHEAD, Goal(CHILD, 1)) < before
    assert next_transfer(view_of(some), AHEAD, Goal(CHILD, 1)) == (CHILD, 0)


@pytest.mark.clauses("WP-2.8-SYNC-MESSAGES")
def test_messages_that_were_lost_are_sent_again_by_the_last_block() -> None:
    goal, silent = Goal(ALICE, 3), partly({ALICE: 3}, lambda _: False)
    places = [next_transfer_for_messages(view_of(some), AHEAD, goal) for some in (START, partly({ALICE: 2}), silent)]
    assert places == [(ALICE, 0), (ALICE, 2), (ALICE, 2)]
    assert inbox_of(chain_of(silent, BOB), ALICE).added.is_empty
    heard = upload(silent, fetch(places[2]))
    assert [m.height for m in inbox_of(chain_of(heard, BOB), ALICE).added] == [0, 2]
    assert next_transfer_for_messages(view_of(START), AHEAD, Goal(CHILD, 1)) == (ALICE, 0)


@pytest.mark.clauses("WP-2.8-SYNC-ANCESTORS")
@pytest.mark.parametrize(
    ("counts", "goal", "expected"),
    [
        ({}, Goal(ALICE, 4), (4, 0)),
        ({ALICE: 3}, Goal(ALICE, 4), (1, 0)),
        ({ALICE: 4}, Goal(ALICE, 4), (0, 0)),
        ({ALICE: 4}, Goal(ALICE, 1), (0, 0)),
        ({}, Goal(CHILD, 3), (5, 1)),
        ({}, Goal(CHILD, 0), (2, 1)),
        ({ALICE: 1}, Goal(GRANDCHILD, 2), (4, 2)),
        ({ALICE: 4}, Goal(GRANDCHILD, 2), (3, 1)),
        ({ALICE: 4, CHILD: 1}, Goal(GRANDCHILD, 2), (2, 0)),
        ({}, Goal((7,), 3), (3, 1)),
    ],
)
def test_what_is_missing(counts: dict[ChainId, int], goal: Goal, expected: tuple[int, int]) -> None:
    assert measure(view_of(partly(counts)), AHEAD, goal) == expected


@pytest.mark.clauses("WP-2.8-UPLOAD", "WP-2.8-SYNC-ANCESTORS")
@given(
    st.fixed_dictionaries({ALICE: st.integers(0, 4), CHILD: st.integers(0, 3), GRANDCHILD: st.integers(0, 2)}),
    st.sampled_from((ALICE, CHILD, GRANDCHILD)),
    st.integers(0, 4),
    st.booleans(),
)
def test_every_upload_lowers_the_measure(
    counts: dict[ChainId, int], chain_id: ChainId, height: int, quick: bool
) -> None:
    """Whatever a validator has, the uploads are accepted, and they end at the goal after as many as were missing."""
    goal = Goal(chain_id, min(height, AHEAD(chain_id).next_height))
    some = partly(counts, everything if quick else lambda _: False)
    missing = measure(view_of(some), AHEAD, goal)
    bound = sum(missing)
    while (place := next_transfer(view_of(some), AHEAD, goal)) is not None:
        some = upload(some, fetch(place))
        after = measure(view_of(some), AHEAD, goal)
        assert after < missing
        missing, bound = after, bound - 1
    assert bound >= 0
    assert missing == (0, 0)
    assert is_reached(view_of(some), goal)


# --- what a rejection calls for ----------------------------------------------------------------------------------

BLOCK = Block(CHILD, 5, NO_HASH, ())
REQUEST = request(NET, "carol", BLOCK)
CERTIFICATE = certify(NET, evolve(EXECUTED, block=BLOCK))


@pytest.mark.clauses("WP-2.8-EXTEND", "WP-2.8-SYNC-ANCESTORS")
@pytest.mark.parametrize("item", [REQUEST, CERTIFICATE])
@pytest.mark.parametrize(
    "rejection",
    [
        Rejected(Reason.INACTIVE_CHAIN),
        Rejected(Reason.INVALID_OWNER, key("alice")),
        Rejected(Reason.MISSING_EARLIER_BLOCKS, 3),
        Rejected(Reason.UNEXPECTED_BLOCK_HEIGHT, 4),
        Rejected(Reason.UNEXPECTED_BLOCK_HEIGHT, 0),
        Rejected(Reason.INVALID_OWNER),
        Rejected(Reason.OUT_OF_TURN, key("alice")),
    ],
)
def test_earlier_blocks_are_called_for(item: Request | Certificate, rejection: Rejected) -> None:
    assert goals_after(item, rejection) == (Goal(CHILD, 5),)


@pytest.mark.clauses("WP-2.8-SYNC-MESSAGES", "WP-2.8-EXTEND")
def test_missing_messages_call_for_the_blocks_that_sent_them() -> None:
    rejection = Rejected(Reason.MISSING_CROSS_CHAIN_UPDATE, (((7,), 4), ((8,), 0)))
    assert goals_after(REQUEST, rejection) == (Goal((7,), 5), Goal((8,), 1))


@pytest.mark.clauses("WP-2.8-EXTEND")
@pytest.mark.parametrize(
    "reason",
    [r for r in Reason if r.name not in ("INACTIVE_CHAIN", "MISSING_EARLIER_BLOCKS", "INVALID_OWNER", "OUT_OF_TURN")],
)
def test_nothing_else_helps(reason: Reason) -> None:
    detail: Any = () if reason is Reason.MISSING_CROSS_CHAIN_UPDATE else 6
    assert goals_after(REQUEST, Rejected(reason, detail)) == ()


NO_PLACES: list[Any] = [
    None,
    (),
    ((7,),),
    ((7,), -1),
    ((7,), MAX_U64),
    ((7,), "4"),
    ((), 4),
    ((MAX_U64 + 1,), 4),
    (("7",), 4),
    ([7], 4),
    ((7,) * 17, 4),
    ((7,), 4, 5),
]


@pytest.mark.clauses("WP-2.8-EXTEND")
def test_what_a_byzantine_validator_answers_is_not_trusted() -> None:
    """Details are data of a stranger: what makes no sense is passed over."""
    for place in NO_PLACES:
        assert not is_place(place)
        rejection = Rejected(Reason.MISSING_CROSS_CHAIN_UPDATE, (place, ((7,), MAX_U64 - 1)))
        assert goals_after(REQUEST, rejection) == (Goal((7,), MAX_U64),)
        assert goals_from_received(node(NET), [(((7,), 0), place)]) == (Goal((7,), 1),)
    for detail in (None, 4, "places", [((7,), 4)]):
        assert goals_after(REQUEST, Rejected(Reason.MISSING_CROSS_CHAIN_UPDATE, detail)) == ()
    for detail in (None, -1, "4", ()):
        assert goals_after(REQUEST, Rejected(Reason.UNEXPECTED_BLOCK_HEIGHT, detail)) == ()


@pytest.mark.clauses("WP-2.8-EXTEND")
@pytest.mark.parametrize("height", [5, 6, MAX_U64])
def test_a_validator_that_is_ahead_needs_nothing(height: int) -> None:
    assert goals_after(REQUEST, Rejected(Reason.UNEXPECTED_BLOCK_HEIGHT, height)) == ()


@pytest.mark.clauses("WP-2.8-EXTEND", "WP-2.8-UPLOAD")
def test_each_rejection_is_answered_by_the_right_uploads() -> None:
    """A validator that knows genesis only ends up voting for a block of the grandchild that consumes messages."""
    ahead = extend(FULL, ALICE, Execute(transfer(GRANDCHILD, 3)))
    grandchild = chain_of(ahead, GRANDCHILD)
    made = proposal(NET, "dave", grandchild, *receive_waiting(grandchild))
    some, reasons = START, []
    while isinstance(outcome := handle(CTX, some, made, validators(NET)[1]), Rejected):
        reasons.append(outcome.reason)
        for goal in goals_after(made, outcome):
            while (place := next_transfer(view_of(some), view_of(ahead), goal)) is not None:
                chain_id, height = place
                some = upload(some, download(chain_of(ahead, chain_id), height, height + 1)[0])
    assert reasons == [Reason.INACTIVE_CHAIN, Reason.MISSING_CROSS_CHAIN_UPDATE]
    assert isinstance(outcome.outputs[0], Vote)


@pytest.mark.clauses("WP-2.8-EXTEND")
def test_a_validator_that_knows_an_earlier_owner_is_brought_up_to_date() -> None:
    ahead = extend(START, ALICE, ChangeKey(key("carol")))
    made = proposal(NET, "carol", chain_of(ahead, ALICE), PAY)
    refusal = rejected(handle(CTX, START, made, validators(NET)[1]), Reason.INVALID_OWNER)
    assert goals_after(made, refusal) == (Goal(ALICE, 1),)
    assert next_transfer(view_of(START), view_of(ahead), Goal(ALICE, 1)) == (ALICE, 0)
    some = upload(START, download(chain_of(ahead, ALICE), 0, 1)[0])
    assert isinstance(accepted(handle(CTX, some, made, validators(NET)[1])).outputs[0], Vote)
    # Nothing can be done for a request of a stranger.
    stranger = proposal(NET, "mallory", chain_of(ahead, ALICE))
    refusal = rejected(handle(CTX, ahead, stranger, None), Reason.INVALID_OWNER)
    assert [next_transfer(view_of(ahead), view_of(ahead), goal) for goal in goals_after(stranger, refusal)] == [None]


@pytest.mark.clauses("WP-2.8-SYNC-MESSAGES", "WP-2.6-RECEIVED")
def test_the_logs_of_a_quorum_name_the_senders() -> None:
    some = LocalNode(partly({ALICE: 2}))
    logs = [((ALICE, 0), ((5,), 3)), (((5,), 1), (ALICE, 3)), (), ((CHILD, 0), (ALICE, 3), ((5,), 2))]
    assert goals_from_received(some, logs) == (Goal(ALICE, 4), Goal(CHILD, 1), Goal((5,), 4))
    # What is here already is not asked for.
    assert goals_from_received(some, [((ALICE, 0), (ALICE, 1))]) == ()
    assert goals_from_received(some, [((ALICE, 1), (ALICE, 2))]) == (Goal(ALICE, 3),)
    assert goals_from_received(some, []) == ()


@pytest.mark.clauses("WP-2.8-SYNC-MESSAGES")
def test_a_client_finds_its_messages_through_a_validator() -> None:
    behind = node(NET, BOB)
    (goal,) = goals_from_received(behind, [received_since(chain_of(FULL, BOB), 0)])
    assert goal == Goal(ALICE, 3)
    while (place := next_transfer(view_of(behind.validator), AHEAD, goal)) is not None:
        behind = accepted(learn(CTX, behind, fetch(place))).state
    assert [r.message.height for r in receive_waiting(chain(behind, BOB))] == [0, 2]


# --- whole ------------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.8-EXTEND", "WP-2.8-STOP-AT-QUORUM")
@pytest.mark.parametrize("weights", [(1, 1, 1, 1), (1,), (3, 1, 1, 1, 1), (0, 1, 1, 1, 5)])
def test_a_chain_is_extended_in_one_round(weights: tuple[int, ...]) -> None:
    net: Network = network(weights)
    start = node(net, BOB)
    proposed = accepted(propose(net.context, start, SIGNER, ALICE, (PAY, CloseChain())))
    (made,) = proposed.outputs
    correct = [genesis_validator(net.genesis)] * len(weights)
    answers = [
        accepted(handle(net.context, v, made, s)).outputs[0] for v, s in zip(correct, validators(net), strict=True)
    ]
    certificate = collect(net.context, proposed.state, ALICE, answers)
    assert certificate is not None
    done = accepted(learn(net.context, proposed.state, certificate)).state
    assert chain(done).consistent.owner is None
    assert chain(done).consistent.state == Balance(TOKENS - 5)
    assert inbox_of(chain(done, BOB), ALICE).next_add == Cursor(0, 1)
    assert isinstance(receive_waiting(chain(done, BOB))[0].message.content, User)
    for validator in correct:
        assert isinstance(handle(net.context, validator, certificate, None), Accepted)

"""The bundled swap, by itself and on a temporary chain of two users."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map
from support import (
    accepted,
    certify,
    examples,
    executed,
    key,
    members,
    network,
    refused,
    rejected,
    request,
    update,
    validators,
)

from linera_reference.application import Effect
from linera_reference.block import AddOwner, CloseChain, Execute, OpenChain, Receive, Transaction
from linera_reference.chain import Chain, inbox_of
from linera_reference.client import receive_waiting
from linera_reference.encoding import decode, encode
from linera_reference.identifiers import ChainId
from linera_reference.messages import OutgoingMessage, User
from linera_reference.network import Network
from linera_reference.notation import MAX_U32, MAX_U128
from linera_reference.rejections import Reason, Rejection
from linera_reference.swap import (
    Asset,
    Conclude,
    Deposit,
    Deposited,
    Deposits,
    Holdings,
    Paid,
    PutIn,
    Swap,
    SwapMessage,
    SwapOperation,
    conclude,
    gain,
    pay,
    payments,
    put_in,
    spend,
)
from linera_reference.validator import (
    genesis_chain,
    handle_certificate,
    handle_request,
    handle_update_recipient,
)

SWAP = Swap()
HERE, THERE, ELSEWHERE = (0,), (1,), (2,)
ALICE, BOB, CAROL = sorted(key(name) for name in ("alice", "bob", "carol"))
GOLD, SILVER = Asset(0, 5), Asset(MAX_U32, 70)
BOTH: Deposits = Map({ALICE: Deposit(THERE, GOLD, SILVER), BOB: Deposit(ELSEWHERE, SILVER, GOLD)})


def operate(state: Holdings, operation: bytes) -> Effect:
    return SWAP.execute_operation(HERE, state, operation)


def receive(state: Holdings, event: Deposited | Paid, origin: ChainId = THERE) -> Effect:
    return SWAP.execute_message(HERE, state, origin, encode(SwapMessage(event)))


def paid(recipient: ChainId, asset: Asset) -> OutgoingMessage:
    return OutgoingMessage(recipient, User(encode(SwapMessage(Paid(asset)))))


# --- balances ----------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-4.6-SWAP")
def test_a_created_chain_holds_nothing() -> None:
    assert SWAP.initial_state() == Holdings(Map(), Map())


@pytest.mark.clauses("WP-4.6-SWAP")
@pytest.mark.parametrize(
    ("balance", "amount", "after"),
    [(None, 1, 1), (3, 4, 7), (MAX_U128, 1, MAX_U128), (MAX_U128 - 1, 1, MAX_U128), (None, MAX_U128, MAX_U128)],
)
def test_gains_saturate_token_by_token(balance: int | None, amount: int, after: int) -> None:
    balances: Map[int, int] = Map({9: 2}) if balance is None else Map({9: 2, 7: balance})
    assert gain(balances, Asset(7, amount)) == Map({9: 2, 7: after})


@pytest.mark.clauses("WP-4.6-SWAP")
@pytest.mark.parametrize(("balance", "amount"), [(5, 1), (5, 5), (MAX_U128, 1), (MAX_U128, MAX_U128)])
def test_what_is_spent_was_there(balance: int, amount: int) -> None:
    rest = {7: balance - amount} if balance > amount else {}
    assert spend(Map({9: 2, 7: balance}), Asset(7, amount)) == Map({9: 2, **rest})


@pytest.mark.clauses("WP-4.6-SWAP")
@pytest.mark.parametrize(
    ("asset", "reason", "detail"),
    [
        (Asset(7, 0), Reason.INCORRECT_TRANSFER_AMOUNT, None),
        (Asset(8, 0), Reason.INCORRECT_TRANSFER_AMOUNT, None),
        (Asset(7, 6), Reason.INSUFFICIENT_FUNDING, 5),
        (Asset(8, 1), Reason.INSUFFICIENT_FUNDING, 0),
    ],
)
def test_amounts_are_positive_and_covered(asset: Asset, reason: Reason, detail: int | None) -> None:
    with refused(reason) as caught:
        spend(Map({7: 5}), asset)
    assert caught.value.detail == detail


# --- operations --------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-4.6-SWAP")
def test_operations_are_encoded_data_types() -> None:
    operation = SwapOperation(PutIn(THERE, ALICE, GOLD, SILVER))
    assert decode(SwapOperation, put_in(THERE, ALICE, GOLD, SILVER)) == operation
    for confirm in (True, False):
        assert decode(SwapOperation, conclude(confirm)) == SwapOperation(Conclude(confirm))
    for asset in (Asset(MAX_U32 + 1, 1), Asset(0, MAX_U128 + 1), Asset(-1, 1)):
        for sides in ((asset, GOLD), (GOLD, asset)):
            with refused(Reason.OUT_OF_RANGE):
                put_in(THERE, ALICE, *sides)


@pytest.mark.clauses("WP-4.6-SWAP")
def test_a_deposit_leaves_the_chain_of_its_owner() -> None:
    before = Holdings(Map({GOLD.token: 8}), BOTH)
    effect = operate(before, put_in(THERE, CAROL, GOLD, SILVER))
    message = OutgoingMessage(THERE, User(encode(SwapMessage(Deposited(CAROL, GOLD, SILVER)))))
    assert effect == Effect(Holdings(Map({GOLD.token: 3}), BOTH), (message,))
    with refused(Reason.INSUFFICIENT_FUNDING):
        operate(effect.state, put_in(THERE, CAROL, GOLD, SILVER))


@pytest.mark.clauses("WP-4.6-SWAP")
def test_a_swap_exchanges_and_a_cancellation_gives_back() -> None:
    for confirm, messages in (
        (True, (paid(THERE, SILVER), paid(ELSEWHERE, GOLD))),
        (False, (paid(THERE, GOLD), paid(ELSEWHERE, SILVER))),
    ):
        assert payments(BOTH, confirm) == messages
        effect = operate(Holdings(Map({3: 4}), BOTH), conclude(confirm))
        assert effect == Effect(Holdings(Map({3: 4})), messages)
    assert pay(THERE, GOLD) == paid(THERE, GOLD)


@pytest.mark.clauses("WP-4.6-SWAP")
@pytest.mark.parametrize("deposits", [Map(), BOTH.delete(ALICE)])
def test_a_swap_needs_two_deposits_and_a_cancellation_none(deposits: Deposits) -> None:
    with refused(Reason.USER_ERROR) as caught:
        operate(Holdings(deposits=deposits), conclude(True))
    assert caught.value.detail == len(deposits)
    effect = operate(Holdings(deposits=deposits), conclude(False))
    assert effect == Effect(Holdings(), tuple(paid(d.home, d.asset) for d in deposits.values()))


@pytest.mark.clauses("WP-4.6-SWAP")
@pytest.mark.parametrize("who", [ALICE, BOB])
@pytest.mark.parametrize("wanted", [None, Asset(0, 4), Asset(0, 6), Asset(1, 5), Asset(0, 70), Asset(1, 70)])
def test_a_swap_is_what_both_want_and_a_cancellation_asks_nothing(who: bytes, wanted: Asset | None) -> None:
    """One side wants something else, ⊥ for its own asset: it takes both comparisons to see it on either side."""
    deposit = BOTH[who]
    state = Holdings(deposits=BOTH.set(who, evolve(deposit, wanted=wanted or deposit.asset)))
    with refused(Reason.USER_ERROR):
        operate(state, conclude(True))
    assert operate(state, conclude(False)) == operate(Holdings(deposits=BOTH), conclude(False))


@pytest.mark.parametrize("data", [b"", b"\2", conclude(True) + b"\0", encode(Asset(1, 1))])
def test_what_cannot_be_read_is_refused(data: bytes) -> None:
    with refused(Reason.USER_ERROR):
        operate(Holdings(deposits=BOTH), data)
    with refused(Reason.USER_ERROR):
        SWAP.execute_message(HERE, Holdings(), THERE, data)


# --- messages ----------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-4.6-SWAP")
def test_two_deposits_are_kept_by_key_and_the_others_are_paid_back() -> None:
    state = Holdings()
    for who, origin, asset, wanted in ((ALICE, THERE, GOLD, SILVER), (BOB, ELSEWHERE, SILVER, GOLD)):
        again = receive(state, Deposited(who, asset, wanted), origin)
        assert again.messages == ()
        state = again.state
        assert receive(state, Deposited(who, SILVER, GOLD), (9,)) == Effect(state, (paid((9,), SILVER),))
    assert state == Holdings(deposits=BOTH)
    assert receive(state, Deposited(CAROL, GOLD, SILVER), THERE) == Effect(state, (paid(THERE, GOLD),))


@pytest.mark.clauses("WP-4.6-SWAP")
def test_what_is_paid_is_gained() -> None:
    state = Holdings(Map({GOLD.token: 1}), BOTH)
    assert receive(state, Paid(GOLD)) == Effect(Holdings(Map({GOLD.token: 6}), BOTH))


ASSETS = st.builds(Asset, st.integers(0, 1), st.integers(1, 2))
ARRIVALS = st.lists(st.tuples(st.sampled_from((ALICE, BOB, CAROL)), ASSETS, ASSETS))


def end(state: Holdings, confirm: bool) -> Effect:
    """Confirm if one wishes and can, else cancel."""
    try:
        return operate(state, conclude(confirm))
    except Rejection:
        return operate(state, conclude(False))


@pytest.mark.clauses("WP-4.6-SWAP")
@examples(300)
@given(ASSETS, ASSETS, ASSETS, ASSETS, st.booleans())
def test_each_gets_what_it_wants_or_its_own_back(
    gold: Asset, for_gold: Asset, silver: Asset, for_silver: Asset, confirm: bool
) -> None:
    deposits = {ALICE: Deposit(THERE, gold, for_gold), BOB: Deposit(ELSEWHERE, silver, for_silver)}
    sent = end(Holdings(deposits=Map(deposits)), confirm).messages
    for deposit in deposits.values():
        assert {paid(deposit.home, deposit.asset), paid(deposit.home, deposit.wanted)} & set(sent)


@pytest.mark.clauses("WP-4.6-SWAP")
@examples(300)
@given(ARRIVALS, st.booleans())
def test_a_swap_loses_and_creates_nothing(arrivals: list[tuple[bytes, Asset, Asset]], confirm: bool) -> None:
    state, out = Holdings(), []
    for who, asset, wanted in arrivals:
        effect = receive(state, Deposited(who, asset, wanted))
        state = effect.state
        out += list(effect.messages)
    effect = end(state, confirm)
    assert effect.state == Holdings()
    sent = [decode(SwapMessage, m.content.payload).event.asset for m in (*out, *effect.messages)]  # type: ignore[union-attr]
    assert sorted((a.token, a.amount) for a in sent) == sorted((asset.token, asset.amount) for _, asset, _ in arrivals)


# --- who proposes ------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-4.6-SWAP", "WP-4.6-PROPOSERS")
def test_who_has_deposited_proposes() -> None:
    for deposits, expected in ((Map(), None), (BOTH.delete(BOB), members(ALICE)), (BOTH, members(ALICE, BOB))):
        assert SWAP.proposers(HERE, Holdings(Map({1: 1}), deposits)) == expected


# --- a whole swap ------------------------------------------------------------------------------------------------


def market() -> Network:
    """Return a network in which Alice has gold and Bob has silver."""
    net = network(application=SWAP)
    states = Holdings(Map({GOLD.token: 9})), Holdings(Map({SILVER.token: 99}))
    chains = tuple(evolve(c, state=s) for c, s in zip(net.genesis.chains, states, strict=True))
    return evolve(net, genesis=evolve(net.genesis, chains=chains))


NET = market()


def commit(chain: Chain, *transactions: Transaction) -> Chain:
    certificate = certify(NET, executed(NET, chain, *transactions))
    return accepted(handle_certificate(NET.context, chain, certificate)).state


def deliver(sender: Chain, recipient: Chain) -> Chain:
    return accepted(handle_update_recipient(NET.context, recipient, update(sender, recipient.chain_id))).state


def may_propose(name: str, chain: Chain, *transactions: Transaction) -> Any:
    made = request(NET, name, executed(NET, chain, *transactions).block)
    return handle_request(NET.context, chain, made, validators(NET)[0])


@pytest.mark.clauses("WP-4.6-SWAP", "WP-4.6-PROPOSERS")
@pytest.mark.parametrize("confirm", [True, False])
def test_two_users_swap_on_a_temporary_chain(confirm: bool) -> None:
    alice, bob = (genesis_chain(chain) for chain in NET.genesis.chains)
    place: ChainId = (0, 0)
    alice = commit(alice, OpenChain(place, key("alice")), Execute(put_in(place, key("alice"), GOLD, SILVER)))
    bob = commit(bob, Execute(put_in(place, key("bob"), SILVER, GOLD)))
    shared = commit(deliver(alice, Chain(place)), AddOwner(key("bob")))
    accepted(may_propose("bob", shared))
    # Alice's deposit is in: only she proposes, until Bob's is in as well.
    shared = commit(shared, *receive_waiting(shared)[-1:])
    rejected(may_propose("bob", shared), Reason.OUT_OF_TURN)
    accepted(may_propose("alice", shared))
    shared = deliver(bob, shared)
    shared = commit(shared, *(r for r in receive_waiting(shared) if r.message.origin == THERE))
    for name in ("alice", "bob"):
        accepted(may_propose(name, shared, Execute(conclude(confirm)), CloseChain()))
    shared = commit(shared, Execute(conclude(confirm)), CloseChain())
    assert shared.consistent.owner is None
    outcome = []
    for chain in (alice, bob):
        received = deliver(shared, chain)
        after = commit(received, *map(Receive, inbox_of(received, place).added))
        outcome.append(dict(after.consistent.state.balances))
    kept = [{GOLD.token: 4, SILVER.token: 70}, {SILVER.token: 29, GOLD.token: 5}]
    assert outcome == (kept if confirm else [{GOLD.token: 9}, {SILVER.token: 99}])

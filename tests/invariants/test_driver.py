"""The driver on chains with several owners: contention, locks learned late, and work in turns."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map
from support import examples

from linera_invariants import registry
from linera_invariants.driver import Client, Driver, Step, at_once
from linera_invariants.scenarios import ChainSpec, Scenario, UserSpec, ValidatorSpec, build_network, user_signers
from linera_invariants.schemes import SCHEMES
from linera_reference.application import burn
from linera_reference.block import AddOwner, Execute, Transaction
from linera_reference.certificate import Certificate, Kind
from linera_reference.network import Certify, Deliver, Restart, initial_world
from linera_reference.notation import MAX_U32
from linera_reference.rejections import Accepted, Reason, Rejected
from linera_reference.request import Request

CHAIN = (0,)
SCENARIO = Scenario(
    title="Two owners",
    validators={name: ValidatorSpec() for name in ("v1", "v2", "v3", "v4")},
    users={"alice": UserSpec(), "bob": UserSpec()},
    chains=(ChainSpec(CHAIN, ("alice", "bob"), 1000),),
    steps=(),
    crypto="ideal",
)
SIGNERS = user_signers(SCENARIO, SCHEMES["ideal"])


@pytest.fixture
def driver() -> Driver:
    return new_driver()


def new_driver() -> Driver:
    network = build_network(SCENARIO)
    driver = Driver(network, initial_world(network))

    def judge(before: Any, step: Step, after: Any) -> None:
        assert registry.check_step(network, before, step, after) == []

    driver.observe = judge
    return driver


def owner(driver: Driver, name: str) -> Client:
    return driver.client(name, SIGNERS[name], CHAIN)


def block(amount: int) -> tuple[Transaction, ...]:
    return (Execute(burn(amount)),)


def proposal(driver: Driver, client: Client, amount: int, round: int) -> Request:
    outcome = driver.propose(client, CHAIN, block(amount), round)
    assert isinstance(outcome, Accepted)
    request: Request = outcome.outputs[0]
    return request


def validated_at(driver: Driver, client: Client, amount: int, locked: int) -> None:
    """Let a client have a block validated in round 0, and so many validators lock on it."""
    request = proposal(driver, client, amount, 0)
    for key in driver.online()[:3]:
        driver.deliver(key, request)
    ballot = driver.ballot(client, CHAIN)
    assert ballot is not None
    certificate = driver.certify(client, CHAIN, ballot)
    assert certificate is not None
    for key in driver.online()[:locked]:
        driver.deliver(key, certificate)


def decided(result: object) -> int:
    """Return what the decided block burns."""
    assert isinstance(result, Certificate)
    assert result.kind is Kind.CONFIRMED
    for amount in range(1, 10):
        if result.executed.block.transactions == block(amount):
            return amount
    raise AssertionError(result)


@pytest.mark.clauses("WP-2.9-LEARN-LOCK", "WP-2.9-REPROPOSE")
@pytest.mark.parametrize("locked", [1, 2, 3])
def test_a_client_learns_a_lock_that_is_older_than_its_own_proposal(driver: Driver, locked: int):
    """Else it would propose its own block for ever, and the locked validators would refuse it for ever."""
    alice, bob = owner(driver, "alice"), owner(driver, "bob")
    validated_at(driver, alice, 1, locked)
    for round in (1, 2):
        request = proposal(driver, bob, 2, round)
        assert isinstance(driver.deliver(driver.online()[0], request), Rejected)
    assert decided(driver.extend(bob, CHAIN, block(2))) == 1
    assert decided(driver.extend(bob, CHAIN, block(2))) == 2


@pytest.mark.clauses("WP-2.9-INTERRUPT")
def test_what_was_not_validated_is_given_up(driver: Driver):
    alice, bob = owner(driver, "alice"), owner(driver, "bob")
    request = proposal(driver, alice, 1, 0)
    for key in driver.online()[:2]:
        driver.deliver(key, request)
    assert decided(driver.extend(bob, CHAIN, block(2))) == 2
    assert decided(driver.extend(alice, CHAIN, block(1))) == 1


@pytest.mark.clauses("WP-2.9-FINISH", "WP-2.9-FINALISE")
def test_a_validated_certificate_is_enough(driver: Driver):
    alice, bob = owner(driver, "alice"), owner(driver, "bob")
    validated_at(driver, alice, 1, 0)
    (certificate,) = driver.world.validated.values()
    driver.learn(bob, certificate)
    assert decided(driver.finish(bob, CHAIN, certificate)) == 1


def test_nothing_is_finished_that_the_local_node_does_not_stand_for(driver: Driver):
    alice, bob = owner(driver, "alice"), owner(driver, "bob")
    assert driver.finish(bob, CHAIN, proposal(driver, alice, 1, 0)) is None


def test_without_a_quorum_a_client_proposes_once(driver: Driver):
    driver.offline = set(driver.online()[:2])
    assert driver.extend(owner(driver, "alice"), CHAIN, block(1)) is None
    assert len(driver.world.requests) == 1


@pytest.mark.clauses("WP-2.9-CHOOSE-ROUND")
def test_when_the_rounds_are_used_up_the_client_says_so(driver: Driver):
    alice, bob = owner(driver, "alice"), owner(driver, "bob")
    request = proposal(driver, bob, 1, MAX_U32)
    for key in driver.online()[:2]:
        driver.deliver(key, request)
    result = driver.extend(alice, CHAIN, block(2))
    assert isinstance(result, Rejected)
    assert result.reason is Reason.ARITHMETIC


def test_lagging_validators_and_clients_are_brought_up_to_date(driver: Driver):
    alice, bob = owner(driver, "alice"), owner(driver, "bob")
    last = driver.online()[-1]
    driver.offline = {last}
    decided(driver.extend(alice, CHAIN, block(1)))
    driver.offline = {driver.online()[0]}
    assert decided(driver.extend(bob, CHAIN, block(2))) == 2
    assert driver.view(last)(CHAIN).next_height == 2


def test_a_chain_that_becomes_permissioned_is_extended_in_rounds(driver: Driver):
    alice = owner(driver, "alice")
    done = driver.extend(alice, CHAIN, (AddOwner(SIGNERS["alice"].public_key),))
    assert isinstance(done, Certificate)
    assert driver.in_rounds(alice, CHAIN)
    assert any(isinstance(s.action, Certify) and s.action.kind is Kind.VALIDATED for s in driver.trace)


REACHED = st.lists(st.integers(0, 3), min_size=2, max_size=4, unique=True)


@examples(150)
@given(
    reached=st.tuples(REACHED, REACHED),
    turns=st.lists(st.integers(0, 2), max_size=60),
    attempts=st.integers(1, 4),
    last=st.integers(0, 1),
)
@pytest.mark.clauses("WP-2.9-CHOOSE-ROUND", "WP-2.9-REPROPOSE", "WP-2.9-FINALISE", "WP-2.9-DURABLE")
def test_whatever_the_order_of_turns_who_goes_on_succeeds(
    reached: tuple[list[int], list[int]], turns: list[int], attempts: int, last: int
):
    """Two owners take turns as drawn, and each reaches some validators only; validators restart.

    Then one of them stops, and the other reaches all validators and decides.
    """
    driver = new_driver()
    keys = driver.online()
    parties = [owner(driver, "alice"), owner(driver, "bob")]
    work = [driver.extending(party, CHAIN, block(n), attempts) for n, party in enumerate(parties, 1)]
    for turn in turns:
        if turn == 2:
            driver.act(Restart(keys[len(driver.trace) % 4]))
            continue
        driver.actor, driver.order = parties[turn].name, tuple(keys[place] for place in reached[turn])
        if next(work[turn], work) is work:
            work[turn] = driver.extending(parties[turn], CHAIN, block(turn + 1), attempts)
    driver.order = ()
    before = {view(CHAIN).next_height for view in map(driver.view, keys)}
    certificate = driver.extend(parties[last], CHAIN, block(3))
    assert isinstance(certificate, Certificate)
    assert {view(CHAIN).next_height for view in map(driver.view, keys)} == {certificate.executed.block.height + 1}
    assert max(before) <= certificate.executed.block.height + 1


def test_turns_are_single_deliveries(driver: Driver):
    work = driver.extending(owner(driver, "alice"), CHAIN, block(1))
    seen = [len([s for s in driver.trace if isinstance(s.action, Deliver)]) for _ in work]
    assert seen == [0, 1, 2, 3, 4, 5]
    assert at_once(driver.extending(owner(driver, "bob"), CHAIN, block(2))) is not None


def test_nobody_heard_from_means_the_first_round(driver: Driver):
    outcome = driver.propose(owner(driver, "alice"), CHAIN, block(1), free=Map())
    assert isinstance(outcome, Accepted)
    assert outcome.outputs[0].round == 0

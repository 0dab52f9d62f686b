"""S21 and S25: numbers."""

import pytest
from immutables import Map
from support import network, signer
from worlds import (
    ALICE,
    BOB,
    CAROL,
    FIRST,
    NETWORK,
    SLOW,
    cell,
    done,
    fires,
    holds,
    owes,
    pay,
    put_inbox,
    spoil,
    story,
    waits,
)

from linera_invariants.driver import Driver
from linera_invariants.predicates import arithmetic
from linera_invariants.predicates.arithmetic import burned, queued, quorum_arithmetic, saturated, skipped, waiting
from linera_invariants.registry import check_state, check_step
from linera_invariants.views import Cell
from linera_reference.application import Balance
from linera_reference.committee import TOTAL_BOUND, max_faulty, quorum_threshold, validity_threshold
from linera_reference.containers import Queue
from linera_reference.network import initial_world
from linera_reference.notation import MAX_U128
from linera_reference.rules import QuorumRule


@pytest.mark.clauses("WP-2.7-CONSERVATION", "WP-2.7-TOKEN")
def test_s21_holds_with_every_kind_of_token():
    holds("S21")
    end = story().end
    first_bob, first_alice = (Cell(FIRST, cell(end, FIRST, chain_id)) for chain_id in (BOB, ALICE))
    assert burned(end, first_bob.chain) == 2
    assert skipped(NETWORK, end, first_bob) == 4
    assert queued(NETWORK, end, first_alice) == 1
    assert waiting(cell(story().first(waits), FIRST, BOB)) > 0
    assert waiting(cell(story().first(owes), SLOW, BOB)) < 0


@pytest.mark.clauses("WP-2.7-CONSERVATION", "WP-2.7-TOKEN")
@pytest.mark.parametrize("amount", [0, 950, 952])
def test_s21_fires_on_another_balance(amount):
    assert cell(story().end, FIRST, ALICE).consistent.state == Balance(951)
    fires("S21", spoil(story().end, FIRST, ALICE, state=Balance(amount)))


@pytest.mark.clauses("WP-2.7-CONSERVATION")
def test_s21_fires_when_credits_disappear():
    fires("S21", put_inbox(story().first(waits), FIRST, BOB, ALICE, added=Queue()))
    fires("S21", put_inbox(story().first(owes), SLOW, BOB, ALICE, removed=Queue()))
    fires("S21", spoil(story().end, FIRST, ALICE, outboxes=Map(), counters=Map()))


@pytest.mark.clauses("WP-2.7-CONSERVATION", "WP-2.4-ARCHIVE")
def test_s21_counts_what_a_tombstone_held():
    assert cell(story().end, FIRST, CAROL).consistent.state is None
    assert cell(story().end, SLOW, CAROL).consistent.state == Balance(4)
    assert check_state(NETWORK, story().end, {"S21"}) == []


def rich_run():
    """Let Alice pay Bob, whose balance is almost full."""
    rich = network(balances=(10, MAX_U128 - 3))
    found = []
    driver = Driver(rich, initial_world(rich))
    driver.observe = lambda before, step, after: found.extend(check_step(rich, before, step, after, {"S21"}))
    alice, bob = driver.client("alice", signer("alice"), ALICE), driver.client("bob", signer("bob"), BOB)
    done(driver.extend(alice, ALICE, (pay(BOB, 4), pay(BOB, 1))))
    driver.synchronize(bob, BOB)
    done(driver.extend(bob, BOB, driver.receive_all(bob, BOB)))
    return rich, driver.world, found


@pytest.mark.clauses("WP-2.7-CONSERVATION", "WP-2.7-TOKEN", "WP-2.3-DATA-TYPE")
def test_s21_counts_what_a_full_balance_cannot_take():
    rich, world, found = rich_run()
    validator = next(iter(world.validators))
    assert cell(world, validator, BOB).consistent.state == Balance(MAX_U128)
    assert saturated(rich, world, cell(world, validator, BOB)) == 2
    assert found == []
    fires("S21", spoil(world, validator, BOB, state=Balance(MAX_U128 - 1)), rich)


@pytest.mark.clauses("WP-2.7-APPLICATION")
def test_s21_says_nothing_of_another_application():
    class Silent:
        """An application without a token."""

        def initial_state(self):
            """Return an empty balance."""
            return Balance()

    other = network(application=Silent())
    assert check_state(other, spoil(story().end, FIRST, ALICE, state=Balance(0)), {"S21"}) == []


@pytest.mark.clauses("WP-2.2-QUORUM-INTERSECTION", "WP-2.2-FAULT-BOUND", "WP-2.2-QUORUM", "WP-2.2-VALIDITY")
def test_s25_holds_for_every_total():
    holds("S25")
    for total in (*range(1, 400), *range(TOTAL_BOUND - 9, TOTAL_BOUND)):
        assert list(quorum_arithmetic(total)) == []


@pytest.mark.clauses("WP-2.2-QUORUM-INTERSECTION", "WP-2.2-FAULT-BOUND", "WP-2.2-QUORUM", "WP-2.2-VALIDITY")
@pytest.mark.parametrize(
    ("name", "broken", "law"),
    [
        ("max_faulty", lambda total: max_faulty(total) + 1, "3f < N"),
        ("validity_threshold", lambda total: validity_threshold(total) + 1, "3f < N"),
        ("validity_threshold", lambda _: 0, "N − v < q"),
        ("quorum_threshold", lambda total, rule: quorum_threshold(total, rule) - 1, "2(N − f) − N"),
        ("quorum_threshold", lambda total, rule: quorum_threshold(total, rule) - 1, "2q ≥ N + v"),
        ("quorum_threshold", lambda total, rule: quorum_threshold(total, rule) + 1, "N − f is a quorum"),
        ("quorum_threshold", lambda total, rule: quorum_threshold(total, rule) + 1, "N − (v − 1) ≥ q"),
    ],
)
def test_s25_fires_under_broken_thresholds(monkeypatch, name, broken, law):
    monkeypatch.setattr(arithmetic, name, broken)
    found = fires("S25", story().end)
    assert any(f"not ({law}" in violation.detail for violation in found)


def test_the_two_quorum_rules_differ_where_three_divides_the_total():
    differing = [n for n in range(1, 30) if quorum_threshold(n) != quorum_threshold(n, QuorumRule.HALF_WAY)]
    assert differing == list(range(3, 30, 3))

"""The registry: what is registered, what is stated, and what a check asks."""

from itertools import pairwise

import pytest
import worlds
from support import ED25519, network, signer
from worlds import ALICE, BOB, FIRST, NETWORK, SLOW, spoil, story

from linera_invariants import registry
from linera_invariants.clauses import Statement
from linera_invariants.driver import Driver
from linera_invariants.registry import Violation, check_state, check_step, disagreements, predicates, statements
from linera_reference.application import Balance
from linera_reference.containers import Queue
from linera_reference.network import initial_world

SAFETY = [f"S{n}" for n in (*range(1, 19), 21, 23, 24, 25, 27)]
ROUNDS = [f"R{n}" for n in range(1, 5)]
LIVENESS = [f"L{n}" for n in (*range(1, 7), 8, 9, 10)]


def test_every_statement_of_the_scope_has_a_predicate():
    judged = {predicate.statement for predicate in predicates().values()}
    assert judged == {*SAFETY, *ROUNDS, *LIVENESS}


def test_code_and_data_agree():
    assert disagreements() == []


def test_claims_are_derived():
    claims = [statement for statement in statements().values() if registry.is_claim(statement)]
    assert [claim.id for claim in claims] == [f"C{n}" for n in range(1, 8)]
    assert not {claim.id for claim in claims} & {predicate.statement for predicate in predicates().values()}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda known: known.pop("S3"), "S3: no such statement"),
        (lambda known: known.update(S99=Statement("S99", "Lock", "safety", "…", (), (), "", 1)), "S99: no predicate"),
        (lambda known: known.update(C9=Statement("C9", "x", "claim", "…", (), (), "", 1)), "C9: a claim rests on"),
        (lambda known: known.update(C9=Statement("C9", "x", "claim", "…", ("S98",), (), "", 1)), "C9: uses S98"),
    ],
)
def test_a_disagreement_is_reported(monkeypatch, change, problem):
    known = dict(statements())
    change(known)
    monkeypatch.setattr(registry, "statements", lambda: known)
    assert any(found.startswith(problem) for found in disagreements())


def test_predicates_are_ordered_by_statement():
    order = [(p.statement[0], int(p.statement[1:])) for p in predicates().values()]
    assert all(a <= b for a, b in pairwise(order))


def test_a_name_is_registered_once():
    assert "S1" in predicates()
    with pytest.raises(ValueError, match="S1 is registered twice"):
        registry.predicate("S1")(list)


def test_every_predicate_has_a_docstring_that_names_its_statement():
    for found in predicates().values():
        assert (found.function.__doc__ or "").startswith(f"{found.statement} (WP-"), found.name


def test_names_select_predicates():
    world = spoil(story().end, SLOW, ALICE, state=Balance(0))
    assert {v.statement for v in check_state(NETWORK, world)} >= {"S2", "S21"}
    assert {v.statement for v in check_state(NETWORK, world, {"S2"})} == {"S2"}
    assert check_state(NETWORK, world, {"S18.parent"}) == []
    assert check_state(NETWORK, world, ()) == []


SPOILED = {
    "state": lambda world: spoil(world, SLOW, ALICE, state=Balance(0)),
    "log": lambda world: spoil(world, FIRST, BOB, next_height=7),
    "mailbox": lambda world: worlds.put_inbox(world, FIRST, BOB, ALICE, added=Queue()),
    "pending": lambda world: spoil(world, SLOW, BOB, pending=worlds.forged(BOB, 1).executed),
    "certificates": lambda world: worlds.add_certificate(world, worlds.forged(ALICE)),
}


@pytest.mark.parametrize("spoiling", SPOILED.values(), ids=SPOILED.keys())
def test_judging_a_step_finds_what_judging_the_world_finds(spoiling):
    """What a step left alone need not be judged again: the restriction loses nothing."""
    before = story().first(worlds.waits)
    after = spoiling(before)
    _, step, _ = story().steps[0]
    states = {name for name, predicate in predicates().items() if predicate.scope not in ("step", "goal")}
    full, restricted = (
        {(v.statement, v.detail) for v in found}
        for found in (check_state(NETWORK, after, states), check_step(NETWORK, before, step, after, states))
    )
    assert {statement for statement, _ in full} == {statement for statement, _ in restricted}
    assert restricted <= full


def test_an_unchanged_world_is_not_judged_again():
    world = spoil(story().end, SLOW, ALICE, state=Balance(0))
    _, step, _ = story().steps[-1]
    assert check_step(NETWORK, world, step, world) == []


def test_a_violation_says_what_it_is_about():
    assert Violation("S1", "forked").data is None


@pytest.mark.clauses("WP-2.3-SIGN", "WP-2.2-CERTIFICATE")
def test_everything_holds_with_real_signatures():
    real = network(byzantine=(3,), scheme=ED25519)
    found = []
    driver = Driver(real, initial_world(real), complicit=True)
    driver.observe = lambda before, step, after: found.extend(check_step(real, before, step, after))
    alice = driver.client("alice", signer("alice", ED25519), ALICE)
    worlds.done(driver.extend(alice, ALICE, (worlds.pay(BOB, 1),)))
    assert found == []
    assert check_state(real, driver.world) == []
    assert registry.check_goals(real, driver.world) == []

"""Every step of generated runs is a step of the abstract network; broken variants and broken abstractions are seen."""

import os
from typing import Any

import pytest
import z3
from attrs import evolve
from support import IDEAL, network, signer, validators

from linera_invariants.driver import Driver, Step, at_once
from linera_invariants.machines import MACHINES, explore
from linera_invariants.machines.base import Session, Violated
from linera_invariants.mutation import applied, broken
from linera_invariants.proofs import correspondence
from linera_invariants.proofs.correspondence import NAMES, Facts, abstract_network, misfit, name_of
from linera_reference.application import transfer
from linera_reference.block import CloseChain, Execute, OpenChain
from linera_reference.certificate import Kind, Vote, sign_vote
from linera_reference.containers import Set
from linera_reference.network import Deliver, World, initial_world
from linera_reference.outbox import UpdateRecipient
from linera_reference.rejections import Accepted, Reason, Rejected
from linera_reference.rounds import FIRST_ROUND
from linera_reference.validator import chain_of, payload_of, put_chain

EXAMPLES = 40 if os.environ.get("HYPOTHESIS_PROFILE", "dev") == "ci" else 4


def watch(name: str, examples: int) -> Session:
    """Run a machine that judges nothing but correspondence; its session counts the kinds of steps that were taken."""
    kind = MACHINES[name].machine

    class Watched(kind):  # type: ignore[misc, valid-type]
        session = Session()

        def observe(self, before: World, step: Step, after: World) -> None:
            self.events.append(step)
            if isinstance(step.outcome, Accepted):
                self.remember(before, step, step.outcome)
            kind = "rejected" if isinstance(step.outcome, Rejected) else abstract_name(step)
            self.session.coverage[kind] += 1
            if problem := misfit(self.network, before, step, after):
                raise Violated(problem)

        def goodbye(self) -> None:
            pass

    explore(Watched, examples, 30, 1, shrink=False)
    return Watched.session


def abstract_name(step: Step) -> str:
    action = step.action
    return name_of(action.item if isinstance(action, Deliver) else action) or "other"


@pytest.mark.parametrize("name", ["single-chain", "several-owners", "whole-network"])
def test_generated_runs_are_runs_of_the_abstract_network(name: str) -> None:
    session = watch(name, EXAMPLES * (1 if name in {"whole-network", "several-owners"} else 2))
    assert session.failure is None
    assert session.coverage["handle a request"] > EXAMPLES < session.coverage["handle a certificate"]
    assert session.coverage["handle messages"] > 0 or name != "whole-network"
    assert session.coverage["handle a validated certificate"] > 0 or name == "single-chain"
    assert session.coverage.total() > 50 * EXAMPLES


@pytest.mark.parametrize(
    ("variant", "action"),
    [
        ("vote-twice", "handle a request"),
        ("anybody-proposes", "handle a request"),
        ("pending-survives", "handle a certificate"),
    ],
)
def test_broken_variants_leave_the_abstract_network(variant: str, action: str) -> None:
    with applied(broken(variant)):
        failure = watch("single-chain", 40).failure
    assert failure is not None
    assert f"it is no step '{action}'" in failure.error


# --- one short run, step by step ---------------------------------------------------------------------------------

Taken = tuple[World, Step, World]
NETWORK = network(byzantine=(3,), owners=("alice", "bob", ("alice", "bob")))


def short_run() -> list[Taken]:
    """Alice opens a chain and pays; Bob gets it; validators archive what she closed, after a crash.

    On a chain that both own, Bob goes on with what Alice did not finish, and validates it again.
    """
    taken: list[Taken] = []
    driver = Driver(NETWORK, initial_world(NETWORK), complicit=True, observe=lambda *step: taken.append(step))
    alice = driver.client("alice", signer("alice"))
    child = (0, 0)
    opens = OpenChain(child, signer("bob").public_key)
    bob = driver.client("bob", signer("bob"))
    driver.extend(alice, (0,), (opens, Execute(transfer((1,), 2)), CloseChain()))
    for key in driver.online():
        driver.resend(key, (0,))
        driver.act(correspondence.Restart(key))
        driver.act(correspondence.ArchiveChain(key, (0,)))
    (request,) = driver.propose(alice, (2,), (Execute(transfer((1,), 3)),)).outputs
    lock = at_once(driver.gathering(alice, (2,), request))
    for key in driver.online()[:2]:
        driver.deliver(key, lock)
    driver.extend(bob, (2,), (Execute(transfer((0,), 4)),))
    return taken


RUN = short_run()


def steps(name: str) -> list[Taken]:
    return [taken for taken in RUN if isinstance(taken[1].outcome, Accepted) and abstract_name(taken[1]) == name]


def problems() -> list[str]:
    return [found for taken in RUN if (found := misfit(NETWORK, *taken))]


def test_the_short_run_has_every_action_and_fits() -> None:
    assert all(steps(name) for name in NAMES.values())
    assert problems() == []


@pytest.mark.parametrize("name", sorted(NAMES.values()))
def test_the_facts_do_not_contradict_each_other(name: str) -> None:
    before, step, after = steps(name)[0]
    facts = Facts(NETWORK, before, after)
    item, key, chains = correspondence.about(step.action, before)
    facts.tell(abstract_network()[0], item, key, chains[0])
    assert not facts.follows(z3.BoolVal(False))


@pytest.mark.parametrize("name", sorted(set(NAMES.values()) - {"handle an answer"}))
def test_a_step_taken_for_another_action_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    other = "archive" if name != "archive" else "handle a request"
    kind = next(kind for kind, found in NAMES.items() if found == name)
    monkeypatch.setitem(NAMES, kind, other)
    assert any(f"it is no step '{other}'" in found for found in problems())


def test_an_abstraction_that_forgets_the_owner_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    rest_of = correspondence.rest_of
    monkeypatch.setattr(correspondence, "rest_of", lambda part: evolve(rest_of(part), owner=None))
    assert any("has_owner_of" in found for found in problems())


def test_an_abstraction_that_knows_no_votes_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correspondence, "combined_weight", lambda *_: 0)
    assert any("it is no step 'handle a certificate'" in found for found in problems())


def test_an_abstraction_that_executes_nothing_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Facts, "execution", lambda *_: None)
    assert any("executes" in found for found in problems())


# --- worlds that no action leads to ------------------------------------------------------------------------------


def after_vote() -> tuple[World, Step, World]:
    return steps("handle a request")[0]


def test_a_change_of_another_chain_is_seen() -> None:
    before, step, after = after_vote()
    key = step.action.validator
    other = chain_of(after.validators[key], (1,))
    changed = put_chain(after.validators[key], other, evolve(other, consistent=evolve(other.consistent, tx_count=9)))
    forged = evolve(after, validators=after.validators.set(key, changed))
    assert misfit(NETWORK, before, step, forged) == "Deliver at chain [0] changed chain [1]"


def test_a_change_at_another_validator_is_seen() -> None:
    before, step, after = after_vote()
    mine, other = step.action.validator, next(k for k in after.validators if k != step.action.validator)
    forged = evolve(after, validators=after.validators.set(other, after.validators[mine]))
    assert misfit(NETWORK, before, step, forged) == "Deliver at chain [0] changed chain [0]"


def test_a_rejection_that_changes_something_is_seen() -> None:
    before, step, after = after_vote()
    rejected = evolve(step, outcome=Rejected(Reason.OUT_OF_RANGE))
    assert misfit(NETWORK, before, rejected, after) == "a rejected step changed the world"


def test_a_vote_out_of_turn_is_seen() -> None:
    before, step, after = after_vote()
    pending = chain_of(after.validators[step.action.validator], (0,)).localized.pending
    stranger = next(s for s in validators(NETWORK) if s.public_key != step.action.validator)
    vote = sign_vote(IDEAL, stranger, payload_of(NETWORK.context, pending))
    forged = evolve(after, votes=after.votes.insert(vote))
    assert misfit(NETWORK, before, step, forged) == "a vote was cast by another validator than the one that acts"


def test_a_vote_for_something_else_is_seen() -> None:
    before, step, after = after_vote()
    mine = next(s for s in validators(NETWORK) if s.public_key == step.action.validator)
    pending = chain_of(after.validators[mine.public_key], (0,)).localized.pending
    vote = sign_vote(IDEAL, mine, payload_of(NETWORK.context, evolve(pending, messages=())))
    forged = evolve(after, votes=after.votes.insert(vote))
    assert misfit(NETWORK, before, step, forged) == "a vote was cast that was not answered"
    both = evolve(step, outcome=evolve(step.outcome, outputs=(*step.outcome.outputs, vote)))
    assert misfit(NETWORK, before, both, forged) == "a step was answered with two votes"
    answered = evolve(step, outcome=evolve(step.outcome, outputs=(vote,)))
    problem = misfit(NETWORK, before, answered, evolve(after, votes=before.votes.insert(vote)))
    assert problem is not None
    assert problem.startswith("it is no step 'handle a request'")


@pytest.mark.parametrize("name", ["handle a request", "handle a validated certificate"])
@pytest.mark.parametrize("change", [{"kind": Kind.VALIDATED}, {"kind": Kind.CONFIRMED}, {"round": 7}])
def test_a_vote_of_another_kind_or_round_is_seen(name: str, change: dict[str, Any]) -> None:
    for before, step, after in steps(name):
        (answer,) = (vote for vote in step.outcome.outputs if isinstance(vote, Vote))
        forged = evolve(answer, payload=evolve(answer.payload, **change))
        found = misfit(NETWORK, before, evolve(step, outcome=evolve(step.outcome, outputs=(forged,))), after)
        assert (found is None) == (forged == answer)


def test_a_validator_that_forgets_in_a_crash_is_seen() -> None:
    _, step, after = steps("handle a validated certificate")[0]
    key, chain = step.action.validator, chain_of(after.validators[step.action.validator], (2,))
    for forgetful in ({"pending": None}, {"rounds": FIRST_ROUND}):
        amnesia = evolve(chain, localized=evolve(chain.localized, **forgetful))
        restarted = evolve(
            after, validators=after.validators.set(key, put_chain(after.validators[key], chain, amnesia))
        )
        crash = Step(correspondence.Restart(key), Accepted(restarted))
        problem = misfit(NETWORK, after, crash, restarted)
        assert problem is not None
        assert problem.startswith("it is no step 'restart'")


def test_sending_what_the_chain_does_not_keep_is_seen() -> None:
    before, step, after = steps("handle a certificate")[0]
    key, certificate = step.action.validator, step.action.item
    forged = UpdateRecipient((1,), (0, 0), (certificate,))
    sent = after.internal.set(key, after.internal[key].insert(forged))
    problem = misfit(NETWORK, before, step, evolve(after, internal=sent))
    assert problem is not None
    assert problem.startswith("it is no step 'send messages': kept(validator, chain, executed_block)")


def test_history_that_gets_lost_is_seen() -> None:
    before, step, after = steps("handle a certificate")[-1]
    assert misfit(NETWORK, before, step, evolve(after, votes=Set())) == "Deliver forgot what was sent"
    assert misfit(NETWORK, before, step, evolve(after, requests=Set())) == "Deliver changed the requests"

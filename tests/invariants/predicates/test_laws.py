"""S23 and S24: repetition, rejection, commutation."""

import pytest
from attrs import evolve
from worlds import ALICE, BOB, CAROL, FIRST, NETWORK, SLOW, cell, holds, spoil, step_fires, story

from linera_invariants.predicates import laws
from linera_invariants.registry import check_step
from linera_reference.application import Balance
from linera_reference.certificate import Certificate
from linera_reference.network import Deliver
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.rejections import Accepted, Reason, Rejected
from linera_reference.request import Request
from linera_reference.validator import handle_at

INPUTS = (Request, Certificate, UpdateRecipient, ConfirmUpdatedRecipient)


def deliveries(kind, outcome=Accepted):
    """Return the steps that deliver some kind of input."""
    return list(
        story().when(
            lambda _, step, __: (
                isinstance(step.action, Deliver)
                and isinstance(step.action.item, kind)
                and isinstance(step.outcome, outcome)
            )
        )
    )


@pytest.mark.clauses("WP-2.8-IDEMPOTENT", "WP-2.8-ATOMIC")
def test_s23_holds_for_every_kind_of_input_and_for_rejections():
    holds("S23")
    assert all(deliveries(kind) for kind in INPUTS)
    assert deliveries(Certificate, Rejected)
    assert deliveries(UpdateRecipient, Rejected)


@pytest.mark.clauses("WP-2.8-ATOMIC")
def test_s23_fires_when_a_rejection_changes_something():
    before, step, after = deliveries(Certificate, Rejected)[0]
    step_fires("S23", before, step, spoil(after, FIRST, ALICE, state=Balance(0)))


@pytest.mark.clauses("WP-2.8-IDEMPOTENT")
@pytest.mark.parametrize("kind", INPUTS)
def test_s23_fires_when_the_repetition_changes_something(kind):
    before, step, _ = deliveries(kind)[0]
    step_fires("S23.repeat", before, step, before)


@pytest.mark.clauses("WP-2.8-IDEMPOTENT", "WP-A.2-REPEAT-ACK")
@pytest.mark.parametrize("kind", INPUTS)
def test_s23_fires_when_the_repetition_gives_another_answer(kind):
    before, step, after = deliveries(kind)[0]
    assert isinstance(step.outcome, Accepted)
    other = evolve(step, outcome=evolve(step.outcome, outputs=(*step.outcome.outputs, "more")))
    found = step_fires("S23.repeat", before, other, after)
    assert "another answer" in found[0].detail


@pytest.mark.clauses("WP-2.8-IDEMPOTENT")
def test_s23_fires_when_the_repetition_is_rejected():
    before, step, after = deliveries(Request)[0]
    step_fires("S23.repeat", before, step, spoil(after, step.action.validator, ALICE, next_height=9))


def under_way():
    """Return the steps of the run for which something else was on its way to the same chain."""
    found = []
    for before, step, after in (*deliveries(UpdateRecipient), *deliveries(Certificate)):
        validator = before.validators[step.action.validator]
        chain = cell(before, step.action.validator, laws.target_of(step.action.item))
        others = list(laws.on_the_way(before, validator, chain, step.action.item))
        if others:
            found.append(((before, step, after), others))
    return found


@pytest.mark.clauses("WP-2.6-INBOX-COMMUTES", "WP-2.6-RECEIVED")
def test_s24_holds_for_two_origins_and_for_a_block_and_a_delivery():
    holds("S24")
    pairs = {(type(step.action.item), type(other)) for (_, step, _), others in under_way() for other in others}
    assert pairs == {(UpdateRecipient, UpdateRecipient), (UpdateRecipient, Certificate), (Certificate, UpdateRecipient)}
    origins = {other.sender for _, others in under_way() for other in others if isinstance(other, UpdateRecipient)}
    assert origins == {ALICE, CAROL}


def remembers_the_last_sender(context, chain, item, signer):
    """Break the rules: the state of a chain depends on the order of deliveries."""
    outcome = handle_at(context, chain, item, signer)
    if isinstance(outcome, Accepted) and isinstance(item, UpdateRecipient):
        part = evolve(outcome.state.consistent, tx_count=len(item.sender))
        return evolve(outcome, state=evolve(outcome.state, consistent=part))
    return outcome


def forgets_what_is_received(context, chain, item, signer):
    """Break the rules: a block clears all inboxes."""
    outcome = handle_at(context, chain, item, signer)
    if isinstance(outcome, Accepted) and isinstance(item, Certificate):
        local = evolve(outcome.state.localized, mailboxes=type(chain.localized.mailboxes)())
        return evolve(outcome, state=evolve(outcome.state, localized=local))
    return outcome


@pytest.mark.clauses("WP-2.6-INBOX-COMMUTES")
@pytest.mark.parametrize("broken", [remembers_the_last_sender, forgets_what_is_received])
def test_s24_fires_under_rules_that_depend_on_the_order(monkeypatch, broken):
    monkeypatch.setattr(laws, "handle_at", broken)
    found = [v for (moment, _) in under_way() for v in check_step(NETWORK, *moment, {"S24"})]
    assert found
    assert {violation.statement for violation in found} == {"S24"}


def test_s24_says_nothing_of_inactive_chains_and_closing_blocks():
    before, step, after = next(moment for moment, _ in under_way() if moment[1].action.validator == SLOW)
    closed = spoil(before, SLOW, BOB, owner=None)
    assert check_step(NETWORK, closed, step, after, {"S24"}) == []
    rejected = evolve(step, outcome=Rejected(Reason.CHAIN_CLOSED))
    assert check_step(NETWORK, before, rejected, before, {"S24"}) == []
    closing = cell(story().end, SLOW, CAROL).localized.certificates.get(2)
    assert closing is not None
    assert laws.closes(closing)
    assert not laws.closes(step.action.item)

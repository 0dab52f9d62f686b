"""Laws of every step: rejection and repetition change nothing (S23), independent deliveries commute (S24)."""

from collections.abc import Iterator
from typing import TypeAlias

from attrs import evolve

from linera_invariants.driver import Step
from linera_invariants.registry import Violation, predicate
from linera_reference.block import CloseChain
from linera_reference.certificate import Certificate
from linera_reference.chain import Chain
from linera_reference.containers import Log, fold
from linera_reference.identifiers import ChainId
from linera_reference.network import Deliver, Network, World
from linera_reference.network import step as take
from linera_reference.outbox import UpdateRecipient
from linera_reference.rejections import Accepted, Rejected
from linera_reference.validator import Validator, chain_of, handle_at, target_of, update_recipient


@predicate("S23", "step")
def rejection_changes_nothing(_: Network, before: World, step: Step, after: World) -> Iterator[Violation]:
    """S23 (WP-2.8-ATOMIC): a rejected action leaves the world as it was."""
    if isinstance(step.outcome, Rejected) and after != before:
        yield Violation("S23", "a rejected action changed something", step.action)


@predicate("S23.repeat", "step")
def repetition_changes_nothing(network: Network, _: World, step: Step, after: World) -> Iterator[Violation]:
    """S23 (WP-2.8-IDEMPOTENT): handling an input again at once changes nothing and gives the same answer."""
    if not (isinstance(step.action, Deliver) and isinstance(step.outcome, Accepted)):
        return
    again = take(network, after, step.action)
    if not isinstance(again, Accepted) or again.state != after:
        yield Violation("S23", "handling an input again changes something", step.action)
    elif again.outputs != step.outcome.outputs:
        yield Violation("S23", "handling an input again gives another answer", (step.outcome.outputs, again.outputs))


Delivery: TypeAlias = UpdateRecipient | Certificate


@predicate("S24", "step")
def deliveries_commute(network: Network, before: World, step: Step, _: World) -> Iterator[Violation]:
    """S24 (WP-2.6-INBOX-COMMUTES): what is delivered commutes with what else is on its way to the same chain.

    Deliveries from two origins commute, and a delivery and a block of the recipient, up to the order of ``received``;
    for a recipient that is created, and blocks that do not close it (amendment A11).
    """
    action = step.action
    if not (isinstance(action, Deliver) and isinstance(step.outcome, Accepted)):
        return
    if not isinstance(action.item, UpdateRecipient | Certificate):
        return
    validator = before.validators[action.validator]
    chain = chain_of(validator, target_of(action.item))
    if chain.consistent.owner is None or closes(action.item):
        return
    for other in on_the_way(before, validator, chain, action.item):
        one, two = _both(network, chain, action.item, other), _both(network, chain, other, action.item)
        if one != two:
            yield Violation("S24", f"two deliveries to {list(chain.chain_id)} do not commute", (action.item, other))


def closes(item: Delivery) -> bool:
    """Whether a delivery is a block that closes its chain."""
    return isinstance(item, Certificate) and any(isinstance(t, CloseChain) for t in item.executed.block.transactions)


def on_the_way(world: World, validator: Validator, chain: Chain, item: Delivery) -> Iterator[Delivery]:
    """Walk the deliveries to a chain that must commute with ``item``: from other origins, or of its next block."""
    sender = item.sender if isinstance(item, UpdateRecipient) else None
    for origin, other in validator.chains.items():
        if chain.chain_id in other.localized.outboxes and origin != sender:
            yield update_recipient(other, chain.chain_id)
    for certificate in world.certificates.values() if sender is not None else ():
        block, part = certificate.executed.block, chain.consistent
        is_next = (block.chain_id, block.previous_hash) == (chain.chain_id, part.block_hash)
        if is_next and not closes(certificate):
            yield certificate


def _both(network: Network, chain: Chain, first: Delivery, second: Delivery) -> Chain | Rejected:
    for item in (first, second):
        outcome = handle_at(network.context, chain, item, None)
        if isinstance(outcome, Rejected):
            return outcome
        chain = outcome.state
    received: Log[tuple[ChainId, int]] = fold(Log.append, Log(), sorted(chain.localized.received.since(0)))
    return evolve(chain, localized=evolve(chain.localized, received=received))

"""Which interesting places one step of the network reaches: what the machines count, so that no pass is vacuous."""

from collections.abc import Iterator

from linera_invariants.driver import Step
from linera_reference.block import Block, Receive
from linera_reference.certificate import Certificate, Kind
from linera_reference.chain import Chain, inbox_of, is_closed, owed_messages
from linera_reference.committee import combined_weight, is_quorum
from linera_reference.identifiers import ChainId
from linera_reference.messages import Message
from linera_reference.network import (
    ArchiveChain,
    CastVote,
    Certify,
    Deliver,
    Network,
    Propose,
    Resend,
    Restart,
    World,
)
from linera_reference.notation import PublicKey
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.ownership import Owners
from linera_reference.rejections import Rejected
from linera_reference.request import Request
from linera_reference.validator import Validator, chain_of, target_of


def places(network: Network, before: World, step: Step, after: World) -> Iterator[str]:
    """Name what a step did."""
    action = step.action
    if isinstance(step.outcome, Rejected):
        yield f"rejected: {step.outcome.reason.name}"
        return
    match action:
        case Propose():
            yield "request sent"
        case CastVote():
            yield "Byzantine vote"
        case Certify():
            yield "certificate formed" if action.kind is Kind.CONFIRMED else "validated certificate formed"
            if network.byzantine.intersection(action.voters):
                yield "certificate with a Byzantine vote"
        case Resend():
            yield "requests sent again"
        case ArchiveChain():
            yield "chain archived"
        case Restart():
            yield from restart_places(before.validators[action.validator])
        case Deliver():
            yield from delivery_places(network, before, action, after)


def delivery_places(network: Network, before: World, action: Deliver, after: World) -> Iterator[str]:
    """Name what an accepted delivery did to the view that it reached."""
    chain_id, key = target_of(action.item), action.validator
    old, new = (chain_of(world.validators[key], chain_id) for world in (before, after))
    if is_tombstone(old):
        yield "tombstone answered"
    match action.item:
        case Request():
            yield "vote repeated" if new is old else "vote"
            yield from round_places(old, new, action.item)
            if is_wedged(network, after, chain_id, new.consistent.next_height):
                yield "chain wedged by its owner"
        case Certificate(kind=Kind.VALIDATED):
            yield from lock_places(old, new, action.item)
        case Certificate():
            yield from commit_places(old, new, action.item)
            recipients = {message.recipient for message in action.item.executed.messages}
            if new is not old and not all(chain_of(after.validators[key], i).consistent.created for i in recipients):
                yield "message to a chain that does not exist"
        case UpdateRecipient():
            yield from update_places(old, new, action.item)
        case ConfirmUpdatedRecipient():
            yield "acknowledgement repeated" if new is old else "outbox drained"


def round_places(old: Chain, new: Chain, request: Request) -> Iterator[str]:
    """Name what a proposal on a chain with several owners did to the rounds of a view."""
    pending, locked = old.localized.pending, old.localized.rounds.locked
    if new is old or not isinstance(new.consistent.owner, Owners):
        return
    if pending is not None:
        yield "vote repeated in a later round" if pending.block == request.block else "vote for another block"
    if locked is not None:
        same = locked.executed.block == request.block
        yield "lock proposed again" if same else "lock released by a justification"
    elif request.justification is not None:
        yield "vote bound by a justification"


def lock_places(old: Chain, new: Chain, certificate: Certificate) -> Iterator[str]:
    """Name what a validated certificate did to a view."""
    before, executed = old.localized, certificate.executed
    if old.consistent.next_height > executed.block.height:
        yield "old validated certificate ignored"
        return
    yield "final vote" if new.localized != before else "final vote repeated"
    if before.pending is None or before.pending.block != executed.block:
        yield "final vote without the proposal"
    if before.rounds.locked is not None and before.rounds.locked.executed != executed:
        yield "lock replaced by a later one"


def restart_places(validator: Validator) -> Iterator[str]:
    """Name what a validator that restarts has to remember."""
    yield "restart"
    locals_ = [chain.localized for chain in validator.chains.values()]
    if any(local.rounds.locked is not None for local in locals_):
        yield "restart with a lock"
    if any(local.pending is not None for local in locals_):
        yield "restart with a vote"


def commit_places(old: Chain, new: Chain, certificate: Certificate) -> Iterator[str]:
    """Name what a confirmed certificate did to a chain."""
    block = certificate.executed.block
    if new is old:
        yield "old certificate ignored"
        return
    yield "block committed"
    if set(owed_messages(new)) - set(owed_messages(old)):
        yield "anticipation"
    if any(skipped(old, new, block)):
        yield "message skipped by a block"
    if is_closed(new.consistent):
        yield "chain closed"
    elif new.consistent.owner != old.consistent.owner:
        yield "owners changed" if isinstance(new.consistent.owner, Owners) else "key changed"
    if certificate.round > 0:
        yield "block committed in a later round"
    pending = old.localized.pending
    if pending is not None and pending.block != block:
        yield "vote overruled by a certificate"


def skipped(old: Chain, new: Chain, block: Block) -> Iterator[Message]:
    """Return the waiting messages that a block passed over."""
    consumed = {t.message for t in block.transactions if isinstance(t, Receive)}
    for origin, box in old.localized.mailboxes.items():
        rest = set(new.localized.mailboxes[origin].added)
        yield from (message for message in box.added if message not in rest and message not in consumed)


def update_places(old: Chain, new: Chain, request: UpdateRecipient) -> Iterator[str]:
    """Name what a batch of messages did to its recipient."""
    if new is old:
        yield "repeat acknowledged"
        if is_closed(old.consistent):
            yield "repeat acknowledged by a closed chain"
        return
    yield "batch delivered"
    blocks = len(new.localized.received) - len(old.localized.received)
    if blocks < len(request.certificates):
        yield "batch partly repeated"
    if blocks > 1:
        yield "batch of several blocks"
    if not old.consistent.created:
        yield "chain created" if len(new.chain_id) == 2 else "grandchild created"
    if len(owed_messages(new)) < len(owed_messages(old)):
        yield "anticipation reconciled"
    if discarded(old, new, request) > 0:
        yield "message skipped before it arrived"


def discarded(old: Chain, new: Chain, request: UpdateRecipient) -> int:
    """Count the messages of a batch that arrived after a block had passed over them."""
    heights = {height for _, height in new.localized.received.since(len(old.localized.received))}
    blocks = (c.executed for c in request.certificates if c.executed.block.height in heights)
    arrived = sum(message.recipient == request.recipient for block in blocks for message in block.messages)
    before, after = (inbox_of(chain, request.sender) for chain in (old, new))
    return arrived - (len(after.added) - len(before.added)) - (len(before.removed) - len(after.removed))


def is_tombstone(chain: Chain) -> bool:
    """Whether a chain was archived."""
    part = chain.consistent
    return is_closed(part) and part.log.get(0) is None


def is_wedged(network: Network, world: World, chain_id: ChainId, height: int) -> bool:
    """Whether correct validators have split their votes so that no block of this height can be certified any more.

    This happens to single owners only.
    """
    committee, quorum = network.context.committee, network.context.rules.quorum
    votes: dict[Block | None, list[PublicKey]] = {None: sorted(network.byzantine)}
    for key, validator in world.validators.items():
        chain = chain_of(validator, chain_id)
        if chain.consistent.next_height > height or isinstance(chain.consistent.owner, Owners):
            return False
        pending = chain.localized.pending
        current = pending is not None and pending.block.height == height
        votes.setdefault(pending.block if pending is not None and current else None, []).append(key)
    free = combined_weight(committee, votes.pop(None))
    best = max((combined_weight(committee, keys) for keys in votes.values()), default=0)
    return not is_quorum(committee, free + best, quorum)

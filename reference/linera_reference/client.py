"""The client of section 2.8 as strategies: pure functions from what a client knows to what it sends next."""

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from attrs import frozen

from .block import Block, Receive, Transaction
from .certificate import Aggregate, Certificate, Vote, add_vote, form_certificate
from .certification import standing_ballot
from .chain import Chain
from .containers import Set, fold
from .context import Context
from .crypto import Signer
from .identifiers import ChainId, is_identifier, parent
from .notation import MAX_U64, evolve, rule, support, u64
from .outbox import ConfirmUpdatedRecipient, UpdateRecipient
from .rejections import Accepted, Outcome, Reason, Rejected, transition, unwrap
from .request import Request, sign_request
from .validator import ChainInfo, Validator, chain_info, chain_of, cross_chain_requests, handle, payload_of

View: TypeAlias = Callable[[ChainId], ChainInfo]
"""What is known of a node: the info of each chain."""


# --- The local node ----------------------------------------------------------------------------------------------


@frozen
class LocalNode:
    """β: a full node without voting rights for a small set of chains."""

    validator: Validator
    tracked: Set[ChainId] = Set()


@rule("WP-2.8-LOCAL-NODE")
def local_context(context: Context) -> Context:
    """Return the parameters of a client's node. Section 2.8."""
    return evolve(context, tracks_inactive=True)


@rule("WP-2.8-LOCAL-NODE")
def track(context: Context, node: LocalNode, chain_id: ChainId) -> LocalNode:
    """Track a chain and its ancestors, whose blocks create it; deliver to them what the node already knows.

    Section 2.8.
    """
    family = [chain_id[:length] for length in range(1, len(chain_id) + 1)]
    new = [member for member in family if not node.tracked.contains(member)]
    tracked = fold(Set.insert, node.tracked, new)
    chains = (chain for _, chain in sorted(node.validator.chains.items()))
    requests = tuple(r for chain in chains for r in cross_chain_requests(chain) if r.recipient in new)
    return LocalNode(deliver(local_context(context), node.validator, requests, tracked.contains), tracked)


@rule("WP-2.8-LOCAL-NODE", "WP-2.9-FINISH")
def learn(context: Context, node: LocalNode, item: Request | Certificate) -> Outcome[LocalNode]:
    """Handle an input at the local node and deliver the messages for tracked chains.

    Rejects: what the handler rejects. Section 2.8.
    """
    context = local_context(context)
    outcome = handle(context, node.validator, item, None)
    if isinstance(outcome, Rejected):
        return outcome
    validator = deliver(context, outcome.state, outcome.outputs, node.tracked.contains)
    return Accepted(evolve(node, validator=validator), outcome.outputs)


@rule("WP-2.8-LOCAL-NODE", "WP-2.5-REQUEST")
def deliver(
    context: Context, validator: Validator, outputs: tuple[object, ...], wanted: Callable[[ChainId], bool]
) -> Validator:
    """Carry the cross-chain requests among outputs to wanted recipients of the same node, and the answers back."""

    def step(validator: Validator, request: object) -> Validator:
        if isinstance(request, UpdateRecipient) and not wanted(request.recipient):
            return validator
        if not isinstance(request, UpdateRecipient | ConfirmUpdatedRecipient):
            return validator
        outcome = handle(context, validator, request, None)
        if isinstance(outcome, Rejected):
            return validator
        return fold(step, outcome.state, outcome.outputs)

    return fold(step, validator, outputs)


@support
def view_of(validator: Validator) -> View:
    """Return what a node says about each chain."""
    return lambda chain_id: chain_info(chain_of(validator, chain_id))


# --- Extending a chain -------------------------------------------------------------------------------------------


@rule("WP-2.8-EXTEND")
def next_block(chain: Chain, transactions: tuple[Transaction, ...]) -> Block:
    """Return the block with these transactions on top of a chain. Section 2.8."""
    part = chain.consistent
    return Block(chain.chain_id, part.next_height, part.block_hash, transactions)


@rule("WP-2.8-EXTEND")
def receive_waiting(chain: Chain, limit: int | None = None) -> tuple[Receive, ...]:
    """Return transactions that pick the waiting messages, by sorted origin, at most ``limit``. Section 2.8."""
    boxes = sorted(chain.localized.mailboxes.items())
    return tuple(Receive(message) for _, box in boxes for message in box.added)[:limit]


@transition
@rule("WP-2.8-EXTEND", "WP-2.8-PENDING")
def propose(
    context: Context, node: LocalNode, owner: Signer, chain_id: ChainId, transactions: tuple[Transaction, ...]
) -> Accepted[LocalNode]:
    """Build and sign the next block, and remember it as pending at the local node before anything is sent.

    Outputs: the request. A block that is pending already is proposed again whatever the transactions: its owner
    signs no second block at a height. Rejects: OUT_OF_RANGE (it cannot be encoded), what ``handle_request`` rejects.
    Section 2.8.
    """
    chain = chain_of(node.validator, chain_id)
    pending = chain.localized.pending
    block = next_block(chain, transactions) if pending is None else pending.block
    request = sign_request(context.scheme, owner, block)
    return Accepted(unwrap(learn(context, node, request)).state, (request,))


@rule("WP-2.8-STOP-AT-QUORUM", "WP-2.2-CERTIFICATE", "WP-2.9-FINALISE")
def collect(context: Context, node: LocalNode, chain_id: ChainId, votes: Iterable[Vote]) -> Certificate | None:
    """Gather votes like the one that the local node stands for, in order, until they form a quorum.

    With several owners these are votes to validate the last proposal, then votes to confirm the lock. Wrong votes count
    for nothing. Returns ⊥ while there is no quorum. Sections 2.8 and 2.9.
    """
    chain = chain_of(node.validator, chain_id)
    ballot = standing_ballot(chain.consistent.owner, chain.localized.pending, chain.localized.rounds)
    if ballot is None:
        return None
    kind, executed, round = ballot
    aggregate = Aggregate(payload_of(context, executed, kind, round))
    for vote in votes:
        outcome = try_vote(context, aggregate, vote)
        if isinstance(outcome, Accepted):
            aggregate = outcome.state
        certificate = form_certificate(context.committee, aggregate, executed, context.rules.quorum)
        if certificate is not None:
            return certificate
    return None


@transition
@rule("WP-2.8-STOP-AT-QUORUM")
def try_vote(context: Context, aggregate: Aggregate, vote: Vote) -> Accepted[Aggregate]:
    """Add a vote. Rejects: those of ``add_vote``. Section 2.8."""
    return Accepted(add_vote(context.scheme, context.committee, aggregate, vote))


# --- Bringing a node up to date ----------------------------------------------------------------------------------


@frozen(order=True)
class Goal:
    """Chain ``chain_id`` is created and its next height is ``height`` or more."""

    chain_id: ChainId
    height: u64


@rule("WP-2.8-QUERY")
def is_reached(behind: View, goal: Goal) -> bool:
    """Whether a node has reached a goal. Section 2.8."""
    info = behind(goal.chain_id)
    return info.created and info.next_height >= goal.height


@rule("WP-2.8-UPLOAD", "WP-2.8-SYNC-ANCESTORS")
def next_transfer(behind: View, ahead: View, goal: Goal) -> tuple[ChainId, u64] | None:
    """Return the certificate (chain, height) that the node behind needs next to reach a goal that the node ahead has.

    Blocks of ancestors come first, up to the one that creates the next chain. If that one is there and the chain is
    not, its creation is still on the way: handing the block over again sends it again. Returns ⊥ when the goal is
    reached, or out of reach of the node ahead. Section 2.8.
    """
    info = behind(goal.chain_id)
    if info.created:
        known = info.next_height < min(goal.height, ahead(goal.chain_id).next_height)
        return (goal.chain_id, info.next_height) if known else None
    origin, height = parent(goal.chain_id), ahead(goal.chain_id).creation_height
    if origin is None or height is None:
        return None
    before = Goal(origin, height + 1)
    return (origin, height) if is_reached(behind, before) else next_transfer(behind, ahead, before)


@rule("WP-2.8-SYNC-MESSAGES")
def next_transfer_for_messages(behind: View, ahead: View, goal: Goal) -> tuple[ChainId, u64]:
    """Return the certificate to hand over so that a sender's blocks below ``goal`` are there and their messages sent.

    When they are there, it is the last of them once more: the node then sends the chain's messages again. Section 2.8.
    """
    return next_transfer(behind, ahead, goal) or (goal.chain_id, goal.height - 1)


@rule("WP-2.8-SYNC-ANCESTORS")
def measure(behind: View, ahead: View, goal: Goal) -> tuple[int, int]:
    """Return (missing blocks, chains not created) on the way to a goal: each upload that has an effect lowers it.

    Section 2.8.
    """
    info = behind(goal.chain_id)
    blocks = max(0, goal.height - info.next_height)
    origin, height = parent(goal.chain_id), ahead(goal.chain_id).creation_height
    if info.created or origin is None or height is None:
        return blocks, 0 if info.created else 1
    above, uncreated = measure(behind, ahead, Goal(origin, height + 1))
    return blocks + above, uncreated + 1


@rule("WP-2.8-EXTEND", "WP-2.8-SYNC-ANCESTORS", "WP-2.8-SYNC-MESSAGES")
def goals_after(item: Request | Certificate, rejection: Rejected) -> tuple[Goal, ...]:
    """Return what a node must reach before it can accept what it just rejected; ⊥ (empty) if nothing would help.

    Section 2.8: earlier blocks and ancestors (a node behind may still know an earlier owner), or the senders of missing
    messages.
    """
    block = item.block if isinstance(item, Request) else item.executed.block
    match rejection.reason:
        case Reason.INACTIVE_CHAIN | Reason.MISSING_EARLIER_BLOCKS | Reason.INVALID_OWNER | Reason.OUT_OF_TURN:
            return (Goal(block.chain_id, block.height),)
        case Reason.UNEXPECTED_BLOCK_HEIGHT if rejection.detail in range(block.height):
            return (Goal(block.chain_id, block.height),)
        case Reason.MISSING_CROSS_CHAIN_UPDATE if isinstance(rejection.detail, tuple):
            return tuple(Goal(place[0], place[1] + 1) for place in rejection.detail if is_place(place))
    return ()


@support
def is_place(item: Any) -> bool:
    """Whether something that a node said is a (chain, height) of a block."""
    match item:
        case (tuple(chain_id), int(height)) if all(isinstance(number, int) for number in chain_id):
            return is_identifier(chain_id) and 0 <= height < MAX_U64
    return False


@rule("WP-2.8-SYNC-MESSAGES", "WP-2.6-RECEIVED")
def goals_from_received(node: LocalNode, logs: Iterable[tuple[tuple[ChainId, u64], ...]]) -> tuple[Goal, ...]:
    """Return what the local node must download so that it holds every block in the received logs of a quorum.

    One goal per sender, sorted. Section 2.8.
    """
    highest: dict[ChainId, int] = {}
    for sender, height in (entry for log in logs for entry in log if is_place(entry)):
        highest[sender] = max(height + 1, highest.get(sender, 0))
    goals = (Goal(sender, height) for sender, height in sorted(highest.items()))
    return tuple(goal for goal in goals if not is_reached(view_of(node.validator), goal))

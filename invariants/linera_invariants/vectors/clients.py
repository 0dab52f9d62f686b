"""Client strategies as operations: where an argument is a function (a view), it is data here; no rule is repeated.

``follow`` tells the story of a client's own node, as ``replay`` tells that of a validator.
"""

from typing import Any, TypeAlias

from attrs import frozen
from immutables import Map

from linera_reference import client, permissioned
from linera_reference.block import Transaction
from linera_reference.certificate import Certificate, Vote
from linera_reference.chain import Chain
from linera_reference.client import Goal, LocalNode, View
from linera_reference.containers import Set
from linera_reference.context import Context
from linera_reference.crypto import Signer
from linera_reference.identifiers import ChainId
from linera_reference.notation import Hash, PublicKey, u32, u64
from linera_reference.rejections import Accepted, Outcome, Reason, Rejected
from linera_reference.request import Request
from linera_reference.validator import (
    ChainInfo,
    Genesis,
    RoundInfo,
    chain_info,
    chain_of,
    genesis_validator,
    received_since,
    round_info,
)

from .forms import Form, Raw, digest_of, form_of, plain
from .replay import ReceivedSince
from .snapshot import digest_of_chain, output_form

Infos: TypeAlias = tuple[ChainInfo, ...]
"""What a node says; of other chains it knows nothing."""
Place: TypeAlias = tuple[ChainId, u64]
Claim: TypeAlias = tuple[tuple[u64 | None, ...] | None, u64]
"""What a node says is a place: ⊥ stands for anything that is no number, or no identifier at all."""


def view_of(infos: Infos) -> View:
    """Return what a node says about each chain."""
    known = {info.chain_id: info for info in infos}
    return lambda chain_id: known.get(chain_id) or chain_info(Chain(chain_id))


def is_reached(behind: Infos, goal: Goal) -> bool:
    """Whether a node has reached a goal."""
    return client.is_reached(view_of(behind), goal)


def next_transfer(behind: Infos, ahead: Infos, goal: Goal) -> Place | None:
    """Return the certificate that a node behind needs next."""
    return client.next_transfer(view_of(behind), view_of(ahead), goal)


def next_transfer_for_messages(behind: Infos, ahead: Infos, goal: Goal) -> Place:
    """Return the certificate to hand over so that messages are sent."""
    return client.next_transfer_for_messages(view_of(behind), view_of(ahead), goal)


def measure(behind: Infos, ahead: Infos, goal: Goal) -> tuple[u64, u64]:
    """Return how far a node behind is from a goal."""
    return client.measure(view_of(behind), view_of(ahead), goal)


def goals_after(
    item: Request | Certificate, reason: Reason, height: u64 | None, senders: tuple[Claim, ...] | None
) -> tuple[Goal, ...]:
    """Return the goals after a rejection; its detail is a height, or senders' blocks, or nothing."""
    return client.goals_after(item, Rejected(reason, height if senders is None else senders))


# --- The story of a client's node --------------------------------------------------------------------------------


@frozen
class Track:
    """Follow a chain and its ancestors."""

    chain_id: ChainId


@frozen
class Learn:
    """Handle an input, and deliver the messages for tracked chains."""

    item: Request | Certificate


@frozen
class ProposeBlock:
    """Build and sign the next block of a chain."""

    owner: Signer
    chain_id: ChainId
    transactions: tuple[Transaction, ...]


@frozen
class CollectVotes:
    """Gather votes for the pending block, up to a quorum."""

    chain_id: ChainId
    votes: tuple[Vote, ...]


@frozen
class ReceiveWaiting:
    """Receive waiting messages, at most so many."""

    chain_id: ChainId
    limit: u64 | None


@frozen
class FindSenders:
    """Find what to download so that every block in some received logs is there."""

    logs: tuple[tuple[Claim, ...], ...]


@frozen
class Look:
    """Look at the own view of a chain."""

    chain_id: ChainId


@frozen
class LearnLocks:
    """Take over the highest lock that validators show."""

    infos: tuple[RoundInfo, ...]


@frozen
class ChooseRound:
    """Choose a round, given the first free one at each validator that answered."""

    chain_id: ChainId
    free: Map[PublicKey, u64]


@frozen
class ProposeInRound:
    """Propose the block of the highest lock, or else a new one, in a round."""

    owner: Signer
    chain_id: ChainId
    transactions: tuple[Transaction, ...]
    round: u32


@frozen
class LookAtRounds:
    """Look at the own view of the height in progress."""

    chain_id: ChainId


ClientStep: TypeAlias = (
    Track
    | Learn
    | ProposeBlock
    | CollectVotes
    | ReceiveWaiting
    | FindSenders
    | Look
    | ReceivedSince
    | LearnLocks
    | ChooseRound
    | ProposeInRound
    | LookAtRounds
)


@frozen
class NodeSnapshot:
    """What is compared of a client's node: the state digests of its chains, and which of them it follows."""

    chains: Map[ChainId, Hash]
    tracked: Set[ChainId]


def digest_of_node(node: LocalNode) -> str:
    """Return the digest of a client's node."""
    chains = Map((i, bytes.fromhex(digest_of_chain(chain))) for i, chain in node.validator.chains.items())
    return digest_of(form_of(NodeSnapshot, NodeSnapshot(chains, node.tracked)))


def follow(context: Context, genesis: Genesis, steps: tuple[ClientStep, ...]) -> Raw:
    """Let a client's node take steps in turn; per step, what came out and the digest of the node."""
    node = LocalNode(genesis_validator(genesis))
    answers: list[dict[str, Form]] = []
    for item in steps:
        outcome = advance(context, node, item)
        node = outcome.state if isinstance(outcome, Accepted) else node
        state = digest_of_node(node)
        if isinstance(outcome, Accepted):
            answers.append({"accepted": {"outputs": [output_form(x) for x in outcome.outputs], "state": state}})
        else:
            answers.append({"rejected": outcome.reason.name, "detail": plain(outcome.detail), "state": state})
    return answers


def advance(context: Context, node: LocalNode, item: ClientStep) -> Outcome[LocalNode]:
    """Let a client's node take one step."""
    match item:
        case Track():
            return Accepted(client.track(context, node, item.chain_id))
        case Learn():
            return client.learn(context, node, item.item)
        case ProposeBlock():
            return client.propose(context, node, item.owner, item.chain_id, item.transactions)
        case LearnLocks():
            return Accepted(permissioned.learn_locks(context, node, item.infos))
        case ProposeInRound():
            made = (item.owner, item.chain_id, item.transactions, item.round)
            return permissioned.propose_in_round(context, node, *made)
        case ChooseRound():
            chosen = permissioned.choose_round(context, node, item.chain_id, item.free)
            return Accepted(node, (chosen.state,)) if isinstance(chosen, Accepted) else chosen
        case FindSenders():
            logs: Any = item.logs
            return Accepted(node, client.goals_from_received(node, logs))
    return Accepted(node, looked(context, node, item))


def looked(
    context: Context, node: LocalNode, item: CollectVotes | ReceiveWaiting | Look | ReceivedSince | LookAtRounds
) -> tuple[Any, ...]:
    """Return what a client sees without changing anything."""
    chain = chain_of(node.validator, item.chain_id)
    match item:
        case CollectVotes():
            certificate = client.collect(context, node, item.chain_id, item.votes)
            return () if certificate is None else (certificate,)
        case ReceiveWaiting():
            return client.receive_waiting(chain, item.limit)
        case Look():
            return (client.view_of(node.validator)(item.chain_id),)
        case ReceivedSince():
            return received_since(chain, item.start)
        case LookAtRounds():
            return (round_info(chain),)

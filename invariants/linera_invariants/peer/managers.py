"""Vectors of kinds ``manager-single`` and ``manager-multi``: what one validator votes for at one height."""

from collections.abc import Iterator, Mapping
from typing import Any

from immutables import Map

from linera_reference.application import Balance, transfer
from linera_reference.block import Block, Execute, ExecutedBlock
from linera_reference.certificate import Certificate, Kind, Vote
from linera_reference.certification import standing_ballot
from linera_reference.containers import Set
from linera_reference.execution import execute_block
from linera_reference.ownership import Owners
from linera_reference.rejections import Accepted, Outcome, Rejected
from linera_reference.rounds import current_round
from linera_reference.validator import GenesisChain

from .model import Seen, Step, Vector, reason_of
from .node import (
    ROOT,
    Node,
    certify,
    first_certificate,
    named_request,
    public_key,
    root_chain,
    signer_of,
    single_validator,
)

OWNER, CO_OWNER = "owner", "co-owner"
KINDS = {Kind.CONFIRMED: "confirm", Kind.VALIDATED: "validate"}


def play_single_owner(vector: Vector) -> Iterator[Seen]:
    """Propose blocks on top of the first one."""
    node = started(vector, root_chain(ROOT, OWNER, 100))
    for step in vector.steps:
        seen = taken(node, step)
        yield Seen(seen.reason, seen.returns, {"vote": vote_of(node)})


def play_many_owners(vector: Vector) -> Iterator[Seen]:
    """Propose blocks in rounds, and hand in validated certificates."""
    owners = Owners(Set(Map((public_key(name), True) for name in (OWNER, CO_OWNER))))
    node = started(vector, GenesisChain(ROOT, owners, Balance(100)))
    for step in vector.steps:
        seen = taken(node, step)
        yield Seen(seen.reason, seen.returns, rounds_of(node), round=seen.round)


def started(vector: Vector, chain: GenesisChain) -> Node:
    """Start the node of a vector, with the first block of its chain."""
    node = single_validator(chain)
    node.handle(first_certificate(node))
    if not vector.setup["has_voting_key"]:
        node.signer = None
    return node


def taken(node: Node, step: Step) -> Seen:
    """Take a step, and say what it did and what it asks for."""
    before = node.chain(ROOT)
    outcome = OPERATIONS[step.op](node, step.args)
    if isinstance(outcome, Rejected):
        return Seen(reason_of(outcome), round=outcome.detail if isinstance(outcome.detail, int) else None)
    return Seen(None, effect(step, node.chain(ROOT) != before, outcome))


def propose(node: Node, args: Mapping[str, Any]) -> Outcome[Any]:
    """Send a proposal."""
    stated = args["justification"]
    justification = None if stated is None else validated(node, stated)
    return node.handle(named_request(named_block(node, args["block"]), OWNER, OWNER, args["round"], justification))


def hand_in(node: Node, args: Mapping[str, Any]) -> Outcome[Any]:
    """Send a validated certificate."""
    return node.handle(validated(node, args))


OPERATIONS = {"manager.propose": propose, "manager.validated_certificate": hand_in}


def validated(node: Node, stated: Mapping[str, Any]) -> Certificate:
    """Return the validated certificate of a named block in a round."""
    staged = execute_block(node.context, node.chain(ROOT), named_block(node, stated["block"]))
    return certify(node.context, signer_of("v"), staged.executed, Kind.VALIDATED, stated["round"])


def named_block(node: Node, name: str) -> Block:
    """Return the block at height 1 that a vector calls by this name: a transfer to a chain with that number."""
    recipient = (int.from_bytes(name.encode()),)
    return Block(ROOT, 1, node.chain(ROOT).consistent.block_hash, (Execute(transfer(recipient, 1)),))


def name_of(executed: ExecutedBlock) -> str:
    """Return what a vector calls a block."""
    (recipient,) = executed.messages[0].recipient
    return recipient.to_bytes((recipient.bit_length() + 7) // 8).decode()


def effect(step: Step, changed: bool, outcome: Accepted[Any]) -> str:
    """Say what an accepted step did.

    What is new is the vote, for a certificate: a node without a key only follows, however often it sees one.
    """
    voted = any(isinstance(item, Vote) for item in outcome.outputs)
    if changed or (not voted and step.op == "manager.validated_certificate"):
        return "vote" if voted else "recorded"
    return "nothing_new"


def vote_of(node: Node) -> dict[str, Any] | None:
    """Say the vote that a validator stands by."""
    part, local = node.chain(ROOT).consistent, node.chain(ROOT).localized
    ballot = standing_ballot(part.owner, local.pending, local.rounds)
    if ballot is None or node.signer is None:
        return None
    kind, executed, round_ = ballot
    return {"block": name_of(executed), "round": round_, "kind": KINDS[kind]}


def rounds_of(node: Node) -> dict[str, Any]:
    """Say the last proposal, the lock, the vote and the round of a validator."""
    local = node.chain(ROOT).localized
    pending, lock = local.pending, local.rounds.locked
    return {
        "proposed": None if pending is None else {"block": name_of(pending), "round": local.rounds.last},
        "lock": None if lock is None else {"block": name_of(lock.executed), "round": lock.round},
        "vote": vote_of(node),
        "current_round": current_round(local.rounds),
    }

"""Vectors of kinds ``manager-single`` and ``manager-multi``: what one validator votes for at one height."""

from collections.abc import Iterator
from typing import Any

from linera_reference.application import transfer
from linera_reference.block import Block, Execute, Request
from linera_reference.certificate import Kind, Vote, VotePayload
from linera_reference.encoding import decode, encode
from linera_reference.rejections import Accepted, Outcome, Rejected
from linera_reference.validator import payload_of

from .model import NotYetError, Seen, Step, Vector, attempt, reason_of
from .node import ROOT, Node, first_certificate, named_request, root_chain, single_validator

OWNER = "owner"
KINDS = {Kind.CONFIRMED: "confirm", Kind.VALIDATED: "validate"}


def play_single_owner(vector: Vector) -> Iterator[Seen]:
    """Propose blocks on top of the first one."""
    node = single_validator(root_chain(ROOT, OWNER, 100))
    node.handle(first_certificate(node))
    if not vector.setup["has_voting_key"]:
        node.signer = None
    for step in vector.steps:
        before, outcome = node.chain(ROOT), propose(node, step)
        returns = None if isinstance(outcome, Rejected) else effect(node.chain(ROOT) != before, outcome)
        yield Seen(reason_of(outcome), returns, {"vote": vote_of(node)})


def propose(node: Node, step: Step) -> Outcome[Any]:
    """Send a proposal; a request has no place for a justification, so one that carries it does not decode."""
    block = named_block(node, step.args["block"])
    request = named_request(block, OWNER, OWNER, step.args["round"])
    justification = step.args["justification"]
    if justification is None:
        return node.handle(request)
    payload = VotePayload(Kind.VALIDATED, bytes(32), justification["round"])
    outcome = attempt(decode, Request, encode(request) + encode(payload))
    return outcome if isinstance(outcome, Rejected) else node.handle(outcome.state)


def named_block(node: Node, name: str) -> Block:
    """Return the block at height 1 that a vector calls by this name: a transfer to a chain with that number."""
    recipient = (int.from_bytes(name.encode()),)
    return Block(ROOT, 1, node.chain(ROOT).consistent.block_hash, (Execute(transfer(recipient, 1)),))


def effect(changed: bool, outcome: Accepted[Any]) -> str:
    """Say what an accepted proposal did."""
    voted = any(isinstance(item, Vote) for item in outcome.outputs)
    return ("vote" if voted else "recorded") if changed else "nothing_new"


def vote_of(node: Node) -> dict[str, Any] | None:
    """Say the vote that a validator stands by."""
    pending = node.chain(ROOT).localized.pending
    if pending is None or node.signer is None:
        return None
    (recipient,) = pending.messages[0].recipient
    name = recipient.to_bytes((recipient.bit_length() + 7) // 8).decode()
    payload = payload_of(node.context, pending)
    return {"block": name, "round": payload.round, "kind": KINDS[payload.kind]}


def play_many_owners(vector: Vector) -> Iterator[Seen]:
    """Several owners need rounds and locks."""
    for _ in vector.steps:
        yield later("several owners")


def later(feature: str) -> Seen:
    """Stop at a step that needs a feature."""
    raise NotYetError(feature)

"""Vectors of kinds ``worker``, ``execution`` and ``delivery-selection``: one node with all votes."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from attrs import define, evolve, field

from linera_reference.application import Credit, burn
from linera_reference.block import Block, Execute, ExecutedBlock
from linera_reference.certificate import Certificate, Kind
from linera_reference.certification import standing_ballot
from linera_reference.chain import Chain, inbox_of
from linera_reference.client import local_context, next_block
from linera_reference.committee import quorum_threshold
from linera_reference.encoding import decode
from linera_reference.execution import execute_block
from linera_reference.identifiers import ChainId
from linera_reference.inbox import next_height_to_receive
from linera_reference.messages import Message, OutgoingMessage, User
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.rejections import Accepted
from linera_reference.validator import (
    Validator,
    check_batch,
    received_since,
    select,
)

from .managers import KINDS
from .model import (
    MalformedStepError,
    NotYetError,
    Seen,
    Step,
    Vector,
    attempt,
    look_up,
    parts_of,
    reason_of,
)
from .node import Node, named_request, root_chain, single_validator
from .workshop import Workshop, balance_of, chain_named, genesis_of, name_of


@define
class Worker:
    """A node, what its clients send, and what the vector remembers of its answers."""

    node: Node
    workshop: Workshop
    proposed: Mapping[str, Any] = field(factory=dict)
    infos: dict[str, Any] = field(factory=dict)


def play_worker(vector: Vector) -> Iterator[Seen]:
    """Send proposals, certificates and cross-chain requests to one node."""
    setup = vector.setup
    chains = (genesis_of(name, chain) for name, chain in setup["chains"].items())
    node = single_validator(*chains, weights=setup["committee"])
    if setup["node"].startswith("client node"):
        node.context, node.signer = local_context(node.context), None
    quorum = quorum_threshold(node.context.committee.total, node.context.rules.quorum)
    problem = None if quorum == setup["quorum"] else f"the quorum of this committee is {quorum}"
    worker = Worker(node, Workshop(node, setup))
    for step in vector.steps:
        seen = WORKER_OPERATIONS[step.op](worker, step)
        yield evolve(seen, state=worker_state(worker, step), problem=problem)


def handle_proposal(worker: Worker, step: Step) -> Seen:
    """Send a proposal. What is returned is the vote with all pending requests."""
    args, block = step.args, step.args["block"]
    if block != "same proposal":
        worker.proposed = worker.workshop.described(block) if isinstance(block, str) else block
    request = named_request(
        worker.workshop.block(worker.proposed), args.get("claimed_owner", args["signed_by"]), args["signed_by"]
    )
    outcome = worker.node.handle(request)
    returns = info_text(worker, step, outcome.outputs) if isinstance(outcome, Accepted) else None
    return Seen(reason_of(outcome), returns)


def info_text(worker: Worker, step: Step, outputs: Any) -> str | None:
    """Name an answer, or compare it with one that was named."""
    if "returns" not in step.asserts:
        return None
    text = step.asserts["returns"]
    equal, name = parts_of(r"info (equal to )?(\w+)", text).groups()
    if equal is None:
        worker.infos[name] = outputs
    return text if look_up(worker.infos, name) == outputs else f"another info than {name}"


def handle_confirmed(worker: Worker, step: Step) -> Seen:
    """Send a certificate."""
    args, name = step.args, step.args["certificate"]
    workshop = worker.workshop
    certificate = workshop.certify(name, args["block"]) if "block" in args else workshop.certificate(name)
    return Seen(reason_of(worker.node.handle(certificate)))


def handle_cross_chain(worker: Worker, step: Step) -> Seen:
    """Deliver a batch of direct messages."""
    update = step.args["update_recipient"]
    sender, recipient = chain_named(update["sender"]), chain_named(update["recipient"])
    if update["heights"]["direct"] != [item["height"] for item in update["blocks"]]:
        raise MalformedStepError("expected the heights of the blocks")
    blocks = tuple(worker.workshop.certify(f"batch{i}", item) for i, item in enumerate(update["blocks"]))
    known = len(worker.node.chain(recipient).localized.received)
    outcome = worker.node.handle(UpdateRecipient(sender, recipient, blocks))
    returns = delivery_text(worker.node, recipient, known, outcome) if isinstance(outcome, Accepted) else None
    return Seen(reason_of(outcome), returns)


def delivery_text(node: Node, recipient: ChainId, known: int, outcome: Accepted[Validator]) -> str:
    """Say what a delivery answers, and which blocks it added to the received log: those are what is notified."""
    answers = [item for item in outcome.outputs if isinstance(item, ConfirmUpdatedRecipient)]
    words = ["one acknowledgement" if len(answers) == 1 else f"{len(answers)} acknowledgements"]
    for origin, height in received_since(node.chain(recipient), known):
        place = f"at {name_of(recipient)} from {name_of(origin)} height {height}"
        words.append(f"notification: new incoming message {place}")
    return "; ".join(words)


WORKER_OPERATIONS: Final[Mapping[str, Callable[[Worker, Step], Seen]]] = {
    "worker.handle_proposal": handle_proposal,
    "worker.handle_confirmed_certificate": handle_confirmed,
    "worker.handle_cross_chain_request": handle_cross_chain,
}


def worker_state(worker: Worker, step: Step) -> dict[str, Any]:
    """Say what a step asserts about chains."""
    asserted = step.asserts.get("state_after", {})
    if "clock" in asserted:
        raise NotYetError("timestamps")
    return {name: chain_state(worker, name, keys) for name, keys in asserted.items()}


def chain_state(worker: Worker, name: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Say the asserted facts about one chain."""
    chain = worker.node.chain(chain_named(name))
    return {key: chain_fact(worker, chain, key, value) for key, value in keys.items()}


def chain_fact(worker: Worker, chain: Chain, key: str, asserted: Any) -> Any:
    """Say one fact about a chain."""
    part, local = chain.consistent, chain.localized
    match key:
        case "balance":
            return balance_of(chain)
        case "next_height":
            return part.next_height
        case "certified_blocks":
            return len(part.log)
        case "tip":
            return worker.workshop.name_of_tip(part.block_hash)
        case "vote":
            return vote_text(worker, chain)
        case "received_log_length":
            return len(local.received)
        case "inboxes":
            return [name_of(origin) for origin in sorted(local.mailboxes)]
        case "epoch" | "trusted":
            raise NotYetError("epochs")
    return inbox_facts(chain, chain_named(key.removeprefix("inbox from ")), asserted)


def vote_text(worker: Worker, chain: Chain) -> str | None:
    """Say the vote that the node stands by."""
    part, local = chain.consistent, chain.localized
    ballot = standing_ballot(part.owner, local.pending, local.rounds)
    return None if ballot is None else f"{KINDS[ballot[0]]} {worker.workshop.name_of_block(ballot[1].block)}"


def inbox_facts(chain: Chain, origin: ChainId, asserted: Mapping[str, Any]) -> dict[str, Any]:
    """Say the asserted facts about an inbox."""
    inbox = inbox_of(chain, origin)
    waiting = [[m.height, m.index, credit_of(m)] for m in inbox.added]
    facts = {"waiting": waiting, "next_height_to_receive": next_height_to_receive(inbox)}
    return {key: facts[key] for key in asserted}


def credit_of(message: Message) -> int:
    """Return the amount that a message carries, 0 if it creates the chain."""
    return decode(Credit, message.content.payload).amount if isinstance(message.content, User) else 0


# --- execution ---------------------------------------------------------------------------------------------------


def play_execution(vector: Vector) -> Iterator[Seen]:
    """Execute operations on one chain, each in a block of its own."""
    if "application" in vector.setup:
        raise NotYetError("applications")
    chain_id = chain_named(vector.setup["chain"])
    node = single_validator(root_chain(chain_id, "owner", vector.setup["balance"]))
    chain = node.chain(chain_id)
    for step in vector.steps:
        if step.op == "execute.query":
            yield Seen(returns={"balance": balance_of(chain), "chain": name_of(chain.chain_id)})
            continue
        block = next_block(chain, (Execute(burn(step.args["transfer"]["amount"])),))
        outcome = attempt(execute_block, node.context, chain, block)
        returns = None
        if isinstance(outcome, Accepted):
            chain, returns = outcome.state.chain, result_text(outcome.state.executed)
        yield Seen(reason_of(outcome), returns, {key: balance_of(chain) for key in step.asserts.get("state_after", ())})


def result_text(executed: ExecutedBlock) -> str:
    """Say what one operation yields."""
    count = len(executed.messages)
    return f"one result, {'no' if count == 0 else count} messages"


# --- selection ---------------------------------------------------------------------------------------------------

IDENTIFIERS: Final = {"id0": (0,), "id1": (1,)}


def play_selection(vector: Vector) -> Iterator[Seen]:
    """Select what is new in a batch of blocks, each with a message for the recipient (decision D36)."""
    for step in vector.steps:
        args = step.args
        if not args["allow_deprecated_epochs"]:
            raise NotYetError("epochs")
        origin, recipient = IDENTIFIERS[args["origin"]], IDENTIFIERS[args["recipient"]]
        blocks = {name: batch_block(item, recipient) for name, item in vector.setup["batch_blocks"].items()}
        batch = tuple(look_up(blocks, name) for name in args["batch"])
        outcome = attempt(select_checked, UpdateRecipient(origin, recipient, batch), args["next_height_to_receive"])
        returns = None
        if isinstance(outcome, Accepted):
            returns = [name for block in outcome.state for name in args["batch"] if blocks[name] == block]
        yield Seen(reason_of(outcome), returns)


def batch_block(item: Mapping[str, Any], recipient: ChainId) -> Certificate:
    """Make a certified block; nobody looks at its signatures here."""
    block = Block(IDENTIFIERS[item["chain"]], item["height"], None, ())
    messages = (OutgoingMessage(recipient, User(b"")),)
    return Certificate(ExecutedBlock(block, messages, bytes(32)), Kind.CONFIRMED, 0, ())


def select_checked(request: UpdateRecipient, next_height: int) -> tuple[Certificate, ...]:
    """Check the batch, then select."""
    check_batch(request)
    return select(request, next_height)

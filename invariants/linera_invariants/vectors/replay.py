"""A whole node as one operation: from genesis, one input after the other, with the services between them."""

from typing import Any, TypeAlias

from attrs import frozen

from linera_reference.certificate import Certificate
from linera_reference.chain import Chain
from linera_reference.context import Context
from linera_reference.crypto import Signer
from linera_reference.identifiers import ChainId
from linera_reference.notation import u64
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.rejections import Accepted, Outcome
from linera_reference.request import Request
from linera_reference.validator import (
    Genesis,
    Validator,
    archive_chain,
    chain_info,
    chain_of,
    cross_chain_requests,
    download,
    genesis_validator,
    handle,
    is_delivered,
    put_chain,
    received_since,
    restart,
    round_info,
    target_of,
)

from .forms import Form, Raw, plain
from .snapshot import digest_of_chain, output_form


@frozen
class SendAgain:
    """Send the pending cross-chain requests of a chain again."""

    chain_id: ChainId


@frozen
class Archive:
    """Turn a closed chain into a tombstone."""

    chain_id: ChainId


@frozen
class Info:
    """Ask what is known of a chain."""

    chain_id: ChainId


@frozen
class Download:
    """Ask for the certificates of some heights."""

    chain_id: ChainId
    start: u64
    end: u64


@frozen
class ReceivedSince:
    """Ask for the log of received blocks."""

    chain_id: ChainId
    start: u64


@frozen
class IsDelivered:
    """Ask whether all messages up to a height were delivered."""

    chain_id: ChainId
    height: u64


@frozen
class AskRounds:
    """Ask what is known of the height in progress."""

    chain_id: ChainId


@frozen
class Crash:
    """Let the node crash and go on with what it stored; a chain is named to be looked at."""

    chain_id: ChainId


Query: TypeAlias = SendAgain | Info | Download | ReceivedSince | IsDelivered | AskRounds
Service: TypeAlias = Query | Archive | Crash
Input: TypeAlias = (
    Request
    | Certificate
    | UpdateRecipient
    | ConfirmUpdatedRecipient
    | SendAgain
    | Archive
    | Info
    | Download
    | ReceivedSince
    | IsDelivered
    | AskRounds
    | Crash
)


def replay(context: Context, genesis: Genesis, signer: Signer | None, inputs: tuple[Input, ...]) -> Raw:
    """Give inputs to a node in turn; per input, the answer and the digest of its chain afterwards."""
    node = genesis_validator(genesis)
    answers: list[dict[str, Form]] = []
    for item in inputs:
        outcome = take(context, node, item, signer)
        node = outcome.state if isinstance(outcome, Accepted) else node
        state = digest_of_chain(chain_of(node, target(item)))
        if isinstance(outcome, Accepted):
            answers.append({"accepted": {"outputs": [output_form(x) for x in outcome.outputs], "state": state}})
        else:
            answers.append({"rejected": outcome.reason.name, "detail": plain(outcome.detail), "state": state})
    return answers


def target(item: Input) -> ChainId:
    """Return the chain that an input is about."""
    return item.chain_id if isinstance(item, Service) else target_of(item)


def take(context: Context, node: Validator, item: Input, signer: Signer | None) -> Outcome[Validator]:
    """Give one input to a node."""
    if not isinstance(item, Service):
        return handle(context, node, item, signer)
    if isinstance(item, Archive):
        chain = chain_of(node, item.chain_id)
        outcome = archive_chain(chain)
        if isinstance(outcome, Accepted):
            return Accepted(put_chain(node, chain, outcome.state), outcome.outputs)
        return outcome
    if isinstance(item, Crash):
        return Accepted(restart(node))
    return Accepted(node, told(chain_of(node, item.chain_id), item))


def told(chain: Chain, item: Query) -> tuple[Any, ...]:
    """Answer what changes nothing."""
    match item:
        case SendAgain():
            return cross_chain_requests(chain)
        case Info():
            return (chain_info(chain),)
        case Download():
            return download(chain, item.start, item.end)
        case ReceivedSince():
            return received_since(chain, item.start)
        case IsDelivered():
            return (is_delivered(chain, item.height),)
        case AskRounds():
            return (round_info(chain),)

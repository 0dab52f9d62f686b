"""What a scenario may expect of a chain at a node, and how the facts are found."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from linera_reference.application import Balance
from linera_reference.chain import Chain, is_closed, owed_messages
from linera_reference.identifiers import ChainId
from linera_reference.messages import Create, Message
from linera_reference.ownership import Owners
from linera_reference.rounds import current_round
from linera_reference.swap import Holdings
from linera_reference.validator import Validator, chain_of

from .scenarios import AssetSpec, DepositSpec, Expect, MessageSpec, OwnerSpec
from .story import Names, listed, show_chain, show_content, show_name
from .views import is_archived


def _owner(names: Names, chain: Chain) -> OwnerSpec | None:
    owner = chain.consistent.owner
    if isinstance(owner, Owners):
        return tuple(sorted(show_name(names, key) for key in owner.keys))
    return None if owner is None else show_name(names, owner)


def _balance(_: Names, chain: Chain) -> int | None:
    state = chain.consistent.state
    return state.amount if isinstance(state, Balance) else None


def _assets(_: Names, chain: Chain) -> tuple[AssetSpec, ...] | None:
    state = chain.consistent.state
    if not isinstance(state, Holdings):
        return None
    return tuple(sorted(AssetSpec(token, amount) for token, amount in state.balances.items()))


def _deposits(names: Names, chain: Chain) -> tuple[DepositSpec, ...] | None:
    state = chain.consistent.state
    if not isinstance(state, Holdings):
        return None
    assets = ((show_name(names, key), deposit.asset) for key, deposit in state.deposits.items())
    return tuple(sorted(DepositSpec(asset.token, asset.amount, owner=name) for name, asset in assets))


def _waiting(names: Names, chain: Chain) -> tuple[MessageSpec, ...]:
    boxes = sorted(chain.localized.mailboxes.items(), key=lambda item: item[0])
    return tuple(_message(names, message) for _, box in boxes for message in box.added)


def _owed(names: Names, chain: Chain) -> tuple[MessageSpec, ...]:
    ordered = sorted(owed_messages(chain), key=lambda message: (message.origin, message.cursor))
    return tuple(_message(names, message) for message in ordered)


def _message(names: Names, message: Message) -> MessageSpec:
    content = message.content
    if isinstance(content, Create):
        return MessageSpec(origin=message.origin, create=show_name(names, content.owner))
    shown = show_content(names, content)
    return MessageSpec(origin=message.origin, amount=int(shown) if shown.isdecimal() else None)


def _undelivered(_: Names, chain: Chain) -> dict[ChainId, tuple[int, ...]]:
    return {recipient: tuple(outbox.queue) for recipient, outbox in chain.localized.outboxes.items()}


FACTS: dict[str, Callable[[Names, Chain], Any]] = {
    "created": lambda _, chain: chain.consistent.created,
    "closed": lambda _, chain: is_closed(chain.consistent),
    "owner": _owner,
    "balance": _balance,
    "assets": _assets,
    "deposits": _deposits,
    "height": lambda _, chain: chain.consistent.next_height,
    "transactions": lambda _, chain: chain.consistent.tx_count,
    "pending": lambda _, chain: chain.localized.pending is not None,
    "round": lambda _, chain: current_round(chain.localized.rounds),
    "locked": lambda _, chain: chain.localized.rounds.locked is not None,
    "waiting": _waiting,
    "owed": _owed,
    "received": lambda _, chain: len(chain.localized.received),
    "undelivered": _undelivered,
    "archived": lambda _, chain: is_archived(chain),
}
"""The facts of a chain at a node, by their key in an ``expect`` step."""


def unmet_facts(names: Names, expected: Expect, node: Validator, chain_id: ChainId, name: str) -> Iterator[str]:
    """Compare a chain at a node with what is expected of it."""
    chain = chain_of(node, chain_id)
    for fact, find in FACTS.items():
        wanted = getattr(expected, fact)
        if wanted is not None and (found := find(names, chain)) != _in_order(wanted):
            place = f"{fact} of chain {show_chain(chain_id)} at {name}"
            yield f"{place}: expected {show_fact(wanted)}, found {show_fact(found)}"


def _in_order(wanted: Any) -> Any:
    """Sort names and assets: a set of owners, of balances or of deposits has no order in a file."""
    unordered = isinstance(wanted, tuple) and not any(isinstance(item, MessageSpec) for item in wanted)
    return tuple(sorted(wanted)) if unordered else wanted


def show_expectation(expected: Expect, nodes: list[str]) -> str:
    """Write what is expected, for the story."""
    where = listed(nodes)
    if expected.block is not None:
        return f"block {expected.block} has {'a' if expected.certified else 'no'} certificate"
    if expected.agreement is not None:
        return f"{where} {'agree' if expected.agreement else 'do not agree'}"
    asked = {fact: getattr(expected, fact) for fact in (*FACTS, "certificates")}
    facts = (f"{fact} {show_fact(value)}" for fact, value in asked.items() if value is not None)
    return f"chain {show_chain(expected.chain or ())} at {where}: {', '.join(facts)}"


def show_fact(value: Any) -> str:
    """Write the value of a fact."""
    match value:
        case bool():
            return "yes" if value else "no"
        case AssetSpec():
            owner = f" by {value.owner}" if isinstance(value, DepositSpec) else ""
            return f"{value.amount} of token {value.token}{owner}"
        case MessageSpec():
            what = f"the creation for {value.create}" if value.create else f"{value.amount}"
            return f"{what} from {show_chain(value.origin)}"
        case tuple():
            return ", ".join(map(show_fact, value)) or "nothing"
        case dict():
            lists = (f"{show_fact(item)} to {show_chain(key)}" for key, item in sorted(value.items()))
            return "; ".join(lists) or "nothing"
    return "nothing" if value is None else str(value)


def disagreement(nodes: Mapping[str, Validator], chain_id: ChainId | None) -> str | None:
    """Return the first chain (or look at one only) of which two nodes have different heights or last blocks."""
    known = sorted({found for node in nodes.values() for found in node.chains}) if chain_id is None else [chain_id]
    for found in known:
        if len({_tip(chain_of(node, found)) for node in nodes.values()}) > 1:
            return show_chain(found)
    return None


def _tip(chain: Chain) -> tuple[Any, ...]:
    """Return what determines the consistent part, kept by tombstones too."""
    part = chain.consistent
    return part.created, part.owner, part.next_height, part.block_hash

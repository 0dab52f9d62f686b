"""The last steps before a divergence as a display trace (:mod:`linera_invariants.traces`)."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from immutables import Map

from linera_invariants.story import Remark
from linera_invariants.traces import Document, trace_of
from linera_invariants.vectors.replay import Archive, Crash, SendAgain
from linera_reference.certificate import Certificate, Vote, certified_payload
from linera_reference.containers import Set, fold
from linera_reference.crypto import Scheme, Signer
from linera_reference.identifiers import ChainId
from linera_reference.network import Action, ArchiveChain, Deliver, Network, Resend, Restart, World
from linera_reference.notation import PublicKey, evolve
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.request import Request
from linera_reference.validator import Genesis, Validator

from .deliveries import was_sent
from .lines import Header, Received
from .nearest import chains_of
from .replayer import Taken


def picture_of(header: Header, last: Sequence[Taken], now: Validator, item: Received | None, remark: str) -> Document:
    """Draw the last steps that the log and the reference share, then the one where they part."""
    key, parted = header.validator, () if item is None else (item,)
    items: list[Received] = [*(step.item for step in last), *parted]
    chains = chains_of(items)
    genesis = Genesis(header.genesis.committee, tuple(c for c in header.genesis.chains if c.chain_id in chains))
    # The votes of the picture are no evidence: nobody here has the validator's secret.
    network = Network(header.context, genesis, Map({key: Signer(key, bytes(32))}))
    before = _only(last[0].before if last else now, chains)
    scheme = header.context.scheme
    sent = [found for found in items if found is not item or _can_come(scheme, now, found)]
    start = _sent(scheme, key, World(Map({key: before})), sent)
    events = [*_events(key, last), *(_action(key, found) for found in parted), Remark(remark, "!!")]
    title = "The last steps before a log and the specification part"
    return trace_of(network, events, title, {key: "validator"}, f"log of {key.hex()}", start=start)


def _can_come(scheme: Scheme, validator: Validator, item: Received) -> bool:
    if isinstance(item, UpdateRecipient | ConfirmUpdatedRecipient):
        return was_sent(scheme, validator, item)
    return True


def _only(validator: Validator, chains: set[ChainId]) -> Validator:
    return Validator(Map((name, validator.chains[name]) for name in sorted(chains) if name in validator.chains))


def _sent(scheme: Scheme, key: PublicKey, world: World, items: Iterable[Received]) -> World:
    """Have items been sent, so that they can arrive."""
    requests, votes, internal = (set[Any]() for _ in range(3))
    for item in items:
        match item:
            case Request():
                requests.add(item)
            case Certificate():
                payload = certified_payload(scheme, item)
                votes |= {Vote(payload, signer, signature) for signer, signature in item.signatures}
            case UpdateRecipient() | ConfirmUpdatedRecipient():
                internal.add(item)
    found: list[Set[Any]] = [fold(Set.insert, Set(), items) for items in (requests, votes, internal)]
    return evolve(world, requests=found[0], votes=found[1], internal=Map({key: found[2]}))


def _events(key: PublicKey, last: Iterable[Taken]) -> Iterator[Action | Remark]:
    for step in last:
        if step.line is None:
            yield Remark("not in the log, and needed to explain it:")
        yield _action(key, step.item)


def _action(key: PublicKey, item: Received) -> Action:
    match item:
        case SendAgain(chain_id):
            return Resend(key, chain_id)
        case Archive(chain_id):
            return ArchiveChain(key, chain_id)
        case Crash():
            return Restart(key)
        case Request() | Certificate() | UpdateRecipient() | ConfirmUpdatedRecipient():
            return Deliver(key, item)

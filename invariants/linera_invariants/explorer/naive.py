"""The plain search: whole worlds, breadth first, with nothing but ``network.step``. It checks the fast one.

Certificates on one block are identified: two worlds are the same state if they are equal once each certificate that
was formed is replaced by the standard one of its block. The worlds that are expanded keep their own certificates.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, combinations
from typing import Any, TypeVar

import attrs
from attrs import frozen
from immutables import Map

from linera_reference.block import ExecutedBlock
from linera_reference.certificate import Certificate
from linera_reference.containers import Log, Queue, Set, fold
from linera_reference.network import (
    Action,
    ArchiveChain,
    CastVote,
    Certify,
    Deliver,
    Propose,
    Resend,
    World,
    initial_world,
    step,
)
from linera_reference.notation import Hash
from linera_reference.rejections import Accepted
from linera_reference.validator import payload_of

from .model import Setting, standard_certificate

T = TypeVar("T")


@frozen
class Found:
    """What the plain search saw."""

    levels: tuple[frozenset[World], ...]
    """The states, as identified worlds, by their distance from the start."""

    @property
    def states(self) -> int:
        """Count the states."""
        return sum(map(len, self.levels))


def search(setting: Setting, blocks: Sequence[ExecutedBlock], stop: Callable[[World], bool] = lambda _: False) -> Found:
    """Visit every state, up to the first level where some world is one to ``stop`` at.

    ``blocks`` are those that Byzantine validators vote for and that may be certified.
    """
    network = setting.network
    standard = {network.context.scheme.hash(one): standard_certificate(network, one) for one in blocks}
    start = initial_world(network)
    frontier, seen, levels = {start: start}, {start}, [frozenset([start])]
    while frontier and not any(map(stop, frontier.values())):
        reached: dict[World, World] = {}
        for world in frontier.values():
            for after in successors(setting, blocks, world):
                state = identified(after, standard)
                if state not in seen:
                    seen.add(state)
                    reached[state] = after
        frontier = reached
        if reached:
            levels.append(frozenset(reached))
    return Found(tuple(levels))


def successors(setting: Setting, blocks: Sequence[ExecutedBlock], world: World) -> Iterator[World]:
    """Walk the worlds that one action leads to."""
    for action in chain(sending(setting, blocks, world), delivering(setting, world)):
        outcome = step(setting.network, world, action)
        if isinstance(outcome, Accepted):
            yield outcome.state


def sending(setting: Setting, blocks: Sequence[ExecutedBlock], world: World) -> Iterator[Action]:
    """Walk what anybody may send."""
    yield from map(Propose, setting.menu.requests.values())
    for executed in blocks:
        payload = payload_of(setting.network.context, executed)
        yield from (CastVote(key, payload) for key in setting.byzantine)
        if payload.block_hash not in world.certificates:
            for size in range(len(setting.order) + 1):
                yield from (Certify(executed, voters) for voters in combinations(setting.order, size))


def delivering(setting: Setting, world: World) -> Iterator[Action]:
    """Walk what may happen at correct validators."""
    shared = [*world.requests, *world.certificates.values(), *(forged.item for forged in setting.menu.forged.values())]
    for key in setting.correct:
        yield from (Deliver(key, item) for item in chain(shared, world.internal.get(key, Set())))
        yield from (Resend(key, chain_id) for chain_id in setting.model.resend)
        yield from (ArchiveChain(key, chain_id) for chain_id in setting.model.archive)


def identified(world: World, standard: Mapping[Hash, Certificate | None]) -> World:
    """Replace every certificate that was formed by the standard one of its block."""
    return with_certificates(world, world, standard)


def with_certificates(value: T, world: World, standard: Mapping[Hash, Certificate | None]) -> T:
    """Replace, anywhere in a value, the certificates that were formed in a world by the standard ones."""
    names = {certificate: standard[block_hash] for block_hash, certificate in world.certificates.items()}
    changed = {mine: theirs for mine, theirs in names.items() if mine != theirs}
    result: T = replaced(value, changed) if changed else value
    return result


def replaced(value: Any, names: Mapping[Any, Any]) -> Any:
    """Replace certificates by others, anywhere in a value."""
    match value:
        case Certificate():
            return names.get(value, value)
        case tuple():
            return tuple(replaced(item, names) for item in value)
        case Map():
            return Map((replaced(key, names), replaced(item, names)) for key, item in value.items())
        case Set():
            return fold(Set.insert, Set(), (replaced(item, names) for item in value))
        case Queue():
            return fold(Queue.push, Queue(), (replaced(item, names) for item in value))
        case Log():
            items = value.since(0)  # a forgotten log keeps its length only
            return fold(Log.append, Log(), (replaced(item, names) for item in items)) if items else value
        case _ if attrs.has(type(value)):
            fields = {f.name: replaced(getattr(value, f.name), names) for f in attrs.fields(type(value))}
            return type(value)(**fields)
    return value

"""The plain search: whole worlds, breadth first, with nothing but ``network.step``. It checks the fast one.

Certificates that confirm one block are identified, and those that validate it in one round: two worlds are the same
state if they are equal once each certificate that was formed is replaced by the standard one. The worlds that are
expanded keep their own certificates.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain, combinations
from typing import Any, TypeAlias

import attrs
from attrs import frozen
from immutables import Map

from linera_reference.certificate import Certificate, Kind, VotePayload
from linera_reference.certification import Ballot
from linera_reference.containers import Log, Queue, Set, fold
from linera_reference.network import (
    Action,
    ArchiveChain,
    CastVote,
    Deliver,
    Network,
    Propose,
    Resend,
    Restart,
    World,
    initial_world,
    step,
)
from linera_reference.notation import Hash
from linera_reference.rejections import Accepted

from .model import Setting, certify_as, payload_for, standard_certificate

Standards: TypeAlias = Mapping[Hash | VotePayload, Certificate | None]
"""The standard certificates: confirmed ones by hash, validated ones by what their votes sign."""


@frozen
class Found:
    """What the plain search saw."""

    levels: tuple[frozenset[World], ...]
    """The states, as identified worlds, by their distance from the start."""

    @property
    def states(self) -> int:
        """Count the states."""
        return sum(map(len, self.levels))


def search(setting: Setting, ballots: Sequence[Ballot], stop: Callable[[World], bool] = lambda _: False) -> Found:
    """Visit every state, up to the first level where some world is one to ``stop`` at.

    ``ballots`` are those that Byzantine validators vote for and that may be certified.
    """
    network = setting.network
    standard = standards(network, ballots)
    start = everything_sent(setting, standard, ballots, initial_world(network))
    frontier, seen, levels = {start: start}, {start}, [frozenset([start])]
    while frontier and not any(map(stop, frontier.values())):
        reached: dict[World, World] = {}
        for world in frontier.values():
            for after in successors(setting, standard, ballots, world):
                state = identified(after, standard)
                if state not in seen:
                    seen.add(state)
                    reached[state] = after
        frontier = reached
        if reached:
            levels.append(frozenset(reached))
    return Found(tuple(levels))


def successors(setting: Setting, standard: Standards, ballots: Sequence[Ballot], world: World) -> Iterator[World]:
    """Walk the worlds that one action leads to."""
    may_send = () if setting.model.at_once else sending(setting, standard, ballots, world)
    for action in chain(may_send, delivering(setting, world)):
        outcome = step(setting.network, world, action)
        if isinstance(outcome, Accepted):
            yield everything_sent(setting, standard, ballots, outcome.state)


def everything_sent(setting: Setting, standard: Standards, ballots: Sequence[Ballot], world: World) -> World:
    """Send whatever can be sent, where the model sends everything at once."""
    before = None
    while setting.model.at_once and world != before:
        before = world
        for action in sending(setting, standard, ballots, before):
            outcome = step(setting.network, world, action)
            world = outcome.state if isinstance(outcome, Accepted) else world
    return world


def sending(setting: Setting, standard: Standards, ballots: Sequence[Ballot], world: World) -> Iterator[Action]:
    """Walk what anybody may send. A request is justified by the certificate that was formed."""
    formed = {theirs: mine for mine, theirs in names_of(world, standard).items()}
    for request in setting.menu.requests.values():
        if request.justification is None or request.justification in formed:
            yield Propose(replaced(request, formed))
    for ballot in ballots:
        yield from (CastVote(key, payload_for(setting.network, ballot)) for key in setting.byzantine)
        if name_of(setting.network, ballot) not in {*world.certificates, *world.validated}:
            for size in range(len(setting.order) + 1):
                yield from (certify_as(ballot, voters) for voters in combinations(setting.order, size))


def delivering(setting: Setting, world: World) -> Iterator[Action]:
    """Walk what may happen at correct validators."""
    formed = (*world.certificates.values(), *world.validated.values())
    shared = [*world.requests, *formed, *(forged.item for forged in setting.menu.forged.values())]
    for key in setting.correct:
        yield from (Deliver(key, item) for item in chain(shared, world.internal.get(key, Set())))
        yield from (Resend(key, chain_id) for chain_id in setting.model.resend)
        yield from (ArchiveChain(key, chain_id) for chain_id in setting.model.archive)
        yield from [Restart(key)] * setting.model.restarts


def standards(network: Network, ballots: Sequence[Ballot]) -> Standards:
    """Return the standard certificate of each block that was confirmed, and of each round that it was validated in."""
    found: dict[Hash | VotePayload, Certificate | None] = {}
    for ballot in ballots:
        name = name_of(network, ballot)
        found[name] = found.get(name) or standard_certificate(network, ballot)
    return found


def name_of(network: Network, ballot: Ballot) -> Hash | VotePayload:
    """Return the name by which a world knows the certificate of a ballot."""
    payload = payload_for(network, ballot)
    return payload if ballot[0] is Kind.VALIDATED else payload.block_hash


def names_of(world: World, standard: Standards) -> dict[Certificate, Certificate]:
    """Return the standard certificate of each one that was formed in a world."""
    formed: dict[Any, Certificate] = {**world.certificates, **world.validated}
    return {certificate: known for name, certificate in formed.items() if (known := standard[name]) is not None}


def identified(world: World, standard: Standards) -> World:
    """Replace every certificate that was formed by the standard one."""
    changed = {mine: theirs for mine, theirs in names_of(world, standard).items() if mine != theirs}
    result: World = replaced(world, changed) if changed else world
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

"""Latency in message delays: how long after the proposal a block is committed, if every message takes one delay.

A walk over ``network.step`` in which everything that is sent arrives one delay later: at all correct validators, or at
the client, which follows the shipped strategies and goes on as soon as a quorum has answered. Byzantine validators stay
silent. Two delays are a round trip.
"""

from collections.abc import Callable, Iterator
from typing import Final

from attrs import frozen
from immutables import Map

from linera_reference.certificate import Certificate
from linera_reference.certification import proposal_kind
from linera_reference.client import LocalNode, collect, learn, propose, track
from linera_reference.committee import is_quorum, weight
from linera_reference.crypto import Signer
from linera_reference.identifiers import ChainId
from linera_reference.network import Action, Certify, Deliver, Network, Propose, World, initial_world, step
from linera_reference.permissioned import choose_round, propose_in_round
from linera_reference.rejections import Accepted, Outcome, Rejected, S
from linera_reference.request import Request
from linera_reference.validator import chain_of, genesis_validator

from .bench import Figure
from .scenarios import ChainSpec, OwnerSpec, Scenario, UserSpec, ValidatorSpec, build_network, user_signers
from .schemes import SCHEMES

CHAIN: Final[ChainId] = (0,)


@frozen
class Setting:
    """Voting rights of validators, how many of them (the first) are silent, and who owns the chain."""

    weights: tuple[int, ...]
    silent: int
    owner: OwnerSpec

    def __str__(self) -> str:
        """Name the setting."""
        kind, silent = NAMES[self.owner], sum(self.weights[: self.silent])
        return f"{kind}, voting rights {' '.join(map(str, self.weights))}, silent {silent}"

    def scenario(self) -> Scenario:
        """Return who takes part."""
        names = [f"v{number}" for number in range(1, len(self.weights) + 1)]
        faults = ["silent"] * self.silent + [None] * (len(names) - self.silent)
        specs = map(ValidatorSpec, self.weights, faults)
        return Scenario(
            title="Latency",
            validators=dict(zip(names, specs, strict=True)),
            users={"alice": UserSpec(), "bob": UserSpec()},
            chains=(ChainSpec(CHAIN, self.owner),),
            steps=(),
            crypto="ideal",
        )


@frozen
class Latency:
    """Delays from sending the proposal until a correct validator has committed the block, and until a quorum has."""

    first: int
    quorum: int


SINGLE: Final[OwnerSpec] = "alice"
SEVERAL: Final[OwnerSpec] = ("alice", "bob")
COMMITTEES: Final = (((1, 1, 1, 1), 0), ((1, 1, 1, 1), 1), ((1,) * 7, 2), ((3, 4, 2, 1), 0), ((3, 4, 2, 1), 1))
"""Voting rights, and how many are silent: none, or such that they hold exactly f."""
NAMES: Final[dict[OwnerSpec, str]] = {SINGLE: "single owner", SEVERAL: "several owners"}
CLAIMED: Final[dict[OwnerSpec, int]] = {SINGLE: 3, SEVERAL: 5}
"""1.5 and 2.5 round trips (sections 2.8 and 2.9)."""


SETTINGS: Final = tuple(Setting(weights, silent, owner) for owner in NAMES for weights, silent in COMMITTEES)


def figures() -> Iterator[Figure]:
    """Yield what is measured in each setting, beside what is claimed."""
    for setting in SETTINGS:
        found, claimed = measure(setting), CLAIMED[setting.owner]
        yield Figure(f"{setting}: first commit", found.first, "delays", "≤", claimed)
        yield Figure(f"{setting}: commits of a quorum", found.quorum, "delays", "≤", claimed)


def measure(setting: Setting) -> Latency:
    """Measure a setting. Raises: RuntimeError (no quorum answers)."""
    scenario = setting.scenario()
    network = build_network(scenario)
    owner = user_signers(scenario, SCHEMES[scenario.crypto])["alice"]
    rights = list(enumerate((committed(network, world) for world in after_each_delay(network, owner)), 1))

    def delay(enough: Callable[[int], bool]) -> int:
        found = next((number for number, votes in rights if enough(votes)), None)
        if found is None:
            raise RuntimeError("no quorum answers")
        return found

    committee = network.context.committee
    return Latency(delay(bool), delay(lambda votes: is_quorum(committee, votes, network.context.rules.quorum)))


def committed(network: Network, world: World) -> int:
    """Return the voting rights of the correct validators that have committed the first block."""
    behind = ((key, chain_of(validator, CHAIN).consistent) for key, validator in world.validators.items())
    return sum(weight(network.context.committee, key) for key, part in behind if part.next_height > 0)


def after_each_delay(network: Network, owner: Signer) -> Iterator[World]:
    """Yield the world after every message delay, until the client has nothing left to send."""
    world = initial_world(network)
    node = track(network.context, LocalNode(genesis_validator(network.genesis)), CHAIN)
    node, request = proposed(network, node, owner)
    world = taken(step(network, world, Propose(request))).state
    sent: Request | Certificate | None = request
    while sent is not None:
        world = everywhere(network, world, sent)
        yield world
        world, node, sent = answered(network, world, node)
        yield world


def proposed(network: Network, node: LocalNode, owner: Signer) -> tuple[LocalNode, Request]:
    """Let the client propose a block without transactions, as the type of the chain demands."""
    context, known = network.context, chain_of(node.validator, CHAIN).consistent.owner
    if proposal_kind(known) is proposal_kind(owner.public_key):
        outcome = taken(propose(context, node, owner, CHAIN, ()))
    else:
        round = taken(choose_round(context, node, CHAIN, Map())).state
        outcome = taken(propose_in_round(context, node, owner, CHAIN, (), round))
    return outcome.state, outcome.outputs[0]


def everywhere(network: Network, world: World, item: Request | Certificate) -> World:
    """Let something arrive at every correct validator."""
    for key in sorted(world.validators):
        world = taken(step(network, world, Deliver(key, item))).state
    return world


def answered(network: Network, world: World, node: LocalNode) -> tuple[World, LocalNode, Certificate | None]:
    """Let the answers arrive at the client, which sends the certificate that they form, if they do."""
    formed = collect(network.context, node, CHAIN, sorted(world.votes, key=lambda vote: vote.validator))
    if formed is None:
        return world, node, None
    voters = tuple(key for key, _ in formed.signatures)
    action: Action = Certify(formed.executed, voters, formed.kind, formed.round)
    outcome = taken(step(network, world, action))
    return outcome.state, taken(learn(network.context, node, formed)).state, outcome.outputs[0]


def taken(outcome: Outcome[S]) -> Accepted[S]:
    """Return an outcome that must be an acceptance: nobody here does anything wrong."""
    if isinstance(outcome, Rejected):
        raise RuntimeError(f"rejected: {outcome}")  # noqa: TRY004
    return outcome

"""Clients at work: drives the client strategies of the reference over ``network.step``, keeping the trace.

The driver decides nothing about the protocol. It carries what a strategy asks for to the validators that answer, one
action of the network at a time, so that every run is a run of the model.
"""

from collections.abc import Callable, Generator, Iterable
from typing import Any, TypeAlias, TypeVar

from attrs import define, evolve, field, frozen
from immutables import Map

from linera_reference.block import Transaction
from linera_reference.certificate import Certificate, Kind
from linera_reference.certification import Ballot, proposal_kind, standing_ballot
from linera_reference.chain import Chain
from linera_reference.client import (
    Goal,
    LocalNode,
    View,
    collect,
    goals_after,
    goals_from_received,
    is_reached,
    learn,
    next_transfer,
    next_transfer_for_messages,
    propose,
    receive_waiting,
    track,
    view_of,
)
from linera_reference.crypto import Signer
from linera_reference.identifiers import ChainId
from linera_reference.network import Action, CastVote, Certify, Deliver, Network, Propose, Resend, World, step
from linera_reference.notation import PublicKey
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.permissioned import choose_round, first_free, learn_locks, propose_in_round
from linera_reference.rejections import Accepted, Outcome, Reason, Rejected
from linera_reference.request import Request
from linera_reference.validator import (
    chain_info,
    chain_of,
    download,
    genesis_validator,
    payload_of,
    received_since,
    round_info,
)

T = TypeVar("T")

ATTEMPTS = 3
"""A proposal is tried, brought up to date for its chain, then for its messages: never more (L10). As often, by default,
a client proposes again where others contend."""

Turns: TypeAlias = Generator[None, None, T]
"""Work that is done one delivery a turn, so that several clients may take turns."""


NOBODY_HEARD: Map[PublicKey, int] = Map()

Strategy: TypeAlias = Callable[[View, View, Goal], tuple[ChainId, int] | None]
"""What to hand over next to a node behind, given a node ahead and a goal."""


@frozen
class Step:
    """One action of a run and how it ended; ``actor`` is the client that caused it, if one did."""

    action: Action
    outcome: Outcome[World]
    actor: str | None = None


@define
class Client:
    """A user: a name, a key, and a local node."""

    name: str
    signer: Signer
    node: LocalNode

    def chain(self, chain_id: ChainId) -> Chain:
        """Return the local view of a chain."""
        return chain_of(self.node.validator, chain_id)


@define
class Driver:
    """A run of the network.

    ``offline`` validators answer nothing; Byzantine ones vote for anything asked if ``complicit``, else stay silent.
    With ``settling``, a validator delivers its own cross-chain requests at once; without, somebody else must.
    Clients ask validators in the given ``order`` (default: that of their keys).
    """

    network: Network
    world: World
    offline: set[PublicKey] = field(factory=set)
    complicit: bool = False
    settling: bool = True
    trace: list[Step] = field(factory=list)
    observe: Callable[[World, Step, World], None] | None = None
    actor: str | None = None
    order: tuple[PublicKey, ...] = ()

    # --- single actions ---

    def act(self, action: Action) -> Outcome[World]:
        """Take one action of the network and remember it."""
        before, outcome = self.world, step(self.network, self.world, action)
        if isinstance(outcome, Accepted):
            self.world = outcome.state
        self.trace.append(Step(action, outcome, self.actor))
        if self.observe is not None:
            self.observe(before, self.trace[-1], self.world)
        return outcome

    def deliver(self, key: PublicKey, item: Any) -> Outcome[World]:
        """Deliver something to a validator, then what it sends to itself (when settling)."""
        outcome = self.act(Deliver(key, item))
        if isinstance(outcome, Accepted) and self.settling:
            self.settle(key, outcome.outputs)
        return outcome

    def settle(self, key: PublicKey, outputs: Iterable[Any]) -> None:
        """Deliver the cross-chain requests among outputs, and their answers."""
        for item in outputs:
            if isinstance(item, UpdateRecipient | ConfirmUpdatedRecipient):
                self.deliver(key, item)

    def resend(self, key: PublicKey, chain_id: ChainId) -> Outcome[World]:
        """Make a validator send the pending cross-chain requests of a chain again (and deliver them, when settling)."""
        outcome = self.act(Resend(key, chain_id))
        if isinstance(outcome, Accepted) and self.settling:
            self.settle(key, outcome.outputs)
        return outcome

    # --- who answers ---

    def online(self) -> list[PublicKey]:
        """Return the correct validators that answer, in the order in which clients ask them."""
        validators = self.world.validators
        return [key for key in self.order or sorted(validators) if key in validators and key not in self.offline]

    def view(self, key: PublicKey) -> View:
        """Return what a correct validator says about chains."""
        return view_of(self.world.validators[key])

    # --- clients ---

    def client(self, name: str, signer: Signer, *chains: ChainId) -> Client:
        """Start a client from the genesis configuration, tracking some chains."""
        node = LocalNode(genesis_validator(self.network.genesis))
        for chain_id in chains:
            node = track(self.network.context, node, chain_id)
        return Client(name, signer, node)

    def learn(self, client: Client, item: Request | Certificate) -> Outcome[LocalNode]:
        """Let the local node handle a certificate, or somebody's request."""
        outcome = learn(self.network.context, client.node, item)
        if isinstance(outcome, Accepted):
            client.node = outcome.state
        return outcome

    def upload(self, client: Client, key: PublicKey, goal: Goal, strategy: Strategy = next_transfer) -> bool:
        """Bring a validator to a goal with what the client has; whether it got there."""
        ahead = view_of(client.node.validator)
        last = None
        while (transfer := strategy(self.view(key), ahead, goal)) is not None and transfer != last:
            chain_id, height = last = transfer
            found = download(client.chain(chain_id), height, height + 1)
            if not found:
                break
            self.deliver(key, found[0])
        return is_reached(self.view(key), goal)

    def fetch(self, client: Client, key: PublicKey, goal: Goal) -> bool:
        """Bring the local node to a goal with what a validator has; whether it got there."""
        self.track(client, goal.chain_id)
        last, ahead = None, self.view(key)
        while (transfer := next_transfer(view_of(client.node.validator), ahead, goal)) is not None and transfer != last:
            chain_id, height = last = transfer
            found = download(chain_of(self.world.validators[key], chain_id), height, height + 1)
            if not found:
                break
            self.learn(client, found[0])
        return is_reached(view_of(client.node.validator), goal)

    def track(self, client: Client, chain_id: ChainId) -> None:
        """Let the local node follow a chain and its ancestors."""
        if not client.node.tracked.contains(chain_id):
            client.node = track(self.network.context, client.node, chain_id)

    def synchronize(self, client: Client, chain_id: ChainId) -> None:
        """Download a chain and the blocks that sent messages to it, from every validator that answers."""
        self.track(client, chain_id)
        for key in self.online():
            chain = chain_of(self.world.validators[key], chain_id)
            self.fetch(client, key, Goal(chain_id, chain_info(chain).next_height))
            for goal in goals_from_received(client.node, [received_since(chain, 0)]):
                self.fetch(client, key, goal)

    def submit(self, client: Client, key: PublicKey, item: Request | Certificate) -> Outcome[World]:
        """Ask one validator for its vote, bringing it up to date when that is why it refuses."""
        outcome = self.deliver(key, item)
        for _ in range(ATTEMPTS - 1):
            if isinstance(outcome, Accepted) or not goals_after(item, outcome):
                break
            messages = outcome.reason is Reason.MISSING_CROSS_CHAIN_UPDATE
            for goal in goals_after(item, outcome):
                self.upload(client, key, goal, next_transfer_for_messages if messages else next_transfer)
            outcome = self.deliver(key, item)
        return outcome

    # --- proposals ---

    def in_rounds(self, client: Client, chain_id: ChainId) -> bool:
        """Whether the client knows a chain as one with several owners."""
        return proposal_kind(client.chain(chain_id).consistent.owner) is Kind.VALIDATED

    def hear(self, client: Client, chain_id: ChainId) -> Map[PublicKey, int]:
        """Catch up with the validators that answer, learn their locks, and return the first free round of each."""
        keys = self.online()
        for key in keys:
            self.fetch(client, key, Goal(chain_id, self.view(key)(chain_id).next_height))
        infos = {key: round_info(chain_of(self.world.validators[key], chain_id)) for key in keys}
        client.node = learn_locks(self.network.context, client.node, infos.values())
        height = client.chain(chain_id).consistent.next_height
        return Map((key, first_free(info) if info.next_height == height else 0) for key, info in infos.items())

    def propose(
        self,
        client: Client,
        chain_id: ChainId,
        transactions: tuple[Transaction, ...],
        round: int | None = None,
        free: Map[PublicKey, int] = NOBODY_HEARD,
    ) -> Outcome[LocalNode]:
        """Build the next block, remember it locally and publish the request.

        With several owners it is proposed in the given round, or else in the one that the client chooses after what it
        heard of the first free round at validators.
        """
        context, node = self.network.context, client.node
        if round is None and not self.in_rounds(client, chain_id):
            outcome = propose(context, node, client.signer, chain_id, transactions)
        else:
            chosen = choose_round(context, node, chain_id, free) if round is None else Accepted(round)
            if isinstance(chosen, Rejected):
                return chosen
            outcome = propose_in_round(context, node, client.signer, chain_id, transactions, chosen.state)
        if isinstance(outcome, Accepted):
            client.node = outcome.state
            self.act(Propose(outcome.outputs[0]))
        return outcome

    # --- certificates ---

    def ballot(self, client: Client, chain_id: ChainId) -> Ballot | None:
        """Return what the local node stands for."""
        chain = client.chain(chain_id)
        return standing_ballot(chain.consistent.owner, chain.localized.pending, chain.localized.rounds)

    def ask_byzantine(self, ballot: Ballot) -> None:
        """Let complicit Byzantine validators vote."""
        kind, executed, round = ballot
        for key in self.order or sorted(self.network.byzantine):
            if self.complicit and key in self.network.byzantine and key not in self.offline:
                self.act(CastVote(key, payload_of(self.network.context, executed, kind, round)))

    def certify(self, client: Client, chain_id: ChainId, ballot: Ballot) -> Certificate | None:
        """Form the certificate that the local node stands for from the votes cast so far, if they are a quorum."""
        kind, executed, round = ballot
        payload = payload_of(self.network.context, executed, kind, round)
        votes = sorted((v for v in self.world.votes if v.payload == payload), key=lambda v: v.validator)
        formed = collect(self.network.context, client.node, chain_id, votes)
        if formed is None:
            return None
        outcome = self.act(Certify(executed, tuple(signer for signer, _ in formed.signatures), kind, round))
        return outcome.outputs[0] if isinstance(outcome, Accepted) else None

    def gathering(
        self, client: Client, chain_id: ChainId, item: Request | Certificate
    ) -> Turns[Certificate | Rejected | None]:
        """Hand round what asks for votes; return the certificate of them, or else the last refusal."""
        ballot, refusal = self.ballot(client, chain_id), None
        if ballot is None:
            return None
        self.ask_byzantine(ballot)
        for key in self.online():
            yield
            outcome = self.submit(client, key, item)
            certificate = self.certify(client, chain_id, ballot)
            if certificate is not None:
                return certificate
            refusal = outcome if isinstance(outcome, Rejected) else refusal
        return refusal

    def finishing(
        self, client: Client, chain_id: ChainId, item: Request | Certificate
    ) -> Turns[Certificate | Rejected | None]:
        """Gather votes for a request or a validated certificate, up to the certificate of the block; broadcast it."""
        found = yield from self.gathering(client, chain_id, item)
        while isinstance(found, Certificate):
            self.learn(client, found)
            if found.kind is Kind.CONFIRMED:
                self.broadcast(client, chain_id)
                return found
            found = yield from self.gathering(client, chain_id, found)
        return found

    def finish(self, client: Client, chain_id: ChainId, item: Request | Certificate) -> Certificate | None:
        """Bring what the local node stands for to its end; ⊥ if no quorum answered."""
        found = at_once(self.finishing(client, chain_id, item))
        return found if isinstance(found, Certificate) else None

    # --- blocks ---

    def extending(
        self, client: Client, chain_id: ChainId, transactions: tuple[Transaction, ...], attempts: int = ATTEMPTS
    ) -> Turns[Certificate | Rejected | None]:
        """Extend a chain: propose, gather votes up to quorums, certify, and broadcast the certificate.

        With several owners, hear of locks and rounds first, and try again as long as validators refuse: somebody
        contends. Returns the rejection if the block is invalid locally, ⊥ if no quorum answered. What is decided is the
        client's block, or one that may have been decided already.
        """
        for _ in range(attempts if self.in_rounds(client, chain_id) else 1):
            free = self.hear(client, chain_id) if self.in_rounds(client, chain_id) else NOBODY_HEARD
            outcome = self.propose(client, chain_id, transactions, free=free)
            if isinstance(outcome, Rejected):
                return outcome
            found = yield from self.finishing(client, chain_id, outcome.outputs[0])
            if not isinstance(found, Rejected):
                return found
        return None

    def extend(
        self, client: Client, chain_id: ChainId, transactions: tuple[Transaction, ...]
    ) -> Certificate | Rejected | None:
        """Extend a chain while nobody else does anything."""
        self.actor = client.name
        return at_once(self.extending(client, chain_id, transactions))

    def broadcast(self, client: Client, chain_id: ChainId) -> None:
        """Bring every validator that answers up to the client's height of a chain."""
        height = client.chain(chain_id).consistent.next_height
        for key in self.online():
            self.upload(client, key, Goal(chain_id, height))

    def receive_all(self, client: Client, chain_id: ChainId) -> tuple[Transaction, ...]:
        """Return transactions that consume every message waiting at the local node."""
        return receive_waiting(client.chain(chain_id))


def at_once(turns: Turns[T]) -> T:
    """Do all of some work."""
    while True:
        try:
            next(turns)
        except StopIteration as end:
            done: T = end.value
            return done


def with_context(network: Network, **changes: Any) -> Network:
    """Return a network whose handlers take other parameters."""
    return evolve(network, context=evolve(network.context, **changes))

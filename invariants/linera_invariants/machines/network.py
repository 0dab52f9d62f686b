"""What the machines over `network.step` share: a driven network, what was sent, and the verdict of each step."""

from collections.abc import Iterable, Iterator
from typing import Any

from hypothesis import strategies as st
from immutables import Map

from linera_invariants.driver import Driver, Step
from linera_invariants.registry import Violation, check_step
from linera_invariants.story import Event, Remark, named, tell
from linera_invariants.traces import trace_of
from linera_invariants.views import same_place
from linera_reference.application import Balance, Token
from linera_reference.block import ExecutedBlock, Transaction
from linera_reference.certificate import Certificate, Kind, VotePayload
from linera_reference.chain import Chain, is_closed
from linera_reference.client import next_block
from linera_reference.committee import make_committee
from linera_reference.containers import Set, fold
from linera_reference.context import Context
from linera_reference.crypto import Scheme, Signer, make_signer
from linera_reference.identifiers import ChainId
from linera_reference.network import (
    ArchiveChain,
    CastVote,
    Certify,
    CrossChain,
    Deliver,
    Network,
    Propose,
    World,
    initial_world,
)
from linera_reference.notation import PublicKey
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.ownership import Owner, Owners, keys_of
from linera_reference.rejections import Accepted, Outcome, Reason, Rejected
from linera_reference.request import Request, sign_request
from linera_reference.rules import BASELINE, Rules
from linera_reference.validator import Genesis, GenesisChain, chain_of, payload_of

from .base import Machine, Violated
from .effects import differences
from .places import places

EFFECTS = "a committed block does what its transactions say"
ARCHIVED = "only a closed chain without undelivered messages is archived"

VALIDATORS = ("Ada", "Blaise", "Carl", "Dora")
USERS = ("alice", "bob", "carol")
TOKENS = 20

WEIGHTS = st.sampled_from([(1, 1, 1, 1), (1, 1, 1, 1), (3, 2, 1, 1), (2, 2, 2, 1), (5, 4, 4, 0), (1, 2, 3, 4)])
ORDER = st.permutations(range(4))
PLACE = st.integers(0, 3)
SOME = st.integers(0, 15)
"""Some of the four validators, as the bits of a number; 0 means all."""


class NetworkMachine(Machine):
    """A network of weighted validators, whose every step is judged by every predicate."""

    def __init__(self) -> None:
        super().__init__()
        self.names: dict[bytes, str] = {}
        self.events: list[Event] = []
        self.requests: list[Request] = []
        self.executed: dict[bytes, ExecutedBlock] = {}
        self.certificates: list[Certificate] = []
        self.validated: list[Certificate] = []
        self.internal: list[tuple[PublicKey, CrossChain]] = []

    def open_network(
        self,
        weights: tuple[int, ...],
        faulty: Iterable[int],
        chains: Iterable[tuple[ChainId, tuple[str, ...]]],
        rules: Rules = BASELINE,
    ) -> None:
        """Start a network; of the ``faulty`` places, in this order, those that fit under the fault bound misbehave.

        A chain that names one user has a single owner.
        """
        scheme = self.session.scheme
        self.signers = {name: make_signer(scheme, name.encode().ljust(32)) for name in (*VALIDATORS, *USERS)}
        self.names |= {signer.public_key: name for name, signer in self.signers.items()}
        voters = [self.signers[name] for name in VALIDATORS[: len(weights)]]
        genesis = tuple(GenesisChain(i, self.owner(names), Balance(TOKENS)) for i, names in chains)
        self.network = make_network(scheme, rules, voters, weights, genesis, tuple(within_fault_bound(weights, faulty)))
        self.members = [voter.public_key for voter in voters]
        self.byzantine = [key for key in self.members if key in self.network.byzantine]
        self.correct = [key for key in self.members if key not in self.network.byzantine]
        self.driver = Driver(self.network, initial_world(self.network), settling=False, observe=self.observe)

    def owner(self, names: tuple[str, ...]) -> Owner:
        """Return the single owner of a name, or several."""
        keys = [self.signers[name].public_key for name in names]
        return keys[0] if len(keys) == 1 else Owners(fold(Set.insert, Set(), keys))

    # --- what every step goes through ---

    def observe(self, before: World, step: Step, after: World) -> None:
        """Remember, count and judge a step."""
        self.session.steps += 1
        self.events.append(step)
        if isinstance(step.outcome, Accepted):
            self.remember(before, step, step.outcome)
        for place in places(self.network, before, step, after):
            self.count(place)
        self.judge(before, step, after)

    def judge(self, before: World, step: Step, after: World) -> None:
        """Judge a step."""
        self.compare_effects(before, step)
        self.compare_archive(before, step)
        self.accuse(check_step(self.network, before, step, after, counts=self.session.checked))

    def accuse(self, found: list[Violation]) -> None:
        """Stop at a violation."""
        if found:
            self.events += found
            raise Violated(named(self.names, "; ".join(f"{v.statement}: {v.detail}" for v in found)))

    def compare_effects(self, before: World, step: Step) -> None:
        """Compare what a committed block did with what its transactions say."""
        match step.action:
            case Deliver(key, Certificate(executed, Kind.CONFIRMED)) if isinstance(step.outcome, Accepted):
                old, new = (chain_of(w.validators[key], executed.block.chain_id) for w in (before, step.outcome.state))
                if new is not old:
                    problems = tuple(differences(old.consistent, executed, new.consistent))
                    self.check(not problems, EFFECTS, executed.block.chain_id, executed.block.height, *problems)

    def compare_archive(self, before: World, step: Step) -> None:
        """Compare how archiving ended with what the chain allows."""
        match step.action:
            case ArchiveChain(key, chain_id):
                old = chain_of(before.validators[key], chain_id)
                expected = Reason.OUTBOX_NOT_EMPTY if old.localized.outboxes else None
                expected = expected if is_closed(old.consistent) else Reason.CHAIN_NOT_CLOSED
                found = step.outcome.reason if isinstance(step.outcome, Rejected) else None
                self.check(found is expected, ARCHIVED, chain_id, found, expected)

    def remember(self, before: World, step: Step, outcome: Accepted[World]) -> None:
        """Keep what was sent in the order of sending (sets have none, and runs must not depend on hash seeds)."""
        match step.action:
            case Propose(request) if not before.requests.contains(request):
                self.count("equivocation", any(conflicts(request, other) for other in self.requests))
                self.requests.append(request)
            case Certify(kind=kind):
                known = self.certificates if kind is Kind.CONFIRMED else self.validated
                known += [c for c in outcome.outputs if c not in known]
            case Deliver(key, Request() as request):
                self.remember_vote(self.cell(key, request.block.chain_id).localized.pending)
        self.internal += fresh_requests(before, step, outcome)

    def remember_vote(self, executed: ExecutedBlock | None) -> None:
        """Keep what a correct validator voted for."""
        if executed is not None:
            self.executed[self.payload(executed).block_hash] = executed

    def story(self) -> list[str]:
        """Tell the run so far."""
        return tell(self.names, self.events)

    def trace(self, error: str) -> dict[str, Any] | None:
        """Describe the run so far; what only the machine's own model forbids is a remark at its end."""
        if not hasattr(self, "network"):
            return None
        judged = any(isinstance(event, Violation) for event in self.events)
        events = self.events if judged else [*self.events, Remark(error, "!!")]
        return trace_of(self.network, events, "A run that must not happen", self.names, self.session.source)

    def remark(self, text: str) -> None:
        """Add a line to the story that is no action of the network."""
        self.events.append(Remark(text))

    # --- looking around ---

    def cell(self, key: PublicKey, chain_id: ChainId) -> Chain:
        """Return the view of a chain at a correct validator."""
        return chain_of(self.driver.world.validators[key], chain_id)

    def payload(self, executed: ExecutedBlock, kind: Kind = Kind.CONFIRMED, round: int = 0) -> VotePayload:
        """Return what a vote for an executed block signs."""
        return payload_of(self.network.context, executed, kind, round)

    def validator(self, place: int) -> PublicKey:
        """Return one of the correct validators."""
        return self.correct[place % len(self.correct)]

    def some(self, bits: int) -> list[PublicKey]:
        """Return some of the correct validators: those of the set bits, all for 0."""
        return [key for place, key in enumerate(self.correct) if bits == 0 or bits >> place & 1]

    def best_view(self, chain_id: ChainId) -> Chain:
        """Return the view of a chain at the correct validator that is furthest."""
        return max((self.cell(key, chain_id) for key in self.correct), key=progress)

    def signer_of(self, owner: Owner | None, which: int = 0) -> Signer | None:
        """Return the key pair of an owner, of several any."""
        names = sorted(self.names[key] for key in keys_of(owner))
        return self.signers[names[which % len(names)]] if names else None

    # --- raw actions of the network ---

    def propose_on(self, chain: Chain, transactions: tuple[Transaction, ...], signer: Signer) -> Request:
        """Sign and publish a block on top of some view of a chain."""
        return self.publish(sign_request(self.network.context.scheme, signer, next_block(chain, transactions)))

    def publish(self, request: Request) -> Request:
        """Publish a request."""
        self.driver.act(Propose(request))
        return request

    def deliver(self, key: PublicKey, item: Request | Certificate | CrossChain) -> Outcome[World]:
        """Let one validator handle something."""
        return self.driver.act(Deliver(key, item))

    def spread(self, item: Request | Certificate | None, some: int) -> None:
        """Let some of the correct validators handle something, if there is anything."""
        if item is not None:
            for key in self.some(some):
                self.driver.act(Deliver(key, item))

    def betray(self, executed: ExecutedBlock, kind: Kind = Kind.CONFIRMED, round: int = 0) -> None:
        """Let every Byzantine validator vote for a block."""
        for key in self.byzantine:
            self.driver.act(CastVote(key, self.payload(executed, kind, round)))

    def voters(self, executed: ExecutedBlock, kind: Kind = Kind.CONFIRMED, round: int = 0) -> list[PublicKey]:
        """Return who has voted for a block."""
        payload = self.payload(executed, kind, round)
        cast = {vote.validator for vote in self.driver.world.votes if vote.payload == payload}
        return [key for key in self.members if key in cast]

    def certify(
        self, executed: ExecutedBlock, without: int = 0, kind: Kind = Kind.CONFIRMED, round: int = 0
    ) -> Certificate | None:
        """Gather the votes cast for a block into a certificate, those of some places set aside; ⊥ without a quorum."""
        voters = self.voters(executed, kind, round)
        kept = [voter for place, voter in enumerate(voters) if not without >> place & 1]
        outcome = self.driver.act(Certify(executed, tuple(kept), kind, round))
        return outcome.outputs[0] if isinstance(outcome, Accepted) else None

    def settle(self, key: PublicKey, answers: bool = True) -> None:
        """Let one validator deliver everything between its chains; the answers too, or are they lost?"""
        chains = self.driver.world.validators[key].chains
        for chain_id in sorted(chain_id for chain_id, chain in chains.items() if chain.localized.outboxes):
            self.driver.settling = answers
            outcome = self.driver.resend(key, chain_id)
            self.driver.settling = False
            if not answers and isinstance(outcome, Accepted):
                for request in outcome.outputs:
                    self.deliver(key, request)


def make_network(
    scheme: Scheme,
    rules: Rules,
    voters: list[Signer],
    weights: tuple[int, ...],
    genesis: tuple[GenesisChain, ...],
    faulty: tuple[int, ...],
) -> Network:
    """Build a network of these validators with these voting rights; those at the ``faulty`` places are Byzantine."""
    committee = make_committee((voter.public_key, weight) for voter, weight in zip(voters, weights, strict=True))
    signers = Map((voter.public_key, voter) for voter in voters)
    byzantine = frozenset(voters[place].public_key for place in faulty)
    return Network(Context(scheme, Token(), committee, rules), Genesis(committee, genesis), signers, byzantine)


def within_fault_bound(weights: tuple[int, ...], order: Iterable[int]) -> Iterator[int]:
    """Walk the places, in this order, whose voting rights together stay below a third."""
    weight = 0
    for place in order:
        if 3 * (weight + weights[place]) < sum(weights):
            weight += weights[place]
            yield place


def conflicts(request: Request, other: Request) -> bool:
    """Whether two requests are different blocks of one owner at the same place, in the same round."""
    mine, theirs = request.block, other.block
    signed = (request.owner, request.round) == (other.owner, other.round)
    return signed and same_place(mine, theirs) and mine != theirs


def fresh_requests(before: World, step: Step, outcome: Accepted[World]) -> list[tuple[PublicKey, CrossChain]]:
    """Return the cross-chain requests that a step sent for the first time."""
    key: PublicKey = getattr(step.action, "validator", b"")
    sent = before.internal.get(key)
    cross = (output for output in outcome.outputs if isinstance(output, UpdateRecipient | ConfirmUpdatedRecipient))
    return [(key, item) for item in cross if sent is None or not sent.contains(item)]


def progress(chain: Chain) -> tuple[bool, int]:
    """Say how far a view of a chain is."""
    return chain.consistent.created, chain.consistent.next_height

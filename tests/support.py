"""Small builders shared by the tests.

Everything is deterministic: a name gives a secret, a secret gives a key. A network has validators 0, 1, … (by place in
``weights``) and one root chain ``(i,)`` per owner. A *cell* is the view of one chain at one validator: what a handler
reads and writes.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha3_256
from typing import Any

import pytest
from attrs import evolve
from hypothesis import settings
from immutables import Map

from linera_reference.application import Application, Balance, Token
from linera_reference.block import Block, Execute, ExecutedBlock, Transaction
from linera_reference.certificate import Certificate, Kind, Vote, VotePayload, sign_vote
from linera_reference.chain import Chain, Consistent, Localized
from linera_reference.client import LocalNode, next_block, track
from linera_reference.committee import Committee, make_committee
from linera_reference.containers import Log, Set, fold
from linera_reference.context import Context
from linera_reference.crypto import Ed25519Scheme, IdealScheme, Scheme, Signer, make_signer
from linera_reference.execution import execute_block
from linera_reference.identifiers import ChainId
from linera_reference.messages import Message, User
from linera_reference.network import Action, Network, World, step
from linera_reference.outbox import UpdateRecipient
from linera_reference.ownership import Owner, Owners
from linera_reference.rejections import Accepted, Outcome, Reason, Rejected, Rejection
from linera_reference.request import Request, sign_request
from linera_reference.rules import BASELINE, Rules
from linera_reference.validator import (
    Genesis,
    GenesisChain,
    genesis_chain,
    genesis_validator,
    handle,
    handle_certificate,
    update_recipient,
)

IDEAL = IdealScheme()
ED25519 = Ed25519Scheme()
BOTH = (IDEAL, ED25519)
NO_HASH = bytes(32)
TOKENS = 1000
"""Balance of a root chain unless said otherwise."""
FULL = Balance(TOKENS)


def examples(ci: int) -> settings:
    """Ask for this many examples in profile ci, a tenth of them in dev."""
    full = os.environ.get("HYPOTHESIS_PROFILE", "dev") == "ci"
    return settings(max_examples=ci if full else max(5, ci // 10))


# --- keys --------------------------------------------------------------------------------------------------------


def scheme(real: bool = False) -> Scheme:
    """Return Ed25519 if ``real``, else the ideal scheme."""
    return ED25519 if real else IDEAL


def signer(name: str, scheme: Scheme = IDEAL) -> Signer:
    """Return the key pair of a name."""
    return make_signer(scheme, sha3_256(name.encode()).digest())


def key(name: str, scheme: Scheme = IDEAL) -> bytes:
    """Return the public key of a name."""
    return signer(name, scheme).public_key


def owner_of(names: str | tuple[str, ...], scheme: Scheme = IDEAL) -> Owner:
    """Return the owner of one name, or the owners of several."""
    return key(names, scheme) if isinstance(names, str) else Owners(members(*(key(name, scheme) for name in names)))


def members(*items: Any) -> Set[Any]:
    """Return the set of some items."""
    nothing: Set[Any] = Set()
    return fold(Set.insert, nothing, items)


def signers(n: int, scheme: Scheme = IDEAL) -> tuple[Signer, ...]:
    """Return the key pairs of validators 0 … n − 1."""
    return tuple(signer(f"validator {i}", scheme) for i in range(n))


def digest(text: str) -> bytes:
    """Return some 32 bytes that stand for the hash of something else."""
    return sha3_256(text.encode()).digest()


# --- networks ----------------------------------------------------------------------------------------------------


def committee(weights: Iterable[int] = (1, 1, 1, 1), scheme: Scheme = IDEAL) -> Committee:
    """Return the committee of validators 0, 1, … with these weights."""
    weights = tuple(weights)
    keys = (s.public_key for s in signers(len(weights), scheme))
    return make_committee(zip(keys, weights, strict=True))


def context(
    weights: Iterable[int] = (1, 1, 1, 1),
    scheme: Scheme = IDEAL,
    rules: Rules = BASELINE,
    application: Application | None = None,
    tracks_inactive: bool = False,
) -> Context:
    """Return parameters of handlers: a committee, and the bundled token unless another application is given."""
    return Context(scheme, application or Token(), committee(weights, scheme), rules, tracks_inactive)


def network(
    weights: Iterable[int] = (1, 1, 1, 1),
    owners: tuple[str | tuple[str, ...], ...] = ("alice", "bob"),
    balances: tuple[int, ...] | int = TOKENS,
    byzantine: tuple[int, ...] = (),
    scheme: Scheme = IDEAL,
    rules: Rules = BASELINE,
    application: Application | None = None,
) -> Network:
    """Return a network with root chain (i,) for the i-th owner or owners; ``byzantine`` are places in ``weights``."""
    weights = tuple(weights)
    amounts = (balances,) * len(owners) if isinstance(balances, int) else balances
    chains = tuple(
        GenesisChain((i,), owner_of(owner, scheme), Balance(amount))
        for i, (owner, amount) in enumerate(zip(owners, amounts, strict=True))
    )
    ctx = context(weights, scheme, rules, application)
    pairs = signers(len(weights), scheme)
    faulty = frozenset(pairs[i].public_key for i in byzantine)
    return Network(ctx, Genesis(ctx.committee, chains), Map((s.public_key, s) for s in pairs), faulty)


def validators(network: Network) -> tuple[Signer, ...]:
    """Return the key pairs of a network's validators, by place."""
    return signers(len(network.signers), network.context.scheme)


def node(network: Network, *tracked: ChainId) -> LocalNode:
    """Return a client's node at genesis that tracks some chains."""
    start = LocalNode(genesis_validator(network.genesis))
    for chain_id in tracked:
        start = track(network.context, start, chain_id)
    return start


# --- votes and certificates --------------------------------------------------------------------------------------


def vote(network: Network, place: int, executed: ExecutedBlock, kind: Kind = Kind.CONFIRMED, round: int = 0) -> Vote:
    """Let the validator at a place vote."""
    payload = VotePayload(kind, network.context.scheme.hash(executed), round)
    return sign_vote(network.context.scheme, validators(network)[place], payload)


def certify(
    network: Network,
    executed: ExecutedBlock,
    voters: Iterable[int] | None = None,
    kind: Kind = Kind.CONFIRMED,
    round: int = 0,
) -> Certificate:
    """Certify an executed block with the signatures of all validators, or of those at these places."""
    places = range(len(network.signers)) if voters is None else voters
    votes = [vote(network, i, executed, kind, round) for i in places]
    return Certificate(executed, kind, round, tuple((v.validator, v.signature) for v in votes))


def executed(network: Network, chain: Chain, *transactions: Transaction) -> ExecutedBlock:
    """Execute the next block of a chain with these transactions."""
    return execute_block(network.context, chain, next_block(chain, transactions)).executed


def certified(network: Network, chain: Chain, *transactions: Transaction) -> Certificate:
    """Execute and certify the next block of a chain with these transactions."""
    return certify(network, executed(network, chain, *transactions))


def commit(network: Network, chain: Chain, *transactions: Transaction) -> tuple[Chain, Certificate]:
    """Execute, certify and commit the next block of a chain."""
    certificate = certified(network, chain, *transactions)
    return accepted(handle_certificate(network.context, chain, certificate)).state, certificate


def request(
    network: Network, owner: str, block: Block, round: int = 0, justification: Certificate | None = None
) -> Request:
    """Sign a block as the owner of this name."""
    scheme = network.context.scheme
    return sign_request(scheme, signer(owner, scheme), block, round, justification)


def proposal(network: Network, owner: str, chain: Chain, *transactions: Transaction) -> Request:
    """Propose the next block of a chain."""
    return request(network, owner, next_block(chain, transactions))


def update(sender: Chain, recipient: ChainId) -> UpdateRecipient:
    """Return the cross-chain request that carries the outbox of a recipient."""
    return update_recipient(sender, recipient)


# --- cells and messages ------------------------------------------------------------------------------------------


def root(network: Network, place: int = 0) -> Chain:
    """Return the cell of the root chain at a place, at genesis."""
    return genesis_chain(network.genesis.chains[place])


def cell(
    chain_id: ChainId = (0,),
    owner: str | tuple[str, ...] | None = "alice",
    state: Any = FULL,
    localized: Localized | None = None,
    **consistent: Any,
) -> Chain:
    """Return the cell of a created chain; owner ⊥ makes it closed; keywords replace fields of the consistent part."""
    part = Consistent(created=True, owner=None if owner is None else owner_of(owner), state=state)
    part = evolve(part, **consistent)
    # The certificates of its blocks are somewhere else.
    past: Log[Certificate] = Log(length=part.next_height)
    return Chain(chain_id, part, localized or Localized(certificates=past))


def message(height: int = 0, index: int = 0, text: str = "", origin: ChainId = (7,)) -> Message:
    """Return a user message; ``text`` makes it differ from another one at the same place."""
    return Message(origin, height, index, digest(f"block {height}"), User(text.encode()))


def execute(operation: bytes) -> Execute:
    """Return a transaction that runs an operation."""
    return Execute(operation)


# --- outcomes ----------------------------------------------------------------------------------------------------


def accepted(outcome: Outcome[Any]) -> Accepted[Any]:
    """Return an outcome that must be an acceptance."""
    assert isinstance(outcome, Accepted), outcome
    return outcome


def rejected(outcome: Outcome[Any], reason: Reason) -> Rejected:
    """Return an outcome that must be a rejection with this reason."""
    assert isinstance(outcome, Rejected), outcome
    assert outcome.reason is reason, outcome
    return outcome


@contextmanager
def refused(reason: Reason) -> Iterator[pytest.ExceptionInfo[Rejection]]:
    """``with refused(Reason.X) as caught:`` the body must raise this rejection (see ``caught.value.detail``)."""
    with pytest.raises(Rejection) as caught:
        yield caught
    assert caught.value.reason is reason, caught.value


# --- runs of the whole network -----------------------------------------------------------------------------------


def run(network: Network, world: World, *actions: Action) -> World:
    """Take actions that must all be accepted."""
    for action in actions:
        world = accepted(step(network, world, action)).state
    return world


def deliver(network: Network, validator: Any, item: Any, place: int = 0) -> Accepted[Any]:
    """Let a whole validator handle an input that it must accept."""
    return accepted(handle(network.context, validator, item, validators(network)[place]))

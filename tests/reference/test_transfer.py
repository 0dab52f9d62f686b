"""The first story: a transfer between two chains, through all layers.

Ed25519 keys; everything that is sent goes through its canonical bytes; one of four validators is Byzantine and votes
for two blocks; another one is not reached at first and is brought up to date by the recipient.
"""

from typing import Any

import pytest
from attrs import define, evolve, field
from support import ED25519, TOKENS, accepted, executed, network, node, rejected, root, signer, validators

from linera_reference.application import Balance, burn, transfer
from linera_reference.audit import audit_chain
from linera_reference.block import Execute, Transaction
from linera_reference.certificate import Certificate, Vote
from linera_reference.chain import Chain, hashed_state
from linera_reference.client import (
    Goal,
    LocalNode,
    collect,
    goals_after,
    goals_from_received,
    learn,
    next_transfer,
    propose,
    receive_waiting,
    view_of,
)
from linera_reference.crypto import Signer
from linera_reference.encoding import decode, encode
from linera_reference.identifiers import ChainId
from linera_reference.network import CastVote, Certify, Deliver, Network, Propose, Resend, World, initial_world, step
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.rejections import Accepted, Outcome, Reason, Rejected
from linera_reference.request import Request
from linera_reference.validator import (
    Validator,
    chain_of,
    download,
    is_delivered,
    payload_of,
    received_since,
)

ALICE, BOB = (0,), (1,)
AMOUNT = 300


@define
class Wire:
    """The network, over which objects travel as bytes."""

    network: Network
    world: World
    seen: set[type] = field(factory=set)

    def carry(self, item: Any) -> Any:
        """Send something: encode it, decode it, and go on with what comes out."""
        data = encode(item)
        received = decode(type(item), data)
        assert received == item
        assert encode(received) == data
        self.seen.add(type(item))
        return received

    def act(self, action: Any) -> Outcome[World]:
        """Take an action of the network."""
        outcome = step(self.network, self.world, action)
        if isinstance(outcome, Accepted):
            self.world = outcome.state
        return outcome

    def deliver(self, key: bytes, item: Any) -> Outcome[World]:
        """Hand something to a validator, and then what it sends to itself."""
        outcome = self.act(Deliver(key, self.carry(item)))
        if isinstance(outcome, Accepted):
            for sent in outcome.outputs:
                if isinstance(sent, UpdateRecipient | ConfirmUpdatedRecipient):
                    self.deliver(key, sent)
        return outcome

    def chain(self, key: bytes, chain_id: ChainId) -> Chain:
        """Return the view of a validator."""
        return chain_of(self.world.validators[key], chain_id)


@define
class User:
    """A client with a key and a local node."""

    wire: Wire
    key: Signer
    chain_id: ChainId
    node: LocalNode

    def propose(self, *transactions: Transaction) -> Request:
        """Sign the next block and publish it."""
        outcome = accepted(propose(self.wire.network.context, self.node, self.key, self.chain_id, transactions))
        self.node = outcome.state
        (request,) = outcome.outputs
        accepted(self.wire.act(Propose(self.wire.carry(request))))
        return request

    def certify(self, votes: list[Vote]) -> Certificate:
        """Gather votes, form the certificate, and publish it."""
        votes = [self.wire.carry(vote) for vote in votes]
        formed = collect(self.wire.network.context, self.node, self.chain_id, votes)
        assert formed is not None
        outcome = accepted(self.wire.act(Certify(formed.executed, tuple(key for key, _ in formed.signatures))))
        assert outcome.outputs == (formed,)
        self.learn(formed)
        return formed

    def learn(self, certificate: Certificate) -> None:
        """Let the local node handle a certificate."""
        self.node = accepted(learn(self.wire.network.context, self.node, self.wire.carry(certificate))).state

    def bring(self, key: bytes, goal: Goal) -> int:
        """Upload what a validator needs; return the number of uploads."""
        count = 0
        while place := next_transfer(view_of(self.wire.world.validators[key]), view_of(self.node.validator), goal):
            accepted(self.wire.deliver(key, fetch(self.node.validator, *place)))
            count += 1
        return count

    def fetch(self, key: bytes, goal: Goal) -> None:
        """Download what the local node needs from a validator."""
        while place := next_transfer(view_of(self.node.validator), view_of(self.wire.world.validators[key]), goal):
            self.learn(fetch(self.wire.world.validators[key], *place))

    @property
    def balance(self) -> Balance:
        """What the local node says."""
        state: Balance = chain_of(self.node.validator, self.chain_id).consistent.state
        return state


def fetch(validator: Validator, chain_id: ChainId, height: int) -> Certificate:
    (certificate,) = download(chain_of(validator, chain_id), height, height + 1)
    return certificate


def vote_of(outcome: Outcome[World]) -> Vote:
    vote = accepted(outcome).outputs[0]
    assert isinstance(vote, Vote)
    return vote


@pytest.mark.clauses(
    "WP-2.8-EXTEND",
    "WP-2.8-STOP-AT-QUORUM",
    "WP-2.8-SYNC-MESSAGES",
    "WP-2.8-UPLOAD",
    "WP-2.8-HANDLE-REQUEST",
    "WP-2.8-HANDLE-CERTIFICATE",
    "WP-2.5-REQUEST",
    "WP-A.2-UPDATE-RECIPIENT",
    "WP-A.2-CONFIRM-UPDATED-RECIPIENT",
    "WP-2.2-ADVERSARY",
    "WP-2.3-SIGN",
    "WP-3.3-CLAIM-5",
)
def test_a_transfer_between_two_chains() -> None:
    net = network(byzantine=(3,), scheme=ED25519)
    first, second, late, evil = (v.public_key for v in validators(net))
    wire = Wire(net, initial_world(net))
    alice = User(wire, signer("alice", ED25519), ALICE, node(net, ALICE))
    bob = User(wire, signer("bob", ED25519), BOB, node(net, BOB))

    # Alice pays bob. Two correct validators vote; the third is not reached.
    request = alice.propose(Execute(transfer(BOB, AMOUNT)))
    votes = [vote_of(wire.deliver(key, request)) for key in (first, second)]

    # The Byzantine validator votes for the payment and for a block that alice never signed.
    other = executed(net, root(net), Execute(burn(1)))
    pending = chain_of(alice.node.validator, ALICE).localized.pending
    assert pending is not None
    lie = vote_of(wire.act(CastVote(evil, payload_of(net.context, other))))
    votes += [lie, vote_of(wire.act(CastVote(evil, payload_of(net.context, pending))))]
    forgery = evolve(votes[0], validator=late)
    rejected(wire.act(CastVote(late, lie.payload)), Reason.ACTION_NOT_ENABLED)
    rejected(wire.act(Certify(other, (first, second, evil))), Reason.ACTION_NOT_ENABLED)

    # Three genuine votes are a quorum; the lie and a forged vote hinder nothing.
    payment = alice.certify([lie, forgery, *votes])
    assert sorted(key for key, _ in payment.signatures) == sorted((first, second, evil))
    for key in (first, second):
        accepted(wire.deliver(key, payment))
        assert wire.chain(key, ALICE).consistent.state == Balance(TOKENS - AMOUNT)
        # The message crossed over and was acknowledged inside the validator.
        assert is_delivered(wire.chain(key, ALICE), 0)
        assert received_since(wire.chain(key, BOB), 0) == ((ALICE, 0),)
        assert wire.chain(key, BOB).consistent.state == Balance(TOKENS), "not consumed yet"

    # Bob finds the payment through the list of a validator, and consumes it.
    (goal,) = goals_from_received(bob.node, [received_since(wire.chain(second, BOB), 0)])
    assert goal == Goal(ALICE, 1)
    bob.fetch(second, goal)
    request = bob.propose(*receive_waiting(chain_of(bob.node.validator, BOB)))
    votes = [vote_of(wire.deliver(key, request)) for key in (first, second)]
    assert collect(net.context, bob.node, BOB, votes) is None, "no quorum without the third"

    # The late validator has not seen the payment: bob supplies it, and it votes.
    refusal = wire.deliver(late, request)
    assert refusal == Rejected(Reason.MISSING_CROSS_CHAIN_UPDATE, ((ALICE, 0),))
    assert [bob.bring(late, goal) for goal in goals_after(request, refusal)] == [1]
    votes.append(vote_of(wire.deliver(late, request)))
    receipt = bob.certify(votes)
    for key in (first, second, late):
        assert bob.bring(key, Goal(BOB, 1)) == 1
        # Late, twice, and in any order: nothing changes any more.
        before = wire.world
        for again in (payment, receipt, request):
            wire.deliver(key, again)
        accepted(wire.act(Resend(key, ALICE)))
        assert wire.world.validators == before.validators

    # Everybody agrees, nothing was lost, and the conflicting block never existed.
    for chain_id, balance in ((ALICE, TOKENS - AMOUNT), (BOB, TOKENS + AMOUNT)):
        parts = [wire.chain(key, chain_id).consistent for key in (first, second, late)]
        assert parts[0] == parts[1] == parts[2]
        assert parts[0].state == Balance(balance)
        assert parts[0].next_height == 1
    assert (alice.balance, bob.balance) == (Balance(TOKENS - AMOUNT), Balance(TOKENS + AMOUNT))
    assert ED25519.hash(other) not in wire.world.certificates

    # Anyone can audit bob's chain from the bytes of the certificates.
    blocks, evidence = ((wire.carry(certificate),) for certificate in (receipt, payment))
    audited = accepted(audit_chain(net.context, BOB, net.genesis.chains[1], blocks, evidence))
    assert audited.outputs[0].state_hash == ED25519.hash(hashed_state(wire.chain(late, BOB).consistent))

    assert wire.seen == {Request, Vote, Certificate, UpdateRecipient, ConfirmUpdatedRecipient}

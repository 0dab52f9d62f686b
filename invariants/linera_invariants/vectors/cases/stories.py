"""The story of one validator, told by what it was given; what others sign is made on the way.

Everything follows from genesis, so that an implementation can be told the same story without loading any state.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from attrs import evolve, frozen

from linera_invariants.forgeries import flipped
from linera_invariants.schemes import SCHEMES
from linera_invariants.vectors.model import Case
from linera_invariants.vectors.replay import Input, take
from linera_reference.application import Application, Balance, Credit, Token, transfer
from linera_reference.block import Block, Execute, ExecutedBlock, Receive, Transaction
from linera_reference.certificate import Certificate, Kind, VotePayload, sign_vote
from linera_reference.chain import Chain
from linera_reference.client import next_block, receive_waiting
from linera_reference.committee import make_committee
from linera_reference.context import Context
from linera_reference.crypto import hash_value
from linera_reference.encoding import encode
from linera_reference.execution import execute_block
from linera_reference.identifiers import ChainId
from linera_reference.messages import Message, User
from linera_reference.notation import PublicKey, Signature
from linera_reference.outbox import UpdateRecipient
from linera_reference.ownership import Owner, Owners
from linera_reference.rejections import Accepted, Outcome, Reason
from linera_reference.request import Request, sign_request
from linera_reference.rules import BASELINE, Rules
from linera_reference.validator import (
    Genesis,
    GenesisChain,
    Validator,
    chain_of,
    cross_chain_requests,
    genesis_validator,
)

from .support import key, set_of, signer

QUORUM: Final = ("v1", "v2", "v3")
ALICE, BOB, STRANGE = (0,), (1,), (9,)
"""Chains: two of genesis, and one that nobody knows."""
TOKEN: Final = Token()
NOWHERE: Final = bytes(32)
"""A hash of nothing that there is."""


def pay(recipient: ChainId, amount: int) -> Execute:
    """Return the transaction that transfers tokens."""
    return Execute(transfer(recipient, amount))


def credit(amount: int) -> User:
    """Return the content of a message that transfers tokens."""
    return User(encode(Credit(amount)))


def spoiled(item: Any) -> Any:
    """Return something signed, with one bit of its signature changed."""
    return evolve(item, signature=flipped(item.signature))


def word(reason: Reason) -> str:
    """Return the part of a name that stands for a fault."""
    return reason.name.lower().replace("_", "-")


@frozen
class Story:
    """A validator (without a key: a full node) and what it was given so far."""

    scheme: str
    context: Context
    genesis: Genesis
    node: Validator
    name: str | None = "v1"
    inputs: tuple[Input, ...] = ()

    # --- telling ---

    def given(self, *items: Input) -> "Story":
        """Give inputs to the validator, whatever it answers."""
        story = self
        for item in items:
            outcome = story.ask(item)
            node = outcome.state if isinstance(outcome, Accepted) else story.node
            story = evolve(story, node=node, inputs=(*story.inputs, item))
        return story

    def ask(self, item: Input) -> Outcome[Validator]:
        """Return what the validator would answer."""
        return take(self.context, self.node, item, self.signer)

    def extended(self, chain_id: ChainId, *transactions: Transaction) -> "Story":
        """Give the certificate of the next block of a chain."""
        return self.given(self.certificate(self.block(chain_id, *transactions)))

    def settled(self, *senders: ChainId) -> "Story":
        """Deliver what waits in the outboxes of chains (all, if none is named), and the answers."""
        story = self
        for sender in senders or sorted(self.node.chains):
            for request in cross_chain_requests(story.chain(sender)):
                outcome = story.ask(request)
                story = story.given(request, *(outcome.outputs if isinstance(outcome, Accepted) else ()))
        return story

    # --- what the validator has ---

    @property
    def signer(self) -> Any:
        """The validator's key pair, if it has one."""
        return None if self.name is None else signer(self.name, self.scheme)

    def chain(self, chain_id: ChainId) -> Chain:
        """Return the validator's view of a chain."""
        return chain_of(self.node, chain_id)

    def sent(self, chain_id: ChainId, height: int = 0) -> Certificate:
        """Return a certificate that the validator has."""
        return self.chain(chain_id).localized.certificates.at(height)

    def waiting(self, chain_id: ChainId) -> tuple[Receive, ...]:
        """Return transactions that receive what waits."""
        return receive_waiting(self.chain(chain_id))

    def update(self, sender: ChainId, recipient: ChainId) -> UpdateRecipient:
        """Return the pending batch between two chains."""
        return next(r for r in cross_chain_requests(self.chain(sender)) if r.recipient == recipient)

    # --- what others make ---

    def key(self, name: str) -> PublicKey:
        """Return the public key of a name."""
        return key(name, self.scheme)

    def block(self, chain_id: ChainId, *transactions: Transaction) -> Block:
        """Return the next block of a chain, with these transactions."""
        return next_block(self.chain(chain_id), transactions)

    def executed(self, block: Block) -> ExecutedBlock:
        """Return the block with what its execution yields here."""
        return execute_block(self.context, self.chain(block.chain_id), block).executed

    def request(
        self, block: Block, owner: str = "alice", round: int = 0, justification: Certificate | None = None
    ) -> Request:
        """Return a block signed by its proposer."""
        return sign_request(self.context.scheme, signer(owner, self.scheme), block, round, justification)

    def certificate(self, block: Block | ExecutedBlock, voters: Iterable[str] = QUORUM, **changes: Any) -> Certificate:
        """Return a certificate with genuine signatures of validators on whatever it says."""
        executed = self.executed(block) if isinstance(block, Block) else block
        blank = evolve(Certificate(executed, Kind.CONFIRMED, 0, ()), **changes)
        return evolve(blank, signatures=tuple(self.signature(blank, voter) for voter in voters))

    def validated(self, block: Block | ExecutedBlock, round: int = 0, voters: Iterable[str] = QUORUM) -> Certificate:
        """Return a validated certificate."""
        return self.certificate(block, voters, kind=Kind.VALIDATED, round=round)

    def signature(self, certificate: Certificate, voter: str) -> tuple[PublicKey, Signature]:
        """Return the genuine signature of a validator on a certificate."""
        scheme, executed = self.context.scheme, certificate.executed
        payload = VotePayload(certificate.kind, scheme.hash(executed), certificate.round)
        vote = sign_vote(scheme, signer(voter, self.scheme), payload)
        return vote.validator, vote.signature

    # --- asking ---

    def case(
        self,
        name: str,
        sentence: str,
        clauses: tuple[str, ...],
        *items: Input,
        reason: Reason | None = None,
        **more: Any,
    ) -> Case:
        """Return a case: the story so far, then some inputs, the last of which is what the case is about."""
        arguments = {
            "context": self.context,
            "genesis": self.genesis,
            "signer": self.signer,
            "inputs": (*self.inputs, *items),
        }
        return Case(
            name=name,
            sentence=sentence,
            clauses=clauses,
            operation="replay",
            arguments=arguments,
            reason=reason,
            **more,
        )

    def handler_case(
        self, operation: str, name: str, sentence: str, clauses: tuple[str, ...], chain: Chain, **more: Any
    ) -> Case:
        """Return a case of a handler with a state that no short run reaches."""
        parts = {"reason", "faults", "free", "flags"}
        arguments = {key: value for key, value in more.items() if key not in parts}
        return Case(
            name=name,
            sentence=sentence,
            clauses=clauses,
            operation=operation,
            arguments={"context": self.context, "chain": chain, "signer": self.signer, **arguments},
            **{key: value for key, value in more.items() if key in parts},
        )


def story(
    scheme: str = "ed25519",
    rules: Rules = BASELINE,
    tracks_inactive: bool = False,
    name: str | None = "v1",
    weights: Iterable[int] = (1, 1, 1, 1),
    chains: Mapping[str, tuple[ChainId, Any]] = MappingProxyType({"alice": (ALICE, 100), "bob": (BOB, 10)}),
    application: Application = TOKEN,
) -> Story:
    """Begin at genesis: alice owns chain 0 with 100 tokens, bob chain 1 with 10, if nothing else is said."""
    members = ((key(f"v{number}", scheme), weight) for number, weight in enumerate(weights, 1))
    context = Context(SCHEMES[scheme], application, make_committee(members), rules, tracks_inactive)
    genesis = genesis_of(context, scheme, chains)
    return Story(scheme, context, genesis, genesis_validator(genesis), name)


def genesis_of(context: Context, scheme: str, chains: Mapping[str, tuple[ChainId, Any]]) -> Genesis:
    """Return a genesis configuration: per owner a chain and its state, a number for a balance of tokens."""
    found = (
        GenesisChain(i, owner_of(names, scheme), Balance(state) if isinstance(state, int) else state)
        for names, (i, state) in chains.items()
    )
    return Genesis(context.committee, tuple(found))


def owner_of(names: str, scheme: str = "ed25519") -> Owner:
    """Return one key, or of names with a + the set of their keys."""
    if "+" not in names:
        return key(names, scheme)
    return Owners(set_of(*(key(name, scheme) for name in names.split("+") if name)))


def message(sent: Certificate, index: int = 0, **changes: Any) -> Message:
    """Return a message of a certified block as an inbox holds it."""
    executed = sent.executed
    place = (executed.block.chain_id, executed.block.height, index)
    return evolve(Message(*place, hash_value(executed), executed.messages[index].content), **changes)

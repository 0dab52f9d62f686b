"""Keys by name, and one node that is driven without a network."""

from collections.abc import Mapping
from functools import cache
from typing import Final

from attrs import define

from linera_reference.application import Balance, Token
from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Certificate, Kind, sign_vote
from linera_reference.chain import Chain
from linera_reference.client import deliver
from linera_reference.committee import Committee, make_committee
from linera_reference.context import Context
from linera_reference.crypto import Ed25519Scheme, Signer, hash_value, make_signer
from linera_reference.execution import execute_block
from linera_reference.identifiers import ChainId
from linera_reference.messages import User
from linera_reference.notation import PublicKey
from linera_reference.rejections import Accepted, Outcome
from linera_reference.request import BlockAndRound, Request
from linera_reference.validator import (
    Genesis,
    GenesisChain,
    Input,
    Validator,
    chain_of,
    genesis_validator,
    handle,
    payload_of,
)

SCHEME: Final = Ed25519Scheme()
ROOT: Final[ChainId] = (0,)


@cache
def signer_of(name: str) -> Signer:
    """Return the key pair that vectors call by this name."""
    return make_signer(SCHEME, hash_value(User(name.encode())))


def public_key(name: str) -> PublicKey:
    """Return the public key that vectors call by this name."""
    return signer_of(name).public_key


def named_committee(weights: Mapping[str, int]) -> Committee:
    """Build a committee of named validators."""
    return make_committee((public_key(name), weight) for name, weight in weights.items())


def named_request(
    block: Block, owner: str, signed_by: str, round: int = 0, justification: Certificate | None = None
) -> Request:
    """Build a proposal that claims one owner and is signed by another, or by the same."""
    signature = SCHEME.sign(signer_of(signed_by), BlockAndRound(block, round))
    return Request(block, round, public_key(owner), signature, justification)


def certify(
    context: Context, signer: Signer, executed: ExecutedBlock, kind: Kind = Kind.CONFIRMED, round: int = 0
) -> Certificate:
    """Make a certificate directly with the key of the one validator that has all votes."""
    vote = sign_vote(SCHEME, signer, payload_of(context, executed, kind, round))
    return Certificate(executed, kind, round, ((signer.public_key, vote.signature),))


def root_chain(chain_id: ChainId, owner: str, balance: int) -> GenesisChain:
    """Build a genesis chain of a named owner."""
    return GenesisChain(chain_id, public_key(owner), Balance(balance))


@define
class Node:
    """A validator with all votes, or (without a voting key) a client's node."""

    context: Context
    signer: Signer | None
    validator: Validator

    def chain(self, chain_id: ChainId) -> Chain:
        """Return the view of a chain."""
        return chain_of(self.validator, chain_id)

    def handle(self, item: Input) -> Outcome[Validator]:
        """Handle an input, then deliver the cross-chain requests that it causes inside the node."""
        outcome = handle(self.context, self.validator, item, self.signer)
        if isinstance(outcome, Accepted):
            self.validator = deliver(self.context, outcome.state, outcome.outputs, lambda _: True)
        return outcome


def single_validator(*chains: GenesisChain, weights: Mapping[str, int] | None = None) -> Node:
    """Start the validator ``v``, whose votes alone are a quorum."""
    committee = named_committee({"v": 1} if weights is None else weights)
    validator = genesis_validator(Genesis(committee, chains))
    return Node(Context(SCHEME, Token(), committee), signer_of("v"), validator)


def first_certificate(node: Node) -> Certificate:
    """Certify an empty first block of the root chain."""
    staged = execute_block(node.context, node.chain(ROOT), Block(ROOT, 0, None, ()))
    return certify(node.context, signer_of("v"), staged.executed)

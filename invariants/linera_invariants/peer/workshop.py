"""What clients of a single node send: blocks and certificates, made as a vector describes them."""

from collections.abc import Mapping
from typing import Any, Final

from attrs import define, field

from linera_reference.application import transfer
from linera_reference.block import Block, Execute
from linera_reference.certificate import Certificate
from linera_reference.chain import Chain
from linera_reference.execution import commit_block, execute_block
from linera_reference.identifiers import ChainId
from linera_reference.notation import MAX_U128
from linera_reference.validator import GenesisChain, genesis_chain

from .model import MalformedStepError, NotYetError, look_up, parts_of
from .node import SCHEME, Node, certify, root_chain, signer_of

STRANGER: Final = "owner of a chain that the node does not know"


def chain_named(name: str) -> ChainId:
    """Return the genesis chain that vectors call ``rootN``."""
    return (int(parts_of(r"root(\d+)(?: \(admin\))?", name)[1]),)


def name_of(chain_id: ChainId) -> str:
    """Say a genesis chain."""
    return f"root{chain_id[0]}"


def amount_from(value: int | str) -> int:
    """Read an amount of whole tokens; MAX is the largest balance."""
    return MAX_U128 if isinstance(value, str) else value


def balance_of(chain: Chain) -> int | str | None:
    """Say the balance of a chain, ⊥ if it was not created."""
    state = chain.consistent.state
    return None if state is None else "MAX" if state.amount == MAX_U128 else int(state.amount)


def genesis_of(name: str, item: Mapping[str, Any]) -> GenesisChain:
    """Make a described genesis chain."""
    return root_chain(chain_named(name), item["owner"], amount_from(item["balance"]))


@define
class Workshop:
    """Makes blocks and certificates as a vector describes them, on chains of its own.

    ``after`` holds each chain right after the block of a named certificate.
    """

    node: Node
    setup: Mapping[str, Any]
    certificates: dict[str, Certificate] = field(factory=dict)
    after: dict[str, Chain] = field(factory=dict)

    def described(self, name: str) -> Mapping[str, Any]:
        """Return the description of a named block."""
        found: str | Mapping[str, Any] = look_up(self.setup.get("blocks", {}), name)
        if isinstance(found, str):
            raise MalformedStepError(f"expected a block, found the certificate {name!r}")
        return found

    def before(self, item: Mapping[str, Any]) -> Chain:
        """Return the chain below a described block; one that the node does not know starts rich."""
        if item["parent"] is not None:
            self.certificate(item["parent"])
            return self.after[item["parent"]]
        known = self.setup["chains"].get(item["chain"], {"owner": STRANGER, "balance": "MAX"})
        return genesis_chain(genesis_of(item["chain"], known))

    def block(self, item: Mapping[str, Any]) -> Block:
        """Make a described block."""
        if "timestamp" in item:
            raise NotYetError("timestamps")
        chain, parent = chain_named(item["chain"]), self.before(item).consistent.block_hash
        return Block(chain, item["height"], parent, tuple(map(operation, item["operations"])))

    def certificate(self, name: str) -> Certificate:
        """Return a named certificate, made when it is first asked for."""
        if name not in self.certificates:
            text = look_up(self.setup.get("blocks", {}), name)
            if not isinstance(text, str):
                raise MalformedStepError(f"expected a certificate, found the block {name!r}")
            self.certify(name, self.described(parts_of(r"certificate of (\w+)", text)[1]))
        return self.certificates[name]

    def certify(self, name: str, item: Mapping[str, Any]) -> Certificate:
        """Execute a described block on the workshop's chain and sign the result."""
        staged = execute_block(self.node.context, self.before(item), self.block(item))
        certificate = certify(self.node.context, signer_of("v"), staged.executed)
        self.certificates[name] = certificate
        self.after[name] = commit_block(staged, SCHEME.hash(staged.executed), certificate)
        return certificate

    def name_of_block(self, block: Block) -> str:
        """Say a block by the name that the vector gives it."""
        items = {k: v for k, v in self.setup.get("blocks", {}).items() if not isinstance(v, str)}
        return next((name for name, item in items.items() if self.block(item) == block), "an unnamed block")

    def name_of_tip(self, block_hash: bytes | None) -> str | None:
        """Say the last block of a chain by the name of its certificate."""
        names = {SCHEME.hash(c.executed): name for name, c in self.certificates.items()}
        return None if block_hash is None else names.get(block_hash, "an unnamed certificate")


def operation(item: Mapping[str, Any]) -> Execute:
    """Make a described operation."""
    if "create_committee" in item:
        raise NotYetError("epochs")
    return Execute(transfer(chain_named(item["transfer"]["to"]), item["transfer"]["amount"]))

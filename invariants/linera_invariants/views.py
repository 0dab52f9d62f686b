"""Looking at a world: its parts, and the histories that follow from what was sent."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from attrs import field, frozen
from immutables import Map

from linera_reference.block import Block, ExecutedBlock, Receive
from linera_reference.certificate import Certificate
from linera_reference.chain import Chain, Localized, inbox_of
from linera_reference.execution import commit_block, execute_block
from linera_reference.identifiers import ChainId
from linera_reference.inbox import next_height_to_receive
from linera_reference.messages import Create, Message
from linera_reference.network import Network, World
from linera_reference.notation import Hash, PublicKey
from linera_reference.ownership import Owner
from linera_reference.request import Request
from linera_reference.validator import Validator, chain_of, create_chain, genesis_chain, sent_messages

# --- Parts -------------------------------------------------------------------------------------------------------


@frozen
class Cell:
    """One chain at one correct validator."""

    key: PublicKey
    chain: Chain

    def __str__(self) -> str:
        """Name the place."""
        return f"chain {list(self.chain.chain_id)} at {short(self.key)}"


def short(key: bytes) -> str:
    """Abbreviate a key or a hash."""
    return key.hex()[:8]


def changed_validators(before: World | None, after: World) -> Iterator[PublicKey]:
    """Walk the correct validators that a step changed; all of them without a step. Unchanged ones are shared."""
    if before is not None and before.validators is after.validators:
        return
    for key in sorted(after.validators):
        if before is None or before.validators.get(key) is not after.validators[key]:
            yield key


def changed_cells(before: World | None, after: World) -> Iterator[Cell]:
    """Walk the chains at correct validators that a step changed; all of them without a step."""
    for key in changed_validators(before, after):
        old = Validator() if before is None else before.validators.get(key, Validator())
        for chain_id, chain in sorted(after.validators[key].chains.items(), key=lambda item: item[0]):
            if old.chains.get(chain_id) is not chain:
                yield Cell(key, chain)


def others(world: World, cell: Cell) -> Iterator[Cell]:
    """Walk the same chain at the other correct validators that know it."""
    for key, validator in sorted(world.validators.items()):
        chain = validator.chains.get(cell.chain.chain_id)
        if chain is not None and key != cell.key:
            yield Cell(key, chain)


# --- Histories ---------------------------------------------------------------------------------------------------


def is_archived(chain: Chain) -> bool:
    """Whether the chain is a tombstone, whose histories lie in cold storage."""
    log = chain.consistent.log
    return log.length > 0 and log.get(0) is None


def history(certificates: Map[Hash, Certificate], tip: Hash | None) -> tuple[Certificate, ...]:
    """Return the certified blocks that lead to a hash, oldest first, as far back as they are known."""
    found: list[Certificate] = []
    while tip is not None and (certificate := certificates.get(tip)) is not None:
        found.append(certificate)
        tip = certificate.executed.block.previous_hash
    return tuple(reversed(found))


def blocks_of(world: World, chain: Chain) -> tuple[Certificate, ...]:
    """Return the certified blocks of a chain at a validator; those of a tombstone come from what was sent."""
    if is_archived(chain):
        return history(world.certificates, chain.consistent.block_hash)
    return chain.localized.certificates.since(0)


def log_of(world: World, chain: Chain) -> tuple[Hash, ...]:
    """Return the hashes of the executed blocks; those of a tombstone follow from what was sent."""
    if not is_archived(chain):
        return chain.consistent.log.since(0)
    last = (chain.consistent.block_hash,)
    earlier = (c.executed.block.previous_hash for c in blocks_of(world, chain)[1:])
    return tuple(h for h in (*earlier, *last) if h is not None)


def consumed_by(block: Block) -> tuple[Message, ...]:
    """Return the messages that a block consumes, in order."""
    return tuple(t.message for t in block.transactions if isinstance(t, Receive))


def place_of(block: Block) -> str:
    """Name the place of a block."""
    return f"block {block.height} of chain {list(block.chain_id)}"


def same_place(one: Block, two: Block) -> bool:
    """Whether two blocks have the same chain and height."""
    return one.chain_id == two.chain_id and one.height == two.height


def recipients_of(certificate: Certificate) -> tuple[ChainId, ...]:
    """Return the chains that a block sends messages to, sorted."""
    return tuple(sorted({message.recipient for message in certificate.executed.messages}))


def remembered(local: Localized) -> Iterator[ExecutedBlock]:
    """Walk the executed blocks that a validator voted for at the height in progress: pending, and that of the lock."""
    if local.pending is not None:
        yield local.pending
    if local.rounds.locked is not None:
        yield local.rounds.locked.executed


def is_repeated(chain: Chain, request: Request) -> bool:
    """Whether a proposal is the last one that a view accepted."""
    pending = chain.localized.pending
    return pending is not None and (pending.block, chain.localized.rounds.last) == (request.block, request.round)


def creations(certificate: Certificate) -> tuple[ChainId, ...]:
    """Return the chains that a block creates."""
    return tuple(m.recipient for m in certificate.executed.messages if isinstance(m.content, Create))


def rivals(certificates: Mapping[Any, Certificate], certificate: Certificate) -> Iterator[Certificate]:
    """Walk the certificates on other executed blocks for the same place."""
    for other in certificates.values():
        same = same_place(other.executed.block, certificate.executed.block)
        if same and other.executed != certificate.executed:
            yield other


def consumed_messages(world: World, chain: Chain, origin: ChainId) -> tuple[Message, ...]:
    """Return what the blocks of a chain consumed from an origin, in order."""
    blocks = (certificate.executed.block for certificate in blocks_of(world, chain))
    return tuple(m for block in blocks for m in consumed_by(block) if m.origin == origin)


def received_messages(network: Network, world: World, cell: Cell, origin: ChainId) -> tuple[Message, ...]:
    """Return what a chain received from an origin, in order: by its log, or for a tombstone by its cursor."""
    blocks = blocks_of(world, chain_of(world.validators[cell.key], origin))
    heights = {height for sender, height in cell.chain.localized.received.since(0) if sender == origin}
    if is_archived(cell.chain):
        heights = set(range(next_to_receive(cell.chain, origin)))
    found = (c for c in blocks if c.executed.block.height in heights)
    return tuple(m for c in found for m in sent_messages(network.context, c, cell.chain.chain_id))


def next_to_receive(chain: Chain, origin: ChainId) -> int:
    """Return the first height of ``origin`` that a chain did not receive yet."""
    return next_height_to_receive(inbox_of(chain, origin))


# --- Replay: what certified blocks alone determine ---------------------------------------------------------------


@frozen
class Evidence:
    """Certified blocks by hash. Whatever follows from one of them is the same however many others are known."""

    certificates: Map[Hash, Certificate] = field(eq=False)


def chain_before(network: Network, world: World, block: Block) -> Chain:
    """Re-execute a chain up to a block, every consumed message being anticipated.

    Raises:
        LookupError: an earlier block, or the one that creates the chain, is not known.
        Rejection: an earlier block does not execute.
    """
    if block.previous_hash is None:
        return chain_start(network, world, block.chain_id)
    if block.previous_hash not in world.certificates:
        raise LookupError(block.previous_hash)
    return _chain_after(network, Evidence(world.certificates), block.previous_hash)


@lru_cache(maxsize=4096)
def _chain_after(network: Network, evidence: Evidence, block_hash: Hash) -> Chain:
    certificate = evidence.certificates[block_hash]
    block = certificate.executed.block
    before = chain_before(network, World(Map(), certificates=evidence.certificates), block)
    return commit_block(execute_block(network.context, before, block), block_hash, certificate)


def chain_start(network: Network, world: World, chain_id: ChainId) -> Chain:
    """Return a chain before its first block, from genesis or from the certified block that creates it."""
    for genesis in network.genesis.chains:
        if genesis.chain_id == chain_id:
            return genesis_chain(genesis)
    for certificate in world.certificates.values():
        for message in certificate.executed.messages:
            if message.recipient == chain_id and isinstance(message.content, Create):
                height = certificate.executed.block.height
                return create_chain(network.context, Chain(chain_id), message.content, height)
    raise LookupError(f"chain {list(chain_id)} was never created")


def owner_before(network: Network, world: World, block: Block) -> Owner | None:
    """Return who owns a chain before a block. Raises what ``chain_before`` raises."""
    return chain_before(network, world, block).consistent.owner


def reexecuted(network: Network, world: World, block: Block) -> ExecutedBlock:
    """Execute a block on the chain before it. Raises what ``chain_before`` raises, and ``Rejection``."""
    return execute_block(network.context, chain_before(network, world, block), block).executed

"""The life of a chain: chaining (S3), authenticity (S8), validity (S9), pending (S10) and non-replay (S18)."""

from collections.abc import Iterator

from attrs import evolve

from linera_invariants.driver import Step
from linera_invariants.registry import Violation, predicate
from linera_invariants.views import (
    Cell,
    blocks_of,
    changed_cells,
    creations,
    is_archived,
    owner_before,
    place_of,
    reexecuted,
    remembered,
)
from linera_reference.certificate import Certificate, Vote, certified_payload, check_certificate
from linera_reference.chain import Consistent, is_closed
from linera_reference.identifiers import parent
from linera_reference.network import Network, World
from linera_reference.ownership import Owners, owns
from linera_reference.rejections import Rejection
from linera_reference.request import request_is_authentic
from linera_reference.rounds import FIRST_ROUND
from linera_reference.validator import chain_of


@predicate("S3", "cell")
def logs_are_hash_chains(network: Network, world: World, cell: Cell) -> Iterator[Violation]:
    """S3 (WP-2.4-CHAINING): the log has next_height hashes; the n-th is of the block at n, which names the last."""
    part, blocks = cell.chain.consistent, blocks_of(world, cell.chain)
    if not part.next_height == part.log.length == len(blocks):
        yield Violation("S3", f"{cell}: {part.next_height=}, {part.log.length=}, {len(blocks)} blocks")
    last = None
    for height, certificate in enumerate(blocks):
        block = certificate.executed.block
        if (block.chain_id, block.height, block.previous_hash) != (cell.chain.chain_id, height, last):
            yield Violation("S3", f"{cell}: the block at {height} does not continue the chain", block)
        last = network.context.scheme.hash(certificate.executed)
        if last not in world.certificates or not (is_archived(cell.chain) or last == part.log.get(height)):
            yield Violation("S3", f"{cell}: the log at {height} is not the hash of a certified block", block)
    if part.block_hash != last:
        yield Violation("S3", f"{cell}: block_hash is not the last of the log", part.block_hash)


@predicate("S8", "certificate")
def blocks_are_signed_by_an_owner(network: Network, world: World, certificate: Certificate) -> Iterator[Violation]:
    """S8 (WP-3.3-CLAIM-4, WP-2.9-OWNERS): an owner of the chain before a certified block signed the block."""
    block = certificate.executed.block
    try:
        owner = owner_before(network, world, block)
    except (LookupError, Rejection) as problem:
        yield Violation("S8", f"{place_of(block)}: its chain cannot be rebuilt", problem)
        return
    requests = (r for r in world.requests if r.block == block and owns(owner, r.owner))
    if not any(request_is_authentic(network.context.scheme, request) for request in requests):
        yield Violation("S8", f"{place_of(block)} was never signed by its owner", certificate)


@predicate("S9", "certificate")
def certified_blocks_are_valid(network: Network, world: World, certificate: Certificate) -> Iterator[Violation]:
    """S9 (WP-2.2-CERTIFICATE, WP-2.4-EXECUTED-BLOCK): a correct validator voted, and re-execution agrees.

    That a correct validator votes for valid blocks only is S14.
    """
    executed, context = certificate.executed, network.context
    place = place_of(executed.block)
    try:
        check_certificate(context.scheme, context.committee, certificate, context.rules.quorum)
        if reexecuted(network, world, executed.block) != executed:
            yield Violation("S9", f"{place}: re-execution yields other messages or another state", certificate)
    except (LookupError, Rejection) as problem:
        yield Violation("S9", f"{place} is not valid", problem)
    payload = certified_payload(context.scheme, certificate)
    votes = (Vote(payload, key, signature) for key, signature in certificate.signatures if key in world.validators)
    if not any(world.votes.contains(vote) for vote in votes):
        yield Violation("S9", f"{place}: no correct validator voted for it", certificate)


@predicate("S10", "cell")
def pending_continues_the_chain(_: Network, __: World, cell: Cell) -> Iterator[Violation]:
    """S10 (WP-2.8-PENDING, WP-2.9-RESET): what is remembered of a height stands on the last block of an active chain.

    So a commit resets pending and rounds. Rounds are about several owners, and the round of nothing is 0.
    """
    part, local = cell.chain.consistent, cell.chain.localized
    place = (cell.chain.chain_id, part.next_height, part.block_hash)
    for executed in remembered(local):
        block = executed.block
        if part.owner is None or (block.chain_id, block.height, block.previous_hash) != place:
            yield Violation("S10", f"{cell}: the pending block does not continue the chain", executed)
    if local.rounds != FIRST_ROUND and not isinstance(part.owner, Owners):
        yield Violation("S10", f"{cell}: there are rounds without several owners", local.rounds)
    if local.pending is None and local.rounds.last > 0:
        yield Violation("S10", f"{cell}: nothing is pending in round {local.rounds.last}", local.rounds)


@predicate("S18", "certificate")
def identifiers_are_fresh(network: Network, world: World, certificate: Certificate) -> Iterator[Violation]:
    """S18 (WP-2.4-FRESH): a certified block creates children of its own chain, and nothing else creates them."""
    block = certificate.executed.block
    genesis = {chain.chain_id for chain in network.genesis.chains}
    for chain_id in creations(certificate):
        if parent(chain_id) != block.chain_id or chain_id in genesis:
            yield Violation("S18", f"{place_of(block)} creates {list(chain_id)}", certificate)
        if sum(creations(c).count(chain_id) for c in world.certificates.values()) > 1:
            yield Violation("S18", f"chain {list(chain_id)} is created twice", certificate)


@predicate("S18.parent", "cell")
def chains_come_from_their_parent(network: Network, world: World, cell: Cell) -> Iterator[Violation]:
    """S18 (WP-2.5-CREATE): a chain that is not a root was created by a block that its parent committed here."""
    chain_id, part = cell.chain.chain_id, cell.chain.consistent
    roots = {chain.chain_id for chain in network.genesis.chains}
    if not part.created or (chain_id in roots and part.creation_height is None):
        return
    blocks = blocks_of(world, chain_of(world.validators[cell.key], parent(chain_id) or ()))
    creating = [c.executed.block.height for c in blocks if chain_id in creations(c)]
    if creating != [part.creation_height]:
        yield Violation("S18", f"{cell} was not created by its parent", (part.creation_height, creating))


@predicate("S18.life", "step")
def chains_live_once(_: Network, before: World, step: Step, after: World) -> Iterator[Violation]:
    """S18 (WP-2.5-CREATE, WP-2.4-CLOSED-FOREVER): created once; a closed chain keeps its consistent part.

    Archiving puts its application state and its log into cold storage (WP-2.4-ARCHIVE).
    """
    for cell in changed_cells(before, after):
        old = chain_of(before.validators[cell.key], cell.chain.chain_id).consistent
        new = cell.chain.consistent
        if old.created and (new.created, new.creation_height) != (True, old.creation_height):
            yield Violation("S18", f"{cell} was created again", step.action)
        if is_closed(old) and not (old == new or _archived(old) == _archived(new) == new):
            yield Violation("S18", f"{cell} was closed and changed", step.action)


def _archived(part: Consistent) -> Consistent:
    return evolve(part, state=None, log=part.log.forget())

"""Agreement between correct validators (S1, S2, S4), and the votes behind it (S5)."""

from collections.abc import Iterator
from contextlib import suppress

from attrs import evolve

from linera_invariants.registry import Violation, predicate
from linera_invariants.views import (
    Cell,
    conflicting,
    is_archived,
    log_of,
    place_of,
    reexecuted,
    same_place,
    short,
)
from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Certificate, Vote, sign_vote
from linera_reference.chain import Consistent
from linera_reference.network import Network, World
from linera_reference.notation import PublicKey
from linera_reference.rejections import Rejection
from linera_reference.validator import payload_of


@predicate("S1", "pair")
def logs_are_prefixes(_: Network, world: World, cell: Cell, other: Cell) -> Iterator[Violation]:
    """S1 (WP-3.3-CLAIM-1): of the logs of a chain at two correct validators, one is a prefix of the other."""
    log, theirs = log_of(world, cell.chain), log_of(world, other.chain)
    if any(h != g for h, g in zip(log, theirs, strict=False)):
        yield Violation("S1", f"{cell} forks from {other}", (log, theirs))


@predicate("S2", "pair")
def consistent_parts_are_equal(_: Network, __: World, cell: Cell, other: Cell) -> Iterator[Violation]:
    """S2 (WP-2.6-CONSISTENT): with equal next_height on a chain created at both, the consistent parts are equal."""
    part, theirs = cell.chain.consistent, other.chain.consistent
    if not (part.created and theirs.created and part.next_height == theirs.next_height):
        return
    forgetful = is_archived(cell.chain) or is_archived(other.chain)
    if _comparable(part, forgetful) != _comparable(theirs, forgetful):
        yield Violation("S2", f"{cell} and {other} differ at height {part.next_height}", (part, theirs))


def _comparable(part: Consistent, forgetful: bool) -> Consistent:
    return evolve(part, state=None, log=part.log.forget()) if forgetful else part


@predicate("S4", "certificate")
def certificates_are_unique(_: Network, world: World, certificate: Certificate) -> Iterator[Violation]:
    """S4 (WP-3.3-CLAIM-1): certificates of one chain and height certify the same executed block."""
    for other in conflicting(world, certificate):
        yield Violation("S4", f"two blocks are certified as {place_of(certificate.executed.block)}", other)


@predicate("S5", "vote")
def one_vote_per_height(network: Network, world: World, vote: Vote) -> Iterator[Violation]:
    """S5 (WP-2.8-VOTE): a correct validator votes for what a request asks, for one block per chain and height.

    A vote names a hash only. Its block is certified, pending at the voter, or the executed form of a request.
    """
    if vote.validator not in world.validators:
        return
    candidates = _candidates(network, world, vote)
    block = next((e.block for e in candidates if payload_of(network.context, e) == vote.payload), None)
    if block is None or all(request.block != block for request in world.requests):
        yield Violation("S5", f"{short(vote.validator)} votes for a block that nobody proposed", vote)
        return
    for rival in {r.block for r in world.requests if same_place(r.block, block) and r.block != block}:
        if any(_voted(network, world, vote.validator, executed) for executed in executed_forms(network, world, rival)):
            yield Violation("S5", f"{short(vote.validator)} votes twice for {place_of(block)}", (block, rival))


def _candidates(network: Network, world: World, vote: Vote) -> Iterator[ExecutedBlock]:
    if (certificate := world.certificates.get(vote.payload.block_hash)) is not None:
        yield certificate.executed
    chains = world.validators[vote.validator].chains.values()
    yield from (chain.localized.pending for chain in chains if chain.localized.pending is not None)
    for request in world.requests:
        yield from executed_forms(network, world, request.block)


def executed_forms(network: Network, world: World, block: Block) -> Iterator[ExecutedBlock]:
    """Walk the executed form of a block: one if its chain is known and the block executes on it, else none."""
    with suppress(LookupError, Rejection):
        yield reexecuted(network, world, block)


def _voted(network: Network, world: World, validator: PublicKey, executed: ExecutedBlock) -> bool:
    payload = payload_of(network.context, executed)
    return world.votes.contains(sign_vote(network.context.scheme, network.signers[validator], payload))

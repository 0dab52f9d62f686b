"""Agreement between correct validators (S1, S2, S4), and the votes behind it (S5)."""

from collections.abc import Iterator
from contextlib import suppress

from attrs import evolve

from linera_invariants.registry import Violation, predicate
from linera_invariants.views import (
    Cell,
    is_archived,
    log_of,
    owner_before,
    place_of,
    reexecuted,
    remembered,
    rivals,
    same_place,
    short,
)
from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Certificate, Kind, Vote, VotePayload, sign_vote
from linera_reference.certification import proposal_kind
from linera_reference.chain import Consistent
from linera_reference.network import Network, World
from linera_reference.ownership import Owners, owns
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
    """S4 (WP-3.3-CLAIM-1): confirmed certificates of one chain and height certify the same executed block."""
    for other in rivals(world.certificates, certificate) if certificate.kind is Kind.CONFIRMED else ():
        yield Violation("S4", f"two blocks are certified as {place_of(certificate.executed.block)}", other)


@predicate("S5", "vote")
def one_vote_per_round(network: Network, world: World, vote: Vote) -> Iterator[Violation]:
    """S5 (WP-2.8-VOTE, WP-2.9-PROPOSAL, WP-2.9-FINAL-VOTE): a correct validator votes for what is asked, and once.

    That is, for one block per chain and height, and with several owners for one per kind of vote and round. A vote
    names a hash only. Its block is certified, remembered by the voter, or the executed form of a request.
    """
    if vote.validator not in world.validators:
        return
    payload, voter = vote.payload, short(vote.validator)
    candidates = _candidates(network, world, vote)
    block = next((e.block for e in candidates if network.context.scheme.hash(e) == payload.block_hash), None)
    if block is None or not _is_founded(network, world, block, payload):
        yield Violation("S5", f"{voter} votes for a block that nobody proposed", vote)
        return
    for rival in {r.block for r in world.requests if same_place(r.block, block) and r.block != block}:
        for executed in executed_forms(network, world, rival):
            other = payload_of(network.context, executed, payload.kind, payload.round)
            if world.votes.contains(sign_vote(network.context.scheme, network.signers[vote.validator], other)):
                yield Violation("S5", f"{voter} votes twice for {place_of(block)}", (block, rival))


def _candidates(network: Network, world: World, vote: Vote) -> Iterator[ExecutedBlock]:
    if (certificate := world.certificates.get(vote.payload.block_hash)) is not None:
        yield certificate.executed
    for chain in world.validators[vote.validator].chains.values():
        yield from remembered(chain.localized)
    for request in world.requests:
        yield from executed_forms(network, world, request.block)


def executed_forms(network: Network, world: World, block: Block) -> Iterator[ExecutedBlock]:
    """Walk the executed form of a block: one if its chain is known and the block executes on it, else none."""
    with suppress(LookupError, Rejection):
        yield reexecuted(network, world, block)


def _is_founded(network: Network, world: World, block: Block, payload: VotePayload) -> bool:
    """Whether a vote was asked for: by an owner, or by a validated certificate on a chain with several owners."""
    owner = None
    with suppress(LookupError, Rejection):
        owner = owner_before(network, world, block)
    several = isinstance(owner, Owners)
    if several and payload.kind is Kind.CONFIRMED:
        return evolve(payload, kind=Kind.VALIDATED) in world.validated
    fits = payload.kind is proposal_kind(owner) and (several or payload.round == 0)
    asked = (r for r in world.requests if (r.block, r.round) == (block, payload.round))
    return fits and any(owns(owner, request.owner) for request in asked)

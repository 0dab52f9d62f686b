"""Several owners: unique per round (R1), bound by locks (R2, S6), monotone (S7), durable (R3), never stuck (R4)."""

from collections.abc import Iterator

from linera_invariants.driver import Step
from linera_invariants.registry import Violation, predicate
from linera_invariants.views import Cell, changed_cells, is_repeated, place_of, rivals, short
from linera_reference.block import ExecutedBlock
from linera_reference.certificate import Certificate, Kind, Vote, certified_payload
from linera_reference.certification import check_proposal, standing_ballot
from linera_reference.chain import Chain
from linera_reference.client import next_block
from linera_reference.network import Deliver, Network, World
from linera_reference.notation import MAX_U32, PublicKey
from linera_reference.ownership import Owners
from linera_reference.rejections import Accepted, Rejection
from linera_reference.request import Request
from linera_reference.rounds import Rounds, current_round, lock_after
from linera_reference.validator import chain_of, check_validated, restart

# --- Certificates ------------------------------------------------------------------------------------------------


@predicate("R1", "certificate")
def one_block_is_validated_per_round(_: Network, world: World, certificate: Certificate) -> Iterator[Violation]:
    """R1 (WP-2.9-PROPOSAL): validated certificates of one chain, height and round are on the same executed block."""
    for other in rivals(world.validated, certificate) if certificate.kind is Kind.VALIDATED else ():
        if other.round == certificate.round:
            place = place_of(certificate.executed.block)
            yield Violation("R1", f"two blocks are validated as {place} in round {other.round}", other)


@predicate("S6", "certificate")
def locks_are_preserved(_: Network, world: World, certificate: Certificate) -> Iterator[Violation]:
    """S6 (WP-2.9-LOCK): from the round on in which a block is confirmed, no other block is validated."""
    confirmed = certificate.kind is Kind.CONFIRMED
    for other in rivals(world.validated if confirmed else world.certificates, certificate):
        first, later = (certificate, other) if confirmed else (other, certificate)
        if first.round <= later.round:
            place = place_of(certificate.executed.block)
            yield Violation("S6", f"{place} is confirmed in round {first.round}, and another one validated", later)


# --- One validator -----------------------------------------------------------------------------------------------


@predicate("S7", "step")
def rounds_never_decrease(_: Network, before: World, step: Step, after: World) -> Iterator[Violation]:
    """S7 (WP-2.9-ROUND, WP-2.9-LOCK): within a height the rounds of pending and lock only rise, and so do votes.

    Another pending block, or a lock on another block, is of a greater round.
    """
    for cell in changed_cells(before, after):
        old = chain_of(before.validators[cell.key], cell.chain.chain_id)
        if not isinstance(old.consistent.owner, Owners):
            continue
        for late in late_votes(old, step):
            yield Violation("S7", f"{cell}: a vote comes after a vote of a later round", late)
        if cell.chain.consistent.next_height == old.consistent.next_height:
            yield from (Violation("S7", f"{cell}: {broken}", step.action) for broken in falls(old, cell.chain))


def late_votes(old: Chain, step: Step) -> Iterator[Vote]:
    """Walk the votes of a step that are of a lower round than what was accepted before."""
    outputs = step.outcome.outputs if isinstance(step.outcome, Accepted) else ()
    current = current_round(old.localized.rounds)
    return (vote for vote in outputs if isinstance(vote, Vote) and vote.payload.round < current)


def falls(old: Chain, new: Chain) -> Iterator[str]:
    """Name what fell from one view of a height to the next."""
    (was, proposed), (now, pending) = ((c.localized.rounds, c.localized.pending) for c in (old, new))
    if (was.last, proposed) != (now.last, pending) and proposed is not None and now.last <= was.last:
        yield "the last proposal gives way to one that is not of a later round"
    if was.locked not in (None, now.locked) and (now.locked is None or now.locked.round <= was.locked.round):
        yield "the lock gives way to one that is not of a later round"


@predicate("R2", "step")
def locks_bind_votes(network: Network, before: World, step: Step, _: World) -> Iterator[Violation]:
    """R2 (WP-2.9-JUSTIFICATION): the later of lock and justification is on the block voted for, and of a lower round.

    A justification counts if it is a validated certificate that verifies.
    """
    action = step.action
    if not (isinstance(action, Deliver) and isinstance(action.item, Request) and isinstance(step.outcome, Accepted)):
        return
    request, chain = action.item, chain_of(before.validators[action.validator], action.item.block.chain_id)
    if is_repeated(chain, request):
        return
    place = place_of(request.block)
    if not is_bound(request, chain.localized.rounds.locked):
        yield Violation("R2", f"a vote for {place} that lock or justification forbids", action)
    try:
        if request.justification is not None:
            check_validated(network.context, request.justification)
    except Rejection as problem:
        yield Violation("R2", f"a vote for {place} with a justification that does not count", problem)


def is_bound(request: Request, locked: Certificate | None) -> bool:
    """Whether what binds a request, the lock or a justification of a later round, allows it."""
    binding = request.justification or locked
    if binding is None:
        return True
    if locked is not None and locked.round >= binding.round:
        binding = locked
    return binding.executed.block == request.block and binding.round < request.round


@predicate("R2.lock", "cell")
def locks_were_validated(network: Network, world: World, cell: Cell) -> Iterator[Violation]:
    """R2 (WP-2.9-VALIDATED): whoever is locked has seen a validated certificate that was formed."""
    locked = cell.chain.localized.rounds.locked
    if locked is not None and certified_payload(network.context.scheme, locked) not in world.validated:
        yield Violation("R2", f"{cell} is locked on a block that was never validated", locked)


@predicate("R3", "validator")
def a_restart_changes_nothing(_: Network, world: World, key: PublicKey) -> Iterator[Violation]:
    """R3 (WP-2.9-DURABLE): restarting a validator at any time changes no vote, no lock and nothing else."""
    if restart(world.validators[key]) != world.validators[key]:
        yield Violation("R3", f"{short(key)} would be another one after a restart", key)


# --- The way out -------------------------------------------------------------------------------------------------


@predicate("R4", "pair")
def some_round_decides(_: Network, __: World, cell: Cell, other: Cell) -> Iterator[Violation]:
    """R4 (WP-2.9-CHOOSE-ROUND, WP-2.9-REPROPOSE): correct validators at one height can still agree on a block.

    The block of the higher of two locks, in a round above all that both know, is acceptable to both, step by step. So
    the block of the highest lock is acceptable to all, unless the last round is spent.
    """
    part, theirs = cell.chain.consistent, other.chain.consistent
    same = (part.next_height, part.block_hash) == (theirs.next_height, theirs.block_hash)
    if not same or not isinstance(part.owner, Owners):
        return
    executed, request = way_out(cell.chain, other.chain)
    for found in (cell, other):
        if request.round <= MAX_U32 and not decides(found.chain, executed, request):
            yield Violation("R4", f"{found} cannot decide what {cell} and {other} are bound to", request)


def way_out(chain: Chain, other: Chain) -> tuple[ExecutedBlock, Request]:
    """Return what both can decide: on the higher lock, in a round above all, without the signature of the owner."""
    rounds = (chain.localized.rounds, other.localized.rounds)
    locks = [r.locked for r in rounds if r.locked is not None]
    lock = max(locks, key=lambda lock: lock.round, default=None)
    executed = ExecutedBlock(next_block(chain, ()), (), bytes(32)) if lock is None else lock.executed
    round = 1 + max(map(current_round, rounds))
    return executed, Request(executed.block, round, b"", b"", lock)


def decides(chain: Chain, executed: ExecutedBlock, request: Request) -> bool:
    """Whether a view accepts a proposal that is valid, then its validated certificate, and so votes to confirm it."""
    owner, local, round = chain.consistent.owner, chain.localized, request.round
    try:
        check_proposal(owner, local.pending, local.rounds, request)
        validated = Certificate(executed, Kind.VALIDATED, round, ())
        lock = lock_after(Rounds(round, local.rounds.locked), validated)
    except Rejection:
        return False
    return standing_ballot(owner, executed, Rounds(round, lock)) == (Kind.CONFIRMED, executed, round)

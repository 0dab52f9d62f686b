"""Outboxes and delivery: shape (S15), no loss (S16), sound confirmations (S17)."""

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from linera_invariants.driver import Step
from linera_invariants.registry import Violation, predicate
from linera_invariants.views import Cell, blocks_of, changed_cells, next_to_receive, recipients_of
from linera_reference.chain import Chain
from linera_reference.containers import Queue, Set
from linera_reference.identifiers import ChainId
from linera_reference.network import Network, World
from linera_reference.notation import PublicKey
from linera_reference.outbox import ConfirmUpdatedRecipient, Outbox
from linera_reference.validator import chain_of, is_delivered


def has_received(world: World, key: PublicKey, recipient: ChainId, sender: ChainId, height: int) -> bool:
    """Whether a chain received a block of a sender, at one validator."""
    return next_to_receive(chain_of(world.validators[key], recipient), sender) > height


def queued_for(chain: Chain, recipient: ChainId) -> Queue[int]:
    """Return the heights that wait for a recipient's acknowledgement."""
    return chain.localized.outboxes.get(recipient, Outbox()).queue


@predicate("S15", "cell")
def outboxes_are_well_formed(_: Network, world: World, cell: Cell) -> Iterator[Violation]:
    """S15 (WP-A.2-SCHEDULE, WP-A.2-COUNTERS): queues increase and hold blocks for the recipient; counters count."""
    local, blocks = cell.chain.localized, blocks_of(world, cell.chain)
    counted: Counter[int] = Counter()
    for recipient, outbox in local.outboxes.items():
        heights = tuple(outbox.queue)
        counted.update(heights)
        ordered = all(a < b for a, b in pairwise(heights)) and len(heights) > 0
        if not ordered or heights[-1] >= outbox.next_schedule:
            yield Violation("S15", f"{cell}: the outbox of {list(recipient)} is not in order", outbox)
        if not all(h < len(blocks) and recipient in recipients_of(blocks[h]) for h in heights):
            yield Violation("S15", f"{cell}: the outbox of {list(recipient)} holds a block that is not for it", outbox)
    if counted != dict(local.counters):
        yield Violation("S15", f"{cell}: the counters do not count the queues", local.counters)


@predicate("S16", "validator")
def no_message_is_lost(_: Network, world: World, key: PublicKey) -> Iterator[Violation]:
    """S16 (WP-2.5-EXACTLY-ONCE): a block with a message is queued for its recipient, or received there."""
    for chain_id, chain in world.validators[key].chains.items():
        for certificate in blocks_of(world, chain):
            height = certificate.executed.block.height
            for recipient in recipients_of(certificate):
                queued = height in queued_for(chain, recipient)
                if not queued and not has_received(world, key, recipient, chain_id, height):
                    where = f"{Cell(key, chain)}: block {height}"
                    yield Violation("S16", f"{where} is lost for {list(recipient)}", certificate)


@predicate("S17", "validator")
def acknowledged_means_received(_: Network, world: World, key: PublicKey) -> Iterator[Violation]:
    """S17 (WP-A.2-REPEAT-ACK, WP-A.2-COUNTERS): what is acknowledged, or reported as delivered, was received."""
    for answer in world.internal.get(key, Set()):
        if isinstance(answer, ConfirmUpdatedRecipient) and not has_received(
            world, key, answer.recipient, answer.sender, answer.height
        ):
            yield Violation("S17", f"{list(answer.recipient)} acknowledges what it did not receive", answer)
    for chain_id, chain in world.validators[key].chains.items():
        for certificate in blocks_of(world, chain):
            height = certificate.executed.block.height
            missing = (r for r in recipients_of(certificate) if not has_received(world, key, r, chain_id, height))
            if is_delivered(chain, height) and any(missing):
                yield Violation("S17", f"{Cell(key, chain)}: block {height} is reported as delivered", certificate)


@predicate("S17.confirm", "step")
def confirmed_means_received(_: Network, before: World, step: Step, after: World) -> Iterator[Violation]:
    """S17 (WP-A.2-CONFIRM): a height leaves an outbox only if its recipient received the block."""
    for cell in changed_cells(before, after):
        sender = cell.chain.chain_id
        old = chain_of(before.validators[cell.key], sender)
        for recipient, outbox in old.localized.outboxes.items():
            left = set(outbox.queue) - set(queued_for(cell.chain, recipient))
            if not all(has_received(after, cell.key, recipient, sender, height) for height in left):
                yield Violation("S17", f"{cell}: {list(recipient)} did not receive what left its outbox", step.action)

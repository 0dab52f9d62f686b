"""What checking logs costs: against bare signature verification, per event, in memory, and by the number of chains."""

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeAlias

from attrs import define, evolve
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from linera_invariants.bench import BenchResult, Figure, Setup, resident, setup_of, transfers
from linera_reference.certificate import Certificate, Vote, certified_payload, sign_vote
from linera_reference.client import receive_waiting
from linera_reference.crypto import Ed25519Scheme, IdealScheme, Scheme, tagged_bytes
from linera_reference.identifiers import ChainId
from linera_reference.notation import PublicKey, Signature
from linera_reference.rejections import Accepted
from linera_reference.request import BlockAndRound, Request, sign_request
from linera_reference.validator import Genesis, Validator, chain_of, genesis_validator, target_of

from .lines import Header, Received, forget_items, item_of, read_event
from .memory import RecentScheme, Steps
from .record import event_line
from .replayer import Replayer, node_for, replayer, vote_of

Progress: TypeAlias = Callable[[str], None]
Signed: TypeAlias = tuple[PublicKey, Signature, bytes]
NOWHERE: Final = Path("bench")
ROUNDS: Final = 5


@define
class Traffic:
    """An endless run of a network: chains take turns, consume what arrived, and send a transfer to the next one."""

    setup: Setup
    header: Header
    steps: Steps
    validator: Validator

    def lines(self, chains: Iterable[tuple[ChainId, ChainId]], voter: int = 0) -> Iterator[bytes]:
        """Write the log of a validator: per block the request, the certificate, the update and the confirmation."""
        scheme, signer = self.setup.context.scheme, self.setup.validators[voter]
        for item, outputs in self.events(chains):
            votes = tuple(sign_vote(scheme, signer, x.payload) for x in outputs if isinstance(x, Vote))
            yield event_line(item, Accepted(None, votes))

    def events(self, chains: Iterable[tuple[ChainId, ChainId]]) -> Iterator[tuple[Received, tuple[Any, ...]]]:
        """Extend chains by a block each and deliver its message; yield every item with what follows from it."""
        for sender, recipient in chains:
            cell = chain_of(self.validator, sender)
            transactions = (*receive_waiting(cell), *transfers([recipient], 1))
            _, certificate = self.setup.certify(cell, transactions)
            request = sign_request(self.setup.context.scheme, self.setup.owner, certificate.executed.block)
            yield request, self.take(request)
            item: Any = certificate
            while item is not None:
                outputs = self.take(item)
                yield item, outputs
                item = outputs[-1] if outputs else None

    def take(self, item: Any) -> tuple[Any, ...]:
        """Handle an item."""
        cell = chain_of(self.validator, target_of(item))
        outcome = self.steps.take(cell, item)
        if not isinstance(outcome, Accepted):
            raise RuntimeError(f"the benchmark's own input is rejected: {outcome}")  # noqa: TRY004
        self.validator = Validator(self.validator.chains.set(cell.chain_id, outcome.state))
        return outcome.outputs


def traffic(scheme: Scheme, chains: int, members: int = 4) -> Traffic:
    """Start a run with so many genesis chains."""
    setup = setup_of(scheme, members)
    setup = evolve(setup, context=evolve(setup.context, scheme=RecentScheme(setup.context.scheme)))
    genesis = Genesis(setup.context.committee, tuple(setup.genesis((number,)) for number in range(chains)))
    start = genesis_validator(genesis)
    context = evolve(setup.context, scheme=scheme)
    name = "ideal" if isinstance(scheme, IdealScheme) else "ed25519"
    header = Header(name, context, genesis, True, setup.validators[0].public_key, start)
    return Traffic(setup, header, Steps(setup.context), start)


def ring(chains: int, blocks: int) -> Iterator[tuple[ChainId, ChainId]]:
    """Let chains take turns: each sends to the next one, which then consumes the message."""
    for number in range(blocks):
        yield (number % chains,), ((number + 1) % chains,)


def started(source: Traffic, signatures: bool, validators: int = 1) -> list[Replayer]:
    """Return replayers of the run from its start, with nothing remembered."""
    forget_items()
    node = node_for(source.header, trusting=not signatures)
    keys = [signer.public_key for signer in source.setup.validators[:validators]]
    return [replayer(node, evolve(source.header, validator=key)) for key in keys]


def check(running: Iterable[Replayer], *logs: Iterable[bytes]) -> None:
    """Replay logs in turn, as files would be."""
    for number, lines in enumerate(zip(*logs, strict=True), 2):
        for replaying, line in zip(running, lines, strict=True):
            difference = replaying.take(read_event(NOWHERE, number, line[:-1]))
            replaying.facts.clear()
            if difference is not None:
                raise RuntimeError(f"the benchmark's own log is refused: {difference}")


# --- Figures -----------------------------------------------------------------------------------------------------


def bench_trace(progress: Progress = lambda _: None) -> BenchResult:
    """Check logs that the benchmark makes, and compare."""
    figures = [*_signatures(progress), *_events(progress), *_chains(progress), *_memory(progress, 100_000)]
    return BenchResult("trace", tuple(figures))


def bench_memory(progress: Progress = lambda _: None) -> BenchResult:
    """Check a log of a million events."""
    return BenchResult("trace-long", tuple(_memory(progress, 1_000_000)))


def _best(*tasks: Callable[[], object]) -> list[float]:
    """Measure the processor time of tasks in turn, and return the best of each."""
    times = [[_processor_time(task) for task in tasks] for _ in range(ROUNDS)]
    return [min(column) for column in zip(*times, strict=True)]


def _processor_time(task: Callable[[], object]) -> float:
    """Return the seconds of one core that a task takes, garbage collection included."""
    gc.collect()
    start = time.process_time()
    task()
    return time.process_time() - start


def _signatures(progress: Progress, blocks: int = 100) -> Iterator[Figure]:
    """Compare with the verification of every signature that the handlers look at, as often as the logs have it.

    The bound is for the logs of a network: votes are in several of them, and are verified once.
    """
    for members, logs, relation, bound in ((4, 4, "≥", 0.8), (20, 1, "", None), (4, 1, "", None)):
        progress(f"timing the signatures in {logs} of {members} logs of {blocks} blocks, alone and in the logs")
        alone, whole, events = _alone_and_whole(members, logs, blocks)
        which = f"{logs} of {members} validators' logs"
        yield Figure(f"signatures alone : {which}, time", alone / whole, "times", relation, bound)
        yield Figure(f"{which}, signatures verified", events / whole, "events/s")


def _alone_and_whole(members: int, count: int, blocks: int) -> tuple[float, float, int]:
    """Time the signatures of logs alone, and checking the logs; also return how many events they have."""
    source = traffic(Ed25519Scheme(), 10, members)
    runs = [traffic(Ed25519Scheme(), 10, members).lines(ring(10, blocks), voter) for voter in range(count)]
    logs = list(map(list, runs))
    signed = [signature for log in logs for line in log for signature in _signed(source, line)]

    def bare() -> None:
        for key, signature, message in signed:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message)

    alone, whole = _best(bare, lambda: check(started(source, signatures=True, validators=count), *logs))
    return alone, whole, sum(map(len, logs))


def _signed(source: Traffic, line: bytes) -> Iterator[Signed]:
    """Walk the signatures of a line."""
    event, scheme = read_event(NOWHERE, 2, line[:-1]), source.header.context.scheme
    item = item_of(event)
    if isinstance(item, Request):
        yield item.owner, item.signature, tagged_bytes(BlockAndRound(item.block, item.round))
    if isinstance(item, Certificate):
        message = tagged_bytes(certified_payload(scheme, item))
        yield from ((key, signature, message) for key, signature in item.signatures)
    for vote in filter(None, map(vote_of, event.votes)):
        yield vote.validator, vote.signature, tagged_bytes(vote.payload)


def _events(progress: Progress, blocks: int = 250) -> Iterator[Figure]:
    progress(f"timing logs of {4 * blocks} events without their signatures: one, and those of four validators")
    source = traffic(IdealScheme(), 10)
    logs = [list(traffic(IdealScheme(), 10).lines(ring(10, blocks), voter)) for voter in range(4)]
    silent = evolve(source, header=evolve(source.header, logged=False))
    short = [[line for line in log if line.startswith((b'{"request', b'{"certificate'))] for log in logs]
    one, four, unlogged = _best(
        lambda: check(started(source, signatures=False), logs[0]),
        lambda: check(started(source, signatures=False, validators=4), *logs),
        lambda: check(started(silent, signatures=False, validators=4), *short),
    )
    yield Figure("4 of 4 validators' logs, no signatures", sum(map(len, logs)) / four, "events/s", "≥", 20_000)
    yield Figure("the same, deliveries unlogged", sum(map(len, short)) / unlogged, "events/s")
    yield Figure("1 of 4 validators' logs, no signatures", len(logs[0]) / one, "events/s")


def _chains(progress: Progress, few: int = 10, many: int = 100_000, blocks: int = 500) -> Iterator[Figure]:
    progress(f"timing the same number of blocks on {few} and on {many:,} chains")
    runs = []
    for count in (few, many):
        source = traffic(IdealScheme(), count)
        runs.append((source, list(source.lines(ring(count, blocks)))))
    small, large = _best(*(partial(_replay_again, *run) for run in runs))
    yield Figure(f"time per event, {many:,} chains : {few} chains", large / small, "times", "≤", 1.3)


def _replay_again(source: Traffic, lines: list[bytes]) -> None:
    check(started(source, signatures=False), lines)


def _memory(progress: Progress, events: int, first: int = 10_000) -> Iterator[Figure]:
    """Check a stream that is made while it is checked, and compare what lives early and late."""
    source = traffic(IdealScheme(), 10)
    (running,) = started(source, signatures=False)
    marks: list[tuple[int, int]] = []
    lines = source.lines(ring(10, events // 4))
    for stop in (first, events):
        progress(f"checking {stop:,} events, for memory")
        check([running], islice(lines, stop - running.events))
        gc.collect()
        marks.append((len(gc.get_objects()), resident()))
    (objects, before), (more, after) = marks
    span = f"{events:,} events : {first:,} events"
    yield Figure(f"live objects, {span}", more / objects, "times", "≤", 1.1)
    yield Figure(f"resident memory, {span}", after / before, "times", "≤", 1.2)
    yield Figure("resident memory", after / 2**20, "MiB")

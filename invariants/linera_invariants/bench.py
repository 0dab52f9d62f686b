"""Measured figures: ratios of two things timed in the same run; for the proofs, seconds and memory."""

import gc
import os
import random
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import chain
from multiprocessing.pool import Pool
from pathlib import Path
from statistics import median
from typing import Any, TypeAlias, TypeVar

from attrs import asdict, evolve, frozen
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from immutables import Map
from rich.console import Console
from rich.table import Table

from linera_reference.application import Balance, Token, burn, transfer
from linera_reference.audit import audit_chain
from linera_reference.block import Block, Execute, Transaction
from linera_reference.certificate import Certificate, Kind, certified_payload, sign_vote
from linera_reference.chain import Chain
from linera_reference.committee import make_committee, quorum_threshold
from linera_reference.context import Context
from linera_reference.crypto import Ed25519Scheme, IdealScheme, Scheme, Signer, make_signer, tagged_bytes
from linera_reference.encoding import decode, encode
from linera_reference.execution import commit_block, execute_block
from linera_reference.identifiers import ChainId
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.rejections import Accepted, Outcome, Rejected
from linera_reference.request import sign_request
from linera_reference.validator import Genesis, GenesisChain, Input, Validator, genesis_chain, genesis_validator, handle
from linera_reference.validator import payload_of as payload

from .audit_files import check_ahead
from .errors import UsageError
from .processes import worker_pool
from .proofs import missing_solvers
from .proofs.entries import theorems

Progress: TypeAlias = Callable[[str], None]
S = TypeVar("S")
RICH = 10**30


@frozen
class Figure:
    """One measured number; ``bound`` is what it must reach (at most for ``≤``, at least for ``≥``), if anything."""

    label: str
    value: float
    unit: str
    relation: str = ""
    bound: float | None = None

    @property
    def met(self) -> bool:
        """Whether the bound holds."""
        if self.bound is None:
            return True
        return self.value <= self.bound if self.relation == "≤" else self.value >= self.bound


@frozen
class BenchResult:
    """The figures of one benchmark."""

    name: str
    figures: tuple[Figure, ...]

    @property
    def holds(self) -> bool:
        """Whether every figure reaches its bound."""
        return all(figure.met for figure in self.figures)

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        figures = [{**asdict(figure), "met": figure.met} for figure in self.figures]
        return {"bench": self.name, "holds": self.holds, "figures": figures}

    def render(self, console: Console) -> None:
        """Print the figures as a table."""
        table = Table("figure", "value", "bound", "met", title=f"bench {self.name}")
        for figure in self.figures:
            bound = "" if figure.bound is None else f"{figure.relation} {figure.bound:g}"
            met = "" if figure.bound is None else ("yes" if figure.met else "NO")
            table.add_row(figure.label, f"{figure.value:,.4g} {figure.unit}", bound, met)
        console.print(table)


def timed(task: Callable[[], object]) -> float:
    """Return the seconds that a task takes, without garbage collection."""
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        task()
        return time.perf_counter() - start
    finally:
        gc.enable()


def _accept(outcome: Outcome[S]) -> Accepted[S]:
    """Return an outcome that must be an acceptance: a benchmark makes its own inputs."""
    if isinstance(outcome, Rejected):
        raise RuntimeError(f"the benchmark's own input is rejected: {outcome}")  # noqa: TRY004
    return outcome


@frozen
class Setup:
    """Equal validators of which a quorum signs, one owner of every chain, the token."""

    context: Context
    validators: tuple[Signer, ...]
    owner: Signer

    def genesis(self, chain_id: ChainId) -> GenesisChain:
        """Return a rich genesis chain."""
        return GenesisChain(chain_id, self.owner.public_key, Balance(RICH))

    def certify(self, chain: Chain, transactions: tuple[Transaction, ...]) -> tuple[Chain, Certificate]:
        """Execute and certify the next block of a chain with exactly a quorum of signatures."""
        part = chain.consistent
        block = Block(chain.chain_id, part.next_height, part.block_hash, transactions)
        staged = execute_block(self.context, chain, block)
        vote = payload(self.context, staged.executed)
        quorum = quorum_threshold(self.context.committee.total)
        signed = ((v.public_key, sign_vote(self.context.scheme, v, vote).signature) for v in self.validators[:quorum])
        certificate = Certificate(staged.executed, Kind.CONFIRMED, 0, tuple(signed))
        return commit_block(staged, vote.block_hash, certificate), certificate


def setup_of(scheme: Scheme, members: int = 4) -> Setup:
    """Return the setup under a scheme, with a committee of another size if it is asked for."""
    validators = tuple(make_signer(scheme, bytes([i]) * 32) for i in range(1, members + 1))
    committee = make_committee((v.public_key, 1) for v in validators)
    return Setup(Context(scheme, Token(), committee), validators, make_signer(scheme, bytes(32)))


def transfers(recipients: Iterable[ChainId], amount: int) -> tuple[Transaction, ...]:
    """Return a transfer to each of some chains."""
    return tuple(Execute(transfer(recipient, amount)) for recipient in recipients)


# --- audit -------------------------------------------------------------------------------------------------------


def bench_audit(progress: Progress = lambda _: None, blocks: int = 2000) -> BenchResult:
    """Audit a chain decoded from bytes, against the bare time of the signature verifications in it."""
    progress(f"certifying {blocks} blocks of 10 transfers")
    setup = setup_of(Ed25519Scheme())
    origin = setup.genesis((0,))
    cell, encoded = genesis_chain(origin), []
    for height in range(blocks):
        cell, certificate = setup.certify(cell, transfers(((i,) for i in range(1, 11)), height + 1))
        encoded.append(encode(certificate))
    certificates = [decode(Certificate, data) for data in encoded]
    signed = [
        (key, signature, tagged_bytes(certified_payload(setup.context.scheme, certificate)))
        for certificate in certificates
        for key, signature in certificate.signatures
    ]

    def bare() -> None:
        for key, signature, message in signed:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, message)

    def audit(pool: Pool | None = None) -> None:
        decoded = tuple(decode(Certificate, data) for data in encoded)
        scheme = setup.context.scheme if pool is None else check_ahead(pool, setup.context.scheme, decoded)
        _accept(audit_chain(evolve(setup.context, scheme=scheme), (0,), origin, decoded, ()))

    progress("timing the bare verifications, the audit, and the audit with the signatures checked by two processes")
    with worker_pool(2) as pool:
        audit(pool)  # the processes are running from here on
        times = [(timed(bare), timed(audit), timed(partial(audit, pool))) for _ in range(3)]
    bare_time, audit_time, both_time = (min(column) for column in zip(*times, strict=True))
    return BenchResult(
        "audit",
        (
            Figure("audit : bare signature verifications", audit_time / bare_time, "times", "≤", 1.5),
            Figure("one core : two cores", audit_time / both_time, "times"),
            Figure("audit, one core", blocks / audit_time, "blocks/s"),
            Figure("bare verifications", len(signed) / bare_time, "signatures/s"),
        ),
    )


# --- step --------------------------------------------------------------------------------------------------------


def _script(setup: Setup, blocks: int) -> tuple[Validator, list[Input]]:
    """Return a validator, and requests, certificates, updates and confirmations in equal parts that it accepts."""
    chains = (setup.genesis((0,)), setup.genesis((1,)))
    start = validator = genesis_validator(Genesis(setup.context.committee, chains))
    script: list[Input] = []

    def play(item: Input) -> tuple[Any, ...]:
        nonlocal validator
        script.append(item)
        outcome = _accept(handle(setup.context, validator, item, setup.validators[0]))
        validator = outcome.state
        return outcome.outputs

    for _ in range(blocks):
        _, certificate = setup.certify(validator.chains[(0,)], transfers([(1,)], 1))
        play(sign_request(setup.context.scheme, setup.owner, certificate.executed.block))
        _, update = play(certificate)
        (answer,) = play(update)
        play(answer)
    return start, script


def _play(setup: Setup, validator: Validator, script: list[Input]) -> Validator:
    for item in script:
        validator = _accept(handle(setup.context, validator, item, setup.validators[0])).state
    return validator


def bench_step(progress: Progress = lambda _: None, blocks: int = 500) -> BenchResult:
    """Handler steps with ideal signatures against the same mix with Ed25519."""
    runs = []
    for scheme in (IdealScheme(), Ed25519Scheme()):
        progress(f"preparing {4 * blocks} steps with {type(scheme).__name__}")
        setup = setup_of(scheme)
        runs.append((setup, *_script(setup, blocks)))
    progress("timing both mixes, in turn")
    times = [[timed(partial(_play, *run)) for run in runs] for _ in range(5)]
    ideal, real = (min(column) for column in zip(*times, strict=True))
    return BenchResult(
        "step",
        (
            Figure("ideal : Ed25519, steps per second", real / ideal, "times", "≥", 4),
            Figure("ideal signatures", 4 * blocks / ideal, "steps/s"),
            Figure("Ed25519 signatures", 4 * blocks / real, "steps/s"),
        ),
    )


# --- scale -------------------------------------------------------------------------------------------------------


def resident() -> int:
    """Return the resident memory of this process in bytes, 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _populate(setup: Setup, count: int, progress: Progress) -> Validator:
    """Return a validator of so many chains, each with one executed block and empty mailboxes."""
    cells = Map[ChainId, Chain]().mutate()
    for number in range(count):
        cell, _ = setup.certify(genesis_chain(setup.genesis((number,))), (Execute(burn(1)),))
        cells[(number,)] = cell
        if number % 50_000 == 49_999:
            progress(f"{number + 1:,} of {count:,} chains")
    return Validator(cells.finish())


def _inputs(setup: Setup, validator: Validator, sender: ChainId, recipients: list[ChainId]) -> list[Input]:
    """Return the request and the certificate that extend a chain by one transfer to each recipient."""
    _, certificate = setup.certify(validator.chains[sender], transfers(recipients, 1))
    return [sign_request(setup.context.scheme, setup.owner, certificate.executed.block), certificate]


def _settle(setup: Setup, validator: Validator, inputs: Sequence[Input]) -> Validator:
    """Handle inputs, then the cross-chain requests that they cause, and the answers."""
    for item in inputs:
        outcome = _accept(handle(setup.context, validator, item, setup.validators[0]))
        sent = [x for x in outcome.outputs if isinstance(x, UpdateRecipient | ConfirmUpdatedRecipient)]
        validator = _settle(setup, outcome.state, sent)
    return validator


def _map_operations(task: Callable[[], object]) -> int:
    """Count the calls of methods of persistent maps during a task."""
    calls = 0

    def trace(_frame: object, event: str, function: Any) -> None:
        nonlocal calls
        calls += event == "c_call" and isinstance(getattr(function, "__self__", None), Map)

    sys.setprofile(trace)
    try:
        task()
    finally:
        sys.setprofile(None)
    return calls


def bench_scale(progress: Progress = lambda _: None, chains: int = 1_000_000, blocks: int = 60) -> BenchResult:
    """Time per block of ten transfers on a validator of ten chains and on one of a million."""
    setup = setup_of(IdealScheme())
    gc.disable()
    small = _populate(setup, 10, progress)
    before = resident()
    large = _populate(setup, chains, progress)
    per_chain = (resident() - before) / chains
    gc.freeze()
    active: list[ChainId] = [(number,) for number in range(10)]
    draw = random.Random(2023)  # noqa: S311 - a reproducible choice of chains

    def run(validator: Validator, choose: Callable[[int], list[ChainId]]) -> list[float]:
        times = []
        for number in range(blocks):
            sender, *recipients = choose(number)
            inputs = _inputs(setup, validator, sender, recipients)
            start = time.perf_counter()
            validator = _settle(setup, validator, inputs)
            times.append(time.perf_counter() - start)
        return times

    def among_ten(number: int) -> list[ChainId]:
        return [active[number % 10], *active]

    def anywhere(_: int) -> list[ChainId]:
        return [(draw.randrange(chains),) for _ in range(11)]

    progress("timing blocks on both validators, in turn")
    rounds = [(run(small, among_ten), run(large, among_ten), run(large, anywhere)) for _ in range(5)]
    small_time, large_time, spread_time = (median(chain(*column)) for column in zip(*rounds, strict=True))
    few, many = (_map_operations(partial(_settle, setup, v, _inputs(setup, v, (0,), active))) for v in (small, large))
    gc.unfreeze()
    gc.enable()
    return BenchResult(
        "scale",
        (
            Figure(f"time per block, {chains:,} chains : 10 chains", large_time / small_time, "times", "≤", 1.3),
            Figure("the same, on chains drawn from all", spread_time / small_time, "times"),
            Figure("map operations per block, many - few", many - few, "calls", "≤", 0),
            Figure("map operations per block", few, "calls"),
            Figure("memory per idle chain", per_chain, "bytes", "≤", 2048),
            Figure("time per block, 10 chains", small_time * 1e6, "µs"),
        ),
    )


# --- prove -------------------------------------------------------------------------------------------------------


def bench_prove(progress: Progress = lambda _: None, names: Iterable[str] = ()) -> BenchResult:
    """Prove everything with both solvers and the vacuity gate, then with Z3 alone."""
    if missing := missing_solvers():
        raise UsageError(f"{' and '.join(missing)}: not installed: install linera-reference[proofs]")
    from .proofs.prover import Task, prove  # noqa: PLC0415 - needs the solvers

    chosen = list(names) or list(theorems())
    progress("proving with both solvers")
    both = prove(chosen, Task(), lambda _: None)
    progress("proving with Z3 alone")
    alone = prove(chosen, Task(solvers=("z3",), gate=False), lambda _: None)
    asked = [asked for found in both.proved.values() for asked in found.asked]
    longest = {solver: [a.seconds for q in asked for a in q.answers if a.solver == solver] for solver in both.solvers}
    return BenchResult(
        "prove",
        (
            Figure("whole suite, both solvers", both.seconds, "s", "≤", 90),
            Figure("memory of the workers", both.memory / 2**20, "MiB", "≤", 2048),
            Figure("Z3 alone", alone.seconds, "s", "≤", 30),
            Figure("longest query, Z3", max(longest["z3"]), "s", "≤", 5),
            Figure("longest query, cvc5", max(longest["cvc5"]), "s", "≤", 30),
            Figure("entries that fail", len({name for name, _, _ in both.failures()}), "entries", "≤", 0),
            Figure("queries", len(asked), "queries"),
        ),
    )


def bench_trace(progress: Progress = lambda _: None) -> BenchResult:
    """Check logs: against bare signatures, per event, in memory, and by the number of chains."""
    from .logs.benchmark import bench_trace as run  # noqa: PLC0415 - it uses this module

    return run(progress)


def bench_trace_long(progress: Progress = lambda _: None) -> BenchResult:
    """Check a log of a million events, for memory."""
    from .logs.benchmark import bench_memory as run  # noqa: PLC0415 - it uses this module

    return run(progress)


def bench_explore(progress: Progress = lambda _: None) -> BenchResult:
    """The explorer against other model checkers, and what a state costs in memory."""
    from .explorer.benchmark import bench_explore as run  # noqa: PLC0415 - it uses this module

    return run(progress)


def bench_latency(progress: Progress = lambda _: None) -> BenchResult:
    """Message delays from the proposal to the commit, in the network model, against what the whitepaper claims."""
    from .latency import figures  # noqa: PLC0415 - it uses this module

    progress("walking the network delay by delay")
    return BenchResult("latency", tuple(figures()))


def bench_conform(progress: Progress = lambda _: None) -> BenchResult:
    """The vectors against the reference's own harness."""
    from .conform.benchmark import bench_conform as run  # noqa: PLC0415 - it uses this module

    return run(progress)


BENCHES: dict[str, Callable[..., BenchResult]] = {
    "audit": bench_audit,
    "conform": bench_conform,
    "explore": bench_explore,
    "latency": bench_latency,
    "prove": bench_prove,
    "scale": bench_scale,
    "step": bench_step,
    "trace": bench_trace,
    "trace-long": bench_trace_long,
}

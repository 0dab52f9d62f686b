"""The main job: run everything that this version has, and say of each claim how it is established.

The work is cut into small jobs, each in a process of its own, so that runs are reproducible and all cores are used.
"""

import os
import re
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

from attrs import asdict, frozen

from linera_reference.audit import Audited
from linera_reference.chain import Chain, hashed_state
from linera_reference.identifiers import ChainId
from linera_reference.network import Network, World, initial_world
from linera_reference.rejections import Accepted
from linera_reference.validator import chain_of

from . import registry
from .audit_files import AuditResult, audit, export_audit, read_audit
from .explorer.model import read_model, shipped_models
from .machines import MACHINES, MachineResult, run_machine
from .machines.places import places
from .mutation import applied, broken
from .peer import PeerReport, Status, replay_all
from .play import Run, ScenarioResult, play_scenario
from .predicates.liveness import settled, subjects
from .processes import worker_pool
from .proofs import missing_solvers
from .proofs.entries import proofs_of, theorems
from .reports import counted
from .scenarios import read_scenario, shipped_scenarios
from .schemes import SCHEMES
from .specdata import spec_root
from .story import show_chain
from .views import is_archived

DEFAULT_SEED = 2023
SHARD = 100
"""Examples of a machine in one job."""
FULL = 8
"""How many times more examples `--full` tries."""
SHARES = {"ordered-inbox": 6, "outbox-delivery": 5, "single-chain": 6, "whole-network": 10, "several-owners": 4}
"""How many jobs a machine gets by default."""
BROKEN_EXAMPLES = 400


def not_run() -> tuple[tuple[str, str], ...]:
    """Return the engines that this version or this installation does not have."""
    missing = " and ".join(missing_solvers())
    proofs = (("proofs", f"not run: without {missing}: install linera-reference[proofs]"),) if missing else ()
    explorer = () if has_numpy() else (("explorer", "not run: without numpy: install linera-reference[explorer]"),)
    return (*proofs, *explorer)


def has_numpy() -> bool:
    """Whether the explorer can run."""
    return find_spec("numpy") is not None


class Verdict(Enum):
    """How a statement is established, the best first."""

    PROVED = "Proved"
    EXHAUSTED = "Exhausted"
    TESTED = "Tested"
    CLAIMED = "Claimed"
    VIOLATED = "Violated"


WITNESSES: Mapping[str, tuple[str, ...]] = {
    "C1": ("block committed", "batch delivered", "equivocation", "certificate with a Byzantine vote"),
    "C2": ("block committed", "chain created", "lagging copy caught up"),
    "C3": ("batch delivered", "undelivered message settled", "owed message settled"),
    "C4": ("block committed", "key changed", "rejected: INVALID_OWNER"),
    "C5": ("chain audited",),
    "C6": ("certificate formed", "open proposal finished"),
    "C7": ("vote", "vote repeated", "open proposal finished", "owed message settled"),
}
"""What must have happened, or a claim was never put to the test."""

# --- Results of jobs ---------------------------------------------------------------------------------------------


@frozen
class ScenarioReport:
    """A scenario that was played, what it reached, and what the audits of its chains found."""

    result: ScenarioResult
    places: Mapping[str, int]
    checked: Mapping[str, int]
    audits: int
    problems: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether the scenario held and every audit agreed with every correct validator."""
        return self.result.holds and not self.problems


@frozen
class BrokenReport:
    """Whether the checkers noticed a broken variant, and by what."""

    name: str
    sentence: str
    machine: str
    found: str | None


@frozen
class Finding:
    """Something that should not be, and the statement that it contradicts if that is known."""

    where: str
    what: str
    statement: str | None = None
    story: tuple[str, ...] = ()


# --- Jobs --------------------------------------------------------------------------------------------------------

Job: TypeAlias = tuple[str, tuple[Any, ...]]
"""The name of a kind of job, and its arguments."""


def jobs_of(full: bool, seed: int) -> list[Job]:
    """Return everything that there is to do, long jobs first."""
    jobs: list[Job] = [] if missing_solvers() else [("proofs", (file,)) for file in theorem_files()]
    for name in sorted(SHARES, key=lambda name: -SHARES[name]):
        shards = SHARES[name] * (FULL if full else 1)
        jobs += [("machine", (name, seed + shard, "ideal", SHARD)) for shard in range(shards)]
        if full:
            jobs += [("machine", (name, seed + shards + shard, "ed25519", SHARD)) for shard in range(SHARES[name])]
    jobs += [("model", (str(path),)) for path in shipped_models()] if has_numpy() else []
    jobs += [("broken", (name, seed)) for name in broken_variants()]
    jobs += [("scenarios", (crypto,)) for crypto in SCHEMES]
    return [*jobs, ("peer", ())]


def run_job(job: Job) -> Any:
    """Do one job and return plain data."""
    kind, arguments = job
    return JOBS[kind](*arguments)


def machine_job(name: str, seed: int, crypto: str, examples: int) -> MachineResult:
    """Run a machine for some examples."""
    return run_machine(name, examples=examples, seed=seed, scheme=SCHEMES[crypto])


def peer_job() -> PeerReport:
    """Replay the peer vectors."""
    return replay_all()


def scenarios_job(crypto: str) -> list[ScenarioReport]:
    """Play every scenario."""
    return [scenario_report(path, crypto) for path in shipped_scenarios()]


def scenario_report(path: Path, crypto: str) -> ScenarioReport:
    """Play a scenario, and audit every chain at its end."""
    run = play_scenario(read_scenario(path), crypto)
    reached, checked = exercised(run)
    audits, problems = 0, list[str]()
    for chain_id in sorted({c.executed.block.chain_id for c in run.driver.world.certificates.values()}):
        audits += 1
        problems += audit_problems(run, crypto, chain_id)
    reached["chain audited"] = audits
    return ScenarioReport(run.result(), reached, checked, audits, tuple(problems))


def exercised(run: Run) -> tuple[Counter[str], Counter[str]]:
    """Count the places that a run reached, and how often each statement was checked in it."""
    network, before = run.driver.network, initial_world(run.driver.network)
    reached, checked = Counter[str](), Counter[str]()
    for step in run.driver.trace:
        after = step.outcome.state if isinstance(step.outcome, Accepted) else before
        reached.update(places(network, before, step, after))
        registry.check_step(network, before, step, after, counts=checked)
        before = after
    cases = subjects(before)
    checked.update(cases)
    reached.update(settled(cases))
    return reached, checked


def audit_problems(run: Run, crypto: str, chain_id: ChainId) -> Iterator[str]:
    """Export, read and audit one chain; compare with every correct validator of the same height."""
    network, world = run.driver.network, run.driver.world
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit.json"
        path.write_bytes(export_audit(network, world, chain_id, crypto))
        found = audit(path.name, read_audit(path), jobs=1)
    if not found.holds:
        yield f"chain {show_chain(chain_id)}: the audit of genuine certificates fails at {found.place}"
    yield from _differences(network, world, chain_id, found)


def _differences(network: Network, world: World, chain_id: ChainId, found: AuditResult) -> Iterator[str]:
    audited = found.audited
    for chain in (chain_of(validator, chain_id) for validator in world.validators.values()):
        if audited is None or chain.consistent.next_height != audited.next_height:
            continue
        if not _agrees(network, chain, audited):
            yield f"chain {show_chain(chain_id)}: the audit and a correct validator differ"


def _agrees(network: Network, chain: Chain, audited: Audited) -> bool:
    part = chain.consistent
    same = (part.block_hash, part.owner) == (audited.block_hash, audited.owner)
    return same and (is_archived(chain) or network.context.scheme.hash(hashed_state(part)) == audited.state_hash)


def theorem_files() -> list[str]:
    """Return the files that hold the entries of theorems."""
    return list(dict.fromkeys(entry.file for entry in theorems().values()))


def proofs_job(file: str) -> list[Any]:
    """Prove the entries of one file."""
    from .proofs.prover import Task, do  # noqa: PLC0415 - needs the solvers

    return [do(Task(name)) for name, entry in theorems().items() if entry.has_proof and entry.file == file]


def model_job(path: str) -> "ModelSummary":
    """Explore a finite model to its end."""
    from .explorer.explore import Options, explore  # noqa: PLC0415 - needs numpy

    found = explore(read_model(Path(path)), Options())
    return ModelSummary(found.model.name, found.verdict, found.states, found.exhausted, tuple(found.problems))


def broken_variants() -> dict[str, dict[str, str]]:
    """Read the broken variants of the protocol."""
    text = (spec_root() / "models" / "broken.toml").read_text("utf-8")
    return tomllib.loads(text)


def broken_job(name: str, seed: int) -> BrokenReport:
    """Run the machine that must notice a broken variant."""
    variant = broken_variants()[name]
    with applied(broken(name)):
        result = run_machine(variant["machine"], examples=BROKEN_EXAMPLES, seed=seed, shrink=False)
    found = None if result.failure is None else result.failure.error
    return BrokenReport(name, variant["sentence"], variant["machine"], found)


JOBS: dict[str, Callable[..., Any]] = {
    "proofs": proofs_job,
    "machine": machine_job,
    "model": model_job,
    "peer": peer_job,
    "scenarios": scenarios_job,
    "broken": broken_job,
}


def run_jobs(jobs: list[Job], processes: int, progress: Callable[[str], None]) -> list[Any]:
    """Do jobs in parallel, each in a fresh process, and return the results in order."""
    results: dict[int, Any] = {}
    with worker_pool(processes, tasks_each=1) as pool:
        for index, result in pool.imap_unordered(_numbered, enumerate(jobs)):
            results[index] = result
            progress(describe(jobs[index]))
    return [results[index] for index in range(len(jobs))]


def _numbered(job: tuple[int, Job]) -> tuple[int, Any]:
    return job[0], run_job(job[1])


def describe(job: Job) -> str:
    """Name a job for a progress bar."""
    kind, arguments = job
    return " ".join((kind, *(Path(str(argument)).stem for argument in arguments[:1])))


# --- The report --------------------------------------------------------------------------------------------------


@frozen
class StatementVerdict:
    """How a statement is established, and how often it was checked."""

    name: str
    title: str
    sentence: str
    verdict: Verdict
    checked: int


@frozen
class ClaimVerdict:
    """How a claim of section 3.3 is established: the statements that it rests on, and what put it to the test."""

    name: str
    title: str
    sentence: str
    verdict: Verdict
    supported_by: tuple[str, ...]
    checked: int
    witnesses: Mapping[str, int]


@frozen
class MachineSummary:
    """All runs of one machine."""

    name: str
    sentence: str
    examples: int
    steps: int
    places: Mapping[str, int]
    missed: tuple[str, ...]


@frozen
class ModelSummary:
    """What came of a finite model: the statements that hold in every one of its states, and what was not expected."""

    name: str
    verdict: str
    states: int
    statements: tuple[str, ...]
    problems: tuple[str, ...]


@frozen
class TheoremVerdict:
    """What came of one theorem."""

    name: str
    kind: str
    verdict: str


@frozen
class Proofs:
    """What came of the theorems, what the registry of statements makes of it, and what is wrong."""

    theorems: tuple[TheoremVerdict, ...] = ()
    proved: frozenset[str] = frozenset()
    findings: tuple[Finding, ...] = ()


@frozen
class VerifyReport:
    """Everything that was run, what it found, and what was not run."""

    full: bool
    seed: int
    seconds: float
    claims: tuple[ClaimVerdict, ...]
    statements: tuple[StatementVerdict, ...]
    scenarios: tuple[ScenarioReport, ...]
    machines: tuple[MachineSummary, ...]
    broken: tuple[BrokenReport, ...]
    peer: PeerReport
    models: tuple[ModelSummary, ...]
    theorems: tuple[TheoremVerdict, ...]
    findings: tuple[Finding, ...]
    not_run: tuple[tuple[str, str], ...]

    @property
    def holds(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def to_json(self) -> dict[str, Any]:
        """Return the report."""
        return {
            "holds": self.holds,
            "full": self.full,
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "claims": [_row(claim) for claim in self.claims],
            "statements": [_row(statement) for statement in self.statements],
            "scenarios": [_scenario_row(report) for report in self.scenarios],
            "machines": [_row(machine) for machine in self.machines],
            "broken": [_row(variant) for variant in self.broken],
            "peer": {status.value: count for status, count in peer_counts(self.peer).items()},
            "models": [_row(model) for model in self.models],
            "theorems": [_row(theorem) for theorem in self.theorems],
            "findings": [_row(finding) for finding in self.findings],
            "not_run": [{"engine": engine, "why": why} for engine, why in self.not_run],
        }


def _row(record: Any) -> dict[str, Any]:
    return asdict(record, value_serializer=lambda _, __, value: value.value if isinstance(value, Enum) else value)


def _scenario_row(report: ScenarioReport) -> dict[str, Any]:
    story = () if report.holds else report.result.story
    return {**report.result.to_json(), "story": list(story), "audits": report.audits, "problems": list(report.problems)}


def peer_counts(peer: PeerReport) -> Counter[Status]:
    """Count the verdicts on the peer vectors."""
    return Counter(result.status for result in peer.results)


def verify(
    full: bool = False,
    seed: int = DEFAULT_SEED,
    processes: int | None = None,
    start: Callable[[int], Any] | None = None,
) -> VerifyReport:
    """Run everything. ``start`` gets the number of jobs and returns what to call after each."""
    began, jobs = time.monotonic(), jobs_of(full, seed)
    progress = (lambda _: None) if start is None else start(len(jobs))
    done = list(zip(jobs, run_jobs(jobs, processes or os.cpu_count() or 1, progress), strict=True))
    kinds = {kind: [result for (name, _), result in done if name == kind] for kind in JOBS}
    scenarios = [report for reports in kinds["scenarios"] for report in reports]
    (peer,) = kinds["peer"]
    proofs = judge_proofs(proving for results in kinds["proofs"] for proving in results)
    unexpected = (Finding(f"model {m.name}", problem, None) for m in kinds["model"] for problem in m.problems)
    findings = (*all_findings(scenarios, kinds["machine"], kinds["broken"], peer), *proofs.findings, *unexpected)
    exhausted = frozenset(name for model in kinds["model"] for name in model.statements)
    checked, reached = totals(scenarios, kinds["machine"])
    statements = tuple(judge_statements(checked, findings, proofs.proved, exhausted))
    return VerifyReport(
        full,
        seed,
        time.monotonic() - began,
        tuple(judge_claims(statements, reached, findings, proofs.proved)),
        statements,
        tuple(scenarios),
        tuple(summarize(name, kinds["machine"]) for name in MACHINES),
        tuple(kinds["broken"]),
        peer,
        tuple(kinds["model"]),
        proofs.theorems,
        findings,
        not_run(),
    )


def judge_proofs(proved: Iterable[Any]) -> Proofs:
    """Sum up the proofs; without solvers there are none. A theorem that fails is no violation, and no pass either."""
    if missing_solvers():
        return Proofs()
    from .proofs.prover import ProveReport, loading_problems  # noqa: PLC0415 - needs the solvers

    report = ProveReport(tuple(theorems()), proved={found.name: found for found in proved}, problems=loading_problems())
    verdicts = report.verdicts().items()
    failed = ((f"theorem {name}", what, name) for name, what, _ in report.failures())
    wrong = (("theorems", problem, "theorems") for problem in report.problems)
    return Proofs(
        tuple(TheoremVerdict(name, theorems()[name].kind, verdict.value) for name, verdict in verdicts),
        report.proved_statements(),
        tuple(Finding(where, what, statement) for where, what, statement in (*failed, *wrong)),
    )


def totals(scenarios: Iterable[ScenarioReport], machines: Iterable[MachineResult]) -> tuple[Counter[str], Counter[str]]:
    """Add up how often statements were checked and places were reached."""
    checked, reached = Counter[str](), Counter[str]()
    for report in scenarios:
        checked.update(report.checked)
        reached.update(report.places)
    for result in machines:
        checked.update(result.checked)
        reached.update(result.counters)
    return checked, reached


def summarize(name: str, results: Iterable[MachineResult]) -> MachineSummary:
    """Join the runs of one machine."""
    runs = [result for result in results if result.name == name]
    reached = Counter[str]()
    for run in runs:
        reached.update(run.counters)
    spec = MACHINES[name]
    missed = tuple(sorted(place for place in spec.coverage if not reached[place]))
    examples, steps = sum(run.examples for run in runs), sum(run.steps for run in runs)
    return MachineSummary(name, spec.sentence, examples, steps, dict(sorted(reached.items())), missed)


# --- Findings and verdicts ---------------------------------------------------------------------------------------


def all_findings(
    scenarios: Iterable[ScenarioReport],
    machines: Sequence[MachineResult],
    variants: Iterable[BrokenReport],
    peer: PeerReport,
) -> Iterator[Finding]:
    """Collect everything that should not be."""
    for report in scenarios:
        yield from scenario_findings(report)
    yield from machine_findings(machines)
    for variant in variants:
        if variant.found is None:
            yield Finding(f"broken variant {variant.name}", f"machine {variant.machine} does not notice it")
    for vector in peer.results:
        if vector.status is Status.FAILS:
            yield Finding(f"peer vector {vector.vector}", vector.reason)
    for problem in registry.disagreements():
        yield Finding("statements", problem)


def machine_findings(machines: Sequence[MachineResult]) -> Iterator[Finding]:
    """Collect what machines found, and the places that all runs of one together never reached."""
    for result in machines:
        if result.failure is not None:
            where, story = f"machine {result.name}, seed {result.seed}", tuple(result.failure.story)
            yield Finding(where, result.failure.error, statement_in(result.failure.error), story)
    for name in dict.fromkeys(result.name for result in machines):
        for place in summarize(name, machines).missed:
            yield Finding(f"machine {name}", f"it never reached: {place}")


def scenario_findings(report: ScenarioReport) -> Iterator[Finding]:
    """Collect what a scenario showed."""
    where, story = f"scenario {report.result.name} ({report.result.crypto})", report.result.story
    for found in report.result.violations:
        yield Finding(f"{where}, step {found.step}", found.what, found.statement, story)
    for missed in report.result.unmet:
        yield Finding(f"{where}, step {missed.step}", missed.what)
    for problem in report.problems:
        yield Finding(where, problem, "C5")


def statement_in(text: str) -> str | None:
    """Find the first statement that an error names."""
    named = re.search(r"\b([SLR]\d+)(?:\.\w+)?: ", text)
    return named[1] if named else None


def judge_statements(
    checked: Mapping[str, int],
    findings: Iterable[Finding],
    proved: Container[str] = (),
    exhausted: Container[str] = (),
) -> Iterator[StatementVerdict]:
    """Say how each statement is established: by the strongest engine that had a case of it."""
    violated = {finding.statement for finding in findings}
    for name, statement in registry.statements().items():
        if not registry.is_claim(statement):
            count = checked.get(name, 0)
            ways = {
                Verdict.VIOLATED: name in violated,
                Verdict.PROVED: name in proved,
                Verdict.EXHAUSTED: name in exhausted,
                Verdict.TESTED: count > 0,
            }
            verdict = next((way for way, holds in ways.items() if holds), Verdict.CLAIMED)
            yield StatementVerdict(name, statement.title, statement.sentence, verdict, count)


RANKS = (Verdict.VIOLATED, Verdict.CLAIMED, Verdict.TESTED, Verdict.EXHAUSTED, Verdict.PROVED)
"""The verdicts, the weakest first."""


def judge_claims(
    statements: Iterable[StatementVerdict],
    reached: Mapping[str, int],
    findings: Iterable[Finding],
    proved: Container[str] = (),
) -> Iterator[ClaimVerdict]:
    """Say how each claim is established: no better than the weakest statement that it rests on."""
    verdicts = {statement.name: statement for statement in statements}
    violated = {finding.statement for finding in findings}
    for name, claim in registry.statements().items():
        if registry.is_claim(claim):
            support = [verdicts[used] for used in claim.uses]
            witnesses = {place: reached.get(place, 0) for place in WITNESSES[name]}
            limits = [statement.verdict for statement in support]
            # A finding that names no statement may concern any of them.
            limits += [] if all(witnesses.values()) and None not in violated else [Verdict.CLAIMED]
            limits += [Verdict.VIOLATED] if name in violated else []
            # A claim may have theorems of its own.
            limits += [] if name in proved or not proofs_of(name) else [Verdict.TESTED]
            checks = sum(statement.checked for statement in support)
            verdict = min(limits, key=RANKS.index)
            yield ClaimVerdict(name, claim.title, claim.sentence, verdict, claim.uses, checks, witnesses)


PEER_WORDS = {
    Status.AGREES: "agree",
    Status.DIFFERENCE: "differ by a recorded decision",
    Status.LATER: "wait for a later step",
    Status.FAILS: "fail",
}

# --- Words -------------------------------------------------------------------------------------------------------


def describe_runs(report: VerifyReport) -> Iterator[str]:
    """Say what was run, how much of it, and what was not."""
    yield from describe_scenarios(report.scenarios)
    peer = peer_counts(report.peer)
    verdicts = (f"{peer[status]} {words}" for status, words in PEER_WORDS.items())
    yield f"peer vectors: {', '.join(verdicts)}"
    for machine in report.machines:
        amount = f"{counted(machine.examples, 'example')}, {counted(machine.steps, 'step')}"
        missed = f"never reached: {', '.join(machine.missed)}" if machine.missed else "every place of interest reached"
        yield f"machine {machine.name}: {amount}, {missed}"
    noticed = sum(variant.found is not None for variant in report.broken)
    yield f"broken variants of the protocol: {noticed} of {len(report.broken)} noticed"
    for claim in report.claims:
        witnesses = ", ".join(f"{place} {count:,}" for place, count in claim.witnesses.items())
        yield f"{claim.name} was put to the test by: {witnesses}"
    if report.models:
        yield f"models: {len(report.models)} as expected, {sum(m.states for m in report.models):,} states in all"
    if report.theorems:
        counts = Counter(theorem.verdict for theorem in report.theorems)
        yield f"theorems: {', '.join(f'{count} {verdict}' for verdict, count in counts.items())}"
    for engine, why in report.not_run:
        yield f"{engine}: {why}"
    if not report.full:
        yield f"this was the default run: --full tries {FULL} times as many examples, and real signatures in machines"


def describe_scenarios(scenarios: tuple[ScenarioReport, ...]) -> Iterator[str]:
    """Sum up the scenarios."""
    results = [report.result for report in scenarios]
    amounts = (
        counted(sum(result.actions for result in results), "action"),
        counted(sum(result.expectations for result in results), "expectation"),
        counted(sum(report.audits for report in scenarios), "audit"),
    )
    holding = sum(report.holds for report in scenarios)
    yield f"scenarios: {holding} of {counted(len(results), 'run')} hold ({', '.join(amounts)})"

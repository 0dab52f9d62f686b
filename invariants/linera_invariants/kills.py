"""The kill matrices: which vectors notice which mutants of the core, and which checkers do.

The matrix is committed beside what it grades, with the digest of the core that it was made for. Every survivor has a
reviewed reason. :func:`check` compares a committed matrix with the core and runs a sample of it again.
"""

import json
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha3_256
from typing import Any, Final

from attrs import evolve, frozen

from .grading import Coverage, Probe, Progress, Suite, all_mutants, core_digest, cover, grades, silent, watched
from .inputs import InputError, read_with_schema, write_atomically
from .machines import MACHINES, run_machine
from .play import play_scenario
from .scenarios import Scenario, read_scenario, shipped_scenarios
from .specdata import spec_root
from .survivors import EQUIVALENT, Survivor, read_survivors
from .vectors.files import read_suite
from .vectors.model import Vector, agrees
from .vectors.operations import perform
from .vectors.table import OPERATIONS

FORMAT: Final = "linera-reference kills 1"
MOST_SMOKE: Final = 260
SAMPLE: Final = 200
MACHINE_EXAMPLES: Final = 10
MACHINE_SEED: Final = 2023
LIMIT: Final = 8 << 20

# --- Probes ------------------------------------------------------------------------------------------------------


@frozen
class VectorProbe:
    """A vector: its one check is its answer."""

    vector: Vector

    @property
    def id(self) -> str:
        """The vector's own."""
        return self.vector.id

    def failing(self) -> list[str]:
        """Compare the answer with the expected one."""
        answer = perform(OPERATIONS[self.vector.operation], self.vector.arguments)
        return [] if agrees(self.vector, answer) else ["answer"]


@frozen
class ScenarioProbe:
    """A scenario, judged by every predicate, and by its own expectations."""

    scenario: Scenario

    @property
    def id(self) -> str:
        """Which scenario."""
        return f"scenario {self.scenario.name}"

    def failing(self) -> list[str]:
        """Play it with ideal signatures."""
        result = play_scenario(self.scenario, "ideal").result()
        named = {found.statement for found in result.violations if found.statement is not None}
        return [*sorted(named), *(["expectation"] if result.unmet else [])]


@frozen
class MachineProbe:
    """A machine, on a few examples from one seed."""

    name: str

    @property
    def id(self) -> str:
        """Which machine."""
        return f"machine {self.name}"

    def failing(self) -> list[str]:
        """Run it; the check is the statement that its failure names, else the machine's own model."""
        failure = run_machine(self.name, examples=MACHINE_EXAMPLES, seed=MACHINE_SEED, shrink=False).failure
        if failure is None:
            return []
        return re.findall(r"\b[SLRC][0-9]{1,2}\b", failure.error)[:1] or ["model"]


@frozen
class Graded:
    """What is graded, and where its matrix is; a mutant is stopped when ``enough`` probes noticed it.

    Where ``survivors`` names a file, it must give a reason for each.
    """

    name: str
    title: str
    file: str
    probes: Callable[[], Iterable[Probe]]
    enough: int
    survivors: str | None = None
    least_rate: float = 0.0


def _vector_probes() -> Iterator[VectorProbe]:
    return map(VectorProbe, read_suite())


def _checker_probes() -> Iterator[ScenarioProbe | MachineProbe]:
    yield from (ScenarioProbe(read_scenario(path)) for path in shipped_scenarios())
    yield from map(MachineProbe, MACHINES)


GRADED: Final[Mapping[str, Graded]] = {
    graded.name: graded
    for graded in (
        Graded("vectors", "Vectors", "vectors/v1/kills.json", _vector_probes, 30, "vectors/v1/survivors.toml", 0.98),
        Graded("checkers", "Predicates and machines", "statements/checker-kills.json", _checker_probes, 3),
    )
}

# --- The matrix --------------------------------------------------------------------------------------------------


@frozen
class Matrix:
    """Per mutant the probes that noticed it, up to a number, each with the checks that failed.

    ``core`` and ``digest`` say what it was made for; ``smoke`` are few probes that kill as much as all.
    """

    core: str
    digest: str
    kills: Mapping[str, Mapping[str, Sequence[str]]]
    smoke: tuple[str, ...]

    @property
    def killed(self) -> list[str]:
        """The mutants that something noticed."""
        return [mutant for mutant, by in self.kills.items() if by]

    @property
    def survivors(self) -> list[str]:
        """The mutants that nothing noticed."""
        return [mutant for mutant, by in self.kills.items() if not by]

    def alone(self) -> dict[str, list[str]]:
        """Return, per probe, the mutants that it alone noticed."""
        found: dict[str, list[str]] = {}
        for mutant, by in self.kills.items():
            if len(by) == 1:
                found.setdefault(next(iter(by)), []).append(mutant)
        return dict(sorted(found.items()))


def make_matrix(graded: Graded, workers: int, progress: Progress = silent) -> Matrix:
    """Run every mutant of the core against all probes. Raises: AssertionError (a probe does not hold)."""
    suite = watched(graded.probes(), graded.enough, workers, progress)
    found = grades(suite, [mutant.id for mutant in all_mutants()], workers, progress)
    kills = {grade.mutant: dict(sorted(grade.killers.items())) for grade in found}
    cost = {probe.id: seconds for probe, seconds in zip(suite.probes, suite.coverage.seconds, strict=True)}
    return Matrix(core_digest(), probes_digest(suite.probes), kills, tuple(smoke_of(kills, cost)))


def smoke_of(kills: Mapping[str, Mapping[str, Sequence[str]]], cost: Mapping[str, float]) -> list[str]:
    """Return few probes that together notice every noticed mutant."""
    killed: dict[str, list[str]] = {}
    for mutant, by in kills.items():
        for probe in by:
            killed.setdefault(probe, []).append(mutant)
    return sorted(cover(killed, cost))


def probes_digest(probes: Iterable[Probe]) -> str:
    """Return the digest of what some probes are."""
    return sha3_256("\n".join(map(repr, probes)).encode()).hexdigest()


# --- Files -------------------------------------------------------------------------------------------------------


def document_of(name: str, matrix: Matrix) -> bytes:
    """Return the file of a matrix: a line per mutant, probes and checks by their number in a list."""
    probes = sorted({probe for by in matrix.kills.values() for probe in by})
    checks = sorted({check for by in matrix.kills.values() for failing in by.values() for check in failing})
    kills = {
        mutant: {str(probes.index(probe)): [checks.index(check) for check in by[probe]] for probe in by}
        for mutant, by in matrix.kills.items()
    }
    head = {
        "format": FORMAT,
        "graded": name,
        "core": matrix.core,
        "digest": matrix.digest,
        "mutants": len(matrix.kills),
        "killed": len(matrix.killed),
        "smoke": list(matrix.smoke),
        "alone": matrix.alone(),
        "probes": probes,
        "checks": checks,
    }
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    rows = ",\n".join(f"  {json.dumps(mutant)}: {json.dumps(by)}" for mutant, by in kills.items())
    return "\n".join(["{", *lines, f' "kills": {{\n{rows}\n }}', "}", ""]).encode()


def read_matrix(graded: Graded) -> Matrix:
    """Read a committed matrix. Raises: InputError."""
    path = spec_root() / graded.file
    document = read_with_schema(path, "kills", LIMIT)
    probes, checks = document["probes"], document["checks"]
    try:
        kills = {
            mutant: {probes[int(probe)]: tuple(checks[i] for i in failing) for probe, failing in by.items()}
            for mutant, by in document["kills"].items()
        }
    except IndexError:
        raise InputError(path, "kills", "expected numbers of entries of 'probes' and 'checks'") from None
    return Matrix(document["core"], document["digest"], kills, tuple(document["smoke"]))


# --- Checking ----------------------------------------------------------------------------------------------------


@frozen
class KillReport:
    """What a matrix says, and what is wrong with it; ``again`` is how many mutants were run again."""

    graded: Graded
    matrix: Matrix
    reviewed: Mapping[str, Survivor]
    problems: tuple[str, ...]
    again: int = 0

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def equivalent(self) -> int:
        """How many survivors are the same program."""
        return sum(found.why == EQUIVALENT for found in self.reviewed.values())

    @property
    def rate(self) -> float:
        """The share of noticed mutants among those that are other programs."""
        return len(self.matrix.killed) / max(1, len(self.matrix.kills) - self.equivalent)

    def summary(self) -> str:
        """Say it in a line."""
        found = f"{self.graded.title.lower()}: {len(self.matrix.killed):,} of {len(self.matrix.kills):,} mutants killed"
        if not self.graded.survivors:
            return found
        reach = len(self.reviewed) - self.equivalent
        return (
            f"{found}, {self.equivalent} equivalent, {reach} out of reach: {self.rate:.2%} of what is another program"
        )

    def to_json(self) -> dict[str, Any]:
        """Return it for a report."""
        return {
            "graded": self.graded.name,
            "mutants": len(self.matrix.kills),
            "killed": len(self.matrix.killed),
            "equivalent": self.equivalent,
            "rate": round(self.rate, 6),
            "smoke": len(self.matrix.smoke),
            "again": self.again,
            "problems": list(self.problems),
        }


def judge(graded: Graded, matrix: Matrix) -> KillReport:
    """Compare a matrix with the core, with what it grades and with the reviewed survivors, without running anything."""
    reviewed = read_survivors(spec_root() / graded.survivors) if graded.survivors else {}
    report = KillReport(graded, matrix, reviewed, ())
    return evolve(report, problems=tuple(_problems(report)))


def _problems(report: KillReport) -> Iterator[str]:
    matrix, reviewed, graded = report.matrix, report.reviewed, report.graded
    again = f"run `linera-reference kills {graded.name} --write`"
    if matrix.core != core_digest():
        yield f"{graded.file}: made for another core: {again}"
    if matrix.digest != probes_digest(graded.probes()):
        yield f"{graded.file}: made for other {graded.name}: {again}"
    if graded.survivors:
        yield from (f"{name}: survives without a reviewed reason" for name in matrix.survivors if name not in reviewed)
    yield from (f"{name}: reviewed as a survivor, and is none" for name in sorted({*reviewed} - {*matrix.survivors}))
    if report.rate < graded.least_rate:
        yield f"{graded.file}: {report.rate:.2%} of the mutants are killed, expected {graded.least_rate:.0%} at least"
    if len(matrix.smoke) > MOST_SMOKE:
        yield f"{graded.file}: {len(matrix.smoke)} probes in the smoke subset, expected {MOST_SMOKE} at most"
    missed = [mutant for mutant in matrix.killed if not {*matrix.kills[mutant]} & {*matrix.smoke}]
    yield from (f"{mutant}: not killed by the smoke subset" for mutant in missed)


def check(graded: Graded, sample: int, seed: int, workers: int, progress: Progress = silent) -> KillReport:
    """Judge the committed matrix, and run a seeded sample of its mutants again.

    A killed mutant must be killed by what killed it before; a survivor must survive the smoke subset.
    """
    matrix = read_matrix(graded)
    report = judge(graded, matrix)
    known = [mutant.id for mutant in all_mutants() if mutant.id in matrix.kills]
    chosen = sorted(random.Random(seed).sample(known, min(sample, len(known))))  # noqa: S311 - a sample, no secret
    probes = tuple(graded.probes())
    place = {probe.id: i for i, probe in enumerate(probes)}
    tried = {m: [place[name] for name in matrix.kills[m] or matrix.smoke if name in place] for m in chosen}
    suite = Suite(probes, graded.enough, Coverage((0.0,) * len(probes), {}))
    found = grades(suite, chosen, workers, progress, tried)
    flips = [grade for grade in found if bool(grade.killers) != bool(matrix.kills[grade.mutant])]
    problems = (
        f"{g.mutant}: {'killed now' if g.killers else 'not killed any more'}: the matrix is stale" for g in flips
    )
    return evolve(report, problems=(*report.problems, *problems), again=len(chosen))


def make(graded: Graded, workers: int, progress: Progress = silent) -> KillReport:
    """Make the whole matrix, and write its file."""
    matrix = make_matrix(graded, workers, progress)
    write_atomically(spec_root() / graded.file, document_of(graded.name, matrix))
    return judge(graded, matrix)

"""A conformance run: which vectors, through which harness, what came out, and the reports about it."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from attrs import field, frozen

from linera_invariants.ci_reports import Check, Status, junit, markdown, sarif
from linera_invariants.errors import UsageError
from linera_invariants.inputs import write_atomically
from linera_invariants.reports import Output, counted
from linera_invariants.vectors.model import Vector

from .copies import Fault, Options, Reply, Session, Task, run_harness
from .judge import Verdict, expected_or_not, judge
from .lists import OURS, read_expected_failures, read_mapping
from .suite import Choice, area_of, choose

Progress = Callable[[str], None]


@frozen(kw_only=True)
class Wish:
    """What a user asks for: a harness, vectors, what the implementer keeps, and how to run it all."""

    harness: str
    choice: Choice = field(factory=Choice)
    mapping: Path | None = None
    expected_failures: Path | None = None
    options: Options = field(factory=Options)


@frozen
class ConformReport:
    """What a harness did with vectors."""

    session: Session
    verdicts: tuple[tuple[Vector, Verdict], ...]

    @property
    def counts(self) -> Counter[Status]:
        """How many vectors ended how."""
        return Counter(verdict.status for _, verdict in self.verdicts)

    @property
    def holds(self) -> bool:
        """Whether nothing is bad, and something was established."""
        bad = self.session.problems or any(status.is_bad for status in self.counts)
        return not bad and self.counts[Status.PASSED] > 0

    def coarse(self) -> list[str]:
        """Return the error names that passed although they stand for several reasons."""
        passed = (verdict.coarse for _, verdict in self.verdicts if verdict.status is Status.PASSED)
        return sorted({name for names in passed for name in names})

    def rows(self) -> Iterator[tuple[str, Counter[Status]]]:
        """Yield the counts of each area."""
        for area in dict.fromkeys(area_of(vector.id) for vector, _ in self.verdicts):
            yield area, Counter(verdict.status for vector, verdict in self.verdicts if area_of(vector.id) == area)

    def checks(self) -> list[Check]:
        """Return what CI systems read."""
        problems = [
            Check(group="harness", name="protocol", status=Status.ERRORED, message=_fault_text(fault))
            for fault in self.session.problems
        ]
        return [*(_check(vector, verdict) for vector, verdict in self.verdicts), *problems]

    def summary(self) -> str:
        """Return the verdict in a line."""
        ended = ", ".join(f"{self.counts[status]:,} {status.value}" for status in Status if self.counts[status])
        verdict = "conforms as far as asked" if self.holds else "does NOT conform"
        if not self.holds and not self.session.problems and not any(status.is_bad for status in self.counts):
            verdict = "nothing was established"
        return f"{self.name}: {verdict}: {ended}"

    @property
    def name(self) -> str:
        """What the harness says that it is."""
        told = self.session.implementation
        return f"{told['name']} {told['version']} ({told['language']})" if told else "the harness"

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        session = self.session
        return {
            "holds": self.holds,
            "implementation": session.implementation,
            "operations": list(session.operations),
            "restarts": session.restarts,
            "problems": [_fault_text(fault) for fault in session.problems],
            "coarse": self.coarse(),
            "areas": [{"area": area, **_counted(counts)} for area, counts in self.rows()],
            "vectors": [_row(vector, verdict) for vector, verdict in self.verdicts],
        }


def conform(wish: Wish, progress: Callable[[int], Progress], root: Path | None = None) -> ConformReport:
    """Run vectors through a harness; ``progress`` is told how many, then of each. Raises: UsageError."""
    mapping = OURS if wish.mapping is None else read_mapping(wish.mapping)
    suite = choose(wish.choice, wish.expected_failures is not None, root)
    listed = {} if wish.expected_failures is None else read_expected_failures(wish.expected_failures, suite.known)
    vectors, found = suite.vectors, dict[int, Verdict]()
    done = progress(len(vectors))

    def reply(place: int, answer: Reply) -> None:
        vector = vectors[place]
        found[place] = expected_or_not(judge(vector, answer, mapping), listed.get(vector.id))
        done(vector.id)

    session = run_harness(wish.harness, [task_of(vector) for vector in vectors], wish.options, reply)
    return ConformReport(session, tuple((vector, found[place]) for place, vector in enumerate(vectors)))


def task_of(vector: Vector) -> Task:
    """Return the request that a vector makes."""
    return Task(vector.id, vector.operation, lambda: vector.arguments)


# --- Reports -----------------------------------------------------------------------------------------------------


def _fault_text(fault: Fault) -> str:
    return "\n".join((fault.what, *(f"  stderr: {line}" for line in fault.stderr)))


def _lines(verdict: Verdict) -> tuple[str, ...]:
    return (*verdict.differences, *(f"stderr: {line}" for line in verdict.stderr))


def _check(vector: Vector, verdict: Verdict) -> Check:
    return Check(
        group=area_of(vector.id),
        name=vector.id,
        status=verdict.status,
        message="\n".join((verdict.what, *(f"  {line}" for line in _lines(verdict)))),
        clauses=vector.clauses,
        sentence=vector.sentence,
    )


def _counted(counts: Counter[Status]) -> dict[str, int]:
    return {status.name.lower(): counts[status] for status in Status}


def _row(vector: Vector, verdict: Verdict) -> dict[str, Any]:
    row = {
        "id": vector.id,
        "status": verdict.status.name.lower(),
        "what": verdict.what,
        "differences": list(verdict.differences),
        "coarse": list(verdict.coarse),
        "stderr": list(verdict.stderr),
    }
    return {key: value for key, value in row.items() if value or key in {"id", "status"}}


def write_reports(report: ConformReport, files: dict[str, Path | None]) -> None:
    """Write the files that were asked for, by kind. Raises: InputError."""
    makers: dict[str, Callable[[], bytes]] = {
        "junit": lambda: junit(report.checks()),
        "sarif": lambda: sarif(report.checks()),
        "markdown": lambda: page_of(report).encode("utf-8", "backslashreplace"),
    }
    for kind, file in files.items():
        if file is not None:
            write_atomically(file, makers[kind]())


def check_files(files: dict[str, Path | None]) -> None:
    """Accept report files that do not overwrite one another. Raises: UsageError."""
    places = [file.resolve() for file in files.values() if file is not None]
    if len(set(places)) < len(places):
        raise UsageError(f"--{', --'.join(files)}: expected files of their own")


def page_of(report: ConformReport) -> str:
    """Return the Markdown summary."""
    coarse = report.coarse()
    notes = [f"Error names that stand for several reasons: {', '.join(coarse)}."] if coarse else []
    return markdown(report.summary(), report.checks(), notes)


def show(output: Output, report: ConformReport) -> None:
    """Tell what came out."""
    shown = [status for status in Status if status is Status.PASSED or report.counts[status]]
    rows = ((area, *(counts[status] for status in shown)) for area, counts in report.rows())
    if not output.quiet:
        output.table("Conformance", ("area", *(status.value for status in shown)), rows)
    for vector, verdict in report.verdicts:
        if verdict.status.is_bad:
            output.say(f"{vector.id}: {verdict.status.value}: {verdict.what}", style="red")
            for line in _lines(verdict):
                output.tell(f"  {line}")
        elif output.verbose and verdict.status in {Status.SKIPPED, Status.EXPECTED}:
            output.tell(f"{vector.id}: {verdict.status.value}: {verdict.what}")
    for fault in report.session.problems:
        output.say(f"harness: {_fault_text(fault)}", style="red")
    if coarse := report.coarse():
        output.tell(f"{counted(len(coarse), 'error name')} for several reasons: {', '.join(coarse)}", style="yellow")
    if report.session.restarts:
        output.tell(f"the harness was started again {counted(report.session.restarts, 'time')}", style="yellow")
    output.say(report.summary(), style="bold")

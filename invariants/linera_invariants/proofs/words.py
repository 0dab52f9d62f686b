"""A report about proofs in words: the rows of the table, what failed with its countermodel, and the sum of it."""

from collections.abc import Iterator

from linera_invariants.reports import counted

from .entries import theorems
from .gate import Gate, complaints
from .prover import Answered, ProveReport, Proving, Verdict


def entry_rows(report: ProveReport, verbose: bool) -> Iterator[tuple[object, ...]]:
    """Yield a row for each entry; in detail, one for each query below it."""
    for name, verdict in report.verdicts().items():
        found, kind = report.proved.get(name), theorems()[name].kind
        yield (name, kind, verdict.value, *(_amounts(found) if found else ("",) * 4))
        if verbose and found:
            yield from _query_rows(found)


def _amounts(found: Proving) -> tuple[object, ...]:
    times = (_time(found.seconds(solver)) for solver in ("z3", "cvc5"))
    return (len(found.asked), *times, _gate_word(found.name, found.gate))


def _query_rows(found: Proving) -> Iterator[tuple[object, ...]]:
    for asked in found.asked:
        times = {answer.solver: _time(answer.seconds) for answer in asked.answers}
        word = "holds" if asked.holds else "fails"
        yield (
            "  " + asked.name,
            "witness" if asked.is_witness else "",
            word,
            "",
            times.get("z3", ""),
            times.get("cvc5", ""),
        )


def _time(seconds: float) -> str:
    return f"{seconds:.2f}" if seconds else ""


def _gate_word(name: str, gate: Gate | None) -> str:
    """Say what the gate found: the worst first."""
    if gate is None:
        return ""
    if any(complaints(theorems()[name], gate)):
        return "VACUOUS"
    unsure = len(gate.undetermined) + sum(need == "undetermined" for need in gate.hypotheses.values())
    words = [f"{len(gate.unneeded)} unneeded"] if gate.unneeded else []
    return ", ".join([*words, *([f"{unsure} unsure"] if unsure else [])]) or "ok"


def gate_lines(report: ProveReport, verbose: bool) -> Iterator[str]:
    """Name the hypotheses that a proof could do without; in detail, also what the gate could not decide."""
    for name, gate in ((name, found.gate) for name, found in report.proved.items() if found.gate is not None):
        yield from (f"{name}: the proof does not need {hypothesis}" for hypothesis in gate.unneeded)
        if verbose:
            unsure = [hypothesis for hypothesis, need in gate.hypotheses.items() if need == "undetermined"]
            yield from (f"{name}: undetermined whether it needs {hypothesis}" for hypothesis in unsure)
            yield from (f"{name}: undetermined whether it is vacuous: {query}" for query in gate.undetermined)


def failure_lines(report: ProveReport) -> Iterator[str]:
    """Say what failed, with the values of countermodels indented below."""
    yield from report.problems
    for name, what, answer in report.failures():
        yield f"{name}: {what}"
        yield from _countermodel(answer)


def _countermodel(answer: Answered | None) -> Iterator[str]:
    for name, value in (answer.model if answer else {}).items():
        yield f"    {name} = {value}"


def summary(report: ProveReport) -> str:
    """Return the last line."""
    verdicts = list(report.verdicts().values())
    counts = [f"{verdicts.count(verdict)} {verdict.value}" for verdict in Verdict if verdict in verdicts]
    alone = "" if len(report.solvers) > 1 or not report.holds else ", not called Proved: that takes both solvers"
    head = "every theorem holds" if report.holds else "not everything is proved" if report.complete else "PARTIAL"
    seeds = f", {counted(report.seeds, 'seed')}" if report.seeds > 1 else ""
    return f"{head}: {', '.join(counts)}{alone} ({report.seconds:.1f} s{seeds})"

"""The command line of the explorer: live progress, a table of what came out, and the shortest attack as a story."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

from linera_invariants.errors import UsageError
from linera_invariants.inputs import write_atomically
from linera_invariants.processes import worker_pool
from linera_invariants.reports import HOLDS, INTERRUPTED, PATIENCE, UNUSABLE, VIOLATED, Output, counted, document
from linera_invariants.traces import write_trace

from .bounds import memory
from .explore import PARTIAL, Options, Report, explore
from .model import Model, long_models, read_model, shipped_models

CODES = {"interrupted": INTERRUPTED, "incomplete": UNUSABLE}


def models_named(names: Sequence[str], everything: bool) -> list[Path]:
    """Return the files that a command line names. Raises: UsageError."""
    paths = [find_model(name) for name in names] + (shipped_models() if everything else [])
    if not paths:
        raise UsageError("expected a model, or --all")
    return paths


def explore_files(
    output: Output, paths: Sequence[Path], options: Options, json_file: Path | None, trace: Path | None, workers: int
) -> int:
    """Explore models, so many at a time, and write what came out. Raises: UsageError."""
    if trace is not None and len(paths) > 1:
        raise UsageError("--trace: expected one model")
    models = [read_model(path) for path in paths]
    reports: list[Report] = []
    alone = min(workers, len(models)) == 1
    found = one_by_one(output, models, options) if alone else side_by_side(models, paths, options, workers)
    for report in found:
        reports.append(report)
        show(output, report)
        if report.verdict == "interrupted":
            break
    if len(models) > 1:
        show_table(output, reports)
    code = max((CODES.get(r.verdict, HOLDS if r.holds else VIOLATED) for r in reports), default=HOLDS)
    if trace is not None:
        save_trace(output, reports[0], trace)
    documents = [report.to_json() for report in reports]
    if output.as_json:
        output.document("explore", code, models=documents)
    if json_file is not None:
        write_atomically(json_file, document("explore", code, models=documents).encode())
    return code


def one_by_one(output: Output, models: Sequence[Model], options: Options) -> Iterator[Report]:
    """Explore models in turn, with live progress."""
    for model in models:
        with live(output, model) as progress:
            report = explore(model, options, progress)
        yield report


def side_by_side(models: Sequence[Model], paths: Sequence[Path], options: Options, workers: int) -> Iterator[Report]:
    """Explore models in worker processes; they come in the order in which they were named."""
    with worker_pool(min(workers, len(models))) as pool:
        found = pool.imap(partial(explore_file, options), paths)
        for model in models:
            try:
                yield next(found)
            except KeyboardInterrupt:
                yield Report(model, verdict="interrupted", reason=PARTIAL)


def explore_file(options: Options, path: Path) -> Report:
    """Explore one model in a worker process."""
    return explore(read_model(path), options)


def find_model(name: str) -> Path:
    """Return the file of this path, or the shipped model of this name. Raises: UsageError."""
    shipped = {path.stem: path for path in (*shipped_models(), *long_models())}
    path = shipped.get(name, Path(name))
    if path.suffix or path.exists():
        return path
    close = get_close_matches(name, shipped, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(close)}?" if close else f"expected one of {', '.join(shipped)}"
    raise UsageError(f"{name!r}: no such file, and no shipped model of that name: {hint}")


@contextmanager
def live(output: Output, model: Model) -> Iterator[Callable[[Any], None]]:
    """Show how far a search is: on a terminal all the time, else a line now and then."""
    begin = last = time.monotonic()

    def line(search: Any) -> str:
        rate = search.kept / max(time.monotonic() - begin, 1e-6)
        return (
            f"{model.name}: {search.states:,} states, depth {search.depth}, frontier {search.waiting:,}, "
            f"{rate:,.0f}/s, {memory():,} MiB, {counted(search.dead_ends, 'dead end')}"
        )

    if not output.quiet and output.err.is_terminal:
        with output.err.status(f"{model.name}: local states", spinner="line") as status:
            yield lambda search: status.update(line(search))
        return

    def now_and_then(search: Any) -> None:
        nonlocal last
        if not output.quiet and time.monotonic() - last > PATIENCE:
            last = time.monotonic()
            output.warn(line(search))

    yield now_and_then


def show(output: Output, report: Report) -> None:
    """Write what came out of one model."""
    if report.attack is not None:
        output.tell(f"{report.model.title}\n", style="bold")
        if report.model.sentence:
            output.tell(f"   without the rule: {report.model.sentence}")
        for text in report.attack.story:
            output.tell(text)
        output.tell(f"   !! {report.attack.statement}: {report.attack.detail}\n")
    output.say(f"{report.model.name}: {summary(report)}", style=None if report.holds else "red")
    if report.note:
        output.say(f"  {report.note}")
    for problem in report.problems:
        output.say(f"  {problem}", style="red")


def summary(report: Report) -> str:
    """Say in one line what came out, and what it cost."""
    found = report.verdict.upper() if not report.holds else report.verdict
    if report.attack is not None:
        found += f" ({report.attack.statement} after {counted(report.attack.length, 'step')})"
    facts = [counted(report.states, "state"), f"depth {report.depth}", counted(report.choices, "choice") + " of faults"]
    facts += [counted(report.kept, "row") + " kept", f"{report.locals:,} local", f"{report.calls:,} calls"]
    return f"{found}; {', '.join(facts)}; {report.seconds:.1f} s, {report.memory:,} MiB"


def show_table(output: Output, reports: Sequence[Report]) -> None:
    """Write what was expected of each model against what was found."""
    rows = []
    for report in reports:
        expect, attack = report.model.expect, report.attack
        states, depth = (report.states, report.depth) if attack is None else (None, attack.length)
        expected = outcome(expect.violates or expect.verdict, expect.states, expect.depth)
        found = outcome(report.verdict if attack is None else attack.statement, states, depth)
        passed = "yes" if report.holds else "NO"
        rows.append((report.model.name, expected, found, f"{report.seconds:.1f}", passed))
    output.table("Models: expected against found", ("model", "expected", "found", "s", "ok"), rows)


def outcome(verdict: str, states: int | None, depth: int | None) -> str:
    """Say what came out, or should."""
    return f"{verdict}{'' if depth is None else f' ({depth})'}{'' if states is None else f' {states:,}'}"


def save_trace(output: Output, report: Report, path: Path) -> None:
    """Write the trace of the attack, if there is one."""
    if report.attack is None:
        output.warn(f"{path}: no attack was found, so nothing was written")
        return
    write_trace(path, report.attack.trace)

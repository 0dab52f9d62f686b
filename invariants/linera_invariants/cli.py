"""The command line: `linera-reference COMMAND`.

Exit codes: 0 what was asked holds; 1 a violation or divergence was found, or a figure missed its bound; 2 the input or
the usage is wrong, or the result cannot be written; 130 interrupted; 141 nobody reads the result. Results go to
standard output, everything else to standard error. With `--json`, standard output carries exactly one JSON document
(spec/schemas/report.schema.json).
"""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from difflib import get_close_matches
from functools import wraps
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, ParamSpec

import typer

from . import __version__
from .errors import UsageError
from .reports import HOLDS, INTERRUPTED, UNUSABLE, VIOLATED, Output, counted

if TYPE_CHECKING:
    from .audit_files import AuditResult
    from .play import Run, ScenarioResult
    from .proofs.code_mutants import ProofMutants
    from .proofs.prover import ProveReport
    from .verify import VerifyReport

P = ParamSpec("P")

UNREAD = 141
"""Exit code of a program that a broken pipe ends: 128 + SIGPIPE."""

app = typer.Typer(
    name="linera-reference",
    help="An executable, machine-checked specification of the Linera multi-chain protocol.",
    epilog="Exit codes: 0 holds, 1 a violation or divergence was found, 2 the input or the usage is wrong, "
    "130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
vectors = typer.Typer(help="Test vectors.", no_args_is_help=True)
app.add_typer(vectors, name="vectors")
traces = typer.Typer(help="Trace files.", no_args_is_help=True)
app.add_typer(traces, name="trace")

Json = Annotated[bool, typer.Option("--json", help="Write one JSON document.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Write the verdict only, and no progress.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Write every detail.")]
Jobs = Annotated[int | None, typer.Option("--jobs", "-j", min=1, max=64, help="Cores to use (default: all).")]


class Done(SystemExit):
    """A command has ended, and has written what it had to write."""


def guarded(command: Callable[P, int]) -> Callable[P, None]:
    """Turn what a command returns into an exit code, and what a user did wrong into one message."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        flags: dict[str, Any] = kwargs
        try:
            code = command(*args, **kwargs)
        except (UsageError, FileNotFoundError) as error:
            code = fail(flags, command.__name__, UNUSABLE, str(error), error)
        except KeyboardInterrupt as error:
            code = fail(flags, command.__name__, INTERRUPTED, "interrupted: partial result, not a pass", error)
        raise Done(code)

    return run


def fail(flags: dict[str, Any], command: str, code: int, message: str, error: BaseException) -> int:
    """Say why a command has no result."""
    output = Output(flags.get("as_json") in {True, STDOUT})
    output.complain(message)
    if output.as_json:
        place = {name: getattr(error, name) for name in ("file", "place", "expectation") if hasattr(error, name)}
        output.document(command, code, error={"message": message, **place})
    return code


# --- run ---------------------------------------------------------------------------------------------------------


@app.command()
@guarded
def run(
    scenarios: Annotated[list[str], typer.Argument(help="Scenario files, or names of shipped ones such as 01-tour.")],
    crypto: Annotated[str | None, typer.Option(help="ed25519 or ideal, instead of what the files say.")] = None,
    export_audit: Annotated[
        tuple[str, Path] | None,
        typer.Option(metavar="CHAIN FILE", help="Write a file for `audit` about one chain, if the run holds."),
    ] = None,
    trace: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a file for `trace show`.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Play scenarios, checking every predicate after every action, and tell what happened."""
    from .play import play_scenario
    from .scenarios import read_scenario
    from .traces import write_trace

    output = Output(as_json, quiet, verbose)
    check_choice("--crypto", crypto, ("ed25519", "ideal"))
    files = [read_scenario(scenario_file(name)) for name in scenarios]
    for option, value in (("--export-audit", export_audit), ("--trace", trace)):
        if value is not None and len(files) > 1:
            raise UsageError(f"{option}: expected one scenario")
    with output.progress("steps", sum(len(scenario.steps) for scenario in files)) as progress:
        runs = [play_scenario(scenario, crypto, progress) for scenario in files]
    results = [played.result() for played in runs]
    code = HOLDS if all(result.holds for result in results) else VIOLATED
    if export_audit is not None and code == HOLDS:
        write_audit(runs[0], *export_audit)
    if trace is not None:
        write_trace(trace, runs[0].trace())
    for result in results:
        show_scenario(output, result)
    if output.as_json:
        output.document("run", code, scenarios=[result.to_json() for result in results])
    return code


def scenario_file(name: str) -> Path:
    """Return the file that a word means."""
    from .scenarios import find_scenario, shipped_scenarios

    path = find_scenario(name)
    if path.suffix or path.exists():
        return path
    close = get_close_matches(name, [shipped.stem for shipped in shipped_scenarios()], n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(close)}?" if close else "expected one like 01-tour"
    raise UsageError(f"{name!r}: no such file, and no shipped scenario of that name: {hint}")


def check_choice(option: str, value: str | None, choices: Sequence[str]) -> None:
    """Accept one of some words."""
    if value is not None and value not in choices:
        raise UsageError(f"{option}: expected {' or '.join(choices)}, found {value!r}")


def show_scenario(output: Output, result: "ScenarioResult") -> None:
    """Tell one scenario and its verdict."""
    output.tell(f"{result.title}\n", style="bold")
    show_story(output, result.story)
    for found in (*result.violations, *result.unmet):
        output.say(f"step {found.step}: {found.what}", style="red")
    facts = f"{counted(result.actions, 'action')} judged, {counted(result.expectations, 'expectation')}"
    output.say(f"{result.name} ({result.crypto}): {'holds' if result.holds else 'VIOLATED'}, {facts}")
    output.tell()


def show_story(output: Output, story: Sequence[str]) -> None:
    """Tell a story, without the deliveries between chains unless every detail is asked for."""
    from .story import is_aside

    shown = [line for line in story if output.verbose or not is_aside(line)]
    for line in shown:
        output.tell(line)
    if len(shown) < len(story):
        hidden = counted(len(story) - len(shown), "message")
        output.tell(f"      ({hidden} between chains not shown: --verbose)", style="dim")
    output.tell()


def write_audit(played: "Run", chain: str, file: Path) -> None:
    """Export what is needed to audit a chain of a run."""
    from .audit_files import export_audit
    from .inputs import write_atomically
    from .scenarios import parse_chain

    driver = played.driver
    write_atomically(file, export_audit(driver.network, driver.world, parse_chain(chain), played.crypto))


# --- verify ------------------------------------------------------------------------------------------------------


@app.command()
@guarded
def verify(
    full: Annotated[bool, typer.Option("--full", help="Try many more examples, with real signatures too.")] = False,
    seed: Annotated[int | None, typer.Option(min=0, max=2**32, help="Seed of the machines.")] = None,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """The main job: scenarios, peer vectors, machines, broken variants; the verdict on each of the seven claims."""
    from .verify import DEFAULT_SEED
    from .verify import verify as verify_all

    output = Output(as_json, quiet, verbose)
    with ExitStack() as stack:

        def start(total: int) -> Callable[[str], None]:
            return stack.enter_context(output.progress("jobs", total))

        report = verify_all(full, DEFAULT_SEED if seed is None else seed, jobs, start)
    code = HOLDS if report.holds else VIOLATED
    if output.as_json:
        output.document("verify", code, result=report.to_json())
    show_verdicts(output, report)
    return code


def show_verdicts(output: Output, report: "VerifyReport") -> None:
    """Write the verdict table and the report."""
    from .verify import describe_runs

    rows = (
        (claim.name, claim.title, claim.verdict.value, " ".join(claim.supported_by), f"{claim.checked:,}")
        for claim in report.claims
    )
    output.table("The seven claims of section 3.3", ("", "claim", "verdict", "supported by", "checks"), rows)
    if output.verbose:
        statements = ((s.name, s.title, s.verdict.value, f"{s.checked:,}") for s in report.statements)
        output.table("Statements", ("", "statement", "verdict", "checks"), statements)
    for line in describe_runs(report):
        output.tell(line)
    for finding in report.findings:
        output.say(f"{finding.where}: {finding.what}", style="red")
        for line in finding.story:
            output.tell(line)
    verdict = "every claim holds as far as it was tested" if report.holds else "VIOLATED"
    output.say(f"\n{verdict} ({report.seconds:.0f} s, seed {report.seed})", style="bold")


# --- prove -------------------------------------------------------------------------------------------------------

STDOUT = "-"
"""The file name that stands for standard output."""


@app.command()
@guarded
def prove(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[THEOREM]...", help="Theorems, or statements that they prove.")
    ] = None,
    solver: Annotated[str, typer.Option(help="z3, cvc5 or both; only both together prove.")] = "both",
    seeds: Annotated[int, typer.Option(min=1, max=100, help="Ask under so many seeds of the solvers.")] = 1,
    export: Annotated[Path | None, typer.Option(metavar="DIR", help="Write the queries as SMT-LIB files.")] = None,
    gate: Annotated[bool, typer.Option(help="Look for proofs that are worth nothing.")] = True,
    mutants: Annotated[bool, typer.Option("--mutants", help="Break the proved functions: proofs must fail.")] = False,
    as_json: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write one JSON document (-: to standard output).")
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Prove theorems about the shipped functions, for committees and histories of any size, in Z3 and in cvc5."""
    from .proofs import missing_solvers
    from .proofs.entries import closure, select, theorems

    check_choice("--solver", solver, ("z3", "cvc5", "both"))
    if missing := missing_solvers(solver):
        raise UsageError(f"{' and '.join(missing)}: not installed: install linera-reference[proofs]")
    from .proofs.export import check_folder
    from .proofs.prover import Task
    from .proofs.prover import prove as prove_all
    from .proofs.queries import SOLVERS

    output, chosen = Output(as_json == STDOUT, quiet, verbose), closure(select(names or ()))
    if export is not None:
        check_folder(export)
    task = Task(solvers=tuple(s for s in SOLVERS if solver in {s, "both"}), seeds=seeds, gate=gate, texts=bool(export))
    with output.progress("entries", sum(theorems()[name].has_proof for name in chosen)) as progress:
        report = prove_all(chosen, task, progress)
    show_proofs(output, report)
    if not report.complete:
        output.complain("interrupted: partial result, not a pass")
    elif export is not None:
        write_queries(output, export, report)
    broken = break_functions(output, report.sound) if mutants and report.complete else None
    holds = report.holds and (broken is None or broken.holds)
    code = INTERRUPTED if not report.complete else HOLDS if holds else VIOLATED
    if as_json is not None:
        parts = {} if broken is None else {"mutants": broken.to_json()}
        write_document(output, as_json, "prove", code, result=report.to_json(), **parts)
    return code


def show_proofs(output: Output, report: "ProveReport") -> None:
    """Write the verdicts, and what failed."""
    from .proofs.words import entry_rows, failure_lines, gate_lines, summary

    columns = ("entry", "kind", "verdict", "queries", "z3 s", "cvc5 s", "gate")
    if not output.quiet:
        output.table("Theorems", columns, entry_rows(report, output.verbose))
    for line in gate_lines(report, output.verbose):
        output.tell(line, style="yellow")
    for line in failure_lines(report):
        output.say(line, style=None if line.startswith(" ") else "red")
    output.say(summary(report), style="bold")


def break_functions(output: Output, names: Sequence[str]) -> "ProofMutants":
    """Prove under mutants of the functions that some theorems speak of."""
    from .proofs.code_mutants import attacks, run_mutants

    tasks = attacks(names)
    with output.progress("mutants", len(tasks)) as progress:
        report = run_mutants(tasks, progress)
    for line in report.lines():
        output.say(line, style=None if line.startswith((" ", "code mutants")) else "red")
    return report


def write_queries(output: Output, folder: Path, report: "ProveReport") -> None:
    """Export the queries of a run."""
    from .proofs.export import export

    output.tell(f"{folder}: {export(folder, report.proved):,} queries written")


def write_document(output: Output, file: str, command: str, code: int, **content: Any) -> None:
    """Write the one JSON document of a command to a file or to standard output."""
    from .inputs import write_atomically
    from .reports import document

    if file == STDOUT:
        output.document(command, code, **content)
    else:
        write_atomically(Path(file), document(command, code, **content).encode())


# --- explore -----------------------------------------------------------------------------------------------------


@app.command()
@guarded
def explore(
    models: Annotated[list[str] | None, typer.Argument(help="Model files, or names of shipped ones.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Explore every shipped model.")] = False,
    reduction: Annotated[bool, typer.Option(help="Merge states that differ by a renaming of validators.")] = True,
    quick: Annotated[bool, typer.Option(help="Send only what is used: fewer states, same verdict.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Models that are explored at the same time.")] = 1,
    max_states: Annotated[int, typer.Option(min=1, help="States to keep, at most.")] = 10**9,
    max_memory: Annotated[int, typer.Option(metavar="MIB", min=64, help="Resident memory, at most.")] = 4096,
    as_json: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write one JSON document (-: to standard output).")
    ] = None,
    trace: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the attack that was found.")] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Visit every state of finite models, with the adversary inside; compare what comes out with what should."""
    from .explorer.bounds import Bounds
    from .explorer.command import explore_files, models_named
    from .explorer.explore import Options

    output = Output(as_json == STDOUT, quiet, verbose)
    paths = models_named(models or [], everything)
    options = Options(reduction, quick, Bounds(max_states, max_memory))
    file = None if as_json in {None, STDOUT} else Path(as_json)
    return explore_files(output, paths, options, file, trace, workers)


# --- audit -------------------------------------------------------------------------------------------------------


@app.command()
@guarded
def audit(
    files: Annotated[list[Path], typer.Argument(help="Audit files (spec/schemas/audit.schema.json).")],
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Audit chains from public evidence alone (Claim 5): verify and re-execute their certified blocks."""
    from .audit_files import audit as audit_one
    from .audit_files import read_audit

    output = Output(as_json, quiet, verbose)
    tasks = [(str(file), read_audit(file)) for file in files]
    with output.progress("certificates", sum(len(task.certificates) for _, task in tasks)) as progress:
        results = [audit_one(file, task, jobs, lambda count: progress("", count)) for file, task in tasks]
    code = HOLDS if all(result.holds for result in results) else VIOLATED
    if output.as_json:
        output.document("audit", code, audits=[result.to_json() for result in results])
    for result in results:
        show_audit(output, result)
        for sentence in result.trusted.sentences():
            output.tell(f"  {sentence}")
    return code


def show_audit(output: Output, result: "AuditResult") -> None:
    """Write what an audit established, or where it failed."""
    from .story import show_rejection

    checked = f"{counted(result.blocks, 'block')}, {counted(result.evidence, 'sender block')}"
    if result.rejected is not None:
        place = f"{result.file}: chain {result.chain}: {result.place}"
        output.say(f"{place}: {show_rejection(result.rejected)}", style="red")
    else:
        output.say(f"{result.file}: chain {result.chain}: established from {checked}")
        for name, value in ({} if result.audited is None else result.established(result.audited)).items():
            missing = "closed" if name == "owner" else "none"
            output.tell(f"  {name.replace('_', ' '):10}  {missing if value is None else value}")


# --- explain, matrix ---------------------------------------------------------------------------------------------


@app.command()
@guarded
def explain(
    words: Annotated[list[str], typer.Argument(metavar="ID", help="Clauses, decisions, lines, statements, reasons.")],
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Show clauses, statements, decisions, algorithm lines or reasons with everything that is linked to them."""
    from .explain import explain_all

    output = Output(as_json, quiet, verbose)
    results = explain_all(words)
    if output.as_json:
        output.document("explain", HOLDS, results=[found.to_json() for found in results])
        return HOLDS
    for found in results:
        if quiet:
            output.say(f"{found.id}: {found.title}")
        else:
            found.render(output.out)
    return HOLDS


@app.command()
@guarded
def matrix(
    check: Annotated[bool, typer.Option("--check", help="Fail on a gap: a clause without code or test, …")] = False,
    mutants: Annotated[bool, typer.Option("--mutants", help="Fail if no linked test notices a mutant.")] = False,
    changed: Annotated[bool, typer.Option("--changed", help="With --mutants: only what changed.")] = False,
    base: Annotated[str | None, typer.Option(help="With --mutants --changed: the revision to compare with.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Show the traceability table: clause, code, predicate, test."""
    from .matrix import build_matrix, check_matrix, render_problems

    output = Output(as_json, quiet, verbose)
    if (changed or base is not None) and not mutants:
        raise UsageError("--changed and --base: expected beside --mutants")
    found = build_matrix()
    problems = check_matrix(found) if check else []
    report = mutate(output, changed, base) if mutants else None
    failing = bool(problems) or (report is not None and bool(report.problems))
    code = VIOLATED if failing else HOLDS
    if output.as_json:
        parts = {"problems": [problem.to_json() for problem in problems]} if check else {}
        parts |= {} if report is None else {"mutants": report.to_json()}
        output.document("matrix", code, result=found.to_json(), **parts)
        return code
    if not quiet and not check and report is None:
        found.render(output.out)
    render_problems(problems, output.out)
    if report is not None:
        report.render(output.out)
    passed = "no gap found" if check or mutants else "--check looks for gaps"
    output.say("the matrix has gaps" if failing else f"{counted(len(found.rows), 'clause')}: {passed}")
    return code


def mutate(output: Output, changed: bool, base: str | None) -> Any:
    """Run linked tests under mutants."""
    from .matrix_mutants import run_matrix_mutants

    with output.progress("mutated functions", 0) as progress:

        def report(done: int, total: int, text: str = "") -> None:
            progress.total = total
            progress(text, done - progress.done)

        return run_matrix_mutants(changed, base, report)


# --- bench, vectors ----------------------------------------------------------------------------------------------


@app.command()
@guarded
def bench(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME", help="audit, explore, prove, scale or step; several are run in turn.")
    ],
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Measure, and print ratios against something measured in the same run. Exit code 1: a figure missed its bound."""
    from .bench import BENCHES

    output = Output(as_json, quiet, verbose)
    for name in names:
        check_choice("NAME", name, sorted(BENCHES))
    results = [BENCHES[name](lambda text: None if quiet else output.warn(text)) for name in names]
    code = HOLDS if all(result.holds for result in results) else VIOLATED
    if output.as_json:
        output.document("bench", code, benches=[result.to_json() for result in results])
    else:
        for result in results:
            result.render(output.out)
    return code


@vectors.command("peer")
@guarded
def peer(as_json: Json = False, quiet: Quiet = False, verbose: Verbose = False) -> int:
    """Replay the vectors derived from the public implementation's own tests."""
    from .peer import Status, replay_all

    output = Output(as_json, quiet, verbose)
    report = replay_all()
    code = HOLDS if report.holds else VIOLATED
    if output.as_json:
        rows = [{"id": r.vector, "name": r.name, "status": r.label, "reason": r.reason} for r in report.results]
        output.document("vectors peer", code, vectors=rows)
    columns = ("file", *(status.value for status in Status))
    if not quiet:
        counts = ((file, *(count[status] for status in Status)) for file, count in report.counts().items())
        output.table("Peer vectors", columns, counts)
    for result in report.results:
        if verbose or result.status is Status.FAILS:
            output.say(f"{result.vector}: {result.label}: {result.name}: {result.reason}".rstrip(": "))
    output.say(f"peer vectors: {'hold' if report.holds else 'DIVERGE'}")
    return code


# --- trace -------------------------------------------------------------------------------------------------------


@traces.command("show")
@guarded
def show(
    file: Annotated[Path, typer.Argument(help="A trace file (spec/schemas/trace.schema.json).")],
    html: Annotated[Path | None, typer.Option(metavar="OUT", help="Write a page to step through the run.")] = None,
    svg: Annotated[Path | None, typer.Option(metavar="OUT", help="Write a picture for documents.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Tell the run of a trace file, and draw it. Exit code 1: it ends in a violation."""
    from .inputs import write_atomically
    from .traces import page_of, read_trace, story_of, subtitle, svg_of

    output = Output(as_json, quiet, verbose)
    document = read_trace(file)
    outputs = [(out, draw) for out, draw in ((html, page_of), (svg, svg_of)) if out is not None]
    places = [path.resolve() for path in (file, *(out for out, _ in outputs))]
    if len(set(places)) < len(places):
        raise UsageError("--html and --svg: expected files of their own")
    for out, draw in outputs:
        write_atomically(out, draw(document).encode())
    events = document["events"]
    violated = [event["statement"] for event in events if event["event"] == "violation"]
    code, steps = VIOLATED if violated else HOLDS, sum(event["event"] == "step" for event in events)
    if output.as_json:
        written = [str(out) for out, _ in outputs]
        output.document("trace show", code, title=document["title"], steps=steps, violated=violated, written=written)
    output.tell(document["title"], style="bold")
    output.tell(subtitle(document), style="dim")
    if "broken" in document:
        output.tell(f"Broken rule: {document['broken']['sentence']}", style="red")
    output.tell()
    show_story(output, story_of(document))
    for out, _ in outputs:
        output.say(f"written: {out}")
    verdict = f"{', '.join(violated)} VIOLATED" if violated else "no violation"
    output.say(f"{counted(steps, 'step')}: {verdict}")
    return code


# --- the program -------------------------------------------------------------------------------------------------


def show_version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        Output().say(f"linera-reference {__version__}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """An executable, machine-checked specification of the Linera multi-chain protocol."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the program to its exit code; output that nobody reads or that cannot be written is no violation."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a poor terminal is no reason to fail
    try:
        code = invoke(given)
        sys.stdout.flush()
    except BrokenPipeError:
        code = UNREAD
        discard_output()
    except OSError as error:
        code = UNUSABLE
        discard_output()
        with suppress(OSError):
            Output().complain(str(error))
    raise SystemExit(code)


def invoke(given: list[str]) -> int:
    """Run a command. A wrong usage leaves one JSON document, too, where one was asked for. Raises: OSError."""
    try:
        app(given, prog_name="linera-reference")
    except Done as done:
        return int(done.code or HOLDS)
    except SystemExit as stop:
        if isinstance(stop.__context__, OSError):  # rich and typer turn a broken pipe into exit code 1
            raise stop.__context__ from None
        if stop.code == UNUSABLE and "--json" in given:
            message = "the usage is wrong: see standard error"
            Output(as_json=True).document("", UNUSABLE, error={"message": message})
        return int(stop.code or HOLDS)
    return HOLDS


def discard_output() -> None:
    """Let what is still buffered go nowhere, so that the interpreter does not fail on it at its end."""
    with suppress(OSError, ValueError), Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())

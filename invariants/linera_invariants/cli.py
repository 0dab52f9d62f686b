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
    from .conform.check import Finding as HarnessFinding
    from .evidence import Findings
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
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help="If a proof fails, look for an attack and write it.")
    ] = None,
    as_json: Annotated[
        str | None, typer.Option("--json", metavar="FILE", help="Write one JSON document (-: to standard output).")
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Prove theorems about the shipped functions, for committees and histories of any size, in Z3 and in cvc5."""
    from .proofs import missing_solvers
    from .proofs.entries import closure, select, theorems
    from .verify import has_numpy

    check_choice("--solver", solver, ("z3", "cvc5", "both"))
    if missing := missing_solvers(solver):
        raise UsageError(f"{' and '.join(missing)}: not installed: install linera-reference[proofs]")
    if trace is not None and not has_numpy():
        raise UsageError("--trace: numpy: not installed: install linera-reference[explorer]")
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
    if trace is not None:
        write_attack(output, trace, report)
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


def write_attack(output: Output, file: Path, report: "ProveReport") -> None:
    """Look for an attack where proofs failed: tell and write the first one that is found."""
    from .proofs.attacks import reachable_attack
    from .traces import write_trace

    attack = None if report.holds else reachable_attack()
    if attack is None:
        why = "no proof failed" if report.holds else "no attack was found in the shipped models"
        output.warn(f"{file}: {why}, so nothing was written")
        return
    output.say(f"{attack.statement} is violated after {counted(attack.length, 'step')}:", style="red")
    for text in (*attack.story, f"   !! {attack.statement}: {attack.detail}"):
        output.say(text)
    write_trace(file, attack.trace)


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
            shown = ", ".join(value) if isinstance(value, list) else value
            output.tell(f"  {name.replace('_', ' '):10}  {missing if value is None else shown}")


# --- evidence ----------------------------------------------------------------------------------------------------


@app.command()
@guarded
def evidence(
    files: Annotated[list[Path], typer.Argument(help="Evidence files, audit files or logs of one committee.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="The first file is a proof: check it; the others may answer it.")
    ] = False,
    out: Annotated[Path | None, typer.Option("-o", metavar="OUT", help="Write the proof, if there is one.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Charge validators that signed conflicting votes, and write a proof of it that anybody can check."""
    from .evidence import check_files, examine, proof_file, read_all_evidence
    from .inputs import write_atomically

    output = Output(as_json, quiet, verbose)
    if verify and out is not None:
        raise UsageError("--verify: expected no -o")
    if out is not None and out.resolve() in {file.resolve() for file in files}:
        raise UsageError("-o: expected a file of its own")
    found = check_files(files[0], files[1:]) if verify else examine(read_all_evidence(files))
    code = HOLDS if found.holds else VIOLATED
    written = [str(out)] if out is not None and found.holds else []
    if out is not None and found.holds:
        write_atomically(out, proof_file(found))
    if output.as_json:
        output.document("evidence", code, files=[str(file) for file in files], written=written, **found.to_json())
    show_findings(output, found)
    for file in written:
        output.say(f"written: {file}")
    output.say(("the proof holds: " if found.holds else "the proof FAILS: ") * verify + found.verdict())
    return code


def show_findings(output: Output, found: "Findings") -> None:
    """Write who is charged with what, and what is not attributed."""
    for charge in found.to_json()["charges"]:
        stands = "final" if charge["final"] else "stands until answered"
        output.tell(f"chain {charge['chain']}, height {charge['height']}: {charge['charge']} ({stands}):")
        for vote in charge["votes"]:
            output.tell(f"  {vote['kind'].lower():9}  {vote['block']} in round {vote['round']}")
        for key in charge["charged"]:
            output.tell(f"  validator  {key}", style="red")
    for remark in found.remarks:
        output.tell(remark)
    for sentence in found.sentences():
        output.tell(f"  {sentence}")


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


# --- kills -------------------------------------------------------------------------------------------------------


@app.command()
@guarded
def kills(
    what: Annotated[list[str] | None, typer.Argument(metavar="[vectors|checkers]...", help="Default: both.")] = None,
    make: Annotated[bool, typer.Option("--make", help="Run every mutant and write the matrix anew.")] = False,
    sample: Annotated[int, typer.Option(min=0, help="So many mutants are run again.")] = 200,
    seed: Annotated[int, typer.Option(min=0, max=2**32, help="Seed of the sample.")] = 0,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """The kill matrices: which vectors, and which checkers, notice which mutants of the core. A sample is run again."""
    from .grading import all_mutants
    from .kills import GRADED, check
    from .kills import make as make_anew

    output, reports = Output(as_json, quiet, verbose), []
    for word in what or ():
        check_choice("kills", word, sorted(GRADED))
    for name in what or GRADED:
        workers, total = jobs or os.cpu_count() or 1, len(all_mutants()) if make else sample
        with output.progress(f"{name}: mutants", total) as progress:
            if make:
                found = make_anew(GRADED[name], workers, progress)
            else:
                found = check(GRADED[name], sample, seed, workers, progress)
        reports.append(found)
        output.say(found.summary())
        if not make:
            output.tell(f"  {counted(found.again, 'mutant')} run again, seed {seed}")
        for problem in found.problems:
            output.say(problem, style="red")
        for mutant, survivor in found.reviewed.items() if verbose else ():
            output.say(f"  {mutant}: {survivor.why}: {survivor.sentence}")
    code = HOLDS if all(report.holds for report in reports) else VIOLATED
    if output.as_json:
        output.document("kills", code, matrices=[report.to_json() for report in reports])
    return code


# --- bench, vectors ----------------------------------------------------------------------------------------------


@app.command()
@guarded
def bench(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME", help="audit, conform, explore, prove, scale, step, …; several are run in turn."),
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


# --- conform -----------------------------------------------------------------------------------------------------


@app.command()
@guarded
def conform(
    harness: Annotated[str, typer.Option(metavar="COMMAND", help="A program that answers (HARNESS.md).")],
    check_harness: Annotated[
        bool, typer.Option("--check-harness", help="Check that it keeps to the protocol; judge no answer.")
    ] = False,
    area: Annotated[list[str] | None, typer.Option(help="Vectors of this area; may be repeated.")] = None,
    vector: Annotated[list[str] | None, typer.Option(metavar="ID", help="This vector; may be repeated.")] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="The few vectors that notice what all of them do.")] = False,
    mapping: Annotated[Path | None, typer.Option(metavar="FILE", help="What their error names mean.")] = None,
    expected_failures: Annotated[Path | None, typer.Option(metavar="FILE", help="Vectors known to fail.")] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="Copies of the harness.")] = 1,
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0.01, max=3600, help="For each answer.")] = 10.0,
    junit: Annotated[Path | None, typer.Option(metavar="FILE", help="Write JUnit XML.")] = None,
    sarif: Annotated[Path | None, typer.Option(metavar="FILE", help="Write SARIF.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a summary for a CI page.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Run the vectors through an implementation. Exit code 1: something failed, or nothing was established."""
    from .conform.check import check_harness as check
    from .conform.command import Wish, check_files, show, write_reports
    from .conform.command import conform as run_vectors
    from .conform.copies import Options
    from .conform.suite import Choice

    output, options = Output(as_json, quiet, verbose), Options(jobs=jobs, timeout=timeout)
    files = {"junit": junit, "sarif": sarif, "markdown": markdown}
    choice = Choice(tuple(area or ()), tuple(vector or ()), smoke)
    with ExitStack() as stack:

        def start(total: int) -> Callable[[str], None]:
            return stack.enter_context(output.progress("requests", total))

        if check_harness:
            if choice != Choice() or mapping or expected_failures or any(files.values()):
                raise UsageError("--check-harness: expected none of the options that choose or judge vectors")
            return show_harness(output, check(harness, options, start))
        check_files(files)
        wish = Wish(
            harness=harness, choice=choice, mapping=mapping, expected_failures=expected_failures, options=options
        )
        report = run_vectors(wish, start)
    write_reports(report, files)
    code = HOLDS if report.holds else VIOLATED
    if output.as_json:
        output.document("conform", code, result=report.to_json())
    show(output, report)
    return code


def show_harness(output: Output, found: Sequence["HarnessFinding"]) -> int:
    """Tell how a harness keeps to its protocol."""
    code = HOLDS if all(finding.holds for finding in found) else VIOLATED
    if output.as_json:
        output.document("conform", code, checks=[finding.to_json() for finding in found])
    for finding in found:
        output.tell(f"{'ok ' if finding.holds else 'NO '} {finding.check}", style=None if finding.holds else "red")
        for line in finding.found:
            output.say(f"    {line}")
    output.say(f"the harness {'keeps to the protocol' if code == HOLDS else 'BREAKS the protocol'}", style="bold")
    return code


@vectors.command("build")
@guarded
def build_vectors(
    check: Annotated[bool, typer.Option("--check", help="Compare with the files on disk; write nothing.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Make the conformance vectors and their schemas. Exit code 1: a case went wrong, or a file differs (--check)."""
    from .vectors.model import AREAS, CaseError
    from .vectors.shipping import differing, shipped_files, write_files

    output, problems = Output(as_json, quiet, verbose), []
    try:
        with output.progress("areas", len(AREAS)) as progress:
            files = shipped_files(progress)
    except CaseError as error:
        files, problems = {}, [str(error)]
    changed = [str(path) for path in differing(files)]
    if check:
        problems += [f"{path}: differs from what the cases give" for path in changed]
    else:
        write_files(files)
    code = VIOLATED if problems else HOLDS
    if output.as_json:
        output.document("vectors build", code, changed=changed, problems=problems)
    for problem in problems:
        output.say(problem, style="red")
    for path in () if check else changed:
        output.tell(f"written: {path}")
    verdict = "nothing was written" if problems else "as the cases give them"
    output.say(f"{counted(len(files), 'file')} of vectors: {verdict}")
    return code


@vectors.command("show")
@guarded
def show_vectors(
    names: Annotated[list[str], typer.Argument(metavar="ID", help="Vectors by name, such as committee/make-four.")],
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Show vectors: what they say, the call, the expected answer. Long forms are cut, unless --verbose."""
    from attrs import asdict

    from .vectors.shipping import description, find_vectors

    output, found = Output(as_json, quiet, verbose), find_vectors(names)
    if output.as_json:
        output.document("vectors show", HOLDS, vectors=[asdict(vector) for vector in found])
    for vector in found:
        output.say(vector.id, style="bold")
        for line in description(vector, verbose):
            output.tell(f"  {line}")
    return HOLDS


@vectors.command("record")
@guarded
def record_run(
    what: Annotated[str, typer.Argument(metavar="machine|model|scenario", help="What to run.")],
    name: Annotated[str, typer.Argument(help="Which; of a model or a scenario a file, or the name of a shipped one.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="Where to write the run (JSON).")],
    goal: Annotated[str | None, typer.Option(help="Of a machine: the place to reach; a wrong one lists some.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=2**32, help="Of a machine (default 0).")] = None,
    trace: Annotated[Path | None, typer.Option(metavar="FILE", help="Also write a file for `trace show`.")] = None,
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Also draw a picture.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Record a run for vectors: a machine's up to a goal, the attack on a broken variant, or a scenario."""
    from .inputs import write_atomically
    from .traces import svg_of, write_trace
    from .vectors.record import record
    from .vectors.runs import trace_of_run, write_run

    output = Output(as_json, quiet, verbose)
    found = record(what, str(scenario_file(name)) if what == "scenario" else name, goal, seed)
    write_run(out, found)
    drawn = trace_of_run(found) if trace or svg else {}
    if trace is not None:
        write_trace(trace, drawn)
    if svg is not None:
        write_atomically(svg, svg_of(drawn).encode())
    written = [str(path) for path in (out, trace, svg) if path is not None]
    if output.as_json:
        output.document("vectors record", HOLDS, title=found.title, actions=len(found.actions), written=written)
    output.say(f"{found.title} {counted(len(found.actions), 'action')}")
    for path in written:
        output.tell(f"written: {path}")
    return HOLDS


@vectors.command("validate")
@guarded
def validate_files(
    files: Annotated[list[Path], typer.Argument(help="Files of vectors, mappings, lists of expected failures.")],
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Check files by themselves; vectors also against the reference."""
    from .conform.validate import validate

    output = Output(as_json, quiet, verbose)
    found = {str(file): validate(file) for file in files}
    if output.as_json:
        output.document("vectors validate", HOLDS, files=found)
    for file, what in found.items():
        output.tell(f"{file}: {what}")
    output.say(f"{counted(len(found), 'file')}: valid")
    return HOLDS


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


@traces.command("check")
@guarded
def check_traces(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Logs (see docs/logs.md), plain or gzip.")],
    signatures: Annotated[bool, typer.Option(help="Verify signatures; otherwise they are believed.")] = True,
    mapping: Annotated[Path | None, typer.Option(metavar="FILE", help="Which reasons your error names mean.")] = None,
    late: Annotated[int, typer.Option(min=1, max=10_000, help="Blocks that an unlogged delivery may be late.")] = 32,
    jobs: Annotated[int, typer.Option("--jobs", "-j", min=1, max=64, help="Processes; one shares most.")] = 1,
    picture: Annotated[Path | None, typer.Option(metavar="OUT", help="Write the last steps for `trace show`.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="OUT", help="Write the last steps as a page.")] = None,
    junit: Annotated[Path | None, typer.Option(metavar="OUT", help="Write JUnit XML.")] = None,
    sarif: Annotated[Path | None, typer.Option(metavar="OUT", help="Write SARIF.")] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="OUT", help="Write a summary for a CI page.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Replay logs of running validators through the reference, and compare validators."""
    from .conform.lists import OURS, read_mapping
    from .logs.check import Options, check_logs
    from .logs.command import check_places, show, to_json, write_reports

    output = Output(as_json, quiet, verbose)
    outputs = {"picture": picture, "html": html, "junit": junit, "sarif": sarif, "markdown": markdown}
    check_places(files, outputs)
    errors = OURS if mapping is None else read_mapping(mapping)
    options = Options(signatures, errors, late, picture is not None or html is not None)
    with output.progress("files", len(files)) as progress:
        report = check_logs(files, options, jobs, progress)
    written = write_reports(report, outputs)
    code = HOLDS if report.holds else VIOLATED
    if output.as_json:
        output.document("trace check", code, result=to_json(report), written=[str(file) for file in written])
    show(output, report)
    for path in written:
        output.tell(f"written: {path}")
    return code


@traces.command("record")
@guarded
def record_traces(
    scenarios: Annotated[list[str], typer.Argument(help="Scenario files, or names of shipped ones such as 01-tour.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Where to write a log per validator.")],
    deliveries: Annotated[bool, typer.Option(help="Log deliveries between chains of a validator.")] = True,
    states: Annotated[bool, typer.Option(help="Add state digests.")] = True,
    crypto: Annotated[str | None, typer.Option(help="ed25519 or ideal, instead of what the files say.")] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Play scenarios and write the logs that the correct validators would."""
    from .logs.record import Recording, logs_of, write_logs
    from .play import play_scenario
    from .scenarios import read_scenario

    output = Output(as_json, quiet, verbose)
    check_choice("--crypto", crypto, ("ed25519", "ideal"))
    files = [read_scenario(scenario_file(name)) for name in scenarios]
    runs = [play_scenario(scenario, crypto) for scenario in files]
    logs = [(played.scenario.name, logs_of(played, Recording(deliveries, states))) for played in runs]
    written = [path for name, found in logs for path in write_logs(out, name, found)]
    if output.as_json:
        output.document("trace record", HOLDS, written=[str(path) for path in written])
    for path in written:
        output.say(f"written: {path}")
    return HOLDS


@traces.command("mutate")
@guarded
def mutate_trace(
    file: Annotated[Path, typer.Argument(help="A log.")],
    fault: Annotated[str, typer.Option(help="What goes wrong; a wrong name lists all.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="Where to write the damaged log.")],
    seed: Annotated[int, typer.Option(min=0, max=2**32, help="Which event is damaged.")] = 0,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> int:
    """Damage a log in one place, to see that `trace check` notices."""
    from .logs.faults import FAULTS, damaged
    from .logs.record import write_log

    output = Output(as_json, quiet, verbose)
    check_choice("--fault", fault, sorted(FAULTS))
    done = damaged(file, fault, seed)
    write_log(out, done.data)
    if output.as_json:
        output.document("trace mutate", HOLDS, fault=fault, line=done.line, what=done.what, written=str(out))
    output.say(f"line {done.line}: {done.what}")
    return HOLDS


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

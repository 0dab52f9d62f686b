"""What ``trace check`` says and writes."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from linera_invariants.ci_reports import Check, Status, junit, markdown, sarif
from linera_invariants.errors import UsageError
from linera_invariants.inputs import write_atomically
from linera_invariants.registry import statements
from linera_invariants.reports import Output, counted
from linera_invariants.story import show_chain
from linera_invariants.traces import page_of, write_trace

from .across import Where
from .check import CheckReport, Clash, FileReport


def lines_about(file: FileReport) -> Iterator[str]:
    """Say how far a file was explained, and where it diverges."""
    if file.skipped:
        yield f"{file.path}: not checked: an earlier file of the same validator diverges"
        return
    if file.difference is None:
        inferred = f", {counted(file.delivered, 'unlogged delivery')}".replace("deliverys", "deliveries")
        yield f"{file.path}: {counted(file.events, 'event')} explained{inferred if file.delivered else ''}"
    else:
        yield f"{file.path}: line {file.difference.line}: expected {file.difference.expected}"
        yield f"  found     {file.difference.found}"
        yield f"  clause    {file.difference.clause}"
        yield from ([f"  known     {file.situation}"] if file.situation else [])
        yield from (f"  possible  {action}" for action in file.nearest)
    if file.truncated is not None:
        yield f"  line {file.truncated} is incomplete and was not read"


def lines_between(clash: Clash) -> Iterator[str]:
    """Say what two events show together."""
    conflict, guilty = clash
    statement = statements()[conflict.statement]
    yield f"{statement.id} is violated: {conflict.detail}"
    yield f"  {statement.title}: {statement.sentence}"
    yield from (f"  {_place(where)}" for where in conflict.places)
    yield from (f"  convicts {key.hex()}" for key in guilty)


def _place(where: Where) -> str:
    path, line = where
    return f"{path}, line {line}"


def checks_of(report: CheckReport) -> list[Check]:
    """Return what CI systems read: a check per file, and one per conflict."""
    return [*map(_file_check, report.files), *map(_clash_check, report.conflicts)]


def _file_check(file: FileReport) -> Check:
    status = Status.SKIPPED if file.skipped else Status.FAILED if file.difference else Status.PASSED
    clauses = (file.difference.clause,) if file.difference else ()
    return Check(
        group="logs",
        name=str(file.path),
        status=status,
        message="" if status is Status.PASSED else "\n".join(lines_about(file)),
        clauses=clauses,
        sentence="The reference explains every event.",
    )


def _clash_check(clash: Clash) -> Check:
    statement = statements()[clash[0].statement]
    return Check(
        group="validators",
        name=f"{statement.id}: {_place(clash[0].places[1])}",
        status=Status.FAILED,
        message="\n".join(lines_between(clash)),
        clauses=statement.clauses,
        sentence=statement.sentence,
    )


def to_json(report: CheckReport) -> dict[str, Any]:
    """Return plain data."""
    return {
        "holds": report.holds,
        "events": report.events,
        "window": report.window,
        "files": [_file_row(file) for file in report.files],
        "conflicts": [_clash_row(clash) for clash in report.conflicts],
    }


def _file_row(file: FileReport) -> dict[str, Any]:
    row: dict[str, Any] = {
        "file": str(file.path),
        "validator": file.validator.hex(),
        "events": file.events,
        "delivered": file.delivered,
        "skipped": file.skipped,
        "truncated": file.truncated,
    }
    found = file.difference
    if found is not None:
        row["divergence"] = {
            "line": found.line,
            "expected": found.expected,
            "found": found.found,
            "clause": found.clause,
            "chain": None if found.chain is None else show_chain(found.chain),
            "known": file.situation,
            "possible": list(file.nearest),
        }
    return row


def _clash_row(clash: Clash) -> dict[str, Any]:
    conflict, guilty = clash
    places = [{"file": str(path), "line": line} for path, line in conflict.places]
    row = {"statement": conflict.statement, "detail": conflict.detail, "places": places}
    return {**row, "convicted": [key.hex() for key in guilty]}


# --- Files -------------------------------------------------------------------------------------------------------


def check_places(logs: Sequence[Path], outputs: dict[str, Path | None]) -> None:
    """Accept outputs that overwrite neither a log nor one another. Raises: UsageError."""
    places = [path.resolve() for path in (*logs, *outputs.values()) if path is not None]
    if len(set(places)) < len(places):
        raise UsageError(f"FILE, --{', --'.join(outputs)}: expected files of their own")


def write_reports(report: CheckReport, files: dict[str, Path | None]) -> list[Path]:
    """Write the files that were asked for, by kind; a picture only if there is one. Raises: InputError."""
    checks, picture = checks_of(report), next((file.picture for file in report.files if file.picture), None)
    makers: dict[str, Callable[[Path], None]] = {
        "junit": lambda path: write_atomically(path, junit(checks)),
        "sarif": lambda path: write_atomically(path, sarif(checks)),
        "markdown": lambda path: write_atomically(path, markdown(report.summary(), checks).encode()),
    }
    if picture is not None:
        makers["picture"] = lambda path: write_trace(path, picture)
        makers["html"] = lambda path: write_atomically(path, page_of(picture).encode())
    wanted = [(makers[kind], file) for kind, file in files.items() if file is not None and kind in makers]
    for make, file in wanted:
        make(file)
    return [file for _, file in wanted]


def show(output: Output, report: CheckReport) -> None:
    """Tell what came out."""
    for file in report.files:
        head, *rest = lines_about(file)
        say = output.tell if file.difference is None else output.say
        say(head, style="red" if file.difference else None)
        for line in rest:
            output.tell(line)
    for clash in report.conflicts:
        head, *rest = lines_between(clash)
        output.say(head, style="red")
        for line in rest:
            output.tell(line)
    output.say(report.summary(), style="bold")

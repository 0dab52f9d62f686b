"""Do the linked tests notice? Run them under mutants of the rules.

A function and a test are linked by the clauses that both name. A link counts only if the test fails, by a failed check
and not by a crash, under some mutant of the function. Every clause that a test names must give it a link that counts,
and so must every clause that a function names. `spec/links.toml` excuses an exception, with its reason.
"""

import ast
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeAlias

from attrs import asdict, define, evolve, field, frozen
from rich.console import Console

from .clauses import SpecError, read_tables, shown
from .errors import UsageError
from .links import CodeLink, Test, helpers
from .matrix import Matrix, Problem, build_matrix
from .mutation import functions
from .sources import Function, Source, core_module, definitions, read_source

EXAMPLES: Final = 10
STEPS: Final = 15

Progress: TypeAlias = Callable[[int, int, str], None]
"""Called with the number of functions done, their number, and the last one."""


@frozen
class Link:
    """A function, a test, and what became of the mutants: ``killed`` names the one under which the test failed.

    Otherwise ``verdict`` says why not: `unreached` (the test does not call the function), `survived`, `crashed` (every
    mutant that the test noticed made the function crash), `stopped` (they ran out of time), `broken` (the test fails
    without a mutant).
    """

    function: str
    test: str
    clauses: tuple[str, ...]
    verdict: str
    killed: str | None
    tried: int


@frozen
class MutantReport:
    """What a run found. ``problems`` must be empty."""

    functions: int
    runs: int
    seconds: float
    base: str | None
    links: tuple[Link, ...]
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as data."""
        return {"format": 1} | asdict(self)

    def render(self, console: Console) -> None:
        """Print the figures, the links that do not count, and the problems."""
        counts = sum(link.killed is not None for link in self.links)
        base = f" changed since {self.base[:12]}" if self.base else ""
        console.print(
            f"{self.functions} functions{base}, {self.runs} test runs under mutants in {self.seconds:.0f} s:"
            f" {counts} of {len(self.links)} links count"
        )
        for problem in self.problems:
            console.print(f"  {problem}", markup=False, highlight=False, soft_wrap=True)
        if not self.problems:
            console.print("every linked rule has a mutant that a linked test notices, and every test notices one")


# --- What to run -------------------------------------------------------------------------------------------------


@frozen
class Scope:
    """The functions and tests whose links are in question."""

    functions: frozenset[str]
    tests: frozenset[str]


def linked_functions(matrix: Matrix) -> dict[str, CodeLink]:
    """Return the functions that implement clauses; those of a class that is marked as a whole count too."""
    marked = {link.name: link for link in matrix.code if link.clauses}
    links = {name: marked.get(name) or marked.get(name.rpartition(".")[0]) for name in functions()}
    return {name: evolve(link, name=name, kind="function") for name, link in links.items() if link is not None}


def linked_pairs(matrix: Matrix, scope: Scope) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the links in question: (function, test) and the clauses that both name."""
    pairs = {}
    for name, link in linked_functions(matrix).items():
        for test in matrix.tests:
            shared = tuple(clause for clause in link.clauses or () if clause in test.clauses)
            if shared and (name in scope.functions or test.name in scope.tests):
                pairs[name, test.name] = shared
    return pairs


def run_matrix_mutants(
    changed: bool = False,
    base: str | None = None,
    progress: Progress | None = None,
    matrix: Matrix | None = None,
    workers: int | None = None,
) -> MutantReport:
    """Run the linked tests under mutants of the rules; ``changed`` limits this to what differs from a base revision.

    Raises:
        UsageError: ``base`` is no revision, there are no tests here, or the tests cannot be collected.
    """
    start = time.monotonic()
    matrix = matrix or build_matrix()
    if not matrix.tests:
        raise UsageError("mutants need the tests of the repository: run this in a checkout")
    if find_spec("pytest") is None:
        raise UsageError("mutants need pytest: install linera-reference[dev]")
    revision = base_revision(matrix.spec.root.parent, base) if changed or base else None
    scope = scope_since(matrix, revision)
    pairs = linked_pairs(matrix, scope)
    jobs: dict[str, list[str]] = {}
    for function, test in pairs:
        jobs.setdefault(function, []).append(test)
    runs = _Runs()
    if jobs:
        runs.collect(_events(matrix.spec.root.parent, jobs, workers or os.cpu_count() or 1), len(jobs), progress)
    links = tuple(runs.link(function, test, clauses) for (function, test), clauses in pairs.items())
    problems = tuple(judge(matrix, scope, links))
    return MutantReport(len(jobs), runs.count, time.monotonic() - start, revision, links, problems)


def _events(root: Path, jobs: Mapping[str, list[str]], workers: int) -> Iterator[dict[str, Any]]:
    """Start the runner and yield what it reports."""
    plan = {"jobs": jobs, "workers": workers, "examples": EXAMPLES, "steps": STEPS}
    command = [sys.executable, "-m", f"{__package__}.mutant_runner"]
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(  # noqa: S603 - our own module
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=root
        ) as process,
    ):
        try:
            _send(process, plan)
            yield from map(json.loads, process.stdout or ())
            failed = process.wait() != 0
        finally:
            process.terminate()
        if failed:
            log.seek(0)
            yield {"event": "error", "message": log.read()[-2000:]}


def _send(process: "subprocess.Popen[str]", plan: Mapping[str, Any]) -> None:
    if process.stdin is not None:
        with suppress(BrokenPipeError), process.stdin:
            json.dump(plan, process.stdin)


@define
class _Runs:
    """What the runner reported so far."""

    baseline: dict[str, dict[str, Any]] = field(factory=dict)
    verdicts: dict[tuple[str, str], list[tuple[str, str]]] = field(factory=dict)
    count: int = 0

    def collect(self, events: Iterable[dict[str, Any]], total: int, progress: Progress | None) -> None:
        """Read all events, showing how far the run is."""
        done = 0
        for event in events:
            match event["event"]:
                case "error":
                    raise UsageError(f"the tests cannot be run:\n{event['message']}")
                case "baseline":
                    self.baseline[event["test"]] = event
                case "run":
                    self.count += 1
                    place = self.verdicts.setdefault((event["function"], event["test"]), [])
                    place.append((event["verdict"], event["mutant"]))
                case "done":
                    done += 1
                    if progress:
                        progress(done, total, event["function"])

    def link(self, function: str, test: str, clauses: tuple[str, ...]) -> Link:
        """Sum up what became of one link."""
        tried = self.verdicts.get((function, test), [])
        killers = [mutant for verdict, mutant in tried if verdict == "killed"]
        if killers:
            return Link(function, test, clauses, "killed", killers[0], len(tried))
        return Link(function, test, clauses, self._why(function, test, {v for v, _ in tried}), None, len(tried))

    def _why(self, function: str, test: str, verdicts: set[str]) -> str:
        run = self.baseline.get(test)
        if run is None or run["verdict"] != "passed":
            return "broken"
        if function not in run["functions"]:
            return "unreached"
        return next((verdict for verdict in ("crashed", "stopped") if verdict in verdicts), "survived")


# --- The verdict -------------------------------------------------------------------------------------------------


def judge(matrix: Matrix, scope: Scope, links: tuple[Link, ...]) -> Iterator[Problem]:
    """Yield a problem for each function and test in question that a clause of its own gives no link that counts."""
    excuses = read_excuses(matrix)
    needed: set[tuple[str, str]] = set()
    for name, record in _questioned(matrix, scope).items():
        for clause in record.clauses or ():
            own = [link for link in links if clause in link.clauses and name in (link.function, link.test)]
            if own and not any(link.killed for link in own):
                needed.add((name, clause))
                if (name, clause) not in excuses:
                    yield Problem("link-does-not-count", name, _message(name, clause, own), record.file, record.line)
    if scope.functions >= linked_functions(matrix).keys():
        yield from _stale(excuses, needed)


def _questioned(matrix: Matrix, scope: Scope) -> dict[str, CodeLink | Test]:
    tests: dict[str, CodeLink | Test] = {test.name: test for test in matrix.tests if test.name in scope.tests}
    return {name: link for name, link in linked_functions(matrix).items() if name in scope.functions} | tests


def _message(name: str, clause: str, links: list[Link]) -> str:
    """Say what was tried, and why it does not count."""
    rule = name == links[0].function
    verdicts = [link.verdict for link in links]
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts))
    tried = [link.test.rpartition("::")[2] if rule else link.function for link in links if link.verdict != "unreached"]
    who = f": {', '.join(tried[:4])}{' …' if len(tried) > 4 else ''}" if tried else ""
    what = "no test fails under its mutants" if rule else "fails under no mutant of a rule"
    return f"{name}: {clause}: {what} ({counts}{who})"


@frozen
class Excuse:
    """A reviewed exception: this function or test needs no link for this clause, because of the reason."""

    reason: str
    file: str
    line: int


def read_excuses(matrix: Matrix) -> dict[tuple[str, str], Excuse]:
    """Read `spec/links.toml`: tables `[[excused]]` with of (a function or test), clause and reason.

    Raises:
        SpecError: the list is malformed, or names something that does not exist.
    """
    path = matrix.spec.root / "links.toml"
    if not path.exists():
        return {}
    file = shown(matrix.spec.root, path)
    known = linked_functions(matrix).keys() | {test.name for test in matrix.tests}
    tables = read_tables(file, path.read_text(encoding="utf-8"), "excused")
    return dict(_excuse(file, line, table, known, matrix) for line, table in tables)


def _excuse(file: str, line: int, table: Any, known: Container[str], matrix: Matrix) -> tuple[tuple[str, str], Excuse]:
    match table:
        case {"of": str(name), "clause": str(clause), "reason": str(reason)} if reason and len(table) == 3:
            if name not in known or clause not in matrix.spec.clauses:
                raise SpecError(file, line, f"excuses {name!r} for {clause!r}, and one of them does not exist")
            return (name, clause), Excuse(reason, file, line)
    raise SpecError(file, line, 'expected of = "…", clause = "…" and reason = "…"')


def _stale(excuses: Mapping[tuple[str, str], Excuse], needed: set[tuple[str, str]]) -> Iterator[Problem]:
    for (name, clause), excuse in excuses.items():
        if (name, clause) not in needed:
            message = f"{name}: {clause}: excused, and a link counts now: remove the excuse"
            yield Problem("stale-excuse", name, message, excuse.file, excuse.line)


# --- What changed ------------------------------------------------------------------------------------------------


def base_revision(root: Path, base: str | None) -> str | None:
    """Return the commit to compare with: ``base``, else where this branch left origin/main, else the last commit.

    Returns ⊥ where there is none, as outside a checkout: then everything counts as changed.

    Raises:
        UsageError: ``base`` is no revision.
    """
    if base is not None:
        found = _git(root, "rev-parse", "--verify", "--quiet", f"{base}^{{commit}}")
        if found is None:
            raise UsageError(f"{base!r} is no revision of this repository")
        return found
    head = _git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    fork = _git(root, "merge-base", "HEAD", "origin/main")
    return fork if fork not in (None, head) else _git(root, "rev-parse", "--verify", "--quiet", "HEAD~1")


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=False)  # noqa: S603, S607
    except OSError:
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None


def scope_since(matrix: Matrix, revision: str | None) -> Scope:
    """Return the linked functions and the tests whose source differs from a revision; all for ⊥."""
    functions, tests = linked_functions(matrix), {test.name: test for test in matrix.tests if test.clauses}
    if revision is None:
        return Scope(frozenset(functions), frozenset(tests))
    root = matrix.spec.root.parent
    files = {test.file: read_source(root / test.file, Path(test.file).stem) for test in tests.values()}
    places = {name: (core_module(name.partition(":")[0]), name.partition(":")[2]) for name in functions}
    places |= {name: (files[test.file], ".".join(name.split("::")[1:])) for name, test in tests.items()}
    differing = {source: _changed_names(root, revision, source) for source in {source for source, _ in places.values()}}
    changed = {name for name, (source, own) in places.items() if _differs(source, own, differing[source])}
    return Scope(frozenset(changed & functions.keys()), frozenset(changed & tests.keys()))


def _differs(source: Source, name: str, changed: frozenset[str]) -> bool:
    """Whether a function changed, or its class, a helper that it reaches in its module, or a name that they use."""
    known, owner = dict(definitions(source.tree)), name.rpartition(".")[0]
    parts: list[ast.AST] = [known[part] for part in (name, *helpers(source, name))] if name in known else []
    # A machine is run by an assignment: TestInbox is the TestCase of InboxMachine.
    assigned = [node for node in source.tree.body if isinstance(node, ast.Assign)]
    parts += [node for node in assigned if ast.unparse(node.targets[0]) == owner]
    used = {node.id for part in parts for node in ast.walk(part) if isinstance(node, ast.Name)}
    return bool({name, owner, *used} & changed)


def _changed_names(root: Path, revision: str, source: Source) -> frozenset[str]:
    before = _git(root, "show", f"{revision}:./{os.path.relpath(source.path, root)}")
    old, new = _dumps(ast.parse(before or "")), _dumps(source.tree)
    changed = {name for name, dump in new.items() if old.get(name) != dump}
    return frozenset(changed | {name.rpartition(".")[0] for name in changed if "." in name})


def _dumps(tree: ast.Module) -> dict[str, str]:
    """Map each function of a module, and each assignment, to its tree without docstring."""
    found = {name: _dump(node) for name, node in definitions(tree) if isinstance(node, Function)}
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            found[ast.unparse(target)] = ast.dump(node)
    return found


def _dump(node: Function) -> str:
    body = node.body[ast.get_docstring(node, clean=False) is not None :]
    return " ".join(map(ast.dump, [*node.decorator_list, node.args, *body]))

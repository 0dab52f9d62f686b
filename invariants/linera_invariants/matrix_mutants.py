"""Do the linked tests notice? Run them under mutants of the rules and of the predicates.

A function and a test are linked by the clauses that both name; a predicate and a test, by the clauses of its statement.
A link counts only if the test fails under some mutant of the function: by a failed check, not by a crash that any use
would cause. Every clause of a rule needs a link that counts, and so do every predicate and every test.
`spec/links.toml` excuses exceptions, each with its reason.
"""

import ast
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeAlias

from attrs import asdict, define, field, frozen
from rich.console import Console

from .clauses import SpecError, read_tables, shown
from .errors import UsageError
from .links import Test, helpers
from .matrix import Matrix, Problem, build_matrix
from .mutation import functions
from .sources import Function, Source, definitions, module_source, read_source

EXAMPLES: Final = 10
STEPS: Final = 15

Progress: TypeAlias = Callable[[int, int, str], None]
"""Called with the number of functions done, their number as far as known, and the last one."""


@frozen
class Target:
    """A function under mutation: ``demands`` maps what must be noticed to the clauses that link a test to it.

    For a rule that is each of its clauses; for a predicate, its statement.
    """

    name: str
    demands: Mapping[str, tuple[str, ...]]
    file: str
    line: int

    def shared(self, test: Test) -> tuple[str, ...]:
        """Return the demands that a test is linked to."""
        return tuple(demand for demand, clauses in self.demands.items() if set(clauses) & set(test.clauses))


@frozen
class Link:
    """A function, a test, what links them, and what became of it: ``killed`` names the mutant that the test noticed.

    Otherwise ``verdict`` says why there is none: `unreached` (the test does not call the function), `untried` (both
    have other links that count), `survived`, `crashed` (the mutants that the test noticed made the function crash),
    `stopped` (they ran out of time), `broken` (the test fails without a mutant).
    """

    function: str
    test: str
    by: tuple[str, ...]
    verdict: str
    killed: str | None
    tried: int


@frozen
class MutantReport:
    """What a run found. ``problems`` must be empty."""

    functions: int
    tests: int
    runs: int
    seconds: float
    base: str | None
    links: tuple[Link, ...]
    problems: tuple[Problem, ...]

    def to_json(self) -> dict[str, Any]:
        """The report as data."""
        return {"format": 1} | asdict(self)

    def render(self, console: Console) -> None:
        """Print the figures and the problems."""
        counts = sum(link.killed is not None for link in self.links)
        base = f" (changed since {self.base[:12]})" if self.base else ""
        console.print(
            f"{self.functions} functions and {self.tests} tests{base}: {self.runs} runs under mutants in"
            f" {self.seconds:.0f} s, {counts} links count",
            highlight=False,
            soft_wrap=True,
        )
        for problem in self.problems:
            console.print(f"  {problem}", markup=False, highlight=False, soft_wrap=True)
        if not self.problems:
            console.print(
                "every rule and predicate has a mutant that a linked test notices, and every test notices one"
            )


# --- What to run -------------------------------------------------------------------------------------------------


@frozen
class Scope:
    """The functions and tests whose links are in question."""

    functions: frozenset[str]
    tests: frozenset[str]


def targets(matrix: Matrix) -> dict[str, Target]:
    """Return the functions that implement clauses, those of a class that is marked as a whole, and the predicates."""
    marked = {link.name: link for link in matrix.code if link.clauses}
    links = {name: marked.get(name) or marked.get(name.rpartition(".")[0]) for name in functions()}
    rules = {
        name: Target(name, {clause: (clause,) for clause in link.clauses or ()}, link.file, link.line)
        for name, link in links.items()
        if link is not None
    }
    statements = matrix.spec.statements
    judges = [link for link in matrix.predicates if link.statement in statements]
    return rules | {
        link.function: Target(link.function, {link.statement: statements[link.statement].clauses}, link.file, link.line)
        for link in judges
    }


def linked_pairs(matrix: Matrix, scope: Scope) -> dict[tuple[str, str], tuple[str, ...]]:
    """Return the links in question: (function, test) and what links them."""
    pairs = {}
    for name, target in targets(matrix).items():
        for test in matrix.tests:
            shared = target.shared(test)
            if shared and (name in scope.functions or test.name in scope.tests):
                pairs[name, test.name] = shared
    return pairs


Pairs: TypeAlias = Mapping[tuple[str, str], tuple[str, ...]]


def plan_of(pairs: Pairs, scope: Scope, fresh: bool = False) -> dict[str, Any]:
    """Return the plan of a run: for each function its tests, and the groups of them that each need one that notices."""
    jobs: dict[str, Any] = {}
    for (function, test), by in pairs.items():
        job = jobs.setdefault(function, {"tests": [], "groups": {}})
        job["tests"].append(test)
        for demand in by if function in scope.functions else ():
            job["groups"].setdefault(demand, []).append(test)
    for job in jobs.values():
        job["groups"] = list(job["groups"].values())
    wanted = sorted({test for _, test in pairs if test in scope.tests})
    return {"jobs": jobs, "wanted": wanted, "examples": EXAMPLES, "steps": STEPS, "fresh": fresh}


def run_matrix_mutants(
    changed: bool = False,
    base: str | None = None,
    progress: Progress | None = None,
    matrix: Matrix | None = None,
    workers: int | None = None,
) -> MutantReport:
    """Run the linked tests under mutants; ``changed`` limits this to what differs from a base revision.

    Raises:
        UsageError: ``base`` is no revision, there are no tests here, or the tests cannot be collected.
    """
    start = time.monotonic()
    matrix = matrix or build_matrix()
    if not matrix.tests:
        raise UsageError("mutants need the tests of the repository: run this in a checkout")
    if find_spec("pytest") is None:
        raise UsageError("mutants need pytest: install linera-reference[dev]")
    root = matrix.spec.root.parent
    revision = base_revision(root, base) if changed or base else None
    scope = scope_since(matrix, revision)
    pairs = linked_pairs(matrix, scope)
    runs = _Runs(root, workers or os.cpu_count() or 1, progress)
    runs.run(plan_of(pairs, scope))
    again = unnoticed(pairs, scope, runs)
    runs.run(plan_of(again, Scope(scope.functions, frozenset()), fresh=True))
    links = tuple(runs.link(function, test, by) for (function, test), by in pairs.items())
    problems = tuple(judge(matrix, scope, links))
    tried = len({link.function for link in links}), len({link.test for link in links})
    return MutantReport(tried[0], tried[1], runs.count, time.monotonic() - start, revision, links, problems)


def unnoticed(pairs: Pairs, scope: Scope, runs: "_Runs") -> Pairs:
    """Return the links of functions that no test noticed: perhaps they are called when the tests are imported."""
    noticed = {pair: by for pair, by in pairs.items() if runs.killer(*pair)}
    found = {(function, demand) for (function, _), by in noticed.items() for demand in by}
    return {
        (function, test): left
        for (function, test), by in pairs.items()
        if function in scope.functions and not runs.fails(test)
        if (left := tuple(demand for demand in by if (function, demand) not in found))
    }


@define
class _Runs:
    """Starts the runner, and keeps what it reports."""

    root: Path
    workers: int
    progress: Progress | None
    baseline: dict[str, dict[str, Any]] = field(factory=dict)
    verdicts: dict[tuple[str, str], list[tuple[str, str]]] = field(factory=dict)
    count: int = 0
    done: int = 0
    total: int = 0

    def run(self, plan: dict[str, Any]) -> None:
        """Run a plan and read all its events, showing how far it is."""
        self.total += len(plan["jobs"])
        for event in self.events(plan) if plan["jobs"] else ():
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
                    self.done += 1
                    if self.progress:
                        self.progress(self.done, self.total, event["function"])

    def events(self, plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Start the runner and yield what it reports."""
        command = [sys.executable, "-m", f"{__package__}.mutant_runner"]
        pipe = subprocess.PIPE
        with (
            tempfile.TemporaryFile("w+") as log,
            subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=log, text=True, cwd=self.root) as process,  # noqa: S603 - our own module
        ):
            try:
                _send(process, plan | {"workers": self.workers})
                yield from map(json.loads, process.stdout or ())
                failed = process.wait() != 0
            finally:
                process.terminate()
            if failed:
                log.seek(0)
                yield {"event": "error", "message": log.read()[-2000:]}

    def killer(self, function: str, test: str) -> str | None:
        """Return the first mutant of a function that a test noticed."""
        tried = self.verdicts.get((function, test), [])
        return next((mutant for verdict, mutant in tried if verdict == "killed"), None)

    def fails(self, test: str) -> bool:
        """Whether a test fails without a mutant, or could not be run."""
        run = self.baseline.get(test)
        return run is None or run["verdict"] != "passed"

    def link(self, function: str, test: str, by: tuple[str, ...]) -> Link:
        """Sum up what became of one link."""
        tried, killer = self.verdicts.get((function, test), []), self.killer(function, test)
        verdict = "killed" if killer else self._why(function, test, {verdict for verdict, _ in tried})
        return Link(function, test, by, verdict, killer, len(tried))

    def _why(self, function: str, test: str, verdicts: set[str]) -> str:
        if self.fails(test):
            return "broken"
        if not verdicts:
            return "untried" if function in self.baseline[test]["functions"] else "unreached"
        return next((verdict for verdict in ("crashed", "stopped") if verdict in verdicts), "survived")


def _send(process: "subprocess.Popen[str]", plan: Mapping[str, Any]) -> None:
    if process.stdin is not None:
        with suppress(BrokenPipeError), process.stdin:
            json.dump(plan, process.stdin)


# --- The verdict -------------------------------------------------------------------------------------------------


def judge(matrix: Matrix, scope: Scope, links: tuple[Link, ...]) -> Iterator[Problem]:
    """Yield a problem for each rule and clause, predicate, and test in question without a link that counts."""
    excuses = read_excuses(matrix)
    needed: set[tuple[str, str]] = set()
    for problem, demand in (*_rules(matrix, scope, links), *_tests(matrix, scope, links)):
        needed.add((problem.id, demand))
        if (problem.id, demand) not in excuses:
            yield problem
    if scope == scope_since(matrix, None):
        yield from _stale(excuses, needed)


Found: TypeAlias = tuple[Problem, str]


def _rules(matrix: Matrix, scope: Scope, links: tuple[Link, ...]) -> Iterator[Found]:
    for name, target in targets(matrix).items():
        for demand in target.demands if name in scope.functions else ():
            own = [link for link in links if link.function == name and demand in link.by]
            if not any(link.killed for link in own) and (own or demand in matrix.spec.statements):
                message = f"{name}: {demand}: no test fails under its mutants{_tried(own)}"
                yield Problem("link-does-not-count", name, message, target.file, target.line), demand


def _tests(matrix: Matrix, scope: Scope, links: tuple[Link, ...]) -> Iterator[Found]:
    for test in matrix.tests:
        own = [link for link in links if link.test == test.name and test.name in scope.tests]
        if own and not any(link.killed for link in own):
            message = f"{test.name}: fails under no mutant of what it is linked to{_tried(own)}"
            yield Problem("link-does-not-count", test.name, message, test.file, test.line), ""


def _tried(links: list[Link]) -> str:
    """Say what was tried, and why it does not count."""
    verdicts = [link.verdict for link in links]
    counts = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(verdicts))
    alone = len({link.function for link in links}) == 1
    tried = [link.test.rpartition("::")[2] if alone else link.function for link in links if link.tried]
    who = f": {', '.join(tried[:4])}{' …' if len(tried) > 4 else ''}" if tried else ""
    return f" ({counts}{who})" if links else ""


@frozen
class Excuse:
    """A reviewed exception: this rule, predicate or test needs no link that counts, because of the reason."""

    reason: str
    file: str
    line: int


def read_excuses(matrix: Matrix) -> dict[tuple[str, str], Excuse]:
    """Read `spec/links.toml`: tables `[[excused]]` with of, reason, and for a rule clause.

    Raises:
        SpecError: the list is malformed, or names something that does not exist.
    """
    path = matrix.spec.root / "links.toml"
    if not path.exists():
        return {}
    file = shown(matrix.spec.root, path)
    known = {(name, demand) for name, target in targets(matrix).items() for demand in target.demands}
    known |= {(test.name, "") for test in matrix.tests}
    tables = read_tables(file, path.read_text(encoding="utf-8"), "excused")
    return dict(_excuse(file, line, table, known) for line, table in tables)


def _excuse(
    file: str, line: int, table: Mapping[str, Any], known: set[tuple[str, str]]
) -> tuple[tuple[str, str], Excuse]:
    match {"clause": "", **table}:
        case {"of": str(name), "clause": str(clause), "reason": str(reason), **rest} if reason and not rest:
            if (name, clause) not in known:
                raise SpecError(file, line, f"excuses {name!r} for {clause!r}, which is no link")
            return (name, clause), Excuse(reason, file, line)
    raise SpecError(file, line, 'expected of = "…", reason = "…", and clause = "…" for a rule')


def _stale(excuses: Mapping[tuple[str, str], Excuse], needed: set[tuple[str, str]]) -> Iterator[Problem]:
    for (name, demand), excuse in excuses.items():
        if (name, demand) not in needed:
            message = f"{name}: {demand or 'test'}: excused, and a link counts now: remove the excuse"
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
    functions, tests = targets(matrix), {test.name: test for test in matrix.tests if test.clauses}
    if revision is None:
        return Scope(frozenset(functions), frozenset(tests))
    root = matrix.spec.root.parent
    files = {test.file: read_source(root / test.file, Path(test.file).stem) for test in tests.values()}
    places = {name: (module_source(name.partition(":")[0]), name.partition(":")[2]) for name in functions}
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

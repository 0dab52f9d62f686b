"""The traceability matrix: clause ↔ code ↔ predicate ↔ test, and what is missing or stale in it."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias

from attrs import asdict, frozen
from rich.console import Console
from rich.table import Table

from .clauses import CLAUSE_ID, LINE_ID, Clause, ClauseKind, LineKind, Located, Spec, load_spec
from .clauses import shown as shown_in
from .links import (
    CodeLink,
    Marker,
    PredicateLink,
    ReasonLink,
    Test,
    VectorLink,
    code_links,
    markers,
    predicate_links,
    reason_links,
    tests_of,
    vector_links,
)
from .proofs.crosswalk import PublicName, read_crosswalk
from .proofs.crosswalk import disagreements as comparison_problems
from .proofs.entries import Theorem, theorems
from .sources import core_root, definitions, package


@frozen
class Row:
    """A clause with everything that is linked to it."""

    clause: Clause
    code: tuple[CodeLink, ...]
    statements: tuple[str, ...]
    predicates: tuple[PredicateLink, ...]
    theorems: tuple[Theorem, ...]
    tests: tuple[Test, ...]
    vectors: tuple[VectorLink, ...]

    def to_json(self) -> dict[str, Any]:
        """The row as data, without the text of the clause."""
        data = asdict(self.clause, filter=lambda attribute, _: attribute.name != "text")
        data["kind"] = self.clause.kind.value
        return data | {
            "code": [_place(link) for link in self.code],
            "statements": list(self.statements),
            "predicates": [_place(link) for link in self.predicates],
            "theorems": [_place(theorem) for theorem in self.theorems],
            "tests": [_place(test) for test in self.tests],
            "vectors": [_place(vector) for vector in self.vectors],
        }


def _place(link: CodeLink | PredicateLink | Theorem | Test | VectorLink) -> dict[str, Any]:
    return {"name": link.name, "file": link.file, "line": link.line}


@frozen
class Problem:
    """Something missing or stale: which check found it, where, and about what."""

    check: str
    id: str
    message: str
    file: str
    line: int

    def to_json(self) -> dict[str, Any]:
        """The problem as data."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


@frozen
class Matrix:
    """The specification and all links to it."""

    spec: Spec
    code: tuple[CodeLink, ...]
    markers: tuple[Marker, ...]
    reasons: tuple[ReasonLink, ...]
    predicates: tuple[PredicateLink, ...]
    theorems: tuple[Theorem, ...]
    public: tuple[PublicName, ...]
    tests: tuple[Test, ...]
    vectors: tuple[VectorLink, ...] = ()

    @property
    def rows(self) -> tuple[Row, ...]:
        """One row per clause, in the order of the chapters."""
        return tuple(self.row(clause) for clause in self.spec.clauses.values())

    def row(self, clause: Clause) -> Row:
        """Return what is linked to one clause."""
        statements = tuple(s.id for s in self.spec.statements.values() if clause.id in s.clauses)
        return Row(
            clause,
            tuple(link for link in self.code if clause.id in (link.clauses or ())),
            statements,
            tuple(link for link in self.predicates if link.statement in statements),
            tuple(theorem for theorem in self.theorems if clause.id in theorem.clauses),
            tuple(test for test in self.tests if clause.id in test.clauses),
            tuple(vector for vector in self.vectors if clause.id in vector.clauses),
        )

    def to_json(self) -> dict[str, Any]:
        """The table as data."""
        return {"format": 1, "clauses": [row.to_json() for row in self.rows]}

    def render(self, console: Console) -> None:
        """Print the table."""
        table = Table(title="Traceability", show_lines=True)
        for column in ("Clause", "Kind", "Code", "Statements", "Theorems", "Tests", "Vectors"):
            table.add_column(column, overflow="fold")
        for row in self.rows:
            table.add_row(*_cells(row, "\n"))
        console.print(table)


def _cells(row: Row, separator: str) -> tuple[str, ...]:
    code = separator.join(link.name.replace(":", ".") for link in row.code)
    tests = separator.join(f"{Path(file).name}: {count}" for file, count in _by_file(row.tests).items())
    theorems = separator.join(theorem.name for theorem in row.theorems)
    vectors = str(len(row.vectors)) if row.vectors else ""
    return row.clause.id, row.clause.kind.value, code, " ".join(row.statements), theorems, tests, vectors


def _by_file(tests: Iterable[Test]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for test in tests:
        counts[test.file] = counts.get(test.file, 0) + 1
    return counts


def build_matrix(spec: Path | None = None, core: Path | None = None, tests: Path | None = None) -> Matrix:
    """Read everything: the specification, the reference, the registry, and the tests where they are present.

    Raises:
        SpecError: the specification is malformed.
    """
    found, root = load_spec(spec), core or core_root()
    folder = tests or found.root.parent / "tests"
    linked = code_links(root), markers(root), reason_links(root)
    entries, public = tuple(theorems(found.root).values()), read_crosswalk(found.root)
    return Matrix(found, *linked, predicate_links(), entries, public, tests_of(folder), vector_links(found.root))


# --- Checks ------------------------------------------------------------------------------------------------------

Check: TypeAlias = Callable[[Matrix], Iterator[Problem]]


def check_matrix(matrix: Matrix) -> list[Problem]:
    """Return what is missing or stale, check by check."""
    return [problem for check in CHECKS for problem in check(matrix)]


def _problem(check: str, record: Located | CodeLink | ReasonLink | Marker | Test | VectorLink, message: str) -> Problem:
    name = record.name if isinstance(record, CodeLink | ReasonLink | Test | VectorLink) else record.id
    return Problem(check, name, f"{name}: {message}", record.file, record.line)


def clauses_without_code(matrix: Matrix) -> Iterator[Problem]:
    """Rules and definitions need code; the code of a property is the predicate of its statement."""
    for row in matrix.rows:
        if row.clause.kind is not ClauseKind.PROPERTY and not row.code:
            yield _problem("clause-without-code", row.clause, "nothing in the reference implements it")


def clauses_without_test(matrix: Matrix) -> Iterator[Problem]:
    """Every clause is named by a test. An installed package has no tests: that is one problem, not one per clause."""
    if not matrix.tests:
        yield Problem("clause-without-test", "tests", "no tests: run this in a checkout of the repository", "tests", 1)
    for row in matrix.rows if matrix.tests else ():
        if not row.tests:
            yield _problem("clause-without-test", row.clause, "no test names it")


def clauses_without_vector(matrix: Matrix) -> Iterator[Problem]:
    """Every clause with code is exercised by a conformance vector."""
    for row in matrix.rows if matrix.vectors else ():
        if row.code and not row.vectors:
            yield _problem("clause-without-vector", row.clause, "no conformance vector exercises it")


def properties_without_statement(matrix: Matrix) -> Iterator[Problem]:
    for row in matrix.rows:
        if row.clause.kind is ClauseKind.PROPERTY and not row.statements:
            yield _problem("property-without-statement", row.clause, "no statement formalizes it")


def statements_without_predicate(matrix: Matrix) -> Iterator[Problem]:
    """A claim has no predicate of its own: it holds if what it uses does."""
    judged = {link.statement for link in matrix.predicates}
    for statement in matrix.spec.statements.values():
        if statement.kind == "claim" and not statement.uses:
            yield _problem("statement-without-predicate", statement, "a claim rests on statements, and none is listed")
        if statement.kind != "claim" and statement.id not in judged:
            yield _problem("statement-without-predicate", statement, "no registered predicate judges it")


def predicates_without_statement(matrix: Matrix) -> Iterator[Problem]:
    for link in matrix.predicates:
        if link.statement not in matrix.spec.statements:
            message = f"{link.name}: no statement {link.statement!r}"
            yield Problem("stale-id", link.name, message, link.file, link.line)


def stale_clauses(matrix: Matrix) -> Iterator[Problem]:
    """Every clause named by code, a test or a reason exists."""
    links: tuple[CodeLink | Test | VectorLink, ...] = (*matrix.code, *matrix.tests, *matrix.vectors)
    for link in links:
        for name in link.clauses or ():
            if name not in matrix.spec.clauses:
                yield _problem("stale-id", link, f"names the unknown clause {name}")
    for reason in matrix.reasons:
        if reason.clause is not None and reason.clause not in matrix.spec.clauses:
            yield _problem("stale-id", reason, f"names the unknown clause {reason.clause}")


def stale_mentions(matrix: Matrix) -> Iterator[Problem]:
    """Every clause, algorithm line and decision that a text mentions exists: chapters, algorithms, reference."""
    known = matrix.spec.clauses.keys() | matrix.spec.lines.keys() | matrix.spec.decisions.keys()
    root, files = matrix.spec.root, {link.file for link in matrix.code}
    for path in sorted({*root.rglob("*.md"), *(root.parent / file for file in files)}):
        for line, row in enumerate(path.read_text(encoding="utf-8").splitlines() if path.exists() else (), 1):
            for found in _MENTION.finditer(row):
                name = found["id"] or found["decision"]
                if name not in known:
                    file = shown_in(root, path)
                    yield Problem("stale-id", name, f"{name}: mentioned, and does not exist", file, line)


_MENTION: Final = re.compile(
    rf"(?<![\w\"-])(?P<id>{CLAUSE_ID.pattern}|{LINE_ID.pattern})(?![\w-])|\bdecisions? (?P<decision>[DA][1-9][0-9]*)\b"
)


def stale_theorems(matrix: Matrix) -> Iterator[Problem]:
    """Every clause, statement, function and hypothesis that a theorem names exists."""
    code = {f"{source.name}:{name}" for source in package(core_root()) for name, _ in definitions(source.tree)}
    spec, entries = matrix.spec, {theorem.name for theorem in matrix.theorems}
    for theorem in matrix.theorems:
        without = [name for name, _ in theorem.without]
        for what, names, known in (
            ("clause", theorem.clauses, spec.clauses),
            ("statement", theorem.proves, spec.statements),
            ("function", theorem.functions, code),
            ("theorem", (*theorem.uses, *without), entries),
        ):
            for name in names:
                if name not in known:
                    yield _problem("stale-id", theorem, f"names the unknown {what} {name}")


def stale_comparisons(matrix: Matrix) -> Iterator[Problem]:
    """Every public name is compared once, with words and names that exist."""
    known = matrix.spec.clauses.keys() | matrix.spec.statements.keys() | {theorem.name for theorem in matrix.theorems}
    for public in matrix.public:
        for name in public.ours:
            if name not in known:
                yield _problem("stale-id", public, f"names the unknown {name}")
    for record, message in comparison_problems(matrix.public, matrix.theorems):
        yield _problem("stale-id", record, message)


def unmarked_lines(matrix: Matrix) -> Iterator[Problem]:
    """Guards and effects of the algorithms are marked in the code."""
    marked = {marker.id for marker in matrix.markers}
    for line in matrix.spec.lines.values():
        if line.kind is not LineKind.CONTROL and line.id not in marked:
            yield _problem("line-without-code", line, f"no code is marked with it: {line.text.strip()}")


def unknown_reasons(matrix: Matrix) -> Iterator[Problem]:
    """The reason of each guard of an algorithm exists."""
    known = {reason.name for reason in matrix.reasons}
    for line in matrix.spec.lines.values():
        name = line.reason
        if line.kind is LineKind.GUARD and name not in known:
            yield _problem("stale-id", line, f"rejects with the unknown reason {name or '(none)'}")


def unmarked_code(matrix: Matrix) -> Iterator[Problem]:
    """A public function or method says which clauses it implements, or that it is support. Records need not."""
    for link in matrix.code:
        if link.kind == "function" and link.clauses is None:
            yield _problem("code-without-clause", link, "public, and neither a rule of a clause nor support")


def idle_reasons(matrix: Matrix) -> Iterator[Problem]:
    for reason in matrix.reasons:
        if reason.clause is None:
            yield _problem("reason-without-clause", reason, "names no clause")
        if not reason.raised:
            yield _problem("reason-never-raised", reason, "nothing in the reference rejects with it")


def one_sided_decisions(matrix: Matrix) -> Iterator[Problem]:
    """A clause and a decision name each other, or neither does."""
    spec = matrix.spec
    for clause in spec.clauses.values():
        for name in clause.decisions:
            if clause.id not in spec.decisions[name].clauses:
                yield _problem("one-sided-link", clause, f"rests on {name}, which does not name it")
    for decision in spec.decisions.values():
        for name in decision.clauses:
            if decision.id not in spec.clauses[name].decisions:
                yield _problem("one-sided-link", decision, f"is for {name}, which does not name it")


CHECKS: Final[tuple[Check, ...]] = (
    clauses_without_code,
    clauses_without_test,
    clauses_without_vector,
    properties_without_statement,
    statements_without_predicate,
    predicates_without_statement,
    stale_clauses,
    stale_mentions,
    stale_theorems,
    stale_comparisons,
    unmarked_lines,
    unknown_reasons,
    unmarked_code,
    idle_reasons,
    one_sided_decisions,
)


def render_problems(problems: Iterable[Problem], console: Console) -> None:
    """Print problems, grouped by check."""
    grouped: dict[str, list[Problem]] = {}
    for problem in problems:
        grouped.setdefault(problem.check, []).append(problem)
    for check, found in grouped.items():
        console.print(f"[bold]{check}[/bold] ({len(found)})")
        for problem in found:
            console.print(f"  {problem}", markup=False, highlight=False, soft_wrap=True)

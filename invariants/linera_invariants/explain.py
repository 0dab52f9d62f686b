"""Everything that is linked to an ID: clause, statement, claim, theorem, reason, decision, line of an algorithm."""

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Protocol

from attrs import asdict, frozen
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from .clauses import AlgorithmLine, Clause, Decision, Statement
from .errors import UsageError
from .links import CodeLink, PredicateLink, ReasonLink, Test, VectorLink
from .matrix import Matrix, build_matrix
from .proofs.entries import Theorem

CLAIM: Final = re.compile(r"CLAIM[ -]?([1-9])")


@frozen
class Reference:
    """One thing that an ID is linked to: what it is called, what it says, and where it is."""

    name: str
    text: str
    file: str
    line: int


@frozen
class Explanation:
    """An ID, what it says, and what is linked to it, group by group."""

    id: str
    kind: str
    title: str
    text: str
    file: str
    line: int
    links: dict[str, tuple[Reference, ...]]

    def to_json(self) -> dict[str, Any]:
        """The explanation as data."""
        return {"format": 1} | asdict(self)

    def render(self, console: Console) -> None:
        """Print it for a reader."""
        console.print(f"[bold]{escape(self.id)}[/bold]  {escape(self.title)}", highlight=False)
        console.print(f"[dim]{escape(self.kind)} · {self.file}:{self.line}[/dim]", highlight=False)
        if self.text:
            console.print(Padding(escape(self.text), (1, 2)), highlight=False)
        for group, references in self.links.items():
            console.print(f"[bold]{group}[/bold]", highlight=False)
            for found in references:
                says = f"  {escape(' '.join(found.text.split()))}" if found.text else ""
                line = f"  {escape(found.name)}{says}  [dim]{found.file}:{found.line}[/dim]"
                console.print(line, highlight=False, soft_wrap=True)


def explain(name: str, matrix: Matrix | None = None) -> Explanation:
    """Return everything that is linked to an ID; case does not matter, and `claim 5` means its clause.

    Raises:
        UsageError: there is no such ID; the message names those that look alike.
        SpecError: the specification is malformed.
    """
    matrix = matrix or build_matrix()
    wanted = name.strip().upper()
    claim = CLAIM.fullmatch(wanted)
    known = _known(matrix)
    found = known.get(f"WP-3.3-CLAIM-{claim[1]}" if claim else wanted)
    if found is None:
        raise UsageError(_unknown(name, wanted, known))
    return _explanation(matrix, found)


def explain_all(words: Iterable[str]) -> list[Explanation]:
    """Explain some IDs in turn; the words `claim 5` are one of them. Raises: UsageError, SpecError."""
    names = re.sub(r"(?i)\b(claim) (?=[1-9](?: |$))", r"\1-", " ".join(words)).split()
    matrix = build_matrix()
    return [explain(name, matrix) for name in names or [""]]


Explained = Clause | Decision | AlgorithmLine | Statement | Theorem | ReasonLink


def _known(matrix: Matrix) -> dict[str, Explained]:
    spec = matrix.spec
    known: dict[str, Explained] = {**spec.clauses, **spec.decisions, **spec.lines, **spec.statements}
    theorems = {theorem.name: theorem for theorem in matrix.theorems}
    return known | theorems | {reason.name: reason for reason in matrix.reasons}


def _unknown(name: str, wanted: str, known: Iterable[str]) -> str:
    names = list(known)
    inside = [other for other in names if wanted and wanted in other]
    close = list(dict.fromkeys((*get_close_matches(wanted, names, n=5, cutoff=0.5), *inside)))[:5]
    hint = f"did you mean {', '.join(close)}?" if close else "expected one like WP-2.6-INBOX-ADD, S1, C5, D7, ALG1-05"
    return f"unknown ID {name!r}: {hint}"


def _explanation(matrix: Matrix, record: Explained) -> Explanation:
    match record:
        case Clause():
            kind = f"{record.kind.value}, section {record.section}"
            return _made(record.id, kind, record.title, record.text, record, _of_clause(matrix, record))
        case Decision():
            return _made(record.id, "decision", record.title, record.text, record, _of_decision(matrix, record))
        case AlgorithmLine():
            kind = f"{record.kind.value} of an algorithm"
            return _made(record.id, kind, record.heading, record.text.strip(), record, _of_line(matrix, record))
        case Statement():
            return _made(record.id, record.kind, record.title, record.sentence, record, _of_statement(matrix, record))
        case Theorem():
            return _made(record.id, record.kind, record.title, record.sentence, record, _of_theorem(matrix, record))
        case ReasonLink():
            return _made(record.name, "reason", record.sentence, "", record, _of_reason(matrix, record))


class Placed(Protocol):
    """A record with a place."""

    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int: ...


Groups = Iterator[tuple[str, Iterable[Reference]]]


def _made(name: str, kind: str, title: str, text: str, place: Placed, groups: Groups) -> Explanation:
    links = {group: found for group, references in groups if (found := tuple(references))}
    return Explanation(name, kind, title, text, place.file, place.line, links)


# --- What belongs to what ----------------------------------------------------------------------------------------


def _of_clause(matrix: Matrix, clause: Clause) -> Groups:
    row = matrix.row(clause)
    functions = {link.name for link in row.code}
    yield "decisions", (reference(matrix.spec.decisions[name]) for name in clause.decisions)
    yield "code", map(reference, row.code)
    yield "algorithm lines", _lines(matrix, [m.id for m in matrix.markers if m.function in functions])
    yield "statements", (reference(matrix.spec.statements[name]) for name in row.statements)
    yield "predicates", map(reference, row.predicates)
    yield "theorems", map(reference, row.theorems)
    yield "reasons", (reference(reason) for reason in matrix.reasons if reason.clause == clause.id)
    yield "mentioned by", _mentions(matrix, clause.id)
    yield "tests", map(reference, row.tests)
    yield "vectors", map(reference, row.vectors)


def _of_decision(matrix: Matrix, decision: Decision) -> Groups:
    yield "clauses", (reference(matrix.spec.clauses[name]) for name in decision.clauses)
    yield "code", _code_mentions(matrix, decision.id)
    yield "mentioned by", _mentions(matrix, decision.id)


def _of_line(matrix: Matrix, line: AlgorithmLine) -> Groups:
    marked = [marker for marker in matrix.markers if marker.id == line.id]
    functions = {marker.function for marker in marked}
    links = [link for link in matrix.code if link.name in functions]
    yield "code", (Reference(marker.function, "", marker.file, marker.line) for marker in marked)
    yield "clauses", _clauses(matrix, [clause for link in links for clause in link.clauses or ()])
    yield "reasons", (reference(reason) for reason in matrix.reasons if reason.name == line.reason)


def _of_statement(matrix: Matrix, statement: Statement) -> Groups:
    others = matrix.spec.statements
    yield "uses", (reference(others[name]) for name in statement.uses)
    yield "used by", (reference(other) for other in others.values() if statement.id in other.uses)
    yield "clauses", _clauses(matrix, statement.clauses)
    yield "predicates", (reference(link) for link in matrix.predicates if link.statement == statement.id)
    yield "theorems", (reference(theorem) for theorem in matrix.theorems if statement.id in theorem.proves)
    yield "mentioned by", _mentions(matrix, statement.id)


def _of_theorem(matrix: Matrix, theorem: Theorem) -> Groups:
    others = {other.name: other for other in matrix.theorems}
    code = {link.name: link for link in matrix.code}
    yield "uses", (reference(others[name]) for name in theorem.uses if name in others)
    yield "used by", (reference(other) for other in others.values() if theorem.name in other.uses)
    yield "proves", (reference(matrix.spec.statements[name]) for name in theorem.proves)
    yield "clauses", _clauses(matrix, theorem.clauses)
    yield "code", (reference(code[name]) for name in theorem.functions if name in code)


def _of_reason(matrix: Matrix, reason: ReasonLink) -> Groups:
    code = {link.name: link for link in matrix.code}
    yield "clauses", _clauses(matrix, [reason.clause] if reason.clause else [])
    yield "code", (reference(code[name]) if name in code else _unnamed(name, reason) for name in reason.raised)
    yield (
        "algorithm lines",
        _lines(matrix, [line.id for line in matrix.spec.lines.values() if line.reason == reason.name]),
    )
    yield "mentioned by", _mentions(matrix, reason.name)
    yield "tests", (reference(test) for test in matrix.tests if reason.name in test.reasons)
    yield "vectors", (reference(vector) for vector in matrix.vectors if vector.reason == reason.name)


def _unnamed(function: str, reason: ReasonLink) -> Reference:
    return Reference(function, "private", reason.file, reason.line)


def _clauses(matrix: Matrix, names: Iterable[str]) -> Iterator[Reference]:
    return (reference(matrix.spec.clauses[name]) for name in dict.fromkeys(names) if name in matrix.spec.clauses)


def _lines(matrix: Matrix, names: Iterable[str]) -> Iterator[Reference]:
    return (reference(matrix.spec.lines[name]) for name in sorted(set(names)) if name in matrix.spec.lines)


def _mentions(matrix: Matrix, name: str) -> Iterator[Reference]:
    """Yield the clauses and decisions whose text names an ID, beyond their lists."""
    word = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
    records: tuple[Clause | Decision, ...] = (*matrix.spec.clauses.values(), *matrix.spec.decisions.values())
    for record in records:
        if record.id != name and word.search(record.text):
            yield reference(record)


def _code_mentions(matrix: Matrix, decision: str) -> Iterator[Reference]:
    """Yield the places of the reference that own up to a decision."""
    word = re.compile(rf"\bdecisions?\b.*\b{decision}\b")
    for file in sorted({link.file for link in matrix.code}):
        path = matrix.spec.root.parent / file
        for line, row in enumerate(path.read_text(encoding="utf-8").splitlines() if path.exists() else (), 1):
            if word.search(row):
                yield Reference(Path(file).stem, row.strip(), file, line)


def reference(record: Explained | CodeLink | PredicateLink | Test | VectorLink) -> Reference:
    """Return how a list shows a record."""
    match record:
        case Clause() | Decision():
            return Reference(record.id, record.title, record.file, record.line)
        case AlgorithmLine():
            return Reference(record.id, record.text.strip(), record.file, record.line)
        case Statement() | Theorem():
            return Reference(record.id, f"{record.title} ({record.kind})", record.file, record.line)
        case ReasonLink():
            return Reference(record.name, record.sentence, record.file, record.line)
        case CodeLink():
            return Reference(record.name.replace(":", "."), record.kind, record.file, record.line)
        case PredicateLink():
            return Reference(record.name, record.function, record.file, record.line)
        case Test():
            return Reference(record.name.partition("::")[2], "", record.file, record.line)
        case VectorLink():
            return Reference(record.name, record.sentence, record.file, record.line)

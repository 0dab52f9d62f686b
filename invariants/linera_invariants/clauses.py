"""The specification as data: clauses, decisions, algorithm lines and statements, read from the folder `spec/`.

A clause is a heading of a chapter, `## WP-2.6-INBOX-ADD: title`, whose first paragraph is its metadata,
`*rule · section 2.6 · decisions D7, A14*`. A decision is a heading of `decisions.md`, `## D7: title`, with a line
`*clauses: WP-…, WP-…*`. An algorithm line stands in a fenced block, `ALG1-07   require … else REASON`. Statements are
in `statements/statements.toml`.
"""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from attrs import frozen
from markdown_it import MarkdownIt
from markdown_it.token import Token

from .errors import UsageError
from .specdata import spec_root


class SpecError(UsageError):
    """The specification is malformed."""

    def __init__(self, file: str, line: int, message: str) -> None:
        super().__init__(f"{file}:{line}: {message}")
        self.file, self.line, self.message = file, line, message


class ClauseKind(Enum):
    """What a clause says: what something is, what must be done, or what follows."""

    DEFINITION = "definition"
    RULE = "rule"
    PROPERTY = "property"


class LineKind(Enum):
    """What a line of an algorithm does. Guards and effects must be marked in the code."""

    GUARD = "guard"
    EFFECT = "effect"
    CONTROL = "control"


@frozen
class Clause:
    """A numbered clause of a chapter."""

    id: str
    title: str
    kind: ClauseKind
    section: str
    decisions: tuple[str, ...]
    text: str
    file: str
    line: int


@frozen
class Decision:
    """A decision or amendment; one of a later step names no clauses."""

    id: str
    title: str
    text: str
    clauses: tuple[str, ...]
    file: str
    line: int


@frozen
class AlgorithmLine:
    """A numbered line of an algorithm, and the heading that it stands under."""

    id: str
    text: str
    kind: LineKind
    heading: str
    file: str
    line: int

    @property
    def reason(self) -> str | None:
        """The reason with which a guard rejects."""
        found = _REASON.search(self.text)
        return found["reason"] if found else None


@frozen
class Statement:
    """A property with a stable name; its formal predicate is code. A claim has none: it rests on what it uses.

    ``unproved`` says which part of the sentence no theorem covers, where theorems prove only some of it.
    """

    id: str
    title: str
    kind: str
    sentence: str
    uses: tuple[str, ...]
    clauses: tuple[str, ...]
    file: str
    line: int
    unproved: str = ""


@frozen
class Spec:
    """Everything that `spec/` says, by ID."""

    root: Path
    clauses: Mapping[str, Clause]
    decisions: Mapping[str, Decision]
    lines: Mapping[str, AlgorithmLine]
    statements: Mapping[str, Statement]


class Located(Protocol):
    """A record with an ID and a place."""

    @property
    def id(self) -> str: ...
    @property
    def file(self) -> str: ...
    @property
    def line(self) -> int: ...


R = TypeVar("R", bound=Located)

CLAUSE_ID = re.compile(r"WP-(?:\d+|[A-Z])\.\d+-[A-Z0-9]+(?:-[A-Z0-9]+)*")
DECISION_ID = re.compile(r"[DA][1-9][0-9]*")
LINE_ID = re.compile(r"ALG[0-9A-Z]-[A-Z0-9]+(?:-[A-Z0-9]+)*")

STATEMENT_KINDS = ("safety", "law", "arithmetic", "liveness", "claim")

_HEADING = re.compile(r"(?P<id>[A-Z0-9.-]+): (?P<title>\S.*)")
_METADATA = re.compile(
    r"\*(?P<kind>\w+) · section (?P<section>[0-9A-Z]\.[0-9]+)(?: · decisions (?P<decisions>[DA0-9, ]+))?\*"
)
_CLAUSES = re.compile(r"^\*clauses: (?P<ids>[^*]+)\*$", re.MULTILINE)
_LATER = re.compile(r"^later: step [1-9]", re.MULTILINE)
_LINE = re.compile(r"(?P<id>ALG\S*)(?P<text> +\S.*)")
_REASON = re.compile(r"\belse (?P<reason>[A-Z][A-Z_0-9]*)\s*$")
_TARGET = re.compile(r"\n\([^)\n]+\)=\s*\Z")
_CONTROL = re.compile(r"(?:function|handler|if|else|for|while|return)\b")


@cache
def load_spec(root: Path | None = None) -> Spec:
    """Read the whole specification.

    Raises:
        SpecError: an ID is defined twice, metadata is malformed, an unknown ID is named, or uses are cyclic.
    """
    root = root or spec_root()
    clauses = _by_id(c for path in sorted(root.glob("chapters/*.md")) for c in read_chapter(root, path))
    decisions = _by_id(read_decisions(root, root / "decisions.md"))
    lines = _by_id(x for path in sorted(root.glob("algorithms/*.md")) for x in read_algorithm(root, path))
    statements = _by_id(read_statements(root, root / "statements" / "statements.toml"))
    spec = Spec(root, clauses, decisions, lines, statements)
    _check_references(spec)
    _check_acyclic(statements)
    return spec


def _by_id(records: Iterable[R]) -> Mapping[str, R]:
    found: dict[str, R] = {}
    for record in records:
        if record.id in found:
            first = found[record.id]
            message = f"{record.id} is defined twice: first at {first.file}:{first.line}"
            raise SpecError(record.file, record.line, message)
        found[record.id] = record
    return found


def _check_references(spec: Spec) -> None:
    """Demand that every named ID exists."""
    for clause in spec.clauses.values():
        _demand(clause, clause.decisions, spec.decisions, "decision")
    for decision in spec.decisions.values():
        _demand(decision, decision.clauses, spec.clauses, "clause")
    for statement in spec.statements.values():
        _demand(statement, statement.clauses, spec.clauses, "clause")
        _demand(statement, statement.uses, spec.statements, "statement")


def _demand(record: Located, names: Iterable[str], known: Mapping[str, object], what: str) -> None:
    for name in names:
        if name not in known:
            raise SpecError(record.file, record.line, f"{record.id} names the unknown {what} {name!r}")


def _check_acyclic(statements: Mapping[str, Statement]) -> None:
    """Demand that no statement uses itself, directly or through others."""
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            cycle = " → ".join((*path[path.index(name) :], name))
            raise SpecError(statements[name].file, statements[name].line, f"statements use each other: {cycle}")
        if name not in done:
            for used in statements[name].uses:
                visit(used, (*path, name))
            done.add(name)

    for name in statements:
        visit(name, ())


# --- Markdown ----------------------------------------------------------------------------------------------------


@frozen
class _Section:
    """A level-2 heading with the source text below it."""

    heading: str
    text: str
    line: int


def _text(root: Path, path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(shown(root, path), 1, f"cannot be read: {error}") from None


def _tokens(text: str) -> list[Token]:
    return MarkdownIt().enable("table").parse(text)


def _sections(text: str) -> Iterator[_Section]:
    """Cut a text at its headings of level 1 and 2; yield the sections of level 2."""
    rows, tokens = text.splitlines(), _tokens(text)
    heads = [(t, tokens[i + 1].content) for i, t in enumerate(tokens) if t.type == "heading_open" and t.tag < "h3"]
    ends = [t.map[0] for t, _ in heads[1:] if t.map] + [len(rows)]
    for (token, heading), end in zip(heads, ends, strict=False):  # no head, one end
        if token.tag == "h2" and token.map:
            body = "\n".join(rows[token.map[1] : end])
            yield _Section(heading, _TARGET.sub("", "\n" + body).strip(), token.map[0] + 1)


def _named(file: str, section: _Section, pattern: re.Pattern[str]) -> tuple[str, str]:
    """Split a heading into ID and title."""
    found = _HEADING.fullmatch(section.heading)
    if found is None or not pattern.fullmatch(found["id"]):
        message = f"expected a heading '## ID: title' with an ID like {_EXAMPLES[pattern]}, found {section.heading!r}"
        raise SpecError(file, section.line, message)
    return found["id"], found["title"]


_EXAMPLES = {CLAUSE_ID: "WP-2.6-INBOX-ADD", DECISION_ID: "D7 or A14"}


def _split(names: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(",")) if names else ()


def read_chapter(root: Path, path: Path) -> Iterator[Clause]:
    """Yield the clauses of a chapter."""
    file = shown(root, path)
    for section in _sections(_text(root, path)):
        name, title = _named(file, section, CLAUSE_ID)
        head, _, text = section.text.partition("\n")
        found = _METADATA.fullmatch(head)
        if found is None:
            message = f"{name}: expected '*kind · section N · decisions D1, A2*' below the heading, found {head!r}"
            raise SpecError(file, section.line, message)
        kind = _kind(file, section.line, name, found["kind"])
        if not name.startswith(f"WP-{found['section']}-"):
            raise SpecError(file, section.line, f"{name}: its section cannot be {found['section']}")
        decisions = _split(found["decisions"])
        yield Clause(name, title, kind, found["section"], decisions, text.strip(), file, section.line)


def _kind(file: str, line: int, name: str, text: str) -> ClauseKind:
    try:
        return ClauseKind(text)
    except ValueError:
        expected = ", ".join(kind.value for kind in ClauseKind)
        raise SpecError(file, line, f"{name}: the kind {text!r} is none of {expected}") from None


def read_decisions(root: Path, path: Path) -> Iterator[Decision]:
    """Yield the decisions and amendments; a decision that names no clauses says which later step it is for."""
    file = shown(root, path)
    for section in _sections(_text(root, path)):
        name, title = _named(file, section, DECISION_ID)
        found = _CLAUSES.search(section.text)
        if found is None and not _LATER.search(section.text):
            raise SpecError(file, section.line, f"{name}: expected a line '*clauses: WP-…*' or 'later: step N'")
        clauses = _split(found["ids"]) if found else ()
        text = _CLAUSES.sub("", section.text).strip()
        yield Decision(name, title, text, clauses, file, section.line)


def read_algorithm(root: Path, path: Path) -> Iterator[AlgorithmLine]:
    """Yield the numbered lines in the fenced blocks of an algorithm."""
    file, heading = shown(root, path), ""
    tokens = _tokens(_text(root, path))
    for before, token in zip([None, *tokens], tokens, strict=False):
        if before is not None and before.type == "heading_open":
            heading = token.content
        if token.type == "fence" and token.map:
            for line, row in enumerate(token.content.splitlines(), token.map[0] + 2):
                yield _algorithm_line(row, heading, file, line)


def _algorithm_line(row: str, heading: str, file: str, line: int) -> AlgorithmLine:
    found = _LINE.fullmatch(row)
    if found is None or not LINE_ID.fullmatch(found["id"]):
        raise SpecError(file, line, f"expected a numbered line like 'ALG1-07   text', found {row!r}")
    text = found["text"].removeprefix("   ")
    return AlgorithmLine(found["id"], text, line_kind(text), heading, file, line)


def line_kind(text: str) -> LineKind:
    """Tell guards and effects from control flow; an effect may follow a condition on its line, after a colon."""
    text = text.strip()
    if text.startswith("require"):
        return LineKind.GUARD
    if not _CONTROL.match(text):
        return LineKind.EFFECT
    _, _, rest = text.partition(": ")
    return LineKind.EFFECT if rest and not _CONTROL.match(rest) else LineKind.CONTROL


# --- Statements --------------------------------------------------------------------------------------------------


def read_statements(root: Path, path: Path) -> Iterator[Statement]:
    """Yield the statements: tables `[[statement]]` with name, title, kind, sentence, uses, clauses, and unproved."""
    file = shown(root, path)
    tables = read_tables(file, _text(root, path), "statement")
    if not tables:
        raise SpecError(file, 1, "expected tables [[statement]]")
    for line, table in tables:
        yield _statement(file, line, table)


def read_tables(file: str, text: str, name: str) -> list[tuple[int, Mapping[str, Any]]]:
    """Return the tables `[[name]]` of a TOML file, each with its line; there may be none.

    Raises:
        SpecError: the file is not TOML, or has anything else.
    """
    document = _toml(file, text)
    tables = document.get(name, [])
    heads = re.finditer(rf"^[ \t]*\[\[[ \t]*{name}[ \t]*\]\]", text, re.MULTILINE)
    lines = [text.count("\n", 0, found.start()) + 1 for found in heads]
    if not document.keys() <= {name} or not isinstance(tables, list) or len(tables) != len(lines):
        raise SpecError(file, 1, f"expected tables [[{name}]], and nothing else")
    return list(zip(lines, tables, strict=True))


def _toml(file: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+)", str(error))
        raise SpecError(file, int(found[1]) if found else 1, f"not TOML: {error}") from None


def _statement(file: str, line: int, table: Mapping[str, Any]) -> Statement:
    unknown = table.keys() - {"name", "title", "kind", "sentence", "uses", "clauses", "unproved"}
    if unknown:
        raise SpecError(file, line, f"unknown keys: {', '.join(sorted(unknown))}")
    name, title, kind, sentence = (_string(file, line, table, key) for key in ("name", "title", "kind", "sentence"))
    if kind not in STATEMENT_KINDS:
        raise SpecError(file, line, f"{name}: the kind {kind!r} is none of {', '.join(STATEMENT_KINDS)}")
    uses, clauses = (_strings(file, line, table, key) for key in ("uses", "clauses"))
    unproved = _string(file, line, table, "unproved") if "unproved" in table else ""
    return Statement(name, title, kind, sentence, uses, clauses, file, line, unproved)


def _string(file: str, line: int, table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise SpecError(file, line, f'statement {table.get("name", "")}: expected {key} = "…", found {value!r}')
    return value


def _strings(file: str, line: int, table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = table.get(key)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise SpecError(file, line, f'statement {table.get("name", "")}: expected {key} = ["…"], found {value!r}')
    return tuple(value)


def shown(root: Path, path: Path) -> str:
    """Return a path as messages show it: from the folder that holds `spec/`."""
    return path.relative_to(root.parent).as_posix()

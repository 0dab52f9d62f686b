"""What implements the specification and what tests it, found by reading the sources.

Code names its clauses with the decorators `@rule("WP-…")` on functions, methods and classes; `@support` says that a
helper implements none. Trailing comments `# ALG1-07` mark lines of the algorithms. Tests name clauses with
`@pytest.mark.clauses("WP-…")` on a function or a class, or in the module's `pytestmark`.
"""

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from inspect import unwrap
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from .clauses import LINE_ID
from .sources import (
    Definition,
    Function,
    Source,
    called_name,
    definitions,
    first_line,
    package,
    read_source,
    shown,
    strings,
)

_COMMENT: Final = re.compile(rf"#\s*({LINE_ID.pattern}(?:\s*,\s*{LINE_ID.pattern})*)\s*(?:$|:)")


@frozen
class CodeLink:
    """A public function, method or class of the reference; ``clauses`` is ⊥ where it carries no mark."""

    name: str
    kind: str
    clauses: tuple[str, ...] | None
    file: str
    line: int
    end: int


@frozen
class Marker:
    """A comment that marks a line of an algorithm, and the function that it stands in."""

    id: str
    function: str
    file: str
    line: int


@frozen
class ReasonLink:
    """A member of `Reason`: its sentence, its clause, and the functions that reject with it."""

    name: str
    sentence: str
    clause: str | None
    raised: tuple[str, ...]
    file: str
    line: int


@frozen
class Test:
    """A test, the clauses that it names and the reasons in its text; ``name`` is its pytest node ID."""

    __test__ = False  # nothing for pytest to collect

    name: str
    clauses: tuple[str, ...]
    reasons: tuple[str, ...]
    file: str
    line: int


@frozen
class VectorLink:
    """A conformance vector, and the clauses that it exercises; ``reason`` is the rejection that it expects."""

    name: str
    clauses: tuple[str, ...]
    sentence: str
    reason: str | None
    file: str
    line: int


@frozen
class PredicateLink:
    """A registered predicate: the formal side of a statement."""

    name: str
    statement: str
    function: str
    file: str
    line: int


# --- The reference -----------------------------------------------------------------------------------------------


def code_links(root: Path) -> tuple[CodeLink, ...]:
    """Return what a package makes public, module by module."""
    return tuple(link for source in package(root) for link in _module_links(source))


def _module_links(source: Source) -> Iterator[CodeLink]:
    for name, node in definitions(source.tree):
        if _is_public(name) and not _is_exempt(source, name, node):
            kind = "function" if isinstance(node, Function) else "class"
            end = node.end_lineno or node.lineno
            yield CodeLink(f"{source.name}:{name}", kind, _clauses(node), source.file, first_line(node), end)


def _is_public(name: str) -> bool:
    return not any(part.startswith("_") for part in name.split("."))


def _is_exempt(source: Source, name: str, node: Definition) -> bool:
    """Properties, methods of protocols, and unmarked methods of marked classes are part of their class."""
    if not isinstance(node, Function) or "." not in name:
        return f"{source.name}:{name}" in {"notation:rule", "notation:support"}  # the marks themselves
    owner = dict(definitions(source.tree))[name.rpartition(".")[0]]
    protocol = isinstance(owner, ast.ClassDef) and any(ast.unparse(base) == "Protocol" for base in owner.bases)
    covered = _clauses(owner) is not None and _clauses(node) is None
    return protocol or covered or any(called_name(d) == "property" for d in node.decorator_list)


def _clauses(node: Definition) -> tuple[str, ...] | None:
    marks = {called_name(d): strings(d) for d in node.decorator_list}
    return marks.get("rule", () if "support" in marks else None)


def helpers(source: Source, name: str) -> tuple[str, ...]:
    """Return the private and supporting functions of a module that one of its functions reaches, nearest first."""
    known = {n: node for n, node in definitions(source.tree) if isinstance(node, Function) and "." not in n}
    owner = dict(definitions(source.tree))[name]
    found: list[str] = []
    waiting: list[ast.AST] = [owner]
    while waiting:
        for node in ast.walk(waiting.pop(0)):
            helper = node.id if isinstance(node, ast.Name) else ""
            if helper in known and helper not in (name, *found) and not _clauses(known[helper]):
                found.append(helper)
                waiting.append(known[helper])
    return tuple(found)


def markers(root: Path) -> tuple[Marker, ...]:
    """Return the comments that mark lines of algorithms."""
    return tuple(marker for source in package(root) for marker in _module_markers(source))


def _module_markers(source: Source) -> Iterator[Marker]:
    for token in tokenize.generate_tokens(io.StringIO(source.text).readline):
        found = _COMMENT.match(token.string) if token.type == tokenize.COMMENT else None
        for name in found[1].split(",") if found else ():
            line = token.start[0]
            yield Marker(name.strip(), enclosing(source, line), source.file, line)


def enclosing(source: Source, line: int) -> str:
    """Return the innermost function or class around a line, the module outside any."""
    around = [name for name, node in definitions(source.tree) if first_line(node) <= line <= (node.end_lineno or 0)]
    return f"{source.name}:{around[-1]}" if around else source.name


def reason_links(root: Path) -> tuple[ReasonLink, ...]:
    """Return the members of `Reason`, and where the reference rejects with each."""
    raised = _raised(root)
    return tuple(
        ReasonLink(name, *_sentence_and_clause(value), tuple(sorted(raised.get(name, ()))), source.file, value.lineno)
        for source in package(root)
        for _, node in definitions(source.tree)
        if isinstance(node, ast.ClassDef) and node.name == "Reason"
        for name, value in _members(node)
    )


def _members(node: ast.ClassDef) -> Iterator[tuple[str, ast.expr]]:
    for statement in node.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            yield statement.targets[0].id, statement.value


def _sentence_and_clause(value: ast.expr) -> tuple[str, str | None]:
    texts = [item.value for item in getattr(value, "elts", ()) if isinstance(item, ast.Constant)]
    return str(texts[0]) if texts else "", str(texts[1]) if len(texts) > 1 and texts[1] else None


def _raised(root: Path) -> Mapping[str, set[str]]:
    """Map each reason to the functions that give it to a call: `require`, `Rejection`, `Rejected` or a helper."""
    found: dict[str, set[str]] = {}
    for source in package(root):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call | ast.JoinedStr):
                for name in _reasons_given(node):
                    found.setdefault(name, set()).add(enclosing(source, node.lineno))
    return found


def _reasons_given(node: ast.Call | ast.JoinedStr) -> Iterator[str]:
    """Yield the reasons among the arguments of a call, and those in the text of generated code."""
    if isinstance(node, ast.JoinedStr):
        yield from re.findall(r"\bReason\.([A-Z_0-9]+)", ast.unparse(node))
        return
    for argument in node.args:
        for choice in (argument.body, argument.orelse) if isinstance(argument, ast.IfExp) else (argument,):
            owner, _, name = called_name(choice).partition(".")
            if owner == "Reason":
                yield name


# --- Tests -------------------------------------------------------------------------------------------------------


def tests_of(root: Path) -> tuple[Test, ...]:
    """Return every test below a folder, with the clauses that it names (none for most helpers' tests)."""
    sources = (read_source(path, path.stem) for path in sorted(root.rglob("test_*.py")))
    return tuple(link for source in sources for link in _test_module(source))


def _test_module(source: Source) -> Iterator[Test]:
    yield from _tests(source, source.tree, source.file, _assigned_marks(source.tree))


def _tests(source: Source, scope: ast.Module | ast.ClassDef, prefix: str, clauses: tuple[str, ...]) -> Iterator[Test]:
    for node in scope.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() if node.name.startswith("test"):
                named = (*clauses, *_marked(node.decorator_list))
                yield _test(f"{prefix}::{node.name}", named, source, node)
            case ast.ClassDef() if node.name.startswith("Test"):
                named = (*clauses, *_marked(node.decorator_list), *_assigned_marks(node))
                yield from _tests(source, node, f"{prefix}::{node.name}", named)
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if _is_machine(name, value):
                # TestInbox = InboxMachine.TestCase, perhaps under a mark.
                yield _test(f"{prefix}::{name}::runTest", (*clauses, *_marked(ast.walk(value))), source, node)


def _test(name: str, clauses: tuple[str, ...], source: Source, node: ast.stmt) -> Test:
    named = (n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute) and ast.unparse(n.value) == "Reason")
    return Test(name, tuple(dict.fromkeys(clauses)), tuple(sorted(set(named))), source.file, node.lineno)


def _is_machine(name: str, value: ast.expr) -> bool:
    return name.startswith("Test") and any(
        isinstance(node, ast.Attribute) and node.attr == "TestCase" for node in ast.walk(value)
    )


def _assigned_marks(scope: ast.Module | ast.ClassDef) -> tuple[str, ...]:
    """Return the clauses in `pytestmark = …` of a module or class."""
    values = (
        node.value
        for node in scope.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "pytestmark"
    )
    return tuple(clause for value in values for clause in _marked(ast.walk(value)))


def _marked(nodes: Iterable[ast.AST]) -> tuple[str, ...]:
    calls = (node for node in nodes if isinstance(node, ast.Call) and called_name(node) == "pytest.mark.clauses")
    return tuple(clause for call in calls for clause in strings(call))


# --- Predicates --------------------------------------------------------------------------------------------------


def predicate_links() -> tuple[PredicateLink, ...]:
    """Return the registered predicates. The registry is imported here: reading sources must not need it."""
    registry: Any = import_module(".registry", __package__)
    return tuple(_predicate(found.name, found.statement, found.function) for found in registry.predicates().values())


def _predicate(name: str, statement: str, function: Any) -> PredicateLink:
    code = unwrap(function).__code__
    module = function.__module__.removeprefix("linera_invariants.")
    return PredicateLink(
        name, statement, f"{module}:{function.__name__}", shown(Path(code.co_filename)), code.co_firstlineno
    )


def vector_links(root: Path) -> tuple[VectorLink, ...]:
    """Read what the vectors below ``spec/`` exercise; each stands on a line of its own."""
    files = sorted(root.glob("vectors/v[0-9]*/*.json"))
    return tuple(link for path in files for link in _vectors_in(path))


def _vectors_in(path: Path) -> Iterator[VectorLink]:
    for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if text.startswith('  {"id": '):
            row = json.loads(text.removesuffix(","))
            reason = row["expect"].get("rejected")
            yield VectorLink(row["id"], tuple(row["clauses"]), row["sentence"], reason, shown(path), line)

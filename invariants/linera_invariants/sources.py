"""Python sources as trees: which functions and classes a package defines, and where."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeAlias

from attrs import field, frozen

import linera_reference

from .specdata import spec_root

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
Definition: TypeAlias = Function | ast.ClassDef

CORE = "linera_reference"


@frozen
class Source:
    """A module: its name inside the package, its text and its tree."""

    name: str
    path: Path
    file: str
    text: str = field(repr=False)
    tree: ast.Module = field(repr=False, eq=False)


def core_root() -> Path:
    """Return the folder of the reference."""
    return Path(linera_reference.__path__[0])


def repository_root() -> Path:
    """Return the folder that holds `spec/`; outside a checkout there are no tests in it."""
    return spec_root().parent


def shown(path: Path) -> str:
    """Return a path as messages show it: from the repository, or from the folder that holds the package."""
    for base in (repository_root(), core_root().parent):
        if path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return path.as_posix()


def read_source(path: Path, name: str) -> Source:
    """Read and parse one file."""
    text = path.read_text(encoding="utf-8")
    return Source(name, path, shown(path), text, ast.parse(text, str(path)))


@cache
def package(root: Path) -> tuple[Source, ...]:
    """Read the modules of a flat package, by name."""
    return tuple(read_source(path, path.stem) for path in sorted(root.glob("*.py")))


PREDICATES = "predicates."


def import_name(module: str) -> str:
    """Return the full name of a module: one of the reference, or of the predicates as `predicates.name`."""
    return f"{__package__}.{module}" if module.startswith(PREDICATES) else f"{CORE}.{module}"


@cache
def module_source(module: str) -> Source:
    """Read one module of the reference or of the predicates.

    Raises:
        KeyError: there is no such module.
    """
    if module.startswith(PREDICATES):
        found = package(Path(__file__).parent / "predicates")
        return {source.name: source for source in found}[module.removeprefix(PREDICATES)]
    return {source.name: source for source in package(core_root())}[module]


def definitions(tree: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """Yield (qualified name, node) of the functions, classes and methods of a module; not of what functions contain."""
    for node in _statements(tree.body):
        if isinstance(node, Definition):
            yield prefix + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from definitions(node, f"{prefix}{node.name}.")


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Walk statements, those under a condition included."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from _statements([*node.body, *node.orelse])


def first_line(node: Definition) -> int:
    """Return the line on which a definition starts, decorators included."""
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])


def called_name(node: ast.AST) -> str:
    """Return the dotted name of a decorator or of what it calls, empty if it has none."""
    target = node.func if isinstance(node, ast.Call) else node
    return ast.unparse(target) if isinstance(target, ast.Name | ast.Attribute) else ""


def strings(node: ast.AST) -> tuple[str, ...]:
    """Return the positional string arguments of a call."""
    arguments = node.args if isinstance(node, ast.Call) else []
    return tuple(a.value for a in arguments if isinstance(a, ast.Constant) and isinstance(a.value, str))

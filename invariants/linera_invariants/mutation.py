"""Broken variants of the reference, derived from its source: the one mutation loader of all engines.

A mutant is one edit of one function of the core, or of a predicate. :func:`mutants` derives the usual ones,
:func:`edit` makes one by hand, :func:`broken` reads a named one from a file. :func:`applied` puts a mutant into force
in this process: it gives the function object the mutated code, so that every name that refers to the function
(imports, methods, entry points, tables) is affected. A child process takes its mutant from the environment
(:func:`activate`, or ``pytest -p linera_invariants.mutation``).
"""

import ast
import difflib
import gc
import json
import os
import sys
import tomllib
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from importlib import import_module
from inspect import unwrap
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Final, TypeAlias

from attrs import frozen

from .errors import UsageError
from .mutators import Names, changes, twin_fields
from .sources import Function, Source, core_root, definitions, import_name, module_source, package
from .specdata import spec_root

VARIABLE: Final = "LINERA_REFERENCE_MUTANT"
"""The environment variable that names the mutant of a child process."""


class MutationError(UsageError):
    """A mutant cannot be made as asked."""


@frozen
class Mutant:
    """One edit: the characters from ``start`` to ``end`` of the module's source become ``text``.

    ``function`` is `module:qualified_name`; with kind and index it makes the stable name of the mutant.
    """

    function: str
    kind: str
    index: int
    line: int
    start: int
    end: int
    text: str

    @property
    def id(self) -> str:
        """`module:function:kind:index`."""
        return f"{self.function}:{self.kind}:{self.index}"

    @property
    def source(self) -> str:
        """The source of the module with the edit."""
        text = _target(self.function).source.text
        return text[: self.start] + self.text + text[self.end :]

    @property
    def description(self) -> str:
        """The edit as a unified diff of the function."""
        target = _target(self.function)
        before = target.source.text[target.start : target.end]
        after = self.source[target.start : target.end + len(self.text) - (self.end - self.start)]
        file = target.source.file
        rows = difflib.unified_diff(before.splitlines(), after.splitlines(), file, f"{file} ({self.id})", "", "", 1, "")
        return "\n".join(rows)

    def to_json(self) -> dict[str, Any]:
        """What a program needs to show the mutant, and to make it again."""
        before = _target(self.function).source.text[self.start : self.end]
        return {"id": self.id, "line": self.line, "before": before, "after": self.text, "diff": self.description}


# --- Where a function is -----------------------------------------------------------------------------------------


@frozen
class _Target:
    """A function of the core: its node, and the span of its text, decorators excluded."""

    source: Source
    qualname: str
    node: Function
    start: int
    end: int


@cache
def _target(function: str) -> _Target:
    module, _, qualname = function.partition(":")
    try:
        source = module_source(module)
    except KeyError:
        raise MutationError(f"there is no module {import_name(module)}") from None
    node = dict(definitions(source.tree)).get(qualname)
    if not isinstance(node, Function):
        raise MutationError(f"{import_name(module)} has no function {qualname!r}")
    return _Target(source, qualname, node, *_span(source.text, node))


def _span(text: str, node: ast.AST) -> tuple[int, int]:
    """Return the places in the text where a node starts and ends (columns of a tree count bytes)."""
    rows = text.splitlines(keepends=True)

    def place(line: int, column: int) -> int:
        return sum(map(len, rows[: line - 1])) + len(rows[line - 1].encode()[:column].decode())

    at: Any = node
    return place(at.lineno, at.col_offset), place(at.end_lineno, at.end_col_offset)


def function_object(function: str) -> FunctionType:
    """Return the innermost function: below `@transition`, caches and properties."""
    module, _, qualname = function.partition(":")
    found: Any = import_module(import_name(module))
    for name in qualname.split("."):
        found = vars(found)[name]
    found = unwrap(getattr(found, "fget", found))
    if not isinstance(found, FunctionType):
        raise MutationError(f"{function} is not a plain function")
    return found


def functions() -> tuple[str, ...]:
    """Return every function and method of the core, as `module:qualified_name`, protocols excluded."""
    return tuple(
        f"{source.name}:{name}"
        for source in package(core_root())
        for name, node in definitions(source.tree)
        if isinstance(node, Function) and not _is_stub(node)
    )


def _is_stub(node: Function) -> bool:
    last = node.body[-1]
    return isinstance(last, ast.Expr) and isinstance(last.value, ast.Constant) and last.value.value is ...


# --- Making mutants ----------------------------------------------------------------------------------------------


@cache
def mutants(function: str) -> tuple[Mutant, ...]:
    """Derive the mutants of a function, in the order of its source.

    Raises:
        MutationError: there is no such function.
    """
    target = _target(function)
    counts: dict[str, int] = {}
    found: dict[str, Mutant | None] = {ast.dump(target.node): None}
    for change in changes(target.node, _names(function.partition(":")[0])):
        start, end = _span(target.source.text, change.node)
        index = counts.get(change.kind, 0)
        mutant = Mutant(function, change.kind, index, change.node.lineno, start, end, change.text)
        tree = _mutated_dump(mutant)
        if tree not in found:
            found[tree] = mutant
            counts[change.kind] = index + 1
    return tuple(mutant for mutant in found.values() if mutant is not None)


@cache
def _names(module: str) -> Names:
    """Return the integer constants that a module sees, and the fields of the core that may be confused."""
    seen = vars(import_module(import_name(module))).items()
    twins: dict[str, tuple[str, ...]] = {}
    for source in package(core_root()):
        for one, other in twin_fields(source.tree):
            twins[one] = (*twins.get(one, ()), *({other} - set(twins.get(one, ()))))
    return Names(frozenset(name for name, value in seen if name.isupper() and type(value) is int), twins)


def _mutated_dump(mutant: Mutant) -> str:
    return ast.dump(_mutated_node(mutant))


def _mutated_node(mutant: Mutant) -> Function:
    """Parse the module with the edit and return the function.

    Raises:
        MutationError: the edit is not Python, or renames the function.
    """
    target = _target(mutant.function)
    try:
        tree = ast.parse(mutant.source)
    except SyntaxError as error:
        raise MutationError(f"{mutant.id}: not Python after the edit: {error.msg}, line {error.lineno}") from None
    node = dict(definitions(tree)).get(target.qualname)
    if not isinstance(node, Function):
        raise MutationError(f"{mutant.id}: the function is gone after the edit")
    return node


def find(mutant_id: str) -> Mutant:
    """Return the derived mutant of this name.

    Raises:
        MutationError: there is none.
    """
    function = ":".join(mutant_id.split(":")[:2])
    for mutant in mutants(function):
        if mutant.id == mutant_id:
            return mutant
    raise MutationError(f"no mutant {mutant_id!r}: {function} has {', '.join(m.id for m in mutants(function))}")


def edit(function: str, old: str, new: str) -> Mutant:
    """Replace one piece of a function's text by another.

    Raises:
        MutationError: there is no such function, ``old`` is not in it exactly once, or the result is not Python or is
            the same program.
    """
    target = _target(function)
    text = target.source.text[target.start : target.end]
    if text.count(old) != 1:
        raise MutationError(f"{function}: expected {old!r} exactly once, found it {text.count(old)} times")
    start = target.start + text.index(old)
    line = target.source.text.count("\n", 0, start) + 1
    mutant = Mutant(function, "edit", 0, line, start, start + len(old), new)
    if _mutated_dump(mutant) == ast.dump(target.node):
        raise MutationError(f"{function}: replacing {old!r} by {new!r} changes nothing")
    return mutant


def broken(name: str, file: Path | None = None) -> Mutant:
    """Return a broken variant by name: a table with either ``mutant``, or ``function``, ``old`` and ``new``.

    Raises:
        MutationError: the file has no such variant, or the variant does not fit the source any more.
    """
    file = file or spec_root() / "models" / "broken.toml"
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise MutationError(f"{file}: cannot be read: {error}") from None
    match tables.get(name):
        case {"mutant": str(mutant_id)}:
            return find(mutant_id)
        case {"function": str(function), "old": str(old), "new": str(new)}:
            return edit(function, old, new)
        case None:
            raise MutationError(f"{file}: no variant {name!r}, there are {', '.join(sorted(tables))}")
    raise MutationError(f'{file}: {name}: expected mutant = "…", or function, old and new')


# --- Applying a mutant -------------------------------------------------------------------------------------------


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """Let this process run the mutant instead of the function, and put the function back at the end.

    The function *object* gets other code, so aliases, methods and wrapped entry points follow; so do closures that the
    function made before, unless the edit changes what they capture. Memoised results are dropped at both ends.
    """
    original, changed = function_object(mutant.function), _compiled(mutant)
    saved = [(function, _parts(function)) for function in (original, *_made_by(original))]
    codes = _nested(original.__code__, changed.__code__)
    for function, (code, defaults, keywords) in saved[1:]:
        _install(function, (codes.get(id(code), code), defaults, keywords))
    _install(original, _parts(changed))
    forget_memoised()
    try:
        yield
    finally:
        for function, parts in saved:
            _install(function, parts)
        forget_memoised()


_Parts: TypeAlias = tuple[CodeType, Any, Any]


def _parts(function: FunctionType) -> _Parts:
    return function.__code__, function.__defaults__, function.__kwdefaults__


def _install(function: FunctionType, parts: _Parts) -> None:
    function.__code__, function.__defaults__, function.__kwdefaults__ = parts


def inner_codes(code: CodeType) -> Iterator[CodeType]:
    """Yield the code of the functions inside a function, at any depth."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from inner_codes(constant)


def _made_by(function: FunctionType) -> list[FunctionType]:
    """Return the closures that a function made and that are still in use."""
    codes = {id(code) for code in inner_codes(function.__code__)}
    objects = gc.get_objects() if codes else []
    return [found for found in objects if isinstance(found, FunctionType) and id(found.__code__) in codes]


def _nested(before: CodeType, after: CodeType) -> dict[int, CodeType]:
    """Map the code of each inner function to that of its edited twin, where both capture the same."""
    pairs = zip(inner_codes(before), inner_codes(after), strict=False)
    return {id(old): new for old, new in pairs if (old.co_name, old.co_freevars) == (new.co_name, new.co_freevars)}


def forget_memoised() -> None:
    """Empty every cache of the core and of the predicates."""
    for name, module in tuple(sys.modules.items()):
        if name.startswith(("linera_reference", "linera_invariants.predicates", "linera_invariants.views")):
            for value in tuple(vars(module).values()):
                if hasattr(value, "cache_clear"):
                    value.cache_clear()


def _compiled(mutant: Mutant) -> FunctionType:
    """Compile the mutated function, without its decorators, in a copy of its module's namespace.

    A method is compiled in a class of its own, as `super()` demands.
    """
    target, node = _target(mutant.function), _mutated_node(mutant)
    node.decorator_list = []
    owner = target.qualname.rpartition(".")[0]
    tree = ast.parse(f"class {owner}: pass" if owner else "pass")
    home: Any = tree.body[0] if owner else tree
    home.body = [node]
    if "__class__" in function_object(mutant.function).__code__.co_freevars:
        node.body += ast.parse("lambda: __class__").body  # captured even where the edit took `super()` away
    space = dict(vars(import_module(import_name(mutant.function.partition(":")[0]))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # such as a field of None: that is the mistake
        code = compile(tree, str(target.source.path), "exec")
    exec(code, space)  # noqa: S102 - the reference's own source, one edit away
    made: FunctionType = vars(space[owner])[node.name] if owner else space[node.name]
    return made


# --- Child processes ---------------------------------------------------------------------------------------------


def environment(mutant: Mutant) -> dict[str, str]:
    """Return the variable with which a child process applies a mutant."""
    if mutant.kind != "edit":
        return {VARIABLE: mutant.id}
    old = _target(mutant.function).source.text[mutant.start : mutant.end]
    return {VARIABLE: json.dumps({"function": mutant.function, "old": old, "new": mutant.text})}


def activate() -> Mutant | None:
    """Apply the mutant that the environment names, for the life of the process; return it.

    Raises:
        MutationError: the environment names no mutant of this source.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    mutant = edit(**json.loads(named)) if named.startswith("{") else find(named)
    _LASTING.enter_context(applied(mutant))
    return mutant


_LASTING: Final = ExitStack()


def pytest_configure() -> None:
    """As a pytest plug-in (`-p linera_invariants.mutation`): run the tests under the mutant of the environment."""
    activate()

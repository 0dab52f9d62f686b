"""In which order the entry points reject: the guards of each, read from its source in the order of evaluation.

A function that is called at some place contributes its guards at that place. Where several reasons apply to one input,
the first of them is reported, except that a loop comes back to its earlier guards for each further item, and that a
reason which several guards give is listed once, where the first of them stands. Codecs are left out: a well-typed value
has an encoding, and who decodes turns the reason into one of its own.
"""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from attrs import frozen

from .sources import Definition, Function, Source, called_name, definitions, package

Place: TypeAlias = tuple[str, str]
"""A module and a qualified name in it."""


CHECKS: Final = (
    "committee:make_committee",
    "certificate:check_certificate",
    "validator:genesis_validator",
    "validator:check_creation_proof",
)
"""Public functions that are used by themselves and raise their rejections."""


@frozen
class EntryPoint:
    """A function from which a rejection leaves the package, with its reasons by priority.

    ``name`` is `module:function`, as in links. Among the reasons, another transition stands for what it rejects with.
    """

    name: str
    is_transition: bool
    reasons: tuple[str, ...]


def rejections(root: Path) -> Mapping[str, tuple[str, ...]]:
    """Return, for every function of a package, what it rejects with, by priority."""
    calls = _Calls(package(root))
    return {":".join(place): calls.reasons(place) for place in calls.known}


def entry_points(root: Path) -> tuple[EntryPoint, ...]:
    """Return the transitions of a package, handlers first, then the checks that are used by themselves."""
    transitions = {f"{s.name}:{name}" for s in package(root) for name, node in _functions(s) if _is_transition(node)}
    found = (
        EntryPoint(name, name in transitions, reasons)
        for name, reasons in rejections(root).items()
        if reasons and (name in transitions or name in CHECKS)
    )
    return tuple(sorted(found, key=_rank))


def _rank(point: EntryPoint) -> tuple[bool, bool]:
    return not point.is_transition, not point.name.startswith("validator:")


def _is_transition(node: Function) -> bool:
    return any(called_name(decorator) == "transition" for decorator in node.decorator_list)


class _Calls:
    """Which function of a package calls which, and which reasons it names, in the order of evaluation."""

    def __init__(self, sources: tuple[Source, ...]) -> None:
        self.known = {(s.name, name): node for s in sources if s.name != "encoding" for name, node in _functions(s)}
        self.names = {source.name: _names(source) for source in sources}
        self.methods = _methods(self.known)
        self.events = {place: tuple(self._events(place[0], node.body)) for place, node in self.known.items()}

    def reasons(self, place: Place) -> tuple[str, ...]:
        """Return the reasons of a function and of what it calls, each at its first occurrence."""
        return tuple(dict.fromkeys(self._walk(place, ())))

    def _walk(self, place: Place, path: tuple[Place, ...]) -> Iterator[str]:
        for event in self.events[place] if place not in path else ():
            if isinstance(event, str):
                yield event
            elif _is_transition(self.known[event]):
                yield ":".join(event)
            else:
                yield from self._walk(event, (*path, place))

    def _events(self, module: str, nodes: list[ast.stmt]) -> Iterator[str | Place]:
        for node in nodes:
            for inner in _evaluated(node):
                yield from self._event(module, inner)

    def _event(self, module: str, node: ast.AST) -> Iterator[str | Place]:
        """Yield what a node refers to: a reason, or functions that may run here."""
        match node:
            case ast.Attribute(value=ast.Name(id="Reason"), attr=reason):
                yield reason
            case ast.Name(id=name) if (module, name) in self.known:
                yield module, name
            case ast.Name(id=name) if self.names[module].get(name) in self.known:
                yield self.names[module][name]
            case ast.Attribute(attr=name):
                yield from self.methods.get(name, ())


def _functions(source: Source) -> Iterator[tuple[str, Function]]:
    for name, node in definitions(source.tree):
        if isinstance(node, Function) and not _in_protocol(source, name):
            yield name, node


def _in_protocol(source: Source, name: str) -> bool:
    owner: Definition | None = dict(definitions(source.tree)).get(name.rpartition(".")[0])
    return isinstance(owner, ast.ClassDef) and any(ast.unparse(base) == "Protocol" for base in owner.bases)


def _names(source: Source) -> Mapping[str, Place]:
    """Map the names that a module imports from its package to their places."""
    return {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in source.tree.body
        if isinstance(node, ast.ImportFrom) and node.level == 1
        for alias in node.names
    }


def _methods(known: Mapping[Place, Function]) -> Mapping[str, tuple[Place, ...]]:
    """Map the public names of methods to every class's method of that name: the receiver is not known."""
    found: dict[str, tuple[Place, ...]] = {}
    for place in known:
        owner, _, name = place[1].rpartition(".")
        if owner and not name.startswith("_"):
            found[name] = (*found.get(name, ()), place)
    return found


def _evaluated(node: ast.AST) -> Iterator[ast.AST]:
    """Walk an expression or statement in the order of evaluation: arguments before the call, patterns not at all."""
    if isinstance(node, ast.pattern):
        return
    for child in _children(node):
        yield from _evaluated(child)
    yield node


def _children(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Call():
            yield from (*node.args, *node.keywords, node.func)
        case ast.Assign() | ast.AugAssign():
            yield node.value
        case ast.AnnAssign():
            yield from filter(None, [node.value])
        case ast.Try(handlers=[ast.ExceptHandler(type=ast.Name(id="Rejection")) as handler]):
            yield from handler.body  # the reasons of the body are replaced
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
            yield from (*node.generators, node.elt)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from node.body
        case _:
            yield from ast.iter_child_nodes(node)

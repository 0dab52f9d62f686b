"""Small wrong changes of a function, found in its tree: what an author could have got wrong in one place."""

import ast
from collections.abc import Callable, Iterator, Mapping
from copy import copy
from itertools import permutations
from typing import Any, Final, TypeAlias

from attrs import frozen

from .sources import Function, called_name


@frozen
class Change:
    """One node of a function and the text that replaces it."""

    kind: str
    node: ast.expr | ast.stmt | ast.keyword
    text: str


@frozen
class Names:
    """What is known of the whole package: integer constants that the module sees, fields that may be confused."""

    integers: frozenset[str]
    twins: Mapping[str, tuple[str, ...]]


@frozen
class Scope:
    """What a mutator knows: the function around a node, the parent of each node, and names."""

    function: Function
    parents: Mapping[ast.AST, ast.AST]
    names: Names


Mutator: TypeAlias = Callable[[Any, Scope], Iterator[Change]]

KINDS: Final = {
    "guard": "a guard is dropped",
    "reason": "a guard gives another reason",
    "detail": "a rejection loses its detail",
    "compare": "a comparison is negated or off by one",
    "branch": "a condition is negated",
    "negation": "a negation is dropped",
    "logic": "'and' and 'or' are exchanged",
    "operand": "one side of 'and' or 'or' is dropped",
    "operator": "an arithmetic operator is exchanged",
    "constant": "a constant is changed",
    "effect": "an effect is dropped",
    "call": "a function is exchanged for its opposite",
    "field": "another field of the same type is read",
    "swap": "the first two arguments are exchanged",
    "result": "another value is returned",
}
"""Kind of mutant and what it does; the order in which a search for a killed mutant tries them."""

_COMPARE: Final[Mapping[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.GtE, ast.LtE),
    ast.LtE: (ast.Gt, ast.Lt),
    ast.Gt: (ast.LtE, ast.GtE),
    ast.GtE: (ast.Lt, ast.Gt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: Final[Mapping[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
}
_OPPOSITE: Final = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}
_UPDATES: Final = {"push", "pop", "insert", "remove", "set", "delete", "append", "forget"}
_UNORDERED: Final = {"evolve", "isinstance", "fold", "zip", "sorted", "require", "Accepted", *_OPPOSITE}
_OTHER_REASON: Final = ("Reason.ACTION_NOT_ENABLED", "Reason.USER_ERROR")
_INTEGERS: Final = {"int", "u8", "u32", "u64", "u128"}
_BYTES: Final = {"bytes", "Hash", "PublicKey", "Signature"}
_OPERATORS: Final = ast.BoolOp | ast.BinOp | ast.UnaryOp | ast.Compare | ast.Attribute | ast.Subscript | ast.Starred


def twin_fields(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the pairs of fields with the same annotation in one record of a module."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            fields = [f for f in node.body if isinstance(f, ast.AnnAssign) and isinstance(f.target, ast.Name)]
            for one, other in permutations(fields, 2):
                if ast.dump(one.annotation) == ast.dump(other.annotation):
                    yield ast.unparse(one.target), ast.unparse(other.target)


def changes(function: Function, names: Names) -> Iterator[Change]:
    """Yield the changes of a function, in the order of its source. Assertions and annotations stay."""
    parents = {child: node for node in ast.walk(function) for child in ast.iter_child_nodes(node)}
    scope = Scope(function, parents, names)
    found = list(_walk_all(_body(function), scope))
    yield from found or _nothing_returned(function)


def _body(function: Function) -> list[ast.stmt]:
    return function.body[ast.get_docstring(function, clean=False) is not None :]


def _walk_all(nodes: list[Any], scope: Scope) -> Iterator[Change]:
    for node in nodes:
        yield from _walk(node, scope)


def _walk(node: ast.AST, scope: Scope) -> Iterator[Change]:
    if isinstance(node, ast.Assert | ast.pattern | ast.JoinedStr):
        return
    if isinstance(node, Function):
        yield from _walk_all(_body(node), Scope(node, scope.parents, scope.names))
        return
    for mutator in _MUTATORS.get(type(node), ()):
        yield from mutator(node, scope)
    skipped = node.annotation if isinstance(node, ast.AnnAssign) else None
    yield from _walk_all([child for child in ast.iter_child_nodes(node) if child is not skipped], scope)


def _change(kind: str, node: ast.expr, new: ast.expr, scope: Scope) -> Change:
    """Replace an expression, in parentheses where its place binds tighter."""
    text = ast.unparse(new)
    compound = isinstance(new, ast.BoolOp | ast.BinOp | ast.UnaryOp | ast.Compare | ast.IfExp | ast.Lambda)
    tight = isinstance(scope.parents.get(node), _OPERATORS)
    return Change(kind, node, f"({text})" if compound and tight else text)


def _with(node: ast.expr, **fields: Any) -> ast.expr:
    """Copy a node with other fields."""
    new = copy(node)
    for name, value in fields.items():
        setattr(new, name, value)
    return new


# --- Expressions -------------------------------------------------------------------------------------------------


def _compare(node: ast.Compare, scope: Scope) -> Iterator[Change]:
    for i, operator in enumerate(node.ops):
        for other in _COMPARE[type(operator)]:
            ops = [*node.ops[:i], other(), *node.ops[i + 1 :]]
            yield _change("compare", node, _with(node, ops=ops), scope)


def _logic(node: ast.BoolOp, scope: Scope) -> Iterator[Change]:
    other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    yield _change("logic", node, _with(node, op=other), scope)
    for i in range(len(node.values)):
        rest = [*node.values[:i], *node.values[i + 1 :]]
        yield _change("operand", node, rest[0] if len(rest) == 1 else _with(node, values=rest), scope)


def _negation(node: ast.UnaryOp, scope: Scope) -> Iterator[Change]:
    if isinstance(node.op, ast.Not):
        yield _change("negation", node, node.operand, scope)


def _arithmetic(node: ast.BinOp, scope: Scope) -> Iterator[Change]:
    if type(node.op) in _ARITHMETIC:
        yield _change("operator", node, _with(node, op=_ARITHMETIC[type(node.op)]()), scope)


def _constant(node: ast.Constant, scope: Scope) -> Iterator[Change]:
    match node.value:
        case bool():
            yield _change("constant", node, ast.Constant(not node.value), scope)
        case int():
            yield _change("constant", node, ast.Constant(node.value + 1), scope)
            yield Change("constant", node, f"({node.value - 1})" if node.value == 0 else str(node.value - 1))
        case bytes() if node.value:
            yield _change("constant", node, ast.Constant(b""), scope)


def _named_constant(node: ast.Name, scope: Scope) -> Iterator[Change]:
    if node.id in scope.names.integers:
        for operator in (ast.Add(), ast.Sub()):
            yield _change("constant", node, ast.BinOp(node, operator, ast.Constant(1)), scope)


def _field(node: ast.Attribute, scope: Scope) -> Iterator[Change]:
    if isinstance(node.ctx, ast.Load):
        for twin in scope.names.twins.get(node.attr, ()):
            yield _change("field", node, _with(node, attr=twin), scope)


def _negated_test(node: ast.If | ast.IfExp | ast.While, scope: Scope) -> Iterator[Change]:
    yield _negated("branch", node.test, scope)


def _negated_filter(node: ast.comprehension, scope: Scope) -> Iterator[Change]:
    for test in node.ifs:
        yield _negated("branch", test, scope)


def _negated_guard(node: ast.match_case, scope: Scope) -> Iterator[Change]:
    if node.guard is not None:
        yield _negated("branch", node.guard, scope)


def _negated(kind: str, test: ast.expr, scope: Scope) -> Change:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _change(kind, test, test.operand, scope)
    return _change(kind, test, ast.UnaryOp(ast.Not(), test), scope)


def _call(node: ast.Call, scope: Scope) -> Iterator[Change]:
    name = called_name(node)
    if name in {"require", "Rejection", "Rejected"}:
        yield from _rejection(node, scope)
    if name in _OPPOSITE:
        yield Change("call", node.func, _OPPOSITE[name])
    if name == "evolve":
        yield from _kept_fields(node, scope)
    if name == "Accepted" and len(node.args) == 2:
        yield _change("effect", node, _with(node, args=node.args[:1]), scope)
    if name.startswith("with_") and node.args:
        yield _change("effect", node, node.args[0], scope)
    for argument in node.args:
        if isinstance(argument, ast.Constant) and argument.value is None:
            yield Change("constant", argument, "0")
    statement = isinstance(scope.parents.get(node), ast.Assign | ast.Expr)  # which is dropped as a whole
    if isinstance(node.func, ast.Attribute) and node.func.attr in _UPDATES and not statement:
        yield _change("effect", node, node.func.value, scope)
    if len(node.args) > 1 and name not in _UNORDERED and not isinstance(node.args[1], ast.Starred):
        first, second, *rest = node.args
        yield _change("swap", node, _with(node, args=[second, first, *rest]), scope)


def _rejection(node: ast.Call, scope: Scope) -> Iterator[Change]:
    """The opposite condition, another reason, and no detail."""
    if called_name(node) == "require":
        yield _negated("branch", node.args[0], scope)
    for i, argument in enumerate(node.args):
        if called_name(argument).startswith("Reason."):
            other = _OTHER_REASON[ast.unparse(argument) == _OTHER_REASON[0]]
            yield Change("reason", argument, other)
            if len(node.args) > i + 1:
                yield _change("detail", node, _with(node, args=node.args[: i + 1]), scope)


def _kept_fields(node: ast.Call, scope: Scope) -> Iterator[Change]:
    """Let a field keep its old value."""
    for dropped in node.keywords:
        rest = [keyword for keyword in node.keywords if keyword is not dropped]
        yield _change("effect", node, _with(node, keywords=rest) if rest else node.args[0], scope)


# --- Statements --------------------------------------------------------------------------------------------------


def _bare(node: ast.Expr, _scope: Scope) -> Iterator[Change]:
    """Drop a call that stands alone: a guard, unless it updates a local collection. Drop what is yielded."""
    if isinstance(node.value, ast.Call):
        yield Change("effect" if isinstance(node.value.func, ast.Attribute) else "guard", node, "pass")
    if isinstance(node.value, ast.Yield | ast.YieldFrom):
        yield Change("effect", node, "pass")


def _raised(node: ast.Raise, _scope: Scope) -> Iterator[Change]:
    if node.exc is not None and called_name(node.exc) == "Rejection":
        yield Change("guard", node, "pass")


def _early_exit(node: ast.If, _scope: Scope) -> Iterator[Change]:
    """Drop an early exit: it guards what follows."""
    if not node.orelse and isinstance(node.body[-1], ast.Return | ast.Continue | ast.Break):
        yield Change("guard", node, "pass")


def _case(node: ast.match_case, scope: Scope) -> Iterator[Change]:
    """Let a case do nothing."""
    yield from _negated_guard(node, scope)
    if isinstance(node.body[-1], ast.Return) and node.body[-1].value is not None:
        yield Change("result", node.body[-1].value, "None")


def _assigned(node: ast.Assign | ast.AugAssign, scope: Scope) -> Iterator[Change]:
    """Drop an assignment to names that have values already."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    names = {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}
    if names <= _bound_before(node, scope.function):
        yield Change("effect", node, "pass")


def _bound_before(node: ast.stmt, function: Function) -> set[str]:
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    stored = (
        n.id
        for n in ast.walk(function)
        if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and n.lineno < node.lineno
    )
    return {argument.arg for argument in arguments} | set(stored)


def _returned(node: ast.Return, scope: Scope) -> Iterator[Change]:
    """Return another value of the same type: the negation, a neighbour, or less."""
    value, kind = node.value, scope.function.returns
    if value is None or kind is None:
        return
    annotation = ast.unparse(kind)
    if annotation == "bool":
        yield _negated("result", value, scope)
    if annotation in _INTEGERS:
        yield _change("result", value, ast.BinOp(value, ast.Add(), ast.Constant(1)), scope)
    for applies, suffix in (
        (annotation in _BYTES, "[::-1]"),
        (annotation.startswith("tuple["), "[1:]" if annotation.endswith("...]") else "[::-1]"),
    ):
        if applies:
            yield Change("result", value, f"({ast.unparse(value)}){suffix}")
    if annotation.endswith("| None"):
        yield Change("result", value, "None")
    if annotation.startswith("frozenset["):
        yield Change("result", value, "frozenset()")


def _unchanged(node: ast.Return, scope: Scope) -> Iterator[Change]:
    """Return an argument as it came, where the types allow it."""
    value, kind = node.value, scope.function.returns
    if value is None or kind is None:
        return
    annotation = ast.unparse(kind)
    if annotation.startswith("Accepted[") and isinstance(value, ast.Call) and value.args:
        annotation, value = annotation[len("Accepted[") : -1], value.args[0]
    for argument in scope.function.args.args:
        if argument.annotation is not None and ast.unparse(argument.annotation) == annotation:
            yield Change("result", value, argument.arg)


def _nothing_returned(function: Function) -> Iterator[Change]:
    """The last resort, for a function in which nothing else can be changed."""
    for node in ast.walk(function):
        if isinstance(node, ast.Return) and node.value is not None:
            yield Change("result", node.value, "None")


_MUTATORS: Final[Mapping[type[ast.AST], tuple[Mutator, ...]]] = {
    ast.Expr: (_bare,),
    ast.Raise: (_raised,),
    ast.Assign: (_assigned,),
    ast.AugAssign: (_assigned,),
    ast.Return: (_returned, _unchanged),
    ast.If: (_negated_test, _early_exit),
    ast.IfExp: (_negated_test,),
    ast.While: (_negated_test,),
    ast.comprehension: (_negated_filter,),
    ast.match_case: (_case,),
    ast.Compare: (_compare,),
    ast.BoolOp: (_logic,),
    ast.UnaryOp: (_negation,),
    ast.BinOp: (_arithmetic,),
    ast.Constant: (_constant,),
    ast.Name: (_named_constant,),
    ast.Attribute: (_field,),
    ast.Call: (_call,),
}

"""Countermodels in the field's terms: the values of a model as a reader of the core would write them."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import z3

MOST_ITEMS: Final = 9
"""So many items of a queue are shown."""


def values(model: z3.ModelRef, terms: dict[str, z3.ExprRef]) -> dict[str, str]:
    """Return the values of some terms, by name; an array with ends (a queue, a log) is shown as its items."""
    found: dict[str, str] = {}
    for name, term in sorted(terms.items()):
        ends = [terms.get(f"{name}.{end}") for end in ("head", "tail", "length")]
        if name.rpartition(".")[2] not in {"head", "tail", "length"} or name.rpartition(".")[0] not in terms:
            found[name] = _items(model, term, *ends) or shown(model.eval(term, model_completion=True))
    return found


def _items(model: z3.ModelRef, array: Any, head: Any, tail: Any, length: Any) -> str:
    """Return the items between the ends of an array; nothing if it has none."""
    if tail is None and length is None:
        return ""
    ends = (z3.IntVal(0) if head is None else head, length if tail is None else tail)
    first, last = (model.eval(end, model_completion=True).as_long() for end in ends)
    places = range(first, min(last, first + MOST_ITEMS))
    items = [shown(model.eval(array[place], model_completion=True)) for place in places]
    return f"[{', '.join([*items, *(['…'] if last > first + MOST_ITEMS else [])])}]"


def violated(model: z3.ModelRef, cases: Iterable[tuple[z3.BoolRef, z3.BoolRef]]) -> list[z3.BoolRef]:
    """Return the condition and the conclusion of the first case that a model speaks against."""
    for condition, conclusion in cases:
        if z3.is_true(model.eval(z3.And(condition, z3.Not(conclusion)), model_completion=True)):
            return [condition, conclusion]
    return []


def constants(formulas: Iterable[z3.ExprRef]) -> set[str]:
    """Return the names of the constants in some formulas."""
    found, seen, waiting = set[str](), set[int](), list(formulas)
    while waiting:
        term = waiting.pop()
        if term.get_id() not in seen:
            seen.add(term.get_id())
            waiting += [term.body()] if z3.is_quantifier(term) else term.children()
            if z3.is_const(term) and term.decl().kind() == z3.Z3_OP_UNINTERPRETED:
                found.add(term.decl().name())
    return found


def shown(value: z3.ExprRef) -> str:
    """Return a value: `⊥`, a member, a record as `Kind(field = value)`, a set, a map, a nameless value as `Sort#0`."""
    if isinstance(value.sort(), z3.DatatypeSortRef):
        return _datatype(value)
    if isinstance(value.sort(), z3.ArraySortRef):
        return _array(value)
    sort, mark, number = str(value).partition("!val!")
    return f"{sort}#{number}" if mark else str(value)


def _datatype(value: z3.ExprRef) -> str:
    sort, made = value.sort().name(), value.decl().name()
    parts = [shown(part) for part in value.children()]
    if made == f"none_{sort}":
        return "⊥"
    if made == f"make_{sort}":
        fields = ", ".join(f"{name} = {part}" for name, part in zip(_fields(value), parts, strict=True))
        return f"{sort.partition('_')[0]}({fields})"
    return parts[0] if len(parts) == 1 else made.removeprefix(f"{sort}_")


def _fields(value: z3.ExprRef) -> Iterator[str]:
    sort = value.sort()
    for index in range(value.num_args()):
        yield sort.accessor(0, index).name().removeprefix(f"{sort.name()}_")


def _array(value: z3.ExprRef) -> str:
    """Show a set by its members, and a map by its entries; what holds of all others comes last."""
    entries: dict[str, str] = {}
    while z3.is_store(value):
        value, key, item = value.children()
        entries.setdefault(shown(key), shown(item))
    other = shown(value.arg(0)) if z3.is_K(value) else "…"
    differing = {key: item for key, item in entries.items() if item != other}
    if other in {"True", "False"}:
        members = f"{{{', '.join(differing)}}}"
        return members if other == "False" else f"all but {members}" if differing else "all"
    return f"{{{', '.join([*(f'{key}: {item}' for key, item in differing.items()), f'else {other}'])}}}"

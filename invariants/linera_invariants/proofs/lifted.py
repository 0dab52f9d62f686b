"""Queries about shipped functions: what every path of a symbolic run claims."""

import builtins
from collections.abc import Callable, Iterator
from functools import cache
from inspect import unwrap
from types import FunctionType
from typing import Any, TypeAlias

import z3

from linera_reference.rejections import transition

from .queries import Query, witness
from .symbolic import Path, conj, disj, explore


def with_callees(function: Callable[..., Any], **callees: Any) -> Callable[..., Any]:
    """Return the shipped function with the names of some callees bound to their summaries: the same code object.

    A summary is a statement of its own, proved about the callee. An entry point stays one.
    """
    inner = unwrap(function)
    if not isinstance(inner, FunctionType):
        raise TypeError(f"{function!r} is no function")
    missing = sorted(set(callees) - set(inner.__globals__) - set(vars(builtins)))
    if missing:
        raise TypeError(f"{inner.__name__} calls no {', '.join(missing)}")
    names = {**inner.__globals__, **callees}
    copy = FunctionType(inner.__code__, names, inner.__name__, inner.__defaults__, inner.__closure__)
    copy.__kwdefaults__ = inner.__kwdefaults__
    return copy if inner is function else transition(copy)


def lifted(name: str, run: Callable[[], None], given: tuple[z3.BoolRef, ...] = ()) -> Iterator[Query]:
    """Run a function of no arguments on every path; yield a query per claim that its paths make, and its witnesses.

    ``given`` are axioms about symbols that no path decides.
    """
    claims: dict[str, list[Case]] = {}
    reached: dict[str, list[z3.BoolRef]] = {}
    inputs: dict[str, z3.ExprRef] = {}
    for path in explore(run):
        inputs |= path.inputs
        _collect(path, claims, reached)
    for label, cases in claims.items():
        goal = conj(*(z3.Implies(condition, conclusion) for condition, conclusion in cases))
        yield Query(f"{name}: {label}", given, goal, inputs, cases=tuple(cases))
    for label, conditions in reached.items():
        yield witness(f"{name}: {label}", (*given, disj(*conditions)))


Case: TypeAlias = tuple[z3.BoolRef, z3.BoolRef]


def _collect(path: Path, claims: dict[str, list[Case]], reached: dict[str, list[z3.BoolRef]]) -> None:
    under = cache(lambda count: conj(*path.conditions[:count]))  # on a path, conditions are added, and none is dropped
    for made in path.claims:
        cases = claims.setdefault(made.label, [])
        if not z3.is_true(z3.simplify(made.formula)):
            cases.append((under(len(made.conditions)), made.formula))
    for label, conditions in path.reached:
        reached.setdefault(label, []).append(conj(*conditions))

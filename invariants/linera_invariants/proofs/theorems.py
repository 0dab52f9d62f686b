"""The registry of theorems: what is assumed, what was proved about shipped functions, what follows.

A theorem is an entry (:mod:`.entries`); its proof is code in this package. ``formula`` registers
what an entry says where another one uses it, ``proof`` how its queries arise. A proof gets exactly the entries that it
lists under ``uses``: asking for another one is an error, and so is listing one that no proof asked for.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, TypeAlias, TypeVar

import z3
from attrs import field, frozen

from .entries import Theorem, theorems
from .queries import Query

Formula: TypeAlias = Callable[..., z3.BoolRef]
Proof: TypeAlias = Callable[["Given"], Iterable[Query]]
F = TypeVar("F", bound=Formula)
P = TypeVar("P", bound=Proof)

_FORMULAS: dict[str, Formula] = {}
_PROOFS: dict[str, Proof] = {}
_PROVING: list[str] = []
"""The entry whose proof runs now."""


def formula(name: str) -> Callable[[F], F]:
    """Register what an entry says about given terms."""

    def register(function: F) -> F:
        if name in _FORMULAS:
            raise ValueError(f"{name} is stated twice")
        _FORMULAS[name] = function
        return function

    return register


def proof(name: str) -> Callable[[P], P]:
    """Register how an entry is proved."""

    def register(function: P) -> P:
        if name in _PROOFS:
            raise ValueError(f"{name} is proved twice")
        _PROOFS[name] = function
        return function

    return register


@frozen
class Given:
    """The hypotheses of one proof. ``dropped`` is left out, to see whether it is needed; ``asked`` notes the rest."""

    theorem: Theorem
    dropped: str | None = None
    asked: set[str] = field(factory=set)

    def __call__(self, name: str, *terms: Any) -> z3.BoolRef:
        """Return what a used entry says about some terms."""
        if name not in self.theorem.uses:
            raise LookupError(f"{self.theorem.name} does not list {name} under uses")
        self.asked.add(name)
        return z3.BoolVal(True) if name == self.dropped else formulas()[name](*terms)


def said(name: str, *terms: Any) -> z3.BoolRef:
    """Return what an entry says about some terms: as a goal, in its own proof.

    Raises:
        LookupError: the proof of another entry runs; it has to list this one under uses, and to ask for it.
    """
    if _PROVING and _PROVING[-1] != name:
        raise LookupError(f"the proof of {_PROVING[-1]} says {name}: expected its own name, or one that it is given")
    return formulas()[name](*terms)


@cache
def _load() -> None:
    import_module(f"{__package__}.cells")
    for group in ("contracts", "network_theorems"):
        package = import_module(f"{__package__}.{group}")
        for module in iter_modules(package.__path__, f"{package.__name__}."):
            import_module(module.name)


def proofs() -> dict[str, Proof]:
    """Return the proofs by name of their entry."""
    _load()
    return _PROOFS


def formulas() -> dict[str, Formula]:
    """Return what entries say, by name of the entry."""
    _load()
    return _FORMULAS


def queries(name: str, dropped: str | None = None) -> Iterator[Query]:
    """Yield the queries of one proof; ``dropped`` is left out of its hypotheses.

    Raises:
        LookupError: at the end, if the entry lists a hypothesis that the proof never asked for.
    """
    theorem = theorems()[name]
    given = Given(theorem, dropped)
    yield from _proving(name, iter(proofs()[name](given)))
    if idle := sorted(set(theorem.uses) - given.asked):
        raise LookupError(f"{name} lists {', '.join(idle)} under uses, and its proof asks for none of it")


def _proving(name: str, found: Iterator[Query]) -> Iterator[Query]:
    """Note which proof runs, as long as it does: between two queries others may."""
    end = object()
    while True:
        _PROVING.append(name)
        try:
            query = next(found, end)
        finally:
            _PROVING.pop()
        if not isinstance(query, Query):
            return
        yield query


def disagreements() -> list[str]:
    """Compare the entries with the code; return what does not fit together."""
    known, proved = theorems(), set(proofs())
    order = list(known)
    problems = [f"{name}: proved, and no such entry" for name in sorted(proved - set(known))]
    problems += [f"{name}: stated as a formula, and no such entry" for name in sorted(set(_FORMULAS) - set(known))]
    for name, entry in known.items():
        if entry.has_proof != (name in proved):
            problems.append(f"{name}: an assumption or definition has no proof, and everything else has one")
        problems += [
            f"{name}: uses {used}, which does not come before it"
            for used in entry.uses
            if used not in order[: order.index(name)]
        ]
        if (entry.kind == "contract") != bool(entry.functions):
            problems.append(f"{name}: a contract speaks of functions, and nothing else does")
    return problems

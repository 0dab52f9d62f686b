"""Mutants of the proved functions: for every one some proof must fail, or a reviewed reason says why none does.

The mutants are those of the project's one mutation loader. A worker puts one into force and proves the contracts that
speak of its function, with Z3 alone, until something fails. Mutants that give another reason for a rejection are left
out: the theorems say what is rejected, and tests say with which reason.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from warnings import catch_warnings

from attrs import asdict, frozen

from linera_invariants.mutation import Mutant, applied, find, functions, mutants
from linera_invariants.specdata import spec_root
from linera_invariants.survivors import Survivor, read_survivors

from .entries import theorems
from .prover import proof_pool, sentence_of
from .queries import Query, ask
from .theorems import queries
from .timing import LateError, at_most

LEFT_OUT: Final = {"reason", "detail"}
LIMIT: Final = 10.0
"""Seconds for one entry under one mutant; a proof that takes longer is not found."""
GLANCE: Final = 0.5
"""Seconds for a query at first: another one may fail at once while this one takes long."""


@frozen
class Attack:
    """A mutant, and the contracts that speak of its function."""

    mutant: str
    entries: tuple[str, ...]


@frozen
class Noticed:
    """The proof that a mutant makes fail, and how it fails; ⊥ if all go through."""

    mutant: str
    by: str | None
    how: str | None = None


@frozen
class ProofMutants:
    """What became of the mutants, and the reviewed reasons that do not fit them."""

    noticed: tuple[Noticed, ...]
    excuses: Mapping[str, Survivor]
    stale: tuple[str, ...]
    seconds: float

    @property
    def survivors(self) -> list[str]:
        """The mutants that no proof notices."""
        return [found.mutant for found in self.noticed if found.by is None]

    @property
    def unexcused(self) -> list[str]:
        """The survivors without a reviewed reason."""
        return [mutant for mutant in self.survivors if mutant not in self.excuses]

    @property
    def holds(self) -> bool:
        """Whether every mutant is noticed or excused, and no excuse is stale."""
        return not self.unexcused and not self.stale

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data."""
        return {
            "holds": self.holds,
            "tried": len(self.noticed),
            "seconds": round(self.seconds, 3),
            "noticed": [asdict(found) for found in self.noticed if found.by is not None],
            "survivors": [self._row(mutant) for mutant in self.survivors],
            "stale": list(self.stale),
        }

    def _row(self, mutant: str) -> dict[str, str | None]:
        excuse = self.excuses.get(mutant)
        said = None if excuse is None else f"{excuse.why}: {excuse.sentence}"
        return {"mutant": mutant, "diff": find(mutant).description, "excuse": said}

    def lines(self) -> Iterator[str]:
        """Say what is wrong, and what it all comes to."""
        for mutant in self.unexcused:
            yield f"{mutant}: every proof goes through"
            yield from (f"    {row}" for row in find(mutant).description.splitlines()[3:])
        yield from self.stale
        how = Counter(found.how for found in self.noticed if found.by is not None)
        ways = ", ".join(f"{count} {word}" for word, count in sorted(how.items(), key=str))
        excused = len(self.survivors) - len(self.unexcused)
        total = sum(how.values())
        yield f"code mutants: {total} of {len(self.noticed)} noticed ({ways}), {excused} excused ({self.seconds:.0f} s)"


# --- What to try -------------------------------------------------------------------------------------------------


def speaking_of(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Map each function to the contracts among some entries that speak of it, those that use little first."""
    found: dict[str, tuple[str, ...]] = {}
    for name in sorted(names, key=lambda name: len(theorems()[name].uses)):
        for function in theorems()[name].functions:
            found[function] = (*found.get(function, ()), name)
    return found


def tried(function: str) -> list[Mutant]:
    """Return the mutants of a function that proofs must notice. A record has none: its methods are generated."""
    if function not in functions():
        return []
    return [mutant for mutant in mutants(function) if mutant.kind not in LEFT_OUT]


def attacks(names: Iterable[str]) -> list[Attack]:
    """Return what to try, function by function."""
    return [Attack(m.id, entries) for function, entries in speaking_of(names).items() for m in tried(function)]


# --- In a worker -------------------------------------------------------------------------------------------------


def attack(task: Attack) -> Noticed:
    """Prove the contracts under a mutant, up to the first proof that fails. Running out of time is the last resort."""
    late = Noticed(task.mutant, None)
    with catch_warnings(action="ignore", category=SyntaxWarning), applied(find(task.mutant)):
        for name in task.entries:
            try:
                with at_most(LIMIT):
                    failed = first_failure(name)
            except LateError:
                late = Noticed(task.mutant, f"{name}: no proof after {LIMIT:g} s", "late")
                continue
            except Exception as error:  # noqa: BLE001 - the mutant left the provable subset, or broke the proof's code
                failed = sentence_of(error), "error"
            if failed is not None:
                return Noticed(task.mutant, f"{name}: {failed[0]}", failed[1])
    return late


def first_failure(name: str) -> tuple[str, str] | None:
    """Return a query of an entry that Z3 does not answer as the proof needs, and how it answers."""
    slow: list[Query] = []
    for query in queries(name):
        answer = ask(query, "z3", seconds=GLANCE).answer
        if answer == "unknown":
            slow.append(query)
        elif (answer == "countermodel") is not query.expect_model:
            return query.name, "no witness" if query.expect_model else answer
    return next((found for found in map(_failure, slow) if found), None)


def _failure(query: Query) -> tuple[str, str] | None:
    result = ask(query, "z3")
    return None if result.is_expected(query) else (query.name, result.answer)


# --- Running -----------------------------------------------------------------------------------------------------


def run_mutants(tasks: Sequence[Attack], progress: Callable[[str], None]) -> ProofMutants:
    """Try mutants, and compare the survivors with the reviewed ones."""
    began, excuses = time.monotonic(), reviewed()
    found: dict[str, Noticed] = {}
    with proof_pool() as pool:
        for noticed in pool.imap_unordered(attack, tasks):
            found[noticed.mutant] = noticed
            progress(noticed.mutant)
    in_order = tuple(found[task.mutant] for task in tasks)
    return ProofMutants(in_order, excuses, tuple(stale(excuses, in_order)), time.monotonic() - began)


def stale(excuses: Mapping[str, Survivor], noticed: Iterable[Noticed]) -> Iterator[str]:
    """Yield the excuses for mutants that do not exist, and for those that some proof notices."""
    killers = {found.mutant: found.by for found in noticed}
    known = {task.mutant for task in attacks(theorems())}
    for mutant in excuses:
        if mutant not in known:
            yield f"{mutant}: excused, and there is no such mutant"
        elif killers.get(mutant) is not None:
            yield f"{mutant}: excused, and noticed by {killers[mutant]}: remove the excuse"


def reviewed() -> dict[str, Survivor]:
    """Read the reviewed reasons why no proof notices a mutant. Raises: SpecError."""
    return read_survivors(spec_root() / "statements" / "theorem-survivors.toml")

"""Ask one solver about entries, plain or with a mutant of the core in force."""

from collections.abc import Iterator

from linera_invariants.mutation import Mutant, applied
from linera_invariants.proofs.queries import ask
from linera_invariants.proofs.theorems import queries


def unproved(entry: str, dropped: str | None = None) -> Iterator[str]:
    """Yield the queries of an entry that Z3 does not answer as they need."""
    return (query.name for query in queries(entry, dropped) if not ask(query, "z3").is_expected(query))


def sees(entry: str, mutant: Mutant) -> bool:
    """Whether the proof of an entry fails when the core runs the mutant."""
    with applied(mutant):
        return any(unproved(entry))

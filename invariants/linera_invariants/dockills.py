"""The computed page of the kill matrices: what vectors and checkers notice, and who survives and why."""

from collections import Counter

from .kills import GRADED, Graded, KillReport, judge, read_matrix
from .markdown import page, plain, table
from .matrix import Matrix as Traceability

MOST_ALONE = 40
"""Vectors that the table of the indispensable ones shows."""


def kills_page(_: Traceability) -> str:
    """Both matrices."""
    return page("Kill matrix", _ABOUT, *(part for graded in GRADED.values() for part in _graded(graded)))


_ABOUT = """
A *mutant* is the core with one small wrong change: a guard dropped, a comparison turned, a constant off by one, an
effect lost, arguments swapped, another threshold. The *kill matrix* says which vectors notice which mutant, and which
of our own checkers do. It is committed with the digest of the core that it was made for (`spec/vectors/v1/kills.json`,
`spec/statements/checker-kills.json`); `linera-reference kills` compares it with the core and runs a sample again, and
`linera-reference kills --make` makes it anew. At most thirty vectors, or three checkers, are noted per mutant; a mutant
that one alone notices was shown to all that touch it.
"""


def _graded(graded: Graded) -> tuple[str, ...]:
    found = judge(graded, read_matrix(graded))
    head = (f"## {graded.title}", f"{plain(found.summary())}.", _by_module(found))
    return (*head, _smoke(found), _alone(found), _survivors(found)) if graded.survivors else (*head, _checks(found))


def _by_module(found: KillReport) -> str:
    every, killed = (Counter(m.partition(":")[0] for m in ms) for ms in (found.matrix.kills, found.matrix.killed))
    rows = ((f"`{name}`", str(every[name]), str(killed[name])) for name in sorted(every))
    return table(("Module", "Mutants", "Killed"), rows)


def _smoke(found: KillReport) -> str:
    return f"The `smoke` subset has {len(found.matrix.smoke)} vectors; together they kill as much as all."


def _alone(found: KillReport) -> str:
    alone = sorted(found.matrix.alone().items(), key=lambda pair: (-len(pair[1]), pair[0]))
    rows = ((f"`{name}`", str(len(mutants)), " ".join(f"`{m}`" for m in mutants[:3])) for name, mutants in alone)
    about = f"{len(alone)} vectors are the only ones to notice some mutant. The most indispensable:"
    return f"### Alone\n\n{about}\n\n{table(('Vector', 'Mutants', 'such as'), list(rows)[:MOST_ALONE])}"


def _survivors(found: KillReport) -> str:
    rows = ((f"`{one.mutant}`", one.why, plain(one.sentence)) for one in found.reviewed.values())
    about = (
        "Reviewed one by one. `equivalent`: no operation answers any input differently. `out of reach`: some input "
        "tells the difference, and no vector can carry it, or may demand the answer."
    )
    return f"### Survivors\n\n{about}\n\n{table(('Mutant', 'Why', ''), rows)}"


def _checks(found: KillReport) -> str:
    counts = Counter(
        check for by in found.matrix.kills.values() for check in {check for checks in by.values() for check in checks}
    )
    rows = ((f"`{check}`", str(count)) for check, count in sorted(counts.items()))
    about = (
        "Which checks noticed how many mutants: statements, expectations of scenarios, a machine's own `model`, "
        "a `crash`, or `no end`."
    )
    return f"{about}\n\n{table(('Check', 'Mutants'), rows)}"

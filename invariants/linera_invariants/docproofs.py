"""Pages of the documentation about the theorems: the picture, a page for each, and the comparison with public names."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from inspect import getsource
from typing import Any, Final

from attrs import frozen

from .markdown import code, page, plain, table, to, to_theorem
from .matrix import Matrix
from .processes import worker_pool
from .proofs import missing_solvers
from .proofs.crosswalk import WORDS, PublicName, comparisons
from .proofs.entries import KINDS, Theorem, closure
from .proofs.pictures import dependency_graph

OURS: Final = "linera_invariants"

# --- The list of all ---------------------------------------------------------------------------------------------


def theorems_page(matrix: Matrix) -> str:
    """All theorems: the picture, then a table for each file."""
    entries = {theorem.name: theorem for theorem in matrix.theorems}
    counts = Counter(theorem.kind for theorem in matrix.theorems)
    amounts = ", ".join(f"{counts[kind]} {kind}s" for kind in KINDS)
    files = dict.fromkeys(theorem.file for theorem in matrix.theorems)
    return page(
        "Theorems",
        _ABOUT,
        f"{amounts}.",
        "## What uses what",
        _PICTURE.format(dependency_graph(entries)),
        *(_list(file, matrix) for file in files),
    )


_ABOUT = """
What is assumed, what is proved about shipped functions (contracts), and what follows for any number of validators,
chains, heights and messages. `linera-reference prove` proves all of it anew, and CI fails when one entry is not
proved. [How the proofs hang on the code](../proofs/index.md) explains the layers.
"""
_PICTURE = """
Dashed boxes are assumptions, dotted ones definitions, blue ones contracts, yellow ones lemmas, green ones theorems.
What a box uses stands to its left; the lines of the box under the pointer stand out. Lines that follow from others
are left out.

```{{raw}} html
<div class="picture">
{}</div>
```
"""


def _list(file: str, matrix: Matrix) -> str:
    rows = (
        (to_theorem(theorem.name), theorem.kind, plain(theorem.sentence), " ".join(map(to, theorem.proves)))
        for theorem in matrix.theorems
        if theorem.file == file
    )
    title = file.rpartition("/")[2].removesuffix(".toml").partition("-")[2].replace("-", " ").capitalize()
    return f"## {title}\n\n{table(('Entry', 'Kind', 'Says', 'Proves'), rows)}"


# --- A page for each ---------------------------------------------------------------------------------------------


@frozen
class Workings:
    """What the code knows of an entry: the formula that others use, its proof, its queries and which are witnesses."""

    formula: Any = None
    proof: Any = None
    queries: tuple[tuple[str, bool], ...] = ()


def theorem_pages(matrix: Matrix) -> dict[str, str]:
    """Return a page for each theorem, by name of the file."""
    workings = workings_of(theorem.name for theorem in matrix.theorems)
    survivors = survivors_of() if workings else {}
    return {
        f"theorems/{theorem.name}": theorem_page(matrix, theorem, workings.get(theorem.name), survivors)
        for theorem in matrix.theorems
    }


def theorem_page(
    matrix: Matrix, theorem: Theorem, workings: Workings | None, survivors: Mapping[str, list[str]]
) -> str:
    """Write the page of one theorem."""
    text = page(
        f"{theorem.name}: {plain(theorem.title)}",
        _facts(matrix, theorem),
        "## Informally",
        plain(theorem.sentence),
        *_formally(workings),
        *_assumptions(matrix, theorem),
        *_proof(theorem, workings),
        *_broken(theorem, survivors),
    )
    return f"---\norphan: true\n---\n\n(theorem-{theorem.name})=\n{text}"


def _facts(matrix: Matrix, theorem: Theorem) -> str:
    users = [other.name for other in matrix.theorems if theorem.name in other.uses]
    facts = {
        "proves": " ".join(map(to, theorem.proves)),
        "clauses": ", ".join(map(to, theorem.clauses)),
        "functions": ", ".join(code(name) for name in theorem.functions),
        "used by": ", ".join(map(to_theorem, users)),
        "in the public specification": ", ".join(f"{name} ({word})" for name, word in theorem.public),
    }
    known = "\n".join(f"* {name}: {text}" for name, text in facts.items() if text)
    return f"[All theorems](../theorems.md) · *{theorem.kind}*\n\n{known}"


def _formally(workings: Workings | None) -> Iterator[str]:
    if workings is not None and workings.formula is not None:
        yield "## Formally"
        yield f"What it says of given terms, wherever another proof uses it: {_link(workings.formula)}."
        yield _source(workings.formula)


def _assumptions(matrix: Matrix, theorem: Theorem) -> Iterator[str]:
    entries = {other.name: other for other in matrix.theorems}
    without = dict(theorem.without)
    if theorem.uses:
        yield "## Assumptions"
        yield table(
            ("Uses", "", "Without it"),
            ((to_theorem(name), _kind(entries, name), plain(without.get(name, ""))) for name in theorem.uses),
        )
    below = [name for name in closure([theorem.name]) if name != theorem.name]
    for kind in ("assumption", "definition"):
        if named := [to_theorem(name) for name in below if entries[name].kind == kind]:
            yield f"In the end it rests on the named {kind}s {', '.join(named)}."


def _kind(entries: Mapping[str, Theorem], name: str) -> str:
    return f"{plain(entries[name].title)} *({entries[name].kind})*" if name in entries else ""


def _proof(theorem: Theorem, workings: Workings | None) -> Iterator[str]:
    if not theorem.has_proof:
        return
    yield "## Proof"
    if workings is None or workings.proof is None:
        yield "This site was built without the solvers, so the queries are not listed."
        return
    yield f"Built by {_link(workings.proof)}; each solver is asked each query, Z3 alone for the witnesses."
    rows = ((plain(name), "a model exists" if is_witness else "always holds") for name, is_witness in workings.queries)
    yield table(("Query", "Must be shown"), rows)
    yield f"<details><summary>The code of the proof</summary>\n\n{_source(workings.proof)}\n</details>"


def _broken(theorem: Theorem, survivors: Mapping[str, list[str]]) -> Iterator[str]:
    if theorem.functions:
        yield "## Mutants"
        yield "`linera-reference prove --mutants` breaks the functions, one edit at a time: some proof must fail."
        yield "\n".join(f"* {line}" for name in theorem.functions for line in survivors.get(name, ()))


def _link(function: Any) -> str:
    name = f"{function.__module__.removeprefix(OURS + '.')}:{function.__name__}"
    return code(name, function.__name__, OURS)


def _source(function: Any) -> str:
    return f"```python\n{getsource(function)}```"


# --- What the code knows -----------------------------------------------------------------------------------------


def workings_of(names: Iterable[str]) -> dict[str, Workings]:
    """Build the queries of some entries; without solvers nothing is known."""
    if missing_solvers():
        return {}
    from .proofs.prover import Task, do  # noqa: PLC0415 - needs the solvers
    from .proofs.theorems import formulas, proofs  # noqa: PLC0415

    chosen = list(names)
    tasks = [Task(name, solvers=(), gate=False) for name in chosen if name in proofs()]
    with worker_pool(1) as pool:  # one after the other: what one builds, the next ones need not build again
        built = {found.name: found for found in pool.imap(do, tasks)}
    rows = {name: tuple((query.name, query.is_witness) for query in found.asked) for name, found in built.items()}
    return {name: Workings(formulas().get(name), proofs().get(name), rows.get(name, ())) for name in chosen}


def survivors_of() -> dict[str, list[str]]:
    """Return for each function how many mutants there are, and those that no proof notices."""
    from .proofs.code_mutants import reviewed, speaking_of, tried  # noqa: PLC0415 - needs the solvers
    from .proofs.entries import theorems  # noqa: PLC0415

    excuses = reviewed().values()
    found: dict[str, list[str]] = {}
    for function in speaking_of(theorems()):
        own = [excuse for excuse in excuses if excuse.mutant.rpartition(":")[0].rpartition(":")[0] == function]
        lines = (f"not noticed: `{one.mutant}`: {one.why}: {plain(one.sentence)}" for one in own)
        found[function] = [f"{code(function)}: {len(tried(function))} mutants", *lines]
    return found


# --- Public names ------------------------------------------------------------------------------------------------


def crosswalk_page(matrix: Matrix) -> str:
    """How ours compare with the named statements of the public prose specification."""
    compared = [(public, comparisons(public, matrix.theorems)) for public in matrix.public]
    counts = Counter(word for _, found in compared for word in found)
    amounts = ", ".join(f"{counts[word]} {word}" for word in WORDS)
    return page(
        "Cross-walk",
        _CROSSWALK_ABOUT,
        f"{len(compared)} names: {amounts}.",
        table(
            ("Public name", "Kind", "Says that", "Ours", ""),
            (_public_row(matrix, public, found) for public, found in compared),
        ),
    )


_CROSSWALK_ABOUT = """
The public implementation comes with a prose specification of its own (`linera-spec`), whose definitions, assumptions
and statements have names. This is how ours compare: *same*, *stronger* and *weaker* mean ours against theirs;
*different protocol* is about something that chains with one owner do not have; *not covered* could be said here and is
not. What theirs leaves out and ours has: delivery of messages (an outbox drains, nothing is lost), the exact results of
execution, ownership and closing, audits.
"""


def _public_row(matrix: Matrix, public: PublicName, found: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    entries = {theorem.name for theorem in matrix.theorems}
    links = {
        word: [to_theorem(name) if name in entries else to(name) for name in names] for word, names in found.items()
    }
    ours = "<br>".join(f"**{word}** {' '.join(names)}" for word, names in links.items())
    return f"`{public.name}`", public.kind, plain(public.says), ours, plain(public.why)

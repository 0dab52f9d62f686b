"""Pages of the documentation that are computed: symbols, reasons, statements, theorems, matrix, scenarios, vectors.

They are MyST Markdown for Sphinx. The same sources give the same bytes. Clauses, decisions, statements and reasons are
link targets under their own IDs; code is linked by its Python name.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from linera_reference.notation import SYMBOLS

from .clauses import AlgorithmLine, Clause, Statement
from .dockills import kills_page
from .docproofs import crosswalk_page, theorem_pages, theorems_page
from .explorer.model import asked_by_models
from .links import CodeLink, Marker, PredicateLink, ReasonLink, Test
from .markdown import code, fold, page, plain, table, to, to_theorem
from .matrix import Matrix, Row, build_matrix, check_matrix
from .peer import Expectations, Vector, peer_folder, read_expectations, read_folder
from .play import play_scenario
from .priorities import EntryPoint, entry_points
from .scenarios import OPERATIONS, STEPS, Scenario, read_scenario, shipped_scenarios
from .sources import core_root, definitions, package
from .verify import WITNESSES


def generate(outdir: Path) -> tuple[Path, ...]:
    """Write every computed page; a page that would not change is left alone. Returns their paths."""
    matrix = build_matrix()
    outdir.mkdir(parents=True, exist_ok=True)
    pages = {name: write(matrix) for name, write in PAGES.items()} | theorem_pages(matrix)
    return tuple(_write(outdir / f"{name}.md", text) for name, text in pages.items())


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")
    return path


# --- Symbols -----------------------------------------------------------------------------------------------------


def symbols_page(_: Matrix) -> str:
    """The symbol table of the notation."""
    rows = ((_symbol(symbol), plain(meaning), _named(names)) for symbol, meaning, names in SYMBOLS)
    about = f"How the notation of the chapters is written in the code. Data types follow {to('WP-2.3-DATA-TYPE')}."
    return page("Symbols", about, table(("Symbol", "Meaning", "In the code"), rows))


def _symbol(symbol: str) -> str:
    return re.sub(r"\\?\^(\w+)", r"{sup}`\1`", plain(symbol))


def _named(names: str) -> str:
    """Link each of some names, such as `crypto.Scheme.hash` or a class of any module."""
    return ", ".join(code(_located(name), name) for name in names.split(", ")) if names != "None" else "`None`"


def _located(name: str) -> str:
    """Return what has an entry on an API page: a field is found at its class; a class may go without its module."""
    first, *rest = name.split(".")
    if first.islower():
        return f"{first}:{rest[0]}"
    (module,) = (source.name for source in package(core_root()) if first in dict(definitions(source.tree)))
    return f"{module}:{first}"


# --- Reasons -----------------------------------------------------------------------------------------------------


def reasons_page(matrix: Matrix) -> str:
    """Every reason: what it says, its clause, who rejects with it, and its place at each entry point."""
    points = entry_points(core_root())
    return page(
        "Reasons",
        _REASONS_ABOUT,
        "## By entry point",
        _PRIORITY_ABOUT,
        *(_entry_point(point) for point in points),
        "## All reasons",
        *(_reason(matrix, reason, points) for reason in matrix.reasons),
    )


_REASONS_ABOUT = """
A rejection always carries one of these reasons. The enumeration is closed: two meanings are two members, and any other
exception is a bug. A rejected input leaves the state as it was ([WP-2.8-ATOMIC](#WP-2.8-ATOMIC)).
"""
_PRIORITY_ABOUT = """
If several reasons apply to one input, the entry point reports the first of its list, except that a loop comes back to
its earlier guards for each further item. The lists are read from the source: guards in the order in which they are
evaluated, those of called functions at the place of the call. A reason that several guards give stands at the first
of them; the guard tables of the chapters tell them apart. The lists may name a reason that an earlier guard makes
unreachable. The reasons of the application are those of the bundled ones. The encoder's OUT_OF_RANGE is left out: it
rejects a value of the wrong range wherever this is first encoded or hashed.
"""


def _entry_point(point: EntryPoint) -> str:
    numbered = "\n".join(f"{number}. {_ranked(name)}" for number, name in enumerate(point.reasons, 1))
    kind = "" if point.is_transition else "\n\nRaises its rejections; used by itself and inside transitions."
    return f"### {_function(point.name)}\n\n{code(point.name)}{kind}\n\n{{.columns}}\n{numbered}\n"


def _ranked(name: str) -> str:
    return f"those of {code(name)}" if ":" in name else f"[`{name}`](#{name})"


def _function(name: str) -> str:
    return plain(name.partition(":")[2])


def _reason(matrix: Matrix, reason: ReasonLink, points: Iterable[EntryPoint]) -> str:
    lines = [line.id for line in matrix.spec.lines.values() if line.reason == reason.name]
    ranks = (
        f"{point.reasons.index(reason.name) + 1} in {code(point.name, _short(point.name))}"
        for point in points
        if reason.name in point.reasons
    )
    facts = {
        "clause": to(reason.clause) if reason.clause else "",
        "rejects": ", ".join(_raiser(matrix, name) for name in reason.raised),
        "lines": ", ".join(f"`{line}`" for line in lines),
        "place": ", ".join(ranks),
    }
    known = "\n".join(f"* {name}: {text}" for name, text in facts.items() if text)
    return f"({reason.name})=\n### {plain(reason.name)}\n\n{plain(reason.sentence)}\n\n{known}\n"


def _short(name: str) -> str:
    return name.partition(":")[2]


def _raiser(matrix: Matrix, name: str) -> str:
    """Link a public function; a private one has no page."""
    return code(name) if any(link.name == name for link in matrix.code) else f"`{name.replace(':', '.')}`"


# --- Statements --------------------------------------------------------------------------------------------------


def statements_page(matrix: Matrix) -> str:
    """Every statement: sentence, kind, clauses, what it uses, its predicate, and how it is established."""
    known = matrix.spec.statements.values()
    claims = [statement for statement in known if statement.kind == "claim"]
    others = [statement for statement in known if statement.kind != "claim"]
    return page(
        "Statements",
        _STATEMENTS_ABOUT,
        "## The seven claims",
        table(_CLAIM_HEADER, (_claim_row(matrix, claim) for claim in claims)),
        "## All statements",
        *(_statement(matrix, statement) for statement in (*claims, *others)),
    )


_STATEMENTS_ABOUT = """
A statement has a stable name, one sentence, a formal predicate, and the statements that the argument for it uses. The
predicate is the very code that the machines and scenarios check. How each is established is said in the words of the
[evidence vocabulary](../evidence.md), and `linera-reference verify` establishes it anew. A claim has no predicate of
its own: it is as good as the weakest statement that it rests on.
"""


_CLAIM_HEADER = ("Claim", "Rests on", "Not counted as tested unless it met", "Established")


def _claim_row(matrix: Matrix, claim: Statement) -> tuple[str, ...]:
    witnesses = plain(", ".join(WITNESSES.get(claim.id, ())))
    return (
        f"{to(claim.id)} {plain(claim.title)}",
        " ".join(map(to, claim.uses)),
        witnesses,
        established(matrix, claim),
    )


def established(matrix: Matrix, statement: Statement) -> str:
    """Return the word for how a statement is established: of a claim, that of the weakest statement it rests on."""
    if statement.kind == "claim":
        words = [established(matrix, matrix.spec.statements[name]) for name in statement.uses]
        return max(words, key=_WORDS.index, default="Claimed")
    if not statement.unproved and any(statement.id in theorem.proves for theorem in matrix.theorems):
        return "Proved"
    if all(link.statement != statement.id for link in matrix.predicates):
        return "Claimed"
    return "Exhausted" if statement.id in asked_by_models() else "Tested"


_WORDS = ("Proved", "Exhausted", "Tested", "Claimed")
"""The strongest first."""


def _statement(matrix: Matrix, statement: Statement) -> str:
    others = matrix.spec.statements.values()
    facts = {
        "established": established(matrix, statement),
        "clauses": ", ".join(map(to, statement.clauses)),
        "not proved of it": plain(statement.unproved),
        "uses": ", ".join(map(to, statement.uses)),
        "used by": ", ".join(to(other.id) for other in others if statement.id in other.uses),
        "predicate": ", ".join(_predicate(link) for link in matrix.predicates if link.statement == statement.id),
        "theorems": ", ".join(
            to_theorem(theorem.name) for theorem in matrix.theorems if statement.id in theorem.proves
        ),
    }
    known = "\n".join(f"* {name}: {text}" for name, text in facts.items() if text)
    title = f"{statement.id}: {plain(statement.title)}"
    return f"({statement.id})=\n### {title}\n\n*{statement.kind}*\n\n{plain(statement.sentence)}\n\n{known}\n"


def _predicate(link: PredicateLink) -> str:
    return code(link.function, link.function.rpartition(".")[2].replace(":", "."), "linera_invariants")


# --- Traceability ------------------------------------------------------------------------------------------------


def matrix_page(matrix: Matrix) -> str:
    """The table clause, code, statement and predicate, theorem, test, vector; below it the lines of the algorithms."""
    return page(
        "Traceability",
        _MATRIX_ABOUT,
        _matrix_counts(matrix),
        *(_chapter(section, rows) for section, rows in _by_section(matrix.rows).items()),
        "## Lines of the algorithms",
        "Guards and effects are marked in the code with the number of their line; control flow need not be.",
        *(_algorithm(heading, lines, matrix.markers) for heading, lines in _by_heading(matrix).items()),
        _missing(matrix),
    )


_MATRIX_ABOUT = """
Which code implements a clause, which statements and predicates formalize it, which theorems and tests name it, which
vectors exercise it. The
table is computed from the decorators and comments of the code and the marks of the tests. When something is missing or
stale, `linera-reference matrix --check` fails; `linera-reference explain ID` shows one row in full. The code of a
property is the predicate of its statement.
"""


def _matrix_counts(matrix: Matrix) -> str:
    counts = {
        "clauses": len(matrix.spec.clauses),
        "decisions": sum(1 for decision in matrix.spec.decisions.values() if decision.clauses),
        "lines of algorithms": len(matrix.spec.lines),
        "statements": len(matrix.spec.statements),
        "predicates": len(matrix.predicates),
        "reasons": len(matrix.reasons),
        "vectors": len(matrix.vectors),
        "tests that name clauses": sum(1 for test in matrix.tests if test.clauses),
    }
    return ", ".join(f"{count} {name}" for name, count in counts.items()) + "."


def _by_section(rows: Iterable[Row]) -> Mapping[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.clause.section, []).append(row)
    return found


def _chapter(section: str, rows: Iterable[Row]) -> str:
    cells = table(("Clause", "Code", "Statements", "Theorems", "Tests", "Vectors"), map(_matrix_row, rows))
    return f"## Section {section}\n\n{cells}"


def _matrix_row(row: Row) -> tuple[str, ...]:
    theorems = "<br>".join(to_theorem(theorem.name) for theorem in row.theorems)
    vectors = fold(str(len(row.vectors)), (f"`{vector.name}`" for vector in row.vectors))
    cells = _clause_cell(row.clause), _code_cell(row.code), _statement_cell(row), theorems, _tests_cell(row.tests)
    return *cells, vectors


def _clause_cell(clause: Clause) -> str:
    return f"{to(clause.id)}<br>{plain(clause.title)} *({clause.kind.value})*"


def _code_cell(links: Iterable[CodeLink]) -> str:
    return "<br>".join(code(link.name) for link in links)


def _statement_cell(row: Row) -> str:
    return fold(" ".join(map(to, row.statements)), map(_predicate, row.predicates))


def _tests_cell(tests: Iterable[Test]) -> str:
    names = [f"{Path(test.file).stem}: {plain(_short(test.name.replace('::', ':', 1)))}" for test in tests]
    return fold(str(len(names)), names)


def _by_heading(matrix: Matrix) -> Mapping[str, list[AlgorithmLine]]:
    found: dict[str, list[AlgorithmLine]] = {}
    for line in matrix.spec.lines.values():
        found.setdefault(f"{Path(line.file).stem}: {line.heading}", []).append(line)
    return found


def _algorithm(heading: str, lines: Iterable[AlgorithmLine], markers: Iterable[Marker]) -> str:
    marked = list(markers)
    rows = ((f"`{line.id}`", f"`{line.text.strip()}`".replace("|", r"\|"), _places(line, marked)) for line in lines)
    return f"### {plain(heading)}\n\n{table(('Line', 'Says', 'Code'), rows)}"


def _places(line: AlgorithmLine, markers: Iterable[Marker]) -> str:
    return "<br>".join(code(marker.function) for marker in markers if marker.id == line.id)


def _missing(matrix: Matrix) -> str:
    problems = check_matrix(matrix)
    return "\n".join(["## Missing", "", *(f"* {plain(str(problem))}" for problem in problems)]) if problems else ""


# --- Scenarios ---------------------------------------------------------------------------------------------------


def scenarios_page(_: Matrix) -> str:
    """Each scenario as it was played with ideal signatures, and the steps that scenario files may contain."""
    return page(
        "Scenarios",
        _SCENARIOS_ABOUT,
        *(_scenario(read_scenario(path)) for path in shipped_scenarios()),
        "## Steps and operations",
        "The full format is `spec/schemas/scenario.schema.json`.",
        table(("`do` of a step", "What it does"), _described(STEPS)),
        table(("`do` of an operation", "What it does"), _described(OPERATIONS)),
    )


_SCENARIOS_ABOUT = """
Runs that come with the specification, in `spec/scenarios/`. Each is played here with ideal signatures; every predicate
is checked after every action, and what the file expects is compared. `linera-reference run FILE` plays one with
Ed25519 keys. Indented lines tell the deliveries between chains inside a validator.
"""


def _scenario(scenario: Scenario) -> str:
    result = play_scenario(scenario, "ideal").result()
    clauses = f"Shows {', '.join(map(to, scenario.clauses))}." if scenario.clauses else ""
    verdict = "holds" if result.holds else "**does not hold**"
    counts = f"{result.actions} actions, {result.certificates} certificates, {result.expectations} expectations"
    story = "\n".join(result.story)
    parts = (plain(scenario.title) + ".", plain(scenario.about), clauses, f"{counts}: {verdict}.")
    text = "\n\n".join(filter(None, parts))
    return f"## {scenario.name}\n\n{text}\n\n````{{dropdown}} The story\n```text\n{story}\n```\n````\n"


def _described(kinds: Mapping[type, str]) -> Iterator[tuple[str, str]]:
    for kind, name in kinds.items():
        yield f"`{name}`", plain((kind.__doc__ or "").partition("\n")[0])


# --- Peer vectors ------------------------------------------------------------------------------------------------


def peer_page(_: Matrix) -> str:
    """What is expected of the peer vectors: which agree, which differ by a decision, which need a later step."""
    vectors = read_folder(peer_folder())
    expected = read_expectations(peer_folder() / "expected.toml", vectors)
    files = dict.fromkeys(vector.file for vector in vectors)
    later = sorted(expected.later.values(), key=lambda entry: (entry.roadmap, entry.vector))
    return page(
        "Peer vectors",
        _PEER_ABOUT,
        table(_PEER_HEADER, (_peer_row(file, vectors, expected) for file in files)),
        "## Differences by decision",
        "In the named steps the reference does something else, and it is checked what.",
        table(
            ("Vector", "Decision", "Why"),
            ((f"`{d.vector}`", to(d.decision), plain(d.why)) for d in expected.differences.values()),
        ),
        "## Later",
        "Vectors that need a step of the roadmap, in whole or in part. An entry that agrees must leave this list.",
        table(("Vector", "Step", "Why"), ((f"`{x.vector}`", str(x.roadmap), plain(x.why)) for x in later)),
    )


_PEER_ABOUT = """
Inputs and outcomes of the public implementation's own unit tests and rules, replayed on the handlers of the reference
by `linera-reference verify`. Where they come from, their format and how their words are read is said in
`spec/vectors/peer/README.md`. A vector that is not listed below must agree in every assertion.
"""
_PEER_HEADER = ("File", "Vectors", "Agree in full", "Differ by decision", "Later")


def _peer_row(file: str, vectors: Iterable[Vector], expected: Expectations) -> tuple[str, ...]:
    names = {vector.id for vector in vectors if vector.file == file}
    differ, later = names & expected.differences.keys(), names & expected.later.keys()
    agree = names - differ - later
    return f"`{file}`", *(str(len(found)) for found in (names, agree, differ, later))


PAGES: Final[Mapping[str, Callable[[Matrix], str]]] = {
    "symbols": symbols_page,
    "reasons": reasons_page,
    "statements": statements_page,
    "theorems": theorems_page,
    "crosswalk": crosswalk_page,
    "matrix": matrix_page,
    "scenarios": scenarios_page,
    "peer": peer_page,
    "kills": kills_page,
}
"""The computed pages: file name without its ending, and who writes it."""

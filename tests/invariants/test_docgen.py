"""The computed pages of the documentation, and what README and guides promise."""

import re
import subprocess
import sys
from doctest import DocTestParser, DocTestRunner
from importlib import import_module
from pathlib import Path

import pytest
from attrs import evolve

import linera_invariants.cli
from linera_invariants import docgen, docproofs
from linera_invariants.docgen import PAGES, established, generate, statements_page
from linera_invariants.matrix import Matrix, build_matrix
from linera_invariants.play import play_scenario
from linera_invariants.scenarios import read_scenario, shipped_scenarios
from linera_invariants.specdata import spec_root
from linera_reference.notation import SYMBOLS
from linera_reference.rejections import Reason

ROOT = spec_root().parent
DOCS = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "proofs").glob("*.md")]
GUIDES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS])
SHELL = re.compile(r"^\$ (linera-reference|make|\.ci/run)(?: (.*?))?(?: +#.*)?$", re.MULTILINE)
INLINE = re.compile(r"`(linera-reference|make) ([^`\n]+)`")


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return build_matrix()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every page; the queries only of every ninth theorem, as they take long. `make docs` builds them all."""
    workings_of = docproofs.workings_of
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(docproofs, "workings_of", lambda names: workings_of(list(names)[::9]))
        paths = generate(tmp_path_factory.mktemp("pages"))
    return {path.stem: path.read_text(encoding="utf-8") for path in paths}


@pytest.fixture(scope="module")
def computed(pages: dict[str, str]) -> dict[str, str]:
    """The pages without those of single theorems."""
    return {name: text for name, text in pages.items() if name in PAGES}


def targets(matrix: Matrix) -> set[str]:
    """Return every ID that has a link target on the site."""
    spec = matrix.spec
    theorems = (f"theorem-{theorem.name}" for theorem in matrix.theorems)
    return {*spec.clauses, *spec.decisions, *spec.statements, *theorems, *(reason.name for reason in Reason)}


# --- computed pages ----------------------------------------------------------------------------------------------


def test_every_page_is_written(pages: dict[str, str], computed: dict[str, str], matrix: Matrix) -> None:
    assert pages.keys() == PAGES.keys() | {theorem.name for theorem in matrix.theorems}
    assert all(text.startswith("# ") and text.endswith("\n") for text in computed.values())


def test_every_theorem_has_a_page(pages: dict[str, str], matrix: Matrix) -> None:
    for theorem in matrix.theorems:
        text = pages[theorem.name]
        assert text.startswith(f"---\norphan: true\n---\n\n(theorem-{theorem.name})=\n# {theorem.name}: ")
        assert ("## Proof" in text) is theorem.has_proof
        assert ("## Mutants" in text) is bool(theorem.functions)
        assert all(f"](#{name})" in text for name in (*theorem.proves, *theorem.clauses))
        assert all(f"](#theorem-{name})" in text for name in theorem.uses)
        assert f'href="theorems/{theorem.name}.html"' in pages["theorems"]


def test_every_public_name_is_compared(pages: dict[str, str], matrix: Matrix) -> None:
    assert len(matrix.public) == 121
    rows = [line for line in pages["crosswalk"].splitlines() if line.startswith("| `")]
    assert len(rows) == 121
    assert all("**" in row for row in rows)


def test_every_symbol_has_a_row(pages: dict[str, str]) -> None:
    assert all(meaning in pages["symbols"] for _, meaning, _ in SYMBOLS)


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_an_entry(pages: dict[str, str], reason: Reason) -> None:
    _, found, entry = pages["reasons"].partition(f"({reason.name})=\n")
    entry = entry.partition("\n(")[0]
    assert found
    assert f"(#{reason.clause})" in entry
    assert "* rejects: " in entry


def test_every_statement_has_an_entry(pages: dict[str, str], matrix: Matrix) -> None:
    for name, statement in matrix.spec.statements.items():
        _, found, entry = pages["statements"].partition(f"({name})=\n")
        assert found
        assert all(f"[{clause}](#{clause})" in entry for clause in statement.clauses)
        assert ("* predicate: " in entry.partition("\n(")[0]) is (statement.kind != "claim")


def test_every_clause_has_a_row_with_its_code_and_tests(pages: dict[str, str], matrix: Matrix) -> None:
    for row in matrix.rows:
        (line,) = (x for x in pages["matrix"].splitlines() if x.startswith(f"| [{row.clause.id}](#{row.clause.id})"))
        assert all(f"<linera_reference.{link.name.replace(':', '.')}>" in line for link in row.code)
        assert f"<summary>{len(row.tests)}</summary>" in line or not row.tests


def test_every_line_of_an_algorithm_has_a_row(pages: dict[str, str], matrix: Matrix) -> None:
    assert all(f"| `{line}` |" in pages["matrix"] for line in matrix.spec.lines)


def test_every_scenario_is_told_and_holds(pages: dict[str, str]) -> None:
    assert all(f"## {path.stem}\n" in pages["scenarios"] for path in shipped_scenarios())
    assert pages["scenarios"].count(": holds.") == len(shipped_scenarios())
    assert "does not hold" not in pages["scenarios"]


def test_links_to_ids_have_targets(pages: dict[str, str], matrix: Matrix) -> None:
    named = {name for text in pages.values() for name in re.findall(r"\]\(#([^)]+)\)", text)}
    assert named <= targets(matrix)


def test_links_to_code_have_targets(pages: dict[str, str]) -> None:
    for name in {name for text in pages.values() for name in re.findall(r"\{py:obj\}`[^<`]+ <([\w.]+)>`", text)}:
        assert exists(name), name


def exists(dotted: str) -> bool:
    """Whether a dotted name leads from a module to something."""
    module, _, name = dotted.rpartition(".")
    try:
        return hasattr(import_module(module), name)
    except ModuleNotFoundError:
        owner, _, outer = module.rpartition(".")
        return hasattr(getattr(import_module(owner), outer), name)


ELSEWHERE = """
import sys, pathlib
from linera_invariants import docgen, docproofs
if __name__ == "__main__":
    workings_of = docproofs.workings_of
    docproofs.workings_of = lambda names: workings_of(list(names)[::9])
    docgen.generate(pathlib.Path(sys.argv[1]))
"""


def test_the_same_sources_give_the_same_bytes(pages: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, "-c", ELSEWHERE, str(tmp_path)]
    subprocess.run(command, check=True, env={"PYTHONHASHSEED": "7", "PYTHONUTF8": "1"})
    written = {path.stem: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.md")}
    assert written == pages


def test_a_page_that_would_not_change_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docgen, "theorem_pages", lambda _: {})  # they take long
    before = {path: path.stat().st_mtime_ns for path in generate(tmp_path)}
    changed = tmp_path / "symbols.md"
    changed.write_text("something else")
    after = {path: path.stat().st_mtime_ns for path in generate(tmp_path)}
    assert {path for path in before if before[path] != after[path]} == {changed}


def test_without_a_predicate_nothing_is_more_than_claimed(matrix: Matrix) -> None:
    blind = evolve(matrix, predicates=(), theorems=())
    assert {established(blind, statement) for statement in matrix.spec.statements.values()} == {"Claimed"}
    assert "| Tested |" not in statements_page(blind)


def test_a_claim_is_as_good_as_its_weakest_statement(matrix: Matrix) -> None:
    known = matrix.spec.statements
    links = tuple(link for link in matrix.predicates if link.statement != "S8")
    less = evolve(matrix, predicates=links, theorems=())
    assert established(less, known["C4"]) == "Claimed"
    assert established(less, known["C2"]) == "Exhausted"
    proved = evolve(less, theorems=tuple(t for t in matrix.theorems if "S8" in t.proves))
    assert established(proved, known["S8"]) == "Proved"
    assert established(proved, known["C4"]) == "Exhausted"


# --- README and guides -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_commands_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for program, rest in [*SHELL.findall(text), *INLINE.findall(text)]:
        words = rest.split()
        match program:
            case "make":
                known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
                assert {word for word in words if "=" not in word} <= known
            case "linera-reference":
                assert words[0] in commands() | {"COMMAND", "--version"}
            case _:
                assert (ROOT / program).exists()


def commands() -> set[str]:
    """Return the names of the commands."""
    app = linera_invariants.cli.app
    names = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    return names | {group.name for group in app.registered_groups if group.name}


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_links_to_files_resolve(path: Path, matrix: Matrix) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        place, _, name = link.partition("#")
        if not place:
            assert name in targets(matrix), link
        elif not place.startswith(("https:", "_generated/", "../_generated/")):
            assert (path.parent / place).exists(), link


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_files_of_the_specification_exist(path: Path) -> None:
    for name in re.findall(r"\bspec/[\w./-]*\w", path.read_text(encoding="utf-8")):
        assert (ROOT / name).exists(), name


def test_the_transcript_in_the_readme_is_what_the_scenario_tells() -> None:
    _, _, rest = (ROOT / "README.md").read_text(encoding="utf-8").partition("<!-- transcript: 01-tour -->\n```text\n")
    transcript = rest.partition("\n```")[0].splitlines()
    story = play_scenario(read_scenario(spec_root() / "scenarios" / "01-tour.toml")).result().story
    positions = [story.index(line) for line in transcript]
    assert positions
    assert positions == sorted(positions)


def test_the_scenario_in_the_guide_holds(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (tmp_path / "example.toml").write_text(example, encoding="utf-8")
    assert play_scenario(read_scenario(tmp_path / "example.toml")).result().holds


def test_the_python_example_in_the_guide_is_true() -> None:
    text = (ROOT / "docs" / "implementer.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```pycon\n(.*?)```", text, re.DOTALL)
    test = DocTestParser().get_doctest(example, {}, "implementer.md", None, None)
    assert DocTestRunner().run(test).failed == 0


@pytest.mark.parametrize("picture", ["architecture", "life-of-a-block"])
def test_pictures_describe_themselves(picture: str) -> None:
    text = (ROOT / "docs" / "_static" / f"{picture}.svg").read_text(encoding="utf-8")
    assert "<title" in text
    assert "<desc" in text
    assert not re.search(r"(?:href|src)=\"(?!#)", text)

"""The traceability matrix: what is linked, and each check seen to fire."""

import io
from importlib import import_module
from inspect import unwrap
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from spectree import Tree, make_tree

from linera_invariants.links import code_links, enclosing, helpers, predicate_links
from linera_invariants.matrix import Matrix, Problem, build_matrix, check_matrix, render_problems
from linera_invariants.sources import core_root, module_source, package

CORE, TESTS = "core/counter.py", "tests/test_counter.py"
CHAPTER, DECISIONS = "spec/chapters/9.1-counter.md", "spec/decisions.md"
ALGORITHM, STATEMENTS = "spec/algorithms/algorithm-9.md", "spec/statements/statements.toml"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return make_tree(tmp_path)


def found(matrix: Matrix) -> set[tuple[str, str]]:
    return {(problem.check, problem.id) for problem in check_matrix(matrix)}


def test_a_complete_tree_has_no_problem(tree: Tree) -> None:
    assert check_matrix(tree.matrix()) == []


def test_code(tree: Tree) -> None:
    links = {link.name: (link.kind, link.clauses) for link in tree.matrix().code}
    assert links == {
        "counter:Reason": ("class", None),
        "counter:count": ("function", ("WP-9.1-COUNT", "WP-9.1-NUMBER")),
        "counter:helper": ("function", ()),
        "counter:Number": ("class", ("WP-9.1-NUMBER",)),
        "counter:Plain": ("class", None),
        "counter:Shape": ("class", None),
    }
    count = tree.matrix().code[1]
    assert (count.line, count.end) == (10, 14)


def test_markers(tree: Tree) -> None:
    markers = [(marker.id, marker.function, marker.line) for marker in tree.matrix().markers]
    assert markers == [
        ("ALG9-02", "counter:count", 13),
        ("ALG9-03", "counter:count", 14),
        ("ALG9-04", "counter:count", 14),
    ]


def test_a_place_outside_any_function(tree: Tree) -> None:
    tree.matrix()
    assert enclosing(package(tree.root / "core")[0], 1) == "counter"


def test_reasons(tree: Tree) -> None:
    (reason,) = tree.matrix().reasons
    assert (reason.name, reason.sentence, reason.clause) == (
        "TOO_LARGE",
        "The number is too large.",
        "WP-9.1-NUMBER",
    )
    assert reason.raised == ("counter:Number.half", "counter:count")


def test_a_reason_in_generated_code_is_raised(tree: Tree) -> None:
    tree.write(
        CORE, 'def make():\n    return f"fail(Reason.TOO_LARGE, {1})"\n\n\nclass Reason:\n    TOO_LARGE = ("", "")\n'
    )
    assert tree.matrix().reasons[0].raised == ("counter:make",)


def test_a_reason_that_is_only_looked_at_is_not_raised(tree: Tree) -> None:
    tree.write(CORE, 'def f(r):\n    return g(r is Reason.TOO_LARGE)\n\n\nclass Reason:\n    TOO_LARGE = ("", "")\n')
    assert tree.matrix().reasons[0].raised == ()


def test_tests(tree: Tree) -> None:
    tests = {test.name.partition("::")[2]: test for test in tree.matrix().tests}
    assert {name: test.clauses for name, test in tests.items()} == {
        "test_count": ("WP-9.1-NUMBER", "WP-9.1-COUNT"),
        "TestGrowth::test_growth": ("WP-9.1-NUMBER", "WP-9.1-GROWS", "WP-3.3-CLAIM-5"),
        "TestMachine::runTest": ("WP-9.1-NUMBER", "WP-9.1-COUNT"),
        "TestPlain::runTest": ("WP-9.1-NUMBER",),
    }
    assert tests["test_count"].reasons == ("TOO_LARGE",)
    assert tests["test_count"].line == 9


BROKEN = [
    # nothing implements it, nothing tests it
    (CORE, '"WP-9.1-COUNT", ', "", {("clause-without-code", "WP-9.1-COUNT")}),
    (TESTS, '("WP-9.1-GROWS")', '("WP-9.1-COUNT")', {("clause-without-test", "WP-9.1-GROWS")}),
    # statements
    (STATEMENTS, '["WP-9.1-GROWS"]', "[]", {("property-without-statement", "WP-9.1-GROWS")}),
    (STATEMENTS, 'uses = ["S1"]', "uses = []", {("statement-without-predicate", "C5")}),
    (STATEMENTS, 'kind = "claim"', 'kind = "law"', {("statement-without-predicate", "C5")}),
    # IDs that do not exist
    (CORE, '"WP-9.1-COUNT", ', '"WP-9.1-COUNT", "WP-9.1-SUM", ', {("stale-id", "counter:count")}),
    (CORE, '@rule("WP-9.1-NUMBER")', '@rule("WP-9.1-NUMBERS")', {("stale-id", "counter:Number")}),
    (CORE, 'large.", "WP-9.1-NUMBER"', 'large.", "WP-9.1-SUM"', {("stale-id", "TOO_LARGE")}),
    (CORE, "decision D1", "decision D3", {("stale-id", "D3")}),
    (CORE, "# ALG9-02", "# ALG9-02, ALG9-09", {("stale-id", "ALG9-09")}),
    (CHAPTER, "Numbers grow.", "See WP-9.1-SUM.", {("stale-id", "WP-9.1-SUM")}),
    (DECISIONS, "see WP-9.1-NUMBER", "see ALG9-11", {("stale-id", "ALG9-11")}),
    (ALGORITHM, "\nWP-9.1-COUNT.", "\nWP-9.1-COUNTS.", {("stale-id", "WP-9.1-COUNTS")}),
    # algorithm lines
    (CORE, "  # ALG9-02", "", {("line-without-code", "ALG9-02")}),
    (CORE, "# ALG9-03, ALG9-04", "# ALG9-03", {("line-without-code", "ALG9-04")}),
    (ALGORITHM, "else TOO_LARGE", "else TOO_BIG", {("stale-id", "ALG9-02")}),
    (ALGORITHM, "else TOO_LARGE", "", {("stale-id", "ALG9-02")}),
    # code
    (CORE, "@support\n", "", {("code-without-clause", "counter:helper")}),
    (CORE, '@rule("WP-9.1-NUMBER")\n', "", {("code-without-clause", "counter:Number.half")}),
    # reasons
    (CORE, ', "WP-9.1-NUMBER")\n\n\n@rule', ',)\n\n\n@rule', {("reason-without-clause", "TOO_LARGE")}),
    (CORE, "    TOO_LARGE", '    IDLE = ("Idle.", "WP-9.1-COUNT")\n    TOO_LARGE', {("reason-never-raised", "IDLE")}),
    # clauses and decisions
    (CHAPTER, "decisions D1, A2", "decisions D1", {("one-sided-link", "A2")}),
    (CHAPTER, "ition · section 9.1", "ition · section 9.1 · decisions D2", {("one-sided-link", "WP-9.1-NUMBER")}),
]  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "expected"), BROKEN)
def test_each_check_fires(tree: Tree, file: str, old: str, new: str, expected: set[tuple[str, str]]) -> None:
    tree.replace(file, old, new)
    assert found(tree.matrix()) == expected


def test_a_stale_id_in_a_test(tree: Tree) -> None:
    tree.replace(TESTS, '("WP-3.3-CLAIM-5")', '("WP-3.3-CLAIM-5", "WP-3.3-CLAIM-8")')
    (problem,) = check_matrix(tree.matrix())
    assert (problem.check, problem.line) == ("stale-id", 21)
    assert "TestGrowth::test_growth: names the unknown clause WP-3.3-CLAIM-8" in problem.message


def test_predicates_and_statements_match(tree: Tree) -> None:
    assert found(tree.matrix("S2")) == {("stale-id", "S2"), ("statement-without-predicate", "S1")}


def test_without_tests_nothing_is_tested(tree: Tree) -> None:
    (tree.root / TESTS).unlink()
    assert found(tree.matrix()) == {("clause-without-test", "tests")}


# --- Output ------------------------------------------------------------------------------------------------------


def rendered(show: Any) -> str:
    console = Console(file=io.StringIO(), width=200)
    show(console)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_as_data(tree: Tree) -> None:
    data = tree.matrix().to_json()
    assert data["format"] == 1
    count = next(clause for clause in data["clauses"] if clause["id"] == "WP-9.1-COUNT")
    assert (count["kind"], count["decisions"], count["statements"]) == ("rule", ("D1", "A2"), [])
    assert [code["name"] for code in count["code"]] == ["counter:count"]
    assert [test["line"] for test in count["tests"]] == [9, 24]


def test_as_a_table(tree: Tree) -> None:
    table = rendered(tree.matrix().render)
    assert "WP-9.1-COUNT" in table
    assert "counter.count" in table
    assert "test_counter.py: 2" in table


def test_problems_are_grouped() -> None:
    problems = [Problem("stale-id", "X", "X: [gone]", "a.py", 1), Problem("other", "Y", "Y: lost", "b.py", 2)]
    text = rendered(lambda console: render_problems(problems, console))
    assert text == "stale-id (1)\n  a.py:1: X: [gone]\nother (1)\n  b.py:2: Y: lost\n"
    assert problems[0].to_json()["check"] == "stale-id"


# --- The project itself ------------------------------------------------------------------------------------------


def test_marks_in_the_source_are_those_at_run_time() -> None:
    for link in code_links(core_root()):
        module, _, name = link.name.partition(":")
        value: Any = import_module(f"linera_reference.{module}")
        for part in name.split("."):
            value = vars(value)[part]
        marks = vars(value).get("__clauses__") if link.kind == "class" else getattr(value, "__clauses__", None)
        assert marks == link.clauses, link.name
        if link.kind == "function":
            assert link.line <= unwrap(value).__code__.co_firstlineno <= link.end


def test_predicates_are_found() -> None:
    links = {link.name: link for link in predicate_links()}
    assert links["S1"].statement == "S1"
    assert links["S1"].file.startswith("invariants/linera_invariants/predicates/")


def test_helpers_of_a_function() -> None:
    source = module_source("encoding")
    assert "_read_uleb" not in helpers(source, "encode")
    assert set(helpers(source, "encode")) >= {"_writer", "_write"}


def test_the_matrix_of_the_project_links_everything() -> None:
    matrix = build_matrix()
    assert all(row.code or row.statements for row in matrix.rows)

"""Explaining an ID: everything that is linked to it, and help for one that does not exist."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console
from spectree import Tree, make_tree

from linera_invariants.errors import UsageError
from linera_invariants.explain import Explanation, explain
from linera_invariants.matrix import build_matrix


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return make_tree(tmp_path)


def names(explanation: Explanation) -> dict[str, list[str]]:
    return {group: [reference.name for reference in found] for group, found in explanation.links.items()}


def test_a_clause(tree: Tree) -> None:
    found = explain("WP-9.1-COUNT", tree.matrix())
    assert (found.kind, found.title) == ("rule, section 9.1", "Counting")
    assert (found.file, found.line) == ("spec/chapters/9.1-counter.md", 6)
    assert names(found) == {
        "decisions": ["D1", "A2"],
        "code": ["counter.count"],
        "algorithm lines": ["ALG9-02", "ALG9-03", "ALG9-04"],
        "tests": ["test_count", "TestMachine::runTest"],
    }


def test_a_property(tree: Tree) -> None:
    assert names(explain("WP-9.1-GROWS", tree.matrix())) == {
        "decisions": ["D1"],
        "statements": ["S1"],
        "predicates": ["S1"],
        "tests": ["TestGrowth::test_growth"],
    }


def test_a_definition_that_others_mention(tree: Tree) -> None:
    links = names(explain("WP-9.1-NUMBER", tree.matrix()))
    assert links["mentioned by"] == ["WP-9.1-COUNT", "D1"]
    assert links["reasons"] == ["TOO_LARGE"]
    assert links["code"] == ["counter.count", "counter.Number"]


def test_a_decision(tree: Tree) -> None:
    found = explain("D1", tree.matrix())
    assert (found.kind, found.title) == ("decision", "Where to start")
    assert names(found) == {"clauses": ["WP-9.1-COUNT", "WP-9.1-GROWS"], "code": ["counter"]}


def test_a_statement(tree: Tree) -> None:
    found = explain("S1", tree.matrix())
    assert (found.kind, found.text) == ("safety", "Numbers grow.")
    assert names(found) == {
        "used by": ["C5"],
        "clauses": ["WP-9.1-GROWS"],
        "predicates": ["S1"],
        "mentioned by": ["WP-3.3-CLAIM-5"],
    }


def test_a_claim(tree: Tree) -> None:
    assert names(explain("C5", tree.matrix())) == {"uses": ["S1"], "clauses": ["WP-3.3-CLAIM-5"]}


def test_a_reason(tree: Tree) -> None:
    found = explain("TOO_LARGE", tree.matrix())
    assert (found.kind, found.title, found.text) == ("reason", "The number is too large.", "")
    assert names(found) == {
        "clauses": ["WP-9.1-NUMBER"],
        "code": ["counter:Number.half", "counter.count"],
        "algorithm lines": ["ALG9-02"],
        "tests": ["test_count"],
    }


def test_a_line_of_an_algorithm(tree: Tree) -> None:
    found = explain("ALG9-02", tree.matrix())
    assert (found.kind, found.title) == ("guard of an algorithm", "Counting")
    assert names(found) == {
        "code": ["counter:count"],
        "clauses": ["WP-9.1-COUNT", "WP-9.1-NUMBER"],
        "reasons": ["TOO_LARGE"],
    }
    (place,) = found.links["code"]
    assert (place.file.endswith("core/counter.py"), place.line) == (True, 13)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wp-9.1-count", "WP-9.1-COUNT"),
        (" too_large ", "TOO_LARGE"),
        ("claim 5", "WP-3.3-CLAIM-5"),
        ("Claim-5", "WP-3.3-CLAIM-5"),
        ("CLAIM5", "WP-3.3-CLAIM-5"),
    ],
)
def test_ways_to_write_an_id(tree: Tree, name: str, expected: str) -> None:
    assert explain(name, tree.matrix()).id == expected


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("WP-9.1-CONT", "unknown ID 'WP-9.1-CONT': did you mean WP-9.1-COUNT"),
        ("grows", "did you mean WP-9.1-GROWS"),
        ("claim 6", "unknown ID 'claim 6'"),
        ("???", r"expected one like WP-2.6-INBOX-ADD, S1, C5, D7, ALG1-05"),
        ("", "unknown ID ''"),
    ],
)
def test_unknown_ids(tree: Tree, name: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        explain(name, tree.matrix())
    assert message in str(caught.value)


def test_as_data(tree: Tree) -> None:
    data = json.loads(json.dumps(explain("D1", tree.matrix()).to_json()))
    assert data["format"] == 1
    assert data["links"]["clauses"][0] == {
        "name": "WP-9.1-COUNT",
        "text": "Counting",
        "file": "spec/chapters/9.1-counter.md",
        "line": 6,
    }


def test_for_a_reader(tree: Tree) -> None:
    tree.replace("spec/decisions.md", "At zero", "At [bold]zero[/bold]")
    out = io.StringIO()
    explain("D1", tree.matrix()).render(Console(file=out, width=60))
    text = out.getvalue()
    assert "decision · spec/decisions.md:3" in text
    assert "At [bold]zero[/bold]" in text
    assert "  WP-9.1-COUNT  Counting  spec/chapters/9.1-counter.md:6\n" in text


def test_the_project_explains_its_own_ids() -> None:
    matrix = build_matrix()
    for name in ("WP-A.1-REMOVE", "C5", "UNEXPECTED_MESSAGE", "ALGA-05", "D5", "S11"):
        assert explain(name, matrix).links

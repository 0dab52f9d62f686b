"""Reading `spec/`: what is read, and one clear error for whatever is malformed."""

from pathlib import Path

import pytest
from spectree import Tree, make_tree

from linera_invariants.clauses import ClauseKind, LineKind, SpecError, line_kind, load_spec
from linera_invariants.specdata import spec_root

CHAPTER, DECISIONS = "spec/chapters/9.1-counter.md", "spec/decisions.md"
ALGORITHM, STATEMENTS = "spec/algorithms/algorithm-9.md", "spec/statements/statements.toml"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return make_tree(tmp_path)


def test_clauses(tree: Tree) -> None:
    clauses = tree.spec().clauses
    assert list(clauses) == ["WP-3.3-CLAIM-5", "WP-9.1-COUNT", "WP-9.1-NUMBER", "WP-9.1-GROWS"]
    count = clauses["WP-9.1-COUNT"]
    assert (count.title, count.kind, count.section) == ("Counting", ClauseKind.RULE, "9.1")
    assert count.decisions == ("D1", "A2")
    assert (count.file, count.line) == (CHAPTER, 6)
    assert count.text.startswith("A number becomes")
    assert count.text.endswith("See WP-9.1-NUMBER.")
    assert clauses["WP-9.1-NUMBER"].decisions == ()


def test_decisions(tree: Tree) -> None:
    decisions = tree.spec().decisions
    assert list(decisions) == ["D1", "D2", "A2"]
    assert decisions["D1"].clauses == ("WP-9.1-COUNT", "WP-9.1-GROWS")
    assert decisions["D1"].text == "**Decision.** At zero, see WP-9.1-NUMBER."
    assert decisions["D2"].clauses == ()


def test_algorithm_lines(tree: Tree) -> None:
    lines = tree.spec().lines
    assert [(line.id, line.kind.value) for line in lines.values()] == [
        ("ALG9-01", "control"),
        ("ALG9-02", "guard"),
        ("ALG9-03", "effect"),
        ("ALG9-04", "effect"),
        ("ALG9-05", "control"),
    ]
    guard = lines["ALG9-02"]
    assert (guard.text, guard.reason) == ("  require n < 9                 else TOO_LARGE", "TOO_LARGE")
    assert (guard.heading, guard.file, guard.line) == ("Counting", ALGORITHM, 11)
    assert lines["ALG9-03"].reason is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("  require a   else X", LineKind.GUARD),
        ("  S.owner ← pk", LineKind.EFFECT),
        ("  push m on I.added", LineKind.EFFECT),
        ("answer nothing", LineKind.EFFECT),
        ("  while a: pop b", LineKind.EFFECT),
        ("  if a: return", LineKind.CONTROL),
        ("  else", LineKind.CONTROL),
        ("function Remove(I, m)", LineKind.CONTROL),
        ("forget a", LineKind.EFFECT),
    ],
)
def test_kinds_of_lines(text: str, kind: LineKind) -> None:
    assert line_kind(text) is kind


def test_statements(tree: Tree) -> None:
    statements = tree.spec().statements
    claim = statements["C5"]
    assert (claim.title, claim.kind, claim.sentence) == ("Everything", "claim", "Everything holds.")
    assert (claim.uses, claim.clauses) == (("S1",), ("WP-3.3-CLAIM-5",))
    assert (claim.file, claim.line) == (STATEMENTS, 9)


BROKEN = [
    (CHAPTER, "## WP-9.1-COUNT: Counting", "## WP-9.1-NUMBER: Counting", 17, "WP-9.1-NUMBER is defined twice"),
    (CHAPTER, "## WP-9.1-COUNT: Counting", "## Counting", 6, "expected a heading '## ID: title'"),
    (CHAPTER, "## WP-9.1-COUNT: Counting", "## WP-9.1-count: Counting", 6, "expected a heading '## ID: title'"),
    (CHAPTER, "## WP-9.1-COUNT: Counting", "## D1: Counting", 6, "an ID like WP-2.6-INBOX-ADD"),
    (CHAPTER, "*definition · section 9.1*", "Words.", 17, "expected '*kind · section N · decisions D1, A2*'"),
    (CHAPTER, "*definition · section 9.1*", "*definition - section 9.1*", 17, "expected '*kind"),
    (CHAPTER, "*definition · section 9.1*", "*theorem · section 9.1*", 17, "none of definition, rule, property"),
    (CHAPTER, "*definition · section 9.1*", "*definition · section 9.2*", 17, "its section cannot be 9.2"),
    (CHAPTER, "decisions D1, A2", "decisions D1, A3", 6, "WP-9.1-COUNT names the unknown decision 'A3'"),
    (DECISIONS, "## D2: Sharing", "## D1: Sharing", 9, f"D1 is defined twice: first at {DECISIONS}:3"),
    (DECISIONS, "## D2: Sharing", "## D02: Sharing", 9, "an ID like D7 or A14"),
    (DECISIONS, "later: step 2", "Some time.", 9, "D2: expected a line '*clauses: WP-…*' or 'later: step N'"),
    (DECISIONS, "*clauses: WP-9.1-COUNT*", "*clauses: WP-9.1-SUM*", 13, "A2 names the unknown clause 'WP-9.1-SUM'"),
    (ALGORITHM, "ALG9-03     n ← n + 1", "ALG9-02     n ← n + 1", 12, "ALG9-02 is defined twice"),
    (ALGORITHM, "ALG9-03     n ← n + 1", "            n ← n + 1", 12, "expected a numbered line"),
    (ALGORITHM, "ALG9-03     n ← n + 1", "ALG9_03     n ← n + 1", 12, "expected a numbered line"),
    (STATEMENTS, 'name = "C5"', 'name = "S1"', 9, "S1 is defined twice"),
    (STATEMENTS, 'name = "C5"', "name = 5", 9, 'expected name = "…", found 5'),
    (STATEMENTS, 'title = "Growth"', "", 1, 'statement S1: expected title = "…", found None'),
    (STATEMENTS, 'kind = "claim"', 'kind = "hope"', 9, "C5: the kind 'hope' is none of safety, "),
    (STATEMENTS, 'uses = ["S1"]', 'uses = "S1"', 9, 'statement C5: expected uses = ["…"]'),
    (STATEMENTS, 'uses = ["S1"]', 'uses = ["S2"]', 9, "C5 names the unknown statement 'S2'"),
    (STATEMENTS, "uses = []", 'uses = ["C5"]', 1, "statements use each other: S1 → C5 → S1"),
    (STATEMENTS, "uses = []", 'uses = ["S1"]', 1, "statements use each other: S1 → S1"),
    (STATEMENTS, '["WP-9.1-GROWS"]', '["WP-9.1-SHRINKS"]', 1, "S1 names the unknown clause 'WP-9.1-SHRINKS'"),
    (STATEMENTS, 'kind = "safety"', 'kind = "safety"\nproof = "none"', 1, "unknown keys: proof"),
    (STATEMENTS, 'kind = "safety"', "kind = safety", 4, "not TOML"),
]


@pytest.mark.parametrize(("file", "old", "new", "line", "message"), BROKEN)
def test_what_is_malformed(tree: Tree, file: str, old: str, new: str, line: int, message: str) -> None:
    tree.replace(file, old, new)
    with pytest.raises(SpecError) as caught:
        tree.spec()
    assert message in caught.value.message
    assert (caught.value.file, caught.value.line) == (file, line)
    assert str(caught.value) == f"{file}:{line}: {caught.value.message}"


@pytest.mark.parametrize("file", [DECISIONS, STATEMENTS])
def test_a_missing_file(tree: Tree, file: str) -> None:
    (tree.root / file).unlink()
    with pytest.raises(SpecError, match="cannot be read"):
        tree.spec()


def test_a_file_without_statements(tree: Tree) -> None:
    tree.write(STATEMENTS, "")
    with pytest.raises(SpecError, match=r"expected tables \[\[statement\]\]"):
        tree.spec()


def test_a_file_without_headings(tree: Tree) -> None:
    tree.write("spec/chapters/empty.md", "")
    assert len(tree.spec().clauses) == 4


def test_a_file_that_is_not_text(tree: Tree) -> None:
    (tree.root / CHAPTER).write_bytes(b"\xff\xfe")
    with pytest.raises(SpecError, match="cannot be read"):
        tree.spec()


def test_the_specification_is_well_formed() -> None:
    spec = load_spec(spec_root())
    assert {clause.kind for clause in spec.clauses.values()} == set(ClauseKind)
    assert len(spec.lines) > 100
    assert {f"C{n}" for n in range(1, 8)} <= spec.statements.keys()

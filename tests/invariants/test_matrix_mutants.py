"""Links under mutants: which ones count, what is demanded of them, and what a change puts in question."""

import io
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import which

import pytest
from attrs import evolve
from rich.console import Console
from spectree import Tree

from linera_invariants.clauses import SpecError
from linera_invariants.errors import UsageError
from linera_invariants.links import PredicateLink, Test
from linera_invariants.matrix import Matrix, build_matrix
from linera_invariants.matrix_mutants import (
    Link,
    MutantReport,
    Scope,
    Target,
    _changed_names,
    _differs,
    base_revision,
    judge,
    run_matrix_mutants,
    scope_since,
)
from linera_invariants.mutant_runner import is_crash, promising, verdict_of
from linera_invariants.sources import read_source
from linera_reference.encoding import encode
from linera_reference.rejections import Reason, Rejection, require

SPEC = {
    "spec/chapters/2.2-security.md": (
        "## WP-2.2-FAULT-BOUND: Faults\n\n*definition · section 2.2*\n\nf.\n\n"
        "## WP-2.2-VALIDITY: Validity\n\n*definition · section 2.2*\n\nf + 1.\n\n"
        "## WP-2.2-QUORUM: Quorum\n\n*definition · section 2.2*\n\nN - f.\n"
    ),
    "spec/decisions.md": "",
    "spec/statements/statements.toml": (
        '[[statement]]\nname = "S0"\ntitle = "T"\nkind = "safety"\nsentence = "T."\nuses = []\nclauses = []\n'
    ),
}

TESTS = """\
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from linera_reference.committee import max_faulty, quorum_threshold, validity_threshold

THRESHOLD = quorum_threshold(4)


@pytest.mark.clauses("WP-2.2-FAULT-BOUND")
@pytest.mark.parametrize(("n", "f"), [(3, 0), (4, 1)])
def test_values(n, f):
    assert max_faulty(n) == f


@pytest.mark.clauses("WP-2.2-FAULT-BOUND", "WP-2.2-VALIDITY")
@settings(max_examples=1_000_000, deadline=None)
@given(st.integers(1, 1000))
def test_property(n):
    assert 3 * max_faulty(n) < n <= 3 * max_faulty(n) + 3
    assert 3 * validity_threshold(n) >= n


@pytest.mark.clauses("WP-2.2-FAULT-BOUND")
def test_that_checks_nothing():
    max_faulty(4)


@pytest.mark.clauses("WP-2.2-FAULT-BOUND")
def test_of_something_else():
    assert 1 + 1 == 2


@pytest.mark.clauses("WP-2.2-QUORUM")
def test_of_import_time():
    assert THRESHOLD == 3


@pytest.mark.clauses("WP-2.2-VALIDITY")
def test_that_fails_anyway():
    assert validity_threshold(4) == 0


class Machine(RuleBasedStateMachine):
    @rule(n=st.integers(1, 1000))
    def compare(self, n):
        assert validity_threshold(n) == max_faulty(n) + 1


TestMachine = pytest.mark.clauses("WP-2.2-VALIDITY")(Machine.TestCase)
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    tree = Tree(tmp_path_factory.mktemp("repository"))
    for file, text in (SPEC | {"tests/test_faults.py": TESTS}).items():
        tree.write(file, text)
    return tree


def build(tree: Tree) -> Matrix:
    return build_matrix(tree.root / "spec", None, tree.root / "tests")


RULES = ["max_faulty", "quorum_threshold", "validity_threshold", "is_quorum"]


@pytest.fixture(scope="module")
def report(tree: Tree) -> MutantReport:
    seen: list[tuple[int, int, str]] = []
    found = run_matrix_mutants(matrix=build(tree), progress=lambda *step: seen.append(step))
    assert [(done, total) for done, total, _ in seen] == [(1, 4), (2, 4), (3, 4), (4, 4), (5, 6), (6, 6)]
    assert {name for _, _, name in seen[:4]} == {f"committee:{name}" for name in RULES}
    return found


def verdicts(report: MutantReport) -> dict[tuple[str, str], str]:
    return {(link.function.split(":")[1], link.test.split("::")[1]): link.verdict for link in report.links}


def test_which_links_count(report: MutantReport) -> None:
    found = verdicts(report)
    assert found.pop(("max_faulty", "test_values")) == "killed"
    # Where a test already counts and another serves the rule, it need not notice this rule too.
    assert found.pop(("max_faulty", "test_property")) in {"killed", "untried", "survived"}
    assert found.pop(("validity_threshold", "test_property")) in {"killed", "untried", "survived"}
    assert found == {
        ("max_faulty", "test_that_checks_nothing"): "survived",
        ("max_faulty", "test_of_something_else"): "unreached",
        ("validity_threshold", "test_that_fails_anyway"): "broken",
        ("validity_threshold", "TestMachine"): "killed",
        # Found when the tests are collected under each mutant: the rule is called when they are imported.
        ("quorum_threshold", "test_of_import_time"): "killed",
        ("is_quorum", "test_of_import_time"): "survived",
    }
    assert (report.functions, report.tests) == (4, 7)
    assert report.runs > 6


def test_what_is_demanded(report: MutantReport) -> None:
    problems = {problem.id.rpartition(":")[2]: problem.message for problem in report.problems}
    assert problems.keys() == {
        "is_quorum",
        "test_that_checks_nothing",
        "test_of_something_else",
        "test_that_fails_anyway",
    }
    start = "test_that_checks_nothing: fails under no mutant of what it is linked to"
    assert problems["test_that_checks_nothing"].endswith(f"{start} (1 survived: test_that_checks_nothing)")
    start = "committee:is_quorum: WP-2.2-QUORUM: no test fails under its mutants"
    assert problems["is_quorum"] == f"{start} (1 survived: test_of_import_time)"


def test_as_data_and_for_a_reader(report: MutantReport) -> None:
    data = json.loads(json.dumps(report.to_json()))
    assert data["format"] == 1
    assert len(data["links"]) == 9
    assert {problem["check"] for problem in data["problems"]} == {"link-does-not-count"}
    out = io.StringIO()
    report.render(Console(file=out, width=200))
    assert "4 functions and 7 tests: " in out.getvalue()
    assert "test_of_something_else: fails under no mutant" in out.getvalue()


# --- The verdict -------------------------------------------------------------------------------------------------


def link(test: str, verdict: str) -> Link:
    killed = "committee:max_faulty:constant:0" if verdict == "killed" else None
    return Link("committee:max_faulty", test, ("WP-2.2-FAULT-BOUND",), verdict, killed, 1)


def judged(tree: Tree, *links: Link) -> list[str]:
    matrix = build(tree)
    return [f"{problem.check} {problem.id.rpartition('::')[2]}" for problem in judge(matrix, scope_of(matrix), links)]


def scope_of(matrix: Matrix) -> Scope:
    """Everything but the predicates of the project, which no test here is linked to."""
    scope = scope_since(matrix, None)
    return evolve(scope, functions=frozenset(name for name in scope.functions if name.startswith("committee")))


def test_a_rule_and_a_test_need_a_link_that_counts(tree: Tree) -> None:
    test = f"{tree.root}/tests/test_faults.py::test_values"
    other = f"{tree.root}/tests/test_faults.py::test_property"
    assert judged(tree, link(test, "killed")) == []
    assert judged(tree, link(test, "survived"), link(other, "killed")) == ["link-does-not-count test_values"]
    assert judged(tree, link(test, "survived")) == [
        "link-does-not-count committee:max_faulty",
        "link-does-not-count test_values",
    ]


def test_a_predicate_needs_a_test(tree: Tree) -> None:
    name = "predicates.agreement:logs_are_prefixes"
    matrix = evolve(build(tree), predicates=(PredicateLink("S0", "S0", name, "agreement.py", 1),))
    scope = Scope(frozenset({name}), frozenset())
    (problem,) = judge(matrix, scope, ())
    assert problem.message == f"{name}: S0: no test fails under its mutants"
    assert list(judge(matrix, scope, (Link(name, "test", ("S0",), "killed", f"{name}:effect:0", 1),))) == []


def test_a_predicate_is_linked_by_the_clauses_of_its_statement() -> None:
    target = Target("predicates.x:p", {"S1": ("WP-1", "WP-2")}, "x.py", 1)
    assert target.shared(Test("t", ("WP-2", "WP-3"), (), "t.py", 1)) == ("S1",)
    assert target.shared(Test("t", ("WP-3",), (), "t.py", 1)) == ()


EXCUSES = """\
[[excused]]
of = "committee:max_faulty"
clause = "WP-2.2-FAULT-BOUND"
reason = "for a test"

[[excused]]
of = "{test}"
reason = "only data"
"""


@pytest.fixture
def excused(tree: Tree) -> Iterator[Callable[[str, str], None]]:
    text = EXCUSES.replace("{test}", f"{tree.root}/tests/test_faults.py::test_values")
    yield lambda old, new: tree.write("spec/links.toml", text.replace(old, new))
    (tree.root / "spec/links.toml").unlink()


def test_excuses(tree: Tree, excused: Callable[[str, str], None]) -> None:
    excused("", "")
    test = f"{tree.root}/tests/test_faults.py::test_values"
    assert judged(tree, link(test, "survived")) == []


def test_an_excuse_that_is_not_needed(tree: Tree, excused: Callable[[str, str], None]) -> None:
    excused("", "")
    matrix = evolve(build(tree), predicates=())
    test = f"{tree.root}/tests/test_faults.py::test_values"
    problems = judge(matrix, scope_since(matrix, None), (link(test, "killed"),))
    assert [(problem.check, problem.line) for problem in problems] == [("stale-excuse", 1), ("stale-excuse", 6)]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2.2-FAULT-BOUND", "2.2-VALIDITY", "which is no link"),
        ("test_values", "test_gone", "which is no link"),
        ('"only data"', '""', "expected of = "),
        ('"only data"', "3", "expected of = "),
        ('"only data"', '"only data"\nby = "me"', "expected of = "),
        ('"only data"', '"only', "not TOML"),
        ("[[excused]]", "[[excuse]]", r"expected tables \[\[excused\]\]"),
    ],
)
def test_broken_excuses(tree: Tree, excused: Callable[[str, str], None], old: str, new: str, message: str) -> None:
    excused(old, new)
    with pytest.raises(SpecError, match=message):
        judged(tree)


def from_the_core() -> Exception:
    with pytest.raises(TypeError) as caught:
        encode(5)
    return caught.value


def test_a_crash_is_no_failed_check() -> None:
    assert is_crash(from_the_core())
    assert is_crash(ExceptionGroup("both", [from_the_core(), from_the_core()]))
    with pytest.raises(Rejection) as rejection:
        require(False, Reason.USER_ERROR)
    assert not is_crash(rejection.value)
    assert not is_crash(AssertionError())
    assert verdict_of([from_the_core()]) == "crashed"
    assert verdict_of([from_the_core(), AssertionError()]) == "killed"


def test_helpers_belong_to_a_function() -> None:
    found = {mutant.function for mutant in promising("encoding:encode")}
    assert found >= {"encoding:encode", "encoding:_write"}
    assert "encoding:decode" not in found


# --- Errors ------------------------------------------------------------------------------------------------------


def test_tests_that_cannot_be_collected(tree: Tree, tmp_path: Path) -> None:
    other = Tree(tmp_path)
    for file, text in (SPEC | {"tests/test_faults.py": TESTS.replace("import max_faulty", "import nothing")}).items():
        other.write(file, text)
    with pytest.raises(UsageError, match="cannot import name 'nothing'"):
        run_matrix_mutants(matrix=build(other))


def test_without_tests(tmp_path: Path) -> None:
    other = Tree(tmp_path)
    for file, text in SPEC.items():
        other.write(file, text)
    with pytest.raises(UsageError, match="checkout"):
        run_matrix_mutants(matrix=build(other))


# --- What changed ------------------------------------------------------------------------------------------------


needs_git = pytest.mark.skipif(which("git") is None, reason="git is not installed")


def git(root: Path, *arguments: str) -> str:
    who = {f"GIT_{role}_{key}": "x" for role in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    home = {"HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(["git", *arguments], cwd=root, env=os.environ | who | home, capture_output=True, check=True)
    return done.stdout.decode().strip()


def repository(root: Path) -> Tree:
    tree = Tree(root)
    for file, text in (SPEC | {"tests/test_faults.py": TESTS}).items():
        tree.write(file, text)
    git(root, "init", "-q", "-b", "main")
    commit(root)
    return tree


def commit(root: Path) -> str:
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", "x")
    return git(root, "rev-parse", "HEAD")


@needs_git
def test_the_base_revision(tmp_path: Path) -> None:
    repository(tmp_path)
    assert base_revision(tmp_path, None) is None
    first = git(tmp_path, "rev-parse", "HEAD")
    commit(tmp_path)
    assert base_revision(tmp_path, None) == first
    git(tmp_path, "update-ref", "refs/remotes/origin/main", "HEAD")
    second = git(tmp_path, "rev-parse", "HEAD")
    assert base_revision(tmp_path, None) == first
    commit(tmp_path)
    assert base_revision(tmp_path, None) == second
    assert base_revision(tmp_path, "HEAD~2") == first
    with pytest.raises(UsageError, match="'nothing' is no revision"):
        base_revision(tmp_path, "nothing")


def test_outside_a_checkout_everything_is_in_question(tree: Tree) -> None:
    assert base_revision(Path("/"), None) is None
    scope = scope_since(build(tree), None)
    assert {"committee:max_faulty", "inbox:add"} <= scope.functions
    assert len(scope.tests) == 7


@needs_git
@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("1 + 1 == 2", "1 + 1 == 3", {"test_of_something_else"}),
        ("def test_of_something_else():", 'def test_of_something_else():\n    """Say so."""', set()),
        ("== max_faulty(n) + 1", "> max_faulty(n)", {"TestMachine::runTest"}),
        ("Machine.TestCase", "(Machine.TestCase)", set()),
        ('"WP-2.2-VALIDITY")(', '"WP-2.2-FAULT-BOUND")(', {"TestMachine::runTest"}),
        ("(4, 1)]", "(4, 1), (5, 1)]", {"test_values"}),
    ],
)
def test_changed_tests(tmp_path: Path, old: str, new: str, changed: set[str]) -> None:
    tree = repository(tmp_path)
    tree.replace("tests/test_faults.py", old, new)
    scope = scope_since(build(tree), "HEAD")
    assert {name.partition("::")[2] for name in scope.tests} == changed


CORE = """\
LIMIT = 3


def rule_of_limit(n):
    return n < LIMIT


def rule_of_helper(n):
    return _helper(n)


def _helper(n):
    return n + 1


class Token:
    def method(self):
        return 1
"""


@needs_git
@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("LIMIT = 3", "LIMIT = 4", {"rule_of_limit"}),
        ("n < LIMIT", "n <= LIMIT", {"rule_of_limit"}),
        ("n + 1", "n + 2", {"rule_of_helper"}),
        ("return 1", "return 2", {"Token.method"}),
    ],
)
def test_changed_functions(tmp_path: Path, old: str, new: str, changed: set[str]) -> None:
    repository(tmp_path)
    (tmp_path / "core.py").write_text(CORE)
    commit(tmp_path)
    (tmp_path / "core.py").write_text(CORE.replace(old, new))
    source = read_source(tmp_path / "core.py", "core")
    names = _changed_names(tmp_path, "HEAD", source)
    rules = ("rule_of_limit", "rule_of_helper", "Token.method")
    assert {name for name in rules if _differs(source, name, names)} == changed


@needs_git
def test_nothing_changed_nothing_runs(tmp_path: Path) -> None:
    matrix = evolve(build(repository(tmp_path)), code=(), predicates=())
    report = run_matrix_mutants(base="HEAD", matrix=matrix)
    assert report.base == git(tmp_path, "rev-parse", "HEAD")
    assert (report.functions, report.tests, report.runs, report.problems) == (0, 0, 0, ())

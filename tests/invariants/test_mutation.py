"""The mutation loader: what it derives, that mutants really run, and that everything is put back."""

import ast
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import examples

from linera_invariants import mutation
from linera_invariants.mutation import (
    VARIABLE,
    Mutant,
    MutationError,
    activate,
    applied,
    broken,
    edit,
    environment,
    find,
    functions,
    mutants,
)
from linera_invariants.mutators import KINDS, Names, changes, twin_fields
from linera_reference import committee, inbox
from linera_reference.application import Balance, Credit, Token
from linera_reference.chain import Chain
from linera_reference.committee import max_faulty
from linera_reference.encoding import decode, encode
from linera_reference.inbox import Inbox, add
from linera_reference.messages import Cursor, Message, User
from linera_reference.rejections import Accepted, Reason, Rejected, Rejection, require, transition
from linera_reference.request import sign_request
from linera_reference.validator import archive_chain

MESSAGE = Message((0,), 0, 0, bytes(32), User(b""))


# --- Deriving ----------------------------------------------------------------------------------------------------

NAMES = Names(frozenset({"LIMIT"}), {"left": ("right",)})

DERIVED = [
    ("guard", "def f(a):\n    require(a, Reason.X)", ["pass"]),
    ("guard", "def f(a):\n    check_it(a)", ["pass"]),
    ("guard", "def f(a):\n    if a:\n        raise Rejection(Reason.X)", ["pass"]),
    ("reason", "def f(a):\n    require(a, Reason.X)", ["Reason.ACTION_NOT_ENABLED"]),
    ("reason", "def f(a):\n    require(a, Reason.ACTION_NOT_ENABLED)", ["Reason.USER_ERROR"]),
    ("detail", "def f(a):\n    require(a, Reason.X, a)", ["require(a, Reason.X)"]),
    ("branch", "def f(a):\n    require(a, Reason.X)", ["not a"]),
    ("branch", "def f(a):\n    if a:\n        a = 1", ["not a"]),
    ("guard", "def f(a):\n    if a:\n        return 1\n    return 2", ["pass"]),
    ("guard", "def f(a):\n    if a:\n        return 1\n    else:\n        return 2", []),
    ("effect", "def f(a, b):\n    return with_part(a, b)", ["a"]),
    ("constant", "def f(a):\n    return g(None)", ["0"]),
    ("effect", "def f(a):\n    yield a", ["pass"]),
    ("effect", "def f(a):\n    yield from a", ["pass"]),
    ("result", "def f(a):\n    match a:\n        case 1:\n            return 3", ["None"]),
    ("result", "def f(a: Chain) -> Accepted[Chain]:\n    return Accepted(g(a), ())", ["a"]),
    ("branch", "def f(a):\n    return 1 if not a else 2", ["a"]),
    ("branch", "def f(a):\n    return [x for x in a if x]", ["not x"]),
    ("branch", "def f(a):\n    match a:\n        case 1 if a:\n            return 3", ["not a"]),
    ("branch", "def f(a):\n    while a:\n        break", ["not a"]),
    ("compare", "def f(a):\n    return a < 1", ["a >= 1", "a <= 1"]),
    ("compare", "def f(a):\n    return a >= 1", ["a < 1", "a > 1"]),
    ("compare", "def f(a):\n    return 0 == a", ["0 != a"]),
    ("compare", "def f(a):\n    return a is None", ["a is not None"]),
    ("compare", "def f(a):\n    return not a in a", ["(a not in a)"]),
    ("negation", "def f(a):\n    return not a", ["a"]),
    ("logic", "def f(a, b):\n    return a and b", ["a or b"]),
    ("operand", "def f(a, b):\n    return a and b", ["b", "a"]),
    ("operand", "def f(a, b):\n    return not (a or b or a)", ["(b or a)", "(a or a)", "(a or b)"]),
    ("operator", "def f(a, b):\n    return a + b * a", ["a - b * a", "(b // a)"]),
    ("constant", "def f(a):\n    return a[1]", ["2", "0"]),
    ("constant", "def f(a):\n    return 0", ["1", "(-1)"]),
    ("constant", "def f(a):\n    return True", ["False"]),
    ("constant", "def f(a):\n    return b'::'", ["b''"]),
    ("constant", "def f(a):\n    return g(LIMIT)", ["LIMIT + 1", "LIMIT - 1"]),
    ("constant", "def f(a):\n    return a * LIMIT", ["(LIMIT + 1)", "(LIMIT - 1)"]),
    ("effect", "def f(a):\n    return evolve(a, x=1, y=2)", ["evolve(a, y=2)", "evolve(a, x=1)"]),
    ("effect", "def f(a):\n    return evolve(a, x=1)", ["a"]),
    ("effect", "def f(a):\n    a = g(a)", ["pass"]),
    ("effect", "def f(a):\n    b = g(a)", []),
    ("effect", "def f(a):\n    a += 1", ["pass"]),
    ("effect", "def f(a):\n    a.append(1)", ["pass"]),
    ("effect", "def f(a):\n    return g(a.push(1))", ["a"]),
    ("effect", "def f(a):\n    return Accepted(a, (1,))", ["Accepted(a)"]),
    ("call", "def f(a):\n    return min(a), all(a), sorted(a)", ["max", "any", "list"]),
    ("field", "def f(a):\n    return a.left", ["a.right"]),
    ("swap", "def f(a, b):\n    return g(a, b, a)", ["g(b, a, a)"]),
    ("swap", "def f(a, b):\n    return min(a, b)", []),
    ("result", "def f(a) -> bool:\n    return g(a)", ["not g(a)"]),
    ("result", "def f(a) -> u64:\n    return g(a)", ["g(a) + 1"]),
    ("result", "def f(a) -> Hash:\n    return g(a)", ["(g(a))[::-1]"]),
    ("result", "def f(a) -> Hash | None:\n    return g(a)", ["None"]),
    ("result", "def f(a) -> tuple[int, ...]:\n    return g(a)", ["(g(a))[1:]"]),
    ("result", "def f(a) -> tuple[int, Hash]:\n    return g(a)", ["(g(a))[::-1]"]),
    ("result", "def f(a) -> frozenset[int]:\n    return g(a)", ["frozenset()"]),
    ("result", "def f(a: Chain) -> Chain:\n    return g(a)", ["a"]),
    ("result", "def f(a):\n    def g(b: int) -> int:\n        return h(b)\n    return g", ["h(b) + 1", "b"]),
    ("result", "def f(a):\n    return a", ["None"]),
]


@pytest.mark.parametrize(("kind", "source", "texts"), DERIVED)
def test_each_kind_of_change(kind: str, source: str, texts: list[str]) -> None:
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    assert [change.text for change in changes(function, NAMES) if change.kind == kind] == texts


def test_every_kind_is_documented_and_seen() -> None:
    assert {kind for kind, _, texts in DERIVED if texts} == set(KINDS)


@pytest.mark.parametrize(
    "source",
    [
        'def f(a):\n    """Doc 1."""\n    assert a < 1',
        "def f(a: Size[3] = 5):\n    b: Size[4]",
        "def f(a):\n    b: Size[4] = a",
        "def f(a):\n    return g(f'{a < 1}')",
        "def f(a):\n    match a:\n        case Reason.X | 3:\n            return g(a)",
    ],
)
def test_what_is_left_alone(source: str) -> None:
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    assert {change.kind for change in changes(function, NAMES)} <= {"result"}


def test_fields_of_one_type_are_twins() -> None:
    tree = ast.parse("class A:\n    x: int\n    y: int\n    z: str\n\nclass B:\n    w: int")
    assert set(twin_fields(tree)) == {("x", "y"), ("y", "x")}


SAMPLE = [name for name in functions() if name.partition(":")[0] in {"inbox", "committee", "certificate"}]


@pytest.mark.parametrize("function", SAMPLE)
def test_mutants_are_stable_distinct_programs(function: str) -> None:
    found = mutants(function)
    assert found
    assert len({mutant.id for mutant in found}) == len(found)
    assert len({ast.dump(ast.parse(mutant.source)) for mutant in found}) == len(found)
    for mutant in found:
        assert find(mutant.id) == mutant
        assert mutant.kind in KINDS
        with applied(mutant):
            pass


def test_every_function_is_listed_once() -> None:
    names = functions()
    assert len(set(names)) == len(names)
    assert {"inbox:add", "application:Token.execute_operation", "rejections:transition"} <= set(names)
    assert "crypto:Scheme.hash" not in names  # a protocol has nothing to break


def test_description() -> None:
    mutant = find("committee:max_faulty:constant:0")
    rows = mutant.description.splitlines()
    assert "-    return (total - 1) // 3" in rows
    assert "+    return (total - 2) // 3" in rows
    data = mutant.to_json()
    assert (data["id"], data["before"], data["after"]) == (mutant.id, "1", "2")
    assert data["line"] == mutant.line


@pytest.mark.parametrize(
    "name", ["inbox:add:guard:99", "inbox:add:guard", "inbox:add", "inbox:nothing:guard:0", "nowhere:add:guard:0", ""]
)
def test_unknown_mutants(name: str) -> None:
    with pytest.raises(MutationError):
        find(name)


# --- Editing -----------------------------------------------------------------------------------------------------


def test_edit() -> None:
    mutant = edit("committee:max_faulty", "// 3", "// 2")
    with applied(mutant):
        assert max_faulty(9) == 4
    assert mutant.id == "committee:max_faulty:edit:0"


@pytest.mark.parametrize(
    ("function", "old", "new", "message"),
    [
        ("committee:max_faulty", "// 4", "// 2", "expected '// 4' exactly once, found it 0 times"),
        ("committee:max_faulty", "total", "n", "exactly once, found it"),
        ("committee:max_faulty", "// 3", "//3", "changes nothing"),
        ("committee:max_faulty", "// 3", "// (", "not Python after the edit"),
        ("committee:max_faulty", "def max_faulty", "def min_faulty", "the function is gone"),
        ("committee:nothing", "a", "b", "has no function 'nothing'"),
        ("committee:Committee", "a", "b", "has no function 'Committee'"),
        ("nowhere:max_faulty", "a", "b", "there is no module linera_reference.nowhere"),
    ],
)
def test_edits_that_fail_loudly(function: str, old: str, new: str, message: str) -> None:
    with pytest.raises(MutationError, match=message.replace("(", r"\(")):
        edit(function, old, new)


def test_an_edit_of_a_default() -> None:
    with applied(edit("request:sign_request", "round: u32 = 0", "round: u32 = 7")):
        assert sign_request.__defaults__ == (7, None)
    assert sign_request.__defaults__ == (0, None)


def test_broken_variants_have_names(tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_text(
        '[halves]\nfunction = "committee:max_faulty"\nold = "// 3"\nnew = "// 2"\n'
        '[derived]\nmutant = "committee:max_faulty:constant:0"\n[wrong]\nfunction = "committee:max_faulty"\n'
    )
    assert broken("halves", file) == edit("committee:max_faulty", "// 3", "// 2")
    assert broken("derived", file).kind == "constant"
    with pytest.raises(MutationError, match="no variant 'other', there are derived, halves, wrong"):
        broken("other", file)
    with pytest.raises(MutationError, match="expected mutant"):
        broken("wrong", file)
    with pytest.raises(MutationError, match="cannot be read"):
        broken("other", tmp_path / "missing.toml")


# --- Applying ----------------------------------------------------------------------------------------------------


def behaves(mutant: Mutant, run: Callable[[], object]) -> tuple[object, object, object]:
    """Run before, under and after a mutant."""
    before = run()
    with applied(mutant):
        under = run()
    return before, under, run()


def test_every_name_of_a_function_is_affected() -> None:
    table = {"alias": max_faulty}
    mutant = edit("committee:max_faulty", "// 3", "// 2")
    for run in (lambda: max_faulty(9), lambda: committee.max_faulty(9), lambda: table["alias"](9)):
        assert behaves(mutant, run) == (2, 4, 2)


def test_callers_in_other_modules_are_affected() -> None:
    mutant = edit("messages:successor", "cursor.index + 1", "cursor.index + 2")
    assert behaves(mutant, lambda: add(Inbox(), MESSAGE).next_add.index) == (1, 2, 1)


def test_methods() -> None:
    token, credit = Token(), encode(Credit(5))
    (field,) = [m for m in mutants("application:Token.execute_message") if m.text == "state.amount - credit.amount"]
    run: Callable[[], object] = lambda: token.execute_message((0,), Balance(7), (1,), credit).state  # noqa: E731
    assert behaves(field, run) == (Balance(12), Balance(2), Balance(12))


def test_entry_points_below_their_decorator() -> None:
    mutant = find("validator:archive_chain:reason:0")
    run: Callable[[], object] = lambda: archive_chain(Chain((0,)))  # noqa: E731
    before, under, after = behaves(mutant, run)
    assert before == after == Rejected(Reason.CHAIN_NOT_CLOSED)
    assert under == Rejected(Reason.ACTION_NOT_ENABLED)


def test_closures_that_a_decorator_made_before() -> None:
    @transition
    def entry() -> Accepted[int]:
        raise Rejection(Reason.USER_ERROR, "detail")

    mutant = edit("rejections:transition", "rejection.detail", "None")
    assert behaves(mutant, entry) == (
        Rejected(Reason.USER_ERROR, "detail"),
        Rejected(Reason.USER_ERROR),
        Rejected(Reason.USER_ERROR, "detail"),
    )


def test_memoised_code_is_made_again() -> None:
    data = encode(Cursor(1, 2))
    mutant = edit("encoding:_write", "'little'", "'big'")
    before, under, after = behaves(mutant, lambda: encode(Cursor(1, 2)))
    assert before == after == data
    assert under == data[7::-1] + data[:7:-1]
    assert decode(Cursor, data) == Cursor(1, 2)


def test_properties() -> None:
    mutant = edit("messages:Message.cursor", "self.index", "self.index + 1")
    assert behaves(mutant, lambda: MESSAGE.cursor.index) == (0, 1, 0)


def test_everything_is_put_back_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), applied(edit("committee:max_faulty", "// 3", "// 0")):
        max_faulty(4)
    assert max_faulty(4) == 1


def test_mutants_of_different_functions_combine() -> None:
    first = edit("committee:max_faulty", "// 3", "// 2")
    second = edit("committee:validity_threshold", "// 3", "// 2")
    with applied(first), applied(second):
        assert (committee.max_faulty(9), committee.validity_threshold(9)) == (4, 5)
    assert (committee.max_faulty(9), committee.validity_threshold(9)) == (2, 3)


def test_predicates() -> None:
    assert {mutant.kind for mutant in mutants("predicates.agreement:logs_are_prefixes")} >= {"effect", "branch"}
    with applied(find("predicates.agreement:logs_are_prefixes:effect:0")):
        pass


def test_a_dropped_guard_accepts() -> None:
    mutant = find("inbox:add:guard:0")
    late = Inbox(next_add=Cursor(5, 0))
    with pytest.raises(Rejection):
        add(late, MESSAGE)
    with applied(mutant):
        assert inbox.add(late, MESSAGE).next_add == Cursor(0, 1)


@examples(50)
@given(st.sampled_from(SAMPLE), st.data())
def test_any_mutant_is_put_back(function: str, data: st.DataObject) -> None:
    original = mutation.function_object(function)
    code = original.__code__
    with applied(data.draw(st.sampled_from(mutants(function)))):
        assert original.__code__ is not code
    assert original.__code__ is code


# --- Child processes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["committee:max_faulty:constant:1", None])
def test_a_child_process_takes_its_mutant_from_the_environment(name: str | None) -> None:
    mutant = find(name) if name else edit("committee:max_faulty", "- 1", "- 0")
    program = "from linera_invariants.mutation import activate; print(activate().text);"
    program += "from linera_reference.committee import max_faulty; print(max_faulty(9))"
    done = subprocess.run(
        [sys.executable, "-c", program], env=os.environ | environment(mutant), capture_output=True, check=True
    )
    assert done.stdout.decode().split() == ([mutant.text, "3"] if name else ["-", "0", "3"])


def test_without_the_variable_nothing_is_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert activate() is None
    monkeypatch.setenv(VARIABLE, "committee:max_faulty:nothing:0")
    with pytest.raises(MutationError, match="no mutant"):
        activate()


def test_as_a_pytest_plug_in(tmp_path: Path) -> None:
    test = tmp_path / "test_max_faulty.py"
    test.write_text("from linera_reference.committee import max_faulty\n\ndef test():\n    assert max_faulty(9) == 2\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "linera_invariants.mutation",
        "-p",
        "no:cacheprovider",
        str(test),
    ]
    codes = [
        subprocess.run(command, cwd=tmp_path, env=os.environ | variables, capture_output=True, check=False).returncode
        for variables in ({}, environment(edit("committee:max_faulty", "// 3", "// 2")))
    ]
    assert codes == [0, 1]


def test_require_is_a_function_like_others() -> None:
    with applied(find("rejections:require:branch:0")):
        require(False, Reason.USER_ERROR)
    with pytest.raises(Rejection):
        require(False, Reason.USER_ERROR)

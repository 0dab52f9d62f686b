"""What holds for the whole package: links to clauses, closed reasons, purity."""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, get_args, get_type_hints

import pytest
from support import refused

import linera_reference
from linera_reference import notation
from linera_reference.notation import MAX_U32, MAX_U64, MAX_U128, SYMBOLS, evolve, rule, support
from linera_reference.rejections import Accepted, Reason, Rejected, Rejection, require, transition, unwrap

MODULES = [
    importlib.import_module(f"linera_reference.{m.name}") for m in pkgutil.iter_modules(linera_reference.__path__)
]
CHAPTERS = Path(__file__).parents[2] / "spec" / "chapters"
CLAUSE = re.compile(r"WP-(\d\.\d|A\.\d)-[A-Z0-9]+(-[A-Z0-9]+)*")
PURE = {
    "abc",
    "attrs",
    "bisect",
    "collections",
    "cryptography",
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "immutables",
    "itertools",
    "math",
    "operator",
    "struct",
    "types",
    "typing",
}


def public_rules() -> Iterator[tuple[str, Any]]:
    """Yield every public function and method that the package defines, containers' operations excepted."""
    for module in MODULES:
        for name, member in vars(module).items():
            if getattr(member, "__module__", None) != module.__name__ or name.startswith("_"):
                continue
            where = f"{module.__name__.split('.')[1]}.{name}"
            if inspect.isfunction(member):
                yield where, member
            elif inspect.isclass(member) and not is_plain(module, member):
                for inner, function in vars(member).items():
                    if isinstance(function, FunctionType) and not inner.startswith("_"):
                        yield f"{where}.{inner}", function


def is_plain(module: ModuleType, kind: type) -> bool:
    """Whether a class is a container, a protocol or an enumeration: its methods are no rules."""
    return module.__name__.endswith(".containers") or getattr(kind, "_is_protocol", False) or issubclass(kind, Enum)


# Two decorators mark the others; they cannot mark themselves.
RULES = [(name, member) for name, member in public_rules() if name not in ("notation.rule", "notation.support")]


def headings() -> set[str]:
    """Return the anchors of the chapters."""
    texts = [path.read_text(encoding="utf-8") for path in CHAPTERS.glob("*.md")]
    return {match for text in texts for match in re.findall(r"^\(([^)]+)\)=$", text, re.MULTILINE)}


def test_there_are_rules() -> None:
    assert len(RULES) > 80


@pytest.mark.parametrize(("name", "member"), RULES, ids=[name for name, _ in RULES])
def test_every_public_rule_names_its_clauses(name: str, member: Any) -> None:
    assert hasattr(member, "__clauses__"), f"{name} is neither @rule nor @support"
    assert all(CLAUSE.fullmatch(clause) for clause in member.__clauses__)
    assert len(set(member.__clauses__)) == len(member.__clauses__)
    assert set(member.__clauses__) <= headings()
    assert inspect.getdoc(member)


@pytest.mark.parametrize("reason", Reason, ids=lambda r: r.name)
def test_every_reason_has_a_clause_and_a_sentence(reason: Reason) -> None:
    assert re.fullmatch(r"[A-Z].*\.", reason.sentence)
    assert reason.clause in headings()


def test_reasons_are_distinct() -> None:
    assert len(Reason.__members__) == len(list(Reason))
    assert len({reason.sentence for reason in Reason}) == len(list(Reason))


def test_the_chapters_name_no_unknown_reason() -> None:
    words = {
        word
        for path in CHAPTERS.glob("*.md")
        for word in re.findall(r"`([A-Z]{2,}(?:_[A-Z]+)+)`", path.read_text(encoding="utf-8"))
    }
    assert words <= {reason.name for reason in Reason}


def test_every_reason_is_raised_somewhere() -> None:
    sources = "".join(inspect.getsource(module) for module in MODULES if not module.__name__.endswith("rejections"))
    assert [reason.name for reason in Reason if f"Reason.{reason.name}" not in sources] == []


def named(path: str) -> list[Any]:
    """Find a dotted name: a class, a field of a record, or a member of a module."""
    parts = path.split(".")
    found = [m for m in MODULES if m.__name__ == f"linera_reference.{parts[0]}"]
    found = found or [vars(m)[parts[0]] for m in MODULES if parts[0] in vars(m)]
    for part in parts[1:]:
        found = [getattr(x, part) for x in found if hasattr(x, part)]
    return found


@pytest.mark.parametrize("symbol", SYMBOLS, ids=lambda s: s[0])
def test_the_symbol_table_names_what_exists(symbol: tuple[str, str, str]) -> None:
    for name in symbol[2].split(", "):
        assert name == "None" or named(name)


def test_ranges() -> None:
    assert (MAX_U32, MAX_U64, MAX_U128) == (2**32 - 1, 2**64 - 1, 2**128 - 1)
    widths = {name: get_args(vars(notation)[name])[1].width for name in ("u8", "u32", "u64", "u128")}
    assert widths == {"u8": 8, "u32": 32, "u64": 64, "u128": 128}
    sizes = {name: get_args(vars(notation)[name])[1].length for name in ("Hash", "PublicKey", "Signature")}
    assert sizes == {"Hash": 32, "PublicKey": 32, "Signature": 64}


def test_marks() -> None:
    @rule("A", "B")
    def ruled() -> None:
        """Do nothing."""

    @support
    def helper() -> None:
        """Do nothing."""

    assert vars(ruled)["__clauses__"] == ("A", "B")
    assert vars(helper)["__clauses__"] == ()


def test_evolve() -> None:
    reply = Rejected(Reason.ARITHMETIC, 1)
    assert evolve(reply, detail=2) == Rejected(Reason.ARITHMETIC, 2)
    assert reply.detail == 1
    assert evolve(reply) == reply
    with pytest.raises(TypeError, match="no field"):
        evolve(reply, details=2)


# --- rejections --------------------------------------------------------------------------------------------------


@transition
def halve(number: int) -> Accepted[int]:
    """Halve an even number."""
    require(number % 2 == 0, Reason.ARITHMETIC, number)
    if number == 0:
        raise ZeroDivisionError
    return Accepted(number // 2, ("half",))


@pytest.mark.clauses("WP-2.8-ATOMIC")
def test_a_transition_turns_a_rejection_into_a_value() -> None:
    assert halve(4) == Accepted(2, ("half",))
    assert halve(5) == Rejected(Reason.ARITHMETIC, 5)
    assert halve(number=5) == Rejected(Reason.ARITHMETIC, 5)


def test_any_other_exception_is_a_bug_and_stays_one() -> None:
    with pytest.raises(ZeroDivisionError):
        halve(0)


def test_a_transition_keeps_its_name_and_clauses() -> None:
    entry = transition(rule("X")(halve))
    assert entry.__name__ == "halve"
    assert vars(entry)["__clauses__"] == ("X",)


def test_a_transition_inside_another_one() -> None:
    assert unwrap(halve(4)) == Accepted(2, ("half",))
    with refused(Reason.ARITHMETIC) as caught:
        unwrap(halve(5))
    assert caught.value.detail == 5


def test_require() -> None:
    require(True, Reason.ARITHMETIC)
    with refused(Reason.ARITHMETIC) as caught:
        require(False, Reason.ARITHMETIC, (1, 2))
    assert caught.value.detail == (1, 2)
    assert str(Rejection(Reason.ARITHMETIC, 3)) == "('ARITHMETIC', 3)"


# --- purity ------------------------------------------------------------------------------------------------------


def imported(tree: ast.AST) -> set[str]:
    """Return the top-level packages that a module imports absolutely."""
    names: set[str] = set()
    for found in ast.walk(tree):
        if isinstance(found, ast.Import):
            names |= {alias.name.split(".")[0] for alias in found.names}
        elif isinstance(found, ast.ImportFrom) and found.level == 0:
            names.add(str(found.module).split(".")[0])
    return names


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_a_core_module_imports_nothing_impure(module: ModuleType) -> None:
    assert imported(ast.parse(inspect.getsource(module))) <= PURE


@pytest.mark.parametrize("module", MODULES, ids=lambda m: m.__name__)
def test_a_core_module_has_no_global_state_and_no_input_or_output(module: ModuleType) -> None:
    tree = ast.parse(inspect.getsource(module))
    assert not [
        n for n in ast.walk(tree) if isinstance(n, ast.Global | ast.Nonlocal | ast.Await | ast.AsyncFunctionDef)
    ]
    called = {n.func.id for n in ast.walk(tree) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    assert not called & {"open", "print", "input", "setattr", "delattr", "id", "breakpoint"}


def test_states_are_frozen_records() -> None:
    """Every class of the package is a frozen record with slots, a protocol, an enumeration or an exception."""
    for module in MODULES:
        for kind in vars(module).values():
            if not inspect.isclass(kind) or kind.__module__ != module.__name__ or issubclass(kind, Enum | Exception):
                continue
            if getattr(kind, "_is_protocol", False):
                continue
            assert kind.__setattr__ is not object.__setattr__, kind
            assert "__slots__" in vars(kind), kind
            assert get_type_hints(kind) is not None

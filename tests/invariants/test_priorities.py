"""The order of rejections that is read from the source."""

import ast
import re
from pathlib import Path
from textwrap import dedent

import pytest

from linera_invariants.clauses import load_spec
from linera_invariants.priorities import EntryPoint, entry_points, rejections
from linera_invariants.sources import Function, core_root, definitions, package
from linera_reference.rejections import Reason

REJECTIONS = rejections(core_root())
DOCUMENTED = {
    f"{source.name}:{name}": (ast.get_docstring(node) or "").partition("Rejects")[2]
    for source in package(core_root())
    for name, node in definitions(source.tree)
    if isinstance(node, Function)
}


def made(folder: Path, **modules: str) -> Path:
    """Write a package of these modules."""
    for name, text in modules.items():
        (folder / f"{name}.py").write_text(dedent(text))
    return folder


def test_the_guards_of_a_request() -> None:
    points = {point.name: point for point in entry_points(core_root())}
    assert points["validator:handle_request"].reasons[:16] == (
        "INACTIVE_CHAIN",
        "CHAIN_CLOSED",
        "INVALID_OWNER",
        "OUT_OF_TURN",
        "INVALID_SIGNATURE",
        "UNEXPECTED_BLOCK_HEIGHT",
        "UNEXPECTED_PREVIOUS_BLOCK_HASH",
        "INVALID_BLOCK_HEIGHT",
        "UNEXPECTED_CERTIFICATE_KIND",
        "CERTIFICATE_VALIDATOR_REUSE",
        "INVALID_CERTIFICATE_SIGNER",
        "CERTIFICATE_REQUIRES_QUORUM",
        "INSUFFICIENT_ROUND",
        "HAS_LOCKED_BLOCK",
        "INVALID_BLOCK_PROPOSAL",
        "PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST",
    )
    assert points["validator:handle_request"].reasons[-1] == "MISSING_CROSS_CHAIN_UPDATE"


def test_the_guards_of_a_validated_certificate() -> None:
    points = {point.name: point for point in entry_points(core_root())}
    assert points["validator:handle_validated"].reasons == (
        "INACTIVE_CHAIN",
        "CHAIN_CLOSED",
        "MISSING_EARLIER_BLOCKS",
        "UNEXPECTED_CERTIFICATE_KIND",
        "CERTIFICATE_VALIDATOR_REUSE",
        "INVALID_CERTIFICATE_SIGNER",
        "CERTIFICATE_REQUIRES_QUORUM",
        "INVALID_SIGNATURE",
        "INVALID_BLOCK_CHAINING",
        "INSUFFICIENT_ROUND",
        "HAS_LOCKED_BLOCK",
    )


@pytest.mark.parametrize(
    ("clause", "entry"),
    [
        ("WP-2.8-HANDLE-REQUEST", "validator:handle_request"),
        ("WP-2.9-PROPOSAL", "validator:handle_request"),
        ("WP-2.8-HANDLE-CERTIFICATE", "validator:handle_certificate"),
        ("WP-2.9-VALIDATED", "validator:handle_validated"),
    ],
)
def test_the_chapters_list_guards_in_the_order_of_the_code(clause: str, entry: str) -> None:
    reasons = {point.name: point.reasons for point in entry_points(core_root())}[entry]
    named = re.findall(r"^\| \d+ \|.*\| `([A-Z_]+)` \|$", load_spec().clauses[clause].text, re.MULTILINE)
    assert len(named) >= 7
    assert named == sorted(named, key=reasons.index)


def test_handlers_come_first_and_checks_last() -> None:
    points = entry_points(core_root())
    kinds = [(point.is_transition, point.name.startswith("validator:")) for point in points]
    assert kinds == sorted(kinds, key=lambda kind: (not kind[0], not kind[1]))
    assert not points[-1].is_transition


@pytest.mark.parametrize("name", sorted(name for name, text in DOCUMENTED.items() if text and name in REJECTIONS))
def test_docstrings_name_reasons_in_the_order_of_the_code(name: str) -> None:
    """OUT_OF_RANGE is left out: it comes from codecs, and so are the reasons that stand behind another transition."""
    named = [word for word in re.findall(r"[A-Z_]{6,}", DOCUMENTED[name]) if word in Reason.__members__]
    found = REJECTIONS[name]
    behind = {reason for other in found if ":" in other for reason in REJECTIONS[other]}
    own = [word for word in named if word != "OUT_OF_RANGE" and (word in found or word not in behind)]
    assert own == sorted(own, key=found.index)


def test_arguments_are_evaluated_before_the_call(tmp_path: Path) -> None:
    made(
        tmp_path,
        low="""
            def first(x):
                require(x, Reason.ONE)
                return x
        """,
        high="""
            from .low import first

            @transition
            def entry(x):
                def inner(y):
                    require(y, Reason.TWO)
                return last(first(x), inner)

            def last(x, f):
                require(x, Reason.THREE)
        """,
    )
    assert entry_points(tmp_path) == (EntryPoint("high:entry", True, ("TWO", "ONE", "THREE")),)


def test_a_reason_that_is_replaced_does_not_count(tmp_path: Path) -> None:
    made(
        tmp_path,
        one="""
            @transition
            def entry(x):
                try:
                    require(x, Reason.INNER)
                except Rejection as rejection:
                    raise Rejection(Reason.OUTER) from None
        """,
    )
    assert entry_points(tmp_path)[0].reasons == ("OUTER",)


def test_another_transition_stands_for_its_reasons(tmp_path: Path) -> None:
    made(
        tmp_path,
        one="""
            @transition
            def outer(x):
                require(x, Reason.ONE)
                return inner(x)

            @transition
            def inner(x):
                require(x, Reason.TWO)
        """,
    )
    assert rejections(tmp_path) == {"one:outer": ("ONE", "one:inner"), "one:inner": ("TWO",)}


def test_recursion_ends(tmp_path: Path) -> None:
    made(
        tmp_path,
        one="""
            def down(x):
                require(x, Reason.ONE)
                return down(x - 1)
        """,
    )
    assert rejections(tmp_path) == {"one:down": ("ONE",)}


def test_a_comparison_with_a_reason_rejects_nothing(tmp_path: Path) -> None:
    made(
        tmp_path,
        one="""
            def goals(rejection):
                match rejection.reason:
                    case Reason.ONE:
                        return 1
                return 0
        """,
    )
    assert rejections(tmp_path) == {"one:goals": ()}

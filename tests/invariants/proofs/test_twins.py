"""What stands for loops in proofs does what the loops do, and a wrong invariant is seen."""

from collections.abc import Callable
from typing import Any

import pytest
import z3
from hypothesis import given, settings
from hypothesis import strategies as st

from linera_invariants.proofs.codecs import INTEGERS, numbers
from linera_invariants.proofs.contracts.delivery import Items, any_of, set_of
from linera_invariants.proofs.lifted import lifted
from linera_invariants.proofs.queries import ask
from linera_invariants.proofs.symbolic import OutsideSubsetError, SInt, claim, fresh, term
from linera_invariants.proofs.twins import SQueue, Walk, formula_of

NUMBERS = st.lists(st.integers(-2, 2), max_size=4)


def holds(run: Callable[[], None]) -> bool:
    return all(ask(query, "z3").is_expected(query) for query in lifted("it", run))


def items(numbers: list[int]) -> Items:
    array = z3.K(z3.IntSort(), z3.IntVal(9))
    for index, number in enumerate(numbers):
        array = z3.Store(array, index, number)
    return Items(INTEGERS, array, z3.IntVal(0), z3.IntVal(len(numbers)))


@settings(max_examples=30, deadline=None)
@given(NUMBERS, st.integers(-3, 3))
def test_any_over_items_is_any(numbers: list[int], bound: int) -> None:
    expected = any(number > bound for number in numbers)
    assert holds(lambda: claim("any", any_of(number > bound for number in items(numbers)).term == expected))
    assert not holds(lambda: claim("any", any_of(number > bound for number in items(numbers)).term != expected))


@settings(max_examples=30, deadline=None)
@given(NUMBERS, st.integers(-3, 3))
def test_a_set_of_items_is_their_set(numbers: list[int], member: int) -> None:
    expected = member in frozenset(numbers)
    assert holds(lambda: claim("in", set_of(number for number in items(numbers))(z3.IntVal(member)) == expected))


def count(known: Callable[[Any, Any], Any], step: Callable[[Any, Any], Any]) -> None:
    queue = SQueue.unknown(INTEGERS, "queue")
    walk = Walk(queue, lambda i, n: term(known(i - queue.head, n)), lambda: SInt(fresh("n", z3.IntSort())))
    claim("one per item", term(walk.fold(step, 0)) == queue.tail - queue.head)


def test_a_walk_proves_what_a_loop_computes() -> None:
    assert holds(lambda: count(lambda i, n: n == SInt(i), lambda n, _: n + 1))


@pytest.mark.parametrize(
    ("known", "step"),
    [
        (lambda i, n: n == SInt(i) + 1, lambda n, _: n + 1),
        (lambda i, n: n == SInt(i), lambda n, _: n + 2),
        (lambda i, n: n >= SInt(i), lambda n, _: n + 1),
    ],
    ids=["wrong at the start", "not kept", "too weak"],
)
def test_a_wrong_invariant_is_seen(known: Any, step: Any) -> None:
    assert not holds(lambda: count(known, step))


@pytest.mark.parametrize(("stored", "fits"), [(3, True), (4, False)])
def test_what_is_stored_must_be_in_range(stored: int, fits: bool) -> None:
    def run() -> None:
        SQueue.empty(numbers(0, 3)).push(SInt(z3.IntVal(stored) + fresh("nothing", z3.IntSort()) * 0))

    assert holds(run) is fits


def test_a_formula_makes_up_no_values() -> None:
    def run() -> None:
        formula_of(lambda: SInt(fresh("x", z3.IntSort())) == 0)

    with pytest.raises(OutsideSubsetError, match="makes up no values"):
        list(lifted("formula", run))

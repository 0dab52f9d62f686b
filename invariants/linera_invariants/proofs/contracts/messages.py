"""Places of messages: their order, the next one, and the heights before one."""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import z3

from linera_invariants.proofs.codecs import atoms, numbers, records, unknown
from linera_invariants.proofs.lifted import lifted
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import assume, attempt, claim, conj, term
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import formula_of
from linera_reference.messages import Cursor, Message, heights_before, successor
from linera_reference.notation import MAX_U32, MAX_U64
from linera_reference.rejections import Reason, Rejected

CURSORS: Final = records(Cursor)
MESSAGES: Final = records(Message, ("content", atoms("Content")))
HEIGHTS: Final = numbers(0, MAX_U64)


FIRST, SECOND = z3.Consts("first! second!", CURSORS.sort)


def precedes(first: Any, second: Any) -> z3.BoolRef:
    """Return, as one formula, whether a place comes before another."""
    return z3.substitute(_precedes(), (FIRST, first), (SECOND, second))


@cache
def _precedes() -> z3.BoolRef:
    """Run the shipped comparison, once for all."""
    return formula_of(lambda: CURSORS.unpack(FIRST) < CURSORS.unpack(SECOND))


def place(message: Any) -> Any:
    """Return the place of a message."""
    return CURSORS.pack(MESSAGES.unpack(message).cursor)


def is_next(cursor: Any, after: Any) -> z3.BoolRef:
    """Say that no place lies between two places of one block, the second of which comes after the first."""
    first, second = CURSORS.unpack(cursor), CURSORS.unpack(after)
    return conj(term(second.height == first.height), term(second.index == first.index + 1))


@formula("CURSOR-ORDER")
def strict_total_order(a: Any, b: Any, c: Any) -> z3.BoolRef:
    """Say that places are in a strict total order."""
    transitive = z3.Implies(conj(precedes(a, b), precedes(b, c)), precedes(a, c))
    one = z3.If(precedes(a, b), 1, 0) + z3.If(precedes(b, a), 1, 0) + z3.If(a == b, 1, 0)
    return conj(transitive, one == 1)


@proof("CURSOR-ORDER")
def the_order_of_places(_: Given) -> Iterator[Query]:
    """Compare three arbitrary places, both ways."""

    def run() -> None:
        a, b, c = (unknown(CURSORS, name) for name in "abc")
        claim("a strict total order", said("CURSOR-ORDER", *map(CURSORS.pack, (a, b, c))))
        claim("≤ is < or =", formula_of(lambda: a <= b) == z3.Not(precedes(CURSORS.pack(b), CURSORS.pack(a))))
        claim("≥ is > or =", formula_of(lambda: a >= b) == z3.Not(precedes(CURSORS.pack(a), CURSORS.pack(b))))

    yield from lifted("three places", run)


@proof("CURSOR-SUCCESSOR")
def the_next_place(_: Given) -> Iterator[Query]:
    """Run ``successor`` on an arbitrary place."""

    def run() -> None:
        cursor, other = unknown(CURSORS, "cursor"), CURSORS.pack(unknown(CURSORS, "other"))
        after = attempt(successor, cursor)
        if isinstance(after, Rejected):
            claim("rejects at the end of the range only", cursor.index == MAX_U32)
            claim("as ARITHMETIC", after.reason is Reason.ARITHMETIC)
            return
        here, there = CURSORS.pack(cursor), CURSORS.pack(after)
        claim("in range", CURSORS.valid(there))
        claim("comes after", precedes(here, there))
        claim("nothing between", z3.Not(conj(precedes(here, other), precedes(other, there))))
        claim("in the same block", is_next(here, there))

    yield from lifted("successor", run)


@formula("HEIGHTS-BEFORE")
def received_heights(cursor: Any, heights: Any, height: Any) -> z3.BoolRef:
    """Say that a height counts as before a place exactly if the first place of its block lies before it."""
    return (height < heights) == precedes(CURSORS.sort.constructor(0)(height, z3.IntVal(0)), cursor)


@proof("HEIGHTS-BEFORE")
def the_heights_before_a_place(_: Given) -> Iterator[Query]:
    """Run ``heights_before`` on an arbitrary place, and ask about an arbitrary height."""

    def run() -> None:
        cursor, height = unknown(CURSORS, "cursor"), unknown(HEIGHTS, "height")
        heights = attempt(heights_before, cursor)
        if isinstance(heights, Rejected):
            claim("rejects the last block only", conj(term(cursor.height == MAX_U64), term(cursor.index > 0)))
            claim("as ARITHMETIC", heights.reason is Reason.ARITHMETIC)
            return
        claim("exact", said("HEIGHTS-BEFORE", CURSORS.pack(cursor), term(heights), term(height)))
        claim("in range", HEIGHTS.valid(term(heights)))
        assume(cursor.height == MAX_U64)
        claim("in the last block, the first place has heights before it", cursor.index == 0)

    yield from lifted("heights_before", run)

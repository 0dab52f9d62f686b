"""A small network for witnesses: a chain of two blocks, the first of which created another chain.

The second block was validated in round 1 and then confirmed, the first one was confirmed at once.
"""

from typing import Any

import z3

from linera_invariants.proofs.relational import State, Symbol
from linera_invariants.proofs.symbolic import conj
from linera_invariants.proofs.twins import forall

from .agreement import CHAIN, CREATION, EXECUTED, REST, VALIDATOR, WORDS, C, V, network

CHILD = z3.Const("child", CHAIN)
FIRST, SECOND = z3.Consts("first second", EXECUTED)
RESTS = z3.Consts("rest_0 rest_1 rest_2", REST)
BORN = z3.Const("rest_of_child", REST)


def family() -> z3.BoolRef:
    """There is one validator with two chains, and the first block of one creates the other."""
    chains = conj(forall((CHAIN,), lambda c: z3.Or(c == C, c == CHILD)), C != CHILD, CREATION.parent_of(CHILD) == C)
    return conj(forall((VALIDATOR,), lambda v: v == V), chains, CREATION.creates(FIRST, CHILD))


def always(value: Any) -> Symbol:
    """Return a function with one value."""
    return lambda *_: value


def by_chain(parent: Any, child: Any) -> Symbol:
    """Return a function of validator and chain."""
    return lambda _, c: z3.If(c == C, parent, child)


def at(n: Any, *values: Any) -> Any:
    """Return the value at a place, the last one behind it."""
    first, *rest = values
    return z3.If(n == 0, first, at(n - 1, *rest)) if rest else first


def certified(executed: Any) -> z3.BoolRef:
    """Both blocks are certified."""
    return z3.Or(executed == FIRST, executed == SECOND)


def in_round_1(executed: Any, its_round: Any) -> z3.BoolRef:
    """The second block, in round 1."""
    return conj(executed == SECOND, its_round == 1)


def example() -> State:
    """Return a state after two blocks of the parent, and none of the child."""
    return network().replace(
        next_height=by_chain(z3.IntVal(2), z3.IntVal(0)),
        has_tip=by_chain(z3.BoolVal(True), z3.BoolVal(False)),
        tip=always(WORDS.hash_of(SECOND)),
        has_pending=always(z3.BoolVal(False)),
        last=always(z3.IntVal(0)),
        has_locked=always(z3.BoolVal(False)),
        rest=by_chain(RESTS[2], BORN),
        log=lambda _v, _c, n: WORDS.hash_of(at(n, FIRST, SECOND)),
        archived=always(z3.BoolVal(False)),
        done=lambda _v, _c, n: at(n, FIRST, SECOND),
        past=lambda v, c, n: by_chain(at(n, *RESTS), BORN)(v, c),
        source=always(FIRST),
        voted=lambda _v, e: certified(e),
        validates=lambda _v, e, r: in_round_1(e, r),
        confirms=lambda _v, e, r: z3.Or(in_round_1(e, r), conj(e == FIRST, r == 0)),
        kept=lambda _v, c, e: conj(c == C, certified(e)),
        sent=lambda _v, e: e == FIRST,
        certified=certified,
        validated=in_round_1,
        signed=always(z3.BoolVal(True)),
    )

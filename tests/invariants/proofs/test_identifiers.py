"""Identifiers of any length: the proofs hold, a wrong rule breaks them, and the twin agrees with tuples."""

import pytest
import z3
from proving import sees, unproved

from linera_invariants.mutation import edit
from linera_invariants.proofs.contracts.identifiers import SSequence, sequence
from linera_invariants.proofs.symbolic import SInt, explore
from linera_reference.identifiers import ChainId

ENTRIES = [
    "IS-IDENTIFIER",
    "CHILD-APPENDS",
    "PARENT",
    "IS-ANCESTOR",
    "OPEN-CHAIN",
    "CHILD-INJECTIVE",
    "FRESH-IDENTIFIERS",
]


@pytest.mark.parametrize("entry", ENTRIES)
def test_holds(entry: str) -> None:
    assert not list(unproved(entry))


MUTANTS = [
    ("IS-IDENTIFIER", "identifiers:is_identifier", "1 <= len", "0 <= len"),
    ("IS-IDENTIFIER", "identifiers:is_identifier", "min(chain_id) >= 0", "min(chain_id) >= 1"),
    ("IS-IDENTIFIER", "identifiers:is_identifier", "max(chain_id)", "min(chain_id)"),
    ("CHILD-APPENDS", "identifiers:child", "len(parent_id) < K_MAX", "len(parent_id) <= K_MAX"),
    ("CHILD-APPENDS", "identifiers:child", "0 <= index <= MAX_U64", "0 <= index"),
    ("CHILD-APPENDS", "identifiers:child", "(*parent_id, index)", "(index, *parent_id)"),
    ("PARENT", "identifiers:parent", ":-1", ":-2"),
    ("PARENT", "identifiers:parent", " or None", ""),
    ("IS-ANCESTOR", "identifiers:is_ancestor", "len(ancestor) < len(chain_id)", "len(ancestor) <= len(chain_id)"),
    ("OPEN-CHAIN", "execution:open_chain", "transaction.chain_id == expected", "True"),
    ("OPEN-CHAIN", "execution:open_chain", "Create(transaction.owner)", "Create(running.owner)"),
]


@pytest.mark.parametrize(("entry", "function", "old", "new"), MUTANTS)
def test_sees_a_broken_function(entry: str, function: str, old: str, new: str) -> None:
    assert sees(entry, edit(function, old, new))


def plain(value: object) -> ChainId:
    """Return the numbers of a sequence that is known."""
    known = z3.simplify(sequence(value))
    return tuple(z3.simplify(known[i]).as_long() for i in range(z3.simplify(z3.Length(known)).as_long()))


def symbolic(numbers: ChainId) -> SSequence:
    units = [z3.Unit(z3.IntVal(n)) for n in numbers]
    return SSequence(
        z3.Concat(z3.Empty(z3.SeqSort(z3.IntSort())), *units) if units else z3.Empty(z3.SeqSort(z3.IntSort()))
    )


@pytest.mark.parametrize("numbers", [(), (7,), (7, 8), (1, 2, 3)])
def test_the_twin_agrees_with_tuples(numbers: ChainId) -> None:
    def run() -> None:
        twin = symbolic(numbers)
        assert bool(twin) is bool(numbers)
        assert plain((*twin, SInt(z3.IntVal(9)))) == (*numbers, 9)
        assert plain(twin[:1]) == numbers[:1]
        assert plain(twin[:5]) == numbers[:5]
        if numbers:
            assert plain(twin[:-1]) == numbers[:-1]
        assert bool(twin == symbolic(numbers))
        assert not bool(twin == symbolic((*numbers, 0)))

    (path,) = explore(run)
    assert path.claims == []

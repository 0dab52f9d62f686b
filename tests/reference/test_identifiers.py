"""Chain identifiers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import refused

from linera_reference.identifiers import K_MAX, ChainId, child, is_ancestor, is_identifier, parent
from linera_reference.notation import MAX_U64
from linera_reference.rejections import Reason

IDS = st.lists(st.integers(0, 2), min_size=1, max_size=4).map(tuple)


@pytest.mark.clauses("WP-2.4-IDENTIFIER")
@pytest.mark.parametrize("chain_id", [(0,), (1,), (MAX_U64,), (0, 0), (MAX_U64,) * 16, tuple(range(16))])
def test_identifiers(chain_id: ChainId) -> None:
    assert is_identifier(chain_id)


@pytest.mark.clauses("WP-2.4-IDENTIFIER")
@pytest.mark.parametrize("chain_id", [(), (0,) * 17, (2**64,), (0, 2**64), (-1,), (0, -1, 0)])
def test_what_is_no_identifier(chain_id: ChainId) -> None:
    assert not is_identifier(chain_id)


@pytest.mark.clauses("WP-2.4-CHILD")
@pytest.mark.parametrize("index", [0, 1, MAX_U64])
def test_a_child_appends_the_index(index: int) -> None:
    assert child((5, 6), index) == (5, 6, index)


@pytest.mark.clauses("WP-2.4-CHILD")
def test_the_longest_identifier_has_no_child() -> None:
    assert K_MAX == 16
    assert child((0,) * 15, 7) == (0,) * 15 + (7,)
    with refused(Reason.INVALID_NEW_CHAIN_ID) as caught:
        child((0,) * 16, 0)
    assert caught.value.detail == (0,) * 16


@pytest.mark.clauses("WP-2.4-CHILD")
@pytest.mark.parametrize("index", [2**64, -1])
def test_an_index_has_64_bits(index: int) -> None:
    with refused(Reason.INVALID_NEW_CHAIN_ID) as caught:
        child((0,), index)
    assert caught.value.detail == index


@pytest.mark.clauses("WP-2.4-CHILD")
@given(IDS, IDS, st.integers(0, 3), st.integers(0, 3))
def test_children_are_injective(one: ChainId, two: ChainId, i: int, j: int) -> None:
    assert (child(one, i) == child(two, j)) == ((one, i) == (two, j))


@given(IDS, st.integers(0, 3))
def test_parent_undoes_child(chain_id: ChainId, index: int) -> None:
    assert parent(child(chain_id, index)) == chain_id
    assert parent((index,)) is None


@given(IDS, IDS)
def test_ancestors_are_strict_prefixes(one: ChainId, two: ChainId) -> None:
    chain: list[ChainId] = []
    above = parent(two)
    while above is not None:
        chain.append(above)
        above = parent(above)
    assert is_ancestor(one, two) == (one in chain)
    assert not is_ancestor(one, one)

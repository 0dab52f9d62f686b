"""Arbitrary well-typed input at the edges: every handler answers with a value, atomically and idempotently.

States and committees here need not be reachable: cells at the end of every range, weights that overflow, no validators.
"""

from copy import deepcopy
from typing import Any, get_type_hints

import attrs
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map
from strategies import integers, of
from support import (
    ED25519,
    FULL,
    IDEAL,
    accepted,
    cell,
    certified,
    certify,
    commit,
    digest,
    examples,
    executed,
    key,
    network,
    proposal,
    request,
    root,
    update,
    validators,
)

from linera_reference.application import Token, transfer
from linera_reference.block import AddOwner, ChangeKey, CloseChain, Execute, OpenChain, Receive, RemoveOwner
from linera_reference.certificate import Certificate, Kind
from linera_reference.chain import Chain, Consistent, Localized
from linera_reference.client import receive_waiting
from linera_reference.committee import Committee
from linera_reference.containers import Log, Queue
from linera_reference.context import Context
from linera_reference.messages import Cursor
from linera_reference.notation import MAX_U64
from linera_reference.outbox import ConfirmUpdatedRecipient, Outbox, UpdateRecipient
from linera_reference.rejections import Accepted, Reason, Rejected
from linera_reference.request import Request
from linera_reference.rounds import Rounds
from linera_reference.rules import BASELINE, REVISION_H
from linera_reference.validator import (
    Input,
    Validator,
    handle,
    handle_at,
    handle_update_recipient,
    target_of,
)

NET, SHARED = network(), network(owners=(("alice", "bob"), "carol"))
VOTER = validators(NET)[0]
ALICE, BOB = (0,), (1,)
LOCK = certify(SHARED, executed(SHARED, root(SHARED), Execute(transfer(BOB, 5))), kind=Kind.VALIDATED, round=2)


def genuine() -> list[tuple[Chain, Any]]:
    """Return cells with inputs that they would accept."""
    alice, first = commit(NET, root(NET), Execute(transfer(BOB, 5)), OpenChain((0, 1), key("carol")))
    bob = accepted(handle_update_recipient(NET.context, root(NET, 1), update(alice, BOB))).state
    closed, closing = commit(NET, alice, CloseChain())
    taken = certified(NET, bob, *receive_waiting(bob))
    locked = accepted(handle(SHARED.context, Validator(Map({ALICE: root(SHARED)})), LOCK, VOTER)).state.chains[ALICE]
    return [
        (root(NET), proposal(NET, "alice", root(NET), Execute(transfer(BOB, 5)), ChangeKey(key("bob")))),
        (bob, proposal(NET, "bob", bob, *receive_waiting(bob))),
        (root(NET), first),
        (bob, taken),
        (alice, first),
        (alice, closing),
        (root(NET, 1), update(alice, BOB)),
        (Chain((0, 1)), update(alice, (0, 1))),
        (bob, update(alice, BOB)),
        (alice, ConfirmUpdatedRecipient(ALICE, BOB, 0)),
        (closed, update(alice, BOB)),
        (root(SHARED), request(SHARED, "bob", LOCK.executed.block, 3, LOCK)),
        (root(SHARED), proposal(SHARED, "bob", root(SHARED), AddOwner(key("carol")), RemoveOwner(key("bob")))),
        (root(SHARED), LOCK),
        (locked, LOCK),
        (locked, request(SHARED, "alice", LOCK.executed.block, 3, LOCK)),
        (locked, certify(SHARED, LOCK.executed, round=2)),
    ]


GENUINE = genuine()


@st.composite
def damaged(draw: Any, value: Any) -> Any:
    """Replace one thing somewhere inside a record by anything of its type."""
    kind = type(value)
    names = [f.name for f in attrs.fields(kind)]
    if not names:
        return value
    name = draw(st.sampled_from(names))
    hint = get_type_hints(kind, include_extras=True)[name]
    inner = getattr(value, name)
    if attrs.has(type(inner)) and draw(st.integers(0, 4)):
        return evolve(value, **{name: draw(damaged(inner))})
    if isinstance(inner, tuple) and inner and attrs.has(type(inner[0])) and draw(st.integers(0, 4)):
        place = draw(st.integers(0, len(inner) - 1))
        other = draw(st.one_of(damaged(inner[place]), st.sampled_from(inner)))
        changed = (*inner[:place], other, *inner[place + 1 :])
        return evolve(value, **{name: changed + inner[:1] * draw(st.integers(0, 1))})
    return evolve(value, **{name: draw(of(hint))})


HEIGHTS = st.sampled_from((0, 1, 2, MAX_U64 - 1, MAX_U64))


@st.composite
def cells(draw: Any) -> Chain:
    """Draw the view of a chain: genuine ones, and some at the edge of every range."""
    height = draw(HEIGHTS)
    return cell(
        ALICE,
        draw(st.sampled_from(("alice", "bob", ("alice", "bob"), None))),
        FULL,
        Localized(
            pending=draw(st.sampled_from((None, LOCK.executed))),
            rounds=draw(st.builds(Rounds, integers(32), st.sampled_from((None, LOCK)))),
            outboxes=draw(st.sampled_from((Map(), Map({BOB: Outbox(1, Queue().push(0))})))),
            counters=Map({0: 1}),
            certificates=Log().append(GENUINE[2][1]),
        ),
        created=draw(st.booleans()),
        next_height=height,
        block_hash=draw(st.sampled_from((None, digest("tip")))),
        tx_count=draw(integers(64)),
        consumed=draw(st.sampled_from((Map(), Map({BOB: Cursor(MAX_U64, 2)})))),
    )


def weights() -> st.SearchStrategy[Committee]:
    """Draw committees: ordinary ones, weightless members, enormous ones, and the empty one that cannot be made."""
    keys = [s.public_key for s in validators(NET)]
    some = st.lists(integers(64), min_size=4, max_size=4).map(lambda ws: Map(zip(keys, ws, strict=True)))
    odd = some.map(lambda table: Committee(table, sum(table.values())))
    return st.one_of(st.just(NET.context.committee), odd, st.just(Committee(Map(), 0)))


CONTEXTS = st.builds(
    Context,
    st.sampled_from((IDEAL, IDEAL, IDEAL, ED25519)),
    st.just(Token()),
    weights(),
    st.sampled_from((BASELINE, REVISION_H)),
    st.booleans(),
)
INPUTS: st.SearchStrategy[Input] = st.one_of(
    of(Request), of(Certificate), of(UpdateRecipient), of(ConfirmUpdatedRecipient)
)


def obey_the_laws(context: Context, chain: Chain, item: Any) -> None:
    """Give an input to a node that has this view of the chain that it is for, and check what holds for every input."""
    node = Validator(Map({target_of(item): evolve(chain, chain_id=target_of(item))}))
    outcome = handle(context, node, item, VOTER)
    assert isinstance(outcome, Accepted | Rejected)
    if isinstance(outcome, Rejected):
        assert isinstance(outcome.reason, Reason)
        return
    again = accepted(handle(context, outcome.state, item, VOTER))
    assert again.state == outcome.state
    assert again.outputs == outcome.outputs


@pytest.mark.clauses("WP-2.8-ATOMIC", "WP-2.8-IDEMPOTENT")
@examples(2_000)
@given(CONTEXTS, cells(), INPUTS)
def test_anything(context: Context, chain: Chain, item: Any) -> None:
    obey_the_laws(context, chain, item)


@pytest.mark.clauses("WP-2.8-ATOMIC", "WP-2.8-IDEMPOTENT")
@examples(3_000)
@given(CONTEXTS, st.sampled_from(GENUINE), st.data())
def test_genuine_input_with_something_wrong(context: Context, pair: tuple[Chain, Any], data: st.DataObject) -> None:
    chain, item = pair
    item = data.draw(damaged(item))
    obey_the_laws(context, chain, item)


@pytest.mark.clauses("WP-2.8-ATOMIC", "WP-2.8-IDEMPOTENT")
@examples(500)
@given(st.sampled_from(GENUINE), st.sampled_from(GENUINE))
def test_genuine_input_at_the_wrong_place(here: tuple[Chain, Any], there: tuple[Chain, Any]) -> None:
    shown = repr(here)
    obey_the_laws(NET.context, here[0], there[1])
    assert repr(here) == shown


@examples(500)
@given(cells(), INPUTS)
def test_no_argument_is_mutated(chain: Chain, item: Any) -> None:
    copies = deepcopy((chain, item))
    handle_at(NET.context, chain, item, VOTER)
    assert (chain, item) == copies


def test_the_cells_reach_both_ends() -> None:
    """What an unknown chain rejects, and what a chain at its last height rejects."""
    request = GENUINE[0][1]
    for chain, reason in (
        (Chain(ALICE, Consistent()), Reason.INACTIVE_CHAIN),
        (cell(next_height=MAX_U64), Reason.UNEXPECTED_BLOCK_HEIGHT),
    ):
        outcome = handle_at(NET.context, chain, request, VOTER)
        assert isinstance(outcome, Rejected)
        assert outcome.reason is reason
    assert isinstance(GENUINE[1][1].block.transactions[0], Receive)

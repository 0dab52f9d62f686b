"""The bundled token."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import integers
from support import refused

from linera_reference.application import (
    Balance,
    Burn,
    Credit,
    Effect,
    Token,
    TokenOperation,
    Transfer,
    burn,
    transfer,
)
from linera_reference.encoding import decode, encode
from linera_reference.messages import OutgoingMessage, User
from linera_reference.notation import MAX_U128
from linera_reference.rejections import Reason

TOKEN = Token()
HERE, THERE = (0,), (1,)
MAKERS = (lambda amount: transfer(THERE, amount), burn)


def operate(balance: int, operation: bytes) -> Effect:
    return TOKEN.execute_operation(HERE, Balance(balance), operation)


def receive(balance: int, payload: bytes) -> Effect:
    return TOKEN.execute_message(HERE, Balance(balance), THERE, payload)


@pytest.mark.clauses("WP-2.7-TOKEN")
def test_a_created_chain_has_no_tokens() -> None:
    assert TOKEN.initial_state() == Balance(0)


def test_the_token_restricts_nobody() -> None:
    assert TOKEN.proposers(HERE, Balance(5)) is None  # type: ignore[func-returns-value]


@pytest.mark.clauses("WP-2.7-TOKEN")
def test_operations_are_encoded_data_types() -> None:
    assert decode(TokenOperation, transfer(THERE, 5)) == TokenOperation(Transfer(THERE, 5))
    assert decode(TokenOperation, burn(5)) == TokenOperation(Burn(5))
    for make in MAKERS:
        for amount in (-1, MAX_U128 + 1):
            with refused(Reason.OUT_OF_RANGE):
                make(amount)


@pytest.mark.clauses("WP-2.7-TOKEN")
@pytest.mark.parametrize(("balance", "amount"), [(1, 1), (9, 1), (9, 9), (MAX_U128, 1), (MAX_U128, MAX_U128)])
@pytest.mark.parametrize("recipient", [THERE, HERE, (0, 5)])
def test_a_transfer_moves_an_amount_by_a_message(balance: int, amount: int, recipient: tuple[int, ...]) -> None:
    credit = OutgoingMessage(recipient, User(encode(Credit(amount))))
    assert operate(balance, transfer(recipient, amount)) == Effect(Balance(balance - amount), (credit,))


@pytest.mark.clauses("WP-2.7-TOKEN")
@pytest.mark.parametrize(("balance", "amount"), [(1, 1), (9, 1), (MAX_U128, MAX_U128)])
def test_burning_destroys(balance: int, amount: int) -> None:
    assert operate(balance, burn(amount)) == Effect(Balance(balance - amount))


@pytest.mark.clauses("WP-2.7-TOKEN")
@pytest.mark.parametrize("make", MAKERS)
def test_amounts_are_positive_and_covered(make: object) -> None:
    assert callable(make)
    for balance in (0, 5):
        with refused(Reason.INCORRECT_TRANSFER_AMOUNT):
            operate(balance, make(0))
    for balance, amount in ((0, 1), (5, 6), (MAX_U128 - 1, MAX_U128)):
        with refused(Reason.INSUFFICIENT_FUNDING) as caught:
            operate(balance, make(amount))
        assert caught.value.detail == balance


@pytest.mark.clauses("WP-2.7-TOKEN")
@pytest.mark.parametrize("operation", [b"", b"\2", transfer(THERE, 0)[:-1], transfer(THERE, 1) + b"\0", b"\1"])
def test_an_unreadable_operation_is_refused_first(operation: bytes) -> None:
    with refused(Reason.USER_ERROR) as caught:
        operate(5, operation)
    assert isinstance(caught.value.detail, Reason), "why it cannot be read"


@pytest.mark.clauses("WP-2.7-TOKEN")
@pytest.mark.parametrize(
    ("balance", "amount", "after"),
    [
        (0, 0, 0),
        (0, 1, 1),
        (3, 4, 7),
        (0, MAX_U128, MAX_U128),
        (MAX_U128 - 1, 1, MAX_U128),
        (MAX_U128 - 1, 2, MAX_U128),
        (MAX_U128, MAX_U128, MAX_U128),
    ],
)
def test_credits_saturate(balance: int, amount: int, after: int) -> None:
    assert receive(balance, encode(Credit(amount))) == Effect(Balance(after))


@pytest.mark.clauses("WP-2.7-TOKEN")
@pytest.mark.parametrize("payload", [b"", bytes(15), bytes(17)])
def test_an_unreadable_message_is_refused(payload: bytes) -> None:
    with refused(Reason.USER_ERROR):
        receive(5, payload)


@pytest.mark.clauses("WP-2.7-TOKEN")
@given(st.integers(0, 100), st.integers(1, 100), integers(128).map(lambda x: x // 2))
def test_nothing_is_created(balance: int, amount: int, elsewhere: int) -> None:
    if amount > balance:
        return
    effect = operate(balance, transfer(THERE, amount))
    (message,) = effect.messages
    assert isinstance(message.content, User)
    arrived = receive(elsewhere, message.content.payload)
    assert effect.state.amount + arrived.state.amount == balance + elsewhere

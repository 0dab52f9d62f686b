"""User applications as pure functions (section 2.7), and the bundled example: a fungible token."""

from typing import Any, Protocol

from attrs import frozen

from .containers import Set
from .encoding import decode, encode
from .identifiers import ChainId
from .messages import OutgoingMessage, User
from .notation import MAX_U128, PublicKey, rule, support, u128
from .rejections import Reason, Rejection, require


@frozen
class Effect:
    """What a step of an application yields: the new state and outgoing messages."""

    state: Any
    messages: tuple[OutgoingMessage, ...] = ()


class Application(Protocol):
    """The plug-in interface. Methods are pure and reject through ``require``; any rejection invalidates the block.

    A state is a data type that :func:`linera_reference.encoding.encode` accepts.
    """

    def initial_state(self) -> Any:
        """Return the state of a chain that another chain created."""
        ...

    def proposers(self, chain_id: ChainId, state: Any) -> Set[PublicKey] | None:
        """Return which of several owners may propose next, ⊥ for all of them (section 4.6)."""
        ...

    def execute_operation(self, chain_id: ChainId, state: Any, operation: bytes) -> Effect:
        """ExecuteOperation(id, o)."""
        ...

    def execute_message(self, chain_id: ChainId, state: Any, origin: ChainId, payload: bytes) -> Effect:
        """ExecuteMessage(id, m)."""
        ...


@frozen
class Transfer:
    """Operation: move an amount from this chain to another (or to itself, as a message)."""

    recipient: ChainId
    amount: u128


@frozen
class Burn:
    """Operation: destroy an amount."""

    amount: u128


@frozen
class TokenOperation:
    """What a token operation encodes."""

    action: Transfer | Burn


@frozen
class Credit:
    """Message: the recipient gains an amount."""

    amount: u128


@frozen
class Balance:
    """State of the token on one chain. The chain's owner is its only account in this profile."""

    amount: u128 = 0


@support
def read(kind: type[Any], data: bytes) -> Any:
    """Decode what an application is given. Rejects: USER_ERROR."""
    try:
        return decode(kind, data)
    except Rejection as rejection:
        raise Rejection(Reason.USER_ERROR, rejection.reason) from None


@frozen
class Token:
    """A fungible token: one balance per chain, transfers by messages, credits saturating at 2¹²⁸ − 1."""

    @rule("WP-2.7-TOKEN")
    def initial_state(self) -> Balance:
        """Return an empty balance. Section 2.7."""
        return Balance()

    @support
    def proposers(self, chain_id: ChainId, state: Balance) -> None:
        """Restrict nobody. Section 4.6."""

    @rule("WP-2.7-TOKEN")
    def execute_operation(self, chain_id: ChainId, state: Balance, operation: bytes) -> Effect:
        """Spend from the chain's balance.

        Rejects: USER_ERROR, INCORRECT_TRANSFER_AMOUNT, INSUFFICIENT_FUNDING. Section 2.7.
        """
        action = read(TokenOperation, operation).action
        require(action.amount > 0, Reason.INCORRECT_TRANSFER_AMOUNT)
        require(action.amount <= state.amount, Reason.INSUFFICIENT_FUNDING, state.amount)
        rest = Balance(state.amount - action.amount)
        if isinstance(action, Burn):
            return Effect(rest)
        return Effect(rest, (OutgoingMessage(action.recipient, User(encode(Credit(action.amount)))),))

    @rule("WP-2.7-TOKEN")
    def execute_message(self, chain_id: ChainId, state: Balance, origin: ChainId, payload: bytes) -> Effect:
        """Gain the credited amount. Rejects: USER_ERROR. Section 2.7."""
        credit = read(Credit, payload)
        return Effect(Balance(min(state.amount + credit.amount, MAX_U128)))


@rule("WP-2.7-TOKEN")
def transfer(recipient: ChainId, amount: u128) -> bytes:
    """Encode a transfer operation. Rejects: OUT_OF_RANGE. Section 2.7."""
    return encode(TokenOperation(Transfer(recipient, amount)))


@rule("WP-2.7-TOKEN")
def burn(amount: u128) -> bytes:
    """Encode a burn operation. Rejects: OUT_OF_RANGE. Section 2.7."""
    return encode(TokenOperation(Burn(amount)))

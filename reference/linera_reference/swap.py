"""An application for a short-lived chain (section 4.6): two users swap two tokens, or take them back.

Every chain holds balances of some tokens. On the chain of a swap, deposits are kept by the key that they belong to,
each with the asset wanted for it, and only owners who have deposited may propose, as soon as there are any.
"""

from typing import TypeAlias

from attrs import frozen
from immutables import Map

from .application import Effect, read
from .containers import Set, fold
from .encoding import encode
from .identifiers import ChainId
from .messages import OutgoingMessage, User
from .notation import MAX_U128, PublicKey, evolve, rule, u32, u128
from .rejections import Reason, require


@frozen
class Asset:
    """An amount of a token."""

    token: u32
    amount: u128


@frozen
class Deposit:
    """What a user put into a swap and wants for it, and the chain that gets the outcome."""

    home: ChainId
    asset: Asset
    wanted: Asset


@frozen
class Holdings:
    """State of one chain: its balances by token, and the deposits of the swap, by key."""

    balances: Map[u32, u128] = Map()
    deposits: Map[PublicKey, Deposit] = Map()


@frozen
class PutIn:
    """Operation: move an asset from this chain into the swap of another chain, for a wanted one, in a key's name."""

    swap: ChainId
    depositor: PublicKey
    asset: Asset
    wanted: Asset


@frozen
class Conclude:
    """Operation on the chain of the swap: exchange both deposits, or give them back."""

    confirm: bool


@frozen
class SwapOperation:
    """What an operation encodes."""

    action: PutIn | Conclude


@frozen
class Deposited:
    """Message: an asset arrives for the swap, to be exchanged for a wanted one only."""

    depositor: PublicKey
    asset: Asset
    wanted: Asset


@frozen
class Paid:
    """Message: the recipient gains an asset."""

    asset: Asset


@frozen
class SwapMessage:
    """What a message encodes."""

    event: Deposited | Paid


Deposits: TypeAlias = Map[PublicKey, Deposit]


@rule("WP-4.6-SWAP")
def gain(balances: Map[u32, u128], asset: Asset) -> Map[u32, u128]:
    """Add an asset to balances, saturating at 2¹²⁸ − 1. Section 4.6."""
    return balances.set(asset.token, min(balances.get(asset.token, 0) + asset.amount, MAX_U128))


@rule("WP-4.6-SWAP")
def spend(balances: Map[u32, u128], asset: Asset) -> Map[u32, u128]:
    """Take an asset out of balances.

    Rejects: INCORRECT_TRANSFER_AMOUNT, INSUFFICIENT_FUNDING (detail: the balance). Section 4.6.
    """
    balance = balances.get(asset.token, 0)
    require(asset.amount > 0, Reason.INCORRECT_TRANSFER_AMOUNT)
    require(asset.amount <= balance, Reason.INSUFFICIENT_FUNDING, balance)
    rest = balance - asset.amount
    return balances.set(asset.token, rest) if rest else balances.delete(asset.token)


@rule("WP-4.6-SWAP")
def pay(home: ChainId, asset: Asset) -> OutgoingMessage:
    """Return the message that pays an asset out. Section 4.6."""
    return OutgoingMessage(home, User(encode(SwapMessage(Paid(asset)))))


@rule("WP-4.6-SWAP")
def payments(deposits: Deposits, confirm: bool) -> tuple[OutgoingMessage, ...]:
    """Return who gets what: each the other's asset, or each its own.

    A swap needs two deposits, each of what the other wants.

    Rejects: USER_ERROR. Section 4.6.
    """
    places = [deposit for _, deposit in sorted(deposits.items())]
    if not confirm:
        return tuple(pay(deposit.home, deposit.asset) for deposit in places)
    require(len(places) == 2, Reason.USER_ERROR, len(places))
    first, second = places
    require(first.wanted == second.asset and second.wanted == first.asset, Reason.USER_ERROR)
    return pay(first.home, second.asset), pay(second.home, first.asset)


@frozen
class Swap:
    """The application."""

    @rule("WP-4.6-SWAP")
    def initial_state(self) -> Holdings:
        """Return empty holdings. Section 4.6."""
        return Holdings()

    @rule("WP-4.6-SWAP", "WP-4.6-PROPOSERS")
    def proposers(self, chain_id: ChainId, state: Holdings) -> Set[PublicKey] | None:
        """Let those propose who have deposited; all, before the first deposit. Section 4.6."""
        nobody: Set[PublicKey] = Set()
        return fold(Set.insert, nobody, state.deposits) if state.deposits else None

    @rule("WP-4.6-SWAP")
    def execute_operation(self, chain_id: ChainId, state: Holdings, operation: bytes) -> Effect:
        """Put an asset into a swap, or conclude the swap of this chain.

        Rejects: USER_ERROR, INCORRECT_TRANSFER_AMOUNT, INSUFFICIENT_FUNDING. Section 4.6.
        """
        action = read(SwapOperation, operation).action
        if isinstance(action, Conclude):
            return Effect(evolve(state, deposits=Map()), payments(state.deposits, action.confirm))
        rest = evolve(state, balances=spend(state.balances, action.asset))
        message = SwapMessage(Deposited(action.depositor, action.asset, action.wanted))
        return Effect(rest, (OutgoingMessage(action.swap, User(encode(message))),))

    @rule("WP-4.6-SWAP")
    def execute_message(self, chain_id: ChainId, state: Holdings, origin: ChainId, payload: bytes) -> Effect:
        """Keep a deposit, one per key, or gain what is paid. A deposit too many is paid back.

        Rejects: USER_ERROR. Section 4.6.
        """
        event = read(SwapMessage, payload).event
        if isinstance(event, Paid):
            return Effect(evolve(state, balances=gain(state.balances, event.asset)))
        if event.depositor in state.deposits or len(state.deposits) >= 2:
            return Effect(state, (pay(origin, event.asset),))
        deposit = Deposit(origin, event.asset, event.wanted)
        return Effect(evolve(state, deposits=state.deposits.set(event.depositor, deposit)))


@rule("WP-4.6-SWAP")
def put_in(swap: ChainId, depositor: PublicKey, asset: Asset, wanted: Asset) -> bytes:
    """Encode an operation that deposits an asset for a wanted one. Rejects: OUT_OF_RANGE. Section 4.6."""
    return encode(SwapOperation(PutIn(swap, depositor, asset, wanted)))


@rule("WP-4.6-SWAP")
def conclude(confirm: bool) -> bytes:
    """Encode an operation that confirms or cancels a swap. Section 4.6."""
    return encode(SwapOperation(Conclude(confirm)))

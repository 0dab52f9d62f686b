"""What a committed block must have done to its chain, read off its transactions, independently of Algorithm 1."""

from collections.abc import Iterator
from typing import TypeAlias

from attrs import define, field

from linera_reference.application import Credit, TokenOperation, Transfer
from linera_reference.block import (
    AddOwner,
    ChangeKey,
    CloseChain,
    Execute,
    ExecutedBlock,
    OpenChain,
    Receive,
    RemoveOwner,
    Transaction,
)
from linera_reference.chain import Consistent
from linera_reference.encoding import decode, encode
from linera_reference.messages import Create, OutgoingMessage, User
from linera_reference.notation import MAX_U128, PublicKey
from linera_reference.ownership import Owner, Owners

Holders: TypeAlias = PublicKey | frozenset[PublicKey] | None
"""One key, several owners, or nobody."""


def holders(owner: Owner | None) -> Holders:
    """Return who owns a chain."""
    return frozenset(owner.keys) if isinstance(owner, Owners) else owner


@define
class Ledger:
    """Who owns a chain, its balance, and what it sends, transaction by transaction."""

    owner: Holders
    balance: int
    sent: list[OutgoingMessage] = field(factory=list)

    def apply(self, transaction: Transaction) -> None:
        """Do what one transaction says."""
        match transaction:
            case ChangeKey(owner):
                self.owner = owner
            case AddOwner(key):
                self.owner = self.keys() | {key}
            case RemoveOwner(key):
                self.owner = self.keys() - {key}
            case CloseChain():
                self.owner = None
            case OpenChain(chain_id, owner):
                self.sent.append(OutgoingMessage(chain_id, Create(owner)))
            case Execute(operation):
                self.operate(operation)
            case Receive(message) if isinstance(message.content, User):
                self.balance = min(MAX_U128, self.balance + decode(Credit, message.content.payload).amount)

    def keys(self) -> frozenset[PublicKey]:
        """Return the keys that own the chain."""
        return frozenset({self.owner}) if isinstance(self.owner, bytes) else self.owner or frozenset()

    def operate(self, operation: bytes) -> None:
        """Spend tokens."""
        action = decode(TokenOperation, operation).action
        self.balance -= action.amount
        if isinstance(action, Transfer):
            self.sent.append(OutgoingMessage(action.recipient, User(encode(Credit(action.amount)))))


def differences(before: Consistent, executed: ExecutedBlock, after: Consistent) -> Iterator[str]:
    """Name what a committed block did otherwise than its transactions say."""
    block = executed.block
    ledger = Ledger(holders(before.owner), before.state.amount)
    children = [
        (*block.chain_id, index)
        for index, transaction in enumerate(block.transactions, before.tx_count)
        if isinstance(transaction, OpenChain)
    ]
    for transaction in block.transactions:
        if ledger.owner is None:
            yield "something follows the closing"
        ledger.apply(transaction)
    created = [message.recipient for message in ledger.sent if isinstance(message.content, Create)]
    places = (before.next_height, before.next_height + 1, before.tx_count + len(block.transactions))
    expected = {
        "owner": (holders(after.owner), ledger.owner),
        "balance": (after.state.amount, ledger.balance),
        "messages": (executed.messages, tuple(ledger.sent)),
        "children": (created, children),
        "places": ((block.height, after.next_height, after.tx_count), places),
    }
    yield from (
        f"{name}: {found!r} instead of {wanted!r}" for name, (found, wanted) in expected.items() if found != wanted
    )

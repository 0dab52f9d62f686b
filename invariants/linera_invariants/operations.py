"""Operations of a scenario as the transactions of a block on top of what a client knows."""

from collections.abc import Mapping

from linera_reference.application import burn, transfer
from linera_reference.block import (
    AddOwner,
    ChangeKey,
    CloseChain,
    Execute,
    OpenChain,
    Receive,
    RemoveOwner,
    Transaction,
)
from linera_reference.chain import Chain
from linera_reference.client import receive_waiting
from linera_reference.crypto import Signer
from linera_reference.swap import Asset, conclude, put_in

from .scenarios import (
    AddOwnerSpec,
    BurnSpec,
    ChangeKeySpec,
    CloseChainSpec,
    ConcludeSpec,
    OpenChainSpec,
    Operation,
    Operations,
    PutInSpec,
    RawSpec,
    ReceiveSpec,
    RemoveOwnerSpec,
    SkipSpec,
    TransferSpec,
)


def transactions_of(chain: Chain, operations: Operations, users: Mapping[str, Signer]) -> tuple[Transaction, ...]:
    """Build the transactions of the next block. Receiving and skipping work through the waiting messages in order."""
    waiting = list(receive_waiting(chain))
    built: list[Transaction] = []
    for operation in operations:
        if isinstance(operation, ReceiveSpec):
            taken = _take(waiting, operation)
            built += [] if isinstance(operation, SkipSpec) else taken
        else:
            built.append(_transaction(chain, operation, users, chain.consistent.tx_count + len(built)))
    return tuple(built)


def _take(waiting: list[Receive], operation: ReceiveSpec) -> list[Receive]:
    """Remove the next messages from those that wait."""
    fitting = [r for r in waiting if operation.origin in (None, r.message.origin)][: operation.count]
    for taken in fitting:
        waiting.remove(taken)
    return fitting


def _transaction(chain: Chain, operation: Operation, users: Mapping[str, Signer], index: int) -> Transaction:
    match operation:
        case OpenChainSpec():
            return OpenChain(operation.id or (*chain.chain_id, index), users[operation.owner].public_key)
        case AddOwnerSpec():
            return AddOwner(users[operation.owner].public_key)
        case RemoveOwnerSpec():
            return RemoveOwner(users[operation.owner].public_key)
        case ChangeKeySpec():
            return ChangeKey(users[operation.owner].public_key)
        case CloseChainSpec():
            return CloseChain()
    return Execute(_bytes(operation, users))


def _bytes(operation: Operation, users: Mapping[str, Signer]) -> bytes:
    """Encode an operation of an application."""
    match operation:
        case TransferSpec():
            return transfer(operation.to, operation.amount)
        case BurnSpec():
            return burn(operation.amount)
        case PutInSpec():
            asset, wanted = (Asset(side.token, side.amount) for side in (operation, operation.wanted))
            return put_in(operation.to, users[operation.owner].public_key, asset, wanted)
        case ConcludeSpec():
            return conclude(operation.confirm)
        case RawSpec():
            return bytes.fromhex(operation.hex)
    raise TypeError(f"no operation of an application: {operation}")

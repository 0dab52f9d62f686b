"""What is compared of a chain's state: everything that a handler's answers depend on, in bounded form.

Histories are compared by their lengths and, through chaining, by the hash of the last block; services show the rest.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from attrs import frozen
from immutables import Map

from linera_reference.certificate import VotePayload
from linera_reference.chain import Chain, Mailbox
from linera_reference.containers import Set
from linera_reference.crypto import hash_value
from linera_reference.identifiers import ChainId
from linera_reference.messages import Cursor
from linera_reference.notation import Hash, u32, u64
from linera_reference.outbox import Outbox
from linera_reference.ownership import Owner

from .forms import Form, digest_of, form_of, plain


@frozen
class Snapshot:
    """One chain at one validator; histories are their lengths.

    ``pending`` is the hash of the executed block, ``last`` its round, ``locked`` what the votes of the lock sign.
    """

    chain_id: ChainId
    created: bool
    owner: Owner | None
    state: Any
    tx_count: u64
    consumed: Map[ChainId, Cursor]
    next_height: u64
    block_hash: Hash | None
    creation_height: u64 | None
    pending: Hash | None
    last: u32
    locked: VotePayload | None
    received: u64
    certificates: u64
    mailboxes: Map[ChainId, Mailbox]
    owing: Set[ChainId]
    outboxes: Map[ChainId, Outbox]
    counters: Map[u64, u64]


def snapshot_of(chain: Chain) -> Snapshot:
    """Return what is compared of a chain."""
    part, local, lock = chain.consistent, chain.localized, chain.localized.rounds.locked
    return Snapshot(
        chain_id=chain.chain_id,
        created=part.created,
        owner=part.owner,
        state=part.state,
        tx_count=part.tx_count,
        consumed=part.consumed,
        next_height=part.next_height,
        block_hash=part.block_hash,
        creation_height=part.creation_height,
        pending=None if local.pending is None else hash_value(local.pending),
        last=local.rounds.last,
        locked=None if lock is None else VotePayload(lock.kind, hash_value(lock.executed), lock.round),
        received=len(local.received),
        certificates=len(local.certificates),
        mailboxes=local.mailboxes,
        owing=local.owing,
        outboxes=local.outboxes,
        counters=local.counters,
    )


_KEPT: Final[ContextVar[dict[str, Form] | None]] = ContextVar("_KEPT", default=None)


@contextmanager
def snapshots_kept() -> Iterator[dict[str, Form]]:
    """Keep the form behind every state digest that is made meanwhile, so that differences can be shown inside."""
    kept: dict[str, Form] = {}
    token = _KEPT.set(kept)
    try:
        yield kept
    finally:
        _KEPT.reset(token)


def digest_of_chain(chain: Chain) -> str:
    """Return the state digest of a chain: that of the form of its snapshot."""
    form = form_of(Snapshot, snapshot_of(chain))
    digest = digest_of(form)
    if (kept := _KEPT.get()) is not None:
        kept[digest] = form
    return digest


def output_form(value: Any) -> Form:
    """Return the form of what a handler put out, in its tag; of a chain its digest."""
    return {"Chain": digest_of_chain(value)} if isinstance(value, Chain) else plain(value)

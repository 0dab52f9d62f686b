"""One chain at one validator in words: a text for each field, named as in the code."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from immutables import Map

from linera_invariants.story import Teller, listed, show_chain, show_content
from linera_invariants.views import is_archived
from linera_reference.application import Balance
from linera_reference.chain import Chain, Mailbox
from linera_reference.encoding import encode
from linera_reference.identifiers import ChainId
from linera_reference.messages import Cursor, Message
from linera_reference.ownership import Owner, Owners, keys_of

NEWEST = 6
"""So many entries of a history are shown."""


def fields_of(teller: Teller, chain: Chain) -> dict[str, str]:
    """Say what a validator knows of a chain; a field with nothing in it is left out."""
    texts = {name: show(teller, chain) for name, (_, show) in FIELDS.items()}
    return {name: text for name, text in texts.items() if text}


def _life(_: Teller, chain: Chain) -> str:
    part = chain.consistent
    if not part.created:
        return "not created"
    if part.owner is not None:
        return "open"
    return "closed and archived" if is_archived(chain) else "closed"


def _owner(teller: Teller, chain: Chain) -> str:
    return show_owner(teller, chain.consistent.owner)


def show_owner(teller: Teller, owner: Owner | None) -> str:
    """Name the owner or the owners."""
    names = sorted(map(teller.name, keys_of(owner)))
    return listed(names) if names else ""


def _state(_: Teller, chain: Chain) -> str:
    match chain.consistent.state:
        case None:
            return ""
        case Balance(amount):
            return f"balance {amount}"
        case state:
            return f"0x{encode(state).hex()}"


def _block_hash(teller: Teller, chain: Chain) -> str:
    last = chain.consistent.block_hash
    return "" if last is None else teller.hash(last)


def _pending(teller: Teller, chain: Chain) -> str:
    pending = chain.localized.pending
    return "" if pending is None else teller.place(pending.block)


def _round(_: Teller, chain: Chain) -> str:
    several = isinstance(chain.consistent.owner, Owners) and chain.localized.pending is not None
    return str(chain.localized.rounds.last) if several else ""


def _locked(teller: Teller, chain: Chain) -> str:
    lock = chain.localized.rounds.locked
    return "" if lock is None else f"{teller.place(lock.executed.block)}, validated in round {lock.round}"


def _received(_: Teller, chain: Chain) -> str:
    received = chain.localized.received
    newest = received.since(max(0, len(received) - NEWEST))
    earlier = [f"{len(received) - len(newest)} earlier"] if len(newest) < len(received) else []
    return ", ".join((*earlier, *(f"block {height} of chain {show_chain(sender)}" for sender, height in newest)))


def _added(teller: Teller, chain: Chain) -> str:
    return _messages(teller, chain, lambda box: box.added)


def _removed(teller: Teller, chain: Chain) -> str:
    return _messages(teller, chain, lambda box: box.removed)


def _messages(teller: Teller, chain: Chain, queue: Callable[[Mailbox], Iterable[Message]]) -> str:
    found = (message for _, box in _by_chain(chain.localized.mailboxes) for message in queue(box))
    return ", ".join(f"{show_content(teller.names, m.content)} from {show_chain(m.origin)}" for m in found)


def _consumed(_: Teller, chain: Chain) -> str:
    return _cursors(chain.consistent.consumed)


def _next_add(_: Teller, chain: Chain) -> str:
    return _cursors(Map((origin, box.next_add) for origin, box in chain.localized.mailboxes.items()))


def _cursors(cursors: Map[ChainId, Cursor]) -> str:
    places = (f"{show_chain(o)}: block {c.height}, message {c.index}" for o, c in _by_chain(cursors))
    return "; ".join(places)


def _outboxes(_: Teller, chain: Chain) -> str:
    boxes = _by_chain(chain.localized.outboxes)
    return "; ".join(f"to {show_chain(to)}: block {', '.join(map(str, box.queue))}" for to, box in boxes)


def _counters(_: Teller, chain: Chain) -> str:
    return "; ".join(f"block {height}: {count}" for height, count in sorted(chain.localized.counters.items()))


def _by_chain(found: Map[ChainId, Any]) -> Iterator[tuple[ChainId, Any]]:
    yield from sorted(found.items(), key=lambda item: item[0])


FIELDS: dict[str, tuple[str, Callable[[Teller, Chain], str]]] = {
    "life": ("whether the chain was created here, and closed", _life),
    "owner": ("who may propose", _owner),
    "next_height": ("the expected height", lambda _, chain: str(chain.consistent.next_height)),
    "block_hash": ("the last block", _block_hash),
    "state": ("the application's state", _state),
    "tx_count": ("how many transactions were executed", lambda _, chain: str(chain.consistent.tx_count)),
    "pending": ("the block voted for", _pending),
    "round": ("of several owners, the round of that vote", _round),
    "locked": ("the validated block that it voted to confirm last", _locked),
    "added": ("messages received and not consumed yet", _added),
    "removed": ("messages consumed and not received yet", _removed),
    "next_add": ("per origin, the first place that may still arrive", _next_add),
    "consumed": ("per origin, the first place that may still be consumed", _consumed),
    "received": ("the blocks that sent messages here", _received),
    "outboxes": ("per recipient, the blocks whose messages it did not acknowledge", _outboxes),
    "counters": ("per block, how many recipients it waits for", _counters),
}
"""What each field means, and its text; in the order in which they are shown."""

"""The inboxes of a chain, one per origin: what is stored at one origin comes back, and touches no other."""

from collections.abc import Iterator
from typing import Any, Final

import z3
from attrs import fields

from linera_invariants.proofs.codecs import CHAIN_IDS, atoms, records, unknown
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import SAtom, assume, attempt, claim, conj, term
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import SMap, SQueue, SSet
from linera_reference.chain import Chain, Consistent, Localized, Mailbox, inbox_of, put_inbox
from linera_reference.inbox import Inbox

from .chain import queues

PLACES: Final = atoms("Place")
ITEMS: Final = queues(atoms("Item"))
MAILBOXES: Final = records(Mailbox, ("next_add", PLACES), ("added", ITEMS), ("removed", ITEMS))
FIRST: Final = SAtom(z3.Const("first place", PLACES.sort))
"""Messages and places are only passed on here, and places compared: nothing else is known of them."""


def get_inbox(chain: Chain, origin: Any) -> Inbox:
    """Run ``inbox_of``."""
    found: Inbox = with_callees(inbox_of, START=FIRST)(chain, origin)
    return found


def store_inbox(chain: Chain, origin: Any, inbox: Inbox) -> Chain:
    """Run ``put_inbox``."""
    stored: Chain = with_callees(put_inbox, START=FIRST)(chain, origin, inbox)
    return stored


def any_inbox(name: str) -> Inbox:
    """Return an arbitrary inbox."""
    places = (unknown(PLACES, f"{name}.{part}") for part in ("next_add", "consumed"))
    return Inbox(*places, *(unknown(ITEMS, f"{name}.{part}") for part in ("added", "removed")))


def equal_inboxes(first: Inbox, second: Inbox) -> z3.BoolRef:
    """Say that two inboxes are the same."""
    names = ("next_add", "consumed", "added", "removed")
    return conj(*(_equal(getattr(first, name), getattr(second, name)) for name in names))


def _equal(first: Any, second: Any) -> z3.BoolRef:
    """Compare terms; what stands for an origin that nothing is known of is none."""
    if type(first) is not type(second):
        return z3.BoolVal(False)
    if isinstance(first, SQueue):
        return z3.simplify(ITEMS.pack(first) == ITEMS.pack(second))
    return term(first == second)


def opaque(kind: type) -> dict[str, Any]:
    """Return a value for each field of a record that can be passed on, and nothing else."""
    return {field.name: object() for field in fields(kind)}


def a_chain() -> Chain:
    """Return a chain with arbitrary mailboxes and cursors; whatever looks at anything else fails loudly."""
    boxes = {"mailboxes": SMap.unknown(CHAIN_IDS, MAILBOXES, "mailboxes"), "owing": SSet.unknown(CHAIN_IDS, "owing")}
    part = Consistent(**opaque(Consistent) | {"consumed": SMap.unknown(CHAIN_IDS, PLACES, "consumed")})
    return Chain(unknown(CHAIN_IDS, "chain"), part, Localized(**opaque(Localized) | boxes))


def equal_chains(first: Chain, second: Chain) -> z3.BoolRef:
    """Say that two views of a chain have the same mailboxes and cursors."""
    return conj(*(_equal_maps(a, b) for a, b in zip(_boxes_of(first), _boxes_of(second), strict=True)))


def _boxes_of(chain: Chain) -> tuple[Any, Any, Any]:
    return chain.localized.mailboxes, chain.consistent.consumed, chain.localized.owing


def _equal_maps(first: Any, second: Any) -> z3.BoolRef:
    same = first.array == second.array
    return same if isinstance(first, SSet) else conj(same, first.present == second.present)


@formula("INBOX-OF-ORIGIN")
def owes_what_is_removed(is_marked: Any, removed: Any) -> z3.BoolRef:
    """Say that an origin is marked as owing exactly if its inbox owes messages."""
    return is_marked == z3.Not(term(removed.is_empty))


@proof("INBOX-OF-ORIGIN")
def one_inbox_per_origin(_: Given) -> Iterator[Query]:
    """Store an arbitrary inbox at an arbitrary chain, then look at its origin and at another one."""

    def run() -> None:
        chain, inbox, origin, other = a_chain(), any_inbox("inbox"), *two_origins()
        after = attempt(store_inbox, chain, origin, inbox)
        owing: Any = after.localized.owing
        claim("what was stored comes back", equal_inboxes(get_inbox(after, origin), inbox))
        claim("other inboxes stay", equal_inboxes(get_inbox(after, other), get_inbox(chain, other)))
        claim("it owes what is removed", said("INBOX-OF-ORIGIN", term(owing.contains(origin)), inbox.removed))
        claim("others owe what they owed", term(owing.contains(other)) == term(chain.localized.owing.contains(other)))
        claim_the_rest_stays(chain, after)

    yield from lifted("put_inbox, inbox_of", run)


def two_origins() -> tuple[Any, Any]:
    """Return two different origins."""
    origin, other = unknown(CHAIN_IDS, "origin"), unknown(CHAIN_IDS, "other")
    assume(term(origin) != term(other))
    return origin, other


def claim_the_rest_stays(before: Chain, after: Chain) -> None:
    """Claim that only mailboxes and consumption cursors change."""
    changing = {"mailboxes", "owing", "consumed"}
    halves = ((before.localized, after.localized), (before.consistent, after.consistent))
    same = [
        getattr(a, f.name) is getattr(b, f.name) for a, b in halves for f in fields(type(a)) if f.name not in changing
    ]
    claim("nothing else changes", all(same) and after.chain_id is before.chain_id)


@proof("ORIGINS-COMMUTE")
def origins_commute(_: Given) -> Iterator[Query]:
    """Store two inboxes of different origins, in both orders."""

    def run() -> None:
        chain, origin, other = a_chain(), *two_origins()
        first, second = any_inbox("first"), any_inbox("second")
        one = store_inbox(store_inbox(chain, origin, first), other, second)
        two = store_inbox(store_inbox(chain, other, second), origin, first)
        claim("they commute", equal_chains(one, two))

    yield from lifted("two origins", run)

"""Comparing validators while their logs are replayed: one decided block per place, one vote per kind and round.

What was executed agrees by chaining as far as certificates do (S1, S2), so places are compared one by one. A place is
forgotten when every validator that is still being replayed has executed its block: what is kept is bounded by how far
validators are apart.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from attrs import define, field, frozen

from linera_invariants.story import show_hash
from linera_reference.certificate import Kind, VotePayload
from linera_reference.identifiers import ChainId
from linera_reference.notation import Hash, PublicKey

from .replayer import Certified, Fact, aim_of, show_place

Where: TypeAlias = tuple[Path, int]
"""A file and a line."""


@frozen
class Conflict:
    """What two events of different validators show together: a statement that does not hold."""

    statement: str
    detail: str
    places: tuple[Where, Where]


Slot: TypeAlias = tuple[PublicKey, Kind, int]
"""A validator, and a kind and round of votes: at one place, it votes once."""


@define
class _Place:
    """What is known of a chain and height: decided blocks, votes, who is said to have voted, who has executed it."""

    certified: dict[Hash, Where] = field(factory=dict)
    votes: dict[Slot, tuple[Hash, Where]] = field(factory=dict)
    claims: dict[tuple[Slot, Hash], Where] = field(factory=dict)
    passed: dict[PublicKey, Where] = field(factory=dict)


@define
class Across:
    """Compares validators. ``replayed`` are those still being replayed, ``known`` those that ever were."""

    known: frozenset[PublicKey]
    replayed: set[PublicKey]
    places: dict[tuple[ChainId, int], _Place] = field(factory=dict)
    forked: set[ChainId] = field(factory=set)
    most: int = 0

    def learn(self, key: PublicKey, path: Path, fact: Fact) -> Iterator[Conflict]:
        """A validator voted or accepted a certificate."""
        place = self.places.setdefault(fact.place, _Place())
        self.most = max(self.most, len(self.places))
        where = path, fact.line
        if isinstance(fact, Certified):
            self.claimed(place, fact, where)
        else:
            place.votes[key, fact.ballot.kind, fact.ballot.round] = fact.ballot.block_hash, where
        if isinstance(fact, Certified) and fact.is_commit:
            yield from self.certified(place, fact, where)
            place.passed[key] = where
        concerned = {key, *fact.signers} if isinstance(fact, Certified) else {key}
        for slot, block in sorted((c for c in place.claims if c[0][0] in concerned), key=_order):
            yield from self.judge(place, fact, slot, block)
        if place.passed.keys() >= self.replayed:
            del self.places[fact.place]

    def claimed(self, place: _Place, fact: Certified, where: Where) -> None:
        """The signers of a certificate claim to have voted."""
        for signer in self.known.intersection(fact.signers):
            slot = signer, fact.ballot.kind, fact.ballot.round
            place.claims.setdefault((slot, fact.ballot.block_hash), where)

    def certified(self, place: _Place, fact: Certified, where: Where) -> Iterator[Conflict]:
        """Compare a decided block with others of its place. Of a fork, only the first place is told."""
        (chain_id, _), found = fact.place, fact.ballot.block_hash
        for block, other in place.certified.items():
            if block != found and chain_id not in self.forked:
                self.forked.add(chain_id)
                both = f"{show_hash(block)} and {show_hash(found)}"
                yield Conflict("S4", f"{both} are both certified as {show_place(fact.place)}", (other, where))
        place.certified.setdefault(found, where)

    def judge(self, place: _Place, fact: Fact, slot: Slot, block: Hash) -> Iterator[Conflict]:
        """Compare a vote that is logged with one that a certificate carries."""
        (key, kind, round_), voted, where = slot, place.votes.get(slot), place.claims[slot, block]
        aim = aim_of(VotePayload(kind, block, round_), f"{show_hash(block)} as {show_place(fact.place)}")
        said = f"{key.hex()} signed a vote {aim}"
        if voted is not None and voted[0] != block:
            yield Conflict("S5", f"{said} and voted for {show_hash(voted[0])}", (voted[1], where))
            del place.claims[slot, block]
        elif voted is None and key in place.passed:
            yield Conflict("S5", f"{said}, and no such vote is in its log", (place.passed[key], where))
            del place.claims[slot, block]

    def end(self, key: PublicKey) -> None:
        """A validator is not replayed any further."""
        self.replayed.discard(key)
        for name in [name for name, place in self.places.items() if place.passed.keys() >= self.replayed]:
            del self.places[name]


def _order(claim: tuple[Slot, Hash]) -> tuple[PublicKey, int, int, Hash]:
    (key, kind, round_), block = claim
    return key, round_, kind.value, block

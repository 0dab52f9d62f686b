"""Comparing validators while their logs are replayed: one certified block per place, one vote per place.

What was executed agrees by chaining as far as certificates do (S1, S2), so places are compared one by one. A place is
forgotten when every validator that is still being replayed has executed its block: what is kept is bounded by how far
validators are apart.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from attrs import define, field, frozen

from linera_invariants.story import show_hash
from linera_reference.identifiers import ChainId
from linera_reference.notation import Hash, PublicKey

from .replayer import Committed, Fact, show_place

Where: TypeAlias = tuple[Path, int]
"""A file and a line."""


@frozen
class Conflict:
    """What two events of different validators show together: a statement that does not hold."""

    statement: str
    detail: str
    places: tuple[Where, Where]


@define
class _Place:
    """What is known of a chain and height: certified blocks, votes and who is said to have voted, by validator."""

    certified: dict[Hash, Where] = field(factory=dict)
    votes: dict[PublicKey, tuple[Hash, Where]] = field(factory=dict)
    claims: dict[tuple[PublicKey, Hash], Where] = field(factory=dict)
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
        """A validator voted or executed a block."""
        place = self.places.setdefault(fact.place, _Place())
        self.most = max(self.most, len(self.places))
        where = path, fact.line
        if isinstance(fact, Committed):
            yield from self.certified(place, fact, where)
            place.passed[key] = where
        else:
            place.votes[key] = fact.block, where
        concerned = {key, *fact.signers} if isinstance(fact, Committed) else {key}
        for signer, block in sorted(claim for claim in place.claims if claim[0] in concerned):
            yield from self.judge(place, fact, signer, block)
        if isinstance(fact, Committed) and place.passed.keys() >= self.replayed:
            del self.places[fact.place]

    def certified(self, place: _Place, fact: Committed, where: Where) -> Iterator[Conflict]:
        """Compare a certified block with others of its place; its signers claim to have voted.

        Of a fork, only the first place is told.
        """
        chain_id, _ = fact.place
        for block, other in place.certified.items():
            if block != fact.block and chain_id not in self.forked:
                self.forked.add(chain_id)
                both = f"{show_hash(block)} and {show_hash(fact.block)}"
                yield Conflict("S4", f"{both} are both certified as {show_place(fact.place)}", (other, where))
        place.certified.setdefault(fact.block, where)
        for signer in self.known.intersection(fact.signers):
            place.claims.setdefault((signer, fact.block), where)

    def judge(self, place: _Place, fact: Fact, key: PublicKey, block: Hash) -> Iterator[Conflict]:
        """Compare a vote that is logged with one that a certificate carries."""
        voted, where = place.votes.get(key), place.claims[key, block]
        said = f"{key.hex()} signed {show_hash(block)} as {show_place(fact.place)}"
        if voted is not None and voted[0] != block:
            yield Conflict("S5", f"{said} and voted for {show_hash(voted[0])}", (voted[1], where))
            del place.claims[key, block]
        elif voted is None and key in place.passed:
            yield Conflict("S5", f"{said}, and no vote is in its log", (place.passed[key], where))
            del place.claims[key, block]

    def end(self, key: PublicKey) -> None:
        """A validator is not replayed any further."""
        self.replayed.discard(key)
        for name in [name for name, place in self.places.items() if place.passed.keys() >= self.replayed]:
            del self.places[name]

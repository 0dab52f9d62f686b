"""Who is guilty when certificates or votes conflict (WP-2.2-ACCOUNTABILITY): the one rule, and its use on many of them.

A certificate stands here for the votes that it carries: a single vote is a certificate of one signature, and nothing
asks for a quorum. A validator is convicted by its own two signatures and by nothing else.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeAlias

from attrs import evolve, frozen

from linera_reference.audit import place_of
from linera_reference.certificate import Certificate, Kind, certified_payload
from linera_reference.committee import Committee, weight
from linera_reference.crypto import Scheme
from linera_reference.encoding import encode
from linera_reference.identifiers import ChainId
from linera_reference.notation import PublicKey, Signature

Place: TypeAlias = tuple[ChainId, int]
"""A chain and a height."""
Side: TypeAlias = tuple[bytes, int]
"""The bytes of an executed block, and a round."""
Sides: TypeAlias = dict[Side, Certificate]
RoundVote: TypeAlias = tuple[int, Signature]
Signed: TypeAlias = tuple[PublicKey, Signature, Signature]


def convicted(scheme: Scheme, committee: Committee, one: Certificate, two: Certificate) -> frozenset[PublicKey]:
    """Return the validators whose genuine signatures are on both of two conflicting certificates."""
    if not in_conflict(one, two):
        return frozenset()
    signers, others = (genuine_votes(scheme, committee, certificate) for certificate in (one, two))
    return frozenset(signers) & frozenset(others)


def in_conflict(one: Certificate, two: Certificate) -> bool:
    """Whether no correct validator votes for both: Confirmed, chain and height are the same, the executed block is not.

    A correct validator signs nothing but Confirmed in round 0 (WP-2.8-VOTE): another round is no excuse.
    """
    confirmed = one.kind is Kind.CONFIRMED and two.kind is Kind.CONFIRMED
    return confirmed and place_of(one) == place_of(two) and one.executed != two.executed


def genuine_votes(scheme: Scheme, committee: Committee, certificate: Certificate) -> dict[PublicKey, Signature]:
    """Return the votes that verify, of those who have voting rights; of several signatures of one key the least."""
    genuine = scheme.verifier(certified_payload(scheme, certificate))
    votes = sorted(set(certificate.signatures), reverse=True)
    return {key: signature for key, signature in votes if weight(committee, key) > 0 and genuine(key, signature)}


# --- Among many --------------------------------------------------------------------------------------------------


@frozen
class Conflict:
    """Two certificates that conflict, reduced to the signatures of those whom they convict, sorted."""

    one: Certificate
    two: Certificate

    @property
    def convicted(self) -> tuple[PublicKey, ...]:
        """Whom it convicts."""
        return tuple(key for key, _ in self.one.signatures)


def by_place(certificates: Iterable[Certificate]) -> dict[Place, list[Certificate]]:
    """Group Confirmed certificates, places sorted."""
    places: dict[Place, list[Certificate]] = defaultdict(list)
    for certificate in certificates:
        if certificate.kind is Kind.CONFIRMED:
            places[place_of(certificate)].append(certificate)
    return dict(sorted(places.items()))


def conflicts_at(scheme: Scheme, committee: Committee, certificates: Iterable[Certificate]) -> Iterator[Conflict]:
    """Convict everybody who signed two blocks of one place, each by the first two.

    Each signature is verified once, and the order of the certificates does not matter.
    """
    sides = merged(certificates)
    pairs: dict[tuple[Side, Side], list[Signed]] = defaultdict(list)
    for key, votes in sorted(votes_of(scheme, committee, sides).items()):
        if len(votes) > 1:
            (block, (round_, one)), (other, (other_round, two)) = islice(votes.items(), 2)
            pairs[(block, round_), (other, other_round)].append((key, one, two))
    for (one_side, two_side), signed in sorted(pairs.items()):
        yield Conflict(
            evolve(sides[one_side], signatures=tuple((key, signature) for key, signature, _ in signed)),
            evolve(sides[two_side], signatures=tuple((key, signature) for key, _, signature in signed)),
        )


def votes_of(scheme: Scheme, committee: Committee, sides: Sides) -> dict[PublicKey, dict[bytes, RoundVote]]:
    """Return the genuine votes of those who may have signed several blocks: by block, each with its least round."""
    names = suspects(sides)
    found: dict[PublicKey, dict[bytes, RoundVote]] = defaultdict(dict)
    for (block, round_), side in sides.items():
        claimed = evolve(side, signatures=tuple(vote for vote in side.signatures if vote[0] in names))
        for key, signature in genuine_votes(scheme, committee, claimed).items():
            found[key].setdefault(block, (round_, signature))
    return found


def suspects(sides: Sides) -> set[PublicKey]:
    """Return whose names are on several blocks, with genuine signatures or not."""
    claims = Counter(
        key for _, key in {(block, key) for (block, _), side in sides.items() for key, _ in side.signatures}
    )
    return {key for key, count in claims.items() if count > 1}


def merged(certificates: Iterable[Certificate]) -> Sides:
    """Put the signatures on one executed block and round together; the sides are sorted."""
    signatures: dict[Side, list[tuple[PublicKey, Signature]]] = defaultdict(list)
    first: dict[Side, Certificate] = {}
    for certificate in certificates:
        side = encode(certificate.executed), certificate.round
        first.setdefault(side, certificate)
        signatures[side] += certificate.signatures
    return {side: evolve(first[side], signatures=tuple(signatures[side])) for side in sorted(first)}

"""Who is guilty when votes contradict one another (WP-2.2-ACCOUNTABILITY, WP-2.9-ACCOUNTABILITY): the one rule.

A certificate stands here for the votes that it carries: a single vote is a certificate of one signature, and nothing
asks for a quorum. A validator is charged with its own signatures and with nothing else. Some charges are final; the
others stand until a validated certificate answers them, which a correct validator that signed this has always seen.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from enum import IntEnum
from itertools import chain, combinations
from typing import TypeAlias

from attrs import evolve, frozen

from linera_reference.audit import place_of
from linera_reference.certificate import Certificate, Kind, certified_payload
from linera_reference.committee import Committee, combined_weight, is_quorum, weight
from linera_reference.context import Context
from linera_reference.crypto import Scheme
from linera_reference.encoding import encode
from linera_reference.identifiers import ChainId
from linera_reference.notation import PublicKey, Signature

Place: TypeAlias = tuple[ChainId, int]
"""A chain and a height."""
Side: TypeAlias = tuple[int, int, bytes]
"""What a vote says: a round, a kind, the bytes of an executed block."""
Sides: TypeAlias = dict[Side, Certificate]
Cast: TypeAlias = dict[PublicKey, dict[Side, Signature]]
"""The votes of each validator, sorted by side."""


class Offence(IntEnum):
    """What a validator may be charged with, the gravest first."""

    DOUBLE_VOTE = 0
    BROKEN_LOCK = 1
    UNFOUNDED_CONFIRMATION = 2

    @property
    def words(self) -> str:
        """Its name in a text."""
        return self.name.lower().replace("_", " ")


def offence(one: Certificate, two: Certificate | None = None) -> Offence | None:
    """Return what a validator is charged with that cast this vote, or these two, the earlier round first.

    * It votes once a round with each kind, and finds one outcome of each block.
    * After it confirmed a block, it validates another outcome or block only if an answer bound it to that.
    * It confirms what was validated. In round 0 there may be a single owner, where nothing is.
    """
    if two is None:
        return Offence.UNFOUNDED_CONFIRMATION if one.kind is Kind.CONFIRMED and one.round > 0 else None
    if place_of(one) != place_of(two) or one.executed == two.executed:
        return None
    if one.kind is two.kind:
        outcomes = one.kind is Kind.VALIDATED and one.executed.block == two.executed.block
        return Offence.DOUBLE_VOTE if one.round == two.round or outcomes else None
    return Offence.BROKEN_LOCK if one.kind is Kind.CONFIRMED and one.round < two.round else None


def is_answer(answer: Certificate, one: Certificate, two: Certificate | None = None) -> bool:
    """Whether a validated certificate of a quorum answers what one vote, or two, are charged with.

    A confirmation rests on the certificate of its block and round. A lock is left for a block that was validated in
    between. Who confirmed a false outcome shows what it confirmed: that bound it to the block, not to the outcome.
    """
    if two is None:
        return (answer.executed, answer.round) == (one.executed, one.round)
    bound = answer.round > one.round or (answer.executed, answer.round) == (one.executed, one.round)
    binds = answer.executed.block == two.executed.block and answer.round < two.round
    return bound and binds and offence(one, two) is Offence.BROKEN_LOCK


def convicted(scheme: Scheme, committee: Committee, one: Certificate, two: Certificate) -> frozenset[PublicKey]:
    """Return whose genuine signatures on two certificates are a double vote: they are guilty, whatever is answered."""
    if offence(one, two) is not Offence.DOUBLE_VOTE:
        return frozenset()
    signers, others = (genuine_votes(scheme, committee, certificate) for certificate in (one, two))
    return frozenset(signers) & frozenset(others)


def genuine_votes(scheme: Scheme, committee: Committee, certificate: Certificate) -> dict[PublicKey, Signature]:
    """Return the votes that verify, of those who have voting rights; of several signatures of one key the least."""
    genuine = scheme.verifier(certified_payload(scheme, certificate))
    votes = sorted(set(certificate.signatures), reverse=True)
    return {key: signature for key, signature in votes if weight(committee, key) > 0 and genuine(key, signature)}


# --- Among many --------------------------------------------------------------------------------------------------

Accusation: TypeAlias = tuple[Offence, tuple[Side, ...]]
"""What a validator is charged with, and by which votes."""


@frozen
class Charge:
    """An offence and the one or two votes that show it, each with the signatures of the charged, sorted by key."""

    offence: Offence
    votes: tuple[Certificate, ...]

    @property
    def charged(self) -> tuple[PublicKey, ...]:
        """Whom it charges."""
        return tuple(key for key, _ in self.votes[0].signatures)

    @property
    def is_final(self) -> bool:
        """Whether nothing can answer it."""
        return self.offence is Offence.DOUBLE_VOTE


@frozen
class Case:
    """What is known of one place: what was said, who genuinely signed it, and what a quorum signed."""

    sides: Sides
    genuine: Cast
    certified: tuple[Certificate, ...]

    @property
    def answers(self) -> tuple[Certificate, ...]:
        """What answers charges."""
        return tuple(certificate for certificate in self.certified if certificate.kind is Kind.VALIDATED)

    @property
    def is_forked(self) -> bool:
        """Whether several executed blocks were decided."""
        decided = [certificate.executed for certificate in self.certified if certificate.kind is Kind.CONFIRMED]
        return any(executed != decided[0] for executed in decided)


def by_place(certificates: Iterable[Certificate]) -> dict[Place, list[Certificate]]:
    """Group certificates, places sorted."""
    places: dict[Place, list[Certificate]] = defaultdict(list)
    for certificate in certificates:
        places[place_of(certificate)].append(certificate)
    return dict(sorted(places.items()))


def open_case(context: Context, certificates: Iterable[Certificate]) -> Case:
    """Verify each signature of one place once; the order of the certificates does not matter."""
    sides, genuine = merged(certificates), Sides()
    for side, found in sides.items():
        votes = genuine_votes(context.scheme, context.committee, found)
        genuine[side] = evolve(found, signatures=tuple(sorted(votes.items())))
    certified = (found for found in genuine.values() if has_quorum(context, found))
    return Case(sides, votes_in(genuine), tuple(certified))


def has_quorum(context: Context, genuine: Certificate) -> bool:
    """Whether genuine votes of distinct members are a quorum."""
    votes = combined_weight(context.committee, (key for key, _ in genuine.signatures))
    return is_quorum(context.committee, votes, context.rules.quorum)


def merged(certificates: Iterable[Certificate]) -> Sides:
    """Put the signatures on what is the same vote together; the sides are sorted."""
    signatures: dict[Side, list[tuple[PublicKey, Signature]]] = defaultdict(list)
    first: Sides = {}
    for certificate in certificates:
        side = certificate.round, certificate.kind.value, encode(certificate.executed)
        first.setdefault(side, certificate)
        signatures[side] += certificate.signatures
    return {side: evolve(first[side], signatures=tuple(signatures[side])) for side in sorted(first)}


def votes_in(sides: Sides) -> Cast:
    """Return the votes of each validator that is named."""
    cast: Cast = defaultdict(dict)
    for side, found in sides.items():
        for key, signature in found.signatures:
            cast[key][side] = signature
    return dict(sorted(cast.items()))


def charges(case: Case) -> Iterator[Charge]:
    """Charge everybody who is not correct as far as is known, each with one charge, as grave as possible.

    Two confirmed certificates on different blocks of the place charge validators of weight f + 1 at least. In one
    round: who signed both. Else all who confirmed the later block, unless its validated certificate is known. If it is,
    there is a first certificate that validates something else after the earlier block was confirmed, and who signed
    that and confirmed the earlier block has no answer. If there is one, it is on another outcome of the same block, and
    who validated both outcomes is charged.
    """
    groups: dict[Accusation, list[PublicKey]] = defaultdict(list)
    for key, accusation in accused(case.sides, case.genuine, case.answers).items():
        groups[accusation].append(key)
    for (what, sides), keys in sorted(groups.items()):
        signed = (tuple((key, case.genuine[key][side]) for key in keys) for side in sides)
        pairs = zip(sides, signed, strict=True)
        yield Charge(what, tuple(evolve(case.sides[side], signatures=signatures) for side, signatures in pairs))


def accused(sides: Sides, cast: Cast, answers: tuple[Certificate, ...]) -> dict[PublicKey, Accusation]:
    """Return the gravest charge against each validator that stands, the first of these."""
    found = {}
    for key, votes in cast.items():
        open_ = [
            (what, names)
            for names in chain(combinations(votes, 2), combinations(votes, 1))
            if (what := standing(tuple(sides[side] for side in names), answers)) is not None
        ]
        if open_:
            found[key] = min(open_)
    return found


def standing(votes: tuple[Certificate, ...], answers: tuple[Certificate, ...]) -> Offence | None:
    """Return what a validator is charged with that cast these votes, unless it is answered."""
    shown = offence(*votes)
    return None if shown is None or any(is_answer(answer, *votes) for answer in answers) else shown

"""Votes and certificates: signers, signatures, gathering votes (sections 2.2, 2.3, 2.8)."""

from collections.abc import Iterator
from itertools import combinations, product

from immutables import Map

from linera_invariants.schemes import SCHEMES
from linera_invariants.vectors.model import Case
from linera_reference.certificate import Aggregate, Certificate, Kind, Vote, VotePayload, sign_vote
from linera_reference.committee import Committee
from linera_reference.crypto import hash_value
from linera_reference.notation import MAX_U32, evolve
from linera_reference.rejections import Reason
from linera_reference.rules import QuorumRule

from .samples import CERTIFICATE
from .support import EXECUTED, caller, committee_of, digest, key, signer

ABOUT = "Votes and certificates: who may sign, quorums under both rules, signatures, gathering votes to a certificate."

REUSE, STRANGER = Reason.CERTIFICATE_VALIDATOR_REUSE, Reason.INVALID_CERTIFICATE_SIGNER
QUORUM, SIGNATURE = Reason.CERTIFICATE_REQUIRES_QUORUM, Reason.INVALID_SIGNATURE
N_MINUS_F, HALF_WAY = QuorumRule.N_MINUS_F, QuorumRule.HALF_WAY
PAYLOAD = VotePayload(Kind.CONFIRMED, hash_value(EXECUTED), 0)


def cases() -> Iterator[Case]:
    """Yield the cases, simplest first."""
    yield from votes()
    yield from payloads()
    yield from subsets()
    yield from sequences()
    yield from certificates("ed25519")
    yield from certificates("ideal")
    yield from gathering("ed25519")
    yield from gathering("ideal")
    yield from forming()


def four(scheme: str = "ideal") -> Committee:
    """Return a committee of four equal validators."""
    return committee_of(scheme, v1=1, v2=1, v3=1, v4=1)


# --- Votes ---


def votes() -> Iterator[Case]:
    """Votes are signed deterministically, and cover every field of the payload."""
    for name, scheme in SCHEMES.items():
        sign = caller("sign_vote", "WP-2.8-VOTE", scheme=scheme, signer=signer("v1", name))
        yield sign(f"{name}-sign-vote", "A vote to confirm in round 0.", payload=PAYLOAD)
        last = evolve(PAYLOAD, round=MAX_U32, kind=Kind.VALIDATED)
        yield sign(f"{name}-sign-vote-last-round", "A vote to validate in the last round.", payload=last)
        beyond = evolve(PAYLOAD, round=MAX_U32 + 1)
        yield sign(f"{name}-sign-vote-round-beyond", "A round is a u32.", Reason.OUT_OF_RANGE, payload=beyond)
        vote = sign_vote(scheme, signer("v1", name), PAYLOAD)
        check = caller("vote_is_authentic", "WP-2.8-VOTE", scheme=scheme)
        yield check(f"{name}-vote-authentic", "A genuine vote.", vote=vote, gives_=True)
        for label, other in (
            ("kind", evolve(vote, payload=evolve(PAYLOAD, kind=Kind.VALIDATED))),
            ("block", evolve(vote, payload=evolve(PAYLOAD, block_hash=digest("other block")))),
            ("round", evolve(vote, payload=evolve(PAYLOAD, round=1))),
            ("validator", evolve(vote, validator=key("v2", name))),
            ("signature", evolve(vote, signature=bytes(64))),
        ):
            why = f"The vote of another {label} than was signed."
            yield check(f"{name}-vote-other-{label}", why, vote=other, gives_=False, flags_=("FORGED_SIGNATURE",))


def payloads() -> Iterator[Case]:
    """What the votes of a certificate sign."""
    certified = caller("certified_payload", "WP-2.3-CERT-IDENTITY", scheme=SCHEMES["ed25519"])
    for name, certificate, why in (
        ("plain", CERTIFICATE, "Kind, hash of the executed block, round."),
        ("unsigned", evolve(CERTIFICATE, signatures=()), "Signers make no difference."),
        ("validated", evolve(CERTIFICATE, kind=Kind.VALIDATED), "The kind does."),
        ("round", evolve(CERTIFICATE, round=9), "So does the round."),
        ("executed", evolve(CERTIFICATE, executed=EXECUTED), "So does the executed block."),
    ):
        yield certified(f"payload-{name}", why, certificate=certificate)


# --- Signers ---

COMMITTEES = {
    "equal": {"v1": 1, "v2": 1, "v3": 1, "v4": 1},
    "three": {"v1": 1, "v2": 1, "v3": 1},
    "weighted": {"v1": 1, "v2": 2, "v3": 3, "v4": 6},
    "heavy": {"v1": 5, "v2": 1, "v3": 0},
    "single": {"v1": 1},
}


def subsets() -> Iterator[Case]:
    """Every set of members of small committees, under both rules."""
    for label, weights in COMMITTEES.items():
        members = sorted(name for name, weight in weights.items() if weight > 0)
        chosen = [who for size in range(len(members) + 1) for who in combinations(members, size)]
        for who, rule in product(chosen, QuorumRule):
            signers = tuple(map(key, who))
            arguments = {"committee": committee_of("ideal", **weights), "signers": signers, "quorum": rule}
            reason = None if enough(sum(weights[name] for name in who), sum(weights.values()), rule) else QUORUM
            call = caller("check_signers", "WP-2.2-CERTIFICATE", "WP-2.2-QUORUM", source_="enumeration")
            name = f"signers-{label}-{rule.name.lower().replace('_', '-')}-{'-'.join(who) or 'none'}"
            signed, rights = ", ".join(who) or "nobody", ", ".join(map(str, weights.values()))
            why = f"Signed by {signed} of a committee with voting rights {rights}, under {rule.name}."
            yield call(name, why, reason, **arguments)


def enough(votes: int, total: int, rule: QuorumRule) -> bool:
    """Whether votes are a quorum: more than two thirds of N; or twice the votes are at least N + ⌈N/3⌉."""
    return 3 * votes > 2 * total if rule is N_MINUS_F else 2 * votes >= total - (-total // 3)


def sequences() -> Iterator[Case]:
    """Lists of signers with repetitions, members without rights, strangers: the first bad signer decides."""
    committee = committee_of("ideal", v1=1, v2=1, v3=1, v4=1, zero=0)
    check = caller("check_signers", "WP-2.2-CERTIFICATE", committee=committee, quorum=N_MINUS_F)
    for who, faults in (
        ("v3 v1 v2", ()),
        ("v1 v1", (REUSE, QUORUM)),
        ("v1 v2 v1", (REUSE, QUORUM)),
        ("v1 v2 v3 v3", (REUSE,)),
        ("v1 v2 v3 v4 v1", (REUSE,)),
        ("zero", (STRANGER, QUORUM)),
        ("zero v1 v2 v3", (STRANGER,)),
        ("v1 v2 v3 zero", (STRANGER,)),
        ("v1 v2 v3 v4 stranger", (STRANGER,)),
        ("stranger", (STRANGER, QUORUM)),
        ("v1 stranger v1", (STRANGER, REUSE, QUORUM)),
        ("v1 v1 stranger", (REUSE, STRANGER, QUORUM)),
        ("stranger stranger", (STRANGER, REUSE, QUORUM)),
        ("zero zero v1 v2 v3", (STRANGER, REUSE)),
        ("v1 v2 v3 v1 zero", (REUSE, STRANGER)),
        ("v1 v2 v3 zero v1", (STRANGER, REUSE)),
        ("v1 v2", (QUORUM,)),
        ("", (QUORUM,)),
    ):
        signers = tuple(key(name) for name in who.split())
        why = f"The list {who or 'of nobody'}: {'a quorum' if not faults else f'{faults[0].name} comes first'}."
        more = faults if len(faults) > 1 else ()
        reason = faults[0] if faults else None
        yield check(f"list-{who.replace(' ', '-') or 'empty'}", why, reason, signers=signers, faults_=more)


# --- Certificates ---


def certificate_by(who: str, scheme: str, payload: VotePayload = PAYLOAD) -> Certificate:
    """Return a certificate on the small executed block with the votes of some validators."""
    votes = (sign_vote(SCHEMES[scheme], signer(name, scheme), payload) for name in who.split())
    return Certificate(EXECUTED, Kind.CONFIRMED, 0, tuple((vote.validator, vote.signature) for vote in votes))


def certificates(name: str) -> Iterator[Case]:
    """Certificates with and without faults, in the order of the checks."""
    plain = certificate_by("v1 v2 v3", name)
    check = caller(
        "check_certificate", "WP-2.2-CERTIFICATE", scheme=SCHEMES[name], committee=four(name), quorum=N_MINUS_F
    )
    other = certificate_by("v1 v2 v3", name, evolve(PAYLOAD, block_hash=digest("other block")))
    wrong = other.signatures
    mixed = (plain.signatures[0], (key("v2", name), plain.signatures[0][1]), plain.signatures[2])
    for label, certificate, faults, why in (
        ("quorum", plain, (), "Three of four."),
        ("everybody", certificate_by("v1 v2 v3 v4", name), (), "All four."),
        ("reversed", evolve(plain, signatures=plain.signatures[::-1]), (), "The order of the list has no meaning."),
        ("too-few", certificate_by("v1 v2", name), (QUORUM,), "Two of four."),
        ("unsigned", certificate_by("", name), (QUORUM,), "Nobody."),
        ("repeated", certificate_by("v1 v2 v3 v1", name), (REUSE,), "A signer is listed twice."),
        ("stranger", certificate_by("v1 v2 v3 v5", name), (STRANGER,), "A stranger beside a quorum."),
        ("other-block", other, (SIGNATURE,), "Votes for another block."),
        ("other-round", evolve(plain, round=1), (SIGNATURE,), "Votes of another round."),
        ("other-kind", evolve(plain, kind=Kind.VALIDATED), (SIGNATURE,), "Votes of another kind."),
        ("mixed-up", evolve(plain, signatures=mixed), (SIGNATURE,), "A signature under the name of another."),
        ("first-wrong", _with(plain, wrong, 0), (SIGNATURE,), "The first signature is wrong."),
        ("last-wrong", _with(plain, wrong, 2), (SIGNATURE,), "The last signature is wrong."),
        (
            "fourth-wrong",
            evolve(plain, signatures=(*plain.signatures, (key("v4", name), bytes(64)))),
            (SIGNATURE,),
            "One wrong signature beside a quorum of genuine ones.",
        ),
        ("repeated-and-few", certificate_by("v1 v1", name), (REUSE, QUORUM), "Reuse comes first."),
        ("stranger-and-few", certificate_by("v5", name), (STRANGER, QUORUM), "The stranger comes first."),
        ("few-and-wrong", evolve(other, signatures=wrong[:2]), (QUORUM, SIGNATURE), "The quorum comes first."),
        (
            "wrong-and-repeated",
            evolve(other, signatures=(*wrong, wrong[0])),
            (REUSE, SIGNATURE),
            "Signers are checked before signatures.",
        ),
        (
            "wrong-and-stranger",
            evolve(other, signatures=(*wrong, (key("v5", name), bytes(64)))),
            (STRANGER, SIGNATURE),
            "Signers are checked before signatures.",
        ),
    ):
        more = faults if len(faults) > 1 else ()
        yield check(f"{name}-{label}", why, faults[0] if faults else None, certificate=certificate, faults_=more)
    two, three = certificate_by("v1 v2", name), committee_of(name, v1=1, v2=1, v3=1)
    both = caller("check_certificate", "WP-2.2-CERTIFICATE", "WP-2.2-QUORUM", scheme=SCHEMES[name], committee=three)
    for rule, reason in ((N_MINUS_F, QUORUM), (HALF_WAY, None)):
        why = f"Two of three validators under {rule.name}: the rules differ where 3 divides the total."
        label = rule.name.lower().replace("_", "-")
        yield both(f"{name}-two-of-three-{label}", why, reason, certificate=two, quorum=rule)


def _with(certificate: Certificate, wrong: tuple[tuple[bytes, bytes], ...], at: int) -> Certificate:
    votes = certificate.signatures
    return evolve(certificate, signatures=(*votes[:at], wrong[at], *votes[at + 1 :]))


# --- Gathering votes ---


def vote_by(who: str, scheme: str, payload: VotePayload = PAYLOAD) -> Vote:
    """Return the vote of a validator."""
    return sign_vote(SCHEMES[scheme], signer(who, scheme), payload)


def aggregate_of(who: str, scheme: str) -> Aggregate:
    """Return the votes of some validators."""
    return Aggregate(PAYLOAD, Map((key(name, scheme), vote_by(name, scheme).signature) for name in who.split()))


def gathering(name: str) -> Iterator[Case]:
    """Adding one vote: the signature comes first, then repetition, then the rights."""
    committee = committee_of(name, v1=1, v2=1, v3=1, zero=0)
    add = caller("add_vote", "WP-2.8-STOP-AT-QUORUM", scheme=SCHEMES[name], committee=committee)
    some = aggregate_of("v1", name)
    other = evolve(PAYLOAD, round=1)
    for label, aggregate, vote, faults, why in (
        ("first", Aggregate(PAYLOAD), vote_by("v1", name), (), "The first vote."),
        ("second", some, vote_by("v2", name), (), "Another vote."),
        ("repeated", some, vote_by("v1", name), (REUSE,), "The same vote again."),
        ("stranger", some, vote_by("v5", name), (STRANGER,), "A genuine vote of a stranger."),
        ("zero", some, vote_by("zero", name), (STRANGER,), "A genuine vote of a member without voting rights."),
        ("forged", some, evolve(vote_by("v2", name), signature=bytes(64)), (SIGNATURE,), "A forged vote."),
        ("other-payload", some, vote_by("v2", name, other), (SIGNATURE,), "A genuine vote on something else."),
        (
            "forged-and-repeated",
            some,
            evolve(vote_by("v1", name), signature=bytes(64)),
            (SIGNATURE, REUSE),
            "The signature comes first.",
        ),
        (
            "forged-and-stranger",
            some,
            evolve(vote_by("v5", name), signature=bytes(64)),
            (SIGNATURE, STRANGER),
            "The signature comes first.",
        ),
        (
            "other-payload-and-repeated",
            some,
            vote_by("v1", name, other),
            (SIGNATURE, REUSE),
            "The payload comes first.",
        ),
        (
            "repeated-and-stranger",
            aggregate_of("zero", name),
            vote_by("zero", name),
            (REUSE, STRANGER),
            "Repetition comes before the rights.",
        ),
    ):
        more = faults if len(faults) > 1 else ()
        reason = faults[0] if faults else None
        yield add(f"{name}-add-{label}", why, reason, aggregate=aggregate, vote=vote, faults_=more)


def forming() -> Iterator[Case]:
    """A certificate is made as soon as the votes form a quorum, with sorted signers."""
    weights = {"v1": 1, "v2": 1, "v3": 1}
    form = caller(
        "form_certificate", "WP-2.8-STOP-AT-QUORUM", committee=committee_of("ideal", **weights), executed=EXECUTED
    )
    for size, rule in product(range(4), QuorumRule):
        for who in combinations(("v1", "v2", "v3"), size):
            aggregate = aggregate_of(" ".join(who), "ideal")
            name = f"form-{rule.name.lower().replace('_', '-')}-{'-'.join(who) or 'none'}"
            why = f"The votes of {', '.join(who) or 'nobody'} of three under {rule.name}."
            yield form(name, why, aggregate=aggregate, quorum=rule, source_="enumeration")
    later = evolve(aggregate_of("v1 v2 v3", "ideal"), payload=evolve(PAYLOAD, round=7, kind=Kind.VALIDATED))
    yield form("form-later", "Kind and round are those of the votes.", aggregate=later, quorum=N_MINUS_F)

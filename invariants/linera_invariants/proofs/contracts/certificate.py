"""Votes and certificates: what an accepted certificate holds, however many validators signed it.

Hashes and signatures are functions of which nothing is known: the core only compares hashes, and asks whether a
signature verifies.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import z3

from linera_invariants.proofs.codecs import BOOLEANS, BYTES, INTEGERS, atoms, members, numbers, records, unknown
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.lists import Induction, Mapped, SList, by_induction, unknown_list
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import SAtom, SBool, SInt, assume, attempt, claim, fresh, term
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import SMap, SSet, forall
from linera_reference.certificate import (
    Aggregate,
    Certificate,
    Kind,
    Vote,
    VotePayload,
    add_vote,
    check_certificate,
    check_signers,
    form_certificate,
    sign_vote,
    vote_is_authentic,
)
from linera_reference.committee import Committee
from linera_reference.context import Context
from linera_reference.crypto import Signer
from linera_reference.notation import MAX_U32, evolve
from linera_reference.rejections import Reason, Rejected, require
from linera_reference.rules import REVISION_H, QuorumRule
from linera_reference.validator import check_confirmed, check_validated, payload_of

from .committee import NOBODY, SETS, VALIDATORS, insert, right, the_committee, weight_of

EXECUTED: Final = atoms("ExecutedBlock")
PAYLOADS: Final = records(VotePayload)
hash_of: Final = z3.Function("hash_of", EXECUTED.sort, BYTES.sort)
verifies: Final = z3.Function("verifies", VALIDATORS, PAYLOADS.sort, BYTES.sort, z3.BoolSort())
signed: Final = z3.Function("signed", VALIDATORS, PAYLOADS.sort, z3.BoolSort())
"""Whether a signature under a key on a payload verifies; whether the validator ever made one."""
signature_of: Final = z3.Function("signature_of", BYTES.sort, PAYLOADS.sort, BYTES.sort)
quorate: Final = z3.Function("quorate", z3.IntSort(), z3.BoolSort())
"""What ``is_quorum`` decides of some voting rights."""
RULES: Final = REVISION_H
"""A profile that is not the default one: to forget it shows."""


class Oracles:
    """A hash and a signature scheme of which nothing is known."""

    def hash(self, value: Any) -> SAtom:
        """Hash an executed block."""
        return SAtom(hash_of(EXECUTED.pack(value)))

    def sign(self, signer: Signer, value: VotePayload) -> SAtom:
        """Sign a payload."""
        return SAtom(signature_of(term(signer.secret), PAYLOADS.pack(value)))

    def verifier(self, value: VotePayload) -> Callable[[Any, Any], SBool]:
        """Verify signatures on a payload."""
        payload = PAYLOADS.pack(value)
        return lambda key, signature: SBool(verifies(term(key), payload, term(signature)))


def payload(kind: Kind, block_hash: z3.ExprRef, round: z3.ExprRef) -> z3.ExprRef:
    """Return a payload as a term."""
    return PAYLOADS.pack(VotePayload(kind, SAtom(block_hash), SInt(round)))  # type: ignore[arg-type]


@formula("UNFORGEABLE")
def unforgeable(correct: Callable[[Any], Any]) -> z3.BoolRef:
    """Who is correct made every signature that verifies under its key."""

    def made(v: Any, value: Any, signature: Any) -> z3.BoolRef:
        return z3.Implies(z3.And(correct(v), verifies(v, value, signature)), signed(v, value))

    return forall((VALIDATORS, PAYLOADS.sort, BYTES.sort), made, "s")


@formula("HASH-INJECTIVE")
def hash_injective(one: Any, other: Any) -> z3.BoolRef:
    """Equal hashes are those of equal blocks."""
    return z3.Implies(hash_of(one) == hash_of(other), one == other)


@formula("PAYLOAD-OF")
def is_payload_of(value: Any, executed: Any, kind: Kind, round: Any) -> z3.BoolRef:
    """The payload says the kind, the hash of the block and the round."""
    says: z3.BoolRef = value == payload(kind, hash_of(executed), round)
    return says


@proof("PAYLOAD-OF")
def payload_of_vote(_: Given) -> Iterator[Query]:
    """Run the rule, and the one that signs, on an arbitrary block, kind and round."""

    def run() -> None:
        executed, key, secret = (unknown(codec, name) for codec, name in _VOTING)
        kind, round = unknown(_KINDS, "kind"), unknown(_ROUNDS, "round")
        once = PAYLOADS.pack(attempt(payload_of, the_context(), executed))
        confirmed = payload(Kind.CONFIRMED, hash_of(executed.term), z3.IntVal(0))
        claim("confirmed in round 0, if nothing else is said", once == confirmed)
        value = attempt(payload_of, the_context(), executed, kind, round)
        claim("of the kind and round", said("PAYLOAD-OF", PAYLOADS.pack(value), executed.term, kind, round.term))
        vote = attempt(sign_vote, the_context().scheme, Signer(key, secret), value)
        signature = signature_of(secret.term, PAYLOADS.pack(vote.payload))
        claim("signed by the signer", z3.And(term(vote.validator) == key.term, term(vote.signature) == signature))
        claim("the payload is kept", PAYLOADS.pack(vote.payload) == PAYLOADS.pack(value))

    yield from lifted("vote", run)


_VOTING: Final = ((EXECUTED, "executed"), (BYTES, "public_key"), (BYTES, "secret"))


# --- Lists of signers --------------------------------------------------------------------------------------------

signer: Final = z3.Function("signer", z3.IntSort(), VALIDATORS)
signature: Final = z3.Function("signature", z3.IntSort(), BYTES.sort)
first: Final = z3.Function("first", z3.IntSort(), SETS)
"""A list of signatures by place, and the set of its first n signers."""


ANY: Final = z3.Int("any_place")
"""An arbitrary place: what holds there holds everywhere."""


def below(place: Any, n: Any) -> z3.BoolRef:
    """Whether a place is one of the first n."""
    return z3.And(place >= 0, place < n)


@formula("SET-OF-SIGNERS")
def set_of_signers(n: Any) -> z3.BoolRef:
    """The set of the first n + 1 signers, from that of the first n."""
    return z3.And(first(0) == NOBODY, first(n + 1) == insert(first(n), signer(n)))


@formula("SIGNERS-LISTED")
def signers_listed(validator: Any, place: Any, n: Any) -> z3.BoolRef:
    """The set of the first n signers has these and nobody else."""
    i = z3.Int("i!")
    stands = z3.Exists([i], z3.And(below(i, n), signer(i) == validator))
    return z3.And(z3.Implies(below(place, n), first(n)[signer(place)]), z3.Implies(first(n)[validator], stands))


@proof("SIGNERS-LISTED")
def signers_by_induction(given: Given) -> Iterator[Query]:
    """Go along the list."""
    v = z3.Const("v", VALIDATORS)
    yield from by_induction("the set", lambda n: signers_listed(v, ANY, n), lambda n: (given("SET-OF-SIGNERS", n),))


def lawful(place: Any, n: Any) -> z3.BoolRef:
    """If a place is one of the first n, its signer has voting rights and does not stand at an earlier place."""
    who = signer(place)
    return z3.Implies(below(place, n), z3.And(right(who) > 0, z3.Not(first(place)[who])))


# --- check_signers -----------------------------------------------------------------------------------------------


def looked_up(given: Given) -> Callable[[Committee, Any], SInt]:
    """Stand for ``weight``."""

    def weight(_: Committee, validator: Any) -> SInt:
        found = fresh("rights", z3.IntSort())
        assume(given("WEIGHT", found, term(validator)))
        return SInt(found)

    return weight


def decided(_: Committee, votes: Any, rule: QuorumRule = QuorumRule.N_MINUS_F) -> SBool:
    """Stand for ``is_quorum``."""
    claim("by the rule of the profile", rule is RULES.quorum)
    return SBool(quorate(term(votes)))


def tally(given: Given) -> Induction:
    """Stand for the fold that counts the signers: seen is the set of the first n, votes its weight."""
    bits = SSet.unknown

    def known(value: Any, n: Any) -> z3.BoolRef:
        seen, votes = value[0].array, term(value[1])
        return z3.And(seen == first(n), votes == weight_of(seen), lawful(ANY, n))

    def lemmas(_: Any, n: Any) -> tuple[z3.BoolRef, ...]:
        return given("SET-OF-SIGNERS", n), given("WEIGHT-INSERT", first(n), signer(n))

    def start(none: Any) -> Any:
        claim("nobody is seen at first", len(none[0]) == 0)
        return SSet.empty(BYTES), SInt(z3.IntVal(none[1]))

    return Induction(known, lambda: (bits(BYTES, "seen"), unknown(INTEGERS, "votes")), start, lemmas)


def signers_checked(given: Given) -> Any:
    """Return the shipped ``check_signers`` for a list of any length."""
    return with_callees(check_signers, fold=tally(given), weight=looked_up(given), is_quorum=decided)


@formula("CHECK-SIGNERS")
def accepted_signers(place: Any, n: Any) -> z3.BoolRef:
    """The n signers are distinct members, and their weight is accepted as a quorum."""
    return z3.And(quorate(weight_of(first(n))), lawful(place, n))


def claim_refusal(refused: Rejected, n: Any) -> None:
    """Claim that each reason is given exactly where it is due: every signer before is lawful."""
    detail, votes = term(refused.detail), weight_of(first(n))
    match refused.reason:
        case Reason.CERTIFICATE_VALIDATOR_REUSE:
            claim("the first bad signer is repeated", _first_bad(detail, n, lambda at: first(at)[detail]))
        case Reason.INVALID_CERTIFICATE_SIGNER:
            stranger = _first_bad(detail, n, lambda at: z3.And(right(detail) == 0, z3.Not(first(at)[detail])))
            claim("the first bad signer has no rights", stranger)
        case Reason.CERTIFICATE_REQUIRES_QUORUM:
            claim("distinct members, and no quorum", z3.And(lawful(ANY, n), detail == votes, z3.Not(quorate(votes))))
        case _:
            claim("another reason", z3.BoolVal(False))


def _first_bad(who: Any, n: Any, fault: Callable[[Any], z3.BoolRef]) -> z3.BoolRef:
    at = z3.Int("at!")
    return z3.Exists([at], z3.And(below(at, n), signer(at) == who, lawful(ANY, at), fault(at)))


@proof("CHECK-SIGNERS")
def signers(given: Given) -> Iterator[Query]:
    """Run the check on an arbitrary list of signers."""

    def run() -> None:
        listed = unknown_list(lambda i: SAtom(signer(i)), "signers")
        outcome = attempt(signers_checked(given), the_committee(), listed, RULES.quorum)
        if isinstance(outcome, Rejected):
            claim_refusal(outcome, listed.length)
        else:
            claim("a quorum of distinct members", said("CHECK-SIGNERS", ANY, listed.length))

    yield from lifted("check signers", run)


# --- check_certificate -------------------------------------------------------------------------------------------


def any_certificate(votes: SList) -> Certificate:
    """Return an arbitrary certificate with these signatures."""
    kind, executed = unknown(_KINDS, "kind"), unknown(EXECUTED, "executed")
    round: Any = unknown(_ROUNDS, "round")
    signatures: Any = votes
    return Certificate(executed, kind, round, signatures)


_KINDS, _ROUNDS = members(Kind), numbers(0, MAX_U32)


def any_votes() -> SList:
    """Return an arbitrary list of signers with signatures."""
    return unknown_list(lambda i: (SAtom(signer(i)), SAtom(signature(i))), "signatures")


def certificate_checked(given: Given, votes: SList, value: z3.ExprRef) -> Any:
    """Return the shipped ``check_certificate`` for any number of signatures on a payload."""

    def known(_: None, n: Any) -> z3.BoolRef:
        return z3.Implies(below(ANY, n), verifies(signer(ANY), value, signature(ANY)))

    names = {"check_signers": signers_checked(given), "tuple": Mapped(votes), "fold": Induction(known, lambda: None)}
    return with_callees(check_certificate, **names)


def what_is_signed(certificate: Certificate) -> z3.ExprRef:
    """Return what the votes of a certificate sign."""
    return payload(certificate.kind, hash_of(term(certificate.executed)), term(certificate.round))


@formula("CHECK-CERTIFICATE")
def accepted_certificate(place: Any, n: Any, value: Any) -> z3.BoolRef:
    """The n signers are distinct members that form a quorum, and the signature at each place verifies."""
    genuine = z3.Implies(below(place, n), verifies(signer(place), value, signature(place)))
    return z3.And(accepted_signers(place, n), genuine)


def _first_forged(who: Any, n: Any, value: Any) -> z3.BoolRef:
    at = z3.Int("at!")
    forged = z3.And(signer(at) == who, z3.Not(verifies(who, value, signature(at))))
    earlier = z3.Implies(below(ANY, at), verifies(signer(ANY), value, signature(ANY)))
    return z3.Exists([at], z3.And(below(at, n), forged, earlier))


@proof("CHECK-CERTIFICATE")
def certificates(given: Given) -> Iterator[Query]:
    """Run the check on an arbitrary certificate, with the shipped check of its signers."""

    def run() -> None:
        votes = any_votes()
        certificate = any_certificate(votes)
        value = what_is_signed(certificate)
        check: Any = certificate_checked(given, votes, value)
        outcome = attempt(check, Oracles(), the_committee(), certificate, RULES.quorum)
        if isinstance(outcome, Rejected) and outcome.reason is Reason.INVALID_SIGNATURE:
            claim("the signers are a quorum", accepted_signers(ANY, votes.length))
            claim("the first bad signature is blamed", _first_forged(term(outcome.detail), votes.length, value))
        elif isinstance(outcome, Rejected):
            claim_refusal(outcome, votes.length)
        else:
            claim("a genuine quorum", said("CHECK-CERTIFICATE", ANY, votes.length, value))
            claim("the hash of the block", term(outcome) == hash_of(term(certificate.executed)))

    yield from lifted("check a certificate", run)


@formula("CHECK-CONFIRMED")
def confirmed(place: Any, n: Any, executed: Any, round: Any) -> z3.BoolRef:
    """An accepted certificate of n signatures confirms an executed block in some round."""
    return accepted_certificate(place, n, payload(Kind.CONFIRMED, hash_of(executed), round))


@formula("CHECK-VALIDATED")
def validated(place: Any, n: Any, executed: Any, round: Any) -> z3.BoolRef:
    """An accepted certificate of n signatures validates an executed block in some round."""
    return accepted_certificate(place, n, payload(Kind.VALIDATED, hash_of(executed), round))


@proof("CHECK-CONFIRMED")
def confirmed_certificates(given: Given) -> Iterator[Query]:
    """Run the check on an arbitrary certificate, with the contract of ``check_certificate``."""

    def run() -> None:
        certificate, executed, outcome = checked(given, check_confirmed, Kind.CONFIRMED)
        if not isinstance(outcome, Rejected):
            n, round = certificate.signatures.length, term(certificate.round)
            claim("a confirmed block", said("CHECK-CONFIRMED", ANY, n, executed, round))
            claim("the hash of the block", term(outcome) == hash_of(executed))

    yield from lifted("check a confirmed certificate", run)


@proof("CHECK-VALIDATED")
def validated_certificates(given: Given) -> Iterator[Query]:
    """Run the check on an arbitrary certificate, with the contract of ``check_certificate``."""

    def run() -> None:
        certificate, executed, outcome = checked(given, check_validated, Kind.VALIDATED)
        if not isinstance(outcome, Rejected):
            n, round = certificate.signatures.length, term(certificate.round)
            claim("a validated block", said("CHECK-VALIDATED", ANY, n, executed, round))

    yield from lifted("check a validated certificate", run)


def checked(given: Given, rule: Callable[..., Any], kind: Kind) -> tuple[Any, z3.ExprRef, Any]:
    """Check an arbitrary certificate; return it, its executed block, and how the check ends: by its kind first."""
    votes, context = any_votes(), the_context()
    certificate = any_certificate(votes)

    def check(scheme: Any, committee: Any, checked: Certificate, rule: QuorumRule) -> SAtom:
        own = (context.scheme, context.committee, context.rules.quorum)
        claim("by the rules of the context", (scheme, committee, rule) == own)
        require(bool(unknown(BOOLEANS, "accepted")), Reason.INVALID_SIGNATURE)
        assume(given("CHECK-CERTIFICATE", ANY, votes.length, what_is_signed(checked)))
        return SAtom(hash_of(term(checked.executed)))

    outcome = attempt(with_callees(rule, check_certificate=check), context, certificate)
    if isinstance(outcome, Rejected):
        other = certificate.kind is not kind
        claim("kind first", other == (outcome.reason is Reason.UNEXPECTED_CERTIFICATE_KIND))
        claim("the kind is shown", outcome.detail is (certificate.kind if other else None))
    return certificate, term(certificate.executed), outcome


def the_context() -> Context:
    """Return the context of a node."""
    scheme: Any = Oracles()
    application: Any = None
    return Context(scheme, application, the_committee(), RULES)


# --- Votes that are gathered -------------------------------------------------------------------------------------


@formula("ADD-VOTE")
def gathered(votes: SMap, validator: Any, value: Any) -> z3.BoolRef:
    """A validator in a map of gathered votes is a member, and its signature on the payload verifies."""
    genuine = verifies(validator, value, votes.array[validator])
    return z3.Implies(votes.present[validator], z3.And(right(validator) > 0, genuine))


@proof("ADD-VOTE")
def votes_are_gathered(given: Given) -> Iterator[Query]:
    """Add an arbitrary vote to gathered votes; at first there are none."""
    v = z3.Const("v", VALIDATORS)

    def run() -> None:
        votes, vote = SMap.unknown(BYTES, BYTES, "votes"), unknown(records(Vote), "vote")
        before = any_aggregate(votes)
        value = PAYLOADS.pack(before.payload)
        claim("no votes are gathered", gathered(evolve(votes, present=NOBODY), v, value))
        assume(gathered(votes, v, value))
        add: Any = with_callees(add_vote, weight=looked_up(given))
        outcome = attempt(add, Oracles(), the_committee(), before, vote)
        genuine = verifies(vote.validator.term, PAYLOADS.pack(vote.payload), vote.signature.term)
        genuine = z3.And(genuine, PAYLOADS.pack(vote.payload) == value)
        if isinstance(outcome, Rejected):
            claim("the voter is named", term(outcome.detail) == vote.validator.term)
            _claim_refused_vote(outcome.reason, genuine, votes.present[vote.validator.term], vote.validator.term)
        else:
            after: Any = outcome.signatures
            claim("what is gathered is genuine", said("ADD-VOTE", after, v, value))
            claim("one more vote", after.present == insert(votes.present, vote.validator.term))
            claim("a genuine vote", z3.And(genuine, z3.Not(votes.present[vote.validator.term])))
            claim("the payload stays", PAYLOADS.pack(outcome.payload) == value)

    yield from lifted("add a vote", run)


def any_aggregate(votes: Any) -> Aggregate:
    """Return gathered votes on an arbitrary payload."""
    return Aggregate(unknown(PAYLOADS, "payload"), votes)


def _claim_refused_vote(reason: Reason, genuine: Any, repeated: Any, who: Any) -> None:
    due = {
        Reason.INVALID_SIGNATURE: z3.Not(genuine),
        Reason.CERTIFICATE_VALIDATOR_REUSE: z3.And(genuine, repeated),
        Reason.INVALID_CERTIFICATE_SIGNER: z3.And(genuine, z3.Not(repeated), right(who) == 0),
    }
    claim(f"{reason.name} where it is due", due.get(reason, z3.BoolVal(False)))


@proof("VOTE-IS-AUTHENTIC")
def authentic(_: Given) -> Iterator[Query]:
    """Run the check on an arbitrary vote."""

    def run() -> None:
        vote, scheme = unknown(records(Vote), "vote"), Oracles()
        found = attempt(vote_is_authentic, scheme, vote)
        value = PAYLOADS.pack(vote.payload)
        claim("verifies under its key", term(found) == verifies(vote.validator.term, value, vote.signature.term))

    yield from lifted("authentic", run)


@formula("MAP-LISTING")
def map_listing(votes: SMap, place: Any, n: Any) -> z3.BoolRef:
    """The items of a map of n votes, in a list: each key once, with its value."""
    who = signer(place)
    once = z3.And(votes.present[who], z3.Not(first(place)[who]), signature(place) == votes.array[who])
    return z3.And(first(n) == votes.present, z3.Implies(below(place, n), once))


class Votes(SMap):
    """Gathered votes, whose items can be listed."""

    def items(self) -> SList:
        """Return the items."""
        return any_votes()


@proof("FORM-CERTIFICATE")
def formed_certificates(given: Given) -> Iterator[Query]:
    """Form a certificate of arbitrary gathered votes."""

    def combined(_: Any, votes: SMap) -> SInt:
        found = fresh("combined", z3.IntSort())
        assume(given("COMBINED-WEIGHT", found, votes.present))
        return SInt(found)

    def run() -> None:
        votes, executed = Votes.unknown(BYTES, BYTES, "votes"), unknown(EXECUTED, "executed")
        aggregate = any_aggregate(votes)
        value = PAYLOADS.pack(aggregate.payload)
        listed = {"sorted": lambda items: items, "tuple": lambda items: items}
        form: Any = with_callees(form_certificate, combined_weight=combined, is_quorum=decided, **listed)
        formed = attempt(form, the_committee(), aggregate, executed, RULES.quorum)
        if formed is None:
            claim("no quorum yet", z3.Not(quorate(weight_of(votes.present))))
        else:
            n = formed.signatures.length
            assume(given("MAP-LISTING", votes, ANY, n))
            assume(given("ADD-VOTE", votes, signer(ANY), value))
            on_this = hash_of(executed.term) == term(aggregate.payload.block_hash)
            claim("it is accepted", z3.Implies(on_this, accepted_certificate(ANY, n, what_is_signed(formed))))
            claim("it certifies the block", term(formed.executed) == executed.term)

    yield from lifted("form a certificate", run)

"""Vectors of kinds ``committee``, ``certificate``, ``vote`` and ``block``: thresholds, votes, certificates, hashes."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from attrs import evolve, frozen

from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import (
    Aggregate,
    Certificate,
    Kind,
    Vote,
    VotePayload,
    add_vote,
    certified_payload,
    check_certificate,
    form_certificate,
)
from linera_reference.committee import Committee, make_committee, quorum_threshold, validity_threshold
from linera_reference.notation import Signature
from linera_reference.rejections import Accepted
from linera_reference.rules import QuorumRule

from .model import MalformedStepError, NotYetError, Seen, Step, Vector, attempt, parts_of, reason_of
from .node import (
    ROOT,
    SCHEME,
    first_certificate,
    named_committee,
    public_key,
    root_chain,
    signer_of,
    single_validator,
)

ROUNDS: Final = {"Fast": 0}
"""Named rounds of revision H, as numbers."""
KINDS: Final = {"confirmed": Kind.CONFIRMED, "validated": Kind.VALIDATED}


# --- committees --------------------------------------------------------------------------------------------------


def play_committee(vector: Vector) -> Iterator[Seen]:
    """Derive the thresholds. Declared ones are not an input: a step only learns whether they are the derived ones."""
    for step in vector.steps:
        outcome = attempt(thresholds, step.args["weights"], vector.rules.quorum)
        if not isinstance(outcome, Accepted):
            yield Seen(reason_of(outcome))
            continue
        declared = step.args.get("declared", outcome.state)
        problem = None if step.expect != "ok" or declared == outcome.state else f"derived are {outcome.state}"
        yield Seen(returns=outcome.state, problem=problem)


def thresholds(weights: Iterable[int], quorum: QuorumRule) -> dict[str, int]:
    """Return total, validity and quorum threshold of a committee with these weights."""
    total = make_committee((number.to_bytes(32), weight) for number, weight in enumerate(weights)).total
    return {"total": total, "validity": validity_threshold(total), "quorum": quorum_threshold(total, quorum)}


# --- votes and certificates --------------------------------------------------------------------------------------


def executed_block(name: str) -> ExecutedBlock:
    """Return the executed block that a vector calls by this name."""
    return ExecutedBlock(Block(ROOT, 0, None, ()), (), name.encode().rjust(32, b"\0"))


def payload(name: str, kind: Kind, round: int) -> VotePayload:
    """Return what a vote on a named block signs."""
    return VotePayload(kind, SCHEME.hash(executed_block(name)), round)


def signature_from(item: Mapping[str, Any]) -> Signature:
    """Make a signature by somebody's key over some value and round."""
    signed = payload(item["over_value"], Kind.CONFIRMED, item["over_round"])
    return SCHEME.sign(signer_of(item["by_key_of"]), signed)


@frozen
class Gathering:
    """Votes of a committee on one named value."""

    names: tuple[str, ...]
    committee: Committee
    value: str
    votes: Aggregate


def play_certificate(vector: Vector) -> Iterator[Seen]:
    """Gather votes one by one, and check whole certificates."""
    gathering: Gathering | None = None
    for step in vector.steps:
        if step.op == "aggregator.append":
            seen, gathering = append(gathering, step, vector.rules.quorum)
        elif step.op == "aggregator.new":
            outcome = attempt(start, step.args)
            gathering = outcome.state if isinstance(outcome, Accepted) else None
            seen = Seen(reason_of(outcome))
        else:
            seen = Seen(reason_of(attempt(check_whole, step.args, vector.rules.quorum)))
        yield seen


def start(args: Mapping[str, Any]) -> Gathering:
    """Start to gather votes."""
    names, value = tuple(args["committee"]), args["value"]
    votes = Aggregate(payload(value, Kind.CONFIRMED, args["round"]))
    return Gathering(names, named_committee(args["committee"]), value, votes)


def append(gathering: Gathering | None, step: Step, quorum: QuorumRule) -> tuple[Seen, Gathering | None]:
    """Add one vote; the certificate is returned when it comes into being, once."""
    if gathering is None:
        raise MalformedStepError("expected an aggregator before")
    committee, before = gathering.committee, gathering.votes
    vote = Vote(before.payload, public_key(step.args["validator"]), signature_from(step.args["signature"]))
    outcome = attempt(add_vote, SCHEME, committee, before, vote)
    if not isinstance(outcome, Accepted):
        return Seen(reason_of(outcome)), gathering
    executed = executed_block(gathering.value)
    earlier, now = (form_certificate(committee, v, executed, quorum) for v in (before, outcome.state))
    formed = summary(gathering, now) if now is not None and earlier is None else None
    return Seen(returns={"certificate": formed}), evolve(gathering, votes=outcome.state)


def summary(gathering: Gathering, certificate: Certificate) -> dict[str, Any]:
    """Say a certificate in the words of the vectors; the order of signers carries no meaning (decision D34)."""
    names = {public_key(name): name for name in gathering.names}
    signers = sorted(names[signer] for signer, _ in certificate.signatures)
    return {"round": certificate.round, "value": gathering.value, "signers": signers}


def check_whole(args: Mapping[str, Any], quorum: QuorumRule) -> bytes:
    """Check a certificate with these signatures, in this order."""
    if "justification" in args:
        raise NotYetError("justification chains")
    committee = named_committee(args["committee"])
    signatures = tuple((public_key(item["validator"]), signature_from(item)) for item in args["signatures"])
    certificate = Certificate(executed_block(args["value"]), Kind.CONFIRMED, args["round"], signatures)
    return check_certificate(SCHEME, committee, certificate, quorum)


def play_vote(vector: Vector) -> Iterator[Seen]:
    """Check single votes on a block, to validate or to confirm it."""
    for step in vector.steps:
        args, claimed = step.args, public_key(step.args["claimed_validator"])
        value, signed = (payload_in(args[key], ROUNDS[args["round"]]) for key in ("value", "signature_over"))
        vote = Vote(value, claimed, SCHEME.sign(signer_of(args["signed_by_key_of"]), signed))
        outcome = attempt(add_vote, SCHEME, make_committee([(claimed, 1)]), Aggregate(value), vote)
        yield Seen(reason_of(outcome))


def payload_in(text: str, round: int) -> VotePayload:
    """Read ``validated(B)`` or ``confirmed(B)``."""
    kind, name = parts_of(r"(validated|confirmed)\((\w+)\)", text).groups()
    return payload(name, KINDS[kind], round)


# --- hashes ------------------------------------------------------------------------------------------------------


def play_block(vector: Vector) -> Iterator[Seen]:
    """Compare what votes of both kinds sign with what a chain calls the hash of its last block (decision D24).

    ``hash(header(B))`` stands for the hash of the executed block, which covers all that a header covers.
    """
    node = single_validator(root_chain(ROOT, "owner", 0))
    certificate = first_certificate(node)
    node.handle(certificate)
    block_hash = SCHEME.hash(certificate.executed)
    for step in vector.steps:
        found = node.chain(ROOT).consistent.block_hash
        if step.args["as"] in KINDS:
            signed = Certificate(certificate.executed, KINDS[step.args["as"]], 0, ())
            found = certified_payload(SCHEME, signed).block_hash
        yield Seen(returns=f"hash(header({step.args['block']}))" if found == block_hash else "another hash")

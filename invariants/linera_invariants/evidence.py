"""Evidence files, and the proofs of misbehaviour that follow from them (WP-2.2-ACCOUNTABILITY, WP-2.9-ACCOUNTABILITY).

A proof holds or fails by itself: it carries the committee, the votes of each charge with the signatures of every
validator that it names, and the answers that were known. A charge that is not final falls with an answer.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import evolve, frozen

from linera_reference.audit import place_of
from linera_reference.block import ExecutedBlock
from linera_reference.certificate import Certificate, Kind, Vote
from linera_reference.committee import combined_weight, max_faulty, quorum_threshold
from linera_reference.context import Context
from linera_reference.encoding import encode
from linera_reference.notation import PublicKey
from linera_reference.outbox import UpdateRecipient
from linera_reference.request import Request, request_is_authentic
from linera_reference.rules import BASELINE, REVISION_H

from .audit_files import (
    IDEAL,
    MAX_FILE,
    certificates_of,
    committee_digest,
    committee_rows,
    context_of,
    read_bcs,
    trusted_committee,
)
from .convictions import (
    Case,
    Charge,
    Offence,
    Place,
    accused,
    by_place,
    charges,
    genuine_votes,
    offence,
    open_case,
    standing,
    votes_in,
)
from .inputs import InputError, check_schema, read_document, read_with_schema
from .inputs import place_of as path_in_words
from .logs.lines import item_of, open_log
from .reports import counted
from .story import show_chain

RULES: Final = {"baseline": BASELINE, "revision-h": REVISION_H}
_OFFENCES: Final = {offence.words: offence for offence in Offence}


@frozen
class Evidence:
    """Signed items under one committee. A vote is a certificate of one signature; requests convict no validator."""

    crypto: str
    context: Context
    certificates: tuple[Certificate, ...]
    requests: tuple[Request, ...] = ()


@frozen
class Proof:
    """What a proof file claims: charges, and validated certificates that do not answer them."""

    crypto: str
    context: Context
    charges: tuple[Charge, ...]
    answers: tuple[Certificate, ...]


@frozen
class Findings:
    """Whom the evidence charges, or a proof that was checked; ``remarks`` say what cannot be attributed, or fails."""

    crypto: str
    context: Context
    charges: tuple[Charge, ...]
    answers: tuple[Certificate, ...] = ()
    forks: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether anybody is charged."""
        return bool(self.charges)

    @property
    def convicted(self) -> tuple[PublicKey, ...]:
        """Whom the final charges convict."""
        return _named(charge for charge in self.charges if charge.is_final)

    @property
    def charged(self) -> tuple[PublicKey, ...]:
        """Who stands charged until answered."""
        return tuple(key for key in _named(self.charges) if key not in self.convicted)

    @property
    def weight(self) -> int:
        """Return the voting rights of all whom a charge names."""
        return combined_weight(self.context.committee, _named(self.charges))

    def to_json(self) -> dict[str, Any]:
        """Return the findings for a report."""
        committee, quorum = self.context.committee, self.context.rules.quorum
        return {
            "crypto": self.crypto,
            "committee": trusted_committee(committee, quorum).to_json(),
            "holds": self.holds,
            "forks": self.forks,
            "convicted": [{"validator": key.hex(), "weight": committee.weights[key]} for key in self.convicted],
            "charged": [{"validator": key.hex(), "weight": committee.weights[key]} for key in self.charged],
            "weight": self.weight,
            "fault_bound": max_faulty(committee.total),
            "shared_by_quorums": 2 * quorum_threshold(committee.total, quorum) - committee.total,
            "charges": [_charge_report(self.context, charge) for charge in self.charges],
            "remarks": list(self.remarks),
        }

    def verdict(self) -> str:
        """Say it in one line."""
        if not self.holds:
            return "nobody is convicted"
        total, faulty = self.context.committee.total, max_faulty(self.context.committee.total)
        groups = {"convicted": self.convicted, "charged until answered": self.charged}
        who = " and ".join(f"{counted(len(keys), 'validator')} {how}" for how, keys in groups.items() if keys)
        condition = " if nobody answers" if self.charged else ""
        broken = f"more than f = {faulty}: the fault bound was broken{condition}"
        bound = broken if self.weight > faulty else f"within f = {faulty}"
        return f"{who}, of weight {self.weight} of {total}, {bound}"

    def sentences(self) -> tuple[str, ...]:
        """Say what the reader must know from elsewhere."""
        known = trusted_committee(self.context.committee, self.context.rules.quorum).sentence()
        return (known, *((IDEAL,) if self.crypto == "ideal" else ()))


def _named(charges: Iterable[Charge]) -> tuple[PublicKey, ...]:
    return tuple(sorted({key for charge in charges for key in charge.charged}))


def _charge_report(context: Context, charge: Charge) -> dict[str, Any]:
    chain_id, height = place_of(charge.votes[0])
    votes = ((vote.kind.name, vote.round, context.scheme.hash(vote.executed).hex()) for vote in charge.votes)
    return {
        "chain": show_chain(chain_id),
        "height": height,
        "charge": charge.offence.words,
        "final": charge.is_final,
        "votes": [dict(zip(("kind", "round", "block"), vote, strict=True)) for vote in votes],
        "charged": [key.hex() for key in charge.charged],
    }


def show_place(place: Place) -> str:
    """Name a chain and a height."""
    chain_id, height = place
    return f"height {height} of chain {show_chain(chain_id)}"


# --- From evidence to charges ------------------------------------------------------------------------------------


def examine(evidence: Evidence) -> Findings:
    """Find everybody whom the evidence charges, and say what it does not attribute."""
    context, found, answers, remarks, forks = evidence.context, list[Charge](), list[Certificate](), list[str](), 0
    places = {place: group for place, group in by_place(evidence.certificates).items() if differ(group)}
    for place, group in places.items():
        case = open_case(context, group)
        here = tuple(charges(case))
        found += here
        answers += () if all(charge.is_final for charge in here) else case.answers
        remarks += unattributed(place, case, here)
        forks += case.is_forked
    remarks += other_remarks(evidence, bool(places))
    return Findings(evidence.crypto, context, tuple(found), tuple(answers), forks, tuple(remarks))


def differ(group: Sequence[Certificate]) -> bool:
    """Whether certificates of one place are on several executed blocks."""
    return any(other.executed != group[0].executed for other in group)


def unattributed(place: Place, case: Case, found: Sequence[Charge]) -> Iterator[str]:
    """Say who is not charged though blocks differ."""
    named = set(_named(found))
    spared = accused(case.sides, votes_in(case.sides), case.answers).keys() - named
    answered = accused(case.sides, case.genuine, ()).keys() - named
    if spared:
        why = "a signature does not verify, or there are no voting rights"
        yield f"{show_place(place)}: {counted(len(spared), 'name')} on votes that conflict, not charged: {why}"
    if answered:
        yield f"{show_place(place)}: charges against {counted(len(answered), 'validator')} are answered"
    if not (found or spared or answered):
        why = "validators may vote for different blocks, one each, or several in rounds"
        yield f"{show_place(place)}: nobody signed votes that conflict: {why}"


def other_remarks(evidence: Evidence, compared: bool) -> Iterator[str]:
    """Say what was not compared, and what is nobody's fault."""
    if not compared:
        yield "no two items are on different executed blocks of one chain and height, so nothing conflicts"
    for (owner, *place), count in equivocations(evidence).items():
        what = f"{owner.hex()} signed {count} blocks of {show_place((place[0], place[1]))}"
        yield f"{what}: an owner may; it convicts no validator"


def equivocations(evidence: Evidence) -> dict[tuple[Any, ...], int]:
    """Return who genuinely signed requests for several blocks of one place, and for how many."""
    groups: dict[tuple[Any, ...], dict[bytes, list[Request]]] = defaultdict(lambda: defaultdict(list))
    for request in evidence.requests:
        block = request.block
        groups[request.owner, block.chain_id, block.height][encode(block)].append(request)
    found = {}
    for place, blocks in sorted(groups.items()):
        genuine = (any(request_is_authentic(evidence.context.scheme, r) for r in same) for same in blocks.values())
        if len(blocks) > 1 and (count := sum(genuine)) > 1:
            found[place] = count
    return found


# --- From a proof to its verdict ---------------------------------------------------------------------------------


def check_proof(proof: Proof, published: Iterable[Certificate] = ()) -> Findings:
    """Check a proof from scratch. One false name, and it charges nobody; else what no answer is known to stands."""
    reasons = (first_flaw(proof.context, charge) for charge in proof.charges)
    flaws = tuple(f"charge {number}: {reason}" for number, reason in enumerate(reasons, 1) if reason)
    if flaws:
        return Findings(proof.crypto, proof.context, (), remarks=flaws)
    groups = by_place((*proof.answers, *published)).values()
    answers = tuple(answer for group in groups for answer in open_case(proof.context, group).answers)
    left = tuple(charge for charge in proof.charges if standing(charge.votes, answers) is not None)
    remarks = (f"charge {number} is answered" for number, charge in enumerate(proof.charges, 1) if charge not in left)
    return Findings(proof.crypto, proof.context, left, answers, remarks=tuple(remarks))


def first_flaw(context: Context, charge: Charge) -> str | None:
    """Return why votes do not charge everybody whom they name, ⊥ if they do."""
    one, *others = charge.votes
    if any(place_of(one) != place_of(two) for two in others):
        return f"{show_place(place_of(one))} is not {show_place(place_of(others[0]))}"
    shown = offence(*charge.votes)
    if shown is not charge.offence:
        return f"the votes show {'no offence' if shown is None else shown.words}, not {charge.offence.words}"
    key, count = Counter(charge.charged).most_common(1)[0]
    if count > 1:
        return f"{key.hex()} is named twice"
    guilty = [genuine_votes(context.scheme, context.committee, vote).keys() for vote in charge.votes]
    innocent = next((key for key in charge.charged if not all(key in signers for signers in guilty)), None)
    if innocent is None:
        return None
    known = context.committee.weights.get(innocent)
    return f"{innocent.hex()} {'has no voting rights' if not known else 'did not sign this'}"


# --- Files -------------------------------------------------------------------------------------------------------


def read_all_evidence(paths: Sequence[Path]) -> Evidence:
    """Read evidence or audit files that have one committee. Raises: InputError."""
    first, *more = (read_evidence(path) for path in paths)
    for path, other in zip(paths[1:], more, strict=True):
        _check_alike(paths[0], first, path, other)
    certificates = tuple(certificate for found in (first, *more) for certificate in found.certificates)
    requests = tuple(request for found in (first, *more) for request in found.requests)
    return evolve(first, certificates=certificates, requests=requests)


def check_files(proof_path: Path, published: Sequence[Path]) -> Findings:
    """Check a proof file against what evidence files publish. Raises: InputError."""
    proof = read_proof(proof_path)
    if not published:
        return check_proof(proof)
    answers = read_all_evidence(published)
    _check_alike(proof_path, proof, published[0], answers)
    return check_proof(proof, answers.certificates)


def _check_alike(first_path: Path, first: Evidence | Proof, path: Path, other: Evidence) -> None:
    if _known_from_elsewhere(other) != _known_from_elsewhere(first):
        digest = committee_digest(first.context.committee)
        expected = f"expected crypto, rules and committee of {first_path} ({first.crypto}, committee {digest})"
        raise InputError(path, "document", expected)


def _known_from_elsewhere(found: Evidence | Proof) -> object:
    return found.crypto, found.context.committee, found.context.rules.quorum


def read_evidence(path: Path) -> Evidence:
    """Read an evidence file, or what an audit file or a validator's log holds. Raises: InputError."""
    if path.name.lower().endswith((".jsonl", ".jsonl.gz")):
        return _logged(path)
    document = read_document(path, MAX_FILE)
    is_audit = isinstance(document, dict) and "audit" in document
    check_schema(path, document, "audit" if is_audit else "evidence")
    context = _context(path, document)
    if is_audit:
        origin = document | {"origin": [document["origin"]] if "origin" in document else []}
        keys = ("origin", "blocks", "evidence")
        found = tuple(certificate for key in keys for certificate in certificates_of(path, key, origin))
        return Evidence(document["crypto"], context, found)
    items = [_item(path, context, index, entry) for index, entry in enumerate(document["items"])]
    return _evidence(document["crypto"], context, items)


def _logged(path: Path) -> Evidence:
    """Take the certificates and requests that a validator received; an incomplete last line is left out."""
    log = open_log(path)
    return _evidence(log.header.crypto, log.header.context, map(item_of, log.events))


def _evidence(crypto: str, context: Context, items: Iterable[Any]) -> Evidence:
    """Take what items are, and the certificates that they carry."""
    certificates, requests = list[Certificate](), list[Request]()
    for item in items:
        match item:
            case Certificate():
                certificates.append(item)
            case UpdateRecipient():
                certificates += item.certificates
            case Request():
                requests.append(item)
                certificates += () if item.justification is None else (item.justification,)
    return Evidence(crypto, context, tuple(certificates), tuple(requests))


def _context(path: Path, document: dict[str, Any]) -> Context:
    return evolve(context_of(path, document), rules=RULES[document.get("rules", "baseline")])


def _item(path: Path, context: Context, index: int, entry: dict[str, Any]) -> Certificate | Request:
    if "certificate" in entry:
        return read_bcs(path, ("items", index, "certificate"), Certificate, entry["certificate"])
    if "request" in entry:
        return read_bcs(path, ("items", index, "request"), Request, entry["request"])
    executed = read_bcs(path, ("items", index, "executed"), ExecutedBlock, entry["executed"])
    vote = read_bcs(path, ("items", index, "vote"), Vote, entry["vote"])
    if vote.payload.block_hash != context.scheme.hash(executed):
        raise InputError(
            path, path_in_words(("items", index, "vote")), "expected a vote on the executed block beside it"
        )
    return Certificate(executed, vote.payload.kind, vote.payload.round, ((vote.validator, vote.signature),))


def read_proof(path: Path) -> Proof:
    """Read a proof. Raises: InputError."""
    document = read_with_schema(path, "proof", MAX_FILE)
    charges = tuple(_charge(path, index, entry) for index, entry in enumerate(document["charges"]))
    return Proof(document["crypto"], _context(path, document), charges, certificates_of(path, "answers", document))


def _charge(path: Path, index: int, entry: dict[str, Any]) -> Charge:
    names = [bytes.fromhex(row["validator"]) for row in entry["charged"]]
    votes = []
    for number, vote in enumerate(entry["votes"]):
        executed = read_bcs(path, ("charges", index, "votes", number, "executed"), ExecutedBlock, vote["executed"])
        signatures = (bytes.fromhex(row["signatures"][number]) for row in entry["charged"])
        signed = tuple(zip(names, signatures, strict=True))
        votes.append(Certificate(executed, Kind[vote["kind"]], vote["round"], signed))
    return Charge(_OFFENCES[entry["charge"]], tuple(votes))


def proof_file(found: Findings) -> bytes:
    """Write a proof."""
    document = {
        "proof": 2,
        "crypto": found.crypto,
        "rules": next(name for name, rules in RULES.items() if rules.quorum is found.context.rules.quorum),
        "committee": committee_rows(found.context.committee),
        "charges": [_charge_entry(charge) for charge in found.charges],
        "answers": [encode(answer).hex() for answer in found.answers],
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def _charge_entry(charge: Charge) -> dict[str, Any]:
    tables = [dict(vote.signatures) for vote in charge.votes]
    return {
        "charge": charge.offence.words,
        "votes": [{"kind": v.kind.name, "round": v.round, "executed": encode(v.executed).hex()} for v in charge.votes],
        "charged": [{"validator": k.hex(), "signatures": [t[k].hex() for t in tables]} for k in charge.charged],
    }

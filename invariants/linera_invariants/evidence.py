"""Evidence files, and the proofs of misbehaviour that follow from them (WP-2.2-ACCOUNTABILITY).

A proof holds or fails by itself: it carries the committee, the two executed blocks of each conflict, and both
signatures of every validator that it names.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from attrs import evolve, frozen

from linera_reference.audit import place_of
from linera_reference.block import ExecutedBlock, Request, request_is_authentic
from linera_reference.certificate import Certificate, Kind, Vote, check_certificate
from linera_reference.committee import combined_weight, max_faulty, quorum_threshold
from linera_reference.context import Context
from linera_reference.encoding import encode
from linera_reference.notation import Hash, PublicKey
from linera_reference.outbox import UpdateRecipient
from linera_reference.rejections import Rejection
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
from .convictions import Conflict, Place, by_place, conflicts_at, convicted, in_conflict, merged, suspects
from .inputs import InputError, check_schema, read_document, read_with_schema
from .inputs import place_of as path_in_words
from .logs.lines import item_of, open_log
from .reports import counted
from .story import show_chain

RULES: Final = {"baseline": BASELINE, "revision-h": REVISION_H}


@frozen
class Evidence:
    """Signed items under one committee. A vote is a certificate of one signature; requests convict no validator."""

    crypto: str
    context: Context
    certificates: tuple[Certificate, ...]
    requests: tuple[Request, ...] = ()


@frozen
class Proof:
    """What a proof file claims."""

    crypto: str
    context: Context
    conflicts: tuple[Conflict, ...]


@frozen
class Findings:
    """Whom the evidence convicts, or a proof that was checked; ``remarks`` say what cannot be attributed, or fails."""

    crypto: str
    context: Context
    conflicts: tuple[Conflict, ...]
    forks: int = 0
    remarks: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether anybody is convicted."""
        return bool(self.conflicts)

    @property
    def convicted(self) -> tuple[PublicKey, ...]:
        """Whom all conflicts together convict."""
        return tuple(sorted({key for conflict in self.conflicts for key in conflict.convicted}))

    @property
    def weight(self) -> int:
        """Return the voting rights of the convicted."""
        return combined_weight(self.context.committee, self.convicted)

    def to_json(self) -> dict[str, Any]:
        """Return the findings for a report."""
        committee, quorum = self.context.committee, self.context.rules.quorum
        return {
            "crypto": self.crypto,
            "committee": trusted_committee(committee, quorum).to_json(),
            "holds": self.holds,
            "forks": self.forks,
            "convicted": [{"validator": key.hex(), "weight": committee.weights[key]} for key in self.convicted],
            "weight": self.weight,
            "fault_bound": max_faulty(committee.total),
            "shared_by_quorums": 2 * quorum_threshold(committee.total, quorum) - committee.total,
            "conflicts": [_conflict_report(self.context, conflict) for conflict in self.conflicts],
            "remarks": list(self.remarks),
        }

    def verdict(self) -> str:
        """Say it in one line."""
        if not self.holds:
            return "nobody is convicted"
        total, faulty = self.context.committee.total, max_faulty(self.context.committee.total)
        broken = (
            f"more than f = {faulty}: the fault bound was broken" if self.weight > faulty else f"within f = {faulty}"
        )
        return f"{counted(len(self.convicted), 'validator')} convicted, of weight {self.weight} of {total}, {broken}"

    def sentences(self) -> tuple[str, ...]:
        """Say what the reader must know from elsewhere."""
        known = trusted_committee(self.context.committee, self.context.rules.quorum).sentence()
        return (known, *((IDEAL,) if self.crypto == "ideal" else ()))


def _conflict_report(context: Context, conflict: Conflict) -> dict[str, Any]:
    chain_id, height = place_of(conflict.one)
    sides = (conflict.one, conflict.two)
    return {
        "chain": show_chain(chain_id),
        "height": height,
        "blocks": [context.scheme.hash(side.executed).hex() for side in sides],
        "convicted": [key.hex() for key in conflict.convicted],
    }


def show_place(place: Place) -> str:
    """Name a chain and a height."""
    chain_id, height = place
    return f"height {height} of chain {show_chain(chain_id)}"


# --- From evidence to conflicts ----------------------------------------------------------------------------------


def examine(evidence: Evidence) -> Findings:
    """Find everybody whom the evidence convicts, and say what it does not attribute."""
    context, conflicts, remarks, forks = evidence.context, list[Conflict](), list[str](), 0
    places = {place: group for place, group in by_place(evidence.certificates).items() if differ(group)}
    for place, group in places.items():
        found = tuple(conflicts_at(context.scheme, context.committee, group))
        conflicts += found
        remarks += unattributed(place, group, found)
        forks += len(certified_blocks(context, group)) > 1
    remarks += other_remarks(evidence, bool(places))
    return Findings(evidence.crypto, context, tuple(conflicts), forks, tuple(remarks))


def differ(group: Sequence[Certificate]) -> bool:
    """Whether certificates of one place are on several executed blocks."""
    return any(other.executed != group[0].executed for other in group)


def certified_blocks(context: Context, group: Sequence[Certificate]) -> set[Hash]:
    """Return the hashes of the blocks with a certificate that verifies."""
    found = set()
    for certificate in group:
        try:
            found.add(check_certificate(context.scheme, context.committee, certificate, context.rules.quorum))
        except Rejection:
            continue
    return found


def unattributed(place: Place, group: Sequence[Certificate], found: Sequence[Conflict]) -> Iterator[str]:
    """Say who is not convicted though blocks conflict."""
    named = {key for conflict in found for key in conflict.convicted}
    spared = suspects(merged(group)) - named
    if spared:
        why = "a signature does not verify, or there are no voting rights"
        yield f"{show_place(place)}: {counted(len(spared), 'name')} on two blocks, not convicted: {why}"
    elif not found:
        why = "validators may vote for different blocks if the owner signed them"
        yield f"{show_place(place)}: nobody's name is on two blocks: {why}"


def other_remarks(evidence: Evidence, compared: bool) -> Iterator[str]:
    """Say what was not compared, and what is nobody's fault."""
    if not compared:
        yield "no two items are on different executed blocks of one chain and height, so nothing conflicts"
    validated = sum(certificate.kind is not Kind.CONFIRMED for certificate in evidence.certificates)
    if validated:
        yield f"{counted(validated, 'item')} of the kind Validated: only Confirmed votes convict"
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


def check_proof(proof: Proof) -> Findings:
    """Check a proof from scratch. It holds as a whole or convicts nobody."""
    reasons = (first_flaw(proof.context, conflict) for conflict in proof.conflicts)
    flaws = tuple(f"conflict {number}: {reason}" for number, reason in enumerate(reasons, 1) if reason)
    return Findings(proof.crypto, proof.context, () if flaws else proof.conflicts, remarks=flaws)


def first_flaw(context: Context, conflict: Conflict) -> str | None:
    """Return why a conflict does not convict everybody whom it names, ⊥ if it does."""
    if place_of(conflict.one) != place_of(conflict.two):
        return f"{show_place(place_of(conflict.one))} is not {show_place(place_of(conflict.two))}"
    if not in_conflict(conflict.one, conflict.two):
        return "both executed blocks are the same"
    key, count = Counter(conflict.convicted).most_common(1)[0]
    if count > 1:
        return f"{key.hex()} is named twice"
    guilty = convicted(context.scheme, context.committee, conflict.one, conflict.two)
    innocent = next((key for key in conflict.convicted if key not in guilty), None)
    if innocent is None:
        return None
    known = context.committee.weights.get(innocent)
    return f"{innocent.hex()} {'has no voting rights' if not known else 'did not sign both'}"


# --- Files -------------------------------------------------------------------------------------------------------


def read_all_evidence(paths: Sequence[Path]) -> Evidence:
    """Read evidence or audit files that have one committee. Raises: InputError."""
    first, *more = (read_evidence(path) for path in paths)
    for path, other in zip(paths[1:], more, strict=True):
        if (other.crypto, other.context) != (first.crypto, first.context):
            digest = committee_digest(first.context.committee)
            expected = f"expected crypto, rules and committee of {paths[0]} ({first.crypto}, committee {digest})"
            raise InputError(path, "document", expected)
    certificates = tuple(certificate for found in (first, *more) for certificate in found.certificates)
    requests = tuple(request for found in (first, *more) for request in found.requests)
    return evolve(first, certificates=certificates, requests=requests)


def read_evidence(path: Path) -> Evidence:
    """Read an evidence file, or what an audit file or a validator's log holds. Raises: InputError."""
    if path.name.lower().endswith((".jsonl", ".jsonl.gz")):
        return _logged(path)
    document = read_document(path, MAX_FILE)
    is_audit = isinstance(document, dict) and "audit" in document
    check_schema(path, document, "audit" if is_audit else "evidence")
    context = evolve(context_of(path, document), rules=RULES[document.get("rules", "baseline")])
    if is_audit:
        origin = document | {"origin": [document["origin"]] if "origin" in document else []}
        keys = ("origin", "blocks", "evidence")
        found = tuple(certificate for key in keys for certificate in certificates_of(path, key, origin))
        return Evidence(document["crypto"], context, found)
    items = [_item(path, context, index, entry) for index, entry in enumerate(document["items"])]
    certificates = tuple(item for item in items if isinstance(item, Certificate))
    return Evidence(document["crypto"], context, certificates, tuple(i for i in items if isinstance(i, Request)))


def _logged(path: Path) -> Evidence:
    """Take the certificates and requests that a validator received; an incomplete last line is left out."""
    log = open_log(path)
    items = [item_of(event) for event in log.events]
    carried = (c for item in items if isinstance(item, UpdateRecipient) for c in item.certificates)
    certificates = (*(item for item in items if isinstance(item, Certificate)), *carried)
    requests = tuple(item for item in items if isinstance(item, Request))
    return Evidence(log.header.crypto, log.header.context, certificates, requests)


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
    conflicts = tuple(_conflict(path, index, entry) for index, entry in enumerate(document["conflicts"]))
    return Proof(document["crypto"], context_of(path, document), conflicts)


def _conflict(path: Path, index: int, entry: dict[str, Any]) -> Conflict:
    names = [bytes.fromhex(row["validator"]) for row in entry["convicted"]]

    def side(which: str, number: int) -> Certificate:
        executed = read_bcs(path, ("conflicts", index, which, "executed"), ExecutedBlock, entry[which]["executed"])
        signatures = (bytes.fromhex(row["signatures"][number]) for row in entry["convicted"])
        return Certificate(executed, Kind.CONFIRMED, entry[which]["round"], tuple(zip(names, signatures, strict=True)))

    return Conflict(side("one", 0), side("two", 1))


def proof_file(found: Findings) -> bytes:
    """Write a proof."""
    document = {
        "proof": 1,
        "crypto": found.crypto,
        "committee": committee_rows(found.context.committee),
        "conflicts": [_conflict_entry(conflict) for conflict in found.conflicts],
    }
    return json.dumps(document, indent=1).encode() + b"\n"


def _conflict_entry(conflict: Conflict) -> dict[str, Any]:
    one, two = conflict.one, conflict.two
    pairs = zip(one.signatures, two.signatures, strict=True)
    return {
        "one": {"executed": encode(one.executed).hex(), "round": one.round},
        "two": {"executed": encode(two.executed).hex(), "round": two.round},
        "convicted": [{"validator": key.hex(), "signatures": [a.hex(), b.hex()]} for (key, a), (_, b) in pairs],
    }

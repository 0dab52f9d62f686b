"""Committee arithmetic: voting rights, the fault bound, quorums (section 2.2)."""

from collections.abc import Iterator
from itertools import product

from linera_invariants.vectors.model import Case
from linera_reference.committee import TOTAL_BOUND
from linera_reference.notation import MAX_U64
from linera_reference.rejections import Reason
from linera_reference.rules import QuorumRule

from .support import accumulated, caller, committee_of, key, unchecked

ABOUT = "Committees: what makes one, voting rights, the fault bound and the thresholds, under both quorum rules."

LARGEST = TOTAL_BOUND - 1
TOTALS = (*range(1, 22), 99, 100, 101, 2**32, LARGEST - 2, LARGEST - 1, LARGEST)
"""Totals at which thresholds are shown: all residues modulo 3 and 6, and the edges."""
ODD_KEYS = (("empty", b""), ("short", key("v1")[:31]), ("long", key("v1") + b"\0"))

make = caller("make_committee", "WP-2.2-VOTING-RIGHTS")
weight = caller("weight", "WP-2.2-VOTING-RIGHTS")
combined = caller("combined_weight", "WP-2.2-VOTING-RIGHTS")
faulty = caller("max_faulty", "WP-2.2-FAULT-BOUND", source_="enumeration")
quorum = caller("is_quorum", "WP-2.2-QUORUM")


def cases() -> Iterator[Case]:
    """Yield the cases, simplest first."""
    yield from made()
    yield from refused()
    yield from refused_twice()
    yield from weights()
    yield from thresholds()
    yield from quorums()
    yield from accumulated("thresholds", 100_000, "WP-2.2-FAULT-BOUND", "WP-2.2-QUORUM", "WP-2.2-VALIDITY")


def _members(*weights: int) -> tuple[tuple[bytes, int], ...]:
    return tuple((key(f"v{i}"), weight) for i, weight in enumerate(weights, 1))


def made() -> Iterator[Case]:
    """Committees that are accepted."""
    for name, rights, why in (
        ("one", (1,), "One validator with one vote."),
        ("four", (1, 1, 1, 1), "Four equal validators."),
        ("weighted", (3, 1, 2, 5), "Voting rights differ; the total is their sum."),
        ("with-zero", (0, 1), "A validator without voting rights may be listed."),
        ("largest-total", (LARGEST,), "The largest total."),
        ("largest-total-of-two", (LARGEST - 1, 1), "The largest total, of two validators."),
    ):
        yield make(f"make-{name}", why, weights=_members(*rights))


def refused() -> Iterator[Case]:
    """Committees with one fault."""
    v1, v2 = key("v1"), key("v2")
    for name, weights, reason, why in (
        ("none", (), Reason.EMPTY_COMMITTEE, "A committee needs voting rights."),
        ("zero", _members(0), Reason.EMPTY_COMMITTEE, "A validator without voting rights is no committee."),
        ("zeros", _members(0, 0, 0), Reason.EMPTY_COMMITTEE, "Nor are three of them."),
        ("duplicate", ((v1, 1), (v1, 1)), Reason.DUPLICATE_VALIDATOR, "A key is listed twice with the same weight."),
        ("duplicate-other-weight", ((v1, 1), (v2, 1), (v1, 2)), Reason.DUPLICATE_VALIDATOR, "Weights do not matter."),
        ("duplicate-zero", ((v1, 1), (v1, 0)), Reason.DUPLICATE_VALIDATOR, "Even without voting rights."),
        ("negative", _members(2, -1), Reason.OUT_OF_RANGE, "Voting rights are not negative."),
        ("beyond-u64", _members(MAX_U64 + 1), Reason.OUT_OF_RANGE, "Voting rights are 64-bit numbers."),
        ("largest-u64", _members(MAX_U64), Reason.COMMITTEE_OVERFLOW, "A weight in range; the total is not."),
        ("total-bound", _members(TOTAL_BOUND), Reason.COMMITTEE_OVERFLOW, "The total is below 2^63."),
        ("sum", _members(LARGEST, 1), Reason.COMMITTEE_OVERFLOW, "The sum reaches 2^63."),
        ("sum-wraps", _members(MAX_U64, 2), Reason.COMMITTEE_OVERFLOW, "The sum must not wrap around to 1."),
        ("sum-wraps-to-zero", _members(2**63, 2**63), Reason.COMMITTEE_OVERFLOW, "The sum must not wrap to zero."),
        *((f"key-{name}", ((bad, 1), (v2, 1)), Reason.OUT_OF_RANGE, "Keys have 32 bytes.") for name, bad in ODD_KEYS),
        ("last-key-short", ((v1, 1), (v2[:31], 1)), Reason.OUT_OF_RANGE, "Every key counts, not only the first."),
    ):
        yield make(f"make-{name}", why, reason, weights=weights)


def refused_twice() -> Iterator[Case]:
    """Committees with two faults: keys are compared first, then ranges, then the total."""
    v1, v2 = key("v1"), key("v2")
    duplicate, range_ = Reason.DUPLICATE_VALIDATOR, Reason.OUT_OF_RANGE
    empty, overflow = Reason.EMPTY_COMMITTEE, Reason.COMMITTEE_OVERFLOW
    for name, weights, faults in (
        ("duplicate-and-negative", ((v1, 2), (v1, -1)), (duplicate, range_)),
        ("duplicate-and-key-short", ((v1[:31], 1), (v1[:31], 1)), (duplicate, range_)),
        ("duplicate-and-zero", ((v1, 0), (v1, 0)), (duplicate, empty)),
        ("duplicate-and-overflow", ((v1, 2**63), (v1, 2**63)), (duplicate, overflow)),
        ("negative-and-empty", ((v1, 1), (v2, -1)), (range_, empty)),
        ("negative-and-below-zero", _members(-1), (range_, empty)),
        ("key-short-and-zero", ((v1[:31], 0),), (range_, empty)),
        ("beyond-u64-and-overflow", _members(MAX_U64 + 1, 1), (range_, overflow)),
        ("key-short-and-overflow", ((v1[:31], TOTAL_BOUND),), (range_, overflow)),
    ):
        first, second = (fault.name for fault in faults)
        yield make(
            f"make-{name}", f"Two faults: {first} comes before {second}.", faults[0], weights=weights, faults_=faults
        )


def weights() -> Iterator[Case]:
    """Voting rights of one and of several."""
    four = committee_of(v1=3, v2=1, v3=0, v4=2)
    for name, validator, rights, why in (
        ("member", key("v1"), 3, "The voting rights of a member."),
        ("zero", key("v3"), 0, "A member without voting rights."),
        ("stranger", key("v5"), 0, "A stranger has no voting rights."),
        ("no-key", b"", 0, "Nor has a key of a wrong length."),
    ):
        yield weight(f"weight-{name}", why, committee=four, validator=validator, gives_=rights)
    for name, who, rights, why in (
        ("none", (), 0, "Nobody has no voting rights."),
        ("all", ("v1", "v2", "v3", "v4"), 6, "Everybody has all."),
        ("two", ("v4", "v1"), 5, "Voting rights add up, in any order."),
        ("with-stranger", ("v5", "v2"), 1, "A stranger adds nothing."),
    ):
        yield combined(f"combined-{name}", why, committee=four, validators=tuple(map(key, who)), gives_=rights)
    extreme = committee_of(v1=LARGEST - 1, v2=1)
    yield combined("combined-largest", "The largest sum.", committee=extreme, validators=(key("v1"), key("v2")))


def thresholds() -> Iterator[Case]:
    """The fault bound, the validity threshold and the quorum under both rules, at many totals."""
    validity = caller("validity_threshold", "WP-2.2-VALIDITY", source_="enumeration")
    threshold = caller("quorum_threshold", "WP-2.2-QUORUM", source_="enumeration")
    for total in TOTALS:
        third = -(-total // 3)
        quorums = {QuorumRule.N_MINUS_F: total - (third - 1), QuorumRule.HALF_WAY: -(-(total + third) // 2)}
        yield faulty(f"max-faulty-{total}", f"The fault bound of total {total}.", total=total, gives_=third - 1)
        yield validity(f"validity-{total}", f"The validity threshold of total {total}.", total=total, gives_=third)
        for rule, least in quorums.items():
            why = f"The quorum of total {total} under {rule.name}."
            yield threshold(f"quorum-{_short(rule)}-{total}", why, total=total, quorum=rule, gives_=least)


def quorums() -> Iterator[Case]:
    """Every number of votes in small committees, and the edges of large ones."""
    for total, rule in product((1, 2, 3, 4, 6), QuorumRule):
        for votes in range(total + 2):
            name = f"is-quorum-{_short(rule)}-{votes}-of-{total}"
            sentence = f"Whether {votes} of {total} votes are a quorum under {rule.name}."
            committee = committee_of(v1=total)
            yield quorum(name, sentence, committee=committee, votes=votes, quorum=rule, source_="enumeration")
    largest = committee_of(v1=LARGEST)
    for rule, least in ((QuorumRule.N_MINUS_F, 6148914691236517205), (QuorumRule.HALF_WAY, 6148914691236517205)):
        for votes in (least - 1, least, least + 1, LARGEST):
            name = f"is-quorum-{_short(rule)}-{votes}-of-largest"
            why = "A threshold near 2^63 is exact."
            yield quorum(name, why, committee=largest, votes=votes, quorum=rule, gives_=votes >= least)
    for rule in QuorumRule:
        nobody = unchecked({}, 0)
        name = f"is-quorum-{_short(rule)}-nobody"
        yield quorum(
            name, "No votes are no quorum, whatever the total.", committee=nobody, votes=0, quorum=rule, gives_=False
        )


def _short(rule: QuorumRule) -> str:
    return rule.name.lower().replace("_", "-")

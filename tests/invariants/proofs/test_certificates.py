"""Certificates: the proofs hold for any number of signers, and a lost or wrong check breaks them."""

import pytest
import z3
from proving import sees, unproved

from linera_invariants.mutation import edit
from linera_invariants.proofs.codecs import INTEGERS, unknown
from linera_invariants.proofs.lifted import lifted
from linera_invariants.proofs.lists import Induction, Mapped, SList, every, unknown_list
from linera_invariants.proofs.queries import ask
from linera_invariants.proofs.symbolic import OutsideSubsetError, SInt, claim

ENTRIES = [
    "PAYLOAD-OF",
    "SIGNERS-LISTED",
    "CHECK-SIGNERS",
    "CHECK-CERTIFICATE",
    "CHECK-CONFIRMED",
    "CHECK-VALIDATED",
    "VOTE-IS-AUTHENTIC",
    "ADD-VOTE",
    "FORM-CERTIFICATE",
    "CERTIFICATE-SIGNERS",
    "CERTIFICATE-VOTES",
    "COMMON-SIGNERS",
    "ACCOUNTABILITY",
]


@pytest.mark.parametrize("entry", ENTRIES)
def test_holds(entry: str) -> None:
    assert not list(unproved(entry))


MUTANTS = [
    ("CHECK-SIGNERS", "certificate:check_signers", "not seen.contains(signer)", "True"),
    ("CHECK-SIGNERS", "certificate:check_signers", "rights > 0", "rights >= 0"),
    ("CHECK-SIGNERS", "certificate:check_signers", "seen.insert(signer), votes", "seen, votes"),
    ("CHECK-SIGNERS", "certificate:check_signers", "votes + rights", "votes + 1"),
    (
        "CHECK-SIGNERS",
        "certificate:check_signers",
        "is_quorum(committee, votes, quorum)",
        "is_quorum(committee, votes)",
    ),
    ("CHECK-CERTIFICATE", "certificate:check_certificate", "genuine(*vote)", "True"),
    ("CHECK-CERTIFICATE", "certificate:check_certificate", "return payload.block_hash", "return vote"),
    ("CHECK-CERTIFICATE", "certificate:certified_payload", "certificate.round", "0"),
    ("CHECK-CONFIRMED", "certification:check_kind", "kind is Kind.CONFIRMED", "True"),
    ("CHECK-CONFIRMED", "validator:check_confirmed", "check_kind(certificate.kind)", "pass"),
    ("PAYLOAD-OF", "validator:payload_of", "VotePayload(kind", "VotePayload(Kind.CONFIRMED"),
    ("CHECK-VALIDATED", "validator:check_validated", "certificate.kind is Kind.VALIDATED", "True"),
    (
        "CHECK-VALIDATED",
        "validator:check_validated",
        "check_certificate(context.scheme, context.committee, certificate, context.rules.quorum)",
        "pass",
    ),
    ("PAYLOAD-OF", "validator:payload_of", "Kind.CONFIRMED", "Kind.VALIDATED"),
    ("PAYLOAD-OF", "validator:payload_of", "(executed), round)", "(executed), 0)"),
    ("PAYLOAD-OF", "certificate:sign_vote", "scheme.sign(signer, payload)", "signer.secret"),
    ("VOTE-IS-AUTHENTIC", "certificate:vote_is_authentic", "vote.validator", "vote.signature"),
    ("ADD-VOTE", "certificate:add_vote", "vote.payload == aggregate.payload and ", ""),
    ("ADD-VOTE", "certificate:add_vote", "vote.validator not in aggregate.signatures", "True"),
    ("ADD-VOTE", "certificate:add_vote", "weight(committee, vote.validator) > 0", "True"),
    ("FORM-CERTIFICATE", "certificate:form_certificate", "aggregate.payload.round", "0"),
    ("FORM-CERTIFICATE", "certificate:form_certificate", "not is_quorum", "is_quorum"),
]


@pytest.mark.parametrize(("entry", "function", "old", "new"), MUTANTS)
def test_sees_a_broken_function(entry: str, function: str, old: str, new: str) -> None:
    assert sees(entry, edit(function, old, new))


@pytest.mark.parametrize(
    ("entry", "hypothesis"),
    [
        ("CERTIFICATE-SIGNERS", "SIGNERS-LISTED"),
        ("CERTIFICATE-SIGNERS", "UNFORGEABLE"),
        ("CERTIFICATE-SIGNERS", "HASH-INJECTIVE"),
        ("ACCOUNTABILITY", "ONE-VOTE"),
    ],
)
def test_a_hypothesis_is_needed(entry: str, hypothesis: str) -> None:
    assert any(unproved(entry, dropped=hypothesis))


# --- lists of any length -----------------------------------------------------------------------------------------


def numbers() -> SList:
    return unknown_list(lambda i: SInt(2 * i), "even")


def fold_claims(known: int, expected: int) -> list[bool]:
    """Sum the first even numbers with one invariant, expect a multiple of n(n - 1) / 2; say which claims hold."""

    def run() -> None:
        items = numbers()
        fold = Induction(lambda total, n: total.term * 2 == known * n * (n - 1), lambda: unknown(INTEGERS, "sum"))
        total = fold(lambda a, b: a + b, SInt(z3.IntVal(0)), items)
        claim("the sum", total.term * 2 == expected * items.length * (items.length - 1))

    return [ask(query, "z3").is_expected(query) for query in lifted("sums", run)]


def test_induction_proves_what_holds_and_nothing_else() -> None:
    assert all(fold_claims(2, 2))
    assert not all(fold_claims(3, 3))
    assert not all(fold_claims(2, 3))


def test_comprehensions_over_lists() -> None:
    def run() -> None:
        items = numbers()
        doubled = Mapped(items)(item + item for item in items)
        claim("mapped", doubled.item(z3.IntVal(3)).term == 12)
        place_is_fourth = z3.Implies(items.has(items.place), items.place == 2)
        claim("every", z3.Implies(every(items)(item == 4 for item in items), place_is_fourth))

    assert all(ask(query, "z3").is_expected(query) for query in lifted("comprehensions", run))


def test_a_second_test_of_all_items_is_refused() -> None:
    def run() -> None:
        items = numbers()
        hold = every(items)
        hold(item == 4 for item in items)
        hold(item == 5 for item in items)

    with pytest.raises(OutsideSubsetError, match="second test"):
        list(lifted("every", run))


def test_a_loop_over_a_list_is_refused() -> None:
    def run() -> None:
        for _ in numbers():
            pass

    with pytest.raises(OutsideSubsetError, match="fold it"):
        list(lifted("a loop", run))


def test_a_comprehension_that_decides_is_refused() -> None:
    def run() -> None:
        items = numbers()
        Mapped(items)(item + 1 if item > 1 else item for item in items)

    with pytest.raises(OutsideSubsetError, match="decides"):
        list(lifted("a decision", run))

"""The agreement theorems: they hold in both solvers, and break with the contracts that they rest on."""

from collections.abc import Callable
from typing import Any

import pytest
import z3
from proving import sees

from linera_invariants.mutation import edit
from linera_invariants.proofs import theorems
from linera_invariants.proofs.cells import CellTerms, RequestTerms, Words
from linera_invariants.proofs.entries import theorems as entries
from linera_invariants.proofs.network_theorems.agreement import WORDS, C, V, correct, genesis, place_of
from linera_invariants.proofs.network_theorems.example import CHILD, FIRST, SECOND, example, family
from linera_invariants.proofs.queries import SOLVERS, Solver, ask, witness
from linera_invariants.proofs.symbolic import conj

AGREEMENT = [name for name, entry in entries().items() if entry.file.endswith("50-agreement.toml") and entry.has_proof]
BY_STATE = (
    "AGREEMENT",
    "AUTHENTICITY",
    "CREATION-UNIQUE",
    "HISTORY",
    "LOG-CHAINING",
    "LOG-PREFIX",
    "NON-REPLAY",
    "ONE-CHAIN",
    "PENDING-HYGIENE",
    "SENT-CERTIFIED",
    "STATE-AGREEMENT",
    "TRANSACTIONS-COUNTED",
    "VALIDITY",
    "VOTE-VALIDITY",
)


MUTANTS = [
    (
        "KEPT-CERTIFICATES",
        "validator:execute_certified",
        "block_hash = check_confirmed(context, certificate)",
        "block_hash = context.scheme.hash(executed)",
    ),
    ("CARRIED-CERTIFICATES", "validator:update_recipient", "local.certificates.at", "local.certificates.get"),
]


@pytest.mark.parametrize(("entry", "function", "old", "new"), MUTANTS)
def test_sees_a_broken_function(entry: str, function: str, old: str, new: str) -> None:
    assert sees(entry, edit(function, old, new))


def fails(name: str, dropped: str | None = None) -> bool:
    asked = (query for query in theorems.queries(name, dropped) if not query.expect_model)
    return any(ask(query, "z3").answer == "countermodel" for query in asked)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", AGREEMENT)
def test_theorem_holds(name: str, solver: Solver) -> None:
    for query in theorems.queries(name):
        if solver == "z3" or not query.expect_model:
            assert ask(query, solver).is_expected(query), query.name


@pytest.mark.parametrize(
    ("name", "hypothesis"),
    [
        (name, used)
        for name in ("ONE-VOTE", "UNIQUE-CERTIFICATES", "LOG-PREFIX", "NON-REPLAY")
        for used in entries()[name].uses
    ],
)
def test_hypothesis_is_needed(name: str, hypothesis: str) -> None:
    assert fails(name, hypothesis)


def test_all_theorems_hold_together_somewhere() -> None:
    s = example()
    by_state = [theorems.said(name, s) for name in BY_STATE]
    votes = theorems.said("ONE-VOTE", correct, s.voted, place_of)
    certificates = theorems.said("UNIQUE-CERTIFICATES", s.certified, place_of)
    created = conj(WORDS.is_created(s.rest(V, CHILD)), z3.Not(WORDS.is_created(genesis(CHILD))))
    rotated = WORDS.owner_of(s.past(V, C, 0)).value != WORDS.owner_of(s.past(V, C, 1)).value
    query = witness("a family", (*by_state, votes, certificates, family(), created, rotated, FIRST != SECOND))
    assert ask(query, "z3").is_expected(query)


def request(part: Callable[[Words, CellTerms, CellTerms, RequestTerms, Any], Any]) -> tuple[str, Callable[..., Any]]:
    return "HANDLE-REQUEST", part


def certificate(part: Callable[[Words, CellTerms, CellTerms, Any, Any], Any]) -> tuple[str, Callable[..., Any]]:
    return "HANDLE-CERTIFICATE", part


BROKEN: dict[str, tuple[str, Callable[..., Any], str]] = {
    "the vote ignores what is pending": (
        *request(lambda _w, old, _new, _r, vote: z3.Implies(old.pending.present, vote == old.pending.value)),
        "ONE-VOTE",
    ),
    "votes at any height": (
        *request(lambda w, old, _new, r, _vote: w.height_of(r.block) == old.next_height),
        "ONE-VOTE",
    ),
    "the vote is not remembered": (*request(lambda _w, _old, new, _r, vote: new.pending.holds(vote)), "ONE-VOTE"),
    "a certificate does not advance": (
        *certificate(lambda _w, old, new, _e, _c: new.next_height == old.next_height + 1),
        "ONE-VOTE",
    ),
    "an old certificate clears what is pending": (
        *certificate(lambda _w, old, new, _e, _c: new.pending.equals(old.pending)),
        "ONE-VOTE",
    ),
    "a commit keeps what is pending": (
        *certificate(lambda _w, _old, new, _e, _c: z3.Not(new.pending.present)),
        "PENDING-HYGIENE",
    ),
    "a block is executed without votes": (*certificate(lambda _w, _old, _new, _e, c: c), "LOG-CHAINING"),
    "a block follows any other": (
        *certificate(lambda w, old, _new, e, _c: w.previous_of(w.block_of(e)).equals(old.tip)),
        "LOG-CHAINING",
    ),
    "a closed chain is extended": (
        *certificate(lambda w, old, _new, _e, _c: w.owner_of(old.rest).present),
        "CLOSED-FOREVER",
    ),
    "anybody proposes": (
        *request(lambda w, old, _new, r, _vote: w.owner_of(old.rest).holds(r.owner)),
        "VOTE-VALIDITY",
    ),
    "no signature is checked": (*request(lambda _w, _old, _new, r, _vote: r.authentic), "VOTE-VALIDITY"),
    "a chain is created again": (
        "HANDLE-UPDATE-RECIPIENT",
        lambda w, old, _new, _created: z3.Not(w.is_created(old.rest)),
        "CLOSED-FOREVER",
    ),
    "a chain is created from anything": (
        "HANDLE-UPDATE-RECIPIENT",
        lambda _w, _old, new, created: created(new.rest),
        "STATE-AGREEMENT",
    ),
    "an open chain is archived": (
        "ARCHIVE-CHAIN",
        lambda w, old, _new: z3.Not(w.owner_of(old.rest).present),
        "OWNER-CHANGES",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_theorem_needs_the_guard(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    contract, part, theorem = BROKEN[what]
    theorems.said("ONE-VOTE", correct, example().voted, place_of)  # loads the formulas
    stated = theorems._FORMULAS[contract]

    def broken(*terms: Any) -> z3.BoolRef:
        whole = stated(*terms)
        rest = z3.substitute(whole, (part(*terms), z3.BoolVal(True)))
        assert not whole.eq(rest)
        return rest

    monkeypatch.setitem(theorems._FORMULAS, contract, broken)
    assert fails(theorem)

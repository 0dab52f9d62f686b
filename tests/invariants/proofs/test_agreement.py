"""The agreement theorems: they hold in both solvers, and break with the contracts that they rest on."""

from collections.abc import Callable
from typing import Any

import pytest
import z3
from proving import sees

from linera_invariants.mutation import edit
from linera_invariants.proofs import theorems
from linera_invariants.proofs.cells import CellTerms, CertificateTerms, RequestTerms, VoteTerms, Words
from linera_invariants.proofs.entries import theorems as entries
from linera_invariants.proofs.network_theorems.agreement import WORDS, C, V, correct, genesis, place_of
from linera_invariants.proofs.network_theorems.example import CHILD, FIRST, SECOND, example, family
from linera_invariants.proofs.network_theorems.rounds import ballots
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
    "ONE-BLOCK",
    "ONE-CHAIN",
    "PENDING-HYGIENE",
    "SAME-EXECUTION",
    "SENT-CERTIFIED",
    "STATE-AGREEMENT",
    "TRANSACTIONS-COUNTED",
    "VALIDITY",
    "VOTES-STAND",
    "VOTE-VALIDITY",
)
BY_BALLOTS = ("FINAL-VOTES", "LOCKS", "UNIQUE-VALIDATED")


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
        for name in ("VOTES-STAND", "ONE-VOTE", "FINAL-VOTES", "LOCKS", "ONE-BLOCK", "LOG-PREFIX", "NON-REPLAY")
        for used in entries()[name].uses
    ],
)
def test_hypothesis_is_needed(name: str, hypothesis: str) -> None:
    assert fails(name, hypothesis)


def test_all_theorems_hold_together_somewhere() -> None:
    s = example()
    by_state = [theorems.said(name, s) for name in BY_STATE]
    by_state += [theorems.said(name, ballots(s)) for name in BY_BALLOTS]
    votes = theorems.said("ONE-VOTE", correct, s.voted, place_of)
    certificates = theorems.said("UNIQUE-CERTIFICATES", s.certified, place_of)
    created = conj(WORDS.is_created(s.rest(V, CHILD)), z3.Not(WORDS.is_created(genesis(CHILD))))
    rotated = WORDS.owner_of(s.past(V, C, 0)).value != WORDS.owner_of(s.past(V, C, 1)).value
    query = witness("a family", (*by_state, votes, certificates, family(), created, rotated, FIRST != SECOND))
    assert ask(query, "z3").is_expected(query)


Broken = tuple[str, Callable[..., Any]]
"""A contract, and a part of it that is left out."""


def shown(reason: CertificateTerms, is_validated: Any) -> z3.BoolRef:
    return z3.Implies(reason.present, is_validated(reason.executed, reason.round))


def request(part: Callable[[Words, CellTerms, CellTerms, RequestTerms, VoteTerms, Any], Any]) -> Broken:
    return "HANDLE-REQUEST", part


def certificate(part: Callable[[Words, CellTerms, CellTerms, Any, Any], Any]) -> Broken:
    return "HANDLE-CERTIFICATE", part


def validated(part: Callable[[Words, CellTerms, CellTerms, VoteTerms, Any, Any], Any]) -> Broken:
    return "HANDLE-VALIDATED", part


def restart(part: Callable[[CellTerms, CellTerms], Any]) -> Broken:
    return "RESTART-CHAIN", part


def is_later(lock: CertificateTerms, reason: CertificateTerms) -> z3.BoolRef:
    return z3.Or(z3.Not(lock.present), reason.round > lock.round)


def is_same(lock: CertificateTerms, vote: VoteTerms) -> z3.BoolRef:
    return z3.Implies(conj(lock.present, lock.round == vote.round), lock.executed == vote.executed)


BROKEN: dict[str, tuple[str, Callable[..., Any], str]] = {
    "the vote ignores what is pending": (
        *request(lambda _w, old, new, _r, vote, _c: conj(old.pending.holds(vote.executed), new.last == old.last)),
        "VOTES-STAND",
    ),
    "a single owner proposes in any round": (
        *request(lambda _w, _old, _new, r, _vote, _c: r.round == 0),
        "VOTES-STAND",
    ),
    "votes at any height": (
        *request(lambda w, old, _new, r, _vote, _c: w.height_of(r.block) == old.next_height),
        "VOTES-STAND",
    ),
    "the vote is not remembered": (
        *request(lambda _w, _old, new, _r, vote, _c: new.pending.holds(vote.executed)),
        "VOTES-STAND",
    ),
    "the vote is of another round": (
        *request(lambda _w, _old, _new, r, vote, _c: vote.round == r.round),
        "VOTES-STAND",
    ),
    "a round is used twice": (
        *request(lambda _w, old, _new, r, _vote, _c: z3.Implies(old.pending.present, r.round > old.last)),
        "ONE-VOTE",
    ),
    "one of several owners decides alone": (
        *request(lambda w, old, _new, _r, vote, _c: vote.validates == w.several(w.owner_of(old.rest).value)),
        "FINAL-VOTES",
    ),
    "a lock is ignored": (
        *request(lambda w, old, _new, r, _vote, _c: w.block_of(old.locked.executed) == r.block),
        "LOCKS",
    ),
    "a lock binds no round": (*request(lambda _w, old, _new, r, _vote, _c: old.locked.round < r.round), "LOCKS"),
    "a lock gives way to an older justification": (
        *request(lambda _w, old, _new, r, _vote, _c: is_later(old.locked, r.justification)),
        "LOCKS",
    ),
    "a justification is of the round itself": (
        *request(lambda _w, _old, _new, r, _vote, _c: r.justification.round < r.round),
        "LOCKS",
    ),
    "a justification is for another block": (
        *request(lambda w, _old, _new, r, _vote, _c: w.block_of(r.justification.executed) == r.block),
        "LOCKS",
    ),
    "nobody validated what justifies": (
        *request(lambda _w, _old, _new, r, _vote, is_validated: shown(r.justification, is_validated)),
        "LOCKS",
    ),
    "a proposal drops the lock": (
        *request(lambda _w, old, new, _r, _v, _c: new.locked.equals(old.locked)),
        "VOTES-STAND",
    ),
    "a final vote in a round that was left": (
        *validated(lambda _w, old, _new, vote, _c, _votes: vote.round >= old.last),
        "LOCKS",
    ),
    "a final vote below the lock": (
        *validated(lambda _w, old, _new, vote, _c, _votes: vote.round >= old.locked.round),
        "VOTES-STAND",
    ),
    "two final votes in a round": (
        *validated(lambda _w, old, _new, vote, _c, _votes: is_same(old.locked, vote)),
        "ONE-VOTE",
    ),
    "a final vote without a certificate": (
        *validated(lambda _w, _old, _new, vote, is_validated, _votes: is_validated(vote.executed, vote.round)),
        "FINAL-VOTES",
    ),
    "a final vote without a lock": (
        *validated(lambda _w, _old, new, vote, _c, _votes: new.locked.says(vote.executed, vote.round)),
        "VOTES-STAND",
    ),
    "a final vote on a chain with one owner": (
        *validated(lambda w, old, _new, _vote, _c, _votes: w.several(w.owner_of(old.rest).value)),
        "VOTES-STAND",
    ),
    "a final vote for an old height": (
        *validated(lambda _w, _old, _new, _vote, _c, votes: z3.Not(votes)),
        "FINAL-VOTES",
    ),
    "what is pending is lost in a crash": (*restart(lambda old, new: new.pending.equals(old.pending)), "VOTES-STAND"),
    "the last round is lost in a crash": (*restart(lambda old, new: new.last == old.last), "VOTES-STAND"),
    "the lock is lost in a crash": (*restart(lambda old, new: new.locked.equals(old.locked)), "VOTES-STAND"),
    "a certificate does not advance": (
        *certificate(lambda _w, old, new, _e, _c: new.next_height == old.next_height + 1),
        "VOTES-STAND",
    ),
    "an old certificate clears what is pending": (
        *certificate(lambda _w, old, new, _e, _c: new.pending.equals(old.pending)),
        "VOTES-STAND",
    ),
    "a commit keeps what is pending": (
        *certificate(lambda _w, _old, new, _e, _c: z3.Not(new.pending.present)),
        "PENDING-HYGIENE",
    ),
    "a commit keeps the last round": (*certificate(lambda _w, _old, new, _e, _c: new.last == 0), "PENDING-HYGIENE"),
    "a commit keeps the lock": (
        *certificate(lambda _w, _old, new, _e, _c: z3.Not(new.locked.present)),
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
        *request(lambda w, old, _new, r, _vote, _c: w.owns(w.owner_of(old.rest).value, r.owner)),
        "VOTE-VALIDITY",
    ),
    "no signature is checked": (*request(lambda _w, _old, _new, r, _vote, _c: r.authentic), "VOTE-VALIDITY"),
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

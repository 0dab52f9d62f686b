"""Mutants of proved functions: proofs notice them, survivors need a reason, and stale reasons are errors."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from linera_invariants.clauses import SpecError
from linera_invariants.mutation import functions
from linera_invariants.proofs import code_mutants
from linera_invariants.proofs.code_mutants import (
    LEFT_OUT,
    Attack,
    Noticed,
    ProofMutants,
    attack,
    attacks,
    reviewed,
    run_mutants,
    stale,
    tried,
)
from linera_invariants.proofs.entries import theorems
from linera_invariants.proofs.symbolic import OutsideSubsetError
from linera_invariants.survivors import Survivor, read_survivors

NAME, QUORUM = "QUORUM-ARITHMETIC", "committee:quorum_threshold"
MUTANTS = [mutant.id for mutant in tried(QUORUM)]


@pytest.mark.parametrize("mutant", MUTANTS)
def test_every_mutant_of_the_threshold_is_noticed(mutant: str):
    found = attack(Attack(mutant, (NAME,)))
    assert found.by is not None
    assert found.by.startswith(f"{NAME}: ")
    assert found.how == "countermodel"


def test_without_a_contract_that_speaks_of_it_nothing_is_noticed():
    assert attack(Attack(MUTANTS[0], ())) == Noticed(MUTANTS[0], None)
    assert attack(Attack(MUTANTS[0], ("QUEUE-SPLIT",))).by is None


def failing(monkeypatch: pytest.MonkeyPatch, *results: Any) -> Noticed:
    """Attack with entries that fail one after the other as the results say."""
    left = list(results)

    def first_failure(_: str) -> Any:
        result = left.pop(0)
        if isinstance(result, BaseException):
            raise result
        return result

    monkeypatch.setattr(code_mutants, "first_failure", first_failure)
    return attack(Attack(MUTANTS[0], ("A", "B")))


def test_how_mutants_are_noticed(monkeypatch: pytest.MonkeyPatch):
    late = code_mutants.LateError()
    assert failing(monkeypatch, None, ("q", "unknown")) == Noticed(MUTANTS[0], "B: q", "unknown")
    left = failing(monkeypatch, OutsideSubsetError("<x at 0x7fff> has no items"))
    assert left == Noticed(MUTANTS[0], "A: OutsideSubsetError: <x> has no items", "error")
    assert failing(monkeypatch, late, ("q", "countermodel")).how == "countermodel"
    assert failing(monkeypatch, late, None).how == "late"
    assert failing(monkeypatch, None, None).by is None


def test_what_is_tried():
    known = attacks(theorems())
    assert len({task.mutant for task in known}) == len(known) >= 60
    assert not {task.mutant.split(":")[2] for task in known} & LEFT_OUT
    assert all(
        QUORUM in theorems()[name].functions for task in known if task.mutant in MUTANTS for name in task.entries
    )
    assert tried("messages:Cursor") == []
    spoken = {function for entry in theorems().values() for function in entry.functions}
    assert {mutant.rsplit(":", 2)[0] for mutant in (task.mutant for task in known)} <= spoken & set(functions())


# --- survivors ---------------------------------------------------------------------------------------------------


def report(*noticed: Noticed, excuses: tuple[str, ...] = ()) -> ProofMutants:
    reasons = {mutant: Survivor(mutant, "equivalent", "It is the same.") for mutant in excuses}
    return ProofMutants(noticed, reasons, tuple(stale(reasons, noticed)), 1.0)


SEEN, ALIVE = Noticed(MUTANTS[0], "A: q", "countermodel"), Noticed(MUTANTS[1], None)


def test_a_survivor_needs_a_reason():
    assert report(SEEN).holds
    bare = report(SEEN, ALIVE)
    assert not bare.holds
    lines = list(bare.lines())
    assert lines[0] == f"{MUTANTS[1]}: every proof goes through"
    assert any(line.startswith("    -") for line in lines)
    assert lines[-1] == "code mutants: 1 of 2 noticed (1 countermodel), 0 excused (1 s)"
    assert report(SEEN, ALIVE, excuses=(MUTANTS[1],)).holds
    row = report(ALIVE, excuses=(MUTANTS[1],)).to_json()["survivors"][0]
    assert row["excuse"] == "equivalent: It is the same."


def test_a_stale_reason_is_an_error():
    noticed = report(SEEN, excuses=(MUTANTS[0],))
    assert noticed.stale == (f"{MUTANTS[0]}: excused, and noticed by A: q: remove the excuse",)
    assert not noticed.holds
    unknown = report(SEEN, excuses=("committee:quorum_threshold:guard:99",))
    assert unknown.stale == ("committee:quorum_threshold:guard:99: excused, and there is no such mutant",)
    assert report(excuses=(MUTANTS[0],)).holds  # not tried in this run


def test_the_shipped_reasons_are_readable_and_of_known_mutants():
    assert not list(stale(reviewed(), ()))


@pytest.mark.parametrize(
    "text",
    [
        '[[survivor]]\nmutant = "a"\nwhy = "because"\nsentence = "s"\n',
        '[[survivor]]\nmutant = "a"\nwhy = "equivalent"\n',
        '[[survivor]]\nmutant = "a"\nwhy = "equivalent"\nsentence = "s"\nmore = 1\n',
        "survivor = 1\n",
        '[[survivor]]\nmutant = "a"\nwhy = "equivalent"\nsentence = "s"\n' * 2,
    ],
)
def test_a_malformed_list_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "survivors.toml"
    path.write_text(text)
    with pytest.raises(SpecError):
        read_survivors(path)


def test_a_run_keeps_the_order_and_tells_how_far_it_is(monkeypatch: pytest.MonkeyPatch):
    @contextmanager
    def pool() -> Iterator[Any]:
        def unordered(work: Callable[[Attack], Noticed], tasks: list[Attack]) -> Iterator[Noticed]:
            return map(work, reversed(tasks))

        yield SimpleNamespace(imap_unordered=unordered)

    monkeypatch.setattr(code_mutants, "proof_pool", pool)
    told: list[str] = []
    found = run_mutants([Attack(mutant, (NAME,)) for mutant in MUTANTS[:3]], told.append)
    assert [noticed.mutant for noticed in found.noticed] == MUTANTS[:3]
    assert told == MUTANTS[2::-1]
    assert found.holds

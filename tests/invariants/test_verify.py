"""The main job: verdicts follow from what was run, and everything that is wrong reaches the report."""

from collections.abc import Mapping

import pytest
from attrs import evolve

from linera_invariants import registry, verify
from linera_invariants.machines import MACHINES, Failure, MachineResult
from linera_invariants.peer import PeerReport, Status, VectorResult
from linera_invariants.play import Finding as Missed
from linera_invariants.scenarios import find_scenario
from linera_invariants.verify import (
    BrokenReport,
    Finding,
    ScenarioReport,
    Verdict,
    all_findings,
    broken_job,
    broken_variants,
    describe,
    jobs_of,
    judge_claims,
    judge_statements,
    scenario_report,
    statement_in,
    summarize,
    totals,
)

CLAIMS = tuple(f"C{n}" for n in range(1, 8))
CHECKED = {name: 3 for name, statement in registry.statements().items() if not registry.is_claim(statement)}
REACHED = {place: 1 for places in verify.WITNESSES.values() for place in places}
NO_VECTORS = PeerReport(())
QUIET = MachineResult("whole-network", 10, 99, {"vote": 4, "goals checked": 2}, {"S1": 9}, (), None, 5)
FULL = evolve(QUIET, counters=dict.fromkeys(MACHINES["whole-network"].coverage, 1))


@pytest.fixture(scope="module")
def tour() -> ScenarioReport:
    return scenario_report(find_scenario("01-tour"), "ideal")


def verdicts(
    checked: Mapping[str, int] = CHECKED, reached: Mapping[str, int] = REACHED, findings: tuple[Finding, ...] = ()
) -> dict[str, Verdict]:
    statements = tuple(judge_statements(checked, findings))
    claims = tuple(judge_claims(statements, reached, findings))
    return {judged.name: judged.verdict for judged in (*statements, *claims)}


# --- verdicts ----------------------------------------------------------------------------------------------------


def test_every_claim_has_witnesses_and_support():
    assert tuple(verify.WITNESSES) == CLAIMS
    assert registry.disagreements() == []


def test_what_was_tested_is_tested():
    assert set(verdicts().values()) == {Verdict.TESTED}


def test_what_nothing_exercised_is_only_claimed():
    found = verdicts(checked=CHECKED | {"L9": 0})
    assert found["L9"] is Verdict.CLAIMED
    assert [name for name in CLAIMS if found[name] is Verdict.CLAIMED] == ["C6"]


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_that_nothing_put_to_the_test_is_only_claimed(claim: str):
    place = verify.WITNESSES[claim][0]
    assert verdicts(reached=REACHED | {place: 0})[claim] is Verdict.CLAIMED
    assert verdicts(reached={})[claim] is Verdict.CLAIMED


def test_a_violated_statement_spoils_the_claims_that_rest_on_it():
    found = verdicts(findings=(Finding("somewhere", "S5: two votes", "S5"),))
    assert found["S5"] is Verdict.VIOLATED
    assert [name for name in CLAIMS if found[name] is Verdict.VIOLATED] == ["C7"]


def test_a_finding_may_speak_against_a_claim_itself():
    assert verdicts(findings=(Finding("somewhere", "the audit differs", "C5"),))["C5"] is Verdict.VIOLATED


# --- findings ----------------------------------------------------------------------------------------------------


def findings(*scenarios: ScenarioReport, machines=(), variants=(), peer=NO_VECTORS) -> list[Finding]:
    return list(all_findings(scenarios, machines, variants, peer))


def test_nothing_is_found_where_nothing_is_wrong(tour: ScenarioReport):
    noticed = BrokenReport("x", "it breaks", "single-chain", "S5: two votes")
    assert findings(tour, machines=[FULL], variants=[noticed]) == []


def test_everything_wrong_is_found(tour: ScenarioReport):
    violation = Missed(3, "S1: logs differ", "S1")
    result = evolve(tour.result, violations=(violation,), unmet=(Missed(4, "a balance"),))
    broken = evolve(tour, result=result, problems=("the audit differs",))
    failing = evolve(FULL, failure=Failure("Violated in network.observe: S5.one: two votes", ("line 1",)))
    vector = VectorResult("f", "x-1", "name", Status.FAILS, None, "differs")
    unnoticed = BrokenReport("quiet", "it breaks", "single-chain", None)
    found = findings(broken, machines=[failing], variants=[unnoticed], peer=PeerReport((vector,)))
    assert [(finding.where, finding.statement) for finding in found] == [
        ("scenario 01-tour (ideal), step 3", "S1"),
        ("scenario 01-tour (ideal), step 4", None),
        ("scenario 01-tour (ideal)", "C5"),
        ("machine whole-network, seed 5", "S5"),
        ("broken variant quiet", None),
        ("peer vector x-1", None),
    ]
    assert found[3].story == ("line 1",)
    assert not broken.holds


def test_places_that_no_run_reached_are_found():
    missing = evolve(FULL, counters={**FULL.counters, "anticipation": 0})
    assert [finding.what for finding in findings(machines=[missing])] == ["it never reached: anticipation"]
    assert findings(machines=[missing, FULL]) == []


def test_after_a_failure_without_a_statement_nothing_is_called_tested():
    found = verdicts(findings=(Finding("machine single-chain, seed 1", "KeyError: 3"),))
    assert {found[name] for name in CLAIMS} == {Verdict.CLAIMED}


def test_statements_and_predicates_must_agree(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "disagreements", lambda: ["S99: no predicate judges this statement"])
    assert [finding.where for finding in findings()] == ["statements"]


def test_the_statement_is_read_from_the_error():
    assert statement_in("Violated: L10: stuck; S1: too") == "L10"
    assert statement_in("AssertionError: the model says otherwise") is None


# --- jobs --------------------------------------------------------------------------------------------------------


def test_the_jobs_cover_everything():
    jobs = jobs_of(full=False, seed=1)
    assert {kind for kind, _ in jobs} == set(verify.JOBS)
    assert {arguments[0] for kind, arguments in jobs if kind == "machine"} == set(MACHINES)
    assert {arguments[0] for kind, arguments in jobs if kind == "broken"} == set(broken_variants())
    assert len({describe(job) for job in jobs}) > 10
    assert len(set(jobs)) == len(jobs)


def test_full_does_more_with_other_seeds_and_real_signatures():
    default, full = (jobs_of(full, 1) for full in (False, True))
    assert set(default) < set(full)
    assert len(set(full)) == len(full)
    assert sum(kind == "machine" for kind, _ in full) > 5 * sum(kind == "machine" for kind, _ in default)
    assert {arguments[2] for kind, arguments in full if kind == "machine"} == {"ideal", "ed25519"}


def test_a_scenario_is_counted_and_audited(tour: ScenarioReport):
    assert tour.holds
    assert tour.audits == 3
    assert tour.places["block committed"] == 18
    assert tour.checked["S23"] > 80  # its step part alone is asked 80 times
    assert 0 < tour.checked["S8"] < 20  # once per certificate


def test_an_audit_that_differs_is_a_problem(monkeypatch: pytest.MonkeyPatch):
    genuine = verify.audit

    def lying(file: str, task: object, jobs: int) -> verify.AuditResult:
        found = genuine(file, task, jobs)
        return evolve(found, audited=evolve(found.audited, state_hash=bytes(32)))

    monkeypatch.setattr(verify, "audit", lying)
    report = scenario_report(find_scenario("15-interruption"), "ideal")
    assert not report.holds
    assert set(report.problems) == {f"chain {n}: the audit and a correct validator differ" for n in (0, 1)}


def test_totals_and_summaries(tour: ScenarioReport):
    checked, reached = totals([tour], [QUIET, QUIET])
    assert checked["S1"] == tour.checked["S1"] + 18
    assert checked["L1"] == tour.checked["L1"]
    assert reached["vote"] == tour.places["vote"] + 8
    summary = summarize("whole-network", [QUIET, evolve(QUIET, name="single-chain")])
    assert (summary.examples, summary.steps) == (10, 99)
    assert "vote" not in summary.missed
    assert "key changed" in summary.missed


@pytest.mark.parametrize("name", broken_variants())
def test_broken_variants_fit_the_source(name: str):
    """That they are noticed is shown by the main job; here, two of them."""
    variant = broken_variants()[name]
    assert variant["machine"] in MACHINES
    assert verify.broken(name).description
    if name in {"vote-twice", "messages-replayed"}:
        assert broken_job(name, 0).found is not None

"""The document of a trace: what the run did, in the words of the story, the same bytes every time."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from runs import KEYS, attack, attack_events, network, scenario

from linera_invariants.inputs import check_schema
from linera_invariants.machines import run_machine
from linera_invariants.mutation import applied, broken
from linera_invariants.play import play_scenario
from linera_invariants.registry import Violation
from linera_invariants.scenarios import find_scenario, read_scenario, shipped_scenarios
from linera_invariants.specdata import spec_root
from linera_invariants.story import Remark, numbered, show_chain, tell, well_read_teller
from linera_invariants.traces import read_trace, story_of, trace_of, write_trace
from linera_invariants.traces.cells import FIELDS, fields_of
from linera_reference.certificate import Kind, VotePayload
from linera_reference.network import CastVote
from linera_reference.rejections import Rejected

NAMES = {signer.public_key: name for name, signer in KEYS.items()}


def steps(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [event for event in document["events"] if event["event"] == "step"]


def test_every_shipped_scenario_has_a_trace_that_tells_its_story(tmp_path: Path):
    actions = set()
    for path in shipped_scenarios():
        run = play_scenario(read_scenario(path), "ideal")
        document = run.trace()
        write_trace(tmp_path / "t.json", document)
        assert read_trace(tmp_path / "t.json") == document
        assert story_of(document) == list(run.result().story)
        refused = sum(isinstance(step.outcome, Rejected) for step in run.driver.trace)
        assert sum("refusal" in step for step in steps(document)) == refused
        actions |= {step["action"] for step in steps(document)}
    assert len(actions) == 10


def final_fields(document: dict[str, Any]) -> dict[tuple[str, str], dict[str, str]]:
    """Follow the changes from the initial cells to the end."""
    cells = {(cell["at"], cell["chain"]): dict(cell["fields"]) for cell in document["initial"]}
    for step in steps(document):
        for change in step["changes"]:
            fields = cells.setdefault((change["at"], change["chain"]), {})
            for field in change["fields"]:
                assert fields.get(field["name"], "") == field["before"] != field["after"]
                fields[field["name"]] = field["after"]
    return {place: {name: text for name, text in fields.items() if text} for place, fields in cells.items()}


@pytest.mark.parametrize("name", ["01-tour", "05-closing", "11-anticipation"])
def test_following_the_changes_leads_to_the_state_at_the_end(name: str):
    run = play_scenario(read_scenario(find_scenario(name)), "ideal")
    teller = well_read_teller(run.names, run.log)
    expected = {
        (run.names[key], show_chain(chain_id)): fields_of(teller, chain)
        for key, validator in run.driver.world.validators.items()
        for chain_id, chain in validator.chains.items()
    }
    assert final_fields(run.trace()) == expected
    assert {field for fields in expected.values() for field in fields} <= set(FIELDS)


def test_every_field_occurs():
    names = ("01-tour", "05-closing", "06-lost-acknowledgement", "11-anticipation", "22-restarts")
    found = {
        field["name"]
        for name in names
        for step in steps(scenario(name))
        for change in step["changes"]
        for field in change["fields"]
    }
    assert found == set(FIELDS)


def test_an_attack_names_what_it_violates():
    document = attack()
    check_schema("trace", document, "trace")
    violation = document["events"][-1]
    assert (violation["event"], violation["statement"], violation["title"]) == (
        "violation",
        "S4",
        "CertificateUniqueness",
    )
    assert "WP-2.2-QUORUM-INTERSECTION" in {clause["id"] for clause in violation["clauses"]}
    assert [block["id"] for block in document["blocks"]] == ["0:0a", "0:0b"]
    assert document["network"]["owners"] == [
        {"name": "mallory", "key": KEYS["mallory"].public_key.hex(), "equivocates": True}
    ]
    assert [v["byzantine"] for v in document["network"]["validators"]] == [False, False, False, True]
    assert document["broken"]["edit"][-1].startswith(("+", " "))


def test_the_run_is_replayed_through_the_code_in_force():
    """Under the unbroken rules, the second vote of the attack is refused: outcomes are computed, not copied."""
    with applied(broken("vote-twice")):
        events = attack_events()
    document = trace_of(network(), events, "replayed", NAMES)
    reasons = [step["refusal"]["reason"] for step in steps(document) if "refusal" in step]
    assert reasons.count("PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST") == 2


def test_plain_actions_give_the_same_steps_without_clients():
    events = play_scenario(read_scenario(shipped_scenarios()[0]), "ideal")
    run = events.driver
    actions = trace_of(run.network, [step.action for step in run.trace], "t", events.names)
    known = [{key: value for key, value in step.items() if key != "client"} for step in steps(scenario("01-tour"))]
    assert steps(actions) == known


def test_strangers_and_unknown_blocks_have_short_hashes():
    vote = CastVote(KEYS["v4"].public_key, VotePayload(Kind.CONFIRMED, bytes(32), 0))
    document = trace_of(network(), [vote], "nobody is named", {})
    check_schema("trace", document, "trace")
    assert "block" not in steps(document)[0]
    assert all(v["name"].startswith("#") for v in document["network"]["validators"])


def test_details_name_validators():
    short = KEYS["v1"].public_key.hex()[:8]
    document = trace_of(network(), [Violation("S5", f"{short} votes twice")], "t", NAMES)
    assert document["events"][0]["detail"] == "v1 votes twice"


def test_a_story_has_marks_and_numbers():
    told = tell(NAMES, [Remark("a"), Violation("S4", "b")])
    assert told == ["   -- a", "   !! S4 is violated: b"]
    assert numbered([(None, "x"), ("ok", "y"), (None, "z")]) == ["   1. x", "   ok y", "   2. z"]


def output(seed: str) -> bytes:
    code = "from runs import attack, scenario; import json; print(json.dumps([attack(), scenario('05-closing')]))"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True).stdout


def test_the_same_run_gives_the_same_bytes_whatever_the_hash_seed():
    one, other = output("1"), output("2")
    assert one == other
    assert json.loads(one)[0] == attack()


def test_a_failing_machine_leaves_a_trace(tmp_path: Path):
    with applied(broken("vote-twice")):
        failure = run_machine("single-chain", examples=200, seed=1, shrink=False).failure
    assert failure is not None
    assert failure.trace is not None
    write_trace(tmp_path / "t.json", failure.trace)
    document = read_trace(tmp_path / "t.json")
    assert document["events"][-1]["event"] == "violation"
    assert document["source"] == "machine single-chain, seed 1"
    assert [line for line in failure.story if not line.startswith("   !!")] == [
        line for line in story_of(document) if not line.startswith("   !!")
    ]


def test_a_step_says_who_caused_it():
    assert steps(scenario("01-tour"))[0]["client"] == "alice"


# --- Rounds -------------------------------------------------------------------------------------------------------


def forgetful() -> dict[str, Any]:
    """Return a run in which validators forget a lock when they restart."""
    return read_trace(spec_root() / "traces" / "broken-lock-lost-on-restart.json")


def test_steps_name_rounds_and_what_votes_are_for():
    document = forgetful()
    assert document["network"]["chains"] == [{"id": "0", "owner": "alice and bob"}]
    assert not any(owner["equivocates"] for owner in document["network"]["owners"])
    found = {(step["action"], step.get("round"), step.get("aim")) for step in steps(document)}
    assert {
        ("propose", 1, None),
        ("vote", 1, "validate"),
        ("certify", 0, "confirm"),
        ("certify", 1, "validate"),
    } <= found
    (restart,) = (step for step in steps(document) if step["action"] == "restart")
    assert restart["changes"] == [
        {
            "at": restart["at"],
            "chain": "0",
            "fields": [{"name": "locked", "before": "block 0 (a), validated in round 0", "after": ""}],
        }
    ]


def test_a_proposal_names_the_round_of_its_justification():
    document = read_trace(spec_root() / "traces" / "broken-justification-stale.json")
    (proposal,) = (step for step in steps(document) if step["action"] == "propose" and "since" in step)
    assert (proposal["round"], proposal["since"]) == (2, 0)


def test_without_several_owners_there_are_no_rounds():
    assert not any({"round", "aim", "since"} & set(step) for step in steps(scenario("01-tour")))

"""Scenarios: the shipped ones hold with real and ideal keys, and a wrong one fails and says where."""

import json
from hashlib import sha3_256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import examples

from linera_invariants import registry
from linera_invariants.clauses import load_spec
from linera_invariants.facts import FACTS
from linera_invariants.forgeries import FORGERIES
from linera_invariants.inputs import schema_validator
from linera_invariants.play import Run, play_scenario
from linera_invariants.scenarios import (
    OPERATIONS,
    STEPS,
    find_scenario,
    read_scenario,
    secret_of,
    shipped_scenarios,
)
from linera_reference.crypto import Ed25519Scheme
from linera_reference.rejections import Reason

SHIPPED = {path.stem: read_scenario(path) for path in shipped_scenarios()}
BASE: dict[str, Any] = {
    "scenario": 1,
    "title": "t",
    "crypto": "ideal",
    "validators": {"v1": {}, "v2": {}, "v3": {}, "v4": {}},
    "users": {"alice": {}, "bob": {}},
    "chains": [{"id": "0", "owner": "alice", "balance": 100}, {"id": "1", "owner": "bob"}],
}


def play(folder: Path, *steps: dict[str, Any], **changes: Any) -> Run:
    """Play steps on a network of four validators with two chains."""
    path = folder / "scenario.json"
    path.write_text(json.dumps(BASE | changes | {"steps": list(steps)}))
    return play_scenario(read_scenario(path))


def extend(*operations: dict[str, Any], who: str = "alice", chain: str = "0", **more: Any) -> dict[str, Any]:
    return {"do": "extend", "who": who, "chain": chain, "operations": list(operations), **more}


def pay(amount: int, to: str = "1") -> dict[str, Any]:
    return {"do": "transfer", "to": to, "amount": amount}


def expect(**facts: Any) -> dict[str, Any]:
    return {"do": "expect", **facts}


def misses(run: Run) -> list[str]:
    """Return what was not as expected; no predicate may be violated."""
    result = run.result()
    assert result.violations == ()
    assert result.holds is not bool(result.unmet)
    return [found.what for found in result.unmet]


# --- the shipped scenarios ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("crypto", ["ed25519", "ideal"])
@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_scenarios_hold(name: str, crypto: str):
    result = play_scenario(SHIPPED[name], crypto).result()
    assert result.violations == ()
    assert result.unmet == ()
    assert result.holds
    assert result.crypto == crypto
    assert result.checked == result.actions > 0
    assert result.steps == len(SHIPPED[name].steps)


def test_the_first_scenario_is_the_tour():
    tour = SHIPPED["01-tour"]
    assert len(SHIPPED) >= 8
    assert next(iter(SHIPPED)) == "01-tour"
    assert (len(tour.validators), len(tour.users)) == (4, 3)
    assert sum(spec.byzantine is not None for spec in tour.validators.values()) == 1


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_scenarios_end_with_expectations_and_name_real_clauses(name: str):
    scenario = SHIPPED[name]
    assert STEPS[type(scenario.steps[-1])] == "expect"
    assert scenario.clauses
    assert set(scenario.clauses) <= set(load_spec().clauses)
    assert find_scenario(name).stem == name


@pytest.mark.parametrize("name", SHIPPED)
def test_real_and_ideal_keys_tell_the_same_story(name: str):
    stories = [play_scenario(SHIPPED[name], crypto).result().story for crypto in ("ed25519", "ideal")]
    assert stories[0] == stories[1]


def test_together_they_reach_most_reasons():
    """The rest needs heights, committees or encodings that no run of the network leads to."""
    reached = {step.reason for scenario in SHIPPED.values() for step in scenario.steps if step.reason}
    assert len(reached) >= 20
    assert reached <= {reason.name for reason in Reason}


# --- the format --------------------------------------------------------------------------------------------------


def test_schema_and_code_know_the_same_words():
    schema = schema_validator("scenario").schema["$defs"]
    assert set(schema["step"]["properties"]["do"]["enum"]) == set(STEPS.values())
    assert set(schema["operation"]["properties"]["do"]["enum"]) == set(OPERATIONS.values())
    assert set(FACTS) <= set(schema["expect"]["properties"])
    for case in schema["forge"]["allOf"]:
        what = case["if"]["properties"]["what"]["const"]
        assert set(case["then"]["properties"]["how"]["enum"]) == set(FORGERIES[what])


def test_keys_follow_from_names_or_are_given(tmp_path: Path):
    given = "11" * 32
    run = play(tmp_path, expect(agreement=True), crypto="ed25519", users={"alice": {"secret": given}, "bob": {}})
    assert run.users["alice"].public_key == Ed25519Scheme().public_key(bytes.fromhex(given))
    assert run.users["bob"].secret == secret_of("user", "bob")
    assert secret_of("user", "bob") != secret_of("validator", "bob")
    assert secret_of("user", "bob") == sha3_256(b"scenario key::user::bob").digest()


# --- expectations that are not met -------------------------------------------------------------------------------

PAID = (
    {"do": "offline", "at": ["v4"]},
    extend(pay(10), {"do": "open-chain", "owner": "bob"}),
    {"do": "delivery", "automatic": False},
    extend(pay(1)),
)

WRONG = {
    "balance": (expect(chain="0", balance=5), "balance of chain 0 at v1: expected 5, found 89"),
    "height": (expect(chain="0", at=["v4"], height=1), "height of chain 0 at v4: expected 1, found 0"),
    "owner": (expect(chain="0", at=["alice"], owner="bob"), "owner of chain 0 at alice: expected bob, found alice"),
    "created": (expect(chain="0.1", at=["v4"], created=True), "created of chain 0.1 at v4: expected yes, found no"),
    "closed": (expect(chain="0", at=["v1"], closed=True), "closed of chain 0 at v1: expected yes, found no"),
    "pending": (expect(chain="0", at=["v1"], pending=True), "pending of chain 0 at v1: expected yes, found no"),
    "transactions": (
        expect(chain="0", at=["v1"], transactions=7),
        "transactions of chain 0 at v1: expected 7, found 3",
    ),
    "archived": (expect(chain="0", at=["v1"], archived=True), "archived of chain 0 at v1: expected yes, found no"),
    "waiting": (
        expect(chain="1", at=["v1"], waiting=[]),
        "waiting of chain 1 at v1: expected nothing, found 10 from 0",
    ),
    "creation": (
        expect(chain="0.1", at=["v1"], waiting=[{"from": "0", "amount": 1}]),
        "waiting of chain 0.1 at v1: expected 1 from 0, found the creation for bob from 0",
    ),
    "owed": (
        expect(chain="1", at=["v1"], owed=[{"from": "0", "amount": 1}]),
        "owed of chain 1 at v1: expected 1 from 0, found nothing",
    ),
    "received": (expect(chain="1", at=["v1"], received=2), "received of chain 1 at v1: expected 2, found 1"),
    "undelivered": (
        expect(chain="0", at=["v1"], undelivered={}),
        "undelivered of chain 0 at v1: expected nothing, found 1 to 1",
    ),
    "certificates": (expect(chain="0", certificates=1), "certificates of chain 0: expected 1, found 2"),
    "agreement": (expect(agreement=True), "expected agreement of v1, v2, v3, v4, found it not on chain 0"),
    "disagreement": (
        expect(agreement=False, at=["v1", "v2"]),
        "expected disagreement of v1, v2, found it not on chain any",
    ),
    "acceptance": (extend(pay(1000)), "alice's block: expected acceptance, found INSUFFICIENT_FUNDING"),
    "rejection": (extend(pay(1), reason="USER_ERROR"), "alice's block: expected USER_ERROR, found acceptance"),
    "another reason": (
        extend(pay(1000), reason="USER_ERROR"),
        "alice's block: expected USER_ERROR, found INSUFFICIENT_FUNDING",
    ),
    "no quorum": (extend(pay(1), certified=False), "alice's block: expected no quorum of votes"),
    "certificate": (
        {"do": "hand-over", "chain": "0", "height": 9, "at": ["v1"]},
        "expected a certificate of block 9 of chain 0",
    ),
    "upload": (
        {"do": "upload", "who": "alice", "chain": "0", "at": ["v1"], "reached": False},
        "v1: expected chain 0 still behind",
    ),
    "request number": (
        {"do": "deliver", "at": ["v1"], "what": "update", "from": "0", "to": "1", "which": [9]},
        "v1: expected 9 such requests to have been sent, found 2",
    ),
    "nothing to forge": (
        {"do": "forge", "what": "update", "how": "empty", "from": "1", "to": "0", "at": ["v1"]},
        "v1: expected a cross-chain request to tamper with",
    ),
    "unforgeable": (
        {"do": "forge", "what": "certificate", "how": "signature", "chain": "0", "height": 0, "at": ["v1"]}
        | {"reason": "INVALID_SIGNATURE"},
        "a forged certificate at v1: expected INVALID_SIGNATURE, found acceptance",
    ),
}


SHARED = [{"id": "0", "owner": ["bob", "alice"], "balance": 100}, {"id": "1", "owner": "bob"}]
SWAP = [{"id": "0", "owner": ["alice"], "assets": [{"token": 2, "amount": 9}, {"token": 1, "amount": 5}]}]


def propose(block: str, *operations: dict[str, Any], who: str = "alice", **more: Any) -> dict[str, Any]:
    return {"do": "propose", "who": who, "chain": "0", "operations": list(operations), "block": block, **more}


def of_block(do: str, block: str, *at: str, **more: Any) -> dict[str, Any]:
    return {"do": do, "block": block, "at": list(at), **more}


LOCKED = (
    propose("b", pay(1), at=["v1", "v2", "v3"]),
    of_block("certify", "b", "v1", "v2", "v3", kind="validated"),
    of_block("hand-over", "b", "v1"),
)

WRONG_IN_ROUNDS = {
    "owner": (expect(chain="0", at=["v1"], owner="alice"), "owner of chain 0 at v1: expected alice, found alice, bob"),
    "owners": (
        expect(chain="0", at=["v1"], owner=["carol", "alice"]),
        "owner of chain 0 at v1: expected carol, alice, found alice, bob",
    ),
    "round": (expect(chain="0", at=["v1"], round=1), "round of chain 0 at v1: expected 1, found 0"),
    "locked": (expect(chain="0", at=["v2"], locked=True), "locked of chain 0 at v2: expected yes, found no"),
    "unlocked": (expect(chain="0", at=["v1"], locked=False), "locked of chain 0 at v1: expected no, found yes"),
    "assets": (expect(chain="0", at=["v1"], assets=[]), "assets of chain 0 at v1: expected nothing, found nothing"),
    "finished": (
        {"do": "finish", "who": "bob", "block": "b", "certified": False},
        "bob's block: expected no quorum of votes",
    ),
    "finish": (
        {"do": "finish", "who": "bob", "block": "b", "reason": "INVALID_OWNER"},
        "bob's block: expected INVALID_OWNER, found acceptance",
    ),
    "final votes": (of_block("certify", "b", "v1"), "block b: expected acceptance, found ACTION_NOT_ENABLED"),
    "lock": (propose("c", pay(2), who="bob", round=1, at=["v1"]), "at v1: expected acceptance, found HAS_LOCKED_BLOCK"),
    "round passed": (
        propose("c", pay(2), who="bob", at=["v1"]),
        "at v1: expected acceptance, found INSUFFICIENT_ROUND",
    ),
    "restart": ({"do": "restart", "at": ["v4"]}, "at v4: expected acceptance, found ACTION_NOT_ENABLED"),
    "contend": (
        {"do": "contend", "chain": "0", "parties": [{"who": "alice", "operations": [], "certified": False}]},
        "alice's block: expected no quorum of votes",
    ),
}


@pytest.mark.parametrize("what", WRONG_IN_ROUNDS)
def test_a_wrong_expectation_of_rounds_fails(tmp_path: Path, what: str):
    step, message = WRONG_IN_ROUNDS[what]
    users, validators = {**BASE["users"], "carol": {}}, {**BASE["validators"], "v4": {"byzantine": "silent"}}
    found = misses(play(tmp_path, *LOCKED, step, chains=SHARED, users=users, validators=validators))
    assert found
    assert found[0].startswith(message)


def test_a_proposal_without_a_validated_certificate_has_none_to_hand_over(tmp_path: Path):
    steps = propose("b", pay(1), at=["v1"]), of_block("hand-over", "b", "v1")
    assert misses(play(tmp_path, *steps, chains=SHARED)) == ["block b: expected a validated certificate"]


def test_what_was_refused_at_home_is_neither_finished_nor_handed_over(tmp_path: Path):
    refused = propose("b", pay(500), reason="INSUFFICIENT_FUNDING")
    steps = {"do": "finish", "who": "bob", "block": "b"}, of_block("hand-over", "b", "v1")
    found = misses(play(tmp_path, refused, *steps, chains=SHARED))
    assert found == ["block b: expected a block that was proposed"] * 2


def test_assets_have_no_order(tmp_path: Path):
    assets = [{"token": 1, "amount": 5}, {"token": 2, "amount": 9}]
    for wanted in (assets, assets[::-1]):
        assert misses(play(tmp_path, expect(chain="0", assets=wanted), chains=SWAP, application="swap")) == []
    (found, *_) = misses(play(tmp_path, expect(chain="0", assets=assets[:1]), chains=SWAP, application="swap"))
    assert found == "assets of chain 0 at v1: expected 5 of token 1, found 5 of token 1, 9 of token 2"
    (found, *_) = misses(play(tmp_path, expect(chain="0", balance=0), chains=SWAP, application="swap"))
    assert found == "balance of chain 0 at v1: expected 0, found nothing"


def test_a_learned_lock_is_told(tmp_path: Path):
    learn = {"do": "learn-locks", "who": "bob", "chain": "0"}
    run = play(tmp_path, *LOCKED, learn | {"at": ["v2"]}, learn, chains=SHARED)
    assert misses(run) == []
    assert run.result().story[-2:] == (
        "   -- bob hears of no lock on chain 0",
        "   -- bob hears of a lock in round 0 on chain 0",
    )


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_expectation_fails(tmp_path: Path, what: str):
    step, message = WRONG[what]
    run = play(tmp_path, *PAID, step)
    found = misses(run)
    assert found
    assert found[0].startswith(message)
    assert {finding.step for finding in run.result().unmet} == {len(PAID) + 1}
    assert any(line.startswith("   !! ") for line in run.result().story)


def test_without_a_quorum_a_block_is_not_certified(tmp_path: Path):
    away = {"do": "offline", "at": ["v3", "v4"]}
    assert misses(play(tmp_path, away, extend(pay(1)))) == ["alice's block: expected a quorum of votes"]


def test_nothing_is_expected_of_byzantine_validators(tmp_path: Path):
    byzantine = {**BASE["validators"], "v4": {"byzantine": "silent"}}
    run = play(tmp_path, expect(chain="0", at=["v4"], height=0), validators=byzantine)
    assert misses(run) == ["v4 is Byzantine: nothing is expected of it"]


def test_correct_validators_do_not_vote_at_will(tmp_path: Path):
    propose = {"do": "propose", "who": "alice", "chain": "0", "operations": [], "block": "b"}
    (found,) = misses(play(tmp_path, propose, {"do": "vote", "block": "b", "at": ["v1"]}))
    assert "ACTION_NOT_ENABLED" in found


def test_a_block_that_was_refused_at_home_cannot_be_sent(tmp_path: Path):
    propose = {"do": "propose", "who": "alice", "chain": "0", "operations": [pay(500)], "block": "b"}
    send = {"do": "send", "block": "b", "at": ["v1"]}
    found = misses(play(tmp_path, propose | {"reason": "INSUFFICIENT_FUNDING"}, send))
    assert found == ["block b: expected a block that was proposed"]


def test_what_is_delivered_to_a_byzantine_validator_is_refused(tmp_path: Path):
    byzantine = {**BASE["validators"], "v4": {"byzantine": "silent"}}
    hand = {"do": "hand-over", "chain": "0", "height": 0, "at": ["v4"], "reason": "ACTION_NOT_ENABLED"}
    assert misses(play(tmp_path, extend(pay(1)), hand, validators=byzantine)) == []


NAME = st.sampled_from(["alice", "bob"])
CHAIN = st.sampled_from(["0", "1", "0.0", "0.1", "1.0.0"])
AT = st.lists(st.sampled_from(list(BASE["validators"])), min_size=1, max_size=4, unique=True)
OPERATION = st.one_of(
    st.builds(pay, st.integers(0, 60), CHAIN),
    st.builds(lambda owner: {"do": "open-chain", "owner": owner}, NAME),
    st.builds(
        lambda kind, owner: {"do": kind, "owner": owner},
        st.sampled_from(["change-key", "add-owner", "add-owner", "remove-owner"]),
        NAME,
    ),
    st.builds(
        lambda kind, count: {"do": kind, "count": count}, st.sampled_from(["receive", "skip"]), st.integers(0, 3)
    ),
    st.sampled_from([{"do": "receive"}, {"do": "close-chain"}, {"do": "raw", "hex": "00"}]),
)
PARTY = st.fixed_dictionaries({"who": NAME, "operations": st.lists(OPERATION, max_size=2)}, optional={"at": AT})
BODY = {"who": NAME, "chain": CHAIN, "operations": st.lists(OPERATION, max_size=3)}


def steps_of(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"do": st.just(kind), **fields})


ANY_STEP = st.one_of(
    steps_of("extend", **BODY),
    steps_of("extend", **BODY),
    steps_of("equivocate", who=NAME, chain=CHAIN, blocks=st.just([{"block": "b", "operations": [], "at": ["v1"]}])),
    steps_of("hand-over", chain=CHAIN, height=st.integers(0, 2), at=AT),
    steps_of("learn-locks", who=NAME, chain=CHAIN),
    steps_of("restart", at=AT),
    steps_of("contend", chain=CHAIN, parties=st.lists(PARTY, min_size=1, max_size=3)),
    steps_of("offline", at=AT),
    steps_of("online", at=AT),
    steps_of("synchronize", who=NAME, chain=CHAIN),
    steps_of("upload", who=NAME, chain=CHAIN),
    steps_of("delivery", automatic=st.booleans()),
    steps_of("deliver", at=AT, what=st.sampled_from(["update", "confirmation"]), to=CHAIN, **{"from": CHAIN}),
    steps_of("resend", at=AT, chain=CHAIN),
    steps_of("archive", at=AT, chain=CHAIN),
    steps_of(
        "forge", what=st.just("certificate"), how=st.sampled_from(sorted(FORGERIES["certificate"])), at=AT
    ).flatmap(lambda step: st.just(step | {"chain": "0", "height": 0})),
)


@examples(500)
@given(
    st.lists(ANY_STEP, min_size=1, max_size=25),
    st.sampled_from([{}, {"byzantine": "complicit"}]),
    st.sampled_from([BASE["chains"], SHARED]),
)
def test_whatever_a_file_asks_for_no_statement_is_violated(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[dict[str, Any]],
    last: dict[str, str],
    chains: list[dict[str, Any]],
):
    named = 0
    for step in steps:
        if step["do"] == "equivocate":
            step["blocks"], named = [step["blocks"][0] | {"block": f"b{named}"}], named + 1
    validators = {**BASE["validators"], "v4": last}
    run = play(tmp_path_factory.mktemp("any"), *steps, validators=validators, chains=chains)
    found = misses(run)
    assert not any("changed" in what for what in found)


# --- violations --------------------------------------------------------------------------------------------------


def test_a_violation_ends_the_scenario(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def alarmed(network: object, before: object, step: object, after: object) -> list[registry.Violation]:
        return [registry.Violation("S1", "two logs differ")]

    monkeypatch.setattr(registry, "check_step", alarmed)
    result = play(tmp_path, extend(pay(1)), expect(chain="0", height=7)).result()
    assert not result.holds
    assert result.unmet == ()
    assert result.steps == 1
    assert {(found.step, found.statement, found.what) for found in result.violations} == {
        (1, "S1", "S1: two logs differ")
    }
    assert result.to_json()["violations"][0] == {"step": 1, "statement": "S1", "what": "S1: two logs differ"}


def test_liveness_is_judged_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "check_goals", lambda *_: [registry.Violation("L1", "stuck")])
    result = play(tmp_path, extend(pay(1))).result()
    assert [found.statement for found in result.violations] == ["L1"]

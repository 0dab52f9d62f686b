"""Peer vectors: every one is replayed, every assertion of every one is really checked, and the lists are strict."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from linera_invariants.inputs import InputError
from linera_invariants.peer import (
    Expectations,
    Status,
    Vector,
    peer_folder,
    read_expectations,
    read_folder,
    read_vectors,
    replay,
    replay_all,
)
from linera_invariants.peer.replay import INTERPRETERS
from linera_invariants.specdata import spec_root

NOTHING = Expectations({}, {})
VECTORS = {vector.id: vector for vector in read_folder(peer_folder())}
EXPECTED = read_expectations(peer_folder() / "expected.toml", VECTORS.values())
LISTED = EXPECTED.later.keys() | EXPECTED.differences.keys()
AGREEING = [vector for name, vector in VECTORS.items() if name not in LISTED]


def verdict(vector: Vector, expectations: Expectations = NOTHING) -> Any:
    (result,) = replay([vector], expectations).results
    return result


def all_as_expected(file: str) -> bool:
    """Replay one file; say what is wrong."""
    report = replay([vector for vector in VECTORS.values() if vector.file == file], EXPECTED)
    assert [f"{r.vector}: {r.reason}" for r in report.results if r.status is Status.FAILS] == []
    return len(report.results) > 0


# --- the shipped vectors -----------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-A.1-CURSOR", "WP-A.1-ADD", "WP-A.1-REMOVE")
def test_inbox():
    assert all_as_expected("inbox_d43e2e5.json")


@pytest.mark.clauses("WP-A.2-SCHEDULE", "WP-A.2-CONFIRM")
def test_outbox():
    assert all_as_expected("outbox.json")


@pytest.mark.clauses("WP-2.2-VOTING-RIGHTS", "WP-2.2-FAULT-BOUND", "WP-2.2-QUORUM", "WP-2.2-VALIDITY")
def test_committees():
    assert all_as_expected("committee_thresholds.json")


@pytest.mark.clauses(
    "WP-2.2-CERTIFICATE", "WP-2.8-STOP-AT-QUORUM", "WP-2.8-VOTE", "WP-2.3-CERT-IDENTITY", "WP-2.3-SIGN"
)
def test_certificates():
    assert all_as_expected("certificates.json")


@pytest.mark.clauses("WP-2.8-PENDING", "WP-2.8-HANDLE-REQUEST", "WP-2.3-STRICT-DECODING")
def test_managers():
    assert all_as_expected("manager_d43e2e5.json")


@pytest.mark.clauses("WP-2.7-TOKEN", "WP-2.7-EXECUTE")
def test_execution():
    assert all_as_expected("execution_d43e2e5.json")


@pytest.mark.clauses(
    "WP-2.8-HANDLE-REQUEST",
    "WP-2.8-HANDLE-CERTIFICATE",
    "WP-2.4-CHAINING",
    "WP-2.4-BLOCK",
    "WP-2.7-EXECUTE-BLOCK",
    "WP-2.7-TOKEN",
    "WP-A.1-RECEIVE-BLOCK",
    "WP-A.2-UPDATE-RECIPIENT",
    "WP-A.2-SELECT",
    "WP-2.6-RECEIVED",
    "WP-2.8-LOCAL-NODE",
)
def test_workers():
    assert all_as_expected("worker_d43e2e5.json")


@pytest.mark.clauses(
    "WP-2.8-EXTEND",
    "WP-2.8-UPLOAD",
    "WP-2.8-SYNC-MESSAGES",
    "WP-2.5-CREATE",
    "WP-2.7-OPEN-CHAIN",
    "WP-2.7-CHANGE-KEY",
    "WP-2.7-CLOSE-CHAIN",
    "WP-2.7-RECEIVE",
)
def test_clients():
    assert all_as_expected("client_d43e2e5.json")


def test_all_vectors_are_judged_in_a_fixed_order():
    report = replay_all()
    assert report.holds
    assert [(r.file, r.vector) for r in report.results] == [(v.file, v.id) for v in VECTORS.values()]
    assert report == replay_all()
    assert {file: sum(counts.values()) for file, counts in report.counts().items()} == {
        "certificates.json": 11,
        "client_d43e2e5.json": 10,
        "committee_thresholds.json": 23,
        "execution_d43e2e5.json": 4,
        "inbox_d43e2e5.json": 18,
        "manager_d43e2e5.json": 16,
        "outbox.json": 7,
        "worker_d43e2e5.json": 12,
    }
    assert {vector.kind for vector in VECTORS.values()} == INTERPRETERS.keys()


def test_a_result_names_its_decision_or_step():
    labels = {r.vector: r.label for r in replay_all().results}
    assert labels["inbox_d43e2e5#01"] == "agrees"
    assert labels["committee-d43e2e5-15"] == "difference (D31)"
    assert labels["w23-21"] == "later (step 3)"


def test_every_difference_names_a_decision():
    written = set(re.findall(r"^## ([DA]\d+):", (spec_root() / "decisions.md").read_text("utf-8"), re.MULTILINE))
    assert {entry.decision for entry in EXPECTED.differences.values()} - written == set()


# --- every assertion counts --------------------------------------------------------------------------------------


def changed(value: Any) -> Iterator[Any]:
    """Change one part of an asserted value at a time."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from ({**value, key: other} for other in changed(part))
    elif isinstance(value, list):
        yield [*value, 0]
        for i, part in enumerate(value):
            yield value[:i] + value[i + 1 :]
            yield from ([*value[:i], other, *value[i + 1 :]] for other in changed(part))
    elif isinstance(value, bool):
        yield not value
    else:
        yield {int: lambda: value + 1, str: lambda: value + "x"}.get(type(value), lambda: 0)()


def corruptions(vector: Vector) -> Iterator[tuple[str, Vector]]:
    """Change one assertion of a vector at a time."""
    for number, step in enumerate(vector.steps):
        others: list[tuple[str, Any]] = [("expect", {"error": "any"} if step.expect == "ok" else "ok")]
        if "class" in step.expect:
            others += [
                ("expect", {**step.expect, "class": "not_yet_known"}),
                ("expect", {**step.expect, "error": "NotYetKnown"}),
            ]
        if "round" in step.expect:
            others += [("expect", {**step.expect, "round": step.expect["round"] + 1})]
        for key, value in step.asserts.items():
            others += [("asserts", {**step.asserts, key: other}) for other in changed(value)]
        for key, other in others:
            steps = (*vector.steps[:number], evolve(step, **{key: other}), *vector.steps[number + 1 :])
            yield f"step {step.number}: {key}: {other}", evolve(vector, steps=steps)


def is_caught(vector: Vector) -> bool:
    """A corrupted vector fails, or says something that has no meaning."""
    try:
        return verdict(vector).status is Status.FAILS
    except InputError:
        return True


@pytest.mark.parametrize("vector", AGREEING, ids=lambda v: v.id)
def test_every_assertion_is_checked(vector: Vector):
    assert verdict(vector).status is Status.AGREES
    missed = [what for what, other in corruptions(vector) if not is_caught(other)]
    assert missed == []


def test_a_failure_says_where_and_what():
    vector = VECTORS["outbox#01"]
    step = evolve(vector.steps[1], asserts={**vector.steps[1].asserts, "returns": False})
    result = verdict(evolve(vector, steps=(vector.steps[0], step, *vector.steps[2:])))
    assert (result.status, result.label) == (Status.FAILS, "fails")
    assert result.reason == "step 2 (outbox.schedule): expected to return False, got True"


# --- the lists are strict ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(LISTED))
def test_a_vector_that_does_not_agree_must_be_listed(name: str):
    assert verdict(VECTORS[name]).status is Status.FAILS


@pytest.mark.parametrize("name", sorted(EXPECTED.later))
def test_a_listed_step_that_agrees_fails(name: str):
    """Move the entry to a step that agrees, or make the asserted facts those of the reference."""
    vector, entry = VECTORS[name], EXPECTED.later[name]
    if entry.start is None:
        steps = list(vector.steps)
        for number, instead in entry.instead.items():
            step = steps[number - 1]
            expect = instead.get("expect", step.expect)
            asserts = {**step.asserts, **{k: v for k, v in instead.items() if k != "expect"}}
            steps[number - 1] = evolve(step, expect=expect, asserts=asserts)
        vector = evolve(vector, steps=tuple(steps))
    elif entry.start > 1:
        entry = evolve(entry, start=entry.start - 1)
    else:
        vector = evolve(VECTORS["inbox_d43e2e5#01"], id=name)
    result = verdict(vector, Expectations({name: entry}, {}))
    assert result.status is Status.FAILS
    assert "agrees now" in result.reason


def test_an_unlisted_step_before_the_listed_one_must_agree():
    entry = evolve(EXPECTED.later["w23-23"], start=7)
    assert (
        verdict(VECTORS["w23-23"], Expectations({"w23-23": entry}, {})).reason
        == "step 6 (delivery.select): needs epochs"
    )


def test_a_listed_vector_must_need_the_feature_of_its_step():
    entry = evolve(EXPECTED.later["w23-21"], roadmap=4)
    reason = verdict(VECTORS["w23-21"], Expectations({"w23-21": entry}, {})).reason
    assert reason == "step 1 (worker.handle_confirmed_certificate): needs epochs, which come in step 3"


def test_a_listed_vector_must_not_fail_for_another_reason():
    entry = evolve(EXPECTED.later["w23-21"], vector="cert-07", start=3)
    assert "got INVALID_CERTIFICATE_SIGNER" in verdict(VECTORS["cert-07"], Expectations({"cert-07": entry}, {})).reason


@pytest.mark.parametrize("name", sorted(EXPECTED.differences))
def test_a_difference_that_does_not_hold_fails(name: str):
    entry = EXPECTED.differences[name]
    for number, instead in entry.instead.items():
        for other in ({"expect": {"reason": "ARITHMETIC"}}, {**instead, "expect": "ok", "returns": "nothing"}):
            false = evolve(entry, instead={**entry.instead, number: other})
            result = verdict(VECTORS[name], Expectations({}, {name: false}))
            assert result.status is Status.FAILS
            assert "differs otherwise than recorded" in result.reason


def test_a_difference_that_is_gone_fails():
    entry = evolve(EXPECTED.differences["cert-07"], vector="cert-01")
    result = verdict(VECTORS["cert-01"], Expectations({}, {"cert-01": entry}))
    assert result.reason == "step 3 (aggregator.append): agrees now, so the entry that says otherwise must go"


# --- bad files ---------------------------------------------------------------------------------------------------


@cache
def text_of(file: str) -> str:
    return (peer_folder() / file).read_text("utf-8")


def write_changed(folder: Path, file: str, change: Any) -> Path:
    document = json.loads(text_of(file))
    change(document)
    path = folder / file
    path.write_text(json.dumps(document), "utf-8")
    return path


def step_of(document: Any, vector: int = 0, step: int = 0) -> Any:
    return document["vectors"][vector]["steps"][step]


BAD_VECTORS = {
    "unknown kind": (
        "outbox.json",
        lambda d: d["vectors"][1]["setup"].update(kind="mailbox"),
        "vector outbox#03, setup, kind: expected one of",
    ),
    "unknown operation": (
        "outbox.json",
        lambda d: step_of(d, 0, 2).update(op="outbox.clear"),
        "vector outbox#01, step 3, op: expected one of outbox.schedule",
    ),
    "operation of another kind": (
        "outbox.json",
        lambda d: step_of(d).update(op="inbox.add"),
        "vector outbox#01, step 1, op: expected one of outbox.schedule",
    ),
    "unknown argument": (
        "outbox.json",
        lambda d: step_of(d)["args"].update(round=0),
        "vector outbox#01, step 1, args: unknown key 'round'",
    ),
    "unknown assertion": (
        "outbox.json",
        lambda d: step_of(d)["state_after"].update(length=1),
        "vector outbox#01, step 1, state_after: unknown key 'length'",
    ),
    "unknown key of a step": (
        "inbox_d43e2e5.json",
        lambda d: step_of(d, 3, 1).update(returns=True),
        "vector inbox_d43e2e5#04, step 2: unknown key 'returns'",
    ),
    "unknown error class": (
        "inbox_d43e2e5.json",
        lambda d: step_of(d, 0, 2)["expect"].update({"class": "strange"}),
        "vector inbox_d43e2e5#01, step 3, expect",
    ),
    "missing assertion": (
        "inbox_d43e2e5.json",
        lambda d: step_of(d)["state_after"].pop("waiting"),
        "vector inbox_d43e2e5#01, step 1, state_after: expected the key 'waiting'",
    ),
    "wrong type": (
        "inbox_d43e2e5.json",
        lambda d: step_of(d)["args"].update(height="0"),
        "vector inbox_d43e2e5#01, step 1, args, height: expected an integer, found '0'",
    ),
    "boolean for a number": (
        "inbox_d43e2e5.json",
        lambda d: step_of(d)["args"].update(height=True),
        "vector inbox_d43e2e5#01, step 1, args, height: expected an integer, found True",
    ),
    "fraction": (
        "inbox_d43e2e5.json",
        lambda d: step_of(d)["args"].update(height=1.0),
        "vector inbox_d43e2e5#01, step 1, args, height: expected an integer, found 1.0",
    ),
    "beyond 64 bits": (
        "outbox.json",
        lambda d: step_of(d)["args"].update(height=2**64),
        "vector outbox#01, step 1, args, height: expected a number of at most 18446744073709551615",
    ),
    "unknown commit": (
        "outbox.json",
        lambda d: d["vectors"][0]["source"].update(commit="0" * 40),
        "vector outbox#01, source, commit: expected one of",
    ),
    "no steps": (
        "outbox.json",
        lambda d: d["vectors"][0].update(steps=[]),
        "vector outbox#01, steps: expected at least 1",
    ),
    "vector without identifier": (
        "outbox.json",
        lambda d: d["vectors"][0].pop("id"),
        "vector number 1: expected the key 'id'",
    ),
    "another file's name": ("outbox.json", lambda d: d.update(file="inbox.json"), "file: expected this file's name"),
    "another format": ("outbox.json", lambda d: d.update(schema="peer-vectors/2"), "schema: expected 'peer-vectors/1'"),
    "not a table": ("outbox.json", lambda d: d["vectors"].append(3), "expected a table, found 3"),
}


@pytest.mark.parametrize("case", BAD_VECTORS)
def test_a_malformed_vector_is_one_clear_error(case: str, tmp_path: Path):
    file, change, message = BAD_VECTORS[case]
    path = write_changed(tmp_path, file, change)
    with pytest.raises(InputError) as error:
        read_vectors(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


BAD_JSON = {
    "": "expected JSON",
    '{"file": "x.json", "vectors": [': "expected JSON",
    '{"file": "x.json", "file": "x.json"}': "key 'file' stands twice",
    '{"file": NaN}': "NaN is not a number",
    '{"file": -Infinity}': "-Infinity is not a number",
    '{"file": ' + "9" * 5000 + "}": "is not a plain number",
    '{"file": 1e999999999}': "is not a plain number",
    "[" * 100_000: "expected less nesting",
    "[]": "expected a table",
    '"\udc00"': "expected JSON",
}


@pytest.mark.parametrize("text", BAD_JSON, ids=lambda text: text[:20])
def test_hostile_json_is_one_clear_error(text: str, tmp_path: Path):
    path = tmp_path / "x.json"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(InputError, match=BAD_JSON[text]):
        read_vectors(path)


def test_identifiers_are_unique(tmp_path: Path):
    write_changed(tmp_path, "outbox.json", lambda d: d["vectors"].append(d["vectors"][0]))
    with pytest.raises(InputError, match="vector outbox#01: expected an identifier that is not taken"):
        read_folder(tmp_path)


MEANINGLESS = {
    "unnamed certificate": (
        "worker_d43e2e5.json",
        2,
        2,
        {"args": {"certificate": "c9"}},
        "a name that this vector defines",
    ),
    "block for a certificate": (
        "worker_d43e2e5.json",
        2,
        2,
        {"args": {"certificate": "p0"}},
        "a certificate, found the block",
    ),
    "certificate for a block": (
        "worker_d43e2e5.json",
        2,
        0,
        {"args": {"block": "c0", "signed_by": "a"}},
        "a block, found the certificate",
    ),
    "unknown prose": ("worker_d43e2e5.json", 4, 0, {"returns": "some answer"}, "text of a known form"),
    "append without aggregator": (
        "certificates.json",
        0,
        0,
        {
            "op": "aggregator.append",
            "args": {"validator": "v1", "signature": {"by_key_of": "v1", "over_value": "X", "over_round": 0}},
        },
        "an aggregator before",
    ),
    "heights of other blocks": (
        "worker_d43e2e5.json",
        7,
        0,
        {
            "args": {
                "update_recipient": {"blocks": [], "heights": {"direct": [1]}, "recipient": "root2", "sender": "root1"}
            }
        },
        "the heights of the blocks",
    ),
    "nobody acts": ("client_d43e2e5.json", 0, 0, {"by": None}, "the name of a client"),
}


@pytest.mark.parametrize("case", MEANINGLESS)
def test_a_step_without_meaning_is_one_clear_error(case: str, tmp_path: Path):
    file, vector, step, change, message = MEANINGLESS[case]
    path = write_changed(tmp_path, file, lambda d: step_of(d, vector, step).update(change))
    broken = read_vectors(path)[vector]
    with pytest.raises(InputError, match=f"{file}: vector {broken.id}, step {step + 1}: expected {message}"):
        verdict(broken)


def test_a_set_up_that_the_reference_refuses_fails(tmp_path: Path):
    path = write_changed(tmp_path, "worker_d43e2e5.json", lambda d: d["vectors"][0]["setup"].update(committee={}))
    result = verdict(read_vectors(path)[0])
    assert result.reason == "step 1 (worker.handle_proposal): what the vector describes is refused: EMPTY_COMMITTEE"


@pytest.mark.parametrize("name", ["w23-01", "c23-11"])
def test_the_quorum_of_a_set_up_is_checked(name: str):
    vector = VECTORS[name]
    result = verdict(evolve(vector, setup={**vector.setup, "quorum": 4}))
    assert "the quorum of this committee is" in result.reason


def test_false_declared_thresholds_are_noticed():
    vector = VECTORS["committee-head-declared-01"]
    step = evolve(vector.steps[0], args={**vector.steps[0].args, "declared": {"total": 4, "validity": 2, "quorum": 2}})
    assert "derived are" in verdict(evolve(vector, steps=(step,))).reason


BAD_EXPECTATIONS = {
    'schema = "peer-expected/2"\nlater = []\ndifference = []': "schema: expected 'peer-expected/1'",
    'schema = "peer-expected/1"\nlater = []': "expected the key 'difference'",
    "later = [": "expected TOML",
    'later: {vector = "x", roadmap = 2, why = "w", from = 1}': "vector x: expected the identifier of a vector",
    'later: {vector = "w23-23", roadmap = 7, why = "w", from = 1}': "roadmap: expected one of 2, 3, 4, 5",
    'later: {vector = "w23-23", roadmap = 2, why = "", from = 1}': "why: expected at least 1",
    'later: {vector = "w23-23", roadmap = 2, why = "w"}': "later, item 1",
    'later: {vector = "w23-23", roadmap = 2, why = "w", from = 11}': "vector w23-23: expected steps from 1 to 10",
    'later: {vector = "w23-23", roadmap = 2, why = "w", from = 1, step = 1}': "unknown key 'step'",
    'difference: {vector = "w23-23", decision = "D", why = "w", instead = {1 = {returns = 1}}}': "decision: expected",
    'difference: {vector = "w23-23", decision = "D1", why = "w", instead = {99 = {returns = 1}}}': "steps from 1 to 10",
    'difference: {vector = "w23-23", decision = "D1", why = "w", instead = {}}': "instead: expected at least 1",
    'difference: {vector = "w23-23", decision = "D1", why = "w", instead = {1 = {expect = {reason = "NO"}}}}': (
        "expected a reason, found 'NO'"
    ),
}


@pytest.mark.parametrize("text", BAD_EXPECTATIONS, ids=lambda text: text[-40:])
def test_malformed_expectations_are_one_clear_error(text: str, tmp_path: Path):
    message = BAD_EXPECTATIONS[text]
    kind, found, entry = text.partition(": ")
    if found:
        other = {"later": "difference", "difference": "later"}[kind]
        text = f'schema = "peer-expected/1"\n{other} = []\n{kind} = [{entry}]'
    path = tmp_path / "expected.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(InputError) as error:
        read_expectations(path, VECTORS.values())
    assert message in str(error.value)


def test_one_vector_has_one_entry(tmp_path: Path):
    path = tmp_path / "expected.toml"
    entry = '{vector = "w23-23", roadmap = 3, why = "w", from = 6}'
    path.write_text(f'schema = "peer-expected/1"\ndifference = []\nlater = [{entry}, {entry}]', "utf-8")
    with pytest.raises(InputError, match="vector w23-23: expected one entry for it, found two"):
        read_expectations(path, VECTORS.values())

"""Checking logs: genuine ones are explained, damaged ones are not, and validators are compared."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from immutables import Map
from logbook import (
    GENESIS,
    LEAST,
    NO_DELIVERIES,
    RECORDINGS,
    SETUP,
    certificate_of,
    certified,
    checked,
    extended,
    first_block,
    locked,
    log_of,
    recorded,
    vote_of,
    voted,
)

from linera_invariants.bench import transfers
from linera_invariants.errors import UsageError
from linera_invariants.evidence import examine, read_all_evidence
from linera_invariants.logs import memory, replayer
from linera_invariants.logs.check import CheckReport, Options
from linera_invariants.logs.faults import FAULTS, TRUNCATED, damaged
from linera_invariants.logs.record import EVERYTHING, Recording, event_line
from linera_invariants.scenarios import shipped_scenarios
from linera_invariants.story import show_hash
from linera_invariants.traces import write_trace
from linera_invariants.vectors.replay import Archive, SendAgain
from linera_reference.block import CloseChain, OpenChain
from linera_reference.certificate import Kind
from linera_reference.crypto import hash_value
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.rejections import Accepted
from linera_reference.request import sign_request
from linera_reference.validator import genesis_chain, handle_at

NAMES = [path.stem for path in shipped_scenarios()]
ONE, OTHER = first_block((1,)), first_block((2,))
LEFT, RIGHT = first_block((0,), 2), first_block((1,), 2)


def lines_noticed(report: CheckReport) -> list[int]:
    """Return where files diverge."""
    return [file.difference.line for file in report.files if file.difference is not None]


@pytest.mark.parametrize("name", NAMES)
def test_genuine_logs_are_explained(tmp_path: Path, name: str) -> None:
    for number, recording in enumerate(RECORDINGS):
        paths = recorded(tmp_path / str(number), name, recording)
        report = checked(paths)
        assert report.holds, report
        assert report.events > 0


def test_real_signatures_are_verified(tmp_path: Path) -> None:
    paths = recorded(tmp_path, "01-tour", crypto="ed25519")
    assert checked(paths).holds
    damage = damaged(paths[0], "forged-signature", 0)
    paths[0].write_bytes(damage.data)
    assert lines_noticed(checked(paths)) == [damage.line]


# --- Deliveries that were not logged ------------------------------------------------------------------------------


def test_unlogged_deliveries_are_found_only_where_they_may_be_missing(tmp_path: Path) -> None:
    (path, *_) = recorded(tmp_path, "01-tour", NO_DELIVERIES)
    report = checked([path])
    assert report.holds
    assert report.files[0].delivered > 0
    head, rest = path.read_bytes().split(b"\n", 1)
    path.write_bytes(head.replace(b'"unlogged"', b'"logged"') + b"\n" + rest)
    assert lines_noticed(checked([path]))


def test_late_deliveries_are_taken_to_have_happened(tmp_path: Path) -> None:
    for name in NAMES:
        paths = recorded(tmp_path / name, name, LEAST)
        assert checked(paths, Options(late=1)).holds, name


def archived(place: int) -> bytes:
    """Return the line that archives a genesis chain."""
    return event_line(Archive((place,)), Accepted(None))


def test_a_chain_that_closes_has_received_what_waited(tmp_path: Path) -> None:
    sends, closes = extended(0, transfers([(1,)], 1), (CloseChain(),))
    (receiver,) = extended(1, (CloseChain(),))
    assert checked([log_of(tmp_path / "a", 3, sends, receiver, closes, archived(0))]).holds
    assert lines_noticed(checked([log_of(tmp_path / "b", 3, receiver, sends, closes, archived(0))])) == [5]


def test_a_chain_is_created_before_anything_else_reaches_it(tmp_path: Path) -> None:
    (creates,) = extended(0, (OpenChain((0, 0), SETUP.owner.public_key),))
    sends, closes = extended(1, transfers([(0, 0)], 1), (CloseChain(),))
    report = checked([log_of(tmp_path / "a", 3, creates, sends, closes, archived(1))])
    assert report.holds
    assert report.files[0].delivered == 3  # the creation, the transfer, its acknowledgement
    assert lines_noticed(checked([log_of(tmp_path / "b", 3, sends, closes, archived(1), creates)])) == [4]


def test_waiting_requests_are_sent_again(tmp_path: Path) -> None:
    again = event_line(SendAgain((0,)), Accepted(None))
    assert checked([log_of(tmp_path / "a", 3, again, *extended(0, transfers([(1,)], 1)), again)]).holds


def test_an_update_must_come_from_an_outbox(tmp_path: Path) -> None:
    """What a validator says to itself is not signed: here it delivers a block that it never executed."""
    _, certificate = SETUP.certify(genesis_chain(GENESIS.chains[0]), transfers([(1,)], 1))
    update = event_line(UpdateRecipient((0,), (1,), (certificate,)), Accepted(None))
    report = checked([log_of(tmp_path / "a", 3, update)])
    assert lines_noticed(report) == [2]
    assert report.files[0].difference is not None
    assert "ACTION_NOT_ENABLED" in report.files[0].difference.expected
    assert checked([log_of(tmp_path / "b", 3, *extended(0, transfers([(1,)], 1)), update)]).holds
    heard = event_line(ConfirmUpdatedRecipient((0,), (1,), 0), Accepted(None))
    report = checked([log_of(tmp_path / "c", 3, *extended(0, transfers([(1,)], 1)), heard)])
    assert report.holds
    assert report.files[0].delivered == 1


# --- Damage -------------------------------------------------------------------------------------------------------

HARMLESS = {"duplicated", TRUNCATED}
LATER = {
    "double-vote": 1,
    "reordered": 1,
    "vote-below-lock": 1,
    "lock-ignored": 1,
    "justified-too-low": 1,
    "lock-lost": 1,
    "vote-forgotten": 2,
}
"""So many lines after the damage it is noticed."""
IN_ROUNDS = {
    "final-vote-at-once": "to validate",
    "final-vote-without-quorum": "CERTIFICATE_REQUIRES_QUORUM",
    "vote-below-lock": "INSUFFICIENT_ROUND|HAS_LOCKED_BLOCK",
    "lock-ignored": "HAS_LOCKED_BLOCK",
    "justified-too-low": "HAS_LOCKED_BLOCK",
    "lock-lost": "state",
}
"""What only validators of a chain with several owners can do wrong, and what is expected of them."""
DAMAGES = [("05-closing", fault) for fault in sorted(set(FAULTS) - set(IN_ROUNDS) - {"dropped"})]
DAMAGES += [("22-restarts", fault) for fault in sorted(set(FAULTS) - {"dropped"})]


@pytest.mark.parametrize(("name", "fault"), DAMAGES)
def test_damage_is_noticed_at_its_line_or_harmless(tmp_path: Path, name: str, fault: str) -> None:
    (path, *_) = recorded(tmp_path, name)
    for seed in range(4):
        damage = damaged(path, fault, seed)
        broken = tmp_path / "broken.jsonl"
        broken.write_bytes(damage.data)
        report = checked([broken])
        expected = [] if fault in HARMLESS else [damage.line + LATER.get(fault, 0)]
        assert lines_noticed(report) == expected, damage
        assert report.files[0].truncated == (damage.line if fault == TRUNCATED else None)


@pytest.mark.parametrize("fault", IN_ROUNDS)
@pytest.mark.parametrize("name", ["16-several-owners", "18-contention", "19-lock-reproposed"])
def test_what_rounds_and_locks_expect_is_said(tmp_path: Path, name: str, fault: str) -> None:
    (path, *_) = recorded(tmp_path, name)
    path.write_bytes(damaged(path, fault, 1).data)
    (file,) = checked([path]).files
    assert file.difference is not None
    assert re.search(IN_ROUNDS[fault], file.difference.expected), file.difference
    assert file.difference.clause.startswith(("WP-2.9-", "WP-2.2-CERTIFICATE"))


def test_a_lock_says_what_it_would_let_pass(tmp_path: Path) -> None:
    (path, *_) = recorded(tmp_path, "19-lock-reproposed")
    path.write_bytes(damaged(path, "lock-ignored", 0).data)
    (file,) = checked([path], Options(picture=True)).files
    assert re.search(r"owners #\w{6}.*, locked on #\w{6} in round \d", file.situation)
    assert re.match(r"a request for the locked block #\w{6} in round \d or later", file.nearest[0])
    assert re.match(r"another block, justified by its validated certificate of a round after \d", file.nearest[1])
    assert file.picture is not None


def test_a_round_that_is_over_says_which_is_next(tmp_path: Path) -> None:
    (path, *_) = recorded(tmp_path, "18-contention")
    path.write_bytes(damaged(path, "double-vote", 0).data)
    (file,) = checked([path]).files
    assert file.difference is not None
    assert file.difference.expected.startswith("INSUFFICIENT_ROUND")
    assert re.match(r"the same in round \d or later", file.nearest[0])


def test_a_missing_event_is_noticed_when_it_is_missed(tmp_path: Path) -> None:
    paths = recorded(tmp_path, "05-closing")
    noticed = []
    for seed in range(12):
        damage = damaged(paths[0], "dropped", seed)
        broken = tmp_path / "broken.jsonl"
        broken.write_bytes(damage.data)
        report = checked([broken, *paths[1:]])
        noticed += [line >= damage.line for line in lines_noticed(report)] + [True] * len(report.conflicts)
    assert len(noticed) >= 6
    assert all(noticed)


def test_without_signatures_the_log_is_believed_on_them(tmp_path: Path) -> None:
    (path, *_) = recorded(tmp_path, "05-closing")
    for fault in ("forged-signature", "vote-forged"):
        path_broken = tmp_path / "broken.jsonl"
        path_broken.write_bytes(damaged(path, fault, 1).data)
        assert checked([path_broken], Options(signatures=False)).holds


def test_a_divergence_says_what_would_have_been_accepted(tmp_path: Path) -> None:
    (path, *_) = recorded(tmp_path, "05-closing")
    damage = damaged(path, "wrong-height", 0)
    path.write_bytes(damage.data)
    (file,) = checked([path], Options(picture=True)).files
    assert file.difference is not None
    assert file.difference.clause == "WP-2.4-CHAINING"
    assert "next height" in file.situation
    assert any("certificate of block" in action for action in file.nearest)
    assert file.picture is not None
    write_trace(tmp_path / "picture.json", file.picture)


@pytest.mark.parametrize("fault", sorted(FAULTS))
def test_every_divergence_can_be_drawn(tmp_path: Path, fault: str) -> None:
    (path, *_) = recorded(tmp_path, "22-restarts" if fault in IN_ROUNDS else "05-closing", EVERYTHING)
    path.write_bytes(damaged(path, fault, 2).data)
    (file,) = checked([path], Options(picture=True)).files
    if file.picture is not None:
        write_trace(tmp_path / "picture.json", file.picture)
    drawn = file.difference is not None and (file.events > 0 or file.difference.chain is not None)
    assert (file.picture is not None) is drawn


def test_names_of_an_implementation_need_a_mapping(tmp_path: Path) -> None:
    (path, *_) = recorded(tmp_path, "05-closing")
    path.write_bytes(path.read_bytes().replace(b'"OUTBOX_NOT_EMPTY"', b'"StillBusy"'))
    assert lines_noticed(checked([path]))
    names = {"StillBusy": ("OUTBOX_NOT_EMPTY",)}
    own = {name: (name,) for name in ("CHAIN_NOT_CLOSED", "CHAIN_CLOSED", "INACTIVE_CHAIN")}
    assert checked([path], Options(errors=names | own)).holds


# --- Several validators -------------------------------------------------------------------------------------------


def test_two_certified_blocks_of_a_place_convict(tmp_path: Path) -> None:
    one = log_of(tmp_path / "a", 0, voted(ONE, 0), certified(ONE, 0, 2, 3))
    two = log_of(tmp_path / "b", 1, voted(OTHER, 1), certified(OTHER, 1, 2, 3))
    report = checked([one, two])
    ((conflict, guilty),) = report.conflicts
    assert conflict.statement == "S4"
    assert [line for _, line in conflict.places] == [3, 3]
    assert set(guilty) == {SETUP.validators[2].public_key, SETUP.validators[3].public_key}


def test_a_vote_that_another_log_contradicts(tmp_path: Path) -> None:
    one = log_of(tmp_path / "a", 0, voted(ONE, 0))
    two = log_of(tmp_path / "b", 1, certified(OTHER, 0, 2, 3))
    ((conflict, _),) = checked([one, two]).conflicts
    assert conflict.statement == "S5"
    assert [line for _, line in conflict.places] == [2, 2]


def test_a_signature_needs_a_logged_vote(tmp_path: Path) -> None:
    one = log_of(tmp_path / "a", 0, certified(ONE, 0, 2, 3))
    ((conflict, _),) = checked([one]).conflicts
    assert "no such vote is in its log" in conflict.detail
    behind = log_of(tmp_path / "b", 1)
    ahead = log_of(tmp_path / "c", 2, voted(ONE, 2), certified(ONE, 1, 2, 3))
    assert checked([behind, ahead]).holds  # the other log may just be shorter


def test_validators_vote_once_a_round_with_each_kind(tmp_path: Path) -> None:
    """In another round they may vote again."""
    own = log_of(tmp_path / "a", 0, voted(LEFT, 0, Kind.VALIDATED, 1))
    ((conflict, _),) = checked([own, log_of(tmp_path / "b", 1, locked(RIGHT, 1, 0, 2, 3, round=1))]).conflicts
    assert conflict.statement == "S5"
    assert f"signed a vote to validate {show_hash(hash_value(RIGHT))}" in conflict.detail
    assert f"and voted for {show_hash(hash_value(LEFT))}" in conflict.detail
    assert checked([own, log_of(tmp_path / "c", 1, locked(RIGHT, 1, 0, 2, 3, round=2))]).holds


def test_final_votes_are_compared(tmp_path: Path) -> None:
    own = log_of(tmp_path / "a", 0, locked(LEFT, 0, 0, 2, 3, round=1))
    report = checked([own, log_of(tmp_path / "b", 1, certified(RIGHT, 0, 2, 3, round=1))])
    ((conflict, _),) = report.conflicts
    assert conflict.statement == "S5"
    assert "signed a vote to confirm" in conflict.detail
    assert checked([own, log_of(tmp_path / "c", 1, certified(LEFT, 0, 2, 3, round=1))]).holds


def test_the_signers_of_a_justification_claim_to_have_voted(tmp_path: Path) -> None:
    old = certificate_of(RIGHT, 0, 2, 3, kind=Kind.VALIDATED, round=1)
    request = sign_request(SETUP.context.scheme, SETUP.owner, RIGHT.block, 2, old)
    justified = event_line(request, Accepted(None, (vote_of(1, RIGHT, Kind.VALIDATED, 2),)))
    own = log_of(tmp_path / "a", 0, voted(LEFT, 0, Kind.VALIDATED, 1))
    ((conflict, _),) = checked([own, log_of(tmp_path / "b", 1, justified)]).conflicts
    assert (conflict.statement, conflict.places[1][1]) == ("S5", 2)


def test_a_fork_in_two_rounds_convicts_nobody_by_itself(tmp_path: Path) -> None:
    """Who confirmed the later block must show a certificate, and `evidence` names them."""
    logs = [
        log_of(tmp_path / "a.jsonl", 0, certified(LEFT, 1, 2, 3, round=1)),
        log_of(tmp_path / "b.jsonl", 1, certified(RIGHT, 0, 2, 3, round=2)),
    ]
    clashes = [clash for clash in checked(logs).conflicts if clash[0].statement == "S4"]
    assert [guilty for _, guilty in clashes] == [()]
    found = examine(read_all_evidence(logs))
    assert found.charged == tuple(sorted(signer.public_key for signer in SETUP.validators))


def test_a_restart_that_forgets_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference replays restarts: were votes and locks not kept, the log would not be explained."""
    (path, *_) = recorded(tmp_path, "22-restarts")
    assert b'"restart"' in path.read_bytes()
    assert checked([path]).holds
    monkeypatch.setattr(replayer, "restart", lambda node: evolve(node, chains=Map({})))
    assert lines_noticed(checked([path]))


def test_what_is_compared_is_bounded_by_how_far_validators_are_apart(tmp_path: Path) -> None:
    paths = recorded(tmp_path, "01-tour")
    assert 0 < checked(paths).window < checked(paths).events / 2
    assert checked(paths[:1]).window <= 2


def test_what_validators_do_alike_is_worked_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def counted(*given: Any) -> Any:
        calls.append(given)
        return handle_at(*given)

    monkeypatch.setattr(memory, "handle_at", counted)
    report = checked(recorded(tmp_path, "04-key-change"))
    assert len(report.files) == 4
    assert 0 < len(calls) < report.events / 2


def test_processes_and_compression_change_nothing(tmp_path: Path) -> None:
    paths = recorded(tmp_path, "01-tour")
    packed = [path.with_suffix(".gz") for path in paths]
    for path, copy in zip(paths, packed, strict=True):
        copy.write_bytes(gzip.compress(path.read_bytes()))
    one, two = checked(paths), checked(packed, jobs=2)
    assert [file.events for file in one.files] == [file.events for file in two.files]
    assert two.holds


def test_the_number_of_processes_changes_nothing(tmp_path: Path) -> None:
    again = [voted(ONE, 2)] * 300  # answered from memory, and more than is replayed at a time
    logs = [
        log_of(tmp_path / "a", 0, voted(ONE, 0), certified(ONE, 0, 2, 3)),
        log_of(tmp_path / "b", 1, voted(OTHER, 1), certified(OTHER, 1, 2, 3)),
        log_of(tmp_path / "c", 2, *again, certified(OTHER, 1, 2, 3)),
    ]
    reports = [checked(logs, jobs=jobs) for jobs in (1, 2, 3)]
    assert len(reports[0].conflicts) > 1
    assert reports == [reports[0]] * 3


def test_files_of_one_validator_continue_one_another(tmp_path: Path) -> None:
    (path, *_) = recorded(tmp_path, "01-tour")
    head, *lines = path.read_bytes().splitlines(keepends=True)
    parts = [tmp_path / "1", tmp_path / "2"]
    for part, found in zip(parts, (lines[:7], lines[7:]), strict=True):
        part.write_bytes(head + b"".join(found))
    report = checked(parts)
    assert report.holds
    assert [file.events for file in report.files] == [7, len(lines) - 7]
    first, second = checked(parts[::-1]).files
    assert first.difference is not None
    assert second.skipped


def test_logs_of_different_networks_are_refused(tmp_path: Path) -> None:
    one, two = recorded(tmp_path, "01-tour")[0], recorded(tmp_path, "08-equivocation")[0]
    with pytest.raises(UsageError, match="line 1: expected the same network as in"):
        checked([one, two])
    silent = recorded(tmp_path / "silent", "01-tour", NO_DELIVERIES)[0]
    with pytest.raises(UsageError, match="line 1: expected the same deliveries as in"):
        checked([one, silent])
    with pytest.raises(UsageError, match="expected each file once"):
        checked([one, one])


def test_an_error_in_a_process_is_an_error_here(tmp_path: Path) -> None:
    paths = recorded(tmp_path, "01-tour")
    paths[1].write_bytes(paths[1].read_bytes() + b"{}\n")
    count = len(paths[1].read_bytes().splitlines())
    with pytest.raises(UsageError, match=f"line {count}: expected exactly one of the keys"):
        checked(paths, jobs=2)


def test_recording_is_reproducible(tmp_path: Path) -> None:
    one, two = recorded(tmp_path / "1", "01-tour"), recorded(tmp_path / "2", "01-tour")
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    for line in one[0].read_bytes().splitlines():
        assert json.loads(line)


def test_recordings_differ_in_what_they_leave_out(tmp_path: Path) -> None:
    sizes = [
        sum(path.stat().st_size for path in recorded(tmp_path / str(number), "01-tour", recording))
        for number, recording in enumerate((Recording(), NO_DELIVERIES, LEAST))
    ]
    assert sizes == sorted(sizes, reverse=True)

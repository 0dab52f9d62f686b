"""Whatever a harness does, the runner says what happened, asks the rest, and leaves nothing behind."""

import os
import resource
import time
from pathlib import Path

import pytest
from conforming import EXAMPLE, HASTY, RIGHT, TARGET, bad, python, ran, wrong

from linera_invariants.ci_reports import Status
from linera_invariants.conform.copies import MAX_IN_A_ROW, Fault, Options, Session, Task, run_harness
from linera_invariants.errors import UsageError

FEW = ("identifiers/child-first", "identifiers/child-largest", TARGET, "identifiers/parent-root")
"""Two before the target, and one after it."""

ERRORED, LATE = Status.ERRORED, Status.TIMED_OUT

FAULTS = {
    "crash": (ERRORED, "it ended with exit code 3 before the answer to run"),
    "exits-early": (ERRORED, "it ended with exit code 0 before the answer to run"),
    "flood": (ERRORED, "expected a line of at most 4194304 bytes"),
    "flood-of-lines": (ERRORED, "character 1: expected JSON"),
    "malformed": (ERRORED, "character 23: expected JSON"),
    "not-an-object": (ERRORED, "expected a JSON object, found a list"),
    "not-utf-8": (ERRORED, "byte 1: expected UTF-8"),
    "too-deep": (ERRORED, "expected JSON of a reasonable depth"),
    "repeated-key": (ERRORED, "expected each key of an object once, found 'accepted' again"),
    "number": (ERRORED, "expected forms without numbers, found '7'"),
    "two-ends": (ERRORED, "expected one of the keys accepted, rejected, skipped, errored, found accepted and skipped"),
    "unknown-key": (ERRORED, "unknown key 'mood'"),
    "wrong-seq": (ERRORED, "expected the seq of the request"),
    "to-stderr": (ERRORED, "expected the seq of the request"),
    "chatty": (ERRORED, "character 1: expected JSON: Expecting value, found 'now comes the answer'"),
    "errored": (ERRORED, "IndexError: list index out of range"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_that_of_its_vector_alone(fault: str):
    report = ran(wrong(fault), *FEW)
    status, what = FAULTS[fault]
    assert {name: found[0] for name, found in bad(report).items()} == {TARGET: status}
    assert what in bad(report)[TARGET][1]
    assert report.counts[Status.PASSED] == len(FEW) - 1
    assert not report.holds


@pytest.mark.parametrize(
    ("fault", "status", "what"),
    [
        ("hang", LATE, "no answer to run within 2 s (is standard output flushed after each line?)"),
        ("orphan", ERRORED, "it ended with exit code 3"),
        ("flood-of-errors", LATE, "no answer to run within 2 s"),
    ],
)
def test_what_never_answers_is_late(fault: str, status: Status, what: str):
    report = ran(wrong(fault), TARGET, "identifiers/parent-root", options=HASTY)
    assert set(bad(report)) == {TARGET}
    assert bad(report)[TARGET][0] is status
    assert what in bad(report)[TARGET][1]


def test_an_answer_to_no_question_is_noticed_at_the_next_one():
    report = ran(wrong("unasked"), *FEW)
    (name,) = bad(report)
    assert name != TARGET
    assert "or nobody asked" in bad(report)[name][1]


def test_the_last_lines_of_standard_error_are_shown():
    verdict = {vector.id: verdict for vector, verdict in ran(wrong("crash"), *FEW).verdicts}[TARGET]
    assert verdict.stderr == ("assertion failed: the stack is upside down",)


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("wrong-exit-code", "expected exit code 0 after stop: it ended with exit code 4"),
        ("last-words", "expected nothing after the answer to stop, found 'bye'"),
        ("never-ends", "expected an end after the answer to stop, found none within 2 s"),
    ],
)
def test_a_bad_end_fails_the_run_though_every_vector_passes(fault: str, what: str):
    report = ran(wrong(fault), TARGET, options=HASTY)
    assert not bad(report)
    assert [fault.what for fault in report.session.problems] == [what]
    assert not report.holds


@pytest.mark.parametrize(
    ("harness", "what"),
    [
        (wrong("old-protocol"), "protocol: expected protocol version 1, found 0"),
        (wrong("nameless"), "implementation: expected the key 'name'"),
        ("false", "it ended with exit code 1 before the answer to start"),
        ("cat", "expected the key 'implementation'"),
        ("yes", "character 1: expected JSON: Expecting value, found 'y'"),
        ("cat /dev/zero", "expected a line of at most"),
    ],
)
def test_what_does_not_start_is_asked_nothing(harness: str, what: str):
    report = ran(harness, *FEW)
    assert {status for status, _ in bad(report).values()} == {ERRORED}
    assert len(bad(report)) == len(FEW)
    assert all(what in found for _, found in bad(report).values())
    assert not report.holds


def test_what_never_starts_is_given_up():
    session, replies = asked("sleep 600", 2, Options(start=0.2))
    assert [fault.timed_out for fault in session.problems] == [True]
    assert all("did not start: no answer to start within 0.2 s" in reply.what for reply in replies)


def asked(command: str, count: int, options: Options) -> tuple[Session, list[Fault]]:
    """Ask for a name so many times."""
    found: dict[int, Fault] = {}
    arguments = {"parent_id": ["0"], "index": "1"}
    task = Task(TARGET, "child", lambda: arguments)
    session = run_harness(command, [task] * count, options, found.__setitem__)
    return session, [found[place] for place in range(count)]


def test_one_that_always_crashes_is_given_up_after_some_copies():
    session, replies = asked(wrong("crash"), MAX_IN_A_ROW + 5, Options(jobs=2))
    whats = [reply.what for reply in replies]
    assert MAX_IN_A_ROW <= sum("exit code 3" in what for what in whats) <= MAX_IN_A_ROW + 1
    assert sum("not asked: the harness failed too often" in what for what in whats) >= 4
    assert session.restarts <= MAX_IN_A_ROW


@pytest.mark.parametrize(
    "harness", ["", "   ", "'", "no-such-program-here", str(EXAMPLE), str(EXAMPLE / "mapping.toml")]
)
def test_what_is_no_command_is_wrong_usage(harness: str):
    with pytest.raises(UsageError, match="--harness: expected a command"):
        ran(harness, TARGET)


def test_copies_share_the_work_and_the_order_of_the_report_stays():
    one, three = (ran(RIGHT, options=Options(jobs=jobs)) for jobs in (1, 3))
    assert one.verdicts == three.verdicts
    assert one.holds


def test_a_copy_that_was_told_to_stop_is_asked_nothing_more():
    """The second copy stops for want of work, then the first one crashes and leaves some."""
    report = ran(wrong("late-crash-slow-stop"), TARGET, "identifiers/parent-root", options=Options(jobs=2))
    assert {name: what for name, (_, what) in bad(report).items()} == {
        TARGET: "it ended with exit code 3 before the answer to run"
    }


def test_slow_judging_makes_nobody_late():
    """The pause comes when every copy has been asked something."""
    found: list[object] = []

    def reply(place: int, answer: object) -> None:
        found.append(answer)
        time.sleep(1.2 if len(found) == 300 else 0)

    tasks = [Task(TARGET, "child", lambda: {"parent_id": ["0"], "index": "1"})] * 600
    run_harness(RIGHT, tasks, Options(jobs=3, timeout=1.0, ahead=1), reply)
    assert found == [{"accepted": ["0", "1"]}] * 600


def test_a_large_request_to_one_that_does_not_read_is_late_and_no_deadlock():
    found: list[Fault] = []
    task = Task(TARGET, "child", lambda: {"index": "1" * (3 << 20)})
    script = "import sys,time;r=sys.stdin.readline;s=print;import json;a=json.loads(r())['seq']"
    about = "{'name':'n','version':'1','language':'l'}"
    script += f";s(json.dumps(dict(seq=a,protocol=1,implementation={about})),flush=True);b=json.loads(r())['seq']"
    script += ";s(json.dumps(dict(seq=b,operations=['child'],details=False)),flush=True);time.sleep(600)"
    run_harness(python("-c", f'"{script}"'), [task], Options(timeout=0.5), lambda _, reply: found.append(reply))
    assert [fault.timed_out for fault in found] == [True]


def children() -> set[str]:
    """Return the processes that this one started, and that are still there: zombies, too."""
    tasks = Path(f"/proc/{os.getpid()}/task")
    return {name for task in tasks.iterdir() for name in (task / "children").read_text().split()}


def open_files() -> int:
    """Return how many files this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
def test_nothing_is_left_behind():
    before, files = children(), open_files()
    for fault in ("crash", "flood", "wrong-exit-code"):
        ran(wrong(fault), TARGET)
    ran(wrong("hang"), TARGET, options=Options(timeout=0.3))
    with pytest.raises(KeyboardInterrupt):
        run_harness(RIGHT, [Task(TARGET, "child", interrupt)], Options(), lambda *_: None)
    assert children() == before
    assert open_files() == files


def interrupt() -> dict[str, str]:
    """Stand for Ctrl-C while a harness runs."""
    raise KeyboardInterrupt


def test_a_process_group_is_ended_as_a_whole(tmp_path: Path):
    script = tmp_path / "parent.sh"
    script.write_text(f"sleep 600 &\necho $! > {tmp_path}/child\n{wrong('hang')}\n")
    ran(f"sh {script}", TARGET, options=Options(timeout=0.3))
    child = int((tmp_path / "child").read_text())
    until = time.monotonic() + 10
    while is_running(child) and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_running(child)


def is_running(process: int) -> bool:
    """Whether a process runs; one that nobody has waited for yet does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_flood_takes_little_memory():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for fault in ("flood", "flood-of-lines"):
        ran(wrong(fault), TARGET)
    ran(wrong("flood-of-errors"), TARGET, options=Options(timeout=0.5))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10

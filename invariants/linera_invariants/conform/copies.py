"""Running copies of a harness, and surviving whatever they do.

One thread watches all copies. A copy gets a process group of its own, is asked a bounded number of requests ahead, and
may take its time for each; lines and what is kept of standard error are bounded. A copy that crashes, hangs, floods or
breaks the protocol is killed with its group, the request that it was at is answered with the fault, and another
copy goes on with the rest, a bounded number of times.
"""

import os
import selectors
import shlex
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import IO, Any, Final

from attrs import define, field, frozen

from linera_invariants.errors import UsageError
from linera_invariants.inputs import shown
from linera_invariants.processes import interrupts_blocked

from .lines import MAX_ANSWER, PROTOCOL, ProtocolError, next_seq, parse_answer, prepare, request

MAX_RESTARTS: Final = 100
MAX_IN_A_ROW: Final = 5
"""Copies that may fail one after the other without having answered anything."""
CHUNK: Final = 1 << 16
STDERR_KEPT: Final = 4096
STDERR_LINES: Final = 5
_PIPE: Final = subprocess.PIPE
GRACE: Final = 1.0
"""Seconds that a copy which closed its output has to end."""


@frozen
class Task:
    """A request to make: the vector and its operation; the arguments are made when it is sent."""

    name: str
    operation: str
    arguments: Callable[[], dict[str, Any]]


@frozen
class Fault:
    """What went wrong instead of an answer, and the last lines of standard error."""

    what: str
    timed_out: bool = False
    stderr: tuple[str, ...] = ()


Reply = dict[str, Any] | Fault


@frozen
class Options:
    """How to run a harness: copies, seconds per answer and to start, what to send ahead, also beyond capabilities."""

    jobs: int = 1
    timeout: float = 10.0
    start: float = 30.0
    ahead: int = 32
    bytes_ahead: int = 1 << 20
    beyond: bool = False


@define
class Session:
    """What was learnt about a harness beside its answers. ``problems`` are faults that no vector is to blame for."""

    implementation: dict[str, str] = field(factory=dict)
    operations: tuple[str, ...] = ()
    details: bool = False
    restarts: int = 0
    problems: list[Fault] = field(factory=list)


@frozen
class _Asked:
    """A request under way: what kind, its number, and of a run the place of its task."""

    cmd: str
    seq: int
    place: int = -1
    size: int = 0


def run_harness(command: str, tasks: Iterable[Task], options: Options, reply: Callable[[int, Reply], None]) -> Session:
    """Ask a harness everything; ``reply`` is told the answer or fault of each task, by its place, in some order.

    Raises:
        UsageError: the command cannot be started.
    """
    pool = _Pool(words_of(command), list(tasks), options, reply)
    try:
        pool.run()
    finally:
        pool.kill()
    return pool.session


def words_of(command: str) -> list[str]:
    """Split a command as a shell does. Raises: UsageError."""
    if not hasattr(os, "killpg"):
        raise UsageError("--harness: expected a system with process groups")
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--harness: expected a command: {str(error).lower()}") from None
    if not words:
        raise UsageError("--harness: expected a command, found nothing")
    return words


class _Pool:
    """The copies, what is still to be asked, and the one loop that watches them."""

    def __init__(
        self, words: list[str], tasks: list[Task], options: Options, reply: Callable[[int, Reply], None]
    ) -> None:
        self.words, self.tasks, self.options, self.reply = words, tasks, options, reply
        self.waiting = deque(range(len(tasks)))
        self.session = Session()
        self.copies: list[_Copy] = []
        self.failed_in_a_row = 0
        self.given_up: Fault | None = None
        self.selector = selectors.DefaultSelector()

    def run(self) -> None:
        self.start()
        prepare()  # while the harness starts, too
        while self.copies:
            until = min(copy.deadline for copy in self.copies)
            ready = self.selector.select(max(0.0, until - time.monotonic()))
            now = time.monotonic()  # what is ready now is not late, however long it takes to judge it
            for key, _ in ready:
                key.data()  # of a copy that is gone by now: does nothing
            for copy in [copy for copy in self.copies if copy.deadline <= now]:
                copy.late()
        self.give_up(self.given_up or Fault("not asked"))

    def start(self) -> None:
        """Have as many copies as there is work for; the first one alone says what the harness is."""
        wanted = min(self.options.jobs if self.session.implementation else 1, max(1, len(self.waiting)))
        while len(self.copies) < wanted and self.given_up is None:
            with interrupts_blocked():  # no copy is ever out of reach
                self.copies.append(_Copy(self))

    def ended(self, copy: "_Copy", fault: Fault | None) -> None:
        """A copy is gone; with a fault, what it was asked beyond the first request goes back."""
        copy.kill()
        self.copies.remove(copy)
        if fault is not None:
            self.blame(copy, fault)
        if self.waiting and self.given_up is None:
            self.session.restarts += fault is not None
            self.start()

    def blame(self, copy: "_Copy", fault: Fault) -> None:
        runs = [asked for asked in copy.asked if asked.cmd == "run"]
        head = copy.asked[0] if copy.asked else None
        if head in runs:
            self.reply(runs.pop(0).place, fault)
        else:
            self.session.problems.append(fault)
        self.waiting.extendleft(asked.place for asked in reversed(runs))
        self.failed_in_a_row += 1
        if head is not None and head.cmd in {"start", "capabilities"}:
            self.given_up = Fault(f"not asked: the harness did not start: {fault.what}", stderr=fault.stderr)
        elif self.failed_in_a_row >= MAX_IN_A_ROW or self.session.restarts >= MAX_RESTARTS:
            self.given_up = Fault("not asked: the harness failed too often")

    def give_up(self, fault: Fault) -> None:
        while self.waiting:
            self.reply(self.waiting.popleft(), fault)

    def kill(self) -> None:
        for copy in self.copies:
            copy.kill()
        self.selector.close()


class _Copy:
    """One process of a harness."""

    def __init__(self, pool: _Pool) -> None:
        self.pool, self.seq = pool, 0
        self.asked: deque[_Asked] = deque()
        self.outgoing, self.incoming, self.errors = bytearray(), bytearray(), bytearray()
        self.ready = self.stopped = self.gone = False
        try:
            self.process = subprocess.Popen(  # noqa: S603 - the user's own command
                pool.words, bufsize=0, stdin=_PIPE, stdout=_PIPE, stderr=_PIPE, start_new_session=True
            )
        except OSError as error:
            raise UsageError(f"--harness: expected a command, found {shown(pool.words[0])}: {error.strerror}") from None
        self.stdin, self.stdout, self.stderr = (
            _pipe(pipe) for pipe in (self.process.stdin, self.process.stdout, self.process.stderr)
        )
        pool.selector.register(self.stdout, selectors.EVENT_READ, self.read)
        pool.selector.register(self.stderr, selectors.EVENT_READ, self.read_errors)
        self.touch()
        self.ask("start", protocol=PROTOCOL)

    # --- asking ---

    def touch(self) -> None:
        """Give the request at the head its time; to start may take longer."""
        self.patience = self.pool.options.timeout if self.ready else self.pool.options.start
        self.deadline = time.monotonic() + self.patience

    def ask(self, cmd: str, place: int = -1, **content: Any) -> None:
        self.seq = next_seq(self.seq, content.get("vector", cmd))
        line = request(self.seq, cmd, **content)
        self.asked.append(_Asked(cmd, self.seq, place, len(line)))
        self.outgoing += line
        self.write()

    def ask_more(self) -> None:
        """Send what may be sent ahead; when nothing is left, stop."""
        if not self.ready or self.stopped:
            return
        while self.pool.waiting and self.may_ask():
            self.ask_next(self.pool.waiting.popleft())
        if not self.asked:
            self.stopped = True
            self.ask("stop")

    def may_ask(self) -> bool:
        """Whether it is not too far ahead for another request."""
        options, ahead = self.pool.options, len(self.asked)
        size = sum(asked.size for asked in self.asked)
        return self.pool.given_up is None and ahead < options.ahead and (not ahead or size < options.bytes_ahead)

    def ask_next(self, place: int) -> None:
        task = self.pool.tasks[place]
        if task.operation in self.pool.session.operations or self.pool.options.beyond:
            content = {"vector": task.name, "operation": task.operation, "arguments": task.arguments()}
            self.ask("run", place, **content)
        else:
            self.pool.reply(place, {"skipped": f"the harness does not list the operation {task.operation}"})

    def write(self) -> None:
        """Write what the pipe takes; the rest when it takes more."""
        if self.gone:
            return
        try:
            while self.outgoing:
                del self.outgoing[: os.write(self.stdin, self.outgoing[:CHUNK])]
        except BlockingIOError:
            pass
        except OSError:
            self.outgoing.clear()  # its end is seen where it is read
        self.watch_stdin(bool(self.outgoing))

    def watch_stdin(self, wanted: bool) -> None:
        watched = self.stdin in self.pool.selector.get_map()
        if wanted and not watched:
            self.pool.selector.register(self.stdin, selectors.EVENT_WRITE, self.write)
        elif watched and not wanted:
            self.pool.selector.unregister(self.stdin)

    # --- listening ---

    def read_errors(self) -> None:
        if self.gone:
            return
        data = _read(self.stderr)
        self.errors = (self.errors + data)[-STDERR_KEPT:]
        if not data:
            self.pool.selector.unregister(self.stderr)

    def read(self) -> None:
        if self.gone:
            return
        data = _read(self.stdout)
        if not data:
            self.at_end()
            return
        start = len(self.incoming)
        self.incoming += data
        try:
            self.take_lines(start)
        except ProtocolError as error:
            self.fail(str(error))

    def take_lines(self, start: int) -> None:
        """Take the whole lines among what came in."""
        taken = 0
        while (end := self.incoming.find(b"\n", max(start, taken))) >= 0:
            self.take(bytes(self.incoming[taken:end]))
            taken = end + 1
        del self.incoming[:taken]
        if len(self.incoming) > MAX_ANSWER:
            raise ProtocolError(f"expected a line of at most {MAX_ANSWER} bytes")
        self.ask_more()

    def take(self, line: bytes) -> None:
        """Take a line as the answer to the first request under way."""
        if len(line) > MAX_ANSWER:
            raise ProtocolError(f"expected a line of at most {MAX_ANSWER} bytes")
        if not self.asked:
            raise ProtocolError(f"expected nothing after the answer to stop, found {_text(line)}")
        asked = self.asked[0]
        answer = parse_answer(line, asked.cmd)
        if answer.pop("seq") != asked.seq:
            raise ProtocolError("expected the seq of the request, found another: an answer is missing, or nobody asked")
        self.understand(asked, answer)
        self.asked.popleft()
        self.touch()

    def understand(self, asked: _Asked, answer: dict[str, Any]) -> None:
        session = self.pool.session
        if asked.cmd == "start":
            session.implementation = answer["implementation"]
            self.ask("capabilities")
        elif asked.cmd == "capabilities":
            operations, details = tuple(answer["operations"]), answer["details"]
            if session.operations and (session.operations, session.details) != (operations, details):
                raise ProtocolError("expected the capabilities of the copy before, found others")
            session.operations, session.details = operations, details
            self.ready = True
            self.pool.start()
        elif asked.cmd == "run":
            self.pool.failed_in_a_row = 0
            self.pool.reply(asked.place, answer)

    # --- ending ---

    def late(self) -> None:
        """The head of the requests has had its time."""
        seconds = f"{self.patience:g} s"
        if self.process.poll() is not None:  # something else holds its output
            self.fail(_ending(self.process.returncode))
        elif self.asked:
            hint = "is standard output flushed after each line?" if not self.incoming else "a line has no end"
            self.fail(f"no answer to {self.asked[0].cmd} within {seconds} ({hint})", timed_out=True)
        else:
            self.fail(f"expected an end after the answer to stop, found none within {seconds}")

    def at_end(self) -> None:
        """Standard output is closed."""
        self.pool.selector.unregister(self.stdout)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(GRACE)
        code = self.process.returncode
        if self.asked:
            self.fail(f"{_ending(code)} before the answer to {self.asked[0].cmd}")
        elif code != 0:
            self.fail(f"expected exit code 0 after stop: {_ending(code)}")
        elif self.incoming:
            self.fail(f"expected nothing after the answer to stop, found {_text(self.incoming)}")
        else:
            self.pool.ended(self, None)

    def fail(self, what: str, timed_out: bool = False) -> None:
        with suppress(OSError):
            self.errors = (self.errors + _read(self.stderr))[-STDERR_KEPT:]
        self.pool.ended(self, Fault(what, timed_out, _last_lines(self.errors)))

    def kill(self) -> None:
        """End the process and its group, and close the pipes."""
        if self.gone:
            return
        self.gone = True
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.stdin, self.stdout, self.stderr):
            with suppress(KeyError):
                self.pool.selector.unregister(pipe)
        for file in (self.process.stdin, self.process.stdout, self.process.stderr):
            if file is not None:
                file.close()


def _pipe(file: IO[bytes] | None) -> int:
    """Return a pipe as something that never blocks."""
    if file is None:
        raise TypeError("a pipe was asked for")
    os.set_blocking(file.fileno(), False)
    return file.fileno()


def _read(pipe: int) -> bytes:
    """Read what is there; nothing means the end. Raises: BlockingIOError."""
    return os.read(pipe, CHUNK)


def _ending(code: int | None) -> str:
    if code is None:
        return "it closed its standard output"
    if code < 0:
        return (
            f"it was ended by {signal.Signals(-code).name}" if -code in set(signal.Signals) else f"it ended by {code}"
        )
    return f"it ended with exit code {code}"


def _text(data: bytes | bytearray) -> str:
    return shown(data[:80].decode("utf-8", "replace"))


def _last_lines(data: bytes | bytearray) -> tuple[str, ...]:
    lines = data.decode("utf-8", "replace").splitlines()[-STDERR_LINES:]
    return tuple(ascii(line)[1:-1][:200] for line in lines)

"""Checking logs: each validator is replayed as a stream, the streams advance together, and validators are compared."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from attrs import evolve, frozen

from linera_invariants.conform.lists import OURS
from linera_invariants.convictions import convicted
from linera_invariants.errors import UsageError
from linera_invariants.inputs import InputError
from linera_invariants.reports import counted
from linera_invariants.traces import Document
from linera_reference.certificate import Certificate
from linera_reference.notation import PublicKey
from linera_reference.rejections import Rejected

from .across import Across, Conflict, Where
from .lines import Event, Header, Log, item_of, open_log
from .nearest import enabled, situation
from .picture import picture_of
from .replayer import Difference, Errors, Fact, Node, Replayer, node_for, replayer
from .workers import in_processes

BATCH: Final = 64
"""Events that one validator is ahead when the next one advances."""
LOOK_AHEAD: Final = 16
"""Lines after a divergence that are looked at for what would have been accepted."""
MOST_CONFLICTS: Final = 100
"""Conflicts that are reported."""

T = TypeVar("T")
Progress: TypeAlias = Callable[[str], None]
Clash: TypeAlias = tuple[Conflict, tuple[PublicKey, ...]]
"""A conflict, and whom two certificates convict, if there are two."""


@frozen
class Options:
    """How to check: without signatures, with an implementer's error names, how late a delivery may be, a picture."""

    signatures: bool = True
    errors: Errors = OURS
    late: int = 32
    picture: bool = False


STRICT: Final = Options()


@frozen
class Batch:
    """Events of one file were explained, and what others should know of them."""

    path: Path
    events: int
    facts: tuple[Fact, ...]


@frozen
class FileReport:
    """How far a file was explained. Of a validator's later files none is, after a divergence (``skipped``)."""

    path: Path
    validator: PublicKey
    events: int
    delivered: int
    truncated: int | None = None
    difference: Difference | None = None
    situation: str = ""
    nearest: tuple[str, ...] = ()
    picture: Document | None = None
    skipped: bool = False


Result: TypeAlias = Batch | FileReport
Group: TypeAlias = tuple[Path, ...]
"""The files of one validator, in order."""


@frozen
class CheckReport:
    """What came out of a check. ``window`` is the greatest number of places that had to be compared at a time."""

    files: tuple[FileReport, ...]
    conflicts: tuple[Clash, ...]
    window: int

    @property
    def holds(self) -> bool:
        """Whether every event was explained and validators agree."""
        return not self.conflicts and not any(file.difference for file in self.files)

    @property
    def events(self) -> int:
        """How many events were explained."""
        return sum(file.events for file in self.files)

    def summary(self) -> str:
        """Return the verdict in a line."""
        parted = sum(file.difference is not None for file in self.files)
        found = [counted(parted, "divergence")] if parted else []
        found += [counted(len(self.conflicts), "conflict")] if self.conflicts else []
        verdict = " and ".join(found) or "the reference explains every event"
        return f"{counted(len(self.files), 'file')}, {counted(self.events, 'event')}: {verdict}"


# --- One validator -----------------------------------------------------------------------------------------------


def replay_files(paths: Group, node: Node, options: Options) -> Iterator[Result]:
    """Replay the files of one validator, in order, up to the first divergence. Raises: InputError."""
    running: Replayer | None = None
    parted = False
    for log in map(open_log, paths):
        running = running or replayer(node, log.header)
        if parted:
            yield FileReport(log.path, log.header.validator, 0, 0, skipped=True)
            continue
        before = running.events, running.delivered
        different = yield from _replay(log, running)
        events, delivered = running.events - before[0], running.delivered - before[1]
        truncated = log.truncated[0] if log.truncated else None
        report = FileReport(log.path, log.header.validator, events, delivered, truncated)
        parted = different is not None
        yield report if different is None else _explained(report, log, running, *different, picture=options.picture)


def _replay(log: Log, running: Replayer) -> Generator[Batch, None, tuple[Event, Difference] | None]:
    """Replay a file; return the event that is not explained, if there is one."""
    start = running.events
    for event in log.events:
        difference = running.take(event)
        if difference is not None or running.events - start >= BATCH:
            yield _batch(log, running, running.events - start)
            start = running.events
        if difference is not None:
            return event, difference
    yield _batch(log, running, running.events - start)
    return None


def _batch(log: Log, running: Replayer, events: int) -> Batch:
    facts, running.facts = running.facts, []
    return Batch(log.path, events, tuple(facts))


def _explained(
    report: FileReport, log: Log, running: Replayer, event: Event, difference: Difference, picture: bool
) -> FileReport:
    """Add to a divergence what the reference knows, what it would accept, and a picture."""
    item = item_of(event)
    report = evolve(report, difference=difference)
    if difference.chain is not None:
        known, nearest = situation(running, difference.chain), enabled(running, difference.chain, item, _upcoming(log))
        report = evolve(report, situation=known, nearest=tuple(nearest))
    drawn = None if isinstance(item, Rejected) else item
    if picture and (running.last or drawn):
        words = f"line {difference.line}: expected {difference.expected}; found {difference.found}"
        report = evolve(report, picture=picture_of(log.header, running.last, running.validator, drawn, words))
    return report


def _upcoming(log: Log) -> list[Event]:
    found: list[Event] = []
    with suppress(InputError):
        found.extend(islice(log.events, LOOK_AHEAD))
    return found


# --- Several -----------------------------------------------------------------------------------------------------


def check_logs(
    paths: Sequence[Path], options: Options = STRICT, jobs: int = 1, progress: Progress = lambda _: None
) -> CheckReport:
    """Check logs of one network: files of one validator continue one another, in the order given.

    Raises:
        UsageError: the logs are not of one network, or a file is wrong.
    """
    groups, header = grouped(paths)
    across = Across(frozenset(groups), set(groups))
    files: dict[Path, FileReport] = {}
    clashes: list[Clash] = []
    left = {key: len(group) for key, group in groups.items()}
    for result in _results(list(groups.values()), options, jobs):
        if isinstance(result, Batch):
            key = _owner(groups, result.path)
            clashes += _clashes(header, across, key, result, MOST_CONFLICTS - len(clashes))
            continue
        files[result.path] = result
        progress(result.path.name)
        left[result.validator] -= 1
        if result.difference is not None or not left[result.validator]:
            across.end(result.validator)
    return CheckReport(tuple(files[path] for path in paths), tuple(clashes), across.most)


def grouped(paths: Sequence[Path]) -> tuple[dict[PublicKey, Group], Header]:
    """Group files by validator, and make sure that they are of one network. Raises: UsageError."""
    groups: dict[PublicKey, Group] = {}
    headers = [(path, open_log(path).header) for path in paths]
    for path, header in headers:
        _check_alike(headers[0], path, header, _network_of)
        group = groups.setdefault(header.validator, ())
        if path in group:
            raise UsageError(f"{path}: expected each file once")
        first = next(found for found in headers if found[1].validator == header.validator)
        _check_alike(first, path, header, _deliveries_of)
        groups[header.validator] = (*group, path)
    return groups, headers[0][1]


def _check_alike(first: tuple[Path, Header], path: Path, header: Header, part: Callable[[Header], object]) -> None:
    if part(header) != part(first[1]):
        what = "network" if part is _network_of else "deliveries"
        raise InputError(path, "line 1", f"expected the same {what} as in {first[0]}")


def _network_of(header: Header) -> object:
    return header.crypto, header.context, header.genesis


def _deliveries_of(header: Header) -> object:
    return header.logged


def _owner(groups: dict[PublicKey, Group], path: Path) -> PublicKey:
    return next(key for key, group in groups.items() if path in group)


def _results(groups: Sequence[Group], options: Options, jobs: int) -> Iterator[Result]:
    """Replay validators, each a little at a time; with several jobs, in as many processes, but in the same order."""
    if jobs == 1 or len(groups) == 1:
        yield from replay_groups(groups, options)
        return
    shares = [groups[start::jobs] for start in range(min(jobs, len(groups)))]
    with in_processes(replay_groups, [(share, options) for share in shares]) as streams:
        split = [_split(stream, share) for stream, share in zip(streams, shares, strict=True)]
        yield from in_turn(split[place % jobs][place // jobs] for place in range(len(groups)))


def _split(stream: Iterator[Result], groups: Sequence[Group]) -> list[Iterator[Result]]:
    """Take the results of several validators apart; each ends with the report of its last file."""
    waiting: list[deque[Result]] = [deque() for _ in groups]

    def of_one(place: int) -> Iterator[Result]:
        left = len(groups[place])
        while left:
            while not waiting[place]:
                result = next(stream)
                waiting[next(n for n, group in enumerate(groups) if result.path in group)].append(result)
            result = waiting[place].popleft()
            left -= isinstance(result, FileReport)
            yield result

    return [of_one(place) for place in range(len(groups))]


def replay_groups(groups: Sequence[Group], options: Options) -> Iterator[Result]:
    """Replay validators that share what is remembered."""
    header = open_log(groups[0][0]).header
    node = node_for(header, not options.signatures, options.errors, options.late)
    yield from in_turn([replay_files(group, node, options) for group in groups])


def in_turn(streams: Iterable[Iterator[T]]) -> Iterator[T]:
    """Take one item of each stream after the other, until all have ended."""
    waiting = list(streams)
    while waiting:
        for stream in list(waiting):
            found = next(stream, None)
            if found is None:
                waiting.remove(stream)
            else:
                yield found


def _clashes(header: Header, across: Across, key: PublicKey, batch: Batch, most: int) -> list[Clash]:
    found = [conflict for fact in batch.facts for conflict in across.learn(key, batch.path, fact)]
    return [(conflict, _convicted(header, conflict)) for conflict in found[:most]]


def _convicted(header: Header, conflict: Conflict) -> tuple[PublicKey, ...]:
    """Return whom the certificates behind a conflict convict; of a vote there is no certificate."""
    if conflict.statement != "S4":
        return ()
    one, two = (_certificate_at(where) for where in conflict.places)
    if one is None or two is None:
        return ()
    return tuple(sorted(convicted(header.context.scheme, header.context.committee, one, two)))


def _certificate_at(where: Where) -> Certificate | None:
    """Read a certificate again."""
    path, line = where
    item = item_of(next(event for event in open_log(path).events if event.line == line))
    return item if isinstance(item, Certificate) else None

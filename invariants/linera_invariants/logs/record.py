"""Making logs: the lines of the format, and the logs of the correct validators of a played scenario."""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from linera_invariants.audit_files import application_of, committee_rows, genesis_rows
from linera_invariants.driver import Step
from linera_invariants.inputs import InputError, write_atomically
from linera_invariants.play import Run
from linera_invariants.story import show_chain
from linera_invariants.vectors.replay import Archive, Crash, SendAgain, Service, target
from linera_invariants.vectors.snapshot import digest_of_chain
from linera_reference.certificate import Vote
from linera_reference.encoding import encode
from linera_reference.network import ArchiveChain, Deliver, Network, Resend, Restart, World, initial_world
from linera_reference.notation import PublicKey
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.rejections import Accepted, Outcome, Rejected
from linera_reference.validator import chain_of

from .lines import ITEMS, SERVICES, VERSION, Received

SUFFIX: Final = ".log.jsonl"
_KINDS: Final[dict[Any, str]] = {kind: name for name, kind in (ITEMS | SERVICES).items()}


@frozen
class Recording:
    """What to write: whether deliveries between a validator's chains are events, and whether digests are added."""

    deliveries: bool = True
    states: bool = True


EVERYTHING: Final = Recording()


def line_of(document: dict[str, Any]) -> bytes:
    """Return a line of a log."""
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def header_line(network: Network, crypto: str, validator: PublicKey, deliveries: bool) -> bytes:
    """Return the first line of a validator's log."""
    genesis, rules = network.genesis, network.context.rules
    header = {
        "log": VERSION,
        "crypto": crypto,
        "application": application_of(network.context),
        "committee": committee_rows(genesis.committee),
        "genesis": genesis_rows(genesis.chains),
        "rules": {"quorum": rules.quorum.name, "anticipation": rules.anticipation.name},
        "deliveries": "logged" if deliveries else "unlogged",
        "validator": validator.hex(),
    }
    return line_of(header)


def event_line(item: Received, outcome: Outcome[Any], state: str | None = None) -> bytes:
    """Return the line of an event: what was received, what was answered, and the state digest if it is wanted."""
    text = show_chain(item.chain_id) if isinstance(item, Service) else encode(item).hex()
    answer: dict[str, Any]
    if isinstance(outcome, Rejected):
        answer = {"rejected": outcome.reason.name}
    else:
        answer = {"accepted": [encode(vote).hex() for vote in outcome.outputs if isinstance(vote, Vote)]}
    return line_of({_KINDS[type(item)]: text, **answer, **({} if state is None else {"state": state})})


# --- Scenarios ---------------------------------------------------------------------------------------------------


def logs_of(run: Run, recording: Recording = EVERYTHING) -> dict[str, bytes]:
    """Return the log of each correct validator of a played scenario, by name."""
    network = run.driver.network
    correct = [key for key in run.validators.values() if key not in network.byzantine]
    lines = {key: [header_line(network, run.crypto, key, recording.deliveries)] for key in correct}
    for key, line in _events(network, run.driver.trace, recording):
        lines[key].append(line)
    return {run.names[key]: b"".join(found) for key, found in lines.items()}


def _events(network: Network, trace: Iterable[Step], recording: Recording) -> Iterator[tuple[PublicKey, bytes]]:
    world: World = initial_world(network)
    for step in trace:
        world = step.outcome.state if isinstance(step.outcome, Accepted) else world
        for key, item in _received(step, world):
            if recording.deliveries or not isinstance(item, UpdateRecipient | ConfirmUpdatedRecipient):
                chain = chain_of(world.validators[key], target(item))
                yield key, event_line(item, step.outcome, digest_of_chain(chain) if recording.states else None)


def _received(step: Step, world: World) -> Iterator[tuple[PublicKey, Received]]:
    """Yield what a validator received in a step, if one did; after a restart, every chain is read back."""
    match step.action:
        case Deliver(key, item):
            yield key, item
        case Resend(key, chain_id):
            yield key, SendAgain(chain_id)
        case ArchiveChain(key, chain_id):
            yield key, Archive(chain_id)
        case Restart(key):
            yield from ((key, Crash(chain_id)) for chain_id in sorted(world.validators[key].chains))


def write_log(path: Path, data: bytes) -> None:
    """Write a log, compressed if its name ends in `.gz`. Raises: InputError."""
    write_atomically(path, gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)


def write_logs(folder: Path, stem: str, logs: dict[str, bytes]) -> list[Path]:
    """Write a log per validator into a folder, which is made. Raises: InputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        found = (error.strerror or "an error").lower()
        raise InputError(folder, "folder", f"expected a place for a folder, found: {found}") from None
    paths = {name: folder / f"{stem}.{name}{SUFFIX}" for name in logs}
    for name, path in paths.items():
        write_log(path, logs[name])
    return list(paths.values())

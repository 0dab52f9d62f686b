"""Runs of the network as files: recorded once from a machine, a model or a scenario, replayed by every build.

A run file holds the network and its actions in their JSON forms; forms that repeat are written once. A recorded run
becomes vectors (:mod:`.cases.scenarios`), a trace and a picture.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

from attrs import frozen
from immutables import Map

from linera_invariants.inputs import InputError, read_bytes, shown, write_atomically
from linera_invariants.play import start
from linera_invariants.scenarios import read_scenario
from linera_invariants.specdata import spec_root
from linera_invariants.traces import Document, trace_of
from linera_reference.network import Action, ArchiveChain, Deliver, Network, Resend, Restart
from linera_reference.notation import PublicKey

from .build import Sharing
from .files import Expansion, parse_document
from .forms import FormError, form_of, value_of
from .replay import Archive, Crash, Input, SendAgain

FORMAT: Final = "linera-reference run 1"
MAX_BYTES: Final = 1 << 20
ADVERSARY: Final = ("WP-2.2-ADVERSARY",)


@frozen
class RecordedRun:
    """A run: what it shows, the clauses that it exercises, where it comes from, who is who, and what is done."""

    title: str
    clauses: tuple[str, ...]
    source: str
    names: Map[PublicKey, str]
    network: Network
    actions: tuple[Action, ...]


def run_bytes(run: RecordedRun) -> bytes:
    """Return the file of a run: one action a line."""
    form = form_of(RecordedRun, run)
    shared = Sharing([form["network"], form["actions"]])
    short = {key: shared.short(value) for key, value in form.items()}
    lines = [f" {json.dumps(key)}: {json.dumps(short[key])}" for key in short if key != "actions"]
    rows = ",\n".join(f"  {json.dumps(action)}" for action in short["actions"])
    table = ",\n".join(f"  {json.dumps(name)}: {json.dumps(body)}" for name, body in shared.table().items())
    parts = [f' "format": {json.dumps(FORMAT)}', *lines, f' "shared": {{\n{table}\n }}', f' "actions": [\n{rows}\n ]']
    return ("{\n" + ",\n".join(parts) + "\n}\n").encode()


def write_run(path: Path, run: RecordedRun) -> None:
    """Write a run file. Raises: InputError (too long a run, or the place cannot be written)."""
    data = run_bytes(run)
    if len(data) > MAX_BYTES:
        raise InputError(path, "file", f"expected a run of at most {MAX_BYTES} bytes, found {len(data)}")
    write_atomically(path, data)


def read_run(path: Path) -> RecordedRun:
    """Read a run file. Raises: InputError."""
    document = parse_document(path, read_bytes(path, MAX_BYTES), FORMAT)
    wanted = {"format", "shared", "title", "clauses", "source", "names", "network", "actions"}
    if set(document) != wanted:
        raise InputError(
            path, "document", f"expected the keys {', '.join(sorted(wanted))}, found {shown(sorted(document))}"
        )
    expansion = Expansion(path, document["shared"])
    form = {key: expansion.expand(document[key], key) for key in sorted(wanted - {"format", "shared"})}
    try:
        run: RecordedRun = value_of(RecordedRun, form)
    except FormError as error:
        raise InputError(path, "document", str(error)) from None
    _check(path, run)
    return run


def _check(path: Path, run: RecordedRun) -> None:
    """Accept a run whose every validator has a key and every participant a name of its own. Raises: InputError."""
    members = set(run.network.genesis.committee.weights)
    if not members <= set(run.network.signers):
        raise InputError(path, "network", "expected a key pair for every validator")
    if not members <= set(run.names) or len(set(run.names.values())) < len(run.names):
        raise InputError(path, "names", "expected a name of its own for every validator")


def run_of_scenario(path: Path) -> RecordedRun:
    """Play a scenario and return what was done. Raises: UsageError."""
    scenario = read_scenario(path)
    played = start(scenario)
    played.driver.observe = None  # nobody judges here
    played.play_all(lambda: None)
    actions = tuple(step.action for step in played.driver.trace)
    source, names = f"scenario {scenario.name}", Map(played.names)
    return RecordedRun(scenario.title, scenario.clauses, source, names, played.driver.network, actions)


def trace_of_run(run: RecordedRun) -> Document:
    """Replay a run through the shipped rules, and describe it."""
    return trace_of(run.network, run.actions, run.title, run.names, run.source)


def runs_root() -> Path:
    """Return the folder of the shipped runs."""
    return spec_root() / "vectors" / "runs"


def shipped_runs() -> Iterator[tuple[str, RecordedRun]]:
    """Yield the runs that come with the specification, by name."""
    for path in sorted(runs_root().glob("*.json")):
        yield path.stem, read_run(path)


# --- What one validator sees -------------------------------------------------------------------------------------

Inputs: TypeAlias = tuple[Input, ...]


def inputs_of(run: RecordedRun) -> Iterator[tuple[PublicKey, Inputs]]:
    """Yield, for each correct validator, what a run gives to it; the same inputs once."""
    seen: set[str] = set()
    for key in sorted(run.names):
        inputs = tuple(item for action in run.actions for item in given(run.network, key, action))
        text = str(form_of(tuple[Input, ...], inputs))
        if inputs and key not in run.network.byzantine and text not in seen:
            seen.add(text)
            yield key, inputs


def given(network: Network, key: PublicKey, action: Action) -> Iterator[Input]:
    """Yield what an action gives to a validator, if it does."""
    match action:
        case Deliver(validator, item) if validator == key:
            yield item
        case Resend(validator, chain_id) if validator == key:
            yield SendAgain(chain_id)
        case ArchiveChain(validator, chain_id) if validator == key:
            yield Archive(chain_id)
        case Restart(validator) if validator == key:
            yield Crash(network.genesis.chains[0].chain_id)

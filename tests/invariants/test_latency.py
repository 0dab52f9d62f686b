"""Latency: 3 delays with one owner, 5 with several, whoever is silent within f; the docs show what is measured."""

from pathlib import Path

import pytest

from linera_invariants import latency
from linera_invariants.bench import BENCHES
from linera_invariants.latency import CLAIMED, NAMES, SETTINGS, SEVERAL, SINGLE, Latency, Setting, measure
from linera_reference.committee import max_faulty

PAGE = Path(__file__).parents[2] / "docs" / "permissioned.md"


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_the_claims_hold_exactly(setting: Setting):
    claimed = CLAIMED[setting.owner]
    assert measure(setting) == Latency(claimed, claimed)


def test_some_settings_have_as_many_silent_rights_as_the_bound_allows():
    shares = [(sum(s.weights[: s.silent]), max_faulty(sum(s.weights))) for s in SETTINGS if s.silent]
    assert shares
    assert all(silent == bound > 0 for silent, bound in shares)
    assert any(len(set(setting.weights)) > 1 for setting in SETTINGS)


def test_a_set_of_one_owner_takes_the_longer_protocol():
    assert measure(Setting((1, 1, 1, 1), 0, ("alice",))) == Latency(5, 5)


@pytest.mark.parametrize("owner", [SINGLE, SEVERAL])
def test_beyond_the_bound_nothing_is_committed(owner: latency.OwnerSpec):
    with pytest.raises(RuntimeError, match="no quorum answers"):
        measure(Setting((1, 1, 1, 1), 2, owner))


def test_a_slower_protocol_is_noticed(monkeypatch: pytest.MonkeyPatch):
    assert BENCHES["latency"]().holds
    monkeypatch.setitem(CLAIMED, SEVERAL, 4)
    result = BENCHES["latency"]()
    assert not result.holds
    assert all(figure.met is figure.label.startswith("single") for figure in result.figures)


def test_the_documentation_shows_what_is_measured():
    text = PAGE.read_text()
    for setting in SETTINGS:
        found = measure(setting)
        silent, claim = sum(setting.weights[: setting.silent]), f"{CLAIMED[setting.owner] / 2} round trips"
        cells = (NAMES[setting.owner], " ".join(map(str, setting.weights)), silent, found.first, found.quorum, claim)
        assert f"| {' | '.join(map(str, cells))} |" in text

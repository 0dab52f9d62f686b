"""The page of broken variants: generated from trace files, complete, and empty without any."""

import sys
from pathlib import Path

import pytest
from runs import attack

from linera_invariants.traces import story_of, svg_of, write_trace

sys.path.insert(0, str(Path(__file__).parents[3] / "docs" / "_ext"))

import tracepages


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A specification's folder for traces, empty."""
    monkeypatch.setattr(tracepages, "spec_root", lambda: tmp_path)
    (tmp_path / "traces").mkdir()
    return tmp_path / "traces"


def test_a_broken_variant_has_sentence_edit_statement_picture_page_and_story(shipped: Path):
    write_trace(shipped / "broken-vote-twice.json", attack())
    pages = tracepages.pages()
    text = pages["broken-rules.md"]
    for part in (
        "## vote-twice\n\nA validator votes for any block of the next height",
        "--- certification:already_voted\n",
        "Then [S4](#S4) does not hold: Under the fault bound",
        "```{image} traces/broken-vote-twice.svg",
        'href="../trace-broken-vote-twice.html"',
        "\n".join(story_of(attack())),
    ):
        assert part in text
    assert pages["traces/broken-vote-twice.svg"] == svg_of(attack())
    assert pages["viewer/trace-broken-vote-twice.html"].startswith("<!doctype html>")


def test_without_traces_the_page_says_so(shipped: Path):
    assert tracepages.pages()["broken-rules.md"].endswith("No trace of a broken variant comes with this version.\n")


def test_pictures_are_small_enough_for_documents(shipped: Path):
    sizes = {name: len(text.encode()) for name, text in tracepages.pages().items() if name.endswith(".svg")}
    assert sizes
    assert all(size < 70_000 for size in sizes.values())

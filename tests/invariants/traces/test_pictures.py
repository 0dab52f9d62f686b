"""Pictures: well-formed, the same every time, every step drawn where it belongs, nothing on top of something else."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import pytest
from runs import attack, hostile, scenario

from linera_invariants.scenarios import shipped_scenarios
from linera_invariants.specdata import spec_root
from linera_invariants.traces import read_trace, svg_of
from linera_invariants.traces.lanes import lanes_of
from linera_invariants.traces.picture import picture_of
from linera_invariants.traces.words import clipped, lines_of, width_of

SVG = "{http://www.w3.org/2000/svg}"
NAMES = [path.stem for path in shipped_scenarios()]


def steps(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [event for event in document["events"] if event["event"] == "step"]


def drawn(document: dict[str, Any]) -> Element:
    return ET.fromstring(svg_of(document))


def classes(part: Element) -> set[str]:
    return set(part.get("class", "").split())


@pytest.mark.parametrize("name", NAMES)
def test_every_scenario_can_be_drawn(name: str):
    document = scenario(name)
    assert svg_of(document) == svg_of(document)
    found = drawn(document)
    numbers = [part.text for part in found.iter(f"{SVG}text") if "number" in classes(part)]
    assert numbers == [str(n) for n in range(1, len(steps(document)) + 1)]
    crosses = sum("refused" in classes(part) for part in found.iter(f"{SVG}g"))
    assert crosses == sum("refusal" in step for step in steps(document)) + 1, "one more is in the key"
    assert "data-" not in svg_of(document)


def test_long_pictures_repeat_their_heads():
    heads = [part.text for part in drawn(scenario("01-tour")).iter(f"{SVG}text") if part.text == "carol"]
    assert len(heads) == 4


def test_each_step_is_drawn_on_its_lanes():
    document = scenario("01-tour")
    picture = picture_of(document)
    for step in steps(document):
        lanes = {int(part.get("data-lane", -1)) for part in picture.row(step)} - {-1}
        if step["action"] == "propose":
            assert lanes == {picture.lanes.of_owner(step["by"]), picture.lanes.sent}
        elif step["action"] == "certify":
            voters = {picture.lanes.of_cell(voter, step["chain"]) for voter in step["voters"]}
            assert lanes == voters | {picture.lanes.sent}
        elif step["action"] in {"update", "confirm"}:
            ends = (step["message"]["from"], step["message"]["to"])
            assert lanes == {picture.lanes.of_cell(step["at"], chain) for chain in ends}
        else:
            assert lanes == {picture.lanes.of_cell(step["at"], step["chain"])}


def test_arrows_point_from_where_things_come_from():
    picture = picture_of(scenario("01-tour"))
    for step in steps(picture.document):
        for arrow in (part for part in picture.row(step) if part.tag == "line"):
            start, end = int(arrow.get("data-from", "")), int(arrow.get("data-to", ""))
            x1, x2 = float(arrow.get("x1", "")), float(arrow.get("x2", ""))
            assert (x1 < x2) is (start < end), "an arrow is longer than its ends take away"


def test_the_adversary_is_marked():
    document = attack()
    lanes = lanes_of(document)
    assert [lane.head for lane in lanes.items if lane.bad] == ["mallory", "v4"]
    votes = [step for step in steps(document) if step["action"] == "vote"]
    for step in votes:
        assert any({"vote", "bad"} <= classes(part) for part in picture_of(document).row(step))


def test_the_violation_is_written_below_its_step():
    text = " ".join(part.text or "" for part in drawn(attack()).iter(f"{SVG}text"))
    assert "S4 CertificateUniqueness is violated" in text
    assert "Under the fault bound, two verified Confirmed certificates" in text
    assert "WP-2.2-QUORUM-INTERSECTION" in text
    assert "Broken rule: A validator votes for any block" in text


# --- nothing on top of something else ------------------------------------------------------------------------------


def rows(found: Element) -> Iterator[tuple[float, float, Element]]:
    """Walk what is placed on the sheet, with its place."""
    for group in found.findall(f"{SVG}g"):
        place = re.fullmatch(r"translate\((-?[\d.]+) (-?[\d.]+)\)", group.get("transform", ""))
        assert place is not None
        yield float(place[1]), float(place[2]), group


@pytest.mark.parametrize("document", [*map(scenario, NAMES), attack()], ids=[*NAMES, "attack"])
def test_lines_of_text_neither_overlap_nor_leave_the_sheet(document: dict[str, Any]):
    found = drawn(document)
    width, height = float(found.get("width", 0)), float(found.get("height", 0))
    left = float(next(rows(found))[0])
    lines: dict[float, list[tuple[float, float]]] = {}
    for x, y, group in rows(found):
        for part in group.iter(f"{SVG}text"):
            kind = classes(part)
            if kind & {"sentence", "number", "first", "rest", "title", "subtitle", "broken"}:
                assert y + float(part.get("y", 0)) < height
                size = 18 if "title" in kind else 13
                start, extent = x + float(part.get("x", 0)), width_of(part.text or "", size)
                start -= extent if "number" in kind else 0
                room = left if "sentence" in kind else width
                assert start + extent <= room, part.text
                lines.setdefault(y + float(part.get("y", 0)), []).append((start, start + extent))
    for one in lines.values():
        assert all(before[1] <= after[0] for before, after in pairwise(sorted(one)))
    assert all(below - above >= 15 for above, below in pairwise(sorted(lines)))


@pytest.mark.parametrize("document", [*map(scenario, NAMES), attack()], ids=[*NAMES, "attack"])
def test_marks_of_a_row_do_not_touch(document: dict[str, Any]):
    picture = picture_of(document)
    lanes = picture.lanes
    for step in steps(document):
        for part in picture.row(step):
            for box in part.findall("rect"):
                lane = lanes.items[int(part.get("data-lane", ""))]
                assert float(box.get("width", 0)) <= lane.width
    middles = lanes.middles
    assert all(after - before >= 37 for before, after in pairwise(middles))


# --- hostile and strange texts ---------------------------------------------------------------------------------------


def test_hostile_texts_stay_texts():
    found = drawn(attack(hostile))
    tags = {part.tag.removeprefix(SVG) for part in found.iter()}
    assert tags == {part.tag.removeprefix(SVG) for part in drawn(attack()).iter()}
    assert any(hostile("v1") in (part.text or "") for part in found.iter(f"{SVG}title"))
    assert not any(name.startswith("on") for part in found.iter() for name in part.attrib)


def test_texts_are_broken_and_cut_to_fit():
    assert lines_of("a b", 1000) == ["a b"]
    assert lines_of("", 10) == [""]
    for text in ("x" * 200, "many words " * 30, "漢字" * 40):
        lines = lines_of(text, 200)
        assert len(lines) > 1
        assert all(width_of(line) <= 200 for line in lines)
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")
        assert width_of(clipped(text, 100)) <= 100
        assert clipped(text, 100).endswith("…")
    assert clipped("short", 100) == "short"


def test_weights_are_shown_where_they_differ():
    lanes = lanes_of(scenario("10-weights")).items
    assert {lane.notes for lane in lanes if lane.chain} == {(f"weight {n}",) for n in (0, 1, 2, 4)}
    assert [lane.notes for lane in lanes if lane.bad] == [("Byzantine", "weight 3")]
    assert {lane.notes for lane in lanes_of(scenario("01-tour")).items if lane.chain} == {()}


def test_heads_do_not_overlap():
    for name in NAMES:
        picture = picture_of(scenario(name))
        extents = []
        for head in picture.heads():
            middle = float(head.get("transform", "").removeprefix("translate(").split()[0])
            for text in (part for part in head if part.tag == "text"):
                width = width_of(text.text or "", 14 if text.get("class") == "name" else 11)
                place = float(text.get("y", 0)) if head.get("class", "").startswith("head") else 52
                extents.append((place, middle - width / 2, middle + width / 2))
        for (y, _, end), (other, start, _) in pairwise(sorted(extents)):
            assert other - y >= 11 or (other == y and start >= end), (name, y, other)


def test_rounds_locks_and_restarts_are_drawn():
    document = read_trace(spec_root() / "traces" / "broken-lock-lost-on-restart.json")
    picture = picture_of(document)
    kinds = {"request": {"vote", "open"}, "certificate": {"vote", "lock"}, "restart": {"upkeep"}}
    for step in steps(document):
        marks = [part for part in picture.row(step) if "mark" in classes(part)]
        if step["action"] in kinds:
            (mark,) = marks
            assert kinds[step["action"]] <= classes(mark)
            assert picture.lanes.items[int(mark.get("data-lane", ""))].head == step["at"]
        labels = [text.text for mark in marks for text in mark.iter("text")]
        if "round" in step and labels:
            assert all(str(label).endswith(f"·{step['round']}") for label in labels)
    words = {part.text for part in drawn(document).iter(f"{SVG}text") if "words" in classes(part)}
    assert {"validated", "locked, vote to confirm", "restarts"} <= words

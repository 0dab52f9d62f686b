"""The page in a real browser: it loads from disk, steps with keys, shows the violation, the states and the lanes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Page, browser, find_browser
from runs import attack, hostile, scenario

from linera_invariants.traces import page_of, svg_of
from linera_invariants.traces.svg import TEXT

PROGRAM = find_browser()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium here: install the package chromium")
LATER = "document.querySelectorAll('.rows > .step.later').length"
VISIBLE = "[...document.querySelectorAll('.rows > .step')].filter((row) => row.checkVisibility()).length"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browser(PROGRAM or "", tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture
def load(page: Page, tmp_path: Path) -> Any:
    """Open a trace's page from disk; at the end, it must have loaded nothing else and have failed nowhere."""
    page.events.clear()

    def open_trace(document: dict[str, Any], address: str = "") -> Page:
        (tmp_path / "trace.html").write_text(page_of(document), "utf-8")
        page.open(f"{(tmp_path / 'trace.html').as_uri()}{address}")
        return page

    yield open_trace
    requests = [event["request"]["url"] for event in page.reported("Network.requestWillBeSent")]
    assert all(url.startswith(tmp_path.as_uri()) for url in requests), requests
    assert page.reported("Runtime.exceptionThrown") == page.reported("Log.entryAdded") == []


def text(page: Page, selector: str) -> str:
    found: str = page.ask(f"document.querySelector('{selector}').innerText")
    return " ".join(found.split())


def test_it_opens_at_the_violation(load: Any):
    page = load(attack())
    assert page.ask("location.hash") == "#step=12"
    assert text(page, "header .bad a") == "S4 CertificateUniqueness is violated"
    shown = text(page, ".verdict")
    assert "Under the fault bound, two verified Confirmed certificates" in shown
    assert "WP-2.2-QUORUM-INTERSECTION: Two quorums share a correct validator" in shown
    assert "Found after step 12" in shown
    assert page.ask("document.querySelector('.verdict').checkVisibility()")
    assert "two blocks are certified" in text(page, ".rows > .violation")


def test_keys_go_from_step_to_step(load: Any):
    page = load(attack())
    seen = []
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft", "ArrowLeft", "End", "ArrowRight"):
        page.press(key)
        seen.append((page.ask("location.hash"), page.ask(LATER)))
    numbers = [0, 1, 2, 1, 0, 0, 12, 12]
    assert seen == [(f"#step={number}", 12 - number) for number in numbers]
    page.press("Home")
    assert text(page, "#step h2") == "Before the first of 12 steps"
    assert not page.ask("document.querySelector('.verdict').checkVisibility()")
    page.press("ArrowDown")
    assert page.ask("location.hash") == "#step=0"


def test_buttons_and_links_do_what_keys_do(load: Any):
    page = load(attack())
    seen = []
    for selector in (
        "#first",
        "#forward",
        "#forward",
        "#back",
        "#last",
        ".rows > .step[data-step='7'] a",
        "header .bad a",
    ):
        page.click(selector)
        seen.append(page.ask("location.hash"))
    assert seen == [f"#step={number}" for number in (0, 1, 2, 1, 12, 7, 12)]
    assert page.ask("document.querySelector('[aria-current=step]').dataset.step") == "12"
    assert page.ask("[...document.querySelectorAll('nav button')].map((b) => b.disabled)") == [False, False, True, True]


def test_a_step_shows_what_changed_and_the_state(load: Any):
    page = load(attack(), "#step=2")
    assert "v1 votes for block 0 (a) of chain 0" in text(page, "#step")
    assert "burn 1" in text(page, "#step")
    assert "vote: block 0 (a) of chain 0" in text(page, "#step")
    assert text(page, "tr.changed") == "pending – → block 0 (a)"
    assert (page.ask("document.getElementById('validator').value"), text(page, "#state tr")) == ("v1", "life open")
    page.press("ArrowRight")
    assert page.ask("document.getElementById('validator').value") == "v2"
    page.ask("(s => { s.value = 'v3'; s.dispatchEvent(new Event('change')) })(document.getElementById('validator'))")
    page.press("End")
    assert page.ask("document.getElementById('validator').value") == "v3", "whoever chooses a validator keeps it"
    assert page.ask("document.querySelectorAll('tr.changed').length") == 0


def test_a_refused_step_says_why(load: Any):
    page = load(attack(), "#step=4")
    assert "ACTION_NOT_ENABLED" in text(page, "#step .bad")
    assert "clause WP-2.2-ADVERSARY" in text(page, "#step")
    assert page.ask("document.querySelectorAll('.step.refused .mark.refused').length") == 2


def test_lanes_are_filtered(load: Any):
    page = load(scenario("01-tour"), "#step=80")
    before = page.ask("getComputedStyle(document.documentElement).getPropertyValue('--picture')")
    assert page.ask(VISIBLE) == 80
    page.click("details summary")
    for number in (4, 5, 6):  # v2, v3, v4
        page.ask(f"document.querySelectorAll('#filters input')[{number}].click()")
    kept = [s for s in scenario("01-tour")["events"] if s["event"] == "step" and s.get("at", "v1") == "v1"]
    assert page.ask(VISIBLE) == len(kept)
    after = page.ask("getComputedStyle(document.documentElement).getPropertyValue('--picture')")
    assert int(after.removesuffix("px")) < int(before.removesuffix("px"))
    heads = page.ask(
        "[...document.querySelectorAll('.head')].filter((h) => h.style.display !== 'none').map((h) => h.textContent)"
    )
    assert [head for head in heads if "v" in head] == ["v1v1"]
    page.press("Home")
    for _ in range(4):
        page.press("ArrowRight")
    assert page.ask("document.querySelector('[aria-current=step]').checkVisibility()")
    assert page.ask("location.hash") == "#step=6", "steps of hidden lanes are passed over"
    for number in (4, 5, 6):
        page.ask(f"document.querySelectorAll('#filters input')[{number}].click()")
    assert page.ask(VISIBLE) == 80
    assert page.ask("getComputedStyle(document.documentElement).getPropertyValue('--picture')") == before


@pytest.mark.parametrize("address", ["", "#step=0", "#step=999999999", "#step=-1", "#<script>", "#step=1e3"])
def test_any_address_opens_the_page(load: Any, address: str):
    number = {"#step=0": 0}.get(address, 12)
    assert load(attack(), address).ask("location.hash") == f"#step={number}"


def test_hostile_texts_run_nothing_and_are_shown_as_they_are(load: Any):
    page = load(attack(hostile), "#step=2")
    assert page.ask("document.querySelectorAll('img, .run script, aside script').length") == 0
    assert page.ask("document.scripts.length") == 2
    assert hostile("v1") in page.ask("document.getElementById('step').textContent")
    assert hostile("v1") in page.ask("document.getElementById('validator').textContent")


def test_narrow_screens_scroll_only_inside(load: Any):
    page = load(scenario("01-tour"), "#step=5")
    for width, height in ((1200, 900), (390, 844), (320, 568)):
        page.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        assert page.ask("document.documentElement.scrollWidth <= innerWidth")
        assert page.ask("document.querySelector('.step.now a').getBoundingClientRect().right <= innerWidth")
        assert page.ask("document.querySelector('.run').clientHeight") >= 100
    page.call("Emulation.clearDeviceMetricsOverride")


def test_the_static_picture_is_an_image(page: Page, tmp_path: Path):
    """A browser draws it, in the size that it states."""
    page.events.clear()
    (tmp_path / "a.svg").write_text(svg_of(attack()), "utf-8")
    page.open((tmp_path / "a.svg").as_uri())
    assert page.ask("document.documentElement.localName") == "svg"
    box = "(() => { const b = document.documentElement.getBBox(); return [b.x, b.y, b.width, b.height] })()"
    x, y, width, height = page.ask(box)
    size = page.ask("[document.documentElement.width.baseVal.value, document.documentElement.height.baseVal.value]")
    assert (x, y) == (0, 0)
    assert [width, height] == size, "nothing lies outside"


def test_texts_are_as_wide_as_estimated_or_narrower(page: Page, tmp_path: Path):
    page.events.clear()
    (tmp_path / "a.svg").write_text(svg_of(scenario("01-tour")), "utf-8")
    page.open((tmp_path / "a.svg").as_uri())
    wide = f"[...document.querySelectorAll('.sentence')].filter((t) => t.getComputedTextLength() > {TEXT - 50}).length"
    assert page.ask(wide) == 0

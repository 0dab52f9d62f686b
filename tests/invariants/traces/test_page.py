"""The page: self-contained, the same every time, and nothing in a file can become markup."""

import base64
import json
import re
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest
from runs import attack, hostile, scenario

from linera_invariants.traces import page_of


class Outline(HTMLParser):
    """Elements with their attributes' names, the page's policy, and the text of its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.scripts: list[str] = []
        self.policy = ""
        self.steps: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.elements.append((tag, tuple(found)))
        if found.get("http-equiv") == "Content-Security-Policy":
            self.policy = found["content"] or ""
        if "step" in (found.get("class") or "").split():
            self.steps.append(found["data-step"] or "")

    def handle_data(self, data: str) -> None:
        if self.lasttag == "script" and data.strip():
            self.scripts.append(data)


@pytest.fixture(scope="module")
def page() -> str:
    return page_of(attack())


def test_the_same_trace_gives_the_same_page(page: str):
    assert page_of(attack()) == page


def test_the_page_holds_the_trace_and_a_row_per_step(page: str):
    found = Outline(page)
    assert json.loads(found.scripts[0])["trace"] == attack()
    assert found.steps == [str(number) for number in range(1, 13)]


def test_only_the_page_s_own_script_may_run_and_nothing_is_loaded(page: str):
    found = Outline(page)
    digest = base64.b64encode(sha256(found.scripts[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in found.policy
    assert found.policy.startswith("default-src 'none'; base-uri 'none'; form-action 'none';")
    references = [(tag, name) for tag, names in found.elements for name in names if name in {"src", "href", "action"}]
    assert {tag for tag, _ in references} == {"a"}
    assert not re.search(r"https?://|url\((?!#)|@import", page)


def test_hostile_texts_add_no_element_and_no_attribute(page: str):
    found = Outline(page_of(attack(hostile)))
    assert found.elements == Outline(page).elements
    assert json.loads(found.scripts[0])["trace"] == attack(hostile)


def test_there_are_no_templates_left(page: str):
    assert not re.search(r"\$[a-z]", re.sub(r"<script>.*</script>", "", page, flags=re.DOTALL))


@pytest.mark.parametrize("name", ["05-closing", "07-duplicates-and-reordering"])
def test_pages_stay_small(name: str):
    document: dict[str, Any] = scenario(name)
    assert len(page_of(document)) < 4 * len(json.dumps(document))

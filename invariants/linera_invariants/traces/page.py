"""The page of a trace: one self-contained HTML file, to be opened from disk.

Every text of the document goes through an XML or JSON writer, which escapes it; the page's policy lets run no script
but its own, and load nothing.
"""

import base64
import json
from collections.abc import Iterator
from hashlib import sha256
from html import escape
from string import Template
from xml.etree.ElementTree import Element, tostring

from .build import Document
from .cells import FIELDS
from .lanes import GAP, Lanes
from .picture import HEAD, ROW, Picture, element, picture_of
from .svg import LIGHT, band_of, markers, resource
from .text import subtitle

DARK = {
    "page": "#14191f",
    "ink": "#e6e9ec",
    "soft": "#a3adb8",
    "life": "#414c58",
    "band": "#1f2730",
    "request": "#86b4f2",
    "vote": "#74d193",
    "votefill": "#1d3a28",
    "certificate": "#e8b94f",
    "certificatefill": "#5a430f",
    "cross": "#bda2f2",
    "crossfill": "#36274f",
    "bad": "#ff8173",
    "badfill": "#43201c",
}


def page_of(document: Document) -> str:
    """Make the page of a trace. The same document gives the same text."""
    picture = picture_of(document)
    script = resource("page.js")
    return Template(resource("page.html")).substitute(
        title=escape(document["title"]),
        digest=f"sha256-{base64.b64encode(sha256(script.encode()).digest()).decode()}",
        style=_style(picture.width),
        header=_html(_header(document)),
        run=_html(_run(picture)),
        verdict="".join(_html(part) for part in _verdicts(document)),
        key=_html(_key(picture)),
        data=_data(document, picture.lanes),
        script=script,
    )


def _html(part: Element) -> str:
    return tostring(part, encoding="unicode", method="html")


def _style(width: int) -> str:
    light, dark = (" ".join(f"--{name}: {value};" for name, value in colours.items()) for colours in (LIGHT, DARK))
    variables = {name: f"var(--{name})" for name in LIGHT}
    return "\n".join(
        (
            f":root {{ color-scheme: light dark; --picture: {width}px; {light} }}",
            f"@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}",
            Template(resource("picture.css")).substitute(variables),
            resource("page.css"),
        )
    )


def _data(document: Document, lanes: Lanes) -> str:
    """Write what the script reads, so that nothing in it can end the element."""
    kinds = ["owner"] * len(lanes.owners) + ["sent"] + ["validator"] * len(lanes.items)
    rows = [
        {"kind": kind, "head": lane.head, "chain": lane.chain, "width": lane.width}
        for kind, lane in zip(kinds, lanes.items, strict=False)
    ]
    meanings = [[name, meaning] for name, (meaning, _) in FIELDS.items()]
    content = {"trace": document, "lanes": rows, "gap": GAP, "meanings": meanings}
    return json.dumps(content, separators=(",", ":")).replace("<", "\\u003c")


# --- Parts -------------------------------------------------------------------------------------------------------


def _header(document: Document) -> Element:
    header = element("header", "", element("h1", document["title"]), element("p", subtitle(document)))
    if "broken" in document:
        rule = document["broken"]
        header.append(element("p", f"Broken rule: {rule['sentence']}", class_="bad"))
        header.append(
            element("details", "", element("summary", rule["function"]), element("pre", "\n".join(rule["edit"])))
        )
    for place, event in _placed(document):
        if event["event"] == "violation":
            link = element("a", f"{event['statement']} {event['title']} is violated", href=f"#step={place}")
            header.append(element("p", "", link, class_="bad"))
    return header


def _placed(document: Document) -> Iterator[tuple[int, Document]]:
    """Walk the events, each with the number of the step that it is or follows."""
    place = 0
    for event in document["events"]:
        place += event["event"] == "step"
        yield place, event


def _run(picture: Picture) -> Element:
    heads = element("div", "", element("div"), _svg(HEAD, *picture.heads()), class_="heads")
    lines = _svg("100%", *picture.lifelines("100%"), class_="picture lines")
    rows = (_row(picture, place, event) for place, event in _placed(picture.document))
    hidden = element("svg", "", markers(), class_="picture hidden", aria_hidden="true")
    return element("div", "", hidden, heads, element("ol", "", lines, *rows, class_="rows"), class_="sheet")


def _svg(height: object, *parts: Element, class_: str = "picture") -> Element:
    return element("svg", "", *parts, class_=class_, height=height, aria_hidden="true")


def _row(picture: Picture, place: int, event: Document) -> Element:
    if event["event"] != "step":
        kind, paragraphs = band_of(event)
        texts = [element("p", text, class_="rest" if n else "first") for n, text in enumerate(paragraphs)]
        return element("li", "", element("div", "", *texts, class_="text"), class_=f"band {kind}", data_step=place)
    link = element("a", event["sentence"], href=f"#step={place}")
    text = element("div", "", element("span", str(place), class_="number"), link, class_="text")
    kind = "step refused" if "refusal" in event else "step"
    return element("li", "", text, _svg(ROW, *picture.row(event)), class_=kind, data_step=place)


def _verdicts(document: Document) -> Iterator[Element]:
    for place, event in _placed(document):
        if event["event"] == "violation":
            clauses = (element("li", f"{clause['id']}: {clause['title']}") for clause in event["clauses"])
            yield element(
                "section",
                "",
                element("h2", f"{event['statement']} {event['title']} is violated"),
                element("p", event["sentence"]),
                element("p", f"Found after step {place}: {event['detail']}"),
                element("p", "It rests on:", class_="soft"),
                element("ul", "", *clauses),
                class_="verdict",
                aria_label="The violated statement",
                data_step=place,
            )


def _key(picture: Picture) -> Element:
    items = []
    for mark, words in picture.key():
        mark.set("transform", "translate(18 13)")
        del mark.attrib["data-lane"]
        items += [element("svg", "", mark, class_="picture", aria_hidden="true"), element("span", words)]
    summary = element("summary", "Key")
    return element("details", "", summary, element("div", "", *items, class_="key"))

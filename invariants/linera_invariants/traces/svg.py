"""The picture of a trace as a static SVG: heads of lanes, a row for each event, and a key."""

from collections.abc import Iterable, Iterator
from importlib.resources import files
from itertools import count
from string import Template
from xml.etree.ElementTree import Element, tostring

from attrs import define, field

from .build import Document
from .picture import HEAD, MIDDLE, ROW, Picture, element, picture_of
from .text import subtitle
from .words import SIZE, lines_of, width_of

TEXT, MARGIN, LINE = 400, 16, 17
"""Width of the column with the sentences, margin around everything, height of a line."""
REPEAT = 24
"""Heads are repeated after so many rows."""

LIGHT = {
    "page": "#fbfaf6",
    "ink": "#1d2733",
    "soft": "#52606d",
    "life": "#b9c2cb",
    "band": "#eef2f6",
    "request": "#2f5f9e",
    "vote": "#2e7d46",
    "votefill": "#dff1e3",
    "certificate": "#9a6412",
    "certificatefill": "#f6d27a",
    "cross": "#6b46a3",
    "crossfill": "#e6dcf5",
    "bad": "#c0392b",
    "badfill": "#fbe3df",
}
KINDS = ("request", "vote", "certificate", "update", "confirm", "refusal", "bad")
"""Kinds of arrows."""


def resource(name: str) -> str:
    """Return the text of a file of this package."""
    return files(__package__).joinpath(name).read_text("utf-8")


def markers() -> Element:
    """Return the heads of arrows."""
    box = {"viewBox": "0 0 10 10", "refX": 9, "refY": 5, "markerWidth": 6.5, "markerHeight": 6.5, "orient": "auto"}
    shapes = {kind: element("path", class_=kind, d="M0 0 L10 5 L0 10 Z") for kind in KINDS}
    return element("defs", "", *(element("marker", "", shape, id=kind, **box) for kind, shape in shapes.items()))


def svg_of(document: Document) -> str:
    """Draw a trace. The same document gives the same text."""
    sheet = Sheet(picture_of(document))
    sheet.opening()
    numbers = count(1)
    for event in document["events"]:
        if event["event"] == "step":
            sheet.step(next(numbers), event)
        else:
            sheet.band(*band_of(event))
    sheet.key()
    return tostring(_bare(sheet.drawing()), encoding="unicode") + "\n"


def _bare(drawing: Element) -> Element:
    """Drop what only the page needs."""
    for found in drawing.iter():
        for name in [name for name in found.attrib if name.startswith("data-")]:
            del found.attrib[name]
    return drawing


def band_of(event: Document) -> tuple[str, list[str]]:
    """Return how an event that is no step is shown, and its paragraphs."""
    if event["event"] == "note":
        kind, mark = {"--": ("note", ""), "ok": ("note met", "✓ "), "!!": ("note unmet", "✗ ")}[event["mark"]]
        return kind, [f"{mark}{event['text']}"]
    clauses = ", ".join(clause["id"] for clause in event["clauses"])
    head = f"{event['statement']} {event['title']} is violated"
    return "violation", [head, event["sentence"], f"Found: {event['detail']}", f"Clauses: {clauses}"]


@define
class Sheet:
    """A page being filled from above. ``lines`` is where the lines of the lanes run."""

    picture: Picture
    height: int = MARGIN
    rows: int = 0
    parts: list[Element] = field(factory=list)
    lines: list[tuple[int, int]] = field(factory=list)

    @property
    def width(self) -> int:
        return max(720, TEXT + self.picture.width + 2 * MARGIN)

    @property
    def room(self) -> int:
        """The width between the margins."""
        return self.width - 2 * MARGIN

    def add(self, height: int, parts: Iterable[Element], x: int = MARGIN) -> None:
        """Put something below all else."""
        self.parts.append(element("g", "", *parts, transform=f"translate({x} {self.height})"))
        self.height += height

    # --- what a page consists of ---

    def opening(self) -> None:
        document = self.picture.document
        self.paragraph(document["title"], "title", 18)
        self.paragraph(subtitle(document), "subtitle")
        if "broken" in document:
            self.paragraph(f"Broken rule: {document['broken']['sentence']}", "broken")
        self.height += 8

    def paragraph(self, text: str, kind: str, size: int = SIZE) -> None:
        """Write a text over the whole width."""
        for line in lines_of(text, self.room, size):
            self.add(size + 6, [element("text", line, class_=kind, y=size)])

    def step(self, number: int, step: Document) -> None:
        """Write the sentence of a step, and draw it."""
        if self.rows % REPEAT == 0:
            self.height += 8
            self.add(HEAD + 4, self.picture.heads(), x=MARGIN + TEXT)
        self.rows += 1
        texts = list(self.sentence(number, step))
        height = max(ROW, LINE * (len(texts) - 1) + 12)
        self.live(height)
        self.add(0, texts)
        self.add(height, self.picture.row(step), x=MARGIN + TEXT)

    def sentence(self, number: int, step: Document) -> Iterator[Element]:
        yield element("text", str(number), class_="number", x=26, y=MIDDLE + 4)
        kind = "sentence refused" if "refusal" in step else "sentence"
        for place, line in enumerate(lines_of(step["sentence"], TEXT - 50)):
            yield element("text", line, class_=kind, x=36, y=MIDDLE + 4 + LINE * place)

    def live(self, height: int) -> None:
        """Let the lines of the lanes run on."""
        if self.lines and self.lines[-1][1] == self.height:
            self.lines[-1] = (self.lines[-1][0], self.height + height)
        else:
            self.lines.append((self.height, self.height + height))

    def band(self, kind: str, paragraphs: list[str]) -> None:
        """Write what is no step across the lanes."""
        lines = [(n, line) for n, text in enumerate(paragraphs) for line in lines_of(text, self.room - 24)]
        height = LINE * len(lines) + 12
        box = element("rect", class_="band", width=self.room, height=height - 2, y=1, rx=5)
        texts = [
            element("text", line, class_="rest" if n else "first", x=12, y=MIDDLE + 2 + LINE * place)
            for place, (n, line) in enumerate(lines)
        ]
        self.add(height, [element("g", "", box, *texts, class_=kind)])

    def key(self) -> None:
        """Explain the marks that the picture has."""
        self.height += 14
        left = 0
        row: list[Element] = []
        for mark, words in self.picture.key():
            width = 34 + int(width_of(words)) + 16
            if row and left + width > self.room:
                self.add(26, row)
                left, row = 0, []
            mark.set("transform", f"translate({left + 14} 12)")
            row += [mark, element("text", words, class_="words", x=left + 32, y=16)]
            left += width
        self.add(26, row)

    def drawing(self) -> Element:
        """Return the whole."""
        width, height = self.width, self.height + MARGIN
        style = Template(resource("picture.css") + resource("sheet.css")).substitute(LIGHT)
        return element(
            "svg",
            "",
            element("title", self.picture.document["title"]),
            element("style", style),
            markers(),
            element("rect", class_="page", width=width, height=height, rx=10),
            element("g", "", *self.lifelines(), transform=f"translate({MARGIN + TEXT} 0)"),
            *self.parts,
            xmlns="http://www.w3.org/2000/svg",
            viewBox=f"0 0 {width} {height}",
            width=width,
            height=height,
            class_="picture",
            role="img",
        )

    def lifelines(self) -> Iterator[Element]:
        for lane, x in zip(self.picture.lanes.items, self.picture.lanes.middles, strict=True):
            path = " ".join(f"M{x} {top} V{bottom}" for top, bottom in self.lines)
            yield element("path", class_="life bad" if lane.bad else "life", d=path)

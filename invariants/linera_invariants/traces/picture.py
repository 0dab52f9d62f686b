"""What a picture consists of: the heads of the lanes, and for each step its arrows and marks.

Elements say in data attributes which lanes they belong to, so that the page can move and hide lanes.
"""

from collections.abc import Iterator
from itertools import groupby
from math import ceil
from xml.etree.ElementTree import Element

from attrs import frozen

from .build import Document
from .lanes import GAP, NARROW, Lanes, lanes_of
from .words import clipped, width_of

MIDDLE, ROW, HEAD = 17, 34, 56
"""Where the marks of a row are, counted from its top; the height of a row, and of the heads."""
REACH = 12
"""An arrow ends so far from the middle of a lane, to leave room for a mark."""

INBOUND, OUTBOUND = -5, 5
"""Where the arrows of a row lie that has two."""


def element(tag: str, text: str = "", /, *children: Element, **attributes: object) -> Element:
    """Make an element; ``data_x`` and ``class_`` stand for ``data-x`` and ``class``."""
    made = Element(tag, {name.rstrip("_").replace("_", "-"): str(value) for name, value in attributes.items()})
    made.text = text or None
    made.extend(children)
    return made


@frozen
class Picture:
    """A document, its lanes, and the labels of its blocks."""

    document: Document
    lanes: Lanes
    labels: dict[str, str]

    @property
    def width(self) -> int:
        """The width of all lanes."""
        return self.lanes.starts[-1] - self.lanes.items[-1].gap

    # --- heads ---

    def heads(self) -> Iterator[Element]:
        """Name the lanes."""
        for (name, notes), group in groupby(
            enumerate(self.lanes.items), key=lambda item: (item[1].head, item[1].notes)
        ):
            places = [place for place, _ in group]
            yield self.head(places, name, notes)
            for place in places:
                if chain := self.lanes.items[place].chain:
                    yield self.mark(
                        place, "chain", element("title", chain), element("text", clipped(chain, NARROW)), y=52
                    )
        where = f"translate({self.lanes.starts[self.lanes.sent + 1] - GAP} 52)"
        yield element("text", "chain", class_="chains", transform=where)

    def head(self, places: list[int], name: str, notes: tuple[str, ...]) -> Element:
        """Name neighbouring lanes together."""
        room = sum(self.lanes.items[place].width + self.lanes.items[place].gap for place in places)
        middle = (self.lanes.middles[places[0]] + self.lanes.middles[places[-1]]) / 2
        kind = "head bad" if self.lanes.items[places[0]].bad else "head"
        texts = [element("title", name), element("text", clipped(name, room), class_="name", y=16)]
        for line, note in enumerate(notes):
            texts.append(element("text", clipped(note, room + NARROW, 11), class_="note", y=29 + 12 * line))
        lanes = " ".join(map(str, places))
        return element("g", "", *texts, class_=kind, data_lanes=lanes, transform=f"translate({middle:g} 0)")

    def key(self) -> Iterator[tuple[Element, str]]:
        """Explain the marks that occur, each as it looks on the first lane."""
        actions = {event["action"] for event in self.document["events"] if "refusal" not in event and "action" in event}
        bad = any(lane.bad for lane in self.lanes.items)
        yield self.tag(0, "request", "0"), "proposed block"
        if any("aim" in event for event in self.document["events"]):
            yield self.tag(0, "vote open", "0·1"), "vote to validate, in round 1"
            yield self.tag(0, "certificate open", "0·1"), "validated"
            yield self.tag(0, "vote lock", "0·1"), "locked, vote to confirm"
        else:
            yield self.tag(0, "vote", "0"), "vote"
        yield self.tag(0, "certificate", "0"), "certified, executed"
        if "update" in actions:
            yield self.mark(0, "update", *_envelope("update")), "messages between chains"
            yield self.mark(0, "confirm", *_envelope("confirm")), "acknowledgement"
        for action in sorted(actions & set(_SIGNS)):
            yield self.sign(0, action), _DONE[action]
        if bad:
            yield self.tag(0, "vote bad", "0"), "the adversary"
        yield self.tag(0, "vote idle", "0"), "nothing changed"
        yield self.cross(0), "refused"

    def lifelines(self, height: str) -> Iterator[Element]:
        """Draw the lines of the lanes."""
        for place, (lane, x) in enumerate(zip(self.lanes.items, self.lanes.middles, strict=True)):
            kind = "life bad" if lane.bad else "life"
            yield element("line", class_=kind, data_lane=place, x1=x, x2=x, y1=0, y2=height)

    # --- parts of a row ---

    def mark(self, place: int, kind: str, *shapes: Element, y: int = MIDDLE) -> Element:
        """Put shapes on a lane."""
        where = f"translate({self.lanes.middles[place]} {y})"
        return element("g", "", *shapes, class_=f"mark {kind}", data_lane=place, transform=where)

    def tag(self, place: int, kind: str, label: str) -> Element:
        """Put a label on a lane."""
        text, width = self.label(place, label)
        rounding = 9 if kind.startswith("vote") else 3
        box = element("rect", x=-width // 2, y=-9, width=width, height=18, rx=rounding)
        shackle = [element("path", d="M-5 -9 V-10 A5 5 0 0 1 5 -10 V-9")] if "lock" in kind.split() else []
        return self.mark(place, kind, box, *shackle, element("text", text, y=4.5))

    def label(self, place: int, label: str) -> tuple[str, int]:
        """Return what of a label fits on a lane, and the width of its tag."""
        text = clipped(label, self.lanes.items[place].width - 12)
        return text, 2 * ceil(max(24, width_of(text) + 10) / 2)

    def half(self, place: int, label: str) -> int:
        """Return how far a tag reaches to either side."""
        return self.label(place, label)[1] // 2

    def cross(self, place: int) -> Element:
        """Mark a refusal."""
        return self.mark(place, "refused", element("path", d="M-6 -6 L6 6 M-6 6 L6 -6"))

    def dot(self, place: int, kind: str) -> Element:
        """Mark where something comes from."""
        return self.mark(place, kind, element("circle", r=3.5))

    def arrow(self, kind: str, start: int, end: int, dy: int = 0, leave: int = 0, reach: int = REACH) -> Element:
        """Draw an arrow between lanes, from ``leave`` after the middle of one to ``reach`` before that of the other."""
        x, sign = self.lanes.middles, 1 if end > start else -1
        ends = {"x1": x[start] + sign * leave, "x2": x[end] - sign * reach, "y1": MIDDLE + dy, "y2": MIDDLE + dy}
        data = {"data_from": start, "data_to": end, "data_leave": leave, "data_reach": reach}
        head = f"url(#{kind.rsplit(maxsplit=1)[-1]})"
        return element("line", class_=f"arrow {kind}", **data, **ends, marker_end=head)

    # --- rows ---

    def row(self, step: Document) -> list[Element]:
        """Draw a step."""
        draw = {
            "propose": self.proposal,
            "vote": self.byzantine_vote,
            "certify": self.certification,
            "request": self.request,
            "certificate": self.certificate,
            "update": self.message,
            "confirm": self.message,
        }.get(step["action"], self.upkeep)
        return list(draw(step))

    def proposal(self, step: Document) -> Iterator[Element]:
        owner, sent = self.lanes.of_owner(step["by"]), self.lanes.sent
        if "refusal" in step:
            yield self.cross(owner)
            return
        name = _in_round(step["block"], step)
        yield self.arrow("request", owner, sent, leave=4, reach=self.half(sent, name))
        yield self.dot(owner, "request")
        yield self.tag(sent, "request", name)

    def byzantine_vote(self, step: Document) -> Iterator[Element]:
        place = self.lanes.of_cell(step["at"], step.get("chain", ""))
        if "refusal" in step:
            yield self.cross(place)
            return
        yield self.arrow("bad", place, self.lanes.sent, leave=REACH)
        yield self.tag(place, f"vote bad{_open(step)}", self.named(step))

    def certification(self, step: Document) -> Iterator[Element]:
        sent, refused = self.lanes.sent, "refusal" in step
        name = _in_round(step["block"], step)
        reach = REACH if refused else self.half(sent, name)
        for voter in step["voters"]:
            place = self.lanes.of_cell(voter, step["chain"])
            bad = self.lanes.items[place].bad
            yield self.arrow("refusal" if refused else "certificate", place, sent, reach=reach)
            yield self.dot(place, "bad" if bad else "certificate")
        yield self.cross(sent) if refused else self.tag(sent, f"certificate{_open(step)}", name)

    def request(self, step: Document) -> Iterator[Element]:
        place, sent = self.lanes.of_cell(step["at"], step["chain"]), self.lanes.sent
        if "refusal" in step:
            yield from (self.arrow("refusal", sent, place), self.cross(place))
            return
        yield self.arrow("request", sent, place, INBOUND, reach=self.half(place, self.named(step)))
        yield self.arrow("vote", place, sent, OUTBOUND, leave=REACH)
        validating = any(sent["kind"] == "vote" and sent["what"].startswith("to validate") for sent in step["sent"])
        yield self.tag(place, _changing("vote open" if validating else "vote", step), self.named(step))

    def certificate(self, step: Document) -> Iterator[Element]:
        place, sent = self.lanes.of_cell(step["at"], step["chain"]), self.lanes.sent
        if "refusal" in step:
            yield from (self.arrow("refusal", sent, place), self.cross(place))
            return
        locks = any(sent["kind"] == "vote" for sent in step["sent"])
        yield self.arrow("certificate", sent, place, INBOUND if locks else 0, reach=self.half(place, self.named(step)))
        if locks:
            yield self.arrow("vote", place, sent, OUTBOUND, leave=REACH)
        yield self.tag(place, _changing("vote lock" if locks else "certificate", step), self.named(step))

    def message(self, step: Document) -> Iterator[Element]:
        """Draw what arrives from another chain of the validator, or the same."""
        start = self.lanes.of_cell(step["at"], step["message"]["from"])
        end = self.lanes.of_cell(step["at"], step["message"]["to"])
        kind, refused = step["action"], "refusal" in step
        if start == end:
            yield self.mark(end, kind, element("path", d="M9 -5 C24 -10 24 10 12 5"))
        else:
            yield self.arrow("refusal" if refused else kind, start, end, leave=4)
            yield self.dot(start, kind)
        yield self.cross(end) if refused else self.mark(end, _changing(kind, step), *_envelope(kind))

    def upkeep(self, step: Document) -> Iterator[Element]:
        """Draw what a validator does by itself."""
        restarts = step["action"] == "restart"
        places = self.lanes.of_validator(step["at"]) if restarts else [self.lanes.of_cell(step["at"], step["chain"])]
        for place in places:
            yield self.cross(place) if "refusal" in step else self.sign(place, step["action"])

    def named(self, step: Document) -> str:
        """Return the label of a block at a validator."""
        return _in_round(self.labels.get(step.get("block", ""), "?"), step)

    def sign(self, place: int, action: str) -> Element:
        return self.mark(place, "upkeep", element("path", d=_SIGNS[action]))


def picture_of(document: Document) -> Picture:
    """Prepare to draw a document."""
    return Picture(document, lanes_of(document), {block["id"]: block["label"] for block in document["blocks"]})


def _in_round(label: str, step: Document) -> str:
    """Add the round to a label, where there are rounds."""
    return f"{label}·{step['round']}" if "round" in step else label


def _open(step: Document) -> str:
    """Tell what only validates."""
    return " open" if step.get("aim") == "validate" else ""


def _changing(kind: str, step: Document) -> str:
    """Tell what changed something from what did not."""
    return kind if step["changes"] else f"{kind} idle"


def _envelope(kind: str) -> list[Element]:
    if kind == "confirm":
        return [element("circle", r=5)]
    return [
        element("rect", x=-10, y=-7, width=20, height=14, rx=2),
        element("path", d="M-10 -6 L0 2 L10 -6"),
    ]


_SIGNS = {
    "resend": "M6 -4 A7 7 0 1 0 7 2 M6 -9 V-4 H1",
    "archive": "M-7 8 V-2 A7 7 0 0 1 7 -2 V8 Z",
    "restart": "M-4 -5 A7 7 0 1 0 4 -5 M0 -8 V-1",
}
_DONE = {"resend": "sends again", "archive": "archives", "restart": "restarts"}

"""The lanes of a picture, from left to right: the owners that propose, what was sent, chains at validators."""

from collections.abc import Iterator
from itertools import accumulate

from attrs import frozen

from .build import Document

WIDE, NARROW, GAP = 62, 37, 11
ENDS = ("chain", "from", "to")
"""Keys of a step and of its message that name a chain."""


@frozen
class Lane:
    """A vertical line, with some room to its right. ``bad`` lanes belong to the adversary.

    ``chain`` is empty but for chains at correct validators; a Byzantine validator has no state, and one lane.
    """

    head: str
    notes: tuple[str, ...] = ()
    chain: str = ""
    width: int = WIDE
    gap: int = 0
    bad: bool = False


@frozen
class Lanes:
    """The lanes, their left ends (and after them the width of all), their middles, and where to find them."""

    items: tuple[Lane, ...]
    starts: tuple[int, ...]
    middles: tuple[int, ...]
    owners: dict[str, int]
    cells: dict[tuple[str, str], int]

    @property
    def sent(self) -> int:
        """The lane of everything that was sent."""
        return len(self.owners)

    def of_owner(self, name: str) -> int:
        """Return the lane of an owner that proposes."""
        return self.owners[name]

    def of_cell(self, validator: str, chain: str) -> int:
        """Return the lane of a chain at a validator, or the validator's only one."""
        return self.cells.get((validator, chain), self.cells.get((validator, ""), self.sent))

    def of_validator(self, name: str) -> list[int]:
        """Return all lanes of a validator."""
        return [place for (head, _), place in self.cells.items() if head == name]


def lanes_of(document: Document) -> Lanes:
    """Choose the lanes: of the chains, those that a step is about."""
    steps = [event for event in document["events"] if event["event"] == "step"]
    proposers = {step["by"] for step in steps if "by" in step}
    owners = [owner for owner in document["network"]["owners"] if owner["name"] in proposers]
    people = [Lane(o["name"], ("equivocates" if o["equivocates"] else "owner",), bad=o["equivocates"]) for o in owners]
    items = (*people, Lane("sent", gap=GAP), *_validators(document["network"], set(_chains(steps))))
    starts = tuple(accumulate((lane.width + lane.gap for lane in items), initial=0))
    middles = tuple(start + lane.width // 2 for start, lane in zip(starts, items, strict=False))
    cells = {(lane.head, lane.chain): place for place, lane in enumerate(items) if place > len(people)}
    return Lanes(items, starts, middles, {lane.head: place for place, lane in enumerate(people)}, cells)


def _chains(steps: list[Document]) -> Iterator[str]:
    for step in steps:
        yield from (place[end] for place in (step, step.get("message", {})) for end in ENDS if end in place)


def _validators(network: Document, spoken_of: set[str]) -> Iterator[Lane]:
    chains = [chain["id"] for chain in network["chains"] if chain["id"] in spoken_of or not spoken_of]
    equal = len({v["weight"] for v in network["validators"]}) == 1
    for validator in network["validators"]:
        name, rights = validator["name"], () if equal else (f"weight {validator['weight']}",)
        if validator["byzantine"]:
            yield Lane(name, ("Byzantine", *rights), gap=GAP, bad=True)
            continue
        for number, chain in enumerate(chains, 1):
            width, gap = WIDE if len(chains) == 1 else NARROW, GAP if number == len(chains) else 0
            yield Lane(name, rights, chain, width, gap)

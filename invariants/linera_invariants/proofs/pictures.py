"""The dependencies of the theorems as a picture: a lane for each file, from left to right what uses what."""

from collections.abc import Mapping
from html import escape
from itertools import accumulate
from pathlib import Path
from typing import Final, TypeAlias

from .entries import Theorem

Entries: TypeAlias = Mapping[str, Theorem]
Places: TypeAlias = dict[str, tuple[float, float]]

WIDTH, HEIGHT = 172, 22
COLUMN, ROW, MARGIN, TITLE = 232, 28, 14, 24

STYLE: Final = """
text { font: 10.5px "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #1d2733; text-anchor: middle; }
.lane { font: 700 13px "Helvetica Neue", Helvetica, Arial, sans-serif; text-anchor: start; }
.page { fill: #fbfaf6; } .band { fill: #ffffff; stroke: #c3ccd5; }
.assumption rect { fill: #f6f6f4; stroke: #8a949e; stroke-dasharray: 5 4; }
.definition rect { fill: #f6f6f4; stroke: #8a949e; stroke-dasharray: 1 3; }
.contract rect { fill: #dfeaf8; stroke: #4a78b5; }
.lemma rect { fill: #fdf1d6; stroke: #c99a2e; }
.theorem rect { fill: #def2e3; stroke: #3b8a53; stroke-width: 1.8; }
path { fill: none; stroke: #52606d; stroke-opacity: 0.35; }
a:hover rect { stroke: #b3261e; stroke-width: 2.4; }
"""


def dependency_graph(entries: Entries, page: str = "theorems/{}.html") -> str:
    """Draw the entries as SVG; each box links to a page, and its lines stand out while the pointer is on it."""
    places, lanes = layout(entries)
    width = max((x for x, _ in places.values()), default=0) + WIDTH + MARGIN
    height = (lanes[-1][1] + lanes[-1][2] if lanes else 0) + MARGIN
    pairs = [(used, name) for name in entries for used in direct_uses(entries, name)]
    parts = (
        f"<title>What uses what: {len(entries)} entries</title>",
        f"<style>{STYLE}{''.join(_highlight(name) for name in entries)}</style>",
        f'<rect class="page" width="{width:g}" height="{height:g}"/>',
        *(_lane(title, top, tall, width) for title, top, tall in lanes),
        *(_line(places, used, name) for used, name in pairs),
        *(_box(entries[name], *places[name], page) for name in entries),
    )
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">', *parts, "</svg>"]) + "\n"


# --- Layout ------------------------------------------------------------------------------------------------------


def layout(entries: Entries) -> tuple[Places, list[tuple[str, float, float]]]:
    """Place every entry; return with them the lanes: title, top and height."""
    columns, by_file = depths(entries), dict[str, list[str]]()
    for name, entry in entries.items():
        by_file.setdefault(entry.file, []).append(name)
    stacks = {file: _stacks(names, columns) for file, names in by_file.items()}
    tall = [max(map(len, stack.values())) * ROW + TITLE + MARGIN for stack in stacks.values()]
    tops = accumulate(tall, lambda top, height: top + height + MARGIN, initial=MARGIN)
    places, lanes = Places(), list[tuple[str, float, float]]()
    for (file, stack), top, height in zip(stacks.items(), tops, tall, strict=False):
        lanes.append((Path(file).stem.partition("-")[2] or Path(file).stem, top, height))
        for column, names in sorted(stack.items()):
            for row, name in enumerate(sorted(names, key=lambda name: _wish(entries[name], places))):
                places[name] = (2 * MARGIN + column * COLUMN, top + TITLE + row * ROW)
    return places, lanes


def depths(entries: Entries) -> dict[str, int]:
    """Return for each entry the length of the longest chain of uses below it."""
    found: dict[str, int] = {}
    for name, entry in entries.items():  # in an order of dependence
        found[name] = max((found[used] + 1 for used in entry.uses if used in found), default=0)
    return found


def direct_uses(entries: Entries, name: str) -> list[str]:
    """Return what an entry uses other than through something else that it uses."""
    uses = [used for used in entries[name].uses if used in entries]
    return [used for used in uses if not any(used in _below(entries, other) for other in uses if other != used)]


def _below(entries: Entries, name: str) -> set[str]:
    found, waiting = set[str](), list(entries[name].uses)
    while waiting:
        used = waiting.pop()
        if used in entries and used not in found:
            found.add(used)
            waiting += entries[used].uses
    return found


def _stacks(names: list[str], columns: Mapping[str, int]) -> dict[int, list[str]]:
    stacks: dict[int, list[str]] = {}
    for name in names:
        stacks.setdefault(columns[name], []).append(name)
    return stacks


def _wish(entry: Theorem, places: Places) -> float:
    """Return the height at which the lines to what an entry uses are shortest."""
    heights = [places[used][1] for used in entry.uses if used in places]
    return sum(heights) / len(heights) if heights else 0.0


# --- Drawing -----------------------------------------------------------------------------------------------------


def _lane(title: str, top: float, height: float, width: float) -> str:
    band = f'<rect class="band" x="{MARGIN / 2:g}" y="{top:g}" width="{width - MARGIN:g}" height="{height:g}" rx="6"/>'
    return f'{band}<text class="lane" x="{MARGIN + 4}" y="{top + 16:g}">{escape(title)}</text>'


def _line(places: Places, used: str, name: str) -> str:
    (x1, y1), (x2, y2) = places[used], places[name]
    x1, y1, y2 = x1 + WIDTH, y1 + HEIGHT / 2, y2 + HEIGHT / 2
    bend = (x2 - x1) / 2
    path = f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
    return f'<path class="from-{used} to-{name}" d="{path}"/>'


def _box(entry: Theorem, x: float, y: float, page: str) -> str:
    rect = f'<rect x="{x:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="4"/>'
    text = f'<text x="{x + WIDTH / 2:g}" y="{y + 15:g}">{escape(entry.name)}</text>'
    title = f"<title>{escape(entry.title)} ({entry.kind})</title>"
    href = escape(page.format(entry.name))
    return f'<a id="box-{entry.name}" class="{entry.kind}" href="{href}">{title}{rect}{text}</a>'


def _highlight(name: str) -> str:
    rule = "{ stroke: #b3261e; stroke-opacity: 1; stroke-width: 1.8; }"
    return f"svg:has(#box-{name}:hover) :is(.from-{name}, .to-{name}) {rule}\n"

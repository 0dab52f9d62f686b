"""Pictures and pages of traces: some shipped scenarios, and what goes wrong under each broken variant.

The traces of broken variants are the files `spec/traces/broken-*.json`; the explorer writes them.
"""

from collections.abc import Iterator
from pathlib import Path

from linera_invariants.play import play_scenario
from linera_invariants.scenarios import find_scenario, read_scenario
from linera_invariants.specdata import spec_root
from linera_invariants.traces import Document, page_of, read_trace, story_of, svg_of

VIEWER = "viewer"
"""Folder of the pages that are copied to the top of the site."""
SCENARIOS = ("01-tour", "08-equivocation", "19-lock-reproposed")
"""Scenarios that the pages of the documentation show."""

_ABOUT = """# What goes wrong without this rule

Each broken variant is one edit of one function of the reference. The explorer visits every state of a small system
with the adversary inside, and this is the shortest run to a state that a statement forbids. How to read the pictures
is said under [Traces](../traces.md).
"""
_NONE = "No trace of a broken variant comes with this version."


def pages() -> dict[str, str]:
    """Return every file by its name in `_generated/`."""
    documents = {name: play_scenario(read_scenario(find_scenario(name)), "ideal").trace() for name in SCENARIOS}
    broken = {path.stem: read_trace(path) for path in _broken()}
    found = {"broken-rules.md": _broken_rules(broken)}
    for name, document in (documents | broken).items():
        found |= {f"traces/{name}.svg": svg_of(document), f"{VIEWER}/trace-{name}.html": page_of(document)}
    return found


def _broken() -> list[Path]:
    return sorted((spec_root() / "traces").glob("broken-*.json"))


def _broken_rules(documents: dict[str, Document]) -> str:
    parts = [_ABOUT, *(part for name, document in documents.items() for part in _section(name, document))]
    return "\n".join(parts if documents else [*parts, _NONE, ""])


def _section(name: str, document: Document) -> Iterator[str]:
    broken = document.get("broken", {"sentence": document["title"], "function": "", "edit": []})
    yield f"## {name.removeprefix('broken-')}\n\n{broken['sentence']}\n"
    if broken["edit"]:
        yield _block("diff", f"--- {broken['function']}", *broken["edit"])
    for event in document["events"]:
        if event["event"] == "violation":
            yield f"Then [{event['statement']}](#{event['statement']}) does not hold: {event['sentence']}\n"
    yield f"```{{image}} traces/{name}.svg\n:alt: {document['title']}\n:width: 100%\n```\n"
    yield f'<a href="../trace-{name}.html">Step through it</a>\n'
    yield f"````{{dropdown}} The story\n{_block('text', *story_of(document))}````\n"


def _block(language: str, *lines: str) -> str:
    body = "\n".join(lines)
    return f"```{language}\n{body}\n```\n"

"""The story of a trace, for terminals."""

from collections.abc import Iterator

from linera_invariants.story import ASIDE, numbered

from .build import Document


def subtitle(document: Document) -> str:
    """Say in a line who takes part."""
    network = document["network"]
    rights = f"N = {network['total']}, quorum {network['quorum']}, f = {network['faulty']}"
    bad = [validator["name"] for validator in network["validators"] if validator["byzantine"]]
    parts = (rights, f"Byzantine: {', '.join(bad)}" if bad else "", document.get("source", ""))
    return " · ".join(filter(None, parts))


def story_of(document: Document) -> list[str]:
    """Tell a trace as the run was told; a violation says what the statement is and what it rests on."""
    return numbered(line for event in document["events"] for line in _lines(event))


def _lines(event: Document) -> Iterator[tuple[str | None, str]]:
    match event["event"]:
        case "step":
            aside = ASIDE if event["action"] in {"update", "confirm"} else ""
            yield None, f"{aside}{event['sentence']}"
        case "note":
            yield event["mark"], event["text"]
        case _:
            yield "!!", f"{event['statement']} is violated: {event['detail']}"
            yield "!!", f"{event['title']}: {event['sentence']}"
            yield "!!", f"It rests on {', '.join(clause['id'] for clause in event['clauses'])}."

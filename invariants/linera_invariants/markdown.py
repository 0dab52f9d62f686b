"""Pieces of MyST Markdown for the computed pages."""

import re
from collections.abc import Iterable
from typing import Final

CORE: Final = "linera_reference"


def plain(text: str) -> str:
    """Make a text mean itself in Markdown, in a table as well."""
    return re.sub(r"([\\`*_<>\[\]|$])", r"\\\1", " ".join(text.split()))


def to(name: str) -> str:
    """Link to a clause, decision, statement or reason by its ID."""
    return f"[{name}](#{name})"


def to_theorem(name: str) -> str:
    """Link to the page of a theorem."""
    return f"[{name}](#theorem-{name})"


def code(name: str, shown: str = "", base: str = CORE) -> str:
    """Link to the API page of code, given as `module:name`."""
    dotted = name.replace(":", ".")
    return f"{{py:obj}}`{shown or dotted} <{base}.{dotted}>`"


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = (header, ("---",) * len(header), *rows)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def page(title: str, *parts: str) -> str:
    return "\n".join([f"# {title}\n", *(f"{part.strip()}\n" for part in parts if part.strip())])


def fold(summary: str, items: Iterable[str]) -> str:
    """Show a count that opens into a list, inside a table cell."""
    found = list(items)
    return f"<details><summary>{summary}</summary>{'<br>'.join(found)}</details>" if found else ""

"""What CI systems read: JUnit XML, SARIF 2.1.0 and Markdown, from checks that were made.

The same checks give the same bytes: no times and no dates. A SARIF location is the heading of the clause that a check
exercises, with the clause as help text.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from attrs import frozen

from . import __version__
from .markdown import plain, table

if TYPE_CHECKING:
    from .clauses import Clause

NAME: Final = "linera-reference"
MOST_SHOWN: Final = 50
"""Failures that a Markdown page lists."""


class Status(Enum):
    """How a check ended. An *expected* failure is one that a list of the implementer's announces."""

    PASSED = "passed"
    FAILED = "failed"
    ERRORED = "errored"
    TIMED_OUT = "timed out"
    SKIPPED = "skipped"
    EXPECTED = "expected failure"
    UNEXPECTED = "unexpected pass"

    @property
    def is_bad(self) -> bool:
        """Whether it fails the run."""
        return self in _BAD


_BAD: Final = {Status.FAILED, Status.ERRORED, Status.TIMED_OUT, Status.UNEXPECTED}
_TAGS: Final = {
    Status.SKIPPED: "skipped",
    Status.EXPECTED: "skipped",
    Status.ERRORED: "error",
    Status.TIMED_OUT: "error",
}


@frozen(kw_only=True)
class Check:
    """Something that was checked: its name within a group, how it ended, and why (several lines are allowed)."""

    group: str
    name: str
    status: Status
    message: str = ""
    clauses: tuple[str, ...] = ()
    sentence: str = ""


# --- JUnit -------------------------------------------------------------------------------------------------------


def junit(checks: Iterable[Check]) -> bytes:
    """Return JUnit XML: a suite per group."""
    groups: dict[str, list[Check]] = {}
    for check in checks:
        groups.setdefault(check.group, []).append(check)
    root = ET.Element("testsuites", {"name": NAME, **_totals([c for found in groups.values() for c in found])})
    for group, found in groups.items():
        suite = ET.SubElement(root, "testsuite", {"name": _clean(group), **_totals(found)})
        for check in found:
            _case(suite, check)
    ET.indent(root)
    data: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return data + b"\n"


def _totals(checks: Sequence[Check]) -> dict[str, str]:
    tags = Counter(_tag(check.status) for check in checks)
    counts = {"tests": len(checks), "failures": tags["failure"], "errors": tags["error"], "skipped": tags["skipped"]}
    return {name: str(count) for name, count in counts.items()}


def _tag(status: Status) -> str:
    return _TAGS.get(status, "failure" if status.is_bad else "")


def _case(suite: ET.Element, check: Check) -> None:
    case = ET.SubElement(suite, "testcase", {"classname": _clean(check.group), "name": _clean(check.name)})
    if tag := _tag(check.status):
        first = check.message.partition("\n")[0]
        found = ET.SubElement(
            case, tag, {"message": _clean(f"{check.status.value}: {first}"), "type": check.status.name}
        )
        found.text = _clean("\n".join(line for line in (check.sentence, check.message) if line))


_ODD: Final = re.compile(r"[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _clean(text: str) -> str:
    """Escape what XML cannot hold and pages should not."""
    return _ODD.sub(lambda found: ascii(found[0])[1:-1], text)


# --- SARIF -------------------------------------------------------------------------------------------------------


def sarif(checks: Iterable[Check]) -> bytes:
    """Return SARIF: a result per failed check, at the clause that it exercises."""
    from .clauses import load_spec  # noqa: PLC0415 - it reads all chapters

    bad = [check for check in checks if check.status.is_bad]
    known = load_spec().clauses if bad else {}
    named = dict.fromkeys(name for check in bad for name in check.clauses if name in known)
    rules = [_rule(known[name]) for name in named]
    driver = {"name": NAME, "semanticVersion": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": [_result(c, known) for c in bad]}
    head = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0"}
    return (json.dumps({**head, "runs": [run]}, indent=1) + "\n").encode()


def _rule(clause: "Clause") -> dict[str, Any]:
    return {
        "id": clause.id,
        "shortDescription": {"text": clause.title},
        "help": {"text": clause.text},
        "defaultConfiguration": {"level": "error"},
    }


def _result(check: Check, known: Any) -> dict[str, Any]:
    clauses = [known[name] for name in check.clauses if name in known]
    text = f"{check.name}: {check.status.value}: {check.message}" + (f"\n{check.sentence}" if check.sentence else "")
    places = [_location(clause) for clause in clauses]
    related = {"relatedLocations": places[1:]} if places[1:] else {}
    return {
        "ruleId": clauses[0].id if clauses else NAME,
        "level": "error",
        "message": {"text": text},
        "locations": places[:1],
        **related,
        "partialFingerprints": {"check/v1": f"{check.group}: {check.name}"},
    }


def _location(clause: "Clause") -> dict[str, Any]:
    file = clause.file.removeprefix("_")  # an installed package has the folder spec under the name _spec
    place = {"artifactLocation": {"uri": file}, "region": {"startLine": clause.line}}
    return {"physicalLocation": place, "message": {"text": f"{clause.id}: {clause.title}"}}


# --- Markdown ----------------------------------------------------------------------------------------------------


def markdown(title: str, checks: Sequence[Check], notes: Iterable[str] = ()) -> str:
    """Return a summary for a CI page: counts per group, then what failed."""
    shown = [status for status in Status if status is Status.PASSED or any(c.status is status for c in checks)]
    counts = Counter((check.group, check.status) for check in checks)
    totals = Counter(check.status for check in checks)
    rows = [(_cell(group), *(str(counts[group, s]) for s in shown)) for group in dict.fromkeys(c.group for c in checks)]
    total = ("**all**", *(f"**{totals[status]}**" for status in shown))
    bad = [check for check in checks if check.status.is_bad]
    lines = [f"- **{_cell(c.name)}**: {c.status.value}: {_cell(c.message.partition(chr(10))[0])}" for c in bad]
    more = [f"- and {len(bad) - MOST_SHOWN} more"] if len(bad) > MOST_SHOWN else []
    parts = [
        f"## {_cell(title)}\n",
        "\n".join(map(_cell, notes)),
        table(("area", *(status.value for status in shown)), [*rows, total]),
        "\n".join([*lines[:MOST_SHOWN], *more]),
    ]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts if part)


def _cell(text: str) -> str:
    return plain(_clean(text))

"""Spoiled documents: valid JSON or TOML with a few parts changed, and spoiled text; reproducible from a number."""

import json
import random
from collections.abc import Callable
from typing import Any

ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    2**64,
    10**50,
    0.5,
    "",
    "0",
    "-0",
    "ARITHMETIC",
    "\x00",
    "\ud800",
    "é" * 3,
    "x" * 2000,
    [],
    [[]],
    {},
    {"$shared": "1"},
    {"$shared": "2", "more": []},
    {"accepted": None},
    {"rejected": "ARITHMETIC"},
)
"""Values that stand where others belong."""
CHARACTERS = '{}[]",:\\=\n\r\t #\x00\x1fé\u2028"0e-+.'


def spoiled(draw: random.Random, document: Any) -> Any:
    """Change one to three places of a document."""
    for _ in range(draw.randint(1, 3)):
        document = _spoil(draw, document)
    return document


def _spoil(draw: random.Random, document: Any) -> Any:
    if not document or not isinstance(document, dict | list) or draw.random() < 0.1:
        return _other(draw, document)
    is_table = isinstance(document, dict)
    items: Any = dict(document) if is_table else list(document)
    key = draw.choice(list(items)) if is_table else draw.randrange(len(items))
    how = draw.randrange(8)
    if how == 0:
        del items[key]
    elif how == 1 and is_table:
        items[draw.choice(("extra", "$shared", "seq", "id", "x" * 300))] = items[key]
    elif how == 1:
        items.insert(draw.randrange(len(items) + 1), items[key])
    elif how == 2 and is_table:
        items[str(key)[:-1]] = items.pop(key)
    else:
        items[key] = _spoil(draw, items[key])
    return items


def _other(draw: random.Random, value: Any) -> Any:
    if isinstance(value, str) and value and draw.random() < 0.5:
        place = draw.randrange(len(value))
        return value[:place] + draw.choice(CHARACTERS) + value[place + draw.randrange(2) :]
    if draw.random() < 0.05:
        return _deep(value, draw.choice((40, 2000)))
    return draw.choice(ODD)


def _deep(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = [value]
    return value


def text_of(document: Any) -> str:
    """Write JSON, as deep as it may be."""
    try:
        return json.dumps(document)
    except RecursionError:
        return "[" * 100_000


def spoiled_text(draw: random.Random, text: str) -> bytes:
    """Change one to three places of a text, sometimes in the middle of a character."""
    data = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(draw.randint(1, 3)):
        place = draw.randrange(len(data) + 1)
        end = min(len(data), place + draw.choice((0, 0, 1, 1, 2, 20)))
        piece = draw.choice(CHARACTERS).encode() if draw.random() < 0.7 else bytes([draw.randrange(256)])
        data[place:end] = draw.choice((piece, b"", bytes(data[place:end]) * 2, piece))
    return bytes(data)


def inputs(number: int, count: int, document: Any, text: str, write: Callable[[Any], str] = text_of) -> list[bytes]:
    """Return so many inputs: spoiled documents, as they are or with spoiled text, and spoiled text alone."""
    draw = random.Random(number)
    found = []
    for _ in range(count):
        how = draw.randrange(4)
        if how == 0:
            found.append(spoiled_text(draw, text))
            continue
        written = write(spoiled(draw, document))
        found.append(spoiled_text(draw, written) if how == 1 else written.encode("utf-8", "surrogatepass"))
    return found

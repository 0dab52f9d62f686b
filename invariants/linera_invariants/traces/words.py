"""How wide a text is, more or less, and how it is cut and broken into lines: nobody has the reader's font here."""

from textwrap import wrap

SIZE = 13
"""The usual size of letters, in pixels."""
_WIDTHS = {"iljtfr.,:;'!|()[] ": 0.31, "mwMW@…–": 0.9, "ABCDEFGHIJKLNOPQRSTUVXYZ": 0.71}
_OTHER, _FULL = 0.55, 1.05
_KNOWN = {character: width for characters, width in _WIDTHS.items() for character in characters}


def width_of(text: str, size: float = SIZE) -> float:
    """Estimate the width of a text, on the safe side."""
    return size * sum(_KNOWN.get(c, _FULL if ord(c) > 0x2000 else _OTHER) for c in text)


def clipped(text: str, room: float, size: float = SIZE) -> str:
    """Shorten a text to what fits."""
    if width_of(text, size) <= room:
        return text
    kept = text
    while kept and width_of(f"{kept}…", size) > room:
        kept = kept[:-1]
    return f"{kept}…"


def lines_of(text: str, room: float, size: float = SIZE) -> list[str]:
    """Break a text into lines that fit."""
    lines: list[str] = []
    pieces = (piece for word in text.split() for piece in _pieces(word, room, size))
    for word in pieces:
        if lines and width_of(f"{lines[-1]} {word}", size) <= room:
            lines[-1] = f"{lines[-1]} {word}"
        else:
            lines.append(word)
    return lines or [""]


def _pieces(word: str, room: float, size: float) -> list[str]:
    return [word] if width_of(word, size) <= room else wrap(word, max(1, int(room / (size * _FULL))))

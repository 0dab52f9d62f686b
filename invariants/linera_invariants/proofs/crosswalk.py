"""How our statements compare with the named statements of the public prose specification."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import frozen

from linera_invariants.clauses import SpecError, read_tables, shown
from linera_invariants.specdata import spec_root

from .entries import Theorem

WORDS: Final = ("same", "stronger", "weaker", "different protocol", "not covered")
KINDS: Final = ("assumption", "definition", "statement")


@frozen
class PublicName:
    """A name of the public specification, what it says, and how ours compare; ``word`` is "" where theorems say it."""

    name: str
    kind: str
    says: str
    word: str
    ours: tuple[str, ...]
    why: str
    file: str
    line: int

    @property
    def id(self) -> str:
        """The name."""
        return self.name


def read_crosswalk(root: Path | None = None) -> tuple[PublicName, ...]:
    """Read the names; there are none in a specification without theorems.

    Raises:
        SpecError: the file is malformed.
    """
    root = root or spec_root()
    path = root / "statements" / "crosswalk.toml"
    if not path.exists():
        return ()
    file = shown(root, path)
    tables = read_tables(file, path.read_text(encoding="utf-8"), "public")
    return tuple(_name(file, line, {"word": "", "ours": [], "why": "", **table}) for line, table in tables)


def _name(file: str, line: int, table: Mapping[str, Any]) -> PublicName:
    match table:
        case {"name": str(name), "kind": str(kind), "says": str(says), "word": str(word), "why": str(why), **rest}:
            ours = rest.pop("ours")
            if kind in KINDS and word in (*WORDS, "") and isinstance(ours, list) and not rest:
                return PublicName(name, kind, says, word, tuple(map(str, ours)), why, file, line)
    raise SpecError(file, line, f"expected name, kind, says, and word, ours, why, with a word of {', '.join(WORDS)}")


def comparisons(public: PublicName, theorems: Iterable[Theorem]) -> dict[str, tuple[str, ...]]:
    """Return how ours compare with a name: the word, and what it is about."""
    found: dict[str, tuple[str, ...]] = {public.word: public.ours} if public.word else {}
    for theorem in theorems:
        for name, word in theorem.public:
            if name == public.name:
                found[word] = (*found.get(word, ()), theorem.name)
    return found


def disagreements(
    names: tuple[PublicName, ...], theorems: Iterable[Theorem]
) -> Iterator[tuple[Theorem | PublicName, str]]:
    """Yield the names that nothing compares, that two places compare, or that do not exist, and words that are none."""
    known = {public.name for public in names}
    compared = {name for theorem in theorems for name, _ in theorem.public}
    for public in names:
        if bool(public.word) == (public.name in compared):
            yield public, "expected a word here, or a theorem that names it under public, and not both"
    for theorem in theorems:
        for name, word in theorem.public:
            if name not in known:
                yield theorem, f"names the unknown public statement {name}"
            if word not in WORDS:
                yield theorem, f"{name}: the word {word!r} is none of {', '.join(WORDS)}"

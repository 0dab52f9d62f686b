"""The entries of the theorems as data, without their proofs: no solver is needed to read them.

An entry is a table ``[[theorem]]`` of ``spec/statements/theorems/*.toml``. The order of the files, and in each from
top to bottom, is an order of dependence.
"""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

from attrs import frozen

from linera_invariants.clauses import SpecError, load_spec, read_tables, shown
from linera_invariants.errors import UsageError
from linera_invariants.specdata import spec_root

Kind: TypeAlias = Literal["assumption", "definition", "contract", "lemma", "theorem"]
KINDS: Final = get_args(Kind)


@frozen
class Theorem:
    """One entry.

    An ``assumption`` has no proof, nor has a ``definition``, which only says what a word means; a ``contract`` speaks
    of the shipped ``functions``; a ``lemma`` or ``theorem`` follows from what it uses. ``proves`` names the statements
    of the registry that it is the proof of, ``public`` pairs of a name in the public prose specification and how it
    compares, ``without`` pairs of a hypothesis and what goes wrong without it.
    """

    name: str
    title: str
    kind: Kind
    sentence: str
    uses: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    proves: tuple[str, ...] = ()
    public: tuple[tuple[str, str], ...] = ()
    without: tuple[tuple[str, str], ...] = ()
    file: str = ""
    line: int = 0

    @property
    def id(self) -> str:
        """The name."""
        return self.name

    @property
    def has_proof(self) -> bool:
        """Whether there is something to prove."""
        return self.kind not in {"assumption", "definition"}


@cache
def theorems(root: Path | None = None) -> dict[str, Theorem]:
    """Read the entries, in an order of dependence.

    Raises:
        SpecError: an entry is malformed, or a name is taken twice.
    """
    root = root or spec_root()
    found: dict[str, Theorem] = {}
    for path in sorted((root / "statements" / "theorems").glob("*.toml")):
        for entry in _read(root, path):
            if entry.name in found:
                raise SpecError(entry.file, entry.line, f"{entry.name} is defined twice")
            found[entry.name] = entry
    return found


def closure(names: Iterable[str]) -> list[str]:
    """Return some entries and everything that they use, in the order of dependence."""
    known, wanted = theorems(), set[str]()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in wanted and name in known:
            wanted.add(name)
            waiting += known[name].uses
    return [name for name in known if name in wanted]


def proofs_of(statement: str) -> list[str]:
    """Return the entries that prove a statement of the registry."""
    return [name for name, entry in theorems().items() if statement in entry.proves]


def select(words: Iterable[str]) -> list[str]:
    """Return the entries that words mean: the name of one, or a statement or claim that some prove; none means all.

    Raises:
        UsageError: a word means nothing.
    """
    return list(dict.fromkeys(name for word in words for name in _meant(word.upper()))) or list(theorems())


def _meant(word: str) -> list[str]:
    known, statements = theorems(), load_spec().statements
    if word in known:
        return [word]
    if word not in statements:
        close = get_close_matches(word, [*known, *statements], n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(close)}?" if close else "expected a theorem or a statement such as S4"
        raise UsageError(f"unknown theorem {word!r}: {hint}")
    uses = statements[word].uses if statements[word].kind == "claim" else ()
    found = [name for statement in (word, *uses) for name in proofs_of(statement)]
    if not found:
        raise UsageError(f"{word}: no theorem proves this statement")
    return found


# --- Reading -----------------------------------------------------------------------------------------------------

_TEXTS: Final = ("name", "title", "kind", "sentence")
_LISTS: Final = ("uses", "clauses", "functions", "proves")
_PAIRS: Final = ("public", "without")


def _read(root: Path, path: Path) -> Iterator[Theorem]:
    file = shown(root, path)
    for line, table in read_tables(file, path.read_text(encoding="utf-8"), "theorem"):
        try:
            yield _theorem(table, file, line)
        except ValueError as error:
            raise SpecError(file, line, f"theorem {table.get('name', '')}: {error}") from None


def _theorem(table: Mapping[str, Any], file: str, line: int) -> Theorem:
    if unknown := sorted(table.keys() - {*_TEXTS, *_LISTS, *_PAIRS}):
        raise ValueError(f"unknown keys: {', '.join(unknown)}")
    texts = {key: _text(key, table.get(key)) for key in _TEXTS}
    if texts["kind"] not in KINDS:
        raise ValueError(f"the kind {texts['kind']!r} is none of {', '.join(KINDS)}")
    parts: dict[str, Any] = texts | {key: tuple(_list(key, table.get(key, []))) for key in _LISTS}
    parts |= {key: tuple(sorted(_pairs(key, table.get(key, {})))) for key in _PAIRS}
    return Theorem(**parts, file=file, line=line)


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f'expected {key} = "…", found {value!r}')
    return value


def _list(key: str, value: Any) -> Iterator[str]:
    if not isinstance(value, list) or len(value) != len(set(map(str, value))):
        raise ValueError(f'expected {key} = ["…"] without repetition, found {value!r}')
    return (_text(key, item) for item in value)


def _pairs(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        raise ValueError(f"expected a table {key}, found {value!r}")  # noqa: TRY004 - one error for all mistakes
    return ((name, _text(f"{key}.{name}", text)) for name, text in value.items())

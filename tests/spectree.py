"""A small repository for tests of what reads `spec/`, the reference and the tests: complete, and easy to break."""

from pathlib import Path

from attrs import evolve, frozen

from linera_invariants.clauses import Spec, load_spec
from linera_invariants.links import PredicateLink
from linera_invariants.matrix import Matrix, build_matrix
from linera_invariants.sources import package

CHAPTER = """\
# 9.1 A counter

Some introduction.

(WP-9.1-COUNT)=
## WP-9.1-COUNT: Counting

*rule · section 9.1 · decisions D1, A2*

A number becomes the next one, $n + 1$.

### A detail

See WP-9.1-NUMBER.

(WP-9.1-NUMBER)=
## WP-9.1-NUMBER: Numbers

*definition · section 9.1*

```text
## Not a heading: inside a fence
```

(WP-9.1-GROWS)=
## WP-9.1-GROWS: Growth

*property · section 9.1 · decisions D1*

Numbers grow.
"""

CLAIMS = """\
# 3.3 Claims

(WP-3.3-CLAIM-5)=
## WP-3.3-CLAIM-5: The fifth

*property · section 3.3*

Everything holds. Rests on S1.
"""

DECISIONS = """\
# Decisions

## D1: Where to start

**Decision.** At zero, see WP-9.1-NUMBER.

*clauses: WP-9.1-COUNT, WP-9.1-GROWS*

## D2: Sharing

later: step 2

## A2: How far

**Decision.** Up to nine.

*clauses: WP-9.1-COUNT*
"""

ALGORITHM = """\
# Algorithm 9

Some introduction.

## Counting

WP-9.1-COUNT.

```text
ALG9-01   function Count(n)
ALG9-02     require n < 9                 else TOO_LARGE
ALG9-03     n ← n + 1
ALG9-04     if n = 9: forget n
ALG9-05     return n
```
"""

STATEMENTS = """\
[[statement]]
name = "S1"
title = "Growth"
kind = "safety"
sentence = "Numbers grow."
uses = []
clauses = ["WP-9.1-GROWS"]

[[statement]]
name = "C5"
title = "Everything"
kind = "claim"
sentence = "Everything holds."
uses = ["S1"]
clauses = ["WP-3.3-CLAIM-5"]
"""

CORE = '''\
"""Counting."""


class Reason(Enum):
    """Why not."""

    TOO_LARGE = ("The number is too large.", "WP-9.1-NUMBER")


@rule("WP-9.1-COUNT", "WP-9.1-NUMBER")
def count(n):
    """Count (decision D1)."""
    require(n < 9, Reason.TOO_LARGE, n)  # ALG9-02
    return _next(n)  # ALG9-03, ALG9-04


def _next(n):
    return n + ONE


ONE = 1


@support
def helper():
    """Help."""


@rule("WP-9.1-NUMBER")
class Number:
    """A number; its methods are part of it."""

    def half(self):
        """Halve."""
        return Rejected(Reason.TOO_LARGE if self else None)


class Plain:
    """A record."""

    @property
    def size(self):
        """Measure."""

    def __len__(self):
        return 0


class Shape(Protocol):
    """An interface."""

    def area(self):
        """Measure."""
        ...
'''

TESTS = '''\
"""Tests of counting."""

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.clauses("WP-9.1-NUMBER")]


@pytest.mark.clauses("WP-9.1-COUNT")
def test_count():
    assert raised() is Reason.TOO_LARGE


def check():
    """No test."""


@pytest.mark.clauses("WP-9.1-GROWS")
class TestGrowth:
    @pytest.mark.clauses("WP-3.3-CLAIM-5")
    @pytest.mark.parametrize("n", [1, 2])
    def test_growth(self, n):
        assert n

TestMachine = pytest.mark.clauses("WP-9.1-COUNT")(Machine.TestCase)
TestPlain = Machine.TestCase
'''

FILES = {
    "spec/chapters/9.1-counter.md": CHAPTER,
    "spec/chapters/3.3-claims.md": CLAIMS,
    "spec/decisions.md": DECISIONS,
    "spec/algorithms/algorithm-9.md": ALGORITHM,
    "spec/statements/statements.toml": STATEMENTS,
    "core/counter.py": CORE,
    "tests/test_counter.py": TESTS,
}


@frozen
class Tree:
    """The repository in a temporary folder."""

    root: Path

    def write(self, file: str, text: str) -> None:
        """Write one file."""
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        load_spec.cache_clear()
        package.cache_clear()

    def replace(self, file: str, old: str, new: str) -> None:
        """Change one place of a file."""
        text = (self.root / file).read_text(encoding="utf-8")
        assert text.count(old) == 1, (old, text.count(old))
        self.write(file, text.replace(old, new))

    def spec(self) -> Spec:
        """Read the specification."""
        return load_spec(self.root / "spec")

    def matrix(self, *predicates: str) -> Matrix:
        """Build the matrix, with predicates of these statements."""
        matrix = build_matrix(self.root / "spec", self.root / "core", self.root / "tests")
        names = predicates or ("S1",)
        return evolve(matrix, predicates=tuple(PredicateLink(n, n, f"growth:{n}", "growth.py", 1) for n in names))


def make_tree(root: Path) -> Tree:
    """Write the complete repository."""
    tree = Tree(root)
    for file, text in FILES.items():
        tree.write(file, text)
    return tree

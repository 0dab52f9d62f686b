"""Proofs: theorems about the shipped functions, for committees and histories of any size."""

from importlib.util import find_spec
from typing import Final

PACKAGES: Final = {"z3": "z3-solver", "cvc5": "cvc5"}
"""The solvers, and what installs each."""


def missing_solvers(wanted: str = "both") -> list[str]:
    """Return the packages that are needed for one or both solvers and not installed: Z3 also builds the queries."""
    needed = ("z3",) if wanted == "z3" else PACKAGES
    return [PACKAGES[module] for module in needed if find_spec(module) is None]

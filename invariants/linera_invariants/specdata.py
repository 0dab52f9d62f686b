"""Where the specification's data lies: inside an installed package, or in the repository's `spec/`."""

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent
_CANDIDATES = (_PACKAGE / "_spec", _PACKAGE.parents[1] / "spec")


@cache
def spec_root() -> Path:
    """Return the folder that holds `chapters/`, `algorithms/`, `scenarios/` and the other data.

    Raises:
        FileNotFoundError: neither the packaged nor the repository's folder exists.
    """
    for candidate in _CANDIDATES:
        if (candidate / "chapters").is_dir():
            return candidate
    looked = " or ".join(str(candidate) for candidate in _CANDIDATES)
    message = f"the specification's data was not found (looked for {looked}): install linera-reference again"
    raise FileNotFoundError(message)

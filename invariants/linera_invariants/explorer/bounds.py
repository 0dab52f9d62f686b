"""Where a search gives up: it then says so, and that is never a pass."""

import os
import resource
import sys
from pathlib import Path

from attrs import frozen

MEBIBYTE = 1 << 20


class OutOfBounds(Exception):
    """The search passed a bound; the message says which."""


class TooWide(OutOfBounds):
    """Something does not fit into the bits of a word."""


@frozen
class Bounds:
    """Where a search gives up."""

    states: int = 10**9
    memory: int = 4096
    """MiB of resident memory."""
    locals: int = 10_000

    def check(self, states: int) -> None:
        """Accept so many states and the memory in use. Raises: OutOfBounds."""
        if states > self.states:
            raise OutOfBounds(f"more than {self.states:,} states")
        if memory() > self.memory:
            raise OutOfBounds(f"more than {self.memory:,} MiB of memory")


def memory() -> int:
    """Return the resident memory of this process in MiB."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak // (MEBIBYTE if sys.platform == "darwin" else 1024)
    return pages * os.sysconf("SC_PAGE_SIZE") // MEBIBYTE

"""A limit on the time that a proof may take of a processor: asked at every decision, and before every query."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class LateError(BaseException):
    """Time is up. Not an exception that a proof could take for one of the function that it runs."""


_ENDS: list[float] = []


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """End what runs here with a LateError after some seconds; a solver that runs then is waited for.

    A limit inside another one ends no later than that.
    """
    _ENDS.append(min([time.process_time() + seconds, *_ENDS[-1:]]))
    try:
        yield
    finally:
        _ENDS.pop()


def check_time() -> None:
    """Stop if time is up. Raises: LateError."""
    if _ENDS and time.process_time() > _ENDS[-1]:
        raise LateError

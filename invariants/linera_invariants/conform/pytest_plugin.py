"""The pytest plug-in: a small network to act on, a judge, and vectors as parameters of tests.

Nothing is imported before a test asks for it: whoever has the package installed does not pay for it.

* ``linera_world``: a running network with four validators and the users alice and bob (:class:`.worlds.SmallNetwork`);
* ``linera_check``: a function that judges such a network, or the answer of an implementation to a vector, and fails the
  test with what is wrong;
* ``@pytest.mark.linera_vectors("ordered-inbox", …)``: the test runs once per vector of these areas (or with these
  identifiers), which it takes as ``linera_vector``.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .worlds import SmallNetwork

MARK = "linera_vectors"


def pytest_configure(config: pytest.Config) -> None:
    """Announce the mark."""
    config.addinivalue_line("markers", f"{MARK}(*names): run the test for each conformance vector of areas, or by ID")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a marked test its vectors."""
    if "linera_vector" not in metafunc.fixturenames:
        return
    names = [name for mark in metafunc.definition.iter_markers(MARK) for name in mark.args]
    vectors = _chosen(names) if names else []
    metafunc.parametrize("linera_vector", vectors, ids=[vector.id for vector in vectors])


def _chosen(names: list[str]) -> list[Any]:
    from linera_invariants.errors import UsageError  # noqa: PLC0415

    from .suite import Choice, choose  # noqa: PLC0415

    wanted = [Choice(names=(name,)) if "/" in name else Choice(areas=(name,)) for name in names]
    try:
        found = {vector.id: vector for choice in wanted for vector in choose(choice).vectors}
    except UsageError as error:
        raise pytest.UsageError(f"@pytest.mark.{MARK}: {error}") from None
    return list(found.values())


@pytest.fixture
def linera_world() -> "SmallNetwork":
    """A network of four validators at its genesis; alice owns chain (0,), bob (1,)."""
    from .worlds import SmallNetwork  # noqa: PLC0415

    return SmallNetwork()


@pytest.fixture
def linera_check() -> Callable[..., None]:
    """Return ``check(network)`` and ``check(vector, answer, mapping)``: both fail the test with what is wrong."""
    from .worlds import complaints  # noqa: PLC0415

    def check(subject: Any, answer: Any = None, mapping: Any = None) -> None:
        __tracebackhide__ = True
        found = complaints(subject, answer, mapping or {})
        if found:
            pytest.fail("\n".join(found), pytrace=False)

    return check

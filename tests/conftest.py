"""Settings of the whole suite: the import path of ``support``, and Hypothesis profiles."""

import os
import sys
from pathlib import Path

from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

# A test may ask for its own share with `examples(n)` of tests/support.py: n in ci, a tenth in dev.
COMMON = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("ci", max_examples=300, stateful_step_count=40, **COMMON)
settings.register_profile("dev", max_examples=30, stateful_step_count=30, **COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_make_parametrize_id(val: object) -> str | None:
    """Name bytes and parameterless records readably."""
    if isinstance(val, bytes):
        return val.hex()[:12] + ("…" if len(val) > 6 else "") or "empty"
    return type(val).__name__ if type(val).__name__.endswith("Scheme") else None

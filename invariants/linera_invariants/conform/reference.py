"""A harness for the reference itself: the protocol of spec/vectors/v1/HARNESS.md, and ``perform``.

python -m linera_invariants.conform.reference
"""

import json
import sys
from typing import Any

from linera_invariants import __version__
from linera_invariants.vectors.operations import perform
from linera_invariants.vectors.table import OPERATIONS


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Answer one request."""
    match request["cmd"]:
        case "start":
            implementation = {"name": "linera-reference", "version": __version__, "language": "Python"}
            return {"protocol": 1, "implementation": implementation}
        case "capabilities":
            return {"operations": list(OPERATIONS), "details": True}
        case "run":
            return run(request["operation"], request["arguments"])
    return {"stopped": True}


def run(operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """Answer a run."""
    if operation not in OPERATIONS:
        return {"skipped": f"no operation {operation}"}
    try:
        return perform(OPERATIONS[operation], arguments)
    except Exception as error:  # noqa: BLE001 - whatever a broken variant raises is for the runner to judge
        return {"errored": f"{type(error).__name__}: {error}"}


def main() -> None:
    """Answer requests until told to stop."""
    for line in sys.stdin:
        request = json.loads(line)
        reply = {"seq": request["seq"], **answer(request)}
        sys.stdout.write(json.dumps(reply, separators=(",", ":")) + "\n")
        sys.stdout.flush()
        if request["cmd"] == "stop":
            return


if __name__ == "__main__":
    main()

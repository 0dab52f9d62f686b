"""Hypothesis state machines over the reference, and the function that runs one of them without pytest.

The same seed gives the same run, whatever the hash seed of the process, as long as the same modules are loaded
(Hypothesis takes interesting constants from them).
"""

from collections.abc import Callable, Mapping
from typing import Final

from attrs import frozen
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from linera_reference.crypto import IdealScheme, Scheme

from . import ordered_inbox, outbox_delivery, several_owners, single_chain, whole_network
from .base import Failure, Machine, Session
from .ordered_inbox import OrderedInboxMachine
from .outbox_delivery import OutboxDeliveryMachine
from .several_owners import SeveralOwnersMachine
from .single_chain import SingleChainMachine
from .whole_network import WholeNetworkMachine

__all__ = ["MACHINES", "Failure", "MachineResult", "MachineSpec", "run_machine"]


@frozen
class MachineSpec:
    """A machine: its name, what it is about, and the places that its runs must reach within so many examples."""

    name: str
    sentence: str
    machine: type[Machine]
    coverage: frozenset[str]
    examples: int
    steps: int


@frozen
class MachineResult:
    """What a run found: plain data, so that it crosses process borders.

    ``counters`` says how often each interesting place was reached, ``checked`` how often each statement was checked,
    ``missed`` which places of the machine were never reached. ``failure`` is the smallest failing example found.
    """

    name: str
    examples: int
    steps: int
    counters: Mapping[str, int]
    checked: Mapping[str, int]
    missed: tuple[str, ...]
    failure: Failure | None
    seed: int

    @property
    def holds(self) -> bool:
        """Whether no violation was found."""
        return self.failure is None


MACHINES: Final[Mapping[str, MachineSpec]] = {
    spec.name: spec
    for spec in (
        MachineSpec(
            "ordered-inbox",
            "The ordered inbox agrees with its closed form and with the two sets of section 2.6.",
            OrderedInboxMachine,
            ordered_inbox.COVERAGE,
            examples=300,
            steps=40,
        ),
        MachineSpec(
            "outbox-delivery",
            "Messages arrive exactly once and in order, whatever the transport loses, repeats or reorders.",
            OutboxDeliveryMachine,
            outbox_delivery.COVERAGE,
            examples=300,
            steps=40,
        ),
        MachineSpec(
            "single-chain",
            "On a single-owner chain correct validators agree, whatever Byzantine ones and the owner sign.",
            SingleChainMachine,
            single_chain.COVERAGE,
            examples=300,
            steps=40,
        ),
        MachineSpec(
            "several-owners",
            "On a chain with several owners correct validators agree and never get stuck, whatever others sign.",
            SeveralOwnersMachine,
            several_owners.COVERAGE,
            examples=150,
            steps=25,
        ),
        MachineSpec(
            "whole-network",
            "Every statement holds in every state of a network with several chains, faults and an adversary.",
            WholeNetworkMachine,
            whole_network.COVERAGE,
            examples=300,
            steps=30,
        ),
    )
}


def run_machine(
    name: str,
    examples: int | None = None,
    steps: int | None = None,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
    *,
    scheme: Scheme | None = None,
    shrink: bool = True,
) -> MachineResult:
    """Run a machine; ``examples`` and ``steps`` per example default to those of its specification.

    ``progress`` is called with the number of each example as it starts.
    """
    spec = MACHINES[name]
    session = Session(scheme or IdealScheme(), progress, f"machine {name}, seed {seed}")
    factory = type(spec.machine.__name__, (spec.machine,), {"session": session})
    explore(factory, examples or spec.examples, steps or spec.steps, seed, shrink)
    return MachineResult(
        name,
        session.examples,
        session.steps,
        dict(sorted(session.coverage.items())),
        dict(sorted(session.checked.items())),
        tuple(sorted(spec.coverage - set(session.coverage))),
        session.failure,
        seed,
    )


def explore(machine: type[Machine], examples: int, steps: int, number: int, shrink: bool) -> None:
    """Let Hypothesis drive a machine; a failure is left in its session."""
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.quiet,
        report_multiple_bugs=False,
        print_blob=False,
        database=None,
        deadline=None,
        derandomize=False,
    )
    try:
        run_state_machine_as_test(seed(number)(machine), settings=chosen)
    except Exception:
        if machine.session.failure is None:
            raise

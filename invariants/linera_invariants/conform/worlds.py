"""What the fixtures of the pytest plug-in give: a small network, and what is wrong with it or with an answer."""

from collections.abc import Mapping
from typing import Any, Final

from linera_invariants.ci_reports import Status
from linera_invariants.driver import Client, Driver, Step
from linera_invariants.inputs import shown
from linera_invariants.registry import Violation, check_goals, check_state, check_step
from linera_invariants.scenarios import (
    ChainSpec,
    Scenario,
    UserSpec,
    ValidatorSpec,
    build_network,
    user_signers,
)
from linera_invariants.schemes import SCHEMES
from linera_invariants.vectors.model import Vector
from linera_reference.application import burn, transfer
from linera_reference.block import Execute
from linera_reference.identifiers import ChainId
from linera_reference.network import World, initial_world

from .judge import judge
from .lines import ENDS
from .lists import OURS

USERS: Final = ("alice", "bob")
BALANCE: Final = 1000


class SmallNetwork:
    """Four validators with equal voting rights, a chain with 1000 tokens for each user, and a client for each.

    ``driver`` acts; ``network`` and ``world`` are what the specification calls so. Every step is judged as it happens.
    """

    def __init__(self) -> None:
        spec = Scenario(
            title="A small network",
            validators={f"v{number}": ValidatorSpec() for number in range(1, 5)},
            users={name: UserSpec() for name in USERS},
            chains=tuple(ChainSpec((place,), name, BALANCE) for place, name in enumerate(USERS)),
            steps=(),
            crypto="ideal",
        )
        self.network = build_network(spec)
        self.violations: list[Violation] = []
        self.driver = Driver(self.network, initial_world(self.network), observe=self._judge)
        self.signers = user_signers(spec, SCHEMES[spec.crypto])
        self.chains: dict[str, ChainId] = {name: chain.id for name, chain in zip(USERS, spec.chains, strict=True)}
        self.clients: dict[str, Client] = {
            name: self.driver.client(name, self.signers[name], self.chains[name]) for name in USERS
        }

    @property
    def world(self) -> World:
        """The state of all validators, and what was sent."""
        return self.driver.world

    def _judge(self, before: World, step: Step, after: World) -> None:
        self.violations += check_step(self.network, before, step, after)

    def transfer(self, user: str, to: ChainId, amount: int) -> Any:
        """Let a user extend their chain by a transfer; return the certificate, a rejection, or ⊥."""
        return self.driver.extend(self.clients[user], self.chains[user], (Execute(transfer(to, amount)),))

    def burn(self, user: str, amount: int) -> Any:
        """Let a user burn tokens."""
        return self.driver.extend(self.clients[user], self.chains[user], (Execute(burn(amount)),))

    def receive(self, user: str) -> Any:
        """Let a user synchronise their chain and consume every message that waits."""
        client, chain_id = self.clients[user], self.chains[user]
        self.driver.synchronize(client, chain_id)
        return self.driver.extend(client, chain_id, self.driver.receive_all(client, chain_id))


def complaints(
    subject: Any, answer: Any = None, mapping: Mapping[str, str | tuple[str, ...]] | None = None
) -> list[str]:
    """Return what is wrong with a network (every predicate), or with the answer to a vector."""
    if isinstance(subject, Vector):
        return _complaints_about(subject, answer, mapping or {})
    if isinstance(subject, SmallNetwork):
        found = [*subject.violations, *check_state(subject.network, subject.world)]
        found += check_goals(subject.network, subject.world)
        return list(dict.fromkeys(f"{violation.statement}: {violation.detail}" for violation in found))
    raise TypeError("linera_check: expected a linera_world, or a linera_vector and an answer")


def _complaints_about(vector: Vector, answer: Any, mapping: Mapping[str, str | tuple[str, ...]]) -> list[str]:
    if not (isinstance(answer, dict) and sum(end in answer for end in ENDS) == 1):
        return [f"{vector.id}: expected an answer with one of the keys {', '.join(ENDS)}, found {shown(answer)}"]
    meant = {name: (reason,) if isinstance(reason, str) else tuple(reason) for name, reason in mapping.items()}
    verdict = judge(vector, answer, {**OURS, **meant})
    if verdict.status is Status.PASSED:
        return []
    return [f"{vector.id}: {verdict.status.value}: {verdict.what}", vector.sentence, *verdict.differences]

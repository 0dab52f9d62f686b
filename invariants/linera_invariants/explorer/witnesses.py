"""Reachability witnesses: what must happen in some state, so that a pass is never vacuous."""

from collections.abc import Callable, Sequence

import numpy as np
from attrs import define, field

from linera_invariants.views import is_archived, next_to_receive
from linera_reference.block import ExecutedBlock
from linera_reference.certificate import Kind
from linera_reference.chain import Chain, is_closed
from linera_reference.identifiers import ChainId
from linera_reference.validator import Validator, chain_of

from .model import ValidatedSpec, Witness, payload_for
from .packing import Batch, Numbers
from .system import Input, State, System
from .tables import Flags, Tables

Fact = Callable[[Validator], bool]


def facts_of(system: System, witness: Witness) -> list[Fact]:
    """Return the local facts of a witness."""
    menu = system.setting.menu.executed

    def pending(executed: ExecutedBlock) -> Fact:
        return lambda validator: chain_of(validator, executed.block.chain_id).localized.pending == executed

    def locked(spec: ValidatedSpec) -> Fact:
        executed = menu[spec.block]

        def holds(validator: Validator) -> bool:
            lock = chain_of(validator, executed.block.chain_id).localized.rounds.locked
            return lock is not None and (lock.executed, lock.round) == (executed, spec.round)

        return holds

    def received(executed: ExecutedBlock) -> Fact:
        block = executed.block
        recipients = sorted({message.recipient for message in executed.messages})
        return lambda validator: all(
            next_to_receive(chain_of(validator, recipient), block.chain_id) > block.height for recipient in recipients
        )

    def of_chain(chain_id: ChainId, test: Callable[[Chain], bool]) -> Fact:
        return lambda validator: test(chain_of(validator, chain_id))

    facts = [committed_at(system, menu[name]) for name in witness.committed]
    facts += [pending(menu[name]) for name in witness.pending]
    facts += [locked(spec) for spec in witness.locked]
    facts += [received(menu[name]) for name in witness.received]
    facts += [of_chain(chain_id, lambda chain: chain.consistent.created) for chain_id in witness.created]
    facts += [of_chain(chain_id, lambda chain: is_closed(chain.consistent)) for chain_id in witness.closed]
    facts += [of_chain(chain_id, is_archived) for chain_id in witness.archived]
    facts += [of_chain(chain_id, lambda chain: not chain.localized.owing.is_empty) for chain_id in witness.owing]
    facts += [of_chain(chain_id, lambda chain: len(chain.localized.outboxes) > 0) for chain_id in witness.undelivered]
    return facts


def committed_at(system: System, executed: ExecutedBlock) -> Fact:
    """Ask whether a validator committed a block."""
    block, name = executed.block, system.setting.network.context.scheme.hash(executed)
    return lambda validator: chain_of(validator, block.chain_id).consistent.log.get(block.height) == name


@define(eq=False, slots=False)
class Watch:
    """Looks for one witness."""

    witness: Witness
    system: System
    reached: bool = False

    def __attrs_post_init__(self) -> None:
        """Number the blocks that the witness names."""
        system, witness = self.system, self.witness
        numbers = {name: system.block(executed) for name, executed in system.setting.menu.executed.items()}
        self.facts = facts_of(system, witness)
        slots = {*(numbers[name] for name in witness.certified), *map(self.validated, witness.validated)}
        self.certified = sum(1 << slot for slot in slots)
        self.voted = [sum(1 << ballot for ballot in system.slots[numbers[name]].ballots) for name in witness.voted]
        self.blocked = [numbers[name] for name in witness.blocked]
        self.known: dict[int, list[bool]] = {}

    def validated(self, spec: ValidatedSpec) -> int:
        """Return the slot of a validated block; one that nobody can propose in this round has none."""
        ballot = (Kind.VALIDATED, self.system.setting.menu.executed[spec.block], spec.round)
        return self.system.validated[payload_for(self.system.setting.network, ballot)]

    def holding(self, number: int) -> list[bool]:
        """Return which facts hold in a local state."""
        if number not in self.known:
            local = self.system.locals.values[number]
            validator = self.system.validator(local)
            facts = [fact(validator) for fact in self.facts]
            self.known[number] = facts + [bool(local.votes & ballots) for ballots in self.voted]
        return self.known[number]

    def look_at(self, state: State) -> None:
        """Look at one state. Whether a block can still be certified takes closed tables: it counts as possible."""
        if not self.reached and not self.blocked and state.certified & self.certified == self.certified:
            counts = map(sum, zip(*map(self.holding, state.locals), strict=True))
            self.reached = all(count >= self.witness.count for count in counts)


@define(eq=False, slots=False)
class TableWatch(Watch):
    """Looks for one witness in batches of packed states."""

    tables: Tables = field(kw_only=True)

    def __attrs_post_init__(self) -> None:
        """Find the facts in local states once."""
        super().__attrs_post_init__()
        rows = [self.holding(number) for number in range(len(self.system.locals))]
        self.flags: list[Flags] = [np.array(column, bool) for column in zip(*rows, strict=True)]
        self.may_vote: Numbers = self._may_vote() if self.blocked else np.empty(0, np.int64)

    def look(self, batch: Batch, ids: Sequence[Numbers], formed: Numbers, possible: Numbers) -> None:
        """Look at a batch of states; ``possible`` are the certificates that can be formed at once."""
        if self.reached:
            return
        holds = possible & self.certified == self.certified
        for flags in self.flags:
            holds &= sum(flags[local].astype(np.int64) for local in ids) >= self.witness.count
        for number in self.blocked:
            holds &= (formed >> number & 1 == 0) & ~self._can_be_certified(number, ids)
        self.reached = bool(holds.any())

    def _can_be_certified(self, number: int, ids: Sequence[Numbers]) -> Flags:
        """Whether a quorum is left: Byzantine validators, and correct ones that voted or still may."""
        able: Flags = np.zeros(len(ids[0]), bool)
        for ballot in self.system.slots[number].ballots:
            voters: Numbers = np.full(len(ids[0]), self.tables.adversary, np.int64)
            for place, local in zip(self.tables.correct, ids, strict=True):
                voters |= (self.may_vote[local] >> ballot & 1) << place
            able |= self.tables.certifiable[ballot][voters]
        return able

    def _may_vote(self) -> Numbers:
        """Return, per local state, the ballots that a validator cast there or in a state that it can reach."""
        rows, found = self.system.rows, [local.votes for local in self.system.locals.values]
        changed = True
        while changed:
            changed = False
            for number in reversed(range(len(rows))):
                votes = found[number]
                for after in rows[number].values():
                    votes |= found[after]
                changed |= votes != found[number]
                found[number] = votes
        return np.array(found, np.int64)


@define(eq=False, slots=False)
class WayOut:
    """Looks for states from which a persistent proposer cannot finish, without any help of Byzantine validators.

    It shows one of the certificates that there are, or none, and proposes a block in a round of its own. Every correct
    validator must accept that, then the validated certificate and the confirmed one; or a block is confirmed already,
    and every correct validator commits it.
    """

    tables: Tables
    stuck: int = 0
    """How many of the states that were looked at have no way out."""

    def __attrs_post_init__(self) -> None:
        """Find, for each way, what must have been formed, and from which local states it works."""
        system = self.tables.system
        self.ways: list[tuple[int | None, Flags]] = []
        for executed, slot in system.blocks.items():
            self.ways.append((slot, self._able(executed, [Input("certificate", slot)])))
        for number in range(system.offered, len(system.requests)):
            self.ways.append((system.justified[number], self._proposed(number)))

    def _proposed(self, number: int) -> Flags:
        """Return from which local states a proposal leads to a commit."""
        system, request = self.tables.system, self.tables.system.requests[number]
        executed = next(executed for executed in system.blocks if executed.block == request.block)
        ballots = [system.ballots((kind, executed, request.round)) for kind in (Kind.VALIDATED, Kind.CONFIRMED)]
        slots = [next(n for n, slot in enumerate(system.slots) if ballot in slot.ballots) for ballot in ballots]
        path = [Input("request", number), *(Input("certificate", slot) for slot in slots)]
        correct = sum(1 << place for place in self.tables.correct)
        enough = all(self.tables.certifiable[ballot][correct] for ballot in ballots)
        return self._able(executed, path, sum(1 << ballot for ballot in ballots)) & enough

    def _able(self, executed: ExecutedBlock, path: Sequence[Input], votes: int = 0) -> Flags:
        """Return from which local states these inputs are accepted, lead to these votes, and to a commit."""
        system, committed = self.tables.system, committed_at(self.tables.system, executed)

        def able(number: int) -> bool:
            for given in path:
                number = system.rows[number].get(given, -1)
                if number < 0:
                    return False
            local = system.locals.values[number]
            return local.votes & votes == votes and committed(system.validator(local))

        return np.array([able(number) for number in range(len(system.locals))], bool)

    def look(self, ids: Sequence[Numbers], formed: Numbers) -> None:
        """Look at a batch of states."""
        out: Flags = np.zeros(len(formed), bool)
        for needed, able in self.ways:
            there = True if needed is None else formed >> needed & 1 == 1
            out |= np.logical_and.reduce([able[local] for local in ids]) & there
        self.stuck += int((~out).sum())

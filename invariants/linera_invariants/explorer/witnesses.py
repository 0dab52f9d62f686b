"""Reachability witnesses: what must happen in some state, so that a pass is never vacuous."""

from collections.abc import Callable, Sequence

import numpy as np
from attrs import define, field
from numpy.typing import NDArray

from linera_invariants.views import is_archived, next_to_receive
from linera_reference.block import ExecutedBlock
from linera_reference.chain import Chain, is_closed
from linera_reference.identifiers import ChainId
from linera_reference.validator import Validator, chain_of

from .model import Witness
from .packing import Batch, Numbers
from .system import State, System
from .tables import Tables

Flags = NDArray[np.bool_]
Fact = Callable[[Validator], bool]


def facts_of(system: System, witness: Witness) -> list[Fact]:
    """Return the local facts of a witness."""
    menu, hashed = system.setting.menu.executed, system.setting.network.context.scheme.hash

    def committed(executed: ExecutedBlock) -> Fact:
        block, name = executed.block, hashed(executed)
        return lambda validator: chain_of(validator, block.chain_id).consistent.log.get(block.height) == name

    def pending(executed: ExecutedBlock) -> Fact:
        return lambda validator: chain_of(validator, executed.block.chain_id).localized.pending == executed

    def received(executed: ExecutedBlock) -> Fact:
        block = executed.block
        recipients = sorted({message.recipient for message in executed.messages})
        return lambda validator: all(
            next_to_receive(chain_of(validator, recipient), block.chain_id) > block.height for recipient in recipients
        )

    def of_chain(chain_id: ChainId, test: Callable[[Chain], bool]) -> Fact:
        return lambda validator: test(chain_of(validator, chain_id))

    facts = [committed(menu[name]) for name in witness.committed]
    facts += [pending(menu[name]) for name in witness.pending]
    facts += [received(menu[name]) for name in witness.received]
    facts += [of_chain(chain_id, lambda chain: chain.consistent.created) for chain_id in witness.created]
    facts += [of_chain(chain_id, lambda chain: is_closed(chain.consistent)) for chain_id in witness.closed]
    facts += [of_chain(chain_id, is_archived) for chain_id in witness.archived]
    facts += [of_chain(chain_id, lambda chain: not chain.localized.owing.is_empty) for chain_id in witness.owing]
    facts += [of_chain(chain_id, lambda chain: len(chain.localized.outboxes) > 0) for chain_id in witness.undelivered]
    return facts


@define(eq=False, slots=False)
class Watch:
    """Looks for one witness."""

    witness: Witness
    system: System
    reached: bool = False

    def __attrs_post_init__(self) -> None:
        """Number the blocks that the witness names."""
        system = self.system
        numbers = {name: system.block(executed) for name, executed in system.setting.menu.executed.items()}
        self.facts = facts_of(system, self.witness)
        self.certified = sum(1 << numbers[name] for name in self.witness.certified)
        self.voted = [numbers[name] for name in self.witness.voted]
        self.blocked = [numbers[name] for name in self.witness.blocked]
        self.known: dict[int, list[bool]] = {}

    def holding(self, number: int) -> list[bool]:
        """Return which facts hold in a local state."""
        if number not in self.known:
            local = self.system.locals.values[number]
            validator = self.system.validator(local)
            facts = [fact(validator) for fact in self.facts]
            self.known[number] = facts + [bool(local.votes >> block & 1) for block in self.voted]
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
        voters: Numbers = np.full(len(ids[0]), sum(1 << place for place in self.tables.byzantine), np.int64)
        for place, local in zip(self.tables.correct, ids, strict=True):
            voters |= (self.may_vote[local] >> number & 1) << place
        able: Flags = self.tables.certifiable[number][voters]
        return able

    def _may_vote(self) -> Numbers:
        """Return, per local state, the blocks that a validator voted for there or in a state that it can reach."""
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

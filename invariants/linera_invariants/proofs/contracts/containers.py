"""Containers: the loop of a queue, by induction about its shipped source."""

from collections.abc import Iterator
from typing import Any, NoReturn

import z3
from attrs import field, frozen

from linera_invariants.proofs.codecs import atoms
from linera_invariants.proofs.lifted import lifted
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import InfeasibleError, SAtom, SBool, assume, claim, fresh, reach
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import SQueue, split_contract
from linera_reference.containers import Queue

ITEMS = atoms("Item")
BELOW = z3.Function("below", ITEMS.sort, z3.BoolSort())
"""Whether the key of an item is below the bound, whatever keys and bounds are."""

formula("QUEUE-SPLIT")(split_contract)


@frozen(eq=False)
class Hypothesis(SQueue):
    """A queue whose loop ran to its end, by the induction hypothesis, as soon as one item was dropped."""

    turns: list[None] = field(factory=list)

    @property
    def is_empty(self) -> SBool:
        """Ask once: a turn that drops nothing would come back here for ever."""
        claim("each turn drops an item", not self.turns)
        if self.turns:
            raise InfeasibleError
        self.turns.append(None)
        return super().is_empty

    def pop(self) -> SQueue:
        """Drop the front, and then everything that the loop drops from the shorter queue."""
        shorter, split = super().pop(), fresh("split", z3.IntSort())
        claim("the queue gets shorter", shorter.tail - shorter.head < self.tail - self.head)
        assume(said("QUEUE-SPLIT", shorter, split, None, Key))
        reach("one item is dropped")
        return Rest(self.codec, self.array, split, self.tail)


class Rest(SQueue):
    """What the loop left."""

    def pop(self) -> NoReturn:
        """Fail: the loop had ended."""
        claim("the loop ends", False)
        raise InfeasibleError


@frozen
class Key:
    """The key of an item."""

    item: SAtom

    def __lt__(self, bound: Any) -> SBool:
        """Compare with the bound."""
        return SBool(BELOW(self.item.term))


@proof("QUEUE-SPLIT")
def the_loop_of_a_queue(_: Given) -> Iterator[Query]:
    """Run the loop once; if it drops an item, the rest of the run is that of a shorter queue."""

    def run() -> None:
        queue: Any = Hypothesis.unknown(ITEMS, "queue")
        rest: Any
        dropped, rest = Queue.split_before(queue, None, Key)
        claim("the contract of the loop", said("QUEUE-SPLIT", queue, rest.head, None, Key))
        claim("nothing else changes", rest.array == queue.array)
        claim("the last item stays the last", rest.tail == queue.tail)
        if dropped:
            claim("the first dropped item is the front", dropped[0] == queue.item(queue.head))
        else:
            claim("nothing was dropped", rest.head == queue.head)

    yield from lifted("one turn", run)

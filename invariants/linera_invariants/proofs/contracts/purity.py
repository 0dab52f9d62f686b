"""Functions: run twice on the same arguments, a rule ends the same way, be it with a result or a rejection."""

from collections.abc import Callable, Iterable, Iterator
from types import SimpleNamespace
from typing import Any, Final

import z3
from attrs import evolve, field, frozen

from linera_invariants.proofs.codecs import CHAIN_IDS, INTEGERS, atoms, unknown
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import SAtom, SInt, assume, attempt, claim, conj, decide, fresh
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import SMap, TurnProvedError
from linera_reference.chain import schedule_messages
from linera_reference.rejections import Rejected, Rejection

from .certification import same
from .chain import HEIGHTS, OUTBOXES


class SReason(SAtom):
    """A reason of which nothing is known."""

    __slots__ = ()
    __hash__ = None
    name: Final = "some reason"


REASONS, DETAILS = evolve(atoms("Reason"), unpack=SReason), atoms("Detail")

# --- Calls -------------------------------------------------------------------------------------------------------


@frozen
class Answer:
    """How a call ended: whether it rejected, and with what; and what it returned, if it did not."""

    rejects: Any
    reason: Any
    detail: Any
    value: Any


@frozen
class Called:
    """A call: its arguments, and how it ended."""

    arguments: tuple[Any, ...]
    answer: Answer


def is_function(first: Called, second: Called) -> z3.BoolRef:
    """Say that two calls with the same arguments end the same way."""
    return z3.Implies(same(first.arguments, second.arguments), same(first.answer, second.answer))


@frozen(eq=False)
class Function:
    """Stand for a callee of which is known that it is a function; ``make`` returns an arbitrary result."""

    known: Callable[[Called, Called], z3.BoolRef]
    make: Callable[[], Any] = lambda: None
    rejects: bool = True
    calls: list[Called] = field(factory=list)

    def __call__(self, *arguments: Any) -> Any:
        """Reject or return, as with the same arguments before."""
        answer = self._answer(arguments)
        self.calls.append(Called(arguments, answer))
        if decide(answer.rejects):
            raise Rejection(answer.reason, answer.detail)
        return answer.value

    def _answer(self, arguments: tuple[Any, ...]) -> Answer:
        """Return any answer that fits those given before; the same one, without a new name, where it has to be."""
        rejects = fresh("rejects", z3.BoolSort()) if self.rejects else z3.BoolVal(False)
        answer = Answer(rejects, unknown(REASONS, "reason"), unknown(DETAILS, "detail"), self.make())
        for before in self.calls:
            known = self.known(before, Called(arguments, answer))
            if not z3.is_true(z3.simplify(known)) and z3.is_true(z3.simplify(same(before.arguments, arguments))):
                return before.answer
            assume(known)
        return answer

    def of_items(self, items: Iterable[Any] = (), *more: Any, key: Callable[[Any], Any] = lambda item: item) -> Any:
        """Stand for ``tuple``, ``sorted`` and the like: a function of what is made of each item, and of the key."""
        seen = tuple(items)
        return self(seen, tuple(map(key, seen)), *more)


@frozen(eq=False)
class Lockstep:
    """Stand for the loop of two runs: if they start the same and each step is a function, they end the same.

    ``turn`` returns an arbitrary value of the loop and an arbitrary item, ``end`` an arbitrary result.
    """

    turn: Callable[[], tuple[Any, Any]]
    end: Callable[[], Any]
    runs: list[tuple[Any, ...]] = field(factory=list)
    ended: list[Answer] = field(factory=list)

    def fold(self, *arguments: Any) -> Any:
        """Stand for ``fold``: the first run ends anyhow, the second the same way."""
        self.runs.append(arguments)
        if len(self.runs) == 1:
            parts = unknown(REASONS, "reason of the loop"), unknown(DETAILS, "detail of the loop")
            self.ended.append(Answer(fresh("the loop rejects", z3.BoolSort()), *parts, self.end()))
        else:
            self._compare(*zip(*self.runs, strict=True))
        answer = self.ended[0]
        if decide(answer.rejects):
            raise Rejection(answer.reason, answer.detail)
        return answer.value

    def _compare(self, steps: Any, starts: Any, items: Any) -> None:
        claim("both loops start the same", same(starts[0], starts[1]))
        claim("over the same items", same(items[0], items[1]))
        if decide(fresh("one more item", z3.BoolSort())):
            value, item = self.turn()
            first, second = (attempt(step, value, item) for step in steps)
            claim("each step of the loop is a function", same(first, second))
            raise TurnProvedError


def claim_function(rule: Callable[..., Any], *arguments: Any) -> tuple[Any, ...]:
    """Call a rule twice and claim that it ends the same way; return how."""
    ends = tuple(attempt(rule, *arguments) for _ in range(2))
    claim("the same way again", same(*ends))
    return ends


# --- Scheduling --------------------------------------------------------------------------------------------------

formula("SCHEDULE-IS-A-FUNCTION")(is_function)

RECIPIENTS: Final = atoms("Recipients")


def any_outboxes(name: str) -> SMap:
    """Return arbitrary outboxes."""
    return SMap.unknown(CHAIN_IDS, OUTBOXES, name)


def any_counters(name: str) -> SMap:
    """Return arbitrary counters."""
    return SMap.unknown(HEIGHTS, INTEGERS, name)


def any_recipients() -> tuple[SMap, SInt]:
    """Return an arbitrary value of the loop over recipients."""
    return any_outboxes("scheduled"), unknown(HEIGHTS, "so many")


@proof("SCHEDULE-IS-A-FUNCTION")
def scheduling(_: Given) -> Iterator[Query]:
    """Schedule a block twice, on a view with nothing but outboxes and counters; recipients are a set."""

    def run() -> None:
        loop = Lockstep(lambda: (any_recipients(), unknown(CHAIN_IDS, "recipient")), any_recipients)
        schedule: Any = with_callees(schedule_messages, fold=loop.fold)
        parts = any_outboxes("outboxes"), any_counters("counters")
        others = unknown(RECIPIENTS, "recipients"), unknown(HEIGHTS, "height")
        ends = claim_function(schedule, SimpleNamespace(outboxes=parts[0], counters=parts[1]), *others)
        first, second = (Called((*parts, *others), answer_of(end)) for end in ends)
        claim("the contract", said("SCHEDULE-IS-A-FUNCTION", first, second))
        claim_local(loop.runs[0][0])

    yield from lifted("schedule_messages", run)


def answer_of(end: Any) -> Answer:
    """Return how a call ended."""
    if isinstance(end, Rejected):
        return Answer(z3.BoolVal(True), end.reason, end.detail, None)
    return Answer(z3.BoolVal(False), None, None, end)


def claim_local(step: Callable[[Any, Any], Any]) -> None:
    """Claim that a step touches one outbox, so that the order in which the loop meets the recipients is no matter."""
    before, recipient, other = any_recipients(), unknown(CHAIN_IDS, "recipient"), fresh("another one", CHAIN_IDS.sort)
    assume(recipient.term != other)
    after = attempt(step, before, recipient)
    if not isinstance(after, Rejected):
        (old, _), (new, _) = before, after
        claim("others stay", conj(old.present[other] == new.present[other], old.array[other] == new.array[other]))

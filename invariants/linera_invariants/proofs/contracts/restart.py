"""Restarts: what a node rebuilds of a chain from what it stored, for any number of mailboxes and outboxes.

A loop over a map meets each entry once, and an outbox holds each height once. What is built is looked at in one place,
which is any: the invariants of the loops speak of it, and of the entries that were met.
"""

from collections.abc import Callable, Iterator
from itertools import islice
from types import SimpleNamespace
from typing import Any, Final

import z3
from attrs import evolve, frozen

from linera_invariants.proofs.codecs import CHAIN_IDS, unpacked
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import SAtom, assume, attempt, claim, conj, decide, fresh, term
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import SMap, SSet, TurnProvedError, forall
from linera_reference.chain import LOCALIZED, Chain, restart_chain
from linera_reference.validator import Validator, restart

from .chain import any_chain, terms_of
from .handlers import claim_frame, rebuilt
from .laws import is_owed
from .outbox import counts, unknown_counters
from .outboxes import NOBODY, RECIPIENTS, SIZE, Outboxes, is_queued

MET: Final = z3.Const("met", CHAIN_IDS.sort)
"""The entry that a turn of a loop meets."""


def a_turn() -> bool:
    """Fork on whether a turn of a loop is to be proved here, or what is known when every entry was met."""
    return decide(fresh("one more entry", z3.BoolSort()))


def entry_of(found: Any, make: Callable[[Any], Any]) -> Callable[[], Iterator[Any]]:
    """Return what gives a loop over a map the entry that is met."""

    def entries() -> Iterator[Any]:
        assume(found.present[MET])
        yield make(unpacked(found.values, found.array[MET]))

    return entries


# --- Who owes messages -------------------------------------------------------------------------------------------


@frozen(eq=False)
class Owing:
    """Stand for ``fold`` over the origins that owe messages, looked at for one origin."""

    before: Any
    origin: Any

    def known(self, owing: Any, met: Any) -> z3.BoolRef:
        """Say that the origin is listed if it was met and owes messages."""
        listed: z3.BoolRef = owing.array[self.origin] == conj(met[self.origin], is_owed(self.before, self.origin))
        return listed

    def fold(self, step: Callable[[Any, Any], Any], init: Any, origins: Iterator[Any]) -> Any:
        """Stand for the loop; the other one has a proof of its own."""
        if init is not LOCALIZED.owing:
            return rebuilt(step, init, origins)
        claim("nobody owes at first", init.is_empty and self.known(SSet.empty(CHAIN_IDS), NOBODY))
        if not a_turn():
            found = SSet.unknown(CHAIN_IDS, "owing")
            assume(self.known(found, self.before.mailboxes.present))
            return found
        met, after = fresh("met before", RECIPIENTS), SSet.unknown(CHAIN_IDS, "owing so far")
        assume(self.known(after, met))
        for origin in origins:
            after = step(after, origin)
        claim("a turn keeps what is known", self.known(after, z3.Store(met, MET, z3.BoolVal(True))))
        raise TurnProvedError


@proof("RESTART-CHAIN")
def restarted(given: Given) -> Iterator[Query]:
    """Restart an arbitrary chain, and a validator of which one chain stands for all."""

    def run() -> None:
        chain, origin = any_chain(), fresh("any origin", CHAIN_IDS.sort)
        owing = Owing(chain.localized, origin)
        mailboxes: Any = SimpleNamespace(items=entry_of(chain.localized.mailboxes, lambda box: (SAtom(MET), box)))
        outboxes: Any = SimpleNamespace(values=tuple)
        walked = evolve(chain.localized, mailboxes=mailboxes, outboxes=outboxes)
        before = evolve(chain, localized=walked)
        after: Any = attempt(with_callees(restart_chain, Set=SSet, fold=owing.fold), before)
        claim("the consistent part stays the same", after.consistent is chain.consistent)
        claim_frame(before, after, "owing", "counters")
        claim("the contract", said("RESTART-CHAIN", terms_of(chain), terms_of(after)))
        marked: Any = SAtom(origin)
        was, now = (term(found.localized.owing.contains(marked)) for found in (chain, after))
        claim("who owes messages is listed, whatever was", now == is_owed(chain.localized, origin))
        claim("the same origins as before", z3.Implies(given("OWING", chain, origin), now == was))

    yield from lifted("restart_chain", run)
    yield from lifted("restart", whole_validator)


def whole_validator() -> None:
    """Claim that a validator restarts each of its chains, under its identifier."""
    chain, again = any_chain(), any_chain("again")

    def once(found: Chain) -> Chain:
        claim("the chain that is stored", found is chain)
        return again

    stored: Any = SimpleNamespace(items=lambda: ((chain.chain_id, chain),))
    after: Any = attempt(with_callees(restart, restart_chain=once, Map=tuple), Validator(stored))
    ((key, view),) = after.chains
    claim("each chain is restarted", key is chain.chain_id and view is again)


# --- Who waits ---------------------------------------------------------------------------------------------------


@formula("RESTART-COUNTS")
def counts_again(is_counted: z3.BoolRef, before: SMap, after: SMap, height: Any) -> z3.BoolRef:
    """Say that counters which count who waits for a height are what they were."""
    number = z3.Implies(before.present[height], after.array[height] == before.array[height])
    return z3.Implies(is_counted, conj(after.present[height] == before.present[height], number))


@frozen(eq=False)
class Waiting:
    """Stand for ``fold`` over all queued heights, looked at for one height; each recipient waits for it once."""

    given: Given
    before: Outboxes
    height: Any

    def known(self, counters: Any, met: Any) -> z3.BoolRef:
        """Say that the counter counts the recipients that were met with this height."""
        return counts(counters, self.height, SIZE(met))

    def is_met(self, recipient: Any) -> z3.BoolRef:
        """Say that a recipient is among those who wait exactly if it has the height queued, so that it is met."""
        waits: z3.BoolRef = z3.Select(self.before.waiting[self.height], recipient)
        return waits == is_queued(self.before.outboxes, recipient, self.height)

    def fold(self, step: Callable[[Any, Any], Any], init: Any, heights: Iterator[Any]) -> Any:
        """Stand for the loop; the other one has a proof of its own."""
        if init is not LOCALIZED.counters:
            return rebuilt(step, init, heights)
        assume(self.given("FINITE-SETS", NOBODY, MET))
        nothing = evolve(unknown_counters("nothing"), present=z3.K(z3.IntSort(), z3.BoolVal(False)))
        claim("nobody is counted at first", len(init) == 0 and self.known(nothing, NOBODY))
        if not a_turn():
            found, everybody = unknown_counters("counted"), self.before.waiting[self.height]
            claim("who was met is who has it queued", forall((CHAIN_IDS.sort,), self.is_met, "r"))
            assume(self.known(found, everybody))
            return found
        met, after = fresh("met before", RECIPIENTS), unknown_counters("counted so far")
        assume(conj(self.known(after, met), self.given("FINITE-SETS", met, MET)))
        for height in islice(heights, 1):
            looked_at = term(height) == self.height
            assume(z3.Implies(looked_at, z3.Not(met[MET])))
            after = step(after, height)
            met = z3.If(looked_at, z3.Store(met, MET, z3.BoolVal(True)), met)
        claim("a turn keeps what is known", self.known(after, met))
        raise TurnProvedError


@proof("RESTART-COUNTS")
def counted_again(given: Given) -> Iterator[Query]:
    """Restart a chain whose counters count who waits; look at an arbitrary height."""

    def run() -> None:
        before, height, chain = Outboxes.counted(), fresh("any height", z3.IntSort()), any_chain()
        waiting = Waiting(given, before, height)
        boxes: Any = SimpleNamespace(values=entry_of(before.outboxes, lambda box: box))
        walked = evolve(chain.localized, outboxes=boxes, counters=before.counters)
        after: Any = attempt(with_callees(restart_chain, fold=waiting.fold), evolve(chain, localized=walked))
        counted = before.sent.is_counted
        claim("the same counters", said("RESTART-COUNTS", counted, before.counters, after.localized.counters, height))

    yield from lifted("restart_chain", run)

"""The certificates that a chain keeps: where they come from, and what requests between chains carry."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import z3
from attrs import evolve, frozen

from linera_invariants.proofs.codecs import CHAIN_IDS, unknown, unpacked
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import assume, attempt, claim, conj, term
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import forall
from linera_reference.certificate import Certificate
from linera_reference.chain import Chain
from linera_reference.rejections import Rejected
from linera_reference.validator import update_recipient

from .chain import CERTIFICATES, EXECUTED, HEIGHTS, SHistory, any_chain, part_of
from .handlers import CALLS, CERTIFIED, call_archive

Blocks = Callable[[Any], z3.BoolRef]
"""A set of executed blocks."""

executed_of = part_of(CERTIFICATES, Certificate, "executed")


@formula("KEPT-CERTIFICATES")
def keeps_accepted(executed: z3.SortRef, before: Blocks, after: Blocks, accepted: Blocks) -> z3.BoolRef:
    """Say that a handler keeps what it kept before, and what it accepted."""
    return forall((executed,), lambda e: z3.Implies(after(e), z3.Or(before(e), accepted(e))), "kept")


@formula("CARRIED-CERTIFICATES")
def carries_kept(kept: z3.BoolRef) -> z3.BoolRef:
    """Say that a block that is carried is kept."""
    return kept


def kept_by(chain: Chain) -> Blocks:
    """Return the executed blocks of which a chain keeps the certificate."""
    log: Any = chain.localized.certificates

    def kept(executed: Any) -> z3.BoolRef:
        n = z3.Int("kept_at")
        inside = conj(n >= 0, n < term(log.length))
        return z3.Exists([n], conj(inside, executed_of(log.array[n]) == executed))

    return kept


@proof("KEPT-CERTIFICATES")
def custody(given: Given) -> Iterator[Query]:
    """Run every handler on an arbitrary cell, and archive it."""
    for name in reversed(CALLS):
        run = forgets if name == "archive_chain" else partial(adds, name)
        yield from lifted(name, partial(run, given))


def adds(name: str, given: Given) -> None:
    """Claim that a handler keeps no other certificate than before and the one that it accepted."""
    call = CALLS[name](given)
    outcome = call.handle(call.chain)
    if isinstance(outcome, Rejected):
        return
    accepted = EXECUTED.pack(call.item.executed) if name == "handle_certificate" else None
    before, after = kept_by(call.chain), kept_by(outcome.state)
    claim("keeps what was accepted", said("KEPT-CERTIFICATES", EXECUTED.sort, before, after, just(accepted)))


def just(accepted: Any) -> Blocks:
    """Return the set of one certified block, or of none."""

    def has(executed: Any) -> z3.BoolRef:
        return z3.BoolVal(False) if accepted is None else conj(executed == accepted, CERTIFIED(executed))

    return has


@frozen(eq=False)
class Forgettable:
    """A history of which only ``forget`` may be asked."""

    forgotten: bool = False

    def forget(self) -> "Forgettable":
        """Drop the items."""
        return Forgettable(forgotten=True)


def forgets(given: Given) -> None:
    """Claim that archiving keeps the certificates or forgets them."""
    call = call_archive(given)
    log: Any = Forgettable()
    chain = evolve(call.chain, localized=evolve(call.chain.localized, certificates=log))
    outcome = call.handle(chain)
    if not isinstance(outcome, Rejected):
        after: Any = outcome.state.localized.certificates
        claim("keeps or forgets the certificates", after is log or after.forgotten)


class Kept(SHistory):
    """A history of which items are asked that are here."""

    def at(self, index: Any) -> Any:
        """Return the item at an index."""
        place = term(index)
        assume(conj(place >= 0, place < self.length.term))
        return unpacked(self.codec, self.array[place])


@proof("CARRIED-CERTIFICATES")
def carries(_: Given) -> Iterator[Query]:
    """Run ``update_recipient`` on an arbitrary cell; one height stands for all that wait."""

    def run() -> None:
        chain = any_chain()
        kept: Any = Kept.unknown(CERTIFICATES, "certificates")
        chain = evolve(chain, localized=evolve(chain.localized, certificates=kept))
        shipped = with_callees(update_recipient, map=lambda at, _: at(unknown(HEIGHTS, "height")), tuple=lambda x: x)
        recipient = unknown(CHAIN_IDS, "recipient")
        if recipient not in chain.localized.outboxes:
            return
        request = attempt(shipped, chain, recipient)
        executed = EXECUTED.pack(request.certificates.executed)
        claim("a carried block is kept", said("CARRIED-CERTIFICATES", kept_by(chain)(executed)))

    yield from lifted("update_recipient", run)

"""The first state: what a genesis configuration makes of every chain, the same at every correct validator."""

from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any, Final

import z3
from attrs import frozen

from linera_invariants.proofs.cells import CellTerms
from linera_invariants.proofs.codecs import BYTES, CHAIN_IDS, unknown
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import SBool, attempt, claim, conj, decide, fresh, term
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_reference.chain import LOCALIZED, Chain
from linera_reference.network import initial_world
from linera_reference.rejections import Reason, Rejected
from linera_reference.validator import Genesis, GenesisChain, chain_of, genesis_validator

from .audit import NOTHING_CONSUMED, begun, symbolic
from .chain import NO_KEYS, OWNER, REST, STATES, Rest, keys_in, terms_of

LAWFUL: Final = z3.Function("is_identifier", CHAIN_IDS.sort, z3.BoolSort())
ANCESTOR: Final = z3.Function("is_ancestor", CHAIN_IDS.sort, CHAIN_IDS.sort, z3.BoolSort())


@formula("GENESIS-CELL")
def first_cell(first: CellTerms, rest: Any, is_kept: Any) -> z3.BoolRef:
    """Say what a chain is at the start: without blocks, votes, lock and certificates, on the configured rest."""
    blank = conj(first.next_height == 0, z3.Not(first.tip.present), z3.Not(first.pending.present))
    blank = conj(blank, first.last == 0, z3.Not(first.locked.present))
    return conj(blank, first.rest == rest, z3.Not(is_kept))


@frozen(eq=False)
class Listing:
    """Stand for the map of the genesis chains: one entry stands for all."""

    entry: tuple[Any, Chain]

    @classmethod
    def of(cls, entries: Iterable[tuple[Any, Chain]]) -> "Listing":
        """Take the one entry."""
        (entry,) = entries
        return cls(entry)

    def get(self, key: Any) -> Chain | None:
        """Return the entry, if it is that of the key."""
        return self.entry[1] if decide(term(self.entry[0]) == term(key)) else None


@proof("GENESIS-CELL")
def genesis_cells(_: Given) -> Iterator[Query]:
    """Build the first state, and look at an arbitrary chain of it; then give it to an arbitrary validator."""

    def run() -> None:
        listed = GenesisChain(unknown(CHAIN_IDS, "listed"), unknown(OWNER, "owner"), unknown(STATES, "state"))
        before, after = unknown(CHAIN_IDS, "before"), unknown(CHAIN_IDS, "after")

        def neighbours(ids: Iterator[Any]) -> tuple[Any, Any]:
            claim("the identifiers of all chains are looked at", next(ids) is listed.chain_id)
            return before, after

        build = with_callees(
            genesis_validator,
            sorted=neighbours,
            is_identifier=lambda chain: SBool(LAWFUL(term(chain))),
            is_ancestor=lambda one, other: SBool(ANCESTOR(term(one), term(other))),
            Map=Listing.of,
        )
        validator = attempt(build, Genesis(None, (listed,)))  # type: ignore[arg-type]
        apart = conj(term(before) != term(after), z3.Not(ANCESTOR(term(before), term(after))))
        lawful = conj(LAWFUL(term(before)), LAWFUL(term(after)), apart)
        has_owner = keys_in(OWNER.pack(listed.owner)) != NO_KEYS
        if isinstance(validator, Rejected):
            empty = validator.reason is Reason.EMPTY_OWNER_SET
            claim("only unlawful identifiers and empty sets of owners are refused", z3.Not(conj(lawful, has_owner)))
            claim("an empty set where identifiers are lawful", lawful if empty else z3.Not(lawful))
            return
        claim("identifiers are lawful, and none is an ancestor of the next one", lawful)
        claim("every chain has an owner", has_owner)
        claim_first(listed, chain_of(validator, unknown(CHAIN_IDS, "chain")))

    yield from lifted("genesis_validator", run)
    yield from lifted("initial_world", everybody_alike)


def claim_first(listed: GenesisChain, view: Chain) -> None:
    """Claim what a chain is: a genesis chain as it is configured, any other one not created."""
    created = view.consistent.created
    blank = REST.pack(Rest(False, None, None, 0, NOTHING_CONSUMED, None))
    rest = begun(listed.owner, listed.state, None) if created else blank
    kept = z3.BoolVal(len(view.localized.certificates) > 0)
    same_chain = term(view.chain_id) == term(listed.chain_id)
    claim("the genesis chains are created, and no other one", same_chain if created else z3.Not(same_chain))
    claim("the first state", said("GENESIS-CELL", terms_of(symbolic(view)), rest, kept))
    claim("nothing is pending, received or owed", view.localized == LOCALIZED)


class Byzantine:
    """Stand for the Byzantine validators: any."""

    def __init__(self) -> None:
        """Fork once on whether the validator that is looked at is one of them."""
        self.has_it = decide(fresh("is Byzantine", z3.BoolSort()))

    def __contains__(self, _: Any) -> bool:
        """Say whether it is."""
        return self.has_it


def everybody_alike() -> None:
    """Run ``initial_world`` for an arbitrary member of the committee."""
    key, start, byzantine = unknown(BYTES, "key"), object(), Byzantine()
    genesis = SimpleNamespace(committee=SimpleNamespace(weights=(key,)))

    def build(configured: Any) -> object:
        claim("from the one genesis", configured is genesis)
        return start

    begin = with_callees(initial_world, genesis_validator=build, Map=tuple, World=lambda validators: validators)
    validators = attempt(begin, SimpleNamespace(genesis=genesis, byzantine=byzantine))
    expected = [] if byzantine.has_it else [(key, start)]
    claim("every correct validator starts there", [*map(_ids, validators)] == [*map(_ids, expected)])


def _ids(pair: tuple[Any, Any]) -> tuple[int, int]:
    return id(pair[0]), id(pair[1])

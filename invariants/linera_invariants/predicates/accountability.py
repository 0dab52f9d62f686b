"""Accountability (S27): what was published charges no correct validator, and where it forks, enough of the others."""

from collections.abc import Iterator

from linera_invariants.convictions import charges, open_case
from linera_invariants.registry import Violation, predicate
from linera_invariants.views import place_of, rivals, same_place, short
from linera_reference.certificate import Certificate, Kind
from linera_reference.committee import combined_weight, validity_threshold
from linera_reference.network import Network, World
from linera_reference.notation import PublicKey


@predicate("S27", "certificate")
def forks_convict_the_guilty(network: Network, world: World, certificate: Certificate) -> Iterator[Violation]:
    """S27 (WP-2.2-ACCOUNTABILITY, WP-2.9-ACCOUNTABILITY): a fork charges ⌈N/3⌉ or more, none of them correct.

    A fork is two blocks that are confirmed, or validated in one round. The charges are those that stand against all
    certificates of the place that were formed. This holds also where the fault bound does not, and no correct validator
    is charged without a fork either.
    """
    committee, place = network.context.committee, place_of(certificate.executed.block)
    guilty = charged_at(network, world, certificate)
    for key in sorted(guilty & set(world.validators)):
        yield Violation("S27", f"{place} convicts {short(key)}, which is correct", key)
    forked = any(forks(world, certificate))
    if forked and combined_weight(committee, guilty) < validity_threshold(committee.total):
        yield Violation("S27", f"the fork at {place} convicts too few", guilty)


def forks(world: World, certificate: Certificate) -> Iterator[Certificate]:
    """Walk the certificates that cannot exist beside this one under the fault bound."""
    if certificate.kind is Kind.CONFIRMED:
        return rivals(world.certificates, certificate)
    return (other for other in rivals(world.validated, certificate) if other.round == certificate.round)


def charged_at(network: Network, world: World, certificate: Certificate) -> frozenset[PublicKey]:
    """Return who is charged by the certificates that were formed for the place of one of them."""
    formed = (*world.certificates.values(), *world.validated.values())
    here = [other for other in formed if same_place(other.executed.block, certificate.executed.block)]
    return frozenset(key for charge in charges(open_case(network.context, here)) for key in charge.charged)

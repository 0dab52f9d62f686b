"""Accountability (S27): two certificates that conflict convict validators, and none of them is correct."""

from collections.abc import Iterator

from linera_invariants.convictions import convicted
from linera_invariants.registry import Violation, predicate
from linera_invariants.views import conflicting, place_of, short
from linera_reference.certificate import Certificate
from linera_reference.committee import combined_weight, validity_threshold
from linera_reference.network import Network, World


@predicate("S27", "certificate")
def forks_convict_the_guilty(network: Network, world: World, certificate: Certificate) -> Iterator[Violation]:
    """S27 (WP-2.2-ACCOUNTABILITY): who signed both of two conflicting certificates weighs ⌈N/3⌉ or more.

    No correct validator is among them. This holds also where the fault bound does not.
    """
    context = network.context
    for other in conflicting(world, certificate):
        guilty = convicted(context.scheme, context.committee, certificate, other)
        place = place_of(certificate.executed.block)
        if combined_weight(context.committee, guilty) < validity_threshold(context.committee.total):
            yield Violation("S27", f"the fork at {place} convicts too few", guilty)
        for key in sorted(guilty & set(world.validators)):
            yield Violation("S27", f"the fork at {place} convicts {short(key)}, which is correct", key)

"""Accountability (S27): two certificates that conflict convict validators, and none of them is correct."""

from collections.abc import Iterator

from linera_invariants.registry import Violation, predicate
from linera_invariants.views import conflicting, place_of, short
from linera_reference.certificate import Certificate, certified_payload
from linera_reference.committee import combined_weight, validity_threshold
from linera_reference.network import Network, World
from linera_reference.notation import PublicKey


def convicted(network: Network, one: Certificate, two: Certificate) -> frozenset[PublicKey]:
    """Return the validators that signed both of two certificates for one place; nobody if they do not conflict."""
    places = {(c.executed.block.chain_id, c.executed.block.height, c.kind, c.round) for c in (one, two)}
    if len(places) > 1 or one.executed == two.executed:
        return frozenset()
    first, second = (genuine_signers(network, certificate) for certificate in (one, two))
    return first & second


def genuine_signers(network: Network, certificate: Certificate) -> frozenset[PublicKey]:
    """Return whose signature on a certificate verifies."""
    scheme = network.context.scheme
    genuine = scheme.verifier(certified_payload(scheme, certificate))
    return frozenset(key for key, signature in certificate.signatures if genuine(key, signature))


@predicate("S27", "certificate")
def forks_convict_the_guilty(network: Network, world: World, certificate: Certificate) -> Iterator[Violation]:
    """S27 (WP-2.2-ACCOUNTABILITY): who signed both of two conflicting certificates weighs ⌈N/3⌉ or more.

    No correct validator is among them. This holds also where the fault bound does not.
    """
    context = network.context
    for other in conflicting(world, certificate):
        guilty = convicted(network, certificate, other)
        place = place_of(certificate.executed.block)
        if combined_weight(context.committee, guilty) < validity_threshold(context.committee.total):
            yield Violation("S27", f"the fork at {place} convicts too few", guilty)
        for key in sorted(guilty & set(world.validators)):
            yield Violation("S27", f"the fork at {place} convicts {short(key)}, which is correct", key)

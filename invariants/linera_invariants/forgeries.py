"""Tampering: what somebody without the keys can make out of something genuine."""

from collections.abc import Callable
from typing import Any

from attrs import evolve, frozen

from linera_reference.certificate import Certificate, Kind, certified_payload
from linera_reference.crypto import Scheme, Signer
from linera_reference.encoding import decode, encode
from linera_reference.outbox import UpdateRecipient
from linera_reference.request import Request


@frozen
class Material:
    """What a forger works with: something genuine, and a key without any rights."""

    item: Any
    scheme: Scheme
    forger: Signer

    @property
    def certificate(self) -> Certificate:
        """The genuine certificate."""
        found: Certificate = self.item
        return found

    @property
    def request(self) -> Request:
        """The genuine request."""
        found: Request = self.item
        return found

    @property
    def update(self) -> UpdateRecipient:
        """The genuine cross-chain request."""
        found: UpdateRecipient = self.item
        return found


Forgery = Callable[[Material], Any]
"""May raise what decoding raises: ``Rejection``."""


def flipped(data: bytes) -> bytes:
    """Return bytes with one bit changed."""
    return bytes((data[0] ^ 1, *data[1:]))


# --- certificates ---


def bad_signature(material: Material) -> Certificate:
    """Damage one signature."""
    (signer, signature), *rest = material.certificate.signatures
    return evolve(material.certificate, signatures=((signer, flipped(signature)), *rest))


def stranger(material: Material) -> Certificate:
    """Add the genuine signature of somebody without voting rights."""
    certificate, scheme, forger = material.certificate, material.scheme, material.forger
    own = (forger.public_key, scheme.sign(forger, certified_payload(scheme, certificate)))
    return evolve(certificate, signatures=(*certificate.signatures, own))


def repeated_signer(material: Material) -> Certificate:
    """Count a signer twice."""
    signatures = material.certificate.signatures
    return evolve(material.certificate, signatures=(*signatures, signatures[0]))


def no_quorum(material: Material) -> Certificate:
    """Keep one signature."""
    return evolve(material.certificate, signatures=material.certificate.signatures[:1])


def other_messages(material: Material) -> Certificate:
    """Drop the messages of the block."""
    return evolve(material.certificate, executed=evolve(material.certificate.executed, messages=()))


def other_state(material: Material) -> Certificate:
    """Claim another resulting state."""
    executed = material.certificate.executed
    return evolve(material.certificate, executed=evolve(executed, state_hash=flipped(executed.state_hash)))


def other_kind(material: Material) -> Certificate:
    """Pass votes of one kind off as another."""
    return evolve(material.certificate, kind=Kind.VALIDATED)


# --- requests ---


def bad_request_signature(material: Material) -> Request:
    """Damage the signature."""
    return evolve(material.request, signature=flipped(material.request.signature))


def other_owner(material: Material) -> Request:
    """Claim to be the owner."""
    return evolve(material.request, owner=material.forger.public_key)


def other_round(material: Material) -> Request:
    """Move the request to another round."""
    return evolve(material.request, round=material.request.round + 1)


# --- cross-chain requests ---


def empty(material: Material) -> UpdateRecipient:
    """Drop every block."""
    return evolve(material.update, certificates=())


def misrouted(material: Material) -> UpdateRecipient:
    """Send the batch to a chain that it is not for."""
    return evolve(material.update, recipient=material.update.sender)


def repeated_block(material: Material) -> UpdateRecipient:
    """List a block twice."""
    certificates = material.update.certificates
    return evolve(material.update, certificates=(*certificates, certificates[-1]))


# --- bytes ---


def truncated(material: Material) -> Any:
    """Lose the last byte on the way."""
    return decode(type(material.item), encode(material.item)[:-1])


def trailing(material: Material) -> Any:
    """Gain a byte on the way."""
    return decode(type(material.item), encode(material.item) + b"\0")


_BYTES: dict[str, Forgery] = {"truncated": truncated, "trailing": trailing}

FORGERIES: dict[str, dict[str, Forgery]] = {
    "certificate": {
        "signature": bad_signature,
        "stranger": stranger,
        "repeated-signer": repeated_signer,
        "no-quorum": no_quorum,
        "messages": other_messages,
        "state-hash": other_state,
        "kind": other_kind,
        **_BYTES,
    },
    "request": {"signature": bad_request_signature, "owner": other_owner, "round": other_round, **_BYTES},
    "update": {"empty": empty, "misrouted": misrouted, "repeated-block": repeated_block, **_BYTES},
}
"""What can be forged, and how."""

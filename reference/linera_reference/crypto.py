"""Hash and signatures (section 2.3), behind one interface: real Ed25519, or ideal signatures for exploration."""

from collections.abc import Callable
from functools import cache
from hashlib import sha3_256
from typing import Any, Protocol, TypeAlias

from attrs import frozen
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .encoding import encode
from .notation import Hash, PublicKey, Signature, rule, support

Verifier: TypeAlias = Callable[[PublicKey, Signature], bool]
"""Whether a signature of a given value is genuine. Malformed keys and signatures are not."""


@support
def tagged_bytes(value: Any) -> bytes:
    """Return the type name, ``::`` and the canonical bytes: what is hashed and what is signed."""
    kind: Any = type(value)
    return _tag(kind) + encode(value)


@cache
def _tag(kind: Any) -> bytes:
    return f"{kind.__name__}::".encode()


@rule("WP-2.3-HASH")
def hash_value(value: Any) -> Hash:
    """Return SHA3-256 of the tagged bytes (32 bytes). Rejects: OUT_OF_RANGE. Section 2.3."""
    return sha3_256(tagged_bytes(value)).digest()


class Scheme(Protocol):
    """A hash and a signature scheme. Secrets are 32 bytes and never enter a state."""

    def hash(self, value: Any) -> Hash:
        """Hash a data type."""
        ...

    def public_key(self, secret: bytes) -> PublicKey:
        """Return the verification key of a secret."""
        ...

    def sign(self, signer: "Signer", value: Any) -> Signature:
        """Sign a data type, deterministically."""
        ...

    def verifier(self, value: Any) -> Verifier:
        """Prepare to check signatures of one value."""
        ...


@frozen
class Signer:
    """A key pair: an argument of handlers, like the clock."""

    public_key: PublicKey
    secret: bytes


@frozen
class Ed25519Scheme:
    """Real signatures: Ed25519 over the tagged bytes."""

    @rule("WP-2.3-HASH")
    def hash(self, value: Any) -> Hash:
        """Hash a data type."""
        return hash_value(value)

    @support
    def public_key(self, secret: bytes) -> PublicKey:
        """Return the Ed25519 verification key."""
        key = Ed25519PrivateKey.from_private_bytes(secret).public_key()
        return key.public_bytes(Encoding.Raw, PublicFormat.Raw)

    @rule("WP-2.3-SIGN")
    def sign(self, signer: Signer, value: Any) -> Signature:
        """Sign the tagged bytes."""
        return Ed25519PrivateKey.from_private_bytes(signer.secret).sign(tagged_bytes(value))

    @rule("WP-2.3-SIGN")
    def verifier(self, value: Any) -> Verifier:
        """Check signatures of the tagged bytes."""
        signed = tagged_bytes(value)

        def verify(public_key: PublicKey, signature: Signature) -> bool:
            try:
                Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed)
            except (InvalidSignature, ValueError):
                return False
            return True

        return verify


@frozen
class IdealScheme:
    """Ideal signatures: the key, then the hash of what is signed.

    Anyone can compute one, so unforgeability is an assumption of the model that uses it
    (:mod:`linera_reference.network` lets nobody sign for another).
    """

    @rule("WP-2.3-HASH")
    def hash(self, value: Any) -> Hash:
        """Hash a data type."""
        return hash_value(value)

    @support
    def public_key(self, secret: bytes) -> PublicKey:
        """Return a key that is a hash of the secret."""
        return sha3_256(b"IdealKey::" + secret).digest()

    @rule("WP-2.3-SIGN")
    def sign(self, signer: Signer, value: Any) -> Signature:
        """Return the key and the hash of the value."""
        return signer.public_key + hash_value(value)

    @rule("WP-2.3-SIGN")
    def verifier(self, value: Any) -> Verifier:
        """Compare with what the owner of the key would have signed."""
        digest = hash_value(value)
        return lambda public_key, signature: signature == public_key + digest


@support
def make_signer(scheme: Scheme, secret: bytes) -> Signer:
    """Pair a secret with its public key."""
    return Signer(scheme.public_key(secret), secret)


@rule("WP-2.3-SIGN")
def verify(scheme: Scheme, public_key: PublicKey, value: Any, signature: Signature) -> bool:
    """Whether a signature is genuine. Section 2.3."""
    return scheme.verifier(value)(public_key, signature)

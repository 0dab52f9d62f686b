"""Hash and signatures (section 2.3), behind one interface: real Ed25519, or ideal signatures for exploration."""

from hashlib import sha3_256
from typing import Any, Protocol

from attrs import frozen
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from .encoding import encode
from .notation import Hash, PublicKey, Signature, rule, support


@support
def tagged_bytes(value: Any) -> bytes:
    """Return the type name, ``::`` and the canonical bytes: what is hashed and what is signed."""
    return type(value).__name__.encode() + b"::" + encode(value)


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

    def sign(self, secret: bytes, value: Any) -> Signature:
        """Sign a data type, deterministically."""
        ...

    def verify(self, public_key: PublicKey, value: Any, signature: Signature) -> bool:
        """Whether the signature is genuine. Malformed keys and signatures are not."""
        ...


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
    def sign(self, secret: bytes, value: Any) -> Signature:
        """Sign the tagged bytes."""
        return Ed25519PrivateKey.from_private_bytes(secret).sign(tagged_bytes(value))

    @rule("WP-2.3-SIGN")
    def verify(self, public_key: PublicKey, value: Any, signature: Signature) -> bool:
        """Verify the tagged bytes."""
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, tagged_bytes(value))
        except (InvalidSignature, ValueError):
            return False
        return True


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
    def sign(self, secret: bytes, value: Any) -> Signature:
        """Return the key and the hash of the value."""
        return self.public_key(secret) + hash_value(value)

    @rule("WP-2.3-SIGN")
    def verify(self, public_key: PublicKey, value: Any, signature: Signature) -> bool:
        """Compare with what the key owner would have signed."""
        return signature == public_key + hash_value(value)


@frozen
class Signer:
    """A voting key: an argument of handlers, like the clock."""

    public_key: PublicKey
    secret: bytes


@support
def make_signer(scheme: Scheme, secret: bytes) -> Signer:
    """Pair a secret with its public key."""
    return Signer(scheme.public_key(secret), secret)

"""Hash and signatures."""

from hashlib import sha3_256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from support import BOTH, ED25519, IDEAL, examples, key, refused, scheme, signer

from linera_reference.application import Balance, Credit
from linera_reference.crypto import Scheme, Signer, hash_value, make_signer, tagged_bytes
from linera_reference.encoding import encode
from linera_reference.identifiers import ChainDescription, Child, Root
from linera_reference.messages import Create, Cursor
from linera_reference.rejections import Reason

VALUE = Cursor(1, 2)


@pytest.mark.clauses("WP-2.3-HASH")
@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (0, "e476187f6ddfeb9d588c7b45d3df334d5501d6499b3f9ad5595cae86cce16a65"),
        (9, "256e1dbc00482ddd619c293cc0df94d366afe7980022bb22d99e33036fd465dd"),
        (999, "9c8a838e8f7b63194f6c7585455667a8379d2b5db19a3300e9961f0b1e9091ea"),
    ],
)
def test_root_chains_hash_as_in_the_public_implementation(index: int, expected: str) -> None:
    assert hash_value(ChainDescription(Root(index))).hex() == expected


@pytest.mark.clauses("WP-2.3-HASH")
@pytest.mark.parametrize("scheme", BOTH)
def test_the_hash_covers_type_name_and_canonical_bytes(scheme: Scheme) -> None:
    preimage = b"Cursor::" + bytes((1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0))
    assert tagged_bytes(VALUE) == preimage
    assert scheme.hash(VALUE) == hash_value(VALUE) == sha3_256(preimage).digest()


def test_equal_bytes_of_different_types_hash_differently() -> None:
    assert encode(Balance(5)) == encode(Credit(5))
    assert hash_value(Balance(5)) != hash_value(Credit(5))
    assert hash_value(ChainDescription(Child(bytes(32), 0, 0))) != hash_value(ChainDescription(Root(0)))


@pytest.mark.clauses("WP-2.3-DATA-TYPE")
def test_a_value_out_of_range_has_no_hash() -> None:
    with refused(Reason.OUT_OF_RANGE):
        hash_value(Cursor(2**64, 0))


@pytest.mark.clauses("WP-2.3-SIGN")
@pytest.mark.parametrize("scheme", BOTH)
def test_a_signature_verifies_for_its_key_and_value_only(scheme: Scheme) -> None:
    alice, bob = signer("alice", scheme), signer("bob", scheme)
    signature = scheme.sign(alice, VALUE)
    assert len(signature) == 64
    assert scheme.verifier(VALUE)(alice.public_key, signature)
    assert not scheme.verifier(VALUE)(bob.public_key, signature)
    assert not scheme.verifier(Cursor(1, 3))(alice.public_key, signature)
    assert not scheme.verifier(VALUE)(alice.public_key, scheme.sign(bob, VALUE))
    # The type name is signed too.
    assert not scheme.verifier(Credit(5))(alice.public_key, scheme.sign(alice, Balance(5)))


@pytest.mark.parametrize("scheme", BOTH)
def test_signing_is_deterministic(scheme: Scheme) -> None:
    alice = signer("alice", scheme)
    assert scheme.sign(alice, VALUE) == scheme.sign(alice, Cursor(1, 2))


@pytest.mark.clauses("WP-2.3-SIGN")
@pytest.mark.parametrize("scheme", BOTH)
@pytest.mark.parametrize("damage", [b"", bytes(63), bytes(64), bytes(65), b"\xff" * 64])
def test_a_malformed_signature_does_not_verify(scheme: Scheme, damage: bytes) -> None:
    assert scheme.verifier(VALUE)(key("alice", scheme), damage) is False


@pytest.mark.clauses("WP-2.3-SIGN")
@pytest.mark.parametrize("scheme", BOTH)
@pytest.mark.parametrize("public_key", [b"", bytes(31), bytes(33), b"\xff" * 32, b"\x02" + bytes(31)])
def test_a_malformed_key_verifies_nothing(scheme: Scheme, public_key: bytes) -> None:
    assert scheme.verifier(VALUE)(public_key, scheme.sign(signer("alice", scheme), VALUE)) is False


@pytest.mark.clauses("WP-2.3-SIGN")
@examples(100)
@given(st.binary(max_size=70), st.binary(max_size=40))
def test_verification_is_total(signature: bytes, public_key: bytes) -> None:
    for some in BOTH:
        assert some.verifier(VALUE)(public_key, signature) is False


@pytest.mark.clauses("WP-2.3-SIGN")
def test_ed25519_signs_the_unhashed_tagged_bytes() -> None:
    alice = signer("alice", ED25519)
    expected = Ed25519PrivateKey.from_private_bytes(alice.secret).sign(b"Create::" + bytes(32))
    assert ED25519.sign(alice, Create(bytes(32))) == expected


def test_public_keys() -> None:
    """RFC 8032, section 7.1, test 1."""
    secret = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert ED25519.public_key(secret).hex() == public
    assert len(IDEAL.public_key(secret)) == 32
    assert IDEAL.public_key(secret) != IDEAL.public_key(bytes(32))
    assert make_signer(ED25519, secret) == Signer(bytes.fromhex(public), secret)


@pytest.mark.clauses("WP-2.3-SIGN")
def test_an_ideal_signature_is_the_key_and_the_hash() -> None:
    alice = signer("alice")
    assert IDEAL.sign(alice, VALUE) == alice.public_key + hash_value(VALUE)


def test_choice_of_the_scheme() -> None:
    assert (scheme(), scheme(real=True)) == (IDEAL, ED25519)

"""Hashes, and signatures of both schemes (section 2.3)."""

from collections.abc import Iterator

from linera_invariants.schemes import SCHEMES
from linera_invariants.vectors.forms import form_of
from linera_invariants.vectors.model import Case
from linera_invariants.vectors.types import TYPES
from linera_reference.application import Balance, Credit
from linera_reference.certificate import Vote
from linera_reference.messages import OutgoingMessage, User
from linera_reference.notation import MAX_U32, MAX_U64, evolve
from linera_reference.rejections import Reason
from linera_reference.request import Request, sign_request

from .samples import EMPTY, PAYLOAD, SAMPLES, VALIDATED
from .support import caller, digest, key, secret, signer

ABOUT = "Hashes of every data type, keys, signatures of both schemes, and what must not verify."

GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
"""The order L of the prime-order subgroup of Ed25519: S is below it in a well-formed signature."""
BEYOND = {
    "Balance": Balance(1 << 128),
    "Block": evolve(EMPTY, height=MAX_U64 + 1),
    "VotePayload": evolve(PAYLOAD, round=-1),
    "Vote": Vote(evolve(PAYLOAD, block_hash=b""), key("v1"), bytes(64)),
}
"""Values that have no encoding, hence no hash and no signature."""

CHECK_VALUES = {
    "root-0": "e476187f6ddfeb9d588c7b45d3df334d5501d6499b3f9ad5595cae86cce16a65",
    "root-9": "256e1dbc00482ddd619c293cc0df94d366afe7980022bb22d99e33036fd465dd",
    "root-999": "9c8a838e8f7b63194f6c7585455667a8379d2b5db19a3300e9961f0b1e9091ea",
}
"""Hashes that the specification states, by sample."""

hashed = caller("hash_value", "WP-2.3-HASH")


def cases() -> Iterator[Case]:
    """Yield the cases: hashes, keys, signatures, then what does not verify."""
    yield from hashes()
    for name in SCHEMES:
        yield from keys(name)
        yield from signatures(name)
        yield from strangers(name)
        yield from requests(name)
    yield from ill_formed()


def hashes() -> Iterator[Case]:
    """The hash of each sample; the marker tells data types apart."""
    for kind, values in SAMPLES.items():
        for name, value in values.items():
            form, known = form_of(TYPES[kind], value), CHECK_VALUES.get(name)
            said = {} if known is None else {"gives_": bytes.fromhex(known)}
            yield hashed(f"hash-{kind}-{name}", f"The hash of a {kind}.", type=kind, value=form, **said)
    long = OutgoingMessage((0,), User(bytes(16256)))
    why = "The length 16256 is encoded as 80 7f: both bytes are at an edge."
    yield hashed("hash-long-payload", why, type="OutgoingMessage", value=form_of(OutgoingMessage, long))
    for value in (Balance(7), Credit(7)):
        kind = type(value).__name__
        why = "Balance and Credit of one amount have the same bytes and different hashes."
        yield hashed(f"hash-{kind}-alike", why, type=kind, value=form_of(TYPES[kind], value))
    for kind, value in BEYOND.items():
        why = f"A {kind} out of range has no hash."
        yield hashed(f"hash-{kind}-beyond", why, Reason.OUT_OF_RANGE, type=kind, value=form_of(TYPES[kind], value))


def keys(name: str) -> Iterator[Case]:
    """The public keys of secrets."""
    made = caller("public_key", "WP-2.3-SIGN", scheme=SCHEMES[name])
    for label, value in (("zero", bytes(32)), ("ones", b"\xff" * 32), ("v1", secret("v1"))):
        yield made(f"{name}-key-{label}", "The public key of a secret.", secret=value)
    pair = caller("make_signer", "WP-2.3-SIGN", scheme=SCHEMES[name])
    yield pair(f"{name}-signer", "A key pair: the public key of a secret, and the secret.", secret=secret("v1"))


def signatures(name: str) -> Iterator[Case]:
    """Signing is deterministic, and what was signed verifies."""
    v1 = signer("v1", name)
    sign = caller("sign", "WP-2.3-SIGN", scheme=SCHEMES[name], signer=v1)
    check = caller("verify", "WP-2.3-SIGN", scheme=SCHEMES[name], public_key=v1.public_key)
    for kind, values in SAMPLES.items():
        label, value = next(iter(values.items()))
        form = form_of(TYPES[kind], value)
        yield sign(f"{name}-sign-{kind}-{label}", f"A signature of a {kind}.", type=kind, value=form)
        signature = SCHEMES[name].sign(v1, value)
        where = f"{name}-verify-{kind}-{label}"
        why = f"A genuine signature of a {kind}."
        yield check(where, why, type=kind, value=form, signature=signature, gives_=True)
    for kind, value in BEYOND.items():
        form, why = form_of(TYPES[kind], value), f"A {kind} out of range has no signature."
        yield sign(f"{name}-sign-{kind}-beyond", why, Reason.OUT_OF_RANGE, type=kind, value=form)
        where = f"{name}-verify-{kind}-beyond"
        yield check(where, why, Reason.OUT_OF_RANGE, type=kind, value=form, signature=bytes(64))


def strangers(name: str) -> Iterator[Case]:
    """Signatures by somebody else, of something else, or damaged."""
    scheme, v1, v2 = SCHEMES[name], signer("v1", name), signer("v2", name)
    other = evolve(PAYLOAD, block_hash=digest("other block"))
    genuine = scheme.sign(v1, PAYLOAD)
    form = form_of(TYPES["VotePayload"], PAYLOAD)
    check = caller(
        "verify", "WP-2.3-SIGN", scheme=scheme, public_key=v1.public_key, type="VotePayload", value=form, gives_=False
    )
    for label, flag, signature, why in (
        ("other-key", "FORGED_SIGNATURE", scheme.sign(v2, PAYLOAD), "The signature of somebody else."),
        ("other-value", "FORGED_SIGNATURE", scheme.sign(v1, other), "The signature of another value."),
        ("zeros", "FORGED_SIGNATURE", bytes(64), "Zeros are no signature."),
        ("first-bit", "FORGED_SIGNATURE", _flip(genuine, 0), "A signature with one bit changed in its first byte."),
        ("middle-bit", "FORGED_SIGNATURE", _flip(genuine, 32), "A signature with one bit changed in its second half."),
        ("last-bit", "FORGED_SIGNATURE", _flip(genuine, 63), "A signature with one bit changed in its last byte."),
        ("swapped", "FORGED_SIGNATURE", genuine[32:] + genuine[:32], "A signature with its halves swapped."),
        ("empty", "MALFORMED_SIGNATURE", b"", "No bytes are no signature."),
        ("short", "MALFORMED_SIGNATURE", genuine[:-1], "A signature without its last byte."),
        ("long", "MALFORMED_SIGNATURE", genuine + b"\0", "A signature and one more byte."),
    ):
        yield check(f"{name}-verify-{label}", why, signature=signature, flags_=(flag,))
    for label, public_key, why in (
        ("key-of-other", v2.public_key, "A signature under the key of somebody else."),
        ("key-empty", b"", "No bytes are no key."),
        ("key-short", v1.public_key[:-1], "A key without its last byte."),
        ("key-long", v1.public_key + b"\0", "A key and one more byte."),
    ):
        flags = ("FORGED_SIGNATURE" if label == "key-of-other" else "MALFORMED_KEY",)
        yield check(f"{name}-verify-{label}", why, public_key=public_key, signature=genuine, flags_=flags)
    balance, credit = Balance(7), Credit(7)
    yield check(
        f"{name}-verify-other-type",
        "A signature of a Balance does not count for the Credit of the same bytes.",
        type="Credit",
        value=form_of(Credit, credit),
        signature=scheme.sign(v1, balance),
        flags_=("TYPE_CONFUSION",),
    )


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def requests(name: str) -> Iterator[Case]:
    """Requests: what an owner signs is the block with the round."""
    scheme, owner = SCHEMES[name], signer("owner", name)
    sign = caller("sign_request", "WP-2.4-BLOCK", scheme=scheme, owner=owner, block=EMPTY, justification=None)
    yield sign(f"{name}-request", "The request of a block in round 0.", round=0)
    yield sign(f"{name}-request-last-round", "The request of a block in the last round.", round=MAX_U32)
    yield sign(f"{name}-request-round-beyond", "A round is a u32.", Reason.OUT_OF_RANGE, round=MAX_U32 + 1)
    beyond = evolve(EMPTY, height=MAX_U64 + 1)
    yield sign(f"{name}-request-height-beyond", "A height is a u64.", Reason.OUT_OF_RANGE, block=beyond, round=0)
    yield sign(
        f"{name}-request-justified",
        "The justification is not signed: it speaks for itself.",
        round=8,
        justification=VALIDATED,
    )
    genuine = sign_request(scheme, owner, EMPTY, 5)
    check = caller("request_is_authentic", "WP-2.4-BLOCK", scheme=scheme, gives_=False)
    forged = ("FORGED_SIGNATURE",)
    yield check(f"{name}-request-authentic", "A genuine request.", request=genuine, gives_=True)
    justified = evolve(genuine, justification=VALIDATED)
    yield check(f"{name}-request-justified-later", "So anybody may add or change it.", request=justified, gives_=True)
    for label, request, why in (
        ("round", evolve(genuine, round=6), "The signature covers the round."),
        ("block", evolve(genuine, block=evolve(EMPTY, height=1)), "The signature covers the block."),
        ("owner", evolve(genuine, owner=key("v1", name)), "The signature is that of the named owner."),
        ("bare-block", _bare(name, genuine), "The signature of the bare block is none of the request."),
    ):
        yield check(f"{name}-request-other-{label}", why, request=request, flags_=forged)


def _bare(name: str, request: Request) -> Request:
    return evolve(request, signature=SCHEMES[name].sign(signer("owner", name), request.block))


def ill_formed() -> Iterator[Case]:
    """Ed25519: a second form of a genuine signature, and bytes that are no point of the curve."""
    v1, payload = signer("v1", "ed25519"), PAYLOAD
    genuine = SCHEMES["ed25519"].sign(v1, payload)
    large = int.from_bytes(genuine[32:], "little") + GROUP_ORDER
    form = form_of(TYPES["VotePayload"], payload)
    check = caller("verify", "WP-2.3-SIGN", scheme=SCHEMES["ed25519"], type="VotePayload", value=form, gives_=False)
    yield check(
        "ed25519-verify-malleable",
        "A genuine signature with S increased by the order of the group: well-formed S are smaller.",
        public_key=v1.public_key,
        signature=genuine[:32] + large.to_bytes(32, "little"),
        flags_=("MALLEABLE_SIGNATURE",),
    )
    yield check(
        "ed25519-verify-no-point",
        "A key that is no point of the curve.",
        public_key=b"\2" + bytes(31),
        signature=genuine,
        flags_=("MALFORMED_KEY",),
    )
    bare = SCHEMES["ideal"].sign(v1, payload)
    yield check(
        "ed25519-verify-ideal",
        "An ideal signature is no Ed25519 signature.",
        public_key=v1.public_key,
        signature=bare,
        flags_=("FORGED_SIGNATURE",),
    )

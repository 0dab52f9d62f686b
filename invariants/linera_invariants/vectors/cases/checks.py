"""The guards of a validator one by one, as operations of their own: the first vectors of the area `requests`."""

from collections.abc import Iterator

from linera_invariants.vectors.model import Case
from linera_reference.certificate import Kind
from linera_reference.notation import MAX_U32, MAX_U64, evolve
from linera_reference.rejections import Reason
from linera_reference.request import Request

from .samples import VALIDATED
from .support import CLOSING, EXECUTED, caller, digest, key

HEIGHT, HASH = Reason.UNEXPECTED_BLOCK_HEIGHT, Reason.UNEXPECTED_PREVIOUS_BLOCK_HASH
LAST = Reason.INVALID_BLOCK_HEIGHT
PROPOSAL, PENDING = Reason.INVALID_BLOCK_PROPOSAL, Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST


def checks() -> Iterator[Case]:
    """Yield the cases of each guard."""
    yield from active()
    yield from proposers()
    yield from chaining()
    yield from voting()
    kind = caller("check_kind", "WP-2.8-HANDLE-CERTIFICATE")
    yield kind("check-kind-confirmed", "A certificate that confirms.", kind=Kind.CONFIRMED)
    why = "A certificate that only validates."
    yield kind("check-kind-validated", why, Reason.UNEXPECTED_CERTIFICATE_KIND, kind=Kind.VALIDATED)


def active() -> Iterator[Case]:
    """A chain exists, and was not closed."""
    call = caller("check_active", "WP-2.4-OWNER")
    inactive, closed = Reason.INACTIVE_CHAIN, Reason.CHAIN_CLOSED
    yield call("check-active", "A chain with an owner.", created=True, owner=key("owner"))
    yield call("check-active-closed", "A chain that lost its owner is closed.", closed, created=True, owner=None)
    why, faults = "A chain that was never created has no owner, and is not closed.", (inactive, closed)
    yield call("check-active-never-created", why, inactive, created=False, owner=None, faults_=faults)


def proposers() -> Iterator[Case]:
    """Only the owner proposes."""
    call = caller("check_proposer", "WP-2.1-OWNER-PROPOSES", proposer=key("owner"), chosen=None)
    yield call("check-proposer-owner", "The owner proposes.", owner=key("owner"))
    yield call("check-proposer-other", "Somebody else proposes.", Reason.INVALID_OWNER, owner=key("other"))
    yield call("check-proposer-closed", "Nobody owns a closed chain.", Reason.INVALID_OWNER, owner=None)


def chaining() -> Iterator[Case]:
    """Height, then hash, then whether the height has a successor."""
    call = caller("check_chaining", "WP-2.4-CHAINING")
    one, other = digest("previous"), digest("other block")
    for name, following, last, height, previous, faults in (
        ("first", 0, None, 0, None, ()),
        ("next", 4, one, 4, one, ()),
        ("too-high", 4, one, 5, one, (HEIGHT,)),
        ("too-low", 4, one, 3, one, (HEIGHT,)),
        ("other-hash", 4, one, 4, other, (HASH,)),
        ("no-hash", 4, one, 4, None, (HASH,)),
        ("hash-of-the-first", 0, None, 0, one, (HASH,)),
        ("last-but-one", MAX_U64 - 1, one, MAX_U64 - 1, one, ()),
        ("last", MAX_U64, one, MAX_U64, one, (LAST,)),
        ("height-and-hash", 4, one, 5, other, (HEIGHT, HASH)),
        ("height-and-last", 4, one, MAX_U64, one, (HEIGHT, LAST)),
        ("hash-and-last", MAX_U64, one, MAX_U64, other, (HASH, LAST)),
    ):
        why = f"A block of height {height} where {following} is next{_order(faults)}."
        state, more = {"next_height": following, "last": last}, faults if len(faults) > 1 else ()
        reason = faults[0] if faults else None
        yield call(f"chaining-{name}", why, reason, **state, height=height, previous=previous, faults_=more)


def voting() -> Iterator[Case]:
    """Round 0, and one block per height."""
    call = caller("already_voted", "WP-2.8-PENDING")
    other = evolve(CLOSING, transactions=())
    for name, pending, block, round_, faults in (
        ("nothing", None, CLOSING, 0, ()),
        ("same", EXECUTED, CLOSING, 0, ()),
        ("other", EXECUTED, other, 0, (PENDING,)),
        ("round", None, CLOSING, 1, (PROPOSAL,)),
        ("last-round", EXECUTED, CLOSING, MAX_U32, (PROPOSAL,)),
        ("round-and-other", EXECUTED, other, 1, (PROPOSAL, PENDING)),
    ):
        why = f"{'No vote' if pending is None else 'A vote'} before, a block of round {round_}{_order(faults)}."
        more, reason = faults if len(faults) > 1 else (), faults[0] if faults else None
        request = Request(block, round_, key("owner"), bytes(64))
        yield call(f"already-voted-{name}", why, reason, pending=pending, request=request, faults_=more)
    justified = Request(CLOSING, 0, key("owner"), bytes(64), VALIDATED)
    why = "A single owner justifies nothing: there are no rounds."
    yield call("already-voted-justified", why, PROPOSAL, pending=EXECUTED, request=justified)


def _order(faults: tuple[Reason, ...]) -> str:
    return f": {faults[0].name} comes first" if len(faults) > 1 else ""

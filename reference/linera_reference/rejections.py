"""How a transition ends: accepted with a new state, or rejected with a reason from a closed list."""

from collections.abc import Callable
from enum import Enum
from functools import wraps
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar

from attrs import frozen

from .notation import rule, support

S = TypeVar("S")
P = ParamSpec("P")


class Reason(Enum):
    """Why an input is rejected. Each member has one sentence and the clause it comes from."""

    # Encoding
    UNEXPECTED_END = ("The bytes end before the value does.", "WP-2.3-STRICT-DECODING")
    TRAILING_BYTES = ("Bytes remain after the value.", "WP-2.3-STRICT-DECODING")
    NON_CANONICAL_LENGTH = ("A length or tag is not in its shortest form.", "WP-2.3-STRICT-DECODING")
    INVALID_TAG = ("A tag names no variant, option or boolean.", "WP-2.3-STRICT-DECODING")
    UNSORTED_MAP = ("The keys of a map or the members of a set are not strictly increasing.", "WP-2.3-STRICT-DECODING")
    OUT_OF_RANGE = ("A value lies outside the range of its type.", "WP-2.3-DATA-TYPE")
    # Identifiers, committees, genesis
    INVALID_IDENTIFIER = ("A chain identifier is empty, too long or has a number beyond 64 bits.", "WP-2.4-IDENTIFIER")
    DUPLICATE_VALIDATOR = ("A validator is listed twice in a committee.", "WP-2.2-VOTING-RIGHTS")
    EMPTY_COMMITTEE = ("The voting rights add up to zero.", "WP-2.2-VOTING-RIGHTS")
    COMMITTEE_OVERFLOW = ("The voting rights add up to 2^63 or more.", "WP-2.2-VOTING-RIGHTS")
    GENESIS_NOT_PREFIX_FREE = ("A genesis chain repeats or descends from another.", "WP-2.4-GENESIS")
    # Chain life and proposals
    INACTIVE_CHAIN = ("The chain was never created here.", "WP-2.4-OWNER")
    CHAIN_CLOSED = ("The chain was closed for ever.", "WP-2.4-CLOSED-FOREVER")
    INVALID_OWNER = ("The proposer does not own the chain.", "WP-2.1-OWNER-PROPOSES")
    OUT_OF_TURN = ("The application lets other owners propose next.", "WP-4.6-PROPOSERS")
    INVALID_SIGNATURE = ("A signature does not verify.", "WP-2.3-SIGN")
    UNEXPECTED_BLOCK_HEIGHT = ("The block does not have the next height.", "WP-2.4-CHAINING")
    UNEXPECTED_PREVIOUS_BLOCK_HASH = ("The block does not name the last block.", "WP-2.4-CHAINING")
    INVALID_BLOCK_HEIGHT = ("The height has no successor.", "WP-2.4-BLOCK")
    INVALID_BLOCK_PROPOSAL = ("A single-owner chain has round 0 only.", "WP-2.8-VOTE")
    PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST = ("Another block is pending at this height.", "WP-2.8-PENDING")
    INSUFFICIENT_ROUND = ("The round is not above the rounds seen here.", "WP-2.9-ROUND")
    HAS_LOCKED_BLOCK = ("A validated certificate speaks for another block.", "WP-2.9-LOCK")
    EMPTY_OWNER_SET = ("Nobody would own the chain.", "WP-2.9-OWNERS")
    UNKNOWN_OWNER = ("The key to remove is no owner's.", "WP-2.9-CHANGE-OWNERS")
    # Mailboxes
    INCORRECT_MESSAGE_ORDER = ("The message lies before the cursor.", "WP-A.1-CURSOR")
    UNEXPECTED_MESSAGE = ("The message differs from the one in this place.", "WP-A.1-REMOVE")
    MISSING_CROSS_CHAIN_UPDATE = ("Consumed messages were not received yet.", "WP-2.7-BLOCK-IS-VALID")
    INVALID_CROSS_CHAIN_REQUEST = ("The batch is empty, out of order or misrouted.", "WP-A.2-UPDATE-RECIPIENT")
    CHAIN_ALREADY_EXISTS = ("The chain was created before.", "WP-2.5-CREATE")
    # Certificates
    UNEXPECTED_CERTIFICATE_KIND = ("This chain has no use for a certificate of this kind.", "WP-2.8-HANDLE-CERTIFICATE")
    CERTIFICATE_VALIDATOR_REUSE = ("A signer is listed twice.", "WP-2.2-CERTIFICATE")
    INVALID_CERTIFICATE_SIGNER = ("A signer has no voting rights.", "WP-2.2-CERTIFICATE")
    CERTIFICATE_REQUIRES_QUORUM = ("The signers do not form a quorum.", "WP-2.2-CERTIFICATE")
    MISSING_EARLIER_BLOCKS = ("Blocks before this one are missing here.", "WP-2.8-HANDLE-CERTIFICATE")
    INVALID_BLOCK_CHAINING = ("The certified block does not name the last block.", "WP-2.4-CHAINING")
    INCORRECT_MESSAGES = ("Execution sends other messages than certified.", "WP-2.4-EXECUTED-BLOCK")
    INCORRECT_STATE_HASH = ("Execution leads to another state than certified.", "WP-2.4-EXECUTED-BLOCK")
    NOT_A_PROOF_OF_CREATION = ("The certified block does not create the chain.", "WP-2.4-CREATION-PROOF")
    UNSENT_MESSAGE = ("A received message was never sent.", "WP-3.3-CLAIM-5")
    CONFLICTING_CERTIFICATES = ("Two certified blocks have the same place.", "WP-3.3-CLAIM-5")
    # Execution
    INVALID_NEW_CHAIN_ID = ("The new identifier is not the one of this transaction.", "WP-2.7-OPEN-CHAIN")
    USER_ERROR = ("The application refuses the input.", "WP-2.7-APPLICATION")
    INSUFFICIENT_FUNDING = ("The balance is below the amount.", "WP-2.7-TOKEN")
    INCORRECT_TRANSFER_AMOUNT = ("The amount is zero.", "WP-2.7-TOKEN")
    ARITHMETIC = ("A number would leave its range.", "WP-2.3-DATA-TYPE")
    # Archiving and the network model
    CHAIN_NOT_CLOSED = ("Only a closed chain is archived.", "WP-2.4-ARCHIVE")
    OUTBOX_NOT_EMPTY = ("Messages of the chain are still undelivered.", "WP-2.4-ARCHIVE")
    ACTION_NOT_ENABLED = ("The model does not allow this action here.", "WP-2.2-ADVERSARY")

    def __init__(self, sentence: str, clause: str) -> None:
        """Keep the sentence and the clause of a member."""
        self.sentence = sentence
        self.clause = clause


class Rejection(Exception):
    """Raised by inner rules; :func:`transition` turns it into :class:`Rejected`."""

    def __init__(self, reason: Reason, detail: Any = None) -> None:
        """Keep the reason, and data that a client can act on."""
        super().__init__(reason.name, detail)
        self.reason = reason
        self.detail = detail


@frozen
class Accepted(Generic[S]):
    """The input was accepted: the new state, and what is sent in answer."""

    state: S
    outputs: tuple[Any, ...] = ()


@frozen
class Rejected:
    """The input was rejected and the state is what it was; ``detail`` is data for the client."""

    reason: Reason
    detail: Any = None


Outcome: TypeAlias = Accepted[S] | Rejected


@support
def require(condition: bool, reason: Reason, detail: Any = None) -> None:
    """Reject with ``reason`` unless ``condition`` holds."""
    if not condition:
        raise Rejection(reason, detail)


@support
def unwrap(outcome: Outcome[S]) -> Accepted[S]:
    """Go on with an acceptance inside another transition; a rejection ends that one too."""
    if isinstance(outcome, Rejected):
        raise Rejection(outcome.reason, outcome.detail)
    return outcome


@rule("WP-2.8-ATOMIC")
def transition(function: Callable[P, Accepted[S]]) -> Callable[P, Outcome[S]]:
    """Make an entry point: the only place where a rejection becomes a value. Any other exception is a bug."""

    @wraps(function)
    def entry(*args: P.args, **kwargs: P.kwargs) -> Outcome[S]:
        try:
            return function(*args, **kwargs)
        except Rejection as rejection:
            return Rejected(rejection.reason, rejection.detail)

    return entry

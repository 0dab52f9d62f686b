"""What keeps a long replay small and quick: forgotten histories, and bounded memories of pure functions."""

from collections import OrderedDict
from functools import lru_cache
from typing import Any, Final

from attrs import define, field
from immutables import Map

from linera_reference.block import ExecutedBlock
from linera_reference.certificate import Certificate, Kind, VotePayload
from linera_reference.chain import Chain, with_consistent, with_localized
from linera_reference.containers import Log
from linera_reference.context import Context
from linera_reference.crypto import Scheme, Signer, Verifier, tagged_bytes
from linera_reference.identifiers import ChainId
from linera_reference.notation import Hash, PublicKey, Signature, evolve
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.rejections import Accepted, Outcome
from linera_reference.request import Request
from linera_reference.validator import Input, handle_at, update_recipient

MANY: Final = 2048
"""Results that are remembered, of each kind."""
SIGNATURES: Final = 4096
VOTER: Final = Signer(b"", b"")
"""Votes in the place of every validator: what it signs is of interest, and its signatures are empty."""


def forgetful(chain: Chain, item: Input) -> Chain:
    """Drop the histories that an item has extended, which no handler reads, but the certificates in outboxes."""
    part, local = chain.consistent, chain.localized
    match item:
        case Request() | Certificate(kind=Kind.VALIDATED):
            return chain
        case UpdateRecipient():
            return with_localized(chain, evolve(local, received=local.received.forget()))
        case Certificate():
            chain = with_consistent(chain, evolve(part, log=part.log.forget()))
    return with_localized(chain, evolve(local, certificates=_needed(local.certificates, local.counters)))


def _needed(certificates: Log[Any], counters: Map[int, int]) -> Log[Any]:
    """Keep the certificates of the heights for which a recipient waits."""
    if not counters:
        return certificates.forget()
    last = len(certificates) - 1
    kept = {height: certificates.at(height) for height in counters}
    newest = kept.pop(last, None)
    return Log(Map(kept), newest, len(certificates))


class Recent(OrderedDict[Any, Any]):
    """A table that forgets its oldest entries."""

    def put(self, key: Any, value: Any, most: int = MANY) -> Any:
        """Remember a value and return it."""
        if len(self) >= most:
            self.popitem(last=False)
        self[key] = value
        return value


@define(eq=False)
class RecentScheme:
    """A scheme that remembers hashes of executed blocks, by identity, and genuine votes.

    With ``trusting``, every signature counts as genuine.
    """

    scheme: Scheme
    trusting: bool = False
    hashes: Recent = field(factory=Recent)
    genuine: Recent = field(factory=Recent)

    def hash(self, value: Any) -> Hash:
        """Hash a data type."""
        if type(value) is not ExecutedBlock:
            return self.scheme.hash(value)
        found = self.hashes.get(id(value))
        digest: Hash = found[1] if found else self.hashes.put(id(value), (value, self.scheme.hash(value)))[1]
        return digest

    def public_key(self, secret: bytes) -> PublicKey:
        """Return the verification key of a secret."""
        return self.scheme.public_key(secret)

    def sign(self, signer: Signer, value: Any) -> Signature:
        """Sign a data type, in one place without a signature."""
        return b"" if signer is VOTER else self.scheme.sign(signer, value)

    def verifier(self, value: Any) -> Verifier:
        """Check signatures of a value."""
        if self.trusting:
            return _trust
        check = self.scheme.verifier(value)
        if type(value) is not VotePayload:
            return check
        signed = tagged_bytes(value)

        def verify(key: PublicKey, signature: Signature) -> bool:
            vote = (key, signature, signed)
            if vote in self.genuine:
                return True
            return check(key, signature) and bool(self.genuine.put(vote, True, SIGNATURES))

        return verify


def _trust(_: PublicKey, __: Signature) -> bool:
    return True


@define(eq=False)
class Steps:
    """Handles items: what happens to the same state and the same item is worked out once, for all validators."""

    context: Context
    recent: Recent = field(factory=Recent)
    batches: Recent = field(factory=Recent)

    def take(self, chain: Chain, item: Input) -> Outcome[Chain]:
        """Give an item to its handler, in the place of every validator. The new state is without histories."""
        key = (id(chain), id(item))
        found = self.recent.get(key)
        if found is not None:
            known: Outcome[Chain] = found[2]
            return known
        outcome = handle_at(self.context, chain, item, VOTER)
        if type(outcome) is Accepted and outcome.state is not chain:
            outcome = Accepted(forgetful(outcome.state, item), outcome.outputs)
        self.recent.put(key, (chain, item, outcome))
        return outcome

    def batch(self, sender: Chain, recipient: ChainId, height: int) -> UpdateRecipient:
        """Return the request that carries an outbox up to a height, as it was sent when that was the last one."""
        key = (id(sender), recipient, height)
        found = self.batches.get(key)
        if found is None:
            whole = update_recipient(sender, recipient)
            blocks = tuple(c for c in whole.certificates if c.executed.block.height <= height)
            found = self.batches.put(key, (sender, evolve(whole, certificates=blocks)))
        request: UpdateRecipient = found[1]
        return request


answer_for = lru_cache(MANY)(ConfirmUpdatedRecipient)
"""Makes acknowledgements; equal ones are the same object as long as they are remembered."""

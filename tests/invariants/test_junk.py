"""Well-typed junk: every entry point rejects it with a reason, or accepts it lawfully; nothing else ever happens.

Some of the junk is drawn from the types alone; most is something genuine with a few parts spoiled, and often signed
again by those who may sign, so that it gets past the signatures. The states are those of an eventful run.
"""

from collections import Counter
from functools import cache
from typing import Any

import worlds
from attrs import evolve
from hypothesis import given, seed
from hypothesis import strategies as st
from junk import Spoiler, one_of_these
from support import examples, key, signer, validators

from linera_reference.audit import audit_chain, place_of
from linera_reference.block import Block, ExecutedBlock, Transaction
from linera_reference.certificate import Certificate, Kind, VotePayload, sign_vote
from linera_reference.chain import Chain
from linera_reference.client import local_context, next_block
from linera_reference.committee import TOTAL_BOUND, Committee, make_committee
from linera_reference.encoding import decode, encode
from linera_reference.execution import execute_block
from linera_reference.identifiers import ChainId, is_ancestor
from linera_reference.messages import OutgoingMessage
from linera_reference.network import Action, ArchiveChain, CastVote, Certify, Deliver, Propose, Resend, step
from linera_reference.notation import MAX_U64, Hash
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.rejections import Accepted, Reason, Rejected, Rejection
from linera_reference.request import Request, sign_request
from linera_reference.validator import (
    Genesis,
    GenesisChain,
    Validator,
    archive_chain,
    chain_of,
    genesis_validator,
    handle,
    target_of,
)

NETWORK = worlds.NETWORK
CONTEXT = NETWORK.context
INPUTS = (Request, Certificate, UpdateRecipient, ConfirmUpdatedRecipient)
SIGNERS = {s.public_key: s for s in (*validators(NETWORK), *map(signer, ("alice", "bob", "carol", "dave")))}


@cache
def spoiler() -> Spoiler:
    end = worlds.story().end
    items: dict[Any, Any] = dict.fromkeys((*end.requests, *end.certificates.values()))
    items |= dict.fromkeys(item for sent in end.internal.values() for item in sent)
    return Spoiler(sorted(items, key=encode))


@cache
def states() -> tuple[tuple[bytes, Validator], ...]:
    """The distinct states of correct validators in the run."""
    found = {}
    for world in worlds.story().worlds:
        for validator, state in world.validators.items():
            found[validator, id(state)] = (validator, state)
    return tuple(found.values())


def signed_again(item: Any, honest: bool) -> Any:
    """Put genuine signatures on spoiled content, where somebody can."""
    if isinstance(item, Request) and honest:
        return sign_request(CONTEXT.scheme, SIGNERS.get(item.owner, SIGNERS[key("alice")]), item.block, item.round)
    if isinstance(item, Certificate) and honest:
        payload = VotePayload(item.kind, CONTEXT.scheme.hash(item.executed), item.round)
        votes = [sign_vote(CONTEXT.scheme, s, payload) for s in validators(NETWORK)]
        return evolve(item, signatures=tuple((v.validator, v.signature) for v in votes))
    return item


@cache
def inputs() -> st.SearchStrategy[Any]:
    """Inputs of handlers that know no state: spoiled and perhaps signed again, or arbitrary."""
    spoiled = st.one_of([spoiler().spoiled(kind) for kind in INPUTS])
    arbitrary = st.one_of([spoiler().junk(kind) for kind in INPUTS])
    return st.builds(signed_again, spoiled | spoiled | arbitrary, st.booleans())


@cache
def junk_transactions() -> st.SearchStrategy[list[Any]]:
    return st.lists(spoiler().junk(Transaction) | spoiler().spoiled(Transaction), max_size=2)


SOME_SIGNERS = st.lists(st.integers(0, 4), max_size=5)
DEFECTS = st.sampled_from(["none", "parent", "messages", "state", "kind", "signers"])


@st.composite
def aimed(draw: st.DrawFn, state: Validator) -> Any:
    """Draw a request or certificate for the next block of a chain, with junk in it or with one defect, signed well."""
    chain = chain_of(state, draw(st.sampled_from(sorted(state.chains))))
    defect, transactions = draw(DEFECTS), draw(junk_transactions()) if draw(st.booleans()) else ()
    block = next_block(chain, tuple(transactions))
    if defect == "parent":
        block = evolve(block, previous_hash=draw(spoiler().junk(Hash)))
    if draw(st.booleans()):
        owner = SIGNERS.get(chain.consistent.owner or b"", SIGNERS[key("alice")])
        return sign_request(CONTEXT.scheme, owner, block)
    executed = executed_or_not(chain, block)
    if defect == "messages":
        executed = evolve(executed, messages=(*executed.messages, draw(spoiler().junk(OutgoingMessage))))
    if defect == "state":
        executed = evolve(executed, state_hash=draw(spoiler().junk(Hash)))
    kind = Kind.VALIDATED if defect == "kind" else Kind.CONFIRMED
    certificate = signed_again(Certificate(executed, kind, 0, ()), True)
    if defect == "signers":
        pool = (*certificate.signatures[1:], (certificate.signatures[0][0], bytes(64)), (key("carol"), bytes(64)))
        certificate = evolve(certificate, signatures=tuple(pool[place] for place in draw(SOME_SIGNERS)))
    return certificate


def executed_or_not(chain: Chain, block: Block) -> ExecutedBlock:
    """Execute a block, or pretend to."""
    if chain.consistent.owner is None:
        return ExecutedBlock(block, (), bytes(32))
    try:
        return execute_block(CONTEXT, chain, block).executed
    except Rejection:
        return ExecutedBlock(block, (), bytes(32))


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[bytes, Validator, Any]:
    """Draw a correct validator, its state, and something to handle."""
    validator, state = draw(one_of_these(states()))
    return validator, state, draw(aimed(state) if draw(st.booleans()) else inputs())


HANDLER_REASONS = frozenset(
    {
        Reason.INACTIVE_CHAIN,
        Reason.CHAIN_CLOSED,
        Reason.INVALID_OWNER,
        Reason.INVALID_SIGNATURE,
        Reason.UNEXPECTED_BLOCK_HEIGHT,
        Reason.UNEXPECTED_PREVIOUS_BLOCK_HASH,
        Reason.INVALID_BLOCK_PROPOSAL,
        Reason.UNEXPECTED_CERTIFICATE_KIND,
        Reason.CERTIFICATE_VALIDATOR_REUSE,
        Reason.INVALID_CERTIFICATE_SIGNER,
        Reason.CERTIFICATE_REQUIRES_QUORUM,
        Reason.MISSING_EARLIER_BLOCKS,
        Reason.INVALID_BLOCK_CHAINING,
        Reason.INCORRECT_MESSAGES,
        Reason.INCORRECT_STATE_HASH,
        Reason.INVALID_CROSS_CHAIN_REQUEST,
        Reason.USER_ERROR,
    }
)


def test_handlers() -> None:
    """Rejected with a reason, or accepted: then repeating changes nothing and answers the same (S23)."""
    ends: Counter[Any] = Counter()

    @seed(0)
    @examples(14_000)
    @given(deliveries(), st.booleans())
    def run(delivery: tuple[bytes, Validator, Any], local: bool) -> None:
        validator, state, item = delivery
        context, by = (local_context(CONTEXT), None) if local else (CONTEXT, SIGNERS[validator])
        outcome = handle(context, state, item, by)
        ends[outcome.reason if isinstance(outcome, Rejected) else type(item)] += 1
        if isinstance(outcome, Rejected):
            assert isinstance(outcome.reason, Reason)
            assert handle(context, state, item, by) == outcome
            return
        again = handle(context, outcome.state, item, by)
        assert isinstance(again, Accepted)
        assert again.state == outcome.state
        assert again.outputs == outcome.outputs
        only_touched(state, outcome.state, target_of(item))

    run()
    assert HANDLER_REASONS | set(INPUTS) <= set(ends), ends


def only_touched(before: Validator, after: Validator, chain_id: ChainId) -> None:
    """A handler writes one cell, and leaves it in a state that can be encoded and counted."""
    assert (
        before.chains.delete(chain_id)
        if chain_id in before.chains
        else before.chains == (after.chains.delete(chain_id) if chain_id in after.chains else after.chains)
    )
    part = chain_of(after, chain_id).consistent
    assert 0 <= part.next_height <= MAX_U64
    assert len(part.log) == part.next_height


# --- The network, archiving, audit ----------------------------------------------------------------------------


def actions() -> st.SearchStrategy[Action]:
    """Actions of the network: well-typed, mostly impossible."""
    junk, some_key = spoiler().junk, st.sampled_from([*SIGNERS, bytes(32), *[worlds.LIAR, worlds.SLOW] * 5])
    return st.one_of(
        st.builds(Propose, inputs().filter(lambda item: isinstance(item, Request))),
        st.builds(CastVote, some_key, junk(VotePayload)),
        st.builds(
            Certify,
            one_of_these(sorted(worlds.story().end.certificates)).map(executed_of),
            st.lists(some_key).map(tuple),
        ),
        st.builds(Deliver, some_key, inputs()),
        st.builds(Resend, some_key, junk(ChainId)),
        st.builds(ArchiveChain, some_key, junk(ChainId)),
    )


def executed_of(block_hash: bytes) -> Any:
    return worlds.story().end.certificates[block_hash].executed


def test_steps() -> None:
    """A step of the network ends in a value, whatever the action; a forged request is never enabled."""
    ends: Counter[Any] = Counter()

    @seed(0)
    @examples(2_000)
    @given(actions(), one_of_these(worlds.story().worlds))
    def run(action: Action, world: Any) -> None:
        outcome = step(NETWORK, world, action)
        assert isinstance(outcome, Accepted | Rejected)
        ends[type(action), type(outcome)] += 1

    run()
    assert {kind for kind, end in ends if end is Rejected} >= {
        Propose,
        CastVote,
        Certify,
        Deliver,
        Resend,
        ArchiveChain,
    }
    assert {kind for kind, end in ends if end is Accepted} >= {CastVote, Resend}


def test_archiving() -> None:
    """Archiving is refused with a reason, or leaves a tombstone that is refused nothing and changes no more."""

    @seed(0)
    @examples(500)
    @given(one_of_these(states()), spoiler().junk(ChainId))
    def run(place: tuple[bytes, Validator], chain_id: ChainId) -> None:
        outcome = archive_chain(chain_of(place[1], chain_id))
        if isinstance(outcome, Rejected):
            assert outcome.reason in (Reason.CHAIN_NOT_CLOSED, Reason.OUTBOX_NOT_EMPTY)
        else:
            again = archive_chain(outcome.state)
            assert isinstance(again, Accepted)
            assert again.state == outcome.state

    run()


def test_audits() -> None:
    """An audit of spoiled evidence ends in a value, and never accepts a block that was not certified."""
    genuine = sorted(worlds.story().end.certificates.values(), key=place_of)
    certified = {CONTEXT.scheme.hash(certificate.executed) for certificate in genuine}
    ends: Counter[Any] = Counter()
    spoiled = spoiler().spoiled(Certificate)
    mixed = st.lists(one_of_these(genuine) | spoiled, max_size=4).map(tuple)
    chains = st.sampled_from([worlds.ALICE, worlds.BOB, worlds.CAROL])

    @seed(0)
    @examples(1_500)
    @given(
        st.none() | spoiled, chains, st.integers(0, 4), st.lists(spoiled, max_size=1), st.just(tuple(genuine)) | mixed
    )
    def run(start: Any, chain_id: ChainId, height: int, extra: list[Certificate], evidence: Any) -> None:
        blocks = (*[c for c in genuine if c.executed.block.chain_id == chain_id][:height], *extra)
        roots = {root.chain_id: root for root in NETWORK.genesis.chains}
        outcome = audit_chain(CONTEXT, chain_id, start or roots.get(chain_id, genuine[0]), blocks, evidence)
        ends[outcome.reason if isinstance(outcome, Rejected) else Accepted] += 1
        if isinstance(outcome, Accepted):
            assert {CONTEXT.scheme.hash(certificate.executed) for certificate in blocks} <= certified

    run()
    assert ends[Accepted] > 0
    assert len(ends) > 6, ends


# --- Values from outside ------------------------------------------------------------------------------------------


def mutated(data: st.DataObject, raw: bytes) -> bytes:
    """Change, insert, drop or append a few bytes."""
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(raw)))
        new = data.draw(st.binary(max_size=2))
        raw = raw[:place] + new + raw[place + data.draw(st.integers(0, 2)) :]
    return raw


def test_decoding() -> None:
    """Bytes are rejected, or are the one encoding of the value that they decode to."""
    ends: Counter[Any] = Counter()
    kinds = st.sampled_from(INPUTS)

    @seed(0)
    @examples(3_000)
    @given(st.data(), kinds)
    def run(data: st.DataObject, kind: Any) -> None:
        genuine = data.draw(one_of_these(spoiler().pool[kind]))
        raw = (
            data.draw(st.binary(max_size=200)) if data.draw(st.integers(0, 3)) == 0 else mutated(data, encode(genuine))
        )
        try:
            value = decode(kind, raw)
        except Rejection as rejection:
            ends[rejection.reason] += 1
        else:
            ends[None] += 1
            assert encode(value) == raw

    run()
    lawful = {Reason.UNEXPECTED_END, Reason.TRAILING_BYTES, Reason.INVALID_TAG, Reason.OUT_OF_RANGE, None}
    assert lawful <= set(ends) <= lawful | {Reason.NON_CANONICAL_LENGTH}


def test_committees() -> None:
    """Voting rights make a committee with 0 < N < 2⁶³, or are refused."""
    ends: Counter[Any] = Counter()
    rights = st.sampled_from(
        [0, 1, 3, TOTAL_BOUND // 2, TOTAL_BOUND - 1, TOTAL_BOUND, MAX_U64, MAX_U64 + 1, -1]
    ) | st.integers(0, 9)

    @seed(0)
    @examples(500)
    @given(
        st.lists(st.tuples(st.sampled_from([*SIGNERS, bytes(32)]), rights), max_size=5, unique_by=lambda pair: pair[0])
    )
    def run(weights: list[tuple[bytes, int]]) -> None:
        total = sum(weight for _, weight in weights)
        try:
            committee = make_committee(weights)
        except Rejection as rejection:
            ends[rejection.reason] += 1
        else:
            ends[Committee] += 1
            assert committee.total == total
            assert 0 < total < TOTAL_BOUND

    run()
    assert set(ends) == {Committee, Reason.OUT_OF_RANGE, Reason.EMPTY_COMMITTEE, Reason.COMMITTEE_OVERFLOW}


def test_genesis() -> None:
    """Genesis chains are well-formed and prefix-free, or are refused."""
    ends: Counter[Any] = Counter()
    ids = spoiler().junk(ChainId)

    @seed(0)
    @examples(500)
    @given(st.lists(ids, max_size=4))
    def run(names: list[ChainId]) -> None:
        chains = tuple(
            GenesisChain(chain_id, key("alice"), worlds.NETWORK.genesis.chains[0].state) for chain_id in names
        )
        try:
            state = genesis_validator(Genesis(CONTEXT.committee, chains))
        except Rejection as rejection:
            ends[rejection.reason] += 1
        else:
            ends[Genesis] += 1
            assert set(state.chains) == set(names)
            assert not any(is_ancestor(a, b) for a in names for b in names)

    run()
    assert set(ends) == {Genesis, Reason.INVALID_IDENTIFIER, Reason.GENESIS_NOT_PREFIX_FREE}

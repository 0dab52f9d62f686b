"""Algorithms 2 and 3: handlers, their guards in order, cross-chain requests, services, archiving, genesis."""

from collections.abc import Callable
from copy import deepcopy
from itertools import combinations
from typing import Any

import pytest
from attrs import define, evolve, field
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map
from support import (
    ED25519,
    FULL,
    IDEAL,
    NO_HASH,
    TOKENS,
    accepted,
    cell,
    certified,
    certify,
    commit,
    committee,
    digest,
    examples,
    executed,
    key,
    members,
    message,
    network,
    owner_of,
    proposal,
    refused,
    rejected,
    request,
    root,
    update,
    validators,
    vote,
)

from linera_reference.application import Balance, Credit, Token, burn, transfer
from linera_reference.block import (
    AddOwner,
    Block,
    ChangeKey,
    CloseChain,
    Execute,
    ExecutedBlock,
    OpenChain,
    Receive,
    Transaction,
)
from linera_reference.certificate import Certificate, Kind
from linera_reference.chain import Chain, Localized, hashed_state, inbox_of, is_closed, owed_messages
from linera_reference.client import next_block
from linera_reference.containers import Log, Queue, Set, fold
from linera_reference.encoding import encode
from linera_reference.execution import execute_block
from linera_reference.identifiers import ChainId
from linera_reference.inbox import next_height_to_receive
from linera_reference.messages import Create, Cursor, Message, OutgoingMessage, User
from linera_reference.notation import MAX_U32, MAX_U64
from linera_reference.outbox import ConfirmUpdatedRecipient, Outbox, UpdateRecipient
from linera_reference.ownership import Owners
from linera_reference.rejections import Accepted, Outcome, Reason, Rejected, Rejection
from linera_reference.request import Request
from linera_reference.rounds import FIRST_ROUND, Rounds
from linera_reference.rules import REVISION_H
from linera_reference.validator import (
    ChainInfo,
    Genesis,
    GenesisChain,
    RoundInfo,
    Validator,
    archive_chain,
    chain_info,
    chain_of,
    check_batch,
    check_chaining,
    check_confirmed,
    check_creation_proof,
    check_justification,
    check_validated,
    create_chain,
    cross_chain_requests,
    download,
    genesis_chain,
    genesis_validator,
    handle,
    handle_at,
    handle_certificate,
    handle_confirm_updated_recipient,
    handle_request,
    handle_update_recipient,
    handle_validated,
    is_delivered,
    is_next,
    payload_of,
    put_chain,
    receive_block,
    received_since,
    restart,
    round_info,
    select,
    sent_messages,
    target_of,
    update_recipient,
)

NET = network()
CTX = NET.context
VOTER = validators(NET)[0]
ALICE, BOB = (0,), (1,)
"""Root chains of alice and bob."""


def pay(amount: int = 1, recipient: ChainId = BOB) -> Execute:
    return Execute(transfer(recipient, amount))


def credit(certificate: Certificate, recipient: ChainId = BOB) -> tuple[Message, ...]:
    return sent_messages(CTX, certificate, recipient)


def delivered(sender: Chain, recipient: Chain) -> Chain:
    """Carry the outbox of a sender to a recipient."""
    return accepted(handle_update_recipient(CTX, recipient, update(sender, recipient.chain_id))).state


def confirmed(sender: Chain, recipient: ChainId, height: int = 99) -> Chain:
    answer = ConfirmUpdatedRecipient(sender.chain_id, recipient, height)
    return accepted(handle_confirm_updated_recipient(sender, answer)).state


# --- HandleRequest -----------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.8-HANDLE-REQUEST", "WP-2.8-PENDING", "WP-2.8-VOTE")
@pytest.mark.parametrize("scheme", [IDEAL, ED25519])
def test_a_valid_request_is_voted_for(scheme: Any) -> None:
    net = network(scheme=scheme)
    chain, voter = root(net), validators(net)[0]
    expected = executed(net, chain, pay())
    outcome = accepted(handle_request(net.context, chain, proposal(net, "alice", chain, pay()), voter))
    assert outcome.outputs == (vote(net, 0, expected),)
    assert outcome.state == evolve(chain, localized=evolve(chain.localized, pending=expected))


@pytest.mark.clauses("WP-2.8-VOTE")
def test_a_vote_is_on_the_executed_block() -> None:
    some = executed(NET, root(NET), pay())
    payload = payload_of(CTX, some)
    assert (payload.kind, payload.block_hash, payload.round) == (Kind.CONFIRMED, IDEAL.hash(some), 0)
    for other in (evolve(some, messages=()), evolve(some, state_hash=NO_HASH)):
        assert payload_of(CTX, other) != payload


@pytest.mark.clauses("WP-2.8-HANDLE-REQUEST")
def test_a_node_without_a_key_remembers_and_does_not_vote() -> None:
    chain = root(NET)
    outcome = accepted(handle_request(CTX, chain, proposal(NET, "alice", chain, pay()), None))
    assert outcome.outputs == ()
    assert outcome.state.localized.pending == executed(NET, chain, pay())


@pytest.mark.clauses("WP-2.8-HANDLE-REQUEST", "WP-2.5-REQUEST")
def test_a_vote_comes_with_all_pending_requests() -> None:
    chain, _ = commit(NET, root(NET), pay(), pay(2, (5,)))
    again = proposal(NET, "alice", chain, pay())
    outcome = accepted(handle_request(CTX, chain, again, VOTER))
    assert outcome.outputs == (vote(NET, 0, executed(NET, chain, pay())), update(chain, BOB), update(chain, (5,)))
    assert accepted(handle_request(CTX, outcome.state, again, VOTER)).outputs == outcome.outputs
    assert accepted(handle_request(CTX, chain, again, None)).outputs == outcome.outputs[1:]


@pytest.mark.clauses("WP-2.8-HANDLE-REQUEST", "WP-2.8-PENDING")
def test_a_pending_block_is_voted_for_again_without_executing_it() -> None:
    """Only the block is compared. A block that would now be refused keeps its vote."""
    chain = root(NET)
    odd = evolve(executed(NET, chain, pay()), state_hash=NO_HASH)
    waiting = evolve(chain, localized=evolve(chain.localized, pending=odd))
    outcome = accepted(handle_request(CTX, waiting, proposal(NET, "alice", chain, pay()), VOTER))
    assert outcome.state is waiting
    assert outcome.outputs == (vote(NET, 0, odd),)
    invalid = next_block(chain, (pay(TOKENS + 1),))
    waiting = evolve(chain, localized=evolve(chain.localized, pending=ExecutedBlock(invalid, (), NO_HASH)))
    accepted(handle_request(CTX, waiting, request(NET, "alice", invalid), VOTER))


@pytest.mark.clauses("WP-2.8-HANDLE-REQUEST")
def test_voting_takes_no_message_out_of_its_inbox() -> None:
    sender, certificate = commit(NET, root(NET), pay(7))
    chain = delivered(sender, root(NET, 1))
    receive = tuple(map(Receive, credit(certificate)))
    outcome = accepted(handle_request(CTX, chain, proposal(NET, "bob", chain, *receive), VOTER))
    assert inbox_of(outcome.state, ALICE) == inbox_of(chain, ALICE)
    assert outcome.state.consistent is chain.consistent


@define
class Try:
    """A request to be made, and the cell that it meets: valid unless a fault is put in."""

    created: bool = True
    owner: str | tuple[str, ...] | None = "alice"
    proposer: str = "alice"
    genuine: bool = True
    height: int = 3
    next_height: int | None = None
    previous: bytes | None = digest("tip")
    round: int = 0
    justification: Certificate | None = None
    pending: ExecutedBlock | None = None
    rounds: Rounds = FIRST_ROUND
    transactions: list[Transaction] = field(factory=lambda: [pay()])

    def make(self) -> tuple[Chain, Request]:
        """Build both."""
        block = Block(ALICE, self.height, self.previous, tuple(self.transactions))
        made = request(NET, self.proposer, block, self.round, self.justification)
        if not self.genuine:
            made = evolve(made, signature=request(NET, self.proposer, evolve(block, transactions=())).signature)
        chain = cell(
            owner=self.owner,
            created=self.created,
            next_height=self.height if self.next_height is None else self.next_height,
            block_hash=digest("tip"),
            localized=Localized(pending=self.pending, rounds=self.rounds),
        )
        return chain, made


UNKNOWN = Receive(message(5, text="never sent"))
OTHER_PENDING = ExecutedBlock(Block(ALICE, 3, digest("tip"), (pay(2),)), (), NO_HASH)


def validated(some: ExecutedBlock = OTHER_PENDING, round: int = 0, voters: Any = (0, 1, 2)) -> Certificate:
    return certify(NET, some, voters, Kind.VALIDATED, round)


FALSE_CERTIFICATES: dict[Reason, Certificate] = {
    Reason.UNEXPECTED_CERTIFICATE_KIND: certify(NET, OTHER_PENDING, (0, 1, 2)),
    Reason.CERTIFICATE_VALIDATOR_REUSE: validated(voters=(0, 1, 2, 0)),
    Reason.INVALID_CERTIFICATE_SIGNER: evolve(validated(), signatures=((key("stranger"), bytes(64)),)),
    Reason.CERTIFICATE_REQUIRES_QUORUM: validated(voters=(0, 1)),
    Reason.INVALID_SIGNATURE: evolve(validated(), round=1),
}
"""Certificates that are nothing to justify a proposal with."""
REQUEST_FAULTS: list[tuple[Reason, Callable[[Try], object]]] = [
    (Reason.INACTIVE_CHAIN, lambda t: setattr(t, "created", False)),
    (Reason.CHAIN_CLOSED, lambda t: setattr(t, "owner", None)),
    (Reason.INVALID_OWNER, lambda t: setattr(t, "proposer", "mallory")),
    (Reason.INVALID_SIGNATURE, lambda t: setattr(t, "genuine", False)),
    (Reason.UNEXPECTED_BLOCK_HEIGHT, lambda t: setattr(t, "next_height", 2)),
    (Reason.UNEXPECTED_PREVIOUS_BLOCK_HASH, lambda t: setattr(t, "previous", digest("other"))),
    (Reason.INVALID_BLOCK_HEIGHT, lambda t: setattr(t, "height", MAX_U64)),
    (
        Reason.CERTIFICATE_REQUIRES_QUORUM,
        lambda t: setattr(t, "justification", FALSE_CERTIFICATES[Reason.CERTIFICATE_REQUIRES_QUORUM]),
    ),
    (Reason.INVALID_BLOCK_PROPOSAL, lambda t: setattr(t, "round", 1)),
    (Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST, lambda t: setattr(t, "pending", OTHER_PENDING)),
    (Reason.INSUFFICIENT_FUNDING, lambda t: t.transactions.append(pay(TOKENS + 1))),
    (Reason.MISSING_CROSS_CHAIN_UPDATE, lambda t: t.transactions.append(Receive(credit_message()))),
]


def credit_message() -> Message:
    """Return a message of another chain that never arrived."""
    return Message((7,), 4, 0, digest("x"), User(encode(Credit(1))))


def attempt(faults: list[Callable[[Any], object]], situation: Any) -> Any:
    for fault in faults:
        fault(situation)
    return situation


@pytest.mark.clauses("WP-2.8-HANDLE-REQUEST")
@pytest.mark.parametrize("height", [0, 3, MAX_U64 - 1])
def test_a_request_without_fault(height: int) -> None:
    chain, made = Try(height=height).make()
    assert accepted(handle_request(CTX, chain, made, VOTER)).state.localized.pending.block == made.block


@pytest.mark.clauses("WP-2.8-HANDLE-REQUEST")
@pytest.mark.parametrize(("reason", "fault"), REQUEST_FAULTS, ids=[r.name for r, _ in REQUEST_FAULTS])
def test_each_fault_of_a_request(reason: Reason, fault: Callable[[Try], object]) -> None:
    chain, made = attempt([fault], Try()).make()
    rejected(handle_request(CTX, chain, made, VOTER), reason)
    rejected(handle_request(CTX, chain, made, None), reason)


@pytest.mark.clauses("WP-2.8-HANDLE-REQUEST", "WP-2.8-ATOMIC")
@pytest.mark.parametrize(
    ("first", "second"),
    list(combinations(REQUEST_FAULTS, 2)),
    ids=[f"{a.name}-{b.name}" for (a, _), (b, _) in combinations(REQUEST_FAULTS, 2)],
)
def test_the_first_guard_of_a_request_decides(first: Any, second: Any) -> None:
    chain, made = attempt([second[1], first[1]], Try()).make()
    rejected(handle_request(CTX, chain, made, VOTER), first[0])


@pytest.mark.clauses("WP-2.8-HANDLE-REQUEST")
def test_a_pending_block_still_needs_the_guards_before_it() -> None:
    """Whoever repeats the block of the owner, only a request of the owner is answered."""
    _, made = Try().make()
    same = ExecutedBlock(made.block, (), NO_HASH)
    for reason, fault in REQUEST_FAULTS[:5]:
        chain, _ = attempt([fault], Try(pending=same)).make()
        _, made = attempt([fault], Try()).make()
        rejected(handle_request(CTX, chain, made, VOTER), reason)


@pytest.mark.clauses("WP-2.4-CHAINING", "WP-2.8-HANDLE-REQUEST")
def test_details_of_a_rejected_proposal() -> None:
    for fault, detail in ((REQUEST_FAULTS[4], 2), (REQUEST_FAULTS[5], digest("tip"))):
        chain, made = attempt([fault[1]], Try()).make()
        assert rejected(handle_request(CTX, chain, made, VOTER), fault[0]).detail == detail
    chain, made = attempt([REQUEST_FAULTS[-1][1]], Try()).make()
    assert rejected(handle_request(CTX, chain, made, VOTER), REQUEST_FAULTS[-1][0]).detail == (((7,), 4),)


@pytest.mark.clauses("WP-2.4-CHAINING")
def test_chaining() -> None:
    check_chaining(0, None, 0, None)
    check_chaining(MAX_U64 - 1, b"tip", MAX_U64 - 1, b"tip")
    for height in (2, 4, 0, MAX_U64):
        with refused(Reason.UNEXPECTED_BLOCK_HEIGHT) as caught:
            check_chaining(3, b"tip", height, b"tip")
        assert caught.value.detail == 3
    for previous in (None, b"other"):
        with refused(Reason.UNEXPECTED_PREVIOUS_BLOCK_HASH) as caught:
            check_chaining(3, b"tip", 3, previous)
        assert caught.value.detail == b"tip"
    with refused(Reason.UNEXPECTED_PREVIOUS_BLOCK_HASH):
        check_chaining(0, None, 0, b"tip")
    with refused(Reason.INVALID_BLOCK_HEIGHT) as caught:
        check_chaining(MAX_U64, b"tip", MAX_U64, b"tip")
    assert caught.value.detail == MAX_U64


@pytest.mark.clauses("WP-2.7-BLOCK-IS-VALID")
def test_the_profile_decides_whether_an_older_debt_forbids_a_vote() -> None:
    sender, certificate = commit(NET, root(NET), pay())
    anticipating, _ = commit(NET, root(NET, 1), *map(Receive, credit(certificate)))
    made = proposal(NET, "bob", anticipating, Execute(burn(1)))
    found = rejected(handle_request(CTX, anticipating, made, VOTER), Reason.MISSING_CROSS_CHAIN_UPDATE)
    assert found.detail == ((ALICE, 0),)
    accepted(handle_request(evolve(CTX, rules=REVISION_H), anticipating, made, VOTER))
    accepted(handle_request(CTX, delivered(sender, anticipating), made, VOTER))


@pytest.mark.clauses("WP-2.9-JUSTIFICATION", "WP-2.8-HANDLE-REQUEST")
@pytest.mark.parametrize("reason", FALSE_CERTIFICATES)
def test_a_justification_is_verified_on_every_chain(reason: Reason) -> None:
    false = FALSE_CERTIFICATES[reason]
    with refused(reason):
        check_justification(CTX, false)
    for owner in ("alice", ("alice", "bob")):
        chain, made = Try(owner=owner, justification=false).make()
        rejected(handle_request(CTX, chain, made, VOTER), reason)


@pytest.mark.clauses("WP-2.9-JUSTIFICATION", "WP-2.8-HANDLE-REQUEST")
def test_a_genuine_justification_is_of_no_use_to_a_single_owner() -> None:
    check_justification(CTX, None)
    check_justification(CTX, validated())
    chain, made = Try(justification=validated()).make()
    rejected(handle_request(CTX, chain, made, VOTER), Reason.INVALID_BLOCK_PROPOSAL)
    rejected(
        handle_request(CTX, evolve(chain), evolve(made, justification=validated(round=9)), VOTER),
        Reason.INVALID_BLOCK_PROPOSAL,
    )


# --- HandleRequest with several owners ---------------------------------------------------------------------------

SHARED = network(owners=(("alice", "bob"), "carol"))
"""Alice and Bob share the first root chain."""


class Turns(Token):
    """The bundled token, but only Bob's key may propose next."""

    def proposers(self, chain_id: ChainId, state: Balance) -> Set[bytes] | None:  # type: ignore[override]
        return members(key("bob"))


def shared(**fields: Any) -> Try:
    """Return a proposal of one of two owners."""
    return Try(owner=("alice", "bob"), **fields)


@pytest.mark.clauses("WP-2.9-PROPOSAL")
@pytest.mark.parametrize("scheme", [IDEAL, ED25519])
@pytest.mark.parametrize("proposer", ["alice", "bob"])
@pytest.mark.parametrize("round", [0, 1, MAX_U32])
def test_several_owners_get_votes_to_validate(scheme: Any, proposer: str, round: int) -> None:
    net = network(owners=(("alice", "bob"), "carol"), scheme=scheme)
    chain, voter = root(net), validators(net)[0]
    expected = executed(net, chain, pay())
    made = request(net, proposer, expected.block, round)
    outcome = accepted(handle_request(net.context, chain, made, voter))
    assert outcome.outputs == (vote(net, 0, expected, Kind.VALIDATED, round),)
    local = evolve(chain.localized, pending=expected, rounds=Rounds(round))
    assert outcome.state == evolve(chain, localized=local)


NO_FAULT = (None, lambda _: None)
SHARED_FAULTS: list[tuple[Reason, Callable[[Try], object]]] = [
    *REQUEST_FAULTS[:7],
    (
        Reason.INVALID_SIGNATURE,
        lambda t: setattr(t, "justification", FALSE_CERTIFICATES[Reason.INVALID_SIGNATURE]),
    ),
    (Reason.INSUFFICIENT_ROUND, lambda t: (setattr(t, "pending", OTHER_PENDING), setattr(t, "round", 0))),
    (Reason.HAS_LOCKED_BLOCK, lambda t: setattr(t, "rounds", evolve(t.rounds, locked=validated()))),
    *REQUEST_FAULTS[-2:],
]


@pytest.mark.clauses("WP-2.9-PROPOSAL")
@pytest.mark.parametrize("height", [0, 3, MAX_U64 - 1])
def test_a_proposal_in_rounds_without_fault(height: int) -> None:
    chain, made = shared(height=height, proposer="bob", round=2, justification=None).make()
    after = accepted(handle_request(CTX, chain, made, VOTER)).state.localized
    assert (after.pending.block, after.rounds) == (made.block, Rounds(2))


@pytest.mark.clauses("WP-2.9-PROPOSAL", "WP-2.8-ATOMIC")
@pytest.mark.parametrize(
    ("first", "second"),
    [*((f, NO_FAULT) for f in SHARED_FAULTS), *combinations(SHARED_FAULTS, 2)],
    ids=lambda fault: getattr(fault[0], "name", "alone"),
)
def test_the_first_guard_of_a_proposal_in_rounds_decides(first: Any, second: Any) -> None:
    chain, made = attempt([second[1], first[1]], shared(round=1)).make()
    rejected(handle_request(CTX, chain, made, VOTER), first[0])
    rejected(handle_request(CTX, chain, made, None), first[0])


@pytest.mark.clauses("WP-4.6-PROPOSERS", "WP-2.9-PROPOSAL")
@pytest.mark.parametrize(("reason", "fault"), SHARED_FAULTS, ids=[r.name for r, _ in SHARED_FAULTS])
def test_turns_are_looked_at_between_owner_and_signature(reason: Reason, fault: Callable[[Try], object]) -> None:
    context = evolve(CTX, application=Turns())
    chain, made = attempt([fault], shared(round=1)).make()
    before = (Reason.INACTIVE_CHAIN, Reason.CHAIN_CLOSED, Reason.INVALID_OWNER)
    expected = reason if fault in [f for r, f in SHARED_FAULTS if r in before] else Reason.OUT_OF_TURN
    found = rejected(handle_request(context, chain, made, VOTER), expected)
    assert expected is reason or found.detail == key("alice")


@pytest.mark.clauses("WP-4.6-PROPOSERS")
def test_the_application_is_asked_before_each_proposal_and_not_about_single_owners() -> None:
    context = evolve(CTX, application=Turns())
    for trying in (shared(proposer="bob"), Try(), Try(owner=("alice", "carol"))):
        chain, made = trying.make()
        accepted(handle_request(context, chain, made, VOTER))


@pytest.mark.clauses("WP-2.9-PROPOSAL", "WP-2.9-JUSTIFICATION")
def test_a_repeated_proposal_is_voted_for_again_without_executing_it() -> None:
    """Also after another lock, by another owner and with another justification."""
    trying = shared(round=1)
    chain, made = trying.make()
    invalid = ExecutedBlock(made.block, (), NO_HASH)
    for lock in (None, validated(round=5)):
        waiting = evolve(chain, localized=Localized(pending=invalid, rounds=Rounds(1, lock)))
        for name in ("alice", "bob"):
            for justification in (None, validated(round=7)):
                again = request(NET, name, made.block, 1, justification)
                outcome = accepted(handle_request(CTX, waiting, again, VOTER))
                assert outcome.state is waiting
                assert outcome.outputs == (vote(NET, 0, invalid, Kind.VALIDATED, 1),)
        rejected(handle_request(CTX, waiting, request(NET, "alice", made.block, 0), VOTER), Reason.INSUFFICIENT_ROUND)


@pytest.mark.clauses("WP-2.9-PROPOSAL", "WP-2.9-JUSTIFICATION")
def test_a_new_round_replaces_the_proposal_and_keeps_the_lock() -> None:
    trying = shared(round=3, pending=OTHER_PENDING, rounds=Rounds(1, validated(round=1)))
    chain, made = trying.make()
    own = execute_block(CTX, chain, made.block).executed
    justified = evolve(made, justification=validated(own, 2))
    found = rejected(handle_request(CTX, chain, made, VOTER), Reason.HAS_LOCKED_BLOCK)
    assert found.detail == 1
    after = accepted(handle_request(CTX, chain, justified, VOTER))
    assert after.state.localized.pending == own
    assert after.state.localized.rounds == Rounds(3, validated(round=1))
    assert after.outputs == (vote(NET, 0, own, Kind.VALIDATED, 3),)


# --- HandleCertificate -------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.8-HANDLE-CERTIFICATE", "WP-2.4-CHAINING", "WP-2.5-REQUEST")
@pytest.mark.parametrize("scheme", [IDEAL, ED25519])
def test_a_certificate_extends_the_chain(scheme: Any) -> None:
    net = network(scheme=scheme)
    chain = root(net)
    certificate = certified(net, chain, pay(7), pay(2, (5,)))
    outcome = accepted(handle_certificate(net.context, chain, certificate))
    part, local = outcome.state.consistent, outcome.state.localized
    assert (part.next_height, part.block_hash) == (1, scheme.hash(certificate.executed))
    assert part.log.since(0) == (part.block_hash,)
    assert part.state == Balance(TOKENS - 9)
    assert local.certificates.since(0) == (certificate,)
    assert outcome.outputs == (chain_info(outcome.state), update(outcome.state, BOB), update(outcome.state, (5,)))


@pytest.mark.clauses("WP-2.8-HANDLE-CERTIFICATE", "WP-2.8-PENDING")
@pytest.mark.parametrize("pending", [None, OTHER_PENDING])
def test_a_certificate_need_not_match_what_is_pending(pending: ExecutedBlock | None) -> None:
    chain = root(NET)
    chain = evolve(chain, localized=evolve(chain.localized, pending=pending))
    after = accepted(handle_certificate(CTX, chain, certified(NET, chain, pay()))).state
    assert after.localized.pending is None


@pytest.mark.clauses("WP-2.9-RESET", "WP-2.8-HANDLE-CERTIFICATE")
@pytest.mark.parametrize("owner", ["alice", ("alice",), ("alice", "bob")])
@pytest.mark.parametrize("round", [0, 1, MAX_U32])
def test_a_confirmed_certificate_of_any_round_ends_the_rounds(owner: Any, round: int) -> None:
    rounds = Rounds(7, validated(round=9))
    chain = cell(owner=owner, localized=Localized(pending=OTHER_PENDING, rounds=rounds))
    certificate = certify(NET, executed(NET, chain, pay()), round=round)
    after = accepted(handle(CTX, Validator(Map({ALICE: chain})), certificate, VOTER)).state.chains[ALICE].localized
    assert (after.pending, after.rounds) == (None, FIRST_ROUND)
    assert after.certificates.since(0) == (certificate,)


@pytest.mark.clauses("WP-2.8-HANDLE-CERTIFICATE", "WP-2.6-ANTICIPATION")
def test_a_certified_block_may_anticipate() -> None:
    _, certificate = commit(NET, root(NET), pay(7))
    chain, _ = commit(NET, root(NET, 1), *map(Receive, credit(certificate)))
    assert chain.consistent.state == Balance(TOKENS + 7)
    assert owed_messages(chain) == tuple(credit(certificate))


@define
class TryCertificate:
    """A certificate and the cell that it meets: valid unless a fault is put in."""

    created: bool = True
    owner: str | tuple[str, ...] | None = "alice"
    height: int = 3
    next_height: int | None = None
    kind: Kind = Kind.CONFIRMED
    round: int = 0
    rounds: Rounds = FIRST_ROUND
    voters: list[int] = field(factory=lambda: [0, 1, 2])
    reuse: bool = False
    stranger: bool = False
    genuine: bool = True
    previous: bytes | None = digest("tip")
    transactions: list[Transaction] = field(factory=lambda: [pay()])
    messages: tuple[OutgoingMessage, ...] | None = None
    state_hash: bytes | None = None

    def make(self) -> tuple[Chain, Certificate]:
        """Build both."""
        chain = cell(
            owner=self.owner,
            created=self.created,
            next_height=self.height if self.next_height is None else self.next_height,
            block_hash=digest("tip"),
        )
        chain = evolve(chain, localized=evolve(chain.localized, rounds=self.rounds))
        block = Block(ALICE, self.height, self.previous, tuple(self.transactions))
        try:
            result = execute_block(CTX, chain, block).executed
        except Rejection:
            result = ExecutedBlock(block, (), NO_HASH)
        changes = {"messages": self.messages, "state_hash": self.state_hash}
        result = evolve(result, **{name: value for name, value in changes.items() if value is not None})
        return chain, self.sign(result)

    def sign(self, result: ExecutedBlock) -> Certificate:
        """Certify, with faulty signers."""
        certificate = certify(NET, result, self.voters, self.kind, self.round)
        pairs = list(certificate.signatures)
        if self.reuse:
            pairs.insert(1, pairs[0])
        if self.stranger:
            pairs.append((key("stranger"), bytes(64)))
        if not self.genuine:
            pairs[-1] = (pairs[-1][0], bytes(64))
        return evolve(certificate, signatures=tuple(pairs))


CERTIFICATE_FAULTS: list[tuple[Reason, Callable[[TryCertificate], object]]] = [
    (Reason.INACTIVE_CHAIN, lambda t: setattr(t, "created", False)),
    (Reason.CHAIN_CLOSED, lambda t: setattr(t, "owner", None)),
    (Reason.MISSING_EARLIER_BLOCKS, lambda t: setattr(t, "next_height", 2)),
    (Reason.UNEXPECTED_CERTIFICATE_KIND, lambda t: setattr(t, "kind", Kind.VALIDATED)),
    (Reason.CERTIFICATE_VALIDATOR_REUSE, lambda t: setattr(t, "reuse", True)),
    (Reason.INVALID_CERTIFICATE_SIGNER, lambda t: setattr(t, "stranger", True)),
    (Reason.CERTIFICATE_REQUIRES_QUORUM, lambda t: setattr(t, "voters", [0, 1])),
    (Reason.INVALID_SIGNATURE, lambda t: setattr(t, "genuine", False)),
    (Reason.INVALID_BLOCK_HEIGHT, lambda t: setattr(t, "height", MAX_U64)),
    (Reason.INVALID_BLOCK_CHAINING, lambda t: setattr(t, "previous", digest("other"))),
    (Reason.INSUFFICIENT_FUNDING, lambda t: t.transactions.append(pay(TOKENS + 1))),
    (Reason.INCORRECT_MESSAGES, lambda t: setattr(t, "messages", ())),
    (Reason.INCORRECT_STATE_HASH, lambda t: setattr(t, "state_hash", digest("other"))),
]


@pytest.mark.clauses("WP-2.8-HANDLE-CERTIFICATE")
@pytest.mark.parametrize("height", [3, MAX_U64 - 1])
def test_a_certificate_without_fault(height: int) -> None:
    chain, certificate = TryCertificate(height=height).make()
    assert accepted(handle_certificate(CTX, chain, certificate)).state.consistent.next_height == height + 1


@pytest.mark.clauses("WP-2.8-HANDLE-CERTIFICATE", "WP-2.4-EXECUTED-BLOCK")
@pytest.mark.parametrize(("reason", "fault"), CERTIFICATE_FAULTS, ids=[r.name for r, _ in CERTIFICATE_FAULTS])
def test_each_fault_of_a_certificate(reason: Reason, fault: Callable[[TryCertificate], object]) -> None:
    chain, certificate = attempt([fault], TryCertificate()).make()
    rejected(handle_certificate(CTX, chain, certificate), reason)


@pytest.mark.clauses("WP-2.8-HANDLE-CERTIFICATE", "WP-2.8-ATOMIC", "WP-2.4-EXECUTED-BLOCK")
@pytest.mark.parametrize(
    ("first", "second"),
    list(combinations(CERTIFICATE_FAULTS, 2)),
    ids=[f"{a.name}-{b.name}" for (a, _), (b, _) in combinations(CERTIFICATE_FAULTS, 2)],
)
def test_the_first_guard_of_a_certificate_decides(first: Any, second: Any) -> None:
    chain, certificate = attempt([second[1], first[1]], TryCertificate()).make()
    rejected(handle_certificate(CTX, chain, certificate), first[0])


@pytest.mark.clauses("WP-2.8-HANDLE-CERTIFICATE", "WP-2.4-EXECUTED-BLOCK")
@pytest.mark.parametrize(
    "messages",
    [
        (),
        (OutgoingMessage(BOB, User(encode(Credit(2)))),),
        (OutgoingMessage((5,), User(encode(Credit(1)))),),
        (OutgoingMessage(BOB, User(encode(Credit(1)))),) * 2,
    ],
)
def test_certified_messages_must_be_those_of_the_execution(messages: tuple[OutgoingMessage, ...]) -> None:
    chain, certificate = TryCertificate(messages=messages).make()
    found = rejected(handle_certificate(CTX, chain, certificate), Reason.INCORRECT_MESSAGES)
    assert found.detail == (OutgoingMessage(BOB, User(encode(Credit(1)))),)


@pytest.mark.clauses("WP-2.8-HANDLE-CERTIFICATE")
def test_details_of_a_rejected_certificate() -> None:
    for reason, detail in ((Reason.MISSING_EARLIER_BLOCKS, 2), (Reason.INVALID_BLOCK_CHAINING, digest("tip"))):
        chain, certificate = attempt([dict(CERTIFICATE_FAULTS)[reason]], TryCertificate()).make()
        assert rejected(handle_certificate(CTX, chain, certificate), reason).detail == detail
    _, genuine = TryCertificate().make()
    chain, certificate = TryCertificate(state_hash=NO_HASH).make()
    found = rejected(handle_certificate(CTX, chain, certificate), Reason.INCORRECT_STATE_HASH)
    assert found.detail == genuine.executed.state_hash


@pytest.mark.clauses("WP-2.8-HANDLE-CERTIFICATE")
@pytest.mark.parametrize("height", [0, 1, 2])
@pytest.mark.parametrize("closed", [False, True])
def test_below_the_tip_nothing_is_checked_and_nothing_changes(height: int, closed: bool) -> None:
    """Amendment A3: also for a closed chain; pending requests go out again."""
    outboxes = Map({BOB: Outbox(3, Queue().push(1))})
    certificates: Log[Certificate] = fold(Log.append, Log(), [certify(NET, OTHER_PENDING, ())] * 3)
    local = Localized(outboxes=outboxes, counters=Map({1: 1}), certificates=certificates)
    chain = cell(owner=None if closed else "alice", next_height=3, localized=local)
    everything_wrong = Block(ALICE, height, digest("other"), (UNKNOWN,))
    certificate = Certificate(ExecutedBlock(everything_wrong, (), NO_HASH), Kind.VALIDATED, 9, ())
    outcome = accepted(handle_certificate(CTX, chain, certificate))
    assert outcome.state is chain
    assert outcome.outputs == (chain_info(chain), update(chain, BOB))


@pytest.mark.clauses("WP-2.8-HANDLE-CERTIFICATE")
def test_an_unknown_chain_is_inactive_whatever_the_height() -> None:
    blank = Chain((9,))
    for height in (0, 1, MAX_U64):
        certificate = certify(NET, ExecutedBlock(Block((9,), height, None, ()), (), NO_HASH))
        rejected(handle_certificate(CTX, blank, certificate), Reason.INACTIVE_CHAIN)


@pytest.mark.clauses("WP-2.8-HANDLE-CERTIFICATE")
def test_the_profile_decides_the_quorum_of_a_certificate() -> None:
    three = network((1, 1, 1))
    certificate = certify(three, executed(three, root(three), pay()), (0, 1))
    rejected(handle_certificate(three.context, root(three), certificate), Reason.CERTIFICATE_REQUIRES_QUORUM)
    accepted(handle_certificate(evolve(three.context, rules=REVISION_H), root(three), certificate))


@pytest.mark.clauses("WP-2.8-HANDLE-CERTIFICATE", "WP-2.2-CERTIFICATE")
def test_a_confirmed_certificate_is_verified_by_itself() -> None:
    some = executed(NET, root(NET), pay())
    assert check_confirmed(CTX, certify(NET, some, (0, 1, 2))) == IDEAL.hash(some)
    for faulty, reason in (
        # The kind comes first.
        (certify(NET, some, (0, 0), Kind.VALIDATED), Reason.UNEXPECTED_CERTIFICATE_KIND),
        (certify(NET, some, (0, 0)), Reason.CERTIFICATE_VALIDATOR_REUSE),
        (certify(NET, some, (0, 1)), Reason.CERTIFICATE_REQUIRES_QUORUM),
        (evolve(certify(NET, some), round=1), Reason.INVALID_SIGNATURE),
    ):
        with refused(reason):
            check_confirmed(CTX, faulty)
    three = network((1, 1, 1))
    two = certify(three, some, (0, 1))
    with refused(Reason.CERTIFICATE_REQUIRES_QUORUM):
        check_confirmed(three.context, two)
    assert check_confirmed(evolve(three.context, rules=REVISION_H), two) == IDEAL.hash(some)


# --- closed chains -----------------------------------------------------------------------------------------------


@pytest.mark.clauses(
    "WP-2.7-CLOSE-CHAIN", "WP-2.8-HANDLE-REQUEST", "WP-2.8-HANDLE-CERTIFICATE", "WP-2.4-CLOSED-FOREVER"
)
def test_a_closed_chain_takes_no_more_blocks() -> None:
    before = root(NET)
    chain, closing = commit(NET, before, CloseChain())
    assert is_closed(chain.consistent)
    rejected(handle_request(CTX, chain, proposal(NET, "alice", chain), VOTER), Reason.CHAIN_CLOSED)
    following = certify(NET, evolve(closing.executed, block=next_block(chain, ())))
    rejected(handle_certificate(CTX, chain, following), Reason.CHAIN_CLOSED)
    far = certify(NET, evolve(closing.executed, block=evolve(following.executed.block, height=9)))
    rejected(handle_certificate(CTX, chain, far), Reason.CHAIN_CLOSED)
    assert accepted(handle_certificate(CTX, chain, closing)).state is chain


@pytest.mark.clauses("WP-A.2-UPDATE-RECIPIENT", "WP-A.2-REPEAT-ACK", "WP-2.4-CLOSED-FOREVER")
def test_a_closed_chain_acknowledges_what_it_has_and_takes_nothing_new() -> None:
    sender, _ = commit(NET, root(NET), pay())
    first = update(sender, BOB)
    chain, _ = commit(NET, delivered(sender, root(NET, 1)), CloseChain())
    outcome = accepted(handle_update_recipient(CTX, chain, first))
    assert outcome == Accepted(chain, (ConfirmUpdatedRecipient(ALICE, BOB, 0),))
    sender, _ = commit(NET, sender, pay())
    rejected(handle_update_recipient(CTX, chain, update(sender, BOB)), Reason.CHAIN_CLOSED)


@pytest.mark.clauses("WP-A.2-CONFIRM-UPDATED-RECIPIENT", "WP-2.5-REQUEST")
def test_a_closed_sender_keeps_sending_until_it_is_confirmed() -> None:
    chain, closing = commit(NET, root(NET), pay(), CloseChain())
    assert accepted(handle_certificate(CTX, chain, closing)).outputs[1:] == (update(chain, BOB),)
    after = confirmed(chain, BOB, 0)
    assert accepted(handle_certificate(CTX, after, closing)).outputs[1:] == ()


@pytest.mark.clauses("WP-2.7-CHANGE-KEY", "WP-2.1-OWNER-PROPOSES")
def test_after_a_change_of_key_the_new_owner_proposes() -> None:
    chain, _ = commit(NET, root(NET), ChangeKey(key("carol")))
    rejected(handle_request(CTX, chain, proposal(NET, "alice", chain), VOTER), Reason.INVALID_OWNER)
    accepted(handle_request(CTX, chain, proposal(NET, "carol", chain), VOTER))


# --- cross-chain requests ----------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.5-REQUEST")
def test_requests_carry_the_whole_outbox_of_each_recipient() -> None:
    chain, first = commit(NET, root(NET), pay(1, (5,)), pay())
    chain, second = commit(NET, chain, pay())
    chain, third = commit(NET, chain, pay(1, (5, 0)), pay(1, (5,)))
    assert cross_chain_requests(chain) == (
        UpdateRecipient(ALICE, BOB, (first, second)),
        UpdateRecipient(ALICE, (5,), (first, third)),
        UpdateRecipient(ALICE, (5, 0), (third,)),
    )
    assert update_recipient(chain, BOB) == UpdateRecipient(ALICE, BOB, (first, second))
    assert cross_chain_requests(root(NET)) == ()
    assert cross_chain_requests(confirmed(chain, BOB)) == cross_chain_requests(chain)[1:]


def sending(chain_id: ChainId, height: int, *messages: OutgoingMessage) -> Certificate:
    """Certify a block out of thin air that sends these messages."""
    return certify(NET, ExecutedBlock(Block(chain_id, height, None, ()), messages, NO_HASH))


def to_bob(text: bytes = b"") -> OutgoingMessage:
    return OutgoingMessage(BOB, User(text))


def batch(*certificates: Certificate, sender: ChainId = ALICE, recipient: ChainId = BOB) -> UpdateRecipient:
    return UpdateRecipient(sender, recipient, certificates)


C1, C2, C3 = (sending(ALICE, height, to_bob()) for height in (1, 2, 3))
MALFORMED = {
    "empty": batch(),
    "repeated": batch(C1, C1),
    "decreasing": batch(C2, C1),
    "decreasing later": batch(C1, C3, C2),
    "another sender": batch(C1, sending((5,), 2, to_bob())),
    "named sender": batch(C1, sender=(5,)),
    "no message": batch(C1, sending(ALICE, 2)),
    "for another": batch(C1, sending(ALICE, 2, OutgoingMessage((5,), User(b"")))),
    "named recipient": batch(C1, recipient=(5,)),
    "kind": batch(C1, certify(NET, C2.executed, kind=Kind.VALIDATED)),
}


@pytest.mark.clauses("WP-A.2-SELECT")
def test_a_batch_is_an_increasing_sequence_of_blocks_for_the_recipient() -> None:
    check_batch(batch(C1))
    check_batch(batch(C1, C2, C3))
    check_batch(batch(sending(ALICE, 0, to_bob()), C3))
    check_batch(batch(sending(ALICE, MAX_U64, OutgoingMessage((5,), User(b"")), to_bob())))


@pytest.mark.clauses("WP-A.2-SELECT", "WP-A.2-UPDATE-RECIPIENT")
@pytest.mark.parametrize("malformed", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("place", ["new", "active", "closed", "received"])
def test_a_malformed_batch_is_refused_first(malformed: UpdateRecipient, place: str) -> None:
    known = accepted(handle_update_recipient(CTX, cell(BOB, "bob"), batch(C1, C2, C3))).state
    chains = {"new": Chain(BOB), "active": cell(BOB, "bob"), "closed": cell(BOB, None), "received": known}
    rejected(handle_update_recipient(CTX, chains[place], malformed), Reason.INVALID_CROSS_CHAIN_REQUEST)


@pytest.mark.clauses("WP-A.2-SELECT")
def test_the_height_that_spoils_a_batch_is_named() -> None:
    for name, height in (("repeated", 1), ("decreasing later", 2), ("another sender", 2), ("kind", 2)):
        with refused(Reason.INVALID_CROSS_CHAIN_REQUEST) as caught:
            check_batch(MALFORMED[name])
        assert caught.value.detail == height


@pytest.mark.clauses("WP-A.2-SELECT")
def test_what_is_new_is_selected() -> None:
    request = batch(C1, C2, C3)
    assert [select(request, height) for height in (0, 1, 2, 3, 4)] == [
        (C1, C2, C3),
        (C1, C2, C3),
        (C2, C3),
        (C3,),
        (),
    ]


@pytest.mark.clauses("WP-A.1-RECEIVE-BLOCK")
def test_messages_keep_their_place_in_the_list_of_all_messages() -> None:
    certificate = sending(ALICE, 4, to_bob(b"a"), OutgoingMessage((5,), User(b"b")), to_bob(b"c"))
    block_hash = IDEAL.hash(certificate.executed)
    assert sent_messages(CTX, certificate, BOB) == (
        Message(ALICE, 4, 0, block_hash, User(b"a")),
        Message(ALICE, 4, 2, block_hash, User(b"c")),
    )
    assert sent_messages(CTX, certificate, (9,)) == ()


@pytest.mark.clauses("WP-A.1-RECEIVE-BLOCK", "WP-2.6-RECEIVED")
def test_a_block_is_delivered_with_all_its_messages() -> None:
    certificate = sending(ALICE, 4, to_bob(b"a"), OutgoingMessage((5,), User(b"b")), to_bob(b"c"))
    before = cell(BOB, "bob")
    chain = receive_block(CTX, before, certificate)
    assert tuple(inbox_of(chain, ALICE).added) == sent_messages(CTX, certificate, BOB)
    assert inbox_of(chain, ALICE).next_add == Cursor(4, 3)
    assert chain.localized.received.since(0) == ((ALICE, 4),)
    assert chain.consistent is before.consistent
    with refused(Reason.INCORRECT_MESSAGE_ORDER):
        receive_block(CTX, chain, certificate)


@pytest.mark.clauses("WP-2.6-RECEIVED", "WP-A.1-RECEIVE-BLOCK")
def test_a_block_that_was_skipped_before_it_arrived_is_logged_too() -> None:
    chain, _ = commit(NET, root(NET, 1), Receive(Message(ALICE, 2, 0, IDEAL.hash(PAID.executed), PAID_CONTENT)))
    chain = receive_block(CTX, chain, sending(ALICE, 1, to_bob()))
    assert inbox_of(chain, ALICE).added.is_empty
    assert chain.localized.received.since(0) == ((ALICE, 1),)


PAID_CONTENT = User(encode(Credit(1)))
PAID = sending(ALICE, 2, OutgoingMessage(BOB, PAID_CONTENT))


@pytest.mark.clauses("WP-A.2-UPDATE-RECIPIENT", "WP-2.6-RECEIVED")
def test_an_update_delivers_and_acknowledges() -> None:
    outcome = accepted(handle_update_recipient(CTX, cell(BOB, "bob"), batch(C1, C3)))
    assert outcome.outputs == (ConfirmUpdatedRecipient(ALICE, BOB, 3),)
    assert outcome.state.localized.received.since(0) == ((ALICE, 1), (ALICE, 3))
    assert [m.height for m in inbox_of(outcome.state, ALICE).added] == [1, 3]


@pytest.mark.clauses("WP-A.2-UPDATE-RECIPIENT", "WP-A.2-SELECT")
def test_the_known_part_of_an_update_is_passed_over() -> None:
    chain = accepted(handle_update_recipient(CTX, cell(BOB, "bob"), batch(C1, C2))).state
    outcome = accepted(handle_update_recipient(CTX, chain, batch(C1, C2, C3)))
    assert outcome.outputs == (ConfirmUpdatedRecipient(ALICE, BOB, 3),)
    assert [m.height for m in inbox_of(outcome.state, ALICE).added] == [1, 2, 3]


@pytest.mark.clauses("WP-A.2-REPEAT-ACK")
def test_a_repeated_update_is_acknowledged_again() -> None:
    """Amendment A8: a lost acknowledgement is repaired by repeating any part of what was received."""
    chain = accepted(handle_update_recipient(CTX, cell(BOB, "bob"), batch(C1, C2, C3))).state
    for repeated in (batch(C1, C2, C3), batch(C1), batch(C2, C3)):
        outcome = accepted(handle_update_recipient(CTX, chain, repeated))
        assert outcome.state is chain
        assert outcome.outputs == (ConfirmUpdatedRecipient(ALICE, BOB, 3),)


@pytest.mark.clauses("WP-A.2-REPEAT-ACK", "WP-A.2-UPDATE-RECIPIENT")
def test_a_gap_counts_as_received() -> None:
    """Nothing between two delivered blocks was for this recipient, so nothing below the last one is new."""
    chain = accepted(handle_update_recipient(CTX, cell(BOB, "bob"), batch(C3))).state
    assert accepted(handle_update_recipient(CTX, chain, batch(C1))).outputs == (ConfirmUpdatedRecipient(ALICE, BOB, 3),)


@pytest.mark.clauses("WP-A.2-UPDATE-RECIPIENT")
def test_an_update_of_an_inactive_chain_saves_and_acknowledges_nothing() -> None:
    rejected(handle_update_recipient(CTX, Chain(BOB), batch(C1)), Reason.INACTIVE_CHAIN)
    rejected(handle_update_recipient(CTX, cell(BOB, None), batch(C1)), Reason.CHAIN_CLOSED)


@pytest.mark.clauses("WP-A.2-UPDATE-RECIPIENT")
def test_a_local_node_accepts_messages_before_the_creation() -> None:
    local = evolve(CTX, tracks_inactive=True)
    outcome = accepted(handle_update_recipient(local, Chain(BOB), batch(C1)))
    assert outcome.outputs == (ConfirmUpdatedRecipient(ALICE, BOB, 1),)
    assert not outcome.state.consistent.created
    rejected(handle_update_recipient(local, cell(BOB, None), batch(C1)), Reason.CHAIN_CLOSED)
    accepted(handle_update_recipient(local, cell(BOB, "bob"), batch(C1)))


CREATION = sending(ALICE, 2, OutgoingMessage(BOB, Create(key("bob"))))


@pytest.mark.clauses("WP-2.5-CREATE", "WP-A.2-UPDATE-RECIPIENT")
def test_a_chain_is_created_on_arrival() -> None:
    outcome = accepted(handle_update_recipient(CTX, Chain(BOB), batch(CREATION)))
    part, local = outcome.state.consistent, outcome.state.localized
    assert part == evolve(cell(BOB, "bob", Balance(0)).consistent, creation_height=2)
    assert tuple(inbox_of(outcome.state, ALICE).added) == sent_messages(CTX, CREATION, BOB)
    assert local.received.since(0) == ((ALICE, 2),)
    assert outcome.outputs == (ConfirmUpdatedRecipient(ALICE, BOB, 2),)
    accepted(handle_request(CTX, outcome.state, proposal(NET, "bob", outcome.state), VOTER))


@pytest.mark.clauses("WP-2.5-CREATE")
def test_creation() -> None:
    chain = create_chain(CTX, Chain(BOB), Create(key("bob")), 7)
    assert chain == cell(BOB, "bob", Balance(0), creation_height=7)
    for existing in (chain, cell(BOB, None)):
        with refused(Reason.CHAIN_ALREADY_EXISTS):
            create_chain(CTX, existing, Create(key("bob")), 7)


@pytest.mark.clauses("WP-2.5-CREATE", "WP-A.2-UPDATE-RECIPIENT", "WP-2.4-CLOSED-FOREVER")
def test_no_chain_is_created_twice() -> None:
    for existing in (cell(BOB, "bob"), cell(BOB, None)):
        rejected(handle_update_recipient(CTX, existing, batch(CREATION)), Reason.CHAIN_ALREADY_EXISTS)
    twice = sending(ALICE, 2, *[OutgoingMessage(BOB, Create(key("bob")))] * 2)
    rejected(handle_update_recipient(CTX, Chain(BOB), batch(twice)), Reason.CHAIN_ALREADY_EXISTS)


@pytest.mark.clauses("WP-A.2-UPDATE-RECIPIENT")
def test_a_batch_that_creates_its_recipient_later_succeeds_as_a_whole() -> None:
    early = sending(ALICE, 1, to_bob(b"early"))
    rejected(handle_update_recipient(CTX, Chain(BOB), batch(early)), Reason.INACTIVE_CHAIN)
    chain = accepted(handle_update_recipient(CTX, Chain(BOB), batch(early, CREATION, C3))).state
    assert chain.consistent.creation_height == 2
    assert [m.height for m in inbox_of(chain, ALICE).added] == [1, 2, 3]


@pytest.mark.clauses("WP-A.2-UPDATE-RECIPIENT", "WP-A.1-ADD")
def test_errors_of_delivery_come_before_activity() -> None:
    """The owed message differs from the one sent."""
    owed = Message(ALICE, 2, 0, digest("forged"), PAID_CONTENT)
    chain, _ = commit(NET, root(NET, 1), Receive(owed), CloseChain())
    rejected(handle_update_recipient(CTX, chain, batch(PAID)), Reason.UNEXPECTED_MESSAGE)
    rejected(handle_update_recipient(CTX, chain, batch(CREATION)), Reason.CHAIN_ALREADY_EXISTS)


@pytest.mark.clauses("WP-A.2-UPDATE-RECIPIENT")
def test_the_shape_comes_before_errors_of_delivery() -> None:
    rejected(
        handle_update_recipient(CTX, cell(BOB, "bob"), batch(CREATION, CREATION)), Reason.INVALID_CROSS_CHAIN_REQUEST
    )


@pytest.mark.clauses("WP-A.2-UPDATE-RECIPIENT")
def test_the_last_height_cannot_be_received() -> None:
    """No block has it. Accepting it once would be a promise to accept it again, but no height follows it."""
    last = batch(sending(ALICE, MAX_U64, to_bob()))
    rejected(handle_update_recipient(CTX, cell(BOB, "bob"), last), Reason.ARITHMETIC)


@pytest.mark.clauses("WP-A.2-CONFIRM-UPDATED-RECIPIENT", "WP-A.2-CONFIRM")
def test_a_confirmation_drops_what_was_received() -> None:
    chain, _ = commit(NET, root(NET), pay(), pay(1, (5,)))
    chain, _ = commit(NET, chain, pay())
    assert not is_delivered(chain, 0)
    outcome = accepted(handle_confirm_updated_recipient(chain, ConfirmUpdatedRecipient(ALICE, BOB, 0)))
    assert outcome.outputs == ()
    assert [list(box.queue) for _, box in sorted(outcome.state.localized.outboxes.items())] == [[1], [0]]
    assert outcome.state.consistent is chain.consistent
    assert not is_delivered(outcome.state, 0)
    assert is_delivered(confirmed(confirmed(chain, BOB), (5,)), 1)


@pytest.mark.clauses("WP-A.2-CONFIRM-UPDATED-RECIPIENT")
def test_a_confirmation_of_nothing() -> None:
    chain, _ = commit(NET, root(NET), pay())
    for some in (chain, Chain(ALICE), cell(ALICE, None)):
        outcome = accepted(handle_confirm_updated_recipient(some, ConfirmUpdatedRecipient(ALICE, (9,), MAX_U64)))
        assert outcome.state is some


# --- HandleValidated ---------------------------------------------------------------------------------------------


def finalising(**fields: Any) -> TryCertificate:
    """Return a validated certificate for a chain of two owners."""
    return TryCertificate(owner=("alice", "bob"), kind=Kind.VALIDATED, **fields)


def validate(chain: Chain, certificate: Certificate, voter: Any = VOTER) -> Outcome[Chain]:
    return handle_validated(CTX, chain, certificate, voter)


@pytest.mark.clauses("WP-2.9-VALIDATED", "WP-2.9-FINAL-VOTE", "WP-2.9-LOCK")
@pytest.mark.parametrize("scheme", [IDEAL, ED25519])
@pytest.mark.parametrize("round", [0, 1, MAX_U32])
def test_a_validated_certificate_locks_and_gets_a_final_vote(scheme: Any, round: int) -> None:
    net = network(owners=(("alice", "bob"),), scheme=scheme)
    chain = root(net)
    some = executed(net, chain, pay())
    certificate = certify(net, some, kind=Kind.VALIDATED, round=round)
    outcome = accepted(handle_validated(net.context, chain, certificate, validators(net)[0]))
    assert outcome.outputs == (vote(net, 0, some, Kind.CONFIRMED, round),)
    assert outcome.state == evolve(chain, localized=evolve(chain.localized, rounds=Rounds(0, certificate)))


@pytest.mark.clauses("WP-2.9-VALIDATED")
def test_a_node_without_a_key_locks_and_does_not_vote() -> None:
    chain, certificate = finalising().make()
    outcome = accepted(validate(chain, certificate, None))
    assert outcome.outputs == ()
    assert outcome.state.localized.rounds.locked is certificate


@pytest.mark.clauses("WP-2.9-VALIDATED")
def test_a_final_vote_executes_nothing_and_leaves_the_proposal_alone() -> None:
    """Neither a block that this node would refuse, nor messages that it misses, nor another proposal matter."""
    certificate = validated(ExecutedBlock(Block(ALICE, 3, digest("tip"), (UNKNOWN, pay(TOKENS + 1))), (), NO_HASH), 4)
    chain, _ = shared(pending=OTHER_PENDING, rounds=Rounds(4)).make()
    outcome = accepted(validate(chain, certificate))
    assert outcome.outputs == (vote(NET, 0, certificate.executed, Kind.CONFIRMED, 4),)
    assert outcome.state == evolve(chain, localized=evolve(chain.localized, rounds=Rounds(4, certificate)))


@pytest.mark.clauses("WP-2.9-VALIDATED", "WP-2.5-REQUEST")
def test_a_final_vote_comes_with_all_pending_requests() -> None:
    chain, _ = commit(SHARED, root(SHARED), pay(), pay(2, (5,)))
    certificate = certify(SHARED, executed(SHARED, chain, pay()), kind=Kind.VALIDATED)
    outcome = accepted(handle_validated(SHARED.context, chain, certificate, VOTER))
    assert outcome.outputs[1:] == (update(chain, BOB), update(chain, (5,)))
    assert accepted(handle_validated(SHARED.context, chain, certificate, None)).outputs == outcome.outputs[1:]


VALIDATED_FAULTS: list[tuple[Reason, Callable[[TryCertificate], object]]] = [
    (Reason.INACTIVE_CHAIN, lambda t: setattr(t, "created", False)),
    (Reason.CHAIN_CLOSED, lambda t: setattr(t, "owner", None)),
    (Reason.MISSING_EARLIER_BLOCKS, lambda t: setattr(t, "next_height", 2)),
    (Reason.UNEXPECTED_CERTIFICATE_KIND, lambda t: setattr(t, "owner", "alice")),
    (Reason.UNEXPECTED_CERTIFICATE_KIND, lambda t: setattr(t, "kind", Kind.CONFIRMED)),
    (Reason.CERTIFICATE_VALIDATOR_REUSE, lambda t: setattr(t, "reuse", True)),
    (Reason.INVALID_CERTIFICATE_SIGNER, lambda t: setattr(t, "stranger", True)),
    (Reason.CERTIFICATE_REQUIRES_QUORUM, lambda t: setattr(t, "voters", [0, 1])),
    (Reason.INVALID_SIGNATURE, lambda t: setattr(t, "genuine", False)),
    (Reason.INVALID_BLOCK_CHAINING, lambda t: setattr(t, "previous", digest("other"))),
    (Reason.INSUFFICIENT_ROUND, lambda t: setattr(t, "rounds", evolve(t.rounds, last=2))),
    (Reason.HAS_LOCKED_BLOCK, lambda t: setattr(t, "rounds", evolve(t.rounds, locked=validated(round=1)))),
]


@pytest.mark.clauses("WP-2.9-VALIDATED", "WP-2.8-ATOMIC")
@pytest.mark.parametrize(
    ("first", "second"),
    [*((f, NO_FAULT) for f in VALIDATED_FAULTS), *combinations(VALIDATED_FAULTS, 2)],
    ids=lambda fault: getattr(fault[0], "name", "alone"),
)
def test_the_first_guard_of_a_validated_certificate_decides(first: Any, second: Any) -> None:
    chain, certificate = attempt([second[1], first[1]], finalising(round=1)).make()
    for voter in (VOTER, None):
        rejected(validate(chain, certificate, voter), first[0])


@pytest.mark.clauses("WP-2.9-VALIDATED", "WP-2.9-LOCK", "WP-2.9-ROUND")
def test_details_of_a_rejected_validated_certificate() -> None:
    for rounds, reason, detail in (
        (Rounds(5), Reason.INSUFFICIENT_ROUND, 4),
        (Rounds(0, validated(round=5)), Reason.INSUFFICIENT_ROUND, 4),
        (Rounds(MAX_U32), Reason.INSUFFICIENT_ROUND, MAX_U32 - 1),
        (Rounds(4, validated(round=4)), Reason.HAS_LOCKED_BLOCK, 4),
    ):
        chain, certificate = finalising(round=4, rounds=rounds).make()
        assert rejected(validate(chain, certificate), reason).detail == detail
    for reason, detail in ((Reason.MISSING_EARLIER_BLOCKS, 2), (Reason.INVALID_BLOCK_CHAINING, digest("tip"))):
        chain, certificate = attempt([dict(VALIDATED_FAULTS)[reason]], finalising()).make()
        assert rejected(validate(chain, certificate), reason).detail == detail


@pytest.mark.clauses("WP-2.9-VALIDATED", "WP-2.9-LOCK")
def test_the_lock_moves_to_later_rounds_only() -> None:
    for lock, moves in ((validated(round=3), True), (validated(round=5), False)):
        chain, certificate = finalising(round=4, rounds=Rounds(2, lock)).make()
        outcome = validate(chain, certificate)
        assert isinstance(outcome, Accepted) == moves
        if isinstance(outcome, Accepted):
            assert outcome.state.localized.rounds == Rounds(2, certificate)


@pytest.mark.clauses("WP-2.9-VALIDATED")
@pytest.mark.parametrize("height", [0, 1, 2])
@pytest.mark.parametrize("owner", [None, "alice", ("alice", "bob")])
@pytest.mark.parametrize("voter", [None, VOTER])
def test_a_validated_certificate_below_the_tip_is_not_looked_at(height: int, owner: Any, voter: Any) -> None:
    outboxes = Map({BOB: Outbox(3, Queue().push(1))})
    certificates: Log[Certificate] = fold(Log.append, Log(), [certify(NET, OTHER_PENDING, ())] * 3)
    local = Localized(
        rounds=Rounds(8, validated(round=9)), outboxes=outboxes, counters=Map({1: 1}), certificates=certificates
    )
    chain = cell(owner=owner, next_height=3, localized=local)
    wrong = Block(ALICE, height, digest("other"), (UNKNOWN,))
    certificate = Certificate(ExecutedBlock(wrong, (), NO_HASH), Kind.VALIDATED, 9, ())
    outcome = accepted(validate(chain, certificate, voter))
    assert outcome.state is chain
    assert outcome.outputs == (chain_info(chain), update(chain, BOB))


@pytest.mark.clauses("WP-2.8-HANDLE-CERTIFICATE", "WP-2.9-VALIDATED")
def test_where_a_certified_block_belongs() -> None:
    part = cell(next_height=3).consistent
    assert [is_next(part, n) for n in (0, 2, 3)] == [False, False, True]
    closed = evolve(part, owner=None)
    assert not is_next(closed, 2)
    for some, height, reason in (
        (part, 4, Reason.MISSING_EARLIER_BLOCKS),
        (part, MAX_U64, Reason.MISSING_EARLIER_BLOCKS),
        (closed, 3, Reason.CHAIN_CLOSED),
        (closed, 4, Reason.CHAIN_CLOSED),
        (evolve(part, created=False), 0, Reason.INACTIVE_CHAIN),
    ):
        with refused(reason):
            is_next(some, height)


@pytest.mark.clauses("WP-2.9-VALIDATED")
@pytest.mark.parametrize("reason", FALSE_CERTIFICATES)
def test_a_validated_certificate_is_verified_by_itself(reason: Reason) -> None:
    check_validated(CTX, validated(round=3))
    with refused(reason):
        check_validated(CTX, FALSE_CERTIFICATES[reason])


@pytest.mark.clauses("WP-2.9-VALIDATED", "WP-2.8-HANDLE-CERTIFICATE")
def test_the_kind_of_a_certificate_decides_about_its_handler() -> None:
    """A single-owner chain has no use for a validated one, and neither kind passes for the other."""
    chain, certificate = finalising().make()
    validator = Validator(Map({ALICE: chain}))
    assert (
        accepted(handle(CTX, validator, certificate, VOTER)).outputs == accepted(validate(chain, certificate)).outputs
    )
    rejected(handle_certificate(CTX, chain, certificate), Reason.UNEXPECTED_CERTIFICATE_KIND)
    single = evolve(chain, consistent=evolve(chain.consistent, owner=key("alice")))
    found = rejected(
        handle(CTX, Validator(Map({ALICE: single})), certificate, VOTER), Reason.UNEXPECTED_CERTIFICATE_KIND
    )
    assert found.detail is Kind.VALIDATED


@pytest.mark.clauses("WP-2.9-LOCK", "WP-2.9-VALIDATED")
def test_a_repeated_validated_certificate_repeats_the_final_vote() -> None:
    """Whoever signed it, and after a later proposal of the lock not any more."""
    chain, certificate = finalising(round=1).make()
    once = accepted(validate(chain, certificate))
    for again in (certificate, validated(certificate.executed, 1, (1, 2, 3))):
        twice = accepted(validate(once.state, again))
        assert twice == once
    block = certificate.executed.block
    later = accepted(handle_request(CTX, once.state, request(NET, "bob", block, 2), VOTER)).state
    rejected(validate(later, certificate), Reason.INSUFFICIENT_ROUND)


# --- restart and rounds ------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.9-LEARN-LOCK", "WP-2.8-QUERY")
def test_what_a_node_says_about_the_height_in_progress() -> None:
    assert round_info(Chain((9,))) == RoundInfo((9,), 0, None, FIRST_ROUND)
    rounds = Rounds(4, validated(round=2))
    chain = cell(next_height=3, localized=Localized(pending=OTHER_PENDING, rounds=rounds))
    assert round_info(chain) == RoundInfo(ALICE, 3, OTHER_PENDING, rounds)


@pytest.mark.clauses("WP-2.9-DURABLE")
def test_a_restart_changes_nothing() -> None:
    for chain, item in lawful_inputs():
        before = accepted(handle(CTX, Validator(Map({chain.chain_id: chain})), item, VOTER)).state
        assert restart(before) == before
    assert restart(Validator()) == Validator()


# --- universal laws ----------------------------------------------------------------------------------------------


def lawful_inputs() -> list[tuple[Chain, Any]]:
    """Return cells with inputs that they accept: every handler and every kind of transaction."""
    alice, first = commit(NET, root(NET), pay(), OpenChain((0, 1), key("carol")))
    carol = Chain((0, 1))
    bob = delivered(alice, root(NET, 1))
    take = map(Receive, credit(first))
    closing = certified(NET, alice, CloseChain())
    lock = executed(SHARED, root(SHARED), pay())
    return [
        (root(SHARED), request(SHARED, "bob", lock.block, 4, validated(lock, 3))),
        (root(SHARED), validated(lock, 2)),
        (root(SHARED), proposal(SHARED, "alice", root(SHARED), AddOwner(key("carol")))),
        (root(NET), proposal(NET, "alice", root(NET), pay(), OpenChain((0, 1), key("carol")))),
        (alice, proposal(NET, "alice", alice, ChangeKey(key("carol")))),
        (root(NET), first),
        (alice, first),
        (alice, closing),
        (accepted(handle_certificate(CTX, alice, closing)).state, closing),
        (root(NET, 1), update(alice, BOB)),
        (carol, update(alice, (0, 1))),
        (bob, update(alice, BOB)),
        (bob, proposal(NET, "bob", bob, *take)),
        (alice, ConfirmUpdatedRecipient(ALICE, BOB, 0)),
        (alice, ConfirmUpdatedRecipient(ALICE, (9,), 0)),
    ]


@pytest.mark.clauses("WP-2.8-IDEMPOTENT")
@pytest.mark.parametrize(("chain", "item"), lawful_inputs())
def test_repeating_an_accepted_input_changes_nothing(chain: Chain, item: Any) -> None:
    validator = Validator(Map({chain.chain_id: chain}))
    once = accepted(handle(CTX, validator, item, VOTER))
    twice = accepted(handle(CTX, once.state, item, VOTER))
    assert twice == once


@pytest.mark.parametrize(("chain", "item"), lawful_inputs())
def test_a_handler_mutates_no_argument(chain: Chain, item: Any) -> None:
    copies = deepcopy((chain, item))
    handle_at(CTX, chain, item, VOTER)
    assert (chain, item) == copies
    shown = repr((chain, item))
    broken = evolve(chain, consistent=evolve(chain.consistent, created=False))
    handle_at(CTX, broken, item, VOTER)
    assert repr((chain, item)) == shown


@pytest.mark.clauses("WP-2.5-REQUEST")
@pytest.mark.parametrize(("chain", "item"), lawful_inputs())
def test_an_input_touches_the_record_of_one_chain(chain: Chain, item: Any) -> None:
    others = {(9,): cell((9,)), (8, 8): cell((8, 8), None)}
    validator = Validator(Map({chain.chain_id: chain, **others}))
    after = accepted(handle(CTX, validator, item, VOTER)).state
    assert target_of(item) == chain.chain_id
    assert after.chains.delete(chain.chain_id) == Map(others)
    assert after.chains[chain.chain_id] == accepted(handle_at(CTX, chain, item, VOTER)).state


@pytest.mark.clauses("WP-2.5-REQUEST")
def test_a_rejected_input_stores_nothing() -> None:
    empty = Validator()
    for item in (C1, batch(C1), proposal(NET, "alice", root(NET))):
        assert isinstance(handle(CTX, empty, item, VOTER), Rejected)
    assert empty == Validator()
    # Nor does an accepted input that changes nothing.
    assert accepted(handle(CTX, empty, ConfirmUpdatedRecipient(ALICE, BOB, 0), VOTER)).state is empty


def test_views_of_unknown_chains_are_blank() -> None:
    validator = put_chain(Validator(), Chain(ALICE), cell(ALICE))
    assert chain_of(validator, ALICE) == cell(ALICE)
    assert chain_of(validator, BOB) == Chain(BOB)
    assert put_chain(validator, cell(ALICE), (same := cell(ALICE))).chains[ALICE] is same


# --- services ----------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.8-QUERY")
def test_chain_info() -> None:
    sender, _ = commit(NET, root(NET), pay())
    chain, certificate = commit(NET, delivered(sender, root(NET, 1)), Execute(burn(1)))
    chain = evolve(chain, consistent=evolve(chain.consistent, creation_height=6))
    expected = ChainInfo(BOB, True, key("bob"), 1, IDEAL.hash(certificate.executed), 6, 1)
    assert chain_info(chain) == expected
    assert chain_info(Chain((9,))) == ChainInfo((9,), False, None, 0, None, None, 0)


@pytest.mark.clauses("WP-2.8-QUERY")
def test_downloads() -> None:
    chain, certificates = root(NET), []
    for _ in range(3):
        chain, certificate = commit(NET, chain, pay())
        certificates.append(certificate)
    for start in range(5):
        for end in (*range(5), MAX_U64):
            assert list(download(chain, start, end)) == certificates[start:end]


@pytest.mark.clauses("WP-2.8-QUERY", "WP-2.6-RECEIVED")
def test_the_list_of_received_blocks() -> None:
    chain = accepted(handle_update_recipient(CTX, cell(BOB, "bob"), batch(C1, C2))).state
    assert received_since(chain, 0) == ((ALICE, 1), (ALICE, 2))
    assert received_since(chain, 1) == ((ALICE, 2),)
    assert received_since(chain, 2) == received_since(chain, MAX_U64) == ()


@pytest.mark.clauses("WP-2.8-QUERY", "WP-A.2-COUNTERS")
def test_what_was_acknowledged() -> None:
    chain, _ = commit(NET, root(NET), Execute(burn(1)))
    chain, _ = commit(NET, chain, pay())
    assert [is_delivered(chain, height) for height in (0, 1, 2)] == [True, False, False]
    assert is_delivered(confirmed(chain, BOB), MAX_U64)


# --- archiving ---------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.4-ARCHIVE")
def test_only_closed_chains_without_outgoing_messages_are_archived() -> None:
    busy, _ = commit(NET, root(NET), pay(), pay(1, (5, 5)), pay(1, (5,)))
    for chain in (Chain(ALICE), root(NET), busy):
        rejected(archive_chain(chain), Reason.CHAIN_NOT_CLOSED)
    closed, _ = commit(NET, busy, CloseChain())
    assert rejected(archive_chain(closed), Reason.OUTBOX_NOT_EMPTY).detail == (BOB, (5,), (5, 5))
    for recipient in (BOB, (5,), (5, 5)):
        closed = confirmed(closed, recipient)
    accepted(archive_chain(closed))


@pytest.mark.clauses("WP-2.4-ARCHIVE")
def test_a_tombstone_keeps_cursors_and_lengths() -> None:
    sender, certificate = commit(NET, root(NET), pay(), pay(), pay())
    chain = delivered(sender, root(NET, 1))
    chain, _ = commit(NET, chain, Receive(credit(certificate)[0]))
    chain, _ = commit(NET, chain, CloseChain())
    outcome = accepted(archive_chain(chain))
    tombstone = outcome.state
    assert outcome.outputs == (chain,), "cold storage"
    part, local = tombstone.consistent, tombstone.localized
    assert (part.state, part.log.since(0), local.received.since(0), local.certificates.since(0)) == (None, (), (), ())
    assert (len(part.log), len(local.received), len(local.certificates)) == (2, 1, 2)
    assert evolve(part, state=chain.consistent.state, log=chain.consistent.log) == chain.consistent
    inbox, before = inbox_of(tombstone, ALICE), inbox_of(chain, ALICE)
    assert (len(before.added), len(inbox.added)) == (2, 0)
    assert evolve(inbox, added=before.added) == before
    assert (
        evolve(
            local,
            received=chain.localized.received,
            certificates=chain.localized.certificates,
            mailboxes=chain.localized.mailboxes,
        )
        == chain.localized
    )
    assert accepted(archive_chain(tombstone)).state == tombstone


def closed_chain(paid: int, received: int, consumed: int, more: int) -> tuple[Chain, Chain, list[Certificate]]:
    """Return alice's chain, bob's closed chain and both their certificates.

    Alice paid in ``paid`` blocks, of which bob received some before and ``more`` after he consumed some (perhaps
    before they arrived), and closed his chain.
    """
    alice, certificates = root(NET), []
    for _ in range(paid):
        alice, certificate = commit(NET, alice, pay(), pay())
        certificates.append(certificate)
    early, late = certificates[:received], certificates[received : received + more]
    bob = root(NET, 1)
    if early:
        bob = accepted(handle_update_recipient(CTX, bob, batch(*early))).state
    if consumed:
        messages = [credit(certificate)[0] for certificate in certificates[:consumed]]
        bob, certificate = commit(NET, bob, *map(Receive, messages), pay(1, (5,)))
        certificates.append(certificate)
    if late:
        bob = accepted(handle_update_recipient(CTX, bob, batch(*late))).state
    bob, certificate = commit(NET, bob, Execute(burn(1)), CloseChain())
    return alice, confirmed(bob, (5,)), [*certificates, certificate]


@st.composite
def closed_chains(draw: Any) -> tuple[Chain, Chain, list[Certificate]]:
    paid = draw(st.integers(0, 4))
    return closed_chain(paid, *(draw(st.integers(0, paid)) for _ in range(3)))


def inputs_for(bob: Chain, certificates: list[Certificate]) -> st.SearchStrategy[Any]:
    """Draw anything that can reach a chain: genuine, repeated, incomplete, altered, forged."""
    sent = [c for c in certificates if c.executed.block.chain_id == ALICE] or [C1]
    forged = [evolve(c, executed=evolve(c.executed, state_hash=NO_HASH)) for c in certificates]
    altered = [sending(ALICE, height, to_bob(b"altered")) for height in range(6)]
    following = certify(NET, ExecutedBlock(next_block(bob, ()), (), NO_HASH))
    far = certify(NET, ExecutedBlock(evolve(next_block(bob, ()), height=MAX_U64), (), NO_HASH))
    heights = st.sampled_from((0, 1, 2, 9, MAX_U64))
    return st.one_of(
        st.sampled_from([*certificates, *forged, following, far]).map(
            lambda c: evolve(c, executed=evolve(c.executed, block=evolve(c.executed.block, chain_id=BOB)))
        ),
        st.lists(st.sampled_from([*sent, *altered, CREATION]), max_size=4).map(
            lambda items: batch(*sorted(set(items), key=lambda c: c.executed.block.height))
        ),
        st.sampled_from(list(MALFORMED.values())),
        st.builds(lambda n: request(NET, "bob", evolve(next_block(bob, ()), height=n)), heights),
        st.builds(ConfirmUpdatedRecipient, st.just(BOB), st.sampled_from((ALICE, (5,))), heights),
    )


@pytest.mark.clauses("WP-2.4-ARCHIVE")
@examples(600)
@given(closed_chains(), st.booleans(), st.data())
def test_a_tombstone_answers_every_handler_as_the_chain_would(story: Any, local: bool, data: st.DataObject) -> None:
    _, chain, certificates = story
    context = evolve(CTX, tracks_inactive=local)
    tombstone = accepted(archive_chain(chain)).state
    for item in data.draw(st.lists(inputs_for(chain, certificates), min_size=1, max_size=4)):
        voter = data.draw(st.sampled_from((VOTER, None)))
        left: Outcome[Chain] = handle_at(context, chain, item, voter)
        right: Outcome[Chain] = handle_at(context, tombstone, item, voter)
        if isinstance(left, Rejected):
            assert right == left
            continue
        right = accepted(right)
        assert right.outputs == left.outputs
        chain, tombstone = left.state, right.state
        assert accepted(archive_chain(chain)).state == tombstone
        assert restart(Validator(Map({BOB: tombstone}))) == Validator(Map({BOB: tombstone}))
        assert hashed_state(evolve(tombstone.consistent, state=chain.consistent.state)) == hashed_state(
            chain.consistent
        )


# --- proofs of creation ------------------------------------------------------------------------------------------

OPENING = certified(NET, root(NET), pay(), OpenChain((0, 1), key("carol")), OpenChain((0, 2), key("dave")))


@pytest.mark.clauses("WP-2.4-CREATION-PROOF")
def test_a_certificate_proves_what_it_creates() -> None:
    assert check_creation_proof(CTX, OPENING, (0, 1)) == key("carol")
    assert check_creation_proof(CTX, OPENING, (0, 2)) == key("dave")


@pytest.mark.clauses("WP-2.4-CREATION-PROOF")
@pytest.mark.parametrize("chain_id", [(0, 0), (0, 3), (0,), (1,), (1, 1), (0, 1, 0), ()])
def test_it_proves_nothing_else(chain_id: ChainId) -> None:
    with refused(Reason.NOT_A_PROOF_OF_CREATION) as caught:
        check_creation_proof(CTX, OPENING, chain_id)
    assert caught.value.detail == chain_id


@pytest.mark.clauses("WP-2.4-CREATION-PROOF")
def test_only_the_parent_creates_and_only_once() -> None:
    create = OutgoingMessage((0, 1), Create(key("carol")))
    for block in (
        sending(BOB, 0, create),
        sending(ALICE, 0, create, create),
        sending(ALICE, 0, OutgoingMessage((0, 1), User(b""))),
    ):
        with refused(Reason.NOT_A_PROOF_OF_CREATION):
            check_creation_proof(CTX, block, (0, 1))


@pytest.mark.clauses("WP-2.4-CREATION-PROOF")
def test_the_certificate_of_a_proof_is_verified_before_its_content() -> None:
    wrong = (9, 9)
    for places, reason in (
        ((0, 0, 1, 2), Reason.CERTIFICATE_VALIDATOR_REUSE),
        ((0, 1), Reason.CERTIFICATE_REQUIRES_QUORUM),
    ):
        with refused(reason):
            check_creation_proof(CTX, certify(NET, OPENING.executed, places), wrong)
        with refused(Reason.UNEXPECTED_CERTIFICATE_KIND):
            check_creation_proof(CTX, certify(NET, OPENING.executed, places, Kind.VALIDATED), wrong)
    with refused(Reason.INVALID_SIGNATURE):
        check_creation_proof(CTX, evolve(OPENING, round=1), wrong)


# --- genesis -----------------------------------------------------------------------------------------------------


def genesis(*ids: ChainId) -> Genesis:
    return Genesis(committee(), tuple(GenesisChain(i, key("alice"), Balance(len(i))) for i in ids))


@pytest.mark.clauses("WP-2.4-GENESIS", "WP-2.1-ONE-COMMITTEE")
def test_genesis_creates_its_chains_and_no_other() -> None:
    validator = genesis_validator(genesis((0,), (1, 5), (1, 6), (2,)))
    assert sorted(validator.chains) == [(0,), (1, 5), (1, 6), (2,)]
    assert validator.chains[(1, 5)] == cell((1, 5), "alice", Balance(2))
    assert genesis_chain(GenesisChain((3,), key("bob"), Balance(8))) == cell((3,), "bob", Balance(8))
    assert genesis_validator(genesis()) == Validator()


@pytest.mark.clauses("WP-2.4-GENESIS")
@pytest.mark.parametrize(
    ("ids", "detail"),
    [
        (((0,), (0,)), (0,)),
        (((0,), (0, 1)), (0, 1)),
        (((0, 1, 2), (1,), (0,)), (0, 1, 2)),
        (((0,), (0, 0, 0), (1,)), (0, 0, 0)),
        (((5, 1), (5, 2), (5, 1, 0)), (5, 1, 0)),
    ],
)
def test_genesis_is_prefix_free(ids: tuple[ChainId, ...], detail: ChainId) -> None:
    for some in (ids, ids[::-1]):
        with refused(Reason.GENESIS_NOT_PREFIX_FREE) as caught:
            genesis_validator(genesis(*some))
        assert caught.value.detail == detail


@pytest.mark.clauses("WP-2.4-GENESIS")
@pytest.mark.parametrize("bad", [(), (0,) * 17, (MAX_U64 + 1,)])
def test_genesis_identifiers_are_well_formed(bad: ChainId) -> None:
    with refused(Reason.INVALID_IDENTIFIER) as caught:
        genesis_validator(genesis((3,), bad))
    assert caught.value.detail == bad
    # This is tested for all of them first.
    with refused(Reason.INVALID_IDENTIFIER):
        genesis_validator(genesis((3,), (3,), bad))


@pytest.mark.clauses("WP-2.4-GENESIS", "WP-2.9-OWNERS")
def test_genesis_chains_may_have_several_owners_but_not_none() -> None:
    several = GenesisChain((3,), owner_of(("alice", "bob")), FULL)
    assert genesis_validator(Genesis(committee(), (several,))).chains[(3,)] == cell((3,), ("alice", "bob"))
    nobody = GenesisChain((4,), Owners(members()), FULL)
    with refused(Reason.EMPTY_OWNER_SET):
        genesis_validator(Genesis(committee(), (several, nobody)))
    # Identifiers are looked at first.
    with refused(Reason.GENESIS_NOT_PREFIX_FREE):
        genesis_validator(Genesis(committee(), (nobody, nobody)))


# --- whole lives -------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.4-FRESH", "WP-2.4-CHILD", "WP-2.5-CREATE")
def test_a_child_of_a_child() -> None:
    alice, _ = commit(NET, root(NET), pay(), OpenChain((0, 1), key("carol")))
    carol = delivered(alice, Chain((0, 1)))
    carol, _ = commit(NET, carol, OpenChain((0, 1, 0), key("dave")), CloseChain())
    dave = delivered(carol, Chain((0, 1, 0)))
    assert dave.consistent.owner == key("dave")
    assert is_closed(carol.consistent)
    # The parent never reuses an index.
    with refused(Reason.INVALID_NEW_CHAIN_ID):
        executed(NET, alice, OpenChain((0, 1), key("mallory")))


@pytest.mark.clauses("WP-2.7-EXECUTE-BLOCK")
def test_a_transfer_to_oneself_is_an_ordinary_message() -> None:
    chain, certificate = commit(NET, root(NET), pay(5, ALICE))
    assert chain.consistent.state == Balance(TOKENS - 5)
    chain = delivered(chain, chain)
    assert next_height_to_receive(inbox_of(chain, ALICE)) == 1
    chain, _ = commit(NET, chain, *map(Receive, credit(certificate, ALICE)))
    assert chain.consistent.state == Balance(TOKENS)

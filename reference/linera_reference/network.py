"""The whole system as one pure step function, with the adversary of section 2.2.

What was ever sent only grows, and delivering removes nothing: delay, loss, duplication and reordering are the freedom
to deliver any sent thing at any time, again, or never. Byzantine validators sign anything; owners may sign several
blocks at one height. Nobody signs for another.
"""

from typing import Any, TypeAlias

from attrs import frozen
from immutables import Map

from .block import ExecutedBlock
from .certificate import (
    Aggregate,
    Certificate,
    Kind,
    Vote,
    VotePayload,
    add_vote,
    certified_payload,
    form_certificate,
    sign_vote,
)
from .containers import Set, fold
from .context import Context
from .crypto import Signer
from .identifiers import ChainId
from .notation import Hash, PublicKey, evolve, rule, support, u32
from .outbox import ConfirmUpdatedRecipient, UpdateRecipient
from .rejections import Accepted, Outcome, Reason, Rejection, require, transition, unwrap
from .request import Request, request_is_authentic
from .validator import (
    Genesis,
    Validator,
    archive_chain,
    chain_of,
    cross_chain_requests,
    genesis_validator,
    handle,
    payload_of,
    put_chain,
    restart,
)

CrossChain: TypeAlias = UpdateRecipient | ConfirmUpdatedRecipient


@frozen
class World:
    """The correct validators, and everything that was ever sent.

    ``certificates`` has one confirmed certificate per executed block (they are identified), ``validated`` one validated
    certificate per executed block and round; ``internal`` holds, per correct validator, the cross-chain requests
    between its chains.
    """

    validators: Map[PublicKey, Validator]
    requests: Set[Request] = Set()
    votes: Set[Vote] = Set()
    certificates: Map[Hash, Certificate] = Map()
    validated: Map[VotePayload, Certificate] = Map()
    internal: Map[PublicKey, Set[CrossChain]] = Map()


@frozen
class Network:
    """What a run takes as given: parameters of the handlers, genesis, and every validator's key.

    ``byzantine`` validators have no state: they do whatever the adversary does with their keys.
    """

    context: Context
    genesis: Genesis
    signers: Map[PublicKey, Signer]
    byzantine: frozenset[PublicKey] = frozenset()


@frozen
class Propose:
    """Anybody sends a request that its named owner signed; several at one height are allowed."""

    request: Request


@frozen
class CastVote:
    """A Byzantine validator signs anything."""

    validator: PublicKey
    payload: VotePayload


@frozen
class Certify:
    """Anybody gathers votes of these validators into a certificate."""

    executed: ExecutedBlock
    voters: tuple[PublicKey, ...]
    kind: Kind = Kind.CONFIRMED
    round: u32 = 0


@frozen
class Deliver:
    """A correct validator handles something that was sent to it."""

    validator: PublicKey
    item: Request | Certificate | UpdateRecipient | ConfirmUpdatedRecipient


@frozen
class Resend:
    """A correct validator sends all pending cross-chain requests of a chain again."""

    validator: PublicKey
    chain_id: ChainId


@frozen
class ArchiveChain:
    """A correct validator turns a closed chain into a tombstone."""

    validator: PublicKey
    chain_id: ChainId


@frozen
class Restart:
    """A correct validator crashes and goes on with what it stored."""

    validator: PublicKey


Action: TypeAlias = Propose | CastVote | Certify | Deliver | Resend | ArchiveChain | Restart


@rule("WP-2.2-ADVERSARY", "WP-2.4-GENESIS")
def initial_world(network: Network) -> World:
    """Return the world before anything was sent. Rejects: those of ``genesis_validator``. Section 2.2."""
    start = genesis_validator(network.genesis)
    correct = [key for key in network.genesis.committee.weights if key not in network.byzantine]
    return World(Map((key, start) for key in correct))


@rule("WP-2.2-ADVERSARY")
def step(network: Network, world: World, action: Action) -> Outcome[World]:
    """Take one action. Outputs: what the acting node answered.

    Rejects: ACTION_NOT_ENABLED when the model does not allow the action, or what the acting handler rejects; the world
    is then unchanged. Section 2.2.
    """
    match action:
        case Propose():
            return send_request(network, world, action.request)
        case CastVote():
            return cast_vote(network, world, action)
        case Certify():
            return certify(network, world, action)
        case Deliver():
            return deliver_to(network, world, action.validator, action.item)
        case Resend():
            return resend(world, action.validator, action.chain_id)
        case ArchiveChain():
            return archive_at(world, action.validator, action.chain_id)
        case Restart():
            return restart_at(world, action.validator)


@transition
@rule("WP-2.2-ADVERSARY")
def send_request(network: Network, world: World, request: Request) -> Accepted[World]:
    """Send a request to everybody. Rejects: ACTION_NOT_ENABLED (forged, or its justification is). Section 2.2."""
    genuine = request_is_authentic(network.context.scheme, request)
    require(genuine, Reason.ACTION_NOT_ENABLED, "a request needs the signature of its owner")
    cast = votes_were_cast(network, world, request.justification)
    require(cast, Reason.ACTION_NOT_ENABLED, "a vote of the justification was not cast")
    return Accepted(evolve(world, requests=world.requests.insert(request)))


@transition
@rule("WP-2.2-ADVERSARY")
def cast_vote(network: Network, world: World, action: CastVote) -> Accepted[World]:
    """Let a Byzantine validator sign. Outputs: the vote. Rejects: ACTION_NOT_ENABLED. Section 2.2."""
    known = action.validator in network.byzantine
    require(known, Reason.ACTION_NOT_ENABLED, "only a Byzantine validator signs at will")
    vote = sign_vote(network.context.scheme, network.signers[action.validator], action.payload)
    return Accepted(evolve(world, votes=world.votes.insert(vote)), (vote,))


@transition
@rule("WP-2.2-CERTIFICATE", "WP-2.3-CERT-IDENTITY")
def certify(network: Network, world: World, action: Certify) -> Accepted[World]:
    """Form a certificate from votes that were cast. Outputs: the certificate that stands for it.

    Rejects: ACTION_NOT_ENABLED (a vote was not cast, or no quorum), CERTIFICATE_VALIDATOR_REUSE,
    INVALID_CERTIFICATE_SIGNER. Section 2.2.
    """
    context = network.context
    payload = payload_of(context, action.executed, action.kind, action.round)

    def gather(aggregate: Aggregate, voter: PublicKey) -> Aggregate:
        require(voter in network.signers, Reason.ACTION_NOT_ENABLED, "no such validator")
        # Signing is deterministic, so the vote that was cast can be computed and looked up.
        vote = sign_vote(context.scheme, network.signers[voter], payload)
        require(world.votes.contains(vote), Reason.ACTION_NOT_ENABLED, "the vote was not cast")
        return add_vote(context.scheme, context.committee, aggregate, vote)

    votes = fold(gather, Aggregate(payload), action.voters)
    formed = form_certificate(context.committee, votes, action.executed, context.rules.quorum)
    if formed is None:
        raise Rejection(Reason.ACTION_NOT_ENABLED, "the votes form no quorum")
    if action.kind is Kind.VALIDATED:
        certificate = world.validated.get(payload, formed)
        return Accepted(evolve(world, validated=world.validated.set(payload, certificate)), (certificate,))
    certificate = world.certificates.get(payload.block_hash, formed)
    certificates = world.certificates.set(payload.block_hash, certificate)
    return Accepted(evolve(world, certificates=certificates), (certificate,))


@rule("WP-2.2-ADVERSARY")
def can_arrive(network: Network, world: World, receiver: PublicKey, item: Any) -> bool:
    """Whether something can reach a validator: anything that holds no genuine signature but those that were made.

    Cross-chain requests come from the validator itself only. Section 2.2.
    """
    match item:
        case Request():
            forged = not request_is_authentic(network.context.scheme, item)
            return world.requests.contains(item) or (forged and votes_were_cast(network, world, item.justification))
        case Certificate():
            return votes_were_cast(network, world, item)
    return world.internal.get(receiver, Set()).contains(item)


@rule("WP-2.2-ADVERSARY")
def votes_were_cast(network: Network, world: World, certificate: Certificate | None) -> bool:
    """Whether all genuine votes of a certificate were cast; ⊥ has none. Section 2.2."""
    if certificate is None:
        return True
    payload = certified_payload(network.context.scheme, certificate)
    genuine = network.context.scheme.verifier(payload)
    votes = (Vote(payload, key, signature) for key, signature in certificate.signatures if genuine(key, signature))
    return all(world.votes.contains(vote) for vote in votes)


@support
def correct_validator(world: World, key: PublicKey) -> Validator:
    """Return the state of a correct validator. Rejects: ACTION_NOT_ENABLED."""
    require(key in world.validators, Reason.ACTION_NOT_ENABLED, "not a correct validator")
    return world.validators[key]


@transition
@rule("WP-2.2-ADVERSARY")
def deliver_to(network: Network, world: World, key: PublicKey, item: Any) -> Accepted[World]:
    """Let a correct validator handle what was sent to it; votes and cross-chain requests that it answers are sent.

    Rejects: ACTION_NOT_ENABLED (not correct, or it cannot arrive), or what the handler rejects. Section 2.2.
    """
    validator = correct_validator(world, key)
    require(can_arrive(network, world, key, item), Reason.ACTION_NOT_ENABLED, "it was not sent")
    outcome = unwrap(handle(network.context, validator, item, network.signers[key]))
    world = evolve(world, validators=world.validators.set(key, outcome.state))
    return Accepted(emit(world, key, outcome.outputs), outcome.outputs)


@rule("WP-2.2-ADVERSARY")
def emit(world: World, key: PublicKey, outputs: tuple[Any, ...]) -> World:
    """Add the votes and cross-chain requests among outputs to what was sent. Section 2.2."""
    votes = fold(Set.insert, world.votes, (x for x in outputs if isinstance(x, Vote)))
    internal = [x for x in outputs if isinstance(x, UpdateRecipient | ConfirmUpdatedRecipient)]
    world = evolve(world, votes=votes)
    if not internal:
        return world
    sent = fold(Set.insert, world.internal.get(key, Set()), internal)
    return evolve(world, internal=world.internal.set(key, sent))


@transition
@rule("WP-2.5-REQUEST")
def resend(world: World, key: PublicKey, chain_id: ChainId) -> Accepted[World]:
    """Send the pending cross-chain requests of a chain again. Rejects: ACTION_NOT_ENABLED. Section A.2."""
    requests = cross_chain_requests(chain_of(correct_validator(world, key), chain_id))
    return Accepted(emit(world, key, requests), requests)


@transition
@rule("WP-2.4-ARCHIVE")
def archive_at(world: World, key: PublicKey, chain_id: ChainId) -> Accepted[World]:
    """Archive a chain at one validator. Outputs: the chain as it was.

    Rejects: ACTION_NOT_ENABLED, those of ``archive_chain``. Section 2.4.
    """
    validator = correct_validator(world, key)
    chain = chain_of(validator, chain_id)
    outcome = unwrap(archive_chain(chain))
    validators = world.validators.set(key, put_chain(validator, chain, outcome.state))
    return Accepted(evolve(world, validators=validators), outcome.outputs)


@transition
@rule("WP-2.9-DURABLE")
def restart_at(world: World, key: PublicKey) -> Accepted[World]:
    """Restart one validator; what it sent stays sent. Rejects: ACTION_NOT_ENABLED. Section 2.9."""
    again = restart(correct_validator(world, key))
    return Accepted(evolve(world, validators=world.validators.set(key, again)))

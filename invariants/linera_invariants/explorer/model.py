"""Model files: who takes part, which blocks there may be, what is asked, and what must come out.

The format is ``spec/schemas/model.schema.json``; validators, users, chains and operations are those of scenarios.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from itertools import combinations, product
from pathlib import Path
from typing import Any

from attrs import evolve, field, frozen
from immutables import Map

from linera_invariants.errors import UsageError
from linera_invariants.inputs import InputError, read_document, read_with_schema, shown
from linera_invariants.mutation import Mutant, MutationError, applied, broken, edit
from linera_invariants.operations import transactions_of
from linera_invariants.registry import predicates
from linera_invariants.scenarios import (
    ChainSpec,
    Operations,
    Scenario,
    UserSpec,
    ValidatorSpec,
    build_network,
    structured,
    user_signers,
    validator_signers,
)
from linera_invariants.specdata import spec_root
from linera_invariants.views import same_place
from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Certificate, Kind, VotePayload, sign_vote
from linera_reference.certification import Ballot, proposal_kind
from linera_reference.chain import Chain
from linera_reference.client import local_context, next_block
from linera_reference.committee import combined_weight, max_faulty
from linera_reference.containers import Set, fold
from linera_reference.crypto import Signer
from linera_reference.execution import commit_block, execute_block
from linera_reference.identifiers import ChainId
from linera_reference.network import Certify, Network, World, step
from linera_reference.notation import PublicKey
from linera_reference.ownership import owns
from linera_reference.rejections import Accepted, Rejection
from linera_reference.request import Request, sign_request
from linera_reference.validator import genesis_chain, genesis_validator, payload_of, receive_block

# --- What a file says ---------------------------------------------------------------------------------------------


@frozen
class BlockSpec:
    """A block that may be proposed: on top of ``after``, by somebody who ``heard`` of these blocks."""

    name: str
    chain: ChainId
    after: str | None = None
    heard: tuple[str, ...] = ()
    owner: str | None = None
    operations: Operations = ()


@frozen
class ValidatedSpec:
    """A block that was validated in a round."""

    block: str
    round: int = 0

    def __str__(self) -> str:
        """Name it."""
        return f"{self.block}@{self.round}"


@frozen
class ProposalSpec:
    """A request for a block in a round, by its owner or another one, with or without a justification."""

    block: str
    round: int = 0
    justified: ValidatedSpec | None = None
    owner: str | None = None

    @property
    def name(self) -> str:
        """Name it: the same one for the same request."""
        at = f"@{self.round}" if self.round else ""
        by = f" by {self.owner}" if self.owner else ""
        return f"{self.block}{at}{by}{f' since {self.justified}' if self.justified else ''}"


@frozen
class ForgedSpec:
    """Something that only an adversary makes."""

    name: str
    what: str
    block: str
    signers: tuple[str, ...] = ()
    genuine: bool = True
    owner: str | None = None
    round: int = 0

    @property
    def kind(self) -> Kind:
        """What the votes in a certificate say."""
        return Kind.VALIDATED if self.what == "validated" else Kind.CONFIRMED


@frozen
class Witness:
    """Something that must happen: all of it in one reachable state, each fact at ``count`` correct validators."""

    name: str
    certified: tuple[str, ...] = ()
    validated: tuple[ValidatedSpec, ...] = ()
    locked: tuple[ValidatedSpec, ...] = ()
    blocked: tuple[str, ...] = ()
    voted: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    committed: tuple[str, ...] = ()
    received: tuple[str, ...] = ()
    created: tuple[ChainId, ...] = ()
    closed: tuple[ChainId, ...] = ()
    archived: tuple[ChainId, ...] = ()
    owing: tuple[ChainId, ...] = ()
    undelivered: tuple[ChainId, ...] = ()
    count: int = 1

    @property
    def blocks(self) -> tuple[str, ...]:
        """Every block that the witness names."""
        rounds = (spec.block for spec in (*self.validated, *self.locked))
        named = (*self.certified, *self.blocked, *self.voted, *self.pending, *self.committed, *self.received)
        return (*named, *rounds)


@frozen
class Expectation:
    """What must come out."""

    verdict: str
    violates: str | None = None
    states: int | None = None
    depth: int | None = None


@frozen
class Model:
    """A model as its file states it."""

    title: str
    validators: dict[str, ValidatorSpec]
    users: dict[str, UserSpec]
    chains: tuple[ChainSpec, ...]
    blocks: tuple[BlockSpec, ...]
    expect: Expectation
    about: str = ""
    byzantine: tuple[str, ...] | None = ()
    """The Byzantine validators; ⊥ for every choice within f."""
    beyond: bool = False
    rounds: int = 1
    """On chains with several owners, the adversary acts in rounds below this one."""
    proposals: tuple[ProposalSpec, ...] | None = None
    """The requests for blocks of several owners; ⊥ for every block in every round, with every justification."""
    forged: tuple[ForgedSpec, ...] = ()
    restarts: bool = False
    """Whether validators crash and go on with what they stored."""
    at_once: bool = False
    """Whether everything that may be sent is sent as soon as it can be."""
    persistent: int | None = None
    """A round that only a persistent proposer uses: from every state it must be able to get a block committed."""
    resend: tuple[ChainId, ...] = ()
    archive: tuple[ChainId, ...] = ()
    predicates: tuple[str, ...] | None = None
    witnesses: tuple[Witness, ...] = ()
    mutant: Mutant | None = None
    sentence: str = ""
    name: str = ""

    def in_force(self) -> AbstractContextManager[None]:
        """Let the broken variant of the model, if it has one, take the place of the rule."""
        return nullcontext() if self.mutant is None else applied(self.mutant)


# --- Reading ------------------------------------------------------------------------------------------------------


def shipped_models() -> list[Path]:
    """Return the models that come with the specification, by name."""
    folder = spec_root() / "models"
    return sorted(path for path in folder.glob("*.toml") if path.name != "broken.toml")


@cache
def asked_by_models() -> frozenset[str]:
    """Return the statements that shipped models with the shipped rules ask about in every state."""
    models = [read_document(path) for path in shipped_models()]
    holding = [m for m in models if "broken" not in m and m["expect"]["verdict"] == "holds"]
    usual = [judge.statement for judge in predicates().values() if judge.scope != "goal"]
    named = (name.partition(".")[0] for model in holding for name in model.get("predicates", usual))
    return frozenset(named)


def long_models() -> list[Path]:
    """Return the shipped models that take minutes, and that are explored only when they are named."""
    return sorted((spec_root() / "models" / "long").glob("*.toml"))


def read_model(path: Path) -> Model:
    """Read a model file. Raises: InputError."""
    document = read_with_schema(path, "model")
    del document["model"]
    mutant, sentence = _variant(path, document.pop("broken", None))
    if document.get("byzantine") == "any":
        document["byzantine"] = None
    model = structured({"name": path.stem, **document}, Model)
    model = evolve(model, mutant=mutant, sentence=sentence)
    for place, expectation in _wrong_names(model):
        raise InputError(path, place, expectation)
    with model.in_force():
        _check(path, model)
    return model


def _variant(path: Path, value: Any) -> tuple[Mutant | None, str]:
    """Return the mutant of a model and the sentence that says what is broken."""
    if value is None:
        return None, ""
    try:
        if isinstance(value, str):
            catalogue = read_document(spec_root() / "models" / "broken.toml")
            return broken(value), catalogue[value]["sentence"]
        return edit(value["function"], value["old"], value["new"]), value["sentence"]
    except MutationError as error:
        raise InputError(path, "broken", str(error)) from None


def _wrong_names(model: Model) -> Iterator[tuple[str, str]]:
    """Find references to nothing."""
    yield from _wrong_blocks(model)
    blocks = [block.name for block in model.blocks]
    for forged in model.forged:
        yield from _unknown(f"forged, {forged.name}", "a block", forged.block, blocks)
        yield from _unknown(f"forged, {forged.name}, owner", "a user", forged.owner, model.users)
        for signer in forged.signers:
            yield from _unknown(f"forged, {forged.name}, signers", "a validator", signer, model.validators)
    yield from _wrong_proposals(model, blocks)
    for witness in model.witnesses:
        for name in witness.blocks:
            yield from _unknown(f"witnesses, {witness.name}", "a block", name, blocks)
    for name in model.byzantine or ():
        yield from _unknown("byzantine", "a validator", name, model.validators)
    for chain in model.chains:
        for owner in chain.owners:
            yield from _unknown(f"chains, {chain.id}", "a user", owner, model.users)
    known = {*predicates(), *(judge.statement for judge in predicates().values())}
    for name in model.predicates or ():
        yield from _unknown("predicates", "a statement or predicate", name, known)
    if (model.expect.verdict == "violated") is not (model.expect.violates is not None):
        yield "expect", "expected `violates` where and only where the verdict is violated"


def _wrong_proposals(model: Model, blocks: Iterable[str]) -> Iterator[tuple[str, str]]:
    proposals = model.proposals or ()
    for spec in proposals:
        since = () if spec.justified is None else (spec.justified.block,)
        for name in (spec.block, *since):
            yield from _unknown(f"proposals, {spec.name}", "a block", name, blocks)
        yield from _unknown(f"proposals, {spec.name}, owner", "a user", spec.owner, model.users)
    last = max((spec.round for spec in proposals), default=model.rounds - 1)
    if model.persistent is not None and model.persistent <= last:
        yield "persistent", f"expected a round above those of other proposals, {last + 1} or later"


def _wrong_blocks(model: Model) -> Iterator[tuple[str, str]]:
    blocks: set[str] = set()
    for block in model.blocks:
        if block.name in blocks:
            yield f"blocks, {block.name}", "expected a new name for a new block"
        for name in (*([block.after] if block.after else []), *block.heard):
            yield from _unknown(f"blocks, {block.name}", "an earlier block", name, blocks)
        yield from _unknown(f"blocks, {block.name}, owner", "a user", block.owner, model.users)
        blocks.add(block.name)


def _unknown(place: str, kind: str, name: str | None, known: Iterable[str]) -> Iterator[tuple[str, str]]:
    if name is not None and name not in known:
        yield place, f"expected {kind} ({', '.join(sorted(known)) or 'there is none'}), found {shown(name)}"


def _check(path: Path, model: Model) -> None:
    """Accept a possible committee, genesis and menu, and Byzantine voting rights of at most f."""
    try:
        network = network_of(model, ())
        genesis_validator(network.genesis)
    except Rejection as rejection:
        raise InputError(path, "validators", f"expected a possible genesis, found {rejection.reason.name}") from None
    committee = network.genesis.committee
    keys = [_keys(model)[name] for name in model.byzantine or ()]
    faulty, bound = combined_weight(committee, keys), max_faulty(committee.total)
    if faulty > bound and not model.beyond:
        raise InputError(path, "byzantine", f"expected voting rights of at most f = {bound}, found {faulty}")
    try:
        menu_of(model, network)
    except UsageError as error:
        raise InputError(path, "blocks", str(error)) from None


# --- Building -----------------------------------------------------------------------------------------------------


@frozen
class Menu:
    """What may be sent in a setting, by name, in the order of the file."""

    requests: dict[str, Request] = field(factory=dict)
    reserved: dict[str, Request] = field(factory=dict)
    """What only the persistent proposer sends."""
    executed: dict[str, ExecutedBlock] = field(factory=dict)
    forged: dict[str, "Forged"] = field(factory=dict)
    ballots: dict[Block, tuple[tuple[Kind, int], ...]] = field(factory=dict)
    """What each block may be voted for: kinds and rounds."""


@frozen
class Forged:
    """Something forged, and the validators whose genuine votes are in it."""

    item: Request | Certificate
    voters: frozenset[PublicKey] = frozenset()
    ballot: Ballot | None = None
    """What these votes are for."""


@frozen
class Setting:
    """A model with a choice of Byzantine validators."""

    model: Model
    network: Network
    menu: Menu
    order: tuple[PublicKey, ...]
    """The validators, in the order of the file."""
    names: Mapping[PublicKey, str]

    @property
    def correct(self) -> tuple[PublicKey, ...]:
        """The correct validators."""
        return tuple(key for key in self.order if key not in self.network.byzantine)

    @property
    def byzantine(self) -> tuple[PublicKey, ...]:
        """The Byzantine validators."""
        return tuple(key for key in self.order if key in self.network.byzantine)

    def kind_of(self, key: PublicKey) -> tuple[Any, ...]:
        """Tell validators apart that are not interchangeable: by voting rights, and by their part in forgeries."""
        forged = (f.item for f in self.menu.forged.values())
        signers = ([s for s, _ in item.signatures] for item in forged if isinstance(item, Certificate))
        weight = self.network.genesis.committee.weights[key]
        return (key in self.network.byzantine, weight, *(listed.count(key) for listed in signers))


def settings_of(model: Model) -> list[Setting]:
    """Return one setting per choice of Byzantine validators, up to symmetry."""
    if model.byzantine is not None:
        return [_setting(model, model.byzantine)]
    found: dict[Any, Setting] = {}
    for size in range(len(model.validators)):
        for chosen in combinations(model.validators, size):
            setting = _setting(model, chosen)
            committee = setting.network.genesis.committee
            if combined_weight(committee, setting.byzantine) <= max_faulty(committee.total):
                found.setdefault(tuple(sorted(map(setting.kind_of, setting.order))), setting)
    return list(found.values())


def _setting(model: Model, byzantine: Iterable[str]) -> Setting:
    network, keys = network_of(model, byzantine), _keys(model)
    users = user_signers(_scenario(model), network.context.scheme)
    names = {key: name for name, key in keys.items()} | {s.public_key: name for name, s in users.items()}
    return Setting(model, network, menu_of(model, network), tuple(keys.values()), names)


def _scenario(model: Model) -> Scenario:
    """Return the part of a model that scenarios have too."""
    return Scenario(model.title, model.validators, model.users, model.chains, (), crypto="ideal")


def _keys(model: Model) -> dict[str, PublicKey]:
    signers = validator_signers(_scenario(model), network_of(model, ()).context.scheme)
    return {name: signer.public_key for name, signer in signers.items()}


def network_of(model: Model, byzantine: Iterable[str]) -> Network:
    """Build the network of a model. Raises: Rejection (an impossible committee)."""
    chosen = {
        name: evolve(spec, byzantine="silent" if name in byzantine else None) for name, spec in model.validators.items()
    }
    return build_network(evolve(_scenario(model), validators=chosen))


def payload_for(network: Network, ballot: Ballot) -> VotePayload:
    """Return what a vote for a ballot signs."""
    kind, executed, round_ = ballot
    return payload_of(network.context, executed, kind, round_)


def certify_as(ballot: Ballot, voters: Iterable[PublicKey]) -> Certify:
    """Return the action that gathers these votes for a ballot."""
    kind, executed, round_ = ballot
    return Certify(executed, tuple(voters), kind, round_)


def everything_signed(network: Network, ballot: Ballot) -> World:
    """Return the world where every validator voted for a ballot."""
    payload = payload_for(network, ballot)
    votes = (sign_vote(network.context.scheme, signer, payload) for signer in network.signers.values())
    return World(Map(), votes=fold(Set.insert, Set(), votes))


def standard_certificate(network: Network, ballot: Ballot) -> Certificate | None:
    """Return the certificate that stands for all of a ballot (they are identified); ⊥ if the committee makes none."""
    world, keys = everything_signed(network, ballot), sorted(network.signers)
    for count in range(len(keys) + 1):
        outcome = step(network, world, certify_as(ballot, keys[:count]))
        if isinstance(outcome, Accepted):
            certificate: Certificate = outcome.outputs[0]
            return certificate
    return None


@frozen
class Written:
    """A block as its proposer writes it, and the chain after it as far as it is valid."""

    block: Block
    owners: tuple[str, ...]
    """Who may sign it, unless a proposal names another user."""
    executed: ExecutedBlock
    kind: Kind
    """What a first vote for it says."""
    certificate: Certificate | None
    after: Chain | None


def menu_of(model: Model, network: Network) -> Menu:
    """Write every block of the menu and forge what is to be forged. Raises: UsageError."""
    users = user_signers(_scenario(model), network.context.scheme)
    written: dict[str, Written] = {}
    for spec in model.blocks:
        try:
            written[spec.name] = _write(network, users, written, spec)
        except Rejection as rejection:
            raise UsageError(
                f"{spec.name}: expected a block that can be written, found {rejection.reason.name}"
            ) from None
    offered = {spec.name: spec for spec in _proposals(model, written)}
    reserved = {spec.name: spec for spec in _every_way(written, model.persistent)} if model.persistent else {}
    proposals = {**offered, **reserved}
    requests = {name: _request(network, users, written, spec) for name, spec in proposals.items()}
    keys = _keys(model)
    forged = {spec.name: _forge(network, keys, users, written, spec) for spec in model.forged}
    since = [spec.justified for spec in proposals.values() if spec.justified is not None]
    named = {(spec.block, spec.round) for specs in (proposals.values(), model.forged, since) for spec in specs}
    rounds = {name: sorted({round_ for block, round_ in named if block == name} or {0}) for name in written}
    ballots = {one.block: ballots_in(one.kind, rounds[name]) for name, one in written.items()}
    for block, kind, round_ in _spoken_of(model, since):
        if (kind, round_) not in ballots[written[block].block]:
            raise UsageError(f"expected votes that {block} may get, found {kind.name} in round {round_}")
    sent, kept = ({name: requests[name] for name in names} for names in (offered, reserved))
    return Menu(sent, kept, {name: one.executed for name, one in written.items()}, forged, ballots)


def _spoken_of(model: Model, since: Iterable[ValidatedSpec]) -> Iterator[tuple[str, Kind, int]]:
    """Walk the votes that a model speaks of: for a block, of a kind, in a round."""
    asked = (spec for witness in model.witnesses for spec in (*witness.validated, *witness.locked))
    yield from ((spec.block, Kind.VALIDATED, spec.round) for spec in (*since, *asked))
    yield from ((spec.block, spec.kind, spec.round) for spec in model.forged if spec.what != "request")


def ballots_in(kind: Kind, rounds: Iterable[int]) -> tuple[tuple[Kind, int], ...]:
    """Return what a block that may be proposed in these rounds can be voted for; one owner needs one vote."""
    if kind is Kind.CONFIRMED:
        return ((kind, 0),)
    return tuple((kind, round_) for round_ in rounds for kind in (Kind.VALIDATED, Kind.CONFIRMED))


def _proposals(model: Model, written: Mapping[str, Written]) -> Iterator[ProposalSpec]:
    """Walk what may be proposed: blocks of a single owner in round 0, others as the model says, or in every way."""
    single = (name for name, one in written.items() if one.kind is Kind.CONFIRMED)
    yield from map(ProposalSpec, single)
    ways = (way for round_ in range(model.rounds) for way in _every_way(written, round_))
    yield from ways if model.proposals is None else model.proposals


def _every_way(written: Mapping[str, Written], round_: int) -> Iterator[ProposalSpec]:
    """Walk the proposals of a round: every block of several owners, by each, with every earlier justification."""
    several = [name for name, one in written.items() if one.kind is Kind.VALIDATED]
    for name in several:
        rivals = (n for n in several if same_place(written[n].block, written[name].block))
        earlier = (ValidatedSpec(*ballot) for ballot in product(rivals, range(round_)))
        ways = product((None, *earlier), written[name].owners)
        yield from (ProposalSpec(name, round_, since, owner) for since, owner in ways)


def _request(
    network: Network, users: Mapping[str, Signer], written: Mapping[str, Written], spec: ProposalSpec
) -> Request:
    """Sign a proposal; its justification is the standard certificate."""
    one, since = written[spec.block], spec.justified
    owner = users[spec.owner or one.owners[0]]
    justification = None
    if since is not None:
        justification = standard_certificate(network, (Kind.VALIDATED, written[since.block].executed, since.round))
    return sign_request(network.context.scheme, owner, one.block, spec.round, justification)


def _write(network: Network, users: Mapping[str, Signer], written: dict[str, Written], spec: BlockSpec) -> Written:
    context = local_context(network.context)
    chain = _chain_for(network, written, spec)
    for heard in spec.heard:
        certificate = written[heard].certificate
        if certificate is None:
            raise UsageError(f"{spec.name}: expected to hear of a block that can be certified, found {heard}")
        chain = receive_block(context, chain, certificate)
    block = next_block(chain, transactions_of(chain, spec.operations, users))
    owners, kind = _owners(users, chain, spec), proposal_kind(chain.consistent.owner)
    try:
        staged = execute_block(context, chain, block)
    except Rejection:
        executed = ExecutedBlock(block, (), bytes(32))  # of an invalid block its proposer claims something
        certificate = standard_certificate(network, (Kind.CONFIRMED, executed, 0))
        return Written(block, owners, executed, kind, certificate, None)
    executed = staged.executed
    certificate = standard_certificate(network, (Kind.CONFIRMED, executed, 0))
    after = None if certificate is None else commit_block(staged, context.scheme.hash(executed), certificate)
    return Written(block, owners, executed, kind, certificate, after)


def _chain_for(network: Network, written: dict[str, Written], spec: BlockSpec) -> Chain:
    if spec.after is not None:
        before = written[spec.after].after
        if before is None or before.chain_id != spec.chain:
            raise UsageError(f"{spec.name}: expected to follow a valid block of its chain, found {spec.after}")
        return before
    roots = {chain.chain_id: genesis_chain(chain) for chain in network.genesis.chains}
    return roots.get(spec.chain, Chain(spec.chain))


def _owners(users: Mapping[str, Signer], chain: Chain, spec: BlockSpec) -> tuple[str, ...]:
    if spec.owner is not None:
        return (spec.owner,)
    owners = tuple(name for name, signer in users.items() if owns(chain.consistent.owner, signer.public_key))
    if not owners:
        raise UsageError(f"{spec.name}: expected the key `owner`: the chain has none at this point")
    return owners


JUNK = b"junk"


def _forge(
    network: Network,
    keys: Mapping[str, PublicKey],
    users: Mapping[str, Signer],
    written: Mapping[str, Written],
    spec: ForgedSpec,
) -> Forged:
    context, block = network.context, written[spec.block]
    if spec.what == "request":
        request = _request(network, users, written, ProposalSpec(spec.block, spec.round, owner=spec.owner))
        return Forged(evolve(request, signature=JUNK))
    ballot: Ballot = (spec.kind, block.executed, spec.round)
    signers = [keys[name] for name in spec.signers]
    payload = payload_for(network, ballot)
    votes = [sign_vote(context.scheme, network.signers[key], payload).signature for key in signers]
    signatures = tuple(zip(signers, votes if spec.genuine else [JUNK] * len(votes), strict=True))
    certificate = Certificate(block.executed, payload.kind, payload.round, signatures)
    return Forged(certificate, frozenset(signers) if spec.genuine else frozenset(), ballot)

"""Model files: who takes part, which blocks there may be, what is asked, and what must come out.

The format is ``spec/schemas/model.schema.json``; validators, users, chains and operations are those of scenarios.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from itertools import combinations
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
from linera_reference.block import ExecutedBlock, Request, sign_request
from linera_reference.certificate import Certificate, sign_vote
from linera_reference.chain import Chain
from linera_reference.client import local_context, next_block
from linera_reference.committee import combined_weight, max_faulty
from linera_reference.containers import Set, fold
from linera_reference.crypto import Signer
from linera_reference.execution import commit_block, execute_block
from linera_reference.identifiers import ChainId
from linera_reference.network import Certify, Network, World, step
from linera_reference.notation import PublicKey
from linera_reference.rejections import Accepted, Rejection
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
class ForgedSpec:
    """Something that only an adversary makes."""

    name: str
    what: str
    block: str
    signers: tuple[str, ...] = ()
    genuine: bool = True
    owner: str | None = None


@frozen
class Witness:
    """Something that must happen: all of it in one reachable state, each fact at ``count`` correct validators."""

    name: str
    certified: tuple[str, ...] = ()
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
        return (*self.certified, *self.blocked, *self.voted, *self.pending, *self.committed, *self.received)


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
    forged: tuple[ForgedSpec, ...] = ()
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
    for witness in model.witnesses:
        for name in witness.blocks:
            yield from _unknown(f"witnesses, {witness.name}", "a block", name, blocks)
    for name in model.byzantine or ():
        yield from _unknown("byzantine", "a validator", name, model.validators)
    for chain in model.chains:
        yield from _unknown(f"chains, {chain.id}", "a user", chain.owner, model.users)
    known = {*predicates(), *(judge.statement for judge in predicates().values())}
    for name in model.predicates or ():
        yield from _unknown("predicates", "a statement or predicate", name, known)
    if (model.expect.verdict == "violated") is not (model.expect.violates is not None):
        yield "expect", "expected `violates` where and only where the verdict is violated"


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
    executed: dict[str, ExecutedBlock] = field(factory=dict)
    forged: dict[str, "Forged"] = field(factory=dict)


@frozen
class Forged:
    """Something forged, and the validators whose genuine votes are in it."""

    item: Request | Certificate
    voters: frozenset[PublicKey] = frozenset()


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


def everything_signed(network: Network, executed: Iterable[ExecutedBlock]) -> World:
    """Return the world where every validator voted for these blocks."""
    payloads = [payload_of(network.context, one) for one in executed]
    votes = (sign_vote(network.context.scheme, signer, p) for p in payloads for signer in network.signers.values())
    return World(Map(), votes=fold(Set.insert, Set(), votes))


def standard_certificate(network: Network, executed: ExecutedBlock) -> Certificate | None:
    """Return the certificate that stands for all of a block (they are identified); ⊥ if the committee makes none."""
    world, keys = everything_signed(network, [executed]), sorted(network.signers)
    for count in range(len(keys) + 1):
        outcome = step(network, world, Certify(executed, tuple(keys[:count])))
        if isinstance(outcome, Accepted):
            certificate: Certificate = outcome.outputs[0]
            return certificate
    return None


@frozen
class Written:
    """A block as its proposer writes it, and the chain after it as far as it is valid."""

    request: Request
    executed: ExecutedBlock
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
    keys = _keys(model)
    forged = {spec.name: _forge(network, keys, users, written[spec.block], spec) for spec in model.forged}
    requests = {name: one.request for name, one in written.items()}
    return Menu(requests, {name: one.executed for name, one in written.items()}, forged)


def _write(network: Network, users: Mapping[str, Signer], written: dict[str, Written], spec: BlockSpec) -> Written:
    context = local_context(network.context)
    chain = _chain_for(network, written, spec)
    for heard in spec.heard:
        certificate = written[heard].certificate
        if certificate is None:
            raise UsageError(f"{spec.name}: expected to hear of a block that can be certified, found {heard}")
        chain = receive_block(context, chain, certificate)
    block = next_block(chain, transactions_of(chain, spec.operations, users))
    request = sign_request(context.scheme, _owner(users, chain, spec), block)
    try:
        staged = execute_block(context, chain, block)
    except Rejection:
        executed = ExecutedBlock(block, (), bytes(32))  # of an invalid block its proposer claims something
        return Written(request, executed, standard_certificate(network, executed), None)
    certificate = standard_certificate(network, staged.executed)
    if certificate is None:
        return Written(request, staged.executed, None, None)
    after = commit_block(staged, context.scheme.hash(staged.executed), certificate)
    return Written(request, staged.executed, certificate, after)


def _chain_for(network: Network, written: dict[str, Written], spec: BlockSpec) -> Chain:
    if spec.after is not None:
        before = written[spec.after].after
        if before is None or before.chain_id != spec.chain:
            raise UsageError(f"{spec.name}: expected to follow a valid block of its chain, found {spec.after}")
        return before
    roots = {chain.chain_id: genesis_chain(chain) for chain in network.genesis.chains}
    return roots.get(spec.chain, Chain(spec.chain))


def _owner(users: Mapping[str, Signer], chain: Chain, spec: BlockSpec) -> Signer:
    if spec.owner is not None:
        return users[spec.owner]
    for signer in users.values():
        if signer.public_key == chain.consistent.owner:
            return signer
    raise UsageError(f"{spec.name}: expected the key `owner`: the chain has none at this point")


JUNK = b"junk"


def _forge(
    network: Network, keys: Mapping[str, PublicKey], users: Mapping[str, Signer], block: Written, spec: ForgedSpec
) -> Forged:
    context = network.context
    if spec.what == "request":
        owner = users[spec.owner].public_key if spec.owner is not None else block.request.owner
        return Forged(evolve(block.request, owner=owner, signature=JUNK))
    payload = payload_of(context, block.executed)
    signers = [keys[name] for name in spec.signers]
    votes = [sign_vote(context.scheme, network.signers[key], payload).signature for key in signers]
    signatures = tuple(zip(signers, votes if spec.genuine else [JUNK] * len(votes), strict=True))
    certificate = Certificate(block.executed, payload.kind, payload.round, signatures)
    return Forged(certificate, frozenset(signers) if spec.genuine else frozenset())

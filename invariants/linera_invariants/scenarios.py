"""Scenario files: who takes part, which faults there are, what happens, and what must then be true.

The format is ``spec/schemas/scenario.schema.json``. A validator or user without a ``secret`` gets one from its name:
SHA3-256 of ``scenario key::``, the role (``validator`` or ``user``), ``::`` and the name. The identifier ``0.1`` is
[0, 1]. Without ``crypto``, keys are Ed25519.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha3_256
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import cattrs
from attrs import frozen
from cattrs.gen import make_dict_structure_fn, override
from cattrs.strategies import configure_tagged_union
from immutables import Map

from linera_reference.application import Application, Balance, Token
from linera_reference.committee import combined_weight, make_committee, max_faulty
from linera_reference.containers import Set, fold
from linera_reference.context import Context
from linera_reference.crypto import Scheme, Signer, make_signer
from linera_reference.identifiers import ChainId
from linera_reference.network import Network
from linera_reference.notation import MAX_U64
from linera_reference.ownership import Owner, Owners
from linera_reference.rejections import Reason, Rejection
from linera_reference.swap import Holdings, Swap
from linera_reference.validator import Genesis, GenesisChain, genesis_validator

from .driver import ATTEMPTS
from .errors import UsageError
from .inputs import InputError, place_of, read_with_schema, shown, walk
from .schemes import SCHEMES
from .specdata import spec_root

T = TypeVar("T")

APPLICATIONS: dict[str, Application] = {"token": Token(), "swap": Swap()}
"""The bundled applications, by their names in files."""

# --- Who takes part ----------------------------------------------------------------------------------------------


@frozen
class ValidatorSpec:
    """A validator: voting rights, and how it misbehaves if it does."""

    weight: int = 1
    byzantine: str | None = None
    secret: str | None = None


@frozen
class UserSpec:
    """A user: somebody with a key and a local node."""

    secret: str | None = None


OwnerSpec: TypeAlias = str | tuple[str, ...]
"""One user, or several: the protocol with rounds, for one user in a list too."""


@frozen(order=True)
class AssetSpec:
    """An amount of a token of the swap."""

    token: int
    amount: int


@frozen
class ChainSpec:
    """A genesis chain: a balance of the token, or balances of the tokens of the swap."""

    id: ChainId
    owner: OwnerSpec
    balance: int = 0
    assets: tuple[AssetSpec, ...] = ()

    @property
    def owners(self) -> tuple[str, ...]:
        """The users that own the chain."""
        return (self.owner,) if isinstance(self.owner, str) else self.owner


# --- Operations of a block ---------------------------------------------------------------------------------------


@frozen
class TransferSpec:
    """Move an amount to another chain."""

    to: ChainId
    amount: int


@frozen
class BurnSpec:
    """Destroy an amount."""

    amount: int


@frozen
class OpenChainSpec:
    """Create a chain; without ``id``, with the identifier that this transaction must give."""

    owner: str
    id: ChainId | None = None


@frozen
class ChangeKeySpec:
    """Hand the chain over."""

    owner: str


@frozen
class AddOwnerSpec(ChangeKeySpec):
    """Let a user join the owners."""


@frozen
class RemoveOwnerSpec(ChangeKeySpec):
    """Take a user out of the owners."""


@frozen
class CloseChainSpec:
    """Close the chain."""


@frozen
class ReceiveSpec:
    """Consume the next messages that wait at the local node: so many (⊥: all), from one origin (⊥: from any)."""

    count: int | None = None
    origin: ChainId | None = None


@frozen
class SkipSpec(ReceiveSpec):
    """Pass over the next messages that wait at the local node."""


@frozen
class PutInSpec:
    """Put an asset into the swap of another chain, for a wanted one, in the name of a user."""

    to: ChainId
    owner: str
    token: int
    amount: int
    wanted: AssetSpec


@frozen
class ConcludeSpec:
    """Confirm or cancel the swap of this chain."""

    confirm: bool


@frozen
class RawSpec:
    """Any bytes as an operation."""

    hex: str


Operation: TypeAlias = (
    TransferSpec
    | BurnSpec
    | OpenChainSpec
    | ChangeKeySpec
    | AddOwnerSpec
    | RemoveOwnerSpec
    | CloseChainSpec
    | ReceiveSpec
    | SkipSpec
    | PutInSpec
    | ConcludeSpec
    | RawSpec
)
Operations: TypeAlias = tuple[Operation, ...]

# --- Steps -------------------------------------------------------------------------------------------------------


@frozen(kw_only=True)
class StepSpec:
    """A step of a scenario. ``reason`` says that it must be rejected, and why."""

    note: str | None = None
    reason: str | None = None


@frozen(kw_only=True)
class Extend(StepSpec):
    """Extend a chain as a correct client does; with ``certified`` false, no quorum must answer."""

    who: str
    chain: ChainId
    operations: Operations
    certified: bool = True


@frozen(kw_only=True)
class PartySpec:
    """One of several owners who extend a chain at once, without coordination."""

    who: str
    operations: Operations
    at: tuple[str, ...] = ()
    attempts: int = ATTEMPTS
    certified: bool = True


@frozen(kw_only=True)
class Contend(StepSpec):
    """Let several owners extend a chain at once, a delivery each in turn."""

    chain: ChainId
    parties: tuple[PartySpec, ...]


@frozen(kw_only=True)
class ProposeBlock(StepSpec):
    """Propose a block and hand it to validators as they are."""

    who: str
    chain: ChainId
    operations: Operations
    block: str
    at: tuple[str, ...] = ()
    round: int | None = None


@frozen(kw_only=True)
class RivalBlock:
    """One of several blocks for one height."""

    block: str
    operations: Operations
    at: tuple[str, ...]
    round: int = 0
    reason: str | None = None


@frozen(kw_only=True)
class Equivocate(StepSpec):
    """Sign several blocks for one height."""

    who: str
    chain: ChainId
    blocks: tuple[RivalBlock, ...]


@frozen(kw_only=True)
class SendBlock(StepSpec):
    """Hand a proposed block to validators as they are."""

    block: str
    at: tuple[str, ...]


@frozen(kw_only=True)
class VoteFor(SendBlock):
    """Let Byzantine validators vote to confirm (or to validate) a block."""

    kind: str = "confirmed"


@frozen(kw_only=True)
class CertifyBlock(VoteFor):
    """Gather the votes of these validators for a block."""


@frozen(kw_only=True)
class LearnLocks(StepSpec):
    """Ask validators (none named: all that answer) for the highest lock."""

    who: str
    chain: ChainId
    at: tuple[str, ...] = ()


@frozen(kw_only=True)
class Finish(StepSpec):
    """Bring a proposal of anybody to its end: from its validated certificate, if there is one."""

    who: str
    block: str
    certified: bool = True


@frozen(kw_only=True)
class HandOver(StepSpec):
    """Hand a certificate to validators as they are: that of a height, or the validated one of a proposal."""

    at: tuple[str, ...]
    chain: ChainId | None = None
    height: int | None = None
    block: str | None = None


@frozen(kw_only=True)
class Offline(StepSpec):
    """Validators stop answering."""

    at: tuple[str, ...]


@frozen(kw_only=True)
class Online(StepSpec):
    """Validators answer again."""

    at: tuple[str, ...]


@frozen(kw_only=True)
class RestartNodes(StepSpec):
    """Validators crash, and go on with what they stored."""

    at: tuple[str, ...]


@frozen(kw_only=True)
class Synchronize(StepSpec):
    """Bring the user's local node up to date on a chain."""

    who: str
    chain: ChainId


@frozen(kw_only=True)
class Upload(StepSpec):
    """Bring validators (none named: all that answer) to the height of the user's local node."""

    who: str
    chain: ChainId
    at: tuple[str, ...] = ()
    reached: bool = True


@frozen(kw_only=True)
class Delivery(StepSpec):
    """Whether validators deliver their cross-chain requests at once."""

    automatic: bool


@frozen(kw_only=True)
class DeliverMessages(StepSpec):
    """Deliver cross-chain requests of validators: those numbered in ``which`` (from 1), or the last one."""

    at: tuple[str, ...]
    what: str
    origin: ChainId
    to: ChainId
    which: tuple[int, ...] = ()


@frozen(kw_only=True)
class ResendMessages(StepSpec):
    """Send the undelivered cross-chain requests of a chain again."""

    at: tuple[str, ...]
    chain: ChainId


@frozen(kw_only=True)
class Archive(ResendMessages):
    """Turn a closed chain into a tombstone."""


@frozen(kw_only=True)
class Forge(StepSpec):
    """Show something tampered with to validators."""

    what: str
    how: str
    at: tuple[str, ...]
    chain: ChainId | None = None
    height: int | None = None
    block: str | None = None
    origin: ChainId | None = None
    to: ChainId | None = None


@frozen(kw_only=True)
class MessageSpec:
    """A message in an inbox: a credit, or the creation of the chain."""

    origin: ChainId
    amount: int | None = None
    create: str | None = None


@frozen(kw_only=True, order=True)
class DepositSpec(AssetSpec):
    """What a user has put into a swap."""

    owner: str


@frozen(kw_only=True)
class Expect(StepSpec):
    """Facts that must hold; fields that are ⊥ are not asked."""

    at: tuple[str, ...] = ()
    chain: ChainId | None = None
    created: bool | None = None
    closed: bool | None = None
    owner: OwnerSpec | None = None
    balance: int | None = None
    assets: tuple[AssetSpec, ...] | None = None
    deposits: tuple[DepositSpec, ...] | None = None
    height: int | None = None
    transactions: int | None = None
    pending: bool | None = None
    round: int | None = None
    locked: bool | None = None
    waiting: tuple[MessageSpec, ...] | None = None
    owed: tuple[MessageSpec, ...] | None = None
    received: int | None = None
    undelivered: dict[ChainId, tuple[int, ...]] | None = None
    archived: bool | None = None
    certificates: int | None = None
    agreement: bool | None = None
    block: str | None = None
    certified: bool | None = None


OPERATIONS: dict[type[Any], str] = {
    TransferSpec: "transfer",
    BurnSpec: "burn",
    OpenChainSpec: "open-chain",
    ChangeKeySpec: "change-key",
    AddOwnerSpec: "add-owner",
    RemoveOwnerSpec: "remove-owner",
    CloseChainSpec: "close-chain",
    ReceiveSpec: "receive",
    SkipSpec: "skip",
    PutInSpec: "put-in",
    ConcludeSpec: "conclude",
    RawSpec: "raw",
}
STEPS: dict[type[Any], str] = {
    Extend: "extend",
    Contend: "contend",
    ProposeBlock: "propose",
    Equivocate: "equivocate",
    SendBlock: "send",
    VoteFor: "vote",
    CertifyBlock: "certify",
    LearnLocks: "learn-locks",
    Finish: "finish",
    HandOver: "hand-over",
    Offline: "offline",
    Online: "online",
    RestartNodes: "restart",
    Synchronize: "synchronize",
    Upload: "upload",
    Delivery: "delivery",
    DeliverMessages: "deliver",
    ResendMessages: "resend",
    Archive: "archive",
    Forge: "forge",
    Expect: "expect",
}
"""The names of the operations and steps in files."""

AnyStep: TypeAlias = (
    Extend
    | Contend
    | ProposeBlock
    | Equivocate
    | SendBlock
    | VoteFor
    | CertifyBlock
    | LearnLocks
    | Finish
    | HandOver
    | Offline
    | Online
    | RestartNodes
    | Synchronize
    | Upload
    | Delivery
    | DeliverMessages
    | ResendMessages
    | Archive
    | Forge
    | Expect
)


@frozen
class Scenario:
    """A scenario as its file states it."""

    title: str
    validators: dict[str, ValidatorSpec]
    users: dict[str, UserSpec]
    chains: tuple[ChainSpec, ...]
    steps: tuple[AnyStep, ...]
    about: str = ""
    clauses: tuple[str, ...] = ()
    crypto: str = "ed25519"
    application: str = "token"
    name: str = ""


# --- Reading -----------------------------------------------------------------------------------------------------


def shipped_scenarios() -> list[Path]:
    """Return the scenario files that come with the specification, in order."""
    folder = spec_root() / "scenarios"
    return sorted([*folder.glob("*.toml"), *folder.glob("*.json")])


def read_scenario(path: Path) -> Scenario:
    """Read a scenario file. Raises: InputError."""
    document = read_with_schema(path, "scenario")
    for place, expectation in _wrong_names(document):
        raise InputError(path, place, expectation)
    del document["scenario"]
    scenario = structured({**document, "name": path.stem}, Scenario)
    _check_network(path, scenario)
    return scenario


def find_scenario(name: str) -> Path:
    """Return the file of this path, or the shipped scenario of this name."""
    shipped = {path.stem: path for path in shipped_scenarios()}
    return shipped.get(name, Path(name))


def parse_chain(text: str) -> ChainId:
    """Parse an identifier. Raises: UsageError."""
    if not re.fullmatch(r"[0-9]{1,20}(\.[0-9]{1,20})*", text):
        raise UsageError(f"chain: expected an identifier such as 0 or 0.1, found {shown(text)}")
    return chain_id_of(text)


def chain_id_of(text: str) -> ChainId:
    """Parse an identifier that has the right form."""
    return tuple(int(number) for number in text.split("."))


def _wrong_names(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Find references to nothing: walk the document and check every value whose key says what it names."""
    validators, users = document["validators"], document["users"]
    nodes = {"validator": set(validators), "user": set(users), "node": {*validators, *users}, "block": set()}
    for name in sorted(set(validators) & set(users)):
        yield f"users, {name}", "expected a name that no validator has"
    yield from _wrong_assets(document)
    for path, value in walk({"chains": document["chains"], "steps": document["steps"]}):
        key = path[-1] if path else None
        if key == "block" and _defines_block(document, path):
            if value in nodes["block"]:
                yield place_of(path), "expected a new name for a new block"
            nodes["block"].add(value)
        elif key in _CHAIN_KEYS and isinstance(value, str):
            yield from _wrong_chain(path, value)
        elif key == "reason" and value not in Reason.__members__:
            yield place_of(path), f"expected a reason (see `linera-reference explain`), found {shown(value)}"
        else:
            yield from _unknown(document, nodes, path, value)


def _wrong_assets(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Find amounts that the application does not know."""
    foreign, application = ("balance", "swap") if document.get("application") == "swap" else ("assets", "token")
    for number, chain in enumerate(document["chains"]):
        if foreign in chain:
            where = place_of(("chains", number, foreign))
            yield where, f"expected no {foreign} where the application is the {application}"
        tokens = [asset["token"] for asset in chain.get("assets", ())]
        if len(set(tokens)) < len(tokens):
            yield place_of(("chains", number, "assets")), "expected each token once"


_CHAIN_KEYS = {"chain", "to", "from", "id"}


def _defines_block(document: dict[str, Any], path: tuple[Any, ...]) -> bool:
    return document["steps"][path[1]]["do"] in {"propose", "equivocate"}


def _unknown(
    document: dict[str, Any], nodes: dict[str, set[str]], path: tuple[Any, ...], value: Any
) -> Iterator[tuple[str, str]]:
    key = path[-2] if len(path) >= 2 and isinstance(path[-1], int) else path[-1] if path else ""
    kind = {"who": "user", "owner": "user", "create": "user", "block": "block"}.get(key)
    if key == "at":
        kind = "node" if document["steps"][path[1]]["do"] == "expect" else "validator"
    if kind is not None and isinstance(value, str) and value not in nodes[kind]:
        known = ", ".join(sorted(nodes[kind])) or f"none was proposed before this {kind}"
        yield place_of(path), f"expected a {kind} ({known}), found {shown(value)}"


def _wrong_chain(path: tuple[Any, ...], value: str) -> Iterator[tuple[str, str]]:
    if any(number > MAX_U64 for number in chain_id_of(value)):
        yield place_of(path), "expected numbers below 2^64 in a chain identifier"


def _check_network(path: Path, scenario: Scenario) -> None:
    """Accept a possible committee within the fault bound, and possible genesis chains."""
    try:
        network = build_network(scenario)
        genesis_validator(network.genesis)
    except Rejection as rejection:
        place = "chains" if rejection.reason.clause == "WP-2.4-GENESIS" else "validators"
        expectation = f"{rejection.reason.name}: {rejection.reason.sentence}"
        raise InputError(path, place, f"expected a possible genesis, found {expectation}") from None
    committee = network.genesis.committee
    faulty, bound = combined_weight(committee, network.byzantine), max_faulty(committee.total)
    if faulty > bound:
        raise InputError(path, "validators", f"expected Byzantine voting rights of at most f = {bound}, found {faulty}")


def _structure_hook(kind: Any) -> Callable[[Any, Any], Any]:
    renamed: Any = {"origin": override(rename="from")} if hasattr(kind, "origin") else {}
    hook: Callable[[Any, Any], Any] = make_dict_structure_fn(kind, _CONVERTER, **renamed)
    return hook


_CONVERTER = cattrs.Converter()
_CONVERTER.register_structure_hook_func(lambda kind: kind == ChainId, lambda value, _: chain_id_of(value))
_CONVERTER.register_structure_hook_func(
    lambda kind: kind in (OwnerSpec, OwnerSpec | None),
    lambda value, _: value if isinstance(value, str) else tuple(value),
)
_CONVERTER.register_structure_hook_factory(lambda kind: hasattr(kind, "__attrs_attrs__"), _structure_hook)
configure_tagged_union(Operation, _CONVERTER, tag_name="do", tag_generator=OPERATIONS.__getitem__)
configure_tagged_union(AnyStep, _CONVERTER, tag_name="do", tag_generator=STEPS.__getitem__)


def structured(document: Any, kind: type[T]) -> T:
    """Turn a checked document into records; models share the words of scenarios."""
    return _CONVERTER.structure(document, kind)


# --- Building ----------------------------------------------------------------------------------------------------


def secret_of(role: str, name: str, secret: str | None = None) -> bytes:
    """Return the 32-byte secret of a validator or user: the given one, or the one that follows from the name."""
    return sha3_256(f"scenario key::{role}::{name}".encode()).digest() if secret is None else bytes.fromhex(secret)


def validator_signers(scenario: Scenario, scheme: Scheme) -> dict[str, Signer]:
    """Return the keys of the validators, by name."""
    return {
        name: make_signer(scheme, secret_of("validator", name, spec.secret))
        for name, spec in scenario.validators.items()
    }


def user_signers(scenario: Scenario, scheme: Scheme) -> dict[str, Signer]:
    """Return the keys of the users, by name."""
    return {name: make_signer(scheme, secret_of("user", name, spec.secret)) for name, spec in scenario.users.items()}


def owner_of(users: Mapping[str, Signer], owner: OwnerSpec) -> Owner:
    """Return what stands in owner^id."""
    if isinstance(owner, str):
        return users[owner].public_key
    return Owners(fold(Set.insert, Set(), (users[name].public_key for name in owner)))


def state_of(scenario: Scenario, chain: ChainSpec) -> Any:
    """Return the first state of the application on a genesis chain."""
    if scenario.application == "token":
        return Balance(chain.balance)
    return Holdings(Map((asset.token, asset.amount) for asset in chain.assets if asset.amount))


def build_network(scenario: Scenario, crypto: str | None = None) -> Network:
    """Build the network of a scenario. Raises: Rejection (an impossible committee)."""
    scheme = SCHEMES[crypto or scenario.crypto]
    validators, users = validator_signers(scenario, scheme), user_signers(scenario, scheme)
    committee = make_committee((validators[name].public_key, spec.weight) for name, spec in scenario.validators.items())
    byzantine = {validators[name].public_key for name, spec in scenario.validators.items() if spec.byzantine}
    chains = (GenesisChain(c.id, owner_of(users, c.owner), state_of(scenario, c)) for c in scenario.chains)
    signers = {signer.public_key: signer for signer in validators.values()}
    return Network(
        Context(scheme, APPLICATIONS[scenario.application], committee),
        Genesis(committee, tuple(chains)),
        Map(signers),
        frozenset(byzantine),
    )

"""The audit of a chain from a file (Claim 5). Signatures of a long chain are checked ahead, on all cores."""

import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from hashlib import sha3_256
from multiprocessing.pool import AsyncResult, Pool
from pathlib import Path
from typing import Any, TypeVar

from attrs import evolve, field, frozen
from immutables import Map

from linera_reference.application import Balance
from linera_reference.audit import Audited, audit_block, audit_chain, audit_start, place_of
from linera_reference.block import Receive
from linera_reference.certificate import Certificate, VotePayload, certified_payload
from linera_reference.committee import Committee, make_committee, quorum_threshold
from linera_reference.containers import Set, fold
from linera_reference.context import Context
from linera_reference.crypto import Scheme, Signer, Verifier, tagged_bytes
from linera_reference.encoding import decode, encode
from linera_reference.identifiers import ChainId
from linera_reference.messages import Create
from linera_reference.network import Network, World
from linera_reference.notation import Hash, PublicKey, Signature
from linera_reference.ownership import Owner, Owners
from linera_reference.rejections import Rejected, Rejection
from linera_reference.rules import QuorumRule
from linera_reference.swap import Holdings
from linera_reference.validator import GenesisChain

from .errors import UsageError
from .inputs import MEBIBYTE, InputError, read_bytes, read_with_schema
from .inputs import place_of as path_in_words
from .processes import worker_pool
from .reports import counted
from .scenarios import APPLICATIONS, chain_id_of
from .schemes import SCHEMES
from .story import show_chain, show_rejection

MAX_FILE = 256 * MEBIBYTE
GENESIS, CREATION = "genesis", "proof of creation"
"""Where an audit starts."""

CHUNK = 128
"""Certificates whose signatures one task checks."""

LONG = 500
"""Certificates from which on other processes are worth starting."""

Progress = Callable[[int], None]
Signed = tuple[PublicKey, Signature]
T = TypeVar("T")

IDEAL = "with ideal signatures, which anyone can forge: a model, and no evidence"


@frozen
class TrustedCommittee:
    """A committee as a file states it: whoever relies on the result must know it from elsewhere."""

    members: int
    total: int
    quorum: int
    digest: str

    def to_json(self) -> dict[str, Any]:
        """Return it for a report."""
        return {"members": self.members, "total": self.total, "quorum": self.quorum, "digest": self.digest}

    def sentence(self) -> str:
        """Say it to a reader."""
        power = f"{counted(self.members, 'validator')}, N = {self.total}, quorum {self.quorum}"
        return f"under the committee of {power}, digest {self.digest}, which you must know"


@frozen
class Trusted:
    """What an audit takes from its file unchecked."""

    crypto: str
    origin: str
    committee: TrustedCommittee

    def to_json(self) -> dict[str, Any]:
        """Return it for a report."""
        return {"crypto": self.crypto, "origin": self.origin, "committee": self.committee.to_json()}

    def sentences(self) -> tuple[str, ...]:
        """Say it to a reader."""
        stated = " as the file states it, which you must know too" if self.origin == GENESIS else ""
        origin = f"from the {self.origin} of the chain{stated}"
        return (self.committee.sentence(), origin, *((IDEAL,) if self.crypto == "ideal" else ()))


@frozen
class AuditInput:
    """What an audit file holds."""

    trusted: Trusted
    context: Context
    chain_id: ChainId
    origin: GenesisChain | Certificate
    blocks: tuple[Certificate, ...]
    evidence: tuple[Certificate, ...]

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """Every certificate, in the order of the audit."""
        origin = (self.origin,) if isinstance(self.origin, Certificate) else ()
        return (*origin, *self.blocks, *self.evidence)


@frozen
class AuditResult:
    """What an audit established, or where it failed and why."""

    file: str
    chain: str
    trusted: Trusted
    blocks: int
    evidence: int
    signatures: int
    audited: Audited | None = None
    balance: int | None = None
    place: str | None = None
    rejected: Rejected | None = None

    @property
    def holds(self) -> bool:
        """Whether the audit passed."""
        return self.audited is not None

    def to_json(self) -> dict[str, Any]:
        """Return the result for a report."""
        counts = {"blocks": self.blocks, "evidence": self.evidence, "signatures": self.signatures}
        common = {"file": self.file, "chain": self.chain, "holds": self.holds, **counts, **self.trusted.to_json()}
        if self.rejected is not None:
            reason = self.rejected.reason
            return {**common, "place": self.place, "reason": reason.name, "sentence": reason.sentence}
        return {**common, **({} if self.audited is None else self.established(self.audited))}

    def established(self, audited: Audited) -> dict[str, Any]:
        """Return what the certificates establish about the chain."""
        return {
            "height": audited.next_height,
            "block_hash": _hex(audited.block_hash),
            "state_hash": _hex(audited.state_hash),
            "owner": owner_entry(audited.owner),
            "balance": self.balance,
        }


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def owner_entry(owner: Owner | None) -> str | list[str] | None:
    """Return an owner as files state it: a key, or a list of the keys of several owners."""
    return [key.hex() for key in sorted(owner.keys)] if isinstance(owner, Owners) else _hex(owner)


def owner_of(entry: str | list[str]) -> Owner:
    """Return the owner that a file states."""
    if isinstance(entry, str):
        return bytes.fromhex(entry)
    nobody: Set[PublicKey] = Set()
    return Owners(fold(Set.insert, nobody, map(bytes.fromhex, entry)))


# --- Checking signatures ahead -----------------------------------------------------------------------------------


@frozen
class AheadScheme:
    """A scheme whose signatures are being checked ahead by other processes.

    ``hashes`` are those of executed blocks, by identity: the blocks live as long as the audit.
    """

    scheme: Scheme
    hashes: dict[int, Hash] = field(factory=dict, eq=False)
    checks: dict[bytes, tuple[AsyncResult[list[frozenset[Signed]]], int]] = field(factory=dict, eq=False)

    def hash(self, value: Any) -> Hash:
        """Hash a data type; an executed block was hashed to check its signatures."""
        return self.hashes.get(id(value)) or self.scheme.hash(value)

    def public_key(self, secret: bytes) -> PublicKey:
        """Return the verification key of a secret."""
        return self.scheme.public_key(secret)

    def sign(self, signer: Signer, value: Any) -> Signature:
        """Sign a data type."""
        return self.scheme.sign(signer, value)

    def verifier(self, value: Any) -> Verifier:
        """Wait for the process that has the signatures of a value; what it does not call genuine is checked here."""
        check = self.scheme.verifier(value)
        task = self.checks.get(tagged_bytes(value))
        if task is None:
            return check
        result, index = task
        genuine = result.get()[index]
        return lambda key, signature: (key, signature) in genuine or check(key, signature)


def check_ahead(
    pool: Pool, scheme: Scheme, certificates: Sequence[Certificate], progress: Progress = lambda _: None
) -> AheadScheme:
    """Let processes check the signatures of certificates, in order."""
    ahead = AheadScheme(scheme)
    for chunk in (certificates[i : i + CHUNK] for i in range(0, len(certificates), CHUNK)):
        payloads = [certified_payload(scheme, certificate) for certificate in chunk]
        items = [(payload, certificate.signatures) for payload, certificate in zip(payloads, chunk, strict=True)]
        result = pool.apply_async(_genuine, (scheme, items), callback=partial(_done, progress, len(chunk)))
        for index, (payload, certificate) in enumerate(zip(payloads, chunk, strict=True)):
            ahead.hashes[id(certificate.executed)] = payload.block_hash
            ahead.checks[tagged_bytes(payload)] = (result, index)
    return ahead


def _done(progress: Progress, count: int, _: object) -> None:
    progress(count)


def _genuine(scheme: Scheme, items: Sequence[tuple[VotePayload, tuple[Signed, ...]]]) -> list[frozenset[Signed]]:
    verifiers = ((scheme.verifier(payload), signatures) for payload, signatures in items)
    return [frozenset(pair for pair in signatures if verify(*pair)) for verify, signatures in verifiers]


# --- Auditing ----------------------------------------------------------------------------------------------------


def audit(file: str, task: AuditInput, jobs: int | None = None, progress: Progress = lambda _: None) -> AuditResult:
    """Audit a chain; of a long one, let one process per core check the signatures while this one re-executes."""
    certificates = task.certificates
    counts = (len(task.blocks), len(task.evidence), sum(len(c.signatures) for c in certificates))
    result = AuditResult(file, show_chain(task.chain_id), task.trusted, *counts)
    jobs = jobs or os.cpu_count() or 1
    if jobs == 1 or len(certificates) < LONG:
        progress(len(certificates))
        return _conclude(result, task)
    with worker_pool(jobs) as pool:
        scheme = check_ahead(pool, task.context.scheme, certificates, progress)
        return _conclude(result, evolve(task, context=evolve(task.context, scheme=scheme)))


def _conclude(result: AuditResult, task: AuditInput) -> AuditResult:
    outcome = audit_chain(task.context, task.chain_id, task.origin, task.blocks, task.evidence)
    if isinstance(outcome, Rejected):
        return evolve(result, place=find_failure(task), rejected=outcome)
    state = outcome.state.consistent.state
    balance = state.amount if isinstance(state, Balance) else None
    return evolve(result, audited=outcome.outputs[0], balance=balance)


def find_failure(task: AuditInput) -> str:
    """Say which certificate a failed audit stops at, by taking one block at a time."""
    context, place = task.context, "origin"
    try:
        chain = audit_start(context, task.origin, task.chain_id)
        for index, block in enumerate(task.blocks, 1):
            place = f"block {index} of {len(task.blocks)}, {_place(block)}"
            chain = audit_block(context, chain, block)
    except Rejection:
        return place
    return "evidence"


def _place(certificate: Certificate) -> str:
    chain_id, height = place_of(certificate)
    return f"height {height} of chain {show_chain(chain_id)}"


# --- Reading -----------------------------------------------------------------------------------------------------


def read_audit(path: Path) -> AuditInput:
    """Read an audit file. Raises: InputError."""
    document = read_with_schema(path, "audit", MAX_FILE)
    chain_id = chain_id_of(document["chain"])
    genesis = genesis_of(path, document)
    if "origin" in document:
        origin: GenesisChain | Certificate = read_bcs(path, ("origin",), Certificate, document["origin"])
    else:
        found = [chain for chain in genesis if chain.chain_id == chain_id]
        if not found:
            raise InputError(path, "chain", "expected a chain of genesis, or the key 'origin'")
        origin = found[0]
    context = context_of(path, document)
    kind = GENESIS if isinstance(origin, GenesisChain) else CREATION
    trusted = Trusted(document["crypto"], kind, trusted_committee(context.committee))
    blocks, evidence = (certificates_of(path, key, document) for key in ("blocks", "evidence"))
    return AuditInput(trusted, context, chain_id, origin, blocks, evidence)


def genesis_of(path: Path, document: dict[str, Any]) -> list[GenesisChain]:
    """Return the genesis chains that a file states. Raises: InputError."""
    found: dict[str, GenesisChain] = {}
    for entry in document["genesis"]:
        name = entry["id"]
        if name in found:
            raise InputError(path, "genesis", f"expected each chain once, found chain {name} twice")
        found[name] = GenesisChain(chain_id_of(name), owner_of(entry["owner"]), state_of(path, document, entry))
    return list(found.values())


def genesis_rows(chains: Iterable[GenesisChain]) -> list[dict[str, Any]]:
    """Return genesis chains as files state them, sorted."""
    ordered = sorted(chains, key=lambda chain: chain.chain_id)
    return [{"id": show_chain(c.chain_id), "owner": owner_entry(c.owner), **state_entry(c.state)} for c in ordered]


def state_entry(state: Balance | Holdings) -> dict[str, Any]:
    """Return the first state of a chain as files state it."""
    if isinstance(state, Balance):
        return {"balance": state.amount}
    return {"assets": [{"token": token, "amount": amount} for token, amount in sorted(state.balances.items())]}


def state_of(path: Path, document: dict[str, Any], entry: dict[str, Any]) -> Balance | Holdings:
    """Return the first state that a file states. Raises: InputError."""
    key = "assets" if document["application"] == "swap" else "balance"
    if entry.keys() & {"assets", "balance"} != {key}:
        expected = f"expected {key}, and nothing else, where the application is the {document['application']}"
        raise InputError(path, f"genesis, chain {entry['id']}", expected)
    if key == "balance":
        return Balance(entry["balance"])
    balances = {asset["token"]: asset["amount"] for asset in entry["assets"] if asset["amount"]}
    if len(balances) < len(entry["assets"]):
        raise InputError(path, f"genesis, chain {entry['id']}", "expected each token once, and amounts above 0")
    return Holdings(Map(balances))


def trusted_committee(committee: Committee, quorum: QuorumRule = QuorumRule.N_MINUS_F) -> TrustedCommittee:
    """Describe a committee."""
    total = committee.total
    return TrustedCommittee(len(committee.weights), total, quorum_threshold(total, quorum), committee_digest(committee))


def committee_digest(committee: Committee) -> str:
    """Return the SHA3-256 of the lines `key weight` (the key in hexadecimal), sorted by key."""
    lines = (f"{key.hex()} {weight}\n" for key, weight in sorted(committee.weights.items()))
    return sha3_256("".join(lines).encode()).hexdigest()


def context_of(path: Path, document: dict[str, Any]) -> Context:
    """Return the parameters that a file states. Raises: InputError."""
    members = [(bytes.fromhex(entry["key"]), entry["weight"]) for entry in document["committee"]]
    try:
        committee = make_committee(members)
    except Rejection as rejection:
        found = show_rejection(Rejected(rejection.reason, rejection.detail))
        raise InputError(path, "committee", f"expected a possible committee, found {found}") from None
    application = APPLICATIONS[document.get("application", "token")]
    return Context(SCHEMES[document["crypto"]], application, committee)


def application_of(context: Context) -> str:
    """Return the name of an application in files."""
    return next(name for name, application in APPLICATIONS.items() if application == context.application)


def certificates_of(path: Path, key: str, document: dict[str, Any]) -> tuple[Certificate, ...]:
    """Return a list of certificates that a file states. Raises: InputError."""
    return tuple(read_bcs(path, (key, index), Certificate, entry) for index, entry in enumerate(document[key]))


def read_bcs(path: Path, place: tuple[str | int, ...], kind: type[T], entry: str | dict[str, str]) -> T:
    """Decode a data type given in hexadecimal, or as the name of a file beside this one. Raises: InputError."""
    words = path_in_words(place)
    if isinstance(entry, dict):
        path, words = path.parent / entry["file"], "file"
        data = read_bytes(path, MAX_FILE)
    else:
        try:
            data = bytes.fromhex(entry)
        except ValueError:
            raise InputError(path, words, "expected an even number of hexadecimal digits") from None
    try:
        return decode(kind, data)
    except Rejection as rejection:
        found = show_rejection(Rejected(rejection.reason, rejection.detail))
        raise InputError(path, words, f"expected the data type {kind.__name__} in BCS, found {found}") from None


# --- Writing -----------------------------------------------------------------------------------------------------


def export_audit(network: Network, world: World, chain_id: ChainId, crypto: str) -> bytes:
    """Write everything that is needed to audit a chain of a finished run. Raises: UsageError."""
    committee, genesis = network.genesis.committee, network.genesis.chains
    blocks = _blocks_of(world, chain_id)
    document: dict[str, Any] = {
        "audit": 1,
        "crypto": crypto,
        "application": application_of(network.context),
        "committee": committee_rows(committee),
        "genesis": genesis_rows(genesis),
        "chain": show_chain(chain_id),
    }
    if all(chain.chain_id != chain_id for chain in genesis):
        document["origin"] = encode(_creation_of(world, chain_id)).hex()
    document["blocks"] = [encode(block).hex() for block in blocks]
    document["evidence"] = [encode(block).hex() for block in _senders_of(world, blocks)]
    return json.dumps(document, indent=1).encode() + b"\n"


def committee_rows(committee: Committee) -> list[dict[str, Any]]:
    """Return a committee as files state it."""
    return [{"key": key.hex(), "weight": weight} for key, weight in sorted(committee.weights.items())]


def _blocks_of(world: World, chain_id: ChainId) -> list[Certificate]:
    found = (c for c in world.certificates.values() if c.executed.block.chain_id == chain_id)
    return sorted(found, key=place_of)


def _creation_of(world: World, chain_id: ChainId) -> Certificate:
    for certificate in world.certificates.values():
        sent = certificate.executed.messages
        if any(m.recipient == chain_id and isinstance(m.content, Create) for m in sent):
            return certificate
    raise UsageError(f"chain {show_chain(chain_id)}: expected a chain that was created in the run")


def _senders_of(world: World, blocks: Sequence[Certificate]) -> list[Certificate]:
    """Return the blocks that sent what some blocks consume."""
    consumed = (t.message for b in blocks for t in b.executed.block.transactions if isinstance(t, Receive))
    hashes = {message.block_hash for message in consumed}
    return sorted((world.certificates[h] for h in hashes), key=place_of)

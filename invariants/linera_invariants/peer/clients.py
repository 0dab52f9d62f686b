"""Vectors of kind ``client``: clients of four equal validators, some of which misbehave."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from attrs import define, evolve, field
from immutables import Map

from linera_invariants.driver import Client, Driver
from linera_reference.application import Token, transfer
from linera_reference.block import AddOwner, ChangeKey, CloseChain, Execute, OpenChain, Transaction
from linera_reference.certificate import Certificate
from linera_reference.certification import check_active
from linera_reference.chain import Chain
from linera_reference.client import Goal, goals_after, next_block, receive_waiting
from linera_reference.committee import quorum_threshold
from linera_reference.context import Context
from linera_reference.crypto import Signer
from linera_reference.execution import execute_block
from linera_reference.identifiers import ChainId, child
from linera_reference.messages import Create
from linera_reference.network import Network, World, initial_world
from linera_reference.notation import PublicKey
from linera_reference.ownership import owns
from linera_reference.rejections import Accepted, Outcome, Reason, Rejected
from linera_reference.request import Request
from linera_reference.validator import Genesis, chain_of, download, is_next

from .model import (
    MalformedStepError,
    NotYetError,
    Seen,
    Step,
    Vector,
    asserted_state,
    attempt,
    look_up,
    parts_of,
    reason_of,
)
from .node import SCHEME, named_committee, public_key, root_chain, signer_of
from .workshop import chain_named

FEATURES: Final = {
    "client.publish_bytecode": "applications",
    "client.create_application": "applications",
    "client.app_operation": "applications",
    "client.app_query": "applications",
    "client.process_inbox": "applications",
}
"""Operations that only vectors with later features use, and the feature."""


@define
class Environment(Driver):
    """The network of a vector.

    ``refusing`` validators answer proposals with an error but process certificates. While ``confirming`` is off,
    clients keep their certificates to themselves.
    """

    refusing: frozenset[PublicKey] = frozenset()
    confirming: bool = True

    def submit(self, client: Client, key: PublicKey, item: Request | Certificate) -> Outcome[World]:
        """Ask one validator for its vote, unless it is one that refuses."""
        if key in self.refusing and isinstance(item, Request):
            return Rejected(Reason.ACTION_NOT_ENABLED, "a faulty validator answers proposals with an error")
        return super().submit(client, key, item)

    def broadcast(self, client: Client, chain_id: ChainId) -> None:
        """Hand the certificates of a chain round, unless the client keeps them."""
        if self.confirming:
            super().broadcast(client, chain_id)


@define
class User:
    """A client of the vector, the one chain that it is about, and the height at least that it has heard of."""

    client: Client
    chain_id: ChainId
    knows_height: int = 0

    @property
    def chain(self) -> Chain:
        """The local view of the chain."""
        return self.client.chain(self.chain_id)


@define
class Scene:
    """What has happened so far: the network, the clients, and certificates and keys by name."""

    env: Environment
    users: dict[str, User] = field(factory=dict)
    certificates: dict[str, Certificate] = field(factory=dict)
    keys: dict[PublicKey, str] = field(factory=dict)

    def key(self, name: str) -> Signer:
        """Return a named key pair, and remember the name."""
        signer = signer_of(name)
        self.keys[signer.public_key] = name
        return signer

    def user(self, name: str) -> User:
        """Return a client, started when it first acts: ``sender`` is on root1, ``clientN`` on rootN."""
        if name not in self.users:
            number = parts_of(r"sender|client(\d+)", name)[1] or "1"
            self.start(name, f"root{number}", f"root{number}")
        return self.users[name]

    def start(self, name: str, chain: str, key: str, knows_height: int = 0) -> None:
        """Start a client with a key."""
        chain_id = resolve(chain)
        self.users[name] = User(self.env.client(name, self.key(key), chain_id), chain_id, knows_height)


def resolve(target: str) -> ChainId:
    """Return the chain that vectors call ``rootN`` or ``child(rootN,height,index)``.

    The public implementation numbers a child by the height and place of the message that creates it; here it has the
    index of the transaction (decision D1). Blocks below it carry one transaction each, which opening the chain checks.
    """
    found = parts_of(r"(root\d+)|child\((root\d+),(\d+),(\d+)\)", target)
    if found[1] is not None:
        return chain_named(found[1])
    return child(chain_named(found[2]), int(found[3]) + int(found[4]))


def play_client(vector: Vector) -> Iterator[Seen]:
    """Let clients act; there are no fees here, whatever the pricing."""
    env = environment(vector)
    quorum = quorum_threshold(env.network.context.committee.total, vector.rules.quorum)
    problem = None if quorum == vector.setup["quorum"] else f"the quorum of this committee is {quorum}"
    scene = Scene(env)
    for step in vector.steps:
        if step.op in FEATURES:
            raise NotYetError(FEATURES[step.op])
        seen = ENV_OPERATIONS[step.op](scene, step) if step.op in ENV_OPERATIONS else act(scene, step)
        yield evolve(seen, problem=seen.problem or problem)


def act(scene: Scene, step: Step) -> Seen:
    """Let the client act that the step names, and say the asserted facts about it."""
    if step.by is None:
        raise MalformedStepError("expected the name of a client")
    user = scene.user(step.by)
    seen = CLIENT_OPERATIONS[step.op](scene, user, step)
    return evolve(seen, state=asserted_state(step, client_facts(scene, user)))


def environment(vector: Vector) -> Environment:
    """Build the validators and the genesis chains of a vector; each chain is owned by the key of its name."""
    setup = vector.setup
    names = [f"validator {number}" for number in range(setup["validators"])]
    if len(setup["weights"]) != len(names):
        raise MalformedStepError("expected as many weights as validators")
    committee = named_committee(dict(zip(names, setup["weights"], strict=True)))
    chains = tuple(root_chain(chain_named(name), name, balance) for name, balance in setup["chains"].items())
    signers = Map((public_key(name), signer_of(name)) for name in names)
    context = Context(SCHEME, Token(), committee, vector.rules)
    network = Network(context, Genesis(committee, chains), signers)
    refusing = frozenset(sorted(signers)[: setup["faulty_validators"]])
    return Environment(network, initial_world(network), refusing=refusing)


def client_facts(scene: Scene, user: User) -> dict[str, Callable[[], Any]]:
    """Return what can be asserted about a client."""
    part, local = user.chain.consistent, user.chain.localized
    return {
        "next_height": lambda: part.next_height,
        "pending_block": lambda: None if local.pending is None else "a block",
        "identity": lambda: next((name for key, name in scene.keys.items() if part.owner == key), None),
        "own_key_usable": lambda: owns(part.owner, user.client.signer.public_key),
    }


# --- balances ----------------------------------------------------------------------------------------------------


def local_balance(scene: Scene, user: User, _: Step) -> Seen:
    """Stage a block that receives all waiting messages, and look at the balance."""
    outcome = attempt(balance_after_waiting, scene.env.network.context, user)
    return Seen(reason_of(outcome), outcome.state if isinstance(outcome, Accepted) else None)


def balance_after_waiting(context: Context, user: User) -> int:
    """Return the balance of a chain with its waiting messages, once the blocks are there that the client knows of."""
    chain = user.chain
    is_next(chain.consistent, user.knows_height)
    check_active(chain.consistent.created, chain.consistent.owner)
    staged = execute_block(context, chain, next_block(chain, receive_waiting(chain)))
    return int(staged.chain.consistent.state.amount)


def query_balance(_: Scene, user: User, __: Step) -> Seen:
    """Look at the execution state alone."""
    part = user.chain.consistent
    outcome = attempt(check_active, part.created, part.owner)
    return Seen(reason_of(outcome), part.state.amount if isinstance(outcome, Accepted) else None)


def synchronize(scene: Scene, user: User, step: Step) -> Seen:
    """Download what the validators have, then look at the local balance."""
    scene.env.synchronize(user.client, user.chain_id)
    return local_balance(scene, user, step)


# --- blocks ------------------------------------------------------------------------------------------------------


def extend(scene: Scene, user: User, *transactions: Transaction) -> Certificate | Reason:
    """Extend the chain with a block that also receives all waiting messages."""
    waiting = receive_waiting(user.chain)
    result = scene.env.extend(user.client, user.chain_id, (*waiting, *transactions))
    if isinstance(result, Certificate):
        return result
    return Reason.CERTIFICATE_REQUIRES_QUORUM if result is None else result.reason


def transfer_tokens(scene: Scene, user: User, step: Step) -> Seen:
    """Send tokens to a chain."""
    result = extend(scene, user, Execute(transfer(resolve(step.args["to"]), step.args["amount"])))
    return named(scene, step, result, r"(?:certificate )?(\w+)")


def transfer_unconfirmed(scene: Scene, user: User, step: Step) -> Seen:
    """Send tokens, and keep the certificate."""
    scene.env.confirming = False
    seen = transfer_tokens(scene, user, step)
    scene.env.confirming = True
    return seen


def rotate_key(scene: Scene, user: User, step: Step) -> Seen:
    """Hand the chain over to another key of the same client."""
    signer = scene.key(step.args["new_key"])
    result = extend(scene, user, ChangeKey(signer.public_key))
    if isinstance(result, Certificate):
        user.client.signer = signer
    return named(scene, step, result, r"(?:certificate )?(\w+)")


def share_ownership(scene: Scene, user: User, step: Step) -> Seen:
    """Let another key own the chain, too."""
    result = extend(scene, user, AddOwner(public_key(step.args["with"])))
    return named(scene, step, result, r"(?:certificate )?(\w+)")


def close_chain(scene: Scene, user: User, step: Step) -> Seen:
    """Close the chain; the block has no other transaction."""
    result = extend(scene, user, CloseChain())
    seen = named(scene, step, result, r"certificate (\w+) with the single operation close")
    if isinstance(result, Certificate) and result.executed.block.transactions != (CloseChain(),):
        return evolve(seen, problem="the block does more than close the chain")
    return seen


def open_chain(scene: Scene, user: User, step: Step) -> Seen:
    """Open a child of the chain; what is returned names the place of the message that creates it."""
    chain = user.chain
    index = chain.consistent.tx_count + len(receive_waiting(chain))
    new = OpenChain(child(chain.chain_id, index), public_key(step.args["owner"]))
    result = extend(scene, user, new)
    seen = named(scene, step, result, r"message \(root\d+,\d+,\d+\), certificate (\w+)")
    if not isinstance(result, Certificate):
        return seen
    name = step.asserts.get("returns", "").rpartition(" ")[2]
    return evolve(seen, returns=f"message {creation_place(result, new)}, certificate {name}")


def creation_place(certificate: Certificate, new: OpenChain) -> str:
    """Say where the message stands that creates a chain."""
    block, messages = certificate.executed.block, certificate.executed.messages
    index = next(i for i, m in enumerate(messages) if isinstance(m.content, Create) and m.recipient == new.chain_id)
    place = f"(root{block.chain_id[0]},{block.height},{index})"
    return place if resolve(f"child{place}") == new.chain_id else f"of another chain at {place}"


def named(scene: Scene, step: Step, result: Certificate | Reason, pattern: str) -> Seen:
    """Give a new certificate the name that the step returns."""
    if isinstance(result, Reason):
        return Seen(result)
    if "returns" in step.asserts:
        scene.certificates[parts_of(pattern, step.asserts["returns"])[1]] = result
    return Seen(returns=step.asserts.get("returns"))


def receive_certificate(scene: Scene, user: User, step: Step) -> Seen:
    """Let the client's node handle a certificate, after what it lacks below."""
    certificate = look_up(scene.certificates, step.args["certificate"])
    outcome = scene.env.learn(user.client, certificate)
    if isinstance(outcome, Rejected):
        for goal in goals_after(certificate, outcome):
            any(scene.env.fetch(user.client, key, goal) for key in scene.env.online())
        outcome = scene.env.learn(user.client, certificate)
    return Seen(reason_of(outcome))


def push_chain(scene: Scene, user: User, step: Step) -> Seen:
    """Upload the blocks of a chain to all validators."""
    goal = Goal(chain_named(step.args["chain"]), step.args["up_to_height"])
    reached = [scene.env.upload(user.client, key, goal) for key in scene.env.online()]
    return Seen(problem=None if all(reached) else "a validator could not be brought up to date")


def retry_pending(_: Scene, user: User, __: Step) -> Seen:
    """Propose a pending block again; there is none after an invalid proposal."""
    pending = user.chain.localized.pending
    return Seen(problem=None if pending is None else "a block is pending")


def clear_pending(_: Scene, __: User, ___: Step) -> Seen:
    """Give a pending block up: there is nothing to do, as a proposal in a later round interrupts it."""
    return Seen()


# --- environment -------------------------------------------------------------------------------------------------


def make_client(scene: Scene, step: Step) -> Seen:
    """Start another client."""
    args = step.args
    scene.start(args["name"], args["chain"], args["key"], args.get("knows_height", 0))
    return Seen()


def set_fault(scene: Scene, step: Step) -> Seen:
    """Take validators off the network, or bring them back."""
    keys, which = sorted(scene.env.network.signers), step.args["validators"]
    chosen = set(keys if which == "all" else (keys[number] for number in which))
    scene.env.offline = scene.env.offline | chosen if step.args["type"] == "offline" else scene.env.offline - chosen
    return Seen()


def validators_have_certificate(scene: Scene, step: Step) -> Seen:
    """Count the validators that have a named certificate."""
    chain_id, height = chain_named(step.args["chain"]), step.args["height"]
    wanted = look_up(scene.certificates, step.asserts["returns"]).executed
    holders = 0
    for validator in scene.env.world.validators.values():
        found = download(chain_of(validator, chain_id), height, height + 1)
        holders += any(certificate.executed == wanted for certificate in found)
    return Seen(returns=step.asserts["returns"] if holders >= step.args["at_least"] else f"{holders} have it")


ENV_OPERATIONS: Final[Mapping[str, Callable[[Scene, Step], Seen]]] = {
    "env.make_client": make_client,
    "env.set_fault": set_fault,
    "env.validators_have_certificate": validators_have_certificate,
}
CLIENT_OPERATIONS: Final[Mapping[str, Callable[[Scene, User, Step], Seen]]] = {
    "client.transfer": transfer_tokens,
    "client.transfer_unconfirmed": transfer_unconfirmed,
    "client.local_balance": local_balance,
    "client.query_balance": query_balance,
    "client.synchronize": synchronize,
    "client.rotate_key": rotate_key,
    "client.share_ownership": share_ownership,
    "client.clear_pending": clear_pending,
    "client.close_chain": close_chain,
    "client.open_chain": open_chain,
    "client.receive_certificate": receive_certificate,
    "client.push_chain": push_chain,
    "client.retry_pending": retry_pending,
}

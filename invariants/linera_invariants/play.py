"""Playing a scenario: each step through the driver, every predicate after every action, every expectation compared."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial, singledispatchmethod
from typing import Any

from attrs import define, field, frozen

from linera_reference.block import Block, ExecutedBlock, Transaction
from linera_reference.certificate import Certificate, Kind, VotePayload
from linera_reference.certification import check_active
from linera_reference.client import Goal, local_context, next_block
from linera_reference.crypto import Signer, make_signer
from linera_reference.execution import execute_block
from linera_reference.identifiers import ChainId
from linera_reference.network import (
    ArchiveChain,
    CastVote,
    Certify,
    Deliver,
    Propose,
    Resend,
    Restart,
    World,
    initial_world,
)
from linera_reference.notation import PublicKey
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.permissioned import learn_locks
from linera_reference.rejections import Accepted, Outcome, Rejected, Rejection
from linera_reference.request import Request, sign_request
from linera_reference.validator import Validator, chain_of, handle, payload_of, round_info

from . import registry
from .driver import Client, Driver, Step, Turns
from .facts import disagreement, show_expectation, unmet_facts
from .forgeries import FORGERIES, Material
from .operations import transactions_of
from .scenarios import (
    AnyStep,
    Archive,
    CertifyBlock,
    Contend,
    DeliverMessages,
    Delivery,
    Equivocate,
    Expect,
    Extend,
    Finish,
    Forge,
    HandOver,
    LearnLocks,
    Offline,
    Online,
    Operations,
    PartySpec,
    ProposeBlock,
    ResendMessages,
    RestartNodes,
    Scenario,
    SendBlock,
    Synchronize,
    Upload,
    VoteFor,
    build_network,
    secret_of,
    user_signers,
    validator_signers,
)
from .story import Event, Remark, show_chain, show_rejection, tell
from .traces import Document, trace_of


@frozen
class Finding:
    """Something that should not be: where in the scenario, and what."""

    step: int
    what: str
    statement: str | None = None


@frozen
class ScenarioResult:
    """How a scenario went: plain data."""

    name: str
    title: str
    crypto: str
    steps: int
    actions: int
    rejections: dict[str, int]
    certificates: int
    checked: int
    expectations: int
    violations: tuple[Finding, ...]
    unmet: tuple[Finding, ...]
    story: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether every predicate held and every expectation was met."""
        return not self.violations and not self.unmet

    def to_json(self) -> dict[str, Any]:
        """Return the result for a report."""
        return {
            "name": self.name,
            "title": self.title,
            "crypto": self.crypto,
            "holds": self.holds,
            "steps": self.steps,
            "actions": self.actions,
            "rejections": self.rejections,
            "certificates": self.certificates,
            "checked": self.checked,
            "expectations": self.expectations,
            "violations": [{"step": v.step, "statement": v.statement, "what": v.what} for v in self.violations],
            "unmet": [{"step": u.step, "what": u.what} for u in self.unmet],
            "story": list(self.story),
        }


@frozen
class Proposal:
    """A block that a scenario refers to by name; ``executed`` is what its proposer expects, if the block is valid."""

    request: Request
    executed: ExecutedBlock


@define
class Run:
    """A scenario being played."""

    scenario: Scenario
    crypto: str
    driver: Driver
    validators: dict[str, PublicKey]
    users: dict[str, Signer]
    clients: dict[str, Client]
    names: dict[PublicKey, str]
    blocks: dict[str, Proposal] = field(factory=dict)
    log: list[Event] = field(factory=list)
    violations: list[Finding] = field(factory=list)
    unmet: list[Finding] = field(factory=list)
    step: int = 0
    checked: int = 0
    expectations: int = 0

    # --- what every action goes through ---

    def observe(self, before: World, step: Step, after: World) -> None:
        """Tell and judge one action of the network."""
        self.log.append(step)
        self.checked += 1
        self.accuse(registry.check_step(self.driver.network, before, step, after))

    def accuse(self, found: Iterable[registry.Violation]) -> None:
        """Note violations."""
        found = list(found)
        self.log += found
        self.violations += [Finding(self.step, f"{v.statement}: {v.detail}", v.statement) for v in found]

    def remark(self, text: str, mark: str = "--") -> None:
        self.log.append(Remark(text, mark))

    def miss(self, what: str) -> None:
        """Note that something was not as expected."""
        self.unmet.append(Finding(self.step, what))
        self.remark(what, "!!")

    def judge(self, outcome: Outcome[Any], reason: str | None, place: str) -> None:
        """Compare how an action ended with how it should."""
        self.expectations += reason is not None
        found = outcome.reason.name if isinstance(outcome, Rejected) else None
        if found != reason:
            ending = show_rejection(outcome) if isinstance(outcome, Rejected) else "acceptance"
            self.miss(f"{place}: expected {reason or 'acceptance'}, found {ending}")

    def each(self, at: Iterable[str], act: Callable[[PublicKey], Outcome[Any]], reason: str | None) -> None:
        """Do something at each of some validators."""
        for name in at:
            self.judge(act(self.validators[name]), reason, f"at {name}")

    def play_all(self, progress: Callable[[], None]) -> None:
        """Play the steps up to the first violation; at the end, judge liveness."""
        for number, step in enumerate(self.scenario.steps, 1):
            self.step = number
            if step.note:
                self.remark(step.note)
            self.driver.actor = getattr(step, "who", None)
            self.play(step)
            progress()
            if self.violations:
                return
        self.accuse(registry.check_goals(self.driver.network, self.driver.world))

    # --- steps ---

    @singledispatchmethod
    def play(self, step: AnyStep) -> None:
        """Play one step."""
        raise NotImplementedError(step)

    @play.register
    def _(self, step: Extend) -> None:
        client = self.clients[step.who]
        result = self.driver.extend(client, step.chain, self.transactions(client, step.chain, step.operations))
        self.conclude(step, step.chain, result, step.reason)

    @play.register
    def _(self, step: Contend) -> None:
        waiting = [(party, self.extending(step.chain, party)) for party in step.parties]
        while waiting:
            party, turns = waiting.pop(0)
            self.driver.actor = party.who
            self.driver.order = tuple(self.validators[name] for name in party.at or self.validators)
            try:
                next(turns)
                waiting.append((party, turns))
            except StopIteration as end:
                self.conclude(party, step.chain, end.value, None)
        self.driver.order = tuple(self.validators.values())

    @play.register
    def _(self, step: Finish) -> None:
        proposal, client = self.proposal(step.block), self.clients[step.who]
        if proposal is None:
            return
        item = self.validated(proposal) or proposal.request
        chain_id = proposal.request.block.chain_id
        outcome = self.driver.learn(client, item)
        done = self.driver.finish(client, chain_id, item) if isinstance(outcome, Accepted) else outcome
        self.conclude(step, chain_id, done, step.reason)

    @play.register
    def _(self, step: LearnLocks) -> None:
        client, keys = self.clients[step.who], [self.validators[name] for name in step.at] or self.driver.online()
        context, world = self.driver.network.context, self.driver.world
        infos = [round_info(chain_of(world.validators[key], step.chain)) for key in keys if key in world.validators]
        client.node = learn_locks(context, client.node, infos)
        lock = client.chain(step.chain).localized.rounds.locked
        heard = "of no lock" if lock is None else f"of a lock in round {lock.round}"
        self.remark(f"{step.who} hears {heard} on chain {show_chain(step.chain)}")

    @play.register
    def _(self, step: ProposeBlock) -> None:
        client = self.clients[step.who]
        transactions = self.transactions(client, step.chain, step.operations)
        outcome = self.driver.propose(client, step.chain, transactions, step.round)
        if isinstance(outcome, Rejected):
            self.refuse_locally(step.who, step.chain, outcome)
            return self.judge(outcome, step.reason, f"{step.who}'s block")
        request: Request = outcome.outputs[0]
        self.blocks[step.block] = Proposal(request, self.executed(client, request.block))
        return self.each(step.at, partial(self.deliver, request), step.reason)

    @play.register
    def _(self, step: Equivocate) -> None:
        client = self.clients[step.who]
        for rival in step.blocks:
            block = next_block(client.chain(step.chain), self.transactions(client, step.chain, rival.operations))
            request = sign_request(self.driver.network.context.scheme, client.signer, block, rival.round)
            self.blocks[rival.block] = Proposal(request, self.executed(client, block))
            self.driver.act(Propose(request))
            for name in rival.at:
                self.judge(self.driver.deliver(self.validators[name], request), rival.reason, f"at {name}")

    @play.register
    def _(self, step: SendBlock) -> None:
        proposal = self.proposal(step.block)
        if proposal is not None:
            self.each(step.at, partial(self.deliver, proposal.request), step.reason)

    @play.register
    def _(self, step: VoteFor) -> None:
        proposal = self.proposal(step.block)
        if proposal is not None:
            payload = self.payload(proposal, Kind[step.kind.upper()])
            self.each(step.at, lambda key: self.driver.act(CastVote(key, payload)), step.reason)

    @play.register
    def _(self, step: CertifyBlock) -> None:
        voters, proposal = tuple(self.validators[name] for name in step.at), self.proposal(step.block)
        if proposal is not None:
            kind, round = Kind[step.kind.upper()], proposal.request.round
            outcome = self.driver.act(Certify(proposal.executed, voters, kind, round))
            self.judge(outcome, step.reason, f"block {step.block}")

    @play.register
    def _(self, step: HandOver) -> None:
        certificate = self.handed_over(step)
        if certificate is not None:
            self.each(step.at, partial(self.deliver, certificate), step.reason)

    @play.register
    def _(self, step: Offline) -> None:
        self.driver.offline |= {self.validators[name] for name in step.at}
        self.remark(f"offline from now on: {', '.join(step.at)}")

    @play.register
    def _(self, step: Online) -> None:
        self.driver.offline -= {self.validators[name] for name in step.at}
        self.remark(f"online again: {', '.join(step.at)}")

    @play.register
    def _(self, step: RestartNodes) -> None:
        self.each(step.at, lambda key: self.driver.act(Restart(key)), step.reason)

    @play.register
    def _(self, step: Synchronize) -> None:
        self.driver.synchronize(self.clients[step.who], step.chain)
        self.remark(f"{step.who} downloads chain {show_chain(step.chain)} and what was sent to it")

    @play.register
    def _(self, step: Upload) -> None:
        client = self.clients[step.who]
        goal = Goal(step.chain, client.chain(step.chain).consistent.next_height)
        for key in [self.validators[name] for name in step.at] or self.driver.online():
            if self.driver.upload(client, key, goal) is not step.reached:
                state = "up to date" if step.reached else "still behind"
                self.miss(f"{self.names[key]}: expected chain {show_chain(step.chain)} {state}")

    @play.register
    def _(self, step: Delivery) -> None:
        self.driver.settling = step.automatic
        state = "arrive at once" if step.automatic else "wait until they are delivered"
        self.remark(f"messages between chains {state}")

    @play.register
    def _(self, step: DeliverMessages) -> None:
        kind = UpdateRecipient if step.what == "update" else ConfirmUpdatedRecipient
        for name in step.at:
            sent = self.sent(self.validators[name], kind, step.origin, step.to)
            for number in step.which or (len(sent),):
                if 1 <= number <= len(sent):
                    self.each([name], partial(self.deliver, sent[number - 1]), step.reason)
                else:
                    self.miss(f"{name}: expected {number} such requests to have been sent, found {len(sent)}")

    @play.register
    def _(self, step: ResendMessages) -> None:
        self.each(step.at, lambda key: self.driver.resend(key, step.chain), step.reason)

    @play.register
    def _(self, step: Archive) -> None:
        self.each(step.at, lambda key: self.driver.act(ArchiveChain(key, step.chain)), step.reason)

    @play.register
    def _(self, step: Forge) -> None:
        for name in step.at:
            key = self.validators[name]
            genuine = self.genuine(step, key)
            if genuine is not None and key in self.driver.world.validators:
                outcome = self.show_forgery(step, key, genuine)
                ending = show_rejection(outcome) if isinstance(outcome, Rejected) else "is ignored"
                self.remark(f"a forged {step.what} ({step.how}) at {name}: {ending}")
                self.judge(outcome, step.reason, f"a forged {step.what} at {name}")

    @play.register
    def _(self, step: Expect) -> None:
        before = len(self.unmet)
        self.expectations += 1
        nodes = self.nodes(step.at)
        if step.chain is not None:
            for name, node in nodes.items():
                for what in unmet_facts(self.names, step, node, step.chain, name):
                    self.miss(what)
            self.expect_count(step, step.chain)
        if step.agreement is not None:
            self.expect_agreement(step, nodes)
        if step.block is not None:
            self.expect_block(step, step.block)
        if len(self.unmet) == before:
            self.remark(show_expectation(step, list(nodes)), "ok")

    # --- expectations about more than one node ---

    def expect_count(self, step: Expect, chain: ChainId) -> None:
        found = sum(c.executed.block.chain_id == chain for c in self.driver.world.certificates.values())
        if step.certificates not in (None, found):
            self.miss(f"certificates of chain {show_chain(chain)}: expected {step.certificates}, found {found}")

    def expect_agreement(self, step: Expect, nodes: dict[str, Validator]) -> None:
        differing = disagreement(nodes, step.chain)
        if (differing is None) is not step.agreement:
            what = "agreement" if step.agreement else "disagreement"
            self.miss(f"expected {what} of {', '.join(nodes)}, found it not on chain {differing or 'any'}")

    def expect_block(self, step: Expect, block: str) -> None:
        scheme, known = self.driver.network.context.scheme, self.blocks.get(block)
        found = known is not None and scheme.hash(known.executed) in self.driver.world.certificates
        if found is not step.certified:
            self.miss(f"block {block}: expected {'a' if step.certified else 'no'} certificate")

    # --- clients at work ---

    def extending(self, chain_id: ChainId, party: PartySpec) -> Turns[Any]:
        """Let one of several owners extend a chain, a delivery a turn."""
        client = self.clients[party.who]
        transactions = self.transactions(client, chain_id, party.operations)
        return self.driver.extending(client, chain_id, transactions, party.attempts)

    def conclude(self, step: Extend | Finish | PartySpec, chain_id: ChainId, result: Any, reason: str | None) -> None:
        """Compare how the work of a client ended with how it should."""
        if isinstance(result, Rejected):
            self.refuse_locally(step.who, chain_id, result)
            return self.judge(result, reason, f"{step.who}'s block")
        self.judge(Accepted(result), reason, f"{step.who}'s block")
        if (result is not None) is not step.certified:
            self.miss(f"{step.who}'s block: expected {'a' if step.certified else 'no'} quorum of votes")
        return None

    # --- finding things ---

    def payload(self, proposal: Proposal, kind: Kind) -> VotePayload:
        """Return what a vote for a proposal says."""
        return payload_of(self.driver.network.context, proposal.executed, kind, proposal.request.round)

    def validated(self, proposal: Proposal) -> Certificate | None:
        """Find the validated certificate of a proposal."""
        return self.driver.world.validated.get(self.payload(proposal, Kind.VALIDATED))

    def handed_over(self, step: HandOver) -> Certificate | None:
        """Find the certificate of a place, or the validated one of a proposal."""
        if step.chain is not None and step.height is not None:
            return self.certificate(step.chain, step.height)
        proposal = self.proposal(step.block or "")
        found = None if proposal is None else self.validated(proposal)
        if proposal is not None and found is None:
            self.miss(f"block {step.block}: expected a validated certificate")
        return found

    def deliver(self, item: Any, key: PublicKey) -> Outcome[World]:
        return self.driver.deliver(key, item)

    def transactions(self, client: Client, chain: ChainId, operations: Operations) -> tuple[Transaction, ...]:
        return transactions_of(client.chain(chain), operations, self.users)

    def refuse_locally(self, who: str, chain: ChainId, rejected: Rejected) -> None:
        self.remark(f"{who}'s own node refuses the block of chain {show_chain(chain)}: {show_rejection(rejected)}")

    def executed(self, client: Client, block: Block) -> ExecutedBlock:
        """Execute a block as its proposer would; of an invalid one, claim something."""
        context, chain = local_context(self.driver.network.context), client.chain(block.chain_id)
        try:
            check_active(chain.consistent.created, chain.consistent.owner)
            return execute_block(context, chain, block).executed
        except Rejection:
            return ExecutedBlock(block, (), bytes(32))

    def proposal(self, block: str) -> Proposal | None:
        """Find a block by its name in the scenario."""
        if block not in self.blocks:
            self.miss(f"block {block}: expected a block that was proposed")
        return self.blocks.get(block)

    def certificate(self, chain: ChainId, height: int) -> Certificate | None:
        """Find the certificate of a place."""
        for certificate in self.driver.world.certificates.values():
            block = certificate.executed.block
            if (block.chain_id, block.height) == (chain, height):
                return certificate
        self.miss(f"expected a certificate of block {height} of chain {show_chain(chain)}")
        return None

    def sent(self, key: PublicKey, kind: type[Any], sender: ChainId, recipient: ChainId) -> list[Any]:
        """Return the cross-chain requests between two chains at a validator, in the order of their first sending."""
        outputs: dict[Any, None] = {}
        for action, outcome in ((step.action, step.outcome) for step in self.driver.trace):
            if isinstance(action, Deliver | Resend) and action.validator == key and isinstance(outcome, Accepted):
                outputs |= dict.fromkeys(o for o in outcome.outputs if isinstance(o, kind))
        return [item for item in outputs if (item.sender, item.recipient) == (sender, recipient)]

    def genuine(self, step: Forge, key: PublicKey) -> Any:
        """Find what a forgery is made of."""
        if step.chain is not None and step.height is not None:
            return self.certificate(step.chain, step.height)
        if step.block is not None:
            proposal = self.proposal(step.block)
            return None if proposal is None else proposal.request
        if step.origin is not None and step.to is not None:
            sent = self.sent(key, UpdateRecipient, step.origin, step.to)
            return sent[-1] if sent else self.miss(f"{self.names[key]}: expected a cross-chain request to tamper with")
        return None

    def show_forgery(self, step: Forge, key: PublicKey, genuine: Any) -> Outcome[Any]:
        """Give a forgery to a validator, outside the network: there, nobody forges. It must not change anything."""
        network, validator = self.driver.network, self.driver.world.validators[key]
        forger = make_signer(network.context.scheme, secret_of("forger", "forger"))
        try:
            forged = FORGERIES[step.what][step.how](Material(genuine, network.context.scheme, forger))
        except Rejection as rejection:
            return Rejected(rejection.reason, rejection.detail)
        outcome = handle(network.context, validator, forged, network.signers[key])
        if isinstance(outcome, Accepted) and outcome.state is not validator:
            self.miss(f"a forged {step.what} changed {self.names[key]}")
        return outcome

    def nodes(self, at: Sequence[str]) -> dict[str, Validator]:
        """Return the nodes of these names, or all correct validators."""
        found: dict[str, Validator] = {}
        for name in at or self.validators:
            if name in self.clients:
                found[name] = self.clients[name].node.validator
            elif self.validators[name] in self.driver.world.validators:
                found[name] = self.driver.world.validators[self.validators[name]]
            elif at:
                self.miss(f"{name} is Byzantine: nothing is expected of it")
        return found

    # --- the end ---

    def trace(self) -> Document:
        """Describe the run."""
        source = f"scenario {self.scenario.name} ({self.crypto})"
        return trace_of(self.driver.network, self.log, self.scenario.title, self.names, source)

    def result(self) -> ScenarioResult:
        """Sum up."""
        outcomes = [step.outcome for step in self.driver.trace]
        reasons = Counter(outcome.reason.name for outcome in outcomes if isinstance(outcome, Rejected))
        return ScenarioResult(
            name=self.scenario.name,
            title=self.scenario.title,
            crypto=self.crypto,
            steps=self.step,
            actions=len(outcomes),
            rejections=dict(sorted(reasons.items())),
            certificates=len(self.driver.world.certificates),
            checked=self.checked,
            expectations=self.expectations,
            violations=tuple(self.violations),
            unmet=tuple(self.unmet),
            story=tuple(tell(self.names, self.log)),
        )


def start(scenario: Scenario, crypto: str | None = None) -> Run:
    """Set a scenario up, with its own cryptography or another."""
    crypto = crypto or scenario.crypto
    network = build_network(scenario, crypto)
    validators = {n: s.public_key for n, s in validator_signers(scenario, network.context.scheme).items()}
    users = user_signers(scenario, network.context.scheme)
    silent = {validators[name] for name, spec in scenario.validators.items() if spec.byzantine == "silent"}
    order = tuple(validators.values())
    driver = Driver(network, initial_world(network), offline=silent, complicit=True, order=order)
    owned = {name: [chain.id for chain in scenario.chains if name in chain.owners] for name in users}
    clients = {name: driver.client(name, signer, *owned[name]) for name, signer in users.items()}
    names = {key: name for name, key in validators.items()} | {s.public_key: name for name, s in users.items()}
    run = Run(scenario, crypto, driver, validators, users, clients, names)
    driver.observe = run.observe
    return run


def play_scenario(scenario: Scenario, crypto: str | None = None, progress: Callable[[], None] = lambda: None) -> Run:
    """Play a scenario to its end or its first violation."""
    run = start(scenario, crypto)
    run.play_all(progress)
    return run

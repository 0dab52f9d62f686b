"""Whether real runs are runs of the abstract network that the theorems speak of.

The abstraction takes a step of ``linera_reference.network`` and says in facts what the constants and relations of the
abstract network are there: the cell before and after, the block, the vote, who signed what. From these facts the guard
of the action that the step is must follow, as the network theorems state it; and nothing outside of what the action
changes may have changed. Distinct values get distinct names, so nothing holds by accident.
"""

from collections.abc import Callable, Hashable, Iterator
from functools import cache
from typing import Any, Final

import z3
from attrs import define, field, fields

from linera_invariants.driver import Step
from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Certificate, Kind, Vote, VotePayload
from linera_reference.chain import Chain, Consistent, activate
from linera_reference.committee import combined_weight, is_quorum
from linera_reference.containers import Set
from linera_reference.execution import execute_block
from linera_reference.identifiers import ChainId
from linera_reference.messages import Create
from linera_reference.network import (
    Action,
    ArchiveChain,
    CastVote,
    Certify,
    Deliver,
    Network,
    Propose,
    Resend,
    Restart,
    World,
)
from linera_reference.notation import PublicKey
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.ownership import Owners, owns
from linera_reference.rejections import Rejected, Rejection
from linera_reference.request import Request, request_is_authentic
from linera_reference.validator import chain_of, payload_of, target_of

from .cells import CellTerms, CertificateTerms, Option
from .contracts.chain import Rest, rest_of, with_rest
from .network_theorems import agreement as model
from .relational import State
from .symbolic import disj
from .theorems import said

NAMES: Final[dict[type | Kind, str]] = {
    Request: "handle a request",
    Kind.CONFIRMED: "handle a certificate",
    Kind.VALIDATED: "handle a validated certificate",
    UpdateRecipient: "handle messages",
    ConfirmUpdatedRecipient: "handle an answer",
    ArchiveChain: "archive",
    Restart: "restart",
    CastVote: "a Byzantine vote",
}
"""Which action of the abstract network a step is, by what was delivered or done, certificates by their kind."""

CHANGES: Final[dict[type, tuple[str, ...]]] = {
    Propose: ("requests",),
    CastVote: ("votes",),
    Certify: ("certificates", "validated"),
    Deliver: ("validators", "votes", "internal"),
    Resend: ("internal",),
    ArchiveChain: ("validators",),
    Restart: ("validators",),
}
"""The parts of the world that an action may change."""


def misfit(network: Network, before: World, step: Step, after: World) -> str | None:
    """Return why a step of the network is no step of the abstract network, ⊥ if it is one."""
    action = step.action
    if isinstance(step.outcome, Rejected):
        return None if after is before else "a rejected step changed the world"
    votes = tuple(answer for answer in step.outcome.outputs if isinstance(answer, Vote))
    changed = outside(action, before, after, votes)
    if changed is not None or len(votes) > 1:
        return changed or "a step was answered with two votes"
    item, key, chains = about(action, before)
    name = name_of(item)
    for chain_id in chains if name else ():
        found = Facts(network, before, after, votes).missing(name, item, key, chain_id)
        if found is not None:
            return found
    return wrong_requests(network, before, key, after)


def name_of(item: Any) -> str:
    """Return the name of the abstract step, empty if there is none."""
    return NAMES.get(item.kind if isinstance(item, Certificate) else type(item), "")


def about(action: Any, before: World) -> tuple[Any, Any, tuple[ChainId | None, ...]]:
    """Return what an action handles, or the action, the validator, and the chains that it concerns, ⊥ for none."""
    if isinstance(action, Deliver):
        return action.item, action.validator, (target_of(action.item),)
    if isinstance(action, Restart):
        return action, action.validator, tuple(sorted(before.validators[action.validator].chains))
    return action, getattr(action, "validator", None), (getattr(action, "chain_id", None),)


def wrong_requests(network: Network, before: World, key: PublicKey, after: World) -> str | None:
    """Return why a step sends blocks between chains that the abstract network would not."""
    if after.internal is before.internal:
        return None
    new = blocks_sent(after, key) - blocks_sent(before, key)
    for sender, executed in new:
        problem = Facts(network, after, after).missing("send messages", executed, key, sender)
        if problem is not None:
            return problem
    return None


def blocks_sent(world: World, key: PublicKey) -> set[tuple[ChainId, ExecutedBlock]]:
    """Return the blocks that a validator ever sent between its chains, with the chain that sent them."""
    requests = (item for item in world.internal.get(key, Set()) if isinstance(item, UpdateRecipient))
    return {(request.sender, certificate.executed) for request in requests for certificate in request.certificates}


# --- What a step may change --------------------------------------------------------------------------------------


def outside(action: Action, before: World, after: World, answered: tuple[Vote, ...]) -> str | None:
    """Name what a step changed outside of what its action may change."""
    allowed = CHANGES[type(action)]
    for part in fields(World):
        if part.name not in allowed and getattr(before, part.name) != getattr(after, part.name):
            return f"{type(action).__name__} changed the {part.name}"
    if isinstance(action, Deliver | ArchiveChain | Restart):
        _, acting, chains = about(action, before)
        for key, chain_id in changed_places(before, after):
            if key != acting or chain_id not in chains:
                where = "" if isinstance(action, Restart) else f" at chain {list(chains[0] or ())}"
                return f"{type(action).__name__}{where} changed chain {list(chain_id)}"
    if not is_history(before, after):
        return f"{type(action).__name__} forgot what was sent"
    return None if after.votes is before.votes else wrong_vote(before, action, after, answered)


def wrong_vote(before: World, action: Any, after: World, answered: tuple[Vote, ...]) -> str | None:
    """Name a vote that was cast in a step and is not of its action: by who acts, who answers with it."""
    for vote in after.votes:
        if before.votes.contains(vote):
            continue
        if vote.validator != action.validator:
            return "a vote was cast by another validator than the one that acts"
        if vote not in answered:
            return "a vote was cast that was not answered"
    return None


def changed_places(before: World, after: World) -> Iterator[tuple[PublicKey, ChainId]]:
    """Walk the chains at correct validators whose view changed."""
    for key, validator in after.validators.items():
        old = before.validators[key]
        if old is not validator:
            yield from ((key, i) for i, chain in validator.chains.items() if old.chains.get(i) != chain)


def is_history(before: World, after: World) -> bool:
    """Whether everything that was sent before still is."""
    votes = after.votes is before.votes or all(map(after.votes.contains, before.votes))
    requests = after.requests is before.requests or all(map(after.requests.contains, before.requests))
    certificates = set(before.certificates) <= set(after.certificates)
    return votes and requests and certificates and set(before.validated) <= set(after.validated)


# --- The abstraction ---------------------------------------------------------------------------------------------


@define(eq=False)
class Facts:
    """What the symbols of the abstract network mean in one step; each value gets a name of its own."""

    network: Network
    before: World
    after: World
    votes: tuple[Vote, ...] = ()
    names: dict[tuple[str, Hashable], z3.ExprRef] = field(factory=dict)
    found: list[z3.BoolRef] = field(factory=list)

    def missing(self, name: str, item: Any, key: PublicKey, chain_id: ChainId | None = None) -> str | None:
        """Return the parts of an action's guard that do not follow from what is said of the step, ⊥ if all do."""
        state, guards = abstract_network()
        self.tell(state, item, key, chain_id)
        if self.follows(guards[name]):
            return None
        parts = (" ".join(str(part).split()) for part in _parts(guards[name]) if not self.follows(part))
        return f"it is no step '{name}': {'; '.join(parts)}"

    def follows(self, formula: z3.BoolRef) -> bool:
        """Whether a formula follows from the facts."""
        solver = z3.Solver()
        solver.add(*self.formulas, z3.Not(formula))
        return str(solver.check()) == "unsat"

    @property
    def formulas(self) -> tuple[z3.BoolRef, ...]:
        """The facts, and that different values are different."""
        groups: dict[str, list[z3.ExprRef]] = {}
        for (sort, _), constant in self.names.items():
            groups.setdefault(sort, []).append(constant)
        return (*self.found, *(z3.Distinct(*group) for group in groups.values() if len(group) > 1))

    # --- names ---

    def name(self, sort: z3.SortRef, value: Hashable) -> z3.ExprRef:
        """Return the name of a value; when it is new, say what is known of it."""
        place = (sort.name(), value)
        if place not in self.names:
            self.names[place] = z3.Const(f"{sort.name()}_{len(self.names)}", sort)
            self.describe(self.names[place], value)
        return self.names[place]

    def describe(self, named: z3.ExprRef, value: Any) -> None:
        """Say what the words of the contracts say of a value."""
        w = model.WORDS
        match value:
            case Rest():
                self.found.append(w.is_created(named) == value.created)
                self.optional(w.owner_of(named), model.OWNER, value.owner)
            case Block():
                self.found.append(w.height_of(named) == value.height)
                self.found.append(model.chain_of(named) == self.name(model.CHAIN, value.chain_id))
                self.optional(w.previous_of(named), model.HASH, value.previous_hash)
            case ExecutedBlock():
                self.found.append(w.block_of(named) == self.name(model.BLOCK, value.block))
                self.found.append(w.hash_of(named) == self.name(model.HASH, self.network.context.scheme.hash(value)))
            case _ if named.sort() == model.OWNER:
                self.found.append(w.several(named) == isinstance(value, Owners))

    def optional(self, option: Option, sort: z3.SortRef, value: Hashable) -> None:
        """Say what an optional value is."""
        self.found.append(option.present == (value is not None))
        if value is not None:
            self.found.append(option.value == self.name(sort, value))

    def cell(self, terms: CellTerms, chain: Chain) -> None:
        """Say what a chain at a validator is."""
        part, n = chain.consistent, z3.Int("n!")
        log = z3.K(z3.IntSort(), self.name(model.HASH, None))
        for height in range(part.log.length):
            log = z3.Store(log, height, self.name(model.HASH, part.log.get(height)))
        self.found.append(terms.rest == self.name(model.REST, rest_of(part)))
        self.found.append(terms.next_height == part.next_height)
        self.found.append(z3.ForAll([n], terms.log(n) == log[n]))
        self.optional(terms.tip, model.HASH, part.block_hash)
        self.optional(terms.pending, model.EXECUTED, chain.localized.pending)
        self.found.append(terms.last == chain.localized.rounds.last)
        self.shown(terms.locked, chain.localized.rounds.locked)

    def shown(self, terms: CertificateTerms, certificate: Certificate | None) -> None:
        """Say what a lock or a justification is."""
        self.found.append(terms.present == (certificate is not None))
        if certificate is not None:
            self.found.append(terms.says(self.name(model.EXECUTED, certificate.executed), certificate.round))

    def kept(self, relation: Callable[[Any], z3.BoolRef], chain: Chain) -> None:
        """Say of which blocks a chain keeps the certificates."""
        certificates = chain.localized.certificates.since(0)
        names = [self.name(model.EXECUTED, certificate.executed) for certificate in certificates]
        e = z3.Const("e!", model.EXECUTED)
        self.found.append(z3.ForAll([e], relation(e) == disj(*(e == name for name in names)), patterns=[relation(e)]))

    # --- steps ---

    def tell(self, state: State, item: Any, key: PublicKey, chain_id: ChainId | None) -> None:
        """Say everything about a step that its action may ask for."""
        self.found.append(model.correct(model.V) == (key in self.before.validators))
        self.found.append(self.name(model.VALIDATOR, key) == model.V)
        if chain_id is None:
            old = new = Chain(())
        else:
            old, new = (chain_of(world.validators[key], chain_id) for world in (self.before, self.after))
            self.found.append(self.name(model.CHAIN, chain_id) == model.C)
            self.cell(model.cell(state, model.V, model.C), old)
            self.cell(model.any_cell(), new)
            self.kept(lambda executed: state.kept(model.V, model.C, executed), old)
            self.kept(model.KEPT_AFTER, new)
        self.about(state, item, old, new)
        if isinstance(item, UpdateRecipient):
            for certificate in item.certificates:
                self.creation(state, certificate.executed, key, old)

    def about(self, state: State, item: Any, old: Chain, new: Chain) -> None:
        """Say what a step is about: the block, who signed it, what was voted for or certified."""
        match item:
            case Request(block):
                self.request(state, item, old)
                self.vote(new.localized.pending)
                self.execution(rest_of(old.consistent), block)
            case Certificate(executed):
                self.certificate(state, executed, item.round)
                self.vote(executed)
                self.execution(rest_of(old.consistent), executed.block)
            case ExecutedBlock():
                self.certificate(state, item)

    def vote(self, executed: ExecutedBlock | None) -> None:
        """Say what was voted for, if the hash is that of the block that it should be for."""
        self.found.append(z3.Bool("votes") == bool(self.votes))
        for vote in self.votes:
            kind, block_hash, its_round = vote.payload.kind, vote.payload.block_hash, vote.payload.round
            self.found += [model.VOTE.validates == (kind is Kind.VALIDATED), model.VOTE.round == its_round]
            if executed is not None and block_hash == self.network.context.scheme.hash(executed):
                self.found.append(self.name(model.EXECUTED, executed) == model.EXECUTED_IN)

    def request(self, state: State, request: Request, chain: Chain) -> None:
        """Say who signed a block, whether this is an owner, and what justifies it."""
        names = self.name(model.KEY, request.owner), self.name(model.BLOCK, request.block)
        genuine = request_is_authentic(self.network.context.scheme, request)
        signed = any((r.owner, r.block) == (request.owner, request.block) for r in self.before.requests)
        self.found += [names[0] == model.KEY_IN, names[1] == model.BLOCK_IN, request.round == model.ROUND_IN]
        self.found += [z3.Bool("authentic") == genuine, state.signed(*names) == signed]
        owner, reason = chain.consistent.owner, request.justification
        if owner is not None:
            is_owner = model.WORDS.owns(self.name(model.OWNER, owner), names[0])
            self.found.append(is_owner == owns(owner, request.owner))
        self.shown(model.REASON, reason)
        if reason is not None:
            self.validated(state, reason.executed, reason.round)

    def certificate(self, state: State, executed: ExecutedBlock, its_round: int | None = None) -> None:
        """Say whether a quorum voted for an executed block: to confirm in any round, to validate in one."""
        named = self.name(model.EXECUTED, executed)
        cast = {vote.payload for vote in self.before.votes}
        certified = any(
            self.has_quorum(payload)
            for payload in cast
            if payload == payload_of(self.network.context, executed, round=payload.round)
        )
        self.found += [named == model.EXECUTED_IN, state.certified(named) == certified]
        if its_round is not None:
            self.found.append(its_round == model.VOTE.round)
            self.validated(state, executed, its_round)

    def validated(self, state: State, executed: ExecutedBlock, its_round: int) -> None:
        """Say whether a quorum voted to validate an executed block in a round."""
        payload = payload_of(self.network.context, executed, Kind.VALIDATED, its_round)
        self.found.append(state.validated(self.name(model.EXECUTED, executed), its_round) == self.has_quorum(payload))

    def has_quorum(self, payload: VotePayload) -> bool:
        """Whether a quorum signed a payload, by the votes that were ever cast."""
        context = self.network.context
        voters = {vote.validator for vote in self.before.votes if vote.payload == payload}
        return is_quorum(context.committee, combined_weight(context.committee, voters), context.rules.quorum)

    def execution(self, rest: Rest, block: Block) -> None:
        """Say what the execution of a block yields, on a chain of which nothing but the rest is known."""
        w, before, named = model.WORDS, self.name(model.REST, rest), self.name(model.BLOCK, block)
        blank = Chain(block.chain_id, with_rest(Consistent(), rest))
        try:
            staged = execute_block(self.network.context, blank, block)
        except Rejection:
            self.found.append(z3.Not(w.executes(before, named)))
            return
        self.found.append(w.executes(before, named))
        self.found.append(w.executed(before, named) == self.name(model.EXECUTED, staged.executed))
        self.found.append(w.rest_after(before, named) == self.name(model.REST, rest_of(staged.chain.consistent)))

    def creation(self, state: State, executed: ExecutedBlock, key: PublicKey, old: Chain) -> None:
        """Say what a block makes of a chain that it creates, and whether the validator sent it."""
        contents = (m.content for m in executed.messages if m.recipient == old.chain_id)
        for content in contents:
            if isinstance(content, Create):
                blank = self.network.context.application.initial_state()
                born = rest_of(activate(old.consistent, content.owner, blank, executed.block.height))
                named, before = self.name(model.EXECUTED, executed), self.name(model.REST, rest_of(old.consistent))
                self.found += [named == model.EXECUTED_IN, model.CREATION.creates(named, model.C)]
                self.found.append(model.born(before, named, model.C) == self.name(model.REST, born))
                sent = (executed.block.chain_id, executed) in blocks_sent(self.before, key)
                self.found.append(state.sent(model.V, named) == sent)


@cache
def abstract_network() -> tuple[State, dict[str, z3.BoolRef]]:
    """Return an arbitrary state of the abstract network, and when each of its actions can be taken."""
    state = model.network()
    actions = model.actions(said, state)
    return state, {name: action.guard for name, action in actions.items()}


def _parts(guard: z3.BoolRef) -> Iterator[z3.BoolRef]:
    """Walk the conjuncts of a guard."""
    if z3.is_and(guard):
        for part in guard.children():
            yield from _parts(part)
    else:
        yield guard

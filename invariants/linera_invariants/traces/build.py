"""Making a trace document: replay a run through the shipped ``network.step`` and write down what happened."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from attrs import frozen

from linera_invariants.clauses import load_spec
from linera_invariants.driver import Step
from linera_invariants.mutation import Mutant
from linera_invariants.registry import Violation, statements
from linera_invariants.schemes import SCHEMES
from linera_invariants.story import (
    ASIDE,
    Names,
    Remark,
    Teller,
    named,
    show_chain,
    show_rejection,
    show_transaction,
    well_read_teller,
)
from linera_invariants.views import Cell, changed_cells
from linera_reference.block import Block
from linera_reference.certificate import Certificate, Kind, Vote
from linera_reference.committee import max_faulty, quorum_threshold, weight
from linera_reference.network import (
    Action,
    ArchiveChain,
    CastVote,
    Certify,
    CrossChain,
    Deliver,
    Network,
    Propose,
    Resend,
    Restart,
    World,
    initial_world,
    step,
)
from linera_reference.notation import PublicKey
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.ownership import keys_of
from linera_reference.rejections import Accepted, Rejected
from linera_reference.request import Request

from .cells import FIELDS, fields_of, show_owner

FORMAT = "linera-reference trace 1.0"

Document: TypeAlias = dict[str, Any]
Event: TypeAlias = Action | Step | Remark | Violation


def trace_of(
    network: Network,
    events: Iterable[Event],
    title: str,
    names: Names,
    source: str = "",
    broken: Mapping[str, Any] | None = None,
    start: World | None = None,
) -> Document:
    """Replay a run from the initial world (or from ``start``), and describe it.

    Of ``events``, actions and steps are taken (a step's outcome is computed again); remarks are copied; a violation is
    what was found after the step before it. ``names`` gives validators and owners distinct names, in the order of their
    lanes. ``source`` says where the run comes from; ``broken`` is what :func:`broken_rule` says of a broken variant,
    under which the caller must run this function.
    """
    start = initial_world(network) if start is None else start
    run = tuple(_replay(network, events, start))
    teller = well_read_teller(names, (event.step if isinstance(event, _Turn) else event for event in run))
    return _Scribe(network, teller, run, start).document(title, {"source": source, "broken": dict(broken or {})})


def broken_rule(sentence: str, mutant: Mutant) -> Document:
    """Describe a broken variant: what it does, in which function, and by which edit."""
    rows = [row for row in mutant.description.splitlines() if not row.startswith(("---", "+++", "@@"))]
    return {"sentence": sentence, "function": mutant.function, "edit": rows}


@frozen
class _Turn:
    """A step with the worlds around it."""

    before: World
    step: Step
    after: World


def _replay(network: Network, events: Iterable[Event], world: World) -> Iterator[_Turn | Remark | Violation]:
    for event in events:
        if isinstance(event, Remark | Violation):
            yield event
            continue
        action, actor = (event.action, event.actor) if isinstance(event, Step) else (event, None)
        outcome = step(network, world, action)
        after = outcome.state if isinstance(outcome, Accepted) else world
        yield _Turn(world, Step(action, outcome, actor), after)
        world = after


@frozen
class _Scribe:
    """Writes the parts of a document."""

    network: Network
    teller: Teller
    run: tuple[_Turn | Remark | Violation, ...]
    start: World

    def document(self, title: str, optional: Document) -> Document:
        rivals = sorted(self.teller.rivals.items(), key=lambda item: item[0])
        return {
            "format": FORMAT,
            "title": title,
            **{key: value for key, value in optional.items() if value},
            "network": self.committee() | {"owners": self.owners(), "chains": self.chains()},
            "blocks": [self.block(block) for _, blocks in rivals for block in blocks],
            "initial": [self.cell(cell) for cell in self.in_order(changed_cells(None, self.start))],
            "events": [self.event(event) for event in self.run],
        }

    # --- who takes part ---

    def committee(self) -> Document:
        context, committee = self.network.context, self.network.context.committee
        schemes = {type(scheme): name for name, scheme in SCHEMES.items()}
        return {
            "crypto": schemes[type(context.scheme)],
            "quorum_rule": context.rules.quorum.value,
            "total": committee.total,
            "quorum": quorum_threshold(committee.total, context.rules.quorum),
            "faulty": max_faulty(committee.total),
            "validators": [self.validator(key) for key in sorted(self.network.signers, key=self.place)],
        }

    def place(self, key: PublicKey) -> tuple[int, PublicKey]:
        """Return the place of a key: in the order of the names, unnamed ones last."""
        known = list(self.teller.names)
        return known.index(key) if key in known else len(known), key

    def validator(self, key: PublicKey) -> Document:
        rights, byzantine = weight(self.network.context.committee, key), key in self.network.byzantine
        return {"name": self.name(key), "key": key.hex(), "weight": rights, "byzantine": byzantine}

    def owners(self) -> list[Document]:
        """List the users: who has a name, owns a chain or proposes."""
        genesis = {key for chain in self.network.genesis.chains for key in keys_of(chain.owner)}
        signed = {(r.owner, r.block, r.round) for r in self.requests()}
        keys = (set(self.teller.names) - set(self.network.signers)) | genesis | {owner for owner, _, _ in signed}
        places = Counter((owner, block.chain_id, block.height, round_) for owner, block, round_ in signed)
        rivals = {owner for (owner, *_), count in places.items() if count > 1}
        return [
            {"name": self.name(key), "key": key.hex(), "equivocates": key in rivals}
            for key in sorted(keys, key=self.place)
        ]

    def requests(self) -> Iterator[Request]:
        """Walk the requests that were sent."""
        for turn in self.turns():
            match turn.step:
                case Step(Propose(request), Accepted()):
                    yield request

    def turns(self) -> Iterator[_Turn]:
        return (event for event in self.run if isinstance(event, _Turn))

    def chains(self) -> list[Document]:
        """List the chains that exist, or are spoken of."""
        owners = {chain.chain_id: chain.owner for chain in self.network.genesis.chains}
        found = {*owners, *(chain_id for chain_id, _ in self.teller.rivals)}
        for turn in self.turns():
            found |= {cell.chain.chain_id for cell in changed_cells(turn.before, turn.after)}
            found |= {i for sent in _cross_chain(turn.step) for i in (sent.sender, sent.recipient)}
        return [
            {"id": show_chain(i)} | ({"owner": show_owner(self.teller, owners[i])} if i in owners else {})
            for i in sorted(found)
        ]

    # --- words ---

    def name(self, key: PublicKey) -> str:
        return self.teller.name(key)

    def block_id(self, block: Block) -> str:
        return f"{show_chain(block.chain_id)}:{block.height}{self.teller.letter(block)}"

    def block(self, block: Block) -> Document:
        return {
            "id": self.block_id(block),
            "name": self.teller.block(block),
            "chain": show_chain(block.chain_id),
            "label": f"{block.height}{self.teller.letter(block)}",
            "transactions": [show_transaction(self.teller.names, t) for t in block.transactions],
        }

    def cell(self, cell: Cell) -> Document:
        fields = fields_of(self.teller, cell.chain)
        return {"at": self.name(cell.key), "chain": show_chain(cell.chain.chain_id), "fields": fields}

    def in_order(self, cells: Iterable[Cell]) -> list[Cell]:
        return sorted(cells, key=lambda cell: (self.place(cell.key), cell.chain.chain_id))

    # --- events ---

    def event(self, event: _Turn | Remark | Violation) -> Document:
        match event:
            case Remark(text, mark):
                return {"event": "note", "mark": mark, "text": text}
            case Violation():
                return {"event": "violation"} | self.violation(event)
            case _:
                return {"event": "step"} | self.step(event)

    def violation(self, violation: Violation) -> Document:
        statement, clauses = statements()[violation.statement], load_spec().clauses
        return {
            "statement": statement.id,
            "title": statement.title,
            "sentence": statement.sentence,
            "detail": named(self.teller.names, violation.detail),
            "clauses": [{"id": name, "title": clauses[name].title} for name in statement.clauses],
        }

    def step(self, turn: _Turn) -> Document:
        told = self.teller.line(turn.step).removeprefix(ASIDE)
        actor = {"client": turn.step.actor} if turn.step.actor is not None else {}
        refused = {"refusal": self.refusal(turn.step.outcome)} if isinstance(turn.step.outcome, Rejected) else {}
        sent = [self.message(output) for output in _sent(turn.step)]
        return (
            {"sentence": told}
            | self.action(turn.step.action)
            | actor
            | refused
            | {
                "sent": sent,
                "changes": self.changes(turn),
            }
        )

    def refusal(self, rejected: Rejected) -> Document:
        return {"reason": rejected.reason.name, "text": show_rejection(rejected), "clause": rejected.reason.clause}

    def action(self, action: Action) -> Document:
        """Say what is done, where, and with what."""
        match action:
            case Propose(request):
                return {"action": "propose", "by": self.name(request.owner)} | self.proposal(request)
            case CastVote(key, payload):
                block = self.teller.blocks.get(payload.block_hash)
                known = {} if block is None else self.about(block, payload.round, payload.kind)
                return {"action": "vote", "at": self.name(key)} | known
            case Certify(executed, voters, kind, round_):
                signers = {"voters": sorted(map(self.name, voters))}
                return {"action": "certify"} | signers | self.about(executed.block, round_, kind)
            case Deliver(key, item):
                return {"at": self.name(key)} | self.item(item)
            case Resend(key, chain_id):
                return {"action": "resend", "at": self.name(key), "chain": show_chain(chain_id)}
            case ArchiveChain(key, chain_id):
                return {"action": "archive", "at": self.name(key), "chain": show_chain(chain_id)}
            case Restart(key):
                return {"action": "restart", "at": self.name(key)}

    def about(self, block: Block, round_: int, kind: Kind | None = None) -> Document:
        """Name a block; where there are rounds, also the round, and the aim of votes."""
        named_ = {"chain": show_chain(block.chain_id), "block": self.block_id(block)}
        if (block.chain_id, block.height) not in self.teller.in_rounds:
            return named_
        aim = {} if kind is None else {"aim": "validate" if kind is Kind.VALIDATED else "confirm"}
        return named_ | {"round": round_} | aim

    def proposal(self, request: Request) -> Document:
        since = {} if request.justification is None else {"since": request.justification.round}
        return self.about(request.block, request.round) | since

    def item(self, item: Any) -> Document:
        """Say what is delivered."""
        match item:
            case Request():
                return {"action": "request"} | self.proposal(item)
            case Certificate(executed, kind, round_):
                return {"action": "certificate"} | self.about(executed.block, round_, kind)
        sent = self.message(item)
        return {"action": sent["kind"], "chain": sent["to"], "message": sent}

    def message(self, item: Vote | Certificate | CrossChain) -> Document:
        """Describe something that is sent."""
        match item:
            case Vote(payload):
                return {"kind": "vote", "what": self.teller.vote(payload).removeprefix("votes ").removeprefix("for ")}
            case Certificate(executed, _, round_):
                return {"kind": "certificate", "what": self.teller.staged(executed.block, round_)}
            case UpdateRecipient(sender, recipient):
                ends = {"from": show_chain(sender), "to": show_chain(recipient)}
                return {"kind": "update", "what": self.teller.batch(item)} | ends
            case ConfirmUpdatedRecipient(sender, recipient, height):
                ends = {"from": show_chain(recipient), "to": show_chain(sender)}
                return {"kind": "confirm", "what": f"everything up to block {height} has arrived"} | ends

    def changes(self, turn: _Turn) -> list[Document]:
        """List the cells that a step changed, and their fields before and after ("": nothing)."""
        return [self.change(turn, cell) for cell in self.in_order(changed_cells(turn.before, turn.after))]

    def change(self, turn: _Turn, cell: Cell) -> Document:
        chain_id = cell.chain.chain_id
        known = turn.before.validators[cell.key].chains.get(chain_id)
        old = {} if known is None else fields_of(self.teller, known)
        new = fields_of(self.teller, cell.chain)
        texts = ((name, old.get(name, ""), new.get(name, "")) for name in FIELDS)
        changed = [{"name": name, "before": before, "after": after} for name, before, after in texts if before != after]
        return {"at": self.name(cell.key), "chain": show_chain(chain_id), "fields": changed}


def _sent(step: Step) -> Iterator[Any]:
    """Walk what a step sent."""
    if isinstance(step.outcome, Accepted):
        kinds = Vote | Certificate | UpdateRecipient | ConfirmUpdatedRecipient
        yield from (output for output in step.outcome.outputs if isinstance(output, kinds))


def _cross_chain(step: Step) -> Iterator[CrossChain]:
    return (item for item in _sent(step) if isinstance(item, UpdateRecipient | ConfirmUpdatedRecipient))

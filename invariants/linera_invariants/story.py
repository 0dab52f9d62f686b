"""A run as a story: numbered lines that say who does what and how it ends. Scenarios and failing examples use it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, TypeAlias

from attrs import define, field, frozen

from linera_reference.application import Burn, Credit, TokenOperation, Transfer
from linera_reference.block import (
    AddOwner,
    Block,
    ChangeKey,
    CloseChain,
    Execute,
    OpenChain,
    Receive,
    RemoveOwner,
    Transaction,
)
from linera_reference.certificate import Certificate, Kind, Vote, VotePayload
from linera_reference.crypto import hash_value
from linera_reference.encoding import decode
from linera_reference.identifiers import ChainId
from linera_reference.messages import Create, User
from linera_reference.network import ArchiveChain, CastVote, Certify, Deliver, Propose, Resend, Restart
from linera_reference.notation import Hash, PublicKey
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.rejections import Accepted, Reason, Rejected, Rejection
from linera_reference.request import Request
from linera_reference.swap import Asset, Conclude, Deposited, Paid, PutIn, SwapMessage, SwapOperation

from .driver import Step
from .registry import Violation
from .views import short

ASIDE = "    "
"""Starts the text of a line that tells a delivery between chains: a reader may skip those."""


@frozen
class Remark:
    """A line of the story that is no action of the network."""

    text: str
    mark: str = "--"


Event: TypeAlias = Step | Remark | Violation
"""A violation is seen after the step before it."""
Names: TypeAlias = Mapping[PublicKey, str]


def tell(names: Names, trace: Iterable[Event]) -> list[str]:
    """Tell a run. ``names`` maps the public keys of validators and users to names."""
    events = list(trace)
    teller = well_read_teller(names, events)
    return numbered(map(teller.sentence, events))


def numbered(sentences: Iterable[tuple[str | None, str]]) -> list[str]:
    """Lay a story out: the sentences of steps, which have no mark, get numbers."""
    steps = count(1)
    return [f"{next(steps):4}. {text}" if mark is None else f"   {mark} {text}" for mark, text in sentences]


def is_aside(line: str) -> bool:
    """Whether a line of a story tells a delivery between chains."""
    return line.partition(". ")[2].startswith(ASIDE)


# --- Words -------------------------------------------------------------------------------------------------------


def show_chain(chain_id: ChainId) -> str:
    """Write an identifier: numbers joined by dots."""
    return ".".join(map(str, chain_id))


def show_hash(value: bytes) -> str:
    """Abbreviate a key or a hash."""
    return f"#{value.hex()[:6]}"


def show_name(names: Names, key: PublicKey) -> str:
    """Name the holder of a key."""
    return names.get(key) or show_hash(key)


def named(names: Names, text: str) -> str:
    """Put names where a text abbreviates keys."""
    for key, name in names.items():
        text = text.replace(short(key), name)
    return text


def show_rejection(rejected: Rejected) -> str:
    """Say why something was refused, with what a client learns from it."""
    reason = rejected.reason
    detail = f" ({known})" if (known := _show_detail(reason, rejected.detail)) else ""
    return f"{reason.name}: {reason.sentence.rstrip(chr(46))}{detail}"


def _show_detail(reason: Reason, detail: Any) -> str:
    match reason, detail:
        case (Reason.MISSING_EARLIER_BLOCKS | Reason.UNEXPECTED_BLOCK_HEIGHT, int()):
            return f"expected height {detail}"
        case (Reason.MISSING_CROSS_CHAIN_UPDATE, tuple()):
            return ", ".join(f"block {height} of chain {show_chain(origin)}" for origin, height in detail)
        case (Reason.INSUFFICIENT_FUNDING, int()):
            return f"the balance is {detail}"
        case (Reason.INSUFFICIENT_ROUND | Reason.HAS_LOCKED_BLOCK, int()):
            return f"round {detail}"
        case (Reason.OUTBOX_NOT_EMPTY, tuple()):
            return f"to {', '.join(map(show_chain, detail))}"
        case (Reason.CONFLICTING_CERTIFICATES, (tuple() as chain_id, int() as height)):
            return f"block {height} of chain {show_chain(chain_id)}"
        case (Reason.ACTION_NOT_ENABLED, str()):
            return detail
    return ""


def show_content(names: Names, content: Create | User) -> str:
    """Say what a message brings."""
    if isinstance(content, Create):
        return f"its creation for {show_name(names, content.owner)}"
    match _decoded(content.payload, Credit, SwapMessage):
        case Credit(amount):
            return str(amount)
        case SwapMessage(Deposited(depositor, asset, wanted)):
            return f"{show_asset(asset)} for the swap by {show_name(names, depositor)} (wants {show_asset(wanted)})"
        case SwapMessage(Paid(asset)):
            return show_asset(asset)
    return f"0x{content.payload.hex()}"


def show_asset(asset: Asset) -> str:
    """Write an amount of a token."""
    return f"{asset.amount} of token {asset.token}"


def _decoded(data: bytes, *kinds: type[Any]) -> Any:
    """Decode bytes as one of the types that applications use, ⊥ if none fits."""
    for kind in kinds:
        try:
            return decode(kind, data)
        except Rejection:
            continue
    return None


def show_transaction(names: Names, transaction: Transaction) -> str:
    """Say what a transaction does."""
    match transaction:
        case OpenChain():
            return f"open chain {show_chain(transaction.chain_id)} for {show_name(names, transaction.owner)}"
        case ChangeKey():
            return f"hand the chain over to {show_name(names, transaction.owner)}"
        case AddOwner():
            return f"add {show_name(names, transaction.owner)} to the owners"
        case RemoveOwner():
            return f"remove {show_name(names, transaction.owner)} from the owners"
        case CloseChain():
            return "close the chain"
        case Receive():
            message = transaction.message
            return f"receive {show_content(names, message.content)} from {show_chain(message.origin)}"
        case Execute():
            return _show_operation(names, transaction.operation)


def _show_operation(names: Names, operation: bytes) -> str:
    match _decoded(operation, TokenOperation, SwapOperation):
        case TokenOperation(Transfer(recipient, amount)):
            return f"transfer {amount} to {show_chain(recipient)}"
        case TokenOperation(Burn(amount)):
            return f"burn {amount}"
        case SwapOperation(PutIn(swap, depositor, asset, wanted)):
            who = f"{show_name(names, depositor)} (wants {show_asset(wanted)})"
            return f"put {show_asset(asset)} into the swap on {show_chain(swap)} for {who}"
        case SwapOperation(Conclude(confirm)):
            return f"{'confirm' if confirm else 'cancel'} the swap"
    return f"operation 0x{operation.hex()}"


def letters(number: int) -> str:
    """Count in letters: a to z, then aa, ab and so on."""
    return (letters(number // 26 - 1) if number >= 26 else "") + chr(ord("a") + number % 26)


def listed(words: Sequence[str]) -> str:
    """Join words: a, b and c."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


# --- Telling -----------------------------------------------------------------------------------------------------


def well_read_teller(names: Names, events: Iterable[Event]) -> "Teller":
    """Return a teller that knows every block of a run."""
    teller = Teller(names)
    for event in events:
        if isinstance(event, Step):
            teller.read(event)
    return teller


@define
class Teller:
    """What a story knows: blocks by hash, which blocks compete for one height, and the heights that take rounds."""

    names: Names
    rivals: dict[tuple[ChainId, int], list[Block]] = field(factory=dict)
    blocks: dict[Hash, Block] = field(factory=dict)
    committed: set[tuple[PublicKey, Hash]] = field(factory=set)
    in_rounds: set[tuple[ChainId, int]] = field(factory=set)

    # --- reading ahead ---

    def read(self, step: Step) -> None:
        """Learn the blocks that a step mentions."""
        match step.action:
            case Propose(request) | Deliver(_, Request() as request):
                self.meet(request.block, request.round > 0)
                for vote in _outputs(step, Vote):
                    self.meet(request.block, vote.payload.kind is Kind.VALIDATED)
                    self.blocks[vote.payload.block_hash] = request.block
            case Certify(executed, _, kind, round) | Deliver(_, Certificate(executed, kind, round)):
                self.meet(executed.block, kind is Kind.VALIDATED or round > 0)
                self.blocks[hash_value(executed)] = executed.block

    def meet(self, block: Block, in_rounds: bool = False) -> None:
        """Remember a block among those of its height, and whether the height takes rounds."""
        place = block.chain_id, block.height
        known = self.rivals.setdefault(place, [])
        if block not in known:
            known.append(block)
        if in_rounds:
            self.in_rounds.add(place)

    # --- words that need what was read ---

    def name(self, key: PublicKey) -> str:
        return show_name(self.names, key)

    def block(self, block: Block) -> str:
        """Name a block."""
        return f"{self.place(block)} of chain {show_chain(block.chain_id)}"

    def place(self, block: Block) -> str:
        """Name a block of a chain; a letter tells blocks of one height apart."""
        letter = self.letter(block)
        return f"block {block.height} ({letter})" if letter else f"block {block.height}"

    def letter(self, block: Block) -> str:
        """Return the letter of a block that has rivals."""
        rivals = self.rivals[(block.chain_id, block.height)]
        return letters(rivals.index(block)) if len(rivals) > 1 else ""

    def hash(self, block_hash: Hash) -> str:
        """Name the block of a hash."""
        block = self.blocks.get(block_hash)
        return show_hash(block_hash) if block is None else self.block(block)

    def stage(self, block: Block, round: int) -> str:
        """Name the round, where there are rounds."""
        return f" in round {round}" if (block.chain_id, block.height) in self.in_rounds else ""

    def staged(self, block: Block, round: int) -> str:
        """Name a block, with the round where there are rounds."""
        return self.block(block) + self.stage(block, round)

    def vote(self, payload: VotePayload) -> str:
        """Say what a vote is for."""
        block = self.blocks.get(payload.block_hash)
        if block is None or (block.chain_id, block.height) not in self.in_rounds:
            return f"votes for {self.hash(payload.block_hash)}"
        aim = "validate" if payload.kind is Kind.VALIDATED else "confirm"
        return f"votes to {aim} {self.staged(block, payload.round)}"

    def answer(self, step: Step, otherwise: str) -> str:
        """Say what a validator votes for, or something else if it does not vote."""
        return next((self.vote(vote.payload) for vote in _outputs(step, Vote)), otherwise)

    # --- lines ---

    def sentence(self, event: Event) -> tuple[str | None, str]:
        """Tell an event; what is no step has a mark, too."""
        match event:
            case Remark(text, mark):
                return mark, text
            case Violation(statement, detail):
                return "!!", f"{statement} is violated: {named(self.names, detail)}"
            case _:
                return None, self.line(event)

    def line(self, step: Step) -> str:
        """Tell one action and how it ended."""
        match step.action:
            case Propose(request):
                return self.proposal(request) + _ending(step)
            case CastVote(key, payload):
                return f"{self.name(key)} (Byzantine) {self.vote(payload)}{_ending(step)}"
            case Certify():
                return self.certification(step, step.action) + _ending(step)
            case Deliver():
                return self.delivery(step, step.action)
            case Resend(key, chain_id):
                return f"{self.name(key)} {self.resending(step, chain_id)}{_ending(step)}"
            case ArchiveChain(key, chain_id):
                verb = "archives" if isinstance(step.outcome, Accepted) else "does not archive"
                return f"{self.name(key)} {verb} chain {show_chain(chain_id)}{_ending(step)}"
            case Restart(key):
                return f"{self.name(key)} restarts with what it stored{_ending(step)}"

    def certification(self, step: Step, action: Certify) -> str:
        """Tell what becomes of votes."""
        signers = listed(sorted(map(self.name, action.voters))) if action.voters else "nobody"
        verb = "is" if isinstance(step.outcome, Accepted) else "is not"
        done = "validated" if action.kind is Kind.VALIDATED else "certified"
        block, stage = action.executed.block, self.stage(action.executed.block, action.round)
        return f"{self.block(block)} {verb} {done}{stage} with the votes of {signers}"

    def proposal(self, request: Request) -> str:
        block, reason = request.block, request.justification
        what = "; ".join(show_transaction(self.names, t) for t in block.transactions) or "no transaction"
        since = "" if reason is None else f", validated in round {reason.round}"
        return f"{self.name(request.owner)} proposes {self.staged(block, request.round)}{since}: {what}"

    def resending(self, step: Step, chain_id: ChainId) -> str:
        recipients = [show_chain(request.recipient) for request in _outputs(step, UpdateRecipient)]
        return f"sends again what chain {show_chain(chain_id)} sent to {listed(recipients or ['nobody'])}"

    def delivery(self, step: Step, action: Deliver) -> str:
        """Tell what a validator does with something that was sent to it."""
        who, item = self.name(action.validator), action.item
        accepted = isinstance(step.outcome, Accepted)
        match item:
            case Request():
                refusal = f"refuses {self.staged(item.block, item.round)}"
                return f"{who} {self.answer(step, refusal)}{_ending(step)}"
            case Certificate(kind=Kind.VALIDATED):
                verb = "has no more use for" if accepted else "refuses"
                silence = f"{verb} validated {self.staged(item.executed.block, item.round)}"
                return f"{who} {self.answer(step, silence)}{_ending(step)}"
            case Certificate():
                verb = self.execution(action.validator, item) if accepted else "refuses"
                return f"{who} {verb} certified {self.block(item.executed.block)}{_ending(step)}"
            case UpdateRecipient():
                verb = "receives" if accepted else "refuses"
                return f"{ASIDE}at {who}, chain {show_chain(item.recipient)} {verb} {self.batch(item)}{_ending(step)}"
            case ConfirmUpdatedRecipient():
                sender, recipient = show_chain(item.sender), show_chain(item.recipient)
                heard = f"chain {sender} hears that chain {recipient} has everything up to its block {item.height}"
                return f"{ASIDE}at {who}, {heard}{_ending(step)}"

    def execution(self, key: PublicKey, certificate: Certificate) -> str:
        place = (key, hash_value(certificate.executed))
        if place in self.committed:
            return "already has"
        self.committed.add(place)
        return "executes"

    def batch(self, request: UpdateRecipient) -> str:
        blocks = [str(c.executed.block.height) for c in request.certificates] or ["none"]
        contents = [
            show_content(self.names, m.content)
            for c in request.certificates
            for m in c.executed.messages
            if m.recipient == request.recipient
        ]
        noun = "blocks" if len(blocks) > 1 else "block"
        return f"{noun} {listed(blocks)} of chain {show_chain(request.sender)}: {', '.join(contents) or 'nothing'}"


def _outputs(step: Step, kind: type[Any]) -> Iterator[Any]:
    if isinstance(step.outcome, Accepted):
        yield from (output for output in step.outcome.outputs if isinstance(output, kind))


def _ending(step: Step) -> str:
    return f": {show_rejection(step.outcome)}" if isinstance(step.outcome, Rejected) else ""

"""A setting as a finite system: local components, and what an action does to one, asked of ``network.step`` once.

The state of a correct validator is *local*: its chains, the cross-chain requests between them, and its votes. What
everybody shares (requests, certificates, votes of Byzantine validators) only enables actions. Nothing in a local state
names its validator, so one table serves all of them; the naive search does without this and must agree.

Cells (a chain at a validator), cross-chain requests, executed blocks and local states are numbered as they turn up.
"""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import combinations
from typing import Any, Generic, TypeVar

from attrs import define, field, frozen
from immutables import Map

from linera_reference.block import ExecutedBlock
from linera_reference.certificate import Certificate, Kind, Vote, VotePayload, sign_vote
from linera_reference.certification import Ballot
from linera_reference.chain import Chain
from linera_reference.containers import Set, fold
from linera_reference.identifiers import ChainId
from linera_reference.network import (
    Action,
    ArchiveChain,
    CrossChain,
    Deliver,
    Resend,
    Restart,
    World,
    initial_world,
    step,
)
from linera_reference.notation import Hash, PublicKey
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.rejections import Accepted, unwrap
from linera_reference.request import Request
from linera_reference.validator import Validator

from .model import Forged, Setting, certify_as, everything_signed, payload_for, standard_certificate
from .parts import ABSENT, Memo, Read, View

T = TypeVar("T", bound=Hashable)


def bits(mask: int) -> Iterator[int]:
    """Walk the numbers of the bits that are set."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


@define
class Numbering(Generic[T]):
    """Values by number, numbers by value."""

    values: list[T] = field(factory=list)
    numbers: dict[T, int] = field(factory=dict)

    def __call__(self, value: T) -> int:
        """Return the number of a value, a new one if need be."""
        number = self.numbers.get(value)
        if number is None:
            number = self.numbers[value] = len(self.values)
            self.values.append(value)
        return number

    def __len__(self) -> int:
        """Count the values."""
        return len(self.values)


@frozen
class Local:
    """The state of a correct validator: the number of each chain's cell, and masks of requests and ballots."""

    cells: tuple[int, ...] = ()
    sent: int = 0
    votes: int = 0


@frozen
class State:
    """A global state by the numbers of its parts."""

    locals: tuple[int, ...]
    cast: tuple[int, ...]
    requested: int = 0
    certified: int = 0


@frozen
class Input:
    """Something that a correct validator may do: a kind, and the number of what it handles."""

    kind: str
    number: int


@frozen
class Effect:
    """What an accepted input does: cells that change (by chain), requests and ballots that are sent."""

    cells: tuple[tuple[int, int], ...]
    sent: int
    votes: int


class TooManyStates(Exception):
    """The local states do not close within the bound."""


SHARED = ("request", "certificate", "forged")
"""Kinds of inputs that wait for something shared."""


@frozen
class Slot:
    """Certificates that are identified: the standard one, and the ballots that lead to one.

    A block is confirmed once, in whatever round; it is validated in each round apart.
    """

    executed: ExecutedBlock
    kind: Kind
    certificate: Certificate | None
    ballots: tuple[int, ...]


@define(eq=False)
class System:
    """The tables of a setting; they grow until :meth:`close` has closed them."""

    setting: Setting
    requests: tuple[Request, ...] = field(init=False)
    numbers: dict[Request, int] = field(factory=dict)
    """Requests by number."""
    offered: int = field(init=False)
    """How many of the requests may be sent; the others are reserved."""
    forged: tuple[Forged, ...] = field(init=False)
    chains: Numbering[ChainId] = field(factory=Numbering)
    cells: list[Numbering[Any]] = field(factory=list)
    items: Numbering[CrossChain] = field(factory=Numbering)
    locals: Numbering[Local] = field(factory=Numbering)
    ballots: Numbering[Ballot] = field(factory=Numbering)
    slots: list[Slot] = field(factory=list)
    blocks: dict[ExecutedBlock, int] = field(factory=dict)
    """The slot of the confirmed certificate of each executed block."""
    votes: dict[Vote, tuple[PublicKey, int]] = field(factory=dict)
    hashes: dict[Hash, int] = field(factory=dict)
    """The slot of each confirmed certificate, as the world knows it."""
    validated: dict[VotePayload, int] = field(factory=dict)
    """The slot of each validated certificate, as the world knows it."""
    justified: list[int | None] = field(factory=list)
    """The slot of the justification of each request."""
    formed: dict[tuple[int, int], Certificate] = field(factory=dict)
    least: dict[int, list[int]] = field(factory=dict)
    memos: dict[Input, Memo[Effect | None]] = field(factory=dict)
    rows: list[dict[Input, int]] = field(factory=list)
    """Per local state, the accepted inputs tried so far and where they lead."""
    tried: list[int] = field(factory=list)
    """Per local state, how many shared inputs were tried."""

    def __attrs_post_init__(self) -> None:
        """Number the genesis chains, the menu and the first local state."""
        menu = self.setting.menu
        self.requests, self.offered = (*menu.requests.values(), *menu.reserved.values()), len(menu.requests)
        self.forged = tuple(self.setting.menu.forged.values())
        for executed in self.setting.menu.executed.values():
            self.block(executed)
        slots = {slot.certificate: number for number, slot in enumerate(self.slots)}
        self.numbers = {request: number for number, request in enumerate(self.requests)}
        since = (request.justification for request in self.requests)
        self.justified = [None if certificate is None else slots[certificate] for certificate in since]
        start = next(iter(initial_world(self.setting.network).validators.values()))
        changed = tuple(self.cell(chain_id, chain) for chain_id, chain in sorted(start.chains.items()))
        self.locals(self.after(Local(), Effect(changed, 0, 0)))

    # --- numbering ---

    @property
    def me(self) -> PublicKey:
        """The validator that stands for all correct ones."""
        return self.setting.correct[0]

    def column(self, chain_id: ChainId) -> int:
        """Return the number of a chain."""
        number = self.chains(chain_id)
        if number == len(self.cells):
            self.cells.append(Numbering([ABSENT], {ABSENT: 0}))
        return number

    def cell(self, chain_id: ChainId, chain: Chain) -> tuple[int, int]:
        """Return the numbers of a chain and of its state."""
        column = self.column(chain_id)
        return column, self.cells[column](chain)

    def block(self, executed: ExecutedBlock) -> int:
        """Return the slot of an executed block; a new one gets its ballots, its certificates and possible votes."""
        if executed not in self.blocks:
            ballots: list[Ballot] = [(kind, executed, r) for kind, r in self.setting.menu.ballots[executed.block]]
            for ballot in ballots:
                if ballot[0] is Kind.VALIDATED:
                    self._slot([ballot], self.validated, payload_for(self.setting.network, ballot))
            confirming = [ballot for ballot in ballots if ballot[0] is Kind.CONFIRMED]
            hashed = self.setting.network.context.scheme.hash(executed)
            self.blocks[executed] = self._slot(confirming, self.hashes, hashed)
        return self.blocks[executed]

    def _slot(self, ballots: Sequence[Ballot], names: dict[Any, int], name: Any) -> int:
        """Number a slot and its ballots."""
        network, number = self.setting.network, len(self.slots)
        kind, executed, _ = ballots[0]
        standard = standard_certificate(network, ballots[0])
        self.slots.append(Slot(executed, kind, standard, tuple(map(self.ballots, ballots))))
        names[name] = number
        for ballot in ballots:
            payload = payload_for(network, ballot)
            for key, signer in network.signers.items():
                self.votes[sign_vote(network.context.scheme, signer, payload)] = (key, self.ballots(ballot))
        return number

    # --- worlds ---

    def world(self, read: Read, visible: Sequence[PublicKey]) -> World:
        """Dress a state as a world that shows some of the correct validators."""
        validators = {key: Validator(self._chains(read, key)) for key in visible}
        internal = {key: self._sent(read, key) for key in visible}
        keys = lambda: visible  # noqa: E731
        return World(
            View(lambda key: validators.get(key, ABSENT), keys),  # type: ignore[arg-type]
            self._requests(read),
            self._votes(read),
            self._certificates(read, self.hashes),
            self._certificates(read, self.validated),
            View(lambda key: internal.get(key, ABSENT), keys),  # type: ignore[arg-type]
        )

    def _chains(self, read: Read, key: PublicKey) -> Any:
        def load(chain_id: ChainId) -> Any:
            number = read(("chain", key, chain_id))
            return self.cells[self.column(chain_id)].values[number] if number else ABSENT

        def keys() -> Iterable[ChainId]:
            return [self.chains.values[i] for i, number in enumerate(read(("chains", key))) if number]

        return View(load, keys)

    def _sent(self, read: Read, key: PublicKey) -> Set[CrossChain]:
        def load(item: CrossChain) -> Any:
            return True if read(("sent", key, self.items(item))) else ABSENT

        return _set(View(load, lambda: [self.items.values[i] for i in bits(read(("all sent", key)))]))

    def _requests(self, read: Read) -> Set[Request]:
        def load(request: Request) -> Any:
            number = self.numbers.get(request)
            return True if number is not None and read(("request", number)) else ABSENT

        return _set(View(load, lambda: [self.requests[i] for i in bits(read(("requests",)))]))

    def _votes(self, read: Read) -> Set[Vote]:
        def load(vote: Vote) -> Any:
            found = self.votes.get(vote)
            return True if found is not None and read(("vote", *found)) else ABSENT

        return _set(View(load, lambda: [vote for vote, (key, p) in self.votes.items() if read(("vote", key, p))]))

    def _certificates(self, read: Read, slots: dict[Any, int]) -> Any:
        def load(name: Any) -> Any:
            number = slots.get(name)
            return self.slots[number].certificate if number is not None and read(("certificate", number)) else ABSENT

        return View(load, lambda: self.formed_names(slots, read(("certificates",))))

    @staticmethod
    def formed_names(slots: dict[Any, int], formed: int) -> list[Any]:
        """Return the names of the slots that are set in a mask."""
        return [name for name, number in slots.items() if formed >> number & 1]

    def reader(self, local: Local, key: PublicKey, shared: Read, *, arriving: bool = False) -> Read:
        """Read the slots of one validator from a local state, all others from elsewhere.

        What arrives needs votes, those of this validator perhaps among them: whether they were cast is then decided
        elsewhere, since certificates on one block are identified.
        """

        def read(slot: Any) -> Any:
            if len(slot) == 1 or slot[1] != key or (arriving and slot[0] == "vote"):
                return shared(slot)
            match slot:
                case ("chain", _, chain_id):
                    column = self.column(chain_id)
                    return local.cells[column] if column < len(local.cells) else 0
                case ("sent", _, number):
                    return local.sent >> number & 1
                case ("chains", _):
                    return local.cells
                case ("all sent", _):
                    return local.sent
                case ("vote", _, number):
                    return local.votes >> number & 1

        return read

    def validator(self, local: Local) -> Validator:
        """Build the validator of a local state."""
        cells = (
            (self.chains.values[i], self.cells[i].values[number]) for i, number in enumerate(local.cells) if number
        )
        return Validator(Map(cells))

    def sent(self, local: Local) -> Set[CrossChain]:
        """Return the cross-chain requests of a local state."""
        items = (self.items.values[number] for number in bits(local.sent))
        return fold(Set.insert, Set(), items)

    # --- local transitions ---

    def action(self, key: PublicKey, given: Input) -> Action:
        """Return the action of the network that an input is at a validator."""
        number = given.number
        match given.kind:
            case "request":
                return Deliver(key, self.requests[number])
            case "certificate":
                return Deliver(key, self.standard(number))
            case "forged":
                return Deliver(key, self.forged[number].item)
            case "item":
                return Deliver(key, self.items.values[number])
            case "resend":
                return Resend(key, self.setting.model.resend[number])
            case "restart":
                return Restart(key)
        return ArchiveChain(key, self.setting.model.archive[number])

    def inputs(self, local: Local) -> Iterator[Input]:
        """Walk what a validator in a local state may do by itself."""
        yield from (Input("item", number) for number in bits(local.sent))
        yield from (Input("resend", number) for number in range(len(self.setting.model.resend)))
        yield from (Input("archive", number) for number in range(len(self.setting.model.archive)))
        yield from (Input("restart", number) for number in range(self.setting.model.restarts))

    def shared_inputs(self) -> list[Input]:
        """Return what may come from outside, in an order that new blocks extend."""
        found = [Input("request", number) for number in range(len(self.requests))]
        found += [Input("forged", number) for number in range(len(self.forged))]
        return found + [Input("certificate", n) for n, slot in enumerate(self.slots) if slot.certificate is not None]

    def is_reserved(self, given: Input) -> bool:
        """Whether nobody but the persistent proposer sends this."""
        return given.kind == "request" and given.number >= self.offered

    def effect(self, local: Local, given: Input) -> Effect | None:
        """Return what an input does in a local state; ⊥ if it is rejected."""
        memo = self.memos.get(given)
        if memo is None:
            memo = self.memos[given] = Memo(lambda read: self._take(given, read))
        # To arrive, a shared input needs nothing of the validator; whether it was sent is the search's business.
        return memo(self.reader(local, self.me, lambda _: True, arriving=True))

    def _take(self, given: Input, read: Read) -> Effect | None:
        outcome = step(self.setting.network, self.world(read, [self.me]), self.action(self.me, given))
        return self._effect(outcome) if isinstance(outcome, Accepted) else None

    def _effect(self, outcome: Accepted[World]) -> Effect:
        chains: Any = outcome.state.validators[self.me].chains
        changed = chains.changes if isinstance(chains, View) else dict(chains)  # a restart writes all of them
        cells = tuple(self.cell(chain_id, chain) for chain_id, chain in changed.items())
        for chain in changed.values():
            if chain.localized.pending is not None:
                self.block(chain.localized.pending)
        sent = votes = 0
        for output in outcome.outputs:
            if isinstance(output, UpdateRecipient | ConfirmUpdatedRecipient):
                sent |= 1 << self.items(output)
            elif isinstance(output, Vote):
                votes |= 1 << self.votes[output][1]
        return Effect(cells, sent, votes)

    def after(self, local: Local, effect: Effect) -> Local:
        """Return the local state after an effect."""
        cells = [*local.cells, *[0] * (len(self.cells) - len(local.cells))]
        for column, number in effect.cells:
            cells[column] = number
        while cells and not cells[-1]:
            cells.pop()
        return Local(tuple(cells), local.sent | effect.sent, local.votes | effect.votes)

    def expand(self, number: int) -> dict[Input, int]:
        """Return the accepted inputs of a local state and where they lead."""
        while len(self.rows) <= number:
            self.rows.append({})
            self.tried.append(-1)
        local, shared = self.locals.values[number], self.shared_inputs()
        fresh = [*self.inputs(local), *shared] if self.tried[number] < 0 else shared[self.tried[number] :]
        for given in fresh:
            effect = self.effect(local, given)
            if effect is not None:
                self.rows[number][given] = self.locals(self.after(local, effect))
        self.tried[number] = len(shared)
        return self.rows[number]

    def close(self, bound: int) -> None:
        """Close the tables. Raises: TooManyStates."""
        complete = False
        while not complete:
            complete, number = True, 0
            while number < len(self.locals):
                complete &= number < len(self.tried) and self.tried[number] == len(self.shared_inputs())
                self.expand(number)
                number += 1
                if len(self.locals) > bound:
                    raise TooManyStates(f"more than {bound:,} local states")

    # --- certificates ---

    def standards(self) -> dict[Hash | VotePayload, Certificate | None]:
        """Return the standard certificates, as the world names them."""
        names: dict[Any, int] = {**self.hashes, **self.validated}
        return {name: self.slots[number].certificate for name, number in names.items()}

    def needed(self, number: int) -> tuple[int, int] | None:
        """Return the ballot and the mask of voters whose votes something forged shows; ⊥ if it shows none."""
        forged = self.forged[number]
        if forged.ballot is None or not forged.voters:
            return None
        self.block(forged.ballot[1])
        mask = sum(1 << i for i, key in enumerate(self.setting.order) if key in forged.voters)
        return self.ballots(forged.ballot), mask

    def certificate_of(self, ballot: int, voters: int) -> Certificate:
        """Return the certificate that some voters for a ballot, given as a mask, form."""
        if (ballot, voters) not in self.formed:
            self.formed[ballot, voters] = self._form(ballot, voters)
        return self.formed[ballot, voters]

    def _form(self, number: int, voters: int) -> Certificate:
        ballot, order = self.ballots.values[number], self.setting.order
        world = everything_signed(self.setting.network, ballot)
        outcome = step(self.setting.network, world, certify_as(ballot, (order[i] for i in bits(voters))))
        certificate: Certificate = unwrap(outcome).outputs[0]
        return certificate

    def standard(self, number: int) -> Certificate:
        """Return the certificate that stands for all of a slot."""
        certificate = self.slots[number].certificate
        if certificate is None:
            raise LookupError(number)
        return certificate

    def quorums(self, ballot: int) -> list[int]:
        """Return the least sets of voters (as masks, in the order of the setting) that certify a ballot."""
        if ballot not in self.least:
            self.least[ballot] = list(self._quorums(ballot))
        return self.least[ballot]

    def _quorums(self, number: int) -> Iterator[int]:
        ballot, order = self.ballots.values[number], self.setting.order
        world = everything_signed(self.setting.network, ballot)
        found: list[int] = []
        for chosen in (c for size in range(len(order) + 1) for c in combinations(range(len(order)), size)):
            mask = sum(1 << place for place in chosen)
            if any(mask & least == least for least in found):
                continue
            action = certify_as(ballot, (order[place] for place in chosen))
            if isinstance(step(self.setting.network, world, action), Accepted):
                found.append(mask)
                yield mask


def _set(view: View) -> Set[Any]:
    return Set(items=view)  # type: ignore[arg-type]

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

from linera_reference.block import ExecutedBlock, Request
from linera_reference.certificate import Certificate, Vote, sign_vote
from linera_reference.chain import Chain
from linera_reference.containers import Set, fold
from linera_reference.identifiers import ChainId
from linera_reference.network import (
    Action,
    ArchiveChain,
    Certify,
    CrossChain,
    Deliver,
    Resend,
    World,
    initial_world,
    step,
)
from linera_reference.notation import Hash, PublicKey
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.rejections import Accepted, unwrap
from linera_reference.validator import Validator, payload_of

from .model import Forged, Setting, everything_signed, standard_certificate
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
    """The state of a correct validator: the number of each chain's cell, and masks of requests and votes."""

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
    """What an accepted input does: cells that change (by chain), requests and votes that are sent."""

    cells: tuple[tuple[int, int], ...]
    sent: int
    votes: int


class TooManyStates(Exception):
    """The local states do not close within the bound."""


SHARED = ("request", "certificate", "forged")
"""Kinds of inputs that wait for something shared."""


@define(eq=False)
class System:
    """The tables of a setting; they grow until :meth:`close` has closed them."""

    setting: Setting
    requests: tuple[Request, ...] = field(init=False)
    forged: tuple[Forged, ...] = field(init=False)
    chains: Numbering[ChainId] = field(factory=Numbering)
    cells: list[Numbering[Any]] = field(factory=list)
    items: Numbering[CrossChain] = field(factory=Numbering)
    blocks: Numbering[ExecutedBlock] = field(factory=Numbering)
    locals: Numbering[Local] = field(factory=Numbering)
    certificates: list[Certificate | None] = field(factory=list)
    votes: dict[Vote, tuple[PublicKey, int]] = field(factory=dict)
    hashes: dict[Hash, int] = field(factory=dict)
    formed: dict[tuple[int, int], Certificate] = field(factory=dict)
    least: dict[int, list[int]] = field(factory=dict)
    memos: dict[Input, Memo[Effect | None]] = field(factory=dict)
    rows: list[dict[Input, int]] = field(factory=list)
    """Per local state, the accepted inputs tried so far and where they lead."""
    tried: list[int] = field(factory=list)
    """Per local state, how many shared inputs were tried."""

    def __attrs_post_init__(self) -> None:
        """Number the genesis chains, the menu and the first local state."""
        self.requests = tuple(self.setting.menu.requests.values())
        self.forged = tuple(self.setting.menu.forged.values())
        for executed in self.setting.menu.executed.values():
            self.block(executed)
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
        """Return the number of an executed block; a new one gets its certificate and its possible votes."""
        number = self.blocks(executed)
        if number == len(self.certificates):
            network = self.setting.network
            payload = payload_of(network.context, executed)
            self.certificates.append(standard_certificate(network, executed))
            self.hashes[payload.block_hash] = number
            for key, signer in network.signers.items():
                self.votes[sign_vote(network.context.scheme, signer, payload)] = (key, number)
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
            self._certificates(read),
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
        numbers = {request: number for number, request in enumerate(self.requests)}

        def load(request: Request) -> Any:
            number = numbers.get(request)
            return True if number is not None and read(("request", number)) else ABSENT

        return _set(View(load, lambda: [self.requests[i] for i in bits(read(("requests",)))]))

    def _votes(self, read: Read) -> Set[Vote]:
        def load(vote: Vote) -> Any:
            found = self.votes.get(vote)
            return True if found is not None and read(("vote", *found)) else ABSENT

        return _set(View(load, lambda: [vote for vote, (key, p) in self.votes.items() if read(("vote", key, p))]))

    def _certificates(self, read: Read) -> Any:
        def load(block_hash: Hash) -> Any:
            number = self.hashes.get(block_hash)
            return self.certificates[number] if number is not None and read(("certificate", number)) else ABSENT

        names = list(self.hashes)
        return View(load, lambda: [names[i] for i in bits(read(("certificates",)))])

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
        return ArchiveChain(key, self.setting.model.archive[number])

    def inputs(self, local: Local) -> Iterator[Input]:
        """Walk what a validator in a local state may do by itself."""
        yield from (Input("item", number) for number in bits(local.sent))
        yield from (Input("resend", number) for number in range(len(self.setting.model.resend)))
        yield from (Input("archive", number) for number in range(len(self.setting.model.archive)))

    def shared_inputs(self) -> list[Input]:
        """Return what may come from outside, in an order that new blocks extend."""
        found = [Input("request", number) for number in range(len(self.requests))]
        found += [Input("forged", number) for number in range(len(self.forged))]
        formed = enumerate(self.certificates)
        return found + [Input("certificate", number) for number, certificate in formed if certificate is not None]

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
        changed: dict[ChainId, Chain] = outcome.state.validators[self.me].chains.changes  # type: ignore[attr-defined]
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

    def needed(self, number: int) -> tuple[int, int] | None:
        """Return the block and the mask of voters whose votes something forged shows; ⊥ if it shows none."""
        forged = self.forged[number]
        if not isinstance(forged.item, Certificate) or not forged.voters:
            return None
        mask = sum(1 << i for i, key in enumerate(self.setting.order) if key in forged.voters)
        return self.block(forged.item.executed), mask

    def certificate_of(self, number: int, voters: int) -> Certificate:
        """Return the certificate that some voters, given as a mask, form."""
        if (number, voters) not in self.formed:
            self.formed[number, voters] = self._form(number, voters)
        return self.formed[number, voters]

    def _form(self, number: int, voters: int) -> Certificate:
        executed, order = self.blocks.values[number], self.setting.order
        world = everything_signed(self.setting.network, [executed])
        outcome = step(self.setting.network, world, Certify(executed, tuple(order[i] for i in bits(voters))))
        certificate: Certificate = unwrap(outcome).outputs[0]
        return certificate

    def standard(self, number: int) -> Certificate:
        """Return the certificate that stands for all of a block."""
        certificate = self.certificates[number]
        if certificate is None:
            raise LookupError(number)
        return certificate

    def quorums(self, number: int) -> list[int]:
        """Return the least sets of voters (as masks, in the order of the setting) that certify a block."""
        if number not in self.least:
            self.least[number] = list(self._quorums(number))
        return self.least[number]

    def _quorums(self, number: int) -> Iterator[int]:
        executed, order = self.blocks.values[number], self.setting.order
        world = everything_signed(self.setting.network, [executed])
        found: list[int] = []
        for chosen in (c for size in range(len(order) + 1) for c in combinations(range(len(order)), size)):
            mask = sum(1 << place for place in chosen)
            if any(mask & least == least for least in found):
                continue
            action = Certify(executed, tuple(order[place] for place in chosen))
            if isinstance(step(self.setting.network, world, action), Accepted):
                found.append(mask)
                yield mask


def _set(view: View) -> Set[Any]:
    return Set(items=view)  # type: ignore[arg-type]

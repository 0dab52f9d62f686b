"""The fast search: level by level over packed states, on tables that :mod:`.system` closed."""

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise, product
from math import factorial
from typing import Any, TypeAlias

import numpy as np
from attrs import define, field, frozen
from numpy.typing import NDArray

from .packing import WORD, Batch, Field, Numbers, layout, take
from .system import Input, State, System

Flags: TypeAlias = NDArray[np.bool_]


@frozen(eq=False)
class Sent:
    """What was sent in each state of a batch: masks of requests and of slots, and the voters for each ballot."""

    requested: Numbers
    formed: Numbers
    voters: list[Numbers]

    def rows(self, rows: Numbers) -> "Sent":
        """Return some of the states."""
        return Sent(self.requested[rows], self.formed[rows], [who[rows] for who in self.voters])


@define(eq=False, slots=False)
class Tables:
    """The tables of a system as arrays, and the layout of a packed state.

    Where everything is sent at once, what was sent follows from the local states and takes no bits.
    """

    system: System
    symmetric: bool = False
    word: int = WORD
    """Bits of a word to use."""
    shared: list[tuple[Input, NDArray[np.int32]]] = field(init=False)
    """Per input from outside, where it leads from each local state; -1 where nothing changes."""
    inner: list[NDArray[np.int32]] = field(init=False)
    """The i-th place that a local state reaches by itself."""
    voted: list[NDArray[np.int64]] = field(init=False)
    certifiable: list[Flags] = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Turn rows into arrays and lay fields out."""
        system = self.system
        setting = system.setting
        count, voters = len(system.locals), len(setting.order)
        self.shared = [
            (given, self._shared(given)) for given in system.shared_inputs() if not system.is_reserved(given)
        ]
        self.inner = self._inner()
        values = [local.votes for local in system.locals.values]
        self.voted = [np.array([v >> e & 1 for v in values], np.int64) for e in range(len(system.ballots))]
        self.certifiable = [_upwards(system.quorums(e), voters) for e in range(len(system.ballots))]
        self.correct = [setting.order.index(key) for key in setting.correct]
        self.byzantine = [setting.order.index(key) for key in setting.byzantine]
        self.adversary = sum(1 << place for place in self.byzantine)
        self.at_once = setting.model.at_once
        ballots, requests, slots = (1 << count for count in (len(system.ballots), system.offered, len(system.slots)))
        shared = [] if self.at_once else [*[ballots] * len(self.byzantine), requests, slots]
        fields, self.words = layout([*[count] * len(self.correct), *shared], self.word)
        split = len(self.correct)
        self.local, self.cast, self.sendings = fields[:split], fields[split:-2], fields[split:][-2:]
        self.groups = self._groups() if self.symmetric else []

    def _shared(self, given: Input) -> NDArray[np.int32]:
        rows = self.system.rows
        return np.array([_moved(number, row.get(given, -1)) for number, row in enumerate(rows)], np.int32)

    def _inner(self) -> list[NDArray[np.int32]]:
        """Lay the moves of local states by themselves side by side."""
        outside = set(self.system.shared_inputs())
        moves = [
            sorted({to for given, to in row.items() if given not in outside and to != number})
            for number, row in enumerate(self.system.rows)
        ]
        width = max(map(len, moves))
        return [np.array([row[i] if i < len(row) else -1 for row in moves], np.int32) for i in range(width)]

    def is_graded(self) -> bool:
        """Whether every way to a state has the same length, since every way to a local state has."""
        rows, ranks = self.system.rows, {0: 0}
        for number in range(len(rows)):  # states are numbered as they are reached
            for after in rows[number].values():
                if after != number and ranks.setdefault(after, ranks[number] + 1) != ranks[number] + 1:
                    return False
        return True

    def _groups(self) -> list[list[Field]]:
        """Return the fields of validators that are interchangeable, where there are several."""
        setting = self.system.setting
        kinds: dict[Any, list[Field]] = {}
        for place, key in zip(
            (*self.local, *self.cast), (*setting.correct, *setting.byzantine), strict=not self.at_once
        ):
            kinds.setdefault(setting.kind_of(key), []).append(place)
        return [fields for fields in kinds.values() if len(fields) > 1]

    def canonical(self, batch: Batch) -> Batch:
        """Return the representatives of states: interchangeable validators in the order of their states."""
        for fields in self.groups:
            values = np.sort(np.stack([place.get(batch) for place in fields]), axis=0)
            for place, column in zip(fields, values, strict=True):
                batch = place.put(batch, column)
        return batch

    def orbits(self, batch: Batch) -> int:
        """Count the states that representatives stand for: the distinct orders of equal validators."""
        total: Numbers = np.ones(len(batch[0]), np.int64)
        for fields in self.groups:
            run: Numbers = np.ones(len(total), np.int64)
            repeated: Numbers = np.ones(len(total), np.int64)
            for one, two in pairwise(place.get(batch) for place in fields):
                run = np.where(one == two, run + 1, 1)
                repeated *= run
            total *= factorial(len(fields)) // repeated
        return int(total.sum())

    def start(self) -> Batch:
        """Return the first state."""
        return [np.zeros(1, np.uint64) for _ in range(self.words)]

    def packed(self, state: State) -> Batch:
        """Pack one state."""
        batch = self.start()
        values = (*state.locals, *state.cast, state.requested, state.certified)
        for place, value in zip((*self.local, *self.cast, *self.sendings), values, strict=not self.at_once):
            batch = place.put(batch, [value])
        return batch

    def unpacked(self, batch: Batch) -> list[State]:
        """Unpack states."""
        ids, sent = [place.get(batch) for place in self.local], self.sent(batch)
        everything = np.full(len(batch[0]), (1 << len(self.system.ballots)) - 1)
        cast = [everything for _ in self.byzantine] if self.at_once else [place.get(batch) for place in self.cast]
        columns = [column.tolist() for column in (*ids, *cast, sent.requested, sent.formed)]
        split = len(self.local)
        return [State(row[:split], row[split:-2], *row[-2:]) for row in zip(*columns, strict=True)]

    # --- successors ---

    def sent(self, batch: Batch) -> Sent:
        """Return what was sent."""
        voters = self.voters(batch, [place.get(batch) for place in self.local])
        if self.at_once:
            return self.everything(Sent(np.zeros_like(voters[0]), np.zeros_like(voters[0]), voters))
        requested, formed = (place.get(batch) for place in self.sendings)
        return Sent(requested, formed, voters)

    def everything(self, sent: Sent) -> Sent:
        """Return what can be sent at once."""
        voters = [who | self.adversary for who in sent.voters]
        formed, requested = sent.formed, np.zeros_like(sent.requested)
        for number in range(len(self.system.slots)):
            formed = formed | self.formable(number, voters).astype(np.int64) << number
        for number, since in enumerate(self.system.justified[: self.system.offered]):
            able: Any = 1 if since is None else formed >> since & 1
            requested |= able << number
        return Sent(requested, formed, voters)

    def formable(self, number: int, voters: Sequence[Numbers]) -> Flags:
        """Whether voters can form a certificate of a slot."""
        slot = self.system.slots[number]
        able: Flags = np.zeros(len(voters[0]), bool)
        for ballot in slot.ballots if slot.certificate is not None else ():
            able |= self.certifiable[ballot][voters[ballot]]
        return able

    def voters(self, batch: Batch, ids: Sequence[Numbers]) -> list[Numbers]:
        """Return, per ballot, who voted for it, as masks in the order of the setting."""
        cast = [f.get(batch) for f in self.cast]
        masks = []
        for number, voted in enumerate(self.voted):
            mask: Numbers = np.zeros(len(batch[0]), np.int64)
            for place, local in zip(self.correct, ids, strict=True):
                mask |= voted[local] << place
            for place, votes in zip(self.byzantine, cast, strict=not self.at_once):
                mask |= (votes >> number & 1) << place
            masks.append(mask)
        return masks

    def successors(self, batch: Batch) -> Iterator[tuple[Numbers, Batch]]:
        """Walk what one action leads to: which states can take it, and the states after it."""
        ids, sent = [f.get(batch) for f in self.local], self.sent(batch)
        if not self.at_once:
            yield from self._sending(batch, sent)
        for given, table in self.shared:
            match given.kind:
                case "request":
                    there = sent.requested >> given.number & 1 == 1
                case "certificate":
                    there = sent.formed >> given.number & 1 == 1
                case _:
                    there = self.shown(given.number, sent.voters, len(sent.formed))
            rows = np.flatnonzero(there)
            few = take(batch, rows)
            for place, local in zip(self.local, ids, strict=True):
                after = table[local[rows]]
                able = np.flatnonzero(after >= 0)
                if len(able):
                    yield rows[able], place.put(take(few, able), after[able])
        yield from self._inside(batch, ids)

    def _inside(self, batch: Batch, ids: list[Numbers]) -> Iterator[tuple[Numbers, Batch]]:
        """Walk what validators do by themselves."""
        for table in self.inner:
            for place, local in zip(self.local, ids, strict=True):
                after = table[local]
                able = np.flatnonzero(after >= 0)
                if len(able):
                    yield able, place.put(take(batch, able), after[able])

    # --- sending only what is used at once ---

    def deliveries(self, batch: Batch) -> Iterator[tuple[Numbers, Batch]]:
        """Walk what one delivery leads to, with whatever is sent for it just before."""
        ids = [place.get(batch) for place in self.local]
        voters = self.voters(batch, ids)
        for given, table in self.shared:
            arriving = list(self._sent_for(batch, voters, given))
            for place, local in zip(self.local, ids, strict=True):
                after = table[local]
                for ready, sent in arriving:
                    able = np.flatnonzero(ready & (after >= 0))
                    if len(able):
                        yield able, place.put(take(sent, able), after[able])
        yield from self._inside(batch, ids)

    def _sent_for(self, batch: Batch, voters: list[Numbers], given: Input) -> Iterator[tuple[Flags, Batch]]:
        """Walk the least ways to send what an input waits for: which states can, and the states after sending."""
        number, (requested, _) = given.number, self.sendings
        if given.kind == "request":
            since = self.system.justified[number]
            ways = self._nothing(batch) if since is None else self._certificate_for(batch, voters, since)
            for ready, sent in ways:
                yield ready, requested.put(sent, requested.get(sent) | 1 << number)
        elif given.kind == "certificate":
            yield from self._certificate_for(batch, voters, number)
        elif (needed := self.system.needed(number)) is None:
            yield from self._nothing(batch)
        else:
            enough = _upwards([needed[1]], len(self.system.setting.order))
            yield from self._votes_for(batch, voters[needed[0]], needed[0], enough)

    def _nothing(self, batch: Batch) -> Iterator[tuple[Flags, Batch]]:
        yield np.ones(len(batch[0]), bool), batch

    def _certificate_for(self, batch: Batch, voters: list[Numbers], number: int) -> Iterator[tuple[Flags, Batch]]:
        """Walk the least ways to form a certificate, if there is none yet."""
        certified = self.sendings[1]
        formed = certified.get(batch)
        there = formed >> number & 1 == 1
        yield there, batch
        for ballot in self.system.slots[number].ballots:
            for ready, sent in self._votes_for(batch, voters[ballot], ballot, self.certifiable[ballot]):
                yield ready & ~there, certified.put(sent, formed | 1 << number)

    def _votes_for(self, batch: Batch, voted: Numbers, number: int, enough: Flags) -> Iterator[tuple[Flags, Batch]]:
        """Walk the least sets of Byzantine validators whose further votes are enough."""
        adversary = list(zip(self.byzantine, self.cast, strict=True))
        for size in range(len(adversary) + 1):
            for chosen in combinations(adversary, size):
                places = [1 << place for place, _ in chosen]
                ready = enough[voted | sum(places)] & (voted & sum(places) == 0)
                for place in places:
                    ready &= ~enough[voted | (sum(places) - place)]
                sent = batch
                for _, cast in chosen:
                    sent = cast.put(sent, cast.get(sent) | 1 << number)
                yield ready, sent

    def shown(self, number: int, voters: list[Numbers], count: int) -> Flags:
        """Whether something forged can be shown: the genuine votes in it were cast."""
        needed = self.system.needed(number)
        if needed is None:
            return np.ones(count, bool)
        ballot, mask = needed
        there: Flags = voters[ballot] & mask == mask
        return there

    def _sending(self, batch: Batch, sent: Sent) -> Iterator[tuple[Numbers, Batch]]:
        (requested, certified), slots = self.sendings, self.system.slots
        for number, since in enumerate(self.system.justified[: self.system.offered]):
            able = None if since is None else sent.formed >> since & 1 == 1
            yield self._set(batch, requested, number, able)
        for number, slot in enumerate(slots):
            if slot.certificate is not None:
                for cast, ballot in product(self.cast, slot.ballots):
                    yield self._set(batch, cast, ballot, None)
                yield self._set(batch, certified, number, self.formable(number, sent.voters))

    def _set(self, batch: Batch, place: Field, number: int, able: Flags | None) -> tuple[Numbers, Batch]:
        """Set a bit where it is not set and may be."""
        values = place.get(batch)
        unset = values >> number & 1 == 0
        rows = np.flatnonzero(unset if able is None else unset & able)
        return rows, place.put(take(batch, rows), values[rows] | 1 << number)


def _moved(number: int, to: int) -> int:
    return -1 if to == number else to


def _upwards(least: list[int], voters: int) -> Flags:
    """Return which sets of voters contain one of the least sets."""
    masks = np.arange(1 << voters)
    found = np.zeros(1 << voters, bool)
    for mask in least:
        found |= masks & mask == mask
    return found

"""Predicates that may read anything (scopes ``state`` and ``goal``), asked of whole worlds.

Liveness is checked from every reachable state: a goal runs the clients' strategies from there. What it reads of
requests and votes is noted, so that states which differ in nothing else share an answer. What order clients ask
validators in makes a difference: no symmetry here.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from attrs import define, evolve
from immutables import Map

from linera_invariants.predicates.liveness import subjects
from linera_invariants.registry import Names, Predicate, Violation, chosen
from linera_reference.certificate import Certificate
from linera_reference.network import World

from .naive import replaced
from .parts import Memo, Read
from .system import State, System, bits


@define(eq=False, slots=False)
class Whole:
    """Judges whole states."""

    system: System
    names: Names = None

    def __attrs_post_init__(self) -> None:
        """Find the predicates that must be asked state by state."""
        self.judges = [judge for judge in chosen(self.names, "state") if not self.reads_nothing(judge)]
        self.judges += chosen(self.names or (), "goal")  # a model names the goals that it is about
        self.memos: dict[Any, Memo[tuple[str, ...]]] = {}
        self.cases = Counter({judge.statement: 0 for judge in self.judges if judge.scope == "goal"})
        """How many cases each goal had something to say about; without any it says nothing."""

    def reads_nothing(self, judge: Predicate) -> bool:
        """Whether a predicate is only about the network."""
        try:
            list(judge.function(self.system.setting.network, _Nothing()))
        except NotImplementedError:
            return False
        return True

    def constant(self) -> tuple[str, ...]:
        """Return the predicates about the network alone that do not hold."""
        found = (judge for judge in chosen(self.names, "state") if self.reads_nothing(judge))
        return tuple(j.name for j in found if list(j.function(self.system.setting.network, _Nothing())))

    def wrong(self, state: State) -> tuple[str, ...]:
        """Return the predicates that do not hold in a state."""
        return tuple(judge.name for judge in self.judges if self.ask(judge, state))

    def ask(self, judge: Predicate, state: State) -> bool:
        """Whether a predicate finds something wrong in a state."""
        key = (judge.name, state.locals, state.certified)
        memo = self.memos.get(key)
        if memo is None:
            memo = self.memos[key] = Memo(lambda read: self._wrong(judge, state, read))
        return bool(memo(self.reader(state)))

    def _wrong(self, judge: Predicate, state: State, read: Read) -> tuple[str, ...]:
        network, world = self.system.setting.network, self.world(state, read)
        if judge.scope == "goal":
            self.cases[judge.statement] += subjects(world)[judge.statement]
        found: Iterator[Violation] = iter(judge.function(network, world))
        return tuple(violation.detail for violation in found)

    def reader(self, state: State) -> Read:
        """Read the votes and requests of a state."""
        system = self.system
        votes = {k: system.locals.values[n].votes for k, n in zip(system.setting.correct, state.locals, strict=True)}
        votes |= zip(system.setting.byzantine, state.cast, strict=True)

        def read(slot: Any) -> Any:
            match slot:
                case ("vote", key, number):
                    return votes[key] >> number & 1
                case ("request", number):
                    return state.requested >> number & 1
            return state.requested

        return read

    def world(self, state: State, read: Read) -> World:
        """Build the world of a state; certificates are such as were formed from the votes."""
        system, slots = self.system, self.system.slots
        formed = {slots[number].certificate: self.certificate(number, read) for number in bits(state.certified)}
        locals_ = [system.locals.values[number] for number in state.locals]
        validators = {k: system.validator(local) for k, local in zip(system.setting.correct, locals_, strict=True)}
        senders = zip(system.setting.correct, locals_, strict=True)
        internal = {key: system.sent(local) for key, local in senders if local.sent}
        certificates, validated = (self.known(slots, state) for slots in (system.hashes, system.validated))
        real: World = replaced(
            World(Map(validators), certificates=certificates, validated=validated, internal=Map(internal)), formed
        )
        dressed = system.world(read, ())
        plain = all(since is None for since in system.justified)
        requests = dressed.requests if plain else replaced(dressed.requests, formed)
        return evolve(real, requests=requests, votes=dressed.votes)

    def known(self, slots: dict[Any, int], state: State) -> Any:
        """Return the standard certificates of a state, by name."""
        names = self.system.formed_names(slots, state.certified)
        return Map((name, self.system.standard(slots[name])) for name in names)

    def certificate(self, number: int, read: Read) -> Certificate:
        """Return the certificate that the first least quorum of voters formed."""
        order = self.system.setting.order
        for ballot in self.system.slots[number].ballots:
            for quorum in self.system.quorums(ballot):
                if all(read(("vote", order[place], ballot)) for place in bits(quorum)):
                    return self.system.certificate_of(ballot, quorum)
        raise LookupError("a certificate without a quorum")


class _Nothing:
    """A world that must not be read."""

    def __getattr__(self, name: str) -> Any:
        raise NotImplementedError(name)

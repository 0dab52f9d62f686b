"""From a packed state back to a run of the network: the shortest way there, every step taken by ``network.step``."""

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import evolve, frozen

from linera_invariants.driver import Step
from linera_invariants.registry import Names, Violation, check_goals, check_state, check_step
from linera_reference.containers import Set
from linera_reference.network import Action, CastVote, Certify, Deliver, Propose, World, initial_world, step
from linera_reference.notation import PublicKey
from linera_reference.rejections import Accepted
from linera_reference.validator import payload_of

from .model import Setting
from .naive import with_certificates
from .system import Input, State, System, bits


@frozen
class Move:
    """An action in terms of numbers: what is done, by whom (a place among the correct or Byzantine ones), with what."""

    kind: str
    who: int
    number: int


def start(setting: Setting) -> State:
    """Return the first state."""
    return State((0,) * len(setting.correct), (0,) * len(setting.byzantine))


def moves(system: System, state: State) -> Iterator[tuple[Move, State]]:
    """Walk the actions that change a state, and the states after them."""
    voters = voters_of(system, state)
    yield from _sending(system, state, voters)
    yield from ((move, after) for move, after in _arriving(system, state, voters) if after != state)


def inputs(system: System, state: State) -> Iterator[Move]:
    """Walk what correct validators accept in a state, be there a change or not."""
    return (move for move, _ in _arriving(system, state, voters_of(system, state)))


def _sending(system: System, state: State, voters: Sequence[int]) -> Iterator[tuple[Move, State]]:
    for number in range(len(system.requests)):
        if not state.requested >> number & 1:
            yield Move("propose", 0, number), evolve(state, requested=state.requested | 1 << number)
    for number, certificate in enumerate(system.certificates):
        if certificate is None:
            continue
        for who, votes in enumerate(state.cast):
            if not votes >> number & 1:
                yield Move("vote", who, number), evolve(state, cast=_put(state.cast, who, votes | 1 << number))
        if not state.certified >> number & 1 and is_enough(system, number, voters[number]):
            yield Move("certify", 0, number), evolve(state, certified=state.certified | 1 << number)


def _arriving(system: System, state: State, voters: Sequence[int]) -> Iterator[tuple[Move, State]]:
    for who, local in enumerate(state.locals):
        for given, after in system.expand(local).items():
            if _arrives(system, state, voters, given):
                yield Move(given.kind, who, given.number), evolve(state, locals=_put(state.locals, who, after))


def _put(values: tuple[int, ...], place: int, value: int) -> tuple[int, ...]:
    return (*values[:place], value, *values[place + 1 :])


def _arrives(system: System, state: State, voters: Sequence[int], given: Input) -> bool:
    match given.kind:
        case "request":
            return bool(state.requested >> given.number & 1)
        case "certificate":
            return bool(state.certified >> given.number & 1)
        case "forged":
            needed = system.needed(given.number)
            return needed is None or voters[needed[0]] & needed[1] == needed[1]
    return True


def is_enough(system: System, number: int, voters: int) -> bool:
    """Whether voters, given as a mask, can certify a block."""
    return any(mask & voters == mask for mask in system.quorums(number))


def voters_of(system: System, state: State) -> list[int]:
    """Return, per block, who voted for it, as masks in the order of the setting."""
    setting, values = system.setting, system.locals.values
    votes = {key: values[local].votes for key, local in zip(setting.correct, state.locals, strict=True)}
    votes |= zip(setting.byzantine, state.cast, strict=True)
    return [
        sum((votes[key] >> number & 1) << place for place, key in enumerate(setting.order))
        for number in range(len(system.blocks))
    ]


# --- Playing ------------------------------------------------------------------------------------------------------


@frozen
class Played:
    """A run, and what is wrong at its end."""

    steps: tuple[Step, ...]
    violations: tuple[Violation, ...]


class Unplayable(Exception):
    """The tables lead where the network does not go: a mistake of the explorer."""


def play(system: System, path: Sequence[Move], names: Names, choice: int = 0) -> Played:
    """Take the steps of a path and judge the last of them as scenarios do; if it is fine, judge the whole world.

    ``choice`` says which of the quorums that voted form certificates. Raises: Unplayable.
    """
    network = system.setting.network
    before = world = initial_world(network)
    steps: list[Step] = []
    for move in path:
        action = action_of(system, world, move, choice)
        outcome = step(network, world, action)
        if not isinstance(outcome, Accepted):
            raise Unplayable(f"{move} is refused: {outcome}")
        steps.append(Step(action, outcome))
        before, world = world, outcome.state
    found = check_step(network, before, steps[-1], world, names) if steps else []
    found = found or check_state(network, world, names) or check_goals(network, world, names or ())
    return Played(tuple(steps), tuple(found))


def action_of(system: System, world: World, move: Move, choice: int = 0) -> Action:
    """Return the action of the network that a move is in a world."""
    setting, number = system.setting, move.number
    context = setting.network.context
    match move.kind:
        case "propose":
            return Propose(system.requests[number])
        case "vote":
            return CastVote(setting.byzantine[move.who], payload_of(context, system.blocks.values[number]))
        case "certify":
            return _certify(system, world, number, choice)
    key = setting.correct[move.who]
    if move.kind == "certificate":
        return Deliver(key, world.certificates[context.scheme.hash(system.blocks.values[number])])
    if move.kind == "item":
        return Deliver(key, _sent(system, world, key, number))
    return system.action(key, Input(move.kind, number))


def _certify(system: System, world: World, number: int, choice: int) -> Certify:
    """Form a certificate with one of the least quorums among those who voted."""
    order, executed = system.setting.order, system.blocks.values[number]
    cast = {system.votes[vote] for vote in world.votes}
    who = sum(1 << i for i, key in enumerate(order) if (key, number) in cast)
    quorums = [mask for mask in system.quorums(number) if mask & who == mask]
    return Certify(executed, tuple(order[i] for i in bits(quorums[choice % len(quorums)])))


def _sent(system: System, world: World, key: PublicKey, number: int) -> Any:
    """Find what a validator sent itself, with the certificates of this world."""
    standard = {name: system.certificates[e] for name, e in system.hashes.items()}
    wanted = system.items.values[number]
    sent = world.internal.get(key, Set())
    return next(item for item in sent if with_certificates(item, world, standard) == wanted)

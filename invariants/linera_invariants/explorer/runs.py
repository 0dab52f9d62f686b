"""From a packed state back to a run of the network: the shortest way there, every step taken by ``network.step``."""

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from attrs import evolve, frozen

from linera_invariants.driver import Step
from linera_invariants.registry import Names, Violation, check_goals, check_state, check_step
from linera_reference.certificate import Certificate
from linera_reference.containers import Set
from linera_reference.network import Action, CastVote, Certify, Deliver, Propose, World, initial_world, step
from linera_reference.notation import PublicKey
from linera_reference.rejections import Accepted

from .model import certify_as, payload_for
from .naive import names_of, replaced
from .system import Input, State, System, bits


@frozen
class Move:
    """An action in terms of numbers: what is done, by whom (a place among the correct or Byzantine ones), with what."""

    kind: str
    who: int
    number: int


def start(system: System) -> State:
    """Return the first state."""
    first = nothing_sent(system)
    return with_everything(system, first)[1] if system.setting.model.at_once else first


def nothing_sent(system: System) -> State:
    """Return the state in which nothing was sent yet."""
    return State((0,) * len(system.setting.correct), (0,) * len(system.setting.byzantine))


def moves(system: System, state: State) -> Iterator[tuple[Move, State]]:
    """Walk the actions that change a state, and the states after them."""
    voters, at_once = voters_of(system, state), system.setting.model.at_once
    yield from () if at_once else _sending(system, state, voters)
    for move, after in _arriving(system, state, voters):
        if after != state:
            yield move, with_everything(system, after)[1] if at_once else after


def with_everything(system: System, state: State) -> tuple[list[Move], State]:
    """Send all that can be sent; return how, and the state after it."""
    sent: list[Move] = []
    while (found := next(_sending(system, state, voters_of(system, state)), None)) is not None:
        move, state = found
        sent.append(move)
    return sent, state


def inputs(system: System, state: State) -> Iterator[Move]:
    """Walk what correct validators accept in a state, be there a change or not."""
    return (move for move, _ in _arriving(system, state, voters_of(system, state)))


def with_sendings(system: System, path: Sequence[Move]) -> Iterator[list[Move]]:
    """Put before each delivery what it needs to be sent; then go on sending, one thing after the other."""
    state, run = nothing_sent(system), list[Move]()
    for move in path:
        while (after := dict(_arriving(system, state, voters_of(system, state))).get(move)) is None:
            sent, state = next(_needed(system, state, move))
            run.append(sent)
        state = after
        run.append(move)
    yield run
    for sent in with_everything(system, state)[0]:
        run = [*run, sent]
        yield run


def _needed(system: System, state: State, move: Move) -> Iterator[tuple[Move, State]]:
    """Walk what may be sent towards a delivery, from what is needed last to what is needed first."""
    number = move.number
    shown = system.needed(number) if move.kind == "forged" else None
    slot = system.justified[number] if move.kind == "request" else number if move.kind == "certificate" else None
    ballots = () if slot is None else system.slots[slot].ballots
    wanted = [Move("propose", 0, number)] if move.kind == "request" else []
    wanted += [] if slot is None else [Move("certify", 0, slot)]
    voted = ballots if shown is None else (shown[0],)
    wanted += [Move("vote", who, ballot) for ballot in voted for who in range(len(state.cast))]
    able = dict(_sending(system, state, voters_of(system, state)))
    return ((sent, able[sent]) for sent in wanted if sent in able)


def _sending(system: System, state: State, voters: Sequence[int]) -> Iterator[tuple[Move, State]]:
    for number, since in enumerate(system.justified[: system.offered]):
        able = since is None or state.certified >> since & 1
        if able and not state.requested >> number & 1:
            yield Move("propose", 0, number), evolve(state, requested=state.requested | 1 << number)
    for number, slot in enumerate(system.slots):
        if slot.certificate is None:
            continue
        for (who, votes), ballot in product(enumerate(state.cast), slot.ballots):
            if not votes >> ballot & 1:
                yield Move("vote", who, ballot), evolve(state, cast=_put(state.cast, who, votes | 1 << ballot))
        if not state.certified >> number & 1 and is_enough(system, number, voters):
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


def is_enough(system: System, number: int, voters: Sequence[int]) -> bool:
    """Whether voters, given as masks by ballot, can form a certificate of a slot."""
    return any(mask & voters[b] == mask for b in system.slots[number].ballots for mask in system.quorums(b))


def voters_of(system: System, state: State) -> list[int]:
    """Return, per ballot, who voted for it, as masks in the order of the setting."""
    setting, values = system.setting, system.locals.values
    votes = {key: values[local].votes for key, local in zip(setting.correct, state.locals, strict=True)}
    votes |= zip(setting.byzantine, state.cast, strict=True)
    return [
        sum((votes[key] >> number & 1) << place for place, key in enumerate(setting.order))
        for number in range(len(system.ballots))
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
    formed = formed_in(system, world)
    match move.kind:
        case "propose":
            return Propose(replaced(system.requests[number], formed))
        case "vote":
            return CastVote(setting.byzantine[move.who], payload_for(setting.network, system.ballots.values[number]))
        case "certify":
            return _certify(system, world, number, choice)
    action = system.action(setting.correct[move.who], Input(move.kind, number))
    if move.kind == "item":
        return Deliver(setting.correct[move.who], _sent(system, world, setting.correct[move.who], number))
    found: Action = replaced(action, formed)
    return found


def formed_in(system: System, world: World) -> dict[Certificate, Certificate]:
    """Return the certificates that were formed, by the standard ones."""
    return {theirs: mine for mine, theirs in names_of(world, system.standards()).items()}


def _certify(system: System, world: World, number: int, choice: int) -> Certify:
    """Form a certificate with one of the least quorums among those who voted."""
    order, cast = system.setting.order, {system.votes[vote] for vote in world.votes}
    quorums = [
        (ballot, mask)
        for ballot in system.slots[number].ballots
        for mask in system.quorums(ballot)
        if all((order[i], ballot) in cast for i in bits(mask))
    ]
    ballot, mask = quorums[choice % len(quorums)]
    return certify_as(system.ballots.values[ballot], (order[i] for i in bits(mask)))


def _sent(system: System, world: World, key: PublicKey, number: int) -> Any:
    """Find what a validator sent itself, with the certificates of this world."""
    wanted, names = system.items.values[number], names_of(world, system.standards())
    return next(item for item in world.internal.get(key, Set()) if replaced(item, names) == wanted)

"""One eventful run of a small network, and ways to spoil its worlds, for the tests of the predicates.

Four validators of equal weight: two prompt ones, a slow one, and a Byzantine one that votes for anything. Alice owns
chain (0,), Bob (1,); Alice opens (0, 0) for Carol. See :func:`story` for what happens.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

from attrs import evolve, frozen
from support import certify, key, network, request, signer, validators

from linera_invariants.driver import Client, Driver, Step
from linera_invariants.registry import Violation, check_goals, check_state, check_step
from linera_reference.application import burn, transfer
from linera_reference.block import ChangeKey, CloseChain, Execute, OpenChain
from linera_reference.certificate import Certificate
from linera_reference.chain import Chain, inbox_of
from linera_reference.client import Goal, next_block
from linera_reference.containers import Log, Queue, fold
from linera_reference.identifiers import ChainId
from linera_reference.inbox import Inbox
from linera_reference.network import ArchiveChain, Network, Propose, World, initial_world
from linera_reference.validator import chain_of, download

ALICE, BOB, CAROL = (0,), (1,), (0, 0)
NETWORK = network((1, 1, 1, 1), ("alice", "bob"), byzantine=(3,))
FIRST, SECOND, SLOW, LIAR = (s.public_key for s in validators(NETWORK))
CORRECT = (FIRST, SECOND, SLOW)


@frozen
class Story:
    """A run: every step with the worlds around it."""

    steps: tuple[tuple[World, Step, World], ...]

    @property
    def worlds(self) -> tuple[World, ...]:
        """The worlds of the run, in order."""
        return (initial_world(NETWORK), *(after for _, _, after in self.steps))

    @property
    def end(self) -> World:
        """The last world."""
        return self.worlds[-1]

    def first(self, condition: Callable[[World], Any]) -> World:
        """Return the first world in which something holds."""
        return next(world for world in self.worlds if condition(world))

    def when(self, condition: Callable[[World, Step, World], Any]) -> Iterator[tuple[World, Step, World]]:
        """Walk the steps of some kind."""
        return (moment for moment in self.steps if condition(*moment))


@cache
def story() -> Story:
    """Play the run.

    While the slow validator is away, Alice opens Carol's chain and pays Bob and Carol; Bob takes the money, pays back
    and burns some; Carol takes her first credit; Alice pays Bob three times and Bob skips the second. Then the slow
    validator gets Bob's blocks before Alice's: it owes messages, until Alice's arrive. Bob signs two blocks at one
    height, and the slow validator votes for the one that loses. Carol hands her chain over, which is then closed and
    archived. Alice's last payment to it can never arrive.
    """
    steps: list[tuple[World, Step, World]] = []
    driver = Driver(NETWORK, initial_world(NETWORK), complicit=True, order=(FIRST, SECOND, SLOW, LIAR))
    driver.observe = lambda before, step, after: steps.append((before, step, after))
    alice, bob = driver.client("alice", signer("alice"), ALICE), driver.client("bob", signer("bob"), BOB)
    driver.offline = {SLOW}
    opening = (OpenChain(CAROL, key("carol")), pay(BOB, 30), pay(CAROL, 5))
    done(driver.extend(alice, ALICE, opening))
    take_all(driver, bob, BOB, pay(ALICE, 7), Execute(burn(2)))
    carol = driver.client("carol", signer("carol"))
    take_all(driver, carol, CAROL, pay(BOB, 1))
    done(driver.extend(alice, ALICE, (pay(BOB, 3), pay(BOB, 4), pay(BOB, 6))))
    driver.synchronize(bob, BOB)
    one, _, three = (r for r in driver.receive_all(bob, BOB) if r.message.origin == ALICE)
    done(driver.extend(bob, BOB, (one, three)))
    driver.offline = set()
    anticipate(driver, alice, bob, carol)
    equivocate(driver, bob)
    done(driver.extend(carol, CAROL, (ChangeKey(key("dave")),)))
    dave = driver.client("dave", signer("dave"))
    driver.synchronize(dave, CAROL)
    done(driver.extend(dave, CAROL, (CloseChain(),)))
    for validator in (FIRST, SECOND):
        driver.act(ArchiveChain(validator, CAROL))
    done(driver.extend(alice, ALICE, (pay(CAROL, 1),)))
    return Story(tuple(steps))


def pay(recipient: ChainId, amount: int) -> Execute:
    """Return a transaction that transfers tokens."""
    return Execute(transfer(recipient, amount))


def done(certificate: Any) -> None:
    """Insist that a block was certified."""
    assert type(certificate).__name__ == "Certificate", certificate


def take_all(driver: Driver, client: Client, chain_id: ChainId, *more: Execute) -> None:
    """Let a client consume what waits, then act."""
    driver.synchronize(client, chain_id)
    done(driver.extend(client, chain_id, (*driver.receive_all(client, chain_id), *more)))


def anticipate(driver: Driver, alice: Client, bob: Client, carol: Client) -> None:
    """Bring the slow validator up to date in an odd order, so that it owes messages and has several under way."""
    first, second = download(bob.chain(BOB), 0, 2)
    driver.deliver(SLOW, second)  # too early: rejected
    driver.deliver(SLOW, first)
    driver.upload(alice, SLOW, Goal(ALICE, 1))
    driver.settling = False
    driver.upload(carol, SLOW, Goal(CAROL, 1))
    driver.upload(alice, SLOW, Goal(ALICE, 2))
    driver.deliver(SLOW, second)
    driver.settling = True
    for chain_id in (CAROL, ALICE, BOB):
        driver.resend(SLOW, chain_id)


def equivocate(driver: Driver, bob: Client) -> None:
    """Let Bob sign two blocks at one height; the slow validator votes for the other one, and follows the quorum."""
    chain = chain_of(driver.world.validators[SLOW], BOB)
    other = request(NETWORK, "bob", next_block(chain, (pay(ALICE, 2),)))
    driver.act(Propose(other))
    driver.deliver(SLOW, other)
    done(driver.extend(bob, BOB, (pay(ALICE, 1),)))


# --- Judging -----------------------------------------------------------------------------------------------------


def holds(name: str, network: Network = NETWORK) -> None:
    """Assert that a predicate holds throughout the run."""
    holds_on(network, story().steps, name)


def holds_on(network: Network, steps: Sequence[tuple[World, Step, World]], name: str) -> None:
    """Assert that a predicate holds on every step of a run, and on some whole worlds."""
    for before, step, after in steps:
        assert check_step(network, before, step, after, {name}) == []
    for before, _, after in (*steps[::10], steps[-1]):
        assert check_state(network, before, {name}) == check_state(network, after, {name}) == []


def fires(name: str, world: World, network: Network = NETWORK) -> list[Violation]:
    """Assert that a predicate of states is violated, under its name."""
    return _violated(name, check_state(network, world, {name}))


def step_fires(name: str, before: World, step: Step, after: World, network: Network = NETWORK) -> list[Violation]:
    """Assert that a predicate is violated by a step."""
    return _violated(name, check_step(network, before, step, after, {name}))


def goal_fires(name: str, world: World, network: Network = NETWORK) -> list[Violation]:
    """Assert that a goal cannot be reached."""
    return _violated(name, check_goals(network, world, {name}))


def _violated(name: str, found: list[Violation]) -> list[Violation]:
    assert found, f"{name} holds"
    assert {violation.statement for violation in found} == {name.partition(".")[0]}
    assert all(violation.detail for violation in found)
    return found


# --- Spoiling ----------------------------------------------------------------------------------------------------


def cell(world: World, validator: bytes, chain_id: ChainId) -> Chain:
    """Return a chain at a validator."""
    return chain_of(world.validators[validator], chain_id)


def put(world: World, validator: bytes, chain: Chain) -> World:
    """Replace a chain at a validator."""
    chains = world.validators[validator].chains.set(chain.chain_id, chain)
    holder = evolve(world.validators[validator], chains=chains)
    return evolve(world, validators=world.validators.set(validator, holder))


def spoil(world: World, validator: bytes, chain_id: ChainId, **fields: Any) -> World:
    """Replace fields of the consistent or of the localized part of a chain at a validator."""
    chain = cell(world, validator, chain_id)
    part = {name: value for name, value in fields.items() if hasattr(chain.consistent, name)}
    local = {name: value for name, value in fields.items() if hasattr(chain.localized, name)}
    assert len(part) + len(local) == len(fields)
    chain = evolve(chain, consistent=evolve(chain.consistent, **part), localized=evolve(chain.localized, **local))
    return put(world, validator, chain)


def add_certificate(world: World, certificate: Any) -> World:
    """Slip a certificate into what was sent."""
    block_hash = NETWORK.context.scheme.hash(certificate.executed)
    return evolve(world, certificates=world.certificates.set(block_hash, certificate))


def put_inbox(world: World, validator: bytes, chain_id: ChainId, origin: ChainId, **fields: Any) -> World:
    """Replace fields of a mailbox."""
    boxes = cell(world, validator, chain_id).localized.mailboxes
    return spoil(world, validator, chain_id, mailboxes=boxes.set(origin, evolve(boxes[origin], **fields)))


def queue(*items: Any) -> Queue[Any]:
    """Return a queue of these items."""
    return fold(Queue.push, Queue(), items)


def log(*items: Any) -> Log[Any]:
    """Return a log of these items."""
    return fold(Log.append, Log(), items)


def boxes(world: World) -> Iterator[tuple[bytes, ChainId, ChainId, Inbox]]:
    """Walk all inboxes of correct validators."""
    for validator in CORRECT:
        for chain_id, chain in world.validators[validator].chains.items():
            for origin in chain.localized.mailboxes:
                yield validator, chain_id, origin, inbox_of(chain, origin)


def owes(world: World) -> bool:
    """Whether the slow validator owes messages to Bob's chain."""
    return not inbox_of(cell(world, SLOW, BOB), ALICE).removed.is_empty


def waits(world: World) -> bool:
    """Whether a message waits for Bob at the first validator."""
    return not inbox_of(cell(world, FIRST, BOB), ALICE).added.is_empty


def forged(place: ChainId, height: int = 0, *, voters: tuple[int, ...] = (0, 1, 2, 3), **fields: Any) -> Certificate:
    """Return a certificate that certifies something else than the run did; it differs in the state hash at least.

    ``fields`` replace fields of the block.
    """
    found = cell(story().end, SLOW, place).localized.certificates.get(height)
    assert found is not None
    executed = evolve(found.executed, state_hash=bytes(32), block=evolve(found.executed.block, **fields))
    return certify(NETWORK, executed, voters)

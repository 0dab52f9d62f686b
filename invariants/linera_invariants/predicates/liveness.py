"""Liveness (L1 to L6, L8 to L10) as reachability: from this world, a client's strategy reaches its goal within a bound.

The client owns no key and knows what it can download from correct validators. Under the fault bound, Byzantine
validators stay silent; nobody else interferes. Fairness is this: when nothing else happens, a correct validator sends
its pending cross-chain requests again, and they arrive. The bounds follow from the world in which the strategy starts.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import accumulate

from attrs import evolve

from linera_invariants.driver import Client, Driver, at_once
from linera_invariants.registry import Violation, predicate
from linera_invariants.views import Cell, blocks_of, changed_cells, next_to_receive, place_of, same_place, short
from linera_reference.certificate import Certificate, Kind
from linera_reference.chain import is_closed, owed_messages
from linera_reference.client import Goal, LocalNode, goals_after, is_reached, learn, measure, next_transfer, view_of
from linera_reference.committee import is_quorum, weight
from linera_reference.containers import Set
from linera_reference.crypto import IdealScheme, Signer, make_signer
from linera_reference.identifiers import ChainId
from linera_reference.network import Deliver, Network, World
from linera_reference.notation import MAX_U32, PublicKey
from linera_reference.ownership import Owners, keys_of, may_propose
from linera_reference.rejections import Accepted, Outcome, Rejected
from linera_reference.request import Request
from linera_reference.rounds import current_round
from linera_reference.validator import chain_of, download

TRIES = 3
"""How often a client asks one validator for one vote, at most."""


# --- A client at work --------------------------------------------------------------------------------------------


def tallest(world: World) -> list[Cell]:
    """Return the longest copy of every chain that a correct validator knows, by identifier."""
    found: dict[ChainId, Cell] = {}
    for cell in changed_cells(None, world):
        best = found.setdefault(cell.chain.chain_id, cell)
        if cell.chain.consistent.next_height > best.chain.consistent.next_height:
            found[cell.chain.chain_id] = cell
    return [cell for _, cell in sorted(found.items())]


@lru_cache(maxsize=4)
def informed(network: Network, world: World) -> LocalNode:
    """Return the node of a client that downloaded every chain from the correct validators, from genesis on.

    What a validator archived is served from cold storage.
    """
    driver = Driver(network, world)
    client = driver.client("anybody", make_signer(network.context.scheme, bytes(32)))
    for cell in tallest(world):
        driver.synchronize(client, cell.chain.chain_id)
        for certificate in blocks_of(world, cell.chain)[client.chain(cell.chain.chain_id).consistent.next_height :]:
            driver.learn(client, certificate)
    return client.node


def at_work(network: Network, world: World, *order: PublicKey) -> tuple[Driver, Client]:
    """Start an informed client in a world; it asks only these validators, if any are given."""
    nobody = make_signer(network.context.scheme, bytes(32))
    return Driver(network, world, order=order), Client("anybody", nobody, informed(network, world))


def work(driver: Driver, client: Client, key: PublicKey, goal: Goal) -> tuple[int, int]:
    """Return what is missing at a validator for a goal: blocks, and chains not created."""
    return measure(driver.view(key), view_of(client.node.validator), goal)


def uploads(driver: Driver) -> int:
    """Count the certificates that were handed over."""
    return sum(isinstance(s.action, Deliver) and isinstance(s.action.item, Certificate) for s in driver.trace)


def retry(driver: Driver) -> None:
    """Let validators send all pending requests again, until nothing changes or every chain had time to be created."""
    for key in driver.online():
        for _ in driver.world.validators[key].chains:
            before = driver.world.validators[key]
            for chain_id, chain in sorted(before.chains.items(), key=lambda item: item[0]):
                if chain.localized.outboxes:
                    driver.resend(key, chain_id)
            if driver.world.validators[key] is before:
                break


def up_to_date(network: Network, world: World) -> tuple[Driver, Client]:
    """Start an informed client in a world after it has brought every correct validator up to date."""
    driver, client = at_work(network, world)
    for key in driver.online():
        for cell in tallest(world):
            driver.upload(client, key, Goal(cell.chain.chain_id, cell.chain.consistent.next_height))
    retry(driver)
    return driver, client


def closed_somewhere(world: World, chain_id: ChainId) -> bool:
    """Whether a correct validator closed a chain."""
    return any(is_closed(chain_of(validator, chain_id).consistent) for validator in world.validators.values())


# --- Chains ------------------------------------------------------------------------------------------------------


def _chain_goals(world: World) -> Iterator[tuple[Cell, PublicKey, Goal]]:
    for cell in tallest(world):
        for key in sorted(world.validators):
            yield cell, key, Goal(cell.chain.chain_id, cell.chain.consistent.next_height)


@predicate("L1", "goal")
def chains_become_consistent(network: Network, world: World) -> Iterator[Violation]:
    """L1 (WP-3.3-CLAIM-2): what one correct validator committed, a client brings any other to commit.

    Bound: as many uploads as blocks are missing and chains not created, on the way to the chain.
    """
    for cell, key, goal in _chain_goals(world):
        driver, client = at_work(network, world, key)
        bound = sum(work(driver, client, key, goal))
        driver.upload(client, key, goal)
        reached = chain_of(driver.world.validators[key], goal.chain_id).consistent
        wanted = cell.chain.consistent
        if (reached.next_height, reached.block_hash) != (wanted.next_height, wanted.block_hash):
            yield Violation("L1", f"{short(key)} cannot commit what {cell} committed", driver.trace)
        if uploads(driver) > bound:
            yield Violation("L1", f"{uploads(driver)} uploads for {cell} to {short(key)}, not {bound}", driver.trace)


@predicate("L4", "goal")
def ancestors_are_uploaded(network: Network, world: World) -> Iterator[Violation]:
    """L4 (WP-2.8-SYNC-ANCESTORS): the uploads reach every created chain, each lowering (missing, not created)."""
    for cell, key, goal in _chain_goals(world):
        driver, client = at_work(network, world, key)
        ahead, left = view_of(client.node.validator), work(driver, client, key, goal)
        while (place := next_transfer(driver.view(key), ahead, goal)) is not None:
            chain_id, height = place
            driver.deliver(key, download(client.chain(chain_id), height, height + 1)[0])
            before, left = left, work(driver, client, key, goal)
            if left >= before:
                yield Violation("L4", f"an upload for {cell} to {short(key)} has no effect", driver.trace)
                break
        if not is_reached(driver.view(key), goal):
            yield Violation("L4", f"{short(key)} cannot be brought to {cell}", driver.trace)


# --- Messages ----------------------------------------------------------------------------------------------------


def _received(world: World) -> Iterator[tuple[ChainId, ChainId, int]]:
    """Walk (recipient, sender, greatest height) of what was received by chains that nobody closed."""
    latest: dict[tuple[ChainId, ChainId], int] = {}
    for cell in changed_cells(None, world):
        for sender, height in cell.chain.localized.received.since(0):
            place = (cell.chain.chain_id, sender)
            latest[place] = max(height, latest.get(place, 0))
    for (recipient, sender), height in sorted(latest.items()):
        if not closed_somewhere(world, recipient):
            yield recipient, sender, height


@predicate("L2", "goal")
def messages_become_consistent(network: Network, world: World) -> Iterator[Violation]:
    """L2 (WP-3.3-CLAIM-3): what a chain received at one correct validator, a client brings any other to receive.

    For chains that are never closed. Bound: the uploads for both chains, then one round of retries.
    """
    for recipient, sender, height in _received(world):
        for key in sorted(world.validators):
            driver, client = at_work(network, world, key)
            goals = (Goal(recipient, 0), Goal(sender, height + 1))
            bound = sum(sum(work(driver, client, key, goal)) for goal in goals)
            for goal in goals:
                driver.upload(client, key, goal)
            driver.resend(key, sender)
            there = chain_of(driver.world.validators[key], recipient)
            if next_to_receive(there, sender) <= height or uploads(driver) > bound:
                message = f"{list(recipient)} cannot receive block {height} of {list(sender)} at {short(key)}"
                yield Violation("L2", message, driver.trace)


@predicate("L5", "goal")
def outboxes_drain(network: Network, world: World) -> Iterator[Violation]:
    """L5 (WP-A.2-UPDATE-RECIPIENT, WP-A.2-REPEAT-ACK): one retry empties every outbox that can be emptied.

    Its recipient is active, or received all of it before. Bound: a request and an answer per recipient.
    """
    for cell in changed_cells(None, world):
        sender, local, key = cell.chain.chain_id, cell.chain.localized, cell.key
        driver, _ = at_work(network, world, key)
        driver.resend(key, sender)
        if len(driver.trace) > 1 + 2 * len(local.outboxes):
            yield Violation("L5", f"{cell} takes {len(driver.trace)} steps to retry", driver.trace)
        left = chain_of(driver.world.validators[key], sender).localized.outboxes
        for recipient, outbox in local.outboxes.items():
            there = chain_of(world.validators[key], recipient)
            can = there.consistent.owner is not None or next_to_receive(there, sender) > outbox.queue.back
            if can and recipient in left:
                yield Violation("L5", f"{cell}: the outbox of {list(recipient)} does not drain", driver.trace)


@predicate("L6", "goal")
def inboxes_settle(network: Network, world: World) -> Iterator[Violation]:
    """L6 (WP-2.6-ANTICIPATION): what was consumed before it arrived arrives once the senders' blocks are uploaded.

    For chains that are never closed. Bound: those uploads, then one round of retries.
    """
    for cell in changed_cells(None, world):
        owed, key = owed_messages(cell.chain), cell.key
        if not owed or closed_somewhere(world, cell.chain.chain_id):
            continue
        driver, client = at_work(network, world, key)
        goals = sorted({Goal(message.origin, message.height + 1) for message in owed})
        bound = sum(sum(work(driver, client, key, goal)) for goal in goals)
        for goal in goals:
            driver.upload(client, key, goal)
            driver.resend(key, goal.chain_id)
        if set(owed) & set(owed_messages(chain_of(driver.world.validators[key], cell.chain.chain_id))):
            yield Violation("L6", f"{cell}: the messages that are owed do not arrive", driver.trace)
        if uploads(driver) > bound:
            yield Violation("L6", f"{cell}: {uploads(driver)} uploads, not {bound}", driver.trace)


def subjects(world: World) -> Counter[str]:
    """Count, per goal statement, the cases that it has something to say about in a world; without any it is vacuous."""
    cells = list(changed_cells(None, world))
    proposals = len(_open_requests(world))
    behind = sum(not is_reached(view_of(world.validators[key]), goal) for _, key, goal in _chain_goals(world))
    found = {
        "L1": behind,
        "L2": sum(1 for _ in _received(world)),
        "L3": proposals,
        "L4": behind,
        "L5": sum(len(cell.chain.localized.outboxes) for cell in cells),
        "L6": sum(not cell.chain.localized.owing.is_empty for cell in cells),
        "L8": len(_shared_chains(world)),
        "L9": proposals,
        "L10": len(world.requests),
    }
    return Counter(found)


def settled(cases: Mapping[str, int]) -> dict[str, int]:
    """Name what was brought about where all goals hold, by kind of case."""
    return {
        "lagging copy caught up": cases["L1"],
        "open proposal finished": cases["L3"],
        "undelivered message settled": cases["L5"],
        "owed message settled": cases["L6"],
        "height of several owners decided": cases["L8"],
    }


# --- Proposals ---------------------------------------------------------------------------------------------------


def _open_requests(world: World) -> dict[Request, Cell]:
    """Return the requests that are pending somewhere, not certified, and the only ones of their owner and height."""
    found: dict[Request, Cell] = {}
    certified = {certificate.executed.block for certificate in world.certificates.values()}
    for cell in changed_cells(None, world):
        part, pending = cell.chain.consistent, cell.chain.localized.pending
        if pending is None or pending.block in certified:
            continue
        mine = (r for r in world.requests if r.owner == part.owner and r.round == 0)
        rivals = [r for r in mine if same_place(r.block, pending.block)]
        if {request.block for request in rivals} == {pending.block}:
            found.setdefault(rivals[0], cell)
    return found


def _adopt(driver: Driver, client: Client, request: Request) -> Outcome[LocalNode]:
    """Let the client remember a request as if it were its own."""
    outcome = learn(driver.network.context, client.node, request)
    if isinstance(outcome, Accepted):
        client.node = outcome.state
    return outcome


def _asked(driver: Driver, start: int = 0) -> list[PublicKey]:
    """Return which validators were asked to vote, in order."""
    actions = [s.action for s in driver.trace[start:]]
    return [a.validator for a in actions if isinstance(a, Deliver) and isinstance(a.item, Request)]


@predicate("L3", "goal")
def accepted_blocks_get_certified(network: Network, world: World) -> Iterator[Violation]:
    """L3 (WP-3.3-CLAIM-7): a block pending at a correct validator is accepted by all, and gets its certificate.

    If its owner signed no other at this height. Bound: the client asks all of them again, after they retried their
    requests, at most as often as there are chains: a retry helps only if another chain was created in between.
    """
    for request, cell in _open_requests(world).items():
        driver, client = at_work(network, world)
        refusing = driver.online() if isinstance(_adopt(driver, client, request), Accepted) else [cell.key]
        for _ in range(1 + len(tallest(world))):
            retry(driver)
            refusing = [key for key in refusing if isinstance(driver.submit(client, key, request), Rejected)]
        if refusing or driver.finish(client, request.block.chain_id, request) is None:
            message = f"{place_of(request.block)}, pending at {cell}, cannot be certified"
            yield Violation("L3", message, (refusing, driver.trace))


@predicate("L9", "goal")
def quorums_suffice(network: Network, world: World) -> Iterator[Violation]:
    """L9 (WP-3.3-CLAIM-6): among validators that are up to date, the first quorum asked answers at once.

    The client, which knows of no vote, asks each of them once and nobody else, be the others silent or not.
    """
    for request in _open_requests(world):
        driver, client = up_to_date(network, world)
        needed = _first_quorum(network, driver.online())
        for silent in (set(), set(driver.online()) - set(needed)):
            again, client = at_work(network, world)
            again.world, again.offline = evolve(driver.world, votes=Set()), silent
            _adopt(again, client, request)
            certificate = again.finish(client, request.block.chain_id, request)
            if certificate is None or _asked(again) != needed:
                yield Violation("L9", f"{place_of(request.block)}: a quorum does not suffice", again.trace)


@predicate("L8", "goal")
def one_persistent_proposer_decides(network: Network, world: World) -> Iterator[Violation]:
    """L8 (WP-2.9-LEARN-LOCK, WP-2.9-REPROPOSE, WP-2.9-LATENCY): with several owners, one that goes on alone decides.

    It hears of locks and rounds at validators that are up to date, and leads one round: it asks each of them once with
    the proposal and once with the validated certificate, be all silent but a quorum or not. Only ideal signatures can
    be had of an owner that is not here.
    """
    for cell in _shared_chains(world) if isinstance(network.context.scheme, IdealScheme) else ():
        driver, _ = up_to_date(network, world)
        needed = _first_quorum(network, driver.online())
        for silent in (set(), set(driver.online()) - set(needed)):
            again, client = at_work(network, driver.world)
            again.offline, client.signer = silent, _some_owner(network, cell)
            found = at_once(again.extending(client, cell.chain.chain_id, (), attempts=1))
            asked = Counter((a.validator, type(a.item)) for a in _questions(again))
            if not isinstance(found, Certificate) or max(asked.values()) > 1:
                yield Violation("L8", f"{cell} is not decided by one owner that persists", (found, again.trace))


def _shared_chains(world: World) -> list[Cell]:
    """Return the longest copies of the chains with several owners, those that still have a round left."""
    rounds = [cell for cell in changed_cells(None, world) if current_round(cell.chain.localized.rounds) == MAX_U32]
    spent = {cell.chain.chain_id for cell in rounds}
    shared = (cell for cell in tallest(world) if isinstance(cell.chain.consistent.owner, Owners))
    return [cell for cell in shared if cell.chain.chain_id not in spent]


def _some_owner(network: Network, cell: Cell) -> Signer:
    """Return the ideal signer of an owner that may propose next."""
    part = cell.chain.consistent
    chosen = network.context.application.proposers(cell.chain.chain_id, part.state)
    return Signer(next(key for key in sorted(keys_of(part.owner)) if may_propose(part.owner, chosen, key)), b"")


def _questions(driver: Driver) -> Iterator[Deliver]:
    """Walk what asked validators for votes: requests and validated certificates."""
    for action in (step.action for step in driver.trace):
        if isinstance(action, Deliver) and (isinstance(action.item, Request) or _is_validated(action.item)):
            yield action


def _is_validated(item: object) -> bool:
    return isinstance(item, Certificate) and item.kind is Kind.VALIDATED


def _first_quorum(network: Network, keys: list[PublicKey]) -> list[PublicKey]:
    committee, rule = network.context.committee, network.context.rules.quorum
    sums = accumulate(weight(committee, key) for key in keys)
    short_of = sum(not is_quorum(committee, votes, rule) for votes in sums)
    return keys[: short_of + 1]


@predicate("L10", "goal")
def retries_end(network: Network, world: World) -> Iterator[Violation]:
    """L10 (WP-2.8-EXTEND): asking a validator ends with its vote, a rejection that no upload remedies, or the bound.

    Bound: three tries, and between two of them one upload per missing block and uncreated chain, and one per known
    block, which is handed over again when its messages seem to be lost.
    """
    for request in world.requests:
        for key in sorted(world.validators):
            driver, client = at_work(network, world, key)
            goals = [Goal(c.chain.chain_id, c.chain.consistent.next_height) for c in tallest(world)]
            bound = (TRIES - 1) * sum(sum(work(driver, client, key, goal)) + goal.height for goal in goals)
            outcome = driver.submit(client, key, request)
            tries = len(_asked(driver))
            early = isinstance(outcome, Rejected) and goals_after(request, outcome) != () and tries < TRIES
            if early or tries > TRIES or uploads(driver) > bound:
                message = f"asking {short(key)} for {place_of(request.block)}: {tries} tries"
                yield Violation("L10", f"{message}, {uploads(driver)} uploads", driver.trace)

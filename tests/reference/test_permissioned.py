"""The client of a chain with several owners: choosing rounds, learning locks, and whole runs of the network."""

from collections.abc import Iterable
from itertools import combinations
from typing import Any

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map
from support import (
    NO_HASH,
    accepted,
    certify,
    examples,
    executed,
    key,
    members,
    network,
    node,
    rejected,
    request,
    root,
    signer,
    validators,
)

from linera_reference.application import Effect, burn, transfer
from linera_reference.block import (
    AddOwner,
    Block,
    ChangeKey,
    CloseChain,
    Execute,
    ExecutedBlock,
    RemoveOwner,
    Transaction,
)
from linera_reference.certificate import Certificate, Kind
from linera_reference.chain import Chain
from linera_reference.client import LocalNode, collect, learn, next_block, propose, receive_waiting
from linera_reference.containers import Set
from linera_reference.identifiers import ChainId
from linera_reference.network import Deliver, Network, Propose, Restart, World, initial_world, step
from linera_reference.notation import MAX_U32, PublicKey, u32
from linera_reference.permissioned import choose_round, first_free, first_free_after, learn_locks, propose_in_round
from linera_reference.rejections import Accepted, Outcome, Reason, Rejected, require
from linera_reference.request import Request
from linera_reference.rounds import FIRST_ROUND, Rounds
from linera_reference.validator import RoundInfo, chain_of, round_info

NET = network(owners=(("alice", "bob"), "carol"), byzantine=(3,))
CTX = NET.context
KEYS = tuple(s.public_key for s in validators(NET))
SHARED, CAROL = (0,), (1,)
CORRECT = (0, 1, 2)


def burning(amount: int) -> Execute:
    return Execute(burn(amount))


ONE, TWO = (executed(NET, root(NET), burning(n)) for n in (1, 2))
"""Two blocks that may come first."""


def valid(some: ExecutedBlock, round: int, voters: Iterable[int] = (0, 1, 2)) -> Certificate:
    return certify(NET, some, voters, Kind.VALIDATED, round)


def said(pending: ExecutedBlock | None = None, last: int = 0, locked: Certificate | None = None) -> RoundInfo:
    return RoundInfo(SHARED, 0, pending, Rounds(last, locked))


# --- choosing a round --------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-2.9-CHOOSE-ROUND")
@pytest.mark.parametrize(
    ("info", "free"),
    [
        (said(), 0),
        (said(ONE), 1),
        (said(ONE, 4), 5),
        (said(None, 0, valid(ONE, 0)), 1),
        (said(None, 0, valid(ONE, 3)), 4),
        (said(ONE, 4, valid(ONE, 3)), 5),
        (said(ONE, 3, valid(ONE, 4)), 5),
        (said(ONE, MAX_U32), MAX_U32 + 1),
    ],
)
def test_the_first_free_round_of_a_node(info: RoundInfo, free: int) -> None:
    assert first_free(info) == free


@pytest.mark.clauses("WP-2.9-CHOOSE-ROUND")
@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize(("detail", "free"), [(0, 1), (7, 8), (MAX_U32, MAX_U32 + 1)])
def test_a_refusal_tells_the_first_free_round(reason: Reason, detail: int, free: int) -> None:
    about_rounds = reason in (Reason.INSUFFICIENT_ROUND, Reason.HAS_LOCKED_BLOCK)
    assert first_free_after(Rejected(reason, detail)) == (free if about_rounds else None)


@pytest.mark.clauses("WP-2.9-CHOOSE-ROUND")
@pytest.mark.parametrize("detail", [-1, MAX_U32 + 1, None, "7", (7,), 1.5])
def test_a_senseless_refusal_tells_nothing(detail: Any) -> None:
    assert first_free_after(Rejected(Reason.INSUFFICIENT_ROUND, detail)) is None


def chosen(free: dict[int, int], net: Network = NET, own: LocalNode | None = None) -> Outcome[int]:
    """Choose a round; ``free`` is by place."""
    keys = [s.public_key for s in validators(net)]
    table: Map[PublicKey, int] = Map({keys[place]: first for place, first in free.items()})
    return choose_round(net.context, own or node(net), SHARED, table)


@pytest.mark.clauses("WP-2.9-CHOOSE-ROUND")
@pytest.mark.parametrize(
    ("free", "round"),
    [
        ({}, 0),
        ({0: 0, 1: 0, 2: 0}, 0),
        ({0: 0, 1: 1, 2: 2}, 2),
        ({2: 0, 1: 1, 0: 2}, 2),
        ({0: 0, 1: 1, 2: 2, 3: 3}, 2),
        ({0: 5, 1: 5, 2: 5, 3: MAX_U32 + 1}, 5),
        ({0: MAX_U32 + 1, 1: 1, 2: 1, 3: 1}, 1),
        ({0: 7}, 7),
        ({0: 7, 1: 3}, 7),
        ({0: MAX_U32, 1: MAX_U32, 2: MAX_U32}, MAX_U32),
    ],
)
def test_the_lowest_round_that_a_quorum_accepts_is_chosen(free: dict[int, int], round: int) -> None:
    assert accepted(chosen(free)).state == round


@pytest.mark.clauses("WP-2.9-CHOOSE-ROUND")
def test_a_quorum_is_counted_in_voting_rights() -> None:
    net = network((4, 1, 1, 1), owners=(("alice", "bob"),))
    assert accepted(chosen({0: 1, 1: 3, 2: 2, 3: 9}, net)).state == 2
    # Who has none is not heard.
    net = network((0, 1, 1, 1, 1), owners=(("alice", "bob"),))
    assert accepted(chosen({0: 2, 1: 1, 2: 1, 3: 3, 4: 4}, net)).state == 3


@pytest.mark.clauses("WP-2.9-CHOOSE-ROUND")
def test_the_local_node_must_accept_the_round_too() -> None:
    own = accepted(learn(CTX, node(NET), request(NET, "alice", ONE.block, 6))).state
    assert accepted(chosen({0: 1, 1: 1, 2: 1}, own=own)).state == 7
    assert accepted(chosen({}, own=own)).state == 7
    assert accepted(chosen({0: 9, 1: 9, 2: 9}, own=own)).state == 9


@pytest.mark.clauses("WP-2.9-CHOOSE-ROUND")
def test_there_is_no_round_after_the_last() -> None:
    found = rejected(chosen(dict.fromkeys(range(3), MAX_U32 + 1)), Reason.ARITHMETIC)
    assert found.detail == MAX_U32 + 1
    own = accepted(learn(CTX, node(NET), request(NET, "alice", ONE.block, MAX_U32))).state
    rejected(chosen({}, own=own), Reason.ARITHMETIC)


@pytest.mark.clauses("WP-2.9-CHOOSE-ROUND")
@examples(300)
@given(st.lists(st.integers(0, 9), min_size=3, max_size=3), st.integers(0, MAX_U32 + 1))
def test_a_liar_delays_nobody_for_long(honest: list[int], lie: int) -> None:
    """Once all correct validators were heard, none of them needs a higher round than the choice would be without it."""
    round = accepted(chosen(dict(enumerate([*honest, lie])))).state
    assert round <= max(honest)
    if lie >= max(honest):
        assert round == max(honest)


# --- learning locks ----------------------------------------------------------------------------------------------


def lock_of(some: LocalNode) -> Certificate | None:
    return chain_of(some.validator, SHARED).localized.rounds.locked


@pytest.mark.clauses("WP-2.9-LEARN-LOCK")
def test_the_highest_lock_is_learned_whoever_shows_it() -> None:
    locks = [valid(ONE, 1), valid(TWO, 4), valid(ONE, 3)]
    for order in (locks, locks[::-1]):
        infos = [said(), *(said(ONE, 1, lock) for lock in order)]
        assert lock_of(learn_locks(CTX, node(NET), infos)) == locks[1]
    assert learn_locks(CTX, node(NET), [said(ONE, 7)]) == node(NET)
    assert learn_locks(CTX, node(NET), []) == node(NET)


@pytest.mark.clauses("WP-2.9-LEARN-LOCK")
def test_what_is_not_genuine_is_passed_over() -> None:
    genuine = valid(ONE, 2)
    other_height = evolve(ONE, block=evolve(ONE.block, height=1))
    nonsense = [
        valid(TWO, 9, (0, 1)),
        evolve(valid(TWO, 9), round=8),
        valid(other_height, 9),
        valid(evolve(ONE, block=evolve(ONE.block, previous_hash=NO_HASH)), 9),
        valid(evolve(ONE, block=evolve(ONE.block, chain_id=CAROL)), 9),
        evolve(valid(TWO, 9), round=MAX_U32 + 1),
    ]
    assert learn_locks(CTX, node(NET), [said(None, 0, some) for some in nonsense]) == node(NET)
    assert lock_of(learn_locks(CTX, node(NET), [said(None, 0, some) for some in (*nonsense, genuine)])) == genuine


@pytest.mark.clauses("WP-2.9-LEARN-LOCK")
def test_an_older_lock_is_not_taken_over() -> None:
    known = learn_locks(CTX, node(NET), [said(None, 0, valid(ONE, 3))])
    assert learn_locks(CTX, known, [said(None, 0, valid(TWO, 2))]) == known
    assert lock_of(learn_locks(CTX, known, [said(None, 0, valid(TWO, 4))])) == valid(TWO, 4)


# --- proposing ---------------------------------------------------------------------------------------------------


def proposing(some: LocalNode, owner: str, round: int, *transactions: Transaction) -> Outcome[LocalNode]:
    return propose_in_round(CTX, some, signer(owner), SHARED, transactions, round)


@pytest.mark.clauses("WP-2.9-REPROPOSE")
@pytest.mark.parametrize("round", [0, 1, MAX_U32])
def test_without_a_lock_an_owner_proposes_its_own_block(round: int) -> None:
    outcome = accepted(proposing(node(NET), "bob", round, burning(2)))
    assert outcome.outputs == (request(NET, "bob", TWO.block, round),)
    local = chain_of(outcome.state.validator, SHARED).localized
    assert (local.pending, local.rounds) == (TWO, Rounds(round))


@pytest.mark.clauses("WP-2.9-REPROPOSE", "WP-2.9-FINISH")
def test_under_a_lock_an_owner_proposes_the_locked_block_and_shows_the_lock() -> None:
    lock = valid(ONE, 2)
    knowing = learn_locks(CTX, node(NET), [said(None, 0, lock)])
    outcome = accepted(proposing(knowing, "bob", 3, burning(2)))
    assert outcome.outputs == (request(NET, "bob", ONE.block, 3, lock),)
    found = rejected(proposing(knowing, "bob", 2, burning(2)), Reason.HAS_LOCKED_BLOCK)
    assert found.detail == 2


@pytest.mark.clauses("WP-2.9-INTERRUPT", "WP-2.9-REPROPOSE")
def test_an_own_proposal_is_left_in_a_higher_round_and_no_round_is_used_twice() -> None:
    first = accepted(proposing(node(NET), "alice", 0, burning(1))).state
    rejected(proposing(first, "alice", 0, burning(2)), Reason.INSUFFICIENT_ROUND)
    assert accepted(proposing(first, "alice", 0, burning(1))).state == first
    assert accepted(proposing(first, "alice", 1, burning(2))).outputs == (request(NET, "alice", TWO.block, 1),)


@pytest.mark.clauses("WP-2.9-REPROPOSE")
def test_a_proposal_in_rounds_can_be_refused_locally() -> None:
    rejected(proposing(node(NET), "carol", 0), Reason.INVALID_OWNER)
    rejected(proposing(node(NET), "alice", 0, Execute(b"")), Reason.USER_ERROR)
    rejected(proposing(node(NET), "alice", MAX_U32 + 1), Reason.OUT_OF_RANGE)


# --- whole runs --------------------------------------------------------------------------------------------------


def cell_at(world: World, place: int, chain_id: ChainId = SHARED) -> Chain:
    return chain_of(world.validators[KEYS[place]], chain_id)


def heights(world: World) -> list[int]:
    return [cell_at(world, place).consistent.next_height for place in CORRECT]


def tell(net: Network, world: World, item: Request | Certificate, places: Iterable[int]) -> tuple[World, list[Reason]]:
    """Bring something to validators; return why some refused it."""
    refusals = []
    for place in places:
        outcome = step(net, world, Deliver(KEYS[place], item))
        if isinstance(outcome, Accepted):
            world = outcome.state
        else:
            refusals.append(outcome.reason)
    return world, refusals


@frozen
class Run:
    """A network and the nodes of its users, who act one after the other."""

    world: World
    nodes: Map[str, LocalNode]
    net: Network = NET
    refusals: tuple[Reason, ...] = ()

    @classmethod
    def start(cls, *names: str, net: Network = NET) -> "Run":
        """Begin at genesis."""
        return cls(initial_world(net), Map({name: node(net, SHARED) for name in names}), net)

    def ask(self, name: str, places: Iterable[int] = CORRECT) -> tuple[LocalNode, int]:
        """Learn locks from some validators and choose a round."""
        infos = {KEYS[place]: round_info(cell_at(self.world, place)) for place in places}
        knowing = learn_locks(self.net.context, self.nodes[name], infos.values())
        free: Map[PublicKey, int] = Map({who: first_free(info) for who, info in infos.items()})
        return knowing, accepted(choose_round(self.net.context, knowing, SHARED, free)).state

    def propose(
        self, name: str, *transactions: Transaction, asked: Iterable[int] = CORRECT, told: Iterable[int] = CORRECT
    ) -> "Run":
        """Take a first step: learn, choose, propose."""
        knowing, round = self.ask(name, asked)
        outcome = accepted(propose_in_round(self.net.context, knowing, signer(name), SHARED, transactions, round))
        (made,) = outcome.outputs
        world = accepted(step(self.net, self.world, Propose(made))).state
        world, refusals = tell(self.net, world, made, told)
        return evolve(self, world=world, nodes=self.nodes.set(name, outcome.state), refusals=tuple(refusals))

    def gather(self, name: str) -> Certificate | None:
        """Collect the votes that were cast for what a user's node stands for."""
        return collect(self.net.context, self.nodes[name], SHARED, sorted(self.world.votes, key=repr))

    def certify(self, name: str, told: Iterable[int] = CORRECT) -> "Run":
        """Take a further step: make a certificate of the votes and hand it round."""
        certificate = self.gather(name)
        assert certificate is not None
        learned = accepted(learn(self.net.context, self.nodes[name], certificate)).state
        world, refusals = tell(self.net, self.world, certificate, told)
        return evolve(self, world=world, nodes=self.nodes.set(name, learned), refusals=tuple(refusals))

    def extend(self, name: str, *transactions: Transaction) -> "Run":
        """Take all three steps."""
        return self.propose(name, *transactions).certify(name).certify(name)

    def extend_alone(self, name: str, *transactions: Transaction) -> "Run":
        """Take the two steps of a single owner."""
        outcome = accepted(propose(self.net.context, self.nodes[name], signer(name), SHARED, transactions))
        world = accepted(step(self.net, self.world, Propose(outcome.outputs[0]))).state
        world, _ = tell(self.net, world, outcome.outputs[0], CORRECT)
        return evolve(self, world=world, nodes=self.nodes.set(name, outcome.state)).certify(name)

    def blocks(self, place: int = 0) -> list[Block]:
        """Return the blocks that a validator executed."""
        return [c.executed.block for c in cell_at(self.world, place).localized.certificates.since(0)]


@pytest.mark.clauses("WP-2.9-FINALISE", "WP-2.9-PROPOSAL", "WP-2.9-VALIDATED")
def test_a_block_takes_three_messages_of_its_owner_and_two_answers() -> None:
    run = Run.start("alice").propose("alice", burning(1))
    assert (run.refusals, heights(run.world)) == ((), [0, 0, 0])
    run = run.certify("alice")
    assert [cell_at(run.world, place).localized.rounds.locked is not None for place in CORRECT] == [True] * 3
    assert (run.refusals, heights(run.world)) == ((), [0, 0, 0])
    run = run.certify("alice")
    assert (run.refusals, heights(run.world)) == ((), [1, 1, 1])
    assert run.blocks() == [ONE.block]
    assert cell_at(run.world, 0).localized.rounds == FIRST_ROUND
    assert len(run.world.votes) == 6


@pytest.mark.clauses("WP-2.9-REPROPOSE")
def test_owners_take_turns() -> None:
    run = Run.start("alice", "bob").extend("alice", burning(1))
    (certificate,) = cell_at(run.world, 0).localized.certificates.since(0)
    bob = accepted(learn(CTX, run.nodes["bob"], certificate)).state
    run = evolve(run, nodes=run.nodes.set("bob", bob)).extend("bob", burning(2))
    assert [block.height for block in run.blocks()] == [0, 1]
    assert heights(run.world) == [2, 2, 2]


@pytest.mark.clauses("WP-2.9-INTERRUPT")
@pytest.mark.parametrize("told", [(0,), (0, 1), (0, 1, 2)])
def test_a_single_owner_in_rounds_interrupts_its_proposal(told: tuple[int, ...]) -> None:
    """On a chain of one key this blocks the chain; with its own key added it costs a round."""
    net = network(owners=(("alice",),), byzantine=(3,))
    run = Run.start("alice", net=net).propose("alice", burning(1), told=told)
    run = run.extend("alice", burning(2))
    assert (run.refusals, heights(run.world)) == ((), [1, 1, 1])
    assert run.blocks()[0].transactions == (burning(2),)


@pytest.mark.clauses("WP-2.9-INTERRUPT", "WP-2.9-LEARN-LOCK", "WP-2.9-REPROPOSE")
@pytest.mark.parametrize("asked", list(combinations(CORRECT, 2)))
def test_what_may_be_decided_cannot_be_interrupted(asked: tuple[int, ...]) -> None:
    """Final votes of two correct validators and a Byzantine one may exist: whoever asks a quorum sees a lock."""
    run = Run.start("alice", "bob").propose("alice", burning(1)).certify("alice", told=(0, 1))
    run = run.propose("bob", burning(2), asked=asked)
    (lock,) = {cell_at(run.world, place).localized.rounds.locked for place in (0, 1)}
    assert lock is not None
    assert run.world.requests.contains(request(NET, "bob", ONE.block, 1, lock))
    run = run.certify("bob").certify("bob")
    assert run.blocks() == [ONE.block]


@pytest.mark.clauses("WP-2.9-JUSTIFICATION", "WP-2.9-LEARN-LOCK")
def test_without_the_lock_the_locked_validators_refuse() -> None:
    run = Run.start("alice", "bob").propose("alice", burning(1)).certify("alice", told=(0, 1))
    made = request(NET, "bob", TWO.block, 1)
    world = accepted(step(NET, run.world, Propose(made))).state
    _, refusals = tell(NET, world, made, CORRECT)
    assert refusals == [Reason.HAS_LOCKED_BLOCK] * 2


@pytest.mark.clauses("WP-2.9-FINISH")
@pytest.mark.parametrize("steps", [1, 2])
def test_another_owner_finishes_what_was_begun(steps: int) -> None:
    """Alice stops after her proposal, or when some are locked; Bob knows only what validators tell him."""
    run = Run.start("alice", "bob").propose("alice", burning(1))
    if steps == 2:
        run = run.certify("alice", told=(2,))
        run = run.propose("bob", burning(2)).certify("bob").certify("bob")
        assert run.blocks() == [ONE.block]
        return
    # He may repeat the proposal in its round, …
    info = round_info(cell_at(run.world, 0))
    assert info.pending is not None
    made = request(NET, "bob", info.pending.block, info.rounds.last)
    world = accepted(step(NET, run.world, Propose(made))).state
    world, refusals = tell(NET, world, made, CORRECT)
    assert (refusals, world.votes) == ([], run.world.votes)
    bob = accepted(learn(CTX, run.nodes["bob"], made)).state
    again = evolve(run, world=world, nodes=run.nodes.set("bob", bob)).certify("bob").certify("bob")
    assert again.blocks() == [ONE.block]
    # … or give it up.
    assert run.extend("bob", burning(2)).blocks() == [TWO.block]


@pytest.mark.clauses("WP-2.9-RESET", "WP-2.9-LEARN-LOCK")
def test_who_missed_a_decision_downloads_it() -> None:
    """A validator that committed has forgotten the lock, and refuses the height."""
    run = Run.start("alice", "bob").extend("alice", burning(1))
    assert run.ask("bob") == (run.nodes["bob"], 0)
    assert run.propose("bob", burning(2)).refusals == (Reason.UNEXPECTED_BLOCK_HEIGHT,) * 3
    assert follow(run, "bob").extend("bob", burning(2)).blocks()[0] == ONE.block


@pytest.mark.clauses("WP-2.9-FINISH", "WP-2.9-FINALISE")
def test_anybody_gathers_final_votes() -> None:
    """Carol owns nothing here: she has seen the validated certificate."""
    run = Run.start("alice", "carol").propose("alice", burning(1)).certify("alice")
    certificate = cell_at(run.world, 0).localized.rounds.locked
    assert certificate is not None
    carol = accepted(learn(CTX, run.nodes["carol"], certificate)).state
    run = evolve(run, nodes=run.nodes.set("carol", carol)).certify("carol")
    assert heights(run.world) == [1, 1, 1]


@pytest.mark.clauses("WP-2.9-REPROPOSE", "WP-2.9-CHOOSE-ROUND")
def test_contention_wastes_rounds_and_nothing_else() -> None:
    """Owners that do not coordinate split the votes of each round, until one of them is alone."""
    run = Run.start("alice", "bob")
    for round in range(3):
        for name, amount, told in (("alice", 1, (0,)), ("bob", 2, (1, 2))):
            knowing, free = run.ask(name, ())  # nobody answers in time
            outcome = accepted(
                propose_in_round(CTX, knowing, signer(name), SHARED, (burning(amount),), max(round, free))
            )
            world = accepted(step(NET, run.world, Propose(outcome.outputs[0]))).state
            world, refusals = tell(NET, world, outcome.outputs[0], told)
            assert refusals == []
            run = evolve(run, world=world, nodes=run.nodes.set(name, outcome.state))
        assert run.gather("alice") is None
        assert run.gather("bob") is None
    assert run.ask("alice")[1] == 3
    run = run.extend("alice", burning(1))
    assert (run.refusals, heights(run.world)) == ((), [1, 1, 1])


@pytest.mark.clauses("WP-2.9-REPROPOSE", "WP-2.9-PROPOSAL")
def test_an_owner_that_equivocates_stops_nobody() -> None:
    world = initial_world(NET)
    for place, some in enumerate((ONE, TWO, executed(NET, root(NET), burning(3)))):
        made = request(NET, "bob", some.block)
        world = accepted(step(NET, world, Propose(made))).state
        world, refusals = tell(NET, world, made, [place])
        assert refusals == []
    run = evolve(Run.start("alice"), world=world).extend("alice", burning(9))
    assert [block.transactions for block in run.blocks()] == [(burning(9),)]
    assert cell_at(run.world, 0).localized.certificates.since(0)[0].round == 1


@pytest.mark.clauses("WP-2.9-DURABLE")
def test_validators_may_restart_at_any_time() -> None:
    def all_restart(run: Run) -> Run:
        world = run.world
        for place in CORRECT:
            world = accepted(step(NET, world, Restart(KEYS[place]))).state
        assert world == run.world
        return evolve(run, world=world)

    run = all_restart(Run.start("alice").propose("alice", burning(1), told=(0, 1)))
    made = request(NET, "alice", TWO.block)
    world = accepted(step(NET, run.world, Propose(made))).state
    assert tell(NET, world, made, (0, 1))[1] == [Reason.INSUFFICIENT_ROUND] * 2
    run = all_restart(run.propose("alice", burning(1)).certify("alice"))
    assert tell(NET, world, made, (0, 1))[1] == [Reason.INSUFFICIENT_ROUND] * 2
    assert all_restart(run.certify("alice")).blocks() == [ONE.block]


@pytest.mark.clauses("WP-2.9-ROUND", "WP-2.9-CHOOSE-ROUND")
def test_the_last_round_may_block_the_height() -> None:
    run = Run.start("alice", "bob")
    for name, some, told in (("alice", ONE, (0,)), ("bob", TWO, (1, 2))):
        made = request(NET, name, some.block, MAX_U32)
        world = accepted(step(NET, run.world, Propose(made))).state
        run = evolve(run, world=tell(NET, world, made, told)[0])
    free = Map({KEYS[place]: first_free(round_info(cell_at(run.world, place))) for place in CORRECT})
    rejected(choose_round(CTX, run.nodes["alice"], SHARED, free), Reason.ARITHMETIC)


@pytest.mark.clauses("WP-2.9-DELEGATE", "WP-2.9-CHANGE-OWNERS", "WP-2.9-RESET", "WP-2.9-FINISH")
def test_a_delegate_does_maintenance_and_is_removed_again() -> None:
    """Carol delegates her chain to Dave, who receives her messages and finishes her block; then she removes him."""
    net = network(owners=("carol", "alice"), byzantine=(3,))
    run = pay_in(Run.start("carol", "dave", net=net))
    run = follow(run.extend_alone("carol", AddOwner(key("dave"))), "dave")
    waiting = receive_waiting(chain_of(run.nodes["dave"].validator, SHARED))
    run = follow(run.extend("dave", *waiting), "carol")
    run = run.propose("carol", burning(1)).certify("carol", told=(1,))
    run = follow(run.propose("dave", burning(2)).certify("dave").certify("dave"), "carol")
    assert [block.transactions for block in run.blocks()] == [(AddOwner(key("dave")),), waiting, (burning(1),)]
    run = follow(run.extend("carol", RemoveOwner(key("dave"))), "dave")
    rejected(propose_in_round(net.context, run.nodes["dave"], signer("dave"), SHARED, (), 0), Reason.INVALID_OWNER)
    run = run.extend("carol", ChangeKey(key("carol"))).extend_alone("carol", CloseChain())
    assert heights(run.world) == [6, 6, 6]
    assert [c.round for c in cell_at(run.world, 0).localized.certificates.since(0)] == [0, 0, 1, 0, 0, 0]


def follow(run: Run, name: str) -> Run:
    """Let a user execute the blocks that validators have."""
    some = run.nodes[name]
    for certificate in cell_at(run.world, 0).localized.certificates.since(0):
        some = accepted(learn(run.net.context, some, certificate)).state
    return evolve(run, nodes=run.nodes.set(name, some))


def pay_in(run: Run) -> Run:
    """Let the owner of the second root chain pay to the first; everybody has the message."""
    made = request(run.net, "alice", next_block(root(run.net, 1), (Execute(transfer(SHARED, 5)),)))
    world = accepted(step(run.net, run.world, Propose(made))).state
    world, _ = tell(run.net, world, made, CORRECT)
    proposer = accepted(learn(run.net.context, node(run.net), made)).state
    certificate = collect(run.net.context, proposer, CAROL, world.votes)
    assert certificate is not None
    for place in CORRECT:
        world, _ = tell(run.net, world, certificate, [place])
        for item in world.internal[KEYS[place]]:
            world = accepted(step(run.net, world, Deliver(KEYS[place], item))).state
    nodes = {name: accepted(learn(run.net.context, some, certificate)).state for name, some in run.nodes.items()}
    return evolve(run, world=world, nodes=Map(nodes))


# --- the chess rule ----------------------------------------------------------------------------------------------


@frozen
class Board:
    """Whose move it is; the referee may always propose."""

    players: tuple[PublicKey, PublicKey]
    referee: PublicKey
    moves: u32 = 0


class Chess:
    """A game of which only the turns matter."""

    def initial_state(self) -> Board:
        return Board((NO_HASH, NO_HASH), NO_HASH)

    def proposers(self, chain_id: ChainId, state: Board) -> Set[PublicKey] | None:
        return members(state.players[state.moves % 2], state.referee)

    def execute_operation(self, chain_id: ChainId, state: Board, operation: bytes) -> Effect:
        require(operation == b"move", Reason.USER_ERROR)
        return Effect(evolve(state, moves=state.moves + 1))

    def execute_message(self, chain_id: ChainId, state: Board, origin: ChainId, payload: bytes) -> Effect:
        return Effect(state)


MOVE = Execute(b"move")


def chess() -> Network:
    net = network(owners=(("alice", "bob", "carol"),), byzantine=(3,), application=Chess())
    board = Board((key("alice"), key("bob")), key("carol"))
    (chain,) = net.genesis.chains
    return evolve(net, genesis=evolve(net.genesis, chains=(evolve(chain, state=board),)))


@pytest.mark.clauses("WP-4.6-PROPOSERS")
def test_players_move_in_turn() -> None:
    run = Run.start("alice", "bob", net=chess())
    for mover, waiter in (("alice", "bob"), ("bob", "alice"), ("alice", "bob")):
        early = propose_in_round(run.net.context, run.nodes[waiter], signer(waiter), SHARED, (MOVE,), 0)
        rejected(early, Reason.OUT_OF_TURN)
        run = follow(run.extend(mover, MOVE), waiter)
    assert cell_at(run.world, 0).consistent.state.moves == 3


@pytest.mark.clauses("WP-4.6-PROPOSERS")
def test_a_validator_refuses_who_is_not_to_move_and_hears_the_referee() -> None:
    net = chess()
    run = Run.start("alice", "carol", net=net)
    made = request(net, "bob", next_block(root(net), (MOVE,)))
    world = accepted(step(net, run.world, Propose(made))).state
    assert tell(net, world, made, CORRECT)[1] == [Reason.OUT_OF_TURN] * 3
    # Bob does not move: the referee ends the game, and finishes what Alice began.
    run = follow(run.extend("alice", MOVE), "carol").extend("carol", CloseChain())
    assert cell_at(run.world, 0).consistent.owner is None


@pytest.mark.clauses("WP-4.6-PROPOSERS")
def test_certificates_know_no_turns() -> None:
    """Whoever was to move when a block was proposed: who has the votes may finish it."""
    run = Run.start("alice", "bob", net=chess()).propose("alice", MOVE).certify("alice", told=(0, 1))
    lock = cell_at(run.world, 0).localized.rounds.locked
    assert lock is not None
    bob = accepted(learn(run.net.context, run.nodes["bob"], lock)).state
    run = evolve(run, nodes=run.nodes.set("bob", bob))
    world, refusals = tell(run.net, run.world, lock, CORRECT)
    assert refusals == []
    assert heights(evolve(run, world=world).certify("bob").world) == [1, 1, 1]

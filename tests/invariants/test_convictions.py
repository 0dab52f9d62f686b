"""Charges across rounds: two decisions always charge enough, and whoever follows the rules has an answer."""

from collections import defaultdict
from collections.abc import Callable
from itertools import combinations
from random import Random
from typing import Any

import pytest
from attrs import define, evolve, field
from support import certify, executed, key, network, request, root, validators
from worlds import pay

from linera_invariants import convictions
from linera_invariants.convictions import Charge, Offence, charges, convicted, is_answer, open_case
from linera_reference import rounds as rules_of_rounds
from linera_reference.block import ExecutedBlock
from linera_reference.certificate import Certificate, Kind, Vote, sign_vote
from linera_reference.chain import Chain
from linera_reference.committee import combined_weight, validity_threshold
from linera_reference.network import Network
from linera_reference.notation import PublicKey
from linera_reference.rejections import Accepted
from linera_reference.request import Request
from linera_reference.validator import handle_at, payload_of

NETWORK = network(owners=(("alice", "bob"), "carol"))
CONTEXT = NETWORK.context
ONE, TWO, THREE = (executed(NETWORK, root(NETWORK), pay((1,), amount)) for amount in (1, 2, 3))
FALSE = evolve(ONE, state_hash=bytes(32))
"""Another outcome of the first block."""
KEYS = [signer.public_key for signer in validators(NETWORK)]
OTHERS = (0, 2, 3)
"""A quorum without the validator that is judged."""


def confirmed(executed: ExecutedBlock, round: int, *voters: int) -> Certificate:
    return certify(NETWORK, executed, voters or OTHERS, Kind.CONFIRMED, round)


def validated(executed: ExecutedBlock, round: int, *voters: int) -> Certificate:
    return certify(NETWORK, executed, voters or OTHERS, Kind.VALIDATED, round)


def found(*certificates: Certificate) -> list[Charge]:
    return list(charges(open_case(CONTEXT, certificates)))


def said(*certificates: Certificate) -> dict[Offence, set[int]]:
    """Return the places of the charged, by offence."""
    places: dict[Offence, set[int]] = {}
    for charge in found(*certificates):
        places.setdefault(charge.offence, set()).update(KEYS.index(key) for key in charge.charged)
    return places


DOUBLE, BROKEN, UNFOUNDED = Offence


# --- the charges -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("round", [0, 3])
@pytest.mark.parametrize("vote", [confirmed, validated])
def test_two_votes_in_a_round_are_final(vote: Callable[..., Certificate], round: int):
    one, two, answered = vote(ONE, round, 0, 2, 3), vote(TWO, round, 1, 2, 3), (validated(ONE, 3), validated(TWO, 3))
    assert said(one, two, *answered)[DOUBLE] >= {2, 3}
    assert 1 not in said(one, *answered).get(DOUBLE, ())
    assert convicted(CONTEXT.scheme, CONTEXT.committee, one, two) == {KEYS[2], KEYS[3]}


def test_two_outcomes_of_one_block_are_final():
    """Who validates a block has executed it; who confirms one has not."""
    assert said(validated(ONE, 0, 1), validated(FALSE, 5, 1), validated(ONE, 3)) == {DOUBLE: {1}}
    assert said(confirmed(ONE, 0, 1), confirmed(FALSE, 5, 1), validated(FALSE, 5)) == {}


def test_a_lock_is_left_for_a_block_that_was_validated_in_between():
    lock, vote = confirmed(ONE, 2, 1), validated(TWO, 5, 1)
    foundation = validated(ONE, 2)
    assert said(lock, vote, foundation) == {BROKEN: {1}}
    assert said(lock, vote, foundation, validated(TWO, 3)) == said(lock, vote, foundation, validated(TWO, 4)) == {}
    for useless in (validated(TWO, 1), validated(TWO, 2), validated(TWO, 3, 0, 2), validated(TWO, 6)):
        assert 1 in said(lock, vote, foundation, useless)[BROKEN]
    assert said(lock, vote, foundation, validated(THREE, 3)) == {BROKEN: {1}}
    assert said(validated(TWO, 1, 1), foundation, lock) == {}


def test_a_later_outcome_is_answered_by_what_was_confirmed():
    """A lock binds to a block: who confirmed a false outcome that others validated may find the true one."""
    lock, vote = confirmed(FALSE, 0, 1), validated(ONE, 5, 1)
    assert said(lock, vote) == {BROKEN: {1}}
    assert said(lock, vote, validated(FALSE, 0, 0, 2, 3)) == {}
    assert said(lock, vote, validated(FALSE, 4, 0, 2, 3)) == {}
    assert said(lock, vote, validated(FALSE, 5, 0, 2, 3)) == {BROKEN: {1}}
    assert said(confirmed(FALSE, 2, 1), vote, validated(FALSE, 1, 0, 2, 3))[BROKEN] == {1}


def test_a_confirmation_rests_on_a_validated_certificate():
    vote = confirmed(ONE, 2, 1)
    assert said(vote) == {UNFOUNDED: {1}}
    assert said(vote, validated(ONE, 2, 0, 2, 3)) == {}
    for useless in (validated(ONE, 2, 0, 2), validated(ONE, 1), validated(FALSE, 2, 0, 2, 3)):
        assert said(vote, useless) == {UNFOUNDED: {1}}
    assert said(confirmed(ONE, 0, 1)) == {}


def test_a_fork_of_outcomes_charges_enough():
    """Two outcomes of one block are decided: who signed both validates, whether or not the earlier one was founded."""
    fork = confirmed(ONE, 0), confirmed(FALSE, 2, 1, 2, 3)
    assert said(*fork) == {UNFOUNDED: {1, 2, 3}}
    assert said(*fork, validated(FALSE, 2, 1, 2, 3)) == {BROKEN: {2, 3}}
    assert said(*fork, validated(FALSE, 2, 1, 2, 3), validated(ONE, 0)) == {DOUBLE: {2, 3}}


def test_answers_are_genuine_quorums():
    """Votes that were gathered apart are an answer together; forged ones, repeated ones and strangers' are not."""
    vote, whole = confirmed(ONE, 2, 1), validated(ONE, 2, 0, 2, 3)
    assert said(vote, *(validated(ONE, 2, place) for place in (0, 2, 3))) == {}
    (pair, *rest) = whole.signatures
    for signatures in ((pair, pair, *rest[1:]), ((pair[0], bytes(64)), *rest), ((key("eve"), pair[1]), *rest)):
        assert said(vote, evolve(whole, signatures=signatures)) == {UNFOUNDED: {1}}


def test_the_gravest_charge_is_brought():
    votes = [confirmed(ONE, 1, 1), confirmed(TWO, 1, 1), validated(THREE, 2, 1)]
    assert said(*votes) == {DOUBLE: {1}}
    assert said(*votes[1:]) == {BROKEN: {1}}
    assert said(votes[0]) == {UNFOUNDED: {1}}


def test_different_places_do_not_conflict():
    later = evolve(TWO, block=evolve(TWO.block, height=1))
    assert convicted(CONTEXT.scheme, CONTEXT.committee, confirmed(ONE, 0), confirmed(later, 0)) == frozenset()


# --- runs --------------------------------------------------------------------------------------------------------


@define
class Run:
    """Correct validators run the shipped handlers, Byzantine ones sign anything; what was sent arrives in any order."""

    network: Network
    random: Random
    correct: dict[PublicKey, Chain]
    votes: dict[Any, dict[PublicKey, Vote]] = field(factory=lambda: defaultdict(dict))
    blocks: dict[bytes, ExecutedBlock] = field(factory=dict)
    requests: list[Request] = field(factory=list)

    def step(self) -> None:
        self.random.choice((self.propose, self.lie, self.lie, self.deliver, self.deliver, self.deliver))()

    def propose(self) -> None:
        locks = [*self.certificates(Kind.VALIDATED), None, None]
        lock, rival = self.random.choice(locks), self.random.choice((ONE, TWO, THREE))
        block = rival.block if lock is None else lock.executed.block
        self.requests.append(request(self.network, "alice", block, self.random.randrange(5), lock))

    def lie(self) -> None:
        liars = [s for s in validators(self.network) if s.public_key not in self.correct]
        executed, kind = self.random.choice((ONE, TWO, THREE, FALSE)), self.random.choice(tuple(Kind))
        payload = payload_of(self.network.context, executed, kind, self.random.randrange(5))
        self.blocks[payload.block_hash] = executed
        for liar in liars:
            self.cast(sign_vote(self.network.context.scheme, liar, payload))

    def deliver(self) -> None:
        items = [*self.requests, *self.certificates(Kind.VALIDATED), *self.certificates(Kind.VALIDATED)]
        for signer in validators(self.network):
            if items and signer.public_key in self.correct and self.random.random() < 0.8:
                item, chain = self.random.choice(items), self.correct[signer.public_key]
                outcome = handle_at(self.network.context, chain, item, signer)
                if isinstance(outcome, Accepted):
                    self.correct[signer.public_key] = outcome.state
                    pending = outcome.state.localized.pending
                    known = [item.executed] if isinstance(item, Certificate) else [pending] if pending else []
                    self.blocks |= {self.network.context.scheme.hash(block): block for block in known}
                    for vote in outcome.outputs:
                        if isinstance(vote, Vote):
                            self.cast(vote)

    def cast(self, vote: Vote) -> None:
        self.votes[vote.payload][vote.validator] = vote

    def certificates(self, kind: Kind, quorum: bool = True) -> list[Certificate]:
        """Return what the votes amount to, complete or not."""
        committee, made = self.network.context.committee, []
        for payload, cast in self.votes.items():
            signed = tuple(sorted((key, vote.signature) for key, vote in cast.items()))
            full = combined_weight(committee, cast) >= committee.total - (committee.total - 1) // 3
            if payload.kind is kind and full >= quorum:
                made.append(Certificate(self.blocks[payload.block_hash], kind, payload.round, signed))
        return made


def played(seed: int, weights: tuple[int, ...] = (1, 1, 1, 1)) -> Run:
    """Let one to three of the validators be Byzantine."""
    random = Random(seed)
    places = random.sample(range(len(weights)), random.randint(1, len(weights) - 1))
    world = network(weights, owners=(("alice", "bob"), "carol"), byzantine=tuple(places))
    start = root(world)
    correct = {s.public_key: start for s in validators(world) if s.public_key not in world.byzantine}
    run = Run(world, random, correct)
    for _ in range(60):
        run.step()
    return run


def judged(run: Run, *certificates: Certificate) -> set[PublicKey]:
    case = open_case(run.network.context, certificates)
    return {key for charge in charges(case) for key in charge.charged}


def honest_charged(seeds: range) -> list[int]:
    """Return the runs in which a validator that ran the shipped handlers is charged though all votes are published."""
    wrong = []
    for seed in seeds:
        run = played(seed)
        everything = (c for kind in Kind for c in run.certificates(kind, quorum=False))
        wrong += [seed] * bool(judged(run, *everything) & run.correct.keys())
    return wrong


def forks_without_charge(seeds: range) -> tuple[int, int]:
    """Count forks, each with some of the validated certificates published, and those that charge too few."""
    forks = wrong = 0
    for seed in seeds:
        run = played(seed, ((1, 1, 1, 1), (1, 2, 3, 4), (2, 1, 1), (1,) * 7)[seed % 4])
        committee, validated = run.network.context.committee, run.certificates(Kind.VALIDATED)
        for one, two in combinations(run.certificates(Kind.CONFIRMED), 2):
            if one.executed != two.executed:
                published = [found for found in validated if run.random.random() < 0.6] if forks % 3 else validated
                forks += 1
                weight = combined_weight(committee, judged(run, one, two, *published))
                wrong += weight < validity_threshold(committee.total)
    return forks, wrong


def test_nobody_who_follows_the_rules_is_charged_when_its_answers_are_published():
    assert honest_charged(range(60)) == []


def test_two_decisions_charge_more_than_the_fault_bound_whatever_is_published():
    forks, wrong = forks_without_charge(range(60))
    assert forks > 100
    assert wrong == 0


def test_whoever_leaves_a_lock_without_a_justification_is_charged(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rules_of_rounds, "binding_lock", lambda _, justification: justification)
    assert honest_charged(range(30))


ANSWERS: dict[str, Callable[..., bool]] = {
    "any certificate": lambda *_: True,
    "the block of the confirmation": lambda answer, one, two=None: (
        is_answer(answer, one, two) or (two is not None and answer.executed == two.executed)
    ),
}


@pytest.mark.parametrize("what", ANSWERS)
def test_lenient_answers_are_noticed(monkeypatch: pytest.MonkeyPatch, what: str):
    monkeypatch.setattr(convictions, "is_answer", ANSWERS[what])
    _, wrong = forks_without_charge(range(30))
    assert wrong > 0


def test_strict_answers_are_noticed(monkeypatch: pytest.MonkeyPatch):
    """Did nothing count as an answer, correct validators would be charged."""
    monkeypatch.setattr(convictions, "is_answer", lambda *_: False)
    assert honest_charged(range(10))

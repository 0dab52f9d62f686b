"""A single-owner chain on four weighted validators, some Byzantine, with an owner that signs whatever it likes.

Requests, votes, certificates and deliveries happen in any order. Beside the registered predicates, the machine checks
voting and certification against tallies of its own, and hands correct validators certificates that must not count.
"""

from collections.abc import Iterator

from attrs import evolve
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from linera_invariants.driver import Step
from linera_reference.application import burn
from linera_reference.block import Block, Execute, ExecutedBlock
from linera_reference.certificate import Certificate, Kind, sign_vote
from linera_reference.client import next_block
from linera_reference.execution import execute_block
from linera_reference.network import ArchiveChain, Certify, Deliver, Restart, World
from linera_reference.notation import PublicKey
from linera_reference.rejections import Accepted, Reason, Rejected
from linera_reference.request import Request, sign_request
from linera_reference.validator import chain_of, handle

from .base import NEWEST, back
from .network import ORDER, PLACE, SOME, WEIGHTS, NetworkMachine, progress
from .wishes import MOSTLY, NUMBER, WISHES, Surroundings, Wish

CHAIN = (0,)
STRANGER = bytes(32)

AUTHENTIC = "a correct validator votes for what the owner of the chain signed"
ONE_VOTE = "a correct validator votes for one block per height"
ONE_BLOCK = "one block per height is ever certified"
WEIGHED = "a certificate holds more than two thirds of the voting rights, each signer counted once"
PREFIX = "every correct log is a prefix of the certified blocks"
FORGED = "a forged certificate is rejected for its defect and changes nothing"

COVERAGE = frozenset(
    {
        "Byzantine vote",
        "Byzantine vote for a false state",
        "acknowledgement repeated",
        "block committed",
        "certificate formed",
        "certificate of weighted validators",
        "certificate with a Byzantine vote",
        "chain archived",
        "chain closed",
        "chain wedged by its owner",
        "equivocation",
        "key changed",
        "old certificate ignored",
        "outbox drained",
        "rejected: ACTION_NOT_ENABLED",
        "rejected: CERTIFICATE_VALIDATOR_REUSE",
        "rejected: CHAIN_CLOSED",
        "rejected: INSUFFICIENT_FUNDING",
        "rejected: INVALID_BLOCK_PROPOSAL",
        "rejected: INVALID_NEW_CHAIN_ID",
        "rejected: INVALID_OWNER",
        "rejected: MISSING_EARLIER_BLOCKS",
        "rejected: PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST",
        "rejected: UNEXPECTED_BLOCK_HEIGHT",
        "rejected: UNEXPECTED_PREVIOUS_BLOCK_HASH",
        "repeat acknowledged",
        "restart with a vote",
        "tombstone answered",
        "vote overruled by a certificate",
        "vote repeated",
        *(
            f"forged certificate rejected: {reason.name}"
            for reason in (
                Reason.CERTIFICATE_REQUIRES_QUORUM,
                Reason.CERTIFICATE_VALIDATOR_REUSE,
                Reason.INVALID_CERTIFICATE_SIGNER,
                Reason.INVALID_SIGNATURE,
                Reason.UNEXPECTED_CERTIFICATE_KIND,
            )
        ),
    }
)


class SingleChainMachine(NetworkMachine):
    """One chain, its owners, four validators."""

    @initialize(weights=WEIGHTS, faulty=ORDER, betrayed=MOSTLY)
    def begin(self, weights: tuple[int, ...], faulty: list[int], betrayed: bool) -> None:
        """Draw the voting rights, and who is Byzantine (in one case out of four, nobody)."""
        self.ballots: dict[tuple[PublicKey, int], Block] = {}
        self.certified: dict[int, bytes] = {}
        self.uneven = len(set(weights)) > 1
        self.open_network(weights, faulty if betrayed else (), [(CHAIN, ("alice",))])
        self.around = Surroundings([CHAIN], [self.signers[name].public_key for name in ("alice", "bob")])

    # --- the owner ---

    @rule(place=PLACE, wishes=WISHES, honestly=MOSTLY, some=SOME)
    def propose(self, place: int, wishes: list[Wish], honestly: bool, some: int) -> None:
        """Somebody signs a block on top of what a validator has, and sends it to some validators."""
        chain = self.cell(self.validator(place), CHAIN)
        signer = self.signer_of(chain.consistent.owner)
        if signer is None or not honestly:
            signer = self.signers["carol"]
        self.spread(self.propose_on(chain, self.around.grant(chain, wishes), signer), some)

    @rule(place=PLACE, wishes=WISHES, some=SOME, betrayed=MOSTLY, others=SOME)
    def extend(self, place: int, wishes: list[Wish], some: int, betrayed: bool, others: int) -> None:
        """The owner proposes to some validators and spreads the certificate, if there is one, to others."""
        chain = self.cell(self.validator(place), CHAIN)
        signer = self.signer_of(chain.consistent.owner)
        if signer is None:
            return
        request = self.propose_on(chain, self.around.grant(chain, wishes), signer)
        self.spread(request, some)
        for executed in [e for e in self.executed.values() if e.block == request.block]:
            if betrayed:
                self.betray(executed)
            self.spread(self.certify(executed), others)

    @rule(some=SOME, what=st.sampled_from(["key", "close", "transfer", "transfer", "transfer"]), number=NUMBER)
    def live(self, some: int, what: str, number: int) -> None:
        """The owner goes on with everybody's votes; some validators learn of it and deliver the messages."""
        furthest = max(range(len(self.correct)), key=lambda i: progress(self.cell(self.correct[i], CHAIN)))
        self.extend(furthest, [Wish("receive"), Wish(what, number)], 0, True, some)
        for key in self.some(some):
            self.settle(key)

    @rule(place=PLACE, what=st.sampled_from(["round", "height", "parent"]), to=PLACE)
    def propose_misplaced(self, place: int, what: str, to: int) -> None:
        """The owner signs a block for another round, height or parent."""
        chain = self.cell(self.validator(place), CHAIN)
        block, signer = next_block(chain, ()), self.signer_of(chain.consistent.owner)
        if what == "height":
            block = evolve(block, height=block.height + 1)
        if what == "parent":
            block = evolve(block, previous_hash=STRANGER)
        if signer is not None:
            round = 1 if what == "round" else 0
            request = self.publish(sign_request(self.network.context.scheme, signer, block, round))
            self.deliver(self.validator(to), request)

    # --- validators ---

    @precondition(lambda self: self.requests)
    @rule(which=NEWEST, some=SOME)
    def spread_request(self, which: int, some: int) -> None:
        """A request reaches some validators, again or for the first time."""
        self.spread(back(self.requests, which), some)

    @precondition(lambda self: self.byzantine and self.executed)
    @rule(which=NEWEST)
    def vote_twice(self, which: int) -> None:
        """Every Byzantine validator votes for some block, whatever it voted for before."""
        self.betray(back(list(self.executed.values()), which))

    @precondition(lambda self: self.byzantine and self.executed)
    @rule(which=NEWEST)
    def vote_for_a_lie(self, which: int) -> None:
        """Every Byzantine validator votes for a block with another state."""
        lie = evolve(back(list(self.executed.values()), which), state_hash=STRANGER)
        self.betray(lie)
        self.count("Byzantine vote for a false state")
        self.check(self.certify(lie) is None, WEIGHED, lie)

    @precondition(lambda self: self.executed)
    @rule(which=NEWEST, without=st.integers(0, 5).map(lambda n: max(0, n - 3)))
    def gather_votes(self, which: int, without: int) -> None:
        """Somebody tries to form a certificate."""
        self.certify(back(list(self.executed.values()), which), without)

    @precondition(lambda self: self.driver.world.votes and self.executed)
    @rule(which=NEWEST)
    def gather_votes_twice(self, which: int) -> None:
        """Somebody counts a vote twice."""
        executed = back(list(self.executed.values()), which)
        voters = self.voters(executed)
        self.driver.act(Certify(executed, (*voters, *voters[:1])))

    @precondition(lambda self: self.certificates)
    @rule(which=NEWEST, some=SOME)
    def spread_certificate(self, which: int, some: int) -> None:
        """A certificate reaches some validators, early, late or again."""
        self.spread(back(self.certificates, which), some)

    @precondition(lambda self: self.internal)
    @rule(which=NEWEST)
    def deliver_internal(self, which: int) -> None:
        """A cross-chain request arrives."""
        self.deliver(*back(self.internal, which))

    @rule(place=PLACE)
    def settle_messages(self, place: int) -> None:
        """A validator delivers the chain's messages to itself."""
        self.settle(self.validator(place))

    @precondition(lambda self: self.best_view(CHAIN).consistent.owner is None)
    @rule(place=PLACE)
    def archive(self, place: int) -> None:
        """A validator archives the chain."""
        self.driver.act(ArchiveChain(self.validator(place), CHAIN))

    @rule(place=PLACE)
    def restart(self, place: int) -> None:
        """A validator restarts."""
        self.driver.act(Restart(self.validator(place)))

    # --- certificates that must not count ---

    @rule(place=PLACE, fault=st.sampled_from(["twice", "stranger", "short", "signature", "kind"]), first=PLACE)
    def forge(self, place: int, fault: str, first: int) -> None:
        """A validator is shown a certificate of a valid block with one defect."""
        key = self.validator(place)
        chain = self.cell(key, CHAIN)
        if chain.consistent.owner is None:
            return
        executed = execute_block(self.network.context, chain, next_block(chain, (Execute(burn(1)),))).executed
        certificate, reason = self.forgery(executed, fault, first)
        validator = self.driver.world.validators[key]
        outcome = handle(self.network.context, validator, certificate, self.network.signers[key])
        found = outcome.reason if isinstance(outcome, Rejected) else None
        if found is not None:
            self.count(f"forged certificate rejected: {found.name}")
        self.remark(f"{self.names[key]} is shown a certificate with a defect ({fault}): {found and found.name}")
        self.check(found is reason, FORGED, fault, found)

    def forgery(self, executed: ExecutedBlock, fault: str, first: int) -> tuple[Certificate, Reason]:
        """Build a certificate with one defect, and say which rejection it deserves."""
        good, weights = Certificate(executed, Kind.CONFIRMED, 0, ()), self.network.context.committee.weights
        members = [key for key in self.members if weights[key] > 0]
        voters = members[first % len(members) :] + members[: first % len(members)]
        match fault:
            case "twice":
                # The same few signers, until their weights counted again and again would do.
                return self.signed(good, voters[:1] * 40), Reason.CERTIFICATE_VALIDATOR_REUSE
            case "stranger":
                weightless = [key for key in self.members if weights[key] == 0]
                stranger = (weightless or [self.signers["carol"].public_key])[0]
                return self.signed(good, [*voters, stranger]), Reason.INVALID_CERTIFICATE_SIGNER
            case "short":
                return self.signed(good, list(self.too_few(voters))), Reason.CERTIFICATE_REQUIRES_QUORUM
            case "kind":
                other = evolve(good, kind=Kind.VALIDATED)
                return self.signed(other, voters), Reason.UNEXPECTED_CERTIFICATE_KIND
        signatures = self.signed(evolve(good, round=1), voters).signatures
        return evolve(good, signatures=signatures), Reason.INVALID_SIGNATURE

    def too_few(self, voters: list[PublicKey]) -> Iterator[PublicKey]:
        """Walk voters whose rights together just fail to exceed two thirds."""
        committee, weight = self.network.context.committee, 0
        for voter in voters:
            if 3 * (weight + committee.weights[voter]) <= 2 * committee.total:
                weight += committee.weights[voter]
                yield voter

    def signed(self, certificate: Certificate, voters: list[PublicKey]) -> Certificate:
        """Put signatures on a certificate, genuine ones."""
        scheme = self.network.context.scheme
        payload = evolve(self.payload(certificate.executed), kind=certificate.kind, round=certificate.round)
        secrets = {signer.public_key: signer for signer in self.signers.values()}
        votes = (sign_vote(scheme, secrets[voter], payload) for voter in voters)
        return evolve(certificate, signatures=tuple((vote.validator, vote.signature) for vote in votes))

    # --- tallies ---

    def observe(self, before: World, step: Step, after: World) -> None:
        """Judge a step, then compare it with the tallies."""
        super().observe(before, step, after)
        if not isinstance(step.outcome, Accepted):
            return
        match step.action:
            case Deliver(key, Request() as request):
                owner = chain_of(before.validators[key], CHAIN).consistent.owner
                self.check(request.owner == owner, AUTHENTIC, self.names[key], request)
                self.tally_vote(key, request.block)
            case Deliver(key, Certificate()):
                self.compare_log(key)
            case Certify(executed):
                self.tally_certificate(executed, step.outcome.outputs[0])

    def tally_vote(self, key: PublicKey, block: Block) -> None:
        """A correct validator answered a request with a vote."""
        first = self.ballots.setdefault((key, block.height), block)
        self.check(first == block, ONE_VOTE, self.names[key], first, block)

    def tally_certificate(self, executed: ExecutedBlock, certificate: Certificate) -> None:
        """A certificate was formed."""
        weights, height = self.network.context.committee.weights, executed.block.height
        first = self.certified.setdefault(height, self.payload(executed).block_hash)
        self.check(first == self.payload(executed).block_hash, ONE_BLOCK, height)
        signers = {signer for signer, _ in certificate.signatures}
        self.check(3 * sum(weights[s] for s in signers) > 2 * sum(weights.values()), WEIGHED, certificate)
        self.count("certificate of weighted validators", self.uneven)

    def compare_log(self, key: PublicKey) -> None:
        """A correct validator accepted a certificate."""
        log = self.cell(key, CHAIN).consistent.log
        known = [self.certified.get(height) for height in range(len(log))]
        mine = [log.get(height) for height in range(len(log))]
        self.check(all(h in (None, g) for h, g in zip(mine, known, strict=True)), PREFIX, self.names[key])

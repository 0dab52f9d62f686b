"""A chain with several owners on four weighted validators: rounds, locks, justifications and restarts.

The owners do not coordinate. They sign several blocks in a round, skip rounds, propose locked blocks again, argue with
justifications that are true, old, for another block or hollow, and leave things unfinished for each other. Byzantine
validators vote for anything in any round, correct ones restart at any time, and the owners change. Beside the
registered predicates, the machine compares votes and certificates with tallies of its own.
"""

from typing import TypeAlias

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from linera_invariants.driver import Step
from linera_invariants.predicates.liveness import subjects
from linera_invariants.registry import check_goals
from linera_reference.block import Block, ExecutedBlock
from linera_reference.certificate import Certificate, Kind, Vote, VotePayload, sign_vote
from linera_reference.chain import Chain
from linera_reference.client import next_block
from linera_reference.crypto import Signer
from linera_reference.network import Certify, Deliver, Restart, World
from linera_reference.notation import Hash, PublicKey
from linera_reference.ownership import Owners
from linera_reference.permissioned import first_free
from linera_reference.rejections import Accepted
from linera_reference.request import Request, sign_request
from linera_reference.validator import chain_of, round_info

from .base import NEWEST, back
from .network import ORDER, PLACE, SOME, WEIGHTS, NetworkMachine
from .wishes import MOSTLY, NUMBER, WISHES_OF_SEVERAL, Surroundings, Wish

CHAIN = (0,)
OWNERS = ("alice", "bob")

ONE_VOTE = "a correct validator casts one vote of a kind in a round, and one at a height of a single owner"
ONE_BLOCK = "one block per height is ever confirmed"
PRESERVED = "once a block is confirmed, no other one is validated in its round or a later one"

COVERAGE = frozenset(
    {
        "block committed in a later round",
        "certificate with a Byzantine vote",
        "equivocation",
        "final vote",
        "final vote repeated",
        "final vote without the proposal",
        "height of several owners decided",
        "hollow certificate",
        "key changed",
        "lock proposed again",
        "lock released by a justification",
        "lock replaced by a later one",
        "old certificate ignored",
        "old validated certificate ignored",
        "owners changed",
        "rejected: CERTIFICATE_REQUIRES_QUORUM",
        "rejected: EMPTY_OWNER_SET",
        "rejected: HAS_LOCKED_BLOCK",
        "rejected: INSUFFICIENT_ROUND",
        "rejected: INVALID_BLOCK_PROPOSAL",
        "rejected: INVALID_OWNER",
        "rejected: MISSING_EARLIER_BLOCKS",
        "rejected: UNEXPECTED_BLOCK_HEIGHT",
        "rejected: UNEXPECTED_CERTIFICATE_KIND",
        "rejected: UNKNOWN_OWNER",
        "restart with a lock",
        "restart with a vote",
        "validated certificate formed",
        "vote bound by a justification",
        "vote for another block",
        "vote overruled by a certificate",
        "vote repeated",
        "vote repeated in a later round",
    }
)

AHEAD = st.sampled_from([0, 0, 0, 0, 1, 2, -1, -2])
"""How far from the first round that is free."""
ARGUMENT = st.sampled_from(
    ("own", "lock", "lock", "older", "older", "unjustified", "other", "confirmed", "confirmed", "hollow")
)
END = st.sampled_from(["shown", "follows", "too early", "back", "elsewhere", "astray"])
"""What the one left behind is asked: the later block, too early, the first one, another one, another with a lie."""

Slot: TypeAlias = tuple[PublicKey, int, Kind, int]


class SeveralOwnersMachine(NetworkMachine):
    """One chain, its owners, four validators."""

    @initialize(weights=WEIGHTS, faulty=ORDER, betrayed=MOSTLY, judged=st.booleans())
    def begin(self, weights: tuple[int, ...], faulty: list[int], betrayed: bool, judged: bool) -> None:
        """Draw the voting rights, who is Byzantine (in a quarter of all cases, nobody), whether liveness is judged."""
        self.judged = judged
        self.ballots: dict[Slot, Hash] = {}
        self.confirmed: dict[int, tuple[Hash, int]] = {}
        self.proved: dict[int, list[tuple[Hash, int]]] = {}
        self.open_network(weights, faulty if betrayed else (), [(CHAIN, OWNERS)])
        self.around = Surroundings([CHAIN], [self.signers[name].public_key for name in (*OWNERS, "carol")])

    # --- owners ---

    def view(self) -> Chain:
        """Return the view of the correct validator that knows most: blocks, then locks, then proposals."""
        return max((self.cell(key, CHAIN) for key in self.correct), key=knowledge)

    def free_round(self, chain: Chain) -> int:
        """Return the first round that all correct validators at the height of a view accept."""
        if not is_shared(chain):
            return 0
        views = [self.cell(key, CHAIN) for key in self.correct]
        height = chain.consistent.next_height
        return max(first_free(round_info(view)) for view in views if view.consistent.next_height == height)

    def sign(self, signer: Signer | None, block: Block, round: int, argument: Certificate | None = None) -> Request:
        """Publish a request of an owner, or of somebody else if there is none."""
        signer = signer or self.signers["carol"]
        return self.publish(sign_request(self.network.context.scheme, signer, block, max(0, round), argument))

    @rule(place=PLACE, who=NUMBER, ahead=AHEAD, wishes=WISHES_OF_SEVERAL, how=ARGUMENT, which=NEWEST, some=SOME)
    def propose(self, place: int, who: int, ahead: int, wishes: list[Wish], how: str, which: int, some: int) -> None:
        """An owner signs a block in some round, with some argument, and sends it to some validators."""
        chain = self.cell(self.validator(place), CHAIN)
        block, justification = self.argue(chain, wishes, how, which)
        signer = self.signer_of(chain.consistent.owner, who) if who < 6 else None
        self.spread(self.sign(signer, block, self.free_round(chain) + ahead, justification), some)

    def argue(self, chain: Chain, wishes: list[Wish], how: str, which: int) -> tuple[Block, Certificate | None]:
        """Choose a block and a justification: of the lock, of any validated certificate, or a wrong one."""
        own, locked = next_block(chain, self.around.grant(chain, wishes)), chain.localized.rounds.locked
        match how:
            case "lock" if locked is not None:
                return locked.executed.block, locked
            case "unjustified" if locked is not None:
                return locked.executed.block, None
            case "older" if self.validated:
                older = back(self.validated, which)
                return older.executed.block, older
            case "other" if self.validated:
                return own, back(self.validated, which)
            case "confirmed" if self.certificates:
                return own, back(self.certificates, which)
            case "hollow":
                return own, self.hollow(ExecutedBlock(own, (), bytes(32)), max(0, self.free_round(chain) - 1))
        return own, None

    def hollow(self, executed: ExecutedBlock, round: int) -> Certificate:
        """Let Byzantine validators validate a block, and make what looks like a certificate of it."""
        self.count("hollow certificate")
        self.betray(executed, Kind.VALIDATED, round)
        payload = self.payload(executed, Kind.VALIDATED, round)
        votes = [sign_vote(self.network.context.scheme, self.network.signers[key], payload) for key in self.byzantine]
        return Certificate(executed, Kind.VALIDATED, round, tuple((v.validator, v.signature) for v in votes))

    @rule(who=NUMBER, wishes=WISHES_OF_SEVERAL, heed=MOSTLY, some=SOME, others=SOME, learners=SOME, betrayed=MOSTLY)
    def decide(
        self, who: int, wishes: list[Wish], heed: bool, some: int, others: int, learners: int, betrayed: bool
    ) -> None:
        """An owner leads a round, of which every phase reaches some validators; mostly it heeds the highest lock."""
        chain = self.view()
        wishes = wishes if is_shared(chain) else [Wish("join", who)]
        block, justification = self.argue(chain, wishes, "lock" if heed else "own", 0)
        signer, round = self.signer_of(chain.consistent.owner, who), self.free_round(chain)
        self.spread(self.sign(signer, block, round, justification), some)
        self.pursue(block, round, others, learners, betrayed)

    @rule(who=NUMBER, other=NUMBER, wishes=WISHES_OF_SEVERAL, some=SOME, others=SOME, ahead=AHEAD)
    def contend(self, who: int, other: int, wishes: list[Wish], some: int, others: int, ahead: int) -> None:
        """Two owners, or one of them twice, propose different blocks in one round; liars help both."""
        chain = self.view()
        owner, round = chain.consistent.owner, self.free_round(chain) + max(0, ahead)
        blocks = [next_block(chain, self.around.grant(chain, w)) for w in (wishes, [*wishes, Wish("burn", 1)])]
        requests = [self.sign(self.signer_of(owner, i), b, round) for i, b in zip((who, other), blocks, strict=True)]
        for key in self.correct:
            self.deliver(key, requests[key in self.some(some)])
        for block in blocks:
            self.pursue(block, round, others, 0 if ahead else others, betrayed=True)

    @rule(place=PLACE, who=NUMBER, end=END)
    def outrun(self, place: int, who: int, end: str) -> None:
        """One validator is locked on a block that the others leave for another one, and is asked to vote again."""
        chain = self.view()
        alone, everybody = 1 << place % len(self.correct), (1 << len(self.correct)) - 1
        signer, round = self.signer_of(chain.consistent.owner, who), self.free_round(chain)
        proofs = []
        for later, reached in enumerate((everybody, everybody - alone)):
            block = next_block(chain, self.around.grant(chain, [Wish("burn", later)]))
            self.spread(self.sign(signer, block, round + later), reached)
            proofs.append(self.prove(block, round + later))
            self.spread(proofs[-1] if end in ("shown", "back") or not later else None, alone)
        argument = proofs[0] if end == "back" else proofs[1]
        if argument is not None:
            block = next_block(chain, ()) if end in ("elsewhere", "astray") else argument.executed.block
            argument = self.hollow(ExecutedBlock(block, (), bytes(32)), round + 1) if end == "astray" else argument
            self.spread(self.sign(signer, block, round + 1 + (end != "too early"), argument), alone)

    def prove(self, block: Block, round: int) -> Certificate | None:
        """Let liars help to validate a proposal; return the certificate, if there is one."""
        for executed in [e for e in self.executed.values() if e.block == block]:
            self.betray(executed, Kind.VALIDATED, round)
            return self.certify(executed, 0, Kind.VALIDATED, round)
        return None

    def pursue(self, block: Block, round: int, others: int, learners: int, betrayed: bool) -> None:
        """Go on with a proposal: gather votes to validate it, show the certificate to some, and so on."""
        shared = is_shared(self.view())
        for executed in [e for e in self.executed.values() if e.block == block]:
            if betrayed:
                self.betray(executed, Kind.VALIDATED, round)
            validated = self.certify(executed, 0, Kind.VALIDATED, round) if shared else None
            self.spread(validated, others)
            if validated is not None or not shared:
                self.finalise(executed, round, learners, betrayed)

    def finalise(self, executed: ExecutedBlock, round: int, learners: int, betrayed: bool) -> None:
        """Gather votes to confirm a block, and show the certificate to some."""
        if betrayed:
            self.betray(executed, Kind.CONFIRMED, round)
        self.spread(self.certify(executed, 0, Kind.CONFIRMED, round), learners)

    # --- anybody goes on with what was left ---

    @precondition(lambda self: self.requests)
    @rule(which=NEWEST, some=SOME)
    def spread_request(self, which: int, some: int) -> None:
        """A request reaches some validators, again or for the first time."""
        self.spread(back(self.requests, which), some)

    @precondition(lambda self: self.requests)
    @rule(which=NEWEST, others=SOME, learners=SOME, betrayed=MOSTLY)
    def resume(self, which: int, others: int, learners: int, betrayed: bool) -> None:
        """Somebody goes on with a proposal of any round."""
        request = back(self.requests, which)
        self.pursue(request.block, request.round, others, learners, betrayed)

    @precondition(lambda self: self.validated)
    @rule(which=NEWEST, some=SOME, learners=SOME, betrayed=st.booleans())
    def finish(self, which: int, some: int, learners: int, betrayed: bool) -> None:
        """A validated certificate reaches some validators, late or again, and somebody gathers final votes."""
        validated = back(self.validated, which)
        self.spread(validated, some)
        self.finalise(validated.executed, validated.round, learners, betrayed)

    @precondition(lambda self: self.certificates)
    @rule(which=NEWEST, some=SOME)
    def spread_certificate(self, which: int, some: int) -> None:
        """A confirmed certificate reaches some validators, early, late or again."""
        self.spread(back(self.certificates, which), some)

    # --- validators ---

    @precondition(lambda self: self.byzantine and self.executed)
    @rule(which=NEWEST, kind=st.sampled_from(Kind), ahead=AHEAD, some=SOME)
    def lie(self, which: int, kind: Kind, ahead: int, some: int) -> None:
        """Byzantine validators vote for some block in some round, and show a certificate that has their votes only."""
        executed, round = back(list(self.executed.values()), which), max(0, self.free_round(self.view()) + ahead)
        self.betray(executed, kind, round)
        if kind is Kind.VALIDATED and self.certify(executed, 0, kind, round) is None:
            self.spread(self.hollow(executed, round), some)

    @rule(place=PLACE)
    def restart(self, place: int) -> None:
        """A validator restarts."""
        self.driver.act(Restart(self.validator(place)))

    # --- the end ---

    def goodbye(self) -> None:
        """Let one owner persist at the end of some examples."""
        if getattr(self, "judged", False):
            world = self.driver.world
            cases = subjects(world)["L8"]
            self.session.checked["L8"] += cases
            self.accuse(check_goals(self.network, world, {"L8"}))
            self.count("height of several owners decided", cases)

    # --- tallies ---

    def observe(self, before: World, step: Step, after: World) -> None:
        """Judge a step, then compare it with the tallies."""
        super().observe(before, step, after)
        if not isinstance(step.outcome, Accepted):
            return
        match step.action:
            case Deliver(key, Request(block) | Certificate(ExecutedBlock(block))):
                shared = is_shared(chain_of(before.validators[key], CHAIN))
                for vote in (vote for vote in step.outcome.outputs if isinstance(vote, Vote)):
                    self.tally_vote(key, block.height, vote.payload, shared)
            case Certify(executed, _, Kind.CONFIRMED, round):
                self.tally_confirmed(executed, round)
            case Certify(executed, _, Kind.VALIDATED, round):
                self.tally_validated(executed, round)

    def tally_vote(self, key: PublicKey, height: int, payload: VotePayload, shared: bool) -> None:
        """A correct validator voted."""
        slot = (key, height, payload.kind, payload.round) if shared else (key, height, Kind.CONFIRMED, 0)
        first = self.ballots.setdefault(slot, payload.block_hash)
        self.check(first == payload.block_hash, ONE_VOTE, self.names[key], height, payload)

    def tally_confirmed(self, executed: ExecutedBlock, round: int) -> None:
        """A block was confirmed in a round."""
        height, block = executed.block.height, self.payload(executed).block_hash
        first, earliest = self.confirmed.get(height, (block, round))
        self.check(first == block, ONE_BLOCK, height)
        self.confirmed[height] = block, min(earliest, round)
        self.compare_rounds(height)

    def tally_validated(self, executed: ExecutedBlock, round: int) -> None:
        """A block was validated in a round."""
        height = executed.block.height
        self.proved.setdefault(height, []).append((self.payload(executed).block_hash, round))
        self.compare_rounds(height)

    def compare_rounds(self, height: int) -> None:
        """Compare what was validated with what was confirmed."""
        if height in self.confirmed:
            block, round = self.confirmed[height]
            later = [other for other, r in self.proved.get(height, ()) if r >= round]
            self.check(all(other == block for other in later), PRESERVED, height, round)


def is_shared(chain: Chain) -> bool:
    """Whether a view of a chain has several owners."""
    return isinstance(chain.consistent.owner, Owners)


def knowledge(chain: Chain) -> tuple[int, int, int]:
    """Say how far a view of a chain is: height, round of the lock, round of the last proposal."""
    rounds = chain.localized.rounds
    lock = -1 if rounds.locked is None else rounds.locked.round
    return chain.consistent.next_height, lock, rounds.last

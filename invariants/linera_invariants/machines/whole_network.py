"""The whole network: clients follow their strategies while the adversary acts at will.

Chains create chains, exchange messages, change hands, are shared, closed and archived; validators lag, lie, restart or
lose requests; owners equivocate and race each other. Every step is judged by every predicate, and some worlds by the
liveness goals.
"""

from collections.abc import Iterable, Iterator

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from linera_invariants.driver import Client, Step
from linera_invariants.predicates.liveness import settled, subjects, tallest
from linera_invariants.registry import check_goals
from linera_reference.block import Transaction
from linera_reference.certificate import Certificate
from linera_reference.chain import Chain, is_closed
from linera_reference.client import Goal, next_block, receive_waiting
from linera_reference.identifiers import ChainId
from linera_reference.network import ArchiveChain, Deliver, Propose, Restart, World
from linera_reference.ownership import keys_of
from linera_reference.rejections import Accepted, Rejected
from linera_reference.request import Request, sign_request
from linera_reference.rules import BASELINE, REVISION_H, Rules
from linera_reference.validator import chain_of

from .base import NEWEST, back
from .network import ORDER, PLACE, SOME, USERS, WEIGHTS, NetworkMachine, progress
from .wishes import ABOUT_MESSAGES, BLUNDER, MOSTLY, NUMBER, SELDOM, WISHES, Surroundings, Wish

ROOTS = (((0,), ("alice",)), ((1,), ("bob",)))
SHARED = (((0,), ("alice",)), ((1,), ("bob", "carol")))

COVERAGE = frozenset(
    {
        "Byzantine vote",
        "acknowledgement repeated",
        "anticipation",
        "anticipation reconciled",
        "batch delivered",
        "batch of several blocks",
        "batch partly repeated",
        "block committed",
        "certificate formed",
        "certificate with a Byzantine vote",
        "chain archived",
        "chain closed",
        "chain created",
        "chain wedged by its owner",
        "equivocation",
        "final vote",
        "goals checked",
        "height of several owners decided",
        "lagging copy caught up",
        "open proposal finished",
        "owed message settled",
        "undelivered message settled",
        "grandchild created",
        "key changed",
        "lagging validator brought up to date",
        "message skipped before it arrived",
        "message skipped by a block",
        "message to a chain that does not exist",
        "old certificate ignored",
        "outbox drained",
        "owners changed",
        "owners raced",
        "rejected: CHAIN_CLOSED",
        "rejected: CHAIN_NOT_CLOSED",
        "rejected: INACTIVE_CHAIN",
        "rejected: INCORRECT_MESSAGE_ORDER",
        "rejected: INCORRECT_TRANSFER_AMOUNT",
        "rejected: INSUFFICIENT_FUNDING",
        "rejected: INVALID_NEW_CHAIN_ID",
        "rejected: INVALID_OWNER",
        "rejected: MISSING_CROSS_CHAIN_UPDATE",
        "rejected: MISSING_EARLIER_BLOCKS",
        "rejected: OUTBOX_NOT_EMPTY",
        "rejected: PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST",
        "rejected: UNEXPECTED_BLOCK_HEIGHT",
        "rejected: UNEXPECTED_MESSAGE",
        "rejected: USER_ERROR",
        "repeat acknowledged",
        "restart with a vote",
        "strategy extended a chain",
        "tombstone answered",
        "vote overruled by a certificate",
        "vote repeated",
    }
)

ABSENT = st.sampled_from([0, 0, 0, 1, 2, 4, 8, 1, 2, 4, 8, 3, 15])
"""Who does not answer, as bits: mostly nobody or one validator."""
RULES = st.sampled_from([BASELINE, BASELINE, REVISION_H])


class WholeNetworkMachine(NetworkMachine):
    """Four validators, two root chains, three users."""

    @initialize(weights=WEIGHTS, faulty=ORDER, vices=PLACE, rules=RULES, judged=SELDOM, alone=MOSTLY)
    def begin(
        self, weights: tuple[int, ...], faulty: list[int], vices: int, rules: Rules, judged: bool, alone: bool
    ) -> None:
        """Draw voting rights, liars, profile, whether owners equivocate, liveness is judged, owners are alone."""
        self.judged = judged
        self.treacherous = vices >= 2
        self.open_network(weights, faulty if vices else (), ROOTS if alone else SHARED, rules)
        self.clients = {name: self.driver.client(name, self.signers[name]) for name in USERS}

    # --- who and where ---

    def chains(self) -> list[ChainId]:
        """Return the chains that exist at some correct validator."""
        views = self.driver.world.validators.values()
        return sorted({i for view in views for i, chain in view.chains.items() if chain.consistent.created})

    def pick(self, which: int) -> ChainId:
        """Return one of the chains."""
        chains = self.chains()
        return chains[which % len(chains)]

    def owners_of(self, chain: Chain) -> list[Client]:
        """Return the clients that own a chain, as one validator sees it; none when closed or not created."""
        return [self.clients[name] for name in sorted(self.names[key] for key in keys_of(chain.consistent.owner))]

    def grant(self, chain: Chain, wishes: Iterable[Wish]) -> tuple[Transaction, ...]:
        """Turn wishes into transactions on top of a view of a chain."""
        return Surroundings(self.chains(), [self.signers[name].public_key for name in USERS]).grant(chain, wishes)

    # --- clients ---

    @rule(which=NUMBER, wishes=WISHES, absent=ABSENT, settling=MOSTLY, complicit=MOSTLY)
    def extend(self, which: int, wishes: list[Wish], absent: int, settling: bool, complicit: bool) -> None:
        """The owner of a chain extends it in any way."""
        self.follow(self.pick(which), wishes, absent, settling, complicit)

    @rule(which=NUMBER, to=NUMBER, times=st.integers(1, 3), absent=ABSENT, settling=MOSTLY)
    def pay(self, which: int, to: int, times: int, absent: int, settling: bool) -> None:
        """The owner of a chain sends tokens to another chain, once or several times."""
        self.follow(self.pick(which), [Wish("transfer", to)] * times, absent, settling)

    @rule(which=NUMBER, skip=NUMBER, absent=ABSENT, settling=MOSTLY)
    def collect(self, which: int, skip: int, absent: int, settling: bool) -> None:
        """The owner of a chain where messages wait consumes some, perhaps not from the first."""
        waiting = [i for i in self.chains() if receive_waiting(self.best_view(i))]
        if waiting:
            self.follow(waiting[which % len(waiting)], [Wish("receive", skip)], absent, settling)

    @rule(which=NUMBER, owner=NUMBER, absent=ABSENT, settling=MOSTLY)
    def open_chain(self, which: int, owner: int, absent: int, settling: bool) -> None:
        """The owner of a chain opens a child, of the newest chain it can, and sends it a token."""
        chain_id = back(self.chains(), which)
        self.follow(chain_id, [Wish("receive"), Wish("open", owner)], absent, settling)

    @rule(which=NUMBER, number=NUMBER, absent=ABSENT, settling=MOSTLY)
    def hand_over(self, which: int, number: int, absent: int, settling: bool) -> None:
        """The owner of a chain changes its key."""
        self.follow(self.pick(which), [Wish("key", number)], absent, settling)

    @rule(which=NUMBER, owner=NUMBER, absent=ABSENT, settling=MOSTLY)
    def share(self, which: int, owner: int, absent: int, settling: bool) -> None:
        """The owner of a chain lets another one join, or chooses rounds for itself."""
        self.follow(self.pick(which), [Wish("join", owner)], absent, settling)

    @rule(which=NUMBER, wishes=WISHES, absent=ABSENT, complicit=MOSTLY)
    def race(self, which: int, wishes: list[Wish], absent: int, complicit: bool) -> None:
        """All owners of a shared chain extend it at the same time, turn by turn."""
        shared = [i for i in self.chains() if len(self.owners_of(self.best_view(i))) > 1]
        if not shared:
            return
        chain_id, driver, runs = back(shared, which), self.driver, []
        driver.settling, driver.complicit, driver.offline = True, complicit, set(self.some(absent)) if absent else set()
        for place, client in enumerate(self.owners_of(self.best_view(chain_id))):
            driver.synchronize(client, chain_id)
            wanted = self.grant(client.chain(chain_id), [*wishes, Wish("burn", place)])
            runs.append(driver.extending(client, chain_id, wanted))
        while runs:
            runs = [run for run in runs if next(run, self) is not self]
        self.count("owners raced")
        self.rest()

    @rule(which=NUMBER, to=NUMBER, place=PLACE, skip=st.integers(3, 7), times=st.integers(1, 3))
    def overtake(self, which: int, to: int, place: int, skip: int, times: int) -> None:
        """One validator misses a payment and sees the block that consumes it."""
        absent, sender, recipient = 1 << place % len(self.correct), self.pick(which), self.pick(to)
        self.follow(sender, [Wish("transfer", to)] * times, absent, settling=True)
        self.follow(recipient, [Wish("receive", skip)], absent, settling=True)
        self.spread(back(self.certificates, 0) if self.certificates else None, absent)

    @rule(which=NUMBER, to=NUMBER, place=PLACE)
    def lose_answers(self, which: int, to: int, place: int) -> None:
        """A validator loses the answers to one payment, then delivers it again together with the next one."""
        for answers in (False, True):
            self.follow(self.pick(which), [Wish("transfer", to)], 0, settling=False)
            self.settle(self.validator(place), answers)

    @rule(which=NUMBER, to=NUMBER, place=PLACE)
    def retire(self, which: int, to: int, place: int) -> None:
        """An owner sends its last tokens and closes; a validator archives too early, then in time."""
        chain_id, key = self.pick(which), self.validator(place)
        self.follow(chain_id, [Wish("transfer", to), Wish("close")], 0, settling=False)
        self.driver.act(ArchiveChain(key, chain_id))
        self.settle(key)
        self.driver.act(ArchiveChain(key, chain_id))

    def follow(
        self, chain_id: ChainId, wishes: list[Wish], absent: int, settling: bool, complicit: bool = True
    ) -> None:
        """Let the owner of a chain follow the strategy, while some validators do not answer."""
        owners, driver = self.owners_of(self.best_view(chain_id)), self.driver
        if not owners:
            return
        client = back(owners, len(self.requests))
        driver.settling, driver.complicit, driver.actor = settling, complicit, client.name
        driver.offline = set(self.some(absent)) if absent else set()
        driver.synchronize(client, chain_id)
        outcome = driver.extend(client, chain_id, self.grant(client.chain(chain_id), wishes))
        self.count("strategy extended a chain", outcome is not None and not isinstance(outcome, Rejected))
        self.rest()

    @rule(which=NUMBER, settling=MOSTLY)
    def catch_up(self, which: int, settling: bool) -> None:
        """A client brings the validator up to date that lags most on one chain."""
        chain_id = self.pick(which)
        key = min(self.correct, key=lambda key: progress(self.cell(key, chain_id)))
        client = self.clients[USERS[which % len(USERS)]]
        behind = self.cell(key, chain_id).consistent.next_height
        self.driver.settling, self.driver.actor = settling, client.name
        self.driver.synchronize(client, chain_id)
        height = client.chain(chain_id).consistent.next_height
        self.driver.upload(client, key, Goal(chain_id, height))
        after = self.cell(key, chain_id).consistent.next_height
        self.count("lagging validator brought up to date", behind < after == height)
        self.rest()

    def rest(self) -> None:
        """No strategy is at work any more."""
        self.driver.settling, self.driver.complicit, self.driver.actor = False, False, None
        self.driver.offline = set()

    # --- the adversary: owners ---

    @rule(place=PLACE, which=NUMBER, wishes=WISHES, honestly=MOSTLY, some=SOME)
    def propose(self, place: int, which: int, wishes: list[Wish], honestly: bool, some: int) -> None:
        """Somebody signs a block on top of what one validator has, and sends it to some."""
        chain = self.cell(self.validator(place), self.pick(which))
        signer = self.signer_of(chain.consistent.owner)
        if signer is None or not honestly:
            signer = self.signers[USERS[which % len(USERS)]]
        elif not self.treacherous and any(self.pending_requests(chain)):
            return
        self.spread(self.propose_on(chain, self.grant(chain, wishes), signer), some)

    @rule(place=PLACE, which=NUMBER, wish=BLUNDER)
    def blunder(self, place: int, which: int, wish: Wish) -> None:
        """An owner signs a block that no validator may accept; where messages wait, if it is about messages."""
        waiting = [chain_id for chain_id in self.chains() if receive_waiting(self.best_view(chain_id))]
        chain_id = back(waiting if wish.kind in ABOUT_MESSAGES and waiting else self.chains(), which)
        chain = self.cell(self.validator(place), chain_id)
        signer = self.signer_of(chain.consistent.owner)
        transactions = self.grant(chain, [wish])
        if signer is not None and transactions:
            self.spread(self.propose_on(chain, transactions, signer), 0)

    def pending_requests(self, chain: Chain) -> Iterator[Request]:
        """Walk what owners signed for the next height of a view of a chain."""
        place = (chain.chain_id, chain.consistent.next_height)
        return (request for request in self.requests if (request.block.chain_id, request.block.height) == place)

    @precondition(lambda self: self.treacherous)
    @rule(which=NUMBER, wishes=WISHES, others=WISHES, some=SOME)
    def equivocate(self, which: int, wishes: list[Wish], others: list[Wish], some: int) -> None:
        """An owner sends different blocks to different validators."""
        chain = self.best_view(self.pick(which))
        signer = self.signer_of(chain.consistent.owner)
        if signer is None:
            return
        first = self.propose_on(chain, self.grant(chain, wishes), signer)
        second = self.propose_on(chain, self.grant(chain, others), signer)
        for key in self.correct:
            self.deliver(key, first if key in self.some(some) else second)

    @precondition(lambda self: self.requests)
    @rule(which=NEWEST, some=SOME)
    def spread_request(self, which: int, some: int) -> None:
        """A request reaches some validators, late or again."""
        self.spread(back(self.requests, which), some)

    # --- the adversary: validators and certificates ---

    @precondition(lambda self: self.executed)
    @rule(which=NEWEST, betrayed=st.booleans(), some=SOME)
    def gather_votes(self, which: int, betrayed: bool, some: int) -> None:
        """Byzantine validators vote for some block, somebody forms the certificate, and some validators see it."""
        executed = back(list(self.executed.values()), which)
        if betrayed:
            self.betray(executed)
        self.spread(self.certify(executed), some)

    @precondition(lambda self: self.certificates)
    @rule(which=NEWEST, some=SOME)
    def spread_certificate(self, which: int, some: int) -> None:
        """A certificate of either kind reaches some validators, early, late or again."""
        self.spread(back([*self.validated, *self.certificates], which), some)

    @rule(place=PLACE)
    def restart(self, place: int) -> None:
        """A validator restarts."""
        self.driver.act(Restart(self.validator(place)))

    # --- the adversary: transport between chains ---

    @precondition(lambda self: self.internal)
    @rule(which=NEWEST, times=st.integers(1, 4))
    def deliver_internal(self, which: int, times: int) -> None:
        """Cross-chain requests arrive: new, late or again, the newest first."""
        for distance in range(times):
            self.deliver(*back(self.internal, which + distance))

    @rule(place=PLACE, answers=st.booleans())
    def settle_messages(self, place: int, answers: bool) -> None:
        """The transport inside one validator delivers everything for once, or loses the answers only."""
        self.settle(self.validator(place), answers)

    @rule(place=PLACE, which=NUMBER)
    def resend(self, place: int, which: int) -> None:
        """A validator sends the pending requests of a chain again."""
        self.driver.resend(self.validator(place), self.pick(which))

    @rule(place=PLACE, which=NUMBER)
    def archive(self, place: int, which: int) -> None:
        """A validator archives a chain: one that is closed, where there is any, with messages under way or without."""
        key, chains = self.validator(place), self.chains()
        views = [view for view in (self.cell(key, chain_id) for chain_id in chains) if is_closed(view.consistent)]
        closed = [view.chain_id for view in sorted(views, key=lambda view: bool(view.localized.outboxes))]
        self.driver.act(ArchiveChain(key, back(closed or chains, which)))

    # --- the end ---

    def remember(self, before: World, step: Step, outcome: Accepted[World]) -> None:
        """Remember the last world in which a certificate left messages owed."""
        super().remember(before, step, outcome)
        match step.action:
            case Deliver(key, Certificate(executed)):
                chain = chain_of(outcome.state.validators[key], executed.block.chain_id)
                if not chain.localized.owing.is_empty:
                    self.owing = outcome.state

    def goodbye(self) -> None:
        """Judge liveness where messages were owed last, and in some examples at the end, with a proposal left open."""
        if getattr(self, "judged", False):
            self.leave_a_proposal_open()
            self.judge_goals(self.driver.world)
        owing = getattr(self, "owing", None)
        if owing is not None:
            self.judge_goals(owing)

    def judge_goals(self, world: World) -> None:
        """Demand that clients reach every goal from a world."""
        cases = subjects(world)
        self.session.checked.update(cases)
        self.count("goals checked")
        self.accuse(check_goals(self.network, world))
        for place, count in settled(cases).items():
            self.count(place, count)

    def leave_a_proposal_open(self) -> None:
        """Let the owner of the first open chain propose one more block, to the validator that knows most of it."""
        owners = {signer.public_key: signer for signer in self.signers.values()}
        for cell in tallest(self.driver.world):
            part, local = cell.chain.consistent, cell.chain.localized
            if part.owner in owners and local.pending is None and local.owing.is_empty:
                request = sign_request(self.session.scheme, owners[part.owner], next_block(cell.chain, ()))
                self.driver.act(Propose(request))
                self.driver.act(Deliver(cell.key, request))
                return

"""One sender at one validator, several recipients, and a transport that loses, repeats, reorders and delays.

The model knows only which blocks have messages for whom, how far each recipient is, and how far it acknowledged. The
reference's outboxes, counters, inboxes and answers must be what follows: messages arrive exactly once, in order, none
is lost, and repeats are acknowledged. Once the transport is fair, everything that can be delivered is.
"""

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from linera_invariants.driver import Step
from linera_reference.application import transfer
from linera_reference.block import CloseChain, Execute, OpenChain, Transaction
from linera_reference.certificate import Certificate
from linera_reference.chain import Chain, is_closed
from linera_reference.client import receive_waiting
from linera_reference.identifiers import ChainId
from linera_reference.messages import Create, Message
from linera_reference.network import ArchiveChain, Deliver, World
from linera_reference.outbox import ConfirmUpdatedRecipient, UpdateRecipient
from linera_reference.rejections import Accepted, Reason, Rejected
from linera_reference.validator import is_delivered, sent_messages

from .base import NEWEST, back
from .network import NetworkMachine
from .wishes import SELDOM

SENDER = (0,)
ACTIVE = ((1,), (2,))
NOBODY = (9,)

EXACTLY_ONCE = "a recipient logs every block with messages for it once, in order, up to where it is"
IN_ORDER = "the messages that wait are those received and neither consumed nor skipped, in order"
NO_LOSS = "an outbox holds exactly the blocks that were not acknowledged"
COUNTED = "counters count the recipients that a block waits for"
ANSWERED = "a batch is answered as the state of its recipient demands"
CONFIRMED = "an acknowledgement never runs ahead of delivery"
DRAINED = "under a fair transport everything that can be delivered is delivered and acknowledged"

COVERAGE = frozenset(
    {
        "acknowledgement repeated",
        "batch delivered",
        "batch of several blocks",
        "batch partly repeated",
        "chain archived",
        "chain closed",
        "chain created",
        "drained in the end",
        "message skipped by a block",
        "message to oneself",
        "message to somebody who never exists",
        "outbox drained",
        "outbox kept for a closed recipient",
        "rejected: CHAIN_CLOSED",
        "rejected: CHAIN_NOT_CLOSED",
        "rejected: INACTIVE_CHAIN",
        "rejected: OUTBOX_NOT_EMPTY",
        "repeat acknowledged",
        "repeat acknowledged by a closed chain",
        "requests sent again",
        "several messages of one block",
        "stale batch",
        "tombstone answered",
    }
)

RECIPIENTS = st.lists(st.integers(0, 6), min_size=1, max_size=4)


class OutboxDeliveryMachine(NetworkMachine):
    """A sender, its recipients, one validator."""

    @initialize(peaceful=SELDOM)
    def begin(self, peaceful: bool) -> None:
        """One validator, three chains; more are created on the way, unless all is peaceful: then nothing closes."""
        self.peaceful = peaceful
        self.open_network((1,), (), [(SENDER, ("alice",)), *((chain_id, ("bob",)) for chain_id in ACTIVE)])
        self.key = self.correct[0]
        self.sent: dict[ChainId, list[Message]] = {}
        self.reached: dict[ChainId, int] = {}
        self.acknowledged: dict[ChainId, int] = {}

    # --- the chains ---

    def view(self, chain_id: ChainId) -> Chain:
        """Return the view of a chain."""
        return self.cell(self.key, chain_id)

    def extend(self, chain_id: ChainId, transactions: tuple[Transaction, ...]) -> None:
        """Let the owner extend a chain, if it has one."""
        chain = self.view(chain_id)
        signer = self.signer_of(chain.consistent.owner)
        if signer is None:
            return
        self.deliver(self.key, self.propose_on(chain, transactions, signer))
        pending = self.view(chain_id).localized.pending
        certificate = None if pending is None else self.certify(pending)
        if certificate is not None:
            self.deliver(self.key, certificate)

    @rule(recipients=RECIPIENTS)
    def send(self, recipients: list[int]) -> None:
        """The sender's next block has messages for some recipients, perhaps several for one."""
        index = self.view(SENDER).consistent.tx_count
        self.extend(SENDER, tuple(self.message_to(target, index + i) for i, target in enumerate(recipients)))

    def message_to(self, target: int, index: int) -> Transaction:
        """Return a transaction that sends: to an active chain, to itself, to a child before or while it is created."""
        children = [chain_id for chain_id in self.sent if len(chain_id) == 2]
        last, next_one = max(children, default=(*SENDER, index + 1)), (*SENDER, index + 1)
        recipients = (*ACTIVE, SENDER, NOBODY, last, next_one)
        place = target % 3 if self.peaceful else target
        if place < len(recipients):
            return Execute(transfer(recipients[place], 1))
        return OpenChain((*SENDER, index), self.signers["carol"].public_key)

    @rule(which=st.integers(0, 2), skip=st.integers(0, 2), limit=st.integers(1, 3))
    def consume(self, which: int, skip: int, limit: int) -> None:
        """A recipient where messages wait consumes some, perhaps not from the first; mostly where many wait."""
        waiting = {chain_id: receive_waiting(self.view(chain_id)) for chain_id in sorted(self.sent)}
        chains = sorted((chain_id for chain_id in waiting if waiting[chain_id]), key=lambda i: len(waiting[i]))
        if chains:
            chain_id = back(chains, which)
            skipped = min(skip, len(waiting[chain_id]) - 1)
            self.extend(chain_id, waiting[chain_id][skipped : skipped + limit])

    @precondition(lambda self: not self.peaceful)
    @rule(which=st.integers(0, 9))
    def close(self, which: int) -> None:
        """A recipient closes; once in a while the sender does."""
        chains = sorted(self.driver.world.validators[self.key].chains)
        chain_id = SENDER if which >= 8 else back([c for c in chains if c != SENDER], which)
        self.extend(chain_id, (CloseChain(),))

    @rule(which=st.integers(0, 5))
    def archive(self, which: int) -> None:
        """The validator archives a chain, a closed one if there is any."""
        chains = sorted(self.driver.world.validators[self.key].chains)
        closed = [chain_id for chain_id in chains if is_closed(self.view(chain_id).consistent)]
        self.driver.act(ArchiveChain(self.key, back(closed or chains, which)))

    @precondition(lambda self: not self.peaceful)
    @rule(which=st.integers(0, 5), late=st.booleans())
    def retire(self, which: int, late: bool) -> None:
        """A recipient of messages closes and is archived; then it gets the last batch once more."""
        batches = [item for _, item in self.internal if isinstance(item, UpdateRecipient)]
        if batches:
            batch = back(batches, which)
            self.deliver(self.key, batch)
            self.extend(batch.recipient, (CloseChain(),))
            if batch.recipient == SENDER and late:
                self.settle(self.key)
            self.driver.act(ArchiveChain(self.key, batch.recipient))
            self.deliver(self.key, batch)

    # --- the transport ---

    @precondition(lambda self: self.internal)
    @rule(which=NEWEST)
    def deliver_something(self, which: int) -> None:
        """Something sent between chains arrives: new, late, again, or as a stale snapshot of an outbox."""
        self.deliver(*back(self.internal, which))

    @rule(which=NEWEST, closed=SELDOM)
    def deliver_batch(self, which: int, closed: bool) -> None:
        """A batch arrives and its answer is lost; preferably for a closed recipient."""
        batches = [item for _, item in self.internal if isinstance(item, UpdateRecipient)]
        late = [item for item in batches if is_closed(self.view(item.recipient).consistent)]
        if batches:
            self.deliver(self.key, back(late if closed and late else batches, which))

    @rule(which=NEWEST)
    def deliver_answer(self, which: int) -> None:
        """An answer arrives."""
        answers = [item for _, item in self.internal if isinstance(item, ConfirmUpdatedRecipient)]
        if answers:
            self.deliver(self.key, back(answers, which))

    @rule()
    def retry(self) -> None:
        """The sender sends everything again that is not acknowledged."""
        self.driver.resend(self.key, SENDER)

    # --- the model ---

    def observe(self, before: World, step: Step, after: World) -> None:
        """Judge a step, then compare it with the model."""
        super().observe(before, step, after)
        match step.action:
            case Deliver(_, Certificate() as certificate) if isinstance(step.outcome, Accepted):
                self.expect_sent(certificate)
            case Deliver(_, UpdateRecipient() as batch):
                self.expect_answer(before, batch, step.outcome)
            case Deliver(_, ConfirmUpdatedRecipient() as answer):
                self.expect_confirmed(answer)
        if after is not before:
            self.compare_sender()
            for recipient in self.sent:
                self.compare_recipient(recipient)

    def expect_sent(self, certificate: Certificate) -> None:
        """A block was committed: its messages are on their way."""
        recipients = {message.recipient for message in certificate.executed.messages}
        for recipient in sorted(recipients):
            messages = sent_messages(self.network.context, certificate, recipient)
            self.sent.setdefault(recipient, []).extend(messages)
            self.count("several messages of one block", len(messages) > 1)
            self.count("message to oneself", recipient == SENDER)
            self.count("message to somebody who never exists", recipient == NOBODY)

    def expect_answer(self, before: World, batch: UpdateRecipient, outcome: Accepted[World] | Rejected) -> None:
        """A batch arrived: say how it must be answered, and how far its recipient is now."""
        recipient, part = batch.recipient, before.validators[self.key].chains.get(batch.recipient)
        reached = self.reached.get(recipient, -1)
        last = max(certificate.executed.block.height for certificate in batch.certificates)
        fresh = [m for m in self.sent[recipient] if reached < m.height <= last]
        created = part is not None and part.consistent.created
        closed = part is not None and created and part.consistent.owner is None
        self.count("stale batch", last < max(m.height for m in self.sent[recipient]))
        expected: Reason | int = max(reached, last)
        if fresh and closed:
            expected = Reason.CHAIN_CLOSED
        elif fresh and not created and not any(isinstance(m.content, Create) for m in fresh):
            expected = Reason.INACTIVE_CHAIN
        found = outcome.reason if isinstance(outcome, Rejected) else outcome.outputs[0].height
        self.check(found == expected, ANSWERED, recipient, expected, found)
        if isinstance(expected, int):
            self.reached[recipient] = expected

    def expect_confirmed(self, answer: ConfirmUpdatedRecipient) -> None:
        """An answer arrived: everything up to its height is acknowledged."""
        recipient = answer.recipient
        self.check(answer.height <= self.reached.get(recipient, -1), CONFIRMED, answer)
        self.acknowledged[recipient] = max(self.acknowledged.get(recipient, -1), answer.height)

    def compare_recipient(self, recipient: ChainId) -> None:
        """Compare the inbox of a recipient with what it must have received."""
        chain, reached = self.view(recipient), self.reached.get(recipient, -1)
        if chain.consistent.owner is None and chain.consistent.created and chain.localized.received.get(0) is None:
            return  # nothing of it is left in a tombstone
        arrived = [message for message in self.sent[recipient] if message.height <= reached]
        logged = list(chain.localized.received.since(0))
        self.check(logged == [(SENDER, h) for h in dict.fromkeys(m.height for m in arrived)], EXACTLY_ONCE, recipient)
        box, cursor = chain.localized.mailboxes.get(SENDER), chain.consistent.consumed.get(SENDER)
        waiting = [message for message in arrived if cursor is None or message.cursor >= cursor]
        self.check(waiting == ([] if box is None else list(box.added)), IN_ORDER, recipient, waiting)

    def compare_sender(self) -> None:
        """Compare the sender's outboxes and counters with what was not acknowledged."""
        chain, owed = self.view(SENDER), self.owed()
        queues = {recipient: list(box.queue) for recipient, box in chain.localized.outboxes.items()}
        self.check(queues == owed, NO_LOSS, queues, owed)
        counters = Counter(height for heights in owed.values() for height in heights)
        self.check(dict(chain.localized.counters) == counters, COUNTED, chain.localized.counters, counters)
        height = chain.consistent.next_height // 2
        self.check(is_delivered(chain, height) == all(h > height for h in counters), COUNTED, height)

    def owed(self) -> dict[ChainId, list[int]]:
        """Return, for each recipient, the heights that it did not acknowledge."""
        found = {}
        for recipient, messages in self.sent.items():
            last = self.acknowledged.get(recipient, -1)
            found[recipient] = [h for h in dict.fromkeys(m.height for m in messages) if h > last]
        return {recipient: heights for recipient, heights in found.items() if heights}

    # --- the end ---

    def goodbye(self) -> None:
        """Let the transport be fair: retry once, deliver every request and every answer."""
        if not hasattr(self, "key"):
            return
        self.settle(self.key)
        for recipient, heights in self.owed().items():
            part = self.view(recipient).consistent
            undelivered = heights[-1] > self.reached.get(recipient, -1)
            self.check(part.owner is None and undelivered, DRAINED, recipient, heights)
            self.count("outbox kept for a closed recipient", part.created)
        self.count("drained in the end", bool(self.sent) and not self.owed())

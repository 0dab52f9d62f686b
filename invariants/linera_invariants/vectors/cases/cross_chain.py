"""Cross-chain requests: batches of blocks, their acknowledgements, and what clients ask about them (section A.2)."""

from collections.abc import Iterator
from typing import Any

from attrs import evolve

from linera_invariants.vectors.model import Case
from linera_invariants.vectors.replay import Archive, Info, IsDelivered, ReceivedSince, SendAgain
from linera_reference.block import CloseChain, OpenChain, Receive
from linera_reference.certificate import Certificate, Kind
from linera_reference.chain import Mailbox
from linera_reference.containers import Queue, fold
from linera_reference.messages import Create, Cursor, Message, OutgoingMessage
from linera_reference.notation import MAX_U32, MAX_U64
from linera_reference.outbox import ConfirmUpdatedRecipient, Outbox, UpdateRecipient
from linera_reference.rejections import Reason

from .stories import ALICE, BOB, NOWHERE, STRANGE, Story, credit, message, pay, story

ABOUT = "Cross-chain requests: delivery of whole blocks, acknowledgement, repetition, and what is refused."

UPDATE = ("WP-A.2-UPDATE-RECIPIENT",)
CONFIRM = ("WP-A.2-CONFIRM-UPDATED-RECIPIENT",)
BATCH = Reason.INVALID_CROSS_CHAIN_REQUEST
CHILD = (0, 0)


def cases() -> Iterator[Case]:
    """Yield the cases, simplest first."""
    yield from delivered()
    yield from malformed()
    yield from created()
    yield from closed()
    yield from expected_messages()
    yield from confirmed()
    yield from asked()
    yield from last_places()


def three_blocks() -> Story:
    """Tell of three blocks of alice with mail for bob; the second has mail for somebody else first."""
    told = story().extended(ALICE, pay(BOB, 1), pay(BOB, 2)).extended(ALICE, pay((2,), 9), pay(BOB, 3))
    return told.extended(ALICE, pay(BOB, 4))


def batch(told: Story, *heights: int, recipient: tuple[int, ...] = BOB) -> UpdateRecipient:
    """Return a batch of alice's blocks."""
    return UpdateRecipient(ALICE, recipient, tuple(told.sent(ALICE, height) for height in heights))


def delivered() -> Iterator[Case]:
    """Yield what arrives, once."""
    told = three_blocks()
    for name, before, last, why in (
        ("one", (), (0,), "The messages of a block arrive in order; its height is acknowledged."),
        ("several", (), (0, 1, 2), "A batch of blocks; the last is acknowledged."),
        ("later-first", (), (1,), "Which blocks a sender batches is its business: the later one may come first."),
        ("again", ((0,),), (0,), "A block that came already is acknowledged again and changes nothing."),
        ("all-again", ((0, 1, 2),), (0, 1), "The acknowledgement names the last block that came, not of the batch."),
        ("overlap", ((0, 1),), (0, 1, 2), "Of a batch only the new blocks arrive."),
        ("late", ((1,),), (0, 1), "A block before one that came arrives no more."),
        ("gap", ((0,),), (2,), "The next batch may leave blocks out."),
    ):
        then = told.given(*(batch(told, *heights) for heights in before))
        yield then.case(f"deliver-{name}", why, UPDATE, batch(told, *last))
        yield then.given(batch(told, *last)).case(
            f"deliver-{name}-log", f"{why} The log of received blocks.", ("WP-2.6-RECEIVED",), ReceivedSince(BOB, 0)
        )
    ideal = story("ideal").extended(ALICE, pay(BOB, 1))
    yield ideal.case("deliver-ideal", "With ideal signatures.", UPDATE, ideal.update(ALICE, BOB))
    unsigned = batch(told, 0)
    unsigned = evolve(unsigned, certificates=(evolve(unsigned.certificates[0], signatures=(), round=3),))
    yield told.case(
        "deliver-unsigned", "Requests come from inside the validator: no signature is checked.", UPDATE, unsigned
    )
    own = story().extended(ALICE, pay(ALICE, 1))
    yield own.case("deliver-to-itself", "A chain may send to itself.", UPDATE, own.update(ALICE, ALICE))
    yield own.settled().case("delivered-to-itself", "And then has mail and an empty outbox.", UPDATE, Info(ALICE))
    got = told.given(batch(told, 0))
    receive = got.request(got.block(BOB, *got.waiting(BOB)), "bob")
    yield got.case("receive-delivered", "What arrived can be received.", ("WP-2.7-RECEIVE", *UPDATE), receive)
    yield got.case("send-again", "Pending requests are sent again, whole.", ("WP-2.5-REQUEST",), SendAgain(ALICE))
    yield told.case("send-nothing", "A chain without mail sends nothing.", ("WP-2.5-REQUEST",), SendAgain(BOB))


def malformed() -> Iterator[Case]:
    """Yield batches that no correct sender makes."""
    told = three_blocks()
    one, two, three = (told.sent(ALICE, height) for height in range(3))
    bobs = told.certificate(told.block(BOB, pay(BOB, 1)))
    negative = evolve(one, executed=evolve(one.executed, block=evolve(one.executed.block, height=-1)))
    silent = evolve(one, executed=evolve(one.executed, messages=()))
    elsewhere = evolve(one, executed=evolve(one.executed, messages=two.executed.messages[:1]))
    for name, blocks, why in (
        ("empty", (), "A batch holds at least one block."),
        ("validated", (evolve(one, kind=Kind.VALIDATED),), "Every block is confirmed."),
        ("second-validated", (one, evolve(two, kind=Kind.VALIDATED)), "Every block is confirmed, not only the first."),
        ("other-sender", (bobs,), "Every block is the sender's."),
        ("second-other-sender", (one, bobs), "Every block is the sender's, not only the first."),
        ("repeated", (one, one), "Heights increase."),
        ("decreasing", (two, one), "Heights increase."),
        ("last-decreasing", (one, three, two), "Heights increase, to the end."),
        ("negative-height", (negative,), "Heights are not negative."),
        ("no-messages", (silent,), "Every block has a message for the recipient."),
        ("no-message-for-us", (elsewhere,), "Messages for others do not count."),
        ("second-no-message", (one, evolve(two, executed=evolve(two.executed, messages=()))), "Every block has one."),
    ):
        yield told.case(f"batch-{name}", why, UPDATE, UpdateRecipient(ALICE, BOB, blocks), reason=BATCH)
    wrong = evolve(batch(told, 0), recipient=ALICE)
    yield told.case("batch-misrouted", "A batch for somebody else.", UPDATE, wrong, reason=BATCH)
    wrong = evolve(batch(told, 0), sender=STRANGE)
    yield told.case("batch-claimed-sender", "A batch in another's name.", UPDATE, wrong, reason=BATCH)
    got = told.given(batch(told, 0, 1, 2))
    yield got.case(
        "batch-malformed-known",
        "A malformed batch is refused even where all of it came already.",
        UPDATE,
        UpdateRecipient(ALICE, BOB, (one, one)),
        reason=BATCH,
    )


def opened() -> Story:
    """Tell of a block of alice that opens a chain for carol and pays it."""
    told = story()
    return told.extended(ALICE, OpenChain(CHILD, told.key("carol")), pay(CHILD, 5))


def forged(told: Story, *messages: OutgoingMessage, height: int = 0) -> UpdateRecipient:
    """Return a batch of one block of alice with such messages, the first of which says who gets it."""
    executed = told.executed(told.block(ALICE))
    executed = evolve(executed, block=evolve(executed.block, height=height), messages=messages)
    return UpdateRecipient(ALICE, messages[0].recipient, (told.certificate(executed),))


def created() -> Iterator[Case]:
    """Yield the creation of a chain by a message, and mail for chains that are not there."""
    told, clauses = opened(), ("WP-2.5-CREATE", *UPDATE)
    create = told.update(ALICE, CHILD)
    yield told.case("create", "The first message creates the chain; the next ones wait in it.", clauses, create)
    yield told.case("create-info", "Who owns the new chain, and which block created it.", clauses, create, Info(CHILD))
    yield told.case("create-again", "The block does not create it again.", clauses, create, create)
    made = told.settled()
    first = made.request(made.block(CHILD, *made.waiting(CHILD), pay(BOB, 5)), "carol")
    yield made.case("create-and-use", "The new owner receives and spends.", clauses, first)
    later = opened().extended(ALICE).extended(ALICE, OpenChain((0, 2), told.key("bob")))
    yield later.case(
        "create-height", "The height of the block that created it.", clauses, later.update(ALICE, (0, 2)), Info((0, 2))
    )
    for name, tracks, reason in (("", False, Reason.INACTIVE_CHAIN), ("-tracked", True, None)):
        mail = story(tracks_inactive=tracks).extended(ALICE, pay(STRANGE, 1))
        request = mail.update(ALICE, STRANGE)
        why = "is kept by a client's node" if tracks else "is refused, and nothing of it is kept"
        yield mail.case(f"inactive{name}", f"Mail for a chain not created here {why}.", UPDATE, request, reason=reason)
        yield mail.case(
            f"inactive{name}-after", f"Mail for a chain not created here {why}.", UPDATE, request, Info(STRANGE)
        )
    twice = Create(told.key("carol")), Create(told.key("bob"))
    both = forged(told, *(OutgoingMessage(STRANGE, content) for content in twice))
    yield told.case(
        "created-twice", "One block cannot create twice.", clauses, both, reason=Reason.CHAIN_ALREADY_EXISTS
    )
    existing = forged(told, OutgoingMessage(BOB, twice[0]))
    yield told.case("exists", "A chain of genesis exists.", clauses, existing, reason=Reason.CHAIN_ALREADY_EXISTS)
    after_mail = forged(told, OutgoingMessage(STRANGE, credit(1)), OutgoingMessage(STRANGE, twice[0]))
    yield told.case("mail-then-create", "Mail before the creation, in one block.", clauses, after_mail)
    closing = made.extended(CHILD, CloseChain())
    recreated = forged(closing, OutgoingMessage(CHILD, twice[1]), height=7)
    yield closing.case(
        "closed-not-created-again",
        "A closed chain is not created again.",
        ("WP-2.4-CLOSED-FOREVER", *clauses),
        recreated,
        reason=Reason.CHAIN_ALREADY_EXISTS,
        faults=(Reason.CHAIN_ALREADY_EXISTS, Reason.CHAIN_CLOSED),
    )


def closed() -> Iterator[Case]:
    """Yield mail for a closed chain."""
    for tracks, label in ((False, ""), (True, "-tracked")):
        told = story(tracks_inactive=tracks).extended(BOB, CloseChain()).extended(ALICE, pay(BOB, 1))
        request = told.update(ALICE, BOB)
        yield told.case(
            f"closed{label}", "Mail for a closed chain is refused.", UPDATE, request, reason=Reason.CHAIN_CLOSED
        )
        archived = told.given(Archive(BOB))
        yield archived.case(
            f"tombstone{label}", "A tombstone refuses it, too.", UPDATE, request, reason=Reason.CHAIN_CLOSED
        )
    before = story().extended(ALICE, pay(BOB, 1))
    request = before.update(ALICE, BOB)
    told = before.given(request).extended(BOB, CloseChain())
    yield told.case("closed-known", "What came before the closing is acknowledged again.", UPDATE, request)
    yield told.given(Archive(BOB)).case("tombstone-known", "Also by a tombstone.", UPDATE, request)
    empty = evolve(request, certificates=())
    yield told.case(
        "closed-malformed",
        "The batch is looked at first.",
        UPDATE,
        empty,
        reason=BATCH,
        faults=(BATCH, Reason.CHAIN_CLOSED),
    )
    empty = UpdateRecipient(ALICE, STRANGE, ())
    yield told.case(
        "inactive-malformed",
        "The batch is looked at first.",
        UPDATE,
        empty,
        reason=BATCH,
        faults=(BATCH, Reason.INACTIVE_CHAIN),
    )


def expected_messages() -> Iterator[Case]:
    """Yield arrivals where a certified block consumed messages before they came."""
    clauses = ("WP-A.1-RECEIVE-BLOCK", "WP-2.6-ANTICIPATION", *UPDATE)
    sent = three_blocks()
    first, second = (message(sent.sent(ALICE), index) for index in (0, 1))
    third = message(sent.sent(ALICE, 1), 1)
    for name, consumed in (
        ("one", (first,)),
        ("both", (first, second)),
        ("second-only", (second,)),
        ("of-two-blocks", (second, third)),
    ):
        told = sent.extended(BOB, *(Receive(item) for item in consumed))
        yield told.case(f"owed-{name}", "Owed messages come and do not wait.", clauses, batch(sent, 0))
        whole = told.given(batch(sent, 0, 1))
        yield whole.case(
            f"owed-{name}-then", "And the next vote is free.", clauses, whole.request(whole.block(BOB), "bob")
        )
    for name, wrong in (
        ("content", evolve(first, content=credit(7))),
        ("block", evolve(first, block_hash=NOWHERE)),
    ):
        told = sent.extended(BOB, Receive(wrong))
        yield told.case(
            f"unexpected-{name}",
            "What was consumed in this place was another message.",
            clauses,
            batch(sent, 0),
            reason=Reason.UNEXPECTED_MESSAGE,
        )
        closing = told.extended(BOB, CloseChain())
        yield closing.case(
            f"unexpected-{name}-closed",
            "The message is compared before the chain is looked at.",
            clauses,
            batch(sent, 0),
            reason=Reason.UNEXPECTED_MESSAGE,
            faults=(Reason.UNEXPECTED_MESSAGE, Reason.CHAIN_CLOSED),
        )
    told = sent.extended(BOB, Receive(evolve(first, index=3)))
    yield told.case(
        "unexpected-later",
        "Nothing may come after the place of an owed message.",
        clauses,
        batch(sent, 0, 1),
        reason=Reason.UNEXPECTED_MESSAGE,
    )
    skipped = sent.extended(BOB, Receive(message(sent.sent(ALICE, 2))))
    yield skipped.case("skipped", "Messages before an owed one were skipped for ever.", clauses, batch(sent, 0, 1))
    yield skipped.case("skipped-all", "Until the owed one comes.", clauses, batch(sent, 0, 1, 2))
    waiting = sent.given(batch(sent, 0))
    block = waiting.block(BOB, Receive(first), Receive(first))
    yield waiting.case(
        "consumed-twice",
        "A message is consumed once.",
        ("WP-A.1-REMOVE",),
        waiting.request(block, "bob"),
        reason=Reason.INCORRECT_MESSAGE_ORDER,
    )
    block = waiting.block(BOB, Receive(second), Receive(first))
    yield waiting.case(
        "consumed-backwards",
        "Messages of one origin are consumed in order.",
        ("WP-A.1-REMOVE",),
        waiting.request(block, "bob"),
        reason=Reason.INCORRECT_MESSAGE_ORDER,
    )
    for name, wrong in (("amount", evolve(first, content=credit(9))), ("index", evolve(first, index=1))):
        yield waiting.case(
            f"consumed-other-{name}",
            "Another message than the one that waits in this place.",
            ("WP-A.1-REMOVE",),
            waiting.request(waiting.block(BOB, Receive(wrong)), "bob"),
            reason=Reason.UNEXPECTED_MESSAGE,
        )
    told = waiting.extended(BOB, Receive(second))
    yield told.case(
        "consumed-skipped",
        "A message that was skipped is gone.",
        ("WP-A.1-REMOVE",),
        told.request(told.block(BOB, Receive(first)), "bob"),
        reason=Reason.INCORRECT_MESSAGE_ORDER,
    )


def confirmed() -> Iterator[Case]:
    """Yield acknowledgements: what they drop, and that nothing else happens."""
    told = three_blocks()
    for name, recipient, heights, why in (
        ("first", BOB, (0,), "The first block is delivered; the others wait."),
        ("second", BOB, (1,), "An acknowledgement covers the blocks before it."),
        ("all", BOB, (2,), "An empty outbox is dropped."),
        ("beyond", BOB, (9,), "Heights beyond the last are as good."),
        ("largest", BOB, (MAX_U64,), "Also the largest number."),
        ("again", BOB, (0, 0), "The same acknowledgement again changes nothing."),
        ("lower", BOB, (1, 0), "A late acknowledgement of less changes nothing."),
        ("gap", (2,), (0,), "A height below the first queued one drops nothing."),
        ("other", (2,), (1,), "Recipients are counted apart."),
        ("stranger", STRANGE, (1,), "Who was sent nothing acknowledges nothing."),
    ):
        answers = [ConfirmUpdatedRecipient(ALICE, recipient, height) for height in heights]
        yield told.case(f"confirm-{name}", why, CONFIRM, *answers)
        for height in (0, 1, 2):
            yield told.given(*answers).case(
                f"confirm-{name}-delivered-{height}",
                f"{why} Whether all mail up to a height arrived.",
                ("WP-A.2-COUNTERS", *CONFIRM),
                IsDelivered(ALICE, height),
            )
        yield told.given(*answers).case(
            f"confirm-{name}-pending", f"{why} What is still sent.", ("WP-2.5-REQUEST", *CONFIRM), SendAgain(ALICE)
        )
    unknown = ConfirmUpdatedRecipient(STRANGE, BOB, 0)
    yield told.case("confirm-unknown-chain", "An answer to a chain that nobody knows.", CONFIRM, unknown)
    answer = ConfirmUpdatedRecipient(ALICE, BOB, 2)
    more = told.given(answer).extended(ALICE, pay(BOB, 5))
    yield more.case("send-after-confirm", "A new block is queued alone.", CONFIRM, SendAgain(ALICE))
    yield more.case("confirm-before-delivery", "An old answer does not cover the new block.", CONFIRM, answer)


def asked() -> Iterator[Case]:
    """Yield what clients ask about mail."""
    told, clauses = three_blocks().settled(ALICE).extended(ALICE, pay(BOB, 5)).settled(ALICE), ("WP-2.8-QUERY",)
    for start in (0, 1, 3, 4, 5, MAX_U64):
        yield told.case(f"received-since-{start}", "The log from a place on.", clauses, ReceivedSince(BOB, start))
    yield told.case("received-nothing", "A chain without mail.", clauses, ReceivedSince(ALICE, 0))
    yield told.case("info-received", "How many blocks sent mail.", clauses, Info(BOB))
    yield told.case("info-unknown", "What is known of a chain that nobody knows.", clauses, Info(STRANGE))
    for height in (0, 3, MAX_U64):
        yield told.case(
            f"is-delivered-{height}", "Bob's mail arrived, the other's not.", clauses, IsDelivered(ALICE, height)
        )
        yield told.case(f"is-delivered-nothing-{height}", "Nothing was sent.", clauses, IsDelivered(BOB, height))


def queue(*items: Any) -> Queue[Any]:
    """Return a queue of some items."""
    return fold(Queue.push, Queue(), items)


def last_places() -> Iterator[Case]:
    """Yield the last heights and indices."""
    told = story()
    last = forged(told, OutgoingMessage(BOB, credit(1)), height=MAX_U64)
    yield told.case(
        "last-height",
        "No block of the last height is received: it has no next one.",
        UPDATE,
        last,
        reason=Reason.ARITHMETIC,
    )
    before = forged(told, OutgoingMessage(BOB, credit(1)), height=MAX_U64 - 1)
    yield told.case("last-but-one-height", "The height before the last.", UPDATE, before)
    beyond = forged(told, OutgoingMessage(BOB, credit(1)), height=3)
    wide: Certificate = evolve(
        beyond.certificates[0],
        executed=evolve(
            beyond.certificates[0].executed, block=evolve(beyond.certificates[0].executed.block, height=MAX_U64 + 1)
        ),
    )
    yield told.case(
        "height-out-of-range",
        "A height beyond 64 bits.",
        UPDATE,
        UpdateRecipient(ALICE, BOB, (wide,)),
        reason=Reason.OUT_OF_RANGE,
    )
    view = told.chain(BOB)
    for name, cursor, reason in (
        ("index", Cursor(0, 0), None),
        ("order", Cursor(0, 1), None),
        ("after", Cursor(1, 0), None),
    ):
        box = view.localized.mailboxes.set(ALICE, Mailbox(cursor))
        yield told.handler_case(
            "handle_update_recipient",
            f"cursor-{name}",
            "Which blocks are new follows from the cursor.",
            UPDATE,
            evolve(view, localized=evolve(view.localized, mailboxes=box)),
            request=forged(told, OutgoingMessage(BOB, credit(1))),
            reason=reason,
        )
    far = Message(ALICE, 5, MAX_U32, NOWHERE, credit(1))
    box = view.localized.mailboxes.set(ALICE, Mailbox(Cursor(), Queue(), queue(far)))
    owing = evolve(view.localized, mailboxes=box, owing=view.localized.owing.insert(ALICE))
    yield told.handler_case(
        "handle_update_recipient",
        "owed-last-index",
        "An owed message in the last place.",
        UPDATE,
        evolve(view, localized=owing),
        request=forged(told, OutgoingMessage(BOB, credit(1))),
    )
    for name, outbox, counters, height in (
        ("count-two", Outbox(3, queue(1, 2)), {1: 2, 2: 1}, 1),
        ("count-one", Outbox(3, queue(1, 2)), {1: 1, 2: 1}, 2),
        ("largest", Outbox(MAX_U64, queue(MAX_U64 - 1)), {MAX_U64 - 1: 3}, MAX_U64 - 1),
    ):
        local = evolve(
            view.localized,
            outboxes=view.localized.outboxes.set(ALICE, outbox),
            counters=view.localized.counters.update(counters),
        )
        yield told.handler_case(
            "handle_confirm_updated_recipient",
            f"confirm-counters-{name}",
            "Counters of several recipients.",
            CONFIRM,
            evolve(view, localized=local),
            answer=ConfirmUpdatedRecipient(BOB, ALICE, height),
        )

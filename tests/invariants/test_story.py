"""The story: every action and every ending has its line, with names, short identifiers and reasons."""

from typing import get_args

import pytest
from attrs import evolve
from immutables import Map

from linera_invariants.driver import Driver, Step
from linera_invariants.play import play_scenario
from linera_invariants.scenarios import read_scenario, shipped_scenarios
from linera_invariants.story import (
    Remark,
    is_aside,
    listed,
    show_content,
    show_rejection,
    show_transaction,
    tell,
)
from linera_reference.application import Balance, Token, burn, transfer
from linera_reference.block import AddOwner, Block, ChangeKey, CloseChain, Execute, OpenChain, RemoveOwner
from linera_reference.certificate import Kind, VotePayload
from linera_reference.committee import make_committee
from linera_reference.containers import Set, fold
from linera_reference.context import Context
from linera_reference.crypto import IdealScheme, make_signer
from linera_reference.encoding import encode
from linera_reference.messages import User
from linera_reference.network import Action, CastVote, Network, Propose, Restart, initial_world
from linera_reference.ownership import Owners
from linera_reference.rejections import Accepted, Reason, Rejected
from linera_reference.request import sign_request
from linera_reference.swap import Asset, Deposited, Paid, SwapMessage, conclude, put_in
from linera_reference.validator import Genesis, GenesisChain

SCHEME = IdealScheme()
KEYS = {name: make_signer(SCHEME, name.encode().ljust(32)) for name in ("v1", "v2", "v3", "v4", "alice", "bob")}
VALIDATORS = {name: KEYS[name] for name in ("v1", "v2", "v3", "v4")}
NAMES = {signer.public_key: name for name, signer in KEYS.items()}
ORDER = tuple(signer.public_key for signer in VALIDATORS.values())


@pytest.fixture
def driver() -> Driver:
    committee = make_committee((signer.public_key, 1) for signer in VALIDATORS.values())
    chains = (
        GenesisChain((0,), KEYS["alice"].public_key, Balance(9)),
        GenesisChain((1,), KEYS["bob"].public_key, Balance()),
    )
    byzantine = frozenset({KEYS["v4"].public_key})
    signers = Map((signer.public_key, signer) for signer in VALIDATORS.values())
    network = Network(Context(SCHEME, Token(), committee), Genesis(committee, chains), signers, byzantine)
    return Driver(network, initial_world(network), complicit=True, order=ORDER)


def told(driver: Driver) -> list[str]:
    return tell(NAMES, driver.trace)


def test_a_block_from_proposal_to_delivery(driver: Driver):
    alice = driver.client("alice", KEYS["alice"], (0,))
    driver.offline = {KEYS["v3"].public_key}
    driver.extend(alice, (0,), (OpenChain((0, 0), KEYS["bob"].public_key), Execute(transfer((1,), 4))))
    assert told(driver) == [
        "   1. alice proposes block 0 of chain 0: open chain 0.0 for bob; transfer 4 to 1",
        "   2. v4 (Byzantine) votes for block 0 of chain 0",
        "   3. v1 votes for block 0 of chain 0",
        "   4. v2 votes for block 0 of chain 0",
        "   5. block 0 of chain 0 is certified with the votes of v1, v2 and v4",
        "   6. v1 executes certified block 0 of chain 0",
        "   7.     at v1, chain 0.0 receives block 0 of chain 0: its creation for bob",
        "   8.     at v1, chain 0 hears that chain 0.0 has everything up to its block 0",
        "   9.     at v1, chain 1 receives block 0 of chain 0: 4",
        "  10.     at v1, chain 0 hears that chain 1 has everything up to its block 0",
        "  11. v2 executes certified block 0 of chain 0",
        "  12.     at v2, chain 0.0 receives block 0 of chain 0: its creation for bob",
        "  13.     at v2, chain 0 hears that chain 0.0 has everything up to its block 0",
        "  14.     at v2, chain 1 receives block 0 of chain 0: 4",
        "  15.     at v2, chain 0 hears that chain 1 has everything up to its block 0",
    ]


def test_every_transaction_has_words(driver: Driver):
    rest = (Execute(b"?"), ChangeKey(KEYS["bob"].public_key), CloseChain())
    driver.act(Propose(sign_request(SCHEME, KEYS["alice"], Block((0,), 0, None, rest))))
    assert told(driver)[0].endswith(": operation 0x3f; hand the chain over to bob; close the chain")


def in_rounds(driver: Driver) -> Driver:
    """Let Alice and Bob own the first chain together."""
    owners = Owners(fold(Set.insert, Set(), (KEYS[name].public_key for name in ("alice", "bob"))))
    shared = evolve(driver.network.genesis.chains[0], owner=owners)
    genesis = evolve(driver.network.genesis, chains=(shared, *driver.network.genesis.chains[1:]))
    network = evolve(driver.network, genesis=genesis)
    return Driver(network, initial_world(network), complicit=True, order=ORDER)


def test_a_block_that_takes_rounds(driver: Driver):
    driver = in_rounds(driver)
    alice, bob = driver.client("alice", KEYS["alice"], (0,)), driver.client("bob", KEYS["bob"], (0,))
    request = driver.propose(alice, (0,), (Execute(burn(1)),)).outputs[0]
    ballot = driver.ballot(alice, (0,))
    driver.ask_byzantine(ballot)
    for key in ORDER[:2]:
        driver.deliver(key, request)
    driver.deliver(ORDER[0], driver.certify(alice, (0,), ballot))
    driver.act(Restart(ORDER[0]))
    driver.propose(bob, (0,), (Execute(burn(2)),), 1)
    driver.deliver(ORDER[0], driver.trace[-1].action.request)
    driver.extend(bob, (0,), (Execute(burn(2)),))
    driver.deliver(ORDER[1], min(driver.world.validated.values(), key=lambda c: c.round))
    locked = "HAS_LOCKED_BLOCK: A validated certificate speaks for another block (round 0)"
    assert told(driver) == [
        "   1. alice proposes block 0 (a) of chain 0 in round 0: burn 1",
        "   2. v4 (Byzantine) votes to validate block 0 (a) of chain 0 in round 0",
        "   3. v1 votes to validate block 0 (a) of chain 0 in round 0",
        "   4. v2 votes to validate block 0 (a) of chain 0 in round 0",
        "   5. block 0 (a) of chain 0 is validated in round 0 with the votes of v1, v2 and v4",
        "   6. v1 votes to confirm block 0 (a) of chain 0 in round 0",
        "   7. v1 restarts with what it stored",
        "   8. bob proposes block 0 (b) of chain 0 in round 1: burn 2",
        f"   9. v1 refuses block 0 (b) of chain 0 in round 1: {locked}",
        "  10. bob proposes block 0 (a) of chain 0 in round 2, validated in round 0: burn 1",
        "  11. v4 (Byzantine) votes to validate block 0 (a) of chain 0 in round 2",
        "  12. v1 votes to validate block 0 (a) of chain 0 in round 2",
        "  13. v2 votes to validate block 0 (a) of chain 0 in round 2",
        "  14. block 0 (a) of chain 0 is validated in round 2 with the votes of v1, v2 and v4",
        "  15. v4 (Byzantine) votes to confirm block 0 (a) of chain 0 in round 2",
        "  16. v1 votes to confirm block 0 (a) of chain 0 in round 2",
        "  17. v2 votes to confirm block 0 (a) of chain 0 in round 2",
        "  18. block 0 (a) of chain 0 is certified in round 2 with the votes of v1, v2 and v4",
        "  19. v1 executes certified block 0 (a) of chain 0",
        "  20. v2 executes certified block 0 (a) of chain 0",
        "  21. v3 executes certified block 0 (a) of chain 0",
        "  22. v2 has no more use for validated block 0 (a) of chain 0 in round 0",
    ]


def test_a_validated_certificate_that_is_refused(driver: Driver):
    driver = in_rounds(driver)
    alice = driver.client("alice", KEYS["alice"], (0,))
    request = driver.propose(alice, (0,), ()).outputs[0]
    for key in ORDER[:3]:
        driver.deliver(key, request)
    certificate = driver.certify(alice, (0,), driver.ballot(alice, (0,)))
    driver.deliver(ORDER[0], driver.propose(alice, (0,), (Execute(burn(1)),), 1).outputs[0])
    driver.deliver(ORDER[0], certificate)
    assert told(driver)[-1].endswith(
        "v1 refuses validated block 0 (a) of chain 0 in round 0: "
        + show_rejection(Rejected(Reason.INSUFFICIENT_ROUND, 0))
    )
    assert told(driver)[-1].endswith("(round 0)")


def test_the_swap_has_words():
    asset, wanted = Asset(7, 5), Asset(8, 6)
    alice = KEYS["alice"].public_key
    assert [
        show_transaction(NAMES, transaction)
        for transaction in (
            Execute(put_in((0, 1), alice, asset, wanted)),
            Execute(conclude(True)),
            Execute(conclude(False)),
            AddOwner(alice),
            RemoveOwner(alice),
        )
    ] == [
        "put 5 of token 7 into the swap on 0.1 for alice (wants 6 of token 8)",
        "confirm the swap",
        "cancel the swap",
        "add alice to the owners",
        "remove alice from the owners",
    ]
    messages = (SwapMessage(Deposited(alice, asset, wanted)), SwapMessage(Paid(asset)))
    assert [show_content(NAMES, User(encode(message))) for message in messages] == [
        "5 of token 7 for the swap by alice (wants 6 of token 8)",
        "5 of token 7",
    ]
    assert show_content(NAMES, User(b"?")) == "0x3f"


def test_rejections_and_repetitions(driver: Driver):
    alice = driver.client("alice", KEYS["alice"], (0,))
    driver.propose(alice, (0,), (Execute(burn(1)),))
    request = driver.trace[0].action.request
    driver.deliver(ORDER[0], request)
    driver.deliver(ORDER[3], request)
    certificate = driver.finish(alice, (0,), request)
    driver.deliver(ORDER[0], certificate)
    lines = told(driver)
    assert lines[0].endswith("alice proposes block 0 of chain 0: burn 1")
    assert lines[2].endswith(
        "v4 refuses block 0 of chain 0: ACTION_NOT_ENABLED: The model does not allow this action here "
        "(not a correct validator)"
    )
    assert lines[-1].endswith("v1 already has certified block 0 of chain 0")


def test_rival_blocks_get_letters(driver: Driver):
    alice, other = (driver.client("alice", KEYS["alice"], (0,)) for _ in range(2))
    driver.propose(alice, (0,), (Execute(burn(1)),))
    driver.propose(other, (0,), (Execute(burn(2)), CloseChain()))
    driver.deliver(ORDER[0], driver.trace[1].action.request)
    driver.deliver(ORDER[0], driver.trace[0].action.request)
    assert told(driver) == [
        "   1. alice proposes block 0 (a) of chain 0: burn 1",
        "   2. alice proposes block 0 (b) of chain 0: burn 2; close the chain",
        "   3. v1 votes for block 0 (b) of chain 0",
        "   4. v1 refuses block 0 (a) of chain 0: "
        + show_rejection(Rejected(Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST)),
    ]


def test_what_nobody_knows_is_shown_as_a_short_hash(driver: Driver):
    vote = CastVote(KEYS["v4"].public_key, VotePayload(Kind.CONFIRMED, bytes(32), 0))
    driver.act(vote)
    assert told(driver) == ["   1. v4 (Byzantine) votes for #000000"]
    assert tell({}, driver.trace)[0].startswith(f"   1. #{KEYS['v4'].public_key.hex()[:6]} (Byzantine)")


def test_remarks_are_not_counted(driver: Driver):
    alice = driver.client("alice", KEYS["alice"], (0,))
    driver.propose(alice, (0,), ())
    lines = tell(NAMES, [Remark("once upon a time"), *driver.trace, Remark("the end", "ok")])
    assert lines == [
        "   -- once upon a time",
        "   1. alice proposes block 0 of chain 0: no transaction",
        "   ok the end",
    ]
    assert not any(map(is_aside, lines))


@pytest.mark.parametrize(
    ("reason", "detail", "ending"),
    [
        (Reason.MISSING_EARLIER_BLOCKS, 3, "are missing here (expected height 3)"),
        (Reason.MISSING_CROSS_CHAIN_UPDATE, (((0, 1), 2),), "not received yet (block 2 of chain 0.1)"),
        (Reason.INSUFFICIENT_FUNDING, 5, "below the amount (the balance is 5)"),
        (Reason.OUTBOX_NOT_EMPTY, ((1,), (2,)), "undelivered (to 1, 2)"),
        (Reason.CONFLICTING_CERTIFICATES, ((1,), 2), "the same place (block 2 of chain 1)"),
        (Reason.INVALID_OWNER, b"key", "does not own the chain"),
    ],
)
def test_a_rejection_says_what_a_client_can_use(reason: Reason, detail: object, ending: str):
    shown = show_rejection(Rejected(reason, detail))
    assert shown.startswith(f"{reason.name}: {reason.sentence[:-1]}")
    assert shown.endswith(ending)


def test_lists_of_words():
    assert [listed(words) for words in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]


def test_every_action_of_the_shipped_scenarios_can_be_told():
    kinds = set()
    for path in shipped_scenarios():
        run = play_scenario(read_scenario(path), "ideal")
        result = run.result()
        kinds |= {type(step.action) for step in run.driver.trace}
        assert sum(isinstance(event, Step) for event in run.log) == result.actions
        assert all(line.isprintable() and "#" not in line for line in result.story)
    assert kinds == set(get_args(Action))


def test_telling_changes_nothing(driver: Driver):
    alice = driver.client("alice", KEYS["alice"], (0,))
    outcome = driver.propose(alice, (0,), ())
    assert isinstance(outcome, Accepted)
    assert isinstance(driver.trace[0].action, Propose)
    assert told(driver) == told(driver)

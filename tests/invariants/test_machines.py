"""The machines pass on the reference without being vacuous, and catch broken variants of it."""

import os
import pickle
import subprocess
import sys

import pytest
from support import key, message, network, root

from linera_invariants.machines import MACHINES, MachineResult, run_machine
from linera_invariants.machines.base import Violated
from linera_invariants.machines.several_owners import SeveralOwnersMachine
from linera_invariants.machines.wishes import SHARING, SOUND, WILD, Surroundings, Wish
from linera_invariants.mutation import applied, edit
from linera_invariants.registry import predicates
from linera_reference.block import ExecutedBlock
from linera_reference.certificate import Kind
from linera_reference.chain import put_inbox
from linera_reference.client import next_block
from linera_reference.containers import Queue
from linera_reference.crypto import Ed25519Scheme
from linera_reference.inbox import Inbox

ENOUGH = 400
"""A broken variant is caught within so many examples."""

BROKEN: dict[str, dict[str, tuple[str, str, str]]] = {
    "ordered-inbox": {
        "an arrival need not be what is owed": (
            "inbox:add",
            "require(message == owed, Reason.UNEXPECTED_MESSAGE, owed)",
            "pass",
        ),
        "an arrival may come before the cursor": (
            "inbox:add",
            "require(cursor >= inbox.next_add, Reason.INCORRECT_MESSAGE_ORDER, inbox.next_add)",
            "pass",
        ),
        "the consumption cursor stays": ("inbox:remove", "successor(cursor)", "inbox.consumed"),
        "what is owed stays owed": ("inbox:add", "removed = removed.pop()", "pass"),
        "nothing is skipped": ("inbox:remove", "split_before(cursor,", "split_before(inbox.consumed,"),
        "the last index has a successor": ("messages:successor", "cursor.index < MAX_U32", "cursor.index <= MAX_U32"),
    },
    "outbox-delivery": {
        "the acknowledgement runs ahead": (
            "validator:handle_update_recipient",
            "next_height_to_receive(inbox) - 1",
            "next_height_to_receive(inbox)",
        ),
        "closed and inactive chains receive": (
            "validator:handle_update_recipient",
            "check_active(part.created, part.owner)",
            "pass",
        ),
        "the counter stays": ("outbox:count_down", "count - 1", "count"),
        "an acknowledgement covers the next block too": ("outbox:confirm", "height + 1", "height + 2"),
        "a batch is received again": ("validator:select", ">= next_height", ">= 0"),
        "a request carries the newest block only": (
            "validator:update_recipient",
            "local.outboxes[recipient].queue",
            "[local.outboxes[recipient].queue.back]",
        ),
        "a message is not logged as received": (
            "validator:receive_block",
            "chain.localized.received.append((block.chain_id, block.height))",
            "chain.localized.received",
        ),
    },
    "single-chain": {
        "a validator votes for another block": (
            "certification:already_voted",
            "require(pending.block == request.block, Reason.PREVIOUS_BLOCK_MUST_BE_CONFIRMED_FIRST, pending.block)",
            "return pending if pending.block == request.block else None",
        ),
        "one vote less is a quorum": ("committee:quorum_threshold", "- max_faulty(total)", "- max_faulty(total) - 1"),
        "a signer counts twice": (
            "certificate:check_signers",
            "require(not seen.contains(signer), Reason.CERTIFICATE_VALIDATOR_REUSE, signer)",
            "pass",
        ),
        "signatures are not verified": ("certificate:check_certificate", "genuine(*vote)", "True"),
        "the vote stays pending": ("execution:commit_block", "pending=None", "pending=chain.localized.pending"),
        "anybody proposes": (
            "certification:check_proposer",
            "require(owns(owner, proposer), Reason.INVALID_OWNER, proposer)",
            "pass",
        ),
    },
    "several-owners": {
        "the lock is not asked": (
            "rounds:accepted_before",
            "require(bound, Reason.HAS_LOCKED_BLOCK, binding.round)",
            "pass",
        ),
        "a stale justification releases the lock": (
            "rounds:binding_lock",
            "justification.round > rounds.locked.round",
            "justification.round >= 0",
        ),
        "a justification for another block will do": (
            "rounds:accepted_before",
            "binding.executed.block == request.block",
            "(binding.executed.block == request.block or binding is request.justification)",
        ),
        "a justification of the same round will do": (
            "rounds:accepted_before",
            "binding.round < request.round",
            "binding.round <= request.round",
        ),
        "a justification is not verified": ("validator:check_justification", "justification is not None", "False"),
        "no justification releases a lock": (
            "rounds:binding_lock",
            "justification is not None and justification.round > rounds.locked.round",
            "False",
        ),
        "the first lock is for ever": (
            "rounds:lock_after",
            "locked is None or locked.round < certificate.round",
            "locked is None",
        ),
        "a final vote in an old round": (
            "rounds:lock_after",
            "require(certificate.round >= current, Reason.INSUFFICIENT_ROUND, current - 1)",
            "pass",
        ),
        "the lock is lowered": ("rounds:current_round", "max(rounds.last, rounds.locked.round)", "rounds.last"),
        "the lock is lost on the next proposal": (
            "validator:handle_request",
            "Rounds(request.round, local.rounds.locked)",
            "Rounds(request.round, None)",
        ),
        "the round of the proposal is forgotten": (
            "validator:handle_request",
            "Rounds(request.round, local.rounds.locked)",
            "local.rounds",
        ),
        "two blocks are validated in a round": (
            "rounds:accepted_before",
            "request.round > rounds.last",
            "request.round >= rounds.last",
        ),
        "a proposal of an old round is accepted": (
            "rounds:accepted_before",
            "require(request.round > rounds.last, Reason.INSUFFICIENT_ROUND, rounds.last)",
            "pass",
        ),
        "a restart forgets the last proposal": ("chain:restart_chain", "pending=local.pending", "pending=None"),
        "a restart forgets rounds and lock": ("chain:restart_chain", "rounds=local.rounds", "rounds=FIRST_ROUND"),
        "a commit keeps the lock": ("execution:commit_block", "rounds=FIRST_ROUND", "rounds=chain.localized.rounds"),
        "a validated certificate needs no quorum": (
            "validator:check_validated",
            "check_certificate(context.scheme, context.committee, certificate, context.rules.quorum)",
            "pass",
        ),
        "a final vote is for the last proposal": (
            "validator:handle_validated",
            "payload_of(context, certificate.executed,",
            "payload_of(context, local.pending or certificate.executed,",
        ),
        "several owners confirm at once": (
            "certification:proposal_kind",
            "Kind.VALIDATED if isinstance(owner, Owners) else Kind.CONFIRMED",
            "Kind.CONFIRMED",
        ),
        "adding an owner removes the others": (
            "ownership:add_owner",
            "keys_of(owner).insert(key)",
            "Set().insert(key)",
        ),
        "who leaves stays": ("ownership:remove_owner", "keys_of(owner).remove(key)", "keys_of(owner)"),
        "anybody proposes": (
            "certification:check_proposer",
            "require(owns(owner, proposer), Reason.INVALID_OWNER, proposer)",
            "pass",
        ),
    },
    "whole-network": {
        "validators vote on anticipation": (
            "execution:check_not_anticipated",
            "require(not owed, Reason.MISSING_CROSS_CHAIN_UPDATE, senders_of(owed))",
            "pass",
        ),
        "the consumption cursor stays": ("inbox:remove", "successor(cursor)", "inbox.consumed"),
        "child identifiers repeat": ("execution:execute_block", "tx_count=count", "tx_count=part.tx_count"),
        "a closed chain lives on": ("execution:close_chain", "Running(None,", "Running(running.owner,"),
        "undelivered messages are archived": (
            "validator:archive_chain",
            "require(len(local.outboxes) == 0, Reason.OUTBOX_NOT_EMPTY, tuple(sorted(local.outboxes)))",
            "pass",
        ),
        "a transfer keeps the money": (
            "application:Token.execute_operation",
            "state.amount - action.amount",
            "state.amount",
        ),
        "messages stay in the inbox": (
            "execution:consume_messages",
            "remove(inbox_of(chain, message.origin), message)",
            "inbox_of(chain, message.origin)",
        ),
    },
}


def variants() -> list[tuple[str, str]]:
    return [(machine, name) for machine, broken in BROKEN.items() for name in broken]


def test_every_machine_has_broken_variants() -> None:
    assert set(BROKEN) == set(MACHINES)
    assert all(len(broken) >= 3 for broken in BROKEN.values())


ALONE = {"outbox-delivery": {"S1", "S2", "R4"}}
"""A machine of one validator asks nothing about the agreement of two."""


@pytest.mark.parametrize("name", MACHINES)
def test_machine_passes_and_is_not_vacuous(name: str) -> None:
    """No violation, and every interesting place is reached: mostly with one seed, at the latest with the third."""
    missed = set(MACHINES[name].coverage)
    for number in range(3):
        shown: list[int] = []
        result = run_machine(name, seed=number, progress=shown.append)
        assert result.failure is None
        assert result.holds
        assert result.examples >= MACHINES[name].examples
        assert result.steps > result.examples
        assert shown == list(range(1, result.examples + 1))
        assert set(result.missed) == MACHINES[name].coverage - set(result.counters)
        unasked = {statement for statement, count in result.checked.items() if not count}
        assert unasked == ALONE.get(name, set())
        missed &= set(result.missed)
        if not missed:
            break
    assert missed == set()


def test_network_machines_check_every_predicate() -> None:
    judged = {judge.statement for judge in predicates().values() if judge.scope != "goal"}
    for name in ("outbox-delivery", "single-chain", "several-owners", "whole-network"):
        assert judged <= set(run_machine(name, 3, 10).checked)


@pytest.mark.parametrize("name", ["single-chain", "several-owners", "whole-network"])
def test_machine_passes_with_real_signatures(name: str) -> None:
    result = run_machine(name, 3, 10, seed=1, scheme=Ed25519Scheme())
    assert result.failure is None
    assert result.counters["vote"] > 0


def run_elsewhere(hash_seed: int) -> MachineResult:
    """Run a machine in a process of its own, and get its result back."""
    code = (
        "import pickle, sys; from linera_invariants.machines import run_machine; "
        "sys.stdout.buffer.write(pickle.dumps(run_machine('whole-network', 8, 15, seed=5)))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=True)
    result = pickle.loads(done.stdout)
    assert isinstance(result, MachineResult)
    return result


def test_runs_are_deterministic_and_results_cross_processes() -> None:
    assert run_elsewhere(1) == run_elsewhere(2)


@pytest.mark.parametrize(("machine", "name"), variants())
def test_broken_variant_is_caught(machine: str, name: str) -> None:
    with applied(edit(*BROKEN[machine][name])):
        result = run_machine(machine, ENOUGH, shrink=False)
    assert result.failure is not None
    assert not result.holds
    assert result.failure.story


def test_the_tallies_of_several_owners_see_forks() -> None:
    """Beside the predicates, votes and certificates are counted."""
    machine = SeveralOwnersMachine()
    machine.begin((1, 1, 1, 1), [0, 1, 2, 3], False, False)
    chain = machine.view()
    one, two = (ExecutedBlock(next_block(chain, ()), (), bytes([byte]) * 32) for byte in (1, 2))
    first, again, later = (machine.payload(e, Kind.VALIDATED, r) for e, r in ((one, 0), (two, 0), (two, 1)))
    for payload in (first, first, later):
        machine.tally_vote(machine.members[0], 0, payload, True)
    with pytest.raises(Violated, match="one vote of a kind"):
        machine.tally_vote(machine.members[0], 0, again, True)
    machine.tally_validated(two, 0)
    machine.tally_confirmed(one, 1)
    with pytest.raises(Violated, match="ever confirmed"):
        machine.tally_confirmed(two, 3)
    with pytest.raises(Violated, match="no other one is validated"):
        machine.tally_validated(two, 2)


def test_failure_is_a_short_story() -> None:
    """A failing example is shrunk and told: here, a validator that votes twice for one height."""
    with applied(edit(*BROKEN["single-chain"]["the vote stays pending"])):
        result = run_machine("single-chain", ENOUGH)
    assert result.failure is not None
    assert "S10" in result.failure.error
    assert len(result.failure.story) <= 10
    assert any("proposes block 0 of chain 0" in line for line in result.failure.story)
    assert "executes certified block" in result.failure.story[-2]
    assert "S10 is violated" in result.failure.story[-1]


def test_failure_outside_the_statements_is_told_too() -> None:
    """A crash of the reference is a failure with a story, and says where it happened."""
    with applied(edit("outbox:schedule", "height < outbox.next_schedule", "height < outbox.nothing")):
        result = run_machine("outbox-delivery", ENOUGH, shrink=False)
    assert result.failure is not None
    assert result.failure.error.startswith("AttributeError in outbox.schedule")
    assert result.failure.story


def test_every_wish_is_granted() -> None:
    """Each kind of wish stands for some transaction, where messages wait."""
    chain = put_inbox(root(network()), (7,), Inbox(added=Queue().push(message())))
    around = Surroundings([(0,), (1,)], [key("alice"), key("bob")])
    assert [kind for kind in {*SOUND, *WILD, *SHARING} if not around.grant(chain, [Wish(kind)])] == ["nothing"]

"""Execution: the proofs hold for blocks of any size, and a lost or wrong step breaks them."""

import ast

import pytest
import z3
from proving import sees, unproved

from linera_invariants.mutation import edit
from linera_invariants.proofs.codecs import BYTES, unknown
from linera_invariants.proofs.contracts.chain import HASHES, SMessages, SOptional, any_chain, pairs, queues, terms_of
from linera_invariants.proofs.entries import theorems
from linera_invariants.proofs.lifted import lifted
from linera_invariants.proofs.queries import ask
from linera_invariants.proofs.symbolic import OutsideSubsetError, SAtom, claim, explore
from linera_invariants.sources import definitions, module_source
from linera_reference.certification import proposal_kind
from linera_reference.containers import Queue

ENTRIES = [name for name, entry in theorems().items() if entry.file.endswith("40-execution.toml") and entry.has_proof]


@pytest.mark.parametrize("entry", ENTRIES)
def test_holds(entry: str) -> None:
    assert not list(unproved(entry))


MUTANTS = [
    ("EXECUTE-TRANSACTION", "execution:execute_transaction", "running.owner is not None", "True"),
    ("EXECUTE-TRANSACTION", "execution:execute_operation", "apply_effect(running, effect)", "running"),
    ("EXECUTE-TRANSACTION", "execution:execute_message", "isinstance(content, Create)", "True"),
    ("EXECUTE-TRANSACTION", "execution:apply_effect", "isinstance(message.content, User) and ", ""),
    ("EXECUTE-TRANSACTION", "execution:open_chain", "transaction.chain_id == expected", "True"),
    ("EXECUTE-TRANSACTION", "execution:change_key", "transaction.owner", "running.owner"),
    ("EXECUTE-TRANSACTION", "execution:change_owners", "running.state", "None"),
    ("EXECUTE-TRANSACTION", "ownership:add_owner", "keys_of(owner)", "keys_of(None)"),
    ("EXECUTE-TRANSACTION", "execution:close_chain", "Running(None,", "Running(running.owner,"),
    ("EXECUTE-TRANSACTIONS", "execution:execute_transactions", "part.tx_count)", "0)"),
    (
        "EXECUTE-TRANSACTIONS",
        "execution:execute_transactions",
        "return running, running.messages",
        "return running, ()",
    ),
    ("CONSUMPTION-PASSES", "inbox:remove", "cursor >= inbox.consumed", "True"),
    ("CONSUMPTION-PASSES", "inbox:remove", "successor(cursor)", "cursor"),
    ("CONSUME-MESSAGES", "execution:consume_messages", "message.height >= block.height", "False"),
    ("CONSUME-MESSAGES", "execution:consume_messages", "m.origin", "m.height"),
    (
        "CONSUME-MESSAGES",
        "execution:consume_messages",
        "remove(inbox_of(chain, message.origin), message))",
        "remove(inbox_of(chain, message.origin), message)) and chain",
    ),
    ("CONSUME-MESSAGES", "chain:put_inbox", "inbox.consumed != part.consumed.get(origin, START)", "False"),
    (
        "EXECUTION-IS-A-FUNCTION",
        "execution:execute_block",
        "count)  # ALG1-35",
        "0 if chain.localized.owing.is_empty else 1)",
    ),
    (
        "EXECUTION-IS-A-FUNCTION",
        "execution:execute_block",
        "chain = consume_messages(chain, block)",
        "chain = consume_messages(chain, block) if chain.consistent.next_height > 0 else chain",
    ),
    (
        "EXECUTION-KEEPS",
        "execution:execute_block",
        "with_consistent(chain, part)",
        "Chain(chain.chain_id, part, evolve(chain.localized, mailboxes=None))",
    ),
    ("EXECUTION-KEEPS", "execution:execute_block", "count <= MAX_U64", "True"),
    ("EXECUTION-KEEPS", "execution:execute_block", "tx_count=count", "tx_count=part.tx_count"),
    ("EXECUTION-KEEPS", "execution:execute_block", "state=running.state, ", ""),
    ("EXECUTION-KEEPS", "chain:hashed_state", "part.tx_count", "part.next_height"),
]


@pytest.mark.parametrize(("entry", "function", "old", "new"), MUTANTS)
def test_sees_a_broken_function(entry: str, function: str, old: str, new: str) -> None:
    assert sees(entry, edit(function, old, new))


@pytest.mark.parametrize(
    ("entry", "hypothesis"),
    [
        ("EXECUTION-IS-A-FUNCTION", "EXECUTE-TRANSACTIONS"),
        ("EXECUTION-IS-A-FUNCTION", "CONSUME-MESSAGES"),
        ("EXECUTE-TRANSACTION", "APPLICATION-IS-A-FUNCTION"),
        ("EXECUTE-TRANSACTION", "CHILD"),
        ("CREATION-INDEX", "EXECUTE-TRANSACTIONS"),
    ],
)
def test_a_hypothesis_is_needed(entry: str, hypothesis: str) -> None:
    assert any(unproved(entry, dropped=hypothesis))


# --- Symbolic cells ----------------------------------------------------------------------------------------------


def test_what_is_packed_comes_back() -> None:
    def run() -> None:
        pair = (unknown(BYTES, "first"), unknown(HASHES, "second"))
        codec = pairs(BYTES, HASHES)
        first, second = codec.unpack(codec.pack(pair))
        claim("both", z3.And(first.term == pair[0].term, second.term == pair[1].term))
        items = [unknown(BYTES, "item") for _ in range(2)]
        queue = Queue[SAtom]().push(items[0]).push(items[1])
        packed = queues(BYTES).unpack(queues(BYTES).pack(queue))
        claim("a queue", z3.And(packed.front.term == items[0].term, packed.pop().front.term == items[1].term))

    assert all(ask(query, "z3").answer == "proved" for query in lifted("round trip", run))


def test_an_optional_compares_as_a_whole() -> None:
    def run() -> None:
        some, other = unknown(HASHES, "some"), unknown(HASHES, "other")
        value = unknown(BYTES, "value")
        claim("with ⊥", (some == None).term == z3.Not(some.term.sort().recognizer(1)(some.term)))  # noqa: E711
        claim("with a value", z3.Implies((some == value).term, (some != None).term))  # noqa: E711
        claim("with another", (some == other).term == z3.Not((some != other).term))

    assert all(ask(query, "z3").answer == "proved" for query in lifted("optionals", run))


def test_nothing_leads_out_of_the_subset() -> None:
    def use(what: str) -> None:
        chain = any_chain()
        if what == "truth":
            bool(chain.consistent.block_hash)
        elif what == "type":
            proposal_kind(chain.consistent.owner)
        elif what == "messages":
            messages = SMessages(z3.Const("messages", z3.DeclareSort("Messages")))
            list(messages)
        else:
            list(chain.localized.mailboxes.items())

    for what in ("truth", "type", "messages", "mailboxes"):
        with pytest.raises(OutsideSubsetError):
            list(explore(lambda what=what: use(what)))


ASKED = {
    "accepted_before": {"pending", "binding"},
    "already_voted": {"pending", "request.justification"},
    "archive_chain": {"part.state"},
    "binding_lock": {"justification", "rounds.locked"},
    "chain_of": {"found"},
    "check_active": {"owner"},
    "check_justification": {"justification"},
    "confirm_messages": {"outbox"},
    "current_round": {"rounds.locked"},
    "execute_transaction": {"running.owner"},
    "handle_request": {"executed"},
    "inbox_of": {"box"},
    "is_closed": {"part.owner"},
    "is_next": {"part.owner"},
    "keys_of": {"owner"},
    "lock_after": {"locked"},
    "may_propose": {"chosen"},
    "standing_ballot": {"locked", "pending", "owner"},
    "votes_of": {"signer"},
}
"""Where ⊥ is asked for, of a value that forks in the proofs: everywhere else optionals are passed on as a whole."""


def test_optionals_that_do_not_fork_are_not_asked() -> None:
    entries = [
        e for e in theorems().values() if e.file.split("/")[-1][:2] in {"35", "36", "40", "45", "66", "67", "68"}
    ]
    for function in {name for entry in entries for name in entry.functions}:
        module, _, name = function.partition(":")
        node = dict(definitions(module_source(module).tree))[name]
        compared = [
            n for n in ast.walk(node) if isinstance(n, ast.Compare) and isinstance(n.ops[0], ast.Is | ast.IsNot)
        ]
        asked = {ast.unparse(n.left) for n in compared if ast.unparse(n.comparators[0]) == "None"}
        assert asked <= ASKED.get(name, set()), function


def test_a_cell_has_the_terms_of_its_chain() -> None:
    def run() -> None:
        chain = any_chain()
        cell = terms_of(chain)
        claim("height", cell.next_height == chain.consistent.next_height.term)
        claim("last block", isinstance(chain.consistent.block_hash, SOptional))
        claim("log", cell.log(z3.Int("n")) == chain.consistent.log.array[z3.Int("n")])

    assert all(ask(query, "z3").answer == "proved" for query in lifted("cell", run))

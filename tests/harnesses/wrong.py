"""Harnesses that are wrong on purpose. Each fault must be noticed, and for the right reason.

python tests/harnesses/wrong.py FAULT        the example harness, breaking the protocol or its promises
python tests/harnesses/wrong.py RULE         the reference with one rule broken
python tests/harnesses/wrong.py LIE          the reference, and something else said
"""

import json
import os
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
TARGET = "identifiers/child-deep"
"""The vector at which most faults happen."""

PROPOSER = "check_proposer(part.owner, context.application.proposers(chain.chain_id, part.state), request.owner)"
SIGNED = "require(request_is_authentic(context.scheme, request), Reason.INVALID_SIGNATURE)"
RULES = {
    "quorum-too-small": ("committee:quorum_threshold", "total - max_faulty(total)", "total - max_faulty(total) - 1"),
    "duplicate-signer": ("certificate:check_signers", "not seen.contains(signer)", "True"),
    "long-lengths": ("encoding:_read_uleb", "byte > 0 or shift == 0", "True"),
    "unsorted-map": ("encoding:_read_map", "last is None or last < data[start:at]", "True"),
    "cursor-off-by-one": ("messages:successor", "cursor.index + 1", "cursor.index + 2"),
    "order-not-checked": ("inbox:remove", "cursor >= inbox.consumed", "True"),
    "anybody-proposes": ("certification:check_proposer", "owns(owner, proposer)", "True"),
    "round-repeated": ("rounds:accepted_before", "request.round > rounds.last", "request.round >= rounds.last"),
    "lock-ignored": ("rounds:accepted_before", "binding is not None", "False"),
    "justification-ignored": ("rounds:binding_lock", "justification is not None and ", "False and "),
    "justification-unverified": ("validator:check_justification", "justification is not None", "False"),
    "two-final-votes": ("rounds:lock_after", "locked.executed == certificate.executed", "True"),
    "lock-not-released": ("execution:commit_block", "rounds=FIRST_ROUND", "rounds=chain.localized.rounds"),
    "turns-ignored": ("ownership:may_propose", "chosen.is_disjoint(owner.keys) or ", "True or "),
    "wrong-reason-order": ("validator:handle_request", f"{PROPOSER}\n    {SIGNED}", f"{SIGNED}\n    {PROPOSER}"),
}
"""Variants of the core: function, old text, new text."""


def say(text, stream=sys.stdout):
    stream.write(text + "\n")
    stream.flush()


def send(message):
    say(json.dumps(message))


def flood(stream, text):
    while True:
        stream.write(text)


def crash():
    say("assertion failed: the stack is upside down", sys.stderr)
    os._exit(3)


def crash_late():
    time.sleep(0.5)
    crash()


def hang():
    time.sleep(600)


def orphan():
    """Leave a child that holds the pipes, and die."""
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    os._exit(3)


INSTEAD = {
    "crash": lambda _: crash(),
    "late-crash-slow-stop": lambda _: crash_late(),
    "hang": lambda _: hang(),
    "orphan": lambda _: orphan(),
    "exits-early": lambda _: os._exit(0),
    "flood": lambda _: flood(sys.stdout, "x" * 4096),
    "flood-of-lines": lambda _: flood(sys.stdout, "\n" * 4096),
    "flood-of-errors": lambda _: flood(sys.stderr, "x" * 4096),
    "malformed": lambda _: say('{"seq": 1, "accepted":'),
    "not-an-object": lambda _: say("[]"),
    "not-utf-8": lambda _: os.write(1, b"\xff\n"),
    "too-deep": lambda _: say("[" * 100_000),
    "repeated-key": lambda reply: say(f'{{"seq": {reply["seq"]}, "accepted": null, "accepted": true}}'),
    "number": lambda reply: send({"seq": reply["seq"], "accepted": [7]}),
    "two-ends": lambda reply: send({**reply, "skipped": "also"}),
    "unknown-key": lambda reply: send({**reply, "mood": "good"}),
    "wrong-seq": lambda reply: send({**reply, "seq": reply["seq"] + 1}),
    "unasked": lambda reply: (send(reply), send({**reply, "seq": reply["seq"] + 1})),
    "to-stderr": lambda reply: say(json.dumps(reply), sys.stderr),
    "chatty": lambda reply: (say("now comes the answer"), send(reply)),
    "errored": lambda reply: send({"seq": reply["seq"], "errored": "IndexError: list index out of range"}),
}
"""What happens at the target vector in place of the answer."""

COUNT = [0]


def remember(request, reply):
    COUNT[0] += 1
    return {**reply, "accepted": str(COUNT[0])} if request["operation"] == "parent" else reply


def after_stop(act):
    def change(request, reply):
        if request["cmd"] == "stop":
            send(reply)
            act()
        return reply

    return change


def slow_stop(request, reply):
    time.sleep(1 if request["cmd"] == "stop" else 0)
    return reply


CHANGES = {
    "late-crash-slow-stop": slow_stop,
    "old-protocol": lambda request, reply: {**reply, "protocol": 0} if request["cmd"] == "start" else reply,
    "nameless": lambda request, reply: {**reply, "implementation": {}} if request["cmd"] == "start" else reply,
    "lists-more": lambda request, reply: (
        {**reply, "operations": [*reply["operations"], "add"]} if request["cmd"] == "capabilities" else reply
    ),
    "lists-less": lambda request, reply: (
        {**reply, "operations": reply["operations"][:-1]} if request["cmd"] == "capabilities" else reply
    ),
    "lists-nonsense": lambda request, reply: (
        {**reply, "operations": [*reply["operations"], "fly"]} if request["cmd"] == "capabilities" else reply
    ),
    "promises-details": lambda request, reply: (
        {**reply, "details": True} if request["cmd"] == "capabilities" else reply
    ),
    "remembers": lambda request, reply: remember(request, reply) if request["cmd"] == "run" else reply,
    "never-ends": after_stop(hang),
    "wrong-exit-code": after_stop(lambda: os._exit(4)),
    "last-words": after_stop(lambda: (say("bye"), os._exit(0))),
}
"""How every answer changes."""


def run_fault(fault):
    sys.path.insert(0, str(HERE / "example"))
    answer = import_module("harness").answer
    for line in sys.stdin:
        request = json.loads(line)
        reply = {"seq": request["seq"], **answer(request)}
        reply = CHANGES.get(fault, lambda _, same: same)(request, reply)
        if fault in INSTEAD and request.get("vector") == TARGET:
            INSTEAD[fault](reply)
        else:
            send(reply)
        if request["cmd"] == "stop":
            return


def change_state(reply):
    return {**reply, "state": "0" * 64} if "rejected" in reply else reply


def leave_state_out(reply):
    return {key: value for key, value in reply.items() if key != "state"}


LIES = {"changed-state": change_state, "stateless-rejections": leave_state_out}
"""What is said instead of the reference's answer."""


def run_liar(lie):
    sys.path.insert(0, str(HERE))
    answer = import_module("reference").answer
    for line in sys.stdin:
        request = json.loads(line)
        send({"seq": request["seq"], **LIES[lie](answer(request))})
        if request["cmd"] == "stop":
            return


def run_variant(variant):
    sys.path.insert(0, str(HERE))
    reference, mutation = import_module("reference"), import_module("linera_invariants.mutation")
    with mutation.applied(mutation.edit(*RULES[variant])):
        reference.main()


if __name__ == "__main__":
    name = sys.argv[1]
    (run_variant if name in RULES else run_liar if name in LIES else run_fault)(name)

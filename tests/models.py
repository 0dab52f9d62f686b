"""Small model files for the tests of the explorer."""

from pathlib import Path

from linera_invariants.explorer.model import Model, read_model

HEAD = """
model = 1
title = "a model"
byzantine = {byzantine}
{more}

[validators]
{validators}

[users]
alice = {{}}
bob = {{}}

[[chains]]
id = "0"
owner = "alice"
balance = 10

[[chains]]
id = "1"
owner = "bob"
balance = 10
"""

RIVALS = """
[[blocks]]
name = "a"
chain = "0"
operations = [{ do = "burn", amount = 1 }]

[[blocks]]
name = "b"
chain = "0"
operations = [{ do = "burn", amount = 2 }]
"""

TRANSFER = """
[[blocks]]
name = "a"
chain = "0"
operations = [{ do = "transfer", to = "1", amount = 1 }]

[[blocks]]
name = "b"
chain = "1"
heard = ["a"]
operations = [{ do = "receive" }]
"""

LIFE = """
[[blocks]]
name = "a"
chain = "0"
operations = [{ do = "open-chain", owner = "bob" }, { do = "transfer", to = "0.0", amount = 1 }]

[[blocks]]
name = "end"
chain = "0"
after = "a"
operations = [{ do = "close-chain" }]

[[blocks]]
name = "child"
chain = "0.0"
heard = ["a"]
operations = [{ do = "receive" }, { do = "change-key", owner = "alice" }]
"""

FORGED = """
[[forged]]
name = "twice"
what = "certificate"
block = "a"
signers = ["v1", "v1", "v2"]

[[forged]]
name = "junk"
what = "certificate"
block = "b"
signers = ["v1", "v2", "v3"]
genuine = false

[[forged]]
name = "theft"
what = "request"
block = "a"
owner = "bob"
"""

PROPOSALS = """
[[proposals]]
block = "a"

[[proposals]]
block = "b"
round = 1

[[proposals]]
block = "a"
round = 1
justified = { block = "a" }
"""

HOLDS = '\n[expect]\nverdict = "holds"\n'


def text_of(body: str, weights: tuple[int, ...], byzantine: str = "[]", more: str = "", expect: str = HOLDS) -> str:
    """Write a model file."""
    validators = "\n".join(f"v{number} = {{ weight = {weight} }}" for number, weight in enumerate(weights, 1))
    return HEAD.format(byzantine=byzantine, more=more, validators=validators) + body + expect


def several(text: str) -> str:
    """Let two users own chain 0, and all that is proposed there go through rounds."""
    return text.replace('owner = "alice"\nbalance', 'owner = ["alice", "bob"]\nbalance')


def edited(function: str, old: str, new: str) -> str:
    """Write the edit of a broken variant."""
    return f"[broken]\nsentence = 'Broken.'\nfunction = '{function}'\nold = '{old}'\nnew = '{new}'"


UNCHECKED = edited("rounds:accepted_before", "if binding is not None:", "if False:")
FORGETFUL = edited("chain:restart_chain", "rounds=local.rounds", "rounds=Rounds(local.rounds.last)")
MODELS = {
    "rivals": text_of(RIVALS, (1, 1, 1, 1), '["v4"]'),
    "unequal": text_of(RIVALS, (1, 2, 2), "[]"),
    "any": text_of(RIVALS, (1, 1, 1, 1), '"any"'),
    "forged": text_of(RIVALS + FORGED, (1, 1, 1, 1), '["v4"]'),
    "transfer": text_of(TRANSFER, (1, 1), "[]"),
    "resent": text_of(TRANSFER, (1, 1), "[]", 'resend = ["0"]'),
    "life": text_of(LIFE, (1, 1), "[]"),
    "rounds": several(text_of(RIVALS + PROPOSALS, (1, 1), "[]", "rounds = 2")),
    "rounds-and-faults": several(text_of(RIVALS, (1, 1, 1, 1), '["v4"]')),
    "restarted": several(text_of(RIVALS + PROPOSALS, (1, 1), "[]", "rounds = 2\nrestarts = true")),
    "archived": text_of(LIFE, (1,), "[]", 'archive = ["0"]\nresend = ["0"]'),
}
BROKEN = {
    "vote-twice": (text_of(RIVALS, (1, 1, 1, 1), '["v4"]', 'broken = "vote-twice"'), 4),
    "pending-survives": (text_of(RIVALS, (1, 1, 1, 1), '["v4"]', 'broken = "pending-survives"'), 6),
    "signer-counted-twice": (text_of(RIVALS + FORGED, (1, 1, 1, 1), '["v4"]', 'broken = "signer-counted-twice"'), 4),
    "acknowledged-unreceived": (text_of(TRANSFER, (1, 1), "[]", 'broken = "acknowledged-unreceived"'), 6),
    "votes-before-messages": (text_of(TRANSFER, (1, 1), "[]", 'broken = "votes-before-messages"'), 2),
    "lock-unchecked": (several(text_of(RIVALS + PROPOSALS, (1, 1), "[]", f"rounds = 2\n{UNCHECKED}")), 7),
    "lock-lost": (several(text_of(RIVALS + PROPOSALS, (1, 1), "[]", f"rounds = 2\nrestarts = true\n{FORGETFUL}")), 5),
    "too-many-faults": (text_of(RIVALS, (1, 1, 1, 1), '["v3", "v4"]', "beyond = true"), 10),
}
"""Models in which something is wrong, and how long the shortest attack is."""
AT_ONCE = {
    "faults": several(text_of(RIVALS, (1, 1, 1, 1), '["v4"]', "at_once = true")),
    "rounds": several(text_of(RIVALS, (1, 1), "[]", "rounds = 2\nat_once = true")),
    "single": text_of(RIVALS, (1, 1, 1, 1), '["v4"]', "at_once = true"),
    "transfer": text_of(TRANSFER, (1, 1), "[]", "at_once = true"),
}
"""Models in which everything is sent at once."""


def write_model(folder: Path, text: str) -> Path:
    """Write a model file."""
    path = folder / "model.toml"
    path.write_text(text)
    return path


def made(folder: Path, text: str) -> Model:
    """Read a model from its text."""
    return read_model(write_model(folder, text))

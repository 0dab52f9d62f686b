"""The two-set inbox: every step from every state that few messages reach (section 2.6)."""

from collections.abc import Callable, Iterator

from linera_invariants.vectors.model import Case
from linera_reference.inbox import TwoSetInbox, add_to_sets, remove_from_sets
from linera_reference.messages import Create, Message, User

from .support import accumulated, caller, digest, key

ABOUT = "The two-set inbox: adding and removing messages in any order, from every state that few messages reach."

BLOCK = digest("block")
MESSAGES = {
    "a": Message((0,), 0, 0, BLOCK, User(b"")),
    "b": Message((0,), 0, 1, BLOCK, Create(key("owner"))),
    "c": Message((1,), 0, 0, BLOCK, User(b"")),
}
"""Messages of two origins; a and c differ in the origin only."""
STEPS: dict[str, tuple[str, Callable[[TwoSetInbox, Message], TwoSetInbox]]] = {
    "add": ("WP-2.6-INBOX-ADD", add_to_sets),
    "remove": ("WP-2.6-INBOX-REMOVE", remove_from_sets),
}


def cases() -> Iterator[Case]:
    """Yield one case per state and step; a state is named after a shortest way to it."""
    for path, inbox in states():
        for step, (clause, function) in STEPS.items():
            call = caller(function.__name__, clause, "WP-2.6-INBOX-COMMUTES", inbox=inbox, source_="enumeration")
            for name, message in MESSAGES.items():
                sentence = f"After {', '.join(path) or 'nothing'}: {step} {name}."
                yield call(_named((*path, f"{step} {name}")), sentence, message=message)
    yield from alike()
    yield from accumulated("two-set-inbox", 100_000, "WP-2.6-INBOX-ADD", "WP-2.6-INBOX-REMOVE")


def _named(path: tuple[str, ...]) -> str:
    return "-".join(step.replace(" ", "-") for step in path)


def states() -> list[tuple[tuple[str, ...], TwoSetInbox]]:
    """Return the reachable states, each with a shortest way to it, nearest first."""
    found: list[tuple[tuple[str, ...], TwoSetInbox]] = [((), TwoSetInbox())]
    for path, inbox in found:
        for step, (_, function) in STEPS.items():
            for name, message in MESSAGES.items():
                after = function(inbox, message)
                if all(after != known for _, known in found):
                    found.append(((*path, f"{step} {name}"), after))
    return found


def alike() -> Iterator[Case]:
    """A message is the whole record: one that differs in any field is another."""
    waiting = remove_from_sets(TwoSetInbox(), MESSAGES["a"])
    others = {
        "origin": Message((0, 0), 0, 0, BLOCK, User(b"")),
        "height": Message((0,), 1, 0, BLOCK, User(b"")),
        "index": Message((0,), 0, 1, BLOCK, User(b"")),
        "block-hash": Message((0,), 0, 0, digest("other block"), User(b"")),
        "content": Message((0,), 0, 0, BLOCK, User(b"\0")),
    }
    add = caller("add_to_sets", "WP-2.6-INBOX-ADD", inbox=waiting)
    for name, message in others.items():
        yield add(f"other-{name}", f"A message that differs from the owed one in its {name}.", message=message)

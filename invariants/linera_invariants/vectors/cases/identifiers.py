"""Chain identifiers: sequences of numbers (section 2.4)."""

from collections.abc import Iterator
from itertools import product

from linera_invariants.vectors.model import Case
from linera_reference.identifiers import K_MAX
from linera_reference.notation import MAX_U64
from linera_reference.rejections import Reason

from .support import caller, expected

ABOUT = "Identifiers of chains: what can name one, children, parents, ancestors."

LONGEST = (7,) * K_MAX
WRONG = Reason.INVALID_NEW_CHAIN_ID

named = caller("is_identifier", "WP-2.4-IDENTIFIER")
child = caller("child", "WP-2.4-CHILD")
parent = caller("parent", "WP-2.4-IDENTIFIER")
ancestor = caller("is_ancestor", "WP-2.4-IDENTIFIER")


def cases() -> Iterator[Case]:
    """Yield the cases, simplest first."""
    yield from identifier_cases()
    yield from child_cases()
    yield from parent_cases()
    yield from ancestor_cases()


def identifier_cases() -> Iterator[Case]:
    """What can name a chain."""
    for name, chain_id, named_by, why in (
        ("empty", (), False, "The empty sequence names no chain."),
        ("one", (0,), True, "One number names a chain."),
        ("two", (0, 1), True, "So do two numbers."),
        ("longest", LONGEST, True, "The longest identifier."),
        ("too-long", (*LONGEST, 7), False, "One number too many."),
        ("largest", (MAX_U64,), True, "The largest number."),
        ("too-large", (MAX_U64 + 1,), False, "A number beyond 64 bits names no chain."),
        ("negative", (-1,), False, "Numbers are not negative."),
        ("second-too-large", (0, MAX_U64 + 1), False, "Every number counts, not only the first."),
        ("second-negative", (1, -1), False, "Every number counts, not only the first."),
        ("first-negative", (-1, 1), False, "Every number counts, not only the last."),
        (
            "longest-too-large",
            (*LONGEST[1:], MAX_U64 + 1),
            False,
            "The longest identifier with a number beyond 64 bits.",
        ),
    ):
        yield named(f"is-identifier-{name}", why, chain_id=chain_id, gives_=named_by)


def child_cases() -> Iterator[Case]:
    """The identifier of a child."""
    for name, parent_id, index, outcome, why in (
        ("first", (0,), 0, (0, 0), "A child appends the index of the transaction."),
        ("second", (0,), 1, (0, 1), "Another transaction, another child."),
        ("largest", (0,), MAX_U64, (0, MAX_U64), "The largest index."),
        ("grandchild", (0, 1), 5, (0, 1, 5), "A child of a child."),
        ("deep", LONGEST[1:], 3, (*LONGEST[1:], 3), "A child of the longest length."),
        ("too-deep", LONGEST, 3, WRONG, "A chain of the longest identifier has no child."),
        ("beyond", (0,), MAX_U64 + 1, WRONG, "An index beyond 64 bits."),
        ("negative", (0,), -1, WRONG, "An index below zero."),
        ("too-deep-and-beyond", LONGEST, MAX_U64 + 1, WRONG, "Too deep and beyond 64 bits: one reason for both."),
    ):
        yield child(f"child-{name}", why, parent_id=parent_id, index=index, **expected(outcome))


def parent_cases() -> Iterator[Case]:
    """The parent of a chain."""
    for name, chain_id, above, why in (
        ("root", (4,), None, "An identifier of one number has no parent."),
        ("child", (4, 9), (4,), "The parent drops the last number."),
        ("grandchild", (4, 9, 4), (4, 9), "Only the last number is dropped."),
        ("zero", (0, 0), (0,), "The number zero is a name, not an absent value."),
        ("longest", LONGEST, LONGEST[1:], "The longest identifier has a parent."),
    ):
        yield parent(f"parent-{name}", why, chain_id=chain_id, gives_=above)


def ancestor_cases() -> Iterator[Case]:
    """All pairs of short identifiers over two numbers."""
    short = [chain_id for length in (1, 2, 3) for chain_id in product((0, 1), repeat=length)]
    for one, other in product(short, repeat=2):
        if len(one) <= 2 and one[0] == 0:
            name = f"is-ancestor-{_dots(one)}-of-{_dots(other)}"
            sentence = f"Whether {list(one)} is a strict prefix of {list(other)}."
            longer = one != other and one == other[: len(one)]
            yield ancestor(name, sentence, ancestor=one, chain_id=other, gives_=longer, source_="enumeration")


def _dots(chain_id: tuple[int, ...]) -> str:
    return ".".join(map(str, chain_id))

"""Identifiers of chains: sequences of numbers of any length, on which the shipped rules run."""

import operator
from collections.abc import Callable, Iterator
from typing import Any, Final

import z3
from attrs import frozen

from linera_invariants.proofs.codecs import BYTES, INTEGERS, atoms, unknown
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.queries import Query, witness
from linera_invariants.proofs.symbolic import (
    OutsideSubsetError,
    SBool,
    SInt,
    assume,
    attempt,
    claim,
    decide,
    fresh,
    term,
)
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_reference.block import OpenChain
from linera_reference.execution import Running, open_chain
from linera_reference.identifiers import K_MAX, child, is_ancestor, is_identifier, parent
from linera_reference.messages import Create
from linera_reference.notation import MAX_U64
from linera_reference.rejections import Reason, Rejected

IDENTIFIERS: Final = z3.SeqSort(z3.IntSort())


@frozen(eq=False)
class Rest:
    """All items of a sequence, where Python unpacks it into a tuple."""

    sequence: "SSequence"


class SSequence:
    """A tuple of numbers of any length, behind the operators that the core uses: slices, ``*``, ``==`` and truth."""

    __slots__ = ("term",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: z3.SeqRef) -> None:
        """Keep the term."""
        self.term = value

    def __iter__(self) -> Iterator[Rest]:
        """Give all items as one: for ``(*sequence, item)``."""
        yield Rest(self)

    def __bool__(self) -> bool:
        """Whether there is any item."""
        return decide(z3.Length(self.term) > 0)

    def __getitem__(self, part: slice) -> "SSequence":
        """Return the items before ``part.stop``, which counts from the end if it is negative."""
        if (part.start, part.step) != (None, None):
            raise OutsideSubsetError("only the beginning of a sequence can be taken")
        stop, length = term(part.stop), z3.Length(self.term)
        end = z3.If(stop >= 0, stop, length + stop)
        return SSequence(z3.SubSeq(self.term, 0, end))

    def __eq__(self, other: object) -> Any:
        """Compare with a sequence or with a tuple that begins with one."""
        return SBool(self.term == sequence(other)) if other is not None else False


def sequence(value: Any) -> Any:
    """Return the term of a sequence, also of a tuple that the core put together from one."""
    if isinstance(value, tuple):
        parts = [item.sequence.term if isinstance(item, Rest) else z3.Unit(term(item)) for item in value]
        return z3.Concat(*parts)
    return value.term


def length(value: Any) -> SInt:
    """Stand for ``len``."""
    return SInt(z3.Length(sequence(value)))


ANY: Final = z3.Int("any_place")
"""An arbitrary place: what holds there holds everywhere."""
LEAST, GREATEST = z3.Ints("least greatest")


def inside(place: Any, identifier: Any) -> z3.BoolRef:
    """Whether a sequence has a number at a place."""
    return z3.And(place >= 0, place < z3.Length(identifier))


def extreme(place: Any, beyond: Callable[[Any, Any], z3.BoolRef]) -> Callable[[SSequence], Any]:
    """Stand for ``min`` or ``max``: the number at ``place``, beyond which no other lies; an empty sequence has none."""

    def find(items: SSequence) -> Any:
        if decide(z3.Length(items.term) == 0):
            raise ValueError("empty")
        found: Any = unknown(INTEGERS, "extreme")
        assume(z3.And(inside(place, items.term), found.term == items.term[place]))
        assume(z3.Implies(inside(ANY, items.term), z3.Not(beyond(items.term[ANY], found.term))))
        return found

    return find


def any_identifier(name: str) -> Any:
    """Return an arbitrary sequence of numbers."""
    return SSequence(fresh(name, IDENTIFIERS))


def shipped(function: Callable[..., Any], **names: Any) -> Any:
    """Return a shipped rule that can take the length of a sequence."""
    return with_callees(function, len=length, **names)


# --- The rules ---------------------------------------------------------------------------------------------------


def _in_range(number: Any) -> z3.BoolRef:
    return z3.And(number >= 0, number <= MAX_U64)


@formula("IS-IDENTIFIER")
def is_lawful(identifier: Any, place: Any) -> z3.BoolRef:
    """A lawful sequence has 1 to K_MAX numbers, and the one at a place has 64 bits."""
    size = z3.Length(identifier)
    return z3.And(size >= 1, size <= K_MAX, z3.Implies(inside(place, identifier), _in_range(identifier[place])))


@proof("IS-IDENTIFIER")
def identifiers(_: Given) -> Iterator[Query]:
    """Run the decision on an arbitrary sequence."""

    def run() -> None:
        chain_id = any_identifier("chain_id")
        decision = shipped(is_identifier, min=extreme(LEAST, operator.lt), max=extreme(GREATEST, operator.gt))
        accepted, number = term(attempt(decision, chain_id)), chain_id.term
        bad = [z3.And(inside(at, number), z3.Not(_in_range(number[at]))) for at in (LEAST, GREATEST)]
        wrong_size = z3.Or(z3.Length(number) < 1, z3.Length(number) > K_MAX)
        claim("only lawful ones", z3.Implies(accepted, said("IS-IDENTIFIER", number, ANY)))
        claim("all lawful ones", z3.Or(accepted, wrong_size, *bad))

    yield from lifted("identifiers", run)


@formula("CHILD-APPENDS")
def child_of(made: Any, parent_id: Any, index: Any) -> z3.BoolRef:
    """A child appends its index, of 64 bits, to a parent that is not too long."""
    appended = made == z3.Concat(parent_id, z3.Unit(index))
    return z3.And(appended, z3.Length(parent_id) < K_MAX, _in_range(index))


@proof("CHILD-APPENDS")
def children(_: Given) -> Iterator[Query]:
    """Run the rule on an arbitrary parent and index."""

    def run() -> None:
        parent_id, index = any_identifier("parent_id"), unknown(INTEGERS, "index")
        made = attempt(shipped(child), parent_id, index)
        fits = z3.Length(parent_id.term) < K_MAX
        if isinstance(made, Rejected):
            claim("the one reason", made.reason is Reason.INVALID_NEW_CHAIN_ID)
            claim("length first", z3.Not(fits) if made.detail is parent_id else z3.And(fits, made.detail is index))
            claim("nothing lawful is refused", z3.Not(z3.And(fits, _in_range(index.term))))
        else:
            claim("the index is appended", said("CHILD-APPENDS", sequence(made), parent_id.term, index.term))

    yield from lifted("child", run)


@formula("PARENT")
def parent_of(found: Any, chain_id: Any) -> z3.BoolRef:
    """The parent is the sequence without its last number."""
    return found == z3.SubSeq(chain_id, 0, z3.Length(chain_id) - 1)


@proof("PARENT")
def parents(_: Given) -> Iterator[Query]:
    """Run the rule on an arbitrary identifier."""

    def run() -> None:
        chain_id = any_identifier("chain_id")
        assume(z3.Length(chain_id.term) >= 1)
        found = attempt(shipped(parent), chain_id)
        if found is None:
            claim("one number has no parent", z3.Length(chain_id.term) == 1)
        else:
            claim("all but the last", said("PARENT", sequence(found), chain_id.term))
            claim("there is one", z3.Length(chain_id.term) > 1)

    yield from lifted("parent", run)


@formula("IS-ANCESTOR")
def ancestor_of(found: Any, ancestor: Any, chain_id: Any) -> z3.BoolRef:
    """An ancestor is a strict prefix."""
    return found == z3.And(z3.PrefixOf(ancestor, chain_id), ancestor != chain_id)


@proof("IS-ANCESTOR")
def ancestors(_: Given) -> Iterator[Query]:
    """Run the decision on two arbitrary identifiers."""

    def run() -> None:
        ancestor, chain_id = any_identifier("ancestor"), any_identifier("chain_id")
        found = term(attempt(shipped(is_ancestor), ancestor, chain_id))
        claim("a strict prefix", said("IS-ANCESTOR", found, ancestor.term, chain_id.term))

    yield from lifted("ancestor", run)


@formula("OPEN-CHAIN")
def opened(recipient: Any, chain_id: Any, index: Any) -> z3.BoolRef:
    """The created chain is the child with the index of the transaction."""
    return child_of(recipient, chain_id, index)


@proof("OPEN-CHAIN")
def opening(given: Given) -> Iterator[Query]:
    """Run the rule on an arbitrary transaction, with the contract of ``child``."""

    def make_child(parent_id: Any, index: Any) -> Any:
        made = any_identifier("child")
        assume(given("CHILD-APPENDS", made.term, parent_id.term, index.term))
        return made

    def run() -> None:
        chain_id, index = any_identifier("chain_id"), unknown(INTEGERS, "index")
        transaction = OpenChain(any_identifier("new chain"), unknown(BYTES, "new owner"))
        running = Running(unknown(BYTES, "owner"), unknown(atoms("State"), "state"))
        after = attempt(with_callees(open_chain, child=make_child), chain_id, index, running, transaction)
        if isinstance(after, Rejected):
            claim("the one reason", after.reason is Reason.INVALID_NEW_CHAIN_ID)
            claim("another identifier was asked for", sequence(transaction.chain_id) != sequence(after.detail))
            return
        claim("one message", len(after.messages) == 1)
        message = after.messages[0]
        claim("to the chain that was asked for", sequence(message.recipient) == sequence(transaction.chain_id))
        claim("to the child", said("OPEN-CHAIN", sequence(message.recipient), chain_id.term, index.term))
        claim("that creates it", isinstance(message.content, Create) and message.content.owner == transaction.owner)
        claim("the chain goes on", after.owner is running.owner and after.state is running.state)

    yield from lifted("open a chain", run)


# --- What follows ------------------------------------------------------------------------------------------------


@formula("CHILD-INJECTIVE")
def injective(made: Any, parent_id: Any, index: Any, other: Any, other_parent: Any, other_index: Any) -> z3.BoolRef:
    """Equal children have equal parents and indices."""
    return z3.Implies(made == other, z3.And(parent_id == other_parent, index == other_index))


@proof("CHILD-INJECTIVE")
def children_differ(given: Given) -> Iterator[Query]:
    """Take the last number off."""
    made, p, other, q, found = z3.Consts("child parent other_child other_parent found", IDENTIFIERS)
    i, j = z3.Ints("index other_index")
    both = given("CHILD-APPENDS", made, p, i), given("CHILD-APPENDS", other, q, j)
    yield Query("injective", both, said("CHILD-INJECTIVE", made, p, i, other, q, j))
    yield Query("the parent of a child", (both[0], given("PARENT", found, made)), found == p)
    ancestor, related = z3.And(z3.PrefixOf(p, made), p != made), z3.Bool("related")
    yield Query("a strict prefix", (both[0], given("IS-ANCESTOR", related, p, made)), related == ancestor)
    yield Query("a parent is an ancestor", (both[0], given("IS-ANCESTOR", related, p, made)), related)


@formula("FRESH-IDENTIFIERS")
def fresh_identifiers(made: Any, chain: Any, index: Any, other: Any, other_chain: Any, other_index: Any) -> z3.BoolRef:
    """Transactions of different chains or indices create different chains, and each is the child of its creator."""
    different = z3.Or(chain != other_chain, index != other_index)
    return z3.And(z3.Implies(different, made != other), made == z3.Concat(chain, z3.Unit(index)))


@proof("FRESH-IDENTIFIERS")
def creations_differ(given: Given) -> Iterator[Query]:
    """Two accepted OpenChain transactions ask for the children with their own indices."""
    made, p, other, q = z3.Consts("recipient chain other_recipient other_chain", IDENTIFIERS)
    i, j = z3.Ints("index other_index")
    known = given("OPEN-CHAIN", made, p, i), given("OPEN-CHAIN", other, q, j)
    yield Query("different transactions", known, said("FRESH-IDENTIFIERS", made, p, i, other, q, j))
    yield witness("two chains are created", (*known, made != other))

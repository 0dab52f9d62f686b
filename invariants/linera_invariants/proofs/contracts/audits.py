"""The whole audit of a chain: all of its parts pass, each from the state that the one before it left."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Final

import z3
from attrs import frozen

from linera_invariants.proofs.codecs import CHAIN_IDS, unknown
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.lists import Induction, SList, unknown_list
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import assume, attempt, claim, conj, fresh, term
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_reference.audit import audit_chain, place_of
from linera_reference.chain import Chain
from linera_reference.context import Context

from .audit import ANY, AUDITS, Audited, called
from .chain import HASHED, OUTGOING, STATE_HASH, any_chain, any_context

NUMBER: Final = z3.IntSort()
FIRST: Final = z3.Const("first_state", AUDITS.sort)
AT, MET = (z3.Function(name, NUMBER, AUDITS.sort) for name in ("after_blocks", "after_senders"))
AUDIT_BLOCK, MEET_SENDER = (z3.Function(n, AUDITS.sort, NUMBER, AUDITS.sort) for n in ("audit_block", "meet_sender"))
"""The states of an audit after so many blocks, then after so many senders' blocks; and how each leads to the next."""


@formula("AUDIT-STEPS")
def steps(first: Any, blocks: Any, n: Any) -> z3.BoolRef:
    """Define the states."""
    begun = conj(AT(0) == first, MET(0) == AT(blocks))
    step = conj(AT(n + 1) == AUDIT_BLOCK(AT(n), n), MET(n + 1) == MEET_SENDER(MET(n), n))
    return conj(begun, z3.Implies(n >= 0, step))


@frozen(eq=False)
class Parts:
    """What it means that the parts of an audit pass, each by its place and the states before and after it."""

    begins: Callable[[Any], z3.BoolRef]
    audits: Callable[[Any, Any, Any], z3.BoolRef]
    notes: Callable[[Any], z3.BoolRef]
    meets: Callable[[Any, Any, Any], z3.BoolRef]
    ends: Callable[[Any], z3.BoolRef]


@formula("AUDIT-CHAIN")
def audit_passes(parts: Parts, blocks: Any, senders: Any, place: Any) -> z3.BoolRef:
    """Say that all parts passed: the beginning, the block and the sender's block at any place, the end."""
    audited = z3.Implies(conj(place >= 0, place < blocks), parts.audits(AT(place), place, AT(place + 1)))
    met = conj(parts.notes(place), parts.meets(MET(place), place, MET(place + 1)))
    meets = z3.Implies(conj(place >= 0, place < senders), met)
    return conj(parts.begins(AT(0)), audited, MET(0) == AT(blocks), meets, parts.ends(MET(senders)))


def _passed(name: str, *sorts: z3.SortRef) -> Any:
    return z3.Function(f"{name} passed", *sorts, z3.BoolSort())


STEP: Final = (AUDITS.sort, NUMBER, AUDITS.sort)
PASSED: Final = Parts(
    _passed("the beginning", AUDITS.sort),
    _passed("the block", *STEP),
    _passed("the evidence", NUMBER),
    _passed("the sender's block", *STEP),
    _passed("the end", AUDITS.sort),
)
"""Words for what :class:`Parts` means, where nothing else needs to be known of it."""


@frozen(eq=False)
class Piece:
    """The certificate at a place."""

    place: Any
    executed: Any = None


@frozen(eq=False)
class Several:
    """Values of any number: in a comprehension one stands for all, unpacked they stand together."""

    one: Any

    def __iter__(self) -> Iterator[Any]:
        """Give the one."""
        yield self.one


class Pieces(SList):
    """Certificates of any number: in a comprehension one stands for all."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Give the one."""
        yield self.item(self.place)


def pieces(name: str, executed: Any = None) -> Pieces:
    """Return certificates of any number."""
    plain = unknown_list(lambda i: Piece(i, executed), name)
    return Pieces(plain.item, plain.length, plain.place)


def so_far(n: Any, passed: Callable[[Any], z3.BoolRef]) -> z3.BoolRef:
    """Say that the part at an arbitrary place before n passed."""
    return z3.Implies(conj(ANY >= 0, n > ANY), passed(ANY))


@frozen(eq=False)
class Audit:
    """An arbitrary audit: what stands for the parts that :func:`audit_chain` calls."""

    given: Given
    context: Context
    chain_id: Any
    message: Any
    blocks: Pieces
    senders: Pieces
    last: Chain

    @classmethod
    def arbitrary(cls, given: Given) -> "Audit":
        """Return one."""
        message = unknown(OUTGOING, "message")
        blocks = pieces("blocks", SimpleNamespace(messages=Several(message)))
        chain_id, senders = unknown(CHAIN_IDS, "chain_id"), pieces("senders")
        return cls(given, any_context(), chain_id, message, blocks, senders, any_chain("last"))

    def begin(self, *args: Any) -> Audited:
        """Stand for ``audit_start``."""
        expected = (self.context, "origin", self.chain_id)
        claim("the origin, of this chain", all(a is b for a, b in zip(args, expected, strict=True)))
        assume(PASSED.begins(FIRST))
        return Audited(FIRST)

    def audit(self, context: Any, chain: Audited, block: Piece) -> Audited:
        """Stand for ``audit_block``."""
        claim("each block in turn", context is self.context)
        after = AUDIT_BLOCK(chain.term, block.place)
        assume(PASSED.audits(chain.term, block.place, after))
        return Audited(after)

    def own_places(self, chain: Audited) -> str:
        """Stand for the places of own blocks."""
        claim("own blocks are evidence", chain.term == AT(self.blocks.length))
        return "places"

    def note(self, context: Any, known: Any, sender: Piece) -> str:
        """Stand for ``audit_evidence``."""
        claim("each piece of evidence is noted", context is self.context and known == "places")
        assume(PASSED.notes(sender.place))
        return "places"

    def meet(self, context: Any, chain: Audited, sender: Piece, known: Any) -> Audited:
        """Stand for ``audit_sender_block``."""
        claim("each sender's block meets it", context is self.context and known == "places")
        after = MEET_SENDER(chain.term, sender.place)
        assume(PASSED.meets(chain.term, sender.place, after))
        return Audited(after)

    def owed(self, chain: Audited) -> str:
        """Stand for ``owed_messages``."""
        claim("at the end", chain.term == MET(self.senders.length))
        return "owed"

    def check(self, *args: Any) -> None:
        """Stand for ``check_sent``."""
        claim("nothing may be owed", args == ("owed", "places"))
        assume(PASSED.ends(MET(self.senders.length)))

    def along(self, states: Any, passed: Callable[[Any, Any, Any], z3.BoolRef]) -> Induction:
        """Stand for a fold that goes from state to state: each is reached, and every step up to there passed."""

        def known(chain: Audited, n: Any) -> z3.BoolRef:
            return conj(chain.term == states(n), so_far(n, lambda i: passed(states(i), i, states(i + 1))))

        return Induction(
            known,
            lambda: Audited(fresh("reached", AUDITS.sort), consistent=self.last.consistent),
            lemmas=lambda _, n: (self.given("AUDIT-STEPS", FIRST, self.blocks.length, n),),
        )

    def folds(self) -> Callable[..., Any]:
        """Stand for ``fold``: over the blocks, then twice over the senders."""
        noting = Induction(lambda _, n: so_far(n, PASSED.notes), lambda: "places")
        loops = iter(
            (
                (self.blocks, self.along(AT, PASSED.audits)),
                (self.senders, noting),
                (self.senders, self.along(MET, PASSED.meets)),
            )
        )

        def fold(step: Any, init: Any, items: Any) -> Any:
            expected, induction = next(loops)
            claim("over the blocks, then twice over the senders", items is expected)
            return induction(step, init, items)

        return fold

    def to_itself(self, found: Iterator[Any]) -> Any:
        """Stand for ``tuple``: own blocks, if they are kept."""
        kept = list(found)
        claim("own blocks", all(one.place is self.blocks.place for one in kept))
        return Several("own") if kept else ()

    def by_place(self, items: Any, key: Any) -> Pieces:
        """Stand for ``sorted``."""
        claim("all evidence, by place", key is place_of and items in [("evidence",), ("evidence", "own")])
        kept = z3.BoolVal("own" in items)
        claim("own blocks with a message to the chain", kept == term(self.message.recipient == self.chain_id))
        return self.senders


@proof("AUDIT-CHAIN")
def whole_audit(given: Given) -> Iterator[Query]:
    """Run the audit on any number of blocks: along each fold, every step passes, and leads from state to state."""

    def run() -> None:
        audit, hashed = Audit.arbitrary(given), unknown(HASHED, "hashed")
        names = {
            "audit_start": audit.begin,
            "audit_block": audit.audit,
            "tuple": audit.to_itself,
            "any": lambda found: bool(next(found)),
            "all": called("one message is enough", False),
            "sorted": audit.by_place,
            "own_places": audit.own_places,
            "audit_evidence": audit.note,
            "audit_sender_block": audit.meet,
            "owed_messages": audit.owed,
            "check_sent": audit.check,
            "hashed_state": called("the last state is hashed", hashed, audit.last.consistent),
            "fold": audit.folds(),
        }
        whole: Any = with_callees(audit_chain, **names)
        outcome = attempt(whole, audit.context, audit.chain_id, "origin", audit.blocks, Several("evidence"))
        claim("the contract", said("AUDIT-CHAIN", PASSED, audit.blocks.length, audit.senders.length, ANY))
        claim("the last state", outcome.state.term == MET(audit.senders.length))
        claim_established(outcome.outputs, audit.chain_id, audit.last.consistent, hashed)

    yield from lifted("audit a chain", run)


def claim_established(outputs: Any, chain_id: Any, part: Any, hashed: Any) -> None:
    """Claim that an audit says what its last state says."""
    (found,) = outputs
    shown = (found.chain_id, found.next_height, found.block_hash, found.owner)
    expected = (chain_id, part.next_height, part.block_hash, part.owner)
    claim("what the last state says", all(a is b for a, b in zip(shown, expected, strict=True)))
    claim("and its hash", term(found.state_hash) == STATE_HASH(HASHED.pack(hashed)))

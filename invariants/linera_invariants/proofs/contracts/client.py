"""Clients: what their strategies hand over next, and that it brings a node closer to the goal.

Identifiers are sequences of any length, and what two nodes say of chains are two functions of which nothing else is
known. The strategies recurse on the parent: there they are summarised by the very statement about them, for the
shorter identifier.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final

import z3
from attrs import define, field, frozen

from linera_invariants.proofs.cells import CellTerms, Option, RequestTerms, Words, allows
from linera_invariants.proofs.codecs import BYTES, INTEGERS, Codec, records, unknown
from linera_invariants.proofs.lifted import lifted, with_callees
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import SInt, assume, attempt, claim, conj, decide, fresh, reach, term
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_invariants.proofs.twins import SMap, forall
from linera_reference.certificate import Aggregate, Vote, VotePayload, add_vote, form_certificate
from linera_reference.chain import Chain, Consistent, Localized
from linera_reference.client import (
    Goal,
    LocalNode,
    collect,
    is_reached,
    measure,
    next_transfer,
    next_transfer_for_messages,
    try_vote,
)
from linera_reference.committee import quorum_threshold
from linera_reference.notation import MAX_U64
from linera_reference.outbox import schedule
from linera_reference.rejections import Reason, Rejected
from linera_reference.rules import QuorumRule
from linera_reference.validator import ChainInfo, Validator

from .certificate import EXECUTED as ATOMIC
from .certificate import PAYLOADS, Votes, looked_up, the_context, verifies
from .chain import EXECUTED, HASHES, HEIGHTS, OUTBOXES, WORDS, option, part_of, sealed, terms_of_request
from .chain import terms_of as terms_of_cell
from .committee import NOBODY, SETS, VALIDATORS, insert, right, weight_of
from .handlers import CHOSEN, Call, call_certificate, call_request
from .identifiers import IDENTIFIERS, SSequence, any_identifier
from .mailboxes import opaque
from .owners import ALLOWED
from .rounds import VERIFIES, is_repeated

INFO: Final = records(ChainInfo, ("owner", HASHES), ("block_hash", HASHES))
BRIEF: Final = records(ChainInfo, ("owner", HASHES), ("block_hash", HASHES), ("creation_height", sealed(HEIGHTS)))
"""Of a node behind, no strategy asks for the creation height."""


# --- What nodes say ----------------------------------------------------------------------------------------------


@frozen(eq=False)
class ViewTerms:
    """What a node says of a chain, as terms: created or not, its next height, the height that created it."""

    created: Callable[[Any], z3.BoolRef]
    next_height: Callable[[Any], z3.ArithRef]
    creation: Callable[[Any], Option]


@frozen(eq=False)
class SView:
    """What a node says of any chain: a function of which nothing is known."""

    name: str
    codec: Codec

    def __call__(self, chain_id: Any) -> ChainInfo:
        """Answer for one chain."""
        packed = self.info(chain_id.term)
        assume(self.codec.valid(packed))
        info: ChainInfo = self.codec.unpack(packed)
        return info

    def info(self, chain: Any) -> Any:
        """Return the packed answer."""
        return z3.Function(self.name, IDENTIFIERS, self.codec.sort)(chain)

    @property
    def terms(self) -> ViewTerms:
        """The answers in the words of the contracts."""

        def part(name: str) -> Callable[[Any], Any]:
            return lambda chain: part_of(self.codec, ChainInfo, name)(self.info(chain))

        creation = part("creation_height")
        return ViewTerms(part("created"), part("next_height"), lambda chain: option(creation(chain)))


BEHIND, LATER = SView("behind", BRIEF), SView("later", BRIEF)
AHEAD: Final = SView("ahead", INFO)


def has_parent(chain: Any) -> z3.BoolRef:
    """An identifier of more than one number has a parent."""
    return z3.Length(chain) > 1


def parent_of(chain: Any) -> Any:
    """Return all numbers but the last."""
    return z3.SubSeq(chain, 0, z3.Length(chain) - 1)


def is_there(view: ViewTerms, chain: Any, height: Any) -> z3.BoolRef:
    """A chain is created, and has so many blocks."""
    return conj(view.created(chain), view.next_height(chain) >= height)


@formula("TRUE-VIEWS")
def views_are_true(behind: ViewTerms, ahead: ViewTerms, chain: Any) -> z3.BoolRef:
    """Say of a chain that was created ahead: its creating block is there too, or it is created everywhere."""
    creation, origin = ahead.creation(chain), parent_of(chain)
    made = conj(creation.present, has_parent(chain), is_there(ahead, origin, creation.value + 1), creation.value >= 0)
    return z3.Implies(ahead.created(chain), z3.Or(made, behind.created(chain)))


@formula("VIEWS-GROW")
def grows(behind: ViewTerms, later: ViewTerms, chain: Any) -> z3.BoolRef:
    """What is created stays created, and heights do not fall."""
    created = z3.Implies(behind.created(chain), later.created(chain))
    return conj(created, later.next_height(chain) >= behind.next_height(chain))


# --- Synchronisation ---------------------------------------------------------------------------------------------


@frozen(eq=False)
class Work:
    """What the strategy says of a goal: what to hand over, for the sake of which chain, and what is missing.

    ``left`` is the measure now, ``later`` the measure of the node behind at a later time.
    """

    transfer: Option
    height: z3.ArithRef
    child: z3.SeqRef
    left: tuple[Any, ...]
    later: tuple[Any, ...]


@frozen(eq=False)
class Views:
    """A node behind, now and later, and a node ahead."""

    behind: ViewTerms
    later: ViewTerms
    ahead: ViewTerms


def is_missing(v: Views, chain: Any, height: Any) -> z3.BoolRef:
    """The node behind lacks the block at its next height, which the node ahead has."""
    return height == v.behind.next_height(chain)


def creates_missing(v: Views, chain: Any, height: Any, child: Any) -> z3.BoolRef:
    """The block, which is there, creates a chain that is not there yet."""
    made = conj(has_parent(child), parent_of(child) == chain, v.ahead.creation(child).holds(height))
    return conj(height < v.behind.next_height(chain), made, z3.Not(v.behind.created(child)), v.ahead.created(child))


def has_effect(v: Views, work: Work) -> z3.BoolRef:
    """The node behind executed the block, or created the chain for whose sake it got the block again."""
    chain, height = work.transfer.value, work.height
    executed = v.later.next_height(chain) > height
    return z3.If(is_missing(v, chain, height), executed, v.later.created(work.child))


@formula("SYNCHRONISATION")
def synchronises(v: Views, chain: Any, height: Any, work: Work) -> z3.BoolRef:
    """Say what the strategy does for a goal that the node ahead has reached."""
    reached = is_there(v.behind, chain, height)
    place, at, left, later = work.transfer.value, work.height, work.left, work.later
    useful = z3.Or(is_missing(v, place, at), creates_missing(v, place, at, work.child))
    proposed = conj(v.behind.created(place), at >= 0, at < v.ahead.next_height(place), v.ahead.created(place), useful)
    lower = z3.Implies(has_effect(v, work), later[0] + later[1] < left[0] + left[1])
    done = conj(*(number == 0 for number in left))
    counted = conj(*(number >= 0 for number in (*left, *later)), left[1] <= z3.Length(chain), z3.Implies(done, reached))
    progress = conj(
        work.transfer.present == z3.Not(reached),
        z3.Implies(work.transfer.present, conj(proposed, lower)),
        *(b <= a for a, b in zip(left, later, strict=True)),
        z3.Implies(reached, done),
    )
    return conj(counted, z3.Implies(is_there(v.ahead, chain, height), progress))


@define(eq=False)
class Recursion:
    """The strategies for the goal of the parent, summarised by the statement for its shorter identifier."""

    views: Views
    goal: Any
    found: Work | None = None
    asked: list[Any] = field(factory=list)

    def work(self, goal: Goal) -> Work:
        """Return what the statement says of the parent's goal, the same however often it is asked."""
        self.asked.append(goal)
        if self.found is None:
            (parent, _), (chain, _) = terms_of(goal), terms_of(self.goal)
            claim("it recurses on a shorter identifier", z3.Length(parent) < z3.Length(chain))
            self.found = any_work()
            assume(said("SYNCHRONISATION", self.views, *terms_of(goal), self.found))
        first, same = terms_of(self.asked[0]), terms_of(goal)
        claim("all of them recurse on one goal", conj(*(a == b for a, b in zip(first, same, strict=True))))
        return self.found

    def next_transfer(self, behind: SView, ahead: SView, goal: Goal) -> Any:
        """Stand for the recursive call."""
        claim("it recurses on the same nodes", behind is BEHIND and ahead is AHEAD)
        work = self.work(goal)
        found = (SSequence(work.transfer.value), SInt(work.height))
        return found if decide(work.transfer.present) else None

    def measure(self, behind: SView, ahead: SView, goal: Goal) -> Any:
        """Stand for the recursive call, now or later."""
        claim("it measures against the same node", ahead is AHEAD)
        work = self.work(goal)
        return tuple(SInt(number) for number in (work.left if behind is BEHIND else work.later))


def terms_of(goal: Goal) -> tuple[Any, Any]:
    """Return a goal as terms."""
    chain: Any = goal.chain_id
    return chain.term, term(goal.height)


def any_goal() -> Goal:
    """Return any goal."""
    goal = Goal(any_identifier("goal"), unknown(HEIGHTS, "height"))
    assume(z3.Length(terms_of(goal)[0]) >= 1)
    return goal


def any_work() -> Work:
    """Return any answers of the strategies, in a run."""
    return work_named(fresh)


def constant_work() -> Work:
    """Return any answers of the strategies, outside of runs."""
    return work_named(z3.Const)


def work_named(constant: Callable[[str, z3.SortRef], Any]) -> Work:
    """Return any answers of the strategies, each a constant."""
    parts = ((f"{part}_{when}" for part in ("blocks", "chains")) for when in ("now", "later"))
    now, later = (tuple(constant(name, z3.IntSort()) for name in names) for names in parts)
    transfer = Option(constant("has_transfer", z3.BoolSort()), constant("transfer", IDENTIFIERS))
    return Work(transfer, constant("transfer_height", z3.IntSort()), constant("child", IDENTIFIERS), now, later)


def least(one: Any, other: Any) -> SInt:
    """Stand for ``min`` of two numbers; no path forks on which one it is."""
    return SInt(z3.If(term(one) <= term(other), term(one), term(other)))


def greatest(one: Any, other: Any) -> SInt:
    """Stand for ``max`` of two numbers."""
    return SInt(z3.If(term(one) >= term(other), term(one), term(other)))


@proof("SYNCHRONISATION")
def synchronisation(given: Given) -> Iterator[Query]:
    """Run the three strategies on one goal, with the recursion summarised."""
    views = Views(BEHIND.terms, LATER.terms, AHEAD.terms)

    def run() -> None:
        goal = any_goal()
        chain, height = terms_of(goal)
        assume(given("TRUE-VIEWS", views.behind, views.ahead, chain))
        recursion = Recursion(views, goal)
        transfer = with_callees(next_transfer, next_transfer=recursion.next_transfer, min=least)(BEHIND, AHEAD, goal)
        now, later = (
            with_callees(measure, measure=recursion.measure, max=greatest)(view, AHEAD, goal)
            for view in (BEHIND, LATER)
        )
        work = work_of(goal, recursion, transfer, now, later)
        grown = (given("VIEWS-GROW", views.behind, views.later, c) for c in (chain, work.transfer.value, work.child))
        assume(conj(*grown))
        claim("what the strategies do", said("SYNCHRONISATION", views, chain, height, work))
        claim(
            "it decides whether the goal is reached",
            term(is_reached(BEHIND, goal)) == is_there(views.behind, chain, height),
        )
        if transfer is not None:
            reach("something is handed over")

    yield from lifted("strategies", run)


def work_of(goal: Goal, recursion: Recursion, transfer: Any, *measures: Any) -> Work:
    """Return what the strategies answered, and for the sake of which chain: the goal's, or one on the way to it."""
    chain, found = terms_of(goal)[0], recursion.found
    place, height = (chain, term(0)) if transfer is None else (transfer[0].term, term(transfer[1]))
    child = found.child if found is not None and place is found.transfer.value else chain
    left, later = (tuple(term(number) for number in pair) for pair in measures)
    return Work(Option(z3.BoolVal(transfer is not None), place), height, child, left, later)


@formula("MESSAGES-AGAIN")
def hands_over_again(v: Views, chain: Any, height: Any, place: Any, at: Any) -> z3.BoolRef:
    """Say what is handed over for messages: what the goal still needs, at the end its last block once more."""
    last = conj(place == chain, at == height - 1, at < v.behind.next_height(chain), v.behind.created(chain))
    needed = conj(v.behind.created(place), at <= v.behind.next_height(place), at < v.ahead.next_height(place))
    there = conj(height >= 1, is_there(v.ahead, chain, height))
    return z3.Implies(there, conj(at >= 0, z3.If(is_there(v.behind, chain, height), last, needed)))


@proof("MESSAGES-AGAIN")
def messages_again(given: Given) -> Iterator[Query]:
    """Run the strategy, with what it calls summarised."""
    views = Views(BEHIND.terms, LATER.terms, AHEAD.terms)

    def transfer(behind: SView, ahead: SView, goal: Goal) -> Any:
        claim("it asks for its own goal", behind is BEHIND and ahead is AHEAD)
        work = any_work()
        assume(given("SYNCHRONISATION", views, *terms_of(goal), work))
        found = (SSequence(work.transfer.value), SInt(work.height))
        return found if decide(work.transfer.present) else None

    def run() -> None:
        goal = any_goal()
        place, at = with_callees(next_transfer_for_messages, next_transfer=transfer)(BEHIND, AHEAD, goal)
        claim("what the strategy does", said("MESSAGES-AGAIN", views, *terms_of(goal), place.term, term(at)))
        reach("something is handed over")

    yield from lifted("next_transfer_for_messages", run)


# --- What a validator accepts ------------------------------------------------------------------------------------


def refused(reason: Reason) -> z3.BoolRef:
    """Whether a summarised callee rejects: the choice of :func:`may_reject`."""
    return z3.Bool(f"rejects with {reason.name}")


@formula("SCHEDULE-ACCEPTS")
def schedules(height: Any, is_refused: Any) -> z3.BoolRef:
    """Say that scheduling is refused at the last height only."""
    return z3.Implies(is_refused, height == MAX_U64)


@proof("SCHEDULE-ACCEPTS")
def scheduling(_: Given) -> Iterator[Query]:
    """Run it on an arbitrary outbox."""

    def run() -> None:
        outbox, height = OUTBOXES.unpack(fresh("outbox", OUTBOXES.sort)), unknown(HEIGHTS, "height")
        outcome = attempt(schedule, outbox, height)
        claim("the one refusal", said("SCHEDULE-ACCEPTS", term(height), z3.BoolVal(isinstance(outcome, Rejected))))

    yield from lifted("schedule", run)


def may_commit(w: Words, before: CellTerms, executed: Any, verified: z3.BoolRef, runs: z3.BoolRef) -> z3.BoolRef:
    """Say when a certificate is accepted; ``runs`` is that the block executes on this very chain, inboxes included."""
    block = w.block_of(executed)
    height = w.height_of(block)
    on_top = conj(height == before.next_height, height < MAX_U64, w.previous_of(block).equals(before.tip))
    again = conj(runs, executed == w.executed(before.rest, block))
    new = conj(w.owner_of(before.rest).present, on_top, verified, again)
    return conj(w.is_created(before.rest), z3.Or(height < before.next_height, new))


@formula("CERTIFICATE-ACCEPTED")
def commits_if_it_may(is_accepted: Any, *terms: Any) -> z3.BoolRef:
    """Say that a certificate that may be accepted is."""
    return z3.Implies(may_commit(*terms), is_accepted)


@proof("CERTIFICATE-ACCEPTED")
def acceptable_certificates(given: Given) -> Iterator[Query]:
    """Run the handler on an arbitrary cell and certificate: what it rejects is not acceptable."""

    def run() -> None:
        call = call_certificate(given)
        outcome = call.handle(call.chain)
        executed = EXECUTED.pack(call.item.executed)
        verified, runs = (z3.Not(refused(why)) for why in (Reason.CERTIFICATE_REQUIRES_QUORUM, Reason.USER_ERROR))
        height = WORDS.height_of(WORDS.block_of(executed))
        assume(given("SCHEDULE-ACCEPTS", height, refused(Reason.ARITHMETIC)))
        accepted, terms = (
            not isinstance(outcome, Rejected),
            (WORDS, terms_of_cell(call.chain), executed, verified, runs),
        )
        claim("nothing acceptable is rejected", said("CERTIFICATE-ACCEPTED", z3.BoolVal(accepted), *terms))

    yield from lifted("handle_certificate", run)


def may_propose(w: Words, before: CellTerms, request: RequestTerms) -> z3.BoolRef:
    """Say that a request may extend the chain: an owner signed it, and it is on top of the last block."""
    block, owner = request.block, w.owner_of(before.rest)
    height = w.height_of(block)
    by_owner = conj(w.is_created(before.rest), owner.present, w.owns(owner.value, request.owner), request.authentic)
    return conj(by_owner, height == before.next_height, height < MAX_U64, w.previous_of(block).equals(before.tip))


def may_vote(w: Words, before: CellTerms, request: RequestTerms, is_first: z3.BoolRef, runs: z3.BoolRef) -> z3.BoolRef:
    """Say when a request of a single owner is accepted.

    ``is_first`` is that its round is 0 and nothing justifies it, ``runs`` that the block is valid here.
    """
    pending, single = before.pending, z3.Not(w.several(w.owner_of(before.rest).value))
    free = z3.If(pending.present, w.block_of(pending.value) == request.block, runs)
    return conj(may_propose(w, before, request), single, is_first, free)


@formula("REQUEST-ACCEPTED")
def votes_if_it_may(is_accepted: Any, *terms: Any) -> z3.BoolRef:
    """Say that a request of a single owner that may be accepted is."""
    return z3.Implies(may_vote(*terms), is_accepted)


def may_validate(
    w: Words, before: CellTerms, request: RequestTerms, in_turn: z3.BoolRef, runs: z3.BoolRef
) -> z3.BoolRef:
    """Say when a request of several owners is accepted.

    ``in_turn`` is that the application lets the owner propose and that a justification verifies, ``runs`` that the
    block is valid here.
    """
    several = w.several(w.owner_of(before.rest).value)
    new = conj(allows(w, before, request), runs)
    return conj(may_propose(w, before, request), several, in_turn, z3.Or(is_repeated(w, before, request), new))


@formula("PROPOSAL-ACCEPTED")
def validates_if_it_may(is_accepted: Any, *terms: Any) -> z3.BoolRef:
    """Say that a request of several owners that may be accepted is."""
    return z3.Implies(may_validate(*terms), is_accepted)


def request_handled(given: Given) -> tuple[tuple[Any, ...], z3.BoolRef, Call]:
    """Give an arbitrary request to the handler; return the terms, whether the block is valid, and the call."""
    call = call_request(given)
    outcome = call.handle(call.chain)
    runs = conj(*(z3.Not(refused(why)) for why in (Reason.USER_ERROR, Reason.MISSING_CROSS_CHAIN_UPDATE)))
    accepted = z3.BoolVal(not isinstance(outcome, Rejected))
    return (accepted, WORDS, terms_of_cell(call.chain), terms_of_request(call.item)), runs, call


@proof("REQUEST-ACCEPTED")
def acceptable_requests(given: Given) -> Iterator[Query]:
    """Run the handler on an arbitrary cell and request: what it rejects is not acceptable."""

    def run() -> None:
        terms, runs, _ = request_handled(given)
        is_first = conj(terms[-1].round == 0, z3.Not(terms[-1].justification.present))
        claim("nothing acceptable is rejected", said("REQUEST-ACCEPTED", *terms, is_first, runs))

    yield from lifted("handle_request", run)


@proof("PROPOSAL-ACCEPTED")
def acceptable_proposals(given: Given) -> Iterator[Query]:
    """Run the handler on an arbitrary cell and request: what it rejects is not acceptable."""

    def run() -> None:
        terms, runs, call = request_handled(given)
        owner = WORDS.owner_of(terms[2].rest).value
        chosen = CHOSEN(term(call.chain.chain_id), term(call.chain.consistent.state))
        verifies = VERIFIES(option(term(call.item.justification)).value)
        in_turn = ALLOWED(owner, chosen, terms[-1].owner)
        in_turn = conj(in_turn, z3.Implies(terms[-1].justification.present, verifies))
        claim("nothing acceptable is rejected", said("PROPOSAL-ACCEPTED", *terms, in_turn, runs))

    yield from lifted("handle_request", run)


# --- Votes -------------------------------------------------------------------------------------------------------

HEARD: Final = z3.Const("heard", SETS)
"""The validators of which a sound vote was handed in so far: a member's, on the payload, with a genuine signature."""


@formula("COLLECT")
def ends_at_quorum(heard: Any, threshold: Any, has_ended: Any) -> z3.BoolRef:
    """Say that the strategy has ended, with a certificate, if the sound voters are a quorum."""
    return z3.Implies(conj(weight_of(heard) > 0, weight_of(heard) >= threshold), has_ended)


def gathers(heard: Any, votes: SMap) -> z3.BoolRef:
    """Say that everybody of whom a sound vote was handed in is gathered."""
    return forall((VALIDATORS,), lambda v: z3.Implies(heard[v], votes.present[v]))


@define(eq=False)
class Gathering:
    """What ``collect`` calls, in one turn of its loop, with votes that were gathered before."""

    given: Given
    votes: SMap
    heard: Any = HEARD

    def aggregate(self, payload: VotePayload) -> Aggregate:
        """Stand for the start of the loop: what was gathered in the turns before."""
        gathered: Any = self.votes
        return Aggregate(payload, gathered)

    def form_certificate(self, committee: Any, aggregate: Aggregate, executed: Any, rule: QuorumRule) -> Any:
        """Look at what was gathered by now, and form a certificate of it."""
        votes: Any = aggregate.signatures
        claim("every sound voter is gathered", gathers(self.heard, votes))
        form = with_callees(form_certificate, combined_weight=self.combined, sorted=list_of, tuple=list_of)
        return form(committee, aggregate, executed, rule)

    def combined(self, _: Any, votes: SMap) -> SInt:
        """Stand for ``combined_weight``: at least what the sound voters weigh."""
        found: SInt = unknown(INTEGERS, "combined")
        assume(self.given("COMBINED-WEIGHT", found.term, votes.present))
        assume(self.given("WEIGHT-LAW", self.heard, NOBODY, votes.present, NOBODY))
        return found


def list_of(votes: Any) -> Any:
    """Stand for a list of votes, which nobody reads here."""
    return votes


@proof("COLLECT")
def collecting(given: Given) -> Iterator[Query]:
    """Run one turn of the loop, on an arbitrary vote, after any number of turns that ended without a certificate."""

    def run() -> None:
        gathering = Gathering(given, Votes.unknown(BYTES, BYTES, "votes"))
        assume(gathers(HEARD, gathering.votes))
        context, vote, blank, here = the_context(), unknown(records(Vote), "vote"), Validator(), (0,)
        executed, value = unknown(ATOMIC, "executed"), unknown(records(VotePayload), "payload")
        kind, round = object(), object()
        part, local = Consistent(**opaque(Consistent)), Localized(**opaque(Localized))
        ballot = (kind, executed, round) if decide(fresh("stands for something", z3.BoolSort())) else None
        gathering.heard = heard_with(vote, value)

        def standing_ballot(*asked: Any) -> Any:
            claim("what the local node stands for", asked == (part.owner, local.pending, local.rounds))
            return ballot

        turn = with_callees(
            collect,
            chain_of=lambda *place: Chain(here, part, local) if place == (blank, here) else None,
            standing_ballot=standing_ballot,
            payload_of=lambda *what: value if what == (context, executed, kind, round) else None,
            Aggregate=gathering.aggregate,
            try_vote=with_callees(try_vote, add_vote=with_callees(add_vote, weight=looked_up(given))),
            form_certificate=gathering.form_certificate,
        )
        certificate = turn(context, LocalNode(blank), here, (vote,))
        if ballot is None:
            claim("where it stands for nothing, nothing is formed", certificate is None)
            return
        threshold = term(quorum_threshold(context.committee.total, context.rules.quorum))
        ended = said("COLLECT", gathering.heard, threshold, z3.BoolVal(certificate is not None))
        claim("it ends with the vote that completes a quorum", ended)
        if certificate is not None:
            claim("the certificate is on the block that it stands for", certificate.executed is executed)

    yield from lifted("one more vote", run)
    nobody = SMap(BYTES, BYTES, NOBODY, z3.Const("values", z3.ArraySort(BYTES.sort, BYTES.sort)))
    yield Query("at first", (), gathers(NOBODY, nobody))


def heard_with(vote: Vote, payload: VotePayload) -> Any:
    """Return who was heard, with the voter if the vote is sound."""
    who, value = term(vote.validator), PAYLOADS.pack(payload)
    genuine = conj(PAYLOADS.pack(vote.payload) == value, verifies(who, value, term(vote.signature)))
    return z3.If(conj(genuine, right(who) > 0), insert(HEARD, who), HEARD)

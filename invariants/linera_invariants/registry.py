"""The predicates of the statements: registered by name, checked on worlds and on steps, described by data.

A statement is a sentence in ``spec/statements/statements.toml``; its predicates are code (:mod:`.predicates`). A
predicate has a *scope*: what part of a world it is asked about. Checking a world asks about every part; checking a
step asks only about the parts that the step changed, since a predicate of that scope reads nothing else that could
have become worse.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator
from functools import cache
from importlib import import_module
from typing import Any, Literal, TypeAlias, TypeVar

from attrs import frozen
from immutables import Map

from linera_reference.certificate import Certificate, Vote
from linera_reference.encoding import encode
from linera_reference.network import Network, World
from linera_reference.rejections import Accepted

from .clauses import Statement, read_statements
from .driver import Step
from .specdata import spec_root
from .views import changed_cells, changed_validators, others

Scope: TypeAlias = Literal["state", "validator", "cell", "pair", "certificate", "vote", "step", "goal"]


@frozen
class Violation:
    """A statement that does not hold: which, how, and the values that show it."""

    statement: str
    detail: str
    data: Any = None


Function: TypeAlias = Callable[..., Iterable[Violation]]
F = TypeVar("F", bound=Function)


@frozen
class Predicate:
    """A formal predicate.

    After ``network``, its function takes, by scope:

    * ``state`` world: a fact of the whole world;
    * ``validator`` world, key: a fact of one correct validator;
    * ``cell`` world, cell: a fact of one chain at one correct validator;
    * ``pair`` world, cell, other: a fact of one chain at two correct validators;
    * ``certificate`` world, certificate: a fact of one certificate, confirmed or validated, compared with others and
      with what was sent;
    * ``vote`` world, vote: a fact of one vote, compared with others;
    * ``step`` before, step, after: a fact of one step;
    * ``goal`` world: liveness; runs the clients' strategies from this world and must reach the goal.

    A predicate reads only the parts that its scope names, so that the explorer can ask it about parts alone:

    * ``validator``, ``cell``, ``vote``: that validator with its internal requests and its votes; all requests and
      certificates;
    * ``pair``: the two cells, and all certificates;
    * ``certificate``: all requests and certificates of both kinds, who voted for this one and for those of other
      executed blocks at its place, and who is correct;
    * ``step``: the validator that acts, before and after; all requests and certificates;
    * ``state``, ``goal``: anything.
    """

    name: str
    scope: Scope
    function: Function

    @property
    def statement(self) -> str:
        """The statement that the predicate belongs to: its name up to the dot."""
        return self.name.partition(".")[0]


_PREDICATES: dict[str, Predicate] = {}


def predicate(name: str, scope: Scope = "state") -> Callable[[F], F]:
    """Register a function as a predicate; further ones of one statement are named ``S1.part``."""

    def register(function: F) -> F:
        if name in _PREDICATES:
            raise ValueError(f"the predicate {name} is registered twice")
        _PREDICATES[name] = Predicate(name, scope, function)
        return function

    return register


@cache
def predicates() -> dict[str, Predicate]:
    """Return all predicates, ordered by statement."""
    import_module(f"{__package__}.predicates")
    return dict(sorted(_PREDICATES.items(), key=lambda item: _order(item[0])))


def _order(name: str) -> tuple[str, int, str]:
    statement, _, part = name.partition(".")
    return statement[0], int(statement[1:]), part


# --- Checking ----------------------------------------------------------------------------------------------------

Names: TypeAlias = Container[str] | None
"""Names of statements or predicates; ⊥ means all."""


def chosen(names: Names, *scopes: Scope) -> Iterator[Predicate]:
    """Walk the predicates of some scopes."""
    for found in predicates().values():
        if found.scope in scopes and (names is None or found.name in names or found.statement in names):
            yield found


def check_state(network: Network, world: World, names: Names = None) -> list[Violation]:
    """Judge a world in full."""
    return _check(network, world, _everything(world), names, Counter())


def check_step(
    network: Network,
    before: World,
    step: Step,
    after: World,
    names: Names = None,
    counts: Counter[str] | None = None,
) -> list[Violation]:
    """Judge a step, and the world after it where the step changed it.

    ``counts`` is told, per statement, about how many parts its predicates were asked.
    """
    counts = Counter() if counts is None else counts
    found = _check(network, after, _changes(before, step, after), names, counts) if after is not before else []
    for judge in chosen(names, "step"):
        counts[judge.statement] += 1
        found += judge.function(network, before, step, after)
    return found


def check_goals(network: Network, world: World, names: Names = None) -> list[Violation]:
    """Judge liveness from a world: every goal must be reached within its bound."""
    return [violation for goal in chosen(names, "goal") for violation in goal.function(network, world)]


Parts: TypeAlias = dict[Scope, list[tuple[Any, ...]]]
"""For each scope, the parts of a world to ask about, as further arguments of a predicate."""


def _check(network: Network, world: World, parts: Parts, names: Names, counts: Counter[str]) -> list[Violation]:
    found: list[Violation] = []
    for judge in chosen(names, *parts):
        counts[judge.statement] += len(parts[judge.scope])
        for part in parts[judge.scope]:
            found += judge.function(network, world, *part)
    return found


def _everything(world: World) -> Parts:
    return {
        "state": [()],
        "validator": [(key,) for key in sorted(world.validators)],
        "cell": [(cell,) for cell in changed_cells(None, world)],
        "pair": [(cell, other) for cell in changed_cells(None, world) for other in others(world, cell)],
        "certificate": [(certificate,) for certificate in _new_certificates(World(Map()), world)],
        "vote": [(vote,) for vote in world.votes],
    }


def _changes(before: World, step: Step, after: World) -> Parts:
    return {
        "state": [()],
        "validator": [(key,) for key in changed_validators(before, after)],
        "cell": [(cell,) for cell in changed_cells(before, after)],
        "pair": [(cell, other) for cell in changed_cells(before, after) for other in others(after, cell)],
        "certificate": [(certificate,) for certificate in _new_certificates(before, after)],
        "vote": [(vote,) for vote in _outputs(step) if isinstance(vote, Vote) and not before.votes.contains(vote)],
    }


def _new_certificates(before: World, after: World) -> list[Certificate]:
    """Return the certificates of both kinds that were formed between two worlds."""
    confirmed = _added(before.certificates, after.certificates)
    return sorted([*confirmed, *_added(before.validated, after.validated)], key=encode)


def _added(old: Map[Any, Certificate], new: Map[Any, Certificate]) -> list[Certificate]:
    return [] if old is new else [found for key, found in new.items() if old.get(key) != found]


def _outputs(step: Step) -> tuple[Any, ...]:
    return step.outcome.outputs if isinstance(step.outcome, Accepted) else ()


# --- Statements --------------------------------------------------------------------------------------------------


@cache
def statements() -> dict[str, Statement]:
    """Read the statements, in the order of the file."""
    root = spec_root()
    return {statement.id: statement for statement in read_statements(root, root / "statements" / "statements.toml")}


def is_claim(statement: Statement) -> bool:
    """Whether a statement is derived from others instead of being judged itself."""
    return statement.kind == "claim"


def disagreements() -> list[str]:
    """Compare the predicates with the statements; return what does not fit together."""
    known, judged = statements(), {judge.statement for judge in predicates().values()}
    stated = {name for name, statement in known.items() if not is_claim(statement)}
    problems = [f"{name}: no such statement" for name in sorted(judged - stated)]
    problems += [f"{name}: no predicate judges this statement" for name in sorted(stated - judged)]
    for name, statement in known.items():
        problems += [f"{name}: uses {used}, which is not stated" for used in statement.uses if used not in known]
        if is_claim(statement) and not statement.uses:
            problems.append(f"{name}: a claim rests on statements, and none is listed")
    return problems

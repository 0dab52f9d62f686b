"""What the cases share: parties with fixed secrets, small values, and a short way to write cases of one operation."""

from collections.abc import Callable, Iterator
from functools import cache
from hashlib import sha3_256
from typing import Any, Final

from attrs import evolve
from immutables import Map

from linera_invariants.schemes import SCHEMES
from linera_invariants.vectors.model import Case, forms_of, last_answer
from linera_invariants.vectors.operations import perform
from linera_invariants.vectors.table import OPERATIONS
from linera_reference.block import Block, CloseChain, ExecutedBlock
from linera_reference.committee import Committee, make_committee
from linera_reference.containers import Set
from linera_reference.crypto import Signer, make_signer
from linera_reference.notation import Hash, PublicKey
from linera_reference.rejections import Reason

ED25519: Final = SCHEMES["ed25519"]
IDEAL: Final = SCHEMES["ideal"]


def secret(name: str) -> bytes:
    """Return the secret of a party."""
    return sha3_256(f"vector key::{name}".encode()).digest()


@cache
def signer(name: str, scheme: str = "ideal") -> Signer:
    """Return the key pair of a party in a scheme."""
    return make_signer(SCHEMES[scheme], secret(name))


def key(name: str, scheme: str = "ideal") -> PublicKey:
    """Return the public key of a party."""
    return signer(name, scheme).public_key


def digest(name: str) -> Hash:
    """Return a hash that stands for something that is not looked at."""
    return sha3_256(f"vector hash::{name}".encode()).digest()


def set_of(*items: Any) -> Set[Any]:
    """Return a set."""
    return Set(Map((item, True) for item in items))


def committee_of(scheme: str = "ideal", /, **weights: int) -> Committee:
    """Return a committee of named validators."""
    return make_committee((key(name, scheme), weight) for name, weight in weights.items())


def unchecked(weights: dict[str, int], total: int | None = None) -> Committee:
    """Return a committee as it would never be made, for thresholds of extreme totals."""
    table = Map((key(name), weight) for name, weight in weights.items())
    return Committee(table, sum(weights.values()) if total is None else total)


CLOSING: Final = Block((0, 1), 3, digest("previous"), (CloseChain(),))
"""A small block."""
EXECUTED: Final = ExecutedBlock(CLOSING, (), digest("state"))
"""What is certified where only votes matter."""


def caller(operation: str, *clauses: str, **fixed: Any) -> Callable[..., Case]:
    """Return a short way to write cases of one operation: name, sentence, reason, and the arguments beside ``fixed``.

    Other fields of a case are keywords with an underscore at the end: ``faults_=(…)``, ``free_=True``.
    """

    def case(name: str, sentence: str, reason: Reason | None = None, /, **changes: Any) -> Case:
        given = fixed | changes
        fields = {word.removesuffix("_"): value for word, value in given.items() if word.endswith("_")}
        arguments = {word: value for word, value in given.items() if not word.endswith("_")}
        common = {"name": name, "sentence": sentence, "clauses": clauses, "operation": operation, "reason": reason}
        return Case(arguments=arguments, **(common | fields))

    return case


def expected(outcome: Any) -> dict[str, Any]:
    """Return what a case expects: a reason, or else a result."""
    return {"reason_" if isinstance(outcome, Reason) else "gives_": outcome}


def ended(case: Case) -> Case:
    """Expect what the reference answers: of a run that was recorded, or of an enumeration."""
    called = OPERATIONS[case.operation]
    rejected = last_answer(called, perform(called, forms_of(called, case.arguments))).get("rejected")
    return evolve(case, reason=None if rejected is None else Reason[rejected])


def enumerated(case: Case) -> Case:
    """Take the answer to an enumerated input from the reference."""
    return ended(evolve(case, source="enumeration"))


def accumulated(subject: str, steps: int, *clauses: str) -> Iterator[Case]:
    """Yield accumulated vectors of a subject: few steps to find a difference, many to find a rare one."""
    call = caller("accumulate", *clauses, subject=subject, source_="accumulated")
    for count in (1, 10, 1000, steps):
        yield call(f"accumulated-{count}", f"{count} steps of {subject} from a seed.", seed=b"linera", steps=count)

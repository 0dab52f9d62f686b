"""Whom conflicting certificates or votes convict, and whom they do not (section 2.2). A vote is one signature."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import combinations
from typing import Any, Final

from attrs import evolve

from linera_invariants.schemes import SCHEMES
from linera_invariants.vectors.model import Case
from linera_reference.block import CloseChain, ExecutedBlock
from linera_reference.certificate import Certificate, Kind, VotePayload
from linera_reference.context import Context
from linera_reference.messages import OutgoingMessage, User
from linera_reference.notation import MAX_U32, PublicKey, Signature

from .stories import TOKEN
from .support import EXECUTED, caller, committee_of, digest, key, signer

ABOUT = (
    "Accountability: whom votes convict or charge, and what answers a charge. A vote is a certificate of one signature."
)

OTHER: Final = evolve(EXECUTED, state_hash=digest("another state"))
"""Another outcome at the place of EXECUTED."""
RIVAL: Final = evolve(EXECUTED, block=evolve(EXECUTED.block, transactions=()))
THIRD: Final = evolve(EXECUTED, block=evolve(EXECUTED.block, transactions=(CloseChain(),) * 3))
NEXT: Final = evolve(RIVAL, block=evolve(RIVAL.block, height=RIVAL.block.height + 1))
"""Other blocks: two at the same place, one above it."""
ALL: Final = ("v1", "v2", "v3", "v4")
FOUR: Final = committee_of(v1=1, v2=1, v3=1, v4=1)

COMMON: Final[dict[str, Any]] = {"scheme": SCHEMES["ideal"], "committee": FOUR}
convict = caller("convict", "WP-2.2-ACCOUNTABILITY", **COMMON, flags_=("GUILTY_SPARED",))
spare = caller("convict", "WP-2.2-ACCOUNTABILITY", **COMMON, flags_=("INNOCENT_CONVICTED",))


def cases() -> Iterator[Case]:
    """Yield the cases, simplest first."""
    yield from guilty()
    yield from by_weight()
    yield from quorums_of_four()
    yield from other_blocks()
    yield from rounds_and_kinds()
    yield from across_rounds()
    yield from no_conflict()
    yield from signatures()
    yield from strangers()


def votes(
    names: Iterable[str],
    executed: ExecutedBlock = EXECUTED,
    kind: Kind = Kind.CONFIRMED,
    round: int = 0,
    scheme: str = "ideal",
) -> Certificate:
    """Return a certificate with the genuine signatures of these validators."""
    payload = VotePayload(kind, SCHEMES[scheme].hash(executed), round)
    signers = [signer(name, scheme) for name in names]
    return Certificate(executed, kind, round, tuple((s.public_key, SCHEMES[scheme].sign(s, payload)) for s in signers))


def guilty() -> Iterator[Case]:
    """One validator, all of them, none of them; with both schemes."""
    one, two = votes(["v1"]), votes(["v1"], OTHER)
    yield convict("two-votes", "Two votes of one validator convict it.", one=one, two=two)
    yield convict("two-votes-turned", "Which of them comes first does not matter.", one=two, two=one)
    yield spare("votes-of-two", "One vote each convicts nobody.", one=one, two=votes(["v2"], OTHER))
    yield convict("everybody", "Who signed both certificates is guilty.", one=votes(ALL), two=votes(ALL, OTHER))
    yield convict(
        "any-order",
        "The order of the signatures does not matter.",
        one=votes(ALL),
        two=votes(reversed(ALL), OTHER),
    )
    yield spare("nobody", "Without signatures nobody is guilty.", one=votes(()), two=votes((), OTHER))
    yield convict(
        "ed25519",
        "Ed25519 signatures are verified.",
        scheme=SCHEMES["ed25519"],
        committee=committee_of("ed25519", v1=1, v2=1, v3=1, v4=1),
        one=votes(ALL[:3], scheme="ed25519"),
        two=votes(ALL[1:], OTHER, scheme="ed25519"),
    )


WEIGHTED: Final = (
    ("three-halfway", "With the quorum rule of revision H two of three may fork.", (1, 1, 1), (1, 2), (2, 3)),
    ("five", "Two quorums of five share N - 2f = 3.", (1,) * 5, (1, 2, 3, 4), (2, 3, 4, 5)),
    ("seven", "Two quorums of seven share N - 2f = 3.", (1,) * 7, (1, 2, 3, 4, 5), (3, 4, 5, 6, 7)),
    (
        "one-heavy",
        "One validator of weight N - 2f = 4 may be all that two quorums share.",
        (1, 2, 3, 4),
        (3, 4),
        (1, 2, 4),
    ),
    ("equal-weights", "Halves of equal weight share nobody.", (2, 1, 2, 1), (1, 2), (3, 4)),
    ("less-than-a-quorum", "A validator is guilty whatever the weight of the others.", (9, 1, 1), (2,), (2, 3)),
    ("largest", "Weights near the bound.", (2**61, 2**61, 2**61, 2**61 - 1), (1, 2, 3), (2, 3, 4)),
)


def by_weight() -> Iterator[Case]:
    """Signers of two certificates in committees of other weights."""
    for name, sentence, weights, ones, twos in WEIGHTED:
        one, two = votes(f"v{i}" for i in ones), votes((f"v{i}" for i in twos), OTHER)
        committee = committee_of(**{f"v{i}": weight for i, weight in enumerate(weights, 1)})
        clauses = ("WP-2.2-ACCOUNTABILITY", "WP-2.2-QUORUM-INTERSECTION")
        yield convict(f"weights-{name}", sentence, committee=committee, one=one, two=two, clauses_=clauses)


def quorums_of_four() -> Iterator[Case]:
    """Every two quorums of four: they share N - 2f = 2 or more."""
    quorums = [names for size in (3, 4) for names in combinations(ALL, size)]
    for ones, twos in combinations(quorums, 2):
        name = f"quorums-{''.join(ones)}-{''.join(twos)}".replace("v", "")
        sentence = f"The quorums {', '.join(ones)} and {', '.join(twos)} share two validators or more."
        yield convict(name, sentence, one=votes(ones), two=votes(twos, OTHER), source_="enumeration")


def other_blocks() -> Iterator[Case]:
    """Whatever makes the executed block another one at the same place."""
    block = EXECUTED.block
    for name, other in (
        ("transactions", evolve(EXECUTED, block=evolve(block, transactions=(CloseChain(), CloseChain())))),
        ("no-transactions", evolve(EXECUTED, block=evolve(block, transactions=()))),
        ("previous", evolve(EXECUTED, block=evolve(block, previous_hash=digest("another previous")))),
        ("messages", evolve(EXECUTED, messages=(OutgoingMessage((0,), User(b"")),))),
    ):
        sentence = f"Executed blocks that differ in their {name.replace('-', ' ')} conflict."
        yield convict(f"differ-in-{name}", sentence, one=votes(ALL), two=votes(ALL[:2], other))


def rounds_and_kinds() -> Iterator[Case]:
    """Which votes are twice the same vote: one kind, one round, or validated outcomes of one block."""
    clauses = ("WP-2.2-ACCOUNTABILITY", "WP-2.9-ACCOUNTABILITY")
    confirmed, validated = Kind.CONFIRMED, Kind.VALIDATED
    for label, other in (("outcome", OTHER), ("block", RIVAL)):
        for (kind, first), (kind_, second) in combinations([(k, r) for k in Kind for r in (0, 1, MAX_U32)], 2):
            both = kind is kind_ is validated and other is OTHER
            yield (convict if both else spare)(
                f"votes-{label}-{kind.name}-{first}-{kind_.name}-{second}".lower(),
                "In different rounds, only two validated outcomes of one block convict by themselves.",
                clauses_=clauses,
                one=votes(ALL, kind=kind, round=first),
                two=votes(ALL[:3], other, kind=kind_, round=second),
            )
        for kind, round_ in ((confirmed, 5), (validated, 0), (validated, MAX_U32)):
            yield convict(
                f"votes-{label}-{kind.name}-both-in-{round_}".lower(),
                "Two votes of one kind in one round convict.",
                clauses_=clauses,
                one=votes(ALL, kind=kind, round=round_),
                two=votes(ALL[:3], other, kind=kind, round=round_),
            )


# --- Across rounds -----------------------------------------------------------------------------------------------

CONTEXT: Final = Context(SCHEMES["ideal"], TOKEN, FOUR)
ALONE: Final = ("v1",)
FEW: Final = ("v3", "v4")


def across_rounds() -> Iterator[Case]:
    """Charges that stand until a validated certificate answers them."""
    call = caller("charge", "WP-2.9-ACCOUNTABILITY", context=CONTEXT)
    guilty_, innocent = (
        partial(call, flags_=("GUILTY_SPARED",)),
        partial(call, flags_=("INNOCENT_CONVICTED",), gives_=()),
    )
    confirmed = votes(ALONE, round=3)
    for name, answers, stands in (
        ("alone", (), True),
        ("answered", (lock(EXECUTED, 3),), False),
        ("too-few", (lock(EXECUTED, 3, FEW),), True),
        ("gathered", (lock(EXECUTED, 3, FEW), lock(EXECUTED, 3, ("v2",))), False),
        ("confirmed", (votes(ALL, round=3),), True),
        ("other-round", (lock(EXECUTED, 2),), True),
        ("other-block", (lock(RIVAL, 3, FEW),), True),
        ("other-height", (lock(NEXT, 3),), True),
    ):
        why = "A confirmation rests on the validated certificate of its block and round."
        yield (guilty_ if stands else innocent)(f"unfounded-{name}", why, certificates=(confirmed, *answers))
    why = "In round 0 a single owner's block is confirmed at once."
    yield innocent("unfounded-round-0", why, certificates=(votes(ALL),))
    yield innocent("validated-alone", "Votes to validate need nothing.", certificates=(lock(EXECUTED, 7),))
    yield innocent("charge-nothing", "Without votes nobody is charged.", certificates=())
    yield from broken_locks(guilty_, innocent)


def broken_locks(guilty_: Callable[..., Case], innocent: Callable[..., Case]) -> Iterator[Case]:
    """A confirmation, then a vote to validate something else."""
    base = (votes(ALONE, round=2), lock(EXECUTED, 2))
    turned = lock(RIVAL, 5, ALONE)
    for name, more, stands in (
        ("alone", (turned,), True),
        ("answered", (turned, lock(RIVAL, 3)), False),
        ("answered-last", (turned, lock(RIVAL, 4)), False),
        ("answered-too-late", (turned, lock(RIVAL, 5)), True),
        ("answered-too-early", (turned, lock(RIVAL, 1)), True),
        ("answered-by-few", (turned, lock(RIVAL, 3, FEW)), True),
        ("answered-other-block", (turned, lock(THIRD, 3)), True),
        ("answered-other-outcome", (turned, lock(evolve(RIVAL, state_hash=digest("another state")), 4)), False),
        ("own-block", (lock(EXECUTED, 5, ALONE),), False),
        ("earlier", (lock(RIVAL, 1, ALONE),), False),
        ("same-round", (lock(RIVAL, 2, ALONE),), False),
        ("other-validators", (lock(RIVAL, 5, FEW),), False),
        ("forged", (signed(turned, *((signer_, bytes(64)) for signer_, _ in turned.signatures)),), False),
        ("double-vote-comes-first", (turned, votes(ALONE, RIVAL, round=2)), True),
        ("next-height", (lock(NEXT, 5, ALONE),), False),
    ):
        why = "Who confirmed validates another block only after a later validated certificate for it."
        yield (guilty_ if stands else innocent)(f"broken-lock-{name}", why, certificates=(*base, *more))
    for name, of in (("turned", reversed), ("repeated", lambda items: items * 2)):
        why = "The order and the number of certificates do not matter."
        yield guilty_(f"broken-lock-{name}", why, certificates=tuple(of((*base, turned))))
    fork = (votes(ALL[:3], round=2), lock(EXECUTED, 2), votes(ALL[1:], RIVAL, round=4), lock(RIVAL, 4, ALL[1:]))
    why = "A fork over two rounds charges the validators that both certificates share."
    yield guilty_("fork-over-rounds", why, certificates=fork)


def lock(executed: ExecutedBlock, round: int, names: Iterable[str] = ("v2", "v3", "v4")) -> Certificate:
    """Return votes to validate."""
    return votes(names, executed, Kind.VALIDATED, round)


def no_conflict() -> Iterator[Case]:
    """Certificates that a correct validator may have signed both of."""
    block = OTHER.block
    for name, sentence, two in (
        ("same", "A certificate does not conflict with itself.", votes(ALL)),
        ("same-block", "Certificates on one executed block are one, whoever signed.", votes(ALL[1:])),
        ("same-block-other-round", "Certificates on one executed block are one, in any round.", votes(ALL, round=1)),
        ("next-height", "Another height.", votes(ALL, evolve(OTHER, block=evolve(block, height=block.height + 1)))),
        ("other-chain", "Another chain.", votes(ALL, evolve(OTHER, block=evolve(block, chain_id=(0, 2))))),
        ("parent", "A chain and its parent are two.", votes(ALL, evolve(OTHER, block=evolve(block, chain_id=(0,))))),
    ):
        yield spare(
            f"no-conflict-{name}", f"Nobody is guilty: {sentence[0].lower()}{sentence[1:]}", one=votes(ALL), two=two
        )


def signed(certificate: Certificate, *changed: tuple[PublicKey, Signature]) -> Certificate:
    """Put signatures in the place of the first ones."""
    return evolve(certificate, signatures=(*changed, *certificate.signatures[len(changed) :]))


def signatures() -> Iterator[Case]:
    """Signatures that do not verify prove nothing about the named validator."""
    for scheme in SCHEMES:
        one, two = votes(ALL, scheme=scheme), votes(ALL, OTHER, scheme=scheme)
        v1 = key("v1", scheme)
        genuine, again = two.signatures[0], votes(ALL, OTHER, round=1, scheme=scheme).signatures[0]
        common: dict[str, Any] = {
            "clauses_": ("WP-2.2-ACCOUNTABILITY", "WP-2.3-SIGN"),
            "scheme": SCHEMES[scheme],
            "committee": committee_of(scheme, v1=1, v2=1, v3=1, v4=1),
        }
        for name, sentence, wrong in (
            ("zeros", "A forged signature convicts nobody; the others are guilty.", bytes(64)),
            ("copied", "The signature on the other certificate does not verify here.", one.signatures[0][1]),
            ("borrowed", "Another validator's signature does not convict the one that is named.", two.signatures[1][1]),
            ("other-round", "A signature for another round does not verify here.", again[1]),
            ("short", "A signature that is too short does not verify.", genuine[1][:63]),
            ("long", "A signature that is too long does not verify.", genuine[1] + b"\0"),
            ("empty", "No bytes are no signature.", b""),
        ):
            yield spare(f"{scheme}-{name}", sentence, **common, one=one, two=signed(two, (v1, wrong)))
            if name == "zeros":
                turned = "A forged signature on the first certificate convicts nobody either."
                yield spare(f"{scheme}-zeros-first", turned, **common, one=signed(one, (v1, wrong)), two=two)
        repeated = evolve(two, signatures=((v1, bytes(64)), genuine, genuine))
        yield convict(f"{scheme}-repeated", "One genuine signature is enough.", **common, one=one, two=repeated)


def strangers() -> Iterator[Case]:
    """Who has no voting rights is no validator."""
    clauses = ("WP-2.2-ACCOUNTABILITY", "WP-2.2-VOTING-RIGHTS")
    for name, sentence, committee in (
        ("stranger", "Who is not of the committee is not convicted.", committee_of(v1=1, v2=1, v3=1)),
        ("no-rights", "Who is listed without voting rights is not convicted.", committee_of(v1=1, v2=1, v3=1, v4=0)),
        ("only-strangers", "Strangers alone convict nobody.", committee_of(v5=1)),
    ):
        yield spare(name, sentence, clauses_=clauses, committee=committee, one=votes(ALL), two=votes(ALL, OTHER))

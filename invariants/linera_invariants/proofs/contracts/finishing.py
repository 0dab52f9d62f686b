"""When a validated certificate is accepted."""

from collections.abc import Iterator

import z3

from linera_invariants.proofs.cells import CellTerms, VoteTerms, Words
from linera_invariants.proofs.lifted import lifted
from linera_invariants.proofs.queries import Query
from linera_invariants.proofs.symbolic import claim, conj
from linera_invariants.proofs.theorems import Given, formula, proof, said
from linera_reference.rejections import Rejected

from .chain import CERTIFICATES, WORDS, certificate_terms, terms_of
from .handlers import call_validated
from .rounds import VERIFIES


@formula("VALIDATED-ACCEPTED")
def accepts_if_it_may(
    is_accepted: z3.BoolRef, w: Words, before: CellTerms, vote: VoteTerms, verified: z3.BoolRef
) -> z3.BoolRef:
    """Say that a validated certificate on top of an open chain, in no lower round than before, is accepted.

    ``vote`` has the executed block and the round of the certificate.
    """
    block, owner, lock = w.block_of(vote.executed), w.owner_of(before.rest), before.locked
    by_owners = conj(w.is_created(before.rest), owner.present, w.several(owner.value))
    on_top = conj(w.height_of(block) == before.next_height, w.previous_of(block).equals(before.tip))
    above = z3.Implies(lock.present, z3.Or(vote.round > lock.round, lock.says(vote.executed, vote.round)))
    return z3.Implies(conj(by_owners, on_top, verified, vote.round >= before.last, above), is_accepted)


@proof("VALIDATED-ACCEPTED")
def acceptable_certificates(given: Given) -> Iterator[Query]:
    """Run the handler on an arbitrary cell and certificate: what it rejects is not acceptable."""

    def run() -> None:
        call = call_validated(given)
        outcome = call.handle(call.chain)
        new, verified = certificate_terms(call.item), VERIFIES(CERTIFICATES.pack(call.item))
        vote = VoteTerms(new.executed, new.round, z3.BoolVal(False))
        accepted = z3.BoolVal(not isinstance(outcome, Rejected))
        terms = (accepted, WORDS, terms_of(call.chain), vote, verified)
        claim("nothing acceptable is rejected", said("VALIDATED-ACCEPTED", *terms))

    yield from lifted("handle_validated", run)

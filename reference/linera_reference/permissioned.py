"""The client of a chain with several owners (section 2.9), as strategies.

The owner asks a quorum for locks and rounds, proposes the block of the highest lock or else its own in a round that a
quorum can accept, turns votes into a validated certificate and final votes into the block's certificate. Each step may
be done by another owner, or again: nothing is lost.
"""

from collections.abc import Iterable

from immutables import Map

from .block import Transaction
from .certificate import Certificate
from .chain import with_localized
from .client import LocalNode, learn, local_context, next_block
from .committee import is_quorum, weight
from .containers import fold
from .context import Context
from .crypto import Signer
from .identifiers import ChainId
from .notation import MAX_U32, PublicKey, evolve, rule, u32
from .rejections import Accepted, Reason, Rejected, require, transition, unwrap
from .request import sign_request
from .rounds import current_round
from .validator import RoundInfo, chain_of, handle_validated, put_chain, round_info


@rule("WP-2.9-LEARN-LOCK")
def learn_locks(context: Context, node: LocalNode, infos: Iterable[RoundInfo]) -> LocalNode:
    """Take over the highest lock that validators show, if it is genuine and for the next height.

    The locks of a quorum cover every block that may have been decided. Section 2.9.
    """
    shown = (info.rounds.locked for info in infos if info.rounds.locked is not None)
    locks = sorted(shown, key=lambda lock: lock.round)
    return fold(lambda node, lock: learn_lock(context, node, lock), node, locks)


@rule("WP-2.9-LEARN-LOCK")
def learn_lock(context: Context, node: LocalNode, lock: Certificate) -> LocalNode:
    """Take over a lock if a validator would that has no proposal yet; what is refused counts for nothing.

    The local node may have proposed in a later round. It did not vote, so it may still learn of earlier locks, and it
    must: the validators that hold them accept nothing else. Section 2.9.
    """
    chain = chain_of(node.validator, lock.executed.block.chain_id)
    local = chain.localized
    unasked = with_localized(chain, evolve(local, rounds=evolve(local.rounds, last=0)))
    outcome = handle_validated(local_context(context), unasked, lock, None)
    if isinstance(outcome, Rejected):
        return node
    rounds = evolve(local.rounds, locked=outcome.state.localized.rounds.locked)
    learnt = with_localized(chain, evolve(local, rounds=rounds))
    return evolve(node, validator=put_chain(node.validator, chain, learnt))


@rule("WP-2.9-CHOOSE-ROUND")
def first_free(info: RoundInfo) -> int:
    """Return the first round above all that a node accepted something in at its next height. Section 2.9."""
    seen = info.pending is not None or info.rounds.locked is not None
    return current_round(info.rounds) + 1 if seen else 0


@rule("WP-2.9-CHOOSE-ROUND")
def first_free_after(rejection: Rejected) -> int | None:
    """Return a lower bound of the first free round of a validator that refused, ⊥ if rounds were not the reason.

    Section 2.9.
    """
    match rejection:
        case Rejected(Reason.INSUFFICIENT_ROUND | Reason.HAS_LOCKED_BLOCK, int(round)) if 0 <= round <= MAX_U32:
            return round + 1
    return None


@transition
@rule("WP-2.9-CHOOSE-ROUND")
def choose_round(context: Context, node: LocalNode, chain_id: ChainId, free: Map[PublicKey, int]) -> Accepted[u32]:
    """Choose the lowest round that a quorum of those heard from accepts, and that the local node accepts.

    ``free`` has the first free round at each validator that answered. The caller leaves out who called
    a round free and did not vote in it. With no quorum heard from, it is the lowest that all of them accept.
    Rejects: ARITHMETIC (there is no such round). Section 2.9.
    """
    heard = sorted((first, weight(context.committee, key)) for key, first in free.items())

    def step(tally: tuple[int, int], said: tuple[int, int]) -> tuple[int, int]:
        chosen, votes = tally
        enough = is_quorum(context.committee, votes, context.rules.quorum)
        return tally if enough else (max(chosen, said[0]), votes + said[1])

    own = first_free(round_info(chain_of(node.validator, chain_id)))
    chosen, _ = fold(step, (own, 0), heard)
    require(chosen <= MAX_U32, Reason.ARITHMETIC, chosen)
    return Accepted(chosen)


@transition
@rule("WP-2.9-REPROPOSE", "WP-2.9-INTERRUPT", "WP-2.9-FINISH")
def propose_in_round(
    context: Context,
    node: LocalNode,
    owner: Signer,
    chain_id: ChainId,
    transactions: tuple[Transaction, ...],
    round: u32,
) -> Accepted[LocalNode]:
    """Propose in a round: the block of the highest lock known, justified by it, or else a block of these transactions.

    An own earlier proposal that was not validated is interrupted by that, safely. Outputs: the request. Rejects:
    OUT_OF_RANGE (it cannot be encoded), what ``handle_request`` rejects. Section 2.9.
    """
    chain = chain_of(node.validator, chain_id)
    lock = chain.localized.rounds.locked
    block = next_block(chain, transactions) if lock is None else lock.executed.block
    request = sign_request(context.scheme, owner, block, round, lock)
    return Accepted(unwrap(learn(context, node, request)).state, (request,))

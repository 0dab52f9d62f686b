"""The whole network as one operation: actions of the adversary, validators and clients, one after the other."""

from linera_reference.network import Action, ArchiveChain, Deliver, Network, Resend, World, initial_world, step
from linera_reference.rejections import Accepted
from linera_reference.validator import chain_of, target_of

from .forms import Form, Raw, plain
from .snapshot import digest_of_chain, output_form


def run(network: Network, actions: tuple[Action, ...]) -> Raw:
    """Take actions in turn; per action, what came out, and what is compared of the world afterwards."""
    world = initial_world(network)
    answers: list[dict[str, Form]] = []
    for action in actions:
        outcome = step(network, world, action)
        world = outcome.state if isinstance(outcome, Accepted) else world
        after = {"state": touched(world, action), "sent": sent(world)}
        if isinstance(outcome, Accepted):
            answers.append({"accepted": {"outputs": [output_form(x) for x in outcome.outputs], **after}})
        else:
            answers.append({"rejected": outcome.reason.name, "detail": plain(outcome.detail), **after})
    return answers


def touched(world: World, action: Action) -> Form:
    """Return the state digest of the chain that an action is about, where a correct validator takes it."""
    match action:
        case Deliver():
            chain_id = target_of(action.item)
        case Resend() | ArchiveChain():
            chain_id = action.chain_id
        case _:
            return None
    validator = world.validators.get(action.validator)
    return None if validator is None else digest_of_chain(chain_of(validator, chain_id))


def sent(world: World) -> Form:
    """Return how many things were ever sent."""
    counts = (
        len(world.requests),
        len(world.votes),
        len(world.certificates),
        len(world.validated),
        sum(len(items) for items in world.internal.values()),
    )
    return [str(count) for count in counts]

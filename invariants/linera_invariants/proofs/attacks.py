"""From a failed proof to an attack: the models of broken rules, explored with the rules as they are now.

Each of these models is a small network in which one broken rule is known to lead to a violation. A proof that fails
says that a rule may be broken; whether this can be reached is what the search in these networks shows.
"""

from attrs import evolve

from linera_invariants.explorer.explore import Attack, Options, explore
from linera_invariants.explorer.model import Model, read_model, shipped_models


def battlefields() -> list[Model]:
    """Return the models of broken rules, without what is broken in them; those of short attacks first."""
    models = [read_model(path) for path in shipped_models()]
    broken = sorted((m for m in models if m.mutant is not None), key=lambda m: (m.expect.depth or 0, m.name))
    return [evolve(model, title="An attack with the rules as they are", mutant=None, witnesses=()) for model in broken]


def reachable_attack() -> Attack | None:
    """Return the first attack that is found with the rules as they are; none says only that none is found there."""
    found = (explore(model, Options(quick=True)).attack for model in battlefields())
    return next((attack for attack in found if attack is not None), None)

"""Who owns a chain (sections 2.1 and 2.9): nobody (⊥), the owner of one key, or several owners.

One owner extends the chain in 1.5 round trips; ``Owners`` choose the protocol with rounds, 2.5 round trips, which one
owner alone may choose as well.
"""

from typing import TypeAlias

from attrs import frozen

from .containers import Set
from .notation import PublicKey, rule
from .rejections import Reason, require


@frozen
class Owners:
    """{pk₁, …, pkₙ}, never empty: each of them may propose, in rounds."""

    keys: Set[PublicKey]


Owner: TypeAlias = PublicKey | Owners
"""What stands in owner^id when it is not ⊥. Public chains (★) will join here."""


@rule("WP-2.9-OWNERS")
def keys_of(owner: Owner | None) -> Set[PublicKey]:
    """Return the keys that own a chain, none for ⊥. Section 2.9."""
    if isinstance(owner, Owners):
        return owner.keys
    nobody: Set[PublicKey] = Set()
    return nobody if owner is None else nobody.insert(owner)


@rule("WP-2.1-OWNER-PROPOSES", "WP-2.9-OWNERS")
def owns(owner: Owner | None, key: PublicKey) -> bool:
    """Whether a key owns a chain. Sections 2.1 and 2.9."""
    return owner.keys.contains(key) if isinstance(owner, Owners) else owner == key


@rule("WP-2.9-OWNERS")
def check_owner(owner: Owner) -> None:
    """Accept one key or a set of keys that is not empty. Rejects: EMPTY_OWNER_SET. Section 2.9."""
    require(not (isinstance(owner, Owners) and owner.keys.is_empty), Reason.EMPTY_OWNER_SET)  # ALG3-04


@rule("WP-2.9-CHANGE-OWNERS")
def add_owner(owner: Owner | None, key: PublicKey) -> Owners:
    """Let a key join the owners, who then propose in rounds; nobody is removed. Section 2.9."""
    return Owners(keys_of(owner).insert(key))  # ALG3-02


@rule("WP-2.9-CHANGE-OWNERS")
def remove_owner(owner: Owner | None, key: PublicKey) -> Owners:
    """Take a key out of the owners; one at least remains.

    Rejects: UNKNOWN_OWNER, EMPTY_OWNER_SET. Section 2.9.
    """
    require(owns(owner, key), Reason.UNKNOWN_OWNER, key)  # ALG3-03
    rest = Owners(keys_of(owner).remove(key))
    check_owner(rest)
    return rest  # ALG3-05


@rule("WP-4.6-PROPOSERS")
def may_propose(owner: Owner | None, chosen: Set[PublicKey] | None, key: PublicKey) -> bool:
    """Whether the application lets an owner propose next.

    ``chosen`` is what the application names, ⊥ when it does not restrict anybody. A choice without any owner is void,
    so no chain is left without a proposer; it says nothing to a single owner. Section 4.6.
    """
    if chosen is None or not isinstance(owner, Owners):
        return True
    return chosen.is_disjoint(owner.keys) or chosen.contains(key)

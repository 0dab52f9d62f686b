"""Who owns a chain, how owners change, and whom an application may prefer."""

from itertools import product

import pytest
from support import key, members, owner_of, refused

from linera_reference.notation import PublicKey
from linera_reference.ownership import (
    Owner,
    Owners,
    add_owner,
    check_owner,
    keys_of,
    may_propose,
    owns,
    remove_owner,
)
from linera_reference.rejections import Reason

ALICE, BOB, CAROL = (key(name) for name in ("alice", "bob", "carol"))
ONE, TWO = owner_of(("alice",)), owner_of(("alice", "bob"))
NOBODY = Owners(members())


@pytest.mark.clauses("WP-2.9-OWNERS")
@pytest.mark.parametrize(
    ("owner", "keys"), [(None, ()), (ALICE, (ALICE,)), (ONE, (ALICE,)), (TWO, (ALICE, BOB)), (NOBODY, ())]
)
def test_the_keys_of_an_owner(owner: Owner | None, keys: tuple[PublicKey, ...]) -> None:
    assert keys_of(owner) == members(*keys)


@pytest.mark.clauses("WP-2.9-OWNERS", "WP-2.1-OWNER-PROPOSES")
@pytest.mark.parametrize("owner", [None, ALICE, BOB, ONE, TWO])
@pytest.mark.parametrize("who", [ALICE, BOB, CAROL, b""])
def test_the_keys_of_an_owner_own_the_chain(owner: Owner | None, who: PublicKey) -> None:
    assert owns(owner, who) == keys_of(owner).contains(who)


def test_one_key_is_another_owner_than_a_set_of_one() -> None:
    """The form decides about rounds."""
    assert ALICE != ONE
    assert owner_of(("bob", "alice")) == TWO


@pytest.mark.clauses("WP-2.9-OWNERS")
def test_a_set_of_owners_is_not_empty() -> None:
    for owner in (ALICE, ONE, TWO):
        check_owner(owner)
    with refused(Reason.EMPTY_OWNER_SET):
        check_owner(NOBODY)


@pytest.mark.clauses("WP-2.9-CHANGE-OWNERS")
@pytest.mark.parametrize(
    ("owner", "added", "after"),
    [
        (ALICE, BOB, TWO),
        (ALICE, ALICE, ONE),
        (ONE, ALICE, ONE),
        (ONE, BOB, TWO),
        (TWO, BOB, TWO),
        (TWO, CAROL, owner_of(("alice", "bob", "carol"))),
    ],
)
def test_adding_an_owner_removes_nobody(owner: Owner, added: PublicKey, after: Owner) -> None:
    assert add_owner(owner, added) == after


@pytest.mark.clauses("WP-2.9-CHANGE-OWNERS")
@pytest.mark.parametrize(("removed", "rest"), [(ALICE, ("bob",)), (BOB, ("alice",))])
def test_removing_an_owner_keeps_rounds(removed: PublicKey, rest: tuple[str, ...]) -> None:
    assert remove_owner(TWO, removed) == owner_of(rest)


@pytest.mark.clauses("WP-2.9-CHANGE-OWNERS", "WP-2.9-OWNERS")
@pytest.mark.parametrize("owner", [ALICE, ONE])
def test_the_last_owner_stays(owner: Owner) -> None:
    with refused(Reason.EMPTY_OWNER_SET):
        remove_owner(owner, ALICE)


@pytest.mark.clauses("WP-2.9-CHANGE-OWNERS")
@pytest.mark.parametrize("owner", [ALICE, ONE, TWO])
def test_a_stranger_cannot_be_removed(owner: Owner) -> None:
    with refused(Reason.UNKNOWN_OWNER) as caught:
        remove_owner(owner, CAROL)
    assert caught.value.detail == CAROL


@pytest.mark.clauses("WP-4.6-PROPOSERS")
def test_an_application_restricts_several_owners_only() -> None:
    choices = (None, members(), members(ALICE), members(CAROL), members(ALICE, CAROL), members(ALICE, BOB))
    for who, chosen in product((ALICE, BOB), choices):
        assert may_propose(who, chosen, who)
        alone = chosen is not None and chosen.contains(ALICE) and not chosen.contains(BOB)
        assert may_propose(TWO, chosen, who) == (who == ALICE or not alone)


@pytest.mark.clauses("WP-4.6-PROPOSERS")
def test_a_choice_without_an_owner_is_void() -> None:
    assert may_propose(TWO, members(CAROL), ALICE)
    assert not may_propose(TWO, members(CAROL, BOB), ALICE)

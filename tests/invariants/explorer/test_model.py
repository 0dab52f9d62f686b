"""Model files: what is read, and one clear message for whatever is wrong."""

from pathlib import Path

import pytest
from models import BROKEN, HOLDS, LIFE, MODELS, RIVALS, TRANSFER, made, several, text_of

from linera_invariants.explorer.explore import Options, explore
from linera_invariants.explorer.model import read_model, settings_of, shipped_models
from linera_invariants.inputs import InputError
from linera_reference.validator import payload_of

GOOD = MODELS["rivals"]
FOUR = (1, 1, 1, 1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("model = 1", "model = 2", "model: expected format version 1, found 2"),
        ("[users]", "[people]\n[users]", "document: unknown key 'people', expected one of"),
        ("weight = 1", "weight = 0", "validators, v1, weight: expected voting rights from 1 to 10^6, found 0"),
        ("weight = 1", "weight = -3", "validators, v1, weight: expected voting rights from 1 to 10^6, found -3"),
        ("weight = 1", "wait = 1", "validators, v1: unknown key 'wait', expected one of weight"),
        ('["v4"]', '["v9"]', "byzantine: expected a validator (v1, v2, v3, v4), found 'v9'"),
        ('["v4"]', '["v3", "v4"]', "byzantine: expected voting rights of at most f = 1, found 2"),
        ('["v4"]', '"all"', "byzantine: expected \"any\" or a list of validators, found 'all'"),
        (RIVALS, "", "document: expected the key 'blocks'"),
        ('name = "b"', 'name = "a"', "blocks, a: expected a new name for a new block"),
        (
            'chain = "0"\n',
            'chain = "0"\nafter = "z"\n',
            "blocks, a: expected an earlier block (there is none), found 'z'",
        ),
        (
            'chain = "0"\n',
            'chain = "0"\nowner = "eve"\n',
            "blocks, a, owner: expected a user (alice, bob), found 'eve'",
        ),
        ('do = "burn"', 'do = "bury"', "blocks, item 1, operations, item 1, do: expected one of"),
        ("[expect]", 'predicates = ["S99"]\n[expect]', "blocks, item 2: unknown key 'predicates'"),
        ("[validators]", 'predicates = ["S99"]\n[validators]', "predicates: expected a statement or predicate"),
        ('verdict = "holds"', 'verdict = "fine"', "expect, verdict: expected one of holds, violated, found 'fine'"),
        ('verdict = "holds"', 'verdict = "violated"', "expect: expected `violates` where and only where"),
        ("[validators]", 'broken = "nothing"\n[validators]', "broken: "),
        ('chain = "0"\n', 'chain = "0.0"\n', "blocks: a: expected the key `owner`: the chain has none at this point"),
    ],
)
def test_a_mistake_has_one_message(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(InputError) as error:
        made(tmp_path, GOOD.replace(old, new, 1))
    assert message in str(error.value)
    assert str(error.value).startswith(str(tmp_path / "model.toml"))


def test_an_empty_menu_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="blocks: expected at least 1"):
        made(tmp_path, GOOD.replace(RIVALS, "").replace("model = 1", "model = 1\nblocks = []"))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rounds = 2", "rounds = 9", "rounds: expected a number of rounds from 1 to 8, found 9"),
        ("rounds = 2", "rounds = 2\npersistent = 1", "persistent: expected a round above those of other proposals, 2"),
        ("round = 1", "round = 8", "proposals, item 2, round: expected a round from 0 to 7, found 8"),
        ('block = "a" }', 'block = "z" }', "proposals, a@1 since z@0: expected a block (a, b), found 'z'"),
        (
            "round = 1\njust",
            'round = 1\nowner = "eve"\njust',
            "by eve since a@0, owner: expected a user (alice, bob)",
        ),
        ("[expect]", '[[witnesses]]\nname = "w"\nlocked = [{ block = "b" }]\n[expect]', "may get, found VALIDATED in"),
        (
            "[expect]",
            '[[forged]]\nname = "f"\nwhat = "request"\nblock = "z"\n[expect]',
            "forged, f: expected a block",
        ),
        ('["alice", "bob"]', '"alice"', "blocks: expected votes that a may get, found VALIDATED in round 0"),
    ],
)
def test_a_mistake_about_rounds_has_one_message(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in MODELS["rounds"]
    with pytest.raises(InputError) as error:
        made(tmp_path, MODELS["rounds"].replace(old, new, 1))
    assert message in str(error.value)


def test_every_owner_proposes_in_every_way_unless_told_otherwise(tmp_path: Path) -> None:
    (setting,) = settings_of(made(tmp_path, several(text_of(RIVALS, FOUR, '["v4"]', "rounds = 2"))))
    names = list(setting.menu.requests)
    assert len(names) == 2 * (2 + 2 + 2 * 2)  # owners; blocks in round 0, in round 1, there with either justification
    assert "b@1 by bob since a@0" in names


def test_names_of_witnesses_and_forgeries_are_checked(tmp_path: Path) -> None:
    for extra, message in (
        ('[[witnesses]]\nname = "w"\ncommitted = ["z"]\n', "witnesses, w: expected a block (a, b), found 'z'"),
        ('[[witnesses]]\nname = "w"\n', "witnesses, item 1: expected at least 2"),
        ('[[forged]]\nname = "f"\nwhat = "request"\nblock = "z"\n', "forged, f: expected a block (a, b), found 'z'"),
        (
            '[[forged]]\nname = "f"\nwhat = "certificate"\nblock = "a"\nsigners = ["x"]\n',
            "forged, f, signers: expected a validator (v1, v2, v3, v4), found 'x'",
        ),
    ):
        with pytest.raises(InputError, match="model") as error:
            made(tmp_path, GOOD.replace("[expect]", extra + "[expect]"))
        assert message in str(error.value)


def test_every_choice_of_faults_is_one_setting_up_to_symmetry(tmp_path: Path) -> None:
    equal = settings_of(made(tmp_path, text_of(RIVALS, FOUR, '"any"')))
    assert [len(setting.byzantine) for setting in equal] == [0, 1]
    unequal = settings_of(made(tmp_path, text_of(RIVALS, (1, 1, 2, 3), '"any"')))  # N = 7, f = 2
    chosen = [
        sorted(setting.network.genesis.committee.weights[key] for key in s.byzantine)
        for s in unequal
        for setting in [s]
    ]
    assert chosen == [[], [1], [2], [1, 1]]


def test_blocks_are_what_clients_write(tmp_path: Path) -> None:
    (setting,) = settings_of(made(tmp_path, text_of(LIFE, (1, 1))))
    executed, hashed = setting.menu.executed, setting.network.context.scheme.hash
    opened, closed, child = executed["a"], executed["end"], executed["child"]
    assert closed.block.previous_hash == hashed(opened)
    assert (child.block.chain_id, child.block.height) == ((0, 0), 0)
    assert child.block.transactions[0].message.block_hash == hashed(opened)
    assert setting.names[setting.menu.requests["child"].owner] == "bob"


def test_an_invalid_block_claims_something(tmp_path: Path) -> None:
    text = text_of(RIVALS.replace("amount = 2", "amount = 20"), FOUR, '["v4"]')
    model = made(tmp_path, text)
    report = explore(model, Options())
    assert report.verdict == "holds"
    (setting,) = settings_of(model)
    invalid = setting.menu.executed["b"]
    assert invalid.state_hash == bytes(32)
    assert payload_of(setting.network.context, invalid).block_hash


def test_an_expectation_that_is_not_met_fails(tmp_path: Path) -> None:
    def problems(text: str) -> list[str]:
        return explore(made(tmp_path, text), Options()).problems

    def expecting(**values: object) -> str:
        rows = "\n".join(f"{key} = {value!r}" for key, value in values.items()).replace("'", '"')
        return GOOD.replace(HOLDS, f"\n[expect]\n{rows}\n")

    assert problems(expecting(verdict="holds", states=592, depth=11)) == []
    assert problems(expecting(verdict="holds", states=593)) == ["expected 593 states, found 592"]
    assert problems(expecting(verdict="holds", depth=12)) == ["expected depth 12, found 11"]
    assert problems(expecting(verdict="violated", violates="S4")) == ["expected violated, found holds"]
    twice = BROKEN["vote-twice"][0]
    assert problems(twice) == ["expected holds, found violated"]
    assert problems(twice.replace('"holds"', '"violated"\nviolates = "S4"\ndepth = 4')) == [
        "expected a violation of S4, found one of S5"
    ]
    assert problems(twice.replace('"holds"', '"violated"\nviolates = "S5"\ndepth = 4')) == []


def test_a_witness_that_is_not_reached_fails(tmp_path: Path) -> None:
    def reached(witness: str, text: str = GOOD) -> bool:
        extra = f'[[witnesses]]\nname = "w"\n{witness}\n\n[expect]'
        report = explore(made(tmp_path, text.replace("[expect]", extra)), Options())
        assert report.problems == ([] if report.reached["w"] else ["not reached: w"])
        return report.reached["w"]

    assert reached('certified = ["a"]')
    assert not reached('certified = ["a", "b"]')
    assert reached('committed = ["a"]\ncount = 3')
    assert not reached('committed = ["a"]\ncount = 4')
    assert reached('voted = ["a", "b"]')
    assert reached('pending = ["a"]\ncertified = ["b"]')
    assert not reached('blocked = ["a", "b"]')  # the Byzantine vote decides
    assert reached('blocked = ["a", "b"]', text_of(RIVALS, FOUR))
    transfer, life = text_of(TRANSFER, (1, 1)), text_of(LIFE, (1, 1))
    assert reached('received = ["a"]\nundelivered = ["0"]', transfer)
    assert reached('committed = ["b"]\nowing = ["1"]', text_of(TRANSFER, FOUR))
    assert reached('created = ["0.0"]\nclosed = ["0"]', life)
    assert not reached('archived = ["0"]', life)
    assert reached('archived = ["0"]', life.replace("[validators]", 'archive = ["0"]\n[validators]'))


def test_goals_are_asked_from_every_state(tmp_path: Path) -> None:
    text = text_of(TRANSFER, (1, 1), "[]", 'predicates = ["L1", "L2", "L5"]')
    report = explore(made(tmp_path, text), Options())
    assert report.holds
    assert report.reached == {"a case for L1": True, "a case for L2": True, "a case for L5": True}
    without = explore(made(tmp_path, text_of(RIVALS, (1, 1), "[]", 'predicates = ["L2"]')), Options())
    assert without.problems == ["not reached: a case for L2"]
    edit = 'function = "validator:select", old = "c for c in", new = "c for c in () and"'
    deaf = f'broken = {{ sentence = "Nothing is delivered.", {edit} }}'
    report = explore(made(tmp_path, text.replace("[validators]", f"{deaf}\n[validators]")), Options())
    assert report.verdict == "violated"
    assert report.attack is not None
    assert report.attack.statement in {"L2", "L5"}


def test_shipped_models_can_be_read() -> None:
    names = [read_model(path).name for path in shipped_models()]
    assert "agreement-n4f1" in names
    assert "broken" not in names

"""The JSON form of values: round trips of every data type, canonical order, and one message for what is no form."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map
from strategies import of
from support import examples

from linera_invariants.inputs import part_validator
from linera_invariants.vectors.forms import FormError, digest_of, form_of, plain, schema_of, text_of, value_of
from linera_invariants.vectors.table import OPERATIONS
from linera_invariants.vectors.types import TYPES
from linera_reference.block import Block, CloseChain, OpenChain
from linera_reference.containers import Log, Queue, Set
from linera_reference.inbox import Inbox
from linera_reference.messages import Cursor
from linera_reference.notation import MAX_U128
from linera_reference.ownership import Owner, Owners
from linera_reference.rejections import Reason

WITHOUT_APPLICATION = sorted(TYPES)


@pytest.mark.parametrize("name", WITHOUT_APPLICATION)
def test_every_data_type_comes_back(name: str):
    validator = part_validator("operations", name)

    @examples(100)
    @given(of(TYPES[name]))
    def check(value: Any):
        form = json.loads(text_of(form_of(TYPES[name], value)))
        assert value_of(TYPES[name], form) == value
        assert validator.is_valid(form)

    check()


@examples(200)
@given(st.lists(st.integers(0, 9), max_size=6))
def test_containers_come_back(items: list[int]):
    queue: Queue[int] = Queue()
    log: Log[int] = Log()
    chosen: Set[int] = Set()
    for item in items:
        queue, log, chosen = queue.push(item), log.append(item), chosen.insert(item)
    for kind, value in ((Queue[int], queue), (Log[int], log)):
        assert value_of(kind, form_of(kind, value)) == value
    assert set(value_of(Set[int], form_of(Set[int], chosen))) == set(items)
    assert form_of(Set[int], chosen) == sorted(map(str, set(items)))


def test_a_log_may_have_forgotten():
    log = Log[int]().append(4).append(5).forget()
    assert form_of(Log[int], log) == {"length": "2", "items": []}
    assert len(value_of(Log[int], form_of(Log[int], log))) == 2


def test_maps_are_sorted_by_the_text_of_their_keys():
    kind = Map[tuple[int, ...], int]
    assert form_of(kind, Map({(2,): 0, (10,): 1})) == [[["10"], "1"], [["2"], "0"]]


def test_texts_are_canonical():
    assert text_of({"b": None, "a": ["é"]}) == '{"a":["\\u00e9"],"b":null}'
    assert digest_of({"b": None, "a": []}) == digest_of({"a": [], "b": None})


def test_tags_tell_records_apart():
    kind = OpenChain | CloseChain
    assert form_of(kind, CloseChain()) == {"CloseChain": {}}
    assert plain(CloseChain()) == {"CloseChain": {}}
    assert plain((1, b"\1", None, True, Reason.ARITHMETIC)) == ["1", "01", None, True, "ARITHMETIC"]


def test_bytes_beside_records_stay_as_they_are():
    key, several = bytes(32), Owners(Set(Map({bytes(32): True})))
    forms = {None: None, key: key.hex(), several: {"Owners": {"keys": [key.hex()]}}}
    for value, form in forms.items():
        assert form_of(Owner | None, value) == form
        assert value_of(Owner | None, form) == value
    schema = schema_of(Owner | None)["oneOf"]
    assert [kind.get("type") for kind in schema] == ["object", "string", "null"]


CURSOR = {"height": "0", "index": "0"}


@pytest.mark.parametrize(
    ("kind", "form", "message"),
    [
        (int, 1, "an integer as a decimal string, found 1"),
        (int, "01", "an integer as a decimal string"),
        (int, "-0", "an integer as a decimal string"),
        (int, "9" * 41, "an integer as a decimal string"),
        (int, "١", "an integer as a decimal string"),
        (int, "1\n", "an integer as a decimal string"),
        (bytes, "0", "bytes in lower-case hexadecimal"),
        (bytes, "AB", "bytes in lower-case hexadecimal"),
        (bytes, "ab\n", "bytes in lower-case hexadecimal"),
        (bool, "true", "true or false"),
        (type(None), "", "null"),
        (Cursor, [], "an object with the keys height, index, found a list"),
        (Cursor, {"height": "0"}, "found 'height'"),
        (Cursor, CURSOR | {"x": "0"}, "found 'height', 'index', 'x'"),
        (Cursor, {"height": "0", "index": None}, "index: expected an integer"),
        (tuple[int, ...], {}, "an array, found a table"),
        (tuple[int, bytes], ["0"], "expected 2 items, found 1"),
        (OpenChain | CloseChain, {"Receive": {}}, "one key of OpenChain, CloseChain"),
        (OpenChain | CloseChain, {"CloseChain": {}, "OpenChain": {}}, "one key of OpenChain, CloseChain"),
        (Owner, None, "bytes in lower-case hexadecimal or an object with one key of Owners"),
        (Owner, {"Key": "00"}, "bytes in lower-case hexadecimal or an object with one key of Owners"),
        (Owner, "0", "bytes in lower-case hexadecimal"),
        (Map[int, int], [["1", "2"], ["1", "3"]], "each key once"),
        (Log[int], {"length": "1", "items": [["1", "0"]]}, "indices below it"),
        (Log[int], {"length": str(1 << 40), "items": []}, "a length of at most"),
        (
            Inbox,
            {"next_add": CURSOR, "consumed": CURSOR, "added": [], "removed": [{}]},
            "removed.0: expected an object",
        ),
        (Block, "x" * 500, "found 'xxx"),
    ],
)
def test_what_is_no_form_is_named(kind: Any, form: Any, message: str):
    with pytest.raises(FormError) as caught:
        value_of(kind, form)
    assert message in str(caught.value)
    assert len(str(caught.value)) < 300


@examples(300)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda x: st.lists(x) | st.dictionaries(st.text(max_size=5), x), max_leaves=8))  # fmt: skip # noqa: E501
def test_no_json_is_a_crash(form: Any):
    for called in OPERATIONS.values():
        for kind in called.parameters.values():
            with suppress(FormError):
                value_of(kind, form)


def test_numbers_out_of_range_can_be_written():
    assert value_of(Cursor, {"height": str(MAX_U128), "index": "-1"}) == Cursor(MAX_U128, -1)

"""Mappings and lists of expected failures: read strictly, with one message for whatever is wrong."""

from pathlib import Path

import pytest

from linera_invariants.conform.lists import OURS, read_expected_failures, read_mapping
from linera_invariants.inputs import InputError

MAPPING = 'format = "linera-reference mapping 1"\n'
EXPECTED = 'format = "linera-reference expected failures 1"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "file.toml"
    path.write_text(text)
    return path


def test_a_mapping_adds_to_our_own_names(tmp_path: Path):
    text = (
        MAPPING + '[errors]\nBad = "ARITHMETIC"\n"a b" = ["OUT_OF_RANGE", "INVALID_TAG"]\nARITHMETIC = "ARITHMETIC"\n'
    )
    found = read_mapping(written(tmp_path, text))
    assert found == {**OURS, "Bad": ("ARITHMETIC",), "a b": ("OUT_OF_RANGE", "INVALID_TAG")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "document: expected the key 'format'"),
        ('format = "mapping 2"\n[errors]', "format: expected"),
        (MAPPING, "document: expected the key 'errors'"),
        (MAPPING + "[errors]\nBad = 7", "errors, Bad: expected a reason, or a list of different ones, found 7"),
        (MAPPING + "[errors]\nBad = []", "errors, Bad: expected a reason, or a list of different ones"),
        (
            MAPPING + '[errors]\nBad = ["ARITHMETIC", "ARITHMETIC"]',
            "errors, Bad: expected a reason, or a list of different ones",
        ),
        (
            MAPPING + '[errors]\nBad = "ARITMETIC"',
            "errors, Bad: expected a reason, found 'ARITMETIC': did you mean ARITH",
        ),
        (MAPPING + '[errors]\nBad = "ARITHMETIC"\nBad = "OUT_OF_RANGE"', "expected TOML: Cannot overwrite a value"),
        (MAPPING + '[errors]\nARITHMETIC = "OUT_OF_RANGE"', "errors, ARITHMETIC: expected our own name to stand for"),
        (MAPPING + "[errors]\n[more]", "document: unknown key 'more'"),
    ],
)
def test_a_bad_mapping_is_one_message(tmp_path: Path, text: str, message: str):
    with pytest.raises(InputError) as error:
        read_mapping(written(tmp_path, text))
    assert message in str(error.value)
    assert str(error.value).startswith(str(tmp_path))


ENTRY = '[[vector]]\nid = "outbox/a"\nreason = "issue 7"\n'


def test_expected_failures_have_reasons(tmp_path: Path):
    path = written(tmp_path, EXPECTED + ENTRY + ENTRY.replace("/a", "/b"))
    assert read_expected_failures(path, {"outbox/a", "outbox/b"}) == {"outbox/a": "issue 7", "outbox/b": "issue 7"}
    assert read_expected_failures(path) == {"outbox/a": "issue 7", "outbox/b": "issue 7"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (EXPECTED, "document: expected the key 'vector'"),
        (EXPECTED + '[[vector]]\nid = "outbox/a"', "vector, item 1: expected the key 'reason'"),
        (EXPECTED + '[[vector]]\nid = "outbox/a"\nreason = ""', "vector, item 1, reason: expected at least 1"),
        (EXPECTED + ENTRY + ENTRY, "vector, item 2, id: expected each vector once, found 'outbox/a' again"),
        (EXPECTED + ENTRY.replace("/a", "/c"), "vector, item 1, id: expected a vector, found 'outbox/c'"),
        (EXPECTED + ENTRY + "note = 1", "vector, item 1: unknown key 'note'"),
    ],
)
def test_a_bad_list_is_one_message(tmp_path: Path, text: str, message: str):
    with pytest.raises(InputError) as error:
        read_expected_failures(written(tmp_path, text), {"outbox/a"})
    assert message in str(error.value)

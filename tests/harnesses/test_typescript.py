"""The independent implementation, which is written in TypeScript from ``spec/`` alone, passes all vectors of its areas.

``make typescript`` builds what is tested here. Where that was not done, nothing is established: the tests are skipped.
"""

import shutil
from pathlib import Path

import pytest
from commands import Command, runner

HOME = Path(__file__).parent / "typescript"
AREAS = (
    "encoding",
    "hashing",
    "identifiers",
    "committee",
    "certificates",
    "two-set-inbox",
    "ordered-inbox",
    "outbox",
    "round-rules",
)


def newest(pattern: str) -> float:
    """When the youngest of some files was written."""
    return max((path.stat().st_mtime for path in HOME.glob(pattern)), default=0)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return runner(capsys, "conform", "--timeout", "60")


@pytest.fixture(scope="module")
def built() -> Path:
    """The folder of the built program."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if newest("dist/**/*.js") < newest("src/**/*.ts"):
        pytest.skip("not built, or changed since: make typescript")
    return HOME / "dist"


def areas() -> list[str]:
    return [argument for area in AREAS for argument in ("--area", area)]


def test_it_passes_every_vector_of_its_areas(command: Command, built: Path):
    ended = command("--harness", f"node {built / 'harness.js'}", *areas(), "--json")
    assert ended.code == 0, ended.err
    counts = {area["area"]: area for area in ended.document["result"]["areas"]}
    assert tuple(counts) == AREAS
    for count in counts.values():
        passed = count.pop("passed")
        assert passed > 0
        assert not any(number for key, number in count.items() if key != "area")


def test_it_keeps_to_the_protocol(command: Command, built: Path):
    assert command("--harness", f"node {built / 'harness.js'}", "--check-harness").code == 0


@pytest.mark.parametrize(
    ("file", "right", "wrong", "area"),
    [
        ("encoding.js", "byte < 0x10", "byte < 0x80", "encoding"),
        ("hashing.js", "::", ":", "hashing"),
        ("committee.js", "return ceiling(total, 3n)", "return total / 3n", "committee"),
        ("certificates.js", "weight(committee, signer) > 0n", "true", "certificates"),
        ("ordered-inbox.js", "added.slice(front + 1)", "added.slice(1)", "ordered-inbox"),
        ("outbox.js", "queued <= height", "queued < height", "outbox"),
        ("rounds.js", "justification.round > locked.round", "justification.round >= locked.round", "round-rules"),
        ("owners.js", "!choice.some(", "choice.some(", "round-rules"),
        ("types.js", "last < encoded", "last <= encoded", "encoding"),
    ],
)
def test_a_mistake_in_it_is_noticed(
    command: Command, built: Path, tmp_path: Path, file: str, right: str, wrong: str, area: str
):
    shutil.copytree(built, tmp_path / "dist")
    shutil.copy(HOME / "package.json", tmp_path)
    source = (built / file).read_text()
    assert right in source
    (tmp_path / "dist" / file).write_text(source.replace(right, wrong))
    ended = command("--harness", f"node {tmp_path / 'dist' / 'harness.js'}", "--area", area, "--json")
    assert ended.code == 1
    (count,) = ended.document["result"]["areas"]
    assert count["failed"] > 0
    assert count["errored"] == count["timed_out"] == count["skipped"] == 0

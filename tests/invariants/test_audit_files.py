"""Audit files: written from a run, read strictly, audited to the validators' own result, refused when tampered with."""

import json
from collections.abc import Callable
from hashlib import sha3_256
from pathlib import Path
from typing import Any

import pytest

from linera_invariants.audit_files import (
    AuditResult,
    audit,
    export_audit,
    genesis_of,
    owner_entry,
    owner_of,
    read_audit,
)
from linera_invariants.errors import UsageError
from linera_invariants.inputs import InputError
from linera_invariants.play import Run, play_scenario
from linera_invariants.scenarios import chain_id_of, find_scenario, read_scenario
from linera_reference.certificate import Certificate
from linera_reference.chain import hashed_state
from linera_reference.crypto import Ed25519Scheme
from linera_reference.encoding import decode
from linera_reference.ownership import add_owner

RUN = play_scenario(read_scenario(find_scenario("01-tour")))
CHAINS = ("0", "1", "0.0")


def document(chain: str = "0.0", run: Run = RUN) -> dict[str, Any]:
    world = run.driver.world
    found: dict[str, Any] = json.loads(export_audit(run.driver.network, world, chain_id_of(chain), run.crypto))
    return found


def written(folder: Path, content: dict[str, Any]) -> Path:
    path = folder / "audit.json"
    path.write_text(json.dumps(content))
    return path


def audited(folder: Path, content: dict[str, Any], jobs: int = 1) -> AuditResult:
    path = written(folder, content)
    return audit(path.name, read_audit(path), jobs)


# --- what holds --------------------------------------------------------------------------------------------------


@pytest.mark.clauses("WP-3.3-CLAIM-5")
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("chain", CHAINS)
def test_an_audit_agrees_with_every_correct_validator(tmp_path: Path, chain: str, jobs: int):
    found = audited(tmp_path, document(chain), jobs)
    assert found.holds
    assert found.audited is not None
    for validator in RUN.driver.world.validators.values():
        part = validator.chains[chain_id_of(chain)].consistent
        assert found.audited.next_height == part.next_height == found.blocks
        assert found.audited.block_hash == part.block_hash
        assert found.audited.owner == part.owner
        assert found.audited.state_hash == Ed25519Scheme().hash(hashed_state(part))
        assert found.balance == part.state.amount


def test_ideal_signatures_are_audited_too(tmp_path: Path):
    run = play_scenario(read_scenario(find_scenario("01-tour")), "ideal")
    found = audited(tmp_path, document(run=run))
    assert found.holds
    assert found.trusted.crypto == "ideal"
    assert "which anyone can forge" in found.trusted.sentences()[-1]


@pytest.mark.parametrize(("chain", "origin"), [("0", "genesis"), ("0.0", "proof of creation")])
def test_an_audit_names_what_it_trusts(tmp_path: Path, chain: str, origin: str):
    content = document(chain)
    content["committee"].reverse()
    rows = sorted(f"{member['key']} {member['weight']}\n" for member in content["committee"])
    digest = sha3_256("".join(rows).encode()).hexdigest()
    found = audited(tmp_path, content)
    committee = {"members": 4, "total": 4, "quorum": 3, "digest": digest}
    assert found.to_json().items() >= {"crypto": "ed25519", "origin": origin, "committee": committee}.items()
    first, second = found.trusted.sentences()
    assert first.startswith(f"under the committee of 4 validators, N = 4, quorum 3, digest {digest}")
    assert second.startswith(f"from the {origin} of the chain")


def test_a_closed_and_archived_chain_is_audited_from_its_certificates(tmp_path: Path):
    run = play_scenario(read_scenario(find_scenario("05-closing")))
    found = audited(tmp_path, document("0.0", run))
    assert found.audited is not None
    assert found.audited.owner is None
    assert found.to_json()["owner"] is None


@pytest.mark.clauses("WP-3.3-CLAIM-5", "WP-2.9-OWNERS", "WP-4.6-SWAP")
@pytest.mark.parametrize(("name", "chain"), [("16-several-owners", "0"), ("22-restarts", "0"), ("23-swap", "1")])
def test_chains_with_several_owners_are_audited(tmp_path: Path, name: str, chain: str):
    """The certificates are of any round, owners are a list, and a swap has assets."""
    run = play_scenario(read_scenario(find_scenario(name)))
    content = document(chain, run)
    found = audited(tmp_path, content)
    part = next(iter(run.driver.world.validators.values())).chains[chain_id_of(chain)].consistent
    assert found.audited is not None
    assert (found.audited.owner, found.audited.state_hash) == (part.owner, Ed25519Scheme().hash(hashed_state(part)))
    assert found.to_json()["owner"] == owner_entry(part.owner)
    genesis = {chain.chain_id: chain for chain in run.driver.network.genesis.chains}
    assert {c.chain_id: c for c in genesis_of(tmp_path, content)} == genesis


def test_owners_are_written_and_read():
    for owner in (b"\1" * 32, add_owner(b"\1" * 32, b"\0" * 32)):
        entry = owner_entry(owner)
        assert entry is not None
        assert owner_of(entry) == owner
    assert owner_entry(add_owner(b"\1" * 32, b"\0" * 32)) == ["00" * 32, "01" * 32]


def test_certificates_may_lie_beside_the_file(tmp_path: Path):
    content = document()
    for index, block in enumerate(content["blocks"]):
        (tmp_path / f"block-{index}.bcs").write_bytes(bytes.fromhex(block))
    content["blocks"] = [{"file": f"block-{index}.bcs"} for index in range(len(content["blocks"]))]
    assert audited(tmp_path, content).holds


def test_progress_counts_every_certificate(tmp_path: Path):
    task = read_audit(written(tmp_path, document()))
    seen: list[int] = []
    assert audit("x", task, 2, seen.append).holds
    assert sum(seen) == len(task.certificates)


def test_what_was_not_created_is_not_exported():
    with pytest.raises(UsageError, match=r"chain 7\.7: expected a chain that was created"):
        document("7.7")


# --- what does not hold ------------------------------------------------------------------------------------------

Tampering = Callable[[dict[str, Any]], object]


def bad_signature(content: dict[str, Any]) -> None:
    """Damage the last byte of the second block: the end of its last signature."""
    block = content["blocks"][1]
    content["blocks"][1] = block[:-2] + f"{int(block[-2:], 16) ^ 1:02x}"


def swap(content: dict[str, Any]) -> None:
    content["blocks"].reverse()


def other_chain(content: dict[str, Any]) -> None:
    content["blocks"][0] = document("1")["blocks"][0]


def less_weight(content: dict[str, Any]) -> None:
    for member in content["committee"][:2]:
        member["weight"] = 0


def other_balance(content: dict[str, Any]) -> None:
    content["genesis"][0]["balance"] += 1


def no_evidence(content: dict[str, Any]) -> None:
    content["evidence"].clear()


def other_origin(content: dict[str, Any]) -> None:
    content["origin"] = content["evidence"][1]


TAMPERED: dict[str, tuple[str, Tampering, str, str]] = {
    "signature": ("0.0", bad_signature, "block 2 of 2, height 1 of chain 0.0", "INVALID_SIGNATURE"),
    "order": ("0.0", swap, "block 1 of 2, height 1 of chain 0.0", "MISSING_EARLIER_BLOCKS"),
    "gap": ("0.0", lambda content: content["blocks"].pop(0), "block 1 of 1, height 1", "MISSING_EARLIER_BLOCKS"),
    "chain": ("0.0", other_chain, "block 1 of 2, height 0 of chain 1", "MISSING_EARLIER_BLOCKS"),
    "committee": ("0.0", less_weight, "origin", "INVALID_CERTIFICATE_SIGNER"),
    "genesis": ("0", other_balance, "block 1 of 2, height 0 of chain 0", "INCORRECT_STATE_HASH"),
    "evidence": ("0.0", no_evidence, "evidence", "MISSING_CROSS_CHAIN_UPDATE"),
    "origin": ("0.0", other_origin, "origin", "NOT_A_PROOF_OF_CREATION"),
}


@pytest.mark.parametrize("what", TAMPERED)
@pytest.mark.clauses("WP-3.3-CLAIM-5")
def test_a_tampered_file_is_refused_with_place_and_reason(tmp_path: Path, what: str):
    chain, tamper, place, reason = TAMPERED[what]
    content = document(chain)
    tamper(content)
    found = audited(tmp_path, content, jobs=2)
    assert not found.holds
    assert (found.place or "").startswith(place)
    assert found.rejected is not None
    assert found.rejected.reason.name == reason
    assert found.to_json()["reason"] == reason


def test_signatures_that_were_checked_ahead_do_not_vouch_for_others(tmp_path: Path):
    """A certificate with a bad signature beside the same certificate with good ones."""
    content = document()
    genuine = content["blocks"][1]
    bad_signature(content)
    content["evidence"].append(genuine)
    found = audited(tmp_path, content)
    assert found.rejected is not None
    assert found.rejected.reason.name == "INVALID_SIGNATURE"
    assert decode(Certificate, bytes.fromhex(genuine)).executed.block.height == 1


# --- malformed files ---------------------------------------------------------------------------------------------


def without(key: str) -> Tampering:
    return lambda content: content.pop(key)


def with_value(key: str, value: Any) -> Tampering:
    return lambda content: content.update({key: value})


MALFORMED: dict[str, tuple[Tampering, str, str]] = {
    "version": (with_value("audit", 2), "audit", "format version 1"),
    "application": (with_value("application", "nft"), "application", "one of token, swap"),
    "unknown key": (with_value("colour", 1), "document", "unknown key 'colour'"),
    "missing key": (without("committee"), "document", "the key 'committee'"),
    "odd digits": (with_value("blocks", ["0"]), "blocks, item 1", "an even number"),
    "no hexadecimal": (with_value("blocks", ["xy"]), "blocks, item 1", "bytes in lower-case hexadecimal"),
    "newline": (with_value("blocks", ["00\n"]), "blocks, item 1", "bytes in lower-case hexadecimal"),
    "no certificate": (with_value("evidence", ["00ff"]), "evidence, item 1", "the data type Certificate in BCS, found"),
    "other folder": (with_value("blocks", [{"file": "../x.bcs"}]), "blocks, item 1, file", "in the same folder"),
    "missing file": (with_value("blocks", [{"file": "x.bcs"}]), "file", "a readable file"),
    "key twice": (lambda c: c["committee"].append(c["committee"][0]), "committee", "DUPLICATE_VALIDATOR"),
    "no weight": (lambda c: [m.update(weight=0) for m in c["committee"]], "committee", "EMPTY_COMMITTEE"),
    "chain twice": (lambda c: c["genesis"].append(c["genesis"][0]), "genesis", "each chain once, found chain 0 twice"),
    "no owners": (lambda c: c["genesis"][0].update(owner=[]), "genesis, item 1, owner", "at least 1"),
    "owner twice": (
        lambda c: c["genesis"][0].update(owner=["00" * 32] * 2),
        "genesis, item 1, owner",
        "without repetition",
    ),
    "other state": (with_value("application", "swap"), "genesis, chain 0", "assets, and nothing else"),
    "no origin": (lambda c: c.pop("origin"), "chain", "a chain of genesis"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_a_malformed_file_is_bad_input(tmp_path: Path, what: str):
    tamper, place, expectation = MALFORMED[what]
    content = document()
    tamper(content)
    with pytest.raises(InputError) as caught:
        read_audit(written(tmp_path, content))
    assert caught.value.place == place
    assert expectation in caught.value.expectation

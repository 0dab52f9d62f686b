"""Evidence and proofs: the guilty are named with two signatures each, an honest validator never is."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import combinations, product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from attrs import evolve, frozen
from commands import Command, runner
from support import ED25519, examples, network, proposal, root, signers
from support import executed as executed_on
from worlds import pay

from linera_invariants.audit_files import committee_digest, committee_rows
from linera_invariants.convictions import convicted
from linera_invariants.evidence import (
    Evidence,
    check_proof,
    examine,
    proof_file,
    read_all_evidence,
    read_evidence,
    read_proof,
)
from linera_invariants.inputs import InputError
from linera_invariants.logs.record import event_line, header_line
from linera_invariants.vectors.build import vectors_of
from linera_invariants.vectors.cases.support import key as vector_key
from linera_reference.block import ExecutedBlock
from linera_reference.certificate import Certificate, Kind, VotePayload, sign_vote
from linera_reference.committee import combined_weight, max_faulty
from linera_reference.crypto import Ed25519Scheme, make_signer
from linera_reference.encoding import encode
from linera_reference.outbox import UpdateRecipient
from linera_reference.rejections import Reason, Rejected
from linera_reference.request import Request, sign_request

NETWORK = network((1, 1, 1, 1), scheme=ED25519)
CONTEXT = NETWORK.context
KEYS = [signer.public_key for signer in signers(4, ED25519)]
ONE, TWO, THREE = (executed_on(NETWORK, root(NETWORK), pay((1,), amount)) for amount in (1, 2, 3))


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return runner(capsys)


def votes(executed: ExecutedBlock, *places: int, kind: Kind = Kind.CONFIRMED, round: int = 0) -> Certificate:
    """Return a certificate with the votes of these validators; there are four, and then strangers."""
    payload = VotePayload(kind, ED25519.hash(executed), round)
    signed = [sign_vote(ED25519, signer, payload) for signer in signers(6, ED25519)]
    return Certificate(executed, kind, round, tuple((signed[i].validator, signed[i].signature) for i in places))


def moved(executed: ExecutedBlock, height: int) -> ExecutedBlock:
    return evolve(executed, block=evolve(executed.block, height=height))


def forged(certificate: Certificate, place: int) -> Certificate:
    """Add a false signature of a validator."""
    return evolve(certificate, signatures=(*certificate.signatures, (KEYS[place], bytes(64))))


FORK = (votes(ONE, 0, 2, 3), votes(TWO, 1, 2, 3))


def found_in(*certificates: Certificate, **more: Any) -> Any:
    return examine(Evidence("ed25519", CONTEXT, certificates, **more))


def names(places: Iterable[int]) -> tuple[bytes, ...]:
    return tuple(sorted(KEYS[place] for place in places))


def document(*items: dict[str, str]) -> dict[str, Any]:
    head = {"evidence": 1, "crypto": "ed25519", "committee": committee_rows(CONTEXT.committee)}
    return {**head, "items": list(items)}


def certificates(*found: Certificate) -> list[dict[str, str]]:
    return [{"certificate": encode(certificate).hex()} for certificate in found]


def vote(place: int, executed: ExecutedBlock) -> dict[str, str]:
    signer = signers(4, ED25519)[place]
    signed = sign_vote(ED25519, signer, VotePayload(Kind.CONFIRMED, ED25519.hash(executed), 0))
    return {"vote": encode(signed).hex(), "executed": encode(executed).hex()}


def signed(amount: int) -> Request:
    return proposal(NETWORK, "alice", root(NETWORK), pay((1,), amount))


def request(amount: int) -> dict[str, str]:
    return {"request": encode(signed(amount)).hex()}


def written(folder: Path, content: Any, name: str = "evidence.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(content))
    return path


def proof() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(proof_file(found_in(*FORK)))
    return found


# --- whom evidence convicts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [(1, 1, 1, 1), (1,) * 7, (1, 2, 3, 4), (2, 1, 2, 1), (1, 1, 1)])
def test_two_certificates_convict_validators_of_weight_n_minus_2f(weights: tuple[int, ...]):
    """Every two quorums of the committee."""
    faulty = network(weights, scheme=ED25519)
    scheme, committee = faulty.context.scheme, faulty.context.committee
    keys = [signer.public_key for signer in signers(len(weights), ED25519)]
    places = [set(p) for n in range(len(weights) + 1) for p in combinations(range(len(weights)), n)]
    least = committee.total - max_faulty(committee.total)
    quorums = [place for place in places if combined_weight(committee, [keys[i] for i in place]) >= least]
    for one, two in list(product(quorums, quorums))[::7]:
        assert one & two
        evidence = Evidence("ed25519", faulty.context, (votes_of(keys, ONE, one), votes_of(keys, TWO, two)))
        found = examine(evidence)
        assert (
            set(found.convicted) == {keys[i] for i in one & two} == convicted(scheme, committee, *evidence.certificates)
        )
        assert found.weight >= committee.total - 2 * max_faulty(committee.total) > max_faulty(committee.total)
        assert found.forks == 1


def votes_of(keys: list[bytes], executed: ExecutedBlock, places: Iterable[int]) -> Certificate:
    payload = VotePayload(Kind.CONFIRMED, ED25519.hash(executed), 0)
    table = {signer.public_key: signer for signer in signers(len(keys), ED25519)}
    return Certificate(
        executed, Kind.CONFIRMED, 0, tuple((keys[i], ED25519.sign(table[keys[i]], payload)) for i in sorted(places))
    )


def test_single_votes_convict_too():
    found = found_in(votes(ONE, 2), votes(TWO, 2), votes(TWO, 0))
    assert found.convicted == names([2])
    assert found.forks == 0
    assert "within f = 1" in found.verdict()


def test_votes_on_three_blocks_in_several_rounds():
    found = found_in(votes(ONE, 0, 1), votes(TWO, 1, 2, round=3), votes(THREE, 2, 0), votes(TWO, 1, 3, round=1))
    assert found.convicted == names([0])
    assert found.charged == names([1, 2, 3])
    assert [(charge.offence.words, charge.votes[0].round) for charge in found.charges] == [
        ("double vote", 0),
        ("unfounded confirmation", 1),
        ("unfounded confirmation", 3),
    ]
    assert found.verdict() == (
        "1 validator convicted and 3 validators charged until answered, of weight 4 of 4, "
        "more than f = 1: the fault bound was broken if nobody answers"
    )


REMARKS: dict[str, tuple[tuple[Certificate, ...], str]] = {
    "nothing": ((), "no two items are on different executed blocks"),
    "one": (FORK[:1], "no two items are on different executed blocks"),
    "same block": ((votes(ONE, 0, 1, 2), votes(ONE, 1, 2, 3, round=2)), "no two items"),
    "heights": ((votes(ONE, 0, 1, 2), votes(moved(TWO, 1), 0, 1, 2)), "no two items"),
    "kinds": ((votes(ONE, 0, 1), votes(TWO, 0, 1, kind=Kind.VALIDATED)), "nobody signed votes that conflict"),
    "split": ((votes(ONE, 0, 1), votes(TWO, 2, 3)), "height 0 of chain 0: nobody signed votes that conflict"),
    "forged": (
        (votes(ONE, 0, 1), forged(votes(TWO, 2), 1)),
        "height 0 of chain 0: 1 name on votes that conflict, not charged",
    ),
    "strangers": ((votes(ONE, 4, 5), votes(TWO, 4, 5)), "2 names on votes that conflict, not charged"),
    "answered": (
        (votes(ONE, 1), votes(TWO, 2, 3, round=1), votes(TWO, 0, 2, 3, kind=Kind.VALIDATED, round=1)),
        "height 0 of chain 0: charges against 2 validators are answered",
    ),
}


@pytest.mark.parametrize("what", REMARKS)
def test_what_convicts_nobody_is_said(what: str):
    items, remark = REMARKS[what]
    found = found_in(*items)
    assert found.convicted == ()
    assert not found.holds
    assert any(text.startswith(remark) or remark in text for text in found.remarks)
    assert found.verdict() == "nobody is convicted"


def test_an_equivocating_owner_is_noticed_but_is_no_validator():
    first, second = signed(1), signed(2)
    found = found_in(requests=(first, second, first))
    assert not found.holds
    assert f"{first.owner.hex()} signed 2 blocks of height 0 of chain 0: an owner may" in found.remarks[1]
    false = evolve(second, signature=bytes(64))
    again = sign_request(ED25519, make_signer(ED25519, bytes(32)), second.block)
    assert len(found_in(requests=(first, false, again)).remarks) == 1


# --- never an honest one -----------------------------------------------------------------------------------------


def history(seed: int) -> tuple[tuple[Certificate, ...], set[bytes]]:
    """Let honest validators vote as they must, Byzantine ones for anything, and anybody forge signatures."""
    random = Random(seed)
    byzantine = set(random.sample(range(4), random.randint(0, 3)))
    blocks = [moved(executed, height) for executed, height in product((ONE, TWO, THREE), range(2))]
    choice = {(place, height): random.choice((ONE, TWO, THREE)) for place in range(4) for height in range(2)}
    found = []
    for executed in blocks:
        for _ in range(2):
            honest = {p for p in range(4) if executed == moved(choice[p, executed.block.height], executed.block.height)}
            signing = [
                p for p in (*range(4), 4, 5) if (p in honest or p in byzantine or p > 3) and random.random() < 0.7
            ]
            liars = not set(signing) & (set(range(4)) - byzantine)
            round_ = random.choice((0, 0, 1)) if liars else 0
            certificate = votes(executed, *signing, round=round_)
            found.append(forged(certificate, random.randrange(4)) if random.random() < 0.3 else certificate)
    random.shuffle(found)
    return tuple(found), {KEYS[place] for place in byzantine}


@pytest.mark.parametrize("seed", range(20))
def test_exactly_who_signed_two_blocks_is_convicted(seed: int):
    items, byzantine = history(seed)
    found = found_in(*items)
    pairs = [convicted(ED25519, CONTEXT.committee, one, two) for one, two in combinations(items, 2)]
    assert set(found.convicted) == frozenset().union(*pairs)
    assert {*found.convicted, *found.charged} <= byzantine
    if found.holds:
        assert proof_file(found) == proof_file(found_in(*reversed(items)))
        double = [charge.votes for charge in found.charges if charge.is_final]
        assert set(found.convicted) == frozenset().union(*(convicted(ED25519, CONTEXT.committee, *v) for v in double))


def test_histories_are_not_all_alike():
    found = [found_in(*history(seed)[0]).convicted for seed in range(20)]
    assert {len(names) for names in found} >= {0, 1, 2}


@frozen
class Counting(Ed25519Scheme):
    """Counts how many signatures are checked."""

    count: Any

    def verifier(self, value: Any) -> Callable[[bytes, bytes], bool]:
        check = super().verifier(value)

        def verify(key: bytes, signature: bytes) -> bool:
            self.count["signatures"] += 1
            return check(key, signature)

        return verify


def test_each_signature_is_checked_once():
    """However many blocks there are at one place; and none where blocks do not conflict."""
    count: Counter[str] = Counter()
    blocks = [evolve(ONE, state_hash=bytes(31) + bytes([number])) for number in range(40)]
    items = [votes(block, 0, 1) for block in blocks] + [votes(moved(ONE, height), 0, 1) for height in range(1, 40)]
    assert examine(Evidence("ed25519", evolve(CONTEXT, scheme=Counting(count)), tuple(items))).holds
    assert count["signatures"] == 80


# --- the vectors -------------------------------------------------------------------------------------------------


def test_vectors_expect_what_their_signatures_say():
    """The convicted set again, from the parts of each vector: one kind, place and round, other bytes, genuine votes.

    Two outcomes of one block need not be of one round, if both were validated.
    """
    vectors = [vector for vector in vectors_of("accountability") if vector.operation == "convict"]
    assert len(vectors) > 50
    for vector in vectors:
        one, two = vector.arguments["one"], vector.arguments["two"]
        places = [(side["executed"]["block"]["chain_id"], side["executed"]["block"]["height"]) for side in (one, two)]
        conflict = places[0] == places[1] and one["executed"] != two["executed"]
        outcomes = one["kind"] == "VALIDATED" and one["executed"]["block"] == two["executed"]["block"]
        double = one["kind"] == two["kind"] and (one["round"] == two["round"] or outcomes)
        members = {key for key, weight in vector.arguments["committee"]["weights"] if weight != "0"}
        true = [genuine_names(vector, side) for side in ("one", "two")]
        expected = members & true[0] & true[1] if conflict and double else set()
        assert set(vector.expect["accepted"]) == expected, vector.id


def genuine_names(vector: Any, side: str) -> set[str]:
    """Return whose signatures on a side were not tampered with: the names of the vectors tell where they were."""
    signed = vector.arguments[side]["signatures"]
    tampered = vector.id.split("/")[1].startswith(("ed25519-", "ideal-")) and not vector.id.endswith("-repeated")
    if tampered and side == ("one" if vector.id.endswith("-first") else "two"):
        signed = [pair for pair in signed if pair[0] not in {vector_key("v1", s).hex() for s in ("ideal", "ed25519")}]
    return {key for key, _ in signed}


# --- proofs ------------------------------------------------------------------------------------------------------


def test_a_proof_holds_by_itself(tmp_path: Path):
    found = check_proof(read_proof(written(tmp_path, proof())))
    assert found.holds
    assert found.convicted == names([2, 3])
    assert found.weight == 2
    assert "2 validators convicted, of weight 2 of 4, more than f = 1: the fault bound was broken" in found.verdict()


Tampering = Callable[[dict[str, Any]], object]


def first(content: dict[str, Any]) -> Any:
    return content["charges"][0]


def blame(content: dict[str, Any]) -> None:
    """Name a validator that signed one of the blocks, with that signature twice."""
    signature = dict(FORK[0].signatures)[KEYS[0]].hex()
    first(content)["charged"].append({"validator": KEYS[0].hex(), "signatures": [signature, signature]})


def rename(content: dict[str, Any]) -> None:
    first(content)["charged"][0]["validator"] = KEYS[0].hex()


def repeat(content: dict[str, Any]) -> None:
    row = first(content)["charged"][0]
    first(content)["charged"].append(row | {"signatures": [row["signatures"][0], "00" * 64]})


def reweigh(content: dict[str, Any]) -> None:
    next(m for m in content["committee"] if m["key"] == first(content)["charged"][0]["validator"])["weight"] = 0


def expel(content: dict[str, Any]) -> None:
    content["committee"] = [m for m in content["committee"] if m["key"] != first(content)["charged"][1]["validator"]]


def swap(content: dict[str, Any]) -> None:
    first(content)["charged"][1]["signatures"].reverse()


def one_block(content: dict[str, Any]) -> None:
    first(content)["votes"][1] = first(content)["votes"][0]


def elsewhere(content: dict[str, Any]) -> None:
    first(content)["votes"][1]["executed"] = encode(moved(TWO, 1)).hex()


def second_charge(content: dict[str, Any]) -> None:
    content["charges"].append(json.loads(json.dumps(first(content))))
    content["charges"][1]["votes"][0]["round"] = 1


FLAWS: dict[str, tuple[Tampering, str]] = {
    "one signature": (blame, "charge 1: {0} did not sign this"),
    "other name": (rename, "charge 1: {0} did not sign this"),
    "named twice": (repeat, "is named twice"),
    "no rights": (reweigh, "has no voting rights"),
    "stranger": (expel, "has no voting rights"),
    "swapped": (swap, "did not sign this"),
    "one block": (one_block, "charge 1: the votes show no offence, not double vote"),
    "other height": (elsewhere, "charge 1: height 0 of chain 0 is not height 1 of chain 0"),
    "other round": (lambda c: first(c)["votes"][0].update(round=1), "the votes show no offence, not double vote"),
    "other rounds": (lambda c: [vote.update(round=1) for vote in first(c)["votes"]], "did not sign this"),
    "other kind": (lambda c: first(c)["votes"][1].update(kind="VALIDATED"), "the votes show no offence"),
    "other charge": (lambda c: first(c).update(charge="broken lock"), "the votes show double vote, not broken lock"),
    "second charge": (second_charge, "charge 2: "),
    "other scheme": (lambda c: c.update(crypto="ideal"), "did not sign this"),
}


@pytest.mark.parametrize("what", FLAWS)
def test_a_false_proof_convicts_nobody(tmp_path: Path, what: str):
    tamper, reason = FLAWS[what]
    content = proof()
    tamper(content)
    found = check_proof(read_proof(written(tmp_path, content)))
    assert not found.holds
    assert found.convicted == ()
    assert len(found.remarks) == 1
    assert reason.format(KEYS[0].hex()) in found.remarks[0]


# --- files -------------------------------------------------------------------------------------------------------


def test_evidence_of_all_kinds(tmp_path: Path):
    (tmp_path / "two.bcs").write_bytes(encode(FORK[1]))
    items = [*certificates(FORK[0]), {"certificate": {"file": "two.bcs"}}, vote(0, TWO), request(1)]
    found = examine(read_evidence(written(tmp_path, document(*items))))
    assert found.convicted == names([0, 2, 3])


def test_the_quorum_rule_of_revision_h(tmp_path: Path):
    """In a committee of three, two sign a certificate under this rule only."""
    three = network((1, 1, 1), scheme=ED25519).context.committee
    content = document(*certificates(votes(ONE, 0, 1), votes(TWO, 1, 2))) | {"committee": committee_rows(three)}
    assert examine(read_evidence(written(tmp_path, content))).forks == 0
    found = examine(read_evidence(written(tmp_path, content | {"rules": "revision-h"})))
    assert found.forks == 1
    assert found.weight == found.to_json()["shared_by_quorums"] == 1


def test_audit_files_are_evidence(tmp_path: Path):
    head = {"audit": 1, "crypto": "ed25519", "application": "token", "committee": committee_rows(CONTEXT.committee)}
    common = {**head, "genesis": [], "chain": "0", "evidence": []}
    paths = [
        written(tmp_path, {**common, "blocks": [], "origin": encode(FORK[0]).hex()}, "one.json"),
        written(tmp_path, {**common, "blocks": [encode(FORK[1]).hex()]}, "two.json"),
    ]
    assert examine(read_all_evidence(paths)).convicted == names([2, 3])
    assert not examine(read_all_evidence(paths[:1])).holds


def test_logs_of_validators_are_evidence(tmp_path: Path):
    """Each received one of two certificates, one of them inside a cross-chain request; the owner signed both blocks."""
    received = ((FORK[0], signed(1)), (UpdateRecipient((0,), (1,), (FORK[1],)), signed(2)))
    paths = []
    for place, items in enumerate(received):
        lines = [header_line(NETWORK, "ed25519", KEYS[place], True)]
        lines += [event_line(item, Rejected(Reason.INACTIVE_CHAIN)) for item in items]
        paths.append(tmp_path / f"{place}.jsonl")
        paths[-1].write_bytes(b"".join(lines))
    assert examine(read_all_evidence(paths)).convicted == names([2, 3])
    assert not examine(read_evidence(paths[1])).holds
    assert "signed 2 blocks of height 0 of chain 0" in examine(read_all_evidence(paths)).remarks[0]
    (tmp_path / "no.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match=r"no\.jsonl: line 1"):
        read_evidence(tmp_path / "no.jsonl")


def test_files_of_different_committees_do_not_mix(tmp_path: Path):
    content = document(*certificates(*FORK))
    other = content | {"committee": content["committee"][1:]}
    paths = [written(tmp_path, content, "one.json"), written(tmp_path, other, "two.json")]
    with pytest.raises(InputError, match=f"two.json: document: expected .* {committee_digest(CONTEXT.committee)}"):
        read_all_evidence(paths)


MALFORMED: dict[str, tuple[Any, str, str]] = {
    "version": (document() | {"evidence": 2}, "evidence", "format version 1"),
    "no committee": (document() | {"committee": []}, "committee", "at least 1"),
    "rules": (document() | {"rules": "other"}, "rules", "baseline, revision-h"),
    "empty item": (document({}), "items, item 1", "at least 1"),
    "alone": (document({"vote": "00"}), "items, item 1", "expected the key 'executed' beside 'vote'"),
    "both": (document({"certificate": "", "request": ""}), "items, item 1", "a table with certificate"),
    "bytes": (document({"certificate": "00ff"}), "items, item 1, certificate", "the data type Certificate in BCS"),
    "digits": (document({"request": "0"}), "items, item 1, request", "an even number"),
    "other block": (document(vote(0, ONE) | {"executed": encode(TWO).hex()}), "items, item 1, vote", "beside it"),
    "list": ([], "document", "a table"),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_evidence_is_bad_input(tmp_path: Path, what: str):
    content, place, expectation = MALFORMED[what]
    with pytest.raises(InputError) as caught:
        read_evidence(written(tmp_path, content))
    assert caught.value.place == place
    assert expectation in str(caught.value)


def test_malformed_proofs_are_bad_input(tmp_path: Path):
    content = proof()
    first(content)["votes"][1]["executed"] = "00"
    with pytest.raises(InputError, match="charges, item 1, votes, item 2, executed: expected the data type Executed"):
        read_proof(written(tmp_path, content))
    with pytest.raises(InputError, match="charges: expected at least 1"):
        read_proof(written(tmp_path, content | {"charges": []}))
    with pytest.raises(InputError, match="charges, item 1, votes: expected at most 1"):
        read_proof(written(tmp_path, content | {"charges": [first(content) | {"charge": "unfounded confirmation"}]}))
    first(content)["votes"].pop()
    with pytest.raises(InputError, match="charges, item 1, votes: expected at least 2"):
        read_proof(written(tmp_path, content))
    with pytest.raises(InputError, match="proof: expected format version 2"):
        read_proof(written(tmp_path, {"proof": 1, "conflicts": []}))


# --- hostile files -----------------------------------------------------------------------------------------------

SCRAPS = (
    None,
    True,
    -1,
    0,
    2**32,
    2**64,
    "",
    "0",
    "00",
    "ab" * 32,
    "ff" * 64,
    "ed25519",
    [],
    {},
    [[]],
    {"file": "x.bcs"},
)


def spoiled(random: Random, content: Any, others: list[str]) -> Any:
    """Change one part: another value, another one's bytes, changed bytes, dropped, repeated or moved."""
    if isinstance(content, dict | list) and content and random.random() < 0.9:
        keys = list(content) if isinstance(content, dict) else list(range(len(content)))
        key, copy = random.choice(keys), content.copy()
        match random.randrange(12):
            case 0:
                del copy[key]
            case 1 if isinstance(copy, list):
                copy.insert(random.randrange(len(copy) + 1), copy[key])
            case 2 if isinstance(copy, dict):
                copy[random.choice(("vote", "executed", "x", "one"))] = copy[key]
            case _:
                copy[key] = spoiled(random, content[key], others)
        return copy
    if isinstance(content, str) and random.random() < 0.8:
        place = random.randrange(len(content) + 1)
        changed = f"{content[:place]}{random.choice('0123456789abcdef')}{content[place + random.randrange(3) :]}"
        return random.choice((changed, changed, random.choice(others)))
    return random.choice(SCRAPS)


def strings(content: Any) -> list[str]:
    if isinstance(content, dict | list):
        return [text for part in (content.values() if isinstance(content, dict) else content) for text in strings(part)]
    return [content] if isinstance(content, str) else []


def test_no_hostile_file_is_a_crash_or_names_an_honest_validator(tmp_path: Path):
    """Spoiled evidence and proofs: one complaint, nobody, or some of the two that are guilty."""
    good = document(*certificates(*FORK, forged(votes(TWO, 3), 0)), vote(1, TWO), vote(1, ONE), request(1))
    guilty, evidence = set(names([1, 2, 3])), json.loads(json.dumps(good))
    claim = json.loads(proof_file(examine(read_evidence(written(tmp_path, evidence)))))
    pool, ends, path = strings(evidence) + strings(claim), Counter[str](), tmp_path / "spoiled.json"
    for seed in range(examples(20_000).max_examples):
        random, is_proof = Random(seed), seed % 2 == 1
        content = claim if is_proof else evidence
        for _ in range(random.randint(1, 3)):
            content = spoiled(random, content, pool)
        text = json.dumps(content)
        path.unlink(missing_ok=True)  # overwriting is slow on some file systems
        path.write_text(text if random.random() < 0.95 else text[: random.randrange(len(text))])
        try:
            found = check_proof(read_proof(path)) if is_proof else examine(read_evidence(path))
        except InputError:
            ends["refused"] += 1
        else:
            ends[f"{'proof' if is_proof else 'evidence'}: {len(found.convicted)}"] += 1
            assert set(found.convicted) <= guilty
            assert is_proof or not found.holds or proof_file(found)
    assert {"refused", "proof: 0", "proof: 3", "evidence: 0", "evidence: 2", "evidence: 3"} <= set(ends), ends


# --- the command -------------------------------------------------------------------------------------------------


def test_evidence_makes_a_proof_that_verifies(command: Command, tmp_path: Path):
    path, out = written(tmp_path, document(*certificates(*FORK))), tmp_path / "proof.json"
    ended = command("evidence", str(path), "-o", str(out))
    assert ended.code == 0
    assert f"  validator  {names([2, 3])[0].hex()}" in ended.out
    assert f"digest {committee_digest(CONTEXT.committee)}, which you must know" in ended.out
    assert ended.out.endswith("convicted, of weight 2 of 4, more than f = 1: the fault bound was broken\n")
    ended = command("evidence", "--verify", str(out), "--quiet")
    assert (ended.code, ended.out.count("\n")) == (0, 1)
    assert ended.out.startswith("the proof holds: 2 validators convicted")
    assert out.read_bytes() == proof_file(found_in(*reversed(FORK)))
    found = command("evidence", str(path), "--json").document
    assert [row["validator"] for row in found["convicted"]] == [key.hex() for key in names([2, 3])]
    assert (found["weight"], found["fault_bound"], found["shared_by_quorums"]) == (2, 1, 2)
    assert command("evidence", "--verify", str(out), "--json").document["convicted"] == found["convicted"]


UNLOCKED = (votes(ONE, 1, round=1), votes(TWO, 1, kind=Kind.VALIDATED, round=3))
FOUNDED = votes(ONE, 1, 2, 3, kind=Kind.VALIDATED, round=1)
ANSWER = votes(TWO, 0, 2, 3, kind=Kind.VALIDATED, round=2)


def test_a_charge_stands_until_it_is_answered(tmp_path: Path):
    """Who confirmed one block and later validated another shows what released it; the answer may come afterwards."""
    found = found_in(*UNLOCKED, FOUNDED)
    assert (found.convicted, found.charged) == ((), names([1]))
    assert found.verdict() == "1 validator charged until answered, of weight 1 of 4, within f = 1"
    proof = read_proof(written(tmp_path, json.loads(proof_file(found))))
    assert [(answer.executed, answer.round) for answer in proof.answers] == [(ONE, 1)]
    assert check_proof(proof).charged == found.charged
    answered = check_proof(proof, (ANSWER,))
    assert not answered.holds
    assert answered.remarks == ("charge 1 is answered",)
    assert not found_in(*UNLOCKED, FOUNDED, ANSWER).holds
    assert not check_proof(evolve(proof, answers=(ANSWER,))).holds


def test_an_answer_does_not_help_against_other_charges(tmp_path: Path):
    found = found_in(*UNLOCKED, votes(ONE, 0, round=1))
    assert [(charge.offence.words, charge.charged) for charge in found.charges] == [
        ("broken lock", names([1])),
        ("unfounded confirmation", names([0])),
    ]
    proof = read_proof(written(tmp_path, json.loads(proof_file(found))))
    left = check_proof(proof, (ANSWER,))
    assert left.charged == names([0])
    assert left.remarks == ("charge 1 is answered",)
    assert check_proof(proof, (evolve(ANSWER, signatures=ANSWER.signatures[:2]),)).charges == found.charges


def test_answers_are_files_beside_a_proof(command: Command, tmp_path: Path):
    path, out = written(tmp_path, document(*certificates(*UNLOCKED, FOUNDED))), tmp_path / "proof.json"
    ended = command("evidence", str(path), "-o", str(out))
    assert ended.code == 0
    assert "chain 0, height 0: broken lock (stands until answered):" in ended.out
    justified = evolve(signed(2), round=3, justification=ANSWER)
    answer = written(tmp_path, document({"request": encode(justified).hex()}), "answer.json")
    ended = command("evidence", "--verify", str(out), str(answer))
    assert ended.code == 1
    assert "charge 1 is answered" in ended.out
    assert ended.out.endswith("the proof FAILS: nobody is convicted\n")
    assert "1 validator charged until" in command("evidence", "--verify", str(out), str(path)).out
    other = written(tmp_path, document() | {"rules": "revision-h"}, "other.json")
    ended = command("evidence", "--verify", str(out), str(other))
    assert ended.code == 2
    assert "expected crypto, rules and committee of" in ended.err


def test_nothing_is_written_where_nobody_is_convicted(command: Command, tmp_path: Path):
    path, out = written(tmp_path, document(*certificates(FORK[0]))), tmp_path / "proof.json"
    ended = command("evidence", str(path), "-o", str(out))
    assert ended.code == 1
    assert ended.out.endswith("nobody is convicted\n")
    assert not out.exists()
    content = proof()
    rename(content)
    ended = command("evidence", "--verify", str(written(tmp_path, content)))
    assert ended.code == 1
    assert "the proof FAILS: nobody is convicted" in ended.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.json"], "missing.json: file: expected a readable file"),
        (["--verify", "{good}"], "evidence.json: document: "),
        (["--verify", "{good}", "-o", "{tmp}/x.json"], "--verify: expected no -o"),
        (["{good}", "-o", "{good}"], "-o: expected a file of its own"),
        (["{good}", "-o", "{tmp}/no/x.json"], "expected a writable place"),
    ],
)
def test_wrong_usage_is_one_message(command: Command, tmp_path: Path, arguments: list[str], message: str):
    good = str(written(tmp_path, document(*certificates(*FORK))))
    ended = command("evidence", *(text.format(good=good, tmp=tmp_path) for text in arguments))
    assert ended.code == 2
    assert message in ended.err
    assert ended.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["evidence.json"]


def test_ideal_signatures_are_no_evidence(command: Command, tmp_path: Path):
    ended = command("evidence", str(written(tmp_path, document() | {"crypto": "ideal"})))
    assert "which anyone can forge" in ended.out

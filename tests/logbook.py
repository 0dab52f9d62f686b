"""Logs for the tests: of played scenarios, and made by hand."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from immutables import Map

from linera_invariants.bench import setup_of, transfers
from linera_invariants.logs.check import STRICT, CheckReport, Options, check_logs
from linera_invariants.logs.record import EVERYTHING, Recording, event_line, header_line, logs_of, write_logs
from linera_invariants.play import Run, play_scenario
from linera_invariants.scenarios import find_scenario, read_scenario
from linera_reference.block import Block, ExecutedBlock, Transaction
from linera_reference.certificate import Certificate, Kind, Vote, sign_vote
from linera_reference.crypto import IdealScheme
from linera_reference.execution import execute_block
from linera_reference.identifiers import ChainId
from linera_reference.network import Network
from linera_reference.notation import evolve
from linera_reference.ownership import add_owner
from linera_reference.rejections import Accepted
from linera_reference.request import sign_request
from linera_reference.validator import Genesis, genesis_chain, payload_of

NO_STATES = Recording(states=False)
NO_DELIVERIES, LEAST = Recording(deliveries=False), Recording(deliveries=False, states=False)
RECORDINGS = (EVERYTHING, NO_STATES, NO_DELIVERIES, LEAST)


@cache
def played(name: str, crypto: str = "ideal") -> Run:
    """Play a shipped scenario."""
    return play_scenario(read_scenario(find_scenario(name)), crypto)


def recorded(folder: Path, name: str, recording: Recording = EVERYTHING, crypto: str = "ideal") -> list[Path]:
    """Write the logs of a shipped scenario."""
    return write_logs(folder, name, logs_of(played(name, crypto), recording))


def checked(paths: Sequence[Path], options: Options = STRICT, jobs: int = 1) -> CheckReport:
    """Check logs."""
    return check_logs(paths, options, jobs)


# --- By hand: two chains and one in rounds, four validators, ideal signatures -------------------------------------

SETUP = setup_of(IdealScheme())
IN_ROUNDS = evolve(SETUP.genesis((2,)), owner=add_owner(None, SETUP.owner.public_key))
GENESIS = Genesis(SETUP.context.committee, (SETUP.genesis((0,)), SETUP.genesis((1,)), IN_ROUNDS))
NETWORK = Network(SETUP.context, GENESIS, Map())


def first_block(recipient: ChainId, place: int = 0) -> ExecutedBlock:
    """Return a first block of the chain; another recipient makes a rival."""
    block = Block((place,), 0, None, transfers([recipient], 1))
    return execute_block(SETUP.context, genesis_chain(GENESIS.chains[place]), block).executed


def vote_of(number: int, executed: ExecutedBlock, kind: Kind = Kind.CONFIRMED, round: int = 0) -> Vote:
    """Let a validator vote."""
    return sign_vote(SETUP.context.scheme, SETUP.validators[number], payload_of(SETUP.context, executed, kind, round))


def voted(executed: ExecutedBlock, number: int, kind: Kind = Kind.CONFIRMED, round: int = 0) -> bytes:
    """Return the line of a request and a validator's vote."""
    request = sign_request(SETUP.context.scheme, SETUP.owner, executed.block, round)
    return event_line(request, Accepted(None, (vote_of(number, executed, kind, round),)))


def certified(executed: ExecutedBlock, *signers: int, round: int = 0) -> bytes:
    """Return the line of a certificate with the votes of some validators."""
    return event_line(certificate_of(executed, *signers, round=round), Accepted(None))


def locked(executed: ExecutedBlock, number: int, *signers: int, round: int = 0) -> bytes:
    """Return the line of a validated certificate and a validator's final vote."""
    certificate = certificate_of(executed, *signers, kind=Kind.VALIDATED, round=round)
    return event_line(certificate, Accepted(None, (vote_of(number, executed, round=round),)))


def certificate_of(executed: ExecutedBlock, *signers: int, kind: Kind = Kind.CONFIRMED, round: int = 0) -> Certificate:
    """Return a certificate with the votes of some validators."""
    votes = (vote_of(number, executed, kind, round) for number in signers)
    return Certificate(executed, kind, round, tuple((vote.validator, vote.signature) for vote in votes))


def extended(place: int, *blocks: tuple[Transaction, ...]) -> list[bytes]:
    """Return the lines of certificates that extend a genesis chain, with the votes of all validators but the last."""
    cell, lines = genesis_chain(GENESIS.chains[place]), []
    for transactions in blocks:
        cell, certificate = SETUP.certify(cell, transactions)
        lines.append(event_line(certificate, Accepted(None)))
    return lines


def log_of(path: Path, number: int, *lines: bytes) -> Path:
    """Write the log of a validator, without deliveries."""
    head = header_line(NETWORK, "ideal", SETUP.validators[number].public_key, deliveries=False)
    path.write_bytes(head + b"".join(lines))
    return path

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
from linera_reference.block import Block, ExecutedBlock, Transaction, sign_request
from linera_reference.certificate import Certificate, Kind, sign_vote
from linera_reference.crypto import IdealScheme
from linera_reference.execution import execute_block
from linera_reference.identifiers import ChainId
from linera_reference.network import Network
from linera_reference.rejections import Accepted
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


# --- By hand: two chains, four validators, ideal signatures -------------------------------------------------------

SETUP = setup_of(IdealScheme())
GENESIS = Genesis(SETUP.context.committee, (SETUP.genesis((0,)), SETUP.genesis((1,))))
NETWORK = Network(SETUP.context, GENESIS, Map())


def first_block(recipient: ChainId) -> ExecutedBlock:
    """Return a first block of the chain; another recipient makes a rival."""
    block = Block((0,), 0, None, transfers([recipient], 1))
    return execute_block(SETUP.context, genesis_chain(GENESIS.chains[0]), block).executed


def voted(executed: ExecutedBlock, number: int) -> bytes:
    """Return the line of a request and a validator's vote."""
    request = sign_request(SETUP.context.scheme, SETUP.owner, executed.block)
    vote = sign_vote(SETUP.context.scheme, SETUP.validators[number], payload_of(SETUP.context, executed))
    return event_line(request, Accepted(None, (vote,)))


def certified(executed: ExecutedBlock, *signers: int) -> bytes:
    """Return the line of a certificate with the votes of some validators."""
    payload = payload_of(SETUP.context, executed)
    votes = (sign_vote(SETUP.context.scheme, SETUP.validators[number], payload) for number in signers)
    signatures = tuple((vote.validator, vote.signature) for vote in votes)
    return event_line(Certificate(executed, Kind.CONFIRMED, 0, signatures), Accepted(None))


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

"""Runs of which the tests make traces: the shipped scenarios, and an attack on a broken variant."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from immutables import Map

from linera_invariants.driver import Driver
from linera_invariants.mutation import applied, broken
from linera_invariants.play import play_scenario
from linera_invariants.registry import check_step
from linera_invariants.scenarios import find_scenario, read_scenario
from linera_invariants.story import Event, Remark
from linera_invariants.traces import broken_rule, trace_of
from linera_invariants.verify import broken_variants
from linera_reference.application import Balance, Token, burn
from linera_reference.block import Block, Execute
from linera_reference.committee import make_committee
from linera_reference.context import Context
from linera_reference.crypto import IdealScheme, make_signer
from linera_reference.network import CastVote, Certify, Deliver, Network, Propose, initial_world
from linera_reference.request import sign_request
from linera_reference.validator import Genesis, GenesisChain, payload_of

SCHEME = IdealScheme()
VALIDATORS = ("v1", "v2", "v3", "v4")
KEYS = {name: make_signer(SCHEME, name.encode().ljust(32)) for name in (*VALIDATORS, "mallory")}
CHAIN = (0,)
VARIANT = "vote-twice"
HOSTILE = "</text><script>alert(1)</script>\"'<img src=x onerror=alert(2)>&amp;{text}"


def hostile(text: str) -> str:
    """Make a text that would be markup where it is not escaped."""
    return HOSTILE.format(text=text)[-60:]


@cache
def scenario(name: str) -> dict[str, Any]:
    """Return the trace of a shipped scenario."""
    return play_scenario(read_scenario(find_scenario(name)), "ideal").trace()


def network() -> Network:
    """Four validators, the last one Byzantine, and a chain of mallory's."""
    committee = make_committee((KEYS[name].public_key, 1) for name in VALIDATORS)
    genesis = Genesis(committee, (GenesisChain(CHAIN, KEYS["mallory"].public_key, Balance(9)),))
    signers = Map((KEYS[name].public_key, KEYS[name]) for name in VALIDATORS)
    return Network(Context(SCHEME, Token(), committee), genesis, signers, frozenset({KEYS["v4"].public_key}))


def attack_events(shown: Callable[[str], str] = str) -> list[Event]:
    """Let mallory get two blocks of one height certified, where validators vote twice, up to the first violation."""
    events: list[Event] = [Remark(shown("mallory shows two blocks to everybody"))]

    def observe(before: Any, step: Any, after: Any) -> None:
        if not any(event for event in events if not isinstance(event, Remark) and hasattr(event, "statement")):
            events.extend((step, *check_step(driver.network, before, step, after, ["S4"])))

    driver = Driver(network(), initial_world(network()), observe=observe, settling=False)
    for amount in (1, 2):
        request = sign_request(SCHEME, KEYS["mallory"], Block(CHAIN, 0, None, (Execute(burn(amount)),)))
        driver.act(Propose(request))
        for name in ("v1", "v2", "v4"):
            driver.act(Deliver(KEYS[name].public_key, request))
        executed = driver.world.validators[KEYS["v1"].public_key].chains[CHAIN].localized.pending
        driver.act(CastVote(KEYS["v4"].public_key, payload_of(driver.network.context, executed)))
        driver.act(Certify(executed, tuple(KEYS[name].public_key for name in ("v1", "v2", "v4"))))
    return events


def attack(shown: Callable[[str], str] = str) -> dict[str, Any]:
    """Return the trace of the attack; ``shown`` may change every text that a caller chooses."""
    mutant, rule = broken(VARIANT), broken_variants()[VARIANT]["sentence"]
    names: Mapping[bytes, str] = {signer.public_key: shown(name) for name, signer in KEYS.items()}
    with applied(mutant):
        events = attack_events(shown)
        edit = broken_rule(shown(rule), mutant)
        return trace_of(network(), events, shown("Two certificates"), names, shown("a test"), edit)

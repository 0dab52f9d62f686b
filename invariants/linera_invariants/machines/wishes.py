"""What owners wish for, as small data that Hypothesis draws and shrinks, and the transactions that grant it."""

from collections.abc import Iterable, Iterator, Sequence

from attrs import evolve, frozen
from hypothesis import strategies as st

from linera_reference.application import burn, transfer
from linera_reference.block import (
    AddOwner,
    ChangeKey,
    CloseChain,
    Execute,
    OpenChain,
    Receive,
    RemoveOwner,
    Transaction,
)
from linera_reference.chain import Chain
from linera_reference.client import receive_waiting
from linera_reference.identifiers import ChainId
from linera_reference.messages import Message, User
from linera_reference.notation import PublicKey


@frozen
class Wish:
    """A kind of transaction, and a number that says whom or how much it concerns."""

    kind: str
    number: int = 0


SOUND = ("transfer", "transfer", "transfer", "receive", "receive", "receive", "open", "burn", "key", "nothing")
ABOUT_MESSAGES = ("receive twice", "forge")
INVALID = ("wrong child", "overspend", "zero", "junk", *ABOUT_MESSAGES)
WILD = (*INVALID, "early transfer", "close")
SHARING = ("join", "leave")

NUMBER = st.integers(0, 7)
MOSTLY = st.integers(0, 3).map(lambda n: n > 0)
BLUNDER = st.builds(Wish, st.sampled_from(INVALID), NUMBER)
SELDOM = st.integers(0, 7).map(lambda n: n == 7)
KIND = st.one_of([st.sampled_from(SOUND)] * 7 + [st.sampled_from(WILD)])
WISHES = st.lists(st.builds(Wish, KIND, NUMBER), max_size=3)
WISHES_OF_SEVERAL = st.lists(st.builds(Wish, st.sampled_from(("burn", "burn", "key", *SHARING)), NUMBER), max_size=2)


@frozen
class Surroundings:
    """What a wish may concern: the chains that exist, and the users who may own one."""

    chains: Sequence[ChainId]
    users: Sequence[PublicKey]

    def grant(self, chain: Chain, wishes: Iterable[Wish]) -> tuple[Transaction, ...]:
        """Return the transactions that wishes stand for, on top of a view of a chain."""
        found: list[Transaction] = []
        for wish in wishes:
            index = chain.consistent.tx_count + len(found)
            found += self.wild(chain, wish, index) if wish.kind in WILD else self.sound(chain, wish, index)
        return tuple(found)

    def sound(self, chain: Chain, wish: Wish, index: int) -> Iterator[Transaction]:
        """Walk transactions that are valid where the chain has the means."""
        number = wish.number
        user = self.users[number % len(self.users)]
        match wish.kind:
            case "transfer":
                yield Execute(transfer(self.chains[number % len(self.chains)], 1 + number % 3))
            case "receive":
                yield from receive_waiting(chain)[max(0, number - 5) :][:2]
            case "open":
                yield OpenChain((*chain.chain_id, index), user)
                yield Execute(transfer((*chain.chain_id, index), 1))
            case "key":
                yield ChangeKey(user)
            case "join":
                yield AddOwner(user)
            case "leave":
                yield RemoveOwner(user)
            case "burn":
                yield Execute(burn(1 + number % 2))

    def wild(self, chain: Chain, wish: Wish, index: int) -> Iterator[Transaction]:
        """Walk transactions that are invalid, final, or lead nowhere for a while."""
        number = wish.number
        match wish.kind:
            case "early transfer":
                parent = self.chains[number % len(self.chains)]
                yield Execute(transfer((*parent, chain.consistent.tx_count + number % 3), 1))
            case "wrong child":
                yield OpenChain((*chain.chain_id, index + 1), self.users[0])
            case "receive twice":
                yield from receive_waiting(chain, 1) * 2
            case "forge":
                yield Receive(evolve(first_waiting(chain), content=User(b"forged")))
            case "close":
                yield CloseChain()
            case _:
                yield Execute({"overspend": burn(10**6), "zero": burn(0)}.get(wish.kind, b"junk"))


def first_waiting(chain: Chain) -> Message:
    """Return the first message that waits, or one that nobody sent."""
    found = receive_waiting(chain, 1)
    return found[0].message if found else Message((0,), 0, 0, bytes(32), User(b""))

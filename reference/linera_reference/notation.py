"""Notation of the whitepaper (section 2.3): exact integers, byte strings, data types, and links to clauses.

``⊥`` is ``None``. A data type ⟨Tag, arg₁, …⟩ is a frozen ``attrs`` record whose class name is the tag. Its field
annotations say how it is encoded (:mod:`linera_reference.encoding`).
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, TypeVar

from attrs import fields, frozen

F = TypeVar("F", bound=Callable[..., Any])


@frozen
class Bits:
    """Width of an unsigned integer, in bits."""

    width: int


@frozen
class Size:
    """Length of a fixed byte string, in bytes."""

    length: int


u8: TypeAlias = Annotated[int, Bits(8)]
u32: TypeAlias = Annotated[int, Bits(32)]
u64: TypeAlias = Annotated[int, Bits(64)]
u128: TypeAlias = Annotated[int, Bits(128)]

MAX_U32: Final = 2**32 - 1
MAX_U64: Final = 2**64 - 1
MAX_U128: Final = 2**128 - 1

Hash: TypeAlias = Annotated[bytes, Size(32)]
PublicKey: TypeAlias = Annotated[bytes, Size(32)]
Signature: TypeAlias = Annotated[bytes, Size(64)]

SYMBOLS: Final = (
    ("α, β", "validator, local node", "Validator, LocalNode"),
    ("⊥", "no value", "None"),
    ("N", "total voting rights", "Committee.total"),
    ("f", "bound on Byzantine voting rights", "committee.max_faulty"),
    ("id :: n", "child identifier", "identifiers.child"),
    ("hash(·)", "collision-resistant hash", "crypto.Scheme.hash"),
    ("sign[·]", "signature", "crypto.Scheme.sign"),
    ("auth[B]", "request: block signed by an owner", "request.Request"),
    ("cert[B]", "certificate: quorum of votes", "certificate.Certificate"),
    ("owner^id(α)", "who may propose", "chain.Consistent.owner"),
    ("next-height^id(α)", "expected height", "chain.Consistent.next_height"),
    ("block-hash^id(α)", "hash of the previous block", "chain.Consistent.block_hash"),
    ("state^id(α)", "execution state", "chain.Consistent.state"),
    ("pending^id(α)", "block voted for", "chain.Localized.pending"),
    ("{pk₁, …, pkₙ}", "several owners", "ownership.Owners"),
    ("received^id(α)", "blocks that sent messages here", "chain.Localized.received"),
    ("inbox^id(α)", "messages received or anticipated", "inbox.Inbox"),
    ("I₊, I₋", "received and not consumed; consumed and not received", "inbox.TwoSetInbox"),
)
"""The symbol table: symbol, meaning, name in the code."""


def rule(*clauses: str) -> Callable[[F], F]:
    """Name the clauses that a public rule implements, for programs to read (``__clauses__``)."""

    def mark(function: F) -> F:
        function.__clauses__ = clauses  # type: ignore[attr-defined]
        return function

    return mark


def support(function: F) -> F:
    """Mark a public helper that implements no clause by itself."""
    return rule()(function)


if TYPE_CHECKING:
    from attrs import evolve as evolve  # noqa: PLC0414 - re-exported with the types of attrs
else:

    @cache
    def _replacer(kind: type, names: tuple[str, ...]) -> Callable[..., Any]:
        known = [field.name for field in fields(kind)]
        if not set(names) <= set(known):
            raise TypeError(f"{kind.__name__} has no field {', '.join(set(names) - set(known))}")
        values = (name if name in names else f"__record.{name}" for name in known)
        source = f"lambda {', '.join(('__record', *names))}: __kind({', '.join(values)})"
        return eval(source, {"__kind": kind})  # noqa: S307 - made of field names only

    @support
    def evolve(record: Any, **changes: Any) -> Any:
        """Do what ``attrs.evolve`` does, compiled once per record type and set of fields: the core lives on it."""
        return _replacer(type(record), tuple(changes))(record, *changes.values())

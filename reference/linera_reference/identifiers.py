"""Chain identifiers as sequences of numbers (section 2.4)."""

from typing import Final, TypeAlias

from attrs import frozen

from .notation import MAX_U64, Hash, rule, support, u32, u64
from .rejections import Reason, require

ChainId: TypeAlias = tuple[u64, ...]
"""[n₁, …, n_k] with 1 ≤ k ≤ K_MAX, each number below 2⁶⁴."""

K_MAX: Final = 16
"""Greatest length of an identifier (decision D27)."""


@rule("WP-2.4-IDENTIFIER")
def is_identifier(chain_id: ChainId) -> bool:
    """Whether a sequence of numbers can name a chain. Section 2.4."""
    return 1 <= len(chain_id) <= K_MAX and min(chain_id) >= 0 and max(chain_id) <= MAX_U64


@rule("WP-2.4-CHILD")
def child(parent_id: ChainId, index: u64) -> ChainId:
    """Return ``parent_id :: index``. Rejects: INVALID_NEW_CHAIN_ID at length K_MAX or beyond 64 bits. Section 2.4."""
    require(len(parent_id) < K_MAX, Reason.INVALID_NEW_CHAIN_ID, parent_id)  # ALG1-18
    require(0 <= index <= MAX_U64, Reason.INVALID_NEW_CHAIN_ID, index)  # ALG1-19
    return (*parent_id, index)


@support
def parent(chain_id: ChainId) -> ChainId | None:
    """Return the parent, ⊥ for an identifier of one number."""
    return chain_id[:-1] or None


@support
def is_ancestor(ancestor: ChainId, chain_id: ChainId) -> bool:
    """Whether ``ancestor`` is a strict prefix of ``chain_id``."""
    return len(ancestor) < len(chain_id) and chain_id[: len(ancestor)] == ancestor


@frozen
class Root:
    """Variant 0 of the public implementation's chain description."""

    index: u32


@frozen
class Child:
    """Variant 1 of the public implementation's chain description."""

    parent: Hash
    height: u64
    index: u32


@frozen
class ChainDescription:
    """How the public implementation names chains; here only to check encoding and hash against its values."""

    origin: Root | Child

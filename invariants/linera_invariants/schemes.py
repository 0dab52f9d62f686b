"""The signature schemes by name."""

from typing import Final

from linera_reference.crypto import Ed25519Scheme, IdealScheme, Scheme

SCHEMES: Final[dict[str, Scheme]] = {"ed25519": Ed25519Scheme(), "ideal": IdealScheme()}

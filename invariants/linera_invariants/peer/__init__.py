"""Peer vectors: facts from the public implementation's own unit tests, replayed against the reference."""

from .loader import Difference, Expectations, Later, peer_folder, read_expectations, read_folder, read_vectors
from .model import Vector
from .replay import PeerReport, Status, VectorResult, replay, replay_all

__all__ = [
    "Difference",
    "Expectations",
    "Later",
    "PeerReport",
    "Status",
    "Vector",
    "VectorResult",
    "peer_folder",
    "read_expectations",
    "read_folder",
    "read_vectors",
    "replay",
    "replay_all",
]

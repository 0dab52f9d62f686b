"""The Linera protocol as pure, executable rules: data types, transitions and the network model."""

__version__ = "0.1.0"

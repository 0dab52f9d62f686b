"""What is checked about the reference: statements, machines, vectors, and the command line."""

from linera_reference import __version__

__all__ = ["__version__"]

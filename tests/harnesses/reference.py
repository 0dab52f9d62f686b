"""The reference as a harness: python tests/harnesses/reference.py."""

from linera_invariants.conform.reference import answer, main

__all__ = ["answer", "main"]

if __name__ == "__main__":
    main()

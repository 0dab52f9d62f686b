"""Local contracts: what the shipped functions do, proved by running them on symbolic values."""

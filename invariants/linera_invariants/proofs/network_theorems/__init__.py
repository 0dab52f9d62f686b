"""Global theorems: what follows for any number of validators, chains, heights and messages."""

"""The formal predicates, by theme. Importing this package registers them all."""

from . import accountability, agreement, arithmetic, chains, delivery, laws, liveness, mailboxes, rounds

__all__ = ["accountability", "agreement", "arithmetic", "chains", "delivery", "laws", "liveness", "mailboxes", "rounds"]

"""The cases of each area: a module per area with ``ABOUT`` and ``cases()``."""

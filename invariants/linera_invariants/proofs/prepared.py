"""Imported by the process that workers are copies of: all proofs are loaded, and no term has been made for one of them.

So the terms of an entry, and the text of its queries, do not depend on what was proved before.
"""

from contextlib import suppress

from .theorems import proofs

with suppress(Exception):  # a worker meets it again, and reports it
    proofs()

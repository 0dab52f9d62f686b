"""Conformance: vectors against an implementation behind the harness protocol (``spec/vectors/v1/HARNESS.md``).

:mod:`.lines` knows the protocol, :mod:`.copies` runs the processes and survives them, :mod:`.judge` compares answers
with vectors, :mod:`.lists` reads what implementers keep, :mod:`.command` puts it together, and :mod:`.check` looks at
a harness alone.
"""

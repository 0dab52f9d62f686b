"""Conformance vectors: cases made by the reference, as data for implementations in any language.

A vector is one call of an operation (:mod:`.operations`): arguments and expectation in JSON form (:mod:`.forms`).
:mod:`.cases` has a module per area; :mod:`.build` writes the files of ``spec/vectors/v1``, :mod:`.files` reads them,
and :mod:`.kills` grades them with mutants of the core.
"""

"""Logs of running validators, checked against the reference event by event.

:mod:`.lines` reads the format (``spec/schemas/log.schema.json``), :mod:`.memory` keeps what replaying costs small,
:mod:`.replayer` replays one validator, :mod:`.deliveries` finds deliveries between chains that were not logged,
:mod:`.across` compares validators, and :mod:`.check` puts it together. :mod:`.record` makes logs from scenarios and
:mod:`.faults` damages them.
"""

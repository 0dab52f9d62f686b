"""The explorer: every reachable state of a finite configuration, judged by the registered predicates.

A model file (:mod:`.model`) says who takes part and what may be sent. :mod:`.system` calls the reference once per
distinct part of a state and action; :mod:`.tables` searches level by level on packed integers. :mod:`.naive` visits
the same states as whole worlds, with nothing but ``network.step``: the two must agree.
"""

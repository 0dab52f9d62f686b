"""The parameters of every transition: profile, cryptography, application, committee, role of the node."""

from attrs import frozen

from .application import Application
from .committee import Committee
from .crypto import Scheme
from .rules import BASELINE, Rules


@frozen
class Context:
    """What handlers take as given.

    ``tracks_inactive`` is the role of a client's local node, which accepts deliveries for chains that it has not seen
    created yet (decision D33); validators do not.
    """

    scheme: Scheme
    application: Application
    committee: Committee
    rules: Rules = BASELINE
    tracks_inactive: bool = False

"""What an adapter may use: the parts of a region that handlers and capabilities are handed, and nothing else of it.

The frame, its rest, the gauges and the sockets are not among them: whoever only decodes, calls an action and answers has no
business there. It is made last, by `simulator.py`, and never changes (docs/decisions/0028).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim.region import OfRegion, Region

if TYPE_CHECKING:
    from assets.client import AssetClient
    from backbone.client import BackboneClient
    from sim.actions.sit import Seating
    from sim.attachments import Attachments
    from sim.caps.server import CapServer
    from sim.circuits.circuits import Circuits
    from sim.giving import Giving
    from sim.handlers.xfer import Xfers
    from sim.interest.interest import Interest
    from sim.money import Money
    from sim.moves import Moves
    from sim.names import Names
    from sim.neighbours.neighbours import Neighbours
    from sim.physics.autopilot import Autopilot
    from sim.physics.bodies import Bodies
    from sim.scripts.inworld import Scripts
    from sim.sessions import Sessions
    from sim.storage.keeping import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts(OfRegion):
    region: Region
    backbone: BackboneClient
    assets: AssetClient
    names: Names
    storage: Storage
    circuits: Circuits
    bodies: Bodies
    scripts: Scripts
    seating: Seating
    interest: Interest
    cap_server: CapServer
    sessions: Sessions
    neighbours: Neighbours
    attachments: Attachments
    xfers: Xfers
    autopilot: Autopilot
    giving: Giving
    moves: Moves
    money: Money

"""The ground, shaped by viewers.

ModifyLand says a deed, a strength (seconds that the button was held, times the slider), the height that levelling goes to, and
places: a point (west = east, south = north) is the middle of a brush, anything else a rectangle. The brush's radius comes twice:
as 0, 1 or 2 for 1, 2 or 4 m from old viewers, and in metres in an extended block, which wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from protocol.message import Message
from sim.actions.may import actor_of
from sim.actions.outcome import Refused
from sim.actions.terraform import Stroke, shape, undo
from sim.handlers import COSTLY, NEAR, Rate, handles
from sim.handlers.editors import tell
from sim.world.brushes import Deed

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

SHAPE = Rate("ground", 60.0, 240.0)  # a viewer sends one a frame while the button is down
OLD_BRUSHES = (1.0, 2.0, 4.0)  # metres
MOST_PLACES = 8  # in one message; viewers send one


@handles("ModifyLand", state=NEAR, rate=SHAPE)
def modify_land(sim: Parts, agent: Agent, message: Message) -> None:
    block, sizes = message["ModifyBlock"], message["ModifyBlockExtended"]
    if block["Action"] not in Deed.__members__.values():
        tell(sim, agent, Refused("", "malformed"))
        return
    for number, place in enumerate(message["ParcelData"][:MOST_PLACES]):
        old = OLD_BRUSHES[min(block["BrushSize"], len(OLD_BRUSHES) - 1)]
        radius = sizes[number]["BrushSize"] if number < len(sizes) else old
        stroke = Stroke(
            Deed(block["Action"]), block["Seconds"], block["Height"], place["West"], place["South"], place["East"], place["North"],
            radius, place["LocalID"],
        )  # fmt: skip
        refused = shape(sim.region, actor_of(agent), agent.undo.ground, stroke)
        if refused is not None:
            tell(sim, agent, refused)


@handles("UndoLand", state=NEAR, rate=COSTLY)
def undo_land(sim: Parts, agent: Agent, message: Message) -> None:
    refused = undo(sim.region, actor_of(agent), agent.undo.ground)
    if refused is not None:
        tell(sim, agent, refused)

"""What a viewer asks about objects: cost, shape, materials. Of an id that is no object here, nothing is said."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

from sim.caps import CapRequest, Refused, as_uuid, capability

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent

IDS_LIMIT = 500
NO_MATERIALS = zlib.compress(b"[\x00\x00\x00\x00]")  # an empty array in binary LLSD, without its header


def _check_ids(request: CapRequest, key: str) -> None:
    listed = request.llsd(dict).get(key, [])
    if not isinstance(listed, list):
        raise Refused(400, f"{key} must be a list")
    if len(listed) > IDS_LIMIT:
        raise Refused(413, f"at most {IDS_LIMIT} objects a request")
    for entry in listed:
        as_uuid(entry)


@capability("GetObjectCost")
async def get_object_cost(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """Cost by object id, for the objects there are; a region of this kind holds none."""
    _check_ids(request, "object_ids")
    return {}


@capability("GetObjectPhysicsData")
async def get_object_physics_data(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    _check_ids(request, "object_ids")
    return {}


@capability("ResourceCostSelected")
async def resource_cost_selected(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """The sum over the selected objects that are here."""
    for key in ("selected_roots", "selected_prims"):
        _check_ids(request, key)
    return {"selected": {"physics": 0.0, "streaming": 0.0, "simulation": 0.0}}


@capability("RenderMaterials", "GET", "POST", "PUT", per_second=10, burst=50)
async def render_materials(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """Materials of the ids asked for, or all: no surface here has one. The body is not unpacked to learn that."""
    return {"Zipped": NO_MATERIALS}

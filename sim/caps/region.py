"""What this region can do and how it lies in the world, by capability."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import web

from protocol import llsd
from protocol.errors import ProtocolError
from protocol.wellknown import NULL
from sim.actions.land import change_parcel
from sim.actions.may import actor_of
from sim.actions.speak import SAY, SHOUT, WHISPER
from sim.caps import CapRequest, Refused, as_uuid, capability
from sim.handlers.map import handle_of_region
from sim.handlers.parcels import parcel_by_local_id, place_in

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.world.agent import Agent


@capability("SimulatorFeatures", "GET", "POST")
async def simulator_features(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """What a viewer may offer its user here."""
    whisper, say, shout = (int(voice.reach) for voice in (WHISPER, SAY, SHOUT))
    return {
        "AvatarHoverHeightEnabled": True,
        "BakesOnMeshEnabled": False,
        "MaxAgentGroups": 0,
        "MaxAgentGroupsBasic": 0,
        "MaxAgentGroupsPremium": 0,
        "MeshRezEnabled": True,
        "MeshUploadEnabled": False,
        "MeshXferEnabled": True,
        "PhysicsMaterialsEnabled": True,
        "PhysicsShapeTypes": {"convex": True, "none": True, "prim": True},
        "OpenSimExtras": {"whisper-range": whisper, "say-range": say, "shout-range": shout},
    }


@capability("MapLayer")
async def map_layer(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """Old viewers ask for one picture of the whole world; regions have a tile each instead."""
    return {"AgentData": {"Flags": 0}, "LayerData": []}


@capability("DispatchRegionInfo", per_second=1, burst=5)
async def dispatch_region_info(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """The region window's settings. They are set where the grid is run, not in the world."""
    raise Refused(403, "this region's owner sets it up outside of the world")


@capability("ServerReleaseNotes", "GET", "POST")
async def server_release_notes(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    page = "<!doctype html><title>Mainland</title><h1>Mainland 0.1</h1><p>A grid of regions you can walk in.</p>"
    return web.Response(text=page, content_type="text/html")


# --- parcels


@capability("RemoteParcelRequest")
async def remote_parcel_request(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """The parcel at a place anywhere in the grid, for landmarks and place profiles."""
    body = request.llsd(dict)
    location = body.get("location")
    if not isinstance(location, list) or len(location) < 2:
        raise Refused(400, "location must be three numbers")
    if not all(isinstance(part, int | float) for part in location):
        raise Refused(400, "location must be three numbers")
    handle = 0
    try:
        if body.get("region_handle"):
            handle = llsd.unsigned(body["region_handle"])
    except ProtocolError as error:
        raise Refused(400, "region_handle must be eight bytes") from error
    if not handle and body.get("region_id"):
        handle = handle_of_region(sim, as_uuid(body["region_id"])) or 0
    parcel_id = place_in(sim, handle, location[0] % 256, location[1] % 256) if handle else None
    return {"parcel_id": parcel_id or NULL}


# LLSD name -> Parcel field and type.
_TEXTS = {"name": "name", "description": "description", "music_url": "music_url", "media_url": "media_url"}
_VECTORS = {"user_location": "landing_position", "user_look_at": "landing_look_at"}
_NUMBERS = {"landing_type": ("landing_type", 2), "category": ("category", 255), "sale_price": ("sale_price", 0x7FFFFFFF)}


@capability("ParcelPropertiesUpdate", per_second=2, burst=20)
async def parcel_properties_update(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    body = request.llsd(dict)
    parcel = parcel_by_local_id(sim.world, body.get("local_id", 0))
    if parcel is None:
        raise Refused(404, "no such parcel")
    changes: dict[str, Any] = {}
    for key, field in _TEXTS.items():
        if isinstance(body.get(key), str):
            changes[field] = body[key]
    for key, field in _VECTORS.items():
        if key in body:
            changes[field] = _vector(body[key])
    for key, (field, most) in _NUMBERS.items():
        if isinstance(body.get(key), int):
            changes[field] = min(max(int(body[key]), 0), most)
    if body.get("snapshot_id"):
        changes["snapshot_id"] = as_uuid(body["snapshot_id"])
    if body.get("auth_buyer_id") is not None:
        changes["buyer_id"] = as_uuid(body["auth_buyer_id"])
    if "parcel_flags" in body:
        try:
            changes["flags"] = llsd.unsigned(body["parcel_flags"]) & 0xFFFFFFFF
        except ProtocolError as error:
            raise Refused(400, "parcel_flags must be four bytes") from error
    refused = change_parcel(sim.region, actor_of(agent), parcel, changes)
    if refused is not None:
        sim.metrics.count("capability_refused", label=refused.why)
        raise Refused(403, refused.words)
    return {}


def _vector(value: Any) -> tuple[float, float, float]:
    if not isinstance(value, list) or len(value) != 3 or not all(isinstance(part, int | float) for part in value):
        raise Refused(400, "a position is three numbers")
    x, y, z = (float(part) for part in value)
    return x, y, z


@capability("LandResources")
async def land_resources(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    """What scripts on a parcel use is behind two more addresses."""
    return {name: sim.cap_server.url(agent, name) for name in ("ScriptResourceSummary", "ScriptResourceDetails")}


@capability("ScriptResourceSummary", "GET")
async def script_resource_summary(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    return {"summary": no_script_resources()}


@capability("ScriptResourceDetails", "GET")
async def script_resource_details(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    return {"parcels": []}


@capability("AttachmentResources", "GET")
async def attachment_resources(sim: Parts, agent: Agent, request: CapRequest) -> Any:
    return {"attachments": [], "summary": no_script_resources()}


def no_script_resources() -> dict[str, Any]:
    """Nothing runs here, so nothing is used and nothing is to be had."""
    nothing = [{"type": "memory", "amount": 0}, {"type": "urls", "amount": 0}]
    return {"available": nothing, "used": nothing}

"""Parcels as viewers see them: the overlay of borders, and what they ask about a piece of land.

ParcelOverlay: 64 x 64 cells of 4 m, row by row from the south-west corner, in four messages of 1024 bytes. A cell's
byte is the kind of ownership in its low three bits, 0x40 a border on its west side, 0x80 one on its south side. Clients
flood-fill parcels from these lines, so they must be exact.

ParcelProperties goes by the event queue only (`parcel_properties_event`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np

from protocol.events import event
from protocol.message import Message, clip, text
from protocol.wellknown import NULL, REGION_SIZE, grid_of_handle, region_handle
from sim.actions.land import change_parcel
from sim.actions.may import actor_of, most_prims
from sim.handlers import COSTLY, OPEN, QUERY, ROOT, handles
from sim.handlers.editors import tell
from sim.handlers.replies import send
from sim.world.world import Parcel, World

if TYPE_CHECKING:
    from sim.parts import Parts
    from sim.region import Region
    from sim.world.agent import Agent

PUBLIC, OTHERS, OWN = 0, 1, 3
WEST_BORDER, SOUTH_BORDER = 0x40, 0x80
CELL = 4.0  # metres
CELLS = 64

SINGLE, MULTIPLE = 0, 1  # ParcelProperties.RequestResult


def parcel_overlay_messages(world: World, agent: Agent) -> list[Message]:
    """The four ParcelOverlay messages as this agent sees the region."""
    ids = world.parcel_map
    cells = np.zeros((CELLS, CELLS), np.uint8)
    for parcel in world.parcels:
        owner = PUBLIC if parcel.owner_id == NULL else OWN if parcel.owner_id == agent.agent_id else OTHERS
        cells[ids == parcel.local_id] = owner
    west = np.ones((CELLS, CELLS), bool)
    west[:, 1:] = ids[:, 1:] != ids[:, :-1]
    south = np.ones((CELLS, CELLS), bool)
    south[1:] = ids[1:] != ids[:-1]
    cells |= np.where(west, WEST_BORDER, 0).astype(np.uint8)
    cells |= np.where(south, SOUTH_BORDER, 0).astype(np.uint8)
    data = cells.tobytes()
    return [
        Message("ParcelOverlay", ParcelData={"SequenceID": n, "Data": data[n * 1024 : (n + 1) * 1024]})
        for n in range(4)
    ]


def tell_parcel(region: Region, agent: Agent) -> None:
    """Tell an avatar's viewer which parcel it is in, if that has changed since it was last told."""
    x, y, _ = region.world.position(agent)
    parcel = region.world.parcel_at(x, y)
    if agent.events is None or agent.parcel_told == parcel.local_id:
        return
    agent.parcel_told = parcel.local_id
    agent.parcel_sequence += 1
    agent.events.post(parcel_properties_event(region, parcel, agent.parcel_sequence))


def parcel_properties_event(
    region: Region, parcel: Parcel, sequence: int, result: int = SINGLE, snap: bool = False
) -> dict[str, Any]:
    """The ParcelProperties event about a parcel, every key that clients insist on included.

    `sequence`: the request's SequenceID, or for an unasked one a small number that grows.
    """
    rows, columns = np.nonzero(parcel.cells)
    low = (float(columns.min() * CELL), float(rows.min() * CELL), 0.0)
    high = (float((columns.max() + 1) * CELL), float((rows.max() + 1) * CELL), 4096.0)
    data = {
        "RequestResult": result,
        "SequenceID": sequence,
        "SnapSelection": snap,
        "LocalID": parcel.local_id,
        "OwnerID": parcel.owner_id,
        "ClaimDate": parcel.claimed,
        "AABBMin": low,
        "AABBMax": high,
        "Bitmap": np.packbits(parcel.cells.ravel(), bitorder="little").tobytes(),
        "Area": parcel.area,
        "SimWideMaxPrims": region.facts.max_prims,
        "MaxPrims": most_prims(region, parcel),
        "ParcelPrimBonus": 1.0,
        "ParcelFlags": parcel.flags,
        "Name": parcel.name,
        "Desc": parcel.description,
        "MusicURL": parcel.music_url,
        "MediaURL": parcel.media_url,
        "MediaID": parcel.media_id,
        "MediaAutoScale": parcel.media_auto_scale,
        "Category": parcel.category,
        "SalePrice": parcel.sale_price,
        "AuthBuyerID": parcel.buyer_id,
        "SnapshotID": parcel.snapshot_id,
        "UserLocation": parcel.landing_position,
        "UserLookAt": parcel.landing_look_at,
        "LandingType": parcel.landing_type,
        "SeeAVs": True,
        "AnyAVSounds": True,
        "GroupAVSounds": True,
    }
    return event(
        Message(
            "ParcelProperties",
            ParcelData=data,
            MediaData={"MediaType": parcel.media_type},
            AgeVerificationBlock={"RegionDenyAgeUnverified": False},
            RegionAllowAccessBlock={"RegionAllowAccessOverride": True},
            ParcelEnvironmentBlock={"ParcelEnvironmentVersion": -1, "RegionAllowEnvironmentOverride": False},
        )
    )


@handles("ParcelPropertiesRequest", state=OPEN, rate=QUERY)
def parcel_properties_request(sim: Parts, agent: Agent, message: Message) -> None:
    """Which parcel, or whether several, lie in a rectangle; one point counts as a rectangle too."""
    asked = message["ParcelData"]
    if agent.events is None:
        return
    west, east = _cells(asked["West"], asked["East"])
    south, north = _cells(asked["South"], asked["North"])
    touched = np.unique(sim.world.parcel_map[south:north, west:east])
    parcel = parcel_by_local_id(sim.world, int(sim.world.parcel_map[south, west]))
    if parcel is not None:
        result = SINGLE if len(touched) == 1 else MULTIPLE
        answer = parcel_properties_event(sim.region, parcel, asked["SequenceID"], result, asked["SnapSelection"])
        agent.events.post(answer, droppable=True)


def _cells(low: float, high: float) -> tuple[int, int]:
    """Cell range [first, end) of a stretch in metres, at least one cell, inside the region."""
    low, high = min(low, high), max(low, high)
    first = min(max(math.floor(low / CELL), 0), CELLS - 1)
    end = min(max(math.ceil(high / CELL), first + 1), CELLS)
    return first, end


def parcel_by_local_id(world: World, local_id: int) -> Parcel | None:
    return next((parcel for parcel in world.parcels if parcel.local_id == local_id), None)


@handles("ParcelDwellRequest", state=OPEN, rate=QUERY)
def parcel_dwell_request(sim: Parts, agent: Agent, message: Message) -> None:
    """How popular the parcel is, which nobody measures; node-metaverse cannot finish a parcel without an answer."""
    parcel = parcel_by_local_id(sim.world, message["Data"]["LocalID"])
    if parcel is not None:
        data = {"LocalID": parcel.local_id, "ParcelID": parcel.parcel_id, "Dwell": 0.0}
        send(agent, Message("ParcelDwellReply", AgentData={"AgentID": agent.agent_id}, Data=data))


@handles("ParcelAccessListRequest", state=OPEN, rate=QUERY)
def parcel_access_list_request(sim: Parts, agent: Agent, message: Message) -> None:
    asked = message["Data"]
    data = {**asked, "AgentID": agent.agent_id}
    send(agent, Message("ParcelAccessListReply", Data=data, List=[]))


# --- places anywhere in the grid, by an id

# A viewer turns a landmark into a parcel id (RemoteParcelRequest) and asks for that parcel's facts later. The parcel
# may be in a region this one knows only by name, so such an id carries the place itself:
#     U64 region handle | "Mnld" | U16 x | U16 y     big endian, metres in the region
_PLACE_MARK = b"Mnld"


def place_id(handle: int, x: float, y: float) -> UUID:
    """The id of the spot (x, y) in metres in the region of that handle."""
    spot = [min(max(int(part), 0), REGION_SIZE - 1).to_bytes(2, "big") for part in (x, y)]
    return UUID(bytes=handle.to_bytes(8, "big") + _PLACE_MARK + spot[0] + spot[1])


def place_of(parcel_id: UUID) -> tuple[int, int, int] | None:
    """Handle, x, y of an id made by `place_id`; None for any other id."""
    raw = parcel_id.bytes
    if raw[8:12] != _PLACE_MARK:
        return None
    return int.from_bytes(raw[:8], "big"), int.from_bytes(raw[12:14], "big"), int.from_bytes(raw[14:], "big")


@handles("ParcelInfoRequest", state=OPEN, rate=QUERY)
def parcel_info_request(sim: Parts, agent: Agent, message: Message) -> None:
    asked: UUID = message["Data"]["ParcelID"]
    info = _local_info(sim, asked) or _remote_info(sim, asked)
    if info is not None:
        info["ParcelID"] = asked
        send(agent, Message("ParcelInfoReply", AgentData={"AgentID": agent.agent_id}, Data=info))


def _local_info(sim: Parts, asked: UUID) -> dict[str, Any] | None:
    facts = sim.world.facts
    parcel = next((parcel for parcel in sim.world.parcels if parcel.parcel_id == asked), None)
    spot = place_of(asked)
    if parcel is None and spot is not None and spot[0] == facts.handle:
        parcel = sim.world.parcel_at(spot[1], spot[2])
    if parcel is None:
        return None
    return parcel_facts(sim, parcel, spot[1:] if spot is not None else None)


def parcel_facts(sim: Parts, parcel: Parcel, spot: tuple[float, float] | None = None) -> dict[str, Any]:
    """A parcel as replies tell of it to people elsewhere, at a spot of it (metres in the region), by default its middle."""
    if spot is None:
        rows, columns = np.nonzero(parcel.cells)
        spot = float(columns.mean() * CELL), float(rows.mean() * CELL)
    x, y = spot
    west, south = sim.world.facts.corner
    return {
        "OwnerID": parcel.owner_id,
        "Name": clip(parcel.name, 255),
        "Desc": clip(parcel.description, 255),
        "ActualArea": parcel.area,
        "BillableArea": parcel.area,
        "GlobalX": west + x,
        "GlobalY": south + y,
        "GlobalZ": float(sim.world.terrain.height(x, y)),
        "SimName": clip(sim.world.facts.name, 255),
        "SnapshotID": parcel.snapshot_id,
    }


def _remote_info(sim: Parts, asked: UUID) -> dict[str, Any] | None:
    """What the grid's directory knows of a place: its region's name."""
    spot = place_of(asked)
    region = sim.neighbours.regions.get(grid_of_handle(spot[0])) if spot is not None else None
    if spot is None or region is None:
        return None
    return {
        "Name": clip(region.name, 255),
        "SimName": clip(region.name, 255),
        "GlobalX": region.grid_x * REGION_SIZE + spot[1],
        "GlobalY": region.grid_y * REGION_SIZE + spot[2],
        "GlobalZ": region.water_height,
    }


def place_in(sim: Parts, handle: int, x: float, y: float) -> UUID | None:
    """The parcel id to give out for a place: the parcel's own in this region, a `place_id` elsewhere in the grid."""
    if handle == sim.world.facts.handle:
        return sim.world.parcel_at(x, y).parcel_id
    grid = grid_of_handle(handle)
    if grid not in sim.neighbours.regions:
        return None
    return place_id(region_handle(*grid), x, y)


# --- changing a parcel


@handles("ParcelPropertiesUpdate", state=ROOT, rate=COSTLY)
def parcel_properties_update(sim: Parts, agent: Agent, message: Message) -> None:
    data = message["ParcelData"]
    parcel = parcel_by_local_id(sim.world, data["LocalID"])
    if parcel is None:
        return
    changes = {
        "name": text(data["Name"]),
        "description": text(data["Desc"]),
        "music_url": text(data["MusicURL"]),
        "media_url": text(data["MediaURL"]),
        "flags": data["ParcelFlags"],
        "snapshot_id": data["SnapshotID"],
        "landing_type": data["LandingType"] % 3,
        "landing_position": data["UserLocation"],
        "landing_look_at": data["UserLookAt"],
        "category": data["Category"],
        "sale_price": data["SalePrice"],
        "buyer_id": data["AuthBuyerID"],
    }
    refused = change_parcel(sim.region, actor_of(agent), parcel, changes)
    if refused is not None:
        tell(sim, agent, refused)

"""The world map: which regions there are, where a name lies, who is where.

What this region knows of the others is the directory in `sim.neighbours.regions`: (grid x, grid y) -> the region's
record as Backbone gives it. Itself it always knows, also before the directory has come.

A full viewer throws MapBlockReply away unless its Flags are those it sent, less 0x10000; every request is answered, if
only by a block that says "nothing here" (Access 255): clients stall without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from backbone.client import BackboneError
from protocol.message import Message, clip, text
from protocol.wellknown import NULL, REGION_SIZE, grid_of_handle
from sim.handlers import OPEN, QUERY, handles
from sim.handlers.replies import ask, packets, send, start

if TYPE_CHECKING:
    from sim.neighbours.records import RegionRecord
    from sim.parts import Parts
    from sim.world.agent import Agent

NOWHERE = 255  # Access of a place without a region
RETURN_EMPTY = 0x10000  # Flags: also say which places have none
AREA_LIMIT = 1024  # blocks an area request is answered with, the nearest first
NAME_LIMIT = 100  # matches of a name
AGENTS = 6  # ItemType
SPOT = 8.0  # metres: avatars this close are one dot on the map

Grid = tuple[int, int]


def region_blocks(sim: Parts) -> dict[Grid, dict[str, Any]]:
    """A MapBlockReply.Data block a region of the grid, this one included."""
    blocks = {grid: _block(region) for grid, region in sim.neighbours.regions.items()}
    facts = sim.world.facts
    blocks[facts.grid_x, facts.grid_y] = {
        "X": facts.grid_x,
        "Y": facts.grid_y,
        "Name": clip(facts.name, 64),
        "Access": facts.access,
        "RegionFlags": facts.flags,
        "WaterHeight": int(facts.water_height),
        "Agents": min(sum(1 for _ in sim.world.roots()), 255),
        "MapImageID": facts.map_image_id,
    }
    return blocks


def _block(region: RegionRecord) -> dict[str, Any]:
    return {
        "X": region.grid_x,
        "Y": region.grid_y,
        "Name": clip(region.name, 64),
        "Access": region.access,
        "RegionFlags": 0,
        "WaterHeight": int(region.water_height),
        "Agents": min(region.agents, 255),
        "MapImageID": region.map_image_id,
    }


def _nowhere(x: int, y: int, name: str = "") -> dict[str, Any]:
    return {"X": x, "Y": y, "Name": clip(name, 255), "Access": NOWHERE, "MapImageID": NULL}


def _reply(agent: Agent, flags: int, blocks: list[dict[str, Any]]) -> None:
    for batch in packets(blocks, lambda block: 32 + len(block["Name"])):
        message = Message(
            "MapBlockReply",
            AgentData={"AgentID": agent.agent_id, "Flags": flags & ~RETURN_EMPTY},
            Data=batch,
            Size=[{"SizeX": REGION_SIZE, "SizeY": REGION_SIZE}] * len(batch),
        )
        send(agent, message)


@handles("MapBlockRequest", state=OPEN, rate=QUERY)
def map_block_request(sim: Parts, agent: Agent, message: Message) -> None:
    """The regions of a rectangle."""
    area = message["PositionData"]
    flags = message["AgentData"]["Flags"]
    low_x, high_x = sorted((area["MinX"], area["MaxX"]))
    low_y, high_y = sorted((area["MinY"], area["MaxY"]))
    known = region_blocks(sim)
    found = [block for (x, y), block in known.items() if low_x <= x <= high_x and low_y <= y <= high_y]
    if flags & RETURN_EMPTY and (high_x - low_x + 1) * (high_y - low_y + 1) <= AREA_LIMIT:
        squares = ((x, y) for y in range(low_y, high_y + 1) for x in range(low_x, high_x + 1))
        found += [_nowhere(x, y) for x, y in squares if (x, y) not in known]
    here = sim.world.facts
    found.sort(key=lambda block: (block["X"] - here.grid_x) ** 2 + (block["Y"] - here.grid_y) ** 2)
    _reply(agent, flags, found[:AREA_LIMIT] or [_nowhere(low_x, low_y)])


@handles("MapNameRequest", state=OPEN, rate=QUERY)
def map_name_request(sim: Parts, agent: Agent, message: Message) -> None:
    """Regions whose name begins so, an exact match first; then a block that names what was asked marks the end."""
    asked = text(message["NameData"]["Name"])
    wanted = asked.strip().casefold()
    found = []
    if wanted:
        blocks = region_blocks(sim).values()
        found = [block for block in blocks if text(block["Name"]).casefold().startswith(wanted)]
        found.sort(key=lambda block: (len(block["Name"]), block["Name"]))
    _reply(agent, message["AgentData"]["Flags"], [*found[:NAME_LIMIT], _nowhere(0, 0, asked)])


@handles("MapItemRequest", state=OPEN, rate=QUERY)
def map_item_request(sim: Parts, agent: Agent, message: Message) -> None:
    """Dots on the map: where people are, here or in any region of the grid. Of the other kinds there are none."""
    asked = message["RequestData"]
    flags = message["AgentData"]["Flags"]
    kind = asked["ItemType"]
    handle = asked["RegionHandle"] or sim.world.facts.handle
    if kind != AGENTS:
        _send_items(agent, flags, kind, [], handle)
    elif handle == sim.world.facts.handle:
        _send_items(agent, flags, kind, _local_spots(sim), handle)
    else:
        region = sim.neighbours.regions.get(grid_of_handle(handle))
        if region is None:
            _send_items(agent, flags, kind, [], handle)
        else:
            start(sim, agent, "map items", _answer_items(sim, agent, flags, region, handle))


async def _answer_items(sim: Parts, agent: Agent, flags: int, region: RegionRecord, handle: int) -> None:
    """Where exactly people of another region are only that region knows: one dot in its middle says how many."""
    told = await ask(sim, sim.backbone.get_region_agents(region.region_id))
    count = region.agents if isinstance(told, BackboneError) else told["count"]
    middle = (region.grid_x * REGION_SIZE + 128, region.grid_y * REGION_SIZE + 128)
    _send_items(agent, flags, AGENTS, [_spot(*middle, count)] if count else [], handle)


def _local_spots(sim: Parts) -> list[dict[str, Any]]:
    spots: dict[tuple[int, int], int] = {}
    for other in sim.world.roots():
        x, y, _ = sim.world.position(other)
        place = (int(x // SPOT), int(y // SPOT))
        spots[place] = spots.get(place, 0) + 1
    west, south = sim.world.facts.corner
    return [
        _spot(int(west + (x + 0.5) * SPOT), int(south + (y + 0.5) * SPOT), count) for (x, y), count in spots.items()
    ]


def _spot(x: int, y: int, count: int) -> dict[str, Any]:
    return {"X": x, "Y": y, "ID": NULL, "Extra": count, "Extra2": 0, "Name": clip(str(count), 32)}


def _send_items(agent: Agent, flags: int, kind: int, items: list[dict[str, Any]], handle: int) -> None:
    """MapItemReply; with nothing to show, one item at 1, 1 of the region asked about with nobody in it.

    Positions are metres of the whole grid: node-metaverse waits for an item that lies in the region it asked about.
    """
    nobody = _spot((handle >> 32) + 1 & 0xFFFFFFFF, (handle + 1) & 0xFFFFFFFF, 0)
    for batch in packets(items or [nobody], lambda item: 33 + len(item["Name"])):
        data = {"AgentID": agent.agent_id, "Flags": flags}
        send(agent, Message("MapItemReply", AgentData=data, RequestData={"ItemType": kind}, Data=batch))


@handles("RegionHandleRequest", state=OPEN, rate=QUERY)
def region_handle_request(sim: Parts, agent: Agent, message: Message) -> None:
    """Where the region of an id lies, for landmarks. An unknown one has handle 0: "not there"."""
    asked: UUID = message["RequestBlock"]["RegionID"]
    handle = handle_of_region(sim, asked) or 0
    send(agent, Message("RegionIDAndHandleReply", ReplyBlock={"RegionID": asked, "RegionHandle": handle}))


def handle_of_region(sim: Parts, region_id: UUID) -> int | None:
    """The handle of a region of this grid, None for an unknown one."""
    facts = sim.world.facts
    if region_id == facts.region_id:
        return facts.handle
    region = sim.neighbours.directory.of_id(region_id)
    return region.handle if region is not None else None


@handles("MapLayerRequest", state=OPEN, rate=QUERY)
def map_layer_request(sim: Parts, agent: Agent, message: Message) -> None:
    """Old viewers ask for one picture of the whole world; here regions have a tile each."""
    data = {"AgentID": agent.agent_id, "Flags": message["AgentData"]["Flags"]}
    send(agent, Message("MapLayerReply", AgentData=data, LayerData=[]))

"""The world map: which regions there are, and who is in them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import UUID

from protocol.message import Message, text

from .circuits import Circuits, Heard
from .events import answered

_FLAGS = 2  # what a full viewer asks with, and the only reply it accepts
_NO_REGION = 255
_SETTLE = 0.3  # an area's answer may come in several messages, without an end mark
_AGENTS = 6


@dataclass(frozen=True, slots=True)
class MapBlock:
    """One region on the map. ``x``, ``y`` in regions; ``access`` 13 general, 21 moderate, 42 adult."""

    x: int
    y: int
    name: str
    access: int
    flags: int
    water_height: int
    agents: int
    image_id: UUID

    @property
    def handle(self) -> int:
        """As regions are numbered: metres west << 32 | metres south."""
        return (self.x * 256) << 32 | (self.y * 256)


@dataclass(frozen=True, slots=True)
class MapItem:
    """Something marked on the map, for agents a spot and how many stand there. ``x``, ``y``: global metres."""

    x: int
    y: int
    id: UUID
    extra: int
    extra2: int
    name: str


class WorldMap:
    """Questions to the map."""

    def __init__(self, circuits: Circuits) -> None:
        self._circuits = circuits

    @property
    def _map_block(self) -> dict[str, object]:
        return {**self._circuits.agent_block, "Flags": _FLAGS, "EstateID": 0, "Godlike": False}

    async def blocks(self, min_x: int, max_x: int, min_y: int, max_y: int, timeout: float = 10.0) -> list[MapBlock]:
        """The regions in a rectangle of grid coordinates, edges included; empty if there are none."""
        found: dict[tuple[int, int], MapBlock] = {}
        heard_at = 0.0

        def collect(heard: Heard) -> None:
            nonlocal heard_at
            if heard["AgentData"]["Flags"] != _FLAGS:
                return
            heard_at = self._circuits.clock()
            for block in _blocks(heard):
                inside = min_x <= block.x <= max_x and min_y <= block.y <= max_y
                if inside and block.access != _NO_REGION:
                    found[block.x, block.y] = block

        stop = self._circuits.events.subscribe("MapBlockReply", collect)
        try:
            first = self._circuits.events.expect("MapBlockReply", lambda heard: heard["AgentData"]["Flags"] == _FLAGS)
            area = {"MinX": min_x, "MaxX": max_x, "MinY": min_y, "MaxY": max_y}
            self._circuits.send(Message("MapBlockRequest", AgentData=self._map_block, PositionData=area))
            await answered(first, timeout, "MapBlockReply")
            while (wait := heard_at + _SETTLE - self._circuits.clock()) > 0:
                await asyncio.sleep(wait)
        finally:
            stop()
        return [found[at] for at in sorted(found)]

    async def search(self, name: str, timeout: float = 10.0) -> list[MapBlock]:
        """The regions whose name begins with ``name``, upper and lower case alike."""
        found: list[MapBlock] = []

        def complete(heard: Heard) -> bool:
            if heard["AgentData"]["Flags"] != _FLAGS:
                return False
            for block in _blocks(heard):
                if block.access == _NO_REGION and block.x == block.y == 0 and block.name.lower() == name.lower():
                    return True  # the end mark carries the text asked for
                if block.access != _NO_REGION and block.name.lower().startswith(name.lower()):
                    found.append(block)
            return False

        reply = self._circuits.events.expect("MapBlockReply", complete)
        self._circuits.send(Message("MapNameRequest", AgentData=self._map_block, NameData={"Name": name}))
        await answered(reply, timeout, "MapBlockReply")
        return found

    async def find_region(self, name: str, timeout: float = 10.0) -> MapBlock | None:
        """The region of exactly that name (upper and lower case alike), or None."""
        for block in await self.search(name, timeout):
            if block.name.lower() == name.lower():
                return block
        return None

    async def items(self, kind: int = _AGENTS, handle: int = 0, timeout: float = 10.0) -> list[MapItem]:
        """What is marked on the map of a region (0 = here); ``kind`` 6 = where agents are (``extra`` = how many)."""
        reply = self._circuits.events.expect("MapItemReply", lambda heard: heard["RequestData"]["ItemType"] == kind)
        wanted = {"ItemType": kind, "RegionHandle": handle}
        self._circuits.send(Message("MapItemRequest", AgentData=self._map_block, RequestData=wanted))
        heard = await answered(reply, timeout, "MapItemReply")
        return [MapItem(d["X"], d["Y"], d["ID"], d["Extra"], d["Extra2"], text(d["Name"])) for d in heard["Data"]]


def _blocks(heard: Heard) -> list[MapBlock]:
    return [
        MapBlock(d["X"], d["Y"], text(d["Name"]), d["Access"], d["RegionFlags"], d["WaterHeight"], d["Agents"],
                 d["MapImageID"])
        for d in heard["Data"]
    ]  # fmt: skip

"""The ground and the parcels' borders, as viewers are told of them."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from protocol import terrain
from protocol.message import Message, encode
from sim.handlers.parcels import parcel_overlay_messages, tell_parcel
from sim.world.changes import What
from sim.world.terrain import PATCHES

if TYPE_CHECKING:
    from sim.region import Region
    from sim.world.agent import Agent

LAND = 76  # 'L'
EVERY = 0.2  # seconds between two tellings of ground that is being shaped: a brush is a message a frame
_BLOCK = 64  # metres; who arrives in the same one is sent the land in the same order


class LandInterest:
    """Tells viewers of the ground and of parcels: all when they come, and then what has changed."""

    def __init__(self, region: Region) -> None:
        self._region, self._world = region, region.world
        self._patches = region.world.changes.terrain.reader()
        self._parcels = region.world.changes.parcels.reader()
        self._told_at = -EVERY  # real time
        self._kept: dict[tuple[int, int], tuple[int, list[bytes]]] = {}  # block -> revision of the terrain, all patches

    def begin_viewer(self, agent: Agent) -> None:
        self._send_overlay(agent)
        self._send_land(agent)

    def update(self, viewers: Collection[Agent]) -> None:
        now = self._region.clock.now()
        if len(self._patches) and now >= self._told_at + EVERY:
            self._told_at = now
            bodies = self._bodies(sorted(self._patches.take()))
            for viewer in viewers:
                if viewer.circuit is not None:
                    for body in bodies:
                        viewer.circuit.send_body(body, category="land")
        if len(self._parcels):
            changed = self._parcels.take()
            if any(what & (What.LAND | What.OWNER) for what in changed.values()):
                for viewer in viewers:
                    self._send_overlay(viewer)
            ids = {parcel.local_id for parcel in changed}
            for viewer in viewers:
                if viewer.root and viewer.parcel_told in ids:
                    viewer.parcel_told = 0
                    tell_parcel(self._region, viewer)

    def _send_land(self, agent: Agent) -> None:
        """All 256 patches, nearest first: a viewer shows nothing until the land is complete."""
        if agent.circuit is None:
            return
        x, y, _ = self._world.position(agent)
        block_x, block_y = (min(max(int(part // _BLOCK), 0), 256 // _BLOCK - 1) for part in (x, y))
        for body in self._whole(block_x, block_y):
            agent.circuit.send_body(body, category="land")

    def _whole(self, block_x: int, block_y: int) -> list[bytes]:
        """All patches in rings about the middle of a block, kept while the land is as it is: crowds arrive together."""
        kept, revision = self._kept, self._world.terrain.revision
        if (block_x, block_y) not in kept or kept[block_x, block_y][0] != revision:
            near_x, near_y = ((block + 0.5) * _BLOCK / 16 - 0.5 for block in (block_x, block_y))
            patches = [(px, py) for py in range(PATCHES) for px in range(PATCHES)]
            patches.sort(key=lambda patch: max(abs(patch[0] - near_x), abs(patch[1] - near_y)))
            kept[block_x, block_y] = revision, self._bodies(patches)
        return kept[block_x, block_y][1]

    def _bodies(self, patches: list[tuple[int, int]]) -> list[bytes]:
        payloads = terrain.encode_patches(self._world.terrain.patches(), patches)
        return [encode(Message("LayerData", LayerID={"Type": LAND}, LayerData={"Data": data})) for data in payloads]

    def _send_overlay(self, agent: Agent) -> None:
        if agent.circuit is not None:
            for message in parcel_overlay_messages(self._world, agent):
                agent.circuit.send(message)

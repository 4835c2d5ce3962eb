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
    from sim.simulator import Simulator
    from sim.world.agent import Agent

LAND = 76  # 'L'


_BLOCK = 64  # metres; who arrives in the same one is sent the land in the same order


def _bodies(sim: Simulator, patches: list[tuple[int, int]]) -> list[bytes]:
    payloads = terrain.encode_patches(sim.world.terrain.patches(), patches)
    return [encode(Message("LayerData", LayerID={"Type": LAND}, LayerData={"Data": data})) for data in payloads]


def send_land(sim: Simulator, agent: Agent) -> None:
    """All 256 patches, nearest first: a viewer shows nothing until the land is complete."""
    if agent.circuit is None:
        return
    x, y, _ = sim.world.position(agent)
    block_x, block_y = (min(max(int(part // _BLOCK), 0), 256 // _BLOCK - 1) for part in (x, y))
    for body in _whole(sim, block_x, block_y):
        agent.circuit.send_body(body, category="land")


def _whole(sim: Simulator, block_x: int, block_y: int) -> list[bytes]:
    """All patches in rings about the middle of a block, kept while the land is as it is: crowds arrive together."""
    kept = sim.interest.land_kept
    revision = sim.world.terrain.revision
    if (block_x, block_y) not in kept or kept[block_x, block_y][0] != revision:
        near_x, near_y = ((block + 0.5) * _BLOCK / 16 - 0.5 for block in (block_x, block_y))
        patches = [(px, py) for py in range(PATCHES) for px in range(PATCHES)]
        patches.sort(key=lambda patch: max(abs(patch[0] - near_x), abs(patch[1] - near_y)))
        kept[block_x, block_y] = revision, _bodies(sim, patches)
    return kept[block_x, block_y][1]


class LandInterest:
    """Tells viewers of the ground and of parcels that have changed."""

    def __init__(self, sim: Simulator) -> None:
        self._sim = sim
        self._patches = sim.world.changes.terrain.reader()
        self._parcels = sim.world.changes.parcels.reader()

    def update(self, viewers: Collection[Agent]) -> None:
        sim = self._sim
        if len(self._patches):
            bodies = _bodies(sim, sorted(self._patches.take()))
            for viewer in viewers:
                if viewer.circuit is not None:
                    for body in bodies:
                        viewer.circuit.send_body(body, category="land")
        if len(self._parcels):
            changed = self._parcels.take()
            if any(what & (What.LAND | What.OWNER) for what in changed.values()):
                for viewer in viewers:
                    send_overlay(sim, viewer)
            ids = {parcel.local_id for parcel in changed}
            for viewer in viewers:
                if viewer.root and viewer.parcel_told in ids:
                    viewer.parcel_told = 0
                    tell_parcel(sim, viewer)


def send_overlay(sim: Simulator, agent: Agent) -> None:
    if agent.circuit is not None:
        for message in parcel_overlay_messages(sim.world, agent):
            agent.circuit.send(message)

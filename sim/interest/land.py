"""The ground and the parcels' borders, as viewers are told of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from protocol import terrain
from protocol.message import Message, encode
from sim.handlers.parcels import parcel_overlay_messages
from sim.world.terrain import PATCHES

if TYPE_CHECKING:
    from sim.simulator import Simulator
    from sim.world.agent import Agent

LAND = 76  # 'L'


def _bodies(sim: Simulator, patches: list[tuple[int, int]]) -> list[bytes]:
    payloads = terrain.encode_patches(sim.world.terrain.patches(), patches)
    return [encode(Message("LayerData", LayerID={"Type": LAND}, LayerData={"Data": data})) for data in payloads]


def send_land(sim: Simulator, agent: Agent) -> None:
    """All 256 patches, nearest first: a viewer shows nothing until the land is complete."""
    if agent.circuit is None:
        return
    x, y, _ = sim.world.position(agent)
    near_x, near_y = x / 16 - 0.5, y / 16 - 0.5
    patches = [(px, py) for py in range(PATCHES) for px in range(PATCHES)]
    # Rings of whole patches, so that every viewer at about the same place shares one encoding order.
    patches.sort(key=lambda patch: max(abs(patch[0] - near_x), abs(patch[1] - near_y)))
    for body in _bodies(sim, patches):
        agent.circuit.send_body(body, category="land")


def send_dirty_patches(sim: Simulator, viewers: Iterable[Agent]) -> None:
    dirty = sorted(sim.world.terrain.dirty)
    sim.world.terrain.dirty.clear()
    if not dirty:
        return
    bodies = _bodies(sim, dirty)
    for viewer in viewers:
        if viewer.circuit is not None:
            for body in bodies:
                viewer.circuit.send_body(body, category="land")


def send_overlay(sim: Simulator, agent: Agent) -> None:
    if agent.circuit is not None:
        for message in parcel_overlay_messages(sim.world, agent):
            agent.circuit.send(message)

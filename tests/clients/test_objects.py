"""A region full of objects, as clients of any make come to know it: from nothing, and from what they remember."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import viewer
from sim.scenes import place
from sim.scenes.reading import parse
from sim.simulator import Simulator
from tests.kit.liveregion import LiveRegion
from tests.kit.waiting import eventually

from .conftest import Visit
from .driver import until
from .grid import Account, Grid, Region

PRIMS = 1500
SCENE = b"""
origin = [128, 128, 60]
[[prim]]
color = "#d4563f"
grid = { count = [25, 20, 2], step = [4, 4, 3] }
[[linkset]]
position = [0, 0, 20]
grid = { count = [10, 25], step = [3, 3, 1] }
  [[linkset.prim]]
  shape = "torus"
  [[linkset.prim]]
  position = [0, 0, 1]
  text = "sign"
"""


@pytest.fixture(scope="module")
def warehouse(grid: Grid) -> Iterator[LiveRegion]:
    async def fill(sim: Simulator) -> int:
        return place(sim.region, sim.scripts, parse(SCENE, "warehouse.toml"))

    with LiveRegion(grid.login_uri, grid.secret, "Warehouse", 1030, 1030) as region:
        assert region.do(fill) == PRIMS
        yield region


@pytest.fixture(scope="module")
def here(warehouse: LiveRegion) -> Region:
    return Region(str(warehouse.region_id), "Warehouse", 1030, 1030, (warehouse.sim.address.ip, warehouse.sim.port))


def test_both_libraries_come_to_know_every_prim(visit: Visit, warehouse: LiveRegion, here: Region) -> None:
    """Hippolyzer says it has a cache when it has none: it is told checksums, and asks for all of them."""
    hippo, node = visit.hippo(here, (128.0, 128.0)), visit.node(here, (128.0, 130.0))
    until(lambda: hippo.do("prims") == PRIMS, f"hippolyzer knows {PRIMS} prims", 60)
    until(lambda: node.do("prims") == PRIMS, f"node-metaverse knows {PRIMS} prims", 60)
    assert warehouse.sim.metrics.value("object_updates", "cached") >= PRIMS


async def look(grid: Grid, here: Region, who: Account, cache: viewer.ObjectCache) -> tuple[int, set[object]]:
    """Log in, wait until all is known; packets it took, and what was seen."""
    start = here.start(128.0, 128.0)
    async with viewer.login(grid.login_uri, who.first, who.last, who.password, start, cache=cache) as me:

        def prims() -> list[viewer.Entity]:
            return [entity for entity in me.root.entities.values() if not entity.is_avatar]

        await eventually(lambda: len(prims()) == PRIMS, 60, "every prim")
        seen: set[object] = {(e.id, e.scale, e.received_position, e.text, e.texture_entry, e.parent_id) for e in prims()}
        return me.root.circuit.stats.packets_in, seen


async def test_a_returning_viewer_needs_few_packets(grid: Grid, warehouse: LiveRegion, here: Region) -> None:
    who, cache = grid.account(), viewer.ObjectCache()
    first, seen = await look(grid, here, who, cache)
    assert cache.hits == 0
    await asyncio.to_thread(until, lambda: grid.presence(who.agent_id) is None, "the first session ended")
    again, remembered = await look(grid, here, who, cache)
    assert cache.hits == PRIMS and cache.misses == 0
    assert remembered == seen
    assert again < first - PRIMS / 20

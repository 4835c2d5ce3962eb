"""Scripts as people with clients that are not ours meet them: heard in chat, answered on a channel, touched."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest

from sim.simulator import Simulator
from sim.world.objects import Prim
from tests.kit.liveregion import LiveRegion

from .conftest import Visit
from .driver import Driver, Event
from .grid import Grid, Region

GREETER = """
integer count;
default {
    state_entry() { llListen(7, "", NULL_KEY, ""); llSetTimerEvent(1.0); }
    timer() { llSay(0, "tick " + (string)(++count)); }
    listen(integer channel, string name, key id, string text) { llSay(0, name + " said " + text); }
    touch_start(integer n) { llSay(0, "touched by " + llDetectedName(0)); }
}
"""


@pytest.fixture(scope="module")
def workshop(grid: Grid) -> Iterator[LiveRegion]:
    with LiveRegion(grid.login_uri, grid.secret, "Workshop", 1020, 1020) as region:
        yield region


@pytest.fixture(scope="module")
def place(workshop: LiveRegion) -> Region:
    sim = workshop.sim
    return Region(str(workshop.region_id), "Workshop", 1020, 1020, (sim.address, sim.port))


def put_script(workshop: LiveRegion, owner: str, source: str) -> Prim:
    """A box that a script lives in, near the middle."""

    async def build(sim: Simulator) -> Prim:
        prim = Prim(uuid4(), UUID(owner), UUID(owner), name="Greeter")
        ground = sim.world.terrain.height(130.0, 128.0)
        place = (130.0, 128.0, ground + 0.5)
        sim.world.objects.add(prim, sim.world.new_local_id(), place, (0.0, 0.0, 0.0, 1.0), (1.0, 1.0, 1.0))
        sim.bodies.rebuild(prim)
        await sim.scripts.add(prim, source)
        return prim

    return workshop.do(build)


def says(listener: Driver, text: str) -> Event:
    return listener.wait("ChatFromSimulator", lambda event: event["ChatData.Message"] == text)


def test_both_libraries_hear_a_script_and_it_hears_them(
    visit: Visit, workshop: LiveRegion, place: Region, grid: Grid
) -> None:
    hippo = visit.hippo(place, (128.0, 128.0))
    node = visit.node(place, (128.0, 130.0))
    prim = put_script(workshop, hippo.agent_id, GREETER)
    for listener in (hippo, node):
        event = says(listener, "tick 1")
        assert event["ChatData.SourceType"] == 2
        assert event["ChatData.FromName"] == "Greeter"
        says(listener, "tick 2")
    hippo.do("chat", text="open sesame", kind=1, channel=7)
    for listener in (hippo, node):
        says(listener, f"{hippo.name} said open sesame")
    hippo.do("send", message="ObjectGrab", blocks={"ObjectData": {"LocalID": prim.local_id, "GrabOffset": [0, 0, 0]}})
    says(node, f"touched by {hippo.name}")

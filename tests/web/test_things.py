"""A person in a real browser among things: touched, asked by scripts, seen falling; over a border and a lost line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from uuid import UUID, uuid4

import numpy as np
import pytest

from sim.simulator import Simulator
from sim.world.changes import What
from sim.world.objects import Prim
from tests.clients.grid import Grid
from tests.kit.liveregion import LiveRegion
from tests.kit.meshes import asset, face, pyramid, ring, sculpt_map

from .conftest import Visitor
from .friend import Friend
from .line import Line
from .test_browser import accessible

pytestmark = pytest.mark.timeout(300)
Open = Callable[..., Visitor]

ASKING = """
default {
    state_entry() { llListen(-7, "", NULL_KEY, ""); }
    touch_start(integer n) { llDialog(llDetectedKey(0), "Well?\n<img src=x onerror=alert(1)>", ["Yes", "<b>No", "3", "4"], -7); }
    listen(integer channel, string name, key who, string words) {
        llSay(0, "heard " + words);
        if (words == "<b>No") llTextBox(who, "And why?", -7);
        else if (words == "4") llLoadURL(who, "Read this", "http://example.org/manual");
        else llRequestPermissions(who, PERMISSION_TRIGGER_ANIMATION);
    }
    run_time_permissions(integer bits) { llSay(0, "granted " + (string)bits); }
}
"""


@pytest.fixture(scope="module")
def workshop(grid: Grid) -> Iterator[LiveRegion]:
    with LiveRegion(grid.login_uri, grid.secret, "Workshop", 1020, 1020, grid.assets_uri) as region:
        yield region


def put(workshop: LiveRegion, name: str, place: tuple[float, float], size: float, source: str) -> UUID:
    """A box with a script in it, its foot on the ground."""

    async def build(sim: Simulator) -> UUID:
        owner = UUID(int=7)
        prim = Prim(uuid4(), owner, owner, name=name)
        spot = (*place, sim.world.terrain.height(*place) + size / 2)
        sim.world.objects.add(prim, sim.world.new_local_id(), spot, (0.0, 0.0, 0.0, 1.0), (size, size, size))
        sim.world.changes.prims.note(prim, What.BODY)
        await sim.scripts.add(prim, source)
        return prim.full_id

    return workshop.do(build)


SPOT_ON_SCREEN = """() => {
  const thing = [...mainland.world.things.values()].find((one) => one.record && one.region === mainland.world.here);
  if (!thing?.slots?.length) return null;
  const {x, y, z} = mainland.world.regions.get(thing.region).group.position.clone().add(thing.motion.position)
    .project(mainland.stage.camera);
  return z < 1 ? [(x + 1) / 2 * innerWidth, (1 - y) / 2 * innerHeight] : null;
}"""


def test_a_thing_asks_and_is_answered(workshop: LiveRegion, visitor: Open) -> None:
    put(workshop, "Asker <i>one</i>", (132.0, 128.0), 1.0, ASKING)
    ada = visitor(800, 600).enter("Ada", "Workshop/128/128/26", "?sun=noon")
    ada.see("mainland.look(0, 0.5, 0.3, 4)")
    ada.until(lambda: ada.see("mainland.settled(0.5)") and ada.see(SPOT_ON_SCREEN), "the thing")
    ada.page.mouse.click(*ada.see(SPOT_ON_SCREEN))
    ada.until(lambda: ada.page.locator(".ask").count() == 1, "the dialog")
    card = ada.page.locator(".ask")
    assert card.locator("h2").inner_text() == "Asker <i>one</i>"
    assert "<img src=x onerror=alert(1)>" in card.inner_text() and card.locator("img, i, b").count() == 0
    # As every viewer shows them: three in a row, the first at the bottom.
    assert card.locator(".choices button").all_inner_texts() == ["4", "Yes", "<b>No", "3"]
    assert ada.see("document.activeElement.classList.contains('ask')")  # it answers one's own click
    accessible(ada)
    for _ in range(3):
        ada.page.keyboard.press("Tab")
    ada.page.keyboard.press("Enter")
    ada.until(lambda: ada.heard("heard <b>No"), "what was chosen")
    ada.until(lambda: ada.page.locator(".ask textarea").count() == 1, "the box for words")
    accessible(ada)
    ada.page.fill(".ask textarea", "because\nI say so")
    ada.page.click(".ask [type=submit]")
    ada.until(lambda: ada.heard("heard because"), "the words")
    ada.until(lambda: "animate your avatar" in ada.page.inner_text(".asked"), "the question")
    accessible(ada)
    ada.page.click(".ask >> text=Allow")
    ada.until(lambda: ada.heard("granted 16"), "the permission")
    ada.page.focus("#view")
    ada.page.mouse.click(*ada.see(SPOT_ON_SCREEN))
    ada.until(lambda: ada.page.locator(".ask .choices").count() == 1, "the dialog again")
    ada.page.click(".ask .choices button:has-text('4')")
    link = ada.page.locator(".ask a")
    ada.until(lambda: link.count() == 1, "the page")
    accessible(ada)
    assert link.get_attribute("href") == "http://example.org/manual" and "noopener" in str(link.get_attribute("rel"))
    ada.page.click(".ask >> text=Block")
    assert ada.page.locator(".ask").count() == 0
    ada.page.mouse.click(*ada.see(SPOT_ON_SCREEN))
    ada.say("after the block")
    ada.until(lambda: ada.heard("after the block"), "own words")
    assert ada.page.locator(".ask").count() == 0


def test_sees_a_box_fall(grid: Grid, visitor: Open) -> None:
    with Friend(grid, grid.west, (128, 128, 40)) as ben:
        ada = visitor(600, 400).enter("Ada", f"{grid.west.name}/126/126/40")
        x, y, z = ben.me.position
        box = ben.rez((x + 4, y, z + 12))
        height = "[...mainland.world.things.values()].find((one) => one.record && one.region === mainland.world.here)?.motion.position.z"
        ada.until(lambda: ada.see(height), "the box")
        high = ada.see(height)
        assert abs(high - box.position[2]) < 0.1
        # Sampled in the page, every frame: a fall, not a jump.
        ada.see("""() => {
          const box = [...mainland.world.things.values()].find((one) => one.record && one.region === mainland.world.here);
          window.fall = [];
          const note = () => { window.fall.push(box.motion.position.z); if (window.fall.length < 1000) requestAnimationFrame(note); };
          note();
        }""")
        ben.let_fall(box)
        ada.until(lambda: ada.see(height) < high - 8, "the fall")
        ada.until(lambda: abs(ada.see(height) - box.position[2]) < 0.1, "the same height as Ben sees")
        assert any(high - 8 < z < high - 0.1 for z in ada.see("window.fall"))  # how many depends on the machine


def test_sees_meshes_sculpts_and_trees(grid: Grid, visitor: Open) -> None:
    with Friend(grid, grid.north, (128, 128, 40)) as ben:
        x, y = 128, 128
        z = ben.ground(x, y)
        made = {}
        mesh = asset(high_lod=[face(*ring())], lowest_lod=[pyramid()])
        for n, (kind, data) in enumerate({5: mesh, 1: sculpt_map(), 0x40 | 1: sculpt_map()}.items()):
            made[kind] = ben.rez((x + 4, y - 3 + 3 * n, z + 1), (2.0, 2.0, 2.0))
            ben.form(made[kind], data, kind)
        tree = ben.rez((x + 9, y, z), (3.0, 3.0, 5.0), pcode=255, State=1)
        ada = visitor(600, 400).enter("Ada", f"{grid.north.name}/128/128/40", "?sun=noon")
        ada.see(f"mainland.view([{x - 3}, {y}, {z + 4}], [{x + 5}, {y}, {z + 1}]), mainland.bare(true)")
        things = "[...mainland.world.things.values()].filter((one) => one.record && one.region === mainland.world.here)"
        ada.until(lambda: ada.see(f"{things}.length") == 4 and ada.see("mainland.settled()"), "all of it")
        forms = ada.see(f"Object.fromEntries({things}.map((one) => [one.record.form?.kind ?? one.record.pcode, one.slots.map("
                        "(slot) => slot.form.index.count / 3)]))")  # fmt: skip
        assert forms["5"] == [len(ring()[1])] and forms["1"] == forms["65"] == [2 * 32 * 32]
        assert tree.pcode == 255 and len(forms["255"]) == 2  # wood and leaves
        # What the sculpts' outsides are: towards us the one, away from us the one turned inside out.
        outward = f"""{things}.filter((one) => one.record.form).map((one) => {{
          const {{position, normal}} = one.slots[0].form.attributes;
          let sum = 0;
          for (let i = 0; i < position.count; i++) sum += position.getX(i) * normal.getX(i) + position.getY(i) * normal.getY(i);
          return [one.record.form.kind, Math.sign(sum)];
        }})"""
        assert sorted(ada.see(outward)) == [[1, 1], [5, 1], [65, -1]]
        # From afar a coarser level will do, and the finest one again from near.
        triangles = f"{things}.find((one) => one.record.form?.kind === 5).slots.map((slot) => slot.form.index.count / 3)"
        for away, wanted in ((100, 6), (3, len(ring()[1]))):
            ada.see(f"mainland.view([{x - away}, {y}, {z + 4}], [{x + 5}, {y}, {z + 1}])")
            ada.until(partial(lambda wanted: ada.see(triangles) == [wanted], wanted), f"the level from {away} m")


def test_sits_on_a_thing_and_stands_up(grid: Grid, visitor: Open) -> None:
    with Friend(grid, grid.far, (128, 128, 40)) as ben:
        x, y = 128, 128
        z = ben.ground(x + 4, y)
        ben.rez((x + 4, y, z + 0.5))
        ada = visitor(800, 600).enter("Ada", f"{grid.far.name}/{x + 1}/{y}/{z + 1}")
        ada.until(lambda: ada.see("mainland.world.me.motion.velocity.length()") < 0.1, "feet on the ground")
        ada.see("mainland.look(0, 0.6, 0.4, 3)")
        ada.until(lambda: ada.see("mainland.settled(0.5)") and ada.see(SPOT_ON_SCREEN), "the thing")
        ada.page.keyboard.down("Shift")
        ada.page.mouse.click(*ada.see(SPOT_ON_SCREEN))
        ada.page.keyboard.up("Shift")
        ada.until(lambda: ada.see("mainland.world.me.parent") != 0, "sitting")
        ada.until(lambda: ada.page.locator(".bar >> text=Stand").count() == 1, "a way to stand up")
        # The address names the place in the region, not the place on the seat.
        ada.until(lambda: abs(float(ada.page.url.split("/")[-3]) - x - 4) < 2, "where one sits")
        ada.page.click(".bar >> text=Stand")
        ada.until(lambda: ada.see("mainland.world.me.parent") == 0, "standing")


def test_walks_over_a_border_without_noticing(grid: Grid, visitor: Open) -> None:
    west, east = grid.west, grid.east
    ada = visitor(500, 350).enter("Ada", f"{west.name}/246/128/30")
    both = "mainland.world.regions.size >= 4 && [...mainland.world.regions.values()].every((region) => region.heights)"
    ada.until(lambda: ada.see(both), "the land on the other side")
    ada.see("mainland.look(0, 0, 0.2, 4)")
    here = ada.see("mainland.world.here")
    # Where the own figure is drawn, frame by frame and by the frame's own clock, and how far that is from where it is.
    ada.see("""() => {
      window.way = [];
      const world = mainland.world, step = world.step;
      world.step = (now, shown, dt) => {
        step.call(world, now, shown, dt);
        const root = world.me?.figure?.root;
        window.way.push([now, dt, root?.position.x ?? null, world.me?.motion.offset.x ?? null, root?.visible ?? false,
          [...world.things.values()].filter((one) => one.own && one.figure.root.visible).length]);
      };
    }""")
    ada.page.keyboard.down("KeyW")
    ada.until(lambda: ada.see("mainland.world.here") != here, "the other region")
    ada.until(lambda: ada.see("mainland.world.me.region === mainland.world.here"), "the avatar there")
    crossed = ada.see("window.way.length")
    ada.until(lambda: ada.see("mainland.world.me.motion.position.x") > 8, "eight metres beyond")
    ada.page.keyboard.up("KeyW")
    assert crossed and east.name in ada.page.inner_text(".place")
    way = ada.see("window.way")
    assert all(visible and drawn == 1 for *_, visible, drawn in way)
    now, dt, x, off = np.array([row[:4] for row in way]).T
    steps, walked = np.diff(x), 3.2 * np.diff(now)
    # How far off it is depends on how late this machine is; but nothing is made up for at once, or the figure would jump.
    faded = np.abs(off[1:]) * np.expm1(9 * dt[1:])
    assert steps.min() > -0.3  # a smooth correction may draw back a hand's breadth
    assert (steps < 0.1 + 1.3 * walked + faded).all(), np.stack((steps, walked, faded))[:, np.argmax(steps - walked - faded)]
    ada.say("on the other side")
    ada.until(lambda: ada.heard("on the other side"), "being heard there")


def test_a_dropped_connection_comes_back(grid: Grid, gateway: str, visitor: Open) -> None:
    with Line(gateway) as line:
        ada = visitor(500, 350)
        ada.address = line.address
        ada.enter("Ada", f"{grid.west.name}/128/128/30")
        agent = ada.see("mainland.world.agent")
        ada.say("before")
        ada.until(lambda: ada.heard("before"), "own words")
        ada.expected = ("WebSocket", "net::ERR_")  # browsers log every refused connection themselves
        line.cut()
        ada.until(lambda: "Connection lost" in ada.page.inner_text(".banner"), "word of it")
        assert line.refused() > 0  # it tries again
        line.mend()
        ada.until(lambda: "Connection lost" not in ada.page.inner_text(".banner"), "the way back")
        ada.until(lambda: ada.see("mainland.world.me?.figure.root.visible"), "the own avatar")
        assert ada.see("mainland.world.agent") == agent
        ada.until(lambda: ada.heard("before"), "what was said before")
        ada.say("after")
        ada.until(lambda: ada.heard("after"), "own words again")
        before = ada.position
        ada.page.keyboard.press("Escape")
        ada.page.focus("#view")
        ada.page.keyboard.down("KeyW")
        ada.until(lambda: np.hypot(*(ada.position - before)[:2]) > 2, "walking on")
        ada.page.keyboard.up("KeyW")

"""A person in a real browser: what they see, do and say. Drawn by SwiftShader, so nothing here asserts a speed."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from tests.clients.driver import ROOT

from .conftest import Visitor

pytestmark = pytest.mark.timeout(300)
Open = Callable[..., Visitor]
AXE = ROOT / "viewer" / "web" / "node_modules" / "axe-core" / "axe.min.js"


def accessible(who: Visitor) -> None:
    who.see(AXE.read_text("utf-8"))
    found = who.see("axe.run().then(({violations}) => violations.map((v) => v.id + ': ' + v.nodes[0].html))")
    assert found == []


def test_stands_in_a_world_with_sky_and_land(visitor: Open) -> None:
    ada = visitor().enter("Ada", "Harbour/128/128/30")
    ada.page.select_option(".bar select", "noon")
    ada.until(lambda: ada.see("mainland.stage.renderer.info.memory.textures") > 4, "ground textures")

    def bright() -> bool:
        picture = ada.picture()
        sky, land = picture[60:110, 100:500].mean((0, 1)), picture[300:400, 100:300].mean((0, 1))
        return bool(sky[2] > sky[0] > 60 and land[1] > land[2] + 10 and picture.std() > 25)

    ada.until(bright, "a blue sky over land that is not blue")
    ada.until(lambda: ada.see("mainland.settled()"), "all of it loaded")
    colours = np.unique((ada.picture()[250:420] // 8).reshape(-1, 3), axis=0)
    assert len(colours) > 150  # textured, not a flat colour
    ada.until(lambda: ada.see("[...mainland.world.regions.values()].filter((r) => r.heights).length") == 4, "neighbours")
    assert ada.see("mainland.stage.renderer.info.render.calls") < 200


def test_a_picture_without_the_viewer_in_it(visitor: Open) -> None:
    """The page's handle: a camera of its own, no interface, and word when everything is there."""
    ada = visitor(400, 300).enter("Ada", "Harbour/128/128/30", "?at=128,100,60&look=128,140,20&bare&sun=noon&clock=100")
    ada.until(lambda: ada.see("mainland.settled()"), "all of it loaded")
    assert ada.page.locator("#app > :not(#view):visible").count() == 0
    assert ada.see("mainland.stage.camera.position.toArray()") == [128, 100, 60]
    assert not ada.see("mainland.world.me.figure.root.visible")
    before = ada.picture()
    ada.page.wait_for_timeout(300)
    assert np.abs(ada.picture() - before).mean() < 0.1  # nothing in it moves
    ada.see("mainland.bare(false), mainland.view(null)")
    ada.until(lambda: ada.page.is_visible(".chat"), "the interface")
    ada.until(lambda: ada.see("mainland.stage.camera.position.distanceTo(mainland.world.me.figure.root.position)") < 8, "me")


def test_walks_turns_and_flies_by_keyboard(visitor: Open) -> None:
    ada = visitor().enter("Ada", "Harbour/128/128/30")
    start = ada.position
    ada.page.keyboard.down("KeyW")
    ada.until(lambda: np.hypot(*(ada.position - start)[:2]) > 3, "three metres walked")
    ada.until(lambda: ada.see("[...mainland.world.me.figure.playing].length") > 0, "an animation")
    ada.page.keyboard.up("KeyW")
    ada.until(lambda: ada.see("mainland.world.me.motion.velocity.length()") < 0.1, "standing still")
    yaw = ada.see("mainland.world.yaw")
    ada.page.keyboard.down("ArrowLeft")
    ada.until(lambda: ada.see("mainland.world.yaw") > yaw + 0.3, "turned left")
    ada.page.keyboard.up("ArrowLeft")
    height = ada.position[2]
    ada.page.keyboard.press("KeyF")
    ada.page.keyboard.down("KeyE")
    ada.until(lambda: ada.position[2] > height + 3, "up in the air")
    ada.page.keyboard.up("KeyE")
    assert "Harbour" in ada.page.inner_text(".place")
    assert ada.page.url.split("#")[1].startswith("Harbour/")


def test_two_browsers_see_and_hear_each_other(visitor: Open) -> None:
    ada = visitor(600, 400).enter("Ada", "Harbour/120/120/30")
    ben = visitor(600, 400).enter("Ben", "Harbour/123/120/30")
    people = "[...mainland.world.things.values()].filter((t) => t.figure).length"
    ada.until(lambda: ada.see(people) == 2, "Ben")
    ben.until(lambda: ben.see(people) == 2, "Ada")
    ada.say("Hello over there")
    ben.until(lambda: ben.heard("Hello over there"), "Ada's words")
    hostile = '<img src=x onerror="document.title=1"><script>document.title=2</script>\u202e\U0001f600'
    ben.say(hostile)
    ada.until(lambda: ada.heard(hostile), "Ben's words as he wrote them")
    assert ada.page.locator(".log img, .log script").count() == 0
    before = ben.see("[...mainland.world.things.values()].find((t) => t.figure && !t.own).motion.position.x")
    ada.page.keyboard.press("Escape")
    ada.page.focus("#view")
    ada.page.keyboard.down("KeyW")
    other = "[...mainland.world.things.values()].find((t) => t.figure && !t.own).motion.position.x"
    ben.until(lambda: abs(ben.see(other) - before) > 2, "Ada walking")
    ada.page.keyboard.up("KeyW")
    ben.page.click("text=Leave")
    ada.until(lambda: ada.see(people) == 1, "Ben gone")


def test_prims_of_every_form_are_drawn(visitor: Open) -> None:
    ada = visitor().enter("Ada", "Harbour/128/128/30")
    ada.page.select_option(".bar select", "noon")
    forms = [
        {}, {"hollow": 0.6, "profileBegin": 0.1}, {"profile": 0}, {"profile": 3}, {"path": 0x20, "profile": 5},
        {"path": 0x20, "profile": 0, "scaleY": 0.25}, {"twist": 0.5, "scaleX": 0.3}, {"hollow": 0.7, "profile": 0x11},
        {"path": 0x20, "profile": 0, "scaleY": 0.2, "scaleX": 0.3, "revolutions": 3.0, "skew": 0.6},
    ]  # fmt: skip
    before = ada.see("mainland.stage.renderer.info.render.calls")
    ada.see(BUILD % json.dumps(forms))
    faces = "Array.from({length: %d}, (_, i) => mainland.world.things.get(100000 + i).slots?.flatMap((slot) => slot.faces).length)"
    # A box has six faces; a hollow, cut one three more; a cylinder three; a prism five; sphere and torus one.
    ada.until(lambda: ada.see(faces % len(forms)) == [6, 9, 3, 5, 1, 1, 6, 7, 3], "all faces")
    # Faces that look the same are drawn together.
    ada.until(lambda: ada.see("mainland.stage.renderer.info.render.calls") >= before + len(forms), "all forms drawn")

    def red() -> bool:
        picture = ada.picture()
        return int(((picture[..., 0] > 70) & (picture[..., 1] < 40) & (picture[..., 2] < 40)).sum()) > 2000

    ada.until(red, "something red")
    # On | loop | smooth, all faces, one turn a second; then four pictures on a sheet, two a second.
    place = "(mainland.world.things.get(100000).slots?.[0]?.batch?.mesh.geometry.attributes.place.array.slice(0, 4) ?? [])"
    seen: set[tuple[float, ...]] = set()

    def different(most: int) -> bool:
        if found := ada.see(f"[...{place}]"):
            seen.add(tuple(found))
        return len(seen) > most

    ada.see(MOVE % [1 | 2 | 16, 255, 0, 0, 0, 0.0, 0.0, 1.0])
    ada.until(lambda: different(4), "a texture sliding")
    seen.clear()
    ada.see(MOVE % [1 | 2, 255, 2, 2, 0, 0.0, 0.0, 2.0])
    ada.until(lambda: different(3), "every picture")
    assert seen == {(0.5, 0.5, x, y) for x in (-0.25, 0.25) for y in (-0.25, 0.25)}
    # From farther away the sphere has fewer triangles, but not the box; from very far they are too small to be seen.
    levels = "[100000, 100004].map((n) => mainland.world.things.get(n).slots.map((slot) => slot.form.index.count / 3))"
    above = "(({x, y, z}) => mainland.view([x, y, z + %d], [x, y + 1, z]))(mainland.world.things.get(100004).motion.position)"
    for height, triangles in ((2, [[16], [576]]), (90, [[16], [36]]), (600, [[], []]), (2, [[16], [576]])):
        ada.see(above % height)
        ada.until(partial(lambda wanted: ada.see(levels) == wanted, triangles), f"the level at {height} m")


MOVE = """() => {
  const [mode, face, across, down, _, start, length, rate] = %s;
  const moving = new Uint8Array(16), view = new DataView(moving.buffer);
  moving.set([mode, face, across, down]);
  [start, length, rate].forEach((value, n) => view.setFloat32(4 + n * 4, value, true));
  const thing = mainland.world.things.get(100000);
  mainland.world.object({...thing.record, moving});
}"""

BUILD = """() => {
  const world = mainland.world, me = world.me.motion.position, [west, south] = world.regions.get(world.here).at;
  const plain = {path: 0x10, profile: 1, pathBegin: 0, pathEnd: 1, scaleX: 1, scaleY: 1, shearX: 0, shearY: 0, twist: 0,
    twistBegin: 0, radiusOffset: 0, taperX: 0, taperY: 0, revolutions: 1, skew: 0, profileBegin: 0, profileEnd: 1,
    hollow: 0};
  const blank = "5748deccf629461c9a36a35a221fe21f".match(/../g).map((byte) => parseInt(byte, 16));
  const one = [0, 0, 128, 63, 0];
  const look = new Uint8Array([...blank, 0, 0, 255, 255, 0, 0, ...one, ...one, 0,0,0, 0,0,0, 0,0,0, 0,0, 0,0, 0]);
  %s.forEach((form, i) => {
    const n = 100000 + i;
    world.object({n, west, south, pcode: 9, clickAction: 0, scale: [1, 1, 1], shape: {...plain, ...form},
      shapeKey: "form" + i, text: "", textColor: [255, 255, 255, 255], look});
    const forward = [Math.cos(world.yaw), Math.sin(world.yaw)];
    const [ahead, aside] = [5, (i - 4) * 1.2];
    world.moved({n, parent: 0, position: [me.x + forward[0] * ahead - forward[1] * aside,
      me.y + forward[1] * ahead + forward[0] * aside, me.z + 0.5], rotation: [0, 0, 0.3, 0.95], velocity: [0, 0, 0],
      acceleration: [0, 0, 0], spin: [0, 0, 0.5]}, performance.now() / 1000);
  });
}"""


def test_the_map_teleports(visitor: Open) -> None:
    ada = visitor().enter("Ada", "Harbour/128/128/30")
    ada.page.keyboard.press("KeyM")
    ada.until(lambda: ada.page.locator("dialog.world[open] button").count() >= 5, "the map with four regions")
    accessible(ada)
    ada.page.click("dialog.world button:has-text('Meadow')")
    ada.until(lambda: "Meadow" in ada.page.inner_text(".place"), "being in Meadow")
    ada.until(lambda: ada.see("mainland.world.me?.region === mainland.world.here"), "the own avatar there")


def test_everybody_can_use_it(visitor: Open) -> None:
    """axe finds nothing, on the way in, inside with all panels, and at a phone's size; everything by keyboard."""
    ada = visitor(390, 780)
    ada.page.goto(ada.address)
    accessible(ada)
    ada.page.keyboard.type("Ada")  # the first field has the focus
    ada.page.keyboard.press("Enter")
    ada.until(lambda: ada.see("window.mainland?.standing"), "standing in the world")
    ada.page.keyboard.press("KeyI")
    ada.until(lambda: ada.page.is_visible(".figures"), "the figures")
    accessible(ada)
    ada.page.keyboard.press("KeyH")
    ada.until(lambda: ada.page.is_visible("dialog.help"), "the keys")
    accessible(ada)
    ada.page.keyboard.press("Escape")
    ada.page.keyboard.press("Enter")
    ada.page.keyboard.type("typed")
    ada.page.keyboard.press("Enter")
    ada.until(lambda: ada.heard("typed"), "own words")
    wide = ada.see("Math.max(...[...document.querySelectorAll('#app *')].map((e) => e.getBoundingClientRect().right))")
    assert wide <= 391  # nothing hangs over the edge


def test_a_wrong_password_is_said(visitor: Open) -> None:
    ada = visitor()
    ada.page.goto(ada.address)
    ada.page.click("text=Use an account")
    for name, value in (("first", "Nobody"), ("last", "Here"), ("password", "wrong")):
        ada.page.fill(f"[name={name}]", value)
    ada.page.click("form.login button[type=submit]")
    ada.until(lambda: ada.page.inner_text("[role=alert]"), "what is wrong")
    # Browsers log every refused request themselves.
    assert all("403" in complaint for complaint in ada.complaints)
    ada.complaints.clear()

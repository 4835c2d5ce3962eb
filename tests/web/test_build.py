"""A person builds in a real browser: by palette, numbers and handles; others see it, and what is not theirs stays as it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.clients.grid import Grid
from viewer import Client, Entity

from .conftest import Visitor
from .friend import Friend
from .test_browser import accessible

pytestmark = pytest.mark.timeout(300)
Open = Callable[..., Visitor]

HERE = "[...mainland.world.things.values()].filter((one) => one.record && one.region === mainland.world.here)"
# A point of the screen over which a spot of the region lies; the second is where the arrow along x of its handles is.
SPOT = """([x, y, z, arrow]) => {
  const { camera } = mainland.stage;
  const at = camera.position.clone().set(x, y, z).add(mainland.world.regions.get(mainland.world.here).group.position);
  at.x += arrow * at.distanceTo(camera.position) * 1.9 * Math.tan(Math.PI * camera.fov / 360) * 0.8 / 4;
  at.project(camera);
  return [(at.x + 1) / 2 * innerWidth, (1 - at.y) / 2 * innerHeight];
}"""


def builder(visitor: Open, region: str, place: str) -> Visitor:
    ada = visitor(1000, 700).enter("Ada", f"{region}/{place}", "?sun=noon")
    ada.see("mainland.look(0, 0.4, 0.5, 5)")
    ada.until(lambda: ada.see("mainland.settled(0.5)"), "the land")
    return ada


def put(ada: Visitor, form: str, east: float, north: float = 0.0) -> int:
    """A thing that far from where she stands; its number."""
    before = ada.see(f"{HERE}.map((one) => one.n)")
    x, y, _ = ada.position
    height = ada.see(f"mainland.world.ground({x + east}, {y + north})")
    ada.page.click(f".build .forms button:text-is('{form}')")
    ada.page.mouse.click(*ada.page.evaluate(SPOT, [x + east, y + north, height, 0]))
    new = f"{HERE}.map((one) => one.n).filter((n) => !{before}.includes(n))"
    ada.until(lambda: ada.see(new), form)
    (number,) = ada.see(new)
    ada.until(lambda: ada.page.locator(f".sheet form[data-n='{number}']").is_visible(), "its sheet")
    return int(number)


def of(n: int, what: str) -> str:
    return f"mainland.world.things.get({n})?.{what}"


def test_builds_by_palette_numbers_and_handles(grid: Grid, visitor: Open) -> None:
    async def things(me: Client) -> list[Entity]:
        return [entity for entity in me.root.entities.values() if not entity.is_avatar]

    async def color(me: Client) -> tuple[int, ...]:
        return me.building.look(seen[0]).default.color

    async def name(me: Client) -> str:
        return (await me.building.about(seen[0])).name

    with Friend(grid, grid.east, (60, 64, 40)) as ben:
        ada = builder(visitor, grid.east.name, "64/64/26")
        ada.page.keyboard.press("b")
        accessible(ada)
        box = put(ada, "Box", 2.0)
        accessible(ada)
        seen = ada.until(lambda: ben.do(things), "Ada's box, as Ben sees it")
        assert len(seen) == 1
        # By numbers.
        ada.page.fill("[aria-label='Size (m) Z']", "2")
        ada.page.keyboard.press("Enter")
        ada.until(lambda: ada.see(of(box, "record.scale[2]")) == 2, "a higher box")
        ada.page.fill("[aria-label='Position (m) Z']", "40")
        ada.page.keyboard.press("Tab")
        ada.until(lambda: abs(ada.see(of(box, "motion.position.z")) - 40) < 0.01, "the box in the air")
        ada.page.click("text=Undo")
        ada.until(lambda: ada.see(of(box, "motion.position.z")) < 39, "the box back")
        ada.page.fill("[aria-label='Colour']", "#ff0000")
        ada.page.dispatch_event("[aria-label='Colour']", "change")
        ada.until(lambda: ada.see(of(box, "slots?.[0]?.look.color.slice(0, 3).join()")) == "1,0,0", "red")
        assert ben.do(color) == (255, 0, 0, 255)
        ada.page.fill("[aria-label='Name']", "Adas <b>box")
        ada.page.keyboard.press("Enter")
        ada.until(lambda: ben.do(name) == "Adas <b>box", "its name")
        # By its handles: the arrow along x.
        x, y, z = ada.see(of(box, "motion.position.toArray()"))
        grip = ada.page.evaluate(SPOT, [x, y, z, 0.5])
        to = ada.page.evaluate(SPOT, [x + 1, y, z, 0.5])
        ada.page.mouse.move(*grip)
        ada.page.mouse.down()
        ada.page.mouse.move(*to, steps=8)
        ada.page.mouse.up()
        ada.until(lambda: abs(ada.see(of(box, "motion.position.x")) - x - 1) < 0.3, "the box a metre to the east")
        assert abs(ada.see(of(box, "motion.position.y")) - y) < 0.01
        ada.page.focus("#view")
        ada.page.keyboard.press("Delete")
        ada.until(lambda: not ada.see(f"mainland.world.things.has({box})"), "nothing")


def test_links_and_parts(grid: Grid, visitor: Open) -> None:
    ada = builder(visitor, grid.east.name, "100/64/26")
    ada.page.keyboard.press("b")
    ball, ring = put(ada, "Ball", 2.0), put(ada, "Ring", 2.0, 1.5)
    ada.page.focus("#view")
    ada.page.keyboard.down("Shift")
    ada.page.mouse.click(*ada.page.evaluate(SPOT, [*ada.see(of(ball, "motion.position.toArray()")), 0]))
    ada.page.keyboard.up("Shift")
    ada.until(lambda: "2 things" in ada.page.inner_text(".build"), "both chosen")
    ada.page.click(".build button:text-is('Link')")
    ada.until(lambda: ada.see(of(ball, "parent")) == ring, "a linkset")
    ada.page.click(".build button:text-is('Unlink')")
    ada.until(lambda: ada.see(of(ball, "parent")) == 0, "two things again")
    ada.page.click(".build button:text-is('Copy')")
    ada.until(lambda: ada.see(f"{HERE}.length") == 3, "a copy")
    for n in ada.see(f"{HERE}.map((one) => one.n)"):
        ada.see(f"mainland.choose({n})")
        ada.page.click(".build button:text-is('Delete')")
    ada.until(lambda: ada.see(f"{HERE}.length") == 0, "nothing")


def test_what_is_not_theirs_stays(grid: Grid, visitor: Open) -> None:
    with Friend(grid, grid.east, (60, 100, 40)) as ben:
        height = ben.ground(64, 100)
        ben.rez((64.0, 100.0, height))
        ada = builder(visitor, grid.east.name, "62/100/26")
        ada.until(lambda: ada.see(f"{HERE}.length"), "Ben's box")
        ada.page.keyboard.press("b")
        ada.page.mouse.click(*ada.page.evaluate(SPOT, [64.0, 100.0, height + 0.25, 0]))
        ada.until(lambda: "may not change" in ada.page.inner_text(".build"), "why not")
        assert ada.page.locator("[aria-label='Name']").is_disabled() and ada.page.locator(".build button:text-is('Delete')").is_disabled()

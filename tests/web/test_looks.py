"""How things look: glass behind glass, what glows, what hangs and swings, and textures that move in step."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from protocol.textures import Face, TextureEntry, encode_texture_entry
from protocol.wellknown import Texture

from .conftest import Visitor

pytestmark = pytest.mark.timeout(300)
Open = Callable[..., Visitor]
FIRST = 100_000  # number of the first thing a test puts there; the gateway counts from 1
EYE, TOWARDS = (100.0, 100.0, 80.0), (100.0, 110.0, 80.0)  # north, high over everything

Colour = tuple[int, int, int, int]
WHITE, BLACK = (255, 255, 255, 255), (0, 0, 0, 255)
ON, LOOP, SMOOTH = 1, 2, 16  # of a texture that moves


def look(color: Colour, glow: float = 0.0, bright: bool = True) -> list[int]:
    face = Face(Texture.BLANK, color, material=0x20 if bright else 0, glow=glow)
    return list(encode_texture_entry(TextureEntry(face)))


def moving(mode: int, across: int, down: int, rate: float) -> list[int]:
    return list(struct.pack("<BbBB3f", mode, -1, across, down, 0.0, 0.0, rate))


def thing(n: int, at: tuple[float, float, float], color: Colour = WHITE, **more: Any) -> dict[str, Any]:
    """A box a metre wide at a place seen from EYE: aside, ahead, up."""
    (x, y, z), (aside, ahead, up) = EYE, at
    appearance = look(color, more.pop("glow", 0.0), more.pop("bright", True))
    return {"n": FIRST + n, "at": [x + aside, y + ahead, z + up], "scale": [1, 1, 1], "shape": {}, "look": appearance, **more}


PUT = """(things) => {
  const world = mainland.world, [west, south] = world.regions.get(world.here).at;
  const plain = {path: 0x10, profile: 1, pathBegin: 0, pathEnd: 1, scaleX: 1, scaleY: 1, shearX: 0, shearY: 0, twist: 0,
    twistBegin: 0, radiusOffset: 0, taperX: 0, taperY: 0, revolutions: 1, skew: 0, profileBegin: 0, profileEnd: 1, hollow: 0};
  const still = {parent: 0, velocity: [0, 0, 0], acceleration: [0, 0, 0], spin: [0, 0, 0]}, now = performance.now() / 1000;
  for (const {n, at, scale, shape, look, moving, flexi, turn} of things) {
    world.object({n, west, south, pcode: 9, clickAction: 0, scale, shape: {...plain, ...shape}, shapeKey: JSON.stringify(shape),
      text: "", textColor: [255, 255, 255, 255], look: new Uint8Array(look), moving: new Uint8Array(moving ?? []), form: null,
      flexi: flexi ? new Uint8Array(flexi) : null}, now);
    world.moved({...still, n, position: at, rotation: turn ?? [0, 0, 0, 1]}, now);
  }
  mainland.touched();
}"""


def put(who: Visitor, *things: dict[str, Any]) -> None:
    who.page.evaluate(PUT, list(things))


def picture(who: Visitor) -> np.ndarray:
    """What is shown once everything that was put there is drawn."""
    who.until(lambda: who.see("mainland.settled(0.2)"), "all of it drawn")
    return who.picture()


@pytest.fixture(scope="module")
def camera(browser: Any, gateway: str) -> Iterator[Visitor]:
    """One that stands high in the night and looks north into nothing."""
    ada = Visitor(browser.new_page(viewport={"width": 400, "height": 300}), gateway)
    view = f"?watch&at={','.join(map(str, EYE))}&look={','.join(map(str, TOWARDS))}&bare&sun=night&clock=100"
    ada.page.goto(f"{ada.address}{view}#Harbour/100/100/80")
    ada.until(lambda: ada.see("window.mainland?.standing") is not None, "the view")
    yield ada
    ada.see("mainland.leave()")
    ada.until(lambda: ada.page.locator(".again").count(), "the goodbye")
    ada.page.close()


@pytest.fixture
def studio(camera: Visitor) -> Iterator[Visitor]:
    """The camera as it was at first, and nothing before it."""
    camera.see(f"[...mainland.world.things.keys()].filter((n) => n >= {FIRST}).forEach((n) => mainland.world.gone(n))")
    camera.see(f"mainland.view({list(EYE)}, {list(TOWARDS)})")
    camera.see("mainland.clock(100)")
    camera.until(lambda: camera.see("mainland.settled()"), "all of it")
    yield camera
    assert camera.complaints == []


def test_glass_behind_glass_is_seen_through_it(studio: Visitor) -> None:
    """The nearer pane colours the farther one, whichever came first and wherever one looks from."""
    red, blue = (160, 0, 0, 190), (0, 0, 160, 190)
    pane: dict[str, Any] = {"scale": [2, 0.1, 2]}
    for near, far, first in ((red, blue, 0), (blue, red, 0), (red, blue, 1), (blue, red, 1)):
        things = [thing(0, (0, 4, 0), near, **pane), thing(1, (0, 5, 0), far, **pane)]
        put(studio, *(reversed(things) if first else things))
        seen = picture(studio)[130:170, 180:220].mean((0, 1))
        nearer, farther = (0, 2) if near == red else (2, 0)
        assert seen[nearer] > seen[farther] * 1.5 > 30, (near, far, first, seen)
        assert studio.see("mainland.world.dresser.batches.clear.size") == 1  # they are drawn by one call
    # From behind it is the other way round, with nothing told anew.
    x, y, z = EYE
    studio.see(f"mainland.view([{x}, {y + 12}, {z}], [{x}, {y}, {z}])")
    seen = picture(studio)[130:170, 180:220].mean((0, 1))
    assert seen[0] > seen[2] * 1.5 > 30, seen


def test_the_sea_does_not_wash_away_the_glass_before_it(studio: Visitor) -> None:
    x, y, z = EYE
    studio.see(f"mainland.view([{x - 90}, {y}, {z}], [{x - 95}, {y}, {z - 20}])")  # down at the sea
    sea = picture(studio)[130:170, 180:220].mean((0, 1))
    put(studio, thing(0, (-91, 0, -4), (255, 0, 0, 190), scale=[3, 3, 0.1]))
    seen = picture(studio)[130:170, 180:220].mean((0, 1))
    assert sea[2] > sea[0] + 20 and seen[0] > seen[2] + 60, (sea, seen)


def test_what_glows_has_a_halo_and_what_hides_it_hides_that(studio: Visitor) -> None:
    dark = picture(studio)
    assert studio.see("mainland.stage.glow.seen") == 0
    calls = studio.see("mainland.stage.renderer.info.render.calls")
    around = [slice(125, 175), slice(232, 244)]  # beside the box, which ends at 226
    put(studio, thing(0, (0, 5, 0), WHITE))
    plain = picture(studio)
    assert np.abs(plain[*around] - dark[*around]).max() < 12  # full bright alone makes no halo
    assert studio.see("mainland.stage.renderer.info.render.calls") <= calls + 1
    halo = []
    for glow in (0.2, 1.0):
        put(studio, thing(0, (0, 5, 0), WHITE, glow=glow))
        halo.append((picture(studio)[*around] - dark[*around]).mean())
    assert halo[1] > 3 * halo[0] > 6, halo
    put(studio, thing(0, (0, 5, 0), (255, 0, 0, 255), glow=1.0))
    red = (picture(studio)[*around] - dark[*around]).mean((0, 1))
    assert red[0] > 10 and red[1] < 3 and red[2] < 3, red
    put(studio, thing(1, (0, 3, 0), BLACK, scale=[3, 0.1, 3]))  # a wall before it
    hidden = picture(studio)[*around]
    assert hidden.max() < 30, hidden.max()
    put(studio, thing(0, (0, -5, 0), WHITE, glow=1.0))  # behind the camera
    picture(studio)
    assert studio.see("mainland.stage.glow.seen") == 0


# Where the texture lies on the first face of a thing: repeats and offsets; empty as long as it has none.
PLACE = """((slot) => slot?.batch
  ? [...slot.batch.mesh.geometry.attributes.place.array.slice(slot.at * 4, slot.at * 4 + 4)] : []
)(mainland.world.things.get(%d).slots?.[0])"""


def test_textures_that_loop_are_in_step_in_all_windows(visitor: Open) -> None:
    """Whenever a window came to know of them, and whatever its own clock says."""
    windows = [visitor(200, 150), visitor(200, 150)]
    windows[1].page.add_init_script("const real = performance.now.bind(performance); performance.now = () => real() + 4321987")
    rate = 1 / 64  # turns a second; a float32 holds it
    for who, name in zip(windows, ("Ada", "Ben"), strict=True):
        who.enter(name, "Harbour/100/100/30")
        at = list(map(float, who.position))
        put(who, *({**thing(n, (0, 0, 0), moving=moving(ON | LOOP | SMOOTH, 0, 0, rate)), "at": at} for n in range(2)))

        def in_step(who: Visitor, number: int) -> bool:
            """Whether the texture is where the grid's time puts it, to a second."""
            before = time.time()
            shown = who.see(PLACE % number)
            return bool(shown) and (before * rate - shown[2] + rate) % 1 < 2 * rate

        for number in (FIRST, FIRST + 1):
            who.until(lambda who=who, number=number: in_step(who, number), "the grid's time")  # type: ignore[misc]


def test_a_texture_that_moves_once_does_so_once(studio: Visitor) -> None:
    """Not again when the thing is told of anew, nor when it was too small to be seen; another motion is another matter."""
    once: dict[str, Any] = {"moving": moving(ON, 2, 2, 20.0)}
    last = [0.5, 0.5, 0.25, -0.25]
    since = f"mainland.world.things.get({FIRST}).told.at"
    put(studio, thing(0, (0, 4, 0), **once))
    studio.until(lambda: studio.see(PLACE % FIRST) == last, "the last picture")
    began = studio.see(since)
    put(studio, thing(0, (0, 4, 0), (255, 0, 0, 255), **once))
    picture(studio)
    assert studio.see(since) == began and studio.see(PLACE % FIRST) == last
    x, y, z = EYE
    for height, there in ((900, 0), (0, 1)):
        studio.see(f"mainland.view([{x}, {y}, {z + height}], [{x}, {y + 10}, {z + height}])")
        count = f"mainland.world.things.get({FIRST}).slots.length"
        studio.until(lambda count=count, there=there: studio.see(count) == there, "how near it is")  # type: ignore[misc]
    assert studio.see(since) == began and studio.see(PLACE % FIRST) == last
    put(studio, thing(0, (0, 4, 0), moving=moving(ON, 2, 2, 0.001)))
    studio.until(lambda: studio.see(PLACE % FIRST) == [0.5, 0.5, -0.25, 0.25], "the first picture")
    assert studio.see(since) > began


def flexi(softness: int, tension: float, drag: float, gravity: float, wind: float = 0.0, force: Any = (0, 0, 0)) -> list[int]:
    """As ExtraParams hold it."""
    first, second = (softness & 2) << 6 | round(tension * 10), (softness & 1) << 7 | round(drag * 10)
    return list(struct.pack("<4B3f", first, second, round((gravity + 10) * 10), round(wind * 10), *force))


JOINTS = f"mainland.world.things.get({FIRST}).spine?.joints.map((joint) => joint.toArray()) ?? []"
BENT = f"mainland.world.things.get({FIRST}).spine.resting"
EAST = [0, 0.5**0.5, 0, 0.5**0.5]  # a turn that lays z along x


def test_a_flexible_prim_hangs_and_swings_behind(studio: Visitor) -> None:
    rod: dict[str, Any] = {"scale": [0.3, 0.3, 3], "turn": EAST}

    def white(seen: np.ndarray) -> tuple[float, float]:
        """Middle of what is white, pixels (x, y)."""
        y, x = np.nonzero(seen.min(-1) > 150)
        return float(x.mean()), float(y.mean())

    put(studio, thing(0, (0, 6, 0), **rod))
    straight = white(picture(studio))
    assert straight == pytest.approx((200, 150), abs=6) and studio.see(JOINTS) == []
    shown = {}
    for name, how in {"stiff": flexi(2, 10, 1, 0.1), "soft": flexi(3, 0.5, 1, 3), "blown": flexi(3, 0.5, 1, 0, 0, (0, 0, 3))}.items():
        put(studio, thing(0, (0, 6, 0), flexi=how, **rod))
        studio.until(lambda: studio.see(f"({JOINTS}).length && {BENT}"), "it to rest")
        joints = np.array(studio.see(JOINTS))
        assert joints[0].tolist() == pytest.approx([EYE[0] - 1.5, EYE[1] + 6, EYE[2]], abs=1e-3)  # the bottom stays where it is
        assert np.linalg.norm(np.diff(joints, axis=0), axis=1) == pytest.approx(3 / (len(joints) - 1), rel=1e-3)
        shown[name] = white(picture(studio)), joints
    assert shown["stiff"][0] == pytest.approx(straight, abs=6)
    assert shown["soft"][0][1] > straight[1] + 25 and shown["soft"][1][-1][2] < EYE[2] - 1.5
    assert shown["blown"][0][1] < straight[1] - 25  # a force upwards
    # It is carried aside for a second and held: the free end comes later, and as far in the end, however rare frames are.
    for rate in (60, 5):
        studio.see(f"mainland.world.gone({FIRST})")
        put(studio, thing(0, (0, 6, 0), flexi=flexi(3, 0.5, 1, 3), **rod))
        studio.until(lambda: studio.see(f"({JOINTS}).length && {BENT}"), "it to rest")
        first, *lag = studio.page.evaluate(
            """([n, rate]) => {
              const { spine, frame } = mainland.world.things.get(n), carried = frame.clone();
              const hung = () => spine.joints.at(-1).x - spine.joints[0].x, found = [hung()];
              for (let shown = 0; shown < 20 * rate; shown++) {
                if (shown < rate) carried.elements[12] += 2 / rate;
                spine.step(carried, 3, 1 / rate, 100);
                found.push(hung());
              }
              return found;
            }""",
            [FIRST, rate],
        )
        assert min(lag) < first - 0.5 and max(lag) < first + 0.7, (rate, first, min(lag), max(lag))
        assert lag[-1] == pytest.approx(first, abs=0.05), (rate, first, lag[-1])


def test_hostile_flexible_prims_are_only_odd(studio: Visitor) -> None:
    """Numbers out of range, and more of them than are bent at a time."""
    rod: dict[str, Any] = {"scale": [0.1, 0.1, 1]}
    nan = flexi(3, 12.7, 12.7, 10, 25.5, (float("nan"), float("inf"), -1e30))
    put(studio, *(thing(n, (n % 12 - 6, 8, n // 12 - 5), flexi=nan, **rod) for n in range(120)))
    picture(studio)
    assert studio.see("mainland.world.dresser.bending.size") == 100
    finite = "[...mainland.world.dresser.bending].every((t) => t.spine.joints.every((j) => j.toArray().every(Number.isFinite)))"
    assert studio.see(finite)

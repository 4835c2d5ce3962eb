"""Pictures of a world, taken by the browser viewer's own page in a Chromium without a window.

The page is asked by its address (viewer/web/src/handle.ts) for a camera of its own, no interface and a certain sun; it
says itself when everything it was told of is loaded and drawn. The camera is a spectator's: nobody stands there.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any
from urllib.parse import quote

from .chromium import BrowserFailed, Tab, chromium
from .errors import ViewerError

Vector = tuple[float, float, float]
KINDS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}
TIMES = {"region": "", "sunrise": "morning", "morning": "morning", "noon": "noon", "evening": "evening", "sunset": "evening",
         "night": "night"}  # fmt: skip
"""Times of day by what people call them, and the page's word for each."""


class PictureFailed(ViewerError):
    """There is no picture; the text says why."""


@dataclass(frozen=True)
class Shot:
    """What to show: the camera in metres of its region, pixels, the time of day (one of ``TIMES``).

    ``clock`` stops waves, clouds and breath in a second of theirs, for pictures that are compared. ``fine`` has shadows and
    the finest land, which takes software a few seconds longer.
    """

    region: str
    at: Vector
    look: Vector
    size: tuple[int, int] = (1280, 720)
    time: str = "region"
    clock: float | None = None
    fine: bool = True

    def address(self, page: str) -> str:
        """The address of a spectator's view of a grid's page."""
        asked = ["watch", f"at={_spot(self.at)}", f"look={_spot(self.look)}", "bare", *(["fine"] if self.fine else [])]
        if TIMES[self.time]:
            asked.append(f"sun={TIMES[self.time]}")
        if self.clock is not None:
            asked.append(f"clock={self.clock:g}")
        stand = [min(max(part, 1.0), 255.0) for part in self.at[:2]]
        place = "/".join((quote(self.region, safe=""), f"{stand[0]:g}", f"{stand[1]:g}", f"{self.at[2]:g}"))
        return f"{page.rstrip('/')}/?{'&'.join(asked)}#{place}"


@dataclass(frozen=True)
class Picture:
    """The file's bytes, and what was found out on the way."""

    data: bytes
    facts: dict[str, Any]


async def take(
    page: str,
    shot: Shot,
    kind: str = "png",
    patience: float = 60.0,
    say: Callable[[str], object] = lambda _: None,
) -> Picture:
    """Take a picture through the gateway at ``page``.

    ``kind``: png, jpeg or webp. Raises ``NoChromium``, ``BrowserFailed`` and ``PictureFailed``; ``say`` gets a line for
    each step.
    """
    began = monotonic()
    async with chromium() as browser:
        say(f"{browser.version.replace('/', ' ')} draws in software")
        tab = await browser.tab(*shot.size)
        await enter(tab, shot.address(page), None, patience)
        standing = monotonic() - began
        here = await tab.see("mainland.world.regions.get(mainland.world.here)?.name")
        if here != shot.region:
            await leave(tab)
            raise PictureFailed(f"there is no region {shot.region!r}: the grid led to {here!r}")
        say(f"in {here} after {standing:.1f} s; waiting for all of it")
        try:
            await tab.until("mainland.settled()", "everything in view", patience)
        except BrowserFailed as error:
            waits = await tab.see("mainland.world.textures.busy")
            await leave(tab)
            raise PictureFailed(f"{error}; {waits} textures are still to come") from error
        data = await tab.picture(kind)
        facts = await tab.see(_FACTS)
        await leave(tab)
        return Picture(data, {
            "region": here, "size": list(shot.size), "bytes": len(data), **facts, "renderer": _renderer(facts["renderer"]),
            "standing_seconds": round(standing, 2), "seconds": round(monotonic() - began, 2), "browser": browser.version,
            "complaints": tab.complaints,
        })  # fmt: skip


async def enter(tab: Tab, address: str, who: dict[str, str] | None, patience: float = 60.0) -> None:
    """Open the page (a spectator's, or log in by its form with what ``who`` says), until the world is there.

    Raises ``PictureFailed`` with the page's words when they are a refusal, and ``BrowserFailed``.
    """
    await tab.open(address)
    if who is not None:
        await tab.until("document.querySelector('form.login')", f"a login at {address.split('?')[0]}", patience)
        await tab.see(_LOG_IN % json.dumps(who))
    said = await tab.until(_IN, "standing in the world", patience)
    if said is not True:
        raise PictureFailed(said)


async def leave(tab: Tab) -> None:
    """Log out, so that nobody is left standing there. What fails of it the gateway does, a minute later."""
    with suppress(BrowserFailed):
        await tab.see("mainland.leave()")
        await tab.until("document.querySelector('.again')", "the goodbye", 5.0)


def _spot(at: Vector) -> str:
    return ",".join(f"{part:g}" for part in at)


def _renderer(full: str) -> str:
    """WebGL's long description in a word, where we know it."""
    return next((name for name in ("SwiftShader", "llvmpipe") if name.lower() in full.lower()), full)


_LOG_IN = """(() => {
  const form = document.querySelector("form.login"), who = %s;
  const field = (name) => form.querySelector(`[name=${name}]`);
  if (field(Object.keys(who)[0]).disabled) form.querySelector("button.link").click();
  for (const [name, value] of Object.entries(who)) field(name).value = value;
  form.requestSubmit();
})()"""

# True when there is something to see, a text when there never will be.
_IN = """window.mainland?.standing != null || document.querySelector("form.login .problem")?.textContent
  || document.querySelector(".again p")?.textContent
  || (!document.getElementById("app") && document.querySelector("h1")?.textContent)"""

_FACTS = """(() => {
  const { world, stage } = mainland, gl = stage.renderer.getContext(), info = stage.renderer.info.render;
  const name = gl.getExtension("WEBGL_debug_renderer_info"), things = [...world.things.values()];
  return {
    renderer: String(gl.getParameter(name ? name.UNMASKED_RENDERER_WEBGL : gl.RENDERER)),
    draws: info.calls, triangles: info.triangles,
    objects: things.filter((thing) => thing.record).length,
    people: things.filter((thing) => thing.figure && !thing.own).length,
    regions: [...world.regions.values()].map((region) => region.name),
  };
})()"""

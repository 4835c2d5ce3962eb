"""What a browser feels, drawn by SwiftShader: opening, frames of large scenes, keys. `python -m bench.browser --json`

Chromium has no window and no graphics card here: SwiftShader draws on the processor, so frame times are those of the
slowest device there is, and `cpu ms a frame` (all of the browser's processes) is the figure to compare; draw calls and
triangles are the same everywhere. Everything goes the way of a person's browser: page, gateway, circuit, region.

    visit    from opening the address to the first frame that shows where one stands, and bytes on the wire: first visit
             (nothing cached) and second
    scene    1,000 and more prims of a scene file, 48 kinds of them (form by texture), 800x450 pixels, seen from above
    empty    the same region and camera without prims: what sky, land and water cost
    keys     from the key's event in the page to the own avatar moving in it, and to another browser seeing it move
"""

from __future__ import annotations

import asyncio
import json
import math
import statistics
import tempfile
from pathlib import Path
from time import monotonic
from typing import Any

import psutil

from bench.kit import BenchGrid, arguments, milliseconds, running_grid, show, told
from viewer.chromium import Browser, Tab, chromium
from viewer.snapshot import Shot, enter, leave

SIZE = (800, 450)
LEAST_FRAMES = 5  # drawn before a scene is judged, however slow
FORMS = ("box", "cylinder", "sphere", "torus", "prism", "ring")
TEXTURES = ("rock", "grass", "dirt", "mountain", "plywood", "blank", "shirt", "pants")


def scene(prims: int) -> dict[str, Any]:
    """A scene of that many prims, evenly over the region; each form in each texture by turns."""
    kinds = [(form, texture) for form in FORMS for texture in TEXTURES]
    side = math.ceil(math.sqrt(prims))
    entries = []
    for n in range(prims):
        form, texture = kinds[n % len(kinds)]
        spot = [240.0 * (n % side + 0.5) / side - 120.0, 240.0 * (n // side + 0.5) / side - 120.0, 12.0 + n % 5]
        look = {"shape": form, "texture": texture, "size": [1.0, 0.8, 0.4 if form == "ring" else 1.2]}
        entries.append({"position": spot, "rotation": [0, 0, n % 360], **look})
    return {"name": f"{prims} prims", "origin": [128, 128, "ground"], "prim": entries}


def processor(browser: Browser) -> float:
    """Seconds of processor time all processes of the browser have used."""
    first = psutil.Process(browser.pid)
    return sum(sum(each.cpu_times()[:2]) for each in (first, *first.children(recursive=True)))


# -- opening


async def visits(grid: BenchGrid, region: str, times: int) -> list[dict[str, Any]]:
    rows: dict[str, list[tuple[float, int]]] = {"first": [], "second": []}
    for n in range(times):
        async with chromium() as browser:
            tab = await browser.tab(*SIZE)
            for which in rows:
                rows[which].append(await visit(tab, f"{grid.web_uri}#{region}/128/128/30", f"Visitor{n}"))
    return [
        {"visit": which, "times": len(found), "standing s (median)": round(statistics.median(s for s, _ in found), 2),
         "slowest": round(max(s for s, _ in found), 2), "KiB": round(statistics.median(size for _, size in found) / 1024)}
        for which, found in rows.items()
    ]  # fmt: skip


async def visit(tab: Tab, address: str, name: str) -> tuple[float, int]:
    """(seconds from opening to standing, bytes on the wire till all is there); typing a name takes no time here."""
    size = 0

    def loaded(event: dict[str, Any]) -> None:
        nonlocal size
        size += int(event["encodedDataLength"])

    def frame(event: dict[str, Any]) -> None:
        nonlocal size
        data, text = event["response"]["payloadData"], event["response"]["opcode"] == 1
        size += len(data) if text else len(data) * 3 // 4

    await tab.call("Network.enable")
    tab.on("Network.loadingFinished", loaded)
    tab.on("Network.webSocketFrameReceived", frame)
    await tab.open("about:blank")
    began = monotonic()
    await enter(tab, address, {"guest": name})
    standing = monotonic() - began
    await tab.until("mainland.settled()", "all of it")
    await leave(tab)
    return standing, size


# -- drawing


async def frames(grid: BenchGrid, region: str, prims: int, seconds: float) -> dict[str, Any]:
    shot = Shot(region, (8.0, 8.0, 62.0), (128.0, 128.0, 24.0), SIZE, "noon", fine=False)
    async with chromium() as browser:
        tab = await browser.tab(*SIZE)
        began = monotonic()
        await enter(tab, shot.address(grid.web_uri), None)
        seen = f"[...mainland.world.things.values()].filter((t) => t.record).length >= {prims}"
        await tab.until(f"{seen} && mainland.settled()", f"{prims} prims", 240.0)
        settled = monotonic() - began
        await tab.see(_TIME_FRAMES)
        used, began = processor(browser), monotonic()
        await asyncio.sleep(seconds)
        await tab.until(f"timed.between.length >= {LEAST_FRAMES}", "a few frames", 300.0)
        used, span = processor(browser) - used, monotonic() - began
        times, scripting = await tab.see("[timed.between, timed.scripting]")
        info = await tab.see("(({calls, triangles}) => ({calls, triangles}))(mainland.stage.renderer.info.render)")
        heap = await tab.see("performance.memory.usedJSHeapSize")
        there = await tab.see("[...mainland.world.things.values()].filter((t) => t.slots?.every((slot) => slot.batch)).length")
        await leave(tab)
    count = len(times)
    return {
        "prims": prims,
        "placed": there,
        "draw calls": info["calls"],
        "triangles": info["triangles"],
        "frame p50 ms": round(statistics.median(times), 1),
        "frame p95 ms": round(sorted(times)[int(0.95 * len(times))], 1),
        "script ms a frame": round(statistics.mean(scripting), 2),
        "cpu ms a frame": round(1000 * used / count, 1),
        "frames/s": round(count / span, 1),
        "all there after s": round(settled, 1),
        "page MB": round(heap / 1e6, 1),
    }


# Times between two frames, and what the page's own work in one takes.
_TIME_FRAMES = """(() => {
  window.timed = { between: [], scripting: [] };
  let last = performance.now(), ours = 0;
  const draw = mainland.stage.renderer.render, step = mainland.world.step;
  const clocked = (what, self, words) => {
    const began = performance.now();
    what.apply(self, words);
    ours += performance.now() - began;
  };
  mainland.world.step = (...words) => clocked(step, mainland.world, words);
  mainland.stage.renderer.render = (...words) => {
    clocked(draw, mainland.stage.renderer, words);
    timed.scripting.push(ours);
    ours = 0;
    const now = performance.now();
    timed.between.push(now - last);
    last = now;
  };
})()"""


# -- keys


async def keys(grid: BenchGrid, region: str, times: int) -> list[dict[str, Any]]:
    own: list[float] = []
    other: list[float] = []
    async with chromium() as browser:
        walker, witness = await browser.tab(320, 200), await browser.tab(320, 200)
        await enter(walker, f"{grid.web_uri}#{region}/128/128/30", {"guest": "Walker"})
        await enter(witness, f"{grid.web_uri}#{region}/131/128/30", {"guest": "Witness"})
        for tab in (walker, witness):
            await tab.until("[...mainland.world.things.values()].filter((t) => t.figure).length >= 2", "each other")
            await tab.until("mainland.settled()", "all of it")
        for _ in range(times):
            await walker.until("mainland.world.me.motion.velocity.length() < 0.01", "rest")
            await asyncio.sleep(0.3)
            pressed = asyncio.create_task(walker.see(_WATCH % "true"))
            seen = asyncio.create_task(witness.see(_WATCH % "false"))
            await asyncio.sleep(0.1)
            await walker.press("KeyW", True)
            (began, moved), (_, shown) = await asyncio.gather(pressed, seen)
            await walker.press("KeyW", False)
            own.append((moved - began) / 1000)
            other.append((shown - began) / 1000)
        await leave(witness)
        await leave(walker)
    named = (("own avatar moves", own), ("another browser shows it", other))
    return [{"from key to": what, **milliseconds(found)} for what, found in named]


# [when W was pressed, when a figure was first drawn elsewhere], milliseconds of the machine's clock. The key is timed as
# its event reaches the page, before the page's own listeners have it.
_WATCH = """new Promise((resolve, reject) => {
  const own = %s, now = () => performance.timeOrigin + performance.now();
  const figure = () => [...mainland.world.things.values()].find((thing) => thing.figure && !!thing.own === own);
  const from = figure().motion.position.clone();
  let began = 0;
  if (own) addEventListener("keydown", () => (began = now()), { once: true, capture: true });
  const look = () => {
    if (figure()?.motion.position.distanceTo(from) > 0.01) resolve([began, now()]);
    else requestAnimationFrame(look);
  };
  look();
  setTimeout(() => reject(new Error("nothing moved")), 20000);
})"""


def main() -> None:
    given = arguments(__doc__, prims="0,1000,5000,15000", seconds=10.0, visits=3, keys=30)
    tables: dict[str, list[dict[str, Any]]] = {"scenes": []}
    with tempfile.TemporaryDirectory() as folder:
        for prims in map(int, given.prims.split(",")):
            file = Path(folder) / f"{prims}.json"
            file.write_text(json.dumps(scene(prims)))
            with running_grid("1x1", str(file) if prims else "none") as grid:
                region = grid.status()["regions"][0]["name"]
                tables["scenes"].append(told(asyncio.run(frames(grid, region, prims, given.seconds))))
    with running_grid("2x2", "welcome") as grid:
        region = grid.status()["regions"][0]["name"]
        if given.visits:
            tables["visits"] = asyncio.run(visits(grid, region, given.visits))
    with running_grid("1x1", "none") as grid:
        region = grid.status()["regions"][0]["name"]
        if given.keys:
            tables["keys"] = asyncio.run(keys(grid, region, given.keys))
    if given.json:
        show("browser", tables.pop("scenes"), True, renderer="SwiftShader", **tables)
        return
    for name, rows in tables.items():
        show(f"{name}, drawn by SwiftShader", rows, False)


if __name__ == "__main__":
    main()

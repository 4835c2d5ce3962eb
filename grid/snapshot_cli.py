"""`mainland snapshot`: a picture of a running world, taken by the browser viewer in a Chromium without a window."""

from __future__ import annotations

import asyncio
import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from grid import web
from grid.errors import NOT_RUNNING, GridError
from grid.layout import Layout, default_dir
from grid.status import running

if TYPE_CHECKING:  # the viewer is loaded when a picture is taken, not for every command
    from viewer.snapshot import Picture, Shot

Vector = tuple[float, float, float]
_LARGEST = 4096  # pixels a side: what every WebGL can draw
_FAR = 2048.0  # metres from the region's corner: everything in view is nearer


def snapshot(
    region: Annotated[str, typer.Option(metavar="NAME", help="The region the camera is in.")],
    at: Annotated[str, typer.Option(metavar="X,Y,Z", help="Where the camera is: metres in the region, z is up.")],
    look: Annotated[str, typer.Option(metavar="X,Y,Z", help="The point it looks at.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Its ending says the kind: png, jpg, webp.")
    ],
    data: Annotated[
        Path, typer.Option("--data", metavar="DIR", help="The folder of the grid.", default_factory=default_dir)
    ],
    url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A grid's page elsewhere, instead of --data's; it must let people watch."),
    ] = None,
    size: Annotated[str, typer.Option(metavar="WxH", help=f"Pixels, up to {_LARGEST}x{_LARGEST}.")] = "1280x720",
    time: Annotated[
        str, typer.Option(metavar="TIME", help="The sun: region, sunrise, morning, noon, evening, sunset, night.")
    ] = "region",
    patience: Annotated[float, typer.Option(min=5.0, max=3600.0, help="Seconds to wait for each step.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text for people.")] = False,
) -> None:
    """Take a picture of a running world: headless, by Chromium (apt-get install chromium), drawn in software.

    It waits until land, objects and textures in view are there. Nobody in the world notices. Of a grid of one's own it works
    even if that shows itself to no spectators (`spectators = 0`).
    """
    from viewer.snapshot import TIMES, Shot

    if time not in TIMES:
        raise GridError(f"--time {time}: no such time of day", f"one of {', '.join(TIMES)}")
    shot = Shot(region, _spot("--at", at), _spot("--look", look), _size(size), time)
    if shot.at == shot.look:
        raise GridError("--at and --look are the same point", "look at something some metres away")
    kind = _kind(output)
    shown = _elsewhere(url) if url is not None else asyncio.run(_here(Layout(data), region))

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    with shown as page:
        picture = _take(page, shot, kind, patience, say)
    try:
        output.write_bytes(picture.data)
    except OSError as error:
        raise GridError(f"cannot write {output}: {error.strerror}", "choose another file with -o") from error
    facts = {"file": str(output), **picture.facts}
    print(json.dumps(facts) if as_json else _sentence(facts), flush=True)


def _take(page: str, shot: Shot, kind: str, patience: float, say: Any) -> Picture:
    from viewer import ViewerError
    from viewer.chromium import NoChromium
    from viewer.snapshot import take

    try:
        return asyncio.run(take(page, shot, kind, patience, say))
    except NoChromium as error:
        raise GridError(
            str(error), "Debian: apt-get install chromium; Ubuntu: chromium-browser; or Google Chrome"
        ) from error
    except ViewerError as error:
        hint = "`mainland status` shows the grid's health; a slow machine may need a longer --patience"
        if "sandbox" in str(error).lower():
            hint = "Chromium's sandbox needs user namespaces; in a container run this as root"
        raise GridError(f"no picture: {error}", hint) from error


def _sentence(facts: dict[str, Any]) -> str:
    width, height = facts["size"]
    return (
        f"{facts['file']}: {width}x{height}, {facts['bytes'] / 1000:.0f} kB; {facts['objects']} objects, {facts['people']} people, "
        f"{facts['draws']} draw calls; {facts['seconds']:.1f} s; renderer: {facts['renderer']}"
    )


# -- what was asked


def _numbers(text: str, separator: str) -> list[float]:
    try:
        found = [float(part) for part in text.split(separator)]
    except ValueError:
        return []
    return found if all(math.isfinite(value) for value in found) else []


def _spot(option: str, text: str) -> Vector:
    found = _numbers(text, ",")
    if len(found) != 3 or max(map(abs, found)) > _FAR:
        raise GridError(f"{option} {text}: not a point", "three numbers in metres, such as 128,128,30")
    return found[0], found[1], found[2]


def _size(text: str) -> tuple[int, int]:
    found = _numbers(text.lower(), "x")
    if len(found) != 2 or not all(value.is_integer() and 16 <= value <= _LARGEST for value in found):
        raise GridError(f"--size {text}: not a size", f"width and height from 16 to {_LARGEST}, such as 1280x720")
    return int(found[0]), int(found[1])


def _kind(output: Path) -> str:
    from viewer.snapshot import KINDS

    kind = KINDS.get(output.suffix.lower())
    if kind is None:
        raise GridError(f"{output}: what kind of picture?", f"end its name with one of {', '.join(KINDS)}")
    folder = output.parent
    if output.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise GridError(f"cannot write {output}", "choose a file in a folder that is there and yours")
    return kind


# -- the page that shows the world


Page = AbstractContextManager[str]  # its address


def _elsewhere(url: str) -> Page:
    if not url.startswith(("http://", "https://")):
        raise GridError(f"--url {url}: not an address", "such as http://world.example.org:9002/, where people come in")
    if url.startswith("http://") and not asyncio.run(_may_watch(url)):
        raise GridError(
            f"{url} shows itself to no spectators", "ask there; `spectators` in mainland.toml says how many may"
        )
    return nullcontext(url)


async def _may_watch(page: str) -> bool:
    try:
        about = await web.get_json(f"{page.rstrip('/')}/api/grid")
    except web.NoAnswer as error:
        raise GridError(f"no world at {page}: {error}", "the address that opens the world in a browser") from error
    return isinstance(about, dict) and about.get("spectators") is True


async def _here(layout: Layout, region: str) -> Page:
    """The page of the grid that runs on this folder, or one of our own where that shows itself to nobody."""
    found = running(layout)
    if found is None or not found.get("inner_uri"):
        raise GridError(
            f"no grid is running on {layout.root}", "start it with `mainland up`, or name one by --url", NOT_RUNNING
        )
    pages = [part["port"] for part in found["processes"] if part["name"] == "web" and part["port"]]
    if not pages:
        raise GridError("this grid has no browser viewer", "`mainland status` shows what runs")
    page, backbone = f"http://{found['inner']}:{pages[0]}/", found["inner_uri"]
    try:
        names = [entry["name"] for entry in (await web.get_json(f"{backbone}/regions"))["regions"]]
        if region not in names:
            raise GridError(f"there is no region {region!r}", f"there are: {', '.join(sorted(names)) or 'none'}")
        return nullcontext(page) if await _may_watch(page) else _own_page(layout, found["inner"], backbone)
    except web.NoAnswer as error:
        raise GridError(f"Backbone does not answer: {error}", "`mainland status` shows its health") from error


@contextmanager
def _own_page(layout: Layout, host: str, backbone: str) -> Iterator[str]:
    """A page that this command alone knows of, for as long as it takes: whoever has the grid's secret may look."""
    argv = [sys.executable, "-m", "viewer.gateway", "--grid", f"{backbone}/", "--bind", host, "--port", "0",
            "--watching", str(layout.secret), "--spectators", "1"]  # fmt: skip
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            if not ready:
                raise GridError("the page for the picture does not start", "`python -m viewer.gateway` says why")
            yield f"http://{host}:{json.loads(ready)['port']}/"
        finally:
            process.terminate()

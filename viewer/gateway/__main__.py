"""``python -m viewer.gateway``: serves the browser viewer of one grid.

Prints one JSON line when it accepts requests, logs on stderr, ends cleanly on SIGTERM and SIGINT.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from ground import stacks
from ground.doors import Doors, raise_open_files
from ground.proxies import Networks
from ground.visitors import guard
from viewer import new_http

from .app import App
from .pictures import Pictures
from .sessions import LINGER, Sessions

PAGE = Path(__file__).resolve().parent.parent / "web" / "dist"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m viewer.gateway", description="Mainland in a browser.")
    parser.add_argument("--grid", default="http://127.0.0.1:9000/", help="login address of the grid")
    parser.add_argument("--grid-name", default="Mainland", help="what the page calls it")
    parser.add_argument("--bind", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=9002, help="0: any free one")
    parser.add_argument("--guests", type=Path, metavar="SECRET_FILE",
                        help="let people in by a name alone; the grid's secret makes their accounts")  # fmt: skip
    parser.add_argument("--secret-file", type=Path,
                        help="the grid's secret, by which it believes us for whom we log in")  # fmt: skip
    parser.add_argument("--watching", type=Path, metavar="SECRET_FILE",
                        help="let people look in without an account; the grid's secret opens the views")  # fmt: skip
    parser.add_argument("--spectators", type=int, default=10, help="how many may look in at a time")
    parser.add_argument("--most", type=int, default=200, help="browsers at a time")
    parser.add_argument("--linger", type=float, default=LINGER, help="seconds a session outlives its connection")
    parser.add_argument("--trusted-proxies", type=Networks.parse, metavar="NETWORKS", default=Networks(()),
                        help="proxies whose X-Forwarded-For is believed, with commas between")  # fmt: skip
    parser.add_argument("--page", type=Path, default=PAGE, help="folder of the built page")
    return parser.parse_args()


async def serve(asked: argparse.Namespace) -> None:
    if urlsplit(asked.grid).scheme not in ("http", "https"):
        raise SystemExit(f"--grid {asked.grid}: an address such as http://127.0.0.1:9000/")
    secret = asked.guests.read_text(encoding="utf-8").strip() if asked.guests else None
    watching = asked.watching.read_text(encoding="utf-8").strip() if asked.watching else ""
    speaks_for = asked.secret_file.read_text(encoding="utf-8").strip() if asked.secret_file else None
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    http = new_http()
    sessions = Sessions(
        asked.grid.rstrip("/") + "/", http, secret, asked.most, asked.linger, (watching, asked.spectators), speaks_for
    )
    pictures = Pictures(http, None)
    runner = web.AppRunner(
        App(sessions, pictures, asked.page, asked.grid_name, asked.trusted_proxies).web, access_log=None, shutdown_timeout=2.0
    )
    await runner.setup()
    guard(runner, Doors(friends=asked.trusted_proxies))
    site = web.TCPSite(runner, asked.bind, asked.port)
    await site.start()
    port = runner.addresses[0][1]
    print(json.dumps({"ready": True, "port": port, "pid": os.getpid()}), flush=True)
    try:
        await ended.wait()
    finally:
        await sessions.close()
        await runner.cleanup()
        pictures.close()
        await http.close()


def main() -> None:
    stacks.on_signals()
    raise_open_files()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        import uvloop
    except ImportError:  # it is not made for every system
        asyncio.run(serve(arguments()))
    else:
        uvloop.run(serve(arguments()))


if __name__ == "__main__":
    main()

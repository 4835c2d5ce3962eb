"""``python -m backbone``: the Backbone process. One JSON line on stdout when it accepts requests; logs on stderr."""

from __future__ import annotations

from ground import green

green.patch()  # before anything imports socket

import argparse  # noqa: E402
import fcntl  # noqa: E402
import gc  # noqa: E402
import json  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import IO  # noqa: E402

from backbone.app import build_app  # noqa: E402
from backbone.services import Config, Services  # noqa: E402
from backbone.storage.limits import DAYS, THINGS, Limits  # noqa: E402
from backbone.storage.regions import LEASE_SECONDS, TAKEOVER_SECONDS  # noqa: E402
from backbone.storage.schema import NewerDatabase, WrongDatabase  # noqa: E402
from ground import gauges, server, stacks  # noqa: E402
from ground.disks import BACKBONE_RESERVE  # noqa: E402
from ground.doors import raise_open_files  # noqa: E402
from ground.proxies import Networks  # noqa: E402

log = logging.getLogger("backbone")
MIN_SECRET = 16
DATABASE_VARIABLE = "MAINLAND_DATABASE"


def read_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m backbone", description="Mainland's Backbone service")
    parser.add_argument("--data", type=Path, required=True, help="folder for the database (made if need be)")
    parser.add_argument("--bind", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    parser.add_argument("--port", type=int, default=9000, help="port to listen on, 0 for any free one (default: 9000)")
    parser.add_argument("--secret-file", type=Path, required=True, help="file with the grid secret")
    parser.add_argument("--grid-name", default="Mainland", help="what people call the grid")
    parser.add_argument(
        "--database-file",
        type=Path,
        help=f"file with the SQLAlchemy URL of another database than SQLite in --data; or set {DATABASE_VARIABLE}. "
        "Never on the command line: everybody on the machine can read that, and the URL holds a password",
    )
    parser.add_argument("--owner", help="account that owns the regions given to nobody (default: the first account)")
    parser.add_argument("--inventory-things", type=int, default=THINGS, help="folders and items a person (default: %(default)s)")
    parser.add_argument("--inventory-days", type=int, default=DAYS, help="of inventories' history (default: %(default)s)")
    parser.add_argument(
        "--reserve-megabytes", type=int, default=BACKBONE_RESERVE >> 20,
        help="of the disk, left to logins and presence: nothing else is added when no more is free (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--assets-url", help="address of the asset service")
    parser.add_argument("--public-url", help="our address as people type it, where a proxy stands in front")
    parser.add_argument(
        "--trusted-proxies", type=Networks.parse, metavar="NETWORKS", default=Networks(()),
        help="proxies whose X-Forwarded-For and -Proto are believed, with commas between",
    )
    parser.add_argument(
        "--lease-seconds", type=float, default=LEASE_SECONDS, help="how long a region that went silent counts as up"
    )
    parser.add_argument(
        "--takeover-seconds",
        type=float,
        default=TAKEOVER_SECONDS,
        help="how long after a region's last word another process may run it; the one that has it stops at half of that "
        f"(default: {TAKEOVER_SECONDS:.0f})",
    )
    return parser.parse_args(arguments)


def read_secret(path: Path) -> str:
    secret = path.read_text(encoding="ascii").strip()
    if len(secret) < MIN_SECRET:
        raise SystemExit(f"the grid secret in {path} is shorter than {MIN_SECRET} characters")
    return secret


def read_database(file: Path | None) -> str | None:
    """The URL of the database, from the file or the environment; None: SQLite in the folder."""
    url = file.read_text(encoding="utf-8").strip() if file is not None else os.environ.get(DATABASE_VARIABLE, "").strip()
    return url or None


def lock(data: Path) -> IO[str]:
    """One Backbone a folder: two would each believe their own memory. Held as long as the file is open."""
    held = open(data / "backbone.lock", "w")  # noqa: SIM115
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SystemExit(f"another Backbone runs on {data}") from None
    return held


def main() -> None:
    given = read_arguments()
    stacks.on_signals()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    given.data.mkdir(parents=True, exist_ok=True)
    raise_open_files()
    held = lock(given.data)
    secret = read_secret(given.secret_file)
    config = Config(
        given.data,
        secret,
        given.grid_name,
        read_database(given.database_file),
        given.assets_url,
        given.lease_seconds,
        given.takeover_seconds,
        given.owner,
        given.public_url,
        Limits(given.inventory_things, given.inventory_days),
        given.reserve_megabytes << 20,
    )
    listener = server.listen(given.bind, given.port)  # first: a taken port should not cost a migration
    try:
        services = Services(config)
    except (WrongDatabase, NewerDatabase) as error:
        raise SystemExit(f"Backbone does not start: {error}") from None
    application = build_app(services)
    services.start_chores()
    gc.freeze()  # sessions and the application stay: no collection needs to walk them
    gc.set_threshold(20_000, 20, 50)
    port = listener.getsockname()[1]
    print(json.dumps({"ready": True, "port": port, "pid": os.getpid()}), flush=True)
    log.info("accepting requests on %s port %d", given.bind, port)
    http = server.Server(listener, application, trusted=given.trusted_proxies)
    gauges.show(http.doors, services.metrics.registry, "backbone")
    server.run_until_signal(http, (signal.SIGTERM, signal.SIGINT))
    services.close()
    log.info("stopped")
    held.close()
    green.leave(0)


if __name__ == "__main__":
    main()

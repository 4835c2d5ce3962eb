"""Which processes make a grid, and the command line of each. Adding a service to the grid is one row here.

    supervisor (mainland up)
     +-- backbone        login, presence, people, messages      HTTP, the port people type
     +-- assets          textures, animations, bodies           HTTP
     +-- web             the viewer for browsers                HTTP and WebSockets
     +-- sims            warms imports and kernels once, then forks
          +-- one process a region                              UDP and HTTP on one port

Each prints JSON lines on stdout: `{"ready": true, ...}` for a service, `{"event": "ready", "region": ...}` for a
region. Logs go to stderr.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from grid.layout import Layout, write_json, write_secret
from grid.plan import Grid

# -P: the folder the user happens to stand in is not a place to import from; it may hold an `assets/` of its own.
_PYTHON = (sys.executable, "-P", "-m")


@dataclass(frozen=True)
class Command:
    """How to start one service. `hosts_regions`: it reports regions, not itself, as ready, and has no port."""

    argv: tuple[str, ...]
    port: int = 0
    hosts_regions: bool = False


Table = Callable[[Grid, Layout], Mapping[str, Command]]
"""What the supervisor is given: tests pass tables of small fakes."""


def commands(grid: Grid, layout: Layout) -> dict[str, Command]:
    """The grid's processes in the order they are stopped: those who visit first, then sims, while Backbone can still
    hear them say goodbye.

    They start together: addresses are known before, and each waits for the others by itself.
    """
    common = ("--bind", grid.bind, "--secret-file", str(layout.secret))
    proxies = ("--trusted-proxies", grid.trusted_proxies) if grid.trusted_proxies else ()
    public = ("--public-url", grid.public_url) if grid.public_url else ()
    write_json(layout.sims, sims_config(grid, layout), durable=False)
    database: tuple[str, ...] = ()
    if grid.database:  # it may hold a password, and everybody on the machine can read command lines
        write_secret(layout.database, grid.database)
        database = ("--database-file", str(layout.database))
    inventory = ("--inventory-things", str(grid.inventory_things), "--inventory-days", str(grid.inventory_days))
    owner = ("--owner", grid.owner) if grid.owner else ()
    guests = ("--guests", str(layout.secret)) if grid.welcomes_guests else ()
    watching = ("--watching", str(layout.secret), "--spectators", str(grid.spectators)) if grid.spectators else ()
    return {
        "web": Command(
            (*_PYTHON, "viewer.gateway", "--bind", grid.bind, "--port", str(grid.web_port), "--grid",
             f"{grid.inner_uri}/", "--grid-name", grid.name, "--secret-file", str(layout.secret), *guests, *watching,
             *proxies),
            grid.web_port,
        ),
        "sims": Command((*_PYTHON, "sim", "--config", str(layout.sims)), hosts_regions=True),
        "backbone": Command(
            (*_PYTHON, "backbone", "--data", str(layout.backbone), *common, "--port", str(grid.http_port),
             "--grid-name", grid.name, "--assets-url", grid.assets_uri, *public, *proxies, *database, *owner,
             *inventory),
            grid.http_port,
        ),
        "assets": Command(
            (*_PYTHON, "assets", "--data", str(layout.assets), *common, "--port", str(grid.assets_port), *proxies),
            grid.assets_port,
        ),
    }  # fmt: skip


def sims_config(grid: Grid, layout: Layout) -> dict[str, object]:
    """What the sim host reads. `advertise` is the address written into what viewers are told, against `bind`."""
    return {
        "bind": grid.bind,
        "advertise": grid.address,
        "inner": grid.inner,
        "backbone_url": f"http://{grid.inner}:{grid.http_port}",
        "assets_url": f"http://{grid.inner}:{grid.assets_port}",
        "public_assets_url": grid.assets_uri,
        "secret_file": str(layout.secret),
        "data": str(layout.regions),
        "log_dir": str(layout.logs),
        "grid_name": grid.name,
        "history_days": grid.history_days,
        "history_bytes": grid.history_megabytes << 20,
        "regions": [
            {"region_id": r.region_id, "name": r.name, "grid_x": r.grid_x, "grid_y": r.grid_y, "port": r.port,
             "scene": r.scene, "physics": r.physics, "age": r.age}
            for r in grid.regions
        ],
    }  # fmt: skip

"""The grid as it is saved: its name, addresses, ports and regions. `grid.json` holds it, so a second run is the same
grid: regions keep their ids, names and places for good, and their ports when nobody else has taken them."""

import dataclasses
import importlib.util
import ipaddress
import re
import socket
import subprocess
import sys
import uuid
from dataclasses import MISSING, dataclass, field
from typing import Any

from grid import names, ports
from grid.errors import GridError
from grid.layout import Layout, read_json, write_json
from grid.settings import PLAIN_SCENES, Settings

FORMAT = 1
STORE = "region.sqlite"  # in each region's folder
CORNER = 1000
"""Grid coordinates of the south-west region, in regions: far enough from 0 to grow in every direction."""
MOST_REGIONS = 256
_INVENTORY = ("inventory_things", "inventory_days")
_BEFORE_PROXIES = ("public_url", "public_assets_url", "trusted_proxies")
GUESTS = ("nobody", "local", "everybody")
ENGINES = ("numba", "bullet")


@dataclass
class Region:
    """One 256 m x 256 m square. `port` serves UDP and HTTP; 0 until one is chosen. `scene` is what stands there when it
    opens: "none", "welcome" or the path of a file. `age`: by which growth of the grid it came, 0 with its first regions; its ground
    was made for the grid of that time, and stays."""

    region_id: str
    name: str
    grid_x: int
    grid_y: int
    port: int = 0
    scene: str = "none"
    physics: str = "numba"
    age: int = 0


@dataclass
class Grid:
    """Everything `mainland up` must know to start the same grid again."""

    name: str
    bind: str
    advertise: str | None
    http_port: int
    assets_port: int
    database: str | None
    web_port: int = 0
    guests: str = "local"
    spectators: int = 10
    history_days: float = 30.0
    history_megabytes: int = 256
    inventory_things: int = 100_000
    inventory_days: int = 30
    owner: str | None = None
    public_url: str | None = None
    public_assets_url: str | None = None
    trusted_proxies: str | None = None
    regions: list[Region] = field(default_factory=list)

    @property
    def address(self) -> str:
        """The IPv4 address viewers are told."""
        if self.advertise:
            return resolve(self.advertise)
        return own_address() if self.bind == "0.0.0.0" else self.bind

    @property
    def inner(self) -> str:
        """The address the grid's own processes use among themselves."""
        return "127.0.0.1" if self.bind == "0.0.0.0" else self.bind

    @property
    def login_uri(self) -> str:
        if self.public_url:
            return self.public_url.rstrip("/") + "/"
        return f"http://{self.advertise or self.address}:{self.http_port}/"

    @property
    def assets_uri(self) -> str:
        """Where viewers fetch textures."""
        return (self.public_assets_url or f"http://{self.address}:{self.assets_port}").rstrip("/")

    @property
    def web_uri(self) -> str:
        """Where people come in with a browser."""
        return f"http://{self.advertise or self.address}:{self.web_port}/"

    @property
    def welcomes_guests(self) -> bool:
        """Whether a browser may come without an account; "local": when only this machine can reach the grid."""
        return self.guests == "everybody" or (self.guests == "local" and self.bind.startswith("127."))

    @property
    def inner_uri(self) -> str:
        return f"http://{self.inner}:{self.http_port}"


def parse_size(text: str) -> tuple[int, int]:
    """"3x2" -> (3, 2): columns and rows."""
    match = re.fullmatch(r"(\d{1,2})[xX](\d{1,2})", text)
    width, height = (int(match[1]), int(match[2])) if match else (0, 0)
    if not match or width < 1 or height < 1 or width * height > MOST_REGIONS:
        raise GridError(
            f"--regions {text!r} is not a size", f"use COLUMNSxROWS, such as 1x1, 2x2 or 3x2; {MOST_REGIONS} at most"
        )
    return width, height


_KINDS: dict[Any, tuple[type, ...]] = {str: (str,), int: (int,), float: (int, float), str | None: (str, type(None))}


def load(layout: Layout) -> Grid | None:
    """The saved grid, None when there is none. GridError when the file is not ours or damaged."""
    saved = read_json(layout.saved)
    if saved is None:
        return None
    try:
        if saved["format"] != FORMAT:
            raise GridError(
                f"{layout.saved} has format {saved['format']!r}; this version of Mainland reads format {FORMAT}",
                "use the version that wrote it, or choose another --data",
            )
        regions = [_region(entry) for entry in saved["regions"]]
        # A field with a default came later than the format: a grid saved before has none.
        known = [f for f in dataclasses.fields(Grid) if f.name != "regions"]
        values = {f.name: saved.get(f.name, f.default) if f.default is not MISSING else saved[f.name] for f in known}
        for f in known:
            if not isinstance(values[f.name], _KINDS[f.type]) or isinstance(values[f.name], bool):
                raise ValueError(f"{f.name} = {values[f.name]!r}")
        return Grid(**values, regions=regions)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise GridError(
            f"{layout.saved} is damaged: {error!r}", "put back a copy of it, or choose another --data"
        ) from error


def in_force(layout: Layout, settings: Settings) -> dict[str, Any]:
    """Every setting's value as `up` would take it now: asked for, else the saved grid's, else the default."""
    saved = load(layout)
    values: dict[str, Any] = dict(settings.values)
    if saved is None:
        return values
    columns = max(region.grid_x for region in saved.regions) - CORNER + 1
    rows = max(region.grid_y for region in saved.regions) - CORNER + 1
    first = saved.regions[0]
    kept = {**dataclasses.asdict(saved), "regions": f"{columns}x{rows}", "scene": first.scene, "physics": first.physics}
    return values | {name: kept[name] for name in values if name in kept and name not in settings.given}


def _region(entry: dict[str, Any]) -> Region:
    return Region(
        str(uuid.UUID(entry["region_id"])),
        str(entry["name"]),
        int(entry["grid_x"]),
        int(entry["grid_y"]),
        int(entry["port"]),
        str(entry.get("scene", "none")),  # a grid saved before scenes has none
        str(entry.get("physics", "numba")),
        int(entry.get("age", 0)),
    )


def stores(layout: Layout, regions: list[Region]) -> list[str]:
    """Names of those regions that have been filled already."""
    return [one.name for one in regions if (layout.regions / one.region_id / STORE).exists()]


def save(layout: Layout, grid: Grid) -> None:
    write_json(layout.saved, {"format": FORMAT, **dataclasses.asdict(grid)})


def decide(saved: Grid | None, settings: Settings) -> Grid:
    """The grid to run: the saved one with what the user asked for now, or a new one. Ports are chosen later."""
    wanted = saved or Grid(settings.name, settings.bind, None, 0, 0, None)
    if settings.guests not in GUESTS:
        raise GridError(f"guests = {settings.guests!r} is not a choice", f"use {', '.join(GUESTS)}")
    kept = ("name", "bind", "advertise", "database", "guests", "spectators", "history_days", "history_megabytes", "owner", *_INVENTORY, *_BEFORE_PROXIES)
    for name in kept:
        if saved is None or name in settings.given:
            setattr(wanted, name, getattr(settings, name))
    if saved is None or "regions" in settings.given:
        wanted.regions = lay_out(wanted.regions, *parse_size(settings.regions))
    _furnish(wanted, settings, fresh=saved is None)
    wanted.address  # noqa: B018 - what viewers cannot be told is said before anything starts
    return wanted


def _furnish(grid: Grid, settings: Settings, fresh: bool) -> None:
    """Scenes and engines as asked for. GridError when there is no such thing, before anything is started."""
    first = grid.regions[0]
    if fresh or "scene" in settings.given:
        first.scene = settings.scene or "welcome"
    for region in grid.regions:
        if "physics" in settings.given:
            region.physics = settings.physics
    by_name = {region.name: region for region in grid.regions}
    for name, own in settings.of_regions.items():
        if name not in by_name:
            raise GridError(f"mainland.toml: there is no region {name!r}", f"there are {', '.join(by_name)}")
        for setting, value in own.items():
            setattr(by_name[name], setting, value)
    for region in grid.regions:
        check_furniture(region)


def check_furniture(region: Region) -> None:
    """GridError when there is no such scene or engine."""
    if region.physics not in ENGINES:
        raise GridError(f"region {region.name}: physics = {region.physics!r} is no engine", f"use {' or '.join(ENGINES)}")
    if region.physics == "bullet" and importlib.util.find_spec("pybullet") is None:
        raise GridError(
            f"region {region.name} asks for the Bullet engine, and pybullet is not installed",
            "pip install 'mainland[bullet]', or set physics = \"numba\"",
        )
    if region.scene not in PLAIN_SCENES:
        # In a process of its own: reading a scene takes all that a sim is made of, and the supervisor should stay small.
        check = [sys.executable, "-P", "-m", "sim", "--check-scene", region.scene]
        found = subprocess.run(check, capture_output=True, text=True, timeout=120)
        if found.returncode:
            problem = found.stderr.strip().rsplit("\n", 1)[-1].removeprefix("sim: ")
            raise GridError(f"region {region.name}: scene {problem}", "mend it, or use --scene none")


def lay_out(existing: list[Region], width: int, height: int) -> list[Region]:
    """`existing` regions as they are, and new ones for the empty squares of a width x height grid.

    Raises GridError when a region lies outside: taking one away would lose what people built there, so `up` never does.
    """
    squares = [(CORNER + x, CORNER + y) for y in range(height) for x in range(width)]
    outside = [region for region in existing if (region.grid_x, region.grid_y) not in squares]
    if outside:
        columns = max(region.grid_x for region in existing) - CORNER + 1
        rows = max(region.grid_y for region in existing) - CORNER + 1
        raise GridError(
            f"this grid is {columns}x{rows}; {width}x{height} would lose {', '.join(r.name for r in outside)}",
            f"leave --regions away to run it as it is, ask for {columns}x{rows} or more, or use another --data",
        )
    held = {(region.grid_x, region.grid_y) for region in existing}
    fresh = names.fresh([region.name for region in existing])
    age = max((region.age + 1 for region in existing), default=0)
    return existing + [Region(str(uuid.uuid4()), next(fresh), x, y, age=age) for x, y in squares if (x, y) not in held]


def choose_ports(grid: Grid, settings: Settings, claims: ports.Ports) -> list[str]:
    """Claim all ports and write them into the grid. Returns what the user should be told about changes.

    GridError when the login port was asked for by the user and is taken.
    """
    notes: list[str] = []
    saved, asked = grid.http_port, "http_port" in settings.given
    grid.http_port = _login_port(grid, settings, claims)
    if not asked and saved and saved != grid.http_port:
        notes.append(f"port {saved} is taken{ports.user_of(saved)}: this grid's login port is now {grid.http_port}")
    elif not asked and not saved and grid.http_port != settings.http_port:
        default = settings.http_port
        notes.append(f"port {default} is taken{ports.user_of(default)}: using {grid.http_port} instead")
    near = grid.http_port
    grid.assets_port = claims.take_preferred([grid.assets_port, near + ports.ASSETS])
    grid.web_port = claims.take_preferred([grid.web_port, near + ports.WEB])
    for index, region in enumerate(grid.regions):
        before = region.port
        region.port = claims.take_preferred([before, near + ports.REGIONS + index], udp=True)
        if before and before != region.port:
            notes.append(f"port {before} is taken: region {region.name} is now on {region.port}")
    return notes


def _login_port(grid: Grid, settings: Settings, claims: ports.Ports) -> int:
    wanted = settings.http_port
    if "http_port" in settings.given and wanted:
        if not claims.take(wanted):
            raise GridError(
                f"login port {wanted} on {grid.bind} is taken{ports.user_of(wanted)}",
                "choose another with --http-port, or leave it away to get the next free one",
            )
        return wanted
    if grid.http_port and claims.take(grid.http_port):
        return grid.http_port
    if grid.http_port == 0 and "http_port" not in settings.given and claims.take(wanted):
        return wanted
    # A whole free block gives the other ports their usual places too.
    for first in range(wanted or 10000, 32000, ports.BLOCK):
        if claims.take_block(first, len(grid.regions)):
            return first
    return claims.take_any()


def resolve(host: str) -> str:
    """An IPv4 address for a host name: the protocol carries addresses, not names."""
    try:
        return str(ipaddress.IPv4Address(host))
    except ValueError:
        pass
    try:
        return socket.gethostbyname(host)
    except OSError as error:
        raise GridError(
            f"--advertise {host}: no IPv4 address found for that name", "give the address itself, or fix the name"
        ) from error


def own_address() -> str:
    """The address this machine uses towards others. Connecting a UDP socket sends nothing; it only asks the routes.

    GridError when it has none: viewers elsewhere would be told to come to their own machine.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            found = str(probe.getsockname()[0])
        except OSError:
            found = "127.0.0.1"
    if ipaddress.IPv4Address(found).is_loopback:
        raise GridError(
            "bind = 0.0.0.0 lets others in, but this machine has no address towards others that viewers could be told",
            "say it with --advertise HOST: the name or IPv4 address at which viewers reach this machine",
        )
    return found

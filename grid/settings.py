"""Every setting of the launcher, declared once: name, type, range, default and the reason it exists.

The help of `mainland up`, `mainland settings`, the check of `mainland.toml` and the values the supervisor uses all come
from the table below. What is asked wins in this order: command line, `DIR/mainland.toml`, the saved grid, the default.

What a region may have of its own stands in a table of its name, and wins over the same setting for all:

    physics = "numba"
    [region.Harbour]
    scene = "stacks.toml"
    physics = "bullet"
"""

import difflib
import ipaddress
import os
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grid.errors import GridError

Value = str | int | float


@dataclass(frozen=True)
class Setting:
    """One setting. `low` and `high` bound numbers (inclusive) and the length of text; `default` None = not set."""

    name: str
    type: type
    default: Value | None
    reason: str
    low: float | None = None
    high: float | None = None

    def describe_range(self) -> str:
        if self.low is None and self.high is None:
            return ""
        unit = " characters" if self.type is str else ""
        return f"{self.low:g} to {self.high:g}{unit}"

    def check(self, value: Any, where: str) -> Value:
        """The value in its declared type, or GridError naming the setting, where it was given and what is allowed."""
        # bool is an int to Python; nobody who writes `http_port = true` means port 1.
        fits = isinstance(value, (int, float) if self.type is float else self.type) and not isinstance(value, bool)
        if not fits:
            raise GridError(
                f"{where}: {self.name} must be {_NAMES[self.type]}, not {value!r}",
                f"for example: {self.name} = {_example(self)}",
            )
        size = len(value) if isinstance(value, str) else value
        low, high = self.low, self.high
        if (low is not None and size < low) or (high is not None and size > high) or size != size:
            raise GridError(
                f"{where}: {self.name} = {value!r} is out of range", f"allowed: {self.describe_range()}"
            )
        return self.type(value)


_NAMES = {str: "text", int: "a whole number", float: "a number"}


def _example(setting: Setting) -> str:
    value = setting.default if setting.default is not None else {str: "text", int: 9000, float: 1.0}[setting.type]
    return f'"{value}"' if isinstance(value, str) else str(value)


SETTINGS = (
    Setting("name", str, "Mainland", "what viewers show as the grid's name", 1, 63),
    Setting("regions", str, "2x2", "columns x rows of 256 m regions; a saved grid can grow, never shrink", 1, 9),
    Setting("http_port", int, 9000, "the login port, the only one people type; 0 = any free one", 0, 65535),
    Setting("bind", str, "127.0.0.1", "IPv4 address to listen on; this machine only unless asked otherwise", 1, 63),
    Setting("advertise", str, None, "address viewers are told to come to, when it is not the one bound", 1, 253),
    Setting("public_url", str, None, "login address as people type it, where a proxy stands in front of it: "
            "http[s]://host[:port][/path]", 8, 253),
    Setting("public_assets_url", str, None, "where viewers fetch textures, where a proxy or cache stands in front of the asset "
            "service", 8, 253),
    Setting("trusted_proxies", str, None, "networks of proxies, with commas between; who asks is read from the "
            "X-Forwarded-For and -Proto of these alone", 1, 1000),
    Setting("database", str, None, "SQLAlchemy URL of Backbone's database; default: SQLite under DIR/backbone", 1, 500),
    Setting("owner", str, None, "the account (first and last name) whose land the regions are; default: the first account",
            1, 63),
    Setting("guests", str, "local", "who may come by browser without an account: nobody, everybody, or everybody while "
            "the grid is for this machine only (local)", 1, 9),
    Setting("spectators", int, 10, "how many may look in by browser at a time without coming in; 0: nobody", 0, 1000),
    Setting("inventory_things", int, 100_000, "how many items and folders one person may have", 1000, 10_000_000),
    Setting("inventory_days", int, 30, "how long changes of inventories are remembered, to be looked at and undone (mainland "
            "inventory); a person's latest 1,000 a day of these are kept at most", 1, 3650),
    Setting("scene", str, None, "what the first region shows: a scene file, welcome, or none; default: welcome in a fresh "
            "grid (docs/scenes.md)", 1, 4096),
    Setting("physics", str, "numba", "the regions' physics engine: numba (our own) or bullet (needs mainland[bullet])", 1, 20),
    Setting("history_days", float, 30.0, "how long a region remembers what objects were before somebody changed them", 0, 3650),
    Setting("history_megabytes", int, 256, "how much of that a region keeps at most; a change of a plain box takes some 300 bytes",
            1, 100_000),
    Setting("start_seconds", float, 600.0, "how long a start may take; the first one compiles kernels for minutes", 5, 3600),
    Setting("stop_seconds", float, 10.0, "how long a process may take to end after TERM before KILL", 0.5, 600),
    Setting("restart_first_seconds", float, 0.5, "pause before a crashed service's first restart; doubles", 0.05, 60),
    Setting("restart_most_seconds", float, 30.0, "longest pause between restarts of one that keeps dying", 0.1, 3600),
    Setting("health_seconds", float, 5.0, "how often each service is asked for its health", 0.2, 600),
    Setting("stuck_seconds", float, 60.0, "silent for this long = stuck: killed, started again; 0 = never", 0, 86400),
    Setting("log_megabytes", float, 10.0, "size at which a log is put aside", 0.01, 10000),
    Setting("log_files", int, 3, "how many put-aside logs are kept beside the live one", 1, 100),
)  # fmt: skip

BY_NAME = {setting.name: setting for setting in SETTINGS}
_ADDRESSES = ("public_url", "public_assets_url")
_URL = re.compile(r"https?://[A-Za-z0-9.-]+(:\d{1,5})?(/[A-Za-z0-9._~/-]*)?")
OF_A_REGION = ("scene", "physics")
PLAIN_SCENES = ("none", "welcome")  # names; everything else is a path


@dataclass(frozen=True)
class Settings:
    """The settings in force. `given` holds the names that a user asked for, against those that are defaults; `of_regions`
    what was asked for single ones: name -> setting -> value."""

    values: dict[str, Value | None]
    given: frozenset[str]
    of_regions: dict[str, dict[str, Value]] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None


def load(file: Path | None = None, **command_line: Value | None) -> Settings:
    """Settings from the defaults, a TOML file (may be absent) and the command line, later ones winning.

    A command line value of None means "not given". Raises GridError for an unknown key (naming the nearest), a wrong
    type, a value out of range or a file that is not TOML.
    """
    values: dict[str, Value | None] = {setting.name: setting.default for setting in SETTINGS}
    given = set()
    written = _read(file)
    regions = _regions(written.pop("region", {}), file)
    for name, value in written.items():
        values[name] = _checked(name, value, str(file), file)
        given.add(name)
    for name, value in command_line.items():
        if value is not None:
            values[name] = _checked(name, value, f"--{name.replace('_', '-')}", None)
            given.add(name)
    values["bind"] = _address(str(values["bind"]))
    return Settings(values, frozenset(given), regions)


def _checked(name: str, value: Any, where: str, file: Path | None) -> Value:
    checked = _declared(name, where).check(value, where)
    if name in _ADDRESSES and not _URL.fullmatch(str(checked)):
        raise GridError(f"{where}: {name} = {checked!r} is no web address", "for example: https://world.example.org/")
    if name == "trusted_proxies":
        return _networks(str(checked), where)
    if name == "scene" and checked not in PLAIN_SCENES:
        # As seen from the file it is written in, or from where the user stands.
        folder = file.parent if file is not None else Path.cwd()
        return os.path.abspath(folder / Path(str(checked)).expanduser())
    return checked


def _networks(text: str, where: str) -> str:
    """The networks in one spelling. GridError names what is none."""
    try:
        return ",".join(str(ipaddress.ip_network(one.strip())) for one in text.split(",") if one.strip())
    except ValueError as error:
        raise GridError(
            f"{where}: trusted_proxies: {error}", 'networks such as "127.0.0.1, 10.0.0.0/8", with commas between'
        ) from error


def _regions(tables: Any, file: Path | None) -> dict[str, dict[str, Value]]:
    """The `[region.NAME]` tables."""
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise GridError(f"{file}: region must be tables by region name", 'for example: [region.Harbour]')
    found: dict[str, dict[str, Value]] = {}
    for region, table in tables.items():
        where = f"{file}, region {region}"
        for name, value in table.items():
            if name not in OF_A_REGION:
                raise GridError(f"{where}: {name!r} is no setting of a region", f"there are {', '.join(OF_A_REGION)}")
            found.setdefault(region, {})[name] = _checked(name, value, where, file)
    return found


def _read(file: Path | None) -> dict[str, Any]:
    if file is None or not file.exists():
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise GridError(f"{file} is not a TOML file: {error}", 'it holds lines like: http_port = 9000') from error


def _declared(name: str, where: str) -> Setting:
    if name in BY_NAME:
        return BY_NAME[name]
    nearest = difflib.get_close_matches(name, BY_NAME, n=1, cutoff=0.0)[0]
    raise GridError(
        f"{where}: there is no setting {name!r}", f"did you mean {nearest!r}? `mainland settings` lists all of them"
    )


def _address(text: str) -> str:
    """The protocol carries IPv4 only, so a name or an IPv6 address to bind to is a mistake worth naming early."""
    if text == "localhost":
        return "127.0.0.1"
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        raise GridError(
            f"bind: {text!r} is not an IPv4 address",
            "use 127.0.0.1 (this machine only), 0.0.0.0 (all networks) or one address of this machine",
        ) from None

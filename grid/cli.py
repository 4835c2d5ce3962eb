"""The `mainland` command: what can be typed, its help, and errors that say what to do."""

import functools
import json
import os
import shlex
import shutil
import sys
import webbrowser
from collections.abc import Callable
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from grid import settings as declared
from grid.backup_cli import backup, restore
from grid.errors import NOT_RUNNING, GridError, refused_by_machine
from grid.inventory_cli import history as inventory_history
from grid.inventory_cli import restore as inventory_restore
from grid.inventory_cli import trash as inventory_trash
from grid.layout import Layout, default_dir
from grid.lsl_cli import lsl_app
from grid.plan import in_force
from grid.region_cli import history, reset, rollback
from grid.snapshot_cli import snapshot
from grid.transits_cli import transits

app = typer.Typer(
    help="Mainland: run a virtual world that Second Life-protocol viewers walk in.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
user = typer.Typer(help="Make and list accounts, change passwords.", no_args_is_help=True)
app.add_typer(user, name="user")
app.add_typer(lsl_app, name="lsl")
region_app = typer.Typer(help="What regions keep.", no_args_is_help=True)
app.add_typer(region_app, name="region")
inventory_app = typer.Typer(help="What people own: what became of it, and the way back.", no_args_is_help=True)
app.add_typer(inventory_app, name="inventory")

First = Annotated[str, typer.Argument(help="First name.")]
Last = Annotated[str, typer.Argument(help="Last name.")]
Password = Annotated[str | None, typer.Option(metavar="PW", help="Asked for at the terminal when left out.")]
Data = Annotated[
    Path, typer.Option("--data", metavar="DIR", help="The grid's folder: all its state.", default_factory=default_dir)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text for people.")]


def readable(command: Callable[..., int | None]) -> Callable[..., None]:
    """Exit with the returned code; a GridError, or what the machine refuses, becomes two lines on stderr and a code, never
    a traceback."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            code = command(*args, **kwargs)
        except GridError as error:
            raise _refused(error) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(130) from error
        except BrokenPipeError as error:  # `mainland logs | head`
            sys.stderr.close()
            raise typer.Exit(0) from error
        except OSError as error:
            raise _refused(refused_by_machine(error)) from error
        raise typer.Exit(code or 0)

    return run


def _refused(error: GridError) -> typer.Exit:
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(f"[red]Error:[/] {escape(error.problem)}")
    if error.hint:
        console.print(f"  [dim]what to do:[/] {escape(error.hint)}")
    return typer.Exit(error.code)


def _help(name: str) -> str:
    setting = declared.BY_NAME[name]
    allowed = setting.describe_range()
    default = "" if setting.default is None else f" Default: {setting.default}."
    text = f"{setting.reason[0].upper()}{setting.reason[1:]}.{default}"
    return escape(text + (f" Range: {allowed}." if allowed and setting.type is not str else ""))


@app.command()
@readable
def up(
    data: Data,
    regions: Annotated[str | None, typer.Option(metavar="WxH", help=_help("regions"))] = None,
    http_port: Annotated[int | None, typer.Option(metavar="PORT", help=_help("http_port"))] = None,
    bind: Annotated[str | None, typer.Option(metavar="IP", help=_help("bind"))] = None,
    owner: Annotated[str | None, typer.Option(metavar="NAME", help=_help("owner"))] = None,
    advertise: Annotated[str | None, typer.Option(metavar="HOST", help=_help("advertise"))] = None,
    name: Annotated[str | None, typer.Option(metavar="TEXT", help=_help("name"))] = None,
    scene: Annotated[str | None, typer.Option(metavar="FILE", help=_help("scene"))] = None,
    physics: Annotated[str | None, typer.Option(metavar="ENGINE", help=_help("physics"))] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return once logins are accepted; run on behind.")] = False,
    browse: Annotated[bool, typer.Option("--open", help="Open it in this desktop's browser.")] = False,
    as_json: AsJson = False,
) -> int:
    """Start a grid and stay with it; Ctrl-C ends all of it. A second run on the same DIR is the same grid."""
    from grid.up import up as start

    layout = Layout(data)
    asked = declared.load(
        layout.settings, regions=regions, http_port=http_port, bind=bind, advertise=advertise, name=name, scene=scene,
        physics=physics, owner=owner,
    )  # fmt: skip

    def when_up(facts: dict[str, Any]) -> None:
        if as_json:
            _print_json(facts)
        else:
            _welcome(facts, detach)
        if browse and (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or sys.platform == "darwin"):
            webbrowser.open(facts["web_uri"])

    return start(layout, asked, detach, when_up)


def _print_json(facts: Any) -> None:
    print(json.dumps(facts), flush=True)


def _welcome(facts: dict[str, Any], detached: bool) -> None:
    """The address, the accounts and what to try next."""
    console = Console(highlight=False, soft_wrap=True)
    uri, me = facts["login_uri"], _command()
    where = "" if facts["data"] == str(Layout(default_dir()).root) else f" --data {shlex.quote(facts['data'])}"
    names = ", ".join(region["name"] for region in facts["regions"])
    console.print(f"\n[bold]{escape(facts['name'])} is up[/] in {facts['seconds']:.1f} s: {names}\n")
    console.print(f"  In a browser    [bold]{facts['web_uri']}[/]")
    console.print(f"  Login address   [bold]{uri}[/]")
    for number, account in enumerate(facts["accounts"]):
        label = "Accounts" if number == 0 else ""
        console.print(f"  {label:<15} {account['first']} {account['last']}   password {account['password']}")
    console.print("\nWhat to try next")
    console.print("  Walk in       open the browser's address; Firestorm works too:")
    console.print("                Preferences > OpenSim > Grid Manager, add the login address, log in")
    console.print(f"  Company       {me} bot --count 5{where}")
    console.print(f"  Who is where  curl {uri}regions")
    console.print(f"  An account    {me} user add First Last{where}")
    console.print(f"  Look inside   {me} status{where}")
    console.print(f"  Stop          {f'{me} down{where}' if detached else 'Ctrl-C'}\n")
    sys.stdout.flush()


def _command() -> str:
    """How this very command can be typed again from where the user stands."""
    here = Path(sys.argv[0])
    if here.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m grid"
    found = shutil.which("mainland")
    if found and Path(found).resolve() == here.resolve():
        return "mainland"
    try:
        return str(here.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(here.absolute())


@app.command()
@readable
def down(data: Data) -> None:
    """End a grid, detached or not, and wait until it has. Fine to repeat."""
    from grid.down import down as end

    layout = Layout(data)
    ended = end(layout, declared.load(layout.settings))
    print(f"the grid of {layout.root} has ended" if ended else f"no grid was running on {layout.root}")


@app.command()
@readable
def status(data: Data, as_json: AsJson = False) -> int:
    """Show processes (pid, memory, CPU, health) and regions (agents, frames, dilation). Exit code 3: not running."""
    from grid.status import collect, show

    facts = collect(Layout(data))
    if as_json:
        _print_json(facts)
        return 0 if facts["running"] else NOT_RUNNING
    if facts["running"]:
        show(facts, Console())
    else:
        print(f"no grid is running on {facts['data']}; start it: {_command()} up")
    for other in facts["others"]:
        print(f"another grid runs on {other}; look at it: {_command()} status --data {shlex.quote(other)}")
    return 0 if facts["running"] else NOT_RUNNING


@user.command("add")
@readable
def user_add(
    data: Data,
    first: First,
    last: Last,
    password: Password = None,
) -> None:
    """Make an account; works whether the grid is up or not."""
    from grid import accounts

    layout = Layout(data)
    agent_id = accounts.add(layout, _running_uri(layout), first, last, _asked_password(password))
    print(f"{first} {last} can log in ({agent_id})")


@user.command("password")
@readable
def user_password(
    data: Data,
    first: First,
    last: Last,
    password: Password = None,
) -> None:
    """Give an account another password; works whether the grid is up or not."""
    from grid import accounts

    layout = Layout(data)
    accounts.set_password(layout, _running_uri(layout), first, last, _asked_password(password))
    print(f"{first} {last} has a new password")


def _asked_password(given: str | None) -> str:
    """The password of the command line, or one typed twice at the terminal."""
    if given is not None:
        return given
    if not sys.stdin.isatty():
        raise GridError("no password given", "add --password PW (there is no terminal to ask at)")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


@user.command("list")
@readable
def user_list(
    data: Data,
    search: Annotated[str, typer.Argument(help="Only names that contain this.")] = "",
    as_json: AsJson = False,
) -> None:
    """List the accounts of a running grid."""
    from grid import accounts

    layout = Layout(data)
    found = accounts.search(_needs_running(layout), layout.read_secret(), search)
    if as_json:
        _print_json(found)
        return
    table = Table("name", "agent id", "since", box=None)
    for account in found:
        table.add_row(f"{account['first']} {account['last']}", account["agent_id"], _date(account.get("created")))
    Console().print(table)


def _date(since_1970: float | None) -> str:
    return "-" if since_1970 is None else datetime.fromtimestamp(since_1970).strftime("%Y-%m-%d %H:%M")


def _running_uri(layout: Layout) -> str | None:
    from grid.status import running

    found = running(layout)
    return None if found is None else found.get("inner_uri")


def _needs_running(layout: Layout) -> str:
    uri = _running_uri(layout)
    if uri is None:
        raise GridError(f"no grid is running on {layout.root}", f"start it: {_command()} up", NOT_RUNNING)
    return uri


@app.command()
@readable
def bot(
    data: Data,
    count: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 1,
    seconds: Annotated[float | None, typer.Option(min=0, help="How long; left out: until Ctrl-C.")] = None,
    login: Annotated[str | None, typer.Option(metavar="URI", help="A grid elsewhere, instead of --data's.")] = None,
    password: Annotated[str | None, typer.Option(metavar="PW", help="With --login: of its Walker accounts.")] = None,
    over_borders: Annotated[bool, typer.Option("--over-borders", help="Let them stray into neighbours.")] = False,
    as_json: AsJson = False,
) -> None:
    """Walkers that log in, stroll and chat. On --data's grid their accounts (Walker 1, 2, ...) are made if need be.

    With --login the accounts must be there already, all with the same --password.
    """
    from grid import bots

    login, password = _walkers(data, login, password, count)
    report = bots.walk(login, count, seconds, password, over_borders)
    if report is not None and as_json:
        _print_json(report)
    elif report is not None:
        seen = report["move_to_seen_ms"]["p50"]
        print(f"{report['walks']} walks, {report['chats_heard']} lines of chat heard, sessions lost: ", end="")
        print(f"{report['lost_sessions']}; a step is seen by others after {seen or '-'} ms (median)")


def _walkers(data: Path, login: str | None, password: str | None, count: int) -> tuple[str, str]:
    """Where the bots log in, and with which password; the accounts are made if that is this machine's grid."""
    import asyncio

    from grid import bots

    if login is None:
        layout = Layout(data)
        login = _needs_running(layout) + "/"
        asyncio.run(bots.ensure(layout, login.rstrip("/"), count))
        return login, bots.password(layout)
    if password is None:
        raise GridError("--login needs --password", "the password of that grid's accounts Walker 1, Walker 2, ...")
    return login, password


@app.command("bots")
@readable
def many_bots(
    data: Data,
    count: Annotated[int, typer.Option(min=1, max=4000, help="How many.")] = 100,
    seconds: Annotated[float, typer.Option(min=1, help="How long they stay once all are in.")] = 30.0,
    region: Annotated[str | None, typer.Option(metavar="NAME", help="Where; left out: where each was last.")] = None,
    login: Annotated[str | None, typer.Option(metavar="URI", help="A grid elsewhere, instead of --data's.")] = None,
    password: Annotated[str | None, typer.Option(metavar="PW", help="With --login: of its Walker accounts.")] = None,
    chat_every: Annotated[float, typer.Option(min=0, help="Seconds between two lines of one; 0: silence.")] = 30.0,
    as_json: AsJson = False,
) -> None:
    """A crowd as load: up to 1,000 bots on one core that walk, fly and chat, and what they saw of each other.

    Reports updates, losses, and the time from one's change of direction until others are shown it. `bot` has full clients
    for company.
    """
    from grid import bots

    login, password = _walkers(data, login, password, count)
    report = bots.load(login, count, seconds, password, region or "", chat_every)
    if as_json:
        _print_json(report)
        return
    table = Table("seen", "figure", box=None)
    for name, value in bots.figures(report):
        table.add_row(name, value)
    Console().print(table)


app.command()(readable(snapshot))
app.command()(readable(backup))
app.command()(readable(restore))
region_app.command()(readable(reset))
region_app.command()(readable(transits))
region_app.command()(readable(history))
region_app.command()(readable(rollback))
inventory_app.command("history")(readable(inventory_history))
inventory_app.command("trash")(readable(inventory_trash))
inventory_app.command("restore")(readable(inventory_restore))


@app.command()
@readable
def logs(
    data: Data,
    name: Annotated[str | None, typer.Argument(help="supervisor, backbone, assets, web, sims or a region's name.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new lines until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines.")] = 40,
) -> None:
    """Show the last lines of one log, or of all of them."""
    from grid import logs as files

    layout = Layout(data)
    there = {file.stem: file for file in sorted(layout.logs.glob("*.log"))}
    if name is not None and name not in there:
        raise GridError(f"there is no log {name!r}", f"there are: {', '.join(there) or 'none yet'}")
    chosen = [there[name]] if name else list(there.values())
    for file in chosen:
        for line in files.last_lines(file, lines):
            print(line if name else f"{file.stem}: {line}")
    if follow:
        for file, line in files.follow(chosen):
            print(line if name else f"{file.stem}: {line}", flush=True)


@app.command("settings")
@readable
def show_settings(data: Data, as_json: AsJson = False) -> None:
    """List every setting: value in force, range, default and why it exists. DIR/mainland.toml sets them."""
    layout = Layout(data)
    now = in_force(layout, declared.load(layout.settings))
    if as_json:
        rows = [(s.name, now[s.name], s.default, s.describe_range(), s.reason) for s in declared.SETTINGS]
        _print_json([dict(zip(("name", "value", "default", "range", "why"), row, strict=True)) for row in rows])
        return
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"[dim]set in {layout.settings}[/]\n")
    for setting in declared.SETTINGS:
        value = now[setting.name]
        default = "not set" if setting.default is None else setting.default
        allowed = f", {setting.describe_range()}" if setting.describe_range() else ""
        console.print(f"[bold]{setting.name}[/] = {'not set' if value is None else escape(str(value))}", end="")
        console.print(f"  [dim](default {escape(str(default))}{allowed})[/]\n    {escape(setting.reason)}")


@app.command()
@readable
def version() -> None:
    """Print the version."""
    print(f"mainland {metadata.version('mainland')}")

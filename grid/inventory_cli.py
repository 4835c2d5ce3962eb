"""`mainland inventory`: what became of somebody's things, what is in the trash, and the way back.

Through Backbone while the grid is up, straight in its database otherwise.
"""

import asyncio
import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote, urlencode
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from grid import plan, web
from grid.accounts import reason
from grid.errors import GridError
from grid.layout import Layout, default_dir
from grid.moments import moment, shown
from grid.status import running

Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="The grid's folder.", default_factory=default_dir)]
Person = Annotated[list[str], typer.Argument(metavar="PERSON", help="First and last name, or agent id.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text for people.")]
WORDS = {"made": "came", "changed": "changed", "removed": "deleted", "left": "left (there is one of it)"}
PATIENCE = 60.0  # seconds: a large inventory takes its time


def history(
    person: Person,
    data: Data,
    since: Annotated[str, typer.Option(metavar="TIME", help="From when: 20m, 2h, 3d, 14:30 or a date and time.")] = "1d",
    as_json: AsJson = False,
) -> None:
    """Tell what became of a person's folders and items, newest first."""
    begin = moment(since, datetime.now())
    told = _ask(Layout(data), person, "GET", "history", {"since": int(begin), "most": 1000})
    if as_json:
        print(json.dumps(told))
        return
    table = Table("when", "what", "kind", "name", "where", box=None)
    for change in told["changes"]:
        moved = change["was_in"] != change["where"]
        renamed = f"{change['was_called']} -> " if change["was_called"] != change["name"] else ""
        where = f"{change['was_in']} -> {change['where']}" if moved else change["where"]
        table.add_row(shown(change["at"]), WORDS[change["what"]], change["kind"], renamed + change["name"], where)
    Console(highlight=False, markup=False).print(table)
    print(f"all changes since {shown(told['begins'])} are known")


def trash(person: Person, data: Data, as_json: AsJson = False) -> None:
    """List what lies in a person's trash, since when, and where it was before."""
    told = _ask(Layout(data), person, "GET", "trash", {})
    if as_json:
        print(json.dumps(told))
        return
    table = Table("since", "kind", "name", "was in", "holds", box=None)
    for thing in told["things"]:
        since = shown(thing["since"]) if thing["since"] else "-"
        table.add_row(since, thing["kind"], thing["name"], thing["was_in"] or "-", str(thing["holds"] or ""))
    Console(highlight=False, markup=False).print(table)


def restore(
    person: Person,
    data: Data,
    to: Annotated[str, typer.Option(metavar="TIME", help="To when: 20m, 2h, 3d, 14:30 or a date and time.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Bring a person's inventory back to what it held at a moment. What came since stays; what cannot be copied and was given
    away or put into the world does not come back, since there is one of it."""
    at = moment(to, datetime.now())
    done = _ask(Layout(data), person, "POST", "restore", {"to": at, "dry_run": dry_run})
    if as_json:
        print(json.dumps(done))
        return
    would = "would be" if dry_run else "is"
    _list(f"{would} there again", done["back_count"], done["back"])
    _list(f"{would} as it was", done["changed_count"], done["changed"])
    _list("left, and does not come back", done["elsewhere_count"], done["elsewhere"])
    print(f"{done['came_since']} that came since {'would stay' if dry_run else 'stay'}")
    if not dry_run:
        print("Who is in the world sees it after the next login.")


def _list(what: str, count: int, things: list[dict[str, Any]]) -> None:
    print(f"{count} {what}{':' if things else ''}")
    for thing in things:
        print(f"  {thing['kind']:<7} {thing['name']}")
    if count > len(things):
        print(f"  ... and {count - len(things)} more")


def _ask(layout: Layout, person: list[str], method: str, what: str, given: dict[str, Any]) -> dict[str, Any]:
    """The answer of the running grid, or of the database itself."""
    name = " ".join(person).strip()
    found = running(layout)
    if found is None:
        return _offline(layout, name, what, given)
    uri, secret = str(found.get("inner_uri")), layout.read_secret()
    try:
        agent_id = _agent_of(uri, secret, name)
        url = f"{uri}/agents/{agent_id}/inventory/{what}" + (f"?{urlencode(given)}" if method == "GET" and given else "")
        body = given if method == "POST" else None
        status, answer = asyncio.run(web.request(method, url, body, secret, PATIENCE))
    except web.NoAnswer as error:
        raise GridError(f"Backbone does not answer: {error}", "`mainland status` shows the grid's health") from error
    if status != 200:
        raise _refused(reason(status, answer))
    return dict(json.loads(answer))


def _agent_of(uri: str, secret: str, name: str) -> str:
    try:
        return str(UUID(name))
    except ValueError:
        users = asyncio.run(web.get_json(f"{uri}/users?name={quote(name)}", bearer=secret, timeout=PATIENCE))["users"]
    if not users:
        raise _nobody(name)
    return str(users[0]["agent_id"])


def _offline(layout: Layout, name: str, what: str, given: dict[str, Any]) -> dict[str, Any]:
    from backbone import admin

    saved = plan.load(layout)
    if saved is None:
        raise GridError(f"there is no grid in {layout.root}", "name its folder with --data DIR")
    try:
        with admin.inventory(layout.backbone, name, saved.database) as (agent_id, store):
            if what == "history":
                return store.history(agent_id, float(given["since"]), given["most"])
            if what == "trash":
                return store.trash(agent_id)
            return store.restore(agent_id, given["to"], given["dry_run"])
    except admin.NoSuchUser as error:
        raise _nobody(name) from error
    except (admin.WrongDatabase, admin.NewerDatabase, admin.Problem) as error:
        raise _refused(str(error)) from error


def _refused(why: str) -> GridError:
    return GridError(f"that cannot be done: {why}", "`mainland inventory history` says what is known since when")


def _nobody(name: str) -> GridError:
    return GridError(f"there is no account {name}", "`mainland user list` shows those there are")

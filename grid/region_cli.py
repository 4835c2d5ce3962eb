"""`mainland region`: what regions keep, seen and put right from outside."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.table import Table

from grid import people, plan, web
from grid.errors import NOT_RUNNING, GridError
from grid.layout import Layout, default_dir
from grid.lock import holder
from grid.moments import moment, shown
from grid.plan import STORE
from grid.status import running

BESIDE = (STORE, f"{STORE}-wal", f"{STORE}-shm", "backup.sqlite")


def reset(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The region.")],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="The grid's folder.", default_factory=default_dir)],
    scene: Annotated[
        str | None, typer.Option(metavar="FILE", help="What it is filled with: a scene file, welcome, or none; default: as it was.")
    ] = None,
) -> None:
    """Make a region new again: the next `up` fills it with its scene. What stood there is put aside, not deleted."""
    layout = Layout(data)
    if holder(layout.lock) is not None:
        raise GridError("the grid is up", f"stop it first: mainland down --data {layout.root}")
    grid, region = _region(layout, name)
    if scene is not None:
        region.scene = scene if scene in plan.PLAIN_SCENES else str(Path(scene).resolve())
        plan.check_furniture(region)
        plan.save(layout, grid)
    aside = put_aside(layout.regions / region.region_id)
    where = f"; what stood there is in {aside}" if aside is not None else ""
    print(f"{region.name} is new again, with scene {region.scene}{where}")


def put_aside(folder: Path) -> Path | None:
    """Move a region's store into a folder beside it; None when it has none."""
    if not (folder / STORE).exists():
        return None
    number = 1
    while (aside := folder / f"before-reset-{number}").exists():
        number += 1
    aside.mkdir(mode=0o700)
    for file in BESIDE:
        if (folder / file).exists():
            os.rename(folder / file, aside / file)
    return aside


# --- what became of what stands there

Person = Annotated[str | None, typer.Option("--by", metavar="PERSON", help="First and last name, agent id, or operator.")]
Since = Annotated[str, typer.Option(metavar="TIME", help="From when: 20m, 2h, 3d, 14:30 or a date and time.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text for people.")]
Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="The grid's folder.", default_factory=default_dir)]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The region.")]
PATIENCE = 120.0  # seconds: a history may be long


def history(
    name: Name,
    data: Data,
    thing: Annotated[UUID | None, typer.Option("--object", metavar="ID", help="Of this object alone.")] = None,
    by: Person = None,
    since: Since = "1d",
    most: Annotated[int, typer.Option(min=1, max=10_000, help="How many changes at most.")] = 200,
    as_json: AsJson = False,
) -> None:
    """Tell what became of a region's objects, newest first: when, who, what. Works whether the grid is up or not."""
    layout = Layout(data)
    (_, region), begin = _region(layout, name), moment(since, datetime.now())
    store = layout.regions / region.region_id / STORE
    command = [sys.executable, "-P", "-m", "sim.storage.history", str(store), "--since", str(begin), "--most", str(most)]
    command += ["--by", str(people.find(layout, by))] if by is not None else []
    command += ["--object", str(thing)] if thing is not None else []
    found = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    if found.returncode:
        raise GridError(found.stderr.strip().rsplit("\n", 1)[-1].removeprefix("sim: "), "was the region ever up?")
    told = json.loads(found.stdout)
    names = people.names(layout, {entry[key] for entry in told["entries"] for key in ("who", "owner")} - {None})
    if as_json:
        print(json.dumps({**told, "people": names}))
        return
    table = Table("when", "who", "what", "object", "name", "prims", "where", "whose", box=None)
    for entry in told["entries"]:
        where = ", ".join(f"{part:.0f}" for part in entry["position"]) if entry["position"] else "-"
        who = "-" if entry["who"] is None else names.get(entry["who"], entry["who"])
        about = "(damaged)" if entry["damaged"] else entry["name"] or "-"
        whose = names.get(entry["owner"], entry["owner"]) or "-"
        table.add_row(shown(entry["at"]), who, entry["what"], entry["object"], about, str(entry["prims"] or "-"), where, whose)
    Console(highlight=False, markup=False, soft_wrap=True).print(table)
    if told["more"]:
        print(f"... and older ones: --most {most * 10}")


def rollback(
    name: Name,
    data: Data,
    by: Annotated[str, typer.Option("--by", metavar="PERSON", help="First and last name, agent id, or operator.")],
    since: Since,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Undo what one person did to a region's objects since a moment: made is removed, removed stands again, changed is put
    back. What others did since stays. The grid must be up. `--by operator` undoes a rollback."""
    layout = Layout(data)
    (_, region), begin = _region(layout, name), moment(since, datetime.now())
    facts = running(layout)
    if facts is None:
        raise GridError("the grid is not up", f"start it: mainland up --data {layout.root}", NOT_RUNNING)
    part = next((one for one in facts["processes"] if one["role"] == "region" and one["name"] == region.name), None)
    if part is None:
        raise GridError(f"{region.name} is not up", "`mainland status` shows the grid's health")
    url = f"http://{facts.get('inner', '127.0.0.1')}:{part['port']}/services/rollback"
    body = {"by": str(people.find(layout, by)), "since": begin, "dry_run": dry_run}
    try:
        status, answer = asyncio.run(web.request("POST", url, body, layout.read_secret(), PATIENCE))
        done = json.loads(answer)
    except (web.NoAnswer, ValueError) as error:
        raise GridError(f"{region.name} does not answer: {error}", "`mainland status` shows the grid's health") from error
    if status != 200:
        raise GridError(f"that cannot be done: {done.get('description', status)}")
    if as_json:
        print(json.dumps(done))
        return
    would = "would be" if dry_run else "is"
    for kind, what in (("removed", f"{would} gone"), ("restored", f"{would} there again"), ("changed", f"{would} as it was"), ("left", "left")):
        print(f"{done[kind]} {what}{':' if done[kind] else ''}")
        for one in done[f"{kind}_things"]:
            print(f"  {one['object']}  {one['about']}")
    if not dry_run and done["removed"] + done["restored"] + done["changed"]:
        print(f"To undo this: mainland region rollback {shlex.quote(region.name)} --by operator --since 5m")


def _region(layout: Layout, name: str) -> tuple[plan.Grid, plan.Region]:
    grid = plan.load(layout)
    if grid is None:
        raise GridError(f"there is no grid in {layout.root}", "is --data the right folder?")
    region = next((one for one in grid.regions if one.name.casefold() == name.casefold()), None)
    if region is None:
        raise GridError(f"there is no region {name!r}", f"there are {', '.join(one.name for one in grid.regions)}")
    return grid, region

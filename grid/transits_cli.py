"""`mainland region transits`: moves between regions and inventories that are not over, and an end for those of a region that never
starts again."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from backbone import admin
from grid import plan
from grid.errors import GridError
from grid.layout import Layout, default_dir
from grid.moments import shown
from grid.region_cli import STORE
from protocol.wellknown import Folder
from sim.storage import settling


def transits(
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="The grid's folder.", default_factory=default_dir)],
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Only this region, by name or id.")] = None,
    settle: Annotated[bool, typer.Option("--settle", help="End them, of regions that do not run; running ones end their own.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text for people.")] = False,
) -> None:
    """List moves between regions and inventories that are not over."""
    layout = Layout(data)
    grid = plan.load(layout)
    if grid is None:
        raise GridError(f"there is no grid in {layout.root}", "is --data the right folder?")
    with admin.moves(layout.backbone, grid.database) as (ledger, inventories):

        def lost_things(person: str) -> str:
            tree = inventories.skeleton(person)
            lost = [folder["folder_id"] for folder in tree["folders"] if folder["type"] == Folder.LOST_AND_FOUND]
            return str((lost or [tree["root"]])[0])

        rows: list[dict[str, Any]] = []
        for region_id, called in _regions(layout, grid, ledger, name).items():
            store = layout.regions / region_id / STORE
            there = settling.listed(store, region_id, ledger)
            ended = _settled(store, region_id, called, ledger, lost_things) if settle and there else {}
            rows += [{"region": called, **asdict(one), "move": str(one.move), "outcome": ended.get(one.move, "")} for one in there]
    if as_json:
        print(json.dumps({"transits": rows}))
        return
    table = Table("since", "region", "kind", "what", "whose", *(["outcome"] if settle else []), box=None)
    for row in rows:
        told = [shown(row["since"]), row["region"], row["kind"], row["what"], row["person"]]
        table.add_row(*told, *([row["outcome"] or "stays open"] if settle else []))
    if rows:
        Console(highlight=False, markup=False).print(table)
    print(f"{len(rows)} moves were not over" if settle else f"{len(rows)} moves are not over")


def _regions(layout: Layout, grid: plan.Grid, ledger: settling.Ledger, name: str | None) -> dict[str, str]:
    """Ids and names of the regions to look at: those of the plan, and those that only the grid's records know."""
    known = {one.region_id: one.name for one in grid.regions}
    for move in ledger.open_moves(None):
        known.setdefault(move["region_id"], move["region_id"])
    for folder in layout.regions.glob("*"):
        if (folder / STORE).exists():
            known.setdefault(folder.name, folder.name)
    if name is None:
        return known
    chosen = {key: called for key, called in known.items() if name.casefold() in (called.casefold(), key)}
    if not chosen:
        raise GridError(f"there is no region {name!r}", f"there are {', '.join(known.values())}")
    return chosen


def _settled(store: Path, region_id: str, called: str, ledger: settling.Ledger, lost_things: Any) -> dict[Any, str]:
    try:
        return settling.settle(store, region_id, ledger, lost_things, time.time())
    except OSError as error:
        print(f"{called} is left alone: {error}")
        return {}

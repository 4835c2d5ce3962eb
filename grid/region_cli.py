"""`mainland region`: what regions keep, seen and put right from outside, while the grid is down."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from grid import plan
from grid.errors import GridError
from grid.layout import Layout, default_dir
from grid.lock import holder

STORE = "region.sqlite"
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
    grid = plan.load(layout)
    if grid is None:
        raise GridError(f"there is no grid in {layout.root}", "is --data the right folder?")
    region = next((one for one in grid.regions if one.name.casefold() == name.casefold()), None)
    if region is None:
        raise GridError(f"there is no region {name!r}", f"there are {', '.join(one.name for one in grid.regions)}")
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


def stores(layout: Layout, regions: list[plan.Region]) -> list[str]:
    """Names of those regions that have been filled already."""
    return [one.name for one in regions if (layout.regions / one.region_id / STORE).exists()]

"""Border crossings over a bad network: how many come through, and whether anybody is doubled or lost on the way.

`python -m bench.crossing_lossy`, and part of `python -m bench.crossing`. Walkers and riders go to and fro over one border all
at once, each behind a relay of its own that loses datagrams each way, repeats and reorders them. Every crossing is looked at
three times: by the one who crosses (shown in the new region, seated there if it rides), by a witness in each region with a
good line (seen once, in the right region), and in Backbone (present there). What happens on the way is the viewer's own
business: it walks on, or drags its seat again, as a person would who sees that nothing happened.

    completed  the viewer saw itself over there and could go on, within PATIENCE
    doubled    SETTLED later a witness still sees the avatar, or what it sat on, in both regions
    lost       in neither
    presence   Backbone says another region than the one it stands in, or none
"""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
import traceback
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import viewer
from bench.kit import BenchGrid, arguments, running_grid, show, told
from tests.kit.lossy import LossyLink
from viewer import Client, Entity, Habits, ViewerError

PATIENCE = 90.0  # seconds a crossing may take, resends and new tries of the person included
SETTLED = 15.0  # seconds until everybody must see the same
DRAG_AGAIN = 8.0
COMES = 10  # times an agent that failed logs in anew
LOSSES, WALKERS, RIDERS = "0,0.1,0.3", 6, 6
DELAY = (0.0, 0.02)
APART = 12.0  # metres between the ways of two agents

log = logging.getLogger("bench")


@dataclass
class Tally:
    """Of one loss and one way of going."""

    tried: int = 0
    completed: int = 0
    doubled: int = 0
    lost: int = 0
    presence: int = 0
    seconds: list[float] = field(default_factory=list)  # from the last sight in the old region to the first in the new

    def row(self, loss: float, kind: str) -> dict[str, Any]:
        ordered = sorted(self.seconds) or [0.0]
        return {
            "loss": f"{loss:.0%}", "going": kind, "crossings": self.tried,
            "completed %": round(100 * self.completed / max(self.tried, 1), 1), "doubled": self.doubled,
            "lost": self.lost, "presence wrong": self.presence, "gap p50 s": round(ordered[len(ordered) // 2], 2),
            "p99 s": round(ordered[int(0.99 * (len(ordered) - 1))], 2), "max s": round(ordered[-1], 2),
        }  # fmt: skip


class Watch:
    """A witness on a good line in each region, and what Backbone says."""

    def __init__(self, grid: BenchGrid, witnesses: list[Client]) -> None:
        self._grid, self._witnesses = grid, witnesses

    def start(self, seat_y: float | None) -> str:
        """Region and x near the border: in the first region, or where the seat of that way stands."""
        west, east = (witness.root for witness in self._witnesses)
        over = seat_y is not None and any(
            not entity.is_avatar and not entity.parent_id and abs(entity.position[1] - seat_y) < 1.0
            for entity in east.entities.values()
        )
        return f"{east.name}&6" if over else f"{west.name}&250"

    def places(self, shown_id: UUID, avatar: bool) -> list[str]:
        """The regions in which any witness sees this avatar or object."""
        found = set()
        for witness in self._witnesses:
            for region in witness.regions.values():
                shown = region.avatars if avatar else {entity.id: entity for entity in region.entities.values()}
                if shown_id in shown:
                    found.add(region.name)
        return sorted(found)

    async def presence(self, agent_id: UUID) -> str | None:
        return (await asyncio.to_thread(self._get, f"agents/{agent_id}/presence"))["region_name"]

    def _get(self, path: str) -> Any:
        secret = (self._grid.data / "secret").read_text().strip()
        asked = urllib.request.Request(self._grid.login_uri + path, headers={"Authorization": f"Bearer {secret}"})
        with urllib.request.urlopen(asked, timeout=30) as reply:
            return json.load(reply)

    async def judge(self, tally: Tally, where: str, agent_id: UUID, seat_id: UUID | None) -> None:
        """Count what is not as it should be, once there was time enough."""
        things = [(agent_id, True), *([(seat_id, False)] if seat_id is not None else [])]

        async def presence_right() -> bool:
            return await self.presence(agent_id) == where

        if not await became(lambda: all(self.places(*thing) == [where] for thing in things), SETTLED):
            seen = [self.places(*thing) for thing in things]
            log.warning("%s should be in %s, the witnesses see it in %s", agent_id, where, seen)
            tally.doubled += any(len(places) > 1 for places in seen)
            tally.lost += any(not places for places in seen)
        for _ in range(int(SETTLED)):
            if await presence_right():
                return
            await asyncio.sleep(1.0)
        log.warning("%s is in %s, and not for Backbone", agent_id, where)
        tally.presence += 1


async def became(condition: Callable[[], bool], limit: float) -> bool:
    end = asyncio.get_running_loop().time() + limit
    while not condition():
        if asyncio.get_running_loop().time() > end:
            return False
        await asyncio.sleep(0.05)
    return True


async def go(me: Client, y: float, seat_id: UUID | None) -> None:
    """Once over the border, by foot or with the seat. TimeoutError when it cannot be done."""
    start, done = me.root, len(me.crossings)
    east = start.grid_x % 2 == 0
    over = lambda: len(me.crossings) > done and me.region is not start and not me.travelling  # noqa: E731
    end = asyncio.get_running_loop().time() + PATIENCE
    while not over():
        if asyncio.get_running_loop().time() > end:
            raise TimeoutError(f"not over the border after {PATIENCE:g} s")
        if seat_id is None:
            try:
                west = start.west
                await me.walk_to(((262.0 if east else -6.0) + west - me.root.west, y))
            except (viewer.WalkBlocked, viewer.WaitTimeout) as error:
                log.info("%s: %s", me.name, error)
        else:
            thing = me.find(seat_id)
            if thing is not None and thing.region is me.region:
                me.building.drag(thing, (258.0 if east else -2.0, y, thing.position[2]))
            await became(over, DRAG_AGAIN)
    if seat_id is not None and not await became(lambda: me.seat is not None and me.seat.id == seat_id, SETTLED):
        raise TimeoutError("over the border, and not on its seat any more")


async def one(
    grid: BenchGrid, watch: Watch, tally: Tally, number: int, crossings: int, loss: float, seated: bool
) -> None:
    """One agent, so many times over the border. When it cannot go on it counts as failed, and comes anew."""
    y = 16.0 + APART * number
    for _ in range(COMES):
        if tally.tried >= crossings:
            return
        link = LossyLink(number, loss, loss / 3, loss / 2, DELAY if loss else (0.0, 0.0))
        habits = Habits(route=link.route)
        try:
            start = f"uri:{watch.start(y if seated else None)}&{y:.0f}&30"
            async with viewer.login(grid.login_uri, "Walker", str(number + 1), "walker", start, habits=habits) as me:
                seat_id = await sit_down(me, y) if seated else None
                while tally.tried < crossings:
                    tally.tried += 1
                    try:
                        await go(me, y, seat_id)
                    except TimeoutError:
                        tally.doubled += len(watch.places(me.agent_id, True)) > 1
                        tally.lost += not watch.places(me.agent_id, True)
                        raise
                    tally.completed += 1
                    tally.seconds.append(max(me.crossings[-1].gap, 0.0))
                    await watch.judge(tally, me.root.name, me.agent_id, seat_id)
        except (ViewerError, TimeoutError) as error:
            log.warning(
                "walker %d after %d: %s", number + 1, tally.tried, error or "".join(traceback.format_exception(error))
            )
        finally:
            link.close()


async def sit_down(me: Client, y: float) -> UUID:
    def seat() -> Entity | None:
        there = [e for r in me.regions.values() for e in r.entities.values() if not e.is_avatar and not e.parent_id]
        return next((e for e in there if abs(e.position[1] - y) < 1.0), None)

    if not await became(lambda: len(me.regions) == 2 and seat() is not None, 60.0):
        raise TimeoutError("shows no seat")
    found = seat()
    assert found is not None
    for _ in range(6):
        try:
            await me.sit_on(found.id)
            return found.id
        except (viewer.SitRefused, viewer.WaitTimeout) as error:
            log.info("%s cannot sit yet: %s", me.name, error)
    raise TimeoutError("cannot sit down")


def scene(folder: Path, riders: int, walkers: int) -> str:
    """A thing to sit on for each rider, in its way."""
    things = [
        f'[[linkset]]\nname = "Seat"\nposition = [252, {16.0 + APART * (walkers + n)}, 0.3]\non_ground = true\n'
        'everyone = ["move"]\n[[linkset.prim]]\nsize = [2, 2, 0.5]\n[[linkset.prim]]\nsize = [0.1, 0.1, 0.1]\nposition = [0, 0, 0.4]\n'
        for n in range(riders)
    ]
    file = folder / "seats.toml"
    file.write_text("\n".join(things))
    return str(file)


async def measure(grid: BenchGrid, loss: float, walkers: int, riders: int, crossings: int) -> list[dict[str, Any]]:
    names = [region["name"] for region in grid.status()["regions"]]
    async with (
        viewer.login(grid.login_uri, "Witness", "1", "walker", f"uri:{names[0]}&220&128&30") as west,
        viewer.login(grid.login_uri, "Witness", "2", "walker", f"uri:{names[1]}&36&128&30") as east,
    ):
        watch, foot, seat = Watch(grid, [west, east]), Tally(), Tally()
        await asyncio.gather(
            *(one(grid, watch, foot, n, crossings, loss, False) for n in range(walkers)),
            *(one(grid, watch, seat, walkers + n, crossings, loss, True) for n in range(riders)),
        )
    rows = [foot.row(loss, "on foot"), seat.row(loss, "riding")]
    return [row for row in rows if row["crossings"]]


def lossy(losses: str, walkers: int, riders: int, crossings: int) -> list[dict[str, Any]]:
    """So many crossings of each kind at each loss: a row for both. The grid is a new one for each loss."""
    rows: list[dict[str, Any]] = []
    for loss in (float(part) for part in losses.split(",")):
        with tempfile.TemporaryDirectory() as folder, running_grid("2x1", scene(Path(folder), riders, walkers)) as grid:
            grid.add_users("Walker", walkers + riders, "walker")
            grid.add_users("Witness", 2, "walker")
            rows += map(told, asyncio.run(measure(grid, loss, walkers, riders, crossings)))
            inside = [grid.region(region["name"]) for region in grid.status()["regions"]]
            left = sum(figures["agents"] for figures in inside), sum(figures["prims"] for figures in inside)
            rows[-1]["left"] = f"{left[0]} agents, {left[1]} prims of {2 * riders}"
    return rows


def main() -> None:
    given = arguments(__doc__, losses=LOSSES, walkers=WALKERS, riders=RIDERS, crossings=120)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    rows = lossy(given.losses, given.walkers, given.riders, given.crossings)
    show("crossings over a bad network", rows, given.json)


if __name__ == "__main__":
    main()

"""What a world in which nothing moves costs, and what a fall costs. `python -m bench.still_world`

Resting prims and idle viewers: object updates once everything was shown, and processor time a frame beside the same
region without any prims; `--scenes` names files of `bench/scenes/`. A free fall: how many updates, and how far a viewer that
extrapolates is off meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from bench.kit import arguments, show, told
from protocol.wellknown import NULL
from sim.scenes import NO_SCENE, load, place
from sim.world.changes import What
from sim.world.objects import Prim
from tests.kit.world import TestSimulator, add_root, close_sim, make_sim

SCENES = Path(__file__).parent / "scenes"


def frames(sim: TestSimulator, seconds: float) -> float:
    """Run so much world time; processor milliseconds a frame."""
    count = round(seconds * 45)
    began = time.thread_time()
    for _ in range(count):
        sim.frame.once(sim.clock.now())
        sim.clock.advance(1 / 45)
    return (time.thread_time() - began) / count * 1e3


def add_box(sim: TestSimulator, x: float, y: float, z: float, physical: bool = False) -> Prim:
    prim = Prim(uuid4(), NULL, NULL)
    sim.world.objects.add(prim, sim.world.new_local_id(), (x, y, z), (0.0, 0.0, 0.0, 1.0), (0.5, 0.5, 0.5))
    prim.physical = physical
    sim.world.changes.prims.note(prim, What.BODY)
    return prim


async def still(name: str, viewers: int) -> dict[str, Any]:
    sim = make_sim()
    people = [add_root(sim, f"Idle {n}", (20.0 + n, 20.0, 30.0)) for n in range(viewers)]
    frames(sim, 2)
    scene = load(str(SCENES / f"{name}.toml") if name != NO_SCENE else NO_SCENE)
    began = time.thread_time()
    prims = place(sim.region, sim.scripts, scene) if scene is not None else 0
    placed = time.thread_time() - began
    frames(sim, 1)
    shown = 0
    while sim.interest.objects._busy and shown < 3000:
        frames(sim, 0.2)
        for person in people:
            person.forget()
        shown += 1
    frames(sim, 3)
    for person in people:
        assert np.count_nonzero(sim.interest.objects.known[person.circuit.slot]) == prims
        person.forget()
    before = sum(sim.metrics.labelled["object_updates"].values())
    cost = frames(sim, 10)
    row = {
        "case": f"{prims} resting prims, {viewers} idle viewers",
        "placed in s": round(placed, 2),
        "object updates in 10 s": int(sum(sim.metrics.labelled["object_updates"].values()) - before),
        "object messages in 10 s": sum(len(p.heard("ObjectUpdate")) + len(p.heard("ImprovedTerseObjectUpdate")) for p in people),
        "cpu ms a frame": round(cost, 4),
    }
    close_sim(sim)
    return row


async def fall(height: float) -> dict[str, Any]:
    sim = make_sim()
    add_root(sim, "Onlooker", (100.0, 100.0, 30.0))
    frames(sim, 2)
    ground = sim.world.terrain.height(128.0, 128.0)
    prim = add_box(sim, 128.0, 128.0, ground + height, physical=True)
    row = sim.world.objects.rows[prim.row]
    told: list[float] = []
    seen = sim.metrics.labelled["object_updates"]["terse"]
    worst = 0.0
    for _ in range(45 * 12):
        sim.frame.once(sim.clock.now())
        sim.clock.advance(1 / 45)
        row = sim.world.objects.rows[prim.row]
        age = float(row["sent_age"])
        count = sim.metrics.labelled["object_updates"]["terse"]
        if count > seen:
            told.append(float(row["position"][2]) - ground)
        seen = count
        guess = row["sent_position"] + row["sent_velocity"] * age + 0.5 * row["sent_acceleration"] * age * age
        if row["moving"] and float(row["position"][2]) - ground > 1.0:
            worst = max(worst, float(np.linalg.norm(guess - row["position"])))
    air = [z for z in told if 1.0 < z < height - 0.5]
    close_sim(sim)
    return {
        "case": f"a box falls {height:.0f} m",
        "updates in the air": len(air),
        "updates in all": len(told),
        "viewer off by at most, m": round(worst, 3),
    }


def main() -> None:
    given = arguments(__doc__, scenes="none,still_world,prims_30000", viewers=20, height=30.0)
    rows = [told(asyncio.run(still(name, given.viewers))) for name in given.scenes.split(",")]
    rows.append(asyncio.run(still("prims_100000", 1)))
    falling = asyncio.run(fall(given.height))
    if given.json:
        show("still_world", [*rows, falling], True)
    else:
        show("still world", rows, False)
        show("free fall", [falling], False)


if __name__ == "__main__":
    main()

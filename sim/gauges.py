"""How the region is doing now: every gauge, read from where it is true. What SimStats and Prometheus tell comes from here.

Asked for every few seconds, never in the course of a frame: some of it is counted through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.storage.transit import MOVES

if TYPE_CHECKING:
    from sim.circuits.circuits import Circuits
    from sim.pace import Pace
    from sim.physics.bodies import Bodies
    from sim.region import Region
    from sim.scripts.inworld import Scripts
    from sim.storage.keeping import Storage


class Gauges:
    def __init__(
        self, region: Region, pace: Pace, circuits: Circuits, bodies: Bodies, scripts: Scripts, storage: Storage
    ) -> None:
        self._region, self._pace = region, pace
        self._circuits, self._bodies, self._scripts, self._storage = circuits, bodies, scripts, storage

    def measure(self) -> dict[str, float]:
        """Bring the region's `metrics.gauges` up to date, and return them."""
        world, gauges = self._region.world, self._region.metrics.gauges
        rates, circuits = self._pace.rates(), self._circuits.by_key
        gauges["frames_per_second"], gauges["steps_per_second"] = rates.on_time, rates.steps
        gauges["dilation"] = world.dilation
        gauges["root_agents"] = sum(1 for _ in world.roots())
        gauges["child_agents"] = sum(1 for _ in world.children())
        gauges["circuits"] = len(circuits)
        gauges["unacked_bytes"] = sum(circuit.unacked_bytes for circuit in circuits.values())
        rows = world.objects.rows[: world.objects.count]
        active = rows["moving"] == 1
        active[[prim.row for prim in self._scripts.prims()]] = True
        gauges["prims"] = world.objects.standing
        gauges["prims_active"] = int(np.count_nonzero(active))
        gauges["prims_physical"] = int(np.count_nonzero(rows["physical"]))
        bodies = self._bodies.engine.statistics()
        gauges["bodies"] = bodies["static"] + bodies["dynamic"] + bodies["kinematic"]
        gauges["bodies_awake"] = bodies["awake"]
        gauges["contacts"] = bodies["contacts"]
        gauges["store_due"] = self._storage.due
        gauges["moves_open"] = sum(transit.kind in MOVES for transit in self._storage.transits.values())
        gauges["scripts"], gauges["scripts_running"], gauges["scripts_waiting"] = self._scripts.counts()
        return gauges

"""How the region is doing now: every gauge, read from where it is true. What SimStats and Prometheus tell comes from here.

Asked for every few seconds, never in the course of a frame: some of it is counted through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sim.simulator import Simulator


def measure(sim: Simulator) -> dict[str, float]:
    """Bring `sim.metrics.gauges` up to date, and return them."""
    world, gauges = sim.world, sim.metrics.gauges
    rates = sim.frame.rates()
    gauges["frames_per_second"], gauges["steps_per_second"] = rates.on_time, rates.steps
    gauges["dilation"] = world.dilation
    gauges["root_agents"] = sum(1 for _ in world.roots())
    gauges["child_agents"] = sum(1 for _ in world.children())
    gauges["circuits"] = len(sim.circuits.by_key)
    gauges["unacked_bytes"] = sum(circuit.unacked_bytes for circuit in sim.circuits.by_key.values())
    rows = world.objects.rows[: world.objects.count]
    active = rows["moving"] == 1
    scripted = sim.scripts.prims()
    active[[prim.row for prim in scripted]] = True
    gauges["prims"] = len(world.objects)
    gauges["prims_active"] = int(np.count_nonzero(active))
    gauges["prims_physical"] = int(np.count_nonzero(rows["physical"]))
    bodies = sim.bodies.engine.statistics()
    gauges["bodies"] = bodies["static"] + bodies["dynamic"] + bodies["kinematic"]
    gauges["bodies_awake"] = bodies["awake"]
    gauges["contacts"] = bodies["contacts"]
    gauges["store_due"] = sim.storage.due
    gauges["moves_open"] = len(sim.storage.transits)
    gauges["scripts"], gauges["scripts_running"], gauges["scripts_waiting"] = sim.scripts.counts()
    return gauges

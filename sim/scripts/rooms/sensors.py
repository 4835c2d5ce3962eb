"""Sensors: who and what is near a prim, the nearest first.

A sweep goes over columns, not over prims: places, whether something moves, whether scripts in it do anything. Only the few that
are found are looked at one by one. It runs in its script's own slice, and is charged to it.

Source: llSensor, llSensorRepeat and the constants AGENT, ACTIVE, PASSIVE, SCRIPTED on the LSL wiki.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from sim.scripts.language.values import NULL_KEY
from sim.scripts.library.world import Detected
from sim.scripts.rooms.detecting import ACTIVE, AGENT, PASSIVE, SCRIPTED, of_agent, of_object
from sim.world.objects import Prim, rotate

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script
    from sim.scripts.machine.senses import Sweep
    from sim.scripts.rooms.home import Home
    from sim.world.agent import Agent

BY_USERNAME, DAMAGEABLE = 0x10, 0x20
MOST_FOUND = 32
FARTHEST = 96.0  # metres
ROW_COST = 2  # checkpoints a row of columns
KNOWN_FOR = 4.0  # a second: how often is asked anew which scripts are busy


class Sensors:
    def __init__(self, home: Home) -> None:
        self._home = home
        self._known = (-1, -1, -1)
        self._scripted = self._busy = np.zeros(0, bool)  # by row of roots

    def cost(self) -> int:
        """Checkpoints that a sweep is worth."""
        world = self._home.region.world
        return 1000 + ROW_COST * (world.objects.count + world.avatars.count)

    def sweep(self, script: Script, prim: Prim, sweep: Sweep) -> list[Detected]:
        """What the sweep finds from a prim's place, the nearest first."""
        objects = self._home.region.world.objects
        (x, y, z), turn = objects.world_place(prim)
        here, forward = np.array((x, y, z), np.float32), np.array(rotate(turn, (1.0, 0.0, 0.0)), np.float32)
        radius = min(max(sweep.radius, 0.0), FARTHEST)
        if not radius > 0:
            return []
        found: list[tuple[float, Agent | Prim]] = []
        if sweep.kind & (AGENT | BY_USERNAME | DAMAGEABLE):
            found += self._people(sweep, prim, here, forward, radius)
        if sweep.kind & (ACTIVE | PASSIVE | SCRIPTED | DAMAGEABLE):
            found += self._things(script.now, sweep, prim, here, forward, radius)
        found.sort(key=_distance)
        home = self._home
        return [of_object(home, one) if isinstance(one, Prim) else of_agent(home, one) for _, one in found[:MOST_FOUND]]

    def _people(
        self, sweep: Sweep, prim: Prim, here: np.ndarray, forward: np.ndarray, radius: float
    ) -> list[tuple[float, Agent | Prim]]:
        world = self._home.region.world
        rows = world.avatars.rows[: world.avatars.count]
        out: list[tuple[float, Agent | Prim]] = []
        for away, row in _within(rows["position"], rows["active"] == 1, here, forward, radius, sweep.arc):
            agent = world.agent_of_row.get(row)
            if agent is None or not self._named_person(sweep, agent):
                continue
            out.append((away, agent))
            if len(out) == MOST_FOUND:
                break
        return out

    def _named_person(self, sweep: Sweep, agent: Agent) -> bool:
        if sweep.key and sweep.key != NULL_KEY and sweep.key.lower() != str(agent.agent_id):
            return False
        if not sweep.name:
            return True
        if sweep.kind & BY_USERNAME:
            user = agent.first.lower() if agent.last == "Resident" else f"{agent.first}.{agent.last}".lower()
            return sweep.name.lower() == user
        return sweep.name in (agent.name, agent.name.removesuffix(" Resident"))

    def _things(
        self, now: float, sweep: Sweep, prim: Prim, here: np.ndarray, forward: np.ndarray, radius: float
    ) -> list[tuple[float, Agent | Prim]]:
        objects = self._home.region.world.objects
        rows = objects.rows[: objects.count]
        self._look_at_scripts(now)
        count = len(rows)
        busy, scripted = self._busy[:count], self._scripted[:count]
        active = busy | ((rows["physical"] == 1) & (rows["moving"] == 1))
        wanted = np.zeros(count, bool)
        if sweep.kind & ACTIVE:
            wanted |= active
        if sweep.kind & PASSIVE:
            wanted |= ~active
        if sweep.kind & SCRIPTED:
            wanted |= scripted
        if sweep.kind & DAMAGEABLE:
            wanted |= scripted
        wanted &= (rows["active"] == 1) & (rows["root"] == 1)
        wanted[prim.linkset_root.row] = False
        out: list[tuple[float, Agent | Prim]] = []
        by_key = bool(sweep.key) and sweep.key != NULL_KEY
        for away, row in _within(rows["world_position"], wanted, here, forward, radius, sweep.arc):
            root = objects.of_row.get(row)
            if (
                root is None
                or (sweep.name and root.name != sweep.name)
                or (by_key and sweep.key.lower() != str(root.full_id))
            ):
                continue
            if not sweep.kind & (ACTIVE | PASSIVE | SCRIPTED) and root.drives.health <= 0:
                continue
            out.append((away, root))
            if len(out) == MOST_FOUND:
                break
        return out

    def _look_at_scripts(self, now: float) -> None:
        """Which linksets have scripts that run, and which have some that do anything."""
        home = self._home
        objects, prims = home.region.world.objects, home.prims()
        known = int(now * KNOWN_FOR), len(prims), len(objects.rows)
        if known == self._known:
            return
        self._known = known
        self._scripted, self._busy = np.zeros(len(objects.rows), bool), np.zeros(len(objects.rows), bool)
        for prim in prims:
            row = prim.linkset_root.row
            if row < 0:
                continue
            for script in home.of(prim):
                if script.is_running:
                    self._scripted[row] = True
                    self._busy[row] |= script.is_busy


def _within(
    places: np.ndarray, wanted: np.ndarray, here: np.ndarray, forward: np.ndarray, radius: float, arc: float
) -> list[tuple[float, int]]:
    """Rows that are wanted and within the ball and the cone, with their distances, the nearest first."""
    chosen = np.flatnonzero(wanted)
    way = places[chosen] - here
    away = np.sqrt((way * way).sum(axis=1))
    near = away <= radius
    if arc < math.pi:
        near &= way @ forward >= away * math.cos(max(arc, 0.0)) - 1e-6
    chosen, away = chosen[near], away[near]
    order = np.argsort(away, kind="stable")
    return list(zip(away[order].tolist(), chosen[order].tolist(), strict=True))


def _distance(found: tuple[float, object]) -> float:
    return found[0]

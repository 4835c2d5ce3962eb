"""Damage: what objects that hit somebody do to their health, and what scripts do to each other's.

A person has 100 of health and wins one of it back in six seconds. It goes down only on land whose owner allows damage; at 0 the
person is sent home, healed. Whoever is hurt hears on_damage first, in what they wear or sit on, and objects in their own scripts,
and may change what it comes to. Objects have no health but what their scripts keep.

Source: llSetDamage, llDamage, llAdjustDamage, on_damage and "Linden Combat" on the LSL wiki.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from sim.actions.remove import remove
from sim.scripts.library.world import Detected
from sim.scripts.rooms.detecting import of_object
from sim.world.agent import Agent

if TYPE_CHECKING:
    from uuid import UUID

    from sim.scripts.machine.script import Script
    from sim.scripts.rooms.home import Home
    from sim.world.objects import Prim

FULL = 100.0
HEALING = 1.0 / 6.0  # of health, a second
ALLOW_DAMAGE = 0x20  # ParcelFlags
MOST_DAMAGE = 1e6
MOST_KNOWN = 1000


class Combat:
    def __init__(self, home: Home) -> None:
        self._home = home
        self._health: dict[UUID, tuple[float, float]] = {}  # of people who are hurt, and world time at which it was so

    def health(self, agent: Agent) -> float:
        """0 to 100."""
        health, at = self._health.get(agent.agent_id, (FULL, 0.0))
        health += (self._home.region.world.time - at) * HEALING
        if health >= FULL:
            self._health.pop(agent.agent_id, None)
        return min(health, FULL)

    def allowed(self, agent: Agent) -> bool:
        """Whether somebody may be hurt where they are."""
        world = self._home.region.world
        return bool(world.parcel_at(*world.position(agent)[:2]).flags & ALLOW_DAMAGE)

    def hit(self, root: Prim, agent: Agent) -> None:
        """An object that does damage has met somebody: it is over with the object."""
        if self.allowed(agent):
            self.hurt(agent, root.drives.damage, root.drives.damage_type, of_object(self._home, root))
        remove(self._home.region, root)

    def hurt(self, target: Agent | Prim, amount: float, kind: int, by: Detected) -> None:
        """Damage, or healing where it is negative, for a person or an object; after what their scripts make of it."""
        if not math.isfinite(amount):
            return
        amount = min(max(amount, -MOST_DAMAGE), MOST_DAMAGE)
        seen = replace(by, damage=(amount, kind, amount))
        if not isinstance(target, Agent):
            self._ask(target, seen)
            return
        if amount > 0 and not self.allowed(target):
            return
        seats = self._home.region.world.seats
        if target in seats.of:
            self._ask(seats.of[target].prim.linkset_root, seen)
        self.change(target, -amount)

    def _ask(self, root: Prim, seen: Detected) -> None:
        now = self._home.region.world.time
        for prim in root.linkset():
            for script in self._home.of(prim):
                script.now = max(script.now, now)
                script.post("on_damage", 1, detected=[seen])

    def change(self, agent: Agent, by: float) -> None:
        """An avatar's health goes up or down; at 0 it is over, and begins anew."""
        health = min(max(self.health(agent) + by, 0.0), FULL)
        if len(self._health) > MOST_KNOWN:  # those who left long ago
            now = self._home.region.world.time
            self._health = {
                who: known for who, known in self._health.items() if known[0] + (now - known[1]) * HEALING < FULL
            }
        if health > 0:
            self._health[agent.agent_id] = health, self._home.region.world.time
        else:
            self._health.pop(agent.agent_id, None)
        self._home.health_told(agent, health)

    def adjusted(self, script: Script, number: int, amount: float) -> None:
        """A script makes something else of a damage that it hears of. Of a person on its seat the difference is made good."""
        if not 0 <= number < len(script.detected) or not math.isfinite(amount):
            return
        one = script.detected[number]
        if one.damage is None:
            return
        before, kind, first = one.damage
        amount = min(max(amount, -MOST_DAMAGE), MOST_DAMAGE)
        told = list(script.detected)
        told[number] = replace(one, damage=(amount, kind, first))
        script.detected = tuple(told)
        root = script.world.prim_of(script).linkset_root
        for agent in self._home.region.world.seats.on_linkset(root):
            self.change(agent, before - amount)

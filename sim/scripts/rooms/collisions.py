"""Collisions as scripts hear them, and what objects do that hit somebody: damage, dying, sounding.

Most of what touches concerns no script: which of a step's collisions do is found in columns. Those of one linkset become
events, one of each kind a step at most, and `collision` only when none waits already.

Source: collision_start, land_collision, llCollisionFilter, llVolumeDetect and llPassCollisions on the LSL wiki.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from protocol.message import Message
from protocol.wellknown import NULL
from sim.actions.remove import remove
from sim.physics.engine import TERRAIN, Contact
from sim.scripts.language.values import Vector
from sim.scripts.library.world import Detected
from sim.scripts.rooms.detecting import of_agent, of_object
from sim.world.agent import Agent
from sim.world.changes import What

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script
    from sim.scripts.rooms.combat import Combat
    from sim.scripts.rooms.home import Home
    from sim.world.objects import Prim

OF_OBJECTS = {Contact.START: "collision_start", Contact.ONGOING: "collision", Contact.END: "collision_end"}
OF_LAND = {Contact.START: "land_collision_start", Contact.ONGOING: "land_collision", Contact.END: "land_collision_end"}
HEARD = {*OF_OBJECTS.values(), *OF_LAND.values()}
QUIET = 0.1  # seconds between two sounds of one object
MOST_TOGETHER = 8  # whom one event tells of
MOST_HANDLED = 2000  # of a step; the rest is dropped
DIE_ON_COLLIDE, NO_OWNER, NO_FAMILY = 0x8, 0x20, 0x40  # REZ_FLAG_*
ALWAYS_PASSES = 1


class Collisions:
    def __init__(self, home: Home, combat: Combat) -> None:
        self._home = home
        self._combat = combat
        self._rows: dict[Prim, int] = {}  # roots that care, and their rows
        self._heeds = np.zeros(256, bool)  # by row
        self._sounded: dict[Prim, float] = {}  # world time of an object's last sound
        self._changes = home.region.world.changes.prims.reader(What.LINK | What.GONE | What.DRIVES | What.MADE)

    # --- who cares

    def heed(self, prim: Prim) -> None:
        """Look anew whether anybody cares what a prim's linkset touches."""
        if prim.row < 0 or prim.root is not None:
            self._forget(prim)
        root = prim.linkset_root
        if root.row < 0:
            return
        cares = root.drives.damage > 0 or root.drives.flight & DIE_ON_COLLIDE or bool(root.drives.sound)
        if cares or any(_hears(script) for one in root.linkset() for script in self._home.of(one)):
            while root.row >= len(self._heeds):
                self._heeds = np.concatenate([self._heeds, np.zeros(len(self._heeds), bool)])
            self._rows[root] = root.row
            self._heeds[root.row] = True
        else:
            self._forget(root)

    def _forget(self, prim: Prim) -> None:
        row = self._rows.pop(prim, -1)
        if row >= 0:
            self._heeds[row] = False

    # --- after a step

    def step(self) -> None:
        """What touched in the step that has just been made."""
        if len(self._changes):
            gone = self._changes.take()
            for prim in sorted(gone, key=lambda one: one.row >= 0):  # rows that are free again may be others' already
                self.heed(prim)
        bodies = self._home.bodies
        found = bodies.engine.collisions
        if not len(found) or not self._rows:
            return
        a, b = bodies.rows_of(found["a"]), bodies.rows_of(found["b"])
        heeds = np.concatenate(
            [self._heeds, np.zeros(max(0, len(self._home.region.world.objects.rows) - len(self._heeds)) + 1, bool)]
        )
        concern = np.flatnonzero(heeds[a] | heeds[b])  # row -1 is the last one: nobody
        if not len(concern):
            return
        happened: dict[Prim, dict[str, list[Detected] | Vector]] = {}
        objects = self._home.region.world.objects
        for k in concern[:MOST_HANDLED].tolist():
            row = found[k]
            kind, other_handle = Contact(int(row["kind"])), int(row["b"])
            first, second = objects.of_row.get(int(a[k])), objects.of_row.get(int(b[k]))
            agent = self._agent(other_handle)
            if first is not None and heeds[a[k]]:
                if other_handle == TERRAIN:
                    happened.setdefault(first, {})[OF_LAND[kind]] = Vector(*row["point"].tolist())
                elif (other := agent or second) is not None:
                    self._note(happened, first, other, kind)
            if second is not None and heeds[b[k]] and first is not None:
                self._note(happened, second, first, kind)
        for root, events in happened.items():
            self._tell(root, events)

    def _agent(self, handle: int) -> Agent | None:
        return self._home.region.world.agent_of_row.get(-handle - 2) if handle <= -2 else None

    def _note(
        self, happened: dict[Prim, dict[str, list[Detected] | Vector]], root: Prim, other: Agent | Prim, kind: Contact
    ) -> None:
        if root.volume_detect and kind == Contact.ONGOING:
            return  # it hears who comes and who goes
        flight, who = root.drives.flight, other.agent_id if isinstance(other, Agent) else other.owner_id
        if flight & NO_OWNER and who == root.owner_id and isinstance(other, Agent):
            return
        if flight & NO_FAMILY and not isinstance(other, Agent) and root.made_by is not None:
            if other.full_id == root.made_by.rezzer or (
                other.made_by is not None and other.made_by.rezzer == root.made_by.rezzer
            ):
                return
        seen = of_agent(self._home, other) if isinstance(other, Agent) else of_object(self._home, other)
        found = happened.setdefault(root, {}).setdefault(OF_OBJECTS[kind], [])
        if isinstance(found, list) and len(found) < MOST_TOGETHER:
            found.append(seen)
        if kind == Contact.START and root.drives.sound and root.drives.volume > 0:
            self._sound(root)
        if kind == Contact.START and isinstance(other, Agent) and root.drives.damage > 0:
            self._combat.hit(root, other)

    def _sound(self, root: Prim) -> None:
        """The object's own sound of hitting something, for all who may hear it."""
        now = self._home.region.world.time
        if 0.0 <= now - self._sounded.get(root, -math.inf) < QUIET:
            return
        self._sounded = {one: at for one, at in self._sounded.items() if now - at < QUIET and one.row >= 0}
        self._sounded[root] = now
        place = self._home.region.world.objects.world_place(root)[0]
        data = {
            "SoundID": UUID(root.drives.sound), "OwnerID": root.owner_id, "ObjectID": root.full_id, "ParentID": NULL,
            "Handle": self._home.region.facts.handle, "Position": place, "Gain": min(max(root.drives.volume, 0.0), 1.0),
        }  # fmt: skip
        viewers = self._home.viewers
        viewers.show_all(viewers.hearers(place), Message("SoundTrigger", SoundData=data))

    def _tell(self, root: Prim, events: dict[str, list[Detected] | Vector]) -> None:
        """The events of one linkset, to the root's scripts, and to those of children that want to hear."""
        if root.row < 0:
            return
        own = [script for script in self._home.of(root) if _hears(script)]
        scripts = own + [
            script
            for child in root.children
            if not own or child.drives.passes == ALWAYS_PASSES
            for script in self._home.of(child)
            if _hears(script)
        ]
        now = self._home.region.world.time
        for name, what in events.items():
            for script in scripts:
                script.now = max(script.now, now)
                if isinstance(what, Vector):
                    _post(script, name, what)
                    continue
                heard = [one for one in what if script.senses.filter.hears(one.name, one.key)]
                if heard:
                    _post(script, name, len(heard), detected=heard)
        if root.drives.flight & DIE_ON_COLLIDE and any(name.endswith("_start") for name in events):
            remove(self._home.region, root)


def _hears(script: Script) -> bool:
    """In whichever state."""
    return any(HEARD & handlers.keys() for handlers in script.program.handlers)


def _post(script: Script, name: str, *arguments: int | Vector, detected: list[Detected] | tuple[()] = ()) -> None:
    if name in ("collision", "land_collision") and any(event.name == name for event in script.queue):
        return
    script.post(name, *arguments, detected=detected)

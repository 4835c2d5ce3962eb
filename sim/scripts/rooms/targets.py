"""Targets: whether an object is where, or turned as, its script wished it to be.

Every frame all places are compared with all targets in a few operations on columns; scripts hear of it at once when they come
to be at a target, and nine times a second while they are there or not, once for all their targets together.

Source: llTarget, llRotTarget, at_target, not_at_target and their siblings on the LSL wiki.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim.scripts.language.values import Rotation, Vector

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script
    from sim.scripts.rooms.home import Home

TOLD_EVERY = 1.0 / 9.0  # seconds of world time
EVENTS = ("at_target", "not_at_target", "at_rot_target", "not_at_rot_target")


class Targets:
    def __init__(self, home: Home) -> None:
        self._home = home
        self._scripts: dict[Script, None] = {}
        self._told_at = -1.0
        self._at: set[tuple[Script, int]] = set()  # targets that scripts were at when last looked

    @property
    def is_idle(self) -> bool:
        return not self._scripts

    def watch(self, script: Script) -> None:
        """A script has targets, or others than before."""
        if script.senses.targets or script.senses.turns:
            self._scripts[script] = None
        else:
            self._forget(script)

    def _forget(self, script: Script) -> None:
        self._scripts.pop(script, None)
        self._at = {one for one in self._at if one[0] is not script}

    def run(self) -> None:
        """Compare, and tell."""
        if not self._scripts:
            return
        world = self._home.region.world
        for script in list(self._scripts):
            if not script.is_running or not (script.senses.targets or script.senses.turns):
                self._forget(script)
        roots = {script: script.world.prim_of(script).linkset_root for script in self._scripts}
        places = [
            (script, root.row, *one)
            for script, root in roots.items()
            if root.row >= 0
            for one in script.senses.targets.items()
        ]
        turns = [
            (script, root.row, *one)
            for script, root in roots.items()
            if root.row >= 0
            for one in script.senses.turns.items()
        ]
        rows, now = world.objects.rows, world.time
        at: set[tuple[Script, int]] = set()
        if places:
            wished = np.array([place for _, _, _, (place, _) in places])
            reach = np.array([reach for _, _, _, (_, reach) in places])
            away = rows["position"][[row for _, row, _, _ in places]] - wished
            at |= {
                (one[0], one[2])
                for one, near in zip(places, (away * away).sum(axis=1) <= reach * reach, strict=True)
                if near
            }
        if turns:
            wished = np.array([turn for _, _, _, (turn, _) in turns])
            error = np.array([error for _, _, _, (_, error) in turns])
            cosine = np.abs((rows["rotation"][[row for _, row, _, _ in turns]] * wished).sum(axis=1)).clip(0.0, 1.0)
            at |= {(one[0], one[2]) for one, near in zip(turns, 2.0 * np.arccos(cosine) <= error, strict=True) if near}
        fresh, self._at = at - self._at, at
        again = now - self._told_at >= TOLD_EVERY - 1e-6 or now < self._told_at
        if again:
            self._told_at = now
        for script in list(self._scripts) if again else {script for script, _ in fresh}:
            self._tell(script, at if again else fresh, again)

    def _tell(self, script: Script, at: set[tuple[Script, int]], again: bool) -> None:
        objects, senses = self._home.region.world.objects, script.senses
        row = objects.row(script.world.prim_of(script).linkset_root)
        script.now = max(script.now, self._home.region.world.time)
        for table, event, ours in (
            (senses.targets, "at_target", Vector(*row["position"].tolist())),
            (senses.turns, "at_rot_target", Rotation(*row["rotation"].tolist())),
        ):
            here = [handle for handle in table if (script, handle) in at]
            for handle in here:
                _post(script, event, handle, table[handle][0], ours)
            if table and not here and again:
                _post(script, f"not_{event}")


def _post(script: Script, name: str, *arguments: int | Vector | Rotation) -> None:
    """One that waits already is enough."""
    if not any(event.name == name and event.arguments[:1] == arguments[:1] for event in script.queue):
        script.post(name, *arguments)

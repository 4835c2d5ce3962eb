"""Keys and mouse buttons that scripts have taken (llTakeControls).

Once a frame it looks at the keys of those of whom a script has taken any, and posts `control` while one of them is down or has
just changed. What is taken and not passed on does not move the avatar: its bits are hidden from a world step (`hidden`).

A viewer counts takes and releases by key, so that each is undone by its mirror image.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from protocol.message import Message
from sim.scripts.language.values import Key

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script
    from sim.world.agent import Agent
    from sim.world.world import World

TAKE_CONTROLS = 0x4  # PERMISSION_*
# CONTROL_*: forward, back, left, right, up, down, turns, the mouse button outside and inside of mouselook.
BUTTON, LOOK_BUTTON = 0x10000000, 0x40000000
EVERY = 0x3F | 0x300 | BUTTON | LOOK_BUTTON
# Bits that say the same of a tap: viewers begin a short press with them.
NUDGES = {0x80000: 0x1, 0x100000: 0x2, 0x200000: 0x4, 0x400000: 0x8, 0x800000: 0x10, 0x1000000: 0x20}
RELEASED = {0x20000000: BUTTON, 0x80000000: LOOK_BUTTON}  # a button's up is a bit of its own
PATIENCE = 30.0  # world seconds in which somebody whose keys were taken in another region is to come


@dataclass(slots=True)
class Taken:
    """What one script has taken of one person."""

    keys: int
    accept: bool
    pass_on: bool
    since: float  # world time
    level: int = 0  # of its keys, as it was told last
    seen: bool = False  # the person has been here since

    @property
    def hidden(self) -> int:
        """The keys that do not move the avatar. Taken without being accepted, it is all others."""
        return 0 if self.pass_on else self.told

    @property
    def told(self) -> int:
        """The keys that the viewer is told of."""
        return self.keys if self.accept or self.pass_on else EVERY & ~self.keys


def held(controls: int, buttons: int) -> int:
    """The keys that are down, by AgentUpdate's ControlFlags; `buttons`: those of the mouse that were."""
    down = controls & EVERY | buttons
    for nudge, key in NUDGES.items():
        if controls & nudge:
            down |= key
    for up, button in RELEASED.items():
        if controls & up and not controls & button:
            down &= ~button
    return down


class Controls:
    def __init__(self, world: World, show: Callable[[Agent, Message], None]) -> None:
        self._world = world
        self._show = show
        self._takers: dict[UUID, dict[Script, Taken]] = {}
        self._buttons: dict[UUID, int] = {}  # of the mouse, that are down

    def take(self, script: Script, keys: int, accept: bool, pass_on: bool) -> None:
        """In the place of what the script has taken before."""
        self.release(script)
        granter = _uuid(script.granter)
        taken = Taken(keys & EVERY, accept, pass_on, self._world.time)
        agent = self._world.agents.get(granter)
        if agent is None or not agent.root:
            return
        taken.seen = True
        script.controls = (taken.keys, accept, pass_on)
        self._takers.setdefault(granter, {})[script] = taken
        self._tell(agent, taken, True)

    def resume(self, script: Script) -> None:
        """A script goes on that has taken keys before, here or elsewhere. Once the person is here their viewer is told to let go
        of them and to give them again, which comes to the same whether it still held them or not."""
        if script.controls is not None:
            keys, accept, pass_on = script.controls
            self._takers.setdefault(_uuid(script.granter), {})[script] = Taken(keys, accept, pass_on, self._world.time)

    def release(self, script: Script) -> None:
        """Its keys are free again."""
        script.controls = None
        for agent_id, takers in list(self._takers.items()):
            taken = takers.pop(script, None)
            if taken is None:
                continue
            if not takers:
                del self._takers[agent_id]
                self._buttons.pop(agent_id, None)
            agent = self._world.agents.get(agent_id)
            if agent is not None and agent.root:
                self._tell(agent, taken, False)

    def release_all(self, agent: Agent) -> None:
        """The person wants their keys back: no script may take them again without asking."""
        for script in list(self._takers.get(agent.agent_id, ())):
            script.granted &= ~TAKE_CONTROLS
            self.release(script)

    def _tell(self, agent: Agent, taken: Taken, take: bool) -> None:
        if taken.told:
            data = [{"TakeControls": take, "Controls": taken.told, "PassToAgent": taken.pass_on}]
            self._show(agent, Message("ScriptControlChange", Data=data))

    # --- once a frame

    def update(self) -> None:
        """Post `control` to those whose keys are down or have changed."""
        for agent_id, takers in list(self._takers.items()):
            agent = self._world.agents.get(agent_id)
            if agent is None or not agent.root:
                for script, taken in list(takers.items()):
                    if taken.seen or self._world.time - taken.since > PATIENCE:
                        script.granted &= ~TAKE_CONTROLS
                        self.release(script)
                continue
            controls = int(self._world.row(agent)["controls"])
            buttons = self._buttons.get(agent_id, 0)
            down = held(controls, buttons)
            self._buttons[agent_id] = down & (BUTTON | LOOK_BUTTON)
            for script, taken in list(takers.items()):
                if not taken.seen:
                    taken.seen = True
                    self._tell(agent, taken, False)
                    self._tell(agent, taken, True)
                level = down & taken.keys
                edge = level ^ taken.level
                taken.level = level
                if taken.accept and (edge or (level and not _waiting(script))):
                    script.now = self._world.time
                    script.post("control", Key(str(agent_id)), level, edge)

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Within this, avatars do not see the keys that were taken from them."""
        if not self._takers:
            yield
            return
        import numpy as np

        rows: list[int] = []
        bits: list[int] = []
        for agent_id, takers in self._takers.items():
            agent = self._world.agents.get(agent_id)
            if agent is not None and agent.root:
                keys = 0
                for taken in takers.values():
                    keys |= taken.hidden
                for nudge, key in NUDGES.items():
                    if keys & key:
                        keys |= nudge
                if keys:
                    rows.append(agent.row)
                    bits.append(keys)
        which, mask = np.array(rows, np.int64), np.array(bits, np.uint32)
        column = self._world.avatars.rows["controls"]
        kept = column[which] & mask
        column[which] &= ~mask
        try:
            yield
        finally:
            column[which] |= kept


def _waiting(script: Script) -> bool:
    """A `control` is in its queue already: that a key is still down need not be said twice."""
    return any(event.name == "control" for event in script.queue)


def _uuid(key: str) -> UUID:
    try:
        return UUID(str(key))
    except ValueError:
        return UUID(int=0)

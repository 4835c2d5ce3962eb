"""What happens around scripts and is no script's own doing: who is near, who bumps, what arrives, what is rezzed.

    sensors      who is near, and of what kind (llSensor, llSensorRepeat)
    collisions   what objects and land touch the linkset, as events
    targets      whether the object is where, and turned as, it wished to be
    keyframes    motions that go by a list of places and times
    rezzing      objects out of a prim's contents into the world, with its fences
    combat       damage and health

Each is the same in a region and in the world of the command line: a `Home` is all it knows of where it is.
"""

from __future__ import annotations

from sim.scripts.rooms.collisions import Collisions
from sim.scripts.rooms.combat import Combat
from sim.scripts.rooms.home import Home
from sim.scripts.rooms.keyframed import KeyframedMotions
from sim.scripts.rooms.rezzing import Rezzing
from sim.scripts.rooms.sensors import Sensors
from sim.scripts.rooms.targets import Targets
from sim.world.objects import Prim

__all__ = ["Home", "Rooms"]


class Rooms:
    def __init__(self, home: Home) -> None:
        self.home = home
        self.sensors = Sensors(home)
        self.targets = Targets(home)
        self.combat = Combat(home)
        self.collisions = Collisions(home, self.combat)
        self.keyframes = KeyframedMotions(home)
        self.rezzing = Rezzing(home)

    def heed(self, prim: Prim) -> None:
        """The scripts of a prim, or what its object does when it hits something, are others now."""
        self.collisions.heed(prim)

    # --- the frame

    def begin_step(self, dt: float) -> None:
        """Before bodies move."""
        self.keyframes.run(dt)

    def end_step(self) -> None:
        """After bodies have moved, and objects are where they are now."""
        self.collisions.step()

    def run(self) -> None:
        """Before scripts get their slice."""
        self.targets.run()

    @property
    def is_idle(self) -> bool:
        """Nothing here changes by itself: no keyframes, no targets."""
        return self.keyframes.is_idle and self.targets.is_idle

    @property
    def next_due(self) -> float | None:
        """World time at which something happens here though nothing else does; None for never."""
        return self.keyframes.next_due

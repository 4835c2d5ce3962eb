"""What the rooms know of where they are: a region's scripts, or the world of the command line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

from sim.world.linkset import Linkset
from sim.world.objects import Prim

if TYPE_CHECKING:
    from protocol.inventory import Item
    from sim.physics.bodies import Bodies
    from sim.region import Region
    from sim.scripts.language.program import Program
    from sim.scripts.machine.script import Script
    from sim.scripts.viewers import Viewers
    from sim.world.agent import Agent


@dataclass(slots=True)
class Loaded:
    """Linksets that an item stands for, in no region yet, and the programs of the scripts in them, by source."""

    linksets: list[Linkset]
    programs: Mapping[str, Program]


class Home(Protocol):
    @property
    def region(self) -> Region: ...

    @property
    def bodies(self) -> Bodies: ...

    @property
    def viewers(self) -> Viewers: ...

    def of(self, prim: Prim) -> Sequence[Script]:
        """The scripts in a prim."""

    def prims(self) -> Collection[Prim]:
        """Those that hold a script."""

    def name_of(self, person: UUID) -> str:
        """The name of a person, empty when nobody knows it."""

    def read_object(self, item: Item, owner: UUID, done: Callable[[Loaded | str], None]) -> None:
        """Calls `done`, now or in a later frame, with what an item stands for; or with words for the owner when that cannot be
        had. `owner`: whose the scripts will be."""

    def begin_scripts(self, loaded: Loaded, parameter: int, text: str) -> None:
        """The scripts of linksets that were rezzed just now go on, and hear on_rez."""

    def health_told(self, agent: Agent, health: float) -> None:
        """An avatar's health is another now, 0 to 100; at 0 it is sent home."""

    def tell_owner(self, prim: Prim, words: str) -> None:
        """Says something to the owner of an object that concerns it."""

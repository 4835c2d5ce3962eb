"""What changed in the world, noted once by whoever changed it and read by everyone who cares.

    changes.prims.note(prim, What.SHAPE)              the one line that belongs to a change

    reader = changes.prims.reader(What.SHAPE | What.SCALE | What.LINK)      once, by a room that cares
    for prim, what in reader.take().items(): ...                            in the room's own time

A reader is a cursor of its own: what one has taken others still find. Changes of one thing that nobody has read yet
are one entry with all its flags, so that a reader who comes seldom (the store) owes no more than there are things. A
reader that is told *who* changed a thing finds the last one who did.

What moves by itself is not noted: places of rows that physics moves are columns (`dirty`, `moving`), read as columns.

What must be true the moment a thing is noted, for instance that its checksum is another, hangs on the log itself (`at_once`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable
from enum import IntFlag, auto
from typing import TYPE_CHECKING, Generic, TypeVar
from uuid import UUID

if TYPE_CHECKING:
    from sim.world.agent import Agent
    from sim.world.objects import Prim
    from sim.world.world import Chat, Parcel, RegionFacts

T = TypeVar("T", bound=Hashable)


class What(IntFlag):
    """What of a thing is different now. Each kind of thing uses those that fit it."""

    MADE = auto()  # it is new here: made, rezzed, come over a border, loaded
    GONE = auto()  # it is here no more
    PLACE = auto()  # position or rotation, by somebody's will
    SCALE = auto()  # also an avatar's height
    SHAPE = auto()  # path, profile, sculpt or mesh
    SURFACE = auto()  # textures, their animation, materials; how an avatar looks
    MEDIA = auto()  # what plays on its faces
    COLOUR = auto()  # of faces: colour, alpha, glow, full brightness
    TEXT = auto()  # the text that floats over it
    EFFECTS = auto()  # particles, sound, light, flexible path, click action
    BODY = auto()  # physical, phantom, temporary, volume detect
    MATERIAL = auto()  # wood or glass; density, friction, gravity, physics shape type
    LINK = auto()  # who is linked with it, and in which order
    NAME = auto()  # name, description, category, texts of menus
    RIGHTS = auto()  # group, permissions, sale
    OWNER = auto()  # whose it is
    SEAT = auto()  # a prim's sit target; what an agent sits on
    RIDERS = auto()  # who sits on it
    DATA = auto()  # linkset data
    CONTENTS = auto()  # items in it
    SCRIPTS = auto()  # whether it has any, whether it can be touched
    DRIVES = auto()  # what scripts ask of its movement: forces, targets, vehicles, keyframes
    LAND = auto()  # heights of a patch, cells of a parcel
    DROPPED = auto()  # beside CONTENTS: an item came from somebody who may not change the prim otherwise
    SETTINGS = auto()  # of a region or a parcel: flags, limits, addresses, bans
    MOTION = auto()  # which animations an avatar plays
    WORN = auto()  # whether somebody wears it, and where


EVERYTHING = What((1 << len(What)) - 1)
_FLAGS: dict[int, What] = {}  # every combination met so far: making one anew takes longer than all else here


def _flags(number: int) -> What:
    flags = _FLAGS.get(number)
    if flags is None:
        flags = _FLAGS[number] = What(number)
    return flags


class Reader(Generic[T]):
    """What one reader has not looked at yet."""

    def __init__(self, wanted: What) -> None:
        self.wanted = wanted
        self.mask = int(wanted)
        self._waiting: dict[T, int] = {}
        self._by: dict[T, UUID] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def noted(self, thing: T, what: int, by: UUID | None) -> None:
        """The log's own call; no business of readers."""
        self._waiting[thing] = self._waiting.get(thing, 0) | what
        if by is not None:
            self._by[thing] = by

    def noted_all(self, things: Collection[T], what: int, by: UUID | None) -> None:
        """As `noted` of each."""
        if self._waiting:
            for thing in things:
                self.noted(thing, what, by)
            return
        self._waiting = dict.fromkeys(things, what)
        if by is not None:
            self._by = dict.fromkeys(things, by)

    def take(self) -> dict[T, What]:
        """Everything that changed since the last time, in the order of first change. Things may have gone meanwhile."""
        waiting, self._waiting = self._waiting, {}
        self._by = {}
        return {thing: _flags(what) for thing, what in waiting.items()}

    def take_with_authors(self) -> dict[T, tuple[What, UUID | None]]:
        """As `take`, each with the agent that changed it last, where one is known."""
        by = self._by
        return {thing: (what, by.get(thing)) for thing, what in self.take().items()}


class Log(Generic[T]):
    """The changes of one kind of thing. `number`: how many have been noted, for those who only ask whether any was."""

    def __init__(self) -> None:
        self.number = 0
        self._readers: list[Reader[T]] = []
        self._at_once: list[tuple[int, Callable[[T, What], None]]] = []

    def reader(self, wanted: What = EVERYTHING) -> Reader[T]:
        """A cursor for somebody who cares for these changes, from now on."""
        reader: Reader[T] = Reader(wanted)
        self._readers.append(reader)
        return reader

    def at_once(self, wanted: What, call: Callable[[T, What], None]) -> None:
        """Have `call` run within every `note` of these changes; it may not note anything itself. Not within `note_all`."""
        self._at_once.append((int(wanted), call))

    def note(self, thing: T, what: What, by: UUID | None = None) -> None:
        """Something of this thing has changed. `by`: the agent whose deed it was."""
        self.number += 1
        flags = int(what)
        for mask, call in self._at_once:
            if flags & mask:
                call(thing, what)
        for reader in self._readers:
            heeded = flags & reader.mask
            if heeded:
                reader.noted(thing, heeded, by)

    def note_all(self, things: Collection[T], what: What, by: UUID | None = None) -> None:
        """The same of very many things at once, which must have been made so that nothing of them is needed `at_once`."""
        self.number += 1
        flags = int(what)
        for reader in self._readers:
            heeded = flags & reader.mask
            if heeded:
                reader.noted_all(things, heeded, by)


class Changes:
    """All that is noted of a region, a log a kind."""

    def __init__(self, terrain: Log[tuple[int, int]] | None = None) -> None:
        self.prims: Log[Prim] = Log()
        self.agents: Log[Agent] = Log()
        self.parcels: Log[Parcel] = Log()
        self.terrain: Log[tuple[int, int]] = Log() if terrain is None else terrain  # patches of 16 x 16 m: (x, y), 0 to 15 each
        self.region: Log[RegionFacts] = Log()
        self.speech: Log[Chat] = Log()  # what was said, each MADE once

    @property
    def number(self) -> int:
        """Goes up with every note of any kind."""
        return (
            self.prims.number
            + self.agents.number
            + self.parcels.number
            + self.terrain.number
            + self.region.number
            + self.speech.number
        )

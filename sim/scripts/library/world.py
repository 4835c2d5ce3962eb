"""The one way from scripts to the world: a narrow, typed interface that the fake world and the sim both implement.

All calls happen on the thread that owns the world, in the middle of a script's slice: they note what is to happen and
return at once. Nothing here may block, await or switch greenlets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from sim.scripts.language.values import NULL_KEY, ZERO_ROTATION, ZERO_VECTOR, Item, Key, Rotation, Value, Vector
from sim.world.linkset_data import LinksetStore

if TYPE_CHECKING:
    from uuid import UUID

    from protocol.inventory import Item as Inside
    from sim.region import Region
    from sim.scripts.answers import Answers
    from sim.scripts.controls import Controls
    from sim.scripts.machine.script import Script
    from sim.scripts.rooms import Rooms as AllRooms
    from sim.scripts.viewers import Viewers
    from sim.world.agent import Agent
    from sim.world.agent import Vector as Place
    from sim.world.objects import Prim

WHISPER, SAY, SHOUT, REGION = "whisper", "say", "shout", "region"


@dataclass(slots=True)
class Listen:
    """One llListen: empty name, message and null or empty key match anything."""

    handle: int
    channel: int
    name: str
    key: Key
    message: str
    active: bool = True

    def hears(self, channel: int, name: str, speaker: str, message: str) -> bool:
        return (
            self.active
            and channel == self.channel
            and (not self.name or self.name == name)
            and (not self.key or self.key == NULL_KEY or self.key.lower() == speaker.lower())
            and (not self.message or self.message == message)
        )


@dataclass(frozen=True, slots=True)
class Detected:
    """What llDetected* tells of one toucher, collider or sensed thing."""

    key: Key = NULL_KEY
    name: str = ""
    owner: Key = NULL_KEY
    group: Key = NULL_KEY
    kind: int = 0
    link: int = 0
    position: Vector = ZERO_VECTOR
    velocity: Vector = ZERO_VECTOR
    rotation: Rotation = ZERO_ROTATION
    grab: Vector = ZERO_VECTOR
    touch: dict[str, Value] = field(default_factory=dict)  # face, position, normal, binormal, uv, st
    rezzer: Key = NULL_KEY  # the object that rezzed it
    damage: tuple[float, int, float] | None = (
        None  # what it does in on_damage: as it is now, its type, as it was at first
    )


class Speech(Protocol):
    """What scripts say, to whom, and what they hear."""

    def chat(self, script: Script, kind: str, channel: int, text: str) -> None:
        """Says on a channel; kind is WHISPER (10 m), SAY (20 m), SHOUT (100 m) or REGION."""

    def chat_to(self, script: Script, target: Key, channel: int, text: str) -> None:
        """llRegionSayTo."""

    def owner_say(self, script: Script, text: str) -> None: ...

    def instant_message(self, script: Script, target: Key, text: str) -> None: ...

    def dialog(self, script: Script, avatar: Key, message: str, buttons: list[str], channel: int) -> None: ...

    def text_box(self, script: Script, avatar: Key, message: str, channel: int) -> None: ...

    def load_url(self, script: Script, avatar: Key, message: str, url: str) -> None: ...

    def listen_started(self, script: Script, listen: Listen) -> None:
        """A script listens on one more channel; the world calls script.hear() for what is said there."""

    def listen_ended(self, script: Script, listen: Listen) -> None: ...

    def link_message(self, script: Script, link: int, number: int, text: str, key: Key) -> None: ...


class Affairs(Protocol):
    """The script's own: what it prints, its errors, the other scripts of its prim, what it may do."""

    def script_print(self, script: Script, value: Value) -> None:
        """The print(expression) statement."""

    def script_error(self, script: Script, message: str, line: int) -> None:
        """A run-time error stopped the script; line counts from 0, -1 when unknown."""

    def script_complaint(self, script: Script, message: str) -> None:
        """A function was used wrongly; the script goes on."""

    def script_reset_other(self, script: Script, name: str) -> bool:
        """llResetOtherScript; False when there is no such script."""

    def script_running(self, script: Script, name: str) -> bool | None:
        """llGetScriptState; None when there is no such script."""

    def set_script_running(self, script: Script, name: str, running: bool) -> bool: ...

    def ask_permissions(self, script: Script, avatar: Key, permissions: int) -> None:
        """llRequestPermissions; the answer comes as script.grant()."""


class Sitting(Protocol):
    """Who sits where."""

    def set_sit_target(self, script: Script, link: int, offset: Vector, turn: Rotation) -> None:
        """llLinkSitTarget; a zero offset takes the target away."""

    def avatar_on_sit_target(self, script: Script, link: int) -> Key:
        """Who sits on the target of that link, NULL_KEY if nobody does."""

    def unsit(self, script: Script, avatar: Key) -> None:
        """llUnSit, with its rules."""


class Facts(Protocol):
    """What the region says of itself."""

    def object_name(self, script: Script) -> str: ...

    def region_name(self, script: Script) -> str: ...

    def time_dilation(self, script: Script) -> float: ...

    def unix_time(self) -> float:
        """Seconds since 1970, UTC, from the world's clock."""


class Stores(Protocol):
    """Linkset data: one store a linkset."""

    def linkset_store(self, script: Script) -> LinksetStore:
        """The linkset's own; library functions change it in place."""

    def linkset_changed(self, script: Script, action: int, name: str, value: str) -> None:
        """Posts linkset_data to every script of the linkset."""


class Things(Protocol):
    """Prims, people and land: a region's `World`, which scripts read, and change by its actions, as viewers' edits do."""

    @property
    def region(self) -> Region:
        """The region that the script is in."""

    def prim_of(self, script: Script) -> Prim:
        """The prim that holds the script."""

    def name_of(self, person: UUID) -> str:
        """The name of a person, here or not; empty when nobody here knows it."""

    def wear(self, script: Script, point: int, for_a_while: bool) -> None:
        """llAttachToAvatar and llAttachToAvatarTemp: by whoever granted it; the attach event follows."""

    def take_off(self, script: Script) -> None:
        """llDetachFromAvatar."""

    def died(self, script: Script) -> None:
        """llDie: the script's object goes once its slice is over."""


class Rooms(Protocol):
    """What is the same class in both worlds, over other services: what scripts show, ask, take and are granted."""

    @property
    def viewers(self) -> Viewers: ...

    @property
    def answers(self) -> Answers: ...

    @property
    def controls(self) -> Controls: ...

    @property
    def journeys(self) -> Journeys: ...

    @property
    def gifts(self) -> Gifts: ...

    def let_go(self, script: Script) -> None:
        """The script ends, or begins anew: what it has taken is free again."""

    def resumed(self, script: Script) -> None:
        """A script goes on where it was saved: what it has taken is its own again, and what it waits for is asked again."""


class Gifts(Protocol):
    """What leaves the contents of a script's prim."""

    def give(self, script: Script, items: list[UUID], receiver: UUID, folder: str | None) -> None:
        """Gives things to a person, wherever they are; several in a folder of that name."""

    def left(self, script: Script, prim: Prim, item_id: UUID) -> None:
        """An item has left a prim: what ran for it ends."""

    def pay(self, script: Script, payee: UUID, amount: int, key: Key) -> None:
        """Pays somebody for the object's owner; what came of it is told by a transaction_result event with that key."""

    def load(self, script: Script, target: Prim, item: Inside, running: bool, start_parameter: int) -> None:
        """Puts a copy of a script into another prim, in the place of one of its name, and runs it there."""


class Journeys(Protocol):
    """Where scripts send people."""

    def sit(self, script: Script, agent: Agent, prim: Prim) -> str:
        """Sits somebody down on the sit target of a prim; what is in the way, "" for nothing."""

    def teleport(self, agent: Agent, region: str, position: Place, look_at: Place) -> None:
        """Sends somebody to a place in a region of the grid, this one for an empty name."""

    def to_landmark(self, agent: Agent, asset_id: UUID, look_at: Place) -> None:
        """Sends somebody to where a landmark leads."""

    def to_global(self, agent: Agent, corner: tuple[float, float], position: Place, look_at: Place) -> None:
        """Sends somebody to a place in the region whose south-west corner is there, in metres of the grid."""

    def home(self, agent: Agent) -> None:
        """Sends somebody home."""


class Around(Protocol):
    """What happens around scripts (`scripts/rooms/`): sensors, collisions, targets, keyframes, rezzing, combat."""

    @property
    def rooms(self) -> AllRooms: ...


class WorldInterface(Speech, Affairs, Sitting, Facts, Stores, Things, Rooms, Around, Protocol):
    """What a script can ask of its world, family by family. Positions in metres, times in seconds of world time."""


__all__ = ["REGION", "SAY", "SHOUT", "WHISPER", "Detected", "Item", "LinksetStore", "Listen", "WorldInterface"]

"""An agent: one person's session as this region knows it.

A *root* agent has its avatar here; a *child* agent only looks in from a neighbouring region: it has a circuit and
capabilities and hears about land and people, but has no row among the avatars.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np

from protocol.permissions import Masks
from protocol.wellknown import NULL
from sim.world.journey import Journey
from sim.world.undo import Undo

if TYPE_CHECKING:
    from protocol.message import Message
    from sim.caps.event_queue import EventQueue
    from sim.circuits.circuit import Circuit
    from sim.handlers.gathering import Gathered
    from sim.neighbours.state import HandOff
    from sim.scripts.machine.script import Script
    from sim.world.objects import Prim

Vector = tuple[float, float, float]

# Far 0 from a client that has not set its camera must not mean "show nothing".
MINIMUM_DRAW_DISTANCE = 64.0
MAXIMUM_DRAW_DISTANCE = 1024.0
# A camera further out than this from the region is a fault or a lie; viewers tether it to the avatar.
CAMERA_LIMIT = 8192.0
TEXTURE_ENTRY_LIMIT = 2048  # bytes; 45 faces with every attribute of their own are about 900


@dataclass(slots=True)
class Appearance:
    """How others draw the avatar. Bytes are kept as the viewer sent them and echoed."""

    texture_entry: bytes = b""
    visual_params: bytes = b""
    size: Vector = (0.45, 0.6, 1.9)
    serial: int = 0
    hover: float = 0.0


@dataclass(slots=True)
class Camera:
    center: Vector = (0.0, 0.0, 0.0)
    at: Vector = (1.0, 0.0, 0.0)
    left: Vector = (0.0, 1.0, 0.0)
    up: Vector = (0.0, 0.0, 1.0)
    far: float = MINIMUM_DRAW_DISTANCE


@dataclass(frozen=True, slots=True)
class Lure:
    """Where an invitation leads."""

    region_id: UUID
    position: Vector


@dataclass(slots=True)
class Views:
    """The child agents of a root agent: where else its viewer looks in (neighbours/children.py)."""

    seeds: dict[UUID, str] = field(default_factory=dict)  # region -> seed capability
    busy: bool = False  # regions are being asked
    again: bool = False  # and must be once more afterwards


@dataclass(slots=True)
class Presence:
    """What Backbone has been told of where the agent is."""

    recorded: asyncio.Event = field(default_factory=asyncio.Event)  # it knows that it is here
    report: asyncio.Task[None] | None = None  # that tells it so


@dataclass(slots=True)
class Mail:
    """Instant messages, by id (handlers/messages.py)."""

    seen: OrderedDict[str, None] = field(default_factory=OrderedDict)  # given to the viewer
    sent: set[str] = field(default_factory=set)  # of those that waited: given, and not acknowledged yet
    acknowledged: list[str] = field(default_factory=list)  # which Backbone may forget, and has not been told to


@dataclass(slots=True)
class Errands:
    """Work for the agent between frames (handlers/replies.py)."""

    under_way: int = 0
    turns: dict[str, asyncio.Lock] = field(default_factory=dict)  # for those that are done one after the other
    gathered: dict[str, Gathered] = field(default_factory=dict)  # by order: what the last one in the queue still takes with it


@dataclass(slots=True)
class Asked:
    """Dialogs that an object has shown on one channel, and that are not answered yet."""

    labels: set[str] = field(default_factory=set)  # that may be chosen; empty: any line of text
    left: int = 0  # how many
    shown_at: float = 0.0  # world time, the newest

    def show(self, labels: set[str], now: float) -> None:
        """One more is on the screen."""
        any_text = not labels or (self.left > 0 and not self.labels)
        self.labels = set() if any_text else self.labels | labels
        self.left, self.shown_at = self.left + 1, now


@dataclass(slots=True)
class Screen:
    """What the viewer said of its window."""

    field_of_view: float = 1.047  # radians
    width: int = 0  # pixels
    height: int = 0
    paused: bool = False


@dataclass(slots=True, eq=False)
class Agent:
    agent_id: UUID
    session_id: UUID
    secure_session_id: UUID
    circuit_code: int
    first: str
    last: str
    child: bool = True  # it has no avatar here; `journey` says why
    # Where it will stand when it arrives, prepared by login, teleport or the neighbour it walks in from.
    arrival_position: Vector = (128.0, 128.0, 25.0)
    arrival_look_at: Vector = (1.0, 0.0, 0.0)
    circuit: Circuit | None = None
    events: EventQueue | None = None
    capabilities: dict[str, UUID] = field(default_factory=dict)
    seed: UUID = NULL
    row: int = -1  # in world.avatars, -1 for a child
    local_id: int = 0
    appearance: Appearance = field(default_factory=Appearance)
    wearables: list[tuple[UUID, UUID, int]] = field(default_factory=list)  # item, asset, kind
    _camera: Camera = field(default_factory=Camera)
    camera_row: np.ndarray | None = None  # where AgentUpdates by the fast path leave it (circuits/fastpath.py)
    animations: dict[UUID, int] = field(default_factory=dict)  # playing: animation -> sequence id
    animation_sequence: int = 0
    animation_sources: dict[UUID, UUID] = field(default_factory=dict)  # of those that objects started: animation -> object
    overrides: dict[str, UUID] = field(default_factory=dict)  # state of motion -> what plays in place of its default
    group_title: str = ""
    groups: frozenset[UUID] = frozenset()  # that the person is in
    edits_of: frozenset[UUID] | None = None  # friends who let this one edit their objects; None until Backbone has told
    edits_of_asked: float = -math.inf  # real time
    edits_of_sure: bool = False  # Backbone has answered
    waiting_edits: list[Message] = field(default_factory=list)  # until it has
    told_until: dict[str, float] = field(default_factory=dict)  # words -> real time until which they are not said again
    new_masks: Masks = Masks()  # what objects allow that this person makes
    spectator: bool = False  # looks in without an account, and may not act
    ready: bool = False  # RegionHandshakeReply came: updates may flow
    handshake_flags: int = 0
    updates_seen: int = 0  # AgentUpdates received; land and people wait for the first, for a short while
    arrived_at: float = 0.0  # real time of becoming root
    created_at: float = 0.0
    parcel_sequence: int = 0  # grows with each unasked ParcelProperties
    throttle_generation: int = -1
    journey: Journey = field(init=False)  # where its avatar is, and what is known of its coming and going
    views: Views = field(default_factory=Views)
    presence: Presence = field(default_factory=Presence)
    lures: dict[UUID, Lure] = field(default_factory=dict)  # invitations, the newest last
    mail: Mail = field(default_factory=Mail)
    errands: Errands = field(default_factory=Errands)
    screen: Screen = field(default_factory=Screen)
    worn: list[Prim] = field(default_factory=list)  # roots of what it wears here, in the order in which it was put on
    preferences: dict[str, Any] | None = None  # of the AgentPreferences capability; None until asked for
    interest_mode: str = ""  # of the InterestList capability
    parcel_told: int = 0  # local id of the parcel that its viewer knows it is on; 0: none
    motion_told: tuple[int, int] | None = None  # state of motion and sequence number of its last animation
    touching: int = 0  # local id of the prim that it holds the mouse on; 0: none
    sit_asked: tuple[Prim, Vector, float] | None = None  # prim, point on it, real time: AgentSit is to follow
    sit_early: float = -math.inf  # real time of an AgentSit that came first
    dialogs: dict[tuple[UUID, int], Asked] = field(default_factory=dict)  # by object and channel, oldest first
    undo: Undo = field(default_factory=Undo)  # what it did last, and may take back
    asked: dict[str, tuple[Script, int]] = field(default_factory=dict)  # by item id: which script asks for which permissions

    def __post_init__(self) -> None:
        self.journey = Journey(self.name)

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}"

    @property
    def camera(self) -> Camera:
        """Where the viewer looks from; may be changed in place."""
        row = self.camera_row
        if row is not None and row[0]:
            row[0] = 0
            parts = row.tolist()
            camera = self._camera
            camera.center, camera.at = tuple(parts[1:4]), tuple(parts[4:7])
            camera.left, camera.up, camera.far = tuple(parts[7:10]), tuple(parts[10:13]), parts[13]
        return self._camera

    @property
    def root(self) -> bool:
        return not self.child

    @property
    def arrival(self) -> HandOff | None:
        """What it will bring when its avatar appears here; None when none is expected."""
        return self.journey.arrival

"""What one region, or Backbone's login, tells a region about an agent that it is to expect: the hand-off.

It travels as a JSON object. What a login need not tell may be missing; what is there must be what it should be. Members that this
region does not know are left alone; a newer version is refused with a word.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from protocol.attachment_points import MOST_WORN
from protocol.errors import ProtocolError
from sim.neighbours.reading import (
    check_version,
    listed,
    mapped,
    number,
    octets,
    turn,
    uuid_of,
    vector,
    vector3,
    whole,
    words,
)
from sim.neighbours.records import Owner
from sim.neighbours.worn_handover import WornThing
from sim.world.agent import TEXTURE_ENTRY_LIMIT, Agent, Appearance, Lure, Vector
from sim.world.animations import DEFAULTS
from sim.world.objects import Quaternion
from sim.world.seats import Seat
from sim.world.world import World

__all__ = ["HandOff", "Lineage", "Reason", "agent_state", "lineage", "longer", "turn", "vector"]

VERSION = 1
Lineage = tuple[UUID, ...]  # ids of hand-overs, oldest first
LINEAGE = 32  # hand-overs an agent or object remembers
MOST_VIEWS = MOST_LURES = 64
MOST_LISTED = 64  # animations, wearables
SPEED_LIMIT = 256.0  # metres a second: what a hand-off may claim
FARTHEST = 8192.0  # metres


class Reason(StrEnum):
    LOGIN = "login"
    CHILD = "child"  # it only looks in
    TELEPORT = "teleport"
    CROSSING = "crossing"


@dataclass(frozen=True, slots=True)
class Origin:
    """Whom to tell that an agent has arrived by teleport."""

    region_id: UUID
    http_url: str


@dataclass(slots=True)
class HandOff:
    """One agent, as it is announced. Places and directions are in the receiving region's axes, metres."""

    reason: Reason
    agent_id: UUID
    session_id: UUID
    secure_session_id: UUID
    circuit_code: int
    first: str
    last: str
    position: Vector = (128.0, 128.0, 25.0)
    look_at: Vector = (1.0, 0.0, 0.0)
    velocity: Vector = (0.0, 0.0, 0.0)
    rotation: Quaternion | None = None  # None: it faces along look_at
    controls: int = 0
    flying: bool = False
    running: bool = False
    animations: list[UUID] = field(default_factory=list)
    overrides: dict[str, UUID] = field(default_factory=dict)  # state of motion -> animation in place of its default
    appearance: Appearance | None = None
    wearables: list[tuple[UUID, UUID, int]] = field(default_factory=list)  # item, asset, kind
    worn: list[WornThing] = field(default_factory=list)  # objects, in the order in which they were put on
    title: str = ""  # of the group it wears
    spectator: bool = False
    views: dict[UUID, str] = field(default_factory=dict)  # region -> seed capability: where its viewer looks in already
    lures: dict[UUID, Lure] = field(default_factory=dict)
    origin: Origin | None = None  # of a teleport
    transaction: UUID | None = None  # the hand-over's id; a login has none
    lineage: Lineage = ()  # the hand-overs it came by before
    source: Owner | None = None  # which claims of the regions hand over and take over
    destination: Owner | None = None
    seat: Seat | None = None  # given by the object it comes with, never by a record

    @classmethod
    def decode(cls, body: Any) -> HandOff:
        """ProtocolError says what is wrong with it."""
        if not isinstance(body, dict):
            raise ProtocolError("a hand-off is a JSON object")
        check_version(body, VERSION, "hand-off")
        given = _Given(body)
        if body.get("reason") not in list(Reason):
            raise ProtocolError(f"reason must be one of {', '.join(Reason)}")
        return cls(
            reason=Reason(body["reason"]),
            agent_id=uuid_of(body.get("agent_id"), "agent_id"),
            session_id=uuid_of(body.get("session_id"), "session_id"),
            secure_session_id=uuid_of(body.get("secure_session_id"), "secure_session_id"),
            circuit_code=whole(body.get("circuit_code"), 1, (1 << 32) - 1, "circuit_code"),
            first=words(body.get("first"), 1, 63, "first"),
            last=words(body.get("last"), 1, 63, "last"),
            position=given("position", lambda value: vector3(value, FARTHEST), (128.0, 128.0, 25.0)),
            look_at=given("look_at", lambda value: vector3(value, 2.0), (1.0, 0.0, 0.0)),
            velocity=given("velocity", lambda value: vector3(value, SPEED_LIMIT), (0.0, 0.0, 0.0)),
            rotation=given("rotation", turn, None),
            controls=whole(body.get("controls", 0), 0, (1 << 32) - 1, "controls"),
            flying=bool(body.get("flying", False)),
            running=bool(body.get("running", False)),
            animations=[uuid_of(one, "an animation") for one in listed(body.get("animations", []), MOST_LISTED, "animations")],
            overrides=_overrides(body.get("overrides", {})),
            appearance=given("appearance", _appearance, None),
            wearables=[_wearable(one) for one in listed(body.get("wearables", []), MOST_LISTED, "wearables")],
            worn=[WornThing.decode(one) for one in listed(body.get("worn", []), MOST_WORN, "worn things")],
            title=words(body.get("title", ""), 0, 255, "title"),
            spectator=bool(body.get("spectator", False)),
            views=_views(body.get("views", {})),
            lures=_lures(body.get("lures", {})),
            origin=given("origin", _origin, None),
            transaction=given("transaction", lambda value: uuid_of(value, "transaction"), None),
            lineage=lineage(body.get("lineage", [])),
            source=given("source", Owner.decode, None),
            destination=given("destination", Owner.decode, None),
        )

    def encode(self) -> dict[str, Any]:
        look = self.appearance
        return {
            "version": VERSION,
            "reason": str(self.reason),
            "agent_id": str(self.agent_id),
            "session_id": str(self.session_id),
            "secure_session_id": str(self.secure_session_id),
            "circuit_code": self.circuit_code,
            "first": self.first,
            "last": self.last,
            "position": list(self.position),
            "look_at": list(self.look_at),
            "velocity": list(self.velocity),
            "rotation": list(self.rotation) if self.rotation is not None else None,
            "controls": self.controls,
            "flying": self.flying,
            "running": self.running,
            "animations": [str(animation) for animation in self.animations],
            "overrides": {state: str(animation) for state, animation in self.overrides.items()},
            "appearance": {
                "texture_entry": base64.b64encode(look.texture_entry).decode(),
                "visual_params": base64.b64encode(look.visual_params).decode(),
                "size": list(look.size),
                "serial": look.serial,
                "hover": look.hover,
            }
            if look is not None
            else None,
            "wearables": [[str(item), str(asset), kind] for item, asset, kind in self.wearables],
            "worn": [one.encode() for one in self.worn],
            "title": self.title,
            "spectator": self.spectator,
            "views": {str(region_id): seed for region_id, seed in self.views.items()},
            "lures": {str(one): [str(lure.region_id), list(lure.position)] for one, lure in self.lures.items()},
            "origin": {"region_id": str(self.origin.region_id), "http_url": self.origin.http_url} if self.origin else None,
            "transaction": str(self.transaction) if self.transaction is not None else None,
            "lineage": [str(one) for one in self.lineage],
            "source": self.source.encode() if self.source is not None else None,
            "destination": self.destination.encode() if self.destination is not None else None,
        }

    @property
    def lineage_here(self) -> Lineage:
        """The lineage that the agent has once it is here."""
        return longer(self.lineage, self.transaction)


def agent_state(world: World, agent: Agent, reason: Reason, position: Vector) -> HandOff:
    """The hand-off of an agent to a neighbour, where it will be at `position`."""
    state = HandOff(
        reason,
        agent.agent_id,
        agent.session_id,
        agent.secure_session_id,
        agent.circuit_code,
        agent.first,
        agent.last,
        position,
        agent.arrival_look_at,
        appearance=agent.appearance,
        wearables=list(agent.wearables),
        title=agent.group_title,
        spectator=agent.spectator,
        lures=dict(agent.lures),
        lineage=agent.journey.lineage,
    )
    if agent.root:
        row = world.row(agent)
        x, y, z, w = row["rotation"].tolist()
        state.look_at = (1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 0.0)
        state.velocity = vector3([min(max(part, -SPEED_LIMIT), SPEED_LIMIT) for part in row["velocity"].tolist()], SPEED_LIMIT)
        state.rotation = (x, y, z, w)
        state.controls = int(row["controls"])
        state.flying, state.running = bool(row["flying"]), bool(row["running"])
        state.animations = list(agent.animations)[-MOST_LISTED:]
        state.overrides = dict(agent.overrides)
    return state


def lineage(value: Any) -> Lineage:
    """The ids of hand-overs, at most LINEAGE."""
    return tuple(uuid_of(one, "a hand-over of a lineage") for one in listed(value, LINEAGE, "a lineage"))


def longer(before: Lineage, transaction: UUID | None) -> Lineage:
    """The lineage of what has come by one more hand-over; none of what came by none."""
    return (*before, transaction)[-LINEAGE:] if transaction is not None else ()


class _Given:
    """Members that may be missing or null."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = body

    def __call__(self, name: str, read: Any, otherwise: Any) -> Any:
        value = self._body.get(name)
        try:
            return read(value) if value is not None else otherwise
        except ProtocolError as error:
            raise ProtocolError(f"{name}: {error}") from None


def _appearance(value: Any) -> Appearance:
    look = mapped(value, 16, "appearance")
    return Appearance(
        octets(look.get("texture_entry", ""), TEXTURE_ENTRY_LIMIT, "texture_entry"),
        octets(look.get("visual_params", ""), 255, "visual_params"),
        vector3(look.get("size", (0.45, 0.6, 1.9)), 10.0),
        whole(look.get("serial", 0), 0, (1 << 32) - 1, "serial"),
        number(look.get("hover", 0.0), 10.0, "hover"),
    )


def _wearable(value: Any) -> tuple[UUID, UUID, int]:
    if not isinstance(value, list | tuple) or len(value) != 3:
        raise ProtocolError("a wearable is an item, an asset and a kind")
    item, asset, kind = value
    return uuid_of(item, "a wearable's item"), uuid_of(asset, "a wearable's asset"), whole(kind, 0, 255, "a wearable's kind")


def _views(value: Any) -> dict[UUID, str]:
    views = mapped(value, MOST_VIEWS, "views")
    return {uuid_of(region_id, "a view's region"): words(seed, 1, 1024, "a seed") for region_id, seed in views.items()}


def _lures(value: Any) -> dict[UUID, Lure]:
    lures = {}
    for lure_id, place in mapped(value, MOST_LURES, "lures").items():
        if not isinstance(place, list) or len(place) != 2:
            raise ProtocolError("a lure is a region and a place")
        lures[uuid_of(lure_id, "a lure")] = Lure(uuid_of(place[0], "a lure's region"), vector3(place[1], FARTHEST))
    return lures


def _overrides(value: Any) -> dict[str, UUID]:
    return {
        words(state, 1, 63, "a state of motion"): uuid_of(animation, "an animation")
        for state, animation in mapped(value, MOST_LISTED, "overrides").items()
        if state in DEFAULTS
    }


def _origin(value: Any) -> Origin:
    origin = mapped(value, 8, "origin")
    url = words(origin.get("http_url"), 1, 255, "http_url")
    if urlsplit(url).scheme not in ("http", "https"):
        raise ProtocolError("http_url must be an address of HTTP")
    return Origin(uuid_of(origin.get("region_id"), "region_id"), url)

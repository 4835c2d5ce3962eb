"""What there is to see: objects and avatars, their motions and animations, land, and the region's own figures."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any
from uuid import UUID

from protocol import objects
from protocol.errors import ProtocolError
from protocol.message import Message, text
from protocol.shapes import WIRE_NAMES

from .circuits import Circuits, Heard, hears
from .model import AVATAR, Entity, Vector, name_values, worn_item
from .regions import Region

_LAND = ord("L")
_TERSE_HEAD = struct.Struct("<BQHB")  # message number, region handle, time dilation, number of blocks
_LOCAL_ID = struct.Struct("<I")
_ASK_AGAIN = 5.0  # seconds before an undescribed local id is asked for again
_MAX_UNDESCRIBED = 4096
_MAX_DEPARTED = 4096
_MAX_COARSE = 2000  # also of animations: avatars of a region we may not see in full


class Sight:
    """Fills ``Region.entities``, ``avatars``, ``animations``, ``coarse``, land and stats."""

    def __init__(self, circuits: Circuits) -> None:
        self._circuits = circuits
        self.arrival_position: Vector = (128.0, 128.0, 25.0)  # where we are expected, until the region shows us
        self.arrival_look_at: Vector = circuits.session.look_at
        self.own_seen: Callable[[Region, float, Vector], None] | None = None  # region, time, global metres
        self._shown_by: dict[UUID, Region] = {}  # which region shows an object
        circuits.join(self)
        circuits.join_raw("ImprovedTerseObjectUpdate", self._see_terse)
        circuits.events.subscribe("region-gone", self._region_gone)

    @property
    def avatar(self) -> Entity | None:
        """Our own avatar as the region we stand in shows it; None until it does."""
        return self._circuits.region.avatars.get(self._circuits.agent_id) if self._circuits.region is not None else None

    @property
    def avatars(self) -> dict[UUID, Entity]:
        """Every avatar in view, our own too. Whoever two regions show (in a crossing) appears once, the fresher one."""
        found: dict[UUID, Entity] = {}
        for region in self._circuits.regions.values():
            for agent_id, entity in region.avatars.items():
                known = found.get(agent_id)
                if known is None or entity.updated > known.updated:
                    found[agent_id] = entity
        return found

    @property
    def position(self) -> Vector:
        """Where we are now, metres in the region we stand in."""
        avatar = self.avatar
        return avatar.position if avatar is not None else self.arrival_position

    @property
    def velocity(self) -> Vector:
        """Metres a second, as last received; of what we sit on if we do."""
        avatar = self.avatar
        return avatar.carrier.velocity if avatar is not None else (0.0, 0.0, 0.0)

    @property
    def seat(self) -> Entity | None:
        """The prim our avatar sits on, None if it does not, or if we were not shown it."""
        avatar = self.avatar
        return avatar.parent if avatar is not None else None

    @property
    def global_position(self) -> Vector:
        """Where we are now, metres from the grid's south-west corner."""
        x, y, z = self.position
        return (x + self._circuits.root.west, y + self._circuits.root.south, z)

    @property
    def animations(self) -> frozenset[UUID]:
        """What our own avatar plays."""
        return self._circuits.root.animations.get(self._circuits.agent_id, frozenset())

    def find(self, object_id: UUID) -> Entity | None:
        """The object as the region shows it that showed it last; None when none does."""
        region = self._shown_by.get(object_id)
        entities = region.entities.values() if region is not None else ()
        return next((entity for entity in entities if entity.id == object_id), None)

    def where_is(self, agent_id: UUID) -> Vector | None:
        """Global position of an avatar in view, or None."""
        entity = self.avatars.get(agent_id)
        return entity.global_position if entity is not None else None

    # -- motion -----------------------------------------------------------------------------------------------------

    def _see_terse(self, region: Region, body: bytes, sequence: int, now: float) -> None:
        # body[0]: number; then per block U8 length, data, U16 length, texture entry
        size = len(body)
        if size < _TERSE_HEAD.size:
            raise ProtocolError("a terse update without its head")
        _, handle, dilation, count = _TERSE_HEAD.unpack_from(body)
        region.dilation = dilation / 65535.0
        region.motions += count
        if not region.handle:
            region.handle = handle
        entities = region.entities
        moved = self._circuits.events.wants("moved")
        at = _TERSE_HEAD.size
        for _ in range(count):
            if at >= size:
                raise ProtocolError("a terse update ends early")
            start = at + 1
            end = start + body[at]
            at = end + 2
            if at > size or end - start < 44:
                raise ProtocolError("a terse update of a wrong length")
            at += body[end] | body[end + 1] << 8
            (local_id,) = _LOCAL_ID.unpack_from(body, start)
            entity = entities.get(local_id)
            if entity is None:
                self._undescribed(region, local_id, now)
            elif entity.own:
                if entity.moved_terse(body[start:end], sequence, now):
                    self._own_moved(entity, now)
            elif entity.moved_terse(body[start:end], sequence, now):
                if moved:
                    self._circuits.events.emit("moved", entity)
                if local_id == region.own_carrier:
                    self._carried(region, now)

    def _own_moved(self, entity: Entity, now: float) -> None:
        region = entity.region
        if entity.parent_id and entity.parent is None:  # seated on what we were not shown yet: nobody knows where
            region.own_carrier = entity.parent_id
            self._undescribed(region, entity.parent_id, now)
            return
        carrier = entity.carrier
        region.own_carrier = carrier.local_id if carrier is not entity else entity.parent_id
        x, y, z = entity.position if entity.parent_id else entity.received_position
        if self.own_seen is not None:
            self.own_seen(region, now, (x + region.west, y + region.south, z))
        self._circuits.events.emit("moved", entity)
        if region is self._circuits.region:
            self._circuits.events.emit("self-moved", entity)

    def _carried(self, region: Region, now: float) -> None:
        """What we sit on moved, and we with it: that is an update of us too."""
        own = region.avatars.get(self._circuits.agent_id)
        if own is not None:
            self._own_moved(own, now)

    def _undescribed(self, region: Region, local_id: int, now: float) -> None:
        """A motion of something we were never shown: ask for it, as viewers do, but not at every motion."""
        asked = region.missing_ids
        if now - asked.get(local_id, -_ASK_AGAIN) >= _ASK_AGAIN and len(asked) < _MAX_UNDESCRIBED:
            asked[local_id] = now
            self._request(region, [local_id])

    def _request(self, region: Region, local_ids: list[int]) -> None:
        for start in range(0, len(local_ids), 200):
            blocks = [{"CacheMissType": 0, "ID": local_id} for local_id in local_ids[start : start + 200]]
            region.send(Message("RequestMultipleObjects", AgentData=self._circuits.agent_block, ObjectData=blocks))

    # -- full updates -----------------------------------------------------------------------------------------------

    @hears("ObjectUpdate")
    def _object_update(self, heard: Heard) -> None:
        region = heard.region
        self._note_region(region, heard["RegionData"])
        for block in heard["ObjectData"]:
            motion = objects.decode_object_data(block["ObjectData"])
            region.motions += 1
            self._remember(region, block)
            self._described(heard, block["ID"], block["FullID"], block["PCode"], motion, block)

    @hears("ObjectUpdateCompressed")
    def _object_update_compressed(self, heard: Heard) -> None:
        self._note_region(heard.region, heard["RegionData"])
        for block in heard["ObjectData"]:
            fields = objects.decode_compressed(block["Data"])
            fields["UpdateFlags"] = block["UpdateFlags"]
            self._remember(heard.region, fields)
            motion = objects.decode_object_data(fields["ObjectData"])
            self._described(heard, fields["ID"], fields["FullID"], fields["PCode"], motion, fields)

    @hears("ObjectUpdateCached")
    def _object_update_cached(self, heard: Heard) -> None:
        """The region hopes that we remember these: ask for those that we neither see nor have in our cache."""
        region = heard.region
        self._note_region(region, heard["RegionData"])
        wanted = []
        for block in heard["ObjectData"]:
            local_id, crc = block["ID"], block["CRC"]
            entity = region.entities.get(local_id)
            if entity is not None and entity.crc == crc:
                continue
            kept = (
                self._circuits.cache.find(region.cache_id, local_id, crc) if self._circuits.cache is not None else None
            )
            if kept is None:
                wanted.append(local_id)
                continue
            motion = objects.decode_object_data(kept["ObjectData"])
            fields = {**kept, "UpdateFlags": block["UpdateFlags"]}
            self._described(heard, local_id, kept["FullID"], kept["PCode"], motion, fields)
        if wanted:
            self._request(heard.region, wanted)

    def _remember(self, region: Region, block: dict[str, Any]) -> None:
        if self._circuits.cache is not None and region.handshaken and block["PCode"] != objects.AVATAR:
            self._circuits.cache.remember(region.cache_id, block)

    def _note_region(self, region: Region, data: dict[str, Any]) -> None:
        region.dilation = data["TimeDilation"] / 65535.0
        if not region.handle:
            region.handle = data["RegionHandle"]

    def _described(self, heard: Heard, local_id: int, full_id: UUID, pcode: int, motion: Any, block: Any) -> None:
        region = heard.region
        if region.departed.get(local_id) == full_id and self._shown_by.get(full_id) not in (None, region):
            return  # said before it went over the border, and late
        entity = region.entities.get(local_id)
        new = entity is None or entity.id != full_id
        if entity is None or new:
            if entity is not None:
                self._gone(region, local_id)
            if len(region.entities) >= self._circuits.habits.max_objects:
                return
            entity = Entity(region, local_id, full_id, pcode)
            entity.own = full_id == self._circuits.agent_id
            region.entities[local_id] = entity
            if pcode != AVATAR:
                self._moved_here(entity)
            region.missing_ids.pop(local_id, None)
            self._forget_older_self(region, entity)
        entity.parent_id = block["ParentID"]
        entity.scale = block["Scale"]
        entity.state, entity.material, entity.click_action = block["State"], block["Material"], block["ClickAction"]
        entity.crc, entity.update_flags = block["CRC"], block["UpdateFlags"]
        entity.text, entity.text_color = text(block["Text"]), bytes(block["TextColor"])
        entity.shape = tuple(block[name] for name in WIRE_NAMES)
        entity.texture_entry, entity.extra_params = block["TextureEntry"], block["ExtraParams"]
        entity.texture_animation = block["TextureAnim"]
        if entity.is_avatar:
            values = name_values(text(block["NameValue"]))
            entity.name = " ".join(part for part in (values.get("FirstName"), values.get("LastName")) if part)
            region.avatars[full_id] = entity
        elif block["NameValue"]:
            entity.item_id = worn_item(text(block["NameValue"]))
        moved = entity.moved_full(motion, heard.sequence, heard.now)
        self._circuits.events.emit("described", entity)
        if new:
            self._circuits.events.emit("avatar-seen" if entity.is_avatar else "object-seen", entity)
        if moved and entity.own:
            self._own_moved(entity, heard.now)
        elif moved:
            self._circuits.events.emit("moved", entity)
        if local_id == region.own_carrier and not entity.own:
            self._carried(region, heard.now)

    def _moved_here(self, entity: Entity) -> None:
        """A thing that crossed a border: the region it left says so much later, on purpose."""
        older = self._shown_by.get(entity.id)
        self._shown_by[entity.id] = entity.region
        if older is not None and older is not entity.region and self._circuits.regions.get(older.address) is older:
            for local_id in [local_id for local_id, known in older.entities.items() if known.id == entity.id]:
                self._gone(older, local_id)
                if len(older.departed) >= _MAX_DEPARTED:
                    del older.departed[next(iter(older.departed))]
                older.departed[local_id] = entity.id

    def _region_gone(self, region: Region) -> None:
        self._shown_by = {full_id: by for full_id, by in self._shown_by.items() if by is not region}

    def _forget_older_self(self, region: Region, entity: Entity) -> None:
        """An avatar that left and came back has a new local id; the old one may still lie around."""
        older = region.avatars.get(entity.id)
        if older is not None and older.local_id != entity.local_id:
            region.entities.pop(older.local_id, None)

    @hears("KillObject")
    def _kill(self, heard: Heard) -> None:
        for block in heard["ObjectData"]:
            self._gone(heard.region, block["ID"])

    def _gone(self, region: Region, local_id: int) -> None:
        region.missing_ids.pop(local_id, None)
        entity = region.entities.pop(local_id, None)
        if entity is None:
            return
        if self._shown_by.get(entity.id) is region:
            del self._shown_by[entity.id]
        for avatar in region.avatars.values():
            if avatar.parent_id == local_id:
                avatar.leave_at(entity)
        if entity.own and region is self._circuits.region:
            self.arrival_position = entity.position  # where we last were, until somebody shows us again
        if entity.is_avatar:
            if region.avatars.get(entity.id) is entity:
                del region.avatars[entity.id]
            region.animations.pop(entity.id, None)
        self._circuits.events.emit("avatar-gone" if entity.is_avatar else "object-gone", entity)

    # -- avatars ----------------------------------------------------------------------------------------------------

    @hears("AvatarAnimation")
    def _avatar_animation(self, heard: Heard) -> None:
        sender: UUID = heard["Sender"]["ID"]
        playing = frozenset(block["AnimID"] for block in heard["AnimationList"])
        animations = heard.region.animations
        if sender not in animations and len(animations) >= _MAX_COARSE:
            return
        animations[sender] = playing
        self._circuits.events.emit("animations", (sender, playing))

    @hears("CoarseLocationUpdate")
    def _coarse(self, heard: Heard) -> None:
        spots = zip(heard["Location"], heard["AgentData"], strict=False)
        heard.region.coarse = {a["AgentID"]: (spot["X"], spot["Y"], spot["Z"] * 4) for spot, a in spots}

    # -- the region -------------------------------------------------------------------------------------------------

    @hears("LayerData")
    def _layer(self, heard: Heard) -> None:
        if heard["LayerID"]["Type"] == _LAND:
            heard.region.add_land(heard["LayerData"]["Data"])

            self._circuits.events.emit("land", heard.region)

    @hears("SimulatorViewerTimeMessage")
    def _time_of_day(self, heard: Heard) -> None:
        x, y, z = heard["TimeInfo"]["SunDirection"]
        if all(math.isfinite(part) for part in (x, y, z)):
            heard.region.sun = (x, y, z)
            self._circuits.events.emit("time-of-day", heard.region)

    @hears("SimStats")
    def _sim_stats(self, heard: Heard) -> None:
        heard.region.stats = {stat["StatID"]: stat["StatValue"] for stat in heard["Stat"]}

    @hears("AlertMessage")
    def _alert(self, heard: Heard) -> None:
        self._circuits.events.emit("alert", text(heard["AlertData"]["Message"]))

    @hears("AgentAlertMessage")
    def _agent_alert(self, heard: Heard) -> None:
        self._circuits.events.emit("alert", text(heard["AlertData"]["Message"]))

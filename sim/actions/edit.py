"""What a prim is: its form, look, texts, effects, flags and features. All may be changed by who may modify it.

What viewers could not read is refused here, at the door, and where an edit changes nothing no change is noted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from protocol import extra_params
from protocol.errors import ProtocolError
from protocol.textures import Face, canonical_texture_entry, decode_texture_entry
from protocol.wellknown import Permission
from sim.actions import may
from sim.actions.make import make_temporary
from sim.actions.may import Actor
from sim.actions.outcome import Refused
from sim.physics import materials
from sim.region import Region
from sim.world.agent import TEXTURE_ENTRY_LIMIT
from sim.world.changes import What
from sim.world.encodable import MENU_BYTES, cut
from sim.world.objects import DESCRIPTION_BYTES, NAME_BYTES, TEXT_BYTES, URL_BYTES, Material, Prim
from sim.world.shapes import clean_shape

NO_SHAPE = 1  # physics shape type "none"
UNREADABLE = "Not changed: {}."


def shape(region: Region, actor: Actor, prim: Prim, fields: Mapping[str, Any]) -> Refused | None:
    """Path and profile, by their names on the wire; every one is held to what a prim can have."""
    refused = may.refusal(actor, prim, Permission.MODIFY)
    if refused is None:
        _set(region, actor, prim, What.SHAPE, shape=clean_shape(fields))
    return refused


def surface(region: Region, actor: Actor, prim: Prim, texture_entry: bytes, media_url: str | None = None) -> Refused | None:
    """How its faces look, as a texture entry; and the address of what plays on them (None: as it is)."""
    refused = may.refusal(actor, prim, Permission.MODIFY)
    if refused is not None:
        return refused
    try:
        entry = canonical_texture_entry(texture_entry)
    except ProtocolError as error:
        return Refused(UNREADABLE.format(error), "unreadable surface")
    if len(entry) > TEXTURE_ENTRY_LIMIT:
        return Refused(UNREADABLE.format("so many different faces do not fit"), "unreadable surface")
    if entry != prim.texture_entry:
        _set(region, actor, prim, _differences(prim.texture_entry, entry), texture_entry=entry)
    if media_url is not None:
        _set(region, actor, prim, What.MEDIA, media_url=cut(media_url, URL_BYTES))
    return None


def _differences(before: bytes, after: bytes) -> What:
    """What two looks differ in: colours, the rest."""
    try:
        old, new = decode_texture_entry(before), decode_texture_entry(after)
    except ProtocolError:
        return What.SURFACE | What.COLOUR
    what = What(0)
    plain = Face().color
    for number in (None, *sorted(old.faces.keys() | new.faces.keys())):
        one, other = (entry.default if number is None else entry.face(number) for entry in (old, new))
        if one.color != other.color:
            what |= What.COLOUR
        if replace(one, color=plain) != replace(other, color=plain):
            what |= What.SURFACE
    return what or What.SURFACE


def extra(region: Region, actor: Actor, prim: Prim, kind: int, data: bytes | None) -> Refused | None:
    """One extra parameter: flexible path, light, sculpt ...; None takes it away."""
    refused = may.refusal(actor, prim, Permission.MODIFY)
    if refused is not None:
        return refused
    params = {other: value for other, value in prim.extra_params.items() if other != kind}
    if data is not None:
        params[kind] = data
    try:
        params = extra_params.checked_all(params)
    except ProtocolError as error:
        return Refused(UNREADABLE.format(error), "unreadable extra parameter")
    what = What.SHAPE if kind in (extra_params.SCULPT, extra_params.MESH) else What.EFFECTS
    _set(region, actor, prim, what, extra_params=params)
    return None


def name(region: Region, actor: Actor, prim: Prim, text: str) -> Refused | None:
    return _text(region, actor, prim, What.NAME, name=cut(text, NAME_BYTES))


def description(region: Region, actor: Actor, prim: Prim, text: str) -> Refused | None:
    return _text(region, actor, prim, What.NAME, description=cut(text, DESCRIPTION_BYTES))


def category(region: Region, actor: Actor, prim: Prim, number: int) -> Refused | None:
    return _text(region, actor, prim, What.NAME, category=number)


def floating_text(region: Region, actor: Actor, prim: Prim, text: str, color: bytes) -> Refused | None:
    """The text over it, in a colour as four bytes (`protocol.objects.pack_text_color`)."""
    return _text(region, actor, prim, What.TEXT, text=cut(text, TEXT_BYTES), text_color=color)


def click_action(region: Region, actor: Actor, prim: Prim, number: int) -> Refused | None:
    """What a click does to it, as viewers number it."""
    return _text(region, actor, prim, What.EFFECTS, click_action=number)


def sit_target(region: Region, actor: Actor, prim: Prim, target: Any) -> Refused | None:
    """Where people sit on it: (offset, turn) in its axes, None for nowhere in particular."""
    return _text(region, actor, prim, What.SEAT, sit_target=target)


def particles(region: Region, actor: Actor, prim: Prim, data: bytes) -> Refused | None:
    """What it emits, as `protocol.particles` encodes it; empty for nothing."""
    return _text(region, actor, prim, What.EFFECTS, particles=data)


def texture_animation(region: Region, actor: Actor, prim: Prim, data: bytes) -> Refused | None:
    """How its textures move, as `protocol.textures` encodes it; empty for not at all."""
    return _text(region, actor, prim, What.SURFACE, texture_anim=data)


def sound(region: Region, actor: Actor, prim: Prim, **values: Any) -> Refused | None:
    """What it sounds like to whoever comes: `sound`, `sound_gain`, `sound_flags`, `sound_radius`."""
    return _text(region, actor, prim, What.EFFECTS, **values)


def rare(region: Region, actor: Actor, prim: Prim, what: What, **values: Any) -> Refused | None:
    """Settings that few prims have, by their names in `Rare`."""
    return _text(region, actor, prim, what, rare=replace(prim.rare, **values))


def menu_texts(region: Region, actor: Actor, prim: Prim, touch: str | None = None, sit: str | None = None) -> Refused | None:
    """What viewers' menus say for touching it and for sitting on it; None: as it is."""
    texts = {"touch_name": touch, "sit_name": sit}
    return _text(region, actor, prim, What.NAME, **{name: cut(text, MENU_BYTES) for name, text in texts.items() if text is not None})


def material(region: Region, actor: Actor, prim: Prim, number: int) -> Refused | None:
    """Wood, glass, ...; friction and restitution follow."""
    refused = may.refusal(actor, prim, Permission.MODIFY)
    if refused is None:
        number = min(number, 7)
        made_of = materials.material(number)
        features = replace(prim.features, friction=made_of.friction, restitution=made_of.restitution)
        _set(region, actor, prim, What.MATERIAL, material=number, features=features)
    return refused


@dataclass(frozen=True, slots=True)
class Flags:
    """Of a whole linkset. None: as it is."""

    physical: bool | None = None
    phantom: bool | None = None
    temporary: bool | None = None
    volume_detect: bool | None = None


def flags(region: Region, actor: Actor, prim: Prim, wished: Flags) -> Refused | None:
    refused = may.refusal(actor, prim, Permission.MODIFY)
    if refused is not None:
        return refused
    root = prim.linkset_root
    if root.worn is not None:
        return None  # it has no body, and goes when its bearer does
    for one in root.linkset():
        physical = one.physical if wished.physical is None else wished.physical
        phantom = one.phantom if wished.phantom is None else wished.phantom
        detect = one.volume_detect if wished.volume_detect is None else wished.volume_detect
        _set(region, actor, one, What.BODY, physical=physical, phantom=phantom, volume_detect=detect)
    if wished.temporary is not None and wished.temporary != root.temporary:
        make_temporary(region, root, wished.temporary)
    return None


def features(region: Region, actor: Actor, prim: Prim, wished: Material) -> Refused | None:
    """The Features tab. Only children can be left out of what a linkset is solid as."""
    refused = may.refusal(actor, prim, Permission.MODIFY)
    if refused is not None:
        return refused
    kind = min(max(wished.shape_type, 0), 2)
    if prim.root is None and kind == NO_SHAPE:
        kind = prim.features.shape_type
    made = Material(
        density=_held("density", wished.density),
        friction=_held("friction", wished.friction),
        restitution=_held("restitution", wished.restitution),
        gravity=_held("gravity_multiplier", wished.gravity),
        shape_type=kind,
    )
    _set(region, actor, prim, What.MATERIAL, features=made)
    return None


def _held(feature: str, value: float) -> float:
    low, high = materials.LIMITS[feature]
    return min(max(value, low), high) if math.isfinite(value) else low


def _text(region: Region, actor: Actor, prim: Prim, what: What, **values: Any) -> Refused | None:
    refused = may.refusal(actor, prim, Permission.MODIFY)
    if refused is None:
        _set(region, actor, prim, what, **values)
    return refused


def _set(region: Region, actor: Actor, prim: Prim, what: What, **values: Any) -> None:
    """Give fields of the prim their values, and note it where one is another than before."""
    changed = False
    for field, value in values.items():
        if getattr(prim, field) != value:
            setattr(prim, field, value)
            changed = True
    if changed:
        region.world.changes.prims.note(prim, what, actor.agent_id)

"""Media on faces: web pages and films that play on a prim.

Source of all: llSetPrimMediaParams and its kin on the LSL wiki. Viewers are told by the prim's media version.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from protocol.textures import encode_texture_entry
from sim.scripts.language.values import Item
from sim.scripts.library.declare import ll
from sim.scripts.library.looks import ALL_SIDES, entry_of, sides
from sim.scripts.library.things import actor_of, linked, prim_of, region_of
from sim.world.changes import What
from sim.world.rare import MOST_ADDRESS, Media

if TYPE_CHECKING:
    from sim.scripts.machine.script import Script
    from sim.world.objects import Prim

OK, MALFORMED, MISMATCH, BOUNDS, NOT_FOUND = 0, 1000, 1001, 1002, 1003  # STATUS_*
MOST_PIXELS, MOST_LISTED = 2048, 64
# PRIM_MEDIA_*: number -> field, kind (b flag, i number, s address, w white list), most
PARAMS: dict[int, tuple[str, str, int]] = {
    0: ("alt_image_enable", "b", 1), 1: ("controls", "i", 1), 2: ("current_url", "s", MOST_ADDRESS), 3: ("home_url", "s", MOST_ADDRESS),
    4: ("auto_loop", "b", 1), 5: ("auto_play", "b", 1), 6: ("auto_scale", "b", 1), 7: ("auto_zoom", "b", 1),
    8: ("first_click_interact", "b", 1), 9: ("width_pixels", "i", MOST_PIXELS), 10: ("height_pixels", "i", MOST_PIXELS),
    11: ("whitelist_enable", "b", 1), 12: ("whitelist", "w", MOST_ADDRESS), 13: ("perms_interact", "i", 7), 14: ("perms_control", "i", 7),
}  # fmt: skip


def _wished(params: list[Item]) -> dict[str, Any] | int:
    """The fields that a list sets, or what is wrong with it (STATUS_*)."""
    if len(params) % 2:
        return MALFORMED
    found: dict[str, Any] = {}
    for at in range(0, len(params), 2):
        number, value = params[at], params[at + 1]
        if not isinstance(number, int) or number not in PARAMS:
            return MALFORMED
        field, kind, most = PARAMS[number]
        if kind in "bi":
            if not isinstance(value, int):
                return MISMATCH
            if kind == "i" and not 0 <= value <= most:
                return BOUNDS
            found[field] = bool(value) if kind == "b" else value
        elif not isinstance(value, str):
            return MISMATCH
        elif len(value) > most:
            return BOUNDS
        elif kind == "w":
            listed = tuple([one.strip() for one in value.split(",") if one.strip()])
            if len(listed) > MOST_LISTED:
                return BOUNDS
            found[field] = listed
        else:
            found[field] = value
    return found


def _faces(prim: Prim, face: int) -> list[int]:
    count = sides(prim)
    return list(range(count)) if face == ALL_SIDES else [face] if 0 <= face < count else []


def _put(script: Script, prim: Prim, faces: list[int], change: Any) -> None:
    """Gives faces their media, or none, and viewers a new version of it."""
    from sim.actions import edit

    region, actor = region_of(script), actor_of(script)
    media = list(prim.rare.media) + [None] * (sides(prim) - len(prim.rare.media))
    entry = entry_of(prim)
    for face in faces:
        media[face] = change(media[face])
        look = entry.face(face)
        entry.faces[face] = replace(look, media=look.media | 1 if media[face] is not None else look.media & ~1)
    version = prim.rare.media_version + 1
    kept = tuple(media) if any(one is not None for one in media) else ()
    edit.rare(region, actor, prim, What.MEDIA, media=kept, media_version=version)
    edit.surface(region, actor, prim, encode_texture_entry(entry), f"x-mv:{version:010d}/{actor.agent_id}")


def _set(script: Script, prims: list[Prim], face: int, params: list[Item]) -> int:
    wished = _wished(params)
    if isinstance(wished, int):
        return wished
    if not prims or not any(_faces(prim, face) for prim in prims):
        return NOT_FOUND
    for prim in prims:
        _put(script, prim, _faces(prim, face), lambda media: replace(media or Media(), **wished))
    return OK


def _get(prims: list[Prim], face: int, params: list[Item]) -> list[Item]:
    media = prims[0].rare.media[face] if prims and 0 <= face < len(prims[0].rare.media) else None
    if media is None:
        return []
    out: list[Item] = []
    for number in params:
        if isinstance(number, int) and number in PARAMS:
            value = getattr(media, PARAMS[number][0])
            out.append(",".join(value) if isinstance(value, tuple) else int(value) if isinstance(value, bool) else value)
    return out


def _clear(script: Script, prims: list[Prim], face: int) -> int:
    if not prims or not any(_faces(prim, face) for prim in prims):
        return NOT_FOUND
    for prim in prims:
        if any(one is not None for one in prim.rare.media):
            _put(script, prim, _faces(prim, face), lambda media: None)
    return OK


@ll
def llSetPrimMediaParams(script: Script, face: int, params: list[Item]) -> int:
    """What plays on a face of the prim: [PRIM_MEDIA_CURRENT_URL, "https://...", PRIM_MEDIA_AUTO_PLAY, TRUE ...]; a face without media
    gets some. STATUS_OK, or what is wrong. Sleeps 1 s."""
    return _set(script, [prim_of(script)], face, params)


@ll
def llSetLinkMedia(script: Script, link: int, face: int, params: list[Item]) -> int:
    """As llSetPrimMediaParams, of a prim of the object or of several by LINK_*, without a sleep."""
    return _set(script, linked(prim_of(script), link), face, params)


@ll
def llGetPrimMediaParams(script: Script, face: int, params: list[Item]) -> list[Item]:
    """What plays on a face of the prim, PRIM_MEDIA_* in the order asked; empty where nothing does. Sleeps 1 s."""
    return _get([prim_of(script)], face, params)


@ll
def llGetLinkMedia(script: Script, link: int, face: int, params: list[Item]) -> list[Item]:
    """As llGetPrimMediaParams, of a prim of the object, without a sleep."""
    return _get(linked(prim_of(script), link), face, params)


@ll
def llClearPrimMedia(script: Script, face: int) -> int:
    """Nothing plays on a face of the prim any more. STATUS_OK, or what is wrong. Sleeps 1 s."""
    return _clear(script, [prim_of(script)], face)


@ll
def llClearLinkMedia(script: Script, link: int, face: int) -> int:
    """As llClearPrimMedia, of a prim of the object or of several by LINK_*, without a sleep."""
    return _clear(script, linked(prim_of(script), link), face)

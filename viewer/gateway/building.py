"""What a browser builds: its messages, as edits of the client library."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import singledispatchmethod
from typing import TYPE_CHECKING, Any

from protocol.errors import ProtocolError
from protocol.textures import Face, TextureEntry
from viewer import Client, Entity

from . import messages
from .limits import Bucket
from .messages import BadMessage

if TYPE_CHECKING:
    from .link import Link

_BRIGHT = 0x20  # of a face's material byte
EDITS, BURST = 15, 60  # a second: somebody who drags sends ten


class Builder:
    """Does what building messages ask; the region says who may, and shows what came of it."""

    def __init__(self, link: Link, client: Client, beside: Callable[[Callable[[], Any]], None]) -> None:
        self._link = link
        self._client = client
        self._building = client.building
        self._beside = beside
        self._rate = Bucket(EDITS, BURST, client.clock())

    def act(self, asked: messages.Builds) -> None:
        """``BadMessage`` for things and regions that are not in view."""
        if self._rate.take(self._client.clock()):
            self._do(asked)
        else:
            self._link.tell(messages.Notice(what="too-fast"))

    @singledispatchmethod
    def _do(self, asked: Any) -> None:
        raise BadMessage(f"{asked.t}: builds nothing")

    @_do.register
    def _(self, asked: messages.Make) -> None:
        region = next((r for r in self._client.regions.values() if (r.west, r.south) == asked.corner), None)
        if region is None:
            raise BadMessage("make.corner: not in view")

        async def make() -> None:
            made = await self._building.make(asked.form, asked.position, asked.size, region)
            self._link.tell(messages.MadeTold(n=self._link.number(made)))

        self._beside(make)

    @_do.register
    def _(self, asked: messages.Shape) -> None:
        rotation = asked.rotation
        if rotation is not None:
            length = math.hypot(*rotation)
            if length < 0.5:
                raise BadMessage("shape.rotation: no rotation")
            x, y, z, w = (part / length for part in rotation)
            rotation = x, y, z, w
        self._building.edit(self._thing(asked.n), asked.position, rotation, asked.size)

    @_do.register
    def _(self, asked: messages.Describe) -> None:
        self._building.rename(self._thing(asked.n), asked.name, asked.description)

    @_do.register
    def _(self, asked: messages.Paint) -> None:
        thing = self._thing(asked.n)
        try:
            look = self._building.look(thing)
        except ProtocolError:
            look = TextureEntry()  # what nobody can read is painted anew
        if asked.face is None:
            faces = {number: painted(face, asked) for number, face in look.faces.items()}
            look = TextureEntry(painted(look.default, asked), faces)
        else:
            look.faces[asked.face] = painted(look.face(asked.face), asked)
        self._building.paint(thing, look)

    @_do.register
    def _(self, asked: messages.Behave) -> None:
        self._building.behave(self._thing(asked.n), asked.physical, asked.phantom)

    @_do.register
    def _(self, asked: messages.Duplicate) -> None:
        self._building.duplicate(self._things(asked.ns), asked.offset)

    @_do.register
    def _(self, asked: messages.Join) -> None:
        self._building.link(*self._things(asked.ns))

    @_do.register
    def _(self, asked: messages.Part) -> None:
        root = self._thing(asked.n)
        links = [entity for entity in root.region.entities.values() if entity.parent_id == root.local_id and not entity.is_avatar]
        self._building.unlink(root, *links)

    @_do.register
    def _(self, asked: messages.Discard) -> None:
        self._building.delete(*self._things(asked.ns))

    def _thing(self, number: int) -> Entity:
        thing = self._link.thing(number)
        if thing is None or thing.is_avatar:
            raise BadMessage("n: no such thing")
        return thing

    def _things(self, numbers: list[int]) -> list[Entity]:
        things = [self._thing(number) for number in numbers]
        if any(thing.region is not things[0].region for thing in things):
            raise BadMessage("ns: of several regions")
        return things


def painted(face: Face, asked: messages.Paint) -> Face:
    """A face as it looks with what was asked."""
    red, green, blue, alpha = face.color
    if asked.color is not None:
        red, green, blue = (round(part * 255) for part in asked.color)
    if asked.opacity is not None:
        alpha = round(asked.opacity * 255)
    face = replace(face, color=(red, green, blue, alpha))
    if asked.glow is not None:
        face = replace(face, glow=asked.glow)
    if asked.bright is not None:
        face = replace(face, material=face.material | _BRIGHT if asked.bright else face.material & ~_BRIGHT)
    return face if asked.texture is None else replace(face, texture=asked.texture)

"""A scene's things into a region: objects, linksets, bodies.

Thirty thousand prims must stand before the first viewer comes, so what is alike is made at once: columns filled by
numpy, bodies in long columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np

from protocol import permissions
from protocol.inventory import Item
from protocol.wellknown import LIBRARY_OWNER, AssetType, InventoryType
from sim.actions.make import make_temporary
from sim.scenes.reading import Part, Scene, Thing
from sim.world.objects import MAX_HEIGHT, Material, Prim, Quaternion, Vector, multiply, rotate

if TYPE_CHECKING:
    from sim.region import Region
    from sim.scripts.inworld import Scripts

LOWEST = -64.0  # metres


def place(region: Region, scripts: Scripts, scene: Scene) -> int:
    """Put the scene into the region, owned by the library; returns how many prims that were.

    For a region that is new: what became of it is kept by its store, and the scene is not read again.
    """
    lift = region.world.terrain.height(scene.origin[0], scene.origin[1]) if scene.from_ground else 0.0
    now = int(region.clock.unix() * 1e6)
    singles: list[tuple[Prim, Vector, Quaternion, Vector]] = []
    roots: list[Prim] = []
    parts: list[tuple[Prim, Part]] = []
    for thing in scene.things:
        for (x, y, z), rotation in thing.places:
            z += region.world.terrain.height(x, y) if thing.on_ground else lift
            position = x, y, min(max(z, LOWEST), MAX_HEIGHT)
            if len(thing.parts) == 1:
                prims = [_prim(thing, thing.parts[0], now)]
                singles.append((prims[0], position, rotation, thing.parts[0].size))
            else:
                prims = _place_linkset(region, thing, position, rotation, now)
            roots.append(prims[0])
            parts.extend(zip(prims, thing.parts, strict=True))
    if singles:
        columns = (np.array([single[n] for single in singles], np.float32) for n in (1, 2, 3))
        local_ids = [region.world.new_local_id() for _ in singles]
        region.world.objects.add_all([prim for prim, *_ in singles], local_ids, *columns)
    for root in roots:
        if root.temporary:
            make_temporary(region, root, True)
    for prim, part in parts:
        if part.script is not None:
            item = _script_item(prim, part.script.name, now)
            scripts.start(prim, part.script.program, part.script.source, item.name, item.item_id)
    return scene.prims


def _prim(thing: Thing, part: Part, now: int) -> Prim:
    f = part.features
    prim = Prim(
        uuid4(), LIBRARY_OWNER, LIBRARY_OWNER, last_owner_id=LIBRARY_OWNER, created=now, name=part.name,
        description=part.description, material=part.material, shape=dict(part.shape), texture_entry=part.texture_entry,
        text=part.text, text_color=part.text_color,
        features=Material(f.density, f.friction, f.restitution, f.gravity, f.shape_type),
        permissions=permissions.new(everyone=thing.everyone),
    )  # fmt: skip
    prim.physical, prim.phantom, prim.temporary = thing.physical, thing.phantom, thing.temporary
    return prim


def _script_item(prim: Prim, name: str, now: int) -> Item:
    """The item of a scene's script in its prim. It has no asset: its text is the scene's."""
    owner = prim.owner_id
    item = Item(
        uuid4(), name=name, creator_id=owner, owner_id=owner, last_owner_id=owner, asset_type=int(AssetType.LSL_TEXT),
        inventory_type=int(InventoryType.LSL), created=now // 1_000_000,
    )  # fmt: skip
    prim.contents.append(item)
    prim.inventory_serial += 1
    return item


def _place_linkset(region: Region, thing: Thing, position: Vector, rotation: Quaternion, now: int) -> list[Prim]:
    objects = region.world.objects
    prims = []
    for part in thing.parts:
        x, y, z = rotate(rotation, part.position)
        where = position[0] + x, position[1] + y, position[2] + z
        prim = _prim(thing, part, now)
        prims.append(
            objects.add(prim, region.world.new_local_id(), where, multiply(rotation, part.rotation), part.size)
        )
    objects.link(prims[0], prims[1:])
    return prims

"""Objects as bodies: what the physics engine is told of linksets, and what it says of them each step.

A linkset is one body, made of the solids of its prims. What became of linksets is read from the log of changes before
each step and before each question: a body is remade once, however many of its prims' shapes, sizes, places in the set or
flags have changed, and reshaped when the solid of a mesh has come. After a step the places of everything that moved are
copied to the objects' rows in a few numpy operations; `interest` decides from there who must hear.
"""

from __future__ import annotations

import logging
from collections.abc import Hashable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from protocol.errors import ProtocolError
from protocol.shapes import Shape as PrimShape
from protocol.shapes import from_wire
from sim.physics.asset_solids import MOST_WORK, AssetSolids, Detail, source_of, work_of
from sim.physics.engine import BadBody, BodySpec, Engine, Kind, Mask, Shape, compound, create
from sim.physics.prims import prim_shape
from sim.world.agent import Vector
from sim.world.changes import What
from sim.world.objects import Prim

if TYPE_CHECKING:
    from sim.simulator import Simulator

log = logging.getLogger(__name__)

NO_SHAPE, CONVEX = 1, 2  # Features tab: physics shape types "none" and "convex hull"
ALIKE = 4096  # prims whose solid is remembered: thousands of a region come in a handful of forms
# What of a prim makes its linkset another body; of a place alone, a root's body is moved, and a child's linkset remade.
FORM = What.MADE | What.GONE | What.SCALE | What.SHAPE | What.BODY | What.MATERIAL | What.LINK
LONG = 0.005  # seconds a linkset may take to be remade as often as it is edited
PAUSE = 10
FEW = 8  # bodies that are not worth being made in columns
SLOW = 0.01  # metres a second under which something counts as resting


@lru_cache(ALIKE)
def _real(fields: tuple[tuple[str, int], ...]) -> PrimShape:
    return from_wire(dict(fields))


@lru_cache(ALIKE)
def _solid(fields: tuple[tuple[str, int], ...], scale: Vector, convex: bool) -> Shape:
    return prim_shape(_real(fields), scale, convex)


class Bodies:
    def __init__(self, sim: Simulator, engine: str) -> None:
        self.sim = sim
        self.engine: Engine = create(engine)
        self.engine.set_terrain(sim.world.terrain.heights)
        self.engine.open_sides = sim.world.open_sides
        self.engine.water_height = sim.world.facts.water_height
        self._rows = np.full(256, -1, np.int64)  # handle -> object row
        self._handles: dict[Prim, int] = {}  # of roots that have a body
        self._later: dict[Prim, float] = {}  # roots -> real time before which they are not remade again
        self._changes = sim.world.changes.prims.reader(FORM | What.PLACE)
        self._terrain_revision = sim.world.terrain.revision
        self.solids = AssetSolids(sim, self.reshape)

    # --- objects change

    def update(self) -> None:
        """Make bodies of what has changed since the last time.

        A linkset that took long to remake is left as it is for ten times as long, however often it is edited meanwhile.
        """
        if not len(self._changes) and not self._later:
            return
        now = self.sim.clock.now()
        remade = {root: None for root, due in self._later.items() if now >= due and root.row >= 0}
        self._later = {root: due for root, due in self._later.items() if now < due and root.row >= 0}
        fresh: dict[Prim, None] = {}
        moved: list[Prim] = []
        for prim, what in self._changes.take().items():
            if prim.row < 0 or prim.root is not None:
                self._let_go(prim)
            if prim.row < 0:
                continue
            root = prim.linkset_root
            if prim.root is None and what == What.PLACE:
                moved.append(prim)
            elif root in self._later:
                continue
            elif root in self._handles:
                remade[root] = None
            else:
                fresh[root] = None
        for root in remade:
            self.rebuild(root)
            after = self.sim.clock.now()
            if after - now > LONG:
                self._later[root] = after + PAUSE * (after - now)
            now = after
        self.build_all([root for root in fresh if root.row >= 0])
        for root in moved:
            if root not in remade:
                self.moved(root)

    def rebuild(self, prim: Prim) -> None:
        """Make the body of a prim's linkset anew."""
        root = prim.linkset_root
        self.drop(root)
        if root.leaving:
            return
        reason = ""
        for detail in self._details(root):
            shape = self._shape(root, detail)
            if shape is None:
                return
            try:
                handle = self.engine.add(self._spec(root, shape))
            except BadBody as error:
                reason = str(error)
                continue
            self._joined([handle], [root])
            return
        self._refused(root, reason)

    def reshape(self, root: Prim) -> None:
        """The solid of an asset came: the linkset's body has the shape that it makes, and keeps all else."""
        handle = int(self.sim.world.objects.row(root)["body"])
        if handle < 0:
            return
        for detail in self._details(root):
            shape = self._shape(root, detail)
            if shape is None:
                return
            try:
                self.engine.replace_shape(handle, shape)
            except BadBody as error:
                log.info("object %s is solid in less detail: %s", root.full_id, error)
                continue
            return

    def _details(self, root: Prim) -> Sequence[Detail]:
        """How finely to make a linkset solid, as long as physics cannot have it: prims there is but one way."""
        return tuple(Detail) if any(source_of(prim) for prim in root.linkset()) else (Detail.FULL,)

    def build_all(self, roots: Sequence[Prim]) -> None:
        """As `rebuild` for each of many linksets that have no body yet; those of the same stuff are made at once."""
        if len(roots) < FEW:
            for root in roots:
                self.rebuild(root)
            return
        objects = self.sim.world.objects
        alike: dict[Hashable, list[tuple[Prim, Shape]]] = {}
        for root in roots:
            if root.leaving:
                continue
            f = root.features
            kind = root.physical, root.phantom, root.volume_detect, f.density, f.friction, f.restitution, f.gravity
            shape = self._shape(root)
            if shape is not None:
                alike.setdefault(kind, []).append((root, shape))
        for group in alike.values():
            first, shape = group[0]
            rows = objects.rows[[root.row for root, _ in group]]
            shapes, users = [shape for _, shape in group], [root.local_id for root, _ in group]
            spec = self._spec(first, shape)
            handles, refused = self.engine.add_alike(spec, shapes, rows["position"], rows["rotation"], users)
            for k in refused:
                self.rebuild(group[k][0])
            good = [k for k in range(len(group)) if k not in refused]
            if good:
                self._joined([handles[k] for k in good], [group[k][0] for k in good])

    def _spec(self, root: Prim, shape: Shape) -> BodySpec:
        row = self.sim.world.objects.row(root)
        position, rotation = self.sim.world.objects.world_place(root)
        features = root.features
        return BodySpec(
            shape,
            position,
            rotation,
            velocity=row["velocity"].tolist(),
            angular_velocity=row["angular_velocity"].tolist(),
            kind=Kind.DYNAMIC if root.physical else Kind.STATIC,
            density=features.density,
            friction=features.friction,
            restitution=features.restitution,
            gravity_multiplier=features.gravity,
            phantom=root.phantom,
            volume_detect=root.volume_detect,
            user=root.local_id,
        )

    def _joined(self, handles: list[int], roots: Sequence[Prim]) -> None:
        """These bodies are these objects from now on."""
        while max(handles) >= len(self._rows):
            self._rows = np.concatenate([self._rows, np.full(len(self._rows), -1, np.int64)])
        rows = [root.row for root in roots]
        physical = [root.physical for root in roots]
        self._rows[handles] = rows
        self._handles.update(zip(roots, handles, strict=True))
        table = self.sim.world.objects.rows
        table["body"][rows] = handles
        table["physical"][rows] = table["moving"][rows] = physical

    def _shape(self, root: Prim, detail: Detail = Detail.FULL) -> Shape | None:
        """The linkset as one shape around the root's origin; None when it is nothing to bump into."""
        objects = self.sim.world.objects
        parts = []
        for prim in root.linkset():
            if prim.features.shape_type == NO_SHAPE or prim.pcode != 9:
                continue
            row = objects.row(prim)
            scale, convex = row["scale"].tolist(), prim.features.shape_type == CONVEX
            try:
                shape = self.solids.shape(prim, scale, root.physical, detail)
                if shape is None:
                    shape = _solid(tuple(prim.shape.items()), tuple(scale), convex)
            except (BadBody, ProtocolError) as error:
                self._refused(root, str(error))
                continue
            if prim is root:
                parts.append((shape, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)))
            else:
                parts.append((shape, row["position"].tolist(), row["rotation"].tolist()))
        if not parts:
            return None
        if detail == Detail.FULL and sum(work_of(shape) for shape, *_ in parts) > MOST_WORK:
            return self._shape(root, Detail.HULL)
        if len(parts) == 1 and parts[0][1] == (0.0, 0.0, 0.0) and parts[0][2] == (0.0, 0.0, 0.0, 1.0):
            return parts[0][0]
        return compound(parts)

    def _refused(self, root: Prim, reason: str) -> None:
        """An object that physics cannot have stays as a picture; its owner's next look at it finds it not physical."""
        self.sim.metrics.count("bodies_refused")
        log.info("object %s has no body: %s", root.full_id, reason)
        if any(prim.physical for prim in root.linkset()):
            for prim in root.linkset():
                prim.physical = False
            self.sim.world.objects.note_linkset(root, What.BODY)

    def drop(self, root: Prim) -> None:
        """Take a linkset's body away."""
        self._let_go(root)
        row = self.sim.world.objects.row(root)
        row["body"] = -1
        row["moving"] = row["physical"] = 0

    def _let_go(self, prim: Prim) -> None:
        """The body that a prim had as a root goes. It may have no row any more, and its row may be another's."""
        handle = self._handles.pop(prim, -1)
        if handle < 0:
            return
        self.engine.remove(handle)
        self._rows[handle] = -1
        if prim.row >= 0:
            row = self.sim.world.objects.row(prim)
            row["body"] = -1
            row["moving"] = row["physical"] = 0

    def moved(self, root: Prim) -> None:
        """A root was put somewhere else, not by physics."""
        handle = self._handles.get(root, -1)
        if handle < 0:
            return
        row = self.sim.world.objects.row(root)
        position, rotation = self.sim.world.objects.world_place(root)
        self.engine.set_pose(handle, position, rotation)
        self.engine.set_velocity(handle, row["velocity"].tolist(), row["angular_velocity"].tolist())
        row["moving"] = root.physical

    async def close(self) -> None:
        """End what runs beside the region."""
        await self.solids.close()

    # --- time passes

    @property
    def still(self) -> bool:
        """A step would change nothing: all sleep, ground and objects are as the engine knows them, and no shape waits."""
        known = self.sim.world.terrain.revision == self._terrain_revision and not len(self._changes) and not self._later
        return known and self.solids.idle and not self.engine.awake.any()

    def step(self, dt: float) -> None:
        """Bodies and avatars move on by so many seconds, bodies as their objects are by now. `place_objects` is to follow."""
        world = self.sim.world
        self.update()
        if world.terrain.revision != self._terrain_revision:
            self._terrain_revision = world.terrain.revision
            self.engine.set_terrain(world.terrain.heights)
        self.engine.step(dt, world.avatars.rows[: world.avatars.count])

    def place_objects(self) -> None:
        """Objects are where the step moved their bodies. What came to rest is marked so that it is told, and cached, as
        resting; what is outside of the region is noted for the borders."""
        engine, objects = self.engine, self.sim.world.objects
        handles = engine.moved
        if not len(handles):
            return
        rows = self._rows[handles]
        handles, rows = handles[rows >= 0], rows[rows >= 0]
        if not len(rows):
            return
        table = objects.rows
        table["position"][rows] = table["world_position"][rows] = engine.position[handles]
        table["rotation"][rows] = engine.rotation[handles]
        awake = engine.awake[handles] == 1
        for name in ("velocity", "angular_velocity", "acceleration"):
            table[name][rows] = np.where(awake[:, None], getattr(engine, name)[handles], 0.0)
        asleep = rows[~awake]
        table["moving"][rows] = awake
        if len(asleep):
            table["dirty"][asleep] = 1
            table["repeats"][asleep] = 2
            table["crc"][asleep] += 1
        place = table["position"][rows, :2]
        outside = ((place < 0) | (place >= 256)).any(axis=1)
        self.sim.world.marks.outside.update(dict.fromkeys(rows[outside].tolist()))

    # --- questions

    def handle(self, prim: Prim) -> int:
        """The engine's body of a prim's linkset as it is this moment, -1 without."""
        self.update()
        return self._handles.get(prim.linkset_root, -1)

    def raycast(
        self, origin: Sequence[float], direction: Sequence[float], length: float, mask: int = Mask.ALL, most: int = 1
    ) -> np.ndarray:
        """As the engine's, of the world as it is this moment."""
        self.update()
        return self.engine.raycast(origin, direction, length, mask, most)

    def first_hit(self, start: Vector, end: Vector) -> tuple[Vector, Vector] | None:
        """The first solid or ground between two points: (point, normal), or None."""
        way = np.subtract(end, start)
        length = float(np.linalg.norm(way))
        if not 1e-6 < length < 4096.0:
            return None
        hits = self.raycast(start, (way / length).tolist(), length, Mask.STATIC | Mask.DYNAMIC | Mask.TERRAIN)
        if not len(hits):
            return None
        point, normal = hits[0]["point"].tolist(), hits[0]["normal"].tolist()
        return (point[0], point[1], point[2]), (normal[0], normal[1], normal[2])

"""Objects as bodies: what the physics engine is told of linksets, and what it says of them each step.

A linkset is one body, made of the solids of its prims. What became of linksets is read from the log of changes before
each step and before each question: a body is remade once, however many of its prims' shapes, sizes, places in the set or
flags have changed, and reshaped when the solid of a mesh has come. After a step the places of everything that moved are
copied to the objects' rows in a few numpy operations; `interest` decides from there who must hear.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence

import numpy as np

from sim.physics import driving
from sim.physics.asset_solids import AssetSolids, Detail, Fetch
from sim.physics.culprit import culprit
from sim.physics.engine import BadBody, BodySpec, Engine, Kind, Mask, Shape, create
from sim.physics.linkset_shapes import LinksetShapes, details
from sim.physics.numba_engine import NumbaEngine
from sim.region import Region
from sim.world.agent import Vector
from sim.world.changes import What
from sim.world.drives import NO_DRIVES, Drives
from sim.world.objects import Prim
from sim.world.terrain import PATCH

log = logging.getLogger(__name__)

# What of a prim makes its linkset another body; of a place alone, a root's body is moved, and a child's linkset remade.
FORM = What.MADE | What.GONE | What.SCALE | What.SHAPE | What.BODY | What.MATERIAL | What.LINK
LONG = 0.005  # seconds a linkset may take to be remade as often as it is edited
PAUSE = 10  # times as long as it took, in which it is not
FEW = 8  # bodies that are not worth being made in columns
SLOW = 0.01  # metres a second under which something counts as resting


class Bodies:
    """`fetch` gets an asset from the store."""

    def __init__(self, region: Region, engine: str, fetch: Fetch) -> None:
        self._region = region
        self._world = world = region.world
        self._aside = region.aside
        self.engine: Engine = create(engine)
        self.engine.set_terrain(world.terrain.heights)
        self.engine.open_sides = world.open_sides
        self.engine.water_height = world.facts.water_height
        self._rows = np.full(256, -1, np.int64)  # handle -> object row
        self._handles: dict[Prim, int] = {}  # of roots that have a body
        self._told: dict[Prim, Drives] = {}  # how scripts drive them, as their bodies know
        self._later: dict[Prim, float] = {}  # roots -> real time before which they are not remade again
        self._edited: set[Prim] = set()  # those of them that wait to be
        self._changes = world.changes.prims.reader(FORM | What.PLACE)
        self._own_notes: set[Prim] = set()  # whose change is but that we set it aside
        self._terrain_revision = world.terrain.revision
        self._patches = world.changes.terrain.reader()
        self._ground_at = 0.0  # real time before which the engine is not told of the ground again
        self.solids = AssetSolids(region, fetch, lambda root: self._guarded(self.reshape, root))
        self._shapes = LinksetShapes(world.objects, self.solids)

    # --- objects change

    def update(self) -> None:
        """Make bodies of what has changed since the last time.

        A linkset that took long to remake is left as it is for ten times as long, however often it is edited meanwhile.
        """
        if not len(self._changes) and not self._edited:
            return
        now = self._region.clock.now()
        waited = [root for root in self._edited if root.row < 0 or now >= self._later.get(root, 0.0)]
        self._edited.difference_update(waited)
        remade: dict[Prim, None] = {root: None for root in waited if root.row >= 0}
        self._later = {root: due for root, due in self._later.items() if now < due and root.row >= 0}
        fresh: dict[Prim, None] = {}
        moved: list[Prim] = []
        for prim, what in self._changes.take().items():
            if prim.row < 0 or prim.root is not None:
                self._guarded(self._let_go, prim)
                self._try_again(prim)
            if prim.row < 0:
                continue
            root = prim.linkset_root
            if prim.root is None and what == What.PLACE:
                moved.append(prim)
            elif root in self._later:
                self._edited.add(root)
            elif root in self._handles:
                remade[root] = None
            else:
                fresh[root] = None
        for root in (*remade, *fresh):
            self._try_again(root)
        for root in remade:
            self._guarded(self.rebuild, root)
            after = self._region.clock.now()
            if after - now > LONG:
                self._later[root] = after + PAUSE * (after - now)
            now = after
        self.build_all([root for root in fresh if root.row >= 0])
        for root in moved:
            if root not in remade:
                self._guarded(self.moved, root)

    def _guarded(self, change: Callable[[Prim], None], root: Prim) -> None:
        """Whatever a body cannot be made of costs the one object its body."""
        try:
            change(root)
        except Exception as error:
            self._put_aside(root, error)

    def rebuild(self, prim: Prim) -> None:
        """Make the body of a prim's linkset anew."""
        root = prim.linkset_root
        self.drop(root)
        if root.leaving or root.worn is not None or self._aside.has("physics", root):
            return
        reason = ""
        for detail in details(root):
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
        handle = int(self._world.objects.row(root)["body"])
        if handle < 0:
            return
        for detail in details(root):
            shape = self._shape(root, detail)
            if shape is None:
                return
            try:
                self.engine.replace_shape(handle, shape)
            except BadBody as error:
                log.info("object %s is solid in less detail: %s", root.full_id, error)
                continue
            return

    def build_all(self, roots: Sequence[Prim]) -> None:
        """As `rebuild` for each of many linksets that have no body yet; those of the same stuff are made at once."""
        if len(roots) < FEW:
            for root in roots:
                self._guarded(self.rebuild, root)
            return
        alike: dict[Hashable, list[tuple[Prim, Shape]]] = {}
        for root in roots:
            if root.leaving or root.worn is not None or self._aside.has("physics", root):
                continue
            f = root.features
            kind = _kind(root), root.phantom, root.volume_detect, f.density, f.friction, f.restitution, f.gravity
            try:
                shape = self._shape(root)
            except Exception as error:
                self._put_aside(root, error)
                continue
            if shape is not None:
                alike.setdefault(kind, []).append((root, shape))
        for group in alike.values():
            try:
                self._build_alike(group)
            except Exception as error:
                log.info("%d objects are made bodies one by one: %s", len(group), error)
                for root, _ in group:
                    self._guarded(self.rebuild, root)

    def _build_alike(self, group: list[tuple[Prim, Shape]]) -> None:
        first, shape = group[0]
        rows = self._world.objects.rows[[root.row for root, _ in group]]
        shapes, users = [shape for _, shape in group], [root.local_id for root, _ in group]
        spec = self._spec(first, shape)
        handles, refused = self.engine.add_alike(spec, shapes, rows["position"], rows["rotation"], users)
        good = [k for k in range(len(group)) if k not in refused]
        if good:
            self._joined([handles[k] for k in good], [group[k][0] for k in good])
        for k in refused:
            self._guarded(self.rebuild, group[k][0])

    def _spec(self, root: Prim, shape: Shape) -> BodySpec:
        row = self._world.objects.row(root)
        position, rotation = self._world.objects.world_place(root)
        features = root.features
        return BodySpec(
            shape,
            position,
            rotation,
            velocity=row["velocity"].tolist(),
            angular_velocity=row["angular_velocity"].tolist(),
            kind=_kind(root),
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
        table = self._world.objects.rows
        table["body"][rows] = handles
        table["physical"][rows] = table["moving"][rows] = physical
        for handle, root in zip(handles, roots, strict=True):
            if root.drives is not NO_DRIVES:
                self._told[root] = root.drives
                driving.tell(self.engine, handle, root.drives)

    def drive(self, root: Prim) -> None:
        """A script asks something else of its movement: its body is told."""
        handle = self.handle(root)
        if handle < 0:
            return
        before = self._told.get(root, NO_DRIVES)
        if driving.moves_by_keyframes(before) != driving.moves_by_keyframes(root.drives):
            self._guarded(self.rebuild, root)
            return
        self._told[root] = root.drives
        driving.tell(self.engine, handle, root.drives, before)

    def _shape(self, root: Prim, detail: Detail = Detail.FULL) -> Shape | None:
        """What a linkset is solid as; None when it is nothing to bump into."""
        shape, wrong = self._shapes.shape(root, detail)
        if wrong:
            self._refused(root, wrong)
        return shape

    def _refused(self, root: Prim, reason: str) -> None:
        """An object that physics cannot have stays as a picture; its owner's next look at it finds it not physical."""
        self._region.metrics.count("bodies_refused")
        log.info("object %s has no body: %s", root.full_id, reason)
        if any(prim.physical for prim in root.linkset()):
            self._stop(root)
            self._aside.tell(root.owner_id, f"Your object {root.name!r} cannot be physical: {reason}.")

    def _stop(self, root: Prim) -> None:
        """It is physical no more."""
        for prim in root.linkset():
            prim.physical = False
        self._world.objects.note_linkset(root, What.BODY)

    def _put_aside(self, root: Prim, why: BaseException | str) -> None:
        """An object that the engine fails by has no body until somebody changes it."""
        try:
            self._let_go(root)
        except Exception as error:  # the engine does not know it any more, or never did
            log.error("the body of %s could not be taken away", root.full_id, exc_info=error)
        if root.row < 0:
            return
        x, y, z = (round(value) for value in np.nan_to_num(self._world.objects.world_place(root)[0]).tolist())
        words = f"Your object {root.name!r} at {x}, {y}, {z} is no body any more: physics cannot work it out. Change it to try again."
        if self._aside.put("physics", root, why, root.owner_id, words):
            self._stop(root)
            self._own_notes.add(root)

    def _try_again(self, root: Prim) -> None:
        """Somebody changed it: it may have a body once more."""
        if root in self._own_notes:
            self._own_notes.discard(root)
        else:
            self._aside.forget("physics", root)

    def drop(self, root: Prim) -> None:
        """Take a linkset's body away."""
        self._let_go(root)
        row = self._world.objects.row(root)
        row["body"] = -1
        row["moving"] = row["physical"] = 0

    def _let_go(self, prim: Prim) -> None:
        """The body that a prim had as a root goes. It may have no row any more, and its row may be another's."""
        handle = self._handles.pop(prim, -1)
        if handle < 0:
            return
        self.engine.remove(handle)
        self._told.pop(prim, None)
        self._rows[handle] = -1
        if prim.row >= 0:
            row = self._world.objects.row(prim)
            row["body"] = -1
            row["moving"] = row["physical"] = 0

    def moved(self, root: Prim) -> None:
        """A root was put somewhere else, not by physics."""
        handle = self._handles.get(root, -1)
        if handle < 0:
            return
        row = self._world.objects.row(root)
        position, rotation = self._world.objects.world_place(root)
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
        known = self._world.terrain.revision == self._terrain_revision and not len(self._changes) and not self._edited
        return known and self.solids.idle and not self.engine.awake.any()

    def step(self, dt: float) -> None:
        """Bodies and avatars move on by so many seconds, bodies as their objects are by now. `place_objects` is to follow."""
        world = self._world
        self.update()
        if world.terrain.revision != self._terrain_revision and self._region.clock.now() >= self._ground_at:
            self._reground()
        try:
            self.engine.step(dt, world.avatars.rows[: world.avatars.count])
        except Exception as error:
            self._blame(error, dt)
        for handle in self.engine.lost.tolist():
            self._put_aside(world.objects.of_row[int(self._rows[handle])], "its place or speed came to be no number")

    def _reground(self) -> None:
        """The engine is told of the ground as it is now. Where that takes it long, it is told the less often."""
        terrain, clock = self._world.terrain, self._region.clock
        began = clock.now()
        self._terrain_revision = terrain.revision
        area = None
        if patches := self._patches.take():
            columns, rows = [x for x, _ in patches], [y for _, y in patches]
            area = (
                min(columns) * PATCH - 1.0, min(rows) * PATCH - 1.0, (max(columns) + 1) * PATCH + 1.0, (max(rows) + 1) * PATCH + 1.0
            )  # fmt: skip
        self.engine.set_terrain(terrain.heights, area)
        took = clock.now() - began
        self._ground_at = began + PAUSE * took if took > LONG else 0.0

    def _blame(self, error: Exception, dt: float) -> None:
        """The engine's step failed: whose body it fails by is set aside. The error once more when it is nobody's."""
        engine = self.engine
        assert isinstance(engine, NumbaEngine)
        engine.recover()
        row = int(self._rows[handle]) if (handle := culprit(engine, dt)) >= 0 else -1
        if row < 0:
            raise error
        self._put_aside(self._world.objects.of_row[row], error)

    def place_objects(self) -> None:
        """Objects are where the step moved their bodies. What came to rest is marked so that it is told, and cached, as
        resting; what is outside of the region is noted for the borders."""
        engine, objects = self.engine, self._world.objects
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
        self._world.outside.update(dict.fromkeys(rows[outside].tolist()))

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

    def rows_of(self, handles: np.ndarray) -> np.ndarray:
        """The rows of the objects whose bodies these are; -1 for what is no object's: the ground, an avatar."""
        known = (handles > 0) & (handles < len(self._rows))
        return np.where(known, self._rows[np.where(known, handles, 0)], -1)

    def root_of(self, handle: int) -> Prim | None:
        """The object whose body this is."""
        row = int(self._rows[handle]) if 0 < handle < len(self._rows) else -1
        return self._world.objects.of_row.get(row)

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


def _kind(root: Prim) -> Kind:
    """How physics has it: what is physical falls, what keyframes move goes as it is told."""
    if root.physical:
        return Kind.DYNAMIC
    return Kind.KINEMATIC if driving.moves_by_keyframes(root.drives) else Kind.STATIC

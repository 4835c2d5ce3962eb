"""The solids of prims whose form is an asset: meshes and sculpts.

A prim's asset is fetched and made solid beside the frame, once for all prims that have it; until then, and where it
turns out to be no solid, the box around the prim stands in. When it has come, the bodies that wait for it are given their
shapes, a few a step.

What a mesh is solid as follows its physics shape type (the Features tab): "convex hull" the hull around it; "prim" its
triangles while it stays where it is, and its convex pieces when physics moves it.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from enum import IntEnum
from typing import Any, NamedTuple
from uuid import UUID

from assets.client import AssetError
from protocol.wellknown import NULL
from sim.physics.engine import Form, Made, Shape, box, compound, stretched
from sim.physics.solids import MOST_CUT, AssetSolid, Convex
from sim.physics.solids_worker import Work, Workshop
from sim.region import Region
from sim.world.objects import Prim

log = logging.getLogger(__name__)

SCULPT = 0x30  # the extra parameter: uuid, U8 kind
MESH = 5  # of its kinds, in the low three bits; the others say how a sculpt map's edges meet
CONVEX = 2  # physics shape type
AT_ONCE = 4  # assets under way
MOST_BYTES = 32 << 20  # of an asset
MOST_KEPT = 64 << 20  # bytes of solids
MOST_REFUSED = 4096
AGAIN, LONGEST = 60.0, 3600.0  # seconds until one that could not be had is asked for again: at first, and doubled up to
IDLE = 30.0  # seconds without work after which the worker goes
MOST_WORK = 60_000  # triangles of the meshes of a linkset, so that a frame has the time to put them all in their place
PIECE_WORK = 100  # triangles that take as long as a convex piece
SHARE = 0.002  # seconds of a step for giving bodies their shapes
_NO_TURN = (0.0, 0.0, 0.0, 1.0)

Fetch = Callable[[UUID], Awaitable[bytes | None]]  # an asset's bytes, None for one that there is not; AssetError


class Source(NamedTuple):
    """What to make a solid of."""

    asset: UUID
    what: Work
    kind: int  # a sculpt's, with its mirror flag; 0 of meshes


class Detail(IntEnum):
    """How much of an asset's solid to use; the next where physics cannot have one."""

    FULL = 0
    HULL = 1
    BOX = 2


def source_of(prim: Prim) -> Source | None:
    """The asset that is a prim's form; None when it has a path and a profile alone."""
    param = prim.extra_params.get(SCULPT, b"")
    if len(param) != 17 or param[:16] == NULL.bytes:
        return None
    if param[16] & 7 == MESH:
        return Source(UUID(bytes=param[:16]), Work.MESH, 0)
    return Source(UUID(bytes=param[:16]), Work.SCULPT, param[16])


class AssetSolids:
    """`fetch` gets an asset from the store; `reshape` is called with every linkset of which a solid has come."""

    def __init__(self, region: Region, fetch: Fetch, reshape: Callable[[Prim], None]) -> None:
        self.workshop = Workshop()
        self._region = region
        self._fetch_asset = fetch
        self._reshape = reshape
        self._known: OrderedDict[Source, AssetSolid] = OrderedDict()
        self._kept = 0  # bytes of them
        self._refused: OrderedDict[Source, None] = OrderedDict()
        self._waiting: dict[Source, set[Prim]] = {}
        self._queue: deque[Source] = deque()
        self._tries: dict[Source, int] = {}  # of those that could not be had so far
        self._arrived: OrderedDict[Prim, None] = OrderedDict()  # whose solid has come
        self._running = 0

    # --- shapes

    def shape(self, prim: Prim, scale: Sequence[float], physical: bool, detail: Detail = Detail.FULL) -> Shape | None:
        """The solid of a prim of this scale (metres), as far as it is known; None for one that has no asset as form."""
        source = source_of(prim)
        if source is None:
            return None
        solid = self._solid(source, prim)
        if solid is None or detail == Detail.BOX:
            return box(*scale)
        if detail == Detail.HULL or prim.features.shape_type == CONVEX or source.what == Work.SCULPT:
            return _hulls(source, "base", [solid.base], scale)
        if not physical and solid.tree is not None:
            return stretched(Form.MESH, Made((source, "tree"), solid.tree), scale)
        if not solid.pieces and physical and solid.tree is not None and len(solid.tree.triangles) <= MOST_CUT:
            source = source._replace(what=Work.CUT_MESH)
            solid = self._solid(source, prim) or solid
        return _hulls(source, "pieces", solid.pieces or [solid.base], scale)

    def _solid(self, source: Source, prim: Prim) -> AssetSolid | None:
        """None while it is on its way, which the prim waits for then, and when it is refused."""
        found = self._known.get(source)
        if found is not None:
            self._known.move_to_end(source)
            return found
        if source in self._refused:
            return None
        if source not in self._waiting:
            self._waiting[source] = set()
            self._queue.append(source)
        self._waiting[source].add(prim)
        return None

    # --- making them

    @property
    def idle(self) -> bool:
        """`step` has nothing to do."""
        return not (self._queue or self._arrived)

    def step(self) -> None:
        """Once a step: begin one that is asked for, and give some of those who waited their shapes."""
        if self._queue and self._running < AT_ONCE:
            source = self._queue.popleft()
            if self._wanted(source):
                self._running += 1
                self._region.tasks.spawn(self._bring(source), "asset solids")
        if not self._arrived:
            return
        end = self._region.clock.now() + SHARE
        while self._arrived and self._region.clock.now() <= end:
            root, _ = self._arrived.popitem(last=False)
            if root.row >= 0 and root.root is None:
                self._reshape(root)

    async def _bring(self, source: Source) -> None:
        outcome = "failed"
        try:
            outcome = await self._fetch(source)
        finally:
            self._running -= 1
            self._region.metrics.count("asset_solids", label=outcome)
            if outcome in ("made", "refused"):
                self._tell(source)
            else:
                self._tries[source] = tries = self._tries.get(source, 0) + 1
                self._region.tasks.after(min(AGAIN * 2 ** (tries - 1), LONGEST), lambda: self._queue.append(source))
            if not self._running and not self._queue:
                self._region.tasks.after(IDLE, self._rest)

    async def _fetch(self, source: Source) -> str:
        """Fetch it and have it made solid; what came of it, as counted."""
        try:
            data = await self._fetch_asset(source.asset)
        except AssetError as error:
            log.info("asset %s: %s", source.asset, error)
            return "unreachable"
        if data is None:
            return "missing"
        if len(data) > MOST_BYTES:
            self._refuse(source, f"{len(data)} bytes")
            return "refused"
        try:
            made = await self.workshop.make(source.what, source.kind, data)
        except (OSError, TimeoutError) as error:
            log.warning("asset %s: %s: %s", source.asset, type(error).__name__, error)
            return "failed"
        if isinstance(made, str):
            self._refuse(source, made)
            return "refused"
        self._known[source] = made
        self._kept += made.size
        while self._kept > MOST_KEPT and len(self._known) > 1:
            _, old = self._known.popitem(last=False)
            self._kept -= old.size
        return "made"

    def _refuse(self, source: Source, reason: str) -> None:
        log.info("asset %s is no solid: %s", source.asset, reason[:200])
        self._refused[source] = None
        if len(self._refused) > MOST_REFUSED:
            self._refused.popitem(last=False)

    def _tell(self, source: Source) -> None:
        """Those who wait for it are next to be reshaped."""
        self._tries.pop(source, None)
        waited = self._waiting.pop(source, set())
        if source in self._known:
            self._arrived.update(dict.fromkeys(prim.linkset_root for prim in waited if prim.row >= 0))

    def _wanted(self, source: Source) -> bool:
        """Whether a prim that waits for it is still there and still of that form; else nobody waits any more."""
        for prim in self._waiting.get(source, ()):
            now = source_of(prim)
            if prim.row >= 0 and now is not None and now.asset == source.asset:
                return True
        self._waiting.pop(source, None)
        self._tries.pop(source, None)
        return False

    def _rest(self) -> None:
        if not self._running and not self._queue:
            self._region.tasks.spawn(self.workshop.close(), "asset solids")

    async def close(self) -> None:
        """End the worker."""
        await self.workshop.close()


def work_of(shape: Shape) -> int:
    """What an asset's solid costs the region to stretch, in triangles; 0 for the solid of a prim."""
    if shape.made is not None:
        return len(shape.made.solid.triangles) if shape.form == Form.MESH else PIECE_WORK
    return sum(PIECE_WORK for part, *_ in shape.parts if part.made is not None)


def _hulls(source: Source, name: str, pieces: list[Convex], scale: Sequence[float]) -> Shape:
    x, y, z = scale
    parts: list[tuple[Shape, Any, Any]] = []
    for number, (hull, (cx, cy, cz)) in enumerate(pieces):
        shape = stretched(Form.HULL, Made((source, name, number), hull), scale)
        parts.append((shape, (cx * x, cy * y, cz * z), _NO_TURN))
    return compound(parts)

"""What a linkset is solid as: the solids of its prims, each where it is in the set."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from protocol.errors import ProtocolError
from protocol.shapes import Shape as PrimShape
from protocol.shapes import from_wire
from sim.physics.asset_solids import MOST_WORK, AssetSolids, Detail, source_of, work_of
from sim.physics.driving import moves_by_keyframes
from sim.physics.engine import BadBody, Shape, compound
from sim.physics.prims import prim_shape
from sim.world.agent import Vector
from sim.world.objects import Objects, Prim

NO_SHAPE, CONVEX = 1, 2  # Features tab: physics shape types "none" and "convex hull"
ALIKE = 4096  # prims whose solid is remembered: thousands of a region come in a handful of forms


@lru_cache(ALIKE)
def _real(fields: tuple[tuple[str, int], ...]) -> PrimShape:
    return from_wire(dict(fields))


@lru_cache(ALIKE)
def _solid(fields: tuple[tuple[str, int], ...], scale: Vector, convex: bool) -> Shape:
    return prim_shape(_real(fields), scale, convex)


def details(root: Prim) -> Sequence[Detail]:
    """How finely to make a linkset solid, as long as physics cannot have it: prims there is but one way."""
    return tuple(Detail) if any(source_of(prim) for prim in root.linkset()) else (Detail.FULL,)


class LinksetShapes:
    def __init__(self, objects: Objects, solids: AssetSolids) -> None:
        self._objects = objects
        self._solids = solids

    def shape(self, root: Prim, detail: Detail = Detail.FULL) -> tuple[Shape | None, str]:
        """The linkset as one shape around the root's origin, None when it is nothing to bump into; and what of it has none."""
        objects, wrong = self._objects, ""
        moves = root.physical or moves_by_keyframes(root.drives)
        parts = []
        for prim in root.linkset():
            if prim.features.shape_type == NO_SHAPE or prim.pcode != 9:
                continue
            row = objects.row(prim)
            scale, convex = row["scale"].tolist(), prim.features.shape_type == CONVEX
            try:
                shape = self._solids.shape(prim, scale, moves, detail)
                if shape is None:
                    shape = _solid(tuple(prim.shape.items()), tuple(scale), convex)
            except (BadBody, ProtocolError) as error:
                wrong = str(error)
                continue
            if prim is root:
                parts.append((shape, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)))
            else:
                parts.append((shape, row["position"].tolist(), row["rotation"].tolist()))
        if not parts:
            return None, wrong
        if detail == Detail.FULL and sum(work_of(shape) for shape, *_ in parts) > MOST_WORK:
            return self.shape(root, Detail.HULL)
        if len(parts) == 1 and parts[0][1] == (0.0, 0.0, 0.0) and parts[0][2] == (0.0, 0.0, 0.0, 1.0):
            return parts[0][0], wrong
        try:
            return compound(parts), wrong
        except BadBody as error:
            return None, str(error)

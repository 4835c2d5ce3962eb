"""The ground is shaped: raised, lowered, levelled, smoothed, roughened, put back as it was made; and a deed is undone.

Who may is asked of each sample by the parcel it lies in, so that a brush at a border stops there. The far edges (samples 256)
are the neighbours' ground where there are neighbours.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from protocol.wellknown import REGION_SIZE
from sim.actions.may import Actor
from sim.actions.outcome import Refused
from sim.region import Region
from sim.world.brushes import MOST_STRENGTH, Deed, falloff, shaped
from sim.world.terrain import EDGE, HIGHEST, LOWEST
from sim.world.undo import GroundStep, GroundSteps

NOT_YOURS = "The owner of this land does not let you shape it."
BLOCKED = "In this region only its owner may shape the land."
TOO_MUCH = "Not so much ground at once, please: wait a moment."
NOTHING = "There is nothing of yours to undo here: the land is as you found it, or others have shaped it since."
ALLOW_TERRAFORM = 0x10  # ParcelFlags
BLOCK_TERRAFORM = 0x40  # RegionFlags
RAISE_LIMIT, LOWER_LIMIT = (
    100.0,
    -100.0,
)  # metres from the ground as it was made; told to viewers, and not for the region's owner
MOST_RADIUS = 16.0  # metres; viewers send 11 at most
A_SECOND, AT_ONCE = 150_000.0, 300_000.0  # samples that one person may have shaped; the whole region has 66,000


@dataclass(frozen=True, slots=True)
class Stroke:
    """One wish. Metres in the region; where west is east and south north, a brush of that radius at the point."""

    deed: Deed
    strength: float
    level: float  # the height that levelling goes to
    west: float
    south: float
    east: float
    north: float
    radius: float = 1.0
    parcel: int = -1  # local id of the only parcel that is meant; -1: whatever is there

    @property
    def is_brush(self) -> bool:
        return self.west == self.east and self.south == self.north


def shape(region: Region, actor: Actor, steps: GroundSteps, stroke: Stroke) -> Refused | None:
    """Do what one stroke says to those samples that the actor may shape. `steps`: where it is remembered for `undo`."""
    numbers = (stroke.strength, stroke.level, stroke.west, stroke.south, stroke.east, stroke.north, stroke.radius)
    if not all(map(math.isfinite, numbers)) or stroke.strength <= 0:
        return Refused("", "malformed")
    world = region.world
    owner = actor.region or actor.agent_id == region.facts.owner_id
    if region.facts.flags & BLOCK_TERRAFORM and not owner:
        return Refused(BLOCKED, "terraforming is blocked")
    radius = min(max(stroke.radius, 0.5), MOST_RADIUS) if stroke.is_brush else 0.0
    xs, ys = (
        _samples(stroke.west - radius, stroke.east + radius),
        _samples(stroke.south - radius, stroke.north + radius),
    )
    if xs.start >= xs.stop or ys.start >= ys.stop:
        return None  # beside the region, or upside down: nothing is meant
    allowed = _allowed(region, actor, owner, stroke.parcel, xs, ys)
    if not allowed.any():
        return Refused(NOT_YOURS)
    if not steps.affords(region.clock.now(), allowed.size, A_SECOND, AT_ONCE):
        return Refused(TOO_MUCH, "too much ground")
    strength = min(stroke.strength, MOST_STRENGTH)
    weights = np.full(allowed.shape, strength)
    if stroke.is_brush:
        columns, rows = np.arange(xs.start, xs.stop), np.arange(ys.start, ys.stop)
        weights = strength * falloff(columns, rows, stroke.west, stroke.south, radius)
    weights[~allowed] = 0.0
    terrain = world.terrain
    level = min(max(stroke.level, LOWEST), HIGHEST)
    found = shaped(
        stroke.deed, terrain.heights, terrain.made, xs, ys, weights, level, radius or 2.0, terrain.revision + 1
    )
    before = terrain.heights[ys, xs].copy()
    if not owner:  # nobody's earlier work is cut down to the limits: only what goes beyond stays where it was
        made = terrain.made[ys, xs]
        found = np.clip(found, np.minimum(made + LOWER_LIMIT, before), np.maximum(made + RAISE_LIMIT, before))
    fresh = np.where(weights > 0, np.clip(found, LOWEST, HIGHEST), before).astype(np.float32)
    if np.array_equal(fresh, before):
        return None
    terrain.edit(xs.start, ys.start, fresh, actor.agent_id)
    steps.add(region.clock.now(), stroke.deed, GroundStep(xs.start, ys.start, before, fresh))
    return None


def undo(region: Region, actor: Actor, steps: GroundSteps) -> Refused | None:
    """Take the actor's last deed back, where nobody has shaped the ground since and the actor still may."""
    terrain = region.world.terrain
    owner = actor.region or actor.agent_id == region.facts.owner_id
    if region.facts.flags & BLOCK_TERRAFORM and not owner:
        return Refused(BLOCKED, "terraforming is blocked")
    while (step := steps.take()) is not None:
        height, width = step.before.shape
        xs, ys = slice(step.x, step.x + width), slice(step.y, step.y + height)
        here = terrain.heights[ys, xs]
        mine = (step.before != step.after) & (here == step.after) & _allowed(region, actor, owner, -1, xs, ys)
        if mine.any():
            terrain.edit(step.x, step.y, np.where(mine, step.before, here), actor.agent_id)
            return None
    return Refused(NOTHING, "nothing to undo")


def _samples(low: float, high: float) -> slice:
    """Whole metres from low to high, those of the region."""
    return slice(
        max(math.ceil(min(max(low, -1.0), 1e6)), 0), min(math.floor(min(max(high, -1e6), float(EDGE))), EDGE - 1) + 1
    )


def _allowed(region: Region, actor: Actor, owner: bool, parcel_id: int, xs: slice, ys: slice) -> NDArray[np.bool_]:
    """Which samples of a block the actor may shape, [y, x]."""
    world = region.world
    columns, rows = np.arange(xs.start, xs.stop), np.arange(ys.start, ys.stop)
    ids = world.parcel_map[np.minimum(rows // 4, 63)[:, None], np.minimum(columns // 4, 63)]
    fit = [
        parcel.local_id
        for parcel in world.parcels
        if (owner or actor.agent_id == parcel.owner_id or parcel.flags & ALLOW_TERRAFORM)
        and parcel_id in (-1, parcel.local_id)
    ]
    allowed = np.isin(ids, fit)
    if world.open_sides[1, 2]:
        allowed[:, columns == REGION_SIZE] = False
    if world.open_sides[2, 1]:
        allowed[rows == REGION_SIZE, :] = False
    return allowed

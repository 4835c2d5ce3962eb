"""What was kept stands in the world again: objects as they were, with the ids viewers know them by, and their scripts.

Thirty thousand prims must stand before the first viewer comes: forms are read together, columns filled by numpy. A row that
cannot be read is set aside with the reason, and costs nobody else anything.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from protocol.errors import ProtocolError
from sim.region import Region
from sim.scripts.inworld import Scripts
from sim.scripts.language.errors import CompileError
from sim.scripts.language.program import Program, compile_script
from sim.scripts.machine.failures import BadState
from sim.storage.batch import LinksetRow
from sim.storage.file import Kept, StoreFile
from sim.storage.land import read_parcel, read_settings, read_terrain
from sim.world import form
from sim.world.linkset import Linkset
from sim.world.objects import Prim

log = logging.getLogger(__name__)

UNSEEN = 1 << 20  # changes that a viewer may have been shown of one prim and that were not written before a kill


@dataclass(slots=True)
class Found:
    """What stands again, for one line of the log."""

    prims: int = 0
    linksets: int = 0
    scripts: int = 0
    begun_anew: int = 0  # scripts whose state could not be read
    set_aside: int = 0
    clean: bool = True  # whether the region was closed in order
    note: str = ""

    def line(self, region: str, seconds: float) -> str:
        """For the log."""
        parts = [f"{region} stands again after {seconds:.2f} s: {self.prims} prims in {self.linksets} linksets, {self.scripts} scripts"]
        if not self.clean:
            parts.append("it was not closed in order")
        if self.begun_anew:
            parts.append(f"{self.begun_anew} scripts began anew")
        if self.set_aside:
            parts.append(f"{self.set_aside} damaged rows were set aside")
        return "; ".join([*parts, *filter(None, [self.note])])


def restore(region: Region, scripts: Scripts, kept: Kept, file: StoreFile, temporary: Callable[[Prim, float], None]) -> Found:
    """Put everything that was kept into a region in which nothing stands yet. `temporary`: have it expire by itself."""
    found = Found(note=kept.note, clean=kept.is_clean)
    world = region.world
    heights, missing = read_terrain(kept.terrain, world.terrain.heights)
    world.terrain.heights[:] = heights
    if missing:
        log.error("%s: %d patches of the ground could not be read and are as nature made them", world.facts.name, missing)
    _restore_settings(region, kept, found)
    linksets, rows = _read(region, kept, file, found)
    if linksets:
        _stand(region, linksets, rows, kept)
    world.begin_local_ids(_whole(kept.facts.get("next_local_id", "1")))
    for linkset in linksets:
        if linkset.parts[0].prim.temporary:
            temporary(linkset.parts[0].prim, linkset.expires_in)
    _restore_scripts(region, scripts, kept, file, found)
    found.prims, found.linksets = world.objects.standing, len(linksets)
    return found


def _restore_settings(region: Region, kept: Kept, found: Found) -> None:
    facts = region.world.facts
    try:
        for name, value in read_settings(kept.facts.get("settings", "{}")).items():
            setattr(facts, name, value)
    except ProtocolError as error:
        log.error("%s: its settings are as in a new region: %s", facts.name, error)
        found.set_aside += 1
    parcels = []
    for number, row, cells in kept.parcels:
        try:
            parcels.append(read_parcel(row, cells))
        except ProtocolError as error:
            log.error("%s: parcel %d cannot be read: %s", facts.name, number, error)
            found.set_aside += 1
    world = region.world
    if parcels:
        first = world.parcels[0]
        world.parcels.clear()
        world.parcel_map[:] = 0
        for parcel in parcels:
            world.add_parcel(parcel)
        if (world.parcel_map == 0).any():  # of a parcel that could not be read: the region's own
            first.local_id = 1 + max(parcel.local_id for parcel in parcels)
            first.cells = world.parcel_map == 0
            world.add_parcel(first)


def _read(region: Region, kept: Kept, file: StoreFile, found: Found) -> tuple[list[Linkset], list[LinksetRow]]:
    """Every linkset that can be read, each prim once; the others are set aside."""
    bad: dict[bytes, tuple[bytes, str]] = {}
    linksets: list[Linkset] = []
    rows: list[LinksetRow] = []
    seen: set[UUID] = set()
    order = sorted(kept.linksets.items(), key=lambda item: -item[1].saved)
    for (key, row), linkset in zip(order, form.decode_all([row.form for _, row in order]), strict=True):
        if isinstance(linkset, ProtocolError):
            bad[key] = row.form, str(linkset)
            continue
        ids = [part.prim.full_id for part in linkset.parts]
        size = 4 * len(ids)
        if ids[0].bytes != key or len(row.local_ids) != size or len(row.crcs) != size:
            bad[key] = row.form, "the row belongs to another linkset"
            continue
        if not seen.isdisjoint(ids):
            # It was killed while a prim went from one linkset to another, and is in the later one.
            mine = [number for number, one in enumerate(ids) if one not in seen]
            if not mine or mine[0] != 0:
                bad[key] = row.form, "its root is part of a linkset written later"
                continue
            linkset.parts = [linkset.parts[number] for number in mine]
            ids = [ids[number] for number in mine]
            numbers = np.array(mine)
            row = row._replace(
                local_ids=np.frombuffer(row.local_ids, "<u4")[numbers].tobytes(),
                crcs=np.frombuffer(row.crcs, "<u4")[numbers].tobytes(),
            )
        seen.update(ids)
        linksets.append(linkset)
        rows.append(row)
    if bad:
        for key, (_, reason) in bad.items():
            log.error("%s: linkset %s is set aside: %s", region.world.facts.name, UUID(bytes=key.rjust(16, b"\0")[:16]), reason)
        region.metrics.count("store_errors", len(bad), label="damaged row")
        file.set_aside("linksets", bad, region.clock.unix())
        found.set_aside += len(bad)
    return linksets, rows


def _stand(region: Region, linksets: list[Linkset], rows: list[LinksetRow], kept: Kept) -> None:
    objects = region.world.objects
    parts = [part for linkset in linksets for part in linkset.parts]
    prims = [part.prim for part in parts]
    sizes = np.array([len(linkset.parts) for linkset in linksets])
    first = np.repeat(np.cumsum(sizes) - sizes, sizes)  # of each prim: where its root stands in the list
    child = first != np.arange(len(parts))
    positions = np.array([part.position for part in parts], np.float32)
    rotations = np.array([part.rotation for part in parts], np.float32)
    scales = np.array([part.scale for part in parts], np.float32)
    local_ids = np.frombuffer(b"".join(row.local_ids for row in rows), "<u4")
    crcs = np.frombuffer(b"".join(row.crcs for row in rows), "<u4")
    if len(np.unique(local_ids)) < len(local_ids) or (local_ids == 0).any():
        log.error("%s: local ids are damaged: viewers are told everything anew", region.world.facts.name)
        local_ids = np.arange(1, len(parts) + 1, dtype=np.uint32)
    region.world.begin_local_ids(int(local_ids.max()) + 1)
    world_positions = positions.copy()
    world_positions[child] = positions[first[child]] + _turned(rotations[first[child]], positions[child])
    for number in np.flatnonzero(child).tolist():
        root = prims[int(first[number])]
        prims[number].root = root
        root.children.append(prims[number])
    objects.add_all(prims, local_ids.tolist(), world_positions, rotations, scales)
    at = np.array([prim.row for prim in prims])
    table = objects.rows
    table["position"][at] = positions
    table["root"][at] = ~child
    table["parent"][at] = np.where(child, at[first], -1)
    table["crc"][at] = np.maximum(crcs, 1)
    roots = at[~child]
    table["velocity"][roots] = np.array([linkset.velocity for linkset in linksets], np.float32)
    table["angular_velocity"][roots] = np.array([linkset.angular_velocity for linkset in linksets], np.float32)
    if not kept.is_clean:
        objects.least_crc = min(int(crcs.max()) + UNSEEN, (1 << 32) - UNSEEN)


def _turned(turns: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Each vector turned by its quaternion."""
    axis, w = turns[:, :3].astype(np.float64), turns[:, 3:].astype(np.float64)
    twice = 2.0 * np.cross(axis, vectors)
    return (vectors + w * twice + np.cross(axis, twice)).astype(np.float32)


def _restore_scripts(region: Region, scripts: Scripts, kept: Kept, file: StoreFile, found: Found) -> None:
    programs: dict[bytes, Program | None] = {}
    bad: dict[bytes, tuple[bytes, str]] = {}
    held: dict[Prim, None] = {}
    left: list[bytes] = []
    for key, row in kept.scripts.items():
        prim = region.world.objects.by_id.get(UUID(bytes=row.prim_id)) if len(row.prim_id) == 16 else None
        if prim is None or len(key) != 16:
            bad[key] = row.state, f"script {row.name!r}: its prim is not there"
            continue
        source = kept.sources.get(row.source)
        if row.source not in programs:
            programs[row.source] = _compiled(source)
        program = programs[row.source]
        if program is None or source is None:  # its row stays: another version may read it
            log.error("%s: script %s in %s stands still: its source does not compile", region.world.facts.name, row.name, prim.full_id)
            left.append(key)
            continue
        try:
            scripts.restore(prim, program, source, str(UUID(bytes=key)), row.state)
        except BadState as error:
            log.error("%s: script %s in %s begins anew: %s", region.world.facts.name, row.name, prim.full_id, error)
            bad[key] = row.state, f"script {row.name!r} began anew: {error}"
            scripts.start(prim, program, source, row.name)
            found.begun_anew += 1
        held[prim] = None
        found.scripts += 1
    for prim in held:
        scripts.flags(prim)
    for key in left:
        del kept.scripts[key]
    if bad:
        region.metrics.count("store_errors", len(bad), label="damaged script")
        for _, reason in bad.values():
            log.error("%s: %s", region.world.facts.name, reason)
        file.set_aside("scripts", bad, region.clock.unix())
        found.set_aside += len(bad)


def _compiled(source: str | None) -> Program | None:
    try:
        return compile_script(source) if source is not None else None
    except CompileError:
        return None


def _whole(text: str) -> int:
    try:
        return min(max(int(text), 1), (1 << 32) - 1)
    except ValueError:
        return 1

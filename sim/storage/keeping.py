"""The frame's share of keeping: what changed is encoded within a small budget, and given to the writer whole.

    storage = Storage(region, scripts)      opens the file and reads it; `storage.kept` is what was found
    storage.begin()                         after everything stands: from now on changes are written
    storage.run()                           a stage of the frame
    await storage.close()                   writes all that is left, scripts as they are at this moment

A linkset is written whole when anything of it changed. A batch leaves only when every change known so far is in it, so that a
prim that went from one linkset to another is in one of them whenever the process dies. What moves by itself is written where it
comes to rest, and every half minute on the way. Scripts are written in turn, each that ran within a minute.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
from collections.abc import Callable
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np

from protocol.errors import ProtocolError
from sim.clock import FRAMES_PER_SECOND
from sim.region import Region
from sim.scripts.inworld import Scripts
from sim.scripts.machine.saved import save
from sim.scripts.machine.script import Script
from sim.storage.batch import Batch, Change, LinksetRow, ScriptRow
from sim.storage.file import Kept, StoreFile
from sim.storage.land import parcel_row, settings_row, terrain_rows
from sim.storage.transit import Transit, read_transit
from sim.storage.writer import Writer
from sim.world import form
from sim.world.changes import EVERYTHING, What
from sim.world.linkset import gather
from sim.world.objects import Prim

log = logging.getLogger(__name__)

BUDGET = 0.0015  # seconds of a frame for encoding; one linkset may take it over that
TOGETHER = 32  # prims that are encoded at once
OVERDUE = 1.0  # seconds after which a batch leaves though not every change is in it
LAND_EVERY = 0.5  # seconds between looks at parcels, settings and ground
STALE = 25.0  # seconds after which something that moves is written again
ROUND = 45.0  # seconds in which every script has its turn
SAME_DEED = 10.0  # seconds within which the same person's changes of a linkset are one entry of the history
LOCAL_IDS = 100_000  # set aside at a time: none is used twice, whatever happens
CLOSING = 4.0  # seconds that the last write may take
READ = EVERYTHING & ~What.RIDERS


class Storage:
    def __init__(self, region: Region, path: str) -> None:
        self.region = region
        self._file = StoreFile(Path(path), region.clock.unix()) if path else None
        self.kept = self._file.kept if self._file is not None else Kept()
        if not self.kept.is_new:
            region.world.facts.cache_id = cache_id(self.kept)
        self.transits = self._read_transits()
        self.writer: Writer | None = None
        self._told = ""
        self._batch = Batch()
        self._batch_since = 0.0

    def _read_transits(self) -> dict[UUID, Transit]:
        """Moves that a crash or a silence left open. A row that cannot be read is set aside."""
        found: dict[UUID, Transit] = {}
        bad: dict[bytes, tuple[bytes, str]] = {}
        for key, row in self.kept.transits.items():
            try:
                if len(key) != 16:
                    raise ProtocolError("a move has an id of 16 bytes")
                found[UUID(bytes=key)] = read_transit(row)
            except ProtocolError as error:
                log.error("%s: a move is set aside: %s", self.region.facts.name, error)
                bad[key] = repr(tuple(row)).encode(), str(error)
        if bad and self._file is not None:
            self.region.metrics.count("store_errors", len(bad), label="damaged row")
            self._file.set_aside("transits", bad, self.region.clock.unix())
        return found

    def note(self, transit_id: UUID, transit: Transit | None) -> None:
        """Remember a move from now on, or not any more; in one commit with everything that has changed until now and that
        `durable` finds changed when it is called next, without anything awaited between."""
        if transit is not None:
            self.transits[transit_id] = transit
        elif self.transits.pop(transit_id, None) is None:
            return
        if self.writer is not None:
            self._batch.transits[transit_id.bytes] = transit.row() if transit is not None else None

    @property
    def due(self) -> int:
        """Linksets that changed and are not given to the writer yet."""
        return len(self._due) + len(self._new) + len(self._batch.linksets) if self.writer is not None else 0

    @property
    def file(self) -> StoreFile | None:
        return self._file

    def begin(self, scripts: Scripts, tell: Callable[[str], None]) -> None:
        """Everything stands. What a new region is made of is durable when this returns; then changes are written.

        `tell`: says something to everybody in the region.
        """
        if self._file is None:
            return
        world, now = self.region.world, self.region.clock.now()
        self._scripts, self._tell = scripts, tell
        self._changes = world.changes.prims.reader(READ)
        self._new: dict[Prim, None] = {}  # roots that the store does not have
        self._due: dict[Prim, None] = {}  # roots of which it has an older form
        self._joined: dict[Prim, None] = {}  # those that are no roots any more, and had rows of their own
        self._stored: set[UUID] = {UUID(bytes=key) for key in self.kept.linksets}
        self._sources: set[bytes] = set(self.kept.sources)
        self._scripts_of: dict[UUID, set[UUID]] = {}
        for key, row in self.kept.scripts.items():
            self._scripts_of.setdefault(UUID(bytes=row.prim_id), set()).add(UUID(bytes=key))
        self._fresh: dict[Script, Prim] = {}
        self._saved_at: dict[Script, float] = {}  # world time
        self._turns: list[tuple[Script, Prim]] = []  # those that have not had their turn in this round
        self._turns_a_frame = 0
        self._moving: dict[Prim, float] = {}  # since when, or when it was written last
        self._deeds: dict[bytes, tuple[UUID | None, float]] = {}  # of each linkset the last entry of the history
        self._unfit: dict[Prim, None] = {}  # of which it was said that they have no room
        self._land_at = 0.0
        self._heights = world.terrain.heights.copy()
        self._revision = world.terrain.revision
        self._parcels: dict[int, tuple[str, bytes]] = {}
        self._settings = ""
        self._ids_until = 0
        settings = self.region.settings
        self.writer = Writer(self._file, self.region.clock.unix, settings.history_days, settings.history_bytes)
        batch = self._batch
        batch.facts["state"] = "open"
        if self.kept.is_new:
            batch.facts |= {
                "made": str(self.region.clock.unix()), "schema": "1", "region_id": str(world.facts.region_id), "cache_id": str(world.facts.cache_id),
            }  # fmt: skip
            batch.terrain = terrain_rows(world.terrain.heights)
            self._new = dict.fromkeys(world.objects.roots())
            self._fresh = dict(scripts.everyone())
            self._encode(math.inf)
        self._look_at_land(now, always=True)
        self._give(now)
        if not self.writer.flush(30.0):
            log.error("%s: the store takes nothing: %s", world.facts.name, self.writer.trouble)
        if not self.kept.is_new:
            self.writer.back_up()
        self.kept = self._file.kept = Kept()  # what was read is in the world now

    # --- the frame's stage

    def run(self) -> None:
        """Encode what changed, as far as the budget goes, and give it to the writer."""
        if self.writer is None:
            return
        now = self.region.clock.now()
        self._note(self.region.clock.unix())
        if now >= self._land_at:
            self._land_at = now + LAND_EVERY
            self._look_at_land(now)
            self._look_at_movers(now)
        self._encode(now + BUDGET)
        waiting = len(self._due) + len(self._new)
        if not self._batch:
            self._batch_since = now
        elif not waiting or now > self._batch_since + OVERDUE:
            self._give(now)
        self._tell_trouble(self.writer.trouble)

    def _tell_trouble(self, trouble: str) -> None:
        """Say once that nothing can be kept, and once that it can again."""
        if bool(trouble) == bool(self._told):
            return
        self._told = trouble
        name = self.region.world.facts.name
        if trouble:
            self.region.metrics.count("store_errors", label="not written")
            self._tell(
                f"The disk of {name} takes nothing now ({trouble[:100]}). What you change stays as long as the region runs, and is "
                "kept as soon as there is room."
            )
        else:
            log.info("%s: the store takes everything again", name)
            self._tell(f"{name} keeps everything again; nothing was lost.")

    @property
    def trouble(self) -> str:
        """Why nothing can be written now; "" when all is well."""
        return self.writer.trouble if self.writer is not None else ""

    async def durable(self, seconds: float = 5.0) -> bool:
        """Whether everything that has changed until now is on the disk, once it is; False when the disk takes nothing, or when the
        time is over."""
        if self.writer is None:
            return True
        self._note(self.region.clock.unix())
        self._encode(math.inf)
        if self._batch:
            self._give(self.region.clock.now())
        loop = asyncio.get_running_loop()
        said: asyncio.Future[bool] = loop.create_future()

        def say(done: bool) -> None:
            if not said.done():
                said.set_result(done)

        self.writer.when(self.writer.given, lambda done: _from_thread(loop, say, done))
        try:
            return await asyncio.wait_for(said, seconds)
        except TimeoutError:
            return False

    async def close(self) -> None:
        """Write all that is left, exactly as it is now."""
        if self.writer is None:
            return
        world, now = self.region.world, self.region.clock.now()
        self._note(self.region.clock.unix())
        self._due |= dict.fromkeys(root for root in self._moving if root.row >= 0)
        self._fresh = dict(self._scripts.everyone())
        self._encode(math.inf)
        self._look_at_land(now, always=True)
        self._batch.facts |= {"state": "closed", "next_local_id": str(world.next_local_id)}
        self._give(now)
        writer, self.writer = self.writer, None
        if not await asyncio.to_thread(writer.close, CLOSING):
            log.error("%s: what changed last is not kept: %s", world.facts.name, writer.trouble or "the disk is too slow")

    # --- what changed

    def _note(self, unix: float) -> None:
        for prim, (what, by) in self._changes.take_with_authors().items():
            if prim.row < 0:
                self._gone(prim, by, unix)
                continue
            root = prim.linkset_root
            if root.worn is not None:  # it belongs to an item of an inventory
                self._gone(prim, by, unix)
                continue
            self._want(root)
            if root is not prim and prim.full_id in self._stored:
                self._joined[prim] = None
            if by is not None or what & What.MADE:
                self._remember(root, what, by, unix)
            if what & (What.MADE | What.SCRIPTS | What.CONTENTS | What.WORN):
                here = {UUID(script.item_id): script for script in self._scripts.of(prim)}
                for item in self._scripts_of.pop(prim.full_id, set()) - here.keys():
                    self._batch.scripts[item.bytes] = None
                self._fresh |= dict.fromkeys(here.values(), prim)

    def _want(self, root: Prim) -> None:
        (self._due if root.full_id in self._stored else self._new)[root] = None

    def _gone(self, prim: Prim, by: UUID | None, unix: float) -> None:
        for waiting in (self._due, self._new, self._joined, self._moving, self._unfit):
            waiting.pop(prim, None)  # type: ignore[attr-defined]
        if prim.full_id in self._stored:
            self._remember(prim, What.GONE, by, unix)
            self._take_out(prim.full_id)
        for item in self._scripts_of.pop(prim.full_id, ()):
            self._batch.scripts[item.bytes] = None

    def _take_out(self, root_id: UUID) -> None:
        self._stored.discard(root_id)
        self._batch.linksets[root_id.bytes] = None

    def _remember(self, root: Prim, what: What, by: UUID | None, unix: float) -> None:
        key = root.full_id.bytes
        last, at = self._deeds.get(key, (None, 0.0))
        if not what & What.GONE and last == by and unix < at + SAME_DEED:
            return
        if len(self._deeds) > 10_000:
            self._deeds.clear()
        self._deeds[key] = by, unix
        self._batch.history.append(Change(unix, by.bytes if by is not None else None, int(what), key))

    def _look_at_movers(self, now: float) -> None:
        """What physics moves is noted by nobody: it is written when it comes to rest, and now and then before."""
        objects = self.region.world.objects
        rows = objects.rows[: objects.count]
        still = self._moving.keys()
        moving = {objects.of_row[row] for row in np.flatnonzero(rows["moving"] & rows["root"]).tolist()}
        for prim in [prim for prim in still if prim not in moving]:
            del self._moving[prim]
            if prim.row >= 0:
                self._want(prim.linkset_root)
        for prim in moving:
            since = self._moving.setdefault(prim, now)
            if now - since >= STALE:
                self._moving[prim] = now
                self._want(prim)

    def _look_at_land(self, now: float, always: bool = False) -> None:
        world, batch = self.region.world, self._batch
        if world.terrain.revision != self._revision:
            self._revision = world.terrain.revision
            batch.terrain |= terrain_rows(world.terrain.heights, self._heights)
            self._heights = world.terrain.heights.copy()
        rows = {parcel.local_id: parcel_row(parcel) for parcel in world.parcels}
        batch.parcels |= {number: row for number, row in rows.items() if self._parcels.get(number) != row}
        batch.parcels |= dict.fromkeys(self._parcels.keys() - rows.keys())
        self._parcels = rows
        settings = settings_row(world.facts)
        if settings != self._settings:
            self._settings = batch.facts["settings"] = settings
        if always or world.next_local_id > self._ids_until - LOCAL_IDS // 2:
            self._ids_until = world.next_local_id + LOCAL_IDS
            batch.facts["next_local_id"] = str(self._ids_until)

    # --- encoding

    def _encode(self, until: float) -> None:
        # New rows first: what went from one linkset to another is in both for a moment, never in none.
        for waiting in (self._new, self._due):
            while waiting and self.region.clock.now() < until:
                self._encode_some(waiting)
        if not self._new and not self._due:
            for prim in self._joined:
                if prim.full_id in self._stored and prim.root is not None:
                    self._take_out(prim.full_id)
            self._joined.clear()
        self._encode_scripts(until)

    def _encode_some(self, waiting: dict[Prim, None]) -> None:
        """Take a few linksets off the list, and put their rows into the batch."""
        group: list[Prim] = []
        prims = 0
        while waiting and (not group or prims < TOGETHER):
            root = next(iter(waiting))
            del waiting[root]
            if root.root is not None or root.row < 0 or root.worn is not None:
                continue  # it was linked to another, is worn, or has gone, since
            if root.temporary:
                if root.full_id in self._stored:
                    self._take_out(root.full_id)
                continue
            group.append(root)
            prims += 1 + len(root.children)
        if group:
            self._encode_group(group, self.region.clock.now(), self.region.clock.unix())

    def _encode_scripts(self, until: float) -> None:
        """Those that came, and of the others so many that each has its turn in a round."""
        clock = self.region.clock
        while self._fresh and clock.now() < until:
            script, prim = self._fresh.popitem()
            self._encode_script(script, prim)
        if not self._turns:
            self._turns = self._scripts.everyone()
            self._turns_a_frame = math.ceil(len(self._turns) / (ROUND * FRAMES_PER_SECOND))
        for _ in range(self._turns_a_frame):
            if not self._turns or clock.now() >= until:
                break
            script, prim = self._turns.pop()
            if script.now > self._saved_at.get(script, -1.0):  # it ran since, or something came to it
                self._encode_script(script, prim)

    def _encode_group(self, roots: list[Prim], now: float, unix: float) -> None:
        objects = self.region.world.objects
        linksets = gather(objects, roots, now)
        places = [part.prim.row for linkset in linksets for part in linkset.parts]
        ids = objects.rows["local_id"][places].astype("<u4").tobytes()
        crcs = objects.rows["crc"][places].astype("<u4").tobytes()
        end = 0
        for root, data in zip(roots, form.encode_all(linksets), strict=True):
            at, end = end, end + 4 * (1 + len(root.children))
            if isinstance(data, ProtocolError):
                self.region.metrics.count("store_errors", label="too large")
                if root not in self._unfit:
                    self._unfit[root] = None
                    log.error("object %s is not kept as it is now: %s", root.full_id, data)
                continue
            self._batch.linksets[root.full_id.bytes] = LinksetRow(data, ids[at:end], crcs[at:end], unix)
            self._stored.add(root.full_id)

    def _encode_script(self, script: Script, prim: Prim) -> None:
        root = prim.linkset_root
        if prim.row < 0 or root.temporary or root.worn is not None or script not in self._scripts.of(prim):
            self._saved_at.pop(script, None)
            return
        source = hashlib.blake2b(script.source.encode("utf-8", "replace"), digest_size=16).digest()
        if source not in self._sources:
            self._sources.add(source)
            self._batch.sources[source] = script.source.encode("utf-8", "replace").decode()
        now = self.region.world.time
        row = ScriptRow(prim.full_id.bytes, script.name, source, save(script, now), self.region.clock.unix())
        item = UUID(script.item_id)
        self._batch.scripts[item.bytes] = row
        self._scripts_of.setdefault(prim.full_id, set()).add(item)
        self._saved_at[script] = now

    def _give(self, now: float) -> None:
        assert self.writer is not None
        self.writer.give(self._batch)
        self._batch = Batch()
        self._batch_since = now


def _from_thread(loop: asyncio.AbstractEventLoop, say: Callable[[bool], None], done: bool) -> None:
    try:
        loop.call_soon_threadsafe(say, done)
    except RuntimeError:  # the loop has ended: nobody waits any more
        log.debug("nobody waits for the store any more")


def cache_id(kept: Kept) -> UUID:
    """The id by which viewers know what they remember of this region: the same for as long as the store lives."""
    try:
        return UUID(kept.facts["cache_id"])
    except (KeyError, ValueError):
        return uuid4()

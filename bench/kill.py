"""Processes are killed with -9 at random while people move, edit and script things: is anything lost or doubled?

`python -m bench.kill --kills 200`. Each builder has things of which there is only one: an object and a notecard that go from the inventory
into the world or into a box and back, and a box whose name is edited and whose script is saved. Regions, Backbone and the asset
store are killed at random moments. In the end the grid stops, and all of it is counted on the disk.

    acknowledged   moves, edits and saves that were answered; an edit counts once it was shown for a second
    lost           things that are nowhere, and acknowledged changes that are not there
    doubled        things that are in more than one place
    unopened       stores that could not be read
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp

import viewer
from assets.client import AssetClient, AssetError
from backbone.client import BackboneClient, BackboneError
from bench.kit import BenchGrid, arguments, progress, running_grid, show
from protocol import llsd
from protocol.errors import ProtocolError
from protocol.inventory import Item, item_to_json
from protocol.message import Message
from protocol.permissions import Masks
from protocol.wellknown import NULL, AssetType, Folder, InventoryType, Permission
from sim.actions import take
from sim.storage.file import unpacked
from sim.world import form
from sim.world.linkset import Linkset, Part
from sim.world.objects import Prim

ONLY = Permission.ALL & ~Permission.COPY
UNIQUE = Masks(ONLY, ONLY, 0, 0, ONLY)
PASSWORD = "builders' pw"
ANSWER = 6.0  # seconds that a builder waits for one
SHOWN = 1.1  # seconds
SETTLED = 90.0  # seconds in which everything that was open must be over
# What comes of it when a process ends in the middle of an answer.
TROUBLE = (viewer.ViewerError, BackboneError, AssetError, ProtocolError, aiohttp.ClientError, TimeoutError, OSError, KeyError)
SETTINGS = "restart_most_seconds = 2.0\n"
DEREZ_TAKE = 4


@dataclass
class Value:
    """Something that changes: what it was said to be last, and what was asked for since without an answer."""

    acknowledged: str = ""
    asked: list[str] = field(default_factory=list)

    def may_be(self, found: str) -> bool:
        return not self.acknowledged or found == self.acknowledged or found in self.asked

    def answered(self, value: str) -> None:
        self.acknowledged, self.asked = value, []


@dataclass
class Services:
    """The grid's own services, as an operator's tool reaches them."""

    backbone: BackboneClient
    assets: AssetClient
    http: aiohttp.ClientSession


class Builder:
    """One person who never stops, and comes back whenever the world is away."""

    def __init__(self, number: int, login_uri: str, region: str, services: Services, chance: random.Random, tally: Counter[str]) -> None:
        self.number, self.login_uri, self.region = number, login_uri, region
        self.services, self.chance, self.tally = services, chance, tally
        self.object, self.note = f"object {number}", f"note {number}"
        self.box_id: UUID | None = None
        self.name, self.script = Value(), Value()
        self.agent_id = ""
        self.folder = ""
        self.at = (60.0 + 12 * number, 128.0, 60.0)

    async def outfit(self) -> None:
        """Its account, and the things of which there is one."""
        backbone = self.services.backbone
        self.agent_id = (await backbone.create_user("Builder", str(self.number), PASSWORD))["agent_id"]
        tree = await backbone.get_inventory_skeleton(self.agent_id)
        self.folder = next(one["folder_id"] for one in tree["folders"] if one["type"] == Folder.OBJECTS)
        me = UUID(self.agent_id)
        prim = Prim(uuid4(), me, me, last_owner_id=me, name=self.object, text=self.object, permissions=UNIQUE)
        data = take.pack([Linkset([Part(prim, (128.0, 128.0, 30.0), (0.0, 0.0, 0.0, 1.0), (0.5, 0.5, 0.5))])])
        for name, kind, shown, content in (
            (self.object, AssetType.OBJECT, InventoryType.OBJECT, data), (self.note, AssetType.NOTECARD, InventoryType.NOTECARD, b"a note"),
        ):  # fmt: skip
            asset = uuid4()
            await self.services.assets.put(asset, content, kind)
            item = Item(
                uuid4(), asset, name, owner_id=me, creator_id=me, last_owner_id=me, asset_type=int(kind), inventory_type=int(shown),
                permissions=UNIQUE, folder_id=UUID(self.folder),
            )  # fmt: skip
            await backbone.create_item(me, item_to_json(item))

    async def live(self, ended: asyncio.Event) -> None:
        while not ended.is_set():
            try:
                start = f"uri:{self.region}&{self.at[0]:.0f}&{self.at[1]:.0f}&{self.at[2]:.0f}"
                async with viewer.login(self.login_uri, "Builder", str(self.number), PASSWORD, start=start) as me:
                    try:
                        await self._work(me, ended)
                    except TROUBLE:
                        await me.close()  # nobody is there to say goodbye to
                        raise
            except TROUBLE:
                self.tally["interrupted"] += 1
            await asyncio.sleep(0.2)

    async def _work(self, me: viewer.Client, ended: asyncio.Event) -> None:
        me.fly()
        await asyncio.sleep(1.0)  # what stands around is shown
        await self._find_box(me)
        self.tally["at work"] += 1
        try:
            while not ended.is_set() and not me.closed:
                deed = self.chance.choice((self._move_object, self._move_object, self._move_note, self._edit, self._save))
                if await deed(me):
                    self.tally["acknowledged"] += 1
                await asyncio.sleep(0.05)
        finally:
            self.tally["at work"] -= 1

    async def _find_box(self, me: viewer.Client) -> None:
        if self.box_id is not None and me.find(self.box_id) is None and not self.name.acknowledged:
            self.box_id = None  # it had not been shown for a second
        if self.box_id is None:
            box = await me.building.rez_box(self.at)
            self.box_id, self.name, self.script = box.id, Value(), Value()
            await asyncio.sleep(SHOWN)
            await me.building.about(box)
            self.name.answered("")

    def _box(self, me: viewer.Client) -> viewer.Entity:
        box = me.find(self.box_id) if self.box_id is not None else None
        if box is None:
            raise KeyError("the box is not in sight")
        return box

    # --- moves

    async def _items(self) -> dict[str, dict[str, Any]]:
        backbone = self.services.backbone
        tree = await backbone.get_inventory_skeleton(self.agent_id)
        wanted = [{"folder_id": one["folder_id"], "fetch_folders": False, "fetch_items": True} for one in tree["folders"]]
        found = await backbone.fetch_folders(self.agent_id, wanted)
        return {item["name"]: item for one in found["folders"] for item in one["items"]}

    async def _inside(self, me: viewer.Client, name: str) -> dict[str, Any] | None:
        url = (await self._caps(me, "RequestTaskInventory"))["RequestTaskInventory"]
        async with self.services.http.get(f"{url}?task_id={self.box_id}") as answer:
            told = llsd.parse(await answer.read())
        return next((item for item in told["contents"] if item["name"] == name), None)

    async def _caps(self, me: viewer.Client, *names: str) -> dict[str, str]:
        caps = me.root.caps
        if caps is None:
            raise KeyError("no capabilities")
        async with self.services.http.post(caps.seed, data=llsd.format_xml(list(names))) as answer:
            return dict(llsd.parse(await answer.read()))

    async def _move_object(self, me: viewer.Client) -> bool:
        item = (await self._items()).get(self.object)
        there = next((one for one in me.root.entities.values() if one.text == self.object), None)
        if item is not None and self.chance.random() < 0.7:
            data = {"FromTaskID": NULL, "BypassRaycast": 1, "RayStart": self.at, "RayEnd": self.at}
            rez = Message("RezObject", AgentData=_me(me), RezData=data, InventoryData={"ItemID": UUID(item["item_id"])})
            return await self._answered(me, rez, "RemoveInventoryItem")
        if item is not None:
            return await self._drop(me, item)
        if there is not None:
            block = {"GroupID": NULL, "Destination": DEREZ_TAKE, "DestinationID": UUID(self.folder), "TransactionID": uuid4(), "PacketCount": 1}
            derez = Message("DeRezObject", AgentData=_me(me), AgentBlock=block, ObjectData=[{"ObjectLocalID": there.local_id}])
            return await self._answered(me, derez, "DeRezAck", lambda heard: bool(heard["TransactionData"]["Success"]))
        return await self._out(me, self.object)

    async def _move_note(self, me: viewer.Client) -> bool:
        item = (await self._items()).get(self.note)
        return await (self._drop(me, item) if item is not None else self._out(me, self.note))

    async def _drop(self, me: viewer.Client, item: dict[str, Any]) -> bool:
        where = {"LocalID": self._box(me).local_id, "Key": 0}
        block = {"ItemID": UUID(item["item_id"]), "Name": b"", "Description": b""}
        drop = Message("UpdateTaskInventory", AgentData=_me(me), UpdateData=where, InventoryData=block)
        return await self._answered(me, drop, "RemoveInventoryItem")

    async def _out(self, me: viewer.Client, name: str) -> bool:
        inside = await self._inside(me, name)
        if inside is None:
            return False
        block = {"LocalID": self._box(me).local_id, "ItemID": UUID(str(inside["item_id"]))}
        move = Message("MoveTaskInventory", AgentData={**_me(me), "FolderID": UUID(self.folder)}, InventoryData=block)
        return await self._answered(me, move, "BulkUpdateInventory")

    async def _answered(
        self, me: viewer.Client, message: Message, name: str, well: Callable[[Any], bool] = lambda heard: True
    ) -> bool:
        reply = me.expect(name)
        me.send(message)
        try:
            return well(await asyncio.wait_for(reply, ANSWER))
        except TimeoutError:
            self.tally["unanswered"] += 1
            return False

    # --- edits and saves

    async def _edit(self, me: viewer.Client) -> bool:
        box, name = self._box(me), f"box {self.number} {uuid4().hex[:8]}"
        self.name.asked.append(name)
        block = {"LocalID": box.local_id, "Name": name.encode() + b"\0"}
        me.send(Message("ObjectName", AgentData=_me(me), ObjectData=[block]))
        shown = (await me.building.about(box, ANSWER)).name
        await asyncio.sleep(SHOWN)
        if shown != name or (await me.building.about(box, ANSWER)).name != name:
            return False
        self.name.answered(name)
        return True

    async def _save(self, me: viewer.Client) -> bool:
        box = self._box(me)
        script = await self._inside(me, "New Script")
        if script is None:
            block = {"ItemID": NULL, "FolderID": NULL, "Name": b"New Script\0", "Description": b"\0", "Type": 10, "InvType": 10}
            update = {"ObjectLocalID": box.local_id, "Enabled": True}
            me.send(Message("RezScript", AgentData={**_me(me), "GroupID": NULL}, UpdateBlock=update, InventoryBlock=block))
            await asyncio.sleep(0.5)
            return False
        url = (await self._caps(me, "UpdateScriptTask"))["UpdateScriptTask"]
        asked = {"task_id": self.box_id, "item_id": UUID(str(script["item_id"])), "is_script_running": True}
        text = f"// {uuid4().hex}\ndefault {{ state_entry() {{ }} }}"
        async with self.services.http.post(url, data=llsd.format_xml(asked)) as answer:
            uploader = llsd.parse(await answer.read())["uploader"]
        self.script.asked.append(text)
        async with self.services.http.post(uploader, data=text.encode()) as answer:
            told = llsd.parse(await answer.read())
        if told.get("state") != "complete":
            return False
        self.script.answered(text)
        return True


def _me(me: viewer.Client) -> dict[str, Any]:
    return {"AgentID": me.session.agent_id, "SessionID": me.session.session_id}


# --- killing


class Killer:
    """Ends processes of a grid that `mainland up` supervises, one after the other."""

    def __init__(self, data: Path, regions: list[str], chance: random.Random, tally: Counter[str]) -> None:
        self.data, self.chance, self.tally = data, chance, tally
        self.names = ["backbone", "assets", *regions]
        self.killed: Counter[str] = Counter()

    def _up(self) -> dict[str, int]:
        state = json.loads((self.data / "run" / "status.json").read_text())
        return {part["name"]: part["pid"] for part in state["processes"] if part["state"] == "up" and part["name"] in self.names}

    async def kill(self, count: int) -> None:
        """So many, each at a random moment at which somebody is at work again, or after a while all the same."""
        while self.killed.total() < count:
            await asyncio.sleep(self.chance.uniform(0.2, 4.0))
            for _ in range(100):
                if self.tally["at work"]:
                    break
                await asyncio.sleep(0.2)
            try:
                up = self._up()
            except (OSError, ValueError):
                continue
            if not up:
                continue
            name = self.chance.choice(sorted(up))
            with contextlib.suppress(ProcessLookupError):
                os.kill(up[name], signal.SIGKILL)
                self.killed[name] += 1
                if self.killed.total() % 10 == 0 or count <= 10:
                    progress(f"{self.killed.total()} of {count} killed: {', '.join(f'{k} {v}' for k, v in sorted(self.killed.items()))}")

    async def all_up(self) -> None:
        end = time.monotonic() + SETTLED
        while time.monotonic() < end:
            with contextlib.suppress(OSError, ValueError):
                if len(self._up()) == len(self.names):
                    return
            await asyncio.sleep(0.2)
        raise TimeoutError(f"not all are up again: {self._up()}")


# --- counting


@dataclass
class OnDisk:
    """What the stores of a grid hold, read from their files."""

    places: Counter[str] = field(default_factory=Counter)  # how often each thing of that name is anywhere
    boxes: dict[UUID, Prim] = field(default_factory=dict)
    open: int = 0  # moves that are not over
    unopened: list[str] = field(default_factory=list)


def look(data: Path) -> OnDisk:
    """Read all of it. A file in use may be read too."""
    found = OnDisk()
    for file in sorted((data / "regions").glob("*/region.sqlite")):
        try:
            with contextlib.closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as database:
                found.open += database.execute("SELECT count(*) FROM transits WHERE kind NOT IN ('came', 'went', 'void')").fetchone()[0]
                rows = database.execute("SELECT form FROM linksets").fetchall()
            for (row,) in rows:
                for part in form.decode(unpacked(row)).parts:
                    found.places.update([part.prim.name, *(item.name for item in part.prim.contents)])
                    found.boxes[part.prim.full_id] = part.prim
        except Exception as error:
            found.unopened.append(f"{file}: {error!r}")
    try:
        with contextlib.closing(sqlite3.connect(f"{(data / 'backbone' / 'backbone.sqlite3').as_uri()}?mode=ro", uri=True)) as database:
            found.open += database.execute("SELECT count(*) FROM transits WHERE state = 'held'").fetchone()[0]
            found.places.update(row[0] for row in database.execute("SELECT name FROM items"))
    except sqlite3.Error as error:
        found.unopened.append(f"backbone: {error!r}")
    return found


async def settled(data: Path) -> OnDisk:
    """Once nothing is open, or when the time is over."""
    end = time.monotonic() + SETTLED
    while (found := look(data)).open and time.monotonic() < end:
        await asyncio.sleep(0.3)
    return found


# --- all together


async def under_load(
    data: Path, login_uri: str, assets_port: int, regions: list[str], kills: int, builders: int, seed: int
) -> dict[str, Any]:
    """One row of figures. The grid is up before and after."""
    chance, tally = random.Random(seed), Counter[str]()
    secret = (data / "secret").read_text().strip()
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as http:
        services = Services(
            BackboneClient(login_uri, secret, http), AssetClient(f"http://127.0.0.1:{assets_port}", secret, http), http
        )
        people = [
            Builder(number, login_uri, regions[number % len(regions)], services, random.Random(seed + number), tally)
            for number in range(1, builders + 1)
        ]
        for person in people:
            await person.outfit()
        ended = asyncio.Event()
        lives = [asyncio.create_task(person.live(ended)) for person in people]
        killer = Killer(data, regions, chance, tally)
        began = time.monotonic()
        try:
            await killer.kill(kills)
            await killer.all_up()
            await asyncio.sleep(4.0)
        finally:
            ended.set()
            await asyncio.wait(lives, timeout=30)
            for life in lives:
                life.cancel()
        for life in lives:
            if life.done() and not life.cancelled() and (error := life.exception()) is not None:
                raise error
        found = await settled(data)
        lost: list[str] = []
        doubled: list[str] = []
        for person in people:
            for thing in (person.object, person.note):
                count = found.places[thing]
                (lost if count == 0 else doubled if count > 1 else []).append(f"{thing} is in {count} places")
            lost += await _changes_lost(person, found, services)
    return {
        "kills": killer.killed.total(), "builders": builders, "seconds": round(time.monotonic() - began), "acknowledged": tally["acknowledged"],
        "unanswered": tally["unanswered"], "interrupted": tally["interrupted"], "found": sum(found.places[t] > 0 for p in people for t in (p.object, p.note)),
        "lost": len(lost), "doubled": len(doubled), "open": found.open, "unopened": len(found.unopened),
        "what": [*lost, *doubled, *found.unopened],
    }  # fmt: skip


async def _changes_lost(person: Builder, found: OnDisk, services: Services) -> list[str]:
    if not person.name.acknowledged and not person.script.acknowledged:
        return []
    box = found.boxes.get(person.box_id) if person.box_id is not None else None
    if box is None:
        return [f"the box of builder {person.number} is gone"]
    lost = []
    if not person.name.may_be(box.name):
        lost.append(f"{box.name} was called {person.name.acknowledged}")
    script = next((item for item in box.contents if item.name == "New Script"), None)
    if person.script.acknowledged:
        asset = await services.assets.fetch(script.asset_id) if script is not None else None
        if asset is None or not person.script.may_be(asset.data.decode()):
            lost.append(f"the script of builder {person.number} is not what was saved")
    return lost


def main(kills: int, builders: int, regions: str, seed: int) -> dict[str, Any]:
    with running_grid(regions, settings=SETTINGS) as grid:
        return asyncio.run(on_grid(grid, kills, builders, seed))


async def on_grid(grid: BenchGrid, kills: int, builders: int, seed: int) -> dict[str, Any]:
    state = grid.status()
    ports = {part["name"]: part["port"] for part in state["processes"]}
    names = [region["name"] for region in state["regions"]]
    return await under_load(grid.data, grid.login_uri, ports["assets"], names, kills, builders, seed)


if __name__ == "__main__":
    options = arguments(__doc__, kills=200, builders=6, regions="2x1", seed=1)
    row = main(options.kills, options.builders, options.regions, options.seed)
    told = row.pop("what")
    show("kill -9 under load", [row], options.json, what=told)

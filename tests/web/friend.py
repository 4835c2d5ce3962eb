"""Somebody else in the world: a client of ours that is no browser, on a thread of its own beside the browser's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, TypeVar
from uuid import uuid4

import aiohttp

import viewer
from assets.client import AssetClient
from protocol.message import Message
from protocol.objects import BOX
from protocol.wellknown import AssetType
from tests.clients.grid import PASSWORD, Grid, Region
from viewer import Client, Entity

T = TypeVar("T")
Spot = tuple[float, float, float]


class Friend:
    """``with Friend(grid, region, (x, y, z)) as ben: ben.do(lambda me: ...)``; takes its things away and logs out at the end."""

    def __init__(self, grid: Grid, region: Region, spot: Spot) -> None:
        who = grid.account()
        self._grid = grid
        self.name = who.name
        self._login = (grid.login_uri, who.first, who.last, PASSWORD, region.start(*spot))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.me: Client
        self._made: list[Entity] = []

    def __enter__(self) -> Friend:
        self._thread.start()

        async def enter() -> Client:
            return await viewer.login(*self._login)

        self.me = self._wait(enter())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._wait(self._leave())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _leave(self) -> None:
        """The next test looks at the same regions."""
        me = self.me
        left = [thing for thing in self._made if me.find(thing.id) is not None]
        me.building.delete(*left)
        while any(me.find(thing.id) is not None for thing in left):
            await me.wait_for("object-gone", timeout=20)
        await me.logout()

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def do(self, act: Callable[[Client], Awaitable[T]]) -> T:
        """Run ``act(client)`` on the client's thread; its result."""

        async def doing() -> T:
            return await act(self.me)

        done: T = self._wait(doing())
        return done

    def ground(self, x: int, y: int) -> float:
        """Height of the land, once all of it came."""

        async def ask(me: Client) -> float:
            while me.root.land_received < 1.0:
                await me.wait_for("land", timeout=20)
            return float(me.terrain[y, x])

        return self.do(ask)

    def rez(self, spot: Spot, scale: Spot = (1.0, 1.0, 1.0), pcode: int = 9, **shape: Any) -> Entity:
        """Make an object and wait until its region shows it. ``shape``: wire values that differ from a box's."""

        async def build(me: Client) -> Entity:
            root = me.root
            known = set(root.entities)
            block = {
                **BOX, **shape, "PCode": pcode, "Material": 3, "AddFlags": 2, "BypassRaycast": 1, "RayStart": spot,
                "RayEnd": spot, "Scale": scale, "Rotation": (0.0, 0.0, 0.0, 1.0),
            }  # fmt: skip
            seen = me.expect("object-seen", lambda thing: thing.local_id not in known and root.entities.get(thing.local_id) is thing)
            me.send(Message("ObjectAdd", AgentData={**me.agent_block, "GroupID": me.agent_id}, ObjectData=block))
            made: Entity = await asyncio.wait_for(seen, 20)
            self._made.append(made)
            return made

        return self.do(build)

    def form(self, thing: Entity, asset: bytes, kind: int) -> None:
        """Store a mesh (kind 5) or a sculpt map (a kind of stitching) and give it to a prim as its form."""

        async def change(me: Client) -> None:
            asset_id = uuid4()
            async with aiohttp.ClientSession() as http:
                store = AssetClient(self._grid.assets_uri, self._grid.secret, http)
                await store.put(asset_id, asset, AssetType.MESH if kind == 5 else AssetType.TEXTURE)
            data = asset_id.bytes + bytes([kind])
            block = {"ObjectLocalID": thing.local_id, "ParamType": 0x30, "ParamInUse": True, "ParamSize": 17, "ParamData": data}
            me.send(Message("ObjectExtraParams", AgentData=me.agent_block, ObjectData=[block]))

        self.do(change)

    def let_fall(self, thing: Entity) -> None:
        """Make it physical."""

        async def change(me: Client) -> None:
            flags = {**me.agent_block, "ObjectLocalID": thing.local_id, "UsePhysics": True, "IsTemporary": False,
                     "IsPhantom": False, "CastsShadows": False}  # fmt: skip
            me.send(Message("ObjectFlagUpdate", AgentData=flags))

        self.do(change)

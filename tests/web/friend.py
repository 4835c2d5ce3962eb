"""Somebody else in the world: a client of ours that is no browser, on a thread of its own beside the browser's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, TypeVar

import viewer
from protocol.message import Message
from protocol.objects import BOX
from tests.clients.grid import PASSWORD, Grid, Region
from viewer import Client, Entity

T = TypeVar("T")
Spot = tuple[float, float, float]


class Friend:
    """``with Friend(grid, region, (x, y, z)) as ben: ben.do(lambda me: ...)``; logged out at the end."""

    def __init__(self, grid: Grid, region: Region, spot: Spot) -> None:
        who = grid.account()
        self.name = who.name
        self._login = (grid.login_uri, who.first, who.last, PASSWORD, region.start(*spot))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.me: Client

    def __enter__(self) -> Friend:
        self._thread.start()

        async def enter() -> Client:
            return await viewer.login(*self._login)

        self.me = self._wait(enter())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._wait(self.me.logout())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _wait(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def do(self, act: Callable[[Client], Awaitable[T]]) -> T:
        """Run ``act(client)`` on the client's thread; its result."""

        async def doing() -> T:
            return await act(self.me)

        done: T = self._wait(doing())
        return done

    def rez(self, spot: Spot, scale: Spot = (1.0, 1.0, 1.0), pcode: int = 9, **shape: Any) -> Entity:
        """Make an object and wait until its region shows it. ``shape``: wire values that differ from a box's."""

        async def build(me: Client) -> Entity:
            known = set(me.root.entities)
            block = {
                **BOX, **shape, "PCode": pcode, "Material": 3, "AddFlags": 2, "BypassRaycast": 1, "RayStart": spot,
                "RayEnd": spot, "Scale": scale, "Rotation": (0.0, 0.0, 0.0, 1.0),
            }  # fmt: skip
            seen = me.expect("object-seen", lambda thing: thing.local_id not in known)
            me.send(Message("ObjectAdd", AgentData={**me.agent_block, "GroupID": me.agent_id}, ObjectData=block))
            made: Entity = await asyncio.wait_for(seen, 20)
            return made

        return self.do(build)

    def let_fall(self, thing: Entity) -> None:
        """Make it physical."""

        async def change(me: Client) -> None:
            flags = {**me.agent_block, "ObjectLocalID": thing.local_id, "UsePhysics": True, "IsTemporary": False,
                     "IsPhantom": False, "CastsShadows": False}  # fmt: skip
            me.send(Message("ObjectFlagUpdate", AgentData=flags))

        self.do(change)

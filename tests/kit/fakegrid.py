"""A small grid of fake regions: login, capabilities, and what regions ask of each other. For the viewer's own tests.

    async with FakeGrid(("West", 1000, 1000), ("East", 1001, 1000)) as grid:
        async with viewer.login(grid.login_uri, "Ann", "Test", "pw") as me: ...

Any name logs in with the password ``pw``. ``grid.regions["West"]`` is a ``FakeRegion`` to look into and to
misbehave with.
"""

from __future__ import annotations

import asyncio
import hashlib
import xmlrpc.client
from types import TracebackType
from typing import Any
from uuid import UUID, uuid4, uuid5

from aiohttp import web

from protocol import events, llsd
from protocol.message import Message, text

from .fakesim import FakeAgent, FakeRegion

PASSWORD = "pw"
_STEP = 0.05


class FakeGrid:
    """Regions side by side, one HTTP server for all of them."""

    def __init__(self, *regions: tuple[str, int, int]) -> None:
        self.regions = {name: FakeRegion(name, x, y, self) for name, x, y in regions or (("Test", 1000, 1000),)}
        self.seeds: dict[str, tuple[FakeRegion, FakeAgent]] = {}
        self.sessions: dict[UUID, tuple[str, str, UUID, int]] = {}
        self.friends: set[frozenset[UUID]] = set()
        self.profiles: dict[UUID, dict[str, Any]] = {}
        self.complaints: list[str] = []  # malformed datagrams from clients: a test may insist on none
        self.login_reply: bytes | None = None  # sent instead of a proper answer
        self.cap_requests: list[str] = []
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._clock: asyncio.Task[None] | None = None

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def login_uri(self) -> str:
        return self.url("/")

    def agent(self, agent_id: UUID, region: str | None = None) -> FakeAgent:
        """The agent in that region, or wherever it is root."""
        for fake in self.regions.values():
            found = fake.agents.get(agent_id)
            if found is not None and (fake.name == region if region else found.root):
                return found
        raise KeyError(agent_id)

    async def __aenter__(self) -> FakeGrid:
        app = web.Application()
        app.router.add_post("/", self._login)
        app.router.add_post("/seed/{token}", self._seed)
        app.router.add_route("*", "/cap/{token}/{name}", self._cap)
        app.router.add_route("*", "/cap/{token}/{name}/", self._cap)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        for region in self.regions.values():
            await region.open()
        self._clock = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._clock is not None and self._runner is not None
        self._clock.cancel()
        await asyncio.gather(self._clock, return_exceptions=True)
        for region in self.regions.values():
            for agent in list(region.agents.values()):
                region.remove(agent)
            region.close()
        await self._runner.cleanup()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(_STEP)
            now = loop.time()
            for region in self.regions.values():
                region.step(now, now - last)
            last = now

    # -- geography --------------------------------------------------------------------------------------------------

    def at(self, x: int, y: int) -> FakeRegion | None:
        return next((r for r in self.regions.values() if (r.grid_x, r.grid_y) == (x, y)), None)

    def by_handle(self, handle: int) -> FakeRegion | None:
        return next((r for r in self.regions.values() if r.handle == handle), None)

    def neighbours(self, of: FakeRegion) -> list[FakeRegion]:
        return [
            r for r in self.regions.values()
            if r is not of and abs(r.grid_x - of.grid_x) <= 1 and abs(r.grid_y - of.grid_y) <= 1
        ]  # fmt: skip

    # -- agents between regions -------------------------------------------------------------------------------------

    def arrived(self, region: FakeRegion, agent: FakeAgent) -> None:
        """A root agent is here: announce the neighbours, and let its other regions make it a child."""
        for other in self.regions.values():
            elsewhere = other.agents.get(agent.agent_id)
            if other is not region and elsewhere is not None and elsewhere.local_id:
                other.vanish(elsewhere)
        for other in self.neighbours(region):
            child = other.admit(_copy(agent))
            self.announce(region, agent, other, child)

    def announce(self, region: FakeRegion, agent: FakeAgent, other: FakeRegion, child: FakeAgent) -> None:
        info = {"Handle": other.handle, "IP": "127.0.0.1", "Port": other.port}
        region.queue(agent, events.event(Message("EnableSimulator", SimulatorInfo=info)))
        told = events.establish_agent_communication(agent.agent_id, "127.0.0.1", other.port, child.seed, other.handle)
        region.queue(agent, told)

    def move(self, agent: FakeAgent, origin: FakeRegion, target: FakeRegion, position: list[float], how: str) -> None:
        """Hand an agent over and tell its client by the old region's queue."""
        there = target.admit(_copy(agent))
        there.position, there.flags, there.yaw, there.running = position, agent.flags, agent.yaw, agent.running
        agent.root = False  # stops moving here; vanishes when the target reports arrival
        place = {
            "SimIP": "127.0.0.1", "SimPort": target.port, "RegionHandle": target.handle, "SeedCapability": there.seed,
        }  # fmt: skip
        if how == "CrossedRegion":
            ids = {"AgentID": agent.agent_id, "SessionID": agent.session_id}
            told = Message(how, AgentData=ids, RegionData=place, Info={"Position": tuple(position)})
        else:
            told = Message(how, Info={**place, "AgentID": agent.agent_id, "LocationID": 4, "SimAccess": 21})
        origin.queue(agent, events.event(told))

    def left(self, agent: FakeAgent) -> None:
        self.sessions.pop(agent.agent_id, None)
        for region in self.regions.values():
            here = region.agents.get(agent.agent_id)
            if here is not None:
                region.remove(here)
        self._tell_friends(agent.agent_id, "OfflineNotification")

    def _roots(self) -> list[tuple[FakeRegion, FakeAgent]]:
        return [(r, a) for r in self.regions.values() for a in r.agents.values() if a.root]

    def _root(self, agent_id: UUID) -> tuple[FakeRegion, FakeAgent] | None:
        return next(((r, a) for r, a in self._roots() if a.agent_id == agent_id), None)

    def _tell_friends(self, agent_id: UUID, name: str) -> None:
        for pair in self.friends:
            if agent_id in pair:
                (other,) = pair - {agent_id}
                if (found := self._root(other)) is not None:
                    found[0].send(found[1], Message(name, AgentBlock=[{"AgentID": agent_id}]))

    # -- login ------------------------------------------------------------------------------------------------------

    async def _login(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.login_reply is not None:
            return web.Response(body=self.login_reply, content_type="text/xml")
        (call,), method = xmlrpc.client.loads(body)
        assert method == "login_to_simulator" and isinstance(call, dict)
        answer = self._admit(call)
        return web.Response(body=xmlrpc.client.dumps((answer,), methodresponse=True), content_type="text/xml")

    def _admit(self, call: dict[str, Any]) -> dict[str, Any]:
        if call["passwd"] != "$1$" + hashlib.md5(PASSWORD.encode(), usedforsecurity=False).hexdigest():
            return {"login": "false", "reason": "key", "message": "Wrong name or password."}
        first, last = call["first"], call["last"]
        agent_id = agent_id_of(first, last)
        session, code = uuid4(), int(uuid4()) & 0x7FFFFFFF
        self.sessions[agent_id] = (first, last, session, code)
        where = call["start"].removeprefix("uri:").split("&")
        region = self.regions.get(where[0]) or next(iter(self.regions.values()))
        agent = FakeAgent(agent_id, session, code, first, last)
        if len(where) == 4:
            agent.position = [float(part) for part in where[1:]]
        region.admit(agent)
        self._tell_friends(agent_id, "OnlineNotification")
        friends = [next(iter(pair - {agent_id})) for pair in self.friends if agent_id in pair]
        return {
            "login": "true", "agent_id": str(agent_id), "session_id": str(session), "secure_session_id": str(uuid4()),
            "circuit_code": code, "sim_ip": "127.0.0.1", "sim_port": region.port, "region_x": region.grid_x * 256,
            "region_y": region.grid_y * 256, "seed_capability": agent.seed, "first_name": f'"{first}"',
            "last_name": f'"{last}"', "look_at": "[r0.0,r1.0,r0.0]", "message": "Welcome", "start_location": "last",
            "inventory-root": [{"folder_id": str(uuid4())}],
            "buddy-list": [{"buddy_id": str(f), "buddy_rights_given": 1, "buddy_rights_has": 1} for f in friends],
        }  # fmt: skip

    # -- capabilities -----------------------------------------------------------------------------------------------

    async def _seed(self, request: web.Request) -> web.Response:
        token = request.match_info["token"]
        found = self.seeds.get(token)
        if found is None or found[1].gone:
            return web.Response(status=404)
        names = llsd.parse(await request.read())
        self.cap_requests += names
        offered = {"EventQueueGet", "GetDisplayNames", "FetchInventoryDescendents2"} & set(names)
        return _llsd({name: self.url(f"/cap/{token}/{name}") for name in offered})

    async def _cap(self, request: web.Request) -> web.Response:
        found = self.seeds.get(request.match_info["token"])
        if found is None or found[1].gone:
            return web.Response(status=404)
        region, agent = found
        match request.match_info["name"]:
            case "EventQueueGet":
                return await region.poll(agent, llsd.parse(await request.read()))
            case "GetDisplayNames":
                ids = [UUID(text) for text in request.query.getall("ids", [])]
                return _llsd({"agents": [{"id": i, "display_name": self._name(i)} for i in ids], "bad_ids": []})
            case "FetchInventoryDescendents2":
                wanted = llsd.parse(await request.read())["folders"]
                return _llsd(
                    {"folders": [{"folder_id": w["folder_id"], "categories": [], "items": []} for w in wanted]}
                )
        return web.Response(status=404)

    def _name(self, agent_id: UUID) -> str:
        first, last, *_ = self.sessions.get(agent_id, ("", ""))
        return f"{first} {last}".strip()

    # -- messages about the whole grid ------------------------------------------------------------------------------

    def on_UUIDNameRequest(self, region: FakeRegion, agent: FakeAgent, message: Message) -> None:
        known = [(b["ID"], self.sessions.get(b["ID"])) for b in message["UUIDNameBlock"]]
        blocks = [{"ID": i, "FirstName": s[0], "LastName": s[1]} for i, s in known if s is not None]
        if blocks:
            region.send(agent, Message("UUIDNameReply", UUIDNameBlock=blocks))

    def on_ImprovedInstantMessage(self, region: FakeRegion, agent: FakeAgent, message: Message) -> None:
        block = dict(message["MessageBlock"])
        found = self._root(block["ToAgentID"])
        if found is None:
            return
        if block["Dialog"] == 38:
            block["ID"] = agent.agent_id
        block["FromAgentName"] = agent.name
        told = Message("ImprovedInstantMessage", AgentData={"AgentID": agent.agent_id}, MessageBlock=block)
        found[0].send(found[1], told)

    def on_AcceptFriendship(self, region: FakeRegion, agent: FakeAgent, message: Message) -> None:
        offerer = message["TransactionBlock"]["TransactionID"]
        self.friends.add(frozenset({agent.agent_id, offerer}))
        if (found := self._root(offerer)) is not None:
            block = {"ToAgentID": offerer, "Dialog": 39, "ID": agent.agent_id, "FromAgentName": agent.name}
            told = Message("ImprovedInstantMessage", AgentData={"AgentID": agent.agent_id}, MessageBlock=block)
            found[0].send(found[1], told)
            found[0].send(found[1], Message("OnlineNotification", AgentBlock=[{"AgentID": agent.agent_id}]))
            region.send(agent, Message("OnlineNotification", AgentBlock=[{"AgentID": offerer}]))

    def on_TerminateFriendship(self, region: FakeRegion, agent: FakeAgent, message: Message) -> None:
        other = message["ExBlock"]["OtherID"]
        self.friends.discard(frozenset({agent.agent_id, other}))
        if (found := self._root(other)) is not None:
            found[0].send(found[1], Message("TerminateFriendship", ExBlock={"OtherID": agent.agent_id}))

    def on_GrantUserRights(self, region: FakeRegion, agent: FakeAgent, message: Message) -> None:
        for block in message["Rights"]:
            if (found := self._root(block["AgentRelated"])) is not None:
                told = Message("ChangeUserRights", AgentData={"AgentID": agent.agent_id}, Rights=[block])
                found[0].send(found[1], told)

    def on_AvatarPropertiesRequest(self, region: FakeRegion, agent: FakeAgent, message: Message) -> None:
        about = message["AgentData"]["AvatarID"]
        data = {"BornOn": "1/2/2026", "Flags": 1, **self.profiles.get(about, {})}
        ids = {"AgentID": agent.agent_id, "AvatarID": about}
        region.send(agent, Message("AvatarPropertiesReply", AgentData=ids, PropertiesData=data))

    def on_AvatarPropertiesUpdate(self, region: FakeRegion, agent: FakeAgent, message: Message) -> None:
        data = dict(message["PropertiesData"])
        flags = (1 if data.pop("AllowPublish") else 0) | (4 if data.pop("MaturePublish") else 0)
        self.profiles[agent.agent_id] = {**data, "Flags": flags}

    def on_MapBlockRequest(self, region: FakeRegion, agent: FakeAgent, message: Message) -> None:
        area = message["PositionData"]
        inside = [
            r for r in self.regions.values()
            if area["MinX"] <= r.grid_x <= area["MaxX"] and area["MinY"] <= r.grid_y <= area["MaxY"]
        ]  # fmt: skip
        self._map(region, agent, message, [_map_block(r) for r in inside])

    def on_MapNameRequest(self, region: FakeRegion, agent: FakeAgent, message: Message) -> None:
        name = text(message["NameData"]["Name"])
        found = [_map_block(r) for r in self.regions.values() if r.name.lower().startswith(name.lower())]
        self._map(region, agent, message, [*found, {"Name": name, "Access": 255}])

    def _map(self, region: FakeRegion, agent: FakeAgent, asked: Message, blocks: list[dict[str, Any]]) -> None:
        ids = {"AgentID": agent.agent_id, "Flags": asked["AgentData"]["Flags"]}
        region.send(agent, Message("MapBlockReply", AgentData=ids, Data=blocks))

    def on_MapItemRequest(self, region: FakeRegion, agent: FakeAgent, message: Message) -> None:
        kind = message["RequestData"]["ItemType"]
        spots = [{"X": r.grid_x * 256 + 128, "Y": r.grid_y * 256 + 128, "Extra": 1} for r, _ in self._roots()]
        ids = {"AgentID": agent.agent_id}
        region.send(agent, Message("MapItemReply", AgentData=ids, RequestData={"ItemType": kind}, Data=spots))


def agent_id_of(first: str, last: str) -> UUID:
    """The id of an account, the same at each login."""
    return uuid5(UUID(int=1), f"{first} {last}".lower())


def _copy(agent: FakeAgent) -> FakeAgent:
    return FakeAgent(agent.agent_id, agent.session_id, agent.circuit_code, agent.first, agent.last)


def _map_block(region: FakeRegion) -> dict[str, Any]:
    return {"X": region.grid_x, "Y": region.grid_y, "Name": region.name, "Access": 21, "WaterHeight": 20}


def _llsd(value: Any) -> web.Response:
    return web.Response(body=llsd.format_xml(value), content_type="application/llsd+xml")

"""The client: everything an agent can do, and how a session begins and ends.

A first visit:

    async with viewer.login("http://127.0.0.1:9000/", "Ann", "Example", "secret") as me:
        me.say("Hello")
        await me.walk_to((140, 130))
        reply = await me.wait_for("chat", lambda chat: chat.source_id != me.agent_id)
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

import aiohttp
import numpy as np

from protocol.message import Message

from .building import Building
from .circuits import Circuits, Counters
from .errors import ConnectionLost, WaitTimeout
from .events import EventHub, answered
from .giving import Giving, Offer
from .habits import Address, Habits
from .inventory import Inventory
from .items import Folder, Item
from .login import Session
from .map import WorldMap
from .model import Entity, Vector
from .movement import Movement
from .neighbours import Neighbours
from .regions import Region
from .scripts import Scripts
from .sight import Sight
from .social import Friend, Social
from .travel import Crossing, Travel
from .wearing import Wearing

log = logging.getLogger("viewer")


class Client:
    """One agent in the world. Made by ``viewer.login``; ended by ``logout`` or by leaving the ``async with``.

    It is put together of parts, each a file, and what every visitor needs of them is said on the client itself:

    ==============  ================================================================================
    ``circuits``    socket, regions, messages as such: ``send``, ``spawn``, ``take_event``
    ``neighbours``  how regions are introduced to us, and closed
    ``sight``       objects, avatars, animations, land
    ``map``         regions by name and place, who is where
    ``travel``      which region we stand in: crossings, teleports
    ``movement``    keys, walks, flying, sitting, playing animations
    ``building``    making, moving, taking, rezzing and deleting things
    ``social``      chat, messages, friends, names, profiles
    ``scripts``     what scripts ask of us; touching things
    ``inventory``   what we own
    ``wearing``     what we have on
    ``giving``      giving things away; what is offered to us
    ==============  ================================================================================

    Positions are metres in the region the agent stands in, unless called global.
    """

    def __init__(self, session: Session, http: aiohttp.ClientSession, habits: Habits) -> None:
        self.circuits = Circuits(session, http, habits)
        self.neighbours = Neighbours(self.circuits)
        self.sight = Sight(self.circuits)
        self.map = WorldMap(self.circuits)
        self.travel = Travel(self.circuits, self.neighbours, self.sight, self.map)
        self.movement = Movement(self.circuits, self.neighbours, self.sight)
        self.building = Building(self.circuits)
        self.social = Social(self.circuits, self.sight)
        self.scripts = Scripts(self.circuits)
        self.inventory = Inventory(self.circuits)
        self.wearing = Wearing(self.circuits)
        self.giving = Giving(self.circuits, self.social)
        self.owns_http = False

    def __repr__(self) -> str:
        return f"<{self.name} in {self.region!r}>"

    # -- who ----------------------------------------------------------------------------------------------------------

    @property
    def session(self) -> Session:
        """What the login answered."""
        return self.circuits.session

    @property
    def agent_id(self) -> UUID:
        """Who we are in this grid."""
        return self.circuits.agent_id

    @property
    def name(self) -> str:
        """``First Last``."""
        return self.circuits.name

    @property
    def friends(self) -> dict[UUID, Friend]:
        """Our friends, by agent id."""
        return self.social.friends

    # -- where --------------------------------------------------------------------------------------------------------

    @property
    def region(self) -> Region | None:
        """The region we stand in; None before the first and after the last."""
        return self.circuits.region

    @property
    def root(self) -> Region:
        """The region we stand in. ``ConnectionLost`` when the session is over (or not begun)."""
        return self.circuits.root

    @property
    def regions(self) -> dict[Address, Region]:
        """The regions in view, the one we stand in among them, by their simulators' addresses."""
        return self.circuits.regions

    @property
    def position(self) -> Vector:
        """Where we are now, metres in the region we stand in."""
        return self.sight.position

    @property
    def global_position(self) -> Vector:
        """Where we are now, metres from the grid's south-west corner."""
        return self.sight.global_position

    @property
    def velocity(self) -> Vector:
        """Metres a second, as last received; of what we sit on if we do."""
        return self.sight.velocity

    @property
    def seat(self) -> Entity | None:
        """The prim our avatar sits on, None if it does not, or if we were not shown it."""
        return self.sight.seat

    @property
    def travelling(self) -> bool:
        """Between being told of a new region and seeing ourselves there."""
        return self.travel.travelling

    @property
    def crossings(self) -> deque[Crossing]:
        """Our changes of region so far, oldest first; the last thousand."""
        return self.travel.crossings

    # -- what there is ------------------------------------------------------------------------------------------------

    @property
    def avatar(self) -> Entity | None:
        """Our own avatar as the region we stand in shows it; None until it does."""
        return self.sight.avatar

    @property
    def avatars(self) -> dict[UUID, Entity]:
        """Every avatar in view, our own too, by agent id."""
        return self.sight.avatars

    @property
    def terrain(self) -> np.ndarray:
        """Heights of the region we stand in, float32 [y, x] metres; zero where no land came yet."""
        return self.root.terrain

    def find(self, object_id: UUID) -> Entity | None:
        """The object as the region shows it that showed it last; None when none does."""
        return self.sight.find(object_id)

    def where_is(self, agent_id: UUID) -> Vector | None:
        """Global position of an avatar in view, or None."""
        return self.sight.where_is(agent_id)

    # -- what happens -------------------------------------------------------------------------------------------------

    @property
    def events(self) -> EventHub:
        """All that can be listened to; ``viewer.events`` lists it."""
        return self.circuits.events

    def on(self, name: str, listener: Callable[[Any], object]) -> Callable[[], None]:
        """Call ``listener(value)`` at each event ``name``; returns a function that ends it."""
        return self.events.subscribe(name, listener)

    def expect(self, name: str, predicate: Callable[[Any], bool] | None = None) -> asyncio.Future[Any]:
        """A future of the next such event, listening from now."""
        return self.events.expect(name, predicate)

    async def wait_for(self, name: str, predicate: Callable[[Any], bool] | None = None, timeout: float = 10.0) -> Any:
        """Await the next event ``name`` that satisfies ``predicate``.

        ``WaitTimeout`` after ``timeout`` seconds, ``ConnectionLost`` when the session ends first. Listening begins when
        the coroutine runs; to be sure of an answer to a question, take ``expect`` before asking.
        """
        return await self.events.wait_for(name, predicate, timeout)

    # -- what we do ---------------------------------------------------------------------------------------------------

    def say(self, message: str, channel: int = 0) -> None:
        """Say aloud, heard within 20 m. ``channel`` other than 0 reaches scripts only."""
        self.social.say(message, channel)

    def whisper(self, message: str) -> None:
        """Say, heard within 10 m."""
        self.social.whisper(message)

    def shout(self, message: str) -> None:
        """Say, heard within 100 m."""
        self.social.shout(message)

    def im(self, to: UUID, message: str) -> None:
        """Send an instant message to an agent anywhere in the grid; stored if they are away."""
        self.social.im(to, message)

    async def walk_to(self, point: tuple[float, ...], tolerance: float = 1.0, timeout: float | None = None) -> Vector:
        """Walk (or fly, when flying) straight to ``(x, y)`` or ``(x, y, z)``, over borders too; where that led.

        ``WalkBlocked``, ``WaitTimeout``, ``ConnectionLost``; ``Movement.walk_to`` says more.
        """
        return await self.movement.walk_to(point, tolerance, timeout)

    def face(self, yaw: float) -> None:
        """Turn the body to ``yaw`` (radians, 0 = east, counter-clockwise)."""
        self.movement.face(yaw)

    def fly(self, on: bool = True) -> None:
        """Start or stop flying."""
        self.movement.fly(on)

    def run(self, on: bool = True) -> None:
        """Run instead of walk from now on."""
        self.movement.run(on)

    async def jump(self, hold: float = 0.5) -> None:
        """Press up for ``hold`` seconds and let go."""
        await self.movement.jump(hold)

    async def sit_on(self, object_id: UUID, offset: Vector = (0.0, 0.0, 0.0), timeout: float = 10.0) -> None:
        """Sit on an object (full id). ``SitRefused`` with the region's words, ``WaitTimeout`` without any."""
        await self.movement.sit_on(object_id, offset, timeout)

    async def sit_ground(self, timeout: float = 10.0) -> None:
        """Sit down where we are. ``WaitTimeout``."""
        await self.movement.sit_ground(timeout)

    async def stand(self, timeout: float = 10.0) -> None:
        """Stand up from ground or seat. ``WaitTimeout``."""
        await self.movement.stand(timeout)

    def touch(self, thing: Entity) -> None:
        """Click on an object: touched, and let go."""
        self.scripts.touch(thing)

    async def teleport(
        self,
        where: str | int,
        position: Vector = (128.0, 128.0, 25.0),
        look_at: Vector = (1.0, 0.0, 0.0),
        timeout: float | None = None,
    ) -> Crossing | None:
        """Teleport to ``position`` (metres in the target region) in the region of that name or handle.

        Returns the ``Crossing`` with its timings, or None for a teleport within the region. ``TeleportRefused`` (the
        agent stays), ``WaitTimeout``, ``ConnectionLost``.
        """
        return await self.travel.teleport(where, position, look_at, timeout)

    # -- what we own ---------------------------------------------------------------------------------------------------

    async def take(self, thing: Entity, folder: UUID | None = None, copy: bool = False) -> Item:
        """Take a thing of ours (or, with ``copy``, a copy of it) into the inventory; the item. ``MoveRefused``."""
        return await self.building.take(thing, folder, copy)

    async def rez(self, item: Item, at: Vector) -> Entity:
        """Put an object of our inventory into the region, its underside at that point; as we are shown it. ``MoveRefused``."""
        return await self.building.rez(item, at)

    async def wear(self, item: Item, point: int = 0, replace: bool = False) -> Entity:
        """Put on an object of our inventory at an attachment point (1..55; 0: where it was last). ``MoveRefused``."""
        return await self.wearing.wear(item, point, replace)

    async def take_off(self, worn: Entity | UUID) -> None:
        """Take off what we wear, into the inventory. ``MoveRefused``."""
        await self.wearing.take_off(worn)

    def give(self, to: UUID, thing: Item | Folder) -> UUID:
        """Give an item, or a folder with all it holds, to somebody anywhere in the grid; the id of the offer."""
        return self.giving.give(to, thing)

    @property
    def offers(self) -> Mapping[UUID, Offer]:
        """What was offered to us and not answered yet, by the offer's id."""
        return self.giving.offers

    def accept(self, offer: Offer, folder: UUID | Folder | None = None) -> None:
        """Keep what was offered, in that folder if one is named."""
        self.giving.accept(offer, folder)

    def decline(self, offer: Offer) -> None:
        """Do not keep it: it goes into the trash, or back to the giver where there is one of it."""
        self.giving.decline(offer)

    def send(self, message: Message, reliable: bool = True) -> int:
        """Send a message of the protocol to the region we stand in; its sequence number."""
        return self.circuits.send(message, reliable)

    @property
    def agent_block(self) -> dict[str, Any]:
        """``{AgentID, SessionID}``, as nearly every message to a simulator begins."""
        return self.circuits.agent_block

    # -- the session --------------------------------------------------------------------------------------------------

    @property
    def habits(self) -> Habits:
        """Intervals, limits and try counts of this client."""
        return self.circuits.habits

    @property
    def counters(self) -> Counters:
        """What went wrong on the way in."""
        return self.circuits.counters

    def traffic(self) -> Counter[str]:
        """Packets, bytes, resends and ``motions`` of this session so far, over all regions."""
        return self.circuits.traffic()

    def clock(self) -> float:
        """Now, in the monotonic seconds that every time of this library is in."""
        return self.circuits.clock()

    @property
    def closed(self) -> bool:
        """Whether the session is over."""
        return self.circuits.closed

    @property
    def close_reason(self) -> BaseException | None:
        """Why, if it was not our own wish."""
        return self.circuits.close_reason

    async def logout(self) -> None:
        """Say goodbye and close. Never raises: a grid that does not answer is left all the same."""
        if not self.closed and self.region is not None:
            reply = self.events.expect("LogoutReply")
            self.region.send(Message("LogoutRequest", AgentData=self.agent_block), tries=self.habits.resends_of_vital)
            try:
                await answered(reply, self.habits.logout_timeout, "LogoutReply")
                for region in self.regions.values():
                    region.circuit.tick(self.clock())  # the reply's ack, before the socket closes
            except (WaitTimeout, ConnectionLost) as error:
                log.info("%s: %s", self.name, error)
            queues = [region.queue for region in self.regions.values() if region.queue and not region.queue.ended]
            await asyncio.gather(*(queue.leave() for queue in queues))
        await self.close()

    async def close(self) -> None:
        """Close without a goodbye, as a crash would."""
        self.circuits.shut(None)
        await self.circuits.finish_tasks()
        if self.owns_http:
            await self.circuits.http.close()

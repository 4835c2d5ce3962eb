"""Hand-overs nobody is sure of: what came by which, what went on where, and which of them never happened.

Every hand-over of an agent or an object is a transaction with an id. It is asked for again until there is an answer, and done
once. Whatever was handed over carries the ids of the hand-overs it came by, its *lineage*, and takes it along.

    source                          destination                     beyond
    POST (T1)        ------------>  takes it; the answer is lost
    POST (T1)        ------------>  silence ...
    gives up: it has never left;                                    takes it
    T1 is void, and all that            POST (T2, lineage T1) --->
    comes of it
    POST void T1     ------------>  what came by T1 goes
                     <------------  "on to: beyond"
    POST void T1     -------------------------------------------->  what came by T1 goes

Only the source of a hand-over may call it void, and only while it has no answer. A region refuses what has a void hand-over in
its lineage. Of a destination that died nobody knows where it handed things on to: the regions around it are told instead.

What a region with a store has called void, and where objects went from it, it knows again after a restart (`storage/transit.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID, uuid4

from sim.actions.remove import remove
from sim.neighbours.peers import PeerError
from sim.neighbours.reading import check_version, mapped, uuid_of, vector3, words
from sim.neighbours.records import RegionRecord
from sim.neighbours.state import HandOff, Lineage
from sim.storage.keeping import Storage
from sim.storage.transit import CAME, VOID, WENT, Transit
from sim.world.agent import Agent, Vector
from sim.world.changes import What
from sim.world.journey import Gone, Step
from sim.world.objects import Prim

if TYPE_CHECKING:
    from sim.caps.server import CapServer
    from sim.neighbours.neighbours import Neighbours
    from sim.region import Region
    from sim.sessions import Sessions

log = logging.getLogger(__name__)

VERSION = 1  # of the word that a hand-over is void
MOST_AGENTS = 128
TRIES = 4
REMEMBERED = 4096  # hand-overs, of each kind
FOLLOWED = 3600.0  # seconds for which a silent region is told that a hand-over is void
FOLLOW_PAUSE = 10.0  # seconds between two words about it, at most
REPORT_PATIENCE = 3.0
SHOWN_AGAIN = 2.0  # seconds: the other region's last words about it may be under way for so long
VIEW_KEPT = 10.0  # seconds in which a viewer hears where its avatar is, before a region out of sight closes its circuit
V = TypeVar("V")


def lineage_of(thing: Agent | Prim) -> Lineage:
    """The hand-overs by which it came here, oldest first."""
    return thing.lineage if isinstance(thing, Prim) else thing.journey.lineage


class HandOvers:
    def __init__(
        self, region: Region, neighbours: Neighbours, sessions: Sessions, cap_server: CapServer, storage: Storage
    ) -> None:
        self._region, self._neighbours = region, neighbours
        self._sessions, self._cap_server, self._storage = sessions, cap_server, storage
        self._void: OrderedDict[UUID, None] = OrderedDict()
        self._answers: OrderedDict[UUID, dict[str, Any]] = OrderedDict()
        self._went: OrderedDict[UUID, tuple[RegionRecord, frozenset[UUID]]] = OrderedDict()
        self._reports: list[asyncio.Task[Any]] = []
        self._remember()

    # --- the store

    def _remember(self) -> None:
        """What the store says of hand-overs before this start."""
        for transaction, transit in self._storage.transits.items():
            if transit.kind == VOID:
                _keep(self._void, transaction, None)
            elif transit.kind == WENT:
                lineage = frozenset(UUID(one) for one in transit.facts["lineage"])
                _keep(self._went, transaction, (RegionRecord.decode(transit.facts["region"]), lineage))

    def note(self, transaction: UUID, kind: str, **facts: Any) -> None:
        """Have the store know it, in one commit with what changed until now; what nobody will ask for any more it forgets."""
        unix = self._region.clock.unix()
        known = self._storage.transits
        same = [one for one, transit in known.items() if transit.kind == kind and one != transaction]
        old = same[: max(len(same) - REMEMBERED, 0)]
        if kind != CAME:  # its source may have been down for long, and will ask
            old = [one for one in same if known[one].since < unix - 2 * FOLLOWED] + old
        for one in old:
            self._storage.note(one, None)
        self._storage.note(transaction, Transit(kind, unix, facts))

    def went(self, transaction: UUID) -> None:
        """An object that was handed over by this is gone from here."""
        known = self._went.get(transaction)
        if known is None:  # of too long ago to be asked for
            self._storage.note(transaction, None)
            return
        region, lineage = known
        self.note(transaction, WENT, region=region.encode(), lineage=[str(one) for one in lineage])

    def recover(self) -> None:
        """After a start: regions that have not heard yet what is void are told again."""
        for transaction, transit in list(self._storage.transits.items()):
            if transit.kind == VOID and not transit.facts["told"]:
                region = RegionRecord.decode(transit.facts["region"])
                self._region.tasks.spawn(self._follow(transaction, region, [], None), "taking back")

    # --- the source

    def begin(self, region: RegionRecord, lineages: Iterable[Lineage]) -> UUID:
        """A new hand-over to that region, of things with these lineages."""
        transaction = uuid4()
        _keep(self._went, transaction, (region, frozenset(one for lineage in lineages for one in lineage)))
        return transaction

    def resume(self, transaction: UUID, region: RegionRecord, lineages: Iterable[Lineage]) -> None:
        """A hand-over that a restart left open goes on under its id."""
        _keep(self._went, transaction, (region, frozenset(one for lineage in lineages for one in lineage)))

    async def ask(
        self, region: RegionRecord, send: Callable[[], Awaitable[dict[str, Any]]], over: Callable[[], bool], seconds: float
    ) -> tuple[dict[str, Any] | None, bool]:
        """The destination's answer to a hand-over, None for a refusal or silence; and whether it may have done it all the same.

        `over` tells that another try makes no sense any more: what is handed over has come back meanwhile. After so many
        seconds it is not tried again: somebody stands still until then.
        """
        unsure = False
        end = self._region.clock.now() + seconds
        for attempt in range(TRIES):
            try:
                return await send(), False
            except PeerError as error:
                log.warning("hand-over to %s: %s", region.name, error)
                if error.status or error.nobody:
                    return None, unsure and error.nobody
                unsure = True
            known = self._neighbours.directory.at(region.grid_x, region.grid_y)
            if over() or known is None or known.owner != region.owner or self._region.clock.now() >= end:
                break
            await asyncio.sleep(0.3 * 2**attempt)
        return None, unsure

    def take_back(
        self, transaction: UUID, region: RegionRecord, agents: Iterable[Agent] = (), root: Prim | None = None
    ) -> None:
        """These agents and that object have never left. Every region that may think otherwise is told until it has heard."""
        _keep(self._void, transaction, None)
        self.note(transaction, VOID, region=region.encode(), told=False)
        agents = [agent for agent in agents if agent.root]
        for agent in agents:  # over there it may have been reported already
            self._report(agent)
        self._region.metrics.count("hand_overs", label="taken back")
        self._region.tasks.spawn(self._follow(transaction, region, agents, root), "taking back")

    async def _follow(self, transaction: UUID, region: RegionRecord, agents: list[Agent], root: Prim | None) -> None:
        facts = self._region.world.facts
        body = {
            "version": VERSION,
            "region_id": str(facts.region_id),
            "agents": {
                str(agent.agent_id): {
                    "seed_capability": self._cap_server.seed_url(agent),
                    "position": list(self._region.world.position(agent)),
                }
                for agent in agents
            },
        }
        await self._void_at(transaction, region, body, {facts.region_id})
        self.note(transaction, VOID, region=region.encode(), told=True)
        for agent in agents:
            if self._region.world.agents.get(agent.agent_id) is agent and agent.root:
                self._report(agent)
                # Whoever had it may have changed where it looks in.
                agent.views.seeds.clear()
                self._region.tasks.spawn(self._neighbours.children.refresh(agent), "children")
        self._show(agents, root)
        self._region.tasks.after(SHOWN_AGAIN, lambda: self._show(agents, root))

    def _show(self, agents: list[Agent], root: Prim | None) -> None:
        """Viewers to whom the other region showed what it took believe it there, and gone when that says so."""
        if root is not None and root.row >= 0:
            self._region.world.objects.note_linkset(root, What.BODY)
        for agent in agents:
            if self._region.world.agents.get(agent.agent_id) is agent and agent.root:
                self._region.world.changes.agents.note(agent, What.PLACE)

    async def _void_at(self, transaction: UUID, region: RegionRecord, body: dict[str, Any], told: set[UUID]) -> None:
        if region.region_id in told:
            return
        told.add(region.region_id)
        onward = await self._tell_void(transaction, region, body)
        await asyncio.gather(*(self._void_at(transaction, other, body, told) for other in onward))

    async def _tell_void(self, transaction: UUID, region: RegionRecord, body: dict[str, Any]) -> list[RegionRecord]:
        """Where it went on to from that region, which has heard now; or where it may have."""
        directory = self._neighbours.directory
        end = self._region.clock.now() + FOLLOWED
        pause = 0.5
        while self._region.clock.now() < end:
            region = directory.of_id(region.region_id) or region
            try:
                return await self._neighbours.peers.void(region, transaction, body)
            except PeerError as error:
                if error.nobody:
                    return directory.around(region.grid_x, region.grid_y)
                if error.status:
                    log.error("%s does not let go of hand-over %s: %s", region.name, transaction, error)
                    return []
            await asyncio.sleep(pause)
            pause = min(2 * pause, FOLLOW_PAUSE)
        log.error("%s never heard that hand-over %s is void", region.name, transaction)
        return []

    def _report(self, agent: Agent) -> None:
        self._region.tasks.spawn(self._neighbours.report_arrival(agent), "presence")

    # --- the destination

    def is_void(self, ids: Iterable[UUID]) -> bool:
        return any(one in self._void for one in ids)

    def answered(self, transaction: UUID, answer: dict[str, Any]) -> None:
        """What was said to the hand-over of an agent, and will be said whenever it is asked for again."""
        _keep(self._answers, transaction, answer)

    def answer(self, transaction: UUID) -> dict[str, Any] | None:
        return self._answers.get(transaction)

    @staticmethod
    def is_ours(known: Agent, state: HandOff) -> bool:
        """Whether an agent that is handed to us may come, as far as the one of that name here is concerned.

        An avatar here is what it left behind when it came by a hand-over of ours that we have not heard the end of.
        """
        if not known.root or known.session_id != state.session_id:
            return True
        return known.journey.under_way and known.journey.transaction in state.lineage

    def void(self, transaction: UUID, body: Any) -> list[RegionRecord] | None:
        """That hand-over never happened: what came of it goes. Returns where some of it went on to.

        `body` is {region_id, agents: {id: {seed_capability, position}}} of who has it; with `unless_arrived`, an agent that
        stands here by this hand-over stays, and None is returned.
        """
        back = _read_void(body)
        agents = [
            agent
            for agent in list(self._region.world.agents.values())
            if transaction in (lineage_of(agent) if agent.root else _expected(agent))
        ]
        if back.unless_arrived and any(agent.root for agent in agents):
            return None
        _keep(self._void, transaction, None)
        self.note(transaction, VOID, region=None, told=True)
        self._answers.pop(transaction, None)
        for agent in agents:
            if agent.presence.report is not None:
                self._reports.append(agent.presence.report)
                agent.presence.report = None
            self._let_go(agent, back)
        self._remove([prim for prim in self._region.world.objects.by_id.values() if transaction in prim.lineage])
        self._region.metrics.count("hand_overs", label="void")
        return [region for one, (region, lineage) in self._went.items() if transaction in lineage]

    async def reported(self) -> None:
        """Until what was being told to Backbone of agents that were taken back has been said."""
        self._reports = [report for report in self._reports if not report.done()]
        if self._reports:
            await asyncio.wait(self._reports, timeout=REPORT_PATIENCE)

    def _let_go(self, agent: Agent, back: _TakenBack) -> None:
        """Its avatar is where it came from. A viewer that was quick enough to follow it here is sent back."""
        log.info("%s was taken back", agent.name)
        source = self._neighbours.directory.of_id(back.region_id) if back.region_id is not None else None
        place = back.agents.get(agent.agent_id)
        if source is not None and agent.root and agent.journey.viewer_came and place is not None:
            seed, position = place
            self._neighbours.crossing.tell(agent, Gone(source, seed, position, agent.arrival_look_at))
        if agent.root:
            self._sessions.demote(agent, Step.YIELD)
        else:
            agent.journey.step(Step.GIVE_UP)
        if source is None or not self._neighbours.directory.is_adjacent(source):
            self._region.tasks.after(VIEW_KEPT, lambda: self._neighbours.children.close_here(agent))

    def _remove(self, ghosts: list[Prim]) -> None:
        """Linksets whole; what has been linked to something else since leaves that."""
        under_way = self._neighbours.objects.under_way
        for root in {prim.linkset_root: None for prim in ghosts}:
            under_way.pop(root, None)
            root.leaving = False
            among = [prim for prim in root.linkset() if prim in ghosts]
            if len(among) == 1 + len(root.children):
                remove(self._region, root)
                continue
            for one in self._region.world.objects.unlink(among):
                if one in among:
                    remove(self._region, one)


def _expected(agent: Agent) -> Lineage:
    """The lineage an agent that is expected here will have."""
    return agent.arrival.lineage_here if agent.arrival is not None else ()


@dataclass(frozen=True, slots=True)
class _TakenBack:
    """Who says that a hand-over is void, and where it has the agents that came by it."""

    region_id: UUID | None
    agents: dict[UUID, tuple[str, Vector]]  # seed capability, position
    unless_arrived: bool


def _read_void(body: Any) -> _TakenBack:
    said = mapped(body, 16, "a void hand-over")
    check_version(said, VERSION, "void hand-over")
    agents = {}
    for agent_id, place in mapped(said.get("agents", {}), MOST_AGENTS, "agents").items():
        spot = mapped(place, 8, "an agent's place")
        seed = words(spot.get("seed_capability"), 1, 1024, "seed_capability")
        agents[uuid_of(agent_id, "an agent's id")] = seed, vector3(spot.get("position"), 8192.0)
    region_id = said.get("region_id")
    return _TakenBack(
        uuid_of(region_id, "region_id") if region_id is not None else None, agents, bool(said.get("unless_arrived"))
    )


def _keep(memory: OrderedDict[UUID, V], key: UUID, value: V) -> None:
    memory[key] = value
    while len(memory) > REMEMBERED:
        memory.popitem(last=False)

"""Names of people by id, as far as this region has needed them.

Viewers ask for the name of everybody they see, and all viewers of a region ask for the same people. So names are
remembered, and what is not known is asked of Backbone in batches: while one question is under way, further ids gather
for the next.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING
from uuid import UUID

from backbone.client import BackboneClient, BackboneError
from protocol.wellknown import LIBRARY_OWNER

if TYPE_CHECKING:
    from sim.region import Region

log = logging.getLogger(__name__)

Name = tuple[str, str]  # first, last

REMEMBERED = 20_000
BATCH = 100  # ids a question; they travel in the URL


class Names:
    def __init__(self, region: Region, backbone: BackboneClient) -> None:
        self._region = region
        self._backbone = backbone
        self._known: OrderedDict[UUID, Name] = OrderedDict()
        self._asked: dict[UUID, asyncio.Future[Name | None]] = {}
        self._queue: list[UUID] = []
        self._asking = False
        self.learn(LIBRARY_OWNER, "Mainland", "Library")

    def learn(self, agent_id: UUID, first: str, last: str) -> None:
        self._known[agent_id] = (first, last)
        self._known.move_to_end(agent_id)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)

    def known(self, agent_id: UUID) -> Name | None:
        """The name, if it can be told without asking."""
        agent = self._region.world.agents.get(agent_id)
        if agent is not None:
            return agent.first, agent.last
        return self._known.get(agent_id)

    async def look_up(self, agent_ids: Iterable[UUID]) -> dict[UUID, Name | None]:
        """Names of these people; None for an account that does not exist.

        An id whose question failed, because Backbone did not answer, is left out.
        """
        answer: dict[UUID, Name | None] = {}
        waiting: dict[UUID, asyncio.Future[Name | None]] = {}
        for agent_id in agent_ids:
            name = self.known(agent_id)
            if name is not None:
                answer[agent_id] = name
            else:
                waiting[agent_id] = self._ask(agent_id)
        for agent_id, future in waiting.items():
            try:
                answer[agent_id] = await asyncio.shield(future)
            except BackboneError:
                continue
        return answer

    def _ask(self, agent_id: UUID) -> asyncio.Future[Name | None]:
        if agent_id not in self._asked:
            self._asked[agent_id] = asyncio.get_running_loop().create_future()
            self._queue.append(agent_id)
            if not self._asking:
                self._asking = True
                self._region.tasks.spawn(self._ask_all(), "names")
        return self._asked[agent_id]

    async def _ask_all(self) -> None:
        try:
            while self._queue:
                batch, self._queue = self._queue[:BATCH], self._queue[BATCH:]
                await self._ask_batch(batch)
        finally:
            self._asking = False

    async def _ask_batch(self, batch: list[UUID]) -> None:
        try:
            users = await self._backbone.get_users(batch)
        except BackboneError as error:
            self._region.metrics.count("service_errors", label="backbone")
            log.warning("names not found out: %s", error)
            for agent_id in batch:
                future = self._asked.pop(agent_id)
                future.set_exception(error)
                future.exception()  # nobody may be waiting any more; that is no fault
            return
        for user in users:
            self.learn(UUID(user["agent_id"]), str(user["first"]), str(user["last"]))
        for agent_id in batch:
            self._asked.pop(agent_id).set_result(self._known.get(agent_id))

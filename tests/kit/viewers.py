"""The reference viewer as a test instrument: what a person would see and hear, as awaitable assertions.

async with fake_viewer(login_uri, "Ann Test", "pw") as ann, fake_viewer(login_uri, "Bob Test", "pw") as bob:
    await ann.sees(bob)
    bob.say("hello")
    await ann.hears("hello", by=bob)
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from typing import Any
from uuid import UUID

import viewer
from viewer import Chat, Client, Entity, Habits, InstantMessage

from .waiting import PATIENCE, eventually


class FakeViewer(Client):
    """A client that remembers what it heard, and can be asked to have seen or heard something."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.chats: deque[Chat] = deque(maxlen=1000)
        self.ims: deque[InstantMessage] = deque(maxlen=1000)
        self.on("chat", self.chats.append)
        self.on("im", self.ims.append)

    async def sees(self, who: Client | UUID, timeout: float = PATIENCE) -> Entity:
        """Until that avatar is in view."""
        agent_id = who if isinstance(who, UUID) else who.agent_id
        await eventually(lambda: agent_id in self.avatars, timeout, f"{self.name} sees {who}")
        return self.avatars[agent_id]

    async def sees_no(self, who: Client | UUID, timeout: float = PATIENCE) -> None:
        """Until that avatar is out of view."""
        agent_id = who if isinstance(who, UUID) else who.agent_id
        await eventually(lambda: agent_id not in self.avatars, timeout, f"{self.name} no longer sees {who}")

    async def sees_at(self, who: Client | UUID, x: float, y: float, within: float = 2.0, timeout: float = PATIENCE) -> None:
        """Until that avatar is shown within ``within`` metres of a point of the region it is shown in."""
        agent_id = who if isinstance(who, UUID) else who.agent_id

        def near() -> bool:
            entity = self.avatars.get(agent_id)
            return entity is not None and math.dist(entity.position[:2], (x, y)) <= within

        await eventually(near, timeout, f"{self.name} sees {who} near {x}, {y}")

    async def hears(self, said: str, by: Client | None = None, timeout: float = PATIENCE) -> Chat:
        """Until that chat was heard, now or before."""

        def find() -> Chat | None:
            for chat in self.chats:
                if chat.text == said and (by is None or chat.source_id == by.agent_id):
                    return chat
            return None

        found = await eventually(find, timeout, f"{self.name} hears {said!r}")
        assert found is not None
        return found

    async def reads(self, said: str, by: Client | None = None, timeout: float = PATIENCE) -> InstantMessage:
        """Until that instant message was received, now or before."""

        def find() -> InstantMessage | None:
            for im in self.ims:
                if im.text == said and (by is None or im.from_id == by.agent_id):
                    return im
            return None

        found = await eventually(find, timeout, f"{self.name} reads {said!r}")
        assert found is not None
        return found

    async def does_not_hear(self, said: str, witness: FakeViewer) -> None:
        """That chat was not heard here though ``witness`` heard it: no waiting for something not to happen."""
        await witness.hears(said)
        await asyncio.sleep(0)
        assert not any(chat.text == said for chat in self.chats), f"{self.name} heard {said!r}"

    def unharmed(self) -> None:
        """Nothing went wrong inside the client, whatever it was sent."""
        assert not self.closed, self.close_reason
        assert self.counters.failures == 0 and self.events.failures == 0
        assert self.counters.loose == 0, "an event that stricter clients would choke on"


def quick(**changes: Any) -> Habits:
    """A full viewer's habits, but for what would only make a test wait: not its patience, which a busy machine needs."""
    quicker: dict[str, Any] = {
        "seed_retry": 0.1, "handshake_patience": 2.0, "poll_fault_before": 0.5, "poll_fault_wait": 0.2,
    }  # fmt: skip
    return Habits(**{**quicker, **changes})


class fake_viewer(viewer.login):
    """``viewer.login`` that gives a ``FakeViewer``. ``name`` is ``First Last``."""

    def __init__(
        self, login_uri: str, name: str, password: str, start: str = "last", habits: Habits | None = None
    ) -> None:
        first, _, last = name.partition(" ")
        super().__init__(login_uri, first, last, password, start, habits=habits or quick(), kind=FakeViewer)

    async def __aenter__(self) -> FakeViewer:
        client = await super().__aenter__()
        assert isinstance(client, FakeViewer)
        return client

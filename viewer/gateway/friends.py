"""The friends of one person, told to the browser whenever one of them changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from viewer import Client, Friend, ViewerError

from . import messages

MOST = 500  # that are told


class FriendList:
    """Told as a whole: there are few of them, and they change rarely."""

    def __init__(self, client: Client, tell: Callable[[Any], None]) -> None:
        self._client = client
        self._tell = tell
        self._asking = False
        self._again = False
        names = ("friend-online", "friend-offline", "friend-changed", "friend-ended")
        self.listeners: dict[str, Callable[[Any], object]] = {name: self._changed for name in names}

    def _changed(self, who: Friend | Any) -> None:
        self.tell_all()

    def tell_all(self) -> None:
        """Once their names are known; what changes meanwhile is told right after."""
        self._again = True
        if not self._asking:
            self._asking = True
            self._client.circuits.spawn(self._ask(), "friends")

    async def _ask(self) -> None:
        try:
            while self._again:
                self._again = False
                friends = list(self._client.friends.values())[:MOST]
                names = await self._client.social.names([friend.agent_id for friend in friends])
                rows = [
                    messages.FriendTold(id=str(each.agent_id), name=names.get(each.agent_id, "?"), online=each.online)
                    for each in friends
                ]
                self._tell(messages.FriendsTold(friends=sorted(rows, key=lambda row: (not row.online, row.name))))
        except ViewerError:
            return  # the session ends
        finally:
            self._asking = False

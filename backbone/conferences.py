"""Conversations of several people: who is in one, and who is asked to come. In memory: they end with the last who is in.

Regions pass the words on as instant messages; this knows to whom, wherever they are and whichever region they go to.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from backbone.errors import Forbidden, NotFound, TooMany

MOST_PEOPLE = 50  # in one conference, asked ones included
MOST_OPEN = 10_000  # conferences; the one that was silent for longest goes first
MOST_OF_ONE = 20  # that one person is in or asked to


@dataclass(slots=True)
class Conference:
    members: dict[str, None] = field(default_factory=dict)  # in the order they came
    asked: dict[str, bool] = field(default_factory=dict)  # -> whether they were told already


class Conferences:
    def __init__(self) -> None:
        self._open: OrderedDict[str, Conference] = OrderedDict()
        self._of: dict[str, set[str]] = {}  # person -> conferences it is in or asked to

    def invite(self, session_id: str, agent_id: str, invited: list[str]) -> dict[str, Any]:
        """CONFERENCE, begun by its first member, or with more people asked by one. Forbidden, TooMany."""
        found = self._open.get(session_id)
        if found is not None and agent_id not in found.members:
            raise Forbidden("only who is in a conference may ask others to come")
        new = [one for one in dict.fromkeys(invited) if found is None or (one not in found.members and one not in found.asked)]
        new = [one for one in new if one != agent_id and len(self._of.get(one, ())) < MOST_OF_ONE]
        there = len(found.members) + len(found.asked) if found is not None else 1
        if there + len(new) > MOST_PEOPLE:
            raise TooMany(f"a conference is of {MOST_PEOPLE} people at most")
        if found is None:
            if len(self._of.get(agent_id, ())) >= MOST_OF_ONE:
                raise TooMany(f"one is in {MOST_OF_ONE} conferences at most")
            found = self._open[session_id] = Conference({agent_id: None})
            self._of.setdefault(agent_id, set()).add(session_id)
            while len(self._open) > MOST_OPEN:
                self._close(next(iter(self._open)))
        for one in new:
            found.asked[one] = False
            self._of.setdefault(one, set()).add(session_id)
        return self._told(found)

    def join(self, session_id: str, agent_id: str) -> dict[str, Any]:
        """The CONFERENCE that somebody who was asked has come to; again: the same. NotFound for all others."""
        found = self._open.get(session_id)
        if found is None or (agent_id not in found.members and agent_id not in found.asked):
            raise NotFound("no such conference, or not asked to it")
        found.asked.pop(agent_id, None)
        found.members[agent_id] = None
        return self._told(found)

    def speak(self, session_id: str, agent_id: str) -> dict[str, Any]:
        """Who hears a member's words, {hear, invite}: those to ``invite`` learn of the conference by them. NotFound."""
        found = self._open.get(session_id)
        if found is None or agent_id not in found.members:
            raise NotFound("no such conference, or not in it")
        self._open.move_to_end(session_id)
        invite = [one for one, told in found.asked.items() if not told]
        hear = [*found.members, *(one for one, told in found.asked.items() if told)]
        found.asked.update(dict.fromkeys(invite, True))
        return {"hear": hear, "invite": invite}

    def leave(self, session_id: str, agent_id: str) -> dict[str, Any]:
        """Somebody goes, or does not want to come: the CONFERENCE as it goes on, of nobody when it ended."""
        found = self._open.get(session_id)
        if found is None:
            return {"members": [], "asked": []}
        found.members.pop(agent_id, None)
        found.asked.pop(agent_id, None)
        self._forget(agent_id, session_id)
        if not found.members:
            self._close(session_id)
        return self._told(found)

    def gone(self, agent_id: str) -> None:
        """Somebody is offline, and so out of all its conferences."""
        for session_id in list(self._of.get(agent_id, ())):
            self.leave(session_id, agent_id)

    def _close(self, session_id: str) -> None:
        ended = self._open.pop(session_id)
        for one in (*ended.members, *ended.asked):
            self._forget(one, session_id)

    def _forget(self, agent_id: str, session_id: str) -> None:
        of = self._of.get(agent_id)
        if of is not None:
            of.discard(session_id)
            if not of:
                del self._of[agent_id]

    @staticmethod
    def _told(conference: Conference) -> dict[str, Any]:
        return {"members": list(conference.members), "asked": list(conference.asked)}

"""Who is online where: sessions and presence, in memory, pure (the caller brings the time).

A session exists from login to logout or the next login of the same person. It is *online* while it has
a region: from arrival there as root until logout, the end of the region's lease, or two heartbeats of the
region that no longer list it. Everything is conditional on the session id, so that the late words of an old
session (or of a sim that has not heard of the new one) change nothing.

The durable half (sessions in SQL) is the caller's: after a restart `load` takes it, and the heartbeats of the
next five seconds confirm or correct it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from backbone.errors import Conflict

ABSENT_SECONDS = 11.0  # a root that its region stopped listing is offline: two heartbeats and some
# Whom a person lets know where it is: everybody; everybody that it is online, nobody where; its friends alone.
VISIBILITIES = ("everybody", "online", "friends")
IDLE_SECONDS = 900.0  # a session that nobody confirms is forgotten: its sim died, or its viewer never came


@dataclass(slots=True)
class Session:
    agent_id: str
    session_id: str
    name: str
    login_region: str | None  # where login sent the viewer: the place to kick a session that never arrived
    region_id: str | None = None  # where it is root now; None: offline
    since: int | None = None  # unix seconds, online since
    confirmed: float = 0.0  # when its region last vouched for it, or when it last changed
    visibility: str = VISIBILITIES[0]


class NotCurrent(Conflict):
    """The person's current session is another one, or there is none."""

    def __init__(self) -> None:
        super().__init__("that is not the agent's current session")


class Presence:
    """``on_change(agent_id, online)`` is called after each change that friends care about."""

    def __init__(self, on_change: Callable[[str, bool], None] = lambda agent_id, online: None) -> None:
        self._sessions: dict[str, Session] = {}
        self._roots: dict[str, set[str]] = {}  # region id -> agents that are root there
        self._on_change = on_change

    # sessions -------------------------------------------------------------------------------------

    def load(self, session: Session) -> None:
        """Take over a session from storage, silently: nobody came online by our restart."""
        self._sessions[session.agent_id] = session
        if session.region_id is not None:
            self._roots.setdefault(session.region_id, set()).add(session.agent_id)

    def begin(
        self,
        agent_id: str,
        session_id: str,
        name: str,
        login_region: str | None,
        now: float,
        visibility: str = VISIBILITIES[0],
    ) -> None:
        """A login: the person's session is this one now, offline until it arrives. Ends the one before."""
        old = self._sessions.get(agent_id)
        if old is not None:
            self._move(old, None, now)
        self._sessions[agent_id] = Session(
            agent_id, session_id, name, login_region, confirmed=now, visibility=visibility
        )

    def session_of(self, agent_id: str) -> Session | None:
        return self._sessions.get(agent_id)

    def everyone(self) -> Iterator[Session]:
        """All sessions, arrived or not."""
        return iter(list(self._sessions.values()))

    def login_region(self, agent_id: str, session_id: str, region_id: str) -> None:
        """Login sent the viewer there in the end; nothing if the session has been replaced."""
        session = self._sessions.get(agent_id)
        if session is not None and session.session_id == session_id:
            session.login_region = region_id

    def set_visibility(self, agent_id: str, visibility: str) -> None:
        """Whom the person lets know where it is, from now on."""
        session = self._sessions.get(agent_id)
        if session is not None:
            session.visibility = visibility

    def end(self, agent_id: str, session_id: str, now: float) -> bool:
        """A logout: False if there was no session. NotCurrent if there is another one."""
        session = self._sessions.get(agent_id)
        if session is None:
            return False
        if session.session_id != session_id:
            raise NotCurrent
        self._move(session, None, now)
        del self._sessions[agent_id]
        return True

    def current(self, agent_id: str, session_id: str) -> Session:
        """The person's session if it is this one, else NotCurrent."""
        session = self._sessions.get(agent_id)
        if session is None or session.session_id != session_id:
            raise NotCurrent
        return session

    # presence -------------------------------------------------------------------------------------

    def arrive(self, agent_id: str, session_id: str, region_id: str, now: float, unix_now: int) -> None:
        """The session's agent is root in that region. NotCurrent if the session is not."""
        session = self.current(agent_id, session_id)
        if session.since is None:
            session.since = unix_now
        self._move(session, region_id, now)

    def heartbeat(self, region_id: str, listed: Iterable[tuple[str, str]], now: float, unix_now: int) -> list[str]:
        """A region names its roots as (agent, session) pairs; the agents among them that it must close.

        A listed agent that is root elsewhere is left alone: a heartbeat may have been written before a
        crossing and read after it, and the arrival is the later word. One that is offline comes back.
        """
        gone = []
        sessions = self._sessions
        for agent_id, session_id in listed:
            session = sessions.get(agent_id)
            if session is None or session.session_id != session_id:
                gone.append(agent_id)
            elif session.region_id == region_id:
                session.confirmed = now
            elif session.region_id is None:
                if session.since is None:
                    session.since = unix_now
                self._move(session, region_id, now)
        absent = [
            session
            for session in (sessions[one] for one in self._roots.get(region_id, ()))
            if now - session.confirmed > ABSENT_SECONDS
        ]
        for session in absent:
            self._move(session, None, now)
        return gone

    def clear_region(self, region_id: str, now: float) -> int:
        """The region is gone or begins anew: its agents are offline. How many."""
        lost = [self._sessions[one] for one in self._roots.get(region_id, ())]
        for session in lost:
            self._move(session, None, now)
        return len(lost)

    def forgotten(self, now: float) -> list[Session]:
        """Sessions that have been offline for so long that nobody will come back to them."""
        return [s for s in self._sessions.values() if s.region_id is None and now - s.confirmed > IDLE_SECONDS]

    def agents_in(self, region_id: str) -> list[Session]:
        return [self._sessions[one] for one in self._roots.get(region_id, ())]

    def occupied(self) -> list[str]:
        """The regions where somebody is root."""
        return list(self._roots)

    def __len__(self) -> int:
        """Sessions, arrived or not."""
        return len(self._sessions)

    def count(self, region_id: str) -> int:
        return len(self._roots.get(region_id, ()))

    def online(self) -> int:
        return sum(len(roots) for roots in self._roots.values())

    def region_of(self, agent_id: str) -> str | None:
        """The region where the person is root; None when offline."""
        session = self._sessions.get(agent_id)
        return None if session is None else session.region_id

    def _move(self, session: Session, region_id: str | None, now: float) -> None:
        """The only place where a session's region changes."""
        before = session.region_id
        session.confirmed = now
        if before == region_id:
            return
        if before is not None:
            roots = self._roots[before]
            roots.discard(session.agent_id)
            if not roots:
                del self._roots[before]
        session.region_id = region_id
        if region_id is not None:
            self._roots.setdefault(region_id, set()).add(session.agent_id)
        if before is None or region_id is None:
            if region_id is None:
                session.since = None
            self._on_change(session.agent_id, region_id is not None)

"""A login from struct to reply: who, where, the old session out, the new one in.

The order is what keeps it right under crashes: the session is on disk before any sim hears of it, the sim is
ready before the viewer hears of it, and a sim that refuses leaves the next live region as start.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from backbone.directory import Directory, Region
from backbone.errors import TooMany
from backbone.hashing import Hasher
from backbone.login import reply, xmlrpc
from backbone.login.limits import LoginLimits
from backbone.login.request import LoginRequest, Start
from backbone.metrics import Metrics
from backbone.names import name_key
from backbone.presence import Presence
from backbone.sims import SimRefused, Sims, SimUnreachable
from backbone.storage.interfaces import LoginFacts, Stores
from ground import green
from protocol import llsd

log = logging.getLogger(__name__)
DEFAULT_POSITION = (128.0, 128.0, 25.0)
DEFAULT_LOOK_AT = (1.0, 0.0, 0.0)
# Regions are asked until one says yes: dead ones refuse at once, hung ones cost a time-out each.
MAX_TRIES = 24
MAX_SECONDS = 15.0
MAX_WAITING = 2000  # logins at once; a storm of 117/s stays far below
OLD_SESSION_REASON = "You have logged in from another place."


class Refusal(Exception):
    """The login is refused: ``reason`` for the viewer, ``message`` for the person."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


@dataclass(frozen=True, slots=True)
class Destination:
    region: Region
    position: Sequence[float]
    look_at: Sequence[float]
    start_location: str  # what the reply says: last, home, url, or safe when it is somewhere else


def _written(request: LoginRequest, struct: dict[str, Any]) -> bytes:
    return llsd.format_xml(struct) if request.llsd else xmlrpc.format_answer(struct)


class Logins:
    def __init__(
        self,
        stores: Stores,
        directory: Directory,
        presence: Presence,
        sims: Sims,
        hasher: Hasher,
        limits: LoginLimits,
        metrics: Metrics,
        grid_name: str,
    ) -> None:
        self._stores, self._directory, self._presence, self._sims = stores, directory, presence, sims
        self._hasher, self._limits, self._metrics, self._grid_name = hasher, limits, metrics, grid_name
        self._turns: dict[str, tuple[green.Semaphore, int]] = {}  # one login of a person at a time
        self._waiting = 0

    def login(self, request: LoginRequest, address: str) -> bytes:
        """The reply to send, success or failure, in the form the request had."""
        begun = time.perf_counter()
        if self._waiting >= MAX_WAITING:
            self._metrics.logins.labels("busy").inc()
            return _written(request, reply.failure("general", "Too many people log in right now.", False))
        self._waiting += 1
        try:
            answer = self._login(request, address)
            outcome = "success"
            log.info("%s logged in from %s with %s", _shown(request), address, _safe(request.channel))
        except Refusal as refusal:
            struct = reply.failure(refusal.reason, refusal.message, request.extended_errors)
            answer = _written(request, struct)
            outcome = refusal.reason
            log.warning("login of %s from %s refused (%s): %s", _shown(request), address, outcome, refusal.message)
        finally:
            self._waiting -= 1
        self._metrics.logins.labels(outcome).inc()
        self._metrics.login_seconds.observe(time.perf_counter() - begun)
        return answer

    def _login(self, request: LoginRequest, address: str) -> bytes:
        account = self._authenticate(request, address)
        with self._turn(account["agent_id"]):
            return self._enter(account, request)

    # who ------------------------------------------------------------------------------------------

    def _authenticate(self, request: LoginRequest, address: str) -> dict[str, Any]:
        """{agent_id, first, last} of the account whose password came. An unknown account costs the same work."""
        try:
            with self._limits.attempt(address, name_key(request.first, request.last)[:64]) as attempt:
                account = self._stores.people.credentials(request.first, request.last)
                right = self._hasher.verify(account["verifier"] if account else None, request.digest)
                if account is not None and right:
                    attempt.succeeded()
                    return account
                attempt.failed()
        except TooMany as error:
            raise Refusal("general", str(error)) from None
        raise Refusal(
            "key",
            "Could not authenticate your avatar. Please check your username and password, "
            "and check Caps Lock if the problem persists.",
        )

    def _turn(self, agent_id: str) -> _Turn:
        return _Turn(self._turns, agent_id)

    # where ----------------------------------------------------------------------------------------

    def _destinations(self, agent_id: str, start: Start) -> list[Destination]:
        """Where the viewer may begin, best first. The first is what was asked for, if that region is up."""
        live = self._directory.live()
        if not live:
            raise Refusal("general", "No region of this grid is running at the moment. Please try again in a minute.")
        wanted = self._wanted(agent_id, start, live)
        places = [wanted] if wanted is not None else []
        if start.kind != "last":
            last = self._wanted(agent_id, Start("last"), live)
            if last is not None:
                places.append(replace(last, start_location="safe"))
        places += [Destination(region, DEFAULT_POSITION, DEFAULT_LOOK_AT, "safe") for region in live]
        best: dict[str, Destination] = {}
        for place in places:
            best.setdefault(place.region.region_id, place)
        return list(best.values())[:MAX_TRIES]

    def _wanted(self, agent_id: str, start: Start, live: list[Region]) -> Destination | None:
        """The place asked for; None when its region is unknown or down."""
        if start.kind == "url":
            region = self._directory.named(start.region_name)
            position = start.position or DEFAULT_POSITION
            return Destination(region, position, DEFAULT_LOOK_AT, "url") if region else None
        place = self._stores.people.place(agent_id, start.kind)
        if place is None:  # never set: the first region is where everybody begins, and their home
            return Destination(live[0], DEFAULT_POSITION, DEFAULT_LOOK_AT, start.kind)
        region = self._directory.get_live(place["region_id"])
        return Destination(region, place["position"], place["look_at"], start.kind) if region else None

    def _home(
        self, place: dict[str, Any] | None, fallback: Region
    ) -> tuple[int, int, Sequence[float], Sequence[float]]:
        """Home as the reply tells it: grid square, position, look at. Never set: where everybody begins."""
        region = self._directory.get(place["region_id"]) if place else None
        if place is None or region is None:
            live = self._directory.live()
            region = live[0] if live else fallback
            return region.grid_x, region.grid_y, DEFAULT_POSITION, DEFAULT_LOOK_AT
        return region.grid_x, region.grid_y, place["position"], place["look_at"]

    # in -------------------------------------------------------------------------------------------

    def _enter(self, account: dict[str, Any], request: LoginRequest) -> bytes:
        agent_id = account["agent_id"]
        destinations = self._destinations(agent_id, request.start)
        self._end_old_session(agent_id, destinations[0].region)
        session = {
            "agent_id": agent_id,
            "session_id": str(uuid4()),
            "secure_session_id": str(uuid4()),
            "circuit_code": secrets.randbelow(2**31 - 1) + 1,
            "started": int(time.time()),
            "region_id": destinations[0].region.region_id,
        }
        self._stores.sessions.begin(session)
        name = f"{account['first']} {account['last']}"
        now = time.monotonic()
        self._presence.begin(
            agent_id, session["session_id"], name, session["region_id"], now, account["visibility"]
        )
        placed = None
        try:
            placed = self._place(account, session, destinations)
        finally:
            if placed is None:
                self._undo(session)
        destination, answer = placed

        def compose(facts: LoginFacts) -> bytes:
            """The reply's bytes: half a megabyte for a large inventory, so they are made on another thread."""
            struct = reply.success(
                session=session,
                first=account["first"],
                last=account["last"],
                region=destination.region,
                seed_capability=answer["seed_capability"],
                look_at=_vector(answer.get("look_at")) or destination.look_at,
                home=self._home(facts.home, destination.region),
                start_location=destination.start_location,
                skeleton=facts.skeleton,
                library=facts.library,
                gestures=[{"item_id": one["item_id"], "asset_id": one["asset_id"]} for one in facts.gestures],
                friends=facts.friends,
                now=int(time.time()),
                message=f"Welcome to {self._grid_name}!",
            )
            return _written(request, struct)

        return self._stores.people.at_login(agent_id, compose)

    def _place(
        self, account: dict[str, Any], session: dict[str, Any], destinations: list[Destination]
    ) -> tuple[Destination, dict[str, Any]]:
        """Ask the regions, best first, to expect the agent: the one that does, and its answer."""
        give_up = time.monotonic() + MAX_SECONDS
        for destination in destinations:
            if time.monotonic() > give_up:
                break
            region = destination.region
            agent = {
                "agent_id": session["agent_id"],
                "session_id": session["session_id"],
                "secure_session_id": session["secure_session_id"],
                "circuit_code": session["circuit_code"],
                "first": account["first"],
                "last": account["last"],
                "reason": "login",
                "position": list(destination.position),
                "look_at": list(destination.look_at),
            }
            try:
                answer = self._sims.accept_agent(region.services_url, agent)
            except (SimUnreachable, SimRefused) as error:
                log.warning("region %s did not take a login: %s", region.name, error)
                self._metrics.region_refusals.inc()
                # It may have heard us and only its answer was lost.
                green.spawn(self._close_quietly, region, session["agent_id"], session["session_id"], "")
                continue
            self._presence.login_region(session["agent_id"], session["session_id"], region.region_id)
            return destination, answer
        raise Refusal("connect", "The regions of this grid do not answer at the moment. Please try again in a minute.")

    def _undo(self, session: dict[str, Any]) -> None:
        """No region took it: the session that nobody heard of ends."""
        self._presence.end(session["agent_id"], session["session_id"], time.monotonic())
        self._stores.sessions.end([(session["agent_id"], session["session_id"])])

    def _end_old_session(self, agent_id: str, next_region: Region) -> None:
        """Put the person's earlier session out of its region. A region that is down has none to end.

        The region that shall take the new session must have let go of the old one first; for any other
        nobody waits: it may be hanging, and that must not keep the person out.
        """
        old = self._presence.session_of(agent_id)
        if old is None:
            return
        self._metrics.replaced_sessions.inc()
        region = self._directory.get_live(old.region_id or old.login_region)
        if region is not None and region.region_id == next_region.region_id:
            self._close_quietly(region, agent_id, old.session_id, OLD_SESSION_REASON)
        elif region is not None:
            green.spawn(self._close_quietly, region, agent_id, old.session_id, OLD_SESSION_REASON)

    def _close_quietly(self, region: Region, agent_id: str, session_id: str, reason: str) -> None:
        try:
            self._sims.close_agent(region.services_url, agent_id, session_id, reason)
        except (SimUnreachable, SimRefused) as error:
            # Its next heartbeat will be told that the session is gone.
            log.warning("region %s did not close an old session: %s", region.name, error)


class _Turn:
    """A lock per person that exists only while somebody holds or awaits it."""

    def __init__(self, turns: dict[str, tuple[green.Semaphore, int]], agent_id: str) -> None:
        self._turns, self._agent_id = turns, agent_id

    def __enter__(self) -> None:
        lock, users = self._turns.get(self._agent_id) or (green.Semaphore(1), 0)
        self._turns[self._agent_id] = (lock, users + 1)
        lock.acquire()

    def __exit__(self, *error: object) -> None:
        lock, users = self._turns[self._agent_id]
        lock.release()
        if users == 1:
            del self._turns[self._agent_id]
        else:
            self._turns[self._agent_id] = (lock, users - 1)


def _vector(value: Any) -> list[float] | None:
    if isinstance(value, list) and len(value) == 3 and all(isinstance(x, (int, float)) for x in value):
        return [float(x) for x in value]
    return None


def _shown(request: LoginRequest) -> str:
    """Who says to be whom, for the log."""
    return _safe(f"{request.first} {request.last}".strip())


def _safe(text: str) -> str:
    """A stranger's words for the log: on one line, in visible characters, not too many."""
    return repr(text[:80])

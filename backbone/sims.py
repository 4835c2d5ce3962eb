"""Backbone's calls to the sims: agents in and out, messages, notifications.

Plain http.client over sockets that green.patch made cooperative, with a few connections kept per sim. Each
call is bounded in time and answer size: a sim that hangs costs its callers seconds, never the service.
"""

from __future__ import annotations

import http.client
import json
import time
from collections import deque
from typing import Any
from urllib.parse import urlencode, urlsplit

from ground import green

MAX_ANSWER = 256 * 1024
IDLE_SECONDS = 10.0  # below the 75 s after which aiohttp closes, so we rarely meet a closed connection
IDLE_PER_SIM = 8


class SimUnreachable(Exception):
    """No answer: connection refused, time out, or nonsense."""


class SimRefused(Exception):
    """The sim answered with an error status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status} {text[:200]}")
        self.status = status


class Sims:
    def __init__(self, secret: str) -> None:
        self._headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        self._idle: dict[str, deque[tuple[float, http.client.HTTPConnection]]] = {}

    def accept_agent(self, http_url: str, agent: dict[str, Any], seconds: float = 6.0) -> dict[str, Any]:
        """Prepare a sim for an agent: {seed_capability, position, look_at}."""
        answer = self.call("POST", http_url, "/services/agents", agent, seconds)
        if not isinstance(answer, dict) or not isinstance(answer.get("seed_capability"), str):
            raise SimUnreachable("the sim's answer has no seed capability")
        return answer

    def close_agent(self, http_url: str, agent_id: str, session_id: str, reason: str, seconds: float = 3.0) -> None:
        query = urlencode({"session_id": session_id, "reason": reason})
        self.call("DELETE", http_url, f"/services/agents/{agent_id}?{query}", None, seconds)

    def deliver(self, http_url: str, message: dict[str, Any], seconds: float = 4.0) -> bool:
        """Hand an instant message to a sim; False when the agent is not there."""
        try:
            self.call("POST", http_url, "/services/messages", message, seconds)
        except SimRefused as refusal:
            if refusal.status == 404:
                return False
            raise
        return True

    def notify(self, http_url: str, notification: dict[str, Any], seconds: float = 4.0) -> None:
        self.call("POST", http_url, "/services/notifications", notification, seconds)

    def call(self, method: str, http_url: str, path: str, body: Any, seconds: float) -> Any:
        """One request, done within so many seconds in all; the parsed answer, None if it was empty."""
        parts = urlsplit(http_url)
        data = None if body is None else json.dumps(body).encode()
        headers = self._headers if data is not None else {"Authorization": self._headers["Authorization"]}
        connection = None
        try:
            with green.Timeout(seconds):
                connection = self._idle_connection(parts.netloc)
                if connection is None:
                    connection = http.client.HTTPConnection(parts.netloc, timeout=seconds)
                connection.request(method, parts.path.rstrip("/") + path, body=data, headers=headers)
                answer = connection.getresponse()
                raw = answer.read(MAX_ANSWER + 1)
        except (green.Timeout, OSError, http.client.HTTPException, ValueError) as error:
            if connection is not None:
                connection.close()
            raise SimUnreachable(f"{method} {path.partition('?')[0]}: {type(error).__name__} {error}") from error
        if len(raw) > MAX_ANSWER or answer.will_close:
            connection.close()
        else:
            self._keep(parts.netloc, connection)
        if answer.status >= 400:
            raise SimRefused(answer.status, raw.decode("utf-8", "replace"))
        try:
            return json.loads(raw) if raw else None
        except ValueError as error:
            raise SimUnreachable(f"{method} {path}: the answer is not JSON") from error

    def _idle_connection(self, netloc: str) -> http.client.HTTPConnection | None:
        """A kept connection that is still open. Requests are never repeated, so a closed one must not be used."""
        idle = self._idle.get(netloc)
        while idle:
            kept_at, connection = idle.pop()
            sock: Any = connection.sock
            fresh = time.monotonic() - kept_at < IDLE_SECONDS
            if sock is not None and fresh and not green.readable_now(sock):
                return connection  # readable while idle means the peer closed it
            connection.close()
        return None

    def _keep(self, netloc: str, connection: http.client.HTTPConnection) -> None:
        idle = self._idle.setdefault(netloc, deque())
        idle.append((time.monotonic(), connection))
        while len(idle) > IDLE_PER_SIM:
            idle.popleft()[1].close()

"""What can be wrong with what somebody asks of Backbone. Rooms raise these; the HTTP face turns each into its status."""

from __future__ import annotations


class Problem(Exception):
    """The asker is told: ``status`` and ``title`` by kind, the text says what it is this time."""

    status = 400
    title = "bad request"


class BadRequest(Problem):
    """What was asked makes no sense."""


class Forbidden(Problem):
    """It is understood, and not allowed."""

    status, title = 403, "forbidden"


class NotFound(Problem):
    """There is no such thing."""

    status, title = 404, "not found"


class Conflict(Problem):
    """It does not fit what is there now: an id in use, a session or an epoch that is not the current one."""

    status, title = 409, "conflict"


class TooMany(Problem):
    """A bound is reached; later, or elsewhere, it may do."""

    status, title = 429, "too many"

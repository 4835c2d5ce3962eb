"""What can go wrong for somebody who uses the client library. Everything raised on purpose is a ``ViewerError``."""

from __future__ import annotations


class ViewerError(Exception):
    """Root of every error the library raises by itself."""


class LoginRefused(ViewerError):
    """The login service answered, and said no.

    ``reason`` is the protocol's word (``key``, ``presence``, ``connect``...), ``message`` the text meant for a person.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class LoginFailed(ViewerError):
    """The login service could not be reached, or what came back was not an answer."""


class BadStart(ViewerError, ValueError):
    """A login start that is none: it is ``last``, ``home`` or ``uri:Region Name&x&y&z``."""

    def __init__(self, start: str) -> None:
        super().__init__(f"start is 'last', 'home' or 'uri:Region Name&x&y&z', not {start!r}")
        self.start = start


class StartElsewhere(ViewerError):
    """The grid let us in, but not where we asked: there is no such region, or it is down or full. We left again.

    ``asked`` is the region asked for, ``region`` the one the grid chose (as far as it is known).
    """

    def __init__(self, asked: str, region: str = "") -> None:
        super().__init__(f"no way into region {asked!r}: the grid led to {repr(region) if region else 'another one'} instead")
        self.asked = asked
        self.region = region


class ConnectionLost(ViewerError):
    """The region is gone for us: kicked, silent for too long, or never answered. Also: the client was closed."""


class WaitTimeout(ViewerError, TimeoutError):
    """What was waited for did not happen in the time given."""


class TeleportRefused(ViewerError):
    """The grid refused a teleport. The agent is where it was."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SitRefused(ViewerError):
    """The region said why we cannot sit there. The avatar is where it was."""


class MoveRefused(ViewerError):
    """The region said why a thing does not go into the inventory, or out of it. It is where it was."""


class WalkBlocked(ViewerError):
    """The avatar stopped getting nearer to its goal. ``position`` is where it stands (region-local metres)."""

    def __init__(self, position: tuple[float, float, float], goal: tuple[float, float]) -> None:
        super().__init__(f"stuck at {tuple(round(v, 2) for v in position)} on the way to {goal}")
        self.position = position
        self.goal = goal


class UnknownEvent(ViewerError, ValueError):
    """Somebody listens to an event that nothing ever emits."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no event is called {name!r}; viewer.events lists them")
        self.name = name

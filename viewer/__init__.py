"""The reference viewer: a client library for grids that speak the Second Life protocol, and bots made of it.

It behaves as a full viewer does (circuits to neighbours, event queues, crossings, resends) without drawing anything.

    async with viewer.login("http://127.0.0.1:9000/", "Ann", "Example", "secret") as me:
        me.say("Hello")
        await me.walk_to((140, 130))
        await me.teleport("Second Region", (128, 128, 30))

``client`` is the place to begin reading; ``events`` lists what can be listened to; ``bots`` walks crowds about.
"""

from .cache import ObjectCache
from .caps import CapError
from .client import Client, login, new_http
from .errors import (
    ConnectionLost,
    LoginFailed,
    LoginRefused,
    SitRefused,
    TeleportRefused,
    ViewerError,
    WaitTimeout,
    WalkBlocked,
)
from .habits import Habits
from .map import MapBlock, MapItem
from .model import Entity
from .regions import Region
from .scripts import Dialog, Question, WebPage
from .social import Chat, Friend, InstantMessage, Profile
from .travel import Crossing

__all__ = [
    "CapError", "Chat", "Client", "ConnectionLost", "Crossing", "Dialog", "Entity", "Friend", "Habits", "InstantMessage",
    "LoginFailed", "LoginRefused", "MapBlock", "MapItem", "ObjectCache", "Profile", "Question", "Region", "SitRefused", "TeleportRefused",
    "ViewerError", "WaitTimeout", "WalkBlocked", "WebPage", "login", "new_http",
]  # fmt: skip

"""The reference viewer: a client library for grids that speak the Second Life protocol, and bots made of it.

It behaves as a full viewer does (circuits to neighbours, event queues, crossings, resends) without drawing anything.

    async with viewer.login("http://127.0.0.1:9000/", "Ann", "Example", "secret") as me:
        me.say("Hello")
        await me.walk_to((140, 130))
        await me.teleport("Second Region", (128, 128, 30))

``client`` is the place to begin reading: a client is put together of parts, a file each. ``events`` lists what can be
listened to; ``bots`` walks crowds about. What is named here is the library's surface, typed (``py.typed``) and documented;
everything else may change.
"""

from .building import About, Building
from .cache import ObjectCache
from .caps import CapError, Caps
from .circuits import Circuits, Counters, Heard
from .client import Client
from .errors import (
    BadStart,
    ConnectionLost,
    LoginFailed,
    LoginRefused,
    MoveRefused,
    SitRefused,
    StartElsewhere,
    TeleportRefused,
    UnknownEvent,
    ViewerError,
    WaitTimeout,
    WalkBlocked,
)
from .events import EventHub
from .giving import Answer, Giving, Offer
from .habits import Habits
from .inventory import Inventory
from .items import Folder, Item, Listing
from .login import Buddy, Session
from .map import MapBlock, MapItem, WorldMap
from .model import Entity, Quaternion, Vector
from .movement import Movement
from .neighbours import Neighbours
from .regions import Region
from .scripts import Dialog, Question, Scripts, WebPage
from .sight import Sight
from .social import Chat, Friend, InstantMessage, Profile, Social
from .travel import Crossing, Travel
from .visit import login, new_http

__all__ = [
    "About", "Answer", "BadStart", "Buddy", "Building", "CapError", "Caps", "Chat", "Circuits", "Client",
    "ConnectionLost", "Counters", "Crossing", "Dialog", "Entity", "EventHub", "Folder", "Friend", "Giving", "Habits",
    "Heard", "InstantMessage", "Inventory", "Item", "Listing", "LoginFailed", "LoginRefused", "MapBlock", "MapItem",
    "MoveRefused", "Movement", "Neighbours", "ObjectCache", "Offer", "Profile", "Quaternion", "Question", "Region",
    "Scripts", "Session", "Sight", "SitRefused", "Social", "StartElsewhere", "TeleportRefused", "Travel",
    "UnknownEvent", "Vector", "ViewerError", "WaitTimeout", "WalkBlocked", "WebPage", "WorldMap", "login", "new_http",
]  # fmt: skip

"""Every message between a browser's page and the gateway, declared once.

``python -m viewer.gateway.typescript`` makes the page's types of it (``viewer/web/src/net/messages.ts``, checked in; a test
holds it to this file). What a browser sends is decoded by these types and nothing else: a field that is missing, too many,
of another type or out of range is a ``BadMessage`` that says which. Binary frames are in ``records``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal, TypeVar, dataclass_transform
from uuid import UUID

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from protocol.errors import ProtocolError

T = TypeVar("T")
Number = Annotated[float, Field(gt=-1e15, lt=1e15, allow_inf_nan=False)]
Uint32 = Annotated[int, Field(ge=0, lt=1 << 32)]
Vec3 = tuple[Number, Number, Number]
Corner = tuple[int, int]  # of a region: metres west and south in the grid
Words = Annotated[str, Field(max_length=8192)]
RegionName = Annotated[str, Field(min_length=1, max_length=63)]


class BadMessage(ProtocolError):
    """A message that makes no sense; the text says what of it."""


@dataclass_transform(kw_only_default=True, frozen_default=True)
def message(kind: type[T]) -> type[T]:
    """A record with named fields that are checked strictly where they come from a stranger."""
    setattr(kind, "__pydantic_config__", ConfigDict(strict=True, extra="forbid"))  # noqa: B010 - not declared by the type
    return dataclass(frozen=True, slots=True, kw_only=True)(kind)


# -- by HTTP, before there is a socket --------------------------------------------------------------------------------


@message
class Place:
    """A spot in a region, as the page's address tells it."""

    region: Annotated[str, Field(min_length=1, max_length=63, pattern="^[^&]+$")]
    position: tuple[
        Annotated[float, Field(gt=-5000, lt=5000)],
        Annotated[float, Field(gt=-5000, lt=5000)],
        Annotated[float, Field(gt=-5000, lt=5000)],
    ]


@message
class AccountLogin:
    """POST /api/login with an account."""

    first: Annotated[str, Field(min_length=1, max_length=255)]
    last: Annotated[str, Field(max_length=255)] = ""
    password: Annotated[str, Field(min_length=1, max_length=255)]
    place: Place | None = None


@message
class GuestLogin:
    """POST /api/login by a name alone."""

    guest: Annotated[str, Field(max_length=255)]
    place: Place | None = None


@message
class Watch:
    """POST /api/watch: to look, without an account or an avatar."""

    place: Place | None = None


@message
class Token:
    """What opens the socket, once."""

    token: str


@message
class GridAbout:
    """GET /api/grid."""

    name: str
    guests: bool
    spectators: bool


@message
class Problem:
    """Why a login did not work: a word of ours, and words for people."""

    title: str
    description: str


# -- from the browser -------------------------------------------------------------------------------------------------


@message
class Keys:
    """Control flags held, and where the body faces (radians)."""

    t: Literal["keys"] = "keys"
    flags: Uint32
    yaw: Number


@message
class Say:
    """Whisper, say, shout."""

    t: Literal["say"] = "say"
    text: Words
    type: Literal[0, 1, 2] = 1


@message
class Typing:
    """Show the others that somebody types, or no longer does."""

    t: Literal["typing"] = "typing"
    on: bool


@message
class Fly:
    """Start or stop flying."""

    t: Literal["fly"] = "fly"
    on: bool


@message
class Run:
    """Run, or walk."""

    t: Literal["run"] = "run"
    on: bool


@message
class Sit:
    """On a thing; without one on the ground."""

    t: Literal["sit"] = "sit"
    n: Uint32 | None = None


@message
class Stand:
    """Up from a seat."""

    t: Literal["stand"] = "stand"


@message
class Touch:
    """Click on a thing."""

    t: Literal["touch"] = "touch"
    n: Uint32


@message
class Answer:
    """To what a script asked (``ask``): a button's number, a text or a grant; nothing of it ignores the question."""

    t: Literal["answer"] = "answer"
    q: int
    button: int | None = None
    text: Words | None = None
    grant: bool | None = None


@message
class Block:
    """Hear no more of the thing that asked this."""

    t: Literal["block"] = "block"
    q: int


@message
class AskAbout:
    """What a thing is called and whose it is; answered as ``about``."""

    t: Literal["about"] = "about"
    n: Uint32


@message
class AskProfile:
    """What somebody tells about themselves; answered as ``profile``."""

    t: Literal["profile"] = "profile"
    id: UUID


@message
class Befriend:
    """Offer friendship."""

    t: Literal["befriend"] = "befriend"
    id: UUID


@message
class Mute:
    """Hear no more of a person (or again), for as long as the session lasts."""

    t: Literal["mute"] = "mute"
    id: UUID
    on: bool


@message
class Look:
    """A spectator's camera: metres in the region it looks into first, and a direction."""

    t: Literal["look"] = "look"
    at: Vec3
    towards: Vec3


@message
class SendIm:
    """A message to one person."""

    t: Literal["im"] = "im"
    to: UUID
    text: Words


@message
class Teleport:
    """To a region by its name, metres in it."""

    t: Literal["teleport"] = "teleport"
    region: RegionName
    position: Vec3 = (128.0, 128.0, 30.0)


@message
class AskMap:
    """Every region; answered as ``map``."""

    t: Literal["map"] = "map"


# What builds; ``n`` is always a thing's number, of a linkset that of its root.
Size = Annotated[float, Field(ge=0.01, le=64.0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Several = Annotated[list[Uint32], Field(min_length=1, max_length=100)]


@message
class Make:
    """A new prim that stands at a point of the region with that corner, answered as ``made``."""

    t: Literal["make"] = "make"
    form: Literal["box", "cylinder", "prism", "sphere", "torus", "tube", "ring"]
    corner: Corner
    position: Vec3
    size: tuple[Size, Size, Size]


@message
class Shape:
    """Move, turn (x, y, z, w) or stretch a thing with all that is linked to it."""

    t: Literal["shape"] = "shape"
    n: Uint32
    position: Vec3 | None = None
    rotation: tuple[Number, Number, Number, Number] | None = None
    size: tuple[Size, Size, Size] | None = None


@message
class Describe:
    """What a thing is called, and what is to be known of it."""

    t: Literal["describe"] = "describe"
    n: Uint32
    name: Annotated[str, Field(max_length=63)] | None = None
    description: Annotated[str, Field(max_length=127)] | None = None


@message
class Paint:
    """How all faces of a prim look, or one of them; what is not said stays."""

    t: Literal["paint"] = "paint"
    n: Uint32
    face: Annotated[int, Field(ge=0, lt=45)] | None = None
    color: tuple[Share, Share, Share] | None = None
    opacity: Share | None = None
    glow: Share | None = None
    bright: bool | None = None
    texture: UUID | None = None


@message
class Behave:
    """Whether a thing falls and is pushed, and whether one goes through it."""

    t: Literal["behave"] = "behave"
    n: Uint32
    physical: bool
    phantom: bool


@message
class Duplicate:
    """Copies of things, so many metres from each."""

    t: Literal["duplicate"] = "duplicate"
    ns: Several
    offset: Vec3


@message
class Join:
    """Link things; the first is the root."""

    t: Literal["join"] = "join"
    ns: Several


@message
class Part:
    """Take a linkset apart."""

    t: Literal["part"] = "part"
    n: Uint32


@message
class Discard:
    """Throw things away: into one's trash."""

    t: Literal["discard"] = "discard"
    ns: Several


@message
class Ping:
    """Answered as ``pong``; ``at`` comes back as it was."""

    t: Literal["ping"] = "ping"
    at: Number


@message
class Leave:
    """Log out."""

    t: Literal["leave"] = "leave"


Looks = Look | Ping | Leave
"""What a spectator may send."""
Builds = Make | Shape | Describe | Paint | Behave | Duplicate | Join | Part | Discard
"""What a builder may send."""
Acts = (
    Keys | Say | Typing | Fly | Run | Sit | Stand | Touch | Answer | Block | SendIm | Teleport | AskMap | AskAbout | AskProfile
    | Befriend | Mute | Ping | Leave | Builds
)  # fmt: skip
"""What somebody who stands in the world may send."""


# -- to the browser ---------------------------------------------------------------------------------------------------


@message
class Hello:
    """The first of a connection; ``token`` opens the next one. All that was told before is void."""

    t: Literal["hello"] = "hello"
    token: str
    grid: str
    agent: str
    name: str
    watching: bool


@message
class RegionTold:
    """A region in view: its south-west corner in the grid, its water, the textures of its ground and where they begin."""

    t: Literal["region"] = "region"
    at: Corner
    name: str
    water: float
    ground: list[str]
    heights: list[float]


@message
class RegionGone:
    """Out of view."""

    t: Literal["region-gone"] = "region-gone"
    at: Corner


@message
class Here:
    """The region one stands in (or looks into first), and where one arrives."""

    t: Literal["here"] = "here"
    at: Corner
    name: str
    position: tuple[float, float, float]
    yaw: float


@message
class AvatarTold:
    """A person in view; ``n`` is what motions call it."""

    t: Literal["avatar"] = "avatar"
    n: int
    id: str
    name: str
    at: Corner
    own: bool
    size: tuple[float, float, float]


@message
class Animations:
    """Everything an avatar plays now."""

    t: Literal["animations"] = "animations"
    id: str
    playing: list[str]


@message
class Gone:
    """A thing or person out of view."""

    t: Literal["gone"] = "gone"
    n: int


@message
class Sun:
    """Where it stands: a unit vector, z up."""

    t: Literal["sun"] = "sun"
    towards: tuple[float, float, float]


@message
class ChatTold:
    """Something said aloud, or somebody typing (``type`` 4, 5). ``source``: 0 system, 1 person, 2 thing."""

    t: Literal["chat"] = "chat"
    name: str
    id: str
    source: int
    type: int
    audible: int
    text: str


@message
class ImTold:
    """A message of one person; ``old``: it was kept while one was away."""

    t: Literal["im"] = "im"
    name: str
    id: str
    text: str
    old: bool


@message
class AboutTold:
    """The answer to ``about``: a thing's name, description and owner's name, as far as there are any."""

    t: Literal["about"] = "about"
    n: int
    name: str
    description: str
    owner: str


@message
class MadeTold:
    """The answer to ``make``: the new thing's number."""

    t: Literal["made"] = "made"
    n: int


@message
class ProfileTold:
    """The answer to ``profile``; ``born``: the day they came, in the grid's words."""

    t: Literal["profile"] = "profile"
    id: str
    about: str
    born: str
    online: bool


@message
class FriendTold:
    """A friend."""

    id: str
    name: str
    online: bool


@message
class FriendsTold:
    """All friends, whenever one of them changes."""

    t: Literal["friends"] = "friends"
    friends: list[FriendTold]


@message
class Ask:
    """A script asks: a dialog's buttons, a line of text, permissions (bits in ``asked``) or to open a page. Or a person
    (``object`` is their name) offers friendship.
    """

    t: Literal["ask"] = "ask"
    q: int
    kind: Literal["dialog", "text", "permissions", "page", "friend"]
    object: str
    owner: str
    text: str
    buttons: list[str] | None = None
    asked: int | None = None
    url: str | None = None


@message
class Asked:
    """What was asked waits no more."""

    t: Literal["asked"] = "asked"
    q: int


@message
class Alert:
    """The grid tells the person something."""

    t: Literal["alert"] = "alert"
    text: str


@message
class Notice:
    """The gateway does: what was asked came too fast."""

    t: Literal["notice"] = "notice"
    what: Literal["too-fast"]


@message
class Kicked:
    """Sent out of the world, and why."""

    t: Literal["kicked"] = "kicked"
    text: str


@message
class MapBlock:
    """A region on the map; place in regions."""

    x: int
    y: int
    name: str
    agents: int


@message
class MapTold:
    """The answer to ``map``."""

    t: Literal["map"] = "map"
    blocks: list[MapBlock]


@message
class Pong:
    """``at`` as it came, and the gateway's clock (unix seconds)."""

    t: Literal["pong"] = "pong"
    at: float
    now: float


@message
class Stats:
    """Figures, once a second; what is not known is null. ``map``: who is where, id and metres in the grid."""

    t: Literal["stats"] = "stats"
    region: str = ""
    dilation: float | None = None
    frames: float | None = None
    physics: float | None = None
    objects: float | None = None
    agents: float | None = None
    children: float | None = None
    ping: float | None = None
    loss: float | None = None
    near: int = 0
    seen: int = 0
    regions: int = 0
    bytes: int = 0
    map: list[tuple[str, int, int]]


@message
class Refused:
    """A message of the browser that was not understood: its kind as far as it could be read, and what is wrong with it."""

    t: Literal["refused"] = "refused"
    of: str
    why: str


Told = (
    Hello | RegionTold | RegionGone | Here | AvatarTold | Animations | Gone | Sun | ChatTold | ImTold | Ask | Asked | Alert | Notice
    | Kicked | AboutTold | MadeTold | ProfileTold | FriendsTold | MapTold | Pong | Stats | Refused
)  # fmt: skip


# -- bytes ------------------------------------------------------------------------------------------------------------


def decoder(kinds: Any) -> Callable[[str | bytes], Any]:
    """A function from JSON to one of these kinds of message (told apart by ``t``), raising ``BadMessage``."""
    union = len(getattr(kinds, "__args__", ())) > 1
    tagged = union and all("t" in getattr(kind, "__dataclass_fields__", {}) for kind in kinds.__args__)
    adapter: TypeAdapter[Any] = TypeAdapter(_tagged(kinds) if tagged else kinds)
    return partial(_decode, adapter)


def _tagged(kinds: Any) -> Any:
    return Annotated[kinds, Field(discriminator="t")]


def _decode(adapter: TypeAdapter[Any], raw: str | bytes) -> Any:
    try:
        return adapter.validate_json(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadMessage(f"{where}: {first['msg']}"[:200] if where else first["msg"][:200]) from None
    except RecursionError:
        raise BadMessage("nested too deeply") from None


_ENCODERS: dict[type, TypeAdapter[Any]] = {}


def encode(told: Any) -> str:
    """A message as JSON text."""
    kind = type(told)
    adapter = _ENCODERS.get(kind)
    if adapter is None:
        adapter = _ENCODERS[kind] = TypeAdapter(kind)
    return adapter.dump_json(told, warnings=False).decode()

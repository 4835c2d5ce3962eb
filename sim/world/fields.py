"""Every field of a prim, once: what it may hold, how it is copied, where it goes with the prim, and what its change is called.

    FIELDS          a row for each field of `Prim`
    COLUMNS         a row for each column of `OBJECT_DTYPE` that travels

The one form of a linkset (`linkset.py`), copies of prims, crossings and the store read these tables; a field without a
row fails `tests/sim/test_linkset.py`. To add a field: write its row with `since` one higher than the form's version of
today, and raise `VERSION` in `linkset.py`; linksets of older versions are read with the field's default.

A value is either of one size (`Whole`, `Real`, `Id`, and records of them) and has a column in the form's records, or it
is of any size (`Text`, `Blob`, `Packed`) and stands behind them under its tag, left out while it is as in a new prim.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from sim.world.changes import What
from sim.world.objects import DESCRIPTION_BYTES, MAX_SCALE, MIN_SCALE, NAME_BYTES, TEXT_BYTES
from sim.world.shapes import SHAPE_FIELDS

U8, U16, U32 = (1 << 8) - 1, (1 << 16) - 1, (1 << 32) - 1
I31 = (1 << 31) - 1


class Copied(Enum):
    """What the copy of a prim gets."""

    SHARED = auto()  # the same value, which nobody changes in place
    DEEP = auto()  # an equal value of its own
    FRESH = auto()  # one of its own, from whoever copies
    DROPPED = auto()  # none: it begins as in a new prim


class Goes(Enum):
    """Where a field goes when its prim does."""

    WITH_IT = auto()  # everywhere: it is in the form
    IN_ORDER = auto()  # everywhere, as the order in which the form has the prims
    AT_HOME = auto()  # not over a border: the region's own, kept beside the form in its store
    NOWHERE = auto()  # found anew wherever the prim comes


@dataclass(frozen=True, slots=True)
class Id:
    """A UUID."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number. `code`: of the `struct` module."""

    code: str
    high: int
    low: int = 0


@dataclass(frozen=True, slots=True)
class Real:
    """A finite number. `code`: "d", or "f" where the world itself keeps it in single precision."""

    high: float
    low: float = 0.0
    code: str = "d"


@dataclass(frozen=True, slots=True)
class Record:
    """Numbers by name: attributes of a record, or keys of the mapping that holds a shape."""

    parts: Mapping[str, Whole | Real]


@dataclass(frozen=True, slots=True)
class Text:
    tag: int
    most: int  # bytes of UTF-8


@dataclass(frozen=True, slots=True)
class Blob:
    tag: int
    most: int  # bytes
    least: int = 0


@dataclass(frozen=True, slots=True)
class Packed:
    """A value for which `linkset.py` has a packing of its own."""

    tag: int


Holds = Id | Whole | Real | Record | Text | Blob | Packed | None


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    holds: Holds
    told: What  # which change of the prim a change of it is
    copied: Copied = Copied.SHARED
    goes: Goes = Goes.WITH_IT
    since: int = 1  # the version of the form that has it first


FLAG = Whole("B", 1)
MASK = Whole("I", U32)
HUNDREDTHS = Whole("b", 127, -128)
SHAPE = Record(
    {
        name: Whole("H", U16) if name.endswith(("Begin", "End", "Hollow")) and "Twist" not in name
        else HUNDREDTHS if name.startswith(("PathTwist", "PathTaper", "PathRadius", "PathSkew"))
        else Whole("B", U8)
        for name in SHAPE_FIELDS
    }
)  # fmt: skip
PERMISSIONS = Record({name: MASK for name in ("base", "owner", "group", "everyone", "next_owner")})
FEATURES = Record(
    {
        "density": Real(22587.0, -1.0),
        "friction": Real(255.0, -1.0),
        "restitution": Real(1.0, -1.0),
        "gravity": Real(28.0, -1.0),
        "shape_type": Whole("B", 2),
    }
)

FIELDS = (
    Field("full_id", Id(), What.MADE, Copied.FRESH),
    Field("owner_id", Id(), What.OWNER),
    Field("creator_id", Id(), What.RIGHTS),
    Field("row", None, What(0), Copied.DROPPED, Goes.NOWHERE),
    Field("local_id", None, What.MADE, Copied.DROPPED, Goes.AT_HOME),
    Field("group_id", Id(), What.RIGHTS),
    Field("last_owner_id", Id(), What.RIGHTS),
    Field("from_item_id", Id(), What.MADE),
    Field("name", Text(1, NAME_BYTES), What.NAME),
    Field("description", Text(2, DESCRIPTION_BYTES), What.NAME),
    Field("touch_name", Text(3, NAME_BYTES), What.NAME),
    Field("sit_name", Text(4, NAME_BYTES), What.NAME),
    Field("created", Whole("Q", 1 << 62), What.MADE, Copied.FRESH),
    Field("permissions", PERMISSIONS, What.RIGHTS, Copied.DEEP),
    Field("sale_type", Whole("B", 3), What.RIGHTS),
    Field("sale_price", Whole("I", I31), What.RIGHTS),
    Field("category", Whole("I", U32), What.NAME),
    Field("pcode", Whole("B", U8), What.SHAPE),
    Field("state", Whole("B", U8), What.SHAPE),
    Field("material", Whole("B", 7), What.MATERIAL),
    Field("click_action", Whole("B", U8), What.EFFECTS),
    Field("shape", SHAPE, What.SHAPE),
    Field("texture_entry", Blob(5, 2048), What.SURFACE),
    Field("texture_anim", Blob(6, 16), What.SURFACE),
    Field("extra_params", Packed(7), What.SHAPE | What.EFFECTS, Copied.DEEP),
    Field("text", Text(8, TEXT_BYTES), What.TEXT),
    Field("text_color", Blob(9, 4, 4), What.TEXT),
    Field("media_url", Text(10, 255), What.SURFACE),
    Field("particles", Blob(11, 255), What.EFFECTS),
    Field("sound", Id(), What.EFFECTS),
    Field("sound_gain", Real(100.0), What.EFFECTS),
    Field("sound_flags", Whole("B", U8), What.EFFECTS),
    Field("sound_radius", Real(1000.0), What.EFFECTS),
    Field("physical", FLAG, What.BODY),
    Field("phantom", FLAG, What.BODY),
    Field("temporary", FLAG, What.BODY),
    Field("volume_detect", FLAG, What.BODY),
    # A copy is scripted once it has scripts of its own.
    Field("scripted", None, What.SCRIPTS, Copied.DROPPED, Goes.NOWHERE),
    Field("touchable", None, What.SCRIPTS, Copied.DROPPED, Goes.NOWHERE),
    Field("sit_target", Packed(12), What.SEAT),
    Field("features", FEATURES, What.MATERIAL, Copied.DEEP),
    Field("inventory_serial", Whole("I", I31), What.CONTENTS),
    Field("attach_point", Whole("B", 55), What.WORN, since=2),
    Field("hung", FLAG, What.WORN, since=2),
    Field("linkset_data", Packed(13), What.DATA, Copied.DEEP),
    Field("root", None, What.LINK, Copied.DROPPED, Goes.IN_ORDER),
    Field("children", None, What.LINK, Copied.DROPPED, Goes.IN_ORDER),
    Field("contents", Packed(19), What.CONTENTS, Copied.DEEP),
    Field("worn", None, What.WORN, Copied.DROPPED, Goes.NOWHERE),
    Field("leaving", None, What(0), Copied.DROPPED, Goes.NOWHERE),
    Field("expires", Packed(14), What.BODY, Copied.DROPPED),  # as seconds left: clocks differ
    Field("lineage", Packed(15), What(0), Copied.DROPPED),
    Field("rare", Packed(20), What.EFFECTS | What.SEAT | What.MEDIA | What.SURFACE, since=2),
    Field("drives", Packed(40), What.DRIVES, since=2),
    Field("made_by", Packed(41), What.MADE, since=2),
)

FARTHEST = 8192.0  # metres: of a root from the region's corner, of a child from its root
FASTEST = 256.0  # metres, or radians, a second


@dataclass(frozen=True, slots=True)
class Column:
    """A column of `OBJECT_DTYPE`."""

    name: str
    width: int
    holds: Real | None
    goes: Goes = Goes.WITH_IT


PLACES = (  # of every prim
    Column("position", 3, Real(FARTHEST, -FARTHEST, "f")),
    Column("rotation", 4, Real(1.01, -1.01, "f")),
    Column("scale", 3, Real(MAX_SCALE, MIN_SCALE * 0.99, "f")),
)
MOTION = (  # of a root that moves
    Column("velocity", 3, Real(FASTEST, -FASTEST, "f")),
    Column("angular_velocity", 3, Real(FASTEST, -FASTEST, "f")),
)
COLUMNS = (*PLACES, *MOTION, Column("local_id", 1, None, Goes.AT_HOME), Column("crc", 1, None, Goes.AT_HOME))
